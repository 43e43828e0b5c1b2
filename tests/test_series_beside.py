"""The series beside the signals in every widget over a recording: in the page where small, else asked for."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

import lstm_widgets as lw
from lstm_widgets.recording import RecordedLayer, RecordedSeries, Recording
from lstm_widgets.recording.times import standard_times
from lstm_widgets.widgets import recording_widget
from lstm_widgets.widgets.page import export

WIDGETS = [lw.CellGrid, lw.GateInspector, lw.ExampleGrid, lw.TextHeatmap, lw.Explorer]


def river(timesteps=700, *, seed=6, start="2001-01-01", channels=("rain", "temperature")):
    rng = np.random.default_rng(seed)
    times = standard_times(pd.date_range(start, periods=timesteps), 1, timesteps)
    values = rng.normal(size=(1, timesteps, 3)).astype(np.float32)
    layer = RecordedLayer(
        "lstm", "LSTM", {"hidden_state": values, "cell_state": values}, times=times
    )
    read = rng.normal(size=(1, timesteps, 2)).astype(np.float32)
    inputs = RecordedSeries(read, channels, ("mm", "°C"), times)
    return Recording.from_layers([layer], inputs=inputs)


@pytest.mark.parametrize("make", WIDGETS)
def test_a_small_series_is_in_the_page(make):
    recording = river()
    widget = make(recording)
    names = [(one["name"], one["unit"]) for one in widget._beside["channels"]]
    assert names == [("rain", "mm"), ("temperature", "°C")]
    assert [key[:2] for key in widget._series["keys"]] == [["channel", 0], ["channel", 1]]
    sent = np.frombuffer(widget._series_values, np.float32).reshape(2, 700)
    assert np.array_equal(sent, recording.inputs[0].to_numpy().T)


@pytest.mark.parametrize("make", WIDGETS)
def test_another_recording_brings_its_own_series(make):
    widget, other = make(river()), river(seed=7, start="2011-01-01", channels=("snow", "wind"))
    before = widget._axes["lstm"]["runs"]
    widget._replace(other)
    assert [one["name"] for one in widget._beside["channels"]] == ["snow", "wind"]
    sent = np.frombuffer(widget._series_values, np.float32).reshape(2, 700)
    assert np.array_equal(sent, other.inputs[0].to_numpy().T)
    first = np.datetime64("2011-01-01", "ms").astype(int)
    assert widget._axes["lstm"]["runs"][0][0][0] == first != before[0][0][0]
    asked = [[["channel", 1, "", ""], 0, 0, 0], [["cell", 2, "lstm", "cell_state"], 0, 0, 0]]
    _, buffers = widget._answer({"id": "1", "lines": asked})
    expected = [other.inputs[0, :512, 1], other["lstm"].cell_state[0, :512, 2]]
    for buffer, values in zip(buffers, expected, strict=True):
        assert np.array_equal(np.frombuffer(buffer, np.float32), values)


@pytest.mark.parametrize("make", WIDGETS)
def test_of_a_large_one_what_is_asked_for_is_given(make, monkeypatch):
    monkeypatch.setattr(recording_widget, "WHOLE_BYTES", 100)
    recording = river()
    widget = make(recording)
    assert widget._series["keys"] == []
    assert widget._series_values == b""
    asked = [[["channel", 1, "", ""], 0, 0, 1], [["channel", 1, "", ""], 0, 2, 0]]
    reply, buffers = widget._answer({"id": "7", "lines": asked})
    assert reply["lines"] == asked
    line = recording.inputs[0, :, 1].to_numpy()
    assert np.array_equal(np.frombuffer(buffers[0], np.float32), line[512:])
    low, high = np.frombuffer(buffers[1], np.float32).reshape(2, -1)
    parts = [line[start : start + 16] for start in range(0, 700, 16)]
    assert low.tolist() == [part.min() for part in parts]
    assert high.tolist() == [part.max() for part in parts]
    # A file asks nobody: it has all of it.
    state = widget._file_state().traits
    assert len(state["_series_values"]) == 4 * 2 * 700


def test_a_file_tells_what_it_had_no_room_for(monkeypatch):
    recording = river()
    grid = lw.CellGrid(recording)
    monkeypatch.setattr(export, "FILE_BYTES", 4 * 3 * 700 * 2)
    assert grid._file_state().missing == []
    monkeypatch.setattr(export, "FILE_BYTES", 4 * 2 * 700 - 1)
    state = grid._file_state(exact=False)
    assert "the series that were read" in state.missing
    # Cells are there, and times: lines of them are drawn.
    assert state.traits["_beside"]["channels"] == []
    assert not {"_axes", "_series"} & set(state.traits)


def test_a_text_has_no_series():
    tokens = np.array([[*"abc"]], object)
    layer = RecordedLayer(
        "lstm", "LSTM", {"hidden_state": np.zeros((1, 3, 2), np.float32)}, tokens=tokens
    )
    explorer = lw.Explorer(Recording.from_layers([layer]))
    assert explorer._axes == explorer._beside == {}
    assert explorer.channels is None


def test_the_explorer_starts_with_channels_above_the_grid_alone():
    recording = river()
    assert lw.Explorer(recording).channels == ()
    assert lw.Explorer(recording, channels=("rain",)).channels == ("rain",)
    with pytest.raises(Exception, match="channels: expected different ones of 'rain'"):
        lw.Explorer(recording, channels=("snow",))
    told = {"warm": np.arange(700.0)[None]}
    explorer = lw.Explorer(recording, tracks=told)
    assert [one["name"] for one in explorer._beside["tracks"]["lstm"]] == ["warm"]
    assert [track["name"] for track in explorer._tracks["lstm"]] == ["warm"]
