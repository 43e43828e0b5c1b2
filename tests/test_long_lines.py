"""Lines of what isn't in memory are those of the same values in memory, at whatever edges they are cut."""

from __future__ import annotations

import math
from functools import partial

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from test_levels_on_disk import OnDisk

import lstm_widgets as lw
from lstm_widgets.recording import RecordedLayer, RecordedSeries, Recording, open_recording
from lstm_widgets.recording.levels import Accumulator, KeptLevels, Levels, OneCell
from lstm_widgets.recording.rows import Rows
from lstm_widgets.recording.store.stored import StoredArray
from lstm_widgets.views import lines as views_lines
from lstm_widgets.views import long_lines
from lstm_widgets.views.line import Line
from lstm_widgets.views.long_lines import LongLine
from lstm_widgets.views.places import Places

odd = st.sampled_from([math.nan, math.inf, -math.inf, 0.0, 1e-3, -7.0, 2.5])


@st.composite
def signals(draw):
    """Draw a signal, with holes here and there, and where it is padded."""
    shape = draw(st.tuples(st.integers(1, 3), st.integers(1, 1500), st.integers(1, 2)))
    values = np.random.default_rng(draw(st.integers(0, 9))).normal(size=shape).astype(np.float32)
    for _ in range(draw(st.integers(0, 4))):
        start = draw(st.integers(0, shape[1] - 1))
        width = draw(st.integers(1, 300))
        values[draw(st.integers(0, shape[0] - 1)), start : start + width] = draw(odd)
    mask = None
    if draw(st.booleans()):
        mask = np.ones(shape[:2], np.bool_)
        for row in mask:
            row[draw(st.integers(0, shape[1])) :] = False
            row[: draw(st.integers(0, 99))] = False
    return values, mask


def on_disk(values, mask, chunk, *, written):
    """Give levels and the mask as they come from a disk, with what was written beside or without."""
    kept = None
    if written:
        whole = Accumulator(values.shape[2])
        runs = whole.add(values.reshape(-1, values.shape[2]))
        levels = {one.level: Rows(OnDisk(one.values).variable((16, 3, 1)), axes=1) for one in runs}
        kept = KeptLevels(levels, whole.statistics)
    levels = Levels(OnDisk(values).variable((1, chunk, values.shape[2])), None, kept)
    return levels, None if mask is None else Rows(OnDisk(mask).variable((1, chunk)))


