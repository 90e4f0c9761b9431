"""Error texts that go over the wire, by family; those of scripts and functions are in `respcache.errors.scripting`.

The texts are those of Redis 7.2; clients (and people's tests) match on them. A fixed text is a constant; one that names
something is a function that returns the error. The few errors that are raised everywhere have classes, at the end: an
exception cannot be a constant, since a traceback hangs on it.
"""

from __future__ import annotations

from collections.abc import Sequence

from respcache.errors.kinds import CommandError, ProtocolError, printable

# -- arguments of any command

WRONG_TYPE = "WRONGTYPE Operation against a key holding the wrong kind of value"
SYNTAX = "ERR syntax error"
NOT_AN_INTEGER = "ERR value is not an integer or out of range"
NOT_AN_INT32 = "ERR value is out of range, value must between -2147483648 and 2147483647"  # [sic]
NOT_A_FLOAT = "ERR value is not a valid float"
BEYOND_INT64 = f"ERR value is out of range, value must between {-(1 << 63) + 1} and {(1 << 63) - 1}"  # [sic]
NOT_POSITIVE = "ERR value is out of range, must be positive"
OUT_OF_RANGE = "ERR value is out of range"
NUMKEYS_NOT_POSITIVE = "ERR numkeys should be greater than 0"
COUNT_NOT_POSITIVE = "ERR count should be greater than 0"
LIMIT_NEGATIVE = "ERR LIMIT can't be negative"
INVALID_CURSOR = "ERR invalid cursor"
TIMEOUT_NOT_A_FLOAT = "ERR timeout is not a float or out of range"
TIMEOUT_NOT_AN_INTEGER = "ERR timeout is not an integer or out of range"
TIMEOUT_NEGATIVE = "ERR timeout is negative"
TIMEOUT_OUT_OF_RANGE = "ERR timeout is out of range"
OVERFLOW = "ERR increment or decrement would overflow"
NAN_OR_INFINITY = "ERR increment would produce NaN or Infinity"


def wrong_arity(name: str) -> CommandError:
    """`name` as clients see it: lower case, a subcommand after a bar (``config|get``)."""
    return CommandError(f"ERR wrong number of arguments for '{name}' command")


def unknown_command(argv: Sequence[bytes]) -> CommandError:
    """Quotes about 128 bytes of the name, and about 128 bytes of the arguments together, as Redis does."""
    quoted = ""
    for argument in argv[1:]:
        if len(quoted) >= 128:
            break
        quoted += f"'{_shown(argument, 128 - len(quoted))}' "
    return CommandError(f"ERR unknown command '{_shown(argv[0])}', with args beginning with: {quoted}")


def unknown_subcommand(container: str, subcommand: bytes) -> CommandError:
    """`container` in upper case."""
    return CommandError(f"ERR unknown subcommand '{_shown(subcommand)}'. Try {container} HELP.")


def unknown_call(container: str, subcommand: bytes) -> CommandError:
    """For subcommands that count their words themselves. `container` in upper case."""
    return CommandError(
        f"ERR unknown subcommand or wrong number of arguments for '{_shown(subcommand)}'. Try {container} HELP."
    )


def _shown(data: bytes, limit: int = 128) -> str:
    """What ``%.128s`` prints in C: up to `limit` bytes, ending before the first zero byte."""
    return _c_string(data[:limit])


def _c_string(data: bytes) -> str:
    """What ``%s`` prints in C."""
    return printable(data.partition(b"\0")[0])


# -- keys

NO_SUCH_KEY = "ERR no such key"
SAME_OBJECT = "ERR source and destination objects are the same"
DB_OUT_OF_RANGE = "ERR DB index is out of range"
INVALID_FIRST_DB = "ERR invalid first DB index"
INVALID_SECOND_DB = "ERR invalid second DB index"
NX_WITH_OTHERS = "ERR NX and XX, GT or LT options at the same time are not compatible"
GT_WITH_LT = "ERR GT and LT options at the same time are not compatible"
SCORES_NOT_FLOATS = "ERR One or more scores can't be converted into double"
_ADJUSTING = (
    "Please note that when switching between policies at runtime LRU and LFU data will take some time to adjust."
)
NO_LFU = f"ERR An LFU maxmemory policy is not selected, access frequency not tracked. {_ADJUSTING}"
LFU_POLICY = f"ERR An LFU maxmemory policy is selected, idle time not tracked. {_ADJUSTING}"


