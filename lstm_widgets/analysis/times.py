"""When a layer's timesteps were: their dates on the clock of their zone, and phases of a period."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from lstm_widgets.recording.rows import Rows

if TYPE_CHECKING:
    import numpy.typing as npt
    import xarray as xr

    Times = npt.NDArray[np.datetime64]
    Floats = npt.NDArray[np.float64]
    Places = npt.NDArray[np.integer[Any]]

__all__ = ["LENGTHS", "Dates", "dates_of", "phases", "times_of"]

#: Periods of the calendar, and NumPy's units of them.
LENGTHS = {"year": "Y", "month": "M", "week": "W", "day": "D"}
# In NumPy, weeks begin on Thursday, the first of January 1970.
_TO_MONDAY = np.timedelta64(3, "D")


def times_of(dataset: xr.Dataset) -> npt.NDArray[Any] | None:
    """Return what the timesteps stand for, ``(example, timestep)``: dates or numbers, or None."""
    if "time" not in dataset.coords:
        return None
    shape = (dataset.sizes["example"], dataset.sizes["timestep"])
    return np.broadcast_to(dataset.coords["time"].to_numpy(), shape)


class Dates:
    """The dates of a layer's timesteps, read where they are looked at.

    Parameters
    ----------
    time : xarray.DataArray
        The coordinate: ``(timestep,)``, where all examples have the same, or ``(example, timestep)``.
    """

    def __init__(self, time: xr.DataArray) -> None:
        self.shared = time.ndim == 1
        self._rows = Rows(time, axes=1 if time.ndim == 1 else 2)
        self._zone = str(time.attrs.get("time_zone") or "")

    @classmethod
    def of(cls, dataset: xr.Dataset) -> Dates | None:
        """Make those of a layer; None where it has none."""
        time = dataset.coords.get("time")
        return None if time is None or time.dtype.kind != "M" else cls(time)

    @property
    def count(self) -> int:
        """How many there are: of one example, where all have the same; else of all, laid end to end."""
        return len(self._rows)

    def times(self, some: slice) -> Times:
        """Read some of them, in UTC."""
        return self._rows[some]

    def on_clock(self, some: slice) -> Times:
        """Read some of them as the clock on the wall shows them: in summer, with daylight saving time."""
        times = self._rows[some]
        if not self._zone:
            return times
        import pandas as pd  # noqa: PLC0415

        known, places = np.unique(times, return_inverse=True)
        index = pd.DatetimeIndex(known, tz="UTC").tz_convert(self._zone).tz_localize(None)
        return np.asarray(index.to_numpy()[places].reshape(times.shape))


def dates_of(dataset: xr.Dataset) -> Times | None:
    """Return the dates of timesteps on the clock of their zone, or None where they have none.

    Returns
    -------
    datetime64 array (example, timestep) or None
        What the clock on the wall shows: in summer, with daylight saving time.
    """
    dates = Dates.of(dataset)
    if dates is None:
        return None
    shape = (dataset.sizes["example"], dataset.sizes["timestep"])
    every = dates.on_clock(slice(None))
    return np.broadcast_to(every, shape) if dates.shared else every.reshape(shape)


def phases(dates: Times, period: str) -> tuple[Places, Floats]:
    """Tell in which year (month, week, day) dates lie, and at which phase of it.

    Parameters
    ----------
    dates : datetime64 array
        Of any shape.
    period : str
        One of `LENGTHS`.

    Returns
    -------
    cycle : int array
        The number of the year.
    phase : float64 array
        From 0 to 1, 1 excluded. 0.5 is the middle of the year, leap year or not.
    """
    shifted = dates + _TO_MONDAY if period == "week" else dates
    begin = shifted.astype(f"datetime64[{LENGTHS[period]}]")
    after = (begin + 1).astype(shifted.dtype)
    begins = begin.astype(shifted.dtype)
    phase = (shifted - begins) / (after - begins)
    return begin.astype(np.int64).astype(np.intp), np.asarray(phase, np.float64)
