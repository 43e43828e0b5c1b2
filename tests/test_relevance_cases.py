"""Relevance where it is easily got wrong: the rim of what may be asked, and well-known mistakes."""

from __future__ import annotations

import gc
import weakref

import keras
import naive
import numpy as np
import pytest
from keras import layers as L

import lstm_widgets as lw
from lstm_widgets.errors import UnsupportedLayerError
from lstm_widgets.models.keras.explained import Explained
from lstm_widgets.rnn import relevance_rules

RNG = np.random.default_rng(0)
START = RNG.bit_generator.state
ALL = ("lrp", "sensitivity", "gradient_x_input", "integrated_gradients", "occlusion")
READERS = {
    "LSTM": lambda: [L.LSTM(4)],
    "SimpleRNN": lambda: [L.SimpleRNN(4)],
    "both directions, stacked": lambda: [
        L.Bidirectional(L.LSTM(3, return_sequences=True)),
        L.GRU(3),
    ],
    "mean over time": lambda: [L.LSTM(4, return_sequences=True), L.GlobalAveragePooling1D()],
}


@pytest.fixture(autouse=True)
def double():
    """Models of double precision, so that small tolerances mean something; the same in any order."""
    RNG.bit_generator.state = START
    keras.config.set_floatx("float64")
    keras.config.set_dtype_policy("float64")
    yield
    keras.config.set_floatx("float32")
    keras.config.set_dtype_policy("float32")


def shaken(model):
    model.set_weights([RNG.normal(size=w.shape) * 0.7 for w in model.get_weights()])
    return model


def words(*layers, mask=True, features=3):
    embedding = L.Embedding(9, features, mask_zero=mask)
    return shaken(keras.Sequential([keras.Input((None,), dtype="int32"), embedding, *layers]))


def explained(model, ids, **options):
    return lw.relevance(model, ids, methods=ALL, bias_factor=1, steps=5, **options)


def same(one, other, **options):
    for name in ("score", "relevance", "elsewhere", "gap"):
        np.testing.assert_allclose(one[name], other[name], atol=1e-9, err_msg=name, **options)


# Lengths ------------------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", ["LSTM", "both directions, stacked", "mean over time"])
def test_sentences_of_any_length_are_explained_as_if_each_were_alone(kind):
    model = words(*READERS[kind](), L.Dense(3, activation="softmax"))
    sentences = [[3], [1, 2], [8, 7, 6, 5, 4], [2, 2, 2]]
    before = np.array([[0] * (5 - len(s)) + s for s in sentences])
    after = np.array([s + [0] * (5 - len(s)) for s in sentences])
    targets = [2, 0, 1, 2]
    for ids in (before, after):
        together = explained(model, ids, target=targets)
        np.testing.assert_array_equal(together["mask"], ids != 0)
        assert (together.relevance.values[:, ids == 0] == 0).all()
        # Nothing is lost: what LRP and integrated gradients share out is the score.
        np.testing.assert_allclose(together.gap.sel({"method": "lrp"}), 0, atol=1e-9)
        for k, sentence in enumerate(sentences):
            alone = explained(model, [sentence], target=targets[k])
            found = together.isel(example=[k], timestep=np.flatnonzero(ids[k]))
            assert "mask" not in alone
            same(alone, found)


@pytest.mark.parametrize("kind", READERS)
def test_one_token_gets_what_the_model_says_more_than_without_it(kind):
    model = words(*READERS[kind](), L.Dense(2))
    one = explained(model, [[4]], target=1, replace_with="zero")
    embedding, *others = model.layers
    vector = np.asarray(embedding(np.array([[4]])))

    def score(x):
        for layer in others:
            x = layer(x)
        return float(np.asarray(x)[0, 1])

    np.testing.assert_allclose(one.score, score(vector), atol=1e-12)
    fallen = score(vector) - score(np.zeros_like(vector))
    np.testing.assert_allclose(one.relevance.sel({"method": "occlusion"}), fallen, atol=1e-12)
    np.testing.assert_allclose(
        one.relevance.sel({"method": "integrated_gradients"}), fallen, atol=1e-3
    )
    whole = one.relevance.sel({"method": "lrp"}).sum() + one.elsewhere.sel({"method": "lrp"})
    np.testing.assert_allclose(whole, one.score, atol=1e-9)


