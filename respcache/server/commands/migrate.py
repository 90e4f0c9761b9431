"""MIGRATE: keys go to another server, which may be any that speaks RESP and takes RESTORE.

The shards of the keys stand still meanwhile, behind a barrier, so nobody changes a key that is on its way. All others
go on, where the whole of Redis waits. Keys are read, sent, and removed here once the other server has them, some at a
time: so memory is bounded, whatever their number.
"""

from __future__ import annotations

import re
from collections import deque
from typing import TYPE_CHECKING, Any, NamedTuple

from respcache.commands.args import parse_int
from respcache.commands.table import WRITE, KeywordKeys, LoneKey, Reach, family
from respcache.commands.table.tips import RANDOM_OUTPUT
from respcache.errors import (
    MIGRATE_KEY_AND_KEYS,
    NOT_AN_INTEGER,
    TARGET_NOT_REACHED,
    TARGET_NOT_READ,
    TARGET_NOT_WRITTEN,
    CommandError,
    WrongSyntax,
    refused_by_target,
)
from respcache.resp.types import OK, Reply, Status
from respcache.server.services.target import Target, TargetError, UnknownTarget
from respcache.shard import wire

if TYPE_CHECKING:
    from respcache.commands.args import Args
    from respcache.resp.types import Argv
    from respcache.server.clients.client import Client
    from respcache.server.parts import Parts
    from respcache.server.shards.queue import Barrier
    from respcache.store.call import Caller

command = family("generic")

_SYNTAX = (
    'host port <key | ""> destination-db timeout [COPY] [REPLACE] '
    "[AUTH password | AUTH2 username password] [KEYS key [key ...]]"
)
_ACCESS = "RW ACCESS DELETE"
# Milliseconds that a step may take where the timeout is not positive.
_USUAL_TIMEOUT = 1000
# Keys that are read and sent at once, and the bytes of payloads that one shard reads at once, about.
_KEYS_AT_ONCE = 1000
_BYTES_AT_ONCE = 4 << 20

_NOKEY = Status(b"NOKEY")
# What C's atoi takes from the beginning of a word.
_NUMBER = re.compile(rb"\s*[+-]?\d+")


class _Request(NamedTuple):
    """The words of MIGRATE."""

    host: bytes
    port: bytes
    keys: list[bytes]
    database: int
    timeout: float  # in seconds
    copy: bool
    replace: bool
    login: list[bytes]  # the words after AUTH, if there are any


def _parse(args: Args) -> _Request:
    """Raises CommandError: syntax first, then numbers, the timeout before the database, as Redis does."""
    host, port, key, database, timeout = (args.next() for _ in range(5))
    copy = replace = False
    login: list[bytes] = []
    keys = [key]
    while len(args):
        match args.option():
            case b"COPY":
                copy = True
            case b"REPLACE":
                replace = True
            case b"AUTH":
                login = [args.next()]
            case b"AUTH2":
                login = [args.next(), args.next()]
            case b"KEYS":
                if key:
                    raise CommandError(MIGRATE_KEY_AND_KEYS)
                keys = args.rest()
            case _:
                raise WrongSyntax
    milliseconds = _number(timeout)
    if milliseconds <= 0:
        milliseconds = _USUAL_TIMEOUT
    return _Request(host, port, keys, _number(database), milliseconds / 1000, copy, replace, login)


def _number(word: bytes) -> int:
    number = parse_int(word)
    if number is None:
        raise CommandError(NOT_AN_INTEGER)
    return number


@command(
    "MIGRATE",
    _SYNTAX,
    arity=-6,
    keys=(LoneKey(3, access=_ACCESS), KeywordKeys(-2, access=f"{_ACCESS} INCOMPLETE")),
    reach=Reach.HELD,
    flags=WRITE,
    since="2.6.0",
    categories=("keyspace", "dangerous"),
    tips=RANDOM_OUTPUT,
)
def migrate(client: Client, args: Args) -> Any:
    """Move keys to another server, or copy them there."""
    request = _parse(args)
    parts = client.parts
    if client.executing is not None:  # EXEC, or a script, holds the shards already
        return _Migration(parts, client.caller, request).run()
    shards = sorted({parts.router.shard_of(key) for key in request.keys})
    return _migrate(_Migration(parts, client.caller, request), shards, parts.sequencer.barrier(shards))


async def _migrate(migration: _Migration, shards: list[int], barrier: Barrier) -> Reply:
    """The barrier is lifted whatever happens. After cancellation keys may be here and there, but never nowhere."""
    try:
        await barrier.reached()
        try:
            return await migration.run()
        finally:
            await migration.parts.claims.settle(shards)
    finally:
        barrier.lift()


