"""``sentence-studio backup`` and ``restore``: a workspace as one file. A backup can be taken beside a running server."""

from pathlib import Path
from typing import Annotated

import typer

from studio.cli.base import app, now_and_then, say

Place = Annotated[Path | None, typer.Option(help="Folder of the server; otherwise STUDIO_WORKSPACE.")]


@app.command()
def backup(
    out: Annotated[Path, typer.Argument(metavar="FILE", help="Where the backup is written; must not exist.")],
    workspace: Place = None,
) -> None:
    """Write the whole workspace to one file, while its server works. Indexes are left out: they are built again."""
    from studio.runs.backup import back_up

    made = back_up(_settings(workspace), out, _report())
    print(f"{made.files:,} files, {made.bytes / 1e6:,.0f} MB: {out}")


@app.command()
def restore(
    file: Annotated[Path, typer.Argument(metavar="FILE", help="A backup.")],
    workspace: Place = None,
) -> None:
    """Make the workspace that a backup is of, in a new folder. Runs that were going on go on from their last checkpoint."""
    from studio.runs.backup import restore as bring_back

    place = _settings(workspace).workspace
    found = bring_back(file, place, _report())
    print(f"{found.files:,} files, {found.bytes / 1e6:,.0f} MB of {found.made} UTC: {place}")
    print(f"Start it with: sentence-studio serve --workspace {place}")


def _settings(workspace: Path | None):
    from studio.settings import Settings

    return Settings(**({} if workspace is None else {"workspace": workspace}))


def _report():
    due = now_and_then()

    def report(part: str, done: int) -> None:
        if due():
            say(f"{part}: {done / 1e6:,.0f} MB so far")

    return report
