"""Write a recording piece by piece, so that what is done stays, whatever happens; see the package."""

from __future__ import annotations

import io
import json
import queue
import re
import threading
import time
import uuid
from dataclasses import asdict, dataclass, field
from itertools import product
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self

import numpy as np
import numpy.typing as npt
import zarr
from zarr.codecs import BloscCodec, Crc32cCodec
from zarr.storage import MemoryStore

from lstm_widgets.errors import RecordingFileError
from lstm_widgets.recording.store import files, layout
from lstm_widgets.recording.store.layout import (
    BESIDE,
    DATA,
    FORMAT,
    METADATA,
    RESUME,
    consolidated,
    count,
    floats,
    read_marker,
    strict,
)
from lstm_widgets.recording.store.lock import Lock

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence
    from os import PathLike

    Place = tuple[slice, ...]
    Index = tuple[int, ...]

__all__ = ["Plan", "Stream", "Variable", "layer_plan"]

#: Seconds of work that a killed process may lose: what is marked more often is put on the disk together.
SPACING = 5.0
# Chunks that wait for the disk. When there are more, whoever computes waits, too.
_WAITING = 8
_WHOLE = slice(0, 1)
_STATE = "state.npz"
_ORDER = ("example", "timestep")


@dataclass(frozen=True)
class Variable:
    """One array of a recording.

    Parameters
    ----------
    dims : tuple of str
        Its axes.
    dtype : str
        What it is on the disk: ``"float32"``, ``"float16"`` (which is read as float32), ``"float64"``,
        ``"int32"``, ``"int64"``, ``"bool"``, ``"date"`` (datetime64[ns]) or ``"string"``.
    zone : str
        The time zone of dates, "" if they are in none.
    """

    dims: tuple[str, ...]
    dtype: str = "float32"
    zone: str = ""


@dataclass(frozen=True)
class Plan:
    """What a layer consists of, or what stands beside the layers.

    Parameters
    ----------
    sizes : mapping of str to int or None
        The length of each axis; None for "example" or "timestep" if it isn't known beforehand.
    variables : mapping of str to Variable
        The arrays by name: the signals first, coordinates in any order.
    """

    sizes: Mapping[str, int | None]
    variables: Mapping[str, Variable] = field(default_factory=dict)


def layer_plan(
    signals: Sequence[str],
    *,
    examples: int | None,
    timesteps: int | None,
    cells: int,
    dtype: str = "float32",
    mask: bool = False,
    tokens: bool = False,
    more: Mapping[str, Variable] | None = None,
) -> Plan:
    """Plan a layer.

    Parameters
    ----------
    signals : sequence of str
        Their names.
    examples, timesteps : int or None
        How many there are; None if that isn't known beforehand.
    cells : int
        How many there are.
    dtype : {"float32", "float16"}
        What the signals are on the disk.
    mask, tokens : bool
        Whether the layer has them.
    more : mapping of str to Variable, optional
        Further coordinates, as initial states: ``{"initial_hidden_state": Variable(("example", "cell"))}``.

    Examples
    --------
    >>> layer_plan(["hidden_state"], examples=1, timesteps=None, cells=8).variables["hidden_state"].dims
    ('example', 'timestep', 'cell')
    """
    axes = ("example", "timestep", "cell")
    variables = {name: Variable(axes, dtype) for name in signals}
    if mask:
        variables["mask"] = Variable(axes[:2], "bool")
    if tokens:
        variables["token"] = Variable(axes[:2], "string")
    sizes = {"example": examples, "timestep": timesteps, "cell": cells}
    return Plan(sizes, variables | dict(more or {}))


