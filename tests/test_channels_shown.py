"""Relevance of a series in Python: names, units and times of what is shown, sent and drawn."""

from __future__ import annotations

import keras
import numpy as np
import pandas as pd
import pytest
from keras import layers as L
from traitlets import TraitError

import lstm_widgets as lw
from lstm_widgets.views.dependencies import Dependency
from lstm_widgets.views.examples import Examples

RNG = np.random.default_rng(2)
NAMES, UNITS = ["rain", "temperature"], {"rain": "mm", "temperature": "°C", "discharge": "mm/d"}
DAYS = pd.date_range("2003-03-01", periods=60, freq="D", name="day")
METHODS = ("integrated_gradients", "sensitivity")


@pytest.fixture(scope="module")
def model():
    keras.utils.set_random_seed(1)
    model = keras.Sequential([keras.Input((None, 2)), L.LSTM(4), L.Dense(1)])
    model.compile(loss="mse")
    return model


@pytest.fixture(scope="module")
def table():
    return pd.DataFrame(RNG.normal(size=(60, 2)), DAYS, NAMES)


def written(widget):
    return [word.text for word in widget._sheet(7.5, "light").words]


def test_a_table_tells_channels_and_times_of_each_window(model, table):
    found = lw.relevance(model, table, methods=METHODS, window=40, units=UNITS)
    assert found.relevance.dims == ("method", "example", "timestep", "channel")
    assert found.relevance.shape == (2, 21, 40, 2)
    assert found.channel.to_numpy().tolist() == NAMES
    assert found.unit.to_numpy().tolist() == ["mm", "°C"]
    assert found.score.attrs["units"] == "mm/d"
    for window, end in enumerate(found.end.to_numpy()):
        np.testing.assert_array_equal(
            found.time[window], DAYS.to_numpy()[end - 39 : end + 1].astype("M8[ns]")
        )
    alone = lw.relevance(model, table.to_numpy()[None, 3:43], methods=METHODS)
    np.testing.assert_allclose(found.relevance[:, 3], alone.relevance[:, 0], atol=1e-5)
    assert alone.channel.to_numpy().tolist() == ["channel 0", "channel 1"]
    assert "time" not in alone.coords
    assert "units" not in alone.score.attrs
    padded = lw.relevance(model, table, methods=METHODS, window=40, pad="zero")
    assert np.isnat(padded.time[0, :39]).all()
    assert padded.time[0, 39] == DAYS.to_numpy()[0]


def test_times_of_one_series_select(model, table):
    found = lw.relevance(model, table, methods=METHODS)
    april = found.relevance.sel(time="2003-04", channel="rain")
    assert april.shape == (2, 1, 29)
    named = lw.relevance(
        *(model, table.to_numpy()[None]),
        methods=METHODS,
        times=np.arange(60) / 4,
        channels=["a", "b"],
        units=["V", ""],
    )
    assert named.relevance.sel(time=14.75).sizes["channel"] == 2
    assert (named.channel.to_numpy().tolist(), named.unit.to_numpy().tolist()) == (
        ["a", "b"],
        ["V", ""],
    )
    for options, message in (
        ({"channels": ["a"]}, "channels: expected 2 names"),
        ({"times": [3, 2]}, r"times: expected shape \(60,\)"),
        ({"units": ["a"]}, "units: expected 2"),
    ):
        with pytest.raises(ValueError, match=message):
            lw.relevance(model, table.to_numpy()[None], methods=METHODS, **options)


def test_what_the_page_gets_is_each_channel_with_its_times(model, table):
    found = lw.relevance(model, table, methods=METHODS, window=40, units=UNITS)
    examples = Examples(found)
    summary = examples.summary()
    assert summary["channels"] == [["rain", "mm"], ["temperature", "°C"]]
    assert summary["unit"] == "mm/d"
    assert summary["times"] == {
        "kind": "date",
        "shared": False,
        "zone": "",
        "resolution": "day",
    }
    described, packed = examples.rows([4, 2])
    assert described["times"] == [32, 32]  # one run each: how many, first, step, count
    times = np.frombuffer(packed[:64], np.float64).reshape(2, 4)
    day = 86_400_000
    first = DAYS.to_numpy().astype("M8[ms]").astype(np.int64)[[4, 2]]
    np.testing.assert_array_equal(times, [[1, start, day, 40] for start in first])
    values = np.frombuffer(packed[64 : 64 + 4 * 2 * 2 * 2 * 40], np.float32).reshape(2, 2, 2, 40)
    expected = found.relevance.transpose("method", "channel", "example", "timestep")
    np.testing.assert_array_equal(values, expected[:, :, [4, 2]])
    np.testing.assert_allclose(examples.largest, np.abs(found.relevance).max(axis=(1, 2, 3)))
    assert examples.size >= len(packed) - 64
    # Of times that all have, the description tells everything.
    whole = Examples(lw.relevance(model, table, methods=METHODS))
    assert whole.summary()["times"]["runs"] == [
        [[float(DAYS.to_numpy().astype("M8[ms]").astype(np.int64)[0]), float(day), 60]]
    ]
    assert whole.rows(slice(None))[0]["times"] == []


