"""Random calls of the libraries, to be compared with a genuine server: values, formats, and broken inputs of all sorts.

python -m tests.scripting.generate                     # 20,000 calls, the differences are printed
python -m tests.scripting.generate --calls 5000 --seed 7
"""

from __future__ import annotations

import argparse
import json
import random
import struct
import sys
from collections.abc import Callable, Iterator

from tests.scripting.sides import Bare, Genuine


def words(*lines: str) -> list[str]:
    return [word for line in lines for word in line.split(" ")]


NUMBERS = words(
    "0 1 -1 31 -32 -33 127 128 255 256 65535 65536 -128 -129 -32768 -32769 2^31 2^31-1 -2^31 -2^31-1 2^32 2^32-1",
    "2^53 2^53+1 -2^53 2^63 -2^63 2^64 2^64-2048 1e15 1e14 123456789012345 0.1 0.5 1.5 2.5 -0.5 -0.0 1/3 1e300",
    "-1e300 1e-300 5e-324 1e39 3.4e38 2^-149 16777217 1/0 -1/0 0/0",
)
JSON_PIECES = words(
    "{ } [ ] , : true false null nan NaN inf -inf Infinity -Infinity 0 -0 01 0x10 -0x1.8p3 1. .5 -.5 +1 1e5 1E-5 1e",
    r"""1e400 - + "" "a" "\u00e9" "\ud83d\ude00" "\ud83d" "\u12" "\x" "\ "\n\/" tru nul nan(1) 0x""",
    "\t \n \0 \x7f \xe9",
)
BIT_FUNCTIONS = words("tobit tohex bnot band bor bxor lshift rshift arshift rol ror bswap")
TEXTS = (
    *(b"", b"a", b"x" * 31, b"y" * 32, b"z" * 256, b"12", b"0x10", b"1e3", b" 7 ", b"null", b"/", b'"\\'),
    *(b"\0", b"\x7f\x80\xff", b"\n\t\r\b\f\x1f", "é€😀".encode()),
)
INTEGERS = ((0xCC, 1), (0xCD, 2), (0xCE, 4), (0xCF, 8), (0xD0, 1), (0xD1, 2), (0xD2, 4), (0xD3, 8))
Random = random.Random


def literal(data: bytes) -> str:
    """A string of Lua with these bytes."""
    return '"' + "".join(f"\\{byte:03d}" for byte in data) + '"'


def number(rng: Random) -> str:
    kind = rng.randrange(4)
    if kind == 0:
        return rng.choice(NUMBERS)
    if kind == 1:
        return str(rng.randrange(-300, 300))
    if kind == 2:
        return str(rng.getrandbits(rng.randrange(1, 64)) * rng.choice((1, -1)))
    value = struct.unpack("<d", rng.randbytes(8))[0]
    return f"{value!r}" if value == value and abs(value) != float("inf") else "0/0"


def text(rng: Random) -> bytes:
    return rng.choice(TEXTS) if rng.random() < 0.5 else rng.randbytes(rng.randrange(12))


def scalar(rng: Random) -> str:
    kind = rng.random()
    if kind < 0.45:
        return number(rng)
    if kind < 0.9:
        return literal(text(rng))
    return rng.choice(("true", "false", "nil", "cjson.null", "tostring"))


def value(rng: Random, depth: int = 0) -> str:
    """An expression of Lua: a scalar or a table, which may be nested, sparse, mixed or empty.

    Only tables whose pairs come in the same order in every Lua 5.1: no keys that are hashed by their address beside
    others, no keys of more than 31 bytes, which Redis' Lua hashes in a way of its own.
    """
    if rng.random() < 0.02:
        return f"{{[{rng.choice(('{}', 'tostring', 'cjson.null'))}]={value(rng, depth + 1)}}}"
    if depth > 3 or rng.random() < 0.4:
        return scalar(rng)
    items = []
    for _ in range(rng.choice((0, 1, 2, 3, 5, 17))):
        kind = rng.random()
        item = value(rng, depth + 1)
        if kind < 0.5:
            items.append(item)
        elif kind < 0.8:
            items.append(f"[{literal(text(rng)[:31])}]={item}")
        elif kind < 0.9:
            items.append(f"[{rng.randrange(-1, 25)}]={item}")
        elif kind < 0.97:
            key = number(rng)
            items.append(f"[{'1' if '/' in key else key}]={item}")
        else:
            items.append(f"[{rng.choice(('true', 'false'))}]={item}")
    return "{" + ", ".join(items) + "}"


