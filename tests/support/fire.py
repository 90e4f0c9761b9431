"""Clients that do everything at once, are cut off at random, and the account of what became of each element.

Every element is put into the data once, and is unlike any other. A client notes each of its steps: what it has sent,
when, and what it was answered. A step that was cut off may have been carried out or not; one of which the last bytes
were never sent cannot have been. `account` says whether all this, and what the data holds in the end, fits together.
"""

from __future__ import annotations

import random
import struct
import threading
import time
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from contextlib import closing
from errno import ENOTCONN
from socket import SHUT_WR, SO_LINGER, SOL_SOCKET
from typing import Any, NamedTuple

from tests.support.resp import Closed, Connection, ReplyError, pack

# Elements come and go here. Each kind of key is spread over three shards.
LISTS = ("l:a", "l:b", "l:c", "l:d")
ZSETS = ("z:a", "z:b", "z:c")
# Tokens only move from one of these lists to another.
TOKEN_LISTS = ("t:a", "t:b", "t:c")
TOKENS = frozenset(b"t:%d" % number for number in range(2))
# Their sum is always the same.
COUNTERS = ("c:a", "c:b", "c:c")
SUM = 300

Words = tuple[Any, ...]


class Step(NamedTuple):
    """One command, or a transaction."""

    commands: tuple[Words, ...]  # the reply of the last one is the step's
    puts: tuple[bytes, ...] = ()  # elements that it adds
    takes: int = 0  # how many elements it hands to the client, at most
    shows: str = ""  # of what its reply is a picture: "counters", "tokens" or "elements"
    waits: bool = False  # it may block
    receipt: bytes = b""  # a key that it sets to what it has taken
    parts: tuple[Step, ...] = ()  # of a transaction

    def taken(self, reply: Any) -> list[bytes]:
        """The elements that the client has for itself once it has this reply."""
        if self.parts and isinstance(reply, list):
            return [element for part, own in zip(self.parts, reply, strict=True) for element in part.taken(own)]
        return list(elements_in(reply)) if self.takes else []


class Noted(NamedTuple):
    """A step and what became of it."""

    called: int
    returned: int | None  # None: it has not been answered
    step: Step
    reply: Any = None
    sent: bool = True  # in full


# -- steps


def after_work(text: str) -> str:
    """A script that takes some time between its reads and writes."""
    return text.replace("WORK", "for i = 1, 20000 do end")


MOVE_LIST = after_work(
    "local e = redis.call('lpop', ARGV[1]) WORK if e then redis.call('rpush', ARGV[2], e) end return 1"
)
MOVE_LIST_DECLARED = MOVE_LIST.replace("ARGV", "KEYS")
MOVE_TO_ZSET = "local e = redis.call('rpop', ARGV[1]) if e then redis.call('zadd', ARGV[2], 1, e) end return 1"
MOVE_TO_LIST = "local e = redis.call('zpopmin', ARGV[1]) if e[1] then redis.call('lpush', ARGV[2], e[1]) end return 1"
# From each list to the next.
ROTATE = """
for i, from in ipairs(ARGV) do
    local e = redis.call('lpop', from)
    if e then redis.call('rpush', ARGV[i % #ARGV + 1], e) end
end
return 1"""
# The first element of the first list that has one, and a receipt for it.
TAKE = """
for i = 2, #ARGV do
    local e = redis.call('lpop', ARGV[i])
    if e then redis.call('set', ARGV[1], e) return e end
end
return false"""
PUT = "for i = 2, #ARGV do redis.call('rpush', ARGV[1], ARGV[i]) end return 1"
TRANSFER = after_work("redis.call('decrby', ARGV[1], ARGV[3]) WORK redis.call('incrby', ARGV[2], ARGV[3]) return 1")
# By reading first: an update of somebody else in between would be lost.
TRANSFER_DECLARED = after_work("""
local from, to = redis.call('get', KEYS[1]), redis.call('get', KEYS[2])
WORK
redis.call('set', KEYS[1], from - ARGV[1])
redis.call('set', KEYS[2], to + ARGV[1])
return 1""")
SHOW_COUNTERS = "local r = {} for i, k in ipairs(ARGV) do r[i] = redis.call('get', k) end return r"
SHOW_COUNTERS_DECLARED = "return {redis.call('get', KEYS[1]), redis.call('get', KEYS[2]), redis.call('get', KEYS[3])}"
SHOW_LISTS = "local r = {} for i, k in ipairs(ARGV) do r[i] = redis.call('lrange', k, 0, -1) end return r"
SHOW_ELEMENTS = """
local r = {}
for i, k in ipairs(ARGV) do
    local kind = redis.call('type', k).ok
    if kind == 'list' then r[#r + 1] = redis.call('lrange', k, 0, -1) end
    if kind == 'zset' then r[#r + 1] = redis.call('zrange', k, 0, -1) end
end
return r"""

