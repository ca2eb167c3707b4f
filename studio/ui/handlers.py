"""What every handler of the page has in common: whose request it is, and what a person sees when it fails."""

import functools
import logging
import secrets
from collections.abc import Callable, Sequence
from typing import Any

import gradio as gr

from studio.errors import AccessError, StudioError
from studio.ui import html

log = logging.getLogger(__name__)


def owner_of(request: gr.Request | Any) -> str:
    """The account that a request belongs to, as the gate found it. Raises AccessError: to none."""
    name = request.username if isinstance(request, gr.Request) else request.state.account
    if not name:
        raise AccessError("You are not signed in.", hint="Load the page again.")
    return name


def report_bug(error: Exception) -> str:
    """Log an unexpected error whole; returns the short id that people see instead."""
    error_id = secrets.token_hex(4)
    log.error("error %s", error_id, exc_info=error)
    return error_id


def explain(error: Exception) -> str:
    """The error as HTML for people: a StudioError as it is, anything else as an id."""
    if isinstance(error, StudioError):
        return html.notice(error.message, error.hint)
    return html.notice(f"Something went wrong (error id {report_bug(error)}).", "The server's log says more.")


def guarded(function: Callable, outputs: int) -> Callable:
    """``function`` with one more output, last: a notice. On an error only the notice changes."""

    @functools.wraps(function)
    def call(*args: Any) -> tuple[Any, ...]:
        try:
            result = function(*args)
        except Exception as error:
            return (*(gr.skip() for _ in range(outputs)), explain(error))
        values = result if isinstance(result, tuple) else (result,) if outputs else ()
        if len(values) != outputs:
            raise TypeError(f"{function.__name__} gave {len(values)} values for {outputs} outputs")
        return (*values, "")

    return call


def any_of(*triggers: Callable) -> Callable:
    """Several events as one, to be given to :func:`on`."""
    return functools.partial(gr.on, list(triggers))


def on(
    event: Callable,
    function: Callable,
    inputs: Sequence[Any],
    outputs: Sequence[Any],
    notice: gr.HTML,
    **options: Any,
) -> Any:
    """Wire a handler: like ``event(function, inputs, outputs)``, its errors shown in ``notice``.

    Handlers are cheap reads and writes, so any number may run at a time unless ``options`` say otherwise.
    """
    options = {"concurrency_limit": None, "show_progress": "hidden", "api_visibility": "private", **options}
    return event(guarded(function, len(outputs)), list(inputs), [*outputs, notice], **options)


def with_request(method: Callable, inputs: int) -> Callable:
    """``method(*inputs, request)`` as a function with as many named parameters as Gradio hands over.

    Gradio passes the request by annotation, which a handler that takes all fields of a form as ``*rest`` cannot have.
    """

    def call(request: gr.Request, *values: Any) -> Any:
        if len(values) != inputs:
            raise TypeError(f"expected {inputs} values, got {len(values)}")
        return method(*values, request)

    call.__name__ = method.__name__
    return call
