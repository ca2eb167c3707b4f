"""What is wrong with a table, and mending it."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from studio.catalog.findings import FIX_KIND
from studio.cli.base import app, cannot_write, must_not_exist, print_json
from studio.cli.options import DIALECT, ROLES, Files, Json, takes
from studio.cli.tables import read_table

if TYPE_CHECKING:
    from studio.data.table import Dialect, Roles


@app.command()
@takes(roles=ROLES, dialect=DIALECT)
def check(
    files: Files,
    as_json: Json = False,
    *,
    roles: "Roles",
    dialect: "Dialect | None",
) -> None:
    """Say how a table is read and what is wrong with it. Ends with 0 when it could be read, whatever was found."""
    from studio.data.check import inspect_table
    from studio.training.estimate import row_lengths

    table, roles = read_table(files, roles, dialect)
    found = inspect_table(table, roles, row_lengths)
    report = found.to_json()
    if as_json:
        print_json(report)
        return
    print(f"{report['file']}: {report['rows']:,} rows, format: {report['format'] or 'none'}")
    read_as = {name: report[name] for name in ("kind", "encoding", "delimiter", "quote", "header")}
    print("  read as  " + ", ".join(f"{name} {value!r}" for name, value in read_as.items() if value is not None))
    print("  columns  " + ", ".join(report["columns"]))
    print("  roles    " + (", ".join(f"{role}: {column}" for role, column in report["roles"].items()) or "none"))
    for reason, count in report["dropped"].items():
        print(f"  dropped  {count}: {reason}")
    for finding in report["findings"]:
        print(f"  {finding['severity']:<8} {finding['message']} [{finding['code']}]")
        if finding["rows"]:
            shown = ", ".join(map(str, finding["rows"][:10]))
            print(f"{'':<11}rows {shown}{' ...' if finding['count'] > 10 else ''}")
        print(f"{'':<11}{finding['effect']} {finding['advice']}".rstrip())
        for id in finding["fixes"]:
            print(f"{'':<11}fix --do {id}: {FIX_KIND[id].label}")


@app.command()
@takes(roles=ROLES, dialect=DIALECT)
def fix(
    file: Annotated[Path, typer.Argument(help="Table of texts, as for check.")],
    do: Annotated[
        list[str],
        typer.Option(metavar="FIX", help="Fix that check names beside a finding; may be given several times."),
    ],
    out: Annotated[Path, typer.Option(metavar="CSV", help="Where the mended rows are written; must not exist.")],
    as_json: Json = False,
    *,
    roles: "Roles",
    dialect: "Dialect | None",
) -> None:
    """Write a mended copy of a table: what findings say is left out, swapped or corrected. The file itself stays."""
    from studio.data.export import write_csv
    from studio.data.fix import fix_all
    from studio.data.prepare import prepare

    must_not_exist(out, "mended copy")
    prepared = prepare(*read_table([str(file)], roles, dialect))
    data, history = fix_all(prepared.data, prepared.format, do)
    try:
        write_csv(out, data.drop_columns("row"))
    except OSError as error:
        raise cannot_write(out, error) from None
    if as_json:
        print_json({"out": str(out), "rows": len(data), "history": list(history)})
        return
    print("\n".join(history))
    print(f"{len(data):,} rows: {out}")
