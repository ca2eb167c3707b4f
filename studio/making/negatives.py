"""Hard negatives: texts that a model takes for answers and that are none. Pairs or triplets in, triplets out.

``sentence_transformers.util.mine_hard_negatives`` chooses; this module hands it vectors that are kept on disk, portions of
anchors that fit into memory, and what it cannot know: which texts are the same but for case and white space, and which are
linked to the anchor through another row.
"""

import random
import shutil
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import torch
from datasets import Dataset
from scipy.sparse import coo_matrix, csr_matrix
from sentence_transformers.util import mine_hard_negatives

from studio.data.dataset import load_corpus, load_extra, load_info, load_rows
from studio.data.prepare import MAX_NEGATIVES, PART
from studio.data.rows import count, plain_text, text_columns
from studio.data.version import write_version
from studio.errors import DataError
from studio.making.embed import embed
from studio.making.kinds import Report
from studio.making.maker import Stopped
from studio.making.mining import Mining, make_mining
from studio.making.suspects import doubtful_negatives, write_review
from studio.search.warm import load
from studio.training.bases import resolve_base
from studio.training.estimate import row_lengths

FORMATS = ("pair", "triplet")
SCORES_AT_ONCE = 50_000_000
"""Similarities held in memory at a time."""
MOST_ANCHORS, FEWEST_ANCHORS = 4096, 64
"""Anchors a portion: between two looks at Stop."""
MANY = 200
"""A text with more counterparts than this is an answer to many questions; it does not make them answers to each other."""


@dataclass(frozen=True)
class Mined:
    """Rows with their new negatives, and what it came to."""

    data: pa.Table
    positions: np.ndarray
    """Where each of the rows stands in the table that was given, ascending."""
    columns: tuple[str, ...]
    """The columns of ``data`` that are new."""
    to_anchor: np.ndarray
    """(rows, new columns) cosine of each new negative with the anchor."""
    to_positive: np.ndarray
    """The same with the positive."""
    positive: np.ndarray
    """(rows,) cosine of anchor and positive."""
    without: int
    """Rows of the table that no text passed for."""
    too_few: int
    """Rows that some passed for, but fewer than were wanted."""


def make(folder: Path, task: dict[str, Any], report: Report, stopped: Callable[[], bool]) -> dict[str, Any]:
    """A making: the dataset in ``source`` with mined negatives becomes ``dataset``; ``review.parquet`` lists the doubtful ones.

    ``task``: ``settings`` (see mining.py; ``base_model`` may be a folder in this one), ``name`` of the new dataset, ``parent``,
    the id of the one in ``source``, and ``base_label``, the model for people. A retrieval set's own corpus gives candidates too, and so does the column ``text`` of
    ``corpus``, a Parquet file in the folder.
    """
    config = make_mining(task["settings"])
    info, data = load_info(folder / "source"), load_rows(folder / "source")
    name = str(folder / config.base_model) if (folder / config.base_model).exists() else config.base_model
    label = task.get("base_label") or resolve_base(name).label
    own = load_corpus(folder / "source")
    corpus = [] if own is None else own.to_pylist()
    if task.get("corpus"):
        corpus += pq.read_table(folder / task["corpus"])["text"].to_pylist()
    mined = mine(folder / "vectors", data, info.format, corpus, name, config, report, stopped)
    report(1, 1, "checking the new rows")
    roles = {role: column for role, column in info.roles.items() if not role.startswith("negative")}
    of_file = [column for role, column in info.roles.items() if role.startswith("negative")]
    names = [column for column in mined.data.column_names if column.startswith("negative")]
    roles |= dict(zip(names, [*of_file, *(f"mined with {label}" for _ in mined.columns)], strict=True))
    left_out = len(data) - len(mined.data)
    many = count(len(mined.columns), "hard negative", "hard negatives")
    why = f"; {count(left_out)} left out: no text passed as negative" if left_out else ""
    made = write_version(
        info, mined.data, folder / "dataset", done=f"{many} a row, mined with {label}{why}", after="mining", name=task["name"],
        measure=row_lengths, parent=task.get("parent", ""), corpus=own, extra=load_extra(folder / "source"), format="triplet", roles=roles, mined_with=label,
    )  # fmt: skip
    doubtful = doubtful_negatives(mined.data, mined.columns, mined.to_anchor, mined.to_positive, mined.positive)
    write_review(folder / "review.parquet", mined.data, doubtful)
    shutil.rmtree(folder / "vectors", ignore_errors=True)
    return {
        "message": summary(mined, len(data), many),
        "rows": made.rows,
        "left_out": left_out,
        "without": mined.without,
        "too_few": mined.too_few,
        "columns": list(mined.columns),
        "similarity_of_positives": round(float(mined.positive.mean()), 4),
        "similarity_of_negatives": round(float(mined.to_anchor.mean()), 4),
        "review": len(doubtful),
    }


