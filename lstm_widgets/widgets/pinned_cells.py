"""Several cells at once: those that are pinned stay, whichever is selected."""

from __future__ import annotations

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
        return self._checked_cells(proposal)

    @property
    def _cells_shown(self) -> tuple[int, ...]:
        """The pinned cells, and before them the selected one if it isn't among them."""
        return self.cells if self.cell in self.cells else (self.cell, *self.cells)

    @traitlets.observe("layer")
    def _keep_cells(self, _change: dict[str, Any]) -> None:
        size = self._sizes(self.layer)["cell"]
        self.cells = tuple(cell for cell in self.cells if cell < size)
