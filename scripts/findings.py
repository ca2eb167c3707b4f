"""Writes docs/findings.md from the catalogue: python scripts/findings.py"""

from pathlib import Path

from studio.catalog.findings import FINDINGS, FIXES, GROUPS

PAGE = Path(__file__).resolve().parents[1] / "docs" / "findings.md"
HEAD = """# Findings

What the data check can say, what each finding does to training, and what to do. Codes are those in brackets behind the
findings of `sentence-studio check`. A fix is one click beside its finding on the page, and
`sentence-studio fix TABLE --do FIX --out COPY` on the command line; it always makes a new version, the original stays.

This page is written by `python scripts/findings.py` from `studio/catalog/findings.py`.
"""


def page() -> str:
    parts = [HEAD]
    for group, title in GROUPS.items():
        parts.append(f"## {title}\n")
        for kind in FINDINGS:
            if kind.group != group:
                continue
            fixes = "; ".join(f"{fix.label} (`{fix.id}`)" for fix in FIXES if fix.code == kind.code)
            lines = [f"**{kind.label}** (`{kind.code}`). {kind.effect} {kind.advice}".rstrip()]
            if fixes:
                lines.append(f"Fixes: {fixes}.")
            parts.append("\n".join(lines) + "\n")
    return "\n".join(parts)


if __name__ == "__main__":
    PAGE.write_text(page(), encoding="utf-8")