def summary(mined: Mined, rows: int, many: str) -> str:
    """What came of it, in sentences."""
    left_out = rows - len(mined.data)
    parts = [f"{len(mined.data):,} of {rows:,} rows have {many} now."]
    if mined.without:
        parts.append(f"For {count(mined.without)} no text passed the guards.")
    if mined.too_few:
        what = "was left out" if left_out > mined.without else "repeats what it has"
        if mined.too_few > 1:
            what = what.replace("was", "were").replace("repeats what it has", "repeat what they have")
        parts.append(f"{count(mined.too_few, 'row', 'rows')} had too few and {what}.")
    return " ".join(parts)


def mine(
    folder: Path,
    data: pa.Table,
    format: str,
    corpus: Sequence[str],
    name: str,
    config: Mining,
    report: Report,
    stopped: Callable[[], bool],
) -> Mined:
    """Choose ``config.num_negatives`` negatives for each row of a pair or triplet dataset.

    Candidates are the positives and negatives of all rows, and ``corpus``. None of these becomes a negative of a row: a
    positive of the same anchor, a negative that the row has already, the anchor itself, a text that is linked to the
    anchor through one other text (its duplicate's duplicate); case and white space do not count. Negatives that rows
    have stay and come first.

    Args:
        folder: Vectors are kept there, for a second try.
        name: Base model: id of the catalogue, folder or hub name.

    Raises:
        DataError: a format without positives, too many negatives, or no row that any text passes for.
        ModelError: the model cannot be had.
        Stopped: ``stopped`` said so.
    """
    if format not in FORMATS:
        raise DataError(
            "Negatives can be mined for pairs and triplets only.",
            hint="Choose a dataset with an anchor and a positive a row.",
        )
    old = [column for column in text_columns(data) if column.startswith("negative")]
    if len(old) + config.num_negatives > MAX_NEGATIVES:
        raise DataError(
            f"The rows have {len(old)} negatives already; more than {MAX_NEGATIVES} a row cannot be used.",
            hint="Mine fewer.",
        )
    texts = _Texts(data, corpus, old)
    model = load(name)
    total = len(texts.anchors) + len(texts.candidates)

    def reading(before: int, words: str) -> Callable[[int, int], None]:
        return lambda done, _: report(before + done, total, words)

    spell = partial(embed, name=name, model=model, stopped=stopped)
    anchors = spell(folder / "anchors", texts.of(texts.anchors), query=True, progress=reading(0, "reading the anchors"))
    candidates = spell(
        folder / "candidates", texts.of(texts.candidates), query=False,
        progress=reading(len(texts.anchors), "reading the candidates"),
    )  # fmt: skip
    found = _choose(texts, anchors, candidates, config, report, stopped)
    return _fill(data, old, texts, found, anchors, candidates, config)


