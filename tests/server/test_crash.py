"""Killed processes, a shard or the main process, and orderly shutdown under load."""

from __future__ import annotations

import os
import re
import signal
import socket
import threading
from collections.abc import Callable, Iterator

import pytest

from respcache.server.order.router import Router
from tests.support.processes import RespcacheServer
from tests.support.resp import Closed, Connection, ReplyError
from tests.support.waiting import eventually

pytestmark = pytest.mark.respcache_only("a genuine server has no shards")

SHARDS = 3
CLIENTS = 50
KEYS = 6  # per client
DIED = ReplyError(
    "ERR the shard of this command died while the command was under way; whether it took effect is unknown"
)
VICTIM = 1
ROUTER = Router(SHARDS)

Connect = Callable[[], Connection]


@pytest.fixture
def own_server() -> Iterator[RespcacheServer]:
    """A server for this test only, because the test damages it."""
    server = RespcacheServer(shards=SHARDS)
    yield server
    server.stop()


@pytest.fixture
def connect(own_server: RespcacheServer) -> Iterator[Callable[[], Connection]]:
    opened: list[Connection] = []

    def open_connection() -> Connection:
        opened.append(Connection(own_server.port))
        return opened[-1]

    yield open_connection
    for connection in opened:
        connection.close()


@pytest.fixture
def admin(connect: Connect) -> Connection:
    return connect()


def shard_of(key: str) -> int:
    return ROUTER.shard_of(key.encode())


def keys_of(shard: int, count: int) -> list[str]:
    """Names of keys that live on a shard."""
    found = (f"key:{number}" for number in range(10_000) if shard_of(f"key:{number}") == shard)
    return [next(found) for _ in range(count)]


def shard_pids(admin: Connection) -> list[int]:
    return [row[1] for row in admin.call("DEBUG", "SHARDS")]


def restarts(admin: Connection) -> list[int]:
    return [row[2] for row in admin.call("DEBUG", "SHARDS")]


def queued(admin: Connection) -> list[int]:
    """The number of unanswered items of each shard."""
    return [row[3] for row in admin.call("DEBUG", "SHARDS")]


def process_exists(pid: int) -> bool:
    """True if the process runs. A zombie, which only its parent can reap, does not count."""
    try:
        with open(f"/proc/{pid}/stat", encoding="ascii", errors="replace") as status:
            return status.read().rpartition(")")[2].split()[0] != "Z"
    except FileNotFoundError:
        return False
    except OSError:
        os.kill(pid, 0)
        return True


