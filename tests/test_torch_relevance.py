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