def test_a_sentence_on_its_own_is_one_example():
    model = words(L.LSTM(4), L.Dense(2))
    alone = lw.relevance(model, np.array([1, 2, 3]))
    np.testing.assert_array_equal(alone.relevance, lw.relevance(model, [[1, 2, 3]]).relevance)
    with pytest.raises(ValueError, match=r"at least one timestep, got shape \(2, 0\)"):
        lw.relevance(model, [[], []])


# Only padding -------------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", ["LSTM", "both directions, stacked"])
def test_a_sentence_of_padding_has_a_score_and_no_relevance(kind):
    model = words(*READERS[kind](), L.Dense(3, activation="softmax"))
    ids = np.array([[0, 0, 0], [1, 2, 0]])
    result = explained(model, ids)
    np.testing.assert_allclose(result.confidence, np.asarray(model(ids)).max(axis=1), atol=1e-12)
    # Nothing was read, so that the state is still 0 and only the bias is left.
    np.testing.assert_allclose(result.score[0], model.layers[-1].get_weights()[1].max(), atol=1e-12)
    assert (result.relevance[:, 0] == 0).all()
    np.testing.assert_allclose(result.gap.sel({"method": "lrp"}), 0, atol=1e-9)
    # The other sentence has nothing to do with it.
    same(explained(model, ids[1:]), result.isel(example=[1]))


def test_where_the_model_gives_nan_so_does_its_score_and_other_sentences_are_untouched():
    # The mean over no timesteps.
    model = words(*READERS["mean over time"](), L.Dense(2, activation="softmax"))
    ids = np.array([[0, 0, 0], [1, 2, 0]])
    assert np.isnan(np.asarray(model(ids))[0]).all()
    result = explained(model, ids)
    assert np.isnan(result.score[0])
    assert np.isnan(result.confidence[0])
    assert np.isfinite(result.relevance[:, 1]).all()
    same(explained(model, ids[1:]), result.isel(example=[1]))


def test_a_cell_that_has_read_nothing():
    model = words(L.LSTM(4, name="lstm"), L.Dense(2))
    result = explained(model, np.array([[0, 0], [3, 0]]), layer="lstm", cell=2)
    assert result.score[0] == 0
    assert (result.relevance[:, 0] == 0).all()
    assert (result.relevance[:, 1, 0] != 0).all()


# Targets ------------------------------------------------------------------------------------------


def test_each_example_has_its_own_target_whatever_it_is_beside():
    model = words(L.LSTM(4), L.Dense(3, activation="softmax"))
    ids, targets = RNG.integers(1, 9, (5, 4)), np.array([2, 0, 1, 1, 2])
    together = explained(model, ids, target=targets, batch_size=2)
    hidden = np.asarray(model.layers[1](model.layers[0](ids)))
    kernel, bias = model.layers[2].get_weights()
    logits = hidden @ kernel + bias
    np.testing.assert_array_equal(together.target, targets)
    np.testing.assert_array_equal(together.predicted, logits.argmax(axis=1))
    np.testing.assert_allclose(together.score, logits[np.arange(5), targets], atol=1e-12)
    for k, target in enumerate(targets):
        same(
            explained(model, ids[[k]], target=int(target)),
            together.isel(example=[k]),
        )


@pytest.mark.parametrize(
    ("target", "error", "message"),
    [
        (True, TypeError, "target: expected whole numbers"),
        ([False, True], TypeError, "target: expected whole numbers"),
        ([0, np.nan], TypeError, "target: expected whole numbers"),
        ("positive", TypeError, "target: expected whole numbers, got 'positive'"),
        ([[1], [2]], ValueError, r"one for each of 2, got shape \(2, 1\)"),
        (np.eye(3, dtype=int)[:2], ValueError, r"one for each of 2, got shape \(2, 3\)"),
        ([0, 3], ValueError, r"expected indices below 3 \(the model's outputs have 3 classes\)"),
        ([-1, 0], ValueError, "target: expected classes from 0, got -1"),
    ],
)
def test_a_wrong_target_is_refused(target, error, message):
    model = words(L.LSTM(2), L.Dense(3, activation="softmax"))
    with pytest.raises(error, match=message):
        lw.relevance(model, [[1, 2], [3, 4]], target=target, batch_size=1)


# Logits that are out of reach ---------------------------------------------------------------------


class SquashedDense(L.Dense):
    def call(self, inputs, training=None):
        return keras.ops.softmax(super().call(inputs, training=training))


class Temperature(L.Layer):
    def call(self, logits):
        return keras.ops.softmax(logits / 2)


