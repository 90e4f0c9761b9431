"""Payloads to begin with: of each genuine server at hand, our own, and those of versions that are not at hand."""

from __future__ import annotations

from contextlib import closing
from dataclasses import dataclass

from compat import targets
from compat.fuzz_rdb.segments import Segment, taken_apart
from compat.values import COMMANDS, NEWER, OLDER, WITH_DEADLINES, Command
from respcache.rdb.payload import FOOTER
from tests.support.resp import Connection

_KEY = "K"


@dataclass(frozen=True)
class Seed:
    """A payload, as its type, its version, and the segments of its value."""

    name: str
    kind: int
    version: int
    segments: tuple[Segment, ...]


def seed(name: str, body: bytes, version: int) -> Seed:
    """`body` is the payload without version and checksum."""
    return Seed(name, body[0], version, tuple(taken_apart(body[0], body[1:], version)))


def collected(shards: int = 1) -> list[Seed]:
    """All seeds. Starts and stops each server at hand, and one of ours."""
    found = [seed(f"older, {name}", body, version) for name, (version, body) in OLDER.items()]
    found += [seed(f"newer, {name}", body, version) for name, (version, body, _) in NEWER.items()]
    for target in (*targets.respcache((shards,)), *targets.genuine()):
        with target.running("--rdbcompression", "no") as server, closing(Connection(server.port)) as connection:
            sets = [COMMANDS]
            if not target.ours and b"hpexpireat" in connection.call("COMMAND", "LIST"):
                sets.append(WITH_DEADLINES)
            for values in sets:
                for name, commands in values.items():
                    payload = _dumped(connection, commands)
                    version = int.from_bytes(payload[-FOOTER : 2 - FOOTER], "little")
                    found.append(seed(f"{target.label}, {name}", payload[:-FOOTER], version))
    return found


def _dumped(connection: Connection, commands: tuple[Command, ...]) -> bytes:
    connection.call("DEL", _KEY)
    connection.pipeline(*commands)
    payload = connection.call("DUMP", _KEY)
    assert isinstance(payload, bytes), (commands[0][:2], payload)
    return payload
