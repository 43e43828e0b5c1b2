"""Relevance: equal to plain loops, to finite differences, to algebra; and clear about its limits."""

from __future__ import annotations

import keras
import naive
import numpy as np
import pytest
import tensorflow as tf
import xarray as xr
from hypothesis import given, settings
from hypothesis import strategies as st
from keras import layers as L

import lstm_widgets as lw
from lstm_widgets.errors import UnsupportedLayerError
from lstm_widgets.models.keras.explained import Explained

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
    keras.config.set_dtype_policy("float64")
    yield
    keras.config.set_floatx("float32")
    keras.config.set_dtype_policy("float32")


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
    result = lw.relevance(model, x, methods="lrp", target=target, bias_factor=bias_factor)
    for k in range(5):
        score, of_x, of_h, of_c = by_hand(model, x[k], target[k], bias_factor=bias_factor)
        one = result.isel(method=0, example=k)
        np.testing.assert_allclose(one.score, score, atol=1e-12)
        np.testing.assert_allclose(one.relevance, of_x, atol=1e-10)
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


STACK = st.lists(st.sampled_from([*KINDS, "Bidirectional"]), min_size=1, max_size=2)
HEADS = ["last", "mean", "maximum", "flat", "sequence"]


@settings(max_examples=8)
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


# The other methods --------------------------------------------------------------------------------


def behind_embedding(model):
    """Make a function from embedded sequences to logits, for models whose last layer is linear."""

    def run(x):
        for layer in model.layers[1:]:
            x = layer(x)
        return np.asarray(x)

    return run


def differences(score, x, step=1e-5):
    """The gradient of a function from a batch of sequences to one number each, at one sequence."""
    moved = np.eye(x.size).reshape(-1, *x.shape) * step
    values = score(np.concatenate([x + moved, x - moved]))
    return (values[: x.size] - values[x.size :]).reshape(x.shape) / (2 * step)


@pytest.mark.parametrize(
    "layers",
    [
        lambda: [L.LSTM(4)],
        lambda: [L.Bidirectional(L.GRU(3, return_sequences=True)), L.SimpleRNN(4)],
        lambda: [L.LSTM(3, return_sequences=True), L.GlobalAveragePooling1D()],
    ],
)
def test_gradients_are_those_that_differences_find(layers):
    model = words(*layers(), L.Dense(3), mask=False)
    ids = RNG.integers(1, 9, (2, 4))
    result = lw.relevance(model, ids, methods=ALL, target=[2, 0], per_dimension=True)
    run, x = behind_embedding(model), model.layers[0].get_weights()[0][ids]
    for k, target in enumerate((2, 0)):
        score = lambda x, target=target: run(x)[:, target]
        gradient = differences(score, x[k])
        one = result.isel(example=k)
        np.testing.assert_allclose(one.score, score(x[[k]])[0], atol=1e-12)
        np.testing.assert_allclose(
            one.relevance.sel({"method": "sensitivity"}), (gradient**2).sum(axis=1), atol=1e-8
        )
        np.testing.assert_allclose(
            one.relevance_per_dimension.sel({"method": "gradient_x_input"}),
            gradient * x[k],
            atol=1e-8,
        )
        # The integral, by the midpoint rule.
        middle = (np.arange(60) + 0.5) / 60
        mean = np.mean([differences(score, a * x[k]) for a in middle], axis=0)
        integrated = one.sel({"method": "integrated_gradients"})
        np.testing.assert_allclose(integrated.relevance_per_dimension, mean * x[k], atol=1e-4)
        np.testing.assert_allclose(integrated.gap, 0, atol=1e-10)
        np.testing.assert_allclose(
            integrated.relevance.sum(),
            (score(x[[k]]) - score(np.zeros_like(x[[k]])))[0],
            atol=1e-10,
        )
        occluded = one.sel({"method": "occlusion"})
        assert np.isnan(occluded.relevance_per_dimension).all()
        for t in range(4):
            without = x[[k]]
            without[0, t] = 0
            expected = (score(x[[k]]) - score(without))[0]
            np.testing.assert_allclose(occluded.relevance[t], expected, atol=1e-12)


KERAS = [
    (kind, {**options, **more})
    for kind, (_, options) in KINDS.items()
    for more in (
        {},
        {"activation": "relu", "recurrent_activation": "hard_sigmoid", "use_bias": False},
        {"activation": "softsign", "recurrent_activation": "softmax"},
    )
]


