"""All signals of one cell over its tokens, and why its state changed."""

from __future__ import annotations

from typing import TYPE_CHECKING

from lstm_widgets.figures.gates import gates
from lstm_widgets.widgets.base import STATIC
from lstm_widgets.widgets.recording_widget import RecordingWidget

if TYPE_CHECKING:
    from typing import Unpack

    from PIL.Image import Image

    from lstm_widgets.figures.snapshot import Snapshot
    from lstm_widgets.recording import Recording
    from lstm_widgets.widgets.keywords import RecordingKeywords


class GateInspector(RecordingWidget):
    r"""
    All signals of one cell, aligned with the tokens, and what made its state change.

    One band a signal: gates as bars from 0 to 1, the others up and down from zero. Below them the
    change of the state as the sum of what was lost and what was written, each timestep:

    ========== ======================================================================================
    LSTM       :math:`\Delta c = (f - 1) \cdot c_{-1} + i \cdot g`
    GRU        :math:`\Delta h = (z - 1) \cdot h_{-1} + (1 - z) \cdot \tilde h`
    SimpleRNN  :math:`\Delta h = h - h_{-1}`, which has no such parts
    ========== ======================================================================================

    :math:`c_{-1}` is the state of the timestep that was read before: for a layer that reads backwards
    the one to the right. Before the first timestep it is the state that the layer, or this call of
    it, started from. Wherever that isn't recorded, and wherever the timestep before doesn't lead to
    this one (in a windowed recording each has read its own window), it is worked out from the
    equation, as :math:`c_{-1} = (c - i \cdot g) / f`, and the widget says so; it is unknown, not
    zero, where the gate is nearly closed (:math:`f < 0.01`) and for a SimpleRNN. At padding the state
    passes through and nothing changes.

    Each band has a scale of its own, up to a round number that holds the cell's largest value among
    those that are in the page; the exact numbers stand below.

    Parameters
    ----------
    recording : Recording
        What ``record()`` or ``open_recording()`` gave. Signals that weren't recorded are left out.
    layer : str, optional
        The layer shown at first; default: the first.
    signal : str, optional
        The signal that the status line tells and whose colours the legend explains.
    cell, example, timestep : int, optional
        What is selected at first.
    tracks : Concept, sequence of Concept, or mapping, optional
        Concepts that stand under the tokens as bands, as in `CellGrid`.
    hidden_tracks : tuple of str, optional
        The names of those that are not shown.
    threshold : float, optional
        Bars of smaller magnitude are faded.
    palette : str, optional
        The palette, as in `CellGrid`; signed signals are drawn in it.
    scale : str or tuple of float, optional
        What the outermost colours of the shown signal stand for, as in `CellGrid`.
    align : str, optional
        Which token stands at a column: ``"read"`` or ``"predict"``.

    Examples
    --------
    >>> lw.GateInspector(recording, layer="lstm_2", cell=22)  # doctest: +SKIP
    """

    _esm = STATIC / "gate_inspector.js"
    _css = STATIC / "gate_inspector.css"

    def __init__(
        self,
        recording: Recording,
        *,
        layer: str | None = None,
        signal: str | None = None,
        **traits: Unpack[RecordingKeywords],
    ) -> None:
        super().__init__(recording, layer=layer, signal=signal, **traits)

    def _pictures(self, shown: Snapshot) -> list[Image]:
        return [gates(shown), *super()._pictures(shown)]
