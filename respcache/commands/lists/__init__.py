"""Lists: `elements` has all commands that do not block."""
