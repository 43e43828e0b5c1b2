"""What all widgets over a recording share: the selection and the look, and the recording behind them."""

from __future__ import annotations

from operator import index
from typing import TYPE_CHECKING, Any, ClassVar
from zlib import crc32

import traitlets

from lstm_widgets.analysis.changes import initial_of
from lstm_widgets.figures.legend import Legend, caption
from lstm_widgets.recording import Recording, Variants
from lstm_widgets.tokens.wording import in_line
from lstm_widgets.views.lines import Lines
from lstm_widgets.views.selected import spans_of
from lstm_widgets.views.snapshot import Snapshot
from lstm_widgets.widgets.base import FileState, PageWidget, checked_scale
from lstm_widgets.widgets.page import export
from lstm_widgets.widgets.page.lines import (
    answer_lines,
    axes_of,
    rows_of,
    size_of,
)
from lstm_widgets.widgets.page.protocol import answer
from lstm_widgets.widgets.page.state import (
    WHOLE_BYTES,
    first_timestep,
    layer_names,
    state_of,
    tiles_of,
    whole_of,
)
from lstm_widgets.widgets.page.tracks import encoded, tracks_of
from lstm_widgets.widgets.page.variants import ShownVariants

if TYPE_CHECKING:
    from collections.abc import Sequence
    from os import PathLike

    import xarray as xr

    from lstm_widgets.figures.sheet import Sheet
    from lstm_widgets.views.lines import Key
    from lstm_widgets.views.tracks import Track
    from lstm_widgets.widgets.page.tiles import SignalTiles

SCALES = ("layer", "cell", "sigmoid", "squared")


