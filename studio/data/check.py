"""What is wrong or odd with a table: findings for people, before anything trains."""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

import pyarrow as pa

from studio.catalog.findings import FIXES, KIND, FixKind
from studio.catalog.models import DEFAULT_MODEL, MODEL
from studio.data import classes, cut, findings, language, near, personal, relations, shared, wording
from studio.data.cut import TokenLengths
from studio.data.prepare import Prepared, prepare
from studio.data.read import read_tables
from studio.data.roles import guess_roles
from studio.data.rows import MAX_ROWS_NAMED
from studio.data.spool import release
from studio.data.table import Dialect, Finding, Roles, Table
from studio.errors import DataError

Measure = Callable[[pa.Table], TokenLengths | None]
"""Counts the tokens of prepared rows; None where the tokenizer is not on this machine."""
SEVERITIES = ("error", "warning", "info")
PAIRS_ONLY = ("swapped_columns", "very_long_texts:passages")
"""Fixes for plain pairs."""


@dataclass(frozen=True)
class FileReport:
    """Everything that is known about a file before it becomes a dataset."""

    table: Table
    roles: Roles
    prepared: Prepared | None
    """None when a finding says why no rows can be made."""
    findings: tuple[Finding, ...]

    def to_json(self) -> dict[str, Any]:
        """``rows``: rows read; ``usable_rows``: rows that can train; ``dropped``: reason -> rows left out."""
        table, dialect, prepared = self.table, self.table.dialect, self.prepared
        usable = len(prepared.data) if prepared else 0
        return {
            "file": table.name,
            "kind": dialect.kind,
            "encoding": dialect.encoding,
            "delimiter": dialect.delimiter,
            "quote": dialect.quote,
            "header": dialect.header,
            "sheet": dialect.sheet,
            "member": dialect.member,
            "columns": list(table.columns),
            "roles": self.roles.columns,
            "format": prepared.format if prepared else None,
            "files": [asdict(part) for part in table.files],
            "rows": len(table.data),
            "usable_rows": usable,
            "skipped": len(table.skipped),
            "skipped_rows": [asdict(note) for note in table.skipped[:MAX_ROWS_NAMED]],
            "repaired": len(table.repaired),
            "repaired_rows": [asdict(note) for note in table.repaired[:MAX_ROWS_NAMED]],
            "dropped": {reason: len(notes) for reason, notes in prepared.dropped.items()} if prepared else {},
            "score_scale": list(prepared.score_scale) if prepared and prepared.score_scale else None,
            "findings": [in_full(finding, self.roles.format, usable) for finding in self.findings],
        }


def inspect_file(
    path: Path | Sequence[Path],
    roles: Roles | None = None,
    name: str | None = None,
    dialect: Dialect | None = None,
    measure: Measure | None = None,
) -> FileReport:
    """Read a file (or several as one), guess roles unless given, prepare and check. Raises DataError only when it cannot be read."""
    paths = [path] if isinstance(path, Path) else path
    return inspect_table(read_tables(paths, names=[name] if name else (), dialect=dialect), roles, measure)


def inspect_table(table: Table, roles: Roles | None = None, measure: Measure | None = None) -> FileReport:
    """The same for a table that was read before. Never raises DataError: what is wrong becomes a finding.

    ``measure``: counts tokens of prepared rows; None: texts that will be cut off are not looked for.
    """
    chosen = roles if roles is not None else guess_roles(table)
    try:
        prepared = prepare(table, chosen)
    except DataError as error:
        code = "no_format" if chosen.format is None else "unusable_column"
        problem = Finding(code, "error", str(error), len(table.data))
        return FileReport(table, chosen, None, sort_findings([problem, *findings.reading(table)]))
    found = check(prepared, table, measure(prepared.data) if measure else None)
    if table.partial:
        # What is wrong with the first rows need not be wrong with all: rows may be in order of their label.
        found = tuple(
            replace(finding, severity="warning") if finding.severity == "error" else finding for finding in found
        )
    return FileReport(table, chosen, prepared, sort_findings(found))


def check(
    prepared: Prepared,
    table: Table | None = None,
    lengths: TokenLengths | None = None,
    told: Callable[[str], None] = lambda words: None,
) -> tuple[Finding, ...]:
    """All findings, errors first.

    ``table``: also say what happened while the file was read; ``lengths``: what is cut off; ``told``: is called now and then,
    may raise to stop.
    """
    data = prepared.data
    looks = [
        findings.reading(table) if table is not None else (),
        findings.dropped(prepared),
        findings.size(prepared),
        findings.texts(prepared),
        findings.repeats(prepared),
        near.find(data),
        personal.find(data),
        wording.find_beginnings(data),
        language.find(data, MODEL[DEFAULT_MODEL]),
        shared.find(data),
        cut.find(lengths, len(data)) if lengths is not None else (),
        wording.find_swapped(data) if prepared.format == "pair" else (),
        findings.scores(prepared) if "score" in data.column_names else (),
        findings.labels(prepared) if "label" in data.column_names else (),
        classes.find(data) if prepared.format == "classed_text" else (),
        relations.find(data) if prepared.format == "classed_pair" else (),
    ]
    found = []
    for look in looks:
        found += look
        told("checking the rows")
        release()  # each look goes through the rows by itself
    found += [Finding("done_to_rows", "info", note) for note in prepared.notes]
    return sort_findings(found)


def fixes_for(findings: Iterable[Finding], format: str | None, rows: int) -> tuple[FixKind, ...]:
    """The fixes that there are for these findings of rows of a format, in their order, each once."""
    offered = []
    for code, finding in {finding.code: finding for finding in findings}.items():
        if code == "unknown_language" and finding.count > min(rows, language.SAMPLE) / 2:
            continue  # most rows would go: another base model is the answer
        offered += [fix for fix in FIXES if fix.code == code and (format == "pair" or fix.id not in PAIRS_ONLY)]
    return tuple(offered)


def in_full(finding: Finding, format: str | None, rows: int) -> dict[str, Any]:
    """A finding with what the catalogue says of its kind, as plain JSON. ``fixes``: ids of what can be done at once."""
    kind = KIND[finding.code]
    return {
        **asdict(finding),
        "rows": list(finding.rows),
        "label": kind.label,
        "effect": kind.effect,
        "advice": kind.advice,
        "fixes": [fix.id for fix in fixes_for([finding], format, rows)],
    }


def sort_findings(found: Iterable[Finding]) -> tuple[Finding, ...]:
    """Errors first."""
    return tuple(sorted(found, key=lambda finding: SEVERITIES.index(finding.severity)))
