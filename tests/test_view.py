"""What is seen as a value: keywords that make the same widget again."""

from __future__ import annotations

import pytest
from test_figures import MADE

import lstm_widgets as lw

#: What each is made of, beside what its view has.
GIVEN = {
    "DependencyHeatmap": lambda one: {"dependency": one.dependency},
    "RelevanceHeatmap": lambda one: {"relevance": one.relevance, "targets": [0, 1] * 3},
    "CellFinder": lambda one: {"recording": one.recording, "ranking": one.ranking},
    "CellComparison": lambda one: dict(
        zip(
            ("comparison", "a", "b"),
            (one.comparison, one.a.recording, one.b.recording),
            strict=True,
        )
    ),
}
CHANGED = {"palette": "viridis", "threshold": 0.25, "scale": (-0.5, 1.0), "example": 0, "cell": 1}


@pytest.mark.parametrize("name", sorted({*MADE} - {"WhatIf"}))
def test_a_view_makes_the_same_widget(name):
    one = MADE[name]()
    if name == "CellFinder":
        one.row = 1
    for trait, value in CHANGED.items():
        if one.has_trait(trait) and not (name == "DependencyHeatmap" and trait == "scale"):
            setattr(one, trait, value)
    kind = getattr(lw, name)
    given = GIVEN.get(name, lambda one: {"recording": one.recording})(one)
    other = kind(**given, **one.view)
    assert other.view == one.view
    assert "layout" not in one.view
    assert one.view["palette"] == "viridis"
    figures = [widget._sheet(7.2, "light").words for widget in (one, other)]
    assert figures[0] == figures[1]


def test_the_page_is_told_how_python_makes_it():
    calls = {name: make()._made["call"] for name, make in MADE.items()}
    assert calls["CellGrid"] == "lw.CellGrid(recording"
    assert calls["CellFinder"] == "lw.CellFinder(recording, ranking=ranking"
    assert calls["WhatIf"] == "lw.WhatIf(model, vocabulary=vocabulary"
    assert calls["RelevanceHeatmap"] == "lw.RelevanceHeatmap(relevance"
    traits = MADE["CellGrid"]()._made["traits"]
    assert traits["palette"] == "auto"
    assert traits["span"] is None
    assert not {"layout", "tracks"} & set(traits)