@pytest.mark.parametrize(("kind", "options"), KERAS)
def test_gradients_are_those_of_keras(kind, options):
    layer, _ = KINDS[kind]
    if layer is L.SimpleRNN:
        options = {name: v for name, v in options.items() if name != "recurrent_activation"}
    x, state = keras.Input((5, 3)), keras.Input((4,), name="state")
    states = [state, state] if layer is L.LSTM else [state]
    # Two cells, one over the other, that start from a state and see padding, from the end.
    first = layer(4, return_sequences=True, go_backwards=True, **options)
    hidden = first(L.Masking()(x), initial_state=states)
    model = shaken(keras.Model([x, state], L.Dense(2)(layer(3, **options)(hidden))))
    values, start = RNG.normal(size=(40, 5, 3)), RNG.normal(size=(40, 4))
    values[0, 3:] = values[1, :2] = 0
    result = lw.relevance(
        model,
        [values, start],
        methods=["gradient_x_input"],
        target=1,
        source=x.name,
    )
    with tf.GradientTape() as tape:
        vectors = tf.constant(values)
        tape.watch(vectors)
        score = model([vectors, tf.constant(start)])[:, 1]
    expected = tape.gradient(score, vectors).numpy() * values
    np.testing.assert_allclose(result.relevance[0], expected, atol=1e-10)


def test_few_steps_leave_a_gap():
    model, x = vectors(L.LSTM(4), L.Dense(2)), RNG.normal(size=(3, 6, 3)) * 3
    few = lw.relevance(model, x, methods="integrated_gradients", steps=1).gap
    many = lw.relevance(model, x, methods="integrated_gradients", steps=40).gap
    assert (np.abs(few) > 1e-4).all()
    assert (np.abs(many) < 1e-8).all()


def test_a_token_gives_way_to_padding():
    model = words(L.LSTM(4), L.Dense(3))
    ids = np.array([[1, 2, 3, 4], [5, 6, 0, 0]])
    padded = lw.relevance(model, ids, methods="occlusion", target=1, replace_with=0)
    zeroed = lw.relevance(model, ids, methods="occlusion", target=1)
    for k, t in np.ndindex(2, 4):
        without = ids[[k]].copy()
        without[0, t] = 0
        expected = np.asarray(model(ids[[k]]) - model(without))[0, 1]
        np.testing.assert_allclose(padded.relevance[0, k, t], expected, atol=1e-12)
    # A vector of zeros is read, padding isn't.
    assert (np.abs(padded.relevance - zeroed.relevance)[0, 0] > 1e-6).all()
    np.testing.assert_array_equal(zeroed.relevance[0, 1, 2:], 0)


def test_masks_stay_those_of_the_inputs():
    inputs = keras.Input((None, 3))
    model = shaken(keras.Model(inputs, L.Dense(2)(L.GRU(4)(L.Masking()(inputs)))))
    x = RNG.normal(size=(2, 5, 3))
    x[0, 3:] = x[1, :2] = 0
    result = lw.relevance(model, x, methods=ALL, bias_factor=1, target=0)
    np.testing.assert_array_equal(result["mask"], x.any(axis=2))
    assert (result.relevance.values[:, ~x.any(axis=2)] == 0).all()
    np.testing.assert_allclose(
        result.gap.sel({"method": ["lrp", "integrated_gradients"]}), 0, atol=1e-9
    )
    # Without its padding the sentence is the same.
    short = lw.relevance(model, x[:1, :3], methods=ALL, bias_factor=1, target=0)
    np.testing.assert_allclose(short.relevance[:, 0], result.relevance[:, 0, :3], atol=1e-10)


# What is explained --------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "head", ["softmax", "log_softmax", "sigmoid", None, "layer", "softmax layer"]
)
def test_the_score_is_the_logit(head):
    if head == "layer":
        layers = [L.Dense(3), L.Activation("softmax")]
    elif head == "softmax layer":
        layers = [L.Dense(3), L.Softmax()]
    else:
        layers = [L.Dense(3, activation=head)]
    model = vectors(L.LSTM(4), *layers, L.Dropout(0.5))
    x = RNG.normal(size=(4, 6, 3))
    before = np.asarray(model(x))
    result = lw.relevance(model, x)
    np.testing.assert_array_equal(model(x), before)
    kernel, bias = model.layers[1].get_weights()
    logits = np.asarray(model.layers[0](x)) @ kernel + bias
    np.testing.assert_array_equal(result.predicted, logits.argmax(axis=1))
    np.testing.assert_array_equal(result.target, logits.argmax(axis=1))
    np.testing.assert_allclose(result.score, logits.max(axis=1), atol=1e-12)
    if head in ("softmax", "sigmoid", "layer", "softmax layer"):
        np.testing.assert_allclose(result.confidence, np.asarray(model(x)).max(axis=1), atol=1e-12)
    elif head is None:
        assert "confidence" not in result


