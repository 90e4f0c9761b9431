"""EVAL and its kin, SCRIPT: what they answer, on one shard and on several."""

from __future__ import annotations

import hashlib
from typing import Any

import pytest

from tests.support.resp import Connection
from tests.support.transcript import Transcript

SHA_OF_1 = "e0e1f9fabfc9d4800c877a703b823ac0578ff8db"  # return 1
# On three shards each of these keys is on another one.
APART = ("a", "b", "c")


def text(reply: Any) -> str:
    """A bulk string, or the verbatim string that RESP3 has in its place."""
    return reply.decode() if isinstance(reply, bytes) else str(reply)


# -- EVAL


def test_keys_and_arguments(do: Transcript) -> None:
    assert do("EVAL", "return {KEYS[1], KEYS[2], ARGV[1], #ARGV}", 2, "a", "b", "x", "y") == [b"a", b"b", b"x", 2]
    assert do("EVAL", "return KEYS[1]", 0) is None
    assert do("EVAL", "return redis.call('SET', KEYS[1], ARGV[1])", 1, "k", "v") == "OK"
    assert do("EVAL", "return redis.call('get', KEYS[1])", 1, "k") == b"v"
    assert do("GET", "k") == b"v"


def test_numkeys(do: Transcript) -> None:
    assert do.error("EVAL", "return 1", "x") == "ERR value is not an integer or out of range"
    assert do.error("EVAL", "return 1", -1) == "ERR Number of keys can't be negative"
    assert do.error("EVAL", "return 1", 1) == "ERR Number of keys can't be greater than number of args"
    assert do.error("EVAL", "return 1") == "ERR wrong number of arguments for 'eval' command"
    assert do("SCRIPT", "EXISTS", SHA_OF_1) == [0]


def test_keys_that_were_not_declared(do: Transcript) -> None:
    script = "for i = 1, 9 do redis.call('set', 'k' .. i, i) end return redis.call('mget', 'k1', 'k5', 'k9', 'k10')"
    assert do("EVAL", script, 0) == [b"1", b"5", b"9", None]
    assert do("DBSIZE") == 9
    assert do("EVAL", "return redis.call('dbsize')", 0) == 9
    assert sorted(do("EVAL", "return redis.call('keys', 'k*')", 0)) == [b"k%d" % i for i in range(1, 10)]
    assert do("EVAL", "return redis.call('del', 'k1', 'k2', 'k3', 'none')", 1, "k1") == 3
    assert do("EVAL", "return redis.call('rename', 'k4', 'z')", 0) == "OK"
    assert do("GET", "z") == b"4"


def test_declared_keys_that_are_apart(do: Transcript) -> None:
    do("RPUSH", "a", 1, 2, 3)
    assert do("EVAL", "return redis.call('lmove', KEYS[1], KEYS[2], 'left', 'right')", 2, "a", "b") == b"1"
    script = "for _, key in ipairs(KEYS) do redis.call('rpush', key, 'x') end return redis.call('exists', unpack(KEYS))"
    assert do("EVAL", script, 3, *APART) == 3
    assert [do("LRANGE", key, 0, -1) for key in APART] == [[b"2", b"3", b"x"], [b"1", b"x"], [b"x"]]


def test_replies_of_calls_on_other_shards(do: Transcript) -> None:
    """Each type of reply is the same whether the key is here or elsewhere."""
    for key in APART:
        do("SET", f"s{{{key}}}", "v")
        do("HSET", f"h{{{key}}}", "f", "v")
        do("ZADD", f"z{{{key}}}", 1.5, "m")
        do("SADD", f"m{{{key}}}", "m")
    script = """
        local key = ARGV[1]
        redis.setresp(tonumber(ARGV[2]))
        local function kind(reply)
            if type(reply) ~= 'table' then return type(reply) .. ':' .. tostring(reply) end
            local fields = {}
            for name, value in pairs(reply) do
                if type(value) == 'table' then
                    for inner in pairs(value) do table.insert(fields, tostring(name) .. '.' .. tostring(inner)) end
                else
                    table.insert(fields, tostring(name) .. '=' .. tostring(value))
                end
            end
            table.sort(fields)
            return table.concat(fields, ' ')
        end
        local found = {}
        for _, words in ipairs({
            {'get', 's{' .. key .. '}'}, {'get', 'none{' .. key .. '}'}, {'strlen', 's{' .. key .. '}'},
            {'set', 's{' .. key .. '}', 'v'}, {'hgetall', 'h{' .. key .. '}'}, {'smembers', 'm{' .. key .. '}'},
            {'zscore', 'z{' .. key .. '}', 'm'}, {'zrange', 'z{' .. key .. '}', '0', '-1', 'withscores'},
            {'incr', 'h{' .. key .. '}'}, {'lpop', 'none{' .. key .. '}', '2'}, {'zscore', 'none{' .. key .. '}', 'm'},
        }) do
            table.insert(found, kind(redis.pcall(unpack(words))))
        end
        return found
    """
    for protocol in (2, 3):
        replies = [do("EVAL", script, 1, "a", key, protocol) for key in APART]
        assert replies[0] == replies[1] == replies[2]
        assert replies[0][0] == b"string:v"


