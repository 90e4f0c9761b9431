"""Other people's test suites, fetched at run time at pinned versions, run unchanged against a server.

A suite is a module of this package with the names that `compat.suites.base.Suite` lists. What it leaves out stands in
`skips/NAME.txt`, one test (or pattern) a line with its reason; that a test fails is no reason.
"""
