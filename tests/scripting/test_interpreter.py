"""The interpreter: words in, replies both ways, errors and their marks. Replies to clients are in `replies` too."""

from __future__ import annotations

import subprocess
import sys
from typing import Any

import pytest

from respcache.errors import CommandError
from respcache.resp.types import NULL_ARRAY, Encoded, PairedMap, Pairs, Reply, SetReply, Status, Verbatim
from respcache.scripting import ScriptError
from respcache.scripting.interpreter import Interpreter
from respcache.scripting.memory import Memory
from respcache.scripting.natives import Natives
from tests.scripting.world import Engine, World

# Shows a value as text, its type with it.
SHOW = """
local function show(value)
    if type(value) == 'table' then
        local fields = {}
        for key, field in pairs(value) do table.insert(fields, '[' .. show(key) .. ']=' .. show(field)) end
        table.sort(fields)
        return '{' .. table.concat(fields, ' ') .. '}'
    end
    return type(value) == 'string' and '"' .. value .. '"' or tostring(value)
end
"""


@pytest.fixture(scope="module")
def shared() -> Engine:
    return Engine()


@pytest.fixture
def engine(shared: Engine) -> Engine:
    world = shared.world
    world.canned.clear()
    world.called.clear()
    world.logged.clear()
    world.strings.clear()
    world.polls = world.kill_at = 0
    return shared


def test_lupa_is_only_imported_for_the_first_interpreter() -> None:
    code = "import sys, respcache.scripting; assert 'lupa' not in sys.modules"
    subprocess.run([sys.executable, "-c", code], check=True, timeout=30)


def test_without_lupa_the_error_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "lupa", None)
    with pytest.raises(CommandError, match="pip install lupa"):
        Interpreter(World(), memory=1 << 20)


# -- words


def test_words_that_were_left_behind_are_no_part_of_the_next_command() -> None:
    """If Lua has no memory left to hand over the last words of a command."""
    from lupa import lua51

    world, runtime = World(), lua51.LuaRuntime(encoding=None, max_memory=1 << 20)
    natives = Natives(world, runtime, Memory(runtime, 1 << 20)).table()
    natives[b"gather"](True, b"set", b"left")
    natives[b"call"](b"get", b"k")
    natives[b"gather"](True, b"set")
    natives[b"gather"](False, b"k")
    natives[b"long_call"](b"v")
    assert world.called == [[b"get", b"k"], [b"set", b"k", b"v"]]


def test_keys_and_arguments(engine: Engine) -> None:
    assert engine.eval("return {KEYS[1], ARGV[1], ARGV[2], #KEYS, #ARGV}", b"k", b"a\0\xff", b"", keys=1) == [
        b"k",
        b"a\0\xff",
        b"",
        1,
        2,
    ]
    assert engine.eval("return #KEYS + #ARGV") == 0
    assert engine.eval("return {#KEYS, #ARGV}", b"a", b"b", keys=2) == [2, 0]


@pytest.mark.parametrize("count", [3999, 4000, 4001, 20_000])
def test_many_words(engine: Engine, count: int) -> None:
    words = [b"%d" % i for i in range(count)]
    assert engine.eval("return KEYS", *words, keys=count) == words
    assert engine.eval("return ARGV", *words, keys=0) == words
    assert engine.eval("return {#KEYS, #ARGV, KEYS[1], ARGV[1]}", *words, keys=10) == [10, count - 10, b"0", b"10"]


@pytest.mark.parametrize("count", [1, 23, 24, 25, 47, 48, 49, 7900])
def test_commands_with_many_words(engine: Engine, count: int) -> None:
    engine.world.canned[b"list"] = 1
    script = "local t = {} for i = 2, ARGV[1] do t[i - 1] = i end return redis.call('LIST', unpack(t))"
    assert engine.eval(script, b"%d" % count) == 1
    assert engine.world.called == [[b"LIST", *(b"%d" % i for i in range(2, count + 1))]]


def test_words_of_a_killed_command_are_forgotten(engine: Engine) -> None:
    engine.world.canned[b"list"] = 1
    engine.error("local t = {} for i = 1, 100 do t[i] = 'w' end t[100] = {} redis.call('LIST', unpack(t))")
    engine.eval("return redis.call('LIST', 'a')")
    assert engine.world.called == [[b"LIST", b"a"]]


# -- what scripts return


