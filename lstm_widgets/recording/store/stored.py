"""Arrays of a recording that are read where they are touched, and name what of them can't be read."""

from __future__ import annotations

import functools
import itertools
import math
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import zarr
from xarray.backends import BackendArray
from xarray.core import indexing
from zarr.abc.store import Store
from zarr.storage import StorePath

from lstm_widgets.errors import RecordingFileError
from lstm_widgets.recording.store.layout import CODECS, DATE, DTYPES
from lstm_widgets.recording.store.places import LARGEST

if TYPE_CHECKING:
    import builtins
    from collections.abc import AsyncIterator, Iterable, Mapping, Sequence

    import numpy.typing as npt
    import xarray as xr
    from zarr.abc.store import ByteRequest
    from zarr.core.buffer import Buffer, BufferPrototype

    from lstm_widgets.recording.store.places import Place

__all__ = ["CodedArray", "Form", "StoredArray", "form_of", "stored"]

# A chunk is one of so many along an axis, or else nobody wrote it: indices are counted by chunk.
_MOST_CHUNKS = 1 << 24
# With more chunks than this along an axis, numbers are looked up chunk by chunk.
_MANY = 1 << 12
_ARRAY = {
    *("zarr_format", "node_type", "shape", "data_type", "chunk_grid", "chunk_key_encoding"),
    *("fill_value", "codecs", "attributes", "dimension_names", "storage_transformers"),
}
_FILL = {"f": "NaN", "b": False, "i": 0, "O": ""}


@dataclass(frozen=True)
class Form:
    """What an array on disk is made of: all that Zarr is told of it."""

    shape: tuple[int, ...]
    chunks: tuple[int, ...]
    data_type: str
    dims: tuple[str, ...]
    separator: str
    codecs: tuple[dict[str, Any], ...]
    attributes: dict[str, Any]

    @property
    def dtype(self) -> np.dtype[Any]:
        """What its values are once they are read."""
        if self.attributes.get("date") == "ns":
            return DATE
        return np.dtype(np.float32) if self.data_type == "float16" else DTYPES[self.data_type]

    @property
    def chunk_bytes(self) -> int | None:
        """Bytes of the values of a chunk; None for texts, which have any length."""
        if self.data_type == "string":
            return None
        return math.prod(self.chunks) * DTYPES[self.data_type].itemsize

    @property
    def metadata(self) -> dict[str, Any]:
        """What Zarr needs, written anew: nothing else in a file comes to it."""
        return {
            "zarr_format": 3,
            "node_type": "array",
            "shape": self.shape,
            "data_type": self.data_type,
            "chunk_grid": {"name": "regular", "configuration": {"chunk_shape": self.chunks}},
            "chunk_key_encoding": {
                "name": "default",
                "configuration": {"separator": self.separator},
            },
            "fill_value": _FILL[DTYPES[self.data_type].kind],
            "codecs": self.codecs,
            "dimension_names": self.dims,
            "attributes": {},
        }


def form_of(metadata: Mapping[str, Any], where: str) -> Form:
    """Look at an array's metadata before Zarr does, which would load whatever codec it names.

    Raises
    ------
    RecordingFileError
        If the array isn't one that a recording has.
    KeyError, TypeError, ValueError, AttributeError
        If the metadata are damaged.
    """
    codecs, dtype = metadata["codecs"], metadata["data_type"]
    names = [codec["name"] for codec in codecs]
    first = "vlen-utf8" if dtype == "string" else "bytes"
    usual = [name for name in (first, "blosc", "crc32c") if name in names]
    if set(names) - CODECS or not isinstance(dtype, str) or dtype not in DTYPES or names != usual:
        raise RecordingFileError(
            f"{where} is not written the way recordings are: codecs {names}, data type {dtype!r}"
        )
    grid, encoding = metadata["chunk_grid"], metadata["chunk_key_encoding"]
    unusual = {
        **{name: metadata[name] for name in set(metadata) - _ARRAY},
        **{
            name: metadata.get(name)
            for name, usual in (("zarr_format", 3), ("node_type", "array"))
            if metadata.get(name) != usual
        },
        **({"chunk_grid": grid} if grid["name"] != "regular" else {}),
        **({"storage_transformers": 0} if metadata.get("storage_transformers") else {}),
    }
    separator = encoding.get("configuration", {}).get("separator", "/")
    if unusual or encoding["name"] != "default" or separator not in ("/", "."):
        raise RecordingFileError(
            f"{where} is not written the way recordings are: {sorted(unusual) or encoding}"
        )
    form = Form(
        tuple(metadata["shape"]),
        tuple(grid["configuration"]["chunk_shape"]),
        dtype,
        tuple(metadata["dimension_names"]),
        separator,
        tuple(codecs),
        dict(metadata.get("attributes", {})),
    )
    _expect_sizes(form, where)
    return form


