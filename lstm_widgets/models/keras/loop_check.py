# Keras has no types, so what comes from it is Any.
# ruff: noqa: ANN401
"""The self-check of loops that stand in for those of a Keras model's layers while it is explained."""

from __future__ import annotations

import functools
from typing import TYPE_CHECKING, Any

from lstm_widgets.models.keras.cells import as_array
from lstm_widgets.models.keras.layers import load_keras
from lstm_widgets.models.keras.patches import replaced
from lstm_widgets.models.keras.run import LayerCall

if TYPE_CHECKING:
    from collections.abc import Sequence
    from contextlib import AbstractContextManager

    import numpy as np
    import numpy.typing as npt

    from lstm_widgets.models.keras.layers import Found
    from lstm_widgets.models.loop_check import LoopCheck
    from lstm_widgets.models.self_check import CellRun

__all__ = ["check_call"]


def check_call(
    check: LoopCheck,
    one: Found,
    sequences: Any,
    initial_state: Any,
    *,
    mask: npt.NDArray[np.bool_] | None,
    runs: Sequence[CellRun],
) -> None:
    """Check one call of a layer.

    Parameters
    ----------
    check : LoopCheck
        What checks it.
    one : Found
        The layer.
    sequences, initial_state, mask : tensors, and bool array (example, timestep), optional
        What it was called with.
    runs : sequence of CellRun
        What its cells did.
    """

    def paused() -> AbstractContextManager[None]:
        # A cell that the model steps itself, too, may have another call just now.
        own = [(cell, "call", functools.partial(type(cell).call, cell)) for cell in one.cells]
        return replaced(own)

    states = [as_array(state) for state in load_keras().tree.flatten(initial_state)]
    number = one.number(check.time(one.name))
    tensors = (sequences, initial_state)
    check(LayerCall(one, number, as_array(sequences), states, mask, tensors, paused), runs)
