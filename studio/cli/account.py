"""``sentence-studio account``: who may sign in to a workspace. Works beside a running server too."""

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from studio.cli.base import app
from studio.errors import AccessError

if TYPE_CHECKING:
    from studio.runs.accounts import Accounts
    from studio.runs.store import Store

group = typer.Typer(
    help="Make, list and change the accounts of a workspace.", no_args_is_help=True, add_completion=False
)
app.add_typer(group, name="account")

Name = Annotated[str, typer.Argument(help="Name to sign in with.")]
Place = Annotated[Path | None, typer.Option(help="Folder of the server; otherwise STUDIO_WORKSPACE.")]
FromInput = Annotated[bool, typer.Option("--password-stdin", help="Read the password from standard input.")]


@contextmanager
def opened(workspace: Path | None) -> Iterator[tuple["Accounts", "Store"]]:
    from studio.runs.accounts import Accounts
    from studio.runs.store import Store
    from studio.runs.workspace import Workspace
    from studio.settings import Settings

    settings = Settings(**({} if workspace is None else {"workspace": workspace}))
    place = Workspace(settings.workspace)
    place.path.mkdir(parents=True, exist_ok=True)
    store = Store(settings.sqlalchemy_url)
    try:
        store.open()
        yield Accounts(store, place.secret), store
    finally:
        store.close()


def _password(from_input: bool) -> str:
    if from_input:
        return sys.stdin.readline().rstrip("\r\n")
    if not sys.stdin.isatty():
        raise AccessError("There is nobody to ask for the password.", hint="Give it with --password-stdin.")
    return typer.prompt("Password", hide_input=True, confirmation_prompt=True)


@group.command()
def add(
    name: Name,
    admin: Annotated[bool, typer.Option("--admin", help="May look after the other accounts.")] = False,
    viewer: Annotated[
        bool, typer.Option("--viewer", help="Sees what others share and searches; starts nothing.")
    ] = False,
    takes_over: Annotated[
        bool, typer.Option("--takes-over", help="Gets everything that was made before there were accounts.")
    ] = False,
    from_input: FromInput = False,
    workspace: Place = None,
) -> None:
    """Make an account."""
    if admin and viewer:
        raise AccessError("--admin and --viewer are opposites.", hint="Give one of them.")
    with opened(workspace) as (accounts, store):
        record = accounts.add(name, _password(from_input), "admin" if admin else "viewer" if viewer else "member")
        print(f"{record.name} can sign in now ({record.role}).")
        if takes_over:
            from studio.runs.accounts import LOCAL

            print(f"{store.give_all(LOCAL, record.name):,} things belong to {record.name} now.")


@group.command("list")
def list_all(workspace: Place = None) -> None:
    """List all accounts."""
    with opened(workspace) as (accounts, _):
        for record in accounts.list():
            state = "disabled" if record.disabled else record.role
            print(f"{record.name:<30} {state:<9} since {record.created:%Y-%m-%d}")


@group.command()
def reset(name: Name, from_input: FromInput = False, workspace: Place = None) -> None:
    """Give an account a new password. Its sessions end."""
    with opened(workspace) as (accounts, _):
        accounts.get(name)
        accounts.reset(name, _password(from_input))
        print(f"{name} has a new password.")


@group.command()
def role(
    name: Name, role: Annotated[str, typer.Argument(help="admin, member or viewer.")], workspace: Place = None
) -> None:
    """Change what an account may do. Its sessions end."""
    with opened(workspace) as (accounts, _):
        accounts.set_role(name, role)
        print(f"{name} is {'an' if role == 'admin' else 'a'} {role} now.")


@group.command()
def disable(name: Name, workspace: Place = None) -> None:
    """Keep somebody out. What they own stays, and their runs go on."""
    with opened(workspace) as (accounts, _):
        accounts.disable(name)
        print(f"{name} cannot sign in any more.")


@group.command()
def enable(name: Name, workspace: Place = None) -> None:
    """Let somebody in again."""
    with opened(workspace) as (accounts, _):
        accounts.enable(name)
        print(f"{name} can sign in again.")
