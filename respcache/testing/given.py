"""What a configuration file and a command line say, for a handle that has to know how to reach its server.

The server itself reads and checks them; here nothing is refused, and `include` is not followed.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from respcache.quoting import split_args

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence


def given(file: str, words: Sequence[str]) -> dict[str, list[str]]:
    """Directive -> the words of its value, the last one where there are several. `file` may be empty."""
    found: dict[str, list[str]] = {}
    for line in (*_in_file(file), *_on_command_line(words)):
        found[line[0].lower()] = line[1:]
    return found


def _in_file(path: str) -> Iterator[list[str]]:
    if not path:
        return
    try:
        with open(path, "rb") as file:
            lines = file.read().split(b"\n")
    except OSError:
        return  # the server says so
    for raw in lines:
        line = raw.strip()
        if not line.startswith(b"#") and (split := _words(line)):
            yield split


def _on_command_line(words: Sequence[str]) -> Iterator[list[str]]:
    line: list[str] = []
    for word in words:
        if word.startswith("--"):
            if line:
                yield line
            # A whole line may be one word, as in "--requirepass secret".
            line = _words(word.removeprefix("--").encode("utf-8", "surrogateescape"))
        elif line:
            line.append(word)
    if line:
        yield line


def _words(line: bytes) -> list[str]:
    """Empty for a line that cannot be understood."""
    return [word.decode("utf-8", "surrogateescape") for word in split_args(line) or ()]
