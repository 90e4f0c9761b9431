"""Calls as a picture: an SVG file without any dependency.

Time runs from left to right in real time, true to scale. Stretches in which nothing begins or ends (a pause, or a
blocking command that waits) are shortened, and say how long they were. Each client has a lane. The calls of a round
trip stand below each other, in a frame if they are several.
"""

from __future__ import annotations

from bisect import bisect_right
from html import escape
from itertools import groupby
from typing import TYPE_CHECKING, NamedTuple

import respcache.commands.all  # noqa: F401 - fills the table of commands
from respcache.commands.table import TABLE, Flag
from respcache.testing.session import command_line, count_of, reply_line

if TYPE_CHECKING:
    from collections.abc import Sequence

    from respcache.testing.call import Call

_LEFT, _RIGHT, _TOP = 150, 30, 64
_ROW, _BAR, _PADDING = 18, 14, 12
_AXIS, _LEGEND = 26, 30
# Calls of a round trip that get a bar each; the others share one.
_ROWS = 8
# Lines of a tooltip.
_TOLD = 40
_NARROWEST, _WIDEST, _PER_TRIP = 1200, 6000, 100
# Width of the narrowest bar, and of a pause.
_THIN, _PAUSE = 5, 60
_CHARACTER = 6.3
# A shorter stretch of time (microseconds) is never shortened.
_LONG = 1000

# Fill and edge, by what a call does.
_COLOURS: dict[str, tuple[str, str]] = {
    "read": ("#8fb8ed", "#3f6fb5"),
    "write": ("#f6c177", "#b9770e"),
    "other": ("#cfd3da", "#7b8494"),
    "error": ("#f19c99", "#b83a36"),
}

_STYLE = (
    "text{font:12px ui-sans-serif,system-ui,'Helvetica Neue',Arial,sans-serif;fill:#2b303b}"
    ".mono{font:11px ui-monospace,Menlo,Consolas,monospace}.dim{fill:#7b8494}.title{font-size:15px;font-weight:600}"
    ".call:hover rect{stroke-width:2}"
)


class _Trip(NamedTuple):
    """The calls of one round trip. Microseconds since the first call of all."""

    begin: int
    end: int
    calls: Sequence[Call]


