"""From arrays of values to the bytes that a page draws: scales, levels of detail, codes.

Everything here is a function of arrays. A *level* ``k`` holds one value for every ``2**k`` timesteps,
the one of largest magnitude with its sign, so that a rare spike is still seen from afar. ``BLOCK``
values of one level of one cell make a tile.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING

import numpy as np

from lstm_widgets.rnn.parallel import mapped

if TYPE_CHECKING:
    from numpy.typing import NDArray

#: Values of one cell in one tile. The page holds the same number (js/src/data/codes.js).
BLOCK = 512
#: The most bytes of codes that the overview of one signal may have.
OVERVIEW_BYTES = 256 * 1024
#: The level that is kept in memory, and made in the same pass as the statistics.
BASE_LEVEL = 4

ZERO, NEGATIVE_INFINITY, POSITIVE_INFINITY, NAN = 127, 0, 254, 255
#: Values that are summed at a time: few enough for a cache, and enough that two threads seldom wait
#: for each other's Python.
_CACHED = 1 << 18
_STEPS = 126  # on each side of zero


def encode(values: NDArray[np.float32], scale: NDArray[np.float32]) -> NDArray[np.uint8]:
    """
    Give each value the byte that stands for it in the page.

    Parameters
    ----------
    values : float32 array (..., timestep)
    scale : float32 array, broadcastable to ``values``
        The magnitude that gets the outermost code, not negative.

    Returns
    -------
    uint8 array, shape of ``values``
        ``127 + round(126 * value / scale)``; 0 and 254 stand for the infinities, 255 for NaN, and 127
        for zero exactly. A value is off by at most ``scale / 252``.
    """
    with np.errstate(invalid="ignore", divide="ignore", over="ignore"):
        # float64: the reciprocal of a very small float32 is none.
        steps = values * np.where(scale > 0, _STEPS / scale.astype(np.float64), 0)
        np.rint(steps, out=steps)
        np.clip(steps, -_STEPS, _STEPS, out=steps)
        steps += ZERO
        broken = ~np.isfinite(values)
        if broken.any():
            steps[broken] = NAN
            steps[np.isposinf(values)] = POSITIVE_INFINITY
            steps[np.isneginf(values)] = NEGATIVE_INFINITY
        codes: NDArray[np.uint8] = np.nan_to_num(steps, nan=ZERO).astype(np.uint8)
        return codes


def pool(values: NDArray[np.float32], size: int) -> NDArray[np.float32]:
    """
    Keep of every ``size`` timesteps the value of largest magnitude, with its sign.

    Parameters
    ----------
    values : float32 array (timestep, cell)
    size : int
        Timesteps that become one; the last one may stand for fewer.

    Returns
    -------
    float32 array (ceil(timestep / size), cell)
        NaN where any of the timesteps is NaN.
    """
    if size == 1:
        return values
    whole = len(values) // size
    grouped = values[: whole * size].reshape(whole, size, values.shape[1])
    pooled = np.empty((math.ceil(len(values) / size), values.shape[1]), np.float32)
    _largest(grouped, pooled[:whole])
    if whole < len(pooled):
        _largest(values[None, whole * size :], pooled[whole:])
    return pooled


def _largest(grouped: NDArray[np.float32], out: NDArray[np.float32]) -> None:
    highest, lowest = grouped.max(axis=1), grouped.min(axis=1)
    out[:] = np.where(highest >= -lowest, highest, lowest)


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


def _selection(cells: list[int]) -> slice | NDArray[np.intp]:
    """Prefer a slice, which copies nothing, where the cells stand in a row."""
    if cells and cells == list(range(cells[0], cells[0] + len(cells))):
        return slice(cells[0], cells[0] + len(cells))
    return np.asarray(cells, dtype=np.intp)


class SignalTiles:
    """
    One signal of one layer, ready to be drawn at any zoom.

    Parameters
    ----------
    values : float32 array (example, timestep, cell)
        Kept as it is, without a copy if it is contiguous.
    mask : bool array (example, timestep), optional
        False marks padding, which counts in no statistic.
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
    def _base(self) -> tuple[NDArray[np.float32], CellStatistics]:
        """Level ``BASE_LEVEL`` and the statistics, in one pass over blocks that fit the cache."""
        size = 1 << BASE_LEVEL
        base = np.empty((math.ceil(self.columns / size), self.cells), np.float32)
        block = max(1, _CACHED // max(1, self.cells * size)) * size
        starts = range(0, self.columns, block)

        @np.errstate(invalid="ignore", over="ignore")  # a thread has its own error state
        def one(start: int) -> NDArray[np.float64]:
            rows = self.flat[start : start + block]
            base[start // size : start // size + math.ceil(len(rows) / size)] = pool(rows, size)
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
            magnitudes = np.abs(base)
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

    @cached_property
    def overview(self) -> tuple[int, NDArray[np.uint8]]:
        """The finest level of at most ``OVERVIEW_BYTES`` codes: its number, and codes (cell, bin)."""
        level = 0
        while self.cells * math.ceil(self.columns / (1 << level)) > OVERVIEW_BYTES and level < 31:
            level += 1
        pooled = self._level(level, 0, math.ceil(self.columns / (1 << level)), slice(None))
        return level, encode(pooled.T, self.statistics.largest[:, None])

    @property
    def codes(self) -> bytes:
        """All values, a byte each: uint8 codes (cell, column)."""
        largest = self.statistics.largest[:, None]
        block = max(1, _CACHED // max(1, self.columns))
        return b"".join(
            encode(self.flat[:, cell : cell + block].T, largest[cell : cell + block]).tobytes()
            for cell in range(0, self.cells, block)
        )

    def tile(self, level: int, block: int, cells: list[int]) -> NDArray[np.uint8]:
        """
        Encode one block of one level for some cells.

        Parameters
        ----------
        level : int
            Timesteps are pooled by ``2**level``.
        block : int
            Which run of ``BLOCK`` values.
        cells : list of int
            The rows wanted, in this order.

        Returns
        -------
        uint8 array (len(cells), at most BLOCK)
        """
        bins = math.ceil(self.columns / (1 << level))
        start, stop = min(block * BLOCK, bins), min((block + 1) * BLOCK, bins)
        pooled = self._level(level, start, stop, _selection(cells))
        return encode(pooled.T, self.statistics.largest[cells][:, None])

    def _level(
        self, level: int, start: int, stop: int, cells: slice | NDArray[np.intp]
    ) -> NDArray[np.float32]:
        """Give bins ``start`` to ``stop`` of a level, from the values or from what is already pooled."""
        if level < BASE_LEVEL:
            rows, size = self.flat, 1 << level
        else:
            rows, size = self._base[0], 1 << (level - BASE_LEVEL)
        return pool(rows[start * size : stop * size][:, cells], size)

    def similarity(self, cell: int) -> NDArray[np.float32]:
        """
        Correlate every cell with one.

        Parameters
        ----------
        cell : int

        Returns
        -------
        float32 array (cell,)
            Pearson's correlation over all timesteps that are no padding; NaN for a cell that never changes.
        """
        total = np.zeros((3, self.cells))
        count = 0
        block = max(1, _CACHED // max(1, self.cells))
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
