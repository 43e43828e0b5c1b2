"""How strongly predictions depend on each token that was read before, over running text."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, ClassVar

import traitlets

from lstm_widgets.colours import TABLE
from lstm_widgets.figures.dependency import dependency as dependency_figure
from lstm_widgets.tokens.wording import sendable
from lstm_widgets.tokens.words import Spelling
from lstm_widgets.views.dependencies import (
    standard_dependencies,
    standard_texts,
    stops_of,
    times_of,
)
from lstm_widgets.views.prediction import Shown
from lstm_widgets.widgets.base import STATIC, FileState, PageWidget
from lstm_widgets.widgets.page import export
from lstm_widgets.widgets.page.state import WHOLE_BYTES

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from typing import Unpack

    import xarray as xr

    from lstm_widgets.figures.sheet import Sheet
    from lstm_widgets.widgets.keywords import DependencyHeatmapKeywords

PALETTES = ("auto", *(name for name, palette in TABLE.items() if palette["kind"] == "sequential"))


class DependencyHeatmap(PageWidget):
    """
    How strongly the prediction at one timestep depends on each token, over running text.

    The tokens that a model has read are coloured by how strongly its prediction depends on them; what it
    hasn't read yet is grey. Several models are shown one below the other, for the same prediction.

    Of a series, so are its channels: a box is a timestep, and below stands for all predictions how
    strongly they depend on what was read how many timesteps before. Of several series, one is chosen as
    the example, each as long as it is.

    Parameters
    ----------
    dependency : xarray.DataArray or dict of xarray.DataArray
        What `lstm_widgets.dependency` returned; or, for several models that have read the same text, a
        dict of these by the models' names.
    tokens : str or list of str, optional
        The tokens at each timestep, from 0; of several examples one sequence each. Default: those in the
        dependencies.
    example, timestep : int, optional
        The example, and the timestep whose prediction is explained at first. Default: the last
        prediction.
    input_timestep : int, optional
        The token whose value is read out. Default: the one on which each prediction depends most.
    scale : {"prediction", "all"}, optional
        What the outermost colour stands for: the largest value of this prediction, or of all.
    same_scale : bool, optional
        Whether all models, or channels, share one scale. Default: channels do.
    log_scale : bool, optional
        Whether the colour scale is logarithmic, over three powers of ten.
    hover : {"explain", "read"}, optional
        Whether pointing at a token explains the prediction made there, or reads out the token's value.
    marks : bool, optional
        Show newlines, tabs and spaces as marks.
    align : {"read", "predict"}, optional
        Whether a prediction is shown at the token just read, or at the one that comes next.
    palette : str, optional
        A sequential palette. Default: Purples, and Purples_dark on a dark page.

    Raises
    ------
    TypeError
        For an unknown keyword, or if ``dependency`` isn't what `lstm_widgets.dependency` returns.
    ValueError
        If the dependencies, or the tokens, aren't of the same text.
    traitlets.TraitError
        For a value that a trait doesn't take.

    Examples
    --------
    >>> dependency = lw.dependency(model, "abcabca", vocabulary="abc", at=range(3, 6))
    >>> lw.DependencyHeatmap({"LSTM": dependency})
    <DependencyHeatmap models=['LSTM'], example=0, timestep=5>
    """

    _esm = STATIC / "dependency_heatmap.js"
    _css = STATIC / "dependency_heatmap.css"

    _shown: ClassVar[tuple[str, ...]] = ("dependency",)

    example = traitlets.Int(0, help="The selected example.").tag(sync=True)
    timestep = traitlets.Int(0, help="The timestep whose prediction is explained.").tag(sync=True)
    input_timestep = traitlets.Int(
        None, allow_none=True, help="The token whose number is read out; None: the strongest."
    ).tag(sync=True)
    scale = traitlets.Enum(
        ("prediction", "all"),
        "prediction",
        help="The outermost colour is the largest value of the 'prediction', or of 'all' of them.",
    ).tag(sync=True)
    same_scale = traitlets.Bool(False, help="One scale for all models.").tag(sync=True)
    log_scale = traitlets.Bool(False, help="Colours follow the logarithm.").tag(sync=True)
    hover = traitlets.Enum(
        ("explain", "read"),
        "explain",
        help="Pointing at a token explains the prediction there, or reads out the token's number.",
    ).tag(sync=True)
    marks = traitlets.Bool(False, help="Show newlines, tabs and spaces as marks.").tag(sync=True)
    align = traitlets.Enum(
        ("read", "predict"),
        "read",
        help="Find a prediction at the token just read ('read'), or at the one that comes next.",
    ).tag(sync=True)
    palette = traitlets.Enum(
        PALETTES, "auto", help="'auto' is Purples, and Purples_dark on a dark page."
    ).tag(sync=True)

    _models: traitlets.List[dict[str, Any]] = traitlets.List(help="What was computed.").tag(
        sync=True
    )
    _extent = traitlets.Dict(help="The text's first timestep, and the one after its last.").tag(
        sync=True
    )
    _text: traitlets.List[dict[str, Any]] = traitlets.List(
        help="Tokens and targets of each example, if all is here."
    ).tag(sync=True, echo_update=False)
    _whole = traitlets.Bytes(
        help="Of each model int32 starts (example, row), int32 stops, then all stretches, float32."
    ).tag(sync=True, echo_update=False)

    def __init__(
        self,
        dependency: xr.DataArray | Mapping[str, xr.DataArray],
        *,
        tokens: str | Sequence[str] | Sequence[Sequence[str]] | None = None,
        **traits: Unpack[DependencyHeatmapKeywords],
    ) -> None:
        self._expect_known(traits)
        models = standard_dependencies(dependency)
        first, stop, texts = standard_texts(models, tokens)
        self._dependency = dependency
        self._dependencies = models
        self._texts = texts
        self._spelling = Spelling.of(token for row in texts or () for token in row)
        self._span, self._stops = (first, stop), stops_of(models, stop)
        if "timestep" not in traits:
            example = traits.get("example", 0)
            traits["timestep"] = max(first, *(model.last(example) for model in models))
        series = models[0].channel != ""
        # Of a series, each channel is a model: only one scale tells which of them counts.
        if series:
            traits.setdefault("same_scale", True)
        extent: dict[str, Any] = {
            "series": series,
            "first": first,
            "stop": stop,
            "examples": models[0].examples,
            "tokens": texts is not None,
            "spelling": self._spelling.kind,
        }
        if set(self._stops) - {stop}:
            extent["stops"] = self._stops
        if self._labels is not None:
            extent["labels"] = self._labels
        state: dict[str, Any] = {"_models": [model.described for model in models]}
        if sum(model.size for model in models) <= WHOLE_BYTES:
            state |= self._everything()
        super().__init__(_extent=extent, **state, **traits)

    @property
    def _labels(self) -> list[str] | None:
        """What the examples are called, if that is known."""
        return (
            None if (found := self._dependencies[0].labels) is None else list(map(sendable, found))
        )

    @property
    def dependency(self) -> xr.DataArray | Mapping[str, xr.DataArray]:
        """What is shown."""
        return self._dependency

    def _everything(self) -> dict[str, Any]:
        """Give all that the page needs."""
        examples = range(self._dependencies[0].examples)
        return {
            "_text": [self._text_of(example) for example in examples],
            "_whole": b"".join(model.packed() for model in self._dependencies),
        }

    def _text_of(self, example: int) -> dict[str, Any]:
        """Give the tokens of an example, and what each model's predictions are of."""
        tokens = None
        if self._texts is not None:
            tokens = [sendable(token) for token in self._texts[example]]
        targets = [model.targets_of(example) for model in self._dependencies]
        times = times_of(self._dependencies, example, *self._span)
        if times is not None:
            times = [sendable(time) for time in times]
        return {"tokens": tokens, "targets": targets, "times": times}

    # -- selection -------------------------------------------------------------------------------

    @traitlets.validate("example")
    def _check_example(self, proposal: dict[str, Any]) -> int:
        count = self._dependencies[0].examples
        example: int = proposal["value"]
        if not 0 <= example < max(1, count):
            raise traitlets.TraitError(f"example: expected 0 to {max(1, count) - 1}, got {example}")
        return example

    @traitlets.validate("timestep", "input_timestep")
    def _check_timestep(self, proposal: dict[str, Any]) -> int | None:
        name, timestep = proposal["trait"].name, proposal["value"]
        first, stop = self._span
        if timestep is not None and not first <= timestep < max(first + 1, stop):
            raise traitlets.TraitError(
                f"{name}: expected {first} to {max(first, stop - 1)}, got {timestep}"
            )
        return None if timestep is None else int(timestep)

    def __repr__(self) -> str:
        names = ", ".join(repr(model.name) for model in self._dependencies if model.name)
        models = f"models=[{names}], " if names else ""
        return f"<{type(self).__name__} {models}example={self.example}, timestep={self.timestep}>"

    # -- leaving the notebook --------------------------------------------------------------------

    @property
    def _subject(self) -> str:
        return ", ".join(model.name for model in self._dependencies if model.name)

    def _file_state(self) -> FileState:
        size = sum(model.size for model in self._dependencies)
        if size > export.FILE_BYTES:
            raise ValueError(
                f"save_html: the dependencies take {size / 2**20:.1f} MiB; a file holds at most "
                f"{export.FILE_BYTES / 2**20:.0f} MiB. Compute fewer predictions, with at="
            )
        return FileState(self._everything(), [])

    def _draw(self, sheet: Sheet, most: int) -> None:
        shown = Shown(
            self._dependencies,
            self._texts,
            self._spelling,
            (self._span[0], self._stops[self.example] if self._stops else self._span[1]),
            label=None if self._labels is None else self._labels[self.example],
            **{
                name: getattr(self, name)
                for name in ("example", "timestep", "input_timestep", "scale", "align", "palette")
            },
            same_scale=self.same_scale,
            log_scale=self.log_scale,
            marks=self.marks,
        )
        dependency_figure(sheet, shown, most=most)

    # -- the page's requests ---------------------------------------------------------------------

    def _answer(self, content: dict[str, Any]) -> tuple[dict[str, Any], list[bytes]]:
        """Give rows of an example, and its text or the picture of all rows if that is wanted too."""
        example = content["example"]
        reply = {"id": content["id"], "example": example, "rows": []}
        reply["text"] = self._text_of(example) if content.get("text") else None
        buffers = []
        for k, row in content["rows"]:
            model = self._dependencies[k]
            reply["rows"].append([k, row, int(model.starts[example, row])])
            buffers.append(model.row(example, row).tobytes())
        reply["near"] = content.get("near", [])
        for k, start, stop in reply["near"]:
            buffers.append(self._dependencies[k].near(example, start, stop).tobytes())
        return reply, buffers
