"""One signal of one layer at every level of detail: lowest, highest and mean value, and statistics.

Everything here is a function of arrays. A *level* ``k`` holds three values for every ``2**k`` timesteps,
their minimum, maximum and mean, so that a rare spike is still seen from afar. Statistics are sums over a
tree of runs, in which two neighbours make one twice as long: whoever adds the values, in whatever pieces,
has the same sums to the bit.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, fields
from functools import cached_property
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from lstm_widgets.recording.rows import Rows, in_memory
from lstm_widgets.rnn.parallel import mapped
from lstm_widgets.rnn.scan import compiled_module

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence

    import xarray as xr
    from numpy.typing import NDArray

#: The finest level that is kept, in memory or on disk, and made in the same pass as the statistics.
BASE_LEVEL = 6
#: By so much is each further level that is kept coarser than the one before.
LEVEL_STEP = 3
#: A level is kept from so many whole runs on: fewer are soon made of finer ones.
FEWEST_RUNS = 8
#: Values that similarities are computed of at most.
SIMILAR_VALUES = 1 << 25
_RUN = 1 << BASE_LEVEL
# From so many blocks on, reading all of a signal shows a progress bar.
_LONG = 100
#: Values that are summed at a time: few enough for a cache, and enough that two threads seldom wait
#: for each other's Python.
CACHED = 1 << 18


class Pooled(NamedTuple):
    """Runs of timesteps as one each: float32 arrays (run, cell), NaN where any of the timesteps is NaN."""

    lowest: NDArray[np.float32]
    highest: NDArray[np.float32]
    mean: NDArray[np.float32]

    @property
    def strongest(self) -> NDArray[np.float32]:
        """The value of largest magnitude, with its sign."""
        return np.where(self.highest >= -self.lowest, self.highest, self.lowest)


def pool(values: NDArray[np.float32], size: int) -> Pooled:
    """
    Sum up every ``size`` timesteps.

    Parameters
    ----------
    values : float32 array (timestep, cell)
    size : int
        Timesteps that become one; the last one may stand for fewer.

    Returns
    -------
    Pooled
        Of ``ceil(timestep / size)`` runs.

    Examples
    --------
    >>> import numpy as np
    >>> pool(np.array([[1], [-3], [5]], np.float32), 2).strongest.tolist()
    [[-3.0], [5.0]]
    """
    if size == 1:
        return Pooled(values, values, values)
    return _pool(Pooled(values, values, values), size, 1, len(values))


def _pool(fine: Pooled, size: int, each: int, columns: int) -> Pooled:
    """Sum up every ``size`` runs, of ``each`` timesteps but for what is left of ``columns`` for the last."""
    count, cells = fine.mean.shape
    runs, whole = math.ceil(count / size), count // size
    coarse = Pooled(*(np.empty((runs, cells), np.float32) for _ in Pooled._fields))
    for part, out, reduce in (
        (fine.lowest, coarse.lowest, np.min),
        (fine.highest, coarse.highest, np.max),
    ):
        out[:whole] = reduce(part[: whole * size].reshape(whole, size, cells), axis=1)
        if whole < runs:
            out[whole] = reduce(part[whole * size :], axis=0)
    full = columns // (each * size)  # runs in which every part stands for as many timesteps
    with np.errstate(invalid="ignore", over="ignore"):
        means = fine.mean[: full * size].reshape(full, size, cells)
        # Sums of many means need float64; those of sixteen values a fast pass.
        share = np.float32(1 / size) if each == 1 else np.float64(1 / size)
        coarse.mean[:full] = np.einsum("rsc,->rc", means, share)
        if full < runs:
            rest = fine.mean[full * size :].astype(np.float64)
            weights = np.full(len(rest), each)
            weights[-1] = columns - each * (count - 1)
            coarse.mean[full] = weights @ rest / weights.sum()
    return coarse


@dataclass(frozen=True)
class CellStatistics:
    """What the page sorts and scales the cells by: one float32 a cell."""

    largest: NDArray[np.float32]
    """The largest finite magnitude of all that is drawn, padding included; 0 where there is none."""
    mean_magnitude: NDArray[np.float32]
    """The mean of |value| without padding; NaN for a cell that has a NaN or no timestep."""
    variance: NDArray[np.float32]
    """The mean squared distance from the mean, without padding; NaN likewise."""

    def tobytes(self) -> bytes:
        """Give what the page reads: float32 (3, cell)."""
        return np.stack([self.largest, self.mean_magnitude, self.variance]).tobytes()


# What the timesteps of a run come to: the rows of float64 arrays (run, 8, cell). The last four are of the
# timesteps that count, that is, aren't padding: how many there are, the sum of |value|, the mean, and the
# sum of squared distances from it. Sums of raw squares would lose the variance of a cell that hovers about
# 5 ± 0.001.
_LOWEST, _HIGHEST, _MEAN, _LARGEST, _COUNTING, _MAGNITUDE, _CENTRE, _SPREAD = range(8)
_ROWS = 8


def _paired(nodes: NDArray[np.float64], *, compiled: bool) -> NDArray[np.float64]:
    """Make of an even number of runs of one length half as many: (run, 8, cell)."""
    module = compiled_module("compiled_sums") if compiled else None
    if module is None:
        return _pair(nodes[::2], nodes[1::2])
    made = np.empty((len(nodes) // 2, *nodes.shape[1:]))
    module.pair(nodes, made)
    return made


@np.errstate(invalid="ignore", over="ignore")
def _pair(one: NDArray[np.float64], other: NDArray[np.float64]) -> NDArray[np.float64]:
    """Make neighbours one.

    Sums as in T. F. Chan, G. H. Golub, R. J. LeVeque (1979), "Updating formulae and a pairwise algorithm
    for computing sample variances", Stanford STAN-CS-79-773.
    """
    made = np.empty_like(one)
    for row, joined in (
        (_LOWEST, np.minimum),
        (_HIGHEST, np.maximum),
        (_LARGEST, np.maximum),
        (_COUNTING, np.add),
        (_MAGNITUDE, np.add),
    ):
        joined(one[:, row], other[:, row], out=made[:, row])
    made[:, _MEAN] = one[:, _MEAN] * 0.5 + other[:, _MEAN] * 0.5
    share = other[:, _COUNTING] / np.maximum(made[:, _COUNTING], 1)
    distance = other[:, _CENTRE] - one[:, _CENTRE]
    made[:, _CENTRE] = one[:, _CENTRE] + distance * share
    between = distance * distance * (one[:, _COUNTING] * share)
    made[:, _SPREAD] = one[:, _SPREAD] + other[:, _SPREAD] + between
    return made


@np.errstate(invalid="ignore", over="ignore")
def _sums(runs: NDArray[np.float32]) -> NDArray[np.float64]:
    """Sum up runs (run, timestep, cell), of which all timesteps count, in float32."""
    lowest, highest = runs.min(axis=1), runs.max(axis=1)
    # Rounding mustn't move the mean of what never changes, which has no variance.
    mean = np.clip(runs.sum(axis=1) * np.float32(1 / _RUN), lowest, highest)
    room = np.abs(runs)
    magnitude = room.sum(axis=1)
    np.subtract(runs, mean[:, None], out=room)
    off = (room.sum(axis=1) * np.float32(1 / _RUN)).astype(np.float64)
    np.multiply(room, room, out=room)
    spread = np.maximum(room.sum(axis=1).astype(np.float64) - off * off * _RUN, 0)
    largest, count = np.maximum(-lowest, highest), np.full(lowest.shape, float(_RUN))
    rows = [lowest, highest, mean, largest, count, magnitude, mean + off, spread]
    return np.stack(rows, axis=1)


def _compiled_sums(runs: NDArray[np.float32]) -> NDArray[np.float64]:
    """Do the same in one go, several times as fast, with the same result to the bit."""
    compiled = compiled_module("compiled_sums")
    # Of a single cell NumPy adds in another order.
    if compiled is None or runs.shape[2] == 1:
        return _sums(runs)
    found = np.empty((len(runs), _ROWS, runs.shape[2]))
    compiled.sum_up(runs, found)
    return found


def _summed(
    values: NDArray[np.float32], counted: NDArray[np.bool_] | None, *, compiled: bool
) -> NDArray[np.float64]:
    """Sum up runs of the base level, each by itself: in float32, where that holds the sums."""
    runs = values.reshape(-1, _RUN, values.shape[1])
    nodes = (_compiled_sums if compiled else _sums)(runs)
    plain = np.isfinite(nodes[:, _SPREAD]).all(axis=1)
    if counted is not None:
        counted = counted.reshape(-1, _RUN)
        plain &= counted.all(axis=1)
    others = np.flatnonzero(~plain)
    if len(others):
        nodes[others] = _exact_sums(runs[others], None if counted is None else counted[others])
    return nodes


@np.errstate(invalid="ignore", over="ignore")
def _exact_sums(
    runs: NDArray[np.float32], counted: NDArray[np.bool_] | None
) -> NDArray[np.float64]:
    """Sum up runs that have padding, or what sums of float32 don't hold: (run, timestep, cell)."""
    if counted is None:
        counted = np.ones(runs.shape[:2], np.bool_)
    every = runs.astype(np.float64)
    rows = np.where(counted[..., None], every, 0)
    count = counted.sum(axis=1, dtype=np.float64)[:, None]
    centre = rows.sum(axis=1) / np.maximum(count, 1)
    distance = np.where(counted[..., None], every - centre[:, None], 0)
    finite = np.abs(runs, where=np.isfinite(runs), out=np.zeros_like(runs))
    found = [
        runs.min(axis=1),
        runs.max(axis=1),
        every.mean(axis=1),
        finite.max(axis=1),
        np.broadcast_to(count, centre.shape),
        np.abs(rows).sum(axis=1),
        centre,
        (distance * distance).sum(axis=1),
    ]
    return np.stack(found, axis=1)


