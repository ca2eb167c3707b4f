"""The modules of the model that a config builds, with dimensions and weights, by its files' headers. No torch."""

import math
from dataclasses import dataclass, replace
from typing import Any

from studio.catalog.designs import WINDOWS
from studio.catalog.poolings import JOIN, POOLING
from studio.training.bases import Base, base_of, built_parameters, limits, module_files, width_behind
from studio.training.config import TrainConfig

NO_WEIGHTS = ("Pooling", "Normalize", "Dropout", "BoW", "WordWeights")
"""Modules without weights that are trained."""
LABELS = {
    "Transformer": "Transformer",
    "Pooling": "Pooling",
    "Normalize": "Unit length",
    "Dense": "Dense layer",
    "StaticEmbedding": "Token vectors",
    "WordEmbeddings": "Word vectors",
    "BoW": "Counts of words",
    "LayerNorm": "Layer norm",
    "Dropout": "Dropout",
    "WeightedLayerPooling": "Weighted layers",
    "WordWeights": "Weights of words",
    "CNN": "Windows (CNN)",
    "LSTM": "Recurrent (LSTM)",
}
DETAIL = {
    "WordWeights": "by rarity, fixed",
    "CNN": f"of {', '.join(map(str, WINDOWS[:-1]))} and {WINDOWS[-1]} words",
    "LSTM": "both directions",
}
"""What is said of a module in a design."""
HELP = {
    "Transformer": "Reads the tokens of a text, each in the light of all others, and gives a vector for each.",
    "Pooling": "Makes one vector of the vectors of all tokens.",
    "Normalize": "Scales the vector to length 1.",
    "Dense": "A matrix that turns the vector into one of another length, and is learnt.",
    "StaticEmbedding": "One vector for each token, the same wherever it stands; a text is their average.",
    "WordEmbeddings": "One vector for each word, the same wherever it stands.",
    "WeightedLayerPooling": "A mean of the vectors of all layers; how much each layer counts is learnt.",
    "WordWeights": "Rare words count for more than frequent ones.",
    "CNN": "Looks at a few words at a time, so that phrases count.",
    "LSTM": "Reads the words one after the other from both ends, so that their order counts.",
    "BoW": "How often each word stands in a text, rare words counted for more.",
}


@dataclass(frozen=True)
class Block:
    kind: str
    """Class of sentence-transformers."""
    label: str
    detail: str
    dimension: int | None
    """Numbers that leave it: in each token's vector, or in the text's. None: not known before a download."""
    parameters: int | None
    """Weights that are trained. None: not known before a download."""
    is_new: bool = False
    """Starts from random weights."""

    @property
    def help(self) -> str:
        return HELP.get(self.kind, "")


def blocks_of(config: TrainConfig) -> tuple[Block, ...]:
    """What the config's texts go through, in order.

    Raises:
        ModelError: there is no such base model.
    """
    base = base_of(config)
    blocks = list(_design(base) if base.design is not None else _base(base))
    if config.pooling != "default":
        modes = config.pooling.split(JOIN)
        for place, block in enumerate(blocks):
            if block.kind == "Pooling":
                before = blocks[place - 1].dimension if place else None
                blocks[place] = _pooling(modes, before)
    if config.max_seq_length is not None and base.kind != "bag":
        blocks[0] = replace(
            blocks[0], detail=f"{_without_limit(blocks[0].detail)}, up to {config.max_seq_length:,} tokens"
        )
    if config.token_layers == "weighted":
        place = next((at for at, block in enumerate(blocks) if block.kind == "Pooling"), len(blocks))
        before = blocks[place - 1].dimension
        known = limits(base).layers or None  # a weight for each layer
        label = LABELS["WeightedLayerPooling"]
        blocks.insert(place, Block("WeightedLayerPooling", label, "of all layers", before, known, is_new=True))
    was_unit = any(block.kind == "Normalize" for block in blocks)
    blocks = [block for block in blocks if block.kind != "Normalize"]
    if config.projection is not None:
        known = blocks[-1].dimension
        weights = None if known is None else known * config.projection + config.projection
        bend = "tanh" if config.projection_activation == "tanh" else "straight"
        blocks.append(Block("Dense", "Projection", bend, config.projection, weights, is_new=True))
    if config.normalize == "on" or (was_unit and config.normalize == "keep"):
        blocks.append(Block("Normalize", LABELS["Normalize"], "", blocks[-1].dimension, 0))
    return tuple(blocks)


def total_parameters(blocks: tuple[Block, ...]) -> int | None:
    """Weights of all blocks; None when one is not known."""
    counts = [block.parameters for block in blocks]
    return None if None in counts else sum(counts)