def test_errors_of_calls(do: Transcript) -> None:
    assert do.error("EVAL", "return redis.call('nope')", 0) == (
        "ERR Unknown Redis command called from script "
        "script: f01f0776df71cc5b400c2268135aa7f30dce2e53, on @user_script:1."
    )
    assert do.error("EVAL", "return redis.pcall('nope')", 0) == "ERR Unknown Redis command called from script"
    for words in ("'get'", "'script'", "'ping', 1, 2, 3", "'echo'", "'select'", "'config', 'get'"):
        error = do.error("EVAL", f"return redis.pcall({words})", 0)
        assert error == {
            "'ping', 1, 2, 3": "ERR wrong number of arguments for 'ping' command",
        }.get(words, "ERR Wrong number of args calling Redis command from script"), words
    for words in ("'multi'", "'subscribe', 'c'", "'eval', 'return 1', 0", "'script', 'kill'", "'config', 'get', 'x'"):
        error = do.error("EVAL", f"return redis.pcall({words})", 0)
        assert error == "ERR This Redis command is not allowed from script", words
    do("RPUSH", "l", 1)
    for key in ("l", "none"):
        assert do.error("EVAL", "return redis.pcall('select', 99)", 1, key) == "ERR DB index is out of range"
    assert do.error("EVAL", "return redis.pcall('incr', ARGV[1])", 0, "l").startswith("WRONGTYPE ")
    assert do.error("EVAL", "return redis.call('incr', KEYS[1])", 1, "l").startswith("WRONGTYPE ")


def test_commands_of_the_server(do: Transcript) -> None:
    assert do("EVAL", "return redis.call('ping')", 0) == "PONG"
    assert do("EVAL", "return redis.call('ping', 'x')", 0) == b"x"
    assert do("EVAL", "return redis.call('echo', 'x')", 0) == b"x"
    assert do("EVAL", "return redis.call('publish', 'channel', 'message')", 0) == 0
    assert do("EVAL", "return redis.call('info', 'server')", 0).startswith(b"# Server")
    assert do("EVAL", "return type(redis.call('command', 'count'))", 0) == b"number"
    assert do("EVAL", "return redis.call('pubsub', 'channels')", 0) == []
    do("SET", "a", 1)
    do("SET", "b", 1)
    assert do("EVAL", "return redis.call('flushall')", 0) == "OK"
    assert do("DBSIZE") == 0


def test_time_stands_still(do: Transcript) -> None:
    script = "local function now() local t = redis.call('time') return t[1] * 1000000 + t[2] end return {now(), now()}"
    if do.server.version >= (7, 2):
        first, second = do("EVAL", script, 0)
        assert first == second
    before = do("TIME")
    assert int(do("EVAL", "return redis.call('time')", 0)[0]) - int(before[0]) in (0, 1)


def test_times_of_different_scripts_differ(do: Transcript) -> None:
    """Sliding windows use the microseconds as members of sorted sets."""
    script = "local t = redis.call('time') return redis.call('zadd', KEYS[1], 0, t[1] .. t[2])"
    for _ in range(50):
        assert do("EVAL", script, 1, "window") == 1


def test_select_ends_with_the_script(do: Transcript) -> None:
    assert do("EVAL", "redis.call('select', 3) redis.call('set', 'a', 1) redis.call('set', 'b', 1)", 0) is None
    assert do("DBSIZE") == 0
    assert do("EVAL", "redis.call('select', 3) return redis.call('dbsize')", 0) == 2
    do("SELECT", 3)
    assert do("EVAL", "return redis.call('exists', KEYS[1], KEYS[2])", 2, "a", "b") == 2


