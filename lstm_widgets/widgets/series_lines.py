"""Lines over time in a widget: which of them are shown, and how they are arranged."""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

import traitlets

from lstm_widgets.analysis.probes.result import Probe, of_variant
from lstm_widgets.figures.series import Row, series
from lstm_widgets.views.lines import Lines, Readout, Subject, subjects_of
from lstm_widgets.views.readouts import readouts
from lstm_widgets.widgets.matching_widget import MatchingWidget
from lstm_widgets.widgets.page.state import tiles_of
from lstm_widgets.widgets.pinned_cells import PinnedCells

if TYPE_CHECKING:
    from collections.abc import Sequence

    from lstm_widgets.figures.behind import Behind
    from lstm_widgets.figures.sheet import Sheet
    from lstm_widgets.recording import Recording
    from lstm_widgets.views.series_relevance import SeriesRelevance
    from lstm_widgets.views.snapshot import Snapshot
    from lstm_widgets.views.tracks import Track

ARRANGEMENTS = ("bands", "overlaid", "examples")


def probes_of(given: Any) -> Mapping[str, Any]:  # noqa: ANN401 - not checked yet
    """Give probes by variant; that of one recording by the name ""."""
    if isinstance(given, Mapping):
        return given
    if isinstance(given, Probe) and "variant" in given.prediction.dims:
        names = given.prediction["variant"].to_numpy().tolist()
        return {name: of_variant(given, name) for name in names}
    return {"": given}


