"""Relevance through layers around recurrent ones: held against the epsilon rule on their matrices."""

from __future__ import annotations

import keras
import numpy as np
import pytest
from keras import layers as L

import lstm_widgets as lw
from lstm_widgets.errors import UnsupportedLayerError
from lstm_widgets.models.keras.affine import is_affine

TIME, FEATURES, CLASSES, EPSILON = 6, 4, 3, 0.01


@pytest.fixture(autouse=True)
def double():
    """Models of double precision, so that small tolerances mean something."""
    keras.config.set_floatx("float64")
    keras.config.set_dtype_policy("float64")
    yield
    keras.config.set_floatx("float32")
    keras.config.set_dtype_policy("float32")


def shaken(model, seed=0):
    """Give every weight a random value, variances a positive one."""
    rng = np.random.default_rng(seed)
    weights = [rng.normal(size=w.shape) * 0.7 for w in model.weights]
    named = zip(model.weights, weights, strict=True)
    values = [np.abs(w) + 0.3 if "variance" in v.path else w for v, w in named]
    model.set_weights([v.astype(w.dtype) for v, w in zip(values, model.weights, strict=True)])
    return model


def normalization():
    rng = np.random.default_rng(5)
    return L.Normalization(mean=rng.normal(size=FEATURES), variance=rng.uniform(0.5, 2, FEATURES))


def epsilon_rule(x, weights, z, relevance, bias_factor, *, feeding=None):
    """Message by message: ``weights`` (inputs, outputs), z with its bias, all flat."""
    feeding = weights != 0 if feeding is None else feeding
    stabiliser = np.where(z >= 0, EPSILON, -EPSILON)
    bias = z - x @ weights
    share = feeding * bias_factor * (stabiliser + bias) / np.maximum(feeding.sum(axis=0), 1)
    return ((x[:, None] * weights + share) / (z + stabiliser) * relevance).sum(axis=1)


def matrix(function, shape):
    """The matrix of an affine function, from what it makes of one value at a time."""
    size = int(np.prod(shape))
    rows = np.asarray(function(np.eye(size).reshape(size, *shape))).reshape(size, -1)
    return rows - np.asarray(function(np.zeros((1, *shape)))).reshape(1, -1)


AFFINE = {
    "batch normalization": L.BatchNormalization,
    "batch normalization over time": lambda: L.BatchNormalization(axis=1, center=False),
    "normalization": normalization,
    "convolution": lambda: L.Conv1D(5, 3),
    "causal convolution": lambda: L.Conv1D(3, 2, padding="causal", dilation_rate=2),
    "convolution in strides": lambda: L.Conv1D(4, 3, padding="same", strides=2, groups=2),
    "convolution without bias": lambda: L.Conv1D(2, 4, padding="same", use_bias=False),
    "means": lambda: L.AveragePooling1D(2),
    "means beyond the end": lambda: L.AveragePooling1D(4, strides=2, padding="same"),
    "the mean": L.GlobalAveragePooling1D,
    "rescaling": lambda: L.Rescaling(0.3, offset=-1.5),
    "scaled and shifted": lambda: L.Lambda(lambda x: (2 - x) / 3),
    "a slice": lambda: L.Lambda(lambda x: x[:, 1:4] * np.arange(1.0, 5)),
    "a mean of one's own": lambda: L.Lambda(lambda x: keras.ops.mean(x, axis=1)),
    "repeated": lambda: L.UpSampling1D(2),
}


