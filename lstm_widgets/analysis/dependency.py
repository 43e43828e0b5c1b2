# Models, and what they read and return, are of many types: Any.
# ruff: noqa: ANN401
"""Dependency: how strongly each prediction depends on each token, or channel, that was read before."""

from __future__ import annotations

import functools
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
import xarray as xr

from lstm_widgets.analysis.indices import in_range
from lstm_widgets.analysis.occlusion import OfSeries, Replacement, is_series
from lstm_widgets.analysis.relevance import times_at, token_grid, with_channels
from lstm_widgets.analysis.scores import expect_forecast, predicted
from lstm_widgets.analysis.windows import read_windows
from lstm_widgets.models.adapter import adapter_of
from lstm_widgets.models.inputs import expect_labels, expect_positive, warn_outside
from lstm_widgets.models.outputs import Output
from lstm_widgets.recording.times import with_time_index
from lstm_widgets.rnn.cells import plain_array
from lstm_widgets.running import texts
from lstm_widgets.running.given import Given
from lstm_widgets.running.series import straight

if TYPE_CHECKING:
    from collections.abc import Callable, Hashable, Iterator, Sequence

    import numpy.typing as npt

    from lstm_widgets.analysis.windows import Windows
    from lstm_widgets.models.adapter import Adapter
    from lstm_widgets.models.explaining import Batch, Explained, Pass
    from lstm_widgets.rnn.comparison import Check

    Floats = npt.NDArray[np.floating[Any]]
    Ids = npt.NDArray[np.intp]

__all__ = ["NORMS", "dependency", "magnitude"]

Of = Literal["logit", "probability", "loss"]
Norm = Literal["l2", "l2_squared", "l1", "maximum", "sum_of_roots"]

NORMS: dict[str, Callable[[npt.NDArray[Any]], npt.NDArray[Any]]] = {
    "l2": lambda gradient: np.sqrt((gradient**2).sum(axis=-1)),
    "l2_squared": lambda gradient: (gradient**2).sum(axis=-1),
    "l1": lambda gradient: np.abs(gradient).sum(axis=-1),
    "maximum": lambda gradient: np.abs(gradient).max(axis=-1),
    "sum_of_roots": lambda gradient: np.sqrt(np.abs(gradient)).sum(axis=-1),
}
"""What :func:`dependency` makes of the gradient with respect to one token's vector."""

#: By which power of the output's unit each is told.
_POWERS = {"l2_squared": 2.0, "sum_of_roots": 0.5}

# Values of a gradient with respect to one-hot vectors that are in memory at a time.
_ONE_HOT_VALUES = 1 << 24
# Bytes that calls take, roughly, while the way back is open.
_OPEN_BYTES = 1 << 28


