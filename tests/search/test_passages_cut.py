import pyarrow as pa
import pytest

from studio.errors import SearchError
from studio.search.cut import TITLE_SHARE, cut, limit_of, passages
from studio.search.warm import load


def chunked(texts):
    return pa.chunked_array([pa.array(texts, pa.string())])


@pytest.fixture(scope="module")
def model(tiny_model):
    model = load(str(tiny_model))
    model.max_seq_length = 40
    return model


def count(model, text):
    return len(model.tokenizer(text)["input_ids"])


def test_no_passage_is_longer_than_the_model_reads_and_nothing_is_lost(model):
    long = " ".join(f"Sentence {i} speaks of antidisestablishmentarianism and of rain." for i in range(40))
    found = cut(chunked(["short", long, None, "  "]), None, model)
    assert found.positions.tolist() == [0] + [1] * (len(found.texts) - 1)
    assert len(found.texts) > 10
    for text in found.texts:
        assert count(model, text) <= model.max_seq_length
    joined = "".join(long[begin:end] for begin, end in found.spans[1:])
    assert joined.replace(" ", "") == long.replace(" ", "")
    assert all(text.strip().endswith(".") for text in found.texts[1:]), "sentences stay whole where they can"


def test_a_title_stands_before_every_passage_and_takes_its_share(model):
    found = cut(chunked(["word " * 200]), chunked(["A very long title " * 20]), model)
    for text in found.texts:
        title, _, piece = text.partition("\n")
        assert 0 < count(model, title) <= limit_of(model) // TITLE_SHARE + 2
        assert piece
        assert count(model, text) <= model.max_seq_length


def test_text_without_blanks_is_cut_where_there_is_room(model):
    text = "あ" * 300
    spans = passages(text, [(i, i + 1) for i in range(300)], 40)
    assert "".join(text[begin:end] for begin, end in spans) == text
    assert max(end - begin for begin, end in spans) <= 40


def test_a_corpus_without_texts_is_refused(model):
    with pytest.raises(SearchError, match="no texts"):
        cut(chunked([None, " "]), None, model)
