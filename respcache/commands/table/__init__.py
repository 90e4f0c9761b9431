"""The command table: what `@command` writes, and everything else reads.

One decorator above a handler is all there is to a command. Arity checks, routing to shards, MULTI, ACL categories,
COMMAND, HELP, the reference docs and the coverage of compat/ are all derived from `TABLE`; there is no second list.

Handlers come in two sorts. Those in `respcache.commands` run in a shard, next to the data: plain functions
``(shard, args) -> reply``. Those in `respcache.server.commands` run in the main process (reach LOCAL) and get the
client instead of the shard.

The modules, in the order to read them:

* `keys`: where the keys are among the words of a command;
* `gather`: how the replies of several shards merge into one;
* `spec`: a row (`Command`), its flags, its reach, and `TABLE` itself;
* `registry`: `family`, which makes the decorators, and `lookup`, which finds the row for a command's words;
* `syntax`: a row's syntax taken apart, for COMMAND DOCS and HELP;
* `help`: the HELP subcommands;
* `tips`, `categories`: two columns of COMMAND INFO.

Importers take the names of the first four from here.
"""

from __future__ import annotations

from respcache.commands.table.gather import *  # noqa: F403 - all of them are the vocabulary of registration
from respcache.commands.table.keys import *  # noqa: F403 - as above
from respcache.commands.table.registry import *  # noqa: F403 - as above
from respcache.commands.table.spec import *  # noqa: F403 - as above
