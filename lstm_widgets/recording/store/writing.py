"""Write what is whole already, so that it stands there or not at all; see the package."""

from __future__ import annotations

from itertools import product
from typing import TYPE_CHECKING, Any

from lstm_widgets.recording.store import layout
from lstm_widgets.recording.store.plans import Plan, Variable
from lstm_widgets.recording.store.streaming import Stream, expect_ours

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

    import numpy.typing as npt
    import xarray as xr

    from lstm_widgets.recording.recorded import Node

from pathlib import Path

__all__ = ["plan_of", "write"]

_ORDER = ("example", "timestep")


def write(
    path: Path,
    layers: Mapping[str, Node],
    beside: Mapping[str, Node],
    attrs: Mapping[str, Any],
    *,
    overwrite: bool,
) -> None:
    """Write the layers so that ``path`` changes from what it was to the whole recording at once.

    Parameters
    ----------
    path : pathlib.Path
        Where the recording shall stand.
    layers : mapping of str to Node
        Layers by name, in model order.
    beside : mapping of str to Node
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
        for name, node in layers.items():
            stream.layer(name, plan_of(node), node.attrs)
            for place, values in _pieces(node):
                stream.write(name, place, values)
        for what, node in beside.items():
            stream.beside(what, plan_of(node), node.attrs)
            for place, values in _pieces(node):
                stream.write_beside(what, place, values)
        stream.finish(attrs)


def _load_what_is_replaced(path: Path, nodes: Iterable[Node]) -> None:
    """Read what was opened from the recording at ``path``, which would be gone afterwards."""
    for node in nodes:
        for variable in node.variables.values():
            source = variable.encoding.get("source")
            if source is not None and path.resolve() in Path(source).parents:
                variable.load()


def plan_of(node: Node) -> Plan:
    """Tell what a layer, or what stands beside the layers, consists of."""
    names, known = [*node.data, *layout.coordinates(node.coords)], node.variables
    return Plan(node.sizes, {name: _variable(name, known[name]) for name in names})


def _variable(name: str, variable: xr.Variable) -> Variable:
    dims = tuple(map(str, variable.dims))
    kinds = [kind for kind, dtype in layout.KINDS.items() if dtype == variable.dtype]
    if not kinds:
        raise ValueError(
            f"{name}: expected float32, int32, bool or str to save, got {variable.dtype}"
        )
    zone = variable.attrs.get("time_zone", "") if name == "time" else ""
    return Variable(dims, kinds[0], zone)


def _pieces(node: Node) -> Iterator[tuple[tuple[slice, slice], dict[str, Any]]]:
    """Read the arrays: of those that have timesteps all together, as much as fits a chunk of each."""
    variables, sizes = node.variables, node.sizes
    names = list(plan_of(node).variables)
    long = [name for name in names if variables[name].dims[:2] == _ORDER]
    for together in (long, *([name] for name in names if name not in long)):
        cuts: list[list[slice]] = []
        for axis in _ORDER:
            steps = [_step(variables[name], axis) for name in together]
            cuts.append(_cut(sizes[axis] if min(steps, default=0) else 1, min(steps, default=0)))
        for examples, timesteps in product(*cuts) if together else ():
            place = (examples, timesteps)
            yield place, {name: _part(variables[name], place) for name in together}


def _step(variable: xr.Variable, axis: str) -> int:
    """Tell how much of an axis a chunk has; 0 if the array doesn't have the axis."""
    if axis not in variable.dims:
        return 0
    return layout.chunks(variable.shape, variable.dtype)[variable.dims.index(axis)]


def _part(variable: xr.Variable, place: tuple[slice, slice]) -> npt.NDArray[Any]:
    stands = zip(_ORDER, place, strict=True)
    return variable.isel({axis: part for axis, part in stands if axis in variable.dims}).to_numpy()


def _cut(length: int, step: int) -> list[slice]:
    return (
        [slice(0, 1)]
        if not step
        else [slice(k, min(k + step, length)) for k in range(0, length, step)]
    )