def test_types_of_replies(engine: Engine) -> None:
    assert engine.eval("return 'a'") == b"a"
    assert engine.eval("return 1.9") == 1
    assert engine.eval("return nil") is None
    assert engine.eval("return false") is None
    assert engine.eval("return true") == 1
    assert engine.eval("redis.setresp(3) return true") is True
    assert engine.eval("redis.setresp(3) return false") is False
    status = engine.eval("return {ok = 'fine'}")
    assert isinstance(status, Status)
    assert status.text == b"fine"
    assert engine.eval("return {1, 'a'}") == [1, b"a"]
    assert isinstance(engine.eval("return {{1}}"), Encoded)


def test_setresp_ends_with_the_script(engine: Engine) -> None:
    engine.world.canned[b"none"] = None
    script = "return tostring(redis.call('NONE'))"
    assert engine.eval(f"redis.setresp(3) {script}") == b"nil"
    assert engine.eval(script) == b"false"


@pytest.mark.parametrize("count", [3999, 4000, 4001, 8000, 8001, 50_000])
def test_long_replies(engine: Engine, count: int) -> None:
    script = "local t = {} for i = 1, ARGV[1] do t[i] = i end return t"
    assert engine.eval(script, b"%d" % count) == list(range(1, count + 1))
    nested = engine.wire("local t = {} for i = 1, ARGV[1] do t[i] = {i} end return t", b"%d" % count)
    assert nested == b"*%d\r\n" % count + b"".join(b"*1\r\n:%d\r\n" % i for i in range(1, count + 1))


def test_big_numbers_and_doubles(engine: Engine) -> None:
    assert engine.wire("return {big_number = '12\\r3'}", protocol=3) == b"(12 3\r\n"
    assert engine.wire("return {double = 0.1}", protocol=3) == b",0.1\r\n"
    assert engine.wire("return {double = -0.0}", protocol=3) == b",-0\r\n"


def test_deep_replies_end_where_redis_ends_them(engine: Engine) -> None:
    reply = engine.wire("local t = {} t[1] = t return t")
    assert reply.endswith(b"-ERR reached lua stack limit\r\n")
    assert reply.count(b"*1\r\n") > 7000
    assert set(reply.split(b"\r\n")[:-2]) == {b"*1"}


# -- what scripts get


REPLIES: list[tuple[Reply, str, str]] = [
    # reply, in RESP2, in RESP3
    (b"a\0", '"a\0"', '"a\0"'),
    (bytearray(b"a"), '"a"', '"a"'),
    (7, "7", "7"),
    (-(1 << 63), "-9.2233720368548e+18", "-9.2233720368548e+18"),
    (None, "false", "nil"),
    (NULL_ARRAY, "false", "nil"),
    (True, "1", "true"),
    (False, "0", "false"),
    (1.5, '"1.5"', '{["double"]=1.5}'),
    (Status(b"OK"), '{["ok"]="OK"}', '{["ok"]="OK"}'),
    (Verbatim(b"text"), '"text"', '{["verbatim_string"]={["format"]="txt" ["string"]="text"}}'),
    ([], "{}", "{}"),
    ([b"a", None, b"b"], '{[1]="a" [2]=false [3]="b"}', '{[1]="a" [3]="b"}'),
    ((b"a", [b"b", [1]]), '{[1]="a" [2]={[1]="b" [2]={[1]=1}}}', '{[1]="a" [2]={[1]="b" [2]={[1]=1}}}'),
    ([Status(b"x"), Status(b"y")], '{[1]={["ok"]="x"} [2]={["ok"]="y"}}', '{[1]={["ok"]="x"} [2]={["ok"]="y"}}'),
    ({b"k": b"v", b"l": 1}, '{[1]="k" [2]="v" [3]="l" [4]=1}', '{["map"]={["k"]="v" ["l"]=1}}'),
    (SetReply([b"a", b"b"]), '{[1]="a" [2]="b"}', '{["set"]={["a"]=true ["b"]=true}}'),
    (Pairs([(b"m", 1.5)]), '{[1]="m" [2]="1.5"}', '{[1]={[1]="m" [2]={["double"]=1.5}}}'),
    (
        PairedMap([(b"s", [b"e"]), (b"t", [])]),
        '{[1]={[1]="s" [2]={[1]="e"}} [2]={[1]="t" [2]={}}}',
        '{["map"]={["s"]={[1]="e"} ["t"]={}}}',
    ),
    (
        [CommandError("WRONGTYPE no")],
        '{[1]={["err"]="WRONGTYPE no" ["ignore_error_stats_update"]=true}}',
        '{[1]={["err"]="WRONGTYPE no" ["ignore_error_stats_update"]=true}}',
    ),
]


