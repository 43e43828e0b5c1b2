"""Grid, text and gates over one recording, linked."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

from lstm_widgets.widgets._still_gates import gates
from lstm_widgets.widgets._widget import STATIC
from lstm_widgets.widgets.cell_grid import CellGrid
from lstm_widgets.widgets.text_heatmap import TextHeatmap

if TYPE_CHECKING:
    from PIL.Image import Image

    from lstm_widgets.widgets._snapshot import Snapshot


class Explorer(CellGrid, TextHeatmap):
    """
    A recording from three sides: the grid of all cells, the text under one cell, and its gates.

    One selection goes through all of it: a click on a square, on a token or on a bar moves the other
    two, and so do the sliders and the arrow keys. It is the place to start.

    Parameters
    ----------
    recording : Recording
        What ``record()`` or ``open_recording()`` gave.
    layer, signal : str, optional
        What is shown at first; default: the first layer (both directions, if it has two) and its
        hidden state.
    **traits
        Every trait of `CellGrid`, `TextHeatmap` and `GateInspector`: ``cell``, ``example``,
        ``timestep``, ``threshold``, ``palette``, ``scale``, ``align``, ``tracks``, ``hidden_tracks``,
        ``span``, ``sort``, ``hide_quiet_cells``, ``cells``, ``marks``, ``guesses``.

    Examples
    --------
    >>> lw.Explorer(lw.record(model, text))  # doctest: +SKIP
    """

    _esm = STATIC / "explorer.js"
    _css = STATIC / "explorer.css"
    _own_traits: ClassVar[tuple[str, ...]] = tuple(
        dict.fromkeys((*CellGrid._own_traits, *TextHeatmap._own_traits))  # noqa: SLF001
    )
    _still_height: ClassVar[int] = 240

    def _pictures(self, shown: Snapshot) -> list[Image]:
        return [*super()._pictures(shown), gates(shown)]
