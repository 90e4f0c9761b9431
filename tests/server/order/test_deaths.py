"""A shard dies while clients wait there, and what those do who go on."""

from __future__ import annotations

import pytest

from tests.support.house import house
from tests.support.resp import pack


@pytest.mark.trio
async def test_a_client_that_goes_on_ends_the_wait_of_another_one() -> None:
    async with house() as main:
        first, second, third = main.connect(), main.connect(), main.connect()
        kill = pack(("CLIENT", "KILL", "ID", second.client.id))
        first.send_raw(pack(("BLPOP", "k", 0)) + kill)
        await main.settle()
        for client in (second, third):
            client.send("BLPOP", "k", 0)
            await main.settle()
        main.shards[0].die()
        await main.settle()
        error, killed = first.replies()
        assert str(error).startswith("ERR the shard")
        assert killed == 1
        assert second.closed
        assert len(third.replies()) == 1
        assert not main.parts.waits.all()
        assert main.parts.waits.blocked == 0
