"""SeriesPlot in Python: what it takes, what it sends, what a file holds, and its picture."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest
import recordings
import traitlets
from recordings import rivers

import lstm_widgets as lw
from lstm_widgets.figures import artist
from lstm_widgets.figures.sheet import Sheet
from lstm_widgets.recording import RecordedLayer, RecordedSeries, Recording, Times
from lstm_widgets.views.line import Line
from lstm_widgets.views.lines import Key
from lstm_widgets.widgets import recording_widget
from lstm_widgets.widgets.page import export


def unpacked(widget):
    """Give what the page has of each line, by its key: float32 (example, timestep)."""
    values = np.frombuffer(widget._series_values, np.float32)
    first, stop = widget._series["examples"]
    found, at = {}, 0
    for key in map(tuple, widget._series["keys"]):
        count = widget._axes[key[2]]["count"]
        size = count * (stop - first)
        found[key] = values[at : at + size].reshape(stop - first, count)
        at += size
    assert at == len(values)
    return found


@pytest.fixture
def large(monkeypatch):
    """Make a recording that doesn't travel whole."""
    monkeypatch.setattr(recording_widget, "WHOLE_BYTES", 100)
    monkeypatch.setattr("lstm_widgets.widgets.page.state.WHOLE_BYTES", 100)
    return rivers(days=5000)


def test_a_small_recording_travels_whole():
    recording = rivers()
    flood = recordings.flooded()
    widget = lw.SeriesPlot(recording, tracks={"flood": flood, "twice": 2.0 * flood})
    found = unpacked(widget)
    assert widget._whole
    assert widget._summary["lines"] == []
    for i, name in enumerate(("rain", "temperature")):
        expected = recording.inputs.sel(channel=name).values
        np.testing.assert_array_equal(found["channel", i, "", ""], expected)
    np.testing.assert_array_equal(found["target", 0, "", ""], recording.targets[..., 0])
    np.testing.assert_array_equal(found["output", 0, "", ""], recording.outputs[..., 0])
    known = np.where(recording["lstm"].mask, flood, np.nan)
    np.testing.assert_array_equal(found["track", 0, "lstm", ""], known)
    np.testing.assert_array_equal(found["track", 1, "lstm", ""], 2 * known)
    told = widget._beside
    assert told["channels"][1] == {"name": "temperature", "unit": "°C"}
    assert told["tracks"]["lstm"][0] == {"name": "flood", "yes_no": True, "read": None}
    assert told["labels"] == ["Inn", "Elbe"]
    assert widget._axes["lstm"]["padding"] == [[[0, recordings.BEFORE]]] * 2


def test_of_a_large_one_the_page_gets_the_coarsest_level_of_what_is_shown(large):
    widget = lw.SeriesPlot(large, cell=3, cells=(1,), channels=("rain",), example=1)
    assert widget._whole == widget._series_values == b""
    asked = [(Key(*key), example, level) for key, example, level, _ in widget._summary["lines"]]
    assert [key[:2] for key, _, _ in asked] == [
        ("channel", 0),
        ("target", 0),
        ("output", 0),
        ("cell", 3),
        ("cell", 1),
    ]
    sent = np.frombuffer(widget._overview, np.float32)
    at = 0
    for key, example, level in asked:
        assert example == 1
        expected = Line(widget._drawn.values(key, 1)).level(level)
        np.testing.assert_array_equal(sent[at : at + expected.size].reshape(2, -1), expected)
        at += expected.size
    assert at == len(sent)


def test_requests_are_answered_with_exact_values(large):
    widget = lw.SeriesPlot(large)
    sent = []
    widget.send = lambda *message: sent.append(message)
    keys = [["channel", 0, "", ""], ["cell", 2, "lstm", "cell_state"]]
    lines = [[keys[0], 0, 0, 3], [keys[1], 1, 2, 0]]
    content = {"id": "7", "lines": lines, "largest": ["lstm", "cell_state"]}
    widget._on_message(widget, content, [])
    ((reply, buffers),) = sent
    assert (reply["id"], reply["lines"]) == ("7", lines)
    exact = np.frombuffer(buffers[0], np.float32)
    np.testing.assert_array_equal(exact, large.inputs[0, 3 * 512 : 4 * 512, 0])
    low, high = np.frombuffer(buffers[1], np.float32).reshape(2, -1)
    state = large["lstm"].cell_state[1, :, 2].values
    assert np.nanmin(low) == np.nanmin(state)
    assert np.nanmax(high) == np.nanmax(state)
    assert reply["largest"][2] == np.abs(np.nan_to_num(large["lstm"].cell_state)).max()


