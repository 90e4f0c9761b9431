"""Scripts that never end, or take all memory: they end with an error, and the next script works."""

from __future__ import annotations

import tracemalloc
from collections.abc import Iterator

import pytest

from tests.scripting.world import KILLED, MEMORY, Engine


@pytest.fixture(scope="module")
def shared() -> Engine:
    return Engine(32 << 20)


@pytest.fixture
def engine(shared: Engine) -> Iterator[Engine]:
    shared.world.polls = 0
    yield shared
    shared.world.kill_at = 0
    works = "return {1, redis.call('ECHO', 'x'), coroutine.wrap(function() return ('y'):rep(2) end)()}"
    assert shared.eval(works) == [1, b"x", b"yy"]


FOREVER = "while true do end"


@pytest.mark.parametrize(
    "script",
    [
        FOREVER,
        "repeat until false",
        "for i = 1, 1e18 do end",
        f"while true do pcall(function() {FOREVER} end) end",
        f"local function f() {FOREVER} end while true do pcall(pcall, pcall, f) end",
        f"coroutine.wrap(function() {FOREVER} end)()",
        f"while true do coroutine.resume(coroutine.create(function() {FOREVER} end)) end",
        f"while true do pcall(coroutine.wrap(function() pcall(function() {FOREVER} end) end)) end",
        "while true do coroutine.wrap(function() end)() end",
        f"xpcall(function() {FOREVER} end, function() {FOREVER} end)",
        f"while true do xpcall(error, function() {FOREVER} end) end",
        "local function f() pcall(f) pcall(f) end f()",
        "local function f() xpcall(f, f) xpcall(f, f) end f()",
        f"error(setmetatable({{}}, {{__newindex = function() {FOREVER} end}}))",
        f"error(setmetatable({{}}, {{__index = function() {FOREVER} end}}))",
        f"tostring(setmetatable({{}}, {{__tostring = function() {FOREVER} end}}))",
        f"table.sort({{1, 2, 3}}, function() {FOREVER} end)",
        f"string.gsub('x', 'x', function() {FOREVER} end)",
        f"load(function() {FOREVER} end)",
        "load(function() return ' ' end)",
        "while true do loadstring('return 1')() end",
        "while true do pcall(redis.call, 'nosuch') end",
        "while true do pcall(cjson.decode, '[') end",
    ],
)
def test_a_killed_script_ends(engine: Engine, script: str) -> None:
    engine.world.kill_at = 2
    assert engine.error(script) == KILLED
    assert engine.world.polls <= 3


def test_a_killed_script_has_its_line(engine: Engine) -> None:
    engine.world.kill_at = 1
    assert b" script: " in engine.wire(f"\n\n{FOREVER}")
    engine.world.polls = 0
    assert engine.wire(f"\n\n{FOREVER}").endswith(b", on @user_script:3.\r\n")


def test_a_script_can_be_killed_while_its_reply_is_made(engine: Engine) -> None:
    words = [b"%d" % i for i in range(50_000)]
    engine.eval("return KEYS", *words, keys=len(words))
    assert engine.world.polls  # the script itself is one instruction
    engine.world.polls, engine.world.kill_at = 0, 1
    assert engine.error("return KEYS", *words, keys=len(words)) == KILLED


def test_the_poll_comes_every_100_000_instructions(engine: Engine) -> None:
    engine.eval("for i = 1, 1000000 do end")
    assert 9 <= engine.world.polls <= 11


NO_MEMORY = "ERR not enough memory"


