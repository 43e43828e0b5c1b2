"""Where timesteps stand in time, and how far apart two of them have to be to know nothing of each other."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from lstm_widgets.analysis.times import times_of

if TYPE_CHECKING:
    import numpy.typing as npt
    import xarray as xr

    from lstm_widgets.analysis.series import Origin
    from lstm_widgets.recording import Recording

    Floats = npt.NDArray[np.float64]
    Places = npt.NDArray[np.integer[Any]]

__all__ = ["Timeline", "memory", "read_by_window", "timeline_of"]

# Of more series than this, that many tell how long a target remembers.
_TELLING = 32


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
    products, pairs = np.zeros(1), np.zeros(1)
    for one in np.unique(timeline.series)[:_TELLING].tolist():
        here = np.flatnonzero(timeline.series == one)
        at, first = np.unique(timeline.position[here], return_index=True)
        at = (at - at[0]) // timeline.step
        row, there = np.zeros((2, int(at[-1]) + 1))
        row[at], there[at] = away[here[first]], known[here[first]]
        products, pairs = _sum(products, _self_product(row)), _sum(pairs, _self_product(there))
    if not products[0] > 0:
        return 0
    with np.errstate(divide="ignore", invalid="ignore"):
        alike = products / np.rint(pairs) * (pairs[0] / products[0])
    below = np.flatnonzero(~(alike >= 1 / math.e))
    return int(below[0] if len(below) else len(alike)) * timeline.step


def _self_product(row: Floats) -> Floats:
    """Multiply a row with itself shifted by 0, 1, ... timesteps."""
    size = 1 << (2 * len(row)).bit_length()
    turned = np.fft.rfft(row, size)
    return np.asarray(np.fft.irfft(np.abs(turned) ** 2, size)[: len(row)])


def _sum(one: Floats, other: Floats) -> Floats:
    total = np.zeros(max(len(one), len(other)))
    total[: len(one)] += one
    total[: len(other)] += other
    return total
