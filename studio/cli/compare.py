"""Runs side by side, and a run as one page to show."""

from dataclasses import replace
from pathlib import Path
from typing import Annotated

import typer

from studio.catalog.metrics import METRIC
from studio.cli.base import app, cannot_write, must_not_exist, print_json
from studio.cli.options import Json
from studio.compare.comparison import Comparison, Group, compare
from studio.compare.facts import read_facts
from studio.errors import RunError


@app.command(name="compare")
def compare_runs(
    run_dirs: Annotated[list[Path], typer.Argument(metavar="RUN_DIR...", help="Folders of two runs or more.")],
    against: Annotated[
        Path | None, typer.Option(metavar="RUN_DIR", help="Measure the others against this one; default: the best.")
    ] = None,
    report: Annotated[
        Path | None, typer.Option(metavar="HTML", help="Also write the comparison as one file; must not exist.")
    ] = None,
    as_json: Json = False,
) -> None:
    """Say which of several runs is best and how sure that is, and which settings differ between them."""
    if report is not None:
        must_not_exist(report, "report", RunError)
    facts = {path: read_facts(path) for path in dict.fromkeys(path.resolve() for path in run_dirs)}
    if len({run.name for run in facts.values()}) < len(facts):  # those of one table all have its name
        facts = {path: replace(run, name=path.name) for path, run in facts.items()}
    found = compare([*facts.values()], "" if against is None else read_facts(against.resolve()).id)
    if report is not None:
        from studio.export.report import report_of_comparison

        _write(report, report_of_comparison(found).html)
    if as_json:
        print_json(found.plain())
    else:
        _print(found)


@app.command(name="report")
def write_report(
    run_dir: Annotated[Path, typer.Argument(help="Folder of a run.")],
    out: Annotated[
        Path | None,
        typer.Option(
            metavar="HTML", help="Where the report is written; must not exist. Default: report.html in the run."
        ),
    ] = None,
) -> None:
    """Write a run as one HTML file to show or to print: verdict, curves, data, settings. It asks nothing of the network."""
    from studio.export.report import report_of_run

    if out is not None:
        must_not_exist(out, "report", RunError)
    out = run_dir / "report.html" if out is None else out
    _write(out, report_of_run(read_facts(run_dir.resolve())).html)
    print(out)


def _write(out: Path, html: str) -> None:
    try:
        out.write_text(html, encoding="utf-8")
    except OSError as error:
        raise cannot_write(out, error, RunError) from None


def _print(found: Comparison) -> None:
    print("\n".join(found.sentences))
    for group in found.groups:
        _print_group(group)
    names = {run.id: run.name for run in found.runs}
    for id, why in found.left.items():
        print(f"not ranked with the first: {names[id]}: {why}")
    print(f"settings that differ ({found.alike} do not):" if found.settings else "no setting differs")
    for label, values in found.settings:
        print(f"  {label}")
        for run, value in zip(found.runs, values, strict=True):
            print(f"    {run.name:<30} {value or '-'}")


def _print_group(group: Group) -> None:
    searched = f", each searched in {group.searched:,} texts" if group.searched else ""
    print(f"{METRIC[group.metric].label} on {group.heldout_rows:,} held-out rows of {group.dataset}{searched}:")
    for one in group.standings:
        change = "" if one.change is None else f"  base {one.change:+.4f} ({one.low:+.4f} to {one.high:+.4f})"
        apart = ""
        if one.name != group.against:
            sure = "not recorded row by row"
            if one.interval is not None:
                sure = f"{one.interval.low:+.4f} to {one.interval.high:+.4f}"
            apart = f"  {group.against} {one.difference:+.4f} ({sure})"
        print(f"  {one.place:>2}  {one.name:<30} {one.value:.4f}{change}{apart}")
