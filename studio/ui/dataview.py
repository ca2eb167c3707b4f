"""What the Data tab shows of a table or dataset, as HTML. No Gradio here."""

from collections.abc import Sequence
from typing import Any, Protocol
from urllib.parse import urlencode

import pyarrow as pa

from studio.catalog.formats import FORMAT
from studio.data.check import fixes_for
from studio.data.rows import rows_numbered
from studio.data.several import ALL
from studio.data.table import Finding, Roles
from studio.ui import html
from studio.ui.findings import EXAMPLES, Examples, finding_list, role_label
from studio.ui.lengths import lengths_plot
from studio.ui.records import format_label

LENGTH_ROWS = 2000
"""Rows that text lengths are taken from."""
DELIMITER_NAMES = {",": "comma", ";": "semicolon", "\t": "tab", "|": "vertical bar", " ": "space", ":": "colon"}
KIND_NAMES = {
    "csv": "Delimited text",
    "jsonl": "JSON lines",
    "json": "JSON",
    "parquet": "Parquet",
    "excel": "Excel",
    "retrieval": "Retrieval set",
}


def dataset_label(record: Any, viewer: str = "") -> str:
    """``viewer``: who looks; what somebody else shares says whose it is."""
    words = f"{record.name} - {record.info.rows:,} rows, {format_label(record.info.format).lower()}"
    return f"{words} (shared by {record.owner})" if viewer and record.owner != viewer else words


def preview(rows: pa.Table | None) -> str:
    """Rows as training will see them, under their roles."""
    if rows is None or not len(rows):
        return ""
    names = [name for name in rows.column_names if name != "row"]
    values = [[row[name] for name in names] for row in rows.to_pylist()]
    numbers = rows["row"].to_pylist() if "row" in rows.column_names else None
    return html.table([role_label(name) for name in names], values, numbers)


def dialect_line(report: Any) -> str:
    """How the file was read, in one line."""
    dialect, parts = report.table.dialect, []
    parts.append(KIND_NAMES[dialect.kind])
    if dialect.encoding:
        parts.append(dialect.encoding.upper().replace("-SIG", " with a byte-order mark"))
    if dialect.delimiter:
        parts.append(f"separated by {DELIMITER_NAMES.get(dialect.delimiter, repr(dialect.delimiter))}")
    if dialect.kind == "csv":
        parts.append(f"quoted with {dialect.quote}" if dialect.quote else "no quoting")
    if dialect.header is not None:
        parts.append("first row holds the column names" if dialect.header else "no header row")
    if dialect.sheet:
        parts.append("all its tables" if dialect.sheet == ALL else f"sheet {dialect.sheet}")
    if report.table.partial:
        parts.append(
            f"a large file: here are its first {len(report.table.data):,} rows, all are checked when you save it"
        )
    shown = " <i>&middot;</i> ".join(html.text(part) for part in parts)
    return f'<p class="dialect"><b>{html.text(report.table.name)}</b>{shown}</p>'


def format_line(roles: Roles) -> str:
    """Which format the roles make."""
    if roles.format is None:
        return html.notice(
            "These columns make no format yet.",
            "Choose an anchor and a positive, then at most one of negatives, score and label; or a text, where a row has one only.",
            "warning",
        )
    kind = FORMAT[roles.format]
    return f'<p class="format"><b>{html.text(kind.label)}</b> {html.text(kind.help)}</p>'


def left_out_link(report: Any, upload_id: str) -> str:
    """A download of the rows that were skipped, mended or left out; "" when there are none."""
    table, dialect = report.table, report.table.dialect
    dropped = 0 if report.prepared is None else sum(map(len, report.prepared.dropped.values()))
    if not (table.skipped or table.repaired or dropped or table.partial):
        return ""
    asked: list[tuple[str, str]] = [
        ("encoding", dialect.encoding or ""),
        ("delimiter", dialect.delimiter or ""),
        ("quote", "" if dialect.kind != "csv" else dialect.quote or "none"),
        ("header", "" if dialect.header is None else "yes" if dialect.header else "no"),
        ("sheet", dialect.sheet or ""),
    ]
    if report.prepared is not None:
        asked += roles_in_address(report.roles)
    href = f"./download/uploads/{upload_id}/left-out.csv?{urlencode([pair for pair in asked if pair[1]])}"
    return _left_out_at(href)


def _left_out_at(href: str) -> str:
    return f'<p class="fine"><a href="{html.text(href)}" download>Download the rows that were left out or mended, with reasons</a></p>'


class Asked(Protocol):
    """Query of an address."""

    def get(self, name: str, default: str = "") -> str: ...

    def getlist(self, name: str) -> list[str]: ...


def roles_asked(query: Asked) -> Roles:
    """The roles in an address, as :func:`roles_in_address` puts them there."""
    one = {name: query.get(name, "") or None for name in ("anchor", "positive", "score", "label", "text", "class")}
    return Roles(
        one["anchor"], one["positive"], tuple(query.getlist("negative")), one["score"], one["label"], one["text"],
        one["class"], query.get("as", "") == "triplets",
    )  # fmt: skip


