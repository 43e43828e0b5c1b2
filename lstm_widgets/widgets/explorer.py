"""Grid, text and gates over one recording, linked."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, ClassVar

import ipywidgets
import traitlets
from comm.base_comm import BaseComm

from lstm_widgets.figures.gates import gates
from lstm_widgets.widgets.base import STATIC, FileState
from lstm_widgets.widgets.cell_finder import CellFinder
from lstm_widgets.widgets.grid_and_text import GridAndText

if TYPE_CHECKING:
    from typing import Unpack

    from lstm_widgets.figures.sheet import Sheet
    from lstm_widgets.recording import Recording, Variants
    from lstm_widgets.views.snapshot import Snapshot
    from lstm_widgets.widgets.keywords import ExplorerKeywords


class Explorer(GridAndText):
    """
    Three linked views of a recording: the grid of all cells, the text under one cell, and its gates.

    Over a series there are lines over time in the place of the text, as in `SeriesPlot`.

    All three share one selection: a click on a square, a token or a bar moves the other two, and so do
    the sliders and the arrow keys. It is the place to start.

    Parameters
    ----------
    recording : Recording or Variants
        What ``record()`` or ``open_recording()`` gave, or several of the same inputs.
    layer, signal : str, optional
        What is shown at first; default: the first layer (both directions, if it has two) and its
        hidden state.
    finding : bool, optional
        Show a `CellFinder` below, for the concepts that fit the tokens; choosing one of its rows moves
        the selection. Of variants it shows the ranking of the same one. Default: False.
    **traits : optional
        Every trait of `CellGrid`, `TextHeatmap`, `SeriesPlot` and `GateInspector`: ``cell``, ``example``,
        ``timestep``, ``threshold``, ``palette``, ``scale``, ``align``, ``tracks``, ``hidden_tracks``,
        ``span``, ``sort``, ``order``, ``hide_quiet_cells``, ``cells``, ``marks``, ``guesses``, ``channels``,
        ``outputs``, ``arrange``, ``subject``.

    Examples
    --------
    >>> lw.Explorer(recording, cell=1, tracks=lw.concepts.inside_double_quotes)
    <Explorer layer='lstm', signal='hidden_state', cell=1, example=0, timestep=0>
    """

    _esm = STATIC / "explorer.js"
    _css = STATIC / "explorer.css"
    _part_height: ClassVar[int] = 240

    finding = traitlets.Bool(False, help="Show a CellFinder below.").tag(sync=True)
    _finder = traitlets.Instance(CellFinder, allow_none=True).tag(
        sync=True, **ipywidgets.widget_serialization
    )
    _can_find = traitlets.Bool(False, help="Whether the page can ask for it.").tag(sync=True)

    def __init__(
        self,
        recording: Recording | Variants,
        *,
        layer: str | None = None,
        signal: str | None = None,
        **traits: Unpack[ExplorerKeywords],
    ) -> None:
        every: dict[str, Any] = {"layer": layer, "signal": signal, **traits}
        super().__init__(recording, **every)
        shown = self._current
        # Not every host makes a widget while it answers the page, which Jupyter's do.
        self._can_find = self.finding or (
            any("token" in shown[name].coords for name in shown.layers)
            and isinstance(self.comm, BaseComm)
        )

    @property
    def finder(self) -> CellFinder:
        """The `CellFinder` of the recording; made on first access, which ranks all cells."""
        if self._finder is None:
            made = CellFinder(self.recording, variant=self.variant, difference=self.difference)
            made.observe(self._on_found, ["_chosen"])
            for name in ("variant", "difference"):
                traitlets.link((self, name), (made, name))
            self._finder = made
        return self._finder

    @traitlets.observe("finding")
    def _on_finding(self, _change: dict[str, Any]) -> None:
        if self.finding:
            _ = self.finder

    def _on_found(self, change: dict[str, Any]) -> None:
        """Show what the chosen row is about."""
        finder = change["owner"]
        with self.hold_sync():
            for name in ("layer", "signal", "example", "timestep", "cell", "threshold"):
                setattr(self, name, getattr(finder, name))

    def _file_state(self, *, exact: bool | None = None) -> FileState:
        found = super()._file_state(exact=exact)
        closed = {"_finder": None, "finding": False, "_can_find": False}
        return found._replace(traits=found.traits | closed)

    def _parts(self, sheet: Sheet, shown: Snapshot, most: int) -> None:
        super()._parts(sheet, shown, most)
        gates(sheet, shown)
