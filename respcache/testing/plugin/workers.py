"""With pytest-xdist and `respcache_shared`: one server, which the controller starts; each worker has a namespace."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from respcache.testing.server import Server

# What the controller tells its workers.
_INPUT = "respcache_shared"
SHARED = pytest.StashKey[Any]()  # of the controller: the server that its workers share


def tell(node: Any, server: Server) -> None:
    """In the controller: tell a worker that is about to start where the server is."""
    node.config.stash[SHARED] = server
    node.workerinput[_INPUT] = {
        "host": server.host,
        "port": server.port,
        "password": server.password,
        "name": node.gateway.id,
    }


def address_of_shared(config: pytest.Config) -> dict[str, Any] | None:
    """In a worker: the arguments of its `SharedServer`; None where workers do not share one."""
    found: dict[str, Any] | None = getattr(config, "workerinput", {}).get(_INPUT)
    return found


def is_controller(config: pytest.Config) -> bool:
    """True in the process that has the server which workers share."""
    return SHARED in config.stash
