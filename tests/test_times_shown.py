"""The times of timesteps as pages and figures write them, in their zones, and how they travel.

``js/test/data/times.test.mjs`` holds the page to what ``js/test/times.json`` says. To make that anew:
``python tests/test_times_shown.py && npm --prefix js run format``.
"""

from __future__ import annotations

import base64
import dataclasses
import json
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import xarray as xr
from hypothesis import given
from hypothesis import strategies as st

import lstm_widgets as lw
from lstm_widgets.recording import RecordedLayer, Recording
from lstm_widgets.recording.times import standard_times
from lstm_widgets.views.times import ShownTimes, gaps, shown_times

TABLE = Path(__file__).resolve().parents[1] / "js" / "test" / "times.json"


def days(start, count, *, zone=None):
    return pd.date_range(start, periods=count, freq="D", tz=zone)


def shown(times):
    """Give times as a recording has them."""
    times = list(times) if isinstance(times, tuple) else times
    several = np.ndim(times) == 2
    count = np.shape(times)[-1]
    series = standard_times(times, len(times) if several else 1, count)
    values = np.zeros((len(times) if several else 1, count, 2), np.float32)
    layer = RecordedLayer("lstm", "LSTM", {"hidden_state": values}, times=series)
    found = shown_times(Recording.from_layers([layer])["lstm"])
    assert found is not None
    return found


BERLIN = pd.DatetimeIndex(["2023-10-28 22:00", "2023-10-29 00:30", "2023-10-29 01:30"], tz="UTC")
CASES = {
    "days": days("2003-05-16", 400),
    "days with a gap": days("2003-05-16", 40).delete(slice(10, 20)),
    "days in a zone, over the change of its clocks": days("2023-03-20", 30, zone="Europe/Berlin"),
    "months": pd.date_range("1999-11-01", periods=30, freq="MS"),
    "hours": pd.date_range("2016-12-31 20:00", periods=30, freq="h"),
    "hours in a zone": BERLIN.tz_convert("Europe/Berlin"),
    "half hours far from UTC": pd.date_range(
        "2020-01-01", periods=9, freq="30min", tz="Asia/Kolkata"
    ),
    "at a fixed offset": pd.date_range("2020-01-01 06:00", periods=5, freq="h", tz="UTC-03:30"),
    "in UTC, named": pd.date_range("2020-01-01 06:00", periods=5, freq="h", tz="UTC"),
    "always at noon": days("2001-01-01 12:00", 4),
    "seconds": pd.DatetimeIndex(["2020-02-28 23:59:58", "2020-02-28 23:59:59", "2020-02-29"]),
    "thousandths of a second": pd.date_range("2020-01-01", periods=6, freq="250ms"),
    "millionths of a second": pd.date_range("2019-12-31 23:59:59.9999", periods=6, freq="62500ns"),
    "one day": days("2001-01-01", 1),
    "one minute": days("2001-01-01 00:05", 1),
    "before 1970": pd.date_range("1901-02-03 04:05", periods=5, freq="97min"),
    "whole numbers": np.arange(10, 60, 5),
    "from below zero": np.arange(-3, 4),
    "tenths": np.arange(8) * 0.1,
    "thirds": np.arange(5) / 3,
    "years in figures": 1985 + np.arange(20) / 4,
    "uneven": np.array([0.0, 0.5, 0.75, 4.0, 9.25, 9.5]),
}


