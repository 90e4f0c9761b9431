"""Fixtures for the tests of faults. Other tests share the server, so it is put back after each one."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import pytest

from tests.support.faults import Connect
from tests.support.resp import Connection
from tests.support.transcript import Transcript


@pytest.fixture(autouse=True)
def _as_before(do: Transcript, connect: Connect) -> Iterator[None]:
    """Other tests share the server."""
    yield
    connect().call("RESPCACHE", "RESET")


@pytest.fixture
def fault(connect: Connect) -> Callable[..., None]:
    """Arm one: `fault("COMMAND", "GET", "ERROR", "ERR x")`."""
    control = connect()
    numbers = iter(range(1000))

    def arm(*words: object) -> None:
        assert control.call("RESPCACHE", "FAULT", "ADD", f"f{next(numbers)}", *words) == "OK"

    return arm


@pytest.fixture
def admin(connect: Connect) -> Connection:
    """A client that no fault bothers."""
    return connect()
