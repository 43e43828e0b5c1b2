"""`record(..., to=)` writes what `record` keeps in memory, to the bit."""

from __future__ import annotations

import keras
import numpy as np
import pandas as pd
import pytest
import tiny
import torch
from keras import layers as L
from sameness import expect_same
from torch import nn

import lstm_widgets as lw
from lstm_widgets.errors import SelfCheckError
from lstm_widgets.recording.store import streaming
from lstm_widgets.running import parts, session

RNG = np.random.default_rng(0)
VOCABULARY = "abcde"


def floats(*shape):
    return RNG.normal(size=shape).astype(np.float32)


def of_ids(**options):
    return keras.Sequential(
        [
            keras.Input((None,)),
            L.Embedding(5, 4, **options),
            L.LSTM(6, return_sequences=True, name="lstm"),
            L.GRU(3, return_sequences=True, name="gru"),
            L.Dense(5, activation="softmax"),
        ]
    )


def of_series():
    return keras.Sequential(
        [keras.Input((None, 3)), L.LSTM(6, return_sequences=True, name="lstm"), L.Dense(1)]
    )


def both(path, model, inputs, **options):
    """Record into memory and into a file, and hold one against the other."""
    expected = lw.record(model, inputs, **options)
    got = lw.record(model, inputs, to=path, **options)
    expect_same(expected, got)
    assert not (path / "resume").exists()
    return got


@pytest.mark.parametrize(
    "options",
    [
        {"batch_size": 96},
        {"batch_size": 96, "top_k": 2, "labels": ["Moby Dick"]},
        {"batch_size": 96, "top_k": 2, "window": 10},
        {"batch_size": 96, "top_k": 2, "window": 10, "pad": "a"},
        {"batch_size": 7, "window": 20, "pad": "a"},  # several batches begin in padding
        {"batch_size": 60, "window": 10, "step": 3},
        {"batch_size": 60, "window": 4, "step": 9},
        {"batch_size": 1000, "signals": "cell_state", "layers": "lstm", "check": "full"},
    ],
)
def test_a_text(tmp_path, options):
    text = "".join(RNG.choice(list(VOCABULARY), 700))
    both(tmp_path / "text.zarr", of_ids(), text, vocabulary=VOCABULARY, **options)


def test_padding_in_a_text(tmp_path):
    ids = RNG.integers(1, 5, 400)
    ids[130:150] = ids[290:310] = 0
    got = both(tmp_path / "text.zarr", of_ids(mask_zero=True), ids, batch_size=50)
    assert not got["lstm"]["mask"].all()


@pytest.mark.parametrize(
    "options",
    [
        {"batch_size": 90},
        {"batch_size": 90, "window": 20},
        {"batch_size": 9, "window": 20, "pad": 0.0},
        {"batch_size": 90, "window": 20, "step": 7},
    ],
)
def test_a_series_with_its_times_and_targets(tmp_path, options):
    table = pd.DataFrame(
        floats(500, 3),
        columns=["rain", "snow", "temperature"],
        index=pd.date_range("2000-01-01", periods=500),
    )
    got = both(
        tmp_path / "series.zarr",
        of_series(),
        table,
        targets=floats(500),
        scaling=(1.0, 2.0),
        units={"rain": "mm", "target": "m³/s"},
        **options,
    )
    assert got.inputs.sel(channel="rain").unit == "mm"


def test_a_table_that_only_counts_has_no_times(tmp_path):
    got = both(tmp_path / "a.zarr", of_series(), pd.DataFrame(floats(100, 3)), batch_size=30)
    assert "time" not in got["lstm"].coords


@pytest.mark.parametrize("mask_zero", [False, True])
def test_examples(tmp_path, mask_zero):
    ids = RNG.integers(0, 5, (50, 12))
    labels = [f"example {k}" for k in range(50)]
    model = of_ids(mask_zero=mask_zero)
    options = {"vocabulary": VOCABULARY, "top_k": 2, "batch_size": 16}
    got = both(tmp_path / "a.zarr", model, ids, labels=labels, **options)
    assert ("mask" in got["lstm"]) == mask_zero