def test_the_score_of_a_single_output():
    model = vectors(L.LSTM(4), L.Dense(1, activation="sigmoid"))
    x = RNG.normal(size=(6, 6, 3))
    result = lw.relevance(model, x, methods=ALL)
    p = np.asarray(model(x))[:, 0]
    np.testing.assert_allclose(1 / (1 + np.exp(-result.score)), p, atol=1e-12)
    np.testing.assert_array_equal(result.predicted, p > 0.5)
    np.testing.assert_allclose(result.confidence, np.maximum(p, 1 - p), atol=1e-12)
    with pytest.raises(ValueError, match="target: expected None, because the model has a single"):
        lw.relevance(model, x, target=1)


def test_outputs_over_time():
    model = words(L.LSTM(4, return_sequences=True), L.Dense(3, activation="softmax"))
    ids = np.array([[1, 2, 3, 4, 5], [1, 2, 3, 0, 0], [0, 0, 0, 0, 0]])
    result = lw.relevance(model, ids, bias_factor=1)
    # The last one that isn't padding.
    for k, t in enumerate((4, 2, 4)):
        one = lw.relevance(model, ids[[k]], at=t, bias_factor=1)
        xr_equal(one, result.isel(example=[k]))
    early = lw.relevance(model, ids[:1], at=[-4], target=2)
    assert (early.relevance[:, 0, 2:] == 0).all()
    assert (early.relevance[:, 0, :2] != 0).all()
    with pytest.raises(ValueError, match="at: expected indices below 5"):
        lw.relevance(model, ids, at=5)
    flat = words(L.LSTM(4), L.Dense(3))
    with pytest.raises(ValueError, match="at: expected None, because the model's outputs"):
        lw.relevance(flat, ids, at=2)


def xr_equal(one, other):
    for name in ("relevance", "score", "target", "gap", "elsewhere"):
        np.testing.assert_allclose(one[name], other[name], atol=1e-10, err_msg=name)


@pytest.mark.parametrize("go_backwards", [False, True])
@pytest.mark.parametrize("signal", ["hidden_state", "cell_state"])
def test_relevance_of_a_cell(signal, go_backwards):
    lower = L.LSTM(3, return_sequences=True, name="lower")
    upper = L.LSTM(4, name="upper", go_backwards=go_backwards)
    # The rest of the model doesn't matter, whatever it is.
    model = vectors(lower, upper, L.LayerNormalization(), L.Dense(2))
    x = RNG.normal(size=(3, 6, 3))
    recorded = lw.record(model, x)["upper"][signal].values
    cell = {"layer": "upper", "cell": 2, "signal": signal}
    result = lw.relevance(model, x, methods=ALL, bias_factor=1, at=[0, 3, -1], **cell)
    assert "target" not in result
    for k, t in enumerate((0, 3, 5)):
        one = result.isel(example=k)
        np.testing.assert_allclose(one.score, recorded[k, t, 2], atol=1e-6)
        unread = slice(0, t) if go_backwards else slice(t + 1, None)
        if not go_backwards:  # else the lower layer has read what the upper one hasn't
            assert (one.relevance[:, unread] == 0).all()
        assert (one.relevance[:, t] != 0).all()
    gaps = result.gap.sel({"method": ["lrp", "integrated_gradients"]})
    np.testing.assert_allclose(gaps, 0, atol=1e-8)
    last = lw.relevance(model, x, **cell)
    end = 0 if go_backwards else 5
    np.testing.assert_allclose(last.score, recorded[:, end, 2], atol=1e-6)


