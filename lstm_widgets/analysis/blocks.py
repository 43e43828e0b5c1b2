"""Reading a recording a block of cells at a time, without its padding."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Iterator

    import numpy.typing as npt
    import xarray as xr

__all__ = ["blocks_of", "read"]

# Values (cell × timestep) that are worked on at a time.
_BLOCK_VALUES = 1 << 24


def blocks_of(cells: int, timesteps: int) -> Iterator[range]:
    """Cut the cells of a layer into blocks that fit into memory; no cells are one empty block."""
    step = max(1, _BLOCK_VALUES // max(timesteps, 1))
    return (range(start, min(start + step, cells)) for start in range(0, max(cells, 1), step))


def read(
    signal: xr.DataArray, mask: npt.NDArray[np.bool_], cells: range
) -> npt.NDArray[np.float32]:
    """Read a block of cells ``(cell, n)``, one example after the other without their padding."""
    values = signal[:, :, cells.start : cells.stop].to_numpy()
    return np.ascontiguousarray(values[mask].T)
