"""Models that are built: whole trainings of each kind, what is judged, and what goes on after a kill."""

import json

import numpy as np
import pyarrow as pa
import pytest

from studio.errors import ConfigError, ModelError
from studio.evaluation.measure import measure
from studio.evaluation.task import make_task
from studio.training.bases import base_of, limits, resolve_base
from studio.training.callbacks import StopWatch
from studio.training.config import make_config
from studio.training.folder import EventWriter
from studio.training.fresh import build_base
from studio.training.model import build_model
from studio.training.suggest import check_fit, suggest_config
from studio.training.train import train
from studio.training.vocabulary import count_words, train_tokenizer

pytestmark = pytest.mark.model
QUICK = {"batch_size": 16, "max_train_rows": 48, "evaluations": 0, "epochs": 1}
KINDS = {
    "new:bert": {"layers": 1, "width": 32, "vocabulary": 400, "learning_rate": 1e-3},
    "new:static": {"width": 32, "vocabulary": 400, "learning_rate": 5e-2},
    "new:words": {"width": 32, "vocabulary": 400, "learning_rate": 2e-2},
    "new:weighted-words": {"width": 32, "vocabulary": 400, "learning_rate": 2e-2},
    "new:cnn": {"width": 32, "vocabulary": 400, "learning_rate": 2e-2},
    "new:lstm": {"width": 32, "vocabulary": 400, "learning_rate": 2e-2},
    "new:bag-of-words": {"width": 32, "vocabulary": 400, "learning_rate": 2e-3},
}


def trained(folder):
    writer = EventWriter(folder.events)
    try:
        return train(folder, writer, StopWatch(folder))
    finally:
        writer.close()


@pytest.fixture(scope="module")
def sentences(dataset):
    _, data = dataset("pair", 120)
    return data["anchor"].to_pylist()


@pytest.mark.parametrize("kind", ["wordpiece", "bpe"])
def test_the_same_texts_make_the_same_tokenizer(sentences, kind):
    first, second = (train_tokenizer(sentences, 600, kind) for _ in range(2))
    assert first.get_vocab() == second.get_vocab()
    assert first.get_vocab_size() <= 600
    encoded = first.encode("Where is my card?")
    assert encoded.tokens[0] == "[CLS]"
    assert "[UNK]" not in encoded.tokens


def test_words_are_those_of_most_texts_and_rare_ones_count_more():
    words, rarity = count_words(["a card, a card", "The card!", "money"], 2)
    assert words == ["card", "a"]
    assert rarity["a"] > rarity["card"]


@pytest.mark.parametrize("base", KINDS)
def test_each_kind_that_is_built_trains_and_loads_again(run_folder, base, events_of):
    from sentence_transformers import SentenceTransformer

    from studio.export.folder import for_older_versions

    folder = run_folder({"base_model": base, **QUICK, **KINDS[base]})
    done = trained(folder)
    assert "building" in [event["phase"] for event in events_of(folder, "phase")]
    out = folder.path / "out"
    done.model.save_pretrained(str(out))
    for_older_versions(out, done.model)
    loaded = SentenceTransformer(str(out), local_files_only=True)
    assert np.allclose(loaded.encode("my card is lost"), done.model.encode("my card is lost"), atol=1e-5)
    # What stands beside a text does not change it: a convolution would see the padding.
    together = loaded.encode(["my card is lost", "where is my card and when will it come to me at last"])
    assert np.allclose(loaded.encode("my card is lost"), together[0], atol=1e-5)
    # Search sets it beside the same model before training, and a new run may start from it.
    untrained = build_model(make_config({"base_model": str(folder.built)}))
    assert not np.allclose(untrained.encode("my card is lost"), done.model.encode("my card is lost"), atol=1e-3)
    assert resolve_base(str(out)).kind == resolve_base(str(folder.built)).kind
    assert limits(resolve_base(str(out))).dimension == 32