class TestAShardIsKilled:
    def test_clients_that_wait_there(self, admin: Connection, connect: Connect) -> None:
        """They get an error, also those who wait for keys of other shards as well; the others go on waiting."""
        lost, kept = keys_of(VICTIM, 1)[0], keys_of(0, 1)[0]
        there, both, mover, elsewhere = (connect() for _ in range(4))
        there.send("BLPOP", lost, 0)
        both.send("BLPOP", kept, lost, 0)
        mover.send("BLMOVE", lost, kept, "LEFT", "RIGHT", 0)
        elsewhere.send("BLPOP", kept, 0)
        assert eventually(lambda: b"blocked_clients:4\r" in admin.call("INFO", "clients"))
        os.kill(shard_pids(admin)[VICTIM], signal.SIGKILL)
        assert [client.read() for client in (there, both, mover)] == [DIED] * 3
        assert eventually(lambda: restarts(admin)[VICTIM] == 1)
        there.send("BLPOP", lost, 0)
        assert eventually(lambda: b"blocked_clients:2\r" in admin.call("INFO", "clients"))
        assert admin.call("RPUSH", lost, "1") == 1
        assert admin.call("RPUSH", kept, "2") == 1
        assert there.read() == [lost.encode(), b"1"]
        assert elsewhere.read() == [kept.encode(), b"2"]

    def test_only_commands_that_it_was_running_fail(self, admin: Connection, connect: Connect) -> None:
        """The shard is stopped first, so that the commands it is running are known."""
        lost, kept = keys_of(VICTIM, 2), keys_of(0, 2)
        pid = shard_pids(admin)[VICTIM]
        assert admin.call("EXISTS", *kept, *lost) == 0  # the shards have started
        os.kill(pid, signal.SIGSTOP)
        alone, mixed, split, transaction, carried, behind = (connect() for _ in range(6))
        alone.send_raw(b"".join(b"RPUSH %b x\r\n" % key.encode() for key in lost * 2))
        mixed.send_raw(b"".join(b"RPUSH %b x\r\n" % key.encode() for key in (kept[0], lost[0], kept[0], lost[1])))
        mixed.send_raw(b"PING\r\n")
        split.send("EXISTS", *kept, *lost)
        split.send("PING")
        transaction.send_raw(b"MULTI\r\nRPUSH %b x\r\nEXEC\r\nPING\r\n" % lost[0].encode())
        carried.send("RENAME", kept[1], lost[1])
        carried.send("PING")
        # A command that waits for an earlier one has not been sent yet: the shard's successor gets it.
        behind.send("RPUSH", lost[0], "y")
        assert eventually(
            lambda: queued(admin)[VICTIM] == 6
        )  # the shard is running all of the above, or they wait for it
        assert [transaction.read() for _ in range(2)] == ["OK", "QUEUED"]
        os.kill(pid, signal.SIGKILL)
        assert [alone.read() for _ in range(4)] == [DIED] * 4
        assert [mixed.read() for _ in range(5)] == [1, DIED, 2, DIED, "PONG"]
        assert [split.read() for _ in range(2)] == [DIED, "PONG"]
        assert [transaction.read() for _ in range(2)] == [DIED, "PONG"]
        assert [carried.read() for _ in range(2)] == [DIED, "PONG"]
        assert behind.read() == 1

    def test_it_restarts_empty_and_logs_that(self, own_server: RespcacheServer, admin: Connection) -> None:
        lost, kept = keys_of(VICTIM, 1)[0], keys_of(0, 1)[0]
        admin.pipeline(("RPUSH", lost, "x"), ("RPUSH", kept, "x"))
        os.kill(shard_pids(admin)[VICTIM], signal.SIGKILL)
        assert eventually(lambda: restarts(admin)[VICTIM] == 1)
        assert admin.pipeline(("EXISTS", lost), ("EXISTS", kept), ("RPUSH", lost, "y"), ("DBSIZE",)) == [0, 1, 1, 2]
        assert re.search(rf"shard {VICTIM} died .*empty", own_server.output())

    def test_its_successor_has_its_settings(self, admin: Connection) -> None:
        lost = keys_of(VICTIM, 1)[0]
        admin.call("CONFIG", "SET", "list-max-listpack-size", 2)
        os.kill(shard_pids(admin)[VICTIM], signal.SIGKILL)
        assert eventually(lambda: restarts(admin)[VICTIM] == 1)
        replies = admin.pipeline(("RPUSH", lost, *range(3)), ("OBJECT", "ENCODING", lost))
        assert replies == [3, b"quicklist"]

    def test_it_can_die_repeatedly(self, admin: Connection) -> None:
        lost = keys_of(VICTIM, 1)[0]
        for times in range(1, 4):
            os.kill(shard_pids(admin)[VICTIM], signal.SIGKILL)
            assert eventually(lambda times=times: restarts(admin)[VICTIM] == times)  # type: ignore[misc]
            assert admin.call("RPUSH", lost, "x") == 1

    def test_watched_keys_there_count_as_changed(self, admin: Connection, connect: Connect) -> None:
        lost = keys_of(VICTIM, 1)[0]
        client = connect()
        assert client.pipeline(("WATCH", lost), ("MULTI",), ("PING",)) == ["OK", "OK", "QUEUED"]
        os.kill(shard_pids(admin)[VICTIM], signal.SIGKILL)
        assert eventually(lambda: restarts(admin)[VICTIM] == 1)
        assert client.call("EXEC") is None
        assert client.pipeline(("MULTI",), ("PING",), ("EXEC",)) == ["OK", "QUEUED", ["PONG"]]

    def test_watched_keys_count_as_changed_for_an_exec_that_its_successor_gets(
        self, admin: Connection, connect: Connect
    ) -> None:
        lost, kept = keys_of(VICTIM, 1)[0], keys_of(0, 1)[0]
        client, other = connect(), connect()
        assert client.pipeline(("WATCH", lost), ("EXISTS", lost)) == ["OK", 0]
        pid = shard_pids(admin)[VICTIM]
        os.kill(pid, signal.SIGSTOP)
        other.send("RENAME", kept, lost)  # holds back the following commands
        assert eventually(lambda: queued(admin)[VICTIM] == 1)
        client.send_raw(b"MULTI\r\nRPUSH %b x\r\nEXEC\r\n" % lost.encode())
        assert [client.read(), client.read()] == ["OK", "QUEUED"]
        assert eventually(lambda: queued(admin)[VICTIM] == 2)
        os.kill(pid, signal.SIGKILL)
        assert other.read() == DIED
        assert client.read() is None

    def test_the_others_do_not_notice(self, own_server: RespcacheServer, admin: Connection) -> None:
        """Under load from many pipelining clients, no command ever gets the reply of another."""
        load = Load(own_server.port)
        load.start()
        for times in range(1, 4):
            goal = load.done + 20 * CLIENTS
            assert eventually(lambda goal=goal: load.done > goal or bool(load.wrong))  # type: ignore[misc]
            os.kill(shard_pids(admin)[VICTIM], signal.SIGKILL)
            assert eventually(lambda times=times: restarts(admin)[VICTIM] == times)  # type: ignore[misc]
        load.finish()
        assert load.wrong == []
        assert "Traceback" not in own_server.output()


