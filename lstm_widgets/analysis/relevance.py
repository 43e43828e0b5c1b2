# Models, and what they read and return, are of many types: Any.
# ruff: noqa: ANN401
"""Relevance: how much each token, or channel of a series, counts for one output of a model, or one cell."""

from __future__ import annotations

import warnings
from collections.abc import Mapping
from dataclasses import asdict
from typing import TYPE_CHECKING, Any, Literal, TypeVar

import numpy as np
import xarray as xr

from lstm_widgets.analysis.occlusion import OfSeries, Replacement, is_series
from lstm_widgets.analysis.relevance_methods import GAPS, METHODS, BatchRelevance
from lstm_widgets.analysis.scores import expect_forecast, standard_indices
from lstm_widgets.analysis.windows import read_windows
from lstm_widgets.models.adapter import adapter_of
from lstm_widgets.models.explaining import CellState
from lstm_widgets.models.inputs import expect_labels, expect_positive, warn_outside
from lstm_widgets.recording.times import with_time_index
from lstm_widgets.rnn.relevance_rules import Rule
from lstm_widgets.running.given import Given
from lstm_widgets.running.series import straight

if TYPE_CHECKING:
    from collections.abc import Hashable, Sequence

    import numpy.typing as npt

    from lstm_widgets.analysis.windows import Windows
    from lstm_widgets.models.explaining import Explained
    from lstm_widgets.rnn.comparison import Check

    Found = TypeVar("Found", xr.Dataset, xr.DataArray)

__all__ = ["relevance", "times_at", "token_grid", "with_channels"]


