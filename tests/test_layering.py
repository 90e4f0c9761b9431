"""Imports point down, never in a circle, and only two packages import trio. `python -m tests.layering` lists them."""

from __future__ import annotations

import pytest

from tests.layering import KNOW_TRIO, MODULES, circles, imports_of, room_of, upward


@pytest.mark.parametrize("module", MODULES)
def test_every_module_has_a_floor(module: str) -> None:
    assert room_of(module) is not None
    if room_of(module).split(".")[0] not in KNOW_TRIO:
        assert not {name for name in imports_of(module) if name.split(".")[0] == "trio"}


def test_imports_point_down() -> None:
    assert upward() == []


def test_no_imports_go_in_a_circle() -> None:
    assert circles() == []