def roles_in_address(roles: Roles) -> list[tuple[str, str]]:
    """Names and values for an address."""
    named = [(role.split("_")[0], column) for role, column in roles.columns.items()]
    return [*named, ("as", "triplets")] if roles.as_triplets else named


def upload_report(report: Any, upload_id: str) -> str:
    """Counts, findings and text lengths of an upload."""
    table, prepared = report.table, report.prepared
    read = len(table.data)
    dropped = 0 if prepared is None else sum(len(rows) for rows in prepared.dropped.values())
    facts = html.tiles(
        ("First rows read" if table.partial else "Rows read", f"{read:,}", ""),
        (
            "Rows to use",
            f"{0 if prepared is None else len(prepared.data):,}",
            "Rows that training and the judging at its end will use.",
        ),
        ("Left out", f"{dropped:,}", "Rows that were read but cannot be used, such as rows with an empty text."),
        ("Unreadable", f"{len(table.skipped):,}", "Rows that do not fit the table's form and could not be read."),
    )
    lengths = "" if prepared is None else length_figure(prepared.data, len(prepared.data))
    usable = 0 if prepared is None else len(prepared.data)
    fixes = fixes_for(report.findings, report.roles.format, usable)
    words = finding_list(report.findings, lambda numbers: rows_of_file(report, numbers), fixes)
    return _report(facts, words + left_out_link(report, upload_id), lengths)


def rows_of_file(report: Any, numbers: Sequence[int]) -> pa.Table:
    """Rows by number: as training will see them where it does, else the cells of the file under their roles."""
    if report.prepared is not None:
        found = rows_numbered(report.prepared.data, numbers)
        if len(found):
            return found
    table, chosen = report.table, report.roles.columns
    cells = rows_numbered(table.data.append_column("\0row", table.rows), numbers, "\0row")
    columns = {role: column for role, column in chosen.items() if column in table.columns}
    shown = columns or {name: name for name in table.columns[:4]}
    return pa.table([*(cells[name] for name in shown.values()), cells["\0row"]], names=[*shown, "row"])


def example_rows(findings: Sequence[Finding]) -> list[int]:
    """Numbers of the rows that are shown as examples."""
    return sorted({row for finding in findings for row in finding.rows[:EXAMPLES]})


def dataset_report(
    record: Any, rows: pa.Table, examples: Examples, parent: Any = None, has_left_out: bool = False, mine: bool = True
) -> str:
    """Counts, findings and text lengths of a kept dataset.

    ``rows``: some of its rows, for their lengths; ``examples``: its rows by number; ``parent``: the dataset that it is a
    version of, where that is still there; ``has_left_out``: the rows left out can be had; ``mine``: whoever looks may change it.
    """
    info = record.info
    kind = FORMAT[info.format]
    facts = html.tiles(
        ("Format", kind.label, kind.help),
        ("Rows to use", f"{info.rows:,}", "Rows that training and the judging at its end will use."),
        ("Left out", f"{sum(info.dropped.values()):,}", "Rows that were read but cannot be used."),
        ("Unreadable", f"{info.skipped:,}", "Rows that could not be read."),
    )
    columns = "".join(
        f"<li>{html.text(role_label(role))}: {html.text(column)}</li>" for role, column in info.roles.items()
    )
    done = "".join(f"<li>{html.text(line)}</li>" for line in info.history)
    back = (
        f'<button type="button" class="fix" id="data-before" data-version="{html.text(parent.id)}">Back to '
        f"{html.text(parent.name)}</button>"
        if parent is not None
        else ""
    )
    history = f'<p class="fine">Done since it was imported</p><ol class="history">{done}</ol>{back}' if done else ""
    source = f'{history}<p class="fine">From {html.text(info.file_name)}</p><ul class="columns">{columns}</ul>'
    fixes = fixes_for(info.findings, info.format, info.rows) if mine else []
    words = finding_list(info.findings, examples, fixes, mendable=mine)
    link = _left_out_at(f"./download/datasets/{record.id}/left-out.csv") if has_left_out else ""
    return _report(facts, words + source + link, length_figure(rows, info.rows))


def _report(facts: str, words: str, lengths: str) -> str:
    return f'{facts}<div class="report"><div>{words}</div><div>{lengths}</div></div>'


def length_figure(rows: pa.Table, total: int) -> str:
    """Text lengths in tokens of the default base model. ``rows``: all, or a sample of ``total``."""
    from studio.training.estimate import row_lengths  # takes scipy along, which the first page can do without

    lengths = row_lengths(rows)
    if lengths is None or not len(lengths.tokens):
        return ""
    return (
        f'<div class="lengths"><b>Text lengths</b>{lengths_plot(lengths, total)}'
        '<p class="fine">The longest text of each row. Another base model counts differently: the Train tab shows it.</p></div>'
    )
