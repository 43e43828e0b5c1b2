"""Cells of one signal, ranked for all tracks of a long text, a block of timesteps at a time.

The layer is read a few times, each time all cells of a block, and never more than one block a worker:

1. how often each cell has which value, in bins (`value_bins`), until no bin has too much;
2. products of the mean ranks of bins with the tracks, at every lag and for every shifted track;
3. at the lag that was chosen, where the yes lie among the values, for threshold and F1; and how often a
   cell has which value where a track with holes has one;
4. if there are tracks with holes: products of ranks among those.

Each is a function from a block to sums, which are added up in the order of the blocks.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import partial
from typing import TYPE_CHECKING, Any

import numpy as np

from lstm_widgets.analysis import statistics
from lstm_widgets.analysis.ranked_cells import RankedCells
from lstm_widgets.analysis.ranked_long_tracks import stretches
from lstm_widgets.analysis.value_bins import FULL, Bins, coarse, keys_of, values_of
from lstm_widgets.recording.blockwise import blocks_of, blockwise

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    import numpy.typing as npt

    from lstm_widgets.analysis.ranked_long_tracks import Codes, LongText, LongTrack
    from lstm_widgets.analysis.split_and_shift import LongPart, Runs, Sources
    from lstm_widgets.recording import Recording
    from lstm_widgets.recording.blockwise import Block

    Floats = npt.NDArray[np.floating[Any]]
    Flags = npt.NDArray[np.bool_]
    Places = npt.NDArray[np.integer[Any]]
    Sums = dict[str, Any]

__all__ = ["RankedInBlocks"]

#: Values (timestep × cell) of a block.
BLOCK_VALUES = 1 << 24
# Timesteps of a block whose shifted tracks are made at a time.
_TIMESTEPS = 1 << 13
# Bins (lag × cell × bin) among which a lag is chosen for a track with holes, and how few those of a cell are.
_TALLIES = 1 << 20
_LEAST = 1 << 8


@dataclass(frozen=True)
class _Cells:
    """Cells of a signal, and where a block's timesteps stand among those that aren't padding."""

    signal: str
    cells: slice
    first: dict[int, int]
    finite: Flags

    def read(self, block: Block) -> tuple[int, Floats]:
        """Read the values of a block that aren't padding ``(cell, n)``, and where they begin."""
        values = block.read(self.signal, self.cells)
        mask = block.mask()
        flat = values.reshape(-1, values.shape[2]) if mask.all() else values[mask]
        x = np.ascontiguousarray(flat.T)
        x[~self.finite] = 0
        return self.first[block.columns.start], x


def _looked(cells: _Cells, halves: Sequence[LongPart], block: Block) -> Sums:
    """Count values roughly, add them up, and see which cells have some that aren't finite."""
    first, x = cells.read(block)
    finite = np.isfinite(x).all(axis=1)
    x[~finite] = 0
    counts, sums = [], []
    for half in halves:
        here = x[:, _within(half, first, x.shape[1])]
        counts.append(coarse(keys_of(here)).astype(np.uint32))
        sums.append(here.sum(axis=1, dtype=np.float64))
    return {
        "unknown": (~finite).astype(np.int64),
        "counts": np.stack(counts),
        "sums": np.stack(sums),
    }


def _counted(cells: _Cells, halves: Sequence[LongPart], bins: Bins, block: Block) -> Sums:
    """Count values in bins."""
    first, x = cells.read(block)
    keys = keys_of(x)
    return {
        "counts": np.stack(
            [bins.count(keys[:, _within(half, first, x.shape[1])]) for half in halves]
        )
    }


def _within(half: LongPart, first: int, count: int) -> slice | Places:
    """Tell which of a block's timesteps are of a half."""
    return _among(half.runs.among(first, first + count), first)


def _among(runs: Runs, first: int) -> slice | Places:
    if len(runs) == 1:
        start = int(runs.starts[0]) - first
        return slice(start, start + int(runs.counts[0]))
    return runs.places - first


