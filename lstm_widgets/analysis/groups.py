# ruff: noqa: ANN401 - labels are of many types
"""Which timesteps belong together: labels of examples, of timesteps, or pieces of the calendar."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from lstm_widgets.analysis.probes.numbered import stretches
from lstm_widgets.analysis.times import LENGTHS, Dates

if TYPE_CHECKING:
    from collections.abc import Iterable

    import numpy.typing as npt
    import xarray as xr

__all__ = ["Groups", "groups_of"]


@dataclass(frozen=True)
class Groups:
    """What belongs together, by number.

    Attributes
    ----------
    number : int array (example, timestep)
        The group of each timestep, from 0, in the order in which groups first come; of few bytes.
    names : tuple of str
        What each is called.
    whole : bool
        Whether each example belongs to one group.
    what : str
        What they are, several of them.
    """

    number: npt.NDArray[np.integer[Any]]
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
        dates = Dates.of(dataset)
        if dates is None:
            raise ValueError(
                f"groups: {groups!r} needs the dates of the timesteps, and the recording has none; "
                f"record(..., times=...) keeps them"
            )
        unit = f"datetime64[{LENGTHS[groups]}]"
        number, names = _numbered(
            (dates.on_clock(part).astype(unit) for part in stretches(dates.count)), dates.count
        )
        if dates.shared:
            number = np.broadcast_to(number, (examples, timesteps))
        else:
            number = number.reshape(examples, timesteps)
        return Groups(number, names, whole=False, what=f"{groups}s")
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
        number, names = _numbered([np.asarray(groups).ravel()], examples * timesteps)
        number = number.reshape(shape)
        return Groups(number, names, bool((number == number[:, :1]).all()))
    number, names = _numbered([groups], len(groups))
    along = getattr(groups, "dims", ("example" if len(groups) == examples else "timestep",))[0]
    if along == "example" and len(groups) == examples:
        return Groups(np.broadcast_to(number[:, None], (examples, timesteps)), names, whole=True)
    if along == "timestep" and len(groups) == timesteps:
        return Groups(np.broadcast_to(number, (examples, timesteps)), names, whole=False)
    raise ValueError(
        f"groups: expected one label for each of {examples} examples, or for each of {timesteps} "
        f"timesteps, got {len(groups)}"
    )


def _numbered(
    parts: Iterable[Any], count: int
) -> tuple[npt.NDArray[np.integer[Any]], tuple[str, ...]]:
    """Count through different labels; equal ones have the same number, also 1 and 1.0."""
    numbers: dict[Any, int] = {}
    found, at = np.zeros(count, np.uint8), 0
    for labels in parts:
        here = _numbers_of(labels, numbers)
        if len(numbers) - 1 > np.iinfo(found.dtype).max:
            found = found.astype(np.min_scalar_type(len(numbers) - 1))
        found[at : at + len(here)] = here
        at += len(here)
    return found, tuple(map(str, numbers))


def _numbers_of(labels: Any, numbers: dict[Any, int]) -> npt.NDArray[np.intp]:
    """Give the numbers of labels, and number those that are new."""
    if getattr(labels, "dtype", np.dtype(object)).kind == "M":
        # There are few different ones among many.
        known, first, which = np.unique(labels, return_index=True, return_inverse=True)
        names = np.datetime_as_string(known).tolist()
        order = np.argsort(first)
        of_known = np.empty(len(known), np.intp)
        for k in order.tolist():
            of_known[k] = numbers.setdefault(names[k], len(numbers))
        return np.asarray(of_known[which])
    plain = labels.tolist() if hasattr(labels, "tolist") else list(labels)
    return np.array([numbers.setdefault(label, len(numbers)) for label in plain], np.intp)