def test_protocol_of_the_calls(do: Transcript) -> None:
    do("HSET", "h", "f", "v")
    assert do("EVAL", "return redis.call('hgetall', KEYS[1])", 1, "h") == [b"f", b"v"]
    script = "redis.setresp(3) return redis.call('hgetall', KEYS[1])"
    assert do.as_map(do("EVAL", script, 1, "h")) == {b"f": b"v"}
    assert do("EVAL", "redis.setresp(3) return redis.call('hgetall', KEYS[1]).map.f", 1, "h") == b"v"
    assert do("EVAL", "return type(redis.call('hgetall', KEYS[1])[1])", 1, "h") == b"string"


def test_nothing_waits_in_a_script(do: Transcript) -> None:
    if do.server.version < (7, 2):
        refusal = "ERR This Redis command is not allowed from script"
        assert do.error("EVAL", "return redis.pcall('blpop', KEYS[1], 0)", 1, "none").startswith(refusal)
        return
    assert do("EVAL", "return redis.call('blpop', KEYS[1], 0)", 1, "none") is None
    assert do("EVAL", "return redis.call('blpop', KEYS[1], KEYS[2], 0)", 2, "a", "b") is None


# -- scripts that must not write


def test_read_only(do: Transcript) -> None:
    do("SET", "k", "v")
    assert do("EVAL_RO", "return redis.call('get', KEYS[1])", 1, "k") == b"v"
    refusal = "ERR Write commands are not allowed from read-only scripts."
    assert do.error("EVAL_RO", "return redis.pcall('set', KEYS[1], 1)", 1, "k") == refusal
    assert do.error("EVAL_RO", "return redis.pcall('set', 'a', 1)", 0) == refusal
    assert do.error("EVAL_RO", "return redis.pcall('publish', 'a', 1)", 0) == refusal
    assert do.error("EVAL", "#!lua flags=no-writes\nreturn redis.pcall('set', KEYS[1], 1)", 1, "k") == refusal
    assert do("EVAL_RO", "#!lua flags=no-writes\nreturn redis.call('get', KEYS[1])", 1, "k") == b"v"
    assert do.error("EVAL_RO", "#!lua\nreturn 1", 0) == (
        "ERR Can not execute a script with write flag using *_ro command."
    )
    sha = do("SCRIPT", "LOAD", "return redis.pcall('set', KEYS[1], 1)").decode()
    assert do.error("EVALSHA_RO", sha, 1, "k") == refusal
    assert do("EVALSHA", sha, 1, "k") == "OK"


def test_headers(do: Transcript) -> None:
    assert do("EVAL", "#!lua\nreturn 1", 0) == 1
    assert do("EVAL", "#!lua flags=allow-oom,no-writes\nreturn 1", 0) == 1
    assert do.error("EVAL", "#!lua flags=nope\nreturn 1", 0) == "ERR Unexpected flag in script shebang: nope"
    assert do.error("EVAL", "#!wasm\nreturn 1", 0) == "ERR Unexpected engine in script shebang: #!wasm"
    assert do.error("SCRIPT", "LOAD", "#!lua") == "ERR Invalid script shebang"


# -- EVALSHA, SCRIPT

NO_SCRIPT = "NOSCRIPT No matching script. Please use EVAL."


def test_evalsha(do: Transcript) -> None:
    assert do.error("EVALSHA", SHA_OF_1, 0) == NO_SCRIPT
    assert do("EVAL", "return 1", 0) == 1
    assert do("EVALSHA", SHA_OF_1, 0) == 1
    assert do("EVALSHA", SHA_OF_1.upper(), 0) == 1
    assert do("SCRIPT", "FLUSH") == "OK"
    assert do.error("EVALSHA", SHA_OF_1, 0) == NO_SCRIPT
    # A SHA of the wrong length is refused at once, any other after the number of keys.
    assert do.error("EVALSHA", "abc", "x") == NO_SCRIPT
    assert do.error("EVALSHA", "return 1", 0) == NO_SCRIPT
    assert do.error("EVALSHA", "return 1".ljust(40), 0) == NO_SCRIPT
    assert do.error("EVALSHA", SHA_OF_1, "x") == "ERR value is not an integer or out of range"
    assert do.error("EVALSHA", SHA_OF_1, 3) == "ERR Number of keys can't be greater than number of args"
    assert do.error("EVALSHA_RO", SHA_OF_1, 0) == NO_SCRIPT


