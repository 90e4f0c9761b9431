"""respcache, a genuine redis-server and fakeredis' TCP server, measured side by side: `python -m compat.bench`.

* `servers`   the three programs under test: started, watched (memory, processor time), ended
* `wire`      a connection, for loads that redis-benchmark cannot make
* `loadgen`   a load generator for machines without redis-benchmark
* `loads`     the measurements, one small function each, in one table
* `report`    the medians of several rounds: as text, and as REPORT.md
* `chart`     the ratios as a picture
"""
