"""Clients that wait for keys, and one that makes these keys ready: who is served, with what, in which order.

A contest is a list of moves: a client blocks, another client changes keys (by a command, a transaction or a script), a
waiting client is unblocked by CLIENT UNBLOCK or hangs up. After each move the genuine server is asked who still waits.
Respcache must have answered the same clients with the same replies, and no other client. At the end those that still
wait are unblocked, and all data is compared.
"""

from __future__ import annotations

import select
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from hypothesis import strategies as st

from compat.twin.grammar import Call, Part, call, counted, maybe, one_of, several, weighted
from compat.twin.keyspace import contents, differences
from compat.twin.looseness import Dialect, served_elsewhere
from compat.twin.sequences import Differs, same_results, shown
from compat.twin.strict import StrictConnection
from tests.support.resp import Connection

CLIENTS = 4
# Seconds within which a client must block, or be answered, after a move that makes it so.
_LIMIT = 3.0

# With three shards, each of them holds one of these.
_KEY = one_of("w", "x", "z")
_SIDE = one_of("LEFT", "RIGHT")
_WHERE = one_of("MIN", "MAX")
_COUNT = maybe("COUNT", one_of("1", "2", "10"))
_VALUE = one_of("1", "2", "3", "m", "n")
_ID = one_of("0", "1-1", "3-0", "$")


@st.composite
def _streams(draw: st.DrawFn, ids: st.SearchStrategy[str]) -> list[str]:
    keys = draw(st.lists(_KEY, min_size=1, max_size=3, unique=True))
    return ["STREAMS", *keys, *(draw(ids) for _ in keys)]


WAITS: Mapping[str, st.SearchStrategy[Call]] = {
    "BLPOP": call("BLPOP", several(_KEY), "0"),
    "BRPOP": call("BRPOP", several(_KEY), "0"),
    "BRPOPLPUSH": call("BRPOPLPUSH", _KEY, _KEY, "0"),
    "BLMOVE": call("BLMOVE", _KEY, _KEY, _SIDE, _SIDE, "0"),
    "BLMPOP": call("BLMPOP", "0", counted(_KEY), _SIDE, _COUNT),
    "BZPOPMIN": call("BZPOPMIN", several(_KEY), "0"),
    "BZPOPMAX": call("BZPOPMAX", several(_KEY), "0"),
    "BZMPOP": call("BZMPOP", "0", counted(_KEY), _WHERE, _COUNT),
    "XREAD": call("XREAD", _COUNT, "BLOCK", "0", _streams(_ID)),
    "XREADGROUP": call(
        "XREADGROUP", "GROUP", "g", one_of("one", "two"), _COUNT, "BLOCK", "0", maybe("NOACK"), _streams(st.just(">"))
    ),
}


def _script(body: str, *keys: Part) -> st.SearchStrategy[Call]:
    return call("EVAL", body, str(len(keys)), *keys)


