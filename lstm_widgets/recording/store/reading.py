"""Open a recording, without running any of it; see :mod:`lstm_widgets.recording.store`."""

from __future__ import annotations

import json
import warnings
from typing import TYPE_CHECKING, Any

import xarray as xr
from xarray.core import indexing

from lstm_widgets.errors import RecordingFileError
from lstm_widgets.recording.axes import ranges
from lstm_widgets.recording.levels import statistics_path
from lstm_widgets.recording.store.layout import (
    AXES,
    BESIDE,
    FORMAT,
    METADATA,
    coordinates,
    floats,
    marker_of,
    unpacked,
)
from lstm_widgets.recording.store.places import place_of
from lstm_widgets.recording.store.stored import CodedArray, Form, StoredArray, form_of, stored
from lstm_widgets.recording.times import with_time_index
from lstm_widgets.recording.variant_folder import LIST

if TYPE_CHECKING:
    from collections.abc import Mapping

    from lstm_widgets.recording.store.places import Place

__all__ = ["read"]

# Texts of which there are more than this are no table: reading one would need room for all.
_MOST_TEXTS = 1 << 27
# What a layer says of itself, where nothing is known: some is found out when all of it is recorded.
_UNKNOWN: dict[str, Any] = {
    "kind": "",
    "go_backwards": False,
    "masked_share": 0.0,
    "check": {"mode": "none"},
    "config": {},
}
_CHECK = ("difference", "tolerance", "examples", "timesteps")
_SERIES = {"inputs": "channel", "outputs": "output", "targets": "output"}
# What values are, by the codes of NumPy; of all others, floating point numbers.
_KINDS = {
    **dict.fromkeys(("token", "label", "channel", "output", "unit", "predicted_token"), "O"),
    "mask": "b",
    "position": "i",
    "predicted_id": "i",
    "time": "Mif",
}


def read(
    path: Any,  # noqa: ANN401 - whatever Zarr and fsspec open
    storage_options: Mapping[str, Any] | None = None,
) -> tuple[dict[str, xr.Dataset], dict[str, xr.Dataset], dict[str, Any]]:
    """Open the layers, in model order, what is beside them, and the attributes; values stay on disk.

    Raises
    ------
    FileNotFoundError
        If nothing stands at the path.
    RecordingFileError
        If it isn't a recording, or an unfinished or damaged one, or one of a newer format.
    OSError
        If a disk or a server fails.
    TypeError, ValueError
        If the path is none that is opened.
    """
    place = place_of(path, storage_options)
    metadata, marker = _marked(place)
    try:
        layers, beside, attrs = _opened(place, metadata, marker)
        if marker.get("complete", True) is False:
            attrs |= _warn_of_what_is_missing(place, marker)
        else:
            _warn_of_lost_files(place, marker)
    except (RecordingFileError, OSError):
        raise
    except (KeyError, TypeError, AttributeError, ValueError, RecursionError) as error:
        raise RecordingFileError(
            f"path: the recording at {place.address!r} is damaged: {error!r:.300}"
        ) from error
    return layers, beside, attrs


def _opened(
    place: Place, metadata: dict[str, Any], marker: dict[str, Any]
) -> tuple[dict[str, xr.Dataset], dict[str, xr.Dataset], dict[str, Any]]:
    # Only what stands in its own folder of data belongs to it.
    data = _expect_inside(marker["data"])
    groups = [_expect_inside(group) for group in marker["groups"]]
    others = [what for what in BESIDE if marker.get(what)]
    nodes = _nodes(place, data, [*groups, *others], metadata)
    attrs = floats(marker["attrs"])
    names = attrs["layers"]
    texts = all(isinstance(name, str) and name for name in names)
    if not texts or len(set(names)) != len(names) or len(names) != len(groups):
        raise RecordingFileError(
            f"path: the recording at {place.address!r} is damaged: {len(groups)} layers are called "
            f"{names!r:.200}"
        )
    whole = marker.get("complete", True) is not False
    layers = {
        name: _layer(place, f"{data}/{group}", nodes, f"layer {name!r}", whole=whole)
        for name, group in zip(names, groups, strict=True)
    }
    if not whole:
        for layer, group in zip(layers.values(), groups, strict=True):
            _take_statistics(layer, group, marker.get("statistics", {}))
    beside = {what: _beside(place, f"{data}/{what}", nodes, what) for what in others}
    _expect_same_examples([*layers.values(), *beside.values()])
    return layers, beside, attrs


