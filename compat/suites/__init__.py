"""Other people's test suites, fetched at run time in pinned versions and run unchanged against a server.

A suite is a module of this package with the names that `compat.suites.base.Suite` lists. The tests it leaves out are
listed in `skips/NAME.txt`, one test (or pattern) per line, with the reason. That a test fails is not a reason.
"""
