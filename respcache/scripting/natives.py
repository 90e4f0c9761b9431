"""The functions of `redis`, as scripts call them, and the poll that can end a script.

lupa calls these from Lua. They fail by noting what is wrong in `_failure` (an error that the script sees, and may
catch) or in `ended` (the script has to end), and raising `Signal`. It is one exception that is raised again and again:
Lua has had its object since the start, so that raising it takes no memory there.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Callable
from math import copysign
from time import monotonic
from typing import TYPE_CHECKING, Any, NoReturn

from respcache import REDIS_VERSION, errors
from respcache.errors import CommandError
from respcache.logs import log_exception
from respcache.resp.encode import RESP2, format_double
from respcache.resp.types import OK
from respcache.scripting.headers import FLAGS, check_name
from respcache.scripting.host import Killed
from respcache.scripting.tailcalls import without_tail_calls
from respcache.scripting.values import error_table, error_text, to_lua, weight

if TYPE_CHECKING:
    from respcache.scripting.host import Host
    from respcache.scripting.memory import Memory

# How long the code of a library may run while it is loaded, in seconds. In real time: what is bounded is the work.
LOAD_TIMEOUT = 0.5

_OK = {b"ok": b"OK"}
_HEXADECIMAL = re.compile(rb"\s*[+-]?0[xX][0-9a-fA-F]+\s*")
_DECIMAL = re.compile(rb"\s*[+-]?([0-9]+\.?[0-9]*|\.[0-9]+)([eE][+-]?[0-9]+)?\s*")


class Signal(Exception):
    """Something that Lua's side looks up (`Natives.describe`)."""


class Registration:
    """What a library has registered while it loads: name -> (callback, description, flags)."""

    __slots__ = ("deadline", "functions")

    def __init__(self) -> None:
        self.functions: dict[bytes, tuple[Any, bytes | None, tuple[bytes, ...]]] = {}
        # On the monotonic clock, in seconds.
        self.deadline = monotonic() + LOAD_TIMEOUT


