# TensorFlow has no types, so what comes from it is Any.
# ruff: noqa: ANN401
"""The equations of the recurrent cells, and the loops that run them with every signal as an output.

:func:`step` is the one place where the equations stand. It is written with operators that NumPy
arrays and TensorFlow tensors share, and two loops run it:

- a loop in Python, which needs no compilation and is what short work and wide batches get;
- an XLA-compiled loop, on one block of the batch per thread, for everything else.

:func:`scan` chooses. A compilation costs a fraction of a second, so for each shape the first loop
is used until the time that it has cost adds up to a compilation (the ski-rental rule: never more
than twice the cost of having known in advance), and for good where it is as fast.
"""

from __future__ import annotations

import functools
import threading
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, TypeAlias

import numpy as np

from lstm_widgets.rnn.in_place import Program
from lstm_widgets.rnn.parallel import cpus, in_blocks, mapped

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence

SIGNALS: dict[str, tuple[str, ...]] = {
    "LSTM": (
        "hidden_state",
        "cell_state",
        "input_gate",
        "forget_gate",
        "candidate",
        "output_gate",
    ),
    "GRU": ("hidden_state", "update_gate", "reset_gate", "candidate"),
    "SimpleRNN": ("hidden_state",),
}
"""The signals of each kind of cell, in the order in which :func:`step` returns them."""

STATES: dict[str, int] = {"LSTM": 2, "GRU": 1, "SimpleRNN": 1}
"""How many of the signals, from the first, are the state that a cell hands to its next step."""

_GATES = {"LSTM": 4, "GRU": 3, "SimpleRNN": 1}

# What compiling one loop costs, and what the loop in Python costs: per call of a NumPy function or
# of TensorFlow, per value that passes an activation, per multiply-add. Orders of magnitude are
# enough: they only decide when compiling pays.
_COMPILE_SECONDS = 0.6
_CALLS_PER_STEP = {"LSTM": 32, "GRU": 28, "SimpleRNN": 6}
_SECONDS_PER_NUMPY_CALL = 0.8e-6
_SECONDS_PER_TENSOR_CALL = 4e-5
_SECONDS_PER_ACTIVATION = 2e-9
_SECONDS_PER_PRODUCT = 5e-11

# From so many values a timestep, and up to so many units, NumPy is as fast as the compiled loop.
_WIDE, _FEW_UNITS = 1 << 16, 128
# Timesteps that the compiled loop takes at a time: writes get fewer and larger.
_UNROLLED = 4
# Weights, counted, that stay in a cache close enough to be read again at every timestep.
_CACHED_WEIGHTS = 1 << 16
# Bytes of signals that one call of the compiled loop may hold before they are copied out.
_BLOCK_BYTES = 1 << 26
# Fewer examples than this are not worth a thread of their own.
_EXAMPLES_PER_THREAD = 16


Holds: TypeAlias = "Mapping[str, tuple[np.ndarray, np.ndarray]]"
"""Which cells are held at what, by signal: bool and float ``(example, units)``.

At each timestep that is no padding, a value of the signal is replaced where the first is True, as
soon as it is computed: what follows from it in that step and later follows from the held value.
"""