@pytest.mark.parametrize("sha", ["", "return 1", "return redis.call('set', 'k', 'v') --   "])
def test_lua_in_place_of_a_sha(do: Transcript, sha: str) -> None:
    assert do.error("EVALSHA", sha, 0) == NO_SCRIPT
    assert do.error("EVALSHA_RO", sha, 0) == NO_SCRIPT
    assert do("EXISTS", "k") == 0


def test_script_load_and_exists(do: Transcript) -> None:
    assert do("SCRIPT", "LOAD", "return 1") == SHA_OF_1.encode()
    assert do("SCRIPT", "EXISTS", SHA_OF_1, "nope", SHA_OF_1.upper()) == [1, 0, 1]
    assert do("EVALSHA", SHA_OF_1, 0) == 1
    assert do("SCRIPT", "FLUSH", "ASYNC") == "OK"
    assert do("SCRIPT", "EXISTS", SHA_OF_1) == [0]
    assert do("SCRIPT", "FLUSH", "sync") == "OK"


def test_a_script_that_was_not_run_is_not_known(do: Transcript, connect: type[Connection]) -> None:
    """A watched key has changed."""
    do("SET", "k", "v")
    do("WATCH", "k")
    connect().call("SET", "k", "other")  # type: ignore[call-arg]  # the fixture has the port already
    assert do.transaction(("EVAL", "return 1", 1, "k")) is None
    assert do("SCRIPT", "EXISTS", SHA_OF_1) == [0]


def test_what_cannot_be_compiled_is_not_known(do: Transcript) -> None:
    sha = hashlib.sha1(b"return {", usedforsecurity=False).hexdigest()
    error = "ERR Error compiling script (new function): user_script:1: unexpected symbol near '<eof>'"
    assert do.error("EVAL", "return {", 0) == error
    assert do.error("SCRIPT", "LOAD", "return {") == error
    assert do("SCRIPT", "EXISTS", sha) == [0]
    assert do.error("EVALSHA", sha, 0) == NO_SCRIPT
    replies = do.connection.pipeline(("EVAL", "return {", 0), ("SCRIPT", "EXISTS", sha), ("EVALSHA", sha, 0))
    assert [str(reply) for reply in replies] == [error, "[0]", NO_SCRIPT]


def test_a_pipeline_that_loads_and_calls(do: Transcript) -> None:
    replies = do.connection.pipeline(
        ("EVAL", "return redis.call('incr', KEYS[1])", 1, "k"),
        ("SCRIPT", "LOAD", "return 1"),
        ("EVALSHA", SHA_OF_1, 0),
        ("EVAL", "local key = 'k' return redis.call('incr', key)", 0),
        ("GET", "k"),
        ("SCRIPT", "FLUSH"),
        ("EVALSHA", SHA_OF_1, 0),
    )
    assert replies[:6] == [1, SHA_OF_1.encode(), 1, 2, b"2", "OK"]
    assert str(replies[6]) == NO_SCRIPT


def test_errors_of_script(do: Transcript) -> None:
    only = "ERR SCRIPT FLUSH only support SYNC|ASYNC option"
    assert do.error("SCRIPT", "FLUSH", "NOW") == only
    assert do.error("SCRIPT", "FLUSH", "SYNC", "ASYNC") == only
    assert do.error("SCRIPT", "EXISTS") == "ERR wrong number of arguments for 'script|exists' command"
    assert do.error("SCRIPT", "NOPE") == "ERR unknown subcommand 'NOPE'. Try SCRIPT HELP."
    assert do.error("SCRIPT") == "ERR wrong number of arguments for 'script' command"
    assert do.error("SCRIPT", "KILL") == "NOTBUSY No scripts in execution right now."
    assert do("SCRIPT", "DEBUG", "NO") == "OK"
    assert do.error("SCRIPT", "DEBUG", "MAYBE") == "ERR Use SCRIPT DEBUG YES/SYNC/NO"


@pytest.mark.respcache_only(reason="there is no debugger")
@pytest.mark.parametrize("mode", ["YES", "SYNC"])
def test_a_script_that_was_to_be_debugged_is_not_run(do: Transcript, mode: str) -> None:
    """redis-cli --ldb does not look at the reply to SCRIPT DEBUG."""
    write = ("EVAL", "return redis.call('INCR', KEYS[1])", 1, "k")
    assert do.error("SCRIPT", "DEBUG", mode) == "ERR respcache has no Lua debugger"
    assert do.error(*write) == "ERR respcache has no Lua debugger; the script was not run"
    assert do("EXISTS", "k") == 0
    assert do(*write) == 1  # it has been told
    do.error("SCRIPT", "DEBUG", mode)
    assert do("SCRIPT", "DEBUG", "NO") == "OK"
    assert do(*write) == 2
    do.error("SCRIPT", "DEBUG", mode)
    do("RESET")
    assert do(*write)


