"""Layers in blocks: every edge, and every thread; for clusters see test_cluster_blocks."""

from __future__ import annotations

import importlib
import io
import itertools
import pickle
import threading

import numpy as np
import pytest
import tqdm.auto
from hypothesis import given, settings
from hypothesis import strategies as st
from threadpoolctl import threadpool_info

from lstm_widgets.recording import RecordedLayer, Recording, open_recording
from lstm_widgets.recording.blockwise import Block, blocks_of, blockwise
from lstm_widgets.rnn import parallel

blockwise_module = importlib.import_module("lstm_widgets.recording.blockwise")


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


def failing(block: Block) -> int:
    if block.timesteps.start == 4000 and block.examples.start == 1:
        raise FloatingPointError("no number")
    return block.columns.start


def test_an_error_of_a_block_says_which_and_is_what_it_was():
    blocks = blocks_of(recording_of(3, 5000, 4)["lstm"], 4000)
    got = blockwise(failing, blocks, desc="failing")
    with pytest.raises(FloatingPointError, match="no number") as caught:
        list(got)
    assert caught.value.__notes__ == ["in layer 'lstm', examples 1:2, timesteps 4000:5000"]


def test_blocks_share_the_processors_each_with_a_thread_of_its_own(monkeypatch):
    monkeypatch.setattr(parallel, "cpus", lambda: 3)
    monkeypatch.setattr(blockwise_module, "cpus", lambda: 3)
    together = threading.Barrier(3)

    def function(block):
        together.wait(timeout=60)  # passed only by three at once
        inner = parallel.mapped(lambda _: threading.get_ident(), range(8))
        blas = {one["num_threads"] for one in threadpool_info() if one["user_api"] == "blas"}
        return block.columns.start, threading.get_ident(), set(inner), blas

    blocks = blocks_of(recording_of(1, 900, 4)["lstm"], 600)
    assert len(blocks) == 6
    got = list(blockwise(function, blocks, desc="threads"))
    assert [column for column, *_ in got] == [150 * k for k in range(6)]
    assert len({thread for _, thread, *_ in got}) == 3
    for _, thread, inner, blas in got:
        assert inner == {thread}
        assert blas == {1}


def test_what_is_called_off_does_not_begin(monkeypatch):
    for module in (parallel, blockwise_module):
        monkeypatch.setattr(module, "cpus", lambda: 2)
    begun = []

    def function(block):
        begun.append(block.columns.start)
        return block.columns.start

    blocks = blocks_of(recording_of(1, 1000, 1)["lstm"], 10)
    results = blockwise(function, blocks, desc="cut")
    for start in itertools.islice(results, 5):
        assert len(begun) <= start // 10 + 2  # no more than the two that are in work together
    with pytest.raises(KeyboardInterrupt):
        results.throw(KeyboardInterrupt)
    assert sorted(begun) == [0, 10, 20, 30, 40, 50]
    assert list(blockwise(lambda block: block.columns.stop, blocks, desc="again"))[-1] == 1000
    assert len(begun) == 6


def test_the_bar_counts_blocks(monkeypatch):
    bars = []

    class Bar(tqdm.std.tqdm):
        def __init__(self, *args, **options):
            bars.append(self)
            super().__init__(*args, **options | {"file": io.StringIO(), "disable": False})

    monkeypatch.setattr(tqdm.auto, "tqdm", Bar)
    blocks = blocks_of(recording_of(1, 100, 1)["lstm"], 10)
    for _ in blockwise(lambda block: block.columns, blocks, desc="counting"):
        pass
    assert [(bar.n, bar.total, bar.unit, bar.desc) for bar in bars] == [
        (10, 10, "block", "counting")
    ]


@settings(max_examples=25, deadline=None)
@given(values=st.integers(1, 400), cpus=st.integers(1, 4))
def test_any_number_of_threads_gives_the_same_in_order(values, cpus):
    recording = recording_of(3, 50, 2)
    blocks = blocks_of(recording["lstm"], values)
    expected = [summed(block) for block in blocks]
    with pytest.MonkeyPatch.context() as patch:
        for module in (parallel, blockwise_module):
            patch.setattr(module, "cpus", lambda: cpus)
        got = list(blockwise(summed, blocks, desc="summing"))
    for (here, a), (there, b) in zip(expected, got, strict=True):
        assert here == there
        assert a.tobytes() == b.tobytes()
