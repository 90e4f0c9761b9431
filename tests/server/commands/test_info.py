"""INFO: which fields there are, of which form and in which order; and figures that move when they should."""

from __future__ import annotations

import re

import pytest

from tests.support.resp import Connection, VerbatimText
from tests.support.transcript import Transcript

# The fields of Redis 7.2.4, as it starts, in order.
FIELDS = {
    title: names.split()
    for title, names in {
        "Server": """
            redis_version redis_git_sha1 redis_git_dirty redis_build_id redis_mode os arch_bits
            monotonic_clock multiplexing_api atomicvar_api gcc_version process_id process_supervised run_id
            tcp_port server_time_usec uptime_in_seconds uptime_in_days hz configured_hz lru_clock executable
            config_file io_threads_active listener0
        """,
        "Clients": """
            connected_clients cluster_connections maxclients client_recent_max_input_buffer
            client_recent_max_output_buffer blocked_clients tracking_clients clients_in_timeout_table
            total_blocking_keys total_blocking_keys_on_nokey
        """,
        "Memory": """
            used_memory used_memory_human used_memory_rss used_memory_rss_human used_memory_peak
            used_memory_peak_human used_memory_peak_perc used_memory_overhead used_memory_startup
            used_memory_dataset used_memory_dataset_perc allocator_allocated allocator_active
            allocator_resident total_system_memory total_system_memory_human used_memory_lua
            used_memory_vm_eval used_memory_lua_human used_memory_scripts_eval number_of_cached_scripts
            number_of_functions number_of_libraries used_memory_vm_functions used_memory_vm_total
            used_memory_vm_total_human used_memory_functions used_memory_scripts used_memory_scripts_human
            maxmemory maxmemory_human maxmemory_policy allocator_frag_ratio allocator_frag_bytes
            allocator_rss_ratio allocator_rss_bytes rss_overhead_ratio rss_overhead_bytes
            mem_fragmentation_ratio mem_fragmentation_bytes mem_not_counted_for_evict mem_replication_backlog
            mem_total_replication_buffers mem_clients_slaves mem_clients_normal mem_cluster_links
            mem_aof_buffer mem_allocator active_defrag_running lazyfree_pending_objects lazyfreed_objects
        """,
        "Persistence": """
            loading async_loading current_cow_peak current_cow_size current_cow_size_age current_fork_perc
            current_save_keys_processed current_save_keys_total rdb_changes_since_last_save
            rdb_bgsave_in_progress rdb_last_save_time rdb_last_bgsave_status rdb_last_bgsave_time_sec
            rdb_current_bgsave_time_sec rdb_saves rdb_last_cow_size rdb_last_load_keys_expired
            rdb_last_load_keys_loaded aof_enabled aof_rewrite_in_progress aof_rewrite_scheduled
            aof_last_rewrite_time_sec aof_current_rewrite_time_sec aof_last_bgrewrite_status aof_rewrites
            aof_rewrites_consecutive_failures aof_last_write_status aof_last_cow_size module_fork_in_progress
            module_fork_last_cow_size
        """,
        "Stats": """
            total_connections_received total_commands_processed instantaneous_ops_per_sec
            total_net_input_bytes total_net_output_bytes total_net_repl_input_bytes
            total_net_repl_output_bytes instantaneous_input_kbps instantaneous_output_kbps
            instantaneous_input_repl_kbps instantaneous_output_repl_kbps rejected_connections sync_full
            sync_partial_ok sync_partial_err expired_keys expired_stale_perc expired_time_cap_reached_count
            expire_cycle_cpu_milliseconds evicted_keys evicted_clients total_eviction_exceeded_time
            current_eviction_exceeded_time keyspace_hits keyspace_misses pubsub_channels pubsub_patterns
            pubsubshard_channels latest_fork_usec total_forks migrate_cached_sockets
            slave_expires_tracked_keys active_defrag_hits active_defrag_misses active_defrag_key_hits
            active_defrag_key_misses total_active_defrag_time current_active_defrag_time tracking_total_keys
            tracking_total_items tracking_total_prefixes unexpected_error_replies total_error_replies
            dump_payload_sanitizations total_reads_processed total_writes_processed
            io_threaded_reads_processed io_threaded_writes_processed reply_buffer_shrinks reply_buffer_expands
            eventloop_cycles eventloop_duration_sum eventloop_duration_cmd_sum
            instantaneous_eventloop_cycles_per_sec instantaneous_eventloop_duration_usec
            acl_access_denied_auth acl_access_denied_cmd acl_access_denied_key acl_access_denied_channel
        """,
        "Replication": """
            role connected_slaves master_failover_state master_replid master_replid2 master_repl_offset
            second_repl_offset repl_backlog_active repl_backlog_size repl_backlog_first_byte_offset
            repl_backlog_histlen
        """,
        "CPU": """
            used_cpu_sys used_cpu_user used_cpu_sys_children used_cpu_user_children used_cpu_sys_main_thread
            used_cpu_user_main_thread
        """,
    }.items()
}
SINCE_7_2 = {
    "listener0", "total_blocking_keys", "total_blocking_keys_on_nokey", "eventloop_cycles", "eventloop_duration_sum",
    "eventloop_duration_cmd_sum", "instantaneous_eventloop_cycles_per_sec", "instantaneous_eventloop_duration_usec",
    "acl_access_denied_auth", "acl_access_denied_cmd", "acl_access_denied_key", "acl_access_denied_channel",
}  # fmt: skip
OUR_OWN = {"respcache_version", "python_version"}

