"""The command line as a whole: its options before any command, how it speaks, and how it ends."""

import json
import sys
import tempfile
import time
import traceback
import uuid
from collections.abc import Callable
from pathlib import Path
from typing import Annotated, Any

import typer

from studio import __version__
from studio.errors import DataError, StudioError

app = typer.Typer(
    help="Fine-tune Sentence Transformers models, and see whether the result is better.",
    add_completion=False,
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
)


def _version(asked: bool) -> None:
    if asked:
        print(f"sentence-studio {__version__}")
        raise typer.Exit


@app.callback()
def common(
    debug: Annotated[bool, typer.Option("--debug", help="Show the whole traceback of an error.")] = False,
    version: Annotated[
        bool, typer.Option("--version", callback=_version, is_eager=True, help="Print the version and end.")
    ] = False,
) -> None:
    """Fine-tune Sentence Transformers models, and see whether the result is better."""


def say(line: str) -> None:
    """To standard error: progress, and what went wrong."""
    print(line, file=sys.stderr, flush=True)


def print_json(value: Any) -> None:
    """To standard output: what was asked for."""
    print(json.dumps(value, ensure_ascii=False, indent=1))


def now_and_then() -> Callable[[], bool]:
    """True at most every two seconds: when to say how far it is."""
    last = time.monotonic()

    def due() -> bool:
        nonlocal last
        if time.monotonic() - last < 2:
            return False
        last = time.monotonic()
        return True

    return due


def report_words() -> Callable[[int, int, str], None]:
    """A reporter for work that says what it does: ``words: done of total``."""
    due = now_and_then()

    def report(done: int, total: int, words: str) -> None:
        if due():
            say(f"{words}: {done:,} of {total:,}")

    return report


def report_texts() -> Callable[[int, int], None]:
    """A reporter for work that counts texts."""
    due = now_and_then()

    def report(done: int, total: int) -> None:
        if due():
            say(f"read {done:,} of {total:,} texts")

    return report


def must_not_exist(out: Path, what: str, error: type[StudioError] = DataError) -> None:
    """Nothing that a person has is overwritten."""
    if out.exists():
        raise error(f"{out} is there already.", hint=f"Choose another name for the {what}.")


def cannot_write(out: Path, problem: OSError, error: type[StudioError] = DataError) -> StudioError:
    """What is raised where a file could not be written."""
    return error(f"{out} cannot be written: {problem.strerror}.", hint="Choose another place.")


def main() -> None:
    """Entry of the console script."""
    try:
        app(prog_name="sentence-studio")
    except StudioError as error:
        _fail(f"Error: {error}", 2, error)
    except Exception as error:
        _fail(f"Error: something went wrong that should not ({_log(error)}).", 1, error)


def _fail(line: str, status: int, error: Exception) -> None:
    if "--debug" in sys.argv:
        traceback.print_exception(error)
    say(line)
    sys.exit(status)


def _log(error: Exception) -> str:
    """Keep the whole error in a file; says where."""
    error_id = uuid.uuid4().hex[:8]
    path = Path(tempfile.gettempdir()) / f"sentence-studio-{error_id}.log"
    path.write_text("".join(traceback.format_exception(error)), encoding="utf-8")
    return f"error {error_id}; the details are in {path}"
