"""Every setting changes what the worker does. A field added without an entry here fails."""

import numpy as np
import pytest
import torch
from transformers import get_scheduler

from studio.errors import ConfigError
from studio.training.bases import base_of
from studio.training.config import FIELD, FIELDS, make_config
from studio.training.engine.fast import has_fast_bf16
from studio.training.feeding import feed
from studio.training.folder import RunFolder
from studio.training.fresh import build_base
from studio.training.memory import Memory
from studio.training.model import build_model
from studio.training.objective import DISTANCES, batch_sampler, build_loss
from studio.training.prompts import column_prompts
from studio.training.rows import plan_rows
from studio.training.teacher import ask
from studio.training.train import choose_engine, choose_precision, general_of_base, looks, new_model, training_arguments

pytestmark = pytest.mark.model
CPU = torch.device("cpu")


@pytest.fixture
def seen(dataset, tiny_model, small_bert, tmp_path):
    """seen(part, **settings): what a config with these settings makes of one part of a training."""
    info, data = dataset("pair", 200)

    def look(part: str, **settings):
        config = make_config({"base_model": str(tiny_model), "batch_size": 8, **settings})
        if part == "base":
            return small_bert()
        if part == "model":
            base = base_of(config)
            if base.design is not None:
                folder = tmp_path / str(len(list(tmp_path.iterdir())))
                base = build_base(base, config, data["anchor"].to_pylist(), folder, CPU)
            return build_model(config, base=base)
        if part == "trainable":
            return new_model(config, [info], Memory())
        if part == "loss":
            return build_loss(
                build_model(make_config({"base_model": str(small_bert()), "similarity": config.similarity})), config
            )
        rows = plan_rows(data, config)
        if part == "rows":
            return rows
        if part == "engine":
            return choose_engine(config, build_model(config))
        engine = config.engine
        return training_arguments(RunFolder(tmp_path), config, rows, choose_precision(config, CPU, engine), CPU, engine)

    return look


def argument(name: str, setting: str, value, expected=None):
    def check(seen):
        assert getattr(seen("arguments", **{setting: value}), name) == (value if expected is None else expected)
        assert getattr(seen("arguments"), name) != (value if expected is None else expected)

    return check


def base_model(seen):
    assert seen("model").get_embedding_dimension() == 128
    assert seen("model", base_model="wordllama-l2-supercat-256").get_embedding_dimension() == 256


def pooling(seen):
    assert seen("model")[1].pooling_mode == "mean"
    for mode in ("cls", "max", "mean_sqrt_len_tokens", "weightedmean", "lasttoken"):
        assert seen("model", pooling=mode)[1].pooling_mode == mode
    both = seen("model", pooling="mean+max")
    assert both[1].pooling_mode == ("max", "mean")
    assert both.encode("A text.").shape == (256,)


def layers(seen):
    depths = [seen("model", base_model="new:bert", layers=n)[0].config.num_hidden_layers for n in (1, None)]
    assert depths == [1, 2]


def width(seen):
    for base, own in (("new:bert", 128), ("new:static", 256), ("new:words", 256), ("new:bag-of-words", 256)):
        widths = [seen("model", base_model=base, width=n).encode("My card.").shape[0] for n in (32, None)]
        assert widths == [32, own]


def vocabulary(seen):
    for base in ("new:bert", "new:static", "new:words", "new:bag-of-words"):
        sizes = [next(seen("model", base_model=base, vocabulary=n).parameters()).numel() for n in (150, None)]
        assert sizes[0] < sizes[1]


def tokenizer(seen):
    cut = [
        seen("model", base_model="new:bert", tokenizer=name).tokenizer.tokenize("Überzahlt!")
        for name in ("wordpiece", "bpe")
    ]
    assert "[UNK]" in cut[0]
    assert "[UNK]" not in cut[1]


def projection(seen):
    model = seen("model", projection=40)
    assert [type(module).__name__ for module in model] == ["Transformer", "Pooling", "Dense"]
    assert model.encode("A text.").shape == (40,)
    kept = seen("model", base_model="all-MiniLM-L6-v2", projection=40)
    assert [type(module).__name__ for module in kept][-2:] == ["Dense", "Normalize"]


