"""Arrays of a recording read as rows, in pieces: of what is on a disk, only those that are asked for."""

from __future__ import annotations

import functools
import itertools
import math
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
import xarray as xr

from lstm_widgets.lru import LRU

if TYPE_CHECKING:
    from collections.abc import Iterator

    from numpy.typing import NDArray

__all__ = ["Rows", "in_memory", "rows_of"]

#: What was read last of all arrays on disks is kept, up to so many bytes.
KEPT_BYTES = 1 << 26
#: Values that are read at a time of what isn't in chunks: 2 MiB of float32.
_BLOCK_VALUES = 1 << 19

_kept: LRU[NDArray[Any]] = LRU(KEPT_BYTES, lambda block: block.nbytes)
_numbers = itertools.count()


def in_memory(values: xr.DataArray | xr.Variable | NDArray[Any]) -> bool:
    """
    Tell whether nothing of an array has to be read.

    Examples
    --------
    >>> in_memory(np.zeros(3))
    True
    """
    variable = getattr(values, "variable", values)
    # Xarray tells it by no public name.
    return not isinstance(variable, xr.Variable) or bool(variable._in_memory)  # noqa: SLF001


def rows_of(
    values: xr.DataArray | xr.Variable | NDArray[Any], start: int, stop: int, *index: int | slice
) -> NDArray[Any]:
    """
    Read some columns of a recording: its examples laid end to end.

    Parameters
    ----------
    values : xarray.DataArray, xarray.Variable or numpy.ndarray
        With the axes ``(example, timestep, ...)``. No more of it is read than those.
    start, stop : int
        Columns: ``example * timesteps + timestep``.
    *index : int or slice, optional
        What to take of further axes.

    Returns
    -------
    numpy.ndarray
        ``(column, ...)``.

    Examples
    --------
    >>> rows_of(np.arange(12).reshape(3, 4), 2, 9)
    array([2, 3, 4, 5, 6, 7, 8])
    """
    parts = [
        np.asarray(values[(*place, *index)]) for place in _places(values.shape[1], start, stop)
    ]
    flat = [part.reshape(-1, *part.shape[2:]) for part in parts]
    return flat[0] if len(flat) == 1 else np.concatenate(flat)


def _places(timesteps: int, start: int, stop: int) -> Iterator[tuple[slice, slice]]:
    """Cut columns into the end of an example, whole examples, and the beginning of one."""
    if start >= stop:
        yield slice(0, 0), slice(0, 0)
        return
    first, begin = divmod(start, timesteps)
    last, end = divmod(stop, timesteps)
    if first == last:
        yield slice(first, first + 1), slice(begin, end)
        return
    if begin:
        yield slice(first, first + 1), slice(begin, timesteps)
        first += 1
    if first < last:
        yield slice(first, last), slice(0, timesteps)
    if end:
        yield slice(last, last + 1), slice(0, end)


class Rows:
    """
    An array as one row after the other, of which the parts that were read last are kept.

    Parameters
    ----------
    values : xarray.DataArray, xarray.Variable or numpy.ndarray
        With the axes ``(example, timestep, ...)``: a row is a column of a recording. Of what is on a disk
        whole chunks are read; what is in memory is only looked at.
    axes : {2, 1}, optional
        How many axes rows are counted along: 1 for ``(row, ...)``.

    Examples
    --------
    >>> Rows(np.arange(12).reshape(3, 4))[2:5]
    array([2, 3, 4])
    """

    def __init__(
        self, values: xr.DataArray | xr.Variable | NDArray[Any], axes: Literal[1, 2] = 2
    ) -> None:
        self._values = getattr(values, "variable", values)
        self._axes, self._timesteps = axes, values.shape[axes - 1]
        self.shape: tuple[int, ...] = (math.prod(values.shape[:axes]), *values.shape[axes:])
        self._whole: NDArray[Any] | None = None
        self._number = next(_numbers)
        if not isinstance(self._values, xr.Variable) or in_memory(self._values):
            self._whole = np.ascontiguousarray(self._values).reshape(self.shape)
            return
        chunks = self._values.encoding.get("chunks")
        if chunks:
            batch, steps = (1, *chunks[:axes])[-2:]
        else:
            steps = self._fitting
            batch = max(1, steps // max(1, self._timesteps))
        self._chunk: tuple[int, int] = (batch, steps)

    @property
    def _fitting(self) -> int:
        return max(1, _BLOCK_VALUES // max(1, math.prod(self.shape[1:])))

    def __len__(self) -> int:
        return self.shape[0]

    @property
    def in_memory(self) -> bool:
        """Whether nothing has to be read."""
        return self._whole is not None

    @property
    def block(self) -> int:
        """How many rows are best read at a time."""
        if self._whole is not None:
            return self._fitting
        start, stop = self._around(0)
        return stop - start

    def __getitem__(self, rows: slice) -> NDArray[Any]:
        start, stop, _ = rows.indices(len(self))
        if self._whole is not None:
            return self._whole[start:stop]
        parts = []
        while start < stop:
            first, last = self._around(start)
            read = functools.partial(self._read, first, last)
            block = _kept.get((self._number, first), read)
            parts.append(block[start - first : stop - first])
            start = last
        if not parts:
            return np.empty((0, *self.shape[1:]), self._values.dtype)
        return parts[0] if len(parts) == 1 else np.concatenate(parts)

    def _around(self, row: int) -> tuple[int, int]:
        """Give the rows of the chunk, or of the stretch of it, that has a row."""
        batch, steps = self._chunk
        if steps >= self._timesteps:
            size = max(1, batch * self._timesteps)
            start = row // size * size
            return start, min(start + size, len(self))
        example, timestep = divmod(row, self._timesteps)
        start = timestep // steps * steps
        first = example * self._timesteps
        return first + start, first + min(start + steps, self._timesteps)

    def _read(self, start: int, stop: int) -> NDArray[Any]:
        if self._axes == 1:
            return np.asarray(self._values[start:stop])
        return rows_of(self._values, start, stop)
