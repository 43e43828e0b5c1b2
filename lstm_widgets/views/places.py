"""Where the timesteps of an example stand on a time axis; of those that are only counted, none is held."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, overload

import numpy as np

from lstm_widgets.views.times import gaps

if TYPE_CHECKING:
    from collections.abc import Callable

    from numpy.typing import NDArray

    Floats = NDArray[np.float64]

__all__ = ["Places"]


class Places:
    """
    Rising numbers, one a timestep: dates as milliseconds since 1970, other times, or a count.

    Parameters
    ----------
    count : int
        How many timesteps there are.
    first, step : float, optional
        Of timesteps that are counted: the place of the first, and how far it is to the next.
    times : float64 array (timestep,), optional
        Of those that have times: these.

    Examples
    --------
    >>> places = Places(5, first=2, step=3)
    >>> places[1:3].tolist(), places[-1], places.find(8), places.find(8, "right")
    ([5.0, 8.0], 14.0, 2, 3)
    """

    def __init__(
        self, count: int, first: float = 0.0, step: float = 1.0, *, times: Floats | None = None
    ) -> None:
        self._count, self._first, self._step, self._times = count, first, step, times

    def __len__(self) -> int:
        return self._count

    @overload
    def __getitem__(self, which: int) -> float: ...

    @overload
    def __getitem__(self, which: slice | NDArray[np.integer[Any]]) -> Floats: ...

    def __getitem__(self, which: int | slice | NDArray[np.integer[Any]]) -> float | Floats:
        if isinstance(which, int):
            which = range(self._count)[which]
            if self._times is not None:
                return float(self._times[which])
            return float(self._first + self._step * float(which))
        if self._times is not None:
            return np.asarray(self._times[which])
        numbers = np.arange(*which.indices(self._count)) if isinstance(which, slice) else which
        return np.asarray(self._first + self._step * numbers.astype(np.float64))

    def find(self, place: float, side: str = "left") -> int:
        """Give the first timestep that isn't before a place, or, to the right of it, that is behind it."""
        wanted = np.array([place if side == "left" else np.nextafter(place, np.inf)])
        return int(self.search(wanted, slice(0, self._count))[0])

    def nearest(self, place: float) -> int:
        """Give the timestep that is nearest to a place; of two as near, the first."""
        after = min(self.find(place), self._count - 1)
        before = max(after - 1, 0)
        return before if place - self[before] <= self[after] - place else after

    def search(
        self, wanted: Floats, within: slice, seen: Callable[[Floats], Floats] | None = None
    ) -> NDArray[np.intp]:
        """
        Find the first timesteps that aren't before some places.

        Parameters
        ----------
        wanted : float64 array (n,)
        within : slice
            Among which timesteps; what is behind all of them gets its stop.
        seen : callable, optional
            What places are held against: a rising function of them. Default: places themselves.

        Returns
        -------
        int array (n,)
        """
        low = np.full(len(wanted), within.start, np.intp)
        high = np.full(len(wanted), within.stop, np.intp)
        # All at once, by halves: nothing is made of each timestep.
        while (unsure := low < high).any():
            middle = (low + high) // 2
            places = self[np.minimum(middle, self._count - 1)]
            before = (places if seen is None else seen(places)) < wanted
            low = np.where(unsure & before, middle + 1, low)
            high = np.where(unsure & ~before, middle, high)
        return low

    def gaps(self, within: slice) -> NDArray[np.intp]:
        """Find the timesteps, counted from the first of some, before which some are missing."""
        if self._times is None:
            return np.zeros(0, np.intp)
        return gaps(self._times[within])
