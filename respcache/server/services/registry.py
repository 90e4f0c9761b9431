"""All clients, by id. An id is given once, and each is greater than the one before."""

from __future__ import annotations

from typing import Generic, Protocol, TypeVar


class Member(Protocol):
    """A client, as far as the registry is concerned."""

    @property
    def id(self) -> int:
        """Given by `next_id`."""


M = TypeVar("M", bound=Member)


class Registry(Generic[M]):
    """Clients from the moment they connect until their socket is closed."""

    def __init__(self) -> None:
        self._members: dict[int, M] = {}  # by id, the oldest first
        self._last_id = 0  # that was given

    def __len__(self) -> int:
        return len(self._members)

    def all(self) -> list[M]:
        """Every client, the oldest first. A copy, as closing one changes the registry."""
        return list(self._members.values())

    def get(self, client_id: int) -> M | None:
        return self._members.get(client_id)

    def next_id(self) -> int:
        self._last_id += 1
        return self._last_id

    def add(self, member: M) -> None:
        self._members[member.id] = member

    def remove(self, member: M) -> None:
        self._members.pop(member.id, None)
