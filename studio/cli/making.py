"""What a model makes of a dataset: hard negatives, doubtful rows."""

import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from studio.catalog.models import DEFAULT_MODEL
from studio.cli.base import app, cannot_write, must_not_exist, print_json, report_words
from studio.cli.options import ROLES, Json, settings_of, takes
from studio.cli.tables import model_of, read_table, source_of, write_texts
from studio.making.mining import MINING_FIELDS, make_mining

if TYPE_CHECKING:
    from studio.data.table import Roles

SUSPECT_ROLES = ROLES.only("anchor", "positive", "negative", "score", "label", "text", "class_")


@app.command()
@takes(roles=ROLES.only("anchor", "positive", "negative"), settings=settings_of(MINING_FIELDS))
def negatives(
    file: Annotated[Path, typer.Argument(help="Table of pairs or triplets, as for check.")],
    out: Annotated[Path, typer.Option(metavar="CSV", help="Where the triplets are written; must not exist.")],
    corpus: Annotated[Path | None, typer.Option(metavar="FILE", help="Table of more texts to choose from.")] = None,
    corpus_text: Annotated[
        str | None, typer.Option(metavar="COLUMN", help="Column of the corpus; default: the longest.")
    ] = None,
    as_json: Json = False,
    *,
    roles: "Roles",
    settings: dict[str, Any],
) -> None:
    """Add hard negatives to a table of pairs: texts that a model takes for answers and that are none."""
    from studio.data.dataset import load_info, load_rows
    from studio.data.export import write_csv

    if "base_model" in settings:
        settings["base_model"] = model_of(settings["base_model"])
    config = make_mining(settings)
    must_not_exist(out, "triplets")
    task: dict[str, Any] = {"settings": config.model_dump(), "name": out.stem}
    with tempfile.TemporaryDirectory() as place:
        folder = source_of(Path(place), *read_table([str(file)], roles))
        if corpus is not None:
            task["corpus"] = write_texts(folder, corpus, corpus_text)

        from studio.making.negatives import make

        result = make(folder, task, report_words(), lambda: False)
        info, data = load_info(folder / "dataset"), load_rows(folder / "dataset")
        try:
            names = [f"mined_{name}" if name in result["columns"] else name for name in data.column_names]
            write_csv(out, data.rename_columns(names).drop_columns("row"))
        except OSError as error:
            raise cannot_write(out, error) from None
    if as_json:
        print_json({"out": str(out), **result, "history": list(info.history), "settings": config.model_dump()})
        return
    print(result["message"])
    print(f"{info.rows:,} rows: {out}")


@app.command()
@takes(roles=SUSPECT_ROLES)
def suspects(
    file: Annotated[Path, typer.Argument(help="Table of texts, as for check.")],
    base: Annotated[str, typer.Option(help="Model that looks: folder, catalogue id or hub name.")] = DEFAULT_MODEL,
    as_json: Json = False,
    *,
    roles: "Roles",
) -> None:
    """List the rows that a model finds most doubtful, the most doubtful first. That is a hint and no proof."""
    import pyarrow.parquet as pq

    from studio.making.suspects import HONEST

    with tempfile.TemporaryDirectory() as place:
        folder = source_of(Path(place), *read_table([str(file)], roles))

        from studio.making.suspects import make

        result = make(folder, {"base_model": model_of(base)}, report_words(), lambda: False)
        rows = pq.read_table(folder / "review.parquet").drop_columns("positions").to_pylist()
    if as_json:
        print_json({"model": base, "message": result["message"], "suspects": rows})
        return
    print(f"{result['message']} {HONEST}" if rows else result["message"])
    for row in rows:
        print(f"row {row['row']}: {row['why']}")
        for name, value in row.items():
            if name not in ("row", "why", "column", "similarity"):
                print(f"    {name:<10} {' '.join(str(value).split())}")
