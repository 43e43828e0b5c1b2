"""The calendar: what can be told of a timestep by its phase of a year, a week or a day alone.

Whatever has a season is easily read from whatever else has one, so a probe is held against this.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np

from lstm_widgets.analysis.times import LENGTHS, dates_of, phases
from lstm_widgets.checks import is_whole

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    import numpy.typing as npt
    import xarray as xr

    from lstm_widgets.analysis.probes.moments import Sums, TargetSums

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
    cycle : int array (n,)
        In which cycle each timestep is, from the first one's.
    phase : float64 array (n,)
        Where in it, from 0 to 1.
    bins : int array (n,)
        The same in steps.
    count : int
        How many steps there are.
    """

    name: str
    cycle: Places
    phase: Floats
    bins: Places
    count: int

    @property
    def cycles(self) -> str:
        """What several cycles are called."""
        return f"{self.name}s" if self.name in LENGTHS else f"cycles of {self.name}"

    def only(self, there: npt.NDArray[np.bool_]) -> Period:
        """Leave some of the timesteps out."""
        if there.all():
            return self
        if not self.name:
            return _none(int(there.sum()))
        return replace(
            self, cycle=self.cycle[there], phase=self.phase[there], bins=self.bins[there]
        )


def period_of(
    dataset: xr.Dataset,
    period: str | float | None,
    mask: npt.NDArray[np.bool_],
    position: Callable[[], Places],
) -> Period:
    """Find the phases of a layer's timesteps.

    Parameters
    ----------
    dataset : xarray.Dataset
        The layer.
    period : str, float or None
        As for ``probe``.
    mask : bool array (example, timestep)
        Which timesteps are meant.
    position : callable
        Gives, for each of them, where in its series it stands: int array ``(n,)``.
    """
    n = int(mask.sum())
    dates = dates_of(dataset)
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
        period = "year" if dates is not None and _years(dates[mask]) >= 2 else 0
    elif isinstance(period, bool) or not (
        is_whole(period) or isinstance(period, (float, np.floating))
    ):
        raise TypeError(f"period: expected a str or a number of timesteps, got {period!r}")
    elif period and not (period >= 2 and np.isfinite(period)):
        raise ValueError(f"period: expected 2 timesteps or more, or 0 for none, got {period!r}")
    if not isinstance(period, str) and not period:
        return _none(n)
    if isinstance(period, str):
        assert dates is not None  # noqa: S101
        name = period
        cycle, phase = phases(dates[mask], period)
        steps = _median_count(cycle)
    else:
        name = f"{period:g} timesteps"
        steps = round(float(period))
        whole = position() / float(period)
        cycle = np.floor(whole).astype(np.intp)
        phase = whole - cycle
    count = max(2, min(_PHASES, steps))
    bins = np.rint(phase * count).astype(np.intp) % count
    # Cycles begin with the first timestep, so that only the last one can be incomplete.
    whole = cycle + phase
    since = np.floor(whole - whole.min() + 1e-9).astype(np.intp) if n else cycle
    return Period(name, since, phase, bins, count)


def _none(n: int) -> Period:
    nothing = np.broadcast_to(np.zeros(1, np.intp), n)
    return Period("", nothing, np.broadcast_to(np.zeros(1), n), nothing, 1)


def _years(dates: npt.NDArray[np.datetime64]) -> float:
    known = dates[~np.isnat(dates)]
    return float((known.max() - known.min()) / np.timedelta64(365, "D")) if len(known) else 0.0


def _median_count(cycle: Places) -> int:
    """Count the timesteps in a cycle, as most have them."""
    sizes = np.bincount(cycle - cycle.min(initial=0)) if len(cycle) else np.zeros(1, np.intp)
    return int(np.median(sizes[sizes > 0])) if (sizes > 0).any() else 1


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
