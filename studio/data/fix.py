"""One-click fixes: what a finding complains about is mended in a copy of the dataset; the original stays."""

import re
import textwrap
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from studio.catalog.findings import FIX_KIND
from studio.catalog.models import DEFAULT_MODEL, MODEL
from studio.data.check import PAIRS_ONLY, Measure
from studio.data.classes import alone_in_class, several_classes, without_most_of_the_largest
from studio.data.dataset import DatasetInfo, load_corpus, load_extra, load_info, load_rows
from studio.data.findings import BROKEN, LONG_CHARACTERS, contradictions, pair_numbers, same_text, too_short
from studio.data.language import unknown
from studio.data.near import near_duplicates
from studio.data.personal import mask_personal_data, personal_data
from studio.data.rows import count, plain_mask, text_columns
from studio.data.version import write_version
from studio.data.wording import common_beginning
from studio.errors import DataError

PASSAGE = 1_000
"""Characters of a passage at most: some 200 words, which models read whole."""
BALANCE, SEED = 4, 42


class NothingToMend(DataError):
    """A fix that would change nothing."""


def _dropping(mask: Callable[[pa.Table], np.ndarray]) -> Callable[[pa.Table], pa.Table]:
    return lambda data: data.filter(pa.array(~mask(data)))


def _equal_to_a_negative(data: pa.Table, role: str) -> np.ndarray:
    found = np.zeros(len(data), dtype=bool)
    for name in text_columns(data)[2:]:
        found |= same_text(data, role, name)
    return found


def _in_any_text(data: pa.Table, look: Callable[[pa.ChunkedArray], np.ndarray]) -> np.ndarray:
    return np.logical_or.reduce([look(data[name]) for name in text_columns(data)])


def _mean_scores(data: pa.Table) -> pa.Table:
    """The first row of each contradictory pair of texts stays, with the mean of the scores."""
    wrong = np.flatnonzero(contradictions(data))
    pair = pair_numbers(data)[wrong]
    scores = data["score"].to_numpy().copy()
    _, first, inverse = np.unique(pair, return_index=True, return_inverse=True)
    scores[wrong[first]] = np.bincount(inverse, weights=scores[wrong]) / np.bincount(inverse)
    keep = np.ones(len(data), dtype=bool)
    keep[np.setdiff1d(wrong, wrong[first])] = False
    return data.set_column(data.column_names.index("score"), "score", pa.array(scores)).filter(pa.array(keep))


def _without_beginnings(data: pa.Table) -> pa.Table:
    for name in text_columns(data):
        prefix = common_beginning(data[name])
        if prefix:
            rest = pc.utf8_trim_whitespace(pc.utf8_slice_codeunits(data[name], len(prefix)))
            begins = pc.and_(pc.starts_with(data[name], prefix), pc.not_equal(rest, ""))
            data = data.set_column(data.column_names.index(name), name, pc.if_else(begins, rest, data[name]))
    return data


def _swapped(data: pa.Table) -> pa.Table:
    names = {"anchor": "positive", "positive": "anchor"}
    return pa.table({name: data[names.get(name, name)] for name in data.column_names})


def _masked(data: pa.Table) -> pa.Table:
    return _with_texts(data, mask_personal_data)


def _mended(data: pa.Table) -> pa.Table:
    """Text that was decoded wrongly once is decoded rightly; what is lost (\ufffd) stays."""
    import ftfy

    def mend(texts: pa.ChunkedArray) -> pa.ChunkedArray:
        broken = _broken(texts)
        found = texts.filter(pa.array(broken)).combine_chunks()
        mended = pa.array([ftfy.fix_encoding(text) for text in found.to_pylist()], pa.string())
        better = pc.less(pc.count_substring_regex(mended, BROKEN), pc.count_substring_regex(found, BROKEN))
        return pc.replace_with_mask(texts.combine_chunks(), pa.array(broken), pc.if_else(better, mended, found))

    return _with_texts(data, mend)


