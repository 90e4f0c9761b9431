"""Real libraries on a server, used as their users do: a task is retried, a lock lost, a job scheduled, a limit hit.

A program is a module of this package with REQUIREMENTS, and with functions `scenario_...(url)` that raise if something
is wrong. Each program has its own environment, in the cache; `child` runs inside it. JavaScript programs are `NAME.mjs`
files, in `node`. A program that needs missing commands lists them in MISSING: it is expected to fail until they exist,
and counted as failing.
"""