class Stream:
    """One recording while it is written.

    What is written counts from the next :meth:`mark` on. If the process ends, however it ends, what was
    marked can be opened, and :meth:`open` with the same fingerprint goes on from there.

    Attributes
    ----------
    done : int
        What the last mark said was done; 0 if nothing was.
    state : dict of str to numpy.ndarray
        What the last mark was given to go on from.
    attrs : dict
        What is to be known of the recording, as JSON can hold it; written with each mark.

    Examples
    --------
    >>> with Stream.open("text.zarr", fingerprint={"model": "a1"}) as stream:
    ...     stream.layer("lstm", layer_plan(["hidden_state"], examples=1, timesteps=None, cells=2))
    ...     for start in range(stream.done, 6, 3):
    ...         place = (slice(0, 1), slice(start, start + 3))
    ...         stream.write("lstm", place, {"hidden_state": np.ones((1, 3, 2), np.float32)})
    ...         stream.mark(start + 3)
    ...     stream.finish()
    >>> lw.open_recording("text.zarr")["lstm"].sizes["timestep"]
    6
    """

    @classmethod
    def open(
        cls,
        path: str | PathLike[str],
        *,
        fingerprint: Mapping[str, str] | None = None,
        overwrite: bool = False,
        spacing: float = SPACING,
    ) -> Self:
        """Begin a recording, or go on with an unfinished one.

        Parameters
        ----------
        path : str or path-like
            The folder in which the recording shall stand.
        fingerprint : mapping of str to str, optional
            What must be the same to go on: of the model, the inputs, the settings. None: nothing goes
            on from this one, and nothing can be opened before it is finished.
        overwrite : bool, default False
            Whether another recording, finished or not, may be replaced. A finished one stays until this
            one is finished.
        spacing : float
            Marks are put on the disk together if fewer seconds are between them.

        Raises
        ------
        FileExistsError
            If something stands there that may not be replaced, or that is being written.
        RecordingFileError
            If it can't be gone on with, because it is damaged.
        """
        return cls(Path(path), fingerprint, overwrite=overwrite, spacing=spacing)

    def __init__(
        self,
        path: Path,
        fingerprint: Mapping[str, str] | None,
        *,
        overwrite: bool,
        spacing: float,
    ) -> None:
        self._path = path
        self._fingerprint = None if fingerprint is None else dict(fingerprint)
        self._spacing = spacing
        expect_ours(path)
        self._made_here = not path.exists()
        files.make(path)
        self._lock = Lock(path)
        try:
            before = self._to_go_on_with(overwrite=overwrite)
        except BaseException:
            self._lock.give_up()
            raise
        header, self.state = before or ({}, {})
        self.done: int = header.get("done", 0)
        self.attrs: dict[str, Any] = {}
        self._data = path / header.get("data", f"data-{uuid.uuid4().hex}")
        self._known: dict[str, Any] = header.get("sets", {})
        self._sets: dict[str, _Set] = {}
        self._disk = _Disk(self._data)
        self._writer = _Writer()
        self._mark: _Mark | None = None
        self._committed = time.monotonic()
        self._replaces_whole = (read_marker(path) or {}).get("complete", True) and (
            path / METADATA
        ).exists()
        self._open = True
        try:
            if before is None:
                if self._fingerprint is not None:
                    files.make(path / RESUME)
                    self._keep(_Mark(0, {}, {}, {}))
                files.make(self._data)
            self._disk.describe(self._data, _group({}))
        except BaseException:
            self.close()
            raise

    def _to_go_on_with(self, *, overwrite: bool) -> tuple[dict[str, Any], dict[str, Any]] | None:
        """Find what was marked of this recording; None if there is nothing to go on with."""
        marker = read_marker(self._path)
        finished = marker is not None and marker.get("complete", True)
        differs = ""
        if (self._path / RESUME / _STATE).exists() and self._fingerprint is not None:
            try:
                header, state = _read_state(self._path / RESUME / _STATE)
            except RecordingFileError:
                if not overwrite:
                    raise
            else:
                # Its own marker may stand there, if it was finished and then killed.
                ended = finished and marker is not None and marker["data"] == header["data"]
                differs = _difference(header["fingerprint"], self._fingerprint)
                if not (ended or differs):
                    return header, state
        if overwrite or not any(not entry.name.startswith(".") for entry in self._path.iterdir()):
            return None
        where = f"path: {str(self._path)!r} exists"
        if differs and not finished:
            raise FileExistsError(
                f"{where}: it is an unfinished recording of something else: {differs}; pass "
                "overwrite=True to replace it"
            )
        raise FileExistsError(f"{where}; pass overwrite=True to replace it")

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def layer(self, name: str, plan: Plan, attrs: Mapping[str, Any] | None = None) -> None:
        """Say what a layer consists of, before anything of it is written; again when going on.

        Parameters
        ----------
        name : str
            The layer's name; layers are told in model order.
        plan : Plan
            Its axes and arrays.
        attrs : mapping, optional
            What is to be known of it, as JSON can hold it.
        """
        number = sum(not each.beside for each in self._sets.values())
        self._add(f"layer {name}", (f"{number}-{_slug(name)}", name), plan, attrs)

    def beside(self, what: str, plan: Plan, attrs: Mapping[str, Any] | None = None) -> None:
        """Say what stands beside the layers, as :meth:`layer` does.

        Parameters
        ----------
        what : {"predictions", "inputs", "outputs", "targets"}
            What it is.
        plan : Plan
            Its axes and arrays.
        attrs : mapping, optional
            What is to be known of it.
        """
        if what not in BESIDE:
            raise ValueError(f"what: expected one of {', '.join(BESIDE)}, got {what!r}")
        self._add(what, (what, what), plan, attrs)

    def _add(
        self, key: str, place: tuple[str, str], plan: Plan, attrs: Mapping[str, Any] | None
    ) -> None:
        group = place[0]
        if key in self._sets:
            raise ValueError(f"{key}: expected each once, got it twice")
        known = self._known.get(key)
        if known is not None and (known["plan"] != _plain(plan) or known["group"] != group):
            raise ValueError(
                f"{key}: expected the plan that this recording was begun with, {known['plan']}; got "
                f"{_plain(plan)}"
            )
        folder = self._data / group
        made = _Set(key, place, plan, folder, dict(attrs or {}))
        if known is None:
            files.make(folder)
            self._disk.folders.add(folder)
            for array in made.arrays.values():
                files.make(array.folder)
                self._disk.folders.add(array.folder)
        else:
            made.go_on(known["cursors"], known["tables"])
        self._sets[key] = made

    def write(self, layer: str, place: Place, values: Mapping[str, npt.NDArray[Any]]) -> None:
        """Write a piece of a layer.

        Pieces of an array follow each other: some timesteps after those before, of the same examples;
        or the next examples, from their first timestep on, once those before have all of theirs.

        Parameters
        ----------
        layer : str
            Its name.
        place : (slice, slice)
            Which examples, which timesteps.
        values : mapping of str to array
            What stands there of each array, or of some: signals float32 ``(example, timestep, cell)``,
            ``mask`` bool and ``token`` str ``(example, timestep)``; of an array without one of these
            axes, what it has.

        Raises
        ------
        ValueError
            If the piece doesn't follow, or has another shape; if a number is too large for float16, or a
            str can't be encoded as UTF-8.
        OSError
            If what was written before could not be written after all, as on a full disk.
        """
        self._write(self._set(f"layer {layer}"), place, values)

    def write_beside(self, what: str, place: Place, values: Mapping[str, npt.NDArray[Any]]) -> None:
        """Write a piece of what stands beside the layers, as :meth:`write` does."""
        self._write(self._set(what), place, values)

    def _set(self, key: str) -> _Set:
        if key not in self._sets:
            raise ValueError(f"{key}: expected one of {', '.join(self._sets) or 'none yet'}")
        return self._sets[key]

    def _write(self, to: _Set, place: Place, values: Mapping[str, npt.NDArray[Any]]) -> None:
        self._expect_open()
        for name, each in values.items():
            array = to.arrays[name]
            for index, chunk in array.put(place, each):
                self._writer.do(self._chunk_job(array, index, chunk))
                # Only now: an interrupt before leaves it where the next mark finds it.
                array.partial.pop(index, None)

    def _chunk_job(
        self, array: _Array, index: Index, chunk: npt.NDArray[Any]
    ) -> Callable[[], None]:
        return lambda: array.store(self._disk, index, chunk)

    def mark(self, done: int, state: Mapping[str, npt.ArrayLike] | None = None) -> None:
        """Say that all that was written up to here is complete.

        Parameters
        ----------
        done : int
            How much is, of whatever the caller counts.
        state : mapping of str to array, optional
            What is needed to go on from here.
        """
        self._expect_open()
        self._mark = self._made_mark(done, state or {})
        if time.monotonic() - self._committed >= self._spacing:
            self._commit()

    def _made_mark(self, done: int, state: Mapping[str, npt.ArrayLike]) -> _Mark:
        sets = {key: each.mark() for key, each in self._sets.items()}
        lengths = {key: each.lengths() for key, each in self._sets.items()}
        return _Mark(done, {key: np.array(value) for key, value in state.items()}, sets, lengths)

    def _commit(self) -> None:
        """Have the writer put on the disk what is marked, and then say so."""
        mark = self._mark
        if mark is None or self._fingerprint is None:
            return
        for each in self._sets.values():
            for array in each.arrays.values():
                for index, chunk in array.unfinished():
                    self._writer.do(self._chunk_job(array, index, chunk))
        attrs = self._all_attrs()

        def job() -> None:
            for each in self._sets.values():
                each.describe(self._disk)
            self._disk.sync()
            self._keep(mark)
            if not self._replaces_whole:
                self._replace_marker(mark, attrs)

        self._writer.do(job)
        self._mark = None
        self._committed = time.monotonic()

    def _all_attrs(self) -> dict[str, Any]:
        names = [each.name for each in self._sets.values() if not each.beside]
        return {"layers": names, **self.attrs}

    def _keep(self, mark: _Mark) -> None:
        header = {
            "data": self._data.name,
            "fingerprint": self._fingerprint,
            "done": mark.done,
            "sets": mark.sets,
        }
        made = io.BytesIO()
        text = np.frombuffer(json.dumps(header).encode(), np.uint8)
        held: dict[str, Any] = {f"state {key}": value for key, value in mark.state.items()}
        np.savez(made, header=text, **held)
        folder = self._path / RESUME
        files.put(folder / _STATE, made.getbuffer(), synced=True)
        files.sync(folder)

    def _marker(self, mark: _Mark | None, attrs: Mapping[str, Any]) -> dict[str, Any]:
        layers = [each for each in self._sets.values() if not each.beside]
        marker = {
            "format": FORMAT,
            "complete": mark is None,
            "data": self._data.name,
            "groups": [each.group for each in layers],
            **{what: what in self._sets for what in BESIDE},
            "attrs": strict(attrs),
        }
        if mark is None:
            marker["files"], marker["bytes"] = count(self._data)
        else:
            marker["done"] = mark.done
            marker["sizes"] = {each.group: mark.lengths[each.key] for each in self._sets.values()}
        return marker

    def _metadata(self, mark: _Mark | None) -> dict[str, Any]:
        """Give what all groups and arrays are, by path, with the shapes of what is complete."""
        found = dict(self._disk.metadata)
        for key, lengths in ({} if mark is None else mark.lengths).items():
            each = self._sets[key]
            for array in each.arrays.values():
                whole = found[array.folder]
                sizes = zip(array.dims, whole["shape"], strict=True)
                found[array.folder] = whole | {
                    "shape": [min(size, lengths.get(axis, size)) for axis, size in sizes]
                }
        return {
            folder.relative_to(self._path).as_posix(): metadata
            for folder, metadata in found.items()
        }

    def _replace_marker(self, mark: _Mark | None, attrs: Mapping[str, Any]) -> None:
        marker = {"lstm_widgets_recording": self._marker(mark, attrs)}
        content = _json(_group(marker, consolidated(self._metadata(mark))))
        files.put(self._path / METADATA, content, synced=True)
        files.sync(self._path)
        if self._made_here:
            files.sync(self._path.parent)
        for entry in list(self._path.iterdir()):
            if DATA.fullmatch(entry.name) and entry != self._data:
                files.remove(entry)

    def finish(
        self,
        attrs: Mapping[str, Any] | None = None,
        layer_attrs: Mapping[str, Mapping[str, Any]] | None = None,
    ) -> None:
        """Say that nothing more comes: from here on it is a recording like any other.

        Parameters
        ----------
        attrs : mapping, optional
            What else is to be known of the recording.
        layer_attrs : mapping of str to mapping, optional
            What else is to be known of its layers.
        """
        self._expect_open()
        self.attrs |= attrs or {}
        for name, more in (layer_attrs or {}).items():
            self._set(f"layer {name}").attrs |= more
        for each in self._sets.values():
            each.expect_whole()
            for array in each.arrays.values():
                for index, chunk in array.unfinished():
                    self._writer.do(self._chunk_job(array, index, chunk))
                array.partial.clear()
        every = self._all_attrs()

        def job() -> None:
            for each in self._sets.values():
                each.describe(self._disk)
            self._disk.sync()
            self._replace_marker(None, every)
            files.remove(self._path / RESUME)

        self._writer.do(job)
        self._mark = None
        self._writer.wait()
        self.close()

    def close(self) -> None:
        """Stop here. What was marked stays, and can be gone on with."""
        if not self._open:
            return
        self._open = False
        try:
            self._commit()
            self._writer.wait()
        finally:
            self._writer.stop()
            if self._fingerprint is None:
                self._discard()
            self._lock.give_up()
            if self._made_here and not any(self._path.iterdir()):
                self._path.rmdir()

    def _discard(self) -> None:
        """Remove what can't be gone on with."""
        # An interruption can come right after the marker was replaced: then these are the good data.
        if (read_marker(self._path) or {}).get("data") != self._data.name:
            files.remove(self._data)

    def _expect_open(self) -> None:
        if not self._open:
            raise ValueError("the recording is closed: nothing more can be written to it")


