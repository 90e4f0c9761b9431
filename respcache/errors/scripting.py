"""The error texts of scripts and functions: those of the commands, of the engine, and of libraries."""

from __future__ import annotations

from respcache.errors.kinds import CommandError, printable

# -- commands, and what a command may not do in a script

NO_SCRIPT = "NOSCRIPT No matching script. Please use EVAL."
NUMKEYS_NEGATIVE = "ERR Number of keys can't be negative"
UNKNOWN_IN_SCRIPT = "ERR Unknown Redis command called from script"
WRONG_ARITY_IN_SCRIPT = "ERR Wrong number of args calling Redis command from script"
NOT_IN_SCRIPT = "ERR This Redis command is not allowed from script"
WRITE_IN_READ_ONLY_SCRIPT = "ERR Write commands are not allowed from read-only scripts."
WRITING_SCRIPT_IN_READ_ONLY = "ERR Can not execute a script with write flag using *_ro command."
NO_FUNCTION = "ERR Function not found"
NO_LIBRARY = "ERR Library not found"
BAD_NUMBER_OF_KEYS = "ERR Bad number of keys provided"
BAD_FUNCTION_FLUSH = "ERR FUNCTION FLUSH only supports SYNC|ASYNC option"
BAD_PAYLOAD = "ERR DUMP payload version or checksum are wrong"
OLD_PAYLOAD = "ERR Pre-GA function format not supported"
NOT_A_FUNCTION = "ERR given type is not a function"
BROKEN_PAYLOAD = "ERR failed loading the given functions payload"
BAD_RESTORE_POLICY = "ERR Wrong restore policy given, value should be either FLUSH, APPEND or REPLACE."
NO_LIBRARY_PATTERN = "ERR library name argument was not given"
BAD_SCRIPT_FLUSH = "ERR SCRIPT FLUSH only support SYNC|ASYNC option"
BAD_SCRIPT_DEBUG = "ERR Use SCRIPT DEBUG YES/SYNC/NO"
SCRIPT_DEBUG_IN_PIPELINE = "ERR SCRIPT DEBUG must be called outside a pipeline"
# Not Redis' own.
NO_DEBUGGER = "ERR respcache has no Lua debugger; the script was not run"
NO_SCRIPT_DEBUG = "ERR respcache has no Lua debugger"
BUSY_SCRIPT = "BUSY Redis is busy running a script. You can only call SCRIPT KILL or SHUTDOWN NOSAVE."
BUSY_FUNCTION = "BUSY Redis is busy running a script. You can only call FUNCTION KILL or SHUTDOWN NOSAVE."
SCRIPT_KILLED = "ERR Script killed by user with SCRIPT KILL..."
UNKILLABLE = (
    "UNKILLABLE Sorry the script already executed write commands against the dataset. You can either wait the script "
    "termination or kill the server in a hard way using the SHUTDOWN NOSAVE command."
)
NO_SCRIPT_RUNS = "NOTBUSY No scripts in execution right now."
# Not Redis' own: a proof that was wrong, or a command that needs more than the shard.
FOREIGN_IN_SCRIPT = "ERR the script uses a key that it has not declared"


def no_lua(error: ImportError) -> str:
    """Not Redis' own: the package that runs Lua is not there, or has no Lua 5.1."""
    return f"ERR scripts need the Python package lupa with Lua 5.1: pip install lupa ({printable(str(error).encode())})"


def library_exists(name: bytes) -> CommandError:
    return CommandError(f"ERR Library '{printable(name)}' already exists")


def restored_library_exists(name: bytes) -> CommandError:
    return CommandError(f"ERR Library {printable(name)} already exists")


def function_exists(name: bytes) -> CommandError:
    return CommandError(f"ERR Function {printable(name)} already exists")


def unknown_load_option(word: bytes) -> CommandError:
    return CommandError(f"ERR Unknown option given: {printable(word)}")


def unknown_list_argument(word: bytes) -> CommandError:
    return CommandError(f"ERR Unknown argument {printable(word)}")


# -- scripts: what the engine itself says. The text of an error table has its code; Redis words some that have none.