def _design(base: Base) -> tuple[Block, ...]:
    design = base.design
    if base.source is not None:
        parameters = limits(base).parameters_m
        weights = round(parameters * 1e6) if parameters else None
        return (
            Block(
                "StaticEmbedding",
                LABELS["StaticEmbedding"],
                f"distilled from {base.source.label}",
                design.width,
                weights,
            ),
        )
    weights = built_parameters(design)
    most = f"at most {design.vocabulary:,}"
    if design.kind == "transformer":
        detail = f"BERT, {_count(design.layers, 'layer')}, vocabulary of {most}, up to {design.max_tokens:,} tokens"
        return (
            Block("Transformer", LABELS["Transformer"], detail, design.width, weights, is_new=True),
            _pooling(["mean"], design.width),
        )
    if design.kind == "bag":
        return (
            Block("BoW", LABELS["BoW"], f"{most} words", design.vocabulary, 0),
            Block("Dense", LABELS["Dense"], "straight", design.width, weights, is_new=True),
        )
    if design.kind == "words":
        own = design.vocabulary * design.width
        blocks = [Block("WordEmbeddings", LABELS["WordEmbeddings"], f"{most} words", design.width, own, is_new=True)]
        if design.on_top:
            trained = 0 if design.on_top == "WordWeights" else weights - own
            detail = DETAIL[design.on_top]
            blocks.append(
                Block(design.on_top, LABELS[design.on_top], detail, design.width, trained, is_new=trained > 0)
            )
        return (*blocks, _pooling(["mean"], design.width))
    return (Block("StaticEmbedding", LABELS["StaticEmbedding"], f"{most} tokens", design.width, weights, is_new=True),)


def _base(base: Base) -> tuple[Block, ...]:
    if base.path is None:
        record = base.record
        if record is None:
            return (Block("Transformer", base.label, "has to be downloaded first", None, None),)
        kind = "StaticEmbedding" if record.kind == "static" else "Transformer"
        first = Block(
            kind, LABELS[kind], f"{record.label}, up to {record.max_tokens:,} tokens", record.dimension,
            round(record.parameters_m * 1e6),
        )  # fmt: skip
        return (first,) if record.kind == "static" else (first, _pooling(["default"], record.dimension))
    blocks: list[Block] = []
    for kind, settings, shapes in module_files(base):
        before = blocks[-1].dimension if blocks else None
        blocks.append(_module(base, kind, settings, shapes, before))
    return tuple(blocks)


def _module(base: Base, kind: str, settings: dict[str, Any], shapes: list[list[int]], before: int | None) -> Block:
    weights = 0 if kind in NO_WEIGHTS else sum(math.prod(shape) for shape in shapes)
    label = LABELS.get(kind, kind)
    if kind == "Transformer":
        known = limits(base)
        size = [f"{settings.get('model_type', '')}", _count(known.layers, "layer") if known.layers else ""]
        size.append(f"up to {known.max_tokens:,} tokens" if known.max_tokens else "")
        return Block(kind, label, ", ".join(part for part in size if part), known.hidden_size or None, weights)
    if kind == "Pooling":
        return _pooling(pooling_modes(settings), before)
    if kind == "Dense":
        bend = "tanh" if str(settings.get("activation_function", "Tanh")).endswith("Tanh") else "straight"
        return Block(kind, label, bend, settings.get("out_features"), weights)
    if kind in ("StaticEmbedding", "WordEmbeddings") and shapes:
        what = "tokens" if kind == "StaticEmbedding" else "words"
        return Block(kind, label, f"{shapes[0][0]:,} {what}", shapes[0][-1], weights)
    if kind == "BoW":
        words = len(settings.get("vocab", ()))
        return Block(kind, label, f"{words:,} words", words, 0)
    return Block(kind, label, DETAIL.get(kind, ""), width_behind(kind, settings, before), weights)


def pooling_modes(settings: dict[str, Any]) -> list[str]:
    """Modes that the config.json of a pooling names, in its newer and in its older way."""
    modes = settings.get("pooling_mode")
    if modes is not None:
        return [modes] if isinstance(modes, str) else list(modes)
    names = {"cls_token": "cls", "max_tokens": "max", "mean_tokens": "mean"}
    old = [key.removeprefix("pooling_mode_") for key, on in settings.items() if key.startswith("pooling_mode_") and on]
    return [
        names.get(name, name.removesuffix("_tokens") if name == "weightedmean_tokens" else name) for name in old
    ] or ["mean"]


def _pooling(modes: list[str], before: int | None) -> Block:
    words = " and ".join(POOLING[mode].label.lower() if mode in POOLING else mode for mode in modes)
    dimension = None if before is None else before * len(modes)
    return Block("Pooling", LABELS["Pooling"], words, dimension, 0)


def _without_limit(detail: str) -> str:
    return detail.rpartition(", up to ")[0] if ", up to " in detail else detail


def _count(number: int, word: str) -> str:
    return f"{number} {word}{'' if number == 1 else 's'}"
