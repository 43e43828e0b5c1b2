"""Blocks on a Dask cluster of processes: the same to the bit, whatever happens to its workers."""

from __future__ import annotations

import contextlib
import importlib
import os
import shutil
import signal
import threading
import time
import uuid
from functools import partial
from typing import TYPE_CHECKING

import distributed
import numpy as np
import pytest
from threadpoolctl import threadpool_info

from lstm_widgets.errors import RecordingFileError
from lstm_widgets.recording import RecordedLayer, Recording, open_recording
from lstm_widgets.recording.blockwise import Block, blocks_of, blockwise
from lstm_widgets.rnn import parallel

if TYPE_CHECKING:
    from pathlib import Path

AHEAD = importlib.import_module("lstm_widgets.recording.blockwise")._AHEAD


@contextlib.contextmanager
def cluster_of(workers, threads=1):
    with (
        distributed.LocalCluster(
            n_workers=workers, threads_per_worker=threads, processes=True, dashboard_address=":0"
        ) as cluster,
        distributed.Client(cluster) as client,
    ):
        yield client


@pytest.fixture(scope="module")
def two():
    with cluster_of(2) as client:
        yield client


@pytest.fixture
def layer(tmp_path):
    rng = np.random.default_rng(0)
    values = rng.normal(size=(3, 5000, 4)).astype(np.float32)
    mask = rng.random((3, 5000)) < 0.7
    recording = Recording.from_layers(
        [RecordedLayer("lstm", "LSTM", {"hidden_state": values}, mask)]
    )
    recording.save(tmp_path / "r")
    return open_recording(tmp_path / "r")["lstm"]


def summed(block: Block) -> tuple[slice, np.ndarray]:
    """A sum whose last bits depend on the order, and on who shares out the product."""
    values = np.where(block.mask()[..., None], block.read("hidden_state"), 0).reshape(-1, 4)
    return block.columns, values.T @ values


def expect_same(got, expected):
    for (here, a), (there, b) in zip(expected, got, strict=True):
        assert here == there
        assert a.tobytes() == b.tobytes()


@pytest.mark.parametrize(("workers", "threads"), [(1, 1), (2, 1), (4, 1), (1, 3)])
def test_a_cluster_gives_the_same_to_the_bit_and_in_order(layer, workers, threads):
    blocks = blocks_of(layer, 4000)
    expected = list(blockwise(summed, blocks, desc="summing"))
    with cluster_of(workers, threads):
        got = list(blockwise(summed, blocks, desc="summing"))
    expect_same(got, expected)


def noted(folder: Path, block: Block) -> tuple[slice, np.ndarray]:
    """Leave a file for each call, and take long enough to be killed meanwhile."""
    (folder / f"{block.columns.start}-{uuid.uuid4().hex}").touch()
    time.sleep(0.1)
    return summed(block)


def test_a_worker_killed_in_the_middle_costs_its_blocks_only(layer, tmp_path):
    blocks = blocks_of(layer, 800)
    assert len(blocks) == 75
    expected = list(map(summed, blocks))
    with cluster_of(2) as client:
        victim = min(client.run(os.getpid).values())
        results = blockwise(partial(noted, tmp_path), blocks, desc="killing")
        got = [next(results) for _ in range(20)]
        os.kill(victim, signal.SIGKILL)
        got += results
        assert victim not in client.run(os.getpid).values()
    expect_same(got, expected)
    calls = [int(path.name.split("-")[0]) for path in tmp_path.iterdir() if path.is_file()]
    again = {column for column in calls if calls.count(column) > 1}
    assert set(calls) == {block.columns.start for block in blocks}
    # What has come is not computed again; of the rest only what that worker had.
    assert not again & {columns.start for columns, _ in got[:20]}
    assert len(calls) - len(blocks) <= 2 * AHEAD


def failing(block: Block) -> int:
    if block.columns.start == 6000:
        raise FloatingPointError("no number")
    return block.columns.start


@pytest.mark.usefixtures("two")
def test_an_error_of_a_block_says_which_and_is_what_it_was(layer):
    with pytest.raises(FloatingPointError, match="no number") as caught:
        list(blockwise(failing, blocks_of(layer, 4000), desc="failing"))
    (note,) = caught.value.__notes__
    assert "layer 'lstm', examples 1:2, timesteps 1000:2000" in note


