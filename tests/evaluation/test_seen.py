"""What the models see, of embeddings whose figures are known."""

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from studio.evaluation.evidence import Meta
from studio.evaluation.seen import Embeddings, look, make_pairs, told_apart, uniformity
from studio.files import write_json
from studio.search.map import ASKED, make_map, plane, turned


def unit(vectors: np.ndarray) -> np.ndarray:
    return vectors / np.linalg.norm(vectors, axis=1, keepdims=True)


@pytest.fixture
def embeddings(tmp_path):
    """embeddings(format, base, tuned, rows) -> the evidence of a run of these texts, as evidence.py writes it."""

    def make(format: str, base: np.ndarray, tuned: np.ndarray, rows: dict, columns: tuple[str, ...] = ()) -> Embeddings:
        folder = tmp_path / str(len(list(tmp_path.iterdir())))
        folder.mkdir()
        texts = [f"text {i}" for i in range(len(base))]
        pq.write_table(pa.table({"text": texts, "asked": [False] * len(texts)}), folder / "texts.parquet")
        for name, vectors in (("base", base), ("tuned", tuned)):
            np.save(folder / f"{name}.npy", unit(vectors).astype(np.float16))
        lists = {
            name: pa.array(values, pa.list_(pa.int32())) for name, values in rows.items() if name.endswith("ive_at")
        }
        pq.write_table(pa.table({**rows, **lists}), folder / "rows.parquet")
        write_json(folder / "meta.json", {})
        meta = Meta(format, "ndcg@10", "ndcg@10", ("ndcg@10",), (), columns, len(texts), len(texts))
        return Embeddings(folder, meta)

    return make