def dependency(
    model: Any,
    inputs: Any,
    *,
    at: int | Sequence[int] | npt.NDArray[np.integer[Any]] | None = None,
    of: Of = "logit",
    target: Literal["predicted", "next"] | int | npt.NDArray[np.integer[Any]] | None = None,
    norm: Norm = "l2",
    wrt: Literal["embedding", "one_hot"] = "embedding",
    normalise: bool = False,
    method: Literal["gradient", "occlusion"] = "gradient",
    replace_with: Literal["zero", "mean", "blocks"] = "mean",
    stretch: int = 1,
    draws: int = 8,
    seed: int = 0,
    window: int | None = None,
    step: int | None = None,
    pad: Any = None,
    state: str | None = None,
    source: str | None = None,
    output: str | int | None = None,
    vocabulary: Any = None,
    unknown: int | str | None = None,
    tokens: Sequence[str] | Sequence[Sequence[str]] | None = None,
    labels: Sequence[str] | None = None,
    times: Any = None,
    channels: Sequence[str] | None = None,
    units: Mapping[str, str] | Sequence[str] | None = None,
    target_scaling: Any = None,
    batch_size: int | None = None,
    check: Check = "prefix",
    tolerance: float | None = None,
) -> xr.DataArray:
    r"""Tell how strongly the prediction at each timestep depends on each token, or channel of a series.

    It is the length of the gradient :math:`\partial y_{\tilde t} / \partial x_t` of an output at
    timestep :math:`\tilde t` with respect to the vector :math:`x_t` that the model makes of the
    token at timestep t.

    Two conventions are published. *Visualizing memorization in RNNs* (Madsen 2019, Distill,
    doi:10.23915/distill.00016) defines it for the desired output and one-hot vectors:
    ``of="logit", target="next", wrt="one_hot", norm="l2"``; the code that drew its figures squares:
    ``norm="l2_squared", normalise=True``. Some notebooks for comparing networks take the gradient
    of the loss, and sum up the square roots of its absolute values:
    ``of="loss", norm="sum_of_roots"``.

    Of a series, each channel stands by itself, and what was read is told by its lag: how many timesteps
    before the prediction. With ``method="occlusion"`` it is the change of the prediction, in its own
    unit, if the channel has other values there, after Zeiler & Fergus 2014 (arXiv:1311.2901): gradients
    tell what a small change would do, and are small where a model is saturated.

    Parameters
    ----------
    model : keras.Model or torch.nn.Module
        With outputs ``(example, timestep, class)`` or ``(example, class)``: a Keras 3 model (TensorFlow
        backend) whose last layer is a Dense, Activation, Softmax or recurrent one, or any PyTorch module.
    inputs : array, sequence or str
        A batch, as in :func:`lstm_widgets.record`. Or a text, with one axis less (ids ``(n,)``,
        one-hot ``(n, symbols)``, scaled ids ``(n, 1)``, or with ``vocabulary`` as it is written):
        one example of n timesteps. Of examples of several lengths, the rows and columns behind an
        example's end are NaN, and targets -1.
    at : int or sequence of int, optional
        The timesteps whose predictions are looked at, a stretch or any others; negative ones count
        from the end, of texts or series of several lengths from the end of each. Default: all that have
        one, which for a long text are many rows of many columns.
        A model with outputs ``(example, class)`` has one prediction for each example, at its last
        timestep.
    of : {"logit", "probability", "loss"}, default "logit"
        The output: ``"logit"``; ``"probability"`` or ``"loss"`` (cross-entropy, in
        nats) of a model with a softmax or sigmoid.
    target : {"predicted", "next"}, int, or array of int, optional
        Whose logit, probability or loss: ``"predicted"``, the class that the model predicts;
        ``"next"``, the token that really comes next (where there is none the result is NaN); a
        class; or an array of classes, one for each example or ``(example, timestep)`` for each
        timestep of the inputs.
        Default: ``"next"`` for the loss, else ``"predicted"``. A model with a single output has no
        choice of logit or probability, and for its loss takes an array of 0 and 1.
    norm : {"l2", "l2_squared", "l1", "maximum", "sum_of_roots"}, default "l2"
        What is made of a gradient g: ``"l2"`` :math:`\sqrt{\sum g_k^2}`, ``"l2_squared"``
        :math:`\sum g_k^2`, ``"l1"`` :math:`\sum |g_k|`, ``"maximum"`` :math:`\max |g_k|`,
        ``"sum_of_roots"`` :math:`\sum \sqrt{|g_k|}`.
    wrt : {"embedding", "one_hot"}, default "embedding"
        With respect to what: ``"embedding"``, the vector that the Embedding makes of a token;
        ``"one_hot"``, the one-hot vector of which it makes that (for a model without an Embedding
        there is no difference: its inputs are the vectors).
    normalise : bool, default False
        Whether to divide each row by its largest value.
    method : {"gradient", "occlusion"}, default "gradient"
        Of a series, how it is found out: by the gradient, or by putting something else into the place
        of a channel, and looking how far the prediction moves, up or down. That takes a run of the
        model for each channel and lag.
    replace_with : {"mean", "blocks", "zero"}, default "mean"
        Of occlusion: what takes the place. The channel's mean over all that was given, without padding
        and missing values; other stretches of the same channel, drawn at random, over which the change
        is averaged; or zeros.
    stretch : int, default 1
        Of occlusion: how many timesteps are replaced at once, counted back from the prediction. Each of
        their lags has the change that all of them make.
    draws : int, default 8
        Of occlusion by blocks: how many take the place one after the other.
    seed : int, default 0
        Of occlusion by blocks: what the draws follow from.
    window : int, optional
        W: the model reads a text, or a series, in windows, and the prediction at a timestep is the one
        after the W timesteps up to it; of several, each is an example. Default: it reads the inputs as
        they are.
    step : int, optional
        How many timesteps the windows are apart, as in :func:`lstm_widgets.record`; default 1.
    pad : int, str or array, optional
        What stands in front of the text in windows that begin before it, as in
        :func:`lstm_widgets.record`: every timestep then has a prediction. Padding has no column.
    state : str, optional
        The argument by which a PyTorch module takes the states from which it starts, as in
        :func:`lstm_widgets.record`.
    source : str, optional
        The name of the layer or input whose timesteps are meant, as in
        :func:`lstm_widgets.relevance`.
    output : str or int, optional
        Which output is looked at, of a model with several: its name or its index.
    vocabulary, unknown, tokens : as for record
        What stands at each timestep, as in :func:`lstm_widgets.record`: what ids stand for, or the
        tokens themselves.
    labels : sequence of str, optional
        One for each example, as in :func:`lstm_widgets.record`. They become a coordinate.
    times, channels, units : as for relevance
        When the timesteps of a series are, what its channels are called, and their units, as in
        :func:`lstm_widgets.relevance`.
    target_scaling : tuple or scaler, optional
        How the targets of a forecast were scaled, as in :func:`lstm_widgets.record`: what depends is then
        the forecast in physical units.
    batch_size : int, optional
        The most gradients that are computed at a time. Default: 256, or what the model prescribes;
        fewer where timesteps are many.
    check, tolerance : as for record
        As in :func:`lstm_widgets.relevance`.

    Returns
    -------
    xarray.DataArray
        ``(example, timestep, input_timestep)`` in the dtype in which the source computes (float32,
        float64), in the unit of the output over that of the vectors, never negative: row
        ``timestep`` is the prediction, column ``input_timestep`` the token. With ``window`` the
        columns are those of the text that are in any of the windows, NaN outside of a row's own; a
        text that has no window at a timestep has a row of NaN there.
        ``attrs["outputs"]``, ``["meaning"]`` and ``["output"]`` are as in :func:`lstm_widgets.relevance`.
        Coordinates: ``target`` ``(example, timestep)``, the class, -1 where it is unknown; if they
        are known, ``token`` ``(example, input_timestep)`` and, where classes are ids of the
        vocabulary, ``target_token`` ``(example, timestep)``.

        Of a series ``(example, timestep, lag, channel)``: ``lag`` 0 is the timestep of the prediction
        itself, NaN where the series hadn't begun. Negative lags, what comes after, are there only if
        the model reads that, too. ``.mean(["example", "timestep"])`` tells which channel counts how
        many timesteps back. Coordinates are ``channel``, ``unit`` ``(channel,)``, and, if times are
        known, ``time`` of the predictions and, where other timesteps were read, ``input_time``
        ``(timestep, lag)``. By occlusion it is in the unit of the output.

    Raises
    ------
    TypeError
        If ``model`` is neither, or an argument is of the wrong type.
    ValueError
        If an argument doesn't fit, or the model or the inputs have nothing to explain.
    UnsupportedLayerError
        If the logits are out of reach.
    SelfCheckError
        If a recurrent layer does something else than our loop, or the outputs that follow from the
        logits aren't those of the model.

    Warns
    -----
    UserWarning
        If it was interrupted; the array then has the examples, or predictions, that were done; by
        occlusion the rest is NaN.

    Examples
    --------
    >>> found = lw.dependency(model, "abcab", vocabulary="abc", at=[2, 3], target="next")
    >>> found.shape, found.target_token.values.tolist()
    ((1, 2, 5), [['a', 'b']])
    >>> found[0, 0, 3:].values.tolist()  # what comes after a prediction doesn't count for it
    [0.0, 0.0]

    Of a series, by channel and lag:

    >>> series = np.sin(np.arange(60, dtype="float32") / 5).reshape(1, 30, 2)
    >>> import keras
    >>> forecaster = keras.Sequential([keras.Input((30, 2)), keras.layers.LSTM(3), keras.layers.Dense(1)])
    >>> found = lw.dependency(forecaster, series, method="occlusion", stretch=5, channels=["rain", "cold"])
    >>> found.sel(channel="rain").sizes["lag"]
    30
    """
    adapter = adapter_of(model, state=state)
    expect_positive("window", window)
    expect_positive("step", step)
    _expect_one_of("of", of, ("logit", "probability", "loss"))
    _expect_one_of("norm", norm, tuple(NORMS))
    _expect_one_of("wrt", wrt, ("embedding", "one_hot"))
    _expect_one_of("method", method, ("gradient", "occlusion"))
    replacement = Replacement(replace_with, stretch, draws, seed)
    if isinstance(tokens, Mapping):
        raise TypeError("tokens: expected those of the inputs, not of layers; got a dict")
    given = Given(
        adapter,
        inputs,
        window=window,
        step=step,
        pad=pad,
        vocabulary=vocabulary,
        unknown=unknown,
        tokens=tokens,
        times=times,
        channels=channels,
        units=units,
    )
    labels = given.labels if labels is None else labels
    expect_labels(labels, given.examples)
    asked = _Asked(
        of=of,
        target=("next" if of == "loss" else "predicted") if target is None else target,
        norm=norm,
        wrt=wrt,
        normalise=normalise,
        replacement=replacement if method == "occlusion" else None,
        target_scaling=target_scaling,
    )
    chosen = _timesteps(at)
    explain = functools.partial(
        adapter.explained,
        source=source,
        output=output,
        batch_size=batch_size,
        check=check,
        tolerance=tolerance,
    )
    if window is not None:
        windows = read_windows(given, chosen)
        part = _Part(given, windows.inputs, given.whole, windows=windows)
        return _labelled(_found(asked, explain(part.read), part)[0], labels)
    parts, first, groups = [], 0, given.groups()
    for rows, whole in groups:  # of several, each those of one length
        read = whole
        if chosen is not None and _reads_forwards(adapter, output):
            # What comes after the last of the predictions doesn't matter.
            last = in_range("at", chosen, whole.shape[1], "timesteps").max()
            read = whole[:, : last + 1]
        part = _Part(given, read, whole, rows=rows, first=first)
        found, interrupted = _found(asked, explain(read), part, chosen)
        parts.append(found)
        if interrupted:
            break
        first += len(rows)
    return _labelled(parts[0] if len(groups) == 1 else _joined(parts, given), labels)


