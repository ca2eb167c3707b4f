"""Rows a second of the fast engine against the stock trainer's step, interleaved: python benchmarks/train.py TABLE.csv

Both train all-MiniLM-L6-v2 with MultipleNegativesRankingLoss on the same batches in turn, full length, dropout on. A
step is tokenising, forward, backward, clipping and the optimizer. Prints the machine, versions, tokens with and without
padding, and the ratio of the medians with its range over the steps.
"""

import argparse
import os
import platform
import resource
import statistics
import sys
import time
from contextlib import nullcontext
from pathlib import Path

os.environ["HF_HUB_OFFLINE"] = "1"
os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")

import numpy as np
import sentence_transformers
import torch
import transformers

from studio.data.prepare import prepare
from studio.data.read import read_table
from studio.data.roles import guess_roles
from studio.training.config import make_config
from studio.training.engine.allocator import keep_memory
from studio.training.engine.fast import fast, has_fast_bf16
from studio.training.model import build_model
from studio.training.objective import build_loss


class Contender:
    """One model with its optimizer, stepping one way."""

    def __init__(self, name: str, context, loss: str, batch_size: int):
        self.name, self._context = name, context
        config = make_config({"loss": loss, "batch_size": batch_size})
        self.model = build_model(config, "cpu").train()
        self._loss = build_loss(self.model, config)
        self._optimizer = torch.optim.AdamW(self.model.parameters(), lr=2e-5, fused=True)
        self.seconds: list[float] = []
        self.losses: list[float] = []

    def step(self, columns: list[list[str]]) -> None:
        with self._context(self.model):
            begun = time.perf_counter()
            loss = self._loss([self.model.preprocess(texts) for texts in columns], None)
            loss.backward()
            torch.nn.utils.clip_grad_norm_(self.model.parameters(), 1.0)
            self._optimizer.step()
            self._optimizer.zero_grad()
            self.seconds.append(time.perf_counter() - begun)
        self.losses.append(loss.item())


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("table", type=Path)
    parser.add_argument("--loss", default="MultipleNegativesRankingLoss")
    parser.add_argument("--batch-size", type=int, default=64)
    parser.add_argument("--steps", type=int, default=7, help="the first is not counted")
    arguments = parser.parse_args()

    table = read_table(arguments.table)
    data = prepare(table, guess_roles(table)).data.drop_columns(["row"])
    order = np.random.default_rng(0).permutation(len(data))[: arguments.steps * arguments.batch_size]
    data = data.take(order)
    contenders = [
        Contender("stock", lambda _: nullcontext(), arguments.loss, arguments.batch_size),
        Contender("fast, fp32", lambda model: fast(model, bf16=False), arguments.loss, arguments.batch_size),
    ]
    if has_fast_bf16():
        contender = Contender("fast, bf16", lambda model: fast(model, bf16=True), arguments.loss, arguments.batch_size)
        contenders.append(contender)
    keep_memory()  # for all of them: the setting is the process's
    print(
        f"{platform.processor() or platform.machine()}, {torch.get_num_threads()} threads, Python {sys.version.split()[0]}"
    )
    print(f"torch {torch.__version__}, transformers {transformers.__version__}, "
          f"sentence-transformers {sentence_transformers.__version__}")  # fmt: skip
    real = padded = 0
    for step in range(arguments.steps):
        batch = data.slice(step * arguments.batch_size, arguments.batch_size)
        columns = [batch[name].to_pylist() for name in batch.column_names]
        for contender in contenders:
            contender.step(columns)
        for texts in columns:
            mask = contenders[0].model.preprocess(texts)["attention_mask"]
            real, padded = real + int(mask.sum()), padded + mask.numel()
        print(
            f"step {step}: " + ", ".join(f"{c.name} {c.seconds[-1]:.2f} s loss {c.losses[-1]:.3f}" for c in contenders)
        )
    rows = arguments.batch_size
    print(f"tokens: {real:,}, {padded:,} with padding ({1 - real / padded:.0%} of it padding)")
    stock = contenders[0].seconds[1:]
    for contender in contenders:
        ratios = [a / b for a, b in zip(stock, contender.seconds[1:], strict=True)]
        median = statistics.median(contender.seconds[1:])
        print(f"{contender.name}: {rows / median:.1f} rows/s, {statistics.median(stock) / median:.2f}x stock "
              f"({min(ratios):.2f} to {max(ratios):.2f} over {len(ratios)} steps)")  # fmt: skip
    print(f"peak memory of the process: {resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024:,.0f} MB")


if __name__ == "__main__":
    main()
