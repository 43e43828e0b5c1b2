"""A block of cells, ranked for all tracks of a text, all of whose timesteps are in memory."""

from __future__ import annotations

from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np

from lstm_widgets.analysis import blocks, statistics
from lstm_widgets.analysis.ranked_cells import RankedCells
from lstm_widgets.analysis.ranked_tracks import SHIFTED_VALUES, ranks_of

if TYPE_CHECKING:
    from collections.abc import Iterator

    import numpy.typing as npt

    from lstm_widgets.analysis.ranked_tracks import RankedText, RankedTrack
    from lstm_widgets.recording import Recording

    Floats = npt.NDArray[np.floating[Any]]
    Flags = npt.NDArray[np.bool_]
    Places = npt.NDArray[np.integer[Any]]

__all__ = ["RankedBlock"]


class RankedBlock(RankedCells):
    """A block of cells of one signal; everything in it is ``(cell, concept)``."""

    def __init__(
        self, text: RankedText, recording: Recording, layer: str, signal: str, cells: range
    ) -> None:
        super().__init__((layer, signal, cells), text.tracks, text.reasons, text.lags, text.turns)
        self._text = text
        self._values = blocks.read(recording[layer][signal], text.mask, cells)
        self._are_finite: Flags = np.asarray(np.isfinite(self._values).all(axis=1))
        self._values[~self._are_finite] = 0

    @property
    def _finite(self) -> Flags:
        return self._are_finite

    @property
    def _still(self) -> Flags:
        return np.asarray(~self._held[2].any(axis=1))

    @cached_property
    def _held(self) -> tuple[Floats, Places, Floats]:
        """Values of the held-out half, their order and their ranks."""
        x = self._values[:, self._text.held_out.places]
        return x, *statistics.ranked_rows(x)

    def _scores(self, which: int, x: Floats, order: Places, ranks: Floats) -> Floats:
        """Score cells on one of the halves at every lag: ``(cell, concept, lag)``."""
        lagged = self._text.halves[which].places - self._text.lags[:, None]
        scores = np.empty((len(x), len(self._text.tracks), len(lagged)))
        for k, track in enumerate(self._text.tracks):
            tracks = track.at(which, lagged)
            if not track.holes:
                scores[:, k] = track.scores(ranks, tracks)
                continue
            for n, places in enumerate(lagged):
                there = ~np.isnan(track.said[places])
                within = statistics.ranks_within(x, order, there)
                scores[:, k, n] = track.scores(within, tracks[n : n + 1], there.sum())[:, 0]
        return scores

    def _select(self) -> tuple[Places, Floats, Floats]:
        text = self._text
        x = self._values[:, text.halves[0].places]
        order, ranks = statistics.ranked_rows(x)
        scores = self._scores(0, x, order, ranks)
        chosen = np.nan_to_num(np.abs(scores), nan=-1.0).argmax(axis=2)
        selected = _at(scores, chosen)
        sign = np.where(selected < 0, -1, 1).astype(np.int8)
        threshold = np.full(selected.shape, np.nan, np.float32)
        yes_no = [k for k, track in enumerate(text.tracks) if track.kind == "yes_no"]
        said = [text.tracks[k].said.astype(np.uint8) for k in yes_no]
        if yes_no:
            for row, places in enumerate(order):
                when = text.halves[0].places[places]
                lags = text.lags[chosen[row, yes_no]]
                tracks = np.stack([z[when - lag] for z, lag in zip(said, lags, strict=True)])
                threshold[row, yes_no] = statistics.best_threshold(
                    x[row, places], tracks, sign[row, yes_no]
                )
        return chosen, selected, threshold

    def _held_out(self, chosen: Places) -> Floats:
        return _at(self._scores(1, *self._held), chosen)

    def _rest(
        self, chosen: Places, sign: npt.NDArray[np.int8], threshold: Floats
    ) -> tuple[Floats, Floats, Floats]:
        x = self._held[0]
        f1, base_rate, pearson = (np.full(chosen.shape, np.nan) for _ in range(3))
        for k, rows, track, places in self._by_lag(chosen):
            y = track.said[places]
            if track.kind == "numeric":
                there = ~np.isnan(y)
                pearson[rows, k] = _pearson(x[np.ix_(rows, there)], y[there])
                continue
            yes = y > 0
            for row in rows:
                limit = threshold[row, k]
                called = x[row] >= limit if sign[row, k] > 0 else x[row] <= limit
                total = int(called.sum() + yes.sum())
                f1[row, k] = 2 * int((called & yes).sum()) / max(total, 1)
            base_rate[rows, k] = yes.mean()
        f1[np.isnan(threshold)] = np.nan
        return f1, base_rate, pearson

    def _by_lag(self, chosen: Places) -> Iterator[tuple[int, Places, RankedTrack, Places]]:
        """Go through concepts and lags: the cells for which a lag is chosen, and where it leads."""
        for k, track in enumerate(self._text.tracks):
            for n in np.unique(chosen[:, k]):
                rows = np.flatnonzero(chosen[:, k] == n)
                yield k, rows, track, self._text.held_out.places - self._text.lags[n]

    def _null(self, chosen: Places, wanted: Flags) -> npt.NDArray[np.float32]:
        # Shifted tracks are made once for both: that costs more than to hold cells against them.
        quick = [] if self._quick_ranks is None else [self._quick_ranks]
        self._nulls = self._shifted([self._held[2], *quick], chosen, wanted)
        return self._nulls[0]

    def _independent(self, chosen: Places) -> tuple[Floats, Floats, int]:
        half, ranks = self._text.held_out, self._held[2]
        n = np.full(chosen.shape, float(len(half.places)))
        variance = np.full(chosen.shape, np.nan)
        squares = np.einsum("ij,ij->i", ranks, ranks)
        for k, rows, track, places in self._by_lag(chosen):
            there = ~np.isnan(track.said[places])
            count = int(there.sum())
            n[rows, k] = count
            if track.kind == "numeric":
                variance[rows, k] = 1 / max(1, count - 1)
                continue
            yes = float(track.said[places].sum())
            pairs = yes * (count - yes)
            if pairs:
                variance[rows, k] = 4 * squares[rows] / (count * pairs * max(1, count - 1))
        return n, variance, int(half.lengths.sum())

    @cached_property
    def _quick_ranks(self) -> Floats | None:
        """Ranks of the held-out half without their slow changes; None if all are quick."""
        slow, ranks = self._text.slow, self._held[2]
        return ranks - (ranks @ slow) @ slow.T if slow.shape[1] else None

    def _quick(self, chosen: Places) -> tuple[Floats, Floats] | None:
        if self._quick_ranks is None:
            return None
        x, order, _ = self._held
        return _at(self._scores(1, x, order, self._quick_ranks), chosen), self._nulls[1]

    def shifted(self, lag: int) -> npt.NDArray[np.float32]:
        """Score the cells at one lag for shifted tracks: ``(cell, concept, shift)``."""
        (at,) = np.flatnonzero(self._text.lags == lag)
        chosen = np.full((len(self._values), len(self._text.tracks)), at)
        return self._shifted([self._held[2]], chosen, np.ones(chosen.shape[1], bool))[0]

    def _shifted(
        self, ranks: list[Floats], chosen: Places, wanted: Flags
    ) -> list[npt.NDArray[np.float32]]:
        """Score the cells for shifted tracks ``(cell, concept, shift)``, 0 for those not wanted.

        By each of the kinds of ranks ``(cell, n)``.

        A track circularly shifted and then compared at a lag is the track shifted by some timesteps
        more. So the null distribution is the same for every lag, and the score itself is one of it.
        (Numbers keep the ranks that they have in the half, whatever falls off at the rim.)
        """
        text = self._text
        shifts = len(text.turns)
        null = np.zeros((len(ranks), *chosen.shape, shifts), np.float32)
        singles = np.concatenate(ranks, dtype=np.float32, casting="same_kind")
        step = max(1, SHIFTED_VALUES // len(text.held_out.places))
        for start in range(0, shifts, step):
            part = slice(start, start + step)
            # Most tracks are moved in the same way.
            moved: dict[str, Places] = {}
            for k, track in enumerate(text.tracks):
                if not track.holes and wanted[k]:
                    how = track.moved.__name__
                    if how not in moved:
                        moved[how] = track.moved(text.turns[part])
                    scores = track.scores(singles, track.ranks[moved[how]])
                    null[:, :, k, part] = scores.reshape(len(ranks), len(chosen), -1)
        x, order, _ = self._held
        for k, rows, track, places in self._by_lag(chosen):
            if track.holes:
                null[:, rows, k] = self._null_with_holes(x[rows], order[rows], track, places)
        return [*null]

    def _null_with_holes(
        self, x: Floats, order: Places, track: RankedTrack, places: Places
    ) -> npt.NDArray[np.float32]:
        """Shift a track's values among the timesteps that have one."""
        text = self._text
        there = ~np.isnan(track.said[places])
        values = ranks_of(track.said[places[there]])
        there_only = text.held_out.only(there)
        ranks = statistics.ranks_within(x, order, there)[:, there].astype(np.float32)
        step = max(1, SHIFTED_VALUES // max(len(values), 1))
        parts = [
            track.scores(ranks, values[there_only.shifted(text.turns[start : start + step])])
            for start in range(0, len(text.turns), step)
        ]
        return np.concatenate(parts, axis=1).astype(np.float32)


def _at(scores: Floats, chosen: Places) -> Floats:
    return np.asarray(np.take_along_axis(scores, chosen[:, :, None], axis=2)[:, :, 0])


def _pearson(x: Floats, y: Floats) -> Floats:
    if not len(y):
        return np.full(len(x), np.nan)
    a = x - x.mean(axis=1, keepdims=True, dtype=np.float64)
    with np.errstate(
        divide="ignore", invalid="ignore"
    ):  # of tracks with infinite values there is none
        b = y - y.mean()
        return np.asarray((a @ b) / np.sqrt((a**2).sum(axis=1) * (b**2).sum()))