def test_relevance_of_a_cell_by_hand():
    model = vectors(L.LSTM(4, name="lstm"), L.Dense(2))
    x = RNG.normal(size=(6, 3))
    one = naive.Recurrent("LSTM", *model.layers[0].get_weights())
    hidden, cell = one.forward(x[:4])
    given = np.zeros((2, 4))
    given[0, 1], given[1, 1] = hidden[1], cell[1]
    for signal, start in (
        ("hidden_state", (given[0], [0] * 4)),
        ("cell_state", ([0] * 4, given[1])),
    ):
        of_x, *_ = one.backward(*start, 0.001, 0)
        result = lw.relevance(
            model, x[None], methods="lrp", layer="lstm", cell=1, signal=signal, at=3
        )
        np.testing.assert_allclose(result.relevance[0, 0, :4], of_x, atol=1e-10)


def test_relevance_of_a_cell_in_a_stack_and_of_a_direction():
    cells = [L.LSTMCell(3), L.GRUCell(2)]
    inputs = keras.Input((5, 3))
    x = L.RNN(cells, return_sequences=True, name="rnn")(inputs)
    x = L.Bidirectional(L.SimpleRNN(2), name="both")(x)
    model = shaken(keras.Model(inputs, L.Dense(2)(x)))
    values = RNG.normal(size=(2, 5, 3))
    recording = lw.record(model, values)
    for layer, signal, t, end in (
        ("rnn/cell_0", "cell_state", 2, 2),
        ("rnn/cell_1", "hidden_state", 3, 3),
        ("both/backward", "hidden_state", None, 0),
    ):
        result = lw.relevance(
            model,
            values,
            methods=ALL,
            bias_factor=1,
            layer=layer,
            cell=1,
            signal=signal,
            at=t,
        )
        np.testing.assert_allclose(
            result.score, recording[layer][signal][:, end, 1], atol=1e-6, err_msg=layer
        )
        np.testing.assert_allclose(result.gap[[0, 3]], 0, atol=1e-8)


# Models -------------------------------------------------------------------------------------------


def test_encoder_and_decoder():
    source, target = keras.Input((4,), dtype="int32"), keras.Input((3, 2), name="target")
    x = L.Embedding(7, 3, name="embedding")(source)
    _, *states = L.LSTM(4, return_state=True)(x)
    decoded = L.LSTM(4, return_sequences=True)(target, initial_state=states)
    model = shaken(keras.Model([source, target], L.Dense(5, activation="softmax")(decoded)))
    ids, read = RNG.integers(0, 7, (3, 4)), RNG.normal(size=(3, 3, 2))
    result = lw.relevance(model, [ids, read], methods=ALL, bias_factor=1, at=1)
    assert result.sizes["timestep"] == 4
    np.testing.assert_allclose(result.gap[[0, 3]], 0, atol=1e-8)
    other = lw.relevance(model, [ids, read], methods=ALL, bias_factor=1, at=1, source="target")
    assert other.sizes["timestep"] == 3
    # What one input gets is elsewhere for the other, which has initial states too.
    of_other = other.relevance[0].sum("timestep").to_numpy()
    of_other = of_other.sum(axis=-1) if of_other.ndim == 2 else of_other
    both = result.relevance[0].sum("timestep") + of_other
    np.testing.assert_allclose(both + result.elsewhere[0] - of_other, result.score, atol=1e-8)
    with pytest.raises(
        ValueError, match=r"source: expected one of .*'embedding'.*'target'.*; got 'x'"
    ):
        lw.relevance(model, [ids, read], source="x")


def test_two_embeddings_need_a_name():
    inputs = [keras.Input((4,), dtype="int32"), keras.Input((4,), dtype="int32")]
    x = [L.Embedding(5, 2, name=f"embedding_{k}")(one) for k, one in enumerate(inputs)]
    merged = L.Add()([x[0], x[1]])
    average = L.Average()([x[0], merged])
    model = shaken(keras.Model(inputs, L.Dense(2)(L.LSTM(3)(L.Concatenate()([average, x[1]])))))
    ids = [RNG.integers(0, 5, (2, 4)) for _ in range(2)]
    with pytest.raises(
        ValueError, match="source: the model has several, name one of 'embedding_0'"
    ):
        lw.relevance(model, ids)
    parts = [
        lw.relevance(model, ids, methods="lrp", bias_factor=1, source=f"embedding_{k}")
        for k in range(2)
    ]
    np.testing.assert_allclose(parts[0].gap, 0, atol=1e-9)
    np.testing.assert_allclose(
        parts[0].elsewhere - parts[1].relevance.sum("timestep"),
        parts[1].elsewhere - parts[0].relevance.sum("timestep"),
        atol=1e-9,
    )


