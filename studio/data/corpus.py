"""What is searched: documents with a title and columns to filter by, in one Parquet file. No torch.

Columns: ``text`` (string), ``row`` (int64, number of the row in the file), ``title`` (string) where there is one, and
``field_0``, ``field_1`` ... (string or float64). The schema says what they are called, as JSON under ``studio``. One file, so
that a corpus is replaced whole or not at all.
"""

import hashlib
import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from studio.data.documents import Library
from studio.data.spool import BATCH, Spool
from studio.data.table import Table
from studio.errors import DataError, SearchError

MAX_FIELDS = 20
MAX_CHOICES = 50
"""Different values of a column that can be chosen from a list; of more, a part is typed."""
KEY = b"studio"


@dataclass(frozen=True)
class Field:
    """A column to filter by."""

    name: str
    kind: str
    """``choice`` (one of a few values), ``number`` (between two) or ``text`` (contains)."""
    choices: tuple[str, ...] = ()
    low: float | None = None
    high: float | None = None


@dataclass(frozen=True)
class CorpusInfo:
    rows: int
    text: str = "text"
    """What the column of texts was called."""
    title: str = ""
    """The column of titles; empty: there is none."""
    fields: tuple[Field, ...] = ()
    version: str = ""
    """Hash of titles and texts: an index of another version is one of other texts."""


@dataclass(frozen=True)
class Documents:
    """Documents that are not stored yet."""

    data: pa.Table
    info: CorpusInfo
    empty: int
    repeated: int


def of_table(table: Table, text: str, title: str = "", fields: Sequence[str] = ()) -> Documents:
    """Each row of a table that has a text. Raises DataError: no such column, or one of lists."""
    for name in (text, *([title] if title else []), *fields):
        if name not in table.columns:
            raise DataError(f"{table.name} has no column '{name}'.", hint=f"It has {', '.join(table.columns)}.")
    values = table.data[text]
    if not (pa.types.is_string(values.type) or pa.types.is_large_string(values.type)):
        raise DataError(f"The column '{text}' holds lists, not texts.", hint="Choose another column.")
    columns = {"text": values.cast(pa.string()), "row": pa.chunked_array([table.rows.cast(pa.int64())])}
    if title:
        columns["title"] = _strings(table.data[title])
    return documents(columns, {name: _strings(table.data[name]) for name in fields}, text, title)


def of_library(library: Library) -> Documents:
    """Each document of a set of files: its text, its title (or file name), its file and kind."""
    texts = ["\n".join(p for section in each.sections for p in section.paragraphs) for each in library.documents]
    columns = {
        "text": pa.chunked_array([pa.array(texts, pa.string())]),
        "row": pa.chunked_array([pa.array(range(1, len(texts) + 1), pa.int64())]),
        "title": pa.chunked_array([pa.array([each.title or each.name for each in library.documents], pa.string())]),
    }
    names = {
        "file": pa.chunked_array([pa.array([each.name for each in library.documents], pa.string())]),
        "kind": pa.chunked_array([pa.array([each.kind for each in library.documents], pa.string())]),
    }
    return documents(columns, names, "text", "title")


def documents(
    columns: dict[str, pa.ChunkedArray], fields: dict[str, pa.ChunkedArray], text: str = "text", title: str = ""
) -> Documents:
    """Documents of columns ``text``, ``row`` and perhaps ``title``, and of columns to filter by.

    Those without a text are left out, and so are those that repeat another one in text, title and fields.

    Raises:
        DataError: too many fields.
        SearchError: no texts.
    """
    fields = {name: values for name, values in fields.items() if name not in (text, title)}
    if len(fields) > MAX_FIELDS:
        raise DataError(f"{len(fields)} columns to filter by: at most {MAX_FIELDS}.", hint="Choose fewer.")
    data = pa.table({**columns, "text": pc.utf8_trim_whitespace(pc.fill_null(columns["text"], ""))})
    kinds = []
    for at, (name, values) in enumerate(fields.items()):
        kind, values = _field(name, values)
        kinds.append(kind)
        data = data.append_column(f"field_{at}", values)
    filled = data.filter(pc.not_equal(data["text"], ""))
    places = filled.drop_columns("row").append_column("place", pa.array(np.arange(len(filled))))
    told_apart = [name for name in places.column_names if name != "place"]
    first = places.group_by(told_apart).aggregate([("place", "min")])["place_min"].to_numpy()
    kept = filled if len(first) == len(filled) else filled.take(pa.array(np.sort(first)))
    if not len(kept):
        raise SearchError("There are no texts to search.", hint="Choose a column that has texts in it.")
    info = CorpusInfo(len(kept), text, title, tuple(kinds), _version(kept))
    return Documents(kept, info, len(data) - len(filled), len(filled) - len(kept))


def save(path: Path, found: Documents) -> None:
    words = json.dumps(asdict(found.info)).encode()
    data = found.data.replace_schema_metadata({KEY: words})
    with pq.ParquetWriter(path, data.schema, compression="zstd") as file:
        for batch in data.to_batches(max_chunksize=BATCH):
            file.write_batch(batch)


