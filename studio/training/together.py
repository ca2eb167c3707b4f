"""Several datasets for the Trainer: a dict of datasets, a loss for each, and a sampler that knows them apart."""

from collections.abc import Sequence
from typing import Any

from datasets import Dataset, DatasetDict
from sentence_transformers import SentenceTransformer, SentenceTransformerTrainer
from sentence_transformers.base.sampler import (
    DefaultBatchSampler,
    GroupByLabelBatchSampler,
    NoDuplicatesBatchSampler,
)
from sentence_transformers.sentence_transformer.training_args import BatchSamplers
from torch import nn
from torch.utils.data import BatchSampler, RandomSampler

from studio.data.rows import label_count
from studio.training.config import TrainConfig
from studio.training.feeding import Epoch, feed
from studio.training.objective import batch_sampler, build_loss
from studio.training.parts import FIRST, Part


def datasets_of(first: Dataset, parts: Sequence[Part], epoch: Epoch) -> Dataset | DatasetDict:
    """The training rows of all datasets; those of the first alone where there are no others."""
    if not parts:
        return first
    others = {part.key: feed(part.data, part.rows.train, part.config, epoch=epoch) for part in parts}
    return DatasetDict({FIRST: first, **others})


def losses_of(first: nn.Module, model: SentenceTransformer, parts: Sequence[Part]) -> nn.Module | dict[str, nn.Module]:
    """A loss for each dataset; the one alone where there are no others."""
    return (
        {FIRST: first, **{part.key: build_loss(model, part.config, labels=label_count(part.data)) for part in parts}}
        if parts
        else first
    )


def trained_by(losses: nn.Module | dict[str, nn.Module]) -> nn.Module:
    """All that learns, as one module: losses may have weights of their own."""
    return nn.ModuleDict(losses) if isinstance(losses, dict) else losses


class Samplers:
    """Makes the batch sampler of each dataset; what the Trainer calls for it. Datasets of one loss have the same columns.

    A class and no function in a function: a checkpoint keeps it.
    """

    def __init__(self, kinds: dict[tuple[str, ...], BatchSamplers]):
        self.kinds = kinds

    def __call__(self, dataset: Dataset, **arguments: Any) -> BatchSampler:
        kind = self.kinds[tuple(name for name in dataset.column_names if name != "dataset_name")]
        if kind == BatchSamplers.NO_DUPLICATES:
            return NoDuplicatesBatchSampler(dataset, **arguments)
        if kind == BatchSamplers.GROUP_BY_LABEL:
            return GroupByLabelBatchSampler(dataset, **arguments)
        return DefaultBatchSampler(RandomSampler(dataset, generator=arguments["generator"]), **arguments)


def sampler_of(config: TrainConfig, parts: Sequence[Part], datasets: Dataset | DatasetDict) -> BatchSamplers | Samplers:
    """What the Trainer takes as its batch sampler: each dataset has the one that its loss needs."""
    if not parts:
        return batch_sampler(config)
    configs = {FIRST: config, **{part.key: part.config for part in parts}}
    return Samplers({tuple(one.column_names): batch_sampler(configs[key]) for key, one in datasets.items()})


def look_at(trainer: SentenceTransformerTrainer, heldout: Dataset | None, parts: Sequence[Part]) -> None:
    """Let a Trainer of several datasets look at held-out rows of the first: it would want a dict of them, too."""
    if heldout is not None and parts:
        heldout = trainer.add_dataset_name_column(heldout, dataset_name=FIRST)
    trainer.eval_dataset = heldout
