"""What cells do in a block of timesteps, and what comes of many blocks: moments, pairs and runs."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    import numpy.typing as npt

    from lstm_widgets.recording.blockwise import Block

    Floats = npt.NDArray[np.floating[Any]]
    Flags = npt.NDArray[np.bool_]
    Counts = npt.NDArray[np.integer[Any]]

__all__ = ["Screened", "screened"]

# A run's length and its cell are one number: the cell in the bits from here on.
_CELL = 40
_LENGTH = (1 << _CELL) - 1
# How many numbers of runs are kept before equal ones are put together.
_RUNS = 1 << 20


@dataclass(frozen=True)
class _Gate:
    """How often a gate is near its ends, and its sum; everything ``(cell,)``."""

    unknown: Flags
    left: Counts
    right: Counts
    total: Floats


@dataclass(frozen=True)
class _Summary:
    """What a block of timesteps says; everything but runs by cell.

    Attributes
    ----------
    n, pairs : int
        How many timesteps aren't padding, and how many of these follow one of the same example.
    center : float64 array (cell,)
        What is taken from all values before they are summed up.
    sums : float64 array (4, cell)
        Of their powers.
    paired : float64 array (5, cell)
        Of the first of each pair, the second, their squares and their product.
    ends : float array (2, cell)
        The first value and the last one.
    head, tail : int array (cell,)
        How long a cell is on at the beginning, and at the end.
    runs, counts : int array
        Which runs there are between them, and how often.
    """

    n: int
    gates: dict[str, _Gate]
    unknown: Flags
    low: Floats
    high: Floats
    on: Counts
    center: Floats
    sums: Floats
    pairs: int
    paired: Floats
    ends: Floats
    head: Counts
    tail: Counts
    runs: Counts
    counts: Counts


def screened(
    signal: str, gates: Sequence[str], threshold: float, saturation: float, block: Block
) -> _Summary | None:
    """Summarize a block; None if all of it is padding.

    Parameters
    ----------
    signal : str
        What is measured.
    gates : sequence of str
        Those that may be saturated.
    threshold, saturation : float
        As for ``screen_cells``.
    block : Block
        The block.
    """
    mask = block.mask()
    n = int(np.count_nonzero(mask))
    if not n:
        return None
    values, unknown = _known(block.read(signal)[mask])
    first = np.zeros(mask.shape, np.bool_)
    rows = np.flatnonzero(mask.any(axis=1))
    first[rows, np.argmax(mask[rows], axis=1)] = True
    later = ~first[mask][1:]
    center = values.mean(axis=0, dtype=np.float64)
    away = values - center
    squares = away * away
    one, other = away[:-1][later], away[1:][later]
    on = np.abs(values) >= threshold
    head, tail, runs, counts = _runs(on, later)
    return _Summary(
        n=n,
        gates={gate: _gate(block.read(gate)[mask], saturation) for gate in gates},
        unknown=unknown,
        low=values.min(axis=0),
        high=values.max(axis=0),
        on=np.count_nonzero(on, axis=0),
        center=center,
        sums=np.stack(
            [
                away.sum(axis=0),
                squares.sum(axis=0),
                _products(squares, away),
                _products(squares, squares),
            ]
        ),
        pairs=len(one),
        paired=np.stack(
            [
                one.sum(axis=0),
                other.sum(axis=0),
                _products(one, one),
                _products(other, other),
                _products(one, other),
            ]
        ),
        ends=values[[0, -1]],
        head=head,
        tail=tail,
        runs=runs,
        counts=counts,
    )


def _products(one: Floats, other: Floats) -> Floats:
    products: Floats = np.einsum("nc,nc->c", one, other)
    return products


def _known(values: Floats) -> tuple[Floats, Flags]:
    """Tell which cells have values that aren't finite, and take 0 for these."""
    known = np.isfinite(values)
    unknown = ~known.all(axis=0)
    if unknown.any():
        values = np.where(known, values, np.float32(0))
    return values, np.asarray(unknown)


def _gate(values: Floats, saturation: float) -> _Gate:
    values, unknown = _known(values)
    return _Gate(
        unknown,
        np.count_nonzero(values < saturation, axis=0),
        np.count_nonzero(values > 1 - saturation, axis=0),
        values.sum(axis=0, dtype=np.float64),
    )


def _runs(on: Flags, later: Flags) -> tuple[Counts, Counts, Counts, Counts]:
    """Find the runs ``(n, cell)`` in which cells are on, which end with their example."""
    n, cells = on.shape
    begins, ends = on.copy(), on.copy()
    begins[1:] &= ~on[:-1] | ~later[:, None]
    ends[:-1] &= ~on[1:] | ~later[:, None]
    cell, start = np.nonzero(begins.T)
    stop = np.nonzero(ends.T)[1] + 1
    lengths = stop - start
    head, tail = np.zeros((2, cells), np.int64)
    head[cell[start == 0]] = lengths[start == 0]
    tail[cell[stop == n]] = lengths[stop == n]
    inner = (start > 0) & (stop < n)
    runs, counts = np.unique((cell[inner] << _CELL) | lengths[inner], return_counts=True)
    return head, tail, runs, counts


