"""Dependency: every row of the matrix is the gradient that differences find."""

from __future__ import annotations

import sys

import keras
import numpy as np
import pytest
from keras import layers as L

import lstm_widgets as lw
from lstm_widgets.analysis.dependency import NORMS, magnitude
from lstm_widgets.models.keras.explained import Explained

# The public name is the function's.
dependency_module = sys.modules[magnitude.__module__]

RNG = np.random.default_rng(0)
SYMBOLS, WIDTH = 5, 3


@pytest.fixture(autouse=True)
def double():
    keras.config.set_floatx("float64")
    keras.config.set_dtype_policy("float64")
    yield
    keras.config.set_floatx("float32")
    keras.config.set_dtype_policy("float32")


def shaken(model):
    model.set_weights([RNG.normal(size=w.shape) * 0.7 for w in model.get_weights()])
    return model


def guesser(*, sequences=True, layer=None, activation="softmax", outputs=SYMBOLS, timesteps=None):
    """Make a network that guesses the next symbol."""
    return shaken(
        keras.Sequential(
            [
                keras.Input((timesteps,), dtype="int32"),
                L.Embedding(SYMBOLS, WIDTH, name="embedding"),
                layer or L.LSTM(4, return_sequences=sequences),
                L.Dense(outputs, activation=activation),
            ]
        )
    )


def behind_embedding(model):
    """Make a function from embedded sequences to outputs."""
    return lambda x: np.asarray(model.layers[-1](model.layers[-2](x)))


def differences(function, x, step=1e-5):
    """The gradient of a scalar function of an array, value by value."""
    gradient = np.zeros_like(x)
    for index in np.ndindex(*x.shape):
        up, down = x.copy(), x.copy()
        up[index] += step
        down[index] -= step
        gradient[index] = (function(up) - function(down)) / (2 * step)
    return gradient


def outputs_of(of, outputs, target):
    """From softmax outputs to what is differentiated; logits up to what all have in common."""
    return {"probability": outputs[target], "loss": -np.log(outputs[target])}[of]


@pytest.mark.parametrize("norm", NORMS)
@pytest.mark.parametrize("of", ["probability", "loss"])
def test_rows_are_the_gradients_that_differences_find(of, norm):
    model = guesser()
    ids = RNG.integers(0, SYMBOLS, (2, 5))
    result = lw.dependency(model, ids, of=of, target="next", norm=norm)
    assert result.dims == ("example", "timestep", "input_timestep")
    assert result.shape == (2, 5, 5)
    run, vectors = behind_embedding(model), model.layers[0].get_weights()[0][ids]
    for b in range(2):
        for t in range(4):
            target = ids[b, t + 1]
            gradient = differences(
                lambda x, t=t, k=target: outputs_of(of, run(x[None])[0, t], k), vectors[b]
            )
            atol = 1e-4 if norm == "sum_of_roots" else 1e-8
            np.testing.assert_allclose(result[b, t], NORMS[norm](gradient), atol=atol)
            assert result.target[b, t] == target
    # Nothing is known to come after the last token.
    assert np.isnan(result[:, 4]).all()
    assert (result.target[:, 4] == -1).all()


def test_the_logit_of_the_predicted_class():
    model = guesser(activation="softmax")
    ids = RNG.integers(0, SYMBOLS, (1, 6))
    result = lw.dependency(model, ids)
    np.testing.assert_array_equal(result.target, np.asarray(model(ids)).argmax(axis=-1))
    vectors = model.layers[0].get_weights()[0][ids[0]]
    kernel, bias = model.layers[-1].get_weights()
    for t in range(6):
        k = int(result.target[0, t])
        logit = lambda x, t=t, k=k: (np.asarray(model.layers[1](x[None]))[0, t] @ kernel + bias)[k]
        expected = np.linalg.norm(differences(logit, vectors), axis=1)
        np.testing.assert_allclose(result[0, t], expected, atol=1e-8)
        # It cannot depend on what comes later.
        assert (result[0, t, t + 1 :] == 0).all()


def test_a_chosen_stretch_is_that_of_the_whole():
    model, ids = guesser(), RNG.integers(0, SYMBOLS, (3, 7))
    whole = lw.dependency(model, ids)
    part = lw.dependency(model, ids, at=[-1, 2], batch_size=2)
    np.testing.assert_array_equal(part.timestep, [6, 2])
    np.testing.assert_allclose(part, whole.sel(timestep=[6, 2]), atol=1e-12)
    one = lw.dependency(model, ids, at=3)
    np.testing.assert_allclose(one, whole.sel(timestep=[3]), atol=1e-12)
    text = lw.dependency(model, ids[1])
    np.testing.assert_allclose(text[0], whole[1], atol=1e-12)


