"""One cell over running text."""

from __future__ import annotations

from typing import TYPE_CHECKING

import traitlets

from lstm_widgets.figures.text import text
from lstm_widgets.widgets.base import STATIC
from lstm_widgets.widgets.matching_widget import MatchingWidget
from lstm_widgets.widgets.pinned_cells import PinnedCells

if TYPE_CHECKING:
    from typing import Unpack

    from lstm_widgets.figures.sheet import Sheet
    from lstm_widgets.recording import Recording, Variants
    from lstm_widgets.views.snapshot import Snapshot
    from lstm_widgets.widgets.keywords import TextHeatmapKeywords


class TextHeatmap(MatchingWidget, PinnedCells):
    """
    One cell over running text, wrapped as it was written.

    Every token is coloured by the cell's value: the one after the token was read, or with
    ``align="predict"`` the one before, from which the model predicts the token.

    Parameters
    ----------
    recording : Recording or Variants
        What ``record()`` or ``open_recording()`` gave, or several of the same inputs.
    layer, signal : str, optional
        What is shown at first; default: the first layer and its hidden state.
    cell, example, timestep : int, optional
        What is selected at first.
    cells : tuple of int, optional
        Pinned cells: each has a row of its own under every line of the text, and so has the selected
        cell. Default: the selected cell alone.
    marks : bool, optional
        Show newlines, tabs and spaces as marks.
    guesses : bool, optional
        Show the model's top guesses under each token, where the recording has predictions
        (``record(..., top_k=5)``).
    tracks : Concept, sequence of Concept, or mapping, optional
        Concepts, shown as bands under the tokens, as in `CellGrid`.
    hidden_tracks : tuple of str, optional
        The names of tracks that are not shown.
    span : tuple of int, optional
        The selected span of tokens, as in `CellGrid`.
    threshold : float, optional
        Values of smaller magnitude are faded.
    palette : str, optional
        The palette, as in `CellGrid`.
    scale : str or tuple of float, optional
        What the outermost colours stand for, as in `CellGrid`.
    align : str, optional
        Which token a value is shown at: ``"read"``, the one just read, or ``"predict"``, the one that
        comes next.

    Examples
    --------
    >>> lw.TextHeatmap(recording, layer="lstm", cell=1, marks=True)
    <TextHeatmap layer='lstm', signal='hidden_state', cell=1, example=0, timestep=0>
    """

    _esm = STATIC / "text_heatmap.js"
    _css = STATIC / "text_heatmap.css"

    marks = traitlets.Bool(False, help="Show newlines, tabs and spaces as marks.").tag(sync=True)
    guesses = traitlets.Bool(False, help="Show the top guesses under each token.").tag(sync=True)

    def __init__(
        self,
        recording: Recording | Variants,
        *,
        layer: str | None = None,
        signal: str | None = None,
        **traits: Unpack[TextHeatmapKeywords],
    ) -> None:
        super().__init__(recording, layer=layer, signal=signal, **traits)

    def _parts(self, sheet: Sheet, shown: Snapshot, most: int) -> None:
        text(sheet, shown, self._cells_shown, marks=self.marks, guesses=self.guesses, most=most)
        super()._parts(sheet, shown, most)
