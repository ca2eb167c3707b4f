"""How long a training will take and what it needs, before it is started. No torch.

Steps are exact. Time and memory are what was measured here on trainings of the same kind (speeds.py), carried over by a
cost model: floating-point operations of the model for the tokens that will be computed, padding included where the stock
engine computes it. Before anything was measured they are a first guess: the cost model alone, over the speed that this
machine shows in a short matrix product. Say 'about' with either.
"""

import os
import time
from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import lru_cache
from pathlib import Path

import numpy as np
import psutil
import pyarrow as pa
from threadpoolctl import threadpool_limits

from studio.catalog.losses import LOSS, MODIFIER
from studio.catalog.models import DEFAULT_MODEL
from studio.data.codes import picked_rows
from studio.data.cut import TokenLengths
from studio.data.dataset import DatasetInfo
from studio.data.rows import text_columns
from studio.data.table import Finding
from studio.training.advice import advise
from studio.training.bases import Base, Limits, base_of, limits, resolve_base
from studio.training.config import AUTO, TrainConfig
from studio.training.fit import packs
from studio.training.judging import OwnTest
from studio.training.parts import make_parts, plan_together, trained_rows
from studio.training.rows import LIVE_ROWS, RowPlan, most_rows, plan_rows
from studio.training.speeds import Kind, Speeds, Work, machine
from studio.training.suggest import check_fit

SAMPLE_ROWS = 2000

# Measured on two x86 cores with MiniLM (batch 32) and WordLlama; other programs on them change the time severalfold.
PROCESS_MB = 700.0
"""A worker that has loaded its libraries."""
STARTUP_S = 10.0
EFFICIENCY_TRAIN = 0.72
"""Share of the matrix product's speed that a stock training step reaches."""
EFFICIENCY_FAST = {"fp32": 0.4, "bf16": 0.6}
"""The same for a step of the fast engine on a processor, by number format."""
FAST_STEP_S = 0.2
"""What a step of the fast engine takes besides."""
EFFICIENCY_ENCODE = 0.6
EFFICIENCY_TOKENS = 0.1
"""The same for reading a vocabulary token by token, when a static model is distilled."""
OPTIMIZER_S_PER_M = 1.2e-3
"""Adam, seconds a step and million parameters."""
STATIC_S_PER_TOKEN = 1.5e-6
STATIC_SHARE = 0.2
"""Share of a static model's table that the texts of a dataset read, as a guess."""
STEP_S = 0.004
FEW_ROWS = 8
"""An automatic batch size is not reckoned below it."""
PROBE_EVERY_S = 20.0
NOMINAL_GFLOPS = 100.0
"""Speed of the machine in whose seconds work is told; see speeds.py."""
GPU_GFLOPS = 10_000.0
"""A guess: nothing is measured on a GPU beforehand."""


@dataclass(frozen=True)
class Tokens:
    """Length of the texts in tokens, before anything is cut off."""

    p50: int
    p95: int
    max: int


@dataclass(frozen=True)
class Estimate:
    steps: int
    seconds: float | None
    """About; None when the base model is not on this machine yet."""
    memory_mb: float | None
    train_rows: int
    heldout_rows: int
    tokens: Tokens | None
    truncated_share: float | None
    """Share of the texts that are longer than the model's limit and cut off."""
    note: str
    findings: tuple[Finding, ...] = ()
    """What is doubtful of this config and these rows together."""
    lengths: TokenLengths | None = None
    """Of the longest text of each row in a sample of the training rows, against this config's limit."""
    own_test: bool = False
    """``heldout_rows`` are test data of the person's own."""
    work: Work | None = None
    """What it is reckoned from; None where the model's files are not here."""
    measured: bool = False
    """Time and memory come from what was measured on this machine, with about this batch and length."""