def projection_activation(seen):
    kinds = [
        type(seen("model", projection=8, projection_activation=a)[2].activation_function).__name__
        for a in ("none", "tanh")
    ]
    assert kinds == ["Identity", "Tanh"]


def token_layers(seen):
    mixed = seen("model", token_layers="weighted")
    assert [type(module).__name__ for module in mixed] == ["Transformer", "WeightedLayerPooling", "Pooling"]
    assert mixed[1].layer_weights.requires_grad
    text = "Where is my card?"
    each = mixed(mixed.preprocess([text]))["all_layer_embeddings"][1:]
    assert mixed.encode(text) == pytest.approx(torch.stack(each).mean(dim=(0, 2))[0].detach().numpy(), abs=1e-5)
    assert [type(module).__name__ for module in seen("model")] == ["Transformer", "Pooling"]


def normalize(seen):
    lengths = [float((seen("model", normalize=n).encode("A text.") ** 2).sum()) for n in ("keep", "on")]
    assert lengths[0] > 2
    assert lengths[1] == pytest.approx(1, abs=1e-4)
    names = [type(m).__name__ for m in seen("model", base_model="all-MiniLM-L6-v2", normalize="off")]
    assert names == ["Transformer", "Pooling"]


def similarity(seen):
    assert [seen("model", similarity=s).similarity_fn_name for s in ("default", "dot")] == ["cosine", "dot"]
    ranking = seen("loss", similarity="dot")
    assert (ranking.similarity_fct.__name__, ranking.scale) == ("dot_score", 1.0)
    assert seen("loss", similarity="euclidean", loss="CoSENTLoss").similarity_fct.__name__ == "pairwise_euclidean_sim"
    from sentence_transformers.sentence_transformer.losses import SiameseDistanceMetric, TripletDistanceMetric

    assert seen("loss", similarity="manhattan", loss="TripletLoss").distance_metric is TripletDistanceMetric.MANHATTAN
    assert (
        seen("loss", similarity="euclidean", loss="ContrastiveLoss").distance_metric is SiameseDistanceMetric.EUCLIDEAN
    )


def prompt(setting: str, role: str, column: str):
    def check(seen):
        model = seen("model", **{setting: "find: "})
        assert model.prompts[role] == "find: "
        assert seen("model").prompts[role] == ""
        assert column_prompts(model, ("anchor", "positive"))[column] == "find: "
        assert column_prompts(seen("model"), ("anchor", "positive")) == {}
        encode = model.encode_query if role == "query" else model.encode_document
        assert encode("a card") == pytest.approx(seen("model").encode("find: a card"), abs=1e-5)

    return check


def loss(seen):
    assert type(seen("loss", loss="CoSENTLoss")).__name__ == "CoSENTLoss"
    assert type(seen("loss")).__name__ == "MultipleNegativesRankingLoss"
    assert batch_sampler(make_config({})) != batch_sampler(make_config({"loss": "CoSENTLoss"}))


def epochs(seen):
    assert seen("rows", epochs=2.5).steps > 2 * seen("rows").steps
    argument("num_train_epochs", "epochs", 2.5)(seen)


def batch_size(seen):
    assert seen("rows", batch_size=4).steps > seen("rows").steps
    argument("per_device_train_batch_size", "batch_size", 4)(seen)


def max_seq_length(seen):
    text = ["one two three " * 50]
    lengths = [seen("model", max_seq_length=n).preprocess(text)["input_ids"].shape[1] for n in (16, None)]
    assert lengths[0] == 16 < lengths[1]
    static = {"base_model": "wordllama-l2-supercat-256"}
    lengths = [len(seen("model", max_seq_length=n, **static).preprocess(text)["input_ids"]) for n in (16, None)]
    assert lengths[0] == 16 < lengths[1]


def set_on(attribute: str, setting: str, value, loss: str, expected=None, **more):
    """The setting reaches this attribute of the loss (or of what is on top of it) and is something else without it."""

    def check(seen):
        wanted = value if expected is None else expected
        assert getattr(seen("loss", loss=loss, **more, **{setting: value}), attribute) == wanted
        assert getattr(seen("loss", loss=loss, **more), attribute) != wanted

    return check


def all_of(*checks):
    def check(seen):
        for one in checks:
            one(seen)

    return check