_PUSHES = st.one_of(
    call(one_of("LPUSH", "RPUSH"), _KEY, several(_VALUE)),
    call("ZADD", _KEY, several(one_of("1", "2", "-1"), _VALUE)),
    call("XADD", _KEY, one_of("1-1", "2-1", "3-*", "4-0", "9-9"), "f", _VALUE),
)
_CHANGES = st.one_of(
    call(one_of("DEL", "UNLINK"), several(_KEY)),
    call("SET", _KEY, _VALUE),
    call(one_of("RENAME", "RENAMENX"), _KEY, _KEY),
    call("COPY", _KEY, _KEY, maybe("REPLACE")),
    call("LMOVE", _KEY, _KEY, _SIDE, _SIDE),
    call("SORT", _KEY, "ALPHA", "STORE", _KEY),
    call("ZUNIONSTORE", _KEY, "2", _KEY, _KEY),
    call("ZRANGESTORE", _KEY, _KEY, "0", "-1"),
    call("SUNIONSTORE", _KEY, _KEY),
    call("SADD", _KEY, _VALUE),
    call(one_of("LPOP", "RPOP"), _KEY),
    call(one_of("ZPOPMIN", "ZPOPMAX"), _KEY),
    call("LINSERT", _KEY, "BEFORE", _VALUE, _VALUE),
    call("LREM", _KEY, "0", _VALUE),
    call("XGROUP", "CREATE", _KEY, "g", one_of("$", "0"), "MKSTREAM"),
    call("XGROUP", "SETID", _KEY, "g", one_of("$", "0")),
    call("XGROUP", "DESTROY", _KEY, "g"),
    call("XDEL", _KEY, one_of("1-1", "2-1")),
    call("EXPIRE", _KEY, one_of("-1", "1000")),
    call("MOVE", _KEY, "1"),
    call("SWAPDB", "0", "1"),
    call(one_of("FLUSHDB", "FLUSHALL")),
    _script("redis.call('rpush', KEYS[1], 's', 't') return redis.call('lpop', KEYS[1])", _KEY),
    _script("redis.call('rpush', KEYS[1], 's') return redis.call('del', KEYS[1])", _KEY),
    _script("redis.call('rpush', KEYS[1], 's') redis.call('zadd', KEYS[2], 1, 's') return 'done'", _KEY, _KEY),
    _script("redis.call('del', 'w', 'x', 'z') redis.call('rpush', 'x', 1, 2) return redis.call('rpush', 'w', 3)"),
    _script("for i, key in ipairs({'z', 'x', 'w'}) do redis.pcall('rpush', key, i) end"),
)


_SOME_CHANGES = weighted((1, _PUSHES), (2, _CHANGES))


@dataclass(frozen=True)
class Move:
    """What one client does: `client` blocks, unblocks or hangs up; the main one has no number.

    kind: ``wait``, ``single``, ``pipeline``, ``transaction``, ``unblock``, ``hang up``.
    """

    kind: str
    calls: tuple[Call, ...] = ()
    client: int = -1


def _moves(waits: st.SearchStrategy[Call]) -> st.SearchStrategy[Move]:
    client = st.integers(0, CLIENTS - 1)
    wait = st.builds(lambda call, client: Move("wait", (call,), client), waits, client)
    single = _SOME_CHANGES.map(lambda call: Move("single", (call,)))
    together = st.builds(
        lambda kind, calls: Move(kind, tuple(calls)),
        one_of("pipeline", "transaction", "transaction"),
        st.lists(_SOME_CHANGES, min_size=2, max_size=4),
    )
    changes = weighted((2, single), (1, together))
    how = one_of("TIMEOUT", "ERROR", "")
    unblock = st.builds(lambda client, how: Move("unblock", ((how,),), client), client, how)
    hang_up = client.map(lambda client: Move("hang up", client=client))
    return weighted((6, wait), (5, changes), (1, unblock), (1, hang_up))


def contests(name: str) -> st.SearchStrategy[list[Move]]:
    """Contests in which clients wait by this command, and sometimes by another one."""
    waits = weighted((2, WAITS[name]), (1, st.one_of(*WAITS.values())))
    return st.lists(_moves(waits), min_size=4, max_size=20)


class _Over(Exception):
    """A known difference: the servers hold different data now."""