@dataclass(frozen=True)
class _Multiplied:
    """Products of ranks with tracks, at every lag and for every shifted track."""

    cells: _Cells
    text: LongText
    bins: Bins
    ranks: npt.NDArray[np.float32]  # (half, bin)
    middle: Floats  # of the values of each cell, which is taken from them
    coarse: npt.NDArray[np.uint16]  # of each bin, for tracks with holes

    def __call__(self, block: Block) -> Sums:
        first, x = self.cells.read(block)
        sums = _nothing(len(x), self.text)
        starts = self.bins.offsets[:-1, None]
        text = self.text
        for which, half in enumerate(text.halves):
            for runs in stretches(half.runs.among(first, first + x.shape[1]), _TIMESTEPS):
                here = np.ascontiguousarray(x[:, _among(runs, first)])
                places = self.bins.place(keys_of(here)) + starts
                single = self.ranks[which][places]
                ranks = single.astype(np.float64)
                lagged = np.stack([self._lagged(track, which, runs) for track in text.tracks])
                sums["products"][which] += (ranks @ lagged.reshape(-1, runs.size).T).reshape(
                    len(x), *lagged.shape[:2]
                )
                self._tally(sums, which, places, lagged, runs)
                if which:
                    self._numbers(sums, here, runs)
                    drifts = text.drifts(runs)
                    sums["drifts"] += ranks @ drifts
                    sums["lagged_drifts"] += np.einsum("nd,kln->dkl", drifts, lagged, optimize=True)
                    self._null(sums, single, drifts, runs)
        return sums

    def _lagged(self, track: LongTrack, which: int, runs: Runs) -> Floats:
        rows = zip(track.tables[which], self.text.lags.tolist(), strict=True)
        return np.stack([table[track.codes.at(runs, lag)] for table, lag in rows])

    def _tally(self, sums: Sums, which: int, places: Places, lagged: Floats, runs: Runs) -> None:
        """Count values, roughly, where tracks with holes have one, and add up what they are there."""
        cells = len(places)
        most = _tallies(cells, self.text)
        rows = self.coarse[places] + np.arange(cells)[:, None] * most
        size = cells * most
        for k, track in enumerate(self.text.tracks):
            for n, lag in enumerate(self.text.lags.tolist() if track.holes else ()):
                there = np.flatnonzero(track.codes.at(runs, lag) != len(track.codes.values) - 1)
                own = rows[:, there].ravel()
                counts = np.bincount(own, minlength=size)
                weights = np.broadcast_to(lagged[k, n, there], (cells, len(there))).ravel()
                told = np.bincount(own, weights, minlength=size)
                sums[f"there {k}"][which, n] += counts.reshape(cells, -1).astype(np.uint32)
                sums[f"told {k}"][which, n] += told.reshape(cells, -1)

    def _numbers(self, sums: Sums, x: Floats, runs: Runs) -> None:
        """Add up what correlations are made of."""
        away = x - self.middle[:, None]
        sums["values"] += np.stack([away.sum(axis=1), (away**2).sum(axis=1)])
        for k, track in enumerate(self.text.tracks):
            if track.kind != "numeric":
                continue
            said = np.stack(
                [track.away[track.codes.at(runs, lag)] for lag in self.text.lags.tolist()]
            )
            there = ~np.isnan(said)
            sums[f"said {k}"] += away @ np.nan_to_num(said).T
            if track.holes:
                sums[f"held {k}"] += np.stack([away @ there.T, away**2 @ there.T])

    def _null(self, sums: Sums, ranks: Floats, drifts: Floats, runs: Runs) -> None:
        """Multiply with shifted tracks, most of which are moved in the same way."""
        sources: dict[str, list[Sources]] = {}
        drifts = drifts.astype(np.float32)
        for k, track in enumerate(self.text.tracks):
            if track.holes or not len(self.text.turns):
                continue
            if track.moved not in sources:
                move = getattr(self.text.held_out, track.moved)
                sources[track.moved] = [move(each, runs) for each in self.text.turns]
            moved = _moved(track.codes, track.moving, sources[track.moved], runs.size)
            sums["null"][:, k] += ranks @ moved.T
            squares = np.einsum("sn,sn->s", moved, moved, dtype=np.float64)
            sums["moved"][k] += np.stack([moved.sum(axis=1, dtype=np.float64), squares])
            sums["moved_drifts"][:, k] += drifts.T @ moved.T


