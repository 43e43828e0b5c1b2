"""The self-check of loops that stand in for those of a model's layers while it is explained."""

from __future__ import annotations

from typing import TYPE_CHECKING

from lstm_widgets.errors import SelfCheckError
from lstm_widgets.models.self_check import CellRun, LayerCheck
from lstm_widgets.recording.calls import call_name
from lstm_widgets.rnn.comparison import TOLERANCES

if TYPE_CHECKING:
    from collections.abc import Sequence

    from lstm_widgets.models.adapter import Call
    from lstm_widgets.models.passes import OpenPass

__all__ = ["LoopCheck"]


class LoopCheck:
    """Holds calls of layers against the layers themselves, by :mod:`lstm_widgets.models.self_check`.

    Parameters
    ----------
    done : OpenPass
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

    def __init__(self, done: OpenPass, *, full: bool, tolerance: float | None) -> None:
        self._done, self._full, self._tolerance = done, full, tolerance
        self._times: dict[str, int] = {}
        self.drifted = False

    def time(self, layer: str) -> int:
        """Count a call of a layer; tell which of those so far it is, from 1 on."""
        self._times[layer] = time = self._times.get(layer, 0) + 1
        return time

    def __call__(self, call: Call, runs: Sequence[CellRun]) -> None:
        """Check one call of a layer, given what its cells did."""
        number = call.number
        names = [name if number == 1 else call_name(name, number) for name in call.layer.units]
        tolerances = [
            self._tolerance or TOLERANCES.get(run.dtype, TOLERANCES["float32"]) for run in runs
        ]
        try:
            outcome = LayerCheck(call, runs, full=self._full).hold(names, tolerances)
        except SelfCheckError as error:
            self._done.fail(error)
        else:
            self.drifted |= outcome.drifted