def _with_texts(data: pa.Table, change: Callable[[pa.ChunkedArray], pa.ChunkedArray]) -> pa.Table:
    return pa.table(
        {name: change(data[name]) if name in text_columns(data) else data[name] for name in data.column_names}
    )


def _broken(texts: pa.ChunkedArray) -> np.ndarray:
    return plain_mask(pc.match_substring_regex(texts, BROKEN))


def _too_long(texts: pa.ChunkedArray) -> np.ndarray:
    return plain_mask(pc.greater(pc.utf8_length(texts), LONG_CHARACTERS))


def _in_passages(data: pa.Table) -> pa.Table:
    """Each long positive becomes passages, each in a row of its own beside the same anchor."""
    long = _too_long(data["positive"])
    parts = [passages(text) if cut else [text] for text, cut in zip(data["positive"].to_pylist(), long, strict=True)]
    rows = data.take(pa.array(np.repeat(np.arange(len(data)), [len(found) for found in parts])))
    texts = pa.array([text for found in parts for text in found], pa.string())
    return rows.set_column(rows.column_names.index("positive"), "positive", texts)


def passages(text: str, longest: int = PASSAGE) -> list[str]:
    """``text`` in pieces of at most ``longest`` characters: cut behind sentences, else between words, at last anywhere."""
    found = [""]
    for sentence in re.split(r"(?<=[.!?。！？])\s+|\n+", text):
        for piece in [sentence] if len(sentence) <= longest else textwrap.wrap(sentence, longest):
            if found[-1] and len(found[-1]) + 1 + len(piece) > longest:
                found.append("")
            found[-1] = f"{found[-1]} {piece}".strip()
    return [piece for piece in found if piece]


def _balanced(data: pa.Table) -> pa.Table:
    """At most four rows of the common label for each of the rare one, drawn by chance."""
    labels = data["label"].to_numpy()
    rare = int(labels.mean() < 0.5)
    common = np.flatnonzero(labels != rare)
    wanted = BALANCE * (len(labels) - len(common))
    if len(common) <= wanted:
        return data
    kept = np.random.default_rng(SEED).choice(common, wanted, replace=False)
    return data.take(pa.array(np.sort(np.concatenate([np.flatnonzero(labels == rare), kept]))))


APPLY: dict[str, Callable[[pa.Table], pa.Table]] = {
    "near_duplicates": _dropping(near_duplicates),
    "anchor_equals_positive": _dropping(lambda data: same_text(data, "anchor", "positive")),
    "positive_equals_negative": _dropping(lambda data: _equal_to_a_negative(data, "positive")),
    "anchor_equals_negative": _dropping(lambda data: _equal_to_a_negative(data, "anchor")),
    "swapped_columns": _swapped,
    "personal_data:mask": _masked,
    "personal_data": _dropping(lambda data: np.logical_or.reduce(list(personal_data(data).values()))),
    "very_short_texts": _dropping(lambda data: _in_any_text(data, too_short)),
    "very_long_texts:passages": _in_passages,
    "very_long_texts": _dropping(lambda data: _in_any_text(data, _too_long)),
    "broken_characters:mend": _mended,
    "broken_characters": _dropping(lambda data: _in_any_text(data, _broken)),
    "same_beginning": _without_beginnings,
    "unknown_language": _dropping(lambda data: unknown(data, MODEL[DEFAULT_MODEL].languages)),
    "contradictory_scores": _mean_scores,
    "unbalanced_labels": _balanced,
    "contradictory_labels": _dropping(contradictions),
    "contradictory_classes": _dropping(several_classes),
    "rare_classes": _dropping(alone_in_class),
    "unbalanced_classes": lambda data: without_most_of_the_largest(data, SEED),
}
"""Id of a fix -> rows of a dataset to the mended rows; gives back equal rows where there is nothing to mend."""

