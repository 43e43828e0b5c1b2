# What a series is kept in may be of many types: Any.
# ruff: noqa: ANN401
"""A series: the numbers that a model reads over time, and what is known of them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from lstm_widgets.models.gather import plain
from lstm_widgets.recording import RecordedSeries
from lstm_widgets.recording.times import Times, standard_times

if TYPE_CHECKING:
    import numpy.typing as npt

    Floats = npt.NDArray[np.floating[Any]]

__all__ = ["Described", "Series", "described", "named", "numbers_among", "physical", "straight"]

# How many timesteps tell whether numbers are one-hot, before all are looked at.
_LOOKED_AT = 256


@dataclass
class Described:
    """What inputs say of themselves, or what is said of them: None or empty where nothing is.

    Attributes
    ----------
    times : sequence, optional
        When each timestep is.
    channels : sequence of str, optional
        What the numbers along the last axis are.
    units : mapping of str to str, or sequence of str, optional
        Their units.
    labels : list of str, optional
        What the examples are called.
    """

    times: Any = None
    channels: Sequence[str] | None = None
    units: Mapping[str, str] | Sequence[str] | None = None
    labels: list[str] | None = None

    def __bool__(self) -> bool:
        """Tell whether anything is said."""
        return not (self.times is None and self.channels is None and self.units is None)

    def fitting(self, values: npt.NDArray[Any]) -> Described:
        """Leave out what a table says of other axes than those of numbers ``(example, time, channel)``."""
        _, timesteps, count = values.shape
        times = None if self.times is None or np.shape(self.times)[-1] != timesteps else self.times
        fits = self.channels is not None and len(self.channels) == count
        return Described(times, self.channels if fits else None, self.units if fits else None)

    def over(self, other: Described) -> Described:
        """Take what is said here, and from the other what isn't."""
        mine, others = vars(self), vars(other)
        return Described(**{k: v if v is not None else others[k] for k, v in mine.items()})


@dataclass(frozen=True)
class Series:
    """The numbers that a model reads over time.

    Attributes
    ----------
    values : numpy.ndarray
        ``(example, timestep, channel)``, as the model reads them.
    leaf : int
        Which of the model's inputs they are.
    names, units : tuple of str
        One a channel.
    given : mapping of str to str
        Units by name, those of targets among them.
    times : Times, optional
        When each timestep is.
    """

    values: Floats
    leaf: int
    names: tuple[str, ...]
    units: tuple[str, ...]
    given: Mapping[str, str]
    times: Times | None = None

    @classmethod
    def of(cls, values: Floats, leaf: int, known: Described) -> Series:
        """Make one of numbers ``(example, timestep, channel)`` and what is said of them.

        Raises
        ------
        TypeError, ValueError
            If that doesn't fit.
        """
        examples, timesteps, count = values.shape
        names, units, given = named("channels", known.channels, known.units, count)
        times = None if known.times is None else standard_times(known.times, examples, timesteps)
        return cls(values, leaf, names, units, given, times)

    @property
    def other_unit(self) -> str:
        """The unit that was told of what is no channel, such as the forecast; "" if of none, or several."""
        others = [unit for name, unit in self.given.items() if name not in self.names]
        return others[0] if len(others) == 1 else ""

    @property
    def timesteps(self) -> int:
        """How many it has."""
        return int(self.values.shape[1])

    def recorded(
        self, kept: tuple[Any, ...], scaling: Any, nothing: npt.NDArray[np.bool_] | None
    ) -> RecordedSeries:
        """Hand over what was read, in physical units; NaN where it stands for nothing."""
        values = physical("scaling", self.values, scaling, self.names)
        if nothing is not None:
            values[nothing] = np.nan
        return RecordedSeries(values[kept], self.names, self.units, self.times_of(kept))

    def times_of(self, kept: tuple[Any, ...]) -> Times | None:
        """Give the times of some examples, and of some timesteps."""
        if self.times is None:
            return None
        times = self.times.of_examples(kept[0])
        return times[kept[1]] if len(kept) > 1 else times