class Natives:
    """The functions, for one interpreter."""

    def __init__(self, host: Host, runtime: Any, memory: Memory) -> None:
        self._host = host
        self._table_from = runtime.table_from
        self._memory = memory
        self.signal = Signal()
        # The error on its way to the script: its text, and whether a command has failed with it.
        self._failure: tuple[bytes, bool] | None = None
        # The first words of a command that has many.
        self._gathered: list[Any] = []
        # Why the running script has to end; for its caller.
        self.ended: BaseException | None = None
        # While a library loads.
        self.registration: Registration | None = None

    def table(self) -> dict[bytes, Callable[..., Any]]:
        """All of them, by the names that Lua's side knows."""
        often_called: dict[bytes, Callable[..., Any]] = {
            b"call": self._call_function(raising=True),
            b"describe": self._describe,
            b"gather": self._gather,
            b"interrupted": self._interrupted,
            b"long_call": self._call_function(raising=True, gathered=True),
            b"long_pcall": self._call_function(raising=False, gathered=True),
            b"pcall": self._call_function(raising=False),
        }
        others: dict[bytes, Callable[..., Any]] = {
            b"acl_check_cmd": self._acl_check_cmd,
            b"breakpoint": lambda *_: False,
            b"debug": lambda *_: (),
            b"error_reply": self._error_reply,
            b"log": self._log,
            b"long_acl_check_cmd": lambda *words: self._acl_check_cmd(*self._with_gathered(words)),
            b"register_function": self._register_function,
            b"replicate_commands": lambda *_: True,
            b"set_repl": self._set_repl,
            b"setresp": self._setresp,
            b"sha1hex": self._sha1hex,
            b"status_reply": self._status_reply,
            b"straighten": self._straighten,
            b"version": lambda *_: (REDIS_VERSION.encode(), _version_number(REDIS_VERSION)),
        }
        return often_called | {name: self._guarded(native) for name, native in others.items()}

    def _guarded(self, native: Callable[..., Any]) -> Callable[..., Any]:
        """The same function, of which no exception but the signal gets to Lua, where a script could catch it."""

        def guarded(*arguments: Any) -> Any:
            try:
                return native(*arguments)
            except Signal:
                raise
            except Exception:
                log_exception("a function of redis failed in a script")
            return self._fail(errors.INTERNAL)

        return guarded

    def start(self) -> None:
        """A script is about to run."""
        self._host.protocol = RESP2
        self._memory.start()
        self.ended = None
        self._gathered = []

    # -- failing

    def _fail(self, text: str | bytes, counted: bool = False) -> NoReturn:
        """Raise an error that the script sees."""
        self._failure = (text.encode() if isinstance(text, str) else text, counted)
        raise self.signal.with_traceback(None)

    def _end(self, reason: BaseException) -> NoReturn:
        """End the script."""
        self.ended = reason
        self._failure = None
        raise self.signal.with_traceback(None)

    def _describe(self) -> tuple[bytes, bool] | None:
        """What the last signal was about; None if it ends the script."""
        return None if self.ended is not None else self._failure

    def _interrupted(self) -> bool:
        """The poll: True if the script has to end."""
        try:
            self._memory.relieve()
            if self.registration is None:
                self._host.interrupted()
            elif monotonic() > self.registration.deadline:
                raise Killed(errors.FUNCTION_LOAD_TIMEOUT)
        except BaseException as reason:  # nothing may pass through Lua; `Interpreter` raises it again
            self.ended = reason
            return True
        return False

    # -- commands

    def _call_function(self, *, raising: bool, gathered: bool = False) -> Callable[..., Any]:
        """`redis.call` or `redis.pcall`, with those of `_gather` or without. A closure, since it is called often."""
        host, memory, used, table_from = self._host, self._memory, self._memory.used, self._table_from
        half = memory.half

        def call(*words: Any) -> Any:
            if gathered:
                words = self._with_gathered(words)
            for word in words:
                if type(word) is not bytes:
                    words = self._words(words, raising)
                    if words and type(words[0]) is not bytes:
                        return words[0]
                    break
            if not words:
                return self._refuse(errors.NO_CALL_WORDS, raising)
            text = None
            ended = None
            try:
                reply = host.call([*words])
            except CommandError as error:
                text = error_text(error)
            except BaseException as reason:
                ended = reason
            if text is not None:
                if raising:
                    words = ()  # lupa keeps the last traceback, and with it this frame
                    self._fail(text, counted=True)
                return self._give(error_table(text))
            if ended is not None:
                self._end(ended)
            kind = type(reply)
            if kind is int:
                return reply
            if kind is bytes:
                if used() + len(reply) > half:  # type: ignore[arg-type]  # mypy does not see that it is bytes
                    self._make_room(len(reply))  # type: ignore[arg-type]  # as above
                return reply
            if reply is None:
                return False if host.protocol == RESP2 else None
            if reply is OK and used() < half:
                return table_from(_OK)
            self._make_room(weight(reply))  # before it is copied: it may hold the same long string many times
            return self._hand_over(to_lua(reply, host.protocol))

        return call

    def _gather(self, first: bool, *words: Any) -> None:
        """Some words of a command that has many, of which the last ones come by ``long_call``."""
        if first:
            self._gathered = []  # perhaps Lua had no memory to go on with another command
        self._gathered += words

    def _with_gathered(self, words: tuple[Any, ...]) -> tuple[Any, ...]:
        gathered, self._gathered = self._gathered, []
        return (*gathered, *words)

    def _give(self, value: Any) -> Any:
        """A value from `to_lua` for Lua."""
        self._make_room(weight(value))
        return self._hand_over(value)

    def _hand_over(self, value: Any) -> Any:
        return self._table_from(value, recursive=True) if isinstance(value, (list, dict)) else value

    def _make_room(self, size: int) -> None:
        if not self._memory.fits(size):
            self._fail(errors.NO_LUA_MEMORY)

    def _refuse(self, text: str, raising: bool) -> Any:
        if raising:
            self._fail(text)
        return self._give({b"err": text.encode()})

    def _words(self, words: tuple[Any, ...], raising: bool) -> tuple[Any, ...]:
        """The words of a command as bytes. If they are no words, raises, or returns the error table alone."""
        found = []
        for word in words:
            if type(word) is bytes:
                found.append(word)
            elif type(word) is int or type(word) is float:
                found.append(_number_word(word))
            else:
                return (self._refuse(errors.BAD_CALL_WORDS, raising),)
        return tuple(found)

    def _acl_check_cmd(self, *words: Any) -> bool:
        if not words:
            self._fail(errors.NO_CALL_WORDS)
        allowed = self._host.allowed(list(self._words(words, raising=True)))
        if allowed is None:
            self._fail(errors.ACL_CHECK_BAD_COMMAND)
        return allowed

    # -- the rest

    def _straighten(self, bytecode: bytes) -> bytes:
        code = without_tail_calls(bytecode)
        self._make_room(len(code))
        return code

    def _error_reply(self, *arguments: Any) -> Any:
        if len(arguments) != 1 or type(arguments[0]) is not bytes:
            return self._give({b"err": errors.LUA_BAD_ARGUMENTS.encode()})
        text = arguments[0].partition(b"\0")[0].removeprefix(b"-")
        code, space, rest = text.partition(b" ")
        rest = rest.strip(b"\r\n") if space else code.strip(b"\r\n")
        return self._give({b"err": b"%b %b" % (code if space else b"ERR", rest)})

    def _status_reply(self, *arguments: Any) -> Any:
        if len(arguments) != 1 or type(arguments[0]) is not bytes:
            return self._give({b"err": errors.LUA_BAD_ARGUMENTS.encode()})
        return self._give({b"ok": arguments[0]})

    def _sha1hex(self, *arguments: Any) -> bytes:
        if len(arguments) != 1:
            self._fail(errors.LUA_WRONG_COUNT)
        return sha1hex(_string(arguments[0]) or b"")

    def _log(self, *arguments: Any) -> Any:
        if len(arguments) < 2:
            self._fail(errors.LOG_WRONG_COUNT)
        level = _number(arguments[0])
        if level is None:
            self._fail(errors.LOG_BAD_LEVEL_TYPE)
        if not 0 <= int(level) <= 3:
            self._fail(errors.LOG_BAD_LEVEL)
        words = [word for word in map(_string, arguments[1:]) if word is not None]
        self._host.log(int(level), b" ".join(words))
        return ()

    def _setresp(self, *arguments: Any) -> Any:
        if len(arguments) != 1:
            self._fail(errors.SETRESP_WRONG_COUNT)
        protocol = int(_number(arguments[0]) or 0)
        if protocol not in (2, 3):
            self._fail(errors.SETRESP_BAD_VERSION)
        self._host.protocol = protocol
        return ()

    def _set_repl(self, *arguments: Any) -> Any:
        if len(arguments) != 1:
            self._fail(errors.SET_REPL_WRONG_COUNT)
        if int(_number(arguments[0]) or 0) & ~3:
            self._fail(errors.SET_REPL_BAD_FLAGS)
        return ()

    # -- libraries

    def _register_function(self, *arguments: Any) -> Any:
        registration = self.registration
        if registration is None:
            self._fail(errors.REGISTER_NOT_LOADING)
        failed = ""
        try:
            name, callback, description, flags = _function_arguments(arguments)
            check_name(name)
            if name in registration.functions:
                raise CommandError(errors.FUNCTION_EXISTS_IN_LIBRARY)
        except CommandError as error:
            failed = error.text  # not the error: with its traceback and this frame, it would be a cycle
        if failed:
            self._fail(failed)
        registration.functions[name] = (callback, description, flags)
        return ()


