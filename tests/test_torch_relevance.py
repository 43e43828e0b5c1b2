"""Relevance of PyTorch modules: as of Keras models with the same weights, and as finite differences tell."""

from __future__ import annotations

import keras
import numpy as np
import pytest
import torch
from keras import layers as L
from torch import nn

import lstm_widgets as lw

ALL = ("lrp", "sensitivity", "gradient_x_input", "integrated_gradients", "occlusion")
IDS = np.random.default_rng(0).integers(0, 11, (5, 7))


@pytest.fixture(autouse=True)
def double():
    """Models of double precision, so that small tolerances mean something."""
    keras.config.set_floatx("float64")
    keras.config.set_dtype_policy("float64")
    torch.manual_seed(1)
    yield
    keras.config.set_floatx("float32")
    keras.config.set_dtype_policy("float32")


def in_order(weights, kind, units):
    """Gates of PyTorch, side by side in the order of Keras."""
    parts = np.split(weights.detach().numpy(), weights.shape[0] // units)
    if kind == "GRU":
        parts = [parts[1], parts[0], parts[2]]
    return np.concatenate(parts).T


def recurrent_weights(module):
    """The weights of the first layer as Keras has them, both directions one after the other."""
    kind, units = type(module).__name__, module.hidden_size
    for suffix in ("", "_reverse")[: 1 + module.bidirectional]:
        w, u, b, d = (
            in_order(getattr(module, f"{name}_l0{suffix}"), kind, units)
            for name in ("weight_ih", "weight_hh", "bias_ih", "bias_hh")
        )
        yield from (w, u, np.stack([b, d]) if kind == "GRU" else b + d)


class Classifier(nn.Module):
    """Ids, one recurrent layer, what it says at the end or over time, and classes."""

    def __init__(self, kind="LSTM", pool="last", *, both=False):
        super().__init__()
        self.embed = nn.Embedding(11, 4)
        self.rnn = getattr(nn, kind)(4, 6, batch_first=True, bidirectional=both)
        self.dropout = nn.Dropout(0.5)
        self.head = nn.Linear(12 if both else 6, 3)
        self.pool = pool

    def forward(self, ids):
        hidden, _ = self.rnn(self.embed(ids))
        if self.pool == "last":
            hidden = hidden[:, -1]
        elif self.pool == "mean":
            hidden = hidden.mean(1)
        elif self.pool == "max":
            hidden = hidden.max(1).values
        return torch.softmax(self.head(self.dropout(torch.tanh(hidden))), -1)


def twin(module):
    """The same as a Keras model."""
    kind, pool = type(module.rnn).__name__, module.pool
    layer = {"LSTM": L.LSTM, "GRU": L.GRU, "RNN": L.SimpleRNN}[kind]
    rnn = layer(6, return_sequences=pool != "last", name="rnn")
    pooling = {"mean": [L.GlobalAveragePooling1D()], "max": [L.GlobalMaxPooling1D()]}
    model = keras.Sequential(
        [
            keras.Input((None,), dtype="int32"),
            L.Embedding(11, 4, name="embed"),
            L.Bidirectional(rnn) if module.rnn.bidirectional else rnn,
            *pooling.get(pool, []),
            L.Activation("tanh"),
            L.Dense(3, activation="softmax"),
        ]
    )
    model.set_weights(
        [
            module.embed.weight.detach().numpy(),
            *recurrent_weights(module.rnn),
            module.head.weight.detach().numpy().T,
            module.head.bias.detach().numpy(),
        ]
    )
    return model


def assert_same(ours, theirs, tolerance=1e-10):
    assert ours.attrs == theirs.attrs
    assert set(ours) == set(theirs)
    for name in ours:
        if ours[name].dtype.kind == "f":
            np.testing.assert_allclose(ours[name], theirs[name], atol=tolerance, err_msg=name)
        else:
            np.testing.assert_array_equal(ours[name], theirs[name])


@pytest.mark.parametrize("kind", ["LSTM", "GRU", "RNN"])
@pytest.mark.parametrize(
    ("pool", "both"),
    [("last", False), ("mean", False), ("mean", True), ("max", True)],
)
def test_all_methods_are_those_of_keras_with_the_same_weights(kind, pool, both):
    module = Classifier(kind, pool, both=both).double()
    options = {"methods": ALL, "steps": 8, "bias_factor": 1, "per_dimension": pool == "mean"}
    found = lw.relevance(module, torch.tensor(IDS), **options)
    assert_same(found, lw.relevance(twin(module), IDS, **options))
    assert np.abs(found["gap"].loc["lrp"]).max() < 1e-12


def test_shares_of_biases_are_dropped_by_default_as_in_keras():
    module = Classifier("GRU", "mean", both=True).double()
    options = {"methods": "lrp", "target": 2}
    found = lw.relevance(module, IDS, **options)
    assert_same(found, lw.relevance(twin(module), IDS, **options))
    assert np.abs(found["gap"].loc["lrp"]).max() > 1e-3


def test_float32_is_as_near_as_it_can_be():
    module = Classifier()
    found = lw.relevance(module, IDS, methods=ALL, bias_factor=1, steps=8)
    exact = lw.relevance(module.double(), IDS, methods=ALL, bias_factor=1, steps=8)
    assert found["relevance"].dtype == np.float32
    np.testing.assert_allclose(found["relevance"], exact["relevance"], atol=1e-5)


class Forecaster(nn.Module):
    """Channels over time, two layers, one number."""

    def __init__(self, layers=1):
        super().__init__()
        self.rnn = nn.LSTM(3, 6, layers, batch_first=True, dropout=0.5 if layers > 1 else 0)
        self.head = nn.Linear(6, 1)

    def forward(self, series):
        return self.head(self.rnn(series)[0][:, -1])


def test_channels_of_a_series_are_told_apart_as_in_keras():
    module = Forecaster().double()
    series = np.random.default_rng(2).normal(size=(6, 8, 3))
    model = keras.Sequential([keras.Input((8, 3)), L.LSTM(6), L.Dense(1)])
    weights = [module.head.weight.detach().numpy().T, module.head.bias.detach().numpy()]
    model.set_weights([*recurrent_weights(module.rnn), *weights])
    options = {"bias_factor": 1, "channels": ["rain", "snow", "heat"], "units": ["mm", "mm", "°C"]}
    for replacement in ("zero", "mean", "blocks"):
        again = {**options, "methods": ALL, "steps": 5, "replace_with": replacement, "draws": 2}
        found = lw.relevance(module, torch.tensor(series), **again)
        expected = lw.relevance(model, series, **again)
        found.attrs["source"] = expected.attrs["source"]
        assert_same(found, expected)
    assert found.attrs["meaning"] == "values"
    np.testing.assert_allclose(
        lw.dependency(module, series, method="occlusion"),
        lw.dependency(model, series, method="occlusion"),
        atol=1e-10,
    )


def test_dependency_is_that_of_keras_with_the_same_weights():
    module = Classifier("GRU", "none").double()
    model = twin(module)
    for options in (
        {},
        {"of": "loss", "target": IDS % 3},
        {"wrt": "one_hot", "norm": "l2_squared"},
        {"at": [2, 5]},
    ):
        found = lw.dependency(module, torch.tensor(IDS), **options)
        expected = lw.dependency(model, IDS, **options)
        assert found.dims == expected.dims
        assert found.attrs == expected.attrs
        np.testing.assert_allclose(found, expected, atol=1e-10)


def test_the_deletion_curve_is_that_of_keras_with_the_same_weights():
    module = Classifier("LSTM", "max").double()
    model = twin(module)
    relevance = lw.relevance(module, IDS, methods=("lrp", "sensitivity"), bias_factor=1)
    for replacement in ("zero", 3):
        found = lw.deletion_curve(module, torch.tensor(IDS), relevance, replace_with=replacement)
        expected = lw.deletion_curve(model, IDS, relevance, replace_with=replacement)
        np.testing.assert_allclose(found, expected, atol=1e-10)


@pytest.mark.parametrize("signal", ["hidden_state", "cell_state"])
def test_the_state_of_a_cell_is_explained_as_in_keras(signal):
    module = Classifier("LSTM", "mean", both=True).double()
    model = twin(module)
    name = next(layer.name for layer in model.layers if "bidirectional" in layer.name)
    for direction, at in (("forward", 3), ("backward", [0, 1, 2, 3, 6]), ("forward", None)):
        options = {"cell": 4, "signal": signal, "at": at, "methods": ALL, "steps": 6}
        options["bias_factor"] = 1
        found = lw.relevance(module, IDS, layer=f"rnn/{direction}", **options)
        expected = lw.relevance(model, IDS, layer=f"{name}/{direction}", **options)
        assert found.attrs.pop("layer") == f"rnn/{direction}"
        expected.attrs.pop("layer")
        assert_same(found, expected)
