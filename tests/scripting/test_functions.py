"""Libraries of functions, on the interpreter and on a genuine server: each case is the code and what comes of it."""

from __future__ import annotations

import pytest

from respcache.errors import CommandError
from tests.conftest import REFERENCE
from tests.scripting.world import Engine, GenuineWorld
from tests.support.processes import ReferenceServer, StartedServer

HEADER = "#!lua name=lib\n"
REGISTER = "redis.register_function"
FAILED = "Error registering functions: ERR "
NAMES = "Library names can only contain letters, numbers, or underscores(_) and must be at least one character long"
NONEXISTENT = "Script attempted to access nonexistent global variable"
NONE = "function() end"

# Code -> the error of FUNCTION LOAD, without its code.
WRONG = {
    "return": "Missing library metadata",
    "#!lua name=lib": "Invalid library metadata",
    '#!lua name="lib\nreturn': "Invalid library metadata",
    "#!lua\nreturn": "Library name was not given",
    "#!\nreturn": "Library name was not given",
    "#!lua name=a b\nreturn": "Invalid metadata value given: b",
    "#!lua name=a name=b\nreturn": "Invalid metadata value, name argument was given multiple times",
    "#!lua name=a$\nreturn": NAMES,
    "#!lua name=\nreturn": NAMES,
    "#!foo name=lib\nreturn": "Engine 'foo' not found",
    "#! name=lib\nreturn": "Engine '' not found",
    f"{HEADER}return": "No functions registered",
    f"{HEADER}!": "Error compiling function: user_function:2: unexpected symbol near '!'",
    f"{HEADER}redis.call('GET', 'k')": f"{FAILED}user_function:2: {NONEXISTENT} 'call'",
    f"{HEADER}return pairs": f"{FAILED}user_function:2: {NONEXISTENT} 'pairs'",
    f"{HEADER}\nreturn foo": f"{FAILED}user_function:3: {NONEXISTENT} 'foo'",
    f"{HEADER}foo = 1": f"{FAILED}user_function:2: Attempt to modify a readonly table",
    f"{HEADER}redis.foo = 1": f"{FAILED}user_function:2: Attempt to modify a readonly table",
    f"{HEADER}local x = nil x()": f"{FAILED}user_function:2: attempt to call local 'x' (a nil value)",
    f"{HEADER}{REGISTER}()": f"{FAILED}wrong number of arguments to redis.register_function",
    f"{HEADER}{REGISTER}('a', {NONE}, 1)": f"{FAILED}wrong number of arguments to redis.register_function",
    f"{HEADER}{REGISTER}('a')": f"{FAILED}calling redis.register_function with a single argument is only applicable to "
    "Lua table (representing named arguments).",
    f"{HEADER}{REGISTER}('a', 1)": f"{FAILED}second argument to redis.register_function must be a function",
    f"{HEADER}{REGISTER}({{}}, {NONE})": f"{FAILED}first argument to redis.register_function must be a string",
    f"{HEADER}{REGISTER}('a b', {NONE})": FAILED + NAMES,
    f"{HEADER}{REGISTER}('a', {NONE}) {REGISTER}('a', {NONE})": f"{FAILED}Function already exists in the library",
    f"{HEADER}{REGISTER}{{function_name='a', callback={NONE}, flags={{'bad'}}}}": f"{FAILED}unknown flag given",
    f"{HEADER}{REGISTER}{{function_name='a', callback={NONE}, flags={{{{}}}}}}": f"{FAILED}unknown flag given",
    f"{HEADER}{REGISTER}{{function_name='a', callback={NONE}, flags=1}}": f"{FAILED}flags argument to "
    "redis.register_function must be a table representing function flags",
    f"{HEADER}{REGISTER}{{function_name='a', callback={NONE}, foo=1}}": f"{FAILED}unknown argument given to "
    "redis.register_function",
    f"{HEADER}{REGISTER}{{[{{}}]=1}}": f"{FAILED}named argument key given to redis.register_function is not a string",
    f"{HEADER}{REGISTER}{{function_name='a'}}": f"{FAILED}redis.register_function must get a callback argument",
    f"{HEADER}{REGISTER}{{callback={NONE}}}": f"{FAILED}redis.register_function must get a function name argument",
    f"{HEADER}{REGISTER}{{function_name={{}}}}": f"{FAILED}function_name argument given to "
    "redis.register_function must be a string",
    f"{HEADER}{REGISTER}{{callback=1}}": f"{FAILED}callback argument given to "
    "redis.register_function must be a function",
    f"{HEADER}{REGISTER}{{description={{}}}}": f"{FAILED}description argument given to "
    "redis.register_function must be a string",
    f"{HEADER}while true do end": f"{FAILED}FUNCTION LOAD timeout",
}

