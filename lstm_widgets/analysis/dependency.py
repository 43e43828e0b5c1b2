# Models, and what they read and return, are of many types: Any.
# ruff: noqa: ANN401
"""Dependency: how strongly each prediction depends on each token that the model has read."""

from __future__ import annotations

import warnings
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
import xarray as xr

from lstm_widgets.analysis.indices import in_range
from lstm_widgets.analysis.relevance import token_grid
from lstm_widgets.analysis.scores import predicted
from lstm_widgets.analysis.windows import read_windows
from lstm_widgets.models.adapter import adapter_of
from lstm_widgets.models.inputs import expect_positive, leaves
from lstm_widgets.models.outputs import Output
from lstm_widgets.rnn.cells import plain_array
from lstm_widgets.running import texts
from lstm_widgets.running.given import Given

if TYPE_CHECKING:
    from collections.abc import Callable, Hashable, Iterator, Sequence

    import numpy.typing as npt

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
    window: int | None = None,
    pad: Any = None,
    source: str | None = None,
    output: str | int | None = None,
    vocabulary: Any = None,
    unknown: int | str | None = None,
    tokens: Sequence[str] | Sequence[Sequence[str]] | None = None,
    batch_size: int | None = None,
    check: Check = "prefix",
    tolerance: float | None = None,
) -> xr.DataArray:
    r"""Tell how strongly the prediction at each timestep depends on each token.

    It is the length of the gradient :math:`\partial y_{\tilde t} / \partial x_t` of an output at
    timestep :math:`\tilde t` with respect to the vector :math:`x_t` that the model makes of the
    token at timestep t.

    Two conventions are published. *Visualizing memorization in RNNs* (Madsen 2019, Distill,
    doi:10.23915/distill.00016) defines it for the desired output and one-hot vectors:
    ``of="logit", target="next", wrt="one_hot", norm="l2"``; the code that drew its figures squares:
    ``norm="l2_squared", normalise=True``. Some notebooks for comparing networks take the gradient
    of the loss, and sum up the square roots of its absolute values:
    ``of="loss", norm="sum_of_roots"``.

    Parameters
    ----------
    model : keras.Model
        A Keras 3 model (TensorFlow backend) with outputs ``(example, timestep, class)`` or
        ``(example, class)``, whose last layer is a Dense, Activation, Softmax or recurrent one.
    inputs : array, sequence or str
        A batch, as in :func:`lstm_widgets.record`. Or a text, with one axis less (ids ``(n,)``,
        one-hot ``(n, symbols)``, scaled ids ``(n, 1)``, or with ``vocabulary`` as it is written):
        one example of n timesteps. Of examples of several lengths, the rows and columns behind an
        example's end are NaN, and targets -1.
    at : int or sequence of int, optional
        The timesteps whose predictions are looked at, a stretch or any others; negative ones count
        from the end. Default: all that have one, which for a long text are many rows of many columns.
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
    window : int, optional
        W: the model reads a text in windows, and the prediction at a timestep is the one after the
        W tokens up to it. Default: it reads the inputs as they are.
    pad : int, str or array, optional
        What stands in front of the text in windows that begin before it, as in
        :func:`lstm_widgets.record`: every timestep then has a prediction. Padding has no column.
    source : str, optional
        The name of the layer or input whose timesteps are meant, as in
        :func:`lstm_widgets.relevance`.
    output : str or int, optional
        Which output is looked at, of a model with several: its name or its index.
    vocabulary, unknown, tokens : as for record
        What stands at each timestep, as in :func:`lstm_widgets.record`: what ids stand for, or the
        tokens themselves.
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
        columns are those of the text that are in any of the windows, NaN outside of a row's own.
        ``attrs["outputs"]``, ``["meaning"]`` and ``["output"]`` are as in :func:`lstm_widgets.relevance`.
        Coordinates: ``target`` ``(example, timestep)``, the class, -1 where it is unknown; if they
        are known, ``token`` ``(example, input_timestep)`` and, where classes are ids of the
        vocabulary, ``target_token`` ``(example, timestep)``.

    Raises
    ------
    TypeError
        If ``model`` is no Keras model, or an argument is of the wrong type.
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
        If it was interrupted; the array then has the examples, or predictions, that were done.

    Examples
    --------
    >>> found = lw.dependency(model, "abcab", vocabulary="abc", at=[2, 3], target="next")
    >>> found.shape, found.target_token.values.tolist()
    ((1, 2, 5), [['a', 'b']])
    >>> found[0, 0, 3:].values.tolist()  # what comes after a prediction doesn't count for it
    [0.0, 0.0]
    """
    adapter = adapter_of(model)
    expect_positive("window", window)
    _expect_one_of("of", of, ("logit", "probability", "loss"))
    _expect_one_of("norm", norm, tuple(NORMS))
    _expect_one_of("wrt", wrt, ("embedding", "one_hot"))
    if isinstance(tokens, Mapping):
        raise TypeError("tokens: expected those of the inputs, not of layers; got a dict")
    given = Given(
        adapter,
        inputs,
        window=window,
        pad=pad,
        vocabulary=vocabulary,
        unknown=unknown,
        tokens=tokens,
    )
    names, whole, chosen, ends = given.names, given.whole, _timesteps(at), None
    groups = given.groups()  # of examples of several lengths
    if len(groups) > 1:
        options: dict[str, Any] = {"at": at, "of": of, "target": target, "norm": norm, "wrt": wrt}
        options |= {"normalise": normalise, "source": source, "batch_size": batch_size}
        options["output"] = output
        options |= {"vocabulary": vocabulary, "unknown": unknown}
        options |= {"check": check, "tolerance": tolerance}
        return _by_length(model, groups, options, None if tokens is None else given.tokens)
    read = whole
    if window is not None:
        windows = read_windows(given, chosen)
        read, ends = windows.inputs, windows.ends
    elif chosen is not None and _reads_forwards(adapter, output):
        # What comes after the last of the predictions doesn't matter.
        chosen = in_range("at", chosen, whole.shape[1], "timesteps")
        read = whole[:, : chosen.max() + 1]
    explained = adapter.explained(
        read,
        source=source,
        output=output,
        batch_size=batch_size,
        check=check,
        tolerance=tolerance,
    )
    if of != "logit" and explained.activation not in ("softmax", "sigmoid"):
        raise ValueError(
            f"of: expected 'logit', because the model doesn't end with a softmax or sigmoid; got "
            f"{of!r}"
        )
    if target is None:
        target = "next" if of == "loss" else "predicted"
    at_source = explained.tokens if read is whole or explained.tokens is None else whole
    classes = _classes(explained, target, at_source)
    if ends is not None and classes is not None:
        classes = classes[0, ends, None]

    work = _Work(explained, of, norm, wrt, chosen if ends is None else None, last=ends is not None)
    values, targets = work.all_rows(classes)
    columns, rows = np.arange(values.shape[2]), work.chosen
    if ends is not None:
        rows = ends[: len(values)]
        values, columns = _placed(values[:, 0], rows)
        values, columns = values[:, columns >= 0], columns[columns >= 0]  # padding is no token
        values, targets = values[None], targets[:, 0][None]
    elif read is not whole:
        columns = np.arange(whole.shape[1])
        values = np.pad(values, ((0, 0), (0, 0), (0, len(columns) - values.shape[2])))
    if normalise:
        largest = np.nanmax(values, axis=2, keepdims=True, initial=0)
        values = values / np.where(largest > 0, largest, 1)  # zeros stay zeros, NaN stays NaN
    coords: dict[Hashable, Any] = {
        "example": np.arange(len(values)),
        "timestep": rows,
        "input_timestep": columns,
        "target": (("example", "timestep"), targets),
    }
    if work.classes == 1 and explained.meaning(1) == "values":
        coords["target"] = (("example", "timestep"), np.minimum(targets, 0))  # the only one
    if given.tokens is not None:
        grid = token_grid(given.tokens, whole.shape[1] if given.text else len(columns))
        coords["token"] = (("example", "input_timestep"), grid[: len(values), columns])
    if names is not None and work.classes == len(names.tokens):
        coords["target_token"] = (("example", "timestep"), names.decode(targets))
    attrs: dict[str, Any] = {"of": of, "norm": norm, "wrt": wrt}
    attrs["source"] = explained.source.name
    attrs |= {"outputs": work.classes, "meaning": explained.meaning(work.classes)}
    if explained.output is not None:
        attrs["output"] = explained.output
    return xr.DataArray(
        values,
        dims=("example", "timestep", "input_timestep"),
        coords=coords,
        name="dependency",
        attrs=attrs,
    )


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
    """

    def __init__(
        self, explained: Explained, of: Of, norm: Norm, wrt: str, chosen: Ids | None, *, last: bool
    ) -> None:
        self._explained = explained
        self._of = of
        self._norm = norm
        self._embeddings = explained.embeddings if wrt == "one_hot" else None
        self._asked = chosen
        self._last = last
        self.chosen = np.zeros(0, np.intp)
        self.classes = 0

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
        values, targets = (np.concatenate(part) for part in zip(*parts, strict=True))
        if len(values) < explained.count:
            what = "windows" if self._last else "examples"
            warnings.warn(f"interrupted: these are the first {len(values)} {what}", stacklevel=3)
        return values, targets

    def rows(self, batch: Batch, classes: Ids | None) -> tuple[Floats, Ids]:
        """Compute all rows of a batch.

        Returns
        -------
        tuple
            Magnitudes ``(example, row, input timestep)`` and the classes ``(example, row)``.
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
        result = np.empty((*targets.shape, first.source.shape[1]), plain_array(first.source).dtype)
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
                values = magnitude(gradient, self._norm, self._embeddings)
                result[:, these] = values.reshape(copies, len(targets), -1).swapaxes(0, 1)
                ready = these.stop
        except KeyboardInterrupt:
            if not ready or len(targets) < explained.count:
                raise
            warnings.warn(f"interrupted: these are the first {ready} predictions", stacklevel=4)
            self.chosen = self.chosen[:ready]
            result, targets = result[:, :ready], targets[:, :ready]
        result[targets < 0] = np.nan
        return result, targets

    def _stretches(self, first: Pass, examples: int, count: int) -> Iterator[range]:
        """Cut the predictions of a batch into as many as are computed at a time."""
        explained = self._explained
        # What the way back needs of a timestep: its vector and logits, and what made its states.
        each = first.source.shape[2] + first.logits.shape[-1] + 16 * explained.states
        room = _OPEN_BYTES // (examples * first.source.shape[1] * each * first.source.dtype.size)
        at_once = max(1, min(room, explained.batch_size // examples))
        at_once = 1 if explained.fixed else at_once
        starts: Any = range(0, count, at_once)
        # Of several batches, these are what is waited for.
        if len(starts) > 1 and examples == explained.count:
            from tqdm.auto import tqdm  # noqa: PLC0415

            starts = tqdm(starts, desc="dependency", unit="stretch", leave=False)
        for start in starts:
            yield range(start, min(start + at_once, count))

    def _timesteps(self, inputs: int, outputs: int, *, over_time: bool) -> Ids:
        """Choose the timesteps whose predictions are looked at."""
        if over_time:
            if self._asked is not None:
                return in_range("at", self._asked, outputs, "timesteps")
            return np.arange(outputs)[-1:] if self._last else np.arange(outputs)
        if self._asked is not None and set(self._asked.tolist()) - {-1, inputs - 1}:
            raise ValueError(
                f"at: expected {inputs - 1}, the only timestep after which the model predicts; "
                f"got {self._asked.tolist()}"
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


def _by_length(
    model: Any,
    groups: Sequence[tuple[Ids, Any]],
    options: Mapping[str, Any],
    tokens: Sequence[Sequence[str]] | None,
) -> xr.DataArray:
    """Put together the dependencies of examples of several lengths, NaN behind their ends."""
    parts, first = [], 0
    for rows, inputs in groups:
        some = dict(options)
        target = some["target"]
        if isinstance(target, (np.ndarray, list, tuple)) and np.ndim(target):
            some["target"] = np.asarray(target)[rows]
        if tokens is not None:
            length = np.shape(leaves(inputs)[0])[1]
            some["tokens"] = [row[:length] for row in tokens[first : first + len(rows)]]
        part = dependency(model, inputs, **some)
        parts.append(part.assign_coords(example=rows[: part.sizes["example"]]))
        first += len(rows)
    nothing = {"dependency": np.nan, "target": -1, "token": "", "target_token": ""}
    joined = xr.concat(
        [part.to_dataset() for part in parts], "example", join="outer", fill_value=nothing
    )
    return joined["dependency"].assign_attrs(parts[0].attrs).sortby("example")


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


def _placed(values: Floats, ends: Ids) -> tuple[Floats, Ids]:
    """Put each window's values ``(window, timestep)`` where it stands in the text."""
    length = values.shape[1]
    columns = np.arange(ends.min() - length + 1, ends.max() + 1)
    placed = np.full((len(ends), len(columns)), np.nan, values.dtype)
    for row, end in enumerate(ends):
        start = end - length + 1 - columns[0]
        placed[row, start : start + length] = values[row]
    return placed, columns
