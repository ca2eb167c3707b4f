"""Retrieval sets: documents, queries and which document answers which query, in files of their own (BEIR's layout).

``corpus.jsonl`` (_id, title, text), ``queries.jsonl`` (_id, text) and ``qrels/train.tsv``, ``test.tsv``, ``dev.tsv``
(query-id, corpus-id, score), as a zip, a folder or several files; the same as CSV with other names of columns, and
TREC's qrels without a header. They are read as one table of pairs; the whole corpus comes along to be searched.
"""

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path, PurePosixPath

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from studio.data import archive
from studio.data.labels import NUMBER
from studio.data.prepare import PART
from studio.data.rows import count
from studio.data.table import Dialect, RetrievalSet, RowNote, Table
from studio.data.vocabulary import plain_name
from studio.errors import DataError

KIND = "retrieval"
QUERY, DOCUMENT = "query", "document"
"""Columns of the table."""
CORPUS_NAMES = ("corpus", "documents", "docs", "collection", "passages")
QUERY_NAMES = ("queries", "query", "questions", "topics")
PARTS = {"train": "train", "test": "test", "dev": "dev", "val": "dev", "valid": "dev", "validation": "dev"}
IDS = ("id", "doc_id", "docid", "corpus_id", "document_id", "pid", "passage_id", "query_id", "qid", "topic_id")
QUERY_IDS = ("query_id", "qid", "queryid", "topic_id", "topic", "query")
DOCUMENT_IDS = ("corpus_id", "doc_id", "docid", "document_id", "pid", "passage_id", "document", "docno")
TEXTS = ("text", "query", "question", "contents", "content", "body", "passage", "document", "abstract", "title")
SCORES = ("score", "relevance", "rel", "label", "grade", "judgment", "judgement")
MAX_CORPUS = 200_000
"""Documents that are kept besides those that answer a query."""
LAYOUT_HINT = (
    "A retrieval set has corpus, queries and qrels, for example corpus.jsonl, queries.jsonl and qrels/test.tsv."
)


@dataclass(frozen=True)
class Files:
    """Names of the files of one set."""

    corpus: str
    queries: tuple[str, ...]
    qrels: tuple[tuple[str, str], ...]
    """(part, name); part: ``train``, ``dev``, ``test`` or ``""``."""


def find_files(names: Iterable[str]) -> Files | None:
    """The set among these names, with folders; None when there is none or more than one."""
    corpora: list[str] = []
    queries: list[str] = []
    qrels: list[tuple[str, str]] = []
    bare: list[tuple[str, str]] = []  # train.tsv, test.tsv: uploaded one by one they have lost their folder
    for name in sorted(names):
        path = PurePosixPath(name)
        stem, folder = path.name.split(".")[0].lower(), path.parent.name.lower()
        words = re.split(r"[^a-z]+", stem)
        if path.suffix.lower() == ".md" or stem.startswith("readme"):
            continue
        if words[0] == "qrels" or folder == "qrels":
            qrels.append((next((PARTS[word] for word in words if word in PARTS), ""), name))
        elif words[0] in CORPUS_NAMES:
            corpora.append(name)
        elif words[0] in QUERY_NAMES:
            queries.append(name)
        elif stem in PARTS:
            bare.append((PARTS[stem], name))
    qrels = qrels or bare
    if len(corpora) != 1 or not queries or not qrels:
        return None
    return Files(corpora[0], tuple(queries), tuple(qrels))


def read_zip(path: Path, name: str) -> Table | None:
    """The set in a zip; None when it holds none. Raises DataError as :func:`read_files`."""
    if not archive.is_zip(path):
        return None
    found = find_files(archive.tables_in(path))
    if found is None:
        return None
    chosen = [found.corpus, *found.queries, *(one for _, one in found.qrels)]
    with archive.unpacked_several(path, chosen) as places:
        return _read(found, places, name)


def read_folder(folder: Path) -> Table:
    """The set in a folder. Raises DataError when it holds none."""
    places = {str(path.relative_to(folder)): path for path in sorted(folder.rglob("*")) if path.is_file()}
    return _read_places(places, folder.name)


