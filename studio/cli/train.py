"""Training: one run, or several that try settings."""

import json
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from studio.catalog.losses import LOSS_NAMES
from studio.catalog.presets import DEFAULT_PRESET, PRESET
from studio.cli.base import app, print_json, say
from studio.cli.options import DIALECT, ROLES, Json, settings_of, takes
from studio.cli.tables import read_table
from studio.errors import RunError
from studio.training.config import FIELDS
from studio.training.settings_file import read_settings_file

if TYPE_CHECKING:
    from studio.data.table import Dialect, Roles


@app.command()
@takes(roles=ROLES, dialect=DIALECT, settings=settings_of(FIELDS))
def train(
    data: Annotated[
        list[str],
        typer.Option(
            metavar="FILE",
            help="Table of texts: CSV, TSV, JSON, JSON Lines, Parquet or Excel, given several times they are read as one; or a "
            "retrieval set as a zip, a folder, or its files one by one; or hub:owner/name[:config][@split], a dataset of the hub.",
        ),
    ],
    out: Annotated[Path, typer.Option(help="Folder for the run; new or empty.")],
    also: Annotated[
        list[Path] | None,
        typer.Option(
            metavar="FILE",
            help="Another table that trains along, its roles guessed and with the loss that suits it; may be given "
            "several times.",
        ),
    ] = None,
    test: Annotated[
        list[str] | None,
        typer.Option(
            metavar="FILE",
            help="Test data that judge instead of rows held out of the table, its roles guessed; a retrieval set is given as --data "
            "takes it. Rows that give them away do not train.",
        ),
    ] = None,
    config: Annotated[
        Path | None, typer.Option(help="YAML or JSON file of settings, such as a run's; options win over it.")
    ] = None,
    preset: Annotated[
        str,
        typer.Option(metavar="|".join(PRESET), help="What the suggested settings are made into; options win over it."),
    ] = DEFAULT_PRESET,
    as_json: Json = False,
    *,
    roles: "Roles",
    dialect: "Dialect | None",
    settings: dict[str, Any],
) -> None:
    """Fine-tune a model and judge it on rows that it never saw. Settings that are not given are suggested by the data."""
    from studio.data.table import Roles
    from studio.evaluation.result import Verdict
    from studio.launch import make_run, run_worker

    table, roles = read_table(data, roles, dialect)
    given = {**(read_settings_file(config) if config else {}), **settings}
    if "loss" in given:
        given["loss"] = LOSS_NAMES.get(str(given["loss"]).lower(), given["loss"])
    others = [read_table([str(file)], Roles()) for file in also or ()]
    judge = read_table(test, Roles()) if test else None
    folder, train_config = make_run(out, table, roles, given, table.name, others, preset, judge)
    say(f"{train_config.loss} on {train_config.base_model}; log: {folder.log}")
    outcome = run_worker(folder, say)
    verdict = Verdict.load(folder.verdict)
    if outcome.error_id:
        say(f"Error: {outcome.message} The whole error ({outcome.error_id}) is in {folder.log}.")
        raise typer.Exit(1)
    if outcome.state != "succeeded" or verdict is None:
        raise RunError(outcome.message, hint=outcome.hint)
    if as_json:
        print_json(
            {
                "run_dir": str(folder.path),
                "model": str(folder.model),
                "loss": train_config.loss,
                "train_rows": outcome.train_rows,
                "heldout_rows": outcome.heldout_rows,
                "base": {metric.id: metric.base for metric in verdict.metrics},
                "tuned": {metric.id: metric.tuned for metric in verdict.metrics},
                "seconds": outcome.seconds,
                "outcome": verdict.outcome,
                "verdict": verdict.sentence,
                "judged_on": verdict.judged_on,
                "split_note": verdict.split_note,
                "metrics": [asdict(metric) for metric in verdict.metrics],
                "others": [asdict(other) for other in verdict.others],
                "keyword": None if verdict.keyword is None else asdict(verdict.keyword),
                "general": None if verdict.general is None else asdict(verdict.general),
                "lengths": [asdict(length) for length in verdict.lengths],
                "config": train_config.model_dump(),
            }
        )
        return
    print(verdict.sentence)
    for metric in verdict.metrics:
        interval = f"{metric.low:+.4f} to {metric.high:+.4f}"
        print(f"  {metric.id:<18} base {metric.base:.4f}   tuned {metric.tuned:.4f}   difference {interval}")
    if verdict.keyword is not None:
        print(verdict.keyword.sentence)
    for other in verdict.others:
        metric = other.metric
        interval = f"{metric.low:+.4f} to {metric.high:+.4f}"
        print(
            f"{other.name}\n  {metric.id:<18} base {metric.base:.4f}   tuned {metric.tuned:.4f}   difference {interval}"
        )
    for length in verdict.lengths:
        print(f"  {verdict.primary:<18} {length.value:.4f} with the first {length.dimension} numbers")
    if verdict.general is not None:
        print(" ".join([verdict.general.sentence, *verdict.general.advice]))
    print(f"Judged on {verdict.heldout_rows:,} rows that training never saw. {verdict.split_note}")
    print(f"Model: {folder.model}")


