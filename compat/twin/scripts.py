"""Calls of EVAL, FCALL and their kin: scripts and libraries from a small grammar.

Each script is a few lines that show one thing: how a Lua value becomes a reply, how a reply becomes a Lua value, an
error, what is not there, a library of Lua functions. Tables with several string keys are left out where their order
would show, since Lua's has none. The keys are those of the sequences, over several shards, declared or not.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Mapping
from pathlib import Path

from hypothesis import strategies as st

from compat.twin.grammar import Call, Words, call, maybe, one_of, several, weighted

FOLDER = Path(__file__).with_name("lua")
KEYS = ("a", "b", "c", "d", "e", "s", "none")


# File of Lua -> the scripts in which one of its lines can stand.
_FRAMES: Mapping[str, tuple[str, ...]] = {
    "values": ("return {}",),
    "errors": ("{}",),
    "libraries": ("return {}", "return {{{}}}", "return tostring({})"),
}


def _numbered(name: str) -> list[tuple[int, str]]:
    """The lines of a file of Lua with their numbers."""
    lines = (FOLDER / f"{name}.txt").read_text("utf-8").splitlines()
    return [(number, line) for number, line in enumerate(lines, 1) if not line.startswith("--")]


def _scripts(name: str) -> st.SearchStrategy[str]:
    """A script with a line of a file of Lua."""
    return st.builds(str.format, one_of(*_FRAMES[name]), one_of(*(line for _, line in _numbered(name))))


def each_line(name: str) -> Iterator[tuple[int, Call]]:
    """For each line of a file of Lua, its number and calls of all scripts in which it can stand."""
    for number, line in _numbered(name):
        for frame in _FRAMES[name]:
            yield number, ("EVAL", frame.format(line), "2", "a", "b", "1", "m")


_VALUES, _ERRORS, _LIBRARIES = map(_scripts, _FRAMES)
_WORDS = one_of("1", "2", "m", "n", "x", "", "-5", "3.5", "aé")
_KEY = st.one_of(one_of("KEYS[1]", "KEYS[1]", "KEYS[2]"), one_of(*(f"'{key}'" for key in KEYS)))
_ARGUMENT = st.one_of(one_of("ARGV[1]", "ARGV[2]", "1", "2.5", "10", "-1", "3.0"), _WORDS.map(lambda word: f"'{word}'"))


def _command(name: str, *arguments: st.SearchStrategy[str]) -> st.SearchStrategy[str]:
    return st.tuples(*arguments).map(lambda found: ", ".join((f"'{name}'", *found)))


_QUOTED = one_of("'0', '-1'", "'0', '1'", "'-', '+'", "0, -1")
# The arguments of redis.call.
COMMANDS = st.one_of(
    *(
        _command(name, _KEY)
        for name in ("get", "INCR", "lpop", "type", "llen", "ttl", "xlen", "scard", "del", "exists")
    ),
    *(
        _command(name, _KEY, _ARGUMENT)
        for name in ("set", "append", "rpush", "sadd", "hget", "zscore", "incrby", "zrank")
    ),
    *(_command(name, _KEY, _ARGUMENT, _ARGUMENT) for name in ("hset", "zadd", "linsert", "setrange", "hincrbyfloat")),
    *(
        _command(name, _KEY, _KEY)
        for name in ("rename", "copy", "mget", "sdiffstore", "rpoplpush", "touch", "zdiffstore")
    ),
    *(_command(name, _KEY, _QUOTED) for name in ("lrange", "zrange", "xrange", "getrange")),
    _command("mset", _KEY, _ARGUMENT, _KEY, _ARGUMENT),
    _command("zrange", _KEY, one_of("0, -1, 'withscores'")),
    _command("hrandfield", one_of("'e'"), one_of("5, 'withvalues'")),
    _command("zadd", _KEY, one_of("'incr'"), one_of("'1.5'", "1.5", "'x'"), one_of("'m'")),
    _command("set", _KEY, _ARGUMENT, one_of("'ex', 10000", "'nx'", "'get'", "'px'")),
    _command("blpop", _KEY, one_of("0", "1", "'x'")),
    _command("blmove", _KEY, _KEY, one_of("'left', 'right', 0")),
    _command("bzpopmin", _KEY, one_of("0")),
    _command("xread", one_of("'block', 0, 'streams', 's', '$'", "'streams', 's', 't', '0', '0'")),
    _command("xadd", one_of("'s'", "'t'", "'a'"), one_of("'9-1'", "'1-1'"), one_of("'f', 'v'")),
    _command("sismember", _KEY, _ARGUMENT),
    _command("hgetall", one_of("'e'", "'a'")),
    _command("ping"),
    _command("echo", _ARGUMENT),
    _command("object", one_of("'encoding'"), _KEY),
    _command("publish", one_of("'channel'"), _ARGUMENT),
    _command("select", one_of("1")),
    _command("dbsize"),
    _command("exists", _KEY, _KEY, _KEY),
    _command("wait", one_of("0, 0")),
)


@st.composite
def _statement(draw: st.DrawFn) -> str:
    """A complete piece of Lua that does not return, most of the time."""
    command = draw(COMMANDS)
    return draw(
        one_of(
            f"redis.call({command})",
            f"redis.pcall({command})",
            f"local r = redis.call({command}); if type(r) ~= 'table' then redis.call('set', 'a', tostring(r)) end",
            f"local r = redis.pcall({command}); if type(r) == 'table' and r.err then return r.err end",
            f"local fine, problem = pcall(redis.call, {command}); if not fine then return {{tostring(problem)}} end",
            f"for i = 1, 3 do redis.pcall({command}) end",
            f"redis.setresp(3); redis.pcall({command})",
        )
    )


@st.composite
def bodies(draw: st.DrawFn) -> str:
    """The text of a script."""
    lines = draw(st.lists(_statement(), max_size=2)) if draw(st.integers(0, 2)) == 0 else []
    kind = draw(st.sampled_from(("value", "call", "call", "call", "error", "library", "library")))
    match kind:
        case "value":
            lines.append(draw(_VALUES))
        case "call":
            lines.append(draw(_returning))
        case "error":
            lines.append(draw(_ERRORS))
        case _:
            lines.append(draw(_LIBRARIES))
    return "\n".join(lines)


_returning = COMMANDS.flatmap(
    lambda command: one_of(
        f"return redis.call({command})",
        f"return redis.pcall({command})",
        f"redis.setresp(3); return redis.call({command})",
        f"return {{redis.pcall({command}), 'after'}}",
        f"return type(redis.pcall({command}))",
        f"return redis.pcall({command}).err",
        f"return tostring(redis.call({command}))",
    )
)
_SHEBANG = one_of(
    *(
        "",
        "",
        "",
        "",
        "#!lua\n",
        "#!lua flags=no-writes\n",
        "#!lua flags=allow-stale,allow-oom\n",
        "#!lua flags=no-writes,\n",
    ),
    *(
        "#!lua flags=nosuch\n",
        "#!lua name=x\n",
        "#!python\n",
        "#!lua",
        "#!lua flags=allow-cross-slot-keys\n",
        "#!\n",
        "#!LUA\n",
    ),
)
SCRIPTS = st.tuples(_SHEBANG, bodies()).map("".join)


@st.composite
def keys_and_arguments(draw: st.DrawFn) -> Words:
    """``numkeys [key ...] [arg ...]``; the number is sometimes wrong."""
    keys = draw(st.lists(one_of(*KEYS), max_size=2))
    count = draw(st.sampled_from((None,) * 9 + ("-1", "x", "99", "", "0", "1.5")))
    return [count or str(len(keys)), *keys, *draw(st.lists(_WORDS, max_size=2))]


# Scripts that sequences load, run and flush by their digests.
KNOWN = (
    "return 1",
    "return {KEYS, ARGV}",
    "return redis.call('incr', KEYS[1])",
    "return redis.call('set', 'none', 'x')",
    "error('boom')",
)


def _digest(text: str) -> str:
    return hashlib.sha1(text.encode(), usedforsecurity=False).hexdigest()


_SHA = one_of(*map(_digest, KNOWN), _digest(KNOWN[0]).upper(), "f" * 40, "x", "")
_KNOWN = one_of(*KNOWN)
_EVALUATED = weighted((4, SCRIPTS), (1, _KNOWN))

# -- functions

_LIBRARY_NAMES = ("lib", "other", "LIB")
_NAMES = one_of("lib", "lib", *_LIBRARY_NAMES, "no-such", "")
_FUNCTION_BODIES = (
    "return 1",
    "return {keys, args}",
    "return redis.call('incr', keys[1])",
    "return redis.call('get', keys[1])",
    "error('boom')",
    "return redis.error_reply('CODE text')",
    "return KEYS",
    "nothere = 1",
    "return redis.call('set', 'none', args[1])",
)
_FUNCTION_FLAGS = (
    "",
    "flags={'no-writes'}",
    "flags={}",
    "flags={'nosuch'}",
    "flags='no-writes'",
    "flags={'allow-oom'}",
)


@st.composite
def libraries(draw: st.DrawFn) -> str:
    """The text of a library."""
    name = draw(_NAMES)
    odd_names = ("", " name=", f" name={name} name={name}", f" name={name} x=y")
    odd_heads = ("", f"#!python name={name}\n", f"#!LUA name={name}\n", f"#!lua name={name}")
    heads = (*(f"#!lua name={name}\n",) * 12, *(f"#!lua{odd}\n" for odd in odd_names), *odd_heads)
    head = draw(one_of(*heads))
    lines = [draw(_registration()) for _ in range(draw(st.integers(1, 2)))]
    if draw(st.integers(0, 7)) == 0:
        lines.append(
            draw(
                one_of(
                    *(
                        "return 1",
                        "redis.call('set', 'a', 1)",
                        "x = 1",
                        "error('boom')",
                        "return +",
                        "local y = redis.nosuch()",
                    ),
                    *(
                        "redis.log(redis.LOG_NOTICE, 'x')",
                        "redis.register_function()",
                        "redis.setresp(3)",
                        "return KEYS",
                    ),
                )
            )
        )
    return head + "\n".join(lines)


@st.composite
def _registration(draw: st.DrawFn) -> str:
    function = draw(one_of("f", "f", "g", "F", "h", "bad-name", ""))
    body = f"function(keys, args) {draw(one_of(*_FUNCTION_BODIES))} end"
    flags = draw(one_of(*("",) * 4, *_FUNCTION_FLAGS))
    parts = [
        f"function_name='{function}'",
        f"callback={body}",
        flags,
        draw(one_of("", "", "description='about'", "description=5")),
    ]
    table = ", ".join(filter(None, parts))
    return draw(
        one_of(
            *(f"redis.register_function('{function}', {body})",) * 3,
            *(f"redis.register_function{{{table}}}",) * 3,
            f"redis.register_function{{{table}, unknown=1}}",
            f"redis.register_function('{function}')",
            f"redis.register_function('{function}', 5)",
            f"redis.register_function(5, {body})",
            f"redis.register_function{{callback={body}}}",
            f"redis.register_function('{function}', {body}, 1)",
        )
    )


_FUNCTION = one_of("f", "f", "f", "g", "F", "h", "no_such", "")
# The library that most calls use.
USUAL = (
    "#!lua name=lib\n"
    "redis.register_function('f', function(keys, args) return {keys, args} end)\n"
    "redis.register_function{function_name='g', callback=function(keys) return redis.call('get', keys[1]) end, "
    "flags={'no-writes'}, description='about'}\n"
    "redis.register_function('h', function(keys) return redis.call('incr', keys[1]) end)"
)
# Not with FUNCTION FLUSH, which sometimes ends Redis 8.0.6.
SETTING: tuple[Call, ...] = (
    ("SCRIPT", "FLUSH"),
    *(("FUNCTION", "DELETE", name) for name in _LIBRARY_NAMES),
    ("FUNCTION", "LOAD", USUAL),
)

CALLS: Mapping[str, st.SearchStrategy[Call]] = {
    "EVAL": call("EVAL", _EVALUATED, keys_and_arguments()),
    "EVAL_RO": call("EVAL_RO", _EVALUATED, keys_and_arguments()),
    "EVALSHA": call("EVALSHA", _SHA, keys_and_arguments()),
    "EVALSHA_RO": call("EVALSHA_RO", _SHA, keys_and_arguments()),
    "SCRIPT LOAD": call("SCRIPT", "LOAD", weighted((2, _KNOWN), (1, SCRIPTS))),
    "SCRIPT EXISTS": call("SCRIPT", "EXISTS", several(_SHA)),
    "SCRIPT FLUSH": call("SCRIPT", "FLUSH", maybe(one_of("ASYNC", "SYNC", "x"))),
    "SCRIPT KILL": call("SCRIPT", "KILL"),
    "FUNCTION LOAD": call("FUNCTION", "LOAD", maybe("REPLACE"), weighted((3, libraries()), (1, st.just(USUAL)))),
    "FUNCTION DELETE": call("FUNCTION", "DELETE", _NAMES),
    "FUNCTION LIST": call("FUNCTION", "LIST", maybe("WITHCODE"), maybe("LIBRARYNAME", one_of("lib", "l*", "x", "LIB"))),
    "FUNCTION STATS": call("FUNCTION", "STATS"),
    "FUNCTION KILL": call("FUNCTION", "KILL"),
    "FUNCTION RESTORE": call(
        "FUNCTION", "RESTORE", one_of("x", "", "\\xf5"), maybe(one_of("FLUSH", "APPEND", "REPLACE", "x"))
    ),
    "FCALL": call("FCALL", _FUNCTION, keys_and_arguments()),
    "FCALL_RO": call("FCALL_RO", _FUNCTION, keys_and_arguments()),
}
