"""Column names: as the file has them where possible, never empty, never twice."""

from collections.abc import Iterable, Sequence

import pyarrow as pa

from studio.errors import DataError

MAX_COLUMNS = 5_000


def clean_names(cells: Iterable[object]) -> list[str]:
    """Names stripped; a nameless column is called by its position (``column_4``), a repeated name gets a number.

    Raises:
        DataError: more than 5,000 columns.
    """
    names: list[str] = []
    taken: set[str] = set()
    for position, cell in enumerate(cells, 1):
        plain = " ".join(str("" if cell is None else cell).replace("\ufeff", "").replace("\0", "").split())
        plain = plain or nameless(position)
        name, count = plain, 1
        while name in taken:
            count += 1
            name = f"{plain}_{count}"
        taken.add(name)
        names.append(name)
    refuse_too_many(len(names))
    return names


def nameless(position: int) -> str:
    return f"column_{position}"


def refuse_too_many(columns: int) -> None:
    """Raises DataError above the limit."""
    if columns > MAX_COLUMNS:
        raise DataError(
            f"The table has {columns:,} columns; at most {MAX_COLUMNS:,} can be read.",
            hint="Check the delimiter, or keep only the columns that hold the texts.",
        )


def without_empty(data: pa.Table, header: Sequence[object]) -> pa.Table:
    """Leaves out columns that have neither a name in ``header`` nor a value in any row."""
    keep = [
        name
        for position, name in enumerate(data.column_names)
        if (position < len(header) and str(header[position] or "").strip()) or data[position].null_count < len(data)
    ]
    return data.select(keep)
