"""A run as a Python script that needs sentence-transformers and nothing of the studio.

``page.py`` is the page that lines are written on; ``model.py``, ``rows.py``, ``loss.py`` and ``steps.py`` each write what
a run needs of their subject, and nothing that it does not need; ``write.py`` puts them together when a run has
succeeded: then it is known what was done, batch size and kept step included.
"""
