"""Relevance: equal to plain loops, to finite differences, to algebra; and clear about its limits."""

from __future__ import annotations

import json

import keras
import naive
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from keras import layers as L

import lstm_widgets as lw

RNG = np.random.default_rng(0)
ALL = ("lrp", "sensitivity", "gradient_x_input", "integrated_gradients", "occlusion")
KINDS = {
    "LSTM": (L.LSTM, {}),
    "GRU": (L.GRU, {}),
    "GRU, reset before": (L.GRU, {"reset_after": False}),
    "SimpleRNN": (L.SimpleRNN, {}),
}


@pytest.fixture(autouse=True)
def double():
    """Models of double precision, so that small tolerances mean something."""
    keras.config.set_floatx("float64")
    yield
    keras.config.set_floatx("float32")


def shaken(model, scale=0.7):
    """Give every weight, biases too, a random value."""
    model.set_weights([RNG.normal(size=w.shape) * scale for w in model.get_weights()])
    return model


def vectors(*layers, timesteps=6, features=3, **options):
    return shaken(keras.Sequential([keras.Input((timesteps, features)), *layers], **options))


def words(*layers, mask=True, symbols=9, features=3):
    embedding = L.Embedding(symbols, features, mask_zero=mask, name="embedding")
    return shaken(keras.Sequential([keras.Input((None,), dtype="int32"), embedding, *layers]))


def by_hand(model, x, target, *, bias_factor, mask=None, epsilon=0.001):
    """LRP of one recurrent layer and one dense layer, for one sequence of vectors."""
    layer, dense = model.layers[-2:]
    weights = layer.get_weights()
    one = naive.Recurrent(
        type(layer).__name__, *weights, reset_after=getattr(layer, "reset_after", False)
    )
    hidden, _ = one.forward(x, mask)
    kernel, bias = dense.get_weights()
    scores = np.array(hidden) @ kernel + bias
    start = np.zeros(len(bias))
    start[target] = scores[target]
    given = naive.dense_backward(
        hidden, kernel, bias, start, epsilon=epsilon, bias_factor=bias_factor
    )
    return scores[target], *one.backward(given, [0.0] * one.units, epsilon, bias_factor)


# LRP ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("bias_factor", [0, 1, 0.5])
@pytest.mark.parametrize("kind", KINDS)
def test_lrp_is_that_of_a_loop_over_units(kind, bias_factor):
    layer, options = KINDS[kind]
    model = vectors(layer(4, **options), L.Dense(3, activation="softmax"))
    x, target = RNG.normal(size=(5, 6, 3)), np.array([0, 1, 2, 1, 0])
    result = lw.relevance(
        model, x, methods="lrp", target=target, bias_factor=bias_factor, per_dimension=True
    )
    for k in range(5):
        score, of_x, of_h, of_c = by_hand(model, x[k], target[k], bias_factor=bias_factor)
        one = result.isel(method=0, example=k)
        np.testing.assert_allclose(one.score, score, atol=1e-12)
        np.testing.assert_allclose(one.relevance_per_dimension, of_x, atol=1e-10)
        np.testing.assert_allclose(one.relevance, of_x.sum(axis=1), atol=1e-10)
        np.testing.assert_allclose(one.elsewhere, of_h.sum() + of_c.sum(), atol=1e-10)
        np.testing.assert_allclose(one.gap, score - of_x.sum() - of_h.sum() - of_c.sum(), atol=1e-9)


@pytest.mark.parametrize("kind", KINDS)
def test_padding_takes_no_relevance_and_hands_it_on(kind):
    layer, options = KINDS[kind]
    model = words(layer(4, **options), L.Dense(2))
    ids = np.array([[1, 2, 3, 4, 5], [0, 0, 3, 4, 5], [1, 2, 3, 0, 0], [1, 0, 3, 0, 5]])
    result = lw.relevance(model, ids, methods="lrp", bias_factor=1, per_dimension=True)
    vectors = model.layers[0].get_weights()[0][ids]
    np.testing.assert_array_equal(result["mask"], ids != 0)
    for k, row in enumerate(ids):
        target = int(result.target[k])
        score, of_x, *_ = by_hand(model, vectors[k], target, bias_factor=1, mask=row != 0)
        np.testing.assert_allclose(result.score[k], score, atol=1e-12)
        np.testing.assert_allclose(result.relevance_per_dimension[0, k], of_x, atol=1e-10)
        assert (result.relevance[0, k].values[row == 0] == 0).all()
    np.testing.assert_allclose(result.gap, 0, atol=1e-10)


