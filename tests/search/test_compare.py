import pytest

from studio.errors import SearchError
from studio.search.compare import compare, search
from studio.search.encode import encode
from studio.search.index import Index, distinct
from studio.search.result import MAX_QUERY_CHARACTERS, check_query
from studio.search.warm import load

TEXTS = [
    "My card was stolen",
    "How do I top up with cash?",
    "What is the exchange rate?",
    "My card was stolen",
    "I want to close my account",
    "Why was my transfer declined?",
]


def index_of(model):
    entries, positions = distinct(TEXTS)
    return Index(encode(model, entries), positions, len(TEXTS))


@pytest.fixture(scope="module")
def other(tiny_model):
    return load(str(tiny_model))


@pytest.fixture(scope="module")
def comparison(static_model, other):
    return compare("stolen card", TEXTS, index_of(static_model), index_of(other), static_model, other, 3)


def test_hits_are_ranked_by_score(comparison):
    assert comparison.corpus_size == 5
    for hits in (comparison.base, comparison.tuned):
        assert [hit.rank for hit in hits] == [1, 2, 3]
        assert sorted((hit.score for hit in hits), reverse=True) == [hit.score for hit in hits]
        assert all(hit.text == TEXTS[hit.document] for hit in hits)


def test_the_best_hit_is_the_right_one(comparison):
    assert comparison.base[0].text == "My card was stolen"


def test_other_rank_is_where_the_other_model_has_the_same_text(static_model, other, comparison):
    everything = compare("stolen card", TEXTS, index_of(static_model), index_of(other), static_model, other, 5)
    tuned_rank = {hit.document: hit.rank for hit in everything.tuned}
    base_rank = {hit.document: hit.rank for hit in everything.base}
    assert len(tuned_rank) == 5
    assert [hit.other_rank for hit in comparison.base] == [tuned_rank[hit.document] for hit in comparison.base]
    assert [hit.other_rank for hit in comparison.tuned] == [base_rank[hit.document] for hit in comparison.tuned]


def test_one_model_can_be_searched_alone(static_model, comparison):
    hits = search("stolen card", TEXTS, index_of(static_model), static_model, 3)
    assert [(hit.document, hit.score) for hit in hits] == [(hit.document, hit.score) for hit in comparison.base]
    assert {hit.other_rank for hit in hits} == {None}


@pytest.mark.parametrize(
    ("query", "top_k", "words"),
    [
        ("", 10, "empty"),
        (" \n", 10, "empty"),
        ("x" * (MAX_QUERY_CHARACTERS + 1), 10, "2,001 characters"),
        ("\ud800", 10, "broken characters"),
        ("card", 0, "not 0"),
        ("card", 1000, "not 1000"),
    ],
)
def test_a_bad_query_is_refused_in_plain_words(query, top_k, words):
    with pytest.raises(SearchError, match=words):
        check_query(query, top_k)


def test_an_index_of_another_corpus_is_refused(static_model, other):
    with pytest.raises(SearchError, match="another corpus"):
        compare("card", TEXTS[:3], index_of(static_model), index_of(other), static_model, other)


def test_swapped_indexes_are_refused(static_model, other):
    with pytest.raises(SearchError, match="dimensions"):
        compare("card", TEXTS, index_of(other), index_of(static_model), static_model, other)