READ_ELEMENTS = (*(("LRANGE", key, 0, -1) for key in LISTS), *(("ZRANGE", key, 0, -1) for key in ZSETS))


class Steps:
    """Random steps of one client."""

    def __init__(self, chance: random.Random, name: int) -> None:
        self._chance = chance
        self._name = name
        self._count = 0

    def some(self) -> Step:
        chance = self._chance
        kinds = [self.push, self.pop, self.block, self.move, self.block_to_move, self.transfer, self.transaction]
        weights = [20, 6, 22, 14, 14, 12, 12]
        if chance.random() < 0.2:
            return self.show()
        return chance.choices(kinds, weights)[0]()

    def element(self) -> bytes:
        self._count += 1
        return b"e:%d:%d" % (self._name, self._count)

    def timeout(self) -> float:
        return self._chance.choice((0.005, 0.02, 0.04))

    def keys(self, names: Sequence[str]) -> list[str]:
        return self._chance.sample(names, self._chance.randint(1, len(names)))

    def push(self) -> Step:
        chance = self._chance
        elements = tuple(self.element() for _ in range(chance.choice((1, 1, 2, 3))))
        if chance.random() < 0.3:
            scored = [word for element in elements for word in (chance.randint(1, 9), element)]
            return Step((("ZADD", chance.choice(ZSETS), *scored),), elements)
        if chance.random() < 0.2:
            return Step((("EVAL", PUT, 0, chance.choice(LISTS), *elements),), elements)
        return Step(((chance.choice(("LPUSH", "RPUSH")), chance.choice(LISTS), *elements),), elements)

    def pop(self) -> Step:
        chance = self._chance
        lists, zsets, count = self.keys(LISTS), self.keys(ZSETS), chance.randint(1, 3)
        receipt = b"receipt:" + self.element()
        return chance.choice((
            Step(((chance.choice(("LPOP", "RPOP")), lists[0]),), takes=1),
            Step((("LPOP", lists[0], count),), takes=count),
            Step((("LMPOP", len(lists), *lists, "RIGHT", "COUNT", count),), takes=count),
            Step((("ZPOPMAX", zsets[0], count),), takes=count),
            Step((("ZMPOP", len(zsets), *zsets, "MIN", "COUNT", count),), takes=count),
            Step((("EVAL", TAKE, 0, receipt, *lists),), takes=1, receipt=receipt),
        ))  # fmt: skip

    def block(self) -> Step:
        chance = self._chance
        lists, zsets, count, timeout = self.keys(LISTS), self.keys(ZSETS), chance.randint(1, 3), self.timeout()
        words, takes = chance.choice((
            (("BLPOP", *lists, timeout), 1),
            (("BLPOP", *lists, timeout), 1),
            (("BRPOP", *lists, timeout), 1),
            (("BLMPOP", timeout, len(lists), *lists, chance.choice(("LEFT", "RIGHT")), "COUNT", count), count),
            (("BZPOPMIN", *zsets, timeout), 1),
            (("BZPOPMAX", *zsets, timeout), 1),
            (("BZMPOP", timeout, len(zsets), *zsets, "MAX", "COUNT", count), count),
        ))  # fmt: skip
        return Step((words,), takes=takes, waits=True)

    def move(self) -> Step:
        chance = self._chance
        a, b = chance.sample(LISTS, 2)
        t, u = chance.sample(TOKEN_LISTS, 2)
        zset = chance.choice(ZSETS)
        return Step((chance.choice((
            ("LMOVE", a, b, "LEFT", "RIGHT"),
            ("LMOVE", t, u, "RIGHT", "LEFT"),
            ("RPOPLPUSH", t, u),
            ("RENAMENX", a, b),
            ("RENAMENX", t, u),
            ("EVAL", MOVE_LIST, 0, a, b),
            ("EVAL", MOVE_LIST, 0, t, u),
            ("EVAL", MOVE_LIST_DECLARED, 2, t, u),
            ("EVAL", ROTATE, 0, *self.keys(LISTS)),
            ("EVAL", ROTATE, 0, *self.keys(TOKEN_LISTS)),
            ("EVAL", MOVE_TO_ZSET, 0, a, zset),
            ("EVAL", MOVE_TO_LIST, 0, zset, a),
        )),))  # fmt: skip

    def block_to_move(self) -> Step:
        chance = self._chance
        source, destination = chance.sample(chance.choice((LISTS, TOKEN_LISTS)), 2)
        if chance.random() < 0.3:
            return Step((("BRPOPLPUSH", source, destination, self.timeout()),), waits=True)
        ends = chance.choice(("LEFT", "RIGHT")), chance.choice(("LEFT", "RIGHT"))
        return Step((("BLMOVE", source, destination, *ends, self.timeout()),), waits=True)

    def transfer(self) -> Step:
        chance = self._chance
        source, destination = chance.sample(COUNTERS, 2)
        amount = chance.randint(1, 9)
        return chance.choice((
            Step((("EVAL", TRANSFER, 0, source, destination, amount),)),
            Step((("EVAL", TRANSFER_DECLARED, 2, source, destination, amount),)),
            Step((("MULTI",), ("DECRBY", source, amount), ("INCRBY", destination, amount), ("EXEC",))),
        ))  # fmt: skip

    def transaction(self) -> Step:
        chance = self._chance
        makers = [self.push, self.pop, self.block, self.move, self.block_to_move]
        inner = [chance.choice(makers)() for _ in range(chance.randint(2, 4))]
        return Step(
            (("MULTI",), *(words for step in inner for words in step.commands), ("EXEC",)),
            puts=tuple(element for step in inner for element in step.puts),
            takes=sum(step.takes for step in inner),
            parts=tuple(inner),
        )

    def show(self) -> Step:
        chance = self._chance
        tokens = tuple(("LRANGE", key, 0, -1) for key in TOKEN_LISTS)
        counters, elements = COUNTERS, (*LISTS, *ZSETS)
        return chance.choice((
            Step((("MGET", *counters),), shows="counters"),
            Step((("MULTI",), *(("GET", key) for key in counters), ("EXEC",)), shows="counters"),
            Step((("EVAL", SHOW_COUNTERS, 0, *counters),), shows="counters"),
            Step((("EVAL_RO", SHOW_COUNTERS_DECLARED, 3, *counters),), shows="counters"),
            Step((("MULTI",), *tokens, ("EXEC",)), shows="tokens"),
            Step((("EVAL", SHOW_LISTS, 0, *TOKEN_LISTS),), shows="tokens"),
            Step((("MULTI",), *READ_ELEMENTS, ("EXEC",)), shows="elements"),
            Step((("EVAL", SHOW_ELEMENTS, 0, *elements),), shows="elements"),
        ))  # fmt: skip


