"""Texts that will stand on both sides of the split into training and held-out rows, said before anything trains."""

from collections.abc import Iterable

import pyarrow as pa

from studio.data.rows import finding
from studio.data.split import split
from studio.data.table import Finding
from studio.errors import DataError

SHARE, SEED = 0.1, 42
"""What a training is suggested to use; another seed draws other rows of the same kind."""


def find(data: pa.Table) -> Iterable[Finding]:
    """At most one finding."""
    try:
        parts = split(data, SHARE, SEED)
    except DataError:
        return  # too few rows or too few different texts: findings of their own say so
    if len(parts.seen):
        yield finding("shared_texts", "info", parts.note, data["row"].take(pa.array(parts.seen)).to_numpy())