class _Runs:
    """How often there is a run of which length, of each cell."""

    def __init__(self, cells: int) -> None:
        self._cells = np.arange(cells, dtype=np.int64)
        self._found: list[tuple[Counts, Counts]] = []
        self._open = np.zeros(cells, np.int64)

    def add(self, summary: _Summary, *, joined: bool) -> None:
        """Take in a block, whose first timestep may go on where the last block ended."""
        if not joined:
            self.close()
        whole = summary.head == summary.n
        begun = self._open + summary.head
        self._keep(np.where(whole, 0, begun))
        self._open = np.where(whole, begun, summary.tail)
        self._found.append((summary.runs, summary.counts))
        if sum(len(runs) for runs, _ in self._found) > _RUNS:
            self._found = [self._together()]

    def close(self) -> None:
        """End with the example."""
        self._keep(self._open)
        self._open = np.zeros_like(self._open)

    def medians(self) -> Floats:
        """Give the median length of each cell's runs; NaN without any."""
        self.close()
        runs, counts = self._together()
        cell, lengths = runs >> _CELL, runs & _LENGTH
        edges = np.searchsorted(cell, np.arange(len(self._cells) + 1))
        medians = np.full(len(self._cells), np.nan)
        for one in self._cells.tolist():
            own = slice(int(edges[one]), int(edges[one + 1]))
            upto = np.cumsum(counts[own])
            if len(upto):
                middle = np.array([(upto[-1] - 1) // 2, upto[-1] // 2])
                medians[one] = lengths[own][np.searchsorted(upto, middle, side="right")].mean()
        return medians

    def _keep(self, lengths: Counts) -> None:
        there = lengths > 0
        runs = (self._cells[there] << _CELL) | lengths[there]
        self._found.append((runs, np.ones(len(runs), np.int64)))

    def _together(self) -> tuple[Counts, Counts]:
        runs = np.concatenate([np.zeros(0, np.int64), *(one for one, _ in self._found)])
        counts = np.concatenate([np.zeros(0, np.int64), *(many for _, many in self._found)])
        every, place = np.unique(runs, return_inverse=True)
        total = np.zeros(len(every), np.int64)
        np.add.at(total, place, counts)
        return every, total


@dataclass(frozen=True)
class Screened:
    """What all blocks of a layer say; everything by cell.

    Attributes
    ----------
    n, pairs : int
        How many timesteps aren't padding, and how many follow one of the same example.
    gates : dict of str to tuple
        Of each gate, which cells have values that aren't finite, the share of timesteps at which it is
        at its lower and at its upper end, and its mean.
    known : bool array (cell,)
        Whether all values are finite.
    low, high, on : array (cell,)
        The smallest value, the largest, and the share of timesteps at which it is on.
    moments : float64 array (3, cell)
        The second to fourth central moment.
    persistence, median_run : float64 array (cell,)
        As of ``screen_cells``.
    """

    n: int
    pairs: int
    gates: dict[str, tuple[Flags, Floats, Floats, Floats]]
    known: Flags
    low: Floats
    high: Floats
    on: Floats
    moments: Floats
    persistence: Floats
    median_run: Floats

    @classmethod
    def of(cls, cells: int, summaries: Iterable[tuple[bool, _Summary | None]]) -> Screened | None:
        """Put blocks together, in their order; None without any timestep.

        Parameters
        ----------
        cells : int
            How many there are.
        summaries : iterable of tuple
            Of each block whether it begins an example, and what it says.
        """
        found: list[_Summary] = []
        runs, edges = _Runs(cells), []
        within = False
        for begins, summary in summaries:
            within = within and not begins
            if summary is None:
                continue
            if within:
                edges.append((found[-1].ends[1], summary.ends[0]))
            runs.add(summary, joined=within)
            nothing = summary.runs[:0]
            found.append(replace(summary, runs=nothing, counts=nothing))
            within = True
        if not found:
            return None
        n = sum(one.n for one in found)
        mean = sum(one.center * one.n + one.sums[0] for one in found) / n
        moments = sum(_moved(one, one.center - mean) for one in found) / n
        pairs = sum(one.pairs for one in found) + len(edges)
        squares = np.zeros((3, cells))
        for one in found:
            squares += _paired(one, one.center - mean)
        for before, after in edges:
            a, b = before - mean, after - mean
            squares += np.stack([a * a, b * b, a * b])
        low = np.minimum.reduce([one.low for one in found])
        high = np.maximum.reduce([one.high for one in found])
        with np.errstate(divide="ignore", invalid="ignore"):
            persistence = squares[2] / np.sqrt(squares[0] * squares[1])
        return cls(
            n=n,
            pairs=pairs,
            gates={gate: _gates([one.gates[gate] for one in found], n) for gate in found[0].gates},
            known=~np.logical_or.reduce([one.unknown for one in found]),
            low=low,
            high=high,
            on=np.sum([one.on for one in found], axis=0) / n,
            moments=np.asarray(moments),
            persistence=np.where(low == high, np.nan, persistence),
            median_run=runs.medians(),
        )


def _gates(found: list[_Gate], n: int) -> tuple[Flags, Floats, Floats, Floats]:
    unknown = np.logical_or.reduce([one.unknown for one in found])
    left, right, total = (
        sum(getattr(one, name) for one in found) / n for name in ("left", "right", "total")
    )
    return unknown, left, right, total


def _moved(one: _Summary, by: Floats) -> Floats:
    """Sum up powers of the values around another center."""
    first, second, third, fourth = one.sums
    return np.stack(
        [
            second + 2 * by * first + one.n * by**2,
            third + 3 * by * second + 3 * by**2 * first + one.n * by**3,
            fourth + 4 * by * third + 6 * by**2 * second + 4 * by**3 * first + one.n * by**4,
        ]
    )


def _paired(one: _Summary, by: Floats) -> Floats:
    """Sum up squares and products of pairs around another center."""
    first, second, squares, others, products = one.paired
    rest = one.pairs * by**2
    return np.stack(
        [
            squares + 2 * by * first + rest,
            others + 2 * by * second + rest,
            products + by * (first + second) + rest,
        ]
    )