# Every field is an integer but these.
FORMS = {
    r"\d+\.\d\d": "instantaneous_input_kbps instantaneous_output_kbps instantaneous_input_repl_kbps "
    "instantaneous_output_repl_kbps allocator_frag_ratio allocator_rss_ratio rss_overhead_ratio "
    "mem_fragmentation_ratio current_fork_perc expired_stale_perc",
    r"\d+\.\d{6}": "used_cpu_sys used_cpu_user used_cpu_sys_children used_cpu_user_children used_cpu_sys_main_thread "
    "used_cpu_user_main_thread",
    r"\d+\.\d\d%": "used_memory_peak_perc used_memory_dataset_perc",
    r"\d+B|\d+\.\d\d[KMGTP]": "used_memory_human used_memory_rss_human used_memory_peak_human maxmemory_human "
    "total_system_memory_human used_memory_lua_human used_memory_vm_total_human used_memory_scripts_human",
    r"\d+\.\d+\.\d+": "redis_version gcc_version",
    r"[0-9a-f]+": "redis_git_sha1 redis_build_id",
    r"[0-9a-f]{40}": "run_id master_replid master_replid2",
    r"[a-z]+": "redis_mode multiplexing_api process_supervised maxmemory_policy role rdb_last_bgsave_status "
    "aof_last_bgrewrite_status aof_last_write_status",
    r".+": "os executable monotonic_clock atomicvar_api mem_allocator master_failover_state",
    r".*": "config_file",
    r"name=tcp(,bind=[^,]+)+,port=\d+": "listener0",
}
FORM = {name: form for form, names in FORMS.items() for name in names.split()}

TITLES = [*FIELDS, "Modules", "Errorstats", "Cluster", "Keyspace"]
# With those that are not shown by default.
ALL_TITLES = [*FIELDS, "Modules", "Commandstats", "Errorstats", "Latencystats", "Cluster", "Keyspace"]


def info(do: Transcript, *sections: str) -> dict[str, str]:
    """The fields of INFO. Also checks the type of the reply."""
    reply = do("INFO", *sections)
    assert isinstance(reply, VerbatimText if do.protocol == 3 else bytes)
    text = str(reply).removeprefix("txt:") if do.protocol == 3 else reply.decode()
    return dict(line.split(":", 1) for line in text.split("\r\n") if line and not line.startswith("#"))


# -- INFO


def text(do: Transcript, *sections: str) -> str:
    """INFO as it is printed."""
    reply = do("INFO", *sections)
    return str(reply).removeprefix("txt:") if do.protocol == 3 else bytes(reply).decode()


def titles(do: Transcript, *sections: str) -> list[str]:
    """The sections that INFO prints; those that newer servers have, and those that respcache has not, left out."""
    return [title for title in re.findall(r"^# (\w+)\r$", text(do, *sections), re.M) if title in ALL_TITLES]


# -- fields and sections


@pytest.mark.parametrize("title", FIELDS)
def test_fields(do: Transcript, title: str) -> None:
    found = {name: value for name, value in info(do, title).items() if name not in OUR_OWN}
    version = do.server.version[:2]
    expected = [name for name in FIELDS[title] if version >= (7, 2) or name not in SINCE_7_2]
    assert [name for name in found if name in FIELDS[title] or version <= (7, 2)] == expected
    for name in expected:
        assert re.fullmatch(FORM.get(name, r"-?\d+"), found[name]), f"{name}:{found[name]}"


