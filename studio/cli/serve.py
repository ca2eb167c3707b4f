"""The studio for the browser."""

from pathlib import Path
from typing import Annotated

import typer

from studio.cli.base import app
from studio.errors import ConfigError


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
