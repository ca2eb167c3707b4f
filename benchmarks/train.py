"""Rows a second of the fast engine against the stock trainer's step: python benchmarks/train.py TABLE.csv

Each contender is a process of its own with the same all-MiniLM-L6-v2, the same batches and dropout on; they step in
turn, one at a time, so that whatever else the machine does falls on all of them alike. A step is tokenising, forward,
backward, clipping and the optimizer, texts at full length. Prints the machine, versions, tokens with and without
padding, the ratio of the medians with its range over the steps, and each process's peak memory.
"""

import argparse
import multiprocessing
import os
import platform
import resource
import statistics
import sys
import time
from contextlib import nullcontext
from multiprocessing.connection import Connection
from pathlib import Path

os.environ["HF_HUB_OFFLINE"] = "1"
os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")

import numpy as np

from studio.data.prepare import prepare
from studio.data.read import read_table
from studio.data.roles import guess_roles

LEARNING_RATE = 2e-5


def contend(name: str, loss_name: str, batch_size: int, orders: Connection) -> None:
    """A process that takes batches (columns of texts), makes a step and answers (seconds, loss, tokens, padded)."""
    import torch

    from studio.training.config import make_config
    from studio.training.engine.fast import fast
    from studio.training.model import build_model
    from studio.training.objective import build_loss

    config = make_config({"loss": loss_name, "batch_size": batch_size})
    torch.manual_seed(0)
    model = build_model(config, "cpu").train()
    loss = build_loss(model, config)
    optimizer = torch.optim.AdamW(model.parameters(), lr=LEARNING_RATE, fused=True)
    with nullcontext() if name == "stock" else fast(model, bf16=name.endswith("bf16")):
        orders.send(torch.get_num_threads())
        while (columns := orders.recv()) is not None:
            begun = time.perf_counter()
            features = [model.preprocess(texts) for texts in columns]
            value = loss(features, None)
            value.backward()
            torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
            optimizer.step()
            optimizer.zero_grad()
            tokens = sum(part["input_ids"].numel() for part in features)
            orders.send((time.perf_counter() - begun, value.item(), tokens))
    orders.send(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("table", type=Path)
    parser.add_argument("--loss", default="MultipleNegativesRankingLoss")
    parser.add_argument("--batch-size", type=int, default=64)
    parser.add_argument("--steps", type=int, default=9, help="the first is not counted")
    arguments = parser.parse_args()

    table = read_table(arguments.table)
    data = prepare(table, guess_roles(table)).data.drop_columns(["row"])
    data = data.take(np.random.default_rng(0).permutation(len(data))[: arguments.steps * arguments.batch_size])
    names = ["stock", "fast fp32", "fast bf16"]
    spawn = multiprocessing.get_context("spawn")
    pipes, threads = {}, 0
    for name in names:
        pipes[name], theirs = spawn.Pipe()
        rest = (arguments.loss, arguments.batch_size, theirs)
        spawn.Process(target=contend, args=(name, *rest), daemon=True).start()
        threads = pipes[name].recv()
    say_machine(threads)
    seconds: dict[str, list[float]] = {name: [] for name in names}
    tokens = dict.fromkeys(names, 0)
    for step in range(arguments.steps):
        batch = data.slice(step * arguments.batch_size, arguments.batch_size)
        said = []
        for name in names:
            pipes[name].send([batch[column].to_pylist() for column in batch.column_names])
            took, loss, count = pipes[name].recv()
            seconds[name].append(took)
            tokens[name] += count
            said.append(f"{name} {took:.2f} s, loss {loss:.3f}")
        print(f"step {step}: {'; '.join(said)}", flush=True)
    padding = 1 - tokens["fast fp32"] / tokens["stock"]
    print(f"tokens: {tokens['fast fp32']:,}; stock computes {tokens['stock']:,}, {padding:.0%} of them padding")
    for name in names:
        pipes[name].send(None)
        ratios = [a / b for a, b in zip(seconds["stock"][1:], seconds[name][1:], strict=True)]
        rate = arguments.batch_size / statistics.median(seconds[name][1:])
        print(
            f"{name}: {rate:.1f} rows/s, {statistics.median(ratios):.2f} times stock "
            f"({min(ratios):.2f} to {max(ratios):.2f} over {len(ratios)} steps), peak memory {pipes[name].recv():,.0f} MB"
        )


def say_machine(threads: int) -> None:
    import sentence_transformers
    import torch
    import transformers

    processor = platform.processor() or platform.machine()
    for line in Path("/proc/cpuinfo").read_text().splitlines() if Path("/proc/cpuinfo").exists() else ():
        if line.startswith("model name"):
            processor = line.partition(":")[2].strip()
            break
    print(f"{processor}, {threads} threads, {torch.backends.cpu.get_cpu_capability()}, Python {sys.version.split()[0]}")
    print(
        f"torch {torch.__version__}, transformers {transformers.__version__}, "
        f"sentence-transformers {sentence_transformers.__version__}"
    )


if __name__ == "__main__":
    main()