# RESTORE; BAD_PAYLOAD is among the texts of functions
BUSY_KEY = "BUSYKEY Target key name already exists."
INVALID_TTL = "ERR Invalid TTL value, must be >= 0"
INVALID_IDLETIME = "ERR Invalid IDLETIME value, must be >= 0"
INVALID_FREQ = "ERR Invalid FREQ value, must be >= 0 and <= 255"
BAD_DATA_FORMAT = "ERR Bad data format"


def unsupported_payload(what: str) -> CommandError:
    """Our own: Redis says no more of the types that it does not know than `BAD_DATA_FORMAT`."""
    return CommandError(f"{BAD_DATA_FORMAT}: {what} is not supported")


def invalid_expire_time(command: str) -> CommandError:
    """`command` in lower case."""
    return CommandError(f"ERR invalid expire time in '{command}' command")


def unsupported_option(word: bytes) -> CommandError:
    return CommandError(f"ERR Unsupported option {printable(word)}")


# -- MIGRATE

MIGRATE_KEY_AND_KEYS = "ERR When using MIGRATE KEYS option, the key argument must be set to the empty string"
TARGET_NOT_REACHED = "IOERR error or timeout connecting to the client"  # [sic]
TARGET_NOT_WRITTEN = "IOERR error or timeout writing to target instance"
TARGET_NOT_READ = "IOERR error or timeout reading to target instance"  # [sic]


def refused_by_target(line: bytes) -> CommandError:
    """`line`: its error reply, without the mark and the end of the line."""
    return CommandError(f"ERR Target instance replied with error: {printable(line)}")


# -- strings, bitmaps

STRING_TOO_LONG = "ERR string exceeds maximum allowed size (proto-max-bulk-len)"
OFFSET_OUT_OF_RANGE = "ERR offset is out of range"
DECREMENT_OVERFLOW = "ERR decrement would overflow"
LCS_LENGTH_AND_INDEXES = "ERR If you want both the length and indexes, please just use IDX."
LCS_OUT_OF_MEMORY = "ERR Insufficient memory, transient memory for LCS exceeds proto-max-bulk-len"
LCS_NOT_STRINGS = "ERR The specified keys must contain string values"
BAD_BIT_OFFSET = "ERR bit offset is not an integer or out of range"
BAD_BIT = "ERR bit is not an integer or out of range"
BIT_NOT_0_OR_1 = "ERR The bit argument must be 1 or 0."
BITOP_NOT_SINGLE = "ERR BITOP NOT must be called with a single source key."
BAD_BITFIELD_TYPE = "ERR Invalid bitfield type. Use something like i16 u8. Note that u64 is not supported but i64 is."
BAD_OVERFLOW_TYPE = "ERR Invalid OVERFLOW type specified"
BITFIELD_RO_ONLY_GET = "ERR BITFIELD_RO only supports the GET subcommand"

# -- HyperLogLogs

NOT_A_HLL = "WRONGTYPE Key is not a valid HyperLogLog string value."
HLL_CORRUPTED = "INVALIDOBJ Corrupted HLL object detected"
HLL_NOT_SPARSE = "ERR HLL encoding is not sparse"
NO_SUCH_HLL = "ERR The specified key does not exist"


def unknown_pfdebug(subcommand: bytes) -> CommandError:
    """As the client spelt it."""
    return CommandError(f"ERR Unknown PFDEBUG subcommand '{_c_string(subcommand)}'")


def failed_self_test(what: str) -> CommandError:
    """Of PFSELFTEST."""
    return CommandError(f"TESTFAILED {what}")


# -- hashes

HASH_VALUE_NOT_INTEGER = "ERR hash value is not an integer"
HASH_VALUE_NOT_FLOAT = "ERR hash value is not a float"
INCREMENT_NAN_OR_INFINITY = "ERR value is NaN or Infinity"

