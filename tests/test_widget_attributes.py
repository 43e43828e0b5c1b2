"""What is set on a widget is one of its traits, or an error that says which there are."""

from __future__ import annotations

import keras
import numpy as np
import pandas as pd
import pytest
import traitlets
from keras import layers as L

import lstm_widgets as lw

TEXT, SYMBOLS = "abcabca", "abc"


@pytest.fixture(scope="module")
def model():
    keras.utils.set_random_seed(3)
    return keras.Sequential(
        [
            keras.Input((None,), dtype="int32"),
            L.Embedding(3, 2),
            L.LSTM(4, return_sequences=True, name="lstm"),
            L.Dense(3, activation="softmax"),
        ]
    )


@pytest.fixture(scope="module")
def recording(model):
    return lw.record(model, TEXT, vocabulary=SYMBOLS)


def every_widget(model, recording):
    ids = np.array([[0, 1, 2, 0, 1]])
    ranking = lw.rank_cells(recording, {"a": "a"}, shifts=5)
    return [
        *(kind(recording) for kind in (lw.CellGrid, lw.TextHeatmap, lw.GateInspector)),
        *(kind(recording) for kind in (lw.ExampleGrid, lw.Explorer, lw.SeriesPlot)),
        lw.StateSpace(recording),
        lw.CellComparison(lw.compare_cells(recording, recording, shifts=0), recording, recording),
        lw.CellFinder(recording, {"a": "a"}, ranking=ranking),
        lw.WhatIf(model, TEXT, vocabulary=SYMBOLS),
        lw.RelevanceHeatmap(lw.relevance(model, ids, at=4)),
        lw.DependencyHeatmap(lw.dependency(model, ids)),
    ]


def test_unknown_attributes_are_errors_that_help(model, recording):
    public = {name for name in dir(lw) if name[0].isupper() and hasattr(getattr(lw, name), "_esm")}
    widgets = every_widget(model, recording)
    assert {type(widget).__name__ for widget in widgets} == public
    for widget in widgets:
        with pytest.raises(AttributeError, match="has no attribute 'exampel' to set; did you mean"):
            widget.exampel = 0
        with pytest.raises(AttributeError, match=r"expected one of: .*example") as error:
            widget.nothing_like_it = 0
        assert "did you mean" not in str(error.value)
        assert "comm" not in str(error.value)
        assert not hasattr(widget, "nothing_like_it")
        for name in type(widget)._shown:
            shown = getattr(widget, name)
            with pytest.raises(AttributeError, match=f"{name}: expected to stay the one that the"):
                setattr(widget, name, shown)
            assert getattr(widget, name) is shown
        widget.example = 0
        widget.layout.width = "50%"


def test_a_misspelt_threshold_is_named(recording):
    grid = lw.CellGrid(recording)
    with pytest.raises(AttributeError, match="did you mean 'threshold'"):
        grid.treshold = 0.5
    assert grid.threshold == 0


def test_unknown_keywords_are_errors_before_anything_runs(model, recording, monkeypatch):
    ids = np.array([[0, 1, 2, 0, 1]])
    relevance, dependency = lw.relevance(model, ids, at=4), lw.dependency(model, ids)
    ran = []
    monkeypatch.setattr(type(model), "call", lambda *_, **__: ran.append(1))
    monkeypatch.setattr(
        "lstm_widgets.widgets.cell_finder.rank_cells", lambda *_, **__: ran.append(1)
    )
    for make in (
        *(
            lambda kind=kind: kind(recording, exampel=1)
            for kind in (lw.CellGrid, lw.TextHeatmap, lw.GateInspector, lw.ExampleGrid, lw.Explorer)
        ),
        lambda: lw.CellFinder(recording, {"a": "a"}, exampel=1),
        lambda: lw.WhatIf(model, TEXT, vocabulary=SYMBOLS, exampel=1),
        lambda: lw.RelevanceHeatmap(relevance, exampel=1),
        lambda: lw.DependencyHeatmap(dependency, exampel=1),
    ):
        with pytest.raises(TypeError, match="keyword argument 'exampel'; did you mean 'example'"):
            make()
    assert not ran


def test_numbers_of_arrays_are_numbers(recording):
    cells = pd.DataFrame({"cell": [3, 1]})["cell"]
    grid = lw.CellGrid(recording, cell=cells[0], timestep=np.array(2), threshold=np.float32(0.5))
    assert (grid.cell, grid.timestep, grid.threshold) == (3, 2, 0.5)
    grid.cell = cells[1]
    grid.scale = (np.float32(-0.5), np.float64(0.5))
    assert (grid.cell, grid.scale) == (1, (-0.5, 0.5))
    assert type(grid.cell) is int
    with pytest.raises(traitlets.TraitError, match="'cell' trait"):
        grid.cell = np.float64(1.5)
