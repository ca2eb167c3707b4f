"""The page that a script is written on: imports, constants, functions; and values as Python says them."""

import inspect
import json
import sys
import textwrap
from collections.abc import Callable, Sequence
from typing import Any

from sentence_transformers import util
from sentence_transformers.sentence_transformer import losses
from torch import nn

WIDTH = 120
NAMESPACES = (losses.TripletDistanceMetric, losses.SiameseDistanceMetric, losses.BatchHardTripletLossDistanceFunction)
INDENT = "    "
ROOM = 24
"""What may stand before an expression on its line."""


class Raw(str):
    """Source that stands in a script as it is: the name of a constant, a call."""


class Page:
    """What a script consists of. Pieces say what they need; each stands in it once, in order."""

    def __init__(self) -> None:
        self._whole: set[str] = set()
        self._parts: dict[str, set[str]] = {}
        self._constants: list[str] = []
        self._functions: list[str] = []

    def use(self, module: str, *names: str) -> None:
        """``import module``, or ``from module import names``."""
        if names:
            self._parts.setdefault(module, set()).update(names)
        else:
            self._whole.add(module)

    def constant(self, name: str, value: Any, why: str = "") -> Raw:
        """A name on top of the script; returned as its source."""
        line = f"{name} = {self.source(value)}{f'  # {why}' if why else ''}"
        if line not in self._constants:
            self._constants.append(line)
        return Raw(name)

    def define(self, source: str) -> None:
        """A function or a class."""
        source = textwrap.dedent(source).strip()
        if source not in self._functions:
            self._functions.append(source)

    def function(self, head: str, lines: Sequence[str]) -> None:
        """A function by its first line and the lines of its body."""
        self.define(f"{head}\n" + textwrap.indent("\n".join(lines), INDENT))

    def take_over(self, *what: Callable[..., Any]) -> None:
        """Functions and classes of the studio that stand alone, word for word."""
        for one in what:
            self.define(inspect.getsource(one))

    def source(self, value: Any) -> str:
        """A value as Python says it; what has to be imported for it is."""
        if isinstance(value, Raw):
            return str(value)
        if isinstance(value, str):
            return json.dumps(value, ensure_ascii=False)
        if value is None or isinstance(value, int | float):
            return repr(value)
        if isinstance(value, dict):
            return _enclosed("{", [f"{self.source(key)}: {self.source(one)}" for key, one in value.items()], "}")
        if isinstance(value, list):
            return _enclosed("[", [self.source(one) for one in value], "]")
        if isinstance(value, tuple):
            return f"({self.source(value[0])},)" if len(value) == 1 else _enclosed("(", [*map(self.source, value)], ")")
        for place in NAMESPACES:
            for name, member in vars(place).items():
                if not name.startswith("_") and (member is value or getattr(place, name) is value):
                    self.use("sentence_transformers.sentence_transformer", "losses")
                    return f"losses.{place.__name__}.{name}"
        name = getattr(value, "__name__", "")
        if name and getattr(util, name, None) is value:
            self.use("sentence_transformers", "util")
            return f"util.{name}"
        if isinstance(value, type) and getattr(nn, name, None) is value:
            self.use("torch", "nn")
            return f"nn.{name}()"
        raise TypeError(f"no source for {value!r}")

    def call(self, name: str, *first: str, **arguments: Any) -> str:
        """``name(first, argument=value)``: on one line where that fits into a function, else an argument a line."""
        given = [*first, *(f"{key}={self.source(value)}" for key, value in arguments.items())]
        return _enclosed(f"{name}(", given, ")")

    def text(self, title: str, notes: Sequence[str], main: str) -> str:
        """The script. ``notes``: paragraphs below its title; ``main``: its last lines."""
        paragraphs = [textwrap.fill(title, 110), USAGE, *(textwrap.fill(note, 110) for note in notes)]
        parts = [
            '"""' + "\n\n".join(_plain(paragraph) for paragraph in paragraphs) + '\n"""',
            *self._import_blocks(),
            "\n".join(self._constants),
        ]
        return "\n\n".join(parts) + "\n\n\n" + "\n\n\n".join([*self._functions, main.strip()]) + "\n"

    def _import_blocks(self) -> list[str]:
        """As a sorter of imports leaves them: the standard library first, ``import x`` before ``from x import y``."""
        blocks = []
        for own in (True, False):
            whole, parts = (
                sorted(m for m in modules if (m.partition(".")[0] in sys.stdlib_module_names) == own)
                for modules in (self._whole, self._parts)
            )
            lines = [f"import {module}" for module in whole]
            lines += [_from(module, sorted(self._parts[module], key=_case)) for module in parts]
            if lines:
                blocks.append("\n".join(lines))
        return blocks


USAGE = """\
    pip install -r requirements.txt
    python script.py [FOLDER FOR THE MODEL]"""


def _enclosed(opening: str, items: Sequence[str], closing: str) -> str:
    """All on one line where that fits into a function, else an item a line."""
    line = f"{opening}{', '.join(items)}{closing}"
    if len(line) + ROOM <= WIDTH and "\n" not in line:
        return line
    return f"{opening}\n" + "".join(textwrap.indent(f"{one},\n", INDENT) for one in items) + closing


def _from(module: str, names: list[str]) -> str:
    line = f"from {module} import {', '.join(names)}"
    if len(line) <= WIDTH:
        return line
    return f"from {module} import (\n" + "".join(f"{INDENT}{name},\n" for name in names) + ")"


def _case(name: str) -> tuple[int, str]:
    """Constants, classes, functions."""
    return (0 if name.isupper() else 1 if name[0].isupper() else 2), name


def _plain(text: str) -> str:
    """Text that can stand in a docstring."""
    return text.replace("\\", "\\\\").replace('"""', '\\"\\"\\"')
