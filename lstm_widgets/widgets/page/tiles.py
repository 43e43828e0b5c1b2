"""From arrays of values to the bytes that a page draws: scales, levels of detail, codes.

Of every ``2**k`` timesteps, a level ``k`` draws the value of largest magnitude with its sign. ``BLOCK``
values of one level of one cell make a tile.
"""

from __future__ import annotations

import math
import warnings
from dataclasses import dataclass, replace
from functools import cached_property
from typing import TYPE_CHECKING

import numpy as np

from lstm_widgets.recording.levels import CACHED, CellStatistics, KeptLevels, Levels

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

    import xarray as xr
    from numpy.typing import NDArray

#: Values of one cell in one tile. The page holds the same number (js/src/data/codes.js).
BLOCK = 512
#: The most bytes of codes that the overview of one signal may have.
OVERVIEW_BYTES = 256 * 1024

ZERO, NEGATIVE_INFINITY, POSITIVE_INFINITY, NAN = 127, 0, 254, 255
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


def _selection(cells: list[int]) -> slice | NDArray[np.intp]:
    """Prefer a slice, which copies nothing, where the cells stand in a row."""
    if cells and cells == list(range(cells[0], cells[0] + len(cells))):
        return slice(cells[0], cells[0] + len(cells))
    return np.asarray(cells, dtype=np.intp)


class SignalTiles(Levels):
    """One signal of one layer, ready to be drawn at any zoom."""

    @property
    def compared(self) -> CellStatistics:
        """By what cells are put in order."""
        return self.statistics

    @property
    def loudest(self) -> NDArray[np.float32]:
        """By what cells are hidden as quiet, and how long the longest bars beside rows are."""
        return self.statistics.mean_magnitude

    @property
    def packed(self) -> bytes:
        """What the page is told of cells: float32 (3, cell); of a variant (6, cell)."""
        return self.statistics.tobytes()

    @cached_property
    def overview(self) -> tuple[int, NDArray[np.uint8]]:
        """The finest level of at most ``OVERVIEW_BYTES`` codes: its number, and codes (cell, bin)."""
        level = 0
        while self.cells * math.ceil(self.columns / (1 << level)) > OVERVIEW_BYTES and level < 31:
            level += 1
        pooled = self.at(level, 0, math.ceil(self.columns / (1 << level))).strongest
        return level, encode(pooled.T, self.statistics.largest[:, None])

    @property
    def codes(self) -> bytes:
        """All values, a byte each: uint8 codes (cell, column)."""
        largest = self.statistics.largest[:, None]
        codes = np.empty((self.cells, self.columns), np.uint8)
        block = max(1, CACHED // max(1, self.cells))
        for start in range(0, self.columns, block):
            stop = min(start + block, self.columns)
            codes[:, start:stop] = encode(self.read(start, stop).T, largest)
        return codes.tobytes()

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
        pooled = self.at(level, start, stop, _selection(cells)).strongest
        return encode(pooled.T, self.statistics.largest[cells][:, None])


@dataclass(frozen=True)
class Together:
    """
    What is known of a signal's cells from all variants together.

    Attributes
    ----------
    compared : CellStatistics
        The largest magnitude in any of them, and the means over all of them.
    loudest : float32 array (cell,)
        The mean magnitude of each cell in the variant where that is largest.
    """

    compared: CellStatistics
    loudest: NDArray[np.float32]

    @classmethod
    def of(cls, statistics: Iterable[CellStatistics]) -> Together:
        """Put those of all variants together."""
        every = list(statistics)
        loud = [one.mean_magnitude for one in every]
        largest = np.max([one.largest for one in every], axis=0)
        compared = CellStatistics(largest, _mean(loud), _mean([one.variance for one in every]))
        return cls(compared, np.fmax.reduce(loud))


class VariantTiles(SignalTiles):
    """
    A signal of one of several variants.

    Its colours stand for the same values in all of them, and rows keep their order from one to the next:
    each cell's largest magnitude is that of all variants, and what cells are compared by is taken over all.

    Parameters
    ----------
    values, mask : xarray.DataArray
        As of `SignalTiles`.
    own : SignalTiles
        The same signal on its own.
    together : Together
        What is known of all variants together.
    every : callable
        Gives the signal of all variants, each on its own.
    """

    def __init__(
        self,
        values: xr.DataArray,
        mask: xr.DataArray | None,
        own: SignalTiles,
        together: Together,
        every: Callable[[], Iterable[SignalTiles]],
    ) -> None:
        shared = replace(own.statistics, largest=together.compared.largest)
        super().__init__(values, mask, KeptLevels(own.kept.levels, shared))
        self._together, self._every = together, every

    @property
    def compared(self) -> CellStatistics:
        """By what cells are put in order: means over all variants."""
        return self._together.compared

    @property
    def loudest(self) -> NDArray[np.float32]:
        """The mean magnitude of each cell in the variant where that is largest."""
        return self._together.loudest

    @property
    def packed(self) -> bytes:
        """Float32 (6, cell): the statistics, then the means over all variants, and `loudest`."""
        compared = self.compared
        return self.statistics.tobytes() + b"".join(
            part.tobytes() for part in (self.loudest, compared.mean_magnitude, compared.variance)
        )

    def similarity(self, cell: int) -> NDArray[np.float32]:
        """Correlate every cell with one, as `Levels.similarity` does: the mean over all variants."""
        return _mean([one.similarity(cell) for one in self._every()])


def _mean(parts: Sequence[NDArray[np.float32]]) -> NDArray[np.float32]:
    """Average over variants, without those in which there is no number."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", RuntimeWarning)  # of a cell that has none in any
        mean: NDArray[np.float32] = np.nanmean(np.stack(parts).astype(np.float64), axis=0).astype(
            np.float32
        )
    return mean
