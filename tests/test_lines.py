"""Lines at every level of detail, against plain Python that looks at one value after the other."""

from __future__ import annotations

import itertools
import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from recordings import rivers

from lstm_widgets.recording import RecordedLayer, RecordedSeries, Recording
from lstm_widgets.views.line import POOLED, TILE, Line, top_level
from lstm_widgets.views.lines import Key, Lines, counted
from lstm_widgets.widgets.page.lines import answer_lines, rows_of

# As a sensor gives them: numbers, and nothing now and then.
measured = st.one_of(st.just(math.nan), st.floats(width=32, allow_nan=False))
rows = hnp.arrays(np.float32, st.integers(0, 300), elements=measured)


def ends(values):
    """Find the lowest and the highest of what there is; NaN, NaN of nothing."""
    there = [float(value) for value in values if not math.isnan(value)]
    return (min(there), max(there)) if there else (math.nan, math.nan)


@given(rows, st.integers(0, 4))
def test_a_level_has_the_lowest_and_the_highest_of_each_run(values, level):
    size = POOLED**level
    expected = [ends(values[i : i + size]) for i in range(0, len(values), size)]
    found = Line(values).level(level)
    np.testing.assert_array_equal(found, np.array(expected, np.float32).reshape(-1, 2).T)


@given(rows.filter(len), st.data())
def test_no_level_loses_a_spike(values, data):
    at = data.draw(st.integers(0, len(values) - 1))
    values[np.isinf(values)] = 0
    values = np.clip(values, -1e6, 1e6)
    values[at] = 1e7
    for level in range(6):
        high = Line(values).level(level)[1]
        assert high[at // POOLED**level] == np.float32(1e7)


@given(st.integers(1, 200), st.integers(0, 200), st.integers(1, 200))
def test_a_gap_stays_one_and_grows_nowhere(before, gap, after):
    values = np.concatenate([np.ones(before), np.full(gap, np.nan), np.ones(after)])
    for level in range(5):
        size = POOLED**level
        missing = np.isnan(Line(values.astype(np.float32)).level(level)[0])
        whole = [np.isnan(values[i : i + size]).all() for i in range(0, len(values), size)]
        assert missing.tolist() == whole


@given(rows, st.lists(st.integers(0, 300), min_size=2, max_size=20).map(sorted))
def test_columns_have_what_lies_between_their_edges(values, edges):
    edges = np.minimum(edges, len(values))
    expected = [ends(values[a:b]) for a, b in itertools.pairwise(edges)]
    found = Line(values).columns(edges)
    np.testing.assert_array_equal(found, np.array(expected, np.float32).T)


@given(st.integers(0, 10_000_000))
def test_the_top_is_the_first_level_in_one_tile(count):
    level = top_level(count)
    assert math.ceil(count / POOLED**level) <= TILE
    assert level == 0 or math.ceil(count / POOLED ** (level - 1)) > TILE


def test_tiles_put_together_are_the_level():
    values = np.random.default_rng(0).normal(size=5000).astype(np.float32)
    line = Line(values)
    exact = np.concatenate([line.tile(0, block) for block in range(10)])
    np.testing.assert_array_equal(exact, values)
    runs = np.concatenate([line.tile(1, block) for block in range(3)], axis=1)
    np.testing.assert_array_equal(runs, line.level(1))
    assert line.tile(0, 10).size == 0


def test_the_extent_is_that_of_finite_values():
    assert Line(np.array([np.nan, 3, -np.inf, -2, np.inf], np.float32)).extent() == (-2, 3)
    assert Line(np.array([np.nan, np.inf], np.float32)).extent() is None
    assert Line(np.zeros(0, np.float32)).extent() is None


def test_lines_are_those_of_the_recording():
    recording = rivers()
    lines = Lines(recording, {})
    inputs, said = recording.inputs, recording.outputs
    for example in (0, 1):
        for i, name in enumerate(["rain", "temperature"]):
            found = lines.line(Key("channel", i), example).read(0, 99999)
            expected = inputs.sel(channel=name)[example].values
            np.testing.assert_array_equal(found, expected)
        np.testing.assert_array_equal(lines.values(Key("output", 0), example), said[example, :, 0])
        cell = lines.values(Key("cell", 4, "lstm", "cell_state"), example)
        np.testing.assert_array_equal(cell, recording["lstm"].cell_state[example, :, 4])
    (flow,) = lines.outputs
    assert (flow.name, flow.unit, flow.output, flow.target) == ("flow", "mm", 0, 0)
    assert lines.line(Key("channel", 0), 0) is lines.line(Key("channel", 0), 0)
    days = lines.places("lstm", 0)
    assert days[1] - days[0] == 86_400_000
    assert days[0] == np.datetime64("2001-01-01", "ms").astype(int)
    with pytest.raises(IndexError):
        lines.values(Key("channel", 9), 0)


def test_outputs_and_targets_of_other_names_stand_for_themselves():
    recording = rivers()
    lines = Lines(recording, {})
    lines._arrays["target"] = recording.targets.assign_coords(output=["level"])
    found = [(one.name, one.output, one.target) for one in lines.outputs]
    assert found == [("flow", 0, None), ("level", None, 0)]


def test_fewer_timesteps_than_the_series_are_counted_in_its_own():
    dataset = rivers()["lstm"].drop_vars("time").isel(timestep=slice(3, None, 7))
    positions = dataset.assign_coords(position=("timestep", dataset.timestep.values))
    assert counted(positions) == [3, 7]
    assert counted(dataset) == [0, 1]
    assert counted(positions.isel(timestep=slice(0, 1))) == [3, 1]
    assert counted(positions.isel(timestep=slice(0, 0))) == [0, 1]


def test_a_cell_is_a_gap_where_its_layer_is_padded():
    values = np.random.default_rng(1).normal(size=(2, 9, 3)).astype(np.float32)
    mask = np.arange(9) < np.array([[9], [5]])
    layer = RecordedLayer("lstm", "LSTM", {"hidden_state": values}, mask)
    read = np.where(mask[..., None], values[..., :1], np.nan).astype(np.float32)
    recording = Recording.from_layers([layer], inputs=RecordedSeries(read, ("rain",), ("mm",)))
    lines = Lines(recording, {})
    key = Key("cell", 2, "lstm", "hidden_state")
    np.testing.assert_array_equal(lines.values(key, 0), values[0, :, 2])
    np.testing.assert_array_equal(lines.values(key, 1)[:5], values[1, :5, 2])
    assert np.isnan(lines.values(key, 1)[5:]).all()
    # In what a page asks for and in what it is saved with, too; the recording keeps its values.
    _, (tile,) = answer_lines(lines, {"id": "1", "lines": [[list(key), 1, 0, 0]]})
    np.testing.assert_array_equal(np.frombuffer(tile, np.float32), lines.values(key, 1))
    _, held = rows_of(lines, [key], (0, 2))
    assert np.isnan(np.frombuffer(held, np.float32)).sum() == 4
    assert not np.isnan(recording["lstm"].hidden_state).any()
