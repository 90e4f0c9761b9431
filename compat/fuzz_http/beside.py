"""What has to go well while others misbehave: two clients that ask politely, the memory of the server, its log."""

from __future__ import annotations

import http.client
import json
import re
import threading
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Protocol

from tests.support.resp import Connection

# Per second, each: enough to notice, and not much work.
_ASKED = 40
_WITHIN = 10.0


class Neighbours:
    """A client over HTTP and one over RESP, which check their replies until `stop`. `problems` is what they found."""

    def __init__(self, http_port: int, resp_port: int, token: str = "") -> None:
        self.problems: list[str] = []
        self.slowest = {"HTTP": 0.0, "RESP": 0.0}
        self.asked = {"HTTP": 0, "RESP": 0}
        self._ended = threading.Event()
        clients: dict[str, Callable[[], _Client]] = {
            "HTTP": lambda: _HttpClient(http_port, token),
            "RESP": lambda: _RespClient(resp_port, token),
        }
        self._threads = [threading.Thread(target=self._ask, args=item, daemon=True) for item in clients.items()]
        for thread in self._threads:
            thread.start()

    def _ask(self, name: str, connect: Callable[[], _Client]) -> None:
        client: _Client | None = None
        while not self._ended.wait(1 / _ASKED):
            begin = time.monotonic()
            try:
                client = client or connect()
                client.ask(self.asked[name])
            except Exception as error:  # whatever it is, it is a finding
                self.problems.append(f"the {name} client beside: {type(error).__name__}: {error}")
                if client is not None:
                    client.close()
                client = None
            self.asked[name] += 1
            self.slowest[name] = max(self.slowest[name], time.monotonic() - begin)
        if client is not None:
            client.close()

    def stop(self) -> None:
        self._ended.set()
        for thread in self._threads:
            thread.join(2 * _WITHIN)


class _Client(Protocol):
    def ask(self, number: int) -> None:
        """Ask something, and check the reply. Raises whatever is wrong."""

    def close(self) -> None: ...


class _HttpClient:
    def __init__(self, port: int, token: str) -> None:
        self._connection = http.client.HTTPConnection("127.0.0.1", port, timeout=_WITHIN)
        self._headers = {"Authorization": f"Bearer {token}"} if token else {}

    def ask(self, number: int) -> None:
        value = f"{number}ü" * (number % 50 + 1)
        commands = [["SET", "beside:http", value], ["GET", "beside:http"], ["STRLEN", "beside:http"]]
        self._connection.request("POST", "/pipeline", json.dumps(commands), self._headers)
        response = self._connection.getresponse()
        answer = json.loads(response.read())
        wanted = [{"result": "OK"}, {"result": value}, {"result": len(value.encode())}]
        if response.status != 200 or answer != wanted:
            raise AssertionError(f"{response.status} {answer}, not {wanted}")

    def close(self) -> None:
        self._connection.close()


class _RespClient:
    def __init__(self, port: int, token: str) -> None:
        self._connection = Connection(port, timeout=_WITHIN)
        if token:
            self._connection.call("AUTH", token)

    def ask(self, number: int) -> None:
        value = b"%d\x00\xff" % number * (number % 50 + 1)
        commands = (("SET", "beside:resp", value), ("GET", "beside:resp"), ("INCR", "beside:count"))
        answers = self._connection.pipeline(*commands)
        if answers[:2] != ["OK", value] or not isinstance(answers[2], int):
            raise AssertionError(f"{answers}")

    def close(self) -> None:
        self._connection.close()


class Memory:
    """The resident memory of processes, in bytes: `look` returns the sum, `peak` is the largest so far."""

    def __init__(self, pid: int) -> None:
        self._pids = [pid, *_children(pid)]
        self.first = self.peak = self.look()

    def look(self) -> int:
        self.peak = max(getattr(self, "peak", 0), total := sum(map(_resident, self._pids)))
        return total


def descriptors(pid: int) -> int:
    """How many files and sockets a process has open."""
    return len(list(Path("/proc", str(pid), "fd").iterdir()))


def _children(pid: int) -> list[int]:
    found = []
    for path in Path("/proc", str(pid), "task").glob("*/children"):
        found += [int(child) for child in path.read_text().split()]
    return found


def _resident(pid: int) -> int:
    try:
        found = re.search(r"VmRSS:\s+(\d+) kB", Path("/proc", str(pid), "status").read_text())
    except OSError:
        return 0
    return int(found[1]) << 10 if found else 0


_TROUBLE = re.compile(r"^.*(?:Traceback|Error\b|failed|# Fatal|never (?:retrieved|awaited)).*$", re.MULTILINE)


def troubles(log: str) -> Sequence[str]:
    """Lines of a log that tell of bugs."""
    return _TROUBLE.findall(log)


def clients(connection: Connection) -> dict[str, int]:
    """connected_clients, blocked_clients and so on."""
    info = connection.call("INFO", "clients").decode()
    return {name: int(value) for name, value in re.findall(r"(\w+_clients):(\d+)", info)}
