"""Payloads of FUNCTION DUMP, with those of genuine servers as the measure."""

from __future__ import annotations

from base64 import b64decode

import pytest
from hypothesis import given
from hypothesis import strategies as st

from respcache.rdb.crc import crc64
from respcache.rdb.functions import BadPayload, dump, restore
from respcache.rdb.strings import Reader, write_length, write_string


def test_an_empty_payload_of_redis_7() -> None:
    assert dump([]) == b"\n\x00]\x9b\\@\x0f\x7f\xa2\xda"
    assert restore(b"\n\x00]\x9b\\@\x0f\x7f\xa2\xda") == []
    assert restore(b"\x0c\x00\x96\xedh\x80\xf5U<\x93") == []  # of Redis 8.0


def test_a_compressed_payload_of_redis_7() -> None:
    payload = b64decode(
        "9cNAwUD8HyMhbHVhIG5hbWU9bGliMQpyZWRpcy5yZWdpc3Rlcl9mDXVuY3Rpb24oJ2YxJywg4AAOEmtleXMsYXJncykgcmV0dXJu"
        "IHtAEglbMV0gb3IgJ3gnYBzADgd5J30gZW5kKeAPXQB7wFcAX2CIAidmMiBrCGNhbGxiYWNrPcAcACjgAGuApEAgCCgnc2V0Jywn"
        "YSADAmInKUBlCCwgZGVzY3JpcEC3AT0nQAwgTRNmbGFncz17J25vLXdyaXRlcyd9fQoACfVEM8H9q5Y="
    )
    (code,) = restore(payload)
    assert code == (
        b"#!lua name=lib1\n"
        b"redis.register_function('f1', function(keys,args) return {keys[1] or 'x',args[1] or 'y'} end)\n"
        b"redis.register_function{function_name='f2', callback=function() return redis.call('set','a','b') end, "
        b"description='desc', flags={'no-writes'}}"
    )


@given(st.lists(st.binary(max_size=300), max_size=4), st.booleans())
def test_there_and_back(codes: list[bytes], compressed: bool) -> None:
    assert restore(dump(codes, compressed=compressed)) == codes


@pytest.mark.parametrize("length", [0, 63, 64, 16383, 16384, (1 << 32) - 1, 1 << 32])
def test_lengths(length: int) -> None:
    assert Reader(write_length(length)).length() == length


def test_integers() -> None:
    assert Reader(b"\xc0\xff").string() == b"-1"
    assert Reader(b"\xc1\x00\x01").string() == b"256"
    assert Reader(b"\xc2\x00\x00\x00\x80").string() == b"-2147483648"


def test_what_is_broken() -> None:
    for payload in (b"", b"x" * 20, dump([b"x"])[:-1] + b"?"):
        with pytest.raises(BadPayload, match="checksum"):
            restore(payload)
    for data, error in (
        (b"\x00" + write_string(b"x"), "given type is not a function"),
        (b"\xf6" + write_string(b"x"), "Pre-GA function format not supported"),
        (b"\xf5\x05x", "failed loading the given functions payload"),
        (b"\xf5\xc3\x02\x05\x20\x00", "failed loading the given functions payload"),
    ):
        data += b"\n\0"
        with pytest.raises(BadPayload, match=error):
            restore(data + crc64(data).to_bytes(8, "little"))