def test_both_directions_are_looked_at():
    layer = L.Bidirectional(L.GRU(4, return_sequences=True))
    result = lw.dependency(guesser(layer=layer), RNG.integers(0, SYMBOLS, (1, 5)))
    assert (result > 0).all()


@pytest.mark.parametrize("sequences", [False, True])
def test_windows(sequences):
    model = guesser(sequences=sequences, timesteps=4)
    text = RNG.integers(0, SYMBOLS, 9)
    result = lw.dependency(model, text, window=4, of="loss")
    assert result.sizes == {"example": 1, "timestep": 6, "input_timestep": 9}
    np.testing.assert_array_equal(result.timestep, np.arange(3, 9))
    for end in range(3, 9):
        row = result.sel(example=0, timestep=end)
        window = text[None, end - 3 : end + 1]
        outside = np.delete(row.values, np.arange(end - 3, end + 1))
        assert np.isnan(outside).all()
        if end == 8:
            assert np.isnan(row).all()
            continue
        expected = lw.dependency(model, window, at=3, of="loss", target=int(text[end + 1]))
        np.testing.assert_allclose(row.values[end - 3 : end + 1], expected[0, 0], atol=1e-12)
        assert row.target == text[end + 1]
    some = lw.dependency(model, text, window=4, at=[5, 6], of="loss")
    np.testing.assert_array_equal(some.input_timestep, np.arange(2, 7))
    np.testing.assert_allclose(some[0], result.sel(example=0, timestep=[5, 6]).values[:, 2:7])


def test_tokens_are_carried_as_a_coordinate():
    model, names = guesser(), list("abcd\n")
    text = "abcd\ndcba"
    result = lw.dependency(model, text, vocabulary=names, at=[3, -1], target="next")
    assert result.token.dims == ("example", "input_timestep")
    assert "".join(result.token.values[0]) == text
    assert result.target_token.values.tolist() == [["\n", ""]]
    ids = np.array([names.index(token) for token in text])
    plain = lw.dependency(model, ids, at=[3, -1], target="next")
    np.testing.assert_array_equal(result, plain)
    assert "token" not in plain.coords
    assert "target_token" not in plain.coords
    # With windows the coordinate has what the columns have.
    part = lw.dependency(model, ids, window=3, at=[5, 6], tokens=text)
    assert "".join(part.token.values[0]) == text[3:7]
    assert "target_token" not in part.coords
    batch = lw.dependency(model, ids.reshape(1, 9)[:, :4].repeat(2, 0), tokens=["wxyz", "stuv"])
    assert ["".join(row) for row in batch.token.values] == ["wxyz", "stuv"]
    # The classes of this one are no tokens.
    classes = lw.dependency(guesser(outputs=3), ids, vocabulary=names)
    assert "token" in classes.coords
    assert "target_token" not in classes.coords


def test_far_into_a_long_text(monkeypatch):
    model, ids = guesser(), RNG.integers(0, SYMBOLS, 60)
    whole = lw.dependency(model, ids)
    called = []
    run = Explained.run

    def watched(self, batch, **options):
        called.append(batch.tensors[0].shape)
        return run(self, batch, **options)

    monkeypatch.setattr(Explained, "run", watched)
    # Rows are as many at a time as fit: of each of 20 timesteps the vector, the logits, and what makes
    # 8 states.
    room = 20 * (WIDTH + SYMBOLS + 16 * 8) * 8
    monkeypatch.setattr(dependency_module, "_OPEN_BYTES", 3 * room)
    far = lw.dependency(model, ids, at=[*range(12, 17), 19])
    np.testing.assert_array_equal(far.timestep, [*range(12, 17), 19])
    np.testing.assert_allclose(far, whole.sel(timestep=far.timestep), atol=1e-12)
    # What comes after the last of them isn't read.
    assert called == [(1, 20), (3, 20), (3, 20)]
    called.clear()
    both = lw.dependency(
        guesser(layer=L.Bidirectional(L.LSTM(4, return_sequences=True))), ids, at=3
    )
    assert called == [(1, 60)]
    assert (both.values > 0).any(axis=(0, 1)).sum() > 50


