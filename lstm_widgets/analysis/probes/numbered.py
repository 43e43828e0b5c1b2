"""Timesteps that are meant, numbered one after the other, in a bit a timestep or less."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from lstm_widgets.concepts.packed import Packing

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    import numpy.typing as npt

    from lstm_widgets.concepts.packed import PackedTrack

    Flags = npt.NDArray[np.bool_]
    Places = npt.NDArray[np.integer[Any]]

__all__ = ["STRETCH", "Atoms", "Numbered", "stretches"]

#: Timesteps that are looked at together.
STRETCH = 1 << 18


def stretches(count: int) -> Iterator[slice]:
    """Go through so many timesteps, some at a time."""
    for start in range(0, count, STRETCH):
        yield slice(start, min(start + STRETCH, count))


class Numbered:
    """Some columns of a layer (its timesteps, examples laid end to end), numbered in their order."""

    def __init__(self, flags: PackedTrack) -> None:
        self._flags = flags
        counts = [np.count_nonzero(flags.block(part)) for part in stretches(len(flags))]
        self._before = np.append(0, np.cumsum(counts, dtype=np.int64))

    @classmethod
    def of(cls, parts: Iterable[Flags]) -> Numbered:
        """Give numbers to those columns that are marked, part by part."""
        packing = Packing("yes_no")
        for part in parts:
            packing.add(part)
        return cls(packing.packed())

    def __len__(self) -> int:
        return int(self._before[-1])

    def here(self, columns: slice) -> Flags:
        """Tell which columns are among them."""
        return np.asarray(self._flags.block(columns), np.bool_)

    def before(self, column: int) -> int:
        """Count those before a column."""
        column = min(max(column, 0), len(self._flags))
        part = column // STRETCH
        rest = self._flags.block(slice(part * STRETCH, column))
        return int(self._before[part]) + int(np.count_nonzero(rest))

    def edges(self, width: int) -> Places:
        """Count those before each example of so many columns, and all of them at last."""
        columns = len(self._flags)
        if width > STRETCH:
            return np.array([self.before(k) for k in range(0, columns + 1, width)], np.intp)
        together = STRETCH // max(1, width) * width
        counts = [
            self.here(slice(k, k + together)).reshape(-1, width).sum(axis=1)
            for k in range(0, columns, max(1, together))
        ]
        return np.cumsum(np.concatenate([np.zeros(1, np.intp), *counts]))

    def within(self, columns: slice) -> slice:
        """Tell which numbers some columns have."""
        start = self.before(columns.start)
        return slice(start, start + int(np.count_nonzero(self.here(columns))))

    def column(self, row: int) -> int:
        """Tell which column has a number."""
        part = int(np.searchsorted(self._before, row, side="right")) - 1
        first, last = map(int, self._before[part : part + 2])
        if last - first == min(STRETCH, len(self._flags) - part * STRETCH):  # all are among them
            return part * STRETCH + row - first
        here = self.here(slice(part * STRETCH, (part + 1) * STRETCH))
        return part * STRETCH + int(np.flatnonzero(here)[row - first])


@dataclass(frozen=True)
class Atoms:
    """A number for each of many timesteps, the same for all of a stretch.

    Attributes
    ----------
    starts, values : int array (stretch,)
        Where each stretch begins, and the number.
    count : int
        How many timesteps there are.
    """

    starts: Places
    values: Places
    count: int

    @classmethod
    def of(cls, starts: Places, values: Places, count: int) -> Atoms:
        """Make them of stretches, of which neighbours may have the same number."""
        fresh = np.append(True, values[1:] != values[:-1])[: len(values)]
        return cls(starts[fresh], values[fresh], count)

    def only(self, there: Flags) -> Atoms:
        """Leave some of the timesteps out."""
        sizes = np.add.reduceat(there, self.starts, dtype=np.intp)
        some, ends = sizes > 0, np.cumsum(sizes)
        return Atoms.of((ends - sizes)[some], self.values[some], int(sizes.sum()))

    def __len__(self) -> int:
        return self.count

    def __getitem__(self, among: slice | Places) -> Places:
        """Give the numbers of timesteps that follow each other, or of some."""
        if not isinstance(among, slice):
            found = np.searchsorted(self.starts, among, side="right") - 1
            return np.asarray(self.values[found])
        start, stop, step = among.indices(self.count)
        first = int(np.searchsorted(self.starts, start, side="right")) - 1
        last = int(np.searchsorted(self.starts, stop))
        ends = np.append(self.starts[first + 1 : last], stop)
        begins = np.maximum(self.starts[first:last], start)
        return np.repeat(self.values[first:last], np.maximum(ends - begins, 0))[::step]
