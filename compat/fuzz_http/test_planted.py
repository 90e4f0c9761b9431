"""The fuzzer notices bugs: it plays against respcache behind a proxy that has some."""

from __future__ import annotations

import argparse
import re
import socket
import threading
from collections.abc import Callable, Iterator
from urllib.parse import urlsplit

import pytest

from compat.fuzz_http.case import End, Maker, Site
from compat.fuzz_http.mix import case as make_case
from compat.fuzz_http.mix import names
from compat.fuzz_http.mutated import permitted
from compat.fuzz_http.run import Fuzz, Subject
from tests.support.processes import RespcacheServer
from tests.support.resp import Connection

# What a proxy does with the bytes of an answer; None hangs up.
Change = Callable[[bytes], bytes | None]
_CANARY = re.compile(rb"(?:DELETE|PATCH|BREW)[^\r]+.+GET /set/(canary:[0-9:-]+)", re.DOTALL)


def unchanged(answers: bytes) -> bytes:
    return answers


def well_meant(answers: bytes) -> bytes:
    """What is forbidden looks as if it was done."""
    return answers.replace(b"HTTP/1.1 403 Forbidden", b"HTTP/1.1 200 OK")


def impatient(answers: bytes) -> bytes | None:
    """Hangs up on whoever makes a mistake."""
    return None if b"HTTP/1.1 400" in answers else answers


def miscounted(answers: bytes) -> bytes:
    """A byte too many behind a body."""
    return answers.replace(b'{"result":"OK"}', b'{"result":"OK"} ')


class Proxy:
    """Between the fuzzer and the door. `smuggles`: it carries out what is in the bodies of refused methods;
    `keeps`: it does not close its side when the server has closed.
    """

    def __init__(self, server: RespcacheServer, change: Change, *, smuggles: bool = False, keeps: bool = False) -> None:
        self._server = server
        self._change = change
        self._smuggles, self._keeps = smuggles, keeps
        self._listener = socket.create_server(("127.0.0.1", 0), backlog=256)
        self.port: int = self._listener.getsockname()[1]
        threading.Thread(target=self._accept, daemon=True).start()

    def close(self) -> None:
        self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()

    def _accept(self) -> None:
        while True:
            try:
                client, _ = self._listener.accept()
            except OSError:
                return
            threading.Thread(target=self._serve, args=(client,), daemon=True).start()

    def _serve(self, client: socket.socket) -> None:
        with client, socket.create_connection(("127.0.0.1", urlsplit(self._server.rest_url).port or 0)) as door:
            back = threading.Thread(target=self._pass, args=(door, client, self._change), daemon=True)
            back.start()
            self._pass(client, door, self._look)
            back.join()

    def _look(self, requests: bytes) -> bytes:
        if self._smuggles and (found := _CANARY.search(requests)):
            connection = Connection(self._server.port)
            connection.call("SET", found[1], "1")
            connection.close()
        return requests

    def _pass(self, one: socket.socket, other: socket.socket, change: Change) -> None:
        try:
            while data := one.recv(1 << 16):
                changed = change(data)
                if changed is None:
                    one.shutdown(socket.SHUT_RDWR)
                    break
                other.sendall(changed)
            if not (self._keeps and change is self._change):
                other.shutdown(socket.SHUT_WR)
        except OSError:
            for end in (one, other):
                try:
                    end.shutdown(socket.SHUT_RDWR)
                except OSError:
                    pass


@pytest.fixture(scope="module")
def server() -> Iterator[RespcacheServer]:
    limits = ("--http-request-timeout", "3", "--proto-max-bulk-len", "1mb", "--client-query-buffer-limit", "8mb")
    server = RespcacheServer(*limits, http=True)
    yield server
    server.stop()


def findings(server: RespcacheServer, proxy: Proxy, only: str, requests: int = 400) -> list[str]:
    options = argparse.Namespace(only=only, requests=requests, seconds=0, seed=1, many=32, case=None)
    fuzz = Fuzz(Subject(proxy.port, server.port, server.process.pid, server.output), options)
    try:
        fuzz.run()
    finally:
        proxy.close()
    return fuzz.findings


def test_nothing_is_found_where_nothing_is_wrong(server: RespcacheServer) -> None:
    assert findings(server, Proxy(server, unchanged), "unread-bodies") == []


@pytest.mark.parametrize(
    ("change", "only", "found"),
    [
        (well_meant, "strangers", r"status 200, not \[400, 401, 403\]"),
        (impatient, "odd-json", r"closed without answer"),
        (miscounted, "binary-bodies", r"no head of an answer"),
    ],
)
def test_wrong_answers(server: RespcacheServer, change: Change, only: str, found: str) -> None:
    assert re.search(found, "\n".join(findings(server, Proxy(server, change), only)))


def test_a_smuggled_request(server: RespcacheServer) -> None:
    found = findings(server, Proxy(server, unchanged, smuggles=True), "odd-methods")
    assert any("a canary was set" in line for line in found)


def test_a_connection_that_is_not_closed(server: RespcacheServer, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("compat.fuzz_http.case.PATIENCE", 1.0)
    found = findings(server, Proxy(server, unchanged, keeps=True), "no-lengths", requests=30)
    assert any("then nothing for" in line for line in found)


# -- what the judgement rests on


@pytest.mark.parametrize("only", names())
def test_the_same_seed_gives_the_same_case(only: str) -> None:
    site = Site(b"127.0.0.1:1")
    for number in range(20):
        first, second = (make_case(site, 3, number, only)[0] for _ in range(2))
        assert first == second
        assert first.requests or first.name == "silent" or first.end is End.HALF


def test_cases_that_must_not_be_carried_out_are_not_permitted() -> None:
    """The reference finds no canary in what is built so that there is none to find."""
    for number in range(300):
        for only in (
            "length-and-chunks",
            "several-lengths",
            "no-lengths",
            "no-sizes",
            "no-headers",
            "wrong-chunk-ends",
        ):
            case, _ = make_case(Site(b"127.0.0.1:1"), 4, number, only)
            if only != "length-and-chunks":  # the one permitted reading of which goes on behind it
                assert not permitted(case.sent()), (only, number, case.sent())


def test_what_the_reference_reads() -> None:
    make = Maker(Site(b"h"), 1, 1)
    canary = make.canary()
    hidden = make.request(b"POST", b"/set/k", canary)
    assert permitted(hidden) == set()
    assert permitted(hidden + canary) == permitted(canary) != set()
    assert permitted(hidden.replace(b"Content-Length: ", b"Content-Length: +")) == set()
    assert permitted(hidden.replace(b"\r\n", b"\n")) == set()


def test_a_mutated_name_of_a_canary_is_found() -> None:
    assert b"canary:1-2=:3" in permitted(b"GET /set/canary:1-2=:3/1 HTTP/1.1\r\nHost: x\r\n\r\n")
