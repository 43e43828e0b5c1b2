# Models, and what they read and return, are of many types: Any.
# ruff: noqa: ANN401
"""How far relevance can be trusted: whether it finds the tokens that count."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Literal

import numpy as np
import xarray as xr

from lstm_widgets.analysis.occlusion import OfSeries, Replacement
from lstm_widgets.analysis.scores import expect_forecast, standard_at, standard_indices
from lstm_widgets.analysis.windows import read_windows
from lstm_widgets.models.adapter import adapter_of
from lstm_widgets.models.inputs import expect_positive
from lstm_widgets.rnn.comparison import TOLERANCES, difference
from lstm_widgets.running.given import Given
from lstm_widgets.running.series import straight

if TYPE_CHECKING:
    from collections.abc import Sequence

    import numpy.typing as npt

    from lstm_widgets.models.explaining import Batch, Explained, Pass
    from lstm_widgets.rnn.comparison import Check

    Floats = npt.NDArray[np.floating[Any]]
    Bools = npt.NDArray[np.bool_]

__all__ = ["deletion_curve", "pointing_game"]


def pointing_game(relevance: xr.Dataset, truth: npt.ArrayLike) -> xr.DataArray:
    """Tell of each example whether the most relevant token is one of those that matter.

    The most relevant token is the one with the largest value, the one that speaks most for the
    target. Where tokens share the largest value, the share of them that matter is returned: a
    method that gives 0 to all points nowhere, and gets what guessing gets. The game is that of Zhang et
    al. 2016 (arXiv:1608.00507), which Poerner et al. 2018 (arXiv:1801.06422) play with texts.

    Parameters
    ----------
    relevance : xarray.Dataset
        What :func:`lstm_widgets.relevance` returns.
    truth : array of bool (example, timestep)
        Which tokens matter; of a series which channels when, ``(example, timestep, channel)``. Padding
        doesn't, whatever is said of it.

    Returns
    -------
    xarray.DataArray
        ``hit`` float64 ``(method, example)``, from 0 to 1: 1 where a method points at a token that
        matters, 0 where it doesn't; so ``.mean("example")`` is its score. NaN where there is no game:
        no token matters, or relevance is NaN. The coordinates of examples are kept.

    Raises
    ------
    TypeError
        If ``relevance`` isn't such a dataset, or ``truth`` isn't bool.
    ValueError
        If ``truth`` is of another shape.

    Examples
    --------
    >>> found = lw.relevance(model, "abcab", vocabulary="abc", methods=["lrp", "sensitivity"])
    >>> lw.pointing_game(found, found.token.values == "c").dims
    ('method', 'example')
    >>> lw.pointing_game(found, np.ones((1, 5), bool)).values.tolist()  # wherever it points
    [[1.0], [1.0]]
    """
    values, real, dims = _parts(relevance)
    matters = np.asarray(truth)
    if matters.dtype != np.bool_:
        raise TypeError(f"truth: expected bool, got dtype {matters.dtype}")
    shape = tuple(relevance.sizes[dim] for dim in dims)
    if matters.shape != shape:
        raise ValueError(f"truth: expected shape {shape} ({', '.join(dims)}), got {matters.shape}")
    matters = matters.reshape(real.shape) & real
    seen = np.where(real, values, -np.inf)
    best = (seen == seen.max(axis=2, keepdims=True)) & real
    # Nothing equals NaN, so that an example with a NaN has no best token.
    played = best.any(axis=2) & matters.any(axis=1)
    hit = np.full(played.shape, np.nan)
    np.divide((best & matters).sum(axis=2), best.sum(axis=2), out=hit, where=played)
    coords = {
        name: c for name, c in relevance.coords.items() if not {"timestep", "channel"} & {*c.dims}
    }
    return xr.DataArray(hit, coords, ("method", "example"), "hit")


def deletion_curve(
    model: Any,
    inputs: Any,
    relevance: xr.Dataset,
    *,
    at: int | Sequence[int] | npt.NDArray[np.integer[Any]] | None = None,
    limit: int = 10,
    replace_with: Literal["zero", "mean"] | int = "zero",
    seed: int = 0,
    output: str | int | None = None,
    window: int | None = None,
    step: int | None = None,
    pad: Any = None,
    state: str | None = None,
    vocabulary: Any = None,
    unknown: int | str | None = None,
    tokens: Any = None,
    target_scaling: Any = None,
    batch_size: int | None = None,
    check: Check = "prefix",
    tolerance: float | None = None,
) -> xr.DataArray:
    """Take the most relevant tokens away, one after the other, and see the score fall.

    The better a method tells what the score rests on, the faster it falls. In random order is how
    it falls if nothing is known. Words are taken away so by Arras et al. 2016 (arXiv:1606.07298), parts of
    images by Samek et al. 2017 (arXiv:1509.06321). Of a series, what goes are single values: those of
    one channel at one timestep.

    Parameters
    ----------
    model, inputs, window, step, pad, state, vocabulary, unknown : as for relevance
        Those that the relevance is of.
    relevance : xarray.Dataset
        What :func:`lstm_widgets.relevance` returned for them, of an output (not of a cell).
    at : int, or array of int (example,), optional
        The timestep that the relevance is of, as :func:`lstm_widgets.relevance` was told.
    limit : int, default 10
        How many tokens, or values of a series, to take away at most.
    replace_with : "zero", "mean" or int, default "zero"
        What takes the place of a token: ``"zero"``, zeros for its vector, with masks as they were;
        or an id, that of padding, say, which the model masks as it does. Of a value of a series:
        ``"zero"``, or the ``"mean"`` of its channel.
    seed : int, default 0
        What the random order follows from.
    output : str or int, optional
        Which output, of a model with several. Default: the one that the relevance is of.
    batch_size : int, optional
        How many examples run at a time, the same with more or fewer tokens among them. Default:
        256, or what the model prescribes.
    target_scaling : as for relevance
        As :func:`lstm_widgets.relevance` was told; the curve is then in the same physical units.
    tokens : None
        None: a curve doesn't show any, those of the relevance stay with it.
    check, tolerance : as for relevance
        As in :func:`lstm_widgets.relevance`.

    Returns
    -------
    xarray.DataArray
        ``score`` ``(method, example, removed)``, in the dtype and unit of ``relevance.score``, with one
        method more, ``"random"``: the score of ``relevance.target`` after ``removed`` tokens, 0 to
        ``limit``, are gone. Larger relevance goes first, of equal ones the earlier. NaN where an example
        has no more tokens to take away, or its relevance is NaN. The coordinates of examples are kept.

    Raises
    ------
    TypeError, ValueError
        If an argument doesn't fit, or the scores of ``relevance`` aren't those of this model and
        these inputs.
    UnsupportedLayerError, SelfCheckError
        As :func:`lstm_widgets.relevance`.

    Examples
    --------
    >>> found = lw.relevance(model, "abcab", vocabulary="abc", methods="sensitivity")
    >>> curve = lw.deletion_curve(model, "abcab", found, limit=2, vocabulary="abc")
    >>> curve.shape, curve.method.values.tolist()
    ((2, 1, 3), ['sensitivity', 'random'])
    >>> bool(abs(curve.sel(removed=0) - found.score).max() < 1e-6)  # nothing is gone yet
    True
    """
    values, real, dims = _parts(relevance)
    if "target" not in relevance:
        raise ValueError(
            "relevance: expected that of an output, got that of cell "
            f"{relevance.attrs.get('cell')} of layer {relevance.attrs.get('layer')!r}"
        )
    expect_positive("limit", limit)
    replacement = Replacement(replace_with)
    if replacement.what == "blocks":
        raise ValueError("replace_with: expected 'zero', 'mean' or an id, got 'blocks'")
    adapter = adapter_of(model, state=state)
    output = relevance.attrs.get("output") if output is None else output
    expect_positive("window", window)
    expect_positive("step", step)
    if tokens is not None:
        raise ValueError(
            f"tokens: expected None, because a curve has no tokens (those of the relevance stay with "
            f"it); got {tokens!r:.80}"
        )
    series = "channel" in dims
    given = Given(
        *(adapter, inputs),
        window=window,
        step=step,
        pad=pad,
        vocabulary=vocabulary,
        unknown=unknown,
        channels=relevance["channel"].values.tolist() if series else None,
    )
    groups, windows = given.groups(), None
    if window is not None:
        windows = read_windows(given)
        groups = [(np.arange(len(windows.ends)), windows.inputs)]
    count = sum(len(group) for group, _ in groups)
    if count != len(real):
        what = "examples" if window is None else "windows"
        raise ValueError(f"inputs: expected {len(real)} {what}, got {count}")
    places = standard_indices("at", at, count)
    chance = np.random.default_rng(seed).random((1, *real.shape))
    turns = _turns(np.concatenate([values, chance]), real)
    scores = np.full((*turns.shape[:2], limit + 1), np.nan, relevance["score"].dtype)
    for group, some in groups:
        explained = adapter.explained(
            some,
            source=relevance.attrs["source"],
            output=output,
            batch_size=batch_size,
            check=check,
            tolerance=tolerance,
        )
        replacement.expect(explained, series=series)
        other: Floats | int = 0
        if replacement.needs_series:
            other = OfSeries.of(replacement, adapter, given, explained, windows=windows).means
        elif replacement.needs_ids:
            other = int(replace_with)
        with explained.states_as_found():
            for batch in explained.batches("deletion"):
                rows = group[batch.rows]
                removal = _Removal(
                    *(explained, batch, relevance.isel(example=rows)),
                    at=None if places is None else places[rows],
                    other=other,
                    ids=replacement.needs_ids,
                    scaling=target_scaling,
                    tolerance=tolerance,
                )
                scores[:, rows] = removal.scores(turns[:, rows], limit, channels=series)
    undefined = np.isnan(np.where(real, values, 0)).any(axis=2)
    scores[:-1][undefined] = np.nan
    # More than there are tokens can't be taken away.
    scores[:, real.sum(axis=1)[:, None] < np.arange(limit + 1)] = np.nan
    coords = {name: c for name, c in relevance.coords.items() if c.dims == ("example",)}
    methods = [*relevance["method"].values.tolist(), "random"]
    return xr.DataArray(
        scores,
        {**coords, "method": methods, "removed": np.arange(limit + 1)},
        ("method", "example", "removed"),
        "score",
    )


class _Removal:
    """One batch whose tokens go one after the other."""

    def __init__(
        self,
        explained: Explained,
        batch: Batch,
        of: xr.Dataset,
        *,
        at: npt.NDArray[np.intp] | None,
        other: Floats | int,
        ids: bool,
        scaling: Any,
        tolerance: float | None,
    ) -> None:
        self._explained, self._batch, self._other, self._ids = explained, batch, other, ids
        self._target = of["target"].values
        self._first = explained.run(batch)
        self._at = standard_at(self._first, at)
        self._zero, self._step = _scaling(explained, self._first, scaling, self._target)
        found = self._scores(self._first, 1)
        given = of["score"].values
        if difference(found, given) > (tolerance or TOLERANCES[found.dtype.name]):
            raise ValueError(
                "relevance: expected that of this model and these inputs (of outputs over time: at the "
                "timesteps that at= tells, by default the last; of forecasts in physical units: with "
                "their target_scaling=), got one whose scores differ from theirs by up to "
                f"{np.abs(found - given).max():.3g}"
            )

    def _scores(self, done: Pass, copies: int) -> Floats:
        """Give the scores of some copies, in the unit of those of the relevance."""
        at = None if self._at is None else np.tile(self._at, copies)
        found = np.asarray(self._explained.score(done, np.tile(self._target, copies), at))
        told = found * np.tile(self._step, copies) + np.tile(self._zero, copies)
        return np.asarray(told, found.dtype)

    def scores(self, turns: npt.NDArray[np.intp], limit: int, *, channels: bool) -> Floats:
        """Give the scores ``(method, row, removed)``, as many variants at a time as fit."""
        methods, rows, _ = turns.shape
        _, timesteps, dimensions = self._first.source.shape
        # Of tokens whole vectors go, of a series the values of single channels.
        shape = (rows, int(timesteps), int(dimensions) if channels else 1)
        turns = turns[..., : shape[1] * shape[2]]  # examples of this length
        variants = [(m, k) for m in range(methods) for k in range(limit + 1)]
        at_once = 1 if self._explained.fixed else max(1, self._explained.batch_size // rows)
        parts = [
            self._without([(turns[m] < k).reshape(shape) for m, k in variants[start:][:at_once]])
            for start in range(0, len(variants), at_once)
        ]
        return np.concatenate(parts).reshape(methods, limit + 1, rows).swapaxes(1, 2)

    def _without(self, gone: list[Bools]) -> Floats:
        """Run some variants, each without what is gone of it: bool ``(row, timestep, channel or 1)``."""
        first, copies = self._first, len(gone)
        batches, values, kept = [self._batch] * copies, None, None
        if not self._ids:
            x = np.asarray(first.source)
            values = np.concatenate(
                [np.where(g, np.asarray(self._other, x.dtype), x) for g in gone]
            )
            kept = {name: np.concatenate([m] * copies) for name, m in first.kept.items()}
        else:
            ids = np.asarray(self._explained.tokens_of(self._batch))
            batches = [
                self._explained.with_tokens(self._batch, np.where(g[..., 0], self._other, ids))
                for g in gone
            ]
        done = self._explained.run(self._explained.joined(batches), values=values, kept=kept)
        return self._scores(done, copies)


def _scaling(
    explained: Explained, done: Pass, scaling: Any, target: npt.NDArray[np.intp]
) -> tuple[Floats, Floats]:
    """Tell what a score of 0 stands for, and a step of 1, of each example."""
    if scaling is None:
        return np.zeros(len(target)), np.ones(len(target))
    outputs = int(done.logits.shape[-1])
    expect_forecast(scaling, forecast=explained.meaning(outputs) == "values")
    zero, step = straight("target_scaling", scaling, [f"output {k}" for k in range(outputs)])
    return zero[target], step[target]


def _parts(relevance: xr.Dataset) -> tuple[Floats, Bools, tuple[str, ...]]:
    """Take out relevance ``(method, example, place)``, what isn't padding, and what places are.

    A place is a timestep, or of a series a channel at a timestep.
    """
    if not isinstance(relevance, xr.Dataset) or not {"relevance", "score"} <= set(relevance):
        raise TypeError(
            "relevance: expected the dataset that lstm_widgets.relevance returns, got "
            f"{type(relevance).__name__}"
        )
    found = relevance["relevance"]
    dims = ("example", "timestep", *(("channel",) if "channel" in found.dims else ()))
    values = found.transpose("method", *dims).values
    real = np.ones(values.shape[1:], np.bool_)
    if "mask" in relevance:
        mask = relevance["mask"].transpose("example", "timestep").values
        real &= mask.reshape(*mask.shape, *[1] * (real.ndim - 2))
    flat = (values.shape[1], int(np.prod(values.shape[2:])))
    return values.reshape(len(values), *flat), real.reshape(flat), dims


def _turns(values: Floats, real: Bools) -> npt.NDArray[np.intp]:
    """Tell when it is each token's turn to go, from 0; behind all of them where it is padding."""
    order = np.argsort(np.where(real, -values, np.inf), axis=2, kind="stable")
    turns = np.empty(values.shape, np.intp)
    np.put_along_axis(turns, order, np.arange(values.shape[2])[None, None], axis=2)
    return np.where(real, turns, values.shape[2])
