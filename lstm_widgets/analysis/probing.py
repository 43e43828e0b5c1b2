# ruff: noqa: ANN401 - groups and folds are of many types
"""Probes: how well a quantity can be read from the state, by a linear readout, held out.

Whether a cell, a few cells or only all of them together say it, and what the calendar says alone,
stands beside it, under the same protocol.
"""

from __future__ import annotations

import warnings
from typing import TYPE_CHECKING, Any

import numpy as np

from lstm_widgets.analysis.probes import logistic
from lstm_widgets.analysis.probes.asked import Asked, Moves
from lstm_widgets.analysis.probes.calendars import period_of
from lstm_widgets.analysis.probes.fits import Designs, FittedTarget
from lstm_widgets.analysis.probes.held_out import distance, held_out
from lstm_widgets.analysis.probes.predicted import Prediction
from lstm_widgets.analysis.probes.probed import Probed, Target, mean_of
from lstm_widgets.analysis.probes.result import Probe, by_variant
from lstm_widgets.analysis.probes.scored import Scored
from lstm_widgets.analysis.probes.tables import ProbeTables
from lstm_widgets.analysis.ranked_tracks import standard_lags
from lstm_widgets.checks import expect_whole
from lstm_widgets.recording import Variants
from lstm_widgets.recording.expecting import expect_recording, usual_layer
from lstm_widgets.rnn import parallel

if TYPE_CHECKING:
    from collections.abc import Sequence

    import numpy.typing as npt

    from lstm_widgets.concepts.concept import Concepts
    from lstm_widgets.recording import Recording

    Places = npt.NDArray[np.integer[Any]]

__all__ = ["Probe", "probe"]


