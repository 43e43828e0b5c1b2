"""Concepts given as tables of pandas: values find their timesteps by the times in the index."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

import lstm_widgets as lw
from lstm_widgets.recording import RecordedLayer, Recording
from lstm_widgets.recording.times import standard_times

DAYS = pd.date_range("2001-03-01", periods=6, freq="D", tz="Europe/Berlin")


def recording_of(times=DAYS, examples=2, labels=None, positions=None, timesteps=6):
    states = np.zeros((examples, timesteps, 1), np.float32)
    times = None if times is None else standard_times(times, examples, timesteps)
    layer = RecordedLayer("lstm", "LSTM", {"cell_state": states}, times=times, positions=positions)
    return Recording.from_layers([layer], labels=labels)


def said(recording, concepts, name="x"):
    return lw.concepts.tracks(recording, concepts)[name].to_numpy()


def test_a_series_is_known_by_its_times_in_whatever_order_and_zone():
    series = pd.Series(np.arange(6.0), index=DAYS)
    cut = pd.concat([series[:2], series[3:]])[::-1].tz_convert("Asia/Tokyo")
    expected = [0, 1, np.nan, 3, 4, 5]
    np.testing.assert_array_equal(said(recording_of(), {"x": cut}), [expected, expected])
    longer = pd.Series(np.arange(30.0), index=pd.date_range(DAYS[0], periods=30, freq="D"))
    np.testing.assert_array_equal(said(recording_of(), {"x": longer})[0], np.arange(6))


def test_a_column_for_each_example_is_found_by_its_label_or_its_place():
    frame = pd.DataFrame({"B": np.arange(6.0), "A": -np.arange(6.0)}, index=DAYS)
    by_label = said(recording_of(labels=["A", "B"]), {"x": frame})
    np.testing.assert_array_equal(by_label, [-np.arange(6.0), np.arange(6.0)])
    by_place = said(recording_of(labels=["one", "other"]), {"x": frame})
    np.testing.assert_array_equal(by_place, [np.arange(6.0), -np.arange(6.0)])
    with pytest.raises(
        ValueError, match="a column called 'one' for each of 3 examples, got 'B', 'A'"
    ):
        said(recording_of(examples=3, labels=["one", "two", "three"]), {"x": frame})


def test_a_table_alone_has_a_column_for_each_concept():
    frame = pd.DataFrame({"snow": np.arange(6.0), "wet": np.arange(6) > 2}, index=DAYS)
    found = lw.concepts.tracks(recording_of(), frame)
    assert [found[name].attrs["kind"] for name in found] == ["numeric", "yes_no"]
    np.testing.assert_array_equal(found["wet"][1], [0, 0, 0, 1, 1, 1])
    table = lw.rank_cells(recording_of(examples=1), frame, shifts=0, lags=0)
    assert table["concept"].tolist() == ["snow", "wet"]


def test_without_times_rows_are_timesteps():
    series = pd.Series(np.arange(6))
    np.testing.assert_array_equal(said(recording_of(times=None), {"x": series})[1], np.arange(6))
    np.testing.assert_array_equal(said(recording_of(), {"x": series})[1], np.arange(6))
    numbers = pd.Series(np.arange(6.0), index=np.arange(6) * 10)
    found = said(recording_of(times=np.arange(6) * 5), {"x": numbers})[0]
    np.testing.assert_array_equal(found, [0, np.nan, 1, np.nan, 2, np.nan])


def test_what_was_not_recorded_is_left_out_of_an_array():
    recording = recording_of(positions=np.arange(6) * 3 + 2, times=None)
    whole = np.arange(40.0).reshape(2, 20)
    np.testing.assert_array_equal(said(recording, {"x": whole}), whole[:, 2:20:3])
    with pytest.raises(ValueError, match=r"2 examples, 6 timesteps"):
        said(recording, {"x": whole[:, :5]})


@pytest.mark.parametrize(
    ("given", "told"),
    [
        (pd.Series(1.0, index=pd.date_range("1990", periods=3, tz="UTC")), "none of its times"),
        (pd.Series(np.ones(5)), "a value for each of 6 timesteps"),
        (pd.Series(DAYS.day > 3, index=DAYS)[:4], "no value at 2001-03-04"),
        (pd.Series(np.ones(6), index=[*DAYS[:5], DAYS[0]]), "one twice"),
    ],
)
def test_errors_name_what_came(given, told):
    with pytest.raises(ValueError, match=told):
        said(recording_of(), {"x": given})


def test_text_is_no_number():
    with pytest.raises(TypeError, match="expected bools or numbers"):
        said(recording_of(), {"x": pd.Series([*"abcdef"], index=DAYS)})


def hours(zone="Europe/Berlin"):
    """The day on which clocks are set back has an hour twice."""
    return pd.date_range("2001-10-28", periods=25, freq="h", tz=zone)


def test_dates_without_a_zone_are_not_taken_for_others():
    recording = recording_of(hours(), timesteps=25)
    clocks = pd.Series(np.arange(25.0), index=hours().tz_localize(None))
    instants = pd.Series(np.arange(25.0), index=hours().tz_convert(None))
    for index in (instants.index, clocks[:2].index, instants.index.to_period("h")):
        given = pd.Series(np.arange(float(len(index))), index=index)
        for concepts in ({"x": given}, pd.DataFrame({"x": given})):
            told = r"concept 'x': expected an index with a time zone, because the recording's times are "
            with pytest.raises(ValueError, match=told + r"in Europe/Berlin; got one without"):
                said(recording, concepts)
    with pytest.raises(ValueError, match="one twice"):
        said(recording, {"x": clocks})
    # The ways out that the error names.
    expected = np.arange(25.0)
    utc = instants.tz_localize("UTC")
    berlin = clocks.tz_localize("Europe/Berlin", ambiguous="infer")
    for given in (utc, berlin, berlin.tz_convert("Asia/Tokyo")):
        np.testing.assert_array_equal(said(recording, {"x": given})[1], expected)
    once = clocks[clocks.index.hour != 2].tz_localize("Europe/Berlin")
    np.testing.assert_array_equal(np.flatnonzero(np.isnan(said(recording, {"x": once})[0])), [2, 3])


def test_dates_with_a_zone_are_not_matched_with_such_as_have_none():
    days = DAYS.tz_localize(None)
    recording, aware = recording_of(days), pd.Series(np.arange(6.0), index=DAYS)
    told = "expected an index without a time zone, .* none; got one in Europe/Berlin"
    with pytest.raises(ValueError, match=told):
        said(recording, {"x": aware})
    np.testing.assert_array_equal(said(recording, {"x": aware.tz_localize(None)})[0], np.arange(6))
    # UTC is the same, whether it is said or not.
    utc = pd.Series(np.arange(6.0), index=days.tz_localize("UTC"))
    np.testing.assert_array_equal(said(recording, {"x": utc})[0], np.arange(6))
    in_utc = recording_of(days.tz_localize("UTC"))
    np.testing.assert_array_equal(said(in_utc, {"x": utc.tz_localize(None)})[0], np.arange(6))


def test_a_prediction_that_comes_back_as_a_table_says_that_it_is_in_utc():
    rng = np.random.default_rng(0)
    index = pd.date_range("2001-01-01", periods=400, freq="h", tz="Europe/Berlin")
    states = rng.normal(size=(1, 400, 3)).astype(np.float32)
    layer = RecordedLayer(
        *("lstm", "LSTM", {"cell_state": states}), times=standard_times(index, 1, 400)
    )
    recording = Recording.from_layers([layer])
    wanted = pd.Series(states[0, :, 1] * 2.0, index=index)
    found = lw.probe(recording, {"x": wanted}, shifts=0).prediction["x"]
    assert found.time.attrs["time_zone"] == "Europe/Berlin"
    table = pd.Series(found[0].to_numpy(), index=found.time.to_index())
    with pytest.raises(ValueError, match=r"index.tz_localize\('UTC'\) for UTC"):
        said(recording, {"x": table})
    np.testing.assert_allclose(said(recording, {"x": table.tz_localize("UTC")}), found)
    with pytest.raises(ValueError, match="expected an index with a time zone"):
        lw.rank_cells(recording, {"x": table}, shifts=0)
    with pytest.raises(ValueError, match="expected an index with a time zone"):
        lw.SeriesPlot(recording, tracks={"x": table})
