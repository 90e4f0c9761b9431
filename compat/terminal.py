"""A program on a terminal of its own, for those that behave differently there. Not on Windows."""

from __future__ import annotations

import fcntl
import os
import pty
import re
import select
import struct
import subprocess
import termios
import time
from collections.abc import Callable, Mapping, Sequence

# So wide that no line is broken.
_ROWS, _COLUMNS = 50, 5000
_ESCAPES = re.compile(r"\x1b\[[0-9;?]*[A-Za-z]")


def plain(text: str) -> str:
    """Without colours, and what moves the cursor."""
    return _ESCAPES.sub("", text)


class Terminal:
    """Runs the program until `close`, or the end of a `with` block."""

    def __init__(self, words: Sequence[str], environment: Mapping[str, str] | None = None) -> None:
        self._terminal, theirs = pty.openpty()
        fcntl.ioctl(theirs, termios.TIOCSWINSZ, struct.pack("HHHH", _ROWS, _COLUMNS, 0, 0))
        try:
            self._process = subprocess.Popen(
                words,
                stdin=theirs,
                stdout=theirs,
                stderr=theirs,
                env={**os.environ, "TERM": "xterm", **(environment or {})},
                start_new_session=True,
            )
        finally:
            os.close(theirs)

    def __enter__(self) -> Terminal:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def write(self, text: str) -> None:
        os.write(self._terminal, text.encode())

    def read_until(self, enough: Callable[[str], bool], within: float = 20.0) -> str:
        """What is shown from now on, as soon as it is `enough`. Raises TimeoutError, and EOFError at its end."""
        deadline = time.monotonic() + within
        shown = b""
        while not enough(text := shown.decode("utf-8", "replace")):
            if not select.select([self._terminal], [], [], max(0.0, deadline - time.monotonic()))[0]:
                raise TimeoutError(f"only this was shown within {within} s: {text}")
            try:
                shown += os.read(self._terminal, 1 << 16)
            except OSError:  # how Linux tells that the program has let go of the terminal
                raise EOFError(f"it has ended, and this was shown: {text}") from None
        return text

    def close(self) -> None:
        self._process.kill()
        self._process.wait()
        os.close(self._terminal)
