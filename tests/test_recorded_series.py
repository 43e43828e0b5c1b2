# Values of recordings, not of pandas.
# ruff: noqa: PD011
"""What a recording keeps of series: numbers, channels, units, times; on disk too."""

from __future__ import annotations

from datetime import datetime, timedelta, timezone
from typing import Any

import numpy as np
import pandas as pd
import pytest
import xarray as xr

import lstm_widgets as lw
from lstm_widgets.recording import RecordedLayer, RecordedSeries, Recording, Times
from lstm_widgets.recording.times import standard_times

DAYS = pd.date_range("2000-11-01", periods=400)


def layer(times: Any, name: str = "lstm", examples: int = 1, **more: Any) -> RecordedLayer:
    values = np.arange(examples * len(DAYS) * 3, dtype=np.float32).reshape(examples, len(DAYS), 3)
    return RecordedLayer(name, "LSTM", {"cell_state": values}, times=times, **more)


def numbers(times: Any, examples: int = 1) -> RecordedSeries:
    values = np.random.default_rng(0).normal(size=(examples, len(DAYS), 2)).astype(np.float32)
    values[:, 7, 1] = np.nan
    return RecordedSeries(values, ("rain", "temperature"), ("mm", "°C"), times)


@pytest.mark.parametrize(
    "times",
    [
        DAYS,
        DAYS.tz_localize("Europe/Berlin"),
        np.arange(400),
        np.linspace(0, 1, 400) ** 2,
        [*DAYS.to_pydatetime()],
        [str(day) for day in DAYS],
        pd.period_range("2000-11-01", periods=400, freq="D"),
        np.stack([DAYS, DAYS + pd.Timedelta("1h")]),
    ],
    ids=["dates", "zone", "whole", "float", "datetime", "str", "periods", "examples"],
)
def test_a_saved_series_comes_back(times: Any, tmp_path: Any) -> None:
    examples = 2 if np.ndim(times) == 2 else 1
    known = standard_times(times, examples, len(DAYS))
    series = numbers(known, examples)
    recording = Recording.from_layers(
        [layer(known, examples=examples)],
        inputs=series,
        targets=series,
        labels=["a", "b"][:examples],
    )
    recording.save(tmp_path / "saved")
    opened = lw.open_recording(tmp_path / "saved")
    for one in (recording, opened):
        assert one.inputs is not None
        assert one.outputs is None
        assert one.inputs.channel.values.tolist() == ["rain", "temperature"]
        assert one.inputs.unit.values.tolist() == ["mm", "°C"]
        assert np.isnan(one.inputs.sel(channel="temperature")[0, 7])
    xr.testing.assert_identical(opened["lstm"], recording["lstm"])
    xr.testing.assert_identical(opened.inputs, recording.inputs)
    xr.testing.assert_identical(opened.targets, recording.targets)
    assert list(opened["lstm"].xindexes) == list(recording["lstm"].xindexes)


def test_dates_select() -> None:
    recording = Recording.from_layers([layer(standard_times(DAYS, 1, 400))])
    may = recording["lstm"].cell_state.sel(time="2001-05", cell=2)
    assert may.shape == (1, 31)
    first = (pd.Timestamp("2001-05-01") - DAYS[0]).days
    assert may.values[0].tolist() == [3 * k + 2 for k in range(first, first + 31)]
    assert recording["lstm"].sel(time=slice("2001-01-01", "2001-01-03")).sizes["timestep"] == 3


def test_times_of_both_directions_and_of_calls_select() -> None:
    times = standard_times(DAYS, 1, 400)
    twice = Times(np.concatenate([times.values[:200], times.values[:200]]))
    recording = Recording.from_layers(
        [
            layer(times, "both/forward"),
            layer(times, "both/backward", go_backwards=True),
            layer(twice, "called", calls=(200, 200)),
        ]
    )
    assert recording["both"].cell_state.sel(time="2000-11-02").shape == (1, 6)
    assert "time" not in recording["called"].xindexes  # each time is there twice
    assert recording["called:2"].cell_state.sel(time="2000-11-02")[0, 0] == 3 * 201


