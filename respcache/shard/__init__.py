"""A shard: a child process that holds a part of the keys. A blocking loop over two pipes; no trio in here."""
