"""Commands about the keyspace, whatever the values are."""
