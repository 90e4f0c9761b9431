"""respcache: a Redis-protocol-compatible server that `pip install` is enough for.

    $ respcache --port 6379          # a server; redis-cli and every other client work against it
    with respcache.testing.Server() as server: ...      # one for a test
"""

__version__ = "0.1.0"
