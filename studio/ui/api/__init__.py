"""The routes that the page's own scripts ask, a module a noun, each with ``add(app, studio)``.

Every route asks for the owner and passes it on: what belongs to somebody else looks as if it did not exist.
"""

from studio.ui.api import downloads, evidence, makings, runs, sweeps, tools

PARTS = (runs, evidence, makings, sweeps, tools, downloads)
