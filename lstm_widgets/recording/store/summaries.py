"""Levels of detail and statistics of a signal, made of its chunks while these are written."""

from __future__ import annotations

from copy import copy
from typing import TYPE_CHECKING, Any

import numpy as np
import zarr

from lstm_widgets.recording.levels import Accumulator
from lstm_widgets.recording.store.arrays import Array, Cursor
from lstm_widgets.recording.store.disk import group_of
from lstm_widgets.recording.store.plans import Variable

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping
    from pathlib import Path

    import numpy.typing as npt

    from lstm_widgets.recording.levels import LevelRuns
    from lstm_widgets.recording.store.arrays import Columns
    from lstm_widgets.recording.store.disk import Disk, File

__all__ = ["Summary"]

_PLACE = slice(0, 1)
_LEVEL = "level "


class Summary:
    """What is summed up of a signal.

    Parameters
    ----------
    signal : pathlib.Path
        The folder of the signal's array.
    cells : int
        How many cells it has.
    state : mapping of str to array, optional
        What :attr:`state` was, to go on from there.
    """

    def __init__(
        self, signal: Path, cells: int, state: Mapping[str, npt.NDArray[Any]] | None = None
    ) -> None:
        self._signal, self._cells = signal, cells
        # None once chunks have come in another order than that of columns: then all is summed up at
        # the end, from the disk.
        self._whole: Accumulator | None = Accumulator(cells, compiled=True)
        self._levels: dict[int, Array] = {}
        if state is not None:
            known = {name: each for name, each in state.items() if not name.startswith(_LEVEL)}
            self._whole = Accumulator.resumed(known, compiled=True) if known else None
            for name in set(state) - set(known):
                level = int(name.removeprefix(_LEVEL))
                self._level(level).go_on(Cursor(*map(int, state[name])), None)

    def mark(self) -> Callable[[], dict[str, npt.NDArray[Any]]]:
        """Keep all that was taken in up to here: called, it gives that as arrays."""
        if self._whole is None:
            return dict
        whole = copy(self._whole)
        levels = {
            f"{_LEVEL}{level}": np.array(array.cursor.plain)
            for level, array in self._levels.items()
        }
        return lambda: {**whole.state, **levels}

    def _level(self, level: int) -> Array:
        if level not in self._levels:
            folder = self._signal.parent / "levels" / self._signal.name / str(level)
            sizes = {"timestep": None, "summary": 3, "cell": self._cells}
            self._levels[level] = Array(
                f"level {level}",
                folder,
                Variable(("timestep", "summary", "cell")),
                sizes,
                called=("run", "summary", "cell"),
            )
        return self._levels[level]

    def add(
        self,
        column: int,
        values: npt.NDArray[np.floating[Any]],
        counted: npt.NDArray[np.bool_] | None,
    ) -> Iterator[File]:
        """Take the columns from one on, ``(column, cell)``, and give what is to be written of them."""
        if self._whole is None or column != self._whole.stop:
            self._whole = None
            return
        for runs in self._whole.add(values.astype(np.float32, copy=False), counted):
            yield from self._appended(runs)

    def _appended(self, runs: LevelRuns) -> Iterator[File]:
        array = self._level(runs.level)
        place = (_PLACE, slice(runs.start, runs.start + len(runs.values)))
        for index, chunk in array.put(place, runs.values):
            yield array.file(index, chunk.values)
            del array.partial[index]

    def rest(self) -> Iterator[File]:
        """Give what is to be written of what isn't a whole chunk yet."""
        for array in self._levels.values():
            for index, chunk in array.unfinished():
                yield array.file(index, chunk.values)
                chunk.stored = chunk.filled

    def described(self, disk: Disk) -> Iterator[Callable[[], None]]:
        """Give what writes of the levels what they are, where they have grown."""
        for array in self._levels.values():
            yield from array.described(disk)

    def so_far(
        self, columns: int, behind: Iterable[Columns | None]
    ) -> npt.NDArray[np.float32] | None:
        """Give the statistics of what is written now.

        Parameters
        ----------
        columns : int
            How many there are.
        behind : iterable of Columns
            Those of chunks that aren't whole, in order.

        Returns
        -------
        float32 array (3, cell) or None
            None if there are no levels yet, or columns that they aren't of.
        """
        if self._whole is None or not self._levels:
            return None
        whole = copy(self._whole)
        for each in behind:
            if each is None or each[0] != whole.stop:
                return None
            whole.add(each[1].astype(np.float32, copy=False), each[2])
        if whole.stop != columns:
            return None
        return _stacked(whole)

    def finish(self, disk: Disk, columns: int) -> None:
        """Write the rest, once all of the signal is written; nothing of one that is soon read."""
        if self._whole is None or self._whole.stop != columns:
            self._scan(disk)
        for file in self.rest():
            disk.put(file)
        if self._whole is None or not self._levels:
            return
        values = _stacked(self._whole)
        name, layer = self._signal.name, self._signal.parent
        sizes = {"summary": 3, "cell": self._cells}
        statistics = Array(
            "statistics", layer / "statistics" / name / "cells", Variable((*sizes,)), sizes
        )
        for index, chunk in statistics.put((_PLACE, _PLACE), values):
            disk.put(statistics.file(index, chunk.values))
        for array in (*self._levels.values(), statistics):
            for job in array.described(disk):
                job()
        for group in ("levels", f"levels/{name}", "statistics", f"statistics/{name}"):
            disk.describe(layer / group, group_of({}))

    def _scan(self, disk: Disk) -> None:
        """Read the signal from the disk, example by example."""
        self._whole, self._levels = Accumulator(self._cells, compiled=True), {}
        values = zarr.open_array(self._signal, mode="r", zarr_format=3)
        folder = self._signal.with_name("mask")
        mask = zarr.open_array(folder, mode="r", zarr_format=3) if folder.exists() else None
        examples, timesteps, _ = values.shape
        step = values.chunks[1]
        for example in range(examples):
            for start in range(0, timesteps, step):
                part = slice(start, min(start + step, timesteps))
                counted = None if mask is None else np.asarray(mask[example, part])
                rows = np.asarray(values[example, part])
                for file in self.add(example * timesteps + start, rows, counted):
                    disk.put(file)


def _stacked(whole: Accumulator) -> npt.NDArray[np.float32]:
    """Give the statistics as they stand on the disk: float32 (3, cell)."""
    found = whole.statistics
    return np.stack([found.largest, found.mean_magnitude, found.variance])
