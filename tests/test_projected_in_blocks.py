"""Projections and expected responses of long recordings: on a cluster, and in little room."""

from __future__ import annotations

import tracemalloc

import distributed
import numpy as np
import pytest

import lstm_widgets as lw
from lstm_widgets.analysis import blocks, responses
from lstm_widgets.recording import RecordedLayer, Recording


def recording_of(examples, timesteps, cells, *, backwards=False):
    rng = np.random.default_rng(0)
    values = rng.normal(size=(examples, timesteps, cells)).astype(np.float32)
    tokens = np.array([*"abcde "], object)[rng.integers(6, size=values.shape[:2])]
    layer = RecordedLayer(
        *("lstm", "LSTM", {"hidden_state": values}, rng.random(values.shape[:2]) < 0.9, tokens),
        go_backwards=backwards,
        initial={"hidden_state": np.ones((examples, cells), np.float32)},
    )
    return Recording.from_layers([layer])


@pytest.mark.parametrize(
    "asked",
    [lw.project, lambda recording: lw.expected_responses(recording, clusters=0)],
    ids=["project", "expected_responses"],
)
def test_memory_is_that_of_blocks_and_of_what_is_kept(asked, tmp_path, monkeypatch):
    monkeypatch.setattr(blocks, "ROW_VALUES", 1 << 18)
    monkeypatch.setattr(responses, "_KEPT_VALUES", 1 << 14)
    asked(recording_of(1, 20, 2))  # what is imported and kept for good
    peaks = []
    for timesteps in (60_000, 160_000):
        recording_of(1, timesteps, 64).save(tmp_path / str(timesteps))
        recording = lw.open_recording(tmp_path / str(timesteps))
        tracemalloc.start()
        asked(recording)
        peaks.append(tracemalloc.get_traced_memory()[1])
        tracemalloc.stop()
    # The values have 256 bytes a timestep; positions 12.
    assert peaks[1] - peaks[0] < 100_000 * 32


@pytest.fixture(scope="module")
def client():
    with (
        distributed.LocalCluster(
            n_workers=2, threads_per_worker=1, processes=True, dashboard_address=None
        ) as made,
        distributed.Client(made) as client,
    ):
        yield client


@pytest.mark.parametrize("backwards", [False, True])
@pytest.mark.parametrize("saved", [False, True])
def test_a_cluster_finds_the_same(client, backwards, saved, tmp_path, monkeypatch):
    recording = recording_of(2, 700, 6, backwards=backwards)
    if saved:
        recording.save(tmp_path / "r")
        recording = lw.open_recording(tmp_path / "r")
    monkeypatch.setattr(blocks, "ROW_VALUES", 1500)
    there = lw.project(recording), lw.expected_responses(recording, clusters=2)
    with monkeypatch.context() as patch:
        patch.setattr("lstm_widgets.recording.blockwise.current_client", lambda: None)
        here = lw.project(recording), lw.expected_responses(recording, clusters=2)
    assert client.status == "running"
    for one, other in zip(here, there, strict=True):
        assert one.identical(other)
