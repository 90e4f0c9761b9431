"""Who is let in."""

from __future__ import annotations

import pytest

from respcache.server.io.poller import Callback
from tests.support.house import FakeDescriptors, house

pytestmark = pytest.mark.trio


async def test_one_client_too_many_is_turned_away_and_not_remembered() -> None:
    async with house(1, maxclients="2") as main:
        first = main.connect()
        main.connect()
        sock = main.socket()
        main.server.accept(sock, "127.0.0.1:1", "127.0.0.1:2")  # type: ignore[arg-type]  # a fake
        assert bytes(sock.sent) == b"-ERR max number of clients reached\r\n"
        assert sock.closed
        assert main.parts.stats.rejected == 1
        first.break_()
        await main.settle()
        late = main.connect()
        late.send("PING")
        await main.settle()
        assert late.replies() == ["PONG"]


@pytest.mark.parametrize(
    ("peer", "let_in"),
    [
        ("127.0.0.1:1", True),
        ("[::1]:1", True),
        ("[::ffff:127.0.0.1]:1", True),
        ("/path:0", True),
        ("10.0.0.1:1", False),
    ],
)
async def test_protected_mode_lets_in_this_machine_only(peer: str, let_in: bool) -> None:
    async with house() as main:
        sock = main.socket()
        main.server.accept(sock, peer, "127.0.0.1:6379")  # type: ignore[arg-type]  # a fake
        assert sock.closed is not let_in
        assert sock.sent.startswith(b"" if let_in else b"-DENIED")
        assert len(main.parts.registry) == let_in


async def test_one_that_cannot_be_watched_is_no_client(monkeypatch: pytest.MonkeyPatch) -> None:
    """The system has a limit for that, too: what the listener hangs up on must not be counted for ever."""

    def refuse(_self: FakeDescriptors, _fd: int, _events: int, _callback: Callback) -> None:
        raise OSError(28, "No space left on device")

    async with house() as main:
        monkeypatch.setattr(FakeDescriptors, "set", refuse)
        with pytest.raises(OSError, match="No space"):
            main.connect()
        assert len(main.parts.registry) == 0