KS = """local function ks(t)
    local names = {}
    for name in pairs(t) do names[#names + 1] = name end
    table.sort(names)
    return table.concat(names, ' ')
end
"""

# Code -> the replies to its function `f` called twice.
RIGHT = {
    f"{REGISTER}('f', function(keys, args) return {{#keys, #args, keys[1], args[2]}} end)": 2
    * [b"*4\r\n:1\r\n:2\r\n$1\r\nk\r\n$1\r\nb\r\n"],
    f"local n = 0 {REGISTER}('f', function() n = n + 1 return n end)": [b":1\r\n", b":2\r\n"],
    f"{REGISTER}('f', function(...) return select('#', ...) end)": 2 * [b":2\r\n"],
    f"{REGISTER}{{FUNCTION_NAME='f', callback=function() return redis.call('ECHO', 'x') end}}": 2 * [b"$1\r\nx\r\n"],
    f"{REGISTER}('f', function() return redis.call('nosuch') end)": 2
    * [b"-ERR Unknown Redis command called from script script: f, on @user_function:2.\r\n"],
    f"{REGISTER}('f', function()\n\nerror('boom') end)": 2
    * [b"-ERR user_function:4: boom script: f, on @user_function:4.\r\n"],
    f"{REGISTER}('f', function() error({{err='MY err'}}) end)": 2 * [b"-MY err script: f, on @user_function:2.\r\n"],
    f"{REGISTER}('f', function() return KEYS end)": 2
    * [
        b"-ERR user_function:2: Script attempted to access nonexistent global variable 'KEYS' script: f, "
        b"on @user_function:2.\r\n"
    ],
    f"{REGISTER}('f', function() x = 1 end)": 2
    * [b"-ERR user_function:2: Attempt to modify a readonly table script: f, on @user_function:2.\r\n"],
    f"{REGISTER}('f', function() return redis.register_function end)": 2 * [b"$-1\r\n"],
    f"local r = redis {REGISTER}('f', function() return r.register_function('g', {NONE}) end)": 2
    * [b"-ERR redis.register_function can only be called on FUNCTION LOAD command script: f, on @user_function:2.\r\n"],
    f"local r = redis {REGISTER}('f', function() return r.call end)": 2
    * [
        b"-ERR user_function:2: Script attempted to access nonexistent global variable 'call' script: f, "
        b"on @user_function:2.\r\n"
    ],
    KS + f"{REGISTER}('f', function() return ks(redis) end)": 2
    * [
        b"$207\r\nLOG_DEBUG LOG_NOTICE LOG_VERBOSE LOG_WARNING REDIS_VERSION REDIS_VERSION_NUM REPL_ALL REPL_AOF "
        b"REPL_NONE REPL_REPLICA REPL_SLAVE acl_check_cmd call error_reply log pcall set_repl setresp sha1hex "
        b"status_reply\r\n"
    ],
    f"{REGISTER}('f', function() return loadstring('return redis.sha1hex(\"\")')() end)": 2
    * [b"$40\r\nda39a3ee5e6b4b0d3255bfef95601890afd80709\r\n"],
    f"{REGISTER}('f', function() return {{tostring(_G == _G._G), type(string), ('x'):rep(2)}} end)": 2
    * [b"*3\r\n$4\r\ntrue\r\n$5\r\ntable\r\n$2\r\nxx\r\n"],
}


@pytest.fixture(scope="module")
def engine() -> Engine:
    return Engine()


@pytest.fixture(scope="module")
def genuine(started: dict[str, StartedServer]) -> StartedServer:
    if REFERENCE is None:
        pytest.skip(reason="no genuine redis-server found ($RESPCACHE_REFERENCE, or on the PATH)")
    if "genuine" not in started or not started["genuine"].alive():
        started["genuine"] = ReferenceServer(REFERENCE)
    return started["genuine"]


