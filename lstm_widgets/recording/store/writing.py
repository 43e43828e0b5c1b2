"""Write what is whole already, so that it stands there or not at all; see the package."""

from __future__ import annotations

from itertools import product
from typing import TYPE_CHECKING, Any

from lstm_widgets.recording.store import layout
from lstm_widgets.recording.store.streaming import Plan, Stream, Variable, expect_ours

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

    import xarray as xr

from pathlib import Path

__all__ = ["write"]


def write(
    path: Path,
    layers: Mapping[str, xr.Dataset],
    beside: Mapping[str, xr.Dataset],
    attrs: Mapping[str, Any],
    *,
    overwrite: bool,
) -> None:
    """Write the layers so that ``path`` changes from what it was to the whole recording at once.

    Parameters
    ----------
    path : pathlib.Path
        Where the recording shall stand.
    layers : mapping of str to xarray.Dataset
        Layer name to dataset, in model order.
    beside : mapping of str to xarray.Dataset
        What was recorded of what the model read and said: ``"predictions"``, ``"inputs"``,
        ``"outputs"``, ``"targets"``.
    attrs : mapping
        The recording's own attributes, as JSON can hold them.
    overwrite : bool
        Whether a recording, finished or not, that stands there may be replaced.

    Raises
    ------
    FileExistsError
        If something stands there that may not be replaced, or is being written.
    """
    expect_ours(path)
    if overwrite:
        _load_what_is_replaced(path, [*layers.values(), *beside.values()])
    with Stream.open(path, overwrite=overwrite) as stream:
        for name, dataset in layers.items():
            stream.layer(name, _plan(dataset), dataset.attrs)
            for place, values in _pieces(dataset):
                stream.write(name, place, values)
        for what, dataset in beside.items():
            stream.beside(what, _plan(dataset), dataset.attrs)
            for place, values in _pieces(dataset):
                stream.write_beside(what, place, values)
        stream.finish(attrs)


def _load_what_is_replaced(path: Path, datasets: Iterable[xr.Dataset]) -> None:
    """Read what was opened from the recording at ``path``, which would be gone afterwards."""
    for dataset in datasets:
        for variable in dataset.variables.values():
            source = variable.encoding.get("source")
            if source is not None and path.resolve() in Path(source).parents:
                variable.load()


def _plan(dataset: xr.Dataset) -> Plan:
    names = [*map(str, dataset.data_vars), *layout.coordinates(map(str, dataset.coords))]
    return Plan(
        {str(axis): size for axis, size in dataset.sizes.items()},
        {name: _variable(name, dataset[name].variable) for name in names},
    )


def _variable(name: str, variable: xr.Variable) -> Variable:
    dims = tuple(map(str, variable.dims))
    kinds = [kind for kind, dtype in layout.KINDS.items() if dtype == variable.dtype]
    if not kinds:
        raise ValueError(
            f"{name}: expected float32, int32, bool or str to save, got {variable.dtype}"
        )
    zone = variable.attrs.get("time_zone", "") if name == "time" else ""
    return Variable(dims, kinds[0], zone)


def _pieces(dataset: xr.Dataset) -> Iterator[tuple[tuple[slice, slice], dict[str, Any]]]:
    """Read array after array, as much at a time as a chunk has."""
    for name, variable in _plan(dataset).variables.items():
        lengths = {axis: dataset.sizes[axis] for axis in variable.dims}
        dtype = layout.DISK[variable.dtype]
        steps = dict(zip(lengths, layout.chunks([*lengths.values()], dtype), strict=True))
        examples, timesteps = (
            _cut(lengths.get(axis, 1), steps.get(axis, 1)) for axis in ("example", "timestep")
        )
        for place in product(examples, timesteps):
            stands = zip(("example", "timestep"), place, strict=True)
            index = {axis: part for axis, part in stands if axis in lengths}
            yield place, {name: dataset[name].variable.isel(index).to_numpy()}


def _cut(length: int, step: int) -> list[slice]:
    return [slice(k, min(k + step, length)) for k in range(0, length, step)]
