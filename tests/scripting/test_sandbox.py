"""Attacks on the sandbox: nothing of Python comes into view, and nothing of one script is left for the next."""

from __future__ import annotations

import sys

import pytest

from respcache.scripting.interpreter import Interpreter
from tests.scripting.world import MEMORY, Engine, World


@pytest.fixture(scope="module")
def engine() -> Engine:
    return Engine()


# Walks through everything that a script can reach, and reports types that it must not see.
WALK = """
local seen, found, count = {}, {}, 0
local function walk(value, path)
    local kind = type(value)
    if kind == 'userdata' and value ~= cjson.null then
        found[#found + 1] = path
    elseif kind == 'table' and not seen[value] then
        seen[value] = true
        count = count + 1
        for key, field in pairs(value) do
            walk(key, path .. '.<key>')
            walk(field, path .. '.' .. tostring(key))
        end
        walk(getmetatable(value), path .. '.<meta>')
    elseif kind == 'userdata' or kind == 'string' then
        local meta = getmetatable(value)
        if meta and not seen[meta] then walk(meta, path .. '.<meta>') end
    end
end
"""


def test_no_python_object_can_be_reached(engine: Engine) -> None:
    assert engine.wire(f"{WALK} walk(_G, '_G') walk(redis.pcall('nosuch'), 'error') return found") == b"*0\r\n"
    assert engine.eval(f"{WALK} walk(_G, '_G') return count > 12") == 1


def test_errors_in_flight_are_never_python_objects(engine: Engine) -> None:
    for catch in (
        "local _, e = pcall(redis.call, 'nosuch') return type(e)",
        "local _, e = xpcall(function() redis.call('nosuch') end, function(e) return type(e) end) return e",
        "local _, e = xpcall(function() redis.call('nosuch') end, function(e) return e end) return type(e)",
        "local _, e = coroutine.resume(coroutine.create(function() redis.call('nosuch') end)) return type(e)",
        "local _, e = pcall(coroutine.wrap(function() redis.call('nosuch') end)) return type(e)",
        "local _, e = pcall(string.gsub, 'a', 'a', redis.call) return type(e)",
        "local _, e = pcall(table.sort, {'a', 'b'}, redis.call) return type(e)",
        "local _, e = load(redis.call) return type(e)",
        "local t = setmetatable({}, {__len = redis.call, __index = redis.call})"
        " local _, e = pcall(function() return t.x end) return type(e)",
        "local _, e = pcall(redis.setresp, '0x' .. string.rep('f', 300)) return type(e)",
        "local t = setmetatable({}, {__tostring = redis.call}) local _, e = pcall(tostring, t) return type(e)",
    ):
        assert engine.eval(catch) in (b"string", b"table"), catch


@pytest.mark.parametrize(
    "attack",
    [
        "string.format = nil",
        "rawset(string, 'format', nil)",
        "table.insert(redis, 1)",
        "table.insert(_G, 1, 2)",
        "setmetatable(redis, {})",
        "setmetatable(_G, nil)",
        "getmetatable('').__index = nil",
        "rawset(getmetatable(''), '__index', nil)",
        "getmetatable(_G).__index = nil",
        "for k in pairs(redis) do redis[k] = nil end",
        "for k, v in next, redis do redis[k] = nil end",
        "_G.x = 1",
        "x = 1",
        "function x() end",
        "KEYS = 1",
        "redis.call = nil",
        "cjson.encode = nil",
        "math.random = nil",
        "coroutine.create = nil",
        "os.clock = nil",
        "loadstring('x = 1')()",
        "load(coroutine.wrap(function() coroutine.yield('x = 1') end))()",
    ],
)
def test_nothing_shared_can_be_changed(engine: Engine, attack: str) -> None:
    assert engine.error(attack).endswith("Attempt to modify a readonly table")
    assert engine.wire(
        "return {type(string.format), ('x'):rep(2), type(redis.call), type(rawget(_G, 'x')), #redis}"
    ) == (b"*5\r\n$8\r\nfunction\r\n$2\r\nxx\r\n$8\r\nfunction\r\n$3\r\nnil\r\n:0\r\n")