@dataclass(frozen=True)
class Cell:
    """One recurrent cell: what :func:`step` needs besides the input and the state.

    Weights have the layout of Keras: gates side by side along the last axis, in the order
    input, forget, candidate, output (LSTM) or update, reset, candidate (GRU). They are TensorFlow
    tensors of the dtype in which the cell computes.

    Attributes
    ----------
    kind
        ``"LSTM"``, ``"GRU"`` or ``"SimpleRNN"``.
    kernel
        Input weights ``(features, gates * units)``.
    recurrent_kernel
        Recurrent weights ``(units, gates * units)``.
    bias
        ``(gates * units,)``, for a GRU with ``reset_after`` ``(2, gates * units)``: one for the
        input, one for the recurrent product; None without bias.
    activation, recurrent_activation
        Functions on tensors, as Keras has them.
    activation_names
        Their names where they are Keras's own, else None.
    reset_after
        Whether a GRU applies its reset gate after the recurrent product.
    """

    kind: str
    kernel: Any
    recurrent_kernel: Any
    bias: Any
    activation: Callable[[Any], Any]
    recurrent_activation: Callable[[Any], Any]
    activation_names: tuple[str | None, str | None] = (None, None)
    reset_after: bool = False

    @property
    def units(self) -> int:
        """The number of cells (in the sense of the recording: units) of the layer."""
        return int(self.recurrent_kernel.shape[0])

    def in_numpy(self) -> Cell:
        """Return the same with NumPy arrays, halves as singles, and NumPy's activations."""
        known = [ACTIVATIONS.get(name) for name in self.activation_names]
        given = (self.activation, self.recurrent_activation)
        functions = [a.function if a else f for a, f in zip(known, given, strict=True)]
        return replace(
            self,
            kernel=plain_array(self.kernel),
            recurrent_kernel=plain_array(self.recurrent_kernel),
            bias=None if self.bias is None else plain_array(self.bias),
            activation=functions[0],
            recurrent_activation=functions[1],
        )


def plain_array(values: Any) -> np.ndarray:
    """Turn a tensor into an array that NumPy computes with: halves become singles."""
    array: np.ndarray = np.asarray(values)
    return array if array.dtype.itemsize >= 4 else array.astype(np.float32)


@dataclass(frozen=True)
class Activation:
    """An elementwise function on arrays.

    Attributes
    ----------
    function
        From what goes in to what comes out.
    slope
        From what came out to the derivative there.
    """

    function: Callable[[np.ndarray], np.ndarray]
    slope: Callable[[np.ndarray], np.ndarray]


def _sigmoid(x: np.ndarray) -> np.ndarray:
    # Not 1 / (1 + exp(-x)), which overflows with a warning.
    y: np.ndarray = np.multiply(x, 0.5)
    np.tanh(y, out=y)
    y *= 0.5
    y += 0.5
    return y


ACTIVATIONS: dict[str | None, Activation] = {
    "tanh": Activation(np.tanh, lambda y: 1 - y * y),
    "sigmoid": Activation(_sigmoid, lambda y: y - y * y),
    "linear": Activation(lambda x: x, np.ones_like),
    "relu": Activation(lambda x: np.maximum(x, 0), lambda y: (y > 0).astype(y.dtype)),
    "hard_sigmoid": Activation(
        lambda x: np.minimum(np.maximum(x / 6 + 0.5, 0), 1),
        lambda y: ((y > 0) & (y < 1)) / y.dtype.type(6),
    ),
}
"""The activations that NumPy does, by the names that Keras has for them."""


