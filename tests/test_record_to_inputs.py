"""What doesn't fit into memory is read a part at a time, and recorded as if it had been given at once."""

from __future__ import annotations

import itertools
import re
import subprocess
import sys
from pathlib import Path

import keras
import numpy as np
import pytest
import tensorflow as tf
import torch
import xarray as xr
import zarr
from hypothesis import given
from hypothesis import strategies as st
from keras import layers as L
from sameness import expect_same
from test_levels_on_disk import OnDisk
from torch import nn
from torch.utils.data import DataLoader, TensorDataset

import lstm_widgets as lw
from lstm_widgets.running import feed
from lstm_widgets.tokens.vocabulary import Vocabulary

RNG = np.random.default_rng(0)
VOCABULARY = "abcde"


def of_ids(symbols=5):
    return keras.Sequential(
        [
            keras.Input((None,)),
            L.Embedding(symbols, 4),
            L.LSTM(6, return_sequences=True, name="lstm"),
            L.Dense(symbols, activation="softmax"),
        ]
    )


class Forecast(nn.Module):
    def __init__(self):
        super().__init__()
        self.lstm, self.readout = nn.LSTM(3, 6, batch_first=True), nn.Linear(6, 1)

    def forward(self, x):
        return self.readout(self.lstm(x)[0])


def lazily(ids):
    yield tf.data.Dataset.from_tensor_slices(ids).batch(16)
    yield tf.data.Dataset.from_tensor_slices((ids, ids)).batch(16)
    yield (ids[k : k + 16] for k in range(0, len(ids), 16))
    yield ((ids[k : k + 16], ids[k : k + 16]) for k in range(0, len(ids), 16))
    yield iter(ids)  # single examples


def test_batch_by_batch(tmp_path):
    ids, model = RNG.integers(0, 5, (50, 12)), of_ids()
    options = {"vocabulary": VOCABULARY, "top_k": 2, "batch_size": 16}
    expected = lw.record(model, ids, **options)
    for k, inputs in enumerate(lazily(ids)):
        expect_same(expected, lw.record(model, inputs, to=tmp_path / f"{k}.zarr", **options))


def test_batches_for_a_module(tmp_path):
    many, model = torch.randn(30, 40, 3), Forecast()
    expected = lw.record(model, many, batch_size=8)
    loader = DataLoader(TensorDataset(many, torch.zeros(30)), batch_size=8)
    expect_same(expected, lw.record(model, loader, to=tmp_path / "loader.zarr"))
    batches = (many[k : k + 8] for k in range(0, 30, 8))
    expect_same(expected, lw.record(model, batches, to=tmp_path / "batches.zarr"))


def test_arrays_on_disk(tmp_path):
    ids, model = RNG.integers(0, 5, (50, 12)), of_ids()
    for name, values in (("examples", ids), ("text", ids.ravel())):
        expected = lw.record(model, values, vocabulary=VOCABULARY, batch_size=16)
        np.save(tmp_path / f"{name}.npy", values)
        on_disk = [
            np.load(tmp_path / f"{name}.npy", mmap_mode="r"),
            zarr.create_array(tmp_path / f"{name}-inputs", data=values, chunks=(7,) * values.ndim),
        ]
        for k, inputs in enumerate(on_disk):
            to = tmp_path / f"{name}-{k}.zarr"
            got = lw.record(model, inputs, vocabulary=VOCABULARY, batch_size=16, to=to)
            expect_same(expected, got)


@pytest.mark.parametrize("kind", ["series", "variables", "examples", "windows"])
def test_what_xarray_has_on_a_disk_is_read_a_part_at_a_time(tmp_path, monkeypatch, kind):
    monkeypatch.setattr(feed, "_TAKEN", 16)
    shape = {"examples": (60, 9, 3), "windows": (3, 60, 3)}.get(kind, (600, 3))
    values = RNG.normal(size=shape).astype(np.float32)
    read = []

    class Counting(OnDisk):
        def _read(self, key):
            found = super()._read(key)
            read.append(found.size)
            return found

    dims = ("basin", "day", "channel")[-len(shape) :]
    names = ["rain", "snow", "sun"]
    if kind == "variables":
        each = {
            name: xr.Variable(dims[:-1], Counting(values[..., k]).variable()._data)
            for k, name in enumerate(names)
        }
        lazy = xr.Dataset(each)
    else:
        array = Counting(values).variable()
        lazy = xr.DataArray(xr.Variable(dims, array._data), {"channel": names})
    options = {"batch_size": 16, "check": False} | ({"window": 8} if kind == "windows" else {})
    model = Forecast()
    expected = lw.record(model, lazy.compute(), **options)
    read.clear()
    expect_same(expected, lw.record(model, lazy, to=tmp_path / "a.zarr", **options))
    assert max(read) <= values.size // {"examples": 3, "windows": 2}.get(kind, 10)