# -- clients


class Client(threading.Thread):
    """Calls random steps, alone or in pipelines; with `cut_off` it is cut off now and then."""

    def __init__(
        self, port: int, name: int, seed: object, steps: int, others: dict[int, int], *, cut_off: bool
    ) -> None:
        super().__init__(name=f"client {name}")
        self._port = port
        self._number = name
        self._chance = random.Random(f"{seed} {name}")
        self._steps = Steps(self._chance, name)
        self._left = steps
        self._cut_off = cut_off
        self._others = others  # the server's number for each client
        self.noted: list[Noted] = []
        self.failure: BaseException | None = None

    def run(self) -> None:
        try:
            while self._left > 0:
                with closing(self._connect()) as connection:
                    self._use(connection)
        except BaseException as error:
            self.failure = error  # for whoever joins

    def _use(self, connection: Connection) -> None:
        """Until it is cut off, or all steps are done."""
        chance = self._chance
        while self._left > 0:
            if chance.random() < 0.05:
                self._disturb(connection)
            steps = [self._steps.some() for _ in range(chance.choice((1, 1, 1, 2, 4)))]
            self._left -= len(steps)
            if self._cut_off and chance.random() < 0.1:
                return self._be_cut_off(connection, steps)
            if not self._call(connection, steps):
                return None
        return None

    def _connect(self) -> Connection:
        while True:
            connection = Connection(self._port)
            try:
                self._others[self._number] = connection.call("CLIENT", "ID")
            except (Closed, ConnectionError):  # somebody has killed it already
                connection.close()
            else:
                return connection

    def _disturb(self, connection: Connection) -> None:
        """End somebody's wait, or connection."""
        victim = self._others[self._chance.choice(list(self._others))]
        ways = [("UNBLOCK", victim), ("UNBLOCK", victim, "ERROR"), *[("KILL", "ID", victim)] * self._cut_off]
        try:
            connection.call("CLIENT", *self._chance.choice(ways))
        except (Closed, ConnectionError):
            pass  # the next step finds out as well

    def _call(self, connection: Connection, steps: list[Step]) -> bool:
        """False if the connection has been killed."""
        called = time.monotonic_ns()
        try:
            connection.send_raw(b"".join(map(on_the_wire, steps)))
        except ConnectionError:
            pass  # what has arrived may be carried out
        answered = self._read(connection, steps, called)
        self.noted += [Noted(called, None, step) for step in steps[answered:]]
        return answered == len(steps)

    def _read(self, connection: Connection, steps: list[Step], called: int) -> int:
        """How many of the steps were answered."""
        for number, step in enumerate(steps):
            try:
                replies = [connection.read() for _ in step.commands]
            except (Closed, ConnectionError):
                return number
            self.noted.append(Noted(called, time.monotonic_ns(), step, replies[-1]))
        return len(steps)

    def _be_cut_off(self, connection: Connection, steps: list[Step]) -> None:
        chance = self._chance
        packed = [on_the_wire(step) for step in steps]
        data = b"".join(packed)
        if chance.random() < 0.3:
            data = data[: chance.randrange(len(data))]
        called = time.monotonic_ns()
        answered = 0
        try:
            connection.send_raw(data)
            if chance.random() < 0.7:
                time.sleep(chance.random() * 0.01)  # so that it comes at any moment of what the server does
            match chance.choice(("close", "reset", "half")):
                case "reset":
                    connection.socket.setsockopt(SOL_SOCKET, SO_LINGER, struct.pack("ii", 1, 0))
                case "half":
                    shut_down(connection)
                    answered = self._read(connection, steps, called)
        except ConnectionError:
            pass  # it was killed before
        connection.close()
        end = 0
        for number, (step, text) in enumerate(zip(steps, packed, strict=True)):
            end += len(text)
            if number >= answered:
                self.noted.append(Noted(called, None, step, sent=end <= len(data)))


