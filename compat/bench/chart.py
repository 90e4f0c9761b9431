"""The ratios as a picture: horizontal bars in hand-written SVG. redis-server is the line at 1."""

from __future__ import annotations

from dataclasses import dataclass
from html import escape

_WIDTH = 860
_LEFT = 250  # room for the titles
_RIGHT = 60  # room for the numbers after the bars
_TOP = 86
_BOTTOM = 34
_BAR = 12
_GAP = 12
_COLOURS = ("#2f6db5", "#c9822b", "#5a8f4e")
_INK, _FAINT = "#222", "#d8d8d8"


@dataclass(frozen=True)
class Row:
    """One measurement: how many times as fast as redis-server each server is, None where there is no number."""

    title: str
    speeds: list[float | None]


def svg(heading: str, subheading: str, servers: list[str], rows: list[Row]) -> str:
    """The whole picture."""
    row_height = len(servers) * _BAR + _GAP
    height = _TOP + row_height * len(rows) + _BOTTOM
    known = [speed for row in rows for speed in row.speeds if speed is not None]
    # The scale ends at a full quarter, never below redis-server's 1.
    steps = max(4, -int(-max(known, default=1.0) // 0.25))
    unit = (_WIDTH - _LEFT - _RIGHT) / (steps * 0.25)
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {_WIDTH} {height}" '
        'font-family="system-ui, sans-serif" font-size="12">',
        f'<rect width="{_WIDTH}" height="{height}" fill="#fff"/>',
        _text(16, 26, heading, size=16, weight="600"),
        _text(16, 46, subheading, colour="#666"),
        *_legend(servers),
        *_grid(steps, unit, height - _BOTTOM),
    ]
    for number, row in enumerate(rows):
        parts += _bars(_TOP + number * row_height + _GAP / 2, row, unit)
    return "\n".join([*parts, "</svg>", ""])


def seconds_svg(heading: str, subheading: str, rows: list[tuple[str, float]]) -> str:
    """Times, a bar for each. One that takes far longer than all others is cut off; the number says how long it is."""
    height = _TOP + (2 * _BAR + _GAP) * len(rows)
    longest = sorted(seconds for _, seconds in rows)
    end = min(longest[-1], 2 * longest[-2]) if len(longest) > 1 else longest[-1]
    unit = (_WIDTH - _LEFT - _RIGHT) / end
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {_WIDTH} {height}" '
        'font-family="system-ui, sans-serif" font-size="12">',
        f'<rect width="{_WIDTH}" height="{height}" fill="#fff"/>',
        _text(16, 26, heading, size=16, weight="600"),
        _text(16, 46, subheading, colour="#666"),
    ]
    for number, (title, seconds) in enumerate(rows):
        y = _TOP - _GAP + number * (2 * _BAR + _GAP)
        length = min(seconds, end) * unit
        colour = _COLOURS[0 if title.startswith("respcache") else 1]
        parts.append(_text(_LEFT - 10, y + _BAR + 4, title, anchor="end"))
        parts.append(f'<rect x="{_LEFT}" y="{y}" width="{length:.1f}" height="{2 * _BAR}" fill="{colour}"/>')
        if seconds > end:  # a gap says that it goes on
            parts.append(f'<rect x="{_LEFT + length - 16:.1f}" y="{y}" width="4" height="{2 * _BAR}" fill="#fff"/>')
        parts.append(_text(_LEFT + length + 6, y + _BAR + 4, f"{seconds:.3g} s"))
    return "\n".join([*parts, "</svg>", ""])


def _legend(servers: list[str]) -> list[str]:
    parts = []
    for number, server in enumerate(servers):
        x = _LEFT + 120 * number
        parts.append(f'<rect x="{x}" y="58" width="12" height="12" fill="{_COLOURS[number % 3]}"/>')
        parts.append(_text(x + 18, 68, server))
    return parts


def _grid(steps: int, unit: float, bottom: float) -> list[str]:
    parts = []
    for step in range(steps + 1):
        value = step * 0.25
        x = _LEFT + value * unit
        line = f'x1="{x:.1f}" x2="{x:.1f}" y1="{_TOP - 6}" y2="{bottom}"'
        colour, width = (_INK, 1.5) if value == 1 else (_FAINT, 1)
        parts.append(f'<line {line} stroke="{colour}" stroke-width="{width}"/>')
        label = "1 = redis-server" if value == 1 else f"{value:g}"
        parts.append(_text(x, bottom + 18, label, anchor="middle"))
    return parts


def _bars(top: float, row: Row, unit: float) -> list[str]:
    middle = top + len(row.speeds) * _BAR / 2
    parts = [_text(_LEFT - 10, middle + 4, row.title, anchor="end")]
    for number, speed in enumerate(row.speeds):
        if speed is None:
            continue
        y, length = top + number * _BAR, speed * unit
        bar = f'x="{_LEFT}" y="{y:.1f}" width="{length:.1f}" height="{_BAR - 1}"'
        parts.append(f'<rect {bar} fill="{_COLOURS[number % 3]}"/>')
        parts.append(_text(_LEFT + length + 5, y + 9.5, f"{speed:.2g}", size=10, halo=True))
    return parts


def _text(
    x: float,
    y: float,
    text: str,
    *,
    size: int = 12,
    anchor: str = "start",
    weight: str = "400",
    colour: str = _INK,
    halo: bool = False,
) -> str:
    """One line of text; with a halo it stays legible on the lines of the grid."""
    place = f'x="{x:.1f}" y="{y:.1f}" font-size="{size}" font-weight="{weight}" text-anchor="{anchor}"'
    border = ' stroke="#fff" stroke-width="4" paint-order="stroke"' if halo else ""
    return f'<text {place} fill="{colour}"{border}>{escape(text)}</text>'
