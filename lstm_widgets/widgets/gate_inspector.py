"""All signals of one cell over its tokens, and why its state changed."""

from __future__ import annotations

from typing import TYPE_CHECKING

from lstm_widgets.figures.gates import gates
from lstm_widgets.widgets.base import STATIC
from lstm_widgets.widgets.recording_widget import RecordingWidget

if TYPE_CHECKING:
    from typing import Unpack

    from lstm_widgets.figures.sheet import Sheet
    from lstm_widgets.recording import Recording, Variants
    from lstm_widgets.views.snapshot import Snapshot
    from lstm_widgets.widgets.keywords import RecordingKeywords


class GateInspector(RecordingWidget):
    r"""
    All signals of one cell, aligned with the tokens, and what made its state change.

    There is a band for each signal: gates as bars from 0 to 1, the others up and down from zero. Below
    them is the change of the state at each timestep, as the sum of what was lost and what was written:

    ========== ======================================================================================
    LSTM       :math:`\Delta c = (f - 1) \cdot c_{-1} + i \cdot g`
    GRU        :math:`\Delta h = (z - 1) \cdot h_{-1} + (1 - z) \cdot \tilde h`
    SimpleRNN  :math:`\Delta h = h - h_{-1}`, which doesn't divide into such parts
    ========== ======================================================================================

    :math:`c_{-1}` is the state of the timestep that was read before: for a layer that reads backwards,
    the one to the right. Before the first timestep it is the initial state of the layer, or of this
    call of it. Where that isn't recorded, and where the timestep before doesn't lead to this one (in a
    windowed recording each has read its own window), it is computed from the equation, as
    :math:`c_{-1} = (c - i \cdot g) / f`, and the widget says so; where the gate is nearly closed
    (:math:`f < 0.01`), and for a SimpleRNN, it is unknown, not zero. At padding the state is carried
    on unchanged.

    Each band has its own scale, up to a round number above the cell's largest value among those in
    the page; the exact numbers are below.

    Parameters
    ----------
    recording : Recording or Variants
        What ``record()`` or ``open_recording()`` gave, or several of the same inputs. Signals that weren't
        recorded are left out.
    layer : str, optional
        The layer shown at first; default: the first.
    signal : str, optional
        The signal that the status line reads out and whose colours the legend explains.
    cell, example, timestep : int, optional
        What is selected at first.
    tracks : Concept, sequence of Concept, or mapping, optional
        Concepts, shown as bands under the tokens, as in `CellGrid`.
    hidden_tracks : tuple of str, optional
        The names of tracks that are not shown.
    threshold : float, optional
        Bars of smaller magnitude are faded.
    palette : str, optional
        The palette, as in `CellGrid`; signed signals are drawn in it.
    scale : str or tuple of float, optional
        What the outermost colours of the shown signal stand for, as in `CellGrid`.
    align : str, optional
        Which token is shown at a column: ``"read"``, the one just read, or ``"predict"``, the next.

    Examples
    --------
    >>> lw.GateInspector(recording, layer="lstm", cell=1)
    <GateInspector layer='lstm', signal='hidden_state', cell=1, example=0, timestep=0>
    """

    _esm = STATIC / "gate_inspector.js"
    _css = STATIC / "gate_inspector.css"

    def __init__(
        self,
        recording: Recording | Variants,
        *,
        layer: str | None = None,
        signal: str | None = None,
        **traits: Unpack[RecordingKeywords],
    ) -> None:
        super().__init__(recording, layer=layer, signal=signal, **traits)

    def _parts(self, sheet: Sheet, shown: Snapshot, most: int) -> None:
        gates(sheet, shown)
        super()._parts(sheet, shown, most)
