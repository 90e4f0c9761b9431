"""Scripts and functions, seen from the commands: what a text can be proven to do, and EVAL, FCALL and their kin.

* `scripts`, `functions`: the commands that run in a shard;
* `running`: what these run on, and what scripts see of their shard;
* `admission`: which commands a script may call; `sorting`: SORT within scripts; `replies`: what main answers to a
  script's command, as values again;
* `closed`: what a script's text proves about the commands and keys that it uses, which decides how it runs. `tokens`
  and `parser` read the text, `inference` draws the conclusions, from `values` and from what `calls` says of a command.

SCRIPT and FUNCTION are main's, in `respcache.server.commands.scripting`.
"""
