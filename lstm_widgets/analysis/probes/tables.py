"""The tables of a probe, and its held-out predictions."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import xarray as xr

from lstm_widgets.analysis.pooled_null import ROUNDING
from lstm_widgets.analysis.probes.fits import PROTOCOLS, r2

if TYPE_CHECKING:
    from collections.abc import Sequence

    import numpy.typing as npt
    import pandas as pd

    from lstm_widgets.analysis.probes.calendars import Period
    from lstm_widgets.analysis.probes.fits import Designs, FittedTarget
    from lstm_widgets.analysis.probes.scored import Scored

    Flags = npt.NDArray[np.bool_]
    Floats = npt.NDArray[np.float64]
    Places = npt.NDArray[np.integer[Any]]

__all__ = ["ProbeTables"]

# Of the moved targets, so many score less than the quantile that is told.
_QUANTILE = 0.95
# Of normal scores, the range between quartiles in standard deviations. It is what is told, because a
# fold in which next to nothing happens has a score far from all others.
_NORMAL = 1.349
# With fewer folds, how much their scores differ is chance.
_FEW = 3


class ProbeTables:
    """What is collected, concept by concept."""

    def __init__(self, mask: Flags, period: Period, lags: Places, shifts: int) -> None:
        self._mask, self._period, self._lags, self._shifts = mask, period, lags, shifts
        self._rows: dict[str, list[dict[str, Any]]] = {}
        self._scores: dict[str, list[dict[str, Any]]] = {}
        self._predictions: dict[str, xr.Variable] = {}
        self.remarks: list[str] = []
        self.sentence = ""

    @property
    def done(self) -> list[str]:
        """The concepts that were probed."""
        return list(self._rows)

    def nothing(self, name: str, kind: str, reason: str) -> None:
        """Take in a concept of which nothing can be told."""
        protocols = [
            *PROTOCOLS,
            *["calendar"] * bool(self._period.name),
            *["null"] * bool(self._shifts),
        ]
        self._rows[name] = [
            _row(name, kind, protocol, lag=int(self._lags[0]), timesteps=0, reason=reason)
            for protocol in protocols
        ]
        self._scores[name] = []
        self._predictions[name] = xr.Variable(
            ("example", "timestep"), np.full(self._mask.shape, np.nan)
        )

    def add(
        self, designs: Designs, fitted: FittedTarget, scored: Scored, said: xr.Variable
    ) -> None:
        """Take in one concept.

        Parameters
        ----------
        designs, fitted, scored : Designs, FittedTarget, Scored
            The folds, what was fitted in them, and what was read from what was held out.
        said : xarray.Variable (example, timestep)
            The prediction.
        """
        probed, target = designs.probed, fitted.target
        name, yes_no = target.name, target.kind == "yes_no"
        counted = scored.counted
        rows, scores = [], []
        nothing = _reason(scored.low, scored.high, yes_no=yes_no)
        reason = nothing or (target.null.reason if target.null else "")
        sources = [*PROTOCOLS, *["calendar"] * bool(self._period.name)]
        for k, protocol in enumerate(sources):
            own = k if k < len(PROTOCOLS) else 0
            score, parts = scored.score(k)
            for one, sums in enumerate(scored.sums[k]):
                scores.append(
                    {
                        "concept": name,
                        "protocol": protocol,
                        "fold": one,
                        "held_out": probed.folds.names[one],
                        "timesteps": sums.n,
                        "fitted": int(probed.inputs.n[probed.folds.training(one)].sum()),
                        "score": parts[one],
                        "r": sums.r,
                        "lag": int(self._lags[fitted.lag[one, own]]),
                        "penalty": fitted.penalty[one, own] if k < len(PROTOCOLS) else np.nan,
                        "cells": self._cells(designs, fitted, one, k),
                    }
                )
            total = scored.total(k)
            skill = np.nan
            if self._period.name:
                skill = float(r2(np.array(total.lost), np.array(total.calendar)))
            more = {}
            if k < len(PROTOCOLS):
                more = _evidence(fitted, k, reason)
            rows.append(
                _row(
                    name,
                    target.kind,
                    protocol,
                    score=score,
                    spread=_deviation(parts),
                    r=total.r,
                    skill=skill,
                    lag=int(self._lags[_most(fitted.lag[designs.folds, own])]),
                    cells=self._common(designs, fitted, k),
                    timesteps=counted,
                    reason=reason if k < len(PROTOCOLS) else nothing,
                    **more,
                )
            )
        if target.null is not None:
            moved = fitted.scores(0)[1:]
            rows.append(
                _row(
                    name,
                    target.kind,
                    "null",
                    score=_median(moved),
                    spread=_deviation(moved),
                    skill=_median(fitted.skill(0)[1:]),
                    anomaly_score=_median(fitted.anomalies(0)[1:]),
                    lag=int(self._lags[0]),
                    timesteps=counted,
                    reason=nothing,
                )
            )
        self._rows[name], self._scores[name] = rows, scores
        self._predictions[name] = said
        left = int((~probed.finite).sum())
        if left:
            self._remark(f"{left} timesteps are left out, because not all states are finite there")
        if scored.binned:
            self._remark("AUROCs are worked out in fine bins, to 1e-4")
        if yes_no and probed.apart > 1:
            self._remark(
                f"logistic regressions are fitted on one in {probed.apart} timesteps, evenly spaced: "
                f"{len(probed.at)} of {int(probed.finite.sum())}, so many as there is room for"
            )
        judged = probed.apart * probed.judged.step
        if yes_no and target.null is not None and judged > 1:
            self._remark(f"p-values of yes/no concepts count one in {judged} timesteps")
        if probed.folds.count < _FEW:
            self._remark(f"{probed.folds.count} folds only: their spread says little")
        if len(designs.folds) < probed.folds.count:
            missing = probed.folds.count - len(designs.folds)
            self._remark(f"{missing} folds have nothing to fit or to hold out, and are left out")

    def _remark(self, text: str) -> None:
        if text not in self.remarks:
            self.remarks.append(text)

    def _cells(
        self, designs: Designs, fitted: FittedTarget, fold: int, k: int
    ) -> tuple[int, ...] | None:
        if not 0 < k < len(PROTOCOLS):
            return None
        return tuple(int(designs.probed.chosen[cell]) for cell in fitted.cells[fold][k])

    def _common(self, designs: Designs, fitted: FittedTarget, k: int) -> tuple[int, ...] | None:
        """List the cells that at least half of the folds have chosen, the most telling first."""
        if not 0 < k < len(PROTOCOLS):
            return None
        places: dict[int, list[int]] = {}
        for fold in designs.folds:
            for place, cell in enumerate(self._cells(designs, fitted, fold, k) or ()):
                places.setdefault(cell, []).append(place)
        often = [cell for cell, each in places.items() if 2 * len(each) >= len(designs.folds)]
        return tuple(sorted(often, key=lambda cell: (np.mean(places[cell]), cell)))

    def result(self, names: Sequence[str]) -> tuple[pd.DataFrame, pd.DataFrame, xr.Dataset]:
        """Put it together: concepts in the order in which they were asked for."""
        import pandas as pd  # noqa: PLC0415

        done = [name for name in names if name in self._rows]
        table = pd.DataFrame([row for name in done for row in self._rows[name]])
        score = pd.DataFrame([row for name in done for row in self._scores[name]])
        table.attrs = {"remarks": self.remarks}
        examples, timesteps = self._mask.shape
        coords = {"example": pd.RangeIndex(examples), "timestep": pd.RangeIndex(timesteps)}
        prediction = xr.Dataset({name: self._predictions[name] for name in done}, coords)
        return table, score, prediction


def _row(concept: str, kind: str, protocol: str, **values: Any) -> dict[str, Any]:  # noqa: ANN401
    unknown = dict.fromkeys(
        (
            "score",
            "spread",
            "r",
            "skill",
            "anomaly_score",
            "null_quantile",
            "p_value",
            "anomaly_p_value",
        ),
        np.nan,
    )
    order = {"concept": concept, "kind": kind, "protocol": protocol, **unknown}
    return order | {"lag": 0, "cells": None, "timesteps": 0, "reason": ""} | values


def _evidence(fitted: FittedTarget, protocol: int, reason: str) -> dict[str, float]:
    """Compare a protocol with the moved targets."""
    odd, *moved_odd = fitted.anomalies(protocol)
    found = {"anomaly_score": float(odd)}
    own, *moved = fitted.scores(protocol)
    if moved:
        known = np.array(moved)[np.isfinite(moved)]
        if len(known):
            found["null_quantile"] = float(np.quantile(known, _QUANTILE))
        if not reason:
            found["p_value"] = _p_value(own, np.array(moved))
            found["anomaly_p_value"] = _p_value(odd, np.array(moved_odd))
    return found


def _p_value(own: float, moved: Floats) -> float:
    """How often a moved target scores as well; one that can't be scored counts as if it did."""
    if not np.isfinite(own):
        return np.nan
    return float((1 + np.count_nonzero(~(moved < own - ROUNDING))) / (1 + len(moved)))


def _deviation(scores: Sequence[float] | Floats) -> float:
    known = np.asarray(scores, np.float64)
    known = known[np.isfinite(known)]
    if len(known) < 2:
        return np.nan
    low, high = np.quantile(known, [0.25, 0.75])
    return float((high - low) / _NORMAL)


def _median(scores: Floats) -> float:
    known = scores[np.isfinite(scores)]
    return float(np.median(known)) if len(known) else np.nan


def _most(values: Places) -> int:
    return int(np.bincount(values).argmax())


def _reason(low: float, high: float, *, yes_no: bool) -> str:
    """Say why a concept says nothing; "" if it does."""
    if low != high:
        return ""
    if yes_no:
        return "yes everywhere" if low > 0.5 else "no example"
    return f"{low:g} everywhere"
