"""What was forgotten: a small check of general ability that comes with the studio, base against tuned. No torch.

assets/general/items.csv holds questions of dictionaries and translations with their right answers; see its README.
"""

import csv
from dataclasses import dataclass
from functools import lru_cache

import numpy as np

from studio.evaluation.intervals import mean_difference
from studio.evaluation.result import General, GeneralPart, MetricResult
from studio.evaluation.sentence import in_words
from studio.evaluation.task import Retrieval, Task
from studio.settings import ASSETS

ITEMS = ASSETS / "general" / "items.csv"
METRIC = "ndcg@10"
MUCH = 0.03
"""A loss from which on it is called much."""


@dataclass(frozen=True)
class GeneralKind:
    id: str
    label: str
    help: str
    least: float
    """What a base model must reach for the kind to count: what it never knew it cannot forget. Names and numbers alone find a
    third of the translations."""


KINDS = (
    GeneralKind("words", "Words", "Finds the word that a dictionary's definition is about.", 0.15),
    GeneralKind("uses", "Meanings", "Finds the definition of what a sentence is an example of.", 0.15),
    GeneralKind("german", "German to English", "Finds the translation of a sentence.", 0.6),
    GeneralKind("french", "French to English", "Finds the translation of a sentence.", 0.6),
    GeneralKind("japanese", "Japanese to English", "Finds the translation of a sentence.", 0.6),
)
KIND = {kind.id: kind for kind in KINDS}


@lru_cache(maxsize=1)
def general_tasks() -> dict[str, Task]:
    """Kind -> its questions, each with one right answer among all answers of the kind."""
    rows: dict[str, list[tuple[str, str]]] = {kind.id: [] for kind in KINDS}
    with ITEMS.open(encoding="utf-8", newline="") as file:
        for row in csv.DictReader(file):
            rows[row["part"]].append((row["question"], row["answer"]))
    return {id: _task(pairs) for id, pairs in rows.items()}


def _task(pairs: list[tuple[str, str]]) -> Task:
    corpus = {answer: i for i, answer in enumerate(dict.fromkeys(answer for _, answer in pairs))}
    asked = [(question, answer) for question, answer in pairs if question]
    questions, answers = zip(*asked, strict=True)
    right = tuple(frozenset((corpus[answer],)) for answer in answers)
    return Task("pair", questions, answers, (), None, Retrieval(questions, tuple(corpus), right))


def known_parts(base: dict[str, np.ndarray]) -> tuple[str, ...]:
    """Kinds that the base model knows something of. ``base``: kind -> the metric for each question."""
    return tuple(kind.id for kind in KINDS if base[kind.id].mean() >= kind.least)


def compare_general(
    base: dict[str, np.ndarray], tuned: dict[str, np.ndarray], learning_rate: float, can_lora: bool, seed: int = 0
) -> General:
    """What the tuned model has forgotten. ``base``, ``tuned``: kind -> the metric for each question, of the same kinds.

    ``learning_rate``, ``can_lora``: of the training, for what to try next.
    """
    if not base:
        return General(None, None, None, None, 0, (), NOTHING_KNOWN)
    before, after = (np.concatenate([values[id] for id in base]) for values in (base, tuned))
    low, high = mean_difference(before, after, seed)
    parts = tuple(
        GeneralPart(KIND[id].label, KIND[id].help, len(base[id]), float(base[id].mean()), float(tuned[id].mean()))
        for id in base
    )
    result = General(float(before.mean()), float(after.mean()), low, high, len(before), parts, "")
    return General(
        result.base, result.tuned, low, high, result.questions, parts,
        general_sentence(result), general_advice(result, learning_rate, can_lora),
    )  # fmt: skip


NOTHING_KNOWN = "General ability: the base model knows too little for anything to be forgotten."


def general_sentence(found: General) -> str:
    """Figures, and what they mean."""
    change = found.tuned - found.base
    tuned, base, moves = in_words(MetricResult("ndcg@10", found.base, found.tuned, found.low, found.high))
    start = f"General ability: base {base}, tuned {tuned} ({moves})."
    if found.high < 0:
        return (
            f"{start} {'Much' if change <= -MUCH else 'A little'} that has nothing to do with your texts was forgotten."
        )
    if found.low > 0:
        return f"{start} Nothing was forgotten: it even became better."
    return f"{start} Nothing measurable was forgotten."


def general_advice(found: General, learning_rate: float, can_lora: bool) -> tuple[str, ...]:
    """What to do when something was forgotten; nothing when a specialist is what was wanted or nothing was."""
    if found.high >= 0:
        return ()
    lora = ", or LoRA (rank 16), which leaves the model itself as it is" if can_lora else ""
    return (
        "If the model is for your texts alone, this does not matter.",
        f"Otherwise try a lower learning rate, for example {learning_rate / 4:.2g}{lora}; or let a dataset of general pairs train along.",
    )
