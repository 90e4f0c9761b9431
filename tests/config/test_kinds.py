"""The kinds of values that directives take."""

from __future__ import annotations

import pytest

from respcache.config.kinds import (
    Addresses,
    BadValue,
    Choice,
    EventClasses,
    Kind,
    Memory,
    MemoryOrPercent,
    Number,
    OctalNumber,
    Origins,
    OutputLimits,
    SavePoints,
    Template,
    Text,
    Words,
    YesNo,
)

NO_ORIGIN = "argument(s) must be origins without a path, such as https://example.org:8443, or '*'"

GOOD = [
    (YesNo(), ["YES"], True, "yes"),
    (YesNo(), ["no"], False, "no"),
    (Number(), ["0"], 0, "0"),
    (Number(-5), ["-5"], -5, "-5"),
    (Memory(), ["1024"], 1024, "1024"),
    (Memory(), ["1k"], 1000, "1000"),
    (Memory(), ["2MB"], 2 << 20, "2097152"),
    (Memory(), ["1gb"], 1 << 30, "1073741824"),
    (MemoryOrPercent(), ["10%"], -10, "10%"),
    (MemoryOrPercent(), ["1kb"], 1024, "1024"),
    (OctalNumber(), ["700"], 0o700, "700"),
    (Choice("notice", "debug"), ["NOTICE"], "notice", "notice"),
    (Addresses(), ["*", "-::1"], ["*", "-::1"], "* -::1"),
    (Addresses(), [""], [], ""),
    *((Template(), [text], text, text) for text in ("a{{b", "a}b", "{{title}", "{port}", "x {title}", "{unixsocket}")),
    (Text(), [""], "", ""),
    (Words(0, 3), ["127.0.0.1", "-::1"], ["127.0.0.1", "-::1"], "127.0.0.1 -::1"),
    (Words(), [""], [], ""),
    (Origins(), [""], [], ""),
    (
        Origins(),
        ["https://A.example", "http://[::1]:3000", "*", "null"],
        ["https://a.example", "http://[::1]:3000", "*", "null"],
        "https://a.example http://[::1]:3000 * null",
    ),
    (SavePoints(), [""], [], ""),
    (SavePoints(), ["3600", "1", "300", "100"], [3600, 1, 300, 100], "3600 1 300 100"),
    (EventClasses(), [""], "", ""),
    (EventClasses(), ["KEA"], "g$lshzxetdKE", "AKE"),
    (EventClasses(), ["Elg"], "glE", "glE"),
    (EventClasses(), ["Amn"], "g$lshzxetdmn", "Amn"),
]

BAD = [
    (YesNo(), ["maybe"], "argument must be 'yes' or 'no'"),
    (Number(), ["abc"], "argument couldn't be parsed into an integer"),
    (Number(), ["1.5"], "argument couldn't be parsed into an integer"),
    (Number(), ["007"], "argument couldn't be parsed into an integer"),
    (Number(1, 9), ["10"], "argument must be between 1 and 9 inclusive"),
    (Number(), ["1", "2"], "wrong number of arguments"),
    (Memory(), ["1z"], "argument must be a memory value"),
    (Memory(), ["10%"], "argument must be a memory value"),
    (MemoryOrPercent(), ["x"], "argument must be a memory or percent value"),
    (MemoryOrPercent(), ["200%"], "percentage argument must be less or equal to 100"),
    (OctalNumber(), ["9"], "argument couldn't be parsed into an integer"),
    (Choice("a", "b"), ["c"], "argument(s) must be one of the following: a, b"),
    (Addresses(), ["::1"] * 17, "Too many bind addresses specified."),
    *(
        (Template(), [text], "template format is invalid or contains unknown variables")
        for text in ("", "  ", "{title}", "{title} {server-mode}", "x{nosuch}", "{title", "{")
    ),
    (Words(2, 2), ["one"], "wrong number of arguments"),
    (Origins(), ["https://a.example/"], NO_ORIGIN),
    (Origins(), ["https://a.example", "localhost:3000"], NO_ORIGIN),
    (Origins(), ["https://*.example"], NO_ORIGIN),
    (Origins(), ["https://"], NO_ORIGIN),
    (SavePoints(), ["60"], "Invalid save parameters"),
    (SavePoints(), ["0", "1"], "Invalid save parameters"),
    (SavePoints(), ["a", "b"], "Invalid save parameters"),
    (OutputLimits(), ["normal", "0"], "Wrong number of arguments in buffer limit configuration."),
    (OutputLimits(), ["who", "0", "0", "0"], "Invalid client class specified in buffer limit configuration."),
    (
        OutputLimits(),
        ["normal", "x", "0", "0"],
        "Error in hard, soft or soft_seconds setting in buffer limit configuration.",
    ),
    (EventClasses(), ["Q"], "Invalid event class character. Use 'Ag$lshzxeKEtmdn'."),
]


@pytest.mark.parametrize(("kind", "words", "value", "shown"), GOOD)
def test_values_are_parsed_and_shown(kind: Kind, words: list[str], value: object, shown: str) -> None:
    assert kind.parse(words) == value
    assert kind.show(value) == shown


@pytest.mark.parametrize(("kind", "words", "reason"), BAD)
def test_invalid_values_are_refused_with_the_reason(kind: Kind, words: list[str], reason: str) -> None:
    with pytest.raises(BadValue) as refused:
        kind.parse(words)
    assert str(refused.value) == reason


def test_output_limits_of_the_named_classes() -> None:
    kind = OutputLimits()
    assert kind.parse(["replica", "1mb", "1kb", "5"]) == {"slave": (1 << 20, 1 << 10, 5)}
    assert kind.parse([""]) == {}
    assert kind.show(kind.default) == "normal 0 0 0 slave 268435456 67108864 60 pubsub 33554432 8388608 60"
