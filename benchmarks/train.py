"""Rows a second of the fast engine against the stock trainer's step: python benchmarks/train.py TABLE.csv

Each contender is a process of its own with the same base model (all-MiniLM-L6-v2; ``--model`` names another, and a static
one has an engine of its own), the same batches and dropout on; they step in
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
import tempfile
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
from studio.training.bases import resolve_base

LEARNING_RATE = 2e-5
SHOWN = 20
"""So many steps are printed one by one."""


def contend(name: str, base: str, loss_name: str, batch_size: int, texts: list[list[str]], orders: Connection) -> None:
    """A process that takes batches (columns of texts), makes a step and answers (seconds, loss, tokens, padded).

    ``texts``: all that will come, for an engine that cuts them beforehand; that is timed and told, too.
    """
    import torch

    from studio.training.config import make_config
    from studio.training.engine.fast import fast
    from studio.training.engine.static import cut_with, static
    from studio.training.engine.tokens import keep
    from studio.training.model import build_model
    from studio.training.objective import build_loss

    config = make_config({"base_model": base, "loss": loss_name, "batch_size": batch_size})
    torch.manual_seed(0)
    model = build_model(config, "cpu").train()
    loss = build_loss(model, config)
    with tempfile.TemporaryDirectory() as place:
        begun = time.perf_counter()
        if name == "static":
            tokens = keep(Path(place), texts, cut_with(model[0]), model[0].num_embeddings, "benchmark")
            engine = static(model, tokens, decays=False)
        else:
            engine = nullcontext() if name == "stock" else fast(model, bf16=name.endswith("bf16"))
        ready_s = time.perf_counter() - begun
        step_in_turn(model, loss, engine, ready_s, orders)


def step_in_turn(model, loss, engine, ready_s: float, orders: Connection) -> None:
    import torch

    with engine:
        optimizer = torch.optim.AdamW(model.parameters(), lr=LEARNING_RATE, fused=True)
        orders.send((torch.get_num_threads(), ready_s))
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
    parser.add_argument("--model", default="all-MiniLM-L6-v2")
    parser.add_argument("--batch-size", type=int, default=64)
    parser.add_argument("--steps", type=int, default=9, help="the first is not counted")
    arguments = parser.parse_args()

    table = read_table(arguments.table)
    data = prepare(table, guess_roles(table)).data.drop_columns(["row"])
    data = data.take(np.random.default_rng(0).permutation(len(data))[: arguments.steps * arguments.batch_size])
    static_model = resolve_base(arguments.model).kind == "static"
    names = ["stock", "static"] if static_model else ["stock", "fast fp32", "fast bf16"]
    texts = [data[column].to_pylist() for column in data.column_names]
    spawn = multiprocessing.get_context("spawn")
    pipes, threads = {}, 0
    for name in names:
        pipes[name], theirs = spawn.Pipe()
        rest = (arguments.model, arguments.loss, arguments.batch_size, texts, theirs)
        spawn.Process(target=contend, args=(name, *rest), daemon=True).start()
        threads, ready_s = pipes[name].recv()
    say_machine(threads)
    if static_model:
        print(f"{sum(map(len, texts)):,} texts cut into tokens beforehand in {ready_s:.2f} s")
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
            said.append(f"{name} {took:.3f} s, loss {loss:.3f}")
        if step < SHOWN:
            print(f"step {step}: {'; '.join(said)}", flush=True)
    last = names[1]
    padding = 1 - tokens[last] / tokens["stock"]
    print(f"tokens: {tokens[last]:,}; stock computes {tokens['stock']:,}, {padding:.0%} of them padding")
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