RANKING, GUIDED, CONTRASTIVE = "MultipleNegativesRankingLoss", "GISTEmbedLoss", "ContrastiveLoss"


def modifier(seen):
    for name in ("Matryoshka", "AdaptiveLayer", "Matryoshka2d"):
        assert type(seen("loss", modifier=name)).__name__ == f"{name}Loss"
    assert type(seen("loss")).__name__ == RANKING


def guide_model(seen):
    guide = seen("loss", loss=GUIDED, guide_model=str(seen("base")), max_seq_length=64).guide
    assert guide.get_embedding_dimension() == 32
    assert seen("loss", loss=GUIDED).guide.get_embedding_dimension() == 384
    assert not guide.training
    assert not any(p.requires_grad for p in guide.parameters())


def teacher_model(seen, dataset):
    data = dataset("texts", 6)[1]
    asked = [
        ask(data, make_config({"loss": "EmbedDistillLoss", "teacher_model": name}), CPU, lambda: None)
        for name in (None, "wordllama-l2-supercat-256")
    ]
    assert [labels.shape for labels in asked] == [(6, 384), (6, 256)]


def noise_ratio(seen, dataset):
    data = dataset("texts", 40)[1]
    rows = [
        feed(data, np.arange(40), make_config({"loss": "DenoisingAutoEncoderLoss", "noise_ratio": share}))["noisy"]
        for share in (0.1, 0.9)
    ]
    many, few = (sum(len(text.split()) for text in texts) for texts in rows)
    assert many > 4 * few


def loss_distance(seen):
    for loss, format, attribute in (
        ("TripletLoss", "triplet", "distance_metric"),
        (CONTRASTIVE, "labelled_pair", "distance_metric"),
        ("BatchHardTripletLoss", "classed_text", "distance_metric"),
        ("EmbedDistillLoss", "texts", "distance_metric"),
    ):
        made = getattr(seen("loss", loss=loss, loss_distance="euclidean"), attribute)
        assert made == DISTANCES[format]["euclidean"] != getattr(seen("loss", loss=loss), attribute)


def contrast(seen):
    assert len(seen("loss", contrast="all").directions) == 4
    assert seen("loss").directions == ("query_to_doc",)
    apart = [seen("loss", loss=GUIDED, contrast=c) for c in ("answers", None)]
    assert [(one.contrast_anchors, one.contrast_positives) for one in apart] == [(False, False), (True, True)]


WEIGHED = {"hardness_mode": "all_negatives"}
MATRYOSHKA, ADAPTIVE = {"modifier": "Matryoshka"}, {"modifier": "AdaptiveLayer"}
loss_margin = all_of(
    set_on("margin", "loss_margin", 0.9, CONTRASTIVE),
    set_on("triplet_margin", "loss_margin", 0.9, "TripletLoss"),
    set_on("margin", "loss_margin", 0.9, "BatchSemiHardTripletLoss"),
    set_on("margin", "loss_margin", 0.9, GUIDED),
)


def general_check(seen):
    model = seen("model", base_model="wordllama-l2-supercat-256")
    on, off = (general_of_base(make_config({"general_check": value}), model) for value in (True, False))
    assert off is None
    assert on["words"].mean() > 0.2


def heldout_share(seen):
    assert len(seen("rows", heldout_share=0.4).heldout) > 3 * len(seen("rows").heldout)


def max_train_rows(seen):
    assert len(seen("rows", max_train_rows=40).train) == 40 < len(seen("rows").train)


def evaluations(seen):
    assert (len(looks(100, 20)), len(looks(100, 5)), len(looks(100, 0)), len(looks(3, 20))) == (20, 5, 1, 3)


def evaluation_steps(seen):
    assert sorted(looks(100, 5, 30)) == [30, 60, 90, 100]
    assert sorted(looks(20, 5, 30)) == [20]


def chooses(setting, value):
    def check(seen):
        chosen, plain = seen("rows", **{setting: value}), seen("rows")
        assert len(chosen.validation) >= 15
        assert len(plain.validation) == 0
        assert chosen.heldout.tolist() == plain.heldout.tolist()
        assert not set(chosen.validation) & (set(chosen.train) | set(chosen.heldout))
        assert chosen.looked_at.tolist() == chosen.validation.tolist()
        # What they do during training is in test_best.py.

    return check


