"""Versions of the database, run by code when the server starts (see studio.runs.store)."""

HEAD = "0009"
"""The newest version; compared before alembic is imported at all, because importing it takes time."""