def broken(rng: Random, data: bytes) -> bytes:
    """The same with a few bytes changed, or cut off."""
    changed = bytearray(data)
    for _ in range(rng.randrange(3)):
        at = rng.randrange(len(changed) + 1)
        match rng.randrange(4):
            case 0:
                del changed[at : at + rng.randrange(4)]
            case 1:
                changed[at:at] = rng.randbytes(rng.randrange(3))
            case 2:
                changed[at : at + 1] = rng.randbytes(1)
            case _:
                del changed[at:]
    return bytes(changed)


def json_value(rng: Random, depth: int = 0) -> object:
    kind = rng.random()
    if depth > 4 or kind < 0.5:
        return rng.choice(
            (None, True, False, 0, -1, 1.5, 1e22, rng.random(), rng.getrandbits(60), text(rng).decode("latin-1"))
        )
    if kind < 0.75:
        return [json_value(rng, depth + 1) for _ in range(rng.randrange(5))]
    return {text(rng).decode("latin-1"): json_value(rng, depth + 1) for _ in range(rng.randrange(5))}


def options(rng: Random) -> str:
    if rng.random() < 0.7:
        return ""
    return rng.choice(
        (
            "cjson.encode_invalid_numbers(true) ",
            "cjson.encode_invalid_numbers('null') ",
            "cjson.decode_invalid_numbers(false) ",
            "cjson.encode_max_depth(2) cjson.decode_max_depth(2) ",
            "cjson.encode_sparse_array(true) ",
            "cjson.encode_sparse_array(false, 0) ",
            "cjson.encode_sparse_array(true, 1, 3) ",
            f"cjson.encode_number_precision({rng.randrange(1, 15)}) ",
            "cjson.encode_keep_buffer(false) ",
        )
    )


Call = tuple[str, list[bytes]]


def encoding(rng: Random) -> Call:
    return f"{options(rng)}return try(cjson.encode, {value(rng)})", []


def decoding(rng: Random) -> Call:
    if rng.random() < 0.4:
        data = "".join(rng.choices(JSON_PIECES, k=rng.randrange(1, 8))).encode("latin-1")
        if rng.random() < 0.5:
            data = b"[" + data + b"]"
    else:
        made = json_value(rng)
        data = json.dumps(made, ensure_ascii=rng.random() < 0.5, indent=rng.choice((None, 1))).encode()
        data = broken(rng, data)
    return f"{options(rng)}return all(pcall(function() return cjson.decode(ARGV[1]) end))", [data]


def round_trip(rng: Random) -> Call:
    return f"return try(function(v) return cjson.decode(cjson.encode(v)) end, {value(rng)})", []


def packing(rng: Random) -> Call:
    values = ", ".join(value(rng) for _ in range(rng.randrange(4)))
    return f"return try(cmsgpack.pack{', ' * bool(values)}{values})", []


def message(rng: Random, depth: int = 0) -> bytes:
    """MessagePack of any format, not necessarily the shortest."""
    kind = rng.randrange(12 if depth < 4 else 8)
    count = rng.randrange(4)
    match kind:
        case 0:
            return bytes([rng.choice((rng.randrange(0x80), rng.randrange(0xE0, 0x100), 0xC0, 0xC2, 0xC3))])
        case 1:
            code, size = rng.choice(
                ((0xCC, 1), (0xCD, 2), (0xCE, 4), (0xCF, 8), (0xD0, 1), (0xD1, 2), (0xD2, 4), (0xD3, 8))
            )
            return bytes([code]) + rng.randbytes(size)
        case 2:
            return b"\xca" + rng.randbytes(4)
        case 3:
            return b"\xcb" + rng.randbytes(8)
        case 4 | 5 | 6:
            data = text(rng)[:31]
            size = len(data)
            heads = (
                bytes([0xA0 + size]),
                bytes([0xD9, size]),
                struct.pack(">BH", 0xDA, size),
                struct.pack(">BI", 0xDB, size),
            )
            return rng.choice(heads) + data
        case 7:
            return rng.randbytes(1)
        case 8 | 9:
            head = rng.choice((bytes([0x90 + count]), struct.pack(">BH", 0xDC, count), struct.pack(">BI", 0xDD, count)))
            return head + b"".join(message(rng, depth + 1) for _ in range(count))
        case _:
            head = rng.choice((bytes([0x80 + count]), struct.pack(">BH", 0xDE, count), struct.pack(">BI", 0xDF, count)))
            return head + b"".join(message(rng, depth + 1) for _ in range(2 * count))


