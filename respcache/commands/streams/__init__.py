"""Streams: `entries` adds and removes, `ranges` and `reading` return, `info` describes; `ids` has what they share."""