class Unread:
    """Variables of xarray that may be on a disk, as one array of which parts are read.

    Parameters
    ----------
    variables : sequence of xarray.DataArray
        All with the same axes, which stand side by side along a last one; or a single one, ``alone``,
        which has it already.
    """

    def __init__(self, variables: Sequence[Any], *, alone: bool) -> None:
        self._variables, self._alone = variables, alone
        last = () if alone else (len(variables),)
        self.shape: tuple[int, ...] = (*variables[0].shape, *last)
        self.ndim = len(self.shape)
        self.dtype = np.result_type(*(each.dtype for each in variables))

    def __len__(self) -> int:
        return self.shape[0]

    def __getitem__(self, which: int | slice) -> Unread | npt.NDArray[Any]:
        """Read some along the first axis; or give one of them, which isn't read yet."""
        if isinstance(which, int):
            return Unread([each[which] for each in self._variables], alone=self._alone)
        parts = [np.asarray(each[which]) for each in self._variables]
        return parts[0] if self._alone else np.stack(parts, axis=-1)


def described(inputs: Any, *, whole: bool = True) -> tuple[Any, Described]:
    """Read off tables and labelled arrays what they say of themselves; give them as arrays.

    Parameters
    ----------
    inputs : object
        A pandas table or a list of such, one an example: index and columns; an xarray DataArray
        ``([example,] time, channel)`` or Dataset of variables ``([example,] time)``: its coordinates,
        and ``units``. Everything else says nothing, and is given as it is.
    whole : bool, default True
        False: what xarray has on a disk stays there, and is given as `Unread`.
    """
    if _is_table(inputs):
        return inputs, _of_tables([inputs])
    tables = isinstance(inputs, (list, tuple)) and len(inputs) > 0
    if tables and all(_is_table(each) and len(each.shape) == 2 for each in inputs):
        return list(inputs), _of_tables(inputs)
    if hasattr(inputs, "data_vars"):
        unread, known = _of_variables(inputs)
        return unread[:] if whole else unread, known
    if hasattr(inputs, "coords") and hasattr(inputs, "dims"):
        known = _of_labelled(inputs, inputs.dims)
        return np.asarray(inputs) if whole else Unread([inputs], alone=True), known
    return inputs, Described()


def _is_table(value: Any) -> bool:
    return hasattr(value, "iloc") and hasattr(value, "index")


def _of_tables(tables: Sequence[Any]) -> Described:
    columns = [_columns(table) for table in tables]
    for k, own in enumerate(columns):
        if own != columns[0]:
            raise ValueError(
                f"inputs: expected the same columns in each table, {', '.join(map(repr, columns[0]))}"
                f"; table {k} has {', '.join(map(repr, own))}"
            )
    times = [_index(table.index) for table in tables]
    longest = max(len(table) for table in tables)
    if any(own is None or not len(own) for own in times):
        return Described(channels=columns[0])
    times = [_continued(own, longest) for own in times]
    return Described(times[0] if len(tables) == 1 else _stacked(times), columns[0])


def _continued(index: Any, count: int) -> Any:
    """Let times go on behind the end of a table, by its last step, to as many as the longest has."""
    if len(index) == count:
        return index
    one = np.timedelta64(1, "D") if index.dtype.kind == "M" else 1
    step = index[-1] - index[-2] if len(index) > 1 else one
    return index.append(
        type(index)([index[-1] + k * step for k in range(1, 1 + count - len(index))])
    )


def _columns(table: Any) -> list[str]:
    if len(table.shape) == 1:
        return ["value" if table.name is None else str(table.name)]
    return [str(name) for name in table.columns]


def _stacked(times: Sequence[Any]) -> Any:
    """Put the times of several tables into one array, those with a zone as objects that keep it."""
    if all(isinstance(getattr(own, "dtype", None), np.dtype) for own in times):
        return np.stack([np.asarray(own) for own in times])
    return np.array([list(own) for own in times], object)


