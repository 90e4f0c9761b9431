"""What a script's text proves: examples, and random scripts that real Lua runs, to see whether a proof was wrong."""

from __future__ import annotations

from collections.abc import Callable
from random import Random
from typing import Any

import pytest

import respcache.commands.all
import respcache.server.commands  # noqa: F401 - fills the table with main's own commands
from respcache.commands.scripting.closed import Proof, prove, prove_library
from respcache.commands.scripting.tokens import END, NAME, NUMBER, STRING, UnknownText, tokens_of
from respcache.commands.table import TABLE, Reach

# Of redis-py, limits, and python-redis-lock: what locks and rate limiters do.
RELEASE = b"""
    local token = redis.call('get', KEYS[1])
    if not token or token ~= ARGV[1] then
        return 0
    end
    redis.call('del', KEYS[1])
    return 1
"""
EXTEND = b"""
    local token = redis.call('get', KEYS[1])
    if not token or token ~= ARGV[1] then
        return 0
    end
    local expiration = redis.call('pttl', KEYS[1])
    if not expiration then
        expiration = 0
    end
    if expiration < 0 then
        return 0
    end

    local newttl = ARGV[2]
    if ARGV[3] == "0" then
        newttl = ARGV[2] + expiration
    end
    redis.call('pexpire', KEYS[1], newttl)
    return 1
"""
MOVING_WINDOW = b"""
    local timestamp = tonumber(ARGV[1])
    local limit = tonumber(ARGV[2])
    local expiry = tonumber(ARGV[3])
    local amount = tonumber(ARGV[4])
    if amount > limit then
        return false
    end
    local entry = redis.call('lindex', KEYS[1], limit - amount)
    if entry and tonumber(entry) >= timestamp - expiry then
        return false
    end
    local entries = {}
    for i = 1, amount do
        entries[i] = timestamp
    end
    for i = 1, #entries, 5000 do
        redis.call('lpush', KEYS[1], unpack(entries, i, math.min(i + 4999, #entries)))
    end
    redis.call('ltrim', KEYS[1], 0, limit - 1)
    redis.call('expire', KEYS[1], expiry)
    return true
"""


@pytest.mark.parametrize(
    "text",
    [
        RELEASE,
        EXTEND,
        MOVING_WINDOW,
        b"return 1",
        b"",
        b"#!lua flags=no-writes\nreturn redis.call('get', KEYS[1])",
        b'if redis.call("get",KEYS[1]) == ARGV[1] then return redis.call("del",KEYS[1]) else return 0 end',
        b"local k = KEYS[1] return redis.call('get', k)",
        b"local a, b = KEYS[1], KEYS[2] return redis.call('rename', a, b)",
        b"local call = redis.call return call('get', KEYS[1])",
        b"local call, key = redis.pcall, KEYS[1]; call('incr', key); return call('get', key)",
        b"for _, key in ipairs(KEYS) do redis.call('del', key) end",
        b"for i = 1, #KEYS do redis.call('set', KEYS[i], ARGV[i]) end",
        b"return redis.call('del', unpack(KEYS))",
        b"return redis.call('mset', KEYS[1], ARGV[1], KEYS[2], ARGV[2])",
        b"return redis.call('zunionstore', KEYS[1], 2, KEYS[2], KEYS[3], 'weights', ARGV[1], 1)",
        b"local function get(key) return redis.call('get', key) end return get(KEYS[1]) + get(KEYS[2])",
        b"local key if ARGV[1] == '1' then key = KEYS[1] else key = KEYS[2] end return redis.call('get', key)",
        b"local key = ARGV[1] == '1' and KEYS[1] or KEYS[2] return redis.call('get', key)",
        b"return redis.call('object', 'encoding', KEYS[1])",
        b"local t = redis.call('time') redis.call('zadd', KEYS[1], t[1], t[2])",
        b"local ok, reply = pcall(redis.call, 'incr', KEYS[1]) return redis.error_reply('x')",
        b"local x = [==[ redis.call('get', 'k') ]==] -- redis.call('get', 'k')\n return x",
        b"return redis.call('sort', KEYS[1], 'limit', 0, 10)",
        b"redis.call('get', KEYS[1]) return cjson.encode({a = 1, ['b'] = KEYS[2]; KEYS[1]})",
        b"return redis.call('get')",
    ],
)
def test_closed(text: bytes) -> None:
    assert prove(text).closed


