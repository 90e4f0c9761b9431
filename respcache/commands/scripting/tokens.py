"""Lua 5.1 cut into tokens, as far as a proof about its text needs it.

What Lua would refuse may come through here. What Lua accepts is cut as Lua cuts it, or refused.
"""

from __future__ import annotations

import re
from typing import NamedTuple

# Kinds of tokens. Keywords and operators are their own text.
NAME, STRING, NUMBER, END = "name", "string", "number", "end of text"

KEYWORDS = frozenset(
    b"and break do else elseif end false for function if in local nil not or repeat return then true until "
    b"while".split()
)

_TOKEN = re.compile(
    rb"""
    (?P<blank>[ \t\r\n\f\v]+)
    |(?P<long_comment>--\[(?P<comment_level>=*)\[)
    |(?P<comment>--[^\r\n]*)
    |(?P<name>[A-Za-z_][A-Za-z0-9_]*)
    |(?P<number>(?:0[xX][0-9A-Fa-f]+|(?:[0-9]+\.?[0-9]*|\.[0-9]+)(?:[eE][+-]?[0-9]+)?)(?![A-Za-z0-9_.]))
    |(?P<quoted>"(?:[^"\\\r\n]|\\.)*"|'(?:[^'\\\r\n]|\\.)*')
    |(?P<long_string>\[(?P<string_level>=*)\[)
    |(?P<operator>\.\.\.|\.\.|==|~=|<=|>=|[-+*/%^\#<>=(){}\[\];:,.])
    """,
    re.VERBOSE | re.DOTALL,
)


class Token(NamedTuple):
    """One token. `value` is the name, or what a string literal without escapes stands for, or a number's digits."""

    kind: str
    value: bytes | None = None


class UnknownText(Exception):
    """The text cannot be cut into tokens."""


def tokens_of(text: bytes) -> list[Token]:
    """All tokens of a text, then one of the kind END. Raises UnknownText."""
    tokens: list[Token] = []
    at, end = 0, len(text)
    while at < end:
        match = _TOKEN.match(text, at)
        if match is None:
            raise UnknownText
        at = match.end()
        match match.lastgroup:
            case "blank" | "comment":
                pass
            case "name":
                word = match[0]
                tokens.append(Token(word.decode()) if word in KEYWORDS else Token(NAME, word))
            case "number":
                tokens.append(Token(NUMBER, match[0]))
            case "quoted":
                quoted = match[0][1:-1]
                tokens.append(Token(STRING, None if b"\\" in quoted else quoted))
            case "operator":
                tokens.append(Token(match[0].decode()))
            case _:
                # A long bracket. `lastgroup` names the group that was closed last, so ask which one began.
                at, body = _long_bracket(text, match)
                if match["long_string"] is not None:
                    tokens.append(Token(STRING, body))
    tokens.append(Token(END))
    return tokens


def _long_bracket(text: bytes, match: re.Match[bytes]) -> tuple[int, bytes | None]:
    """Where a long comment or string ends, and what is in it; None where Lua would change line breaks."""
    level = match["comment_level"] if match["long_comment"] is not None else match["string_level"]
    closing = b"]%b]" % level
    at = text.find(closing, match.end())
    if at < 0:
        raise UnknownText
    body = text[match.end() : at]
    return at + len(closing), None if b"\n" in body or b"\r" in body else body