def sha1hex(text: bytes) -> bytes:
    return hashlib.sha1(text, usedforsecurity=False).hexdigest().encode()


def _function_arguments(arguments: tuple[Any, ...]) -> tuple[bytes, Any, bytes | None, tuple[bytes, ...]]:
    """Name, callback, description and flags of a function. Raises CommandError."""
    if len(arguments) not in (1, 2):
        raise CommandError(errors.REGISTER_WRONG_COUNT)
    if len(arguments) == 1:
        return _named_arguments(arguments[0])
    name = _string(arguments[0])
    if name is None:
        raise CommandError(errors.REGISTER_FIRST)
    if not _is(arguments[1], "function"):
        raise CommandError(errors.REGISTER_SECOND)
    return name, arguments[1], None, ()


def _named_arguments(table: Any) -> tuple[bytes, Any, bytes | None, tuple[bytes, ...]]:
    """The same from a table, whose fields are looked at in its own order."""
    if not _is(table, "table"):
        raise CommandError(errors.REGISTER_NOT_A_TABLE)
    name = callback = description = None
    flags: tuple[bytes, ...] = ()
    for key, value in table.items():
        key = _string(key)
        if key is None:
            raise CommandError(errors.REGISTER_KEY)
        field = key.lower()
        if field == b"function_name":
            name = _required(value, errors.REGISTER_NAME)
        elif field == b"description":
            description = _required(value, errors.REGISTER_DESCRIPTION)
        elif field == b"callback":
            if not _is(value, "function"):
                raise CommandError(errors.REGISTER_CALLBACK)
            callback = value
        elif field == b"flags":
            if not _is(value, "table"):
                raise CommandError(errors.REGISTER_FLAGS)
            flags = _flags(value)
        else:
            raise CommandError(errors.REGISTER_UNKNOWN)
    if name is None:
        raise CommandError(errors.REGISTER_NO_NAME)
    if callback is None:
        raise CommandError(errors.REGISTER_NO_CALLBACK)
    return name, callback, description, flags