def step(
    kind: str,
    z: Any,
    state: Sequence[Any],
    *,
    recurrent_kernel: Any,
    recurrent_bias: Any,
    activation: Callable[[Any], Any],
    recurrent_activation: Callable[[Any], Any],
    reset_after: bool = False,
    hold: Callable[[str, Any], Any] = lambda _, values: values,
    activated: Callable[[Any], Sequence[Any]] | None = None,
) -> tuple[Any, ...]:
    r"""Compute all signals of one timestep.

    With :math:`\sigma` the recurrent activation, :math:`\phi` the activation and :math:`\odot` the
    elementwise product:

    LSTM (Hochreiter and Schmidhuber 1997, with the forget gate of Gers et al. 2000)

    .. math::
        i, f, o = \sigma(x_t W_{i,f,o} + h_{t-1} U_{i,f,o} + b_{i,f,o}), \quad
        g = \phi(x_t W_g + h_{t-1} U_g + b_g), \\
        c_t = f \odot c_{t-1} + i \odot g, \quad h_t = o \odot \phi(c_t)

    GRU (Cho et al. 2014), where :math:`z` keeps the old state

    .. math::
        z, r = \sigma(x_t W_{z,r} + h_{t-1} U_{z,r} + b_{z,r}), \quad
        h_t = z \odot h_{t-1} + (1 - z) \odot g, \\
        g = \phi(x_t W_g + b_g + r \odot (h_{t-1} U_g + b'_g)) \text{ if reset\_after, else }
        \phi(x_t W_g + b_g + (r \odot h_{t-1}) U_g)

    SimpleRNN (Elman 1990): :math:`h_t = \phi(x_t W + h_{t-1} U + b)`.

    Parameters
    ----------
    kind
        ``"LSTM"``, ``"GRU"`` or ``"SimpleRNN"``.
    z
        What goes into the activations, ``(example, gates * units)``: :math:`x_t W + h_{t-1} U + b`;
        for a GRU, whose gates act in between, only :math:`x_t W + b`.
    state
        What the previous step left: ``(hidden, cell)`` for LSTM, else ``(hidden,)``; each
        ``(example, units)``.
    recurrent_kernel
        ``(units, gates * units)``.
    recurrent_bias
        ``(gates * units,)`` for a GRU with ``reset_after`` and bias, else None.
    activation, recurrent_activation
        Elementwise functions.
    reset_after
        See above; for GRU only.
    hold
        From a signal's name and its values to those that the cell goes on with.
    activated
        For LSTM: from z to input gate, forget gate, candidate and output gate, where that can be
        done at once. None: one after the other, by their activations.

    Returns
    -------
    tuple
        The signals in the order of :data:`SIGNALS`, each ``(example, units)``. The first
        :data:`STATES` of them are the new state.
    """
    units = recurrent_kernel.shape[0]
    hidden = state[0]
    if kind == "LSTM":
        if activated is None:
            i, f, o = (recurrent_activation(z[:, k * units :][:, :units]) for k in (0, 1, 3))
            g = activation(z[:, 2 * units : 3 * units])
        else:
            i, f, g, o = activated(z)
        input_gate, forget_gate = hold("input_gate", i), hold("forget_gate", f)
        candidate, output_gate = hold("candidate", g), hold("output_gate", o)
        cell = hold("cell_state", forget_gate * state[1] + input_gate * candidate)
        new_hidden = hold("hidden_state", output_gate * activation(cell))
        return new_hidden, cell, input_gate, forget_gate, candidate, output_gate
    if kind == "GRU":
        inner = hidden @ (recurrent_kernel if reset_after else recurrent_kernel[:, :-units])
        if recurrent_bias is not None:
            inner = inner + recurrent_bias
        gates = z[:, : 2 * units] + inner[:, : 2 * units]
        update_gate = hold("update_gate", recurrent_activation(gates[:, :units]))
        reset_gate = hold("reset_gate", recurrent_activation(gates[:, units:]))
        if reset_after:
            recurrent = reset_gate * inner[:, 2 * units :]
        else:
            recurrent = (reset_gate * hidden) @ recurrent_kernel[:, 2 * units :]
        candidate = hold("candidate", activation(z[:, 2 * units :] + recurrent))
        new_hidden = hold("hidden_state", update_gate * hidden + (1 - update_gate) * candidate)
        return new_hidden, update_gate, reset_gate, candidate
    if kind == "SimpleRNN":
        return (hold("hidden_state", activation(z)),)
    msg = f"kind must be one of {', '.join(SIGNALS)}; got {kind!r}"
    raise ValueError(msg)


def scan(
    cell: Cell,
    sequences: Any,
    initial_state: Sequence[Any],
    mask: np.ndarray | None,
    out: Mapping[str, np.ndarray],
    *,
    reverse: bool = False,
    held: Holds | None = None,
) -> list[Any]:
    """Run a cell over whole sequences and write its signals into ``out``.

    Parameters
    ----------
    cell
        The cell.
    sequences
        Tensor ``(example, timestep, features)`` of the cell's dtype.
    initial_state
        Tensors ``(example, units)`` of the cell's dtype: hidden, and for LSTM cell.
    mask
        Bool ``(example, timestep)``, False where a timestep is padding: the state then passes
        through unchanged. None: no padding.
    out
        Signal name → array ``(example, timestep, units)`` to fill; names that are missing are not
        kept. Index t is the input's timestep t, also with ``reverse``. Hidden and cell state are
        those carried on, at padding that of the step before; gates are as computed.
    reverse
        Read the sequences from their end.
    held
        What is held, see :data:`Holds`. None: nothing.

    Returns
    -------
    list
        The state after the last step, as tensors like ``initial_state``.
    """
    import tensorflow as tf  # noqa: PLC0415

    held = {
        name: (held[name][0], tf.cast(held[name][1], sequences.dtype))
        for name in SIGNALS[cell.kind]
        if held and name in held
    }
    by_steps = _prefers_steps(cell, sequences, mask, (tuple(out), tuple(held)))
    run = _scan_steps if by_steps else _scan_compiled
    return run(cell, sequences, initial_state, mask, out, reverse=reverse, held=held)