def lr_scheduler(seen):
    argument("lr_scheduler_type", "lr_scheduler", "cosine")(seen)
    curves = {name: rates(seen("arguments", lr_scheduler=name)) for name in FIELD["lr_scheduler"].choices}
    assert len(set(curves.values())) == len(curves)
    for rising in curves.values():
        assert rising[0] < rising[1]


def rates(arguments) -> tuple[float, ...]:
    """The learning rate in the course of 40 steps, 4 of them warm-up."""
    optimizer = torch.optim.SGD([torch.nn.Parameter(torch.zeros(1))], lr=1.0)
    shape = {**arguments.lr_scheduler_kwargs} | (
        {"num_decay_steps": 8} if "num_decay_steps" in arguments.lr_scheduler_kwargs else {}
    )
    schedule = get_scheduler(arguments.lr_scheduler_type, optimizer, 4, 40, shape)
    found = []
    for _ in range(40):
        optimizer.step()
        found.append(round(schedule.get_last_lr()[0], 4))
        schedule.step()
    return tuple(found)


def gradient_checkpointing(seen):
    assert seen("trainable", gradient_checkpointing=True).transformers_model.is_activation_checkpointing
    assert not seen("trainable").transformers_model.is_activation_checkpointing


def freeze_layers(seen):
    free = [n for n, p in seen("trainable", freeze_layers=1).named_parameters() if p.requires_grad]
    assert not any(".embeddings." in name or ".layer.0." in name for name in free)
    assert any(".layer.1." in name for name in free)
    assert all(p.requires_grad for p in seen("trainable").parameters())


def adapters(model) -> list:
    return [module for module in model.modules() if hasattr(module, "lora_A") and "default" in module.lora_A]


def lora_rank(seen):
    model = seen("trainable", lora_rank=3)
    assert {module.lora_A["default"].out_features for module in adapters(model)} == {3}
    assert all("lora" in name for name, p in model.named_parameters() if p.requires_grad)
    assert not adapters(seen("trainable"))


def lora_alpha(seen):
    scales = [adapters(seen("trainable", lora_rank=4, lora_alpha=a))[0].scaling["default"] for a in (4, 8)]
    assert scales == [1, 2]


def lora_dropout(seen):
    made = [adapters(seen("trainable", lora_rank=4, lora_dropout=p))[0].lora_dropout["default"] for p in (0.3, 0)]
    assert made[0].p == 0.3
    assert isinstance(made[1], torch.nn.Identity)


def warmup_ratio(seen):
    steps = seen("rows").steps
    assert seen("arguments", warmup_ratio=0.5).warmup_steps == pytest.approx(steps / 2, abs=1)
    assert seen("arguments", warmup_ratio=0).warmup_steps == 0
    assert seen("arguments", warmup_ratio=1).warmup_steps == steps


def precision(seen):
    stock = {"engine": "stock"}
    arguments = seen("arguments", precision="bf16", **stock)
    assert (arguments.bf16, arguments.fp16) == (True, False)
    assert not seen("arguments", precision="auto", **stock).bf16
    assert not seen("arguments", precision="bf16").bf16  # the engine does it, for the transformer alone
    chosen = [choose_precision(make_config({"precision": name}), CPU, "fast") for name in ("bf16", "fp32", "auto")]
    assert chosen == ["bf16", "fp32", "bf16" if has_fast_bf16() else "fp32"]
    with pytest.raises(ConfigError, match="fp16"):
        seen("arguments", precision="fp16")


def engine(seen):
    assert [seen("engine", engine=name) for name in ("fast", "stock")] == ["fast", "stock"]


def seed(seen):
    assert seen("rows", seed=1).heldout.tolist() != seen("rows", seed=2).heldout.tolist()
    argument("seed", "seed", 7)(seen)
    argument("data_seed", "seed", 7)(seen)


