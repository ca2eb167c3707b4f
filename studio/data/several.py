"""Several tables as one: rows one after the other where the columns agree, with what came from where."""

from collections.abc import Sequence
from dataclasses import replace

import pyarrow as pa
import pyarrow.compute as pc

from studio.data.cells import as_lists
from studio.data.table import FilePart, RowNote, Table
from studio.errors import DataError

MAX_FILES = 200
ALL = "*"
"""As ``Dialect.sheet``: all tables of an archive or workbook, one after the other."""
ALL_WORDS = "All of them"


def append(tables: Sequence[Table], name: str) -> Table:
    """The rows of all tables under the columns that they share, in the order of the first one's.

    Rows are numbered on: those of the second table begin behind the last number of the first. Notes say the file and the
    number there.

    Raises:
        DataError: the columns differ; says which.
    """
    first = tables[0]
    if len(tables) == 1:
        return replace(first, name=name)
    for other in tables[1:]:
        if why := difference(first, other):
            raise DataError(
                f"The tables cannot be put together: {why}.",
                hint="Bring tables with the same column names together, others one at a time.",
            )
    parts, columns, rows, skipped, repaired = [], {n: [] for n in first.columns}, [], [], []
    listed = {n for n in first.columns if any(pa.types.is_list(table.data[n].type) for table in tables)}
    behind = 0
    for table in tables:
        for column in first.columns:
            chunks = table.data[column].chunks
            as_list = column in listed and not pa.types.is_list(table.data[column].type)
            columns[column] += [as_lists(chunk) for chunk in chunks] if as_list else chunks
        numbers = [*(note.row for note in (*table.skipped, *table.repaired)), pc.max(table.rows).as_py() or 0]
        rows.append(pc.add(table.rows, behind))
        skipped += [_moved(note, table.name, behind) for note in table.skipped]
        repaired += [_moved(note, table.name, behind) for note in table.repaired]
        parts.append(FilePart(table.name, behind, len(table.data)))
        behind += max(numbers)
    kinds = {n: pa.list_(pa.string()) if n in listed else pa.string() for n in first.columns}
    data = pa.table({n: pa.chunked_array(chunks, kinds[n]) for n, chunks in columns.items()})
    return Table(
        name, data, pa.chunked_array(rows).combine_chunks(), first.dialect, tuple(skipped), tuple(repaired),
        partial=any(table.partial for table in tables), files=tuple(parts),
    )  # fmt: skip


def difference(one: Table, other: Table) -> str:
    """In what the columns differ; ``""`` when they are the same, in whatever order."""
    lacks = [name for name in one.columns if name not in other.columns]
    more = [name for name in other.columns if name not in one.columns]
    said = [f"{other.name} lacks {_list(lacks)}"] if lacks else []
    said += [f"{other.name if not lacks else 'it'} has {_list(more)}"] if more else []
    return f"{' and '.join(said)}, unlike {one.name}" if said else ""


def together_name(names: Sequence[str]) -> str:
    others = len(names) - 1
    return names[0] if not others else f"{names[0]} and {others} other{'s' if others > 1 else ''}"


def _moved(note: RowNote, name: str, behind: int) -> RowNote:
    return RowNote(note.row + behind, f"{name} row {note.row}: {note.message}")


def _list(names: list[str]) -> str:
    shown = ", ".join(f"'{name}'" for name in names[:5])
    return shown + (f" and {len(names) - 5} more" if len(names) > 5 else "")
