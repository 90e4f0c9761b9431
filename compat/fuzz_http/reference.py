"""Which requests a stream of bytes holds, as RFC 9112 has it: the second opinion for streams that were mutated.

Nothing is carried out and nothing is refused for what it asks; only where requests begin and end is told. Where the RFC
lets a server choose, the requests of every permitted reading count.
"""

from __future__ import annotations

import re

_TOKEN = rb"[!#$%&'*+.^_`|~0-9A-Za-z-]+"
_REQUEST_LINE = re.compile(rb"(%b) +([!-~]+) +HTTP/1\.([0-9]) *" % _TOKEN)
_HEADER = re.compile(rb"(%b):[ \t]*(.*?)[ \t]*" % _TOKEN, re.DOTALL)
# Here a bare LF is none: what chunks hold and where they end would be in doubt.
_SIZE = re.compile(rb"([0-9A-Fa-f]{1,20})[ \t]*(?:;[^\r\n]*)?\r\n")


def targets(stream: bytes) -> set[bytes]:
    """The targets of all requests that some permitted reading finds, the incomplete one at the end left out."""
    found: set[bytes] = set()
    begins, seen = [0], {0}
    while begins:
        for target, end, goes_on in _readings(stream, begins.pop()):
            found.add(target)
            if goes_on and end not in seen:
                seen.add(end)
                begins.append(end)
    return found


def _readings(stream: bytes, start: int) -> list[tuple[bytes, int, bool]]:
    """The request at `start`: its target, where it ends, and whether another one may follow. Empty if there is none."""
    at = start
    while stream[at : at + 1] in (b"\r", b"\n"):  # empty lines before a request may be ignored
        if stream[at : at + 2] != b"\r\n" and stream[at : at + 1] != b"\n":
            return []
        at += 2 if stream[at : at + 1] == b"\r" else 1
    lines: list[bytes] = []
    while True:
        end = stream.find(b"\n", at)
        if end < 0:
            return []
        line = stream[at:end].removesuffix(b"\r")
        at = end + 1
        if not line:
            break
        if line[:1] in b" \t" and len(lines) > 1:
            lines[-1] += b" " + line.strip()
        else:
            lines.append(line)
    request = _REQUEST_LINE.fullmatch(lines[0]) if lines else None
    if request is None:
        return []
    headers: dict[bytes, list[bytes]] = {}
    for line in lines[1:]:
        header = _HEADER.fullmatch(line)
        if header is None or b"\x00" in line or b"\r" in line:
            return []
        headers.setdefault(header[1].lower(), []).append(header[2])
    return _bodies(stream, at, request[2], headers)


def _bodies(stream: bytes, at: int, target: bytes, headers: dict[bytes, list[bytes]]) -> list[tuple[bytes, int, bool]]:
    codings = b",".join(headers.get(b"transfer-encoding", []))
    lengths = {length.strip(b" \t") for line in headers.get(b"content-length", []) for length in line.split(b",")}
    goes_on = not (codings and lengths)
    if codings or b"transfer-encoding" in headers:
        if [coding.strip().lower() for coding in codings.split(b",") if coding.strip()] != [b"chunked"]:
            return []
        return [(target, end, goes_on) for end in _chunk_ends(stream, at)]
    if not lengths:
        return [(target, at, True)]
    length = lengths.pop()
    if lengths or not length.isdigit() or at + int(length[:18]) > len(stream):
        return []
    return [(target, at + int(length), True)]


def _chunk_ends(stream: bytes, at: int) -> list[int]:
    """Where the chunked body that begins at `at` ends; empty if it does not."""
    while True:
        size_line = _SIZE.match(stream, at)
        if size_line is None:
            return []
        at, size = size_line.end(), int(size_line[1], 16)
        if not size:
            break
        at += size
        if stream[at : at + 2] != b"\r\n":
            return []
        at += 2
    while True:  # trailers
        end = stream.find(b"\n", at)
        if end < 0:
            return []
        line = stream[at:end].removesuffix(b"\r")
        at = end + 1
        if not line:
            return [at]
        if not _HEADER.fullmatch(line) and line[:1] not in b" \t":
            return []
