"""Pairs out of documents: what each recipe makes, what it does not make, and what is left out and counted."""

import pytest

from studio.catalog.recipes import PAIR_FIELDS, RECIPE
from studio.data import pairs as module
from studio.data.dataset import load_info, load_rows
from studio.data.documents import Library, files_of, read_documents
from studio.data.outline import Document, Section
from studio.data.pairs import PairConfig, all_passages, make_pairs, pairs_by_recipe, save_pairs
from studio.data.passages import passages, sentences, words_in
from studio.errors import ConfigError, DataError

ALL = tuple(RECIPE)


def document(name: str, *sections: tuple[tuple[str, ...], tuple[str, ...]], title: str = "") -> Document:
    return Document(name, "html", title, tuple(Section(path, texts) for path, texts in sections))


CARDS = document(
    "cards.html",
    ((), ("Our cards are for everyone who has an account with us and is of age.",)),
    (("Lost cards",), ("Call the hotline at once, by day and by night, and have the card blocked.", "The new card comes by post within five days of your call.")),
    (("Questions", "Is there a fee?"), ("No, not for the first one.",)),
    (("Questions", "How long is a card valid?"), ("Four years.", "Can I keep it longer?", "No.", "What then?")),
    title="Cards",
)  # fmt: skip


def texts(found, recipe: str) -> list[tuple[str, str]]:
    return [(row["anchor"], row["positive"]) for row in found.data.to_pylist() if row["recipe"] == recipe]


def test_each_recipe_makes_its_pairs():
    found = pairs_by_recipe(Library((CARDS,)), ALL)
    first, lost = CARDS.sections[0].paragraphs[0], CARDS.sections[1].paragraphs
    joined = "Four years. Can I keep it longer? No. What then?"
    assert texts(found, "title_body") == [("Cards", first), ("Cards", lost[0]), ("Cards", lost[1]), ("Cards", joined)]
    assert texts(found, "heading_paragraph") == [
        ("Lost cards", lost[0]),
        ("Lost cards", lost[1]),
        ("How long is a card valid?", joined),
    ]
    assert texts(found, "question_answer") == [
        ("Is there a fee?", "No, not for the first one."),
        ("How long is a card valid?", "Four years."),
        ("Can I keep it longer?", "No."),
    ]
    assert texts(found, "same_section") == [lost]
    assert texts(found, "neighbours") == [lost]
    assert found.counts == {recipe: len(texts(found, recipe)) for recipe in ALL}
    row = found.of(["same_section"]).data.to_pylist()[0]
    assert (row["document"], row["place"]) == ("cards.html", "Lost cards")


def test_documents_without_what_a_recipe_needs_give_no_pair():
    bare = document("notes.txt", ((), ("Only one paragraph of one sentence stands in this file and no more.",)))
    found = make_pairs(Library((bare,)), ALL)
    assert len(found) == 0
    assert {each.reason: each.count for each in found.left_out} == {module.UNTITLED: 1}
    with pytest.raises(DataError, match=f"no pair in this way. Most were left out because: {module.UNTITLED}"):
        save_pairs(None, found, Library((bare,)), PairConfig(), "x")


def test_a_pair_that_two_recipes_give_stands_there_once():
    page = document(
        "a.html",
        (
            ("Fees",),
            (
                "There is no fee for the first card and the first year.",
                "A second one costs ten a year, paid in advance.",
            ),
        ),
    )
    found = make_pairs(Library((page,)), ("same_section", "neighbours"))
    assert found.counts == {"same_section": 1, "neighbours": 0}
    assert make_pairs(Library((page,)), ("neighbours",)).counts == {"neighbours": 1}
    alone = pairs_by_recipe(Library((page,)), ("same_section", "neighbours"))
    assert alone.counts == {"same_section": 1, "neighbours": 1}
    assert alone.of(["neighbours"]).counts == {"neighbours": 1}


