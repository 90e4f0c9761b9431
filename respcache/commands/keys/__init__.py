"""Commands about keys, whatever their values are.

* `generic`: DEL, EXISTS, TYPE, RENAME, COPY and their like, for single keys or several;
* `expiry`: EXPIRE, TTL and their variants;
* `search`: KEYS, SCAN, RANDOMKEY;
* `databases`: DBSIZE, FLUSHALL, SWAPDB;
* `object`, `memory`: what is known about a key and its value;
* `dump`: values in Redis' own binary format: DUMP, RESTORE;
* `sort`: SORT, which takes lists, sets and sorted sets.
"""
