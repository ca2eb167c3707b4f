"""The routes that the page's own scripts ask, a module a noun, each with ``add(app, studio)``.

Every route asks for the owner and passes it on: what belongs to somebody else looks as if it did not exist.
"""

from studio.ui.api import compare, downloads, evidence, makings, runs, seen, sweeps, tools, trash

PARTS = (runs, evidence, seen, makings, sweeps, tools, downloads, compare, trash)