def estimate(
    info: DatasetInfo,
    data: pa.Table,
    config: TrainConfig,
    test: OwnTest | None = None,
    speeds: Speeds | None = None,
) -> Estimate:
    """What training ``data`` (the dataset's rows) with this config takes. ``test``: what judges instead of held-out rows;
    ``speeds``: what was measured here before.

    Raises:
        ConfigError, ModelError: the config cannot train on this dataset.
    """
    check_fit(info, config, data, test)
    base = base_of(config)
    known = limits(base)
    automatic = config.batch_size == AUTO
    if automatic:
        config = config.model_copy(update={"batch_size": _likely_batch(known, data, config, test)})
    rows = plan_rows(data, config, test)
    sizes = (rows.steps, len(rows.train), rows.judging)
    notes = [rows.split.note] if test is not None else []
    if automatic:
        notes.append(f"The batch size is found by trying; {rows.batch_size:,} rows are reckoned with here.")
    if base.needs_download or known.tokenizer is None or known.parameters_m is None:
        notes.append(f"Time and memory are not known: {base.label} has to be downloaded first.")
        return Estimate(
            sizes[0],
            None,
            None,
            *sizes[1:],
            None,
            None,
            " ".join(notes),
            advise(data, config, rows, base, None),
            own_test=test is not None,
        )
    table = _lengths_by_column(known.tokenizer, data.take(rows.train))
    lengths = np.concatenate(list(table.values()))
    limit = config.max_seq_length or known.max_tokens or int(lengths.max())
    numbers = _sample(data.take(rows.train))["row"].to_numpy()
    by_row = TokenLengths(base.label, limit, np.maximum.reduce(list(table.values())), numbers, known.position_limit)
    gpu = _has_gpu()
    cut = {name: np.minimum(column, limit) for name, column in table.items()}
    judged = info if test is None else test.info
    work = _work(judged, config, base, known, rows, cut)
    found = speeds.predict(work) if speeds else None
    gflops = GPU_GFLOPS if gpu else matmul_gflops()
    if found is None:
        costs = _costs(judged, config, base, known, rows, cut, gflops)
        seconds, memory_mb = STARTUP_S + costs.once_s + rows.steps * costs.step_s + costs.judging_s, work.memory_mb
    else:
        once = _costs(judged, config, base, known, rows, cut, gflops).once_s
        seconds = found.startup_s + once + rows.steps * found.step_s + found.judging_s
        memory_mb = found.memory_mb
    where = "a GPU" if gpu else f"the processor, {os.cpu_count()} cores"
    measured = speeds is not None and speeds.knows(work)
    how = "Measured on" if measured else "Reckoned from other trainings on" if found else "A first guess for"
    notes.append(f"{how} {where}.")
    return Estimate(
        sizes[0],
        seconds,
        memory_mb,
        *sizes[1:],
        Tokens(int(np.percentile(lengths, 50)), int(np.percentile(lengths, 95)), int(lengths.max())),
        float((lengths > limit).mean()),
        " ".join(notes),
        advise(data, config, rows, base, by_row),
        by_row,
        test is not None,
        work,
        measured,
    )


def work_of(info: DatasetInfo, data: pa.Table, config: TrainConfig, test: OwnTest | None = None) -> Work | None:
    """What the cost model says of a training; None where the model's files are not here."""
    base = base_of(config)
    known = limits(base)
    if base.needs_download or known.tokenizer is None or known.parameters_m is None:
        return None
    rows = plan_rows(data, config, test)
    table = _lengths_by_column(known.tokenizer, data.take(rows.train))
    limit = config.max_seq_length or known.max_tokens or max(int(column.max()) for column in table.values())
    return _work(
        info if test is None else test.info,
        config,
        base,
        known,
        rows,
        {k: np.minimum(v, limit) for k, v in table.items()},
    )


def encoding_work(config: TrainConfig, texts: Sequence[str]) -> float:
    """What the cost model says of embedding ``texts`` once, in the same seconds as ``Work.judging``."""
    known = limits(base_of(config))
    encoder = _tokenizer(known.tokenizer, known.tokenizer.stat().st_mtime_ns)
    limit = config.max_seq_length or known.max_tokens or 10**9
    lengths = np.array([min(len(e.ids), limit) for e in encoder.encode_batch_fast(list(texts))], dtype=np.int64)
    if not known.layers:
        return float(lengths.sum()) * STATIC_S_PER_TOKEN
    mean = float(lengths.mean())
    return _forward_flop(known, mean * len(lengths), mean) / (NOMINAL_GFLOPS * 1e9 * EFFICIENCY_ENCODE)