def test_a_request_that_no_page_sends_is_answered_with_its_error(large):
    widget = lw.SeriesPlot(large)
    sent = []
    widget.send = lambda *message: sent.append(message)
    widget._on_message(widget, {"id": "1", "lines": [[["channel", 9, "", ""], 0, 0, 0]]}, [])
    assert sent[0][0]["id"] == "1"
    assert "IndexError" in sent[0][0]["error"]


@pytest.mark.parametrize(
    ("trait", "value", "told"),
    [
        ("channels", ("snow",), r"channels: expected different ones of 'rain', 'temperature'"),
        ("channels", ("rain", "rain"), r"got \('rain', 'rain'\)"),
        ("outputs", ("rain",), r"outputs: expected different ones of 'flow'"),
        ("arrange", "heap", "heap"),
        ("subject", "snow", "subject: expected 'cell', 'rain', 'temperature', 'flow'"),
        ("cells", (1, 1), "cells: expected different cells from 0 to 5"),
        ("span", (5, 5), "span: expected"),
        ("example", 2, "example: expected 0 to 1"),
    ],
)
def test_what_can_not_be_is_refused_by_name(trait, value, told):
    with pytest.raises(traitlets.TraitError, match=told):
        lw.SeriesPlot(rivers(), **{trait: value})
    widget = lw.SeriesPlot(rivers())
    before = getattr(widget, trait)
    with pytest.raises(traitlets.TraitError, match=told):
        setattr(widget, trait, value)
    assert getattr(widget, trait) == before


def test_a_recording_without_series_has_its_cells():
    text = recordings.prose()
    widget = lw.SeriesPlot(text, cell=2, tracks=[lw.concepts.vowel])
    assert set(widget._axes) == {"lstm"}
    assert [key[0] for key in unpacked(widget)] == ["track"]
    with pytest.raises(traitlets.TraitError, match="none: the recording has no such series"):
        widget.channels = ("rain",)
    assert widget._still().any()


def test_other_tracks_are_other_lines():
    widget = lw.SeriesPlot(rivers(), tracks={"flood": recordings.flooded()})
    assert ("track", 0, "lstm", "") in unpacked(widget)
    widget.tracks = None
    assert widget._beside["tracks"] == {}
    assert not any(kind == "track" for kind, *_ in unpacked(widget))


def test_what_a_probe_reads_is_drawn_over_what_is_so():
    recording = rivers()
    told = {"flow": recording.targets.values[..., 0].astype(float), "flood": recordings.flooded()}
    probe = lw.probe(recording, told, layer="lstm", signal="cell_state", shifts=2, seed=0)
    widget = lw.SeriesPlot(recording, tracks={**told, "other": told["flow"]}, probe=probe)
    found = unpacked(widget)
    for i, name in enumerate(told):
        expected = probe.prediction[name].values.astype(np.float32)
        np.testing.assert_array_equal(found["readout", i, "lstm", ""], expected)
    assert ("readout", 2, "lstm", "") not in found
    flow, flood, other = widget._beside["tracks"]["lstm"]
    table = probe.table.set_index(["concept", "protocol"])["score"]
    assert flow["read"].startswith(
        f"read from 6 cells, held out: R² {table['flow', 'whole state']:.2f} · best cell "
    )
    assert "AUROC" in flood["read"]
    assert other["read"] is None
    words = {word.text for word in sheet(widget, 12).words}
    assert flow["read"].replace("-", "−") in words
    widget.probe = None
    assert not any(kind == "readout" for kind, *_ in unpacked(widget))
    with pytest.raises(traitlets.TraitError, match=r"probe: expected what lstm_widgets.probe\(\)"):
        widget.probe = probe.table
    with pytest.raises(traitlets.TraitError, match=r"has \(2, 1500\).* the recording \(2, 1400\)"):
        lw.SeriesPlot(rivers(days=1400), probe=probe)