def _expect_sizes(form: Form, where: str) -> None:
    whole = all(type(size) is int for size in (*form.shape, *form.chunks))
    if not whole or min(form.shape, default=0) < 0 or min(form.chunks, default=1) < 1:
        raise RecordingFileError(
            f"{where}: expected whole numbers as sizes, got shape {form.shape}, chunks {form.chunks}"
        )
    texts = all(isinstance(dim, str) for dim in form.dims)
    if not texts or not len(form.shape) == len(form.chunks) == len(set(form.dims)):
        raise RecordingFileError(
            f"{where}: expected a size and a chunk for each axis, got shape {form.shape}, chunks "
            f"{form.chunks}, axes {form.dims}"
        )
    many = any(
        size > chunk * _MOST_CHUNKS for size, chunk in zip(form.shape, form.chunks, strict=True)
    )
    if many or math.prod(form.chunks) > LARGEST or (form.chunk_bytes or 0) > LARGEST:
        raise RecordingFileError(
            f"{where}: chunks {form.chunks} of shape {form.shape} are no recording's"
        )


class StoredArray(BackendArray):
    """An array on disk that xarray reads when it is touched.

    Parameters
    ----------
    place : Place
        Where the recording stands.
    path : str
        Where the array stands in it.
    form : Form
        What it is made of.
    told : str
        How errors name it, as in ``"'hidden_state' of layer 'lstm_1'"``.
    beside : mapping of str to xarray.Variable, optional
        What was made of the array while it was written, by the path beneath its group:
        ``"levels/hidden_state/..."`` and ``"statistics/hidden_state/..."`` of ``hidden_state``.
    """

    def __init__(
        self,
        place: Place,
        path: str,
        form: Form,
        told: str,
        beside: Mapping[str, xr.Variable] | None = None,
    ) -> None:
        self.place, self.path, self.form, self.told = place, path, form, told
        self.shape, self.dtype = form.shape, form.dtype
        self.beside = dict(beside or {})

    def __getstate__(self) -> dict[str, Any]:
        """Send away where it is, and nothing that was read."""
        sent = {name: value for name, value in vars(self).items() if name != "_array"}
        return {**sent, "beside": {}}

    def __deepcopy__(self, _memo: Any) -> StoredArray:  # noqa: ANN401
        """Stay the same: nothing of it is ever changed."""
        return self

    @functools.cached_property
    def _array(self) -> zarr.Array[Any]:
        metadata: Any = self.form.metadata
        return zarr.Array(zarr.AsyncArray(metadata, StorePath(_Chunks(self), self.path)))

    def __getitem__(self, key: indexing.ExplicitIndexer) -> npt.NDArray[Any]:
        values: npt.NDArray[Any] = indexing.explicit_indexing_adapter(
            key, self.shape, indexing.IndexingSupport.OUTER, self.read
        )
        return values

    def read(self, key: tuple[Any, ...]) -> npt.NDArray[Any]:
        """Read what stands where the numbers, slices and arrays of numbers of each axis meet.

        Raises
        ------
        RecordingFileError
            If a chunk of it is damaged or lost; the text names its timesteps.
        OSError
            If the disk or the server fails.
        """
        for axis, part in enumerate(key):
            if isinstance(part, np.ndarray) and self.shape[axis] > _MANY * self.form.chunks[axis]:
                return self._read_by_chunk(key, axis)
        try:
            found = self._array.oindex[key]
        except (RecordingFileError, OSError, MemoryError):
            raise
        except Exception:
            # Codecs tell neither which chunk it is nor of what; what is read again is only named.
            self._expect_whole(key)
            raise
        return np.asarray(found).astype(self.dtype, copy=False)

    def _read_by_chunk(self, key: tuple[Any, ...], axis: int) -> npt.NDArray[Any]:
        """Read numbers of an axis chunk by chunk: Zarr would count them in each of all its chunks."""
        size, chunk = self.shape[axis], self.form.chunks[axis]
        wanted = np.where(key[axis] < 0, key[axis] + size, key[axis])
        numbers, places = np.unique(wanted, return_inverse=True)
        if not len(numbers):
            return self.read((*key[:axis], slice(0), *key[axis + 1 :]))
        # Where the axis is, once single numbers have taken others away.
        at = sum(np.ndim(part) > 0 or isinstance(part, slice) for part in key[:axis])

        def one(part: npt.NDArray[np.intp]) -> npt.NDArray[Any]:
            first, last = int(part[0]), int(part[-1])
            found = self.read((*key[:axis], slice(first, last + 1), *key[axis + 1 :]))
            return found.take(part - first, axis=at)

        pool = ThreadPoolExecutor(zarr.config.get("async.concurrency"))
        try:
            edges = np.flatnonzero(np.diff(numbers // chunk)) + 1
            found = np.concatenate([*pool.map(one, np.split(numbers, edges))], axis=at)
        finally:
            pool.shutdown(cancel_futures=True)
        return found.take(places, axis=at)

    def _expect_whole(self, key: tuple[Any, ...]) -> None:
        """Find the first damaged chunk of what was asked for."""
        touched = [
            _chunks_of(part, size, chunk)
            for part, size, chunk in zip(key, self.shape, self.form.chunks, strict=True)
        ]
        for coords in itertools.product(*touched):
            here = zip(coords, self.form.chunks, strict=True)
            try:
                self._array[tuple(slice(n * chunk, (n + 1) * chunk) for n, chunk in here)]
            except (RecordingFileError, OSError, MemoryError):
                raise
            except Exception as error:
                raise self.damaged(coords, f"is damaged ({error})") from error

    def damaged(self, coords: Iterable[int], what: str) -> RecordingFileError:
        """Say which part of what can't be read."""
        rows = zip(self.form.dims, coords, self.form.chunks, self.shape, strict=True)
        spans = [
            f"{dim}s {n * chunk} to {min((n + 1) * chunk, size) - 1}"
            for dim, n, chunk, size in rows
            if size > chunk
        ]
        part = f", {', '.join(spans)}," if spans else ""
        return RecordingFileError(
            f"{self.told}{part} {what}; the rest of the recording at {self.place.address!r} can be "
            "read"
        )


class CodedArray(BackendArray):
    """Texts that are stored as numbers of lines in a table, of which each text is there once."""

    def __init__(self, codes: StoredArray, table: StoredArray) -> None:
        self.codes, self.table = codes, table
        self.shape, self.dtype = codes.shape, np.dtype(object)

    def __getstate__(self) -> dict[str, Any]:
        """Send away where it is, and nothing that was read."""
        return {"codes": self.codes, "table": self.table, "shape": self.shape, "dtype": self.dtype}

    def __deepcopy__(self, _memo: Any) -> CodedArray:  # noqa: ANN401
        """Stay the same: nothing of it is ever changed."""
        return self

    @functools.cached_property
    def texts(self) -> npt.NDArray[np.object_]:
        """The table."""
        return self.table.read((slice(None),))

    def __getitem__(self, key: indexing.ExplicitIndexer) -> npt.NDArray[Any]:
        values: npt.NDArray[Any] = indexing.explicit_indexing_adapter(
            key, self.shape, indexing.IndexingSupport.OUTER, self._read
        )
        return values

    def _read(self, key: tuple[Any, ...]) -> npt.NDArray[np.object_]:
        codes = self.codes.read(key)
        if codes.size and (codes.min() < 0 or codes.max() >= len(self.texts)):
            raise RecordingFileError(
                f"{self.codes.told} is damaged: {len(self.texts)} different texts are known, but it "
                f"names number {codes.max() if codes.min() >= 0 else codes.min()}"
            )
        found = np.empty(codes.shape, object)
        found[...] = self.texts[codes]
        return found


def stored(values: xr.DataArray | xr.Variable) -> StoredArray | None:
    """Give the array on disk that a variable is the whole of; None if it is of memory or of a part.

    Its ``beside`` are the levels of detail and the statistics that were written with it.
    """
    data = getattr(values, "variable", values)._data  # noqa: SLF001 - what hasn't been read
    while not isinstance(data, StoredArray):
        if isinstance(data, indexing.LazilyIndexedArray):
            whole = all(
                isinstance(part, slice) and part.indices(size) == (0, size, 1)
                for part, size in zip(data.key.tuple, data.array.shape, strict=True)
            )
            if not whole:
                return None
        if not isinstance(data, indexing.ExplicitlyIndexed) or not hasattr(data, "array"):
            return None
        data = data.array
    return data


def _chunks_of(part: Any, size: int, chunk: int) -> Sequence[int]:  # noqa: ANN401
    if isinstance(part, slice):
        numbers = range(size)[part]
        if len(numbers) and numbers.step <= chunk:
            return range(numbers[0] // chunk, numbers[-1] // chunk + 1)
        return [number // chunk for number in numbers]
    return sorted({int(number) // chunk for number in np.atleast_1d(part)})


class _Chunks(Store):
    """The chunks of one array, as Zarr asks for them: a lost one is an error, not its fill value."""

    supports_writes = supports_deletes = supports_listing = False
    supports_partial_writes = False  # which Zarr 3.1.0 wants to know

    def __init__(self, array: StoredArray) -> None:
        super().__init__(read_only=True)
        self._array = array

    def __eq__(self, other: object) -> bool:
        return self is other

    __hash__ = Store.__hash__

    async def get(
        self, key: str, prototype: BufferPrototype, byte_range: ByteRequest | None = None
    ) -> Buffer | None:
        if byte_range is not None:
            raise NotImplementedError
        array = self._array
        found = await array.place.get(key, prototype)
        coords = [
            int(n) for n in key.removeprefix(f"{array.path}/c").split(array.form.separator)[1:]
        ]
        if found is None:
            raise array.damaged(
                coords, "is lost: it was moved, deleted or replaced since it was written"
            )
        if "blosc" in (codec["name"] for codec in array.form.codecs):
            # What a compressed chunk says of its size is what would be allocated for it.
            said = int.from_bytes(found.as_numpy_array()[4:8].tobytes(), "little")
            expected = array.form.chunk_bytes
            if said > LARGEST or (expected is not None and said != expected):
                raise array.damaged(coords, f"is damaged (it claims to have {said} bytes)")
        return found

    async def get_partial_values(self, *_: Any) -> builtins.list[Buffer | None]:  # noqa: ANN401
        raise NotImplementedError

    async def exists(self, key: str) -> bool:
        raise NotImplementedError

    async def set(self, key: str, value: Buffer) -> None:
        raise NotImplementedError

    async def set_partial_values(self, *_: Any) -> None:  # noqa: ANN401 - of Zarr 3.1.0
        raise NotImplementedError

    async def delete(self, key: str) -> None:
        raise NotImplementedError

    def list(self) -> AsyncIterator[str]:
        raise NotImplementedError

    def list_prefix(self, prefix: str) -> AsyncIterator[str]:
        raise NotImplementedError

    def list_dir(self, prefix: str) -> AsyncIterator[str]:
        raise NotImplementedError
