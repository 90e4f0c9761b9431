"""The libraries that Redis gives to scripts beside Lua's own: cjson, cmsgpack, struct and bit, for Lua 5.1.

They are written in Lua, in the files beside this one, so that the interpreter's limits on memory and time hold inside
them too. Python only lends a few functions. Those never raise, and return numbers only: a number needs no memory of
Lua's, and Lua must not run out of it while lupa hands over a result. `tests/scripting` compares all of it with a
genuine server, error texts included.

The libraries take what they need of Lua's own when they are installed, and look at no global afterwards.
"""

from __future__ import annotations

import operator
import struct
from pathlib import Path
from typing import Any

NAMES = ("cjson", "cmsgpack", "struct", "bit")

_HERE = Path(__file__).parent
_float = struct.Struct("<f")
_double = struct.Struct("<d")
_word = struct.Struct("<I")
_words = struct.Struct("<II")


def install(runtime: Any) -> dict[bytes, Any]:
    """Load the libraries into a new `lupa.lua51.LuaRuntime(encoding=None)`, and return their tables by name.

    It needs what a sandbox takes away: `debug`, `newproxy` and all of `string`, `table` and `math`. Nothing is made
    global.
    """
    arguments = _load(runtime, "arguments")
    lent: dict[str, tuple[Any, ...]] = {
        "cjson": (_compile(runtime, "tokens"),),
        "cmsgpack": (_shortest_float, _float.unpack, _double.unpack),
        "struct": (_float_bits, _double_bits, _float.unpack, _double.unpack),
        "bit": (operator.and_, operator.or_, operator.xor),
    }
    return {name.encode(): _load(runtime, name, arguments, *lent[name]) for name in NAMES}


def _load(runtime: Any, name: str, *arguments: Any) -> Any:
    return _compile(runtime, name)(*arguments)


def _compile(runtime: Any, name: str) -> Any:
    # The name of the chunk is that of all our Lua code: by it the engine tells the frames of scripts from ours.
    return runtime.compile((_HERE / f"{name}.lua").read_bytes(), name=b"=respcache")


def _float_bits(number: float) -> int:
    """The 32 bits of a C float; those of an infinity if the number is beyond its range."""
    try:
        packed = _float.pack(number)
    except OverflowError:
        packed = _float.pack(float("inf") if number > 0 else float("-inf"))
    bits: int = _word.unpack(packed)[0]
    return bits


def _double_bits(number: float) -> tuple[int, ...]:
    """The bits of a double: the low 32 and the high 32."""
    return _words.unpack(_double.pack(number))


def _shortest_float(number: float) -> int | tuple[int, ...]:
    """The 32 bits of a number as a float if that loses nothing, otherwise those of a double."""
    try:
        short = _float.pack(number)
    except OverflowError:
        return _double_bits(number)
    if _float.unpack(short)[0] == number:
        bits: int = _word.unpack(short)[0]
        return bits
    return _double_bits(number)
