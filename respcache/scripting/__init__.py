"""Lua scripts: the interpreter, its sandbox, and what scripts see of Redis. Knows nothing of shards and commands.

A tour:

* `host` says what a script needs of its surroundings: the `Host` carries out commands and answers polls. `Killed` and
  `ScriptError` are what goes back.
* `interpreter` has the one class that others use. An `Interpreter` compiles scripts, loads libraries and runs both. It
  is what imports lupa, when the first one is made.
* `headers` reads the first line of scripts and libraries (``#!lua flags=no-writes``).
* `natives` are the functions of `redis` that scripts call, and the poll.
* `values` turns replies into Lua values, and what a script returns into a reply.
* `lua/guards.lua` has everything that catches errors, and ends scripts; `lua/random.lua` is Redis' math.random.
* `lua/sandbox.lua` makes the globals of scripts: what Redis has, read-only, with no way out.
* `lua/engine.lua` runs scripts in them, finds the line of an error, and flattens what they return.
* `tailcalls` takes the tail calls out of compiled scripts, so that errors keep their lines.
* `libraries` are cjson, cmsgpack, struct and bit.
* `memory` says how much may be handed to Lua.

Three rules keep this safe:

1. A script never holds a Python object. The functions of `redis` are C functions of lupa, and they raise one exception,
   `Signal`, which Lua's side translates before any script can see it.
2. Python keeps no Lua tables, and Lua none of Python's objects beyond those functions: such cycles are never freed.
3. lupa calls Lua's C API without protection, so it must never run out of memory there. Lua may use all of `memory`, but
   Python hands nothing over while more than half of it is used (`Memory`).
"""

from __future__ import annotations

from respcache.scripting.headers import FLAGS as FLAGS
from respcache.scripting.host import Host as Host
from respcache.scripting.host import Killed as Killed
from respcache.scripting.host import ScriptError as ScriptError
