"""Redis' own binary format for data. So far: what FUNCTION DUMP and FUNCTION RESTORE need.

* `crc`: the checksum at the end of payloads;
* `lzf`: the compression of strings, reading only;
* `strings`: lengths and strings;
* `functions`: libraries of functions as a payload.
"""
