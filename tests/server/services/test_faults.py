"""What faults keep, step by step: without sockets, processes or real time."""

from __future__ import annotations

from typing import Any

import pytest

from tests.support.house import House, house

pytestmark = pytest.mark.trio


async def arm(main: House, *words: object) -> None:
    admin = main.connect()
    admin.send("RESPCACHE", "FAULT", "ADD", "f", *words)
    await main.settle()
    assert admin.replies() == ["OK"]


async def test_a_client_that_leaves_during_a_delay_is_forgotten() -> None:
    async with house(1, enable_test_commands="yes") as main:
        await arm(main, "COMMAND", "GET", "DELAY", 1000)
        injector: Any = main.parts.interception._all[0]
        client = main.connect()
        client.send("GET", "k")
        await main.settle()
        assert len(injector._passed) == 1
        client.break_()
        await main.settle()
        assert client.closed
        assert injector._passed == {}
        assert main.parts.faults._held == {}


async def test_who_was_let_in_is_forgotten_with_the_last_fault_that_refuses() -> None:
    async with house(1, enable_test_commands="yes") as main:
        await arm(main, "REFUSE")
        main.parts.faults.let_in(4711)
        assert main.parts.faults.delete(b"f")
        await arm(main, "REFUSE")
        assert main.parts.faults.refuses("127.0.0.1:4711")