def _labelled(found: xr.DataArray, labels: Sequence[str] | None) -> xr.DataArray:
    """Tell what examples are called."""
    if labels is None:
        return found
    names = np.array([labels[k] for k in found["example"].values], object)
    return found.assign_coords(label=("example", names))


@dataclass(frozen=True)
class _Asked:
    """What is asked, as :func:`dependency` takes it; without a replacement, of gradients."""

    of: Of
    target: Any
    norm: Norm
    wrt: str
    normalise: bool
    replacement: Replacement | None
    target_scaling: Any


@dataclass(frozen=True)
class _Part:
    """What is read at once, of all that was given.

    Attributes
    ----------
    given : Given
        All of it.
    read, whole : object
        What the model is called with, and that without having been cut.
    rows : int array (example,), optional
        If these are some of the examples: which.
    first : int
        The first of them, in reading order.
    windows : Windows, optional
        If texts or series are read in windows: these.
    """

    given: Given
    read: Any
    whole: Any
    rows: Ids | None = None
    first: int = 0
    windows: Windows | None = None

    @property
    def some(self) -> bool:
        """Whether there are others, of another length."""
        return self.rows is not None and len(self.rows) < self.given.examples

    def at_timesteps(self, explained: Explained, target: Any) -> Ids | None:
        """Tell the class of each prediction, as :func:`_classes`."""
        if self.rows is not None and self.some and np.ndim(target):
            target = np.asarray(target)[self.rows]
        cut = self.read is not self.whole and explained.tokens is not None
        classes = _classes(explained, target, self.whole if cut else explained.tokens)
        if self.windows is None or classes is None:
            return classes
        ends = self.windows.ends
        if not cut:
            return classes
        of_ends = classes[self.windows.series, ends]
        if isinstance(target, str):  # behind the end of a text nothing comes next
            of_ends[ends == self.given.counts[self.windows.series] - 1] = -1
        return of_ends[:, None]


