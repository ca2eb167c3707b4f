import re

import numpy as np
import pytest
from datasets import Dataset
from sentence_transformers.util import mine_hard_negatives

from studio.data.dataset import import_dataset, load_info, load_rows
from studio.data.retrieval import read_folder
from studio.data.roles import guess_roles
from studio.data.rows import plain_text
from studio.data.split import split
from studio.data.table import Roles
from studio.errors import ConfigError, DataError
from studio.evaluation.task import make_task
from studio.making import negatives
from studio.making.maker import Stopped
from studio.making.mining import make_mining
from studio.search.encode import encode
from tests.data.test_retrieval import beir, own
from tests.making.conftest import WORDLLAMA, nothing

ROWS = 600
CARDS = [
    ("How do I block my card?", "Press block in the app and the card is dead at once."),
    ("My card was stolen, what now?", "Report the theft to the police and order a new card."),
    ("Where is my card?", "A new card takes five days by post."),
    ("What does a card cost?", "The first card is free, each further one costs five euros."),
    ("Can I have two cards?", "You may have up to three cards at a time."),
    ("How do I open an account?", "Send us a photo of your passport and of your face."),
]


def mine(folder, stopped=lambda: False, report=nothing, corpus="", **settings):
    task = {"settings": {"base_model": WORDLLAMA, **settings}, "name": "Mined", "corpus": corpus}
    result = negatives.make(folder, task, report, stopped)
    return result, load_info(folder / "dataset"), load_rows(folder / "dataset")


def negatives_of(rows):
    names = [name for name in rows.column_names if name.startswith("negative")]
    return list(zip(*(rows[name].to_pylist() for name in names), strict=True))


def test_what_is_chosen_is_what_the_library_chooses(source, samples, static_model):
    folder = source(samples / "banking77.csv", rows=ROWS)
    _, _, rows = mine(folder, num_negatives=2, range_max=50)
    pairs = load_rows(folder / "source")
    plain = mine_hard_negatives(
        Dataset(pairs.select(["anchor", "positive"])), static_model, range_max=50, relative_margin=0.05, num_negatives=2,
        output_format="n-tuple", verbose=False,
    )  # fmt: skip
    theirs = {row["anchor"]: (row["negative_1"], row["negative_2"]) for row in plain}
    ours = dict(zip(rows["anchor"].to_pylist(), negatives_of(rows), strict=True))
    assert len(ours) > 0.9 * ROWS
    assert ours == theirs


def answers_of(pairs):
    """Anchor -> itself and its positives, as they count when texts are compared."""
    answers = {}
    for anchor, positive in zip(pairs["anchor"].to_pylist(), pairs["positive"].to_pylist(), strict=True):
        answers.setdefault(plain_text(anchor), {plain_text(anchor)}).add(plain_text(positive))
    return answers


def test_no_negative_is_an_answer_of_its_anchor_where_anchors_have_many(source, samples):
    folder = source(samples / "banking77.csv", rows=ROWS, roles=Roles(anchor="topic", positive="question"))
    _, _, rows = mine(folder, num_negatives=3, relative_margin=None)
    answers = answers_of(load_rows(folder / "source"))
    assert max(map(len, answers.values())) > 10
    for anchor, texts in zip(rows["anchor"].to_pylist(), negatives_of(rows), strict=True):
        assert not answers[plain_text(anchor)] & set(map(plain_text, texts))


def test_every_negative_is_less_like_its_anchor_than_the_positive_by_the_margin(source, shared_data, static_model):
    folder = source(shared_data / "debian" / "train_pairs.csv", rows=ROWS)
    _, _, rows = mine(folder, num_negatives=3, incomplete="repeat", relative_margin=0.1)
    answers = answers_of(load_rows(folder / "source"))
    asked, right = (encode(static_model, rows[name].to_pylist()) for name in ("anchor", "positive"))
    likeness = np.einsum("ij,ij->i", asked, right)
    for chosen in zip(*negatives_of(rows), strict=True):
        wrong = encode(static_model, list(chosen))
        assert (np.einsum("ij,ij->i", asked, wrong) <= likeness - 0.1 * np.abs(likeness) + 1e-5).all()
        for anchor, text in zip(rows["anchor"].to_pylist(), chosen, strict=True):
            assert plain_text(text) not in answers[plain_text(anchor)]


