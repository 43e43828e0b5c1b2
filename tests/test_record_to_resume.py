"""A recording into a file that was interrupted goes on where it stopped, and becomes the same file."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import warnings
from pathlib import Path

import keras
import killed
import numpy as np
import pytest
import torch
from keras import layers as L
from sameness import expect_same
from torch import nn

import lstm_widgets as lw
from lstm_widgets.recording.store import streaming
from lstm_widgets.running import run

RNG = np.random.default_rng(0)


def contents(path):
    """Read each file of a recording's data, whatever the data are called."""
    (data,) = path.glob("data-*")
    return {str(p.relative_to(data)): p.read_bytes() for p in data.rglob("*") if p.is_file()}


@pytest.fixture
def interrupted(monkeypatch):
    """Let the model be called some times, and then the user interrupt."""
    monkeypatch.setattr(streaming, "SPACING", 0.0)
    real, left = run.read, [0]

    def read(*arguments):
        if not left[0]:
            raise KeyboardInterrupt
        left[0] -= 1
        return real(*arguments)

    monkeypatch.setattr(run, "read", read)

    def after(batches):
        left[0] = batches

    return after


def ids_of(examples, timesteps):
    return np.random.default_rng(1).integers(0, 5, (examples, timesteps))


def stateful():
    return keras.Sequential(
        [
            keras.Input(batch_shape=(4, 12)),
            L.Embedding(5, 4),
            L.LSTM(6, return_sequences=True, stateful=True, name="lstm"),
            L.Dense(5, activation="softmax"),
        ]
    )


def of_ids(*, seed=0):
    keras.utils.set_random_seed(seed)
    return keras.Sequential(
        [keras.Input((None,)), L.Embedding(5, 4), L.LSTM(6, return_sequences=True, name="lstm")]
    )


class Counting(nn.Module):
    """Keeps its states, and how often it was called, from one call to the next."""

    def __init__(self):
        super().__init__()
        self.embedding, self.lstm = nn.Embedding(5, 4), nn.LSTM(4, 6, batch_first=True)
        self.register_buffer("seen", torch.zeros(1))
        self.states, self.calls = None, 0

    def forward(self, x):
        self.calls += 1
        self.seen += x.shape[0]
        hidden, self.states = self.lstm(self.embedding(x), self.states)
        return hidden + self.seen * self.calls


class LanguageModel(nn.Module):
    """Hands its states out and in."""

    def __init__(self):
        super().__init__()
        self.embedding, self.lstm = nn.Embedding(5, 4), nn.LSTM(4, 6, batch_first=True)

    def forward(self, x, hidden=None):
        return self.lstm(self.embedding(x), hidden)


@pytest.mark.parametrize("how", ["continuous", "windows"])
def test_a_killed_process(tmp_path, how):
    whole, path = tmp_path / "whole.zarr", tmp_path / "killed.zarr"
    options = {"vocabulary": "abcde", **killed.OPTIONS[how]}
    one = lw.record(killed.MODEL, killed.TEXT, to=whole, **options)
    script, root = Path(killed.__file__), Path(__file__).parents[1]
    rng, done = np.random.default_rng(), 0
    for _ in range(2):
        batches = int(rng.integers(1, 5))
        ended = subprocess.run(
            [sys.executable, str(script), how, str(path), str(batches)],
            env={**os.environ, "PYTHONPATH": f"{root}{os.pathsep}{script.parent}"},
            cwd=tmp_path,
            check=False,
            capture_output=True,
            text=True,
        )
        assert ended.returncode == 7, ended.stderr
        if (path / "zarr.json").exists():
            with pytest.warns(UserWarning, match="complete up to"):
                part = lw.open_recording(path)["lower"]
            assert part.sizes["timestep"] >= done
            done = part.sizes["timestep"]
            expected = one["lower"].isel(timestep=slice(0, done))
            np.testing.assert_array_equal(part.cell_state, expected.cell_state)
            np.testing.assert_array_equal(part.token, expected.token)
    got = lw.record(killed.MODEL, killed.TEXT, to=path, **options)
    expect_same(one, got)
    assert contents(path) == contents(whole)


