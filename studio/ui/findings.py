"""What the data check and the estimate found, as HTML: a headline each, the rest on demand. No Gradio here."""

from collections.abc import Callable, Sequence

import pyarrow as pa

from studio.catalog.findings import KIND, FindingKind, FixKind
from studio.catalog.formats import ROLES
from studio.data.check import SEVERITIES
from studio.data.table import Finding
from studio.ui import html

SEVERITY = {"error": "Must be mended", "warning": "Worth a look", "info": "Good to know"}
EXAMPLES = 3
NUMBERS = 12
"""Row numbers that are named."""
UNKNOWN = FindingKind("", "Finding of an earlier version", "", "", "file")
"""Datasets keep what was found when they were made."""
ROLE_LABELS = {role.id: role.label for role in ROLES}

Examples = Callable[[Sequence[int]], pa.Table]
"""Row numbers of the file -> those of them that can be shown, with a column ``row``."""


def finding_list(
    items: Sequence[Finding], examples: Examples | None = None, fixes: Sequence[FixKind] = (), *, mendable: bool = False
) -> str:
    """What was found, worst first.

    ``fixes``: what can be done about it; as buttons where the rows are a dataset (``mendable``), else as a promise.
    """
    if not items:
        return '<div class="notice info" role="status"><strong>The check found nothing wrong.</strong></div>'
    lines = [
        _line(finding, examples, [fix for fix in fixes if fix.code == finding.code], mendable)
        for finding in sorted(items, key=lambda f: SEVERITIES.index(f.severity))
    ]
    return f'<ul class="findings">{"".join(lines)}</ul>{_several(fixes) if mendable else ""}'


def _line(finding: Finding, examples: Examples | None, fixes: list[FixKind], mendable: bool) -> str:
    kind = KIND.get(finding.code, UNKNOWN)
    count = (
        f'<span class="count">{finding.count:,} {"row" if finding.count == 1 else "rows"}</span>'
        if finding.count
        else ""
    )
    buttons = "".join(_button(fix) for fix in fixes) if mendable else ""
    promise = '<span class="promise">one-click fix after saving</span>' if fixes and not mendable else ""
    return (
        f'<li class="{html.text(finding.severity)}" data-code="{html.text(finding.code)}">'
        f'<div class="finding"><div><p class="headline"><b>{SEVERITY[finding.severity]}</b>'
        f"<strong>{html.text(kind.label)}</strong>{count}{promise}</p><p>{html.text(finding.message)}</p></div>"
        f'<div class="mend">{buttons}</div></div>'
        f"<details><summary>{_summary(finding)}</summary>"
        f"{f'<p><i>What it does</i> {html.text(kind.effect)}</p>' if kind.effect else ''}"
        f"{f'<p><i>What to do</i> {html.text(kind.advice)}</p>' if kind.advice else ''}"
        f"{_rows(finding, examples)}</details></li>"
    )


def _summary(finding: Finding) -> str:
    return "What it means, and example rows" if finding.rows else "What it means"


def _button(fix: FixKind) -> str:
    id = html.text(fix.id)
    return f'<button type="button" class="fix" id="data-fix-{id.replace(":", "-")}" data-fix="{id}">{html.text(fix.label)}</button>'


def _several(fixes: Sequence[FixKind]) -> str:
    """Boxes to choose from where there is more than one fix; '' otherwise."""
    if len({fix.code for fix in fixes}) < 2:
        return ""
    boxes = "".join(
        f'<label><input type="checkbox" value="{html.text(fix.id)}"> {html.text(fix.label)}</label>' for fix in fixes
    )
    return (
        f'<details class="several"><summary>Several fixes at once</summary><div>{boxes}</div>'
        '<button type="button" class="fix" id="data-fix-several" data-several>Make a new version with these</button></details>'
    )


def _rows(finding: Finding, examples: Examples | None) -> str:
    if not finding.rows:
        return ""
    numbers = ", ".join(str(row) for row in finding.rows[:NUMBERS])
    more = ", ..." if finding.count > NUMBERS or len(finding.rows) > NUMBERS else ""
    named = f'<p class="rows">{"Row" if finding.count == 1 else "Rows"} {numbers}{more}</p>'
    found = examples(finding.rows[:EXAMPLES]) if examples is not None else None
    if found is None or not len(found):
        return named
    names = [name for name in found.column_names if name != "row"]
    values = [[row[name] for name in names] for row in found.to_pylist()]
    return named + html.table([role_label(name) for name in names], values, found["row"].to_pylist())


def role_label(column: str) -> str:
    """``negative_2`` -> ``Negative 2``."""
    role, _, number = column.partition("_")
    return f"{ROLE_LABELS[role]} {number}".strip() if role in ROLE_LABELS else column
