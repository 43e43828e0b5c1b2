"""Recordings on disk: a Zarr v3 directory that is either whole or doesn't open.

::

    path/
      zarr.json             written last: it says that all is there, and which data belong to it
      data-<id>/
        0-lstm_1/           one group a layer, in model order
          zarr.json         its attributes
          hidden_state/     one array a signal; mask, token, label and the initial states beside them
        predictions/        if there are any: the same for the model's guesses
        inputs/ outputs/ targets/   and for the numbers that it read, said, and should have said

A save writes a new ``data-<id>`` and then replaces ``zarr.json`` in one step, so that whatever
interrupts it, ``path`` is at all times the old recording, the new one, or none.
"""

from __future__ import annotations

import json
import math
import os
import re
import shutil
import uuid
from collections.abc import Mapping
from itertools import product
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt
import xarray as xr
import zarr
from xarray.backends import BackendArray
from xarray.core import indexing
from zarr.codecs import BloscCodec, Crc32cCodec
from zarr.storage import LocalStore

from lstm_widgets.errors import RecordingFileError
from lstm_widgets.recording.recorded import INITIAL
from lstm_widgets.recording.times import with_time_index

if TYPE_CHECKING:
    from collections.abc import Hashable, Iterable, Iterator

    from zarr.abc.store import ByteRequest
    from zarr.core.buffer import Buffer, BufferPrototype

__all__ = ["read", "write"]

FORMAT = 3
CHUNK_BYTES = 2**21
COORDINATES = ("token", "channel", "output", "unit", "time", "position", "label")
AXES = ("example", "timestep", "cell", "rank")
BESIDE = ("predictions", "inputs", "outputs", "targets")
DATE: np.dtype[Any] = np.dtype("M8[ns]")
# What the arrays of a recording are made of. Nothing else is opened, so that no file can choose
# which of the installed codecs runs (some of them unpickle).
DTYPES: dict[str, np.dtype[Any]] = {
    "float32": np.dtype(np.float32),
    "float64": np.dtype(np.float64),
    "int64": np.dtype(np.int64),
    "int32": np.dtype(np.int32),
    "bool": np.dtype(np.bool_),
    "string": np.dtype(object),
}
CODECS = {"bytes", "vlen-utf8", "blosc", "crc32c"}

