"""Words of a line with shell-like quoting: inline commands, lines of the configuration file, and those of MONITOR."""

from __future__ import annotations

import re

_BLANKS = b" \t\n\v\f\r\0"
_ENDS = b" \t\n\r\0"  # what ends an unquoted word: as in Redis, fewer characters than count as blanks
# Bytes without a special meaning: outside of quotes, in double quotes, in single quotes. A line may have 64 KB of them,
# so they are matched in one step.
_PLAIN = re.compile(rb"[^ \t\n\r\0\"']+")
_DOUBLE = re.compile(rb'[^"\\]+')
_SINGLE = re.compile(rb"[^'\\]+")
_UNUSUAL = re.compile(rb"[\"'\v\f\0]")  # bytes that `bytes.split` treats differently from Redis
_TO_ESCAPE = re.compile(rb"[^ !#-\[\]-~]")
_ESCAPES = {ord("n"): b"\n", ord("r"): b"\r", ord("t"): b"\t", ord("b"): b"\b", ord("a"): b"\a"}


def split_args(line: bytes) -> list[bytes] | None:
    """The words of a line, or None if its quotes are unbalanced.

    Inside double quotes ``\\n``, ``\\r``, ``\\t``, ``\\b``, ``\\a``, ``\\xHH`` and a backslash before any other
    character are escapes; inside single quotes only ``\\'``. A closing quote must be followed by a blank or the end.
    """
    if not _UNUSUAL.search(line):
        return line.split()
    words: list[bytes] = []
    at = 0
    while True:
        while at < len(line) and line[at] in _BLANKS:
            at += 1
        if at >= len(line):
            return words
        found = _word(line, at)
        if found is None:
            return None
        word, at = found
        words.append(word)


def _word(line: bytes, at: int) -> tuple[bytes, int] | None:
    """The word that begins at `at`, and where it ends."""
    word = bytearray()
    while at < len(line) and line[at] not in _ENDS:
        char = line[at : at + 1]
        if char not in (b'"', b"'"):
            run = _run(_PLAIN, line, at)
            word += run
            at += len(run)
            continue
        quoted = _double_quoted(line, at + 1) if char == b'"' else _single_quoted(line, at + 1)
        if quoted is None:
            return None
        text, at = quoted
        word += text
        if at < len(line) and line[at] not in _BLANKS:
            return None
    return bytes(word), at


def _double_quoted(line: bytes, at: int) -> tuple[bytes, int] | None:
    """The text up to the closing quote, and the position after it."""
    text = bytearray()
    while at < len(line):
        char = line[at]
        if char == ord('"'):
            return bytes(text), at + 1
        if char == ord("\\") and at + 1 < len(line):
            digits = line[at + 2 : at + 4]
            if line[at + 1] == ord("x") and len(digits) == 2 and all(d in b"0123456789abcdefABCDEF" for d in digits):
                text.append(int(digits, 16))
                at += 4
            else:
                text += _ESCAPES.get(line[at + 1], line[at + 1 : at + 2])
                at += 2
        else:
            run = _run(_DOUBLE, line, at) or line[at:]  # or a backslash at the end
            text += run
            at += len(run)
    return None


def _single_quoted(line: bytes, at: int) -> tuple[bytes, int] | None:
    """Like `_double_quoted`, but the only escape is that of the quote itself."""
    text = bytearray()
    while at < len(line):
        if line.startswith(b"\\'", at):
            text += b"'"
            at += 2
        elif line[at] == ord("'"):
            return bytes(text), at + 1
        else:
            run = _run(_SINGLE, line, at) or line[at : at + 1]  # or a backslash before something else
            text += run
            at += len(run)
    return None


def _run(plain: re.Pattern[bytes], line: bytes, at: int) -> bytes:
    found = plain.match(line, at)
    return found[0] if found else b""


def quote(word: str) -> str:
    """`word` in quotes, so that `split_args` returns it as one word; unchanged if it needs no quotes."""
    if word and not set(word) & set("\"'\\ \t\n\v\f\r\0"):
        return word
    escaped = word.replace("\\", "\\\\").replace('"', '\\"')
    return '"' + escaped.replace("\n", "\\n").replace("\r", "\\r").replace("\t", "\\t").replace("\0", "\\x00") + '"'


def quote_bytes(word: bytes) -> bytes:
    """`word` in double quotes, in printable ASCII, as MONITOR shows words: `split_args` returns it as it was."""
    return b'"%b"' % _TO_ESCAPE.sub(_escaped, word)


def _escaped(found: re.Match[bytes]) -> bytes:
    return _ESCAPED[found[0][0]]


_NAMES = {text[0]: b"\\%c" % letter for letter, text in _ESCAPES.items()} | {ord('"'): b'\\"', ord("\\"): b"\\\\"}
_ESCAPED = [_NAMES.get(byte, b"\\x%02x" % byte) for byte in range(256)]
