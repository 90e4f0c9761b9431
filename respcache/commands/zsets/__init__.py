"""Sorted sets: `members`, `ranges` of them, and what is computed from several in `algebra`."""
