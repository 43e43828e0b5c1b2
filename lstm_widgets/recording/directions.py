# An index may be anything that NumPy takes, which xarray has no types for: Any.
# ruff: noqa: ANN401
"""Both directions of a layer side by side, put together only where they are read."""

from __future__ import annotations

from typing import Any

import numpy as np
import xarray as xr
from xarray.backends import BackendArray
from xarray.core import indexing

from lstm_widgets.recording.axes import ranges

__all__ = ["side_by_side"]


class _Both(BackendArray):
    """Two variables, one after the other along an axis, of which only what is asked for is read."""

    def __init__(self, first: xr.Variable, second: xr.Variable) -> None:
        self._parts, self._axis = (first, second), first.dims.index("cell")
        self._first = first.sizes["cell"]
        shape = list(first.shape)
        shape[self._axis] += second.sizes["cell"]
        self.shape, self.dtype = tuple(shape), first.dtype

    def __getitem__(self, key: Any) -> Any:
        return indexing.explicit_indexing_adapter(
            key, self.shape, indexing.IndexingSupport.OUTER, self._read
        )

    def _read(self, key: tuple[Any, ...]) -> Any:
        first, second = self._parts
        cells = key[self._axis]
        before, behind = key[: self._axis], key[self._axis + 1 :]
        if np.ndim(cells) == 0 and not isinstance(cells, slice):
            part, cell = (first, cells) if cells < self._first else (second, cells - self._first)
            return part[(*before, cell, *behind)].values
        numbers = np.arange(self.shape[self._axis])[cells]
        later = numbers >= self._first
        parts = [
            part[(*before, _compact(some), *behind)].values
            for part, some in ((first, numbers[~later]), (second, numbers[later] - self._first))
        ]
        # Where the axis of the cells is, once single numbers have taken theirs away.
        axis = sum(np.ndim(k) > 0 or isinstance(k, slice) for k in before)
        joined = np.concatenate(parts, axis=axis)
        if (later[:-1] <= later[1:]).all():
            return joined
        return np.take(joined, np.argsort(np.argsort(later, kind="stable")), axis=axis)


def _compact(numbers: Any) -> Any:
    """Make a slice of numbers in a row, which is read without a copy."""
    if len(numbers) and (np.diff(numbers) == 1).all():
        return slice(int(numbers[0]), int(numbers[-1]) + 1)
    return numbers


def side_by_side(forward: xr.Dataset, backward: xr.Dataset) -> xr.Dataset:
    """Show both directions of a layer as one: the forward cells, then the backward ones.

    Parameters
    ----------
    forward, backward : xarray.Dataset
        The directions, with the axes of a recording's layers.

    Returns
    -------
    xarray.Dataset
        With the coordinate ``direction`` ``(cell,)``. Signals are read, and put together, when their
        values are asked for, and only the part that is.
    """
    signals = [name for name, values in forward.data_vars.items() if "cell" in values.dims]
    both = xr.concat(
        [forward.drop_vars(signals), backward.drop_vars(signals)],
        "cell",
        data_vars="minimal",
        coords="minimal",
        compat="override",
    )
    lazy = {}
    for name in signals:
        parts = forward[name].variable, backward[name].variable
        data = indexing.LazilyIndexedArray(_Both(*parts))
        lazy[name] = xr.Variable(parts[0].dims, data, parts[0].attrs)
    cells = forward.sizes["cell"]
    others = {name: both[name] for name in both.data_vars}
    both = both.drop_vars(list(others)).assign({**lazy, **others})
    direction = np.repeat(["forward", "backward"], cells)
    both = both.assign_coords({**ranges({"cell": 2 * cells}), "direction": ("cell", direction)})
    checks = [part.attrs["check"] for part in (forward, backward)]
    both.attrs = {
        "kind": forward.attrs["kind"],
        "masked_share": forward.attrs["masked_share"],
        "check": max(checks, key=lambda check: check.get("difference", 0.0)),
    }
    if "calls" in forward.attrs:
        both.attrs["calls"] = forward.attrs["calls"]
    return both