def read_files(files: Sequence[Path], names: Sequence[str] = ()) -> Table:
    """The set in several files. ``names``: what they are called, where their places do not say it.

    Raises:
        DataError: files of other names, no judgement that names a document and a query of the set.
    """
    names = names or [str(path) for path in files]
    words = " + ".join(PurePosixPath(name).name for name in names[:4])
    return _read_places(dict(zip(names, files, strict=True)), words)


def _read_places(places: dict[str, Path], name: str) -> Table:
    found = find_files(places)
    if found is None:
        raise DataError(f"'{name}' is no retrieval set.", hint=LAYOUT_HINT)
    return _read(found, places, name)


def _read(files: Files, places: dict[str, Path], name: str) -> Table:
    corpus_ids, documents = _texts(_table(places, files.corpus), with_title=True)
    read = [_texts(_table(places, one), with_title=False) for one in files.queries]
    query_ids, queries = (pa.chunked_array([part[i] for part in read]).combine_chunks() for i in (0, 1))
    judged = [(part, *_judgements(_apart(_table(places, one)))) for part, one in files.qrels]
    part = np.concatenate([np.full(len(ids), which, dtype=object) for which, ids, _, _ in judged])
    asked, found, score = (
        pa.concat_arrays([one[i] for one in judged]) if i < 3 else np.concatenate([one[i] for one in judged])
        for i in (1, 2, 3)
    )
    part, left_out = _sides(part)
    order = np.argsort(
        part != "test", kind="stable"
    )  # test first: what repeats it is left out, not the other way round
    order = order[(part[order] != "") & (score[order] > 0)]
    query = pc.index_in(asked, value_set=query_ids).take(pa.array(order))
    document = pc.index_in(found, value_set=corpus_ids).take(pa.array(order))
    known = pc.and_(query.is_valid(), document.is_valid()).to_numpy(zero_copy_only=False)
    if not known.any():
        raise DataError(
            "No judgement names a query and a document of this set: the ids of the files do not fit together.",
            hint=f"Check the columns with the ids. {LAYOUT_HINT}",
        )
    rows = np.arange(1, len(order) + 1)
    skipped = tuple(
        RowNote(int(rows[i]), f"there is no query '{one}'" if query[i].as_py() is None else f"there is no document '{other}'")
        for i, one, other in zip(
            np.flatnonzero(~known), asked.take(pa.array(order[~known])).to_pylist(),
            found.take(pa.array(order[~known])).to_pylist(), strict=True,
        )
    )  # fmt: skip
    keep = pa.array(known)
    columns = {QUERY: queries.take(query.filter(keep)), DOCUMENT: documents.take(document.filter(keep))}
    sides = part[order][known]
    divided = len(set(sides)) > 1
    if divided:
        columns[PART] = pa.array(sides, pa.string())
    needed = np.unique(document.filter(keep).to_numpy())
    kept = _some_documents(len(documents), needed)
    corpus = documents.take(pa.array(kept))
    corpus = pc.unique(corpus.filter(pc.greater(pc.utf8_length(corpus), 0)))
    test = int((sides == "test").sum())
    told = [
        f"A retrieval set: {count(len(documents), 'document', 'documents')}, "
        f"{count(len(pc.unique(asked)), 'query', 'queries')} with judgements.",
        f"{len(sides) - test:,} right answers train, {test:,} judge the result, as the set divides them."
        if divided
        else f"{len(sides):,} right answers; the set does not divide them, so queries are held out by chance.",
        "The held-out queries search the whole corpus."
        if len(kept) == len(documents)
        else f"The held-out queries search {len(kept):,} documents of it: all right answers and others drawn by chance.",
    ]
    told += (
        [f"{int((score <= 0).sum()):,} judgements that say 'not relevant' are not used."] if (score <= 0).any() else []
    )
    told += [f"The part {left_out} is not used."] if left_out else []
    return Table(
        name,
        pa.table(columns),
        pa.array(rows[known], pa.int64()),
        Dialect(KIND),
        skipped,
        retrieval=RetrievalSet(corpus, " ".join(told)),
    )


def _table(places: dict[str, Path], name: str) -> Table:
    from studio.data.read import read_table  # which reads sets, too

    try:
        return read_table(places[name], name=PurePosixPath(name).name)
    except DataError as error:
        raise DataError(f"{PurePosixPath(name).name}: {error.message}", hint=error.hint) from error


