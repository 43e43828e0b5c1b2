"""Whole numbers that are given as arguments."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    import numpy.typing as npt

__all__ = ["in_range"]


def in_range(
    argument: str, indices: npt.NDArray[np.intp], count: int, what: str
) -> npt.NDArray[np.intp]:
    """Check indices, of which negative ones count from the end."""
    outside = (indices < -count) | (indices >= count)
    if outside.any():
        raise ValueError(
            f"{argument}: expected indices below {count} (the model's outputs have {count} "
            f"{what}), got {indices[outside][0]}"
        )
    return np.where(indices < 0, indices + count, indices)
