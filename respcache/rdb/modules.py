"""The values of modules: we have no modules, but tell which one is missing."""

from __future__ import annotations

from typing import TYPE_CHECKING, NoReturn

if TYPE_CHECKING:
    from respcache.rdb.strings import Reader

_LETTERS = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"
# A type is nine letters of six bits each, above ten bits for the version of its encoding.
_NAME_LENGTH, _VERSION_BITS = 9, 10


class Unsupported(Exception):
    """The data holds something that respcache has no place for. `what` names it."""

    def __init__(self, what: str) -> None:
        super().__init__(what)
        self.what = what


def refuse_module(reader: Reader) -> NoReturn:
    """Raises Unsupported with the name of the module's type."""
    number = reader.length() >> _VERSION_BITS
    name = "".join(_LETTERS[number >> 6 * at & 63] for at in reversed(range(_NAME_LENGTH)))
    raise Unsupported(f"a value of the module type {name}")