def test_script_debug_in_a_transaction(do: Transcript) -> None:
    [reply, one] = do.transaction(("SCRIPT", "DEBUG", "YES"), ("EVAL", "return 1", 0)) or []
    assert str(reply) == "ERR SCRIPT DEBUG must be called outside a pipeline"
    assert one == 1


# -- transactions


def test_scripts_within_exec(do: Transcript) -> None:
    replies = do.transaction(
        ("SET", "a", 1),
        ("EVAL", "return redis.call('incr', KEYS[1])", 1, "a"),
        ("EVAL", "return redis.call('mget', 'a', 'b', 'c')", 0),
        ("SET", "b", 5),
        ("SCRIPT", "LOAD", "return 1"),
        ("EVALSHA", SHA_OF_1, 0),
        ("EVAL", "return redis.call('incr', 'b')", 0),
        ("EVAL", "return redis.call('publish', 'c', 'm')", 0),
        ("GET", "b"),
    )
    assert replies == ["OK", 2, [b"2", None, None], "OK", SHA_OF_1.encode(), 1, 6, 0, b"6"]


def test_a_script_is_looked_up_when_exec_comes(do: Transcript) -> None:
    do("SCRIPT", "LOAD", "return 1")
    replies: Any = do.transaction(("EVALSHA", SHA_OF_1, 0), ("SCRIPT", "FLUSH"), ("EVALSHA", SHA_OF_1, 0))
    assert replies[:2] == [1, "OK"]
    assert str(replies[2]) == NO_SCRIPT
    replies = do.transaction(("EVAL", "return 1", 0), ("EVALSHA", SHA_OF_1, 0))
    assert replies == [1, 1]


def test_watched_keys(do: Transcript, connect: Any) -> None:
    other = connect()
    for script in ("redis.call('set', KEYS[1], 1)", "local key = 'k' redis.call('set', key, 2)"):
        do("WATCH", "k")
        assert other.call("EVAL", script, 1, "k") is None
        assert do.transaction(("PING",)) is None
    do("WATCH", "k")
    assert other.call("EVAL", "return redis.call('get', KEYS[1])", 1, "k") == b"2"
    assert do.transaction(("PING",)) == ["PONG"]


def test_events_come_in_the_order_of_the_calls(do: Transcript, connect: Any) -> None:
    listener = connect()
    do("CONFIG", "SET", "notify-keyspace-events", "KA")
    listener.call("PSUBSCRIBE", "__keyspace@0__:*")
    script = "for i, key in ipairs({'a', 'b', 'c', 'a', 'c'}) do redis.call('rpush', key, i) end"
    do("EVAL", script, 0)
    do("EVAL", "redis.call('del', 'c', 'a') redis.call('lpop', 'b')", 1, "b")
    keys = [listener.read()[2].rpartition(b":")[2] for _ in range(9)]
    assert keys[:5] == [b"a", b"b", b"c", b"a", b"c"]
    assert keys[5:] == [b"c", b"a", b"b", b"b"]


def test_publishing(do: Transcript, connect: Any) -> None:
    listener = connect()
    listener.call("SUBSCRIBE", "news")
    assert do("EVAL", "return redis.call('publish', KEYS[1], ARGV[1])", 1, "news", "m") == 1
    assert listener.read() == [b"message", b"news", b"m"]


def test_replies_off(do: Transcript) -> None:
    connection = do.connection
    connection.send("CLIENT", "REPLY", "OFF")
    connection.send("EVAL", "return redis.call('set', 'a', 1)", 0)
    connection.send("EVAL", "return redis.call('set', KEYS[1], 1)", 1, "b")
    connection.send("CLIENT", "REPLY", "ON")
    assert connection.read() == "OK"
    assert do("EXISTS", "a", "b") == 2


def test_a_large_reply(do: Transcript) -> None:
    reply = do("EVAL", "local t = {} for i = 1, 20 do t[i] = string.rep('x', 1000000) end return t", 0)
    assert [len(item) for item in reply] == [1_000_000] * 20


