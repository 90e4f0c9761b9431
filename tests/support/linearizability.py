"""Whether a history of concurrent operations could have happened one after the other.

A history is linearisable if every operation can be given one moment between its call and its return, such that the
operations, carried out in the order of these moments on a sequential model, give exactly the replies that were seen.
The search is Wing and Gong's, with Lowe's memory: a state of the search (how far each client has come, and the state of
the model) that failed once is not tried again.

Each client's operations are in its own order. They may overlap (a pipeline): a server that answers in order must carry
them out in order.

An operation may wait for what it needs: its moment is one at which that was there, or, if it has waited in vain, one at
which it was not. To the checker it is a long operation. One that has not been answered, because its client was cut off,
has its moment at any time after its call, or none.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Hashable, Sequence
from operator import ge
from typing import Any, NamedTuple, TypeVar

State = TypeVar("State", bound=Hashable)

# When an operation returned that was not answered.
NEVER = sys.maxsize


class Operation(NamedTuple):
    """One command of a client. Times are of one clock, in any unit. One that NEVER returned is its client's last."""

    called: int
    returned: int
    command: Any
    reply: Any


History = Sequence[Sequence[Operation]]


class NotLinearizable(AssertionError):
    """No order explains the replies; the text has the longest attempt at one, and what could not follow it."""


def check(history: History, model: Callable[[State, Any], tuple[State, Any]], initial: State) -> list[Operation]:
    """An order that explains the history. Raises NotLinearizable.

    `history` has a sequence of operations for each client; `model` gives the next state and the reply of a command.
    """
    start = (0,) * len(history)
    answered = [sum(operation.returned != NEVER for operation in operations) for operations in history]
    seen = {(start, initial)}
    stack: list[tuple[tuple[int, ...], State, list[Operation]]] = [(start, initial, [])]
    longest: list[Operation] = []
    stuck: list[str] = []
    while stack:
        at, state, order = stack.pop()
        if all(map(ge, at, answered)):
            return order
        refused = []
        for client in _possible_next(history, at):
            operation = history[client][at[client]]
            next_state, reply = model(state, operation.command)
            if reply != operation.reply and operation.returned != NEVER:
                refused.append(f"{operation.command} -> {operation.reply!r}, but the model says {reply!r}")
                continue
            reached = (*at[:client], at[client] + 1, *at[client + 1 :])
            if (reached, next_state) not in seen:
                seen.add((reached, next_state))
                stack.append((reached, next_state, [*order, operation]))
        if refused and len(order) >= len(longest):
            longest, stuck = order, refused
    lines = [f"{operation.command} -> {operation.reply!r}" for operation in longest]
    raise NotLinearizable("\n".join(["after", *lines, "none of these can follow:", *stuck]))


def _possible_next(history: History, at: tuple[int, ...]) -> list[int]:
    """Clients whose next operation may come now: it was called before any operation that is left had returned.

    The one that returned first comes last, where the search begins: mostly that is the order in which things happened.
    """
    left = [(client, history[client][index]) for client, index in enumerate(at) if index < len(history[client])]
    first_return = min(operation.returned for _, operation in left)
    left.sort(key=lambda entry: entry[1].returned, reverse=True)
    return [client for client, operation in left if operation.called <= first_return]