def unpacking(rng: Random) -> Call:
    data = broken(rng, b"".join(message(rng) for _ in range(rng.randrange(4))))
    limits = f"{rng.randrange(-1, 4)}, {rng.randrange(-1, 6)}"
    call = rng.choice(("unpack(ARGV[1])", f"unpack_one(ARGV[1], {limits[-1]})", f"unpack_limit(ARGV[1], {limits})"))
    return f"return all(pcall(function() return cmsgpack.{call} end))", [data]


def layout(rng: Random) -> str:
    options = []
    for _ in range(rng.randrange(6)):
        option = rng.choice("bBhHlLTiIiIfdxcs!<> " if rng.random() < 0.97 else "zZ?-5\0\x80")
        if option in "iI" and rng.random() < 0.7:
            option += str(rng.choice((0, 1, 2, 3, 4, 5, 7, 8, 9, 12, 16, 17, 32, 33)))
        elif option == "c" and rng.random() < 0.8:
            option += str(rng.choice((0, 0, 1, 2, 5, 2147483647, 2147483648)))
        elif option == "!" and rng.random() < 0.8:
            option += str(rng.choice((0, 1, 2, 3, 4, 8, 16, 32, 64)))
        options.append(option)
    return "".join(options)


def structs(rng: Random) -> Call:
    form = layout(rng)
    data = rng.randbytes(rng.randrange(40))
    match rng.randrange(3):
        case 0:
            kinds = [option for option in form if option.isalpha() and option != "x"]
            values = [literal(text(rng)) if kind in "cs" else number(rng) for kind in kinds]
            if rng.random() < 0.1:
                values = [scalar(rng) for _ in values[: rng.randrange(4)]]
            call = f"pack({literal(form.encode('latin-1'))}{''.join(', ' + value for value in values)})"
        case 1:
            at = rng.choice(("", ", 1", ", 2", f", {rng.randrange(-2, 45)}"))
            call = f"unpack({literal(form.encode('latin-1'))}, ARGV[1]{at})"
        case _:
            call = f"size({literal(form.encode('latin-1'))})"
    return f"return all(pcall(function() return struct.{call} end))", [data]


def bits(rng: Random) -> Call:
    name = rng.choice(BIT_FUNCTIONS)
    if name == "tohex":  # -2^31 digits crash servers without the fix of CVE-2024-31449
        return f"return all(pcall(bit.tohex, {number(rng)}, {rng.randrange(-10, 11)}))", []
    values = ", ".join(number(rng) if rng.random() < 0.95 else scalar(rng) for _ in range(rng.randrange(1, 4)))
    return f"return all(pcall(function() return bit.{name}({values}) end))", []


KINDS: dict[str, Callable[[Random], Call]] = {
    "encoding": encoding,
    "decoding": decoding,
    "round_trip": round_trip,
    "packing": packing,
    "unpacking": unpacking,
    "structs": structs,
    "bits": bits,
}


def calls(kind: str, seed: int, count: int) -> Iterator[Call]:
    rng = random.Random(f"{kind} {seed}")
    for _ in range(count):
        yield KINDS[kind](rng)


def main() -> int:
    from tests.conftest import REFERENCE
    from tests.support.processes import ReferenceServer

    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--calls", type=int, default=20_000)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--kind", choices=KINDS)
    arguments = parser.parse_args()
    if REFERENCE is None:
        parser.error("no genuine redis-server found ($RESPCACHE_REFERENCE, or on the PATH)")
    server = ReferenceServer(REFERENCE)
    differences = 0
    try:
        genuine, bare = Genuine(server.port), Bare()
        kinds = [arguments.kind] if arguments.kind else list(KINDS)
        for kind in kinds:
            for script, words in calls(kind, arguments.seed, arguments.calls // len(kinds)):
                wanted, got = genuine.run(script.encode(), *words), bare.run(script.encode(), *words)
                if wanted != got:
                    differences += 1
                    print(f"{kind}: {script} {words}\n  genuine    {wanted}\n  respcache  {got}")
        genuine.close()
    finally:
        server.stop()
    print(f"{arguments.calls} calls, {differences} differences")
    return min(differences, 1)


if __name__ == "__main__":
    sys.exit(main())
