# The equations are for arrays and for a framework's tensors, which have no types here: Any.
# ruff: noqa: ANN401
"""The recurrent cells: what they are called, what they keep, and their equations.

:data:`KINDS` has one entry a kind of cell. The equations stand here once, written with operators that
NumPy arrays and tensors share. :mod:`lstm_widgets.rnn.numpy_loop` runs them as they are;
:mod:`lstm_widgets.rnn.compiled` has a compiled copy of them, and is held against them step by step.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any, TypeAlias

import numpy as np

from lstm_widgets.rnn.activations import ACTIVATIONS

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    import numpy.typing as npt

    Hold: TypeAlias = Callable[[str, Any], Any]

__all__ = [
    "KINDS",
    "SIGNALS",
    "STATES",
    "Cell",
    "Holds",
    "Kind",
    "add_kind",
    "plain_array",
    "recorded_kind",
    "step",
]


Holds: TypeAlias = "Mapping[str, tuple[npt.NDArray[np.bool_], npt.NDArray[np.floating[Any]]]]"
"""Which cells are held at what, by signal: bool and float ``(example, units)``.

At each timestep that isn't padding, a value of the signal is replaced where the first is True, as
soon as it is computed: what follows from it in that step and later follows from the held value.
"""


@dataclass(frozen=True)
class Cell:
    """One recurrent cell: what :func:`step` needs besides the input and the state.

    Weights are arrays of the dtype in which the cell computes, and have the layout of Keras: gates
    side by side along the last axis, in the order input, forget, candidate, output (LSTM) or update,
    reset, candidate (GRU).

    Attributes
    ----------
    kind : str
        One of :data:`KINDS`.
    kernel : array or tensor
        Input weights ``(features, gates * units)``.
    recurrent_kernel : array or tensor
        Recurrent weights ``(units, gates * units)``; of a projection ``(projected, gates * units)``.
    bias : array or tensor, optional
        ``(gates * units,)``, for a GRU with ``reset_after`` ``(2, gates * units)``: one for the
        input, one for the recurrent product; None without bias.
    activation, recurrent_activation : callable, optional
        Functions on arrays ``(example, units)``; unused where they have a name.
    activation_names : tuple of str, optional
        Their names in :data:`lstm_widgets.rnn.activations.ACTIVATIONS`, else None.
    reset_after : bool, default False
        Whether a GRU applies its reset gate after the recurrent product.
    projection : array or tensor, optional
        What makes the hidden state of what the output gate lets through, ``(units, projected)``.
    """

    kind: str
    kernel: Any
    recurrent_kernel: Any
    bias: Any
    activation: Any = None
    recurrent_activation: Any = None
    activation_names: tuple[str | None, str | None] = (None, None)
    reset_after: bool = False
    projection: Any = None

    @property
    def dtype(self) -> np.dtype[Any]:
        """The dtype in which it computes."""
        dtype: np.dtype[Any] = self.kernel.dtype
        return dtype

    @property
    def widest(self) -> int:
        """How many values an example has in the widest array of a step."""
        return int(max(self.kernel.shape))

    def taken(self, inputs: Any) -> Any:
        """Make of inputs ``(example, features)`` what a step takes of them: products with the weights."""
        return inputs @ self.kernel

    @property
    def units(self) -> int:
        """The number of cells (in the sense of the recording: units) of the layer."""
        first = self.recurrent_kernel if self.projection is None else self.projection
        return int(first.shape[0])

    def width(self, signal: str) -> int:
        """Tell how many values a signal has at a timestep: one a cell, or one a projected state."""
        projected = signal == "hidden_state" and self.projection is not None
        return int(self.recurrent_kernel.shape[0]) if projected else self.units

    @property
    def candidate(self) -> slice:
        """Which columns of the weights lead to the candidate; of a SimpleRNN, to the hidden state."""
        first = 0 if self.kind == "SimpleRNN" else 2 * self.units
        return slice(first, first + self.units)

    @property
    def input_bias(self) -> Any:
        """The bias of what comes from the input, None if there is none."""
        return self.bias[0] if self._has_two_biases else self.bias

    @property
    def recurrent_bias(self) -> Any:
        """The bias of the recurrent product, None if there is none."""
        return self.bias[1] if self._has_two_biases else None

    @property
    def _has_two_biases(self) -> bool:
        return self.bias is not None and self.kind == "GRU" and self.reset_after

    def in_numpy(self) -> Cell:
        """Return the same with half precision promoted to float32, and activations by their names."""
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
            projection=None if self.projection is None else plain_array(self.projection),
        )

    def astype(self, dtype: Any) -> Cell:
        """Return the same with weights of another dtype."""
        return self.changed(lambda weights: weights.astype(dtype))

    def changed(self, function: Callable[[Any], Any]) -> Cell:
        """Return the same with what a function makes of each of the weights."""
        return replace(
            self,
            kernel=function(self.kernel),
            recurrent_kernel=function(self.recurrent_kernel),
            bias=None if self.bias is None else function(self.bias),
            projection=None if self.projection is None else function(self.projection),
        )


@dataclass(frozen=True)
class Lookup:
    """Sequences whose vectors are rows of a table: what is made of each row is made once.

    Attributes
    ----------
    table : float array (row, features)
        The table, of the dtype of the cell that reads.
    rows : int array (example, timestep)
        Which of its rows stands where.
    """

    table: npt.NDArray[Any]
    rows: npt.NDArray[np.intp]

    def used(self) -> Lookup:
        """Return the same without the rows that stand nowhere."""
        count = np.bincount(self.rows.ravel(), minlength=len(self.table))
        if count.all():
            return self
        numbers = np.cumsum(count > 0) - 1
        return Lookup(self.table[count > 0], numbers[self.rows])


def plain_array(values: Any) -> npt.NDArray[Any]:
    """Turn a tensor into an array that NumPy computes with: half precision becomes float32."""
    array: npt.NDArray[Any] = np.asarray(values)
    return array if array.dtype.itemsize >= 4 else array.astype(np.float32)


def _lstm(cell: Cell, z: Any, state: Sequence[Any], hold: Hold) -> tuple[Any, ...]:
    units, gate = cell.units, cell.recurrent_activation
    input_gate = hold("input_gate", gate(z[:, :units]))
    forget_gate = hold("forget_gate", gate(z[:, units : 2 * units]))
    candidate = hold("candidate", cell.activation(z[:, 2 * units : 3 * units]))
    output_gate = hold("output_gate", gate(z[:, 3 * units :]))
    new_cell = hold("cell_state", forget_gate * state[1] + input_gate * candidate)
    new_hidden = hold("hidden_state", output_gate * cell.activation(new_cell))
    return new_hidden, new_cell, input_gate, forget_gate, candidate, output_gate


def _projected_lstm(cell: Cell, z: Any, state: Sequence[Any], hold: Hold) -> tuple[Any, ...]:
    def of_cells(name: str, values: Any) -> Any:
        return values if name == "hidden_state" else hold(name, values)

    let_through, *others = _lstm(cell, z, state, of_cells)
    return hold("hidden_state", let_through @ cell.projection), *others


def _gru(cell: Cell, z: Any, state: Sequence[Any], hold: Hold) -> tuple[Any, ...]:
    (hidden,), units, kernel = state, cell.units, cell.recurrent_kernel
    gate = cell.recurrent_activation
    inner = hidden @ (kernel if cell.reset_after else kernel[:, :-units])
    if cell.recurrent_bias is not None:
        inner = inner + cell.recurrent_bias
    gates = z[:, : 2 * units] + inner[:, : 2 * units]
    update_gate = hold("update_gate", gate(gates[:, :units]))
    reset_gate = hold("reset_gate", gate(gates[:, units:]))
    if cell.reset_after:
        recurrent = reset_gate * inner[:, 2 * units :]
    else:
        recurrent = (reset_gate * hidden) @ kernel[:, 2 * units :]
    candidate = hold("candidate", cell.activation(z[:, 2 * units :] + recurrent))
    new_hidden = hold("hidden_state", update_gate * hidden + (1 - update_gate) * candidate)
    return new_hidden, update_gate, reset_gate, candidate


def _simple_rnn(cell: Cell, z: Any, _state: Sequence[Any], hold: Hold) -> tuple[Any, ...]:
    return (hold("hidden_state", cell.activation(z)),)


@dataclass(frozen=True)
class Kind:
    """What there is to know of a kind of cell.

    Attributes
    ----------
    signals : tuple of str
        The names of what it computes in each timestep, in the order of ``step``.
    states : int
        How many of them, from the first, it hands to its next step.
    gates : int
        How many times its units stand side by side in its weights.
    step : callable
        From the cell, what goes into the activations, the state and a ``hold`` to all signals, see
        :func:`step`.
    parts : dict of str to tuple of str
        What is recorded apart, because there are other numbers of it: kinds, and which of the signals
        each has. Empty if all is recorded together.
    name : str
        What a recording calls it, if not as :data:`KINDS` does.
    """

    signals: tuple[str, ...]
    states: int
    gates: int
    step: Callable[[Cell, Any, Sequence[Any], Hold], tuple[Any, ...]]
    parts: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    name: str = ""


_OF_LSTM = (
    *("hidden_state", "cell_state", "input_gate", "forget_gate", "candidate"),
    "output_gate",
)


KINDS: dict[str, Kind] = {
    "LSTM": Kind(_OF_LSTM, states=2, gates=4, step=_lstm),
    "ProjectedLSTM": Kind(
        _OF_LSTM,
        states=2,
        gates=4,
        step=_projected_lstm,
        parts={"ProjectedLSTM": _OF_LSTM[1:], "Projection": _OF_LSTM[:1]},
        name="LSTM",
    ),
    "GRU": Kind(
        ("hidden_state", "update_gate", "reset_gate", "candidate"), states=1, gates=3, step=_gru
    ),
    "SimpleRNN": Kind(("hidden_state",), states=1, gates=1, step=_simple_rnn),
}
"""The kinds of cells, by name; :func:`add_kind` adds to them."""

SIGNALS: dict[str, tuple[str, ...]] = {
    part: signals
    for name, kind in KINDS.items()
    for part, signals in (kind.parts or {name: kind.signals}).items()
}
"""The signals that are recorded of each kind, in the order in which :func:`step` returns them."""

STATES: dict[str, int] = {name: kind.states for name, kind in KINDS.items()}
"""How many of the signals, from the first, are the state that a cell hands to its next step."""


def add_kind(name: str, kind: Kind) -> None:
    """Make a further kind of cells known, or other equations of one, by a name that no other kind has."""
    KINDS[name] = kind
    SIGNALS[name], STATES[name] = kind.signals, kind.states


def recorded_kind(kind: str) -> str:
    """Tell what a recording calls a kind: cells of an LSTM are such, whatever becomes of their outputs."""
    known = KINDS.get(kind)
    return (known.name if known else "") or kind


def step(
    cell: Cell,
    z: Any,
    state: Sequence[Any],
    *,
    hold: Hold = lambda _, values: values,
) -> tuple[Any, ...]:
    r"""Compute all signals of one timestep.

    With :math:`\sigma` the recurrent activation, :math:`\phi` the activation and :math:`\odot` the
    elementwise product:

    LSTM (Hochreiter and Schmidhuber 1997, with the forget gate of Gers et al. 2000)

    .. math::
        i, f, o = \sigma(x_t W_{i,f,o} + h_{t-1} U_{i,f,o} + b_{i,f,o}), \quad
        g = \phi(x_t W_g + h_{t-1} U_g + b_g), \\
        c_t = f \odot c_{t-1} + i \odot g, \quad h_t = o \odot \phi(c_t)

    with a projection (Sak et al. 2014) :math:`h_t = (o \odot \phi(c_t)) P`.

    GRU (Cho et al. 2014), where :math:`z` keeps the old state

    .. math::
        z, r = \sigma(x_t W_{z,r} + h_{t-1} U_{z,r} + b_{z,r}), \quad
        h_t = z \odot h_{t-1} + (1 - z) \odot g, \\
        g = \phi(x_t W_g + b_g + r \odot (h_{t-1} U_g + b'_g)) \text{ if reset\_after, else }
        \phi(x_t W_g + b_g + (r \odot h_{t-1}) U_g)

    SimpleRNN (Elman 1990): :math:`h_t = \phi(x_t W + h_{t-1} U + b)`.

    Parameters
    ----------
    cell : Cell
        The cell, its activations functions on what ``z`` is.
    z : array or tensor
        What goes into the activations, ``(example, gates * units)``: :math:`x_t W + h_{t-1} U + b`;
        for a GRU, whose gates act in between, only :math:`x_t W + b`.
    state : sequence of array or tensor
        What the previous step left: ``(hidden, cell)`` for LSTM, else ``(hidden,)``; each
        ``(example, units)``, a projected hidden state ``(example, projected)``.
    hold : callable, optional
        From a signal's name and its values to those that the cell goes on with.

    Returns
    -------
    tuple
        The signals in the order of :data:`KINDS`, each ``(example, units)``. The first
        :data:`STATES` of them are the new state.

    Raises
    ------
    ValueError
        If there is no such kind of cell.
    """
    kind = KINDS.get(cell.kind)
    if kind is None:
        raise ValueError(f"kind: expected one of {', '.join(KINDS)}; got {cell.kind!r}")
    return kind.step(cell, z, state, hold)
