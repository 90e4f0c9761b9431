"""The layers of the code, checked by its imports: which room is on which floor, and whether imports form a circle.

    python -m tests.layering           # all imports between rooms, and those that are wrong
    python -m tests.layering --dot     # the same as a graph, for graphviz: python -m tests.layering --dot | dot -Tsvg

Imports for type checkers count like any other: to know a type is a dependency too.
"""

from __future__ import annotations

import ast
import sys
from collections import Counter
from collections.abc import Iterable
from pathlib import Path

import respcache

ROOT = Path(respcache.__file__).parent

# The rooms, floor by floor, the lowest first (docs/concepts/architecture.md). A room is a package or a module below
# `respcache`; the main process (`server`) has rooms of its own.
FLOORS = (
    (
        "",
        "errors",
        "clock",
        "alarms",
        "glob",
        "logs",
        "quoting",
        "redis_commands",
        "slots",
        "spin",
        "system",
        "system_log",
    ),
    ("config",),
    ("resp",),
    ("datatypes", "scripting"),
    ("rdb",),
    ("store",),
    ("commands",),
    ("shard",),
    ("server.services", "server.io", "server.host"),
    ("server.shards",),
    ("server.order",),
    ("server.parts",),
    ("server.clients",),
    ("server.doors", "server.commands"),
    ("server.server",),
    ("server.listening",),
    ("server", "server.app"),
    ("testing", "cli", "health", "redis_cli", "__main__"),
)
FLOOR = {room: floor for floor, rooms in enumerate(FLOORS) for room in rooms}
# Only these import trio.
KNOW_TRIO = ("server", "testing")

MODULES = {
    ".".join(path.relative_to(ROOT.parent).with_suffix("").parts).removesuffix(".__init__"): path
    for path in sorted(ROOT.rglob("*.py"))
}


def imports_of(module: str) -> set[str]:
    """Full names of everything that a module imports, also inside functions; `from a import b` gives a and a.b."""
    found: set[str] = set()
    for node in ast.walk(ast.parse(MODULES[module].read_text("utf-8"))):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{module}: relative import"
            found.add(str(node.module))
            found |= {f"{node.module}.{alias.name}" for alias in node.names}
    return found


def arrows() -> dict[str, set[str]]:
    """Module -> the modules of respcache that it imports. A package may import its own modules."""
    found = {}
    for module, path in MODULES.items():
        others = {name for name in imports_of(module) if name in MODULES and name != module}
        if path.name == "__init__.py":
            others = {name for name in others if not name.startswith(f"{module}.")}
        else:  # `from package import module` counts as an import of the module, not of the package
            others = {name for name in others if not any(other.startswith(f"{name}.") for other in others)}
        found[module] = others
    return found


def room_of(module: str) -> str:
    """The room that a module is in. Raises KeyError for a module without one: add it to FLOORS."""
    parts = module.split(".")[1:]
    for length in (2, 1):
        room = ".".join(parts[:length])
        if room in FLOOR and len(parts) >= length:
            return room
    if not parts:
        return ""
    raise KeyError(module)


def upward() -> list[tuple[str, str]]:
    """Imports from a room on a higher floor."""
    return [
        (module, other)
        for module, others in arrows().items()
        for other in sorted(others)
        if FLOOR[room_of(other)] > FLOOR[room_of(module)]
    ]


def circles() -> list[list[str]]:
    """Groups of modules in which each imports all others, directly or indirectly (Tarjan's components)."""
    graph = arrows()
    index: dict[str, int] = {}
    low: dict[str, int] = {}
    stack: list[str] = []
    found: list[list[str]] = []

    def visit(module: str) -> None:
        index[module] = low[module] = len(index)
        stack.append(module)
        for other in graph[module]:
            if other not in index:
                visit(other)
                low[module] = min(low[module], low[other])
            elif other in stack:
                low[module] = min(low[module], index[other])
        if low[module] == index[module]:
            at = stack.index(module)
            component = stack[at:]
            del stack[at:]
            if len(component) > 1:
                found.append(sorted(component))

    for module in graph:
        if module not in index:
            visit(module)
    return found


def between_rooms() -> Counter[tuple[str, str]]:
    """The number of imports from one room to another."""
    return Counter(
        (room_of(module), room_of(other))
        for module, others in arrows().items()
        for other in others
        if room_of(module) != room_of(other)
    )


def _dot() -> Iterable[str]:
    yield "digraph respcache {"
    yield '  rankdir=TB; node [shape=box, fontname="sans-serif"];'
    for rooms in reversed(FLOORS):
        yield "  { rank=same; " + "; ".join(f'"{room or "respcache"}"' for room in rooms) + " }"
    for (room, other), count in sorted(between_rooms().items()):
        color = "red" if FLOOR[other] > FLOOR[room] else "gray40"
        yield f'  "{room}" -> "{other or "respcache"}" [label={count}, color={color}];'
    yield "}"


def main(words: list[str]) -> int:
    if words == ["--dot"]:
        print("\n".join(_dot()))
        return 0
    for (room, other), count in sorted(between_rooms().items(), key=lambda arrow: -FLOOR[arrow[0][0]]):
        print(f"{room} -> {other or 'respcache'}: {count}")
    up, round_ = upward(), circles()
    print(f"{len(MODULES)} modules, {len(up)} imports upward, {len(round_)} circles")
    for module, other in up:
        print(f"upward: {module} -> {other}")
    for circle in round_:
        print(f"circle: {', '.join(circle)}")
    return 1 if up or round_ else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
