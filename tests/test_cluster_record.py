"""Recording on a Dask cluster of processes: the same files to the bit, whatever happens to its workers."""

from __future__ import annotations

import contextlib
import importlib
import os
import signal
import threading
import time
import uuid
from pathlib import Path

import distributed
import numpy as np
import pytest
from tiny import LSTM, Tiny

import lstm_widgets as lw

STREAMED = importlib.import_module("lstm_widgets.running.streamed")
SHARDS = importlib.import_module("lstm_widgets.running.shards")
RNG = np.random.default_rng(0)


@contextlib.contextmanager
def cluster_of(workers):
    with (
        distributed.LocalCluster(
            n_workers=workers, threads_per_worker=1, processes=True, dashboard_address=":0"
        ) as cluster,
        distributed.Client(cluster) as client,
    ):
        yield client


@contextlib.contextmanager
def without_client():
    """As if there were no cluster."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(STREAMED, "current_client", lambda: None)
        yield


@pytest.fixture(scope="module")
def two():
    with cluster_of(2) as client:
        yield client


def values_of(path: Path) -> dict[str, bytes]:
    """Everything that a recording on disk says, whatever its files are called."""
    recording = lw.open_recording(path)
    found = {"attrs": repr(sorted(recording.tree.attrs.items()))}
    datasets = {name: recording[name] for name in recording.layers}
    datasets |= {
        what: dataset
        for what in ("predictions", "inputs", "outputs")
        if (dataset := getattr(recording, what)) is not None
    }
    for name, dataset in datasets.items():
        found[f"{name} attrs"] = repr(sorted(dataset.attrs.items()))
        variables = dataset.variables if hasattr(dataset, "variables") else dataset.coords
        for key in variables:
            values = dataset[key].to_numpy()
            plain = values.dtype != object
            found[f"{name} {key}"] = values.tobytes() if plain else repr(values.tolist())
        if not hasattr(dataset, "variables"):
            found[name] = dataset.to_numpy().tobytes()
    return found


def expect_same(path: Path, other: Path) -> None:
    one, two = values_of(path), values_of(other)
    assert one.keys() == two.keys()
    for key, value in one.items():
        assert two[key] == value, key


def ids(examples=40, timesteps=30):
    found = RNG.integers(1, 11, (examples, timesteps))
    found[:, 25:] *= RNG.random((examples, timesteps - 25)) < 0.5
    return found


OPTIONS = {"vocabulary": list("-abcdefghij"), "top_k": 2, "batch_size": 4, "check": "full"}


def used(client) -> list[bool]:
    """Tell of each worker whether it has recorded something."""
    shards = client.run(lambda: bool(importlib.import_module("lstm_widgets.running.shards")._last))
    return list(shards.values())


@pytest.mark.parametrize("workers", [1, 2, 4])
def test_any_number_of_workers_writes_the_same_to_the_bit(workers, tmp_path):
    model, inputs = Tiny(11, stepped=False), ids()
    lw.record(model, inputs, to=tmp_path / "none", **OPTIONS)
    with cluster_of(workers) as client:
        assert not any(used(client))
        lw.record(model, inputs, to=tmp_path / "some", **OPTIONS)
        assert any(used(client))
    expect_same(tmp_path / "some", tmp_path / "none")


def test_windows_are_shards_too(two, tmp_path):
    model, text = Tiny(11, stepped=False), ids(1, 300)[0]
    options = OPTIONS | {"window": 7, "pad": 1}
    lw.record(model, text, to=tmp_path / "some", **options)
    assert any(used(two))
    with without_client():
        lw.record(model, text, to=tmp_path / "none", **options)
    expect_same(tmp_path / "some", tmp_path / "none")


class Slow(Tiny):
    """Takes its time, and leaves a file for each call."""

    folder = ""

    def logits(self, vectors, run=LSTM.run):
        (Path(self.folder) / f"{os.getpid()}-{uuid.uuid4().hex}").touch()
        time.sleep(0.2)
        return super().logits(vectors, run)


def slow(folder: Path) -> Slow:
    folder.mkdir()
    model = Slow(11, stepped=False)
    model.folder = str(folder)
    return model


def test_a_worker_killed_in_the_middle_costs_its_shards_only(tmp_path):
    inputs = ids(80)
    options = OPTIONS | {"check": False, "top_k": None}
    model = slow(tmp_path / "calls")
    with cluster_of(2) as client:
        victim = min(client.run(os.getpid).values())
        calls = tmp_path / "calls"

        def kill():
            while len([*calls.glob(f"{victim}-*")]) < 3:
                time.sleep(0.01)
            os.kill(victim, signal.SIGKILL)

        killer = threading.Thread(target=kill)
        killer.start()
        lw.record(model, inputs, to=tmp_path / "some", **options)
        killer.join()
        assert victim not in client.run(os.getpid).values()
    count = len([*calls.iterdir()])
    assert 20 < count <= 20 + 2 * SHARDS._AHEAD + 1
    lw.record(slow(tmp_path / "more"), inputs, to=tmp_path / "none", **options)
    expect_same(tmp_path / "some", tmp_path / "none")


def test_a_text_is_read_here_its_states_handed_over(two, tmp_path):
    model, text = Tiny(11, stepped=False), ids(1, 3000)[0]
    options = OPTIONS | {"batch_size": 100}
    before = used(two)
    lw.record(model, text, to=tmp_path / "some", **options)
    assert used(two) == before
    with without_client():
        whole = lw.record(model, text, **options)
    assert lw.open_recording(tmp_path / "some")["upper"].equals(whole["upper"])


def test_stretches_of_a_text_are_shared_out_after_a_warm_up_whose_error_is_told(two, tmp_path):
    model, text = Tiny(11, stepped=False), ids(1, 3000)[0]
    options = OPTIONS | {"batch_size": 50}
    lw.record(model, text, to=tmp_path / "some", warm_up=30, **options)
    assert any(used(two))
    with without_client():
        lw.record(model, text, to=tmp_path / "none", warm_up=30, **options)
        exact = lw.record(model, text, **options)
    expect_same(tmp_path / "some", tmp_path / "none")
    got = lw.open_recording(tmp_path / "some")
    told = got.tree.attrs["warm_up"]
    assert told["timesteps"] == 30
    edges = np.arange(150, 3000, 150)  # a quarter is replayed, at most, and pieces are whole
    for layer in ("lower", "upper"):
        apart = np.abs(got[layer].hidden_state - exact[layer].hidden_state).values[0].max(1)
        assert (apart[:150] == 0).all()
        assert 0 < told["differences"][layer] < 0.1
        # One step before an edge, states differ by what is told, at most.
        assert apart[edges].max() <= 2 * told["differences"][layer]


def test_a_warm_up_is_for_what_is_read_continuously(tmp_path):
    model = Tiny(11, stepped=False)
    for inputs, options in ((ids(), {"to": tmp_path / "r"}), (ids(1, 99)[0], {})):
        with pytest.raises(ValueError, match="warm_up: expected None but for a text"):
            lw.record(model, inputs, warm_up=5, **options)


@pytest.mark.usefixtures("two")
def test_what_fails_on_a_worker_says_where_and_goes_on_from_what_is_done(tmp_path):
    model, inputs = Tiny(11, stepped=False), ids()
    broken = inputs.copy()
    broken[21, 3] = 99  # no such id: an IndexError of the model
    with pytest.raises(IndexError) as caught:
        lw.record(model, broken, to=tmp_path / "some", batch_size=4)
    notes = "\n".join(caught.value.__notes__)
    assert "in examples 20:24, on a worker of the Dask cluster" in notes
    assert "after 20 of 40 examples" in notes
    lw.record(model, inputs, to=tmp_path / "some", batch_size=4)
    with without_client():
        lw.record(model, inputs, to=tmp_path / "none", batch_size=4)
    expect_same(tmp_path / "some", tmp_path / "none")


@pytest.mark.usefixtures("two")
def test_a_model_that_cannot_be_sent_is_said(tmp_path):
    model = Tiny(11, stepped=False)
    model.lock = threading.Lock()
    with pytest.raises(TypeError, match=r"model: expected what can be pickled.*lock"):
        lw.record(model, ids(), to=tmp_path / "r", batch_size=4)