@pytest.mark.parametrize(
    "text",
    [
        b"return redis.call('get', 'k')",
        b"return redis.call('get', ARGV[1])",
        b"return redis.call('get', KEYS[1] .. ':x')",
        b"return redis.call('mget', KEYS[1], 'k')",
        b"return redis.call('mget', KEYS[1], unpack(ARGV))",
        b"return redis.call('dbsize')",
        b"return redis.call('scan', 0)",
        b"local k = KEYS[1] while true do redis.call('get', k) k = k .. 'x' end",
        b"local k = KEYS[1] local function f() k = ARGV[1] end f() return redis.call('get', k)",
        b"KEYS[1] = 'k' return redis.call('get', KEYS[1])",
        b"KEYS.x, KEYS[2] = 1, 2 return redis.call('get', KEYS[2])",
        b"table.insert(KEYS, 'k') return redis.call('get', KEYS[1])",
        b"local keys = KEYS keys[1] = 'k' return redis.call('get', KEYS[1])",
        b"rawset(KEYS, 1, 'k') return redis.call('get', KEYS[1])",
        b"local _, t = ipairs(KEYS) t[1] = 'k' return redis.call('get', KEYS[1])",
        b"for _, key in ipairs(KEYS) do key = 'k' redis.call('get', key) end",
        b"local function get(key) return redis.call('get', key) end return get('k')",
        b"local function get(key) return redis.call('get', key) end local t = {get} return t[1]('k')",
        b"local function get(key) return redis.call('get', key) end return pcall(get, 'k')",
        b"local function get(a, key) return redis.call('get', key) end return get(unpack(ARGV))",
        b"local a = KEYS[1] local b = a a = 'k' while true do b = a redis.call('get', b) end",
        b"return redis.call('sort', KEYS[1], 'by', 'w_*')",
        b"return redis.call('sort', KEYS[1], ARGV[1], ARGV[2])",
        b"return redis.call('zunionstore', KEYS[1], ARGV[1], KEYS[2], KEYS[3])",
        b"return redis.call('zunionstore', KEYS[1], 2, KEYS[2], 'k')",
        b"local key = ARGV[1] == '1' and KEYS[1] or 'k' return redis.call('get', key)",
    ],
)
def test_keys_in_doubt(text: bytes) -> None:
    proof = prove(text)
    assert proof.in_shard
    assert not proof.closed


@pytest.mark.parametrize(
    "text",
    [
        b"return redis.call(ARGV[1], KEYS[1])",
        b"local c = 'get' for i = 1, 2 do redis.call(c, KEYS[1]) c = 'publish' end",
        b"local c = 'get' for i = 1, 2 do local d = c redis.call(d, KEYS[1]) c = 'publish' end",
        b"local c = 'get' local function f() local d = c redis.call(d, KEYS[1]) end c = 'publish' f()",
        b"return redis.call('publish', KEYS[1], 'm')",
        b"return redis.call('config', 'get', 'x')",
        b"return redis.call('object', ARGV[1], KEYS[1])",
        b"return redis.call('nope', KEYS[1])",
        b"return redis['call']('get', KEYS[1]) and redis[ARGV[1]]('get', 'k')",
        b"local r = redis return r.call('get', 'k')",
        b"return _G['redis'].call('get', 'k')",
        b"return loadstring(ARGV[1])()",
        b"return pcall(load, ARGV[1])",
        b"local t = {redis.call} return t[1]('get', 'k')",
        b"return coroutine.wrap(redis.call)('get', 'k')",
        b"local n = 'sha1hex' for i = 1, 2 do redis[n]('publish', 'k') n = 'call' end",
        b"local call = redis.call call = redis.pcall return call('publish', 'a', 'b')",
        b"redis.call = 1 return redis.call('get', KEYS[1])",
        b"return redis.call('get', KEYS[1]",
        b"return redis.call('\\103et', 'k')",
        b"x = 1",
        b"function f() end",
        b"return ((((" * 200,
        b"return 1 -- " + b"x" * (1 << 16),
        b"return 'unfinished",
        b"\xff",
    ],
)
def test_everything_in_doubt(text: bytes) -> None:
    assert not prove(text).in_shard


@pytest.mark.parametrize(
    "text",
    [
        b"redis.register_function('f', function(keys, args) return redis.call('get', keys[1]) end)",
        b"local function f(keys, args) return redis.call('set', keys[1], args[1]) end redis.register_function('f', f)",
        b"local function f(keys) for _, k in ipairs(keys) do redis.call('del', k) end end "
        b"redis.register_function{function_name = 'f', callback = f, flags = {'no-writes'}}",
        b"redis.register_function{function_name = 'f', callback = function(k) return redis.call('get', k[1]) end}",
        b"local function get(key) return redis.call('get', key) end "
        b"redis.register_function('f', function(keys) return get(keys[1]) end)",
        b"redis.register_function('f', function() return 1 end)",
    ],
)
def test_closed_libraries(text: bytes) -> None:
    assert prove_library(b"#!lua name=l\n" + text).closed
    assert not prove(text).in_shard


