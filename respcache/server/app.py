"""The main process from start to end.

Lifetimes are nested, and the nesting is the shutdown order: listening ends first, then clients (what they have asked
for is answered, within a grace period), then commands under way, then the shards (their standard input is closed, and
they exit), last the poller.
"""

from __future__ import annotations

import gc
import os
import shutil
import socket
from typing import TYPE_CHECKING

import trio

from respcache.logs import log
from respcache.server.host import signals
from respcache.server.host.descriptors import TooFewDescriptors, fit_to_system, refuse_too_many
from respcache.server.host.pidfile import pid_file
from respcache.server.io.listener import Listener, printed_address
from respcache.server.io.poller import READ
from respcache.server.server import Server

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from respcache.config import Config

# Seconds in which clients get what they have asked for before they are disconnected.
_GRACE = 2.0
# What the directive `bind` calls all addresses.
_WILDCARDS = {"*": "0.0.0.0", "::*": "::"}


class CannotListen(Exception):
    """No address to serve on; the text is for the log."""


def run(config: Config) -> int:
    """Serve until told to stop; the exit status."""
    try:
        fit_to_system(config)
        config.add_check("maxclients", lambda: refuse_too_many(config))
        return trio.run(_serve, config)
    except (CannotListen, TooFewDescriptors) as error:
        log.warning(str(error))
        return 1
    finally:
        if config.respcache_temporary_dir:
            shutil.rmtree(config.respcache_temporary_dir, ignore_errors=True)


# Each of these functions calls the next one, which is how the lifetimes are nested. Each ends what it has begun,
# whether it returns, fails or is cancelled.


async def _serve(config: Config) -> int:
    server = Server(config)
    # Bound before the shards start, so a port that is in use is reported at once.
    sockets = _bind(server)
    # Written only now: a second server on the same addresses must not overwrite the file of the first.
    with pid_file(config.pidfile):
        await _run_shards(server, sockets)
    log.warning("Bye bye...")
    return 0


async def _run_shards(server: Server, sockets: list[socket.socket]) -> None:
    """Run the poller and the shards, and serve. Raises a group with OSError if a shard cannot be started."""
    async with trio.open_nursery() as background:
        background.start_soon(server.poller.run)
        try:
            async with trio.open_nursery() as starting:
                for link in server.links:
                    starting.start_soon(background.start, link.supervise)
            # The garbage of start-up is not looked at again; tasks hold cycles, so collection stays on.
            gc.freeze()
            gc.set_threshold(50_000, 20, 50)
            await _accept_until_stopped(server, sockets)
        finally:
            with trio.CancelScope(shield=True):
                async with trio.open_nursery() as stopping:
                    for link in server.links:
                        stopping.start_soon(link.stop)
            background.cancel_scope.cancel()


async def _accept_until_stopped(server: Server, sockets: list[socket.socket]) -> None:
    """Serve clients until `stop_requested`; then let them finish, and cancel the commands that are still under way."""
    async with trio.open_nursery() as tasks:
        server.tasks = tasks
        tasks.start_soon(server.run_alarms)
        await tasks.start(_stop_on_signals, server)
        if server.config.respcache_parent_fd >= 0:
            _stop_with_parent(server)
        listeners = [Listener(sock, server.poller, server.alarms, server.accept) for sock in sockets]
        _say_ready(server, sockets)
        await server.stop_requested.wait()
        for listener in listeners:
            listener.close()
        if server.config.unixsocket:
            _remove(server.config.unixsocket)
        await _let_clients_finish(server)
        tasks.cancel_scope.cancel()


async def _let_clients_finish(server: Server) -> None:
    """Answer what was asked, within the grace period, then close all connections."""
    done = trio.Event()

    def look() -> None:
        if not server.busy:
            done.set()
            server.poller.yield_soon()

    # Whatever is answered is answered in a round.
    server.poller.after_round.append(look)
    look()
    with trio.move_on_after(_GRACE):
        await done.wait()
    server.poller.after_round.remove(look)
    with server.poller.round():
        for client in server.registry.all():
            client.finish()
            client.transport.close(after_writing=True)


