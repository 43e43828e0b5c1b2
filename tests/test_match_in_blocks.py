"""Matching a recording that is read block by block: every edge, here and on a cluster, in little room."""

from __future__ import annotations

import tracemalloc

import distributed
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import lstm_widgets as lw
from lstm_widgets.analysis import matching
from lstm_widgets.recording import RecordedLayer, Recording


def recording_of(examples=1, timesteps=600, cells=20, *, seed=0, padded=False):
    """Cells that are on and off in words of some timesteps."""
    rng = np.random.default_rng(seed)
    known = rng.normal(size=(20, cells)).astype(np.float32)
    lengths, words = rng.integers(1, 9, (examples, timesteps)), rng.integers(0, 20, timesteps)
    values = np.stack([known[np.repeat(words, each)[:timesteps]] for each in lengths])
    mask = None
    if padded:
        mask = np.arange(timesteps) < rng.integers(timesteps // 2, timesteps, (examples, 1))
    tokens = np.array([list("abcdefghij" * timesteps)[:timesteps]] * examples, object)
    layer = RecordedLayer("lstm", "LSTM", {"hidden_state": values}, mask=mask, tokens=tokens)
    return Recording.from_layers([layer])


def found_in(recording, block, monkeypatch, **options):
    with monkeypatch.context() as patch:
        patch.setattr(matching, "_BLOCK_VALUES", block)
        return lw.match(recording, (40, 44), relax=True, **options)


@settings(max_examples=30)
@given(
    st.integers(1, 3),
    st.integers(60, 200),
    st.integers(1, 3000),
    st.sampled_from([1, 5, 1000]),
    st.booleans(),
)
def test_blocks_of_any_size_find_the_same(examples, timesteps, block, limit, padded):
    recording = recording_of(examples, timesteps, padded=padded)
    with pytest.MonkeyPatch.context() as patch:
        whole = found_in(recording, 1 << 22, patch, limit=limit)
        parts = found_in(recording, block, patch, limit=limit)
    assert len(whole) or limit == 0 or not whole.attrs["cells"] or timesteps < 100
    assert parts.equals(whole)
    assert parts.attrs == whole.attrs


def test_a_span_on_all_through_many_blocks_is_one(monkeypatch):
    values = np.zeros((1, 1000, 3), np.float32)
    values[0, 40:44] = values[0, 100:900] = 1
    values[0, 99, 1] = values[0, 900, 2] = -1  # just outside on with the other sign: off
    values[0, 899, 0] = np.nan  # not on all through it
    layer = RecordedLayer("lstm", "LSTM", {"hidden_state": values})
    found = found_in(Recording.from_layers([layer]), 30, monkeypatch)
    assert found[["start", "stop", "shared", "cells_on"]].to_numpy().tolist() == [[100, 900, 2, 2]]


@pytest.fixture(scope="module")
def cluster():
    with distributed.LocalCluster(
        n_workers=1, threads_per_worker=1, processes=True, dashboard_address=None
    ) as made:
        yield made


@pytest.mark.parametrize("workers", [1, 2])
def test_a_cluster_finds_the_same(cluster, workers, tmp_path, monkeypatch):
    recording_of(2, padded=True).save(tmp_path / "saved")
    opened = lw.open_recording(tmp_path / "saved")
    here = found_in(opened, 1000, monkeypatch)
    cluster.scale(workers)
    with distributed.Client(cluster) as client:
        client.wait_for_workers(workers)
        there = found_in(opened, 1000, monkeypatch)
    assert len(here) > 10
    assert there.equals(here)
    assert there.attrs == here.attrs


def test_memory_is_that_of_a_block_and_of_bits(monkeypatch):
    recording = recording_of(1, 100_000, 128)
    found_in(recording_of(), 1 << 16, monkeypatch)  # what is imported and kept for good
    tracemalloc.start()
    found = found_in(recording, 1 << 16, monkeypatch)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert len(found) == 50
    # The values have 512 bytes a timestep; bits of the chosen cells a few.
    assert peak < 100_000 * 100