def estimate_together(
    info: DatasetInfo,
    data: pa.Table,
    config: TrainConfig,
    also: Sequence[tuple[DatasetInfo, pa.Table]],
    test: OwnTest | None = None,
    speeds: Speeds | None = None,
) -> Estimate:
    """The same for several datasets that train one model together. ``also``: those that train along.

    Raises:
        ConfigError, ModelError: as :func:`estimate`, and when one of them cannot train along.
    """
    first = estimate(info, data, config, test, speeds)
    if not also:
        return first
    rows = plan_rows(data, config, test)
    parts = make_parts(also, config, data, rows)
    plan = plan_together(data, config, rows, parts)
    each = [first, *(estimate(part.info, part.data, part.config, speeds=speeds) for part in parts)]
    alone = sum(one.steps for one in each)
    seconds = memory = None
    if all(one.seconds is not None for one in each):
        # In turns fewer steps are made than the datasets would make one after the other.
        seconds = STARTUP_S + sum(one.seconds - STARTUP_S for one in each) * min(1.0, plan.steps / alone)
        memory = max(one.memory_mb for one in each)
    return replace(
        first,
        steps=plan.steps,
        seconds=seconds,
        memory_mb=memory,
        train_rows=trained_rows(rows, parts),
        note=" ".join([*(part.words for part in parts), *plan.notes[len(rows.notes) :], first.note]),
    )


def token_lengths(base: Base, data: pa.Table) -> np.ndarray | None:
    """Tokens of the texts in a sample of the rows (one number a text), None when the tokenizer is not here."""
    known = limits(base)
    if known.tokenizer is None:
        return None
    return np.concatenate(list(_lengths_by_column(known.tokenizer, data).values()))


def row_lengths(data: pa.Table, base_model: str = DEFAULT_MODEL) -> TokenLengths | None:
    """For the data check: tokens of the longest text of each row in a sample of the rows; None as above."""
    base = resolve_base(base_model)
    known = limits(base)
    if known.tokenizer is None or known.max_tokens is None or not len(data):
        return None
    data = _sample(data)
    longest = np.maximum.reduce(list(_lengths_by_column(known.tokenizer, data).values()))
    return TokenLengths(base.label, known.max_tokens, longest, data["row"].to_numpy(), known.position_limit)


_probed: list[tuple[float, float]] = []
"""(when, GFLOP/s) of the probes of this process."""


def matmul_gflops() -> float:
    """Speed of this machine in single precision: the best of the probes so far, one at most every PROBE_EVERY_S.

    A probe takes about 0.1 s, and is slow where something else computes in that moment: hence the best, and hence one
    thread, for several would wait for the slowest of them.
    """
    now = time.monotonic()
    if not _probed or now - _probed[-1][0] > PROBE_EVERY_S:
        _probed.append((now, _probe()))
    return max(gflops for _, gflops in _probed)


def _probe() -> float:
    a = np.random.default_rng(0).standard_normal((768, 768), dtype=np.float32)
    best = float("inf")
    until = time.perf_counter() + 0.1
    with threadpool_limits(1, "blas"):
        while best == float("inf") or time.perf_counter() < until:
            start = time.perf_counter()
            a @ a
            best = min(best, time.perf_counter() - start)
    return (os.cpu_count() or 1) * 2 * 768**3 / best / 1e9


def _sample(data: pa.Table) -> pa.Table:
    """At most SAMPLE_ROWS rows, in their order."""
    if len(data) <= SAMPLE_ROWS:
        return data
    return picked_rows(data, np.sort(np.random.default_rng(0).choice(len(data), SAMPLE_ROWS, replace=False)))


def _lengths_by_column(tokenizer: Path, data: pa.Table) -> dict[str, np.ndarray]:
    """Column -> tokens of its texts, for the same sample of at most SAMPLE_ROWS rows."""
    texts = text_columns(data)
    data = _sample(data)
    encoder = _tokenizer(tokenizer, tokenizer.stat().st_mtime_ns)
    return {
        name: np.array([len(e.ids) for e in encoder.encode_batch_fast(data[name].to_pylist())], dtype=np.int64)
        for name in texts
    }


