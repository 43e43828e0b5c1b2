"""Reading a recording a block of cells or of timesteps at a time, without its padding."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Iterator

    import numpy.typing as npt
    import xarray as xr

__all__ = ["blocks_of", "read", "row_blocks"]

# Values (cell × timestep) that are worked on at a time.
_BLOCK_VALUES = 1 << 24
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


def row_blocks(
    signal: xr.DataArray, mask: npt.NDArray[np.bool_], width: int | None = None
) -> Iterator[tuple[slice, npt.NDArray[np.float32]]]:
    """Read all cells ``(n, cell)`` of some timesteps at a time, without their padding.

    Parameters
    ----------
    signal : xarray.DataArray
        ``(example, timestep, cell)``.
    mask : bool array (example, timestep)
        False marks padding.
    width : int, optional
        How many values will be held in memory for each timestep. Default: one for each cell.

    Yields
    ------
    slice
        Which timesteps they are, of all that aren't padding, one example after the other.
    float32 array (n, cell)
        Their values.
    """
    examples, timesteps, cells = signal.shape
    most = max(1, ROW_VALUES // max(1, cells if width is None else width))
    together = max(1, most // max(1, timesteps))
    done = 0
    for first in range(0, examples, together):
        rows = slice(first, first + together)
        for start in range(0, timesteps, most):
            here = mask[rows, start : start + most]
            count = int(np.count_nonzero(here))
            if count:
                values = signal[rows, start : start + most].to_numpy()
                flat = values.reshape(-1, cells) if here.all() else values[here]
                yield slice(done, done + count), flat
            done += count