@pytest.mark.parametrize(("reply", "resp2", "resp3"), REPLIES, ids=lambda value: str(value)[:30])
def test_replies_of_commands(engine: Engine, reply: Reply, resp2: str, resp3: str) -> None:
    engine.world.canned[b"give"] = reply
    assert engine.eval(f"{SHOW} return show(redis.call('GIVE'))") == resp2.encode()
    assert engine.eval(f"{SHOW} redis.setresp(3) return show(redis.call('GIVE'))") == resp3.encode()


def test_one_reply_in_several_places_becomes_several_tables(engine: Engine) -> None:
    same: Any = [b"a"]
    engine.world.canned[b"give"] = [same, same, [same]]
    assert engine.eval(f"{SHOW} local r = redis.call('GIVE') r[1][1] = 'b' return show(r)") == (
        b'{[1]={[1]="b"} [2]={[1]="a"} [3]={[1]={[1]="a"}}}'
    )


def test_tables_of_replies_are_the_scripts_own(engine: Engine) -> None:
    assert (
        engine.eval("local r = redis.call('SET', 'a', 'b') r.ok = 'x' return redis.call('SET', 'a', 'b').ok") == b"OK"
    )


# -- errors


def test_an_error_of_a_command_has_been_counted(engine: Engine) -> None:
    for script in ("redis.call('GET', 'x')", "return redis.pcall('GET', 'x')", "error(redis.pcall('GET', 'x'))"):
        with pytest.raises(ScriptError) as raised:
            engine.eval(script)
        assert raised.value.counted
        assert raised.value.text.startswith("WRONGTYPE ")


def test_an_error_of_the_script_has_not(engine: Engine) -> None:
    for script in (
        "error('x')",
        "return {err = 'x'}",
        "redis.sha1hex()",
        "local ok, e = pcall(redis.call, 'no') error(e)",
    ):
        with pytest.raises(ScriptError) as raised:
            engine.eval(script)
        assert not raised.value.counted


def test_errors_without_a_code_get_one(engine: Engine) -> None:
    engine.world.canned[b"fail"] = CommandError("NOSPACE")
    assert engine.error("redis.call('FAIL')") == "ERR NOSPACE"
    engine.world.canned[b"fail"] = CommandError("MY own\r\n")
    assert engine.error("redis.call('FAIL')") == "MY own"


def test_bytes_that_are_no_text_pass_through_errors(engine: Engine) -> None:
    assert engine.wire(b"return {err = 'a \xff\xfe'}") == b"-a \xff\xfe\r\n"
    assert engine.wire(b"error('\xff', 0)").startswith(b"-ERR \xff script: ")


def test_an_exception_of_the_host_leaves_the_script(engine: Engine) -> None:
    for problem in (KeyError("bug"), KeyboardInterrupt()):
        engine.world.canned[b"fail"] = problem
        with pytest.raises(type(problem)):
            engine.eval("while true do pcall(redis.call, 'FAIL') end")
        assert engine.eval("return 1") == 1


def test_compilation(engine: Engine) -> None:
    script = engine.interpreter.compile(b"#!lua flags=no-writes,allow-oom\nreturn 1")
    assert script.flags == frozenset((b"no-writes", b"allow-oom"))
    plain = engine.interpreter.compile(b"return 1")
    assert plain.flags is None
    assert plain.sha == b"e0e1f9fabfc9d4800c877a703b823ac0578ff8db"
    assert engine.interpreter.run(plain, [], [], 2) == 1


def test_log(engine: Engine) -> None:
    engine.eval("redis.log(redis.LOG_NOTICE, 'a', 1, {}, nil, 'b\\0') redis.log('0', 1.5)")
    assert engine.world.logged == [(2, b"a 1 b\0"), (0, b"1.5")]


def test_acl_check_cmd(engine: Engine) -> None:
    assert engine.eval("return redis.acl_check_cmd('get', 'k')") == 1
    assert engine.eval("return redis.acl_check_cmd('incr', 'k')") is None
    assert engine.error("redis.acl_check_cmd('nosuch')") == "ERR Invalid command passed to redis.acl_check_cmd()"


def test_the_version_is_that_of_the_server(engine: Engine) -> None:
    assert engine.eval("return {redis.REDIS_VERSION, redis.REDIS_VERSION_NUM}") == [b"7.2.4", 0x00070204]


def test_random_numbers_are_those_of_redis() -> None:
    # A new Redis gives these; its sequence runs on from script to script.
    engine = Engine()
    assert [engine.eval("return math.random(1000)") for _ in range(4)] == [397, 841, 354, 447]