def _moved(
    codes: Codes, table: Floats, sources: Sequence[Sources], count: int
) -> npt.NDArray[np.float32]:
    """Make shifted tracks ``(shift, n)``."""
    moved = np.empty((len(sources), count), np.float32)
    single = table.astype(np.float32)
    for row, each in zip(moved, sources, strict=True):
        np.take(single, codes.at(each), out=row, mode="clip")
    return moved


def _tallies(cells: int, text: LongText) -> int:
    """Tell among how many bins of a cell a lag is chosen for a track with holes."""
    return min(1 << 12, max(_LEAST, _TALLIES // max(1, cells * len(text.lags))))


def _nothing(cells: int, text: LongText) -> Sums:
    """Begin to add up products, by cell, concept, lag or shift."""
    concepts, lags, shifts = len(text.tracks), len(text.lags), len(text.turns)
    slow, tallies = text.slow.shape[1], _tallies(cells, text)
    sums: Sums = {
        "products": np.zeros((2, cells, concepts, lags)),
        "null": np.zeros((cells, concepts, shifts)),
        "moved": np.zeros((concepts, 2, shifts)),
        "drifts": np.zeros((cells, slow)),
        "lagged_drifts": np.zeros((slow, concepts, lags)),
        "moved_drifts": np.zeros((slow, concepts, shifts)),
        "values": np.zeros((2, cells)),
    }
    for k, track in enumerate(text.tracks):
        if track.kind == "numeric":
            sums[f"said {k}"] = np.zeros((cells, lags))
        if track.holes:
            sums[f"held {k}"] = np.zeros((2, cells, lags))
            sums[f"there {k}"] = np.zeros((2, lags, cells, tallies), np.uint32)
            sums[f"told {k}"] = np.zeros((2, lags, cells, tallies))
    return sums


@dataclass(frozen=True)
class _Compared:
    """Where the yes lie among the values, and the values where there are no holes, at the lags chosen."""

    cells: _Cells
    text: LongText
    bins: Bins
    chosen: Places
    steps: npt.NDArray[np.uint16]  # of each bin, between which thresholds it lies
    most: int

    def __call__(self, block: Block) -> Sums:
        first, x = self.cells.read(block)
        text, cells = self.text, len(x)
        sums: Sums = {
            "yes": np.zeros((2, cells, len(text.tracks), self.most), np.uint32),
            "low": np.full((cells, self.most), 0xFFFFFFFF, np.uint32),
            "high": np.zeros((cells, self.most), np.uint32),
        }
        for k, track in enumerate(text.tracks):
            if track.holes:
                sums[f"there {k}"] = np.zeros((2, len(self.bins)), np.uint32)
        starts = self.bins.offsets[:-1, None]
        own = np.arange(cells)[:, None] * self.most
        for which, half in enumerate(text.halves):
            for runs in stretches(half.runs.among(first, first + x.shape[1]), _TIMESTEPS):
                keys = keys_of(np.ascontiguousarray(x[:, _among(runs, first)]))
                places = self.bins.place(keys) + starts
                steps = self.steps[places] + own
                if not which:
                    np.minimum.at(sums["low"].reshape(-1), steps, keys)
                    np.maximum.at(sums["high"].reshape(-1), steps, keys)
                for k, track in enumerate(text.tracks):
                    for n in np.unique(self.chosen[:, k]).tolist():
                        rows = np.flatnonzero(self.chosen[:, k] == n)
                        codes = track.codes.at(runs, int(text.lags[n]))
                        if track.kind == "yes_no":
                            yes = steps[np.ix_(rows, np.flatnonzero(codes))] - own[rows]
                            sums["yes"][which, rows, k] += _bincounts(yes, self.most)
                        elif track.holes:
                            there = np.flatnonzero(codes != len(track.codes.values) - 1)
                            at = places[np.ix_(rows, there)].ravel()
                            count = np.bincount(at, minlength=len(self.bins))
                            sums[f"there {k}"][which] += count.astype(np.uint32)
        return sums


def _bincounts(rows: Places, most: int) -> npt.NDArray[np.uint32]:
    """Count in each row."""
    flat = rows + np.arange(len(rows))[:, None] * most
    counts = np.bincount(flat.ravel(), minlength=len(rows) * most)
    return counts.reshape(len(rows), most).astype(np.uint32)


@dataclass(frozen=True)
class _Among:
    """A track with holes at a lag: the cells for which it was chosen, and what it is without them."""

    number: int
    lag: int
    rows: Places
    tables: tuple[Floats, Floats]  # of both halves
    known: LongPart | None  # where it can't be shifted
    codes: Codes


@dataclass(frozen=True)
class _MultipliedAmong:
    """Products of ranks where a track has a value with the track, and with the shifted one."""

    cells: _Cells
    text: LongText
    bins: Bins
    ranks: dict[int, npt.NDArray[np.float32]]  # of each such track, of both halves (half, bin)
    among: list[_Among]

    def __call__(self, block: Block) -> Sums:
        first, x = self.cells.read(block)
        shifts = len(self.text.turns)
        sums: Sums = {f"products {k}": np.zeros((2, len(x))) for k in self.ranks}
        sums |= {f"null {k}": np.zeros((len(x), shifts)) for k in self.ranks}
        starts = self.bins.offsets[:-1, None].astype(np.int32)
        for which, half in enumerate(self.text.halves):
            for runs in stretches(half.runs.among(first, first + x.shape[1]), _TIMESTEPS):
                keys = keys_of(np.ascontiguousarray(x[:, _among(runs, first)]))
                places = self.bins.place(keys) + starts
                for one in self.among:
                    track = self.text.tracks[one.number]
                    codes = track.codes.at(runs, one.lag)
                    there = np.flatnonzero(codes != len(track.codes.values) - 1)
                    ranks = self.ranks[one.number][which][places[np.ix_(one.rows, there)]]
                    products = ranks.astype(np.float64) @ one.tables[which][codes[there]]
                    sums[f"products {one.number}"][which, one.rows] += products
                    if which and one.known is not None and len(there):
                        null = ranks @ self._moved(one, one.known, track, runs).T
                        sums[f"null {one.number}"][one.rows] += null
        return sums

    def _moved(
        self, one: _Among, known: LongPart, track: LongTrack, runs: Runs
    ) -> npt.NDArray[np.float32]:
        ends = np.array([runs.starts[0], runs.starts[-1] + runs.counts[-1]]) - one.lag
        begin, end = track.codes.known_before(ends).tolist()
        own = known.runs.among(begin, end)
        sources = [known.shifted(each, own) for each in self.text.turns]
        return _moved(one.codes, one.tables[1][:-1], sources, own.size)


class RankedInBlocks(RankedCells):
    """Some cells of one signal of a long layer.

    Attributes
    ----------
    error : float
        By how much an AUROC or a correlation may differ from the exact one at most.
    """

    def __init__(
        self, text: LongText, recording: Recording, layer: str, signal: str, cells: range
    ) -> None:
        super().__init__((layer, signal, cells), text.tracks, text.reasons, text.lags, text.turns)
        dataset = recording[layer]
        dataset = dataset[[signal, *(["mask"] if "mask" in dataset else [])]]
        dataset = dataset.drop_vars(list(dataset.coords))
        self._blocks = blocks_of(dataset, BLOCK_VALUES)
        self._cells = _Cells(
            signal,
            slice(cells.start, cells.stop),
            _firsts(self._blocks, text.mask),
            np.ones(len(cells), np.bool_),
        )
        self._text = replace(text, mask=None)  # which isn't sent to workers
        self._n = [half.runs.size for half in text.halves]
        self._what = f"{layer} {signal}"
        self._count()
        self._multiply()
        self._error: Floats = np.zeros((len(cells), len(text.tracks)))

    @property
    def error(self) -> float:
        """By how much a score in the table may differ from the exact one at most."""
        return float(self._error[self._finite].max(initial=0))

    def _added(self, function: Callable[[Block], Sums], doing: str) -> Sums:
        """Add up what a function makes of each block."""
        total: Sums = {}
        for sums in blockwise(function, self._blocks, desc=f"{self._what}: {doing}"):
            for name, values in sums.items():
                if name not in total:
                    total[name] = values
                else:
                    add = {"low": np.minimum, "high": np.maximum}.get(name, np.add)
                    add(total[name], values, out=total[name])
        return total

    # Reading ---------------------------------------------------------------------------------------

    def _count(self) -> None:
        """Choose bins in which no bin has too much, and count."""
        halves = self._text.halves
        looked = self._added(partial(_looked, self._cells, halves), "looking at values")
        finite = looked["unknown"] == 0
        self._cells = replace(self._cells, finite=finite)
        looked["counts"][:, ~finite] = 0
        self._middle = np.where(finite, looked["sums"][1], 0) / self._n[1]
        bins = Bins.first(looked["counts"], FULL)
        while True:
            call = partial(_counted, self._cells, halves, bins)
            self._counts = self._added(call, "counting values")["counts"]
            if not bins.full(self._counts, FULL):
                break
            bins = bins.cut(self._counts, FULL)
        self._bins = bins

    def _multiply(self) -> None:
        ranks, self._squares = self._bins.ranks(self._counts)
        self._sums = self._added(
            _Multiplied(
                self._cells,
                self._text,
                self._bins,
                ranks,
                self._middle,
                self._coarse(),
            ),
            "comparing with tracks",
        )

    def _coarse(self) -> npt.NDArray[np.uint16]:
        """Put bins together to some that have about as much each, of both halves."""
        most = _tallies(self._bins.cells, self._text)
        coarse = np.empty(len(self._bins), np.uint16)
        for cell in range(self._bins.cells):
            counts = self._counts[:, self._bins.of_cell(cell)].sum(axis=0, dtype=np.float64)
            before = (np.cumsum(counts) - counts) / counts.sum()
            coarse[self._bins.of_cell(cell)] = np.minimum(before * most, most - 1)
        return coarse

    def _compare(self, chosen: Places) -> None:
        """Read at the lags that were chosen; see `_Compared`."""
        bins, n = self._bins, self._n[0]
        self._thresholds = []
        steps = np.zeros(len(bins), np.uint16)
        for cell in range(bins.cells):
            own = bins.of_cell(cell)
            one = _Thresholds.of(self._counts[:, own], n)
            self._thresholds.append(one)
            steps[own] = np.searchsorted(one.edges, np.arange(own.stop - own.start), side="right")
        most = 1 + max((len(one.edges) for one in self._thresholds), default=0)
        call = _Compared(self._cells, self._text, bins, chosen, steps, most)
        self._compared = self._added(call, "comparing at the best lag")
        self._where_known(chosen)

    def _where_known(self, chosen: Places) -> None:
        """Rank the values where tracks with holes have one, and score them."""
        text, bins, half = self._text, self._bins, self._text.held_out
        self._among: dict[int, _Ranked] = {}
        numbers = [k for k, track in enumerate(text.tracks) if track.holes]
        if not numbers:
            return
        # Windows that overlap have no part of known timesteps: see the tracks' reasons.
        apart = half.slots.size == half.everything.size and len(text.turns) > 0
        among, ranks, squares = [], {}, {}
        for k in numbers:
            track = text.tracks[k]
            ranks[k], squares[k] = bins.ranks(self._compared[f"there {k}"])
            codes = track.codes.without_holes()
            for n in np.unique(chosen[:, k]).tolist():
                rows, lag = np.flatnonzero(chosen[:, k] == n), int(text.lags[n])
                known = track.known_only(half, lag) if apart else None
                tables = track.tables[0][n], track.tables[1][n]
                among.append(_Among(k, lag, rows, tables, known, codes))
        call = _MultipliedAmong(self._cells, text, bins, ranks, among)
        sums = self._added(call, "comparing where there are values")
        for k in numbers:
            counts = self._compared[f"there {k}"]
            own = np.stack([text.tracks[k].squares(which)[chosen[:, k]] for which in (0, 1)])
            scores = _divided(sums[f"products {k}"], squares[k] * own)
            null = _divided(sums[f"null {k}"], (squares[k] * own)[1][:, None])
            self._among[k] = _Ranked(counts, scores, null)

    # What comes of it ------------------------------------------------------------------------------

    @property
    def _finite(self) -> Flags:
        return self._cells.finite

    @property
    def _still(self) -> Flags:
        return np.asarray(self._squares[1] == 0)

    def _scores(self, which: int) -> Floats:
        """Score cells on one of the halves at every lag: ``(cell, concept, lag)``."""
        scores: Floats = self._sums["products"][which].copy()
        for k, track in enumerate(self._text.tracks):
            if track.holes:
                scores[:, k] = self._roughly(which, k)
            elif track.kind == "yes_no":
                scores[:, k] *= _scale(track.yes(which), self._n[which])
            else:
                scores[:, k] = _divided(
                    scores[:, k], self._squares[which][:, None] * track.squares(which)
                )
        return scores

    def _roughly(self, which: int, k: int) -> Floats:
        """Score a track with holes at every lag, well enough to choose one."""
        there = self._sums[f"there {k}"][which].astype(np.float64)
        told = self._sums[f"told {k}"][which]
        ranks = np.cumsum(there, axis=2) - (there + 1) / 2
        ranks -= (there.sum(axis=2, keepdims=True) - 1) / 2
        squares = (there * ranks**2).sum(axis=2) * self._text.tracks[k].squares(which)[:, None]
        return np.asarray(_divided((ranks * told).sum(axis=2), squares).T)

    def _select(self) -> tuple[Places, Floats, Floats]:
        scores = self._scores(0)
        chosen = np.nan_to_num(np.abs(scores), nan=-1.0).argmax(axis=2)
        selected = _at(scores, chosen)
        self._compare(chosen)
        for k, among in self._among.items():
            selected[:, k] = among.scores[0]
        sign = np.where(selected < 0, -1, 1)
        threshold: Floats = np.full(selected.shape, np.nan, np.float32)
        self._f1: Floats = np.full(selected.shape, np.nan)
        low, high = (values_of(self._compared[name]) for name in ("low", "high"))
        for cell, one in enumerate(self._thresholds):
            for k, track in enumerate(self._text.tracks):
                if track.kind == "yes_no" and len(one.edges):
                    up = bool(sign[cell, k] > 0)
                    step, f1 = one.best(self._compared["yes"][:, cell, k], self._n, up=up)
                    threshold[cell, k] = low[cell, step + 1] if up else high[cell, step]
                    self._f1[cell, k] = f1
        self._error = self._errors(chosen)
        return chosen, selected, threshold

    def _held_out(self, chosen: Places) -> Floats:
        score = _at(self._scores(1), chosen)
        for k, among in self._among.items():
            score[:, k] = among.scores[1]
        return score

    def _rest(
        self, chosen: Places, sign: npt.NDArray[np.int8], threshold: Floats
    ) -> tuple[Floats, Floats, Floats]:
        del sign
        base_rate: Floats = np.full(chosen.shape, np.nan)
        pearson = base_rate.copy()
        for k, track in enumerate(self._text.tracks):
            if track.kind == "yes_no":
                base_rate[:, k] = track.yes(1)[chosen[:, k]] / self._n[1]
            else:
                rows = np.arange(len(chosen)), chosen[:, k]
                pearson[:, k] = self._pearson(k)[rows]
        return np.asarray(np.where(np.isnan(threshold), np.nan, self._f1)), base_rate, pearson

    def _pearson(self, k: int) -> Floats:
        """Correlate cells with numbers at every lag, held out: ``(cell, lag)``."""
        track = self._text.tracks[k]
        counts, values = track.counts[1], track.away
        n = track.known(1)
        one = counts @ np.nan_to_num(values)
        squares = counts @ np.nan_to_num(values) ** 2 - one**2 / np.maximum(n, 1)
        sums = self._sums["values"][:, :, None]
        if track.holes:
            sums = self._sums[f"held {k}"]
        both = self._sums[f"said {k}"] - sums[0] * one / np.maximum(n, 1)
        own = sums[1] - sums[0] ** 2 / np.maximum(n, 1)
        return _divided(both, own.clip(0) * squares.clip(0))

    def _null(self, chosen: Places, wanted: Flags) -> npt.NDArray[np.float32]:
        del chosen, wanted
        null = self._of_shifted(self._sums["null"], self._squares[1])
        for k, among in self._among.items():
            null[:, k] = among.null
        return null.astype(np.float32)

    def _of_shifted(self, products: Floats, squares: Floats) -> Floats:
        """Turn products with shifted tracks into scores: ``(cell, concept, shift)``."""
        null, n = products.copy(), self._n[1]
        for k, track in enumerate(self._text.tracks):
            sums, own = self._sums["moved"][k]
            if track.kind == "yes_no":
                null[:, k] *= _scale(sums, n)
            elif not track.holes:
                null[:, k] = _divided(null[:, k], squares[:, None] * (own - sums**2 / n).clip(0))
        return null

    def _quick(self, chosen: Places) -> tuple[Floats, Floats] | None:
        if not self._text.slow.shape[1]:
            return None
        drifts = self._sums["drifts"]
        slow = np.einsum("cd,dkl->ckl", drifts, self._sums["lagged_drifts"])
        products = _at(self._sums["products"][1] - slow, chosen)
        squares = (self._squares[1] - (drifts**2).sum(axis=1)).clip(0)
        for k, track in enumerate(self._text.tracks):
            if track.kind == "yes_no":
                products[:, k] *= _scale(track.yes(1), self._n[1])[chosen[:, k]]
            else:
                products[:, k] = _divided(products[:, k], squares * track.squares(1)[chosen[:, k]])
        moved = np.einsum("cd,dks->cks", drifts, self._sums["moved_drifts"])
        return products, self._of_shifted(self._sums["null"] - moved, squares)

    def _independent(self, chosen: Places) -> tuple[Floats, Floats, int]:
        n, variance = np.full((2, *chosen.shape), np.nan)
        for k, track in enumerate(self._text.tracks):
            count = track.known(1)[chosen[:, k]].astype(np.float64)
            n[:, k] = count
            if track.kind == "numeric":
                variance[:, k] = 1 / np.maximum(1, count - 1)
                continue
            yes = track.yes(1)[chosen[:, k]].astype(np.float64)
            pairs = yes * (count - yes) * count * np.maximum(1, count - 1)
            with np.errstate(divide="ignore", invalid="ignore"):
                variance[:, k] = np.where(pairs > 0, 4 * self._squares[1] / pairs, np.nan)
        return n, variance, int(self._text.held_out.lengths.sum())

    def shifted(self, lag: int) -> npt.NDArray[np.float32]:
        """Score the cells at one lag for shifted tracks: ``(cell, concept, shift)``."""
        (at,) = np.flatnonzero(self._lags == lag)
        chosen = np.full((self._bins.cells, len(self._tracks)), at)
        self._compare(chosen)
        return self._null(chosen, np.ones(len(self._tracks), np.bool_))

    def _errors(self, chosen: Places) -> Floats:
        r"""Bound the error of AUROCs and of Spearman's ρ ``(cell, concept)``, of both halves.

        Within a bin with a share :math:`p` of the yes and :math:`q` of the no, at most :math:`p q` pairs are
        judged wrongly, by one half each. For given shares m of a bin, the sum of all is largest if the yes
        are half of it; and not above the largest q, nor the largest p. Ranks of a bin are wrong by
        a vector d of length :math:`\sqrt{\sum m^3 / 12}`, which the correlation with any track may follow.
        """
        error = np.zeros(chosen.shape)
        for which, n in enumerate(self._n):
            largest, squares, _ = self._bins.loss(self._counts)
            for k, track in enumerate(self._text.tracks):
                if track.kind == "yes_no":
                    base = track.yes(which)[chosen[:, k]] / n
                    with np.errstate(divide="ignore", invalid="ignore"):
                        half = squares[which] / (4 * base * (1 - base))
                    one = np.fmin(half, largest[which] / np.maximum(base, 1 - base)) / 2
                else:
                    counts = self._among[k].counts if track.holes else self._counts
                    one = (
                        self._turned(counts[which : which + 1]) + track.turned(which)[chosen[:, k]]
                    )
                error[:, k] = np.maximum(error[:, k], one)
        return error

    def _turned(self, counts: npt.NDArray[np.integer[Any]]) -> Floats:
        """Bound what a correlation of ranks may be off ``(cell,)``."""
        cubes = self._bins.loss(counts)[2][0] / 12
        total = self._bins.sums(counts)[0]
        squares = self._bins.ranks(counts)[1][0]
        with np.errstate(divide="ignore", invalid="ignore"):
            off = np.sqrt(np.where(squares > 0, cubes * total**3 / squares, 0))
        return np.asarray(off + off**2 / 2)


@dataclass(frozen=True)
class _Thresholds:
    """Between which bins of a cell a threshold may lie, by its values in the half that selects.

    Attributes
    ----------
    edges : int array (edge,)
        Bins that begin above one.
    upward, downward : int array (threshold,)
        Of each threshold, which edge it is if what is above is yes, and if what is below is. (Between
        them is what only the other half has.)
    before : int array (half, edge)
        How many values are below each edge.
    """

    edges: Places
    upward: Places
    downward: Places
    before: npt.NDArray[np.int64]

    @classmethod
    def of(cls, counts: npt.NDArray[np.integer[Any]], n: int) -> _Thresholds:
        """Try bins as `statistics.best_threshold` tries values; ``counts`` are ``(half, bin)``."""
        upto = np.cumsum(counts, axis=1, dtype=np.int64)
        up = np.unique(np.searchsorted(upto[0], statistics.places_of(n), side="right"))
        up = up[upto[0, up] > counts[0, up]]  # one that all values pass tells nothing
        there = np.flatnonzero(counts[0])
        down = there[np.searchsorted(there, up) - 1] + 1
        edges = np.union1d(up, down)
        return cls(
            edges,
            np.searchsorted(edges, up),
            np.searchsorted(edges, down),
            upto[:, edges] - counts[:, edges],
        )

    def best(self, yes: Places, n: Sequence[int], *, up: bool) -> tuple[int, float]:
        """Choose the edge with the best F1 in the first half; tell which, and its F1 in the second.

        Parameters
        ----------
        yes : int array (half, edge + 1)
            How many timesteps with a yes are between edges.
        n : sequence of int
            How many timesteps there are, of each half.
        up : bool
            Whether what is above is yes.
        """
        among = self.upward if up else self.downward
        f1 = []
        for which, own in enumerate(yes[:, : len(self.edges) + 1]):
            below = np.cumsum(own)[:-1][among]
            before, total = self.before[which][among], int(own.sum())
            found, called = (total - below, n[which] - before) if up else (below, before)
            f1.append(2 * found / np.maximum(called + total, 1))
        best = int(f1[0].argmax())
        return int(among[best]), float(f1[1][best])


@dataclass(frozen=True)
class _Ranked:
    """Cells where a track with holes has a value, at the lag that was chosen; of both halves."""

    counts: npt.NDArray[np.integer[Any]]
    scores: Floats
    null: Floats


def _firsts(blocks: Sequence[Block], mask: Flags | None) -> dict[int, int]:
    """Count the timesteps without padding before each block."""
    if mask is None:
        return {block.columns.start: block.columns.start for block in blocks}
    flat = mask.reshape(-1)
    counts = [int(np.count_nonzero(flat[block.columns])) for block in blocks]
    firsts = np.cumsum([0, *counts]).tolist()
    return {block.columns.start: n for block, n in zip(blocks, firsts, strict=False)}


def _scale(yes: Floats | Places, n: int) -> Floats:
    """Return what makes 2·AUROC − 1 of the sum of ranks where a track says yes."""
    pairs = yes * (n - yes.astype(np.float64))
    return np.where(pairs > 0, 2 / np.where(pairs > 0, pairs, 1), np.nan)


def _divided(products: Floats, squares: Floats) -> Floats:
    with np.errstate(divide="ignore", invalid="ignore"):
        return np.asarray(products / np.sqrt(squares))


def _at(scores: Floats, chosen: Places) -> Floats:
    return np.asarray(np.take_along_axis(scores, chosen[:, :, None], axis=2)[:, :, 0])
