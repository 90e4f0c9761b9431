"""What the text of a script proves about the commands and keys that it uses.

A script is *closed* if each command that it calls is named by a literal, and each key of such a command is an element
of KEYS. Then it can run on the shard of its KEYS like any command. A script that is not closed needs all shards, so a
proof is worth having, but only a safe one: whatever is in doubt is not proven. (A wrong proof would be no disaster:
a shard refuses keys that are not its own.)

The text is parsed as Lua would parse it, with its scopes (`parser`), and conclusions are drawn on the way
(`inference`). That takes about a microsecond per byte, in main, once per text.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from respcache.commands.scripting.inference import Doubt, Inference
from respcache.commands.scripting.parser import Parser
from respcache.commands.scripting.tokens import NAME, STRING, Token, UnknownText, tokens_of

if TYPE_CHECKING:
    from collections.abc import Iterator

# Longer texts are not looked into.
LONGEST = 1 << 16


class Proof(NamedTuple):
    """What is certain of a script.

    in_shard: no command that main answers is called, so with a single shard it needs nothing else.
    closed: besides that, all keys are elements of KEYS.
    """

    in_shard: bool
    closed: bool


UNPROVEN = Proof(in_shard=False, closed=False)


def prove(text: bytes) -> Proof:
    """What the text of a script proves."""
    if len(text) > LONGEST:
        return UNPROVEN
    if text.startswith(b"#!"):
        _, _, text = text.partition(b"\n")
    try:
        return _proof(tokens_of(text), None)
    except (UnknownText, Doubt):
        return UNPROVEN


def prove_library(code: bytes) -> Proof:
    """What the text of a library of functions proves of them all.

    The first parameter of a function that is registered is what KEYS is to a script.
    """
    if len(code) > LONGEST:
        return UNPROVEN
    _, _, code = code.partition(b"\n")
    try:
        tokens = tokens_of(code)
        return _proof(tokens, frozenset(_registered(tokens)))
    except (UnknownText, Doubt):
        return UNPROVEN


def _registered(tokens: list[Token]) -> Iterator[bytes | None]:
    """Names that may be those of registered functions: what follows a string, or ``callback =``."""
    yield None  # functions without a name
    for before, between, token, after in zip(tokens, tokens[1:], tokens[2:], tokens[3:], strict=False):
        named = (before.kind == STRING and between.kind == ",") or (before.value == b"callback" and between.kind == "=")
        if named and token.kind == NAME and after.kind in (")", ",", "}", ";"):
            yield token.value


def _proof(tokens: list[Token], registered: frozenset[bytes | None] | None) -> Proof:
    """`registered`: see `Inference`. Raises Doubt."""
    known = Inference(registered)
    Parser(tokens, known).parse()
    return Proof(known.in_shard, known.closed and known.in_shard)
