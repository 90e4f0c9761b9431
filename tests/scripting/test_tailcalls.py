"""Bytecode without tail calls does the same, and keeps the frames of callers."""

from __future__ import annotations

from typing import Any

import pytest
from lupa.lua51 import LuaRuntime

from respcache.scripting.tailcalls import without_tail_calls


@pytest.fixture
def lua() -> Any:
    return LuaRuntime(encoding=None, unpack_returned_tuples=True, register_eval=False, register_builtins=False)


def run(lua: Any, text: bytes, *arguments: Any, rewritten: bool = True) -> Any:
    code = lua.eval(b"function(text) return string.dump(assert(loadstring(text, '@script'))) end")(text)
    if rewritten:
        code = without_tail_calls(code)
    return lua.eval(b"function(code, ...) return pcall(assert(loadstring(code)), ...) end")(code, *arguments)


PROGRAMS = (
    b"return ...",
    b"return select('#', ...), select(-1, ...)",
    b"return string.rep('x', 3), 1, nil, true, false, 'a\\0b', 2^53, -0.5",
    b"local function f(...) return select('#', ...), ... end return f(1, nil, nil)",
    b"""
    local count = 0
    local function outer(n)
      local inner = function(...) count = count + 1 return string.format('%d %d', n, count), ... end
      return inner(n, count)
    end
    return outer(5)
    """,
    b"local t = setmetatable({}, {__call = function(self, a) return a, self == nil end}) return t(7)",
    b"""
    local function even(n)
      if n == 0 then return true end
      return (function(m) return not even(m) end)(n - 1)
    end
    return even(9)
    """,
    b"for i = 1, 3 do local x = i; local f = function() return tostring(x) end; if i == 3 then return f() end end",
    b"return pcall(function() return error({}) end) == false",
)


@pytest.mark.parametrize("program", PROGRAMS)
def test_programs_give_the_same(lua: Any, program: bytes) -> None:
    assert run(lua, program, 1, b"two") == run(lua, program, 1, b"two", rewritten=False)


def test_an_error_has_the_line_of_a_tail_call(lua: Any) -> None:
    lua.execute(b"function fail() error('wrong', 2) end function name() return debug.getinfo(1, 'n').name end")
    assert run(lua, b"local x = 1\nreturn fail()", rewritten=False) == (False, b"wrong")
    assert run(lua, b"local x = 1\nreturn fail()") == (False, b"script:2: wrong")
    assert run(lua, b"local function f()\n\nreturn fail()\nend\nreturn f()") == (False, b"script:3: wrong")
    assert run(lua, b"return name()") == (True, b"name")


def test_recursion_has_an_end(lua: Any) -> None:
    assert run(lua, b"local function f(n) if n == 0 then return 1 end return f(n - 1) end return f(10000)") == (True, 1)
    ok, wrong = run(lua, b"local function f(n) return f(n + 1) end return f(1)")
    assert not ok
    assert b"stack overflow" in wrong