class SeriesLines(MatchingWidget, PinnedCells):
    """A widget over a recording that shows channels, outputs, cells and tracks as lines."""

    channels = traitlets.Tuple(
        default_value=None,
        allow_none=True,
        help="The names of the channels that are shown; None: all.",
    ).tag(sync=True)
    outputs = traitlets.Tuple(
        default_value=None,
        allow_none=True,
        help="The names of the outputs that are shown; None: all.",
    ).tag(sync=True)
    arrange = traitlets.Enum(
        ARRANGEMENTS, "bands", help="A band a line, all in one, or a band an example."
    ).tag(sync=True)
    subject = traitlets.Unicode(
        None, allow_none=True, help="Which line each example is shown with; None: the first output."
    ).tag(sync=True)

    probe = traitlets.Any(help="What a probe reads of the tracks, which is drawn over them.")

    #: What stands behind the lines of channels: by variant, of one recording by the name "".
    _placed: Mapping[str, SeriesRelevance] = MappingProxyType({})

    def _lines_of(self, recording: Recording, variant: str) -> Lines:
        """Give all lines of a recording, those of tracks among them."""
        read, placed = self._read(variant), self._placed.get(variant)
        levels = partial(tiles_of, recording)
        return Lines(recording, self._said, read, placed, levels=levels)

    def _described(self, every: Sequence[Lines]) -> dict[str, Any]:
        """Tell also, by variant, how well a probe reads tracks."""
        found = super()._described(every)
        if self._several is not None and self.probe is not None:
            for layer, tracks in every[0].said.items():
                for track, told in zip(tracks, found["tracks"][layer], strict=True):
                    read = [lines.told(layer, track.name) for lines in every]
                    told["read"] = (
                        None if None in read else dict(zip(self._several.names, read, strict=True))
                    )
        return found

    def _say(self, said: dict[str, tuple[Track, ...]]) -> None:
        super()._say(said)
        self._lines = None
        if self._axes:
            self._tell()

    def _read(self, variant: str) -> dict[tuple[str, str], Readout]:
        """Give what the probe of a variant reads of tracks, by layer and name."""
        if self.probe is None:
            return {}
        probe = probes_of(self.probe)[variant]
        part = self._current.directions(probe.layer)[0]
        found = readouts(probe)
        return {(part, t.name): found[t.name] for t in self._said.get(part, ()) if t.name in found}

    @traitlets.validate("probe")
    def _check_probe(self, proposal: dict[str, Any]) -> Any:  # noqa: ANN401 - one, or one of each variant
        given = proposal["value"]
        if given is None:
            return None
        every = probes_of(given)
        names = ("",) if self._several is None else self._several.names
        if any(not isinstance(probe, Probe) for probe in every.values()):
            what = " or a dict of such by variant" if self._several is not None else ""
            kinds = ", ".join(dict.fromkeys(type(probe).__name__ for probe in every.values()))
            raise traitlets.TraitError(
                f"probe: expected what lstm_widgets.probe() returned{what}, got {kinds}"
            )
        if self._several is None and [*every] != [""]:
            raise traitlets.TraitError(
                "probe: expected one of a single recording, got one of variants; "
                "probe(variants[name], ...) gives that of one"
            )
        missing = [name for name in names if name not in every]
        if missing:
            raise traitlets.TraitError(
                "probe: expected that of every variant, as probe(variants, ...) gives it, or a dict of one "
                f"for each; got none of {', '.join(map(repr, missing))}"
            )
        said = {(every[name].layer, *map(str, every[name].prediction.data_vars)) for name in names}
        if len(said) > 1:
            raise traitlets.TraitError(
                "probe: expected the same layer and concepts in all variants, got "
                + "; ".join(f"{layer!r}: {', '.join(names)}" for layer, *names in sorted(said))
            )
        for name in names:
            self._expect_shape(every[name])
        return given

    def _expect_shape(self, probe: Probe) -> None:
        sizes = self._sizes(probe.layer) if probe.layer in self._names else {}
        wanted = tuple(sizes.get(name) for name in ("example", "timestep"))
        shape = tuple(probe.prediction.sizes[name] for name in ("example", "timestep"))
        if shape != wanted:
            raise traitlets.TraitError(
                f"probe: expected one of this recording; that of layer {probe.layer!r} has "
                f"{shape} (example, timestep), the recording {wanted}"
            )

    @traitlets.observe("probe")
    def _on_probe(self, _change: dict[str, Any]) -> None:
        self._say(self._said)

    @property
    def _subjects(self) -> list[Subject]:
        """Every line that can be shown."""
        return subjects_of(self._drawn, self.layer, self.signal, self._cells_shown)

    def _shows(self, subject: Subject) -> bool:
        if subject.kind == "track":
            return subject.name not in self.hidden_tracks
        chosen = {"channel": self.channels, "output": self.outputs}.get(subject.kind)
        return chosen is None or subject.name in chosen

    @traitlets.validate("channels", "outputs")
    def _check_names(self, proposal: dict[str, Any]) -> tuple[str, ...]:
        trait, names = proposal["trait"].name, tuple(proposal["value"])
        lines = self._drawn
        known = [name for name, _ in lines.channels]
        if trait == "outputs":
            known = [one.name for one in lines.outputs]
        wrong = [name for name in names if name not in known]
        if wrong or len(set(names)) < len(names):
            there = ", ".join(map(repr, known)) or "none: the recording has no such series"
            raise traitlets.TraitError(
                f"{trait}: expected different ones of {there}; got {names!r}"
            )
        return names

    @traitlets.validate("subject")
    def _check_subject(self, proposal: dict[str, Any]) -> str:
        subject: str = proposal["value"]
        if self.layer in self._names:
            known = dict.fromkeys(
                ["cell", *(one.name for one in self._subjects if one.kind != "cell")]
            )
            if subject not in known:
                raise traitlets.TraitError(
                    f"subject: expected {', '.join(map(repr, known))} or None, got {subject!r}"
                )
        return subject

    def _draw_lines(self, sheet: Sheet, shown: Snapshot, most: int) -> None:
        """Draw them as they are arranged."""
        subjects = [one for one in self._subjects if self._shows(one)]
        span = self.span if self._span_example == self.example else None
        if self.arrange == "examples":
            rows = [
                Row(self._label(example), example, [self._subject_of_examples])
                for example in range(self._examples)
            ]
            span = self.span
        elif self.arrange == "overlaid":
            rows = [Row("", self.example, subjects)] if subjects else []
        else:
            rows = [Row(one.name, self.example, [one]) for one in subjects]
        series(sheet, shown, self._drawn, rows, span=span, most=most, behind=self._behind)

    @property
    def _behind(self) -> Behind | None:
        """The relevance behind the lines of channels."""
        return None

    def _label(self, example: int) -> str:
        labels = self._drawn.labels
        return f"example {example}" if labels is None else labels[example]

    @property
    def _subject_of_examples(self) -> Subject:
        every = self._subjects
        if self.subject is not None:
            for one in every:
                if self.subject in (one.name, one.kind) and (
                    self.subject == one.name or one.kind == "cell"
                ):
                    return one
        kinds = [one.kind for one in every]
        return every[kinds.index("output" if "output" in kinds else "cell")]
