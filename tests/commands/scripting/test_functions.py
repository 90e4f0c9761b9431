"""FUNCTION and FCALL: what they answer, on one shard and on several."""

from __future__ import annotations

from typing import Any

import pytest

from tests.conftest import REFERENCE
from tests.support.processes import ReferenceServer
from tests.support.resp import Connection
from tests.support.transcript import Transcript

LIBRARY = """#!lua name=lib
redis.register_function('echo', function(keys, args) return {keys[1] or 'none', args[1] or 'none'} end)
redis.register_function{
    function_name = 'get', callback = function(keys) return redis.call('get', keys[1]) end,
    description = 'reads', flags = {'no-writes'}
}
redis.register_function('set', function(keys, args) return redis.call('set', keys[1], args[1]) end)
redis.register_function('roam', function(keys, args) return redis.call('mget', unpack(args)) end)
"""


@pytest.fixture(autouse=True)
def no_functions(do: Transcript) -> None:
    do("FUNCTION", "FLUSH")


def library(name: str, *functions: str) -> str:
    return f"#!lua name={name}\n" + "\n".join(
        f"redis.register_function('{function}', function() return '{name}' end)" for function in functions
    )


def listed(do: Transcript, *arguments: str) -> dict[bytes, dict[bytes, Any]]:
    """FUNCTION LIST as maps: library -> its fields, functions by name."""
    found = {}
    for entry in do("FUNCTION", "LIST", *arguments):
        fields = do.as_map(entry)
        functions = [do.as_map(each) for each in fields[b"functions"]]
        fields[b"functions"] = {each.pop(b"name"): each for each in functions}
        found[fields.pop(b"library_name")] = fields
    return found


# -- calls


def test_fcall(do: Transcript) -> None:
    assert do("FUNCTION", "LOAD", LIBRARY) == b"lib"
    assert do("FCALL", "echo", 1, "k", "a") == [b"k", b"a"]
    assert do("FCALL", "ECHO", 0) == [b"none", b"none"]
    for key in ("a", "b", "c"):
        assert do("FCALL", "set", 1, key, f"value of {key}") == "OK"
        assert do("FCALL_RO", "get", 1, key) == f"value of {key}".encode()
    assert do("FCALL", "roam", 0, "a", "b", "c", "d") == [b"value of a", b"value of b", b"value of c", None]
    assert do("FCALL", "roam", 1, "b", "a", "b") == [b"value of a", b"value of b"]


def test_errors_of_fcall(do: Transcript) -> None:
    do("FUNCTION", "LOAD", LIBRARY)
    assert do.error("FCALL", "nope", "x") == "ERR Function not found"
    assert do.error("FCALL", "echo", "x") == "ERR Bad number of keys provided"
    assert do.error("FCALL", "echo", -1) == "ERR Number of keys can't be negative"
    assert do.error("FCALL", "echo", 1) == "ERR Number of keys can't be greater than number of args"
    assert do.error("FCALL", "echo") == "ERR wrong number of arguments for 'fcall' command"
    assert do.error("FCALL_RO", "set", 1, "k", 1) == "ERR Can not execute a script with write flag using *_ro command."
    do("RPUSH", "l", 1)
    assert do.error("FCALL", "get", 1, "l").startswith("WRONGTYPE ")


def test_a_function_that_must_not_write(do: Transcript) -> None:
    code = """#!lua name=liar
redis.register_function{
    function_name='f', callback=function() return redis.call('set', 'a', 1) end, flags={'no-writes'}
}
"""
    do("FUNCTION", "LOAD", code)
    assert do.error("FCALL", "f", 0) == (
        "ERR Write commands are not allowed from read-only scripts. script: f, on @user_function:3."
    )


def test_within_exec(do: Transcript) -> None:
    replies: Any = do.transaction(
        ("FUNCTION", "LOAD", LIBRARY),
        ("FCALL", "set", 1, "a", 1),
        ("SET", "b", 2),
        ("FCALL", "roam", 0, "a", "b"),
        ("FUNCTION", "DELETE", "lib"),
        ("FCALL", "roam", 0, "a"),
    )
    assert replies[:5] == [b"lib", "OK", "OK", [b"1", b"2"], "OK"]
    assert str(replies[5]) == "ERR Function not found"


def test_a_pipeline_that_loads_and_calls(do: Transcript) -> None:
    replies = do.connection.pipeline(
        ("FUNCTION", "LOAD", library("a", "f")),
        ("FCALL", "f", 1, "b"),
        ("FCALL", "f", 1, "c"),
        ("FUNCTION", "LOAD", "REPLACE", library("a", "f", "g")),
        ("FCALL", "g", 1, "b"),
        ("FUNCTION", "DELETE", "a"),
        ("FCALL", "g", 1, "c"),
    )
    assert replies[:6] == [b"a", b"a", b"a", b"a", b"a", "OK"]
    assert str(replies[6]) == "ERR Function not found"