def load_info(path: Path) -> CorpusInfo:
    """Raises SearchError when it cannot be read."""
    try:
        with pq.ParquetFile(path) as file:
            rows, words = file.metadata.num_rows, (file.schema_arrow.metadata or {}).get(KEY)
    except (OSError, pa.ArrowException):
        raise SearchError("The texts of the corpus cannot be read.", hint="Import the corpus again.") from None
    if words is None:
        return CorpusInfo(rows)
    value: dict[str, Any] = json.loads(words)
    fields = tuple(Field(**{**field, "choices": tuple(field["choices"])}) for field in value["fields"])
    return CorpusInfo(**{**value, "fields": fields})


def load(path: Path, columns: Sequence[str] | None = None) -> pa.Table:
    """All documents; of a large corpus mapped from disk, not held in memory. Raises SearchError."""
    try:
        spool = Spool()
        with pq.ParquetFile(path) as file:
            for batch in file.iter_batches(batch_size=BATCH, columns=columns):
                spool.add(dict(zip(batch.schema.names, batch.columns, strict=True)))
    except (OSError, pa.ArrowException):
        raise SearchError("The texts of the corpus cannot be read.", hint="Import the corpus again.") from None
    return spool.finish()


def matching(data: pa.Table, info: CorpusInfo, filters: Sequence[dict[str, Any]]) -> np.ndarray | None:
    """(documents,) bool: those that pass all filters; None: there are none.

    A filter names a ``field`` and says ``values`` (one of them), ``least`` and ``most`` (numbers), or ``contains``.

    Raises:
        SearchError: no such field, or a filter that it does not take.
    """
    mask = None
    names = {field.name: at for at, field in enumerate(info.fields)}
    for asked in filters:
        if asked.get("field") not in names:
            raise SearchError(
                f"The corpus has no column '{asked.get('field')}' to filter by.",
                hint=f"It has {', '.join(names)}." if names else "Choose such columns when a corpus is made.",
            )
        at = names[asked["field"]]
        passed = _passed(data[f"field_{at}"], info.fields[at], asked)
        mask = passed if mask is None else mask & passed
    return mask


def _passed(values: pa.ChunkedArray, field: Field, asked: dict[str, Any]) -> np.ndarray:
    if field.kind == "number":
        try:
            least, most = (
                float(asked[name]) if asked.get(name) not in (None, "") else None for name in ("least", "most")
            )
        except (TypeError, ValueError):
            raise SearchError(
                f"'{field.name}' is filtered by numbers.", hint="Give the least, the most or both."
            ) from None
        numbers = values.to_numpy()
        passed = np.isfinite(numbers)
        if least is not None:
            passed &= numbers >= least
        if most is not None:
            passed &= numbers <= most
        return passed
    if asked.get("values"):
        found = pc.is_in(values, value_set=pa.array([str(value) for value in asked["values"]], pa.string()))
    else:
        found = pc.match_substring(values, str(asked.get("contains", "")), ignore_case=True)
    return pc.fill_null(found, False).to_numpy(zero_copy_only=False)


def _field(name: str, values: pa.ChunkedArray) -> tuple[Field, pa.ChunkedArray]:
    """What kind of column it is, and its values as they are kept."""
    trimmed = pc.utf8_trim_whitespace(values)
    trimmed = pc.if_else(pc.equal(trimmed, ""), None, trimmed)
    try:
        numbers = pc.cast(trimmed, pa.float64())
    except pa.ArrowInvalid:
        numbers = None
    if numbers is not None and numbers.null_count < len(numbers):
        limits = pc.min_max(numbers).as_py()
        return Field(name, "number", (), limits["min"], limits["max"]), pc.fill_null(numbers, float("nan"))
    choices = pc.unique(trimmed).drop_null()
    if 0 < len(choices) <= MAX_CHOICES:
        return Field(name, "choice", tuple(sorted(choices.to_pylist()))), trimmed
    return Field(name, "text"), trimmed


def _strings(column: pa.ChunkedArray) -> pa.ChunkedArray:
    """As strings; of lists the items in a line."""
    if pa.types.is_list(column.type) or pa.types.is_large_list(column.type):
        return pc.binary_join(column, ", ")
    return column.cast(pa.string())


def _version(data: pa.Table) -> str:
    total = hashlib.blake2b(digest_size=12)
    for batch in data.select([name for name in ("title", "text") if name in data.column_names]).to_batches(BATCH):
        for column in batch.columns:
            column = column.combine_chunks() if isinstance(column, pa.ChunkedArray) else column
            for value in column.to_pylist():
                words = (value or "").encode("utf-8", "surrogatepass")
                total.update(len(words).to_bytes(8, "little") + words)
    return total.hexdigest()


def note_of(where: str, found: Documents, documents: int | None = None) -> str:
    """Where the texts come from and what was left out. ``documents``: how many there were, where some were cut off."""
    left_out = (
        f" Left out: {found.empty:,} empty, {found.repeated:,} repeated." if found.empty or found.repeated else ""
    )
    cut = "" if documents is None else f" Only the first {found.info.rows:,} of {documents:,} texts."
    return f"{where}{left_out}{cut}"


def check_size(found: Documents, most: int) -> None:
    """Raises SearchError: more documents than may be searched."""
    if found.info.rows > most:
        raise SearchError(
            f"There are {found.info.rows:,} different texts; at most {most:,} can be searched here.",
            hint="Upload a smaller table, or ask whoever hosts this studio (STUDIO_MAX_CORPUS_ROWS).",
        )


def first(found: Documents, most: int) -> Documents:
    """The first of them."""
    data = found.data.slice(0, most)
    return Documents(data, replace(found.info, rows=len(data), version=_version(data)), found.empty, found.repeated)
