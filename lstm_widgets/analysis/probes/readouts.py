r"""Linear readouts fitted from sums: ridge regression on all cells, least squares on a few.

States are standardised by the training part of the outer fold, :math:`\tilde x = (x - \mu) / \sigma`, and

.. math:: \min_{w, b} \sum_t (y_t - b - w \cdot \tilde x_t)^2 + \alpha |w|^2

has the solution :math:`w = V (\Lambda + \alpha)^{-1} V' \tilde X' y`, of the eigenvectors V and
eigenvalues Λ of :math:`\tilde X' \tilde X`: found once, it serves all penalties α, all targets and all
shifted targets (Hoerl & Kennard 1970, Technometrics 12(1), 55-67). What a readout loses on the
timesteps of an inner fold is a quadratic form of their sums, so penalties are chosen without
reading anything again.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Sequence

    import numpy.typing as npt

    from lstm_widgets.analysis.probes.moments import Sums, TargetSums

    Floats = npt.NDArray[np.float64]
    Places = npt.NDArray[np.integer[Any]]

__all__ = ["PENALTIES", "Design", "Readouts", "squared_errors"]

#: Penalties that are tried, in units of the number of timesteps that are fitted on.
PENALTIES = np.logspace(-6, 2, 17)
#: A small set has so many cells at most.
MOST_CELLS = 8
# A cell of which less is left, once others are known, is their copy.
_COPY = 1e-9


@dataclass(frozen=True)
class Readouts:
    """Fitted to each of some targets.

    Attributes
    ----------
    weights : float64 array (cell, target)
        Of states as they are, not standardised.
    intercept : float64 array (target,)
        What is added.
    error : float64 array (target,)
        Mean squared error in the inner folds, with what was chosen there.
    penalty : float64 array (target,)
        The penalty α that was chosen, for sums over the training part.
    cells : int array (target, k)
        The cells that were chosen, the most telling first; -1 for none, and no columns if all take
        part.
    """

    weights: Floats
    intercept: Floats
    error: Floats
    penalty: Floats
    cells: Places


class _Inner:
    """An inner fold: what is fitted, what is held out, and how to fit."""

    def __init__(self, train: Sums, held: Sums, scale: Floats) -> None:
        self.train, self.held = train, held
        self.mean = train.x / train.n
        self.gram = _around(train, self.mean) / np.outer(scale, scale)
        self.held_gram = _around(held, self.mean) / np.outer(scale, scale)
        self.values, self.vectors = np.linalg.eigh(self.gram)
        self.held_turned = self.vectors.T @ self.held_gram @ self.vectors
        self.scale = scale

    def cross(self, targets: TargetSums) -> Floats:
        """Multiply states and targets, of what is fitted: ``(cell, target)``."""
        return (targets.xy - np.outer(self.mean, targets.y)) / self.scale[:, None]

    def held_cross(self, targets: TargetSums, held: TargetSums) -> tuple[Floats, Floats]:
        """Multiply states and targets, and targets, of what is held out, less the means of what is fitted."""
        mean_y = targets.y / self.train.n
        cross = held.xy - np.outer(self.mean, held.y)
        cross -= np.outer(self.held.x - self.held.n * self.mean, mean_y)
        return cross / self.scale[:, None], held.yy - 2 * mean_y * held.y + self.held.n * mean_y**2


class Design:
    """The states of the training part of one fold, ready to be fitted to any target."""

    def __init__(self, train: Sums, inner: Sequence[tuple[Sums, Sums]]) -> None:
        self.train = train
        self.mean = train.x / train.n
        centred = _around(train, self.mean)
        deviation = np.sqrt(np.maximum(np.diag(centred), 0) / train.n)
        # What is left of rounding isn't a change.
        still = deviation <= 1e-10 * np.sqrt(np.diag(train.xx) / train.n)
        self.scale = np.where(still, 1.0, deviation)
        self.gram = centred / np.outer(self.scale, self.scale)
        self.values, self.vectors = np.linalg.eigh(self.gram)
        self.inner = [_Inner(fitted, held, self.scale) for fitted, held in inner]

    @property
    def penalties(self) -> Floats:
        """What is tried, for sums over the training part."""
        return PENALTIES * self.train.n

    def ridge(
        self, targets: TargetSums, inner: Sequence[tuple[TargetSums, TargetSums]]
    ) -> Readouts:
        """Fit all cells, with the penalty that does best in the inner folds."""
        penalties = self.penalties
        errors = np.zeros((len(penalties), len(targets.y)))
        for part, (fitted, held) in zip(self.inner, inner, strict=True):
            turned = part.vectors.T @ part.cross(fitted)
            cross, squares = part.held_cross(fitted, held)
            cross = part.vectors.T @ cross
            for k, penalty in enumerate(penalties):
                w = turned / (part.values[:, None] + penalty)
                lost = squares + np.einsum("ij,ij->j", w, part.held_turned @ w - 2 * cross)
                errors[k] += lost / part.held.n / len(inner)
        if not inner:  # nothing to choose by: the middle of what would be tried
            errors[:] = np.nan
            chosen = np.full(len(targets.y), len(penalties) // 2)
        else:
            chosen = errors.argmin(axis=0)
        penalty = penalties[chosen]
        turned = self.vectors.T @ self._cross(targets)
        w = self.vectors @ (turned / (self.values[:, None] + penalty))
        error = np.take_along_axis(errors, chosen[None], axis=0)[0]
        return self._readouts(w, targets, error, penalty, np.zeros((len(chosen), 0), np.intp))

    def small_sets(
        self, targets: TargetSums, inner: Sequence[tuple[TargetSums, TargetSums]]
    ) -> tuple[Readouts, Readouts]:
        """Fit a few cells, each the one that adds most to those before; and the first alone.

        How many is told by the inner folds, in each of which they are chosen anew: the fewest whose
        error is within one standard error of the least (Hastie, Tibshirani & Friedman 2009, *The
        Elements of Statistical Learning*, section 7.10).
        """
        most = min(MOST_CELLS, len(self.scale))
        errors = np.full((max(1, len(inner)), most, len(targets.y)), np.nan)
        for k, (part, (fitted, held)) in enumerate(zip(self.inner, inner, strict=True)):
            cross = part.cross(fitted)
            held_cross, squares = part.held_cross(fitted, held)
            path = _path(part.gram, cross, most)
            seen = part.gram[path[:, :, None], path[:, None, :]]
            held_seen = part.held_gram[path[:, :, None], path[:, None, :]]
            right, held_right = (np.take_along_axis(x.T, path, 1) for x in (cross, held_cross))
            for size in range(1, most + 1):
                w = _solved(seen[:, :size, :size], right[:, :size], self.penalties[0])
                lost = np.einsum("qi,qij,qj->q", w, held_seen[:, :size, :size], w)
                lost -= 2 * (w * held_right[:, :size]).sum(axis=1)
                errors[k, size - 1] = (squares + lost) / part.held.n
        mean = errors.mean(axis=0)
        limit = mean.copy()
        if len(errors) > 1:
            limit += errors.std(axis=0, ddof=1) / np.sqrt(len(errors))
        least = np.nan_to_num(mean, nan=0.0).argmin(axis=0)[None]
        size = (mean <= np.take_along_axis(limit, least, axis=0)).argmax(axis=0) + 1
        path = _path(self.gram, self._cross(targets), most)
        return (
            self._few(targets, path, size, mean),
            self._few(targets, path, np.ones_like(size), mean),
        )

    def _few(self, targets: TargetSums, path: Places, size: Places, errors: Floats) -> Readouts:
        """Fit the first of some cells to each target."""
        cross = self._cross(targets)
        w = np.zeros_like(cross)
        for each in np.unique(size):
            which = np.flatnonzero(size == each)
            cells = path[which, :each]
            seen = self.gram[cells[:, :, None], cells[:, None, :]]
            right = np.take_along_axis(cross.T[which], cells, axis=1)
            w[cells, which[:, None]] = _solved(seen, right, self.penalties[0])
        error = np.take_along_axis(errors, size[None] - 1, axis=0)[0]
        path = np.where(np.arange(path.shape[1]) < size[:, None], path, -1)
        return self._readouts(w, targets, error, np.full(len(size), self.penalties[0]), path)

    def _cross(self, targets: TargetSums) -> Floats:
        return (targets.xy - np.outer(self.mean, targets.y)) / self.scale[:, None]

    def _readouts(
        self, w: Floats, targets: TargetSums, error: Floats, penalty: Floats, cells: Places
    ) -> Readouts:
        weights = w / self.scale[:, None]
        intercept = targets.y / self.train.n - self.mean @ weights
        return Readouts(weights, intercept, error, penalty, cells)


def squared_errors(readouts: Readouts, of: Sums, targets: TargetSums) -> Floats:
    """Sum up the squares of what readouts miss of their targets, on some timesteps, ``(target,)``."""
    w, b = readouts.weights, readouts.intercept
    lost = targets.yy - 2 * b * targets.y + of.n * b**2
    lost += np.einsum("ij,ij->j", w, of.xx @ w - 2 * targets.xy + 2 * np.outer(of.x, b))
    return np.asarray(np.maximum(lost, 0))


def _around(sums: Sums, mean: Floats) -> Floats:
    """Sum up the products of states around a mean."""
    product = np.outer(sums.x, mean)
    return np.asarray(sums.xx - product - product.T + sums.n * np.outer(mean, mean))


def _path(gram: Floats, cross: Floats, most: int) -> Places:
    """Choose cells one after the other, each the one that explains most of what is left.

    Parameters
    ----------
    gram, cross : float64 array (cell, cell), float64 array (cell, target)
        Of states, and of states and targets.
    most : int
        How many.

    Returns
    -------
    int array (target, most)
    """
    left = cross.T.copy()  # of each cell with what is left of each target
    own = np.repeat(np.diag(gram)[None], len(left), axis=0)  # what is left of each cell
    enough = _COPY * np.maximum(np.diag(gram), np.finfo(np.float64).tiny)
    rows = np.arange(len(left))
    chosen = np.zeros((len(left), most), np.intp)
    known = np.zeros((most, *left.shape))
    for k in range(most):
        gain = np.where(own > enough, left**2 / np.maximum(own, enough), 0.0)
        gain[rows[:, None], chosen[:, :k]] = -1.0
        one = gain.argmax(axis=1)
        chosen[:, k] = one
        ahead = gram[one] - np.einsum("kqc,kq->qc", known[:k], known[:k, rows, one])
        size = np.sqrt(np.maximum(own[rows, one], enough[one]))
        ahead *= np.where(own[rows, one] > enough[one], 1 / size, 0.0)[:, None]
        left -= ahead * (left[rows, one] / size)[:, None]
        own -= ahead**2
        known[k] = ahead
    return chosen


def _solved(seen: Floats, right: Floats, penalty: float) -> Floats:
    """Solve for the weights of a few cells ``(target, k)``."""
    ready = seen + penalty * np.eye(seen.shape[-1])
    return np.asarray(np.linalg.solve(ready, right[:, :, None])[:, :, 0])
