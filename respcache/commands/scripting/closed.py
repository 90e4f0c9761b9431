"""What the text of a script proves about the commands and keys that it uses.

A script is *closed* if each command that it calls is named by a literal, and each key of such a command is an element
of KEYS. Then it can run on the shard of its KEYS like any command. A script that is not closed needs all shards, so a
proof is worth having, but only a safe one: whatever is in doubt is not proven. (A wrong proof would be no disaster:
a shard refuses keys that are not its own.)

The text is parsed as Lua would parse it, with its scopes. Of each value this keeps only what matters: that it is an
element of KEYS, or KEYS itself, or `redis.call`, and so on. Those that matter may be used in a few plain ways. In any
other, they could come back under another name or be changed, so there is doubt.

What is known of a variable can be refuted by an assignment further down, which a loop may run before. So a variable
notes whether something was concluded from it (`relied_on`), and an assignment refutes the conclusion.
"""

from __future__ import annotations

from enum import Enum, auto
from typing import TYPE_CHECKING, NamedTuple

from respcache.commands.scripting.calls import Call, answered_by_main, keys_are_among
from respcache.commands.scripting.tokens import END, NAME, NUMBER, STRING, Token, UnknownText, tokens_of

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

# Longer texts are not looked into, and no deeper nesting.
LONGEST = 1 << 16
_DEEPEST = 100

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
_LEFT, _RIGHT = 0, 1
# Binary operators, with their priorities on the left and on the right, as in Lua's own parser.
_BINARY = {
    **dict.fromkeys(("+", "-"), (6, 6)),
    **dict.fromkeys(("*", "/", "%"), (7, 7)),
    "^": (10, 9),
    "..": (5, 4),
    **dict.fromkeys(("~=", "==", "<", "<=", ">", ">="), (3, 3)),
    "and": (2, 2),
    "or": (1, 1),
}
_UNARY = ("not", "-", "#")
_UNARY_PRIORITY = 8
_BLOCK_ENDS = frozenset((END, "end", "else", "elseif", "until"))
_RETURN_ENDS = _BLOCK_ENDS | {";"}


class Proof(NamedTuple):
    """What is certain of a script.

    in_shard: no command that main answers is called, so with a single shard it needs nothing else.
    closed: besides that, all keys are elements of KEYS.
    """

    in_shard: bool
    closed: bool


UNPROVEN = Proof(in_shard=False, closed=False)


def prove(text: bytes) -> Proof:
    """What the text of a script proves."""
    if len(text) > LONGEST:
        return UNPROVEN
    if text.startswith(b"#!"):
        _, _, text = text.partition(b"\n")
    try:
        return _Parser(tokens_of(text)).proof()
    except (UnknownText, _Doubt):
        return UNPROVEN


def prove_library(code: bytes) -> Proof:
    """What the text of a library of functions proves of them all.

    The first parameter of a function that is registered is what KEYS is to a script.
    """
    if len(code) > LONGEST:
        return UNPROVEN
    _, _, code = code.partition(b"\n")
    try:
        tokens = tokens_of(code)
        return _Parser(tokens, frozenset(_registered(tokens))).proof()
    except (UnknownText, _Doubt):
        return UNPROVEN


def _registered(tokens: list[Token]) -> Iterator[bytes | None]:
    """Names that may be those of registered functions: what follows a string, or ``callback =``."""
    yield None  # functions without a name
    for before, between, token, after in zip(tokens, tokens[1:], tokens[2:], tokens[3:], strict=False):
        named = (before.kind == STRING and between.kind == ",") or (before.value == b"callback" and between.kind == "=")
        if named and token.kind == NAME and after.kind in (")", ",", "}", ";"):
            yield token.value


class _Doubt(Exception):
    """Nothing can be said of this text."""


class _Is(Enum):
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


class _Value(NamedTuple):
    kind: _Is
    text: bytes | None = None
    variable: _Variable | None = None  # that it was read from
    function: _Function | None = None
    key: bool = False  # an element of KEYS or nil, as long as `reliance` is not refuted
    reliance: tuple[_Variable, ...] = ()  # the variables that `key` follows from


_ANY = _Value(_Is.ANY)
_MANY = _Value(_Is.MANY)
_KEY = _Value(_Is.KEY, key=True)


class _Variable:
    """A local variable, or a parameter."""

    __slots__ = ("assigned", "function", "key", "relied_on", "value")

    def __init__(self, value: _Value, function: _Function | None) -> None:
        self.value = value  # that it has from its declaration
        self.function = function  # in which it was declared; None outside of all
        self.key = True  # everything it was given so far is an element of KEYS, or nil
        self.relied_on = False  # that `key` holds was used in the proof
        self.assigned = False  # since its declaration


