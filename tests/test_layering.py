"""Imports point down: a module imports its own layer or a lower one, and only two packages know trio.

Imports for type checkers count like any other: a type is knowledge too.
"""

from __future__ import annotations

import ast
from pathlib import Path

import pytest

import respcache

ROOT = Path(respcache.__file__).parent
# The packages and modules of each layer, the lowest first (docs/concepts/architecture.md).
LAYERS = (
    ("__init__", "errors", "clock", "glob", "config", "logs", "quoting", "slots", "spin"),
    ("resp",),
    ("datatypes",),
    ("store",),
    ("commands",),
    ("shard", "persistence"),
    ("server",),
    ("testing", "cli", "health", "redis_cli", "__main__"),
)
LAYER = {name: layer for layer, names in enumerate(LAYERS) for name in names}
KNOW_TRIO = {"server", "testing"}

MODULES = sorted(ROOT.rglob("*.py"), key=str)
NAMES = [str(path.relative_to(ROOT)) for path in MODULES]


def imported(path: Path) -> set[str]:
    """Full names of everything that a module imports, inside functions too."""
    found: set[str] = set()
    for node in ast.walk(ast.parse(path.read_text("utf-8"))):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path}: relative import"
            found |= {f"{node.module}.{alias.name}" for alias in node.names}
    return found


def part_of(name: str) -> str:
    """Which part of the house ``respcache.part.module.thing`` belongs to; what is not a part is ``__init__``'s own."""
    part = name.split(".")[1] if "." in name else "__init__"
    return part if (ROOT / part).exists() or (ROOT / f"{part}.py").exists() else "__init__"


@pytest.mark.parametrize("path", MODULES, ids=NAMES)
def test_imports_point_down(path: Path) -> None:
    part = path.relative_to(ROOT).parts[0].removesuffix(".py")
    assert part in LAYER, f"{part} has no layer: give it one"
    names = imported(path)
    above = {name for name in names if name.split(".")[0] == "respcache" and LAYER[part_of(name)] > LAYER[part]}
    assert not above
    if part not in KNOW_TRIO:
        assert not {name for name in names if name.split(".")[0] == "trio"}
