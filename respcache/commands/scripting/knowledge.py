"""What is known of the values in a script while it is parsed: which are elements of KEYS, and which must not get about.

Of each value this keeps only what matters: that it is an element of KEYS, or KEYS itself, or `redis.call`, and so on.
Those that matter may be used in a few plain ways. In any other, they could come back under another name or be changed,
so there is doubt.

What is known of a variable can be refuted by an assignment further down, which a loop may run before. So a variable
notes whether something was concluded from it (`relied_on`), and an assignment refutes the conclusion.
"""

from __future__ import annotations

from enum import Enum, auto
from typing import TYPE_CHECKING, NamedTuple

from respcache.commands.scripting.calls import Call, answered_by_main, keys_are_among

if TYPE_CHECKING:
    from collections.abc import Sequence

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


class Is(Enum):
    """What is known of a value."""

    ANY = auto()
    NIL = auto()
    LITERAL = auto()  # a string or a number; `Value.text` holds it
    KEY = auto()  # an element of KEYS, or nil
    KEYS = auto()
    KEYS_SPREAD = auto()  # unpack(KEYS ...): elements of KEYS, any number
    KEYS_WALK = auto()  # ipairs(KEYS) or pairs(KEYS), for a loop
    REDIS = auto()
    CALLER = auto()  # redis.call or redis.pcall
    REGISTER = auto()  # redis.register_function
    FUNCTION = auto()  # a function of the script; `Value.function` holds it
    GLOBAL = auto()  # a harmless global; `Value.text` is its name
    MANY = auto()  # any number of values


class Value(NamedTuple):
    kind: Is
    text: bytes | None = None
    variable: Variable | None = None  # that it was read from
    function: Function | None = None
    key: bool = False  # an element of KEYS or nil, as long as `reliance` is not refuted
    reliance: tuple[Variable, ...] = ()  # the variables that `key` follows from


ANY = Value(Is.ANY)
MANY = Value(Is.MANY)
KEY = Value(Is.KEY, key=True)


class Variable:
    """A local variable, or a parameter."""

    __slots__ = ("assigned", "function", "key", "relied_on", "value")

    def __init__(self, value: Value, function: Function | None) -> None:
        self.value = value  # that it has from its declaration
        self.function = function  # in which it was declared; None outside of all
        self.key = True  # everything it was given so far is an element of KEYS, or nil
        self.relied_on = False  # that `key` holds was used in the proof
        self.assigned = False  # since its declaration


class Function:
    """A function of the script, and its parameters, which are what all calls give to them.

    The first one of a `registered` function is KEYS: nothing but FCALL calls it, else the proof fails.
    """

    __slots__ = ("parameters", "registered")

    def __init__(self, registered: bool) -> None:
        self.parameters: list[Variable] = []
        self.registered = registered