def _marked(place: Place) -> tuple[dict[str, Any], dict[str, Any]]:
    """Read what says that this is a recording, and which data are its."""
    (text,) = place.read([METADATA])
    if text is None and place.begun:
        raise RecordingFileError(
            f"path: the recording at {place.address!r} is unfinished: what wrote it was interrupted before "
            "any of it was complete"
        )
    metadata: Any = None if text is None else _parsed(text, place.source(METADATA))
    marker = marker_of(metadata)
    if marker is None:
        several = place.read([LIST]) != [None]
        problem = "a folder of variants: Variants opens it" if several else "which isn't one"
        raise RecordingFileError(f"path: expected a recording, got {place.address!r}, {problem}")
    if marker["format"] > FORMAT:
        raise RecordingFileError(
            f"path: {place.address!r} has format {marker['format']}, but this version of lstm_widgets "
            f"reads formats up to {FORMAT}: a newer version is needed"
        )
    return metadata, marker


def _parsed(text: bytes, source: str) -> Any:  # noqa: ANN401 - whatever JSON can hold
    try:
        return json.loads(text)
    except (ValueError, RecursionError) as error:
        raise RecordingFileError(f"{source!r} is damaged: {error}") from error


def _nodes(
    place: Place, data: str, groups: list[str], metadata: dict[str, Any]
) -> dict[str, dict[str, Any]]:
    """Find the metadata of all groups and arrays: in the marker, or one by one as older files have them."""
    consolidated = metadata.get("consolidated_metadata")
    if consolidated is not None:
        nodes: dict[str, dict[str, Any]] = consolidated["metadata"]
        return nodes
    paths = [f"{data}/{group}" for group in groups]
    nodes = _each(place, paths)
    arrays = [
        f"{path}/{_expect_inside(name)}"
        for path in paths
        for name in nodes[path]["attributes"]["variables"]
    ]
    return nodes | _each(place, arrays)


def _each(place: Place, paths: list[str]) -> dict[str, dict[str, Any]]:
    keys = [f"{path}/{METADATA}" for path in paths]
    found = {}
    for path, key, text in zip(paths, keys, place.read(keys), strict=True):
        if text is None:
            raise RecordingFileError(
                f"path: the recording at {place.address!r} is damaged: it has lost {key!r}"
            )
        found[path] = _parsed(text, place.source(key))
    return found


def _layer(
    place: Place, group: str, nodes: Mapping[str, dict[str, Any]], told: str, *, whole: bool
) -> xr.Dataset:
    """Open a layer, of which everything fits together."""
    dataset = _dataset(place, group, nodes, told)
    dataset.attrs = attrs = _UNKNOWN | dataset.attrs
    dims = {str(name): values.dims for name, values in dataset.data_vars.items()}
    fits = dims.pop("mask", AXES[:2]) == AXES[:2]
    if not fits or not dims or any(each != AXES[:3] for each in dims.values()):
        raise RecordingFileError(f"{told} is damaged: it has signals with the axes {dims!r:.300}")
    check, calls = attrs["check"], attrs.get("calls", [dataset.sizes["timestep"]])
    right = (
        isinstance(attrs["kind"], str)
        and isinstance(attrs["go_backwards"], bool)
        and isinstance(attrs["masked_share"], (int, float))
        and isinstance(attrs["config"], dict)
        and isinstance(check["mode"], str)
        and (check["mode"] == "none" or all(isinstance(check[n], (int, float)) for n in _CHECK))
        and all(type(length) is int and length >= 0 for length in calls)
        and ("calls" not in attrs or isinstance(attrs["same_timesteps"], bool))
    )
    if not right or (whole and sum(calls) != dataset.sizes["timestep"]):
        raise RecordingFileError(f"{told} is damaged: it says of itself {attrs!r:.300}")
    return dataset


def _take_statistics(layer: xr.Dataset, group: str, texts: Mapping[str, str]) -> None:
    """Put beside signals that aren't finished the statistics that the marker has of them."""
    for name, signal in layer.data_vars.items():
        text, array = texts.get(f"{group}/{name}"), stored(signal)
        if text is None or array is None:
            continue
        values = unpacked(text)
        if values.shape[1] != array.shape[2]:
            raise ValueError(
                f"statistics of {values.shape[1]} cells, {array.told} has {array.shape}"
            )
        array.beside[statistics_path(str(name))] = xr.Variable(("summary", "cell"), values)


def _beside(place: Place, group: str, nodes: Mapping[str, dict[str, Any]], what: str) -> xr.Dataset:
    """Open what the model read or said."""
    dataset = _dataset(place, group, nodes, what)
    last = _SERIES.get(what)
    expected = (what,) if last else ("predicted_id", "probability")
    dims = (*AXES[:2], last or "rank")
    if not all(name in dataset and dataset[name].dims == dims for name in expected):
        raise RecordingFileError(f"{what} is damaged: it has {dict(dataset.sizes)}")
    if last and not {last, "unit"} <= set(dataset.coords):
        raise RecordingFileError(f"{what} is damaged: names or units are missing")
    return dataset


