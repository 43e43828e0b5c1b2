"""Spans of tokens over which the same cells are on.

A cell is *on* where its |value| reaches the threshold, with the sign that it has in the span that
was selected. The cells that are chosen are on all through that span and off just outside. Which
other spans have many of them on together is then read off the counts of chosen cells that are on:
a maximal stretch of timesteps with at least n of them is a candidate, for every n. This is the
search of *LSTMVis* (Strobelt et al. 2018, arXiv:1606.07461), with signs, over all of the recording,
and within examples only.

Nothing here reads more than a block of the recording at a time. Of the chosen cells one bit a
timestep is kept.
"""

from __future__ import annotations

import functools
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np

from lstm_widgets.checks import expect_whole
from lstm_widgets.tokens.words import spelling_of

if TYPE_CHECKING:
    from collections.abc import Sequence

    import numpy.typing as npt
    import pandas as pd
    import xarray as xr

    from lstm_widgets.recording import Recording

    Flags = npt.NDArray[np.bool_]
    Places = npt.NDArray[np.intp]
    Values = npt.NDArray[np.float32]

__all__ = ["match"]

COLUMNS = ("example", "start", "stop", "overlap", "shared", "cells_on", "text", "label")

# Values that are read at a time.
_BLOCK_VALUES = 1 << 22
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
        A layer of the recording, or both directions of one. Default: the first.
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

    dataset = recording[recording.layers[0] if layer is None else layer]
    known = [str(name) for name in dataset.data_vars if name != "mask"]
    if signal not in known:
        raise ValueError(f"signal: expected one of {', '.join(map(repr, known))}, got {signal!r}")
    example = expect_whole("example", example, 0, dataset.sizes["example"] - 1)
    start, stop = _expect_span(span, dataset.sizes["timestep"])
    if not 0 < threshold < np.inf:
        raise ValueError(f"threshold: expected a positive finite number, got {threshold!r}")
    limit = expect_whole("limit", limit, 0)
    rows = _Rows(dataset[signal], dataset.get("mask"))
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

    def __init__(self, signal: xr.DataArray, mask: xr.DataArray | None) -> None:
        self.examples, self.timesteps, self.cells = signal.shape
        self.count = self.examples * self.timesteps
        #: How many rows are read at a time.
        self.block = max(1, _BLOCK_VALUES // max(1, self.cells))
        self._signal = signal
        self._held = (0, np.empty((0, self.cells), np.float32))
        if isinstance(signal.variable._data, np.ndarray):  # noqa: SLF001  (`.data` would read it)
            self._held = (0, signal.to_numpy().reshape(self.count, self.cells))
        self._real = np.ones(self.count, np.bool_)
        if mask is not None:
            self._real = mask.to_numpy().reshape(-1)

    def read(self, start: int, stop: int) -> Values:
        """Read some rows ``(row, cell)``; those read last are at hand."""
        first, values = self._held
        if not first <= start <= stop <= first + len(values):
            parts = []
            for example in range(start // self.timesteps, -(-stop // self.timesteps)):
                before = example * self.timesteps
                these = slice(max(0, start - before), min(stop - before, self.timesteps))
                parts.append(self._signal[example, these].to_numpy())
            first, values = start, np.concatenate(parts)
            self._held = (first, values)
        return values[start - first : stop - first]

    def real(self, rows: slice | Places) -> Flags:
        """Tell which rows aren't padding."""
        return self._real[rows]

    def beside(self, runs: Places, distance: int) -> Places:
        """Find the row so far before (negative) or behind each stretch, -1 where there is none."""
        end = runs[:, 0] if distance < 0 else runs[:, 1] - 1
        rows = end + distance
        return np.where(rows // self.timesteps == end // self.timesteps, rows, -1)


@dataclass
class _Found:
    """Spans, the best first: first row and that behind the last; cells shared; all cells on."""

    runs: list[tuple[int, int]] = field(default_factory=list)
    shared: list[int] = field(default_factory=list)
    cells_on: list[int] = field(default_factory=list)


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

    def cells_of(self, run: Places) -> tuple[Places, Places]:
        """List the cells that are on all through a stretch and off just outside; their signs."""
        bits = self._bits_of(run[None])[0]
        positive, negative = np.unpackbits(bits, axis=1)[:, : self._rows.cells].astype(np.intp)
        cells = np.flatnonzero(positive | negative)
        return cells, (positive - negative)[cells]

    def cells_that_mostly(self, run: Places, share: float) -> tuple[Places, Places]:
        """List the cells that are on at most of a stretch, but for its ends, and off outside."""
        start, stop = run.tolist()
        ends = min(self._slack, (stop - start - 1) // 2)
        marks = self._share_on(start + ends, stop - ends) >= share
        for distance in self._distances:
            rows = self._rows.beside(run[None], distance)
            if rows[0] >= 0:
                marks &= ~self._on(rows)[0]
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
            on += self._on(np.arange(first, min(first + self._rows.block, stop))).sum(axis=0)
        return on / max(1, stop - start)

    def _on(self, rows: Places) -> Flags:
        """Tell which cells are on at some rows near each other: ``(row, 2, cell)``, above and below."""
        return np.unpackbits(self._bits_at(rows), axis=2)[..., : self._rows.cells].astype(np.bool_)

    def best(self, cells: Places, signs: Places, selected: Places, limit: int) -> _Found:
        """Find the best stretches for some cells, besides the selected one.

        A candidate for n shares at most n cells. So once those for n are there, all that share
        n or more are, and those that share exactly n come next.
        """
        found = _Found()
        if not len(cells) or not limit:
            return found
        on = self._chosen_bits(cells, signs)
        counts = np.bitwise_count(on).sum(axis=1, dtype=np.int32)
        least = min(2, int(selected[1] - selected[0]))
        taken = np.zeros(len(on), np.bool_)
        taken[slice(*selected)] = True
        waiting, shared = np.empty((0, 2), np.intp), np.empty(0, np.intp)
        for n in range(len(cells), 0, -1):
            runs = self._stretches(counts, n, least)
            waiting = np.concatenate([waiting, runs])
            shared = np.concatenate([shared, self._count_shared(on, runs)])
            self._take(waiting[shared == n], n, taken, found, limit)
            if len(found.runs) == limit:
                break
            waiting, shared = waiting[shared < n], shared[shared < n]
        return found

    def _take(self, runs: Places, shared: int, taken: Flags, found: _Found, limit: int) -> None:
        """Add those that share so many cells, the best first, but none that overlap."""
        counts = self._count_on(runs)
        for k in np.lexsort([runs[:, 0], runs[:, 0] - runs[:, 1], counts]):
            start, stop = runs[k].tolist()
            if len(found.runs) == limit:
                return
            if not taken[start:stop].any():
                taken[start:stop] = True
                found.runs.append((start, stop))
                found.shared.append(shared)
                found.cells_on.append(int(counts[k]))

    # The chosen cells, at every row ---------------------------------------------------------------

    def _chosen_bits(self, cells: Places, signs: Places) -> npt.NDArray[np.uint8]:
        """Tell which of the chosen cells are on at each row, eight a byte; and one empty row."""
        rows = self._rows
        on = np.zeros((rows.count + 1, -(-len(cells) // 8)), np.uint8)
        for start in range(0, rows.count, rows.block):
            block = slice(start, min(start + rows.block, rows.count))
            values = rows.read(block.start, block.stop)[:, cells] * signs.astype(np.float32)
            on[block] = np.packbits(values >= self._threshold, axis=1)
            on[block][~rows.real(block)] = 0
        return on

    def _stretches(self, counts: npt.NDArray[np.int32], n: int, least: int) -> Places:
        """List the longest stretches with at least n cells on at each row, somewhere just n."""
        examples, timesteps = self._rows.examples, self._rows.timesteps
        enough = np.zeros((examples, timesteps + 2), np.bool_)  # none goes on in the next example
        enough[:, 1:-1] = (counts[:-1] >= n).reshape(examples, timesteps)
        flat = enough.ravel()
        edges = np.flatnonzero(flat[1:] != flat[:-1]).reshape(-1, 2)
        runs: Places = edges - 2 * (edges[:, :1] // (timesteps + 2))
        runs = runs[runs[:, 1] - runs[:, 0] >= least]
        if not len(runs):
            return runs
        just = np.minimum.reduceat(counts, runs.ravel())[::2] == n
        return np.compress(just, runs, axis=0)

    def _count_shared(self, on: npt.NDArray[np.uint8], runs: Places) -> Places:
        """Count the chosen cells that are on all through each stretch and off just outside."""
        if not len(runs):
            return np.empty(0, np.intp)
        bits = np.bitwise_and.reduceat(on, runs.ravel(), axis=0)[::2]
        for distance in self._distances:
            bits &= ~on[self._rows.beside(runs, distance)]  # -1 is the empty row
        counts: Places = np.bitwise_count(bits).sum(axis=1, dtype=np.intp)
        return counts

    # All cells, at some rows ----------------------------------------------------------------------

    def _count_on(self, runs: Places) -> Places:
        """Count all cells that are on all through each stretch and off just outside."""
        counts = np.empty(len(runs), np.intp)
        order = np.argsort(runs[:, 0], kind="stable")
        first = 0
        while first < len(order):
            # As many as lie in one block; one alone may be longer.
            far = runs[order[first:], 1] - runs[order[first], 0] > self._rows.block
            last = first + max(1, int(far.argmax()) if far.any() else len(far))
            these = order[first:last]
            counts[these] = np.bitwise_count(self._bits_of(runs[these])).sum(axis=(1, 2))
            first = last
        return counts

    def _bits_of(self, runs: Places) -> npt.NDArray[np.uint8]:
        """Tell which cells are on all through each stretch and off just outside.

        Returns
        -------
        numpy.ndarray
            ``(stretch, 2, bytes)``: the bits of the cells that are positive, and those of the
            negative ones.
        """
        low, high = int(runs[:, 0].min()), int(runs[:, 1].max())
        if len(runs) > 1:
            before, behind = min(0, *self._distances, 0), max(0, *self._distances, 0)
            self._rows.read(max(0, low + before), min(high + behind, self._rows.count))
            lengths = runs[:, 1] - runs[:, 0]
            starts = np.cumsum(lengths) - lengths
            inside = np.arange(lengths.sum()) + np.repeat(runs[:, 0] - starts, lengths)
            bits = np.bitwise_and.reduceat(self._bits_at(inside), starts, axis=0)
        else:
            pieces = (
                np.bitwise_and.reduce(self._bits_at(np.arange(k, min(k + self._rows.block, high))))
                for k in range(low, high, self._rows.block)
            )
            bits = functools.reduce(np.bitwise_and, pieces)[None]
        for distance in self._distances:
            rows = self._rows.beside(runs, distance)
            known = np.flatnonzero(rows >= 0)
            bits[known] &= ~self._bits_at(rows[known])
        return bits

    def _bits_at(self, rows: Places) -> npt.NDArray[np.uint8]:
        """Tell which cells are on at some rows near each other."""
        if not len(rows):
            return np.empty((0, 2, -(-self._rows.cells // 8)), np.uint8)
        low = int(rows.min())
        values = self._rows.read(low, int(rows.max()) + 1)[rows - low]
        both = (values >= self._threshold, values <= -self._threshold)
        bits = np.stack([np.packbits(on, axis=1) for on in both], axis=1)
        bits[~self._rows.real(rows)] = 0
        return bits


def _columns(dataset: xr.Dataset, found: _Found, chosen: int) -> dict[str, Any]:
    """Make the table's columns."""
    timesteps = dataset.sizes["timestep"]
    runs = np.array(found.runs, np.int64).reshape(-1, 2)
    shared, cells_on = np.array(found.shared, np.int64), np.array(found.cells_on, np.int64)
    example = runs[:, 0] // max(1, timesteps)
    start, stop = (runs - timesteps * example[:, None]).T
    texts: list[str | None] = [None] * len(runs)
    if "token" in dataset.coords and len(runs):
        tokens = dataset["token"].to_numpy()
        spelling = spelling_of(dataset)
        texts = [
            spelling.join(tokens[e, a:b].tolist())
            for e, a, b in zip(example, start, stop, strict=True)
        ]
    labels: list[str | None] = [None] * len(runs)
    if "label" in dataset.coords:
        labels = dataset["label"].to_numpy()[example].tolist()
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
