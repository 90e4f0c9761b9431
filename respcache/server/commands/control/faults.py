"""RESPCACHE FAULT: what else goes wrong in production, at the moment a test says."""

from __future__ import annotations

from typing import TYPE_CHECKING

from respcache import errors
from respcache.commands.args import INT64_MAX, Args, parse_float, parse_int
from respcache.errors import CommandError
from respcache.resp.types import OK, Reply
from respcache.server.commands.control.family import CONTROL, command, refuse_in_namespace
from respcache.server.services.faults import LONGEST, Action, Fault, Filter, Kind

if TYPE_CHECKING:
    from respcache.server.clients.client import Client

# The longest time, in milliseconds: a hundred years.
_LONGEST_TIME = 100 * 366 * 86_400_000


@command(
    "RESPCACHE FAULT",
    "<ADD name [COMMAND pattern] [KEY pattern] [CLIENT pattern] [USER username] [AFTER count] [TIMES count] "
    "[PROBABILITY probability SEED seed] <ERROR text | DELAY milliseconds | CLOSE <BEFORE | AFTER> | CUT bytes | "
    "DRIBBLE bytes milliseconds | BLACKHOLE | REFUSE | DROP-SHARD index | LOADING milliseconds | READONLY | OOM> | "
    "LIST | DEL name | CLEAR>",
    arity=-3,
    flags=CONTROL,
    since="7.2.0",
)
def respcache_fault(client: Client, args: Args) -> Reply:
    """Let commands, replies, messages and connections fail as they do in production.

    ADD answers OK, DEL and CLEAR how many faults they have removed, LIST a map for each fault. A fault that is removed
    lets go of what it holds up. Commands of RESPCACHE itself are never hit.
    """
    word = args.next()
    refuse_in_namespace(client, "RESPCACHE FAULT")
    faults = client.parts.faults
    match word.upper():
        case b"ADD" if len(args):
            return _add(client, args)
        case b"LIST" if not len(args):
            return [_described(fault) for fault in faults.all()]
        case b"DEL" if len(args) == 1:
            return int(faults.delete(args.next()))
        case b"CLEAR" if not len(args):
            return faults.clear()
        case _:
            raise errors.unknown_call("RESPCACHE", word)


def _add(client: Client, args: Args) -> Reply:
    parts = client.parts
    name = _short(args.next())
    filters, action = _read(args, len(parts.links))
    parts.faults.check(name)

    fault = Fault(name, filters, action)
    fault.last_wait = parts.waits.last_number
    if action.kind is Kind.LOADING and action.milliseconds:
        fault.ends = parts.alarms.after(action.milliseconds, lambda: parts.faults.end(fault))
    if action.kind is Kind.DROP_SHARD and not filters.names_something:  # there is nothing to wait for
        parts.links[action.number].drop()
        fault.fired, fault.over = 1, True
    parts.faults.add(fault)
    return OK


def _read(args: Args, shards: int) -> tuple[Filter, Action]:
    """What follows the name. Raises CommandError."""
    given: dict[str, bytes] = {}
    while len(args):
        word = args.next()
        option = word.upper().decode("latin-1")
        if option in _FILTERS:
            if option in given:
                raise errors.given_twice(option)
            given[option] = _operand(args, option)
            continue
        action = _read_action(word, args, shards)
        if len(args):
            raise errors.words_after_action(args.next())
        filters = _filter(given)
        if action.kind is Kind.REFUSE and not {"COMMAND", "KEY", "USER"}.isdisjoint(given):
            raise CommandError(errors.REFUSE_FILTERS)
        return filters, action
    raise CommandError(errors.FAULT_WITHOUT_ACTION)


_FILTERS = ("COMMAND", "KEY", "CLIENT", "USER", "AFTER", "TIMES", "PROBABILITY", "SEED")