def _required(value: Any, otherwise: str) -> bytes:
    text = _string(value)
    if text is None:
        raise CommandError(otherwise)
    return text


def _flags(table: Any) -> tuple[bytes, ...]:
    """The flags in the table, in the order of `FLAGS`."""
    found = set()
    at = 1
    while (value := table[at]) is not None:
        flag = (_string(value) or b"").lower()
        if flag not in FLAGS:
            raise CommandError(errors.REGISTER_UNKNOWN_FLAG)
        found.add(flag)
        at += 1
    return tuple(flag for flag in FLAGS if flag in found)


def _is(value: Any, kind: str) -> bool:
    from lupa import lua51

    return bool(lua51.lua_type(value) == kind)


# -- Lua's conversions between numbers and strings


def _string(value: Any) -> bytes | None:
    """As `lua_tolstring`: numbers are strings too."""
    if type(value) is bytes:
        return value
    if type(value) in (int, float):
        return b"%.14g" % value
    return None


def _number(value: Any) -> float | None:
    """As `lua_tonumber`: strings with a number in them are numbers too. None for anything else.

    Numbers that C could not make an integer of, which is what callers want, are none either.
    """
    if type(value) is bytes:
        if _HEXADECIMAL.fullmatch(value):
            value = int(value, 16)
        elif _DECIMAL.fullmatch(value):
            value = float(value)
    if type(value) is int or type(value) is float:
        return value if abs(value) < 1 << 63 else None  # NaN is not less
    return None


def _number_word(number: float) -> bytes:
    """A number as a word of a command: integers in digits up to 2**62, others in the fewest digits that are exact."""
    if number != number:
        return b"-nan" if copysign(1, number) < 0 else b"nan"
    if type(number) is int and abs(number) <= 1 << 62:
        return b"%d" % number
    return format_double(float(number))


def _version_number(version: str) -> int:
    major, minor, patch = map(int, version.split("."))
    return major << 16 | minor << 8 | patch