def test_a_run_that_goes_on_finds_the_vocabulary_that_it_began_with(run_folder):
    settings = {"base_model": "new:bert", **QUICK, **KINDS["new:bert"]}
    folder = run_folder(settings)
    trained(folder)
    before = {path.name: path.read_bytes() for path in folder.built.rglob("*.json")}
    tokenizer = json.loads((folder.built / "tokenizer.json").read_text())
    tokenizer["model"]["vocab"]["[marked]"] = len(tokenizer["model"]["vocab"])
    (folder.built / "tokenizer.json").write_text(json.dumps(tokenizer))
    trained(folder)
    assert "[marked]" in (folder.built / "tokenizer.json").read_text()
    again = run_folder(settings, name="again")
    trained(again)
    assert {path.name: path.read_bytes() for path in again.built.rglob("*.json")} == before


def test_held_out_texts_are_not_in_the_vocabulary(run_folder):
    folder = run_folder(
        {"base_model": "new:words", "width": 32, "batch_size": 16, "learning_rate": 1e-2, "evaluations": 0}
    )
    done = trained(folder)
    known = set(json.loads((folder.built / "whitespacetokenizer_config.json").read_text())["vocab"])
    words = lambda texts: {w.strip("?,.!'").lower() for text in texts for w in text.split()}  # noqa: E731
    only_heldout = words(done.task.anchors) - set(known)
    assert only_heldout


def test_a_static_model_is_distilled_from_a_transformer(tiny_model, sentences, tmp_path):
    import torch

    config = make_config({"base_model": "new:bert", **KINDS["new:bert"], "seed": 1})
    small = build_base(base_of(config), config, sentences, tmp_path / "small", torch.device("cpu")).path
    config = make_config({"base_model": f"static-of:{small}", "width": 16})
    base = base_of(config)
    assert (base.kind, base.design.width, base.needs_download) == ("static", 16, False)
    built = build_base(base, config, sentences, tmp_path / "built", torch.device("cpu"))
    model = build_model(config, base=built)
    assert [type(module).__name__ for module in model] == ["StaticEmbedding"]
    assert model.encode("my card").shape == (16,)
    words = "my card is lost", "where is my money"
    assert not np.allclose(*(model.encode(text) for text in words), atol=1e-3)
    with pytest.raises(ModelError, match="has no transformer"):
        resolve_base("static-of:wordllama-l2-supercat-256")
    with pytest.raises(ConfigError, match="have 32 numbers"):
        check_fit(*_pairs(), make_config({"base_model": f"static-of:{small}", "width": 256}))


def _pairs():
    from studio.data.dataset import DatasetInfo

    return (DatasetInfo("d", "pair", 100, {"anchor": "a", "positive": "b"}, "d.csv"),)


def test_a_new_model_is_given_more_epochs_and_a_higher_rate(dataset):
    info, data = dataset("pair", 120)
    usual, new = (suggest_config(info, name, data) for name in ("all-MiniLM-L6-v2", "new:bert"))
    assert new.epochs == 5 * usual.epochs
    assert new.learning_rate == 10 * usual.learning_rate
    for kind in KINDS:
        check_fit(info, suggest_config(info, kind, data), data)


def test_a_design_that_does_not_exist_names_those_that_do():
    with pytest.raises(ModelError) as caught:
        resolve_base("new:gpt")
    assert "new:bert" in caught.value.hint


@pytest.mark.parametrize(
    ("settings", "words"),
    [
        ({"base_model": "new:bag-of-words", "pooling": "mean"}, "no pooling to choose: it counts words"),
        ({"base_model": "new:words", "pooling": "cls+mean"}, "no first token"),
        ({"base_model": "new:bag-of-words", "max_seq_length": 64}, "counts all words"),
        ({"base_model": "new:static", "loss": "CachedMultipleNegativesRankingLoss"}, "in portions"),
        ({"similarity": "dot", "loss": "TripletLoss"}, "cannot compute with dot product"),
        ({"base_model": "new:bert", "max_seq_length": 4096}, "at most 2048 tokens"),
    ],
)
def test_blocks_that_do_not_go_together_are_refused_beforehand(dataset, settings, words):
    info, data = dataset("triplet" if settings.get("loss") == "TripletLoss" else "pair", 60)
    with pytest.raises(ConfigError, match=words):
        check_fit(info, make_config({"batch_size": 8, **settings}), data)