def scan_last(
    cell: Cell,
    sequences: Any,
    initial_state: Sequence[Any],
    mask: np.ndarray | None,
    *,
    names: Sequence[str],
    hidden: np.ndarray | None = None,
    reverse: bool = False,
    held: Holds | None = None,
) -> tuple[dict[str, np.ndarray], list[Any]]:
    """Run a cell over whole sequences, but keep its signals of the last step only.

    Parameters
    ----------
    cell, sequences, initial_state, mask, reverse, held
        As for :func:`scan`.
    names
        The signals to keep.
    hidden
        Array ``(example, timestep, units)`` to fill with the hidden states of every step, or None.

    Returns
    -------
    dict, list
        Signal name → array ``(example, units)`` (float64 if the cell computes in it, else float32)
        at the last timestep read, and the state after it, as from :func:`scan`.
    """
    timesteps = int(sequences.shape[1])
    # Only the last few steps need room for every signal. The others are whole rounds of the
    # compiled loop.
    few = timesteps - (timesteps - 1) // _UNROLLED * _UNROLLED
    first, last = slice(0, timesteps - few), slice(timesteps - few, None)
    if reverse:
        first, last = slice(few, None), slice(0, few)

    def run(part: slice, state: Sequence[Any], out: dict[str, np.ndarray]) -> list[Any]:
        if hidden is not None:
            out["hidden_state"] = hidden[:, part]
        real = None if mask is None else mask[:, part]
        return scan(cell, sequences[:, part], state, real, out, reverse=reverse, held=held)

    state = list(initial_state)
    if timesteps > few:
        state = run(first, state, {})
    shape = (int(sequences.shape[0]), few, cell.units)
    dtype = np.float64 if sequences.dtype.size == 8 else np.float32
    out = {name: np.empty(shape, dtype) for name in names}
    state = run(last, state, out)
    return {name: out[name][:, 0 if reverse else -1] for name in names}, state


_spent: dict[Any, float] = {}
_spent_lock = threading.Lock()


def _in_numpy(cell: Cell, sequences: Any) -> bool:
    """Whether NumPy can take the steps."""
    return sequences.dtype.size >= 4 and set(cell.activation_names) <= set(ACTIVATIONS)


def _prefers_steps(
    cell: Cell, sequences: Any, mask: np.ndarray | None, names: tuple[tuple[str, ...], ...]
) -> bool:
    """Whether to go step by step, given what that has cost on such calls so far."""
    examples, timesteps, features = sequences.shape
    if 0 in (examples, timesteps, features):
        return True
    width = _GATES[cell.kind] * cell.units
    in_numpy = _in_numpy(cell, sequences)
    if in_numpy and examples * width >= _WIDE and cell.units <= _FEW_UNITS:
        return True
    per_call = _SECONDS_PER_NUMPY_CALL if in_numpy else _SECONDS_PER_TENSOR_CALL
    seconds = timesteps * (
        _CALLS_PER_STEP[cell.kind] * per_call
        + examples * width * _SECONDS_PER_ACTIVATION
        + examples * width * cell.units * _SECONDS_PER_PRODUCT
    )
    key = (
        *(cell.kind, cell.activation, cell.recurrent_activation, cell.reset_after),
        *(tuple(sequences.shape), sequences.dtype, cell.units, cell.bias is None),
        *(mask is None, names),
    )
    with _spent_lock:
        if len(_spent) > 4096:
            _spent.clear()
        _spent[key] = _spent.get(key, 0.0) + seconds
        return _spent[key] <= _COMPILE_SECONDS


def _input_bias(cell: Cell) -> Any:
    two = cell.kind == "GRU" and cell.reset_after
    return cell.bias if cell.bias is None or not two else cell.bias[0]


