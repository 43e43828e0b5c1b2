# ruff: noqa: ANN401 - labels are of many types
"""Which timesteps belong together: labels of examples, of timesteps, or pieces of the calendar."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from lstm_widgets.analysis.times import LENGTHS, dates_of

if TYPE_CHECKING:
    import numpy.typing as npt
    import xarray as xr

__all__ = ["Groups", "groups_of"]


@dataclass(frozen=True)
class Groups:
    """What belongs together, by number.

    Attributes
    ----------
    number : int array (example, timestep)
        The group of each timestep, from 0, in the order in which groups first come.
    names : tuple of str
        What each is called.
    whole : bool
        Whether each example belongs to one group.
    what : str
        What they are, several of them.
    """

    number: npt.NDArray[np.intp]
    names: tuple[str, ...]
    whole: bool
    what: str = "groups"


def groups_of(dataset: xr.Dataset, groups: Any) -> Groups:
    """Tell which group each of a layer's timesteps belongs to.

    Parameters
    ----------
    dataset : xarray.Dataset
        The layer.
    groups : str or sequence
        ``"year"``, ``"month"``, ``"week"`` or ``"day"`` by the dates of the recording; one label
        for each example; one for each timestep, ``(timestep,)``; or one for each timestep of each
        example, ``(example, timestep)``.

    Raises
    ------
    TypeError, ValueError
        If they are none of these.
    """
    examples, timesteps = dataset.sizes["example"], dataset.sizes["timestep"]
    if isinstance(groups, str):
        if groups not in LENGTHS:
            raise ValueError(
                f"groups: expected one label for each example or timestep, or one of "
                f"{', '.join(map(repr, LENGTHS))} for those of the calendar, got {groups!r}"
            )
        dates = dates_of(dataset)
        if dates is None:
            raise ValueError(
                f"groups: {groups!r} needs the dates of the timesteps, and the recording has none; "
                f"record(..., times=...) keeps them"
            )
        labels = dates.astype(f"datetime64[{LENGTHS[groups]}]")
        number, names = _numbered(labels.ravel())
        return Groups(number.reshape(labels.shape), names, whole=False, what=f"{groups}s")
    if isinstance(groups, bytes) or not hasattr(groups, "__len__"):
        raise TypeError(f"groups: expected one label for each example, got {groups!r:.80}")
    if isinstance(groups, (list, tuple)) and len(groups) and isinstance(groups[0], (list, tuple)):
        groups = np.array(groups, object)
    if getattr(groups, "ndim", 1) == 2:
        shape = (examples, timesteps)
        if groups.shape != shape:
            raise ValueError(
                f"groups: expected labels ({examples} examples, {timesteps} timesteps), got shape "
                f"{groups.shape}"
            )
        number, names = _numbered(np.asarray(groups).ravel())
        number = number.reshape(shape)
        return Groups(number, names, bool((number == number[:, :1]).all()))
    number, names = _numbered(groups)
    along = getattr(groups, "dims", ("example" if len(groups) == examples else "timestep",))[0]
    if along == "example" and len(groups) == examples:
        return Groups(np.broadcast_to(number[:, None], (examples, timesteps)), names, whole=True)
    if along == "timestep" and len(groups) == timesteps:
        return Groups(np.broadcast_to(number, (examples, timesteps)), names, whole=False)
    raise ValueError(
        f"groups: expected one label for each of {examples} examples, or for each of {timesteps} "
        f"timesteps, got {len(groups)}"
    )


def _numbered(labels: Any) -> tuple[npt.NDArray[np.intp], tuple[str, ...]]:
    """Count through different labels; equal ones have the same number, also 1 and 1.0."""
    plain = labels.tolist() if hasattr(labels, "tolist") else list(labels)
    if getattr(labels, "dtype", np.dtype(object)).kind == "M":
        plain = np.datetime_as_string(labels).tolist()
    numbers: dict[Any, int] = {}
    found = np.array([numbers.setdefault(label, len(numbers)) for label in plain], np.intp)
    return found, tuple(map(str, numbers))