@pytest.mark.usefixtures("two")
def test_what_cannot_be_sent_is_said_before_anything_is(layer):
    lock = threading.Lock()

    def locked(block):
        with lock:
            return block.columns

    with pytest.raises(TypeError, match=r"function: expected what can be pickled.*lock"):
        next(blockwise(locked, blocks_of(layer), desc="locked"))


@pytest.mark.usefixtures("two")
def test_a_function_of_a_notebook_is_sent_as_it_is(layer):
    factor = 3
    blocks = blocks_of(layer, 4000)
    got = blockwise(lambda block: block.columns.start * factor, blocks, desc="tripled")
    assert list(got) == [block.columns.start * 3 for block in blocks]


class Heavy:
    """A function that is expensive to send, and counts how often it came out of its box."""

    def __init__(self, folder):
        self.folder, self.table = folder, np.zeros(1 << 22)

    def __call__(self, block):
        return block.columns.start + self.table[0]

    def __setstate__(self, state):
        self.__dict__ |= state
        (self.folder / uuid.uuid4().hex).touch()


@pytest.mark.usefixtures("two")
def test_what_belongs_to_the_function_is_not_sent_with_each_block(layer, tmp_path, recwarn):
    folder = tmp_path / "unpacked"
    folder.mkdir()
    blocks = blocks_of(layer, 400)
    got = list(blockwise(Heavy(folder), blocks, desc="heavy"))
    assert got == [block.columns.start for block in blocks]
    assert len(blocks) == 150
    assert 1 <= len(list(folder.iterdir())) <= 4  # a copy may be on its way twice
    assert not [str(warning.message) for warning in recwarn if "large" in str(warning.message)]


@pytest.mark.usefixtures("two")
def test_a_file_that_workers_do_not_see_is_said(layer, tmp_path):
    blocks = blocks_of(layer, 4000)
    shutil.move(tmp_path / "r", tmp_path / "elsewhere")
    with pytest.raises(RecordingFileError, match=r"every worker .*can open.*doesn't see"):
        list(blockwise(summed, blocks, desc="unseen"))


@pytest.mark.usefixtures("layer")
def test_a_path_is_the_same_wherever_a_worker_stands(two, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    blocks = blocks_of(open_recording("r")["lstm"], 4000)
    folder = str(tmp_path.parent)
    before = two.run(os.getcwd)
    try:
        two.run(os.chdir, folder)
        got = list(blockwise(summed, blocks, desc="elsewhere"))
    finally:
        for worker, there in before.items():
            two.run(os.chdir, there, workers=[worker])
    expect_same(got, map(summed, blocks))


def threads_of(_: Block):
    inner = parallel.mapped(lambda _: threading.get_ident(), range(8))
    blas = {one["num_threads"] for one in threadpool_info() if one["user_api"] == "blas"}
    return set(inner) == {threading.get_ident()}, blas


@pytest.mark.usefixtures("two")
def test_a_block_has_one_thread_and_one_of_blas(layer):
    parts = blocks_of(layer, 4000)
    assert list(blockwise(threads_of, parts, desc="threads")) == [(True, {1})] * len(parts)


def nested(block: Block):
    """What a block does may itself go block by block: in the worker, not on the cluster."""
    blocks = blocks_of(block.layer, 400)
    return len(list(blockwise(os_of, blocks, desc="inside"))), os.getpid()


def os_of(_: Block) -> int:
    return os.getpid()


@pytest.mark.usefixtures("two")
def test_blocks_within_a_block_stay_with_the_worker(layer):
    got = list(blockwise(nested, blocks_of(layer, 4000), desc="outside"))
    assert all(count in (10, 40) for count, _ in got)


def test_what_is_called_off_does_not_begin(layer, two, tmp_path):
    folder = tmp_path / "calls"
    folder.mkdir()
    results = blockwise(partial(noted, folder), blocks_of(layer, 800), desc="cut")
    next(results)
    with pytest.raises(KeyboardInterrupt):
        results.throw(KeyboardInterrupt)
    two.submit(int, pure=False).result()  # whatever was before it is done or called off
    count = len(list(folder.iterdir()))
    assert count < 2 * AHEAD + 2
    list(blockwise(summed, blocks_of(layer, 4000), desc="again"))
    assert len(list(folder.iterdir())) == count
