"""Each fix mends what its finding says, in a copy; the original stays as it was."""

import pyarrow as pa
import pytest

from studio.catalog.findings import FIX_KIND
from studio.data.check import check, fixes_for
from studio.data.dataset import import_dataset, load_info, load_rows
from studio.data.fix import apply_fixes, fix_all, fix_rows, passages
from studio.data.personal import mask_personal_data
from studio.data.prepare import prepare
from studio.data.read import read_table
from studio.data.table import Finding, Roles
from studio.errors import DataError

PAIR, TRIPLET = Roles("q", "a"), Roles("q", "a", ("n",))
CLASSED = Roles(text="q", class_="c")
LABELLED, SCORED = Roles("q", "a", label="l"), Roles("q", "a", score="s")

LONG = " ".join(f"This is sentence {i} of a text that goes on and on." for i in range(50))
FRENCH = [f"Je voudrais savoir où se trouve la gare numéro {i}, s'il vous plaît." for i in range(10)]


def wrong_tables(texts) -> dict[str, tuple[dict[str, list[str]], Roles, list[int]]]:
    """Code -> a table of 60 rows where it is true, its roles, and the positions of the rows that a fix leaves out."""
    q, a, n = texts(60), texts(60, 9), texts(60, 10)

    def put(column: list[str], at: int, text: str) -> list[str]:
        return [*column[:at], text, *column[at + 1 :]]

    twice_q, twice_a = put(q, 9, a[8]), put(a, 9, q[8])
    scores = [str(i / 59) for i in range(60)]
    return {
        "near_duplicates": ({"q": put(q, 9, q[8].upper()), "a": put(a, 9, f"{a[8]}.")}, PAIR, [9]),
        "anchor_equals_positive": ({"q": q, "a": put(a, 9, q[9].upper())}, PAIR, [9]),
        "positive_equals_negative": ({"q": q, "a": a, "n": put(n, 9, a[9])}, TRIPLET, [9]),
        "anchor_equals_negative": ({"q": q, "a": a, "n": put(n, 9, q[9])}, TRIPLET, [9]),
        "contradictory_labels": ({"q": twice_q, "a": twice_a, "l": ["0", "1"] * 30}, LABELLED, [8, 9]),
        "contradictory_scores": ({"q": twice_q, "a": twice_a, "s": put(scores, 9, "0.8")}, SCORED, [9]),
        "very_short_texts": ({"q": put(q, 9, "x"), "a": a}, PAIR, [9]),
        "broken_characters": ({"q": q, "a": put(a, 9, "dÃ©jÃ\xa0 vu")}, PAIR, [9]),
        "personal_data:mask": ({"q": q, "a": put(a, 9, "write to a@example.org")}, PAIR, []),
        "very_long_texts": ({"q": q, "a": put(a, 9, LONG)}, PAIR, [9]),
        "very_long_texts:passages": ({"q": q, "a": put(a, 9, LONG)}, PAIR, []),
        "broken_characters:mend": ({"q": q, "a": put(a, 9, "dÃ©jÃ\xa0 vu")}, PAIR, []),
        "unknown_language": ({"q": q, "a": [*a[:50], *FRENCH]}, PAIR, list(range(50, 60))),
        "unbalanced_labels": ({"q": q, "a": a, "l": ["0"] * 56 + ["1"] * 4}, LABELLED, list(range(56, 60))),
        "personal_data": ({"q": q, "a": put(a, 9, "write to a@example.org")}, PAIR, [9]),
        "contradictory_classes": ({"q": put(q, 9, q[8].upper()), "c": ["x", "y"] * 30}, CLASSED, [8, 9]),
        "rare_classes": ({"q": q, "c": put(["x", "y"] * 30, 9, "z")}, CLASSED, [9]),
        "unbalanced_classes": ({"q": q, "c": ["x"] * 56 + ["y", "z"] * 2}, CLASSED, list(range(56, 60))),
        "same_beginning": ({"q": [f"query: {text}" for text in q], "a": a}, PAIR, []),
        "swapped_columns": ({"q": a, "a": [f"{text}?" for text in q]}, PAIR, []),
    }