def test_a_nested_model_and_slices():
    inner = keras.Sequential([keras.Input((6, 4)), L.Dropout(0.1), L.Dense(3, activation="tanh")])
    inputs = keras.Input((6, 3))
    x = inner(L.GRU(4, return_sequences=True)(inputs))
    model = shaken(keras.Model(inputs, L.Dense(2)(x[:, -1])))
    result = lw.relevance(model, RNG.normal(size=(3, 6, 3)), methods=ALL, bias_factor=1)
    np.testing.assert_allclose(result.gap[[0, 3]], 0, atol=1e-8)


def test_a_stateful_model():
    inputs = keras.Input(batch_shape=(2, 4, 3))
    model = shaken(keras.Model(inputs, L.Dense(2)(L.LSTM(3, stateful=True)(inputs))))
    x = RNG.normal(size=(4, 4, 3))
    model(x[:2])
    states = [np.asarray(v) for v in model.layers[1].states]
    result = lw.relevance(model, x, methods=ALL, bias_factor=1)
    np.testing.assert_allclose(result.gap[[0, 3]], 0, atol=1e-8)
    for before, after in zip(states, model.layers[1].states, strict=True):
        np.testing.assert_array_equal(before, after)
    expected = np.asarray(model(x[2:]))
    np.testing.assert_allclose(result.score[2:], expected.max(axis=1), atol=1e-10)


@pytest.mark.parametrize("dtype", ["float32", "mixed_float16", "mixed_bfloat16"])
def test_smaller_numbers(dtype):
    keras.config.set_floatx("float32")
    keras.config.set_dtype_policy(dtype)
    model = words(L.LSTM(4), L.Dense(3, activation="softmax"))
    result = lw.relevance(model, RNG.integers(0, 9, (2, 5)), methods=ALL, bias_factor=1)
    assert {v.dtype for n, v in result.items() if n in ("relevance", "score", "gap")} == {
        np.dtype("float32")
    }
    scale = np.abs(result.relevance[0]).sum("timestep") + 1
    np.testing.assert_allclose(result.gap[0] / scale, 0, atol=1e-5 if dtype == "float32" else 0.2)


class Subclassed(keras.Model):
    def __init__(self):
        super().__init__()
        self.embedding = L.Embedding(9, 3)
        self.recurrent = L.LSTM(4)
        self.head = L.Dense(2, activation="softmax")

    def call(self, ids):
        return self.head(self.recurrent(self.embedding(ids)) * 2)


def test_a_subclassed_model_has_gradients_but_no_rules():
    model = Subclassed()
    ids = RNG.integers(0, 9, (2, 5))
    model(ids)
    shaken(model)
    result = lw.relevance(model, ids, methods=ALL[1:])
    np.testing.assert_allclose(result.gap.sel({"method": "integrated_gradients"}), 0, atol=1e-8)
    with pytest.raises(
        UnsupportedLayerError, match=r"custom code between its layers\. The methods"
    ):
        lw.relevance(model, ids)


# Batches ------------------------------------------------------------------------------------------


@pytest.mark.parametrize("batch_size", [1, 2, 3])
def test_batches_are_of_no_consequence(batch_size):
    model = words(L.Bidirectional(L.LSTM(3)), L.Dense(3, activation="softmax"))
    ids = RNG.integers(0, 9, (7, 4))
    whole = lw.relevance(model, ids, methods=ALL, steps=5)
    parts = lw.relevance(model, ids, methods=ALL, steps=5, batch_size=batch_size)
    for name in whole:
        np.testing.assert_allclose(parts[name], whole[name], atol=1e-12, err_msg=name)


def test_what_comes_back():
    model = words(L.LSTM(4), L.Dense(3, activation="softmax"))
    tokens = [list("abcd"), list("efgh")]
    result = lw.relevance(
        model, np.array([[1, 2, 3, 4], [5, 6, 7, 8]]), tokens=tokens, labels=["one", "two"]
    )
    assert result.relevance.dims == ("method", "example", "timestep")
    assert list(result.method.values) == ["lrp", "sensitivity", "gradient_x_input"]
    assert result.token.values.tolist() == tokens
    assert result.label.values.tolist() == ["one", "two"]
    told = {"source": "embedding", "epsilon": 0.001, "bias_factor": 0.0, "outputs": 3}
    told["meaning"] = "classes"
    assert result.attrs == told
    assert "mask" not in result
    assert np.isnan(result.gap.sel({"method": "sensitivity"})).all()
    assert not np.isnan(result.gap.sel({"method": "lrp"})).any()