def _index(index: Any) -> Any:
    """Give a table's index if it tells times; one that only counts from 0 doesn't."""
    if hasattr(index, "to_timestamp"):
        return index.to_timestamp()
    kind = getattr(index.dtype, "kind", "O")
    counts = kind in "iu" and np.array_equal(np.asarray(index), np.arange(len(index)))
    return None if counts or kind not in "iufM" else index


def _of_labelled(array: Any, dims: Sequence[Any]) -> Described:
    time, last = ("", *map(str, dims))[-2:]
    known = Described()
    if time in array.coords and array[time].dtype.kind in "iufM":
        known.times = _index(array.indexes[time]) if time in array.indexes else None
    if last in array.coords and array[last].dtype.kind in "OUST":
        known.channels = [str(name) for name in array[last].values]
        units = next((array[n].values for n in ("unit", "units") if n in array.coords), None)
        if units is not None and np.shape(units) == (len(known.channels),):
            known.units = [str(unit) for unit in units]
    if len(dims) > 2 and dims[0] in array.coords and array[dims[0]].dtype.kind in "OUST":
        known.labels = [str(label) for label in array[dims[0]].values]
    return known


def _of_variables(dataset: Any) -> tuple[Unread, Described]:
    """Put the variables of an xarray Dataset side by side."""
    variables = list(dataset.data_vars.values())
    dims = max((each.dims for each in variables), key=len, default=())
    for each in variables:
        if each.dims != dims:
            raise ValueError(
                f"inputs: expected variables with the same dimensions, {dims}; {each.name!r} has "
                f"{each.dims}"
            )
    if not variables:
        raise ValueError("inputs: expected a Dataset with variables, got one without")
    names = [str(each.name) for each in variables]
    known = _of_labelled(variables[0], (*dims, ""))
    known.channels = names
    known.units = {
        n: str(each.attrs.get("units", "")) for n, each in zip(names, variables, strict=True)
    }
    return Unread(variables, alone=False), known


def numbers_among(arrays: Sequence[Any], *, sure: bool) -> tuple[int, Floats] | None:
    """Find the numbers over time that a model reads, among its inputs.

    Parameters
    ----------
    arrays : sequence
        The model's inputs, each with the axis of the examples.
    sure : bool
        Whether it is known that they are such, and no one-hot vectors of symbols.

    Returns
    -------
    tuple or None
        Which of them they are, and ``(example, timestep, channel)``; None where there are none, or
        several.
    """
    over_time = [k for k, a in enumerate(arrays) if len(a.shape) == 3 and _is_number(a)]
    if len(over_time) != 1:
        return None
    values = np.asarray(arrays[over_time[0]])
    return (over_time[0], values) if sure or not _is_one_hot(values) else None


def _is_number(array: Any) -> bool:
    name = str(getattr(array.dtype, "name", array.dtype))
    return name.startswith(("float", "bfloat", "int", "uint", "bool"))


def _is_one_hot(values: npt.NDArray[Any]) -> bool:
    """Whether each timestep of several numbers is 1 in one of them and 0 in all others."""
    if values.shape[2] < 2:
        return False
    for some in (values[:1, :_LOOKED_AT], values):
        if not (((some == 0) | (some == 1)).all() and (some.sum(axis=2) <= 1).all()):
            return False
    return bool(values.any())


def named(
    argument: str, names: Any, units: Any, count: int, default: str = "channel"
) -> tuple[tuple[str, ...], tuple[str, ...], Mapping[str, str]]:
    """Check names and units; give them for each of ``count``, and the units by name.

    ``default`` is how those are called that have no name.
    """
    if names is None:
        found = (default,) if count == 1 and default != "channel" else None
        names = found or tuple(f"{default} {k}" for k in range(count))
    if isinstance(names, str) or not all(isinstance(name, str) for name in names):
        raise TypeError(f"{argument}: expected a sequence of str, got {names!r:.80}")
    names = tuple(str(name) for name in names)
    if len(names) != count:
        raise ValueError(
            f"{argument}: expected {count} names, one for each along the last axis; got {len(names)}: "
            f"{', '.join(map(repr, names[:8]))}"
        )
    if len(set(names)) < len(names):
        twice = next(name for k, name in enumerate(names) if name in names[:k])
        raise ValueError(f"{argument}: expected different names, got {twice!r} twice")
    if isinstance(units, Mapping):
        given: Mapping[str, str] = units
    elif units is None:
        given = {}
    else:
        if isinstance(units, str) or not all(isinstance(unit, str) for unit in units):
            raise TypeError(
                f"units: expected a sequence of str, or a dict by name, got {units!r:.80}"
            )
        if len(units) != count:
            raise ValueError(f"units: expected {count}, one for each channel; got {len(units)}")
        given = dict(zip(names, units, strict=True))
    return names, tuple(given.get(name, "") for name in names), given


