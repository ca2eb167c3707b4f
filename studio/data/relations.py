"""Pairs with classes, as tables of entailment have them: what each class says of whether two texts belong together.

A model is trained to tell all classes apart; it is judged by the similarity of pairs whose class says that they belong
together (entailment) against those of which it says that they do not (contradiction).
"""

from collections.abc import Iterable

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from studio.data.labels import meaning
from studio.data.rows import class_numbers
from studio.data.table import Finding
from studio.errors import DataError

NEITHER = -1


def says(data: pa.Table) -> np.ndarray:
    """For each row 1 (its class says that the texts belong together), 0 (that they do not) or NEITHER."""
    coded = data["class"].combine_chunks().dictionary_encode()
    said = np.array([_said(spelt) for spelt in coded.dictionary.to_pylist()], dtype=np.int64)
    return said[coded.indices.to_numpy()]


def check_classes(data: pa.Table, column: str) -> None:
    """Raises DataError when no class says that texts belong together, or none that they do not."""
    spelt = sorted(pc.unique(data["class"]).to_pylist())
    found = {_said(one) for one in spelt}
    missing = [what for code, what in ((1, "belong together"), (0, "do not belong together")) if code not in found]
    if missing:
        shown = ", ".join(f"'{one[:40]}'" for one in spelt[:6]) + (" ..." if len(spelt) > 6 else "")
        raise DataError(
            f"No class in '{column}' says that two texts {missing[0]}: the result could not be judged. Classes are {shown}.",
            hint="Write them as entailment, neutral and contradiction (or duplicate, related and different); numbers do not "
            "say which is which, for tables count them in different orders.",
        )


def find(data: pa.Table) -> Iterable[Finding]:
    """``data``: rows of a dataset of pairs with classes."""
    sizes = np.bincount(class_numbers(data))
    spelt = sorted(pc.unique(data["class"]).to_pylist())
    told = {code: ", ".join(f"'{one[:40]}'" for one in spelt if _said(one) == code) for code in (1, 0, NEITHER)}
    neither = f" {told[NEITHER]} trains and does not judge." if told[NEITHER] else ""
    yield Finding(
        "labels_read_as",
        "info",
        f"{len(sizes[sizes > 0])} classes train. The result is judged by {told[1]} (belong together) against {told[0]} (do not)."
        + neither,
        len(data),
    )


def _said(spelt: str) -> int:
    said = meaning(spelt)
    return said if said in (0, 1) else NEITHER