@dataclass(frozen=True)
class _Mark:
    """What was complete at some time: all that is needed to open it, and to go on from it."""

    done: int
    state: dict[str, npt.NDArray[Any]]
    sets: dict[str, Any]
    lengths: dict[str, dict[str, int]]


class _Set:
    """A layer, or what stands beside the layers, while it is written."""

    def __init__(
        self, key: str, place: tuple[str, str], plan: Plan, folder: Path, attrs: dict[str, Any]
    ) -> None:
        self.key, (self.group, self.name) = key, place
        self.beside = self.name in BESIDE and key == self.name
        self.plan, self.folder, self.attrs = plan, folder, attrs
        self._described: Any = None
        self.arrays = {
            array: _Array(f"{key}: {array}", folder / array, variable, plan.sizes)
            for array, variable in plan.variables.items()
        }

    def go_on(self, cursors: Mapping[str, Sequence[int]], tables: Mapping[str, int]) -> None:
        for name, array in self.arrays.items():
            array.go_on(_Cursor(*cursors[name]), tables.get(name))

    def mark(self) -> dict[str, Any]:
        return {
            "group": self.group,
            "plan": _plain(self.plan),
            "cursors": {name: array.cursor.plain for name, array in self.arrays.items()},
            "tables": {
                name: len(array.table)
                for name, array in self.arrays.items()
                if array.table is not None
            },
        }

    def lengths(self) -> dict[str, int]:
        """Tell how many examples have all their timesteps, or how many timesteps all examples."""
        found: dict[str, int] = {}
        for array in self.arrays.values():
            for axis, length in array.complete().items():
                found[axis] = min(length, found.get(axis, length))
        return found

    def expect_whole(self) -> None:
        for array in self.arrays.values():
            array.expect_whole()
        ends = {
            name: tuple(array.length(axis) for axis in _ORDER if axis in array.dims)
            for name, array in self.arrays.items()
            if set(_ORDER) <= set(array.dims)
        }
        if len(set(ends.values())) > 1:
            raise ValueError(f"{self.key}: expected as many timesteps of each array, got {ends}")

    def describe(self, disk: _Disk) -> None:
        """Write what is to be known of the arrays, and where it has changed."""
        names = [*self.arrays]
        coords = layout.coordinates(names)
        ordered = [*(name for name in names if name not in coords), *coords]
        attrs = {**strict(self.attrs), "variables": ordered}
        if attrs != self._described:
            disk.describe(self.folder, _group(attrs))
            self._described = attrs
        for array in self.arrays.values():
            array.describe(disk)


