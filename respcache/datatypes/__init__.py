"""The values that keys hold: plain classes that know neither RESP, nor keys, nor the clock.

Each class has `__len__` (the keyspace removes an empty value, unless it is a stream), `encoding` (the name that OBJECT
ENCODING prints, by Redis' own thresholds), `dump` and `load` (to and from what `marshal` takes, so that a value can
travel between processes) and `copy`. Strings are the exception: they are plain `bytes`, or `bytearray` once changed in
place (which is what Redis calls "raw").
"""
