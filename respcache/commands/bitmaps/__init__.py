"""Strings as arrays of bits: single bits in `bits`, integers of any width in `fields`."""
