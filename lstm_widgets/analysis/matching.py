"""Spans of tokens over which the same cells are on.

A cell is *on* where its |value| reaches the threshold, with the sign that it has in the span that
was selected. The cells that are chosen are on all through that span and off just outside. Which
other spans have many of them on together is then read off the counts of chosen cells that are on:
a maximal stretch of timesteps with at least n of them is a candidate, for every n. This is the
search of *LSTMVis* (Strobelt et al. 2018, arXiv:1606.07461), with signs, over all of the recording,
and within examples only.

Nothing here reads more than a block of the recording at a time. Of the chosen cells one bit a
timestep is kept. The recording is read twice: for these bits, and to count all cells that are on in
the candidates that may be among the best. Of these, no more are kept than are asked for.
"""

from __future__ import annotations

import functools
from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, overload

import numpy as np

from lstm_widgets.checks import expect_whole
from lstm_widgets.recording.blockwise import Block, blocks_of, blockwise
from lstm_widgets.recording.expecting import expect_recording, usual_layer
from lstm_widgets.tokens.words import spelling_of

if TYPE_CHECKING:
    from collections.abc import Iterator

    import numpy.typing as npt
    import pandas as pd
    import xarray as xr

    from lstm_widgets.recording import Recording

    Flags = npt.NDArray[np.bool_]
    Places = npt.NDArray[np.intp]
    Values = npt.NDArray[np.float32]
    Bits = npt.NDArray[np.uint8]

__all__ = ["match"]

COLUMNS = ("example", "start", "stop", "overlap", "shared", "cells_on", "text", "label")

# Values that are read at a time.
_BLOCK_VALUES = 1 << 22
# In the bits of the chosen cells, so many blocks are searched at a time, but not more rows.
_TOGETHER, _ROWS = 16, 1 << 18
# What is let go of where no cell marks a span, a little more each time: how many timesteps at each
# end are not looked at, and at how many of the others a cell has to be on.
_RELAXED = ((1, 1.0), (2, 1.0), (3, 1.0), (3, 0.9), (3, 0.75))
# At last: the cells that are on in the span more often than beside it, by this much at the least.
_BEST, _MORE = 5, 0.15