def test_one_token_and_only_padding():
    model = words(L.LSTM(4), L.Dense(2))
    one = lw.relevance(model, [[3]], methods=ALL, bias_factor=1)
    np.testing.assert_allclose(one.gap[[0, 3]], 0, atol=1e-10)
    none = lw.relevance(model, [[0, 0], [1, 0]], methods=ALL, bias_factor=1)
    assert (none.relevance[:, 0] == 0).all()
    np.testing.assert_allclose(none.gap[[0, 3]], 0, atol=1e-10)
    np.testing.assert_allclose(none.score[0], model.layers[-1].get_weights()[1].max(), atol=1e-12)


# Mistakes that are common in published notebooks --------------------------------------------------


def test_there_is_one_number_for_each_token_not_for_each_dimension():
    model = words(L.LSTM(4), L.Dense(2), features=8)
    result = lw.relevance(model, [[1, 2, 3]], methods=ALL, per_dimension=True)
    assert result.relevance.shape == (5, 1, 3)
    assert result.relevance_per_dimension.shape == (5, 1, 3, 8)


def test_gradients_are_multiplied_by_vectors_not_by_ids():
    model = words(L.LSTM(4), L.Dense(2), symbols=200)
    ids = np.array([[150, 2, 30]])
    result = lw.relevance(model, ids, methods="gradient_x_input")
    # The same network, its words numbered otherwise.
    order = RNG.permutation(200)
    weights = model.get_weights()
    weights[0] = weights[0][np.argsort(order)]
    model.set_weights(weights)
    other = lw.relevance(model, order[ids], methods="gradient_x_input")
    np.testing.assert_allclose(other.relevance, result.relevance, atol=1e-12)


def test_the_first_timestep_starts_from_the_initial_state():
    # A loop whose arrays have no row for it takes the last state of all in its place.
    model = vectors(L.LSTM(4), L.Dense(2))
    x = RNG.normal(size=(1, 6, 3))
    result = lw.relevance(model, x, methods=ALL, target=0)
    score = lambda x: np.asarray(model(x))[:, 0]
    gradient = differences(score, x[0])
    np.testing.assert_allclose(
        result.relevance.sel({"method": "gradient_x_input"})[0, 0],
        gradient[0] * x[0, 0],
        atol=1e-8,
    )
    assert float(result.elsewhere.sel({"method": "lrp"})[0]) == 0  # zeros, and no shares of biases


def test_the_default_drops_shares_and_all_of_them_are_accounted_for():
    model, x = vectors(L.LSTM(4), L.Dense(2)), RNG.normal(size=(3, 6, 3))
    by_default = lw.relevance(model, x, methods="lrp")
    assert (np.abs(by_default.gap) > 1e-6).all()
    xr_equal(by_default, lw.relevance(model, x, methods="lrp", bias_factor=0))
    whole = lw.relevance(model, x, methods="lrp", bias_factor=1)
    every = whole.relevance.sum(["timestep", "channel"]) + whole.elsewhere
    np.testing.assert_allclose(every, whole.score.values[None], atol=1e-8)
    assert (np.abs(whole.elsewhere) > 1e-6).all()


def test_padding_that_the_model_reads_is_explained():
    model = words(L.LSTM(4), L.Dense(2, activation="softmax"), mask=False)
    ids = np.array([[0, 0, 3, 4]])
    result = lw.relevance(model, ids)
    assert "mask" not in result
    assert (result.relevance[:, 0, :2] != 0).all()
    # What is explained is the prediction, with its bias, and it is for the class that is predicted.
    logits = np.log(np.asarray(model(ids)))[0]
    other = lw.relevance(model, ids, target=1 - int(result.target[0]))
    np.testing.assert_allclose(
        result.score[0] - other.score[0], logits.max() - logits.min(), atol=1e-10
    )


