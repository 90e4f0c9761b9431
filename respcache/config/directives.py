"""The table of directives: every name that redis-server 7.2 knows, and respcache's own.

One `Directive` is one name with its kind of value and its default. Directives without a meaning here (yet) are marked
`unused`. They are checked, kept, and shown by CONFIG GET all the same, so that an existing redis.conf, or a test
harness that sets them, works; at start-up a warning names those that were changed.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

from respcache.config.cores import default_shards, usable_cores
from respcache.config.kinds import (
    Addresses,
    Choice,
    Choices,
    Directory,
    EventClasses,
    Kind,
    Memory,
    MemoryOrPercent,
    Number,
    OctalNumber,
    Origins,
    OutputLimits,
    Percentiles,
    SavePoints,
    Template,
    Text,
    Words,
    YesNo,
)


@dataclass(frozen=True, slots=True, eq=False)
class Directive:
    """One directive: its name, the values it accepts, and its properties."""

    name: str
    kind: Kind
    default: Any
    # CONFIG SET refuses it, as Redis does.
    fixed: bool = False
    # One of our own that takes effect only at start-up. CONFIG SET accepts the current value, so that what CONFIG GET
    # has shown can be set again.
    starting: bool = False
    # CONFIG SET accepts it only from clients that ``enable-protected-configs`` allows.
    protected: bool = False
    # A second name, from older versions.
    alias: str = ""
    # It has no effect.
    unused: bool = False
    # Shards need its value.
    shard: bool = False
    # CONFIG GET shows it only if given its full name, not a pattern.
    hidden: bool = False
    # About the process that started this one, such as a descriptor from it: CONFIG REWRITE leaves it out.
    inherited: bool = False
    # One line for `respcache --help` and docs/reference/configuration.md.
    help: str = ""

    def described(self, text: str) -> Directive:
        """The same directive with a help text."""
        return replace(self, help=text)

    @property
    def attribute(self) -> str:
        """The name of the attribute of `Config` that holds its value."""
        return self.name.replace("-", "_")

    def words(self, text: str) -> list[str]:
        """The words of a value given as one text. An empty text is one empty word, which switches `save` off."""
        return (text.split() or [""]) if self.kind.many else [text]


_INT_MAX = (1 << 31) - 1
_PORT = Number(0, 65535)
_INT = Number(0, _INT_MAX)
_LONG = Number()
_ALLOWED = Choice("no", "yes", "local")
_FACILITIES = ("user", *(f"local{number}" for number in range(8)))
# Those of `respcache.server.services.lint`.
_LINT_PROFILES = ("redis-cluster", "elasticache", "memorydb", "upstash", "azure", "memorystore")
_LINT_RULES = (
    *("blocking", "crossslot", "database", "deprecated", "eval", "flush", "keys", "large-collection", "large-reply"),
    *("large-value", "missing", "n-plus-one", "no-ttl", "undeclared-key", "whole-key"),
)
_OWN = (
    Directive("shards", Number(1, 64), default_shards(usable_cores()), starting=True).described(
        "The number of processes that hold the data. Default: half of the usable cores, at least 1 and at most 4."
    ),
    Directive("client-max-unanswered", Number(1), 10_000).described(
        "The maximum number of unanswered commands of one client; further ones wait."
    ),
    Directive("client-output-pause", Memory(1), 16 << 20).described(
        "A client's commands wait while more than this many bytes of replies to it are unsent."
    ),
    Directive("shard-queue-limit", Memory(1), 64 << 20).described(
        "No client is read from while more than this many bytes are queued for one shard."
    ),
    Directive("snapshot-limit", Memory(1), 1 << 30).described(
        "The maximum number of bytes that all snapshots of RESPCACHE SNAPSHOT may take, about."
    ),
    Directive("http-allow-origin", Origins(), []).described(
        "Origins whose pages may call the HTTP door from a browser (CORS), such as https://example.org, or '*' for all."
    ),
    Directive("http-blocking-limit", _LONG, 30).described(
        "Seconds after which a blocking command over HTTP gives up, as if its timeout had passed; 0 means no limit."
    ),
    Directive("http-dialect", Choice("upstash", "seed"), "upstash", starting=True).described(
        "What the HTTP door speaks: Upstash's REST API, or `seed`, which is GET /set/:key/:value and GET /get/:key."
    ),
    Directive("http-port", _PORT, 0, starting=True).described(
        "The port of the HTTP door, on the addresses of `bind`; 0 means none. It needs respcache[http]."
    ),
    Directive("http-request-timeout", _LONG, 60).described(
        "Seconds within which an HTTP request that has begun must be complete; 0 means no limit."
    ),
    Directive("lint", Choice("off", "report", "refuse"), "off", shard=True).described(
        "Find what works here and breaks or hurts in production: `report` it (RESPCACHE LINT REPORT), or `refuse` "
        "such commands, too, where that is known before they run. See docs/reference/lint.md."
    ),
    Directive("lint-large-key", _LONG, 1000).described(
        "Lint: commands that go through more elements of a key than this are found."
    ),
    Directive("lint-large-keyspace", _LONG, 0).described(
        "Lint: KEYS and FLUSHALL are found in databases of more keys than this; 0 means in any, even an empty one."
    ),
    Directive("lint-max-elements", _LONG, 10_000).described(
        "Lint: keys with more elements than this are found when they are written."
    ),
    Directive("lint-max-reply", Memory(), 1 << 20).described("Lint: replies of more bytes than this are found."),
    Directive("lint-max-value", Memory(), 1 << 20).described(
        "Lint: arguments and strings of more bytes than this are found."
    ),
    Directive("lint-profile", Choice(*_LINT_PROFILES), "redis-cluster").described(
        "Lint: what production is. What it lacks is found: " + ", ".join(f"`{name}`" for name in _LINT_PROFILES) + "."
    ),
    Directive("lint-repeats", Number(2), 10).described(
        "Lint: how many times in a row a command, or a script, is sent before that is found."
    ),
    Directive("lint-rules", Choices("all", *_LINT_RULES, *(f"-{name}" for name in _LINT_RULES)), ["all"]).described(
        "Lint: the rules, from left to right: `all`, names, and names after a minus, as in `all -deprecated`."
    ),
    Directive("lint-ttl-pattern", Words(), []).described(
        "Lint: glob patterns of keys that must expire, such as `session:*`."
    ),
    Directive("metrics-port", _PORT, 0, starting=True).described(
        "A port for GET /metrics and GET /health alone, without a password; 0 means none. It needs respcache[http]."
    ),
    Directive("enable-test-commands", _ALLOWED, "no", starting=True).described(
        "Which clients may send RESPCACHE, whose subcommands are for test suites: none, all, or those on this machine."
    ),
    Directive("max-namespaces", Number(0), 1000).described(
        "The maximum number of namespaces (RESPCACHE NAMESPACE), besides the default one."
    ),
    Directive("respcache-ready-fd", Number(-1), -1, fixed=True, hidden=True, inherited=True).described(
        "A file descriptor. The port, and that of the HTTP door if there is one, are written to it, as a line, as soon "
        "as clients can connect."
    ),
    Directive("respcache-http", YesNo(), False, fixed=True, hidden=True, inherited=True).described(
        "Open the HTTP door on a free port if `http-port` is 0."
    ),
    Directive("respcache-parent-fd", Number(-1), -1, fixed=True, hidden=True, inherited=True).described(
        "A pipe. The server stops when the other end is closed, for example because the process that holds it ends."
    ),
    Directive("respcache-temporary-dir", Text(), "", fixed=True, hidden=True, inherited=True).described(
        "A directory that the server removes when it ends, with everything in it."
    ),
)

_POLICY = Choice(
    *("volatile-lru", "volatile-lfu", "volatile-random", "volatile-ttl"),
    *("allkeys-lru", "allkeys-lfu", "allkeys-random", "noeviction"),
)

_USED = (
    Directive("bind", Addresses(), ["127.0.0.1", "-::1"]).described(
        "Addresses to listen on, '*' and '::*' for all. Those that start with '-' may be missing."
    ),
    Directive("busy-reply-threshold", _LONG, 5000, alias="lua-time-limit", shard=True).described(
        "Milliseconds after which a script that still runs can be ended by SCRIPT KILL, and others get BUSY errors."
    ),
    Directive("client-output-buffer-limit", OutputLimits(), OutputLimits.default).described(
        "Class, hard limit, soft limit, seconds: a client that leaves more than this unread is disconnected."
    ),
    Directive("client-query-buffer-limit", Memory(1 << 20), 1 << 30).described(
        "The maximum number of bytes of one command."
    ),
    Directive("daemonize", YesNo(), False, fixed=True).described(
        "Go into the background at the start; without a `pidfile`, use /var/run/redis.pid. Not if `supervised`."
    ),
    Directive("databases", Number(1, _INT_MAX), 16, fixed=True).described("The number of databases for SELECT."),
    Directive("dir", Directory(), "", protected=True).described("The working directory."),
    Directive("enable-debug-command", _ALLOWED, "no", fixed=True).described(
        "Which clients may send DEBUG: none, all, or those on this machine."
    ),
    Directive("enable-protected-configs", _ALLOWED, "no", fixed=True).described(
        "Which clients may set `dir` and `dbfilename` while the server runs: none, all, or those on this machine."
    ),
    Directive("hash-max-listpack-entries", _LONG, 512, alias="hash-max-ziplist-entries", shard=True).described(
        "OBJECT ENCODING says listpack for hashes with up to this many fields."
    ),
    Directive("hash-max-listpack-value", Memory(), 64, alias="hash-max-ziplist-value", shard=True).described(
        "OBJECT ENCODING says listpack for hashes whose fields and values have up to this many bytes."
    ),
    Directive("lfu-decay-time", _INT, 1, shard=True).described(
        "With an LFU policy: minutes after which OBJECT FREQ of a key that is not accessed falls by 1; 0 means never."
    ),
    Directive("lfu-log-factor", _INT, 10, shard=True).described(
        "With an LFU policy: the higher this is, the more accesses raise OBJECT FREQ by 1."
    ),
    Directive("hll-sparse-max-bytes", Memory(), 3000, shard=True).described(
        "The maximum number of bytes of a HyperLogLog in its sparse form; a larger one becomes dense."
    ),
    Directive("latency-monitor-threshold", _LONG, 0, shard=True).described(
        "LATENCY keeps what took at least this many milliseconds; 0 means nothing."
    ),
    Directive("latency-tracking", YesNo(), True, shard=True).described(
        "Keep a histogram of how long the calls of each command take, for LATENCY HISTOGRAM and INFO latencystats."
    ),
    Directive("latency-tracking-info-percentiles", Percentiles(), [50.0, 99.0, 99.9]).described(
        "The percentiles that INFO latencystats shows."
    ),
    Directive(
        "list-max-listpack-size", Number(-(1 << 31), _INT_MAX), -2, alias="list-max-ziplist-size", shard=True
    ).described("OBJECT ENCODING says listpack for lists up to this size: elements, or -1 (4 KB) to -5 (64 KB)."),
    Directive("logfile", Text(), "", fixed=True, shard=True).described(
        "The file for the log; empty means standard output, which is lost with `daemonize`."
    ),
    Directive("loglevel", Choice("debug", "verbose", "notice", "warning", "nothing"), "notice", shard=True).described(
        "The lowest level that is logged."
    ),
    Directive("maxclients", Number(1, (1 << 32) - 1), 10_000).described("The maximum number of connected clients."),
    Directive("maxmemory-policy", _POLICY, "noeviction", shard=True).described(
        "With allkeys-lfu or volatile-lfu there is OBJECT FREQ, with others OBJECT IDLETIME. No keys are evicted."
    ),
    Directive("notify-keyspace-events", EventClasses(), "", shard=True).described(
        "The classes of keyspace events to publish, as the letters that Redis uses."
    ),
    Directive("pidfile", Text(), "", fixed=True).described("A file that holds the process id while the server runs."),
    Directive("port", _PORT, 6379).described(
        "The TCP port. 0 means none; but at the start, if no unixsocket is given, any free port, which the log and "
        "CONFIG GET name."
    ),
    Directive("protected-mode", YesNo(), True).described(
        "Refuse clients from other machines unless a password is set."
    ),
    Directive("proto-max-bulk-len", Memory(1 << 20), 512 << 20, shard=True).described(
        "The maximum number of bytes of one argument or string."
    ),
    Directive("rdbcompression", YesNo(), True, shard=True).described(
        "Compress strings of more than 20 bytes in what DUMP and FUNCTION DUMP return, if that makes them shorter."
    ),
    Directive("requirepass", Text(), "").described("The password that clients must give; empty means none."),
    Directive("set-max-intset-entries", _LONG, 512, shard=True).described(
        "OBJECT ENCODING says intset for sets of up to this many integers."
    ),
    Directive("set-max-listpack-entries", _LONG, 128, shard=True).described(
        "OBJECT ENCODING says listpack for sets with up to this many members."
    ),
    Directive("set-max-listpack-value", _LONG, 64, shard=True).described(
        "OBJECT ENCODING says listpack for sets whose members have up to this many bytes."
    ),
    Directive("slowlog-log-slower-than", Number(-1), 10_000, shard=True).described(
        "SLOWLOG keeps commands that took at least this many microseconds; 0 means all, -1 none."
    ),
    Directive("slowlog-max-len", _LONG, 128).described("The number of commands that SLOWLOG keeps."),
    Directive("stream-node-max-bytes", Memory(), 4096, shard=True).described(
        "The maximum number of bytes of a stream's macro node; XTRIM with ~ removes whole nodes. 0 means 1 GB."
    ),
    Directive("stream-node-max-entries", _LONG, 100, shard=True).described(
        "The maximum number of entries of a stream's macro node; 0 means no maximum."
    ),
    Directive("supervised", Choice("upstart", "systemd", "auto", "no"), "no", fixed=True).described(
        "What is told when clients can connect: systemd (by NOTIFY_SOCKET), upstart (by SIGSTOP), or which of them is "
        "there (auto)."
    ),
    Directive("syslog-enabled", YesNo(), False, fixed=True, shard=True).described(
        "Log to the system's log, too, through its socket."
    ),
    Directive("syslog-facility", Choice(*_FACILITIES), "local0", fixed=True, shard=True).described(
        "The facility in the system's log: user, or local0 to local7."
    ),
    Directive("syslog-ident", Text(), "redis", fixed=True, shard=True).described("The name in the system's log."),
    Directive("tcp-backlog", _INT, 511, fixed=True).described(
        "The maximum number of connections that wait to be accepted."
    ),
    Directive("tcp-keepalive", _INT, 300).described(
        "Seconds of silence after which TCP checks that a client is still there."
    ),
    Directive("timeout", _INT, 0).described("Seconds of silence after which a client is disconnected; 0 means never."),
    Directive("tracking-table-max-keys", _LONG, 1_000_000, shard=True).described(
        "The maximum number of keys that are remembered for clients that cache (CLIENT TRACKING); 0 means no maximum."
    ),
    Directive("unixsocket", Text(), "", fixed=True).described("The path of a unix socket to listen on."),
    Directive("unixsocketperm", OctalNumber(), 0, fixed=True).described("Permissions of the unix socket, octal."),
    Directive("zset-max-listpack-entries", _LONG, 128, alias="zset-max-ziplist-entries", shard=True).described(
        "OBJECT ENCODING says listpack for sorted sets with up to this many members."
    ),
    Directive("zset-max-listpack-value", Memory(), 64, alias="zset-max-ziplist-value", shard=True).described(
        "OBJECT ENCODING says listpack for sorted sets whose members have up to this many bytes."
    ),
)


def _unused(
    name: str, kind: Kind, default: Any, alias: str = "", *, fixed: bool = False, hidden: bool = False
) -> Directive:
    return Directive(name, kind, default, alias=alias, fixed=fixed, hidden=hidden, unused=True)


def _group(kind: Kind, default: Any, names: str, *, fixed: bool = False) -> list[Directive]:
    """Unused directives with the same kind and default."""
    return [_unused(name, kind, default, fixed=fixed) for name in names.split()]


def _numbers(kind: Kind, defaults: dict[str, int], *, fixed: bool = False) -> list[Directive]:
    """Unused directives of one kind, given as name -> default. An alias follows the name after a slash."""
    found = []
    for names, default in defaults.items():
        name, _, alias = names.partition("/")
        found.append(_unused(name, kind, default, alias, fixed=fixed))
    return found


_SHUTDOWN = Choices("default", "save", "nosave", "now", "force")

_KEPT = (
    *_numbers(
        _INT,
        {
            "auto-aof-rewrite-percentage": 100,
            "cluster-migration-barrier": 1,
            "cluster-replica-validity-factor/cluster-slave-validity-factor": 10,
            "list-compress-depth": 0,
            "min-replicas-max-lag/min-slaves-max-lag": 10,
            "min-replicas-to-write/min-slaves-to-write": 0,
            "repl-diskless-sync-delay": 5,
            "repl-diskless-sync-max-replicas": 0,
            "replica-priority/slave-priority": 100,
            "shutdown-timeout": 10,
            "tls-session-cache-size": 20480,
            "tls-session-cache-timeout": 300,
        },
    ),
    *_numbers(
        _LONG,
        {
            "acllog-max-len": 128,
            "cluster-node-timeout": 15000,
            "repl-backlog-ttl": 3600,
        },
    ),
    *_numbers(
        Number(1, _INT_MAX),
        {"maxmemory-samples": 5, "repl-ping-replica-period/repl-ping-slave-period": 10, "repl-timeout": 60},
    ),
    *_numbers(
        _PORT,
        {
            "cluster-announce-bus-port": 0,
            "cluster-announce-port": 0,
            "cluster-announce-tls-port": 0,
            "replica-announce-port/slave-announce-port": 0,
            "tls-port": 0,
        },
    ),
    _unused("cluster-port", _PORT, 0, fixed=True),
    *_numbers(Number(1, 99), {"active-defrag-cycle-max": 25, "active-defrag-cycle-min": 1}),
    *_numbers(Number(0, 1000), {"active-defrag-threshold-lower": 10, "active-defrag-threshold-upper": 100}),
    _unused("active-defrag-max-scan-fields", Number(1), 1000),
    _unused("active-expire-effort", Number(1, 10), 1),
    _unused("hz", Number(0, _INT_MAX, least=1, most=500), 10),
    _unused("io-threads", Number(1, 128), 1, fixed=True),
    _unused("maxmemory-eviction-tenacity", Number(0, 100), 10),
    _unused("socket-mark-id", Number(0, (1 << 32) - 1), 0, fixed=True),
    *_group(
        YesNo(),
        True,
        "activerehashing aof-load-truncated aof-rewrite-incremental-fsync aof-use-rdb-preamble "
        "cluster-allow-pubsubshard-when-down cluster-allow-replica-migration cluster-require-full-coverage "
        "crash-log-enabled crash-memcheck-enabled dynamic-hz jemalloc-bg-thread "
        "rdb-save-incremental-fsync repl-diskless-sync replica-announced "
        "stop-writes-on-bgsave-error tls-session-caching",
    ),
    *_group(
        YesNo(),
        False,
        "activedefrag aof-timestamp-enabled appendonly cluster-allow-reads-when-down "
        "lazyfree-lazy-eviction lazyfree-lazy-expire lazyfree-lazy-server-del lazyfree-lazy-user-del "
        "lazyfree-lazy-user-flush no-appendfsync-on-rewrite rdb-del-sync-files repl-disable-tcp-nodelay "
        "replica-ignore-disk-write-errors tls-cluster tls-prefer-server-ciphers tls-replication",
    ),
    *_group(YesNo(), False, "always-show-logo cluster-enabled io-threads-do-reads", fixed=True),
    *_group(YesNo(), True, "disable-thp rdbchecksum set-proc-title", fixed=True),
    _unused("replica-ignore-maxmemory", YesNo(), True, "slave-ignore-maxmemory"),
    _unused("replica-lazy-flush", YesNo(), False, "slave-lazy-flush"),
    _unused("replica-read-only", YesNo(), True, "slave-read-only"),
    _unused("replica-serve-stale-data", YesNo(), True, "slave-serve-stale-data"),
    _unused("cluster-replica-no-failover", YesNo(), False, "cluster-slave-no-failover"),
    *_group(
        Text(),
        "",
        "cluster-announce-hostname cluster-announce-human-nodename cluster-announce-ip bind-source-addr locale-collate "
        "ignore-warnings masterauth masteruser tls-ca-cert-dir tls-ca-cert-file tls-cert-file tls-ciphers "
        "tls-ciphersuites tls-client-cert-file tls-client-key-file tls-client-key-file-pass tls-dh-params-file "
        "tls-key-file tls-key-file-pass tls-protocols",
    ),
    _unused("aclfile", Text(), "", fixed=True),
    _unused("aof_rewrite_cpulist", Text(), "", fixed=True),
    _unused("bgsave_cpulist", Text(), "", fixed=True),
    _unused("bio_cpulist", Text(), "", fixed=True),
    _unused("server_cpulist", Text(), "", fixed=True),
    _unused("replica-announce-ip", Text(), "", "slave-announce-ip"),
    _unused("replicaof", Words(2, 2), [], "slaveof", fixed=True),
    _unused("appenddirname", Text(), "appendonlydir", fixed=True),
    _unused("appendfilename", Text(), "appendonly.aof", fixed=True),
    _unused("cluster-config-file", Text(), "nodes.conf", fixed=True),
    Directive("dbfilename", Text(), "dump.rdb", unused=True, protected=True),
    _unused("proc-title-template", Template(), "{title} {listen-addr} {server-mode}"),
    _unused("acl-pubsub-default", Choice("allchannels", "resetchannels"), "resetchannels"),
    _unused("appendfsync", Choice("everysec", "always", "no"), "everysec"),
    _unused("cluster-preferred-endpoint-type", Choice("ip", "hostname", "unknown-endpoint"), "ip"),
    _unused("enable-module-command", _ALLOWED, "no", fixed=True),
    _unused("oom-score-adj", Choice("no", "yes", "relative", "absolute"), "no"),
    _unused("propagation-error-behavior", Choice("ignore", "panic", "panic-on-replicas"), "ignore"),
    _unused("repl-diskless-load", Choice("disabled", "on-empty-db", "swapdb"), "disabled"),
    _unused("sanitize-dump-payload", Choice("no", "yes", "clients"), "no"),
    _unused("tls-auth-clients", Choice("no", "yes", "optional"), "yes"),
    _unused("shutdown-on-sigint", _SHUTDOWN, ["default"]),
    _unused("shutdown-on-sigterm", _SHUTDOWN, ["default"]),
    _unused("oom-score-adj-values", Words(3, 3), ["0", "200", "800"]),
    _unused("save", SavePoints(), []),
    # For debugging Redis itself.
    _unused("aof-disable-auto-gc", YesNo(), False, hidden=True),
    _unused("cluster-ping-interval", _LONG, 0, hidden=True),
    _unused("key-load-delay", Number(-_INT_MAX - 1, _INT_MAX), 0, hidden=True),
    _unused("loading-process-events-interval-bytes", Number(1024, _INT_MAX), 2 << 20, hidden=True),
    _unused("rdb-key-save-delay", Number(-_INT_MAX - 1, _INT_MAX), 0, hidden=True),
    _unused("use-exit-on-panic", YesNo(), False, hidden=True),
    _unused("watchdog-period", _INT, 0, hidden=True),
    _unused("active-defrag-ignore-bytes", Memory(1), 100 << 20),
    _unused("auto-aof-rewrite-min-size", Memory(), 64 << 20),
    _unused("cluster-link-sendbuf-limit", Memory(high=(1 << 64) - 1), 0),
    _unused("maxmemory", Memory(high=(1 << 64) - 1), 0),
    _unused("maxmemory-clients", MemoryOrPercent(), 0),
    _unused("repl-backlog-size", Memory(1, least=16 << 10), 1 << 20),
)

DIRECTIVES: dict[str, Directive] = {row.name: row for row in sorted(_OWN + _USED + _KEPT, key=lambda row: row.name)}

# All names, aliases included.
NAMES: dict[str, Directive] = DIRECTIVES | {row.alias: row for row in DIRECTIVES.values() if row.alias}