def physical(
    argument: str, values: npt.NDArray[Any], scaling: Any, names: Sequence[str]
) -> npt.NDArray[np.float32]:
    """Undo the scaling of numbers.

    Parameters
    ----------
    argument : str
        What the scaling was given as.
    values : numpy.ndarray
        ``(..., channel)``, scaled.
    scaling : object
        None; a pair ``(mean, scale)`` of numbers or one a channel, ``scaled = (value - mean) /
        scale``; a dict of such pairs by name, others unscaled; or what has ``inverse_transform``, as
        scikit-learn's scalers do.
    names : sequence of str
        Those of the channels.

    Returns
    -------
    numpy.ndarray
        A copy, float32.
    """
    if scaling is None:
        return values.astype(np.float32)
    count = len(names)
    if hasattr(scaling, "inverse_transform"):
        rows = np.concatenate([np.zeros((1, count)), values.reshape(-1, count)])
        zero, *_ = back = np.asarray(scaling.inverse_transform(rows), np.float64)
        unscaled = back[1:].reshape(values.shape)
    else:
        zero, scale = straight(argument, scaling, names)
        unscaled = values * scale + zero
    # What was 0 before it was scaled, and rounded, is 0 again.
    unscaled[np.abs(unscaled) < np.finfo(np.float32).eps * np.abs(zero)] = 0
    return np.asarray(unscaled, np.float32)


def straight(
    argument: str, scaling: Any, names: Sequence[str]
) -> tuple[npt.NDArray[np.float64], npt.NDArray[np.float64]]:
    """Give what a scaled 0 stands for, and how much a step of 1 is, each ``(channel,)``.

    Parameters
    ----------
    argument, scaling, names : str, object, sequence of str
        As of :func:`physical`.

    Raises
    ------
    TypeError, ValueError
        If it isn't a scaling, or one whose steps aren't all alike.
    """
    count = len(names)
    if hasattr(scaling, "inverse_transform"):
        rows = np.repeat([[0.0], [1.0], [2.0]], count, axis=1)
        zero, one, two = np.asarray(scaling.inverse_transform(rows), np.float64)
        if not np.allclose(two - one, one - zero):
            raise ValueError(
                f"{argument}: expected a scaler that moves and stretches, (value - mean) / scale; got "
                f"{scaling!r:.80}"
            )
        return zero, one - zero
    if isinstance(scaling, Mapping):
        unknown = [name for name in scaling if name not in names]
        if unknown:
            raise ValueError(
                f"{argument}: expected names among {', '.join(map(repr, names))}; got {unknown[0]!r}"
            )
        pairs = [_pair(argument, scaling.get(name, (0.0, 1.0)), 1) for name in names]
        zero, scale = np.concatenate(pairs, axis=1)
    else:
        zero, scale = _pair(argument, scaling, count)
    return zero, scale


def _pair(argument: str, pair: Any, count: int) -> npt.NDArray[np.float64]:
    try:
        mean, scale = (np.asarray(plain(part), np.float64) for part in pair)
        return np.stack([np.broadcast_to(part, (count,)) for part in (mean, scale)])
    except (TypeError, ValueError) as error:
        raise TypeError(
            f"{argument}: expected (mean, scale), each a number or {count} of them, a dict of such "
            f"pairs by name, or a scaler with inverse_transform; got {pair!r:.80}"
        ) from error