def test_text_that_stands_in_many_documents_is_left_out_and_counted():
    licence = "This text is free to copy under the terms of the licence below, without any warranty."
    pages = [
        document(f"{i}.html", (("Use",), (f"Thing number {name} is used to {what}, as everybody knows.", licence)), title=f"Thing {name}")
        for i, (name, what) in enumerate((("one", "cut bread"), ("two", "mend shoes"), ("three", "draw water"), ("four", "light fires")))
    ]  # fmt: skip
    found = make_pairs(Library(tuple(pages)), ("title_body", "heading_paragraph"))
    assert texts(found, "title_body") == [(page.title, page.sections[0].paragraphs[0]) for page in pages]
    assert texts(found, "heading_paragraph") == []  # "Use" says nothing of any of them
    left_out = {each.reason: each for each in found.left_out}
    assert left_out[module.BOILERPLATE].count == 4 + 4
    assert licence in left_out[module.BOILERPLATE].examples
    two = make_pairs(Library(tuple(pages[:2])), ("heading_paragraph",))
    assert two.counts == {"heading_paragraph": 3}  # the licence once: it nearly repeats itself
    assert {each.reason: each.count for each in two.left_out} == {module.REPEATED: 1}


def test_code_figures_repeats_and_scraps_are_left_out_and_counted():
    page = document(
        "a.md",
        (("Sizes",), ("12 13 14 15 16 17 18 19 20 21", "x = [0] * 9; y = {1: 2}; z = (3, 4); w = 5 # 6")),
        (("Doors",), ("Doors are opened at eight and closed at six on all days but Sundays.",)),
        (("Doors",), ("Doors are opened at eight and closed at six, on all days but Sundays!",)),
        (("Doors are wide open in the morning",), ("Doors are wide open in the morning",)),
        (("Scraps",), ("Too short.",)),
    )
    found = make_pairs(Library((page,)), ("heading_paragraph",), PairConfig(least_words=6))
    assert len(found) == 1
    reasons = {each.reason: each.count for each in found.left_out}
    assert reasons == {module.FEW_LETTERS: 2, module.REPEATED: 1, module.SAME: 1, module.SHORT: 1}


@pytest.fixture(scope="module")
def library(repository) -> Library:
    return read_documents(files_of([repository / "docs", repository / "README.md"]))


@pytest.mark.parametrize(("least", "most"), [(1, 15), (8, 40), (30, 60)])
def test_passages_are_as_long_as_was_set(library, least, most):
    config = PairConfig(least_words=least, most_words=most)
    rows = make_pairs(
        library, ("title_body", "heading_paragraph", "same_section", "neighbours"), config
    ).data.to_pylist()
    assert len(rows) > 10
    for row in rows:
        sides = (
            [row["positive"]]
            if row["recipe"] in ("title_body", "heading_paragraph")
            else [row["anchor"], row["positive"]]
        )
        for text in sides:
            assert least <= words_in(text) <= most, row


def test_two_passages_of_a_section_share_no_text():
    names = "red green blue white black brown grey pink gold silver".split()  # noqa: SIM905
    long = " ".join(f"The {name} house stands at the end of its street." for name in names)
    page = document("a.md", (("Houses",), (long, "Here is more about the houses that nobody lives in.")))
    found = texts(
        make_pairs(Library((page,)), ("same_section",), PairConfig(least_words=5, most_words=25)), "same_section"
    )
    assert len(found) > 5
    for anchor, positive in found:
        assert not set(sentences(anchor)) & set(sentences(positive))


@pytest.mark.parametrize("distance", [1, 3])
def test_neighbours_stand_as_far_apart_as_was_set(distance):
    numbers = ("one two three", "four five six", "seven eight nine", "ten eleven twelve", "thirteen fourteen fifteen")
    page = document("a.txt", ((), (" ".join(f"The words {words} stand in this sentence." for words in numbers),)))
    found = texts(
        make_pairs(Library((page,)), ("neighbours",), PairConfig(least_words=3, distance=distance)), "neighbours"
    )
    expected = [
        (f"The words {a} stand in this sentence.", f"The words {b} stand in this sentence.")
        for a, b in zip(numbers, numbers[distance:], strict=False)
    ]
    assert found == expected