def _found(
    asked: _Asked, explained: Explained, part: _Part, chosen: Ids | None = None
) -> tuple[xr.DataArray, bool]:
    """Find out what is asked of one part; tell whether that was interrupted."""
    given, windows = part.given, part.windows
    if asked.of != "logit" and explained.activation not in ("softmax", "sigmoid"):
        raise ValueError(
            f"of: expected 'logit', because the model doesn't end with a softmax or sigmoid; got "
            f"{asked.of!r}"
        )
    classes = part.at_timesteps(explained, asked.target)
    series = is_series(given, explained)
    occlusion = None
    if asked.replacement is not None:
        if not series:
            raise ValueError(
                f"method: expected 'gradient', because what {explained.source.name!r} takes is no series "
                "of numbers; got 'occlusion'"
            )
        asked.replacement.expect(explained, series=True)
        adapter = part.given.adapter
        occlusion = OfSeries.of(
            *(asked.replacement, adapter, given, explained), windows=windows, first=part.first
        )
    work = _Work(
        explained,
        asked,
        chosen,
        last=windows is not None,
        channels=series,
        occlusion=occlusion,
    )
    values, targets = work.all_rows(classes)
    values = work.in_physical_units(values, targets)
    made = _of_series if series else _of_tokens
    found = made(values, targets, work, part)
    if part.some:
        assert part.rows is not None  # noqa: S101  (some of the examples)
        found = found.assign_coords(example=part.rows[: found.sizes["example"]])
    return found, work.interrupted


def _of_tokens(values: Floats, targets: Ids, work: _Work, part: _Part) -> xr.DataArray:
    """Tell what each token has ``(example, row, input timestep)``."""
    given, windows, rows = part.given, part.windows, work.chosen
    columns = np.arange(values.shape[2])
    if windows is not None:
        values, columns = _placed(values[:, 0], windows)
        rows, (values, targets) = _by_series(windows, values, targets[:, 0])
    elif part.read is not part.whole:
        columns = np.arange(part.whole.shape[1])
        values = np.pad(values, ((0, 0), (0, 0), (0, len(columns) - values.shape[2])))
    if work.asked.normalise:
        values = _normalised(values, (2,))
    coords: dict[Hashable, Any] = {
        "example": np.arange(len(values)),
        "timestep": rows,
        "input_timestep": columns,
        "target": (("example", "timestep"), work.told(targets)),
    }
    if given.tokens is not None:
        tokens = given.tokens[part.first : part.first + len(values)]
        if part.some:  # without what fills them up
            tokens = [row[: len(columns)] for row in tokens]
        whole = given.text or windows is not None
        grid = token_grid(tokens, part.whole.shape[1] if whole else len(columns))
        coords["token"] = (("example", "input_timestep"), grid[:, columns])
    names = given.names
    if names is not None and work.classes == len(names.tokens):
        coords["target_token"] = (("example", "timestep"), names.decode(targets))
    dims = ("example", "timestep", "input_timestep")
    return xr.DataArray(values, dims=dims, coords=coords, name="dependency", attrs=work.attrs)


