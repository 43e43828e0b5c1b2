"""The gradients of recurrent layers: backpropagation through time, as functions on arrays."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from lstm_widgets.rnn.activations import ACTIVATIONS, slope_of
from lstm_widgets.rnn.scan import compiled_module
from lstm_widgets.rnn.sequences import Block, Sequences, Steps, walk_back

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    import numpy.typing as npt

    from lstm_widgets.rnn.cells import Cell

    Floats = npt.NDArray[np.floating[Any]]

__all__ = ["known", "recurrent"]


def known(cell: Cell) -> bool:
    """Whether the derivatives of a cell's activations are known here."""
    known = [ACTIVATIONS.get(name) for name in cell.activation_names]
    return all(activation is not None and activation.slope is not None for activation in known)


def recurrent(
    layer: Sequences, given: Floats | None, last: Sequence[Floats]
) -> tuple[Floats, list[Floats]]:
    """Take the gradient of a score back through a recurrent layer.

    The equations are the derivatives of those of :func:`lstm_widgets.rnn.cells.step`.

    Parameters
    ----------
    layer : Sequences
        What it did.
    given : float array (example, timestep, units), optional
        The gradient with respect to the hidden state of each timestep, as far as later layers used
        it: ``(example, timestep, units)``; None: not at all.
    last : sequence of float array
        The same for the state that the layer ended with, in the order of ``initial_state``.

    Returns
    -------
    tuple
        The gradients with respect to ``x``, and to each initial state.
    """
    back = _BACK[layer.cell.kind](layer.cell)
    quick = compiled_module("compiled_back")
    if quick is not None and not quick.serves(layer.cell, gradients=True):
        quick = None

    def walk(block: Block) -> list[Floats]:
        if quick is not None:
            arrived: list[Floats] = quick.gradient(block)
            return arrived
        return list(back.walk(Steps(block)))

    at_once = None if quick is None else quick.AT_ONCE
    return walk_back(layer, walk, given, last, at_once=at_once)


class _Back:
    """What the steps of all examples share."""

    def __init__(self, cell: Cell) -> None:
        self.cell = cell
        self.units = cell.units
        self.kernel = np.ascontiguousarray(cell.kernel.T)
        self.recurrent_kernel = np.ascontiguousarray(cell.recurrent_kernel.T)
        self.projection = None
        if cell.projection is not None:
            self.projection = np.ascontiguousarray(cell.projection.T)
        self.activation = cell.activation
        self.slope, self.gate_slope = (slope_of(name) for name in cell.activation_names)

    def room(self, steps: Steps) -> Floats:
        """Make room for the gradients of what goes into the activations, of every step."""
        return np.empty((*steps.x.shape[:2], self.kernel.shape[0]), steps.x.dtype)

    def hand_on(self, steps: Steps, of_z: Floats) -> None:
        """Go from them to the inputs."""
        np.matmul(of_z, self.kernel, out=steps.of_x)


class _Lstm(_Back):
    def walk(self, steps: Steps) -> list[Floats]:
        of_hidden, of_cell = steps.last
        _, cell, i, f, g, o = steps.signals
        shown = self.activation(cell)
        to_cell = o * self.slope(shown)
        of_z = self.room(steps)
        gates = of_z.reshape(*of_z.shape[:2], 4, self.units)
        # What a gate's gradient is a multiple of: first these factors, then the gradients.
        gates[..., 0, :] = g * self.gate_slope(i)
        gates[..., 1, :] = steps.before[1] * self.gate_slope(f)
        gates[..., 2, :] = i * self.slope(g)
        gates[..., 3, :] = shown * self.gate_slope(o)
        for t in steps.backwards():
            given = steps.with_given(t, of_hidden)
            let_through = given if self.projection is None else given @ self.projection
            through = of_cell + let_through * to_cell[t]
            gates[t, :, :3] *= through[:, None]
            gates[t, :, 3] *= let_through
            arrived = steps.real(t, of_z[t]) @ self.recurrent_kernel
            of_hidden = steps.carried(t, arrived, given)
            of_cell = steps.carried(t, through * f[t], of_cell)
        self.hand_on(steps, of_z)
        return [of_hidden, of_cell]


class _Gru(_Back):
    def walk(self, steps: Steps) -> list[Floats]:
        (of_hidden,) = steps.last
        _, update, reset, g = steps.signals
        (before,) = steps.before
        units, kernel = self.units, self.recurrent_kernel
        of_z = self.room(steps)
        of_z[..., :units] = (before - g) * self.gate_slope(update)
        of_z[..., units : 2 * units] = self.gate_slope(reset)
        of_z[..., 2 * units :] = (1 - update) * self.slope(g)
        inner = self.inner(before)
        for t in steps.backwards():
            given = steps.with_given(t, of_hidden)
            of_z[t, :, :units] *= given
            of_g = of_z[t, :, 2 * units :]
            of_g *= given
            of_before = given * update[t]
            if inner is None:
                of_both = of_g @ kernel[2 * units :]
                of_z[t, :, units : 2 * units] *= of_both * before[t]
                of_before += of_both * reset[t]
            else:
                of_z[t, :, units : 2 * units] *= of_g * inner[t]
                of_before += (of_g * reset[t]) @ kernel[2 * units :]
            of_before += of_z[t, :, : 2 * units] @ kernel[: 2 * units]
            steps.real(t, of_z[t])
            of_hidden = steps.carried(t, of_before, given)
        self.hand_on(steps, of_z)
        return [of_hidden]

    def inner(self, before: Floats) -> Floats | None:
        """Find what the reset gate multiplies, if it acts after the recurrent product."""
        cell, units = self.cell, self.units
        if not cell.reset_after:
            return None
        inner: Floats = before @ cell.recurrent_kernel[:, 2 * units :]
        if cell.bias is not None:
            inner += cell.bias[1, 2 * units :]
        return inner


class _SimpleRnn(_Back):
    def walk(self, steps: Steps) -> list[Floats]:
        (of_hidden,) = steps.last
        of_z = np.array(self.slope(steps.signals[0]))
        for t in steps.backwards():
            given = steps.with_given(t, of_hidden)
            of_z[t] *= given
            of_hidden = steps.carried(t, steps.real(t, of_z[t]) @ self.recurrent_kernel, given)
        self.hand_on(steps, of_z)
        return [of_hidden]


_BACK: dict[str, Callable[[Cell], Any]] = {
    **dict.fromkeys(("LSTM", "ProjectedLSTM"), _Lstm),
    "GRU": _Gru,
    "SimpleRNN": _SimpleRnn,
}
