# Times may be given in many ways: Any.
# ruff: noqa: ANN401
"""The dates, or numbers, that the timesteps of a series stand for."""

from __future__ import annotations

import functools
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, TypeVar

import numpy as np
import xarray as xr
from xarray.indexes import PandasIndex

if TYPE_CHECKING:
    from collections.abc import Hashable, Iterable, Mapping, Sequence

    import numpy.typing as npt
    import pandas as pd

    Set = TypeVar("Set", xr.Dataset, xr.DataArray)

__all__ = ["TimeIndex", "Times", "standard_times", "with_time_index"]


@dataclass(frozen=True)
class Times:
    """When each timestep of a series is.

    Attributes
    ----------
    values : numpy.ndarray
        datetime64[ns] in UTC, int64 or float64; ``(timestep,)``, or ``(example, timestep)`` where
        examples differ.
    zone : str
        The name of the time zone in which they were given, "" if in none.
    """

    values: npt.NDArray[Any]
    zone: str = ""

    @property
    def attrs(self) -> dict[str, str]:
        """What the coordinate ``time`` says of itself."""
        return {"time_zone": self.zone} if self.zone else {}

    def __getitem__(self, index: Any) -> Times:
        """Take some, by an index of the timesteps."""
        return Times(self.values[..., index], self.zone)

    def of_examples(self, index: Any) -> Times:
        """Take those of some examples."""
        return self if self.values.ndim == 1 else Times(self.values[index], self.zone)


def standard_times(times: Any, examples: int, timesteps: int) -> Times:
    """Check times, and bring them into one form.

    Parameters
    ----------
    times : sequence
        Dates (``datetime64``, ``datetime``, a pandas index, with or without a time zone; periods
        count by their beginnings) or numbers, ``(timestep,)`` or ``(example, timestep)``.
    examples, timesteps : int
        How many there are.

    Raises
    ------
    TypeError
        If they are neither dates nor numbers.
    ValueError
        If they are too few or too many, or don't go forward: the text names the first that doesn't.

    Examples
    --------
    >>> standard_times(["2003-05-16", "2003-05-17"], 1, 2).values.dtype
    dtype('<M8[ns]')
    """
    values, zone = _read(times)
    if values.shape not in ((timesteps,), (examples, timesteps)):
        several = f" or ({examples}, {timesteps})" if examples > 1 else ""
        raise ValueError(
            f"times: expected shape ({timesteps},){several}, one for each timestep; got "
            f"{values.shape}"
        )
    if values.ndim == 2 and (examples == 1 or (values == values[:1]).all()):
        values = values[0]
    _expect_forward(values, zone)
    return Times(values, zone)


def _read(times: Any) -> tuple[npt.NDArray[Any], str]:
    if isinstance(times, (str, bytes)) or not hasattr(times, "__len__"):
        raise TypeError(f"times: expected dates or numbers, one a timestep; got {times!r:.80}")
    if hasattr(times, "to_timestamp") and hasattr(times, "freq"):  # periods, of pandas
        times = times.to_timestamp()
    if hasattr(times, "dtype") and getattr(times.dtype, "kind", "O") in "iufM":
        zone = getattr(times.dtype, "tz", None)
        if zone is None:
            return _plain(np.asarray(times)), ""
        return _plain(np.asarray(times.astype("datetime64[ns, UTC]"), "M8[ns]")), str(zone)
    return _of_objects(np.asarray(times))


def _plain(values: npt.NDArray[Any]) -> npt.NDArray[Any]:
    kind = values.dtype.kind
    if kind == "M":
        made = values.astype("M8[ns]")
        # What nanoseconds from 1970 can't hold would come back as another date.
        if not np.array_equal(made.astype(values.dtype), values, equal_nan=True):
            raise ValueError(
                f"times: expected dates from 1678 to 2261, got {values.min()} to {values.max()}"
            )
        return made
    return values.astype(np.float64 if kind == "f" else np.int64)


def _of_objects(values: npt.NDArray[Any]) -> tuple[npt.NDArray[Any], str]:
    """Read a list, or an array of objects: numbers, str of dates, datetimes with or without zones."""
    if values.dtype.kind in "iufM":
        return _plain(values), ""
    if values.dtype.kind not in "OUS":
        raise TypeError(f"times: expected dates or numbers, got an array of {values.dtype}")
    import pandas as pd  # noqa: PLC0415  (slow to load, and seldom needed)

    zones = {str(zone) for value in values.flat if (zone := getattr(value, "tzinfo", None))}
    try:
        read = pd.to_datetime(pd.Index(values.ravel()), utc=True, format="ISO8601")
    except (ValueError, TypeError) as error:
        raise TypeError(f"times: expected dates or numbers; {error}") from error
    plain = np.asarray(read.astype("datetime64[ns, UTC]"), "M8[ns]").reshape(values.shape)
    return plain, zones.pop() if len(zones) == 1 else ""