# Clear errors -------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("options", "error", "message"),
    [
        ({"methods": "lime"}, ValueError, "methods: expected different ones among 'lrp'"),
        ({"methods": []}, ValueError, "methods: expected different ones among"),
        ({"methods": ["lrp", "lrp"]}, ValueError, "methods: expected different ones among"),
        ({"target": 3}, ValueError, "target: expected indices below 3"),
        ({"target": -1}, ValueError, "target: expected classes from 0, got -1"),
        ({"target": [0, 1, 2]}, ValueError, "one for each of 2, got shape"),
        ({"target": 0.5}, TypeError, "target: expected whole numbers"),
        ({"at": "last"}, TypeError, "at: expected whole numbers"),
        ({"layer": "lstm"}, ValueError, "layer, cell: expected both or neither"),
        ({"cell": 1}, ValueError, "layer, cell: expected both or neither"),
        ({"layer": "gru", "cell": 1}, ValueError, "layer: expected one of 'lstm', got 'gru'"),
        ({"layer": "lstm", "cell": 4}, ValueError, "cell: expected 0 to 3 for layer 'lstm', got 4"),
        ({"layer": "lstm", "cell": 0.5}, TypeError, "cell: expected a whole number"),
        ({"layer": "lstm", "cell": 1, "target": 0}, ValueError, "target: expected None for the"),
        (
            {"layer": "lstm", "cell": 1, "signal": "forget_gate"},
            ValueError,
            "signal: expected one of 'hidden_state', 'cell_state' for 'lstm', got 'forget_gate'",
        ),
        (
            {"layer": "lstm", "cell": 1, "at": 5},
            ValueError,
            "at: expected -5 to 4, because layer 'lstm' reads 5 timesteps",
        ),
        ({"source": "words"}, ValueError, "source: expected one of 'embedding'.*; got 'words'"),
        ({"tokens": ["ab", "c"]}, ValueError, "tokens: expected 5 for each example, got 2"),
        ({"tokens": ["abcde"]}, ValueError, "tokens: expected one sequence for each of 2"),
        ({"labels": ["a"]}, ValueError, "labels: expected one str for each of 2 examples"),
        ({"epsilon": 0}, ValueError, "epsilon: expected a number greater than 0, got 0"),
        ({"epsilon": "small"}, TypeError, "epsilon: expected a number, got 'small'"),
        ({"bias_factor": 2}, ValueError, "bias_factor: expected a number from 0 to 1, got 2"),
        ({"steps": 0}, ValueError, "steps: expected 1 or more, got 0"),
        ({"replace_with": -1}, ValueError, "replace_with: expected a whole number from 0 on"),
        ({"replace_with": "mean"}, ValueError, "replace_with: expected 'zero' or an id, because"),
        ({"replace_with": "noise"}, ValueError, "replace_with: expected 'zero', 'mean', 'blocks'"),
        ({"stretch": 0}, ValueError, "stretch: expected a positive whole number, got 0"),
        ({"draws": 0.5}, ValueError, "draws: expected a positive whole number, got 0.5"),
        ({"batch_size": 0}, ValueError, "batch_size: expected a positive whole number"),
    ],
)
def test_errors(options, error, message):
    model = words(L.LSTM(4, name="lstm"), L.Dense(3))
    with pytest.raises(error, match=message):
        lw.relevance(model, RNG.integers(1, 9, (2, 5)), **options)


class Squashed(L.Layer):
    def call(self, inputs):
        return keras.ops.softmax(inputs)


@pytest.mark.parametrize(
    ("layers", "named"),
    [
        (
            lambda: [
                *(L.LSTM(4, return_sequences=True), L.SeparableConv1D(2, 2, name="conv")),
                L.LSTM(2),
            ],
            "'conv', a SeparableConv1D",
        ),
        (lambda: [L.LSTM(4), L.UnitNormalization(name="norm")], "'norm', a UnitNormalization"),
        (lambda: [L.LSTM(4), L.Dense(3, activation="softmax", name="soft")], "'soft', a Dense"),
        (lambda: [L.LSTM(4), Squashed(name="mine")], "'mine', a Squashed"),
        (
            lambda: [L.Bidirectional(L.LSTM(4), merge_mode="mul", name="both")],
            "'both', a Bidirectional that multiplies its directions",
        ),
    ],
)
def test_a_layer_without_rule_is_named(layers, named):
    model = vectors(*layers(), L.Dense(2))
    x = RNG.normal(size=(2, 6, 3))
    with pytest.raises(UnsupportedLayerError, match=named) as caught:
        lw.relevance(model, x)
    for method in ALL[1:]:
        assert repr(method) in str(caught.value)
    result = lw.relevance(model, x, methods=ALL[1:])
    assert np.isfinite(result.relevance).all()


