"""A fuzzer for RESTORE: payloads of every type, damaged, with a right checksum. `python -m compat fuzz-rdb`.

`seeds` collects payloads: those that genuine servers at hand give for values of every type and encoding
(`compat.values`), our own, and those of versions that are not at hand. `segments` takes a payload apart into lengths,
strings and raw bytes, as a reader meets them, and puts it together again with lengths that are right. `mutations`
damages some of them, also within the blocks (listpacks, ziplists, intsets) that strings may hold, and now and then the
bytes as they stand. So most cases pass the outer checks, and get deep.

`judge` restores a payload in a shard of its own, in this process: the reply is an error that there is, and nothing has
changed, or the value dumps and restores to an equal one. Anything else, a case that takes too long, and too much memory
is a finding. `beside` gives a share of the cases to real servers, respcache and genuine ones with
``sanitize-dump-payload yes``: what we take they take, and the values are the same.
"""
