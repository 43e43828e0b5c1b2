"""One line at every level of detail.

A *level* ``k`` has the lowest and the highest of every ``4**k`` timesteps, so that no spike is lost
however many timesteps share a pixel. What is missing (NaN) counts in neither: only where all of them are
missing is there a gap.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

#: Runs of one level that are one of the next. The page has the same numbers (js/src/data/levels.js).
POOLED = 4
#: Runs in a tile; the coarsest level has no more.
TILE = 512


class Line:
    """
    One line at every level of detail.

    Parameters
    ----------
    values : float32 array (timestep,)
        NaN where there is none.

    Examples
    --------
    >>> import numpy as np
    >>> line = Line(np.array([0, 1, np.nan, 9, -2, 3], np.float32))
    >>> line.level(1).tolist()
    [[0.0, -2.0], [9.0, 3.0]]
    """

    def __init__(self, values: NDArray[np.float32]) -> None:
        self.values = np.ascontiguousarray(values, dtype=np.float32)
        self._levels = [np.stack([self.values, self.values])]

    def __len__(self) -> int:
        return len(self.values)

    def read(self, first: int, stop: int) -> NDArray[np.float32]:
        """Give the values of some timesteps: float32 (timestep,)."""
        return self.values[first:stop]

    def level(self, level: int) -> NDArray[np.float32]:
        """Give the lowest and the highest of every ``4**level`` timesteps: float32 (2, run)."""
        while len(self._levels) <= level:
            self._levels.append(pooled(self._levels[-1]))
        return self._levels[level]

    @property
    def top(self) -> int:
        """The first level of no more than ``TILE`` runs."""
        return top_level(len(self.values))

    def tile(self, level: int, block: int) -> NDArray[np.float32]:
        """
        Give one block of a level.

        Parameters
        ----------
        level : int
        block : int
            Which ``TILE`` runs.

        Returns
        -------
        float32 array (2, run), or (run,) of level 0, which has the values themselves
        """
        part = slice(block * TILE, (block + 1) * TILE)
        return self.level(level)[:, part] if level else self.values[part]

    def extent(self, first: int = 0, stop: int | None = None) -> tuple[float, float] | None:
        """Give the lowest and the highest finite value of some timesteps; None if there is none."""
        some = self.values[first:stop]
        finite = some[np.isfinite(some)]
        return (float(finite.min()), float(finite.max())) if len(finite) else None

    def strongest(self, edges: NDArray[np.intp]) -> NDArray[np.float32]:
        """Give what has the largest magnitude between edges, with its sign: float32 (column,)."""
        low, high = self.columns(edges)
        strongest: NDArray[np.float32] = np.where(-low > high, low, high)
        return strongest

    def columns(self, edges: NDArray[np.intp]) -> NDArray[np.float32]:
        """
        Give the lowest and the highest between edges.

        Parameters
        ----------
        edges : int array (column + 1,)
            Rising: a column has the timesteps from one edge up to, without, the next.

        Returns
        -------
        float32 array (2, column)
            NaN where a column has no timestep, or all of them are missing.
        """
        made = np.full((2, len(edges) - 1), np.nan, np.float32)
        some = edges[1:] > edges[:-1]
        if some.any():
            starts = edges[:-1][some]
            part = self.values[: edges[-1]]
            made[0, some] = np.fmin.reduceat(part, starts)
            made[1, some] = np.fmax.reduceat(part, starts)
        return made


def pooled(level: NDArray[np.float32]) -> NDArray[np.float32]:
    """Sum up every ``POOLED`` runs: the lowest and the highest of each, float32 (2, run)."""
    count = math.ceil(level.shape[1] / POOLED)
    parts = np.full((2, count * POOLED), np.nan, np.float32)
    parts[:, : level.shape[1]] = level
    made = parts[:, ::POOLED].copy()
    for i in range(1, POOLED):
        np.fmin(made[0], parts[0, i::POOLED], out=made[0])
        np.fmax(made[1], parts[1, i::POOLED], out=made[1])
    return made


def top_level(count: int) -> int:
    """Give the first level of so many timesteps that has no more than ``TILE`` runs."""
    level = 0
    while count > TILE * POOLED**level:
        level += 1
    return level
