"""Lua scripts: the interpreter, its sandbox, and what scripts see of Redis. Knows nothing of shards and commands."""
