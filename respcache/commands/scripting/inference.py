"""What a script does with commands and keys, concluded step by step while its text is parsed.

Of each value this keeps only what matters: that it is an element of KEYS, or KEYS itself, or `redis.call`, and so on.
Those that matter may be used in a few plain ways. In any other, they could come back under another name or be changed,
so there is doubt.

What is known of a variable can be refuted by an assignment further down, which a loop may run before. So a variable
notes whether something was concluded from it (`relied_on`), and an assignment refutes the conclusion.
"""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING

from respcache.commands.scripting.calls import Call, answered_by_main, keys_are_among
from respcache.commands.scripting.values import ANY, KEY, MANY, NIL, Function, Is, Value, Variable, spread

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

# Global names that may be used in any way: nothing that they lead to gives access to commands or to KEYS.
_HARMLESS = frozenset(
    b"ARGV assert bit cjson cmsgpack collectgarbage coroutine error getmetatable ipairs math next os pairs pcall "
    b"rawequal rawget rawset select setmetatable string struct table tonumber tostring type unpack xpcall".split()
)
# Fields of `redis` that may be read and called at will.
_HARMLESS_FIELDS = frozenset(
    b"error_reply status_reply sha1hex log LOG_DEBUG LOG_VERBOSE LOG_NOTICE LOG_WARNING setresp set_repl REPL_ALL "
    b"REPL_AOF REPL_SLAVE REPL_REPLICA REPL_NONE replicate_commands REDIS_VERSION REDIS_VERSION_NUM "
    b"acl_check_cmd".split()
)


class Doubt(Exception):
    """Nothing can be said of this text."""


