"""Write a recording piece by piece, so that what is done stays, whatever happens; see the package."""

from __future__ import annotations

import io
import json
import time
import uuid
from dataclasses import asdict, dataclass, field
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self

import numpy as np
import numpy.typing as npt

from lstm_widgets.errors import RecordingFileError
from lstm_widgets.recording.file_names import file_name
from lstm_widgets.recording.store import files, layout
from lstm_widgets.recording.store.arrays import Array, Cursor
from lstm_widgets.recording.store.disk import Disk, Writer, group_of, json_of
from lstm_widgets.recording.store.layout import (
    BESIDE,
    DATA,
    METADATA,
    RESUME,
    consolidated,
    count,
    floats,
    packed,
    read_marker,
    strict,
)
from lstm_widgets.recording.store.lock import Lock
from lstm_widgets.recording.store.plans import Plan, Variable, layer_plan
from lstm_widgets.recording.store.summaries import Summary
from lstm_widgets.rnn.parallel import mapped

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence
    from os import PathLike

    from lstm_widgets.recording.store.arrays import Chunk, Index, Place
    from lstm_widgets.recording.store.disk import File

    Chunks = Sequence[tuple[Index, Chunk]]

    # What is known of a recording, what to go on from, what was summed up.
    _Kept = tuple[dict[str, Any], dict[str, Any], dict[str, dict[str, Any]]]

__all__ = ["Plan", "Stream", "Variable", "layer_plan"]

