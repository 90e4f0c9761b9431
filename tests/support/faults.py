"""What the tests of faults have in common: see tests/server/commands/faults/conftest.py for the fixtures."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from tests.support.resp import Connection

Connect = Callable[..., Connection]
Block = Callable[..., Connection]
Arm = Callable[..., None]


def state(admin: Connection, name: str = "f0") -> dict[str, Any]:
    for flat in admin.call("RESPCACHE", "FAULT", "LIST"):
        fields = {key.decode(): value for key, value in zip(flat[::2], flat[1::2], strict=True)}
        if fields["name"] == name.encode():
            return fields
    raise AssertionError(f"no fault {name}")


def counts(admin: Connection, name: str = "f0") -> tuple[int, int]:
    fields = state(admin, name)
    return fields["matched"], fields["fired"]


def subscriber(connect: Connect, protocol: int, *channels: str) -> Connection:
    listening = connect(protocol)
    listening.send("SUBSCRIBE", *channels)
    for channel in channels:
        assert listening.read()[1] == channel.encode()
    return listening
