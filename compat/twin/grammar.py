"""How to write strategies for calls by hand: a call is a sequence of words, strategies for words, and options."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TypeVar

from hypothesis import strategies as st

Call = tuple[str, ...]
Words = list[str]
# A word; or a strategy for a word or for several.
Part = str | st.SearchStrategy[str] | st.SearchStrategy[Words]
T = TypeVar("T")


def weighted(*choices: tuple[int, st.SearchStrategy[T]]) -> st.SearchStrategy[T]:
    """One of these strategies, as often as its weight says. `st.one_of` dissolves those that are choices themselves,
    and takes no account of one that is given twice."""
    lots = [at for at, (weight, _) in enumerate(choices) for _ in range(weight)]
    return st.sampled_from(lots).flatmap(lambda at: choices[at][1])


def call(*parts: Part) -> st.SearchStrategy[Call]:
    """Calls with these parts, in this order."""
    return words(*parts).map(tuple)


def words(*parts: Part) -> st.SearchStrategy[Words]:
    """The words of these parts, in this order."""
    strategies = [st.just(part) if isinstance(part, str) else part for part in parts]
    return st.tuples(*strategies).map(_joined)


def _joined(parts: Iterable[str | Words]) -> Words:
    return [word for part in parts for word in ([part] if isinstance(part, str) else part)]


def maybe(*parts: Part) -> st.SearchStrategy[Words]:
    """Nothing, or these parts: nothing in two of three cases."""
    nothing: st.SearchStrategy[Words] = st.just([])
    return weighted((2, nothing), (1, words(*parts)))


def several(*parts: Part, most: int = 3) -> st.SearchStrategy[Words]:
    """These parts, once or a few times."""
    return st.lists(words(*parts), min_size=1, max_size=most).map(_joined)


def one_of(*choices: str) -> st.SearchStrategy[str]:
    """One of these words."""
    return st.sampled_from(choices)


def counted(*parts: Part, most: int = 3) -> st.SearchStrategy[Words]:
    """How often these parts come, and then so many of them: numkeys and keys."""
    return st.lists(words(*parts), min_size=1, max_size=most).map(lambda found: [str(len(found)), *_joined(found)])