@lru_cache(maxsize=4)
def _tokenizer(path: Path, mtime_ns: int):
    from tokenizers import Tokenizer

    tokenizer = Tokenizer.from_file(str(path))
    tokenizer.no_truncation()
    tokenizer.no_padding()
    return tokenizer


def _likely_batch(known: Limits, data: pa.Table, config: TrainConfig, test: OwnTest | None) -> int:
    """The batch size that trying will probably end with."""
    most = most_rows(data, config, test)
    if known.tokenizer is None or known.parameters_m is None or known.layers == 0 or _has_gpu():
        return most
    free_mb = psutil.virtual_memory().available / 1e6
    lengths = _lengths_by_column(known.tokenizer, data)
    limit = config.max_seq_length or known.max_tokens or max(int(column.max()) for column in lengths.values())
    lengths = {name: np.minimum(column, limit) for name, column in lengths.items()}
    while most > FEW_ROWS:
        rows = plan_rows(data, config.model_copy(update={"batch_size": most}), test)
        if _memory_mb(known, rows, config, lengths) <= free_mb:
            break
        most //= 2
    return most


def _padded(columns: list[np.ndarray], batch_size: int) -> float:
    """Mean length that the texts of a batch are padded to, when ``columns`` are computed together."""
    rows = len(columns[0])
    longest = np.maximum.reduce(columns)[np.random.default_rng(0).permutation(rows)]
    starts = np.arange(0, rows, min(batch_size, rows))
    return float(np.maximum.reduceat(longest, starts).mean())


def _forward_flop(known: Limits, tokens: float, length: float) -> float:
    """Floating-point operations of one forward pass over ``tokens`` tokens in texts of ``length``.

    12 h^2 weights a layer, two operations each, and attention's two products of 2 * length * h each.
    """
    return tokens * known.layers * (24 * known.hidden_size**2 + 4 * length * known.hidden_size)


@dataclass(frozen=True)
class _Costs:
    """Seconds, as the cost model has them."""

    step_s: float
    judging_s: float
    """All looks at the held-out rows."""
    once_s: float
    """What is done once, before the first step: a teacher's reading, a vocabulary's distillation."""


def _costs(
    judged: DatasetInfo,
    config: TrainConfig,
    base: Base,
    known: Limits,
    rows: RowPlan,
    lengths: dict[str, np.ndarray],
    gflops: float,
) -> _Costs:
    searched = 0 if judged.format not in ("pair", "triplet") else judged.corpus_rows
    cost = _transformer_cost if known.layers else _static_cost
    found = cost(known, rows, config, searched, lengths, gflops)
    once_s = found.once_s
    if base.source is not None:
        source = limits(base.source)
        once_s += _forward_flop(source, 3 * base.design.vocabulary, 3) / (gflops * 1e9 * EFFICIENCY_TOKENS)
    return replace(found, once_s=once_s)


def _work(
    judged: DatasetInfo,
    config: TrainConfig,
    base: Base,
    known: Limits,
    rows: RowPlan,
    lengths: dict[str, np.ndarray],
) -> Work:
    costs = _costs(judged, config, base, known, rows, lengths, NOMINAL_GFLOPS)
    readers = [limits(resolve_base(config.of_loss(n))).parameters_m for n in _readers(config)]
    kind = Kind(
        f"{machine()}{', GPU' * _has_gpu()}",
        f"{base.kind}, {known.layers} layers of {known.hidden_size}, {known.parameters_m:.1f} M",
        " ".join([config.loss, config.modifier, *(f"{p:.0f}" for p in readers if p)]),
        f"{config.engine} {config.precision}",
        f"{config.lora_rank or 0} {config.freeze_layers} {config.gradient_checkpointing} {config.gradient_accumulation_steps}",
    )
    return Work(kind, rows.batch_size, costs.step_s, costs.judging_s, _memory_mb(known, rows, config, lengths))


