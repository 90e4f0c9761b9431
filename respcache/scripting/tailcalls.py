"""Compiled Lua without tail calls.

In genuine Redis, an error in `return redis.call(...)` or `return cjson.decode(...)` names the script's line: these
functions are written in C, and C functions do not replace the frame of their caller. Functions written in Lua do in a
tail call, and the line is lost. So the tail calls of compiled scripts become ordinary calls. The operands are the
same, and a RETURN follows anyway. The price is that endless tail recursion overflows the stack.
"""

from __future__ import annotations

from typing import Final

# Lua 5.1's header: a signature of 4 bytes, version, format, endianness, the sizes of int, size_t, instruction and
# number, and whether numbers are integers.
_HEADER: Final = 12
_INSTRUCTION: Final = 4
# The opcode is in the low 6 bits of an instruction.
_OPCODE, _CALL, _TAILCALL = 0x3F, 28, 29
_AS_CALL: Final = bytes(code & ~_OPCODE | _CALL if code & _OPCODE == _TAILCALL else code for code in range(256))
# Types of constants, and the sizes of those that have a fixed one.
_STRING: Final = 4
_SIZES: Final = {0: 0, 1: 1, 3: 8}  # nil, boolean, number


def without_tail_calls(bytecode: bytes) -> bytes:
    """What `string.dump` gave, with calls in the place of tail calls. For code of this very interpreter only."""
    return _Rewriter(bytecode).result()


class _Rewriter:
    """Walks through the functions of a dump. Nested functions are inside their parents."""

    def __init__(self, bytecode: bytes) -> None:
        self._code = bytearray(bytecode)
        self._order: str = "little" if bytecode[6] else "big"
        self._int, self._size = bytecode[7], bytecode[8]
        self._first_byte = 0 if bytecode[6] else _INSTRUCTION - 1
        self._at = _HEADER

    def result(self) -> bytes:
        self._function()
        assert self._at == len(self._code), "this is not the bytecode of Lua 5.1"
        return bytes(self._code)

    def _number(self, size: int) -> int:
        start = self._at
        self._at += size
        return int.from_bytes(self._code[start : self._at], self._order)  # type: ignore[arg-type]  # one of two literals

    def _skip_string(self) -> None:
        length = self._number(self._size)
        self._at += length

    def _function(self) -> None:
        self._skip_string()  # the source's name
        self._at += 2 * self._int + 4  # its lines; upvalues, parameters, variadic or not, stack size
        instructions = self._number(self._int)
        start = self._at
        self._at += instructions * _INSTRUCTION
        opcodes = slice(start + self._first_byte, self._at, _INSTRUCTION)
        self._code[opcodes] = self._code[opcodes].translate(_AS_CALL)
        for _ in range(self._number(self._int)):
            kind = self._number(1)
            if kind == _STRING:
                self._skip_string()
            else:
                self._at += _SIZES[kind]
        for _ in range(self._number(self._int)):
            self._function()
        lines = self._number(self._int)
        self._at += lines * self._int  # the line of each instruction
        for _ in range(self._number(self._int)):  # local variables, and where each begins and ends
            self._skip_string()
            self._at += 2 * self._int
        for _ in range(self._number(self._int)):  # upvalues
            self._skip_string()
