# ruff: noqa: ANN401 - models, and what they read, are of many types
"""Fixed points: states that a cell maps onto themselves under a constant input."""

from __future__ import annotations

import warnings
from collections.abc import Mapping
from numbers import Real
from typing import TYPE_CHECKING, Any

import numpy as np
import xarray as xr

from lstm_widgets.analysis.slowest_states import distances, minimised, one_of_each
from lstm_widgets.checks import expect_whole
from lstm_widgets.errors import LayerNotFoundError
from lstm_widgets.recording import Recording, Variants
from lstm_widgets.recording.expecting import expect_recording
from lstm_widgets.recording.rows import Rows
from lstm_widgets.rnn.comparison import expect_check
from lstm_widgets.running.constant import ConstantInput, numbers_of

if TYPE_CHECKING:
    import numpy.typing as npt

    from lstm_widgets.rnn.comparison import Check
    from lstm_widgets.rnn.jacobians import StateMap

    Floats = npt.NDArray[np.float64]

__all__ = ["fixed_points", "linearised"]

# Steps of the search that a start has, after which it is given up.
_TURNS = 500
# Farther from the nearest start than so many times their spread, a point is an outlier.
_FAR = 2.0
# Eigenvalues are computed of so many values of Jacobians at a time.
_VALUES = 1 << 22


