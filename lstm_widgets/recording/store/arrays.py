"""Arrays that are written piece by piece: pieces come in, whole chunks go out."""

from __future__ import annotations

import functools
import json
from dataclasses import dataclass
from functools import partial
from itertools import product
from typing import TYPE_CHECKING, Any, Final

import google_crc32c
import numpy as np
import numpy.typing as npt
import zarr
from numcodecs import Blosc
from zarr.codecs import BloscCodec, Crc32cCodec
from zarr.storage import MemoryStore

from lstm_widgets.recording.store import layout
from lstm_widgets.recording.store.layout import METADATA
from lstm_widgets.recording.store.plans import Variable

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping
    from pathlib import Path

    from lstm_widgets.recording.store.disk import Disk, File

    Place = tuple[slice, ...]
    Index = tuple[int, ...]
    Columns = tuple[int, npt.NDArray[Any], npt.NDArray[np.bool_] | None]

__all__ = ["Array", "Chunk", "Cursor"]

_WHOLE = slice(0, 1)
_ORDER = ("example", "timestep")
# Strings of a chunk of a table.
_TABLE = 1024
# By benchmarks/store.py: within 3 % of what zstd makes of them, in less time.
_COMPRESSOR: Final = "lz4"
_STRENGTH: Final = 5


@dataclass(frozen=True)
class Cursor:
    """How far an array is written.

    All of the examples before ``first``, and of those from there up to ``examples`` the timesteps up to
    ``timesteps``.
    """

    first: int = 0
    examples: int = 0
    timesteps: int = 0

    @property
    def plain(self) -> list[int]:
        """Give it as JSON holds it."""
        return [self.first, self.examples, self.timesteps]