@pytest.mark.filterwarnings("ignore:interrupted", "ignore:path", "ignore:.*complete up to")
@pytest.mark.parametrize(
    ("make", "inputs", "options"),
    [
        (stateful, ids_of(40, 12), {"top_k": 2, "vocabulary": "abcde"}),
        (Counting, ids_of(40, 12), {"batch_size": 4}),
        (LanguageModel, ids_of(1, 900)[0], {"batch_size": 90, "state": "hidden"}),
    ],
    ids=["stateful", "module with states", "states as an argument"],
)
def test_states_of_the_model_go_on(tmp_path, interrupted, make, inputs, options):
    torch.manual_seed(0)
    model = make()
    interrupted(-1)
    one = lw.record(model, inputs, to=tmp_path / "whole.zarr", **options)
    for batches in (3, 4):
        interrupted(batches)
        part = lw.record(model, inputs, to=tmp_path / "parts.zarr", **options)
        assert part["lstm"].sizes != one["lstm"].sizes
    interrupted(-1)
    got = lw.record(model, inputs, to=tmp_path / "parts.zarr", **options)
    expect_same(one, got)
    assert contents(tmp_path / "parts.zarr") == contents(tmp_path / "whole.zarr")


def test_the_first_interrupt_waits_for_the_batch(tmp_path, monkeypatch):
    real, calls = run.read, []

    def read(*arguments):
        calls.append(1)
        if len(calls) == 3:
            signal.raise_signal(signal.SIGINT)
        return real(*arguments)

    monkeypatch.setattr(run, "read", read)
    before = signal.getsignal(signal.SIGINT)
    with warnings.catch_warnings(record=True) as told:
        warnings.simplefilter("always")
        part = lw.record(of_ids(), ids_of(1, 900)[0], batch_size=100, to=tmp_path / "a.zarr")
    assert any(
        "has the first 300 of 900 timesteps; the same call goes on" in str(w.message) for w in told
    )
    assert part["lstm"].sizes["timestep"] == 300
    assert signal.getsignal(signal.SIGINT) is before


@pytest.mark.filterwarnings("ignore:interrupted", "ignore:path", "ignore:.*complete up to")
def test_what_differs_is_named(tmp_path, interrupted):
    path, ids = tmp_path / "a.zarr", ids_of(1, 900)[0]
    interrupted(3)
    lw.record(of_ids(), ids, batch_size=100, to=path)
    interrupted(-1)
    for differs, model, options in (
        ("weights was", of_ids(seed=1), {}),
        ("window was None and is 5", of_ids(), {"window": 5}),
        ("batch_size was 100 and is 90", of_ids(), {"batch_size": 90}),
        ("dtype was float32 and is float16", of_ids(), {"dtype": "float16"}),
        ("signals was None and is hidden_state", of_ids(), {"signals": "hidden_state"}),
    ):
        with pytest.raises(FileExistsError, match=differs):
            lw.record(model, ids, to=path, **{"batch_size": 100} | options)
    other = ids.copy()
    other[150] = (other[150] + 1) % 5
    with pytest.raises(ValueError, match="the first 300 of 900 timesteps isn't the same"):
        lw.record(of_ids(), other, batch_size=100, to=path)
    with pytest.raises(ValueError, match="isn't the same"):
        lw.record(of_ids(), ids[:200], batch_size=100, to=path)
    got = lw.record(of_ids(), ids, batch_size=100, to=path)
    assert got["lstm"].sizes["timestep"] == 900


@pytest.mark.filterwarnings("ignore:interrupted", "ignore:path", "ignore:.*complete up to")
def test_an_iterator_is_read_again_up_to_where_it_was(tmp_path, interrupted):
    ids, model = ids_of(40, 12), of_ids()

    def batches():
        yield from (ids[k : k + 8] for k in range(0, 40, 8))

    interrupted(-1)
    one = lw.record(model, batches(), to=tmp_path / "whole.zarr")
    interrupted(2)
    part = lw.record(model, batches(), to=tmp_path / "parts.zarr")
    assert part["lstm"].sizes["example"] == 16
    interrupted(-1)
    for others in (
        (ids[k : k + 8] for k in (8, 0)),
        (ids[k : k + 5] for k in range(0, 40, 5)),  # the same, cut elsewhere
    ):
        with pytest.raises(ValueError, match="the first 16 examples isn't the same"):
            lw.record(model, others, to=tmp_path / "parts.zarr")
    got = lw.record(model, batches(), to=tmp_path / "parts.zarr")
    expect_same(one, got)
    assert contents(tmp_path / "parts.zarr") == contents(tmp_path / "whole.zarr")
