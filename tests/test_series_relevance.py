"""Relevance behind the lines of a SeriesPlot: where it stands, what the page gets, its errors and its picture."""

from __future__ import annotations

import keras
import numpy as np
import pandas as pd
import pytest
import recordings
import traitlets
import xarray as xr
from keras import layers as L
from recordings import RAINED, UNREAD, WARMED, WINDOW, rivers, why_it_flows

import lstm_widgets as lw
from lstm_widgets.colours import DARK, LIGHT, ramp
from lstm_widgets.views.line import Line
from lstm_widgets.views.lines import Key
from lstm_widgets.views.series_relevance import Of
from lstm_widgets.widgets.page import export

RIVERS = rivers()
WHY = why_it_flows(RIVERS)


def unpacked(widget):
    """Give what the page has: int32 (3, row), float32 (2, method, row), bool (method, row), values."""
    told = widget._relevance
    count, methods = told["count"], len(told["methods"])
    numbers = np.frombuffer(widget._relevance_rows, np.int32, 3 * count).reshape(3, count)
    largest = np.frombuffer(widget._relevance_rows, np.float32, 2 * methods * count, 12 * count)
    doubtful = np.frombuffer(widget._relevance_rows, np.uint8, offset=(12 + 8 * methods) * count)
    values = np.frombuffer(widget._relevance_values, np.float32)
    shape = (count, methods, told["channels"], told["timesteps"])
    return (
        numbers,
        largest.reshape(2, methods, count),
        doubtful.reshape(methods, count).astype(bool),
        values.reshape(shape) if len(values) else values,
    )


def test_windows_of_a_table_stand_where_their_days_are():
    """A model whose forecast is a known sum of two days before it."""
    keras.utils.set_random_seed(3)
    model = keras.Sequential([keras.Input((8, 2)), L.LSTM(3, name="lstm"), L.Dense(1)])
    model.compile(loss="mse")
    days = pd.date_range("2003-03-01", periods=60)
    rng = np.random.default_rng(5)
    table = pd.DataFrame(rng.normal(size=(60, 2)), days, ["rain", "warmth"]).astype("float32")
    recording = lw.record(model, table, window=8)
    # Of a part of it, and with its columns in another order.
    part = lw.relevance(model, table.iloc[30:], window=8, methods="gradient_x_input")
    part = part.isel(example=[0, 5, 22], channel=[1, 0])
    placed = lw.SeriesPlot(recording, relevance=part)._placed[""]
    assert placed.explained.tolist() == [37, 42, 59]
    assert placed.starts.tolist() == [30, 35, 52]
    for row, end in enumerate((37, 42, 59)):
        for channel, name in enumerate(table):
            along = placed.along(Of(0, channel), row, 60)
            expected = part["relevance"].sel(channel=name)[0, row].to_numpy()
            np.testing.assert_array_equal(along[end - 7 : end + 1], expected)
            assert np.isnan(np.delete(along, range(end - 7, end + 1))).all()
    # Without dates, the end of a window tells where it stands in the series that was read.
    plain = lw.record(model, table.to_numpy(), window=8)
    found = lw.relevance(model, table.to_numpy(), window=8, methods="gradient_x_input")
    placed = lw.SeriesPlot(plain, relevance=found)._placed[""]
    np.testing.assert_array_equal(placed.explained, found["end"].to_numpy())
    np.testing.assert_array_equal(placed.starts, found["end"].to_numpy() - 7)


def test_what_was_read_as_a_whole_stands_under_it_and_at_says_what_is_explained():
    keras.utils.set_random_seed(4)
    model = keras.Sequential(
        [keras.Input((None, 2)), L.LSTM(3, return_sequences=True, name="lstm"), L.Dense(1)]
    )
    model.compile(loss="mse")
    series = np.random.default_rng(6).normal(size=(3, 12, 2)).astype(np.float32)
    recording = lw.record(model, series)
    for at, expected in ((None, 11), (-4, 8), ([3, 4, 5], None)):
        found = lw.relevance(model, series, methods="gradient_x_input", at=at)
        placed = lw.SeriesPlot(recording, relevance=found.isel(example=[2, 0]))._placed[""]
        assert placed.examples.tolist() == [2, 0]
        assert placed.starts.tolist() == [0, 0]
        assert placed.explained.tolist() == ([5, 3] if expected is None else [expected] * 2)
        # What comes later can't have counted.
        later = placed.line(Of(0, None), 0)[placed.explained[0] + 1 :]
        assert not later.any()