@pytest.mark.parametrize("id", FIX_KIND)
def test_a_fix_mends_what_its_finding_says_and_the_original_stays(table, texts, tmp_path, id):
    code = FIX_KIND[id].code
    columns, roles, gone = wrong_tables(texts)[id]
    before = import_dataset(tmp_path / "old", table(columns), roles, "Mine")
    assert code in {f.code for f in before.findings}
    assert id in {fix.id for fix in fixes_for(before.findings, before.format, before.rows)}
    rows = load_rows(tmp_path / "old").to_pylist()

    after = apply_fixes(tmp_path / "old", tmp_path / "new", [id])
    assert code not in {f.code for f in after.findings}
    assert load_info(tmp_path / "new") == after
    mended = [row["row"] - 2 for row in load_rows(tmp_path / "new").to_pylist()]
    if id in ("unbalanced_labels", "unbalanced_classes"):
        assert (len(mended), set(mended) & set(gone)) == (20 if id == "unbalanced_labels" else 24, set(gone))
    elif id == "very_long_texts:passages":
        assert mended == [*range(10), 9, 9, *range(10, 60)]
    else:
        assert mended == [i for i in range(60) if i not in gone]
    assert (after.rows, len(after.history)) == (len(mended), 1)
    assert load_rows(tmp_path / "old").to_pylist() == rows
    assert (load_info(tmp_path / "old"), before.history) == (before, ())
    if id != "swapped_columns":  # which can be swapped back
        with pytest.raises(DataError, match="change nothing"):
            apply_fixes(tmp_path / "new", tmp_path / "again", [id])
        assert not (tmp_path / "again").exists()


@pytest.mark.parametrize("id", FIX_KIND)
def test_a_fix_leaves_a_good_table_alone(table, texts, id):
    roles = LABELLED if id.endswith("labels") else SCORED if id.endswith("scores") else PAIR
    roles = TRIPLET if id.endswith("negative") else CLASSED if id.endswith("classes") else roles
    columns = {
        "c": ["x", "y"] * 30,
        "q": texts(60),
        "a": texts(60, 9),
        "n": texts(60, 10),
        "l": ["0", "1"] * 30,
        "s": ["0", "0.9"] * 30,
    }
    prepared = prepare(table(columns), roles)
    assert FIX_KIND[id].code not in {f.code for f in check(prepared)}
    if id != "swapped_columns":  # swapping is always possible, but offered only where columns look swapped
        with pytest.raises(DataError, match="change nothing"):
            fix_rows(prepared.data, prepared.format, id)


def test_several_fixes_make_one_version(table, texts, tmp_path):
    q, a = texts(60), texts(60, 9)
    q[5], q[9], a[9] = "x", q[8].upper(), a[8]
    import_dataset(tmp_path / "1", table({"q": q, "a": a}), PAIR, "x")
    info = apply_fixes(
        tmp_path / "1", tmp_path / "2", ["near_duplicates", "very_short_texts", "near_duplicates"], parent="1"
    )
    assert info.history == ("1 row left out: near duplicates; 1 row left out: very short texts",)
    assert (info.rows, info.parent) == (58, "1")


def test_a_fix_that_has_nothing_left_to_mend_is_passed_over(table, texts):
    data = prepare(table({"q": [*texts(10), "write to a@example.org"], "a": texts(11, 9)}), PAIR).data
    mended, done = fix_all(data, "pair", ["personal_data:mask", "personal_data"])
    assert done == ("1 row changed: personal data masked",)
    assert mended["anchor"][10].as_py() == "write to [e-mail]"
    with pytest.raises(DataError, match="No fix was chosen"):
        fix_all(data, "pair", [])
    with pytest.raises(DataError, match="change nothing"):
        fix_all(mended, "pair", ["personal_data:mask", "near_duplicates"])


@pytest.mark.parametrize(
    ("text", "masked"),
    [
        ("Call 0800 123 4567 or 0800 765 4321 now", "Call [phone] or [phone] now"),
        ("0800 123 4567 0800 765 4321", "[phone] [phone]"),
        ("ada@example.org,bob@example.org", "[e-mail],[e-mail]"),
        ("card 4111 1111 1111 1111 please", "card [card] please"),
        ("order 4111 1111 1111 1112 please", "order 4111 1111 1111 1112 please"),
        ("room 0815 at 12.30", "room 0815 at 12.30"),
    ],
)
def test_only_the_data_itself_is_masked(text, masked):
    assert mask_personal_data(pa.chunked_array([[text]])).to_pylist() == [masked]