def _recurrent_bias(cell: Cell) -> Any:
    two = cell.kind == "GRU" and cell.reset_after
    return cell.bias[1] if cell.bias is not None and two else None


def _holding(
    held: Mapping[str, tuple[Any, Any]], where: Callable[[Any, Any, Any], Any]
) -> Callable[[str, Any], Any]:
    """Make what :func:`step` takes for ``hold``."""

    def hold(name: str, values: Any) -> Any:
        return where(held[name][0], held[name][1], values) if name in held else values

    return hold


def steps(
    cell: Cell,
    sequences: Any,
    initial_state: Sequence[Any],
    mask: np.ndarray | None,
    *,
    reverse: bool = False,
    held: Holds | None = None,
) -> Iterator[tuple[int, tuple[Any, ...]]]:
    """Take one timestep after the other, on tensors.

    Parameters
    ----------
    cell, sequences, initial_state, mask, reverse, held
        As for :func:`scan`.

    Yields
    ------
    tuple
        The index of the timestep, and its signals in the order of :data:`SIGNALS`; states as
        carried on.
    """
    import tensorflow as tf  # noqa: PLC0415

    projected = tf.transpose(tf.tensordot(sequences, cell.kernel, 1), (1, 0, 2))
    bias = _input_bias(cell)
    if bias is not None:
        projected += bias
    taken = _one_step(cell, held or {}, tf.where)
    state = list(initial_state)
    indices = range(len(projected))
    for t in reversed(indices) if reverse else indices:
        z = projected[t]
        if cell.kind != "GRU":
            z += state[0] @ cell.recurrent_kernel
        values = taken(z, *state, *([] if mask is None else [mask[:, t, None]]))
        state = list(values[: len(state)])
        yield t, values


def _one_step(
    cell: Cell,
    held: Mapping[str, tuple[Any, Any]],
    where: Callable[[Any, Any, Any], Any],
    activated: Callable[[Any], Sequence[Any]] | None = None,
) -> Callable[..., tuple[Any, ...]]:
    """Make the function from z, states, and what is no padding to signals, states as carried on."""
    count = STATES[cell.kind]

    def taken(z: Any, *state_and_real: Any) -> tuple[Any, ...]:
        state, real = state_and_real[:count], state_and_real[count:]
        values = step(
            cell.kind,
            z,
            state,
            recurrent_kernel=cell.recurrent_kernel,
            recurrent_bias=_recurrent_bias(cell),
            activation=cell.activation,
            recurrent_activation=cell.recurrent_activation,
            reset_after=cell.reset_after,
            hold=_holding(held, where),
            activated=activated,
        )
        if real:
            carried = (where(real[0], n, s) for n, s in zip(values, state, strict=False))
            values = (*carried, *values[count:])
        return values

    return taken


def _scan_steps(
    cell: Cell,
    sequences: Any,
    initial_state: Sequence[Any],
    mask: np.ndarray | None,
    out: Mapping[str, np.ndarray],
    *,
    reverse: bool,
    held: Holds,
) -> list[Any]:
    """Run the loop in Python: on NumPy arrays where they do, else on eager tensors."""
    import tensorflow as tf  # noqa: PLC0415

    if not _in_numpy(cell, sequences):
        state = list(initial_state)
        for t, values in steps(cell, sequences, state, mask, reverse=reverse, held=held):
            state = list(values[: len(state)])
            for name, value in zip(SIGNALS[cell.kind], values, strict=True):
                if name in out:
                    out[name][:, t] = value
        return state
    cell, sequences = cell.in_numpy(), np.asarray(sequences)
    initial_state = [np.asarray(s) for s in initial_state]
    held = {name: (np.asarray(which), np.asarray(v)) for name, (which, v) in held.items()}

    def run(some: slice) -> list[np.ndarray]:
        return _scan_in_numpy(
            cell,
            sequences[some],
            [s[some] for s in initial_state],
            None if mask is None else mask[some],
            {name: array[some] for name, array in out.items()},
            reverse=reverse,
            held={name: (which[some], value[some]) for name, (which, value) in held.items()},
        )

    ended = in_blocks(run, len(sequences), int(max(cell.kernel.shape)))
    return [tf.convert_to_tensor(np.concatenate(parts)) for parts in zip(*ended, strict=True)]


