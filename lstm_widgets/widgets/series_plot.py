"""Channels, forecasts, cells and concepts as lines over time."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, ClassVar

import traitlets

from lstm_widgets.figures.behind import Behind
from lstm_widgets.recording import Recording, Variants
from lstm_widgets.views.lines import Lines
from lstm_widgets.views.series_relevance import described, placed_of
from lstm_widgets.widgets.base import STATIC, FileState, checked_scale
from lstm_widgets.widgets.page import export
from lstm_widgets.widgets.page.lines import rows_of, size_of, tops_of
from lstm_widgets.widgets.page.state import WHOLE_BYTES
from lstm_widgets.widgets.recording_widget import SCALES
from lstm_widgets.widgets.series_lines import SeriesLines

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from typing import Unpack

    import xarray as xr

    from lstm_widgets.figures.legend import Legend
    from lstm_widgets.figures.sheet import Sheet
    from lstm_widgets.views.lines import Key
    from lstm_widgets.views.series_relevance import SeriesRelevance
    from lstm_widgets.views.snapshot import Snapshot
    from lstm_widgets.views.tracks import Track
    from lstm_widgets.widgets.keywords import SeriesPlotKeywords

RELEVANCE_SCALES = ("example", "all")


class SeriesPlot(SeriesLines):
    """
    Input channels, forecasts, cells and concepts as lines over a common time axis.

    Each line has a band of its own, or all are laid over one another, or one of them is shown for every
    example. From afar a pixel has the lowest and the highest value under it, so that no spike is lost;
    what is missing is a gap, be it a value or a timestep: of regular times any that was left out, of
    others a step that is much longer than they usually are.

    Parameters
    ----------
    recording : Recording or Variants
        What ``record()`` or ``open_recording()`` gave, or several of the same inputs.
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
    probe : Probe, or mapping of str to Probe, optional
        What `lstm_widgets.probe` found of these tracks: what it reads of each from the states, held out,
        is drawn over the track itself, with its score and what the calendar and the null reach. Of variants
        that of all of them, or a dict from their names.
    arrange : {"bands", "overlaid", "examples"}, optional
        A band for each line; all lines in one, each from its lowest to its highest value; or a band for
        each example, with one of the lines.
    subject : str, optional
        Which line every example is shown with: ``"cell"``, or the name of a channel, an output or a
        track. Default: the first output, else the cell.
    threshold : float, optional
        Around zero of a cell's line, values of smaller magnitude stand on grey ground.
    relevance : xarray.Dataset, or mapping of str to xarray.Dataset, optional
        What `lstm_widgets.relevance` returned of this series, or of windows of it: behind the line of each
        channel, a timestep has the colour of the channel's relevance; of timesteps that share a pixel the
        one of largest magnitude. Where all lines are in one, and behind a line that isn't a channel's in the
        bands of examples, it is the sum of all channels. The timestep that is explained is marked.
        Explanations are placed by their times, else by the end of their windows. Of variants a dict from
        their names, of the same timesteps for each; colours stand for the same in all.
    method : str, optional
        The method whose relevance is shown. Default: the first.
    relevance_scale : str or tuple of float, optional
        What the outermost colours of relevance stand for: the largest magnitude of the method in each
        ``"example"`` that is explained, a window say, or in ``"all"``, or (lowest, highest), beyond which
        values are marked as clipped.
    explained : int, optional
        The timestep of the series whose explanation is shown, or that which is nearest to it. Default:
        that of the selected timestep, wherever it goes.
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

    _shown: ClassVar[tuple[str, ...]] = ("recording", "relevance")

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

    method = traitlets.Unicode(help="The method whose relevance is shown.").tag(sync=True)
    relevance_scale = traitlets.Union(
        [traitlets.Enum(RELEVANCE_SCALES), traitlets.Tuple(traitlets.Float(), traitlets.Float())],
        default_value="example",
        help="What the outermost colours of relevance stand for: the largest magnitude in each 'example' "
        "that is explained, or in 'all' of them, or a fixed range (lowest, highest).",
    ).tag(sync=True)
    explained = traitlets.Int(
        None,
        allow_none=True,
        help="The timestep of the series whose explanation is shown; None: the selected one.",
    ).tag(sync=True)

    _relevance = traitlets.Dict(help="What there is of relevance.").tag(
        sync=True, echo_update=False
    )
    _relevance_rows = traitlets.Bytes(help="Of each explanation, see `described`.").tag(
        sync=True, echo_update=False
    )
    _relevance_values = traitlets.Bytes(help="float32 (explanation, method, channel, step).").tag(
        sync=True, echo_update=False
    )

    def __init__(
        self,
        recording: Recording | Variants,
        *,
        layer: str | None = None,
        signal: str | None = None,
        relevance: xr.Dataset | Mapping[str, xr.Dataset] | None = None,
        **traits: Unpack[SeriesPlotKeywords],
    ) -> None:
        self._expect_known(traits)
        self._given_relevance = relevance
        if relevance is not None and isinstance(recording, (Recording, Variants)):
            every = recording if isinstance(recording, Variants) else {"": recording}
            self._placed = placed_of(relevance, {n: Lines(one, {}) for n, one in every.items()})
            traits.setdefault("method", self._methods[0])
        super().__init__(recording, layer=layer, signal=signal, **traits)
        if self._placed:
            every_placed = [*self._placed.values()]
            whole = sum(placed.size for placed in every_placed) <= WHOLE_BYTES
            with self.hold_sync():
                for name, value in _packed(every_placed, slice(None), whole=whole).items():
                    setattr(self, name, value)

    @property
    def relevance(self) -> xr.Dataset | Mapping[str, xr.Dataset] | None:
        """What stands behind the lines of channels, if it was given."""
        return self._given_relevance

    @property
    def _methods(self) -> tuple[str, ...]:
        return next((placed.methods for placed in self._placed.values()), ())

    @traitlets.validate("method")
    def _check_method(self, proposal: dict[str, Any]) -> str:
        method: str = proposal["value"]
        methods = self._methods
        if method not in (methods or ("",)):
            known = ", ".join(map(repr, methods)) or "none, because there is no relevance"
            raise traitlets.TraitError(f"method: expected one of {known}; got {method!r}")
        return method

    @traitlets.validate("relevance_scale")
    def _check_relevance_scale(self, proposal: dict[str, Any]) -> str | tuple[float, float]:
        return checked_scale(proposal["value"], RELEVANCE_SCALES, "relevance_scale")

    @traitlets.validate("explained")
    def _check_explained(self, proposal: dict[str, Any]) -> int:
        timestep: int = proposal["value"]
        timesteps = self._drawn.timesteps
        if not 0 <= timestep < max(1, timesteps):
            raise traitlets.TraitError(
                f"explained: expected None or a timestep of the series, 0 to {max(1, timesteps) - 1}; got "
                f"{timestep}"
            )
        return timestep

    def _explanation(self, example: int) -> int | None:
        """Give the explanation of an example that is shown."""
        placed = self._placed.get(self.variant)
        if placed is None:
            return None
        lines, timestep = self._drawn, self.explained
        if timestep is None:
            at = lines.places(self.layer, example)[self.timestep]
            timestep = lines.places("", example).nearest(at)
        return placed.row(example, timestep)

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
            self._summary = {"layer": self.layer, "signal": self.signal, "lines": asked} | (
                {} if self._several is None else self._selected
            )
            self._overview = tops

    @property
    def _empty(self) -> bool:
        return 0 in self._sizes(self.layer).values()

    def _keys(self) -> list[Key]:
        """Give the lines that are shown."""
        return [key for one in self._subjects if self._shows(one) for key in one.keys]

    # -- leaving the notebook --------------------------------------------------------------------

    def _file_state(self, *, exact: bool | None = None) -> FileState:
        """Give a file relevance, too: all of it if it fits, else the explanation that is shown."""
        found = self._file_lines(exact=exact)
        if not self._placed:
            return found
        names = found.traits.get("_variants", {}).get("names", [""])
        placed = [self._placed[name] for name in names]
        size = sum(len(some) for some in found.traits.values() if isinstance(some, bytes))
        rows, missing = slice(None), found.missing
        if size + sum(each.size for each in placed) > export.FILE_BYTES:
            row = self._explanation(self.example) or 0
            rows, missing = slice(row, row + 1), [*missing, "the relevance for other timesteps"]
        packed = _packed(placed, rows, whole=True)
        if size + len(packed["_relevance_values"]) > export.FILE_BYTES:
            packed, missing = _NOTHING, [*found.missing, "the relevance"]
        return found._replace(traits=found.traits | packed, missing=missing)

    def _file_lines(self, *, exact: bool | None = None) -> FileState:
        """Give a file all of the recording if it fits, else the lines that are shown."""
        lines = self._drawn
        empty = {"_summary": {}, "_overview": b""}
        try:
            whole = super()._file_state(exact=exact)
        except ValueError:
            whole = None
        if whole is not None:
            every = self._every_lines(whole.traits.get("_variants", {}).get("names", ()))
            size = len(every) * size_of(lines, lines.beside, self._examples)
            if size + len(whole.traits["_whole"]) <= export.FILE_BYTES:
                described, values = self._rows(every, lines.beside)
                series = {"_series": described, "_series_values": values}
                return whole._replace(traits=whole.traits | empty | series)
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
        tiles = self._tiles(self.layer, self.signal)
        largest = float(tiles.statistics.largest.max(initial=0))
        described |= {"only": True, "largest": [[self.layer, self.signal, largest]]}
        kept = dict.fromkeys(self._current.directions(self.layer), (self.signal,))
        layers = [export.without(layer, kept) for layer in self._layers]
        missing = [f"all but the {len(keys)} lines that were shown"]
        if examples != (0, self._examples):
            missing.append("other examples")
        state = {"_layers": layers, "_whole": b"", "_text": {}}
        if self._several is not None:
            # What is shown is in the page, as it is: no other, nor what was subtracted.
            at = self._several.names.index(self.variant)
            told = {key: [self._variants[key][at]] for key in ("names", "check", "own")}
            state["_variants"] = told | {"less": self.difference}
            missing.append("the other variants")
        return FileState(state | empty | {"_series": described, "_series_values": values}, missing)

    def _parts(self, sheet: Sheet, shown: Snapshot, most: int) -> None:
        self._draw_lines(sheet, shown, most)

    @property
    def _behind(self) -> Behind | None:
        placed = self._placed.get(self.variant)
        if placed is None:
            return None
        subjects = [one for one in self._subjects if self._shows(one)]
        if self.arrange == "examples":
            subjects = [self._subject_of_examples]
        return Behind(
            placed,
            placed.methods.index(self.method),
            self.palette,
            self.relevance_scale,
            self._explanation,
            adds_up=self.arrange != "bands" and [one.kind for one in subjects] != ["channel"],
        )

    def _legend(self, sheet: Sheet) -> Legend | None:
        behind = self._behind
        if behind is None:
            return None
        return behind.legend(self._drawn, self.example, sheet.theme)


_NOTHING: dict[str, Any] = {"_relevance": {}, "_relevance_rows": b"", "_relevance_values": b""}


def _packed(every: Sequence[SeriesRelevance], rows: slice, *, whole: bool) -> dict[str, Any]:
    """Give the page some explanations, of each variant."""
    return dict(zip(_NOTHING, described(every, rows, whole=whole), strict=True))
