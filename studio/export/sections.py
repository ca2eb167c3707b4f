"""Parts of a model card, as text. No torch."""

import re
from collections.abc import Sequence
from typing import Any

import pyarrow as pa

DETAILS = "## Model Details\n"
"""Where sentence-transformers' own part begins."""
EXAMPLE_ROWS = 3
EXAMPLE_LETTERS = 200


def with_section(card: str, lines: Sequence[str]) -> str:
    """A card with a part more, before the library's own details (at the end where it has none)."""
    head, mark, rest = card.partition(DETAILS)
    return "\n\n".join(part for part in (head.rstrip(), "\n".join(lines).strip(), (mark + rest).strip()) if part) + "\n"


def with_examples(card: str, data: pa.Table) -> str:
    """A card that shows three rows: only where whoever passes the model on has asked for it."""
    columns = [name for name in data.column_names if name not in ("row", "part")]
    rows = data.select(columns).slice(0, EXAMPLE_ROWS).to_pylist()
    lines = ["## Example rows", "", f"| {' | '.join(columns)} |", f"|{'---|' * len(columns)}"]
    lines += [f"| {' | '.join(_cell(row[name]) for name in columns)} |" for row in rows]
    return with_section(card, lines)


def _cell(value: Any) -> str:
    text = " ".join(f"{value:g}".split() if isinstance(value, float) else str(value).split())
    text = text[:EXAMPLE_LETTERS] + (" ..." if len(text) > EXAMPLE_LETTERS else "")
    return re.sub(r"([\\`*_{}\[\]<>|#])", r"\\\1", text)
