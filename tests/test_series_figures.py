"""Figures of series: dates below columns and in the caption."""

from __future__ import annotations

import re
from xml.etree import ElementTree as ET

import numpy as np
import pandas as pd
import pytest

import lstm_widgets as lw
from lstm_widgets.figures.time_ticks import time_ticks
from lstm_widgets.recording import RecordedLayer, RecordedSeries, Recording
from lstm_widgets.recording.times import standard_times
from lstm_widgets.views.times import ShownTimes

SVG = "{http://www.w3.org/2000/svg}"


def recording(times, *, examples=1):
    timesteps = np.shape(times)[-1]
    values = np.random.default_rng(2).normal(size=(examples, timesteps, 5)).astype(np.float32)
    names = ("hidden_state", "cell_state", "input_gate", "forget_gate", "candidate", "output_gate")
    layer = RecordedLayer(
        "lstm",
        "LSTM",
        dict.fromkeys(names, np.tanh(values)),
        times=standard_times(times, examples, timesteps),
    )
    read = np.stack([np.arange(timesteps) % 10, np.arange(timesteps) - 20], axis=-1)
    read = np.broadcast_to(read, (examples, timesteps, 2)).astype(np.float32)
    inputs = RecordedSeries(read, ("rain", "<b>"), ("mm", "°C"), layer.times)
    return Recording.from_layers([layer], inputs=inputs)


def texts(widget, path):
    widget.save_figure(path / "figure.svg")
    root = ET.fromstring((path / "figure.svg").read_text("utf-8"))
    return ["".join(text.itertext()) for text in root.iter(f"{SVG}text")]


@pytest.mark.parametrize("make", [lw.CellGrid, lw.GateInspector])
def test_dates_stand_below_columns_and_in_the_caption(make, tmp_path):
    days = pd.date_range("2015-10-20", periods=300)
    written = texts(make(recording(days), cell=2, timestep=60, signal="cell_state"), tmp_path)
    assert any(text.startswith("lstm · cell 2 · 2015-12-19 · cell_state") for text in written)
    months = {f"{day:%b}" for day in days}
    assert {text.split(" ")[0] for text in written} >= {"Jan"} or "2016" in written
    assert sum(text.split(" ")[0] in months for text in written) >= 3
    assert not any(text.startswith("t=") for text in written)
    # Channels, with their ranges and units.
    assert {"rain", "<b>", "0 – 9 mm", "−20 – 279 °C"} <= set(written)


@pytest.mark.parametrize("make", [lw.CellGrid, lw.GateInspector])
def test_channels_are_lines_through_their_values(make, tmp_path):
    times = np.arange(40)
    make(recording(times, examples=2), signal="cell_state").save_figure(tmp_path / "figure.svg")
    root = ET.fromstring((tmp_path / "figure.svg").read_text("utf-8"))
    lines = [
        [tuple(map(float, point)) for point in re.findall(r"[ML]\s*([\d.-]+)[ ,]([\d.-]+)", d)]
        for path in root.iter(f"{SVG}path")
        if len(d := path.get("d", "")) > 100
    ]
    rising = [line for line in lines if len(line) == 40]
    # Of two examples two channels; the second rises by as much at each step.
    assert len(rising) == 4
    x, y = np.array(rising[-1]).T
    assert np.allclose(np.diff(x), np.diff(x)[0])
    assert np.allclose(np.diff(y), np.diff(y)[0], atol=0.02)
    assert np.diff(y)[0] < 0


def written(day, *, whole):
    """Write a date as a tick has it."""
    year = f" {day.year}" if whole else ""
    if day.hour:
        return (f"{day.day} {day:%b}{year} " if whole else "") + f"{day:%H:%M}"
    if day.day > 1:
        return f"{day.day} {day:%b}{year}"
    return f"{day:%b}{year}" if day.month > 1 else str(day.year)


@pytest.mark.parametrize(
    "times",
    [
        pd.date_range("1990-06-01", "2020-06-01"),
        pd.date_range("2015-12-20", "2016-03-10"),
        pd.date_range("2016-02-28", "2016-03-02"),
        pd.date_range("2016-12-31 18:00", "2017-01-01 08:00", freq="h"),
        pd.date_range("2011-01-01", "2013-06-01", freq="MS"),
    ],
    ids=["decades", "days", "a few days", "hours", "months"],
)
def test_ticks_tell_the_date_that_they_stand_at(times):
    ticks = time_ticks(ShownTimes(np.asarray(times, "M8[ns]")[None]), 0, 0, len(times), 6)
    assert 2 <= len(ticks) <= 8
    assert [tick.timestep for tick in ticks] == sorted({tick.timestep for tick in ticks})
    assert [tick.text for tick in ticks] == [
        written(times[tick.timestep], whole=number == 0) for number, tick in enumerate(ticks)
    ]


@pytest.mark.parametrize("times", [np.arange(101), np.arange(9) / 4 - 0.5])
def test_ticks_of_numbers_are_round(times):
    ticks = time_ticks(ShownTimes(times[None]), 0, 0, len(times), 6)
    assert len(ticks) >= 3
    assert [float(tick.text.replace("−", "-")) for tick in ticks] == [
        times[tick.timestep] for tick in ticks
    ]


def test_ticks_of_a_zone_are_at_its_midnights():
    hours = pd.date_range("2021-10-29", "2021-11-03", freq="h", tz="Europe/Berlin")
    times = ShownTimes(np.asarray(hours.tz_convert(None), "M8[ns]")[None], "Europe/Berlin")
    ticks = time_ticks(times, 0, 0, len(hours), 6)
    assert len(ticks) >= 4
    assert all(hours[tick.timestep].hour == 0 for tick in ticks)


@pytest.mark.filterwarnings("error")
@pytest.mark.parametrize("hours", [1, 5, 24, 200])
def test_ticks_of_any_stretch_come_without_a_warning(hours):
    times = np.datetime64("2003-05-17T03", "ns") + np.arange(900) * np.timedelta64(hours, "h")
    shown = ShownTimes(times[None])
    for stop in (2, 3, 30, 72, 265, 900):
        for count in (1, 2, 3, 6, 20):
            ticks = time_ticks(shown, 0, 0, stop, count)
            assert len(ticks) <= 2 * max(count, 4)
            assert all(0 <= tick.timestep < stop for tick in ticks)


def test_no_room_no_ticks():
    times = ShownTimes(np.asarray(pd.date_range("2020-01-01", periods=3), "M8[ns]")[None])
    assert time_ticks(times, 0, 0, 3, 0) == []
    assert time_ticks(times, 0, 1, 2, 5) == []