def _filter(given: dict[str, bytes]) -> Filter:
    for option in ("COMMAND", "KEY", "CLIENT", "USER"):
        _short(given.get(option, b""))
    after = _number(given.get("AFTER", b"0"), "AFTER", 0, INT64_MAX)
    times = _number(given["TIMES"], "TIMES", 1, INT64_MAX) if "TIMES" in given else 0
    if ("PROBABILITY" in given) != ("SEED" in given):
        raise CommandError(errors.SEED_AND_PROBABILITY)
    probability = parse_float(given.get("PROBABILITY", b"1"))
    if probability is None or not 0 <= probability <= 1:
        raise CommandError(errors.BAD_PROBABILITY)
    seed = _number(given.get("SEED", b"0"), "SEED", 0, INT64_MAX)
    command, key, client, user = map(given.get, ("COMMAND", "KEY", "CLIENT", "USER"))
    return Filter(command, key, client, user, after, times, probability, seed)


def _read_action(word: bytes, args: Args, shards: int) -> Action:
    """The action that begins with a word."""
    match word.upper():
        case b"ERROR":
            text = _short(_operand(args, "ERROR"))
            if not text:
                raise CommandError(errors.FAULT_TEXT_EMPTY)
            return Action(Kind.ERROR, text=text)
        case b"DELAY":
            return Action(Kind.DELAY, milliseconds=_milliseconds(args, "DELAY"))
        case b"CLOSE":
            match _operand(args, "CLOSE").upper():
                case b"BEFORE":
                    return Action(Kind.CLOSE_BEFORE)
                case b"AFTER":
                    return Action(Kind.CLOSE_AFTER)
                case _:
                    raise CommandError(errors.CLOSE_WHEN)
        case b"CUT":
            return Action(Kind.CUT, number=_number(_operand(args, "CUT"), "CUT", 0, INT64_MAX))
        case b"DRIBBLE":
            size = _number(_operand(args, "DRIBBLE"), "DRIBBLE", 1, INT64_MAX)
            return Action(Kind.DRIBBLE, number=size, milliseconds=_milliseconds(args, "DRIBBLE", 1))
        case b"BLACKHOLE":
            return Action(Kind.BLACKHOLE)
        case b"REFUSE":
            return Action(Kind.REFUSE)
        case b"DROP-SHARD":
            return Action(Kind.DROP_SHARD, number=_number(_operand(args, "DROP-SHARD"), "DROP-SHARD", 0, shards - 1))
        case b"LOADING":
            return Action(Kind.LOADING, milliseconds=_milliseconds(args, "LOADING"))
        case b"READONLY":
            return Action(Kind.READONLY)
        case b"OOM":
            return Action(Kind.OOM)
        case _:
            raise errors.unknown_in_fault(word)


def _operand(args: Args, option: str) -> bytes:
    if not len(args):
        raise errors.operand_missing(option)
    return args.next()


def _milliseconds(args: Args, option: str, low: int = 0) -> int:
    return _number(_operand(args, option), option, low, _LONGEST_TIME)


def _number(word: bytes, option: str, low: int, high: int) -> int:
    number = parse_int(word)
    if number is None or not low <= number <= high:
        raise errors.bad_operand(option, low, high)
    return number


def _short(word: bytes) -> bytes:
    if len(word) > LONGEST:
        raise CommandError(errors.FAULT_TOO_LONG)
    return word


def _described(fault: Fault) -> Reply:
    """A map; filters that were not given are null."""
    filters = fault.filters
    chance = filters.probability < 1
    return {
        b"name": fault.name,
        b"action": str(fault.action).encode("utf-8", "surrogateescape"),
        b"state": b"over" if fault.over else b"armed",
        b"matched": fault.matched,
        b"fired": fault.fired,
        b"command": filters.command,
        b"key": filters.key,
        b"client": filters.client,
        b"user": filters.user,
        b"after": filters.after,
        b"times": filters.times or None,
        b"probability": repr(filters.probability).encode() if chance else None,
        b"seed": filters.seed if chance else None,
    }
