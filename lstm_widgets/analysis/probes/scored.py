"""What was read from states that were held out, scored a stretch of timesteps at a time.

Of each fold and protocol, sums around means are kept, which are merged stretch by stretch (Chan, Golub &
LeVeque 1979, *Updating formulae and a pairwise algorithm for computing sample variances*); and of yes/no
concepts the values themselves, or how many there are in fine bins where there are too many.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np

from lstm_widgets.analysis.probes.fits import PROTOCOLS, FoldAurocs, r2

if TYPE_CHECKING:
    import numpy.typing as npt

    from lstm_widgets.analysis.probes.fits import Designs, FittedTarget

    Flags = npt.NDArray[np.bool_]
    Floats = npt.NDArray[np.float64]
    Places = npt.NDArray[np.integer[Any]]

__all__ = ["Scored", "Sums"]

# Of more timesteps, AUROCs are worked out from counts in so many bins.
_EXACT = 1 << 21
_BINS = 1 << 14


@dataclass
class Sums:
    """Of some timesteps, how a guess goes with the truth.

    ``n`` timesteps, the ``truth`` and the ``guess`` on average; the sums of squares and products around
    these, ``(2, 2)``; of the squares of what is ``lost``, and of what the ``calendar`` loses.
    """

    n: int = 0
    mean: Floats = field(default_factory=lambda: np.zeros(2))
    around: Floats = field(default_factory=lambda: np.zeros((2, 2)))
    lost: float = 0.0
    calendar: float = 0.0

    @classmethod
    def of(cls, truth: Floats, guess: Floats, calendar: Floats) -> Sums:
        """Sum up; the squares of what the calendar loses are given."""
        if not len(truth):
            return cls()
        mean = np.array([truth.mean(), guess.mean()])
        away = np.stack([truth - mean[0], guess - mean[1]])
        around = (away[:, None] * away).sum(axis=2)
        return cls(
            len(truth), mean, around, float(((truth - guess) ** 2).sum()), float(calendar.sum())
        )

    def add(self, other: Sums) -> None:
        """Take in those of other timesteps."""
        if not other.n:
            return
        n = self.n + other.n
        apart = other.mean - self.mean
        self.around = self.around + other.around
        if self.n:
            self.around += np.outer(apart, apart) * (self.n * other.n / n)
        self.mean = self.mean + apart * (other.n / n)
        self.n = n
        self.lost += other.lost
        self.calendar += other.calendar

    @property
    def r2(self) -> float:
        """R²; NaN where there is nothing to explain."""
        squares = self.around[0, 0]
        # What is left of rounding isn't a change.
        beyond = squares > 1e-20 * (squares + self.n * self.mean[0] ** 2)
        return float(r2(np.asarray(self.lost), np.asarray(squares if beyond else 0.0)))

    @property
    def r(self) -> float:
        """Pearson's correlation."""
        length = float(np.sqrt(self.around[0, 0] * self.around[1, 1]))
        return float(self.around[0, 1] / length) if self.n > 1 and length > 0 else np.nan


class _Counted:
    """How often which values are there where a concept says no, and where it says yes."""

    def __init__(self, some: Floats) -> None:
        low, high = (some.min(), some.max()) if len(some) else (0.0, 0.0)
        # A little more on either side than what some have; beyond, they are taken for the same.
        room = 0.05 * (high - low) or 1.0
        self._low, self._scale = low - room, _BINS / (high - low + 2 * room)
        self._counts = np.zeros((2, _BINS), np.int64)

    def add(self, values: Floats, yes: Flags) -> None:
        """Count some more."""
        bins = ((values - self._low) * self._scale).clip(0, _BINS - 1).astype(np.intp)
        for k, which in enumerate((~yes, yes)):
            self._counts[k] += np.bincount(bins[which], minlength=_BINS)

    def auroc(self) -> tuple[float, float]:
        """Tell how often a yes is above a no, and how many pairs there are; half of those in one bin are."""
        no, yes = self._counts.astype(np.float64)
        pairs = no.sum() * yes.sum()
        above = (yes * (np.cumsum(no) - no / 2)).sum()
        return (float(above / pairs) if pairs else np.nan), float(pairs)