def shut_down(connection: Connection) -> None:
    """Send nothing more."""
    try:
        connection.socket.shutdown(SHUT_WR)
    except OSError as error:
        if error.errno != ENOTCONN:  # it was killed before
            raise


def on_the_wire(step: Step) -> bytes:
    return b"".join(map(pack, step.commands))


# -- the account


def elements_in(reply: Any, mark: bytes = b"e:") -> Iterator[bytes]:
    """All words in a reply that begin like an element."""
    if isinstance(reply, list):
        for part in reply:
            yield from elements_in(part, mark)
    elif isinstance(reply, bytes) and reply.startswith(mark):
        yield reply


def errors_in(reply: Any) -> Iterator[str]:
    if isinstance(reply, list):
        for part in reply:
            yield from errors_in(part)
    elif isinstance(reply, ReplyError):
        yield str(reply)


_ALLOWED = ("ERR no such key", "UNBLOCKED client unblocked via CLIENT UNBLOCK")


def account(noted: Iterable[Noted], kept: Sequence[bytes], receipts: dict[bytes, bytes]) -> None:
    """Whether every element is accounted for. `kept`: those in the data at the end. Raises AssertionError."""
    noted = list(noted)
    answered = [one for one in noted if one.returned is not None]
    cut = [one for one in noted if one.returned is None]
    for one in answered:
        wrong = [text for text in errors_in(one.reply) if text not in _ALLOWED]
        assert not wrong, f"{one.step.commands} -> {one.reply}"
    _check_pictures(answered)

    received = Counter(element for one in answered for element in one.step.taken(one.reply))
    of_receipts = {one.step.receipt for one in cut if one.step.receipt}
    lost = Counter(element for receipt, element in receipts.items() if receipt in of_receipts)
    seen = received + lost + Counter(kept)
    twice = [element for element, times in seen.items() if times > 1]
    assert not twice, f"twice: {[(element, _life(noted, kept, element)) for element in twice]}"

    # Who has put what, and whether that was carried out.
    put = {element: one for one in noted for element in one.step.puts}
    never = [element for element in seen if element not in put or not put[element].sent]
    assert not never, f"nobody has put {never}"
    missing = []
    for one in noted:
        if one.returned is not None or not seen.keys().isdisjoint(one.step.puts):
            missing += [element for element in one.step.puts if element not in seen]
    _check_missing(missing, put, cut)
    _check_elements_in_time(answered, put, received, set(kept))


