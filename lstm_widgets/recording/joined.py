# An index may be anything that NumPy takes, which xarray has no types for: Any.
# ruff: noqa: ANN401
"""Variables one after the other along an axis, or along a new one, put together only where they are read."""

from __future__ import annotations

import bisect
import itertools
from typing import TYPE_CHECKING, Any

import numpy as np
import xarray as xr
from xarray.backends import BackendArray
from xarray.core import indexing

if TYPE_CHECKING:
    from collections.abc import Hashable, Sequence

__all__ = ["joined", "numbered", "stacked"]


def joined(parts: Sequence[xr.Variable], dim: Hashable) -> xr.Variable:
    """Put variables one after the other, and read them when their values are asked for.

    Parameters
    ----------
    parts : sequence of xarray.Variable
        With the same axes, of the same lengths but for ``dim``.
    dim : hashable
        Along which axis.
    """
    data = indexing.LazilyIndexedArray(_Joined(parts, parts[0].dims.index(dim)))
    return xr.Variable(parts[0].dims, data, parts[0].attrs)


def stacked(parts: Sequence[xr.Variable], dim: Hashable) -> xr.Variable:
    """Put variables side by side along a new first axis, and read those whose values are asked for.

    Parameters
    ----------
    parts : sequence of xarray.Variable
        With the same axes, of the same lengths.
    dim : hashable
        The name of the new axis.

    Examples
    --------
    >>> parts = [xr.Variable("cell", [0, 1]), xr.Variable("cell", [2, 3])]
    >>> stacked(parts, "variant")[1].values
    array([2, 3])
    """
    data = indexing.LazilyIndexedArray(_Stacked(parts))
    return xr.Variable((dim, *parts[0].dims), data, parts[0].attrs)


class _Stacked(BackendArray):
    def __init__(self, parts: Sequence[xr.Variable]) -> None:
        self._parts = tuple(parts)
        self.shape = (len(self._parts), *parts[0].shape)
        self.dtype = np.result_type(*(part.dtype for part in parts))

    def __getitem__(self, key: Any) -> Any:
        return indexing.explicit_indexing_adapter(
            key, self.shape, indexing.IndexingSupport.OUTER, self._read
        )

    def _read(self, key: tuple[Any, ...]) -> Any:
        along, rest = key[0], key[1:]
        if not isinstance(along, slice) and np.ndim(along) == 0:
            return self._parts[along][rest].values
        chosen = np.arange(len(self._parts))[along]
        if not len(chosen):
            return np.empty((0, *self._parts[0][rest].shape), self.dtype)
        return np.stack([self._parts[number][rest].values for number in chosen])


class _Joined(BackendArray):
    def __init__(self, parts: Sequence[xr.Variable], axis: int) -> None:
        self._parts, self._axis = tuple(parts), axis
        self._starts = [0, *itertools.accumulate(part.shape[axis] for part in parts)]
        shape = list(parts[0].shape)
        shape[axis] = self._starts[-1]
        self.shape, self.dtype = tuple(shape), np.result_type(*(part.dtype for part in parts))

    def __getitem__(self, key: Any) -> Any:
        return indexing.explicit_indexing_adapter(
            key, self.shape, indexing.IndexingSupport.OUTER, self._read
        )

    def _read(self, key: tuple[Any, ...]) -> Any:
        before, along, behind = key[: self._axis], key[self._axis], key[self._axis + 1 :]
        size = self.shape[self._axis]
        if isinstance(along, slice):
            numbers: Any = range(size)[along]
            order = None
        elif np.ndim(along) == 0:
            part = bisect.bisect_right(self._starts, along) - 1
            return self._parts[part][(*before, along - self._starts[part], *behind)].values
        else:
            numbers = np.where(along < 0, along + size, along)
            order = np.argsort(np.searchsorted(self._starts, numbers, "right"), kind="stable")
        spans = zip(self._parts, itertools.pairwise(self._starts), strict=True)
        places = [(part, _inside(numbers, *span)) for part, span in spans]
        some = [(part, place) for part, place in places if place is not None] or [
            (self._parts[0], slice(0))
        ]
        found = [part[(*before, place, *behind)].values for part, place in some]
        # Where the axis is, once single numbers have taken others away.
        axis = sum(np.ndim(k) > 0 or isinstance(k, slice) for k in before)
        together = np.concatenate(found, axis=axis)
        if order is None or (order[1:] > order[:-1]).all():
            return together
        return np.take(together, np.argsort(order), axis=axis)


def _inside(numbers: Any, start: int, stop: int) -> Any:
    """Find which numbers are of a part, counted from its beginning; None if none is."""
    if isinstance(numbers, range):
        first, last = (
            min(len(numbers), max(0, -(-(edge - numbers.start) // numbers.step)))
            for edge in (start, stop)
        )
        some = numbers[first:last]
        return slice(some.start - start, some.stop - start, some.step) if some else None
    here = numbers[(numbers >= start) & (numbers < stop)] - start
    if len(here) and (np.diff(here) == 1).all():
        return slice(int(here[0]), int(here[-1]) + 1)
    return here if len(here) else None


def numbered(lengths: Sequence[int], dim: Hashable) -> xr.Variable:
    """Give the number of its stretch, from 1 on, to each place of an axis.

    Parameters
    ----------
    lengths : sequence of int
        How long each is.
    dim : hashable
        The axis.

    Examples
    --------
    >>> numbered([2, 1], "timestep").values
    array([1, 1, 2])
    """
    parts = [
        xr.Variable((dim,), np.broadcast_to(np.int64(number), length))
        for number, length in enumerate(lengths, 1)
    ]
    return joined(parts, dim)
