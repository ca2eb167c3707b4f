"""The studio without a browser: ``sentence-studio --help`` lists the commands.

Exit status: 0 when it worked, 2 for something a person can mend, 1 for a bug, 130 after Ctrl-C. What was asked for goes
to standard output, progress and errors to standard error. torch is imported by ``negatives``, ``suspects``, ``search``
and the worker only.
"""

import inspect
import json
import os
import sys
import tempfile
import time
import traceback
import uuid
from collections.abc import Callable
from dataclasses import asdict, replace
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from studio import __version__, cli_accounts
from studio.catalog.findings import FIX_KIND
from studio.catalog.losses import LOSSES
from studio.catalog.models import DEFAULT_MODEL
from studio.catalog.presets import DEFAULT_PRESET, PRESET
from studio.catalog.recipes import PAIR_FIELD, RECIPE
from studio.errors import ConfigError, DataError, RunError, StudioError
from studio.making.hub import FILE, PREFIX, bring, hub_name
from studio.making.mining import MINING_FIELDS, make_mining
from studio.training.config import AUTO, FIELDS, ConfigField
from studio.training.folder import RunFolder
from studio.training.settings_file import read_settings_file

if TYPE_CHECKING:
    from studio.data.table import Dialect, Roles, Table


class AsFormat(StrEnum):
    triplets = "triplets"


app = typer.Typer(
    help="Fine-tune Sentence Transformers models, and see whether the result is better.",
    add_completion=False,
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
)
app.add_typer(cli_accounts.app, name="account")

Json = Annotated[bool, typer.Option("--json", help="Print one JSON object and nothing else.")]
Anchor = Annotated[str | None, typer.Option(metavar="COLUMN", help="Column of the texts to start from.")]
Positive = Annotated[str | None, typer.Option(metavar="COLUMN", help="Column of the texts that belong to them.")]
Negative = Annotated[
    list[str] | None, typer.Option(metavar="COLUMN", help="Column of texts that do not; may be given several times.")
]
Score = Annotated[str | None, typer.Option(metavar="COLUMN", help="Column of the similarity scores.")]
Label = Annotated[str | None, typer.Option(metavar="COLUMN", help="Column of labels: 1 belong together, 0 do not.")]
Text = Annotated[
    str | None, typer.Option("--text", metavar="COLUMN", help="Column of the texts, where a row has one text only.")
]
Class = Annotated[
    str | None, typer.Option("--class", metavar="COLUMN", help="Column of the classes that those texts belong to.")
]
As = Annotated[
    AsFormat | None,
    typer.Option("--as", help="Make triplets of labelled pairs, as of tables of entailment.", show_default=False),
]


Encoding = Annotated[
    str | None, typer.Option(metavar="NAME", help="Encoding of the file, such as cp1252; default: guessed.")
]
Delimiter = Annotated[
    str | None,
    typer.Option(metavar="CHARACTER", help="What stands between columns: one character, or tab; default: guessed."),
]
Quote = Annotated[
    str | None,
    typer.Option(metavar="CHARACTER", help="What stands around texts: one character, or none; default: guessed."),
]
Header = Annotated[
    bool | None,
    typer.Option(
        "--header/--no-header",
        help="Whether the first row holds the names of the columns; default: guessed.",
        show_default=False,
    ),
]
Sheet = Annotated[
    str | None,
    typer.Option(metavar="NAME", help="Sheet of a workbook, or file in a zip; * takes all that have the same columns."),
]


SLOW_BYTES = 20_000_000
"""Smaller files are read before anybody asks how far it is."""
Files = Annotated[
    list[str],
    typer.Argument(
        metavar="FILE...",
        help="CSV, TSV, JSON, JSON Lines, Parquet or Excel, or a zip or gzip with one of them, several as one table; or a retrieval "
        "set (corpus, queries, qrels) as a zip, a folder or several files; or hub:owner/name[:config][@split], a dataset of the hub.",
    ),
]


