"""Pairs out of documents: their structure says what belongs together.

What teaches nothing is left out and counted: text that stands in many documents (menus, licences, addresses), passages
that repeat others in nearly the same words, passages that are hardly words.
"""

import random
import re
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from functools import lru_cache
from itertools import combinations
from pathlib import Path

import numpy as np
import pyarrow as pa

from studio.catalog.recipes import PAIR_FIELD, PAIR_FIELDS, RECIPE, RECIPES
from studio.data.check import Measure, check
from studio.data.dataset import DatasetInfo, save_dataset
from studio.data.documents import Library, Report
from studio.data.near import near_duplicates
from studio.data.outline import Document, Section
from studio.data.passages import opening, passages, sentences, words_in
from studio.data.prepare import Prepared
from studio.data.rows import count
from studio.errors import ConfigError, DataError

MANY_DOCUMENTS = 3
"""Documents in which a paragraph or heading stands to be boilerplate; of many documents a share of them."""
MANY_SHARE = 0.02
LETTERS = 0.5
"""Least share of letters in a text without its blanks."""
MAX_QUESTION_WORDS = 30
QUESTION_MARKS = ("?", "？", "؟")
NUMBERING = re.compile(r"^(?:\d{1,2}(?:\.\d{1,3})+\.?|\d{1,2}\.|[A-Z]\.\d{1,2}\.?)\s+(?=\S)")
PDF_NUMBERING = re.compile(r"^\d{1,2}(?:\.\d{1,3})*\.?\s+(?=[A-Z])")
MAX_HEADING = 200
"""Characters."""
EXAMPLES = 3
COLUMNS = ("anchor", "positive", "document", "place", "recipe")

SHORT = "too short or too long for a passage"
BOILERPLATE = "stands in many documents"
FEW_LETTERS = "hardly any words: code, figures, tables"
SAME = "heading and text are the same"
REPEATED = "nearly the same as an earlier pair"
UNTITLED = "documents without a title"
DRAWN = "more than the most pairs a document"


@dataclass(frozen=True)
class PairConfig:
    """What can be set; bounds and defaults are those of catalog/recipes.py."""

    least_words: int = PAIR_FIELD["least_words"].default
    most_words: int = PAIR_FIELD["most_words"].default
    most_pairs: int = PAIR_FIELD["most_pairs"].default
    distance: int = PAIR_FIELD["distance"].default
    seed: int = PAIR_FIELD["seed"].default

    def __post_init__(self) -> None:
        """Raises ConfigError: out of bounds, or least above most."""
        for known in PAIR_FIELDS:
            value = getattr(self, known.id)
            if isinstance(value, bool) or not isinstance(value, int) or not known.least <= value <= known.most:
                raise ConfigError(f"{known.label} must be a whole number from {known.least:,} to {known.most:,}.")
        if self.least_words > self.most_words:
            raise ConfigError(
                f"Least words ({self.least_words}) is more than most words ({self.most_words}).", hint="Swap the two."
            )


@dataclass(frozen=True)
class LeftOut:
    reason: str
    count: int
    examples: tuple[str, ...]


@dataclass(frozen=True)
class Pairs:
    data: pa.Table
    """Columns COLUMNS, all strings. ``place``: the headings above the text, and the page where there are pages."""
    counts: dict[str, int]
    """Recipe -> pairs."""
    notes: dict[str, tuple[LeftOut, ...]] = field(default_factory=dict)
    """What was left out: by recipe, and under ``""`` what no recipe would have used."""

    def __len__(self) -> int:
        return len(self.data)

    @property
    def left_out(self) -> tuple[LeftOut, ...]:
        """All of it, most frequent first."""
        counts = Counter[str]()
        examples: dict[str, tuple[str, ...]] = {}
        for each in (note for notes in self.notes.values() for note in notes):
            counts[each.reason] += each.count
            examples[each.reason] = tuple(dict.fromkeys((*examples.get(each.reason, ()), *each.examples)))[:EXAMPLES]
        return tuple(LeftOut(why, many, examples[why]) for why, many in counts.most_common())

    def of(self, recipes: Sequence[str]) -> "Pairs":
        """Those of some recipes. A pair that two of them give stands there once."""
        chosen = self.data.filter(
            pa.array([recipe in recipes for recipe in self.data["recipe"].to_pylist()], pa.bool_())
        )
        notes = {id: found for id, found in self.notes.items() if not id or id in recipes}
        if len(recipes) > 1:
            texts = list(zip(chosen["anchor"].to_pylist(), chosen["positive"].to_pylist(), strict=True))
            first = {pair: at for at, pair in reversed(list(enumerate(texts)))}
            chosen = chosen.filter(pa.array([first[pair] == at for at, pair in enumerate(texts)], pa.bool_()))
        counts = Counter(chosen["recipe"].to_pylist())
        return Pairs(chosen, {id: counts[id] for id in self.counts if id in recipes}, notes)


