"""Base against tuned on rows that no training saw."""

import numpy as np

from studio.evaluation.intervals import interval
from studio.evaluation.measure import Measurement
from studio.evaluation.result import KeywordResult, LengthResult, MetricResult, OtherResult, Verdict
from studio.evaluation.sentence import (
    COLLAPSED,
    Facts,
    advice,
    keyword_sentence,
    outcome_of,
    verdict_sentence,
)
from studio.evaluation.task import Task

MOST_EXAMPLES = 10
"""Queries that a verdict names in each direction."""


def judge(
    task: Task,
    base: Measurement,
    tuned: Measurement,
    facts: Facts,
    split_note: str,
    others: tuple[OtherResult, ...] = (),
    keyword: Measurement | None = None,
) -> Verdict:
    """Compare two measurements of the same task, and the tuned one with keyword search where it was measured.

    A metric that the rows do not define (all scores alike, one label only) is left out of the verdict's metrics; when
    it is the primary one, the sentence says that nothing can be judged.
    """
    results = _compared(task, base, tuned)
    primary = next((result for result in results if result.id == task.primary), None)
    rows = len(tuned.values.get(task.primary, task.anchors))
    collapsed = task.primary in base.metrics and primary is None
    outcome = "worse" if collapsed else outcome_of(primary, rows)
    return Verdict(
        outcome=outcome,
        sentence=COLLAPSED if collapsed else verdict_sentence(primary, results, rows, task.format),
        advice=advice(facts, outcome, rows, primary),
        primary=task.primary,
        metrics=results,
        heldout_rows=task.rows,
        corpus_size=len(task.retrieval.corpus) if task.retrieval else None,
        split_note=split_note,
        note=task.note,
        others=others,
        keyword=None if keyword is None else _against_keyword(task, keyword, tuned),
        now_right=_changed(task, base, tuned),
        now_wrong=_changed(task, tuned, base),
        lengths=tuple(LengthResult(*one) for one in sorted(tuned.lengths.items(), reverse=True)),
    )


def _compared(task: Task, before: Measurement, after: Measurement) -> tuple[MetricResult, ...]:
    """Every metric that both have, with the interval of the change."""
    return tuple(
        MetricResult(metric, before.metrics[metric], after.metrics[metric], *interval(task, metric, before, after))
        for metric in task.metric_ids
        if metric in before.metrics and metric in after.metrics
    )


def _against_keyword(task: Task, keyword: Measurement, tuned: Measurement) -> KeywordResult | None:
    results = _compared(task, keyword, tuned)
    if not results:
        return None
    return KeywordResult(keyword_sentence(results, len(task.retrieval.queries), task.format), results)


def judge_other(name: str, task: Task, base: Measurement, tuned: Measurement) -> OtherResult | None:
    """The primary metric of a further dataset; None where its rows do not define it."""
    metric = task.primary
    if metric not in base.metrics or metric not in tuned.metrics:
        return None
    result = MetricResult(metric, base.metrics[metric], tuned.metrics[metric], *interval(task, metric, base, tuned))
    return OtherResult(name, result, task.rows)


def _changed(task: Task, before: Measurement, after: Measurement) -> tuple[str, ...]:
    """Queries whose first hit is right ``after`` and was not ``before``; those first that were furthest from it."""
    if task.retrieval is None:
        return ()
    right_before, right_after = before.values["accuracy@1"] > 0, after.values["accuracy@1"] > 0
    changed = np.flatnonzero(right_after & ~right_before)
    furthest = changed[np.argsort(before.values["mrr@10"][changed], kind="stable")]
    return tuple(task.retrieval.queries[i] for i in furthest[:MOST_EXAMPLES])