def test_windows_of_several_series(tmp_path):
    options = {"window": 10, "batch_size": 62, "targets": floats(9, 40)}
    both(tmp_path / "a.zarr", of_series(), floats(9, 40, 3), check=False, **options)


@pytest.mark.filterwarnings("ignore:inputs")
@pytest.mark.parametrize("options", [{}, {"window": 5}, {"window": 5, "pad": "a", "step": 2}])
@pytest.mark.parametrize("batch_size", [1, 22])
def test_texts_of_which_one_is_a_part(tmp_path, options, batch_size):
    texts = [RNG.integers(0, 5, n) for n in (21, 30, 26)]  # the longest isn't the first
    if not options:
        texts = [*sorted(texts, key=len)[::-1]]
    model = tiny.Tiny(stepped=False)
    options = options | {"vocabulary": VOCABULARY, "batch_size": batch_size, "check": False}
    expected = lw.record(model, texts, **options)
    got = lw.record(model, texts, to=tmp_path / "a.zarr", **options)
    for name in expected.layers:
        assert got[name].equals(expected[name])


@pytest.mark.filterwarnings("ignore:inputs")
@pytest.mark.parametrize("step", [1, 3])
@pytest.mark.parametrize("lengths", [(40, 40, 40), (40, 26, 31)])
def test_long_series_are_read_some_windows_after_the_other(tmp_path, monkeypatch, step, lengths):
    monkeypatch.setattr(parts, "SHORT", 0)
    series = [floats(n, 3) for n in lengths]
    options = {"window": 10, "step": step, "batch_size": 7, "labels": list("abc")}
    if len(set(lengths)) == 1:
        options["targets"] = floats(3, 40)
        options["times"] = np.arange(120).reshape(3, 40) ** 2
        series = np.stack(series)
    both(tmp_path / "a.zarr", of_series(), series, check=False, **options)
    texts = [RNG.integers(0, 5, n) for n in lengths]
    texts = np.stack(texts) if len(set(lengths)) == 1 else texts
    options = {"vocabulary": VOCABULARY, "window": 5, "step": step, "pad": "a", "batch_size": 8}
    both(tmp_path / "text.zarr", of_ids(), texts, check=False, top_k=2, **options)


@pytest.mark.filterwarnings("ignore:inputs")
def test_examples_of_several_lengths(tmp_path):
    many = [floats(n, 3) for n in RNG.integers(12, 30, 20)]
    both(tmp_path / "windows.zarr", of_series(), many, window=10, batch_size=64, check=False)
    # Batches have other examples in them than in memory, where all of one length are read together.
    expected = lw.record(of_series(), many)
    model = of_series()
    expected = lw.record(model, many)
    got = lw.record(model, many, to=tmp_path / "whole.zarr", batch_size=6)
    for name, values in expected["lstm"].data_vars.items():
        np.testing.assert_allclose(got["lstm"][name], values, atol=1e-6)
    np.testing.assert_array_equal(got.inputs, expected.inputs)


class LanguageModel(nn.Module):
    """Hands its states out and in, as word language models do."""

    def __init__(self):
        super().__init__()
        self.embedding = nn.Embedding(5, 4)
        self.lstm = nn.LSTM(4, 6, 2, batch_first=True)
        self.readout = nn.Linear(6, 5)

    def forward(self, x, hidden=None):
        states, hidden = self.lstm(self.embedding(x), hidden)
        return self.readout(states), hidden


class Forecast(nn.Module):
    def __init__(self):
        super().__init__()
        self.gru = nn.GRU(3, 6, batch_first=True)
        self.readout = nn.Linear(6, 1)

    def forward(self, x):
        return self.readout(self.gru(x)[0])