@dataclass
class _Notes:
    """What is left out, with some examples each."""

    counts: Counter[str] = field(default_factory=Counter)
    examples: dict[str, list[str]] = field(default_factory=dict)

    def add(self, reason: str, text: str, times: int = 1) -> None:
        self.counts[reason] += times
        seen = self.examples.setdefault(reason, [])
        if len(seen) < EXAMPLES and text not in seen:
            seen.append(text)

    def all(self) -> tuple[LeftOut, ...]:
        """Most frequent first."""
        return tuple(LeftOut(why, many, tuple(self.examples[why])) for why, many in self.counts.most_common())


Candidate = tuple[str, str, Section]


@dataclass(frozen=True)
class _Cut:
    """A document's sections and their passages, without what is left out."""

    document: Document
    sections: tuple[tuple[Section, list[str]], ...]


def make_pairs(
    library: Library,
    recipes: Sequence[str],
    config: PairConfig | None = None,
    report: Report | None = None,
    stopped: Callable[[], bool] = lambda: False,
) -> Pairs:
    """Pairs of all ``recipes``, each once, recipe by recipe, in reading order. The same input gives the same pairs.

    Args:
        report: Told after each document.
        stopped: Asked before each document; once it says yes, no more are looked at.

    Raises:
        ConfigError: no recipe, or one that does not exist.
    """
    return pairs_by_recipe(library, recipes, config, report, stopped).of(recipes)


def pairs_by_recipe(
    library: Library,
    recipes: Sequence[str],
    config: PairConfig | None = None,
    report: Report | None = None,
    stopped: Callable[[], bool] = lambda: False,
) -> Pairs:
    """The same, as each recipe gives them alone: what two of them give stands there twice."""
    unknown = [id for id in recipes if id not in RECIPE]
    if unknown or not recipes:
        what = f"There is no recipe '{unknown[0]}'." if unknown else "No recipe was chosen."
        raise ConfigError(what, hint=f"Recipes are: {', '.join(RECIPE)}.")
    config = config or PairConfig()
    chosen = [record.id for record in RECIPES if record.id in recipes]
    notes = {id: _Notes() for id in ("", *chosen)}
    common = repeated_texts(library.documents)
    rows: dict[str, list[tuple[str, ...]]] = {id: [] for id in chosen}
    for done, document in enumerate(library.documents):
        if report:
            report(done, len(library.documents), document.name)
        if stopped():
            break
        cut = _cut(document, config, common, notes[""])
        for recipe in chosen:
            made = MAKERS[recipe](cut, config, notes[recipe])
            found = [each for each in made if _is_of_use(*each[:2], common, notes[recipe])]
            for anchor, positive, section in _drawn(found, recipe, document, config, notes[recipe]):
                rows[recipe].append((anchor, positive, document.name, place_of(section), recipe))
    data = pa.concat_tables([_without_repeats(_table(rows[recipe]), notes[recipe]) for recipe in chosen])
    counts = Counter(data["recipe"].to_pylist())
    return Pairs(data, {id: counts[id] for id in chosen}, {id: found.all() for id, found in notes.items()})


def _table(rows: list[tuple[str, ...]]) -> pa.Table:
    return pa.table({name: pa.array([row[at] for row in rows], pa.string()) for at, name in enumerate(COLUMNS)})


def all_passages(library: Library, config: PairConfig) -> list[str]:
    """Every passage of the documents once, in reading order, without what says nothing (see :func:`make_pairs`)."""
    common = repeated_texts(library.documents)
    cuts = (_cut(document, config, common, _Notes()) for document in library.documents)
    return list(dict.fromkeys(text for cut in cuts for _, found in cut.sections for text in found))