# -- loading


def test_load_and_replace(do: Transcript) -> None:
    assert do("FUNCTION", "LOAD", library("a", "f", "g")) == b"a"
    assert do.error("FUNCTION", "LOAD", library("a", "h")) == "ERR Library 'a' already exists"
    assert do("FUNCTION", "LOAD", "REPLACE", library("a", "f", "h")) == b"a"
    assert do.error("FCALL", "g", 0) == "ERR Function not found"
    assert do("FCALL", "h", 0) == b"a"
    assert do.error("FUNCTION", "LOAD", library("b", "h")) == "ERR Function h already exists"
    assert do.error("FUNCTION", "LOAD", library("b", "H")) == "ERR Function H already exists"
    assert do.error("FUNCTION", "LOAD", "REPLACE", library("b", "x", "f")) == "ERR Function f already exists"
    assert listed(do).keys() == {b"a"}


def test_what_is_wrong_with_a_library(do: Transcript) -> None:
    do("FUNCTION", "LOAD", library("a", "f"))
    for code, error in (
        ("return 1", "ERR Missing library metadata"),
        ("#!lua name=a\nnope(", "ERR Library 'a' already exists"),
        ("#!js name=a\nnope(", "ERR Engine 'js' not found"),
        ("#!lua name=b\nnope(", "ERR Error compiling function: user_function:2: unexpected symbol near '<eof>'"),
        ("#!lua name=b\nreturn 1", "ERR No functions registered"),
    ):
        assert do.error("FUNCTION", "LOAD", code) == error
    # What worked before still does.
    assert do.error("FUNCTION", "LOAD", "REPLACE", "#!lua name=a\nnope(").startswith("ERR Error compiling function")
    assert do("FCALL", "f", 0) == b"a"
    assert do.error("FUNCTION", "LOAD", "NOW", library("b", "g")) == "ERR Unknown option given: NOW"
    assert do.error("FUNCTION", "LOAD", "REPLACE") == "ERR Missing library metadata"


def test_delete_and_flush(do: Transcript) -> None:
    do("FUNCTION", "LOAD", library("a", "f"))
    do("FUNCTION", "LOAD", library("b", "g"))
    assert do.error("FUNCTION", "DELETE", "A") == "ERR Library not found"
    assert do("FUNCTION", "DELETE", "a") == "OK"
    assert do.error("FCALL", "f", 1, "b") == "ERR Function not found"
    assert do("FCALL", "g", 1, "b") == b"b"
    assert do.error("FUNCTION", "FLUSH", "NOW") == "ERR FUNCTION FLUSH only supports SYNC|ASYNC option"
    assert do.error("FUNCTION", "FLUSH", "SYNC", "x") == (
        "ERR unknown subcommand or wrong number of arguments for 'FLUSH'. Try FUNCTION HELP."
    )
    assert do("FLUSHALL") == "OK"
    assert listed(do).keys() == {b"b"}
    assert do("FUNCTION", "FLUSH", "ASYNC") == "OK"
    assert do("FUNCTION", "LIST") == []
    assert do.error("FCALL", "g", 0) == "ERR Function not found"


# -- what there is


def test_list(do: Transcript) -> None:
    do("FUNCTION", "LOAD", LIBRARY)
    do("FUNCTION", "LOAD", library("other", "f"))
    found = listed(do)
    assert found.keys() == {b"lib", b"other"}
    assert found[b"lib"].keys() == {b"engine", b"functions"}
    assert found[b"lib"][b"engine"] == b"LUA"
    functions = found[b"lib"][b"functions"]
    assert functions.keys() == {b"echo", b"get", b"set", b"roam"}
    assert functions[b"echo"] == {b"description": None, b"flags": type(functions[b"echo"][b"flags"])()}
    assert functions[b"get"][b"description"] == b"reads"
    assert list(functions[b"get"][b"flags"]) == ["no-writes"]
    with_code = listed(do, "LIBRARYNAME", "LI?", "WITHCODE")
    assert with_code.keys() == {b"lib"}
    assert with_code[b"lib"][b"library_code"] == LIBRARY.encode()
    assert do("FUNCTION", "LIST", "LIBRARYNAME", "none") == []


def test_errors_of_list(do: Transcript) -> None:
    assert do.error("FUNCTION", "LIST", "LIBRARYNAME") == "ERR library name argument was not given"
    assert do.error("FUNCTION", "LIST", "WITHCODE", "WITHCODE") == "ERR Unknown argument WITHCODE"
    assert do.error("FUNCTION", "LIST", "LIBRARYNAME", "a", "LIBRARYNAME", "b") == "ERR Unknown argument LIBRARYNAME"
    assert do.error("FUNCTION", "LIST", "NOPE") == "ERR Unknown argument NOPE"
    assert do.error("FUNCTION", "NOPE") == "ERR unknown subcommand 'NOPE'. Try FUNCTION HELP."


