"""Strings: `values` has all commands but LCS."""
