"""Guessing what columns are for, from names and content, whatever their order."""

import random

import pytest

from studio.data.read import read_table
from studio.data.roles import guess_roles
from studio.data.table import Roles

N = 40
TOPICS = "activate block cancel change close find lose order pay replace stop verify".split()  # noqa: SIM905


@pytest.mark.parametrize(
    ("name", "roles"),
    [
        ("banking77.csv", Roles("question", "topic")),
        ("programs_triplets.csv", Roles("anchor", "positive", ("negative",))),
    ],
)
def test_the_shipped_samples_need_no_correction(samples, name, roles):
    assert guess_roles(read_table(samples / name)) == roles


@pytest.mark.parametrize(
    ("name", "roles"),
    [
        ("sick/train.csv", Roles("sentence1", "sentence2", score="score")),
        ("stsb/train.csv", Roles("sentence1", "sentence2", score="score")),
        ("sick/triplets_train.csv", Roles("anchor", "positive", ("negative",))),
        ("banking77/test.csv", Roles("text", "category")),
        ("scifact/train_pairs.csv", Roles("query", "document")),
        ("scifact/corpus.csv", Roles("title", "text")),
        ("gc_programs/train_pairs_fr.csv", Roles("title", "description")),
        ("gc_programs/parallel_en_fr.csv", Roles("english", "french")),
        ("nasty/01_sts_test_unescaped_quotes.tsv.csv", Roles("column_6", "column_7", score="column_5")),
        ("nasty/03_sms_spam_empty_columns.csv", Roles(text="v2", class_="v1")),
        ("nasty/06_gc_covid_measures_bom.csv", Roles("name_en", "name_fr")),
        ("nasty/11_iso_products_missing.csv", Roles("name", "description")),
        ("nasty/12_agents_bulk_text.csv", Roles(text="text")),
        ("nasty/27_one_column.csv", Roles(text="text")),
        ("banking77/qrels_test.csv", Roles()),
    ],
)
def test_real_tables_get_the_roles_a_person_would_choose(shared_data, name, roles):
    assert guess_roles(read_table(shared_data / name)) == roles


def _flags(chance):
    return [str(chance.randint(0, 1)) for _ in range(N)]


CASES = {
    "duplicate questions": (
        {"id": "id", "qid1": "id", "qid2": "id", "question1": 8, "question2": 8, "is_duplicate": "flag"},
        Roles("question1", "question2", label="is_duplicate"),
    ),
    "a string id is no negative": ({"uid": "hash", "query": 4, "passage": 20}, Roles("query", "passage")),
    "several negatives": (
        {"neg_10": 9, "neg_2": 9, "neg_1": 9, "pos": 9, "q": 4},
        Roles("q", "pos", ("neg_1", "neg_2", "neg_10")),
    ),
    "camel case": (
        {"answerText": 20, "queryText": 4, "similarityScore": "real"},
        Roles("queryText", "answerText", score="similarityScore"),
    ),
    "German": ({"Antwort": 20, "Frage": 4, "Ähnlichkeit": "real"}, Roles("Frage", "Antwort", score="Ähnlichkeit")),
    "French": ({"Réponse": 20, "Requête": 4}, Roles("Requête", "Réponse")),
    "Japanese": ({"回答": 20, "質問": 4}, Roles("質問", "回答")),
    "a score beats a label": (
        {"score": "real", "label": "flag", "sentence2": 8, "sentence1": 8},
        Roles("sentence1", "sentence2", score="score"),
    ),
    "0 and 1 beside two texts are a label": ({"foo": "flag", "b": 8, "a": 8}, Roles("a", "b", label="foo")),
    "two columns of 0 and 1 are no label": ({"is_active": "flag", "is_crown": "flag", "a": 8, "b": 8}, Roles("a", "b")),
    "a price is no score": ({"price": "real", "title": 3, "description": 20}, Roles("title", "description")),
    "a topic gives way to an answer": ({"Topic": "few", "Question": 4, "Answer": 20}, Roles("Question", "Answer")),
    "negatives beat a score": (
        {"score": "real", "anchor": 4, "positive": 9, "negative": 9},
        Roles("anchor", "positive", ("negative",)),
    ),
    "judgements that are not 0/1 are shown as the label": (
        {"label": "nli", "hypothesis": 8, "premise": 9},
        Roles("premise", "hypothesis", label="label"),
    ),
    "numbers of classes are a class": ({"label": "code", "sentence": 8}, Roles(text="sentence", class_="label")),
    "codes are a class": ({"intent": "codes", "utterance": 8}, Roles(text="utterance", class_="intent")),
    "two readable classes are too few to be answers": ({"Topic": "few", "b": 8}, Roles(text="b", class_="Topic")),
    "topics are answers": ({"topic": "topics", "question": 8}, Roles("question", "topic")),
    "a rating of one text is no class": ({"rating": "code", "review": 20}, Roles(text="review")),
    "an id beside one text is no class": ({"id": "id", "text": 8}, Roles(text="text")),
    "strings of MRPC": (
        {"Quality": "flag", "#1 ID": "id", "#2 ID": "id", "#1 String": 9, "#2 String": 9},
        Roles("#1 String", "#2 String", label="Quality"),
    ),
}


@pytest.mark.parametrize("case", CASES)
def test_roles_follow_names_and_content_and_never_the_order(table, texts, case):
    kinds, roles = CASES[case]
    chance = random.Random(3)
    make = {
        "id": lambda: [str(i) for i in chance.sample(range(10_000, 99_999), N)],
        "hash": lambda: [f"doc-{i:x}" for i in chance.sample(range(1 << 20, 1 << 24), N)],
        "flag": lambda: _flags(chance),
        "real": lambda: [f"{chance.random():.2f}" for _ in range(N)],
        "few": lambda: chance.choices(["cards", "top up"], k=N),
        "code": lambda: [str(chance.randint(0, 4)) for _ in range(N)],
        "codes": lambda: [f"C{chance.randint(10, 20)}" for _ in range(N)],
        "topics": lambda: [f"{word} my card" for word in chance.choices(TOPICS, k=N - 12) + TOPICS],
        "nli": lambda: chance.choices(["entailment", "neutral", "contradiction"], k=N),
    }
    columns = {name: texts(N, kind) if isinstance(kind, int) else make[kind]() for name, kind in kinds.items()}
    for _ in range(5):
        names = chance.sample(list(columns), len(columns))
        assert guess_roles(table({name: columns[name] for name in names})) == roles


def test_a_column_of_lists_is_the_negatives(table, texts):
    columns = {"neg": [[t, t + "!"] for t in texts(N)], "pos": [[t] for t in texts(N)], "query": texts(N, 3)}
    assert guess_roles(table(columns)) == Roles("query", "pos", ("neg",))


def test_an_empty_column_that_is_called_positive_is_not_passed_over(tmp_path):
    path = tmp_path / "hole.csv"
    path.write_text("anchor,positive\n" + "".join(f"a text about matter {i},\n" for i in range(N)))
    assert guess_roles(read_table(path)) == Roles("anchor", "positive")
    path.write_text("text,positive\n" + "".join(f"a text about matter {i},\n" for i in range(N)))
    assert guess_roles(read_table(path), 1) == Roles(text="text"), "unless a person says that there is one text a row"
