import numpy as np
import pyarrow as pa
import pytest

from studio.making import tidy


@pytest.fixture(scope="module")
def vectors():
    chance = np.random.default_rng(1)
    centres = np.eye(3, 16, dtype=np.float32)
    rows = np.repeat(centres, 20, axis=0) + chance.normal(scale=0.05, size=(60, 16)).astype(np.float32)
    rows[7] = rows[3]
    rows[9] = rows[3] * 2
    return rows / np.linalg.norm(rows, axis=1, keepdims=True)


def test_topics_are_found_and_named_by_what_tells_them_apart(vectors):
    topic, centres = tidy.topics(vectors, 3)
    assert [len(set(topic[at : at + 20])) for at in (0, 20, 40)] == [1, 1, 1]
    assert len(set(topic)) == 3
    words = ["the bird and the nest", "the card and the bank", "the rain and the wind"]
    texts = pa.chunked_array([pa.array([words[at // 20] for at in range(60)])])
    named = tidy.keywords(texts, topic, len(centres))
    assert set(named[topic[0]][:2]) == {"bird", "nest"}
    assert set(named[topic[50]][:2]) == {"rain", "wind"}


def test_near_duplicates_are_groups_with_their_first(vectors, monkeypatch):
    topic, _ = tidy.topics(vectors, 3)
    seen = []
    (group,) = tidy.duplicates(vectors, topic, 0.9999, seen.append)
    assert [row for row, _ in group] == [3, 7, 9]
    assert all(similarity == pytest.approx(1) for _, similarity in group)
    monkeypatch.setattr(tidy, "ALL_PAIRS", 10)
    assert tidy.duplicates(vectors, topic, 0.9999, seen.append) == [group]
    assert seen


def test_texts_without_words_have_no_keywords():
    assert tidy.keywords(pa.chunked_array([pa.array(["12 34", "!"])]), np.array([0, 1]), 2) == [[], []]
