import numpy as np
import pytest
import torch

from studio.search.encode import (
    CHUNK,
    Stopped,
    batches,
    encode,
    encode_chunks,
    longest_first,
    precision,
    quicken,
)


def test_vectors_are_those_of_the_library_in_the_order_of_the_texts(static_model):
    texts = ["a card was lost", "hi", "how do I top up my account with cash in another country?"]
    ours = encode(static_model, texts)
    theirs = static_model.encode(texts, normalize_embeddings=True)
    assert ours.dtype == np.float32
    np.testing.assert_allclose(ours, theirs, atol=1e-6)


def test_every_vector_has_length_one(static_model):
    lengths = np.linalg.norm(encode(static_model, ["one", "two words", "three words here"]), axis=1)
    np.testing.assert_allclose(lengths, 1, atol=1e-6)


def test_equal_texts_are_encoded_once(static_model):
    reports = []
    vectors = encode(static_model, ["same", "other", "same", "same"], progress=lambda *p: reports.append(p))
    assert reports == [(2, 2)]
    np.testing.assert_array_equal(vectors[0], vectors[3])


def test_progress_is_told_after_every_chunk(static_model):
    reports = []
    encode(static_model, [f"text {i}" for i in range(CHUNK + 1)], progress=lambda *p: reports.append(p))
    assert reports == [(CHUNK, CHUNK + 1), (CHUNK + 1, CHUNK + 1)]


def test_stop_ends_encoding_at_the_next_chunk(static_model):
    done = []
    with pytest.raises(Stopped):
        encode(
            static_model,
            [f"text {i}" for i in range(3 * CHUNK)],
            stop=lambda: bool(done),
            progress=lambda *p: done.append(p),
        )
    assert done == [(CHUNK, 3 * CHUNK)]


def test_the_longest_texts_come_first(static_model):
    texts = ["ab", "abcd", "a", "abc"]
    order = longest_first(texts)
    assert [texts[i] for i in order] == ["abcd", "abc", "ab", "a"]
    rows = np.concatenate([rows for rows, _ in encode_chunks(static_model, texts, order)])
    assert sorted(rows) == [0, 1, 2, 3]


def test_batches_hold_no_more_than_their_budget_of_tokens_the_longest_first():
    counts = np.array([3, 50, 8, 8, 100, 1])
    found = [batch.tolist() for batch in batches(counts, 100)]
    assert found[:2] == [[4], [1, 2]]
    assert sorted(row for batch in found for row in batch) == list(range(6))
    assert all(len(batch) == 1 or max(counts[batch]) * len(batch) <= 100 for batch in found)


def test_reading_in_bf16_gives_the_same_neighbours(tiny_model):
    from studio.search.warm import load

    texts = [f"text {i} about {word}" for i in range(40) for word in ("cards", "cash", "rates", "rain")]
    texts += ["a much longer text of rain " * 30, "x"]
    quick = quicken(load(str(tiny_model)))
    exact, fast = encode(load(str(tiny_model)), texts), encode(quick, texts)
    assert np.einsum("ij,ij->i", exact, fast).min() > 0.999
    np.testing.assert_allclose(np.linalg.norm(fast, axis=1), 1, atol=1e-6)
    assert precision(quicken(load(str(tiny_model)))) == (
        "bf16" if torch.ops.mkldnn._is_mkldnn_bf16_supported() else "fp32"
    )


def test_a_diverged_model_is_named_as_such(tiny_model):
    from studio.errors import SearchError
    from studio.search.warm import load

    model = load(str(tiny_model))
    next(model.parameters()).data.fill_(float("nan"))
    with pytest.raises(SearchError, match="not numbers"):
        encode(model, ["anything"])
