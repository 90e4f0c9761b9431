"""Helpers for tests of sets."""

from __future__ import annotations

from typing import Any

from tests.support.resp import SetItems
from tests.support.transcript import Transcript


def found(do: Transcript, *words: Any) -> list[bytes]:
    """The members in a reply that is a set in RESP3, sorted by their bytes."""
    reply = do(*words)
    assert type(reply) is (SetItems if do.protocol == 3 else list)
    return sorted(reply)


def encoding(do: Transcript, key: str) -> str:
    return do("OBJECT", "ENCODING", key).decode()  # type: ignore[no-any-return]  # it is a bulk string