def _dataset(
    place: Place, group: str, nodes: Mapping[str, dict[str, Any]], told: str
) -> xr.Dataset:
    attrs = floats(nodes[group].get("attributes", {}))
    names = attrs.pop("variables")
    forms = {
        path.removeprefix(f"{group}/"): form_of(node, f"{place.source(path)!r}")
        for path, node in nodes.items()
        if path.startswith(f"{group}/") and node["node_type"] == "array"
    }
    arrays = {
        name: StoredArray(place, f"{group}/{_expect_path(name)}", form, f"{name!r} of {told}")
        for name, form in forms.items()
    }
    variables = {}
    for name in names:
        if name not in arrays:
            raise RecordingFileError(
                f"path: the recording at {place.address!r} is damaged: it has lost {name!r} of {told}"
            )
        variables[name] = found = _variable(_expect_inside(name), arrays)
        if found.dtype.kind not in _KINDS.get(name, "f"):
            raise RecordingFileError(f"{name!r} of {told} is damaged: it is of {found.dtype}")
    sizes = {dim: size for v in variables.values() for dim, size in v.sizes.items()}
    # In the order in which a new recording has them: a tree compares its coordinates in order.
    coords = ranges({dim: sizes[dim] for dim in AXES if dim in sizes})
    coords |= {name: variables.pop(name) for name in coordinates(list(variables))}
    dataset = xr.Dataset(variables, coords, attrs)
    # Whether times go forward from call to call is found out when a layer is asked for.
    return dataset if "calls" in attrs else with_time_index(dataset)


def _variable(name: str, arrays: Mapping[str, StoredArray]) -> xr.Variable:
    """Make a variable of an array on disk, with what was made of it while it was written."""
    array = arrays[name]
    if name in AXES:
        raise RecordingFileError(f"{array.told} is damaged: an axis has no values")
    array.beside = {
        path: _lazy(array)
        for path, array in arrays.items()
        if path.startswith((f"levels/{name}/", f"statistics/{name}/"))
    }
    table = array.form.attributes.get("codes")
    if table is None:
        return _lazy(array)
    texts = arrays[table]
    if texts.form.data_type != "string" or len(texts.shape) != 1 or texts.shape[0] > _MOST_TEXTS:
        raise RecordingFileError(f"{texts.told} is damaged: it is no table of texts")
    return _lazy(CodedArray(array, texts))


def _lazy(array: StoredArray | CodedArray) -> xr.Variable:
    held = array.codes if isinstance(array, CodedArray) else array
    form: Form = held.form
    known = {
        name: value
        for name in ("time_zone", "recorded_as")
        if isinstance(value := form.attributes.get(name), str)
    }
    data: Any = indexing.LazilyIndexedArray(array)
    # Who assigns to an opened array changes it in memory, never on disk.
    return xr.Variable(
        form.dims,
        indexing.CopyOnWriteArray(data),
        known,
        encoding={"source": held.place.source(held.path), "chunks": form.chunks},
    )


def _expect_same_examples(datasets: list[xr.Dataset]) -> None:
    counts = {dataset.sizes["example"] for dataset in datasets}
    if len(counts) > 1:
        raise RecordingFileError(
            f"path: the recording is damaged: its parts have {sorted(counts)} examples"
        )


def _warn_of_lost_files(place: Place, marker: Mapping[str, Any]) -> None:
    """Tell at once what was lost after the save, as when a copy was cut short, where that costs little."""
    files, size = int(marker["files"]), int(marker["bytes"])
    found = place.count(marker["data"], files)
    if found is not None and (found[0] < files or found[1] < size):
        warnings.warn(
            f"the recording at {place.address!r} is incomplete: expected {files} files of {size} bytes, "
            f"found {found[0]} of {found[1]}. What is there can be read; what isn't, or is damaged, "
            "raises a RecordingFileError that names it",
            stacklevel=4,
        )


def _warn_of_what_is_missing(place: Place, marker: Mapping[str, Any]) -> dict[str, Any]:
    """Tell how far a recording is that is still being made, or whose making was interrupted."""
    done = marker["done"]
    warnings.warn(
        f"the recording at {place.address!r} is not finished: it is complete up to {done}",
        stacklevel=4,
    )
    return {"complete": False, "done": done}


def _expect_path(path: str) -> str:
    for name in path.split("/"):
        _expect_inside(name)
    return path


def _expect_inside(name: str) -> str:
    """Refuse a name that would lead out of the recording's directory."""
    if {"/", "\\", ":"} & set(name) or not name.isprintable() or name in {"", ".", ".."}:
        raise RecordingFileError(f"path: the recording names {name!r}, which lies outside of it")
    return name
