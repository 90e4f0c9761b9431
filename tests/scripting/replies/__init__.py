"""Scripts and the replies of genuine servers to them, byte by byte: files, their reader, and what records them.

    python -m tests.scripting.replies redis-server      # ask this server again, and write its replies into the files

In a file, `> ` begins a script and `>> ` one that is a Python literal. The next line is the reply in RESP2; if there is
another, that is the one in RESP3 where it differs. Addresses are left out.
"""

from __future__ import annotations

import ast
import re
from dataclasses import dataclass
from pathlib import Path

HERE = Path(__file__).parent


@dataclass(frozen=True)
class Case:
    script: bytes
    replies: dict[int, bytes]


def read(file: Path) -> list[Case]:
    """The cases of a file. One without replies has none: it is to be recorded."""
    cases = []
    for block in re.findall(r"^>>? .*(?:\n(?!>).*)*", file.read_text("latin-1"), flags=re.MULTILINE):
        first, *replies = block.rstrip("\n").split("\n")
        mark, _, text = first.partition(" ")
        script = text.encode("latin-1") if mark == ">" else ast.literal_eval(text)
        wire = [ast.literal_eval(f"b'{line}'") for line in replies]
        cases.append(Case(script, {2: wire[0], 3: wire[-1]} if wire else {}))
    return cases


def write(file: Path, cases: list[Case]) -> None:
    lines = []
    for case in cases:
        plain = b"\n" not in case.script and b"\r" not in case.script
        lines.append(f"> {case.script.decode('latin-1')}" if plain else f">> {case.script!r}")
        lines.append(_literal(case.replies[2]))
        if case.replies[3] != case.replies[2]:
            lines.append(_literal(case.replies[3]))
    file.write_text("\n".join(lines) + "\n", "latin-1")


def without_addresses(reply: bytes) -> bytes:
    return re.sub(rb"0x[0-9a-f]+", b"0x", reply)


def _literal(reply: bytes) -> str:
    text = repr(reply)[2:-1]
    return text if repr(reply)[1] == "'" else text.replace("'", "\\'")