def test_case_white_space_the_anchor_itself_and_linked_texts_give_no_negatives(source):
    folder = source(
        [
            *CARDS,
            ("how do i block  my CARD?", "Card blocking is done in the app."),
            ("How do I block my card?", "PRESS BLOCK in the app and the card is dead at once."),
            ("Card blocking is done in the app.", "How do I stop my card?"),
            ("A new card takes five days by post.", "Where is my card?"),
        ]
    )
    _, _, rows = mine(folder, num_negatives=3, relative_margin=None, incomplete="repeat")
    found = {}
    for anchor, texts in zip(rows["anchor"].to_pylist(), negatives_of(rows), strict=True):
        found.setdefault(plain_text(anchor), set()).update(map(plain_text, texts))
    block = found["how do i block my card?"]
    assert block
    assert not block & {
        "how do i block my card?",
        "press block in the app and the card is dead at once.",
        "card blocking is done in the app.",
        "how do i stop my card?",  # belongs to a text that belongs to it
    }
    assert "where is my card?" not in found["where is my card?"]


def test_negatives_that_rows_have_stay_and_are_not_chosen_again(source, samples):
    folder = source(samples / "programs_triplets.csv", rows=150)
    before = load_rows(folder / "source")
    old = [name for name in before.column_names if name.startswith("negative")]
    result, info, rows = mine(folder, incomplete="repeat", relative_margin=0.01)
    kept = dict(zip(before["row"].to_pylist(), negatives_of(before), strict=True))
    for row, texts in zip(rows["row"].to_pylist(), negatives_of(rows), strict=True):
        assert texts[: len(old)] == kept[row]
        assert texts[-1] not in kept[row]
    assert result["columns"] == [f"negative_{len(old) + 1}"]
    assert list(info.roles) == ["anchor", "positive", *(f"negative_{i}" for i in range(1, len(old) + 2))]


def test_rows_without_enough_negatives_are_left_out_or_repeat_theirs_and_both_are_told(source):
    strict = {"num_negatives": 4, "max_score": 0.35, "relative_margin": None}
    folder = source(CARDS)
    result, info, rows = mine(folder, **strict, incomplete="repeat")
    assert result["too_few"] > 0
    assert len(rows) == len(CARDS) - result["without"]
    assert any(len(set(texts)) < 4 for texts in negatives_of(rows))
    assert "repeat" in result["message"]
    result, info, rows = mine(folder, **strict)
    assert len(rows) == len(CARDS) - result["without"] - result["too_few"]
    assert f"{result['left_out']} row" in info.history[-1]
    assert all(len(set(texts)) == 4 for texts in negatives_of(rows))
    with pytest.raises(DataError, match="For no row enough"):
        mine(folder, max_score=-1.0)


def test_a_corpus_gives_negatives_too(source, tmp_path):
    import pyarrow as pa
    import pyarrow.parquet as pq

    folder = source(CARDS)
    extra = ["How do I block my phone?", "  ", None, "Where is my cat?"]
    pq.write_table(pa.table({"text": extra}), folder / "corpus.parquet")
    _, _, rows = mine(folder, corpus="corpus.parquet", num_negatives=2, relative_margin=None)
    chosen = {text for texts in negatives_of(rows) for text in texts}
    assert {"How do I block my phone?", "Where is my cat?"} <= chosen
    assert "  " not in chosen


