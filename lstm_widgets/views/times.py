"""The times of timesteps, as pages and figures show them: js/src/data/times.js in Python."""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any, Literal
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

import numpy as np

from lstm_widgets.tokens.wording import number

if TYPE_CHECKING:
    import xarray as xr
    from numpy.typing import NDArray

__all__ = ["ShownTimes", "gaps", "shown_times"]

Resolution = Literal["day", "minute", "second", "millisecond", "microsecond"]

_NANOSECONDS: dict[Resolution, int] = {
    "day": 86_400_000_000_000,
    "minute": 60_000_000_000,
    "second": 1_000_000_000,
    "millisecond": 1_000_000,
    "microsecond": 1_000,
}
#: How many characters of "2003-05-17 06:00:05.250000" are written.
_WRITTEN: dict[Resolution, int] = {
    "day": 10,
    "minute": 16,
    "second": 19,
    "millisecond": 23,
    "microsecond": 26,
}
_OFFSET = re.compile(r"([+-])(\d\d):?(\d\d)$")
_MOST_DECIMALS = 12
#: The most runs that go with the description of a layer; more are asked for.
MOST_RUNS = 64
#: A series that isn't regular is cut into runs while it has at most so many.
_MOST_PIECES = 4096
#: Of all steps between times, so many are as usual; a longer one, and a much longer one than they are.
_USUAL, _LONGER, _MUCH_LONGER = 0.95, 1.5, 3
#: Of fewer steps, nobody knows which are.
_FEWEST = 3


@dataclass(frozen=True)
class ShownTimes:
    """
    When the timesteps of a layer, or of a series, are.

    Parameters
    ----------
    values : array (example, timestep)
        datetime64[ns] in UTC, int64 or float64; of one example where all have the same.
    zone : str
        The time zone that dates are shown in, "" if none was given.
    """

    values: NDArray[Any]
    zone: str = ""

    @property
    def dates(self) -> bool:
        """Whether they are dates."""
        return self.values.dtype.kind == "M"

    @property
    def shared(self) -> bool:
        """Whether all examples have the same."""
        return len(self.values) == 1

    def label(self, example: int, timestep: int) -> str:
        """Write a time: ``"2003-05-17"``, ``"2003-05-17 06:00 +02:00"``, ``"17.5"``."""
        value = self.values[0 if self.shared else example, timestep]
        if not self.dates:
            return self._number(float(value))
        if np.isnat(value):
            return "?"
        here = self._wall(np.array([value], "M8[ns]"))[0]
        text = str(np.datetime_as_string(here, "us")).replace("T", " ")
        label = text[: _WRITTEN[self.resolution]]
        if self.resolution == "day" or self._known_zone in ("", "UTC"):
            return label
        minutes = int((here - value) / np.timedelta64(1, "m"))
        sign = "-" if minutes < 0 else "+"
        return f"{label} {sign}{abs(minutes) // 60:02d}:{abs(minutes) % 60:02d}"

    def plain(self, example: int, timestep: int) -> str | float | None:
        """Give a time for a table: a date as it is written, else the number; None if it isn't known."""
        value = self.values[0 if self.shared else example, timestep]
        if self.dates:
            return None if np.isnat(value) else self.label(example, timestep)
        return float(value) if np.isfinite(value) else None

    def say(self, example: int, timestep: int) -> str:
        """Write a time in a sentence: a number with what it counts."""
        label = self.label(example, timestep)
        return label if self.dates else f"time {label}"

    def say_span(self, example: int, start: int, stop: int) -> str:
        """Write from when to when some timesteps are."""
        first = self.say(example, start)
        return first if stop == start + 1 else f"{first} to {self.label(example, stop - 1)}"

    def described(self) -> dict[str, Any]:
        """Give what the page is told of them: all that it needs, where they follow few steps."""
        sent: dict[str, Any] = {"kind": "date" if self.dates else "number", "shared": self.shared}
        if self.dates:
            sent |= {"zone": self._known_zone, "resolution": self.resolution}
        else:
            sent |= {"decimals": self.decimals}
        if len(self.values) <= MOST_RUNS:
            every = [_runs(row) for row in self._sent]
            known = [runs for runs in every if runs is not None]
            if len(known) == len(every) and sum(map(len, known)) <= MOST_RUNS:
                sent["runs"] = known
        return sent

    def packed(self, example: int) -> bytes:
        """
        Pack the times of one example for the page.

        Returns
        -------
        bytes
            float64: the number of runs and then of each the first time, the step and how many; or, where
            they follow no few steps, 0 and then each time. Dates are milliseconds since 1970.
        """
        row = self._sent[0 if self.shared else example]
        runs = _runs(row)
        if runs is None or 3 * len(runs) > len(row):
            return np.concatenate([[0.0], row]).tobytes()
        return np.array([len(runs), *(number for run in runs for number in run)]).tobytes()

    @cached_property
    def resolution(self) -> Resolution:
        """How finely dates are written: as finely as some of them needs."""
        times = self._wall(self.values[~np.isnat(self.values)]).view(np.int64)
        of_day = times % _NANOSECONDS["day"]
        # Of days, always at the same hour, that says nothing.
        if len(times) > 1 and (of_day == of_day[:1]).all():
            return "day"
        for resolution, size in _NANOSECONDS.items():
            if not (of_day % size).any():
                return resolution
        return "microsecond"

    @cached_property
    def decimals(self) -> int | None:
        """How many decimals numbers have at most; None if they are without end."""
        values = self.values[np.isfinite(self.values)].astype(np.float64)
        if self.values.dtype.kind == "i" or not len(values):
            return 0
        off = 4 * np.finfo(np.float64).eps * np.abs(values).max()
        for decimals in range(_MOST_DECIMALS + 1):
            if np.abs(np.round(values, decimals) - values).max() <= off:
                return decimals
        return None

    def numbers(self, example: int) -> NDArray[np.float64]:
        """Give the times of an example that are numbers."""
        row: NDArray[np.float64] = self._sent[0 if self.shared else example]
        return row

    def wall(self, example: int) -> NDArray[np.datetime64]:
        """Give what clocks in the zone show at the timesteps of an example."""
        return self._wall(self.values[0 if self.shared else example])

    def _number(self, value: float) -> str:
        if np.isnan(value):
            return "?"
        if self.decimals is None:
            return number(value)
        return f"{value + 0.0:.{self.decimals}f}".replace("-", "−")

    @cached_property
    def _sent(self) -> NDArray[np.float64]:
        """Numbers as JavaScript has them, dates as milliseconds."""
        if not self.dates:
            return self.values.astype(np.float64)
        times = self.values.view(np.int64)
        whole, rest = np.divmod(times, 1_000_000)
        sent = whole + rest / 1_000_000
        sent[np.isnat(self.values)] = np.nan
        return sent

    @cached_property
    def _known_zone(self) -> str:
        """The zone as a browser knows it: its name, or how far it is from UTC; UTC if none knows it."""
        offset = _OFFSET.search(self.zone)
        if offset:
            return "{}{}:{}".format(*offset.groups())
        try:
            return str(ZoneInfo(self.zone)) if self.zone else ""
        except (ZoneInfoNotFoundError, ValueError, OSError):
            return "UTC"

    def _wall(self, times: NDArray[Any]) -> NDArray[np.datetime64]:
        zone = self._known_zone
        if zone in ("", "UTC"):
            return times
        import pandas as pd  # noqa: PLC0415  (slow to load, and only needed for zones)

        here = pd.DatetimeIndex(times.ravel(), tz="UTC").tz_convert(zone).tz_localize(None)
        return np.asarray(here, "M8[ns]").reshape(times.shape)


