"""Graphs of characters, as redis 7.2's `sparkline.c` draws them."""

from __future__ import annotations

from collections.abc import Sequence

# How much of its topmost row a column fills.
_TOPS = "_o#"


def sparkline(points: Sequence[tuple[int, str]], width: int, height: int) -> str:
    """Columns of values, with their labels written downwards below them; several graphs if they are too many for one.

    The smallest value of all is at the bottom, the largest at the top.
    """
    values = [value for value, _ in points]
    low = min(values)
    span = max(values) - low or 1
    steps = len(_TOPS) * height
    graphs = []
    for start in range(0, len(points), width):
        columns = points[start : start + width]
        filled = [min((value - low) * steps // span, steps - 1) for value, _ in columns]
        rows = ["".join(_cell(step - row * len(_TOPS)) for step in filled) for row in reversed(range(height))]
        rows.append(" " * len(columns))
        longest = max(len(label) for _, label in columns)
        rows += ["".join(label[at : at + 1] or " " for _, label in columns) for at in range(longest)]
        graphs.append("".join(f"{row}\n" for row in rows))
    return "\n".join(graphs)


def _cell(step: int) -> str:
    """One character: `step` is how far the value reaches above the bottom of its row."""
    if step < 0:
        return " "
    return _TOPS[step] if step < len(_TOPS) else "|"
