"""The command table: what `@command` writes, and everything else reads."""

from __future__ import annotations

from respcache.commands.table.spec import *  # noqa: F403