@app.command(name="sweep")
@takes(roles=ROLES, dialect=DIALECT, settings=settings_of(FIELDS))
def try_settings(
    data: Annotated[Path, typer.Option(help="Table of texts, as for train.")],
    out: Annotated[Path, typer.Option(help="Folder for the sweep; new or empty.")],
    trials: Annotated[int, typer.Option(help="How many runs.")] = 8,
    minutes: Annotated[float | None, typer.Option(help="No trial begins after so long.")] = None,
    rate_factor: Annotated[
        float,
        typer.Option(help="Learning rates from the suggested one divided by this to it times this; 1: not varied."),
    ] = 3.0,
    try_base: Annotated[
        list[str] | None, typer.Option(metavar="MODEL", help="A base model to try; several times.")
    ] = None,
    try_loss: Annotated[list[str] | None, typer.Option(metavar="LOSS", help="A loss to try; several times.")] = None,
    try_epochs: Annotated[list[float] | None, typer.Option(metavar="N", help="Epochs to try; several times.")] = None,
    try_batch_size: Annotated[
        list[int] | None, typer.Option(metavar="N", help="A batch size to try; several times.")
    ] = None,
    as_json: Json = False,
    *,
    roles: "Roles",
    dialect: "Dialect | None",
    settings: dict[str, Any],
) -> None:
    """Try several settings, then train the best ones; they are judged on rows that no trial saw."""
    from studio.evaluation.result import Verdict
    from studio.launch import run_sweep
    from studio.training.sweep import best

    table, roles = read_table([str(data)], roles, dialect)
    losses = tuple(LOSS_NAMES.get(name.lower(), name) for name in try_loss or ())
    tried = {
        "base_models": tuple(try_base or ()), "losses": losses, "epochs": tuple(try_epochs or ()),
        "batch_sizes": tuple(try_batch_size or ()), "rate_factor": rate_factor, "trials": trials, "minutes": minutes,
    }  # fmt: skip
    folder, found, outcome = run_sweep(out.absolute(), table, roles, settings, tried, data.name, say)
    verdict = Verdict.load(folder.verdict)
    if outcome.state != "succeeded" or verdict is None:
        raise RunError(outcome.message, hint=outcome.hint)
    if as_json:
        print_json(
            {
                "model": str(folder.model),
                "best": best(found).number + 1,
                "trials": [asdict(trial) for trial in found],
                "verdict": verdict.sentence,
                "metrics": [asdict(metric) for metric in verdict.metrics],
                "config": json.loads(folder.config.read_text(encoding="utf-8")),
            }
        )
        return
    print(verdict.sentence)
    print(f"Model: {folder.model}")