@pytest.mark.parametrize("bias_factor", [0, 0.4, 1])
@pytest.mark.parametrize("what", AFFINE)
def test_what_is_affine_has_the_epsilon_rule(what, bias_factor):
    layer, dense = AFFINE[what](), L.Dense(CLASSES)
    model = shaken(keras.Sequential([keras.Input((TIME, FEATURES)), layer, L.Flatten(), dense]))
    x = np.random.default_rng(1).normal(size=(3, TIME, FEATURES))
    found = lw.relevance(
        model,
        x,
        methods=["lrp", "gradient_x_input"],
        bias_factor=bias_factor,
        epsilon=EPSILON,
    )
    kernel, weights = dense.get_weights()[0], matrix(layer, (TIME, FEATURES))
    for k, target in enumerate(found.target.values):
        inner = np.asarray(layer(x[k : k + 1])).ravel()
        scores, start = np.asarray(model(x[k : k + 1]))[0], np.zeros(CLASSES)
        start[target] = scores[target]
        of_inner = epsilon_rule(inner, kernel, scores, start, bias_factor)
        if what == "repeated":  # values that are moved take what their copies get
            expected = (of_inner * weights).sum(axis=1)
        else:
            expected = epsilon_rule(x[k].ravel(), weights, inner, of_inner, bias_factor)
        lrp = found.relevance[0, k].values.ravel()
        np.testing.assert_allclose(lrp, expected, rtol=1e-9, atol=1e-9)
        gradient = weights @ kernel[:, target] * x[k].ravel()
        by_gradient = found.relevance[1, k].values.ravel()
        np.testing.assert_allclose(by_gradient, gradient, rtol=1e-9, atol=1e-9)
    if bias_factor == 1:
        np.testing.assert_allclose(found.gap[0], 0, atol=1e-9)


@pytest.mark.parametrize("bias_factor", [0, 1])
@pytest.mark.parametrize("options", [{}, {"axis": [1, 2], "center": False}])
def test_layer_normalization_holds_the_standard_deviation(options, bias_factor):
    layer, dense = L.LayerNormalization(**options), L.Dense(CLASSES)
    model = shaken(keras.Sequential([keras.Input((TIME, FEATURES)), layer, L.Flatten(), dense]))
    x = np.random.default_rng(2).normal(size=(2, TIME, FEATURES)) + 0.5
    found = lw.relevance(
        model, x, methods=["lrp", "gradient_x_input"], bias_factor=bias_factor, epsilon=EPSILON
    )
    gamma = np.broadcast_to(np.asarray(layer.gamma), (TIME, FEATURES)).ravel()
    group = np.repeat(np.arange(TIME), FEATURES) * ("axis" not in options)
    same = (group[:, None] == group).astype(float)
    for k, target in enumerate(found.target.values):
        flat, inner = x[k].ravel(), np.asarray(layer(x[k : k + 1])).ravel()
        centre = np.eye(len(flat)) - same / same.sum(axis=0)
        size = np.sqrt(same @ (flat @ centre) ** 2 / same.sum(axis=0) + layer.epsilon)
        weights = centre * gamma / size
        scores, start = np.asarray(model(x[k : k + 1]))[0], np.zeros(CLASSES)
        start[target] = scores[target]
        of_inner = epsilon_rule(inner, dense.get_weights()[0], scores, start, bias_factor)
        expected = epsilon_rule(flat, weights, inner, of_inner, bias_factor, feeding=same)
        expected = expected.reshape(TIME, FEATURES)
        np.testing.assert_allclose(found.relevance[0, k], expected, rtol=1e-8, atol=1e-8)
    # Gradients know that the standard deviation varies.
    step = 1e-6
    moved = x[:1] * np.eye(TIME * FEATURES).reshape(-1, TIME, FEATURES) * step
    target = int(found.target[0])
    up, down = (np.asarray(model(x[:1] + sign * moved))[:, target] for sign in (1, -1))
    slopes = ((up - down) / (2 * step)).reshape(TIME, FEATURES)
    np.testing.assert_allclose(found.relevance[1, 0], slopes, atol=1e-6)


