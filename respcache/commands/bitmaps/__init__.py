"""Commands about strings as arrays of bits."""
