"""What a probe has found, with everything that it has to be held against."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Sequence

    import pandas as pd
    import xarray as xr

__all__ = ["Probe", "by_variant", "of_variant"]


@dataclass(frozen=True, eq=False)
class Probe:
    """What :func:`probe` has found.

    Attributes
    ----------
    table : pandas.DataFrame
        A row for each concept and protocol: ``"whole state"``, ``"best set"``, ``"best cell"``,
        ``"calendar"`` (if there is a period) and ``"null"`` (if there are shifts). Columns:

        - ``concept, kind, protocol``
        - ``score``: of everything that was held out together, R² of a numeric concept; of a yes/no
          one AUROC, how often a yes is above a no of the same fold. Of the null, the median of the
          moved targets.
        - ``spread``: the standard deviation of the scores of the folds, from the range between their
          quartiles (a fold in which next to nothing happens has a score far from all others); of the
          null, of the moved targets.
        - ``r``: Pearson's correlation of the held-out prediction with the concept.
        - ``skill``: over the calendar, 1 − SSE / SSE of the calendar. (Of a yes/no concept that is the
          Brier skill score of its probability.) NaN without a period.
        - ``anomaly_score``: R² of a probe that is fitted to the anomalies, the concept less its
          calendar mean, and scored on them.
        - ``null_quantile``: 95 % of the moved targets score less under the same protocol.
        - ``p_value, anomaly_p_value``: how often a moved target scores as well, (1 + hits) / (1 +
          shifts), so never less than 1 / (1 + shifts).
        - ``lag``: the one that most folds have chosen.
        - ``cells``: those that at least half of the folds have chosen; None where all take part.
        - ``timesteps``: how many were held out, all folds together.
        - ``reason``: why p-values or scores are missing, such as ``"3 cycles only"``; else "".
    score : pandas.DataFrame
        A row for each concept, protocol and fold: ``concept, protocol, fold``, ``held_out``, what
        that is, ``timesteps`` and ``fitted``, how many were held out and fitted on, ``score``, ``r``,
        ``lag``, ``penalty`` (of the ridge regression, of standardised states) and ``cells``.
        Of several variants, both tables have a first column ``variant``, and ``prediction`` a first
        dimension of that name.
    prediction : xarray.Dataset
        What the whole state says of each concept, of timesteps that had no part in fitting it: a
        float64 variable ``(example, timestep)`` for each. It stands at the timestep of the concept,
        whatever the lag; of yes/no concepts it is the probability. NaN where nothing was held out.
        Every view takes it as concepts or tracks.
    layer, signal : str
        Of the states.
    folds : str
        In a sentence, what was held out.
    """

    table: pd.DataFrame
    score: pd.DataFrame
    prediction: xr.Dataset
    layer: str
    signal: str
    folds: str

    def __repr__(self) -> str:
        shown = self._shown()
        return f"{self._headline()}\n\n{shown.to_string(index=False)}{self._remarks()}"

    def _repr_html_(self) -> str:
        from html import escape  # noqa: PLC0415

        table = self._shown().to_html(index=False, border=0)
        remarks = "".join(f"<p>{escape(line)}</p>" for line in self._remarks().split("\n") if line)
        return f"<p>{escape(self._headline())}</p>{table}{remarks}"

    def _headline(self) -> str:
        period = self.table.attrs["period"]
        over = f"; the calendar repeats after {_repeats(period)}" if period else ""
        return (
            f"Probe of the {self.signal} of layer {self.layer!r}, {self.table.attrs['cells']} cells"
            f"; held out: {self.folds}{over}."
        )

    def _shown(self) -> pd.DataFrame:
        """Write the table in words and few digits."""
        import pandas as pd  # noqa: PLC0415

        rows = []
        for row in self.table.itertuples(index=False):
            measure = "AUROC" if row.kind == "yes_no" else "R²"
            spread = f" ± {row.spread:.2f}" if row.spread == row.spread else ""
            cells = "" if row.cells is None else ", ".join(map(str, row.cells))
            rows.append(
                {
                    **({"variant": row.variant} if "variant" in self.table else {}),
                    "concept": row.concept,
                    "read from": f"{row.protocol}{f' ({cells})' if cells else ''}",
                    "score": f"{measure} {_digits(row.score)}{spread if _digits(row.score) != '–' else ''}",
                    "r": _digits(row.r),
                    "over calendar": _digits(row.skill),
                    "anomalies": _digits(row.anomaly_score),
                    "null 95 %": _digits(row.null_quantile),
                    "p": _digits(row.p_value, 3),
                    "lag": str(row.lag),
                    "reason": row.reason,
                }
            )
        table = pd.DataFrame(rows)
        hidden = [name for name in ("over calendar", "anomalies") if (table[name] == "–").all()]
        if not table["reason"].any():
            hidden.append("reason")
        if (self.table["lag"] == 0).all():
            hidden.append("lag")
        return table.drop(columns=hidden)

    def _remarks(self) -> str:
        return "".join(f"\n{remark}" for remark in self.table.attrs["remarks"])


def by_variant(found: dict[str, Probe], names: Sequence[str]) -> Probe:
    """Put the probes of variants into one, of which each table says what is whose.

    Parameters
    ----------
    found : dict of str to Probe
        One of each variant, the same but for the recording.
    names : sequence of str
        Of all variants, in their order: those that weren't probed, too.
    """
    import pandas as pd  # noqa: PLC0415
    import xarray as xr  # noqa: PLC0415

    first = next(iter(found.values()))

    def together(tables: list[pd.DataFrame]) -> pd.DataFrame:
        parts = [one.assign(variant=name) for name, one in zip(found, tables, strict=True)]
        for part in parts:
            part.attrs = {}
        table = pd.concat(parts, ignore_index=True)
        table.insert(0, "variant", pd.Categorical(table.pop("variant"), names, ordered=True))
        return table

    table = together([one.table for one in found.values()])
    complete = len(found) == len(names) and all(x.table.attrs["complete"] for x in found.values())
    remarks = [f"{name}: {line}" for name, x in found.items() for line in x.table.attrs["remarks"]]
    table.attrs = {**first.table.attrs, "complete": complete, "remarks": remarks}
    predictions = [one.prediction for one in found.values()]
    return Probe(
        table,
        together([one.score for one in found.values()]),
        xr.concat(predictions, "variant").assign_coords(
            variant=np.array([*found, ""], object)[:-1]
        ),
        first.layer,
        first.signal,
        first.folds,
    )


def of_variant(found: Probe, name: str) -> Probe:
    """Take the probe of one variant out of that of several.

    Parameters
    ----------
    found : Probe
        As `by_variant` makes it.
    name : str
        The variant.
    """

    def own(table: pd.DataFrame) -> pd.DataFrame:
        part = table[table["variant"] == name].drop(columns="variant").reset_index(drop=True)
        part.attrs = dict(table.attrs)
        return part

    prediction = found.prediction.sel(variant=name, drop=True)
    return replace(found, table=own(found.table), score=own(found.score), prediction=prediction)


def _repeats(period: str) -> str:
    return period if period[0].isdigit() else f"a {period}"


def _digits(value: Any, digits: int = 2) -> str:  # noqa: ANN401 - a number of pandas
    if value != value:  # noqa: PLR0124 - NaN
        return "–"
    return f"{round(value, digits) + 0:.{digits}f}".replace("-", "−")  # -0 becomes 0
