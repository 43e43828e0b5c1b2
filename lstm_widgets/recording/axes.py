"""Coordinates that number what stands along an axis."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pandas as pd

if TYPE_CHECKING:
    from collections.abc import Hashable, Mapping

__all__ = ["ranges"]


def ranges(sizes: Mapping[str, int]) -> dict[Hashable, Any]:
    """
    Give coordinates from 0 on, which take no room, however long their axes are.

    Parameters
    ----------
    sizes : mapping of str to int
        From an axis to its length.

    Returns
    -------
    dict of pandas.RangeIndex

    Examples
    --------
    >>> ranges({"timestep": 3})
    {'timestep': RangeIndex(start=0, stop=3, step=1)}
    """
    return {axis: pd.RangeIndex(size) for axis, size in sizes.items()}
