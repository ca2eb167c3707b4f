"""The verdict in plain words. No torch."""

import math
from dataclasses import dataclass

from studio.catalog.findings import KIND
from studio.catalog.losses import LOSS
from studio.catalog.metrics import METRIC
from studio.data.split import MAX_HELDOUT
from studio.evaluation.result import MetricResult

LEAST_ROWS = 10
"""With fewer, even a change in all rows may be chance."""
SEEN_AGAIN = 2.0
"""Rows for which an interval of this difference would just not reach zero, times this: then it is found four times of five
and not only every second time. Source: (1.96 + 0.84)² / 1.96²."""
MOST_ROWS = MAX_HELDOUT
"""More held-out rows than a verdict takes are not asked for."""
NICE = (1, 1.5, 2, 3, 4, 5, 6, 8, 10)
NARROW = 0.02
"""An interval within so much of zero says that nothing has changed, and not that nothing could be seen."""
HARDLY_BETTER = 0.98
"""Value of the base model from which on there is little to gain."""
FEW_TRAINED = 300
SMALL_BATCH = 16
RISEN = 1.05
"""Held-out loss at the end over its lowest value, from which on training went on for too long."""
SAYINGS = {
    "accuracy@1": "Finds the right text first for {tuned} of 100 questions, was {base}",
    "triplet_accuracy": "Finds the positive closer than the negative in {tuned} of 100 rows, was {base}",
    "ndcg@10": "Right texts stand at nDCG@10 {tuned}, was {base}",
    "spearman": "Ranks pairs as the scores do with a Spearman of {tuned}, was {base}",
    "average_precision": "Separates pairs that belong together with an average precision of {tuned}, was {base}",
}
SAYINGS_OF = {
    ("classed_text", "accuracy@1"): "Finds a text of the same class first for {tuned} of 100 texts, was {base}",
    ("classed_text", "ndcg@10"): "Texts of the same class stand at nDCG@10 {tuned}, was {base}",
    ("texts", "accuracy@1"): "Finds the other half of a text first for {tuned} of 100 texts, was {base}",
    ("texts", "ndcg@10"): "The other half of a text stands at nDCG@10 {tuned}, was {base}",
}
"""(format, metric) -> what to say there instead."""
COLLAPSED = "It got worse: keep the base model. The tuned model finds every pair equally similar."
OF_100 = ("accuracy@1", "triplet_accuracy")


@dataclass(frozen=True)
class Facts:
    """What is known of a training when it has ended, for the advice."""

    loss: str
    """Id of the loss."""
    learning_rate: float
    batch_size: int
    train_rows: int
    heldout_losses: tuple[float, ...]
    """Held-out loss at each look, oldest first."""
    own_test: bool = False
    """Test data of the person's own judged, not rows held out of the dataset."""
    suggested_loss: str = ""
    """Id of the loss that suits these rows and this base model; empty: not known."""
    findings: tuple[tuple[str, int], ...] = ()
    """What the data check warned of: (code, rows), the most rows first."""


def outcome_of(primary: MetricResult | None, rows: int) -> str:
    """``better``, ``worse`` or ``no_difference``: by where the interval of the primary metric lies."""
    if primary is None or rows < LEAST_ROWS:
        return "no_difference"
    if primary.low > 0:
        return "better"
    return "worse" if primary.high < 0 else "no_difference"


def verdict_sentence(primary: MetricResult | None, metrics: tuple[MetricResult, ...], rows: int, format: str) -> str:
    """One honest sentence or two. ``rows``: questions or rows that were judged; ``primary`` None: not defined on them."""
    outcome = outcome_of(primary, rows)
    if primary is None:
        if format == "classed_text":
            return "Cannot be judged: no held-out text has another one of its class to be found."
        column = "score" if format == "scored_pair" else "label"
        return f"Cannot be judged: {_rows(rows)} with no two different {column}s say nothing about a model."
    if rows < LEAST_ROWS:
        return f"Cannot be judged: {_rows(rows)} {'is' if rows == 1 else 'are'} too few to tell anything from chance."
    if outcome == "no_difference":
        return _no_difference(primary, rows)
    said = _saying(_most_telling(primary, metrics, outcome), format)
    return said if outcome == "better" else f"It got worse: keep the base model. {said}"


def keyword_sentence(metrics: tuple[MetricResult, ...], rows: int, format: str) -> str:
    """What keyword search comes to beside the tuned model. ``metrics``: keyword search as base; ``rows``: questions."""
    ndcg = next(metric for metric in metrics if metric.id == "ndcg@10")
    outcome = outcome_of(ndcg, rows)
    first = _most_telling(ndcg, metrics, outcome)
    of_100 = first.id in OF_100
    _, value, moves = in_words(first, 100 if of_100 else 1)
    if of_100:
        what = "a text of the same class" if format == "classed_text" else "the right text"
        said = f"Keyword search (BM25), which needs no model, finds {what} first for {value} of 100"
    else:
        said = f"Keyword search (BM25), which needs no model, reaches {METRIC[first.id].label} {value}"
    between = f"({moves})"
    if outcome == "better":
        return f"{said}; the tuned model does better {between}."
    if outcome == "worse":
        return f"{said}; the tuned model does worse {between}: for texts like these, words alone find more."
    if rows < LEAST_ROWS:
        return f"{said}; {_rows(rows)} are too few to compare it with the tuned model."
    return f"{said}; no measurable difference to the tuned model {between}."


def rows_needed(primary: MetricResult, rows: int) -> int | None:
    """About how many held-out rows would show a difference of this size; None: no change, or more than MOST_ROWS.

    An interval shrinks with the square root of the rows.
    """
    change, half = primary.tuned - primary.base, (primary.high - primary.low) / 2
    if not change or not math.isfinite(half):
        return None
    needed = max(rows + 1, SEEN_AGAIN * rows * (half / change) ** 2)
    if needed > MOST_ROWS:
        return None
    power = 10 ** math.floor(math.log10(needed))
    return min(MOST_ROWS, int(next(step * power for step in NICE if step * power >= needed)))