def _of_series(values: Floats, targets: Ids, work: _Work, part: _Part) -> xr.DataArray:
    """Tell what each channel has ``(example, row, timestep, channel)`` by its lag."""
    given, rows = part.given, work.chosen
    at = rows
    if part.windows is not None:
        values, targets = values[:, 0], targets[:, 0]
        rows, (values, targets) = _by_series(part.windows, values, targets)
        at = np.full(len(rows), values.shape[2] - 1)  # each window ends at its prediction
    count = values.shape[2]
    lags = np.arange(at.min() - count + 1, at.max() + 1)
    places = at[:, None] - lags
    there = (places >= 0) & (places < count) & (lags <= rows[:, None])
    places = np.clip(places, 0, count - 1)
    values = np.take_along_axis(values, places[None, :, :, None], axis=2)
    values[:, ~there] = np.nan
    kept = lags >= 0
    if np.nan_to_num(values[:, :, ~kept]).any():  # it reads what comes later, too
        kept[:] = True
    values, lags = values[:, :, kept], lags[kept]
    if work.asked.normalise:
        values = _normalised(values, (2, 3))
    coords: dict[Hashable, Any] = {
        "example": np.arange(len(values)),
        "timestep": rows,
        "lag": lags,
        "target": (("example", "timestep"), work.told(targets)),
    }
    dims = ("example", "timestep", "lag", "channel")
    found = xr.DataArray(values, dims=dims, coords=coords, name="dependency", attrs=work.attrs)
    if work.method == "occlusion" and work.classes == 1 and given.series is not None:
        found.attrs |= {"units": given.series.other_unit} if given.series.other_unit else {}
    found = with_channels(found, given)
    return found if part.some else _with_times(found, given)


def _with_times(found: xr.DataArray, given: Given) -> xr.DataArray:
    """Tell when predictions are, and what they depend on; examples in reading order."""
    steps, lags = found["timestep"].values, found["lag"].values
    times = {"time": times_at(given, steps)}
    read = np.unique(np.clip(steps[:, None] - lags, 0, None))
    if not np.isin(read, steps).all():
        times["input_time"] = times_at(given, steps, lags=lags)
    examples = found.sizes["example"]
    known = {
        name: time[:examples] if "example" in time.dims else time
        for name, time in times.items()
        if time is not None
    }
    return with_time_index(found.assign_coords(known))


def _normalised(values: Floats, axes: tuple[int, ...]) -> Floats:
    """Divide by the largest value along some axes: zeros stay zeros, NaN stays NaN."""
    largest = np.nanmax(values, axis=axes, keepdims=True, initial=0)
    result: Floats = values / np.where(largest > 0, largest, 1)
    return result