@pytest.mark.parametrize("window", [None, 4])
def test_what_is_done_when_interrupted_is_kept(monkeypatch, window):
    model, ids = guesser(), RNG.integers(0, SYMBOLS, 12)
    whole = lw.dependency(model, ids, window=window)
    stops = iter([False, False, True])

    def interrupted(*arguments):
        if next(stops):
            raise KeyboardInterrupt
        return magnitude(*arguments)

    monkeypatch.setattr(dependency_module, "magnitude", interrupted)
    what = "predictions" if window is None else "windows"
    with pytest.warns(UserWarning, match=f"interrupted: these are the first 4 {what}"):
        part = lw.dependency(model, ids, window=window, batch_size=2)
    columns = part.input_timestep
    np.testing.assert_allclose(part, whole.sel(timestep=part.timestep, input_timestep=columns))
    assert part.sizes["timestep"] == 4
    stops = iter([True])
    with pytest.raises(KeyboardInterrupt):
        lw.dependency(model, ids, window=window)


def test_the_two_published_conventions():
    model, ids = guesser(), RNG.integers(0, SYMBOLS, (1, 6))
    embeddings = model.layers[0].get_weights()[0]
    # A network on one-hot vectors: the embedding is a matrix like any other.
    one_hot = keras.Sequential(
        [
            keras.Input((None, SYMBOLS)),
            L.Dense(WIDTH, use_bias=False),
            L.LSTM(4, return_sequences=True),
            L.Dense(SYMBOLS, activation="softmax"),
        ]
    )
    one_hot.set_weights(model.get_weights())
    x = np.eye(SYMBOLS)[ids]
    distill = {"of": "logit", "target": "next"}
    expected = lw.dependency(one_hot, x, norm="l2", **distill)
    given = lw.dependency(model, ids, norm="l2", wrt="one_hot", **distill)
    np.testing.assert_allclose(given, expected, atol=1e-12)
    # Its code squares, and colours by a share of the row's largest.
    drawn = lw.dependency(model, ids, norm="l2_squared", wrt="one_hot", normalise=True, **distill)
    squares = expected.values[:, :5] ** 2
    np.testing.assert_allclose(
        drawn[:, :5], squares / squares.max(axis=2, keepdims=True), atol=1e-12
    )
    # The other: square roots of the loss's gradient.
    run = lambda x: np.asarray(one_hot(x[None]))
    rooted = lw.dependency(one_hot, x, at=[3], of="loss", norm="sum_of_roots")
    gradient = differences(lambda x: -np.log(run(x)[0, 3, ids[0, 4]]), x[0])
    np.testing.assert_allclose(rooted[0, 0], np.sqrt(np.abs(gradient)).sum(axis=1), atol=1e-4)
    np.testing.assert_allclose(
        magnitude(np.ones((2, WIDTH)), "l1", embeddings),
        np.abs(embeddings.sum(axis=1)).sum() * np.ones(2),
    )


def test_one_logit():
    model = guesser(activation="sigmoid", outputs=1)
    ids = RNG.integers(0, SYMBOLS, (2, 4))
    logit = lw.dependency(model, ids)
    probability = lw.dependency(model, ids, of="probability")
    p = np.asarray(model(ids))
    np.testing.assert_allclose(probability, logit * (p * (1 - p)), atol=1e-12)
    truth = RNG.integers(0, 2, (2, 4))
    loss = lw.dependency(model, ids, of="loss", target=truth)
    np.testing.assert_allclose(loss, logit * np.abs(p - truth[..., None]), atol=1e-12)


def test_a_stateful_model_and_padding():
    inputs = keras.Input(batch_shape=(2, 4), dtype="int32")
    x = L.Embedding(SYMBOLS, WIDTH, mask_zero=True)(inputs)
    x = L.GRU(3, return_sequences=True, stateful=True)(x)
    model = shaken(keras.Model(inputs, L.Dense(SYMBOLS)(x)))
    ids = np.array([[1, 2, 0, 3], [0, 0, 4, 1], [1, 1, 1, 1], [2, 0, 2, 0]])
    states = [np.asarray(v) for v in model.layers[2].states]
    result = lw.dependency(model, ids)
    assert (result.values[np.broadcast_to((ids == 0)[:, None], result.shape)] == 0).all()
    np.testing.assert_array_equal(states[0], model.layers[2].states[0])
    again = lw.dependency(model, ids[2:])
    np.testing.assert_allclose(again, result[2:], atol=1e-12)