_METADATA = "zarr.json"
_DATA = re.compile(r"data-[0-9a-f]{32}")
_MARKER_DRAFT = re.compile(r"\.zarr-[0-9a-f]{32}\.json")


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
        If something stands there that may not be replaced.
    """
    _expect_replaceable(path, overwrite=overwrite)
    _load_what_is_replaced(path, [*layers.values(), *beside.values()])
    made_here = not path.exists()
    path.mkdir(parents=True, exist_ok=True)
    new = uuid.uuid4().hex
    data = path / f"data-{new}"
    draft = path / f".zarr-{new}.json"
    try:
        groups = [f"{n}-{_slug(name)}" for n, name in enumerate(layers)]
        zarr.create_group(data, zarr_format=3)
        for group, dataset in zip(groups, layers.values(), strict=True):
            _write_dataset(data, group, dataset)
        for what, dataset in beside.items():
            _write_dataset(data, what, dataset)
        files, size = _count(data)
        _sync_all(data)
        marker = {
            "format": FORMAT,
            "data": data.name,
            "groups": groups,
            **{what: what in beside for what in BESIDE},
            "files": files,
            "bytes": size,
            "attrs": _strict(attrs),
        }
        group_metadata = {
            "zarr_format": 3,
            "node_type": "group",
            "attributes": {"lstm_widgets_recording": marker},
        }
        draft.write_text(json.dumps(group_metadata, indent=2, allow_nan=False), encoding="utf-8")
        _sync(draft)
        draft.replace(path / _METADATA)
    except BaseException:
        # An interruption can come right after the replacement: then the new data are the good ones.
        if (_read_marker(path) or {}).get("data") != data.name:
            draft.unlink(missing_ok=True)
            shutil.rmtree(data, ignore_errors=True)
            if made_here:
                path.rmdir()
        raise
    _sync(path)
    _sync(path.parent)
    for entry in list(path.iterdir()):
        if _DATA.fullmatch(entry.name) and entry != data:
            shutil.rmtree(entry, ignore_errors=True)
        elif _MARKER_DRAFT.fullmatch(entry.name):
            entry.unlink(missing_ok=True)


def read(path: Path) -> tuple[list[xr.Dataset], dict[str, xr.Dataset], dict[str, Any]]:
    """Open the layers, in model order, what is beside them, and the attributes; values stay on disk.

    Raises
    ------
    FileNotFoundError
        If nothing stands at the path.
    RecordingFileError
        If it isn't a recording, or an unfinished or damaged one, or one of a newer format.
    """
    if not path.exists():
        raise FileNotFoundError(f"path: expected a recording, found nothing at {str(path)!r}")
    marker = _read_marker(path)
    if marker is None:
        unfinished = path.is_dir() and any(_DATA.fullmatch(entry.name) for entry in path.iterdir())
        raise RecordingFileError(
            f"path: the recording at {str(path)!r} is unfinished: its save was interrupted"
            if unfinished
            else f"path: expected a recording, got {str(path)!r}, which isn't one"
        )
    if marker["format"] > FORMAT:
        raise RecordingFileError(
            f"path: {str(path)!r} has format {marker['format']}, but this version of lstm_widgets "
            f"reads formats up to {FORMAT}: a newer version is needed"
        )
    try:
        data = path / _expect_inside(marker["data"])
        _expect_complete(data, marker["files"], marker["bytes"])
        layers = [_read_dataset(data / _expect_inside(group)) for group in marker["groups"]]
        beside = {what: _read_dataset(data / what) for what in BESIDE if marker.get(what)}
        return layers, beside, _floats(marker["attrs"])
    except (KeyError, TypeError, AttributeError, OSError) as error:
        raise RecordingFileError(
            f"path: the recording at {str(path)!r} is damaged: {error!r}"
        ) from error


def _expect_complete(data: Path, files: int, size: int) -> None:
    """Notice what was lost after the save, as when a copy of the directory was cut short."""
    found = _count(data)
    if found != (files, size):
        raise RecordingFileError(
            f"path: the recording is incomplete: expected {files} files of {size} bytes under "
            f"{str(data)!r}, found {found[0]} of {found[1]}"
        )


def _expect_replaceable(path: Path, *, overwrite: bool) -> None:
    """Refuse to touch what isn't ours, whatever ``overwrite`` says."""
    if not path.exists() or (path.is_dir() and not any(path.iterdir())):
        return
    ours = path.is_dir() and all(
        _DATA.fullmatch(entry.name)
        or entry.name.startswith(".")
        or (entry.name == _METADATA and _read_marker(path))
        for entry in path.iterdir()
    )
    if not ours:
        raise FileExistsError(f"path: {str(path)!r} exists and isn't a recording")
    if not overwrite:
        raise FileExistsError(f"path: {str(path)!r} exists; pass overwrite=True to replace it")


def _load_what_is_replaced(path: Path, datasets: Iterable[xr.Dataset]) -> None:
    """Read what was opened from the recording at ``path``, which would be gone afterwards."""
    for dataset in datasets:
        for variable in dataset.variables.values():
            source = variable.encoding.get("source")
            if source is not None and path.resolve() in Path(source).parents:
                variable.load()


def _read_marker(path: Path) -> dict[str, Any] | None:
    try:
        metadata = json.loads((path / _METADATA).read_text(encoding="utf-8"))
        marker = metadata["attributes"]["lstm_widgets_recording"]
    except (OSError, ValueError, KeyError, TypeError):
        return None
    whole = isinstance(marker, dict) and isinstance(marker.get("format"), int)
    return marker if whole else None


def _slug(name: str) -> str:
    """Make a file name that every file system takes; the number before it keeps names apart."""
    return re.sub(r"[^A-Za-z0-9_-]+", "-", name)[:60]


def _coordinates(names: Iterable[str]) -> list[str]:
    """List those names that coordinates have, in the order in which a new recording has them."""
    known = list(names)
    initial = [name for name in known if name.startswith(INITIAL)]
    return [*(name for name in COORDINATES if name in known), *initial]


