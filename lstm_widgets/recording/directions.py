"""Both directions of a layer side by side, put together only where they are read."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from lstm_widgets.recording.axes import ranges
from lstm_widgets.recording.joined import joined

if TYPE_CHECKING:
    from collections.abc import Mapping

    import xarray as xr

__all__ = ["side_by_side"]


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
    split = [str(n) for n in [*forward.data_vars, *forward.coords] if "cell" in forward[n].dims]
    together = {
        name: joined([forward[name].variable, backward[name].variable], "cell")
        for name in split
        if name != "cell" and name in backward.variables
    }
    signals = {name: together.pop(name) for name in split if name in forward.data_vars}
    both = forward.drop_vars(split)
    others = {str(name): both[name] for name in both.data_vars}
    both = both.drop_vars(list(others)).assign({**signals, **others})
    cells = forward.sizes["cell"], backward.sizes["cell"]
    direction = ("cell", np.repeat(["forward", "backward"], cells))
    both = both.assign_coords({**ranges({"cell": sum(cells)}), **together, "direction": direction})
    checks = [part.attrs["check"] for part in (forward, backward)]
    both.attrs = {
        "kind": forward.attrs["kind"],
        "masked_share": forward.attrs["masked_share"],
        "check": max(checks, key=_least_sure),
    }
    if "calls" in forward.attrs:
        both.attrs["calls"] = forward.attrs["calls"]
    return both


def _least_sure(check: Mapping[str, Any]) -> tuple[bool, float]:
    """Order checks of layers: last comes what wasn't compared, before it what is farthest off."""
    return check.get("mode") == "none", check.get("difference", 0.0)