@pytest.mark.parametrize("irregular", [False, True])
def test_examples_have_times_of_their_own(irregular):
    rng = np.random.default_rng(1)
    days = (
        rng.integers(1, 5, (3, 200)).cumsum(axis=1)
        if irregular
        else np.arange(200) + np.arange(3)[:, None]
    )
    times = Times(np.datetime64("2001-01-01", "ns") + days * np.timedelta64(1, "D"))
    values = rng.normal(size=(3, 200, 2)).astype(np.float32)
    recording = Recording.from_layers(
        [RecordedLayer("lstm", "LSTM", {"hidden_state": values}, times=times)],
        inputs=RecordedSeries(values, ("a", "b"), ("", ""), times),
    )
    widget = lw.SeriesPlot(recording)
    axis = widget._axes[""]
    assert axis["count"] == 200
    for example in range(3):
        expected = times.values[example].astype("M8[ms]").astype(float)
        np.testing.assert_array_equal(widget._drawn.places("", example), expected)
        if "at" in axis:
            start, stop = axis["at"][example]
            packed = np.frombuffer(widget._axis_values[start:stop], np.float64)
            found = packed[1:]
        else:
            found = np.concatenate([a + b * np.arange(n) for a, b, n in axis["runs"][example]])
        if "at" not in axis or packed[0] == 0:
            np.testing.assert_array_equal(found, expected)
    assert widget._still().any()


# -- files -----------------------------------------------------------------------------------------


def test_a_file_has_all_of_a_recording_that_fits(large):
    widget = lw.SeriesPlot(large)
    state, missing, rounded, *_ = widget._file_state(exact=True)
    assert not missing
    assert not rounded
    assert len(state["_whole"]) > large["lstm"].cell_state.size * 4
    assert len(state["_series"]["keys"]) == 4
    assert state["_overview"] == b""


def test_else_it_has_the_lines_that_are_shown(large, monkeypatch):
    monkeypatch.setattr(export, "FILE_BYTES", 250_000)
    widget = lw.SeriesPlot(large, cell=2, channels=("rain",))
    state, missing, *_ = widget._file_state(exact=True)
    assert state["_whole"] == b""
    kinds = [(kind, index) for kind, index, *_ in state["_series"]["keys"]]
    assert kinds == [("channel", 0), ("target", 0), ("output", 0), ("cell", 2)]
    assert state["_series"]["examples"] == [0, 2]
    assert missing == ["all but the 4 lines that were shown"]
    monkeypatch.setattr(export, "FILE_BYTES", 100_000)
    state, missing, *_ = widget._file_state(exact=True)
    assert state["_series"]["examples"] == [0, 1]
    assert missing[1] == "other examples"
    monkeypatch.setattr(export, "FILE_BYTES", 50_000)
    with pytest.raises(ValueError, match=r"the 4 lines shown take 0\.1 MiB.*Show fewer: channels="):
        widget._file_state(exact=True)


# -- pictures --------------------------------------------------------------------------------------


def sheet(widget, inches=7.2):
    return widget._sheet(inches, "light")


def test_a_figure_names_lines_units_ranges_and_values():
    recording = rivers()
    widget = lw.SeriesPlot(recording, signal="cell_state", cell=1, timestep=800)
    words = {word.text for word in sheet(widget).words}
    assert {"rain", "mm", "temperature", "°C", "flow", "cell 1", "cell state"} <= words
    assert {"500", "2002", "2003"} <= words
    value = float(recording["lstm"].cell_state[0, 800, 1])
    assert f"{value:.4f}" in words
    assert f"{float(recording.inputs[0, 800, 0]):.4f}" in words


def test_a_figure_of_a_span_shows_the_span():
    widget = lw.SeriesPlot(rivers(), span=(770, 790), timestep=775)
    words = {word.text for word in sheet(widget).words}
    assert any(word.endswith("Feb 2003") for word in words)
    assert "2003" not in words
    strokes = sheet(widget).strokes
    assert max(len(stroke.points) for stroke in strokes) == 20


def test_in_a_figure_a_gap_is_a_gap_and_a_spike_is_seen():
    drawn = sheet(lw.SeriesPlot(rivers(days=9000)))
    rain, warm = drawn.strokes[:2]
    assert np.isfinite(rain.points).all()
    missing = np.isnan(warm.points[:, 1])
    assert 2 <= missing.sum() <= 20
    top = rain.points[:, 1].min()
    assert (rain.points[:, 1] == top).sum() == 1
    assert np.sort(rain.points[:, 1])[1] - top > 10


