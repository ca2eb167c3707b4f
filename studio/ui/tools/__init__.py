"""What can be done with a kept dataset: one module a tool, each a fold below the dataset's rows."""

from types import ModuleType
from typing import TYPE_CHECKING, Any, Protocol

from studio.ui.tools import edit, negatives, queries, review, share

if TYPE_CHECKING:
    from studio.runs.records import DatasetRecord
    from studio.ui.data import DataTab

TOOLS: tuple[ModuleType, ...] = (edit, review, negatives, queries, share)
"""Each has ``build(shell) -> Tool``; in the order in which they stand on the page."""


class Tool(Protocol):
    @property
    def outputs(self) -> list[Any]:
        """Outputs of :meth:`show`."""

    def show(self, owner: str, record: "DatasetRecord | None") -> tuple[Any, ...]:
        """Updates for the dataset that is shown; None: there is none, and the fold cannot be seen."""

    def wire(self, data: "DataTab") -> None:
        """Events. A tool that makes a dataset shows it: ``data.arrive(dataset_id, request)`` for ``data.arrival``."""
