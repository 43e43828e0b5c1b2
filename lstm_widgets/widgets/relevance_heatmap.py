"""How much each word of many examples counts, by several methods."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, ClassVar

import ipywidgets
import numpy as np
import traitlets
from comm.base_comm import BaseComm

from lstm_widgets.figures.relevance import relevance as relevance_figure
from lstm_widgets.recording import Recording
from lstm_widgets.views.bands import Band
from lstm_widgets.views.examples import OUTCOMES, SORTS, Examples, Question, class_number
from lstm_widgets.widgets.base import STATIC, FileState, PageWidget, checked_scale
from lstm_widgets.widgets.explorer import Explorer
from lstm_widgets.widgets.page import export
from lstm_widgets.widgets.page.state import WHOLE_BYTES

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from typing import Unpack

    import xarray as xr
    from numpy.typing import NDArray

    from lstm_widgets.figures.sheet import Sheet
    from lstm_widgets.widgets.keywords import RelevanceHeatmapKeywords

SCALES = ("example", "all")


class RelevanceHeatmap(PageWidget):
    r"""
    Many examples as rows of words, each word coloured by its relevance, with a band for each method.

    Of a series, each channel is a row of colours over time, below each other for each method; what can't
    be seen of a long one is scrolled to, from the end on which the forecast stands.

    At the left of each example are the predicted class, with its probability, and the true class; or the
    forecast.
    Examples can be filtered, searched, sorted, and opened in an `Explorer`, by a click on the selected
    word or the Enter key. Positive relevance speaks for the explained class, negative relevance against
    it; sensitivity has no sign and is drawn in one hue.

    Up and down go through the examples, left and right through the words or timesteps of one, ``[`` and
    ``]`` through the methods, ``c`` and ``C`` through the channels; space unfolds an example that has more
    words than there is room for.

    Parameters
    ----------
    relevance : xarray.Dataset
        What `lstm_widgets.relevance` returns.
    tokens : sequence of sequences of str, optional
        The tokens at each timestep. Default: those in the dataset.
    targets : sequence of int or str, optional
        The true class of each example, its number or name; -1 where it is unknown.
    class_names : sequence of str or mapping of int to str, optional
        The names of the classes.
    recording : Recording, optional
        What ``record()`` returned for the same model and inputs, for the `Explorer`. Of windows it shows
        the timestep at which the selected one ends.
    example, timestep : int, optional
        What is selected at first. Default: the first example that is shown, and its first timestep
        that isn't padding, of a series the last.
    method : str, optional
        The selected method, which comes first in the legend and the status line.
    channel : int, optional
        The selected channel of a series, whose numbers are in the status line.
    all_methods : bool, optional
        Whether each method has a band, or only the selected one.
    scale : str or tuple of float, optional
        What the outermost colours stand for: the largest magnitude of the method in each
        ``"example"``, or in ``"all"`` of them, or a fixed range (lowest, highest), beyond which values
        are marked as clipped.
    palette : str, optional
        ``"auto"`` (RdBu_r, on a dark page berlin; for sensitivity Purples and Purples_dark), or the name
        of one, as in `CellGrid`. Of a diverging palette, sensitivity takes the upper half.
    sort : str, optional
        The order: ``"index"``, ``"most_confident"``, ``"least_confident"``, ``"highest_score"``,
        ``"lowest_score"``, ``"longest"`` or ``"shortest"``.
    predicted : int or str, optional
        Show only examples that are predicted to be of this class.
    outcome : str, optional
        Show ``"all"`` examples, or only those that are predicted ``"right"`` or ``"wrong"``.
    search : str, optional
        Show only examples that contain this text, whatever its case.
    lines : int, optional
        How many lines of words an example has room for. 0, the default: one, or two where half of the
        examples need them.
    unfolded : bool, optional
        Whether the selected example shows all of its words.
    exploring : bool, optional
        Whether an `Explorer` of the selected example stands below.

    Examples
    --------
    >>> methods = ["gradient_x_input", "occlusion"]
    >>> relevance = lw.relevance(model, [[0, 1, 2], [1, 2, 0]], vocabulary="abc", methods=methods)
    >>> lw.RelevanceHeatmap(relevance, class_names=["a", "b", "c"])
    <RelevanceHeatmap 2 examples, methods=('gradient_x_input', 'occlusion'), example=0, timestep=0>
    """

    _esm = STATIC / "relevance_heatmap.js"
    _css = STATIC / "relevance_heatmap.css"

    _shown: ClassVar[tuple[str, ...]] = ("relevance", "recording")

    example = traitlets.Int(0, help="The selected example.").tag(sync=True)
    timestep = traitlets.Int(0, help="The selected timestep of the example.").tag(sync=True)
    method = traitlets.Unicode(help="The selected method.").tag(sync=True)
    channel = traitlets.Int(0, help="The selected channel of a series.").tag(sync=True)
    all_methods = traitlets.Bool(True, help="Show a band for each method.").tag(sync=True)
    scale = traitlets.Union(
        [traitlets.Enum(SCALES), traitlets.Tuple(traitlets.Float(), traitlets.Float())],
        default_value="example",
        help="What the outermost colours stand for: the largest magnitude of each 'example', or of "
        "'all' of them, or a fixed range (lowest, highest).",
    ).tag(sync=True)
    sort = traitlets.Enum(SORTS, "index", help="The order of the examples.").tag(sync=True)
    predicted = traitlets.Any(
        None, help="Show only what is predicted as this class (its number or name; None: all)."
    ).tag(sync=True)
    outcome = traitlets.Enum(
        OUTCOMES, "all", help="Show all examples, or those predicted right or wrong."
    ).tag(sync=True)
    search = traitlets.Unicode(help="Show only what contains this text.").tag(sync=True)
    lines = traitlets.Int(
        0,
        min=0,
        max=99,
        help="Lines of words that an example has room for; 0: what most need, at most 2.",
    ).tag(sync=True)
    unfolded = traitlets.Bool(False, help="Show all words of the selected example.").tag(sync=True)
    exploring = traitlets.Bool(False, help="Show an Explorer of the example below.").tag(sync=True)

    _summary = traitlets.Dict(help="What there is.").tag(sync=True, echo_update=False)
    _whole = traitlets.Bytes(help="All examples, see `Examples.rows`.").tag(
        sync=True, echo_update=False
    )
    _text = traitlets.Dict(help="Tokens and labels of what travels whole.").tag(
        sync=True, echo_update=False
    )
    _explorer = traitlets.Instance(Explorer, allow_none=True).tag(
        sync=True, **ipywidgets.widget_serialization
    )

    def __init__(
        self,
        relevance: xr.Dataset,
        *,
        tokens: Sequence[Sequence[str]] | None = None,
        targets: Sequence[int] | Sequence[str] | None = None,
        class_names: Sequence[str] | Mapping[int, str] | None = None,
        recording: Recording | None = None,
        **traits: Unpack[RelevanceHeatmapKeywords],
    ) -> None:
        self._expect_known(traits)
        self._examples = Examples(relevance, tokens, targets, class_names)
        self._relevance = relevance
        self._recording = recording
        self._layer = None
        if recording is not None:
            self._layer = _shown_layer(recording, self._examples)
        traits.setdefault("method", self._examples.methods[0])
        state: dict[str, Any] = {"_summary": self._examples.summary()}
        state["_summary"]["recording"] = "here" if recording is not None else "missing"
        if self._examples.size <= WHOLE_BYTES:
            state |= self._whole_state()
        super().__init__(**state, **traits)
        if "example" not in traits and self.shown.size:
            self.example = int(self.shown[0])
        if "timestep" not in traits:
            self.timestep = self._first_timestep()
        # Not every host makes a widget while it answers the page, which Jupyter's do: there it is made now.
        if self.exploring or not isinstance(self.comm, BaseComm):
            self._open()

    @property
    def relevance(self) -> xr.Dataset:
        """What is shown."""
        return self._relevance

    @property
    def recording(self) -> Recording | None:
        """The recording of the same inputs that the `Explorer` shows, if it was given."""
        return self._recording

    def _whole_state(self) -> dict[str, Any]:
        text, values = self._examples.rows(slice(None))
        return {"_whole": values, "_text": text}

    def _first_timestep(self) -> int:
        """Find the first timestep of the selected example that isn't padding; of a series the last."""
        if self._examples.channels:
            return self._examples.last(self.example)
        mask = self._examples.mask
        return 0 if mask is None or not mask.size else int(mask[self.example].argmax())

    # -- what is shown ---------------------------------------------------------------------------

    @property
    def shown(self) -> NDArray[np.uint32]:
        """The examples that pass the filters, in the order of the rows."""
        return self._examples.order(self._question)

    @property
    def _question(self) -> Question:
        return Question(self.sort, self.predicted, self.outcome, self.search)

    @traitlets.validate("method")
    def _check_method(self, proposal: dict[str, Any]) -> str:
        method: str = proposal["value"]
        if method not in self._examples.methods:
            known = ", ".join(map(repr, self._examples.methods))
            raise traitlets.TraitError(f"method: expected one of {known}, got {method!r}")
        return method

    @traitlets.validate("example", "timestep", "channel")
    def _check_index(self, proposal: dict[str, Any]) -> int:
        name, index = proposal["trait"].name, int(proposal["value"])
        examples = self._examples
        sizes = {"example": examples.count, "timestep": examples.timesteps}
        size = sizes.get(name, len(examples.channels))
        if not 0 <= index < max(1, size):
            raise traitlets.TraitError(f"{name}: expected 0 to {max(1, size) - 1}, got {index}")
        return index

    @traitlets.validate("scale")
    def _check_scale(self, proposal: dict[str, Any]) -> str | tuple[float, float]:
        return checked_scale(proposal["value"], SCALES)

    @traitlets.validate("sort")
    def _check_sort(self, proposal: dict[str, Any]) -> str:
        sort: str = proposal["value"]
        if sort.endswith("_confident") and not self._examples.knows_confidence:
            raise traitlets.TraitError(
                f"sort: expected another order, because this relevance has no confidence; "
                f"got {sort!r}"
            )
        return sort

    @traitlets.validate("predicted")
    def _check_predicted(self, proposal: dict[str, Any]) -> int | None:
        value = proposal["value"]
        if value is None:
            return None
        if not self._examples.knows_predicted:
            raise traitlets.TraitError(
                f"predicted: expected None, because this relevance has no predicted classes; got {value!r}"
            )
        try:
            return class_number("predicted", value, self._examples.names)
        except (TypeError, ValueError) as error:
            raise traitlets.TraitError(str(error)) from error

    @traitlets.validate("outcome")
    def _check_outcome(self, proposal: dict[str, Any]) -> str:
        outcome: str = proposal["value"]
        if outcome != "all" and not self._examples.knows_outcome:
            raise traitlets.TraitError(
                f"outcome: expected 'all', because the true classes are not known (targets=...); "
                f"got {outcome!r}"
            )
        return outcome

    # -- the Explorer ----------------------------------------------------------------------------

    @property
    def explorer(self) -> Explorer:
        """The `Explorer` of the recording, linked to the selection here; made on first access."""
        if self._explorer is None:
            if self.recording is None or self._layer is None:
                raise ValueError(
                    "explorer: expected a recording of the same inputs, "
                    "RelevanceHeatmap(relevance, recording=lw.record(model, inputs, tokens=tokens))"
                )
            selected: dict[str, Any] = self._selected_in(self._layer)
            made = Explorer(self.recording, layer=self._layer, **selected)
            made.observe(self._on_explored, ["example", "timestep"])
            self._explorer = made
        return self._explorer

    def _selected_in(self, layer: str) -> dict[str, int]:
        """Give the selection as a layer of the recording has it: timesteps only if they are the same."""
        assert self.recording is not None  # noqa: S101 - there is a layer of it
        sizes = self.recording[layer].sizes
        windows = _windows_in(self.recording[layer], self._examples)
        if windows is not None:
            series, ends = windows
            return {"example": int(series[self.example]), "timestep": int(ends[self.example])}
        selected = {"example": self.example} if sizes["example"] == self._examples.count else {}
        if selected and sizes["timestep"] == self._examples.timesteps:
            selected["timestep"] = self.timestep
        return selected

    @traitlets.observe("exploring")
    def _on_exploring(self, _change: dict[str, Any]) -> None:
        if self.exploring:
            self._open()

    def _open(self) -> None:
        if self._layer is not None:
            _ = self.explorer

    @traitlets.observe("example", "timestep")
    def _on_selected(self, _change: dict[str, Any]) -> None:
        if self._explorer is not None:
            with self._explorer.hold_trait_notifications():
                for name, index in self._selected_in(self._explorer.layer).items():
                    setattr(self._explorer, name, index)

    def _on_explored(self, change: dict[str, Any]) -> None:
        """Follow the Explorer, where its layer has the same examples and timesteps, or their windows."""
        assert self.recording is not None  # noqa: S101 - there is an Explorer of it
        explorer = change["owner"]
        windows = _windows_in(self.recording[explorer.layer], self._examples)
        if windows is not None:
            series, ends = windows
            selected = np.flatnonzero((series == explorer.example) & (ends == explorer.timestep))
            if len(selected):
                self.example = int(selected[0])
            return
        if change["name"] in self._selected_in(explorer.layer):
            setattr(self, change["name"], change["new"])

    # -- leaving the notebook, and the page's requests ---------------------------------------------

    def _file_state(self) -> FileState:
        if self._examples.size > export.FILE_BYTES:
            raise ValueError(
                f"save_html: this relevance takes {self._examples.size / 2**20:.1f} MiB; a file holds at "
                f"most {export.FILE_BYTES / 2**20:.0f} MiB. Show fewer examples or methods: "
                f"RelevanceHeatmap(relevance.isel(example=slice(1000)))"
            )
        summary = {**self._summary, "recording": "left out" if self.recording else "missing"}
        state = {"_summary": summary, "_explorer": None, "exploring": False}
        return FileState(state | self._whole_state(), ["the recording"] if self.recording else [])

    def _draw(self, sheet: Sheet, most: int) -> None:
        examples = self._examples
        methods = zip(examples.methods, examples.largest.tolist(), strict=True)
        bands = [
            Band(name, largest, self.palette, self.scale, sheet.theme)
            for name, largest in methods
            if self.all_methods or name == self.method
        ]
        relevance_figure(
            sheet,
            examples,
            self.shown,
            **{
                name: getattr(self, name)
                for name in ("example", "timestep", "method", "channel", "lines")
            },
            bands=bands,
            most=most,
        )

    def __repr__(self) -> str:
        examples = self._examples
        counted = f"{examples.count} example{'s' * (examples.count != 1)}"
        return (
            f"<RelevanceHeatmap {counted}, methods={examples.methods}, "
            f"example={self.example}, timestep={self.timestep}>"
        )

    def _answer(self, content: dict[str, Any]) -> tuple[dict[str, Any], list[bytes]]:
        """Answer with an order of examples, with rows of them, or both."""
        reply = {key: content.get(key) for key in ("id", "order", "rows")}
        buffers = []
        if reply["order"] is not None:
            buffers.append(self._examples.order(Question(**reply["order"])).tobytes())
        if reply["rows"]:
            text, values = self._examples.rows(reply["rows"])
            reply |= text
            buffers.append(values)
        return reply, buffers


