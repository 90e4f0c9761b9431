"""How near COMMAND DOCS is to a genuine server's: `python -m compat.command_docs 127.0.0.1:6379`.

Compared are, for every command both have, `since`, `group` and the tree of arguments: types, tokens, flags, key
specifications, and in a second step names. Prose (summaries, complexity, history) differs on purpose.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator
from typing import Any

import redis

import respcache.commands.all
import respcache.server.commands  # noqa: F401 - fills the table with main's own commands
from respcache.commands._spec import TABLE
from respcache.resp.types import Status
from respcache.server.commands.introspection import document

# An argument as far as it is compared: type, token, flags, key specification, name, parts.
Shape = tuple[Any, ...]


def main(arguments: list[str]) -> int:
    host, _, port = (arguments or ["127.0.0.1:6379"])[0].rpartition(":")
    with redis.Redis(host=host, port=int(port), protocol=3) as client:
        theirs = dict(flat(text(client.execute_command("COMMAND DOCS"))))
    ours = dict(flat({row.wire_name: text(document(row)) for row in TABLE.values()}))
    shared = [name for name in ours if name in theirs]
    found = [(name, lines) for name in shared if (lines := difference(ours[name], theirs[name]))]
    for name, lines in found:
        print(f"{name}\n{lines}")
    print(f"{len(shared)} commands in both, {len(shared) - len(found)} documented alike")
    return 0


def text(reply: Any) -> Any:
    """A reply with all its byte strings as text; sets become lists, in order."""
    match reply:
        case dict():
            return {text(key): text(value) for key, value in reply.items()}
        case set():
            return sorted(map(text, reply))
        case list():
            return [text(item) for item in reply]
        case Status():
            return reply.text.decode()
        case bytes():
            return reply.decode()
        case _:
            return reply


def flat(documents: dict[str, Any]) -> Iterator[tuple[str, Any]]:
    """Containers and their subcommands side by side."""
    for name, entry in documents.items():
        yield name, entry
        yield from flat(entry.get("subcommands", {}))


def difference(ours: dict[str, Any], theirs: dict[str, Any]) -> str:
    """What differs, for people; empty if nothing does."""
    lines = [
        f"    {name}: {ours.get(name)} instead of {theirs.get(name)}"
        for name in ("since", "group")
        if ours.get(name) != theirs.get(name)
    ]
    mine, genuine = (_shapes(entry.get("arguments", [])) for entry in (ours, theirs))
    if mine != genuine:
        what = "names" if _nameless(mine) == _nameless(genuine) else "structure"
        lines += [f"    {what}:", *_lines(mine, "      here    "), *_lines(genuine, "      genuine ")]
    return "\n".join(lines)


def _shapes(arguments: list[dict[str, Any]]) -> list[Shape]:
    return [
        (
            entry["type"],
            entry.get("token", "").upper(),
            " ".join(sorted(entry.get("flags", ()))),
            entry.get("key_spec_index", -1),
            entry["name"].replace("_", "-"),  # Redis 7.0 has both
            _shapes(entry.get("arguments", [])),
        )
        for entry in arguments
    ]


def _nameless(shapes: list[Shape]) -> list[Shape]:
    return [(*shape[:4], _nameless(shape[5])) for shape in shapes]


def _lines(shapes: list[Shape], indent: str) -> Iterator[str]:
    for type_, token, flags, key_spec, name, parts in shapes:
        words = [name, type_, token, flags, f"key {key_spec}" if key_spec >= 0 else ""]
        yield indent + " ".join(filter(None, words))
        yield from _lines(parts, indent + "    ")


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
