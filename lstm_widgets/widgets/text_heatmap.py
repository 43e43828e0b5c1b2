"""One cell over running text."""

from __future__ import annotations

from operator import index
from typing import TYPE_CHECKING, Any

import traitlets

from lstm_widgets.figures.text import text
from lstm_widgets.widgets.base import STATIC
from lstm_widgets.widgets.matching_widget import MatchingWidget

if TYPE_CHECKING:
    from typing import Unpack

    from lstm_widgets.figures.sheet import Sheet
    from lstm_widgets.recording import Recording
    from lstm_widgets.views.snapshot import Snapshot
    from lstm_widgets.widgets.keywords import TextHeatmapKeywords


class TextHeatmap(MatchingWidget):
    """
    One cell over running text, wrapped as it was written.

    Every token is coloured by the cell's value: the one after the token was read, or with
    ``align="predict"`` the one before, from which the model predicts the token.

    Parameters
    ----------
    recording : Recording
        What ``record()`` or ``open_recording()`` gave.
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

    cells = traitlets.Tuple(
        help="The pinned cells: each has its own row under every line of the text."
    ).tag(sync=True)
    marks = traitlets.Bool(False, help="Show newlines, tabs and spaces as marks.").tag(sync=True)
    guesses = traitlets.Bool(False, help="Show the top guesses under each token.").tag(sync=True)

    def __init__(
        self,
        recording: Recording,
        *,
        layer: str | None = None,
        signal: str | None = None,
        **traits: Unpack[TextHeatmapKeywords],
    ) -> None:
        super().__init__(recording, layer=layer, signal=signal, **traits)

    @traitlets.validate("cells")
    def _check_cells(self, proposal: dict[str, Any]) -> tuple[int, ...]:
        cells = proposal["value"]
        if self.layer not in self._names:
            return tuple(cells)  # which the layer's own check tells
        size = self._sizes(self.layer)["cell"]
        wanted = f"cells: expected different cells from 0 to {size - 1} (layer {self.layer!r})"
        try:
            numbers = tuple(index(cell) for cell in cells)
        except TypeError as error:
            raise traitlets.TraitError(f"{wanted}, got {cells!r}") from error
        if len(set(numbers)) < len(numbers) or not all(0 <= cell < size for cell in numbers):
            raise traitlets.TraitError(f"{wanted}, got {cells!r}")
        return numbers

    @traitlets.observe("layer")
    def _keep_cells(self, _change: dict[str, Any]) -> None:
        size = self._sizes(self.layer)["cell"]
        self.cells = tuple(cell for cell in self.cells if cell < size)

    def _parts(self, sheet: Sheet, shown: Snapshot, most: int) -> None:
        cells = self.cells if self.cell in self.cells else (self.cell, *self.cells)
        text(sheet, shown, cells, marks=self.marks, guesses=self.guesses, most=most)
        super()._parts(sheet, shown, most)
