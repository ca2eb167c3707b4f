import numpy as np
import pytest

from studio.evaluation.measure import measure, prompts_of
from studio.evaluation.sizes import Size, cheapest, in_words, lengths_of, size_against_quality
from studio.evaluation.task import make_task
from studio.evaluation.vectors import Vectors, asked_texts

pytestmark = pytest.mark.model
EVERY = np.arange(400)


@pytest.fixture(scope="module")
def embed(static_model):
    def make(task):
        texts = list(dict.fromkeys(text for side in asked_texts(static_model, task) for text in side))
        return texts, static_model.encode(texts)

    return make


def of(found, dimension, precision):
    return next(s for s in found.sizes if (s.dimension, s.precision) == (dimension, precision))


def test_whole_vectors_and_cut_ones_are_judged_as_measure_judges_them(static_model, banking, embed):
    task = make_task(banking, "pair", EVERY[:200], "answers")
    texts, vectors = embed(task)
    found = size_against_quality(static_model, task, texts, vectors, (256, 64))
    exact = measure(static_model, task, lengths=(256, 64))
    assert of(found, 256, "float32").value == pytest.approx(exact.metrics["ndcg@10"], abs=1e-6)
    assert exact.lengths[256] == pytest.approx(exact.metrics["ndcg@10"], abs=1e-6)
    for precision in ("float32",):
        assert of(found, 64, precision).value == pytest.approx(exact.lengths[64], abs=1e-6)
    assert of(found, 256, "int8").value == pytest.approx(exact.metrics["ndcg@10"], abs=0.01)
    assert of(found, 256, "binary").value < of(found, 256, "binary, rescored").value < of(found, 256, "float32").value
    assert {s.dimension: s.trained for s in found.sizes} == {256: True, 128: False, 64: True, 32: False, 16: False}
    assert [of(found, 256, p).bytes for p in ("float32", "int8", "binary")] == [1024, 256, 32]
    assert found.sizes[found.best].value >= 0.99 * max(s.value for s in found.sizes)


def test_a_text_is_no_hit_for_itself(static_model, banking, embed):
    classes = banking.rename_columns(["text", "class", "row"])
    task = make_task(classes, "classed_text", EVERY[:150])
    texts, vectors = embed(task)
    found = size_against_quality(static_model, task, texts, vectors)
    assert of(found, 256, "float32").value == pytest.approx(measure(static_model, task).metrics["ndcg@10"], abs=1e-6)


@pytest.mark.parametrize(
    ("name", "format"), [("scored", "scored_pair"), ("labelled", "labelled_pair"), ("triplets", "triplet")]
)
def test_pairs_and_triplets_are_judged_by_their_own_metric(static_model, request, embed, name, format):
    task = make_task(request.getfixturevalue(name), format, EVERY[:120])
    texts, vectors = embed(task)
    found = size_against_quality(static_model, task, texts, vectors)
    exact = measure(static_model, task).metrics[task.primary]
    assert found.metric == task.primary
    assert of(found, 256, "float32").value == pytest.approx(exact, abs=1e-6)
    assert "binary, rescored" not in {s.precision for s in found.sizes}, "nothing is searched"


def test_vectors_with_prompts_are_those_of_the_model(static_model, banking):
    task = make_task(banking, "pair", EVERY[:40])
    before = static_model.prompts
    static_model.prompts = {"query": "query: ", "document": "passage: "}
    try:
        assert prompts_of(static_model) == ("query: ", "passage: ")
        asked, found = asked_texts(static_model, task)
        texts = list(dict.fromkeys((*asked, *found)))
        known = Vectors(static_model, texts, static_model.encode(texts, prompt=""))
        assert measure(known, task).metrics == pytest.approx(measure(static_model, task).metrics, abs=1e-6)
    finally:
        static_model.prompts = before


def test_the_cheapest_within_one_percent_is_picked_and_said():
    sizes = [
        Size(64, "float32", 256, 0.900, True), Size(64, "int8", 64, 0.895, True), Size(64, "binary", 8, 0.8909, True),
        Size(32, "int8", 32, 0.892, False),
    ]  # fmt: skip
    assert cheapest(sizes) == 3
    said = in_words("ndcg@10", sizes, 3, ())
    assert (
        "the first 32 of 64 numbers as int8, 32 bytes a text instead of 256 (nDCG@10 0.892, the best is 0.900)" in said
    )
    assert "not trained to be cut" in said
    assert "trained to be cut to 64, 32 numbers" in in_words("ndcg@10", sizes, 3, (32, 64))
    alone = [sizes[0], Size(64, "int8", 64, 0.5, True)]
    assert in_words("ndcg@10", alone, cheapest(alone), ()).startswith("Keep all 64 numbers as float32")
    assert cheapest([Size(64, "float32", 256, None, True)]) is None


def test_lengths_are_halves_and_those_that_were_trained():
    assert lengths_of(384, (384, 200)) == (384, 200, 192, 96, 48, 24)
    assert lengths_of(300, ()) == (300, 150, 75)
