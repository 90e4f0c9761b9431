"""cjson, cmsgpack, struct and bit: transcripts that hold for a genuine server too, random calls, and hostile scripts.

The files in `cases` hold scripts and their results. What follows `>` is a list of expressions, or a script that returns
a string; the line after it is the result.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.conftest import REFERENCE
from tests.scripting.generate import KINDS, calls
from tests.scripting.sides import Bare, Genuine
from tests.support.processes import ReferenceServer, StartedServer

FILES = sorted((Path(__file__).parent / "cases").glob("*.txt"))
MEMORY = 20_000_000


def transcript(file: Path) -> list[tuple[str, str]]:
    lines = [line for line in file.read_text("utf-8").splitlines() if line and not line.startswith("# ")]
    assert all(line.startswith("> ") for line in lines[::2])
    return [(line[2:], result) for line, result in zip(lines[::2], lines[1::2], strict=True)]


def script_of(text: str) -> bytes:
    return (text if re.search(r"(^|; )return ", text) else f"return all({text})").encode()


@pytest.fixture(scope="module")
def bare() -> Bare:
    return Bare()


@pytest.fixture
def limited() -> Bare:
    """With little memory."""
    return Bare(memory=MEMORY)


@pytest.fixture(scope="module")
def genuine(started: dict[str, StartedServer]) -> Iterator[Genuine]:
    if REFERENCE is None:
        pytest.skip(reason="no genuine redis-server found ($RESPCACHE_REFERENCE, or on the PATH)")
    if "genuine" not in started or not started["genuine"].alive():
        started["genuine"] = ReferenceServer(REFERENCE)
    side = Genuine(started["genuine"].port)
    yield side
    side.close()


@pytest.mark.parametrize("file", FILES, ids=lambda file: file.stem)
def test_transcripts(bare: Bare, file: Path) -> None:
    for text, result in transcript(file):
        assert (text, bare.run(script_of(text))) == (text, result)


@pytest.mark.parametrize("file", FILES, ids=lambda file: file.stem)
def test_transcripts_are_genuine(genuine: Genuine, file: Path) -> None:
    for text, result in transcript(file):
        assert (text, genuine.run(script_of(text))) == (text, result)


# python -m tests.scripting.generate does the same with as many as one likes.
@pytest.mark.parametrize("kind", KINDS)
def test_random_calls_are_answered_as_by_a_genuine_server(bare: Bare, genuine: Genuine, kind: str) -> None:
    order = b"local t = {} for i = 1, 50 do t['key' .. i] = i end return cjson.encode(t)"
    if bare.run(order) != genuine.run(order):
        pytest.skip(reason="tables have another order in this server's Lua, as in Valkey's")
    for script, words in calls(kind, seed=14, count=150):
        assert (script, bare.run(script.encode(), *words)) == (script, genuine.run(script.encode(), *words))


def test_null_gives_nothing_away(bare: Bare) -> None:
    """A full userdata has a metatable, which a script must not get: it would change null for all scripts."""
    assert bare.run(b"return all(getmetatable(cjson.null), pcall(setmetatable, cjson.null, {}))").startswith(
        "false false"
    )


def test_keys_are_not_kept_for_ever(bare: Bare) -> None:
    """The encoded forms of keys are kept, but only so many."""
    script = b"""
      collectgarbage() collectgarbage()
      local before = collectgarbage('count')
      for i = 1, 10000 do cjson.encode({['key:' .. i] = 1, [string.rep('k', 1000) .. i] = 1}) end
      collectgarbage() collectgarbage()
      return all(collectgarbage('count') - before < 500)
    """
    assert bare.run(script) == "true"


# Scripts that want too much. Each must end in an error, and leave an interpreter that goes on.
FULL = "not enough memory"
HOSTILE = {
    "holes": ("cjson.encode_sparse_array(false, 0) cjson.encode({[2^30] = 1})", FULL),
    "endless_escapes": (r"local s = string.rep('\0', 2^20) cjson.encode({s, s, s, s, s, s})", FULL),
    "many_brackets": ("cjson.decode(string.rep('[', 5000000))", "Found too many nested data structures (1001)"),
    "many_arrays": ("cjson.decode('[' .. string.rep('[],', 2000000) .. '[]]')", FULL),
    "many_escapes": (r"""cjson.decode('"' .. string.rep('\\u0041', 2^21) .. '"')""", FULL),
    "cyclic": ("local t = {} for i = 1, 64 do t[i] = t end cmsgpack.pack(t)", FULL),
    "cyclic_map": ("local t = {} for i = 1, 64 do t[-i] = t end cmsgpack.pack(t)", FULL),
    "cyclic_json": (
        "local t = {} for i = 1, 64 do t[i] = t end cjson.encode_max_depth(1e6) cjson.encode(t)",
        "Cannot serialise, excessive nesting (7998)",
    ),
    "claimed_length": (r"cmsgpack.unpack('\221\255\255\255\255' .. string.rep('\1', 5000000))", FULL),
    "many_results": (r"cmsgpack.unpack(string.rep('\1', 5000000))", "too many return values at once"),
    "nested_messages": (r"cmsgpack.unpack(string.rep('\145', 5000000))", "stack overflow"),
    "padding": ("struct.pack(string.rep('x', 5000000))", FULL),
    "huge_string": ("struct.pack('c2147483647', 'x')", "string too short"),
    "huge_offset": ("struct.unpack('c2147483647', 'x', 2147483647)", "data string too short"),
    "struct_results": ("struct.unpack(string.rep('b', 5000000), string.rep('x', 5000000))", FULL),
    # Memory that runs out while Python hands a result over would never come back.
    "doubles": ("local t = {} for i = 1, 1e7 do t[i] = struct.pack('d', i + 0.1) end", FULL),
    "floats": ("local t = {} for i = 1, 1e7 do t[i] = cmsgpack.pack(i + 0.1) end", FULL),
    "read_doubles": (
        r"local t, s = {}, struct.pack('d', 0.1) for i = 1, 1e7 do t[i] = struct.unpack('d', s) end",
        FULL,
    ),
    "bits": ("local t = {} for i = 1, 1e7 do t[i] = bit.band(i, 0xffff) end", FULL),
}


@pytest.mark.parametrize("name", HOSTILE)
def test_hostile_scripts_end_in_an_error(limited: Bare, name: str) -> None:
    script, wrong = HOSTILE[name]
    assert wrong in limited.run(script.encode() + b" return 'went through'")
    assert limited.run(b"return all(cjson.decode('[1]'), cmsgpack.pack(0.5), struct.size('d'), bit.bor(1, 2))") == (
        r"{[1]=1} '\xca?\x00\x00\x00' 8 3"
    )


def test_a_hook_can_end_the_libraries_work(bare: Bare) -> None:
    """They are Lua code: what polls a running script polls inside them too."""
    for work in (
        "local t = {} for i = 1, 1e6 do t[i] = i end return function() cjson.encode(t) end",
        "local s = '[' .. string.rep('1,', 1e6) .. '1]' return function() cjson.decode(s) end",
        "local t = {} for i = 1, 1e6 do t[i] = i end return function() cmsgpack.pack(t) end",
        "local s = '\\221\\0\\10\\0\\0' .. string.rep('\\1', 1e6) return function() cmsgpack.unpack(s) end",
        "local s = string.rep('x', 1e6) return function() struct.pack(s) end",
    ):
        script = f"""
          local work = (function() {work} end)()
          debug.sethook(function() error('ended', 0) end, '', 1000)
          local ok, wrong = pcall(work)
          debug.sethook()
          return all(ok, wrong)
        """
        assert bare.run(script.encode()) == "false 'ended'"