def match(
    recording: Recording,
    span: Sequence[int],
    *,
    layer: str | None = None,
    signal: str = "hidden_state",
    example: int = 0,
    threshold: float = 0.3,
    context: Sequence[int] = (1, 1),
    relax: bool = False,
    limit: int = 50,
) -> pd.DataFrame:
    """Find the cells that mark a span of tokens, and the other spans that they mark.

    The chosen cells have ``|value| >= threshold`` with the same sign at every timestep of the span,
    and not at the timesteps just outside. A candidate is a maximal run of timesteps of one example at
    which at least n of them are on with their signs, for any n; it has at least two timesteps (one,
    if the span has one). It is compared with all cells that are on with the same sign all through it
    and off just outside, which include the chosen cells that it shares.

    Parameters
    ----------
    recording : Recording
        The recording.
    span : tuple of int
        ``(start, stop)``, timesteps, ``stop`` excluded.
    layer : str, optional
        A layer of the recording, or both directions of one. Default: the first that has the signal.
    signal : str, default "hidden_state"
        One of the layer's signals.
    example : int, default 0
        The example of the span.
    threshold : float, default 0.3
        The magnitude of activation from which a cell counts as on, above 0.
    context : tuple of int, default (1, 1)
        At how many timesteps before and after a span its cells have to be off. Beyond the ends of an
        example, and at padding and NaN, a cell is off.
    relax : bool, default False
        Whether the cells that mark the span best are chosen if none marks it that strictly.
        Conditions are dropped in this order until some cells are left: those on the one, two, three
        timesteps at each side of either end of the span (there a cell may be on or off); then those
        on a tenth and a quarter of the other timesteps in the span; at last the five cells are chosen
        that are on most often in it, compared with as many timesteps on either side, by a share of
        0.15 or more.
    limit : int, default 50
        The maximum number of spans listed.

    Returns
    -------
    pandas.DataFrame
        One row for each span, the best first: those that share the most of the chosen cells, then
        those with the fewest cells on, then the longest, then in the order of the text. Spans that
        overlap a better one or the selected one are left out, and so are those that share no cell.
        Columns: ``example``, ``start``, ``stop`` (int); ``overlap``, the Jaccard index of the cells on
        in both spans; ``shared`` and ``cells_on``, the numbers of chosen cells and of all cells that
        are on (int); ``text``, the tokens, and ``label``, the example's, None where not recorded.
        ``attrs`` has the chosen ``cells`` and their ``signs`` (1 or -1), as lists; and with ``relax``
        what was dropped, in words, as ``relaxed``: "" if nothing was.

    Raises
    ------
    ValueError
        If an argument doesn't fit the recording.
    LayerNotFoundError
        If the recording has no such layer.

    References
    ----------
    Strobelt, Gehrmann, Pfister and Rush 2018, *LSTMVis: A Tool for Visual Analysis of Hidden State
    Dynamics in Recurrent Neural Networks*, arXiv:1606.07461.

    Examples
    --------
    >>> found = lw.match(recording, (9, 19), limit=2)
    >>> found.attrs["cells"], found["text"].tolist()
    ([1], ['"well then', '"well then'])
    """
    import pandas as pd  # noqa: PLC0415  (`import lstm_widgets` must not need it)

    expect_recording("recording", recording)
    dataset = recording[usual_layer(recording, signal) if layer is None else layer]
    known = [str(name) for name in dataset.data_vars if name != "mask"]
    if signal not in known:
        raise ValueError(f"signal: expected one of {', '.join(map(repr, known))}, got {signal!r}")
    example = expect_whole("example", example, 0, dataset.sizes["example"] - 1)
    start, stop = _expect_span(span, dataset.sizes["timestep"])
    if not 0 < threshold < np.inf:
        raise ValueError(f"threshold: expected a positive finite number, got {threshold!r}")
    limit = expect_whole("limit", limit, 0)
    rows = _Rows(dataset, signal)
    sides = _expect_pair("context", context, "(left, right)")
    search = _Search(rows, float(threshold), sides)
    selected = example * rows.timesteps + np.array([start, stop])
    cells, signs = search.cells_of(selected)
    relaxed = ""
    for slack, share in _RELAXED if relax and not len(cells) else ():
        search = _Search(rows, float(threshold), sides, slack)
        cells, signs = search.cells_that_mostly(selected, share)
        if len(cells):
            relaxed = _told(slack, share)
            break
    else:
        if relax and not len(cells):
            cells, signs = search.cells_rather_than_beside(selected)
            relaxed = _RATHER if len(cells) else ""
    found = search.best(cells, signs, selected, limit)
    table = pd.DataFrame(_columns(dataset, found, len(cells)), columns=[*COLUMNS])
    table.attrs |= {"cells": cells.tolist(), "signs": signs.tolist()}
    if relax:
        table.attrs["relaxed"] = relaxed
    return table


_RATHER = "they are on in the span more often than beside it"


def _told(slack: int, share: float) -> str:
    """Say what was let go of."""
    told = f"within {slack} timestep{'s' * (slack != 1)} of either end of the span they may be on or off"
    return (
        told if share == 1 else f"{told}, and they are on at {share:.0%} of the rest of it or more"
    )