class Scored:
    """One target, as it was read from what was held out: by each protocol, and by the calendar.

    Attributes
    ----------
    counted : int
        At how many timesteps something was read from all states.
    low, high : float
        The least and the most that the target is, at the first protocol's lags.
    sums : list of list of Sums
        By source and fold; the last source is the calendar, if there is one.
    """

    def __init__(self, designs: Designs, fitted: FittedTarget) -> None:
        probed = self._probed = designs.probed
        self._fitted, self._target = fitted, fitted.target
        self.counted, self.low, self.high = 0, np.inf, -np.inf
        sources = len(PROTOCOLS) + bool(probed.period.name)
        folds = probed.folds.count
        self.sums = [[Sums() for _ in range(folds)] for _ in range(sources)]
        self.binned = self._target.kind == "yes_no" and probed.n > _EXACT
        self._values: list[list[list[tuple[Floats, Flags]]]] = [
            [[] for _ in range(folds)] for _ in range(sources)
        ]
        self._bins: list[list[_Counted]] = []
        if self.binned:
            x, fold = probed.kept - probed.offset, probed.folds.at(probed.at)
            for k in range(sources):
                own = min(k, len(PROTOCOLS) - 1)
                some = (
                    x[fold == one] @ fitted.weights[one, :, own] + fitted.intercept[one, own]
                    if k < len(PROTOCOLS)
                    else fitted.calendar[one].ravel() + self._target.mean
                    for one in range(folds)
                )
                self._bins.append([_Counted(each[np.isfinite(each)]) for each in some])

    def add(self, rows: slice, read: Floats) -> None:
        """Take in some timesteps, and what was read there ``(n, protocol)``."""
        probed, fitted, target = self._probed, self._fitted, self._target
        yes_no = target.kind == "yes_no"
        fold = probed.folds.at(rows)
        at_lags = np.stack([target.at_lag(k, rows) for k in range(len(target.lagged))])
        at = np.arange(len(fold))
        said = [at_lags[fitted.lag[fold, k], at] + target.mean for k in range(len(PROTOCOLS))]
        with np.errstate(over="ignore"):
            found = [1 / (1 + np.exp(-each)) if yes_no else each + target.mean for each in read.T]
        calendar = fitted.calendar[fold, probed.period.bins[rows], fitted.lag[fold, 0]]
        calendar = calendar + target.mean
        lost = [(each - calendar) ** 2 for each in said]
        self.counted += int(np.isfinite(read[:, 0]).sum())
        self.low = min(self.low, said[0].min(initial=np.inf))
        self.high = max(self.high, said[0].max(initial=-np.inf))
        ordered = [*read.T, calendar]
        for k, sums in enumerate(self.sums):
            own = k if k < len(PROTOCOLS) else 0
            truth, guess = said[own], found[k] if k < len(PROTOCOLS) else calendar
            known = np.isfinite(guess) & np.isfinite(truth) & probed.finite[rows]
            for one in np.unique(fold[known]).tolist():
                here = known & (fold == one)
                sums[one].add(Sums.of(truth[here], guess[here], lost[own][here]))
                if not yes_no:
                    continue
                if self.binned:  # log odds are in the order of probabilities, and wider apart
                    self._bins[k][one].add(ordered[k][here], truth[here] > 0.5)
                else:
                    self._values[k][one].append((guess[here], truth[here] > 0.5))

    def prediction(self, read: Floats) -> Floats:
        """Turn what was read from all states into the concept: a probability, or its number."""
        if self._target.kind == "yes_no":
            with np.errstate(over="ignore"):
                return np.asarray(1 / (1 + np.exp(-read)))
        return np.asarray(read + self._target.mean)

    def score(self, source: int) -> tuple[float, list[float]]:
        """Score a source: all folds together, and each: R² or AUROC."""
        if self._target.kind == "numeric":
            return self.total(source).r2, [one.r2 for one in self.sums[source]]
        if self.binned:
            found, pairs = zip(*(one.auroc() for one in self._bins[source]), strict=True)
            above = sum(a * n for a, n in zip(found, pairs, strict=True) if n)
            return (above / sum(pairs) if sum(pairs) else np.nan), [*found]
        aurocs = FoldAurocs(1)
        parts = []
        for values in self._values[source]:
            guess = np.concatenate([np.zeros(0), *(value for value, _ in values)])
            yes = np.concatenate([np.zeros(0, np.bool_), *(said for _, said in values)])
            parts.append(float(aurocs.add(guess[None], yes[None])[0]))
        return float(aurocs.scores[0]), parts

    def total(self, source: int) -> Sums:
        """Sum up over the folds."""
        total = Sums()
        for one in self.sums[source]:
            total.add(one)
        return total
