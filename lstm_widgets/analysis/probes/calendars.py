"""The calendar: what can be told of a timestep by its phase of a year, a week or a day alone.

Whatever has a season is easily read from whatever else has one, so a probe is held against this.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np

from lstm_widgets.analysis.probes.numbered import Atoms, stretches
from lstm_widgets.analysis.times import LENGTHS, phases
from lstm_widgets.checks import is_whole

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    import numpy.typing as npt

    from lstm_widgets.analysis.probes.asked import Asked
    from lstm_widgets.analysis.probes.moments import Sums, TargetSums
    from lstm_widgets.analysis.probes.numbered import Numbered
    from lstm_widgets.analysis.times import Dates

    Floats = npt.NDArray[np.float64]
    Places = npt.NDArray[np.integer[Any]]

__all__ = ["Period", "mean_by_phase", "period_of", "squared_errors_of"]

# Phases that are told apart, at most; of more timesteps in a period, neighbours are one.
_PHASES = 366
# How widely means are smoothed, as shares of the period (of a year: none, 3 days, a week, a fortnight);
# what does best in the inner folds is taken.
_WIDTHS = (0.0, 1 / 120, 1 / 50, 1 / 25)


@dataclass(frozen=True)
class Period:
    """How a layer's timesteps lie in the cycles of a period.

    Attributes
    ----------
    name : str
        "year", "24 timesteps"; "" if there is none.
    cycle : int array (n,), or Atoms
        In which cycle each timestep is, from the first one's.
    phase : float64 array (n,), or Phases
        Where in it, from 0 to 1.
    bins : int array (n,)
        The same in steps.
    count : int
        How many steps there are.
    """

    name: str
    cycle: Places | Atoms
    phase: Floats | Phases
    bins: Places
    count: int

    @property
    def cycles(self) -> str:
        """What several cycles are called."""
        return f"{self.name}s" if self.name in LENGTHS else f"cycles of {self.name}"

    @property
    def last(self) -> int:
        """The number of the last cycle."""
        numbers = self.cycle.values if isinstance(self.cycle, Atoms) else self.cycle
        return int(numbers.max(initial=0))

    def only(self, there: npt.NDArray[np.bool_], rows: Numbered) -> Period:
        """Leave some of the timesteps out; ``rows`` are those that stay, among all of the layer."""
        if there.all():
            return self
        if not self.name:
            return _none(len(rows))
        bins = self.bins[there]
        cycle, phase = self.cycle, self.phase
        return replace(
            self,
            cycle=cycle.only(there) if isinstance(cycle, Atoms) else cycle[there],
            phase=phase.among(rows) if isinstance(phase, Phases) else phase[there],
            bins=bins,
        )


@dataclass(frozen=True)
class Phases:
    """Where timesteps lie in their cycles, worked out where that is asked for.

    Attributes
    ----------
    rows : Numbered
        Which timesteps of the layer.
    of_columns : callable
        Gives the cycles and the phases of some timesteps of the layer, ``(n,)`` each.
    """

    rows: Numbered
    of_columns: Callable[[slice], tuple[Places, Floats]]

    def among(self, rows: Numbered) -> Phases:
        """Give those of other timesteps."""
        return Phases(rows, self.of_columns)

    def at(self, rows: slice) -> tuple[Places, Floats]:
        """Tell the cycles, and where in them, of timesteps that follow each other."""
        if rows.start >= rows.stop:
            return np.zeros(0, np.intp), np.zeros(0)
        first, last = self.rows.column(rows.start), self.rows.column(rows.stop - 1) + 1
        here = self.rows.here(slice(first, last))
        cycle, phase = self.of_columns(slice(first, last))
        return cycle[here], phase[here]

    def __getitem__(self, rows: slice) -> Floats:
        return self.at(rows)[1]


def period_of(asked: Asked, period: str | float | None) -> Period:
    """Find the phases of a layer's timesteps.

    Parameters
    ----------
    asked : Asked
        The layer, and which of its timesteps are meant.
    period : str, float or None
        As for ``probe``.
    """
    n, dates = len(asked.real), asked.dates
    if isinstance(period, str):
        if period not in LENGTHS:
            raise ValueError(
                f"period: expected one of {', '.join(map(repr, LENGTHS))}, or a number of "
                f"timesteps, got {period!r}"
            )
        if dates is None:
            raise ValueError(
                f"period: {period!r} needs the dates of the timesteps, and the recording has none; "
                f"give a number of timesteps, or record(..., times=...)"
            )
    elif period is None:
        period = "year" if dates is not None and _years(asked, dates) >= 2 else 0
    elif isinstance(period, bool) or not (
        is_whole(period) or isinstance(period, (float, np.floating))
    ):
        raise TypeError(f"period: expected a str or a number of timesteps, got {period!r}")
    elif period and not (period >= 2 and np.isfinite(period)):
        raise ValueError(f"period: expected 2 timesteps or more, or 0 for none, got {period!r}")
    if not isinstance(period, str) and not period:
        return _none(n)
    where = _of_columns(asked, dates, period)
    name = period if isinstance(period, str) else f"{period:g} timesteps"
    lazy = Phases(asked.real, where)
    low = np.inf
    counts: Places = np.zeros(0, np.intp)
    begin = 0
    for part in stretches(n):
        cycle, phase = lazy.at(part)
        if not part.start:
            begin = int(cycle[0])
        low = min(low, float((cycle + phase).min()))
        counts, begin = _counted(counts, begin, cycle)
    steps = round(float(period)) if not isinstance(period, str) else _median(counts)
    count = max(2, min(_PHASES, steps))
    bins = np.empty(n, np.uint16)
    runs = [np.zeros((2, 0), np.intp)]
    every = []
    for part in stretches(n):
        cycle, phase = lazy.at(part)
        bins[part] = np.rint(phase * count).astype(np.intp) % count
        # Cycles begin with the first timestep, so that only the last one can be incomplete.
        since = np.floor(cycle + phase - low + 1e-9).astype(np.intp)
        if asked.in_order:
            fresh = np.flatnonzero(np.append(True, since[1:] != since[:-1]))
            runs.append(np.stack([part.start + fresh, since[fresh]]))
        else:
            every.append((since, phase))
    if asked.in_order:
        starts, values = np.concatenate(runs, axis=1)
        atoms = Atoms.of(starts, values, n)
        if (np.diff(atoms.values) > 0).all():
            return Period(name, atoms, lazy, bins, count)
        # Where clocks are set back, a cycle may begin twice.
        return Period(name, atoms[:], lazy[slice(0, n)], bins, count)
    since, phase = (np.concatenate(each) for each in zip(*every, strict=True))
    return Period(name, since, phase, bins, count)


def _of_columns(
    asked: Asked, dates: Dates | None, period: str | float
) -> Callable[[slice], tuple[Places, Floats]]:
    """Give what tells the cycles and phases of some timesteps of a layer, examples laid end to end."""
    if isinstance(period, str):
        assert dates is not None  # noqa: S101
        width = asked.mask.shape[1]

        def of_dates(columns: slice) -> tuple[Places, Floats]:
            if not dates.shared or asked.in_order:
                return phases(dates.on_clock(columns), period)
            every = dates.on_clock(slice(None))
            return phases(every[np.arange(columns.start, columns.stop) % width], period)

        return of_dates

    def of_positions(columns: slice) -> tuple[Places, Floats]:
        whole = asked.positions(columns) / float(period)
        cycle = np.floor(whole).astype(np.intp)
        return cycle, whole - cycle

    return of_positions


def _none(n: int) -> Period:
    nothing = np.broadcast_to(np.zeros(1, np.intp), n)
    return Period("", nothing, np.broadcast_to(np.zeros(1), n), nothing, 1)


def _years(asked: Asked, dates: Dates) -> float:
    """Tell how many years lie between the first and the last of the timesteps."""
    low, high = None, None
    for part in stretches(dates.count):
        times = dates.on_clock(part)
        real = asked.mask[:, part].any(axis=0) if dates.shared else asked.mask.reshape(-1)[part]
        known = times[real & ~np.isnat(times)]
        if len(known):
            low = known.min() if low is None else min(low, known.min())
            high = known.max() if high is None else max(high, known.max())
    return 0.0 if low is None or high is None else float((high - low) / np.timedelta64(365, "D"))


def _counted(counts: Places, begin: int, cycle: Places) -> tuple[Places, int]:
    """Count some more timesteps of each cycle, from the first one that there is."""
    low = min(begin, int(cycle.min()))
    size = max(begin + len(counts), int(cycle.max()) + 1) - low
    more = np.zeros(size, np.intp)
    more[begin - low : begin - low + len(counts)] = counts
    return more + np.bincount(cycle - low, minlength=size), low


def _median(counts: Places) -> int:
    """Tell how many timesteps most cycles have."""
    some = counts[counts > 0]
    return int(np.median(some)) if len(some) else 1


def mean_by_phase(
    of: Sums,
    targets: TargetSums,
    inner: Sequence[tuple[tuple[Sums, TargetSums], tuple[Sums, TargetSums]]],
) -> Floats:
    """Work out the calendar of each target: its mean by phase, smoothed around the year.

    Parameters
    ----------
    of, targets : Sums, TargetSums
        The training part.
    inner : sequence
        Its inner folds, each what is fitted and what is held out; by these it is chosen how widely
        means are smoothed, by a Gaussian kernel weighted by how many timesteps each phase has.

    Returns
    -------
    float64 array (phase, target)
    """
    count = len(of.phase_n)
    kernels = [_kernel(count, width) for width in _WIDTHS]
    errors = np.zeros((len(kernels), len(targets.y)))
    for (fitted, fitted_y), (held, held_y) in inner:
        for k, kernel in enumerate(kernels):
            errors[k] += (
                squared_errors_of(_smoothed(kernel, fitted, fitted_y), held, held_y) / held.n
            )
    # Without inner folds, the middle one of the widths.
    chosen = errors.argmin(axis=0) if inner else np.full(len(targets.y), 2)
    calendar = np.empty((count, len(chosen)))
    for k in np.unique(chosen):
        calendar[:, chosen == k] = _smoothed(kernels[k], of, targets)[:, chosen == k]
    return calendar


def squared_errors_of(calendar: Floats, of: Sums, targets: TargetSums) -> Floats:
    """Sum up the squares of what a calendar misses, ``(target,)``."""
    lost = targets.yy - 2 * (calendar * targets.phase_y).sum(axis=0)
    return np.asarray(np.maximum(lost + (of.phase_n[:, None] * calendar**2).sum(axis=0), 0))


def _kernel(count: int, width: float) -> Floats:
    if count < 2 or not width:
        return np.eye(count)
    apart = np.abs(np.arange(count)[:, None] - np.arange(count)) / count
    apart = np.minimum(apart, 1 - apart)
    return np.asarray(np.exp(-0.5 * (apart / width) ** 2))


def _smoothed(kernel: Floats, of: Sums, targets: TargetSums) -> Floats:
    counted = (kernel @ of.phase_n)[:, None]
    # A phase that was never seen has the mean of everything.
    mean = targets.y / of.n
    return np.where(
        counted > 1e-9, (kernel @ targets.phase_y) / np.maximum(counted, 1e-9), mean[None]
    )
