"""A run as a program of its own."""

from pathlib import Path
from typing import Annotated

import typer

from studio.cli.base import app, cannot_write, must_not_exist
from studio.errors import RunError


@app.command()
def script(
    run_dir: Annotated[Path, typer.Argument(help="Folder of a run that succeeded.")],
    out: Annotated[Path, typer.Option(metavar="ZIP", help="Where the archive is written; must not exist.")],
) -> None:
    """Write a run as a stand-alone Python script with its rows: it needs sentence-transformers and nothing of the studio."""
    from studio.export.archive import zip_script

    must_not_exist(out, "archive", RunError)
    try:
        zip_script(run_dir, out)
    except OSError as error:
        raise cannot_write(out, error, RunError) from None
    print(out)
