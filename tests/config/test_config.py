"""The configuration as an object: CONFIG GET and SET, and notification of changes."""

from __future__ import annotations

from pathlib import Path

import pytest

from respcache.config import Config
from respcache.config.directives import DIRECTIVES
from respcache.config.kinds import BadValue
from respcache.errors import CommandError
from respcache.store.shard import Shard

FAILED = "ERR CONFIG SET failed (possibly related to argument '{}') - {}"


@pytest.fixture
def config() -> Config:
    return Config()


def refusal(config: Config, *pairs: tuple[bytes, bytes]) -> str:
    with pytest.raises(CommandError) as refused:
        config.set(pairs)
    return str(refused.value)


def test_hidden_directives_are_shown_by_their_full_name_only(config: Config) -> None:
    listed = config.get([b"*"])
    for name in (b"respcache-ready-fd", b"respcache-http", b"aof-disable-auto-gc", b"key-load-delay"):
        assert name not in listed
        assert config.get([name.replace(b"k", b"[k]").replace(b"a", b"?")]) == {}
        assert set(config.get([name])) == {name}
    assert {b"port", b"shards", b"slaveof", b"bio_cpulist"} <= set(listed)


def test_an_alias_is_not_a_duplicate_and_the_last_value_counts(config: Config) -> None:
    config.set([(b"hash-max-listpack-entries", b"10"), (b"hash-max-ziplist-entries", b"20")])
    assert config.hash_max_listpack_entries == 20
    config.set([(b"hash-max-ziplist-entries", b"30"), (b"hash-max-listpack-entries", b"40")])
    assert config.hash_max_listpack_entries == 40
    assert refusal(config, (b"timeout", b"1"), (b"TIMEOUT", b"2")) == FAILED.format("TIMEOUT", "duplicate parameter")
    pairs = [(b"hash-max-listpack-entries", b"1"), (b"hash-max-ziplist-entries", b"x")]
    assert "'hash-max-ziplist-entries'" in refusal(config, *pairs)
    assert config.hash_max_listpack_entries == 40


def test_directives_fixed_at_the_start(config: Config) -> None:
    immutable = "can't set immutable config"
    config.set([(b"shards", b"%d" % config.shards)])
    assert refusal(config, (b"SHARDS", b"63")) == FAILED.format("shards", immutable)
    assert config.shards != 63
    # As in Redis, not even the current value is accepted.
    assert refusal(config, (b"Databases", b"16")) == FAILED.format("Databases", immutable)


def test_what_may_be_changed_of_the_http_door(config: Config) -> None:
    immutable = "can't set immutable config"
    fixed = ((b"http-port", b"80"), (b"metrics-port", b"80"), (b"http-dialect", b"seed"), (b"respcache-http", b"yes"))
    for name, value in fixed:
        assert refusal(config, (name, value)) == FAILED.format(name.decode(), immutable)
    config.set([(b"http-allow-origin", b"https://a.example http://localhost:3000"), (b"http-blocking-limit", b"5")])
    config.set([(b"http-request-timeout", b"0")])
    assert config.http_allow_origin == ["https://a.example", "http://localhost:3000"]
    assert config.get([b"http-[abr]*"]) == {
        b"http-allow-origin": b"https://a.example http://localhost:3000",
        b"http-blocking-limit": b"5",
        b"http-request-timeout": b"0",
    }
    config.set([(b"http-allow-origin", b"")])
    assert config.http_allow_origin == []
    config.put("http-dialect", ["SEED"])
    assert config.http_dialect == "seed"
    with pytest.raises(BadValue):
        config.put("http-dialect", ["webdis"])


def test_an_invalid_value_is_reported_with_the_name_of_its_directive(config: Config) -> None:
    """`redis-cli config set TIMEOUT abc`"""
    assert refusal(config, (b"TIMEOUT", b"abc")) == FAILED.format(
        "timeout", "argument couldn't be parsed into an integer"
    )