def _pair_option(id: str) -> Any:
    known = PAIR_FIELD[id]
    return Annotated[int, typer.Option(min=known.least, max=known.most, help=known.help)]


def _version(asked: bool) -> None:
    if asked:
        print(f"sentence-studio {__version__}")
        raise typer.Exit


@app.callback()
def common(
    debug: Annotated[bool, typer.Option("--debug", help="Show the whole traceback of an error.")] = False,
    version: Annotated[
        bool, typer.Option("--version", callback=_version, is_eager=True, help="Print the version and end.")
    ] = False,
) -> None:
    """Fine-tune Sentence Transformers models, and see whether the result is better."""


@app.command()
def serve(
    host: Annotated[str | None, typer.Option(help="Address to listen on.")] = None,
    port: Annotated[int | None, typer.Option(min=0, max=65535, help="Port to listen on; 0 takes a free one.")] = None,
    workspace: Annotated[Path | None, typer.Option(help="Folder that holds everything.")] = None,
    open_to_all: Annotated[
        bool, typer.Option("--open", help="Nobody signs in: whoever reaches the server uses it.")
    ] = False,
    accounts: Annotated[bool, typer.Option("--accounts", help="People sign in, on this machine too.")] = False,
) -> None:
    """Start the studio for the browser. What is not given comes from STUDIO_HOST, STUDIO_PORT ..., or a default."""
    from pydantic import ValidationError

    from studio.settings import Settings
    from studio.ui.server import run

    if open_to_all and accounts:
        raise ConfigError("--open and --accounts are opposites.", hint="Give one of them.")
    who = "open" if open_to_all else "required" if accounts else None
    given = {"host": host, "port": port, "workspace": workspace, "accounts": who}
    try:
        settings = Settings(**{name: value for name, value in given.items() if value is not None})
    except ValidationError as error:
        first = error.errors()[0]
        raise ConfigError(f"STUDIO_{str(first['loc'][0]).upper()}: {first['msg']}.") from None
    raise typer.Exit(run(settings))


@app.command()
def check(
    files: Files,
    anchor: Anchor = None,
    positive: Positive = None,
    negative: Negative = None,
    score: Score = None,
    label: Label = None,
    text: Text = None,
    class_: Class = None,
    as_: As = None,
    encoding: Encoding = None,
    delimiter: Delimiter = None,
    quote: Quote = None,
    header: Header = None,
    sheet: Sheet = None,
    as_json: Json = False,
) -> None:
    """Say how a table is read and what is wrong with it. Ends with 0 when it could be read, whatever was found."""
    from studio.data.check import inspect_table
    from studio.training.estimate import row_lengths

    named = _roles(anchor, positive, negative, score, label, text, class_, as_)
    table, roles = _read_table(files, named, _dialect(encoding, delimiter, quote, header, sheet))
    found = inspect_table(table, roles, row_lengths)
    report = found.to_json()
    if as_json:
        _print_json(report)
        return
    print(f"{report['file']}: {report['rows']:,} rows, format: {report['format'] or 'none'}")
    read_as = {name: report[name] for name in ("kind", "encoding", "delimiter", "quote", "header")}
    print("  read as  " + ", ".join(f"{name} {value!r}" for name, value in read_as.items() if value is not None))
    print("  columns  " + ", ".join(report["columns"]))
    print("  roles    " + (", ".join(f"{role}: {column}" for role, column in report["roles"].items()) or "none"))
    for reason, count in report["dropped"].items():
        print(f"  dropped  {count}: {reason}")
    for finding in report["findings"]:
        print(f"  {finding['severity']:<8} {finding['message']} [{finding['code']}]")
        if finding["rows"]:
            shown = ", ".join(map(str, finding["rows"][:10]))
            print(f"{'':<11}rows {shown}{' ...' if finding['count'] > 10 else ''}")
        print(f"{'':<11}{finding['effect']} {finding['advice']}".rstrip())
        for id in finding["fixes"]:
            print(f"{'':<11}fix --do {id}: {FIX_KIND[id].label}")


