"""The one bounded cache: prepared pictures, answers that are given again, findings of an engine."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable, Hashable
from typing import Generic, TypeVar

Key = TypeVar("Key", bound=Hashable)
Value = TypeVar("Value")


def count_one(_key: object, _value: object) -> int:
    """The size of values of which a number is kept."""
    return 1


class LruCache(Generic[Key, Value]):
    """Values by key within a room, the least recently used put out first. For one thread, or behind a lock.

    A key has to say everything that its value depends on. Then equal keys mean equal values, and nothing in
    here can be stale or somebody else's.

    Attributes:
        largest: What is over this is not kept, in the unit of the room.
    """

    def __init__(
        self, room: int, size: Callable[[Key, Value], int] = count_one, *, largest_part: int = 1
    ) -> None:
        """Keep nothing yet.

        Args:
            room: The most that is kept, in the unit of `size`; 0 keeps nothing.
            size: How much of the room a value takes, with its key.
            largest_part: What is over this part of the room is not kept: it would put out too many others.
        """
        self._room = room
        self._size = size
        self.largest = room // largest_part
        self._used = 0
        self._entries: OrderedDict[Key, tuple[Value, int]] = OrderedDict()

    @property
    def used(self) -> int:
        """How much of the room is taken."""
        return self._used

    def get(self, key: Key) -> Value | None:
        """The value that was kept under this key, if it still is; it is now the last to be put out."""
        entry = self._entries.get(key)
        if entry is None:
            return None
        self._entries.move_to_end(key)
        return entry[0]

    def put(self, key: Key, value: Value) -> None:
        """Keep a value unless it is too large; put out others until there is room for it."""
        size = self._size(key, value)
        if size > self.largest:
            return
        self.discard(key)
        self._entries[key] = (value, size)
        self._used += size
        while self._used > self._room:
            self.discard(next(iter(self._entries)))

    def discard(self, key: Key) -> None:
        """Keep a key's value no longer; one that is not kept is no error."""
        entry = self._entries.pop(key, None)
        if entry is not None:
            self._used -= entry[1]

    def clear(self) -> None:
        """Keep nothing any more."""
        self._entries.clear()
        self._used = 0