class _Function:
    """A function of the script, and its parameters, which are what all calls give to them.

    The first one of a `registered` function is KEYS: nothing but FCALL calls it, else the proof fails.
    """

    __slots__ = ("parameters", "registered")

    def __init__(self, registered: bool) -> None:
        self.parameters: list[_Variable] = []
        self.registered = registered


class _Parser:
    """Recursive descent, as Lua's own `lparser.c`. Raises _Doubt, also for what is no Lua."""

    def __init__(self, tokens: list[Token], registered: frozenset[bytes | None] | None = None) -> None:
        self._tokens = tokens
        # In a library: the names of functions that may be registered. None in a script.
        self._registered = registered
        self._at = 0
        self._depth = 0
        self._scopes: list[dict[bytes, _Variable]] = [{}]
        self._function: _Function | None = None  # whose body this is
        self._closed = True
        self._in_shard = True

    def proof(self) -> Proof:
        self._block()
        self._expect(END)
        return Proof(self._in_shard, self._closed and self._in_shard)

    # -- tokens

    @property
    def _kind(self) -> str:
        return self._tokens[self._at].kind

    def _next(self) -> Token:
        token = self._tokens[self._at]
        self._at += 1
        return token

    def _accept(self, kind: str) -> bool:
        if self._tokens[self._at].kind == kind:
            self._at += 1
            return True
        return False

    def _expect(self, kind: str) -> Token:
        token = self._tokens[self._at]
        if token.kind != kind:
            raise _Doubt
        self._at += 1
        return token

    def _name(self) -> bytes:
        name = self._expect(NAME).value
        assert name is not None
        return name

    # -- what is known of variables

    def _declare(self, name: bytes, value: _Value) -> _Variable:
        """A new local. Aliases of `redis.call` and of functions stay known; so do keys and literals.

        What is a literal only as long as another variable is not assigned to is not followed.
        """
        kept = value if value.kind in (_Is.CALLER, _Is.FUNCTION, _Is.LITERAL, _Is.NIL) else _ANY
        if value.variable is not None:
            kept = _ANY
        if kept is _ANY:
            self._use(value)
        variable = _Variable(kept, self._function)
        self._give(variable, value)
        self._scopes[-1][name] = variable
        return variable

    def _give(self, variable: _Variable, value: _Value) -> None:
        """A variable gets this value: what does that refute?"""
        if not value.key:
            self._refute(variable)
        for other in value.reliance:
            if other is not variable:
                other.relied_on = True  # what is concluded from one is concluded from the other
                if not other.key:
                    self._refute(variable)

    def _refute(self, variable: _Variable) -> None:
        variable.key = False
        if variable.relied_on:
            self._closed = False

    def _assign(self, variable: _Variable, value: _Value) -> None:
        self._use(value)
        if variable.value.kind in (_Is.CALLER, _Is.FUNCTION, _Is.KEYS):
            raise _Doubt
        variable.assigned = True
        if variable.value.kind is _Is.LITERAL and variable.relied_on:
            raise _Doubt
        self._give(variable, value)

    def _use(self, value: _Value) -> _Value:
        """A value goes where it is not followed."""
        match value.kind:
            case _Is.REDIS | _Is.CALLER | _Is.REGISTER:
                raise _Doubt
            case _Is.KEYS | _Is.KEYS_WALK:
                self._closed = False
            case _Is.FUNCTION:
                assert value.function is not None
                if value.function.registered:
                    self._closed = False
                for parameter in value.function.parameters:
                    self._refute(parameter)
        return value

    def _register(self, value: _Value) -> None:
        """A value is an argument of redis.register_function, or a field of its table."""
        if value.kind is not _Is.FUNCTION or value.function is None or not value.function.registered:
            self._use(value)

    def _is_key(self, value: _Value) -> bool:
        """True if the value is an element of KEYS; the proof depends on that from now on."""
        if value.kind is _Is.KEY:
            return True
        if not value.key:
            return False
        for variable in value.reliance:
            if not variable.key:
                return False
            variable.relied_on = True
        return True

    def _read(self, name: bytes) -> _Value:
        for scope in reversed(self._scopes):
            variable = scope.get(name)
            if variable is not None:
                value = variable.value
                outlives = self._outlives_call(variable)
                if value.kind is _Is.KEYS and outlives:
                    self._closed = False
                    return _ANY
                if value.kind in (_Is.CALLER, _Is.FUNCTION, _Is.KEYS):
                    return value
                if value.kind is _Is.LITERAL and not variable.assigned:
                    return value._replace(variable=variable)
                if outlives:
                    return _ANY
                return _Value(_Is.ANY, key=variable.key, reliance=(variable,))
        if name == b"KEYS":
            return _Value(_Is.KEYS)
        if name == b"redis":
            return _Value(_Is.REDIS)
        if name in _HARMLESS:
            return _Value(_Is.GLOBAL, name)
        raise _Doubt  # `_G` and `loadstring` above all

    def _outlives_call(self, variable: _Variable) -> bool:
        """True if a variable may have its value from an earlier call, which had other keys.

        A library's closures stay from one call to the next, and so does what they refer to.
        """
        return self._registered is not None and variable.function is not self._function

    # -- statements

    def _block(self, *names: tuple[bytes, _Value]) -> list[_Variable]:
        """Statements up to the end of a block, in a scope of their own that begins with `names`."""
        self._enter()
        self._scopes.append({})
        variables = [self._declare(*name) for name in names]
        self._statements()
        self._scopes.pop()
        self._depth -= 1
        return variables

    def _enter(self) -> None:
        self._depth += 1
        if self._depth > _DEEPEST:
            raise _Doubt

    def _statements(self) -> None:
        while self._kind not in _BLOCK_ENDS:
            last = self._kind in ("return", "break")
            self._statement()
            self._accept(";")
            if last:
                return

    def _statement(self) -> None:
        match self._kind:
            case "if":
                self._if()
            case "while":
                self._next()
                self._use(self._expression())
                self._expect("do")
                self._block()
                self._expect("end")
            case "do":
                self._next()
                self._block()
                self._expect("end")
            case "for":
                self._for()
            case "repeat":
                self._repeat()
            case "function":
                raise _Doubt  # a global one, which Redis refuses, or a field of something
            case "local":
                self._local()
            case "return":
                self._next()
                if self._kind not in _RETURN_ENDS:
                    for value in self._expressions():
                        self._use(value)
            case "break":
                self._next()
            case _:
                self._call_or_assignment()

    def _if(self) -> None:
        while True:
            self._next()
            self._use(self._expression())
            self._expect("then")
            self._block()
            if self._kind != "elseif":
                break
        if self._accept("else"):
            self._block()
        self._expect("end")

    def _repeat(self) -> None:
        self._next()
        self._enter()
        self._scopes.append({})
        self._statements()
        self._expect("until")
        self._use(self._expression())  # it sees the locals of the loop
        self._scopes.pop()
        self._depth -= 1

    def _for(self) -> None:
        self._next()
        names = [self._name()]
        if self._accept("="):
            for value in self._expressions():
                self._use(value)
            known = [_ANY]
        else:
            while self._accept(","):
                names.append(self._name())
            self._expect("in")
            values = self._expressions()
            known = [_ANY] * len(names)
            if len(values) == 1 and values[0].kind is _Is.KEYS_WALK:
                known[1:2] = [_KEY] if len(names) > 1 else []
            else:
                for value in values:
                    self._use(value)
        self._expect("do")
        self._block(*zip(names, known, strict=True))
        self._expect("end")

    def _local(self) -> None:
        self._next()
        if self._accept("function"):
            name = self._name()
            function = _Function(self._registered is not None and name in self._registered)
            self._declare(name, _Value(_Is.FUNCTION, function=function))  # its body may call it
            self._function_body(function)
            return
        names = [self._name()]
        while self._accept(","):
            names.append(self._name())
        values = self._expressions() if self._accept("=") else []
        for value in values[len(names) :]:
            self._use(value)
        for name, value in zip(names, _spread(values, len(names)), strict=True):
            self._declare(name, value)

    def _call_or_assignment(self) -> None:
        targets = [self._target()]
        if self._kind not in ("=", ","):
            if not targets[0][1]:
                raise _Doubt  # an expression is no statement
            return
        while self._accept(","):
            targets.append(self._target())
        self._expect("=")
        values = self._expressions()
        for value in values[len(targets) :]:
            self._use(value)
        for (variable, is_call), value in zip(targets, _spread(values, len(targets)), strict=True):
            if is_call:
                raise _Doubt
            if variable is None:
                self._use(value)  # a field
            else:
                self._assign(variable, value)

    def _target(self) -> tuple[_Variable | None, bool]:
        """What a statement begins with: the local variable, if it is nothing more; and whether it is a call."""
        if self._kind == NAME:
            name = self._tokens[self._at].value
            assert name is not None
            if self._tokens[self._at + 1].kind in ("=", ","):
                for scope in reversed(self._scopes):
                    if name in scope:
                        self._at += 1
                        return scope[name], False
                raise _Doubt  # a global
        value = self._suffixed()
        is_call = self._tokens[self._at - 1].kind in (")", STRING, "}")
        if not is_call and value.kind is _Is.KEY:
            self._closed = False  # KEYS[1] = ...
        self._use(value)
        return None, is_call

    # -- expressions

    def _expressions(self, registering: bool = False) -> list[_Value]:
        """A list of them. Each but the last is one value, whatever it is."""
        values = [self._expression(registering=registering)]
        while self._accept(","):
            values[-1] = self._first_of(values[-1])
            values.append(self._expression(registering=registering))
        return values

    def _first_of(self, value: _Value) -> _Value:
        match value.kind:
            case _Is.MANY:
                return _ANY
            case _Is.KEYS_SPREAD:
                return _KEY
            case _:
                return value

    def _expression(self, limit: int = 0, *, registering: bool = False) -> _Value:
        self._enter()
        if self._kind in _UNARY:
            self._next()
            operand = self._expression(_UNARY_PRIORITY)
            if operand.kind is not _Is.KEYS:  # its length
                self._use(operand)
            value = _ANY
        else:
            value = self._simple(registering)
        while (priorities := _BINARY.get(self._kind)) and priorities[_LEFT] > limit:
            operator = self._next().kind
            left, right = self._first_of(value), self._first_of(self._expression(priorities[_RIGHT]))
            self._use(left)
            self._use(right)
            value = _combined(operator, left, right)
        self._depth -= 1
        return value

    def _simple(self, registering: bool) -> _Value:
        token = self._tokens[self._at]
        match token.kind:
            case _ if token.kind in (STRING, NUMBER):
                self._next()
                return _ANY if token.value is None else _Value(_Is.LITERAL, token.value)
            case "nil":
                self._next()
                return _Value(_Is.NIL, key=True)
            case "true" | "false":
                self._next()
                return _ANY
            case "...":
                self._next()
                return _MANY
            case "{":
                return self._table(registering)
            case "function":
                self._next()
                function = _Function(registering)
                self._function_body(function)
                return _Value(_Is.FUNCTION, function=function)
            case _:
                return self._suffixed()

    def _table(self, registering: bool) -> _Value:
        self._expect("{")
        while not self._accept("}"):
            if self._accept("["):
                self._use(self._expression())
                self._expect("]")
                self._expect("=")
            elif self._kind == NAME and self._tokens[self._at + 1].kind == "=":
                self._at += 2
            value = self._expression(registering=registering)
            if registering:
                self._register(value)
            else:
                self._use(value)
            if not (self._accept(",") or self._accept(";")) and self._kind != "}":
                raise _Doubt
        return _ANY

    def _function_body(self, function: _Function) -> None:
        self._expect("(")
        names: list[bytes] = []
        while not self._accept(")"):
            if self._accept("..."):
                self._expect(")")
                break
            names.append(self._name())
            if not self._accept(",") and self._kind != ")":
                raise _Doubt
        self._enter()
        self._scopes.append({})
        outer, self._function = self._function, function
        for at, name in enumerate(names):
            if function.registered and at == 0:
                self._scopes[-1][name] = _Variable(_Value(_Is.KEYS), function)
                continue
            # Until a call says otherwise, a parameter is an element of KEYS: there may be no call.
            parameter = self._declare(name, _Value(_Is.NIL, key=True))
            if function.registered:
                self._refute(parameter)
            else:
                function.parameters.append(parameter)
        self._statements()
        self._expect("end")
        self._function = outer
        self._scopes.pop()
        self._depth -= 1

    def _suffixed(self) -> _Value:
        """A name or a parenthesis, and what follows it: fields, indexes, calls."""
        if self._accept("("):
            value = self._first_of(self._expression())
            self._expect(")")
            if value.kind is not _Is.KEY:
                self._use(value)
                value = value._replace(kind=_Is.ANY) if value.key else _ANY
        else:
            value = self._read(self._name())
        while True:
            match self._kind:
                case ".":
                    self._next()
                    value = self._field(value, self._name())
                case "[":
                    self._next()
                    index = self._use(self._expression())
                    self._expect("]")
                    value = self._field(value, index.text if index.variable is None else None)
                case ":":
                    self._next()
                    self._name()
                    self._use(value)
                    for argument in self._arguments():
                        self._use(argument)
                    value = _MANY
                case "(" | "string" | "{":
                    value = self._call(value, self._arguments(value.kind is _Is.REGISTER))
                case _:
                    return value

    def _field(self, value: _Value, name: bytes | None) -> _Value:
        if value.kind is _Is.KEYS:
            return _KEY
        if value.kind is _Is.REDIS:
            if name in (b"call", b"pcall"):
                return _Value(_Is.CALLER)
            if name == b"register_function" and self._registered is not None:
                return _Value(_Is.REGISTER)
            if name not in _HARMLESS_FIELDS:
                raise _Doubt
            return _ANY
        self._use(value)
        return _ANY

    def _arguments(self, registering: bool = False) -> list[_Value]:
        token = self._tokens[self._at]
        if token.kind == STRING:
            self._next()
            return [_ANY if token.value is None else _Value(_Is.LITERAL, token.value)]
        if token.kind == "{":
            return [self._table(registering)]
        self._expect("(")
        values = [] if self._kind == ")" else self._expressions(registering)
        self._expect(")")
        return values

    # -- calls

    def _call(self, called: _Value, arguments: list[_Value]) -> _Value:
        match called.kind:
            case _Is.CALLER:
                self._command(arguments)
                return _ANY
            case _Is.REGISTER:
                for value in arguments:
                    self._register(value)
                return _MANY
            case _Is.FUNCTION:
                assert called.function is not None
                if called.function.registered:
                    self._closed = False
                self._call_function(called.function, arguments)
                return _MANY
            case _Is.GLOBAL if arguments:
                return self._call_global(called.text, arguments)
            case _:
                self._use(called)
                for value in arguments:
                    self._use(value)
                return _MANY

    def _call_global(self, name: bytes | None, arguments: list[_Value]) -> _Value:
        first, others = arguments[0], arguments[1:]
        if name == b"pcall" and first.kind is _Is.CALLER:
            self._command(others)
            return _MANY
        if first.kind is _Is.KEYS and name in (b"unpack", b"ipairs", b"pairs"):
            for value in others:
                self._use(value)
            return _Value(_Is.KEYS_SPREAD if name == b"unpack" else _Is.KEYS_WALK)
        for value in arguments:
            self._use(value)
        return _MANY

    def _call_function(self, function: _Function, arguments: list[_Value]) -> None:
        for value in arguments:
            if value.kind is not _Is.KEYS_SPREAD:
                self._use(value)
        parameters = function.parameters
        for parameter, value in zip(parameters, _spread(arguments, len(parameters)), strict=True):
            self._give(parameter, value)

    def _command(self, arguments: Sequence[_Value]) -> None:
        """redis.call or redis.pcall with these arguments."""
        words: list[bytes | None] = []
        keys: list[bool] = []
        rest_is_keys: bool | None = None
        for value in arguments:
            self._use(value)
            if value.kind is _Is.MANY:
                rest_is_keys = False
            elif value.kind is _Is.KEYS_SPREAD:
                rest_is_keys = True
            else:
                if value.kind is _Is.LITERAL and value.variable is not None:
                    value.variable.relied_on = True
                words.append(value.text if value.kind is _Is.LITERAL else None)
                keys.append(value.kind is not _Is.LITERAL and self._is_key(value))
        if not words or words[0] is None:
            raise _Doubt
        call = Call(words, keys, rest_is_keys)
        main = answered_by_main(call)
        if main is None:
            raise _Doubt
        if main:
            self._in_shard = False
        elif not keys_are_among(call):
            self._closed = False


def _spread(values: list[_Value], count: int) -> list[_Value]:
    """The values that `count` variables get."""
    if not count:
        return []
    if len(values) >= count:
        return [*values[: count - 1], *map(_one, values[count - 1 : count])]
    last = values[-1].kind if values else _Is.ANY
    if last is _Is.MANY:
        filler = _ANY
    elif last is _Is.KEYS_SPREAD:
        filler = _KEY
    else:
        return values + [_Value(_Is.NIL, key=True)] * (count - len(values))
    return values[:-1] + [filler] * (count - len(values) + 1)


def _one(value: _Value) -> _Value:
    if value.kind is _Is.MANY:
        return _ANY
    return _KEY if value.kind is _Is.KEYS_SPREAD else value


def _combined(operator: str, left: _Value, right: _Value) -> _Value:
    """`x and KEYS[1]` is that key, or nothing that could be one; `KEYS[1] or KEYS[2]` is one of them."""
    if operator == "or" and left.key and right.key:
        return _Value(_Is.ANY, key=True, reliance=left.reliance + right.reliance)
    if operator == "and" and right.key:
        return _Value(_Is.ANY, key=True, reliance=right.reliance)
    return _ANY
