"""Figures for Prometheus, and whether all is well."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from respcache.server.parts import Parts


async def metrics(parts: Parts) -> bytes:
    return b""


def health(parts: Parts) -> tuple[bool, bytes]:
    return True, b"{}"
