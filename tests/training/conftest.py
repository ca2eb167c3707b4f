"""Run folders, made as whoever starts a run makes them."""

import csv
import json
from functools import lru_cache
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest

from studio.data.dataset import DatasetInfo, save_dataset
from studio.files import write_json
from studio.training.config import make_config
from studio.training.folder import RunFolder


def texts(samples: Path, rows: int) -> tuple[list[str], list[str]]:
    """Questions and topics of the sample."""
    with (samples / "banking77.csv").open(encoding="utf-8", newline="") as file:
        found = [list(row.values()) for row in csv.DictReader(file)][:rows]
    return [row[0] for row in found], [row[1] for row in found]


@pytest.fixture(scope="session")
def dataset(samples):
    """dataset(format, rows, negatives=1) -> (info, data) with real sentences."""

    def make(format: str, rows: int = 120, negatives: int = 1) -> tuple[DatasetInfo, pa.Table]:
        anchors, positives = texts(samples, rows)
        columns = {"anchor": anchors, "positive": positives}
        wrong = np.arange(rows) % 2 == 1
        if format == "triplet":
            for i in range(negatives):
                name = "negative" if negatives == 1 else f"negative_{i + 1}"
                shift = 7 + 10 * i
                columns[name] = positives[shift:] + positives[:shift]
        elif format != "pair":
            columns["positive"] = [positives[i - 7] if wrong[i] else positives[i] for i in range(rows)]
        if format == "scored_pair":
            columns["score"] = np.where(wrong, np.arange(rows) % 5 / 10, 0.8 + np.arange(rows) % 3 / 10)
        if format == "labelled_pair":
            columns["label"] = (~wrong).astype(np.int64)
        if format == "classed_pair":
            columns["class"] = [
                "contradiction" if wrong[i] else ("entailment", "neutral")[i // 2 % 2] for i in range(rows)
            ]
        if format in ("classed_text", "texts"):
            columns = {"text": anchors, "class": [f"topic {i % 3}" for i in range(rows)]}
        if format == "texts":
            del columns["class"]
        roles = {name: name for name in columns}
        data = pa.table({**columns, "row": np.arange(2, rows + 2)})
        return DatasetInfo("Questions", format, rows, roles, "questions.csv"), data

    return make


@pytest.fixture(scope="session")
def small_bert(tmp_path_factory, samples):
    """small_bert(dimension, seed=0) -> folder of a BERT of two layers that knows nothing, with a tokenizer of the sample's words.

    Trains a step in milliseconds.
    """
    from tokenizers import Tokenizer
    from tokenizers.models import WordLevel
    from tokenizers.normalizers import Lowercase
    from tokenizers.pre_tokenizers import Whitespace
    from tokenizers.processors import TemplateProcessing
    from tokenizers.trainers import WordLevelTrainer
    from transformers import BertConfig, BertModel, PreTrainedTokenizerFast, set_seed

    special = {"pad_token": "[PAD]", "unk_token": "[UNK]", "cls_token": "[CLS]", "sep_token": "[SEP]"}
    tokenizer = Tokenizer(WordLevel(unk_token="[UNK]"))
    tokenizer.normalizer, tokenizer.pre_tokenizer = Lowercase(), Whitespace()
    trainer = WordLevelTrainer(vocab_size=500, special_tokens=[*special.values()])
    tokenizer.train_from_iterator([text for column in texts(samples, 300) for text in column], trainer)
    ends = [(token, tokenizer.token_to_id(token)) for token in ("[CLS]", "[SEP]")]
    tokenizer.post_processor = TemplateProcessing(single="[CLS] $A [SEP]", special_tokens=ends)

    @lru_cache
    def make(dimension: int = 32, seed: int = 0) -> Path:
        folder = tmp_path_factory.mktemp("models") / f"small-bert-{dimension}"
        set_seed(seed)
        sizes = {"num_hidden_layers": 2, "num_attention_heads": 2, "intermediate_size": 64}
        config = BertConfig(
            vocab_size=tokenizer.get_vocab_size(), hidden_size=dimension, max_position_embeddings=128, **sizes
        )
        BertModel(config).save_pretrained(folder)
        PreTrainedTokenizerFast(tokenizer_object=tokenizer, model_max_length=128, **special).save_pretrained(folder)
        return folder

    return make


@pytest.fixture
def run_folder(tmp_path, dataset):
    """run_folder(config values, format=..., rows=...) -> RunFolder, ready for a worker."""

    def make(values: dict, format: str = "pair", rows: int = 120, negatives: int = 1, name: str = "run") -> RunFolder:
        folder = RunFolder(tmp_path / name)
        info, data = dataset(format, rows, negatives)
        save_dataset(folder.dataset, data, info)
        write_json(folder.config, make_config({"general_check": False, **values}).model_dump())
        write_json(folder.run, {"id": name, "name": name})
        return folder

    return make


@pytest.fixture
def events_of():
    """events_of(folder, kind=None) -> list of events."""

    def read(folder: RunFolder, kind: str | None = None) -> list[dict]:
        lines = folder.events.read_text(encoding="utf-8").splitlines()
        found = [json.loads(line) for line in lines]
        return [event for event in found if kind is None or event["event"] == kind]

    return read


@pytest.fixture(autouse=True, scope="package")
def one_thread():
    """These models are so small that two threads wait for each other longer than they compute."""
    import torch

    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)
