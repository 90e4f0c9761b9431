"""Scripts and functions, seen from the commands: what a text can be proven to do, and EVAL, FCALL and their kin.

* `tokens`: Lua cut into tokens;
* `closed`: what a script's text proves about the commands and keys that it uses, which decides how it runs;
* `scripts`, `functions`: the commands that run in a shard.

SCRIPT and FUNCTION are main's, in `respcache.server.commands.scripting`.
"""