def _write_dataset(data: Path, group: str, dataset: xr.Dataset) -> None:
    node = zarr.open_group(data, mode="a", zarr_format=3).create_group(
        group, attributes=_strict(dataset.attrs)
    )
    names = [*dataset.data_vars, *_coordinates(map(str, dataset.coords))]
    # Groups on disk have no order of their own, but the signals of a layer have one.
    node.attrs["variables"] = names
    for name in names:
        variable = dataset[name].variable
        text = variable.dtype == np.dtype(object)
        attributes = (
            {"time_zone": variable.attrs["time_zone"]} if name == "time" and variable.attrs else {}
        )
        if variable.dtype == DATE:  # the nanoseconds from 1970 on
            attributes["date"] = "ns"
            variable = variable.astype(np.int64)
        if not text and variable.dtype not in DTYPES.values():
            raise ValueError(
                f"{name}: expected float32, int32, bool or str to save, got {variable.dtype}"
            )
        chunks = _chunks(variable.shape)
        array = node.create_array(
            str(name),
            shape=variable.shape,
            dtype="string" if text else variable.dtype,
            chunks=chunks,
            dimension_names=variable.dims,
            attributes=attributes,
            fill_value=np.nan if variable.dtype.kind == "f" else None,
            compressors=[BloscCodec(cname="lz4", clevel=5), Crc32cCodec()],
            # A chunk equal to the fill value would be left out, as if it had been lost.
            config={"write_empty_chunks": True},
        )
        for block in _blocks(variable.shape, chunks):
            try:
                array[block] = variable[block].values
            except UnicodeEncodeError as error:
                raise ValueError(
                    f"{name}: cannot save a string that UTF-8 cannot hold: {error}"
                ) from error