def test_errors_of_models_and_inputs():
    ids = RNG.integers(1, 9, (2, 5))
    with pytest.raises(TypeError, match="model: expected a Keras 3 model"):
        lw.relevance(42, ids)
    hidden = words(L.LSTM(4), L.Dense(3), Squashed(name="mine"))
    with pytest.raises(
        UnsupportedLayerError, match="its output comes from layer 'mine', a Squashed"
    ):
        lw.relevance(hidden, ids, methods="sensitivity")
    # A cell can still be explained.
    lw.relevance(hidden, ids, layer=hidden.layers[1].name, cell=0)
    model = words(L.LSTM(4), L.Dense(3))
    with pytest.raises(ValueError, match="inputs: expected at least one timestep, got shape"):
        lw.relevance(model, np.zeros((2, 0), int))
    with pytest.raises(ValueError, match="inputs: expected at least one example, got none"):
        lw.relevance(model, np.zeros((0, 4), int))
    gru = vectors(L.GRU(3, name="gru"), L.Dense(2))
    with pytest.raises(ValueError, match="signal: expected one of 'hidden_state' for 'gru'"):
        lw.relevance(gru, np.zeros((1, 6, 3)), layer="gru", cell=0, signal="cell_state")
    with pytest.raises(ValueError, match="replace_with: expected no id, because"):
        lw.relevance(gru, np.ones((1, 6, 3)), replace_with=0)
    with pytest.raises(ValueError, match="per_dimension: expected False, because relevance of"):
        lw.relevance(gru, np.ones((1, 6, 3)), per_dimension=True)
    flat = shaken(keras.Sequential([keras.Input((4,)), L.Dense(3)]))
    with pytest.raises(ValueError, match="model: expected an Embedding layer, or an input"):
        lw.relevance(flat, np.zeros((1, 4)))
    inputs = keras.Input((5,), dtype="int32")
    embedding = L.Embedding(9, 3, name="shared")
    two = keras.Model(inputs, [L.Dense(2)(L.LSTM(2)(embedding(inputs))), inputs])
    with pytest.raises(ValueError, match="output: the model has 2, name one of"):
        lw.relevance(two, ids)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("bias_factor", [0, 0.4, 1])
@pytest.mark.parametrize("merge_mode", [None, "concat", "sum"])
def test_a_sum_is_that_of_the_dimensions(kind, bias_factor, merge_mode):
    layer, options = KINDS[kind]
    recurrent = layer(4, go_backwards=merge_mode is None, **options)
    if merge_mode is not None:
        recurrent = L.Bidirectional(recurrent, merge_mode=merge_mode)
    model, ids = words(recurrent, L.Dense(3)), RNG.integers(0, 3, (6, 5))
    both = [
        lw.relevance(model, ids, methods="lrp", bias_factor=bias_factor, per_dimension=each)
        for each in (False, True)
    ]
    expected = both[1].relevance_per_dimension.sum("dimension")
    np.testing.assert_allclose(both[0].relevance, expected, rtol=1e-12, atol=1e-14)
    np.testing.assert_allclose(both[0].gap, both[1].gap, atol=1e-12)


def test_what_is_done_when_interrupted_is_kept(monkeypatch):
    model, ids = words(L.LSTM(4), L.Dense(3)), RNG.integers(1, 9, (7, 4))
    more = {
        "tokens": ids.astype(str).tolist(),
        "labels": [f"example {k}" for k in range(7)],
        "target": RNG.integers(0, 3, 7),
    }
    whole = lw.relevance(model, ids, batch_size=2, **more)
    run, stops = Explained.run, iter([False, False, True])

    def interrupted(*arguments, **options):
        if next(stops):
            raise KeyboardInterrupt
        return run(*arguments, **options)

    monkeypatch.setattr(Explained, "run", interrupted)
    with pytest.warns(UserWarning, match="interrupted: these are the first 4 examples"):
        part = lw.relevance(model, ids, batch_size=2, **more)
    xr.testing.assert_identical(part, whole.isel(example=slice(4)))
    stops = iter([True])
    with pytest.raises(KeyboardInterrupt):
        lw.relevance(model, ids, batch_size=2)