# Clear errors -------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("options", "error", "message"),
    [
        ({"of": "score"}, ValueError, "of: expected one of 'logit', 'probability', 'loss'; got"),
        ({"norm": "l3"}, ValueError, "norm: expected one of 'l2'"),
        ({"wrt": "ids"}, ValueError, "wrt: expected one of 'embedding', 'one_hot'; got 'ids'"),
        ({"at": 6}, ValueError, "at: expected indices below 6"),
        ({"at": [0.5]}, TypeError, "at: expected one or more whole numbers"),
        ({"at": []}, TypeError, "at: expected one or more whole numbers"),
        ({"target": "true"}, ValueError, "target: expected one of 'predicted', 'next'; got 'true'"),
        ({"target": 5}, ValueError, "target: expected classes below 5, the model's; got 5"),
        ({"target": -1}, ValueError, "target: expected classes from 0"),
        ({"target": np.zeros((2, 3), int)}, ValueError, r"of shape \(2, 6\); got shape \(2, 3\)"),
        ({"window": 7}, ValueError, "window: expected at most 6"),
        ({"step": 2}, ValueError, "step: expected None, because without window="),
        ({"window": 3, "at": 1}, ValueError, "at: expected timesteps from 2, where the first"),
        (
            {"window": 3, "step": 2, "at": 3},
            ValueError,
            "at: expected timesteps at which a window ends, 2 and each 2 after it; got 3",
        ),
        ({"window": 0}, ValueError, "window: expected a positive whole number"),
        (
            {"tokens": ["abcdef"]},
            ValueError,
            "tokens: expected one sequence for each of 2 examples",
        ),
        ({"tokens": ["abcdef", "abc"]}, ValueError, "tokens: expected 6 for each example, got 3"),
        ({"tokens": {"lstm": ["abc"]}}, TypeError, "tokens: expected those of the inputs"),
        ({"vocabulary": "abc"}, ValueError, "inputs: id . at position . is not in the vocabulary"),
        ({"source": "words"}, ValueError, "source: expected one of .*'embedding'.*; got 'words'"),
    ],
)
def test_errors(options, error, message):
    with pytest.raises(error, match=message):
        lw.dependency(guesser(), RNG.integers(0, SYMBOLS, (2, 6)), **options)


def test_errors_of_models():
    ids = RNG.integers(0, SYMBOLS, (2, 6))
    with pytest.raises(TypeError, match="model: expected a Keras 3 model"):
        lw.dependency("model", ids)
    with pytest.raises(ValueError, match="of: expected 'logit', because the model doesn't end"):
        lw.dependency(guesser(activation=None), ids, of="loss")
    with pytest.raises(ValueError, match="at: expected 5, the only timestep after which"):
        lw.dependency(guesser(sequences=False), ids, at=3)
    with pytest.raises(ValueError, match="at: expected timesteps from 2, where the first window"):
        lw.dependency(guesser(), ids[0], window=3, at=[1])
    vectors = shaken(
        keras.Sequential([keras.Input((None, 2)), L.LSTM(3, return_sequences=True), L.Dense(4)])
    )
    with pytest.raises(ValueError, match="target: expected classes, because the inputs"):
        lw.dependency(vectors, RNG.normal(size=(1, 5, 2)), target="next")


def test_normalised_rows_of_zeros_stay_zeros_and_unknown_ones_unknown():
    model = guesser()
    *weights, kernel, bias = model.get_weights()
    ids = RNG.integers(0, SYMBOLS, (2, 5))
    known = lw.dependency(model, ids, target="next", normalise=True).values
    np.testing.assert_allclose(known[:, :-1].max(axis=2), 1)
    assert np.isnan(known[:, -1]).all()  # nothing comes next
    kernel[:, 2] = 0
    model.set_weights([*weights, kernel, bias])  # logit 2 depends on nothing
    classes = np.where(np.arange(5) % 2, 2, 1) * np.ones((2, 1), int)
    plain = lw.dependency(model, ids, target=classes).values
    result = lw.dependency(model, ids, target=classes, normalise=True).values
    assert (result[:, 1::2] == 0).all()
    np.testing.assert_allclose(
        result[:, ::2], plain[:, ::2] / plain[:, ::2].max(axis=2, keepdims=True)
    )
    window = lw.dependency(model, ids[0], target=2, window=3, normalise=True).values[0]
    rows, columns = np.indices(window.shape)
    read = (columns <= rows + 2) & (columns >= rows)
    assert (window[read] == 0).all()
    assert np.isnan(window[~read]).all()