def test_passages_end_behind_sentences_and_never_grow_too_long():
    sentences = [f"Sentence number {i} ends here." for i in range(100)]
    found = passages(" ".join(sentences))
    assert " ".join(found).split(" ") == " ".join(sentences).split(" ")
    assert all(len(part) <= 1000 and part.endswith("here.") for part in found)
    assert max(map(len, passages("x" * 3000))) == 1000


def test_texts_and_scores_are_mended_as_said(table, texts, tmp_path):
    tables = wrong_tables(texts)
    for code in ("same_beginning", "swapped_columns", "contradictory_scores"):
        columns, roles, _ = tables[code]
        import_dataset(tmp_path / f"{code}-old", table(columns), roles, code)
        apply_fixes(tmp_path / f"{code}-old", tmp_path / code, [code])
    first = load_rows(tmp_path / "same_beginning")["anchor"][0].as_py()
    assert not first.startswith("query")
    assert load_rows(tmp_path / "swapped_columns")["anchor"][0].as_py().endswith("?")
    assert load_info(tmp_path / "swapped_columns").roles == {"anchor": "a", "positive": "q"}
    mean = load_rows(tmp_path / "contradictory_scores")["score"][8].as_py()
    assert mean == pytest.approx((8 / 59 + 0.8) / 2)


def test_history_grows_and_what_importing_said_is_kept(table, texts, tmp_path):
    q, a = texts(60), texts(60, 9)
    q[3], q[5], q[9], a[9] = "", "x", q[8].upper(), a[8]
    import_dataset(tmp_path / "1", table({"q": q, "a": a}), PAIR, "x")
    apply_fixes(tmp_path / "1", tmp_path / "2", ["very_short_texts"])
    info = apply_fixes(tmp_path / "2", tmp_path / "3", ["near_duplicates"])
    assert info.history == ("1 row left out: very short texts", "1 row left out: near duplicates")
    assert [f.code for f in info.findings] == ["empty_text"]
    assert info.dropped == {"anchor is empty": 1}


def test_fixes_are_offered_once_each_and_only_where_there_are_any():
    found = [
        Finding(code, "info", "") for code in ("near_duplicates", "score_scale", "near_duplicates", "personal_data")
    ]
    assert [fix.id for fix in fixes_for(found, "pair", 60)] == [
        "near_duplicates",
        "personal_data:mask",
        "personal_data",
    ]


def test_leaving_out_other_languages_is_offered_only_where_most_rows_stay():
    offered = [fixes_for([Finding("unknown_language", "warning", "", count)], "pair", 60) for count in (20, 40)]
    assert [len(fixes) for fixes in offered] == [1, 0]


def test_what_is_for_plain_pairs_is_offered_to_them_only():
    found = [Finding("very_long_texts", "info", "")]
    assert len(fixes_for(found, "pair", 60)) == 2
    assert [fix.id for fix in fixes_for(found, "triplet", 60)] == ["very_long_texts"]


def test_what_does_not_fit_or_would_leave_too_little_is_refused(table, texts, tmp_path):
    triplets = prepare(table({"q": texts(9), "a": texts(9), "n": texts(9, 3)}), TRIPLET)
    with pytest.raises(DataError, match="no fix 'rm -rf'"):
        fix_rows(triplets.data, "triplet", "rm -rf")
    for code in ("swapped_columns", "contradictory_labels", "contradictory_scores"):
        with pytest.raises(DataError, match="does not fit"):
            fix_rows(triplets.data, "triplet", code)
    import_dataset(tmp_path / "d", table({"q": [*texts(2), "a", "b"], "a": texts(4, 9)}), PAIR, "x")
    with pytest.raises(DataError, match="Only 2 rows can be used"):
        apply_fixes(tmp_path / "d", tmp_path / "e", ["very_short_texts"])
    assert not (tmp_path / "e").exists()


def test_real_near_duplicates_are_left_out(samples, tmp_path):
    table = read_table(samples / "banking77.csv")
    info = import_dataset(tmp_path / "d", table, Roles("question", "topic"), "Bank")
    count = next(f.count for f in info.findings if f.code == "near_duplicates")
    assert 10 < count < 30
    fixed = apply_fixes(tmp_path / "d", tmp_path / "e", ["near_duplicates"])
    assert fixed.rows == 3000 - count
