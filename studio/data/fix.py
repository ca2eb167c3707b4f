"""One-click fixes: what a finding complains about is mended in a copy of the dataset; the original stays."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from studio.data.check import Measure, check, sort_findings
from studio.data.classes import alone_in_class, several_classes
from studio.data.dataset import DatasetInfo, load_corpus, load_info, load_rows, save_dataset
from studio.data.findings import BROKEN, contradictions, pair_numbers, same_text, too_short
from studio.data.near import near_duplicates
from studio.data.personal import personal_data
from studio.data.prepare import Prepared
from studio.data.rows import count, plain_mask, text_columns
from studio.data.table import Finding
from studio.data.wording import common_beginning
from studio.errors import DataError

IMPORTED = (
    "retrieval_set", "skipped_rows", "cut_off", "repaired_rows", "one_of_several_tables", "empty_text", "missing_score", "missing_label", "duplicate_rows",
    "missing_class", "neutral_labels", "unpaired_labels", "labels_read_as", "done_to_rows",
)  # fmt: skip
"""Findings about how the file became a dataset: true of every version of it."""


@dataclass(frozen=True)
class Fix:
    code: str
    """Of the finding that it is for."""
    label: str
    """What a button says."""
    done: str
    """What the history says, with ``{rows}`` for the rows that changed or went."""
    apply: Callable[[pa.Table], pa.Table]
    """Rows of a dataset to the mended rows; gives back equal rows where there is nothing to mend."""


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


FIXES = (
    Fix("near_duplicates", "Leave out near duplicates", "{rows} left out: near duplicates", _dropping(near_duplicates)),
    Fix(
        "anchor_equals_positive",
        "Leave out rows whose texts are equal",
        "{rows} left out: anchor and positive were equal",
        _dropping(lambda data: same_text(data, "anchor", "positive")),
    ),
    Fix(
        "positive_equals_negative",
        "Leave out rows whose negative is the positive",
        "{rows} left out: positive and negative were equal",
        _dropping(lambda data: _equal_to_a_negative(data, "positive")),
    ),
    Fix(
        "anchor_equals_negative",
        "Leave out rows whose negative is the anchor",
        "{rows} left out: anchor and negative were equal",
        _dropping(lambda data: _equal_to_a_negative(data, "anchor")),
    ),
    Fix(
        "contradictory_labels",
        "Leave out contradictory rows",
        "{rows} left out: their labels contradicted each other",
        _dropping(contradictions),
    ),
    Fix(
        "contradictory_scores",
        "Take the mean of contradictory scores",
        "{rows} left out: contradictory scores became their mean in one row",
        _mean_scores,
    ),
    Fix(
        "very_short_texts",
        "Leave out very short texts",
        "{rows} left out: very short texts",
        _dropping(lambda data: _in_any_text(data, too_short)),
    ),
    Fix(
        "broken_characters",
        "Leave out broken texts",
        "{rows} left out: broken characters",
        _dropping(lambda data: _in_any_text(data, lambda texts: plain_mask(pc.match_substring_regex(texts, BROKEN)))),
    ),
    Fix(
        "personal_data",
        "Leave out rows with personal data",
        "{rows} left out: personal data",
        _dropping(lambda data: np.logical_or.reduce(list(personal_data(data).values()))),
    ),
    Fix(
        "same_beginning",
        "Take the common beginning away",
        "{rows} changed: the beginning that all had was taken away",
        _without_beginnings,
    ),
    Fix("swapped_columns", "Swap anchor and positive", "{rows} changed: anchor and positive were swapped", _swapped),
    Fix(
        "contradictory_classes",
        "Leave out texts of several classes",
        "{rows} left out: their text stood under several classes",
        _dropping(several_classes),
    ),
    Fix(
        "rare_classes",
        "Leave out classes with one row",
        "{rows} left out: the only ones of their class",
        _dropping(alone_in_class),
    ),
)

FIX = {fix.code: fix for fix in FIXES}
NEEDS = {
    "anchor_equals_positive": "positive",
    "positive_equals_negative": "positive",
    "anchor_equals_negative": "positive",
    "contradictory_labels": "label",
    "contradictory_scores": "score",
    "contradictory_classes": "class",
    "rare_classes": "class",
}
"""Code of a fix -> the column that a dataset must have for it; what is not named fits every dataset."""


def fixes_for(findings: Iterable[Finding]) -> tuple[Fix, ...]:
    """The fixes that there are for these findings, in their order, each once."""
    return tuple(FIX[code] for code in dict.fromkeys(finding.code for finding in findings) if code in FIX)


def fix_rows(data: pa.Table, format: str, code: str) -> tuple[pa.Table, str]:
    """The mended rows of a dataset (columns as dataset.py says) and what was done.

    Raises:
        DataError: no such fix, not one for this format, or nothing to mend.
    """
    fix = FIX.get(code)
    if fix is None:
        raise DataError(f"There is no fix '{code}'.", hint=f"Fixes are: {', '.join(FIX)}.")
    needed = NEEDS.get(code)
    if (needed and needed not in data.column_names) or (code == "swapped_columns" and format != "pair"):
        raise DataError(f"'{fix.label}' does not fit this dataset.", hint="Choose a fix that its findings offer.")
    fixed = fix.apply(data)
    changed = len(data) - len(fixed) or _changed(data, fixed)
    if not changed:
        raise DataError(f"'{fix.label}' would change nothing.", hint="The dataset is as it should be in this respect.")
    if not len(fixed):
        raise DataError(f"'{fix.label}' would leave no row.", hint="Choose other columns, or complete the table.")
    return fixed.combine_chunks(), fix.done.format(rows=count(changed))


def apply_fix(
    source: Path, target: Path, code: str, name: str | None = None, measure: Measure | None = None
) -> DatasetInfo:
    """Write a mended copy of the dataset in ``source`` into ``target``; its history says what was done.

    Raises:
        DataError: as :func:`fix_rows`, or when the rest cannot be trained on; nothing is written then.
    """
    info = load_info(source)
    data, done = fix_rows(load_rows(source), info.format, code)
    found = check(Prepared(data, info.format, {}, info.score_scale), None, measure(data) if measure else None)
    problem = next((finding for finding in found if finding.severity == "error"), None)
    if problem:
        raise DataError(f"After '{FIX[code].label}': {problem.message}")
    roles = info.roles
    if code == "swapped_columns":
        roles = {**roles, "anchor": roles["positive"], "positive": roles["anchor"]}
    kept = tuple(finding for finding in info.findings if finding.code in IMPORTED)
    fixed = replace(
        info,
        name=name or info.name,
        rows=len(data),
        roles=roles,
        findings=sort_findings((*found, *kept)),
        history=(*info.history, done),
    )
    save_dataset(target, data, fixed, load_corpus(source))
    return fixed


def _changed(data: pa.Table, fixed: pa.Table) -> int:
    """Rows in which any text differs."""
    same = [plain_mask(pc.equal(data[name], fixed[name])) for name in text_columns(data)]
    return int((~np.logical_and.reduce(same)).sum())