class TestListeners:
    """Callbacks for changes."""

    def test_once_per_command(self, config: Config) -> None:
        told: list[tuple[int, int]] = []
        config.on_change(["timeout", "maxclients"], lambda: told.append((config.timeout, config.maxclients)))
        config.set([(b"timeout", b"1"), (b"maxclients", b"2"), (b"hz", b"20")])
        config.set([(b"hz", b"10")])
        assert told == [(1, 2)]

    def test_not_called_if_the_command_fails(self, config: Config) -> None:
        told: list[int] = []
        config.on_change("timeout", lambda: told.append(config.timeout))
        refusal(config, (b"timeout", b"1"), (b"hz", b"x"))
        assert told == []
        assert config.timeout == 0

    def test_a_check_may_refuse(self, config: Config) -> None:
        told: list[int] = []

        def check() -> None:
            if config.maxclients > 100:
                raise BadValue("too many")

        config.on_change("maxclients", lambda: told.append(config.maxclients))
        config.add_check("maxclients", check)
        assert refusal(config, (b"timeout", b"7"), (b"maxclients", b"101")) == FAILED.format("maxclients", "too many")
        assert (config.timeout, config.maxclients) == (0, 10_000)
        config.set([(b"maxclients", b"100")])
        assert told == [100]

    def test_a_bug_in_a_check_changes_nothing(self, config: Config) -> None:
        def check() -> None:
            raise ZeroDivisionError

        config.add_check("maxclients", check)
        with pytest.raises(ZeroDivisionError):
            config.set([(b"timeout", b"7"), (b"maxclients", b"101")])
        assert (config.timeout, config.maxclients) == (0, 10_000)

    def test_unknown_names(self, config: Config) -> None:
        with pytest.raises(KeyError):
            config.on_change("nosuch", lambda: None)


class TestShards:
    """The values that shards get."""

    def test_values_by_attribute(self, config: Config) -> None:
        config.set([(b"set-max-intset-entries", b"7"), (b"notify-keyspace-events", b"KEA")])
        values = config.shard_values()
        assert values["set_max_intset_entries"] == 7
        assert values["notify_keyspace_events"] == config.notify_keyspace_events
        assert "timeout" not in values

    def test_all_limits_of_a_shard_are_declared(self, config: Config) -> None:
        assert set(config.shard_values()) - {
            "notify_keyspace_events",
            "latency_monitor_threshold",
            "latency_tracking",
            "slowlog_log_slower_than",
            "loglevel",
            "logfile",
            "busy_reply_threshold",
            "lfu_decay_time",
            "lfu_log_factor",
            "lint",
            "maxmemory_policy",
            "tracking_table_max_keys",
            *("syslog_enabled", "syslog_facility", "syslog_ident"),
        } == set(Shard(16).limits.__slots__) - {"skip_checksum_validation"}  # of DEBUG, no directive

    def test_called_once_per_command_and_only_for_values_of_shards(self, config: Config) -> None:
        told: list[int] = []
        config.on_shard_change(lambda: told.append(config.shard_values()["hash_max_listpack_entries"]))
        config.set([(b"timeout", b"1")])
        config.set([(b"hash-max-ziplist-entries", b"5"), (b"hash-max-listpack-value", b"6")])
        assert told == [5]


