"""Commands about sets."""