def probe(
    recording: Recording | Variants,
    concepts: Concepts,
    *,
    layer: str | None = None,
    signal: str = "cell_state",
    cells: Sequence[int] | npt.NDArray[np.integer[Any]] | None = None,
    groups: Any = None,
    step: int | None = None,
    folds: int = 5,
    gap: int | None = None,
    lags: int | Sequence[int] = 0,
    period: str | float | None = None,
    shifts: int = 200,
    seed: int = 0,
) -> Probe:
    r"""Measure how well concepts can be read from the state of a layer, on data that was held out.

    A linear readout is fitted to all cells, to the best small set of cells and to the best cell, so
    that one sees whether it is *a* cell or *the* state that knows: a ridge regression of a numeric
    concept, a logistic regression of a yes/no one (which needs scikit-learn, the extra
    ``analysis``). States are standardised, the penalty, the cells, their number and the lag chosen
    inside of the training part of each fold, by inner folds that are made in the same way.

    **Held out** are blocks in time, or whole groups; timesteps are never shuffled, because near ones
    are nearly the same. Several series without dates are left out as a whole, some in each fold.
    What is fitted stays away from what is held out by ``gap`` timesteps of the same series (of all
    series, if these have dates and blocks of time are held out).

    **What is seasonal is easy**: a state that follows any season reads any other. So a calendar, the
    mean by phase of ``period``, learnt from the same training parts, stands beside the score, with
    the skill over it; and the score of the *anomalies*, of what is left of the concept without its
    calendar.

    **The null**: the concept is circularly shifted in each series; if there is a period, whole
    periods are exchanged in phase instead, each year getting the concept of another one. Everything
    is fitted and chosen anew for each (of yes/no concepts by ridge regression on ±1).

    Parameters
    ----------
    recording : Recording or Variants
        Opened from a file, it is read twice, block by block. Variants are probed one after the other, on
        the same folds and moved targets.
    concepts : Concept, sequence of Concept, or mapping
        As in :func:`lstm_widgets.concepts.tracks`. Timesteps without a value are left out, and so are
        padding and states that aren't finite.
    layer : str, optional
        Default: the first that has the signal; of variants, in all of them.
    signal : str, default "cell_state"
        What is read.
    cells : sequence of int, optional
        The cells that may take part. Default: all.
    groups : str or sequence, optional
        What is left out as a whole: ``"year"``, ``"month"``, ``"week"`` or ``"day"`` by the dates; one
        label for each example (a basin, a patient, a machine); or one for each timestep,
        ``(timestep,)`` or ``(example, timestep)``. They are gathered into folds in the order in which
        they come.
    step : int, optional
        The examples are windows of one series, each so many timesteps after the one before; as for
        :func:`rank_cells`.
    folds : int, default 5
        How many there are; of fewer groups, as many as there are groups.
    gap : int, optional
        How many timesteps lie between what is fitted and what is held out, at least. Default: as
        many as the window has, if the recording was read in windows; of whole series read at once, as
        many as the concept needs to forget (its autocorrelation falls below 1 / e), but not more
        than half a fold; and not less than the longest lag.
    lags : int or sequence of int, default 0
        By how many timesteps the state may trail the concept: at lag 2, the state at t tells what the
        concept was at t − 2. n for -n to n, or a list.
    period : {"year", "month", "week", "day"} or float, optional
        What the calendar repeats after: by the dates, or a number of timesteps; 0 for none.
        Default: ``"year"``, if there are dates of two years or more.
    shifts : int, default 200
        How many moved targets there are. 0: no null, and no p-values.
    seed : int, default 0
        Seed of the shifts.

    Returns
    -------
    Probe
        Its ``table``, the ``score`` of each fold, and the held-out ``prediction``, which every view
        takes as a track. Of variants, tables have a first column ``variant``, a Categorical in their
        order, and predictions a first dimension ``variant``. ``table.attrs`` has ``gap``, ``period``,
        ``lags``, ``shifts``, ``seed``, ``cells`` (how many) and ``complete``, False if it was
        interrupted and concepts are missing.

    Warns
    -----
    UserWarning
        If it was interrupted, if examples overlap, or if it can't be told whether they do.

    Raises
    ------
    TypeError, ValueError
        If an argument doesn't fit, or nothing is left to fit.
    ModuleNotFoundError
        If a concept is yes/no and scikit-learn isn't installed.

    See Also
    --------
    rank_cells : every cell by itself, for many concepts.

    Notes
    -----
    That cell states of an LSTM trained on discharge only can be read as snow and soil water is what
    Lees et al. 2022 (Hydrology and Earth System Sciences 26, 3079-3101) found, by linear probes.
    Logistic regressions need the states themselves. Of a recording with more than there is room for
    (32 MiB) they are fitted on some of the timesteps, evenly spaced; the result says on how many.
    Numbers come from sums of products of states (Gram matrices) over stretches of time, of which
    every training part is made: all folds, penalties and moved targets cost one reading. They are
    those of scikit-learn's ``StandardScaler`` and ``Ridge`` to 1e-6.

    Examples
    --------
    >>> quoted = lw.concepts.inside_double_quotes
    >>> found = lw.probe(recording, quoted, signal="hidden_state", shifts=20)
    >>> best = found.table[found.table["protocol"] == "best cell"].iloc[0]
    >>> best["cells"], float(best["score"])
    ((1,), 1.0)
    """
    how: dict[str, Any] = {
        "layer": layer,
        "signal": signal,
        "cells": cells,
        "groups": groups,
        "step": step,
        "folds": folds,
        "gap": gap,
        "lags": lags,
        "period": period,
        "shifts": shifts,
        "seed": seed,
    }
    expect_recording("recording", recording, several=True)
    if layer is None:  # of variants, the first of each may be another one
        how["layer"] = usual_layer(recording, signal, as_many_cells=False)
    if not isinstance(recording, Variants):
        return _probe(recording, concepts, **how)
    found: dict[str, Probe] = {}
    for name, one in recording.items():
        try:
            found[name] = _probe(one, concepts, **how)
        except KeyboardInterrupt:
            if not found:
                raise
            warnings.warn(
                f"interrupted: {len(found)} of {len(recording)} variants are probed", stacklevel=2
            )
            break
        if not found[name].table.attrs["complete"]:
            break
    return by_variant(found, recording.names)


