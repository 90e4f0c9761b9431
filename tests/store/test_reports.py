"""Reports to main: the filter for keyspace events, and the order of reports."""

from __future__ import annotations

import pytest

from respcache.store.reports import EVENT, FAILED, UNFINISHED, EventFilter, Reports


@pytest.mark.parametrize(
    ("classes", "kinds", "keyspace", "keyevent"),
    [
        ("", "", False, False),
        ("g$lshzxetd", "", False, False),  # no channel to publish to
        ("mn", "", False, False),
        ("K", "", True, False),
        ("KE", "", True, True),
        ("g$K", "g$", True, False),
        ("lE", "l", False, True),
        ("g$lshzxetdKEmn", "g$lshzxetdmn", True, True),
    ],
)
def test_filters(classes: str, kinds: str, keyspace: bool, keyevent: bool) -> None:
    assert EventFilter.parse(classes) == EventFilter(kinds, keyspace, keyevent)


def test_reports_belong_to_the_next_result() -> None:
    reports = Reports()
    reports.event(0, b"set", b"a")
    reports.event(3, b"del", b"b")
    reports.results.append("first")
    reports.failed("ERR no")
    reports.results.append(None)
    reports.unfinished()
    reports.results.append("piece")
    assert reports.take() == (
        ["first", None, "piece"],
        [(EVENT, 0, 0, b"set", b"a"), (EVENT, 0, 3, b"del", b"b"), (FAILED, 1, "ERR no"), (UNFINISHED, 2)],
    )
    reports.event(0, b"set", b"c")
    assert reports.take() == ([], [(EVENT, 0, 0, b"set", b"c")])
