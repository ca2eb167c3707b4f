import dataclasses
import shutil

import numpy as np
import pyarrow as pa
import pytest

from studio.errors import SearchError
from studio.search.encode import CHUNK, Stopped, encode, encode_one
from studio.search.index import Index, build_index, open_index, ranks, top

STATIC = "wordllama-l2-supercat-256"
TEXTS = ["my card is lost", "top up by cash", None, "exchange rate", "my card is lost", "  ", "close my account"]


def unit(vectors):
    return vectors / np.linalg.norm(vectors, axis=1, keepdims=True)


@pytest.fixture(scope="module")
def built(tmp_path_factory, static_model):
    folder = tmp_path_factory.mktemp("index")
    meta = build_index(folder, pa.array(TEXTS), STATIC, model=static_model)
    return folder, meta


def test_search_agrees_with_a_full_sort():
    random = np.random.default_rng(0)
    vectors = unit(random.normal(size=(5000, 16)).astype(np.float32))
    index = Index(vectors, np.arange(5000), 5000)
    query = unit(random.normal(size=(1, 16)).astype(np.float32))[0]
    positions, scores = index.search(query, 25)
    np.testing.assert_array_equal(positions, np.argsort(-(vectors @ query), kind="stable")[:25])
    assert (np.diff(scores) <= 0).all()


def test_ranks_agree_with_search_also_among_equal_scores():
    scores = np.array([0.5, 0.9, 0.5, 0.1, 0.9, 0.5], dtype=np.float32)
    assert top(scores, 4).tolist() == [1, 4, 0, 2]
    assert ranks(scores, top(scores, 6)).tolist() == [1, 2, 3, 4, 5, 6]
    assert top(scores, 100).tolist() == [1, 4, 0, 2, 5, 3]


def test_a_built_index_finds_the_text_itself_first(built, static_model):
    folder, meta = built
    assert (meta.rows, meta.entries, meta.dimension) == (7, 4, 256)
    index = open_index(folder, STATIC)
    for position in (0, 1, 3, 6):
        vector = encode_one(static_model, TEXTS[position])
        positions, scores = index.search(vector, 2)
        assert positions[0] == position
        assert scores[0] == pytest.approx(1, abs=1e-5)
        assert index.ranks(vector, positions).tolist() == [1, 2]


def test_empty_and_repeated_texts_are_not_entries(built):
    assert open_index(built[0]).positions.tolist() == [0, 1, 3, 6]


def test_vectors_are_not_read_into_memory(built):
    assert isinstance(open_index(built[0]).vectors, np.memmap)


def test_no_index_is_a_clear_error(tmp_path):
    with pytest.raises(SearchError, match="not indexed"):
        open_index(tmp_path)


def test_a_stopped_index_says_so_and_goes_on_where_it_was(tmp_path, static_model):
    texts = [f"text number {i}" for i in range(3 * CHUNK)]
    done = []
    with pytest.raises(Stopped):
        build_index(
            tmp_path, texts, STATIC, model=static_model, stop=lambda: bool(done), progress=lambda *p: done.append(p)
        )
    with pytest.raises(SearchError, match="not finished"):
        open_index(tmp_path)
    done.clear()
    build_index(tmp_path, texts, STATIC, model=static_model, progress=lambda *p: done.append(p))
    assert done == [(2 * CHUNK, 3 * CHUNK), (3 * CHUNK, 3 * CHUNK)]
    np.testing.assert_allclose(open_index(tmp_path).vectors, encode(static_model, texts), atol=1e-6)


def test_rows_of_other_texts_are_not_gone_on_with(tmp_path, static_model):
    done = []
    with pytest.raises(Stopped):
        build_index(
            tmp_path, [f"old {i}" for i in range(CHUNK + 1)], STATIC, model=static_model,
            stop=lambda: bool(done), progress=lambda *p: done.append(p),
        )  # fmt: skip
    texts = [f"new {i}" for i in range(CHUNK + 1)]
    build_index(tmp_path, texts, STATIC, model=static_model)
    np.testing.assert_allclose(open_index(tmp_path).vectors, encode(static_model, texts), atol=1e-6)


def test_building_again_does_nothing_while_texts_and_model_are_the_same(built, static_model):
    folder, meta = built
    changed = (folder / "vectors.npy").stat().st_mtime_ns
    assert build_index(folder, TEXTS, STATIC, model=static_model) == meta
    assert (folder / "vectors.npy").stat().st_mtime_ns == changed


def test_an_index_of_another_model_is_refused(built, tiny_model):
    with pytest.raises(SearchError, match="another model"):
        open_index(built[0], str(tiny_model))


def test_a_retrained_model_in_the_same_folder_is_another_model(built, tmp_path, tiny_model):
    folder = tmp_path / "model"
    shutil.copytree(tiny_model, folder)
    build_index(tmp_path / "index", TEXTS, str(folder))
    open_index(tmp_path / "index", str(folder))
    weights = bytearray((folder / "model.safetensors").read_bytes())
    weights[-1] ^= 1
    (folder / "model.safetensors").write_bytes(weights)
    with pytest.raises(SearchError, match="another model"):
        open_index(tmp_path / "index", str(folder))


def test_a_cut_off_index_is_found_out(built, tmp_path):
    folder = tmp_path / "index"
    shutil.copytree(built[0], folder)
    vectors = (folder / "vectors.npy").read_bytes()
    (folder / "vectors.npy").write_bytes(vectors[:-100])
    with pytest.raises(SearchError, match="damaged"):
        open_index(folder)


def test_a_vector_of_another_dimension_is_refused(built):
    with pytest.raises(SearchError, match="256 dimensions, the model 3"):
        open_index(built[0]).search(np.ones(3, dtype=np.float32), 1)


@pytest.mark.parametrize("texts", [[], [None, ""], ["  ", "\n"]])
def test_a_corpus_without_texts_is_refused(tmp_path, static_model, texts):
    with pytest.raises(SearchError, match="no texts"):
        build_index(tmp_path, texts, STATIC, model=static_model)
    assert list(tmp_path.iterdir()) == []


def test_meta_says_what_was_indexed(built):
    assert dataclasses.asdict(built[1])["model"] == STATIC
