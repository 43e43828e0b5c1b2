"""The gradients of recurrent layers: backpropagation through time, as functions on arrays."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from lstm_widgets.analysis.sequences import Sequences, Steps, walk_back
from lstm_widgets.parallel import product
from lstm_widgets.recurrence import ACTIVATIONS

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    import numpy.typing as npt

    from lstm_widgets.recurrence import Cell

    Floats = npt.NDArray[np.floating[Any]]

__all__ = ["known", "recurrent"]


def known(cell: Cell) -> bool:
    """Whether the derivatives of a cell's activations are known here."""
    return set(cell.activation_names) <= set(ACTIVATIONS)


def recurrent(
    layer: Sequences, given: Floats | None, last: Sequence[Floats]
) -> tuple[Floats, list[Floats]]:
    """Take the gradient of a score back through a recurrent layer.

    The equations are the derivatives of those of :func:`lstm_widgets.recurrence.step`.

    Parameters
    ----------
    layer
        What it did.
    given
        The gradient with respect to the hidden state of each timestep, as far as later layers used
        it: ``(example, timestep, units)``; None: not at all.
    last
        The same for the state that the layer ended with, in the order of ``initial_state``.

    Returns
    -------
    tuple
        The gradients with respect to ``x``, and to each initial state.
    """
    back = _BACK[layer.cell.kind](layer.cell)
    return walk_back(layer, back.walk, given, last)


class _Back:
    """What the steps of all examples share."""

    def __init__(self, cell: Cell) -> None:
        self.cell = cell
        self.units = cell.units
        self.kernel = np.ascontiguousarray(cell.kernel.T)
        self.recurrent_kernel = np.ascontiguousarray(cell.recurrent_kernel.T)
        self.activation = cell.activation
        self.slope, self.gate_slope = (ACTIVATIONS[n].slope for n in cell.activation_names)

    def hand_on(self, steps: Steps, t: int, of_z: Floats) -> Floats:
        """Go from what went into the activations to the input; return what is left at padding."""
        of_z = steps.real(t, of_z)
        steps.of_x[t] = product(of_z, self.kernel)
        return of_z


class _Lstm(_Back):
    def walk(self, steps: Steps) -> list[Floats]:
        of_hidden, of_cell = steps.last
        for t in steps.backwards():
            _, cell, i, f, g, o = steps.at(t)
            _, cell_before = steps.before(t)
            given = steps.with_given(t, of_hidden)
            shown = self.activation(cell)
            through = of_cell + given * o * self.slope(shown)
            of_z = np.concatenate(
                [
                    through * g * self.gate_slope(i),
                    through * cell_before * self.gate_slope(f),
                    through * i * self.slope(g),
                    given * shown * self.gate_slope(o),
                ],
                axis=1,
            )
            of_z = self.hand_on(steps, t, of_z)
            of_hidden = steps.carried(t, product(of_z, self.recurrent_kernel), given)
            of_cell = steps.carried(t, through * f, of_cell)
        return [of_hidden, of_cell]


class _Gru(_Back):
    def walk(self, steps: Steps) -> list[Floats]:
        (of_hidden,) = steps.last
        for t in steps.backwards():
            _, update, reset, g = steps.at(t)
            (before,) = steps.before(t)
            given = steps.with_given(t, of_hidden)
            of_update = given * (before - g) * self.gate_slope(update)
            of_g = given * (1 - update) * self.slope(g)
            of_reset, of_before = self.candidate(of_g, reset, before)
            of_gates = np.concatenate([of_update, of_reset * self.gate_slope(reset)], axis=1)
            of_before += given * update + product(of_gates, self.recurrent_kernel[: 2 * self.units])
            self.hand_on(steps, t, np.concatenate([of_gates, of_g], axis=1))
            of_hidden = steps.carried(t, of_before, given)
        return [of_hidden]

    def candidate(self, of_g: Floats, reset: Floats, before: Floats) -> tuple[Floats, Floats]:
        """Go from the candidate to the reset gate and to the state before."""
        units, cell = self.units, self.cell
        kernel = self.recurrent_kernel[2 * units :]
        if not cell.reset_after:
            of_both = product(of_g, kernel)
            return of_both * before, of_both * reset
        inner = product(before, cell.recurrent_kernel[:, 2 * units :])
        if cell.bias is not None:
            inner += cell.bias[1, 2 * units :]
        return of_g * inner, product(of_g * reset, kernel)


class _SimpleRnn(_Back):
    def walk(self, steps: Steps) -> list[Floats]:
        (of_hidden,) = steps.last
        for t in steps.backwards():
            given = steps.with_given(t, of_hidden)
            of_z = self.hand_on(steps, t, given * self.slope(steps.at(t)[0]))
            of_hidden = steps.carried(t, product(of_z, self.recurrent_kernel), given)
        return [of_hidden]


_BACK: dict[str, Callable[[Cell], Any]] = {"LSTM": _Lstm, "GRU": _Gru, "SimpleRNN": _SimpleRnn}