def _readers(config: TrainConfig) -> list[str]:
    """Settings that name another model which reads along."""
    return [name for name in ("guide_model", "teacher_model") if name in config.loss_parameters]


def _transformer_cost(
    known: Limits, rows: RowPlan, config: TrainConfig, searched: int, lengths: dict[str, np.ndarray], gflops: float
) -> _Costs:
    """Seconds of a step and of the looks at the held-out rows. ``searched``: documents that are read to judge."""
    loss, fast = LOSS[config.loss], _is_fast(config)
    first, *others = lengths.values()
    train_rows = min(len(rows.train) * config.epochs, rows.steps * rows.batch_size * config.gradient_accumulation_steps)
    forward = 0.0  # operations of a training row's forward pass
    for columns in filter(None, ([first], others)):
        length = float(np.mean(columns)) if fast else _padded(columns, rows.batch_size)
        forward += loss.reads * _forward_flop(known, length * len(columns), length)
    times = 1 + _backward(known, config)  # forward, backward
    times += loss.cached + config.gradient_checkpointing  # each computes the forward pass again
    efficiency = EFFICIENCY_FAST[_fast_precision(config)] if fast else EFFICIENCY_TRAIN
    train = times * forward * train_rows / (gflops * 1e9 * efficiency)
    mean = float(np.mean(np.concatenate(list(lengths.values()))))
    encode_row = _forward_flop(known, mean * len(lengths), mean) / (gflops * 1e9 * EFFICIENCY_ENCODE)
    loss_row = forward / (gflops * 1e9 * EFFICIENCY_ENCODE)
    live, checks = min(len(rows.looked_at), LIVE_ROWS), _checks(rows, config)
    document = float(np.mean(others[0] if others else first))
    encode_document = _forward_flop(known, document, document) / (gflops * 1e9 * EFFICIENCY_ENCODE)
    judging = 2 * searched * encode_document + checks * min(searched, LIVE_ROWS) * encode_document
    judging += 2 * rows.judging * encode_row + (checks + 1) * live * loss_row
    judging += (checks + config.chooses) * live * encode_row
    step = (FAST_STEP_S if fast else STEP_S) + OPTIMIZER_S_PER_M * known.parameters_m
    guide, teacher = _advisers_cost(config, train_rows, rows, mean * len(lengths), gflops)
    return _Costs((train + guide) / rows.steps + step, judging, teacher)


def _advisers_cost(
    config: TrainConfig, read: float, rows: RowPlan, tokens: float, gflops: float
) -> tuple[float, float]:
    """Seconds that a guide (each row at each step) and a teacher (each row once) take to read rows of ``tokens`` tokens."""
    seconds = {"guide_model": 0.0, "teacher_model": 0.0}
    for name, read_rows in (
        ("guide_model", read),
        ("teacher_model", len(rows.train) + min(len(rows.looked_at), LIVE_ROWS)),
    ):
        if name in config.loss_parameters:
            adviser = limits(resolve_base(config.of_loss(name)))
            seconds[name] = read_rows * _forward_flop(adviser, tokens, tokens) / (gflops * 1e9 * EFFICIENCY_ENCODE)
    return seconds["guide_model"], seconds["teacher_model"]


def _is_fast(config: TrainConfig) -> bool:
    """Whether the fast engine will train, as far as can be told before the model is loaded."""
    return config.engine == "fast" and not _has_gpu() and packs(LOSS[config.loss], MODIFIER[config.modifier])


def _static_cost(
    known: Limits, rows: RowPlan, config: TrainConfig, searched: int, lengths: dict[str, np.ndarray], gflops: float
) -> _Costs:
    """Seconds of a step and of the looks: splitting texts into tokens, and Adam over all vectors at each step."""
    a_row = float(sum(column.mean() for column in lengths.values()))
    live = min(len(rows.looked_at), LIVE_ROWS)
    looked_at = 2 * (rows.judging + searched) + (2 * _checks(rows, config) + 1) * live
    train_rows = len(rows.train) * config.epochs
    guide, teacher = _advisers_cost(config, train_rows, rows, a_row, gflops)
    fast = config.engine == "fast" and not _has_gpu() and known.layers == 0
    # Its own engine cuts texts once, and moves the rows of the table that they read.
    train = a_row * train_rows * (0.5 if fast else 2) * STATIC_S_PER_TOKEN + guide
    step = train / rows.steps + STEP_S + OPTIMIZER_S_PER_M * known.parameters_m * (STATIC_SHARE if fast else 1)
    return _Costs(step, a_row * looked_at * STATIC_S_PER_TOKEN, teacher)


