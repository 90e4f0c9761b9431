"""The data of one shard: databases of keys, their deadlines, and the doors through which commands reach them."""
