"""The main process from start to end.

Lifetimes are nested, and the nesting is the shutdown order: listening ends first, then clients (what they have asked
for is answered, within a grace period), then commands under way, then the shards (their standard input is closed, and
they exit), last the poller.
"""

from __future__ import annotations

import gc
import os
import shutil
from typing import TYPE_CHECKING

import trio

from respcache.logs import log
from respcache.server.host import signals
from respcache.server.host.descriptors import TooFewDescriptors, fit_to_system, make_room, refuse_too_many
from respcache.server.host.pidfile import pid_file
from respcache.server.io.poller import READ
from respcache.server.listening import CannotListen, Listening
from respcache.server.server import Server

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from respcache.config import Config
    from respcache.server.host.supervision import Supervisor

# Seconds in which clients get what they have asked for before they are disconnected.
_GRACE = 2.0


def run(config: Config, supervisor: Supervisor) -> int:
    """Serve until told to stop; the exit status."""
    try:
        fit_to_system(config)
        config.add_check("maxclients", lambda: refuse_too_many(config))
        config.on_change("bind", lambda: make_room(config))
        return trio.run(_serve, config, supervisor)
    except (CannotListen, TooFewDescriptors) as error:
        log.warning(str(error))
        return 1
    finally:
        if config.respcache_temporary_dir:
            shutil.rmtree(config.respcache_temporary_dir, ignore_errors=True)


# Each of these functions calls the next one, which is how the lifetimes are nested. Each ends what it has begun,
# whether it returns, fails or is cancelled.


async def _serve(config: Config, supervisor: Supervisor) -> int:
    server = Server(config, supervised=supervisor.name)
    # Bound before the shards start, so a port that is in use is reported at once.
    listening = Listening(server)
    listening.open()
    # Written only now: a second server on the same addresses must not overwrite the file of the first.
    with pid_file(config.pidfile):
        await _run_shards(server, listening, supervisor)
    log.warning("Bye bye...")
    return 0


async def _run_shards(server: Server, listening: Listening, supervisor: Supervisor) -> None:
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
            await _accept_until_stopped(server, listening, supervisor)
        finally:
            with trio.CancelScope(shield=True):
                async with trio.open_nursery() as stopping:
                    for link in server.links:
                        stopping.start_soon(link.stop)
            background.cancel_scope.cancel()


async def _accept_until_stopped(server: Server, listening: Listening, supervisor: Supervisor) -> None:
    """Serve clients until `stop_requested`; then let them finish, and cancel the commands that are still under way."""
    async with trio.open_nursery() as tasks:
        server.tasks = tasks
        tasks.start_soon(server.run_alarms)
        await tasks.start(_stop_on_signals, server)
        if server.config.respcache_parent_fd >= 0:
            _stop_with_parent(server)
        with listening.accepting():
            supervisor.ready()
            await server.stop_requested.wait()
        supervisor.stopping()
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
    """The other end of this pipe is held by the process that wants us to end with it.

    Before that process connects while a fault refuses connections, it writes the port from which it will do so.
    """
    fd = server.config.respcache_parent_fd
    os.set_blocking(fd, False)
    faults = server.parts.faults
    ended = False

    def read() -> None:
        nonlocal ended
        try:
            while not ended:
                words = os.read(fd, 1 << 12).split()
                ended = not words
                for port in filter(bytes.isdigit, words):
                    faults.let_in(int(port))
        except BlockingIOError:
            pass

    def on_readable(_events: int) -> None:
        read()
        if ended:
            server.poller.forget(fd)
            server.stop()

    faults.look_for_passes = read
    server.poller.watch(fd, READ, on_readable)