# -- lists

INDEX_OUT_OF_RANGE = "ERR index out of range"
RANK_ZERO = (
    "ERR RANK can't be zero: use 1 to start from the first match, 2 from the second ... "
    "or use negative to start from the end of the list"
)
COUNT_NEGATIVE = "ERR COUNT can't be negative"
MAXLEN_NEGATIVE = "ERR MAXLEN can't be negative"

# -- sets

TOO_FEW_KEYS = "ERR Number of keys can't be greater than number of args"

# -- sorted sets

MIN_MAX_NOT_FLOAT = "ERR min or max is not a float"
MIN_MAX_NOT_STRING = "ERR min or max not valid string range item"
ZADD_XX_WITH_NX = "ERR XX and NX options at the same time are not compatible"
ZADD_GT_LT_NX = "ERR GT, LT, and/or NX options at the same time are not compatible"
ZADD_INCR_PAIRS = "ERR INCR option supports a single increment-element pair"
SCORE_NAN = "ERR resulting score is not a number (NaN)"
WEIGHT_NOT_FLOAT = "ERR weight value is not a float"
LIMIT_ONLY_BY = "ERR syntax error, LIMIT is only supported in combination with either BYSCORE or BYLEX"
WITHSCORES_BYLEX = "ERR syntax error, WITHSCORES not supported in combination with BYLEX"


def no_input_keys(command: str) -> CommandError:
    """`command` in lower case."""
    return CommandError(f"ERR at least 1 input key is needed for '{command}' command")


# -- geo

UNKNOWN_UNIT = "ERR unsupported unit provided. please use M, KM, FT, MI"
RADIUS_NOT_NUMERIC = "ERR need numeric radius"
RADIUS_NEGATIVE = "ERR radius cannot be negative"
WIDTH_NOT_NUMERIC = "ERR need numeric width"
HEIGHT_NOT_NUMERIC = "ERR need numeric height"
BOX_NEGATIVE = "ERR height or width cannot be negative"
NO_SUCH_PLACE = "ERR could not decode requested zset member"
GEO_COUNT_NOT_POSITIVE = "ERR COUNT must be > 0"
ANY_WITHOUT_COUNT = "ERR the ANY argument requires COUNT argument"


def not_on_map(longitude: float, latitude: float) -> CommandError:
    return CommandError(f"ERR invalid longitude,latitude pair {longitude:f},{latitude:f}")


def stores_only_scores(command: str) -> CommandError:
    """`command` as Redis words it: the name, or a description."""
    return CommandError(f"ERR {command} is not compatible with WITHDIST, WITHHASH and WITHCOORD options")


def no_centre(command: bytes) -> CommandError:
    """`command` as the client spelt it."""
    return CommandError(f"ERR exactly one of FROMMEMBER or FROMLONLAT can be specified for {printable(command)}")


def no_area(command: bytes) -> CommandError:
    """As `no_centre`."""
    return CommandError(f"ERR exactly one of BYRADIUS and BYBOX can be specified for {printable(command)}")


# -- streams

