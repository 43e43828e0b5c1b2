# ruff: noqa: ANN401 - models, and what they read, are of many types
"""How the state of a few cells changes, over all the states that they may have, and where it stays."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from lstm_widgets.analysis.fixed_points import linearised
from lstm_widgets.analysis.slowest_states import minimised, one_of_each
from lstm_widgets.rnn.numpy_loop import take_step
from lstm_widgets.running.constant import ConstantInput

if TYPE_CHECKING:
    import numpy.typing as npt

    Floats = npt.NDArray[np.float64]

__all__ = ["MOST_CELLS", "Portrait", "portrait_of"]

MOST_CELLS = 4
#: How many starts there are along each axis, by the number of cells.
_STARTS = {1: 61, 2: 21, 3: 9, 4: 6}
#: How often the hidden state follows a cell state that stays.
_FOLLOWED = 60
#: Activations that give nothing beyond -1 and 1.
_BOUNDED = ("tanh", "sigmoid", "hard_sigmoid", "hard_sigmoid_keras2", "hard_tanh", "softsign")
#: After so many timesteps a state is near one that it comes to, which may be far from where it began.
_RUN = 100
_FIXED, _TURNS, _SAME = 1e-20, 300, 1e-3


@dataclass(frozen=True)
class Portrait:
    """A layer of one to four cells under a constant input.

    Attributes
    ----------
    constant : ConstantInput
        The layer, and what it receives.
    """

    constant: ConstantInput

    @property
    def signal(self) -> str:
        """What is shown of a cell: its cell state, if it has one, else its hidden state."""
        places = self.constant.step.places
        return "cell_state" if "cell_state" in places else "hidden_state"

    @property
    def _place(self) -> slice:
        return self.constant.step.places[self.signal]

    @property
    def cells(self) -> int:
        """How many cells there are."""
        return int(self._place.stop - self._place.start)

    @property
    def bounded(self) -> bool:
        """Whether what is shown can't leave -1 to 1."""
        cell = self.constant.step.cell
        return self.signal == "hidden_state" and cell.activation_names[0] in _BOUNDED

    def joint(self, shown: Floats) -> Floats:
        """Make joint states of those that are shown ``(state, cell)``: what else there is has followed."""
        step, place = self.constant.step, self._place
        joint: Floats = np.zeros((len(shown), step.size))
        joint[:, place] = shown
        if step.size > self.cells:
            for _ in range(_FOLLOWED):
                joint[:, : place.start] = self._hidden(joint)
        return joint

    def _hidden(self, joint: Floats) -> Floats:
        """Tell which hidden states follow from cell states that stay, one step on."""
        step, cell = self.constant.step, self.constant.step.cell
        if cell.kind not in ("LSTM", "ProjectedLSTM"):
            return np.asarray(step(joint)[:, : self._place.start])
        inputs = np.broadcast_to(self.constant.received, (len(joint), len(self.constant.received)))
        output_gate = take_step(cell, inputs, step.split(joint))[-1]
        let_through = output_gate * cell.activation(joint[:, self._place])
        return np.asarray(let_through if cell.projection is None else let_through @ cell.projection)

    def change(self, shown: Floats) -> Floats:
        """Tell by how much one timestep changes states ``(state, cell)``."""
        change: Floats = self.constant.step(self.joint(shown))[:, self._place] - shown
        return change

    def points(self, low: float, high: float) -> tuple[Floats, npt.NDArray[np.bool_]]:
        """Find the fixed points: ``(point, cell)``, and whether each is stable."""
        axis = np.linspace(low, high, _STARTS[self.cells])
        grid = np.stack(np.meshgrid(*[axis] * self.cells), axis=-1).reshape(-1, self.cells)
        starts = [self.joint(grid)]
        later: Any = starts[0]
        for _ in range(_RUN):
            later = self.constant.step(later)
        starts.append(later[np.isfinite(later).all(axis=1)])
        found = minimised(
            self.constant.step,
            np.concatenate(starts),
            tolerance=_FIXED,
            turns=_TURNS,
            advance=lambda _: None,
        )
        fixed = found.q <= _FIXED
        states, q = found.state[fixed], found.q[fixed]
        chosen, _ = one_of_each(states, _SAME * (high - low), np.argsort(q, kind="stable"))
        _, eigenvalues, _ = linearised(self.constant.step, states[chosen])
        stable = np.asarray((np.abs(eigenvalues) < 1).all(axis=1))
        return states[chosen][:, self._place], stable


def portrait_of(model: Any, layer: str | None, inputs: Any, vocabulary: Any) -> Portrait:
    """Take a layer of one to four cells out of a model that reads the same at every timestep."""
    made = Portrait(ConstantInput(model, layer, inputs, vocabulary=vocabulary))
    if made.cells > MOST_CELLS:
        raise ValueError(
            f"layer: expected one of 1 to {MOST_CELLS} cells, got {made.constant.name!r} with {made.cells}; "
            "lstm_widgets.fixed_points finds where a layer of any size stays"
        )
    return made
