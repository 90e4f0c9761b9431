"""respcache: a Redis-protocol-compatible server that `pip install` is enough for.

`respcache --port 6379` runs a server, and redis-cli and every other client work against it; `respcache.testing.Server`
is one for a test.
"""

__version__ = "0.1.0"

# The version of Redis whose behaviour this is: clients and programs that start a redis-server look at it.
REDIS_VERSION = "7.2.4"
