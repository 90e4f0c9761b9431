"""The interpreter: scripts and libraries are compiled, and run, here.

    interpreter = Interpreter(host, memory=256 << 20)
    script = interpreter.compile(b"return redis.call('GET', KEYS[1])")
    reply = interpreter.run(script, [b"key"], [], protocol=2)

What a script returns is a `Reply`; what it raises, or returns as an error, is raised as `ScriptError`.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from respcache import errors
from respcache.errors import CommandError, printable
from respcache.resp.encode import RESP2
from respcache.resp.types import Encoded, Reply, Status
from respcache.scripting.headers import library_header, script_flags
from respcache.scripting.host import Host, Killed, ScriptError
from respcache.scripting.libraries import install
from respcache.scripting.memory import Memory
from respcache.scripting.natives import Natives, Registration, Signal, sha1hex
from respcache.scripting.values import encode_tokens, integer, line_text

# The codes of lua/engine.lua.
_ITEMS, _TOKENS, _MORE, _FAILED, _ENDED = 1, 2, 3, 4, 5
_LUA = Path(__file__).parent / "lua"
# Lua's own words, with a code.
_NO_MEMORY = errors.NO_LUA_MEMORY.encode()
# How many values go over in one call: Lua's limit is about 8,000.
_MOST = 4000
# So many Lua objects can be handed to Python without an allocation in Lua: more than a call can have.
_REFERENCES = 8192


@dataclass(frozen=True, slots=True)
class Script:
    """A compiled script."""

    # The SHA-1 of its text in hexadecimal: its name.
    sha: bytes
    # What ``#!lua flags=...`` says; None without such a line, which Redis treats as before 7.0.
    flags: frozenset[bytes] | None
    body: Any


@dataclass(frozen=True, slots=True)
class Function:
    """A function of a library."""

    name: bytes
    description: bytes | None
    # In the order of FUNCTION LIST.
    flags: tuple[bytes, ...]
    body: Any


@dataclass(frozen=True, slots=True)
class Library:
    """A loaded library. Its functions stay alive, with their state, as long as this does."""

    name: bytes
    engine: bytes
    # With the header.
    code: bytes
    # In the order of their registration.
    functions: dict[bytes, Function]


class Interpreter:
    """One Lua state, for scripts and functions. Imports lupa. `memory` is how many bytes Lua may use."""

    def __init__(self, host: Host, memory: int) -> None:
        try:
            from lupa import lua51  # not at the top: a shard that runs no script does not need it
        except ImportError as error:  # removed, or built against another Lua only
            raise CommandError(errors.no_lua(error)) from error

        self._host = host
        self._lua_error: type[Exception] = lua51.LuaError
        runtime = lua51.LuaRuntime(
            encoding=None,
            unpack_returned_tuples=True,
            register_eval=False,
            register_builtins=False,
            attribute_filter=_no_attributes,
            max_memory=memory,
        )
        self._memory = Memory(runtime, memory)
        self._natives = Natives(host, runtime, self._memory)
        engine = _set_up(runtime, self._natives)
        self._run: Any = engine[b"run"]
        self._run_function: Any = engine[b"run_function"]
        self._compile_script: Any = engine[b"compile_script"]
        self._compile_library: Any = engine[b"compile_library"]
        self._load_library: Any = engine[b"load_library"]
        self._fetch: Any = engine[b"fetch"]
        self._forget: Any = engine[b"forget"]
        self._table_from: Any = runtime.table_from

    def collect(self) -> None:
        """Throw garbage away."""
        self._memory.collect()

    @property
    def memory_used(self) -> int:
        """Bytes that Lua uses, garbage included."""
        return self._memory.used()

    # -- scripts

    def compile(self, text: bytes) -> Script:
        """Compile a script. Raises CommandError, as EVAL does."""
        flags, start = script_flags(text)
        body = self._compile(self._compile_script, text[start:])
        if isinstance(body, bytes):
            raise errors.compile_error(body)
        return Script(sha1hex(text), flags, body)

    def run(self, script: Script, keys: list[bytes], args: list[bytes], protocol: int) -> Reply:
        """Run a script, and return its reply for a client that speaks `protocol`.

        Raises ScriptError for an error of the script, returned or raised (then with its name and line); CommandError if
        the words or the reply are too large; and what the host raised, unless that is Killed, which is an error too.
        """
        outcome = self._enter(self._run, script.body, keys, args)
        return self._reply(outcome, script.sha, protocol)

    # -- functions

    def load_library(self, code: bytes) -> Library:
        """Load a library. Raises CommandError, as FUNCTION LOAD does for what concerns this library alone."""
        name, start = library_header(code)
        body = self._compile(self._compile_library, code[start:])
        if isinstance(body, bytes):
            raise errors.library_compile_error(body)
        registration = self._natives.registration = Registration()
        try:
            outcome = self._enter(self._load_library, body, [], [])
            self._reply(outcome, None, RESP2)
        except CommandError as error:
            raise errors.registration_error(error.text) from None
        finally:
            self._natives.registration = None
        if not registration.functions:
            raise CommandError(errors.NO_FUNCTIONS)
        functions = {
            function: Function(function, description, flags, callback)
            for function, (callback, description, flags) in registration.functions.items()
        }
        return Library(name, b"LUA", code, functions)

    def run_function(self, function: Function, keys: list[bytes], args: list[bytes], protocol: int) -> Reply:
        """The same as `run`, for a function."""
        outcome = self._enter(self._run_function, function.body, keys, args)
        return self._reply(outcome, function.name, protocol)

    # -- into Lua and back

    def _compile(self, compiler: Any, text: bytes) -> Any:
        """The Lua function, or what is wrong with the text as bytes. Raises CommandError if it is too large."""
        self._check_room(2 * len(text))
        try:
            outcome = compiler(text)
        except (Signal, self._lua_error):
            raise self._outside() from None
        return outcome[1] if type(outcome) is tuple else outcome

    def _enter(self, entry: Any, body: Any, keys: list[bytes], args: list[bytes]) -> Any:
        """Call an entry of lua/engine.lua. Returns what it returned."""
        self._natives.start()
        if self._memory.used() + sum(map(len, keys)) + sum(map(len, args)) > self._memory.half:
            self._check_room(sum(map(len, keys)) + sum(map(len, args)))
        try:
            if len(keys) + len(args) <= _MOST:
                return entry(body, len(keys), *keys, *args)
            self._check_room(sum(len(word) + 64 for word in (*keys, *args)))
            return entry(body, None, self._table_from(keys), self._table_from(args))
        except (Signal, self._lua_error):
            raise self._outside() from None

    def _check_room(self, size: int) -> None:
        if not self._memory.fits(size):
            raise CommandError(errors.NO_LUA_MEMORY)

    def _reply(self, outcome: Any, name: bytes | None, protocol: int) -> Reply:
        """What an entry returned as a reply. Raises what `run` raises; without a name, errors have none either."""
        kind = type(outcome)
        if kind is bytes or outcome is None:
            return outcome  # type: ignore[no-any-return]  # mypy does not see what Lua returned
        if kind is int or kind is float:
            return integer(outcome)
        if kind is bool:
            if self._host.protocol != RESP2:
                return outcome  # type: ignore[no-any-return]  # as above
            return 1 if outcome else None
        if outcome[0] == _FAILED:
            if outcome[1] == _NO_MEMORY:
                self._memory.collect()
            raise _failure(name, *outcome[1:])
        if outcome[0] == _ENDED:
            raise self._end(name, *outcome[1:])
        return self._result(outcome, protocol)

    def _result(self, outcome: Any, protocol: int) -> Reply:
        """A table that a script returned."""
        what, values = outcome[0], outcome[1:]
        if what == _MORE:
            what, values = outcome[1], self._fetch_all(outcome[2])
        if what == _ITEMS:
            return list(values)
        if values[:2] == (True, b"-"):
            raise ScriptError(_error_line(values[2]), counted=values[3])
        if values[:2] == (True, b"+"):
            return Status(line_text(values[2]))
        return Encoded(encode_tokens(values, self._host.protocol, protocol))

    def _fetch_all(self, count: int) -> list[Any]:
        """The values that wait in Lua, `_MOST` at a time."""
        values: list[Any] = []
        try:
            for start in range(1, count + 1, _MOST):
                end = min(start + _MOST - 1, count)
                values += self._fetch(start, end) if end > start else (self._fetch(start, end),)
            self._forget()
        except (Signal, self._lua_error):
            raise self._outside() from None
        return values

    def _outside(self) -> BaseException:
        """What to raise if it was not the script that failed, but our Lua code around it.

        Either the poll came there, or the memory was used up.
        """
        if self._natives.ended is not None:
            return self._end(None, None, None)
        self._memory.collect()
        return CommandError(errors.NO_LUA_MEMORY)

    def _end(self, name: bytes | None, source: bytes | None, line: int | None) -> BaseException:
        """What to raise for a script that had to end."""
        reason, self._natives.ended = self._natives.ended, None
        if isinstance(reason, Killed):
            place = None if line is None else b"%d" % line
            return _failure(name, reason.text.encode("utf-8", "surrogateescape"), source, place)
        assert reason is not None
        return reason


def _failure(
    name: bytes | None, text: bytes, source: bytes | None = None, line: bytes | None = None, counted: bool = False
) -> ScriptError:
    """The error of a script, with its name and line as Redis adds them."""
    if name is not None and source is not None and line is not None:
        text = b"%b script: %b, on %b:%b." % (text.partition(b"\0")[0], name, source, line)
    return ScriptError(_error_line(text), counted)


def _error_line(text: bytes) -> str:
    return printable(line_text(text.rstrip(b"\r\n")))


def _no_attributes(thing: object, name: object, setting: bool) -> str:
    """No Lua code gets at an attribute of a Python object, should it ever hold one."""
    raise AttributeError("not for Lua")


def _set_up(runtime: Any, natives: Natives) -> Any:
    """Make the sandbox and the engine. Returns the entries."""

    def execute(name: str, *arguments: Any) -> Any:
        # By the name of the chunk, guards.lua and engine.lua tell our frames from those of scripts.
        return runtime.execute((_LUA / name).read_bytes(), *arguments, name=b"=respcache")

    functions = runtime.table_from({**natives.table(), b"signal": natives.signal})
    libraries = runtime.table_from(install(runtime))
    guards = execute("guards.lua", functions)
    sandbox = execute("sandbox.lua", functions, libraries, guards, execute("random.lua"))
    entries = execute("engine.lua", functions, guards, sandbox)
    runtime.execute(_CLOSE, name=b"=respcache")
    # Make room in Lua's table of references, and leave it empty.
    [runtime.table_from(()) for _ in range(_REFERENCES)]
    runtime.gccollect()
    return entries


# The globals of lupa's Lua state are those of no script. What is dangerous among them goes all the same.
_CLOSE = b"""
for name in pairs(_G) do
    if name ~= '_G' then
        _G[name] = nil
    end
end
"""