@dataclass(frozen=True)
class _Cursor:
    """How far an array is written.

    All of the examples before ``first``, and of those from there up to ``examples`` the timesteps up to
    ``timesteps``.
    """

    first: int = 0
    examples: int = 0
    timesteps: int = 0

    @property
    def plain(self) -> list[int]:
        return [self.first, self.examples, self.timesteps]


class _Array:
    """One array while it is written: pieces come in, whole chunks go out."""

    def __init__(
        self, where: str, folder: Path, variable: Variable, sizes: Mapping[str, int | None]
    ) -> None:
        self.where, self.folder, self.dims = where, folder, variable.dims
        self._variable = variable
        self._sizes = {axis: sizes[axis] for axis in variable.dims}
        self.coded = variable.dtype == "string" and len(variable.dims) > 1
        self.table: dict[str, int] | None = {} if self.coded else None
        self._dtype = layout.DISK["int32" if self.coded else variable.dtype]
        self.chunks = layout.chunks([self._sizes[axis] for axis in self.dims], self._dtype)
        self._encoder = _Encoder(self.chunks, self._dtype, variable, folder.name, self.coded)
        self.cursor = _Cursor()
        self.partial: dict[Index, _Chunk] = {}
        self._before = _Cursor()
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
        at, found = self.cursor, {}
        ended = at.timesteps == self._timesteps
        if "example" in self.dims:
            found["example"] = at.examples if ended or at.first == 0 else at.first
        if "timestep" in self.dims:
            found["timestep"] = at.timesteps if at.first == 0 else self.length("timestep")
        return found

    def expect_whole(self) -> None:
        got = tuple(self.complete().get(axis, self.length(axis)) for axis in self.dims)
        expected = tuple(self.length(axis) for axis in self.dims)
        if got != expected and 0 not in expected:
            raise ValueError(f"{self.where}: expected {expected} to be written, got {got}")

    def go_on(self, cursor: _Cursor, table: int | None) -> None:
        self.cursor = self._before = cursor
        if table:
            known = zarr.open_array(self._table_folder, mode="r", zarr_format=3)[:table]
            self.table = {str(text): code for code, text in enumerate(np.asarray(known).tolist())}

    def put(
        self, place: Place, values: npt.NDArray[Any]
    ) -> Iterator[tuple[Index, npt.NDArray[Any]]]:
        """Take a piece, and give the chunks that it makes whole."""
        box = self._box(place, np.shape(values))
        values = self._on_disk(np.asarray(values), box)
        for index in product(
            *(
                range(part.start // size, -(-part.stop // size))
                for part, size in zip(box, self.chunks, strict=True)
            )
        ):
            chunk = self._chunk(index)
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
            chunk.values[here] = values[there]
            chunk.filled += int(np.prod([p.stop - p.start for p in inside]))
            if chunk.filled == self._full(index):
                yield index, chunk.values
        self._advance(box)

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
        self.cursor = _Cursor(examples.start, examples.stop, timesteps.stop)

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

    def _chunk(self, index: Index) -> _Chunk:
        """Give the chunk that is being filled, with what was marked of it."""
        if index not in self.partial:
            fill = self._encoder.fill
            chunk = _Chunk(np.full(self.chunks, fill, self._dtype))
            known = self._filled_before(index)
            if known:
                array = zarr.open_array(self.folder, mode="r", zarr_format=3)
                part = tuple(
                    slice(k * size, min((k + 1) * size, whole))
                    for k, size, whole in zip(index, self.chunks, array.shape, strict=True)
                )
                values = np.asarray(array[part])
                chunk.values[tuple(map(slice, values.shape))] = values
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

    def unfinished(self) -> Iterator[tuple[Index, npt.NDArray[Any]]]:
        """Give copies of the chunks that have more than is on the disk."""
        for index, chunk in self.partial.items():
            if chunk.filled > chunk.stored:
                chunk.stored = chunk.filled
                yield index, chunk.values.copy()

    def store(self, disk: _Disk, index: Index, chunk: npt.NDArray[Any]) -> None:
        """Write a chunk: in the writer's thread."""
        name = ".".join(["c", *map(str, index)])
        disk.put(self.folder / name, self._encoder.encode(chunk, self.where))

    @property
    def _table_folder(self) -> Path:
        return self.folder.with_name(layout.table_of(self.folder.name))

    def describe(self, disk: _Disk) -> None:
        """Write the array's metadata if it has grown, and the strings that its codes stand for."""
        shape = tuple(self.length(axis) for axis in self.dims)
        if shape != self._described:
            disk.describe(self.folder, self._encoder.metadata(shape, self.dims))
            self._described = shape
        if self.table is not None and len(self.table) > self._table_written:
            # All of them again: there are few, and those of before stay what they were.
            texts = np.array([*list(self.table), ""], object)[:-1]
            folder = self._table_folder
            files.make(folder)
            disk.folders.add(folder)
            disk.folders.add(folder.parent)
            encoder = _Encoder(
                (max(1, len(texts)),), np.dtype(object), Variable(("code",), "string"), "", False
            )
            padded = texts if len(texts) else np.array([""], object)
            disk.put(folder / "c.0", encoder.encode(padded, self.where))
            disk.describe(folder, encoder.metadata(texts.shape, ("code",)))
            self._table_written = len(texts)


@dataclass
class _Chunk:
    """A chunk that is being filled: how many of its values there are, and how many are on the disk."""

    values: npt.NDArray[Any]
    filled: int = 0
    stored: int = 0


class _Encoder:
    """Makes of chunks what a file of them has in it, by Zarr itself, in memory."""

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
        self._held: dict[str, Any] = {}
        self._array = zarr.create_array(
            MemoryStore(self._held),
            shape=chunks,
            dtype="string" if text else dtype,
            chunks=chunks,
            attributes=attributes,
            fill_value=self.fill if dtype.kind == "f" else None,
            compressors=[BloscCodec(cname="lz4", clevel=5, shuffle="bitshuffle"), Crc32cCodec()],
            chunk_key_encoding={"name": "default", "configuration": {"separator": "."}},
            config={"write_empty_chunks": True},
            zarr_format=3,
        )

    def metadata(self, shape: tuple[int, ...], dims: tuple[str, ...]) -> dict[str, Any]:
        made: dict[str, Any] = json.loads(self._held[METADATA].to_bytes())
        return made | {"shape": list(shape), "dimension_names": list(dims)}

    def encode(self, chunk: npt.NDArray[Any], where: str) -> bytes:
        try:
            self._array[...] = chunk
        except UnicodeEncodeError as error:
            raise _not_utf8(where, error) from error
        (key,) = self._held.keys() - {METADATA}
        made: bytes = self._held.pop(key).to_bytes()
        return made


class _Disk:
    """The files that were written and that the disk may not have yet."""

    def __init__(self, data: Path) -> None:
        self._files: dict[Path, None] = {}
        #: What groups and arrays are, by their folders.
        self.metadata: dict[Path, dict[str, Any]] = {}
        self.folders: set[Path] = {data, data.parent}

    def put(self, path: Path, data: bytes) -> None:
        files.put(path, data, synced=path.exists())
        self._files[path] = None
        self.folders.add(path.parent)

    def describe(self, folder: Path, metadata: dict[str, Any]) -> None:
        """Write what a group or an array is."""
        self.put(folder / METADATA, _json(metadata))
        self.metadata[folder] = metadata

    def sync(self) -> None:
        for path in self._files:
            files.sync(path)
        for folder in sorted(self.folders, reverse=True):
            files.sync(folder)
        self._files.clear()
        self.folders.clear()


class _Writer:
    """A thread that compresses and writes while the caller computes."""

    def __init__(self) -> None:
        self._jobs: queue.Queue[Callable[[], None] | None] = queue.Queue(_WAITING)
        self._error: BaseException | None = None
        self._thread = threading.Thread(target=self._work, daemon=True, name="recording")
        self._thread.start()

    def _work(self) -> None:
        while (job := self._jobs.get()) is not None:
            try:
                if self._error is None:
                    job()
            except BaseException as error:  # noqa: BLE001 - comes out where the caller is
                self._error = error
            finally:
                self._jobs.task_done()
                del job
        self._jobs.task_done()

    def do(self, job: Callable[[], None]) -> None:
        """Have something done, after all before; wait if too much waits already."""
        self._raise()
        self._jobs.put(job)

    def wait(self) -> None:
        """Wait until all is done."""
        self._jobs.join()
        self._raise()

    def stop(self) -> None:
        """End the thread, after all that it was given."""
        if self._thread.is_alive():
            self._jobs.put(None)
            self._thread.join()

    def _raise(self) -> None:
        if self._error is not None:
            raise self._error


def expect_ours(path: Path) -> None:
    """Refuse to touch what isn't a recording, finished or not."""
    if not path.exists():
        return
    ours = path.is_dir() and all(
        DATA.fullmatch(entry.name)
        or entry.name.startswith(".")
        or entry.name == RESUME
        or (entry.name == METADATA and read_marker(path))
        for entry in path.iterdir()
    )
    if not ours:
        raise FileExistsError(f"path: {str(path)!r} exists and isn't a recording")


def _read_state(path: Path) -> tuple[dict[str, Any], dict[str, Any]]:
    try:
        with np.load(path, allow_pickle=False) as held:
            header = json.loads(held["header"].tobytes())
            state = {
                name.removeprefix("state "): held[name] for name in held.files if name != "header"
            }
    except (OSError, ValueError, KeyError) as error:
        raise RecordingFileError(
            f"path: {str(path)!r}, which the unfinished recording would go on from, is damaged: "
            f"{error}; pass overwrite=True to begin anew"
        ) from error
    return floats(header), state


def _difference(old: Mapping[str, str], new: Mapping[str, str]) -> str:
    """Name what is different, key by key; "" if nothing is."""
    keys = [*new, *(key for key in old if key not in new)]
    return "; ".join(
        f"{key} was {_short(old.get(key))} and is {_short(new.get(key))}"
        for key in keys
        if old.get(key) != new.get(key)
    )


def _short(value: str | None) -> str:
    return "missing" if value is None else f"{value:.40}"


def _group(attributes: Mapping[str, Any], inside: dict[str, Any] | None = None) -> dict[str, Any]:
    metadata = {"zarr_format": 3, "node_type": "group", "attributes": attributes}
    return metadata if inside is None else {**metadata, "consolidated_metadata": inside}


def _json(metadata: Mapping[str, Any]) -> bytes:
    return json.dumps(metadata, indent=2, allow_nan=False).encode()


def _plain(plan: Plan) -> dict[str, Any]:
    """Give a plan as JSON gives it back."""
    plain: dict[str, Any] = json.loads(
        json.dumps(
            {
                "sizes": dict(plan.sizes),
                "variables": {name: asdict(each) for name, each in plan.variables.items()},
            }
        )
    )
    return plain


def _slug(name: str) -> str:
    """Make a file name that every file system takes; the number before it keeps names apart."""
    return re.sub(r"[^A-Za-z0-9_-]+", "-", name)[:60]


def _expect_utf8(text: str, where: str) -> None:
    try:
        text.encode()
    except UnicodeEncodeError as error:
        raise _not_utf8(where, error) from error


def _not_utf8(where: str, error: UnicodeEncodeError) -> ValueError:
    return ValueError(f"{where}: cannot save a string that UTF-8 cannot hold: {error}")