class Knowledge:
    """What the text has shown so far. Its methods raise Doubt when nothing is certain any more."""

    def __init__(self, *, library: bool) -> None:
        self._library = library  # functions may be registered
        self.function: Function | None = None  # whose body is read
        self._scopes: list[dict[bytes, Variable]] = [{}]
        self.closed = True  # all keys are elements of KEYS
        self.in_shard = True  # no command is called that main answers

    def enter(self) -> None:
        """A block begins, with locals of its own."""
        self._scopes.append({})

    def leave(self) -> None:
        """The block ends."""
        self._scopes.pop()

    def local(self, name: bytes) -> Variable | None:
        """The local variable of this name."""
        for scope in reversed(self._scopes):
            if name in scope:
                return scope[name]
        return None

    def declare_keys(self, name: bytes) -> None:
        """The parameter of a registered function that stands for KEYS."""
        self._scopes[-1][name] = Variable(Value(Is.KEYS), self.function)

    def declare(self, name: bytes, value: Value) -> Variable:
        """A new local. Aliases of `redis.call` and of functions stay known; so do keys and literals.

        What is a literal only as long as another variable is not assigned to is not followed.
        """
        kept = value if value.kind in (Is.CALLER, Is.FUNCTION, Is.LITERAL, Is.NIL) else ANY
        if value.variable is not None:
            kept = ANY
        if kept is ANY:
            self.use(value)
        variable = Variable(kept, self.function)
        self.give(variable, value)
        self._scopes[-1][name] = variable
        return variable

    def give(self, variable: Variable, value: Value) -> None:
        """A variable gets this value: what does that refute?"""
        if not value.key:
            self.refute(variable)
        for other in value.reliance:
            if other is not variable:
                other.relied_on = True  # what is concluded from one is concluded from the other
                if not other.key:
                    self.refute(variable)

    def refute(self, variable: Variable) -> None:
        variable.key = False
        if variable.relied_on:
            self.closed = False

    def assign(self, variable: Variable, value: Value) -> None:
        self.use(value)
        if variable.value.kind in (Is.CALLER, Is.FUNCTION, Is.KEYS):
            raise Doubt
        variable.assigned = True
        if variable.value.kind is Is.LITERAL and variable.relied_on:
            raise Doubt
        self.give(variable, value)

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
                    self.refute(parameter)
        return value

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
        for scope in reversed(self._scopes):
            variable = scope.get(name)
            if variable is not None:
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
        if name == b"KEYS":
            return Value(Is.KEYS)
        if name == b"redis":
            return Value(Is.REDIS)
        if name in _HARMLESS:
            return Value(Is.GLOBAL, name)
        raise Doubt  # `_G` and `loadstring` above all

    def _outlives_call(self, variable: Variable) -> bool:
        """True if a variable may have its value from an earlier call, which had other keys.

        A library's closures stay from one call to the next, and so does what they refer to.
        """
        return self._library and variable.function is not self.function

    def field(self, value: Value, name: bytes | None) -> Value:
        if value.kind is Is.KEYS:
            return KEY
        if value.kind is Is.REDIS:
            if name in (b"call", b"pcall"):
                return Value(Is.CALLER)
            if name == b"register_function" and self._library:
                return Value(Is.REGISTER)
            if name not in _HARMLESS_FIELDS:
                raise Doubt
            return ANY
        self.use(value)
        return ANY

    def call(self, called: Value, arguments: list[Value]) -> Value:
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
                for value in arguments:
                    self.use(value)
                return MANY

    def _call_global(self, name: bytes | None, arguments: list[Value]) -> Value:
        first, others = arguments[0], arguments[1:]
        if name == b"pcall" and first.kind is Is.CALLER:
            self._command(others)
            return MANY
        if first.kind is Is.KEYS and name in (b"unpack", b"ipairs", b"pairs"):
            for value in others:
                self.use(value)
            return Value(Is.KEYS_SPREAD if name == b"unpack" else Is.KEYS_WALK)
        for value in arguments:
            self.use(value)
        return MANY

    def _call_function(self, function: Function, arguments: list[Value]) -> None:
        for value in arguments:
            if value.kind is not Is.KEYS_SPREAD:
                self.use(value)
        parameters = function.parameters
        for parameter, value in zip(parameters, spread(arguments, len(parameters)), strict=True):
            self.give(parameter, value)

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


def spread(values: list[Value], count: int) -> list[Value]:
    """The values that `count` variables get."""
    if not count:
        return []
    if len(values) >= count:
        return [*values[: count - 1], *map(first_of, values[count - 1 : count])]
    last = values[-1].kind if values else Is.ANY
    if last is Is.MANY:
        filler = ANY
    elif last is Is.KEYS_SPREAD:
        filler = KEY
    else:
        return values + [Value(Is.NIL, key=True)] * (count - len(values))
    return values[:-1] + [filler] * (count - len(values) + 1)


def first_of(value: Value) -> Value:
    if value.kind is Is.MANY:
        return ANY
    return KEY if value.kind is Is.KEYS_SPREAD else value


def combined(operator: str, left: Value, right: Value) -> Value:
    """`x and KEYS[1]` is that key, or nothing that could be one; `KEYS[1] or KEYS[2]` is one of them."""
    if operator == "or" and left.key and right.key:
        return Value(Is.ANY, key=True, reliance=left.reliance + right.reliance)
    if operator == "and" and right.key:
        return Value(Is.ANY, key=True, reliance=right.reliance)
    return ANY