class _Migration:
    """One call of MIGRATE, while the shards of its keys stand still."""

    def __init__(self, parts: Parts, caller: Caller, request: _Request) -> None:
        self.parts = parts
        self._caller = caller
        self._request = request
        # Keys that were not looked at yet.
        self._pending = deque(request.keys)
        # How many of those are looked at next.
        self._at_once = _KEYS_AT_ONCE
        # The first error that the other server has answered with. It does not stop the keys after it.
        self._refusal: bytes | None = None

    async def run(self) -> Reply:
        """OK, or NOKEY if none of the keys is here. Raises CommandError."""
        found: list[tuple[bytes, bytes, int]] = []
        while self._pending and not found:
            found = await self._read()
        if not found:
            return _NOKEY
        async with await self._connect() as target:
            while found:
                await self._send(target, found)
                found = []
                while self._pending and not found:
                    found = await self._read()
        if self._refusal is not None:
            raise refused_by_target(self._refusal)
        return OK

    async def _read(self) -> list[tuple[bytes, bytes, int]]:
        """The next keys that exist, each with its payload and its TTL in milliseconds."""
        window = [key for key, _ in zip(self._pending, range(self._at_once), strict=False)]
        calls = {
            shard: self.parts.links[shard].call(wire.dump(self._caller, keys, _BYTES_AT_ONCE))
            for shard, keys in self.parts.router.by_shard(window).items()
        }
        dumped = {shard: deque(await call.result()) for shard, call in calls.items()}
        found = []
        done = 0
        for key in window:
            answers = dumped[self.parts.router.shard_of(key)]
            if not answers:
                break  # that shard has read enough for now
            done += 1
            answer = answers.popleft()
            if answer is not None:
                found.append((key, *answer))
        for _ in range(done):
            self._pending.popleft()
        # What other shards have read beyond this is read again, so it should not be much.
        self._at_once = min(2 * done, _KEYS_AT_ONCE)
        return found

    async def _connect(self) -> Target:
        """The other server, with the login done and the database selected."""
        request = self._request
        try:
            target = await Target.connect(_host(request.host), _port(request.port), request.timeout)
        except UnknownTarget:
            raise CommandError(TARGET_NOT_REACHED) from None
        except TargetError:  # Redis learns only now that its connection was refused
            raise CommandError(TARGET_NOT_WRITTEN) from None
        try:
            commands: list[Argv] = [[b"AUTH", *request.login]] if request.login else []
            commands.append([b"SELECT", b"%d" % request.database])
            refusals = await self._talk(target, commands)
            for refusal in refusals:
                if refusal is not None:
                    raise refused_by_target(refusal)
        except BaseException:
            await target.aclose()
            raise
        return target

    async def _send(self, target: Target, found: list[tuple[bytes, bytes, int]]) -> None:
        """Send keys, and remove those that have arrived, even if the connection breaks in the middle."""
        options = [b"REPLACE"] if self._request.replace else []
        arrived: list[bytes] = []
        try:
            await _write(target, [[b"RESTORE", key, b"%d" % ttl, payload, *options] for key, payload, ttl in found])
            for key, _, _ in found:
                refusal = await _refusal(target)
                if refusal is None:
                    arrived.append(key)
                elif self._refusal is None:
                    self._refusal = refusal
        except CommandError:
            if self._refusal is not None:
                raise refused_by_target(self._refusal) from None
            raise
        finally:
            if not self._request.copy:
                await self._remove(arrived)

    async def _talk(self, target: Target, commands: list[Argv]) -> list[bytes | None]:
        await _write(target, commands)
        return [await _refusal(target) for _ in commands]

    async def _remove(self, keys: list[bytes]) -> None:
        by_shard = self.parts.router.by_shard(keys)
        for call in [self.parts.links[shard].call(wire.remove(self._caller, gone)) for shard, gone in by_shard.items()]:
            await call.result()


async def _write(target: Target, commands: list[Argv]) -> None:
    try:
        await target.send(commands)
    except TargetError:
        raise CommandError(TARGET_NOT_WRITTEN) from None


async def _refusal(target: Target) -> bytes | None:
    try:
        return await target.refusal()
    except TargetError:
        raise CommandError(TARGET_NOT_READ) from None


def _host(word: bytes) -> str:
    """Raises UnknownTarget."""
    try:
        return word.decode()
    except UnicodeDecodeError:
        raise UnknownTarget from None


def _port(word: bytes) -> int:
    """As C reads it: a word that is no number is 0, and of a large one the lowest bits count. Raises UnknownTarget."""
    number = _NUMBER.match(word)
    port = int(number[0]) if number and len(number[0]) < 20 else -1 if number else 0
    if port < 0:
        raise UnknownTarget
    return port & 0xFFFF
