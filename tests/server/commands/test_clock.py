"""RESPCACHE CLOCK: everything that asks for the time follows the one clock, and has happened when it answers."""

from __future__ import annotations

import select
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from respcache.clock import LAST_MS
from tests.support.events import Events
from tests.support.resp import Connection
from tests.support.transcript import Transcript
from tests.support.waiting import eventually

pytestmark = pytest.mark.respcache_only(reason="RESPCACHE is respcache's own command")

Connect = Callable[..., Connection]
Block = Callable[..., Connection]

# 2030-01-01, and a year. Milliseconds.
MOMENT = 1_893_456_000_000
YEAR = 365 * 86_400_000
SECOND = 1000
REFUSED = "ERR value is out of range"
NO_INTEGER = "ERR value is not an integer or out of range"


class Clock:
    """The words, and the time that each answers with."""

    def __init__(self, do: Transcript) -> None:
        self._do = do

    def __call__(self, *words: Any) -> int:
        now = self._do("RESPCACHE", "CLOCK", *words)
        assert type(now) is int
        return now

    def freeze_at(self, milliseconds: int) -> int:
        """Time stands still at that moment."""
        self("FREEZE")
        return self("SET", milliseconds)


@pytest.fixture
def clock(do: Transcript) -> Iterator[Clock]:
    """Other tests share the server."""
    yield Clock(do)
    do.connection.call("RESPCACHE", "RESET")


def at_hand(connection: Connection) -> bytes:
    """What has been received already. It does not wait: what is not there yet is not there."""
    data = b""
    while select.select([connection.socket], [], [], 0)[0] and (received := connection.socket.recv(1 << 20)):
        data += received
    return data


def hung_up(connection: Connection) -> bool:
    """True if the server's end of the connection has arrived already."""
    readable, _, _ = select.select([connection.socket], [], [], 0)
    return bool(readable) and connection.socket.recv(1 << 20) == b""


def no_reply_in(protocol: int) -> bytes:
    """The null of a blocking command whose time is up."""
    return b"_\r\n" if protocol == 3 else b"*-1\r\n"


def seconds_of(do: Transcript) -> tuple[int, int]:
    """TIME."""
    seconds, microseconds = do("TIME")
    return int(seconds), int(microseconds)


def client_fields(do: Transcript, number: int) -> dict[str, str]:
    """CLIENT LIST ID."""
    line = str(do("CLIENT", "LIST", "ID", number).decode() if do.protocol == 2 else do("CLIENT", "LIST", "ID", number))
    return dict(field.split("=", 1) for field in line.removeprefix("txt:").split())


def info(do: Transcript, section: str, field: str) -> str:
    text = do("INFO", section)
    text = text.decode() if isinstance(text, bytes) else text.removeprefix("txt:")
    return str(dict(line.split(":", 1) for line in text.splitlines() if ":" in line)[field])


# -- the words


