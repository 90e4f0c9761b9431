"""RESPCACHE: what no other server offers to the tests that run against it.

Refused unless ``enable-test-commands`` allows it. A family of features is a module; a new one registers its commands by
`family.command`, and what RESPCACHE RESET is to take back goes into `Parts.on_reset`, in `respcache.server.server`.
"""

from respcache.server.commands.control import clock, faults, http, journal, lint, namespaces, reset, snapshots

__all__ = ["clock", "faults", "http", "journal", "lint", "namespaces", "reset", "snapshots"]
