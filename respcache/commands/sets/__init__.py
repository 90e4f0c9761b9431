"""Sets: one set in `members`, what is computed from several in `algebra`."""
