import csv

import bm25s
import numpy as np
import pytest

from studio.data.words import alike, keywords
from studio.evaluation.keyword import measure_keyword
from studio.evaluation.task import Retrieval, Task, make_task


def task_of(queries, corpus, relevant, own=()):
    retrieval = Retrieval(tuple(queries), tuple(corpus), tuple(map(frozenset, relevant)), tuple(own))
    return Task("pair", tuple(queries), tuple(corpus[min(one)] for one in relevant), (), None, retrieval)


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("Ｗho's THERE?", ["who", "s", "there"]),
        ("Straße 12", ["strasse", "12"]),
        ("銀行のカード", ["銀行", "行の", "のカ", "カー", "ード"]),
        ("我", ["我"]),
        ("iPhone15を買う", ["iphone15", "を買", "買う"]),
        ("हिन्दी में", ["हिन्दी", "में"]),
        ("สวัสดี", ["สว", "วั", "ัส", "สด", "ดี"]),
        ("...", []),
    ],
)
def test_words_are_found_in_every_script(text, words):
    assert keywords(text) == words


def test_keyword_search_ranks_as_the_library_does(banking):
    task = make_task(banking, "pair", np.arange(120), "answers")
    search, measured = task.retrieval, measure_keyword(task)
    index = bm25s.BM25()
    index.index([keywords(text) for text in search.corpus], show_progress=False)
    for number, query in enumerate(search.queries):
        scores = index.get_scores(keywords(query))
        shown = measured.hits.places[number]
        shown = shown[shown >= 0]
        assert scores[shown].tolist() == pytest.approx(np.sort(scores)[::-1][: len(shown)].tolist(), abs=1e-6)
        assert (scores[shown] > 0).all()
    assert 0.2 < measured.metrics["accuracy@1"] < 0.6


def test_a_text_without_a_word_of_the_question_is_no_hit():
    measured = measure_keyword(task_of(["red car", "xyz"], ["a red car", "blue bike", "green"], [{0}, {1}]))
    assert measured.hits.places[:, 0].tolist() == [0, -1]
    assert measured.metrics["accuracy@1"] == 0.5
    assert measured.values["ndcg@10"].tolist() == [1.0, 0.0]


def test_a_text_does_not_find_itself():
    texts = ["one two three", "one two four", "five"]
    measured = measure_keyword(task_of(texts[:2], texts, [{1}, {0}], own=(0, 1)))
    assert measured.hits.places[:, 0].tolist() == [1, 0]
    assert measured.metrics["accuracy@1"] == 1.0


def test_chinese_questions_find_their_answers():
    corpus = ["如何重置银行卡密码", "今天天气很好", "我想开一个新账户"]
    measured = measure_keyword(task_of(["银行卡密码忘了", "开账户"], corpus, [{0}, {2}]))
    assert measured.metrics["accuracy@1"] == 1.0


def test_texts_without_any_word_are_searched_in_vain():
    measured = measure_keyword(task_of(["!"], ["?", "..."], [{0}]))
    assert measured.metrics["ndcg@10"] == 0.0


def test_nothing_is_searched_for_scored_pairs(scored):
    assert measure_keyword(make_task(scored, "scored_pair", np.arange(10))) is None


@pytest.mark.parametrize(
    ("one", "other", "same"),
    [
        ("How do I reset my card's pin?", "how do i reset my card s PIN", True),
        ("How do I reset the pin of my card", "How do I reset the pin of my old card now", False),
        ("My card was charged 20 euros on Monday morning", "My card was charged 30 euros on Monday morning", False),
        ("Card", "Cards", False),
        ("a b c d e f g h i j k l m", "a b c d e f g h i j k l m n", True),
    ],
)
def test_two_texts_say_the_same_in_nearly_the_same_words(one, other, same):
    assert alike(one, other) is same
    assert alike(other, one) is same


def test_keyword_search_reproduces_the_published_figure_on_scifact(shared_data):
    """BEIR's paper gives BM25 an nDCG@10 of 0.665 (Thakur et al. 2021, table 2)."""

    def read(name: str) -> list[dict[str, str]]:
        with (shared_data / "scifact" / name).open(encoding="utf-8", newline="") as file:
            return list(csv.DictReader(file))

    corpus = read("corpus.csv")
    at = {row["doc_id"]: number for number, row in enumerate(corpus)}
    relevant: dict[str, set[int]] = {}
    for row in read("qrels_test.csv"):
        if int(row["score"]) > 0:
            relevant.setdefault(row["query_id"], set()).add(at[row["doc_id"]])
    queries = {row["query_id"]: row["query"] for row in read("queries_test.csv")}
    task = task_of(
        [queries[id] for id in relevant], [f"{row['title']} {row['text']}" for row in corpus], relevant.values()
    )
    assert measure_keyword(task).metrics["ndcg@10"] == pytest.approx(0.665, abs=0.005)
