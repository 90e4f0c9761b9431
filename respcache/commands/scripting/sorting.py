"""SORT within scripts: the members of a set come in order even if none is asked for, so a script can be repeated."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from respcache.resp.types import Argv

# Options and how many words follow each.
_OPERANDS = {b"ASC": 0, b"DESC": 0, b"ALPHA": 0, b"LIMIT": 2, b"BY": 1, b"GET": 1, b"STORE": 1}


def unordered(argv: Argv) -> Argv | None:
    """The words of a SORT that sorts by the elements themselves, if these words ask not to sort. None if they do not.

    With STORE the handler sorts anyway, and it says what is wrong with other words.
    """
    words, at, dropped = argv[:2], 2, False
    while at < len(argv):
        option = argv[at].upper()
        count = _OPERANDS.get(option)
        if count is None or at + count >= len(argv) or option == b"STORE":
            return None
        if option == b"BY":
            if b"*" in argv[at + 1]:
                return None
            dropped = True
        else:
            words += argv[at : at + count + 1]
        at += count + 1
    return [*words, b"ALPHA"] if dropped else None