class RecordingWidget(PageWidget):
    """
    A widget over a recording, with the traits that all of them share.

    Parameters
    ----------
    recording : Recording or Variants
        What ``record()`` or ``open_recording()`` gave; or several of the same inputs, among which a slider
        chooses.
    layer : str, optional
        The layer shown at first: one of ``recording.layers``, or of ``recording.bidirectional`` for
        both directions side by side; or one call of a layer that was called several times,
        ``"lstm:2"``. Default: the first; both directions, if it has two.
    signal : str, optional
        The signal shown at first. Default: ``"hidden_state"``.
    **traits : optional
        Any other trait of the widget by its name.

    Raises
    ------
    TypeError
        For an unknown keyword, or if ``recording`` is neither a Recording nor Variants.
    traitlets.TraitError
        For a value that a trait doesn't take; the message names the trait, what it takes and what came.
    """

    layer = traitlets.Unicode(help="The layer shown, by its name in the recording.").tag(sync=True)
    signal = traitlets.Unicode(help="The signal shown.").tag(sync=True)
    example = traitlets.Int(0, help="The selected example.").tag(sync=True)
    cell = traitlets.Int(0, help="The selected cell.").tag(sync=True)
    timestep = traitlets.Int(0, help="The selected timestep of the example.").tag(sync=True)
    threshold = traitlets.Float(0.0, help="Values of smaller magnitude are faded.").tag(sync=True)
    scale = traitlets.Union(
        [traitlets.Enum(SCALES), traitlets.Tuple(traitlets.Float(), traitlets.Float())],
        default_value="layer",
        help="What the outermost colours stand for: the largest magnitude of the 'layer' or of each "
        "'cell', 'sigmoid' of the value from 0 to 1, the 'squared' value over the cell's largest "
        "square, or a fixed range (lowest, highest).",
    ).tag(sync=True)

    align = traitlets.Enum(
        ("read", "predict"),
        "read",
        help="Show a value on the token just read ('read'), or on the one that comes next, which the "
        "model is about to predict ('predict').",
    ).tag(sync=True)

    variant = traitlets.Unicode(
        help="Which variant is shown, by its name; '' where there is one recording only."
    ).tag(sync=True)
    difference = traitlets.Unicode(
        help="The name of the variant that is subtracted from the one shown; '' for none."
    ).tag(sync=True)

    tracks = traitlets.Any(
        help="Concepts that stand under the tokens as bands: a list of them, or a dict by name of "
        "concepts, functions of the tokens, regular expressions or arrays (example, timestep)."
    )
    hidden_tracks = traitlets.Tuple(help="The names of tracks that are not shown.").tag(sync=True)

    selected_timesteps = traitlets.Tuple(
        help="Timesteps that were chosen together, as by a lasso around states: spans (example, start, "
        "stop), stop excluded. They are marked wherever timesteps stand."
    ).tag(sync=True)

    _layers: traitlets.List[dict[str, Any]] = traitlets.List(help="What the recording has.").tag(
        sync=True
    )
    _summary = traitlets.Dict(help="The signal in the page: names, level of the overview.").tag(
        sync=True, echo_update=False
    )
    _overview = traitlets.Bytes(help="uint8 codes (cell, bin).").tag(sync=True, echo_update=False)
    _statistics = traitlets.Bytes(help="float32 (3, cell).").tag(sync=True, echo_update=False)
    _whole = traitlets.Bytes(
        help="float32 (layer, signal, cell, column), then masks, then guesses. In a saved page, of "
        "layers that are 'rounded': uint8 codes, and float32 (layer, signal, 3, cell) behind them."
    ).tag(sync=True, echo_update=False)
    _variants = traitlets.Dict(
        help="The variants' names, and what of all above is each one's own; empty where there is one only."
    ).tag(sync=True, echo_update=False)
    _text = traitlets.Dict(help="Tokens and labels of a recording that travels whole.").tag(
        sync=True, echo_update=False
    )

    _tracks = traitlets.Dict(help="The tracks of each layer: names, what codes stand for.").tag(
        sync=True, echo_update=False
    )
    _track_codes = traitlets.Bytes(help="A bit a token for yes or no, a byte for numbers.").tag(
        sync=True, echo_update=False
    )

    _beside = traitlets.Dict(help="Channels, outputs and tracks that are lines: their names.").tag(
        sync=True
    )
    _axes = traitlets.Dict(help="Where timesteps stand, by layer; of the series by ''.").tag(
        sync=True, echo_update=False
    )
    _axis_values = traitlets.Bytes(help="float64: times that aren't evenly spaced.").tag(
        sync=True, echo_update=False
    )
    _series = traitlets.Dict(help="Which lines are in the page as a whole.").tag(
        sync=True, echo_update=False
    )
    _series_values = traitlets.Bytes(help="float32 (line, example, timestep).").tag(
        sync=True, echo_update=False
    )

    _notes = traitlets.Dict(help="Notes on cells, by layer and the number of the cell.").tag(
        sync=True
    )

    _shown: ClassVar[tuple[str, ...]] = ("recording",)

    #: What the caption of a figure says beside what there is, and whether it has a legend of colours.
    _note: ClassVar[str] = ""
    _coloured: ClassVar[bool] = True

    #: Made when they are first asked for; anew with another recording, or other tracks.
    _lines: Lines | None = None

    def __init__(
        self,
        recording: Recording | Variants,
        *,
        layer: str | None = None,
        signal: str | None = None,
        **traits: Any,  # noqa: ANN401 - each trait checks its own
    ) -> None:
        self._expect_recording(recording)
        self._expect_known(traits)
        self._recording = recording
        self._several = None if isinstance(recording, Recording) else ShownVariants(recording)
        if self._several is not None:
            traits = {"variant": self._several.names[0], **traits}
        for name in ("variant", "difference"):
            self._expect_variant(name, traits.get(name, ""))
        shown = self._one(traits.get("variant", ""), traits.get("difference", ""))
        self._names = layer_names(shown)
        #: Single calls of layers that were asked for; the page knows no others.
        self._calls: tuple[str, ...] = ()
        self._said: dict[str, tuple[Track, ...]] = {}
        layer = self._names[0] if layer is None else layer
        if self._is_call(layer):
            self._calls = (layer,)
            self._names = (*self._names, layer)
        if layer in self._names and signal is None:
            signal = shown.signals(layer)[0]
        if layer in self._names and "timestep" not in traits:
            traits["timestep"] = first_timestep(shown, layer, traits.get("example", 0))
        state = self._state() | {"_notes": self._noted.notes.plain}
        super().__init__(layer=layer, signal=signal or "", **state, **traits)
        self._noted.notes.watch(self)
        if self._drawn.series is not None:
            self._tell()
        self._summarise()

    def _expect_recording(self, recording: object) -> None:
        if not isinstance(recording, (Recording, Variants)):
            raise TypeError(
                "recording: expected a Recording (from record() or open_recording()), or Variants of "
                f"several, got {type(recording).__name__}"
            )

    def _expect_variant(self, trait: str, name: str) -> None:
        known = () if self._several is None else self._several.names
        if name in known or (name == "" and (not known or trait == "difference")):
            return
        there = ", ".join(map(repr, known)) or "'', because there is one recording only"
        none = " or ''" if known and trait == "difference" else ""
        raise traitlets.TraitError(f"{trait}: expected one of {there}{none}; got {name!r:.80}")

    @property
    def recording(self) -> Recording | Variants:
        """What is shown, as it was given."""
        return self._recording

    @property
    def _noted(self) -> Recording:
        """The recording that notes on cells are kept with; of variants the first."""
        if self._several is None:
            return self._current
        return self._several.noted

    @property
    def _current(self) -> Recording:
        """The recording that is seen: of variants the selected one, or its difference to another."""
        return self._one(self.variant, self.difference)

    def _one(self, variant: str, less: str) -> Recording:
        """Give one variant, or its difference to another; what is shown, if there is one recording only."""
        if self._several is not None:
            return self._several.recording(variant or self._several.names[0], less)
        assert isinstance(self._recording, Recording)  # noqa: S101 - variants are several
        return self._recording

    def _tiles(
        self, layer: str, signal: str, variant: str | None = None, less: str | None = None
    ) -> SignalTiles:
        """Give a signal ready to be drawn; of several variants on one scale, by default the selected one."""
        if self._several is None:
            return tiles_of(self._current, layer, signal)
        variant = self.variant if variant is None else variant
        return self._several.tiles(
            layer, signal, variant, self.difference if less is None else less
        )

    def _state(self) -> dict[str, Any]:
        """Describe what there is to the page, and give all of it if it is little."""
        if self._several is not None:
            return self._several.state(self._calls)
        return state_of(self._current, self._calls)

    def _is_call(self, layer: str) -> bool:
        """Whether it names one of the calls of a layer."""
        shown = self._current
        return any(layer in shown.call_names(name) for name in layer_names(shown))

    def _tell(self) -> None:
        """Give the page what there is beside cells, with all values if they are few."""
        lines = self._drawn
        beside = lines.beside
        every = self._every_lines()
        fits = len(every) * size_of(lines, beside, self._examples) <= WHOLE_BYTES
        described, values = self._rows(every, beside if fits else [])
        axes, places = axes_of(lines, [layer["name"] for layer in self._layers])
        with self.hold_sync():
            self._beside = self._described(every)
            self._axes, self._axis_values = axes, places
            self._series, self._series_values = described, values

    def _described(self, every: Sequence[Lines]) -> dict[str, Any]:
        """Tell the page what there is beside cells, by the lines of each variant."""
        return every[0].described

    @property
    def _examples(self) -> int:
        return self._sizes(self.layer)["example"]

    @property
    def _drawn(self) -> Lines:
        """What can be drawn as lines over time."""
        if self._lines is None:
            self._lines = self._lines_of(self._current, self.variant)
        return self._lines

    def _lines_of(self, recording: Recording, _variant: str) -> Lines:
        """Give what can be drawn as lines of a recording, which is a variant or less another."""
        return Lines(recording, {})

    def _every_lines(self, names: Sequence[str] = ()) -> list[Lines]:
        """Give the lines of each variant, or of some; where there is one recording only, its own."""
        if self._several is None:
            return [self._drawn]
        some = names or self._several.names
        return [self._lines_of(self._one(name, self.difference), name) for name in some]

    def _rows(self, every: Sequence[Lines], keys: Sequence[Key]) -> tuple[dict[str, Any], bytes]:
        """Give all values of some lines, of one variant after the other."""
        found = [rows_of(lines, keys, (0, self._examples)) for lines in every]
        return found[0][0], b"".join(values for _, values in found)

    def _replace(self, recording: Recording) -> None:
        """Put another recording of the same layers, with its series, in the place of this one."""
        recording.notes.replace(self._notes)
        recording.notes.watch(self)
        self._recording, self._lines = recording, None
        if self._drawn.series is not None:
            self._tell()

    def _summarise(self) -> None:
        """Give the page the overview of what is shown, unless it has all of it."""
        if self._whole or not self._layers:
            return
        tiles = self._tiles(self.layer, self.signal)
        level, overview = tiles.overview
        summary = {"layer": self.layer, "signal": self.signal, "level": level}
        if self._several is not None:
            # By which the page knows what belongs together.
            summary |= self._selected | {"stamp": crc32(overview.tobytes(), crc32(tiles.packed))}
        with self.hold_sync():
            self._summary = summary
            self._overview = overview.tobytes()
            self._statistics = tiles.packed

    @property
    def _selected(self) -> dict[str, str]:
        """Which variant is shown, as the page's questions name it."""
        return {"variant": self.variant, "difference": self.difference}

    # -- selection -------------------------------------------------------------------------------

    def _sizes(self, layer: str) -> dict[str, int]:
        return {str(dim): size for dim, size in self._current[layer].sizes.items()}

    @traitlets.validate("layer")
    def _check_layer(self, proposal: dict[str, Any]) -> str:
        layer: str = proposal["value"]
        if layer not in self._names and self._is_call(layer):
            self._calls = (*self._calls, layer)
            self._names = (*self._names, layer)
            state = {"_whole": b"", "_text": {}} | self._state()
            with self.hold_sync():
                for name, value in state.items():
                    setattr(self, name, value)
                if self._axes:
                    self._tell()
        if layer not in self._names:
            raise traitlets.TraitError(
                f"layer: expected one of {', '.join(map(repr, self._names))}, got {layer!r}"
            )
        return layer

    @traitlets.validate("signal")
    def _check_signal(self, proposal: dict[str, Any]) -> str:
        signal: str = proposal["value"]
        if self.layer in self._names:
            signals = self._current.signals(self.layer)
            if signal not in signals:
                raise traitlets.TraitError(
                    f"signal: expected one of {', '.join(map(repr, signals))} "
                    f"(layer {self.layer!r}), got {signal!r}"
                )
        return signal

    @traitlets.validate("example", "cell", "timestep")
    def _check_index(self, proposal: dict[str, Any]) -> int:
        name, index = proposal["trait"].name, proposal["value"]
        if self.layer in self._names:
            size = self._sizes(self.layer)[name]
            if not 0 <= index < max(1, size):
                raise traitlets.TraitError(
                    f"{name}: expected 0 to {max(1, size) - 1} (layer {self.layer!r}), got {index}"
                )
        return int(index)

    @traitlets.validate("variant", "difference")
    def _check_variant(self, proposal: dict[str, Any]) -> str:
        name: str = proposal["value"]
        self._expect_variant(proposal["trait"].name, name)
        return name

    @traitlets.observe("variant", "difference")
    def _on_variant(self, _change: dict[str, Any]) -> None:
        self._lines = None
        if self._layers and self.signal:
            self._summarise()

    def _checked_cells(self, proposal: dict[str, Any]) -> tuple[int, ...]:
        """Refuse what aren't different cells of the layer shown."""
        name, cells = proposal["trait"].name, proposal["value"]
        if self.layer not in self._names:
            return tuple(cells)  # which the layer's own check tells
        size = self._sizes(self.layer)["cell"]
        wanted = f"{name}: expected different cells from 0 to {size - 1} (layer {self.layer!r})"
        try:
            numbers = tuple(index(cell) for cell in cells)
        except TypeError as error:
            raise traitlets.TraitError(f"{wanted}, got {cells!r}") from error
        if len(set(numbers)) < len(numbers) or not all(0 <= cell < size for cell in numbers):
            raise traitlets.TraitError(f"{wanted}, got {cells!r}")
        return numbers

    @traitlets.validate("threshold")
    def _check_threshold(self, proposal: dict[str, Any]) -> float:
        threshold: float = proposal["value"]
        if not 0 <= threshold < float("inf"):
            raise traitlets.TraitError(
                f"threshold: expected a finite number of at least 0, got {threshold}"
            )
        return threshold

    @traitlets.validate("scale")
    def _check_scale(self, proposal: dict[str, Any]) -> str | tuple[float, float]:
        return checked_scale(proposal["value"], SCALES)

    @traitlets.validate("selected_timesteps")
    def _check_selected(self, proposal: dict[str, Any]) -> tuple[tuple[int, int, int], ...]:
        return spans_of(
            proposal["value"], self._sizes(self.layer) if self.layer in self._names else {}
        )

    @traitlets.validate("tracks")
    def _check_tracks(self, proposal: dict[str, Any]) -> Any:  # noqa: ANN401 - a person's own
        # Here, not once the trait has changed: an array in it may have, while it is the same.
        self._say(tracks_of(self._current, proposal["value"]))
        return proposal["value"]

    @traitlets.observe("tracks")
    def _on_tracks(self, change: dict[str, Any]) -> None:
        if change["new"] is None:  # which is not validated
            self._say({})

    def _say(self, said: dict[str, tuple[Track, ...]]) -> None:
        """Give the page the tracks of all layers."""
        described, codes = encoded(said)
        self._said = said
        with self.hold_sync():
            self._tracks, self._track_codes = described, codes

    def notes_changed(self) -> None:
        """Show notes that were written elsewhere."""
        self._notes = self._noted.notes.plain

    @traitlets.observe("_notes")
    def _on_notes(self, change: dict[str, Any]) -> None:
        self._noted.notes.replace(change["new"])

    @traitlets.observe("layer", "signal")
    def _on_shown(self, change: dict[str, Any]) -> None:
        if not self._layers or not self.signal:
            return  # still under construction
        with self.hold_sync():
            if change["name"] == "layer":
                signals = self._current.signals(self.layer)
                if self.signal not in signals:
                    self.signal = signals[0]
                sizes = self._sizes(self.layer)
                for name, size in sizes.items():
                    setattr(self, name, min(getattr(self, name), max(0, size - 1)))
                self.selected_timesteps = tuple(
                    span
                    for span in self.selected_timesteps
                    if span[0] < sizes["example"] and span[2] <= sizes["timestep"]
                )
            self._summarise()

    # -- leaving the notebook --------------------------------------------------------------------

    @property
    def _subject(self) -> str:
        return self.layer

    def save_html(
        self,
        path: str | PathLike[str],
        *,
        title: str | None = None,
        overwrite: bool = False,
        exact: bool | None = None,
    ) -> None:
        """
        Save the widget, as it is now, to one HTML file that needs no kernel and no network.

        Sliders, keys, menus and both themes work there. If the recording takes more than 64 MiB in the
        file, only the layer shown goes in, or else only the signal shown; the page names what was left
        out.

        Parameters
        ----------
        path : str or path-like
            The file to write.
        title : str, optional
            The heading. Default: the kind of widget, and what it shows.
        overwrite : bool, default False
            Whether an existing file may be replaced.
        exact : bool, optional
            True: values are kept as float32. False: as one byte each, as they are drawn, rounded to
            1/252 of the largest magnitude of their cell (differences between variants to 1/126); the page
            marks such numbers with ≈, and the file is about a quarter as large. Default: exact up to 2 MiB
            of float32.

        Raises
        ------
        FileExistsError
            If the file exists and may not be replaced.
        FileNotFoundError
            If the folder doesn't exist.
        ValueError
            If the signal shown takes more than 64 MiB alone.

        Examples
        --------
        >>> grid = lw.CellGrid(recording)
        >>> grid.save_html("grid.html", title="Cells that count")
        """
        export.write(path, self._page(self._file_state(exact=exact), title), overwrite=overwrite)

    def _file_state(self, *, exact: bool | None = None) -> FileState:
        """Give a file the whole recording if it fits, else the layer shown, else only the signal."""
        exact = bool(self._whole) if exact is None else exact
        names, kept = self._kept_in_file(4 if exact else 1)
        layers = [export.without(layer, kept) for layer in self._layers]
        missing = [
            f"{layer['name']} ({', '.join(layer['absent'])})"
            for layer in layers
            if "absent" in layer and "parts" not in layer
        ]
        if not exact:
            layers = [layer | {"rounded": True} for layer in layers]
        state = {"_summary": {}, "_overview": b"", "_statistics": b"", "_layers": layers}
        if self._several is None:
            whole = whole_of(self._current, kept, exact=exact)
        else:
            whole = self._several.whole(self._variants, kept, names, exact=exact)
            if len(names) < len(self._several.names):
                missing.append("the other variants")
        lines = self._kept_lines(missing, names)
        return FileState(state | whole | lines, missing, rounded=not exact)

    @property
    def _subtracts(self) -> bool:
        return self._several is not None

    def _kept_in_file(self, width: int) -> tuple[tuple[str, ...], dict[str, tuple[str, ...]]]:
        """Choose what fits into a file: the names of variants, and signals of layers."""
        shown = self._layers, self.layer, self.signal
        if self._several is None:
            return (), export.fitting(*shown, width)
        names = self._several.names
        try:
            return names, export.fitting(*shown, width * len(names))
        except ValueError:
            seen = tuple(n for n in names if n in (self.variant, self.difference))
            return seen, export.fitting(*shown, width * len(seen))

    def _kept_lines(self, missing: list[str], names: Sequence[str] = ()) -> dict[str, Any]:
        """Give a file the series beside the signals, if they fit; else tell what is missing."""
        lines = self._drawn
        if lines.series is None:
            return {}
        every = self._every_lines(names)
        if len(every) * size_of(lines, lines.beside, self._examples) > export.FILE_BYTES:
            missing.append("the series that were read")
            return {"_beside": self._beside | {"channels": [], "outputs": [], "tracks": {}}}
        described, values = self._rows(every, lines.beside)
        return {"_series": described, "_series_values": values}

    def _snapshot(self) -> Snapshot:
        """Put together what is shown, to draw it."""
        recording = self._current
        tiles = self._tiles(self.layer, self.signal)
        return Snapshot(
            self._told(self.layer),
            recording[self.layer],
            tiles,
            **{
                name: getattr(self, name)
                for name in ("signal", "example", "cell", "timestep", "palette", "scale")
            },
            threshold=self.threshold,
            align=self.align,
            given_name=in_line(self._noted.notes.name(self.layer, self.cell)),
            tracks=self._shown_tracks(),
            predictions=recording.predictions,
            initial=initial_of(recording, self.layer),
            lines=self._drawn,
            variant=self.variant,
            difference=self.difference,
            loudest=tiles.loudest,
            every=self._every_dataset,
            every_line=self._every_lines,
        )

    def _told(self, layer: str, variant: str | None = None) -> dict[str, Any]:
        """Give what is told of a layer, of the variant that is shown or of another."""
        (told,) = (each for each in self._layers if each["name"] == layer)
        if self._several is None:
            return dict(told)
        at = self._variants["names"].index(self.variant if variant is None else variant)
        own = self._variants["own"][at].get(layer, {})
        return {**told, **own, "check": self._variants["check"][at][layer]}

    def _every_dataset(self) -> list[xr.Dataset]:
        """Give the layer shown of every variant, each less the same."""
        if self._several is None:
            return [self._current[self.layer]]
        return [one[self.layer] for one in self._several.every(self.difference)]

    def _shown_tracks(self) -> tuple[tuple[int, Track], ...]:
        """Give the tracks of the layer that are shown, each with its place among all of them."""
        part = self._current.directions(self.layer)[0]
        every = enumerate(self._said.get(part, ()))
        return tuple((i, track) for i, track in every if track.name not in self.hidden_tracks)

    def __repr__(self) -> str:
        places = ", ".join(
            f"{name}={getattr(self, name)}" for name in ("cell", "example", "timestep")
        )
        named = ((name, getattr(self, name)) for name in ("variant", "difference"))
        variant = "".join(f", {name}={value!r}" for name, value in named if value)
        about = f"layer={self.layer!r}, signal={self.signal!r}, {places}{variant}"
        return f"<{type(self).__name__} {about}>"

    def _parts(self, sheet: Sheet, shown: Snapshot, most: int) -> None:
        """Draw what stands in the widget, from top to bottom. There is something recorded."""

    def _legend(self, _sheet: Sheet) -> Legend | None:
        """Tell what colours stand for that aren't those of values."""
        return None

    def _draw(self, sheet: Sheet, most: int) -> None:
        shown = self._snapshot()
        if shown.empty:
            sheet.nothing()
        else:
            self._parts(sheet, shown, most)
        legend = self._legend(sheet)
        caption(sheet, shown, self._note, coloured=self._coloured, legend=legend)

    # -- the page's requests ---------------------------------------------------------------------

    def _answer(self, content: dict[str, Any]) -> tuple[dict[str, Any], list[bytes]]:
        variant, less = self._asked(content)
        recording = self._one(variant, less)
        if "lines" in content:
            shown = recording is self._current
            lines = self._drawn if shown else self._lines_of(recording, variant)
            reply, buffers = answer_lines(lines, content)
            if content.get("largest"):
                of_layer, of_signal = content["largest"]
                tiles = self._tiles(of_layer, of_signal, variant, less)
                largest = float(tiles.statistics.largest.max(initial=0))
                reply["largest"] = [*content["largest"], largest]
            return reply, buffers
        layer, signal = content["layer"], content["signal"]
        names = recording.directions(layer)
        parts = [recording[name] for name in names]
        given = not less and self._told(layer, variant).get("initial") == "given"
        initial = [initial_of(recording, name) for name in names] if given else []
        tiles = self._tiles(layer, signal, variant, less)
        return answer(content, parts, tiles, recording.predictions, initial)

    def _asked(self, content: dict[str, Any]) -> tuple[str, str]:
        """Tell of which variant a request of the page is, and less which."""
        return content.get("variant", self.variant), content.get("difference", self.difference)