def _check_missing(missing: list[bytes], put: dict[bytes, Noted], cut: list[Noted]) -> None:
    """What is nowhere was on its way to somebody who was cut off: as many as they can have taken."""
    taken = sum(one.step.takes for one in cut if one.sent and not one.step.receipt)
    assert len(missing) <= taken, (
        f"lost: {[(element, put[element].step.commands) for element in missing]},\n"
        f"but those who were cut off have taken at most {taken}"
    )


def _check_pictures(answered: list[Noted]) -> None:
    for one in answered:
        if one.step.shows == "counters":
            assert sum(map(int, one.reply)) == SUM, f"{one.step.commands} -> {one.reply}"
        elif one.step.shows == "tokens":
            tokens = sorted(elements_in(one.reply, b"t:"))
            assert tokens == sorted(TOKENS), f"{one.step.commands} -> {one.reply}"
        elif one.step.shows == "elements":
            elements = list(elements_in(one.reply))
            assert len(elements) == len(set(elements)), f"twice in one picture: {one.reply}"


def _check_elements_in_time(
    answered: list[Noted], put: dict[bytes, Noted], received: Counter[bytes], kept: set[bytes]
) -> None:
    """A picture has what was there before and after it, and nothing that was not there yet or no more."""
    takers = {element: one for one in answered for element in one.step.taken(one.reply)}
    for picture in answered:
        if picture.step.shows != "elements":
            continue
        shown = set(elements_in(picture.reply))
        for element in shown:
            assert put[element].called < picture.returned, f"{element!r} is shown before it was put"
            taker = takers.get(element)
            assert taker is None or taker.returned > picture.called, f"{element!r} is shown, though {taker} has it"
        for element, by in put.items():
            if by.returned is None or by.returned > picture.called or element in shown:
                continue
            taker = takers.get(element)
            there = element in kept or (taker is not None and taker.called > picture.returned)
            assert not there, f"{element!r} is not shown by {picture}"


def _life(noted: list[Noted], kept: Sequence[bytes], element: bytes) -> list[str]:
    """All that is known of an element, for the report of a failure."""
    told = [
        f"{one.step.commands} -> {one.reply} [{one.called}, {one.returned}]"
        for one in noted
        if element in one.step.puts or element in one.step.taken(one.reply)
    ]
    return [*told, f"{list(kept).count(element)} times at the end"]
