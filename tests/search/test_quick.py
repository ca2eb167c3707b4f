import numpy as np
import pytest

from studio.search import quick
from studio.search.find import ModelWay
from studio.search.index import Index


@pytest.fixture(scope="module")
def vectors():
    chance = np.random.default_rng(0)
    centres = chance.normal(size=(40, 64))
    rows = centres[chance.integers(0, 40, 6000)] + chance.normal(scale=0.6, size=(6000, 64))
    return (rows / np.linalg.norm(rows, axis=1, keepdims=True)).astype(np.float32)


def test_the_quick_scan_finds_what_the_exact_one_finds_and_scores_it_exactly(vectors, tmp_path):
    scan = quick.make(vectors, tmp_path / quick.FILE)
    opened = quick.open_quick(tmp_path / quick.FILE)
    queries = vectors[::200]
    assert quick.recall(scan, vectors, queries) == quick.recall(opened, vectors, queries) >= 0.99
    entries, scores = quick.nearest(scan, vectors, queries[3], 10)
    np.testing.assert_allclose(scores, (vectors @ queries[3])[entries], atol=1e-6)
    assert (np.diff(scores) <= 0).all()


def test_a_small_index_and_one_of_distances_are_searched_exactly():
    assert quick.pays(quick.EXACT_ENTRIES + 1, "cosine", 384)
    assert not quick.pays(quick.EXACT_ENTRIES, "cosine", 384)
    assert not quick.pays(10**6, "euclidean", 384)


def test_a_document_is_one_hit_however_many_of_its_passages_are_near(vectors, tmp_path):
    scan = quick.make(vectors, tmp_path / quick.FILE)
    positions = np.sort(np.arange(6000) // 3)
    spans = np.stack([np.arange(6000), np.arange(6000) + 1], axis=1).astype(np.int32)
    index = Index(vectors, positions, 2000, "cosine", spans)
    quickly = ModelWay("a", "A", index, None, scan, 0.99)._quickly(vectors[300])
    assert len(set(quickly.documents.tolist())) == len(quickly.documents)
    assert quickly.documents[0] == 100
    assert quickly.passage(100) == (300, 301)
    assert "recall@10 0.990" in quickly.note
    assert 95 < quickly.lower(quickly.scores[0]) <= 100


def test_a_broken_copy_is_said_so(tmp_path):
    from studio.errors import SearchError

    (tmp_path / quick.FILE).write_bytes(b"no index")
    with pytest.raises(SearchError, match="damaged"):
        quick.open_quick(tmp_path / quick.FILE)
