"""What is known of the values and variables of a script whose text is being parsed."""

from __future__ import annotations

from enum import Enum, auto
from typing import NamedTuple


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
    """A value, as far as it matters."""

    kind: Is
    text: bytes | None = None
    variable: Variable | None = None  # that it was read from
    function: Function | None = None
    key: bool = False  # an element of KEYS or nil, as long as `reliance` is not refuted
    reliance: tuple[Variable, ...] = ()  # the variables that `key` follows from


ANY = Value(Is.ANY)
MANY = Value(Is.MANY)
KEY = Value(Is.KEY, key=True)
NIL = Value(Is.NIL, key=True)


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
        return values + [NIL] * (count - len(values))
    return values[:-1] + [filler] * (count - len(values) + 1)


def first_of(value: Value) -> Value:
    """What is left of an expression in the middle of a list: one value."""
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