BAD_STREAM_ID = "ERR Invalid stream ID specified as stream command argument"
BAD_START_ID = "ERR invalid start ID for the interval"
BAD_END_ID = "ERR invalid end ID for the interval"
MAXLEN_AND_MINID = "ERR syntax error, MAXLEN and MINID options at the same time are not compatible"
TRIM_MAXLEN_NEGATIVE = "ERR The MAXLEN argument must be >= 0."
TRIM_LIMIT_NEGATIVE = "ERR The LIMIT argument must be >= 0."
LIMIT_WITHOUT_STRATEGY = "ERR syntax error, LIMIT cannot be used without specifying a trimming strategy"
LIMIT_WITHOUT_TILDE = "ERR syntax error, LIMIT cannot be used without the special ~ option"
XTRIM_WITHOUT_STRATEGY = "ERR syntax error, XTRIM must be called with a trimming strategy"
XADD_ID_ZERO = "ERR The ID specified in XADD must be greater than 0-0"
XADD_ID_TOO_SMALL = "ERR The ID specified in XADD is equal or smaller than the target stream top item"
XADD_IDS_EXHAUSTED = "ERR The stream has exhausted the last possible ID, unable to add more items"
XADD_TOO_LARGE = "ERR Elements are too large to be stored"
XSETID_BELOW_TOP = "ERR The ID specified in XSETID is smaller than the target stream top item"
XSETID_BELOW_GIVEN_DELETED = "ERR The ID specified in XSETID is smaller than the provided max_deleted_entry_id"
XSETID_BELOW_DELETED = "ERR The ID specified in XSETID is smaller than current max_deleted_entry_id"
XSETID_BELOW_LENGTH = "ERR The entries_added specified in XSETID is smaller than the target stream length"
ENTRIES_ADDED_NEGATIVE = "ERR entries_added must be positive"
GROUP_ONLY_IN_XREADGROUP = "ERR The GROUP option is only supported by XREADGROUP. You called XREAD instead."
NOACK_ONLY_IN_XREADGROUP = "ERR The NOACK option is only supported by XREADGROUP. You called XREAD instead."
GROUP_MISSING = "ERR Missing GROUP option for XREADGROUP"
NEW_ONLY_IN_XREADGROUP = (
    "ERR The > ID can be specified only when calling XREADGROUP using the GROUP <group> <consumer> option."
)


def unbalanced_streams(command: str, symbol: str) -> CommandError:
    """`command` in lower case; `symbol` is what it takes instead of an id."""
    return CommandError(
        f"ERR Unbalanced '{command}' list of streams: for each stream key an ID or '{symbol}' must be specified."
    )


# -- consumer groups of streams

BUSY_GROUP = "BUSYGROUP Consumer Group name already exists"
XGROUP_WITHOUT_KEY = (
    "ERR The XGROUP subcommand requires the key to exist. Note that for CREATE you may want to use the MKSTREAM "
    "option to create an empty stream automatically."
)
ENTRIES_READ_NEGATIVE = "ERR value for ENTRIESREAD must be positive or -1"
AUTOCLAIM_COUNT_NOT_POSITIVE = "ERR COUNT must be > 0"
AUTOCLAIM_COUNT_TOO_HIGH = "ERR Insufficient memory, failed allocating transient memory, COUNT too high."
LATEST_IN_XREADGROUP = (
    "ERR The $ ID is meaningless in the context of XREADGROUP: you want to read the history of this consumer by "
    "specifying a proper ID, or use the > ID to get new messages. The $ ID would just return an empty result set."
)


def no_group(key: bytes, group: bytes) -> CommandError:
    """The key exists."""
    return CommandError(f"NOGROUP No such consumer group '{_c_string(group)}' for key name '{_c_string(key)}'")


def no_key_or_group(key: bytes, group: bytes) -> CommandError:
    return CommandError(_no_key_or_group(key, group))


def no_group_to_read(key: bytes, group: bytes) -> CommandError:
    return CommandError(f"{_no_key_or_group(key, group)} in XREADGROUP with GROUP option")


def _no_key_or_group(key: bytes, group: bytes) -> str:
    return f"NOGROUP No such key '{_c_string(key)}' or consumer group '{_c_string(group)}'"


def bad_claim_argument(what: str, command: str = "XCLAIM") -> str:
    """`what` is an option's or an argument's name; `command` in upper case."""
    return f"ERR Invalid {what} argument for {command}"


def unknown_claim_option(word: bytes) -> CommandError:
    return CommandError(f"ERR Unrecognized XCLAIM option '{_c_string(word)}'")


# -- transactions

NESTED_MULTI = "ERR MULTI calls can not be nested"
EXEC_WITHOUT_MULTI = "ERR EXEC without MULTI"
DISCARD_WITHOUT_MULTI = "ERR DISCARD without MULTI"
WATCH_IN_MULTI = "ERR WATCH inside MULTI is not allowed"
NOT_IN_MULTI = "ERR Command not allowed inside a transaction"
EXEC_ABORT = "EXECABORT Transaction discarded because of previous errors."


def exec_aborted_by(error: CommandError) -> CommandError:
    """EXEC itself was refused, for the reason that `error` gives."""
    return CommandError(f"EXECABORT Transaction discarded because of: {error.text.removeprefix('ERR ')}")