def test_a_softmax_that_hides_is_named_and_nothing_is_explained():
    ids = RNG.integers(1, 9, (2, 4))
    hidden = {
        "layer 'mine', a SquashedDense": [SquashedDense(3, name="mine")],
        "layer 'mine', a Temperature": [L.Dense(3), Temperature(name="mine"), L.Dropout(0.1)],
        "layer 'mine', a Lambda": [L.Dense(3), L.Lambda(keras.ops.softmax, name="mine")],
    }
    for named, head in hidden.items():
        model = words(L.LSTM(3), *head)
        for method in ALL:
            with pytest.raises(
                UnsupportedLayerError, match=f"{named}, which may hide an activation"
            ):
                lw.relevance(model, ids, methods=method)
    inputs = keras.Input((4,), dtype="int32")
    logits = L.Dense(3)(L.LSTM(3)(L.Embedding(9, 2)(inputs)))
    outside = shaken(keras.Model(inputs, keras.ops.softmax(logits)))
    with pytest.raises(UnsupportedLayerError, match="its output is computed outside of its layers"):
        lw.relevance(outside, ids)


def test_an_activation_of_ones_own_is_no_obstacle():
    def cooler(logits):
        return keras.ops.softmax(logits / 3)

    model = words(L.LSTM(4), L.Dense(3, activation=cooler))
    ids = RNG.integers(1, 9, (3, 4))
    result = lw.relevance(model, ids, target=1)
    other = lw.relevance(model, ids, target=0)
    p = np.asarray(model(ids))
    # Softmax keeps differences of logits.
    np.testing.assert_allclose(
        (result.score - other.score) / 3, np.log(p[:, 1] / p[:, 0]), atol=1e-10
    )


# The five mistakes of published notebooks: what they give, and that it isn't what comes out -------


@pytest.fixture
def sentence():
    """As many timesteps as dimensions, so that no shape gives a mistake away."""
    model = shaken(keras.Sequential([keras.Input((4, 4)), L.LSTM(3), L.Dense(2)]))
    return model, RNG.normal(size=(4, 4))


def gradient_of(model, x, target, step=1e-5):
    result = np.zeros_like(x)
    for place in np.ndindex(x.shape):
        moved = np.zeros_like(x)
        moved[place] = step
        up, down = np.asarray(model(np.stack([x + moved, x - moved])))[:, target]
        result[place] = (up - down) / (2 * step)
    return result


def test_first_mistake_norms_over_time_instead_of_over_dimensions(sentence):
    model, x = sentence
    # Where tokens stand, vectors are those of tokens, and their dimensions no channels.
    found = lw.relevance(model, x[None], methods="sensitivity", target=0, tokens=[list("abcd")])
    found = found.relevance[0, 0]
    gradient = gradient_of(model, x, 0)
    right, mistaken = (gradient**2).sum(axis=1), (gradient**2).sum(axis=0)
    np.testing.assert_allclose(found, right, atol=1e-8)
    assert np.abs(found - mistaken).max() > 1e-3


def test_second_mistake_ids_instead_of_vectors():
    model = words(L.LSTM(3), L.Dense(2), features=4)
    ids = np.array([[5, 2, 7, 1]])
    found = lw.relevance(model, ids, methods="gradient_x_input", target=0).relevance[0, 0]
    x = model.layers[0].get_weights()[0][ids[0]]
    run = keras.Sequential([keras.Input((4, 4)), *model.layers[1:]])
    gradient = gradient_of(run, x, 0)
    np.testing.assert_allclose(found, (gradient * x).sum(axis=1), atol=1e-8)
    assert np.abs(found - ids[0] @ gradient).max() > 1e-3


def test_third_mistake_the_last_state_in_the_place_of_the_first(sentence):
    model, x = sentence
    one = naive.Recurrent("LSTM", *model.layers[0].get_weights())
    hidden, cell = one.forward(x)
    kernel, bias = model.layers[1].get_weights()
    score = np.array(hidden) @ kernel[:, 0] + bias[0]
    given = naive.dense_backward(
        hidden, kernel, bias, np.array([score, 0.0]), epsilon=0.001, bias_factor=0
    )
    result = lw.relevance(model, x[None], methods="lrp", target=0)
    right = one.backward(given, [0.0] * 3, 0.001, 0)
    one.steps[0] |= {"h": hidden, "c": cell}  # what an array without a row for it has at index -1
    mistaken = one.backward(given, [0.0] * 3, 0.001, 0)
    np.testing.assert_allclose(result.relevance[0, 0], right[0], atol=1e-10)
    # An initial state of zeros wins nothing, in the mistake it does.
    assert float(result.elsewhere[0, 0]) == 0
    assert abs(sum(map(np.sum, mistaken[1:]))) > 1e-5
    # And its gradient at the first timestep is that of the state that was there.
    gradient = lw.relevance(model, x[None], methods="sensitivity", target=0)
    np.testing.assert_allclose(gradient.relevance[0, 0], gradient_of(model, x, 0) ** 2, atol=1e-8)