NEEDS = {
    "contradictory_labels": "label",
    "unbalanced_labels": "label",
    "contradictory_scores": "score",
    "anchor_equals_positive": "positive",
    "positive_equals_negative": "positive",
    "anchor_equals_negative": "positive",
    "contradictory_classes": "class",
    "rare_classes": "class",
    "unbalanced_classes": "class",
}
"""Column that a fix cannot do without."""


def fix_rows(data: pa.Table, format: str, id: str) -> tuple[pa.Table, str]:
    """The mended rows of a dataset (columns as dataset.py says) and what was done.

    Raises:
        DataError: no such fix, not one for this format, or nothing to mend.
    """
    fix = FIX_KIND.get(id)
    if fix is None:
        raise DataError(f"There is no fix '{id}'.", hint=f"Fixes are: {', '.join(FIX_KIND)}.")
    needed = {NEEDS.get(id, "row"), *(("text",) if NEEDS.get(id) == "class" else ())}
    if not needed <= set(data.column_names) or (id in PAIRS_ONLY and format != "pair"):
        raise DataError(f"'{fix.label}' does not fit this dataset.", hint="Choose a fix that its findings offer.")
    fixed = APPLY[id](data)
    changed = _changed(data, fixed)
    if not changed:
        raise NothingToMend(
            f"'{fix.label}' would change nothing.", hint="The dataset is as it should be in this respect."
        )
    if not len(fixed):
        raise DataError(f"'{fix.label}' would leave no row.", hint="Choose other columns, or complete the table.")
    return fixed.combine_chunks(), fix.done.format(rows=count(changed))


def fix_all(data: pa.Table, format: str, ids: Sequence[str]) -> tuple[pa.Table, tuple[str, ...]]:
    """Several fixes, one after the other, and what each did. One that has nothing left to mend is passed over.

    Raises:
        DataError: as :func:`fix_rows`; nothing to mend only when that is so for all.
    """
    done, nothing = [], None
    for id in dict.fromkeys(ids):
        try:
            data, said = fix_rows(data, format, id)
            done.append(said)
        except NothingToMend as error:
            nothing = error
    if not done:
        raise nothing or DataError("No fix was chosen.", hint=f"Fixes are: {', '.join(FIX_KIND)}.")
    return data, tuple(done)


def apply_fixes(
    source: Path,
    target: Path,
    ids: Sequence[str],
    name: str | None = None,
    measure: Measure | None = None,
    parent: str = "",
) -> DatasetInfo:
    """Write a mended copy of the dataset in ``source`` into ``target``; its history says what was done.

    ``parent``: id of the dataset in ``source``, where it has one.

    Raises:
        DataError: as :func:`fix_all`, or when the rest cannot be trained on; nothing is written then.
    """
    info = load_info(source)
    data, done = fix_all(load_rows(source), info.format, ids)
    roles = info.roles
    if "swapped_columns" in ids:
        roles = {**roles, "anchor": roles["positive"], "positive": roles["anchor"]}
    after = " and ".join(f"'{FIX_KIND[id].label}'" for id in dict.fromkeys(ids))
    return write_version(
        info,
        data,
        target,
        done="; ".join(done),
        after=after,
        name=name or "",
        measure=measure,
        roles=roles,
        parent=parent,
        corpus=load_corpus(source),
        extra=load_extra(source),
    )


def _changed(data: pa.Table, fixed: pa.Table) -> int:
    """Rows that went; where none did, rows that became several; else rows in which any text differs."""
    if len(fixed) < len(data):
        return len(data) - len(fixed)
    if len(fixed) > len(data):
        before, after = (np.unique(table["row"].to_numpy(), return_counts=True)[1] for table in (data, fixed))
        return int((after > before).sum())
    same = [plain_mask(pc.equal(data[name], fixed[name])) for name in text_columns(data)]
    return int((~np.logical_and.reduce(same)).sum())
