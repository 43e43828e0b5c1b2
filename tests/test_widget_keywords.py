"""Keywords of widgets: the traits themselves, as type checkers and editors are told of them."""

from __future__ import annotations

import inspect
from collections.abc import Mapping, Sequence
from typing import Any, Literal, get_args, get_origin, get_type_hints

import pytest
import recordings
import traitlets

import lstm_widgets as lw
from lstm_widgets.analysis.probes.result import Probe
from lstm_widgets.concepts import Concepts
from lstm_widgets.widgets import keywords

WIDGETS = {
    lw.CellComparison: keywords.CellKeywords,
    lw.CellFinder: keywords.CellFinderKeywords,
    lw.CellGrid: keywords.CellGridKeywords,
    lw.DependencyHeatmap: keywords.DependencyHeatmapKeywords,
    lw.ExampleGrid: keywords.ExampleGridKeywords,
    lw.Explorer: keywords.ExplorerKeywords,
    lw.GateInspector: keywords.RecordingKeywords,
    lw.RelevanceHeatmap: keywords.RelevanceHeatmapKeywords,
    lw.SeriesPlot: keywords.SeriesPlotKeywords,
    lw.StateSpace: keywords.StateSpaceKeywords,
    lw.TextHeatmap: keywords.TextHeatmapKeywords,
    lw.WhatIf: keywords.TextHeatmapKeywords,
}
PLAIN = {traitlets.Int: int, traitlets.Float: float, traitlets.Bool: bool, traitlets.Unicode: str}


def hints(kind: type) -> dict[str, Any]:
    names = {"Concepts": Concepts, "Mapping": Mapping, "Probe": Probe, "Sequence": Sequence}
    return get_type_hints(WIDGETS[kind], localns=names)


def fits(trait: traitlets.TraitType[Any, Any], hint: Any) -> bool:
    """Whether a type says what a trait takes."""
    if type(trait) is traitlets.Any:  # which has a check of its own
        return True
    if trait.allow_none:
        assert type(None) in get_args(hint)
        (hint,) = (part for part in get_args(hint) if part is not type(None))
    if isinstance(trait, traitlets.Union):
        parts = get_args(hint)
        assert len(parts) == len(trait.trait_types)
        return all(map(fits, trait.trait_types, parts))
    if isinstance(trait, traitlets.Enum):
        # Of palettes, which come from a table, there is no list of literals.
        return hint is str or get_args(hint) == tuple(trait.values)
    if isinstance(trait, traitlets.Tuple):
        return get_origin(hint) is tuple or get_origin(hint).__name__ == "Sequence"
    return type(trait) not in PLAIN or hint is PLAIN[type(trait)]


@pytest.mark.parametrize("kind", WIDGETS, ids=lambda kind: kind.__name__)
def test_types_are_those_of_the_traits(kind: Any) -> None:
    explicit = inspect.signature(kind.__init__).parameters
    typed, traits = hints(kind), kind._public_traits()
    assert typed.keys() - explicit.keys() == traits.keys() - explicit.keys()
    for name, hint in typed.items():
        assert fits(traits[name], hint), (name, hint)


@pytest.mark.parametrize("kind", WIDGETS, ids=lambda kind: kind.__name__)
def test_editors_are_told_all_keywords(kind: Any) -> None:
    signature = inspect.signature(kind)
    assert {*kind._public_traits()} <= signature.parameters.keys()
    kinds = {one.kind for one in signature.parameters.values()}
    assert inspect.Parameter.VAR_KEYWORD not in kinds
    assert signature.parameters["layout"].default is None


def test_every_public_widget_is_here() -> None:
    public = {getattr(lw, name) for name in dir(lw) if hasattr(getattr(lw, name), "_esm")}
    assert {*WIDGETS} == public


def test_a_literal_that_no_trait_takes_is_seen() -> None:
    assert not fits(traitlets.Enum(("a", "b")), Literal["a"])
    assert not fits(traitlets.Int(), str)


@pytest.mark.parametrize(
    "kind",
    [lw.SeriesPlot, lw.Explorer, lw.CellGrid, lw.TextHeatmap],
    ids=lambda kind: kind.__name__,
)
def test_what_is_none_by_default_can_be_given_as_that(kind: Any) -> None:
    recording = recordings.rivers(days=100)
    names = [name for name, one in kind._public_traits().items() if one.allow_none]
    assert {"span", "tracks"} <= {*names}
    widget = kind(recording, **dict.fromkeys(names))
    assert {name: getattr(widget, name) for name in names} == dict.fromkeys(names)