def test_the_most_pairs_a_document_are_drawn_by_chance_that_can_be_repeated(library):
    few = PairConfig(most_pairs=5)
    found = make_pairs(library, ALL, few)
    again = make_pairs(library, ALL, few)
    other = make_pairs(library, ALL, PairConfig(most_pairs=5, seed=7))
    assert found.data.equals(again.data)
    assert not found.data.equals(other.data)
    for recipe in ALL:
        for known in library.documents:
            of_it = [row for row in found.data.to_pylist() if (row["recipe"], row["document"]) == (recipe, known.name)]
            assert len(of_it) <= 5
            if recipe == "title_body":
                opening = next(text for section in known.sections for text in passages(section.paragraphs, 8, 120)[0])
                assert any(row["positive"] == opening for row in of_it)
    assert module.DRAWN in {each.reason for each in found.left_out}


def test_passages_join_what_is_short_and_cut_what_is_long():
    parts = [
        "Short.",
        "What comes next:",
        "These are three.",
        "One two three four five. Six seven eight nine. Ten eleven.",
    ]
    assert passages(parts, 5, 8) == (
        ["Short. What comes next: These are three.", "One two three four five.", "Six seven eight nine. Ten eleven."],
        [],
    )
    assert passages(["word " * 30], 5, 10)[0] == []
    assert passages(["A few words here", "End."], 3, 10)[0] == ["A few words here End."]
    assert passages(["Too short."], 3, 10) == ([], ["Too short."])


def test_scripts_without_blanks_have_words_too():
    assert words_in("今天天气很好我们去公园散步吧") >= 6
    assert sentences("你好。今天天气很好！我们去吧？") == ("你好。", "今天天气很好！", "我们去吧？")
    assert sentences("Dr. Smith came at 5 p.m. on Jan. 3. He left.") == (
        "Dr. Smith came at 5 p.m. on Jan. 3.",
        "He left.",
    )


def test_headings_are_asked_without_their_numbers():
    page = Document(
        "a.pdf",
        "pdf",
        "",
        (Section(("2 Scope", "2.1. Who is meant?"), ("Everybody who works in the house or visits it.",), 3),),
    )
    found = make_pairs(Library((page,)), ("heading_paragraph", "question_answer"))
    assert {row["anchor"] for row in found.data.to_pylist()} == {"Who is meant?"}
    assert found.data["place"][0].as_py() == "page 3, 2 Scope > 2.1. Who is meant?"
    page = document("b.md", (("3 ways to save",), ("Save early, save often, and save what you can afford.",)))
    assert make_pairs(Library((page,)), ("heading_paragraph",)).data["anchor"][0].as_py() == "3 ways to save"


def test_pairs_become_a_dataset_that_says_where_it_is_from(library, tmp_path):
    config = PairConfig(most_pairs=10)
    found = make_pairs(library, ("title_body", "heading_paragraph"), config)
    save_pairs(tmp_path / "dataset", found, library, config, "Our pages")
    info, rows = load_info(tmp_path / "dataset"), load_rows(tmp_path / "dataset")
    assert rows.column_names == ["anchor", "positive", "row"]
    assert info.rows == len(rows) == len(found)
    assert info.roles == {"anchor": "title, heading", "positive": "passage"}
    assert "title and body" in info.history[0]
    assert "most pairs a document 10" in info.history[0]
    assert info.file_name == f"{len(library.documents)} documents"


def test_every_passage_of_the_documents_once(library):
    found = all_passages(library, PairConfig())
    assert len(found) == len(set(found)) > 40
    assert all(8 <= words_in(text) <= 120 for text in found)


@pytest.mark.parametrize("known", PAIR_FIELDS, ids=lambda known: known.id)
def test_settings_out_of_bounds_are_refused(known):
    for value in (known.least - 1, known.most + 1, 2.5, None, True):
        with pytest.raises(ConfigError, match=known.label):
            PairConfig(**{known.id: value})
    with pytest.raises(ConfigError, match="more than most words"):
        PairConfig(least_words=50, most_words=20)


def test_recipes_that_do_not_exist_are_refused(library):
    with pytest.raises(ConfigError, match="no recipe 'magic'"):
        make_pairs(library, ["magic"])
    with pytest.raises(ConfigError, match="No recipe was chosen"):
        make_pairs(library, [])