def shown_times(dataset: xr.Dataset | xr.DataArray | None) -> ShownTimes | None:
    """Give the times of a layer, or of a series; None if they aren't known."""
    if dataset is None or "time" not in dataset.coords or not dataset.sizes["timestep"]:
        return None
    time = dataset.coords["time"]
    values = time.to_numpy()
    if values.dtype.kind == "M":
        values = values.astype("M8[ns]")
    return ShownTimes(np.atleast_2d(values), str(time.attrs.get("time_zone", "")))


def gaps(times: NDArray[np.float64]) -> NDArray[np.intp]:
    """
    Find the timesteps before which some are missing.

    Of regular times, as of days, one that is left out is; where steps differ, as over weekends, it takes a
    much longer one than is usual.

    Parameters
    ----------
    times : float64 array (timestep,)
        Ascending.

    Returns
    -------
    int array
    """
    steps = np.diff(times)
    if len(steps) < _FEWEST:
        return np.zeros(0, np.intp)
    ordered = np.sort(steps)
    middle, usual = (ordered[int(share * (len(steps) - 1))] for share in (0.5, _USUAL))
    far = usual * (_LONGER if usual <= _LONGER * middle else _MUCH_LONGER)
    # Where all around are as long, times are only rarer there.
    beside = np.minimum(np.append(np.inf, steps[:-1]), np.append(steps[1:], np.inf))
    return np.flatnonzero((steps > far) & (steps > _LONGER * beside)) + 1


def _runs(times: NDArray[np.float64]) -> list[list[float]] | None:
    """Cut times into runs at equal steps; None if there are many, or if not all come out the same."""
    if len(times) < 2:
        return [[float(time), 0.0, 1] for time in times]
    steps = np.diff(times)
    if _follow(times, float(steps[0])):
        return [[float(times[0]), float(steps[0]), len(times)]]
    ends = [*(np.flatnonzero(np.diff(steps)) + 1).tolist(), len(steps)]
    if len(ends) > _MOST_PIECES:
        return None
    runs = []
    start = 0
    for end in ends:
        # The one step over a gap belongs to no run.
        if end <= start:
            continue
        step = float(steps[start])
        if not _follow(times[start : end + 1], step):
            return None
        runs.append([float(times[start]), step, end + 1 - start])
        start = end + 1
    if start < len(times):
        runs.append([float(times[start]), 0.0, len(times) - start])
    return runs


def _follow(times: NDArray[np.float64], step: float) -> bool:
    return bool(np.array_equal(times[0] + step * np.arange(len(times)), times))
