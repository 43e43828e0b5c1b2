"""What is shown of a layer that a model calls several times: all its calls as one, or one of them."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt
import xarray as xr

from lstm_widgets.recording.axes import ranges
from lstm_widgets.recording.calls import call_name, split_call
from lstm_widgets.recording.joined import joined, numbered
from lstm_widgets.recording.recorded import INITIAL
from lstm_widgets.recording.times import with_time_index

if TYPE_CHECKING:
    from collections.abc import Mapping


def shown_calls(node: xr.Dataset, call: int | None) -> xr.Dataset:
    """Show all calls of a layer as one, or one of them; of a text the last one."""
    calls = node.attrs.get("calls")
    if calls is None:
        return node
    if call is None and node.attrs["same_timesteps"]:
        call = len(calls)
    attrs = {name: value for name, value in node.attrs.items() if name != "same_timesteps"}
    shown = node
    if call is not None:
        del attrs["calls"]
        start = sum(calls[: call - 1])
        shown = node.isel(timestep=slice(start, start + calls[call - 1]))
        shown = shown.assign_coords(ranges({"timestep": shown.sizes["timestep"]}))
    first = [name for name in map(str, shown.coords) if name.startswith(INITIAL)]
    shown = shown.assign_coords({name: shown[name][:, (call or 1) - 1] for name in first})
    shown.attrs = attrs
    return with_time_index(shown)


def initial_states(node: xr.Dataset, name: str, call: int | None) -> npt.NDArray[np.float32] | None:
    """Give the states from which the calls that are shown of a layer started."""
    if name not in node.coords:
        return None
    states: npt.NDArray[np.float32] = node[name].values
    if "calls" not in node.attrs:
        return states[:, None]
    if call is None and node.attrs["same_timesteps"]:
        call = len(node.attrs["calls"])
    return states if call is None else states[:, call - 1 : call]


def all_calls(node: xr.Dataset, call: int | None) -> xr.Dataset:
    """Show all calls of a layer, or one of them, and which timestep is of which."""
    calls = node.attrs.get("calls", [node.sizes["timestep"]])
    shown = (
        shown_calls(node.assign_attrs(same_timesteps=False), call)
        if "calls" in node.attrs
        else node
    )
    numbers = (
        numbered(calls, "timestep")
        if call is None
        else xr.Variable(("timestep",), np.broadcast_to(np.int64(call), shown.sizes["timestep"]))
    )
    return shown.assign_coords(call=numbers)


def joined_calls(datasets: Mapping[str, xr.Dataset], windowed: bool) -> dict[str, xr.Dataset]:
    """Put the calls of a layer together, which older files have as layers of their own."""
    found: dict[str, xr.Dataset] = {}
    for name, dataset in datasets.items():
        later, call = [], 2
        while (named := call_name(name, call)) in datasets:
            later.append(datasets[named])
            call += 1
        base, number = split_call(name)
        if number is not None and base in datasets:
            continue
        found[name] = dataset
        every = [dataset, *later]
        if later and all(list(d.data_vars) == list(dataset.data_vars) for d in every):
            # Coordinates of no timesteps are those of the first call.
            parts = {
                str(each): joined([d[each].variable for d in every], "timestep")
                for each in [*dataset.data_vars, *dataset.coords]
                if each != "timestep" and "timestep" in dataset[each].dims
                if all(each in d.variables for d in every)
            }
            signals = {str(each): parts.pop(str(each)) for each in dataset.data_vars}
            rest = dataset.drop_dims("timestep").assign(signals)
            length = sum(d.sizes["timestep"] for d in every)
            found[name] = rest.assign_coords({**ranges({"timestep": length}), **parts})
            calls = [d.sizes["timestep"] for d in every]
            found[name].attrs |= {"calls": calls, "same_timesteps": windowed}
    return found
