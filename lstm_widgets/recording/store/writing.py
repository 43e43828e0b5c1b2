"""Write a recording, so that it stands there whole or not at all; see :mod:`lstm_widgets.recording.store`."""

from __future__ import annotations

import json
import os
import re
import shutil
import uuid
from itertools import product
from typing import TYPE_CHECKING, Any

import numpy as np
import zarr
from zarr.codecs import BloscCodec, Crc32cCodec

from lstm_widgets.recording.store.layout import (
    BESIDE,
    CHUNK_BYTES,
    DATA,
    DATE,
    DTYPES,
    FORMAT,
    MARKER_DRAFT,
    METADATA,
    consolidated,
    coordinates,
    count,
    read_marker,
    strict,
)

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
        files, size = count(data)
        _sync_all(data)
        marker = {
            "format": FORMAT,
            "data": data.name,
            "groups": groups,
            **{what: what in beside for what in BESIDE},
            "files": files,
            "bytes": size,
            "attrs": strict(attrs),
        }
        group_metadata = {
            "zarr_format": 3,
            "node_type": "group",
            "attributes": {"lstm_widgets_recording": marker},
            "consolidated_metadata": consolidated(path, data),
        }
        draft.write_text(json.dumps(group_metadata, indent=2, allow_nan=False), encoding="utf-8")
        _sync(draft)
        draft.replace(path / METADATA)
    except BaseException:
        # An interruption can come right after the replacement: then the new data are the good ones.
        if (read_marker(path) or {}).get("data") != data.name:
            draft.unlink(missing_ok=True)
            shutil.rmtree(data, ignore_errors=True)
            if made_here:
                path.rmdir()
        raise
    _sync(path)
    _sync(path.parent)
    for entry in list(path.iterdir()):
        if DATA.fullmatch(entry.name) and entry != data:
            shutil.rmtree(entry, ignore_errors=True)
        elif MARKER_DRAFT.fullmatch(entry.name):
            entry.unlink(missing_ok=True)


def _expect_replaceable(path: Path, *, overwrite: bool) -> None:
    """Refuse to touch what isn't ours, whatever ``overwrite`` says."""
    if not path.exists() or (path.is_dir() and not any(path.iterdir())):
        return
    ours = path.is_dir() and all(
        DATA.fullmatch(entry.name)
        or entry.name.startswith(".")
        or (entry.name == METADATA and read_marker(path))
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


def _slug(name: str) -> str:
    """Make a file name that every file system takes; the number before it keeps names apart."""
    return re.sub(r"[^A-Za-z0-9_-]+", "-", name)[:60]


def _write_dataset(data: Path, group: str, dataset: xr.Dataset) -> None:
    node = zarr.open_group(data, mode="a", zarr_format=3).create_group(
        group, attributes=strict(dataset.attrs)
    )
    names = [*dataset.data_vars, *coordinates(map(str, dataset.coords))]
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
