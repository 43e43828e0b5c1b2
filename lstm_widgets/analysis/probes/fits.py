"""Fitting one target in every fold: the whole state, a small set, one cell; plain and as anomalies."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from lstm_widgets.analysis import statistics
from lstm_widgets.analysis.probes import logistic
from lstm_widgets.analysis.probes.calendars import mean_by_phase, squared_errors_of
from lstm_widgets.analysis.probes.readouts import Design, squared_errors

if TYPE_CHECKING:
    from collections.abc import Callable

    import numpy.typing as npt

    from lstm_widgets.analysis.probes.moments import Sums, Targets, TargetSums
    from lstm_widgets.analysis.probes.probed import Probed, Target
    from lstm_widgets.analysis.probes.readouts import Readouts

    Flags = npt.NDArray[np.bool_]
    Floats = npt.NDArray[np.float64]
    Places = npt.NDArray[np.integer[Any]]
    Inner = list[tuple[TargetSums, TargetSums]]

__all__ = ["PROTOCOLS", "Designs", "FittedTarget", "FoldAurocs", "r2"]

#: What is read from the states, each fitted and scored in the same way.
PROTOCOLS = ("whole state", "best set", "best cell")


class Designs:
    """What is the same for all targets: the folds, and the states in their training parts."""

    def __init__(self, probed: Probed) -> None:
        self.probed = probed
        self.folds = [fold for fold in range(probed.folds.count) if self._fits(fold)]
        self._made: dict[int, tuple[Design, list[tuple[Flags, Flags]]]] = {}

    def _fits(self, fold: int) -> bool:
        n = self.probed.inputs.n
        folds = self.probed.folds
        return bool(n[folds.training(fold)].sum() > 1 and n[folds.held_out(fold)].sum())

    def of(self, fold: int) -> tuple[Design, list[tuple[Flags, Flags]]]:
        """Return a fold's design, and which atoms each of its inner folds is made of."""
        if fold not in self._made:
            inputs, folds = self.probed.inputs, self.probed.folds
            n = inputs.n
            inner = [
                (fitted, held)
                for fitted, held in folds.inner(fold)
                if n[fitted].sum() > 1 and n[held].sum()
            ]
            parts = [(inputs.of(fitted), inputs.of(held)) for fitted, held in inner]
            self._made[fold] = Design(inputs.of(folds.training(fold)), parts), inner
        return self._made[fold]


class _Losses:
    """What a protocol loses on what is held out, of the target as it is, first, and of moved ones."""

    def __init__(self, shifts: int) -> None:
        self._squares = np.zeros(1 + shifts)
        self._held = np.zeros((3, 1 + shifts))  # Σ1, Σy, Σy²

    def add(self, squares: Floats, held: TargetSums, n: float, columns: Places) -> None:
        """Take in what one fold has lost, of the columns that are meant."""
        self._squares += squares[columns]
        self._held += np.stack([np.full(len(columns), n), held.y[columns], held.yy[columns]])

    @property
    def scores(self) -> Floats:
        """R², ``(1 + shift,)``."""
        n, y, yy = self._held
        return r2(self._squares, yy - y**2 / np.maximum(n, 1))

    def skill(self, calendar: Floats) -> Floats:
        """Compare with what the calendar loses, ``(1 + shift,)``."""
        return r2(self._squares, calendar)


class FoldAurocs:
    """How often a yes is above a no of the same fold: the readouts of two folds can't be compared."""

    def __init__(self, count: int) -> None:
        self._above, self._pairs = np.zeros(count), np.zeros(count)

    def add(self, values: Floats, yes: Flags) -> Floats:
        """Take in one fold ``(row, n)``; return its AUROCs, NaN where it says yes or no everywhere."""
        ranks = statistics.ranked_rows(values)[1]
        found = ((ranks * yes).sum(axis=1) * statistics.auroc_scale(yes) + 1) / 2
        pairs = yes.sum(axis=1, dtype=np.float64)
        pairs *= yes.shape[1] - pairs
        self._above += np.where(pairs > 0, found * pairs, 0.0)
        self._pairs += pairs
        return np.asarray(found)

    @property
    def scores(self) -> Floats:
        """Those of all folds together."""
        with np.errstate(divide="ignore", invalid="ignore"):
            return self._above / self._pairs


