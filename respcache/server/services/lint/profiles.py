"""What the services lack that people run Redis at: a table, each row with its public source.

A profile says whether keys are spread over nodes (`cluster`), whether there is only database 0, and which commands and
options are not there. Commands that only those call who run a server (REPLCONF, PSYNC) are not worth a row.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from respcache.slots import hash_tag, slot_of

if TYPE_CHECKING:
    from collections.abc import Callable

    from respcache.resp.types import Argv

_REDIS_CLUSTER = "https://redis.io/docs/latest/operate/oss_and_stack/reference/cluster-spec/"
_SORT = "https://redis.io/docs/latest/commands/sort/"
_SELECT = "https://redis.io/docs/latest/commands/select/"
_ELASTICACHE = "https://docs.aws.amazon.com/AmazonElastiCache/latest/dg/ClientConfig.RestrictedCommands.html"
_ELASTICACHE_CLUSTER = "https://docs.aws.amazon.com/AmazonElastiCache/latest/dg/modify-cluster-mode.html"
_MEMORYDB = "https://docs.aws.amazon.com/memorydb/latest/devguide/restrictedcommands.html"
_UPSTASH = "https://upstash.com/docs/redis/commands/overview"
_UPSTASH_SELECT = "https://upstash.com/docs/redis/commands/connection/select"
_AZURE = "https://learn.microsoft.com/azure/azure-cache-for-redis/cache-configure"
_MEMORYSTORE = "https://cloud.google.com/memorystore/docs/redis/product-constraints"
_MEMORYSTORE_COMMANDS = "https://docs.cloud.google.com/memorystore/docs/redis/supported-commands"


class Lack(NamedTuple):
    """Commands that are not there, or that are with these words; the name of a container stands for all in it."""

    commands: tuple[str, ...]
    source: str
    option: str = ""  # what is not there, if not the whole command
    used: Callable[[Argv], bool] | None = None  # True if a call uses that

    def names(self, name: str) -> bool:
        """True if it is about this command."""
        return name in self.commands or name.partition(" ")[0] in self.commands


class Profile(NamedTuple):
    """One service."""

    name: str
    title: str
    cluster: str  # the source that says that keys are spread over nodes by their slots; empty if they are not
    one_database: str  # the source that says that there is only database 0; empty if there are more
    lacks: tuple[Lack, ...]

    def find(self, name: str, argv: Argv) -> Lack | None:
        """The row that says that a call cannot be made there; None if it can."""
        for lack in self.lacks:
            if lack.names(name) and (lack.used is None or lack.used(argv)):
                return lack
        return None

    def names(self, name: str) -> bool:
        """True if a row is about this command."""
        return any(lack.names(name) for lack in self.lacks)


def _uses_patterns(argv: Argv) -> bool:
    """True if SORT looks up keys that may be in other slots than its own.

    As Redis 8.0 decides. Redis 7.0 does not let any pattern pass, whatever its tag.
    """
    patterns = (argv[at + 1] for at in range(2, len(argv) - 1) if argv[at].upper() in (b"BY", b"GET"))
    return any(b"*" in pattern and not _is_beside(argv[1], pattern) for pattern in patterns)


def _is_beside(key: bytes, pattern: bytes) -> bool:
    """True if all keys that a pattern stands for are in the slot of the key, because of a hash tag."""
    tag = hash_tag(pattern)
    return tag != pattern and b"*" not in tag and slot_of(pattern) == slot_of(key)


def _names(text: str) -> tuple[str, ...]:
    """Names, separated by commas or ends of lines."""
    return tuple(name.strip() for line in text.splitlines() for name in line.split(",") if name.strip())


_SORT_PATTERNS = Lack(
    ("SORT", "SORT_RO"), _SORT, "BY or GET with a pattern of keys outside of the slot", _uses_patterns
)

_ALL = (
    Profile(
        "redis-cluster",
        "Redis Cluster",
        cluster=_REDIS_CLUSTER,
        one_database=_SELECT,
        lacks=(_SORT_PATTERNS,),
    ),
    Profile(
        "elasticache",
        "Amazon ElastiCache, cluster mode or serverless",
        cluster=_ELASTICACHE_CLUSTER,
        one_database=_ELASTICACHE_CLUSTER,
        lacks=(
            Lack(
                _names("BGREWRITEAOF, BGSAVE, CONFIG, DEBUG, MIGRATE, REPLICAOF, SAVE, SLAVEOF, SHUTDOWN, SYNC"),
                _ELASTICACHE,
            ),
            _SORT_PATTERNS,
        ),
    ),
    Profile(
        "memorydb",
        "Amazon MemoryDB",
        cluster=_REDIS_CLUSTER,
        one_database=_SELECT,
        lacks=(
            Lack(
                _names(
                    """
                    ACL DELUSER, ACL LOAD, ACL SAVE, ACL SETUSER, BGREWRITEAOF, BGSAVE
                    CLUSTER ADDSLOTS, CLUSTER DELSLOTS, CLUSTER SETSLOT
                    CONFIG, DEBUG, MIGRATE, MODULE, PSYNC, REPLICAOF, SAVE, SHUTDOWN, SLAVEOF, SYNC
                    """
                ),
                _MEMORYDB,
            ),
            _SORT_PATTERNS,
        ),
    ),
    Profile(
        "upstash",
        "Upstash",
        cluster="",
        one_database=_UPSTASH_SELECT,
        lacks=(
            # What its list of commands does not have.
            Lack(
                _names(
                    """
                    ACL DRYRUN, ASKING, BGREWRITEAOF, BGSAVE, CLIENT CACHING, CLIENT GETREDIR, CLIENT KILL
                    CLIENT NO-EVICT, CLIENT NO-TOUCH, CLIENT PAUSE, CLIENT REPLY, CLIENT TRACKING, CLIENT TRACKINGINFO
                    CLIENT UNBLOCK, CLIENT UNPAUSE, CLUSTER, CONFIG RESETSTAT, CONFIG REWRITE, DEBUG, FAILOVER
                    FUNCTION DUMP, FUNCTION RESTORE, LASTSAVE, LATENCY, LCS, LOLWUT, MEMORY DOCTOR
                    MEMORY MALLOC-STATS, MEMORY PURGE, MEMORY STATS, MIGRATE, MODULE, MOVE, OBJECT, PFDEBUG
                    PFSELFTEST, PSYNC, READONLY, READWRITE, REPLCONF, REPLICAOF, RESTORE-ASKING, ROLE, SAVE
                    SCRIPT DEBUG, SHUTDOWN, SLAVEOF, SLOWLOG, SORT, SORT_RO, SPUBLISH, SSUBSCRIBE, SUBSTR
                    SUNSUBSCRIBE, SWAPDB, SYNC, XSETID
                    """
                ),
                _UPSTASH,
            ),
        ),
    ),
    Profile(
        "azure",
        "Azure Cache for Redis",
        cluster="",
        one_database="",
        lacks=(
            Lack(
                _names(
                    """
                    BGREWRITEAOF, BGSAVE, CONFIG, DEBUG, MIGRATE, SAVE, SHUTDOWN, SLAVEOF
                    CLUSTER ADDSLOTS, CLUSTER ADDSLOTSRANGE, CLUSTER BUMPEPOCH, CLUSTER DELSLOTS, CLUSTER DELSLOTSRANGE
                    CLUSTER FAILOVER, CLUSTER FLUSHSLOTS, CLUSTER FORGET, CLUSTER MEET, CLUSTER REPLICATE
                    CLUSTER RESET, CLUSTER SAVECONFIG, CLUSTER SET-CONFIG-EPOCH, CLUSTER SETSLOT
                    """
                ),
                _AZURE,
            ),
        ),
    ),
    Profile(
        "memorystore",
        "Google Cloud Memorystore for Redis",
        cluster="",
        one_database="",
        lacks=(
            Lack(
                _names(
                    """
                    ACL, BGREWRITEAOF, BGSAVE, CLUSTER, COMMAND, CONFIG, DEBUG, LASTSAVE, MIGRATE, MONITOR, OBJECT
                    REPLICAOF, SAVE, SHUTDOWN
                    """
                ),
                _MEMORYSTORE,
            ),
            # Of CLIENT there are some from Redis 6 on.
            Lack(
                _names("CLIENT NO-EVICT, CLIENT PAUSE, CLIENT UNBLOCK, CLIENT UNPAUSE"),
                _MEMORYSTORE_COMMANDS,
            ),
        ),
    ),
)

PROFILES: dict[str, Profile] = {profile.name: profile for profile in _ALL}
