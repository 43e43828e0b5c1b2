"""Windows among more timesteps than fit in memory: found a block at a time, and the same ones."""

from __future__ import annotations

import tracemalloc

import numpy as np
import pytest
import xarray as xr
from hypothesis import given, settings
from hypothesis import strategies as st

from lstm_widgets.analysis.series import origin_of
from lstm_widgets.recording import RecordedLayer, Recording, long_overlap
from lstm_widgets.recording.long_overlap import Compared


def rows_of(values):
    return xr.DataArray(np.asarray(values), dims=("example", "timestep"))


def by_blocks(values, block):
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(long_overlap, "MANY", 0)
        patch.setattr(long_overlap, "BLOCK", block)
        compared = Compared(rows_of(values))
        return compared.find(), compared.different(), compared.mostly_once()


def same(one, other):
    assert (one is None) == (other is None)
    if one is not None:
        assert one.series.tolist() == other.series.tolist()
        assert one.start.tolist() == other.start.tolist()
        assert one.timesteps == other.timesteps


@settings(max_examples=15)
@given(
    seed=st.integers(0, 10**6),
    step=st.integers(3, 30),
    block=st.sampled_from([40, 64, 500, 1 << 18]),
    kind=st.sampled_from(["walk", "ids", "characters", "apart"]),
    shuffled=st.booleans(),
)
def test_any_block_gives_the_windows_that_the_whole_gives(seed, step, block, kind, shuffled):
    rng = np.random.default_rng(seed)
    rows, series, starts = [], [], []
    for one in range(3):
        long = {
            "walk": rng.normal(size=160).cumsum(),
            "ids": rng.integers(0, 400, 160),
            "characters": np.array([*"etaoinshrdlu wbcm"], object)[rng.integers(0, 17, 160)],
            "apart": rng.normal(size=20 * 64),
        }[kind]
        at = np.arange(0, len(long) - 63, 64 if kind == "apart" else step)
        rows += [long[k : k + 64] for k in at]
        series += [one] * len(at)
        starts += at.tolist()
    order = rng.permutation(len(rows)) if shuffled else np.arange(len(rows))
    values = np.stack(rows)[order]
    found, different, mostly_once = by_blocks(values, block)
    whole = Compared(rows_of(values))
    assert not whole.long
    same(found, whole.find())
    assert different == whole.different() == len(rows)
    if kind == "apart" or (step < 20 and block == 1 << 18):  # a small sample says little
        assert mostly_once == whole.mostly_once() == (kind == "apart")
    if found is not None:
        for one in range(3):
            here = np.array(series)[order] == one
            assert len(set(found.series[here])) == 1
            assert len(set((np.array(starts)[order] - found.start)[here])) == 1


def test_examples_that_are_the_same_and_those_that_say_nothing():
    rng = np.random.default_rng(0)
    row = rng.normal(size=200)
    found, different, _ = by_blocks([row, rng.normal(size=200), row], 16)
    assert found.series.tolist() == [0, 1, 0]
    assert different == 2
    for nothing in (np.zeros((20, 30)), np.zeros((1, 30)), rng.normal(size=(20, 1))):
        assert by_blocks(nothing, 16)[0] is None or (nothing == 0).all()


def test_a_long_recording_is_told_from_its_tokens_in_little_memory(monkeypatch):
    rng = np.random.default_rng(1)
    monkeypatch.setattr(long_overlap, "MANY", 1 << 12)
    monkeypatch.setattr(long_overlap, "BLOCK", 1 << 12)
    monkeypatch.setattr(long_overlap, "COUNTED", 12)
    monkeypatch.setattr(long_overlap, "FILTER", 12)
    text = np.array([*"etaoinshrdlu wbcm\n"], object)[rng.integers(0, 18, 120_000)]
    tokens = np.stack([text[:80_000], text[40_000:]])
    states = np.zeros((*tokens.shape, 1), np.float32)
    layer = RecordedLayer("lstm", "LSTM", {"hidden_state": states}, tokens=tokens)
    recording = Recording.from_layers([layer])
    recording["lstm"].sizes  # noqa: B018 - its index is made once
    tracemalloc.start()
    try:
        origin = origin_of(recording, "lstm", {}, None, None)
        grown = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert origin.start.tolist() == [0, 40_000]
    assert origin.told.endswith("as their tokens show")
    assert grown < tokens.size * 8