def test_stats(do: Transcript) -> None:
    do("FUNCTION", "LOAD", LIBRARY)
    stats = do.as_map(do("FUNCTION", "STATS"))
    assert stats[b"running_script"] is None
    engines = do.as_map(stats[b"engines"])
    assert do.as_map(engines[b"LUA"]) == {b"libraries_count": 1, b"functions_count": 4}
    info = do("INFO", "memory")
    info = info.decode() if isinstance(info, bytes) else info
    assert "number_of_functions:4\r\n" in info
    assert "number_of_libraries:1\r\n" in info
    assert do.error("FUNCTION", "KILL") == "NOTBUSY No scripts in execution right now."


# -- DUMP and RESTORE


def test_dump_and_restore(do: Transcript) -> None:
    do("FUNCTION", "LOAD", LIBRARY)
    do("FUNCTION", "LOAD", library("other", "f"))
    payload = do("FUNCTION", "DUMP")
    before = listed(do, "WITHCODE")
    assert do.error("FUNCTION", "RESTORE", payload) in (
        "ERR Library lib already exists",
        "ERR Library other already exists",
    )
    assert do("FUNCTION", "RESTORE", payload, "REPLACE") == "OK"
    assert do("FUNCTION", "RESTORE", payload, "flush") == "OK"
    assert do("FUNCTION", "FLUSH") == "OK"
    assert do("FUNCTION", "RESTORE", payload) == "OK"
    assert listed(do, "WITHCODE") == before
    for key in ("a", "b", "c"):
        assert do("FCALL", "f", 1, key) == b"other"
    do("FUNCTION", "FLUSH")
    do("FUNCTION", "LOAD", library("third", "f"))
    for policy in ("APPEND", "REPLACE"):
        assert do.error("FUNCTION", "RESTORE", payload, policy) == "ERR Function f already exists"
    assert listed(do).keys() == {b"third"}
    assert do("FUNCTION", "RESTORE", payload, "FLUSH") == "OK"
    assert listed(do).keys() == {b"lib", b"other"}


def test_an_empty_dump(do: Transcript) -> None:
    payload = do("FUNCTION", "DUMP")
    assert len(payload) == 10
    do("FUNCTION", "LOAD", LIBRARY)
    assert do("FUNCTION", "RESTORE", payload) == "OK"
    assert listed(do).keys() == {b"lib"}
    assert do("FUNCTION", "RESTORE", payload, "FLUSH") == "OK"
    assert do("FUNCTION", "LIST") == []


def test_errors_of_restore(do: Transcript) -> None:
    assert do.error("FUNCTION", "RESTORE", "x") == "ERR DUMP payload version or checksum are wrong"
    assert do.error("FUNCTION", "RESTORE", "x", "NOPE") == (
        "ERR Wrong restore policy given, value should be either FLUSH, APPEND or REPLACE."
    )
    assert do.error("FUNCTION", "RESTORE", "x", "FLUSH", "y") == (
        "ERR unknown subcommand or wrong number of arguments for 'RESTORE'. Try FUNCTION HELP."
    )


@pytest.mark.respcache_only(reason="both kinds of servers in one test")
def test_payloads_of_a_genuine_server_and_for_it(do: Transcript) -> None:
    if REFERENCE is None:
        pytest.skip("no genuine redis-server found")
    genuine = ReferenceServer(REFERENCE)
    try:
        other = Connection(genuine.port)
        other.call("FUNCTION", "LOAD", LIBRARY)
        assert do("FUNCTION", "RESTORE", other.call("FUNCTION", "DUMP")) == "OK"
        assert listed(do, "WITHCODE")[b"lib"][b"library_code"] == LIBRARY.encode()
        assert do("FCALL", "echo", 1, "k") == [b"k", b"none"]
        do("FUNCTION", "LOAD", library("ours", "f"))
        assert other.call("FUNCTION", "RESTORE", do("FUNCTION", "DUMP"), "FLUSH") == "OK"
        assert other.call("FCALL", "f", 0) == b"ours"
        other.close()
    finally:
        genuine.stop()


# -- respcache's own


@pytest.mark.respcache_only(reason="RESPCACHE RESET")
def test_a_reset_server_has_no_functions(do: Transcript) -> None:
    do("FUNCTION", "LOAD", LIBRARY)
    do("RESPCACHE", "RESET")
    assert do("FUNCTION", "LIST") == []
    assert do.error("FCALL", "echo", 0) == "ERR Function not found"


@pytest.mark.respcache_only(reason="genuine servers die of it")
def test_names_that_differ_only_in_case(do: Transcript) -> None:
    twice = library("l", "f", "F")
    do("FUNCTION", "LOAD", twice)
    do("FUNCTION", "LOAD", "REPLACE", twice)
    assert do("FCALL", "f", 0) == b"l"
    do("FUNCTION", "DELETE", "l")
    assert do.error("FCALL", "f", 0) == "ERR Function not found"
    assert do("FUNCTION", "LIST") == []
