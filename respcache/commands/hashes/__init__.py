"""Commands about hashes."""