class _Texts:
    """Texts as numbers: those that differ only in case or white space have the same, and are spelt as the first of them."""

    def __init__(self, data: pa.Table, corpus: Sequence[str], old: list[str]):
        self._numbers: dict[str, int] = {}
        self._spelling: list[str] = []
        self.anchor, self.positive = self._encode(data["anchor"]), self._encode(data["positive"])
        """(rows,) number of each row's text."""
        self.old = [self._encode(data[column]) for column in old]
        others = self._encode(
            pa.chunked_array([pa.array([text for text in corpus if text and text.strip()], pa.string())])
        )
        self.anchors = np.unique(self.anchor)
        """Numbers of the distinct anchors, ascending."""
        self.candidates = np.unique(np.concatenate([self.positive, *self.old, others]))
        """Numbers of the texts that may become negatives, ascending."""

    def of(self, numbers: np.ndarray) -> list[str]:
        return [self._spelling[number] for number in numbers]

    @property
    def total(self) -> int:
        return len(self._spelling)

    def forbidden(self) -> csr_matrix:
        """(anchors, candidates) true where the candidate is the anchor, a negative of it already, or linked through a text.

        Positives are not among them: the library looks after those, and takes its margin from them.
        """
        rows, total = len(self.anchor), self.total
        link = coo_matrix((np.ones(rows, np.int32), (self.anchor, self.positive)), shape=(total, total)).tocsr()
        link = ((link + link.T) > 0).astype(np.int32)
        middle = link[:, self.candidates]
        many = np.diff(middle.indptr) > MANY
        middle = csr_matrix(coo_matrix(middle).multiply(~many[:, None]))
        through = link[self.anchors] @ middle
        pairs = [through.nonzero()]
        anchor = np.searchsorted(self.anchors, self.anchor)
        for texts in self.old:
            pairs.append((anchor, np.searchsorted(self.candidates, texts)))
        itself = np.flatnonzero(np.isin(self.anchors, self.candidates))
        pairs.append((itself, np.searchsorted(self.candidates, self.anchors[itself])))
        at, of = (np.concatenate([pair[side] for pair in pairs]) for side in (0, 1))
        return csr_matrix((np.ones(len(at), bool), (at, of)), shape=(len(self.anchors), len(self.candidates)))

    def _encode(self, column: pa.ChunkedArray) -> np.ndarray:
        coded = column.combine_chunks().dictionary_encode()
        known = np.empty(len(coded.dictionary), dtype=np.int64)
        for place, text in enumerate(coded.dictionary.to_pylist()):
            number = known[place] = self._numbers.setdefault(plain_text(text), len(self._spelling))
            if number == len(self._spelling):
                self._spelling.append(text)
        return known[coded.indices.to_numpy(zero_copy_only=False)] if len(known) else known


@dataclass(frozen=True)
class _Found:
    """Negatives of each distinct anchor."""

    candidate: np.ndarray
    """(anchors, negatives) places among the candidates, best first; -1: none."""
    cosine: np.ndarray
    """The same: cosine with the anchor."""


