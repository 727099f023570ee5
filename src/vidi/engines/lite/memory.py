"""What was worked out before: a bounded store in which each thing is worked out once."""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Callable, Hashable
from concurrent.futures import Future
from typing import Generic, TypeVar

Value = TypeVar("Value")


class Memory(Generic[Value]):
    """Values by key, the least recently used forgotten first. Safe to use from several threads."""

    def __init__(self, capacity: int) -> None:
        """Hold at most `capacity` values."""
        self._capacity = capacity
        self._lock = threading.Lock()
        self._values: OrderedDict[Hashable, Future[Value]] = OrderedDict()

    def recall(self, key: Hashable, work_out: Callable[[], Value]) -> Value:
        """The value of a key; the first to ask works it out while others who ask for it wait.

        An error is raised to all who wait, and forgotten.
        """
        with self._lock:
            known = self._values.get(key)
            if known is None:
                promise = self._values[key] = Future()
                if len(self._values) > self._capacity:
                    self._values.popitem(last=False)
            else:
                self._values.move_to_end(key)
        if known is not None:
            return known.result()
        try:
            promise.set_result(work_out())
        except BaseException as error:
            with self._lock:
                self._values.pop(key, None)
            promise.set_exception(error)
            raise
        return promise.result()
