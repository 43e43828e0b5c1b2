# Keras has no types, so what comes from it is Any.
# ruff: noqa: ANN401
"""The self-check of loops that stand in for those of a model's layers while it is explained."""

from __future__ import annotations

import functools
from typing import TYPE_CHECKING, Any

from lstm_widgets.errors import SelfCheckError
from lstm_widgets.models.keras.cells import as_array
from lstm_widgets.models.keras.layers import load_keras
from lstm_widgets.models.keras.patches import replaced
from lstm_widgets.models.keras.run import LayerCall
from lstm_widgets.models.self_check import CellRun, LayerCheck
from lstm_widgets.recording.calls import call_name
from lstm_widgets.rnn.comparison import TOLERANCES

if TYPE_CHECKING:
    from collections.abc import Sequence
    from contextlib import AbstractContextManager

    import numpy as np
    import numpy.typing as npt

    from lstm_widgets.models.keras.layers import Found
    from lstm_widgets.models.keras.passes import Pass

__all__ = ["LoopCheck"]


class LoopCheck:
    """Holds calls of layers against the layers themselves, by :mod:`lstm_widgets.models.self_check`.

    Parameters
    ----------
    done : Pass
        The pass that the calls belong to, which fails if one is wrong.
    full : bool
        Whether everything is computed again, and not only some of it.
    tolerance : float, optional
        How far a call may be off; None: as its dtype has it.

    Attributes
    ----------
    drifted : bool
        Whether rounding grew beyond the tolerance in some call.
    """

    def __init__(self, done: Pass, *, full: bool, tolerance: float | None) -> None:
        self._done, self._full, self._tolerance = done, full, tolerance
        self._times: dict[str, int] = {}
        self.drifted = False

    def __call__(
        self,
        one: Found,
        sequences: Any,
        initial_state: Any,
        mask: npt.NDArray[np.bool_] | None,
        runs: Sequence[CellRun],
    ) -> None:
        """Check one call of a layer.

        Parameters
        ----------
        one : Found
            The layer.
        sequences, initial_state, mask : tensors, and bool array (example, timestep), optional
            What it was called with.
        runs : sequence of CellRun
            What its cells did.
        """
        self._times[one.name] = time = self._times.get(one.name, 0) + 1
        number = one.number(time)
        states = [as_array(state) for state in load_keras().tree.flatten(initial_state)]

        def paused() -> AbstractContextManager[None]:
            # A cell that the model steps itself, too, may have another call just now.
            own = [(cell, "call", functools.partial(type(cell).call, cell)) for cell in one.cells]
            return replaced(own)

        call = LayerCall(
            one, number, as_array(sequences), states, mask, (sequences, initial_state), paused
        )
        names = [name if number == 1 else call_name(name, number) for name in one.units]
        tolerances = [
            self._tolerance or TOLERANCES.get(run.dtype, TOLERANCES["float32"]) for run in runs
        ]
        try:
            outcome = LayerCheck(call, runs, full=self._full).hold(names, tolerances)
        except SelfCheckError as error:
            self._done.fail(error)
        else:
            self.drifted |= outcome.drifted