def _column(table: Table, names: Sequence[str]) -> str | None:
    """The column of the first of these names that there is."""
    plain = {plain_name(column): column for column in reversed(table.columns)}
    return next((plain[name] for name in names if name in plain), None)


def _texts(table: Table, with_title: bool) -> tuple[pa.Array, pa.Array]:
    """Ids and texts; ``with_title``: a title stands before its text."""
    ids = _column(table, IDS) or table.columns[0]
    others = [column for column in table.columns if column != ids and pa.types.is_string(table.data[column].type)]
    if not others:
        raise DataError(f"{table.name} has no column of texts beside '{ids}'.", hint=LAYOUT_HINT)
    text = next((c for c in (_column(table, TEXTS),) if c in others), None)
    text = text or max(others, key=lambda c: pc.mean(pc.utf8_length(table.data[c].slice(0, 1000))).as_py() or 0)
    values = pc.utf8_trim_whitespace(pc.fill_null(table.data[text], ""))
    title = _column(table, ("title",))
    if with_title and title is not None and title != text:
        first = pc.utf8_trim_whitespace(pc.fill_null(table.data[title], ""))
        values = pc.utf8_trim_whitespace(pc.binary_join_element_wise(first, values, " "))
    return _plain(table.data[ids]), _plain(values)


def _apart(table: Table) -> Table:
    """Judgements that are parted by blanks, as TREC's are, were read as one column."""
    if len(table.columns) > 1 or not pa.types.is_string(table.data[0].type):
        return table
    cells = pc.utf8_split_whitespace(table.data[0].combine_chunks())
    widths = pc.unique(pc.list_value_length(cells)).to_pylist()
    if widths not in ([3], [4]):
        return table
    names = [f"column_{i + 1}" for i in range(widths[0])]
    return replace(table, data=pa.table([pc.list_element(cells, i) for i in range(widths[0])], names=names))


def _judgements(table: Table) -> tuple[pa.Array, pa.Array, np.ndarray]:
    """Query ids, document ids, scores (1 where there is none)."""
    columns = table.columns
    trec = len(columns) == 4 and not table.dialect.header  # query, iteration, document, relevance
    query = _column(table, QUERY_IDS) or columns[0]
    document = _column(table, DOCUMENT_IDS) or (columns[2] if trec else columns[1] if len(columns) > 1 else None)
    if document is None or document == query:
        raise DataError(f"{table.name} does not say which document answers which query.", hint=LAYOUT_HINT)
    score = _column(table, SCORES) or next((c for c in columns[2:] if c not in (query, document)), None)
    if trec:
        score = columns[3]
    ids = _plain(table.data[query]), _plain(table.data[document])
    if score is None:
        return *ids, np.ones(len(table.data))
    texts = _plain(table.data[score])
    numeric = pc.fill_null(pc.match_substring_regex(texts, NUMBER), False)
    if not pc.all(numeric).as_py():
        at = pc.index(numeric, False).as_py()
        raise DataError(f"{table.name}, row {table.rows[at].as_py()}: '{score}' is no number.", hint=LAYOUT_HINT)
    return *ids, pc.cast(pc.replace_substring(texts, ",", "."), pa.float64()).to_numpy()


def _plain(column: pa.ChunkedArray | pa.Array) -> pa.Array:
    return column.combine_chunks() if isinstance(column, pa.ChunkedArray) else column


def _sides(part: np.ndarray) -> tuple[np.ndarray, str]:
    """``train`` or ``test`` for every judgement, ``""`` for those that are not used, and the part that is not."""
    there = set(part)
    judges = "test" if "test" in there else "dev"
    if there <= {judges} or judges not in there:
        return np.full(len(part), "train", dtype=object), ""
    idle = "dev" if {"train", "dev", "test"} <= there else ""
    sides = np.where(part == judges, "test", "train").astype(object)
    sides[(part == idle) & (idle != "")] = ""
    return sides, idle


def _some_documents(total: int, needed: np.ndarray) -> np.ndarray:
    """Positions of the documents that are kept: all, or those needed and some by chance."""
    if total <= MAX_CORPUS + len(needed):
        return np.arange(total)
    others = np.setdiff1d(np.arange(total), needed)
    return np.sort(np.concatenate([needed, np.random.default_rng(0).choice(others, MAX_CORPUS, replace=False)]))