#: Seconds of work that a killed process may lose: what is marked more often is put on the disk together.
SPACING = 5.0
_STATE = "state.npz"
_ORDER = ("example", "timestep")


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
    >>> about = {"kind": "LSTM", "go_backwards": False, "masked_share": 0.0}
    >>> about |= {"check": {"mode": "none"}, "config": {}}
    >>> with Stream.open("text.zarr", fingerprint={"model": "a1"}) as stream:
    ...     plan = layer_plan(["hidden_state"], examples=1, timesteps=None, cells=2)
    ...     stream.layer("lstm", plan, about)
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
        header, self.state, self._summed = before or ({}, {}, {})
        self.done: int = header.get("done", 0)
        self.attrs: dict[str, Any] = {}
        self._data = path / header.get("data", f"data-{uuid.uuid4().hex}")
        self._known: dict[str, Any] = header.get("sets", {})
        self._sets: dict[str, _Set] = {}
        self._disk = Disk(self._data)
        self._writer = Writer()
        self._mark: _Mark | None = None
        self._kept: _Mark | None = None
        self._committed = time.monotonic()
        self._replaces_whole = (read_marker(path) or {}).get("complete", True) and (
            path / METADATA
        ).exists()
        self._open = True
        # Whether there is something to go on from, so that it stays if it is closed before it is finished.
        self._marked = before is not None
        # Whether the last mark is one of an earlier process.
        self._marked_before = self.done > 0
        if before is not None:
            files.clear(self._data)
        try:
            if before is None and self._fingerprint is not None:
                files.make(path / RESUME)
                self._keep(_Mark(0, {}, {}, {}, {}))
            self._disk.describe(self._data, group_of({}))
        except BaseException:
            self.close()
            raise

    def _to_go_on_with(self, *, overwrite: bool) -> _Kept | None:
        """Find what was marked of this recording; None if there is nothing to go on with."""
        marker = read_marker(self._path)
        finished = marker is not None and marker.get("complete", True)
        differs = ""
        if (self._path / RESUME / _STATE).exists() and self._fingerprint is not None:
            try:
                kept = _read_state(self._path / RESUME / _STATE)
            except RecordingFileError:
                if not overwrite:
                    raise
            else:
                # Its own marker may stand there, if it was finished and then killed.
                header = kept[0]
                ended = finished and marker is not None and marker["data"] == header["data"]
                differs = _difference(header["fingerprint"], self._fingerprint)
                if not (ended or differs):
                    return kept
                if ended:
                    self._clear(header["data"])
                    files.remove(self._path / RESUME)
        # Killed before anything was written, it leaves an empty folder.
        begun = differs or finished or any(DATA.fullmatch(e.name) for e in self._path.iterdir())
        if overwrite or not begun:
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
        self._add(f"layer {name}", (file_name(number, name), name), plan, attrs)

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
        if known is not None:
            made.go_on(known["cursors"], known["tables"], self._summed)
        # Another one: the writer's thread may be looking through this one.
        self._sets = {**self._sets, key: made}

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
        mask = values.get("mask")
        whole = []
        for name, each in values.items():
            array = to.arrays[name]
            if name in to.summaries and mask is None and "mask" in to.arrays:
                raise ValueError(f"{array.where}: expected the mask with it")
            whole.append((to, name, [*array.put(place, each, mask)]))
        self._put(whole, whole=True)

    def _put(self, some: Sequence[tuple[_Set, str, Chunks]], *, whole: bool) -> None:
        """Have chunks of arrays written; sum them up, too, if nothing more of them will come.

        All that is computed for it is done here, by all processors: who computes what is recorded has them
        for itself again afterwards. Its threads wait for each other, and would wait for one that makes
        room for the writer's.
        """

        def made(of: _Set, name: str, chunks: Chunks) -> Iterator[File]:
            array, summary = of.arrays[name], of.summaries.get(name)
            for index, chunk in chunks:
                yield array.file(index, chunk.values)
                if whole and summary is not None:
                    yield from summary.add(*array.columns(index, chunk))

        some = [each for each in some if each[2]]
        found = mapped(lambda each: [*made(*each)], some)
        for (of, name, chunks), every in zip(some, found, strict=True):
            for file in every:
                self._writer.do(partial(self._disk.put, file), sum(map(len, file[1])))
            # Only now: an interrupt before leaves them where the next mark finds them.
            for index, chunk in chunks:
                chunk.stored = chunk.filled
                if whole:
                    of.arrays[name].partial.pop(index, None)

    def leave_out(self, layer: str, name: str) -> None:
        """Take back an array, before all is finished.

        Parameters
        ----------
        layer : str
            The layer's name, or what stands beside the layers.
        name : str
            The array's, such as ``"mask"`` where nothing turned out to be padding.
        """
        of = self._sets.get(f"layer {layer}") or self._set(layer)
        of.left_out[name] = of.arrays[name]

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
        mark = self._made_mark(done, state or {})
        for each in self._sets.values():
            for name, summary in each.summaries.items():
                mark.summaries[f"{each.group}/{name}"] = summary.mark()
        self._mark = mark
        self._marked, self._marked_before = True, False
        if time.monotonic() - self._committed >= self._spacing:
            self._commit()

    def _made_mark(self, done: int, state: Mapping[str, npt.ArrayLike]) -> _Mark:
        sets = {key: each.mark() for key, each in self._sets.items()}
        lengths = {key: each.lengths() for key, each in self._sets.items()}
        held = {key: np.array(value) for key, value in state.items()}
        return _Mark(done, held, dict(self.attrs), sets, lengths)

    def _commit(self) -> None:
        """Have the writer put on the disk what is marked, and then say so."""
        mark = self._mark
        if mark is None or self._fingerprint is None:
            return
        every = [
            (each, name, [*array.unfinished()])
            for each in self._sets.values()
            for name, array in each.arrays.items()
        ]
        self._put(every, whole=False)
        for each in self._sets.values():
            for summary in each.summaries.values():
                for file in summary.rest():
                    self._writer.do(partial(self._disk.put, file), sum(map(len, file[1])))
                for describe in summary.described(self._disk):
                    self._writer.do(describe)
            for describe in each.described(self._disk):
                self._writer.do(describe)
        self._note_statistics(mark)

        def job() -> None:
            self._disk.sync()
            self._keep(mark)
            self._kept = mark
            if not self._replaces_whole:
                self._replace_marker(mark)

        self._writer.do(job)
        self._mark = None
        self._committed = time.monotonic()

    def _note_statistics(self, mark: _Mark) -> None:
        """Have a mark tell the statistics of what it is about, if that is all that is written by now."""
        for key, lengths in mark.lengths.items():
            each = self._sets[key]
            if each.mark() != mark.sets[key]:
                continue
            for name, summary in each.summaries.items():
                array = each.arrays[name]
                begun = sorted(array.partial.items(), key=lambda one: one[0])
                found = summary.so_far(
                    lengths.get("example", 1) * lengths.get("timestep", 1),
                    [array.reached(*one) for one in begun],
                )
                if found is not None:
                    mark.statistics[f"{each.group}/{name}"] = packed(found)

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
        for key, summary in mark.summaries.items():
            held |= {f"summary {key} {name}": value for name, value in summary().items()}
        np.savez(made, header=text, **held)
        folder = self._path / RESUME
        files.put(folder / _STATE, made.getbuffer(), synced=True)
        files.sync(folder)

    def _marker(self, mark: _Mark, *, whole: bool) -> dict[str, Any]:
        sets = [self._sets[key] for key in mark.lengths]
        layers = [each for each in sets if not each.beside]
        more: dict[str, Any] = {"complete": whole}
        if whole:
            more["files"], more["bytes"] = count(self._data)
        else:
            more |= {"done": mark.done, "statistics": mark.statistics}
        names = {each.group: each.name for each in layers}
        return layout.new_marker(self._data.name, names, mark.lengths, mark.attrs, more)

    def _metadata(self, mark: _Mark) -> dict[str, Any]:
        """Give what all groups and arrays are, by path, with the shapes of what is complete."""
        found = dict(self._disk.metadata)
        for key, lengths in mark.lengths.items():
            each = self._sets[key]
            for array in each.arrays.values():
                whole = found[array.folder]  # which may be longer
                sizes = zip(array.dims, whole["shape"], strict=True)
                found[array.folder] = whole | {
                    "shape": [min(size, lengths.get(axis, size)) for axis, size in sizes]
                }
        return {
            folder.relative_to(self._path).as_posix(): metadata
            for folder, metadata in found.items()
        }

    def _replace_marker(self, mark: _Mark, *, whole: bool = False) -> None:
        marker = self._marker(mark, whole=whole)
        content = json_of(group_of(marker, consolidated(self._metadata(mark))))
        files.put(self._path / METADATA, content, synced=True)
        files.sync(self._path)
        if self._made_here:
            files.sync(self._path.parent)
        self._clear(self._data.name)

    def _clear(self, data: str) -> None:
        """Remove data of which no marker tells any more."""
        for entry in list(self._path.iterdir()):
            if DATA.fullmatch(entry.name) and entry.name != data:
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
        if self._marked_before:
            # That mark tells of arrays, too, that are left out now.
            self.mark(self.done, self.state)
        self.attrs |= attrs or {}
        for name, more in (layer_attrs or {}).items():
            self._set(f"layer {name}").attrs |= more
        for each in self._sets.values():
            each.expect_whole()
        if any(each.left_out for each in self._sets.values()):
            self._commit()
            self._writer.do(self._leave_out)
            self._writer.wait()
        every = [
            (each, name, sorted(array.partial.items(), key=lambda one: one[0]))
            for each in self._sets.values()
            for name, array in each.arrays.items()
            if name not in each.left_out
        ]
        self._put(every, whole=True)

        for each in self._sets.values():
            for describe in each.described(self._disk):
                self._writer.do(describe)

        def job() -> None:
            for each in self._sets.values():
                each.sum_up(self._disk)
            self._disk.sync()
            self._replace_marker(self._made_mark(self.done, {}), whole=True)
            files.remove(self._path / RESUME)

        self._writer.do(job)
        self._mark = None
        self._writer.wait()
        self.close()

    def _leave_out(self) -> None:
        """Let what is marked be opened without some arrays, and then remove these."""
        gone = [array.folder for each in self._sets.values() for array in each.left_out.values()]
        for each in self._sets.values():
            each.arrays = {n: array for n, array in each.arrays.items() if n not in each.left_out}
            for describe in each.described(self._disk):
                describe()
        for folder in gone:
            self._disk.metadata.pop(folder, None)
        if self._kept is not None and not self._replaces_whole:
            self._disk.sync()
            self._replace_marker(self._kept)
        for folder in gone:
            self._disk.remove(folder)

    def close(self) -> None:
        """Stop here. What was marked stays, and can be gone on with; if nothing was, nothing stays."""
        if not self._open:
            return
        self._open = False
        try:
            self._commit()
            self._writer.wait()
        finally:
            self._writer.stop()
            if self._fingerprint is None or not self._marked:
                self._discard()
            self._lock.give_up()
            if self._made_here and not any(self._path.iterdir()):
                self._path.rmdir()

    def _discard(self) -> None:
        """Remove what can't be gone on with."""
        # An interruption can come right after the marker was replaced: then these are the good data.
        if (read_marker(self._path) or {}).get("data") != self._data.name:
            files.remove(self._data)
            if self._fingerprint is not None:
                files.remove(self._path / RESUME)

    def _expect_open(self) -> None:
        if not self._open:
            raise ValueError("the recording is closed: nothing more can be written to it")