# -- connections: login, HELLO, limits

NO_AUTH = "NOAUTH Authentication required."
NO_AUTH_FOR_HELLO = (
    "NOAUTH HELLO must be called with the client already authenticated, otherwise the HELLO <proto> AUTH "
    "<user> <pass> option can be used to authenticate the client and select the RESP protocol version at "
    "the same time"
)
NO_PASSWORD_SET = (
    "ERR AUTH <password> called without any password configured for the default user. "
    "Are you sure your configuration is correct?"
)
WRONG_PASS = "WRONGPASS invalid username-password pair or user is disabled."
NO_PROTO = "NOPROTO unsupported protocol version"
PROTO_NOT_AN_INTEGER = "ERR Protocol version is not an integer or out of range"
MAX_CLIENTS = "ERR max number of clients reached"
PROTECTED_MODE = (
    "DENIED Redis is running in protected mode because protected mode is enabled and no password is set for the "
    "default user. In this mode connections are only accepted from the loopback interface. Set a password, bind to "
    "the loopback interface only, or start with --protected-mode no."
)


def bad_hello_option(word: bytes) -> CommandError:
    return CommandError(f"ERR Syntax error in HELLO option '{printable(word)}'")


# -- CLIENT

SLOWLOG_COUNT = "ERR count should be greater than or equal to -1"


def no_samples(event: bytes) -> CommandError:
    return CommandError(f"ERR No samples available for event '{printable(event)}'")


INVALID_CLIENT_ID = "ERR Invalid client ID"
CLIENT_ID_NOT_POSITIVE = "ERR client-id should be greater than 0"
NO_SUCH_CLIENT = "ERR No such client"
TRACKING_REDIRECTED_TWICE = "ERR A client can only redirect to a single other client"
TRACKING_TO_NOBODY = "ERR The client ID you want redirect to does not exist"
TRACKING_BCAST_SWITCHED = (
    "ERR You can't switch BCAST mode on/off before disabling tracking for this client, and then re-enabling it with a "
    "different mode."
)
TRACKING_OPT_SWITCHED = (
    "ERR You can't switch OPTIN/OPTOUT mode before disabling tracking for this client, and then re-enabling it with a "
    "different mode."
)
PREFIX_WITHOUT_BCAST = "ERR PREFIX option requires BCAST mode to be enabled"
OPT_WITH_BCAST = "ERR OPTIN and OPTOUT are not compatible with BCAST"
OPTIN_AND_OPTOUT = "ERR You can't specify both OPTIN mode and OPTOUT mode"
CACHING_WITHOUT_TRACKING = (
    "ERR CLIENT CACHING can be called only when the client is in tracking mode with OPTIN or OPTOUT mode enabled"
)
CACHING_WITHOUT_OPTIN = "ERR CLIENT CACHING YES is only valid when tracking is enabled in OPTIN mode."
CACHING_WITHOUT_OPTOUT = "ERR CLIENT CACHING NO is only valid when tracking is enabled in OPTOUT mode."
UNBLOCK_REASON = "ERR CLIENT UNBLOCK reason should be TIMEOUT or ERROR"
UNBLOCKED = "UNBLOCKED client unblocked via CLIENT UNBLOCK"
BAD_PAUSE_MODE = "ERR CLIENT PAUSE mode must be WRITE or ALL"


def overlapping_prefixes(prefix: bytes, which: str, other: bytes) -> CommandError:
    """Of CLIENT TRACKING; `which` one the other is."""
    return CommandError(
        f"ERR Prefix '{_c_string(prefix)}' overlaps with {which} prefix '{_c_string(other)}'. "
        "Prefixes for a single client must not overlap."
    )


def bad_name(what: str) -> CommandError:
    """`what` is what may have no such characters: ``Client names``, ``lib-name``."""
    return CommandError(f"ERR {what} cannot contain spaces, newlines or special characters.")


def unrecognized_option(word: bytes) -> CommandError:
    return CommandError(f"ERR Unrecognized option '{printable(word)}'")


