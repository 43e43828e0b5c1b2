"""Models of frameworks are sent to the workers of a Dask cluster, and record there what they record here."""

from __future__ import annotations

import keras
import pytest
import torch
from test_cluster_record import OPTIONS, cluster_of, expect_same, ids, used, without_client

import lstm_widgets as lw


def keras_model():
    inputs = keras.Input((None,), dtype="int32")
    x = keras.layers.Embedding(11, 8, mask_zero=True)(inputs)
    x = keras.layers.LSTM(32, return_sequences=True, name="lower")(x)
    x = keras.layers.Dense(24, activation="relu")(x)
    x = keras.layers.GRU(16, return_sequences=True, name="upper")(x)
    return keras.Model(inputs, keras.layers.Dense(11, activation="softmax")(x))


class Words(torch.nn.Module):
    def __init__(self):
        super().__init__()
        self.embedding = torch.nn.Embedding(11, 8)
        self.rnn = torch.nn.LSTM(8, 32, num_layers=2, batch_first=True)
        self.readout = torch.nn.Linear(32, 11)

    def forward(self, ids):
        return self.readout(self.rnn(self.embedding(ids))[0])


@pytest.fixture(scope="module")
def two():
    with cluster_of(2) as client:
        yield client


@pytest.mark.parametrize("make", [keras_model, Words])
def test_models_of_frameworks_are_sent(make, two, tmp_path):
    model, inputs = make(), ids()
    lw.record(model, inputs, to=tmp_path / "some", **OPTIONS)
    assert any(used(two))
    with without_client():
        lw.record(model, inputs, to=tmp_path / "none", **OPTIONS)
    expect_same(tmp_path / "some", tmp_path / "none")