def told(times):
    """Write down all that the page has to make of some times."""
    row = vars(times)["values"][0]
    nanoseconds = row.astype(np.int64).tolist()
    dates = [value // 10**6 + value % 10**6 / 10**6 for value in nanoseconds]
    return {
        "sent": times.described(),
        "packed": base64.b64encode(times.packed(0)).decode(),
        "times": dates if times.dates else row.astype(float).tolist(),
        "labels": [times.label(0, timestep) for timestep in range(len(row))],
        "said": times.say(0, len(row) - 1),
    }


def test_the_page_is_held_to_what_python_writes():
    made = {name: told(shown(times)) for name, times in CASES.items()}
    assert made == json.loads(TABLE.read_text("utf-8"))


@pytest.mark.parametrize("zone", ["Europe/Berlin", "America/St_Johns", "Asia/Kolkata"])
def test_dates_are_those_of_their_zone(zone):
    """As Python's own ``datetime`` has them, hour by hour over both changes of a year's clocks."""
    times = pd.date_range("2021-01-01", "2021-12-31", freq="h", tz=zone)
    seen = shown(times)
    for timestep in range(0, len(times), 7):
        here = times[timestep].to_pydatetime()
        assert (
            seen.label(0, timestep) == here.strftime("%Y-%m-%d %H:%M ") + f"{here.isoformat()[-6:]}"
        )


def test_a_zone_that_nobody_knows_is_shown_as_utc():
    times = ShownTimes(np.array([["2020-01-01T06:30"]], "M8[ns]"), "Nowhere/Land")
    assert times.described()["zone"] == "UTC"
    assert times.label(0, 0) == "2020-01-01 06:30"


def unpacked(packed):
    """Unpack times as their description says."""
    count, *rest = np.frombuffer(packed)
    if count == 0:
        return np.array(rest)
    runs = np.reshape(rest, (int(count), 3))
    return np.concatenate([first + step * np.arange(n) for first, step, n in runs])


@given(
    st.lists(st.sampled_from([1, 1, 1, 1, 2, 3.5, 0.1]), min_size=1, max_size=60),
    st.floats(-1e6, 1e6),
)
def test_numbers_travel_exactly(steps, start):
    times = start + np.cumsum(steps)
    assert np.array_equal(unpacked(ShownTimes(times[None]).packed(0)), times)


@given(st.lists(st.sampled_from([1, 1, 1, 24, 25, 23, 48]), min_size=1, max_size=200))
def test_dates_travel_exactly(hours):
    times = np.datetime64("2003-05-17T06", "ns") + np.cumsum(hours) * np.timedelta64(1, "h")
    packed = unpacked(ShownTimes(times[None]).packed(0))
    assert np.array_equal(packed, times.astype("M8[ms]").astype(np.int64))


def test_regular_times_are_short_whatever_their_number():
    hours = shown(pd.date_range("1990-01-01", periods=300_000, freq="h"))
    assert len(json.dumps(hours.described())) < 200
    assert len(hours.packed(0)) == 32


def test_times_without_order_travel_as_they_are():
    times = np.cumsum(np.random.default_rng(3).uniform(0.5, 2, 5_000))
    found = shown(times)
    assert "runs" not in found.described()
    assert len(found.packed(0)) == 8 * 5_001
    assert np.array_equal(unpacked(found.packed(0)), times)


def test_examples_may_have_times_of_their_own():
    times = np.stack([np.arange(3), np.arange(3) * 2 + 5])
    found = shown(tuple(times))
    assert not found.shared
    assert [found.label(example, 2) for example in (0, 1)] == ["2", "9"]
    assert found.described()["runs"] == [[[0.0, 1.0, 3]], [[5.0, 2.0, 3]]]
    assert np.array_equal(unpacked(found.packed(1)), times[1])


def test_without_times_there_are_none():
    layer = RecordedLayer("lstm", "LSTM", {"hidden_state": np.zeros((1, 3, 2), np.float32)})
    assert shown_times(Recording.from_layers([layer])["lstm"]) is None
    assert shown_times(None) is None
    empty = xr.DataArray(np.zeros((1, 0)), dims=("example", "timestep"))
    assert shown_times(empty.assign_coords(time=("timestep", np.zeros(0)))) is None


def test_found_places_tell_their_times():
    values = np.full((1, 60, 3), 0.1, np.float32)
    for start in (5, 30, 50):
        values[0, start : start + 4, 1] = 0.9
    times = standard_times(days("2015-12-28", 60), 1, 60)
    layer = RecordedLayer("lstm", "LSTM", {"hidden_state": values}, times=times)
    grid = lw.CellGrid(Recording.from_layers([layer]))
    request = {"id": "1", "span": [5, 9], "layer": "lstm", "signal": "hidden_state"}
    reply, _ = grid._answer({**request, "example": 0, "threshold": 0.5})
    assert [match["words"][2] for match in reply["matches"]] == [
        "2016-01-27 to 2016-01-30",
        "2016-02-16 to 2016-02-19",
    ]
    # For a table, apart; of numbers the numbers.
    assert reply["matches"][0]["times"] == ["2016-01-27", "2016-01-30"]
    quarters = dataclasses.replace(layer, times=standard_times(np.arange(60) / 4, 1, 60))
    counted = lw.CellGrid(Recording.from_layers([quarters]))
    reply, _ = counted._answer({**request, "example": 0, "threshold": 0.5})
    assert reply["matches"][0]["times"] == [7.5, 8.25]


if __name__ == "__main__":
    made = {name: told(shown(times)) for name, times in CASES.items()}
    TABLE.write_text(json.dumps(made, indent=1, ensure_ascii=False) + "\n", "utf-8")


DAYS, WEEKS = [1] * 30, [1, 1, 1, 1, 3] * 20


@pytest.mark.parametrize(
    ("steps", "expected"),
    [  # The same as in js/test/data/times.test.mjs.
        (DAYS, []),
        ([*DAYS, 2, *DAYS], [31]),
        ([*DAYS, 9, 7, *DAYS], [31, 32]),
        (WEEKS, []),
        ([*WEEKS, 4, *WEEKS], []),
        ([*WEEKS, 10, *WEEKS], [101]),
        # Rarer from some day on, which is no gap but for the first.
        ([*[1] * 100, 7, 7, 7, 7], [101]),
        ([5, 1], []),
        ([1, 1, 1, 4], [4]),
        ([3], []),
        ([], []),
    ],
)
def test_timesteps_are_missing_where_a_step_is_longer_than_is_usual_there(steps, expected):
    assert gaps(np.cumsum([0.0, *steps])).tolist() == expected
