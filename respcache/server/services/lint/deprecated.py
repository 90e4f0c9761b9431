"""The commands that Redis calls deprecated: since when, and what to use in their place.

As COMMAND DOCS of Redis 8.0 says, which tests/server/services/test_lint.py compares.
"""

DEPRECATED: dict[str, tuple[str, str]] = {
    "BRPOPLPUSH": ("6.2.0", "BLMOVE ... RIGHT LEFT"),
    "CLUSTER SLAVES": ("5.0.0", "CLUSTER REPLICAS"),
    "CLUSTER SLOTS": ("7.0.0", "CLUSTER SHARDS"),
    "GEORADIUS": ("6.2.0", "GEOSEARCH or GEOSEARCHSTORE with BYRADIUS"),
    "GEORADIUSBYMEMBER": ("6.2.0", "GEOSEARCH or GEOSEARCHSTORE with FROMMEMBER and BYRADIUS"),
    "GEORADIUSBYMEMBER_RO": ("6.2.0", "GEOSEARCH with FROMMEMBER and BYRADIUS"),
    "GEORADIUS_RO": ("6.2.0", "GEOSEARCH with BYRADIUS"),
    "GETSET": ("6.2.0", "SET with GET"),
    "HMSET": ("4.0.0", "HSET"),
    "PSETEX": ("2.6.12", "SET with PX"),
    "QUIT": ("7.2.0", "closing the connection"),
    "RPOPLPUSH": ("6.2.0", "LMOVE ... RIGHT LEFT"),
    "SETEX": ("2.6.12", "SET with EX"),
    "SETNX": ("2.6.12", "SET with NX"),
    "SLAVEOF": ("5.0.0", "REPLICAOF"),
    "SUBSTR": ("2.0.0", "GETRANGE"),
    "ZRANGEBYLEX": ("6.2.0", "ZRANGE with BYLEX"),
    "ZRANGEBYSCORE": ("6.2.0", "ZRANGE with BYSCORE"),
    "ZREVRANGE": ("6.2.0", "ZRANGE with REV"),
    "ZREVRANGEBYLEX": ("6.2.0", "ZRANGE with REV and BYLEX"),
    "ZREVRANGEBYSCORE": ("6.2.0", "ZRANGE with REV and BYSCORE"),
}