def stacked(kind, symbols=9):
    """Recurrent layers with others in between, and what makes its input of ids."""
    ids = keras.Input((None,), dtype="int32")
    x = L.Embedding(symbols, FEATURES, name="embedding")(ids)
    if kind == "zeros around":
        x = L.LSTM(3)(L.ZeroPadding1D((2, 1))(x))
    elif kind == "zeros within":
        x = L.GRU(3, return_sequences=True)(x)
        x = L.GlobalAveragePooling1D()(L.SimpleRNN(3, return_sequences=True)(L.ZeroPadding1D(1)(x)))
    elif kind == "convolved":
        x = L.Conv1D(5, 2, activation="relu", padding="same")(x)
        x = L.LSTM(3)(L.AveragePooling1D(2, padding="same")(x))
    elif kind == "normalized":
        x = L.BatchNormalization()(L.GRU(4, return_sequences=True)(L.LayerNormalization()(x)))
        x = L.Rescaling(2.0)(L.LSTM(3)(x))
    elif kind == "masked by a layer":
        mask = L.Lambda(lambda i: keras.ops.cast(i != 0, "float64")[..., None])(ids)
        x = L.GRU(3)(L.Multiply()([x, mask]))
    elif kind == "masked by an operation":
        x = L.LSTM(3, return_sequences=True)(x)
        mask = keras.ops.cast(keras.ops.not_equal(ids, 0), "float64")
        x = L.GlobalAveragePooling1D()(x * keras.ops.expand_dims(mask, -1))
    x = L.Dense(CLASSES)(x)
    return shaken(keras.Model(ids, L.Rescaling(0.5, offset=0.2)(x)))


KINDS = ["zeros around", "zeros within", "convolved", "normalized"]
KINDS += ["masked by a layer", "masked by an operation"]


@pytest.mark.parametrize("kind", KINDS)
def test_with_all_shares_handed_on_nothing_is_lost_between_layers(kind):
    model, ids = stacked(kind), np.random.default_rng(3).integers(1, 9, (4, 5))
    ids[0, 3:] = ids[1, :2] = 0
    methods = ["lrp", "gradient_x_input", "integrated_gradients"]
    found = lw.relevance(model, ids, methods=methods, bias_factor=1, epsilon=EPSILON, steps=200)
    scale = 1 + np.abs(found.relevance).sum("timestep")
    np.testing.assert_allclose((found.gap / scale)[0], 0, atol=1e-9)
    np.testing.assert_allclose(found.gap[2], 0, atol=1e-3)
    vectors = np.asarray(model.get_layer("embedding").embeddings)
    np.testing.assert_allclose(
        found.score, np.asarray(model(ids))[np.arange(4), found.target], rtol=1e-12
    )
    # A token's gradient times its vector, by differences: tokens with ids of their own, one longer.
    row, alone, step = 2, np.arange(9, 14), 1e-6
    table = np.concatenate([vectors, vectors[ids[row]]])
    other, target, differences = stacked(kind, len(table)), int(found.target[row]), np.zeros(5)
    other.set_weights([table, *model.get_weights()[1:]])
    for t in range(5):
        for sign in (1, -1):
            moved = table.copy()
            moved[alone[t]] *= 1 + sign * step
            other.get_layer("embedding").set_weights([moved])
            differences[t] += sign * float(np.asarray(other(alone[None]))[0, target])
    np.testing.assert_allclose(found.relevance[1, row], differences / (2 * step), atol=1e-6)


def test_relevance_of_zeros_that_a_layer_adds_is_told():
    model, ids = stacked("zeros around"), np.array([[1, 2, 3]])
    found = lw.relevance(model, ids, methods="lrp", bias_factor=1, epsilon=EPSILON)
    total = found.relevance.sum() + found.elsewhere.sum()
    np.testing.assert_allclose(total, found.score.sum(), rtol=1e-9)
    # The zeros are read before the tokens, and take shares of biases.
    assert abs(float(found.elsewhere[0, 0])) > 1e-3


