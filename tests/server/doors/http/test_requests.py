"""Targets to words."""

from __future__ import annotations

import h11
import pytest

from respcache.server.doors.http.requests import BadRequest, Request


def parsed(target: str) -> tuple[list[bytes], list[tuple[bytes, bytes | None]]]:
    event = h11.Request(method="GET", target=target, headers=[("Host", "h")])
    request = Request(event)
    request.read_target(event.target)
    return request.path, request.query


@pytest.mark.parametrize(
    ("target", "path"),
    [
        ("/", []),
        ("/get/k", [b"get", b"k"]),
        ("/get/k/", [b"get", b"k"]),  # one slash at the end says nothing
        ("/set/k//", [b"set", b"k", b""]),
        ("/set//v", [b"set", b"", b"v"]),
        ("//", []),
        ("/set/k/a%2Fb", [b"set", b"k", b"a/b"]),
        ("/set/k/%00%ff%E2%82%AC", [b"set", b"k", b"\x00\xff\xe2\x82\xac"]),
        ("/set/k/a+b", [b"set", b"k", b"a+b"]),  # a plus is a space in queries only
        ("/set/k/%252F", [b"set", b"k", b"%2F"]),  # decoded once
        ("/psubscribe/user:*", [b"psubscribe", b"user:*"]),
        ("/get/k#fragment", [b"get", b"k"]),
        ("http://h:8079/get/k", [b"get", b"k"]),
        ("HTTPS://h/", []),
        ("http://h", []),
        ("/http://h/x", [b"http:", b"", b"h", b"x"]),
        ("/..//get/k", [b"..", b"", b"get", b"k"]),  # words, not directories
    ],
)
def test_paths(target: str, path: list[bytes]) -> None:
    assert parsed(target) == (path, [])


@pytest.mark.parametrize(
    ("query", "parameters"),
    [
        ("", []),
        ("EX=100&NX", [(b"EX", b"100"), (b"NX", None)]),
        ("EX=", [(b"EX", b"")]),
        ("a=b=c", [(b"a", b"b=c")]),
        ("a%3Db=%26+%2B", [(b"a=b", b"& +")]),
        ("&&a&", [(b"a", None)]),
        ("=v", [(b"", b"v")]),
        ("a?b/c", [(b"a?b/c", None)]),
    ],
)
def test_queries(query: str, parameters: list[tuple[bytes, bytes | None]]) -> None:
    assert parsed(f"/set/k?{query}") == ([b"set", b"k"], parameters)


def test_a_proxy_may_ask_for_a_query_without_a_path() -> None:
    assert parsed("http://h?a=b") == ([], [(b"a", b"b")])


@pytest.mark.parametrize("target", ["/%", "/%2", "/%zz", "/a?%", "/a?b=%g0", "/a?%x=1"])
def test_bad_escapes(target: str) -> None:
    with pytest.raises(BadRequest, match="ERR invalid percent escape") as caught:
        parsed(target)
    assert caught.value.status == 400


@pytest.mark.parametrize("target", ["*", "get/k", "h:80", "ftp://h/get/k"])
def test_other_forms_of_targets(target: str) -> None:
    with pytest.raises(BadRequest, match="must begin with a slash"):
        parsed(target)