def unknown_client_type(word: bytes) -> CommandError:
    return CommandError(f"ERR Unknown client type '{printable(word)}'")


def no_such_user(name: bytes) -> CommandError:
    return CommandError(f"ERR No such user '{printable(name)}'")


# -- pub/sub

SSUBSCRIBE_DENY_BLOCKING = "ERR SSUBSCRIBE isn't allowed for a DENY BLOCKING client"


def only_while_subscribed(command: str) -> CommandError:
    """`command` is none of those that a RESP2 subscriber may call; its name as clients see it (``config|get``)."""
    return CommandError(
        f"ERR Can't execute '{command}': only (P|S)SUBSCRIBE / (P|S)UNSUBSCRIBE / PING / QUIT / RESET "
        "are allowed in this context"
    )


# -- COMMAND, CONFIG, DEBUG, SHUTDOWN

GETKEYS_INVALID_COMMAND = "ERR Invalid command specified"
GETKEYS_WRONG_ARITY = "ERR Invalid number of arguments specified for command"
GETKEYS_NO_KEYS = "ERR The command has no key arguments"
GETKEYS_INVALID_ARGUMENTS = "ERR Invalid arguments specified for command"
NO_CONFIG_FILE = "ERR The server is running without a config file"
DEBUG_NOT_ALLOWED = (
    'ERR DEBUG command not allowed. If the enable-debug-command option is set to "local", you can run it from a local '
    "connection, otherwise you need to set this option in the configuration file, and then restart the server."
)
TEST_COMMANDS_NOT_ALLOWED = (
    'ERR RESPCACHE command not allowed. If the enable-test-commands option is set to "local", you can run it from a '
    "local connection, otherwise you need to set this option in the configuration file, and then restart the server."
)
NAMESPACE_NAME_TOO_LONG = "ERR Namespace names have at most 128 bytes"
TOO_MANY_NAMESPACES = "ERR max number of namespaces reached"
NO_SUCH_NAMESPACE = "ERR No such namespace"
DEFAULT_NAMESPACE_STAYS = "ERR The default namespace cannot be dropped"
NO_PUSHES = "ERR RESP2 is not supported by this command"
UNKNOWN_REPLY_TYPE = (
    "ERR Wrong protocol type name. Please use one of the following: "
    "string|integer|double|bignum|null|array|set|map|attrib|push|verbatim|true|false"
)
NO_SHUTDOWN = "ERR No shutdown in progress."


def of_the_whole_server(what: str) -> CommandError:
    """`what` concerns all namespaces."""
    return CommandError(f"ERR {what} is not allowed within a namespace: it concerns the whole server")


def unknown_directive(name: bytes) -> CommandError:
    return CommandError(f"ERR Unknown option or number of arguments for CONFIG SET - '{printable(name)}'")


CANNOT_LISTEN = "Unable to listen on this port. Check server logs."
CANNOT_BIND = "Failed to bind to specified addresses."


def config_set_failed(name: str, reason: str) -> CommandError:
    return CommandError(f"ERR CONFIG SET failed (possibly related to argument '{name}') - {reason}")


def config_not_rewritten(reason: str) -> CommandError:
    return CommandError(f"ERR Rewriting config file: {reason}")


# -- states of the server

LOADING_DATA = "LOADING Redis is loading the dataset in memory"
BAD_PACKED_THRESHOLD = "ERR argument must be a memory value bigger than 1 and smaller than 4gb"
NOT_ZERO_OR_ONE = "ERR value is out of range, value must between 0 and 1"  # [sic]
NO_APPEND_ONLY_FILE = "ERR WAITAOF cannot be used when numlocal is set but appendonly is disabled."
INVALID_MASTER_PORT = "ERR Invalid master port"
NO_REPLICATION = "ERR respcache cannot replicate from another server; only REPLICAOF NO ONE is allowed"
REPLICA_AND_KEYSPACE = "ERR Replica can't interact with the keyspace"
NO_MONITOR_WITHIN = "ERR MONITOR isn't allowed for DENY BLOCKING client"
READ_ONLY_REPLICA = "READONLY You can't write against a read only replica."
OUT_OF_MEMORY = "OOM command not allowed when used memory > 'maxmemory'."

