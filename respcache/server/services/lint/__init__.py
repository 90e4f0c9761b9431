"""Lint: finds what works on a single test server, and breaks or hurts in production.

`linter.Lint` is an interceptor (`respcache.server.services.interception`): it sees each command before it runs, and
each reply. What it looks for is the table of `rules`, from which docs/reference/lint.md is made:

* `before` has the rules that need nothing but the words of a command; they alone can refuse it;
* `sizes` those that need to know how large keys are, which is asked of shards in line with the commands (`Measure`);
* `rounds` those that look at several commands of a client.

`profiles` says what the services lack that people run Redis at, each row with its source, and `deprecated` which
commands Redis calls so. `findings` keeps what was found: merged, and bounded.

Off, nothing of it is looked at but `Interception.active`.
"""