def magnitude(gradient: Floats, norm: Norm, embeddings: Floats | None = None) -> Floats:
    """Make one number of the gradient with respect to each token's vector.

    Parameters
    ----------
    gradient : numpy.ndarray
        Floats ``(..., dimension)``.
    norm : str
        One of :data:`NORMS`.
    embeddings : numpy.ndarray, optional
        Vectors by id, floats ``(symbols, dimension)``, to go on to the gradient with respect to one-hot
        vectors: each of its values is the product of the gradient and one symbol's vector.

    Returns
    -------
    numpy.ndarray
        Floats ``(...)``.
    """
    if embeddings is None:
        return NORMS[norm](gradient)
    flat = gradient.reshape(-1, gradient.shape[-1])
    at_once = max(1, _ONE_HOT_VALUES // len(embeddings))
    parts = [
        NORMS[norm](flat[k : k + at_once] @ embeddings.T) for k in range(0, len(flat), at_once)
    ]
    return np.concatenate(parts).reshape(gradient.shape[:-1])


class _Work:
    """What is asked, and the rows that answer it.

    Attributes
    ----------
    chosen : numpy.ndarray
        The timesteps whose predictions are looked at, once the first batch has run.
    classes : int
        How many classes the model tells apart, by then.
    method : str
        How it is found out.
    interrupted : bool
        Whether something is missing, because it was interrupted.
    """

    def __init__(
        self,
        explained: Explained,
        asked: _Asked,
        chosen: Ids | None,
        *,
        last: bool,
        channels: bool,
        occlusion: OfSeries | None,
    ) -> None:
        self._explained = explained
        self.asked = asked
        self._of, self._norm = asked.of, asked.norm
        self._embeddings = explained.embeddings if asked.wrt == "one_hot" else None
        self._chosen = chosen
        self._last = last
        self._channels = channels
        self._occlusion = occlusion
        self.method = "gradient" if occlusion is None else "occlusion"
        self.chosen = np.zeros(0, np.intp)
        self.classes = 0
        self.interrupted = False

    @property
    def attrs(self) -> dict[str, Any]:
        """What was asked, and what the model says."""
        explained = self._explained
        attrs: dict[str, Any] = {"of": self._of, "norm": self._norm, "wrt": self.asked.wrt}
        if self._occlusion is not None:
            asked = self._occlusion.replacement
            attrs = {"of": self._of, "replace_with": asked.what, "stretch": asked.stretch}
        if self._channels:
            attrs["method"] = self.method
        attrs["source"] = explained.source.name
        attrs |= {"outputs": self.classes, "meaning": explained.meaning(self.classes)}
        if explained.output is not None:
            attrs["output"] = explained.output
        return attrs

    def told(self, targets: Ids) -> Ids:
        """Give the classes that predictions are of; of a forecast there is only one."""
        only = self.classes == 1 and self._explained.meaning(1) == "values"
        return np.minimum(targets, 0) if only else targets

    def in_physical_units(self, values: Floats, targets: Ids) -> Floats:
        """Give what forecasts ``(example, row)`` have as if they had never been scaled."""
        scaling = self.asked.target_scaling
        if scaling is None:
            return values
        expect_forecast(scaling, forecast=self._explained.meaning(self.classes) == "values")
        names = [f"output {k}" for k in range(self.classes)]
        step = np.abs(straight("target_scaling", scaling, names)[1])
        power = 1.0 if self._occlusion is not None else _POWERS.get(self._norm, 1.0)
        factor = step[self.told(np.maximum(targets, 0))] ** power
        factor = factor.reshape(*factor.shape, *[1] * (values.ndim - factor.ndim))
        return np.asarray(values * factor, values.dtype)

    def all_rows(self, classes: Ids | None) -> tuple[Floats, Ids]:
        """Compute all rows of all batches, or as many as there is patience for.

        Returns
        -------
        tuple
            As :meth:`rows`.
        """
        parts: list[tuple[Floats, Ids]] = []
        explained = self._explained
        with explained.states_as_found():
            try:
                for batch in explained.batches("dependency"):
                    here = None if classes is None else classes[batch.rows]
                    parts.append(self.rows(batch, here))
            except KeyboardInterrupt:
                if not parts:
                    raise
                self.interrupted = True
        values, targets = (np.concatenate(part) for part in zip(*parts, strict=True))
        if len(values) < explained.count:
            what = "windows" if self._last else "examples"
            warn_outside(f"interrupted: these are the first {len(values)} {what}")
        return values, targets

    def rows(self, batch: Batch, classes: Ids | None) -> tuple[Floats, Ids]:
        """Compute all rows of a batch.

        Returns
        -------
        tuple
            Magnitudes ``(example, row, input timestep)``, of a series ``(example, row, input timestep,
            channel)``, and the classes ``(example, row)``.
        """
        explained = self._explained
        first = explained.run(batch)
        logits = np.asarray(first.logits)
        over_time = logits.ndim == 3
        if not over_time:
            logits = logits[:, None]
        self.chosen = self._timesteps(first.source.shape[1], logits.shape[1], over_time=over_time)
        places = self.chosen if over_time else np.zeros(1, np.intp)
        if classes is None:
            targets = predicted(logits[:, places])
        else:
            targets = classes if classes.shape[1] == 1 else classes[:, self.chosen]
            count = max(2, logits.shape[2])
            if (targets >= count).any():
                raise ValueError(
                    f"target: expected classes below {count}, the model's; got {targets.max()}"
                )
        self.classes = logits.shape[2]
        if self._occlusion is not None:
            changes = self._changes(batch, first, targets, places, over_time=over_time)
            return changes, targets
        read = plain_array(first.source)
        result = np.empty((*targets.shape, *read.shape[1 : 3 if self._channels else 2]), read.dtype)
        ready = 0
        try:
            for these in self._stretches(first, len(targets), len(places)):
                copies = len(these)
                done = first if copies == 1 else explained.run(explained.joined([batch] * copies))
                score = explained.score(
                    done,
                    np.maximum(targets[:, these].T.ravel(), 0),
                    np.repeat(places[these], len(targets)) if over_time else None,
                    self._of,
                )
                gradient = plain_array(done.back(score)[0])
                gradient = gradient[..., None] if self._channels else gradient
                values = magnitude(gradient, self._norm, self._embeddings)
                values = values.reshape(copies, len(targets), *result.shape[2:])
                result[:, these] = values.swapaxes(0, 1)
                ready = these.stop
        except KeyboardInterrupt:
            if not ready or len(targets) < explained.count:
                raise
            self.interrupted = True
            warn_outside(f"interrupted: these are the first {ready} predictions")
            self.chosen = self.chosen[:ready]
            result, targets = result[:, :ready], targets[:, :ready]
        result[targets < 0] = np.nan
        return result, targets

    def _changes(
        self, batch: Batch, first: Pass, targets: Ids, places: Ids, *, over_time: bool
    ) -> Floats:
        """Tell how far predictions move without stretches of channels, as :meth:`rows`."""
        explained, occlusion = self._explained, self._occlusion
        assert occlusion is not None  # noqa: S101  (asked for)
        asked, x = occlusion.replacement, plain_array(first.source)
        examples, timesteps, channels = x.shape
        ends = self.chosen if over_time else np.array([timesteps - 1])

        def scores(done: Pass, copies: int) -> Floats:
            """Give the scores ``(variant, example, row)``."""
            each = [
                explained.score(
                    done,
                    np.tile(np.maximum(targets[:, k], 0), copies),
                    np.full(copies * examples, place) if over_time else None,
                    self._of,
                )
                for k, place in enumerate(places)
            ]
            found = np.stack([plain_array(one) for one in each], axis=-1)
            return found.reshape(copies, examples, -1)

        before = scores(first, 1)[0]
        result = np.zeros((*targets.shape, timesteps, channels), x.dtype)
        # The last timestep of a stretch, and the predictions from which it is counted back.
        counted = {
            stop - 1: np.flatnonzero((ends - stop + 1) % asked.stretch == 0)
            for stop in range(timesteps, 0, -1)
        }
        variants = [
            (stop, channel, draw)
            for stop, rows in counted.items()
            if len(rows)
            for channel in range(channels)
            for draw in range(asked.times)
        ]
        at_once = self._at_once(first, examples)
        starts: Any = range(0, len(variants), at_once)
        if len(starts) > 1 and examples == explained.count:
            from tqdm.auto import tqdm  # noqa: PLC0415

            starts = tqdm(starts, desc="dependency", unit="stretch", leave=False)
        ready = 0
        try:
            for start in starts:
                these = variants[start : start + at_once]
                values = np.tile(x, (len(these), 1, 1, 1))
                for k, (last, channel, draw) in enumerate(these):
                    begin = max(0, last + 1 - asked.stretch)
                    other = occlusion.values(batch.rows, begin, last + 1, channel, draw)
                    values[k, :, begin : last + 1, channel] = other
                done = explained.run(
                    explained.joined([batch] * len(these)),
                    values=values.reshape(-1, timesteps, channels),
                    kept={name: np.concatenate([m] * len(these)) for name, m in first.kept.items()},
                )
                for (last, channel, _), after in zip(these, scores(done, len(these)), strict=True):
                    begin, rows = max(0, last + 1 - asked.stretch), counted[last]
                    change = np.abs(after - before)[:, rows] / asked.times
                    result[:, rows, begin : last + 1, channel] += change.T[..., None]
                ready = start + len(these)
        except KeyboardInterrupt:
            if not ready or examples < explained.count:
                raise
            self.interrupted = True
            for last, channel, _ in variants[ready:]:
                begin = max(0, last + 1 - asked.stretch)
                result[:, counted[last], begin : last + 1, channel] = np.nan
            warn_outside(
                f"interrupted: {ready} of {len(variants)} runs were done, of the last timesteps before the "
                "predictions; what is further back is NaN"
            )
        result[targets < 0] = np.nan
        return result

    def _stretches(self, first: Pass, examples: int, count: int) -> Iterator[range]:
        """Cut the predictions of a batch into as many as are computed at a time."""
        explained, at_once = self._explained, self._at_once(first, examples)
        starts: Any = range(0, count, at_once)
        # Of several batches, these are what is waited for.
        if len(starts) > 1 and examples == explained.count:
            from tqdm.auto import tqdm  # noqa: PLC0415

            starts = tqdm(starts, desc="dependency", unit="stretch", leave=False)
        for start in starts:
            yield range(start, min(start + at_once, count))

    def _at_once(self, first: Pass, examples: int) -> int:
        """Tell how many calls of a batch run at a time."""
        explained = self._explained
        if explained.fixed:
            return 1
        # What the way back needs of a timestep: its vector and logits, and what made its states.
        source = plain_array(first.source)
        each = source.shape[2] + first.logits.shape[-1] + 16 * explained.states
        room = _OPEN_BYTES // (examples * source.shape[1] * each * source.itemsize)
        return max(1, min(int(room), explained.batch_size // examples))

    def _timesteps(self, inputs: int, outputs: int, *, over_time: bool) -> Ids:
        """Choose the timesteps whose predictions are looked at."""
        if over_time:
            if self._chosen is not None:
                return in_range("at", self._chosen, outputs, "timesteps")
            return np.arange(outputs)[-1:] if self._last else np.arange(outputs)
        if self._chosen is not None and set(self._chosen.tolist()) - {-1, inputs - 1}:
            raise ValueError(
                f"at: expected {inputs - 1}, the only timestep after which the model predicts; "
                f"got {self._chosen.tolist()}"
            )
        return np.array([inputs - 1])


# What is asked ------------------------------------------------------------------------------------


def _expect_one_of(argument: str, value: Any, known: Sequence[str]) -> None:
    if value not in known:
        raise ValueError(
            f"{argument}: expected one of {', '.join(map(repr, known))}; got {value!r}"
        )


def _timesteps(at: Any) -> Ids | None:
    if at is None:
        return None
    chosen = np.atleast_1d(np.asarray(at))
    if chosen.dtype.kind not in "iu" or chosen.ndim != 1 or not chosen.size:
        raise TypeError(f"at: expected one or more whole numbers, got {at!r:.80}")
    return chosen.astype(np.intp)


def _reads_forwards(model: Adapter, output: str | int | None) -> bool:
    """Tell whether what comes after a prediction is known not to matter, and may be left out."""
    shape, made = model.input_shape, Output(model, output).shape
    free = shape is not None and shape[1] is None and made is not None and len(made) == 3
    return free and not texts.obstacle(model)


def _joined(parts: Sequence[xr.DataArray], given: Given) -> xr.DataArray:
    """Put together the dependencies of examples of several lengths, NaN behind their ends."""
    nothing = {"dependency": np.nan, "target": -1, "token": "", "target_token": ""}
    joined = xr.concat(
        [part.to_dataset() for part in parts], "example", join="outer", fill_value=nothing
    )
    found = joined["dependency"].assign_attrs(parts[0].attrs)
    if given.series is not None and "channel" in found.dims:
        found = _with_times(found, given)
    return found.sortby("example")


def _classes(explained: Explained, target: Any, tokens: Any) -> Ids | None:
    """Tell the class at each timestep ``(example, timestep)``, -1 if unknown; None: predicted."""
    if isinstance(target, str):
        _expect_one_of("target", target, ("predicted", "next"))
        if target == "predicted":
            return None
        if len(explained.source.leaves) > 1:
            raise ValueError(
                f"target: expected 'predicted' or classes, because {explained.source.name!r} reads "
                f"several inputs, so that the next tokens are unknown; got 'next'"
            )
        ids = None if tokens is None else _ids(np.asarray(tokens), explained)
        if ids is None:
            raise ValueError(
                f"target: expected classes, because the inputs of {explained.source.name!r} are no "
                f"ids and not one-hot, so that the next tokens are unknown; got 'next'"
            )
        return np.concatenate([ids[:, 1:], np.full((len(ids), 1), -1)], axis=1)
    classes = np.asarray(target)
    if classes.dtype.kind not in "iu" or (classes < 0).any():
        raise ValueError(f"target: expected classes from 0, got {target!r:.80}")
    examples, timesteps = (explained.count, 1) if tokens is None else np.shape(tokens)[:2]
    if classes.shape == (examples,):
        classes = classes[:, None]
    if classes.shape not in ((), (examples, 1), (examples, timesteps)):
        raise ValueError(
            f"target: expected one class, one for each of {examples} examples, or an array "
            f"(example, timestep) of shape {(examples, timesteps)}; got shape {classes.shape}"
        )
    return np.broadcast_to(classes, (examples, timesteps)).astype(np.intp)


def _ids(tokens: npt.NDArray[Any], explained: Explained) -> Ids | None:
    if explained.source.layer is not None:
        return tokens.astype(np.intp)
    one_hot = ((tokens == 0) | (tokens == 1)).all() and (tokens.sum(axis=-1) == 1).all()
    return tokens.argmax(axis=-1) if one_hot and tokens.shape[-1] > 1 else None


def _placed(values: Floats, windows: Windows) -> tuple[Floats, Ids]:
    """Put each window's values ``(window, timestep)`` where it stands in its text."""
    ends, length = windows.ends[: len(values)], values.shape[1]
    columns = np.arange(ends.min() - length + 1, ends.max() + 1)
    placed = np.full((len(ends), len(columns)), np.nan, values.dtype)
    for row, end in enumerate(ends):
        start = end - length + 1 - columns[0]
        placed[row, start : start + length] = values[row]
    real = columns >= 0  # padding is no token
    return placed[:, real], columns[real]


def _by_series(windows: Windows, values: Floats, targets: Ids) -> tuple[Ids, tuple[Floats, Ids]]:
    """Give each series its rows ``(series, row, ...)``, of values and targets of windows.

    Where one has none, values are NaN, and targets -1.
    """
    series, ends = windows.series[: len(values)], windows.ends[: len(values)]
    rows, number = np.unique(ends, return_inverse=True)
    shape = (int(series.max()) + 1, len(rows))
    placed = np.full((*shape, *values.shape[1:]), np.nan, values.dtype)
    told = np.full(shape, -1, targets.dtype)
    placed[series, number], told[series, number] = values, targets
    return rows, (placed, told)
