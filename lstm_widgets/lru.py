"""What was used last, kept: a few things of many that take long to make."""

from __future__ import annotations

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
        How many values it keeps.

    Examples
    --------
    >>> squares = LRU(2)
    >>> [squares.get(n, lambda n=n: n * n) for n in (3, 4, 3, 5)]
    [9, 16, 9, 25]
    >>> 4 in squares
    False
    """

    def __init__(self, limit: int) -> None:
        self._limit = limit
        self._kept: dict[Hashable, Value] = {}

    def __contains__(self, key: Hashable) -> bool:
        return key in self._kept

    def __len__(self) -> int:
        return len(self._kept)

    def get(self, key: Hashable, make: Callable[[], Value]) -> Value:
        """Give the value of a key; made, if it is not there."""
        value = self._kept.pop(key) if key in self._kept else make()
        self._kept[key] = value  # dicts are in order: the last is what was used last
        while len(self._kept) > self._limit:
            del self._kept[next(iter(self._kept))]
        return value