@pytest.mark.parametrize(
    "text",
    [
        b"redis.register_function('f', function(keys, args) return redis.call('get', args[1]) end)",
        b"local function f(keys) return redis.call('get', keys[1]) end redis.register_function('f', f) f({'k'})",
        b"local function f(keys) return redis.call('get', keys[1]) end f({'k'}) redis.register_function('f', f)",
        b"local function f(keys) return redis.call('get', keys[1]) end "
        b"redis.register_function('f', f) redis.register_function('g', function() return pcall(f, {'k'}) end)",
        b"redis.register_function('f', (function(keys) redis.call('get', keys[1]) return f end)({'k'}))",
        b"redis.register_function('f', type(function(keys) redis.call('get', keys[1]) end))",
        b"local function f(keys) return redis.call('get', keys[1]) end "
        b"local t = {callback = f} redis.register_function(t)",
        b"redis.register_function('f', function(keys) keys[1] = 'k' return redis.call('get', keys[1]) end)",
        b"redis.register_function('f', function(keys, key) return redis.call('get', key) end)",
        b"local function f(a, keys) return redis.call('get', keys[1]) end redis.register_function('f', f)",
        b"local g = function(keys) return redis.call('get', keys[1]) end redis.register_function('f', g)",
        # Keys of an earlier call.
        b"local key redis.register_function('f', function(keys) key = keys[1] end) "
        b"redis.register_function('g', function() return redis.call('get', key) end)",
        b"local g redis.register_function('f', function(keys) g = function() redis.call('get', keys[1]) end end) "
        b"redis.register_function('g', function() return g() end)",
        b"local g redis.register_function('f', function(keys) local key = keys[1] "
        b"g = function() redis.call('get', key) end end) redis.register_function('g', function() return g() end)",
        b"local function make() local key redis.register_function('f', function(keys) key = keys[1] end) "
        b"redis.register_function('g', function() return redis.call('get', key) end) end make()",
    ],
)
def test_libraries_in_doubt(text: bytes) -> None:
    proof = prove_library(b"#!lua name=l\n" + text)
    assert not proof.closed


def test_tokens() -> None:
    kinds = [token.kind for token in tokens_of(b"local a = redis.call('x', KEYS[1]) ... 1e5 0x1F --[[ ] ]] ~= -- end")]
    assert kinds == [
        *("local", NAME, "=", NAME, ".", NAME, "(", STRING, ",", NAME, "[", NUMBER, "]", ")", "...", NUMBER, NUMBER),
        *("~=", END),
    ]
    values = [token.value for token in tokens_of(b"'a' \"b\" [[c]] [=[d]]]=] 'e\\n' [[\nf]]")]
    assert values == [b"a", b"b", b"c", b"d]]", None, None, None]
    for text in (b"1..2", b"'a\nb'", b"[[", b"--[==[ ]]", b"a ? b", b"1x"):
        with pytest.raises(UnknownText):
            tokens_of(text)


# -- random scripts

lupa = pytest.importorskip("lupa.lua51")

_KEYS = [b"key-1", b"key-2"]
_COMMANDS = ("get", "get", "del", "set", "rename", "mget", "publish", "dbsize", "object", "mset", "smove")
_ATOMS = ("1", "2", "'k'", "'get'", "nil", "ARGV[1]", "KEYS[1]", "KEYS[2]", "KEYS[i]", "#KEYS", "...", "a", "b", "c")
_LEAKS = ("unpack(ARGV)", "redis.call", "KEYS", "redis", "ipairs(KEYS)", "_G.redis", "f")