class _Scale:
    """Where a time is on the x axis. `busy`: the stretches that are true to scale, in order."""

    def __init__(self, busy: list[tuple[int, int]], width: float) -> None:
        pauses = len(busy) - 1
        total = sum(end - begin for begin, end in busy) or 1
        self.per_us = max(width - pauses * _PAUSE, width / 4) / total
        self.pauses: list[tuple[float, int]] = []  # where one begins, and how long it is
        self._times: list[int] = []
        self._places: list[float] = []
        x = float(_LEFT)
        for number, (begin, end) in enumerate(busy):
            if number:
                self.pauses.append((x, begin - busy[number - 1][1]))
                x += _PAUSE
            self._times.append(begin)
            self._places.append(x)
            x += (end - begin) * self.per_us
        self.end = x
        self._busy = busy

    def x(self, time: int) -> float:
        at = max(bisect_right(self._times, time) - 1, 0)
        end = self._busy[at][1]
        x = self._places[at] + (min(time, end) - self._times[at]) * self.per_us
        if time > end and at + 1 < len(self._times):  # within a pause
            x += (time - end) / (self._times[at + 1] - end) * _PAUSE
        return x

    def ticks(self) -> list[tuple[float, int]]:
        """Places and times for about a mark each hundred pixels."""
        step = _rounded(max(1, round(90 / self.per_us)))
        found: list[tuple[float, int]] = []
        for begin, end in self._busy:
            time = -(-begin // step) * step
            while time <= end:
                if not found or self.x(time) - found[-1][0] > 60:
                    found.append((self.x(time), time))
                time += step
        return found


def draw(calls: Sequence[Call], address: str) -> str:
    """The text of an SVG file."""
    begin = min((_us(call) for call in calls), default=0)
    lanes = [(client, _trips(list(own), begin)) for client, own in _by_client(calls)]
    trips = [trip for _, own in lanes for trip in own]
    width = min(max(_NARROWEST, _LEFT + _RIGHT + _PER_TRIP * max((len(own) for _, own in lanes), default=0)), _WIDEST)
    scale = _Scale(_busy(trips) or [(0, 1000)], width - _LEFT - _RIGHT)
    body: list[str] = []
    y = _TOP + _AXIS
    for client, own in lanes:
        height = _height(own)
        body.append(_lane(client, own, y, height, scale.end + _RIGHT))
        body += [_trip(trip, y + _PADDING, scale) for trip in own]
        y += height
    bottom = y
    body = [*_axis(scale, bottom), *body]
    height, width = bottom + _LEGEND + 14, round(scale.end + _RIGHT)
    took = max((trip.end for trip in trips), default=0)
    subtitle = f"{count_of(len(calls), 'call')}, {count_of(len(trips), 'round trip')}, {_time(took)}"
    head = (
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{width}" height="{height}" viewBox="0 0 {width} {height}">'
        f"<style>{_STYLE}</style>"
        f'<rect width="{width}" height="{height}" fill="#ffffff"/>'
        f'<text class="title" x="16" y="28">{escape(address)}</text>'
        f'<text class="dim" x="16" y="48">{subtitle}</text>'
    )
    return "\n".join([head, *body, _legend(bottom + _LEGEND), "</svg>\n"])


# -- what is where


def _us(call: Call) -> int:
    return round(call.real_time.timestamp() * 1_000_000)


def _by_client(calls: Sequence[Call]) -> list[tuple[Call, Sequence[Call]]]:
    """(its first call, its calls), in the order of the first calls."""
    own: dict[int, list[Call]] = {}
    for call in calls:
        own.setdefault(call.client, []).append(call)
    return [(first[0], first) for first in own.values()]


def _trips(calls: Sequence[Call], zero: int) -> list[_Trip]:
    found = []
    for _, grouped in groupby(calls, key=lambda call: call.round_trip):
        own = list(grouped)
        end = max(_us(call) + (call.microseconds or 0) for call in own)
        found.append(_Trip(_us(own[0]) - zero, end - zero, own))
    return found


def _busy(trips: list[_Trip]) -> list[tuple[int, int]]:
    """The stretches of time in which something begins or ends, again and again."""
    lengths = sorted(trip.end - trip.begin for trip in trips)
    longest = max(6 * lengths[len(lengths) // 2], _LONG) if lengths else 0
    found: list[tuple[int, int]] = []
    for time in sorted(time for trip in trips for time in (trip.begin, trip.end)):
        if found and time - found[-1][1] <= longest:
            found[-1] = (found[-1][0], time)
        else:
            found.append((time, time))
    return found


def _height(trips: list[_Trip]) -> int:
    rows = max((min(len(trip.calls), _ROWS) for trip in trips), default=1)
    return rows * _ROW + 2 * _PADDING


# -- what it looks like


def _lane(client: Call, trips: list[_Trip], y: int, height: int, right: float) -> str:
    name = escape(client.client_name) or f"client {client.client}"
    detail = f"client {client.client}, " if client.client_name else ""
    return (
        f'<path d="M0 {y}H{right:.0f}" stroke="#e3e6eb"/>'
        f'<text x="16" y="{y + height / 2 - 2:.0f}">{name}</text>'
        f'<text class="dim" x="16" y="{y + height / 2 + 13:.0f}">{detail}{count_of(len(trips), "trip")}</text>'
    )


def _trip(trip: _Trip, y: int, scale: _Scale) -> str:
    calls, rest = trip.calls, trip.calls[_ROWS - 1 :] if len(trip.calls) > _ROWS else ()
    if rest:
        calls = calls[: _ROWS - 1]
    zero = _us(trip.calls[0]) - trip.begin
    parts = []
    if len(trip.calls) > 1:
        left, right = scale.x(trip.begin) - 3, max(scale.x(trip.end), scale.x(trip.begin) + _THIN) + 3
        rows = len(calls) + bool(rest)
        parts.append(
            f'<rect x="{left:.1f}" y="{y - 4}" width="{right - left:.1f}" height="{rows * _ROW + 4}" rx="4" '
            'fill="#f4f6f9" stroke="#b9c0cc" stroke-dasharray="3 2"/>'
        )
    for row, call in enumerate(calls):
        begin = _us(call) - zero
        tip = f"{command_line(call)}\n{reply_line(call)}\n{_took(call)}"
        name = " ".join(call.words[:2])
        parts.append(_bar(begin, begin + (call.microseconds or 0), y + row * _ROW, _kind(call), name, tip, scale))
    if rest:
        lines = [command_line(call)[:120] for call in rest[:_TOLD]]
        lines += [f"... {count_of(len(rest) - _TOLD, 'more call')}"] if len(rest) > _TOLD else []
        top = y + len(calls) * _ROW
        begin = _us(rest[0]) - zero
        label = f"+{len(rest)} more"
        parts.append(_bar(begin, trip.end, top, "other", label, "\n".join(lines), scale))
    return "".join(parts)


def _bar(begin: int, end: int, y: int, kind: str, name: str, tip: str, scale: _Scale) -> str:
    left = scale.x(begin)
    width = max(scale.x(end) - left, _THIN)
    fill, edge = _COLOURS[kind]
    room = int((width - 8) / _CHARACTER)
    label = name if len(name) <= room else name.partition(" ")[0]
    text = ""
    if len(label) <= room:
        text = f'<text class="mono" x="{left + 4:.1f}" y="{y + 11}">{_xml(label)}</text>'
    return (
        f'<g class="call"><title>{_xml(tip)}</title>'
        f'<rect x="{left:.1f}" y="{y}" width="{width:.1f}" height="{_BAR}" rx="2" fill="{fill}" stroke="{edge}"/>'
        f"{text}</g>"
    )


def _axis(scale: _Scale, bottom: int) -> list[str]:
    top = _TOP + _AXIS
    parts = []
    for x, length in scale.pauses:
        middle = x + _PAUSE / 2
        parts.append(
            f'<rect x="{x + 8:.1f}" y="{top}" width="{_PAUSE - 16}" height="{bottom - top}" fill="#f0f1f4"/>'
            f'<text class="dim mono" x="{middle:.1f}" y="{_TOP + 2}" text-anchor="middle">{_time(length)}</text>'
            f'<path d="M{middle - 5:.1f} {top + 5}l4 -10m4 10l4 -10" stroke="#7b8494" fill="none"/>'
        )
    for x, time in scale.ticks():
        parts.append(
            f'<path d="M{x:.1f} {top - 5}V{bottom}" stroke="#eceef2"/>'
            f'<text class="dim mono" x="{x:.1f}" y="{top - 9}" text-anchor="middle">{_time(time)}</text>'
        )
    return parts


def _legend(y: int) -> str:
    x, parts = 16, []
    for kind, (fill, edge) in _COLOURS.items():
        parts.append(
            f'<rect x="{x}" y="{y - 11}" width="14" height="12" rx="2" fill="{fill}" stroke="{edge}"/>'
            f'<text x="{x + 20}" y="{y}">{kind}</text>'
        )
        x += 80
    parts.append(
        f'<rect x="{x}" y="{y - 12}" width="22" height="14" rx="4" fill="#f4f6f9" stroke="#b9c0cc" '
        f'stroke-dasharray="3 2"/><text x="{x + 28}" y="{y}">sent together, one round trip</text>'
    )
    return "".join(parts)


def _kind(call: Call) -> str:
    if call.kind == "error":
        return "error"
    row = TABLE.get(call.name.encode("utf-8", "surrogateescape"))
    if row is not None and row.flags & Flag.WRITE:
        return "write"
    return "read" if row is not None and row.flags & Flag.READONLY else "other"


def _took(call: Call) -> str:
    when = f"{call.real_time:%H:%M:%S.%f}"
    return f"{when}, {'not answered' if call.microseconds is None else _time(call.microseconds)}"


def _time(microseconds: int) -> str:
    if microseconds < 1000:
        return f"{microseconds} µs" if microseconds else "0"
    if microseconds < 1_000_000:
        return f"{microseconds / 1000:.3g} ms"
    return f"{microseconds / 1_000_000:.4g} s"


def _rounded(step: int) -> int:
    """1, 2, 5, 10, 20, 50 ..."""
    size: int = 10 ** (len(str(step)) - 1)
    return next(factor * size for factor in (1, 2, 5, 10) if factor * size >= step)


def _xml(text: str) -> str:
    """Text that XML may have: no control characters but line ends, no lone surrogates."""
    clean = "".join(char if char >= " " or char == "\n" else "\N{REPLACEMENT CHARACTER}" for char in text)
    return escape(clean.encode("utf-8", "replace").decode("utf-8"))
