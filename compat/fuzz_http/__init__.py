"""A fuzzer for the HTTP door: hostile and odd HTTP, judged from outside. `python -m compat fuzz-http`.

A *case* (`case`) is one connection: what is sent on it, in which pieces, how it ends, and which answer each request
deserves (`Want`). Cases are made from a seed and a number: `odd` has requests that are strange and leave the connection
usable, `framing` those whose end is in doubt, after which the connection has to be closed, `conversations` clients that
behave badly, `mutated` streams with bytes changed at random, which `reference` reads as the RFC does. `mix` chooses.

`driver` holds many connections at once and reads the answers (`reader`); `judge` compares. Most cases carry a
*canary*, a command that sets a key and that no correct server sees as a request of its own. `model` knows which keys
must and which may be there; it looks through the RESP door after each batch. `beside` holds what else must go well
meanwhile: other clients, memory, the log.
"""
