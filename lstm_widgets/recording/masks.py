"""Which timesteps of a layer are padding."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    import numpy.typing as npt
    import xarray as xr


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