@app.command()
def fix(
    file: Annotated[Path, typer.Argument(help="Table of texts, as for check.")],
    do: Annotated[
        list[str],
        typer.Option(metavar="FIX", help="Fix that check names beside a finding; may be given several times."),
    ],
    out: Annotated[Path, typer.Option(metavar="CSV", help="Where the mended rows are written; must not exist.")],
    anchor: Anchor = None,
    positive: Positive = None,
    negative: Negative = None,
    score: Score = None,
    label: Label = None,
    text: Text = None,
    class_: Class = None,
    as_: As = None,
    encoding: Encoding = None,
    delimiter: Delimiter = None,
    quote: Quote = None,
    header: Header = None,
    sheet: Sheet = None,
    as_json: Json = False,
) -> None:
    """Write a mended copy of a table: what findings say is left out, swapped or corrected. The file itself stays."""
    from studio.data.export import write_csv
    from studio.data.fix import fix_all
    from studio.data.prepare import prepare

    if out.exists():
        raise DataError(f"{out} is there already.", hint="Choose another name for the mended copy.")
    named = _roles(anchor, positive, negative, score, label, text, class_, as_)
    dialect = _dialect(encoding, delimiter, quote, header, sheet)
    prepared = prepare(*_read_table([str(file)], named, dialect))
    data, history = fix_all(prepared.data, prepared.format, do)
    try:
        write_csv(out, data.drop_columns("row"))
    except OSError as error:
        raise DataError(f"{out} cannot be written: {error.strerror}.", hint="Choose another place.") from None
    if as_json:
        _print_json({"out": str(out), "rows": len(data), "history": list(history)})
        return
    print("\n".join(history))
    print(f"{len(data):,} rows: {out}")


@app.command()
def pairs(
    documents: Annotated[
        list[Path], typer.Argument(help="Text, Markdown, HTML, PDF and Word files, folders of them, or a zip.")
    ],
    recipe: Annotated[
        list[str], typer.Option(metavar="RECIPE", help=f"{', '.join(RECIPE)}; may be given several times.")
    ],
    out: Annotated[Path, typer.Option(metavar="CSV", help="Where the pairs are written; must not exist.")],
    least_words: _pair_option("least_words") = PAIR_FIELD["least_words"].default,
    most_words: _pair_option("most_words") = PAIR_FIELD["most_words"].default,
    most_pairs: _pair_option("most_pairs") = PAIR_FIELD["most_pairs"].default,
    distance: _pair_option("distance") = PAIR_FIELD["distance"].default,
    seed: _pair_option("seed") = PAIR_FIELD["seed"].default,
    as_json: Json = False,
) -> None:
    """Make a table of pairs out of documents: titles, headings, questions and neighbours say what belongs together."""
    from studio.data.documents import files_of, read_documents, told
    from studio.data.export import write_csv
    from studio.data.pairs import PairConfig, make_pairs, no_pairs

    if out.exists():
        raise DataError(f"{out} is there already.", hint="Choose another name for the pairs.")
    config = PairConfig(least_words, most_words, most_pairs, distance, seed)
    last = time.monotonic()

    def report(done: int, total: int, name: str) -> None:
        nonlocal last
        if time.monotonic() - last >= 2:
            last = time.monotonic()
            _say(f"read {done:,} of {total:,} documents")

    library = read_documents(files_of(documents), report)
    found = make_pairs(library, recipe, config)
    for name, reason in told(library.unread):
        _say(f"not read: {name} {reason}")
    if not len(found):
        raise no_pairs(found)
    try:
        write_csv(out, found.data)
    except OSError as error:
        raise DataError(f"{out} cannot be written: {error.strerror}.", hint="Choose another place.") from None
    if as_json:
        _print_json(
            {
                "out": str(out),
                "documents": len(library.documents),
                "unread": [asdict(each) for each in library.unread],
                "pairs": len(found),
                "recipes": found.counts,
                "left_out": {each.reason: each.count for each in found.left_out},
            }
        )
        return
    print(f"{len(library.documents):,} documents, {library.words:,} words")
    for id, many in found.counts.items():
        print(f"  {many:>7,}  {RECIPE[id].label}")
    for each in found.left_out:
        print(f"  left out {each.count:,}: {each.reason}")
    print(f"{len(found):,} pairs: {out}")


