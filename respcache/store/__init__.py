"""The data of one shard: databases of keys, and the doors through which commands reach them.

`keyspace` is one database. `call` says for whom and when a command runs. `shard` has the doors that handlers use; what
has to happen behind them is in a module each: `expiry`, `watching`, `guests` (keys of other shards), `reports` (what
main must hear) and `figures`.
"""
