"""The commands that main answers by itself: handlers get the client instead of a shard.

A handler returns a reply, a coroutine of one (the client waits for it), or IN_A_SLOT when the reply is on its way.
"""

import respcache.commands.all  # noqa: F401 - MEMORY, a container of commands of both, is there
from respcache.server.commands import (
    client,
    client_admin,
    config,
    connection,
    control,
    debug,
    info,
    introspection,
    latency,
    memory,
    migrate,
    pubsub,
    replication,
    scripting,
    server,
    slowlog,
    tracking,
    transactions,
)

__all__ = [
    "client",
    "client_admin",
    "config",
    "connection",
    "control",
    "debug",
    "info",
    "introspection",
    "latency",
    "memory",
    "migrate",
    "pubsub",
    "replication",
    "scripting",
    "server",
    "slowlog",
    "tracking",
    "transactions",
]
