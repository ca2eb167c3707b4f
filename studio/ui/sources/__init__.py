"""Ways to bring data other than a table that is uploaded: one module a source, each a fold below the upload."""

from types import ModuleType
from typing import TYPE_CHECKING, Protocol

from studio.ui.sources import documents, hub

if TYPE_CHECKING:
    from studio.ui.data import DataTab

SOURCES: tuple[ModuleType, ...] = (hub, documents)
"""Each has ``build(shell) -> Source``; in the order in which they stand on the page."""


class Source(Protocol):
    def wire(self, data: "DataTab") -> None:
        """Events. A dataset that was made is shown: ``data.arrive(dataset_id, request)`` for ``data.arrival``."""
