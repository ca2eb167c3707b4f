"""Options that several commands have in common."""

import inspect
from collections.abc import Callable
from dataclasses import dataclass, replace
from enum import StrEnum
from typing import TYPE_CHECKING, Annotated, Any

import typer

from studio.training.config import AUTO, ConfigField

if TYPE_CHECKING:
    from studio.data.table import Dialect, Roles

Json = Annotated[bool, typer.Option("--json", help="Print one JSON object and nothing else.")]

FILES_HELP = (
    "CSV, TSV, JSON, JSON Lines, Parquet or Excel, or a zip or gzip with one of them, several as one table; or a retrieval "
    "set (corpus, queries, qrels) as a zip, a folder or several files; or hub:owner/name[:config][@split], a dataset of the hub."
)
Files = Annotated[list[str], typer.Argument(metavar="FILE...", help=FILES_HELP)]


class AsFormat(StrEnum):
    triplets = "triplets"


@dataclass(frozen=True)
class Bundle:
    """Options that belong together, and what is made of them."""

    parameters: tuple[inspect.Parameter, ...]
    make: Callable[..., Any]
    """Called with the options by name."""

    def only(self, *names: str) -> "Bundle":
        """Some of the options; the others are never given."""
        return replace(self, parameters=tuple(p for p in self.parameters if p.name in names))


def takes(**bundles: Bundle) -> Callable[[Callable[..., None]], Callable[..., None]]:
    """Gives a command the options of each bundle; under the bundle's name it gets what is made of them."""

    def give(command: Callable[..., None]) -> Callable[..., None]:
        own = [p for p in inspect.signature(command, eval_str=False).parameters.values() if p.name not in bundles]

        def call(**given: Any) -> None:
            made = {
                name: bundle.make(**{p.name: given.pop(p.name) for p in bundle.parameters})
                for name, bundle in bundles.items()
            }
            command(**given, **made)

        call.__name__, call.__doc__, call.__module__ = command.__name__, command.__doc__, command.__module__
        own = [p.replace(kind=inspect.Parameter.KEYWORD_ONLY) for p in own]
        added = [p for bundle in bundles.values() for p in bundle.parameters]
        call.__signature__ = inspect.Signature([*own, *added])
        call.__annotations__ = {}  # Typer goes by the signature
        return call

    return give


def _parameter(name: str, kind: Any, option: Any) -> inspect.Parameter:
    return inspect.Parameter(
        name, inspect.Parameter.KEYWORD_ONLY, default=None, annotation=Annotated[kind | None, option]
    )


def _column(name: str, help: str, *flags: str, kind: Any = str) -> inspect.Parameter:
    return _parameter(name, kind, typer.Option(*flags, metavar="COLUMN", help=help))


def _roles(
    anchor: str | None = None, positive: str | None = None, negative: list[str] | None = None, score: str | None = None,
    label: str | None = None, text: str | None = None, class_: str | None = None, as_: AsFormat | None = None,
) -> "Roles":  # fmt: skip
    from studio.data.table import Roles

    return Roles(anchor, positive, tuple(negative or ()), score, label, text, class_, as_ is not None)


ROLES = Bundle(
    (
        _column("anchor", "Column of the texts to start from."),
        _column("positive", "Column of the texts that belong to them."),
        _column("negative", "Column of texts that do not; may be given several times.", kind=list[str]),
        _column("score", "Column of the similarity scores."),
        _column("label", "Column of labels: 1 belong together, 0 do not."),
        _column("text", "Column of the texts, where a row has one text only.", "--text"),
        _column(
            "class_",
            "Column of the classes that those texts belong to; with --anchor and --positive, of how two texts relate.",
            "--class",
        ),
        _parameter(
            "as_",
            AsFormat,
            typer.Option(
                "--as", help="Make triplets of labelled pairs, as of tables of entailment.", show_default=False
            ),
        ),
    ),
    _roles,
)
"""What the columns are for: ``studio.data.table.Roles``."""


def _dialect(
    encoding: str | None, delimiter: str | None, quote: str | None, header: bool | None, sheet: str | None
) -> "Dialect | None":
    from studio.data.table import Dialect

    delimiter = {"tab": "\t", "\\t": "\t"}.get(delimiter or "", delimiter)
    given = Dialect("", encoding, delimiter, "" if quote == "none" else quote, header, sheet)
    return None if given == Dialect("") else given


DIALECT = Bundle(
    (
        _parameter(
            "encoding",
            str,
            typer.Option(metavar="NAME", help="Encoding of the file, such as cp1252; default: guessed."),
        ),
        _parameter(
            "delimiter",
            str,
            typer.Option(
                metavar="CHARACTER", help="What stands between columns: one character, or tab; default: guessed."
            ),
        ),
        _parameter(
            "quote",
            str,
            typer.Option(
                metavar="CHARACTER", help="What stands around texts: one character, or none; default: guessed."
            ),
        ),
        _parameter(
            "header",
            bool,
            typer.Option(
                "--header/--no-header",
                help="Whether the first row holds the names of the columns; default: guessed.",
                show_default=False,
            ),
        ),
        _parameter(
            "sheet",
            str,
            typer.Option(
                metavar="NAME", help="Sheet of a workbook, or file in a zip; * takes all that have the same columns."
            ),
        ),
    ),
    _dialect,
)
"""How a file is read: ``studio.data.table.Dialect``, None where nothing was said of it."""


def settings_of(fields: tuple[ConfigField, ...]) -> Bundle:
    """One option for every field of a record of settings; made of them: those that were given, by name."""
    parameters = tuple(
        _parameter(field.id, str if field.automatic else field.kind, _setting(field)) for field in fields
    )
    return Bundle(parameters, lambda **given: {name: value for name, value in given.items() if value is not None})


def _setting(field: ConfigField) -> Any:
    names = ["--" + field.id.replace("_", "-")]
    if field.id == "base_model":
        names.insert(0, "--base")
    if field.kind is bool:
        return typer.Option(f"{names[0]}/--no-{names[0].removeprefix('--')}", help=field.help, show_default=False)
    if field.automatic:
        return typer.Option(*names, metavar=f"{field.unit.upper()}|{AUTO}", help=field.help, show_default=False)
    metavar = "|".join(field.choices) if 0 < len(field.choices) < 5 else (field.unit or field.kind.__name__).upper()
    choices = f" One of: {', '.join(field.choices)}." if len(field.choices) >= 5 else ""
    return typer.Option(*names, metavar=metavar, help=field.help + choices, show_default=False)