def fixed_points(
    model: Any,
    layer: str | None = None,
    *,
    inputs: Any = None,
    starts: Recording | Mapping[str, Any] | npt.NDArray[Any],
    layer_inputs: npt.NDArray[Any] | None = None,
    vocabulary: Any = None,
    unknown: int | str | None = None,
    limit: int = 1024,
    seed: int = 0,
    tolerance: float = 1e-20,
    unique: float = 1e-3,
    output: str | int | None = None,
    check: Check = "prefix",
) -> xr.Dataset:
    r"""Find the states in which a layer stays while it reads the same at every timestep.

    A network's memories are such states: a stable one is kept, an unstable one decides between others.
    From many starts at once, :math:`q(x) = \tfrac{1}{2} \lVert F(x, u) - x \rVert^2` is minimised over the
    joint state (of an LSTM hidden and cell state), in float64, where :math:`F` is one timestep of the
    layer and :math:`u` what it receives. Around each point the step is
    :math:`F(x + d) \approx x + J d`: the eigenvalues of the Jacobian :math:`J` say along which
    directions a state comes back (:math:`|\lambda| < 1`), goes away, or turns.

    Parameters
    ----------
    model : keras.Model or torch.nn.Module
        A model as for :func:`lstm_widgets.record`.
    layer : str, optional
        Its layer, by its name in a recording; one direction of a Bidirectional, one call of a layer that is
        called several times. Default: the first.
    inputs : array (channel,), float, int, str, list or dict, optional
        What the model reads at each timestep: a vector of channels, a number or an id, or a token (with
        ``vocabulary``); of a model with several inputs one of these for each. What the layer
        receives of it is found by running the model.
    starts : Recording, array (start, state) or dict of str to array (start, cell)
        Where to begin: a recording of this layer, of which half of the starts are states at timesteps that
        are drawn, and half lie halfway between two of them, where unstable points are; or joint states,
        hidden states first; or ``{"hidden_state": ..., "cell_state": ...}``.
    layer_inputs : array (features,), optional
        What the layer receives at each timestep, instead of what the model makes of ``inputs``. A layer
        above another recurrent one needs it, since what it receives depends on that one's state.
    vocabulary : sequence of str, mapping of str to int, or keras layer, optional
        What ids stand for, as for :func:`lstm_widgets.record`.
    unknown : int or str, optional
        The id or token that stands for what isn't in the vocabulary.
    limit : int, default 1024
        How many starts there are of a recording, at most.
    seed : int, default 0
        Seed of their draw.
    tolerance : float, default 1e-20
        Up to which q a state counts as fixed. Where q has a minimum that is larger, the state is slow
        and not fixed (``fixed`` is False).
    unique : float, default 1e-3
        Points that are nearer to each other are one, in units of how far the starts lie from their mean
        (root mean square).
    output : str or int, optional
        Which output ``readout`` has, of a model with several.
    check : {"prefix", "full", False}, default "prefix"
        The self-check: a step is held against that of the layer's own cell from some of the starts,
        ``"full"`` from all of them. False: none.

    Returns
    -------
    xarray.Dataset
        ``state`` float64 ``(point, state)``, the dimension ``state`` with the coordinates ``signal`` and
        ``cell``; ``speed`` ``(point,)``, :math:`\sqrt{2q}`, how far one step moves it; ``fixed`` and
        ``stable`` bool ``(point,)``, where stable means that all :math:`|\lambda| < 1`; ``eigenvalue``
        complex ``(point, state)``, the largest first; ``time_constant`` ``(point, state)``,
        :math:`-1 / \ln |\lambda|` in timesteps, after which a deviation has shrunk to 1/e (where it is
        negative, grown to e); ``unstable_direction`` ``(point, state)``, the unit eigenvector of the largest
        eigenvalue, its real part, NaN where all is stable; ``count`` int ``(point,)``, how many starts
        ended there; ``outlier`` bool ``(point,)``, farther from the nearest start than twice their
        spread; ``readout`` ``(point, class)`` or ``(point, channel)``, what the model says if the layer
        gives this hidden state. Fixed points come first, of these the stable ones, and the larger ``count``.

        The attributes ``layer``; ``layer_inputs``, what it received; ``starts``, how many there
        were; ``given_up``, how many of them came to no minimum of q; ``complete``; ``jacobian``,
        ``"analytic"`` or ``"central differences"`` (registered cells, activations of one's own);
        ``readout``, the last activation, or why it is left out.

    Raises
    ------
    TypeError, ValueError
        If an argument doesn't fit, or if what the layer receives of a constant input isn't constant.
    LayerNotFoundError
        If the model, or the recording of the starts, doesn't have the layer.
    UnsupportedLayerError
        If the layer can't be run.
    SelfCheckError
        If a step from the starts isn't that of the layer's own cell.

    Warns
    -----
    UserWarning
        If it was interrupted: the points are those of the starts that were done. If the readout is left out.

    See Also
    --------
    phase_portrait : Draw how the state of one to four cells changes, with its fixed points.

    Notes
    -----
    The method is that of Sussillo and Barak 2013 (Neural Computation 25, 626-649), for LSTM and GRU that of
    Golub and Sussillo 2018 (Journal of Open Source Software 3, 1003), but for the search: Levenberg and
    Marquardt's, with analytic Jacobians, a few dozen steps from each start. A start that is near an unstable
    point finds it; what no start leads to isn't found.

    Examples
    --------
    A cell that keeps what it holds, up to a sign: two stable states, and the unstable one between them.

    >>> import keras, numpy as np, lstm_widgets as lw
    >>> model = keras.Sequential(
    ...     [keras.Input((None, 1)), keras.layers.SimpleRNN(1, return_sequences=True)]
    ... )
    >>> model.set_weights([np.ones((1, 1)), np.array([[2.0]]), np.zeros(1)])
    >>> points = lw.fixed_points(model, inputs=[0.0], starts=np.linspace(-1, 1, 21)[:, None])
    >>> points["state"].values.round(4)[:, 0].tolist(), points["stable"].values.tolist()
    ([0.9575, -0.9575, 0.0], [True, True, False])
    """
    from tqdm.auto import tqdm  # noqa: PLC0415

    expect_whole("limit", limit, 1)
    for argument, number in (("tolerance", tolerance), ("unique", unique)):
        if not isinstance(number, Real) or not 0 <= number < np.inf:
            raise ValueError(f"{argument}: expected a finite number from 0 on, got {number!r}")
    expect_check(check, None)
    constant = ConstantInput(
        *(model, layer, inputs),
        layer_inputs=layer_inputs,
        vocabulary=vocabulary,
        unknown=unknown,
        output=output,
    )
    step = constant.step
    begin = _starts(constant, starts, limit, seed)
    constant.check(begin, check)
    with tqdm(total=len(begin), desc="fixed points", unit="start", leave=False) as bar:
        minima = minimised(step, begin, tolerance=tolerance, turns=_TURNS, advance=bar.update)
    complete = minima.done == len(begin)
    if not complete:
        warnings.warn(f"interrupted: {minima.done} of {len(begin)} starts are done", stacklevel=2)
    states, q = minima.state[minima.found], minima.q[minima.found]
    spread = float(np.sqrt(np.square(begin - begin.mean(axis=0)).sum(axis=1).mean()))
    size = spread or float(np.linalg.norm(begin, axis=1).mean()) or 1.0
    chosen, counts = one_of_each(states, unique * size, np.argsort(q, kind="stable"))
    points = _dataset(step, states[chosen], q[chosen] <= tolerance, counts)
    points["outlier"] = "point", distances(states[chosen], begin) > _FAR * (spread or np.inf)
    # Of those that many starts lead to alike, some first, the same each time.
    alike = -points["state"].values[:, 0].round(6)
    order = np.lexsort((alike, -points["count"], ~points["stable"], ~points["fixed"]))
    points = points.isel(point=order)
    points.attrs = {
        "layer": constant.name,
        "layer_inputs": constant.received.tolist(),
        "starts": len(begin),
        "given_up": int((~minima.found).sum()),
        "complete": complete,
        "tolerance": tolerance,
        "unique": unique,
        "jacobian": "analytic" if step.analytic else "central differences",
    }
    if not points.sizes["point"]:
        return points
    said = constant.readout(points["state"].values)
    if isinstance(said, str):
        points.attrs["readout"] = f"left out: {said}"
        warnings.warn(f"no readout of layer {constant.name!r}: {said}", stacklevel=2)
        return points
    points["readout"] = ("point", said.axis), said.values
    points.attrs["readout"] = said.activation
    return points if said.names is None else points.assign_coords({said.axis: said.names})