class Arena:
    """Both servers, with a main client and `CLIENTS` waiting ones on each."""

    def __init__(self, ours: int, theirs: int, protocol: int, dialect: Dialect, common: frozenset[str]) -> None:
        self._dialect = dialect
        self._common = common
        self._ours, self._theirs = _Side(ours, protocol), _Side(theirs, protocol)
        self.commands = 0
        shards = self._ours.view.call("CONFIG", "GET", "shards")
        self._has_shards = bool(shards) and int(shards[1]) > 1

    def close(self) -> None:
        self._ours.close()
        self._theirs.close()

    def run(self, moves: list[Move]) -> None:
        """Raises Differs."""
        session: list[str] = []
        self._waiting: dict[int, Call] = {}
        try:
            for side in (self._ours, self._theirs):
                side.view.pipeline(("FLUSHALL",), ("SCRIPT", "FLUSH"))
            for move in moves:
                self._move(move, session)
            for client in sorted(self._waiting):
                self._unblock(client, "", session)
            found = differences(contents(self._ours.view), contents(self._theirs.view), self._dialect)
            if found:
                raise Differs("\n".join([*session, "# the data differs:", *found]))
        except _Over:
            self._start_over()
        except BaseException:
            self._start_over()
            raise

    def _start_over(self) -> None:
        self._ours.start_over()
        self._theirs.start_over()

    def _move(self, move: Move, session: list[str]) -> None:
        calls = [call for call in move.calls if self._dialect.knows(call) and (move.client >= 0 or self._has(call))]
        match move.kind:
            case "wait" if move.client not in self._waiting and calls and self._is_for_both(calls[0]):
                self._wait(move.client, calls[0], session)
            case "unblock" if move.client in self._waiting:
                self._unblock(move.client, calls[0][0], session)
            case "hang up" if move.client in self._waiting:
                session.append(f"client {move.client} hangs up")
                del self._waiting[move.client]
                for side in (self._ours, self._theirs):
                    side.replace(move.client)
            case "single" | "pipeline" | "transaction" if calls:
                self._change(move.kind, calls, session)

    def _is_for_both(self, wait: Call) -> bool:
        """True if both servers have the command, and choose alike among its keys if several become ready at once.

        Redis 7.0 takes the one that became ready first, later versions the first one of the command.
        """
        return self._has(wait) and not (_has_a_choice(wait) and self._dialect.version < (7, 2))

    def _has(self, call: Call) -> bool:
        """True if both servers have the command."""
        return " ".join(call[:2]) in self._common or call[0] in self._common

    def _wait(self, client: int, call: Call, session: list[str]) -> None:
        session.append(f"client {client}> {shown(call)}")
        self.commands += 1
        for side in (self._ours, self._theirs):
            side.clients[client].send(*call)
        self._waiting[client] = call
        blocked = [side.settle(client) for side in (self._ours, self._theirs)]
        if blocked == [True, True]:
            return
        if blocked[0] != blocked[1]:
            raise Differs("\n".join([*session, f"blocks: ours {blocked[0]}, theirs {blocked[1]}"]))
        self._compare_reply(client, session)
        self._look(session)

    def _change(self, kind: str, calls: list[Call], session: list[str]) -> None:
        if kind == "pipeline" and self._may_be_overtaken():
            for one_by_one in calls:
                self._change("single", [one_by_one], session)
            return
        sent = calls if kind != "transaction" else [("MULTI",), *calls, ("EXEC",)]
        ours, theirs = self._ours.main.pipeline(*sent), self._theirs.main.pipeline(*sent)
        self.commands += len(sent)
        session += [f"> {shown(call)}" for call in sent]
        for one_call, one, other in zip(sent, ours, theirs, strict=True):
            if one_call == ("EXEC",):
                fine = same_results(self._dialect, calls, one, other)
            else:
                fine = self._dialect.equality(one_call)(one, other)
            if not fine:
                raise Differs("\n".join([*session, f"{shown(one_call)}", f"ours:   {one!r}", f"theirs: {other!r}"]))
        self._look(session)

    def _may_be_overtaken(self) -> bool:
        """True if somebody waits whose command needs several shards: what is under way to a shard when it becomes ready
        comes before it (difference "waiting-for-several-shards").
        """
        return self._has_shards and any(
            len(_keys(call)) > 1 and call[0] in _OF_SEVERAL_SHARDS for call in self._waiting.values()
        )

    def _unblock(self, client: int, how: str, session: list[str]) -> None:
        session.append(f"> CLIENT UNBLOCK <client {client}> {how}")
        replies = [side.unblock(client, how) for side in (self._ours, self._theirs)]
        if replies[0] != replies[1]:
            raise Differs("\n".join([*session, f"ours:   {replies[0]!r}", f"theirs: {replies[1]!r}"]))
        self._compare_reply(client, session)
        self._look(session)

    def _look(self, session: list[str]) -> None:
        """See who has been served, and with what."""
        still = self._theirs.blocked()
        for client in sorted(self._waiting):
            if client not in still:
                self._compare_reply(client, session, waited=True)
        for client in sorted(self._waiting):
            if self._ours.has_reply(client):
                reply = self._ours.clients[client].answer()
                raise Differs("\n".join([*session, f"client {client}: ours {reply!r}, theirs still waits"]))

    def _is_known(self, call: Call, one: object, other: object) -> bool:
        """True if replies to a client that has waited may differ (difference "waiting-for-several-shards")."""
        if not self._has_shards or not _has_a_choice(call):
            return False
        contested = any(_keys(call) & _keys(waiting) for waiting in self._waiting.values())
        return contested and served_elsewhere(one, other)

    def _compare_reply(self, client: int, session: list[str], *, waited: bool = False) -> None:
        call = self._waiting.pop(client)
        one, other = self._ours.reply(client), self._theirs.reply(client)
        if waited and self._is_known(call, one, other):
            raise _Over
        if not self._dialect.equality(call)(one, other):
            raise Differs(
                "\n".join([*session, f"client {client} ours:   {one!r}", f"client {client} theirs: {other!r}"])
            )
        session.append(f"client {client}: {other!r}")