@pytest.mark.parametrize(
    ("layers", "named"),
    [
        (lambda: [L.Lambda(lambda x: x * x, name="own")], "'own', a Lambda"),
        (lambda: [L.Lambda(lambda x: x[:, 1:] - x[:, :-1], name="own")], "'own', a Lambda"),
        (lambda: [L.UnitNormalization(name="own")], "'own', a UnitNormalization"),
        (lambda: [L.SeparableConv1D(2, 2, name="own")], "'own', a SeparableConv1D"),
        (lambda: [L.Conv1D(2, 2, activation="softmax", name="own")], "'own', a Conv1D"),
    ],
)
def test_a_layer_without_rule_is_named(layers, named):
    model = keras.Sequential([keras.Input((TIME, FEATURES)), *layers(), L.LSTM(2), L.Dense(2)])
    with pytest.raises(UnsupportedLayerError, match=f"no rule for layer {named}"):
        lw.relevance(model, np.ones((1, TIME, FEATURES)), methods="lrp")


def test_a_product_of_two_things_that_vary_is_named():
    inputs = keras.Input((TIME, FEATURES))
    weights = L.Dense(1, activation="sigmoid")(inputs)
    x = L.LSTM(2)(L.Multiply(name="attention")([inputs, weights]))
    model = keras.Model(inputs, L.Dense(2)(x))
    with pytest.raises(UnsupportedLayerError, match="no rule for layer 'attention', a Multiply"):
        lw.relevance(model, np.ones((1, TIME, FEATURES)), methods="lrp")


# What stands at the end ---------------------------------------------------------------------------

ENDS = {
    "rescaling": lambda: L.Rescaling(40.0, offset=10),
    "scaled": lambda: L.Lambda(lambda y: y * 3.5 - 1),
    "a product": lambda: L.Lambda(lambda y: keras.ops.matmul(y, np.diag([1.0, -2, 0.5]))),
    "differences": lambda: L.Lambda(lambda y: y - keras.ops.mean(y, axis=-1, keepdims=True)),
}


@pytest.mark.parametrize("end", ENDS)
def test_an_affine_end_stops_no_gradients(end):
    model = shaken(
        keras.Sequential([keras.Input((TIME, FEATURES)), L.LSTM(4), L.Dense(CLASSES), ENDS[end]()])
    )
    x, step = np.random.default_rng(4).normal(size=(1, TIME, FEATURES)), 1e-6
    found = lw.relevance(model, x, methods="gradient_x_input", target=1)
    moved = x * np.eye(TIME * FEATURES).reshape(-1, TIME, FEATURES) * step
    up, down = (np.asarray(model(x + sign * moved))[:, 1] for sign in (1, -1))
    slopes = ((up - down) / (2 * step)).reshape(TIME, FEATURES)
    np.testing.assert_allclose(found.relevance[0, 0], slopes, atol=1e-6)
    np.testing.assert_allclose(found.score, np.asarray(model(x))[:, 1])
    sizes = lw.dependency(model, x, target=1, norm="l1")
    assert sizes.shape == (1, 1, TIME, FEATURES)


NOT_AFFINE = {
    "a square": lambda y: y * y,
    "a sigmoid": keras.ops.sigmoid,
    "a maximum": lambda y: keras.ops.maximum(y, -1e9),
    "a quotient": lambda y: 1 / y,
    "rounded": lambda y: keras.ops.cast(keras.ops.cast(y, "int32"), "float64"),
    "chosen by value": lambda y: keras.ops.where(y > 0, y, 2 * y),
    "a constant": keras.ops.ones_like,
    "random": lambda y: y * keras.random.uniform(()) * y,
}


@pytest.mark.parametrize("what", NOT_AFFINE)
def test_only_what_is_proved_to_be_affine_is_taken_for_it(what):
    assert not is_affine(NOT_AFFINE[what], keras.ops.ones((2, 3)))
    for end in ENDS.values():
        assert is_affine(end(), keras.ops.ones((2, 3)))


def test_a_lambda_that_may_hide_an_activation_is_refused():
    model = keras.Sequential(
        [keras.Input((TIME, FEATURES)), L.LSTM(4), L.Dense(2), L.Lambda(keras.ops.sigmoid)]
    )
    with pytest.raises(UnsupportedLayerError, match="which may hide an activation"):
        lw.relevance(model, np.ones((1, TIME, FEATURES)), methods="sensitivity")
