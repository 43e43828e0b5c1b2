"""What was used last, kept: a few things of many that take long to make."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING, Generic, TypeVar

if TYPE_CHECKING:
    from collections.abc import Callable, Hashable

Value = TypeVar("Value")


class LRU(Generic[Value]):
    """
    A cache that lets go of what was least recently used.

    Parameters
    ----------
    limit : int
        How many values it keeps; or how much they weigh together.
    weigh : callable, optional
        How much a value weighs, in bytes for example. One that is heavier than the limit isn't kept.
        Default: 1.

    Examples
    --------
    >>> squares = LRU(2)
    >>> [squares.get(n, lambda n=n: n * n) for n in (3, 4, 3, 5)]
    [9, 16, 9, 25]
    >>> 4 in squares
    False
    """

    def __init__(self, limit: int, weigh: Callable[[Value], int] = lambda _: 1) -> None:
        self._limit, self._weigh = limit, weigh
        self._kept: dict[Hashable, Value] = {}
        self._weight = 0
        self._lock = threading.RLock()

    def __contains__(self, key: Hashable) -> bool:
        return key in self._kept

    def __len__(self) -> int:
        return len(self._kept)

    def get(self, key: Hashable, make: Callable[[], Value]) -> Value:
        """Give the value of a key; made, if it is not there."""
        with self._lock:
            if key in self._kept:
                value = self._kept.pop(key)
            else:
                value = make()
                self._weight += self._weigh(value)
            self._kept[key] = value  # dicts are in order: the last is what was used last
            while self._weight > self._limit:
                self._weight -= self._weigh(self._kept.pop(next(iter(self._kept))))
            return value
