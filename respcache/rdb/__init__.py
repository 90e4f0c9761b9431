"""Redis' own binary format for values, which DUMP, RESTORE and RDB files share. Bytes and values only, no keys, no I/O.

It is read in every version that Redis up to 8.10 and Valkey up to 9.1 write, and written in version 10, that of
Redis 7.0, which all of them read. Reading goes in two steps: bytes become *plain* values, which know nothing of our
classes and settings; those become the values that keys hold.

The modules, in the order to read them:

* `crc`, `lzf`: the checksum at the end of payloads and files, and the compression of strings;
* `strings`: lengths, strings and numbers, and the `Reader` that all others read from;
* `listpack`, `older`: the flat blocks that small collections are kept in, those of today and of earlier versions;
* `plain`: values as they stand in the data;
* `stream_nodes`, `streams`, `modules`, `reading`: bytes to plain values;
* `building`: plain values to those of `respcache.datatypes`;
* `writing`: the way back, at once;
* `payload`: what DUMP gives: a value with its version and checksum;
* `functions`: libraries of functions in the same frame.

Nothing that is read is trusted. Wrong data raises `Malformed` (`BadFrame` for a wrong version or checksum), and what
there is no place for in respcache `Unsupported`; nothing else is ever raised. No loop is longer, and no string larger,
than the bytes that have been read allow: compressed ones stand for 88 times their own at most.
"""