def test_clocks_that_are_set_back_need_their_zone() -> None:
    hours = pd.date_range("2023-10-28 22:00", periods=8, freq="h", tz="UTC").tz_convert(
        "Europe/Berlin"
    )
    known = standard_times(hours, 1, 8)
    assert known.zone == "Europe/Berlin"
    assert (np.diff(known.values) == np.timedelta64(1, "h")).all()
    with pytest.raises(ValueError, match=r"2023-10-29T02:00.* comes twice, at timestep 3; .*zone"):
        standard_times(hours.tz_localize(None), 1, 8)


def test_a_list_of_times_with_one_zone_keeps_its_name() -> None:
    zone = timezone(timedelta(hours=2))
    known = standard_times([datetime(2001, 1, 1, k, tzinfo=zone) for k in (2, 3)], 1, 2)
    assert known.values.tolist() == [978307200 * 10**9, 978310800 * 10**9]
    assert known.zone == "UTC+02:00"


@pytest.mark.parametrize(
    ("times", "error", "told"),
    [
        ([1, 2, 2], ValueError, "2 comes twice, at timestep 2"),
        ([3.0, 1.0, 2.0], ValueError, "3.0 is followed by 1.0, at timestep 1"),
        ([0.0, np.nan, 2.0], ValueError, "a time for each timestep, got 0.0 and nan"),
        (["2001-01-01", "2001-01-03", "2001-01-02"], ValueError, "followed by 2001-01-02"),
        (["2001-01-01", None, "2001-01-02"], ValueError, "a time for each timestep"),
        ([1, 2], ValueError, r"expected shape \(3,\), one for each timestep; got \(2,\)"),
        (["soon", "2001", "2002"], TypeError, "dates or numbers"),
        ("2001-01-01", TypeError, "dates or numbers"),
        (7, TypeError, "dates or numbers"),
        ([1 + 1j, 2, 3], TypeError, "dates or numbers"),
        (np.array(["1200-01-01", "1200-01-02", "1200-01-03"], "M8[D]"), ValueError, "1678 to 2261"),
    ],
)
def test_times_that_cannot_be_are_named(times: Any, error: type[Exception], told: str) -> None:
    with pytest.raises(error, match=told):
        standard_times(times, 1, 3)


def test_a_repeated_time_names_its_example() -> None:
    with pytest.raises(ValueError, match="5 comes twice of example 1, at timestep 2"):
        standard_times([[1, 2, 3], [4, 5, 5]], 2, 3)


@pytest.mark.parametrize(
    ("change", "told"),
    [
        ({"names": ("rain",)}, "expected 2 names"),
        ({"names": ("rain", "rain")}, "different names"),
        ({"units": ("mm",)}, "expected 2 units"),
        ({"values": np.zeros((2, 400, 2), np.float32)}, "1 examples"),
        ({"times": Times(np.arange(3))}, r"times of shape \(400,\)"),
    ],
)
def test_numbers_that_do_not_fit_are_named(change: dict[str, Any], told: str) -> None:
    given = {**vars(numbers(None)), **change}
    with pytest.raises(ValueError, match=f"inputs: .*{told}"):
        Recording.from_layers([layer(None)], inputs=RecordedSeries(**given))


def test_a_recording_tells_what_was_read() -> None:
    hostile = RecordedSeries(numbers(None).values, ("<b>rain</b>", "temperature"), ("mm", ""))
    recording = Recording.from_layers(
        [layer(standard_times(DAYS, 1, 400))],
        inputs=numbers(standard_times(DAYS, 1, 400)),
        targets=hostile,
    )
    assert "none, but times" in repr(recording)
    assert (
        "inputs: rain (mm), temperature (°C), 1 × 400 timesteps, 2000-11-01 to 2001-12-05"
        in repr(recording)
    )
    assert "targets: <b>rain</b> (mm), temperature, 1 × 400 timesteps" in repr(recording)
    page = recording._repr_html_()
    assert "<b>rain" not in page
    assert "&lt;b&gt;rain" in page
