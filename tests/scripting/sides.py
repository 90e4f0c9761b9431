"""One script on two sides: a bare interpreter with respcache's libraries in it, and a genuine server.

Results are compared as text, made by the same Lua function on both sides: strings quoted, numbers exact, tables sorted.
"""

from __future__ import annotations

from typing import Any, Protocol

from lupa.lua51 import LuaRuntime

from respcache.scripting.libraries import install
from respcache.scripting.tailcalls import without_tail_calls
from tests.support.resp import Connection, ReplyError

# On one line with the script, which so has line 1. `try` calls through pcall, a C function: errors carry no line. The
# options of cjson outlive a script.
PRELUDE = rb"""
local function show(value)
  local kind = type(value)
  if kind == 'string' then
    local function escape(character) return string.format("\\x%02x", string.byte(character)) end
    return "'" .. string.gsub(value, "[^\32-\126]", escape) .. "'"
  elseif kind == 'number' then
    return string.format('%.17g', value)
  elseif value == cjson.null then
    return 'null'
  elseif kind == 'table' then
    local lines = {}
    for key, item in pairs(value) do table.insert(lines, '[' .. show(key) .. ']=' .. show(item)) end
    table.sort(lines)
    return '{' .. table.concat(lines, ',') .. '}'
  end
  return kind == 'boolean' and tostring(value) or kind
end
local function all(...)
  local texts = {}
  for index = 1, select('#', ...) do table.insert(texts, show((select(index, ...)))) end
  return table.concat(texts, ' ')
end
local function try(...)
  return all(pcall(...))
end
local function defaults()
  cjson.encode_sparse_array(false, 2, 10) cjson.encode_max_depth(1000) cjson.decode_max_depth(1000)
  cjson.encode_number_precision(14) cjson.encode_keep_buffer(true)
  cjson.encode_invalid_numbers(false) cjson.decode_invalid_numbers(true)
end
defaults()
""".replace(b"\n", b" ")


class Side(Protocol):
    def run(self, script: bytes, *arguments: bytes) -> str:
        """What the script returns, a string; the text of the error if it raises one."""


class Bare:
    """Lua 5.1 with the libraries and nothing else of respcache."""

    def __init__(self, memory: int = 0) -> None:
        self._lua = LuaRuntime(
            encoding=None, unpack_returned_tuples=True, register_eval=False, register_builtins=False, max_memory=memory
        )
        self._globals = self._lua.globals()
        for name, library in install(self._lua).items():
            self._globals[name] = library
        self._dump = self._lua.eval(b"function(text) return string.dump(assert(loadstring(text, '@user_script'))) end")
        self._call = self._lua.eval(b"function(code) return (select(2, pcall(assert(loadstring(code))))) end")

    def run(self, script: bytes, *arguments: bytes) -> str:
        self._lua.gccollect()  # what is handed over below must fit: Lua aborts the process otherwise
        self._globals[b"ARGV"] = self._lua.table_from(list(arguments))
        code = without_tail_calls(self._dump(PRELUDE + script))
        return _text(self._call(code))


class Genuine:
    def __init__(self, port: int) -> None:
        self._connection = Connection(port)

    def run(self, script: bytes, *arguments: bytes) -> str:
        result = self._connection.call("EVAL", PRELUDE + script, 0, *arguments)
        if isinstance(result, ReplyError):
            return str(result).split(" script: ")[0].removeprefix("ERR ")
        return _text(result)

    def close(self) -> None:
        self._connection.close()


def _text(result: Any) -> str:
    return result.decode("latin-1") if isinstance(result, bytes) else repr(result)