def test_in_a_figure_a_cell_ends_where_its_example_does():
    values = np.random.default_rng(1).normal(size=(2, 40, 1)).astype(np.float32)
    mask = np.arange(40) < np.array([[40], [25]])
    layer = RecordedLayer("lstm", "LSTM", {"hidden_state": values}, mask)
    read = np.where(mask[..., None], values, np.nan).astype(np.float32)
    recording = Recording.from_layers([layer], inputs=RecordedSeries(read, ("rain",), ("mm",)))
    drawn = sheet(lw.SeriesPlot(recording, example=1))
    channel, cell = (np.isfinite(stroke.points[:, 1]) for stroke in drawn.strokes)
    assert channel.tolist() == cell.tolist() == mask[1].tolist()


@pytest.mark.parametrize("each", [1, 100])
def test_in_a_figure_a_line_breaks_where_timesteps_are_missing(each):
    # Of 120 days, or as many hundreds, the sixth ten.
    days = np.delete(np.arange(120 * each), slice(50 * each, 60 * each))
    times = Times(np.datetime64("2001-01-01", "ns") + days * np.timedelta64(1, "D"))
    values = (1 + np.arange(len(days), dtype=np.float32) % 3)[None, :, None]
    layer = RecordedLayer("lstm", "LSTM", {"hidden_state": values}, times=times)
    inputs = RecordedSeries(values, ("rain",), ("mm",), times)
    drawn = sheet(lw.SeriesPlot(Recording.from_layers([layer], inputs=inputs)))
    for stroke in drawn.strokes:
        x, y = stroke.points.T
        (gap,) = np.flatnonzero(np.isnan(y))
        before, after = x[gap - 1], x[gap + 1]
        room = x[-1] - x[0]
        assert (before - x[0]) / room == pytest.approx(50 / 120, abs=0.02)
        assert (after - x[0]) / room == pytest.approx(60 / 120, abs=0.02)
    # Nor is what lies between the cell and zero filled there.
    (area,) = (boxes for _, boxes, _ in drawn.fills if len(boxes) > 50)
    inside = (area[:, 2] > before + 1.5) & (area[:, 0] < after - 1.5)
    assert not inside.any()


def test_in_a_figure_a_value_alone_between_two_gaps_is_a_dot():
    sheet = Sheet(100)
    points = np.array([[10, 20], [30, np.nan], [50, 30], [70, np.nan], [80, 10], [90, 10]], float)
    sheet.stroke(points, 3, (0, 0, 0))
    sheet.box((0, 0, 1, 1), sheet.theme.background)
    sheet.end(50)
    dark = artist.pixels(sheet).max(axis=2) < 100
    for x, y in points[[0, 2, 4]].astype(int):
        assert dark[y : y + 3, x - 1 : x + 2].any(), (x, y)
    assert not dark[:, [30, 70]].any()


@pytest.mark.parametrize("arrange", ["bands", "overlaid", "examples"])
@pytest.mark.parametrize("theme", ["light", "dark"])
def test_every_arrangement_has_a_figure(arrange, theme):
    widget = lw.SeriesPlot(
        rivers(), cells=(1, 2), arrange=arrange, tracks={"flood": recordings.flooded()}
    )
    for width in ("column", "page"):
        drawn = widget.figure(width=width, theme=theme)
        assert drawn.get_figheight() < 8
    assert ("Elbe" in {word.text for word in sheet(widget).words}) == (arrange == "examples")


def test_one_timestep_nothing_at_all_and_nothing_but_gaps_are_drawn():
    one = rivers(days=61)
    assert lw.SeriesPlot(one, span=(60, 61), timestep=60)._still().any()
    shape = (1, 5, 2)
    for timesteps, value in ((1, 3.0), (5, np.nan), (5, np.inf), (0, 0.0)):
        values = np.full((1, timesteps, 2), value, np.float32)
        recording = Recording.from_layers(
            [RecordedLayer("lstm", "LSTM", {"hidden_state": values})],
            inputs=RecordedSeries(values, ("a", "b"), ("", "")),
        )
        assert lw.SeriesPlot(recording)._still().any(), (shape, value)


def test_hostile_names_are_names():
    values = np.ones((1, 9, 3), np.float32)
    names = recordings.HOSTILE
    layer = RecordedLayer("lstm", "LSTM", {"hidden_state": values})
    series = RecordedSeries(values, names, ("\ud800", "\u202e", "<i>"))
    widget = lw.SeriesPlot(
        Recording.from_layers([layer], inputs=series, outputs=dataclasses.replace(series))
    )
    assert [one["name"] for one in widget._beside["channels"]] == list(names)
    assert widget._beside["channels"][0]["unit"] == "\ufffd"
    assert widget._still().any()