def test_the_page_gets_where_it_stands_and_exact_values():
    widget = lw.SeriesPlot(RIVERS, relevance=WHY)
    told = widget._relevance
    assert [method["name"] for method in told["methods"]] == [
        "integrated_gradients",
        "sensitivity",
    ]
    assert [method["signed"] for method in told["methods"]] == [True, False]
    assert [method["unit"] for method in told["methods"]] == ["mm", ""]
    assert told["methods"][0]["largest"] == [3, 3]
    assert told["explained"] == "the forecast"
    numbers, largest, doubtful, values = unpacked(widget)
    np.testing.assert_array_equal(numbers, [[0, 0], [311, 711], [400, 800]])
    np.testing.assert_array_equal(largest[0], [[2, 3], [4, 9]])
    assert not doubtful.any()
    np.testing.assert_array_equal(values, np.moveaxis(WHY["relevance"].to_numpy(), (1, 3), (0, 2)))
    assert widget.method == "integrated_gradients"
    assert widget.relevance is WHY


def test_of_what_is_large_the_page_asks_for_levels(monkeypatch):
    monkeypatch.setattr("lstm_widgets.widgets.series_plot.WHOLE_BYTES", 100)
    widget = lw.SeriesPlot(RIVERS, relevance=WHY)
    assert widget._relevance_values == b""
    placed = widget._placed[""]
    for of in (Of(0, 0), Of(1, 1), Of(0, None)):
        number = placed.number(of)
        assert placed.of(number) == of
        asked = {
            "id": "1",
            "lines": [[["relevance", number, "", ""], 1, level, 0] for level in (0, 2)],
        }
        _, (exact, pooled) = widget._answer(asked)
        values = WHY["relevance"].to_numpy()[of.method, 1]
        expected = np.nansum(values, axis=1) if of.channel is None else values[:, of.channel]
        np.testing.assert_array_equal(np.frombuffer(exact, np.float32), expected)
        low, high = np.frombuffer(pooled, np.float32).reshape(2, -1)
        np.testing.assert_array_equal(low, Line(expected).level(2)[0])
        np.testing.assert_array_equal(high, Line(expected).level(2)[1])
    assert np.isnan(widget._drawn.values(Key("relevance", 0), 0)[:UNREAD]).all()


def test_padding_has_no_relevance():
    mask = np.ones((2, WINDOW), bool)
    mask[0, :30] = False
    padded = WHY.assign(mask=(("example", "timestep"), mask))
    early = padded["time"].to_numpy().copy()
    early[0, :30] = np.datetime64("NaT")
    placed = lw.SeriesPlot(
        RIVERS, relevance=padded.assign_coords(time=(WHY["time"].dims, early))
    )._placed[""]
    assert placed.starts.tolist() == [311, 711]
    assert np.isnan(placed.line(Of(0, 1), 0)[:30]).all()
    assert not np.isnan(placed.line(Of(0, 1), 1)).any()
    assert np.isnan(placed.line(Of(0, None), 0)[:30]).all()


def test_the_explanation_that_is_shown_is_that_of_the_selected_time_or_the_one_that_is_held():
    widget = lw.SeriesPlot(RIVERS, relevance=WHY, timestep=700)
    assert widget._explanation(0) == 1
    assert widget._explanation(1) is None
    widget.timestep = 500
    assert widget._explanation(0) == 0
    widget.explained = 800
    assert widget._explanation(0) == 1


def changed(**coords):
    return WHY.assign_coords(coords)


