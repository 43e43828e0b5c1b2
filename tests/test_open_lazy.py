"""Opening a recording, and looking at some of it, takes as much however long it is."""

from __future__ import annotations

import itertools
import json
import shutil
import tracemalloc

import numpy as np
import pandas as pd
import pytest
import xarray as xr
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from lstm_widgets.recording import RecordedLayer, RecordedSeries, Recording, open_recording
from lstm_widgets.recording.joined import joined, numbered
from lstm_widgets.recording.store import layout, places
from lstm_widgets.recording.store import stored as store_arrays
from lstm_widgets.recording.store.stored import stored
from lstm_widgets.recording.times import standard_times

SHORT, LONG = 100, 10**8


def short():
    rng = np.random.default_rng(0)
    days = pd.date_range("2001-01-01", periods=SHORT, freq="s")
    times = standard_times(days, 1, SHORT)
    tokens = np.array([*("abcde" * 20), ""], object)[:-1].reshape(1, SHORT)

    def layer(name, **more):
        values = {"hidden_state": rng.normal(size=(1, SHORT, 4)).astype(np.float32)}
        known = {"initial": {"hidden_state": np.zeros((1, 4), np.float32)}} | more
        return RecordedLayer(
            name, "GRU", values, np.ones((1, SHORT), bool), tokens, times=times, **known
        )

    numbers = rng.normal(size=(1, SHORT, 2)).astype(np.float32)
    return Recording.from_layers(
        [
            layer("both/forward"),
            layer("both/backward", go_backwards=True),
            layer("lstm"),
            layer(
                "called",
                calls=(60, 40),
                initial={"hidden_state": np.zeros((1, 2, 4), np.float32)},
            ),
        ],
        labels=["one"],
        inputs=RecordedSeries(numbers, ("rain", "snow"), ("mm", ""), times),
    )


@pytest.fixture(scope="module")
def paths(tmp_path_factory):
    """Save a short recording, and write one by hand of which only the beginning is there."""
    folder = tmp_path_factory.mktemp("long")
    recording = short()
    for name in ("short", "long"):
        recording.save(folder / name)
    marker = folder / "long" / "zarr.json"
    metadata = json.loads(marker.read_text())
    for node in metadata["consolidated_metadata"]["metadata"].values():
        axes = node.get("dimension_names", [])
        if "timestep" in axes:
            node["shape"][axes.index("timestep")] = LONG
        if "calls" in node.get("attributes", {}):
            node["attributes"]["calls"] = [60, LONG - 60]
    marker.write_text(json.dumps(metadata))
    (times,) = folder.glob("long/data-*/inputs/time")
    shutil.copy(times / "c.0", times / f"c.{LONG // SHORT - 1}")  # when it ends is told
    return folder


def peak(work):
    tracemalloc.start()
    try:
        found = work()
        return found, tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()


LOOKS = {
    "names": lambda r: r.layers,
    "layers": lambda r: [r[name] for name in (*r.layers, "both", "called:1", "called:2")],
    "calls": lambda r: [r.calls(name) for name in ("lstm", "both", "called", "called:1")],
    "beginning": lambda r: r["lstm"].isel(timestep=slice(0, 50)).load(),
    "one": lambda r: float(r["lstm"].hidden_state[0, 7, 2]),
    "both": lambda r: r["both"].isel(timestep=slice(0, 50)).load(),
    "some": lambda r: r["lstm"].hidden_state.isel(timestep=[3, 99, 5]).load(),
    "inputs": lambda r: r.inputs[0, :9].load(),
    "initial": lambda r: r.initial_states("both", "hidden_state"),
    "number": lambda r: r["lstm"].sel(timestep=slice(3, 9)).load(),
    "told": lambda r: (repr(r), r._repr_html_()) and r.layers,
    "length": lambda r: (r["lstm"].sizes, r["lstm"].nbytes),
    "call": lambda r: r.calls("called").call[50:70].load(),
    "first of two": lambda r: r["called:1"].load(),
}


@pytest.mark.parametrize("look", LOOKS)
def test_a_look_takes_no_more_room_in_a_long_recording(paths, look):
    LOOKS[look](open_recording(paths / "short"))  # what is loaded once
    few, little = peak(lambda: LOOKS[look](open_recording(paths / "short")))
    many, much = peak(lambda: LOOKS[look](open_recording(paths / "long")))
    # A byte for each of a thousand timesteps would be more.
    assert much < little + 100_000
    if look not in ("layers", "calls", "length"):
        np.testing.assert_array_equal(getattr(few, "mask", few), getattr(many, "mask", many))