class TestApplying:
    """What can be known only by doing it."""

    @pytest.fixture
    def applied(self, config: Config) -> list[tuple[object, ...]]:
        """What was applied: the directive that was changed first, and the values."""
        found: list[tuple[object, ...]] = []

        def apply(name: str) -> None:
            if config.port == 13:
                raise BadValue("unlucky")
            found.append((name, config.port, *config.bind))

        config.apply_by(["port", "bind"], apply)
        return found

    def test_once_for_each_command(self, config: Config, applied: list[tuple[object, ...]]) -> None:
        config.set([(b"timeout", b"1"), (b"bind", b"::1"), (b"port", b"1")])
        config.set([(b"port", b"2"), (b"bind", b"*")])
        assert applied == [("bind", 1, "::1"), ("port", 2, "*")]

    def test_only_for_new_values(self, config: Config, applied: list[tuple[object, ...]]) -> None:
        config.set([(b"port", b"6379"), (b"bind", b"127.0.0.1 -::1"), (b"timeout", b"1")])
        config.set([(b"port", b"6379"), (b"bind", b"::1")])
        assert applied == [("bind", 6379, "::1")]

    def test_not_if_another_value_is_wrong(self, config: Config, applied: list[tuple[object, ...]]) -> None:
        def check() -> None:
            if config.timeout == 1:
                raise BadValue("too short")

        config.add_check("timeout", check)
        assert "too short" in refusal(config, (b"port", b"1"), (b"timeout", b"1"))
        assert "integer" in refusal(config, (b"port", b"1"), (b"timeout", b"x"))
        assert applied == []

    def test_a_failure(self, config: Config, applied: list[tuple[object, ...]]) -> None:
        told: list[int] = []
        config.on_change("timeout", lambda: told.append(config.timeout))
        for pairs in [((b"timeout", b"7"), (b"PORT", b"13")), ((b"port", b"13"), (b"bind", b"*"))]:
            assert refusal(config, *pairs) == FAILED.format("port", "unlucky")
        assert (config.timeout, config.port, config.bind) == (0, 6379, ["127.0.0.1", "-::1"])
        assert applied == told == []


def test_a_value_that_the_system_has_chosen(config: Config) -> None:
    config.put("port", ["0"])
    config.settle("port", 1234)
    assert (config.port, config.show("port"), config.configured("port")) == (1234, "1234", 0)
    config.set([(b"port", b"5")])
    assert (config.port, config.configured("port")) == (5, 5)
    config.reset()
    assert (config.port, config.configured("port")) == (1234, 0)


def test_changed_directives_without_effect(config: Config) -> None:
    assert config.without_effect() == []
    config.put("appendonly", ["yes"])
    config.put("hz", ["10"])
    config.put("timeout", ["5"])
    assert config.without_effect() == ["appendonly"]


def test_directives_with_an_effect_have_a_help_text() -> None:
    assert [name for name, row in DIRECTIVES.items() if not row.unused and not row.help.endswith(".")] == []


@pytest.mark.parametrize(
    ("name", "default"),
    [("shard-queue-limit", "67108864"), ("client-output-pause", "16777216"), ("client-max-unanswered", "10000")],
)
def test_bounds(config: Config, name: str, default: str) -> None:
    assert config.show(name) == default
    if name != "client-max-unanswered":
        config.set([(name.encode(), b"3mb")])
        assert config.value(name) == 3 << 20


def test_reset_undoes_every_set(config: Config) -> None:
    config.put("maxclients", ["77"])
    config.put("client-output-buffer-limit", ["pubsub", "1mb", "2mb", "3"])
    before = {name: config.value(name) for name in DIRECTIVES}
    for value in (b"78", b"79"):
        config.set([(b"maxclients", value), (b"hz", value), (b"save", b"60 1"), (b"notify-keyspace-events", b"KEA")])
    config.set([(b"client-output-buffer-limit", b"pubsub 4 5 6 replica 1 1 1"), (b"requirepass", b"with space")])
    config.reset()
    assert {name: config.value(name) for name in DIRECTIVES} == before


def test_reset_tells_those_who_listen_to_what_was_set(config: Config) -> None:
    told: list[str] = []
    config.on_change("maxclients", lambda: told.append(f"maxclients {config.maxclients}"))
    config.on_change("timeout", lambda: told.append("timeout"))
    config.set([(b"maxclients", b"5")])
    config.reset()
    config.reset()
    assert told == ["maxclients 5", "maxclients 10000"]


def test_reset_goes_back_to_the_directory_of_the_start(
    config: Config, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    config.set([(b"dir", str(elsewhere).encode())], allow_protected=True)
    config.reset()
    assert Path.cwd() == tmp_path
