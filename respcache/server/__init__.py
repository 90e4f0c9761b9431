"""The main process: it speaks RESP, puts every command into one global order, and fans out to the shards."""
