"""Open a recording, without running any of it; see :mod:`lstm_widgets.recording.store`."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt
import xarray as xr
import zarr
from xarray.backends import BackendArray
from xarray.core import indexing
from zarr.storage import LocalStore

from lstm_widgets.errors import RecordingFileError
from lstm_widgets.recording.axes import ranges
from lstm_widgets.recording.store.layout import (
    AXES,
    BESIDE,
    CODECS,
    DATA,
    DATE,
    DTYPES,
    FORMAT,
    METADATA,
    coordinates,
    count,
    floats,
    read_marker,
)
from lstm_widgets.recording.times import with_time_index

if TYPE_CHECKING:
    from pathlib import Path

    from zarr.abc.store import ByteRequest
    from zarr.core.buffer import Buffer, BufferPrototype

__all__ = ["read"]


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
    marker = read_marker(path)
    if marker is None:
        unfinished = path.is_dir() and any(DATA.fullmatch(entry.name) for entry in path.iterdir())
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
        return layers, beside, floats(marker["attrs"])
    except (KeyError, TypeError, AttributeError, OSError) as error:
        raise RecordingFileError(
            f"path: the recording at {str(path)!r} is damaged: {error!r}"
        ) from error


def _expect_complete(data: Path, files: int, size: int) -> None:
    """Notice what was lost after the save, as when a copy of the directory was cut short."""
    found = count(data)
    if found != (files, size):
        raise RecordingFileError(
            f"path: the recording is incomplete: expected {files} files of {size} bytes under "
            f"{str(data)!r}, found {found[0]} of {found[1]}"
        )


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
    attrs = floats(_read_json(folder / METADATA)["attributes"])
    names = attrs.pop("variables")
    variables: dict[str, xr.Variable] = {}
    for name in names:
        dims, dtype, own = _expect_harmless(folder / _expect_inside(name))
        where = (folder / name).resolve()  # whatever folder a process works in that it is sent to
        array = zarr.open_array(_WholeStore(where, read_only=True), mode="r", zarr_format=3)
        stored: Any = indexing.LazilyIndexedArray(_StoredArray(array, dtype))
        # Who assigns to an opened array changes it in memory, never on disk.
        lazy = indexing.CopyOnWriteArray(stored)
        source = {"source": str(where), "chunks": array.chunks}
        variables[name] = xr.Variable(dims, lazy, own, encoding=source)
    sizes = {dim: size for v in variables.values() for dim, size in v.sizes.items()}
    # In the order in which a new recording has them: a tree compares its coordinates in order.
    coords = ranges({dim: sizes[dim] for dim in AXES if dim in sizes})
    coords |= {name: variables.pop(name) for name in coordinates(list(variables))}
    return with_time_index(xr.Dataset(variables, coords, attrs))


def _expect_harmless(folder: Path) -> tuple[list[str], np.dtype[Any], dict[str, Any]]:
    """Look at an array's metadata before Zarr does, which would load whatever codec it names."""
    metadata = _read_json(folder / METADATA)
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
