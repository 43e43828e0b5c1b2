"""One signal of one layer at every level of detail: lowest, highest and mean value, and statistics.

Everything here is a function of arrays. A *level* ``k`` holds three values for every ``2**k`` timesteps,
their minimum, maximum and mean, so that a rare spike is still seen from afar.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from lstm_widgets.rnn.parallel import mapped

if TYPE_CHECKING:
    from numpy.typing import NDArray

#: The level that is kept in memory, and made in the same pass as the statistics.
BASE_LEVEL = 4
#: Values that are summed at a time: few enough for a cache, and enough that two threads seldom wait
#: for each other's Python.
CACHED = 1 << 18


class Pooled(NamedTuple):
    """Runs of timesteps as one each: float32 arrays (run, cell), NaN where any of the timesteps is NaN."""

    lowest: NDArray[np.float32]
    highest: NDArray[np.float32]
    mean: NDArray[np.float32]

    @property
    def strongest(self) -> NDArray[np.float32]:
        """The value of largest magnitude, with its sign."""
        return np.where(self.highest >= -self.lowest, self.highest, self.lowest)


def pool(values: NDArray[np.float32], size: int) -> Pooled:
    """
    Sum up every ``size`` timesteps.

    Parameters
    ----------
    values : float32 array (timestep, cell)
    size : int
        Timesteps that become one; the last one may stand for fewer.

    Returns
    -------
    Pooled
        Of ``ceil(timestep / size)`` runs.

    Examples
    --------
    >>> import numpy as np
    >>> pool(np.array([[1], [-3], [5]], np.float32), 2).strongest.tolist()
    [[-3.0], [5.0]]
    """
    if size == 1:
        return Pooled(values, values, values)
    return _pool(Pooled(values, values, values), size, 1, len(values))


def _pool(fine: Pooled, size: int, each: int, columns: int) -> Pooled:
    """Sum up every ``size`` runs, of ``each`` timesteps but for what is left of ``columns`` for the last."""
    count, cells = fine.mean.shape
    runs, whole = math.ceil(count / size), count // size
    coarse = Pooled(*(np.empty((runs, cells), np.float32) for _ in Pooled._fields))
    for part, out, reduce in (
        (fine.lowest, coarse.lowest, np.min),
        (fine.highest, coarse.highest, np.max),
    ):
        out[:whole] = reduce(part[: whole * size].reshape(whole, size, cells), axis=1)
        if whole < runs:
            out[whole] = reduce(part[whole * size :], axis=0)
    full = columns // (each * size)  # runs in which every part stands for as many timesteps
    with np.errstate(invalid="ignore", over="ignore"):
        means = fine.mean[: full * size].reshape(full, size, cells)
        # Sums of many means need float64; those of sixteen values a fast pass.
        share = np.float32(1 / size) if each == 1 else np.float64(1 / size)
        coarse.mean[:full] = np.einsum("rsc,->rc", means, share)
        if full < runs:
            rest = fine.mean[full * size :].astype(np.float64)
            weights = np.full(len(rest), each)
            weights[-1] = columns - each * (count - 1)
            coarse.mean[full] = weights @ rest / weights.sum()
    return coarse


@dataclass(frozen=True)
class CellStatistics:
    """What the page sorts and scales the cells by: one float32 a cell."""

    largest: NDArray[np.float32]
    """The largest finite magnitude of all that is drawn, padding included; 0 where there is none."""
    mean_magnitude: NDArray[np.float32]
    """The mean of |value| without padding; NaN for a cell that has a NaN or no timestep."""
    variance: NDArray[np.float32]
    """The mean squared distance from the mean, without padding; NaN likewise."""

    def tobytes(self) -> bytes:
        """Give what the page reads: float32 (3, cell)."""
        return np.stack([self.largest, self.mean_magnitude, self.variance]).tobytes()


class Levels:
    """
    One signal of one layer, summed up at any zoom.

    Parameters
    ----------
    values : float32 array (example, timestep, cell)
        Kept as it is, without a copy if it is contiguous; examples are laid end to end, as columns.
    mask : bool array (example, timestep), optional
        False marks padding, which counts in no statistic.

    Examples
    --------
    >>> import numpy as np
    >>> levels = Levels(np.arange(8, dtype=np.float32).reshape(1, 8, 1))
    >>> levels.at(2, 0, 2).highest.tolist()
    [[3.0], [7.0]]
    """

    def __init__(self, values: NDArray[np.float32], mask: NDArray[np.bool_] | None = None) -> None:
        examples, timesteps, cells = values.shape
        self.flat = np.ascontiguousarray(values, dtype=np.float32)
        self.flat = self.flat.reshape(examples * timesteps, cells)
        self.columns = examples * timesteps
        self.cells = cells
        self._mask = None if mask is None else np.ascontiguousarray(mask).reshape(-1)

    @cached_property
    def _shift(self) -> NDArray[np.float64]:
        """A value of each cell from which distances are taken.

        Sums of raw squares would lose the variance of a cell that hovers about 5 ± 0.001.
        """
        counted = self._mask if self._mask is not None else np.ones(self.columns, np.bool_)
        first = self.flat[np.argmax(counted)] if self.columns else np.zeros(self.cells)
        return np.where(np.isfinite(first), first, 0).astype(np.float64)

    def _counted(self, start: int, stop: int) -> NDArray[np.float64]:
        """Give the values of some columns, without padding, in the precision that sums need."""
        rows = self.flat[start:stop]
        if self._mask is not None:
            rows = rows[self._mask[start:stop]]
        return rows.astype(np.float64)

    @cached_property
    def _base(self) -> tuple[Pooled, CellStatistics]:
        """Level ``BASE_LEVEL`` and the statistics, in one pass over blocks that fit the cache."""
        size = 1 << BASE_LEVEL
        runs = math.ceil(self.columns / size)
        base = Pooled(*(np.empty((runs, self.cells), np.float32) for _ in Pooled._fields))
        block = max(1, CACHED // max(1, self.cells * size)) * size
        starts = range(0, self.columns, block)

        @np.errstate(invalid="ignore", over="ignore")  # a thread has its own error state
        def one(start: int) -> NDArray[np.float64]:
            rows = self.flat[start : start + block]
            place = slice(start // size, start // size + math.ceil(len(rows) / size))
            for out, part in zip(base, pool(rows, size), strict=True):
                out[place] = part
            distance = self._counted(start, start + block)
            sums = np.empty((4, self.cells))
            sums[0] = len(distance)
            sums[1] = np.abs(distance).sum(axis=0)
            distance -= self._shift
            sums[2] = distance.sum(axis=0)
            sums[3] = np.einsum("tc,tc->c", distance, distance)
            return sums

        with np.errstate(invalid="ignore", divide="ignore", over="ignore"):
            total = sum(mapped(one, starts), np.zeros((4, self.cells)))
            count, magnitude, distance, square = total
            magnitudes = np.abs(base.strongest)
            if np.isfinite(magnitudes).all():
                largest = magnitudes.max(axis=0, initial=0)
            else:
                largest = np.abs(
                    self.flat, where=np.isfinite(self.flat), out=np.zeros_like(self.flat)
                )
                largest = largest.max(axis=0, initial=0)
            variance = np.maximum(square / count - (distance / count) ** 2, 0)
            return base, CellStatistics(
                largest.astype(np.float32),
                (magnitude / count).astype(np.float32),
                variance.astype(np.float32),
            )

    @property
    def statistics(self) -> CellStatistics:
        """The statistics of every cell."""
        return self._base[1]

    def at(
        self, level: int, start: int, stop: int, cells: slice | NDArray[np.intp] = slice(None)
    ) -> Pooled:
        """
        Give runs ``start`` to ``stop`` of a level, from the values or from what is already pooled.

        Parameters
        ----------
        level : int
            A run is ``2**level`` columns.
        start, stop : int
        cells : slice or int array, optional

        Returns
        -------
        Pooled
        """
        first, last = (min(run << level, self.columns) for run in (start, stop))
        if level < BASE_LEVEL:
            return pool(self.flat[first:last][:, cells], 1 << level)
        here = slice(*(math.ceil(column / (1 << BASE_LEVEL)) for column in (first, last)))
        fine = Pooled(*(part[here][:, cells] for part in self._base[0]))
        if level == BASE_LEVEL:
            return fine
        return _pool(fine, 1 << (level - BASE_LEVEL), 1 << BASE_LEVEL, last - first)

    def similarity(self, cell: int) -> NDArray[np.float32]:
        """
        Correlate every cell with one.

        Parameters
        ----------
        cell : int

        Returns
        -------
        float32 array (cell,)
            Pearson's correlation over all timesteps that aren't padding; NaN for a cell that never changes.
        """
        total = np.zeros((3, self.cells))
        count = 0
        block = max(1, CACHED // max(1, self.cells))
        for start in range(0, self.columns, block):
            distance = self._counted(start, start + block)
            distance -= self._shift
            count += len(distance)
            total[0] += distance.sum(axis=0)
            total[1] += np.einsum("tc,tc->c", distance, distance)
            total[2] += distance[:, cell] @ distance
        with np.errstate(invalid="ignore", divide="ignore"):
            mean, square, product = total / count
            covariance = product - mean * mean[cell]
            deviation = np.sqrt(np.maximum(square - mean**2, 0))
            correlation = covariance / (deviation * deviation[cell])
        clipped: NDArray[np.float32] = np.clip(correlation, -1, 1).astype(np.float32)
        return clipped
