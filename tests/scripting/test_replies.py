"""Scripts whose replies were recorded from genuine servers: the same comes back, byte by byte, errors included."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.conftest import REFERENCE
from tests.scripting.replies import HERE, read, without_addresses
from tests.scripting.world import Engine, GenuineWorld
from tests.support.processes import ReferenceServer, StartedServer

FILES = sorted(HERE.glob("*.txt"))


@pytest.fixture(scope="module")
def genuine(started: dict[str, StartedServer]) -> StartedServer:
    if REFERENCE is None:
        pytest.skip(reason="no genuine redis-server found ($RESPCACHE_REFERENCE, or on the PATH)")
    if "genuine" not in started or not started["genuine"].alive():
        started["genuine"] = ReferenceServer(REFERENCE)
    return started["genuine"]


@pytest.fixture(scope="module")
def engine() -> Engine:
    """One interpreter for all: what one script does must not show in the next."""
    return Engine()


@pytest.mark.parametrize("file", FILES, ids=lambda file: file.stem)
@pytest.mark.parametrize("protocol", [2, 3], ids=["RESP2", "RESP3"])
def test_replies(engine: Engine, file: Path, protocol: int) -> None:
    for case in read(file):
        reply = without_addresses(engine.wire(case.script, protocol=protocol))
        assert (case.script, reply) == (case.script, case.replies[protocol])


@pytest.mark.parametrize("file", FILES, ids=lambda file: file.stem)
@pytest.mark.parametrize("protocol", [2, 3], ids=["RESP2", "RESP3"])
def test_replies_of_a_genuine_server(genuine: StartedServer, file: Path, protocol: int) -> None:
    if "since-7.2" in file.stem and genuine.version < (7, 2):
        pytest.skip(reason="the genuine server is older than 7.2")
    world = GenuineWorld(genuine.port, protocol)
    try:
        for case in read(file):
            assert (case.script, world.run(case.script)) == (case.script, case.replies[protocol])
    finally:
        world.close()