@settings(max_examples=60)
@given(signals(), st.integers(1, 700), st.booleans(), st.integers(1, 400), st.data())
def test_a_long_line_is_the_line_of_all_values(drawn, chunk, written, together, data):
    values, mask = drawn
    examples, count, cells = values.shape
    example = data.draw(st.integers(0, examples - 1))
    cell = data.draw(st.integers(0, cells - 1))
    levels, real = on_disk(values, mask, chunk, written=written)
    long = LongLine(levels, cell, example, count, real)
    row = values[example, :, cell]
    short = Line(row if mask is None else np.where(mask[example], row, np.nan))
    assert (len(long), long.top) == (len(short), short.top)
    edges = np.sort(data.draw(hnp.arrays(np.int64, 12, elements=st.integers(0, count))))
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(long_lines, "_TOGETHER", together)
        patch.setattr(long_lines, "_BETWEEN", together // 3)
        for level in range(6):
            for block in range(3):
                np.testing.assert_array_equal(long.tile(level, block), short.tile(level, block))
        np.testing.assert_array_equal(long.columns(edges), short.columns(edges))
        for first, stop in ((0, None), (int(edges[3]), int(edges[8]))):
            assert long.extent(first, stop) == short.extent(first, stop)
            np.testing.assert_array_equal(long.read(first, edges[8]), short.read(first, edges[8]))


@given(
    st.lists(st.floats(-50, 50), min_size=1, max_size=60, unique=True).map(sorted),
    st.lists(st.floats(-60, 60), max_size=9),
    st.booleans(),
)
def test_places_are_found_as_among_all_of_them(times, wanted, counted):
    if counted:
        places = Places(len(times), first=times[0], step=0.75)
        times = times[0] + 0.75 * np.arange(len(times))
    else:
        places = Places(len(times), times=np.array(times))
    times = np.array(times)
    np.testing.assert_array_equal(places[:], times)
    assert places[-1] == times[-1]
    within = slice(len(times) // 3, len(times))
    expected = np.searchsorted(times[within], np.array(wanted)) + within.start
    np.testing.assert_array_equal(places.search(np.array(wanted), within), expected)
    for place in (*wanted, *times.tolist()):
        assert places.find(place) == np.searchsorted(times, place)
        assert places.find(place, "right") == np.searchsorted(times, place, "right")
        assert abs(places[places.nearest(place)] - place) == np.abs(times - place).min()


# -- of recordings -----------------------------------------------------------------------------------


def made(examples=2, timesteps=3001, *, padded=True):
    """Make a recording of two directions and a series, of a length that is no multiple of anything."""
    rng = np.random.default_rng(0)
    mask = np.ones((examples, timesteps), np.bool_)
    if padded:
        mask[-1, timesteps - 700 :] = False

    def layer(name):
        values = np.tanh(rng.normal(size=(examples, timesteps, 3))).astype(np.float32)
        return RecordedLayer(
            name, "GRU", {"hidden_state": values}, mask, go_backwards=name.endswith("backward")
        )

    numbers = rng.normal(size=(examples, timesteps, 2)).astype(np.float32)
    numbers[0, 200:1500, 1] = np.nan
    numbers[:, ::5, 0] = np.nan
    series = RecordedSeries(numbers, ("rain", "snow"), ("mm", ""))
    return Recording.from_layers([layer("both/forward"), layer("both/backward")], inputs=series)


@pytest.fixture
def saved(tmp_path, monkeypatch):
    monkeypatch.setattr("lstm_widgets.recording.store.layout.CHUNK_BYTES", 1 << 12)
    recording = made()
    recording.save(tmp_path / "saved.zarr")
    monkeypatch.setattr(views_lines, "SHORT", 100)
    return recording, open_recording(tmp_path / "saved.zarr")


def shown(recording, **traits):
    count = recording["both"].sizes["timestep"]
    said = np.arange(2 * count).reshape(2, count)
    tracks = {"often": said % 3 == 0, "number": np.where(said % 7, np.sin(said), np.nan)}
    return lw.SeriesPlot(recording, tracks=tracks, cell=4, **traits)


def test_every_line_of_an_opened_recording_is_that_of_the_one_in_memory(saved):
    memory, opened = map(shown, saved)
    keys = memory._keys()
    assert {key.kind for key in keys} == {"channel", "cell", "track"}
    for key in keys:
        for example in (0, 1):
            long = opened._drawn.line(key, example)
            assert isinstance(long, LongLine)
            short = Line(memory._drawn.values(key, example))
            for level in range(6):
                for block in range(3):
                    np.testing.assert_array_equal(long.tile(level, block), short.tile(level, block))
            assert long.extent() == short.extent()
            assert long.extent(700, 2500) == short.extent(700, 2500)


@pytest.mark.parametrize("arrange", ["bands", "overlaid", "examples"])
def test_a_figure_of_an_opened_recording_is_that_of_the_one_in_memory(saved, arrange):
    pictures = []
    for recording in saved:
        widget = shown(recording, arrange=arrange)
        widget.subject = "often"
        pictures.append(widget._repr_mimebundle_()[0]["image/png"])
    assert pictures[0] == pictures[1]


def test_the_first_picture_of_a_long_recording_reads_little_of_it(tmp_path, monkeypatch):
    read = []
    original = StoredArray.read

    def counting(self, key):
        found = original(self, key)
        read.append(found.size)
        return found

    monkeypatch.setattr("lstm_widgets.recording.store.layout.CHUNK_BYTES", 1 << 14)
    values = np.tanh(np.random.default_rng(1).normal(size=(1, 1 << 19, 2))).astype(np.float32)
    layer = RecordedLayer("lstm", "GRU", {"hidden_state": values})
    recording = Recording.from_layers([layer])
    recording.save(tmp_path / "saved.zarr")
    monkeypatch.setattr(StoredArray, "read", counting)
    widget = lw.SeriesPlot(open_recording(tmp_path / "saved.zarr"), cell=1, cells=(0,))
    picture = widget._repr_mimebundle_()[0]["image/png"]
    key = ["cell", 1, "lstm", "hidden_state"]
    lines = [[key, 0, 0, 7], [key, 0, 2, 1], [key, 0, 4, 0]]
    _, found = widget._answer({"id": "1", "lines": lines})
    assert sum(read) < values.size / 8
    whole = lw.SeriesPlot(recording, cell=1, cells=(0,))
    assert widget._summary == whole._summary
    assert widget._overview == whole._overview
    assert picture == whole._repr_mimebundle_()[0]["image/png"]
    assert found == whole._answer({"id": "1", "lines": lines})[1]


def test_what_is_read_by_a_function_is_summed_up_as_any_cell():
    values = np.random.default_rng(0).normal(size=2000).astype(np.float32)
    read = []

    def part(start, stop):
        read.append(stop - start)
        return values[start:stop]

    levels = Levels(OneCell(partial(part), len(values)))
    line = LongLine(levels, 0, 0, len(values))
    np.testing.assert_array_equal(line.tile(3, 0), Line(values).tile(3, 0))
    assert line.extent() == Line(values).extent()
