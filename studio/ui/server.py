"""The web server: checks the machine, starts the studio, mounts the page, serves it."""

import logging
import os
import secrets
import socket
import sys
import tempfile
import warnings
from typing import TYPE_CHECKING, Any

from studio.errors import HostError
from studio.settings import Settings

if TYPE_CHECKING:
    from fastapi import FastAPI

BOOT = secrets.token_hex(4)
"""Changes when the server is restarted; an open page then loads itself again."""
LOG_LINE = "%(asctime)s %(levelname)s %(name)s: %(message)s"


def serve(settings: Settings) -> None:
    """Serve until interrupted.

    Raises:
        HostError: the port is taken or the workspace cannot be used. Nothing has been started then.
    """
    listener = listen(settings.host, settings.port)
    tmp = (settings.workspace / "tmp").absolute()
    os.environ["GRADIO_TEMP_DIR"] = str(tmp / "gradio")
    # Rows of large tables go to unnamed files there, also those of our processes: a system's /tmp may be memory.
    os.environ["TMPDIR"] = tempfile.tempdir = str(tmp)

    from studio.runs.studio import Studio

    studio = Studio(settings)
    studio.start()
    try:
        import uvicorn

        here = address(settings.host, listener.getsockname()[1])
        studio.announce(here)
        app = build_server(studio, settings)
        config = uvicorn.Config(app, log_level="warning", access_log=False, timeout_graceful_shutdown=2)
        print(f"Sentence Studio is running at {here}", flush=True)
        uvicorn.Server(config).run(sockets=[listener])
    finally:
        studio.close()
        listener.close()


def listen(host: str, port: int) -> socket.socket:
    """A listening socket, taken before anything slow is done. Raises HostError when the port is not to be had."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    listener = socket.socket(family, socket.SOCK_STREAM)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listener.bind((host, port))
        listener.listen(128)
    except OSError as error:
        listener.close()
        raise HostError(
            f"Port {port} on {host} cannot be used: {error.strerror}.",
            hint="Choose another with STUDIO_PORT or --port; 0 takes any free one.",
        ) from None
    return listener


def address(host: str, port: int) -> str:
    """The address to open in a browser on this machine."""
    shown = "127.0.0.1" if host == "0.0.0.0" else "::1" if host == "::" else host
    return f"http://[{shown}]:{port}" if ":" in shown else f"http://{shown}:{port}"


def build_server(studio: Any, settings: Settings) -> "FastAPI":
    """The page and the studio's own routes as one application, behind the guard."""
    import gradio as gr
    from fastapi import FastAPI
    from starlette.middleware.cors import CORSMiddleware

    from studio.ui.app import build_app
    from studio.ui.gate import Gate, add_sign_in
    from studio.ui.routes import add_routes
    from studio.ui.security import Guard, allowed_hosts
    from studio.ui.theme import HEAD, theme
    from studio.ui.watch import add_watch

    app = FastAPI(title="Sentence Studio", docs_url=None, redoc_url=None, openapi_url=None)
    add_routes(app, studio)
    # Gradio adds CORS headers of its own unless the app it is mounted on has this.
    app.add_middleware(CORSMiddleware, allow_origins=[])
    with_oidc = settings.needs_accounts and settings.oidc_issuer
    add_sign_in(app, studio.accounts, settings.oidc_label if with_oidc else "")
    if with_oidc:
        from studio.ui.oidc import add_oidc

        add_oidc(app, studio.accounts, settings)
    app.add_middleware(Gate, accounts=studio.accounts, settings=settings)
    app.add_middleware(
        Guard,
        hosts=allowed_hosts(settings.host, settings.allowed_hosts.split(",")),
        max_body_bytes=(settings.max_upload_mb + 1) * 1024 * 1024,
    )
    add_watch(app, studio, settings, BOOT)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # libraries' own deprecations are nothing that people can act on
        return gr.mount_gradio_app(
            app,
            build_app(studio, settings),
            path="/",
            root_path=settings.root_path or None,
            server_name=settings.host,
            server_port=settings.port,
            footer_links=[],
            run_history=False,
            app_kwargs={"docs_url": None, "redoc_url": None, "openapi_url": None},
            show_error=False,
            auth_dependency=lambda request: request.state.account,
            max_file_size=f"{settings.max_upload_mb}mb",
            ssr_mode=False,
            mcp_server=False,
            enable_monitoring=False,
            theme=theme(),
            head=HEAD,
        )


def run(settings: Settings) -> int:
    """Serve; returns the exit code of the process: 2 when the machine is in the way, said in one line."""
    set_up_log(settings.log_format)
    try:
        serve(settings)
    except HostError as error:
        print(f"sentence-studio: {error}", file=sys.stderr)
        return 2
    except KeyboardInterrupt:
        return 0
    return 0


def set_up_log(form: str) -> None:
    """The server's log, to standard error: lines for people, or one JSON object a line for what collects them."""
    logging.basicConfig(level=logging.WARNING, format=LOG_LINE, force=True)
    logging.getLogger("studio").setLevel(logging.INFO)
    if form == "json":
        from pythonjsonlogger.json import JsonFormatter

        names = {"asctime": "time", "levelname": "level", "name": "logger"}
        for handler in logging.getLogger().handlers:
            handler.setFormatter(JsonFormatter(LOG_LINE, rename_fields=names))
