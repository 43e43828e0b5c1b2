"""Channels, forecasts, cells and concepts as lines over time."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

import traitlets

from lstm_widgets.widgets.base import STATIC, FileState
from lstm_widgets.widgets.page import export
from lstm_widgets.widgets.page.lines import largest_of, rows_of, size_of, tops_of
from lstm_widgets.widgets.recording_widget import SCALES
from lstm_widgets.widgets.series_lines import SeriesLines

if TYPE_CHECKING:
    from typing import Unpack

    from lstm_widgets.figures.sheet import Sheet
    from lstm_widgets.recording import Recording
    from lstm_widgets.views.lines import Key
    from lstm_widgets.views.snapshot import Snapshot
    from lstm_widgets.views.tracks import Track
    from lstm_widgets.widgets.keywords import SeriesPlotKeywords


class SeriesPlot(SeriesLines):
    """
    Input channels, forecasts, cells and concepts as lines over a common time axis.

    Each line has a band of its own, or all are laid over one another, or one of them is shown for every
    example. From afar a pixel has the lowest and the highest value under it, so that no spike is lost;
    what is missing is a gap.

    Parameters
    ----------
    recording : Recording
        What ``record()`` or ``open_recording()`` gave.
    layer, signal : str, optional
        Which of the cells' values are shown; default: the first layer and its first signal.
    cell, example, timestep : int, optional
        What is selected at first.
    cells : tuple of int, optional
        Pinned cells: each has a line, and so has the selected cell.
    channels, outputs : tuple of str, optional
        The names of the channels that the model read, and of what it said, that are shown. Default: all.
    tracks : Concept, sequence of Concept, or mapping, optional
        Concepts and readouts of probes, each as a line, as in `CellGrid`.
    hidden_tracks : tuple of str, optional
        The names of tracks that are not shown.
    probe : Probe, optional
        What `lstm_widgets.probe` found of these tracks: what it reads of each from the states, held out,
        is drawn over the track itself, with its score and what the calendar and the null reach.
    arrange : {"bands", "overlaid", "examples"}, optional
        A band for each line; all lines in one, each from its lowest to its highest value; or a band for
        each example, with one of the lines.
    subject : str, optional
        Which line every example is shown with: ``"cell"``, or the name of a channel, an output or a
        track. Default: the first output, else the cell.
    threshold : float, optional
        Around zero of a cell's line, values of smaller magnitude stand on grey ground.
    span : tuple of int, optional
        The selected span of timesteps, ``(start, stop)``, ``stop`` excluded. A figure shows it alone.
    palette : str, optional
        What lies between a cell's line and zero has the colours of the palette's ends.
    scale : str or tuple of float, optional
        What cells' bands reach to: the largest magnitude of each ``"cell"`` in the example or of the
        ``"layer"``, or (lowest, highest).

    Examples
    --------
    >>> lw.SeriesPlot(series, cell=1)
    <SeriesPlot layer='lstm', signal='cell_state', cell=1, example=0, timestep=0>
    """

    _esm = STATIC / "series_plot.js"
    _css = STATIC / "series_plot.css"
    _note: ClassVar[str] = "numbers at the right: at the selected time"
    _coloured: ClassVar[bool] = False

    scale = traitlets.Union(
        [traitlets.Enum(SCALES), traitlets.Tuple(traitlets.Float(), traitlets.Float())],
        default_value="cell",
        help="What the bands of cells reach to: the largest magnitude of each 'cell' or of the 'layer', "
        "or a fixed range (lowest, highest).",
    ).tag(sync=True)

    def __init__(
        self,
        recording: Recording,
        *,
        layer: str | None = None,
        signal: str | None = None,
        **traits: Unpack[SeriesPlotKeywords],
    ) -> None:
        super().__init__(recording, layer=layer, signal=signal, **traits)

    def _say(self, said: dict[str, tuple[Track, ...]]) -> None:
        # As lines alone, not as bands.
        self._said, self._lines = said, None
        if self._layers:
            self._tell()
            self._summarise()

    def _summarise(self) -> None:
        """Give the page the coarsest level of what is shown."""
        if not self._layers or not self.signal:
            return
        if not self._axes:
            self._tell()
        keys = [] if self._empty or (self._whole and self._series_values) else self._keys()
        asked, tops = tops_of(self._drawn, keys, self.example)
        with self.hold_sync():
            self._summary = {"layer": self.layer, "signal": self.signal, "lines": asked}
            self._overview = tops

    @property
    def _empty(self) -> bool:
        return 0 in self._sizes(self.layer).values()

    def _keys(self) -> list[Key]:
        """Give the lines that are shown."""
        return [key for one in self._subjects if self._shows(one) for key in one.keys]

    # -- leaving the notebook --------------------------------------------------------------------

    def _file_state(self, *, exact: bool | None = None) -> FileState:
        """Give a file all of the recording if it fits, else the lines that are shown."""
        lines = self._drawn
        empty = {"_summary": {}, "_overview": b""}
        size = size_of(lines, lines.beside, self._examples)
        try:
            whole = super()._file_state(exact=exact)
        except ValueError:
            whole = None
        if whole is not None:
            size += len(whole.traits["_whole"])
        if whole is not None and size <= export.FILE_BYTES:
            described, values = rows_of(lines, lines.beside, (0, self._examples))
            return FileState(
                whole.traits | empty | {"_series": described, "_series_values": values},
                whole.missing,
                whole.rounded,
            )
        keys = self._keys()
        examples = (0, self._examples)
        if size_of(lines, keys, self._examples) > export.FILE_BYTES:
            examples = (self.example, self.example + 1)
        size = size_of(lines, keys, examples[1] - examples[0])
        if size > export.FILE_BYTES:
            raise ValueError(
                f"save_html: the {len(keys)} lines shown take {size / 2**20:.1f} MiB; a file holds at "
                f"most {export.FILE_BYTES / 2**20:.0f} MiB. Show fewer: channels=, outputs=, cells="
            )
        described, values = rows_of(lines, keys, examples)
        # The page asks for no others, and tells which ones it goes without.
        largest = largest_of(self.recording, self.layer, self.signal)
        described |= {"only": True, "largest": [[self.layer, self.signal, largest]]}
        kept = dict.fromkeys(self.recording.directions(self.layer), (self.signal,))
        layers = [export.without(layer, kept) for layer in self._layers]
        missing = [f"all but the {len(keys)} lines that were shown"]
        if examples != (0, self._examples):
            missing.append("other examples")
        state = {"_layers": layers, "_whole": b"", "_text": {}}
        return FileState(state | empty | {"_series": described, "_series_values": values}, missing)

    def _parts(self, sheet: Sheet, shown: Snapshot, most: int) -> None:
        self._draw_lines(sheet, shown, most)
