r"""Glob patterns exactly as Redis matches them (KEYS, SCAN ... MATCH, PSUBSCRIBE, CONFIG GET, ACL key patterns).

    *       any bytes, or none                  [abc]   one of these bytes
    ?       one byte                            [^abc]  one byte, but none of these
    \x      x itself                            [a-z]   a range, in either direction

As in Redis 7.2's `stringmatchlen`, and unlike in shells, every pattern is valid: an unclosed bracket ends with the
pattern, a backslash at the end is itself, ``[]`` matches nothing and ``[^]`` anything.

The part of a pattern between two stars is a *piece*. It matches a fixed number of bytes, so it is enough to try the
first place where it occurs: if the rest does not match from there, it does not match from a later place either. Each
piece is searched for only once, so the cost of hostile patterns (``a*a*a*a*b``) cannot multiply.

Patterns and subjects come from clients and may have megabytes. So compiling is one pass over the pattern, brackets are
parsed when they are first compared with a byte, and nothing is kept at module level. A regular expression would do none
of this: `re` takes 65 us to compile ``[a-z]``, and keeps the last 512 patterns.
"""

from __future__ import annotations

import re
from collections.abc import Callable

Matcher = Callable[[bytes], bool]

# Some stars, a question mark, a bracket, an escaped byte, bytes that stand for themselves, a backslash at the end.
_TOKEN = re.compile(rb"\*+|\?|\[\^?+(?:\\.|[^\]]-.|[^\]])*+\]?|\\.|[^*?\[\\]+|\\", re.DOTALL)
_BRACKET = re.compile(rb"\[(\^?+)((?:\\.|[^\]]-.|[^\]])*+)\]?", re.DOTALL)
# Inside a bracket: an escaped byte, a range, a byte. The end of a range may be the closing bracket, which then does not
# close: "[a-]" is an unclosed "[]-a".
_MEMBER = re.compile(rb"\\(.)|(.)-(.)|(.)", re.DOTALL)

_STAR, _ANY, _ESCAPE = b"*?\\"
_SPECIAL = frozenset(b"*?[")
_EVERYTHING = frozenset(range(256))
# How many occurrences of a literal are tried before the search switches to the bounded algorithm.
_GUESSES = 4


def compile_glob(pattern: bytes, ignore_case: bool = False) -> Matcher:
    """A function that returns whether a byte string matches the whole pattern.

    `ignore_case` applies only to ASCII letters. As in Redis, only the empty pattern matches an empty subject, ``*``
    does not. That is why KEYS and SCAN treat a lone ``*`` as no pattern at all.
    """
    pieces = _pieces(pattern, ignore_case)
    if not ignore_case:
        match pieces:  # the most frequent patterns need no loop
            case [bytes() as whole]:
                return whole.__eq__
            case [bytes() as prefix, b""] if prefix:
                return lambda subject: subject.startswith(prefix)
            case [b"", bytes() as suffix] if suffix:
                return lambda subject: subject.endswith(suffix)
            case [b"", bytes() as middle, b""] if middle:
                return lambda subject: middle in subject
    return _Glob(pieces, ignore_case).matches


class _Glob:
    """A pattern that is more than one literal with stars around it."""

    __slots__ = ("_first", "_ignore_case", "_last", "_middle", "_shortest")

    def __init__(self, pieces: list[bytes | _Piece], ignore_case: bool) -> None:
        self._first = pieces[0]
        self._middle = pieces[1:-1]
        self._last = pieces[-1] if len(pieces) > 1 else None  # None: there is no star
        self._shortest = sum(map(len, pieces))  # the minimum length of a subject
        self._ignore_case = ignore_case

    def matches(self, subject: bytes) -> bool:
        size = len(subject)
        first, last = self._first, self._last
        if size < self._shortest or not size:
            return not size and not self._shortest and last is None
        folded = subject.lower() if self._ignore_case else subject
        if not (folded.startswith(first) if isinstance(first, bytes) else first.fits(subject, folded, 0)):
            return False
        at = len(first)
        if last is None:
            return at == size
        end = size - len(last)
        if not (folded.endswith(last) if isinstance(last, bytes) else last.fits(subject, folded, end)):
            return False
        for piece in self._middle:
            at = folded.find(piece, at, end) if isinstance(piece, bytes) else piece.find(subject, folded, at, end)
            if at < 0:
                return False
            at += len(piece)
        return True


