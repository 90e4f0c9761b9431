"""The commands that main answers by itself: handlers get the session instead of a shard.

A handler returns a reply, a coroutine of one (the session waits for it), or IN_A_SLOT when the reply is on its way.
"""

from respcache.server.commands import admin, connection, introspection, pubsub, transactions

__all__ = ["admin", "connection", "introspection", "pubsub", "transactions"]