# With keys on several shards these need all of them.
_OF_SEVERAL_SHARDS = ("BLMOVE", "BRPOPLPUSH", "XREAD", "XREADGROUP")


def _has_a_choice(wait: Call) -> bool:
    """True if the call can be served from several keys, which are on different shards if there are any."""
    return len(_keys(wait)) > 1 and wait[0] not in ("BLMOVE", "BRPOPLPUSH")


def _keys(wait: Call) -> frozenset[str]:
    return frozenset(("w", "x", "z")).intersection(wait)


class _Side:
    """The connections to one server."""

    def __init__(self, port: int, protocol: int) -> None:
        self._port, self._protocol = port, protocol
        self.view = Connection(port)
        self._connect()

    def _connect(self) -> None:
        self.main = StrictConnection(self._port, self._protocol)
        self.clients = [self._new() for _ in range(CLIENTS)]
        self._ids = [client.call("CLIENT", "ID") for client in self.clients]

    def _new(self) -> StrictConnection:
        return StrictConnection(self._port, self._protocol, timeout=_LIMIT)

    def close(self) -> None:
        for connection in (self.view, self.main, *self.clients):
            connection.close()

    def start_over(self) -> None:
        """New connections in place of those whose state is unknown."""
        for connection in (self.main, *self.clients):
            connection.close()
        for client_id in self._ids:
            self._wait_for_end(client_id)
        self._connect()

    def replace(self, client: int) -> None:
        """Hang up, and connect again once the server has noticed."""
        self.clients[client].close()
        self._wait_for_end(self._ids[client])
        self.clients[client] = self._new()
        self._ids[client] = self.clients[client].call("CLIENT", "ID")

    def _wait_for_end(self, client_id: int) -> None:
        deadline = time.monotonic() + _LIMIT
        while self.view.call("CLIENT", "LIST", "ID", client_id) and time.monotonic() < deadline:
            time.sleep(0.001)

    def settle(self, client: int) -> bool:
        """Wait until the client blocks (True) or has a reply (False)."""
        deadline = time.monotonic() + _LIMIT
        while not self.has_reply(client):
            if client in self.blocked() and not self.has_reply(client):
                return True
            if time.monotonic() > deadline:
                return False
        return False

    def blocked(self) -> frozenset[int]:
        """The clients that wait, as CLIENT LIST says."""
        lines = self.view.call("CLIENT", "LIST").decode().splitlines()
        entries = [dict(field.partition("=")[::2] for field in line.split()) for line in lines]
        waiting = {int(entry["id"]) for entry in entries if "b" in entry["flags"]}
        return frozenset(number for number, client_id in enumerate(self._ids) if client_id in waiting)

    def has_reply(self, client: int) -> bool:
        return bool(select.select([self.clients[client].socket], [], [], 0)[0])

    def reply(self, client: int) -> object:
        return self.clients[client].answer()

    def unblock(self, client: int, how: str) -> object:
        return self.view.call("CLIENT", "UNBLOCK", self._ids[client], *filter(None, [how]))


def names(only: str, common: frozenset[str]) -> Iterator[str]:
    """The commands that clients wait by: all that both servers have, or only one."""
    return (name for name in WAITS if name in common and only.upper() in ("", name))
