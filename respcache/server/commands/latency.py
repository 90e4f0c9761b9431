"""LATENCY: what held the server up (`respcache.server.services.latency`), and how long commands take."""

from __future__ import annotations

from statistics import fmean
from typing import TYPE_CHECKING, Any

from respcache import errors
from respcache.commands.table import ADMIN, LOADING, NOSCRIPT, STALE, family, find_row
from respcache.commands.table.tips import SUMMED_BY_NODE
from respcache.errors import CommandError
from respcache.resp.types import Reply, Verbatim
from respcache.server.commands.caught_up import when_caught_up
from respcache.server.commands.info.facts import Facts
from respcache.server.commands.sparkline import sparkline
from respcache.store.tally import distribution

if TYPE_CHECKING:
    from respcache.commands.args import Args
    from respcache.server.clients.client import Client
    from respcache.server.services.latency import Event, LatencyMonitor, Sample
    from respcache.store.tally import Entry

command = family("server")

LATENCY = ADMIN | NOSCRIPT | LOADING | STALE
TIPS = ("nondeterministic_output", "request_policy:all_nodes", "response_policy:special")
_WIDTH = 80  # of a graph
_HEIGHT = 4

command.container("LATENCY", "Show what took long, and how long commands take.", since="2.8.13", help_since="2.8.13")


@command("LATENCY LATEST", arity=2, flags=LATENCY, since="2.8.13", tips=TIPS)
def latency_latest(client: Client, args: Args) -> Any:
    """Return for each event when it was last seen, how long it took then, and at most; in milliseconds."""
    monitor = client.parts.times.latency

    def reply() -> Reply:
        return [
            [name.encode(), event.samples[-1].time, event.samples[-1].milliseconds, event.longest]
            for name, event in monitor.all().items()
        ]

    return when_caught_up(client, reply)


@command("LATENCY HISTORY", "event", arity=3, flags=LATENCY, since="2.8.13", tips=TIPS)
def latency_history(client: Client, args: Args) -> Any:
    """Return when an event was seen, and how many milliseconds it took."""
    monitor, name = client.parts.times.latency, _name(args.next())

    def reply() -> Reply:
        event = monitor.find(name)
        return [] if event is None else [list(sample) for sample in event.samples]

    return when_caught_up(client, reply)


@command("LATENCY RESET", "[event [event ...]]", arity=-2, flags=LATENCY, since="2.8.13", tips=SUMMED_BY_NODE)
def latency_reset(client: Client, args: Args) -> Any:
    """Forget some events, or all; return how many there were."""
    monitor, names = client.parts.times.latency, [_name(word) for word in args.rest()]
    return when_caught_up(client, lambda: monitor.forget(names))


@command("LATENCY GRAPH", "event", arity=3, flags=LATENCY, since="2.8.13", tips=TIPS)
def latency_graph(client: Client, args: Args) -> Any:
    """Draw how long an event took, over time."""
    parts, word = client.parts, args.next()

    def reply() -> Reply:
        event = parts.times.latency.find(_name(word))
        if event is None:
            raise errors.no_samples(word)
        return Verbatim(_graph(_name(word), event, parts.clock.now_ms() // 1000).encode())

    return when_caught_up(client, reply)


def _graph(name: str, event: Event, now: int) -> str:
    values = [sample.milliseconds for sample in event.samples]
    heading = f"{name} - high {max(values)} ms, low {min(values)} ms (all time high {event.longest} ms)"
    points = [(value, _age(now - sample.time)) for value, sample in zip(values, event.samples, strict=True)]
    return f"{heading}\n{'-' * _WIDTH}\n{sparkline(points, _WIDTH, _HEIGHT)}"


def _age(seconds: int) -> str:
    """A duration in its largest unit."""
    for unit, size in (("d", 86400), ("h", 3600), ("m", 60)):
        if seconds >= size:
            return f"{seconds // size}{unit}"
    return f"{seconds}s"


@command("LATENCY DOCTOR", arity=2, flags=LATENCY, since="2.8.13", tips=TIPS)
def latency_doctor(client: Client, args: Args) -> Any:
    """Say in words what took long, and what can be done about it."""
    parts = client.parts
    if not parts.config.latency_monitor_threshold and not parts.times.latency.all():
        return Verbatim(
            b"Latency monitoring is disabled in this instance, so nothing is known. "
            b'Use "CONFIG SET latency-monitor-threshold <milliseconds>" to enable it.\n'
        )
    return when_caught_up(client, lambda: Verbatim(_diagnosis(parts.times.latency).encode()))


def _diagnosis(monitor: LatencyMonitor) -> str:
    events = monitor.all()
    if not events:
        return "Nothing took as long as latency-monitor-threshold so far: no latency spike was observed.\n"
    lines = ["These latency spikes were observed:", ""]
    for number, (name, event) in enumerate(events.items(), 1):
        lines.append(f"{number}. {name}: {_spikes(list(event.samples))}. Worst all time event {event.longest}ms.")
    lines += ["", "What can be done about it:", ""]
    if {"command", "fast-command"} & events.keys():
        lines.append("- SLOWLOG tells which commands they are: see SLOWLOG GET, and slowlog-log-slower-than.")
        lines.append(
            "- Values with very many elements take long to go through, to copy and to delete. Use smaller ones."
        )
    if "expire-cycle" in events:
        lines.append("- Many keys expire at the same moment. Spread their TTLs.")
    return "\n".join(lines) + "\n"


def _spikes(samples: list[Sample]) -> str:
    values = [sample.milliseconds for sample in samples]
    mean = fmean(values)
    deviation = fmean(abs(value - mean) for value in values)
    period = max(samples[-1].time - samples[0].time, 1) / len(samples)
    return (
        f"{len(samples)} latency spikes (average {mean:.0f}ms, mean deviation {deviation:.0f}ms, "
        f"period {period:.2f} sec)"
    )


@command("LATENCY HISTOGRAM", "[command [command ...]]", arity=-2, flags=LATENCY, since="7.0.0", tips=TIPS)
async def latency_histogram(client: Client, args: Args) -> Reply:
    """Return for some commands, or all, how many calls took up to so many microseconds."""
    known = dict((await Facts.gather(client, memory=False)).commands.entries())
    names = _chosen(args.rest()) if len(args) else list(known)
    return {name.encode(): _histogram(known[name]) for name in names if name in known and known[name].histogram}


def _chosen(words: list[bytes]) -> list[str]:
    """The wire names of commands, and of the subcommands of those that are only their name."""
    names: list[str] = []
    for word in words:
        try:
            row = find_row(word.split(b"|"))
        except CommandError:
            continue
        names += [row.wire_name, *(subcommand.wire_name for subcommand in row.subcommands.values())]
    return list(dict.fromkeys(names))


def _histogram(entry: Entry) -> Reply:
    by_limit: dict[Any, Reply] = dict(distribution(entry.histogram))
    return {b"calls": sum(entry.histogram.values()), b"histogram_usec": by_limit}


def _name(word: bytes) -> str:
    return word.decode("utf-8", "surrogateescape")
