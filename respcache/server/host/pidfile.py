"""The file that holds the process id while the server runs (``pidfile``). Without it the server runs just as well."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager

from respcache.logs import log


@contextmanager
def pid_file(path: str) -> Iterator[None]:
    """Write the file for as long as the context lasts; an empty path means none.

    As in Redis, a file that cannot be written is only logged. At the end the file is removed, unless another server has
    written its own process id there.
    """
    if not path:
        yield
        return
    own = f"{os.getpid()}\n"
    try:
        with open(path, "w", encoding="ascii") as file:
            file.write(own)
    except OSError as error:
        log.warning(f"Failed to write PID file: {error.strerror}")
        yield
        return
    try:
        yield
    finally:
        _remove(path, own)


def _remove(path: str, own: str) -> None:
    try:
        with open(path, encoding="ascii") as file:
            if file.read() != own:
                return
        log.notice("Removing the pid file.")
        os.unlink(path)
    except (OSError, ValueError):
        pass  # someone else has removed it, or put something else there
