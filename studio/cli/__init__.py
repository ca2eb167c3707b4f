"""The studio without a browser: ``sentence-studio --help`` lists the commands.

One module a noun; each adds its commands to ``app`` of ``base.py``. Exit status: 0 when it worked, 2 for something a
person can mend, 1 for a bug, 130 after Ctrl-C. What was asked for goes to standard output, progress and errors to
standard error. torch is imported while a command works that needs it, and not before.
"""

from studio.cli import (
    account,
    backup,
    check,
    compare,
    documents,
    evidence,
    export,
    index,
    key,
    making,
    queue,
    script,
    search,
    serve,
    train,
)
from studio.cli.base import app, main

COMMANDS = (
    serve,
    check,
    documents,
    train,
    making,
    script,
    export,
    search,
    backup,
    account,
    key,
    queue,
    evidence,
    compare,
    index,
)
"""Modules that have commands."""

__all__ = ["COMMANDS", "app", "main"]
