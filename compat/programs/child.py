"""Runs in a program's own environment: `python -m compat.programs.child NAME URL`.

Prints a line of JSON per scenario: its name, and what went wrong (empty if nothing did). It does not import respcache.
"""

from __future__ import annotations

import json
import signal
import socket
import sys
import traceback
from importlib import import_module
from urllib.parse import urlsplit

LIMIT = 60  # seconds per scenario


def main(name: str, url: str) -> int:
    late: list[str] = []

    def too_long(_signal: int, _frame: object) -> None:
        late.append("took too long")
        raise TimeoutError(late[0])

    signal.signal(signal.SIGALRM, too_long)
    module = import_module(f"compat.programs.{name}")
    for attribute, scenario in list(vars(module).items()):
        if attribute.startswith("scenario_"):
            _flush(url)
            late.clear()
            signal.alarm(LIMIT)
            try:
                scenario(url)
                problem = late[0] if late else ""  # a library may have swallowed the exception
            except BaseException as error:
                problem = f"{type(error).__name__}: {error}"
                traceback.print_exc()
            signal.alarm(0)
            print(json.dumps([attribute.removeprefix("scenario_"), problem]), flush=True)
    return 0


def _flush(url: str) -> None:
    """Every scenario starts with an empty server."""
    with socket.create_connection(("127.0.0.1", urlsplit(url).port or 6379), timeout=10) as connection:
        connection.sendall(b"FLUSHALL\r\n")
        connection.recv(100)


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