NO_CALL_WORDS = "ERR Please specify at least one argument for this redis lib call"
BAD_CALL_WORDS = "ERR Lua redis lib command arguments must be strings or integers"
LUA_BAD_ARGUMENTS = "ERR wrong number or type of arguments"
LUA_WRONG_COUNT = "ERR wrong number of arguments"
LOG_WRONG_COUNT = "ERR redis.log() requires two arguments or more."
LOG_BAD_LEVEL_TYPE = "ERR First argument must be a number (log level)."
LOG_BAD_LEVEL = "ERR Invalid log level."
SETRESP_WRONG_COUNT = "ERR redis.setresp() requires one argument."
SETRESP_BAD_VERSION = "ERR RESP version must be 2 or 3."
SET_REPL_WRONG_COUNT = "ERR redis.set_repl() requires one argument."
SET_REPL_BAD_FLAGS = "ERR Invalid replication flags. Use REPL_AOF, REPL_REPLICA, REPL_ALL or REPL_NONE."
ACL_CHECK_BAD_COMMAND = "ERR Invalid command passed to redis.acl_check_cmd()"
NO_LUA_MEMORY = "ERR not enough memory"

INVALID_SCRIPT_HEADER = "ERR Invalid script shebang"
INVALID_SCRIPT_ENGINE = "ERR Invalid engine in script shebang"


def compile_error(reason: bytes) -> CommandError:
    return CommandError(f"ERR Error compiling script (new function): {printable(reason)}")


def unexpected_engine(word: bytes) -> CommandError:
    return CommandError(f"ERR Unexpected engine in script shebang: {printable(word)}")


def unexpected_script_flag(word: bytes) -> CommandError:
    return CommandError(f"ERR Unexpected flag in script shebang: {printable(word)}")


def unknown_script_option(word: bytes) -> CommandError:
    return CommandError(f"ERR Unknown lua shebang option: {printable(word)}")


# -- libraries of functions

NO_LIBRARY_METADATA = "ERR Missing library metadata"
INVALID_LIBRARY_METADATA = "ERR Invalid library metadata"
NO_LIBRARY_NAME = "ERR Library name was not given"
LIBRARY_NAMED_TWICE = "ERR Invalid metadata value, name argument was given multiple times"
BAD_LIBRARY_NAME = (
    "ERR Library names can only contain letters, numbers, or underscores(_) and must be at least one character long"
)
NO_FUNCTIONS = "ERR No functions registered"
FUNCTION_LOAD_TIMEOUT = "ERR FUNCTION LOAD timeout"
FUNCTION_EXISTS_IN_LIBRARY = "ERR Function already exists in the library"
REGISTER_NOT_LOADING = "ERR redis.register_function can only be called on FUNCTION LOAD command"
REGISTER_WRONG_COUNT = "ERR wrong number of arguments to redis.register_function"
REGISTER_NOT_A_TABLE = (
    "ERR calling redis.register_function with a single argument is only applicable to Lua table "
    "(representing named arguments)."
)
REGISTER_FIRST = "ERR first argument to redis.register_function must be a string"
REGISTER_SECOND = "ERR second argument to redis.register_function must be a function"
REGISTER_KEY = "ERR named argument key given to redis.register_function is not a string"
REGISTER_NAME = "ERR function_name argument given to redis.register_function must be a string"
REGISTER_DESCRIPTION = "ERR description argument given to redis.register_function must be a string"
REGISTER_CALLBACK = "ERR callback argument given to redis.register_function must be a function"
REGISTER_FLAGS = "ERR flags argument to redis.register_function must be a table representing function flags"
REGISTER_UNKNOWN_FLAG = "ERR unknown flag given"
REGISTER_UNKNOWN = "ERR unknown argument given to redis.register_function"
REGISTER_NO_NAME = "ERR redis.register_function must get a function name argument"
REGISTER_NO_CALLBACK = "ERR redis.register_function must get a callback argument"


def invalid_metadata(word: bytes) -> CommandError:
    return CommandError(f"ERR Invalid metadata value given: {printable(word)}")


def engine_not_found(name: bytes) -> CommandError:
    return CommandError(f"ERR Engine '{printable(name)}' not found")


def library_compile_error(reason: bytes) -> CommandError:
    return CommandError(f"ERR Error compiling function: {printable(reason)}")


def registration_error(reason: str) -> CommandError:
    """`reason` with its code."""
    return CommandError(f"ERR Error registering functions: {reason}")