async def _stop_on_signals(server: Server, task_status: trio.TaskStatus[None] = trio.TASK_STATUS_IGNORED) -> None:
    """Turn signals into `stop`, until cancelled. Started: when signals are received."""
    with trio.open_signal_receiver(*signals.STOPPING) as receiver:
        task_status.started()
        if signals.told_to_stop():  # while the server was starting
            server.stop()
        received: AsyncIterator[int] = receiver
        async for _ in received:
            server.stop()


def _stop_with_parent(server: Server) -> None:
    """The other end of this pipe is held by the process that wants us to end with it."""
    fd = server.config.respcache_parent_fd
    os.set_blocking(fd, False)

    def on_readable(_events: int) -> None:
        try:
            gone = not os.read(fd, 1)
        except BlockingIOError:
            return
        if gone:
            server.poller.forget(fd)
            server.stop()

    server.poller.watch(fd, READ, on_readable)


# -- listening


def _bind(server: Server) -> list[socket.socket]:
    """Sockets for all configured addresses. Raises CannotListen."""
    config = server.config
    sockets: list[socket.socket] = []
    # As in Redis, port 0 means no TCP. If there is no unix socket either, or the starter waits to be told the port, it
    # means any free port.
    if config.port or not config.unixsocket or config.respcache_ready_fd >= 0:
        sockets += _bind_tcp(server)
    if config.unixsocket:
        sockets.append(_bind_unix(config.unixsocket, config.unixsocketperm, config.tcp_backlog))
    return sockets


def _bind_tcp(server: Server) -> list[socket.socket]:
    config = server.config
    port = config.port
    sockets = []
    for word in config.bind:
        optional = word.startswith("-")  # an address that may be missing
        address = word.lstrip("-")
        address = _WILDCARDS.get(address, address)
        try:
            sock = _listen(address, port, config.tcp_backlog)
        except OSError as error:
            if optional:
                continue
            reason = f"bind: {error.strerror}"
            log.warning(f"Warning: Could not create server TCP listening socket {address}:{port}: {reason}")
            raise CannotListen(f"Failed listening on port {port} (tcp), aborting.") from None
        sockets.append(sock)
        port = sock.getsockname()[1]
    if not sockets:
        raise CannotListen("Configured to not listen anywhere, exiting.")
    server.parts.port = port
    return sockets


def _listen(address: str, port: int, backlog: int) -> socket.socket:
    family = socket.AF_INET6 if ":" in address else socket.AF_INET
    sock = socket.socket(family, socket.SOCK_STREAM)
    try:
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        if family == socket.AF_INET6:
            sock.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
        sock.bind((address, port))
        sock.listen(backlog)
    except OSError:
        sock.close()
        raise
    return sock


def _bind_unix(path: str, permissions: int, backlog: int) -> socket.socket:
    _remove(path)  # a socket file that a killed server left behind
    sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    try:
        sock.bind(path)
        if permissions:
            os.chmod(path, permissions)
        sock.listen(backlog)
    except OSError as error:
        sock.close()
        # Python itself refuses a path that is too long, and gives no strerror.
        raise CannotListen(f"Failed opening Unix socket: bind: {error.strerror or error}") from None
    return sock


def _remove(path: str) -> None:
    try:
        os.unlink(path)
    except OSError:
        pass  # if it is there and in the way, bind says so


def _say_ready(server: Server, sockets: list[socket.socket]) -> None:
    """Log the addresses, and tell the port to the process that has asked for it."""
    addresses = []
    for sock in sockets:
        name = sock.getsockname()
        addresses.append(f"unix:{name}" if isinstance(name, str) else printed_address(name))
    log.notice(f"Ready to accept connections on {' '.join(addresses)}")
    if server.config.respcache_ready_fd >= 0:
        _tell_port(server.config.respcache_ready_fd, server.parts.port)


def _tell_port(fd: int, port: int) -> None:
    try:
        with os.fdopen(fd, "wb") as pipe:
            pipe.write(b"%d\n" % port)
    except OSError as error:
        log.warning(f"The port could not be written to respcache-ready-fd {fd}: {error.strerror}")
