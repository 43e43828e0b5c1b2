"""`record` on random stacks of recurrent layers, against Keras's own cells stepped by hand."""

from unittest import mock

import keras
import numpy as np
import tensorflow as tf
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from keras import layers as L

from lstm_widgets import record
from lstm_widgets.rnn import scan

ACTIVATIONS = ["tanh", "sigmoid", "relu", "linear", "hard_sigmoid", "softsign", "elu"]
BIAS = {"bias_initializer": "random_normal"}


@st.composite
def cells(draw):
    kind = draw(st.sampled_from(["GRU", "LSTM", "SimpleRNN"]))
    options = {
        "units": draw(st.integers(1, 5)),
        "use_bias": draw(st.booleans()),
        "activation": draw(st.sampled_from(ACTIVATIONS)),
    }
    if kind != "SimpleRNN":
        options["recurrent_activation"] = draw(st.sampled_from(ACTIVATIONS))
    if kind == "GRU":
        options["reset_after"] = draw(st.booleans())
    if kind == "LSTM":
        options["unit_forget_bias"] = draw(st.booleans())
    return kind, options


@st.composite
def recurrent_layers(draw):
    """What `build` makes a layer of."""
    stack = None
    if draw(st.integers(0, 3)) == 0:
        # Keras itself stumbles over a stack of one, in graph mode and with a mask.
        stack = draw(st.lists(cells(), min_size=2, max_size=3))
    return {
        "stack": stack,
        "cell": draw(cells()),
        "go_backwards": draw(st.booleans()),
        "unroll": draw(st.integers(0, 3)) == 0,
        "merge_mode": draw(st.sampled_from([None, None, None, "sum", "mul", "ave", "concat"])),
    }


def build(spec, *, return_sequences):
    options = {
        "return_sequences": return_sequences,
        "go_backwards": spec["go_backwards"] and not spec["merge_mode"],
        "unroll": spec["unroll"],
    }
    if spec["stack"]:
        stack = [getattr(L, f"{kind}Cell")(**o, **BIAS) for kind, o in spec["stack"]]
        layer = L.RNN(stack, **options)
    else:
        kind, cell_options = spec["cell"]
        layer = getattr(L, kind)(**cell_options, **options, **BIAS)
    if spec["merge_mode"]:
        layer = L.Bidirectional(layer, merge_mode=spec["merge_mode"])
    return layer


def directions(layer):
    if isinstance(layer, L.Bidirectional):
        return {"/forward": layer.forward_layer, "/backward": layer.backward_layer}
    return {"": layer}


def by_hand(layer, x, mask):
    """Every state of every cell, in the order of `tree.flatten`: ``(example, timestep, cell)``."""
    state = layer.get_initial_state(len(x))
    steps = {}
    for t in reversed(range(x.shape[1])) if layer.go_backwards else range(x.shape[1]):
        _, new = layer.cell(tf.constant(x[:, t]), state)
        if mask is not None:
            new = keras.tree.map_structure(
                lambda n, s, t=t: tf.where(mask[:, t, None], n, s), new, state
            )
        state = new
        steps[t] = [s.numpy() for s in keras.tree.flatten(state)]
    return [np.stack(one, 1) for one in zip(*(steps[t] for t in sorted(steps)), strict=True)]


@settings(
    max_examples=50,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large],
)
@given(
    specs=st.lists(recurrent_layers(), min_size=1, max_size=2),
    shape=st.tuples(st.integers(1, 4), st.integers(1, 7), st.integers(1, 4)),
    masked=st.booleans(),
    last=st.booleans(),
    compiled=st.booleans(),
    # Tracing takes long, so it is tried less often.
    check=st.integers(0, 7).map(lambda n: "full" if n == 7 else "prefix"),
    seed=st.integers(0, 2**16),
)
def test_any_stack_of_layers(**case):
    specs, shape, masked = case["specs"], case["shape"], case["masked"]
    last, compiled, check, seed = case["last"], case["compiled"], case["check"], case["seed"]
    keras.utils.set_random_seed(seed)
    rng = np.random.default_rng(seed)
    examples, timesteps, features = shape
    x = rng.normal(size=shape).astype(np.float32)
    mask = None
    if masked:
        mask = rng.random((examples, timesteps)) < 0.6
        x[~mask] = 0
    inputs = keras.Input((timesteps, features))
    tensors = [L.Masking()(inputs) if masked else inputs]
    layers = [
        build(spec, return_sequences=last or k < len(specs) - 1) for k, spec in enumerate(specs)
    ]
    for layer in layers:
        tensors.append(layer(tensors[-1]))
    model = keras.Model(inputs, tensors[-1])
    received = keras.tree.flatten(keras.Model(inputs, tensors[:-1])(x))

    loop = scan._compiled if compiled else lambda: None
    with mock.patch.object(scan, "_compiled", loop):
        recording = record(model, x, check=check)

    for layer, values in zip(layers, received, strict=True):
        for ending, one in directions(layer).items():
            states = iter(by_hand(one, np.asarray(values), mask))
            stacked = isinstance(one.cell, L.StackedRNNCells) and len(one.cell.cells) > 1
            parts = one.cell.cells if isinstance(one.cell, L.StackedRNNCells) else [one.cell]
            for k, cell in enumerate(parts):
                name = f"{layer.name}{ending}" + (f"/cell_{k}" if stacked else "")
                dataset = recording[name]
                assert dataset.attrs["go_backwards"] == one.go_backwards
                for signal in ["hidden_state"] + ["cell_state"] * isinstance(cell, L.LSTMCell):
                    expected = next(states)
                    assert dataset[signal].shape == (examples, timesteps, cell.units)
                    np.testing.assert_allclose(dataset[signal], expected, rtol=1e-5, atol=1e-5)
                assert ("mask" in dataset) == (mask is not None and not mask.all())
