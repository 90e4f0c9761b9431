"""What the settings of pytest say about the server and its clients."""

from __future__ import annotations

from typing import Any, NamedTuple

import pytest

from respcache.testing.plugin import lint


def pytest_addoption(parser: pytest.Parser) -> None:
    number: Any = "int" if pytest.version_tuple >= (8, 4) else "string"  # the types of older versions lack "int"
    parser.addini("respcache_shards", "number of shard processes of the server (default: 1)", type=number, default=1)
    parser.addini("respcache_args", "more directives for the server, as on its command line", type="args")
    parser.addini("respcache_decode_responses", "clients return text, not bytes (default: false)", type="bool")
    parser.addini(
        "respcache_shared",
        "workers of pytest-xdist share one server, each in a namespace of its own (default: false)",
        type="bool",
    )
    parser.addini("respcache_journal", "tests that fail show what clients have sent (default: false)", type="bool")
    lint.add_options(parser)


class Settings(NamedTuple):
    """How a server is started. Servers with the same settings are the same server."""

    shards: int
    args: tuple[str, ...]


def settings(config: pytest.Config) -> Settings:
    """Those of the server of the run. Raises UsageError for options that cannot be understood."""
    try:
        shards = int(config.getini("respcache_shards"))
    except (TypeError, ValueError, pytest.UsageError) as error:  # which one depends on the version of pytest
        raise pytest.UsageError(f"respcache_shards is not a number: {error}") from None
    return Settings(shards, tuple(config.getini("respcache_args")))


def client_options(config: pytest.Config) -> dict[str, Any]:
    """For the clients that fixtures make."""
    return {"decode_responses": True} if config.getini("respcache_decode_responses") else {}
