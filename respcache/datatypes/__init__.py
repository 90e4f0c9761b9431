"""The values that keys hold: plain classes that know neither RESP, nor keys, nor the clock.

Each class has `__len__` (an empty value is removed by the keyspace), `encoding` (the name that OBJECT ENCODING prints,
with Redis' own thresholds), `dump` and `load` (to and from what `marshal` takes: how a value travels between
processes) and `copy`. Strings are the exception: they are plain `bytes`, or `bytearray` once they were changed in
place (which is what Redis calls "raw").
"""
