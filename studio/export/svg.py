"""Charts as SVG that stands in a page: no script, no font, no file. Colours are classes of report.css (``c0`` ... ``c9``)."""

import math
import re
from collections.abc import Sequence
from dataclasses import dataclass
from html import escape
from typing import Any

WIDTH, HEIGHT = 680, 260
LEFT, RIGHT, TOP, BOTTOM = 58, 12, 12, 40
COLOURS = 10
LINE_HEIGHT = 30
LONGEST_NAME = 34
"""Characters of a name beside an interval; the whole name is in its tooltip and in the table."""

_UNSEEN = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\x7f\u202a-\u202e\u2066-\u2069]")
"""Characters that no document needs: control characters, and those that turn the direction of what follows."""


@dataclass(frozen=True)
class Series:
    """One line. Points whose value is None or not finite are left out."""

    name: str
    x: Sequence[float]
    y: Sequence[float | None]
    colour: int
    dashed: bool = False


@dataclass(frozen=True)
class Interval:
    """One line of a plot of differences."""

    name: str
    value: float
    low: float
    high: float
    colour: int = 0


def text(value: Any, longest: int | None = None) -> str:
    """``value`` as text that shows as itself, in an element or a quoted attribute."""
    said = _UNSEEN.sub("\ufffd", str(value))
    if longest is not None and len(said) > longest:
        said = said[:longest] + "…"
    return escape(said, quote=True)


def line_chart(series: Sequence[Series], x_label: str, y_label: str, about: str) -> str:
    """Lines over a common axis, with a legend below; ``about``: the chart in one sentence. Empty when there is no point."""
    drawn = [(one, _points(one)) for one in series]
    drawn = [(one, points) for one, points in drawn if points]
    if not drawn:
        return ""
    xs = [x for _, points in drawn for x, _ in points]
    ys = [y for _, points in drawn for _, y in points]
    x_ticks, y_ticks = ticks(min(xs), max(xs)), ticks(min(ys), max(ys))
    across = _scale(min(*xs, x_ticks[0]), max(*xs, x_ticks[-1]), LEFT, WIDTH - RIGHT)
    up = _scale(y_ticks[0], y_ticks[-1], HEIGHT - BOTTOM, TOP)
    parts = [_grid(across, up, x_ticks, y_ticks)]
    parts.append(f'<text x="{(LEFT + WIDTH - RIGHT) / 2}" y="{HEIGHT - 6}" class="axis mid">{text(x_label)}</text>')
    parts.append(
        f'<text transform="translate(13 {(TOP + HEIGHT - BOTTOM) / 2}) rotate(-90)" class="axis mid">{text(y_label)}</text>'
    )
    for one, points in drawn:
        path = " ".join(f"{across(x):.1f},{up(y):.1f}" for x, y in points)
        dashed = " dashed" if one.dashed else ""
        parts.append(f'<polyline points="{path}" class="line c{one.colour % COLOURS}{dashed}"/>')
        if len(points) < 13:
            parts += [
                f'<circle cx="{across(x):.1f}" cy="{up(y):.1f}" r="3" class="dot c{one.colour % COLOURS}"/>'
                for x, y in points
            ]
    keys = "".join(
        f'<li><i class="key c{one.colour % COLOURS}{" dashed" if one.dashed else ""}"></i>{text(one.name)}</li>'
        for one, _ in drawn
    )
    return f'{_svg(HEIGHT, about, "".join(parts))}<ul class="legend">{keys}</ul>'


def interval_chart(intervals: Sequence[Interval], label: str, about: str) -> str:
    """Differences with their 95 % intervals, one below the other, and a line at zero. Empty when there is none."""
    shown = [one for one in intervals if all(map(math.isfinite, (one.value, one.low, one.high)))]
    if not shown:
        return ""
    left, height = 264, LINE_HEIGHT * len(shown) + 52
    marks = ticks(min(0.0, *(one.low for one in shown)), max(0.0, *(one.high for one in shown)))
    across = _scale(marks[0], marks[-1], left, WIDTH - 70)
    parts = []
    for mark in marks:
        x = across(mark)
        kind = "zero" if mark == 0 else "grid"
        parts.append(f'<line x1="{x:.1f}" x2="{x:.1f}" y1="8" y2="{height - 44}" class="{kind}"/>')
        parts.append(f'<text x="{x:.1f}" y="{height - 28}" class="axis mid">{_signed(mark, marks)}</text>')
    for number, one in enumerate(shown):
        y = 8 + LINE_HEIGHT * (number + 0.5)
        name = one.name if len(one.name) <= LONGEST_NAME else one.name[: LONGEST_NAME - 1] + "…"
        parts.append(
            f'<text x="{left - 14}" y="{y + 4:.1f}" class="name"><title>{text(one.name)}</title>{text(name)}</text>'
            f'<line x1="{across(one.low):.1f}" x2="{across(one.high):.1f}" y1="{y:.1f}" y2="{y:.1f}" '
            f'class="whisker c{one.colour % COLOURS}"/>'
            f'<circle cx="{across(one.value):.1f}" cy="{y:.1f}" r="5" class="dot c{one.colour % COLOURS}"/>'
            f'<text x="{WIDTH - 60}" y="{y + 4:.1f}" class="axis">{one.value:+.3f}</text>'
        )
    parts.append(f'<text x="{(left + WIDTH - 70) / 2}" y="{height - 8}" class="axis mid">{text(label)}</text>')
    return _svg(height, about, "".join(parts))


def ticks(low: float, high: float, wanted: int = 5) -> list[float]:
    """Round numbers, ascending, that enclose ``low`` and ``high``."""
    if not high > low:
        room = abs(low) * 0.1 or 0.1
        low, high = low - room, high + room
    step = 10 ** math.floor(math.log10((high - low) / wanted))
    step *= next(factor for factor in (1, 2, 2.5, 5, 10) if step * factor * wanted >= (high - low) * 0.999)
    first, last = math.floor(low / step + 1e-9), math.ceil(high / step - 1e-9)
    return [round(i * step, 10) + 0.0 for i in range(first, last + 1)]


def _points(one: Series) -> list[tuple[float, float]]:
    return [(x, y) for x, y in zip(one.x, one.y, strict=True) if y is not None and math.isfinite(y)]


def _scale(low: float, high: float, start: float, end: float):
    return lambda value: start + (value - low) / ((high - low) or 1) * (end - start)


def _grid(across, up, x_ticks: Sequence[float], y_ticks: Sequence[float]) -> str:
    parts = []
    for mark in y_ticks:
        y = up(mark)
        parts.append(f'<line x1="{LEFT}" x2="{WIDTH - RIGHT}" y1="{y:.1f}" y2="{y:.1f}" class="grid"/>')
        parts.append(f'<text x="{LEFT - 7}" y="{y + 4:.1f}" class="axis end">{mark:g}</text>')
    for mark in x_ticks:
        parts.append(f'<text x="{across(mark):.1f}" y="{HEIGHT - BOTTOM + 17}" class="axis mid">{mark:g}</text>')
    return "".join(parts)


def _svg(height: float, about: str, content: str) -> str:
    return f'<svg viewBox="0 0 {WIDTH} {height}" role="img" aria-label="{text(about)}">{content}</svg>'


def _signed(mark: float, marks: Sequence[float]) -> str:
    return "0" if mark == 0 else f"{mark:+g}"