def test_modules_of_pytorch(tmp_path):
    torch.manual_seed(0)
    text = "".join(RNG.choice(list(VOCABULARY), 500))
    options = {"vocabulary": VOCABULARY, "batch_size": 96, "top_k": 2, "state": "hidden"}
    both(tmp_path / "text.zarr", LanguageModel(), text, **options)
    both(tmp_path / "series.zarr", Forecast(), floats(500, 3), batch_size=90)
    both(tmp_path / "examples.zarr", Forecast(), torch.from_numpy(floats(30, 40, 3)), batch_size=8)


def test_half_precision_is_within_half_a_unit_of_its_last_place(tmp_path):
    text = "".join(RNG.choice(list(VOCABULARY), 300))
    model = of_ids()
    expected = lw.record(model, text, vocabulary=VOCABULARY, signals="hidden_state")
    got = lw.record(
        model,
        text,
        vocabulary=VOCABULARY,
        signals="hidden_state",
        to=tmp_path / "a.zarr",
        dtype="float16",
    )
    values, exact = got["lstm"].hidden_state.to_numpy(), expected["lstm"].hidden_state.to_numpy()
    assert values.dtype == np.float32
    assert (np.abs(values - exact) <= np.maximum(np.abs(exact) * 2.0**-11, 2.0**-25)).all()
    assert (values != exact).any()


def test_what_fits_no_file_is_refused_before_anything_is_written(tmp_path):
    path = tmp_path / "a.zarr"

    class Twice(keras.Model):
        def __init__(self):
            super().__init__()
            self.embedding, self.lstm = (
                L.Embedding(5, 4),
                L.LSTM(4, return_sequences=True, name="lstm"),
            )

        def call(self, x):
            return self.lstm(self.lstm(self.embedding(x)))

    ids = RNG.integers(0, 5, 300)
    with pytest.raises(ValueError, match="layer 'lstm' is called 2 times"):
        lw.record(Twice(), ids, batch_size=100, to=path)
    backwards = keras.Sequential(
        [keras.Input((None,)), L.Embedding(5, 4), L.Bidirectional(L.LSTM(4, return_sequences=True))]
    )
    with pytest.raises(ValueError, match="with to=, a text is read piece by piece, which"):
        lw.record(backwards, RNG.integers(0, 5, 5000), to=path)
    with pytest.raises(ValueError, match="dtype: expected one of 'float32', 'float16'"):
        lw.record(of_ids(), ids, to=path, dtype="int8")
    with pytest.raises(ValueError, match="overwrite: expected False without to="):
        lw.record(of_ids(), ids, overwrite=True)
    with pytest.raises(
        ValueError, match="to: expected a path of this machine, got an address of s3"
    ):
        lw.record(of_ids(), ids, to="s3://bucket/a.zarr")
    with pytest.raises(ValueError, match="path: expected a path of this machine"):
        lw.record(of_ids(), ids).save("memory://a.zarr")
    assert not path.exists()


def test_a_path_that_stands_already(tmp_path):
    path, model, ids = tmp_path / "a.zarr", of_ids(), RNG.integers(0, 5, 300)
    lw.record(model, ids, to=path)
    with pytest.raises(FileExistsError, match="overwrite=True"):
        lw.record(model, ids, to=path)
    got = lw.record(model, ids[:100], to=path, overwrite=True)
    assert got["lstm"].sizes["timestep"] == 100


def test_a_failed_check_leaves_what_was_complete(tmp_path, monkeypatch):
    monkeypatch.setattr(streaming, "SPACING", 0.0)
    real, calls = session.LayerCheck.hold, []

    def hold(self, names, tolerances):
        calls.append(1)
        if len(calls) > 6:  # two layers
            raise SelfCheckError("differs")
        return real(self, names, tolerances)

    monkeypatch.setattr(session.LayerCheck, "hold", hold)
    path = tmp_path / "a.zarr"
    with (
        pytest.warns(UserWarning, match="unfinished|complete"),
        pytest.raises(SelfCheckError) as caught,
    ):
        lw.record(of_ids(), RNG.integers(0, 5, 500), batch_size=100, to=path)
    assert "has what was read before: 300 of 500 timesteps" in str(caught.value.__notes__)
    assert caught.value.kept["lstm"].sizes["timestep"] == 300
