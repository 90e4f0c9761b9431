"""Keys in JSON, for `Server.load_json`: one object, whose members are the keys of one database.

    {
        "greeting": "hello",
        "visits": 42,
        "queue": ["first", "second"],
        "token": {"type": "string", "value": "abc", "ttl": 60},
        "tags": {"type": "set", "value": ["a", "b"]},
        "user:1": {"type": "hash", "value": {"name": "Ada", "age": 36}, "expires_at": "2030-01-01T00:00:00Z"},
        "scores": {"type": "zset", "value": {"ada": 12.5, "bob": "-inf"}},
        "events": {
            "type": "stream",
            "value": [{"id": "1-0", "fields": {"kind": "login"}}, {"id": "2-0", "fields": {"kind": "logout"}}],
            "groups": [
                {
                    "name": "workers",
                    "last_id": "1-0",
                    "consumers": ["idle"],
                    "pending": [{"id": "1-0", "consumer": "busy", "idle": 30, "count": 2}]
                }
            ]
        }
    }

A text or a number stands for a string, an array for a list; everything else is an object with its `type` and `value`:

- `string`: a text or a number.
- `list`, `set`: an array of them.
- `hash`: an object, or an array of pairs.
- `zset`: the same, of members and their scores; a score is a number, or "inf" or "-inf".
- `stream`: an array of entries, each an object with an `id` (by default one of now) and `fields`, as those of a hash.
  Besides, all optional: `last_id`, and with it `entries_added` and `max_deleted_id`, as XSETID has them; and `groups`,
  each with a `name`, `last_id` (by default 0-0: nothing is read), `entries_read`, `consumers` (their names), and
  `pending` entries, each with an `id` that is in the stream, a `consumer`, for how many seconds it is `idle` (0), and
  the `count` of its deliveries (1).

Each may have a TTL: `ttl`, in seconds, or `expires_at`, in seconds since the epoch or as a date and time of ISO 8601
(without a time zone: UTC).

Texts are UTF-8. Where a text may stand, `{"base64": "AAEC"}` stands for any bytes. Names of keys are always texts.
"""

from __future__ import annotations

import json
import os
from base64 import b64decode
from binascii import Error as NotBase64
from collections.abc import Iterable, Iterator, Mapping
from datetime import UTC, datetime
from typing import Any

Word = str | bytes | int
Command = tuple[Word, ...]

_OPTIONS = {"type", "value", "ttl", "expires_at"}
_OF_STREAMS = {"last_id", "entries_added", "max_deleted_id", "groups"}
_OF_GROUPS = {"name", "last_id", "entries_read", "consumers", "pending"}
_OF_PENDING = {"id", "consumer", "idle", "count"}


class _Wrong(ValueError):
    """Something about one key."""


def read(path: str | os.PathLike[str]) -> Any:
    """What a JSON file has in it. Errors: OSError, ValueError."""
    with open(path, encoding="utf-8") as file:
        return json.load(file)


def commands(keys: Mapping[str, Any]) -> Iterator[Command]:
    """The commands that make these keys, in the place of those that exist.

    Errors: ValueError, with the name of the key, for what cannot be understood.
    """
    if not isinstance(keys, Mapping):
        raise ValueError("the keys must be one JSON object")
    for key, description in keys.items():
        try:
            made = list(_commands_of(key, description))
        except _Wrong as wrong:
            raise ValueError(f"key {key!r}: {wrong}") from None
        yield "DEL", key
        yield from made


def _commands_of(key: str, description: Any) -> Iterator[Command]:
    if not isinstance(description, Mapping) or "base64" in description:
        kind = "list" if isinstance(description, list) else "string"
        description = {"type": kind, "value": description}
    kind = description.get("type")
    if kind not in _MAKERS:
        raise _Wrong(f"its type must be one of {', '.join(_MAKERS)}, not {kind!r}")
    _check_names(description, _OPTIONS | _OF_STREAMS if kind == "stream" else _OPTIONS)
    yield from _MAKERS[kind](key, description)
    yield from _expiry(key, description)


def _string(key: str, description: Mapping[str, Any]) -> Iterator[Command]:
    yield "SET", key, _word(description.get("value"), "its value")


def _list(key: str, description: Mapping[str, Any]) -> Iterator[Command]:
    yield "RPUSH", key, *_words(description)


def _set(key: str, description: Mapping[str, Any]) -> Iterator[Command]:
    yield "SADD", key, *_words(description)


def _hash(key: str, description: Mapping[str, Any]) -> Iterator[Command]:
    yield "HSET", key, *_fields(description.get("value"), "its value")


def _zset(key: str, description: Mapping[str, Any]) -> Iterator[Command]:
    words = _fields(description.get("value"), "its value")
    yield "ZADD", key, *(word for at in range(0, len(words), 2) for word in (words[at + 1], words[at]))


