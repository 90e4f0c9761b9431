"""A shard: a child process that holds a part of the keys. A blocking loop over two pipes, without trio.

`wire` is the language that main and shards speak; it lists all items and what they answer. `__main__` is the loop,
`worker` carries out the items of a frame: commands itself, keys that travel between shards with `carrying`, and
everything else with `control`. `serving` runs blocking commands, and those who wait once there is something for them.
"""