def _scan_in_numpy(
    cell: Cell,
    sequences: np.ndarray,
    initial_state: Sequence[np.ndarray],
    mask: np.ndarray | None,
    out: Mapping[str, np.ndarray],
    *,
    reverse: bool,
    held: Holds,
) -> list[np.ndarray]:
    """Run the loop on arrays, in place."""
    examples, timesteps, features = sequences.shape
    # One product for input, hidden state and bias, but for a GRU, whose gates act in between.
    kernels, widths = [cell.kernel], [features]
    if cell.kind != "GRU":
        kernels.append(cell.recurrent_kernel)
        widths.append(cell.units)
    bias = _input_bias(cell)
    if bias is not None:
        kernels.append(bias[None])
        widths.append(1)
    kernel = np.concatenate(kernels)
    activated = None
    if cell.kind == "LSTM" and cell.activation_names == ("tanh", "sigmoid"):
        # sigmoid(z) = tanh(z / 2) / 2 + 1 / 2: with halves of their weights, which are exact, gates
        # and candidate are one tanh.
        kernel *= np.repeat(np.array([0.5, 0.5, 1, 0.5], kernel.dtype), cell.units)
        activated = _gates_at_once
    inputs = np.ones((examples, len(kernel)), kernel.dtype)
    x, *rest = np.split(inputs, np.cumsum(widths)[:-1], axis=1)
    state = [np.array(s) for s in initial_state]
    if cell.kind != "GRU":
        state[0] = rest[0]
        state[0][:] = initial_state[0]
    real = [] if mask is None else [np.empty((examples, 1), np.bool_)]

    def taken(inputs: Any, *state_and_real: Any) -> tuple[Any, ...]:
        return _one_step(cell, held, np.where, activated)(inputs @ kernel, *state_and_real)

    with np.errstate(all="ignore"):  # NaN and infinite weights are shown, not reported
        go_on = Program(taken, inputs, *state, *real, onto=state)
        kept = [
            (out[name], values)
            for name, values in zip(SIGNALS[cell.kind], go_on.results, strict=True)
            if name in out
        ]
        for t in reversed(range(timesteps)) if reverse else range(timesteps):
            x[:] = sequences[:, t]
            if mask is not None:
                real[0][:, 0] = mask[:, t]
            go_on()
            for array, values in kept:
                array[:, t] = values
    return state


def _gates_at_once(z: Any) -> tuple[Any, ...]:
    """Make of z, halved where it goes into a sigmoid, the gates of an LSTM, in place."""
    units = z.shape[1] // 4
    z = np.tanh(z, out=z)
    gates = z * 0.5 + 0.5
    return (
        *(gates[:, :units], gates[:, units : 2 * units]),
        *(z[:, 2 * units : 3 * units], gates[:, 3 * units :]),
    )