def test_sections(do: Transcript) -> None:
    for words in ((), ("default",), ("nosuch", "Default")):
        assert titles(do, *words) == TITLES
    for words in (("all",), ("everything",), ("ALL", "server"), ("default", "latencystats", "commandstats")):
        assert titles(do, *words) == ALL_TITLES
    assert titles(do, "CPU", "server", "cpu", "nosuch") == ["Server", "CPU"]
    assert titles(do, "modules") == titles(do, "module_list") == ["Modules"]
    assert text(do, "nosuch") == ""
    assert text(do, "cluster") == "# Cluster\r\ncluster_enabled:0\r\n"
    assert text(do, "keyspace", "cluster") == "# Cluster\r\ncluster_enabled:0\r\n\r\n# Keyspace\r\n"


@pytest.mark.respcache_only("the section is its own")
def test_section_of_the_shards(do: Transcript) -> None:
    """It is shown where a module's sections are."""
    for words in (("shards",), ("modules",), ("everything",)):
        assert "# Shards\r\nshards:" in text(do, *words)
    for words in ((), ("all",), ("default",)):
        assert "# Shards" not in text(do, *words)


# -- figures


def test_info_counts_what_happens(do: Transcript) -> None:
    do("CONFIG", "RESETSTAT")
    do("SET", "k", "v")
    do("GET", "k")
    do("GET", "none")
    do.error("LPUSH", "k", "v")
    do.error("NOSUCH")
    stats = info(do, "stats", "errorstats")
    assert (stats["keyspace_hits"], stats["keyspace_misses"]) == ("1", "1")
    assert stats["total_error_replies"] == "2"
    assert (stats["errorstat_WRONGTYPE"], stats["errorstat_ERR"]) == ("count=1", "count=1")
    assert int(stats["total_commands_processed"]) >= 5
    assert int(stats["total_net_input_bytes"]) > 100


@pytest.mark.parametrize(
    ("commands", "carried_out"),
    [
        ("GET a|MGET a b c|NOPE|GET|SCAN 0", 3),
        ("MULTI|GET a|SET b 1|EXEC", 4),
        ("MULTI|GET a|DISCARD", 2),
        ("MULTI|GET|EXEC", 2),
        ("EVAL redis.call('GET','a')return{redis.call('DBSIZE')} 0", 3),
        ("BLPOP l 0.01", 1),
    ],
)
def test_commands_that_were_carried_out(
    do: Transcript, connect: type[Connection], commands: str, carried_out: int
) -> None:
    other = connect()
    before = int(info(do, "stats")["total_commands_processed"])
    for words in commands.split("|"):
        other.call(*words.split())
    assert int(info(do, "stats")["total_commands_processed"]) - before - 1 == carried_out  # without INFO


def test_info_counts_errors_inside_transactions(do: Transcript) -> None:
    do("CONFIG", "RESETSTAT")
    do("RPUSH", "l", "a")
    do("MULTI")
    for words in (("INCR", "l"), ("SELECT", 99), ("SET", "k", "v", "NOSUCH"), ("CONFIG", "SET", "hz", "x")):
        do(*words)
    do("EXEC")
    stats = info(do, "errorstats")
    assert (stats["errorstat_WRONGTYPE"], stats["errorstat_ERR"]) == ("count=1", "count=3")


def test_info_keyspace(do: Transcript) -> None:
    assert info(do, "keyspace") == {}
    for n in range(10):
        do("SET", f"k{n}", n)
    do("EXPIRE", "k1", 1000)
    do("SELECT", 3)
    do("SET", "k", "v")
    found = info(do, "keyspace")
    assert set(found) == {"db0", "db3"}
    assert found["db0"].startswith("keys=10,expires=1,avg_ttl=")
    # A genuine server updates this estimate from time to time, and reports 0 at first.
    assert 0 <= int(found["db0"].split(",")[2].partition("=")[2]) <= 1_000_000
    assert found["db3"].startswith("keys=1,expires=0,avg_ttl=0")


