"""A dataset on disk: ``data.parquet`` and ``dataset.json`` in one folder, written once, never changed.

Columns of data.parquet, always in this order, those of the format only: ``anchor``, ``positive``, ``negative`` (or
``negative_1`` ... ``negative_n``), ``score`` (float64 in [0, 1]), ``label`` (int64, 0 or 1) or ``class`` (string, as it is spelt in the
file); or ``text`` and, where there is one, ``class``; where a retrieval set divides its rows, ``part`` (``train`` or
``test``); last ``row`` (int64, the row's number in the file). A retrieval set also has ``corpus.parquet``: one column
``text``, the documents that held-out queries are searched in. Where the file had columns that are not trained on but sort
its rows (a source, a year), ``extra.parquet`` keeps them: ``row`` and a string column each; see extra.py. Datasets of earlier
versions have none.
"""

from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from studio.catalog.findings import KIND
from studio.data.check import Measure, check
from studio.data.extra import extra_columns
from studio.data.prepare import prepare
from studio.data.spool import BATCH, IN_MEMORY_BYTES, Spool, batches
from studio.data.table import Finding, Roles, Table
from studio.data.vocabulary import is_mined
from studio.errors import DataError
from studio.files import read_json, write_json


@dataclass(frozen=True)
class DatasetInfo:
    """What dataset.json says."""

    name: str
    format: str
    rows: int
    roles: dict[str, str]
    """Role -> column of the file, or what stands in its place."""
    file_name: str
    dialect: dict[str, Any] = field(default_factory=dict)
    dropped: dict[str, int] = field(default_factory=dict)
    """Reason -> rows left out when the dataset was made."""
    skipped: int = 0
    """Rows of the file that could not be read."""
    score_scale: tuple[float, float] | None = None
    """Lowest and highest value of the scale that scores were normalised from."""
    findings: tuple[Finding, ...] = ()
    history: tuple[str, ...] = ()
    """What was done to the rows since the file was imported, oldest first; see fix.py and version.py."""
    corpus_rows: int = 0
    """Documents of the dataset's own corpus; 0: it has none."""
    parent: str = ""
    """Id of the dataset that this is a version of; empty: it was imported."""
    mined_with: str = ""
    """Label of the model that chose the negatives; empty: no model did."""

    @property
    def judged_as(self) -> str:
        """Format that held-out rows are judged as. Negatives that a model chose are all further away than the positive
        for that model, so it would get every triplet right; such rows are judged by searching, as pairs are."""
        if self.format == "classed_pair":  # by the classes that say whether two texts belong together
            return "labelled_pair"
        return "pair" if self.mined_with else self.format


def save_dataset(
    folder: Path, data: pa.Table, info: DatasetInfo, corpus: pa.Array | None = None, extra: pa.Table | None = None
) -> None:
    """Write a dataset; the folder must not exist or be empty. dataset.json is written last.

    ``corpus``: the documents of a retrieval set; ``info.corpus_rows`` says how many. ``extra``: columns that sort the rows,
    with ``row``; those of other rows than ``data`` has are left out.
    """
    folder.mkdir(parents=True, exist_ok=True)
    if corpus is not None:
        pq.write_table(pa.table({"text": corpus}), folder / "corpus.parquet", compression="zstd")
    if extra is not None:
        extra = extra.filter(pc.is_in(extra["row"], value_set=data["row"].combine_chunks()))
        pq.write_table(extra, folder / "extra.parquet", compression="zstd")
    with pq.ParquetWriter(folder / "data.parquet", data.schema, compression="zstd") as file:
        for batch in batches(data):
            file.write_batch(batch)
    write_json(folder / "dataset.json", asdict(info))


def import_dataset(
    folder: Path,
    table: Table,
    roles: Roles,
    name: str,
    measure: Measure | None = None,
    told: Callable[[str], None] = lambda words: None,
) -> DatasetInfo:
    """Prepare and check a table and write it as a dataset into ``folder``; nothing is written when it cannot be used.

    Args:
        measure: counts tokens, so that texts that will be cut off are among the findings.
        told: hears what is being done; may raise to stop.

    Raises:
        DataError: as :func:`studio.data.prepare.prepare`, or a finding of severity ``error``.
    """
    told("preparing the rows")
    prepared = prepare(table, roles)
    told("checking the rows")
    findings = check(prepared, table, measure(prepared.data) if measure else None, told)
    told("writing the dataset")
    problem = next((finding for finding in findings if finding.severity == "error"), None)
    if problem:
        raise DataError(problem.message, hint=KIND[problem.code].advice)
    info = DatasetInfo(
        name=name,
        format=prepared.format,
        rows=len(prepared.data),
        roles=roles.columns,
        file_name=table.name,
        dialect=asdict(table.dialect),
        dropped={reason: len(notes) for reason, notes in prepared.dropped.items()},
        skipped=len(table.skipped),
        score_scale=prepared.score_scale,
        findings=findings,
        corpus_rows=0 if table.retrieval is None else len(table.retrieval.corpus),
        mined_with="a model" if any(map(is_mined, roles.negatives)) else "",
    )
    corpus = None if table.retrieval is None else table.retrieval.corpus
    save_dataset(folder, prepared.data, info, corpus, extra_columns(table, roles, prepared.data["row"]))
    return info


