"""The queue of replies that did not become a body yet."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from respcache.server.doors.http.portions import Portions
from tests.support.cost import seconds_of


@given(st.lists(st.one_of(st.binary(max_size=30), st.none())))
def test_what_goes_in_comes_out_in_portions(steps: list[bytes | None]) -> None:
    """None takes a portion."""
    portions, left = Portions(8), b""
    for step in steps:
        if step is None:
            assert portions.take() == left[:8]
            left = left[8:]
        else:
            portions.add(step)
            left += step
        assert portions.size == len(left)
    portions.clear()
    assert (portions.size, portions.take()) == (0, b"")


def test_it_costs_what_the_bytes_do() -> None:
    def drain(count: int, size: int) -> None:
        portions = Portions(1000)
        for _ in range(count):
            portions.add(bytes(size))
        while portions.size:
            portions.take()

    assert seconds_of(lambda: drain(1, 40_000_000)) < 40 * seconds_of(lambda: drain(1, 2_000_000)) + 0.05
    assert seconds_of(lambda: drain(400_000, 10)) < 40 * seconds_of(lambda: drain(20_000, 10)) + 0.05
