"""Commands about sorted sets."""
