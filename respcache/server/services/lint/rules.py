"""The rules: a table. docs/reference/lint.md is made from it."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from respcache.server.services.lint import before

if TYPE_CHECKING:
    from collections.abc import Callable

    from respcache.server.services.lint.calls import Call
    from respcache.server.services.lint.findings import Sight


class Rule(NamedTuple):
    """One rule.

    finds: what it looks for. why: the reason, in a sentence. instead: what to do. directives: its limits.
    look: what it sees in a command before that runs; None for a rule that needs more than its words.
    refuses: with ``lint refuse`` such a command is not run. in_scripts: it looks at what scripts call, too.
    """

    name: str
    finds: str
    why: str
    instead: str
    directives: tuple[str, ...] = ()
    look: Callable[[Call], Sight | None] | None = None
    refuses: bool = False
    in_scripts: bool = False


_ALL = (
    Rule(
        "crossslot",
        "a command, a script's KEYS or a transaction with keys in several hash slots, if the profile is a cluster",
        "Redis Cluster answers CROSSSLOT, because these keys may be on different nodes.",
        "Give keys that are used together the same {hash tag}, such as user:{42}:name, or send a command per key.",
        look=before.crossslot,
        refuses=True,
    ),
    Rule(
        "undeclared-key",
        "a key that a script or a function uses and that is not among its KEYS",
        "A cluster sends a script to the node of its KEYS, where other keys may not be; then the script fails.",
        "Pass each key that the script uses in KEYS, instead of making its name in the script.",
    ),
    Rule(
        "database",
        "SELECT, MOVE, SWAPDB and COPY ... DB with another database than 0, if the profile has only that",
        "There is only database 0, and the command is an error.",
        "Tell data apart by a prefix of the keys, or use several servers.",
        look=before.database,
        refuses=True,
        in_scripts=True,
    ),
    Rule(
        "missing",
        "a command or an option that the profile lacks",
        "The service does not have it, and answers with an error.",
        "Do without it, or do in the service's own way (its API, its console) what the command is for.",
        look=before.missing,
        refuses=True,
        in_scripts=True,
    ),
    Rule(
        "blocking",
        "a blocking command in MULTI or in a script",
        "Nothing waits there: the command returns at once, as if its time were over.",
        "Use the form that does not block, and wait outside of the transaction.",
        look=before.blocking,
        refuses=True,
        in_scripts=True,
    ),
    Rule(
        "keys",
        "KEYS, where the database has more than `lint-large-keyspace` keys (refused only if that is 0)",
        "It goes through all keys of the server, which does nothing else meanwhile.",
        "Use SCAN, or keep the names in a set.",
        ("lint-large-keyspace",),
        before.keys,
        refuses=True,
        in_scripts=True,
    ),
    Rule(
        "flush",
        "FLUSHALL and FLUSHDB without ASYNC, where the database has more than `lint-large-keyspace` keys (refused only "
        "if that is 0)",
        "The server frees all keys before it does anything else, and what others have stored is gone as well.",
        "Delete your own keys, or say ASYNC. Between tests, `server.reset()` does not count.",
        ("lint-large-keyspace",),
        before.flush,
        refuses=True,
        in_scripts=True,
    ),
    Rule(
        "whole-key",
        "SORT, SMEMBERS, HGETALL, LRANGE 0 -1, SUNION, DEL and others that go through more than `lint-large-key` "
        "elements of a key",
        "It takes time in proportion to the size of the key, and others wait meanwhile.",
        "Read in parts (HSCAN, SSCAN, ZSCAN, ranges with a limit), remove with UNLINK, or keep keys small.",
        ("lint-large-key",),
    ),
    Rule(
        "large-value",
        "an argument (refused), or a string that has grown, of more than `lint-max-value` bytes",
        "A large value holds up all others on its connection and on its node, and does not spread over a cluster.",
        "Cut it into parts, compress it, or store it elsewhere and keep its place here.",
        ("lint-max-value",),
        before.large_argument,
        refuses=True,
    ),
    Rule(
        "large-collection",
        "a key that has more than `lint-max-elements` elements after a write",
        "A key lives on one node, and what goes through it takes the longer the larger it is.",
        "Spread it over several keys, or trim it (LTRIM, XADD with MAXLEN, ZREMRANGEBYRANK).",
        ("lint-max-elements",),
    ),
    Rule(
        "large-reply",
        "a reply of more than `lint-max-reply` bytes",
        "It fills output buffers, and what is sent over the same connection waits behind it.",
        "Ask for less: fields instead of the whole hash, a range with a limit, a cursor.",
        ("lint-max-reply",),
    ),
    Rule(
        "no-ttl",
        "a key that matches `lint-ttl-pattern`, was written, and never expires",
        "It stays for ever, and memory fills up.",
        "Write it with a TTL in one step (SET ... EX), or with EXPIRE in the same transaction or pipeline.",
        ("lint-ttl-pattern",),
    ),
    Rule(
        "n-plus-one",
        "one command on similar keys, `lint-repeats` times in a row from one client, each after the reply to the one "
        "before; keys are similar if they differ only in numbers and ids",
        "Each one waits for the network: in production that is a hundred times as long as here.",
        "Send them in one pipeline, or use a command for many keys, such as MGET.",
        ("lint-repeats",),
    ),
    Rule(
        "eval",
        "the text of one script, sent by EVAL `lint-repeats` times or more",
        "The whole text is sent, hashed and looked up each time.",
        "Load it once, and use EVALSHA, as `register_script` of redis-py and its like do.",
        ("lint-repeats",),
    ),
    Rule(
        "deprecated",
        "a command that Redis calls deprecated, other than QUIT",
        "It still works, but a later version may do without it, and new features go into its successor.",
        "Use its successor.",
        look=before.deprecated,
        in_scripts=True,
    ),
)

RULES: dict[str, Rule] = {rule.name: rule for rule in _ALL}


def chosen(words: list[str]) -> frozenset[str]:
    """The rules that ``lint-rules`` asks for: names, ``all``, or a name after ``-``, in this order."""
    rules: set[str] = set()
    for word in words:
        if word == "all":
            rules.update(RULES)
        elif word.startswith("-"):
            rules.discard(word[1:])
        else:
            rules.add(word)
    return frozenset(rules)
