"""The log of a shard, which goes to the same place as main's."""

from __future__ import annotations

from pathlib import Path

import pytest

from respcache.errors import ErrorCounts
from respcache.logs import Log
from respcache.shard.control import Control
from respcache.shard.timing import Timing
from respcache.store.shard import Shard


def test_a_shard_gets_level_and_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    log = Log()
    monkeypatch.setattr("respcache.shard.control.log", log)
    shard = Shard(16)
    control = Control(shard, ErrorCounts(), Timing(shard))
    control.configure({"loglevel": "warning", "logfile": str(tmp_path / "log")})
    log.notice("a")
    log.warning("b")
    control.configure({"loglevel": "notice"})
    log.notice("c")
    assert [line[-3:] for line in (tmp_path / "log").read_text().splitlines()] == ["# b", "* c"]