class Author:
    """Writes scripts about KEYS that are neither all closed nor all open."""

    def __init__(self, seed: int) -> None:
        self._random = Random(seed)

    def script(self) -> str:
        return "local a, b, c, f = KEYS[1]\n" + self._block(3)

    def _one_of(self, *writers: Callable[[int], str] | str, depth: int) -> str:
        writer = self._random.choice(writers)
        return writer if isinstance(writer, str) else writer(depth - 1)

    def _name(self) -> str:
        return self._random.choice("aabcf")

    def _block(self, depth: int) -> str:
        return "\n".join(self._statement(depth) for _ in range(self._random.randint(1, 4)))

    def _statement(self, depth: int) -> str:
        name = self._name()
        simple = (self._command, self._command, self._command, self._declaration, self._assignment, self._use)
        if depth <= 0 or self._random.random() < 0.6:
            return self._one_of(*simple, depth=2)
        body = self._block(depth - 1)
        return self._random.choice(
            (
                f"for i = 1, 2 do\n{body}\nend",
                f"for i, {name} in ipairs(KEYS) do\n{body}\nend",
                f"if {self._expression(2)} then\n{body}\nelse\n{self._block(depth - 1)}\nend",
                f"local function {name}({self._name()})\n{body}\nend\n{name}({self._expression(2)})",
                f"local {name} = function({self._name()}, ...)\n{body}\nend\n{name}({self._several(2)})",
                f"repeat\n{body}\nuntil {self._expression(1)}",
            )
        )

    def _command(self, depth: int) -> str:
        words = [repr(self._random.choice(_COMMANDS))]
        for _ in range(self._random.randint(0, 3)):
            key = self._random.choice(("KEYS[1]", "KEYS[2]", "a", "b", "c", "unpack(KEYS)"))
            words.append(key if self._random.random() < 0.8 else self._expression(depth))
        if words[0] == "'object'":
            words.insert(1, "'encoding'")
        called = self._random.choice(("redis.call(", "redis.pcall(", "pcall(redis.call, "))
        return f"{called}{', '.join(words)})"

    def _declaration(self, depth: int) -> str:
        names = self._random.choice((self._name(), f"{self._name()}, {self._name()}"))
        return f"local {names}" + self._random.choice(("", f" = {self._several(depth)}", f" = {self._several(depth)}"))

    def _assignment(self, depth: int) -> str:
        left = self._random.choice((self._name(), f"{self._name()}, {self._name()}", "KEYS[1]", f"{self._name()}[1]"))
        if left == "KEYS[1]" and self._random.random() < 0.8:
            left = self._name()
        return f"{left} = {self._several(depth)}"

    def _use(self, depth: int) -> str:
        return self._random.choice((f"{self._name()}({self._several(depth)})", f"type({self._several(depth)})"))

    def _several(self, depth: int) -> str:
        return ", ".join(self._expression(depth) for _ in range(self._random.randint(1, 3)))

    def _expression(self, depth: int) -> str:
        chance = self._random.random()
        if chance < 0.03:
            return self._random.choice(_LEAKS)
        if depth <= 0 or chance < 0.5:
            return self._random.choice(_ATOMS)
        one, other = self._expression(depth - 1), self._expression(depth - 1)
        return self._random.choice(
            (
                f"({one} .. {other})",
                f"{one} and {other}",
                f"{one} or {other}",
                f"({one} and {other} or {one})",
                f"({one} == {other})",
                f"KEYS[{one}]",
                f"({one})",
                f"{{{one}}}",
                f"{self._name()}({one}, {other})",
                f"(function({self._name()}) return {one} end)",
                f"type({one})",
                "unpack(KEYS)",
                self._command(depth - 1),
            )
        )


_RUN = b"""
    local record = ...
    redis = {call = function(...) return record(...) end, pcall = function(...) return record(...) end}
    return function(text, key1, key2)
        KEYS, ARGV = {key1, key2}, {'argument'}
        local body = loadstring(text)
        if not body then return false end
        local function enough() error('enough', 0) end
        -- Once it is enough, each instruction fails: a pcall in a loop must not go on.
        debug.sethook(function() debug.sethook(enough, '', 1) enough() end, '', 5000)
        pcall(body, 'argument')
        debug.sethook()
        return true
    end
"""


def calls_of(text: str) -> list[list[Any]] | None:
    """The words of each call of `redis.call` that real Lua makes; each is answered with a string. None: no Lua."""
    made: list[list[Any]] = []

    def call(*words: Any) -> bytes:
        made.append(list(words))
        return b"reply"

    run = lupa.LuaRuntime(encoding=None, register_eval=False).execute(_RUN, call)
    try:
        return made if run(text.encode(), *_KEYS) else None
    except lupa.LuaError:  # it was enough
        return made


@pytest.mark.parametrize("seed", range(10))
def test_no_proof_is_wrong(seed: int) -> None:
    author = Author(seed)
    proven = closed = 0
    for _ in range(300):
        text = author.script()
        proof = prove(text.encode())
        calls = calls_of(text)
        if calls is None or not proof.in_shard:
            continue
        proven += 1
        closed += proof.closed
        for words in calls:
            check(proof, words, text)
    assert proven > 50
    assert closed > 5


def check(proof: Proof, words: list[Any], text: str) -> None:
    """A call that was made must be one that the proof allows."""
    if not all(type(word) in (bytes, int, float) for word in words):
        return  # refused before anything happens
    argv = [word if isinstance(word, bytes) else b"%d" % word for word in words]
    row = TABLE[argv[0].upper()]
    if row.subcommands:
        row = row.subcommands[argv[1].upper()]
    assert not row.in_main, text
    if proof.closed and row.accepts(len(argv)):
        assert row.reach is Reach.KEYS, text
        assert {argv[at] for at in row.key_positions(argv)} <= set(_KEYS), text
