"""What a loss is given of a dataset's rows, as a table: the texts in order, then a column ``label`` or ``score``. No torch.

Texts that are drawn anew in each epoch stand here as they are before anything is drawn; see feeding.py.
"""

from collections.abc import Callable, Sequence

import numpy as np
import pyarrow as pa

from studio.data.rows import class_numbers, text_columns

DRAWN = {"noisy": "leave_out", "contrasts": "pair_up"}
"""Feeding of a loss -> function of feeding.py that draws its texts anew in each epoch."""


def inputs(rows: pa.Table, feeding: str, taught: np.ndarray | None = None) -> pa.Table:
    """The inputs that ``rows`` (of a dataset) make. ``taught``: the teacher's labels, one a row; see teacher.py.

    Any other column (the row's number, the part of a retrieval set) would be taken for a text and is left out.
    """
    kept = rows.select([name for name in rows.column_names if name not in ("row", "part")])
    return _INPUTS[feeding](kept, taught)


def input_names(columns: Sequence[str], feeding: str) -> tuple[str, ...]:
    """Names of the inputs that a dataset with these columns makes."""
    nothing = pa.table({name: pa.array([], pa.int64() if name == "row" else pa.string()) for name in columns})
    taught = np.empty((0, 1)) if feeding.startswith("teacher") else None
    return tuple(inputs(nothing, feeding, taught).column_names)


def _columns(rows: pa.Table, _: np.ndarray | None) -> pa.Table:
    if "class" in rows.column_names:
        return rows.drop_columns("class").append_column("label", pa.array(class_numbers(rows)))
    return rows


def _texts_and_classes(rows: pa.Table, _: np.ndarray | None) -> pa.Table:
    return pa.table({"text": rows["text"], "label": class_numbers(rows)})


def _once(rows: pa.Table, _: np.ndarray | None) -> pa.Table:
    return rows.select(["text"])


def _twice(rows: pa.Table, _: np.ndarray | None) -> pa.Table:
    return pa.table({"text": rows["text"], "again": rows["text"]})


def _noisy(rows: pa.Table, _: np.ndarray | None) -> pa.Table:
    return pa.table({"noisy": rows["text"], "text": rows["text"]})


def _contrasts(rows: pa.Table, _: np.ndarray | None) -> pa.Table:
    return pa.table({"text": rows["text"], "other": rows["text"], "label": pa.array(np.ones(len(rows)))})


def _taught(rows: pa.Table, taught: np.ndarray | None) -> pa.Table:
    label = pa.array(np.ascontiguousarray(taught, dtype=np.float32).ravel())
    for size in reversed(taught.shape[1:]):
        label = pa.FixedSizeListArray.from_arrays(label, size)
    return rows.select(text_columns(rows)).append_column("label", label)


_INPUTS: dict[str, Callable[[pa.Table, np.ndarray | None], pa.Table]] = {
    "columns": _columns,
    "class": _texts_and_classes,
    "once": _once,
    "twice": _twice,
    "noisy": _noisy,
    "contrasts": _contrasts,
    "teacher_scores": _taught,
    "teacher_vectors": _taught,
    "teacher_vector": _taught,
}
