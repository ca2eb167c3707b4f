"""Labels in any spelling, and what is said about how they were read."""

import pytest

from studio.data.check import check, inspect_table
from studio.data.labels import meaning
from studio.data.prepare import prepare
from studio.data.read import read_table
from studio.data.roles import guess_roles
from studio.data.table import Roles
from studio.errors import DataError

LABELLED = Roles("q", "a", label="l")


@pytest.mark.parametrize(
    ("together", "apart"),
    [
        ("duplicate", "not duplicate"), ("Duplicate", "not_duplicate"), ("DUPLICATE", "non-duplicate"), ("similar", "different"),
        ("match", "no match"), ("match", "mismatch"), ("relevant", "irrelevant"), ("relevant", "not relevant"), ("oui", "non"),
        ("ja", "nein"), ("Sí", "No"), ("sim", "não"), ("vrai", "faux"), ("gleich", "verschieden"), ("ähnlich", "nicht ähnlich"),
        ("да", "нет"), ("はい", "いいえ"), ("相似", "不相似"), ("entailment", "contradiction"), ("entailment", "not_entailment"),
        ("paraphrase", "not a paraphrase"), ("+1", "-1"), ("1", "0"), ("Evet", "Hayır"), ("same", "distinct"), ("pertinent", "pas pertinent"),
    ],
)  # fmt: skip
def test_two_spellings_are_read_as_1_and_0(table, together, apart):
    prepared = prepare(table({"q": ["a", "b", "c"], "a": ["x", "y", "z"], "l": [together, apart, "n/a"]}), LABELLED)
    assert prepared.data["label"].to_pylist() == [1, 0]
    assert [n.row for n in prepared.dropped["label is missing"]] == [4]


@pytest.mark.parametrize("word", ["maybe", "not different", "positively", "!!", "label", "2", "not", ""])
def test_a_spelling_that_is_not_known_has_no_meaning(word):
    assert meaning(word) == "unknown"


def test_the_mapping_is_said_unless_it_is_0_and_1(table, texts):
    q, a = texts(60), texts(60, 9)
    source = table({"q": q, "a": a, "l": ["similar", "different"] * 30})
    (finding,) = check(prepare(source, LABELLED))
    assert (finding.code, finding.severity, finding.count) == ("labels_read_as", "info", 60)
    assert "'similar' as 1, 'different' as 0" in finding.message
    assert check(prepare(table({"q": q, "a": a, "l": ["1.0", "0"] * 30}), LABELLED)) == ()


def test_neutral_pairs_are_left_out_and_counted(table, texts):
    words = ["entailment", "neutral", "contradiction"] * 20
    prepared = prepare(table({"q": texts(60), "a": texts(60, 9), "l": words}), LABELLED)
    assert prepared.data["label"].to_pylist() == [1, 0] * 20
    found = {f.code: f for f in check(prepared)}
    assert (found["neutral_labels"].count, found["neutral_labels"].rows[:2]) == (20, (3, 6))
    assert "'neutral'" in found["neutral_labels"].message
    assert "neutral" not in found["labels_read_as"].message


def test_only_neutral_pairs_leave_no_row(table, texts):
    with pytest.raises(DataError, match="No row is left"):
        prepare(table({"q": texts(9), "a": texts(9), "l": ["neutral"] * 9}), LABELLED)


def test_an_unknown_spelling_is_refused_by_row_column_and_value(table):
    source = table({"q": list("abc"), "a": list("xyz"), "l": ["similar", "different", "so-so"]})
    with pytest.raises(DataError, match="Row 4: 'l' is 'so-so', which is neither 0 nor 1") as raised:
        prepare(source, LABELLED)
    assert "The column has different, similar, so-so." in raised.value.hint
    assert "as score" not in raised.value.hint


def test_numbers_of_entailment_are_refused_because_their_order_differs(table):
    source = table({"q": list("abc"), "a": list("xyz"), "l": ["0", "2", "1"]})
    with pytest.raises(DataError, match="Row 3: 'l' is '2'") as raised:
        prepare(source, LABELLED)
    assert "write entailment, neutral and contradiction" in raised.value.hint


def test_a_column_of_spellings_is_guessed_to_be_the_label(table, texts):
    words = ["duplicate", "not duplicate"] * 30
    assert guess_roles(table({"a": texts(60), "verdict": words, "b": texts(60)})) == Roles("a", "b", label="verdict")
    topics = ["duplicate", "cards"] * 30
    assert guess_roles(table({"a": texts(60), "verdict": topics, "b": texts(60)})) == Roles("a", "b")


def test_real_judgements_of_entailment_become_labelled_pairs(shared_data):
    table = read_table(shared_data / "sick" / "dev.csv")
    report = inspect_table(table, Roles("sentence1", "sentence2", label="entailment"))
    found = {f.code: f for f in report.findings}
    assert report.prepared.format == "labelled_pair"
    assert len(report.prepared.data) + sum(map(len, report.prepared.dropped.values())) == len(table.data)
    assert found["neutral_labels"].count == 282
    assert "'CONTRADICTION' as 0" in found["labels_read_as"].message