@pytest.mark.parametrize(
    ("relevance", "error", "told"),
    [
        (
            WHY["relevance"],
            TypeError,
            r"relevance: expected the xarray.Dataset that lw.relevance\(\)",
        ),
        (
            WHY.isel(channel=0, drop=True),
            ValueError,
            "relevance: expected that of channels, .* got that of tokens",
        ),
        (
            changed(channel=["rain", "snow"]),
            ValueError,
            "expected that of the recording's channels, 'rain', 'temperature'; got that of 'rain', 'snow'",
        ),
        (
            changed(time=(WHY["time"].dims, WHY["time"].to_numpy() - np.timedelta64(40_000, "D"))),
            ValueError,
            r"expected that of this recording's series; got that of other timesteps \(its example 0\)",
        ),
        (
            changed(time=(WHY["time"].dims, WHY["time"].to_numpy() + np.timedelta64(6, "h"))),
            ValueError,
            "that of other timesteps",
        ),
        (
            changed(time=(WHY["time"].dims, np.arange(2.0 * WINDOW).reshape(2, WINDOW))),
            ValueError,
            "that of other timesteps",
        ),
        (
            WHY.drop_vars("time").assign_coords(end=("example", [400, 1500])),
            ValueError,
            r"that of other timesteps \(its example 1\)",
        ),
        (
            changed(label=("example", ["Inn", "Rhein"])),
            ValueError,
            "expected examples of the recording, labelled 'Inn', 'Elbe'; got 'Rhein'",
        ),
        (
            WHY.drop_vars("label"),
            ValueError,
            "which of the recording's 2 examples these windows are of",
        ),
        (
            WHY.drop_vars(["label", "end"]).assign_coords(example=[1, 2]),
            ValueError,
            "expected examples 0 to 1 of the recording; got 1 to 2",
        ),
        (
            WHY.drop_vars(["end", "time"]),
            ValueError,
            "expected that of the recording's 1500 timesteps, or times in both .* got that of 90",
        ),
    ],
)
def test_what_does_not_fit_is_refused_by_name(relevance, error, told):
    with pytest.raises(error, match=told):
        lw.SeriesPlot(RIVERS, relevance=relevance)


def test_a_recording_without_channels_has_no_relevance_of_them():
    with pytest.raises(ValueError, match="none: the recording has no such series"):
        lw.SeriesPlot(recordings.prose(), relevance=WHY)


@pytest.mark.parametrize(
    ("trait", "value", "told"),
    [
        (
            "method",
            "lrp",
            "method: expected one of 'integrated_gradients', 'sensitivity'; got 'lrp'",
        ),
        ("relevance_scale", (1.0, 1.0), "relevance_scale: expected one of example, all or"),
        ("explained", 1500, "explained: expected None or a timestep of the series, 0 to 1499"),
    ],
)
def test_what_can_not_be_shown_is_refused(trait, value, told):
    with pytest.raises(traitlets.TraitError, match=told):
        lw.SeriesPlot(RIVERS, relevance=WHY, **{trait: value})
    widget = lw.SeriesPlot(RIVERS, relevance=WHY)
    with pytest.raises(traitlets.TraitError, match=told):
        setattr(widget, trait, value)
    with pytest.raises(AttributeError, match="relevance: expected to stay"):
        widget.relevance = WHY
    with pytest.raises(traitlets.TraitError, match="none, because there is no relevance"):
        lw.SeriesPlot(RIVERS, method="lrp")


def test_a_file_has_all_of_it_or_what_is_shown(monkeypatch):
    widget = lw.SeriesPlot(RIVERS, relevance=WHY, timestep=820)
    state, missing, *_ = widget._file_state()
    assert state["_relevance"]["count"] == 2
    assert not missing
    size = sum(len(value) for value in state.values() if isinstance(value, bytes))
    monkeypatch.setattr(export, "FILE_BYTES", size - len(state["_relevance_rows"]) - 1)
    state, missing, *_ = widget._file_state()
    assert missing == ["the relevance for other timesteps"]
    numbers = np.frombuffer(state["_relevance_rows"], np.int32, 3)
    assert numbers.tolist() == [0, 711, 800]
    values = np.frombuffer(state["_relevance_values"], np.float32)
    np.testing.assert_array_equal(
        values, np.moveaxis(WHY["relevance"].to_numpy()[:, 1], 2, 1).ravel()
    )
    assert lw.SeriesPlot(RIVERS)._file_state().traits.get("_relevance", {}) == {}


