"""The server that workers of pytest-xdist share, as one of them sees it: a namespace of its own.

What all workers share is not there: a clock that one of them moves would let the keys of the others expire.
"""

from __future__ import annotations

import socket
from functools import partial
from typing import TYPE_CHECKING, Any, ClassVar, NoReturn

from respcache.testing.control import Control, Word
from respcache.testing.endpoint import Endpoint
from respcache.testing.namespaces import Namespace, new_name

if TYPE_CHECKING:
    import os
    from collections.abc import Mapping

    import redis
    import redis.asyncio

_INSTEAD = "give the test a server of its own by @pytest.mark.respcache(own_server=True)"
_GONE = "the server that the workers of pytest-xdist share does not answer; its log is at the end of the run"


class SharedServer:
    """What a namespace has of a `Server`: its address, clients, keys, `reset`, and namespaces for single tests.

    Errors: RuntimeError, which says what to do, for all else: the clock, snapshots, faults, the journal, lint, the
    process and its end.

    name: of the worker, and of its namespace.
    """

    shared: ClassVar[bool] = True
    running: ClassVar[bool] = True

    def __init__(self, host: str, port: int, password: str, name: str) -> None:
        self.host = host
        self.port = port
        self.password = password
        self.name = name
        self._endpoint = Endpoint(host, port, password, self.death)
        self._namespace = self._within(name)

    @property
    def url(self) -> str:
        """See `Namespace.url`."""
        return self._namespace.url

    @property
    def connection_kwargs(self) -> dict[str, Any]:
        """See `Namespace.connection_kwargs`."""
        return self._namespace.connection_kwargs

    def client(self, **options: Any) -> redis.Redis:
        """See `Namespace.client`."""
        return self._namespace.client(**options)

    def async_client(self, **options: Any) -> redis.asyncio.Redis:
        """See `Namespace.async_client`."""
        return self._namespace.async_client(**options)

    def flush(self) -> None:
        """See `Namespace.flush`."""
        self._namespace.flush()

    def reset(self) -> None:
        """See `Namespace.reset`."""
        self._namespace.reset()

    def load_json(self, path: str | os.PathLike[str], *, db: int = 0) -> int:
        """See `Server.load_json`."""
        from respcache.testing.keys import read

        return self.load_keys(read(path), db=db)

    def load_keys(self, keys: Mapping[str, Any], *, db: int = 0) -> int:
        """See `Server.load_keys`."""
        from respcache.testing.keys import commands

        pipeline = [*commands(keys)]
        Control(self.host, self.port, self.password, namespace=self.name).pipeline(pipeline, db)
        return len(keys)

    def namespace(self, name: str = "") -> Namespace:
        """A server for a part of a test; without a name, a new one. Those of other workers are others."""
        return self._within(f"{self.name}.{name or new_name()}")

    def alive(self) -> bool:
        """True if the server lets clients in."""
        try:
            socket.create_connection((self.host, self.port)).close()
        except OSError:
            return False
        return True

    def death(self) -> str | None:
        """Why it does not answer; None if it does."""
        return None if self.alive() else _GONE

    def wait_for_end(self, timeout: float) -> bool:  # noqa: ARG002 - as that of a `Server`
        """The process is another one's child: nobody here can wait for it."""
        return not self.alive()

    def log(self, since: int = 0) -> str:  # noqa: ARG002 - as that of a `Server`
        """Empty: what the server logs is not known here, and not of one worker."""
        return ""

    def log_size(self) -> int:
        """See `log`."""
        return 0

    def missing_commands(self) -> list[str]:
        """None are known here: the process that has started the server tells."""
        return []

    def stop(self) -> None:
        """Forget the namespace; the server goes on. It is empty when it is used again."""
        try:
            self._namespace.drop()
        except (OSError, RuntimeError):
            pass  # the server is gone, or the namespace was never used

    def __getattr__(self, name: str) -> NoReturn:
        from respcache.testing.server import Server

        if name.startswith("_") or not hasattr(Server, name):
            raise AttributeError(name)
        concerned = f"`{name}` concerns the whole server, which the workers of pytest-xdist share (respcache_shared)"
        raise RuntimeError(f"{concerned}: {_INSTEAD}")

    def _within(self, name: str) -> Namespace:
        return Namespace(self._endpoint, name, partial(self._command, namespace=name))

    def _command(self, *words: Word, leave: bool = False, namespace: str = "") -> Any:
        return Control(self.host, self.port, self.password, namespace=namespace).call(*words, leave=leave)
