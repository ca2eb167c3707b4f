"""What can be made in the background. Adding a kind means adding a row. No torch here."""

from collections.abc import Callable
from importlib import import_module
from pathlib import Path
from typing import Any

Report = Callable[[int, int, str], None]
"""(done, total, what is being done, for people)."""
Make = Callable[[Path, dict[str, Any], Report, Callable[[], bool]], dict[str, Any]]
"""(folder, what task.json says, report, whether it was asked to stop) -> what outcome.json says as ``result``.

A function that writes a dataset writes it into ``dataset`` in its folder, whole or not at all. It may be started again
after its process was killed, and finds then what it left in the folder.
"""

KINDS: dict[str, str] = {
    "import": "studio.making.importing:make",
    "corpus": "studio.making.corpus:make",
    "hub": "studio.making.hub:make",
    "documents": "studio.making.documents:read",
    "queries": "studio.making.queries:write",
    "pairs": "studio.making.documents:pair",
    "negatives": "studio.making.negatives:make",
    "suspects": "studio.making.suspects:make",
    "timing": "studio.making.timing:make",
    "export": "studio.making.exporting:make",
    "sizes": "studio.making.exporting:weigh",
    "tidy": "studio.making.tidy:make",
}
"""Kind -> ``module:function``, a :data:`Make`."""


def maker_of(kind: str) -> Make:
    """The function that makes this kind. Raises KeyError: there is none."""
    module, _, name = KINDS[kind].partition(":")
    return getattr(import_module(module), name)
