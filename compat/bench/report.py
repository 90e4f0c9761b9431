"""The results: medians and ratios, as text during the run, and as a page for the repository."""

from __future__ import annotations

import os
import platform
import shlex
import statistics
import subprocess
from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path

from compat.bench import chart
from compat.bench.growth import REPEATS
from compat.bench.loads import BENCHMARK
from compat.bench.plan import Measurement
from compat.bench.servers import GenuineRedis, ServerUnderTest

REFERENCE = GenuineRedis.name


@dataclass
class Results:
    """All numbers of a run, by measurement and server, one per round.

    seconds: about how long a round of a load takes.
    floor: what `loads.import_floor` measured.
    """

    servers: list[ServerUnderTest]
    rounds: int
    seconds: float
    values: dict[tuple[str, str], list[float]] = field(default_factory=dict)
    floor: list[float] = field(default_factory=list)

    def add(self, measurement: Measurement, server: ServerUnderTest, value: float) -> None:
        self.values.setdefault((measurement.name, server.name), []).append(value)

    def median(self, measurement: Measurement, server: str) -> float | None:
        values = self.values.get((measurement.name, server))
        return statistics.median(values) if values else None

    def ratio(self, measurement: Measurement, server: str) -> float | None:
        """The server's median divided by redis-server's."""
        value, reference = self.median(measurement, server), self.median(measurement, REFERENCE)
        return value / reference if value is not None and reference else None

    def measured(self, measurement: Measurement) -> bool:
        return any(name == measurement.name for name, _ in self.values)


def line(results: Results, measurement: Measurement) -> str:
    """One measurement for the terminal."""
    cells = [f"{measurement.title:46}{measurement.unit:>11}"]
    for server in results.servers:
        value = number(results.median(measurement, server.name))
        cells.append(f"{value:>12} {_ratio(results, measurement, server.name):<8}")
    return "  ".join(cells)


def heading(servers: list[ServerUnderTest]) -> str:
    """The head of the columns of `line`."""
    return "  ".join([" " * 57, *(f"{server.name:>12} {'':<8}" for server in servers)])


def number(value: float | None) -> str:
    """Three significant digits, with thousands separators."""
    if value is None:
        return "-"
    if value == 0 or abs(value) >= 100:
        return f"{value:,.0f}"
    return f"{value:.3g}"


def _ratio(results: Results, measurement: Measurement, server: str) -> str:
    ratio = results.ratio(measurement, server)
    if ratio is None or server == REFERENCE:
        return ""
    return f"({ratio:,.0f})" if ratio >= 10 else f"({ratio:.2g})"


def write(directory: Path, results: Results, measurements: list[Measurement], invocation: str) -> None:
    """Write REPORT.md, and ratios.svg if there is something to compare with."""
    shown = [measurement for measurement in measurements if results.measured(measurement)]
    directory.joinpath("REPORT.md").write_text(_markdown(results, shown, invocation), "utf-8")
    others = [server.name for server in results.servers if server.name != REFERENCE]
    rows = [
        chart.Row(row.title, [_speed(row, results.ratio(row, name)) for name in others]) for row in shown if row.charted
    ]
    if any(speed is not None for row in rows for speed in row.speeds):
        subheading = f"Times as fast as redis-server on the same machine; medians of {_rounds(results)}"
        picture = chart.svg("Speed, compared with redis-server", subheading, others, rows)
        directory.joinpath("ratios.svg").write_text(picture, "utf-8")


def _rounds(results: Results) -> str:
    return f"{results.rounds} round{'s' * (results.rounds > 1)}"


def _speed(measurement: Measurement, ratio: float | None) -> float | None:
    """How many times as fast as redis-server: the inverse ratio if less is better."""
    if ratio is None or measurement.more_is_better:
        return ratio
    return 1 / ratio if ratio else None


