"""Real libraries on a server, as their users use them: a task retried, a lock lost, a job scheduled, a limit hit.

A program is a module of this package with REQUIREMENTS, and with functions `scenario_...(url)` that raise if something
is not as it should be. Each program has an environment of its own, in the cache; `child` runs in there. JavaScript
programs are `NAME.mjs` files, in `node`. A program that needs commands that are missing names them, in MISSING: it is
expected to fail until they are there, and counted as failing.
"""