class _Piece:
    """A piece with question marks or brackets in it; others are plain bytes, in lower case if case is ignored."""

    __slots__ = ("_brackets", "_ignore_case", "_length", "_literals", "_masks", "_sets")

    def __init__(self, sets: dict[bytes, frozenset[int]], ignore_case: bool) -> None:
        self._length = 0
        self._literals: list[tuple[int, bytes]] = []  # offset and bytes
        self._brackets: list[tuple[int, bytes]] = []  # offset and text
        self._sets = sets  # text of a bracket -> the bytes it allows; shared by all pieces of a pattern
        self._masks: dict[int, int] | None = None  # byte -> bit n is set if it is allowed at offset n
        self._ignore_case = ignore_case

    def __len__(self) -> int:
        """The number of bytes that the piece matches."""
        return self._length

    def add_literal(self, literal: bytes) -> None:
        self._literals.append((self._length, literal))
        self._length += len(literal)

    def add_any(self) -> None:
        self._length += 1

    def add_bracket(self, text: bytes) -> None:
        self._brackets.append((self._length, text))
        self._length += 1

    def fits(self, subject: bytes, folded: bytes, at: int) -> bool:
        """Whether the piece matches at a place that leaves enough room for it."""
        for offset, literal in self._literals:
            if not folded.startswith(literal, at + offset):
                return False
        for offset, text in self._brackets:  # noqa: SIM110 -- a generator costs as much as three of these
            if subject[at + offset] not in self._allowed(text):
                return False
        return True

    def find(self, subject: bytes, folded: bytes, start: int, end: int) -> int:
        """Where the first match between two places begins; -1 if there is none."""
        last = end - self._length
        if self._literals:
            offset, literal = self._literals[0]
            for _ in range(_GUESSES):
                start = folded.find(literal, start + offset, last + offset + len(literal)) - offset
                if start < 0:
                    return -1
                if self.fits(subject, folded, start):
                    return start
                start += 1
        elif not self._brackets:
            return start if start <= last else -1
        return self._shift_and(subject, start, end)

    def _shift_and(self, subject: bytes, start: int, end: int) -> int:
        """As `find`, at a fixed number of operations per byte of the subject.

        All places where a match may have begun are tried at once: bit n of `begun` says whether the last n + 1 bytes
        match the beginning of the piece.
        """
        if self._masks is None:
            self._masks = {}
        masks, begun, complete = self._masks, 0, 1 << (self._length - 1)
        for at in range(start, end):
            byte = subject[at]
            mask = masks.get(byte)
            if mask is None:
                mask = masks[byte] = self._mask(byte)
            begun = (begun << 1 | 1) & mask
            if begun & complete:
                return at + 1 - self._length
        return -1

    def _mask(self, byte: int) -> int:
        folded = byte + 32 if self._ignore_case and 65 <= byte <= 90 else byte
        equal = b"0" * folded + b"1" + b"0" * (255 - folded)
        bits = bytearray(b"1") * self._length
        for offset, literal in self._literals:
            bits[offset : offset + len(literal)] = literal.translate(equal)
        for offset, text in self._brackets:
            if byte not in self._allowed(text):
                bits[offset] = 48  # "0"
        bits.reverse()
        return int(bits, 2)

    def _allowed(self, text: bytes) -> frozenset[int]:
        allowed = self._sets.get(text)
        if allowed is None:
            allowed = self._sets[text] = _bracket(text, self._ignore_case)
        return allowed


def _pieces(pattern: bytes, ignore_case: bool) -> list[bytes | _Piece]:
    sets: dict[bytes, frozenset[int]] = {}
    pieces: list[bytes | _Piece] = []
    piece: _Piece | None = None  # the current one, if it is more than a literal
    run: list[bytes] = []  # bytes that stand for themselves, since the last token of another kind
    for token in [*_TOKEN.findall(pattern), b"*"]:
        first = token[0]
        if first == _ESCAPE:
            run.append(token[1:] or token)
            continue
        if first not in _SPECIAL:
            run.append(token)
            continue
        literal = b"".join(run)
        run.clear()
        if ignore_case:
            literal = literal.lower()
        if first == _STAR and piece is None:
            pieces.append(literal)
            continue
        if piece is None:
            piece = _Piece(sets, ignore_case)
        if literal:
            piece.add_literal(literal)
        if first == _STAR:
            pieces.append(piece)
            piece = None
        elif first == _ANY:
            piece.add_any()
        else:
            piece.add_bracket(token)
    return pieces


def _bracket(text: bytes, ignore_case: bool) -> frozenset[int]:
    """The bytes that a bracket allows."""
    parts = _BRACKET.fullmatch(text)
    assert parts is not None
    allowed: set[int] = set()
    for escaped, start, end, byte in set(_MEMBER.findall(parts[2])):
        if escaped:
            allowed.add(escaped[0])  # Redis compares it exactly, even if it ignores case elsewhere
        elif start:
            allowed |= _range(start[0], end[0], ignore_case)
        else:
            allowed |= set(byte.lower() + byte.upper()) if ignore_case else set(byte)
    return _EVERYTHING - allowed if parts[1] else frozenset(allowed)


def _range(start: int, end: int, ignore_case: bool) -> set[int]:
    """All bytes between two bounds, given in either order.

    Redis compares C's `char`, which is signed on the usual machines: 0x80 to 0xff come before 0x00. It first puts the
    bounds in order and then converts them to lower case: "[Z-a]" is empty when case is ignored.
    """
    low, high = sorted((_signed(start), _signed(end)))
    if ignore_case:
        low, high = _lower(low), _lower(high)
        return {byte for byte, char in enumerate(_LOWER) if low <= char <= high}
    return {char % 256 for char in range(low, high + 1)}


def _signed(byte: int) -> int:
    return byte - 256 if byte >= 128 else byte


def _lower(char: int) -> int:
    return char + 32 if 65 <= char <= 90 else char


_LOWER = [_lower(_signed(byte)) for byte in range(256)]
