"""The server as a whole: its alarms, and when it is busy."""

from __future__ import annotations

import pytest
import trio
from trio.testing import MockClock, wait_all_tasks_blocked

from tests.support.house import House, house
from tests.support.resp import pack

pytestmark = pytest.mark.trio


async def pass_time(main: House, clock: MockClock, seconds: float) -> None:
    """For everybody: trio and the server."""
    await wait_all_tasks_blocked()
    main.time.pass_(seconds)
    clock.jump(seconds)
    await wait_all_tasks_blocked()


class TestAlarms:
    """The task that fires them sleeps until the next one, by trio's clock."""

    async def test_they_fire_by_time(self, mock_clock: MockClock, nursery: trio.Nursery) -> None:
        async with house() as main:
            nursery.start_soon(main.server.run_alarms)
            rung: list[str] = []
            for seconds, name in [(20, "late"), (10, "early")]:
                main.parts.alarms.after(seconds * 1000, lambda name=name: rung.append(name))
            await pass_time(main, mock_clock, 9.9)
            assert rung == []
            await pass_time(main, mock_clock, 0.2)
            assert rung == ["early"]
            main.parts.alarms.after(1000, lambda: rung.append("between"))
            await pass_time(main, mock_clock, 2)
            assert rung == ["early", "between"]
            await pass_time(main, mock_clock, 10)
            assert rung == ["early", "between", "late"]
            nursery.cancel_scope.cancel()

    async def test_they_fire_in_a_round(self, nursery: trio.Nursery) -> None:
        async with house() as main:
            nursery.start_soon(main.server.run_alarms)
            await wait_all_tasks_blocked()
            seen: list[bool] = []
            main.parts.alarms.after(0, lambda: seen.append(main.poller.in_round))
            await wait_all_tasks_blocked()
            assert seen == [True]
            nursery.cancel_scope.cancel()


class TestBusy:
    """Before it ends the server answers what it was asked."""

    async def test_while_a_command_is_under_way_or_waits(self) -> None:
        async with house(2) as main:
            client = main.connect()
            assert not main.server.busy
            client.send_raw(pack(("RENAME", "a", "b")) + pack(("PING",)))
            main.turn()
            assert main.server.busy
            await main.settle()
            assert not main.server.busy

    async def test_while_replies_are_not_taken(self) -> None:
        async with house() as main:
            client = main.connect()
            client.stop_reading()
            client.send("PING")
            await main.settle()
            assert main.server.busy
            client.read()
            await main.settle()
            assert not main.server.busy

    async def test_not_because_of_half_a_command(self) -> None:
        """Whoever has sent it may never send the rest; the end of the server must not wait for that."""
        async with house() as main:
            client = main.connect()
            client.send_raw(b"*2\r\n$4\r\nECHO\r\n$5\r\nhel")
            await main.settle()
            assert not main.server.busy
