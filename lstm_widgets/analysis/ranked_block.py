"""A block of cells, ranked for all tracks of a text: scores, p-values, effective sample sizes."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from lstm_widgets.analysis import blocks, statistics
from lstm_widgets.analysis.pooled_null import ROUNDING
from lstm_widgets.analysis.ranked_tracks import SHIFTED_VALUES, ranks_of

if TYPE_CHECKING:
    from collections.abc import Iterator

    import numpy.typing as npt

    from lstm_widgets.analysis.pooled_null import Pool, Pools
    from lstm_widgets.analysis.ranked_tracks import RankedText, RankedTrack
    from lstm_widgets.recording import Recording

    Floats = npt.NDArray[np.floating[Any]]
    Places = npt.NDArray[np.integer[Any]]

#: From which p-value or q-value on an agreement counts as possibly nothing.
SURE = 0.05


class RankedBlock:
    """A block of cells of one signal; everything in it is ``(cell, concept)``."""

    def __init__(
        self, text: RankedText, recording: Recording, layer: str, signal: str, cells: range
    ) -> None:
        self._text = text
        self._names = (layer, signal, cells)
        self._values = blocks.read(recording[layer][signal], text.mask, cells)
        self._finite = np.isfinite(self._values).all(axis=1)
        self._values[~self._finite] = 0

    def columns(self, pool: Pools) -> dict[str, Any]:
        """Select, score, compare with the null: the columns of the table, one row each."""
        text, (layer, signal, cells) = self._text, self._names
        chosen, selected, threshold = self._select()
        sign = np.where(selected < 0, -1, 1).astype(np.int8)
        x = self._values[:, text.held_out.places]
        order, ranks = statistics.ranked_rows(x)
        score = _at(self._scores(1, x, order, ranks), chosen)
        score[~np.isfinite(selected)] = np.nan
        score[~self._finite] = selected[~self._finite] = np.nan
        f1, base_rate, pearson = self._rest(x, chosen, sign, threshold)
        evidence = self._null(
            x=x, order=order, ranks=ranks, chosen=chosen, sign=sign, score=score, pool=pool
        )

        shape = score.shape
        yes_no = np.array([track.kind == "yes_no" for track in text.tracks])
        names = np.array([track.name for track in text.tracks], object)
        kinds = np.array([track.kind for track in text.tracks], object)
        table = {
            "layer": np.full(shape, layer, object),
            "signal": np.full(shape, signal, object),
            "cell": np.broadcast_to(np.array(cells)[:, None], shape),
            "concept": np.broadcast_to(names, shape),
            "kind": np.broadcast_to(kinds, shape),
            "lag": text.lags[chosen],
            "score": score,
            "selection_score": selected,
            "auroc": np.where(yes_no, (score + 1) / 2, np.nan),
            "f1": f1,
            "threshold": threshold,
            "sign": sign,
            "base_rate": base_rate,
            "pearson": pearson,
            "spearman": np.where(yes_no, np.nan, score),
            **evidence,
        }
        for name in ("f1", "threshold", "base_rate", "pearson"):
            table[name] = np.where(np.isnan(score), np.nan, table[name])
        return {name: values.ravel() for name, values in table.items()}

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
        """Select on one half: which lag, with what score, and the threshold of the best F1."""
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

    def _rest(
        self, x: Floats, chosen: Places, sign: npt.NDArray[np.int8], threshold: Floats
    ) -> tuple[Floats, Floats, Floats]:
        """F1 and base rate of yes/no concepts, correlation of numeric ones, held out."""
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

    def _null(
        self,
        *,
        x: Floats,
        order: Places,
        ranks: Floats,
        chosen: Places,
        sign: npt.NDArray[np.int8],
        score: Floats,
        pool: Pools,
    ) -> dict[str, npt.NDArray[Any]]:
        """Compare with shifted tracks.

        Returns p-values, effective sample sizes, why there are no p-values, where
        there are none, and z-scores under the null, with and without drifts.
        """
        text = self._text
        told = np.asarray(~np.isnan(score))
        reason = self._reasons(ranks, told)
        unknown = np.full(score.shape, np.nan)
        shifts = len(text.turns)
        if not shifts:
            columns = ("p_value", "effective_n", "standing", "quick_standing")
            return dict.fromkeys(columns, unknown) | {"reason": reason}
        null = self._shifted(x, order, ranks, chosen, np.asarray(told.any(axis=0)))
        effective_n = np.where(told, self._effective(ranks, null, chosen), np.nan)
        directed = null * sign[:, :, None]
        # A shifted track that cannot be scored (all of its few yes came to lie at the rim) counts
        # as one that scores as well.
        hits = np.count_nonzero(~(directed < (score * sign)[:, :, None] - ROUNDING), axis=2)
        p_value = np.where(told, (1 + hits) / (1 + shifts), np.nan)
        judged = told & np.array([not each for each in text.reasons])
        p_value[~judged] = np.nan
        standing = np.full(score.shape, np.nan)
        standing[judged] = pool.whole.add(np.nan_to_num(directed[judged]), (score * sign)[judged])
        quick_p, quick_standing = self._without_drifts(
            x, order=order, ranks=ranks, chosen=chosen, sign=sign, judged=judged, pool=pool.quick
        )
        asked = p_value <= SURE
        reason[asked & (quick_p > SURE)] = "slow drifts only"
        return {
            "p_value": np.where(asked, np.fmax(p_value, quick_p), p_value),
            "effective_n": effective_n,
            "reason": reason,
            "standing": standing,
            "quick_standing": np.where(asked, quick_standing, np.nan),
        }

    def _reasons(self, ranks: Floats, told: npt.NDArray[np.bool_]) -> npt.NDArray[np.object_]:
        """Say why nothing can be judged, whatever the shifted tracks score."""
        reason = np.full(told.shape, "", object)
        for k, track in enumerate(self._text.tracks):
            reason[:, k] = self._text.reasons[k]
            reason[~told[:, k], k] = "too few timesteps"
            reason[~ranks.any(axis=1), k] = "the cell never changes"
            for which, unsaid in zip(("selection", "held-out"), track.unsaid, strict=True):
                if unsaid:
                    reason[~told[:, k], k] = f"{unsaid} in the {which} half"
        reason[~self._finite] = "values that aren't finite"
        return reason

    def _effective(self, ranks: Floats, null: Floats, chosen: Places) -> Floats:
        """Work out the effective sample size from the variance of shifted scores."""
        half = self._text.held_out
        n = np.full(chosen.shape, float(len(half.places)))
        variance = np.full(chosen.shape, np.nan)  # of scores if all timesteps were independent
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
        with np.errstate(divide="ignore", invalid="ignore"):
            effective = 1 + (n - 1) * variance / null.var(axis=2, dtype=np.float64)
        most = np.minimum(n, int(half.lengths.sum()))
        return np.asarray(np.where(np.isnan(effective), np.nan, np.minimum(effective, most)))

    def _without_drifts(
        self,
        x: Floats,
        *,
        order: Places,
        ranks: Floats,
        chosen: Places,
        sign: npt.NDArray[np.int8],
        judged: npt.NDArray[np.bool_],
        pool: Pool,
    ) -> tuple[Floats, Floats]:
        """Compare what is left of agreements when slow changes of the cells are left out.

        Returns p-values and z-scores under the null; NaN where that is no question.
        """
        text, slow = self._text, self._text.slow
        # Labels that never change in their segments, and numbers with gaps, are held as they are.
        judged = judged & [track.permutations is None and not track.holes for track in text.tracks]
        p_value, standing = np.full((2, *judged.shape), np.nan)
        if not slow.shape[1] or not judged.any():
            return p_value, standing
        quick = ranks - (ranks @ slow) @ slow.T
        null = self._shifted(x, order, quick, chosen, np.asarray(judged.any(axis=0)))
        score = _at(self._scores(1, x, order, quick), chosen) * sign
        directed = null * sign[:, :, None]
        hits = np.count_nonzero(~(directed < score[:, :, None] - ROUNDING), axis=2)
        p_value[judged] = (1 + hits[judged]) / (1 + len(text.turns))
        standing[judged] = pool.add(np.nan_to_num(directed[judged]), score[judged])
        return p_value, standing

    def shifted(self, lag: int) -> npt.NDArray[np.float32]:
        """Score the cells at one lag for shifted tracks: ``(cell, concept, shift)``."""
        x = self._values[:, self._text.held_out.places]
        order, ranks = statistics.ranked_rows(x)
        (at,) = np.flatnonzero(self._text.lags == lag)
        chosen = np.full((len(x), len(self._text.tracks)), at)
        return self._shifted(x, order, ranks, chosen, np.ones(chosen.shape[1], bool))

    def _shifted(
        self,
        x: Floats,
        order: Places,
        ranks: Floats,
        chosen: Places,
        wanted: npt.NDArray[np.bool_],
    ) -> npt.NDArray[np.float32]:
        """Score the cells for shifted tracks ``(cell, concept, shift)``, 0 for those not wanted.

        A track circularly shifted and then compared at a lag is the track shifted by some timesteps
        more. So the null distribution is the same for every lag, and the score itself is one of it.
        (Numbers keep the ranks that they have in the half, whatever falls off at the rim.)
        """
        text = self._text
        shifts = len(text.turns)
        null = np.zeros((*chosen.shape, shifts), np.float32)
        singles = ranks.astype(np.float32)
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
                    null[:, k, part] = track.scores(singles, track.ranks[moved[how]])
        for k, rows, track, places in self._by_lag(chosen):
            if track.holes:
                null[rows, k] = self._null_with_holes(x[rows], order[rows], track, places)
        return null

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
    b = y - y.mean()
    with np.errstate(divide="ignore", invalid="ignore"):
        return np.asarray((a @ b) / np.sqrt((a**2).sum(axis=1) * (b**2).sum()))
