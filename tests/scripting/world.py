"""The same small world twice: a host for the interpreter, in Python, and a genuine server.

`x` is a list of one element, so that there is a command that fails.
"""

from __future__ import annotations

from typing import BinaryIO

from respcache import errors
from respcache.errors import CommandError
from respcache.resp.encode import encode
from respcache.resp.types import OK, Reply
from respcache.scripting import Killed
from respcache.scripting.interpreter import Interpreter, Library
from tests.scripting.replies import without_addresses
from tests.support.resp import Connection, pack

MEMORY = 64 << 20
KILLED = "ERR Script killed by user with SCRIPT KILL..."


class World:
    """A host with a few commands, and canned replies for everything else."""

    def __init__(self) -> None:
        self.protocol = 2
        self.strings: dict[bytes, bytes] = {}
        self.canned: dict[bytes, Reply | BaseException] = {}
        self.called: list[list[bytes]] = []
        self.logged: list[tuple[int, bytes]] = []
        # How often the script was polled, and at which poll it is killed.
        self.polls = 0
        self.kill_at = 0

    def call(self, argv: list[bytes]) -> Reply:
        self.called.append(argv)
        name = argv[0].lower()
        if name in self.canned:
            reply = self.canned[name]
            if isinstance(reply, BaseException):
                raise reply
            return reply
        arity = {b"get": 2, b"set": 3, b"incr": 2, b"echo": 2, b"lpush": 3}.get(name)
        if arity is None:
            raise CommandError("ERR Unknown Redis command called from script")
        if len(argv) != arity:
            raise CommandError("ERR Wrong number of args calling Redis command from script")
        if name == b"echo":
            return argv[1]
        if argv[1] == b"x":
            raise CommandError(errors.WRONG_TYPE)
        if name == b"set":
            self.strings[argv[1]] = argv[2]
            return OK
        return self.strings.get(argv[1])

    def interrupted(self) -> None:
        self.polls += 1
        if self.kill_at and self.polls >= self.kill_at:
            raise Killed(KILLED)

    def log(self, level: int, text: bytes) -> None:
        self.logged.append((level, text))

    def allowed(self, argv: list[bytes]) -> bool | None:
        return {b"get": True, b"set": True, b"incr": False}.get(argv[0].lower())


class Engine:
    """An interpreter in its world, asked as by EVAL."""

    def __init__(self, memory: int = MEMORY) -> None:
        self.world = World()
        self.interpreter = Interpreter(self.world, memory)

    def eval(self, text: str | bytes, *words: bytes, keys: int = 0, protocol: int = 2) -> Reply:
        """The reply; an error is raised."""
        script = self.interpreter.compile(text.encode() if isinstance(text, str) else text)
        return self.interpreter.run(script, [*words[:keys]], [*words[keys:]], protocol)

    def wire(self, text: str | bytes, *words: bytes, keys: int = 0, protocol: int = 2) -> bytes:
        """The reply as it is sent."""
        try:
            return encode(self.eval(text, *words, keys=keys, protocol=protocol), protocol)
        except CommandError as error:
            return error.line()

    def load(self, code: bytes) -> Library:
        return self.interpreter.load_library(code)

    def call(self, library: Library, name: bytes, *words: bytes, keys: int = 0, protocol: int = 2) -> bytes:
        """A function's reply as it is sent."""
        try:
            reply = self.interpreter.run_function(library.functions[name], [*words[:keys]], [*words[keys:]], protocol)
            return encode(reply, protocol)
        except CommandError as error:
            return error.line()

    def error(self, text: str | bytes, *words: bytes, keys: int = 0) -> str:
        """The error that the script must end with, without the name and the line of the script."""
        line = self.wire(text, *words, keys=keys)
        assert line.startswith(b"-"), line
        return line[1:-2].decode("utf-8", "surrogateescape").partition(" script: ")[0]


class GenuineWorld:
    """A genuine server."""

    def __init__(self, port: int, protocol: int) -> None:
        self._connection = _Raw(port, protocol)

    def run(self, script: bytes) -> bytes:
        self._connection.pipeline(("DEL", "x"), ("LPUSH", "x", "1"))
        return without_addresses(self._connection.wire("EVAL", script, 0))

    def call(self, *words: str | bytes | int) -> bytes:
        return without_addresses(self._connection.wire(*words))

    def close(self) -> None:
        self._connection.close()


class _Raw(Connection):
    """A connection that keeps the bytes of a reply."""

    def wire(self, *words: str | bytes | int) -> bytes:
        self.send_raw(pack(words))
        file, recorder = self._file, _Recorder(self._file)
        self._file = recorder  # type: ignore[assignment]  # it has what is used
        try:
            self.read()
            return bytes(recorder.seen)
        finally:
            self._file = file


class _Recorder:
    def __init__(self, file: BinaryIO) -> None:
        self._inner = file
        self.seen = bytearray()

    def readline(self) -> bytes:
        return self._keep(self._inner.readline())

    def read(self, size: int) -> bytes:
        return self._keep(self._inner.read(size))

    def _keep(self, data: bytes) -> bytes:
        self.seen += data
        return data
