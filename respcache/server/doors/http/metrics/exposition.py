"""Prometheus' text format 0.0.4: what a metric is, and how it is printed.

# HELP redis_db_keys Keys in a database.
# TYPE redis_db_keys gauge
redis_db_keys{db="db0"} 2
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

    from respcache.server.doors.http.metrics.scrape import Scrape

COUNTER, GAUGE, SUMMARY = "counter", "gauge", "summary"


@dataclass(frozen=True)
class Summary:
    """How something is distributed."""

    count: int
    sum: float
    quantiles: dict[float, float]  # in the form that its metric gives to quantiles


Value = int | float | str | Summary  # text is a number as INFO prints it, or `ok` or another word for a state
Sample = tuple[tuple[str, ...], Value]  # the values of the labels, in the order of their names


@dataclass(frozen=True)
class Metric:
    """One family of samples. `name`, `help` and the names of labels are plain: nothing in them needs an escape."""

    name: str
    kind: str  # COUNTER, GAUGE, or SUMMARY if its values are that
    help: str  # one sentence
    read: Callable[[Scrape], Iterable[Sample]]  # each combination of labels at most once
    labels: tuple[str, ...] = ()
    field: str = ""  # the field of INFO that it shows
    # It is taken from all shards together, so there is none while one of them does not answer: a sum of the others
    # would look as if the counter had been set back.
    of_all_shards: bool = False
    unused: bool = False  # about a feature of Redis that respcache does not have


def exposition(metrics: Iterable[Metric], scrape: Scrape) -> bytes:
    """The text for all metrics that have samples now."""
    lines: list[str] = []
    for metric in metrics:
        if metric.of_all_shards and not scrape.complete:
            continue
        samples = list(metric.read(scrape))
        if samples:
            lines += (f"# HELP {metric.name} {metric.help}", f"# TYPE {metric.name} {metric.kind}")
            for values, value in samples:
                lines += _lines(metric, values, value)
    return "".join(f"{line}\n" for line in lines).encode()


def _lines(metric: Metric, labels: tuple[str, ...], value: Value) -> Iterator[str]:
    if not isinstance(value, Summary):
        yield f"{metric.name}{_labels(metric.labels, labels)} {_number(value)}"
        return
    for quantile, number in value.quantiles.items():
        named = _labels((*metric.labels, "quantile"), (*labels, f"{quantile:.10g}"))
        yield f"{metric.name}{named} {_number(number)}"
    yield f"{metric.name}_sum{_labels(metric.labels, labels)} {_number(value.sum)}"
    yield f"{metric.name}_count{_labels(metric.labels, labels)} {_number(value.count)}"


def _labels(names: tuple[str, ...], values: tuple[str, ...]) -> str:
    if not names:
        return ""
    return "{" + ",".join(f'{name}="{_escape(value)}"' for name, value in zip(names, values, strict=True)) + "}"


def _escape(value: str) -> str:
    return value.replace("\\", r"\\").replace("\n", r"\n").replace('"', r"\"")


def readable(text: str) -> str:
    """Text in which bytes may hide that are not UTF-8 (paths, what clients have sent), as text that is."""
    return text.encode("utf-8", "surrogateescape").decode("utf-8", "replace")


def _number(value: int | float | str) -> str:
    """A state is 1 if it is `ok`, else 0, as redis_exporter has it."""
    if not isinstance(value, str):
        return repr(value)
    try:
        float(value)
    except ValueError:
        return str(int(value == "ok"))
    return value
