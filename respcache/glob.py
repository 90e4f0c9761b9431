r"""Glob patterns exactly as Redis matches them (KEYS, SCAN ... MATCH, PSUBSCRIBE, CONFIG GET, ACL key patterns).

    *       any bytes, or none                  [abc]   one of these bytes
    ?       one byte                            [^abc]  one byte, but none of these
    \x      x itself                            [a-z]   a range, in either direction

As in Redis 7.2's `stringmatchlen`, and unlike in shells, every pattern is valid: an unclosed bracket ends with the
pattern, a backslash at the end is itself, ``[]`` matches nothing and ``[^]`` anything.

The piece of a pattern between two stars matches a fixed number of bytes. So it is enough to try the first place where
the piece occurs: if the rest does not match from there, it does not match from a later place either. The regular
expression expresses this with atomic groups, and even a hostile pattern (``a*a*a*a*b``) costs at most pattern length
times subject length.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from functools import lru_cache

Matcher = Callable[[bytes], bool]

_STAR, _ANY, _OPEN, _CLOSE, _NOT, _DASH, _ESCAPE = b"*?[]^-\\"
_EVERYTHING = frozenset(range(256))


@lru_cache(maxsize=1024)
def compile_glob(pattern: bytes, ignore_case: bool = False) -> Matcher:
    """A function that returns whether a byte string matches the whole pattern.

    `ignore_case` applies only to ASCII letters. As in Redis, only the empty pattern matches an empty subject, ``*``
    does not. That is why KEYS and SCAN treat a lone ``*`` as no pattern at all.
    """
    pieces = _pieces(pattern, ignore_case)
    literals = [_literal(piece) for piece in pieces]
    if len(pieces) == 1 and literals[0] is not None:
        return literals[0].__eq__
    if len(pieces) == 2 and literals[0] and literals[1] == b"":  # by far the most frequent form: "prefix*"
        prefix = literals[0]
        return lambda subject: subject.startswith(prefix)
    match = re.compile(_regex(pieces), re.DOTALL).fullmatch
    return lambda subject: match(subject) is not None


Piece = list[frozenset[int]]
"""The part between two stars: for each byte of the subject, the bytes that it may be."""


def _pieces(pattern: bytes, ignore_case: bool) -> list[Piece]:
    pieces: list[Piece] = [[]]
    at = 0
    while at < len(pattern):
        byte = pattern[at]
        if byte == _STAR:
            pieces.append([])
            at += 1
        elif byte == _ANY:
            pieces[-1].append(_EVERYTHING)
            at += 1
        elif byte == _OPEN:
            allowed, at = _bracket(pattern, at + 1, ignore_case)
            pieces[-1].append(allowed)
        else:
            if byte == _ESCAPE and at + 1 < len(pattern):
                at += 1
            pieces[-1].append(_cases(pattern[at], ignore_case))
            at += 1
    return pieces


def _bracket(pattern: bytes, at: int, ignore_case: bool) -> tuple[frozenset[int], int]:
    """The bytes allowed by the bracket whose inside begins at `at`, and where the pattern goes on."""
    negated = pattern[at : at + 1] == b"^"
    at += negated
    allowed: set[int] = set()
    while at < len(pattern) and pattern[at] != _CLOSE:
        if pattern[at] == _ESCAPE and at + 1 < len(pattern):
            # Redis compares an escaped byte in brackets exactly, even if it ignores case elsewhere.
            allowed.add(pattern[at + 1])
            at += 2
        elif pattern[at + 1 : at + 2] == b"-" and at + 2 < len(pattern):
            # The end of the range may be the closing bracket, which then does not close: "[a-]" is an unclosed "[]-a".
            allowed |= _range(pattern[at], pattern[at + 2], ignore_case)
            at += 3
        else:
            allowed |= _cases(pattern[at], ignore_case)
            at += 1
    return (_EVERYTHING - allowed if negated else frozenset(allowed)), at + 1


def _range(start: int, end: int, ignore_case: bool) -> set[int]:
    """All bytes between two bounds, given in either order.

    Redis compares C's `char`, which is signed on the usual machines: 0x80 to 0xff come before 0x00. It first puts the
    bounds in order and then converts them to lower case: "[Z-a]" is empty when case is ignored.
    """
    low, high = sorted((_signed(start), _signed(end)))
    if ignore_case:
        low, high = _lower(low), _lower(high)
        return {byte for byte in range(256) if low <= _lower(_signed(byte)) <= high}
    return {byte for byte in range(256) if low <= _signed(byte) <= high}


def _signed(byte: int) -> int:
    return byte - 256 if byte >= 128 else byte


def _lower(char: int) -> int:
    return char + 32 if 65 <= char <= 90 else char


def _cases(byte: int, ignore_case: bool) -> frozenset[int]:
    if not ignore_case:
        return frozenset((byte,))
    return frozenset(bytes((byte,)).lower() + bytes((byte,)).upper())


def _literal(piece: Piece) -> bytes | None:
    """The only byte string that a piece matches; None if there are several."""
    if all(len(allowed) == 1 for allowed in piece):
        return bytes(byte for allowed in piece for byte in allowed)
    return None


def _regex(pieces: list[Piece]) -> bytes:
    first, *others = [b"".join(map(_class, piece)) for piece in pieces]
    if not others:
        return first
    *middle, last = others
    if not first and not last and not any(middle):
        return b".+"  # stars only, which do not match the empty string
    return first + b"".join(b"(?>.*?%b)" % piece for piece in middle if piece) + b".*" + last


def _class(allowed: frozenset[int]) -> bytes:
    """A regular expression for one byte out of `allowed`."""
    if len(allowed) == 256:
        return b"."
    if not allowed:
        return b"(?!)"
    return b"[%b]" % b"".join(b"\\x%02x" % byte for byte in sorted(allowed))
