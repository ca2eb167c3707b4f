"""A tuned model taken along: other forms, sizes against quality, the hub."""

import os
import sys
from enum import StrEnum
from getpass import getpass
from pathlib import Path
from typing import Annotated

import typer

from studio.catalog.exports import EXPORT, EXPORT_FILE
from studio.catalog.metrics import METRIC
from studio.cli.base import app, cannot_write, must_not_exist, print_json, report_words, say
from studio.cli.options import Json
from studio.errors import RunError

Form = StrEnum("Form", {form: form for form in (*EXPORT, "zip")})
Run = Annotated[Path, typer.Argument(help="Folder of a run that succeeded.")]


@app.command()
def export(
    run_dir: Run,
    form: Annotated[
        Form, typer.Option("--format", help="onnx and openvino: in float32 and int8; zip: the model as it is.")
    ],
    out: Annotated[
        Path | None,
        typer.Option(
            metavar="PATH", help="Folder (or zip) that is written; must not exist. Default: export/ in the run."
        ),
    ] = None,
    as_json: Json = False,
) -> None:
    """Write a tuned model in another form and say what it keeps of the quality, measured with the files that were written."""
    from studio.training.folder import RunFolder

    out = out or run_dir / "export" / ("model.zip" if form == "zip" else str(form))
    must_not_exist(out, "export", RunError)
    try:
        if form == "zip":
            from studio.export.archive import zip_model

            zip_model(RunFolder(run_dir).model, out)
            record = {}
        else:
            from studio.export.forms import make_form

            record = make_form(RunFolder(run_dir), str(form), out.absolute(), report_words())
    except OSError as error:
        raise cannot_write(out, error, RunError) from None
    if as_json:
        print_json({"out": str(out), **record})
        return
    for one in record.get("files", ()):
        print(f"{EXPORT_FILE[one['file']].path}: {one['words']}")
    print(out)


@app.command()
def sizes(run_dir: Run, as_json: Json = False) -> None:
    """Say what shorter and rounder vectors of a tuned model cost: bytes of a text against the metric on held-out rows."""
    from studio.making.exporting import weigh_run
    from studio.training.folder import RunFolder

    found = weigh_run(RunFolder(run_dir), report_words())
    if as_json:
        print_json(found)
        return
    print(found["sentence"])
    for size in found["sizes"]:
        value = "-" if size["value"] is None else f"{size['value']:.4f}"
        trained = "" if size["trained"] else "   not trained for this length"
        print(
            f"  {size['dimension']:>5} x {size['precision']:<17} {size['bytes']:>6,} bytes   {METRIC[found['metric']].label} {value}{trained}"
        )


@app.command()
def push(
    run_dir: Run,
    name: Annotated[str, typer.Argument(help="Repository: owner/name, or the name alone for your own.")],
    public: Annotated[bool, typer.Option("--public", help="Everybody may see it; else it is private.")] = False,
    update: Annotated[bool, typer.Option("--update", help="Write into a repository that is there already.")] = False,
    form: Annotated[
        list[str] | None,
        typer.Option("--with", metavar="FORM", help="Also upload an export that was made: onnx, openvino."),
    ] = None,
    example_rows: Annotated[
        bool, typer.Option("--example-rows", help="Show three rows of the data in the model card.")
    ] = False,
    yes: Annotated[bool, typer.Option("--yes", help="Do not ask before uploading.")] = False,
) -> None:
    """Upload a tuned model to the hub. The token comes from HF_TOKEN, or is asked for; it is written nowhere."""
    from studio.export.hub import Pushing, Upload, card_of, repository_name, what_to_upload

    name = repository_name(name)
    files = what_to_upload(run_dir, tuple(form or ()))
    for place, path in files:
        say(f"  {path.stat().st_size:>12,} bytes  {place}")
    seen = "everybody" if public else "you, and whoever you let"
    rows = "three rows of the data, in the card" if example_rows else "no rows of the data"
    say(f"{len(files)} files, {rows}. {name} will be {'public' if public else 'private'}: {seen} can see it.")
    token = os.environ.get("HF_TOKEN", "")
    if not yes:
        if not sys.stdin.isatty():
            raise RunError("Nobody can be asked here.", hint="Say --yes to upload without being asked.")
        typer.confirm("Upload?", abort=True, err=True)
    if not token:
        if not sys.stdin.isatty():
            raise RunError("There is no token.", hint="Set HF_TOKEN to one that may write.")
        token = getpass("Token (it is not shown): ")
    upload = Upload(name, not public, update, tuple((p, str(f)) for p, f in files), card_of(run_dir, example_rows))
    for step in Pushing(upload, token.strip()):
        if step.message:
            raise RunError(step.message, hint=step.hint)
        if step.url:
            print(step.url)
        else:
            say(f"{step.words} ({step.done / 1e6:,.1f} of {step.total / 1e6:,.1f} MB)")
