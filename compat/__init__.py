"""Proof against the outside world: the same as genuine Redis, and how fast next to it."""
