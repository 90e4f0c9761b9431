"""The data of one shard: databases of keys, and the doors through which commands reach them.

In the order to read them: `keyspace` is one database, `databases` has all of them, and `accesses` records when keys
were last accessed, or how often. `call` says for whom and when a command runs. What a change of a key brings about
has a module each: `expiry`, `watching`, `waiting` (blocking commands), `guests` (keys of other shards), `reports`
(what main must hear) and `figures`. `shard` has the doors that handlers use, and ties these together.
"""
