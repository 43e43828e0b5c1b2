"""What is reported of ranked cells: scores, p-values, effective sample sizes, and why there are none."""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import TYPE_CHECKING, Any

import numpy as np

from lstm_widgets.analysis.pooled_null import ROUNDING

if TYPE_CHECKING:
    from collections.abc import Sequence

    import numpy.typing as npt

    from lstm_widgets.analysis.pooled_null import Pool, Pools
    from lstm_widgets.analysis.ranked_tracks import Track

    Floats = npt.NDArray[np.floating[Any]]
    Flags = npt.NDArray[np.bool_]
    Places = npt.NDArray[np.integer[Any]]

__all__ = ["SURE", "RankedCells"]

#: From which p-value or q-value on an agreement counts as possibly nothing.
SURE = 0.05


class RankedCells(ABC):
    """Some cells of one signal; everything in it is ``(cell, concept)``.

    Parameters
    ----------
    names : tuple of str, str and range
        The layer, the signal and the cells.
    tracks : sequence of Track
        What they are held against.
    reasons : list of str
        Of each track, why nothing can be judged, whatever the cells do.
    lags : int array (lag,)
        At which lags.
    turns : float64 array (shift, segment)
        By what tracks are shifted.
    """

    def __init__(
        self,
        names: tuple[str, str, range],
        tracks: Sequence[Track],
        reasons: list[str],
        lags: Places,
        turns: Floats,
    ) -> None:
        self._names = names
        self._tracks = tracks
        self._reasons_of_tracks = reasons
        self._lags = lags
        self._turns = turns

    @property
    def error(self) -> float:
        """By how much a score may differ from the exact one at most."""
        return 0.0

    def columns(self, pool: Pools) -> dict[str, Any]:
        """Select, score, compare with the null: the columns of the table, one row each."""
        layer, signal, cells = self._names
        chosen, selected, threshold = self._select()
        sign = np.where(selected < 0, -1, 1).astype(np.int8)
        score = self._held_out(chosen)
        finite = self._finite
        score[~np.isfinite(selected)] = np.nan
        score[~finite] = selected[~finite] = np.nan
        f1, base_rate, pearson = self._rest(chosen, sign, threshold)
        evidence = self._evidence(chosen, sign, score, pool)

        shape = score.shape
        yes_no = np.array([track.kind == "yes_no" for track in self._tracks])
        names = np.array([track.name for track in self._tracks], object)
        kinds = np.array([track.kind for track in self._tracks], object)
        table = {
            "layer": np.full(shape, layer, object),
            "signal": np.full(shape, signal, object),
            "cell": np.broadcast_to(np.array(cells)[:, None], shape),
            "concept": np.broadcast_to(names, shape),
            "kind": np.broadcast_to(kinds, shape),
            "lag": self._lags[chosen],
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

    @property
    @abstractmethod
    def _finite(self) -> Flags:
        """Tell which cells have finite values only, ``(cell,)``."""

    @property
    @abstractmethod
    def _still(self) -> Flags:
        """Tell which cells never change in the held-out half, ``(cell,)``."""

    @abstractmethod
    def _select(self) -> tuple[Places, Floats, Floats]:
        """Select on one half: which lag, with what score, and the threshold of the best F1."""

    @abstractmethod
    def _held_out(self, chosen: Places) -> Floats:
        """Score on the other half."""

    @abstractmethod
    def _rest(
        self, chosen: Places, sign: npt.NDArray[np.int8], threshold: Floats
    ) -> tuple[Floats, Floats, Floats]:
        """F1 and base rate of yes/no concepts, correlation of numeric ones, held out."""

    @abstractmethod
    def _null(self, chosen: Places, wanted: Flags) -> npt.NDArray[np.float32]:
        """Score for shifted tracks ``(cell, concept, shift)``, 0 for those not wanted."""

    @abstractmethod
    def _quick(self, chosen: Places) -> tuple[Floats, Floats] | None:
        """Score cells without their slow changes, for tracks and shifted tracks; None if all are quick."""

    @abstractmethod
    def _independent(self, chosen: Places) -> tuple[Floats, Floats, int]:
        """Tell how many timesteps are compared, and the variance of scores if all were independent.

        And how many different timesteps there are at most.
        """

    def _evidence(
        self, chosen: Places, sign: npt.NDArray[np.int8], score: Floats, pool: Pools
    ) -> dict[str, npt.NDArray[Any]]:
        """Compare with shifted tracks.

        Returns p-values, effective sample sizes, why there are no p-values, where
        there are none, and z-scores under the null, with and without drifts.
        """
        told = np.asarray(~np.isnan(score))
        reason = self._reasons(told)
        unknown = np.full(score.shape, np.nan)
        shifts = len(self._turns)
        if not shifts:
            columns = ("p_value", "null_level", "effective_n", "standing", "quick_standing")
            return dict.fromkeys(columns, unknown) | {"reason": reason}
        null = self._null(chosen, np.asarray(told.any(axis=0)))
        effective_n = np.where(told, self._effective(null, chosen), np.nan)
        directed = null * sign[:, :, None]
        # A shifted track that cannot be scored (all of its few yes came to lie at the rim) counts
        # as one that scores as well.
        hits = np.count_nonzero(~(directed < (score * sign)[:, :, None] - ROUNDING), axis=2)
        p_value = np.where(told, (1 + hits) / (1 + shifts), np.nan)
        judged = told & np.array([not each for each in self._reasons_of_tracks])
        p_value[~judged] = np.nan
        standing = np.full(score.shape, np.nan)
        standing[judged] = pool.whole.add(np.nan_to_num(directed[judged]), (score * sign)[judged])
        quick_p, quick_standing = self._without_drifts(chosen, sign, judged, pool.quick)
        asked = p_value <= SURE
        reason[asked & (quick_p > SURE)] = "slow drifts only"
        return {
            "p_value": np.where(asked, np.fmax(p_value, quick_p), p_value),
            "null_level": np.where(judged, _level(directed), np.nan),
            "effective_n": effective_n,
            "reason": reason,
            "standing": standing,
            "quick_standing": np.where(asked, quick_standing, np.nan),
        }

    def _reasons(self, told: Flags) -> npt.NDArray[np.object_]:
        """Say why nothing can be judged, whatever the shifted tracks score."""
        reason = np.full(told.shape, "", object)
        still = self._still
        for k, track in enumerate(self._tracks):
            reason[:, k] = self._reasons_of_tracks[k]
            reason[~told[:, k], k] = "too few timesteps"
            reason[still, k] = "the cell never changes"
            for which, unsaid in zip(("selection", "held-out"), track.unsaid, strict=True):
                if unsaid:
                    reason[~told[:, k], k] = f"{unsaid} in the {which} half"
        reason[~self._finite] = "values that aren't finite"
        return reason

    def _effective(self, null: Floats, chosen: Places) -> Floats:
        """Work out the effective sample size from the variance of shifted scores."""
        n, variance, most = self._independent(chosen)
        with np.errstate(divide="ignore", invalid="ignore"):
            effective = 1 + (n - 1) * variance / null.var(axis=2, dtype=np.float64)
        least = np.minimum(n, most)
        return np.asarray(np.where(np.isnan(effective), np.nan, np.minimum(effective, least)))

    def _without_drifts(
        self, chosen: Places, sign: npt.NDArray[np.int8], judged: Flags, pool: Pool
    ) -> tuple[Floats, Floats]:
        """Compare what is left of agreements when slow changes of the cells are left out.

        Returns p-values and z-scores under the null; NaN where that is no question.
        """
        # Labels that never change in their segments, and numbers with gaps, are held as they are.
        judged = judged & [track.permutations is None and not track.holes for track in self._tracks]
        p_value, standing = np.full((2, *judged.shape), np.nan)
        found = self._quick(chosen) if judged.any() else None
        if found is None:
            return p_value, standing
        score, null = found[0] * sign, found[1]
        directed = null * sign[:, :, None]
        hits = np.count_nonzero(~(directed < score[:, :, None] - ROUNDING), axis=2)
        p_value[judged] = (1 + hits[judged]) / (1 + len(self._turns))
        standing[judged] = pool.add(np.nan_to_num(directed[judged]), score[judged])
        return p_value, standing


def _level(directed: Floats) -> Floats:
    """Tell above which score so few of its shifts ``(cell, concept, shift)`` are that one can be sure."""
    shifts = directed.shape[2]
    hits = int(SURE * (1 + shifts)) - 1
    if hits < 0:
        return np.full(directed.shape[:2], np.nan)
    high = np.where(np.isnan(directed), np.inf, directed)
    level: Floats = np.partition(high, shifts - 1 - hits, axis=2)[:, :, shifts - 1 - hits]
    return np.where(np.isinf(level), np.nan, level)