class LevelRuns(NamedTuple):
    """Neighbouring whole runs of a level that is kept."""

    level: int
    """Each is of ``2**level`` columns."""
    start: int
    """Which run of the level the first is."""
    values: NDArray[np.float32]
    """Float32 (run, 3, cell): the lowest, the highest, the mean."""


@dataclass
class _Stretch:
    """Columns that are no whole run yet, or not of this stretch alone."""

    values: NDArray[np.float32]
    counted: NDArray[np.bool_]

    def __len__(self) -> int:
        return len(self.values)

    def then(self, values: NDArray[np.float32], counted: NDArray[np.bool_] | None) -> _Stretch:
        """Put more columns behind these; all are copied."""
        if counted is None:
            counted = np.ones(len(values), np.bool_)
        return _Stretch(
            np.concatenate([self.values, values]), np.concatenate([self.counted, counted])
        )


class Accumulator:
    """
    Sums up one signal of one layer while its values come, in pieces of any size.

    What it gives depends on the values alone, not on the pieces: each run of a level is made of the same
    two halves. So stretches may also be summed up by several accumulators, which are merged then.

    Parameters
    ----------
    cells : int
        How many cells the layer has.
    start : int, default 0
        The first column that it is given: examples are laid end to end.
    compiled : bool, default False
        Whether it is worth loading what compiles: for some million values. They come to the same.

    Examples
    --------
    >>> import numpy as np
    >>> values = np.arange(1024, dtype=np.float32)[:, None]
    >>> whole, first, second = Accumulator(1), Accumulator(1), Accumulator(1, start=300)
    >>> [(runs.level, runs.start, len(runs.values)) for runs in whole.add(values)]
    [(6, 0, 16)]
    >>> first.add(values[:300]), [runs.start for runs in second.add(values[300:])]
    ([], [5])
    >>> [(runs.level, runs.start, len(runs.values)) for runs in first.merge(second)]
    [(6, 0, 5)]
    >>> (first.statistics.variance == whole.statistics.variance).all()
    np.True_
    """

    def __init__(self, cells: int, start: int = 0, *, compiled: bool = False) -> None:
        self._compiled = compiled
        self.cells = cells
        self.start = start
        #: The column behind the last one that it was given.
        self.stop = start
        none = _Stretch(np.zeros((0, cells), np.float32), np.zeros(0, np.bool_))
        # Columns before the first whole run, and behind the last one.
        self._before = self._behind = none
        # By level, a run whose other half isn't there: it lies before the start, or is still to come.
        self._second: dict[int, tuple[int, NDArray[np.float64]]] = {}
        self._first: dict[int, tuple[int, NDArray[np.float64]]] = {}
        # Runs of levels that may not come to be kept.
        self._waiting: list[LevelRuns] = []

    def add(
        self, values: NDArray[np.float32], counted: NDArray[np.bool_] | None = None
    ) -> list[LevelRuns]:
        """
        Take the columns that follow.

        Parameters
        ----------
        values : float32 array (column, cell)
        counted : bool array (column,), optional
            False marks padding, which counts in the statistics' largest value only. Default: all count.

        Returns
        -------
        list of LevelRuns
            Runs that are whole now, of the levels that are kept: what to append to each.

        Raises
        ------
        ValueError
            If an array has another shape.
        """
        return self._add(values, counted, map)

    def _add(
        self,
        values: NDArray[np.float32],
        counted: NDArray[np.bool_] | None,
        each: Callable[
            [Callable[[int], NDArray[np.float64]], range], Iterable[NDArray[np.float64]]
        ],
    ) -> list[LevelRuns]:
        values = np.ascontiguousarray(values, np.float32)
        if values.ndim != 2 or values.shape[1] != self.cells:
            raise ValueError(
                f"values: expected shape (column, {self.cells} cells), got {values.shape}"
            )
        if counted is not None and counted.shape != values.shape[:1]:
            raise ValueError(f"counted: expected shape {values.shape[:1]}, got {counted.shape}")
        begin = -(-self.start // _RUN) * _RUN
        early = max(0, min(begin - self.stop, len(values)))
        if early:
            self._before = self._before.then(*_part(values, counted, 0, early))
        self.stop += len(values)
        run = (self.stop - len(values) + early - len(self._behind)) // _RUN
        missing = 0
        if len(self._behind):
            missing = min(_RUN - len(self._behind), len(values) - early)
            self._behind = self._behind.then(*_part(values, counted, early, early + missing))
            if len(self._behind) == _RUN:
                node = _summed(self._behind.values, self._behind.counted, compiled=self._compiled)
                self._behind = _Stretch(self._behind.values[:0], self._behind.counted[:0])
                self._climb(BASE_LEVEL, run, node)
                run += 1
        first = early + missing
        last = first + (len(values) - first) // _RUN * _RUN
        size = max(1, CACHED // max(1, self.cells * _RUN)) * _RUN

        def summed(start: int) -> NDArray[np.float64]:
            some = _part(values, counted, start, min(start + size, last))
            return _summed(*some, compiled=self._compiled)

        parts = list(each(summed, range(first, last, size)))
        if parts:
            self._climb(BASE_LEVEL, run, np.concatenate(parts))
        if last < len(values):
            self._behind = self._behind.then(*_part(values, counted, last, len(values)))
        return self._finished()

    def _climb(self, level: int, run: int, nodes: NDArray[np.float64], *, new: bool = True) -> None:
        """Pair runs, which follow what was taken before, level by level as far as it goes."""
        while len(nodes):
            if new and (level - BASE_LEVEL) % LEVEL_STEP == 0:
                kept = nodes[:, : _MEAN + 1].astype(np.float32)
                self._waiting.append(LevelRuns(level, run, kept))
            if level in self._first:
                run, earlier = self._first.pop(level)
                nodes = np.concatenate([earlier, nodes])
            if run % 2:
                self._second[level] = (run, nodes[:1])
                run, nodes = run + 1, nodes[1:]
            if len(nodes) % 2:
                self._first[level] = (run + len(nodes) - 1, nodes[-1:])
                nodes = nodes[:-1]
            level, run, new = level + 1, run // 2, True
            nodes = _paired(nodes, compiled=self._compiled)

    def _finished(self) -> list[LevelRuns]:
        """Give those runs that wait, of levels that are long enough now, neighbours together."""
        ready = [runs for runs in self._waiting if self.stop >> runs.level >= FEWEST_RUNS]
        self._waiting = [runs for runs in self._waiting if self.stop >> runs.level < FEWEST_RUNS]
        joined: list[LevelRuns] = []
        for runs in sorted(ready, key=lambda runs: runs[:2]):
            last = joined[-1] if joined else None
            if last and (last.level, last.start + len(last.values)) == runs[:2]:
                values = np.concatenate([last.values, runs.values])
                joined[-1] = LevelRuns(last.level, last.start, values)
            else:
                joined.append(runs)
        return joined

    def merge(self, other: Accumulator) -> list[LevelRuns]:
        """
        Take all that another one was given, whose first column follows the last one here.

        Parameters
        ----------
        other : Accumulator
            It stays as it is.

        Returns
        -------
        list of LevelRuns
            Runs that are whole now and that neither had given. Their place tells where they belong,
            before or between what ``other`` gave.

        Raises
        ------
        ValueError
            If it doesn't begin where this one ends, or has another number of cells.
        """
        if (other.start, other.cells) != (self.stop, self.cells):
            raise ValueError(
                f"other: expected {self.cells} cells from column {self.stop} on, got {other.cells} "
                f"from column {other.start} on"
            )
        found = self._add(other._before.values, other._before.counted, map)
        for level, (run, node) in sorted(other._second.items()):
            self._climb(level, run, node, new=False)
        for level, (run, node) in sorted(other._first.items(), reverse=True):
            self._climb(level, run, node, new=False)
        if other.stop > self.stop:
            self._behind = other._behind
            self.stop = other.stop
        self._waiting += other._waiting
        return [*found, *self._finished()]

    @property
    def statistics(self) -> CellStatistics:
        """The statistics of all that was added so far, from column 0 on."""
        if self.start:
            raise ValueError(
                f"statistics: expected columns from 0 on, got those from {self.start} on; merge what "
                "comes before with it"
            )
        rest: NDArray[np.float64] | None = None
        if len(self._behind):
            rest = _exact_sums(self._behind.values[None], self._behind.counted[None])
        for _, (_, node) in sorted(self._first.items()):
            rest = node if rest is None else _pair(node, rest)
        if rest is None:
            return CellStatistics(np.zeros(self.cells, np.float32), *_missing(self.cells))
        with np.errstate(invalid="ignore", divide="ignore", over="ignore"):
            count = rest[0, _COUNTING]
            return CellStatistics(
                rest[0, _LARGEST].astype(np.float32),
                (rest[0, _MAGNITUDE] / count).astype(np.float32),
                (rest[0, _SPREAD] / count).astype(np.float32),
            )

    @property
    def state(self) -> dict[str, NDArray[Any]]:
        """All that it has taken in, as arrays: what `resumed` goes on from."""
        halves = [
            (kind, level, run, node)
            for kind, nodes in enumerate((self._second, self._first))
            for level, (run, node) in nodes.items()
        ]
        waiting = [runs.values for runs in self._waiting]
        return {
            "extent": np.array([self.cells, self.start, self.stop]),
            "before": self._before.values,
            "before_counted": self._before.counted,
            "behind": self._behind.values,
            "behind_counted": self._behind.counted,
            "half_places": np.array([place for *place, _ in halves], np.int64).reshape(-1, 3),
            "halves": np.concatenate(
                [np.zeros((0, _ROWS, self.cells)), *(node for *_, node in halves)]
            ),
            "waiting_places": np.array(
                [(runs.level, runs.start, len(runs.values)) for runs in self._waiting], np.int64
            ).reshape(-1, 3),
            "waiting": np.concatenate([np.zeros((0, 3, self.cells), np.float32), *waiting]),
        }

    def __copy__(self) -> Accumulator:
        """Keep all that it has taken in up to here. No array that it holds ever changes."""
        made = Accumulator.__new__(Accumulator)
        grow = {
            "_second": {**self._second},
            "_first": {**self._first},
            "_waiting": [*self._waiting],
        }
        vars(made).update(vars(self) | grow)
        return made

    @classmethod
    def resumed(cls, state: Mapping[str, NDArray[Any]], *, compiled: bool = False) -> Accumulator:
        """
        Make one that goes on where another stood.

        Parameters
        ----------
        state : mapping of str to array
            What its `state` was.
        compiled : bool, default False
            As for a new one.

        Returns
        -------
        Accumulator
        """
        cells, start, stop = map(int, state["extent"])
        made = cls(cells, start, compiled=compiled)
        made.stop = stop
        made._before = _Stretch(state["before"], state["before_counted"])
        made._behind = _Stretch(state["behind"], state["behind_counted"])
        for at, (kind, level, run) in enumerate(state["half_places"].tolist()):
            nodes = (made._second, made._first)[kind]
            nodes[level] = (run, state["halves"][at : at + 1])
        done = 0
        for level, first, count in state["waiting_places"].tolist():
            values = state["waiting"][done : done + count]
            made._waiting.append(LevelRuns(level, first, values))
            done += count
        return made


def _part(
    values: NDArray[np.float32], counted: NDArray[np.bool_] | None, start: int, stop: int
) -> tuple[NDArray[np.float32], NDArray[np.bool_] | None]:
    return values[start:stop], None if counted is None else counted[start:stop]


def _missing(cells: int) -> list[NDArray[np.float32]]:
    return [np.full(cells, np.nan, np.float32) for _ in range(2)]


@dataclass(frozen=True)
class KeptLevels:
    """
    What is summed up once of a signal, whether it was written beside it or is kept in memory.

    On a disk these are arrays beside the signal, whose names `level_path` and `statistics_path` give.

    Parameters
    ----------
    levels : mapping of int to array (run, 3, cell)
        Float32: the lowest, the highest and the mean of each whole run of a level. Those that there are.
    statistics : CellStatistics
        Of all its cells.
    """

    levels: Mapping[int, Rows | _SideBySide | NDArray[np.float32]]
    statistics: CellStatistics


class _SideBySide:
    """Runs of the cells of one direction of a layer, and those of the other behind them."""

    def __init__(self, parts: Sequence[Rows | _SideBySide | NDArray[np.float32]]) -> None:
        self._parts = parts

    def __len__(self) -> int:
        return min(map(len, self._parts))

    def __getitem__(self, runs: slice) -> NDArray[np.float32]:
        return np.concatenate([part[runs] for part in self._parts], axis=2)


def written_levels(signals: Sequence[xr.DataArray]) -> KeptLevels | None:
    """
    Give what was summed up of a signal while it was written to a disk.

    Parameters
    ----------
    signals : sequence of xarray.DataArray
        A layer's signal, or that of both its directions.

    Returns
    -------
    KeptLevels or None
        None if it wasn't, or if these aren't whole signals as they stand on the disk.
    """
    kept = [_written(signal) for signal in signals]
    known = [each for each in kept if each is not None]
    if len(known) < len(kept):
        return None
    if len(known) == 1:
        return known[0]
    common = set.intersection(*(set(each.levels) for each in known))
    return KeptLevels(
        {level: _SideBySide([each.levels[level] for each in known]) for level in common},
        CellStatistics(
            *(
                np.concatenate([getattr(each.statistics, one.name) for each in known])
                for one in fields(CellStatistics)
            )
        ),
    )


def _written(signal: xr.DataArray) -> KeptLevels | None:
    if in_memory(signal):
        return None
    # What isn't in memory comes from a file, or from two.
    from lstm_widgets.recording.store.stored import stored  # noqa: PLC0415 - needs Zarr

    array = stored(signal)
    if array is None:
        return None
    name = array.path.rpartition("/")[2]
    statistics = array.beside.get(statistics_path(name))
    if statistics is None:
        return None
    begin = level_path(name, 0)[:-1]
    levels = {
        int(path.removeprefix(begin)): Rows(runs, axes=1)
        for path, runs in array.beside.items()
        if path.startswith(begin)
    }
    return KeptLevels(levels, CellStatistics(*np.asarray(statistics)))


def level_path(signal: str, level: int) -> str:
    """
    Say where the runs of a level stand beside a signal: float32 (run, 3, cell).

    Examples
    --------
    >>> level_path("hidden_state", 6)
    'levels/hidden_state/6'
    """
    return f"levels/{signal}/{level}"


def statistics_path(signal: str) -> str:
    """
    Say where the `CellStatistics` of a signal stand beside it: float32 (3, cell), in their order.

    Examples
    --------
    >>> statistics_path("hidden_state")
    'statistics/hidden_state/cells'
    """
    return f"statistics/{signal}/cells"


class OneCell:
    """
    What is read by a function, as the only cell of a signal; `Levels` takes it.

    Parameters
    ----------
    read : callable
        From one column to another, ``(column,)``.
    count : int
        How many columns there are.
    """

    in_memory = False
    block = 1 << 16

    def __init__(self, read: Callable[[int, int], NDArray[Any]], count: int) -> None:
        self._read, self.shape = read, (count, 1)

    def __len__(self) -> int:
        return self.shape[0]

    def __getitem__(self, columns: slice) -> NDArray[np.float32]:
        start, stop, _ = columns.indices(len(self))
        return np.asarray(self._read(start, stop), np.float32)[:, None]


class Levels:
    """
    One signal of one layer, summed up at any zoom.

    Parameters
    ----------
    values : float32 array (example, timestep, cell), xarray.DataArray, xarray.Variable or OneCell
        Kept as it is, without a copy if it is contiguous; examples are laid end to end, as columns. What
        is on a disk stays there.
    mask : bool array (example, timestep), optional
        False marks padding, which counts in no statistic.
    kept : KeptLevels, optional
        What was summed up of it already. Default: all values are read for that once.

    Examples
    --------
    >>> import numpy as np
    >>> levels = Levels(np.arange(8, dtype=np.float32).reshape(1, 8, 1))
    >>> levels.at(2, 0, 2).highest.tolist()
    [[3.0], [7.0]]
    """

    def __init__(
        self,
        values: NDArray[np.float32] | xr.DataArray | xr.Variable | OneCell,
        mask: NDArray[np.bool_] | xr.DataArray | xr.Variable | None = None,
        kept: KeptLevels | None = None,
    ) -> None:
        self._rows = values if isinstance(values, OneCell) else Rows(values)
        self._mask = None if mask is None else Rows(mask)
        self.columns, self.cells = self._rows.shape
        self._given = kept

    def read(
        self, start: int, stop: int, cells: int | slice | NDArray[np.intp] = slice(None)
    ) -> NDArray[np.float32]:
        """
        Read the values of some columns.

        Parameters
        ----------
        start, stop : int
            Columns: ``example * timesteps + timestep``.
        cells : int, slice or int array, optional

        Returns
        -------
        float32 array (column, cell), or (column,) of one cell
        """
        values: NDArray[np.float32] = self._rows[start:stop][:, cells]
        return values

    @cached_property
    def kept(self) -> KeptLevels:
        """The levels and the statistics: given, or made in one pass."""
        if self._given is not None:
            return self._given
        whole = Accumulator(self.cells)
        found: dict[int, list[NDArray[np.float32]]] = {}
        step = max(1, self.columns if self._rows.in_memory else self._rows.block)
        starts: Iterable[int] = range(0, self.columns, step)
        if self.columns > _LONG * step:
            from tqdm.auto import tqdm  # noqa: PLC0415 - slow to load, and seldom needed

            starts = tqdm(starts, "summing up", unit="block", leave=False)
        for start in starts:
            rows = slice(start, start + step)
            mask = None if self._mask is None else self._mask[rows]
            for runs in whole._add(self._rows[rows], mask, mapped):  # noqa: SLF001
                found.setdefault(runs.level, []).append(runs.values)
        levels = {level: np.concatenate(runs) for level, runs in found.items()}
        return KeptLevels(levels, whole.statistics)

    @property
    def statistics(self) -> CellStatistics:
        """The statistics of every cell."""
        return self.kept.statistics

    def at(
        self, level: int, start: int, stop: int, cells: slice | NDArray[np.intp] = slice(None)
    ) -> Pooled:
        """
        Give runs ``start`` to ``stop`` of a level, from the values or from what is already pooled.

        Parameters
        ----------
        level : int
            A run is ``2**level`` columns.
        start, stop : int
        cells : slice or int array, optional

        Returns
        -------
        Pooled
        """
        first, last = (min(run << level, self.columns) for run in (start, stop))
        kept = self._finest(level)
        if kept is None or first == last:
            return pool(self.read(first, last, cells), 1 << level)
        fine = self._runs(kept, first >> kept, -(-last >> kept), cells)
        if kept == level:
            return fine
        return _pool(fine, 1 << (level - kept), 1 << kept, last - first)

    def _finest(self, level: int) -> int | None:
        """Find the coarsest of the levels that are kept, up to one; None: values are as near."""
        if level < BASE_LEVEL:
            return None
        return max((kept for kept in self.kept.levels if kept <= level), default=None)

    def _runs(self, level: int, start: int, stop: int, cells: slice | NDArray[np.intp]) -> Pooled:
        """Give runs of a level that is kept; what isn't whole at the end is made of a finer one."""
        kept = self.kept.levels[level]
        there = min(len(kept), self.columns >> level)
        values = kept[start : min(stop, there)][:, :, cells]
        parts = [Pooled(*values.transpose(1, 0, 2))]
        if stop > there:
            begin, end = max(start, there), min(stop << level, self.columns)
            finer = self._finest(level - 1)
            if finer is None:
                parts.append(pool(self.read(begin << level, end, cells), 1 << level))
            else:
                step = level - finer
                fine = self._runs(finer, begin << step, -(-end >> finer), cells)
                parts.append(_pool(fine, 1 << step, 1 << finer, end - (begin << level)))
        if len(parts) == 1:
            return parts[0]
        return Pooled(*map(np.concatenate, zip(*parts, strict=True)))

    def similarity(self, cell: int) -> NDArray[np.float32]:
        """
        Correlate every cell with one.

        Parameters
        ----------
        cell : int

        Returns
        -------
        float32 array (cell,)
            Pearson's correlation over all timesteps that aren't padding; NaN for a cell that never
            changes. Of more than `SIMILAR_VALUES` values, over stretches that are spread evenly over
            them, about as many together.
        """
        total = np.zeros((3, self.cells))
        count = 0
        shift: NDArray[np.float64] | None = None
        for start, stop in self._spread():
            distance = self._counted(start, stop)
            if shift is None and len(distance):
                # Sums of raw squares would lose the variance of a cell that hovers about 5 ± 0.001.
                shift = np.where(np.isfinite(distance[0]), distance[0], 0)
            distance -= 0 if shift is None else shift
            count += len(distance)
            total[0] += distance.sum(axis=0)
            total[1] += np.einsum("tc,tc->c", distance, distance)
            total[2] += distance[:, cell] @ distance
        with np.errstate(invalid="ignore", divide="ignore"):
            mean, square, product = total / count
            covariance = product - mean * mean[cell]
            deviation = np.sqrt(np.maximum(square - mean**2, 0))
            correlation = covariance / (deviation * deviation[cell])
        clipped: NDArray[np.float32] = np.clip(correlation, -1, 1).astype(np.float32)
        return clipped

    def _spread(self) -> list[tuple[int, int]]:
        """Choose blocks of columns: all, or as many as are soon read, evenly spread."""
        step = max(1, min(self._rows.block, CACHED // max(1, self.cells)))
        starts: Sequence[int] = range(0, self.columns, step)
        if self.columns * self.cells > SIMILAR_VALUES:
            count = max(1, SIMILAR_VALUES // (step * max(1, self.cells)))
            starts = [starts[k * len(starts) // count] for k in range(count)]
        return [(start, min(start + step, self.columns)) for start in starts]

    def _counted(self, start: int, stop: int) -> NDArray[np.float64]:
        """Give the values of some columns, without padding, in the precision that sums need."""
        rows = self._rows[start:stop]
        if self._mask is not None:
            rows = rows[self._mask[start:stop]]
        return rows.astype(np.float64)