class FittedTarget:
    """One target, fitted in every fold.

    Attributes
    ----------
    weights, intercept : float64 array (fold, cell, protocol), float64 array (fold, protocol)
        Of states less the offset of what was read, for the target less its mean; of yes/no concepts,
        of the log odds. NaN for folds in which nothing could be fitted.
    lag : int array (fold, protocol)
        The place of the lag that was chosen.
    penalty : float64 array (fold, protocol)
        The penalty that was.
    cells : list of list of tuple of int
        The cells, by fold and protocol; () for the whole state.
    calendar : float64 array (fold, phase, lag)
        The calendar, for the target less its mean.
    """

    def __init__(
        self,
        designs: Designs,
        target: Target,
        sums: Targets,
        *,
        calendar: bool,
        advance: Callable[[], object],
    ) -> None:
        probed = self._probed = designs.probed
        self.target = target
        folds, count = probed.folds.count, len(PROTOCOLS)
        self._shifts = target.null.count if target.null else 0
        self.weights = np.full((folds, len(probed.offset), count), np.nan)
        self.intercept = np.full((folds, count), np.nan)
        self.lag = np.zeros((folds, count), np.intp)
        self.penalty = np.full((folds, count), np.nan)
        self.cells: list[list[tuple[int, ...]]] = [[()] * count for _ in range(folds)]
        self.calendar = np.full((folds, probed.period.count, len(target.lagged)), np.nan)
        self._with_calendar = calendar
        self._plain = [_Losses(self._shifts) for _ in PROTOCOLS]
        self._odd = [_Losses(self._shifts) for _ in PROTOCOLS]
        self._calendar_lost = np.zeros((count, 1 + self._shifts))
        self._judged: list[tuple[Places, Floats]] = []  # (k, protocol, 1 + shift) scores
        for fold in designs.folds:
            self._fit(designs, sums, fold)
            advance()

    def _fit(self, designs: Designs, sums: Targets, fold: int) -> None:
        probed = self._probed
        inputs, folds = probed.inputs, probed.folds
        design, inner_atoms = designs.of(fold)
        every = slice(None)
        train = sums.of(folds.training(fold), every)
        inner = [(sums.of(a, every), sums.of(b, every)) for a, b in inner_atoms]
        held, held_y = inputs.of(folds.held_out(fold)), sums.of(folds.held_out(fold), every)
        for k, readouts in enumerate(_protocols(design, train, inner)):
            chosen = self._choose(readouts)
            self.lag[fold, k], self.penalty[fold, k] = chosen, readouts.penalty[chosen]
            self.weights[fold, :, k] = readouts.weights[:, chosen]
            self.intercept[fold, k] = readouts.intercept[chosen]
            cells = readouts.cells[chosen]
            self.cells[fold][k] = tuple(int(cell) for cell in cells[cells >= 0])
            lost = squared_errors(readouts, held, held_y)
            self._plain[k].add(lost, held_y, held.n, self._columns(chosen))
            if self.target.kind == "yes_no":
                self._log_odds(fold, k, readouts, chosen)
        pairs = [
            ((a, one), (b, other))
            for (a, b), (one, other) in zip(
                ((each.train, each.held) for each in design.inner), inner, strict=True
            )
        ]
        calendar = mean_by_phase(design.train, train, pairs)
        self.calendar[fold] = calendar[:, : len(self.target.lagged)]
        lost = squared_errors_of(calendar, held, held_y)
        for k, lag in enumerate(self.lag[fold]):
            self._calendar_lost[k] += lost[self._columns(int(lag))]
        if self._with_calendar:
            self._fit_anomalies(design, (train, inner), held, held_y, calendar)

    def _choose(self, readouts: Readouts) -> int:
        """Choose the lag that does best in the inner folds, the smallest of equals."""
        errors = readouts.error[: len(self.target.lagged)]
        return int(np.nan_to_num(errors, nan=0.0).argmin())

    def _fit_anomalies(
        self,
        design: Design,
        fitted: tuple[TargetSums, Inner],
        held: Sums,
        held_y: TargetSums,
        calendar: Floats,
    ) -> None:
        train, inner = fitted
        train = train.less(calendar, design.train)
        inner = [
            (one.less(calendar, part.train), other.less(calendar, part.held))
            for (one, other), part in zip(inner, design.inner, strict=True)
        ]
        left = held_y.less(calendar, held)
        for k, readouts in enumerate(_protocols(design, train, inner)):
            lost = squared_errors(readouts, held, left)
            self._odd[k].add(lost, left, held.n, self._columns(self._choose(readouts)))

    def _log_odds(self, fold: int, k: int, readouts: Readouts, chosen: int) -> None:
        """Keep what ridge regressions say of some timesteps, and fit a logistic one instead."""
        probed, target = self._probed, self.target
        fold_of, part = probed.folds.of_atom, probed.judged
        at = probed.at[part]
        here = np.flatnonzero(fold_of[probed.folds.atom[at]] == fold)
        columns = self._columns(chosen)
        x = probed.kept[part][here] - probed.offset
        scores = x @ readouts.weights[:, columns] + readouts.intercept[columns]
        if k == 0:
            self._judged.append((at[here], np.empty((len(here), len(PROTOCOLS), len(columns)))))
        self._judged[-1][1][:, k] = scores
        training = probed.folds.training(fold)[probed.folds.atom[probed.at]]
        cells = self.cells[fold][k] or tuple(range(len(probed.offset)))
        said = target.at_lag(chosen, probed.at[training]) + target.mean > 0.5
        weights, self.intercept[fold, k] = logistic.fit(
            (probed.kept[training] - probed.offset)[:, cells],
            said,
            float(self.penalty[fold, k]),
            float(probed.inputs.n[probed.folds.training(fold)].sum()),
        )
        self.weights[fold, :, k] = 0.0
        self.weights[fold, list(cells), k] = weights

    def _columns(self, lag: int) -> Places:
        """List the columns of the target at a lag, and of the moved ones."""
        return np.asarray(np.r_[lag, np.arange(self.target.moved.start, self.target.moved.stop)])

    def scores(self, protocol: int) -> Floats:
        """Score a protocol and the moved targets in the same way, by ridge regressions.

        Returns
        -------
        float64 array (1 + shift,)
            The target as it is, and the moved ones: R² of numeric concepts; of yes/no concepts AUROC,
            at some of the timesteps.
        """
        if self.target.kind == "numeric":
            return self._plain[protocol].scores
        lag = int(np.bincount(self.lag[:, protocol]).argmax())
        aurocs = FoldAurocs(1 + self._shifts)
        for at, scores in self._judged:
            yes = self.target.columns(at)[:, self._columns(lag)].T + self.target.mean > 0.5
            aurocs.add(np.ascontiguousarray(scores[:, protocol].T), yes)
        return aurocs.scores

    def anomalies(self, protocol: int) -> Floats:
        """Return R² of the anomalies, ``(1 + shift,)``; NaN without a calendar."""
        if not self._with_calendar:
            return np.full(1 + self._shifts, np.nan)
        return self._odd[protocol].scores

    def skill(self, protocol: int) -> Floats:
        """Return the skill over the calendar by ridge regressions, ``(1 + shift,)``."""
        if not self._with_calendar:
            return np.full(1 + self._shifts, np.nan)
        return self._plain[protocol].skill(self._calendar_lost[protocol])


def _protocols(design: Design, train: TargetSums, inner: Inner) -> list[Readouts]:
    return [design.ridge(train, inner), *design.small_sets(train, inner)]


def r2(lost: Floats, total: Floats) -> Floats:
    """Tell which share of squares is explained; NaN where there is nothing to explain."""
    with np.errstate(divide="ignore", invalid="ignore"):
        return np.asarray(np.where(total > 0, 1 - lost / total, np.nan))
