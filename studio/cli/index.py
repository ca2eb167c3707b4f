"""Make a table or a folder of documents searchable, in a folder of its own."""

from pathlib import Path
from typing import Annotated

import typer

from studio.catalog.models import DEFAULT_MODEL
from studio.cli.base import app, cannot_write, now_and_then, print_json, say
from studio.cli.options import Json
from studio.cli.tables import longest_column, model_of, open_table
from studio.errors import SearchError

CORPUS = "texts.parquet"
"""The corpus in the folder; beside it lies a folder for each model's index."""


@app.command()
def index(
    files: Annotated[
        list[str], typer.Argument(metavar="FILE...", help="A table, several alike, or documents or folders of them.")
    ],
    out: Annotated[
        Path,
        typer.Option(
            metavar="FOLDER", help="Where texts and indexes are kept; one that is there is brought up to date."
        ),
    ],
    model: Annotated[
        list[str] | None,
        typer.Option(
            metavar="MODEL", help="Folder of a run or of a model, catalogue id or hub name; may be said several times."
        ),
    ] = None,
    text: Annotated[
        str | None, typer.Option(metavar="COLUMN", help="Column of the texts; default: the longest.")
    ] = None,
    title: Annotated[str, typer.Option(metavar="COLUMN", help="Column of titles, read with each text.")] = "",
    field: Annotated[
        list[str] | None, typer.Option(metavar="COLUMN", help="Column to filter by; may be said several times.")
    ] = None,
    as_json: Json = False,
) -> None:
    """Read texts for searching. What was stopped goes on where it was; of changed texts only new ones are read again."""
    from studio.data import corpus
    from studio.data.documents import KINDS, files_of, read_documents

    places = [Path(file) for file in files]
    folders = any(place.is_dir() for place in places)
    several = len(places) > 1
    if folders or all(p.suffix.lower() in KINDS and (several or p.suffix.lower() != ".txt") for p in places):
        found = corpus.of_library(read_documents(files_of(places)))
    else:
        table = open_table(files)
        found = corpus.of_table(table, text or longest_column(table), title, field or [])
    try:
        out.mkdir(parents=True, exist_ok=True)
        corpus.save(out / f".{CORPUS}", found)
        (out / f".{CORPUS}").replace(out / CORPUS)
    except OSError as error:
        raise cannot_write(out, error, SearchError) from None
    left_out = (
        f"; left out: {found.empty:,} empty, {found.repeated:,} repeated" if found.empty or found.repeated else ""
    )
    say(f"{found.info.rows:,} texts{left_out}")
    built = [build(out, "keyword"), *(build(out, model_of(name)) for name in model or [DEFAULT_MODEL])]
    if as_json:
        print_json({"out": str(out), "texts": found.info.rows, "version": found.info.version, "indexes": built})
        return
    for one in built:
        reused = f", {one['reused']:,} of them known from before" if one["reused"] else ""
        print(f"{one['model']}: {one['entries']:,} passages{reused}")


def place_of(out: Path, model: str) -> Path:
    """Where the index of a model lies."""
    from studio.search.index import model_hash

    return out / (model if model == "keyword" else f"index-{model_hash(model)[:16]}")


def build(out: Path, model: str) -> dict:
    """The index of a model, built or brought up to date. Raises SearchError as the indexer says."""
    from studio.data import corpus
    from studio.files import read_json, write_json
    from studio.search.indexer import run

    folder, due = place_of(out, model), now_and_then()
    folder.mkdir(exist_ok=True)
    version = corpus.load_info(out / CORPUS).version
    write_json(folder / "task.json", {"texts": f"../{CORPUS}", "model": model, "version": version, "known": []})

    def looked() -> bool:
        progress = read_json(folder / "progress.json", {})
        if due() and progress.get("total"):
            rate = f", {progress['per_s']:,.0f} a second" if progress.get("per_s") else ""
            say(f"{model}: {progress['done']:,} of {progress['total']:,}{rate}")
        return False

    outcome = run(folder, looked)
    if outcome["state"] != "succeeded":
        raise SearchError(outcome["message"], hint=outcome["hint"])
    meta = read_json(folder / "meta.json", {})
    return {
        "model": model,
        "entries": outcome["entries"],
        "reused": meta.get("reused", 0),
        "recall": meta.get("recall"),
    }