@functools.lru_cache(maxsize=64)
def _compiled(
    kind: str,
    *,
    activation: Callable[[Any], Any],
    recurrent_activation: Callable[[Any], Any],
    reset_after: bool,
    with_bias: bool,
    with_mask: bool,
    reverse: bool,
    names: tuple[str, ...],
    held_names: tuple[str, ...],
    shape: tuple[int, int, int],
    units: int,
    dtype: str,
    jit: bool,
) -> Callable[..., Any]:
    """Trace and compile the loop over ``shape = (examples, timesteps, features)``.

    It takes :data:`_UNROLLED` timesteps a round, and as many rounds as it is told, up to
    ``timesteps``.

    The weights, and what is held, are arguments, so that one compilation serves all layers of the
    same shape, training between two recordings, and all cells and values that may be held.
    """
    import tensorflow as tf  # noqa: PLC0415

    examples, timesteps, features = shape
    width = _GATES[kind] * units
    count = STATES[kind]
    kept = [k for k, name in enumerate(SIGNALS[kind]) if name in names]
    # All inputs at once is the better product for a few examples; for many, the result would go
    # out to memory and back, which costs more than it saves.
    in_advance = examples < 8 and features * width > _CACHED_WEIGHTS

    def loop(rounds: Any, x: Any, mask: Any, held: Any, *weights_and_state: Any) -> tuple[Any, ...]:
        kernel, recurrent_kernel, bias, *state = weights_and_state
        hold = _holding(held, tf.where)
        input_bias, recurrent_bias = bias, None
        if with_bias and kind == "GRU" and reset_after:
            input_bias, recurrent_bias = bias[0], bias[1]

        if in_advance:
            x = tf.reshape(tf.reshape(x, (-1, features)) @ kernel, (examples, timesteps, width))
        x = tf.transpose(x, (1, 0, 2))
        both_kernels = tf.concat([kernel, recurrent_kernel], 0)

        def preactivation(x: Any, hidden: Any) -> Any:
            if in_advance:
                z = x if kind == "GRU" else x + hidden @ recurrent_kernel
            elif kind == "GRU":
                z = x @ kernel
            else:
                z = tf.concat([x, hidden], 1) @ both_kernels
            return z + input_bias if with_bias else z

        def body(i: Any, state: tuple[Any, ...], arrays: tuple[Any, ...]) -> tuple[Any, ...]:
            at = rounds - 1 - i if reverse else i
            inputs = tf.slice(x, (at * _UNROLLED, 0, 0), (_UNROLLED, -1, -1))
            rows: list[Any] = [None] * _UNROLLED
            for k in reversed(range(_UNROLLED)) if reverse else range(_UNROLLED):
                values = step(
                    kind,
                    preactivation(inputs[k], state[0]),
                    state,
                    recurrent_kernel=recurrent_kernel,
                    recurrent_bias=recurrent_bias,
                    activation=activation,
                    recurrent_activation=recurrent_activation,
                    reset_after=reset_after,
                    hold=hold,
                )
                if with_mask:
                    real = mask[:, at * _UNROLLED + k, None]
                    carried = [tf.where(real, n, s) for n, s in zip(values, state, strict=False)]
                    values = (*carried, *values[count:])
                state = tuple(values[:count])
                rows[k] = values
            arrays = tuple(
                array.write(at, tf.stack([values[k] for values in rows]))
                for array, k in zip(arrays, kept, strict=True)
            )
            return i + 1, state, arrays

        arrays = tuple(
            tf.TensorArray(
                dtype, timesteps // _UNROLLED, element_shape=(_UNROLLED, examples, units)
            )
            for _ in kept
        )
        _, state, arrays = tf.while_loop(
            lambda i, *_: i < rounds, body, (tf.constant(0), tuple(state), arrays)
        )
        results = (tf.reshape(array.stack(), (timesteps, examples, units)) for array in arrays)
        return (*state, *results)

    bias_shape = (2, width) if kind == "GRU" and reset_after else (width,)
    spec = functools.partial(tf.TensorSpec, dtype=dtype)
    function = tf.function(loop, jit_compile=jit, autograph=False)
    return function.get_concrete_function(  # type: ignore[no-any-return]
        tf.TensorSpec((), tf.int32),
        spec(shape),
        tf.TensorSpec((examples, timesteps) if with_mask else (), tf.bool),
        {
            name: (tf.TensorSpec((examples, units), tf.bool), spec((examples, units)))
            for name in held_names
        },
        spec((features, width)),
        spec((units, width)),
        spec(bias_shape if with_bias else ()),
        *(spec((examples, units)) for _ in range(count)),
    )


def _scan_compiled(
    cell: Cell,
    sequences: Any,
    initial_state: Sequence[Any],
    mask: np.ndarray | None,
    out: Mapping[str, np.ndarray],
    *,
    reverse: bool,
    held: Holds,
) -> list[Any]:
    """Run the compiled loop, one block of examples per thread, in stretches of timesteps."""
    timesteps = int(sequences.shape[1])
    # The compiled loop takes whole rounds, and leaves up to _UNROLLED - 1 timesteps at the end.
    rest = timesteps % _UNROLLED
    timesteps -= rest
    offset = rest if reverse else 0
    state = list(initial_state)
    if timesteps:
        ours = slice(offset, offset + timesteps)
        state = _scan_rounds(
            cell,
            sequences[:, ours] if rest else sequences,  # without a copy, if it can be
            state,
            None if mask is None else mask[:, ours],
            {name: array[:, ours] for name, array in out.items()},
            reverse=reverse,
            held=held,
        )
    if rest:
        left = slice(0, rest) if reverse else slice(timesteps, None)
        state = _scan_steps(
            cell,
            sequences[:, left],
            state,
            None if mask is None else mask[:, left],
            {name: array[:, left] for name, array in out.items()},
            reverse=reverse,
            held=held,
        )
    return state