class _Rows:
    """One signal, its examples one after the other: row ``example * timesteps + timestep``."""

    def __init__(self, layer: xr.Dataset, signal: str) -> None:
        self.examples, self.timesteps, self.cells = layer[signal].shape
        self.count = self.examples * self.timesteps
        #: How many rows are read at a time.
        self.block = max(1, _BLOCK_VALUES // max(1, self.cells))
        self.layer, self.signal = layer, signal

    @property
    def blocks(self) -> list[Block]:
        """All of it in blocks."""
        return blocks_of(self.layer, _BLOCK_VALUES)

    def bits(self, start: int, stop: int, threshold: np.float32) -> Bits:
        """Tell which cells are on at some rows near each other: as `_bits` does."""
        parts = [np.empty((0, 2, -(-self.cells // 8)), np.uint8)]
        for example in range(start // self.timesteps, -(-stop // self.timesteps)):
            before = example * self.timesteps
            these = slice(max(0, start - before), min(stop - before, self.timesteps))
            block = Block(self.layer, slice(example, example + 1), these)
            values, real = block.read(self.signal)[0], block.mask()[0]
            parts.append(_bits(values, real, threshold))
        return np.concatenate(parts)


def _bits(values: Values, real: Flags, threshold: np.float32) -> Bits:
    """Tell which cells are on, eight a byte.

    Parameters
    ----------
    values, real : float32 array (row, cell), bool array (row,)
        The values, and which rows are no padding.
    threshold : float32
        From which on they are on.

    Returns
    -------
    uint8 array (row, 2, bytes)
        The bits of the cells that are positive, and those of the negative ones.
    """
    both = (values >= threshold, values <= -threshold)
    bits = np.stack([np.packbits(on, axis=1) for on in both], axis=1)
    bits[~real] = 0
    return bits


def _beside(runs: Places, distance: int, timesteps: int) -> Places:
    """Find the row so far before (negative) or behind each stretch, -1 where there is none."""
    end = runs[:, 0] if distance < 0 else runs[:, 1] - 1
    rows = end + distance
    return np.where(rows // timesteps == end // timesteps, rows, -1)


@dataclass(frozen=True, order=True)
class _Span:
    """A stretch that was found; the least is the best."""

    less_shared: int
    """How many of the chosen cells it shares, negative."""
    cells_on: int
    less_long: int
    """How many rows it has, negative."""
    start: int
    stop: int


@dataclass
class _Candidates:
    """The candidates of some rows, at whose ends no chosen cell is on."""

    low: int
    high: int
    runs: Places
    shared: Places
    counts: Places = field(init=False)
    """How many cells are on in each."""
    parts: dict[int, tuple[Bits, Bits]] = field(default_factory=dict)
    """Of those that lie in several blocks: cells on in what was read of them, and on beside them."""

    def __post_init__(self) -> None:
        self.counts = np.zeros(len(self.runs), np.intp)
        self._known = np.zeros(len(self.runs), np.bool_)

    def near(self, columns: slice, before: int, behind: int) -> Places:
        """List those that some rows are part of, or so near to."""
        starts, stops = self.runs.T
        return np.flatnonzero((starts - before < columns.stop) & (stops + behind > columns.start))

    def count(self, which: Places, on: Bits, beside: Bits, *, whole: Flags) -> None:
        """Take in which cells are on in, and beside, some of them, as far as a block has them."""
        self.counts[which[whole]] = _counted(on[whole] & ~beside[whole])
        self._known[which[whole]] = True
        for k in np.flatnonzero(~self._known[which]):
            number, one, other = int(which[k]), on[k], beside[k]
            if number in self.parts:
                before = self.parts[number]
                one, other = before[0] & one, before[1] | other
            self.parts[number] = one, other
            self.counts[number] = _counted((one & ~other)[None])[0]

    def best(self, taken: tuple[int, int], limit: int, worst: _Span | None) -> list[_Span]:
        """Choose the best that overlap neither each other nor what is taken."""
        starts, stops = self.runs.T
        length = stops - starts
        kept: list[_Span] = []
        used = np.zeros(self.high - self.low, np.bool_)
        used[max(0, taken[0] - self.low) : max(0, taken[1] - self.low)] = True
        for k in np.lexsort([starts, -length, self.counts, -self.shared]).tolist():
            start, stop = self.runs[k].tolist()
            span = _Span(-int(self.shared[k]), int(self.counts[k]), start - stop, start, stop)
            if len(kept) == limit or (worst is not None and worst < span):
                break
            here = slice(start - self.low, stop - self.low)
            if not used[here].any():
                used[here] = True
                kept.append(span)
        return kept


def _counted(bits: Bits) -> Places:
    """Count the cells of each row ``(row, 2, bytes)``."""
    return np.asarray(np.bitwise_count(bits).sum(axis=(1, 2)), np.intp)


@dataclass(frozen=True)
class _Asked(Block):
    """A block, and the candidates that have something to do with it."""

    first: int
    """Its first row."""
    runs: Places = field(repr=False)

    @classmethod
    def of(cls, block: Block, runs: Places) -> _Asked:
        """Ask for something of a block."""
        return cls(block.layer, block.examples, block.timesteps, block.columns.start, runs)

    @property
    def rows(self) -> slice:
        """Where it is, also where it was sent to."""
        return slice(self.first, self.first + self.columns.stop - self.columns.start)

    def __reduce__(self) -> tuple[Any, ...]:
        here = Block(self.layer, self.examples, self.timesteps)
        return _sent, (here, self.first, self.runs)


def _sent(block: Block, first: int, runs: Places) -> _Asked:
    return _Asked(block.layer, block.examples, block.timesteps, first, runs)


def _chosen_bits(
    block: Block, *, signal: str, cells: Places, signs: Places, threshold: np.float32
) -> Bits:
    """Tell which of the chosen cells are on at each row of a block, eight a byte."""
    values = block.read(signal)
    chosen = values.reshape(-1, values.shape[2])[:, cells] * signs.astype(np.float32)
    on = np.packbits(chosen >= threshold, axis=1)
    on[~block.mask().reshape(-1)] = 0
    return on


def _on_in_runs(
    block: Block, *, signal: str, threshold: np.float32, distances: Sequence[int], timesteps: int
) -> tuple[Bits, Bits, Flags]:
    """Tell which cells are on all through each candidate, and beside it, as far as a block has it.

    Returns
    -------
    on, beside : uint8 array (stretch, 2, bytes)
        Which cells are on at all of its rows, and on at any of those at which they should be off.
    whole : bool array (stretch,)
        Whether all these rows are in the block.
    """
    assert isinstance(block, _Asked)  # noqa: S101
    runs, first, last = block.runs, block.rows.start, block.rows.stop
    cells = block.layer.sizes["cell"]
    on = np.full((len(runs), 2, -(-cells // 8)), 0xFF, np.uint8)
    beside = np.zeros_like(on)
    if not len(runs):
        return on, beside, np.zeros(0, np.bool_)
    here = runs.clip(first, last) - first
    sides = [_beside(runs, distance, timesteps) for distance in distances]
    inside = [np.flatnonzero((rows >= first) & (rows < last)) for rows in sides]
    # Only rows that are asked for are looked at.
    change = np.zeros(last - first + 1, np.int32)
    np.add.at(change, here[:, 0], 1)
    np.add.at(change, here[:, 1], -1)
    asked = np.cumsum(change[:-1]) > 0
    for rows, which in zip(sides, inside, strict=True):
        asked[rows[which] - first] = True
    place = np.append(0, np.cumsum(asked))
    values = block.read(signal).reshape(-1, cells)
    bits = _bits(values[asked], block.mask().reshape(-1)[asked], threshold)
    bits = np.concatenate([bits, bits[:1]])  # so that a stretch may end behind the last
    some = np.flatnonzero(here[:, 1] > here[:, 0])
    if len(some):
        on[some] = np.bitwise_and.reduceat(bits, place[here[some]].ravel(), axis=0)[::2]
    whole = (runs[:, 0] >= first) & (runs[:, 1] <= last)
    for rows, which in zip(sides, inside, strict=True):
        beside[which] |= bits[place[rows[which] - first]]
        whole &= (rows < 0) | ((rows >= first) & (rows < last))
    return on, beside, whole


class _Counting(Sequence[_Asked]):
    """The blocks, each with the candidates in it, which are made when their block is read."""

    def __init__(
        self, blocks: list[Block], candidates: Iterator[_Candidates], before: int, behind: int
    ) -> None:
        self._blocks, self._candidates = blocks, candidates
        self._before, self._behind = before, behind
        self._asked: deque[list[tuple[_Candidates, Places]]] = deque()
        self._open: deque[_Candidates] = deque()

    def __len__(self) -> int:
        return len(self._blocks)

    @overload
    def __getitem__(self, index: int) -> _Asked: ...
    @overload
    def __getitem__(self, index: slice) -> Sequence[_Asked]: ...
    def __getitem__(self, index: int | slice) -> _Asked | Sequence[_Asked]:
        raise NotImplementedError("they come one after the other")

    def __iter__(self) -> Iterator[_Asked]:
        coming = next(self._candidates, None)
        near: list[_Candidates] = []
        for block in self._blocks:
            columns = block.columns
            while coming is not None and coming.low - self._before < columns.stop:
                near.append(coming)
                self._open.append(coming)
                coming = next(self._candidates, None)
            near = [some for some in near if some.high + self._behind > columns.start]
            asked = [(some, some.near(columns, self._before, self._behind)) for some in near]
            self._asked.append(asked)
            runs = np.concatenate(
                [np.empty((0, 2), np.intp), *(some.runs[which] for some, which in asked)]
            )
            yield _Asked.of(block, runs)

    def take(self, found: tuple[Bits, Bits, Flags], columns: slice) -> Iterator[_Candidates]:
        """Take in what was found in the next block; give the candidates that are counted now."""
        done = 0
        for some, which in self._asked.popleft():
            here = slice(done, done + len(which))
            some.count(which, found[0][here], found[1][here], whole=found[2][here])
            done = here.stop
        last = columns.stop == self._blocks[-1].columns.stop
        while self._open and (last or self._open[0].high + self._behind <= columns.stop):
            yield self._open.popleft()


class _Search:
    """What is searched for, and in what."""

    def __init__(
        self, rows: _Rows, threshold: float, context: tuple[int, int], slack: int = 0
    ) -> None:
        self._rows = rows
        self._threshold = np.float32(threshold)
        self._slack = slack
        before, behind = context
        # Where cells have to be off: so far before the first timestep, or behind the last.
        self._distances = (
            *range(-before - slack, -slack),
            *range(slack + 1, slack + behind + 1),
        )

    # The chosen cells -----------------------------------------------------------------------------

    def cells_of(self, run: Places) -> tuple[Places, Places]:
        """List the cells that are on all through a stretch and off just outside; their signs."""
        start, stop = run.tolist()
        pieces = (
            np.bitwise_and.reduce(self._bits_at(k, min(k + self._rows.block, stop)))
            for k in range(start, stop, self._rows.block)
        )
        bits = functools.reduce(np.bitwise_and, pieces)
        for distance in self._distances:
            (row,) = _beside(run[None], distance, self._rows.timesteps).tolist()
            if row >= 0:
                bits &= ~self._bits_at(row, row + 1)[0]
        positive, negative = np.unpackbits(bits, axis=1)[:, : self._rows.cells].astype(np.intp)
        cells = np.flatnonzero(positive | negative)
        return cells, (positive - negative)[cells]

    def cells_that_mostly(self, run: Places, share: float) -> tuple[Places, Places]:
        """List the cells that are on at most of a stretch, but for its ends, and off outside."""
        start, stop = run.tolist()
        ends = min(self._slack, (stop - start - 1) // 2)
        marks = self._share_on(start + ends, stop - ends) >= share
        for distance in self._distances:
            (row,) = _beside(run[None], distance, self._rows.timesteps).tolist()
            if row >= 0:
                marks &= ~self._on(row, row + 1)[0]
        marks &= marks[0] != marks[1]  # not with one sign and the other, half of it each
        cells = np.flatnonzero(marks[0] | marks[1])
        return cells, np.where(marks[0], 1, -1)[cells]

    def cells_rather_than_beside(self, run: Places) -> tuple[Places, Places]:
        """List the few cells that are on in a stretch more often than beside it."""
        start, stop = run.tolist()
        width = max(stop - start, 10)
        first = start - start % self._rows.timesteps  # of the example
        last = first + self._rows.timesteps
        sides = ((max(first, start - width), start), (stop, min(last, stop + width)))
        near = sum(b - a for a, b in sides)
        beside = sum(self._share_on(a, b) * (b - a) for a, b in sides) / max(1, near)
        more = self._share_on(start, stop) - beside
        cells = np.sort(np.argsort(-more.max(axis=0), kind="stable")[:_BEST])
        cells = cells[more.max(axis=0)[cells] >= _MORE]
        return cells, np.where(more[0] >= more[1], 1, -1)[cells]

    def _share_on(self, start: int, stop: int) -> npt.NDArray[np.float64]:
        """Tell at which share of some rows each cell is on, above and below: ``(2, cell)``."""
        on = np.zeros((2, self._rows.cells))
        for first in range(start, stop, self._rows.block):
            on += self._on(first, min(first + self._rows.block, stop)).sum(axis=0)
        return on / max(1, stop - start)

    def _on(self, start: int, stop: int) -> Flags:
        """Tell which cells are on at some rows: ``(row, 2, cell)``, above and below."""
        bits = self._bits_at(start, stop)
        return np.unpackbits(bits, axis=2)[..., : self._rows.cells].astype(np.bool_)

    def _bits_at(self, start: int, stop: int) -> Bits:
        return self._rows.bits(start, stop, self._threshold)

    # Other stretches ------------------------------------------------------------------------------

    def best(self, cells: Places, signs: Places, selected: Places, limit: int) -> list[_Span]:
        """Find the best stretches for some cells, besides the selected one.

        Candidates overlap only where at no row between them all chosen cells are off. So the best
        are chosen separately of the rows from one such place to the next, and put together.
        """
        if not len(cells) or not limit:
            return []
        rows = self._rows
        taken = int(selected[0]), int(selected[1])
        least = min(2, taken[1] - taken[0])
        on = self._chosen_bits(cells, signs)
        fewest = self._fewest(on, least, taken, limit)
        counting = _Counting(
            rows.blocks,
            (self._candidates(on, low, high, least, fewest) for low, high in self._apart(on)),
            -min(0, *self._distances, 0),
            max(0, *self._distances, 0),
        )
        found = functools.partial(
            _on_in_runs,
            signal=rows.signal,
            threshold=self._threshold,
            distances=self._distances,
            timesteps=rows.timesteps,
        )
        best: list[_Span] = []
        blocks = blockwise(found, counting, desc="comparing spans")
        for block, each in zip(rows.blocks, blocks, strict=True):
            for some in counting.take(each, block.columns):
                worst = best[-1] if len(best) == limit else None
                best = sorted(best + some.best(taken, limit, worst))[:limit]
        return best

    def _chosen_bits(self, cells: Places, signs: Places) -> Bits:
        """Tell which of the chosen cells are on at each row, eight a byte; and one empty row."""
        rows = self._rows
        on = np.zeros((rows.count + 1, -(-len(cells) // 8)), np.uint8)
        found = functools.partial(
            _chosen_bits, signal=rows.signal, cells=cells, signs=signs, threshold=self._threshold
        )
        blocks = rows.blocks
        for block, bits in zip(
            blocks, blockwise(found, blocks, desc="looking for spans"), strict=True
        ):
            on[block.columns] = bits
        return on

    def _apart(self, on: Bits) -> Iterator[tuple[int, int]]:
        """Cut rows where no chosen cell is on, or where an example ends."""
        count, timesteps = self._rows.count, self._rows.timesteps
        wanted = min(self._rows.block * _TOGETHER, _ROWS)
        low = 0
        while low < count:
            high = min(low + wanted, count)
            while high < count and high % timesteps:
                ahead = min(high + wanted, count, (high // timesteps + 1) * timesteps)
                off = ~on[high:ahead].any(axis=1)
                if off.any():
                    high += int(off.argmax())
                    break
                high = ahead
            yield low, high
            low = high

    def _candidates(self, on: Bits, low: int, high: int, least: int, fewest: int) -> _Candidates:
        """List the candidates of some rows that share so many cells, or more.

        One for n shares at most n cells.
        """
        counts = np.bitwise_count(on[low : high + 1]).sum(axis=1, dtype=np.int32)
        counts[-1] = 0
        there = np.flatnonzero(np.bincount(counts))
        runs = [np.empty((0, 2), np.intp)]
        runs += [self._stretches(counts, int(n), low, least) for n in there if n >= max(1, fewest)]
        every = np.concatenate(runs)
        shared = self._count_shared(on, every)
        kept = shared >= max(1, fewest)
        return _Candidates(low, high, np.compress(kept, every, axis=0), shared[kept])

    def _fewest(self, on: Bits, least: int, taken: tuple[int, int], limit: int) -> int:
        """Tell how many cells the best share at least: as many share more as are asked for."""
        most = np.zeros(8 * on.shape[1] + 2, np.intp)
        for low, high in self._apart(on):
            some = self._candidates(on, low, high, least, 1)
            free = (some.runs[:, 1] <= taken[0]) | (some.runs[:, 0] >= taken[1])
            runs, shared = some.runs[free], some.shared[free]
            # Of those that may overlap, the one that shares most is among the best.
            starts = low + self._starts(np.asarray(on[low:high].any(axis=1)), low)
            together = np.searchsorted(starts, runs[:, 0], side="right")
            top = np.zeros(len(starts) + 1, np.intp)
            np.maximum.at(top, together, shared)
            most += np.bincount(top[top > 0], minlength=len(most))
        enough = np.flatnonzero(np.cumsum(most[::-1])[::-1] >= limit)
        return int(enough[-1]) if len(enough) else 1

    def _starts(self, there: Flags, low: int) -> Places:
        """List where stretches begin; none goes on in the next example."""
        begins = there.copy()
        begins[1:] &= ~there[:-1]
        first = slice(-low % self._rows.timesteps, None, self._rows.timesteps)
        begins[first] = there[first]
        return np.flatnonzero(begins)

    def _stretches(self, counts: npt.NDArray[np.int32], n: int, low: int, least: int) -> Places:
        """List the longest stretches with at least n cells on at each row, somewhere just n."""
        enough = counts[:-1] >= n
        starts = self._starts(enough, low)
        ends = enough.copy()
        ends[:-1] &= ~enough[1:]
        last = slice(-(low + 1) % self._rows.timesteps, None, self._rows.timesteps)
        ends[last] = enough[last]
        runs = np.stack([starts, np.flatnonzero(ends) + 1], axis=1)
        runs = runs[runs[:, 1] - runs[:, 0] >= least]
        if not len(runs):
            return runs
        just = np.minimum.reduceat(counts, runs.ravel())[::2] == n
        return np.compress(just, runs, axis=0) + low

    def _count_shared(self, on: Bits, runs: Places) -> Places:
        """Count the chosen cells that are on all through each stretch and off just outside."""
        if not len(runs):
            return np.empty(0, np.intp)
        low, high = int(runs[:, 0].min()), int(runs[:, 1].max())
        here = on[low : high + 1]  # the row behind them, so that one may end there
        bits = np.bitwise_and.reduceat(here, (runs - low).ravel(), axis=0)[::2]
        for distance in self._distances:
            bits &= ~on[_beside(runs, distance, self._rows.timesteps)]  # -1 is the empty row
        counts: Places = np.bitwise_count(bits).sum(axis=1, dtype=np.intp)
        return counts


def _columns(dataset: xr.Dataset, found: list[_Span], chosen: int) -> dict[str, Any]:
    """Make the table's columns."""
    timesteps = dataset.sizes["timestep"]
    rows = np.array([(-s.less_shared, s.cells_on, s.start, s.stop) for s in found], np.int64)
    shared, cells_on, first, last = rows.reshape(-1, 4).T
    example = first // max(1, timesteps)
    start, stop = first - timesteps * example, last - timesteps * example
    texts: list[str | None] = [None] * len(found)
    if "token" in dataset.coords:
        token, spelling = dataset["token"], spelling_of(dataset)
        texts = [
            spelling.join(token[e, a:b].to_numpy().tolist())
            for e, a, b in zip(example.tolist(), start.tolist(), stop.tolist(), strict=True)
        ]
    labels: list[str | None] = [None] * len(found)
    if "label" in dataset.coords:
        labels = dataset["label"][example].to_numpy().tolist()
    return {
        "example": example,
        "start": start,
        "stop": stop,
        "overlap": shared / (chosen + cells_on - shared),
        "shared": shared,
        "cells_on": cells_on,
        "text": np.array(texts, object),
        "label": np.array(labels, object),
    }


# What is asked ------------------------------------------------------------------------------------


def _expect_pair(argument: str, pair: Any, expected: str) -> tuple[int, int]:  # noqa: ANN401
    try:
        first, second = pair
    except (TypeError, ValueError):
        raise ValueError(f"{argument}: expected {expected}, got {pair!r:.80}") from None
    return expect_whole(argument, first, 0), expect_whole(argument, second, 0)


def _expect_span(span: Any, timesteps: int) -> tuple[int, int]:  # noqa: ANN401
    start, stop = _expect_pair("span", span, "(start, stop)")
    if not start < stop <= timesteps:
        raise ValueError(
            f"span: expected 0 <= start < stop <= {timesteps}, the timesteps; got {(start, stop)}"
        )
    return start, stop