def linearised(
    step: StateMap, states: Floats
) -> tuple[Floats, npt.NDArray[np.complex128], npt.NDArray[np.complex128]]:
    """Tell the speed at states, and eigenvalues and leading eigenvectors of the step there.

    Parameters
    ----------
    step : StateMap
        The step.
    states : float64 array (point, state)
        The states.

    Returns
    -------
    float64 array (point,), complex128 array (point, state), complex128 array (point, state)
        Speeds; eigenvalues, the largest first; the eigenvector of the first of them.
    """
    speed = np.empty(len(states))
    values, leading = (np.empty(states.shape, np.complex128) for _ in range(2))
    size = max(1, _VALUES // step.size**2)
    for start in range(0, len(states), size):
        some = slice(start, start + size)
        after, jacobian = step.jacobian(states[some])
        speed[some] = np.linalg.norm(after - states[some], axis=1)
        found, vectors = np.linalg.eig(jacobian)
        # Of a pair, the one that turns forwards comes first.
        order = np.lexsort((-found.imag, -np.abs(found).round(12)), axis=1)
        values[some] = np.take_along_axis(found, order, axis=1)
        leading[some] = np.take_along_axis(vectors, order[:, None, :1], axis=2)[..., 0]
    return speed, values, leading


def _dataset(
    step: StateMap, states: Floats, fixed: npt.NDArray[np.bool_], counts: npt.NDArray[np.intp]
) -> xr.Dataset:
    """Tell of each point what its Jacobian says."""
    speed, values, leading = linearised(step, states)
    size = np.abs(values)
    with np.errstate(divide="ignore"):
        constants = -1 / np.log(size)
    constants[size == 1] = np.inf
    stable = (size < 1).all(axis=1)
    direction = _real(leading)
    direction[stable] = np.nan
    signals = [
        (name, cell) for name, at in step.places.items() for cell in range(at.stop - at.start)
    ]
    return xr.Dataset(
        {
            "state": (("point", "state"), states),
            "speed": ("point", speed),
            "fixed": ("point", fixed),
            "stable": ("point", stable),
            "eigenvalue": (("point", "state"), values),
            "time_constant": (("point", "state"), constants),
            "unstable_direction": (("point", "state"), direction),
            "count": ("point", counts),
        },
        coords={
            "signal": ("state", [name for name, _ in signals]),
            "cell": ("state", [cell for _, cell in signals]),
        },
    )


def _real(vectors: npt.NDArray[np.complex128]) -> Floats:
    """Turn complex vectors so that their real parts are longest, and make these 1 long."""
    turned = vectors * np.exp(-0.5j * np.angle((vectors * vectors).sum(axis=1, keepdims=True)))
    real = np.array(turned.real)
    largest = np.take_along_axis(real, np.abs(real).argmax(axis=1)[:, None], axis=1)
    length = np.linalg.norm(real, axis=1, keepdims=True) * np.where(largest < 0, -1, 1)
    directions: Floats = np.divide(real, length, out=real, where=length != 0)
    return directions


# Where to begin -----------------------------------------------------------------------------------


def _starts(constant: ConstantInput, given: Any, limit: int, seed: int) -> Floats:
    """Make joint states of what was given as starts."""
    step = constant.step
    widths = {name: place.stop - place.start for name, place in step.places.items()}
    if isinstance(given, Variants):
        expect_recording("starts", given)
    if isinstance(given, Recording):
        return _drawn(constant, given, limit, seed)
    if isinstance(given, Mapping):
        if set(given) != set(widths):
            raise ValueError(
                f"starts: expected {' and '.join(map(repr, widths))}, got {', '.join(map(repr, given))}"
            )
        parts = [numbers_of(f"starts[{name!r}]", given[name]) for name in widths]
        for name, part in zip(widths, parts, strict=True):
            if part.ndim != 2 or part.shape != (len(parts[0]), widths[name]):
                raise ValueError(
                    f"starts[{name!r}]: expected (start, {widths[name]}), got shape {part.shape}"
                )
        joint = np.concatenate(parts, axis=1)
    elif isinstance(given, (str, bytes)) or given is None:
        raise TypeError(
            f"starts: expected a Recording, or joint states (start, {step.size}); got {given!r:.80}"
        )
    else:
        joint = numbers_of("starts", given)
    told = " and ".join(f"{name} ({width})" for name, width in widths.items())
    if joint.ndim != 2 or joint.shape[1] != step.size:
        raise ValueError(
            f"starts: expected (start, {step.size}), {told} side by side, got shape {joint.shape}"
        )
    if not len(joint):
        raise ValueError("starts: expected at least one, got none")
    return joint


def _drawn(constant: ConstantInput, recording: Recording, limit: int, seed: int) -> Floats:
    """Draw timesteps of a recording, and states halfway between two of them."""
    parts, real = [], None
    for signal, name in constant.recorded.items():
        try:
            layer = recording[name]
        except LayerNotFoundError as error:
            raise LayerNotFoundError(
                f"starts: expected a recording of layer {name!r}, got one of "
                f"{', '.join(map(repr, recording))}"
            ) from error
        if signal not in layer:
            raise ValueError(
                f"starts: expected a recording with {signal!r} of layer {name!r} (record(..., "
                f"signals=...)), got one with {', '.join(map(repr, recording.signals(name)))}"
            )
        width = constant.step.places[signal]
        if layer.sizes["cell"] != width.stop - width.start:
            raise ValueError(
                f"starts: expected a recording of this model, whose layer {name!r} has "
                f"{width.stop - width.start} values of {signal!r}; got one of {layer.sizes['cell']}"
            )
        parts.append(Rows(layer[signal]))
        if real is None and "mask" in layer:
            real = np.flatnonzero(np.asarray(layer["mask"]))
    count = len(parts[0] if real is None else real)
    rng, most = np.random.default_rng(seed), (limit + 1) // 2
    where = np.sort(rng.choice(count, most, replace=False)) if count > most else np.arange(count)
    if real is not None:
        where = real[where]
    rows = [np.concatenate([part[k : k + 1] for part in parts], axis=1)[0] for k in where.tolist()]
    drawn = np.array(rows, np.float64).reshape(-1, constant.step.size)
    drawn = drawn[np.isfinite(drawn).all(axis=1)]
    if not len(drawn):
        raise ValueError(
            "starts: expected a recording with timesteps that aren't padding, got none"
        )
    first, second = rng.permutation(len(drawn)), rng.permutation(len(drawn))
    between = (drawn[first] + drawn[second]) / 2
    return np.concatenate([drawn, between[first != second][: limit - len(drawn)]])