@pytest.mark.parametrize(
    "script",
    [
        "local t = {} while true do t[#t + 1] = #t .. 'xxxxxxxxxxxxxxxxxxxx' end",
        "local t = {} while true do t[#t + 1] = {} end",
        "local s = 'x' while true do s = s .. s end",
        "return ('x'):rep(1e9)",
        "return table.concat({('x'):rep(1e7), ('y'):rep(1e7), ('z'):rep(1e7)})",
        "local t = {} t[1] = t t[2] = t return t",
        "return redis.call('BIG')",
        "local t = {} while true do t[#t + 1] = redis.call('ECHO', #t .. 'xxxxxxxxxxxxxxxxxxxxxxxxxxxxxx') end",
        "local t = {} while true do t[#t + 1] = redis.call('LIST') end",
        "local t = {} while true do t[#t + 1] = redis.pcall('nosuch') if t[#t].err == 'ERR not enough memory' then "
        "error(t[#t]) end end",
        "local t = {} while true do t[#t + 1] = coroutine.create(function() end) end",
    ],
)
def test_memory_is_bounded(engine: Engine, script: str) -> None:
    engine.world.canned[b"big"] = b"x" * (17 << 20)
    engine.world.canned[b"list"] = [b"%d" % i for i in range(1000)]
    assert engine.error(script) == NO_MEMORY
    engine.interpreter._memory.collect()
    assert engine.interpreter._memory.used() < 4 << 20


def test_a_script_may_go_on_after_it(engine: Engine) -> None:
    caught = "local ok, e = pcall(function() local t = {} while true do t[#t + 1] = {} end end)"
    assert engine.eval(f"{caught} {caught} return {{e, ('x'):rep(5)}}") == [b"not enough memory", b"xxxxx"]


def test_garbage_is_collected_in_time(engine: Engine) -> None:
    keep = "local keep = {} for i = 1, 100000 do keep[i] = i .. 'xxxxxxxxxxxxxxxxxxxxxxxxx' end"
    assert engine.eval(f"{keep} for i = 1, 1000000 do local t = {{}} end return #keep") == 100_000


def test_words_that_do_not_fit_are_refused(engine: Engine) -> None:
    assert engine.error("return 1", b"x" * (20 << 20)) == NO_MEMORY
    assert engine.error(b"return '" + b"x" * (20 << 20) + b"'") == NO_MEMORY
    assert engine.eval("return #ARGV[1]", b"x" * (1 << 20)) == 1 << 20


def test_a_reply_that_does_not_fit_is_not_copied_first(engine: Engine) -> None:
    engine.world.canned[b"same"] = [bytearray(1 << 20)] * 1000  # as MGET gives them
    tracemalloc.start()
    try:
        assert engine.error("return redis.call('SAME')") == NO_MEMORY
        assert tracemalloc.get_traced_memory()[1] < 100 << 20
    finally:
        tracemalloc.stop()


@pytest.mark.parametrize(
    "bounds", ["-2^31, 2^31 - 1", "-2^31", "0, 2^31 - 1", "2^31, 2^31 - 1", "0/0, 2^31 - 1", "1, 7998"]
)
def test_unpack_has_a_limit(engine: Engine, bounds: str) -> None:
    """Lua's own counts the values in an int, which overflows."""
    assert engine.error(f"return unpack({{}}, {bounds})") == "ERR user_script:1: too many results to unpack"
    assert engine.eval("return select('#', unpack({}, 1, 7997))") == 7997


def test_tables_among_the_words_of_a_command_at_the_edge_of_memory(engine: Engine) -> None:
    """lupa makes a reference for each, which must not need memory."""
    script = """
        local words, t = {}, {}
        for i = 1, 7000 do words[i] = {} end
        local function call() redis.call(unpack(words)) end
        local function fill() while true do t[#t + 1] = {} end end
        for i = 1, 20 do pcall(fill) pcall(call) end
        return #t > 1000
    """
    assert engine.eval(script) == 1


def test_recursion_ends(engine: Engine) -> None:
    assert engine.error("local function f() return 1 + f() end f()") == "ERR user_script:1: stack overflow"
    assert engine.error("local t = setmetatable({}, {__index = function(t, k) return t[k + 1] end}) return t[1]") == (
        "ERR user_script:1: C stack overflow"
    )
    assert engine.eval("local function f(n) if n == 0 then return 7 end return f(n - 1) end return f(10000)") == 7


def test_the_default_is_more_than_scripts_need() -> None:
    engine = Engine(MEMORY)
    script = "local t = {} for i = 1, 200000 do t[i] = tostring(i) end return #table.concat(t, ',')"
    assert engine.eval(script) == 1_288_894
