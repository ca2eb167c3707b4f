import numpy as np
import pytest
import torch
from datasets import Dataset

from studio.training import teacher as teacher_module
from studio.training.config import make_config
from studio.training.feeding import Epoch, feed, leave_out, pair_up
from studio.training.teacher import ask, teach

CPU = torch.device("cpu")
TEXTS = ["Where is my card and why has it not come", "I lost my phone", "Top up", "One"]
NOISY = {"loss": "DenoisingAutoEncoderLoss"}


@pytest.fixture
def fed(dataset):
    """fed(settings, epoch=...) -> rows of plain texts as the loss gets them."""

    def make(settings: dict, epoch: int | None = None) -> Dataset:
        which = Epoch() if epoch is not None else None
        if which is not None:
            which.number = epoch
        return feed(dataset("texts", 40)[1], np.arange(30), make_config(settings), epoch=which)

    return make


def noisy(rows: Dataset) -> list[str]:
    return rows[:]["noisy"]


def test_noise_follows_from_seed_epoch_and_text_alone(fed):
    assert noisy(fed(NOISY, 1)) == noisy(fed(NOISY, 1))
    assert noisy(fed(NOISY, 1)) != noisy(fed(NOISY, 2))
    assert noisy(fed(NOISY, 1)) != noisy(fed({**NOISY, "seed": 7}, 1))
    rows = fed(NOISY, 1)
    assert [row["noisy"] for row in (rows[i] for i in range(29, -1, -1))] == noisy(rows)[::-1]


def test_another_epoch_brings_other_noise_to_the_same_rows(fed):
    epoch = Epoch()
    rows = fed(NOISY)
    drawn = rows.with_transform(lambda batch: leave_out(batch, 42, epoch.number, 0.6))
    first = drawn[:]["noisy"]
    epoch.on_epoch_begin(None, type("State", (), {"epoch": 1.0}), None)
    assert drawn[:]["noisy"] != first
    assert epoch.number == 1


def test_heldout_rows_have_the_same_noise_at_every_look(fed):
    assert noisy(fed(NOISY)) == noisy(fed(NOISY, 0))


def test_words_are_left_out_and_one_always_stays():
    batch = {"noisy": TEXTS, "text": TEXTS}
    for epoch in range(20):
        thinned = leave_out(batch, 1, epoch, 0.6)["noisy"]
        for text, rest in zip(TEXTS, thinned, strict=True):
            words = iter(text.split())
            assert rest.split()
            assert all(word in words for word in rest.split())  # in their order
        assert thinned[3] == "One"
    kept = np.mean([len(leave_out(batch, 1, e, 0.6)["noisy"][0].split()) for e in range(200)])
    assert kept == pytest.approx(0.4 * 10, abs=0.4)


def test_a_language_without_spaces_loses_characters():
    text = "信用卡丢失了怎么办"
    thinned = leave_out({"noisy": [text], "text": [text]}, 1, 0, 0.5)["noisy"][0]
    assert 0 < len(thinned) < len(text)
    assert set(thinned) <= set(text)


def test_every_eighth_row_is_a_text_with_itself_and_the_others_are_not():
    texts = [f"text {i}" for i in range(32)]
    batch = pair_up({"text": texts[:16]}, 1, 0, texts)
    assert [i for i, label in enumerate(batch["label"]) if label] == [0, 8]
    for text, other, label in zip(batch["text"], batch["other"], batch["label"], strict=True):
        assert (text == other) == (label == 1)
    assert pair_up({"text": texts[:16]}, 1, 1, texts)["other"] != batch["other"]


def test_texts_that_are_all_alike_are_labelled_as_what_they_are():
    assert pair_up({"text": ["same"] * 3}, 1, 0, ["same"])["label"] == [1, 1, 1]


@pytest.fixture
def taught(dataset, small_bert):
    """taught(loss, format) -> (the teacher's labels, rows as the loss gets them, rows of the dataset)."""

    def make(loss: str, format: str, negatives: int = 1):
        data = dataset(format, 12, negatives)[1]
        config = make_config({"loss": loss, "teacher_model": str(small_bert(24))})
        labels = ask(data, config, CPU, lambda: None)
        return labels, feed(data, np.arange(12), config, labels), data

    return make


@pytest.mark.parametrize(
    ("loss", "format", "negatives", "shape", "columns"),
    [
        ("MarginMSELoss", "triplet", 2, (12, 3), ["anchor", "positive", "negative_1", "negative_2", "label"]),
        ("DistillKLDivLoss", "triplet", 1, (12, 2), ["anchor", "positive", "negative", "label"]),
        ("EmbedDistillLoss", "texts", 0, (12, 24), ["text", "label"]),
        ("EmbedDistillLoss", "pair", 0, (12, 2, 24), ["anchor", "positive", "label"]),
        ("MSELoss", "pair", 0, (12, 24), ["anchor", "positive", "label"]),
    ],
)
def test_a_teachers_labels_stand_beside_their_rows(taught, small_bert, loss, format, negatives, shape, columns):
    labels, rows, data = taught(loss, format, negatives)
    assert labels.shape == shape
    assert rows.column_names == columns
    np.testing.assert_allclose(np.array(rows["label"]), labels, rtol=1e-6)
    teacher = teacher_module.load_base(teacher_module.resolve_base(str(small_bert(24))), "cpu")
    texts = [data[name].to_pylist() for name in columns[:-1]]
    vectors = [teacher.encode(column, convert_to_tensor=True) for column in texts]
    if format == "triplet":
        cosines = [torch.cosine_similarity(vectors[0], other) for other in vectors[1:]]
        expected = torch.stack(cosines, dim=1).numpy()
    else:
        expected = torch.stack(vectors, dim=1).numpy() if len(shape) == 3 else vectors[0].numpy()
    np.testing.assert_allclose(labels, expected, atol=1e-5)


def test_a_teacher_is_asked_once_and_again_for_other_settings(dataset, small_bert, tmp_path, monkeypatch):
    asked = []
    monkeypatch.setattr(teacher_module, "ask", lambda *args: asked.append(1) or np.full((4, 2), len(asked), np.float32))
    data = dataset("triplet", 4)[1]
    config = make_config({"loss": "MarginMSELoss", "teacher_model": str(small_bert(24))})
    first = teach(tmp_path / "taught", "a", data, config, CPU)
    again = teach(tmp_path / "taught", "a", data, config, CPU)
    assert len(asked) == 1
    assert np.array_equal(first, again)
    assert teach(tmp_path / "taught", "b", data, config, CPU)[0, 0] == 2


def test_a_stop_request_ends_the_teachers_work(dataset, small_bert):
    config = make_config({"loss": "MarginMSELoss", "teacher_model": str(small_bert(24))})

    def stop():
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        ask(dataset("triplet", 4)[1], config, CPU, stop)