def _chunks(shape: tuple[int, ...]) -> tuple[int, ...]:
    """Cut so that a chunk holds all cells of a block of timesteps, of as many examples as fit."""
    room = CHUNK_BYTES // 4
    examples, timesteps, cells = (*(max(1, size) for size in shape), 1, 1)[:3]
    steps = max(1, min(timesteps, room // cells))
    batch = max(1, min(examples, room // (steps * cells)))
    return (batch, steps, cells)[: len(shape)]


def _blocks(shape: tuple[int, ...], chunks: tuple[int, ...]) -> Iterator[tuple[slice, ...]]:
    ranges = (
        [slice(start, min(start + step, size)) for start in range(0, size, step)]
        for size, step in zip(shape, chunks, strict=True)
    )
    return product(*ranges)


def _count(folder: Path) -> tuple[int, int]:
    """Count the files and their bytes, but not what a file browser leaves behind."""
    sizes = [
        (Path(root) / file).stat().st_size
        for root, _, files in os.walk(folder)
        for file in files
        if not file.startswith(".")
    ]
    return len(sizes), sum(sizes)


def _sync_all(folder: Path) -> None:
    for root, _, files in os.walk(folder):
        for file in files:
            _sync(Path(root) / file)
        _sync(Path(root))


def _sync(path: Path) -> None:
    """Have the system write a file or a directory through to the disk."""
    if os.name == "nt" and path.is_dir():  # which Windows can't, and needn't
        return
    handle = os.open(path, os.O_RDWR if path.is_file() else os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


class _WholeStore(LocalStore):
    """A directory in which a lost chunk is an error, where Zarr would read its fill value."""

    async def get(
        self,
        key: str,
        prototype: BufferPrototype | None = None,
        byte_range: ByteRequest | None = None,
    ) -> Buffer | None:
        return self._expect(key, await super().get(key, prototype, byte_range))

    def get_sync(
        self,
        key: str,
        *,
        prototype: BufferPrototype | None = None,
        byte_range: ByteRequest | None = None,
    ) -> Buffer | None:
        return self._expect(key, super().get_sync(key, prototype=prototype, byte_range=byte_range))

    def _expect(self, key: str, found: Buffer | None) -> Buffer:
        if found is None:
            raise RecordingFileError(
                f"the recording has lost {key!r} under {str(self.root)!r}: "
                "it was moved, deleted or replaced since it was opened"
            )
        return found


class _StoredArray(BackendArray):
    """An array on disk that xarray reads when it is touched."""

    def __init__(self, array: zarr.Array[Any], dtype: np.dtype[Any]) -> None:
        self._array = array
        self.shape = array.shape
        self.dtype = dtype

    def __getitem__(self, key: indexing.ExplicitIndexer) -> npt.NDArray[Any]:
        values: npt.NDArray[Any] = indexing.explicit_indexing_adapter(
            key, self.shape, indexing.IndexingSupport.OUTER, self._read
        )
        return values

    def _read(self, key: tuple[Any, ...]) -> npt.NDArray[Any]:
        return np.asarray(self._array.oindex[key]).astype(self.dtype, copy=False)


def _read_dataset(folder: Path) -> xr.Dataset:
    attrs = _floats(_read_json(folder / _METADATA)["attributes"])
    names = attrs.pop("variables")
    variables: dict[str, xr.Variable] = {}
    for name in names:
        dims, dtype, own = _expect_harmless(folder / _expect_inside(name))
        array = zarr.open_array(_WholeStore(folder / name, read_only=True), mode="r", zarr_format=3)
        stored: Any = indexing.LazilyIndexedArray(_StoredArray(array, dtype))
        # Who assigns to an opened array changes it in memory, never on disk.
        lazy = indexing.CopyOnWriteArray(stored)
        source = {"source": str((folder / name).resolve())}
        variables[name] = xr.Variable(dims, lazy, own, encoding=source)
    sizes = {dim: size for v in variables.values() for dim, size in v.sizes.items()}
    # In the order in which a new recording has them: a tree compares its coordinates in order.
    coords: dict[Hashable, Any] = {dim: np.arange(sizes[dim]) for dim in AXES if dim in sizes}
    coords |= {name: variables.pop(name) for name in _coordinates(list(variables))}
    return with_time_index(xr.Dataset(variables, coords, attrs))


def _expect_harmless(folder: Path) -> tuple[list[str], np.dtype[Any], dict[str, Any]]:
    """Look at an array's metadata before Zarr does, which would load whatever codec it names."""
    metadata = _read_json(folder / _METADATA)
    codecs = {codec["name"] for codec in metadata["codecs"]}
    dtype = metadata["data_type"]
    if codecs - CODECS or not isinstance(dtype, str) or dtype not in DTYPES:
        raise RecordingFileError(
            f"{str(folder)!r} is not written the way recordings are: codecs {sorted(codecs)}, "
            f"data type {dtype!r}"
        )
    own = metadata.get("attributes", {})
    zone = own.get("time_zone")
    attrs = {"time_zone": zone} if isinstance(zone, str) else {}
    kind: np.dtype[Any] = DATE if "date" in own else DTYPES[dtype]
    return metadata["dimension_names"], kind, attrs


def _strict(value: Any) -> Any:  # noqa: ANN401 - whatever JSON can hold
    """Write numbers that JSON doesn't have as ``{"float": "inf"}``: other readers take no others."""
    if isinstance(value, float) and not math.isfinite(value):
        return {"float": repr(value)}
    if isinstance(value, Mapping):
        return {key: _strict(each) for key, each in value.items()}
    return [*map(_strict, value)] if isinstance(value, (list, tuple)) else value


def _floats(value: Any) -> Any:  # noqa: ANN401
    """Read what :func:`_strict` wrote."""
    if isinstance(value, list):
        return [*map(_floats, value)]
    if not isinstance(value, dict):
        return value
    if [*value] == ["float"]:
        return float(value["float"])
    return {key: _floats(each) for key, each in value.items()}


def _read_json(path: Path) -> dict[str, Any]:
    try:
        metadata: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
    except ValueError as error:
        raise RecordingFileError(f"{str(path)!r} is damaged: {error}") from error
    return metadata


def _expect_inside(name: str) -> str:
    """Refuse a name that would lead out of the recording's directory."""
    if {"/", "\\"} & set(name) or name in {"", ".", ".."}:
        raise RecordingFileError(f"path: the recording names {name!r}, which lies outside of it")
    return name