def topics(rows: int, noise: float, seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    """Vectors of ``rows`` questions and their answers, each near a direction of its own."""
    chance = np.random.default_rng(seed)
    centre = chance.normal(size=(rows, 32))
    return tuple(centre + noise * chance.normal(size=centre.shape) for _ in range(2))


def paired(rows: int) -> dict:
    return {"anchor_at": np.arange(rows, dtype=np.int32), "positive_at": [[rows + i] for i in range(rows)]}


def test_a_model_that_tells_pairs_apart_is_seen_to(embeddings):
    rows = 200
    base, tuned = (np.concatenate(topics(rows, noise)) for noise in (2.0, 0.3))
    seen = look(embeddings("pair", base, tuned, paired(rows)), seed=1)
    assert seen.negatives_are == "others"
    assert seen.tuned.told_apart > 0.999
    assert 0.6 < seen.base.told_apart < 0.95
    assert seen.tuned.alignment < seen.base.alignment
    for one in (seen.base, seen.tuned):
        assert one.alignment == pytest.approx(2 - 2 * one.positives.mean, abs=1e-6)
        assert sum(one.positives.shares) == pytest.approx(1, abs=1e-3)
        assert one.negatives.pairs > 10 * rows
    again = look(embeddings("pair", base, tuned, paired(rows)), seed=1)
    assert again == seen


def test_a_right_text_is_never_drawn_as_a_wrong_one(embeddings):
    rows = 30
    vectors = np.concatenate(topics(rows, 0.1))
    table = {
        "anchor_at": np.arange(rows, dtype=np.int32),
        "positive_at": [[rows + i, rows + (i + 1) % rows] for i in range(rows)],
    }
    pairs = make_pairs(embeddings("pair", vectors, vectors, table), 0)
    right = {tuple(pair) for pair in pairs.positives.tolist()}
    assert len(right) == 2 * rows
    assert not right & {tuple(pair) for pair in pairs.negatives.tolist()}
    assert len({place for _, place in pairs.negatives.tolist()}) == rows


def test_the_tables_own_negatives_and_low_scores_are_used_where_there_are_some(embeddings):
    vectors = np.concatenate(topics(20, 0.1))
    triplets = {**paired(20), "negative_at": [[20 + (i + 3) % 20, -1] for i in range(20)]}
    pairs = make_pairs(embeddings("triplet", vectors, vectors, triplets), 0)
    assert pairs.negatives_are == "own"
    assert pairs.negatives.tolist() == [[i, 20 + (i + 3) % 20] for i in range(20)]
    scored = {**paired(20), "target": np.arange(20) / 20}
    pairs = make_pairs(embeddings("scored_pair", vectors, vectors, scored), 0)
    assert [pair[0] for pair in pairs.positives.tolist()] == list(range(10, 20))
    assert [pair[0] for pair in pairs.negatives.tolist()] == list(range(10))


def test_texts_of_one_class_are_no_wrong_answers_for_each_other(embeddings):
    vectors = np.random.default_rng(0).normal(size=(30, 8))
    classed = {
        "anchor_at": np.arange(30, dtype=np.int32),
        "positive_at": [[(i + 3) % 30] for i in range(30)],
        "in:class": ["abc"[i % 3] for i in range(30)],
    }
    found = embeddings("classed_text", vectors, vectors, classed)
    assert all(one % 3 != other % 3 for one, other in make_pairs(found, 0).negatives.tolist())
    drawn = make_map(found, 0)
    (classes,) = drawn.colourings
    assert (classes.id, set(classes.groups)) == ("in:class", {"a", "b", "c"})
    assert classes.base[0] == "a"


def test_there_is_nothing_to_show_of_one_kind_of_pairs_or_few_texts(embeddings):
    vectors = np.eye(4)[:2]
    found = embeddings(
        "labelled_pair", vectors, vectors, {"anchor_at": np.zeros(1, np.int32), "positive_at": [[1]], "target": [1.0]}
    )
    assert look(found, 0) is None
    assert make_map(found, 0) is None


def test_told_apart_counts_pairs_and_halves_ties():
    assert told_apart(np.array([0.9, 0.5]), np.array([0.5, 0.1])) == pytest.approx((1 + 1 + 0.5 + 1) / 4)


def test_uniformity_is_zero_in_one_place_and_lower_where_texts_spread():
    assert uniformity(np.tile(np.eye(3)[:1], (5, 1))) == pytest.approx(0)
    spread = unit(np.random.default_rng(0).normal(size=(300, 64)))
    assert uniformity(spread) == pytest.approx(-4, abs=0.15)  # right angles: distance squared 2
    assert uniformity(np.concatenate([spread, spread[:1].repeat(300, axis=0)])) > uniformity(spread)


def test_the_same_embeddings_turned_or_mirrored_give_the_same_picture(embeddings):
    rows = 80
    base = unit(np.concatenate(topics(rows, 0.5)))
    turn = np.linalg.qr(np.random.default_rng(5).normal(size=(32, 32)))[0]
    found = embeddings(
        "pair",
        base,
        base @ turn,
        {**paired(rows), "base:accuracy@1": np.arange(rows) % 2.0, "tuned:accuracy@1": np.ones(rows)},
    )
    drawn = make_map(found, 0)
    assert len(drawn.points) == 2 * rows
    both = np.array([[*point.base, *point.tuned] for point in drawn.points])
    assert np.abs(both[:, :2] - both[:, 2:]).max() < 0.02  # half precision
    assert drawn.held[0] == pytest.approx(drawn.held[1], abs=0.01)
    right = drawn.colourings[0]
    asked = [i for i, point in enumerate(drawn.points) if point.kind == ASKED]
    assert {right.base[i] for i in asked} == {"right", "wrong"}
    assert {right.tuned[i] for i in asked} == {"right"}


def test_a_plane_holds_the_two_directions_that_differ_most():
    chance = np.random.default_rng(0)
    vectors = chance.normal(size=(100, 6)) * [5, 3, 0.1, 0.1, 0.1, 0.1]
    flat, held = plane(vectors)
    assert held > 0.99
    assert np.ptp(flat[:, 0]) > np.ptp(flat[:, 1])
    assert abs(np.corrcoef(flat[:, 0], vectors[:, 0])[0, 1]) > 0.999
    assert plane(np.ones((4, 1)))[0].shape == (4, 2)  # vectors of one number
    mirrored = flat * [1, -1] @ np.array([[0, 1], [-1, 0]])
    assert np.allclose(turned(mirrored, flat), flat)
