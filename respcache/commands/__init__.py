"""The commands that run in a shard. Importing `respcache.commands.all` fills the table with them."""