def _with_settings(fields: tuple[ConfigField, ...]) -> Callable[[Callable[..., None]], Callable[..., None]]:
    """Gives a command one option for every field of a record of settings."""
    options = [
        inspect.Parameter(
            field.id,
            inspect.Parameter.KEYWORD_ONLY,
            default=None,
            annotation=Annotated[(str if field.automatic else field.kind) | None, _option(field)],
        )
        for field in fields
    ]

    def give(command: Callable[..., None]) -> Callable[..., None]:
        own = [p for p in inspect.signature(command).parameters.values() if p.kind is not p.VAR_KEYWORD]
        command.__signature__ = inspect.Signature([*own, *options])
        return command

    return give


def _option(field: ConfigField) -> Any:
    names = ["--" + field.id.replace("_", "-")]
    if field.id == "base_model":
        names.insert(0, "--base")
    if field.kind is bool:
        return typer.Option(f"{names[0]}/--no-{names[0].removeprefix('--')}", help=field.help, show_default=False)
    if field.automatic:
        return typer.Option(*names, metavar=f"{field.unit.upper()}|{AUTO}", help=field.help, show_default=False)
    metavar = "|".join(field.choices) if 0 < len(field.choices) < 5 else (field.unit or field.kind.__name__).upper()
    choices = f" One of: {', '.join(field.choices)}." if len(field.choices) >= 5 else ""
    return typer.Option(*names, metavar=metavar, help=field.help + choices, show_default=False)


@app.command()
@_with_settings(FIELDS)
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
    anchor: Anchor = None,
    positive: Positive = None,
    negative: Negative = None,
    score: Score = None,
    label: Label = None,
    text: Text = None,
    class_: Class = None,
    as_: As = None,
    encoding: Encoding = None,
    delimiter: Delimiter = None,
    quote: Quote = None,
    header: Header = None,
    sheet: Sheet = None,
    config: Annotated[
        Path | None, typer.Option(help="YAML or JSON file of settings, such as a run's; options win over it.")
    ] = None,
    preset: Annotated[
        str,
        typer.Option(metavar="|".join(PRESET), help="What the suggested settings are made into; options win over it."),
    ] = DEFAULT_PRESET,
    as_json: Json = False,
    **settings: Any,
) -> None:
    """Fine-tune a model and judge it on rows that it never saw. Settings that are not given are suggested by the data."""
    from studio.data.table import Roles
    from studio.evaluation.result import Verdict
    from studio.launch import make_run, run_worker

    named = _roles(anchor, positive, negative, score, label, text, class_, as_)
    table, roles = _read_table(data, named, _dialect(encoding, delimiter, quote, header, sheet))
    given = {**(read_settings_file(config) if config else {}), **{k: v for k, v in settings.items() if v is not None}}
    if "loss" in given:
        given["loss"] = _LOSS_NAMES.get(str(given["loss"]).lower(), given["loss"])
    others = [_read_table([str(file)], Roles()) for file in also or ()]
    folder, train_config = make_run(out, table, roles, given, table.name, others, preset)
    _say(f"{train_config.loss} on {train_config.base_model}; log: {folder.log}")
    outcome = run_worker(folder, _say)
    verdict = Verdict.load(folder.verdict)
    if outcome.error_id:
        _say(f"Error: {outcome.message} The whole error ({outcome.error_id}) is in {folder.log}.")
        raise typer.Exit(1)
    if outcome.state != "succeeded" or verdict is None:
        raise RunError(outcome.message, hint=outcome.hint)
    if as_json:
        _print_json(
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
                "metrics": [asdict(metric) for metric in verdict.metrics],
                "others": [asdict(other) for other in verdict.others],
                "config": train_config.model_dump(),
            }
        )
        return
    print(verdict.sentence)
    for metric in verdict.metrics:
        interval = f"{metric.low:+.4f} to {metric.high:+.4f}"
        print(f"  {metric.id:<18} base {metric.base:.4f}   tuned {metric.tuned:.4f}   difference {interval}")
    for other in verdict.others:
        metric = other.metric
        interval = f"{metric.low:+.4f} to {metric.high:+.4f}"
        print(
            f"{other.name}\n  {metric.id:<18} base {metric.base:.4f}   tuned {metric.tuned:.4f}   difference {interval}"
        )
    print(f"Model: {folder.model}")