def test_opening_reads_no_times_and_what_selects_reads_them(paths, monkeypatch):
    read = []
    get = places.Place.get

    async def spy(self, key, prototype):
        read.append(key)
        return await get(self, key, prototype)

    monkeypatch.setattr(places.Place, "get", spy)
    opened = open_recording(paths / "short")
    layer, inputs = opened["lstm"], opened.inputs
    part = layer.isel(timestep=slice(10, 20), cell=2)
    # The names of an axis' places are an index, which is read.
    assert [key.split("/")[1:3] for key in read] == [[], ["inputs", "channel"]]
    assert "time" in part.xindexes
    assert part.sel(time="2001-01-01 00:00:13").hidden_state.sizes == {"example": 1}
    assert {key.split("/")[2] for key in read[2:]} == {"time"}
    whole = short()["lstm"]
    for select in ("2001-01-01 00:01", slice("2001-01-01 00:00:05", "2001-01-01 00:00:07")):
        xr.testing.assert_identical(layer.sel(time=select).load(), whole.sel(time=select))
    assert inputs.sel(time="2001-01-01 00:00:05", method="nearest").sizes["channel"] == 2


def test_what_has_times_can_be_held_against_what_is_in_memory(paths):
    opened, memory = open_recording(paths / "short")["lstm"], short()["lstm"]
    difference = opened.hidden_state - memory.hidden_state
    assert difference.sizes == memory.hidden_state.sizes
    assert not difference.any()
    assert "time" in difference.xindexes
    table = opened.hidden_state[0, :, 1].to_series()
    assert table.index.names == ["timestep"]
    together = xr.concat(
        [opened.isel(timestep=slice(0, 7)), opened.isel(timestep=slice(7, 9))], "timestep"
    )
    xr.testing.assert_identical(
        together.hidden_state.load(), memory.isel(timestep=slice(0, 9)).hidden_state
    )
    assert together.sel(time="2001-01-01 00:00:08").timestep == 8


def test_a_variable_knows_what_it_is_the_whole_of(paths):
    layer = open_recording(paths / "short")["lstm"]
    found = stored(layer.hidden_state)
    assert found is not None
    assert found.shape == (1, SHORT, 4)
    assert found.path.endswith("2-lstm/hidden_state")
    for part in (
        {"timestep": slice(1, None)},
        {"cell": [0, 1, 2, 3]},
        {"timestep": slice(None, None, -1)},
    ):
        assert stored(layer.hidden_state.isel(part)) is None
    assert stored(short()["lstm"].hidden_state) is None
    assert stored(layer.load().hidden_state) is None


@settings(
    max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(data=st.data())
def test_numbers_are_looked_up_chunk_by_chunk(tmp_path_factory, monkeypatch, data):
    values = np.arange(2 * 30 * 3, dtype=np.float32).reshape(2, 30, 3)
    recording = Recording.from_layers([RecordedLayer("lstm", "GRU", {"hidden_state": values})])
    path = tmp_path_factory.getbasetemp() / "looked up"
    if not path.exists():
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(layout, "CHUNK_BYTES", 4 * 7 * 3)
            recording.save(path)
    monkeypatch.setattr(store_arrays, "_MANY", 1)
    index = {
        axis: data.draw(
            st.one_of(
                st.integers(-size, size - 1), st.lists(st.integers(-size, size - 1), max_size=6)
            )
        )
        for axis, size in recording["lstm"].sizes.items()
    }
    found = open_recording(path)["lstm"].hidden_state.isel(index)
    np.testing.assert_array_equal(found, recording["lstm"].hidden_state.isel(index))


INDEX = st.one_of(
    st.integers(-6, 5),
    st.slices(6).filter(lambda s: s.indices(6)[2] > 0 or range(6)[s]),
    st.lists(st.integers(-6, 5), max_size=5),
)


@settings(max_examples=200, deadline=None)
@given(
    cuts=st.lists(st.integers(0, 6), max_size=4).map(lambda cuts: [0, *sorted(cuts), 6]),
    along=INDEX,
    across=st.one_of(
        st.integers(0, 2), st.just(slice(None)), st.lists(st.integers(0, 2), max_size=3)
    ),
    first=st.booleans(),
)
def test_what_is_joined_is_what_it_is_in_the_whole(cuts, along, across, first):
    whole = np.arange(18).reshape(6, 3)
    dims = ("a", "b") if first else ("b", "a")
    whole = whole if first else whole.T
    parts = [xr.Variable(dims, whole).isel(a=slice(*span)) for span in itertools.pairwise(cuts)]
    expected = xr.Variable(dims, whole).isel(a=along, b=across)
    xr.testing.assert_identical(joined(parts, "a").isel(a=along, b=across).load(), expected)


@settings(max_examples=50, deadline=None)
@given(st.lists(st.integers(0, 4), min_size=1, max_size=5))
def test_stretches_are_numbered(lengths):
    expected = np.repeat(np.arange(1, len(lengths) + 1), lengths)
    np.testing.assert_array_equal(numbered(lengths, "timestep"), expected)
