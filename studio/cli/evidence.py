"""What the verdict of a run rests on."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from studio.cli.base import app, cannot_write, must_not_exist, print_json
from studio.cli.options import Json
from studio.errors import RunError

if TYPE_CHECKING:
    from studio.evaluation.lookup import Evidence

MODELS = {"base": "base", "tuned": "tuned", "bm25": "keyword search"}


@app.command()
def evidence(
    run_dir: Annotated[Path, typer.Argument(help="Folder of a run that was judged.")],
    show: Annotated[str, typer.Option(help="all, better, worse, same, or doubt: rows whose label may be wrong.")] = "",
    limit: Annotated[int, typer.Option(min=1, help="Rows to show, in each direction.")] = 10,
    out: Annotated[
        Path | None, typer.Option("--csv", metavar="CSV", help="Write all rows as a table; must not exist.")
    ] = None,
    as_json: Json = False,
) -> None:
    """Show which questions a tuned model won and lost against its base, where it gained, and which labels look wrong."""
    from studio.evaluation.evidence import load_slices
    from studio.evaluation.lookup import SHOWS, Evidence, Wish, largest
    from studio.training.folder import RunFolder

    folder = RunFolder(run_dir)
    if not folder.config.is_file():
        raise RunError(f"{run_dir} is no folder of a run.", hint="Give the folder that 'train --out' made.")
    if show and show not in SHOWS:
        raise RunError(f"There are no rows to show as '{show}'.", hint=f"Choose one of {', '.join(SHOWS)}.")
    found = Evidence(folder.evidence)
    if out is not None:
        _write(found, out, show)
        return
    if show:
        lists = {show: found.page(Wish(show=show, descending=show != "worse", limit=limit)).rows}
    else:
        lists = dict(zip(("better", "worse"), largest(found, limit), strict=True))
        lists["doubt"] = found.page(Wish(show="doubt", limit=limit)).rows
    slices = load_slices(folder.evidence)
    if as_json:
        from dataclasses import asdict

        rows = {name: [found.row(row["at"]) for row in rows] for name, rows in lists.items()}
        print_json(
            {"by": found.meta.by, "counts": found.counts, "rows": rows, "slices": [asdict(one) for one in slices]}
        )
        return
    counts = found.counts
    print(
        f"{counts['all']:,} rows: {counts['better']:,} better, {counts['worse']:,} worse, {counts['same']:,} as before; "
        f"the label of {counts['doubt']:,} is in doubt (by {found.meta.by})"
    )
    for name, rows in lists.items():
        if rows:
            print({"better": "Won most", "worse": "Lost most", "doubt": "Labels in doubt"}.get(name, name.capitalize()))
        for row in rows:
            _print_row(row, found.meta.by)
    for one in slices:
        print(f"By {one.by}")
        for part in one.parts:
            values = part.metrics.get(found.meta.primary)
            figures = (
                "not defined on these rows"
                if values is None
                else f"base {values[0]:.4f}   tuned {values[1]:.4f}   difference {values[2]:+.4f} to {values[3]:+.4f}"
            )
            print(f"  {part.value[:40]:<40} {part.rows:>5,} rows{', few' if part.few else '':<6} {figures}")


def _write(found: "Evidence", out: Path, show: str) -> None:
    from studio.data.export import write_csv
    from studio.evaluation.lookup import Wish

    must_not_exist(out, "table", RunError)
    rows = found.table(Wish(show=show or "all"))
    try:
        write_csv(out, rows)
    except OSError as error:
        raise cannot_write(out, error, RunError) from None
    print(f"{len(rows):,} rows: {out}")


def _print_row(row: dict[str, Any], by: str) -> None:
    places = [
        f"{MODELS[model]} {place}." for model, place in row["ranks"].items() if model in MODELS and place is not None
    ]
    if "margin" in row["base"]:
        figures = f"nearer by: base {row['base']['margin']:+.3f}, tuned {row['tuned']['margin']:+.3f}"
    else:
        figures = ", ".join(places) or f"base {row['base'][by]:.3f}, tuned {row['tuned'][by]:.3f}"
    print(f"  {row['change']:+.3f}  row {row['numbers'][0]}: {' '.join(row['anchor'].split())[:100]}")
    print(f"{'':<10}{' '.join((row['positive'] or [''])[0].split())[:100]} ({figures})")
    if row["doubt"]:
        print(f"{'':<10}{row['doubt']} {row['doubt_text']}".rstrip())
