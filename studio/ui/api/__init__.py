"""The routes that the page's own scripts ask, a module a noun, each with ``add(app, studio)``.

Every route asks for the owner and passes it on: what belongs to somebody else looks as if it did not exist. Those of ``demo`` and
``embeddings`` know no owner: a link's token or a key is what they ask for.
"""

from studio.ui.api import (
    admin,
    compare,
    corpora,
    demo,
    downloads,
    embeddings,
    evidence,
    makings,
    runs,
    searches,
    seen,
    sharing,
    sweeps,
    takealong,
    timings,
    tools,
    trash,
)

PARTS = (
    runs,
    evidence,
    makings,
    sweeps,
    timings,
    tools,
    downloads,
    compare,
    trash,
    sharing,
    demo,
    embeddings,
    admin,
    seen,
    takealong,
    corpora,
    searches,
)