def _markdown(results: Results, measurements: list[Measurement], invocation: str) -> str:
    rates = [row for row in measurements if row.more_is_better]
    growths = [row for row in measurements if row.name.startswith("growth-")]
    costs = [row for row in measurements if row not in rates and row not in growths]
    parts = [
        "# How fast respcache is",
        f"Written by `{invocation}` on {datetime.now(UTC):%Y-%m-%d}; the same command measures it again.",
        "Elsewhere: [fixtures](FIXTURES.md), beside what people use for tests instead; [HTTP](HTTP.md).",
        "All servers run side by side on the machine that makes the load, and are driven in turn. Numbers are "
        f"medians of {_rounds(results)}; in brackets the ratio to {REFERENCE}'s.",
        "![Speed, compared with redis-server](ratios.svg)",
        "## Throughput: more is better",
        _table(results, rates),
        "## Times and costs: less is better",
        _table(results, costs),
        _floor(results),
        "## Growth: the time of one operation as the data grows",
        _table(results, growths),
        "## Machine and versions",
        _bullets([*_machine(), *_versions(results.servers)]),
        "## Exactly what was run",
        _bullets(f"{server.name}: `{_readable(server)}`" for server in results.servers),
        f"REQUESTS is chosen for each server so that a round takes about {results.seconds} s. Every load begins "
        "with a FLUSHALL.",
        _bullets(f"{row.title}: {row.how}" for row in [*rates, *costs]),
        _bullets(_growth_commands(growths)),
        _load_generator(),
    ]
    return "\n\n".join(filter(None, parts)) + "\n"


def _table(results: Results, measurements: list[Measurement]) -> str:
    names = [server.name for server in results.servers]
    lines = [f"| | | {' | '.join(names)} |", "|---|---|" + "---:|" * len(names)]
    for row in measurements:
        cells = [f"{number(results.median(row, name))} {_ratio(results, row, name)}".strip() for name in names]
        lines.append(f"| {row.title} | {row.unit} | {' | '.join(cells)} |")
    return "\n".join(lines)


def _bullets(lines: Iterable[str]) -> str:
    return "\n".join(f"* {text}" for text in lines)


def _growth_commands(growths: list[Measurement]) -> Iterable[str]:
    """One line per operation, whatever its sizes."""
    return dict.fromkeys(f"{row.title.split()[0]}, growth: {row.how}; median of {REPEATS}" for row in growths)


def _floor(results: Results) -> str:
    """A note on the part of the start-up time that respcache cannot change."""
    if not results.floor:
        return ""
    floor = statistics.median(results.floor)
    text = f"For the start: `python -c 'import trio, hiredis'` alone takes {number(floor)} ms here"
    if started := results.values.get(("start-up", "respcache")):
        text += f"; respcache's start takes {number(statistics.median(started) / floor)} times as long"
    return f"{text}."


def _load_generator() -> str:
    if BENCHMARK is not None:
        return ""
    return (
        "There was no redis-benchmark here: `compat.bench.loadgen` made the load in its place, at most as fast "
        "as one Python process is."
    )


def _readable(server: ServerUnderTest) -> str:
    program, *words = server.command("PORT")
    return shlex.join([Path(program).name, *words])


def _machine() -> list[str]:
    return [
        f"{_processor()}, {os.cpu_count()} processors, {_memory()} of memory",
        f"{platform.system()} {platform.release()}, {platform.machine()}",
    ]


def _processor() -> str:
    try:
        said = Path("/proc/cpuinfo").read_text().splitlines()
    except OSError:
        return platform.processor()
    models = (text.partition(": ")[2] for text in said if text.startswith("model name"))
    return next(models, platform.machine())


def _memory() -> str:
    return f"{os.sysconf('SC_PAGE_SIZE') * os.sysconf('SC_PHYS_PAGES') / 2**30:.0f} GiB"


def _versions(servers: list[ServerUnderTest]) -> list[str]:
    lines = [f"{server.name} {server.version}" for server in servers]
    lines.append(f"{platform.python_implementation()} {platform.python_version()}")
    lines += [f"{package} {version(package)}" for package in ("trio", "hiredis", "redis")]
    if BENCHMARK is not None:
        said = subprocess.run([BENCHMARK, "--version"], check=True, capture_output=True, text=True).stdout
        lines.append(said.strip())
    return lines
