"""How the structure of documents makes pairs, and what can be set about it."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Recipe:
    id: str
    label: str
    help: str
    """What becomes a pair."""
    when: str
    """One sentence: when to use it."""
    anchor: str
    """What its anchors are."""
    positive: str


RECIPES = (
    Recipe(
        "title_body",
        "Title and body",
        "The title of a document and a passage of it.",
        "Use it when people will search whole documents by their subject.",
        "title",
        "passage",
    ),
    Recipe(
        "heading_paragraph",
        "Heading and paragraph",
        "The heading of a section and a passage below it.",
        "Use it when people will search for places in long documents, such as manuals and policies.",
        "heading",
        "passage",
    ),
    Recipe(
        "question_answer",
        "Question and answer",
        "A heading, list entry or paragraph that ends with a question mark, and what follows it.",
        "Use it for pages of frequently asked questions: it is the closest to what people will ask.",
        "question",
        "answer",
    ),
    Recipe(
        "same_section",
        "Two passages of one section",
        "Two passages that stand in the same section and share no text.",
        "Use it when texts are to be grouped or compared by subject, and there are no good headings.",
        "passage",
        "passage of the same section",
    ),
    Recipe(
        "neighbours",
        "Sentence and its neighbour",
        "A sentence and the one that follows it.",
        "Use it when documents have no structure at all; it teaches the least for each pair.",
        "sentence",
        "sentence after it",
    ),
)

RECIPE = {record.id: record for record in RECIPES}


@dataclass(frozen=True)
class PairSetting:
    """A whole number that can be set. ``id`` is its name in PairConfig (studio/data/pairs.py) or QueryConfig (studio/runs/queries.py)."""

    id: str
    label: str
    help: str
    default: int
    least: int
    most: int
    recipes: tuple[str, ...] = tuple(RECIPE)
    """Recipes that it does something to."""


PAIR_FIELDS = (
    PairSetting("least_words", "Least words", "Passages with fewer words are joined with the next, or left out.", 8, 1, 100),
    PairSetting("most_words", "Most words", "Longer passages are cut at the end of a sentence. MiniLM reads about 190 words.", 120, 10, 500),
    PairSetting("most_pairs", "Most pairs a document", "For each recipe, drawn by chance, so that long documents do not outweigh the others.", 20, 1, 500),
    PairSetting("distance", "Distance of neighbours", "1 pairs a sentence with the next one, 2 with the one after that.", 1, 1, 5, ("neighbours",)),
    PairSetting("seed", "Seed", "The same number draws the same pairs again.", 42, 0, 9999),
)  # fmt: skip

PAIR_FIELD = {record.id: record for record in PAIR_FIELDS}


QUERY_FIELDS = (
    PairSetting("questions", "Questions a passage", "The language model may write fewer where a passage answers less.", 2, 1, 5),
    PairSetting("most_passages", "Most passages", "Drawn from all through the texts. Each is one request to the language model.", 200, 10, 5000),
)  # fmt: skip
"""What can be set about questions that a language model writes."""