def load_info(folder: Path) -> DatasetInfo:
    """Raises DataError when the folder holds no dataset."""
    value = read_json(folder / "dataset.json")
    if value is None:
        raise DataError(f"There is no dataset in {folder.name}.", hint="Import the table again.")
    value["findings"] = tuple(Finding(**{**f, "rows": tuple(f["rows"])}) for f in value["findings"])
    if value["score_scale"] is not None:
        value["score_scale"] = tuple(value["score_scale"])
    value["history"] = tuple(value.get("history", ()))
    return DatasetInfo(**value)


def load_corpus(folder: Path) -> pa.ChunkedArray | None:
    """Documents of a retrieval set; None when the dataset has no corpus of its own."""
    path = folder / "corpus.parquet"
    return pq.read_table(path, memory_map=True)["text"] if path.is_file() else None


def load_extra(folder: Path) -> pa.Table | None:
    """Columns that are not trained on, with ``row``; None when the dataset has none."""
    path = folder / "extra.parquet"
    return pq.read_table(path) if path.is_file() else None


def load_rows(folder: Path) -> pa.Table:
    """All rows of a dataset; those of a large one are mapped from disk, not held in memory."""
    with pq.ParquetFile(folder / "data.parquet") as file:
        groups = [file.metadata.row_group(i).total_byte_size for i in range(file.num_row_groups)]
        if sum(groups) < IN_MEMORY_BYTES:
            return _with_all_classes(file.read())
        spool = Spool()
        for batch in file.iter_batches(batch_size=BATCH):
            spool.add(dict(zip(batch.schema.names, batch.columns, strict=True)))
        return _with_all_classes(spool.finish())


def _with_all_classes(rows: pa.Table) -> pa.Table:
    """Classes of pairs keep the list of all there are, so that any part of the rows numbers them alike."""
    if not {"anchor", "class"} <= set(rows.column_names):
        return rows
    place = rows.column_names.index("class")
    return rows.set_column(place, "class", rows["class"].combine_chunks().dictionary_encode())


def load_numbered(folder: Path, numbers: Sequence[int]) -> pa.Table:
    """The rows with these numbers of the file; no more of the file is read than they need."""
    with pq.ParquetFile(folder / "data.parquet") as file:
        found, start = [], 0
        row = file.read(["row"])["row"]
        wanted = pc.is_in(row, value_set=pa.array(numbers, pa.int64()))
        for number in range(file.num_row_groups):
            mask = wanted.slice(start, file.metadata.row_group(number).num_rows)
            start += len(mask)
            if pc.any(mask).as_py():
                found.append(file.read_row_group(number).filter(mask))
        return pa.concat_tables(found) if found else file.schema_arrow.empty_table()


def load_sample(folder: Path, limit: int, places: int = 10) -> pa.Table:
    """At most ``limit`` rows, from ``places`` evenly spread over the file."""
    with pq.ParquetFile(folder / "data.parquet") as file:
        rows = file.metadata.num_rows
    if rows <= limit:
        return load_slice(folder, 0, limit)
    part = limit // places
    return pa.concat_tables([load_slice(folder, i * (rows - part) // (places - 1), part) for i in range(places)])


def load_slice(folder: Path, offset: int, limit: int) -> pa.Table:
    """Some rows of a dataset; no more of the file is read than they need."""
    with pq.ParquetFile(folder / "data.parquet") as file:
        start, groups, skipped = 0, [], 0
        for number in range(file.num_row_groups):
            rows = file.metadata.row_group(number).num_rows
            if start + rows > offset and start < offset + limit:
                groups.append(number)
            elif not groups:
                skipped = start + rows
            start += rows
        return file.read_row_groups(groups).slice(offset - skipped, limit)