def _windows_in(
    layer: xr.Dataset, examples: Examples
) -> tuple[NDArray[np.intp], NDArray[np.intp]] | None:
    """Tell where a layer has the states after the windows that are the examples.

    Returns
    -------
    tuple of int array (window,), optional
        Its examples and timesteps; None if it hasn't read the series or texts of which they are.
    """
    coords, sizes = examples.dataset.coords, layer.sizes
    if "end" not in coords or not examples.count:
        return None
    if (sizes["example"], sizes["timestep"]) == (examples.count, examples.timesteps):
        return None  # it has read the windows themselves
    zeros = np.zeros(examples.count, np.intp)
    series = coords["series"].values if "series" in coords else zeros
    if not series.max() < sizes["example"] or (sizes["example"] > 1 and series is zeros):
        return None
    known = np.arange(sizes["timestep"])
    if "position" in layer.coords:
        known = layer.coords["position"].values
    place = np.searchsorted(known, coords["end"].values)
    if not np.array_equal(known[place.clip(max=len(known) - 1)], coords["end"].values):
        return None
    return series, place


def _shown_layer(recording: Recording, examples: Examples) -> str:
    """Choose the layer that an Explorer shows first: one over the same timesteps, if there is any."""
    if not isinstance(recording, Recording):
        raise TypeError(
            f"recording: expected a Recording (from record() or open_recording()), "
            f"got {type(recording).__name__}"
        )
    pairs = recording.bidirectional
    names = (*pairs, *recording.layers)
    layers = {name: recording[pairs[name][0] if name in pairs else name] for name in names}
    sizes = {name: layer.sizes for name, layer in layers.items()}
    fitting = [
        name
        for name, layer in layers.items()
        if sizes[name]["example"] == examples.count or _windows_in(layer, examples)
    ]
    if not fitting:
        counts = sorted({size["example"] for size in sizes.values()})
        raise ValueError(
            f"recording: expected one of the same {examples.count} examples, got one of "
            f"{', '.join(map(str, counts))}"
        )
    same = [name for name in fitting if sizes[name]["timestep"] == examples.timesteps]
    return (same or fitting)[0]
