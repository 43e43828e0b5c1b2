"""Levels of detail and statistics of a signal, made of its chunks while these are written."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import zarr

from lstm_widgets.recording.levels import Accumulator
from lstm_widgets.recording.store.arrays import Array, Cursor
from lstm_widgets.recording.store.disk import group_of
from lstm_widgets.recording.store.plans import Variable

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    import numpy.typing as npt

    from lstm_widgets.recording.levels import LevelRuns
    from lstm_widgets.recording.store.disk import Disk

__all__ = ["Summary"]

_PLACE = slice(0, 1)
_LEVEL = "level "


class Summary:
    """What is summed up of a signal. All but making one is done in the writer's thread.

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
        self._whole: Accumulator | None = Accumulator(cells)
        self._levels: dict[int, Array] = {}
        if state is not None:
            known = {name: each for name, each in state.items() if not name.startswith(_LEVEL)}
            self._whole = Accumulator.resumed(known) if known else None
            for name in set(state) - set(known):
                level = int(name.removeprefix(_LEVEL))
                self._level(level).go_on(Cursor(*map(int, state[name])), None)

    @property
    def state(self) -> dict[str, npt.NDArray[Any]]:
        """All that was taken in, as arrays."""
        if self._whole is None:
            return {}
        levels = {
            f"{_LEVEL}{level}": np.array(array.cursor.plain)
            for level, array in self._levels.items()
        }
        return {**self._whole.state, **levels}

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
        disk: Disk,
        column: int,
        values: npt.NDArray[np.floating[Any]],
        counted: npt.NDArray[np.bool_] | None,
    ) -> None:
        """Take the columns from one on, ``(column, cell)``."""
        if self._whole is None or column != self._whole.stop:
            self._whole = None
            return
        for runs in self._whole.add(values.astype(np.float32, copy=False), counted):
            self._append(disk, runs)

    def _append(self, disk: Disk, runs: LevelRuns) -> None:
        array = self._level(runs.level)
        place = (_PLACE, slice(runs.start, runs.start + len(runs.values)))
        for index, chunk in array.put(place, runs.values):
            array.store(disk, index, chunk.values)
            del array.partial[index]

    def keep(self, disk: Disk) -> None:
        """Write what isn't a whole chunk yet."""
        for array in self._levels.values():
            for index, chunk in array.unfinished():
                array.store(disk, index, chunk.values)

    def finish(self, disk: Disk, columns: int) -> None:
        """Write the rest, once all of the signal is written; nothing of one that is soon read."""
        if self._whole is None or self._whole.stop != columns:
            self._scan(disk)
        self.keep(disk)
        if self._whole is None or not self._levels:
            return
        found = self._whole.statistics
        values = np.stack([found.largest, found.mean_magnitude, found.variance])
        name, layer = self._signal.name, self._signal.parent
        sizes = {"summary": 3, "cell": self._cells}
        statistics = Array(
            "statistics", layer / "statistics" / name / "cells", Variable((*sizes,)), sizes
        )
        for index, chunk in statistics.put((_PLACE, _PLACE), values):
            statistics.store(disk, index, chunk.values)
        for array in (*self._levels.values(), statistics):
            array.describe(disk)
        for group in ("levels", f"levels/{name}", "statistics", f"statistics/{name}"):
            disk.describe(layer / group, group_of({}))

    def _scan(self, disk: Disk) -> None:
        """Read the signal from the disk, example by example."""
        self._whole, self._levels = Accumulator(self._cells), {}
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
                self.add(disk, example * timesteps + start, rows, counted)