class Inference:
    """What was found out so far, and the scopes of local variables. Its methods raise Doubt."""

    def __init__(self, registered: frozenset[bytes | None] | None) -> None:
        # See `Proof`.
        self.in_shard = True
        self.closed = True
        # In a library: the names of functions that may be registered. None in a script.
        self._registered = registered
        # Local variables by name, those of the innermost block last.
        self._scopes: list[dict[bytes, Variable]] = [{}]
        # Whose body is being parsed.
        self._function: Function | None = None

    # -- scopes

    @contextmanager
    def scope(self) -> Iterator[None]:
        """A block with local variables of its own."""
        self._scopes.append({})
        yield
        self._scopes.pop()

    def new_function(self, name: bytes) -> Function:
        """A local function of this name."""
        return Function(self._registered is not None and name in self._registered)

    @contextmanager
    def body(self, function: Function, parameters: list[bytes]) -> Iterator[None]:
        """The body of a function."""
        outer, self._function = self._function, function
        with self.scope():
            for at, name in enumerate(parameters):
                if function.registered and at == 0:
                    self._scopes[-1][name] = Variable(Value(Is.KEYS), function)
                    continue
                # Until a call says otherwise, a parameter is an element of KEYS: there may be no call.
                parameter = self.declare(name, NIL)
                if function.registered:
                    self._refute(parameter)
                else:
                    function.parameters.append(parameter)
            yield
        self._function = outer

    # -- variables

    def declare(self, name: bytes, value: Value) -> Variable:
        """A new local. Aliases of `redis.call` and of functions stay known; so do keys and literals.

        What is a literal only as long as another variable is not assigned to is not followed.
        """
        kept = value if value.kind in (Is.CALLER, Is.FUNCTION, Is.LITERAL, Is.NIL) else ANY
        if value.variable is not None:
            kept = ANY
        if kept is ANY:
            self.use(value)
        variable = Variable(kept, self._function)
        self._give(variable, value)
        self._scopes[-1][name] = variable
        return variable

    def _give(self, variable: Variable, value: Value) -> None:
        """A variable gets this value: what does that refute?"""
        if not value.key:
            self._refute(variable)
        for other in value.reliance:
            if other is not variable:
                other.relied_on = True  # what is concluded from one is concluded from the other
                if not other.key:
                    self._refute(variable)

    def _refute(self, variable: Variable) -> None:
        variable.key = False
        if variable.relied_on:
            self.closed = False

    def local(self, name: bytes) -> Variable | None:
        """The local variable of this name that is in sight."""
        return next((scope[name] for scope in reversed(self._scopes) if name in scope), None)

    def assign(self, variable: Variable, value: Value) -> None:
        """A local variable is assigned to."""
        self.use(value)
        if variable.value.kind in (Is.CALLER, Is.FUNCTION, Is.KEYS):
            raise Doubt
        variable.assigned = True
        if variable.value.kind is Is.LITERAL and variable.relied_on:
            raise Doubt
        self._give(variable, value)

    def assign_element(self, old: Value) -> None:
        """An element of a table is assigned to. `old` is what it was."""
        if old.kind is Is.KEY:
            self.closed = False
        self.use(old)

    def use(self, value: Value) -> Value:
        """A value goes where it is not followed."""
        match value.kind:
            case Is.REDIS | Is.CALLER | Is.REGISTER:
                raise Doubt
            case Is.KEYS | Is.KEYS_WALK:
                self.closed = False
            case Is.FUNCTION:
                assert value.function is not None
                if value.function.registered:
                    self.closed = False
                for parameter in value.function.parameters:
                    self._refute(parameter)
        return value

    def use_all(self, values: Iterable[Value]) -> None:
        """The same with several values."""
        for value in values:
            self.use(value)

    def register(self, value: Value) -> None:
        """A value is an argument of redis.register_function, or a field of its table."""
        if value.kind is not Is.FUNCTION or value.function is None or not value.function.registered:
            self.use(value)

    def _is_key(self, value: Value) -> bool:
        """True if the value is an element of KEYS; the proof depends on that from now on."""
        if value.kind is Is.KEY:
            return True
        if not value.key:
            return False
        for variable in value.reliance:
            if not variable.key:
                return False
            variable.relied_on = True
        return True

    def read(self, name: bytes) -> Value:
        """The value of a variable, local or global."""
        variable = self.local(name)
        if variable is not None:
            return self._read_local(variable)
        if name == b"KEYS":
            return Value(Is.KEYS)
        if name == b"redis":
            return Value(Is.REDIS)
        if name in _HARMLESS:
            return Value(Is.GLOBAL, name)
        raise Doubt  # `_G` and `loadstring` above all

    def _read_local(self, variable: Variable) -> Value:
        value = variable.value
        outlives = self._outlives_call(variable)
        if value.kind is Is.KEYS and outlives:
            self.closed = False
            return ANY
        if value.kind in (Is.CALLER, Is.FUNCTION, Is.KEYS):
            return value
        if value.kind is Is.LITERAL and not variable.assigned:
            return value._replace(variable=variable)
        if outlives:
            return ANY
        return Value(Is.ANY, key=variable.key, reliance=(variable,))

    def _outlives_call(self, variable: Variable) -> bool:
        """True if a variable may have its value from an earlier call, which had other keys.

        A library's closures stay from one call to the next, and so does what they refer to.
        """
        return self._registered is not None and variable.function is not self._function

    # -- fields and calls

    def field(self, value: Value, name: bytes | None) -> Value:
        """An element of a value; `name` if its index is this literal for certain."""
        if value.kind is Is.KEYS:
            return KEY
        if value.kind is Is.REDIS:
            if name in (b"call", b"pcall"):
                return Value(Is.CALLER)
            if name == b"register_function" and self._registered is not None:
                return Value(Is.REGISTER)
            if name not in _HARMLESS_FIELDS:
                raise Doubt
            return ANY
        self.use(value)
        return ANY

    def call(self, called: Value, arguments: list[Value]) -> Value:
        """What a call returns."""
        match called.kind:
            case Is.CALLER:
                self._command(arguments)
                return ANY
            case Is.REGISTER:
                for value in arguments:
                    self.register(value)
                return MANY
            case Is.FUNCTION:
                assert called.function is not None
                if called.function.registered:
                    self.closed = False
                self._call_function(called.function, arguments)
                return MANY
            case Is.GLOBAL if arguments:
                return self._call_global(called.text, arguments)
            case _:
                self.use(called)
                self.use_all(arguments)
                return MANY

    def _call_global(self, name: bytes | None, arguments: list[Value]) -> Value:
        first, others = arguments[0], arguments[1:]
        if name == b"pcall" and first.kind is Is.CALLER:
            self._command(others)
            return MANY
        if first.kind is Is.KEYS and name in (b"unpack", b"ipairs", b"pairs"):
            self.use_all(others)
            return Value(Is.KEYS_SPREAD if name == b"unpack" else Is.KEYS_WALK)
        self.use_all(arguments)
        return MANY

    def _call_function(self, function: Function, arguments: list[Value]) -> None:
        for value in arguments:
            if value.kind is not Is.KEYS_SPREAD:
                self.use(value)
        parameters = function.parameters
        for parameter, value in zip(parameters, spread(arguments, len(parameters)), strict=True):
            self._give(parameter, value)

    def _command(self, arguments: Sequence[Value]) -> None:
        """redis.call or redis.pcall with these arguments."""
        words: list[bytes | None] = []
        keys: list[bool] = []
        rest_is_keys: bool | None = None
        for value in arguments:
            self.use(value)
            if value.kind is Is.MANY:
                rest_is_keys = False
            elif value.kind is Is.KEYS_SPREAD:
                rest_is_keys = True
            else:
                if value.kind is Is.LITERAL and value.variable is not None:
                    value.variable.relied_on = True
                words.append(value.text if value.kind is Is.LITERAL else None)
                keys.append(value.kind is not Is.LITERAL and self._is_key(value))
        if not words or words[0] is None:
            raise Doubt
        call = Call(words, keys, rest_is_keys)
        main = answered_by_main(call)
        if main is None:
            raise Doubt
        if main:
            self.in_shard = False
        elif not keys_are_among(call):
            self.closed = False
