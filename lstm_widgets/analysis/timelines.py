"""Where timesteps stand in time, and how far apart two of them have to be to know nothing of each other."""

from __future__ import annotations

import functools
import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from lstm_widgets.analysis.times import times_of

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    import numpy.typing as npt
    import xarray as xr

    from lstm_widgets.analysis.series import Origin
    from lstm_widgets.recording import Recording

    Floats = npt.NDArray[np.float64]
    Places = npt.NDArray[np.integer[Any]]

__all__ = [
    "TELLING",
    "Series",
    "Timeline",
    "forgotten",
    "memory",
    "read_by_window",
    "timeline_of",
]

#: Of more series than this, that many tell how long a target remembers.
TELLING = 32
# For how many timesteps it is looked for at first, and of how many at a time.
_REACH = 1 << 16


@dataclass(frozen=True)
class Timeline:
    """Where a layer's timesteps stand in time, of those that aren't padding.

    Attributes
    ----------
    series : int array (n,)
        The series that each belongs to.
    position : int array (n,)
        Where it stands in it.
    date : float64 array (n,), optional
        Its date, in units of a timestep, if series have dates.
    step : int
        How many timesteps of its series are from one to the next.
    """

    series: Places
    position: Places
    date: Floats | None
    step: int

    def only(self, there: npt.NDArray[np.bool_]) -> Timeline:
        """Leave some of the timesteps out."""
        if there.all():
            return self
        date = None if self.date is None else self.date[there]
        return Timeline(self.series[there], self.position[there], date, self.step)

    def axes(self, *, shared: bool) -> tuple[Places, Floats]:
        """Return on which axis each stands, and where: one for all series if they have dates."""
        if shared and self.date is not None:
            return np.zeros(len(self.position), np.intp), self.date
        return self.series, self.position.astype(np.float64)


def timeline_of(dataset: xr.Dataset, origin: Origin, mask: npt.NDArray[np.bool_]) -> Timeline:
    """Find out where the timesteps of a layer stand.

    Parameters
    ----------
    dataset, origin, mask : xarray.Dataset, Origin, bool array (example, timestep)
        The layer, how its examples hang together, and which of its timesteps are meant.
    """
    examples, timesteps = mask.shape
    along = np.arange(timesteps)
    if "position" in dataset.coords:
        along = dataset.coords["position"].to_numpy()
    step = int(np.median(np.diff(along))) if timesteps > 1 else 1
    position = (origin.start[:, None] * step + along)[mask]
    series = np.broadcast_to(origin.series[:, None], (examples, timesteps))[mask]
    times = times_of(dataset)
    date = None
    if times is not None and times.dtype.kind == "M" and timesteps > 1:
        seconds = (times - times.min()) / np.timedelta64(1, "s")
        apart = np.diff(seconds, axis=1)[mask[:, 1:]]
        unit = float(np.median(apart)) / step if len(apart) else 1.0
        date = seconds[mask] / max(unit, 1e-9)
    return Timeline(series, position, date, step)


def read_by_window(recording: Recording, dataset: xr.Dataset, origin: Origin) -> int:
    """Tell how many timesteps a state has read at most, where that is known; 0 where it isn't."""
    window = recording.tree.attrs.get("window")
    if window is not None:
        return int(window)
    # Of windows that were given as examples, or may have been.
    timesteps = int(dataset.sizes["timestep"])
    return timesteps if origin.overlap(timesteps) else 0


def memory(said: Floats, timeline: Timeline) -> int:
    """Tell after how many timesteps a target has forgotten: its autocorrelation is below 1 / e.

    Parameters
    ----------
    said : float64 array (n,)
        What it is at each timestep, NaN where it isn't known.
    timeline : Timeline
        Where they stand.
    """
    known = np.isfinite(said)
    away = np.where(known, said - said[known].mean(), 0.0) if known.any() else said * 0
    rows = []
    for one in np.unique(timeline.series)[:TELLING].tolist():
        here = np.flatnonzero(timeline.series == one)
        at, first = np.unique(timeline.position[here], return_index=True)
        at = (at - at[0]) // timeline.step
        row, there = np.zeros((2, int(at[-1]) + 1))
        row[at], there[at] = away[here[first]], known[here[first]]
        rows.append(Series(len(row), functools.partial(_part, row, there)))
    return forgotten(rows, timeline.step)


def _part(row: Floats, there: Floats, start: int, stop: int) -> tuple[Floats, Floats]:
    return row[start:stop], there[start:stop]


class Series(NamedTuple):
    """A target over the timesteps of one series.

    ``read`` gives, from one timestep to another, how far it is from its mean, 0 where it isn't known,
    and 1 where it is.
    """

    length: int
    read: Callable[[int, int], tuple[Floats, Floats]]


def forgotten(series: Sequence[Series], step: int, most: int | None = None) -> int:
    """Tell after how many timesteps a target has forgotten, as `memory` does.

    Parameters
    ----------
    series : sequence of Series
        Some series of it, one at least.
    step : int
        How many timesteps of its series are from one to the next.
    most : int, optional
        It is no matter by how much the answer is larger than this.
    """
    longest = max(one.length for one in series)
    reach = min(longest, _REACH)
    while True:
        products, pairs = np.zeros((2, reach))
        for one in series:
            both = _self_products(one, reach)
            products[: both.shape[1]] += both[0]
            pairs[: both.shape[1]] += both[1]
        if not products[0] > 0:
            return 0
        with np.errstate(divide="ignore", invalid="ignore"):
            alike = products / np.rint(pairs) * (pairs[0] / products[0])
        alike[np.rint(pairs) == 0] = np.nan  # nothing is known that far apart
        below = np.flatnonzero(~(alike >= 1 / math.e))
        if len(below):
            return int(below[0]) * step
        if reach == longest or (most is not None and reach * step > most):
            return reach * step
        reach = min(longest, 8 * reach)


def _self_products(series: Series, reach: int) -> Floats:
    """Multiply a series with itself shifted by 0, 1, ... timesteps, and where it is known: ``(2, reach)``."""
    found = np.zeros((2, min(reach, series.length)))
    together = max(reach, _REACH)
    for start in range(0, series.length, together):
        stop = min(start + together, series.length)
        size = 1 << (stop - start + reach).bit_length()
        pairs = zip(series.read(start, stop), series.read(start, stop + reach), strict=True)
        for k, (one, other) in enumerate(pairs):
            turned = np.conj(np.fft.rfft(one, size)) * np.fft.rfft(other, size)
            found[k] += np.fft.irfft(turned, size)[: found.shape[1]]
    return found