def test_a_forecast_is_shown_at_its_end_with_channels_units_and_dates(model, table):
    found = lw.relevance(model, table, methods=METHODS, window=40, units=UNITS)
    widget = lw.RelevanceHeatmap(found, example=3, channel=1)
    assert widget.timestep == 39
    words = written(widget)
    assert {"rain (mm)", "temperature (°C)", "forecast", "2003-04-12"} <= set(words)
    assert f"{float(found.score[3]):.4f} mm/d".replace("-", "−") in words
    caption = next(word for word in words if word.startswith("example 3"))
    value = f"{float(found.relevance[0, 3, 39, 1]):.4f}".replace("-", "−")
    assert f"2003-04-12 · temperature (°C) · integrated gradients {value}" in " ".join(
        words[words.index(caption) :]
    )
    assert not {"class", "predicted", "score", "t=39"} & set(" ".join(words).split())
    with pytest.raises(TraitError, match="channel: expected 0 to 1, got 2"):
        widget.channel = 2
    early = lw.RelevanceHeatmap(found, timestep=5)
    assert "2003-03-06" in " ".join(written(early))


def test_an_explorer_shows_the_day_on_which_the_window_ends(model, table):
    found = lw.relevance(model, table, methods=METHODS, window=40)
    recording = lw.record(model, table, window=40)
    widget = lw.RelevanceHeatmap(found, recording=recording, example=2)
    explorer = widget.explorer
    assert (explorer.example, explorer.timestep) == (0, 41)
    widget.example = 5
    assert explorer.timestep == 44
    explorer.timestep = 50
    assert widget.example == 11
    explorer.timestep = 3  # no window ends there
    assert widget.example == 11
    short = lw.record(model, table[:50], window=40)
    with pytest.raises(ValueError, match="recording: expected one of the same 21 examples"):
        lw.RelevanceHeatmap(found, recording=short)


def test_a_figure_of_a_long_series_shows_the_end_or_what_is_selected(model):
    long = lw.relevance(model, RNG.normal(size=(2, 700, 2)), methods=METHODS)
    shown = lw.RelevanceHeatmap(long)
    assert "−200" in " ".join(written(shown))
    assert "−600" not in " ".join(written(shown))
    shown.timestep = 5
    assert "−600" in " ".join(written(shown))
    # Padding at the end is not where the forecast stands.
    masked = long.assign(mask=(("example", "timestep"), np.arange(700) < [[500], [700]]))
    assert lw.RelevanceHeatmap(masked).timestep == 499


# Dependency ---------------------------------------------------------------------------------------


def test_dependency_is_shown_channel_by_channel(model, table):
    options = {"window": 40, "units": UNITS, "method": "occlusion", "stretch": 8}
    found = lw.dependency(model, table, **options)
    widget = lw.DependencyHeatmap(found)
    assert repr(widget).startswith("<DependencyHeatmap models=['rain (mm)', 'temperature (°C)'], ")
    assert widget.timestep == 59
    assert widget.same_scale
    assert not lw.DependencyHeatmap(found, same_scale=False).same_scale
    assert widget._extent["series"]
    assert (widget._extent["first"], widget._extent["stop"]) == (0, 60)
    for channel, described in enumerate(widget._models):
        assert described["unit"] == "mm/d"
        assert described["how"] == "change with its mean in its place, 8 timesteps at once"
        assert described["largest"] == pytest.approx(float(found[..., channel].max()))
    (text,) = widget._text
    assert text["tokens"] is None
    assert text["times"] == [str(day.date()) for day in DAYS]
    # From lags to the timesteps that were read, and back.
    for channel, one in enumerate(Dependency.of_channels("", "dependency", found)):
        for row, timestep in enumerate(one.timesteps):
            start = one.first + one.starts[0, row]
            assert (start, len(one.row(0, row))) == (timestep - 39, 40)
            np.testing.assert_array_equal(one.row(0, row), found[0, row, ::-1, channel])
    words = " ".join(written(widget))
    assert "2003-04-29" in words
    assert "timesteps" in words
    assert "forecast" in words
    assert not {"token", "tokens", "class", "t=59"} & set(words.replace(".", " ").split())
    best = float(found[0, -1, :, 0].max())
    assert f"strongest {best:.4f} mm/d on" in words


def test_of_a_series_all_lags_are_in_the_picture_of_all_predictions(model):
    series = RNG.normal(size=(1, 150, 2))
    (one, _) = Dependency.of_channels("", "dependency", lw.dependency(model, series))
    assert one.every == 3
    values = one.row(0, 0)[::-1]
    near = one.near(0, 0, 1)[0]
    assert near[0] == values.max()
    np.testing.assert_array_equal(near[1:51], values.reshape(50, 3).max(axis=1))
    assert np.isnan(near[51:]).all()
    widget = lw.DependencyHeatmap(lw.dependency(model, series))
    assert [described["every"] for described in widget._models] == [3, 3]


def test_channels_of_several_models_stand_below_each_other(model, table):
    found = lw.dependency(model, table.to_numpy()[None])
    assert found.dims == ("example", "timestep", "lag", "channel")
    widget = lw.DependencyHeatmap({"old": found, "new": 2 * found})
    names = [described["name"] for described in widget._models]
    assert names == [f"{name} · channel {k}" for name in ("old", "new") for k in (0, 1)]
    assert widget._models[0]["how"] == "norm l2"
    assert widget._text[0]["times"] is None
    text = lw.dependency(model, table.to_numpy()[None], tokens=[["a"] * 60])
    with pytest.raises(ValueError, match="dependency: expected texts or series, got both"):
        lw.DependencyHeatmap({"old": found, "text": text})