def save_pairs(
    folder: Path, pairs: Pairs, library: Library, config: PairConfig, name: str, measure: Measure | None = None
) -> DatasetInfo:
    """Check the pairs and write them as a dataset into ``folder``; nothing is written when they cannot be trained on.

    Raises:
        DataError: no pairs, or a finding of severity ``error``.
    """
    if not len(pairs):
        raise no_pairs(pairs)
    rows = pa.array(range(1, len(pairs) + 1), pa.int64())
    data = pairs.data.select(["anchor", "positive"]).append_column("row", rows)
    findings = check(Prepared(data, "pair", {}), None, measure(data) if measure else None)
    problem = next((finding for finding in findings if finding.severity == "error"), None)
    if problem:
        raise DataError(problem.message, hint="Choose more recipes, or bring more documents.")
    used = [RECIPE[id] for id, many in pairs.counts.items() if many]
    documents = count(len(library.documents), "document", "documents")
    told = ", ".join(f"{RECIPE[id].label.lower()} {many:,}" for id, many in pairs.counts.items())
    settings = ", ".join(f"{known.label.lower()} {getattr(config, known.id)}" for known in PAIR_FIELDS)
    info = DatasetInfo(
        name=name,
        format="pair",
        rows=len(data),
        roles={
            role: ", ".join(dict.fromkeys(getattr(recipe, role) for recipe in used)) for role in ("anchor", "positive")
        },
        file_name=library.documents[0].name if len(library.documents) == 1 else documents,
        dropped={each.reason: each.count for each in pairs.left_out if each.reason != DRAWN},
        findings=findings,
        history=(f"Pairs made from {documents}: {told} ({settings})",),
    )
    save_dataset(folder, data, info)
    return info


def no_pairs(pairs: Pairs) -> DataError:
    why = f" Most were left out because: {pairs.left_out[0].reason}." if pairs.left_out else ""
    return DataError(
        f"These documents give no pair in this way.{why}",
        hint="Choose another recipe, fewer least words, or other documents.",
    )


def repeated_texts(documents: Iterable[Document]) -> frozenset[str]:
    """Paragraphs and headings (as :func:`_key`) that stand in so many documents that they say nothing of any."""
    seen = Counter[str]()
    number = 0
    for document in documents:
        number += 1
        texts = {text for section in document.sections for text in (*section.path, *section.paragraphs)}
        seen.update({_key(text) for text in texts})
    many = max(MANY_DOCUMENTS, MANY_SHARE * number)
    return frozenset(text for text, often in seen.items() if often >= many)


def place_of(section: Section) -> str:
    page = f"page {section.page}" if section.page else ""
    return ", ".join(filter(None, (page, " > ".join(section.path))))


@lru_cache(maxsize=100_000)
def _key(text: str) -> str:
    return "".join(filter(str.isalnum, text.casefold()))


def _is_words(text: str) -> bool:
    return 2 * sum(map(str.isalpha, text)) >= 2 * LETTERS * len(text.replace(" ", ""))


def _cut(document: Document, config: PairConfig, common: frozenset[str], notes: _Notes) -> _Cut:
    sections = []
    for section in document.sections:
        kept = []
        for text in section.paragraphs:
            if _key(text) in common:
                notes.add(BOILERPLATE, text)
            elif not _is_words(text):
                notes.add(FEW_LETTERS, text)
            else:
                kept.append(text)
        section = Section(section.path, tuple(kept), section.page)
        found, rest = passages(kept, config.least_words, config.most_words)
        for text in rest:
            notes.add(SHORT, text)
        sections.append((section, found))
    return _Cut(document, tuple(sections))


def _is_of_use(anchor: str, positive: str, common: frozenset[str], notes: _Notes) -> bool:
    """Passages were looked at before: of the two texts only headings can be boilerplate."""
    if len(anchor) < MAX_HEADING and _key(anchor) in common:
        notes.add(BOILERPLATE, anchor)
    elif len(positive) < 2 * len(anchor) and _key(anchor) == _key(positive):
        notes.add(SAME, anchor)
    else:
        return True
    return False


