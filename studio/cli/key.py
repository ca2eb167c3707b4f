"""``sentence-studio key``: keys for /v1/embeddings. Works beside a running server too."""

from typing import TYPE_CHECKING, Annotated

import typer

from studio.cli.account import Place, opened
from studio.cli.base import app
from studio.errors import AccessError

if TYPE_CHECKING:
    from studio.runs.accounts import Accounts

group = typer.Typer(
    help="Make, list and revoke keys for the embeddings service.", no_args_is_help=True, add_completion=False
)
app.add_typer(group, name="key")

Account = Annotated[
    str | None, typer.Option(help="Whose key it is; without it, that of a server that nobody signs in to.")
]


def _owner(accounts: "Accounts", account: str | None) -> str:
    from studio.runs.accounts import LOCAL

    if account is not None:
        return accounts.get(account).name
    if accounts.list():
        raise AccessError("People have accounts here.", hint="Say whose key it is: --account NAME.")
    return LOCAL


@group.command()
def make(
    name: Annotated[str, typer.Argument(help="What it is for.")] = "key",
    account: Account = None,
    workspace: Place = None,
) -> None:
    """Make a key and print it: it cannot be looked up again."""
    from studio.runs.keys import Keys

    with opened(workspace) as (accounts, store):
        _, secret = Keys(store).make(_owner(accounts, account), name)
        print(secret)


@group.command("list")
def list_all(account: Account = None, workspace: Place = None) -> None:
    """List keys: id, name, when it was made and last used."""
    from studio.runs.keys import Keys

    with opened(workspace) as (accounts, store):
        for record in Keys(store).list(_owner(accounts, account)):
            used = f"used {record.used:%Y-%m-%d %H:%M}" if record.used else "never used"
            print(f"{record.id}  {record.name:<30} since {record.created:%Y-%m-%d}  {used}")


@group.command()
def revoke(
    key: Annotated[str, typer.Argument(help="Id of the key, as key list shows it.")],
    account: Account = None,
    workspace: Place = None,
) -> None:
    """End a key: the next request with it is refused."""
    from studio.runs.keys import Keys

    with opened(workspace) as (accounts, store):
        Keys(store).revoke(_owner(accounts, account), key)
        print("This key opens nothing any more.")