def test_get(do: Transcript, clock: Clock) -> None:
    seconds, microseconds = seconds_of(do)
    now = clock("GET")
    assert 0 <= now - (seconds * 1000 + microseconds // 1000) < 10 * SECOND


def test_set_and_freeze(do: Transcript, clock: Clock) -> None:
    assert clock.freeze_at(MOMENT) == MOMENT
    assert clock("GET") == clock("FREEZE") == MOMENT
    assert seconds_of(do) == (MOMENT // 1000, 0)


def test_advance_adds_the_millisecond_in_which_a_ttl_of_that_length_runs_out(do: Transcript, clock: Clock) -> None:
    clock.freeze_at(MOMENT)
    do("SET", "k", "v", "PX", 500)
    assert clock("SET", MOMENT + 500) == MOMENT + 500
    assert do("PTTL", "k") == 0
    clock("SET", MOMENT)
    assert clock("ADVANCE", 500) == MOMENT + 501
    assert do("GET", "k") is None
    assert clock("ADVANCE", 0) == MOMENT + 502


def test_time_goes_on_after_resume(do: Transcript, clock: Clock) -> None:
    clock.freeze_at(MOMENT)
    clock("RESUME")
    assert eventually(lambda: clock("GET") > MOMENT)
    assert clock("GET") < MOMENT + 600 * SECOND
    assert clock("RESUME") > MOMENT  # which has no effect now


def test_words_in_any_case(do: Transcript) -> None:
    assert do("respcache", "clock", "get") > 0
    assert do("RESPCACHE", "RESET") == "OK"


@pytest.mark.parametrize("milliseconds", [1, LAST_MS])
def test_the_first_and_the_last_moment(do: Transcript, clock: Clock, milliseconds: int) -> None:
    """Everything works there: a stream knows the time, a key expires, a script runs, time passes."""
    clock.freeze_at(milliseconds)
    do("SET", "k", "v", "PX", 100)
    assert do("OBJECT", "IDLETIME", "k") == 0
    assert do("XADD", "s", "*", "f", "v") is not None
    assert do("EVAL", "return redis.call('TIME')", 0)[0] == str(milliseconds // 1000).encode()
    clock("RESUME")
    assert eventually(lambda: do("EXISTS", "k") == 0)


def test_errors(do: Transcript, clock: Clock) -> None:
    arity = "ERR wrong number of arguments for 'respcache|clock' command"
    assert do.error("RESPCACHE", "CLOCK") == arity
    for words in (
        ("NOSUCH",),
        ("GET", 1),
        ("FREEZE", 1),
        ("RESUME", 1),
        ("ADVANCE",),
        ("ADVANCE", 1, 2),
        ("SET",),
        ("SET", 1, 2),
    ):
        expected = f"ERR unknown subcommand or wrong number of arguments for '{words[0]}'. Try RESPCACHE HELP."
        assert do.error("RESPCACHE", "CLOCK", *words) == expected
    for word in ("ADVANCE", "SET"):
        for number in ("x", "", "1.5", " 1", "1e3", 1 << 63):
            assert do.error("RESPCACHE", "CLOCK", word, number) == NO_INTEGER
        for number in (-1, LAST_MS + 1, (1 << 63) - 1):
            assert do.error("RESPCACHE", "CLOCK", word, number) == REFUSED
    assert do.error("RESPCACHE", "CLOCK", "SET", 0) == REFUSED
    clock.freeze_at(LAST_MS)
    assert do.error("RESPCACHE", "CLOCK", "ADVANCE", 1) == REFUSED
    assert do.error("DEBUG", "ADVANCE-CLOCK", 1) == REFUSED
    assert clock("GET") == LAST_MS


def test_help_names_it(do: Transcript) -> None:
    assert "CLOCK (FREEZE|RESUME|ADVANCE <milliseconds>|SET <unix-time-milliseconds>|GET)" in do("RESPCACHE", "HELP")


# -- who may call it, and when


def test_not_within_multi(do: Transcript, clock: Clock) -> None:
    do("MULTI")
    assert do.error("RESPCACHE", "CLOCK", "ADVANCE", 1) == "ERR Command not allowed inside a transaction"
    assert do.error("EXEC") == "EXECABORT Transaction discarded because of previous errors."


def test_not_from_a_script(do: Transcript, clock: Clock) -> None:
    assert "not allowed from script" in do.error("EVAL", "return redis.call('RESPCACHE', 'CLOCK', 'GET')", 0)


def test_while_subscribed(do: Transcript, clock: Clock) -> None:
    do("SUBSCRIBE", "c")
    before = clock("GET")
    assert clock("ADVANCE", 1000) > before


def test_without_a_password(do: Transcript, clock: Clock, connect: Connect) -> None:
    do("CONFIG", "SET", "requirepass", "secret")
    stranger = connect()
    assert str(stranger.call("PING")).startswith("NOAUTH")
    assert stranger.call("RESPCACHE", "CLOCK", "FREEZE") == clock("GET")


@pytest.mark.parametrize("shards_of_the_script", ["one", "all"])
def test_while_a_script_runs_for_too_long(
    do: Transcript, clock: Clock, connect: Connect, shards_of_the_script: str
) -> None:
    """Only what its shards have to do is put off."""
    script = {"one": "redis.call('get', KEYS[1]) while true do end", "all": "while true do redis.call('get', 'x') end"}
    do("CONFIG", "SET", "busy-reply-threshold", 50)
    do("SET", "k", "v", "PX", 500)
    caller, other = connect(), connect()
    caller.send("EVAL", script[shards_of_the_script], 1, "k")
    try:
        assert clock("ADVANCE", 100) > 0  # within which the script becomes slow, or waits for that
        assert eventually(lambda: str(other.call("GET", "k")).startswith("BUSY"))
        before = clock("GET")
        assert clock("ADVANCE", 1000) > before
        assert clock("SET", before) <= clock("FREEZE")
        assert clock("RESUME") >= before
        clock("ADVANCE", 1000)
    finally:
        assert other.call("SCRIPT", "KILL") == "OK"
    assert "Script killed" in str(caller.read())
    assert eventually(lambda: other.call("PING") == "PONG")
    assert do("GET", "k") is None


# -- what follows it


def test_keys_of_all_shards_expire(do: Transcript, clock: Clock) -> None:
    clock("FREEZE")
    for number in range(1000):
        do("SET", f"k{number}", "v", "PX", 1000 + number)
    clock("ADVANCE", 999)
    assert do("DBSIZE") == 1000
    clock("ADVANCE", 1000)
    assert do("DBSIZE") == 0


def test_more_keys_than_one_tick_removes(do: Transcript, clock: Clock) -> None:
    """At once, all of them, even if time stands still."""
    clock("FREEZE")
    do.connection.pipeline(*[("SET", f"k{number}", "v", "PX", 5) for number in range(7000)])
    do("SELECT", 5)
    do("SET", "k", "v", "PX", 5)
    clock("ADVANCE", 5)
    assert "keys" not in (do("INFO", "keyspace").decode() if do.protocol == 2 else do("INFO", "keyspace"))


@pytest.mark.parametrize(
    ("set_ttl", "milliseconds"),
    [
        (("EXPIRE", "k", 10), 10_000),
        (("PEXPIRE", "k", 10), 10),
        (("EXPIREAT", "k", MOMENT // 1000 + 10), 10_000),
        (("PEXPIREAT", "k", MOMENT + 10), 10),
        (("SET", "k", "v", "EX", 10), 10_000),
        (("SET", "k", "v", "PXAT", MOMENT + 10), 10),
        (("SETEX", "k", 10, "v"), 10_000),
        (("PSETEX", "k", 10, "v"), 10),
        (("GETEX", "k", "EXAT", MOMENT // 1000 + 10), 10_000),
        (("EVAL", "return redis.call('PEXPIRE', KEYS[1], 10)", 1, "k"), 10),
    ],
)
def test_every_kind_of_ttl(do: Transcript, clock: Clock, set_ttl: tuple[Any, ...], milliseconds: int) -> None:
    clock.freeze_at(MOMENT)
    do("SET", "k", "v")
    do(*set_ttl)
    assert do("PTTL", "k") == milliseconds
    assert do("PEXPIRETIME", "k") == MOMENT + milliseconds
    clock("ADVANCE", milliseconds - 1)
    assert do("PTTL", "k") == 0
    clock("ADVANCE", 0)
    assert do("EXISTS", "k") == 0


def test_expiry_without_active_expiry(do: Transcript, clock: Clock, connect: Connect) -> None:
    events = Events(do, connect)
    clock("FREEZE")
    do("DEBUG", "SET-ACTIVE-EXPIRE", 0)
    do("SET", "k", "v", "PX", 10)
    clock("ADVANCE", 10)
    assert do("DBSIZE") == 1
    before = events()
    assert (0, "expired", "k") not in before
    assert do("GET", "k") is None
    assert events() == [(0, "expired", "k")]


def test_events_come_before_the_answer(do: Transcript, clock: Clock, connect: Connect) -> None:
    do("CONFIG", "SET", "notify-keyspace-events", "Ex")
    listener, other = connect(), connect()
    listener.call("SUBSCRIBE", "__keyevent@0__:expired")
    clock("FREEZE")
    for number in range(50):
        do("SET", f"k{number}", "v", "PX", 100)
    other.call("RESPCACHE", "CLOCK", "ADVANCE", 99)
    assert at_hand(listener) == b""
    other.call("RESPCACHE", "CLOCK", "ADVANCE", 100)
    assert at_hand(listener).count(b"__keyevent@0__:expired") == 50


def test_a_thousand_things_at_once(do: Transcript, clock: Clock, connect: Connect) -> None:
    """Keys on all shards, and blocking commands on one shard, on several, and on several to move something."""
    clock("FREEZE")
    do.connection.pipeline(*[("SET", f"k{number}", "v", "PX", 100 + number) for number in range(500)])
    waiting = [connect(do.protocol) for _ in range(30)]
    for number, each in enumerate(waiting):
        timeout = (number % 10 + 1) / 100
        words: tuple[Any, ...] = (
            ("BLPOP", "l", timeout),
            ("BLPOP", "a", "b", "c", "d", timeout),
            ("BLMOVE", "from", "to-another", "LEFT", "RIGHT", timeout),
        )[number % 3]
        each.send(*words)
    assert eventually(lambda: info(do, "clients", "blocked_clients") == "30")
    clock("ADVANCE", 600)
    for each in waiting:
        assert at_hand(each) == no_reply_in(do.protocol)
    assert do("DBSIZE") == 0
    assert info(do, "clients", "blocked_clients") == "0"


@pytest.mark.parametrize(
    "words",
    [
        ("BLPOP", "l", 5),
        ("BLPOP", "a", "b", "c", "d", 5),
        ("BRPOP", "l", 5),
        ("BLMOVE", "l", "l", "LEFT", "LEFT", 5),
        ("BLMOVE", "a", "b", "LEFT", "LEFT", 5),
        ("BRPOPLPUSH", "l", "m", 5),
        ("BLMPOP", 5, 3, "a", "b", "c", "LEFT"),
        ("BZPOPMIN", "z", "y", "x", 5),
        ("BZMPOP", 5, 1, "z", "MIN"),
        ("XREAD", "BLOCK", 5000, "STREAMS", "s", "$"),
        ("XREAD", "BLOCK", 5000, "STREAMS", "s", "t", "u", "$", "$", "$"),
    ],
    ids=lambda words: "-".join(map(str, words)),
)
def test_blocking_timeouts(do: Transcript, clock: Clock, block: Block, words: tuple[Any, ...]) -> None:
    clock.freeze_at(MOMENT)
    waiting = block(*words)
    clock("SET", MOMENT + 5000)
    assert at_hand(waiting) == b""
    clock("SET", MOMENT + 5001)
    assert at_hand(waiting) == no_reply_in(do.protocol)
    assert waiting.call("PING") == "PONG"


def test_who_waits_keeps_his_time_when_the_clock_is_set_back(do: Transcript, clock: Clock, block: Block) -> None:
    clock.freeze_at(MOMENT)
    one, several = block("BLPOP", "l", 10), block("BLPOP", "a", "b", "c", "d", 10)
    clock("ADVANCE", 4 * SECOND)
    clock("SET", MOMENT - YEAR)
    clock("ADVANCE", 5 * SECOND)
    assert at_hand(one) == at_hand(several) == b""
    clock("ADVANCE", SECOND)
    assert at_hand(one) == at_hand(several) == no_reply_in(do.protocol)


def test_who_waits_for_ever_waits(do: Transcript, clock: Clock, block: Block) -> None:
    waiting = block("BLPOP", "l", 0)
    clock("ADVANCE", 50 * YEAR)
    assert at_hand(waiting) == b""
    do("RPUSH", "l", "x")
    assert waiting.read() == [b"l", b"x"]


def test_deadlines_of_keys_stay_where_they_are(do: Transcript, clock: Clock) -> None:
    clock.freeze_at(MOMENT)
    do("SET", "k", "v", "PX", 1000)
    clock("SET", MOMENT - YEAR)
    assert do("PTTL", "k") == YEAR + 1000
    clock("SET", MOMENT + 999)
    assert do("PTTL", "k") == 1
    clock("ADVANCE", 1)
    assert do("DBSIZE") == 0


def test_keys_expire_actively_after_the_clock_went_back(do: Transcript, clock: Clock) -> None:
    """The pause between two ticks does not end in a far future."""
    clock.freeze_at(MOMENT)
    do("SET", "k", "v", "PX", 1)
    clock("ADVANCE", 1)  # a tick
    clock("SET", MOMENT - YEAR)
    clock("RESUME")
    do("SET", "k", "v", "PX", 20)
    assert eventually(lambda: do("DBSIZE") == 0, within=5)


def test_stream_ids(do: Transcript, clock: Clock) -> None:
    clock.freeze_at(MOMENT)
    assert do("XADD", "s", "*", "f", "v") == b"%d-0" % MOMENT
    assert do("XADD", "s", "*", "f", "v") == b"%d-1" % MOMENT
    clock("SET", MOMENT + 5000)
    assert do("XADD", "s", "*", "f", "v") == b"%d-0" % (MOMENT + 5000)
    clock("SET", MOMENT)  # ids go on from the last one, as in Redis
    assert do("XADD", "s", "*", "f", "v") == b"%d-1" % (MOMENT + 5000)
    now = do("EVAL", "local t = redis.call('TIME') return t[1] * 1000", 0)
    assert do("XADD", "s", "MINID", now + 5000, MOMENT + 9000, "f", "v") is not None
    assert do("XLEN", "s") == 3


def test_pending_entries_are_idle(do: Transcript, clock: Clock) -> None:
    clock.freeze_at(MOMENT)
    do("XGROUP", "CREATE", "s", "g", "0", "MKSTREAM")
    do("XADD", "s", "1-1", "f", "v")
    do("XREADGROUP", "GROUP", "g", "c", "STREAMS", "s", ">")
    clock("SET", MOMENT + 5000)
    assert do("XPENDING", "s", "g", "-", "+", 10) == [[b"1-1", b"c", 5000, 1]]
    assert do("XPENDING", "s", "g", "IDLE", 5001, "-", "+", 10) == []
    assert do("XCLAIM", "s", "g", "d", 5001, "1-1") == []
    assert do("XAUTOCLAIM", "s", "g", "d", 5001, "-")[1] == []
    (consumer,) = map(do.as_map, do("XINFO", "CONSUMERS", "s", "g")[:1])
    assert consumer[b"idle"] == consumer[b"inactive"] == 5000
    clock("SET", MOMENT - 5000)
    assert do("XPENDING", "s", "g", "-", "+", 10) == [[b"1-1", b"c", 0, 1]]
    clock("SET", MOMENT + 6000)
    assert do("XAUTOCLAIM", "s", "g", "d", 6000, "-")[1] == [[b"1-1", [b"f", b"v"]]]
    assert do("XPENDING", "s", "g", "-", "+", 10) == [[b"1-1", b"d", 0, 2]]


def test_idle_times_of_keys(do: Transcript, clock: Clock) -> None:
    clock.freeze_at(MOMENT)
    do("SET", "k", "v")
    clock("SET", MOMENT + 7 * SECOND)
    assert do("OBJECT", "IDLETIME", "k") == 7
    clock("SET", MOMENT - 7 * SECOND)
    assert do("OBJECT", "IDLETIME", "k") == 0


def test_scripts(do: Transcript, clock: Clock) -> None:
    """They have their own microsecond, as anywhere, and no time passes in them."""
    clock.freeze_at(MOMENT)
    assert do("EVAL", "return redis.call('TIME')[1]", 0) == str(MOMENT // 1000).encode()
    expire = """
        redis.call('SET', KEYS[1], 'v', 'PX', 10)
        return {redis.call('PTTL', KEYS[1]), redis.call('PEXPIRETIME', KEYS[1])}
    """
    assert do("EVAL", expire, 1, "k") == [10, MOMENT + 10]
    clock("ADVANCE", 10)
    assert do("EVAL", "return redis.call('EXISTS', KEYS[1])", 1, "k") == 0
    assert do("EVAL", "return redis.call('EXISTS', ARGV[1])", 0, "k") == 0


def test_a_watched_key_that_expires(do: Transcript, clock: Clock, connect: Connect) -> None:
    clock("FREEZE")
    do("SET", "k", "v", "PX", 10)
    watching = connect()
    watching.pipeline(("WATCH", "k"), ("MULTI",), ("SET", "other", 1))
    clock("ADVANCE", 10)
    assert watching.call("EXEC") is None


def test_all_shards_see_one_time(do: Transcript, clock: Clock) -> None:
    clock.freeze_at(MOMENT)
    transaction = [("XADD", f"s{number}", "*", "f", "v") for number in range(20)]
    assert do.transaction(*transaction) == [b"%d-0" % MOMENT] * 20
    assert [do("XADD", f"t{number}", "*", "f", "v") for number in range(20)] == [b"%d-0" % MOMENT] * 20


def test_a_pause_ends_and_those_who_were_held_go_first(do: Transcript, clock: Clock, connect: Connect) -> None:
    """Those over several shards, too."""
    clock("FREEZE")
    held, transaction = connect(), connect()
    do("CLIENT", "PAUSE", 10_000)
    held.send_raw(b"SET k 1\r\n")
    transaction.send_raw(b"MULTI\r\nMSET a 1 b 1 c 1\r\nRENAME a d\r\nEXEC\r\n")
    clock("ADVANCE", 9_999 - 1)
    assert at_hand(held) == at_hand(transaction) == b""
    clock("ADVANCE", 1)
    assert at_hand(held) == b"+OK\r\n"
    assert at_hand(transaction) == b"+OK\r\n+QUEUED\r\n+QUEUED\r\n*2\r\n+OK\r\n+OK\r\n"
    assert do("MGET", "k", "d") == [b"1", b"1"]


def test_a_pause_is_as_long_after_the_clock_went_back(do: Transcript, clock: Clock, connect: Connect) -> None:
    clock.freeze_at(MOMENT)
    do("CLIENT", "PAUSE", 10_000, "WRITE")
    clock("ADVANCE", 6000)
    clock("SET", MOMENT - YEAR)
    do("CLIENT", "PAUSE", 1000, "WRITE")  # what is left of the other one is longer
    held = connect()
    held.send("SET", "k", 1)
    clock("ADVANCE", 3000)
    assert at_hand(held) == b""
    clock("ADVANCE", 1000)
    assert at_hand(held) == b"+OK\r\n"


def test_what_expires_during_a_pause_goes_with_its_end(do: Transcript, clock: Clock, connect: Connect) -> None:
    do("CONFIG", "SET", "notify-keyspace-events", "Ex")
    listener = connect()
    listener.call("SUBSCRIBE", "__keyevent@0__:expired")
    clock("FREEZE")
    do("SET", "k", "v", "PX", 10)
    do("CLIENT", "PAUSE", 1000, "WRITE")
    clock("ADVANCE", 100)
    assert at_hand(listener) == b""
    clock("ADVANCE", 1000)
    assert at_hand(listener).endswith(b"$1\r\nk\r\n")


def test_clients_age_and_idle(do: Transcript, clock: Clock, connect: Connect) -> None:
    clock.freeze_at(MOMENT)
    other = connect()
    number = other.call("CLIENT", "ID")
    clock("SET", MOMENT + 50 * SECOND)
    fields = client_fields(do, number)
    assert (fields["age"], fields["idle"]) == ("50", "50")
    clock("SET", MOMENT - YEAR)
    fields = client_fields(do, number)
    assert (fields["age"], fields["idle"]) == ("50", "50")
    do("RESPCACHE", "RESET")
    assert int(client_fields(do, number)["idle"]) < 600


def test_idle_clients_are_disconnected(do: Transcript, clock: Clock, connect: Connect) -> None:
    do("CONFIG", "SET", "timeout", 100)
    clock("FREEZE")
    idle, subscribed = connect(), connect()
    idle.call("PING")
    subscribed.call("SUBSCRIBE", "c")
    clock("ADVANCE", 99 * SECOND)
    assert idle.call("PING") == "PONG"
    clock("SET", clock("GET") - YEAR)
    clock("ADVANCE", 99 * SECOND)
    assert not hung_up(idle)
    clock("ADVANCE", 3 * SECOND)
    assert hung_up(idle)
    assert not hung_up(subscribed)


def test_the_soft_output_limit(do: Transcript, clock: Clock, connect: Connect) -> None:
    do("CONFIG", "SET", "client-output-buffer-limit", "pubsub 0 1000 60")
    clock("FREEZE")
    lazy = connect()
    lazy.call("SUBSCRIBE", "c")
    while "omem=0 " in str(do("CLIENT", "LIST", "TYPE", "pubsub")):
        do("PUBLISH", "c", "x" * 100_000)
    clock("ADVANCE", 59 * SECOND)
    assert do("PUBSUB", "NUMSUB", "c")[1] == 1
    clock("ADVANCE", SECOND)
    assert do("PUBSUB", "NUMSUB", "c")[1] == 0


def test_uptime_follows_and_rates_do_not(do: Transcript, clock: Clock) -> None:
    """The rates tell what the machine does."""
    before = int(info(do, "server", "uptime_in_seconds"))
    clock("FREEZE")
    clock("ADVANCE", 100_000 * SECOND)
    assert 100_000 <= int(info(do, "server", "uptime_in_seconds")) - before < 100_600
    clock("SET", MOMENT - 20 * YEAR)
    assert 100_000 <= int(info(do, "server", "uptime_in_seconds")) - before < 100_600
    for _ in range(50):
        do("PING")
        clock("ADVANCE", 1000)
    assert int(info(do, "stats", "instantaneous_ops_per_sec")) >= 30
    do("RESPCACHE", "RESET")
    assert 0 <= int(info(do, "server", "uptime_in_seconds")) < 100_000


# -- order


def test_it_takes_its_place_in_a_pipeline(do: Transcript, clock: Clock) -> None:
    """What was sent before it happens before it, at the time before it."""
    clock.freeze_at(MOMENT)
    replies = do.connection.pipeline(
        ("SET", "k", "v", "PX", 100),
        ("XADD", "s", "*", "f", "v"),
        ("RESPCACHE", "CLOCK", "ADVANCE", 100),
        ("EXISTS", "k"),
        ("SET", "k", "v", "PX", 100),
        ("MSET", "a", 1, "b", 1, "c", 1),
        ("RESPCACHE", "CLOCK", "ADVANCE", 99),
        ("EXISTS", "k"),
        ("RESPCACHE", "CLOCK", "SET", MOMENT),
        ("TIME",),
    )
    assert replies == [
        "OK",
        b"%d-0" % MOMENT,
        MOMENT + 101,
        0,
        "OK",
        "OK",
        MOMENT + 201,
        1,
        MOMENT,
        [b"%d" % (MOMENT // 1000), b"0"],
    ]


def test_from_several_connections_at_once(do: Transcript, clock: Clock, connect: Connect) -> None:
    """Each adds to the others'."""
    clock.freeze_at(MOMENT)
    others = [connect() for _ in range(10)]
    for other in others:
        for _ in range(10):
            other.send("RESPCACHE", "CLOCK", "ADVANCE", 99)
    assert max(other.read() for other in others for _ in range(10)) == MOMENT + 100 * 100
    assert clock("GET") == MOMENT + 100 * 100


def test_reset_takes_everything_back(do: Transcript, clock: Clock, block: Block) -> None:
    before = clock("GET")
    waiting = block("BLPOP", "l", 1000)
    for moment in (MOMENT + 10 * YEAR, 1):
        clock.freeze_at(moment)
        do("RESPCACHE", "RESET")
        assert before <= clock("GET") < before + 600 * SECOND
        assert eventually(lambda: clock("GET") > before)
        do("SET", "k", "v", "PX", 10)
        assert eventually(lambda: do("DBSIZE") == 0)
    assert at_hand(waiting) == no_reply_in(do.protocol)
    waiting = block("BLPOP", "l", 1000, on=waiting)
    clock.freeze_at(1)
    do("RESPCACHE", "RESET")  # time goes forward by that, but has not passed
    assert at_hand(waiting) == b""
    clock("ADVANCE", 1000 * SECOND)
    assert at_hand(waiting) == no_reply_in(do.protocol)
