"""Reading a recording a block of cells or of timesteps at a time, without its padding."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from lstm_widgets.recording.blockwise import blocks_of as in_timesteps

if TYPE_CHECKING:
    from collections.abc import Iterator

    import numpy.typing as npt
    import xarray as xr

    from lstm_widgets.recording.blockwise import Block

__all__ = ["blocks_of", "read", "row_blocks"]

# Values (cell × timestep) that are worked on at a time.
_BLOCK_VALUES = 1 << 25
#: Values (timestep × cell, and what else is held of each timestep) that are read at a time.
ROW_VALUES = 1 << 21


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


def row_blocks(layer: xr.Dataset, width: int | None = None) -> list[Block]:
    """Cut a layer into blocks of timesteps, in order, for work that holds more than the values read.

    Parameters
    ----------
    layer : xarray.Dataset
        The layer.
    width : int, optional
        How many values will be held in memory for each timestep. Default: one for each cell.
    """
    cells = layer.sizes["cell"]
    columns = max(1, ROW_VALUES // max(1, cells if width is None else width))
    return in_timesteps(layer, columns * max(1, cells))
