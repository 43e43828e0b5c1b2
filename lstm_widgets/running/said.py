# What a model returns, and what it should have, may be of many types: Any.
# ruff: noqa: ANN401
"""What a model said of a series, and what it should have said, at the timesteps where it did."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import numpy as np

from lstm_widgets.models.gather import plain
from lstm_widgets.recording import RecordedSeries
from lstm_widgets.running.series import described, named, physical

if TYPE_CHECKING:
    from collections.abc import Sequence

    import numpy.typing as npt

    from lstm_widgets.running.reading import Reading
    from lstm_widgets.running.series import Described, Series

__all__ = ["Said", "Targets"]


class Said:
    """The numbers that a model gives for a series, kept while it runs.

    Parameters
    ----------
    reading : Reading
        How the outputs of each call stand in the recording.
    series : Series
        What it reads.
    """

    def __init__(self, reading: Reading, series: Series) -> None:
        self._names: list[str] = []
        #: Whether the outputs are but hidden states that are recorded; None until that is known.
        self.only_states: bool | None = None
        #: Whether there is an output for each timestep, and not only for each end of what is read.
        self.over_time = True
        self.turn(reading, series)

    def turn(self, reading: Reading, series: Series) -> None:
        """Turn to the next part of what is read."""
        self._reading, self._series = reading, series
        self._values: npt.NDArray[np.float32] | None = None
        # At which timestep each example ends.
        self._last = np.full(len(series.values), series.timesteps - 1)

    def take(
        self,
        outputs: Mapping[str, npt.NDArray[Any]],
        start: int,
        stop: int,
        mask: npt.NDArray[np.bool_],
        hidden: Sequence[npt.NDArray[np.float32]],
    ) -> None:
        """Keep what came out of one call.

        ``mask`` is that of the last recurrent layer, ``hidden`` the hidden states that are recorded:
        a model that only gives such has said nothing more.
        """
        if self.only_states:
            return
        found = {name: self._placed(each, start, stop, mask) for name, each in outputs.items()}
        if self._values is None:
            self._names = _names({name: rows.shape[-1] for name, (rows, _) in found.items()})
            if self.only_states is None:
                self.only_states = len(found) == 1 and any(
                    _is_among(rows, states, place)
                    for rows, place in found.values()
                    for states in hidden
                )
                if self.only_states:
                    return
            shape = (*self._series.values.shape[:2], len(self._names))
            self._values = np.full(shape, np.nan, np.float32)
        first = 0
        for rows, place in found.values():
            last = first + rows.shape[-1]
            self._values[(*place, slice(first, last))] = rows
            first = last

    def recorded(
        self, kept: tuple[Any, ...], scaling: Any, targets: RecordedSeries | None
    ) -> RecordedSeries | None:
        """Hand over what was kept, called as the targets are if there are as many."""
        if self._values is None:
            return None
        names, units = tuple(self._names), ("",) * len(self._names)
        if targets is not None and len(targets.names) == len(names):
            names, units = targets.names, targets.units
        values = physical("target_scaling", self._values, scaling, names)
        return RecordedSeries(values[kept], names, units, self._series.times_of(kept))

    def at_ends(self, rows: npt.NDArray[np.float32]) -> npt.NDArray[np.float32]:
        """Put one row for each window, or example, where it ends; ``(example, timestep, number)``."""
        values = np.full((*self._series.values.shape[:2], rows.shape[1]), np.nan, np.float32)
        if self._reading.mode == "windows":
            values[self._reading.ends(0, self._reading.total)] = rows
        else:
            values[np.arange(len(rows)), self._last] = rows
        return values

    @property
    def count(self) -> int:
        """How many numbers there are at each timestep."""
        return len(self._names)

    def _placed(
        self, output: Any, start: int, stop: int, mask: npt.NDArray[np.bool_]
    ) -> tuple[Any, tuple[Any, ...]]:
        """Tell where the output of one call stands: ``(..., number)``, and its place."""
        reading = self._reading
        values = np.asarray(output)
        values = values[:, None] if values.ndim == 1 else values
        if reading.mode == "windows":
            values = values[: stop - start]
            if values.ndim > 2 and values.shape[1] == reading.window:
                values = values[:, -1]
            self.over_time = False
            return _flat(values, 1), reading.ends(start, stop)
        timesteps = self._series.timesteps
        if reading.mode == "pieces":
            timesteps = stop - start
        elif reading.lengths is not None:
            timesteps = int(reading.lengths[start])
        if values.ndim > 2:
            # As many as it reads, or as there is to be read before padding begins in all examples.
            count = values.shape[1]
            real = np.any(mask[start:stop] if reading.mode == "examples" else mask[:0], axis=0)
            if count == timesteps or (count == real.sum() and real[:count].all()):
                return _flat(values, 2), reading.place(start, stop, count)
        # One for each example (a forecast of several timesteps among them), at its end.
        self.over_time = False
        rows = _flat(values, 1)
        if reading.mode == "pieces":
            return rows, (slice(None), stop - 1)
        self._last[start:stop] = timesteps - 1
        if mask.shape[1] == self._series.timesteps:
            self._last[start:stop] = mask.shape[1] - 1 - mask[start:stop, ::-1].argmax(axis=1)
        return rows, (np.arange(start, stop), self._last[start:stop])


def _is_among(rows: Any, states: npt.NDArray[np.float32], place: tuple[Any, ...]) -> bool:
    """Whether these are the states at some place."""
    if rows.shape[-1] != states.shape[-1]:
        return False
    try:
        there = states[place]
    except IndexError:  # of a layer with other timesteps
        return False
    same = rows.__array_interface__ == there.__array_interface__  # so they are, without a look
    return same or np.array_equal(rows, there)


def _flat(values: npt.NDArray[Any], axes: int) -> npt.NDArray[Any]:
    """Put all axes but the first few into one; of no examples, too."""
    return values.reshape(*values.shape[:axes], math.prod(values.shape[axes:]))


def _names(counts: Mapping[str, int]) -> list[str]:
    names: list[str] = []
    for name, count in counts.items():
        base = name if len(counts) > 1 else "output"
        names += [base] if count == 1 else [f"{base} {k}" for k in range(count)]
    return names


class Targets:
    """What a model should say of a series.

    Parameters
    ----------
    given : object
        An array, a pandas table or Series, an xarray array, or a dict of arrays by name: at each
        timestep ``(timestep,)``, ``(timestep, output)``, ``(example, timestep)``, ``(example,
        timestep, output)``, of series of several lengths a list of one for each; or one for each
        example, or each window, ``(window,)``, ``(window, output)``.
    reading : Reading
        How the model reads the series.
    series : Series
        The series.
    """

    def __init__(self, given: Any, reading: Reading, series: Series) -> None:
        self._reading, self._series = reading, series
        names: Sequence[str] | None
        known: Described | None = None
        if isinstance(given, Mapping):
            parts = [np.asarray(plain(described(each)[0])) for each in given.values()]
            if len({part.shape for part in parts}) > 1:
                raise ValueError(
                    "targets: expected arrays of one shape, got "
                    + ", ".join(f"{name!r} {p.shape}" for name, p in zip(given, parts, strict=True))
                )
            names, array = [str(name) for name in given], np.stack(parts, axis=-1)
        else:
            given, known = described(given)
            filled = self._of_lengths(given)
            array = np.asarray(plain(given)) if filled is None else filled
            one = hasattr(given, "name") and array.ndim == 1
            names = known.channels if not one or given.name is not None else None
        if array.dtype.kind not in "biuf":
            raise TypeError(f"targets: expected numbers, got dtype {array.dtype}")
        self._names, self._known = names, known
        self._array = array.astype(np.float32)

    def _of_lengths(self, given: Any) -> npt.NDArray[np.float32] | None:
        """Put targets of several lengths into one array, NaN behind their ends; None: they aren't such."""
        if not isinstance(given, (list, tuple)) or not all(hasattr(e, "__len__") for e in given):
            return None
        lengths = [len(each) for each in given]
        if len(set(lengths)) < 2:
            return None
        reading = self._reading
        wanted = reading.lengths
        if wanted is not None and reading.order is not None:
            wanted = wanted[np.argsort(reading.order)]
        if wanted is None or lengths != wanted.tolist():
            known = "all of one length" if wanted is None else f"of lengths {wanted.tolist()}"
            raise ValueError(
                f"targets: expected one for each timestep of the series, which are {known}; got such of "
                f"lengths {lengths}"
            )
        parts = [np.asarray(plain(each), np.float32) for each in given]
        if len({part.shape[1:] for part in parts}) > 1:
            raise ValueError(
                "targets: expected as many outputs for each series, got shapes "
                + " and ".join(str(part.shape) for part in parts[:4])
            )
        filled = np.full(
            (len(parts), self._series.timesteps, *parts[0].shape[1:]), np.nan, np.float32
        )
        for row, part in zip(filled, parts, strict=True):
            row[: len(part)] = part
        return filled

    def recorded(self, kept: tuple[Any, ...], scaling: Any, said: Said) -> RecordedSeries:
        """Hand over what was given, at the timesteps where the model says something."""
        values = self.standing(said)
        units = dict(self._series.given)
        if self._known is not None and isinstance(self._known.units, Mapping):
            units |= self._known.units
        names, units_of, _ = named("targets", self._names, units, values.shape[-1], "target")
        scaled = physical("target_scaling", values, scaling, names)
        return RecordedSeries(scaled[kept], names, units_of, self._series.times_of(kept))

    def standing(self, said: Said) -> npt.NDArray[np.float32]:
        """Put them where they belong, ``(example, timestep, output)``.

        Raises
        ------
        ValueError
            If they fit neither the timesteps nor what is read.
        """
        array, order = self._array, self._reading.order
        if order is not None and len(array) == len(order):
            array = array[order]
        examples, timesteps = self._series.values.shape[:2]
        ends = self._reading.total if self._reading.mode == "windows" else examples
        at_ends = not said.over_time and array.shape[:1] == (ends,)
        if at_ends and array.size == ends * said.count:
            return said.at_ends(array.reshape(ends, said.count))
        for shape in ((examples, timesteps), (timesteps,))[: 1 + (examples == 1)]:
            if array.shape[: len(shape)] == shape and array.ndim <= len(shape) + 1:
                more = array.shape[len(shape) :] or (1,)
                return array.reshape(examples, timesteps, *more)
        if at_ends and array.ndim == 2:
            return said.at_ends(array)
        several = f"({examples}, {timesteps})" if examples > 1 else f"({timesteps},)"
        raise ValueError(
            f"targets: expected shape {several}, one for each timestep"
            + ("" if said.over_time else f", or ({ends},), one for each end of what is read")
            + f", maybe with a last axis of outputs; got {array.shape}"
        )
