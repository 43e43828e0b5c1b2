"""Lines of what isn't in memory, drawn from what was summed up of them at levels of detail.

A run of a level that has a gap, or padding, is looked at more closely, down to its values: what comes out
is what would come of all values.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from lstm_widgets.views.line import POOLED, TILE, top_level

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from numpy.typing import NDArray

    from lstm_widgets.recording.levels import Levels
    from lstm_widgets.recording.rows import Rows

    Floats = NDArray[np.float32]
    Numbers = NDArray[np.intp]

__all__ = ["LongLine"]

# Values, or runs, that are read together: so many, and not over more that nobody asks for.
_TOGETHER, _BETWEEN = 1 << 14, 1 << 8


class _Pieces(NamedTuple):
    """Stretches of columns that are still to be looked at, and what each is a part of: int (n,)."""

    start: Numbers
    stop: Numbers
    of: Numbers

    def only(self, which: NDArray[np.bool_]) -> _Pieces:
        return _Pieces(*(part[which] for part in self))

    def then(self, *others: _Pieces) -> _Pieces:
        """Put others to them, without those of no column, in order."""
        every = _Pieces(*map(np.concatenate, zip(self, *others, strict=True)))
        every = every.only(every.stop > every.start)
        order = np.argsort(every.start, kind="stable")
        return _Pieces(*(part[order] for part in every))

    def together(self) -> Iterator[_Pieces]:
        """Give those that are read together, one group after the other."""
        first = 0
        for k in range(1, len(self.start) + 1):
            ended = k == len(self.start) or (
                self.start[k] - self.stop[k - 1] > _BETWEEN
                or self.stop[k] - self.start[first] > _TOGETHER
            )
            if ended:
                yield _Pieces(*(part[first:k] for part in self))
                first = k

    @property
    def each(self) -> tuple[Numbers, Numbers]:
        """Every column of theirs, and what it is a part of."""
        counts = self.stop - self.start
        begins = np.repeat(self.start - np.cumsum(counts) + counts, counts)
        return begins + np.arange(len(begins)), np.repeat(self.of, counts)


class LongLine:
    """
    One line of what isn't in memory at every level of detail; as `Line`.

    Parameters
    ----------
    levels : Levels
        What it is a cell of.
    cell : int
        Which one.
    example, count : int
        Which example, of how many timesteps each.
    mask : Rows, optional
        False marks padding, which is a gap.

    Examples
    --------
    >>> import numpy as np
    >>> from lstm_widgets.recording.levels import Levels
    >>> line = LongLine(Levels(np.arange(1024, dtype=np.float32).reshape(2, 512, 1)), 0, 1, 512)
    >>> line.columns(np.array([0, 100, 512])).tolist()
    [[512.0, 612.0], [611.0, 1023.0]]
    """

    def __init__(
        self, levels: Levels, cell: int, example: int, count: int, mask: Rows | None = None
    ) -> None:
        self._levels, self._cell, self._mask = levels, cell, mask
        self._begin, self._count = example * count, count

    def __len__(self) -> int:
        return self._count

    def read(self, first: int, stop: int) -> Floats:
        """Give the values of some timesteps: float32 (timestep,)."""
        first, stop, _ = slice(first, stop).indices(self._count)
        return self._values(self._begin + first, self._begin + max(first, stop))

    def _values(self, start: int, stop: int) -> Floats:
        values = self._levels.read(start, stop, self._cell)
        if self._mask is not None:
            values = np.where(self._mask[start:stop], values, np.float32(np.nan))
        return values

    def extent(self, first: int = 0, stop: int | None = None) -> tuple[float, float] | None:
        """Give the lowest and the highest finite value of some timesteps; None if there is none."""
        edges = np.array([first, self._count if stop is None else max(first, stop)])
        low, high = self._ends(edges, np.isfinite)[:, 0].tolist()
        return (low, high) if low <= high else None

    def columns(self, edges: NDArray[np.intp]) -> Floats:
        """Give the lowest and the highest between edges, NaN where nothing is: float32 (2, column)."""
        return self._ends(edges, _is_number)

    def _ends(self, edges: NDArray[np.intp], sure: Callable[[Floats], NDArray[np.bool_]]) -> Floats:
        """
        Find the lowest and the highest between edges.

        Parameters
        ----------
        edges : int array (column + 1,)
            Rising timesteps.
        sure : callable
            Which values count. A run that has an end which doesn't is looked at more closely.
        """
        made = np.stack([np.full(len(edges) - 1, end, np.float32) for end in (np.inf, -np.inf)])
        columns = self._begin + np.asarray(edges, np.intp)
        none = _Pieces(*(np.zeros(0, np.intp) for _ in _Pieces._fields))
        pieces = none.then(_Pieces(columns[:-1], columns[1:], np.arange(len(edges) - 1)))
        for level in sorted(self._levels.kept.levels, reverse=True):
            pieces = self._of_runs(level, pieces, sure, made)
        for some in pieces.together():
            start = int(some.start[0])
            values = self._values(start, int(some.stop.max()))
            places, of = some.each
            here = values[places - start]
            counts = sure(here)
            np.minimum.at(made[0], of[counts], here[counts])
            np.maximum.at(made[1], of[counts], here[counts])
        made[:, made[0] > made[1]] = np.nan
        return made

    def _of_runs(
        self,
        level: int,
        pieces: _Pieces,
        sure: Callable[[Floats], NDArray[np.bool_]],
        made: Floats,
    ) -> _Pieces:
        """Take from whole runs of a level what they tell; gives what they don't."""
        runs, size = self._levels.kept.levels[level], 1 << level
        there = min(len(runs), self._levels.columns >> level)
        first = -(-pieces.start // size)
        last = np.minimum(pieces.stop // size, there)
        some = last > first
        if not some.any():
            return pieces
        inside = _Pieces(first[some], last[some], pieces.of[some])
        left = pieces.only(~some).then(
            _Pieces(pieces.start[some], inside.start * size, inside.of),
            _Pieces(inside.stop * size, pieces.stop[some], inside.of),
        )
        unsure = [left]
        for group in inside.then().together():
            begin, end = int(group.start[0]), int(group.stop.max())
            ends = runs[begin:end][:, :2, self._cell]
            known = np.asarray(sure(ends).all(axis=1))
            gone = np.zeros(len(known), np.bool_)
            if self._mask is not None:
                real = _real(self._mask, level, begin, end)
                known &= real == size
                gone = real == 0
            places, of = group.each
            places -= begin
            there_of, here = of[known[places]], places[known[places]]
            np.minimum.at(made[0], there_of, ends[here, 0])
            np.maximum.at(made[1], there_of, ends[here, 1])
            closer = ~known[places] & ~gone[places]
            start = (places[closer] + begin) * size
            unsure.append(_Pieces(start, start + size, of[closer]))
        return unsure[0].then(*unsure[1:])

    @property
    def top(self) -> int:
        """The first level of no more than ``TILE`` runs."""
        return top_level(self._count)

    def tile(self, level: int, block: int) -> Floats:
        """Give one block of a level: float32 (2, run), or (run,) of level 0."""
        size = POOLED**level
        runs = -(-self._count // size)
        first, stop = (min(at * TILE, runs) for at in (block, block + 1))
        if not level:
            return self.read(first, stop)
        return self.columns(np.minimum(np.arange(first, stop + 1) * size, self._count))


def _is_number(values: Floats) -> NDArray[np.bool_]:
    return ~np.isnan(values)


def _real(mask: Rows, level: int, begin: int, end: int) -> Numbers:
    """Count the timesteps of each of some runs that aren't padding."""
    together = max(1, _TOGETHER >> level)
    counts = [
        mask[run << level : min(run + together, end) << level]
        .reshape(-1, 1 << level)
        .sum(axis=1, dtype=np.intp)
        for run in range(begin, end, together)
    ]
    return np.concatenate([np.zeros(0, np.intp), *counts])
