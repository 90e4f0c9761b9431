"""Commands about strings."""
