"""The main process: everything between sockets and shards. The only package, besides `testing`, that knows trio.

A guided tour. The names of this package, in an order in which each is explained before it is used; the files in the
same order, from the ground up.

**The ground.** A *command* of a client is a list of words (`respcache.resp.types`, which also has the Python values
that are replies). What is known about it is its *row* in a table (`respcache.commands.table`), with its *handler*. A
*shard* is a child process that holds a part of the keys (`respcache.shard`). Main tells it what to do in *items* and
hears *results* and *reports* (`respcache.shard.wire`); which *caller* a command runs for is told by value
(`respcache.store.call`). Time comes from one clock (`respcache.clock`), and everything that waits for a time is an
*alarm* (`respcache.alarms`). Lines on the log that clients can cause have a `kind`, by which they are limited
(`respcache.logs`).

* `io`: bytes, no RESP. The `poller` waits for all descriptors at once and works in *rounds*: whatever an action
  produces is sent at the end of the round. A `transport` is one socket, a `listener` accepts them.
* `host`: the machine: signals, descriptors, the pid file, `daemonize`, and systemd or upstart, which supervise us.
* `services`: small parts that stand by themselves: who is connected (`registry`), counters (`stats`), CLIENT PAUSE
  (`pause`), pub/sub (`pubsub`) and keyspace events (`events`), backpressure (`congestion`), calls of commands that
  respcache does not have yet (`missing`), another server that MIGRATE sends keys to (`target`). What they need of a
  client they declare as a Protocol.

**One shard.** `shards.queue` holds what a shard has to do, in order. Each item has a *ticket*, which gets the answer.
A *barrier* holds a queue up while its owner talks to the shard alone. `shards.process` is the child, `shards.link`
ties queue and child together and restarts what dies, `shards.expiry` sends ticks when keys expire.

**The order.** `order.router` knows which shard a key is on. `order.plan` says how a command runs: local, on one
shard, split into parts, on all, by cursor, or carried. `order.outbox` is what a client is owed: *batches* of replies,
in the order of its commands. Answers of shards fill the batches by way of tickets: `order.tickets` has those of runs
and transactions, `order.gather` those of parts, `order.scan` the one of SCAN. `order.sequencer` gives commands their
places in the queues, in one synchronous step; that step is what makes commands over several shards atomic.
`order.carry` brings keys of several shards together for one command, `order.exec` runs transactions. `order.waits` has
the blocking commands, whose clients wait in a shard, and `order.claims` those with keys on several shards.
`order.namespaces` are the servers within the server, each with its own scripts and channels.

**Clients.** `parts` is the object that clients and handlers share: all of the above. `clients.client` is the state of
one client and its transitions. `clients.dispatch` takes one command through `clients.checks` to its plan.
`clients.conversation` turns a client's bytes into commands (`respcache.resp.decode`), and has the fast path for
commands with one key, which needs no dispatch. `clients.limits` cuts off clients that leave too many replies unread,
`clients.idle` those that are silent for too long. `clients.describe` is CLIENT LIST's line about one.

**The doors.** `doors.resp` decides who may come in and begins a conversation. `doors.http` does so for clients that
speak HTTP; it is imported only if it has a port. `commands` are the commands that main answers itself. `server` builds
all parts and ties them together, `listening` opens the ports, each with its door, and `app` runs it all from start to
end.

How these work together is told in docs/concepts/architecture.md; `python -m tests.layering` draws who imports whom.
"""