@pytest.mark.parametrize("taken", [1, 5, 1000])
def test_the_file_of_a_text(tmp_path, monkeypatch, taken):
    monkeypatch.setattr(feed, "_TAKEN", taken)  # characters at a time
    file = tmp_path / "text.txt"
    letters = ["a", "é", "😀", "\n", "e\u0301"[1]]
    text = "".join(RNG.choice(letters, 300))
    file.write_text(text, encoding="utf-8")
    options = {"vocabulary": letters, "batch_size": 40, "top_k": 2}
    model = of_ids()
    expected = lw.record(model, text, **options)
    expect_same(expected, lw.record(model, file, to=tmp_path / "a.zarr", **options))
    expect_same(expected, lw.record(model, file, **options))
    words = [
        "the",
        "cat",
        "sat",
        "on",
        "the",
        "mat",
        "and",
        "the",
        "dog",
        "sat",
        "on",
        "the",
        "cat",
    ] * 20
    file.write_text(" ".join(words), encoding="utf-8")
    cutting = L.TextVectorization()
    cutting.adapt([" ".join(words)])
    model = of_ids(20)
    expected = lw.record(model, " ".join(words), vocabulary=cutting, batch_size=50)
    got = lw.record(model, file, vocabulary=cutting, batch_size=50, to=tmp_path / "b.zarr")
    expect_same(expected, got)


def test_what_is_no_utf_8(tmp_path):
    file = tmp_path / "text.txt"
    file.write_bytes("é".encode("latin-1") * 10)
    with pytest.raises(ValueError, match="inputs: expected a text in UTF-8"):
        lw.record(of_ids(), file, vocabulary=["é", "a"], to=tmp_path / "a.zarr")


@given(st.text("abcd", max_size=40), st.lists(st.integers(0, 40), max_size=6))
def test_cut_a_piece_at_a_time_a_text_has_the_same_tokens(text, cuts):
    vocabulary = Vocabulary(["a", "b", "c", "d", "ab", "abcd", "cda", "dd"])
    tokens, left = [], ""
    edges = sorted({min(k, len(text)) for k in cuts} | {0, len(text)})
    for start, stop in itertools.pairwise(edges):
        left += text[start:stop]
        end = vocabulary.settled(left)
        tokens += vocabulary.encode(left[:end], "text")[0].tolist()
        left = left[end:]
    tokens += vocabulary.encode(left, "text")[0].tolist()
    assert tokens == vocabulary.encode(text, "text")[0].tolist()


def test_no_examples_are_refused(tmp_path):
    with pytest.raises(ValueError, match="inputs: expected at least one example, got none"):
        lw.record(of_ids(), np.zeros((0, 4), int), to=tmp_path / "run.zarr")
    assert not (tmp_path / "run.zarr").exists()


def test_longer_examples_later_are_refused(tmp_path):
    batches = iter([RNG.integers(0, 5, (4, 8)), RNG.integers(0, 5, (4, 9))])
    with pytest.raises(ValueError, match="has 9 timesteps for examples 4 to 7, and 8 before"):
        lw.record(of_ids(), batches, to=tmp_path / "a.zarr")


SCRIPT = """
import re, sys, time
import numpy as np, tiny
import lstm_widgets as lw
from lstm_widgets.recording.store import files

def slowly(*arguments, put=files.put, **keywords):
    time.sleep(0.01)
    put(*arguments, **keywords)

files.put = slowly

def peak():
    return int(re.search(r"VmHWM:\\s+(\\d+)", open("/proc/self/status").read())[1])

timesteps, path = int(sys.argv[1]), sys.argv[2]
model = tiny.Tiny(stepped=False)
model.lower, model.upper = (
    tiny.LSTM(name, features, 128, np.random.default_rng(0)) for name, features in (("lower", 3), ("upper", 128))
)
model.readout = np.zeros((128, 5))
batches = lambda count: (np.zeros((1, 2048), np.int64) for _ in range(count))
lw.record(model, batches(2), to=path + "-first", check=False)
before = peak()
lw.record(model, batches(timesteps // 2048), to=path, check=False)
print(peak() - before)
"""


@pytest.mark.skipif(not Path("/proc/self/status").exists(), reason="tells no peak of memory")
def test_memory_is_that_of_some_batches_however_slow_the_disk_is(tmp_path):
    """A batch has 2048 × 128 × 12 values, 12 MiB; thirty of them are 360 MiB, of which 64 may wait."""
    tests = Path(__file__).parent
    ran = subprocess.run(
        [sys.executable, "-c", SCRIPT, str(30 * 2048), str(tmp_path / "a.zarr")],
        env={"PYTHONPATH": f"{tests.parent}:{tests}", "PATH": ""},
        check=True,
        capture_output=True,
        text=True,
    )
    assert int(re.findall(r"^\d+$", ran.stdout, re.MULTILINE)[-1]) < 160 * 1024