def test_fourth_mistake_shares_for_half_as_many_and_a_rest_that_is_forgotten():
    # One timestep, so that a sum over the cells says it all.
    model = shaken(keras.Sequential([keras.Input((1, 4)), L.LSTM(3), L.Dense(2)]))
    x, epsilon = RNG.normal(size=(1, 1, 4)), 0.1
    result = lw.relevance(model, x, methods="lrp", target=0, bias_factor=1, epsilon=epsilon)
    np.testing.assert_allclose(
        result.relevance.sum() + result.elsewhere[0, 0], result.score[0], atol=1e-10
    )
    one = naive.Recurrent("LSTM", *model.layers[0].get_weights())
    hidden, cell = one.forward(x[0])
    kernel, bias = model.layers[1].get_weights()
    given = naive.dense_backward(
        hidden,
        kernel,
        bias,
        np.array([float(result.score[0]), 0.0]),
        epsilon=epsilon,
        bias_factor=1,
    )
    _, of_h, of_c = one.backward(given, [0.0] * 3, epsilon, 1)
    np.testing.assert_allclose(result.elsewhere[0, 0], of_h.sum() + of_c.sum(), atol=1e-10)
    assert abs(of_c.sum()) > 1e-3  # the rest that counts h alone forgets this
    # Two terms make a cell state. If each cell's stabiliser is shared out among d instead of 2 d,
    # all of them together get it twice.
    stabiliser = np.where(np.array(cell) >= 0, epsilon, -epsilon)
    mistaken = given * (np.array(cell) + 2 * stabiliser) / (np.array(cell) + stabiliser)
    assert abs(mistaken.sum() - float(result.score[0])) > 1e-3
    # By default, biases and stabilisers have no shares at all.
    default = lw.relevance(model, x, methods="lrp", target=0)
    assert default.attrs["bias_factor"] == 0
    assert float(default.elsewhere[0, 0]) == 0


def test_fifth_mistake_another_forward_pass_than_the_one_that_is_shown():
    model = words(L.LSTM(3), L.Dense(3, activation="softmax"), mask=False)
    ids = np.array([[0, 0, 4, 5], [0, 1, 0, 2]])
    result = lw.relevance(model, ids, methods=ALL, bias_factor=1)
    p = np.asarray(model(ids))
    # Explained is what the model predicts, and the score is its logit with its bias.
    np.testing.assert_array_equal(result.target, p.argmax(axis=1))
    np.testing.assert_allclose(result.confidence, p.max(axis=1), atol=1e-12)
    hidden = np.asarray(model.layers[1](model.layers[0](ids)))
    kernel, bias = model.layers[2].get_weights()
    logits = hidden @ kernel + bias
    np.testing.assert_allclose(result.score, logits.max(axis=1), atol=1e-12)
    assert (np.abs(result.score - (hidden @ kernel).max(axis=1)) > 1e-6).all()
    # Zeros that the model reads take their part; without them it is another sentence.
    assert (result.relevance.values[:, ids == 0] != 0).all()
    stripped = lw.relevance(model, ids[:1, 2:], methods=ALL, target=result.target.values[:1])
    assert abs(float(stripped.score[0] - result.score[0])) > 1e-3
    moved = stripped.relevance.values[:, 0] - result.relevance.values[:, 0, 2:]
    assert (np.abs(moved).max(axis=1) > 1e-4).all()


# Memory -------------------------------------------------------------------------------------------


@pytest.mark.parametrize("reader", READERS)
def test_what_a_call_needed_is_freed_with_it(reader):
    model = words(*READERS[reader](), L.Dense(2))
    ids = RNG.integers(1, 9, (5, 4))
    explained_model = Explained(model, ids)
    done = explained_model.run(next(explained_model.batches("")), relevance=True)
    score = explained_model.score(done, np.zeros(5, int), None)
    done.back(score, relevance_rules.Rule())
    left = [weakref.ref(done), weakref.ref(done.source), weakref.ref(done.logits)]
    del done, score
    gc.collect()
    assert [each() for each in left] == [None, None, None]