# -- RESPCACHE FAULT

FAULT_WITHOUT_ACTION = (
    "ERR a fault needs an action: ERROR, DELAY, CLOSE, CUT, DRIBBLE, BLACKHOLE, REFUSE, DROP-SHARD, LOADING, READONLY "
    "or OOM"
)
TOO_MANY_FAULTS = "ERR there are 1000 faults, which is the most"
FAULT_TOO_LONG = "ERR names, patterns and texts of faults have at most 1024 bytes"
FAULT_TEXT_EMPTY = "ERR the text of ERROR is empty"
CLOSE_WHEN = "ERR CLOSE is followed by BEFORE or AFTER"
BAD_PROBABILITY = "ERR PROBABILITY is not a number from 0 to 1"
SEED_AND_PROBABILITY = "ERR PROBABILITY and SEED go together"
REFUSE_FILTERS = "ERR REFUSE is about connections: COMMAND, KEY and USER do not go with it"


def fault_exists(name: bytes) -> CommandError:
    return CommandError(f"ERR fault '{_shown(name)}' exists already")


def unknown_in_fault(word: bytes) -> CommandError:
    return CommandError(f"ERR unknown filter or action of a fault '{_shown(word)}'")


def given_twice(option: str) -> CommandError:
    return CommandError(f"ERR {option} is given twice")


def operand_missing(option: str) -> CommandError:
    """An option, or an action, at the end of the words."""
    return CommandError(f"ERR {option} needs more words")


def bad_operand(option: str, low: int, high: int) -> CommandError:
    return CommandError(f"ERR {option} is not an integer from {low} to {high}")


def words_after_action(word: bytes) -> CommandError:
    return CommandError(f"ERR '{_shown(word)}' comes after the action, which is last")


# -- respcache's own

REPLY_TOO_LARGE = "ERR reply exceeds the maximum allowed size (512 MB)"
REQUEST_TOO_LARGE = "ERR the values that this command moves between shards exceed the maximum allowed size"
SHARD_DIED = "ERR the shard of this command died while the command was under way; whether it took effect is unknown"
INTERNAL = "ERR internal error: the server's log has the traceback"

SNAPSHOT_LIMIT = "ERR the snapshots would take more memory than 'snapshot-limit' allows. Drop some, or raise it."
SNAPSHOT_GONE = "ERR the snapshot was lost: a shard that held a part of it died"
TOO_MANY_SNAPSHOTS = "ERR too many snapshots. Drop some."


def bad_snapshot_name(longest: int) -> CommandError:
    """Empty, or longer than `longest` bytes."""
    return CommandError(f"ERR the name of a snapshot must have 1 to {longest} bytes")


def no_snapshot(name: bytes) -> CommandError:
    return CommandError(f"ERR no such snapshot '{_shown(name)}'")


# -- broken streams (`ProtocolError`, which says the rest of the line)

BAD_ARRAY_LENGTH = "invalid multibulk length"
BAD_BULK_LENGTH = "invalid bulk length"
ARRAY_HEADER_TOO_LONG = "too big mbulk count string"
BULK_HEADER_TOO_LONG = "too big bulk count string"
INLINE_TOO_LONG = "too big inline request"
UNBALANCED_QUOTES = "unbalanced quotes in request"
ARRAY_BEFORE_LOGIN = "unauthenticated multibulk length"
BULK_BEFORE_LOGIN = "unauthenticated bulk length"


def expected_bulk(mark: int) -> ProtocolError:
    """`mark` is the byte where a ``$`` should be."""
    return ProtocolError(f"expected '$', got '{printable(bytes((mark,)))}'")


# -- raised everywhere


class WrongType(CommandError):
    def __init__(self) -> None:
        super().__init__(WRONG_TYPE)


class WrongSyntax(CommandError):
    def __init__(self) -> None:
        super().__init__(SYNTAX)


class NotAnInteger(CommandError):
    def __init__(self) -> None:
        super().__init__(NOT_AN_INTEGER)


class NotAFloat(CommandError):
    def __init__(self) -> None:
        super().__init__(NOT_A_FLOAT)