def relevance(
    model: Any,
    inputs: Any,
    *,
    methods: Sequence[str] | str = ("lrp", "sensitivity", "gradient_x_input"),
    target: int | Sequence[int] | npt.NDArray[np.integer[Any]] | None = None,
    at: int | Sequence[int] | npt.NDArray[np.integer[Any]] | None = None,
    layer: str | None = None,
    cell: int | None = None,
    signal: Literal["hidden_state", "cell_state"] = "hidden_state",
    source: str | None = None,
    output: str | int | None = None,
    window: int | None = None,
    step: int | None = None,
    pad: Any = None,
    state: str | None = None,
    vocabulary: Any = None,
    unknown: int | str | None = None,
    tokens: Sequence[str] | Sequence[Sequence[str]] | None = None,
    labels: Sequence[str] | None = None,
    times: Any = None,
    channels: Sequence[str] | None = None,
    units: Mapping[str, str] | Sequence[str] | None = None,
    target_scaling: Any = None,
    epsilon: float = 0.001,
    bias_factor: float = 0.0,
    steps: int = 50,
    replace_with: Literal["zero", "mean", "blocks"] | int = "zero",
    stretch: int = 1,
    draws: int = 8,
    seed: int = 0,
    per_dimension: bool = False,
    batch_size: int | None = None,
    check: Check = "prefix",
    tolerance: float | None = None,
) -> xr.Dataset:
    r"""Tell how much each token, or channel of a series, counts for a model's output, by several methods.

    What is explained is a score :math:`s` of each example: the logit of a class, what goes into the
    last softmax or sigmoid (of a linear output: the output itself). Or, with ``layer`` and ``cell``,
    the state of one cell at one timestep: which tokens wrote this value there.

    What it is traced back to are the vectors :math:`x_t` that the model makes of the tokens, what
    its Embedding returns, or its inputs where these are vectors. The model runs in inference mode,
    with its masks, on the inputs as they are: padding that the model sees, is explained as well.
    Of a token all dimensions :math:`k` are summed up. Of a series, what the model reads are the numbers
    of channels: there is one of each at each timestep, and no sum.

    ``"lrp"``
        Layer-wise relevance propagation by the epsilon rule, where gates take no relevance, after
        Arras et al. 2017 (arXiv:1706.07206); the rules are in :mod:`lstm_widgets.rnn.relevance_rules`.
        The score itself is what is shared out.
    ``"sensitivity"``
        :math:`\sum_k (\partial s / \partial x_{t,k})^2`, the squared length of the gradient. It
        says where the score would change, not in which direction.
    ``"gradient_x_input"``
        :math:`\sum_k x_{t,k}\, \partial s / \partial x_{t,k}`.
    ``"integrated_gradients"``
        :math:`\sum_k x_{t,k} \int_0^1 \partial s(\alpha x) / \partial x_{t,k}\, d\alpha`, with zero
        vectors as baseline (Sundararajan et al. 2017, arXiv:1703.01365), by Gauss-Legendre
        quadrature. Masks stay those of the inputs.
    ``"occlusion"``
        How much the score falls if :math:`x_t` is replaced by zeros, or the token by padding. Of a
        series, how much it falls if one channel :math:`x_{t,k}` is replaced, by ``replace_with``: the
        channels don't add up to what all of them do together.

    Parameters
    ----------
    model : keras.Model or torch.nn.Module
        With outputs ``(example, class)``, ``(example, 1)`` or ``(example, timestep, class)``.

        Of Keras 3 (TensorFlow backend), LRP goes through LSTM, GRU, SimpleRNN (stacked,
        Bidirectional, as sequences or not), Dense, Conv1D, average and maximum pooling over time,
        BatchNormalization, Normalization, LayerNormalization, Rescaling, a Lambda that scales,
        shifts and moves values or takes means of them, ZeroPadding1D, Add, Average, Concatenate,
        Multiply by a mask of 0 and 1, TimeDistributed, activation functions, and whatever only
        moves values about (Dropout, Flatten, Reshape, indexing ...), in Sequential and functional
        models; how normalization is gone through, see :mod:`lstm_widgets.models.keras.layer_rules`.
        The other methods take any model whose last layer is a Dense, Activation, Softmax or
        recurrent one, or is affine (a Rescaling, or a Lambda that is proved to be).

        Of PyTorch, any module, with whatever code of its own, and its packed sequences: LRP goes through
        LSTM, GRU and RNN (stacked, in both directions, projected), loops of their cells, linear maps and
        products with matrices, convolutions, sums, means and maxima over time, batch and layer
        normalization, products with masks, gates and the weights of attention, activation functions,
        and whatever only moves values about; what each function does, see
        :mod:`lstm_widgets.models.torch.rules`. Logits are what went into the last softmax, log_softmax,
        sigmoid or other activation; where there is none, they are what the module returns.
    inputs : array, sequence, dict or str
        What the model is called with, as in :func:`lstm_widgets.record`: integers ``(example,
        timestep)`` of a model that begins with an Embedding, floating point numbers ``(example,
        timestep, features)`` of one that reads vectors. A text, with one axis less or as it is
        written, is one example.
    methods : str or sequence of str, default ("lrp", "sensitivity", "gradient_x_input")
        Names among ``"lrp"``, ``"sensitivity"``, ``"gradient_x_input"``,
        ``"integrated_gradients"``, ``"occlusion"``.
    target : int, or array of int (example,), optional
        The class whose logit is explained: one for all examples or one for each, such as the true
        ones; of a forecast the number that is. Default: the class that the model predicts, of linear
        outputs the highest. A model with a single output has nothing to choose and takes no target:
        of a sigmoid, what is positive speaks for class 1; of a forecast, for a higher value.
    at : int, or array of int (example,), optional
        The timestep whose output is explained, one for all examples or one for each; negative ones
        count from the end. Default: of each example the last that isn't padding. For a cell: the
        input's timestep after which its state is explained; by default the last one that its layer
        reads.
    layer : str, optional
        Explain the state of a cell of this layer in place of an output: the layer's name as in a
        recording. Of a layer that the model calls several times, the name means all calls on one time
        axis, as in a recording: ``at`` counts on from one call to the next, and without it the state
        after the last call is explained. ``"lstm:2"`` is the second call, with timesteps of its own.
    cell : int, optional
        The cell's index. It comes with ``layer``.
    signal : {"hidden_state", "cell_state"}, default "hidden_state"
        Which of the cell's states.
    source : str, optional
        The name of the Embedding layer, of the input, or of any other layer (of PyTorch: module) with an
        output ``(example, timestep, features)``, whose timesteps are meant. Default: the only Embedding or
        input of vectors. Where a model's input has its timesteps elsewhere (a series ``(example,
        timestep)``, flat values that a layer cuts into timesteps, a video that goes through a
        TimeDistributed), it is that input, so cut; else (columns of an image, for example) the
        layer whose output the recurrent layers read. From a source inside of the model nothing goes
        back to what comes before it, or past it. Of an Embedding that is called several times, the
        name means all calls: tokens of several inputs stand one after the other, those of one input
        count in all calls that read it; ``"embedding:2"`` is its second call alone.
    output : str or int, optional
        Which output is explained, of a model with several: its name (the key in a dict of outputs,
        else the name of the layer that it comes from) or its index.
    window : int, optional
        How many timesteps of a text, or a series, the model reads at a time, as in
        :func:`lstm_widgets.record`: each window is an example of its own, with the timestep at which it
        ends as coordinate ``end``; of several texts, or series, those of the first come first, and the
        coordinate ``series`` tells which of them each is of.
    step : int, optional
        How many timesteps the windows are apart, as in :func:`lstm_widgets.record`; default 1.
    pad : int, str or array, optional
        What stands in front of the text in windows that begin before it, as in
        :func:`lstm_widgets.record`. It is masked.
    state : str, optional
        The argument by which a PyTorch module takes the states from which it starts, as in
        :func:`lstm_widgets.record`.
    vocabulary : sequence, mapping or layer, optional
        What ids stand for, as in :func:`lstm_widgets.record`. Tokens become a coordinate.
    unknown : int or str, optional
        What stands for tokens that the vocabulary doesn't have, as in :func:`lstm_widgets.record`.
    tokens : sequence of str, or of sequences of str, optional
        What stands at each timestep, as in :func:`lstm_widgets.record`. It becomes a coordinate.
    labels : sequence of str, optional
        One for each example; with ``window`` one for each text, or series, will do. They become a
        coordinate.
    times : sequence, optional
        When the timesteps of a series are, as in :func:`lstm_widgets.record`. They become a coordinate,
        as does the index of a table.
    channels : sequence of str, optional
        The names of the channels of a series, as in :func:`lstm_widgets.record`. Default: the columns of a
        table. They become a coordinate.
    units : sequence of str, or dict of str to str, optional
        The units of the channels, by their order or their names. They become a coordinate. In a dict,
        one name that isn't that of a channel tells the unit of a single forecast.
    target_scaling : tuple or scaler, optional
        How the targets of a forecast were scaled, as in :func:`lstm_widgets.record`: scores are then the
        forecasts in physical units, and relevance shares out what is above the mean, in the same unit.
    epsilon : float, default 0.001
        Of LRP: what keeps denominators away from 0, greater than 0, in the unit of what layers sum up.
    bias_factor : float, default 0.0
        Of LRP, from 0 to 1: with 1 biases and epsilon hand on their share and the score is conserved;
        with 0 it is dropped.
    steps : int, default 50
        How many gradients integrated gradients takes.
    replace_with : {"zero", "mean", "blocks"} or int, default "zero"
        Of occlusion. ``"zero"``: zeros take the place of a token's vector, or of a channel's values,
        masks stay. An id (that of padding, say): it takes the place of the token, and the model masks
        as it does. Of a series also ``"mean"``, the channel's mean over all examples without padding
        and missing values; or ``"blocks"``, other stretches of the same channel, drawn at random,
        over which the fall is averaged: what takes the place then looks like the channel.
    stretch : int, default 1
        Of occlusion: how many timesteps are replaced at once, counted back from the last one. They
        share the fall of the score.
    draws : int, default 8
        Of occlusion by blocks: how many take the place one after the other.
    seed : int, default 0
        Of occlusion by blocks: what the draws follow from.
    per_dimension : bool, default False
        Whether to keep what each dimension of tokens' vectors got, too.
    batch_size : int, optional
        How many examples run at a time. Default: 256, more if they are short, or what the model
        prescribes.
    check : {"prefix", "full", False}, default "prefix"
        How what recurrent layers do is held against what they do themselves, in each batch, as in
        :func:`lstm_widgets.record`.
    tolerance : float, optional
        How far they may be off, as in :func:`lstm_widgets.record`; and by how much the outputs that
        follow from the logits may differ from the model's.

    Returns
    -------
    xarray.Dataset
        In the dtype in which the source computes (float32, float64), and in the unit of the score:

        - ``relevance`` ``(method, example, timestep)``, of a series ``(method, example, timestep,
          channel)``; and with ``per_dimension`` ``relevance_per_dimension`` ``(method, example,
          timestep, dimension)``,
          which sums up to it (NaN for occlusion). One method is ``relevance.loc["lrp"]``, because
          xarray's ``sel(method=...)`` means something else. Sensitivity is in the unit of the score
          squared, over that of the vectors squared;
        - ``score`` ``(example,)``, and ``target`` int ``(example,)``, the class that it is of;
        - ``predicted`` int ``(example,)``, and for softmax and sigmoid ``confidence`` ``(example,)``,
          its probability (neither of a forecast);
        - ``elsewhere`` ``(method, example)``: relevance that LRP gave to initial states, and to
          other inputs of the model; NaN for other methods;
        - ``gap`` ``(method, example)``: what is missing of the score. LRP: score − Σ relevance −
          elsewhere, 0 at ``bias_factor=1``. Integrated gradients: score − baseline score − Σ
          relevance, 0 with enough steps. NaN for the other methods, which promise no sum;
        - ``doubtful`` bool ``(method, example)``: where the gap is so large that relevance says little,
          see :data:`lstm_widgets.analysis.relevance_methods.GAPS`;
        - ``mask`` bool ``(example, timestep)``, if some timesteps are padding.

        Of a series, ``channel`` has names, ``unit`` ``(channel,)`` units, and ``time`` ``(timestep,)``
        or ``(example, timestep)`` tells when each timestep is, if that is known. ``at`` ``(example,)`` are
        the timesteps whose output is explained, if they were asked for.

        ``target``, ``predicted`` and ``confidence`` are missing for a cell. ``attrs["outputs"]`` is
        how many logits the model has (with one, ``target`` is 0). ``attrs["meaning"]`` tells what
        they are: ``"classes"`` (of a softmax, a sigmoid, or of a model that was compiled with a loss
        that takes its outputs for logits; a single one is that of class 1), ``"values"``, a forecast
        (a single linear output, or several of a model that was compiled with another loss), or
        ``"unknown"``. ``attrs["output"]`` names the output, if the model has several.

    Raises
    ------
    TypeError
        If ``model`` is neither, or an argument is of the wrong type.
    ValueError
        If an argument doesn't fit, or the model or the inputs have nothing to explain.
    UnsupportedLayerError
        If LRP has no rule for a layer (the error names it and the methods that work), or the logits
        are out of reach.
    SelfCheckError
        If a recurrent layer does something else than our loop, or the outputs that follow from the
        logits aren't those of the model.

    Warns
    -----
    UserWarning
        If it was interrupted; the dataset then has the batches of examples that were done. If the
        relevance of some examples is doubtful.

    Examples
    --------
    >>> found = lw.relevance(model, "abcab", vocabulary="abc", methods="lrp", bias_factor=1)
    >>> found.relevance.loc["lrp"].shape, found.token.values.tolist()
    ((1, 5), [['a', 'b', 'c', 'a', 'b']])
    >>> bool(abs(found.gap.loc["lrp"]) < 1e-5)  # nothing of the score is lost
    True

    What wrote the state of a cell, after the third timestep:

    >>> written = lw.relevance(model, [[0, 1, 2, 0]], methods="lrp", layer="lstm", cell=1, at=2)
    >>> written.relevance.dims
    ('method', 'example', 'timestep')
    """
    asked = _standard_methods(methods)
    rule = Rule(
        _number("epsilon", epsilon, 0, above=True), _number("bias_factor", bias_factor, 0, 1)
    )
    _whole("steps", steps, 1)
    replacement = Replacement(replace_with, stretch, draws, seed)
    explained_cell = None
    if (layer is None) != (cell is None):
        raise ValueError(f"layer, cell: expected both or neither, got {layer!r} and {cell!r}")
    if layer is not None and cell is not None:
        if target is not None:
            raise ValueError(f"target: expected None for the state of a cell, got {target!r}")
        explained_cell = CellState(layer, _whole("cell", cell, 0), signal)
    adapter = adapter_of(model, state=state)
    if isinstance(tokens, Mapping):
        raise TypeError("tokens: expected those of the inputs, not of layers; got a dict")
    expect_positive("window", window)
    expect_positive("step", step)
    given = Given(
        *(adapter, inputs),
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
    groups, shown = given.groups(), given.tokens
    windows = None if window is None else read_windows(given)
    if windows is not None:
        groups = [(np.arange(len(windows.ends)), windows.inputs)]
        shown = None if shown is None else windows.tokens(shown)
    examples = sum(len(group) for group, _ in groups)
    labels = given.labels if labels is None else labels
    if windows is not None and labels is not None and len(labels) == given.examples:
        expect_labels(labels, given.examples)
        labels = [labels[k] for k in windows.series]
    expect_labels(labels, examples)
    targets = standard_indices("target", target, examples)
    places = standard_indices("at", at, examples)

    parts: list[dict[str, npt.NDArray[Any]]] = []
    first = 0
    try:
        for group, some in groups:
            explained = adapter.explained(
                some,
                source=source,
                cell=explained_cell,
                output=output,
                batch_size=batch_size,
                check=check,
                tolerance=tolerance,
            )
            series = is_series(given, explained)
            replacement.expect(explained, series=series)
            if per_dimension and series:
                raise ValueError(
                    "per_dimension: expected False, because relevance of a series is that of each "
                    f"channel, which are the dimensions of {explained.source.name!r}; got True"
                )
            of_series = None
            if series:
                of_series = OfSeries.of(
                    *(replacement, adapter, given, explained), windows=windows, first=first
                )
            first += len(group)
            with explained.states_as_found():
                for batch in explained.batches("relevance"):
                    rows = group[batch.rows]
                    work = BatchRelevance(
                        explained,
                        batch,
                        rule,
                        None if targets is None else targets[rows],
                        None if places is None else places[rows],
                        relevance="lrp" in asked,
                        of_series=of_series,
                    )
                    parts.append(work.results(asked, steps, replacement, per_dimension))
    except KeyboardInterrupt:
        if not parts:
            raise
        done = sum(len(part["score"]) for part in parts)
        which = "first" if len(groups) == 1 else "longest"
        warnings.warn(f"interrupted: these are the {which} {done} examples", stacklevel=2)
    dataset = _dataset(
        explained,
        asked,
        _of_one_length(parts) if len(groups) > 1 else parts,
        rule=rule,
        steps=steps,
        tokens=shown,
        labels=given.in_order(labels),
    )
    if of_series is not None:
        dataset = _of_series(dataset, given, windows)
    if windows is not None:
        dataset = _of_windows(dataset, windows, given.examples)
    if len(groups) > 1:
        order = np.concatenate([group for group, _ in groups])[: dataset.sizes["example"]]
        dataset = dataset.isel(example=np.argsort(order)).assign_coords(example=np.sort(order))
    if places is not None:
        ragged = len(groups) > 1 and "mask" in dataset
        dataset = _explained_at(dataset, places, ragged=ragged)
    forecast = explained_cell is None and explained.meaning(work.logits.shape[-1]) == "values"
    expect_forecast(target_scaling, forecast=forecast)
    if explained_cell is None:
        dataset.attrs["outputs"] = int(work.logits.shape[-1])
        dataset.attrs["meaning"] = explained.meaning(dataset.attrs["outputs"])
        if dataset.attrs["meaning"] == "values":
            if of_series is not None and dataset.attrs["outputs"] == 1:
                dataset["score"].attrs |= _units(given)
            dataset = dataset.drop_vars(["predicted", "confidence"], errors="ignore")
            if target_scaling is not None:
                dataset = _in_physical_units(dataset, target_scaling)
        if explained.output is not None:
            dataset.attrs["output"] = explained.output
    _warn_of_gaps(dataset)
    return dataset


# What is asked ------------------------------------------------------------------------------------


def _standard_methods(methods: Sequence[str] | str) -> tuple[str, ...]:
    asked = (methods,) if isinstance(methods, str) else tuple(methods)
    if not asked or len(set(asked)) < len(asked) or set(asked) - set(METHODS):
        raise ValueError(
            f"methods: expected different ones among {', '.join(map(repr, METHODS))}; "
            f"got {methods!r}"
        )
    return asked


def _number(
    argument: str, value: float, least: float, most: float = np.inf, *, above: bool = False
) -> float:
    if not isinstance(value, (int, float, np.number)) or isinstance(value, bool):
        raise TypeError(f"{argument}: expected a number, got {value!r}")
    if not (least < value if above else least <= value) or not value <= most:
        expected = f"greater than {least}" if above else f"from {least} to {most}"
        raise ValueError(f"{argument}: expected a number {expected}, got {value!r}")
    return float(value)


def _whole(argument: str, value: Any, least: int) -> int:
    if not isinstance(value, (int, np.integer)) or isinstance(value, bool):
        raise TypeError(f"{argument}: expected a whole number, got {value!r}")
    if value < least:
        raise ValueError(f"{argument}: expected {least} or more, got {value}")
    return int(value)


# What comes out -----------------------------------------------------------------------------------

_DIMS: dict[str, tuple[str, ...]] = {
    "relevance": ("method", "example", "timestep"),
    "relevance_per_dimension": ("method", "example", "timestep", "dimension"),
    "elsewhere": ("method", "example"),
    "gap": ("method", "example"),
    "doubtful": ("method", "example"),
    "mask": ("example", "timestep"),
}


def _dims(name: str, values: npt.NDArray[Any]) -> tuple[str, ...]:
    """Name the axes of a variable: relevance of a series is that of its channels."""
    dims = _DIMS.get(name, ("example",))
    return dims if len(dims) == values.ndim else (*dims, "channel")


def _dataset(
    explained: Explained,
    methods: Sequence[str],
    parts: Sequence[dict[str, npt.NDArray[Any]]],
    *,
    rule: Rule,
    steps: int,
    tokens: Sequence[Sequence[str]] | None,
    labels: Sequence[str] | None,
) -> xr.Dataset:
    variables: dict[Hashable, Any] = {}
    for name in dict.fromkeys(name for part in parts for name in part):
        dims = _dims(name, parts[0][name])
        axis = dims.index("example")
        variables[name] = (dims, np.concatenate([part[name] for part in parts], axis))
    if "mask" in variables and variables["mask"][1].all():
        del variables["mask"]
    examples, timesteps = variables["relevance"][1].shape[1:3]
    coords: dict[Hashable, Any] = {
        "method": list(methods),
        "example": np.arange(examples),
        "timestep": np.arange(timesteps),
    }
    if tokens is not None:
        coords["token"] = (("example", "timestep"), token_grid(tokens[:examples], timesteps))
    if labels is not None:
        coords["label"] = ("example", np.array(list(labels), object)[:examples])
    attrs: dict[str, Any] = {"source": explained.source.name}
    if explained.cell is not None:
        attrs |= asdict(explained.cell)
    if "lrp" in methods:
        attrs |= asdict(rule)
    if "integrated_gradients" in methods:
        attrs["steps"] = steps
    return xr.Dataset(variables, coords, attrs)


#: By which power of the score's unit each method is told.
_POWERS = {"sensitivity": 2}


def _in_physical_units(dataset: xr.Dataset, scaling: Any) -> xr.Dataset:
    """Give forecasts, and what is shared out of them, as they were before they were scaled."""
    names = [f"output {k}" for k in range(dataset.attrs["outputs"])]
    zero, step = straight("target_scaling", scaling, names)
    target = dataset["target"]
    powers = [_POWERS.get(method, 1) for method in dataset["method"].values.tolist()]
    steps = xr.DataArray(step[target.to_numpy()], {"example": target["example"]})
    factor = steps ** xr.DataArray(powers, {"method": dataset["method"]})
    told = dataset["score"]
    changed = {
        name: (values * factor).transpose(*values.dims).astype(values.dtype)
        for name, values in dataset.data_vars.items()
        if name in ("relevance", "relevance_per_dimension", "elsewhere", "gap")
    }
    forecast = (told * steps + zero[target.to_numpy()]).astype(told.dtype)
    return dataset.assign({**changed, "score": forecast.assign_attrs(told.attrs)})


def _of_series(dataset: xr.Dataset, given: Given, windows: Windows | None) -> xr.Dataset:
    """Tell what the channels of a series are, and when its timesteps."""
    dataset = with_channels(dataset, given)
    where = (None, None) if windows is None else (windows.timesteps, windows.series)
    time = times_at(given, *where)
    if time is None:
        return dataset
    if "example" in time.dims:
        time = time[: dataset.sizes["example"]]
    return with_time_index(dataset.assign_coords(time=time))


def with_channels(found: Found, given: Given) -> Found:
    """Name the channels of a series, and their units."""
    assert given.series is not None  # noqa: S101  (asked of a series only)
    units = np.array(given.series.units, object)
    return found.assign_coords(channel=list(given.series.names), unit=("channel", units))


def times_at(
    given: Given,
    timesteps: npt.NDArray[np.intp] | None = None,
    series: npt.NDArray[np.intp] | None = None,
    lags: npt.NDArray[np.intp] | None = None,
) -> xr.Variable | None:
    """Tell when the timesteps of series are, or some of them, wherever they stand.

    Parameters
    ----------
    given : Given
    timesteps : numpy.ndarray, optional
        Int ``(timestep,)``, those of all series; or ``(example, timestep)``, of which negative ones are
        padding, at no time.
    series : numpy.ndarray, optional
        Of which series each example is, int ``(example,)``.
    lags : numpy.ndarray, optional
        Int ``(lag,)``: tell it of as many timesteps before, which have an axis of their own.
    """
    assert given.series is not None  # noqa: S101  (asked of a series only)
    times = given.series.times
    if times is None:
        return None
    values = times.values
    dims: tuple[str, ...] = ("timestep",)
    if timesteps is not None:
        if lags is not None:
            timesteps, dims = timesteps[..., None] - lags, ("timestep", "lag")
        count = values.shape[-1]
        real = np.clip(timesteps, 0, count - 1)
        if values.ndim == 2 and series is not None:
            values = values[series[:, None], real]
        else:
            values = values[..., real]
        if (real != timesteps).any():
            dates = values.dtype.kind == "M"
            missing = np.datetime64("NaT") if dates else np.nan
            values = np.where(
                real == timesteps, values if dates else values.astype(np.float64), missing
            )
    if values.ndim > len(dims):
        dims = ("example", *dims)
    return xr.Variable(dims, values, times.attrs)


def _units(given: Given) -> dict[str, str]:
    """Give the unit of a single forecast, as an attribute, if it was told."""
    unit = "" if given.series is None else given.series.other_unit
    return {"units": unit} if unit else {}


def _of_windows(dataset: xr.Dataset, windows: Windows, series: int) -> xr.Dataset:
    """Tell where each window ends, of which of so many series it is, and what in it is padding."""
    count = dataset.sizes["example"]
    dataset = dataset.assign_coords(end=("example", windows.ends[:count]))
    if series > 1:
        dataset = dataset.assign_coords(series=("example", windows.series[:count]))
    real = windows.timesteps[:count] >= 0
    if real.all() or real.shape[1] != dataset.sizes["timestep"]:
        return dataset
    if "mask" in dataset:
        real = real & dataset["mask"].values
    return dataset.assign(mask=(("example", "timestep"), real))


def _explained_at(dataset: xr.Dataset, places: npt.NDArray[np.intp], *, ragged: bool) -> xr.Dataset:
    """Tell which timestep of each example was asked for; negative ones count from its end."""
    at = places[dataset["example"].values]
    count = dataset["mask"].values.sum(axis=1) if ragged else dataset.sizes["timestep"]
    return dataset.assign_coords(at=("example", np.where(at < 0, at + count, at)))


def _of_one_length(parts: Sequence[dict[str, Any]]) -> list[dict[str, npt.NDArray[Any]]]:
    """Fill parts of several lengths up with NaN, and mask what fills them up."""
    longest = max(part["relevance"].shape[2] for part in parts)
    filled = []
    for part in parts:
        examples, timesteps = part["relevance"].shape[1:3]
        whole = {"mask": np.ones((examples, timesteps), np.bool_)} | part
        for name, values in whole.items():
            dims = _dims(name, values)
            if "timestep" in dims:
                more = [(0, (longest - timesteps) * (dim == "timestep")) for dim in dims]
                nothing = False if name == "mask" else np.nan
                whole[name] = np.pad(values, more, constant_values=nothing)
        filled.append(whole)
    return filled


def _warn_of_gaps(dataset: xr.Dataset) -> None:
    """Warn where relevance doesn't add up to what it should."""
    advice = {
        "lrp": "biases took most, or outputs near 0 blew it up; bias_factor=1 hands the shares of "
        "biases on, a larger epsilon= damps",
        "integrated_gradients": "more steps= are needed",
    }
    methods = dataset["method"].values.tolist()
    for method in [each for each in advice if each in methods]:
        doubtful = dataset["doubtful"].values[methods.index(method)]
        if doubtful.any():
            warn_outside(
                f"relevance: for {int(doubtful.sum())} of {doubtful.size} examples the relevance by "
                f"{method!r} doesn't add up to the score, its gap is more than {GAPS[method]:.0%} "
                f"({advice[method]}); they are marked in 'doubtful'"
            )


def token_grid(tokens: Sequence[Sequence[str]], timesteps: int) -> npt.NDArray[np.object_]:
    """Make an array ``(example, timestep)`` of tokens."""
    grid = np.empty((len(tokens), timesteps), object)
    for k, row in enumerate(tokens):
        if len(row) != timesteps:
            raise ValueError(
                f"tokens: expected {timesteps} for each example, got {len(row)} for example {k}"
            )
        grid[k] = row
    return grid
