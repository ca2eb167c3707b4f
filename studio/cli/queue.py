"""``sentence-studio queue``: what waits and runs, and the queue's switch. Works beside a running server too."""

import getpass
from pathlib import Path

import typer

from studio.cli.account import Place, opened
from studio.cli.base import app

group = typer.Typer(
    help="Show the queue of a workspace, pause it, let it run empty.", no_args_is_help=True, add_completion=False
)
app.add_typer(group, name="queue")


@group.command()
def show(workspace: Place = None) -> None:
    """List runs that are going on or wait, first come first, with their owners."""
    from studio.runs.queue import SWITCH
    from studio.runs.store import RUNS

    with opened(workspace) as (_, store):
        switch = store.switch(SWITCH)
        print(f"queue: {'open' if switch is None else switch['value']}")
        for row in store.in_states(RUNS, "running", "stopping", "queued"):
            print(f"{row['id']}  {row['state']:<9} {row['device'] or '-':<6} {row['owner']:<20} {row['name']}")


@group.command()
def pause(workspace: Place = None) -> None:
    """Start nothing more; what runs goes on."""
    _switch(workspace, "paused", "Nothing more starts; what runs goes on.")


@group.command()
def drain(workspace: Place = None) -> None:
    """Take nothing new; what waits and runs is finished."""
    _switch(workspace, "draining", "Nothing new is taken; what waits and runs is finished.")


@group.command("open")
def open_again(workspace: Place = None) -> None:
    """Start runs as it is their turn again."""
    _switch(workspace, "open", "Runs start as soon as it is their turn.")


def _switch(workspace: Path | None, state: str, words: str) -> None:
    from studio.runs.queue import SWITCH

    with opened(workspace) as (_, store):
        store.set_switch(SWITCH, state, f"{getpass.getuser()} (command line)")
        print(words)