# -- pictures --------------------------------------------------------------------------------------


def boxes_behind(widget, theme="light"):
    """Give boxes that stand behind the first channels' bands: their places and colours."""
    sheet = widget._sheet(7.2, theme)
    found = []
    for _, boxes, colours in sheet.fills:
        high = boxes[:, 3] - boxes[:, 1]
        for box, colour in zip(boxes[high > 30], colours[high > 30], strict=True):
            found.append((box, tuple(map(int, colour))))
    return sheet, found


@pytest.mark.parametrize(("theme", "palette"), [("light", "RdBu_r"), ("dark", "berlin")])
def test_a_figure_is_coloured_where_relevance_is_and_nowhere_else(theme, palette):
    span = (700, 820)
    widget = lw.SeriesPlot(
        RIVERS, relevance=WHY, timestep=800, span=span, channels=("rain",), outputs=()
    )
    plain = lw.SeriesPlot(RIVERS, timestep=800, span=span, channels=("rain",), outputs=())
    sheet, coloured = boxes_behind(widget, theme)
    _, before = boxes_behind(plain, theme)
    share, paper = ((0.66, LIGHT), (0.85, DARK))[theme == "dark"]
    most = np.array(paper.background) * (1 - share) + ramp(palette)[-1].astype(float) * share
    new = [(box, colour) for box, colour in coloured if all((box != b).any() for b, _ in before)]
    strong = [box for box, colour in new if np.abs(np.array(colour) - most).max() <= 2]
    (box,) = strong
    left, right = 150, 864 - 12 - 84
    day = left + (800 - RAINED - span[0]) / (span[1] - span[0] - 1) * (right - left)
    assert box[0] - 1 <= day <= box[2] + 1
    assert box[2] - box[0] <= 7
    began = left + (711 + UNREAD - span[0]) / (span[1] - span[0] - 1) * (right - left)
    assert min(box[0] for box, _ in new) >= began - 5
    words = " ".join(word.text for word in sheet.words)
    assert "relevance by integrated gradients, mm" in words
    assert "for the forecast at 2003-03-12" in words


def test_a_figure_marks_what_is_beyond_the_colours_and_adds_up_channels():
    widget = lw.SeriesPlot(
        RIVERS, relevance=WHY, timestep=800, span=(700, 820), relevance_scale=(-0.5, 0.5)
    )
    words = [word.text for word in widget._sheet(7.2, "light").words]
    assert "beyond the scale" in words
    assert "≤ −0.5" in words
    widget.arrange = "overlaid"
    words = [word.text for word in widget._sheet(7.2, "light").words]
    assert "relevance by integrated gradients, 2 channels added up, mm" in words
    widget.method = "sensitivity"
    widget.arrange = "bands"
    widget.relevance_scale = "all"
    words = [word.text for word in widget._sheet(7.2, "light").words]
    assert "relevance by sensitivity" in words
    assert "9" in words
    widget.example = 1
    words = [word.text for word in widget._sheet(7.2, "light").words]
    assert "relevance by sensitivity" not in words


def test_of_columns_that_share_a_unit_the_strongest_counts():
    line = Line(np.array([1, -3, 2, np.nan, np.nan, 0.5, 3, -3], np.float32))
    found = line.strongest(np.array([0, 3, 5, 6, 8]))
    np.testing.assert_array_equal(found, [-3, np.nan, 0.5, 3])


def test_warmth_counts_against_the_forecast():
    placed = lw.SeriesPlot(RIVERS, relevance=WHY)._placed[""]
    assert int(np.nanargmin(placed.along(Of(0, 1), 0, 1500))) == 400 - WARMED
    assert isinstance(placed.dataset, xr.Dataset)