def test_a_combined_pooling_before_a_dense_layer_is_refused(tiny_model, tmp_path):
    model = build_model(make_config({"base_model": str(tiny_model), "projection": 16}))
    model.save_pretrained(str(tmp_path / "dense"))
    with pytest.raises(ConfigError, match="takes 128 numbers; this pooling gives 256"):
        build_model(make_config({"base_model": str(tmp_path / "dense"), "pooling": "mean+max"}))


def test_the_base_model_is_judged_as_it_is_without_what_is_new(run_folder, tiny_model):
    """A projection of random weights must not make the base model look worse, and so the tuned one better."""
    plain = trained(run_folder({"base_model": str(tiny_model), **QUICK}))
    projected = trained(run_folder({"base_model": str(tiny_model), **QUICK, "projection": 8}, name="projected"))
    assert projected.base.metrics == plain.base.metrics
    assert projected.model.get_embedding_dimension() == 8


@pytest.mark.parametrize("format", ["pair", "triplet", "scored_pair", "labelled_pair"])
def test_prompts_are_put_before_each_side_by_its_role(dataset, tiny_model, format):
    _, data = dataset(format, 60)
    rows = np.arange(60)
    plain = build_model(make_config({"base_model": str(tiny_model)})).eval()
    prompted = build_model(
        make_config({"base_model": str(tiny_model), "query_prompt": "q: ", "document_prompt": "d: "})
    ).eval()
    by_hand = data
    for name in data.column_names:
        if pa.types.is_string(data.schema.field(name).type):
            prefix = "q: " if name == "anchor" else "d: "
            texts = pa.array([prefix + text for text in data[name].to_pylist()])
            by_hand = by_hand.set_column(by_hand.column_names.index(name), name, texts)
    expected = measure(plain, make_task(by_hand, format, rows))
    found = measure(prompted, make_task(data, format, rows))
    assert found.metrics == pytest.approx(expected.metrics, abs=1e-6)
    assert found.metrics != measure(plain, make_task(data, format, rows)).metrics


def test_prompts_reach_training(run_folder, tiny_model):
    done = trained(run_folder({"base_model": str(tiny_model), **QUICK, "query_prompt": "question: "}))
    assert done.model.prompts["query"] == "question: "
    other = trained(run_folder({"base_model": str(tiny_model), **QUICK}, name="other"))
    assert not np.allclose(done.model.encode("a card"), other.model.encode("a card"), atol=1e-4)


@pytest.mark.parametrize("similarity", ["dot", "euclidean", "manhattan"])
@pytest.mark.parametrize("format", ["pair", "triplet", "scored_pair", "labelled_pair"])
def test_a_model_is_judged_by_its_own_similarity(dataset, tiny_model, format, similarity):
    import torch

    _, data = dataset(format, 60)
    task = make_task(data, format, np.arange(60))
    model = build_model(make_config({"base_model": str(tiny_model), "similarity": similarity})).eval()
    found = measure(model, task)
    assert set(task.metric_ids) <= set(found.metrics)
    if found.similarity is not None:
        pairs = [torch.tensor(model.encode(list(side))) for side in (task.anchors, task.positives)]
        assert found.similarity == pytest.approx(model.similarity_pairwise(*pairs).numpy(), abs=1e-3)
    if format == "labelled_pair":
        assert found.values["accuracy"].mean() == pytest.approx(found.metrics["accuracy"], abs=1e-9)
