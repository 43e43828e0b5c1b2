"""One step of a recurrent cell under a constant input, as a map of its joint state, and its Jacobian.

The joint state is what a cell hands to its next step, side by side: the hidden state, of an LSTM the
cell state after it. Many states are taken at once. The derivatives are those of
:func:`lstm_widgets.rnn.cells.step`, written as products of matrices, one a cell of the layer.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from lstm_widgets.rnn.activations import ACTIVATIONS, slope_of
from lstm_widgets.rnn.cells import KINDS, step
from lstm_widgets.rnn.numpy_loop import take_step
from lstm_widgets.rnn.parallel import in_blocks

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    import numpy.typing as npt

    from lstm_widgets.rnn.cells import Cell

    Floats = npt.NDArray[np.floating[Any]]

__all__ = ["StateMap"]

# Values of the Jacobians that are made at a time: rows of them that are as long as BLAS likes, and
# not more than a processor's cache shares out well.
_AT_ONCE = 1 << 20


class StateMap:
    r"""What one timestep makes of a cell's joint state, :math:`x \mapsto F(x, u)`, of many at once.

    Parameters
    ----------
    cell : Cell
        The cell. It computes in its own dtype: ``cell.astype(np.float64)`` for derivatives.
    inputs : float array (features,) or (state, features)
        What the cell receives: the same in every state, or something else in each.

    Attributes
    ----------
    places : dict of str to slice
        Where the signals that are its state stand in the joint state, in order.
    size : int
        How many values the joint state has.
    analytic : bool
        Whether the Jacobian is that of the equations. It is one of central differences for kinds of
        cells of one's own, and for activations whose derivative isn't known by name.

    Raises
    ------
    ValueError
        If there is no such kind of cell, or inputs aren't of the cell's features.

    Examples
    --------
    >>> import numpy as np
    >>> from lstm_widgets.rnn.cells import Cell
    >>> weights = np.array([[0.5, 0.0], [0.25, 0.5]])
    >>> cell = Cell("SimpleRNN", np.ones((1, 2)), weights, None, activation_names=("linear", None))
    >>> after, jacobian = StateMap(cell, np.zeros(1)).jacobian(np.ones((1, 2)))
    >>> after, jacobian
    (array([[0.75, 0.5 ]]), array([[[0.5 , 0.25],
            [0.  , 0.5 ]]]))
    """

    def __init__(self, cell: Cell, inputs: Floats) -> None:
        kind = KINDS.get(cell.kind)
        if kind is None:
            raise ValueError(f"kind: expected one of {', '.join(KINDS)}; got {cell.kind!r}")
        self.cell = cell = cell.in_numpy()
        inputs = np.atleast_2d(np.asarray(inputs, cell.dtype))
        own = cell.kind not in _JACOBIANS
        if inputs.ndim != 2 or not (own or inputs.shape[1] == len(cell.kernel)):
            raise ValueError(
                f"inputs: expected (features,) or (state, features)"
                f"{'' if own else f' with {len(cell.kernel)} features'}, got shape {inputs.shape}"
            )
        self._inputs = inputs
        self.places: dict[str, slice] = {}
        self.size = 0
        for name in kind.signals[: kind.states]:
            self.places[name] = slice(self.size, self.size + cell.width(name))
            self.size = self.places[name].stop
        self.analytic = not own and _has_slopes(cell)
        self._jacobian = _JACOBIANS[cell.kind](cell) if self.analytic else None
        self._z: Any = None
        if not own:
            z = cell.taken(inputs)
            self._z = z if cell.input_bias is None else z + cell.input_bias

    def split(self, joint: Floats) -> list[Floats]:
        """Take a joint state ``(..., state)`` apart: the signals that it is made of, in order."""
        return [joint[..., place] for place in self.places.values()]

    def __call__(self, joint: Floats) -> Floats:
        """Take the step: joint states ``(state, size)`` to those after it, in the cell's dtype."""
        after = np.empty(joint.shape, self.cell.dtype)

        def run(some: slice) -> None:
            for place, values in zip(
                self.places.values(), self._signals(joint[some], some), strict=False
            ):
                after[some, place] = values

        in_blocks(run, len(joint), self.cell.widest if self._z is not None else self.size)
        return after

    def jacobian(self, joint: Floats) -> tuple[Floats, Floats]:
        r"""Take the step, and find its derivative with respect to the joint state.

        Parameters
        ----------
        joint : float array (state, size)
            The states.

        Returns
        -------
        float array (state, size), float array (state, size, size)
            The states after the step, and :math:`J_{ij} = \partial F_i / \partial x_j` of each.
        """
        joint = np.asarray(joint, self.cell.dtype)
        if self._jacobian is None:
            return self(joint), self._differences(joint)
        make = self._jacobian
        after = np.empty_like(joint)
        jacobian = np.zeros((*joint.shape, self.size), joint.dtype)

        def run(some: slice) -> None:
            signals = self._signals(joint[some], some)
            for place, values in zip(self.places.values(), signals, strict=False):
                after[some, place] = values
            with np.errstate(all="ignore"):
                make(self.split(joint[some]), signals, jacobian[some])

        in_blocks(run, len(joint), self.size**2, max(1, _AT_ONCE // self.size**2))
        return after, jacobian

    def _signals(self, joint: Floats, some: slice) -> tuple[Floats, ...]:
        """Compute all signals of the step from some of the states."""
        cell, state = self.cell, self.split(joint)
        one = len(self._inputs) == 1
        if self._z is None:
            inputs = self._inputs if one else self._inputs[some]
            inputs = np.broadcast_to(inputs, (len(joint), inputs.shape[1]))
            return take_step(cell, inputs, state)
        with np.errstate(all="ignore"):
            z = self._z if one else self._z[some]
            if cell.kind == "GRU":  # whose gates act in between
                z = np.broadcast_to(z, (len(joint), z.shape[1]))
            else:
                z = z + state[0] @ cell.recurrent_kernel
            return step(cell, z, state)

    def _differences(self, joint: Floats) -> Floats:
        """Take the slope between two points around each state, along each of its values."""
        jacobian = np.empty((*joint.shape, self.size), joint.dtype)
        reach = np.cbrt(np.finfo(joint.dtype).eps) * np.maximum(1, np.abs(joint))
        for k in range(self.size):
            above, below = joint.copy(), joint.copy()
            above[:, k] += reach[:, k]
            below[:, k] -= reach[:, k]
            apart = (above[:, k] - below[:, k])[:, None]
            jacobian[:, :, k] = (self(above) - self(below)) / apart
        return jacobian


def _has_slopes(cell: Cell) -> bool:
    """Whether the derivatives of the activations that a cell has are known."""
    names = cell.activation_names[: 1 if cell.kind == "SimpleRNN" else 2]
    activations = [ACTIVATIONS.get(name) for name in names]
    return all(one is not None and one.slope is not None for one in activations)


def _of_cells(kernel: Floats, gates: int) -> Floats:
    """Bring recurrent weights ``(state, gates * units)`` into one matrix a cell: ``(units, gate, state)``."""
    return np.ascontiguousarray(kernel.reshape(len(kernel), gates, -1).transpose(2, 1, 0))


def _put(out: Floats, factors: Sequence[Floats], kernels: Floats) -> None:
    """Write products of a gate's factor and its weights, summed over the gates, into Jacobians.

    A matrix product a cell: ``(state, gate)`` times ``(gate, state before)``.
    """
    np.matmul(np.stack(factors, -1).transpose(1, 0, 2), kernels, out=out.transpose(1, 0, 2))


def _add_diagonal(out: Floats, values: Floats) -> None:
    k = np.arange(values.shape[1])
    out[:, k, k] += values


class _Lstm:
    def __init__(self, cell: Cell) -> None:
        self.cell = cell
        self.slope, self.gate_slope = (slope_of(name) for name in cell.activation_names)
        self.kernels = _of_cells(cell.recurrent_kernel, 4)

    def __call__(self, state: Sequence[Floats], signals: Sequence[Floats], out: Floats) -> None:
        cell = self.cell
        _, after, i, f, g, o = signals
        shown = cell.activation(after)
        through = o * self.slope(shown)
        of_c = [g * self.gate_slope(i), state[1] * self.gate_slope(f), i * self.slope(g)]
        of_o = shown * self.gate_slope(o)
        width = len(cell.recurrent_kernel)
        _put(out[:, width:, :width], of_c, self.kernels[:, :3])
        _add_diagonal(out[:, width:, width:], f)
        of_h = [*(through * one for one in of_c), of_o]
        if cell.projection is None:
            _put(out[:, :width, :width], of_h, self.kernels)
            _add_diagonal(out[:, :width, width:], through * f)
            return
        let_through = np.empty((len(out), cell.units, width), out.dtype)
        _put(let_through, of_h, self.kernels)
        np.matmul(cell.projection.T, let_through, out=out[:, :width, :width])
        np.multiply(cell.projection.T, (through * f)[:, None], out=out[:, :width, width:])


class _Gru:
    def __init__(self, cell: Cell) -> None:
        self.cell = cell
        self.slope, self.gate_slope = (slope_of(name) for name in cell.activation_names)
        self.kernels = _of_cells(cell.recurrent_kernel, 3)
        units = cell.units
        _, self.reset, self.candidate = (
            np.ascontiguousarray(cell.recurrent_kernel[:, k * units : (k + 1) * units].T)
            for k in range(3)
        )

    def __call__(self, state: Sequence[Floats], signals: Sequence[Floats], out: Floats) -> None:
        cell, (before,) = self.cell, state
        _, update, reset, g = signals
        of_g = (1 - update) * self.slope(g)
        of_update = (before - g) * self.gate_slope(update)
        of_reset = self.gate_slope(reset)
        if cell.reset_after:
            inner = before @ self.candidate.T
            if cell.bias is not None:
                inner += cell.bias[1, 2 * cell.units :]
            _put(out, [of_update, of_g * inner * of_reset, of_g * reset], self.kernels)
        else:
            # What the reset gate does to each old state, and through it to every candidate.
            scaled = self.candidate * (before * of_reset)[:, None]
            flat = scaled.reshape(-1, cell.units)
            np.matmul(flat, self.reset, out=out.reshape(flat.shape))
            out += self.candidate * reset[:, None]
            out *= of_g[:, :, None]
            out += of_update[:, :, None] * self.kernels[:, 0]
        _add_diagonal(out, update)


class _SimpleRnn:
    def __init__(self, cell: Cell) -> None:
        self.slope = slope_of(cell.activation_names[0])
        self.kernel = np.ascontiguousarray(cell.recurrent_kernel.T)

    def __call__(self, state: Sequence[Floats], signals: Sequence[Floats], out: Floats) -> None:
        del state
        np.multiply(self.slope(signals[0])[:, :, None], self.kernel, out=out)


_JACOBIANS: dict[str, Callable[[Cell], Callable[..., None]]] = {
    **dict.fromkeys(("LSTM", "ProjectedLSTM"), _Lstm),
    "GRU": _Gru,
    "SimpleRNN": _SimpleRnn,
}
