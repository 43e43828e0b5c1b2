"""One cell over many short examples."""

from __future__ import annotations

from typing import ClassVar

import traitlets

from lstm_widgets.widgets._base import STATIC, RecordingWidget


class ExampleGrid(RecordingWidget):
    """
    One cell over all examples side by side, each with its label, wrapping to the width.

    The tokens of each example are coloured by the cell's value; where the label ends in them
    (``"8+6=14"`` for the tokens ``"1", "4"``), they are coloured in place.

    Parameters
    ----------
    recording : Recording
        What ``record()`` or ``open_recording()`` gave.
    layer, signal : str, optional
        What is shown at first; default: the first layer and its hidden state.
    cell, example, timestep : int, optional
        What is selected at first.
    threshold : float, optional
        Values of smaller magnitude are faded.
    palette : str, optional
        The palette, as in `CellGrid`.
    scale : str or tuple of float, optional
        What the outermost colours stand for, as in `CellGrid`.
    sort : str, optional
        The order of the examples: ``"index"``, or ``"value"``: by the value at the selected timestep,
        falling.

    Examples
    --------
    >>> lw.ExampleGrid(recording, layer="decoder", cell=22)  # doctest: +SKIP
    """

    _esm = STATIC / "example_grid.js"
    _css = STATIC / "example_grid.css"
    _own_traits: ClassVar = ("sort",)

    sort = traitlets.Enum(("index", "value"), "index", help="The order of the examples.").tag(
        sync=True
    )
