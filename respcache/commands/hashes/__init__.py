"""Hashes: all commands are in `fields`."""