def test_errors_are_counted_once(do: Transcript) -> None:
    do("CONFIG", "RESETSTAT")
    do("RPUSH", "l", 1)
    do.error("EVAL", "return redis.call('incr', KEYS[1])", 1, "l")
    do.error("EVAL", "local key = 'l' return redis.call('incr', key)", 1, "a")
    do.error("EVAL", "local key = 'l' return redis.call('incr', key)", 1, "b")
    assert do("EVAL", "redis.pcall('incr', KEYS[1]) return 1", 1, "l") == 1
    assert "errorstat_WRONGTYPE:count=4\r\n" in text(do("INFO", "errorstats"))


# -- respcache's own


@pytest.mark.respcache_only(reason="RESPCACHE RESET")
def test_a_reset_server_knows_no_scripts(do: Transcript) -> None:
    do("SCRIPT", "LOAD", "return 1")
    do("RESPCACHE", "RESET")
    assert do("SCRIPT", "EXISTS", SHA_OF_1) == [0]


@pytest.mark.respcache_only(reason="as in Redis 7.4")
def test_texts_of_eval_are_bounded(do: Transcript) -> None:
    do("SCRIPT", "LOAD", "return 'loaded'")
    shas = [do("EVAL", f"return redis.sha1hex('return {i}')", 0).decode() for i in range(3)]
    for i in range(600):
        do("EVAL", f"return {i}", 0)
    assert do("SCRIPT", "EXISTS", *shas) == [0, 0, 0]
    assert "number_of_cached_scripts:501\r\n" in text(do("INFO", "memory"))


def test_sets_have_an_order_within_scripts(do: Transcript) -> None:
    members = [b"%c" % letter for letter in b"qwertzuiopasdfghjklyxcvbnm"]
    for key in ("a", "b", "c"):
        do("SADD", key, *members)
        for script in (
            "return redis.call('sort', ARGV[1], 'by', '_')",
            "return redis.call('sort_ro', ARGV[1], 'by', '_')",
        ):
            assert do("EVAL", script, 0, key) == sorted(members)
        script = "return redis.call('sort', KEYS[1], 'by', '_', 'desc', 'limit', 1, 2)"
        assert do("EVAL", script, 1, key) == [b"y", b"x"]
    do("RPUSH", "l", "b", "a", "c")
    assert do("EVAL", "return redis.call('sort', KEYS[1], 'by', '_')", 1, "l") == [b"b", b"a", b"c"]


def test_many_scripts_and_libraries(do: Transcript) -> None:
    """What was loaded before and is replaced leaves nothing behind, however often."""
    library = "#!lua name=lib\nredis.register_function('f{}', function() return {} end)"
    for start in range(0, 3000, 500):
        replies = do.connection.pipeline(
            *[("FUNCTION", "LOAD", "REPLACE", library.format(i, i)) for i in range(start, start + 500)]
        )
        assert replies == [b"lib"] * 500
    assert do("FCALL", "f2999", 0) == 2999
    for start in range(0, 6000, 500):
        replies = do.connection.pipeline(*[("EVAL", f"return {i}", 0) for i in range(start, start + 500)])
        assert replies == list(range(start, start + 500))
    do("SCRIPT", "FLUSH")
    assert do("FCALL", "f2999", 0) == 2999
    do("FUNCTION", "FLUSH")
    assert (
        int(dict(line.split(":") for line in text(do("INFO", "memory")).split() if ":" in line)["used_memory_lua"])
        < 100_000
    )


def test_what_debug_lets_scripts_do(do: Transcript) -> None:
    assert do("DEBUG", "SET-DISABLE-DENY-SCRIPTS", 1) == "OK"
    assert do("EVAL", "return redis.call('debug', 'protocol', 'bignum')", 0) == b"1234567999999999999999999999999999999"
    kinds = (
        "redis.setresp(3) local r = redis.call('debug', 'protocol', ARGV[1]) for name in pairs(r) do return name end"
    )
    for kind, field in (("map", b"map"), ("set", b"set"), ("double", b"double"), ("bignum", b"big_number")):
        assert do("EVAL", kinds, 0, kind) == field
    assert do("EVAL", "redis.setresp(3) return redis.call('debug', 'protocol', 'attrib')", 0) == (
        b"Some real reply following the attribute"
    )
    assert do("DEBUG", "SET-DISABLE-DENY-SCRIPTS", 0) == "OK"
    error = do.error("EVAL", "return redis.pcall('debug', 'protocol', 'map')", 0)
    assert error == "ERR This Redis command is not allowed from script"
