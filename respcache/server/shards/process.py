"""The child process of one shard: started with two pipes, ended by closing them."""

from __future__ import annotations

import os
import subprocess
import sys

import trio

# A larger pipe means fewer wake-ups for large frames.
_PIPE_SIZE = 1 << 20
# Seconds within which a child has to exit once its input is closed; then it is killed.
_STOP_DEADLINE = 5.0

# What the child runs: the parent's import path, then the shard. -I and -S spare it the site machinery.
_BOOT = (
    "import sys; sys.path[:] = sys.argv.pop(1).split('\\n'); "
    "from respcache.shard.__main__ import main; main(sys.argv[1:])"
)


class ShardProcess:
    """A running child. `stdin` and `stdout` are its pipes' descriptors, non-blocking; -1 once they are closed."""

    def __init__(self, process: trio.Process) -> None:
        assert process.stdin is not None
        assert process.stdout is not None
        self._process = process
        self.pid = process.pid
        self.stdin: int = process.stdin.fileno()  # type: ignore[attr-defined]  # trio's pipes on POSIX have it
        self.stdout: int = process.stdout.fileno()  # type: ignore[attr-defined]  # as above
        for fd in (self.stdin, self.stdout):
            os.set_blocking(fd, False)
            _widen(fd)

    @classmethod
    async def start(cls, index: int, shards: int, databases: int) -> ShardProcess:
        """Start the child of shard `index`. Raises OSError if the system has no room for it.

        If this is cancelled, there is no child.
        """
        seed = os.environ.get("RESPCACHE_SEED", "")
        command = [sys.executable, "-I", "-S", "-c", _BOOT, "\n".join(os.path.abspath(path) for path in sys.path)]
        command += [str(index), str(shards), str(databases), seed]
        return cls(await trio.lowlevel.open_process(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE))

    def kill(self) -> None:
        """End the child at once. Its output ends, which is how its link learns of it."""
        self._process.kill()

    def close_pipes(self) -> None:
        """Close the child's input, which ends it. The poller must have forgotten the descriptors."""
        if self.stdin < 0:
            return
        self.stdin = self.stdout = -1
        for pipe in (self._process.stdin, self._process.stdout):
            pipe.close()  # type: ignore[union-attr]  # trio's pipes on POSIX are FdStreams, with a synchronous close

    async def reap(self) -> int:
        """Close the pipes and wait for the end of the child; kill it after a deadline. Its exit status.

        If this is cancelled, the child may still run, but its input has ended. It may be called again.
        """
        self.close_pipes()
        with trio.move_on_after(_STOP_DEADLINE) as scope:
            await self._process.wait()
        if scope.cancelled_caught:
            self._process.kill()
            await self._process.wait()
        return self._process.returncode or 0


def _widen(fd: int) -> None:
    """Ask for a larger pipe. Linux only, and the system may refuse."""
    try:
        import fcntl

        fcntl.fcntl(fd, fcntl.F_SETPIPE_SZ, _PIPE_SIZE)
    except (ImportError, AttributeError, OSError):
        pass
