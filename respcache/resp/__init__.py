"""RESP: bytes to commands, replies to bytes. Knows nothing of servers, keys or commands."""
