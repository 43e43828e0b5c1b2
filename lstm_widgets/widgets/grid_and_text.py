"""The grid of all cells, and below it the text under one of them; of a series, lines over time."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from lstm_widgets.figures.cell_grid import cell_grid
from lstm_widgets.recording import Variants
from lstm_widgets.widgets.cell_grid import CellGrid
from lstm_widgets.widgets.series_lines import SeriesLines
from lstm_widgets.widgets.text_heatmap import TextHeatmap

if TYPE_CHECKING:
    from lstm_widgets.figures.sheet import Sheet
    from lstm_widgets.recording import Recording
    from lstm_widgets.views.snapshot import Snapshot

__all__ = ["GridAndText"]


class GridAndText(CellGrid, TextHeatmap, SeriesLines):
    """A widget over a recording with a grid, and a text or lines below it."""

    def __init__(self, recording: Recording | Variants, **traits: Any) -> None:  # noqa: ANN401 - of many types
        first = next(iter(recording.values())) if isinstance(recording, Variants) else recording
        if getattr(first, "inputs", None) is not None:
            # They stand above the grid already.
            traits.setdefault("channels", ())
        super().__init__(recording, **traits)

    def _parts(self, sheet: Sheet, shown: Snapshot, most: int) -> None:
        if self._over_series:
            cell_grid(sheet, shown, self._order(shown), most=most)
            self._draw_lines(sheet, shown, most)
        else:
            super()._parts(sheet, shown, most)

    @property
    def _over_series(self) -> bool:
        """Whether lines stand in the place of a text: the page decides likewise."""
        return bool(self._axes) and not any(layer["tokens"] for layer in self._layers)
