"""Packed tracks: what comes out is what was put in, wherever it is cut, turned or taken."""

from __future__ import annotations

import pickle

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays

from lstm_widgets.concepts import packed
from lstm_widgets.concepts.packed import PackedTrack, Packing

NUMBERS = st.one_of(
    st.sampled_from([np.nan, 0.0, -0.0, 1.0, -128.0, -127.0, 127.0, 128.0, -32768.0, np.inf]),
    st.integers(-(2**33), 2**33).map(float),
    st.floats(allow_nan=False),
)
TRACKS = st.one_of(
    arrays.arrays(bool, st.integers(0, 70)),
    st.lists(NUMBERS, max_size=70).map(lambda values: np.array(values, np.float64)),
    st.tuples(NUMBERS, st.integers(0, 70)).map(lambda pair: np.full(pair[1], pair[0])),
)


@pytest.fixture(autouse=True)
def small(monkeypatch):
    """Cross many edges."""
    monkeypatch.setattr(packed, "COLUMNS", 16)


def same(found, expected):
    """To the bit, but that there are many NaNs."""
    assert found.dtype == expected.dtype
    assert found.shape == expected.shape
    np.testing.assert_array_equal(found, expected)
    if expected.dtype == np.float64:
        there = ~np.isnan(expected)
        np.testing.assert_array_equal(np.signbit(found[there]), np.signbit(expected[there]))


@given(TRACKS, st.data())
def test_what_comes_out_is_what_was_put_in(values, data):
    packing = Packing("yes_no" if values.dtype == bool else "numeric")
    cuts = sorted(data.draw(st.lists(st.integers(0, len(values)), max_size=5)))
    for part in np.split(values, cuts):
        packing.add(part)
    for track in (packing.packed(), PackedTrack.of(values)):
        assert len(track) == len(values)
        again = pickle.loads(pickle.dumps(track))
        for one in (track, again):
            same(one.block(slice(None)), values)
            a, b = data.draw(st.tuples(st.integers(0, 70), st.integers(0, 70)))
            same(one.block(slice(a, b)), values[a:b])
            if len(values):
                at = data.draw(
                    arrays.arrays(np.intp, (3, 4), elements=st.integers(0, len(values) - 1))
                )
                same(one.take(at), values[at])


@given(TRACKS, st.data())
def test_a_part_is_turned(values, data):
    low = data.draw(st.integers(0, len(values)))
    high = data.draw(st.integers(low, len(values)))
    a = data.draw(st.integers(low, high))
    b = data.draw(st.integers(a, high))
    steps = data.draw(st.integers(-200, 200))
    rolled = values.copy()
    rolled[low:high] = np.roll(values[low:high], steps)
    same(PackedTrack.of(values).turned(slice(a, b), steps, slice(low, high)), rolled[a:b])


@pytest.mark.parametrize(
    ("values", "size"),
    [
        (np.arange(160) % 2 == 0, 20),
        (np.where(np.arange(160) % 7, np.arange(160.0) % 100, np.nan), 160),
        (np.arange(160.0) * 200, 320),
        (np.arange(160.0) / 8, 640),
        (np.arange(160.0) / 7, 1280),
        (np.full(160, 3.0), 10),
        (np.full(160, np.nan), 40),
    ],
)
def test_how_little_room_they_take(values, size):
    assert PackedTrack.of(values).nbytes <= size