def _probe(
    recording: Recording,
    concepts: Concepts,
    *,
    layer: str | None,
    signal: str,
    cells: Sequence[int] | npt.NDArray[np.integer[Any]] | None,
    groups: Any,
    step: int | None,
    folds: int,
    gap: int | None,
    lags: int | Sequence[int],
    period: str | float | None,
    shifts: int,
    seed: int,
) -> Probe:
    from tqdm.auto import tqdm  # noqa: PLC0415

    asked = Asked.of(
        recording,
        concepts,
        layer=layer,
        signal=signal,
        cells=cells,
        groups=groups,
        step=step,
    )
    folds, shifts = expect_whole("folds", folds, 2), expect_whole("shifts", shifts, 0)
    gap = None if gap is None else expect_whole("gap", gap, 0)
    if any(track.attrs["kind"] == "yes_no" for track in asked.tracks.values()):
        logistic.need()
    if asked.origin.told and groups is None and step is None:
        warnings.warn(asked.origin.told, stacklevel=3)
    chosen = standard_lags(lags, [int(n) for n in asked.mask.sum(axis=1)])
    calendar = period_of(asked, period)
    rng = np.random.default_rng(seed)
    moves = Moves.of(asked, calendar, rng, shifts)
    apart, why = distance(asked, chosen, folds, gap)
    tables = ProbeTables(asked.mask, calendar, chosen, shifts)
    complete = True
    with tqdm(total=0, desc="probing", unit="fold") as bar:
        for names, there in asked.alike(chosen):
            try:
                _probe_alike(
                    asked,
                    (names, there),
                    lags=chosen,
                    count=folds,
                    gap=apart,
                    moves=moves,
                    tables=tables,
                    bar=bar,
                )
            except KeyboardInterrupt:
                if not tables.done:
                    raise
                complete = False
                done = len(tables.done)
                several = "concept is" if done == 1 else "concepts are"
                warnings.warn(f"interrupted: {done} {several} probed", stacklevel=3)
                break
    table, score, prediction = tables.result(list(map(str, asked.tracks)))
    table.attrs |= {
        "gap": apart,
        "period": calendar.name,
        "lags": chosen.tolist(),
        "shifts": shifts,
        "seed": seed,
        "cells": len(asked.cells),
        "complete": complete,
    }
    held = f"{tables.sentence}, {apart} timestep{'s' * (apart != 1)} apart{why}"
    where = {name: c for name, c in asked.dataset.coords.items() if "cell" not in c.dims}
    keep = {name: c for name, c in where.items() if name in ("time", "label", "position")}
    prediction = prediction.assign_coords(keep)
    return Probe(table, score, prediction, asked.layer, signal, held)


def _probe_alike(
    asked: Asked,
    concepts: tuple[list[str], npt.NDArray[np.bool_]],
    *,
    lags: Places,
    count: int,
    gap: int,
    moves: Moves,
    tables: ProbeTables,
    bar: Any,
) -> None:
    """Probe concepts that are known at the same timesteps."""
    names, there = concepts
    if not there.any():
        for name in names:
            tables.nothing(name, asked.tracks[name].attrs["kind"], "nothing is said")
        return
    rows = asked.rows(there)
    period = moves.period.only(there, rows)
    targets = []
    for name in names:
        kind = asked.tracks[name].attrs["kind"]
        lagged = [asked.lagged(name, lag, there) for lag in lags.tolist()]
        null = moves.null(asked, (name, kind, lagged[0]), rows, there, period)
        targets.append(Target(name, kind, mean_of(lagged[0]), lagged, null))
    folds, sentence = held_out(asked, rows=rows, there=there, count=count, gap=gap)
    tables.sentence = tables.sentence or sentence
    probed = Probed(
        asked.dataset,
        str(asked.signal.name),
        rows,
        cells=asked.cells,
        folds=folds,
        period=period,
        targets=targets,
    )
    bar.total += folds.count * len(targets)
    bar.refresh()
    probed.read()
    if not probed.finite.any():
        raise ValueError(
            f"cells: expected cells with finite values, got none at any timestep of layer "
            f"{asked.layer!r} at which all of the {len(asked.cells)} have one"
        )
    designs = Designs(probed)
    if not designs.folds:
        raise ValueError(
            f"gap: {gap} timesteps around what is held out leave nothing to fit, of "
            f"{len(folds.atom)} timesteps in {folds.count} folds; more folds= or a smaller gap= would"
        )
    fitted: list[FittedTarget] = []
    interrupted = False
    try:
        for one, sums in zip(targets, probed.targets, strict=True):
            with_calendar = bool(period.name)
            with parallel.alone():  # products are many, and small
                fitted.append(
                    FittedTarget(designs, one, sums, calendar=with_calendar, advance=bar.update)
                )
    except KeyboardInterrupt:
        if not fitted:
            raise
        interrupted = True
    weights = np.concatenate([one.weights for one in fitted], axis=2)
    intercept = np.concatenate([one.intercept for one in fitted], axis=1)
    scored = [Scored(designs, one) for one in fitted]
    predicted = [
        Prediction(asked, there, probed, one, scores, lags)
        for one, scores in zip(fitted, scored, strict=True)
    ]
    for part, read in probed.predict(weights, intercept):
        each = np.split(read, len(fitted), axis=1)
        for scores, prediction, said in zip(scored, predicted, each, strict=True):
            scores.add(part, said)
            prediction.add(part, said[:, 0])
    for done, scores, prediction in zip(fitted, scored, predicted, strict=True):
        tables.add(designs, done, scores, prediction.variable())
    if interrupted:
        raise KeyboardInterrupt
