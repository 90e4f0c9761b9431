"""Those who look at commands on their way in, and at replies and messages on their way out: faults, journal, lint.

While nobody looks, `active` is False, and that is all that commands notice of it. While somebody does, no command takes
the fast path, so that each is looked at by itself.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Protocol

from respcache.errors import CommandError

if TYPE_CHECKING:
    from collections.abc import Callable

    from respcache.commands.table import Command
    from respcache.resp.types import Argv


class Held(Exception):
    """The command is not to run yet: whoever raises this has suspended the client, and resumes it. It is looked at
    again then.
    """


class Tap(Protocol):
    """Looks at the reply to one command."""

    def output(self, data: bytes, complete: bool) -> bytes:
        """A part of the reply is about to be sent, the last one if `complete`: what is sent instead."""


class Interceptor(Protocol):
    """Looks at commands and messages while it is `active`. A client is a `respcache.server.clients.client.Client`."""

    @property
    def active(self) -> bool:
        """`Interception.changed` is to be called when this changes."""

    def command(self, client: Any, row: Command | None, argv: Argv, refusal: CommandError | None) -> Tap | None:
        """A command is about to run, to be queued by MULTI, or to be refused; `row` is None if there is no such one.

        Returns who looks at its reply. Raises CommandError to refuse it, and Held.
        """

    def message(self, client: Any, data: bytes) -> Tap | None:
        """Out-of-band data, encoded, takes its place among the replies to a client. Returns who looks at it when it
        is sent.
        """


class Interception:
    """All interceptors, in the order in which they see a command and its reply."""

    def __init__(self) -> None:
        self.active = False
        self.on_change: list[Callable[[], object]] = []
        self.on_served: list[Callable[[Any, Command, Argv, int], Tap | None]] = []
        self._all: list[Interceptor] = []

    def add(self, interceptor: Interceptor) -> None:
        """It sees what those before it have made of replies."""
        self._all.append(interceptor)

    def changed(self) -> None:
        """One of them has become active, or is not any more."""
        active = any(interceptor.active for interceptor in self._all)
        if active is not self.active:
            self.active = active
            for listener in self.on_change:
                listener()

    def command(
        self, client: Any, row: Command | None, argv: Argv, refusal: CommandError | None
    ) -> tuple[tuple[Tap, ...], CommandError | None]:
        """Who looks at the reply to a command, and the error with which it is refused, if it is. Raises Held.

        By commands of RESPCACHE tests steer those who look, so nobody looks at them.
        """
        if argv[0].upper() == b"RESPCACHE":
            return (), refusal
        taps = []
        for interceptor in self._all:
            if interceptor.active:
                try:
                    tap = interceptor.command(client, row, argv, refusal)
                except CommandError as error:
                    refusal = error
                else:
                    if tap is not None:
                        taps.append(tap)
        return tuple(taps), refusal

    def message(self, client: Any, data: bytes) -> tuple[Tap, ...]:
        """Who looks at out-of-band data when it is sent to a client."""
        taps = [interceptor.message(client, data) for interceptor in self._all if interceptor.active]
        return tuple([tap for tap in taps if tap is not None])

    def served(self, client: Any, row: Command, argv: Argv, number: int) -> tuple[Tap, ...]:
        """Who looks at the reply to a blocking command that has waited, besides those who did when it was sent.

        `number` is that of the wait: later ones have greater numbers.
        """
        taps = [look(client, row, argv, number) for look in self.on_served]
        return tuple([tap for tap in taps if tap is not None])
