"""Scores of shifted tracks, of all rows of a ranking together: the null that q-values come from."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    import numpy.typing as npt

    Floats = npt.NDArray[np.floating[Any]]
    Places = npt.NDArray[np.integer[Any]]

# What single precision may have cost a shifted score: less far from the score counts as equal.
ROUNDING = 1e-5


class Pool:
    """The shifted scores of all rows, each as a z-score under the others of its row.

    Only how many there are of each size is kept, by a fine scale on which the higher is the
    coarser; a score takes part of its step with it, which makes p-values larger, never smaller.
    """

    _STEPS = 1 << 14

    def __init__(self) -> None:
        self._counts = np.zeros(self._STEPS, np.int64)

    def _step(self, standing: Floats) -> Places:
        place = np.arcsinh(np.nan_to_num(standing, nan=0.0)) / 32 + 0.5  # z-scores up to 4 million
        return (place.clip(0, 1 - 1e-12) * self._STEPS).astype(np.intp)

    def add(self, null: Floats, score: Floats) -> Floats:
        """Take in shifted scores ``(row, shift)``; give z-scores of ``score`` ``(row,)`` under them."""
        n = null.shape[-1]
        away = null - null.mean(axis=-1, keepdims=True, dtype=np.float64)
        squares = (away**2).sum(axis=-1, keepdims=True)
        # Leave-one-out: a shifted score is standardized by the others, as the score is.
        others = np.maximum(squares - away**2 * n / (n - 1), 0) / (n - 1) if n > 1 else squares
        deviation = np.sqrt(squares[..., 0] / n)
        with np.errstate(divide="ignore", invalid="ignore"):
            standing = away * (n / (n - 1) if n > 1 else 1.0) / np.sqrt(others)
            own = (score - null.mean(axis=-1, dtype=np.float64)) / deviation
        self._counts += np.bincount(self._step(standing).ravel(), minlength=self._STEPS)
        # Where all shifts score the same, nothing can be told from them.
        return np.where(deviation > ROUNDING, own, -np.inf)

    def p_values(self, standing: Floats) -> Floats:
        """How often a shifted score of any row stands as high."""
        if not self._counts.any():
            return np.full(standing.shape, np.nan)
        as_high = self._counts[::-1].cumsum()[::-1]
        p_values = (1 + as_high[self._step(standing)]) / (1 + as_high[0])
        return np.where(np.isnan(standing), np.nan, p_values)


@dataclass(frozen=True)
class Pools:
    """Shifted scores of all rows: of the cells as they are, and without their slow changes."""

    whole: Pool
    quick: Pool
