"""Several cells at once: those that are pinned stay, whichever is selected."""

from __future__ import annotations

from operator import index
from typing import Any

import traitlets

from lstm_widgets.widgets.recording_widget import RecordingWidget


class PinnedCells(RecordingWidget):
    """A widget over a recording that shows cells side by side."""

    cells = traitlets.Tuple(
        help="The pinned cells: each stands in a row of its own, and so does the selected one."
    ).tag(sync=True)

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

    @property
    def _cells_shown(self) -> tuple[int, ...]:
        """The pinned cells, and before them the selected one if it isn't among them."""
        return self.cells if self.cell in self.cells else (self.cell, *self.cells)

    @traitlets.observe("layer")
    def _keep_cells(self, _change: dict[str, Any]) -> None:
        size = self._sizes(self.layer)["cell"]
        self.cells = tuple(cell for cell in self.cells if cell < size)