@dataclass(frozen=True)
class _Mark:
    """What was complete at some time: all that is needed to open it, and to go on from it."""

    done: int
    state: dict[str, npt.NDArray[Any]]
    attrs: dict[str, Any]
    sets: dict[str, Any]
    lengths: dict[str, dict[str, int]]
    summaries: dict[str, Callable[[], dict[str, npt.NDArray[Any]]]] = field(default_factory=dict)
    # Those of signals that aren't finished.
    statistics: dict[str, str] = field(default_factory=dict)


class _Set:
    """A layer, or what stands beside the layers, while it is written."""

    def __init__(
        self, key: str, place: tuple[str, str], plan: Plan, folder: Path, attrs: dict[str, Any]
    ) -> None:
        self.key, (self.group, self.name) = key, place
        self.beside = self.name in BESIDE and key == self.name
        self.plan, self.folder, self.attrs = plan, folder, attrs
        self._described: Any = None
        signals = {
            name: variable
            for name, variable in plan.variables.items()
            if not self.beside and variable.dims == ("example", "timestep", "cell")
        }
        self.arrays = {
            array: Array(
                f"{key}: {array}",
                folder / array,
                variable,
                plan.sizes,
                masked=array in signals and "mask" in plan.variables,
            )
            for array, variable in plan.variables.items()
        }
        self.left_out: dict[str, Array] = {}
        cells = plan.sizes.get("cell") or 0
        self.summaries = {name: Summary(folder / name, cells) for name in signals}

    def go_on(
        self,
        cursors: Mapping[str, Sequence[int]],
        tables: Mapping[str, int],
        summaries: Mapping[str, Mapping[str, npt.NDArray[Any]]],
    ) -> None:
        for name, array in self.arrays.items():
            array.go_on(Cursor(*cursors[name]), tables.get(name))
        cells = self.plan.sizes.get("cell") or 0
        self.summaries = {
            name: Summary(self.folder / name, cells, summaries.get(f"{self.group}/{name}", {}))
            for name in self.summaries
        }

    def sum_up(self, disk: Disk) -> None:
        for name, summary in self.summaries.items():
            array = self.arrays[name]
            summary.finish(disk, array.length("example") * array.length("timestep"))

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

    def described(self, disk: Disk) -> Iterator[Callable[[], None]]:
        """Give what writes what is to be known of the arrays, where that has changed."""
        names = [*self.arrays]
        coords = layout.coordinates(names)
        ordered = [*(name for name in names if name not in coords), *coords]
        attrs = {**strict(self.attrs), "variables": ordered}
        if attrs != self._described:
            yield partial(disk.describe, self.folder, group_of(attrs))
            self._described = attrs
        for array in self.arrays.values():
            yield from array.described(disk)


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


def _read_state(path: Path) -> _Kept:
    state: dict[str, Any] = {}
    summaries: dict[str, dict[str, Any]] = {}
    try:
        with np.load(path, allow_pickle=False) as held:
            header = json.loads(held["header"].tobytes())
            for name in held.files:
                kind, _, key = name.partition(" ")
                if kind == "state":
                    state[key] = held[name]
                elif kind == "summary":
                    of, _, part = key.partition(" ")
                    summaries.setdefault(of, {})[part] = held[name]
    except (OSError, ValueError, KeyError) as error:
        raise RecordingFileError(
            f"path: {str(path)!r}, which the unfinished recording would go on from, is damaged: "
            f"{error}; pass overwrite=True to begin anew"
        ) from error
    return floats(header), state, summaries


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
