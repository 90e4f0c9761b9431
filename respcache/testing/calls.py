"""What clients have sent to a server, and assertions about it: what `Server.journal` gives."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Protocol, overload

from respcache.glob import compile_glob
from respcache.testing.call import Call
from respcache.testing.session import count_of, session

# A word of a pattern: text is a glob as in KEYS, bytes and numbers stand for themselves.
Pattern = str | bytes | int | float

# Keys that a message names, and calls that it shows.
_NAMED, _SHOWN = 5, 30


class Source(Protocol):
    """Where calls come from."""

    address: str  # of the server, as redis-cli's prompt shows it

    def read(self) -> list[Call]:
        """All calls there are now, handshakes included."""

    @property
    def missing(self) -> int:
        """How many the journal had lost before they were read."""


class _Some:
    """Calls that were selected from others."""

    def __init__(self, calls: list[Call], of: Source) -> None:
        self._calls = calls
        self.address = of.address
        self.missing = of.missing

    def read(self) -> list[Call]:
        return self._calls


class Calls(Sequence[Call]):
    """Commands in the order in which the server has begun them.

    Those that client libraries send to set connections up are left out, because it is their business when they connect:
    `handshakes` has them.

    Assertions take a command (``"GET"``, ``"CONFIG SET"``; in any case) and the words that must follow it. Text is a
    glob as in KEYS (``"user:*"``), bytes and numbers stand for themselves. More words may follow:
    ``assert_called("DEL", "a")`` is true of ``DEL a b``.
    """

    def __init__(self, source: Source) -> None:
        self._source = source

    # -- a sequence

    def _calls(self) -> list[Call]:
        return [call for call in self._source.read() if not call.is_handshake]

    def __len__(self) -> int:
        return len(self._calls())

    def __iter__(self) -> Iterator[Call]:
        return iter(self._calls())

    @overload
    def __getitem__(self, index: int) -> Call: ...

    @overload
    def __getitem__(self, index: slice) -> Calls: ...

    def __getitem__(self, index: int | slice) -> Call | Calls:
        if isinstance(index, slice):
            return self._some(self._calls()[index])
        return self._calls()[index]

    def __str__(self) -> str:
        """All calls as a session of redis-cli."""
        return session(self._calls(), self._source.address)

    def __repr__(self) -> str:
        return f"<{count_of(len(self), 'call')}>"

    # -- some of them

    def of(self, *commands: str) -> Calls:
        """The calls of these commands: ``calls.of("GET", "MGET")``."""
        tests = [_matcher(command, ()) for command in commands]
        return self._some([call for call in self._calls() if any(test(call) for test in tests)])

    def matching(self, command: str, *words: Pattern) -> Calls:
        """The calls that begin with these words: ``calls.matching("SET", "user:*")``."""
        return self._some(list(filter(_matcher(command, words), self._calls())))

    def by(self, client: int | str) -> Calls:
        """The calls of one client, known by its id or by its name (CLIENT SETNAME)."""
        return self._some([call for call in self._calls() if client in (call.client, call.client_name)])

    @property
    def handshakes(self) -> list[Call]:
        """What clients have sent to set connections up: HELLO, AUTH, SELECT, CLIENT SETINFO and SETNAME, and QUIT."""
        return [call for call in self._source.read() if call.is_handshake]

    @property
    def round_trips(self) -> int:
        """How many times clients have sent something and waited for the reply. A pipeline counts once."""
        return len({(call.client, call.round_trip) for call in self._calls()})

    @property
    def missing(self) -> int:
        """How many calls the journal had no room for. Assertions that depend on them fail."""
        self._source.read()
        return self._source.missing

    # -- assertions

    def assert_called(self, command: str, *words: Pattern, times: int | None = None) -> Calls:
        """Fail unless there was such a call, or so many of them. Returns these calls."""
        __tracebackhide__ = True
        found = self.matching(command, *words)
        count = len(found)
        if count and times is None:
            return found
        self._assert_complete()
        if count != times:
            what = _shown(command, words)
            if not count:
                self._fail(f"{what} was not called.", found)
            self._fail(f"{what} was called {_times(count)}, not {_times(times or 0)}.", found)
        return found

    def assert_no(self, command: str, *words: Pattern) -> None:
        """Fail if there was such a call: ``calls.assert_no("KEYS")``."""
        __tracebackhide__ = True
        self._assert_complete()
        found = self.matching(command, *words)
        if len(found):
            self._fail(f"{_shown(command, words)} was called {_times(len(found))}.", found)

    def assert_ttl_on(self, command: str, pattern: Pattern = "*") -> None:
        """Fail unless each call of a command has left its keys that match the pattern with a TTL.

        The call may do so itself (SET ... EX), or an EXPIRE or its like that comes later. Commands that keep the TTL of
        their key (INCR, HSET ...) may also find one there that an earlier call gave. Calls that failed do not count; if
        there is none at all, that is a failure too.
        """
        from respcache.testing.ttls import keys_without_ttl

        __tracebackhide__ = True
        self._assert_complete()
        of_command, of_key = _matcher(command, ()), _word_matcher(pattern)
        for call in self._calls():
            if of_command(call) and len(call.words) < call.word_count:
                raise AssertionError(
                    f"{call.name} had {call.word_count} words, of which the journal has {len(call.words)}, "
                    "so nobody can tell"
                )
        found = keys_without_ttl(self._calls(), of_command, lambda key: of_key(key, None))
        if not found.looked_at:
            self._fail(f"{command.upper()} was not called on {_word(pattern)}.", ())
        if found.calls:
            keys = list(dict.fromkeys(found.keys))
            more = f" and {len(keys) - _NAMED} more" if len(keys) > _NAMED else ""
            self._fail(f"{command.upper()} left keys without a TTL: {', '.join(keys[:_NAMED])}{more}.", found.calls)

    def assert_round_trips(self, *, at_most: int) -> None:
        """Fail if clients have waited for the server more often than that. A pipeline counts once."""
        __tracebackhide__ = True
        self._assert_complete()
        count = self.round_trips
        if count > at_most:
            text = f"There were {count_of(count, 'round trip')}, not at most {at_most}."
            self._fail(text, (), by_round_trip=True)

    def timeline(self, path: str | os.PathLike[str]) -> None:
        """Draw the calls into an SVG file: time from left to right, a lane per client, pipelines framed.

        A pointer over a call shows its words, its reply and its time.
        """
        from respcache.testing.timeline import draw

        with open(path, "w", encoding="utf-8") as file:
            file.write(draw(self._calls(), self._source.address))

    def _some(self, calls: list[Call]) -> Calls:
        return Calls(_Some(calls, self._source))

    def _assert_complete(self) -> None:
        __tracebackhide__ = True
        if missing := self.missing:
            raise AssertionError(
                f"{count_of(missing, 'call')} had to make room in the journal, so nobody can tell: "
                "give it more, as in server.journal(max=100_000)"
            )

    def _fail(self, text: str, marked: Iterable[Call], *, by_round_trip: bool = False) -> None:
        __tracebackhide__ = True
        calls = self._calls()
        if not calls:
            raise AssertionError(f"{text} Nothing was called.")
        intro = "The calls were, with an empty line between round trips:" if by_round_trip else "The calls were:"
        ids = {call.id for call in marked}
        shown = session(calls, self._source.address, marked=ids, by_round_trip=by_round_trip, most=_SHOWN)
        raise AssertionError(f"{text} {intro}\n{shown}")


def _matcher(command: str, words: Sequence[Pattern]) -> Callable[[Call], bool]:
    """A function that tells if a call begins with these words."""
    names = command.upper().split()
    tests = [_word_matcher(word) for word in words]

    def matches(call: Call) -> bool:
        if len(call.words) < len(names) + len(tests) or [word.upper() for word in call.words[: len(names)]] != names:
            return False
        rest = enumerate(call.words[len(names) :], len(names))
        return all(test(word, call.sizes.get(at)) for test, (at, word) in zip(tests, rest, strict=False))

    return matches


def _word_matcher(pattern: Pattern) -> Callable[[str, int | None], bool]:
    """A function that tells if a word is meant. It gets the true size of one that was shortened, else None."""
    if isinstance(pattern, str):
        glob = compile_glob(pattern.encode("utf-8", "surrogateescape"))
        if not set("*?[\\") & set(pattern):
            pattern = pattern.encode("utf-8", "surrogateescape")
        else:
            return lambda word, _: glob(word.encode("utf-8", "surrogateescape"))
    wanted = pattern if isinstance(pattern, bytes) else str(pattern).encode()

    def is_it(word: str, size: int | None) -> bool:
        data = word.encode("utf-8", "surrogateescape")
        return data == wanted if size is None else len(wanted) == size and wanted.startswith(data)

    return is_it


def _shown(command: str, words: Sequence[Pattern]) -> str:
    return " ".join([command.upper(), *map(_word, words)])


def _word(word: Pattern) -> str:
    return word.decode("utf-8", "backslashreplace") if isinstance(word, bytes) else str(word)


def _times(count: int) -> str:
    return {0: "never", 1: "once", 2: "twice"}.get(count, f"{count} times")
