"""Layers in blocks: every edge, here and on a cluster."""

from __future__ import annotations

import pickle

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lstm_widgets.recording import RecordedLayer, Recording, open_recording
from lstm_widgets.recording.blockwise import Block, blocks_of, blockwise


def recording_of(examples: int, timesteps: int, cells: int) -> Recording:
    rng = np.random.default_rng(0)
    values = rng.normal(size=(examples, timesteps, cells)).astype(np.float32)
    mask = rng.random((examples, timesteps)) < 0.7
    return Recording.from_layers([RecordedLayer("lstm", "LSTM", {"hidden_state": values}, mask)])


def summed(block: Block) -> tuple[slice, np.ndarray]:
    return block.columns, np.where(block.mask()[..., None], block.read("hidden_state"), 0).sum(
        (0, 1)
    )


@settings(max_examples=60, deadline=None)
@given(
    examples=st.integers(1, 5),
    timesteps=st.integers(1, 9),
    cells=st.integers(1, 3),
    values=st.integers(1, 60),
)
def test_blocks_are_all_of_it_once_and_in_order(examples, timesteps, cells, values):
    recording = recording_of(examples, timesteps, cells)
    blocks = blocks_of(recording["lstm"], values)
    columns = [k for block in blocks for k in range(block.columns.start, block.columns.stop)]
    assert columns == list(range(examples * timesteps))
    flat = recording["lstm"]["hidden_state"].to_numpy().reshape(-1, cells)
    for block in blocks:
        assert block.read("hidden_state").size <= max(values, cells)
        np.testing.assert_array_equal(
            block.read("hidden_state").reshape(-1, cells), flat[block.columns]
        )


def test_a_block_on_disk_is_sent_as_where_it_is(tmp_path):
    recording = recording_of(1, 100_000, 8)
    recording.save(tmp_path / "r")
    blocks = blocks_of(open_recording(tmp_path / "r")["lstm"], 40_000)
    sent = pickle.dumps(blocks[3])
    assert len(sent) < 100_000
    there = pickle.loads(sent)
    assert there.columns == blocks[3].columns
    np.testing.assert_array_equal(there.read("hidden_state"), blocks[3].read("hidden_state"))
    np.testing.assert_array_equal(there.mask(), blocks[3].mask())


@pytest.mark.parametrize("workers", [1, 2, 4])
def test_a_cluster_gives_the_same_to_the_bit_and_in_order(tmp_path, workers):
    distributed = pytest.importorskip("distributed")
    recording_of(3, 5000, 4).save(tmp_path / "r")
    blocks = blocks_of(open_recording(tmp_path / "r")["lstm"], 4000)
    expected = list(blockwise(summed, blocks, desc="summing"))
    with (
        distributed.LocalCluster(
            n_workers=workers, threads_per_worker=1, processes=True, dashboard_address=None
        ) as cluster,
        distributed.Client(cluster),
    ):
        got = list(blockwise(summed, blocks, desc="summing"))
    for (here, a), (there, b) in zip(expected, got, strict=True):
        assert here == there
        assert a.tobytes() == b.tobytes()