@pytest.mark.parametrize("bias_factor", [0, 1])
def test_a_published_reference(root, bias_factor):
    """Numbers that another implementation found, where they lie beside the checkout."""
    for path in root.parent.glob("shared/data/lstm_relevance_reference.json"):
        case = json.loads(path.read_text())
        weights = {name: np.array(values) for name, values in case["weights"].items()}
        expected, x = case["expected"], np.array(case["x"])[None]
        order = np.r_[0:4, 8:12, 4:8, 12:16]  # of the gates: i, g, f, o there
        model = vectors(L.Bidirectional(L.LSTM(4)), L.Dense(3, use_bias=False))
        # It is the forward half of a bidirectional network; the other half is idle.
        forward = (weights["Wxh"][order].T, weights["Whh"][order].T)
        bias = (weights["bxh"] + weights["bhh"])[order]
        idle = (np.zeros((3, 16)), np.zeros((4, 16)), np.zeros(16))
        model.layers[0].set_weights([*forward, bias, *idle])
        model.layers[1].set_weights([np.concatenate([weights["Why"].T, np.zeros((4, 3))])])
        result = lw.relevance(
            model, x, methods=ALL, target=1, bias_factor=bias_factor, per_dimension=True
        ).isel(example=0)
        lrp = expected[f"lrp_bias{bias_factor}"]
        per_dimension = result.relevance_per_dimension
        np.testing.assert_allclose(result.score, expected["scores"][1], atol=1e-10)
        np.testing.assert_allclose(per_dimension[0], lrp["Rx"], atol=1e-10)
        np.testing.assert_allclose(result.relevance[0], lrp["words"], atol=1e-10)
        np.testing.assert_allclose(result.elsewhere[0], lrp["rest"], atol=1e-10)
        np.testing.assert_allclose(result.relevance[1], expected["SA"], atol=1e-10)
        np.testing.assert_allclose(result.relevance[2], expected["GI"], atol=1e-10)
        integrated = expected["IG_midpoint200"]
        np.testing.assert_allclose(per_dimension[3], integrated["per_dim"], atol=1e-6)
        np.testing.assert_allclose(result.gap[3], 0, atol=1e-10)


STACK = st.lists(st.sampled_from([*KINDS, "Bidirectional"]), min_size=1, max_size=2)
HEADS = ["last", "mean", "maximum", "flat", "sequence"]


@settings(max_examples=15)
@given(
    stack=STACK,
    head=st.sampled_from(HEADS),
    merge=st.sampled_from(["concat", "sum", "ave"]),
    backwards=st.booleans(),
    masked=st.booleans(),
    seed=st.integers(0, 99),
)
def test_with_all_shares_handed_on_the_score_is_conserved(
    *, stack, head, merge, backwards, masked, seed
):
    rng = np.random.default_rng(seed)
    timesteps = 5
    inputs = x = keras.Input((timesteps,), dtype="int32")
    # Pooling and flattening do without a mask.
    x = L.Embedding(7, 3, mask_zero=masked and head in ("last", "mean", "sequence"))(x)
    for k, kind in enumerate(stack):
        sequences = head != "last" or k + 1 < len(stack)
        if kind == "Bidirectional":
            x = L.Bidirectional(L.LSTM(3, return_sequences=sequences), merge_mode=merge)(x)
        else:
            layer, options = KINDS[kind]
            turned = backwards and k == 0 and not masked
            x = layer(3, return_sequences=sequences, go_backwards=turned, **options)(x)
        x = L.Dropout(0.5)(x)
    if head == "mean":
        x = L.GlobalAveragePooling1D()(x)
    if head == "maximum":
        x = L.GlobalMaxPooling1D()(x)
    if head == "flat":
        x = L.Flatten()(x)
    x = L.Dense(4, activation="tanh")(x)
    if head == "sequence":
        x = L.TimeDistributed(L.Dense(3))(x)
        x = L.Activation("softmax")(x)
    else:
        x = L.Dense(3, activation="softmax")(x)
    model = keras.Model(inputs, x)
    model.set_weights([rng.normal(size=w.shape) * 0.7 for w in model.get_weights()])
    ids = rng.integers(1, 7, (4, timesteps))
    ids[0, 3:] = ids[1, :2] = 0
    result = lw.relevance(model, ids, methods="lrp", bias_factor=1, epsilon=0.01)
    scale = 1 + np.abs(result.relevance).sum("timestep").values
    np.testing.assert_allclose(result.gap / scale, 0, atol=1e-8)
    assert (np.abs(result.score) > 0).any()
