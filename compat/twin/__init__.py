"""The twin: the same commands to respcache and to a genuine server, reply for reply.

`calls` makes valid and invalid calls of every command from the table, `sequences` strings them together (MULTI blocks
and pipelines among them), `keyspace` compares all that the servers hold afterwards, `looseness` says where replies need
not be equal, and why. `run` puts it together: ``python -m compat twin``.
"""