class TestTheMainProcessIsKilled:
    def test_no_process_is_left(self, own_server: RespcacheServer, admin: Connection) -> None:
        pids = shard_pids(admin)
        assert len(pids) == SHARDS
        assert all(process_exists(pid) for pid in pids)
        load = Load(own_server.port)
        load.start()
        assert eventually(lambda: load.done > CLIENTS)
        own_server.process.kill()
        own_server.process.wait()
        assert eventually(lambda: not any(process_exists(pid) for pid in pids), within=2.0)
        load.finish()
        assert load.wrong == []
        with pytest.raises(ConnectionRefusedError):
            socket.create_connection(("127.0.0.1", own_server.port))

    def test_not_even_a_busy_one(self, own_server: RespcacheServer, admin: Connection) -> None:
        """A shard in the middle of a long command ends when it next reads its pipe."""
        pid = shard_pids(admin)[VICTIM]
        os.kill(pid, signal.SIGSTOP)
        own_server.process.kill()
        own_server.process.wait()
        assert process_exists(pid)
        os.kill(pid, signal.SIGCONT)
        assert eventually(lambda: not process_exists(pid), within=2.0)


class TestOrderlyShutdown:
    @pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
    def test_idle(self, own_server: RespcacheServer, admin: Connection, number: int) -> None:
        pids = shard_pids(admin)
        own_server.process.send_signal(number)
        assert own_server.process.wait(10) == 0
        assert not any(process_exists(pid) for pid in pids)
        assert admin.rest() == b""

    def test_all_commands_are_answered(self, own_server: RespcacheServer, connect: Connect) -> None:
        """All commands that arrived before the signal are answered, in each client's order; then the stream ends."""
        clients = [connect() for _ in range(CLIENTS)]
        commands = b"".join(b"RPUSH key:%d x\r\n" % (number % 100) for number in range(400))
        for client in clients:
            client.send_raw(commands + b"RENAME key:0 key:1\r\nPING end\r\n")
        for client in clients:
            assert isinstance(client.read(), int)
        own_server.process.send_signal(signal.SIGTERM)
        for client in clients:
            replies = [client.read() for _ in range(401)]
            assert replies.pop() == b"end"
            assert not [reply for reply in replies[:-1] if not isinstance(reply, int)]
            with pytest.raises(Closed):
                client.read()
        assert own_server.process.wait(10) == 0
        assert "Traceback" not in own_server.output()

    def test_commands_over_several_shards_are_answered_too(self, own_server: RespcacheServer, connect: Connect) -> None:
        """Each takes several rounds between main and the shards; between the rounds no shard has any work."""
        client = connect()
        here, there = keys_of(0, 1)[0], keys_of(VICTIM, 1)[0]
        back_and_forth = f"RENAME {here} {there}\r\nRENAME {there} {here}\r\n"
        client.send_raw(f"RPUSH {here} x\r\n{back_and_forth * 200}".encode())
        assert client.read() == 1
        own_server.process.send_signal(signal.SIGTERM)
        assert [client.read() for _ in range(400)] == ["OK"] * 400
        assert client.rest() == b""
        assert own_server.process.wait(10) == 0

    def test_under_endless_load(self, own_server: RespcacheServer) -> None:
        """Clients that keep sending do not keep the server alive; every reply they get is complete and correct."""
        load = Load(own_server.port)
        load.start()
        assert eventually(lambda: load.done > 5 * CLIENTS)
        own_server.process.send_signal(signal.SIGTERM)
        assert own_server.process.wait(10) == 0
        load.finish()
        assert load.wrong == []
        assert "Traceback" not in own_server.output()

    def test_clients_that_do_not_read_do_not_keep_it_alive(
        self, own_server: RespcacheServer, admin: Connection, connect: Connect
    ) -> None:
        admin.call("RPUSH", "l", b"x" * 1_000_000)
        deaf = connect()
        deaf.send_raw(b"LRANGE l 0 -1\r\n" * 50)
        assert admin.call("PING") == "PONG"
        own_server.process.send_signal(signal.SIGTERM)
        assert own_server.process.wait(10) == 0