def advice(facts: Facts, outcome: str, rows: int, primary: MetricResult | None = None) -> tuple[str, ...]:
    """What to try next: simple facts, each with one sentence, most useful first."""
    losses, loss = facts.heldout_losses, LOSS[facts.loss]
    rising = len(losses) > 2 and losses[-1] > RISEN * min(losses) and losses[-1] > losses[0] * 0.5
    falling = len(losses) > 2 and losses[-1] < 0.95 * losses[-2] and losses[-1] == min(losses)
    said = []
    if outcome == "worse":
        said.append(f"Try a lower learning rate, for example {facts.learning_rate / 4:.0e}.")
    if rising:
        said.append("The held-out loss rose towards the end: fewer epochs or a lower learning rate may do better.")
    elif falling and outcome != "worse":
        said.append("The held-out loss was still falling at the end: more epochs may do better.")
    elif outcome == "no_difference" and primary is not None and primary.base >= HARDLY_BETTER:
        said.append(
            "The base model gets nearly everything right already: there is little to gain, or the rows are too easy."
        )
    elif outcome == "no_difference":
        said.append(f"Little was learnt: try a higher learning rate, for example {facts.learning_rate * 3:.0e}.")
    if outcome != "better" and facts.suggested_loss not in ("", facts.loss):
        said.append(f"Try the loss '{LOSS[facts.suggested_loss].label}': it suits these rows and this base model best.")
    if facts.train_rows < FEW_TRAINED:
        said.append(f"Only {facts.train_rows} rows trained: more rows help more than any setting.")
    if loss.in_batch_negatives and facts.batch_size < SMALL_BATCH and facts.train_rows >= FEW_TRAINED:
        said.append(f"{loss.label} learns more from larger batches: try {2 * SMALL_BATCH} rows.")
    if outcome == "no_difference" and (rows < LEAST_ROWS or (primary is not None and rows_needed(primary, rows))):
        more = "bring more test rows" if facts.own_test else "raise the held-out share or bring more rows"
        said.append(f"More held-out rows make small differences visible: {more}.")
    if outcome != "better":
        hurting = [(code, many) for code, many in facts.findings if code in HURTING][:MOST_FINDINGS]
        for code, many in hurting:
            kind = KIND[code]
            said.append(
                f"The data check found '{kind.label}' in {many:,} {'row' if many == 1 else 'rows'}. {kind.advice}"
            )
    return tuple(said)


HURTING = (
    *("contradictory_labels", "contradictory_scores", "contradictory_classes", "positive_equals_negative"),
    *(
        "anchor_equals_negative",
        "swapped_columns",
        "unknown_language",
        "cut_texts",
        "broken_characters",
        "near_duplicates",
    ),
    *("same_beginning", "narrow_scores", "looks_like_numbers", "very_short_texts"),
)
"""Codes of findings that can be why a model learnt nothing, or the wrong thing."""
MOST_FINDINGS = 2


def _no_difference(primary: MetricResult, rows: int) -> str:
    label, change = METRIC[primary.id].label, primary.tuned - primary.base
    values = f"{label} is {primary.tuned:.3f}, was {primary.base:.3f}"
    if change == 0 and primary.low == primary.high == 0:
        return f"No difference: {label} is {primary.tuned:.3f} with both models on {_rows(rows)}."
    between = f"({change:+.3f}, between {primary.low:+.3f} and {primary.high:+.3f})"
    largest = max(abs(primary.low), abs(primary.high))
    if largest <= NARROW:
        return f"No measurable difference: {values} {between}. If there is one, it is no larger than {largest:.3f}."
    needed = rows_needed(primary, rows)
    if needed is None:
        return f"No measurable difference: {values} {between}. So small a change takes more than {MOST_ROWS:,} rows to see."
    return f"No measurable difference: {_rows(rows)} are too few; about {needed:,} would do. {values} {between}."


def _most_telling(primary: MetricResult, metrics: tuple[MetricResult, ...], outcome: str) -> MetricResult:
    """Accuracy@1 is easier to picture than nDCG; it is used where it says the same."""
    plain = next((m for m in metrics if m.id == "accuracy@1"), None)
    if primary.id != "ndcg@10" or plain is None:
        return primary
    return plain if (plain.low > 0 if outcome == "better" else plain.high < 0) else primary


def _saying(metric: MetricResult, format: str) -> str:
    of_100 = metric.id in OF_100
    tuned, base, moves = in_words(metric, 100 if of_100 else 1)
    said = SAYINGS_OF.get((format, metric.id), SAYINGS[metric.id]).format(tuned=tuned, base=base)
    return f"{said} ({moves})."


def in_words(metric: MetricResult, scale: int = 1) -> tuple[str, str, str]:
    """Tuned, base, and their difference with its interval. The difference is that of the figures as they are shown: whoever
    subtracts them in mind finds what is said. ``scale``: 100 for "of 100", shown without decimals where the change is large."""
    digits = 3 if scale == 1 else 0 if abs(metric.tuned - metric.base) >= 0.02 else 1
    tuned, base = (round(scale * x, digits) for x in (metric.tuned, metric.base))
    change, low, high = (f"{x:+.{digits}f}" for x in (tuned - base, scale * metric.low, scale * metric.high))
    return f"{tuned:.{digits}f}", f"{base:.{digits}f}", f"{change}, between {low} and {high}"


def _rows(rows: int) -> str:
    return f"{rows:,} held-out {'row' if rows == 1 else 'rows'}"
