"""Streams and their consumer groups.

* `entries`: adding and removing; `ranges`: XRANGE and XREVRANGE; `reading`: XREAD, and what XREADGROUP has in common
  with it;
* `groups`: XGROUP; `group_reading`: XREADGROUP; `pending`: XACK and XPENDING; `claiming`: XCLAIM and XAUTOCLAIM;
* `info`: XINFO STREAM, and `group_info`: its part about groups;
* `ids`: ids and entries as clients write and see them.
"""