def _expect_forward(values: npt.NDArray[Any], zone: str) -> None:
    """Refuse times that are missing, come twice or go back."""
    rows = np.atleast_2d(values)
    missing = np.isnat(rows) if rows.dtype.kind == "M" else np.isnan(rows)
    for kind, wrong in (
        ("missing", missing[:, 1:] | missing[:, :-1]),
        ("", rows[:, 1:] <= rows[:, :-1]),
    ):
        if not wrong.any():
            continue
        example, at = (int(k) for k in np.argwhere(wrong)[0])
        here = f" of example {example}" if len(rows) > 1 else ""
        before, after = (_written(time) for time in rows[example, at : at + 2])
        if kind:
            raise ValueError(
                f"times: expected a time for each timestep, got {before} and {after} at timesteps "
                f"{at} and {at + 1}{here}"
            )
        what = "comes twice" if before == after else f"is followed by {after}"
        clock = (
            "; where clocks are set back, times need their zone, as of "
            "index.tz_localize('Europe/Berlin', ambiguous='infer')"
            if rows.dtype.kind == "M" and not zone
            else ""
        )
        raise ValueError(
            f"times: expected each to be later than the one before, but {before} {what}{here}, at "
            f"timestep {at + 1}{clock}"
        )


def _written(time: Any) -> str:
    return str(np.datetime_as_string(time, "auto")) if time.dtype.kind == "M" else str(time)


class TimeIndex(xr.Index):
    """Times that select, which are read once something is selected by them, and not before.

    Parameters
    ----------
    time : xarray.Variable
        The times, ``(timestep,)``, read or not.
    name : hashable
        What the coordinate is called.
    """

    def __init__(self, time: xr.Variable, name: Hashable) -> None:
        self.time, self.name = time, name

    def __getstate__(self) -> dict[str, Any]:
        """Send away where the times are, and not what was read."""
        return {"time": self.time, "name": self.name}

    @functools.cached_property
    def known(self) -> PandasIndex:
        """What the times are."""
        return PandasIndex.from_variables({self.name: self.time}, options={})

    @classmethod
    def _of(cls, known: PandasIndex) -> TimeIndex:
        ((name, time),) = known.create_variables().items()
        return cls(time.to_base_variable(), name)

    @classmethod
    def from_variables(
        cls, variables: Mapping[Any, xr.Variable], *, options: Mapping[str, Any]
    ) -> TimeIndex:
        """Take the one coordinate that it is of."""
        ((name, time),) = variables.items()
        return cls(time, name, **options)

    @classmethod
    def concat(
        cls,
        indexes: Sequence[TimeIndex],
        dim: Hashable,
        positions: Iterable[Iterable[int]] | None = None,
    ) -> TimeIndex:
        """Put times one after the other."""
        return cls._of(PandasIndex.concat([index.known for index in indexes], dim, positions))

    def create_variables(
        self, variables: Mapping[Any, xr.Variable] | None = None
    ) -> dict[Hashable, xr.Variable]:
        """Give the coordinate, which isn't read for that."""
        time, given = self.time, (variables or {}).get(self.name)
        if given is not None:
            time = time.copy(deep=False)
            time.attrs, time.encoding = given.attrs, given.encoding
        return {self.name: time}

    def to_pandas_index(self) -> pd.Index:
        """Read the times."""
        return self.known.index

    def isel(self, indexers: Mapping[Any, Any]) -> TimeIndex | None:
        """Take some, which aren't read for that."""
        time = self.time.isel(indexers)
        return TimeIndex(time, self.name) if time.dims == self.time.dims else None

    def sel(self, labels: dict[Any, Any], **options: Any) -> Any:
        """Find dates or numbers."""
        return self.known.sel(labels, **options)

    def join(self, other: TimeIndex, how: Any = "inner") -> TimeIndex:
        """Unite two, or intersect them."""
        return self._of(self.known.join(other.known, how))

    def reindex_like(self, other: TimeIndex, **options: Any) -> dict[Hashable, Any]:
        """Find the times of another one."""
        return self.known.reindex_like(other.known, **options)

    def equals(self, other: xr.Index, **_: Any) -> bool:
        """Tell whether both are of the same times."""
        if not isinstance(other, TimeIndex) or self.time.sizes != other.time.sizes:
            return False
        return self.time is other.time or self.known.equals(other.known)

    def rename(
        self, name_dict: Mapping[Any, Hashable], dims_dict: Mapping[Any, Hashable]
    ) -> TimeIndex:
        """Call the coordinate, or its axis, otherwise."""
        time = self.time.copy(deep=False)
        time.dims = tuple(dims_dict.get(dim, dim) for dim in time.dims)
        return TimeIndex(time, name_dict.get(self.name, self.name))


def with_time_index(dataset: Set) -> Set:
    """Let ``time`` select, as in ``.sel(time="2001-05")``, where all examples have the same times."""
    if "time" not in dataset.coords or "time" in dataset.xindexes:
        return dataset
    # Of a variable: to pick from a coordinate's index, pandas before 3 writes all of that out.
    time = dataset.coords["time"].variable
    if time.dims != ("timestep",):
        return dataset
    # Times go forward, but those of calls may begin again with each.
    edges = np.unique(np.cumsum(dataset.attrs.get("calls", ())[:-1], dtype=np.int64))
    edges = edges[(edges > 0) & (edges < time.size)]
    if (time[edges].to_numpy() <= time[edges - 1].to_numpy()).any():
        return dataset
    return dataset.set_xindex("time", TimeIndex)
