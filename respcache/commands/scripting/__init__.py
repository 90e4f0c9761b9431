"""Scripts and functions, seen from the commands: what a text can be proven to do, and EVAL, FCALL and their kin.

For main, which decides by a script's text how it runs:

* `tokens`: Lua cut into tokens;
* `closed`: what a text proves about the commands and keys that it uses; `knowledge`: what is known of its values;
* `calls`: a call in the text, and where it leads.

For a shard, which runs it:

* `scripts`, `functions`: the commands;
* `running`: the world that a script sees, and the compiled ones that are kept;
* `admission`: what a command called by a script has to pass, in main as well;
* `replies`: encoded replies as values again; `sorting`: SORT within scripts.

SCRIPT and FUNCTION are main's, in `respcache.server.commands.scripting`.
"""