def _choose(
    texts: _Texts,
    anchors: np.ndarray,
    candidates: np.ndarray,
    config: Mining,
    report: Report,
    stopped: Callable[[], bool],
) -> _Found:
    """Ask the library, a portion of anchors at a time."""
    spelt = texts.of(texts.candidates)
    place = {text: position for position, text in enumerate(spelt)}
    forbidden = texts.forbidden()
    anchor = np.searchsorted(texts.anchors, texts.anchor)
    positive = np.searchsorted(texts.candidates, texts.positive)
    pairs = np.unique(np.column_stack([anchor, positive]), axis=0)
    begins = np.searchsorted(pairs[:, 0], np.arange(len(texts.anchors) + 1))
    looked_at = config.range_max + int(np.diff(begins).max())
    portion = max(FEWEST_ANCHORS, min(MOST_ANCHORS, SCORES_AT_ONCE // max(len(spelt), looked_at)))
    device = "cuda" if torch.cuda.is_available() else "cpu"
    documents = torch.tensor(candidates).to(device)
    shape = (len(texts.anchors), config.num_negatives)
    found = _Found(np.full(shape, -1, np.int64), np.full(shape, np.nan, np.float32))
    for start in range(0, len(texts.anchors), portion):
        if stopped():
            raise Stopped
        end = min(start + portion, len(texts.anchors))
        report(start, len(texts.anchors), "choosing negatives")
        mine = pairs[begins[start] : begins[end]]
        # Numbers stand for the anchors' texts: the library tells them apart and hands them back, nothing more.
        rows = {"anchor": [str(a) for a in mine[:, 0]], "positive": [spelt[p] for p in mine[:, 1]]}
        random.seed(config.seed + start)
        chosen = mine_hard_negatives(
            Dataset.from_dict(rows),
            _Vectors(torch.tensor(anchors[start:end]).to(device), documents, forbidden[start:end]),
            corpus=spelt,
            range_min=config.range_min,
            range_max=config.range_max,
            max_score=config.max_score,
            min_score=config.min_score,
            absolute_margin=config.absolute_margin,
            relative_margin=config.relative_margin,
            num_negatives=config.num_negatives,
            sampling_strategy=config.sampling_strategy,
            output_format="triplet",
            output_scores=True,
            faiss_batch_size=portion,
            verbose=False,
        )
        filled = np.zeros(end - start, np.int64)
        last = -1
        for row in chosen:
            at = int(row["anchor"])
            # Negatives belong to the anchor, not to the row: they come once for each of its positives.
            if at != last:
                last, of = at, row["positive"]
            if row["positive"] != of:
                continue
            found.candidate[at, filled[at - start]] = place[row["negative"]]
            found.cosine[at, filled[at - start]] = row["scores"][1]
            filled[at - start] += 1
    return found


class _Vectors:
    """A model for the library to ask, which has read all texts already."""

    def __init__(self, anchors: torch.Tensor, candidates: torch.Tensor, forbidden: csr_matrix):
        self._anchors = anchors
        self._candidates = candidates
        self._forbidden = forbidden.tocoo()
        self.device = candidates.device

    def encode_query(self, texts: list[str], **_: Any) -> torch.Tensor:
        assert len(texts) == len(self._anchors)
        return self._anchors

    def encode_document(self, texts: list[str], **_: Any) -> torch.Tensor:
        assert len(texts) == len(self._candidates)
        return self._candidates

    def similarity(self, anchors: torch.Tensor, candidates: torch.Tensor) -> torch.Tensor:
        """(anchors, candidates) cosines; what must not become a negative is infinitely far away."""
        assert len(anchors) == len(self._anchors)
        scores = anchors @ candidates.T
        row, column = (torch.from_numpy(np.asarray(a, dtype=np.int64)).to(self.device) for a in self._forbidden.coords)
        scores[row, column] = -torch.inf
        return scores

    def similarity_pairwise(self, anchors: torch.Tensor, positives: torch.Tensor) -> torch.Tensor:
        return (anchors * positives).sum(dim=1)


def _fill(
    data: pa.Table,
    old: list[str],
    texts: _Texts,
    found: _Found,
    anchors: np.ndarray,
    candidates: np.ndarray,
    config: Mining,
) -> Mined:
    """The rows that have enough, with their negatives."""
    anchor = np.searchsorted(texts.anchors, texts.anchor)
    have = (found.candidate >= 0).sum(axis=1)[anchor]
    too_few = (have > 0) & (have < config.num_negatives)
    keep = np.flatnonzero(have == config.num_negatives if config.incomplete == "leave_out" else have > 0)
    if not len(keep):
        raise DataError(
            "For no row enough texts passed as negatives.",
            hint="Take a smaller margin, look at more of the nearest texts, or add a corpus to choose from.",
        )
    # A row with too few begins again with its first.
    which = np.arange(config.num_negatives)[None, :] % have[keep][:, None]
    chosen = np.take_along_axis(found.candidate[anchor[keep]], which, axis=1)
    cosine = np.take_along_axis(found.cosine[anchor[keep]], which, axis=1)
    positive = candidates[np.searchsorted(texts.candidates, texts.positive[keep])]
    names = _names(len(old) + config.num_negatives)
    rows = data.take(keep)
    columns = {"anchor": rows["anchor"], "positive": rows["positive"]}
    columns |= {name: rows[column] for name, column in zip(names, old, strict=False)}
    for position, name in enumerate(names[len(old) :]):
        columns[name] = pa.array(texts.of(texts.candidates[chosen[:, position]]), pa.string())
    columns |= {name: rows[name] for name in (PART, "row") if name in rows.column_names}
    return Mined(
        pa.table(columns).combine_chunks(),
        keep,
        tuple(names[len(old) :]),
        cosine.astype(np.float64),
        np.column_stack([np.einsum("ij,ij->i", positive, candidates[c]) for c in chosen.T]),
        np.einsum("ij,ij->i", anchors[anchor[keep]], positive),
        int((have == 0).sum()),
        int(too_few.sum()),
    )


def _names(negatives: int) -> list[str]:
    return ["negative"] if negatives == 1 else [f"negative_{i}" for i in range(1, negatives + 1)]
