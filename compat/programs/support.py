"""For the programs: workers in processes of their own, which can be killed, and waiting for what they do.

Like `child`, this runs in a program's own environment, so it imports nothing but the standard library.
"""

from __future__ import annotations

import multiprocessing
import os
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from multiprocessing.process import BaseProcess
from typing import Any


@contextmanager
def started(function: Callable[..., object], *arguments: object) -> Iterator[BaseProcess]:
    """Run a module's function in a process. `kill()` is the bad day; it is killed at the end in any case."""
    # Not forked: a fork would share its parent's connections, and inherit its alarm clock.
    process = multiprocessing.get_context("spawn").Process(target=_quietly, args=(function, *arguments), daemon=True)
    process.start()
    try:
        yield process
    finally:
        process.kill()
        process.join()


def _quietly(function: Callable[..., object], *arguments: object) -> None:
    """Run the function with its output sent to the standard error: the standard output is for the results."""
    os.dup2(2, 1)
    function(*arguments)


@contextmanager
def program(*arguments: str) -> Iterator[subprocess.Popen[bytes]]:
    """Run `python -m ARGUMENTS`, and kill it at the end."""
    process = subprocess.Popen([sys.executable, "-m", *arguments], stdout=sys.stderr)
    try:
        yield process
    finally:
        process.kill()
        process.wait()


def eventually(check: Callable[[], Any], seconds: float = 25.0) -> Any:
    """What `check` returns as soon as that is true. It may also raise an AssertionError until then."""
    end = time.monotonic() + seconds
    while True:
        problem = f"{check.__name__} did not become true"
        try:
            if found := check():
                return found
        except AssertionError as error:
            problem = str(error)
        if time.monotonic() > end:
            raise AssertionError(f"{problem}, within {seconds:g} s")
        time.sleep(0.02)


def same(found: object, expected: object) -> None:
    """Assert with both values in the message, for `python -m compat programs` prints nothing else."""
    assert found == expected, f"{found!r} instead of {expected!r}"


@contextmanager
def raises(expected: type[BaseException], text: str = "") -> Iterator[None]:
    """Assert that the block raises this, with `text` in its message."""
    try:
        yield
    except expected as error:
        said = str(error)
    else:
        raise AssertionError(f"did not raise {expected.__name__}")
    assert text in said, f"{said!r} does not say {text!r}"