def test_sorting_and_removing_leave_no_trace(engine: Engine) -> None:
    for name in ("_G", "redis", "string", "cjson", "getmetatable('')", "getmetatable(_G)"):
        engine.eval(f"table.sort({name}) table.remove({name}) table.remove({name}, 1)")
        assert engine.eval(f"return #{name}") == 0
        assert engine.eval("return type(redis.call) .. type(string.rep)") == b"functionfunction"


def test_what_a_script_leaves_behind_is_gone(engine: Engine) -> None:
    engine.eval("KEYS.x = 1 ARGV.y = 2 KEYS[5] = 1")
    assert engine.eval("return {type(KEYS.x), type(ARGV.y), #KEYS}") == [b"nil", b"nil", 0]
    engine.eval("collectgarbage('stop') collectgarbage('setpause', 1000000)")
    engine.eval("for i = 1, 100000 do local t = {i} end")
    assert engine.interpreter._memory.used() < MEMORY / 4


def test_bytecode_is_refused_in_every_disguise(engine: Engine) -> None:
    for text in (
        "loadstring(string.dump(function() end))",
        "load(function() return string.dump(function() end) end)",
        "load(coroutine.wrap(function() coroutine.yield('\\27') coroutine.yield('Lua') end))",
        "loadstring('\\27Lua', '=name')",
    ):
        assert engine.eval(f"return (select('#', {text}))") == 2, text
        assert engine.eval(f"return type(({text}))") == b"nil", text
    assert b"unexpected symbol near 'char(27)'" in engine.wire(b"\x1bLuaQ\0\1\4\4\4\x08\0")


def test_our_own_functions_cannot_be_dumped(engine: Engine) -> None:
    for function in ("pcall", "redis.call", "pairs", "cjson.encode", "string.dump", "coroutine.wrap(function() end)"):
        assert engine.error(f"string.dump({function})") == "ERR user_script:1: unable to dump given function"


def test_a_chunk_with_our_name_gains_nothing(engine: Engine) -> None:
    assert engine.eval("return loadstring('return type(rawget(_G, \"debug\"))', '=respcache')()") == b"nil"
    assert engine.error("loadstring('error(1)', '=respcache')()") == "ERR respcache:1: 1"


def test_runs_leave_no_references_behind() -> None:
    """Lua does not grow with every script, and Python keeps no replies."""
    world = World()
    interpreter = Interpreter(world, MEMORY)
    script = interpreter.compile(
        b"local co = coroutine.wrap(function() return redis.call('GIVE') end)"
        b" return {co(), redis.pcall('nosuch'), {1}, redis.call('SET', 'a', ARGV[1])}"
    )
    world.canned[b"give"] = [b"a", [b"b"], {b"c": None}]
    before = 0
    for i in range(3000):
        interpreter.run(script, [b"k"], [b"%d" % i], 2)
        if i == 1000:
            interpreter._memory.collect()
            before = interpreter._memory.used()
    interpreter._memory.collect()
    assert interpreter._memory.used() - before < 4096
    reply = bytes(1000)
    references = sys.getrefcount(reply)
    world.canned[b"give"] = reply
    interpreter.run(script, [], [reply], 2)
    del world.canned[b"give"]
    world.called.clear()
    world.strings.clear()
    after = sys.getrefcount(reply)
    assert after == references


def test_dropped_scripts_free_their_memory(engine: Engine) -> None:
    for round_ in range(2):
        scripts = [engine.interpreter.compile(b"local x = %d return x" % i) for i in range(2000)]
        assert engine.interpreter.run(scripts[-1], [], [], 2) == 1999
        scripts.clear()
        engine.interpreter._memory.collect()
        if not round_:
            used = engine.interpreter._memory.used()
    assert engine.interpreter._memory.used() <= used + 4096
