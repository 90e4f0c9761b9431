"""The order in which monitors are shown things, whatever is known first."""

from __future__ import annotations

import pytest

from respcache.server.services import monitor
from respcache.server.services.monitor import View


class Notes:
    """A `Watcher` that keeps what it is shown."""

    def __init__(self) -> None:
        self.seen = b""

    def show(self, lines: bytes) -> None:
        self.seen += lines

    def take(self) -> bytes:
        seen, self.seen = self.seen, b""
        return seen


@pytest.fixture
def view() -> View:
    return View()


@pytest.fixture
def notes(view: View) -> Notes:
    notes = Notes()
    view.watchers[notes] = None
    return notes


def test_lines_are_shown_at_once(view: View, notes: Notes) -> None:
    view.add(b"a")
    view.add(b"b")
    assert notes.seen == b"ab"
    assert view.held == 0


def test_what_comes_after_an_open_entry_waits(view: View, notes: Notes) -> None:
    script = view.open([b"script "])
    view.add(b"later ")
    assert notes.take() == b"script "
    script.add(b"call ")
    assert notes.take() == b"call "
    script.close(True)
    assert notes.take() == b"later "
    view.add(b"last")
    assert notes.take() == b"last"
    assert view.held == 0


def test_several_open_entries(view: View, notes: Notes) -> None:
    first, second = view.open([b"1 "]), view.open([b"2 "])
    second.add(b"2.1 ")
    second.close(True)
    assert notes.take() == b"1 "
    first.add(b"1.1 ")
    first.close(True)
    assert notes.take() == b"1.1 2 2.1 "
    assert view.held == 0


def test_a_transaction_that_runs(view: View, notes: Notes) -> None:
    entry = view.open([], [b"set ", b"eval1 ", None, b"eval2 ", None, b"get ", b"exec"], b"failed")
    view.add(b"later")
    assert notes.take() == b""
    entry.script_begins()
    assert notes.take() == b"set eval1 "
    entry.add(b"call1 ")
    entry.script_begins()
    entry.add(b"call2 ")
    assert notes.take() == b"call1 eval2 call2 "
    entry.close(True)
    assert notes.take() == b"get execlater"
    assert view.held == 0


def test_a_transaction_that_does_not_run(view: View, notes: Notes) -> None:
    entry = view.open([], [b"set ", b"eval ", None, b"exec"], b"failed ")
    view.add(b"later")
    entry.close(False)
    entry.close(True)
    assert notes.take() == b"failed later"
    assert view.held == 0


def test_what_waits_has_a_limit(view: View, notes: Notes, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(monitor, "_MOST_HELD", 100)
    script = view.open([b"script "])
    later = view.open([b"other script "])
    assert notes.take() == b"script "
    for _ in range(10):
        view.add(b"0123456789")
    assert notes.seen.startswith(b"other script ")
    assert view.held <= 100
    script.add(b"late")
    assert notes.seen.endswith(b"late")
    later.add(b"later")
    later.close(True)
    script.close(True)
    assert b"later" in notes.seen
    assert notes.seen.count(b"0123456789") == 10
    assert view.held == 0


def test_one_that_leaves_while_it_is_shown_something(view: View, notes: Notes) -> None:
    class Leaving:
        def show(self, lines: bytes) -> None:  # noqa: ARG002 - a Watcher has it
            del view.watchers[self]

    view.watchers = {Leaving(): None, **view.watchers}
    view.add(b"a")
    view.add(b"b")
    assert notes.seen == b"ab"
