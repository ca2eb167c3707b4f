"""Small pieces of HTML. Whatever people or their files say goes through :func:`text`."""

import html
import json
from typing import Any

_TEMPLATE_MARKS = str.maketrans({"{": "&#123;", "}": "&#125;", "$": "&#36;", "`": "&#96;"})
"""gr.HTML treats its content as a template; these marks must not reach it from people's text."""


def text(value: Any) -> str:
    """``value`` as text that shows as itself inside an element or a quoted attribute of gr.HTML."""
    return html.escape(str(value), quote=True).translate(_TEMPLATE_MARKS)


def notice(message: str, hint: str = "", kind: str = "error") -> str:
    """A box that says what happened and what to do. ``kind``: ``error``, ``warning`` or ``info``."""
    role = "alert" if kind == "error" else "status"
    more = f"<span>{text(hint)}</span>" if hint else ""
    return f'<div class="notice {kind}" role="{role}"><strong>{text(message)}</strong>{more}</div>'


def tip(label: str, explanation: str) -> str:
    """A word with its meaning on hover and on keyboard focus."""
    return f'<span class="tip" tabindex="0" data-tip="{text(explanation)}">{text(label)}</span>'


def heading(title: str, explanation: str = "") -> str:
    more = f"<p>{text(explanation)}</p>" if explanation else ""
    return f'<div class="heading"><h2>{text(title)}</h2>{more}</div>'


def section(title: str, explanation: str = "") -> str:
    more = f"<p>{text(explanation)}</p>" if explanation else ""
    return f'<div class="section"><h3>{text(title)}</h3>{more}</div>'


def tiles(*facts: tuple[str, Any, str]) -> str:
    """A row of figures: (label, value, explanation or '')."""
    cells = "".join(
        f"<div><dt>{tip(label, help) if help else text(label)}</dt><dd>{text(value)}</dd></div>"
        for label, value, help in facts
    )
    return f'<dl class="tiles">{cells}</dl>'


def plot(figure: dict[str, Any], height_px: int, description: str) -> str:
    """A figure (see plots.py) that static/studio.js draws with Plotly in the page's own colours."""
    return (
        f'<div class="plot" style="height:{height_px}px" role="img" aria-label="{text(description)}" '
        f'data-plot="{text(json.dumps(figure))}"></div>'
    )


def table(headers: list[str], rows: list[list[Any]], numbers: list[Any] | None = None) -> str:
    """A table of people's texts. ``numbers``: what stands before each row, e.g. its number in the file."""
    head = "".join(f'<th scope="col">{text(name)}</th>' for name in headers)
    first = '<th scope="col" class="number">Row</th>' if numbers is not None else ""
    body = []
    for position, row in enumerate(rows):
        number = f'<th scope="row" class="number">{text(numbers[position])}</th>' if numbers is not None else ""
        cells = "".join(
            f'<td data-label="{text(name)}">{cell(value)}</td>' for name, value in zip(headers, row, strict=True)
        )
        body.append(f"<tr>{number}{cells}</tr>")
    return (
        f'<div class="table" tabindex="0" role="region" aria-label="Rows"><table><thead><tr>{first}{head}</tr></thead>'
        f"<tbody>{''.join(body)}</tbody></table></div>"
    )


def cell(value: Any, longest: int = 400) -> str:
    """One value of a table; a long text is cut, with the whole in its tooltip."""
    if value is None:
        return '<span class="faint">empty</span>'
    if isinstance(value, float):
        return text(f"{value:g}")
    whole = str(value)
    if len(whole) <= longest:
        return text(whole)
    return f'<span title="{text(whole[:4000])}">{text(whole[:longest])}...</span>'


def duration(seconds: float | None) -> str:
    """About how long, in words: ``40 seconds``, ``3 minutes``, ``2 hours 10 minutes``."""
    if seconds is None:
        return "unknown"
    if seconds < 90:
        count = max(1, round(seconds))
        return f"{count} second{'s' if count != 1 else ''}"
    minutes = round(seconds / 60)
    if minutes < 90:
        return f"{minutes} minutes"
    hours, minutes = divmod(minutes, 60)
    rest = f" {minutes} minutes" if minutes else ""
    return f"{hours} hour{'s' if hours != 1 else ''}{rest}"
