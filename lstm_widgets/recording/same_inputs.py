"""Whether recordings are of the same inputs."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NoReturn

import numpy as np
import xarray as xr

from lstm_widgets.recording.masks import mask_of
from lstm_widgets.recording.rows import rows_of

if TYPE_CHECKING:
    from collections.abc import Collection

    from numpy.typing import NDArray

    from lstm_widgets.recording.recording import Recording

__all__ = ["difference_of_timesteps", "expect_same_inputs"]

#: Timesteps whose tokens and masks are compared: all of a recording that has no more, else so many, in
#: stretches that are spread over it.
COMPARED = 1 << 18
STRETCHES = 16
#: How far numbers that were read may be apart, relative to the largest of their channel: they are kept in
#: physical units, into which each model's scaling brings them with a rounding of its own.
SAME_NUMBERS = 1e-4
#: What says of each timestep, or example, what it is.
TOLD = ("label", "token", "time", "position")


def expect_same_inputs(
    name: str,
    recording: Recording,
    other: str,
    before: Recording,
    *,
    layers: Collection[str] | None = None,
) -> None:
    """Refuse a recording of other inputs than those of one that is there already.

    Parameters
    ----------
    name, other : str
        What both are called in the error.
    recording, before : Recording
    layers : collection of str, optional
        Which layers are held against those with the same name; None: all.

    Raises
    ------
    ValueError
        If they differ in the number of examples, or layers with the same name in what
        `difference_of_timesteps` tells, or channels with the same name in their numbers.
    """

    def refuse(what: str) -> NoReturn:
        raise ValueError(
            f"recordings: expected recordings of the same inputs, but {name!r} differs from {other!r}: "
            f"{what}"
        )

    examples = [each[each.layers[0]].sizes["example"] for each in (recording, before)]
    if examples[0] != examples[1]:
        refuse(f"{examples[0]} examples instead of {examples[1]}")
    for layer in recording.layers if layers is None else layers:
        if layer in before.layers:
            what = difference_of_timesteps(recording[layer], before[layer])
            if what is not None:
                refuse(f"layer {layer!r} has {what}")
    numbers = recording.inputs, before.inputs
    if numbers[0] is not None and numbers[1] is not None:
        what = _difference_of_numbers(numbers[0], numbers[1])
        if what is not None:
            refuse(what)


def difference_of_timesteps(one: xr.Dataset, before: xr.Dataset) -> str | None:
    """Tell by what the timesteps of two layers differ, for an error; None if they don't.

    Parameters
    ----------
    one, before : xarray.Dataset
        As ``recording[layer]`` gives them.

    Examples
    --------
    >>> from lstm_widgets.recording.same_inputs import difference_of_timesteps
    >>> layer = recording["lstm"]
    >>> difference_of_timesteps(layer.isel(timestep=slice(9)), layer)
    '9 timesteps instead of 620'
    """
    if one.sizes["timestep"] != before.sizes["timestep"]:
        return f"{one.sizes['timestep']} timesteps instead of {before.sizes['timestep']}"
    for told in TOLD:
        # What is said of one only is no contradiction.
        if told in one.coords and told in before.coords:
            place = _first_unequal(one[told].variable, before[told].variable)
            if place is not None:
                return f"other {told}s: {place}"
    if "mask" in one or "mask" in before:
        place = _first_unequal(_mask(one), _mask(before))
        if place is not None:
            return f"another mask: {place}"
    return None


def _mask(layer: xr.Dataset) -> xr.Variable:
    if "mask" in layer:
        return layer["mask"].variable
    return xr.Variable(("example", "timestep"), mask_of(layer))


def _first_unequal(one: xr.Variable, before: xr.Variable) -> str | None:
    """Find where two variables have other values, of as many timesteps as are compared."""
    if one.shape != before.shape:
        return f"shape {one.shape} instead of {before.shape}"
    for start, stop in _stretches(one.size):
        parts = [_read(each, start, stop) for each in (one, before)]
        unequal = np.asarray(parts[0] != parts[1])
        if unequal.any():
            first = int(unequal.argmax())
            place = (start + first,) if one.ndim == 1 else divmod(start + first, one.shape[1])
            values = [_plain(part[first]) for part in parts]
            return f"{values[0]} instead of {values[1]} at [{', '.join(map(str, place))}]"
    return None


def _read(values: xr.Variable, start: int, stop: int) -> NDArray[Any]:
    return np.asarray(values[start:stop]) if values.ndim == 1 else rows_of(values, start, stop)


def _plain(value: Any) -> str:  # noqa: ANN401 - a token, a number or a time
    return (
        str(value)
        if isinstance(value, np.datetime64)
        else repr(getattr(value, "item", lambda: value)())
    )


def _stretches(size: int) -> list[tuple[int, int]]:
    if size <= COMPARED:
        return [(0, size)]
    length = COMPARED // STRETCHES
    starts = np.linspace(0, size - length, STRETCHES).astype(np.int64)
    return [(int(start), int(start) + length) for start in starts]


def _difference_of_numbers(one: xr.DataArray, before: xr.DataArray) -> str | None:
    """Tell by what the numbers differ that channels of the same name have; None if they don't."""
    if one.shape[:2] != before.shape[:2]:
        return f"inputs of shape {one.shape[:2]} (example, timestep) instead of {before.shape[:2]}"
    names = [each.channel.to_numpy().tolist() for each in (one, before)]
    for k, channel in enumerate(names[0]):
        if channel not in names[1]:
            continue
        sides = one.variable[..., k], before.variable[..., names[1].index(channel)]
        for start, stop in _stretches(sides[0].size):
            a, b = (rows_of(each, start, stop).astype(np.float64) for each in sides)
            size = max(float(np.abs(x[np.isfinite(x)]).max(initial=0)) for x in (a, b))
            if not np.allclose(a, b, rtol=0, atol=SAME_NUMBERS * size, equal_nan=True):
                return f"other numbers in channel {channel!r}"
    return None
