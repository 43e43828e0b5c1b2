"""One cell over many short examples."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import traitlets

from lstm_widgets.figures.example_grid import example_grid
from lstm_widgets.widgets.base import STATIC
from lstm_widgets.widgets.recording_widget import RecordingWidget

if TYPE_CHECKING:
    from typing import Unpack

    from lstm_widgets.figures.sheet import Sheet
    from lstm_widgets.recording import Recording, Variants
    from lstm_widgets.views.snapshot import Snapshot
    from lstm_widgets.widgets.keywords import ExampleGridKeywords


class ExampleGrid(RecordingWidget):
    """
    One cell over all examples side by side, each with its label, wrapping to the width.

    The tokens of each example are coloured by the cell's value; where the label ends with them
    (``"8+6=14"`` for the tokens ``"1", "4"``), they are coloured in the label.

    Parameters
    ----------
    recording : Recording or Variants
        What ``record()`` or ``open_recording()`` gave, or several of the same inputs.
    layer, signal : str, optional
        What is shown at first; default: the first layer and its hidden state.
    cell, example, timestep : int, optional
        What is selected at first.
    tracks : Concept, sequence of Concept, or mapping, optional
        Concepts, shown as bands under the tokens, as in `CellGrid`.
    hidden_tracks : tuple of str, optional
        The names of tracks that are not shown.
    threshold : float, optional
        Values of smaller magnitude are faded.
    palette : str, optional
        The palette, as in `CellGrid`.
    scale : str or tuple of float, optional
        What the outermost colours stand for, as in `CellGrid`.
    sort : str, optional
        The order of the examples: ``"index"``, or ``"value"``, by the value at the selected timestep
        in descending order.

    Examples
    --------
    >>> lw.ExampleGrid(recording, layer="lstm", cell=1)
    <ExampleGrid layer='lstm', signal='hidden_state', cell=1, example=0, timestep=0>
    """

    _esm = STATIC / "example_grid.js"
    _css = STATIC / "example_grid.css"

    sort = traitlets.Enum(("index", "value"), "index", help="The order of the examples.").tag(
        sync=True
    )

    def __init__(
        self,
        recording: Recording | Variants,
        *,
        layer: str | None = None,
        signal: str | None = None,
        **traits: Unpack[ExampleGridKeywords],
    ) -> None:
        super().__init__(recording, layer=layer, signal=signal, **traits)

    def _parts(self, sheet: Sheet, shown: Snapshot, most: int) -> None:
        order = np.arange(shown.examples)
        if self.sort == "value":
            value = shown.dataset[self.signal][:, self.timestep, self.cell].to_numpy()
            order = np.argsort(-np.nan_to_num(value, nan=-np.inf), kind="stable")
        example_grid(sheet, shown, order, most=most)
        super()._parts(sheet, shown, most)