@app.command(name="sweep")
@_with_settings(FIELDS)
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
    anchor: Anchor = None,
    positive: Positive = None,
    negative: Negative = None,
    score: Score = None,
    label: Label = None,
    as_json: Json = False,
    **settings: Any,
) -> None:
    """Try several settings, then train the best ones; they are judged on rows that no trial saw."""
    from studio.evaluation.result import Verdict
    from studio.launch import run_sweep
    from studio.training.sweep import best

    table, roles = _read_table([str(data)], _roles(anchor, positive, negative, score, label, None, None, None))
    given = {name: value for name, value in settings.items() if value is not None}
    losses = tuple(_LOSS_NAMES.get(name.lower(), name) for name in try_loss or ())
    tried = {
        "base_models": tuple(try_base or ()), "losses": losses, "epochs": tuple(try_epochs or ()),
        "batch_sizes": tuple(try_batch_size or ()), "rate_factor": rate_factor, "trials": trials, "minutes": minutes,
    }  # fmt: skip
    folder, found, outcome = run_sweep(out.absolute(), table, roles, given, tried, data.name, _say)
    verdict = Verdict.load(folder.verdict)
    if outcome.state != "succeeded" or verdict is None:
        raise RunError(outcome.message, hint=outcome.hint)
    if as_json:
        _print_json(
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


@app.command()
@_with_settings(MINING_FIELDS)
def negatives(
    file: Annotated[Path, typer.Argument(help="Table of pairs or triplets, as for check.")],
    out: Annotated[Path, typer.Option(metavar="CSV", help="Where the triplets are written; must not exist.")],
    anchor: Anchor = None,
    positive: Positive = None,
    negative: Negative = None,
    corpus: Annotated[Path | None, typer.Option(metavar="FILE", help="Table of more texts to choose from.")] = None,
    corpus_text: Annotated[
        str | None, typer.Option(metavar="COLUMN", help="Column of the corpus; default: the longest.")
    ] = None,
    as_json: Json = False,
    **settings: Any,
) -> None:
    """Add hard negatives to a table of pairs: texts that a model takes for answers and that are none."""
    from studio.data.dataset import load_info, load_rows
    from studio.data.export import write_csv
    from studio.data.table import Roles

    given = {name: value for name, value in settings.items() if value is not None}
    if "base_model" in given:
        given["base_model"] = _model(given["base_model"])
    config = make_mining(given)
    if out.exists():
        raise DataError(f"{out} is there already.", hint="Choose another name for the triplets.")
    task: dict[str, Any] = {"settings": config.model_dump(), "name": out.stem}
    with tempfile.TemporaryDirectory() as place:
        folder = _source(Path(place), *_read_table([str(file)], Roles(anchor, positive, tuple(negative or ()))))
        if corpus is not None:
            task["corpus"] = _write_texts(folder, corpus, corpus_text)

        from studio.making.negatives import make

        result = make(folder, task, _report_making(), lambda: False)
        info, data = load_info(folder / "dataset"), load_rows(folder / "dataset")
        try:
            names = [f"mined_{name}" if name in result["columns"] else name for name in data.column_names]
            write_csv(out, data.rename_columns(names).drop_columns("row"))
        except OSError as error:
            raise DataError(f"{out} cannot be written: {error.strerror}.", hint="Choose another place.") from None
    if as_json:
        _print_json({"out": str(out), **result, "history": list(info.history), "settings": config.model_dump()})
        return
    print(result["message"])
    print(f"{info.rows:,} rows: {out}")


@app.command()
def suspects(
    file: Annotated[Path, typer.Argument(help="Table of texts, as for check.")],
    base: Annotated[str, typer.Option(help="Model that looks: folder, catalogue id or hub name.")] = DEFAULT_MODEL,
    anchor: Anchor = None,
    positive: Positive = None,
    negative: Negative = None,
    score: Score = None,
    label: Label = None,
    text: Text = None,
    class_: Class = None,
    as_json: Json = False,
) -> None:
    """List the rows that a model finds most doubtful, the most doubtful first. That is a hint and no proof."""
    import pyarrow.parquet as pq

    from studio.making.suspects import HONEST

    with tempfile.TemporaryDirectory() as place:
        roles = _roles(anchor, positive, negative, score, label, text, class_, None)
        folder = _source(Path(place), *_read_table([str(file)], roles))

        from studio.making.suspects import make

        result = make(folder, {"base_model": _model(base)}, _report_making(), lambda: False)
        rows = pq.read_table(folder / "review.parquet").drop_columns("positions").to_pylist()
    if as_json:
        _print_json({"model": base, "message": result["message"], "suspects": rows})
        return
    print(f"{result['message']} {HONEST}" if rows else result["message"])
    for row in rows:
        print(f"row {row['row']}: {row['why']}")
        for name, value in row.items():
            if name not in ("row", "why", "column", "similarity"):
                print(f"    {name:<10} {' '.join(str(value).split())}")


@app.command()
def script(
    run_dir: Annotated[Path, typer.Argument(help="Folder of a run that succeeded.")],
    out: Annotated[Path, typer.Option(metavar="ZIP", help="Where the archive is written; must not exist.")],
) -> None:
    """Write a run as a stand-alone Python script with its rows: it needs sentence-transformers and nothing of the studio."""
    from studio.export.archive import zip_script

    if out.exists():
        raise RunError(f"{out} is there already.", hint="Choose another name for the archive.")
    try:
        zip_script(run_dir, out)
    except OSError as error:
        raise RunError(f"{out} cannot be written: {error.strerror}.", hint="Choose another place.") from None
    print(out)


@app.command()
def search(
    model: Annotated[str, typer.Argument(help="Folder of a run or of a model, catalogue id or hub name.")],
    corpus_file: Annotated[Path, typer.Argument(help="Table that has the texts to search in.")],
    query: Annotated[str, typer.Argument(help="What to look for.")],
    text: Annotated[
        str | None, typer.Option(metavar="COLUMN", help="Column of the texts; default: the longest.")
    ] = None,
    top_k: Annotated[int, typer.Option(help="How many hits.")] = 10,
    as_json: Json = False,
) -> None:
    """Find the texts of a table that are closest to a query."""
    from studio.search.result import check_query
    from studio.training.bases import resolve_base

    query = check_query(query, top_k)
    model = _model(model)
    resolve_base(model)
    table, column = _column(corpus_file, text)
    texts = _texts_of(table, column)

    from studio.search.compare import search as find
    from studio.search.encode import encode
    from studio.search.index import Index, distinct
    from studio.search.warm import load

    entries, positions = distinct(texts)
    loaded = load(model)
    vectors = encode(loaded, entries, progress=_report_encoding())
    index = Index(vectors, positions, len(texts), loaded.similarity_fn_name)
    hits = find(query, texts, index, loaded, top_k)
    if as_json:
        rows = [{**asdict(hit), "row": table.rows[hit.document].as_py()} for hit in hits]
        for row in rows:
            del row["other_rank"]
        _print_json({"model": model, "column": column, "texts": len(entries), "query": query, "hits": rows})
        return
    for hit in hits:
        print(f"{hit.rank:>3}  {hit.score:.4f}  row {table.rows[hit.document].as_py()}: {' '.join(hit.text.split())}")


_LOSS_NAMES = {name.lower(): loss.id for loss in LOSSES for name in (loss.id, loss.id.removesuffix("Loss"), loss.label)}
"""A loss may be named by its class, with or without "Loss", or by its label, in any case."""


def _roles(
    anchor: str | None, positive: str | None, negatives: list[str] | None, score: str | None, label: str | None,
    text: str | None, class_: str | None, as_: AsFormat | None,
) -> "Roles":  # fmt: skip
    """What was named."""
    from studio.data.table import Roles

    return Roles(anchor, positive, tuple(negatives or ()), score, label, text, class_, as_ is not None)


def _dialect(
    encoding: str | None, delimiter: str | None, quote: str | None, header: bool | None, sheet: str | None
) -> "Dialect | None":
    """What was said of how a file is read; None: nothing."""
    from studio.data.table import Dialect

    delimiter = {"tab": "\t", "\\t": "\t"}.get(delimiter or "", delimiter)
    given = Dialect("", encoding, delimiter, "" if quote == "none" else quote, header, sheet)
    return None if given == Dialect("") else given


def _read_table(files: list[str], given: "Roles", dialect: "Dialect | None" = None) -> "tuple[Table, Roles]":
    """The table and its roles: those that were named, the others guessed."""
    table = _open_table(files, dialect)
    return table, _complete(table, given)


def _open_table(files: list[str], dialect: "Dialect | None" = None) -> "Table":
    """Several files as one table. Says how far it is where that takes time."""
    from studio.data.read import read_tables
    from studio.data.retrieval import read_folder

    if any(file.startswith(PREFIX) for file in files):
        if len(files) > 1:
            raise DataError("A dataset of the hub is read alone.", hint="Name one, or files only.")
        return _from_hub(files[0])
    if len(files) == 1 and Path(files[0]).is_dir():
        return read_folder(Path(files[0]))
    last = time.monotonic()

    def report(done: int, total: int, words: str) -> None:
        nonlocal last
        if time.monotonic() - last >= 2 and total > SLOW_BYTES:
            last = time.monotonic()
            _say(f"{words}: {done / 1e6:,.0f} of {total / 1e6:,.0f} MB")

    return read_tables([Path(file) for file in files], dialect=dialect, report=report)


def _from_hub(text: str) -> "Table":
    """A dataset of the hub as a table; how many of its rows is said."""
    from studio.data.read import read_table
    from studio.settings import Settings

    os.environ["HF_HUB_DISABLE_PROGRESS_BARS"] = os.environ["TQDM_DISABLE"] = "1"
    settings = Settings()
    with tempfile.TemporaryDirectory() as place:
        path = Path(place) / FILE
        brought = bring(hub_name(text), path, settings.max_hub_rows, settings.max_upload_mb, _report_making())
        _say(brought.words)
        return read_table(path, name=brought.name.file_name)


def _complete(table: "Table", given: "Roles") -> "Roles":
    """What was named, and what can be guessed beside it.

    Once both anchor and positive are named, or the text, nothing else is guessed: the table is taken for what was said. A
    named negative, score or label replaces every guessed one, for a dataset has one of the three.
    """
    from studio.data.roles import guess_roles

    if given.text is not None:
        return given
    if given.class_ is not None:
        return replace(given, text=_text_beside(table, given.class_))
    if given.anchor is not None and given.positive is not None:
        return given
    guess = guess_roles(table, 2 if given.columns or given.as_triplets else None)
    if guess.text is not None:
        return guess
    anchor, positive = given.anchor, given.positive
    extras = replace(given, anchor=None, positive=None)
    named = set(given.columns.values())
    free = [column for column in (guess.anchor, guess.positive) if column not in named]
    if anchor is None:
        anchor = free.pop(0) if free else None
    if positive is None:
        positive = free.pop(0) if free else None
    if not extras.columns:
        extras = replace(
            extras,
            negatives=tuple(column for column in guess.negatives if column not in named),
            score=guess.score if guess.score not in named else None,
            label=guess.label if guess.label not in named else None,
        )
    if extras.as_triplets and extras.label is None:
        raise DataError(
            "Triplets are made of labelled pairs; no column of labels was found.",
            hint="Name it with --label: 1 (entailment) says that two texts belong together, 0 (contradiction) that they do not.",
        )
    return replace(extras, anchor=anchor, positive=positive)


def _text_beside(table: "Table", class_: str) -> str | None:
    """The column that holds the texts of a named class."""
    from studio.data.roles import guess_roles

    kept = [name for name in table.columns if name != class_]
    return guess_roles(replace(table, data=table.data.select(kept)), 1).text if kept else None


def _model(name: str) -> str:
    """A model's name; of a run's folder, the model in it."""
    run = RunFolder(Path(name))
    return str(run.model) if run.run.is_file() else name


def _source(folder: Path, table: "Table", roles: "Roles") -> Path:
    """The folder, with the table as the dataset that a making works on."""
    from studio.data.dataset import import_dataset

    os.environ["TQDM_DISABLE"] = "1"  # the library's bars would run through ours
    import_dataset(folder / "source", table, roles, table.name)
    return folder


def _write_texts(folder: Path, file: Path, column: str | None) -> str:
    """Write one column of a table as a making reads a corpus; the file's name in the folder."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    texts = _texts_of(*_column(file, column))
    pq.write_table(pa.table({"text": pa.array(texts, pa.string())}), folder / "corpus.parquet")
    return "corpus.parquet"


def _column(file: Path, column: str | None) -> "tuple[Table, str]":
    """A table and its column of texts: the one that is named, or the longest."""
    from studio.data.read import read_table

    table = read_table(file)
    name = column if column is not None else _longest_column(table)
    if name not in table.columns:
        raise DataError(f"There is no column '{name}'.", hint=f"Columns are: {', '.join(table.columns)}.")
    return table, name


def _texts_of(table: "Table", column: str) -> list[str | None]:
    texts = table.data.column(column).to_pylist()
    if not all(value is None or isinstance(value, str) for value in texts):
        raise DataError(f"Column '{column}' holds lists.", hint="Choose a column of texts.")
    return texts


def _report_making() -> Callable[[int, int, str], None]:
    last = time.monotonic()

    def report(done: int, total: int, words: str) -> None:
        nonlocal last
        if time.monotonic() - last >= 2:
            last = time.monotonic()
            _say(f"{words}: {done:,} of {total:,}")

    return report


def _longest_column(table: "Table") -> str:
    """The column that holds the most characters."""
    return max(table.columns, key=lambda name: sum(len(str(v or "")) for v in table.data.column(name).to_pylist()))


def _report_encoding() -> Callable[[int, int], None]:
    last = time.monotonic()

    def report(done: int, total: int) -> None:
        nonlocal last
        if time.monotonic() - last >= 2:
            last = time.monotonic()
            _say(f"read {done:,} of {total:,} texts")

    return report


def _say(line: str) -> None:
    print(line, file=sys.stderr, flush=True)


def _print_json(value: Any) -> None:
    print(json.dumps(value, ensure_ascii=False, indent=1))


def main() -> None:
    """Entry of the console script."""
    try:
        app(prog_name="sentence-studio")
    except StudioError as error:
        _fail(f"Error: {error}", 2, error)
    except Exception as error:
        _fail(f"Error: something went wrong that should not ({_log(error)}).", 1, error)


def _fail(line: str, status: int, error: Exception) -> None:
    if "--debug" in sys.argv:
        traceback.print_exception(error)
    _say(line)
    sys.exit(status)


def _log(error: Exception) -> str:
    """Keep the whole error in a file; says where."""
    error_id = uuid.uuid4().hex[:8]
    path = Path(tempfile.gettempdir()) / f"sentence-studio-{error_id}.log"
    path.write_text("".join(traceback.format_exception(error)), encoding="utf-8")
    return f"error {error_id}; the details are in {path}"
