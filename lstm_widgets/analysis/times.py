"""When a layer's timesteps were: their dates on the clock of their zone, and phases of a period."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    import numpy.typing as npt
    import xarray as xr

    Dates = npt.NDArray[np.datetime64]
    Floats = npt.NDArray[np.float64]
    Places = npt.NDArray[np.integer[Any]]

__all__ = ["LENGTHS", "dates_of", "phases", "times_of"]

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


def dates_of(dataset: xr.Dataset) -> Dates | None:
    """Return the dates of timesteps on the clock of their zone, or None where they have none.

    Returns
    -------
    datetime64 array (example, timestep) or None
        What the clock on the wall shows: in summer, with daylight saving time.
    """
    times = times_of(dataset)
    if times is None or times.dtype.kind != "M":
        return None
    zone = dataset.coords["time"].attrs.get("time_zone")
    if not zone:
        return times
    import pandas as pd  # noqa: PLC0415

    known, places = np.unique(times, return_inverse=True)
    index = pd.DatetimeIndex(known, tz="UTC").tz_convert(zone).tz_localize(None)
    return np.asarray(index.to_numpy()[places].reshape(times.shape))


def phases(dates: Dates, period: str) -> tuple[Places, Floats]:
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
