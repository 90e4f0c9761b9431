"""RESPCACHE: what no other server offers to the tests that run against it.

Refused unless ``enable-test-commands`` allows it. A family of features is a module; a new one registers its commands by
`family.command`, and adds to `Parts.on_reset` what RESPCACHE RESET is to take back.
"""

from respcache.server.commands.control import clock, faults, http, lint, reset, snapshots

__all__ = ["clock", "faults", "http", "lint", "reset", "snapshots"]