def _drawn(
    found: list[Candidate], recipe: str, document: Document, config: PairConfig, notes: _Notes
) -> list[Candidate]:
    """At most as many as a document may have, in their order. Of a title's passages the first always stays: it opens the document."""
    if len(found) <= config.most_pairs:
        return found
    chance = random.Random(f"{config.seed} {recipe} {document.name}")
    first = int(recipe == "title_body")
    chosen = set(range(first)) | set(chance.sample(range(first, len(found)), config.most_pairs - first))
    notes.add(DRAWN, document.name, len(found) - config.most_pairs)
    return [each for at, each in enumerate(found) if at in chosen]


def _without_repeats(data: pa.Table, notes: _Notes) -> pa.Table:
    if len(data) < 2:
        return data
    repeats = near_duplicates(data.select(["anchor", "positive"]))
    for at in np.flatnonzero(repeats).tolist():
        notes.add(REPEATED, data["positive"][at].as_py())
    return data.filter(pa.array(~repeats))


def _title_body(cut: _Cut, config: PairConfig, notes: _Notes) -> Iterator[Candidate]:
    if not cut.document.title:
        notes.add(UNTITLED, cut.document.name)
        return
    for section, found in cut.sections:
        for text in found:
            yield cut.document.title, text, section


def _heading_paragraph(cut: _Cut, config: PairConfig, notes: _Notes) -> Iterator[Candidate]:
    for section, found in cut.sections:
        if section.path:
            for text in found:
                yield _heading(cut, section), text, section


def _question_answer(cut: _Cut, config: PairConfig, notes: _Notes) -> Iterator[Candidate]:
    """Answers may be shorter than a passage: "Yes, since version 3." is one."""
    for section, _ in cut.sections:
        texts = list(section.paragraphs)
        if section.path and _is_question(section.path[-1]):
            texts.insert(0, _heading(cut, section))
        for at, text in enumerate(texts):
            answer = opening(_until_question(texts[at + 1 :]), config.most_words) if _is_question(text) else ""
            if answer:
                yield text, answer, section


def _until_question(texts: Sequence[str]) -> list[str]:
    end = next((at for at, text in enumerate(texts) if _is_question(text)), len(texts))
    return list(texts[:end])


def _is_question(text: str) -> bool:
    """One sentence that asks."""
    return (
        text.rstrip("*_ \"'”’)").endswith(QUESTION_MARKS)
        and 2 <= words_in(text) <= MAX_QUESTION_WORDS
        and len(sentences(text)) == 1
        and _is_words(text)
    )


def _heading(cut: _Cut, section: Section) -> str:
    """The innermost heading without its number, which nobody would search for."""
    text = section.path[-1]
    return (PDF_NUMBERING if cut.document.kind == "pdf" else NUMBERING).sub("", text) or text


def _same_section(cut: _Cut, config: PairConfig, notes: _Notes) -> Iterator[Candidate]:
    """Of a long section as many pairs as a document may have, drawn: all of them would be its passages squared."""
    for section, found in cut.sections:
        chance = random.Random(f"{config.seed} {cut.document.name} {place_of(section)}")
        if len(found) * (len(found) - 1) // 2 <= 4 * config.most_pairs:
            chosen = list(combinations(range(len(found)), 2))
        else:
            drawn = {tuple(sorted(chance.sample(range(len(found)), 2))) for _ in range(2 * config.most_pairs)}
            chosen = sorted(drawn)
        for one, other in chosen:
            yield found[one], found[other], section


def _neighbours(cut: _Cut, config: PairConfig, notes: _Notes) -> Iterator[Candidate]:
    for section, _ in cut.sections:
        found = [each for text in section.paragraphs for each in sentences(text)]
        fits = [config.least_words <= words_in(each) <= config.most_words for each in found]
        for at in range(len(found) - config.distance):
            if fits[at] and fits[at + config.distance]:
                yield found[at], found[at + config.distance], section


MAKERS: dict[str, Callable[[_Cut, PairConfig, _Notes], Iterable[Candidate]]] = {
    "title_body": _title_body,
    "heading_paragraph": _heading_paragraph,
    "question_answer": _question_answer,
    "same_section": _same_section,
    "neighbours": _neighbours,
}
