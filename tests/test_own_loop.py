"""The layer's own loop, which checks a recording: traced once a shape, and not kept for ever."""

from __future__ import annotations

import gc
import weakref

import keras
import numpy as np
import pytest

from lstm_widgets.models.keras.own_loop import KEPT_LOOPS, KEPT_SHAPES, OwnLoop


@pytest.fixture
def layer():
    made = keras.layers.LSTM(3, return_sequences=True)
    made.build((None, None, 2))
    return made


def read(loop, layer, examples, timesteps, *, traced=True):
    x = np.random.default_rng(timesteps).normal(size=(examples, timesteps, 2)).astype("float32")
    state = [np.zeros((examples, 3), "float32")] * 2
    state = [keras.ops.convert_to_tensor(part) for part in state]
    outputs, _ = loop(keras.ops.convert_to_tensor(x), state, None, traced=traced)
    np.testing.assert_allclose(outputs, layer(x), rtol=1e-5, atol=1e-6)


def test_lengths_that_are_no_longer_used_are_let_go_of(layer):
    loop = OwnLoop.of(layer)
    read(loop, layer, 1, 2)
    first = weakref.ref(next(iter(loop._traced.values())))
    for timesteps in range(3, 3 + KEPT_LOOPS):
        read(loop, layer, 1, timesteps)
    assert len(loop._traced) == KEPT_LOOPS
    gc.collect()
    assert first() is None
    # What is used again stays, and is traced no further time.
    kept = next(iter(loop._traced.values()))
    read(loop, layer, 1, 3)
    read(loop, layer, 1, 90)
    assert kept in loop._traced.values()


def test_shapes_that_were_seen_are_remembered_up_to_a_number(layer):
    loop = OwnLoop.of(layer)
    loop._uses = {("seen", i): 1 for i in range(KEPT_SHAPES)}
    read(loop, layer, 1, 2, traced=False)
    assert len(loop._uses) == KEPT_SHAPES
    assert ("seen", 0) not in loop._uses
    assert not loop._traced