def test_the_documents_of_a_retrieval_set_give_negatives_and_its_parts_stay(source, tmp_path):
    table = read_folder(beir(tmp_path / "set", train=own(0, 12), test=own(12, 20)))
    folder = tmp_path / "making"
    import_dataset(folder / "source", table, guess_roles(table), "Set")
    _, info, rows = mine(folder, num_negatives=2, relative_margin=None)
    right = set(rows["positive"].to_pylist())
    assert {text for texts in negatives_of(rows) for text in texts} - right, "only right answers were chosen"
    assert rows["part"].to_pylist() == ["test"] * 8 + ["train"] * 12
    assert info.corpus_rows == 30


def test_portions_change_nothing(source, samples, monkeypatch):
    folder = source(samples / "banking77.csv", rows=400)
    settings = {"num_negatives": 2, "sampling_strategy": "top"}
    _, _, whole = mine(folder, **settings)
    monkeypatch.setattr(negatives, "SCORES_AT_ONCE", 1)
    _, _, parts = mine(folder, **settings)
    assert parts.equals(whole)


def test_chance_is_the_same_for_the_same_seed(source):
    folder = source(CARDS)
    drawn = [mine(folder, sampling_strategy="random", relative_margin=None, seed=seed)[2] for seed in (1, 1, 2, 3, 4)]
    assert drawn[0].equals(drawn[1])
    assert not all(drawn[0].equals(other) for other in drawn[2:])


def test_stop_leaves_no_dataset_and_the_next_try_goes_on_with_the_vectors(source, samples):
    folder = source(samples / "banking77.csv")
    seen = []
    with pytest.raises(Stopped):
        mine(folder, stopped=lambda: len(seen) >= 2, report=lambda done, total, words: seen.append(done))
    assert not (folder / "dataset").exists()
    assert not (folder / "review.parquet").exists()
    again = []
    mine(folder, report=lambda done, total, words: again.append(done))
    assert again[0] > seen[-1]
    assert not (folder / "vectors").exists()


def test_the_new_dataset_tells_what_was_done_and_holds_out_the_same_rows(source, samples):
    folder = source(samples / "banking77.csv")
    _, info, rows = mine(folder, incomplete="repeat")
    pairs, before = load_rows(folder / "source"), load_info(folder / "source")
    assert re.fullmatch(r"1 hard negative a row, mined with WordLlama.*", info.history[-1])
    assert (info.format, info.name, info.rows) == ("triplet", "Mined", len(rows))
    assert load_info(folder / "source") == before
    both = pairs.filter(np.isin(pairs["row"].to_numpy(), rows["row"].to_numpy()))
    held = [data["row"].to_numpy()[split(data, 0.1, 42).heldout] for data in (both, rows)]
    assert (held[0] == held[1]).all()


def test_mined_rows_are_judged_by_searching_for_the_miner_gets_every_triplet_right(source, samples, static_model):
    folder = source(samples / "banking77.csv", rows=ROWS)
    _, info, rows = mine(folder)
    parts = split(rows, 0.2, 42)
    task = make_task(rows, info.judged_as, parts.heldout, parts.shared)
    assert (task.primary, task.negatives) == ("ndcg@10", ())
    one, right, wrong = (encode(static_model, rows[name].to_pylist()) for name in ("anchor", "positive", "negative"))
    assert (np.einsum("ij,ij->i", one, right) > np.einsum("ij,ij->i", one, wrong)).all()


@pytest.mark.parametrize(
    ("settings", "words"),
    [
        ({"num_negatives": 6}, "Negatives a row"),
        ({"range_min": 10, "range_max": 10}, "no room"),
        ({"min_score": 0.5, "max_score": 0.5}, "below the highest"),
        ({"relative_margin": "much"}, "Margin"),
        ({"marge": 1}, "no setting 'marge'"),
    ],
)
def test_settings_that_cannot_be_are_refused_by_name(settings, words):
    with pytest.raises(ConfigError, match=re.escape(words)):
        make_mining(settings)


def test_scored_pairs_are_refused(source, shared_data):
    folder = source(shared_data / "stsb" / "dev.csv", rows=50)
    with pytest.raises(DataError, match="pairs and triplets only"):
        mine(folder)
