"""Build the base model of a run that starts from none: from random weights, or distilled from another model.

It is written into the run's own folder before training, as any other base model: a run that goes on after a kill
finds the same vocabulary and the same first weights, and search can set it beside the tuned model.
"""

import shutil
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import torch
from sentence_transformers import SentenceTransformer
from sentence_transformers.base.modules import Dense, Transformer
from sentence_transformers.sentence_transformer.modules import (
    CNN,
    LSTM,
    BoW,
    Pooling,
    StaticEmbedding,
    WordEmbeddings,
    WordWeights,
)
from sentence_transformers.sentence_transformer.modules.tokenizer import WhitespaceTokenizer
from torch import nn
from transformers import BertConfig, BertModel, PreTrainedTokenizerFast, set_seed

from studio.catalog.designs import PADDING, WINDOWS
from studio.errors import ConfigError
from studio.training.bases import Base
from studio.training.config import TrainConfig
from studio.training.vocabulary import count_words, train_tokenizer

HEAD_WIDTHS = (64, 48, 32, 24, 16, 8)
"""Widths of an attention head, the one that is tried first at the front."""
WORD_SPREAD = 0.1
"""Standard deviation of random word vectors."""


def build_base(base: Base, config: TrainConfig, texts: Sequence[str], folder: Path, device: torch.device) -> Base:
    """The base with its files in ``folder``; written whole or not at all, and only if it is not there yet.

    ``texts``: those of the training rows alone, so that held-out texts stay unseen.

    Raises:
        ConfigError: the texts hold no words to make a vocabulary of.
    """
    if not (folder / "modules.json").is_file():
        set_seed(config.seed)
        aside = folder.with_name(f".{folder.name}.writing")
        shutil.rmtree(aside, ignore_errors=True)
        aside.parent.mkdir(parents=True, exist_ok=True)
        modules = (
            _distil(base, device) if base.source is not None else _MODULES[base.design.kind](base, config, texts, aside)
        )
        model = SentenceTransformer(modules=modules, device="cpu", similarity_fn_name="cosine")
        model.model_card_data.local_files_only = True
        model.save_pretrained(str(aside), create_model_card=False, safe_serialization=True)
        shutil.rmtree(aside / "parts", ignore_errors=True)
        shutil.rmtree(folder, ignore_errors=True)
        aside.rename(folder)
    kind = base.kind if base.kind != "transformer" else "sentence"
    return replace(base, kind=kind, path=folder, design=None, source=None)


def _transformer(base: Base, config: TrainConfig, texts: Sequence[str], folder: Path) -> list[nn.Module]:
    design = base.design
    tokenizer = train_tokenizer(texts, design.vocabulary, config.tokenizer)
    positions = max(design.max_tokens, config.max_seq_length or 0)
    head = next(width for width in HEAD_WIDTHS if design.width % width == 0)
    settings = BertConfig(
        vocab_size=tokenizer.get_vocab_size(),
        hidden_size=design.width,
        num_hidden_layers=design.layers,
        num_attention_heads=design.width // head,
        intermediate_size=4 * design.width,
        max_position_embeddings=positions,
        pad_token_id=tokenizer.token_to_id("[PAD]"),
    )
    parts = folder / "parts"
    BertModel(settings).save_pretrained(parts)
    # The tokenizer object itself: BertTokenizerFast(vocab_file=...) silently drops the vocabulary in transformers 5.
    PreTrainedTokenizerFast(
        tokenizer_object=tokenizer, pad_token="[PAD]", unk_token="[UNK]", cls_token="[CLS]", sep_token="[SEP]",
        mask_token="[MASK]", model_max_length=positions,
    ).save_pretrained(parts)  # fmt: skip
    transformer = Transformer(str(parts), max_seq_length=positions)
    return [transformer, Pooling(design.width, "mean")]


def _static(base: Base, config: TrainConfig, texts: Sequence[str], _: Path) -> list[nn.Module]:
    tokenizer = train_tokenizer(texts, base.design.vocabulary, config.tokenizer)
    return [StaticEmbedding(tokenizer, embedding_dim=base.design.width)]


def _words(base: Base, _: TrainConfig, texts: Sequence[str], __: Path) -> list[nn.Module]:
    design, width = base.design, base.design.width
    words, rarity = _words_of(texts, design.vocabulary)
    if design.on_top == "CNN":
        words = [PADDING, *words[: design.vocabulary - 1]]
    vectors = torch.randn(len(words), width) * WORD_SPREAD
    if design.on_top == "CNN":
        vectors[0] = 0.0
    tokenizer = WhitespaceTokenizer(words, stop_words=(), do_lower_case=True)
    between = {
        "": lambda: [],
        "WordWeights": lambda: [WordWeights(words, rarity)],
        "CNN": lambda: [CNN(width, width // len(WINDOWS), list(WINDOWS))],
        "LSTM": lambda: [LSTM(width, width // 2)],
    }[design.on_top]()
    return [WordEmbeddings(tokenizer, vectors, update_embeddings=True), *between, Pooling(width, "mean")]


def _bag(base: Base, _: TrainConfig, texts: Sequence[str], __: Path) -> list[nn.Module]:
    words, rarity = _words_of(texts, base.design.vocabulary)
    return [BoW(words, rarity), Dense(len(words), base.design.width, activation_function=nn.Identity())]


_MODULES = {"transformer": _transformer, "static": _static, "words": _words, "bag": _bag}


def _words_of(texts: Sequence[str], size: int) -> tuple[list[str], dict[str, float]]:
    words, rarity = count_words(texts, size)
    if not words:
        raise ConfigError(
            "The texts hold no words.", hint="Choose a model that reads pieces of words: new:bert or new:static."
        )
    return words, rarity


def _distil(base: Base, device: torch.device) -> list[nn.Module]:
    """model2vec: each token of the transformer's vocabulary is read alone; the vectors are turned so that the first
    dimensions say most, and tokens that stand everywhere count less."""
    from model2vec.distill import distill_from_model

    from studio.training.model import load_base

    source = load_base(base.source, str(device))
    found = distill_from_model(
        source[0].model,
        source.tokenizer,
        pca_dims=base.design.width,
        quantize_to="float32",
        device=str(device),
    )
    return [StaticEmbedding(found.tokenizer, embedding_weights=torch.as_tensor(found.embedding, dtype=torch.float32))]