def test_info_counts_clients(do: Transcript, connect: type[Connection]) -> None:
    before = int(info(do, "clients")["connected_clients"])
    connect().call("PING")  # type: ignore[call-arg]  # the fixture has the port already
    assert int(info(do, "clients")["connected_clients"]) == before + 1


def test_resetstat_sets_the_counters_back(do: Transcript) -> None:
    do("SET", "k", "x" * 10_000)
    do("GET", "k")
    before = info(do, "stats")
    assert min(int(before["total_net_input_bytes"]), int(before["total_net_output_bytes"])) > 10_000
    do("CONFIG", "RESETSTAT")
    after = info(do, "stats")
    assert max(int(after["total_net_input_bytes"]), int(after["total_net_output_bytes"])) < 5000
    for name in ("total_commands_processed", "total_reads_processed", "total_writes_processed"):
        assert int(after[name]) < 10


def test_reads_and_writes(do: Transcript) -> None:
    before = info(do, "stats")
    for _ in range(20):
        do("PING")
    after = info(do, "stats")
    for name in ("total_reads_processed", "total_writes_processed"):
        assert int(after[name]) - int(before[name]) in range(20, 25)


@pytest.mark.respcache_only("time is shifted")
def test_rates(do: Transcript) -> None:
    def rates() -> tuple[int, float, float]:
        stats = info(do, "stats")
        names = "instantaneous_ops_per_sec", "instantaneous_input_kbps", "instantaneous_output_kbps"
        return int(stats[names[0]]), float(stats[names[1]]), float(stats[names[2]])

    do("CONFIG", "RESETSTAT")
    for _ in range(100):
        do("ECHO", "x" * 1000)
    commands, received, sent = rates()
    assert commands in range(1, 64)
    assert 0 < received < 70
    assert 0 < sent < 70
    do.advance(2000)  # rates are of real time, of which none has passed
    assert rates()[0] in range(1, 70)


@pytest.mark.since("7.2")
def test_refused_logins_are_counted(do: Transcript) -> None:
    before = int(info(do, "stats")["acl_access_denied_auth"])
    assert do.error("AUTH", "nobody", "x").startswith("WRONGPASS")
    assert int(info(do, "stats")["acl_access_denied_auth"]) == before + 1


@pytest.mark.since("7.2")
def test_cycles_of_the_event_loop(do: Transcript) -> None:
    before = info(do, "stats")
    for _ in range(20):
        do("PING")
    after = info(do, "stats")
    assert int(after["eventloop_cycles"]) - int(before["eventloop_cycles"]) >= 20
    assert int(after["eventloop_duration_sum"]) > int(before["eventloop_duration_sum"])


def test_memory_adds_up(do: Transcript) -> None:
    def memory() -> tuple[int, ...]:
        fields = info(do, "memory")
        return tuple(int(fields[f"used_memory{name}"]) for name in ("", "_overhead", "_dataset", "_peak", "_startup"))

    used, overhead, dataset, peak, startup = memory()
    assert 0 < startup <= peak
    assert used <= peak
    assert used == overhead + dataset
    for number in range(20):
        do("SET", f"k{number}", str(number) * 100_000)
    used, overhead, more, peak, _ = memory()
    assert used <= peak
    assert used == overhead + more
    assert more - dataset > 2_000_000
    fields = info(do, "memory")
    assert 0 < float(fields["used_memory_dataset_perc"].rstrip("%")) <= 100
    assert int(fields["total_system_memory"]) > used


def test_processor_time(do: Transcript) -> None:
    used = {name: float(value) for name, value in info(do, "cpu").items()}
    assert used["used_cpu_user"] > 0
    # Linux tells the sum exactly, and guesses how it divides into user and system time.
    whole = used["used_cpu_user"] + used["used_cpu_sys"]
    assert whole + 0.01 >= used["used_cpu_user_main_thread"] + used["used_cpu_sys_main_thread"]


def test_errors_are_in_alphabetical_order(do: Transcript) -> None:
    do("CONFIG", "RESETSTAT")
    do("SET", "k", "v")
    do.error("LPUSH", "k", "v")
    do.error("NOSUCH")
    assert list(info(do, "errorstats")) == ["errorstat_ERR", "errorstat_WRONGTYPE"]


def test_info_in_a_transaction(do: Transcript) -> None:
    done = do.transaction(("SET", "k", "v"), ("INFO", "keyspace"))
    assert done is not None
    assert "db0:keys=1" in str(done[1])
