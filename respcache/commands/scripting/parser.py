"""Lua's grammar, for proofs about a text: recursive descent, as Lua's own `lparser.c`.

It tells `Inference` what the text declares, reads, assigns and calls, in the order in which Lua would evaluate it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from respcache.commands.scripting.inference import Doubt
from respcache.commands.scripting.tokens import END, NAME, NUMBER, STRING, Token
from respcache.commands.scripting.values import ANY, KEY, MANY, NIL, Function, Is, Value, combined, first_of, spread

if TYPE_CHECKING:
    from respcache.commands.scripting.inference import Inference
    from respcache.commands.scripting.values import Variable

# Deeper nesting is not looked into.
_DEEPEST = 100

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


class Parser:
    """Parses one text. `parse` raises Doubt, also for what is no Lua."""

    def __init__(self, tokens: list[Token], known: Inference) -> None:
        self._tokens = tokens
        self._known = known
        # The index of the next token.
        self._at = 0
        # How many blocks and expressions it is in.
        self._depth = 0

    def parse(self) -> None:
        """Tell everything that the text says."""
        self._statements()
        self._expect(END)

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
            raise Doubt
        self._at += 1
        return token

    def _name(self) -> bytes:
        name = self._expect(NAME).value
        assert name is not None
        return name

    # -- statements

    def _block(self, *names: tuple[bytes, Value]) -> None:
        """Statements up to the end of a block, in a scope of their own that begins with `names`."""
        with self._known.scope():
            for name, value in names:
                self._known.declare(name, value)
            self._statements()

    def _enter(self) -> None:
        self._depth += 1
        if self._depth > _DEEPEST:
            raise Doubt

    def _statements(self) -> None:
        self._enter()
        while self._kind not in _BLOCK_ENDS:
            last = self._kind in ("return", "break")
            self._statement()
            self._accept(";")
            if last:
                break
        self._depth -= 1

    def _statement(self) -> None:
        match self._kind:
            case "if":
                self._if()
            case "while":
                self._next()
                self._known.use(self._expression())
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
                raise Doubt  # a global one, which Redis refuses, or a field of something
            case "local":
                self._local()
            case "return":
                self._next()
                if self._kind not in _RETURN_ENDS:
                    self._known.use_all(self._expressions())
            case "break":
                self._next()
            case _:
                self._call_or_assignment()

    def _if(self) -> None:
        while True:
            self._next()
            self._known.use(self._expression())
            self._expect("then")
            self._block()
            if self._kind != "elseif":
                break
        if self._accept("else"):
            self._block()
        self._expect("end")

    def _repeat(self) -> None:
        self._next()
        with self._known.scope():
            self._statements()
            self._expect("until")
            self._known.use(self._expression())  # it sees the locals of the loop

    def _for(self) -> None:
        self._next()
        names = [self._name()]
        if self._accept("="):
            self._known.use_all(self._expressions())
            known = [ANY]
        else:
            while self._accept(","):
                names.append(self._name())
            self._expect("in")
            values = self._expressions()
            known = [ANY] * len(names)
            if len(values) == 1 and values[0].kind is Is.KEYS_WALK:
                known[1:2] = [KEY] if len(names) > 1 else []
            else:
                self._known.use_all(values)
        self._expect("do")
        self._block(*zip(names, known, strict=True))
        self._expect("end")

    def _local(self) -> None:
        self._next()
        if self._accept("function"):
            name = self._name()
            function = self._known.new_function(name)
            self._known.declare(name, Value(Is.FUNCTION, function=function))  # its body may call it
            self._function_body(function)
            return
        names = [self._name()]
        while self._accept(","):
            names.append(self._name())
        values = self._expressions() if self._accept("=") else []
        self._known.use_all(values[len(names) :])
        for name, value in zip(names, spread(values, len(names)), strict=True):
            self._known.declare(name, value)

    def _call_or_assignment(self) -> None:
        targets = [self._target()]
        if self._kind not in ("=", ","):
            if not targets[0][1]:
                raise Doubt  # an expression is no statement
            return
        while self._accept(","):
            targets.append(self._target())
        self._expect("=")
        values = self._expressions()
        self._known.use_all(values[len(targets) :])
        for (variable, is_call), value in zip(targets, spread(values, len(targets)), strict=True):
            if is_call:
                raise Doubt
            if variable is None:
                self._known.use(value)  # a field
            else:
                self._known.assign(variable, value)

    def _target(self) -> tuple[Variable | None, bool]:
        """What a statement begins with: the local variable, if it is nothing more; and whether it is a call."""
        if self._kind == NAME:
            name = self._tokens[self._at].value
            assert name is not None
            if self._tokens[self._at + 1].kind in ("=", ","):
                variable = self._known.local(name)
                if variable is None:
                    raise Doubt  # a global
                self._at += 1
                return variable, False
        value = self._suffixed()
        is_call = self._tokens[self._at - 1].kind in (")", STRING, "}")
        if is_call:
            self._known.use(value)
        else:
            self._known.assign_element(value)
        return None, is_call

    # -- expressions

    def _expressions(self, registering: bool = False) -> list[Value]:
        """A list of them. Each but the last is one value, whatever it is."""
        values = [self._expression(registering=registering)]
        while self._accept(","):
            values[-1] = first_of(values[-1])
            values.append(self._expression(registering=registering))
        return values

    def _expression(self, limit: int = 0, *, registering: bool = False) -> Value:
        self._enter()
        if self._kind in _UNARY:
            self._next()
            operand = self._expression(_UNARY_PRIORITY)
            if operand.kind is not Is.KEYS:  # its length
                self._known.use(operand)
            value = ANY
        else:
            value = self._simple(registering)
        while (priorities := _BINARY.get(self._kind)) and priorities[_LEFT] > limit:
            operator = self._next().kind
            left, right = first_of(value), first_of(self._expression(priorities[_RIGHT]))
            self._known.use(left)
            self._known.use(right)
            value = combined(operator, left, right)
        self._depth -= 1
        return value

    def _simple(self, registering: bool) -> Value:
        token = self._tokens[self._at]
        match token.kind:
            case _ if token.kind in (STRING, NUMBER):
                self._next()
                return ANY if token.value is None else Value(Is.LITERAL, token.value)
            case "nil":
                self._next()
                return NIL
            case "true" | "false":
                self._next()
                return ANY
            case "...":
                self._next()
                return MANY
            case "{":
                return self._table(registering)
            case "function":
                self._next()
                function = Function(registering)
                self._function_body(function)
                return Value(Is.FUNCTION, function=function)
            case _:
                return self._suffixed()

    def _table(self, registering: bool) -> Value:
        self._expect("{")
        while not self._accept("}"):
            if self._accept("["):
                self._known.use(self._expression())
                self._expect("]")
                self._expect("=")
            elif self._kind == NAME and self._tokens[self._at + 1].kind == "=":
                self._at += 2
            value = self._expression(registering=registering)
            if registering:
                self._known.register(value)
            else:
                self._known.use(value)
            if not (self._accept(",") or self._accept(";")) and self._kind != "}":
                raise Doubt
        return ANY

    def _function_body(self, function: Function) -> None:
        self._expect("(")
        names: list[bytes] = []
        while not self._accept(")"):
            if self._accept("..."):
                self._expect(")")
                break
            names.append(self._name())
            if not self._accept(",") and self._kind != ")":
                raise Doubt
        with self._known.body(function, names):
            self._statements()
            self._expect("end")

    def _suffixed(self) -> Value:
        """A name or a parenthesis, and what follows it: fields, indexes, calls."""
        if self._accept("("):
            value = first_of(self._expression())
            self._expect(")")
            if value.kind is not Is.KEY:
                self._known.use(value)
                value = value._replace(kind=Is.ANY) if value.key else ANY
        else:
            value = self._known.read(self._name())
        while True:
            match self._kind:
                case ".":
                    self._next()
                    value = self._known.field(value, self._name())
                case "[":
                    self._next()
                    index = self._known.use(self._expression())
                    self._expect("]")
                    value = self._known.field(value, index.text if index.variable is None else None)
                case ":":
                    self._next()
                    self._name()
                    self._known.use(value)
                    self._known.use_all(self._arguments())
                    value = MANY
                case "(" | "string" | "{":
                    value = self._known.call(value, self._arguments(value.kind is Is.REGISTER))
                case _:
                    return value

    def _arguments(self, registering: bool = False) -> list[Value]:
        token = self._tokens[self._at]
        if token.kind == STRING:
            self._next()
            return [ANY if token.value is None else Value(Is.LITERAL, token.value)]
        if token.kind == "{":
            return [self._table(registering)]
        self._expect("(")
        values = [] if self._kind == ")" else self._expressions(registering)
        self._expect(")")
        return values