@pytest.mark.parametrize("code", WRONG)
def test_wrong_libraries(engine: Engine, code: str) -> None:
    with pytest.raises(CommandError) as raised:
        engine.load(code.encode())
    assert raised.value.text == f"ERR {WRONG[code]}"


def test_wrong_libraries_on_a_genuine_server(genuine: StartedServer) -> None:
    world = GenuineWorld(genuine.port, 2)
    for code, error in WRONG.items():
        assert (code, world.call("FUNCTION", "LOAD", code)) == (code, f"-ERR {error}\r\n".encode())
    world.close()


@pytest.mark.parametrize("code", RIGHT)
def test_right_libraries(engine: Engine, code: str) -> None:
    library = engine.load((HEADER + code).encode())
    replies = [engine.call(library, b"f", b"k", b"a", b"b", keys=1) for _ in range(2)]
    assert replies == RIGHT[code]


def test_right_libraries_on_a_genuine_server(genuine: StartedServer) -> None:
    world = GenuineWorld(genuine.port, 2)
    for code, replies in RIGHT.items():
        world.call("FUNCTION", "LOAD", "REPLACE", HEADER + code)
        assert (code, [world.call("FCALL", "f", 1, "k", "a", "b") for _ in range(2)]) == (code, replies)
    world.call("FUNCTION", "FLUSH")
    world.close()


def test_what_a_library_has(engine: Engine) -> None:
    code = b"""#!LUA NAME=lib_1
        redis.register_function('plain', function() end)
        redis.register_function(5, function() end)
        redis.register_function{
            function_name = 'full', callback = function() end, description = 'says',
            flags = {'allow-stale', 'NO-WRITES', 'no-writes'},
        }
    """
    library = engine.load(code)
    assert (library.name, library.engine, library.code) == (b"lib_1", b"LUA", code)
    assert [(f.name, f.description, f.flags) for f in library.functions.values()] == [
        (b"plain", None, ()),
        (b"5", None, ()),
        (b"full", b"says", (b"no-writes", b"allow-stale")),
    ]


def test_libraries_log_while_they_load(engine: Engine) -> None:
    engine.load(b"#!lua name=lib\nredis.log(redis.LOG_WARNING, 'hello') redis.register_function('f', function() end)")
    assert engine.world.logged[-1] == (3, b"hello")


def test_two_libraries_and_a_script_share_nothing(engine: Engine) -> None:
    one = engine.load(b"#!lua name=one\nlocal n = 1 redis.register_function('f', function() n = n * 2 return n end)")
    two = engine.load(b"#!lua name=two\nlocal n = 5 redis.register_function('f', function() n = n + 1 return n end)")
    assert engine.call(one, b"f") == b":2\r\n"
    assert engine.call(two, b"f") == b":6\r\n"
    assert engine.call(one, b"f") == b":4\r\n"
    assert engine.eval("return KEYS", b"k", keys=1) == [b"k"]


def test_a_failed_load_leaves_nothing_behind(engine: Engine) -> None:
    with pytest.raises(CommandError):
        engine.load(b"#!lua name=lib\nredis.register_function('f', function() end) foo()")
    assert engine.eval("return type(pairs)") == b"function"
    library = engine.load(b"#!lua name=lib\nredis.register_function('f', function() return type(pairs) end)")
    assert engine.call(library, b"f") == b"$8\r\nfunction\r\n"


def test_a_coroutine_of_a_library_can_be_killed_later(engine: Engine) -> None:
    code = b"""#!lua name=lib
        local co
        redis.register_function('start', function()
            co = coroutine.create(function() coroutine.yield(1) while true do end end)
            return select(2, coroutine.resume(co))
        end)
        redis.register_function('go', function() return coroutine.resume(co) end)
    """
    library = engine.load(code)
    assert engine.call(library, b"start") == b":1\r\n"
    assert engine.call(library, b"start") == b":1\r\n"
    engine.world.polls, engine.world.kill_at = 0, 2
    try:
        assert engine.call(library, b"go").startswith(b"-ERR Script killed by user")
    finally:
        engine.world.kill_at = 0