def fixed_memory_mb(config: TrainConfig) -> float | None:
    """What training needs however small its portions are: the process, weights, gradients and moments. None: not known."""
    known = limits(base_of(config))
    return None if known.parameters_m is None else _fixed_mb(known, config)


def _fixed_mb(known: Limits, config: TrainConfig) -> float:
    model = known.parameters_m * 4 * (1 + (3 + config.keep_best) * _trained_share(known, config))
    if config.loss.startswith("ContrastiveTension"):  # a second copy trains along
        model *= 2
    # A guide stays in memory, and so does what was taken for a teacher, who is asked before.
    readers = [limits(resolve_base(config.of_loss(name))).parameters_m or 0.0 for name in _readers(config)]
    return PROCESS_MB + model + 4 * sum(readers)


def _memory_mb(known: Limits, rows: RowPlan, config: TrainConfig, lengths: dict[str, np.ndarray]) -> float:
    """Weights, gradients, two moments, and what a batch keeps for the backward pass (34 h + 5 a s values a token)."""
    fixed = _fixed_mb(known, config)
    if known.layers == 0:
        return fixed
    loss, fast = LOSS[config.loss], _is_fast(config)
    portion = min(config.of_loss("mini_batch_size"), rows.batch_size) if loss.cached else rows.batch_size
    columns = list(lengths.values())
    length = float(np.mean(columns)) if fast else _padded(columns, rows.batch_size)
    heads = max(1, known.hidden_size // 64)
    tokens = portion * len(lengths) * length * loss.reads
    layer = 17 * known.hidden_size + 2.5 * heads * length
    # With gradient checkpointing one layer's values, and what goes into each of the others.
    values = layer + known.layers * known.hidden_size if config.gradient_checkpointing else known.layers * layer
    activations = tokens * values * 4 / 1e6
    return fixed + activations


def _checks(rows: RowPlan, config: TrainConfig) -> int:
    """How often rows are looked at while training runs."""
    return max(1, rows.steps // config.evaluation_steps) if config.evaluation_steps else config.evaluations


def _backward(known: Limits, config: TrainConfig) -> float:
    """Cost of the backward pass over that of the forward pass: once through the layers that have something to train
    above or in them, and once more for their weights."""
    share = 1 - config.freeze_layers / known.layers if known.layers else 1.0
    return share * (1.0 if config.lora_rank else 2.0)


def _trained_share(known: Limits, config: TrainConfig) -> float:
    """Share of the weights that are trained: a layer has some 12 h^2."""
    layer_m = 12 * known.hidden_size**2 / 1e6
    if config.lora_rank:  # two thin matrices for each of six linear maps
        moved = known.layers * 18 * known.hidden_size * config.lora_rank / 1e6
    elif config.freeze_layers:
        moved = (known.layers - config.freeze_layers) * layer_m
    else:
        return 1.0
    return min(1.0, moved / known.parameters_m)


def _fast_precision(config: TrainConfig) -> str:
    """What the fast engine computes in on this processor."""
    if config.precision != "auto":
        return "bf16" if config.precision == "bf16" else "fp32"
    return "bf16" if _has_bf16() else "fp32"


@lru_cache(maxsize=1)
def _has_bf16() -> bool:
    """Whether the processor multiplies bf16 in hardware, as the engine finds out from torch."""
    try:
        flags = Path("/proc/cpuinfo").read_text()
    except OSError:
        return False
    return "avx512_bf16" in flags or "amx_bf16" in flags


def _has_gpu() -> bool:
    return Path("/dev/nvidia0").exists() or Path("/dev/kfd").exists()
