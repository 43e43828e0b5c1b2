"""Ticks of times that suit what is in the picture, by Matplotlib's locators."""

from __future__ import annotations

import warnings
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

if TYPE_CHECKING:
    import datetime as dt

    from lstm_widgets.views.times import ShownTimes

_MONTHS = ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")

#: Less than a thousandth of a second, in days: none is after a tick by so little.
_OFF = 1e-8


class TimeTick(NamedTuple):
    """A timestep that is pointed at, and what stands there."""

    timestep: int
    text: str


def time_ticks(
    times: ShownTimes, example: int, first: int, stop: int, count: int
) -> list[TimeTick]:
    """
    Choose ticks among some timesteps of an example.

    Parameters
    ----------
    times : ShownTimes
    example : int
    first, stop : int
        The timesteps that are in the picture.
    count : int
        About how many there is room for.

    Returns
    -------
    list of TimeTick
        Each at the first timestep that isn't before it. The first of a year has its number, that of a
        month its name, else there is the day or the time of day; numbers are those of the timesteps.
    """
    from matplotlib import dates  # noqa: PLC0415 - slow to load

    count = min(count, stop - first)
    if count < 1 or stop - first < 2:
        return []
    if not times.dates:
        numbers = times.numbers(example)[first:stop]
        whole = times.decimals == 0
        ticks = [(tick, "") for tick in number_ticks(numbers[0], numbers[-1], count, whole=whole)]
        placed = _placed(numbers, ticks, first)
        return [tick._replace(text=times.label(example, tick.timestep)) for tick in placed]
    clocks = times.wall(example)[first:stop]
    days = clocks.astype(np.int64) / 86_400e9
    drawn: Any = dates
    finder = drawn.AutoDateLocator(minticks=max(1, min(4, count // 2)), maxticks=max(2, count))
    with warnings.catch_warnings():
        # Where none of its steps is as long as it would take, the longest is as well.
        warnings.filterwarnings("ignore", "AutoDateLocator was unable")
        found = finder.tick_values(*drawn.num2date([days[0], days[-1]]))
    seen = [tick for tick in found if days[0] - _OFF <= tick <= days[-1] + _OFF]
    texts = [_text(drawn.num2date(tick), whole=number == 0) for number, tick in enumerate(seen)]
    return _placed(days, list(zip(seen, texts, strict=True)), first)


def number_ticks(first: float, last: float, count: int, *, whole: bool) -> list[float]:
    """
    Choose round numbers.

    Parameters
    ----------
    first, last : float
        Between which they are.
    count : int
        About how many there is room for.
    whole : bool
        Whether they are whole numbers.

    Returns
    -------
    list of float
    """
    from matplotlib import ticker  # noqa: PLC0415 - slow to load

    found = ticker.MaxNLocator(count, integer=whole).tick_values(first, last)
    off = 1e-9 * (last - first)
    return [float(tick) for tick in found if first - off <= tick <= last + off]


def _placed(
    places: np.ndarray[Any, np.dtype[np.float64]], ticks: list[tuple[float, str]], first: int
) -> list[TimeTick]:
    at: dict[int, str] = {}
    for tick, text in ticks:
        if places[0] - _OFF <= tick <= places[-1] + _OFF:
            at[first + int(np.searchsorted(places, tick - _OFF))] = text
    return [TimeTick(timestep, text) for timestep, text in at.items()]


def _text(tick: dt.datetime, *, whole: bool) -> str:
    """Write what stands at a tick, as in the page; in the first one, also what others leave unsaid."""
    month = _MONTHS[tick.month - 1]
    day = f"{tick.day} {month}" + (f" {tick.year}" if whole else "")
    if tick.hour or tick.minute or tick.second or tick.microsecond:
        clock = f"{tick:%H:%M}"
        if tick.second or tick.microsecond:
            clock = f"{tick:%H:%M:%S.%f}"[:-3] if tick.microsecond else f"{tick:%H:%M:%S}"
        return f"{day} {clock}" if whole else clock
    if tick.day > 1:
        return day
    if tick.month > 1:
        return f"{month} {tick.year}" if whole else month
    return str(tick.year)