class Load:
    """Many clients, each in a thread with its own keys, that send pipelines and check every reply.

    Values contain their key and turn, so a reply to the wrong command is noticed. `wrong` collects the errors; the end
    of the server ends the load and is not an error.
    """

    def __init__(self, port: int) -> None:
        self.done = 0  # pipelines
        self.wrong: list[str] = []
        self._finished = threading.Event()
        self._threads = [threading.Thread(target=self._run, args=(port, client)) for client in range(CLIENTS)]

    def start(self) -> None:
        for thread in self._threads:
            thread.start()

    def finish(self) -> None:
        self._finished.set()
        for thread in self._threads:
            thread.join(20)
            assert not thread.is_alive()

    def _run(self, port: int, client: int) -> None:
        try:
            connection = Connection(port)
        except OSError:
            return
        # Key -> its possible values. After an error, a key on the victim may be lost, or a write may not have happened.
        expected: dict[str, set[bytes | None]] = {f"client:{client}:{number}": {None} for number in range(KEYS)}
        turn = 0
        try:
            while not self._finished.is_set() and not self.wrong:
                turn += 1
                self._one_turn(connection, expected, turn)
                self.done += 1
        except (Closed, OSError):
            pass  # the server has ended
        finally:
            connection.close()

    def _one_turn(self, connection: Connection, expected: dict[str, set[bytes | None]], turn: int) -> None:
        commands: list[tuple[object, ...]] = []
        for key in expected:
            commands += [("HGET", key, "f"), ("HSET", key, "f", f"{key}={turn}"), ("ECHO", f"{key}?{turn}")]
        replies = connection.pipeline(*commands)
        for key, *answers in zip(expected, replies[::3], replies[1::3], replies[2::3], strict=True):
            self._check(key, turn, expected, *answers)

    def _check(
        self, key: str, turn: int, expected: dict[str, set[bytes | None]], got: object, put: object, echo: object
    ) -> None:
        value = f"{key}={turn}".encode()
        may_die = shard_of(key) == VICTIM
        if may_die:
            expected[key].add(None)
        if got not in expected[key] and not (may_die and got == DIED):
            self.wrong.append(f"HGET {key}: {got!r}, not in {expected[key]}")
        if put in (0, 1):
            expected[key] = {value}
        elif may_die and put == DIED:
            expected[key].add(value)
        else:
            self.wrong.append(f"HSET {key}: {put!r}")
        if echo != f"{key}?{turn}".encode():
            self.wrong.append(f"ECHO {key}?{turn}: {echo!r}")