class Array:
    """One array while it is written: pieces come in, whole chunks go out."""

    def __init__(
        self,
        where: str,
        folder: Path,
        variable: Variable,
        sizes: Mapping[str, int | None],
        *,
        called: tuple[str, ...] | None = None,
        masked: bool = False,
    ) -> None:
        self.where, self.folder, self.dims = where, folder, variable.dims
        # What the axes are called on the disk.
        self._called = called or variable.dims
        self._masked = masked
        self._variable = variable
        self._sizes = {axis: sizes[axis] for axis in variable.dims}
        self.coded = variable.dtype == "string" and len(variable.dims) > 1
        self.table: dict[str, int] | None = {} if self.coded else None
        self._dtype = layout.DISK["int32" if self.coded else variable.dtype]
        self.chunks = layout.chunks([self._sizes[axis] for axis in self.dims], self._dtype)
        self._encoder = Encoder(self.chunks, self._dtype, variable, folder.name, self.coded)
        self.cursor = Cursor()
        self.partial: dict[Index, Chunk] = {}
        self._before = Cursor()
        self._described: tuple[int, ...] | None = None
        self._table_written = -1

    def length(self, axis: str) -> int:
        """Tell how long an axis is, or has become."""
        size = self._sizes[axis]
        if size is not None:
            return size
        return self.cursor.examples if axis == "example" else self.cursor.timesteps

    @property
    def _timesteps(self) -> int | None:
        return self._sizes["timestep"] if "timestep" in self.dims else 1

    def complete(self) -> dict[str, int]:
        """Tell up to where everything is there."""
        if 0 in self._sizes.values():  # of nothing, nothing is missing
            return {a: self.length(a) for a in ("example", "timestep") if a in self.dims}
        at, found = self.cursor, {}
        ended = at.timesteps == self._timesteps
        if "example" in self.dims:
            found["example"] = at.examples if ended or at.first == 0 else at.first
        if "timestep" in self.dims:
            found["timestep"] = at.timesteps if at.first == 0 else self.length("timestep")
        return found

    def expect_whole(self) -> None:
        """Refuse an end while something is missing."""
        got = tuple(self.complete().get(axis, self.length(axis)) for axis in self.dims)
        expected = tuple(self.length(axis) for axis in self.dims)
        if got != expected and 0 not in expected:
            raise ValueError(f"{self.where}: expected {expected} to be written, got {got}")

    def go_on(self, cursor: Cursor, table: int | None) -> None:
        """Go on from where it was marked, with so many strings in the table."""
        self.cursor = self._before = cursor
        if table:
            known = zarr.open_array(self._table_folder, mode="r", zarr_format=3)[:table]
            self.table = {str(text): code for code, text in enumerate(np.asarray(known).tolist())}

    def put(
        self, place: Place, values: npt.NDArray[Any], mask: npt.NDArray[np.bool_] | None = None
    ) -> Iterator[tuple[Index, Chunk]]:
        """Take a piece, and give the chunks that it makes whole.

        Those of which it has all are looked at where they are, and not copied: write them before the
        piece changes.
        """
        box = self._box(place, np.shape(values))
        values = self._on_disk(np.asarray(values), box)
        self._advance(box)
        for index in product(
            *(
                range(part.start // size, -(-part.stop // size))
                for part, size in zip(box, self.chunks, strict=True)
            )
        ):
            start = [k * size for k, size in zip(index, self.chunks, strict=True)]
            inside = [
                slice(max(part.start, s), min(part.stop, s + size))
                for part, s, size in zip(box, start, self.chunks, strict=True)
            ]
            here = tuple(slice(p.start - s, p.stop - s) for p, s in zip(inside, start, strict=True))
            there = tuple(
                slice(p.start - part.start, p.stop - part.start)
                for p, part in zip(inside, box, strict=True)
            )
            if self._is_whole(index, inside):
                chunk = Chunk(values[there])
                if self._masked and mask is not None:
                    chunk.counted = mask[there[:2]]
                self.partial[index] = chunk
            else:
                chunk = self._chunk(index)
                chunk.values[here] = values[there]
                if chunk.counted is not None and mask is not None:
                    chunk.counted[here[:2]] = mask[there[:2]]
            chunk.filled += int(np.prod([p.stop - p.start for p in inside]))
            if chunk.filled == self._full(index):
                yield index, chunk

    def _box(self, place: Place, shape: tuple[int, ...]) -> Place:
        """Check where a piece stands, and return that for every axis."""
        whole = {axis: slice(0, self.length(axis)) for axis in self.dims if axis not in _ORDER}
        given = dict(zip(_ORDER, place, strict=True)) | whole
        box = tuple(slice(int(given[axis].start), int(given[axis].stop)) for axis in self.dims)
        expected = tuple(part.stop - part.start for part in box)
        if shape != expected:
            raise ValueError(f"{self.where}: expected shape {expected} at {place}, got {shape}")
        at = self.cursor
        examples = given["example"] if "example" in self.dims else _WHOLE
        timesteps = given["timestep"] if "timestep" in self.dims else _WHOLE
        goes_on = timesteps.start == at.timesteps and (
            at.examples == 0 or (examples.start, examples.stop) == (at.first, at.examples)
        )
        begins = timesteps.start == 0 and examples.start == at.examples
        ended = at.examples == 0 or at.timesteps == self._timesteps
        if not ((goes_on and (at.examples or examples.start == 0)) or (begins and ended)):
            raise ValueError(
                f"{self.where}: expected what follows example {at.examples}, timestep "
                f"{at.timesteps}; got {place}"
            )
        for axis, part in (("example", examples), ("timestep", timesteps)):
            size = self._sizes.get(axis)
            if size is not None and part.stop > size:
                raise ValueError(f"{self.where}: expected {size} of {axis}, got {place}")
        return box

    def _advance(self, box: Place) -> None:
        stands = dict(zip(self.dims, box, strict=True))
        examples, timesteps = (stands.get(axis, _WHOLE) for axis in _ORDER)
        self.cursor = Cursor(examples.start, examples.stop, timesteps.stop)

    def _on_disk(self, values: npt.NDArray[Any], box: Place) -> npt.NDArray[Any]:
        """Bring values into the form in which they are written."""
        kind = self._variable.dtype
        if kind == "string":
            return values if self.table is None else self._coded(values, self.table)
        if kind == "date":
            return values.astype(layout.DATE).astype(np.int64)
        if kind == "float16":
            return self._halved(values, box)
        if values.dtype != self._dtype:
            raise TypeError(f"{self.where}: expected {self._dtype}, got {values.dtype}")
        return values

    def _coded(self, values: npt.NDArray[Any], table: dict[str, int]) -> npt.NDArray[np.int32]:
        flat = values.ravel().tolist()
        for text in dict.fromkeys(flat):
            if text not in table:
                _expect_utf8(text, self.where)
                table[text] = len(table)
        codes = np.fromiter(map(table.__getitem__, flat), np.int32, len(flat))
        return codes.reshape(values.shape)

    def _halved(self, values: npt.NDArray[Any], box: Place) -> npt.NDArray[np.float16]:
        with np.errstate(over="ignore"):
            half = values.astype(np.float16)
        lost = np.isinf(half)
        if lost.any() and (lost := lost & np.isfinite(values)).any():
            at = np.argwhere(lost)[0]
            where = ", ".join(
                f"{axis} {part.start + k}" for axis, part, k in zip(self.dims, box, at, strict=True)
            )
            raise ValueError(
                f"{self.where}: {values[tuple(at)]:g} at {where} is more than float16 can hold "
                f"({np.finfo(np.float16).max:g}); record with dtype='float32'"
            )
        return half

    def _is_whole(self, index: Index, inside: list[slice]) -> bool:
        """Tell whether a part of a piece is all of a chunk, and as long as chunks are."""
        shape = tuple(part.stop - part.start for part in inside)
        return shape == self.chunks and index not in self.partial

    def _chunk(self, index: Index) -> Chunk:
        """Give the chunk that is being filled, with what was marked of it."""
        if index not in self.partial:
            fill = self._encoder.fill
            chunk = Chunk(np.full(self.chunks, fill, self._dtype))
            if self._masked:
                chunk.counted = np.zeros(self.chunks[:2], np.bool_)
            known = self._filled_before(index)
            if known:
                array = zarr.open_array(self.folder, mode="r", zarr_format=3)
                part = tuple(
                    slice(k * size, min((k + 1) * size, whole))
                    for k, size, whole in zip(index, self.chunks, array.shape, strict=True)
                )
                values = np.asarray(array[part])
                chunk.values[tuple(map(slice, values.shape))] = values
                if chunk.counted is not None:
                    mask = zarr.open_array(self.folder.with_name("mask"), mode="r", zarr_format=3)
                    counted = np.asarray(mask[part[:2]])
                    chunk.counted[tuple(map(slice, counted.shape))] = counted
                chunk.filled = chunk.stored = known
            self.partial[index] = chunk
        return self.partial[index]

    def _extents(self, index: Index) -> dict[str, tuple[int, int]]:
        """Tell from where to where a chunk goes, along each axis."""
        found = {}
        for axis, k, size in zip(self.dims, index, self.chunks, strict=True):
            end, known = (k + 1) * size, self._sizes[axis]
            found[axis] = (k * size, end if known is None else min(end, known))
        return found

    def _full(self, index: Index) -> int:
        return int(np.prod([stop - start for start, stop in self._extents(index).values()]))

    def _filled_before(self, index: Index) -> int:
        """Count what of a chunk was marked before this process."""
        at, extents = self._before, self._extents(index)
        others = int(
            np.prod([stop - start for axis, (start, stop) in extents.items() if axis not in _ORDER])
        )
        first, last = extents.get("example", (0, 1))
        start, stop = extents.get("timestep", (0, 1))
        whole = max(0, min(last, at.first) - first) * (stop - start)
        begun = max(0, min(last, at.examples) - max(first, at.first)) * max(
            0, min(stop, at.timesteps) - start
        )
        return (whole + begun) * others

    def unfinished(self) -> Iterator[tuple[Index, Chunk]]:
        """Give the chunks that have more than is on the disk."""
        for index, chunk in sorted(self.partial.items()):
            if chunk.filled > chunk.stored:
                yield index, chunk

    def columns(self, index: Index, chunk: Chunk) -> Columns:
        """Give what there is of a chunk of a signal, as columns: examples laid end to end."""
        ends = [
            min((k + 1) * size, self.length(axis)) - k * size
            for axis, k, size in zip(_ORDER, index, self.chunks, strict=False)
        ]
        here = tuple(map(slice, ends))
        column = index[0] * self.chunks[0] * self.length("timestep") + index[1] * self.chunks[1]
        if self._sizes["timestep"] is None and self.cursor.examples > 1:
            column = -1  # nobody knows yet
        values = chunk.values[here].reshape(-1, chunk.values.shape[2])
        return column, values, None if chunk.counted is None else chunk.counted[here].ravel()

    def reached(self, index: Index, chunk: Chunk) -> Columns | None:
        """Give what was written of a chunk of a signal, as columns; None if these don't follow each other."""
        at = self.cursor
        ended = at.timesteps == self._timesteps
        if not ended and at.examples > 1:
            return None
        first = [k * size for k, size in zip(index, self.chunks, strict=True)]
        rows = slice(at.examples - first[0]), slice(at.timesteps - first[1])
        values = chunk.values[rows].reshape(-1, chunk.values.shape[2])
        counted = None if chunk.counted is None else chunk.counted[rows].ravel()
        return first[0] * self.length("timestep") + first[1], values, counted

    def file(self, index: Index, chunk: npt.NDArray[Any]) -> File:
        """Make of a chunk what its file has in it."""
        name = ".".join(["c", *map(str, index)])
        return self.folder / name, self._encoder.encode(chunk, self.where)

    @property
    def _table_folder(self) -> Path:
        return self.folder.with_name(layout.table_of(self.folder.name))

    def described(self, disk: Disk) -> Iterator[Callable[[], None]]:
        """Give what writes the array's metadata, if it has grown, and the strings of its codes."""
        shape = tuple(self.length(axis) for axis in self.dims)
        if shape != self._described:
            metadata = self._encoder.metadata(shape, self._called)
            yield partial(disk.describe, self.folder, metadata)
            self._described = shape
        if self.table is not None and len(self.table) > self._table_written:
            # In chunks of one length, to which strings are only added: so what is marked can be read
            # whenever this ends, and by who has opened it before.
            texts, folder = list(self.table), self._table_folder
            encoder = Encoder((_TABLE,), np.dtype(object), Variable(("code",), "string"), "", False)
            for start in range(max(0, self._table_written) // _TABLE * _TABLE, len(texts), _TABLE):
                chunk = np.full(_TABLE, "", object)
                some = texts[start : start + _TABLE]
                chunk[: len(some)] = some
                file = folder / f"c.{start // _TABLE}", encoder.encode(chunk, self.where)
                yield partial(disk.put, file)
            yield partial(disk.describe, folder, encoder.metadata((len(texts),), ("code",)))
            self._table_written = len(texts)


@dataclass
class Chunk:
    """A chunk that is being filled: how many of its values there are, and how many are on the disk."""

    values: npt.NDArray[Any]
    counted: npt.NDArray[np.bool_] | None = None
    filled: int = 0
    stored: int = 0


class Encoder:
    """Makes of chunks what a file of them has in it: what Zarr makes of them, and no more work."""

    def __init__(
        self,
        chunks: tuple[int, ...],
        dtype: np.dtype[Any],
        variable: Variable,
        name: str,
        coded: bool,
    ) -> None:
        text = dtype == np.dtype(object)
        self.fill: Any = np.nan if dtype.kind == "f" else "" if text else 0
        attributes: dict[str, Any] = {"time_zone": variable.zone} if variable.zone else {}
        if variable.dtype == "date":  # the nanoseconds from 1970 on
            attributes["date"] = "ns"
        if variable.dtype == "float16":
            attributes["recorded_as"] = "float16"
        if coded:
            attributes["codes"] = layout.table_of(name)
        self._blosc = Blosc(_COMPRESSOR, _STRENGTH, Blosc.BITSHUFFLE)
        self._described = chunks, dtype, tuple(attributes.items())

    def metadata(self, shape: tuple[int, ...], dims: tuple[str, ...]) -> dict[str, Any]:
        made: dict[str, Any] = json.loads(_metadata(*self._described))
        return made | {"shape": list(shape), "dimension_names": list(dims)}

    def encode(self, chunk: npt.NDArray[Any], where: str) -> tuple[bytes, ...]:
        """Give what a file of a chunk has in it, in parts."""
        if chunk.dtype == np.dtype(object):
            return (self._by_zarr(chunk, where),)
        # For each array Zarr has a loop of events take some threads and copies: that costs more time
        # than this.
        little = np.ascontiguousarray(chunk, chunk.dtype.newbyteorder("<"))
        made: bytes = self._blosc.encode(little)
        return made, google_crc32c.value(made).to_bytes(4, "little")

    def _by_zarr(self, chunk: npt.NDArray[Any], where: str) -> bytes:
        held: dict[str, Any] = {}
        try:
            _in_memory(held, *self._described)[...] = chunk
        except UnicodeEncodeError as error:
            raise _not_utf8(where, error) from error
        (key,) = held.keys() - {METADATA}
        made: bytes = held[key].to_bytes()
        return made


def _in_memory(
    held: dict[str, Any],
    chunks: tuple[int, ...],
    dtype: np.dtype[Any],
    attributes: tuple[tuple[str, Any], ...],
) -> Any:  # noqa: ANN401 - an array of Zarr
    """Make an array of one chunk, of which Zarr puts files into a dict."""
    return zarr.create_array(
        MemoryStore(held),
        shape=chunks,
        dtype="string" if dtype == np.dtype(object) else dtype,
        chunks=chunks,
        attributes=dict(attributes),
        fill_value=np.nan if dtype.kind == "f" else None,
        compressors=[
            BloscCodec(cname=_COMPRESSOR, clevel=_STRENGTH, shuffle="bitshuffle"),
            Crc32cCodec(),
        ],
        chunk_key_encoding={"name": "default", "configuration": {"separator": "."}},
        config={"write_empty_chunks": True},
        zarr_format=3,
    )


@functools.lru_cache(maxsize=256)
def _metadata(
    chunks: tuple[int, ...], dtype: np.dtype[Any], attributes: tuple[tuple[str, Any], ...]
) -> bytes:
    """Ask Zarr how it describes such an array, once: that takes longer than to write a small one."""
    held: dict[str, Any] = {}
    _in_memory(held, chunks, dtype, attributes)
    made: bytes = held[METADATA].to_bytes()
    return made


def _expect_utf8(text: str, where: str) -> None:
    try:
        text.encode()
    except UnicodeEncodeError as error:
        raise _not_utf8(where, error) from error


def _not_utf8(where: str, error: UnicodeEncodeError) -> ValueError:
    return ValueError(f"{where}: cannot save a string that UTF-8 cannot hold: {error}")