def _stream(key: str, description: Mapping[str, Any]) -> Iterator[Command]:
    # A group can make an empty stream, and leaves no trace of itself.
    yield "XGROUP", "CREATE", key, "respcache", "0", "MKSTREAM"
    yield "XGROUP", "DESTROY", key, "respcache"
    for entry in _array(description.get("value", []), "its value"):
        _check_object(entry, {"id", "fields"}, "an entry")
        yield "XADD", key, _word(entry.get("id", "*"), "an id"), *_fields(entry.get("fields"), "`fields`")
    if "last_id" in description:
        yield "XSETID", key, _word(description["last_id"], "`last_id`"), *_figures_of(description)
    elif "entries_added" in description or "max_deleted_id" in description:
        raise _Wrong("`entries_added` and `max_deleted_id` need a `last_id`")
    for group in _array(description.get("groups", []), "`groups`"):
        yield from _group(key, group)


def _figures_of(description: Mapping[str, Any]) -> Iterator[Word]:
    if "entries_added" in description or "max_deleted_id" in description:
        yield from ("ENTRIESADDED", _word(description.get("entries_added", 0), "`entries_added`"))
        yield from ("MAXDELETEDID", _word(description.get("max_deleted_id", "0-0"), "`max_deleted_id`"))


def _group(key: str, group: Any) -> Iterator[Command]:
    _check_object(group, _OF_GROUPS, "a group")
    name = _word(group.get("name"), "the name of a group")
    read = ("ENTRIESREAD", _word(group["entries_read"], "`entries_read`")) if "entries_read" in group else ()
    yield "XGROUP", "CREATE", key, name, _word(group.get("last_id", "0-0"), "`last_id`"), *read
    for consumer in _array(group.get("consumers", []), "`consumers`"):
        yield "XGROUP", "CREATECONSUMER", key, name, _word(consumer, "a consumer")
    for entry in _array(group.get("pending", []), "`pending`"):
        _check_object(entry, _OF_PENDING, "a pending entry")
        id, consumer = _word(entry.get("id"), "an id"), _word(entry.get("consumer"), "a consumer")
        idle, count = _milliseconds(entry.get("idle", 0), "`idle`"), _word(entry.get("count", 1), "`count`")
        yield "XCLAIM", key, name, consumer, 0, id, "IDLE", idle, "RETRYCOUNT", count, "FORCE", "JUSTID"


_MAKERS = {"string": _string, "list": _list, "set": _set, "hash": _hash, "zset": _zset, "stream": _stream}


def _expiry(key: str, description: Mapping[str, Any]) -> Iterator[Command]:
    if "ttl" in description and "expires_at" in description:
        raise _Wrong("it has both a `ttl` and an `expires_at`")
    if "ttl" in description:
        milliseconds = _milliseconds(description["ttl"], "`ttl`")
        if milliseconds <= 0:
            raise _Wrong("its `ttl` must be positive")
        yield "PEXPIRE", key, milliseconds
    if "expires_at" in description:
        moment = description["expires_at"]
        if isinstance(moment, str):
            moment = _timestamp(moment)
        yield "PEXPIREAT", key, _milliseconds(moment, "`expires_at`")


def _timestamp(text: str) -> float:
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        raise _Wrong(f"`expires_at` is no date and time of ISO 8601: {text!r}") from None
    return (moment if moment.tzinfo else moment.replace(tzinfo=UTC)).timestamp()


# -- pieces


def _word(value: Any, what: str) -> Word:
    if isinstance(value, str):
        return value
    if isinstance(value, (int, float)) and not isinstance(value, bool):
        return str(value)
    if isinstance(value, Mapping) and set(value) == {"base64"}:
        try:
            return b64decode(value["base64"], validate=True)
        except (NotBase64, TypeError, ValueError):
            raise _Wrong(f"{what} is not valid base64: {value['base64']!r}") from None
    raise _Wrong(f"{what} must be a text or a number, not {value!r}")


def _words(description: Mapping[str, Any]) -> list[Word]:
    elements = _array(description.get("value"), "its value")
    if not elements:
        raise _Wrong("it has no elements, and such a key cannot exist")
    return [_word(element, "an element") for element in elements]


def _fields(value: Any, what: str) -> list[Word]:
    pairs: Iterable[Any] = value.items() if isinstance(value, Mapping) else _array(value, what)
    words: list[Word] = []
    for pair in pairs:
        if not isinstance(pair, (list, tuple)) or len(pair) != 2:
            raise _Wrong(f"{what} must be an object, or an array of pairs")
        words += (_word(pair[0], "a name"), _word(pair[1], f"{pair[0]!r}"))
    if not words:
        raise _Wrong(f"{what} must have a member")
    return words


def _array(value: Any, what: str) -> list[Any]:
    if not isinstance(value, list):
        raise _Wrong(f"{what} must be an array, not {value!r}")
    return value


def _milliseconds(value: Any, what: str) -> int:
    if not isinstance(value, (int, float)) or isinstance(value, bool):
        raise _Wrong(f"{what} must be a number of seconds, not {value!r}")
    return round(value * 1000)


def _check_object(value: Any, names: set[str], what: str) -> None:
    if not isinstance(value, Mapping):
        raise _Wrong(f"{what} must be an object, not {value!r}")
    _check_names(value, names)


def _check_names(value: Mapping[str, Any], names: set[str]) -> None:
    unknown = sorted(set(value) - names)
    if unknown:
        raise _Wrong(f"{unknown[0]!r} means nothing there; there may be {', '.join(sorted(names))}")