EFFECTS = {
    "base_model": base_model,
    "pooling": pooling,
    "loss": loss,
    "epochs": epochs,
    "batch_size": batch_size,
    "learning_rate": argument("learning_rate", "learning_rate", 3e-3),
    "max_seq_length": max_seq_length,
    "modifier": modifier,
    "guide_model": guide_model,
    "teacher_model": teacher_model,
    "loss_scale": set_on("scale", "loss_scale", 7.0, RANKING),
    "loss_temperature": all_of(
        set_on("temperature", "loss_temperature", 0.2, GUIDED),
        set_on("temperature", "loss_temperature", 0.2, "DistillKLDivLoss"),
    ),
    "layers": layers,
    "width": width,
    "vocabulary": vocabulary,
    "tokenizer": tokenizer,
    "projection": projection,
    "projection_activation": projection_activation,
    "normalize": normalize,
    "token_layers": token_layers,
    "similarity": similarity,
    "query_prompt": prompt("query_prompt", "query", "anchor"),
    "document_prompt": prompt("document_prompt", "document", "positive"),
    "loss_margin": loss_margin,
    "margin_strategy": set_on("margin_strategy", "margin_strategy", "relative", GUIDED),
    "positive_margin": set_on("positive_margin", "positive_margin", 0.6, "MegaBatchMarginLoss"),
    "negative_margin": set_on("negative_margin", "negative_margin", 0.6, "MegaBatchMarginLoss"),
    "loss_distance": loss_distance,
    "loss_reduction": set_on("size_average", "loss_reduction", "sum", CONTRASTIVE, False),
    "contrast": contrast,
    "hardness_mode": set_on("hardness_mode", "hardness_mode", "in_batch_negatives", RANKING),
    "hardness_strength": set_on("hardness_strength", "hardness_strength", 9.0, RANKING, **WEIGHED),
    "mini_batch_size": set_on("mini_batch_size", "mini_batch_size", 4, "CachedMultipleNegativesRankingLoss"),
    "noise_ratio": noise_ratio,
    "matryoshka_dims": set_on("matryoshka_dims", "matryoshka_dims", "8, 32", RANKING, (32, 8), **MATRYOSHKA),
    "matryoshka_weights": set_on(
        "matryoshka_weights", "matryoshka_weights", "1, 0.5", RANKING, (1, 0.5), matryoshka_dims="32, 8", **MATRYOSHKA
    ),
    "dims_per_step": set_on("n_dims_per_step", "dims_per_step", 2, RANKING, **MATRYOSHKA),
    "layers_per_step": set_on("n_layers_per_step", "layers_per_step", 2, RANKING, **ADAPTIVE),
    "prior_layers_weight": set_on("prior_layers_weight", "prior_layers_weight", 0.5, RANKING, **ADAPTIVE),
    "kl_weight": set_on("kl_div_weight", "kl_weight", 0.5, RANKING, **ADAPTIVE),
    "layer_weighting": set_on("layer_weighting", "layer_weighting", "log", RANKING, **ADAPTIVE),
    "dataset_turns": argument("multi_dataset_batch_sampler", "dataset_turns", "round_robin"),
    "heldout_share": heldout_share,
    "max_train_rows": max_train_rows,
    "evaluations": evaluations,
    "evaluation_steps": evaluation_steps,
    "early_stopping": chooses("early_stopping", 2),
    "keep_best": chooses("keep_best", True),
    "general_check": general_check,
    "warmup_ratio": warmup_ratio,
    "lr_scheduler": lr_scheduler,
    "weight_decay": argument("weight_decay", "weight_decay", 0.2),
    "max_grad_norm": argument("max_grad_norm", "max_grad_norm", 0.5),
    "gradient_accumulation_steps": argument("gradient_accumulation_steps", "gradient_accumulation_steps", 4),
    "gradient_checkpointing": gradient_checkpointing,
    "freeze_layers": freeze_layers,
    "lora_rank": lora_rank,
    "lora_alpha": lora_alpha,
    "lora_dropout": lora_dropout,
    "precision": precision,
    "engine": engine,
    "seed": seed,
}


@pytest.mark.parametrize("field", [field.id for field in FIELDS])
def test_every_setting_changes_what_the_worker_does(field, seen, dataset):
    check = EFFECTS[field]
    check(*(seen, dataset)[: check.__code__.co_argcount])


def test_no_effect_is_tested_for_a_setting_that_is_gone():
    assert set(EFFECTS) == {field.id for field in FIELDS}
