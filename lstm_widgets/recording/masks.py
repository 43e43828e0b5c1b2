"""Which timesteps of a layer are padding."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    import numpy.typing as npt
    import xarray as xr

    from lstm_widgets.recording.rows import Rows


def mask_of(layer: xr.Dataset) -> npt.NDArray[np.bool_]:
    """
    Tell the timesteps of a layer that aren't padding.

    Parameters
    ----------
    layer : xarray.Dataset
        One layer of a recording.

    Returns
    -------
    bool array (example, timestep)
        A byte a timestep; where no mask was recorded, it is True everywhere and takes no room.
    """
    if "mask" in layer:
        return np.asarray(layer["mask"], np.bool_)
    return np.broadcast_to(np.True_, (layer.sizes["example"], layer.sizes["timestep"]))


def padding_of(mask: Rows, timesteps: int, example: int) -> npt.NDArray[np.intp]:
    """
    Find the stretches of an example that are padding, a block after the other.

    Parameters
    ----------
    mask : Rows
        That of a layer; False marks padding.
    timesteps, example : int
        How many each example has, and which one is meant.

    Returns
    -------
    int array (stretch, 2)
        The first timestep of each, and the one behind its last.
    """
    first, edges, before = example * timesteps, [], False
    for start in range(0, timesteps, mask.block):
        padded = ~mask[first + start : first + min(start + mask.block, timesteps)]
        changes = np.flatnonzero(np.diff(padded, prepend=before))
        edges.append(start + changes)
        before = bool(padded[-1])
    if before:
        edges.append(np.array([timesteps]))
    return np.concatenate([np.zeros(0, np.intp), *edges]).reshape(-1, 2)
