"""Looking things up in the evidence of a run: rows sorted and filtered, one row with all rankings, everything as a table.

Reads a folder that evidence.py has written. No torch.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from studio.errors import NotFound, RunError
from studio.evaluation.doubts import DOUBTS
from studio.evaluation.evidence import Meta, load_meta
from studio.evaluation.slices import spoken

SHOWS = ("all", "better", "worse", "same", "doubt")
"""Rows that went better with the tuned model, worse, as before; rows whose label may be wrong."""
SORTS = ("change", "base", "tuned", "bm25", "length", "row")
MOST_AT_ONCE = 200
TIES = ("margin", "mrr@10", "similarity")
"""What decides between rows of the same change, the first that there is."""
NOT_RECORDED = "Nothing was recorded row by row for this run."


@dataclass(frozen=True)
class Wish:
    """Which rows, in which order."""

    show: str = "all"
    sort: str = "change"
    descending: bool = True
    words: str = ""
    """Only rows that have this in a text (case does not matter)."""
    by: str = ""
    """Only rows of one part: the property (``length``, ``language``, a column) ..."""
    value: str = ""
    """... and its value, as slices.py names it."""
    offset: int = 0
    limit: int = 25


@dataclass(frozen=True)
class Page:
    meta: Meta
    counts: dict[str, int]
    """Of SHOWS: rows of the whole run."""
    total: int
    """Rows that the wish finds."""
    offset: int
    rows: list[dict[str, Any]]


class Evidence:
    """The evidence of one run."""

    def __init__(self, folder: Path):
        """Raises RunError when there is none, as in runs of earlier versions."""
        meta = load_meta(folder)
        if meta is None:
            raise RunError(NOT_RECORDED, hint="Runs of this version record it; train again to see it.")
        self.meta = meta
        self._folder = folder
        self._rows = pq.read_table(folder / "rows.parquet")
        self._change = self._values(f"tuned:{meta.by}") - self._values(f"base:{meta.by}")

    def __len__(self) -> int:
        return len(self._rows)

    @property
    def counts(self) -> dict[str, int]:
        return {show: int(self._mask(show).sum()) for show in SHOWS}

    def page(self, wish: Wish) -> Page:
        """Raises RunError for an order or a part that there is not."""
        places = self.find(wish)
        offset = max(0, min(wish.offset, len(places) - 1))
        some = places[offset : offset + max(1, min(wish.limit, MOST_AT_ONCE))]
        return Page(self.meta, self.counts, len(places), offset, [self._row(int(place)) for place in some])

    def find(self, wish: Wish) -> np.ndarray:
        """Positions of the rows that ``wish`` is about, in its order."""
        if wish.show not in SHOWS or wish.sort not in SORTS or (wish.sort == "bm25" and "bm25" not in self.meta.models):
            raise RunError("Rows cannot be shown in this way.", hint="Load the page again.")
        mask = self._mask(wish.show)
        if wish.words.strip():
            mask &= self._having(wish.words.strip())
        if wish.by:
            mask &= self._part(wish.by, wish.value)
        places = np.flatnonzero(mask)
        key = self._key(wish.sort)[places]
        tie = next((name for name in TIES if f"tuned:{name}" in self._rows.column_names), None)
        second = np.zeros(len(places)) if tie is None or wish.sort != "change" else self._moved(tie)[places]
        sign = -1 if wish.descending else 1
        return places[np.lexsort((places, sign * second, sign * key))]

    def row(self, place: int) -> dict[str, Any]:
        """One row with the hits of each model. Raises NotFound."""
        if not 0 <= place < len(self._rows):
            raise NotFound("There is no such row.", hint="Load the page again.")
        row = self._row(place)
        row["hits"] = self._hits(row["query"]) if row["query"] is not None else {}
        return row

    def table(self, wish: Wish) -> pa.Table:
        """The rows of a wish as a table of plain columns, for a file."""
        rows = self._rows.take(pa.array(self.find(wish)))
        meta, columns = self.meta, {}
        columns["row"] = pc.list_element(rows["numbers"], 0)
        columns["anchor"] = rows["anchor"]
        for name in ("positive", "negative"):
            columns[name] = pa.array([" | ".join(found) for found in rows[name].to_pylist()], pa.string())
        columns["target"] = rows["target"]
        for metric in meta.metrics:
            for model in ("base", "tuned", "bm25"):
                if f"{model}:{metric}" in rows.column_names:
                    columns[f"{model} {metric}"] = rows[f"{model}:{metric}"]
        columns["change"] = pa.array(self._change[self.find(wish)])
        for by in ("length", "language"):
            columns[by] = rows[by]
        columns |= {f"{name} (column)" if name in columns else name: rows[f"in:{name}"] for name in meta.columns}
        columns["doubt"] = pa.array([DOUBTS.get(code, "") for code in rows["doubt"].to_pylist()], pa.string())
        columns["doubt_text"] = rows["doubt_text"]
        return pa.table({name: value for name, value in columns.items() if value.null_count < len(value)})

    def _values(self, name: str) -> np.ndarray:
        return self._rows[name].to_numpy().astype(np.float64)

    def _moved(self, metric: str) -> np.ndarray:
        return np.nan_to_num(self._values(f"tuned:{metric}") - self._values(f"base:{metric}"))

    def _key(self, sort: str) -> np.ndarray:
        if sort == "change":
            return self._change
        if sort == "length":
            return self._values("length")
        if sort == "row":
            return pc.list_element(self._rows["numbers"], 0).to_numpy().astype(np.float64)
        # What the table shows of a row: a triplet's margin, a pair's similarity.
        shown = {"triplet_accuracy": "margin", "agreement": "similarity"}.get(self.meta.by, self.meta.by)
        return self._values(f"{sort}:{shown}" if f"{sort}:{shown}" in self._rows.column_names else f"{sort}:mrr@10")

    def _mask(self, show: str) -> np.ndarray:
        if show == "all":
            return np.ones(len(self._rows), dtype=bool)
        if show == "doubt":
            return pc.not_equal(self._rows["doubt"], "").to_numpy()
        return {"better": self._change > 0, "worse": self._change < 0, "same": self._change == 0}[show]

    def _having(self, words: str) -> np.ndarray:
        wanted = words.lower()
        found = pc.match_substring(pc.utf8_lower(self._rows["anchor"]), wanted).to_numpy().astype(bool)
        for name in ("positive", "negative"):
            for at, texts in enumerate(self._rows[name].to_pylist()):
                found[at] = found[at] or any(wanted in text.lower() for text in texts)
        return found

    def _part(self, by: str, value: str) -> np.ndarray:
        column = by if by in ("length", "language") else f"in:{by}"
        if column not in self._rows.column_names:
            raise RunError(f"This run's rows have no '{by}'.", hint="Load the page again.")
        return np.array(spoken(by, self._rows[column].to_pylist())) == value

    def _row(self, place: int) -> dict[str, Any]:
        row = self._rows.slice(place, 1).to_pylist()[0]
        models = {
            model: {metric: row.get(f"{model}:{metric}") for metric in self.meta.metrics}
            for model in dict.fromkeys(("base", "tuned", *self.meta.models))
        }
        kept = ("numbers", "query", "anchor", "positive", "negative", "right", "target", "length", "language")
        return {
            "at": place,
            **{name: row[name] for name in kept},
            **models,
            "change": float(self._change[place]),
            "ranks": {model: rank(found.get("mrr@10")) for model, found in models.items()},
            "doubt": DOUBTS.get(row["doubt"], ""),
            "doubt_text": row["doubt_text"],
            "columns": {name: row[f"in:{name}"] for name in self.meta.columns},
        }

    def _hits(self, query: int) -> dict[str, list[dict[str, Any]]]:
        found = pq.read_table(self._folder / "hits.parquet", filters=[("query", "=", query)])
        hits: dict[str, list[dict[str, Any]]] = {model: [] for model in self.meta.models}
        for hit in found.select(["model", "rank", "text", "score", "right"]).to_pylist():
            hits[hit.pop("model")].append(hit)
        return hits


def rank(reciprocal: float | None) -> int | None:
    """Rank of the first right text; None: it is not among the first ten, or nothing is searched."""
    return round(1 / reciprocal) if reciprocal else None


def largest(evidence: Evidence, many: int = 10) -> tuple[Sequence[dict[str, Any]], Sequence[dict[str, Any]]]:
    """The rows that gained most by tuning and those that lost most, the largest change first."""
    gained = evidence.page(Wish(show="better", limit=many)).rows
    lost = evidence.page(Wish(show="worse", descending=False, limit=many)).rows
    return gained, lost