def _scan_rounds(
    cell: Cell,
    sequences: Any,
    initial_state: Sequence[Any],
    mask: np.ndarray | None,
    out: Mapping[str, np.ndarray],
    *,
    reverse: bool,
    held: Holds,
) -> list[Any]:
    """Run the compiled loop over a number of timesteps that is a multiple of _UNROLLED."""
    import tensorflow as tf  # noqa: PLC0415

    examples, timesteps, features = (int(n) for n in sequences.shape)
    parts = max(1, min(cpus(), examples // _EXAMPLES_PER_THREAD))
    block = -(-examples // parts)
    names = tuple(name for name in SIGNALS[cell.kind] if name in out)
    step_bytes = block * cell.units * sequences.dtype.size * (len(names) + _GATES[cell.kind])
    stretches = -(-timesteps * step_bytes // _BLOCK_BYTES)
    length = -(-timesteps // (stretches * _UNROLLED)) * _UNROLLED
    # XLA may keep more digits of a half-precision value between two operations than Keras does.
    jit = sequences.dtype.size >= 4
    function = _compiled(
        cell.kind,
        activation=cell.activation,
        recurrent_activation=cell.recurrent_activation,
        reset_after=cell.reset_after,
        with_bias=cell.bias is not None,
        with_mask=mask is not None,
        reverse=reverse,
        names=names,
        held_names=tuple(held),
        shape=(block, length, features),
        units=cell.units,
        dtype=sequences.dtype.name,
        jit=jit,
    )
    bias = tf.zeros((), sequences.dtype) if cell.bias is None else cell.bias
    weights = (cell.kernel, cell.recurrent_kernel, bias)
    starts = list(range(0, timesteps, length))
    if reverse:
        starts.reverse()

    def run(first: int) -> list[Any]:
        last = min(first + block, examples)
        rows, all_rows = (slice(first, last),), (block,)
        state = [_part(s, rows, all_rows) for s in initial_state]
        holds = {
            name: tuple(_part(array, rows, all_rows) for array in pair)
            for name, pair in held.items()
        }
        for start in starts:
            stop = min(start + length, timesteps)
            part, shape = (slice(first, last), slice(start, stop)), (block, length)
            real = tf.constant(True) if mask is None else _part(mask, part, shape)
            rounds = tf.constant((stop - start) // _UNROLLED)
            results = function(rounds, _part(sequences, part, shape), real, holds, *weights, *state)
            state = list(results[: len(state)])
            for name, values in zip(names, results[len(state) :], strict=True):
                array = np.asarray(memoryview(values)) if jit else values.numpy()
                out[name][part] = array[: stop - start, : last - first].swapaxes(0, 1)
        return [np.asarray(s)[: last - first] for s in state]

    ended = mapped(run, range(0, examples, block))
    return [tf.convert_to_tensor(np.concatenate(parts)) for parts in zip(*ended, strict=True)]


def _part(values: Any, part: tuple[slice, ...], shape: tuple[int, ...]) -> Any:
    """Cut a part out of the first axes of a tensor or array, filled up with zeros to a shape."""
    import tensorflow as tf  # noqa: PLC0415

    if tuple(values.shape[: len(shape)]) != shape:
        values = np.asarray(values)[part]
        missing = [n - m for n, m in zip(shape, values.shape, strict=False)]
        if any(missing):
            rest = values.ndim - len(missing)
            values = np.pad(values, [(0, n) for n in missing] + [(0, 0)] * rest)
    return tf.convert_to_tensor(values)
