"""Values of every type and encoding: the commands that make them, and payloads that only RESTORE can make values of.

What genuine servers up to 6.2 wrote (ziplists, zipmaps, linked lists), and what those that are not at hand write, is
put together here byte by byte.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from random import Random
from struct import pack

from respcache.rdb.crc import crc64
from respcache.rdb.listpack import integer_entry, listpack, string_entry
from respcache.rdb.strings import write_length, write_string

Command = tuple[str | bytes | int | float, ...]

_random = Random(17)
_NOISE = bytes(_random.randrange(256) for _ in range(3000))
_TEXT = b" ".join(_random.choices([b"the", b"quick", b"brown", b"fox", b"jumps", b"over", b"it"], k=400))
# Scores in which digits matter.
_SCORES = (0, -0.0, 1, -1, 1.5, 0.1, 3.1, 1e30, -1e-9, "inf", "-inf", 1 << 62, 2.0**63, 12345678.125, 127, 128, 1e17)


def _flat(pairs: Sequence[tuple[object, object]]) -> Iterator[str]:
    for one, other in pairs:
        yield str(one)
        yield str(other)


# The commands that make one value under the key `K`. Encodings that other versions choose are made by the same ones.
COMMANDS: Mapping[str, tuple[Command, ...]] = {
    "string empty": (("SET", "K", ""),),
    "string text": (("SET", "K", "hello"),),
    "string of integers": (("SET", "K", "12345678901"),),
    **{
        f"string {number}": (("SET", "K", str(number)),)
        for number in (0, 127, 128, -128, -129, 32767, 32768, -32769, 2147483647, 2147483648, -2147483649)
    },
    "string 64 bits": (("SET", "K", str(-(1 << 63))),),
    "string like a number": (("SET", "K", "007"),),
    "string of 20 bytes": (("SET", "K", "x" * 20),),
    "string of 21 bytes": (("SET", "K", "x" * 21),),
    "string compressed": (("SET", "K", _TEXT),),
    "string of noise": (("SET", "K", _NOISE),),
    "string of zeros": (("SETBIT", "K", 100_000, 1),),
    "string changed": (("SET", "K", "hello"), ("APPEND", "K", " world")),
    "string hyperloglog": (
        ("SET", "K", b"HYLL\1\0\0\0\2\0\0\0\0\0\0\x80\x5b\xf2\x80\x4c\x7f\x84\x4a\xe8\x84\x4c\x01"),
    ),
    "list": (
        ("RPUSH", "K", "a", "b", "1", "-1", "127", "128", "-4096", "4095", "4096", "70000", "-8388608", "x" * 63),
    ),
    "list of long elements": (("RPUSH", "K", "a" * 64, "b" * 126, "c" * 4094, "d" * 4096, str(1 << 40)),),
    "list of several nodes": (("RPUSH", "K", *(f"element {number}" for number in range(1500))),),
    "list with a large element": (("RPUSH", "K", "small", _NOISE * 4, "small again"),),
    "list of one large element": (("RPUSH", "K", _TEXT * 8),),
    "set intset 16": (("SADD", "K", 1, 2, 3, -5),),
    "set intset 32": (("SADD", "K", 1, 70_000, -5),),
    "set intset 64": (("SADD", "K", 1, 1 << 40, -(1 << 63), (1 << 63) - 1),),
    "set listpack": (("SADD", "K", "one", "2", "three", "x" * 64),),
    "set of one": (("SADD", "K", "only"),),
    "set hashtable": (("SADD", "K", *(f"member {number}" for number in range(300))),),
    "set of long members": (("SADD", "K", "x" * 65, "1", _TEXT),),
    "set of many integers": (("SADD", "K", *range(600)),),
    "zset listpack": (("ZADD", "K", *_flat([(score, f"m{at}") for at, score in enumerate(_SCORES)])),),
    "zset of integers": (("ZADD", "K", "1", "1", "2", "-2", "2", "3"),),
    "zset skiplist": (("ZADD", "K", *_flat([(number * 1.25, f"member {number}") for number in range(200)])),),
    "zset of long members": (("ZADD", "K", 1, "x" * 65, 2, "a", "inf", _TEXT[:100]),),
    "hash listpack": (("HSET", "K", "field", "value", "1", "2", "empty", "", "", "no name", "-1", str(1 << 50)),),
    "hash hashtable": (("HSET", "K", *_flat([(f"field {at}", f"value {at}") for at in range(600)])),),
    "hash of one long value": (("HSET", "K", "field", _TEXT),),
    "stream": (("XADD", "K", "1-1", "field", "value"),),
    "stream of many": tuple(
        ("XADD", "K", f"{1000 + 3 * at}-{at % 3 + 1}", "temperature", at, *(("unit", "C") if at % 5 else ()))
        for at in range(230)
    ),
    "stream emptied": (("XADD", "K", "5-5", "a", "b"), ("XDEL", "K", "5-5")),
    "stream trimmed": (*(("XADD", "K", f"{at}-0", "a", at) for at in range(1, 150)), ("XTRIM", "K", "MAXLEN", 20)),
    "stream with deleted entries": (
        *(("XADD", "K", f"{at}-0", "a", at, "b", "x" * at) for at in range(1, 9)),
        ("XDEL", "K", "1-0", "4-0", "8-0"),
    ),
    "stream of largest ids": (
        ("XADD", "K", "0-1", "a", "b"),
        ("XADD", "K", "18446744073709551615-18446744073709551615", "a", "b"),
    ),
    "stream with groups": (
        *(("XADD", "K", f"{at}-{at}", "a", at) for at in range(1, 12)),
        ("XGROUP", "CREATE", "K", "second", "0"),
        ("XGROUP", "CREATE", "K", "first", "3-3", "ENTRIESREAD", 3),
        ("XGROUP", "CREATE", "K", "", "$"),
        ("XREADGROUP", "GROUP", "second", "zoe", "COUNT", 4, "STREAMS", "K", ">"),
        ("XREADGROUP", "GROUP", "second", "adam", "COUNT", 3, "STREAMS", "K", ">"),
        ("XREADGROUP", "GROUP", "first", "zoe", "STREAMS", "K", ">"),
        ("XACK", "K", "second", "2-2", "6-6"),
        ("XCLAIM", "K", "second", "adam", 0, "1-1", "RETRYCOUNT", 7, "FORCE", "JUSTID"),
        ("XGROUP", "CREATECONSUMER", "K", "first", "idle"),
        ("XDEL", "K", "3-3"),
    ),
}

# Only where hashes have fields that expire: Redis 7.4, Valkey 9.
WITH_DEADLINES: Mapping[str, tuple[Command, ...]] = {
    "hash listpack-ex": (
        ("HSET", "K", "a", "1", "b", "2", "c", "3"),
        ("HPEXPIREAT", "K", 4_102_444_800_000, "FIELDS", 1, "a"),
        ("HPEXPIREAT", "K", 4_102_444_900_000, "FIELDS", 1, "b"),
    ),
    "hash with deadlines": (
        ("HSET", "K", *_flat([(f"field {at}", f"value {at}") for at in range(600)])),
        ("HPEXPIREAT", "K", 4_102_444_800_000, "FIELDS", 2, "field 1", "field 7"),
        ("HPEXPIREAT", "K", 4_102_444_900_000, "FIELDS", 1, "field 8"),
    ),
}


def sealed(body: bytes, version: int = 10) -> bytes:
    """A payload with a right checksum, whatever is in it."""
    data = body + version.to_bytes(2, "little")
    return data + crc64(data).to_bytes(8, "little")


# -- the blocks of earlier versions


def ziplist(elements: Sequence[bytes | int]) -> bytes:
    """A ziplist: integers in their shortest form, strings as they are."""
    body, before, tail = b"", 0, 10
    for element in elements:
        tail = 10 + len(body)
        head = bytes((before,)) if before < 254 else b"\xfe" + before.to_bytes(4, "little")
        entry = head + (_ziplist_integer(element) if isinstance(element, int) else _ziplist_string(element))
        body += entry
        before = len(entry)
    return pack("<IIH", len(body) + 11, tail, len(elements)) + body + b"\xff"


def _ziplist_integer(number: int) -> bytes:
    if 0 <= number <= 12:
        return bytes((0xF1 + number,))
    for mark, width in ((0xFE, 1), (0xC0, 2), (0xF0, 3), (0xD0, 4), (0xE0, 8)):
        if -(1 << 8 * width - 1) <= number < 1 << 8 * width - 1:
            return bytes((mark,)) + number.to_bytes(width, "little", signed=True)
    raise ValueError(number)


def _ziplist_string(text: bytes) -> bytes:
    size = len(text)
    if size < 64:
        return bytes((size,)) + text
    if size < 1 << 14:
        return bytes((0x40 | size >> 8, size & 255)) + text
    return b"\x80" + size.to_bytes(4, "big") + text


def zipmap(pairs: Sequence[tuple[bytes, bytes]], free: int = 0) -> bytes:
    body = b"".join(
        _zipmap_length(field) + field + _zipmap_length(value) + bytes((free,)) + value + b"\0" * free
        for field, value in pairs
    )
    return bytes((min(len(pairs), 254),)) + body + b"\xff"


def _zipmap_length(text: bytes) -> bytes:
    return bytes((len(text),)) if len(text) < 254 else b"\xfe" + len(text).to_bytes(4, "little")


def lp(*elements: bytes | int) -> bytes:
    """A listpack as a string of the format."""
    return write_string(
        listpack([integer_entry(item) if isinstance(item, int) else string_entry(item) for item in elements])
    )


def intset(width: int, *numbers: int) -> bytes:
    return pack("<II", width, len(numbers)) + b"".join(n.to_bytes(width, "little", signed=True) for n in numbers)


# -- payloads

_MIXED: tuple[bytes | int, ...] = (b"a", b"x" * 70, 5, 13, -100, 300, -70000, 9_000_000, 1 << 40, b"", b"y" * 300, 7)


def _strings(*elements: bytes) -> bytes:
    return write_length(len(elements)) + b"".join(map(write_string, elements))


def _id(milliseconds: int, sequence: int) -> bytes:
    return pack(">QQ", milliseconds, sequence)


_NODE = write_string(_id(1, 1)) + lp(
    3, 1, 1, b"field", 0, 2, 0, 0, b"value", 4, 3, 1, 0, b"deleted", 4, 0, 2, 5, 1, b"other", b"x", 6, 2, 9, 0, b"y", 4
)
# XSETID of Redis 7.0 goes back behind an entry that was deleted: the next one has a lower id.
_SET_BACK = write_string(_id(1, 0)) + lp(2, 1, 1, b"a", 0, 2, 0, 0, 1, 4, 3, 8, 0, 9, 4, 2, 6, 0, b"b", 4)
_FIGURES = b"\x03\x0a\x01" + b"\x01\x01" + b"\x02\x01" + b"\x04"  # length, last, first and deleted id, added


def _stream(since: int) -> bytes:
    """A stream with a group, as Redis of the version with the `since`th type of streams writes it."""
    figures = _FIGURES if since else _FIGURES[:3]
    pending = _id(1, 1) + pack("<q", 1_700_000_000_000) + b"\x03" + _id(3, 6) + pack("<q", 1_700_000_000_500) + b"\x01"
    group = write_string(b"group") + b"\x03\x06" + (b"\x02" if since else b"") + b"\x02" + pending
    group += b"\x01" + write_string(b"consumer") + pack("<q", 1_700_000_001_000)
    group += (pack("<q", 1_700_000_000_900) if since >= 2 else b"") + b"\x02" + _id(1, 1) + _id(3, 6)
    if since >= 4:
        group += b"\x00"
    return b"\x01" + _NODE + figures + b"\x01" + group + (b"\x40\x64\x40\x64\x00\x00\x00" if since >= 3 else b"")


# What servers wrote that are older than any at hand; those at hand take it. Name -> version, body.
OLDER: Mapping[str, tuple[int, bytes]] = {
    "linked list": (6, b"\x01" + _strings(b"a", b"-7", b"x" * 70)),
    "long linked list": (6, b"\x01" + _strings(*(b"element %d" % at for at in range(2000)))),
    "set": (6, b"\x02" + _strings(b"a", b"-7", b"x" * 70)),
    "set of integers": (6, b"\x02" + _strings(b"3", b"1", b"2")),
    "set of some integers": (6, b"\x02" + _strings(b"3", b"1", b"a", b"2")),
    "hash": (6, b"\x04" + b"\x02" + b"".join(map(write_string, (b"a", b"1", b"b", b"2")))),
    "zset in digits": (7, b"\x03\x04\x01a\x031.5\x01b\xfe\x01c\xff\x01d\x13-17.123456789012344"),
    "zset of doubles": (8, b"\x05\x02\x01a" + pack("<d", 1.5) + b"\x01b" + pack("<d", -0.0)),
    "zipmap": (3, b"\x09" + write_string(zipmap([(b"a", b"1"), (b"long", b"x" * 260), (b"", b"")]))),
    "zipmap with room": (3, b"\x09" + write_string(zipmap([(b"a", b"1"), (b"b", b"2")], free=3))),
    "ziplist of a list": (6, b"\x0a" + write_string(ziplist(_MIXED))),
    "ziplist of a zset": (6, b"\x0c" + write_string(ziplist((17, -3, b"a", 1, b"b", b"2.5", b"c", b"inf")))),
    "ziplist of a hash": (6, b"\x0d" + write_string(ziplist((b"a", 1, b"b", b"x" * 300, 7, b"")))),
    "quicklist of ziplists": (
        9,
        b"\x0e\x03" + b"".join(write_string(ziplist(part)) for part in (_MIXED[:5], (), _MIXED[5:])),
    ),
    "quicklist of one ziplist": (9, b"\x0e\x01" + write_string(ziplist(_MIXED))),
    "quicklist with a plain node": (
        10,
        b"\x12\x03\x02" + lp(b"a", 1) + b"\x01" + write_string(b"large") + b"\x02" + lp(2),
    ),
    "intset of wide numbers": (6, b"\x0b" + write_string(intset(8, -3, 0, 5))),
    "stream of Redis 5": (9, b"\x0f" + _stream(0)),
    "stream of Redis 7.0": (10, b"\x13" + _stream(1)),
    "stream set back": (10, b"\x13\x01" + _SET_BACK + b"\x02\x07\x00\x01\x00\x02\x00\x0b\x00"),
}
# What is written by servers that may not be at hand. Name -> version, body, and whether respcache can hold it.
NEWER: Mapping[str, tuple[int, bytes, bool]] = {
    "set listpack": (11, b"\x14" + lp(b"a", 5, b"x" * 70), True),
    "stream of Redis 7.2": (11, b"\x15" + _stream(2), True),
    "stream of Redis 8.6": (13, b"\x1a" + _stream(3), True),
    "stream of Redis 8.8": (14, b"\x1b" + _stream(4), True),
    "hash with deadlines": (12, b"\x18" + pack("<q", 4_102_444_800_000) + b"\x02\x01\x01a\x011\x00\x01b\x012", False),
    "hash with none": (12, b"\x18" + pack("<q", -1) + b"\x02\x00\x01a\x011\x00\x01b\x012", True),
    "hash listpack-ex": (
        12,
        b"\x19" + pack("<q", 4_102_444_800_000) + lp(b"a", 1, 4_102_444_800_000, b"b", 2, 0),
        False,
    ),
    "hash of Valkey": (80, b"\x16\x02\x01a\x011" + pack("<q", -1) + b"\x01b\x012" + pack("<q", -1), True),
    "hash of Valkey with a deadline": (80, b"\x16\x01\x01a\x011" + pack("<q", 4_102_444_800_000), False),
    "hash of a template": (15, b"\x1d\x00" + lp(b"age", b"name") + lp(0, 42, b"zoe"), True),
    "hash of a template in an array": (15, b"\x1f\x01" + _strings(b"age", b"name") + b"\xc0\x2a\x03zoe", True),
    "array": (14, b"\x1c\x03\x01\x05\x00\x00\x05hello\x03\x01" + pack("<q", -7) + b"\x05\x02" + pack("<d", 1.0), False),
    "module": (10, b"\x07\x81" + pack(">Q", 0x1C6E5F8C9A2B3C00) + b"\x02\x05\x00", False),
}
