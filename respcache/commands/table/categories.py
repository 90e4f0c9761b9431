"""ACL categories of a command: those that its flags and group imply, as in Redis, and those that its row adds."""

from __future__ import annotations

from typing import TYPE_CHECKING

from respcache.commands.table.spec import Flag

if TYPE_CHECKING:
    from respcache.commands.table.spec import Command

_OF_GROUP = {
    "string": "string",
    "bitmap": "bitmap",
    "hash": "hash",
    "list": "list",
    "set": "set",
    "sorted_set": "sortedset",
    "stream": "stream",
    "generic": "keyspace",
    "geo": "geo",
    "hyperloglog": "hyperloglog",
    "transactions": "transaction",
    "connection": "connection",
    "scripting": "scripting",
}
# A generic command that names the types it is about is not in `keyspace`, nor is one about connections (WAIT).
_TYPES = frozenset(("string", "hash", "list", "set", "sortedset", "stream", "connection"))
_OF_FLAG = (
    (Flag.WRITE, "write"),
    (Flag.READONLY, "read"),
    (Flag.ADMIN, "admin"),
    (Flag.ADMIN, "dangerous"),
    (Flag.PUBSUB, "pubsub"),
    (Flag.BLOCKING, "blocking"),
)


def categories_of(row: Command) -> list[str]:
    """Names without the ``@``, each once."""
    names = [name for flag, name in _OF_FLAG if flag in row.flags]
    if row.group == "scripting":  # what EVAL_RO reads is what its script says
        names = [name for name in names if name != "read"]
    if row.group in _OF_GROUP and not row.subcommands and _TYPES.isdisjoint(row.categories):
        names.append(_OF_GROUP[row.group])
    names += row.categories
    names.append("fast" if Flag.FAST in row.flags else "slow")
    return list(dict.fromkeys(names))
