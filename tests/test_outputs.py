"""One probability, numbers of a forecast, several outputs: each is asked for as what it is."""

from __future__ import annotations

import keras
import numpy as np
import pytest
from keras import layers as L

import lstm_widgets as lw

RNG = np.random.default_rng(5)
SERIES = RNG.normal(size=(12, 2)).astype(np.float32)
BATCH = RNG.normal(size=(4, 12, 2)).astype(np.float32)


def shaken(model):
    rng = np.random.default_rng(2)
    for weight in model.trainable_weights:
        weight.assign(rng.normal(size=weight.shape, scale=0.8))
    return model


def binary(*head, sequences=False, length=None):
    return shaken(
        keras.Sequential(
            [keras.Input((length, 2)), L.LSTM(4, return_sequences=sequences, name="lstm"), *head]
        )
    )


class Subclassed(keras.Model):
    """Tells nothing of its outputs before it is called."""

    def __init__(self, activation):
        super().__init__()
        self.lstm = L.LSTM(4)
        self.head = L.Dense(1, activation=activation)

    def call(self, x):
        return self.head(self.lstm(x))


def expect_two_classes(predictions, p):
    """What is kept of a probability ``(example, timestep)`` of class 1, NaN where there is none."""
    known = ~np.isnan(p)
    ids, probabilities = predictions["predicted_id"].values, predictions["probability"].values
    np.testing.assert_array_equal(ids[..., 0][known], p[known] > 0.5)
    np.testing.assert_allclose(probabilities[..., 0][known], np.maximum(p, 1 - p)[known], atol=1e-5)
    assert (ids[~known] == -1).all()
    assert np.isnan(probabilities[~known]).all()
    if ids.shape[-1] == 2:
        np.testing.assert_array_equal(ids[..., 1][known], p[known] <= 0.5)
        np.testing.assert_allclose(
            probabilities[..., 1][known], np.minimum(p, 1 - p)[known], atol=1e-5
        )


def after_each(model, series):
    """What the model itself gives for each beginning of a series, ``(1, timestep)``."""
    ends = range(1, len(series) + 1)
    return np.array([[float(model(series[None, :n]).numpy().squeeze()) for n in ends]])


HEADS = {
    "Dense": lambda: [L.Dense(1, activation="sigmoid")],
    "Activation": lambda: [L.Dense(1), L.Activation("sigmoid")],
    "behind a Dropout": lambda: [L.BatchNormalization(), L.Dense(1, "sigmoid"), L.Dropout(0.1)],
}


@pytest.mark.parametrize("top_k", [1, 2])
@pytest.mark.parametrize("head", HEADS)
def test_one_sigmoid_is_the_probability_of_class_1(head, top_k):
    model = binary(*HEADS[head]())
    expect_two_classes(lw.record(model, SERIES, top_k=top_k).predictions, after_each(model, SERIES))
    p = np.full((4, 12), np.nan)
    p[:, -1] = model.predict(BATCH, verbose=0)[:, 0]
    expect_two_classes(lw.record(model, BATCH, top_k=top_k, batch_size=3).predictions, p)


@pytest.mark.parametrize("window", [None, 3])
def test_one_sigmoid_at_every_timestep(window):
    model = binary(L.TimeDistributed(L.Dense(1, activation="sigmoid")), sequences=True)
    predictions = lw.record(model, SERIES, top_k=2, window=window).predictions
    p = model.predict(SERIES[None], verbose=0)[..., 0]
    if window:
        p = np.full((1, 12), np.nan)
        for end in range(window, 13):
            p[0, end - 1] = np.asarray(model(SERIES[None, end - window : end]))[0, -1, 0]
    expect_two_classes(predictions, p)
    with pytest.raises(ValueError, match="top_k: expected at most the model's 2 symbols, got 3"):
        lw.record(model, SERIES, top_k=3)


def test_logits_are_known_by_the_loss_that_takes_them():
    model = binary(L.Dense(1))
    for compiled in ({}, {"loss": "mse"}, {"loss": "binary_crossentropy"}):
        if compiled:
            model.compile(**compiled)
        with pytest.raises(
            ValueError, match=r"top_k: .* linear: a number, or a logit.*from_logits"
        ):
            lw.record(model, SERIES, top_k=1)
        with pytest.raises(ValueError, match=r"loss: .* linear: a number, or a logit"):
            lw.ablate(model, BATCH, 0, targets=[0, 1, 1, 0])
    model.compile(loss=keras.losses.BinaryCrossentropy(from_logits=True))
    p = 1 / (1 + np.exp(-after_each(model, SERIES)))
    expect_two_classes(lw.record(model, SERIES, top_k=2).predictions, p)
    classes = np.array([0, 1, 1, 0])
    found = lw.ablate(model, BATCH, 0, targets=classes).table["loss"][0]
    logits = model.predict(BATCH, verbose=0)
    own = keras.losses.binary_crossentropy(classes[:, None], logits, from_logits=True)
    np.testing.assert_allclose(found, np.mean(own), atol=1e-5)


def test_what_may_hide_an_activation_is_not_guessed():
    hidden = binary(L.Dense(1), L.Lambda(keras.ops.sigmoid))
    with pytest.raises(ValueError, match="made by what may hide an activation"):
        lw.record(hidden, BATCH, top_k=1)
    with pytest.raises(ValueError, match="no probability by its last activation"):
        lw.record(binary(L.Dense(1, activation="tanh")), SERIES, top_k=1)


def test_a_subclassed_model_is_looked_through_as_it_runs():
    model = Subclassed("sigmoid")
    model(BATCH)
    shaken(model)
    p = np.full((4, 12), np.nan)
    p[:, -1] = np.asarray(model(BATCH))[:, 0]
    recording = lw.record(model, BATCH, top_k=2)
    expect_two_classes(recording.predictions, p)
    assert recording[next(iter(recording))].sizes["example"] == 4
    linear = Subclassed(None)
    with pytest.raises(ValueError, match="linear: a number, or a logit"):
        lw.record(linear, BATCH, top_k=1)


def test_sigmoids_of_several_labels_are_taken_as_they_are():
    model = binary(L.Dense(3, activation="sigmoid"), sequences=True)
    predictions = lw.record(model, BATCH, top_k=3).predictions
    outputs = model.predict(BATCH, verbose=0)
    np.testing.assert_array_equal(predictions["predicted_id"], np.argsort(-outputs, axis=-1))
    np.testing.assert_allclose(predictions["probability"], -np.sort(-outputs, axis=-1), atol=1e-6)


def test_what_has_no_class_after_each_data_point_says_what_to_do():
    both = shaken(
        keras.Sequential(
            [keras.Input((None, 2)), L.Bidirectional(L.LSTM(3)), L.Dense(3, activation="softmax")]
        )
    )
    with pytest.raises(ValueError, match=r"top_k: .*window=W.*inputs\[None\]"):
        lw.record(both, SERIES, top_k=3)
    one = lw.record(both, SERIES[None], top_k=3).predictions
    outputs = both.predict(SERIES[None], verbose=0)
    np.testing.assert_allclose(one["probability"][0, -1], -np.sort(-outputs[0]), atol=1e-6)
    windows = lw.record(both, SERIES, top_k=3, window=5).predictions
    outputs = both.predict(SERIES[None, 3:8], verbose=0)
    np.testing.assert_allclose(windows["probability"][0, 7], -np.sort(-outputs[0]), atol=1e-6)


# Regression ---------------------------------------------------------------------------------------


def squared(outputs, targets):
    return ((outputs - targets) ** 2).mean(axis=-1)


LOSSES = {
    "mse": squared,
    "MeanSquaredError": squared,
    "mae": lambda o, t: np.abs(o - t).mean(axis=-1),
    keras.losses.MeanSquaredError(): squared,
    keras.losses.MeanSquaredError: squared,
    keras.losses.mean_squared_error: squared,
    keras.losses.Huber(delta=0.5): lambda o, t: np.where(
        np.abs(o - t) <= 0.5, 0.5 * (o - t) ** 2, 0.5 * np.abs(o - t) - 0.125
    ).mean(axis=-1),
    (lambda y, p: np.abs(y - p).max(axis=-1)): lambda o, t: np.abs(o - t).max(axis=-1),
}


@pytest.mark.parametrize("loss", LOSSES, ids=range(len(LOSSES)))
@pytest.mark.parametrize("steps", [1, 3])
def test_the_loss_of_a_forecast(loss, steps):
    model = binary(L.Dense(steps))
    targets = RNG.normal(size=(4, steps))
    found = lw.ablate(model, BATCH, range(4), targets=targets, loss=loss, batch_size=3)
    bias = model.get_weights()[-1]  # with every cell at zero, only that is left
    own = model.predict(BATCH, verbose=0)
    for name, outputs in (("loss", own), ("loss_held", np.broadcast_to(bias, own.shape))):
        expected = LOSSES[loss](outputs.astype(float), targets)
        np.testing.assert_allclose(found.timesteps[name][:, -1], expected, atol=1e-5)
        np.testing.assert_allclose(found.table[name][0], expected.mean(), atol=1e-5)
    assert np.isnan(found.table["changed_guesses"][0])


def test_targets_are_never_broadcast():
    """Targets (n,) and outputs (n, 1) would be n * n differences."""
    model = binary(L.Dense(1), sequences=True)
    targets = RNG.normal(size=(4, 12))
    own = model.predict(BATCH, verbose=0)[..., 0]
    for given in (targets, targets[..., None]):
        found = lw.ablate(model, BATCH, 0, targets=given, loss="mse")
        np.testing.assert_allclose(found.timesteps["loss"], (own - targets) ** 2, atol=1e-5)
    single = binary(L.Dense(1))
    found = lw.ablate(single, BATCH, 0, targets=targets[:, 0], loss="mse").table["loss"][0]
    own = single.predict(BATCH, verbose=0)[:, 0]
    np.testing.assert_allclose(found, ((own - targets[:, 0]) ** 2).mean(), atol=1e-5)
    three = binary(L.Dense(3))
    for wrong in (RNG.normal(size=4), RNG.normal(size=(4, 1)), RNG.normal(size=(4, 12))):
        with pytest.raises(
            ValueError, match=r"targets: expected the shape .* \(4, 3\) in one call"
        ):
            lw.ablate(three, BATCH, 0, targets=wrong, loss="mse")


def test_a_series_and_targets_that_are_not_known():
    model = binary(L.Dense(1), sequences=True)
    targets = RNG.normal(size=12)
    targets[[0, 5]] = np.nan
    found = lw.ablate(model, SERIES, 1, targets=targets, loss="mae")
    own = np.abs(model.predict(SERIES[None], verbose=0)[0, :, 0] - targets)
    np.testing.assert_allclose(found.timesteps["loss"][0], own, atol=1e-5)
    np.testing.assert_allclose(found.table["loss"][0], np.nanmean(own), atol=1e-5)
    windows = lw.ablate(binary(L.Dense(1)), SERIES, 1, targets=targets, loss="mae", window=4)
    assert np.isfinite(windows.table["loss"][0])


def test_losses_that_are_none():
    model = binary(L.Dense(1))
    with pytest.raises(ValueError, match=r"loss: expected the name of a loss in keras.losses"):
        lw.ablate(model, BATCH, 0, targets=np.zeros(4), loss="msee")
    with pytest.raises(TypeError, match=r"loss: expected the name of a loss in keras.losses"):
        lw.ablate(model, BATCH, 0, targets=np.zeros(4), loss=3)
    with pytest.raises(ValueError, match="targets: expected what the loss takes"):
        lw.ablate(model, BATCH, 0, loss="mse")
    with pytest.raises(ValueError, match="loss: expected one number for each output"):
        lw.ablate(
            model, BATCH, 0, targets=np.zeros((4, 1)), loss=lambda y, p: ((y - p) ** 2).mean()
        )


# Several outputs ----------------------------------------------------------------------------------


def several(kind):
    """A model of symbols that gives classes of the whole, and of each timestep what comes next."""
    inputs = keras.Input((None,), dtype="int32")
    x = L.LSTM(4, return_sequences=True, name="lstm")(L.Embedding(5, 3, name="embedding")(inputs))
    after = L.Dense(5, activation="softmax", name="next")(x)
    mood = L.Dense(2, activation="softmax", name="mood")(L.LSTM(3, name="upper")(x))
    outputs = {"list": [after, mood], "dict": {"z": after, "a": mood}}[kind]
    return shaken(keras.Model(inputs, outputs)), (after, mood)


@pytest.mark.parametrize("kind", ["list", "dict"])
def test_an_output_is_chosen_by_its_name_or_index(kind):
    model, _ = several(kind)
    names = {"list": ("next", "mood"), "dict": ("z", "a")}[kind]
    ids = RNG.integers(0, 5, (3, 7))
    singles = [keras.Model(model.input, part) for part in model.outputs]
    if kind == "dict":  # in whatever order Keras lists them
        singles.sort(key=lambda single: single.output.shape[-1], reverse=True)
    classes = RNG.integers(0, 2, 3)

    def functions(model, k, options):
        targets = None if k == 0 else classes
        relevance = lw.relevance(model, ids, methods=("lrp", "sensitivity"), **options)
        return [
            lw.record(model, ids, top_k=2, **options).predictions,
            lw.ablate(model, ids, 1, targets=targets, **options).table.drop(columns=["layer"]),
            relevance,
            lw.dependency(model, ids, **options),
            lw.deletion_curve(model, ids, relevance, limit=2),
        ]

    for k, single in enumerate(singles):
        wanted = functions(single, k, {})
        for which in (k, names[k], np.int64(k)):
            for one, other in zip(functions(model, k, {"output": which}), wanted, strict=True):
                if hasattr(other, "identical"):
                    assert one.drop_attrs().equals(other.drop_attrs())
                else:
                    assert one.equals(other)
    wanted = lw.deletion_curve(singles[1], ids, lw.relevance(singles[1], ids), limit=2)
    curve = lw.deletion_curve(
        model, ids, lw.relevance(model, ids, output=names[1]), limit=2, output=names[1]
    )
    assert curve.equals(wanted)
    text, symbols = "abcde", "abcde"
    written = lw.generate(model, text, 6, vocabulary=symbols, seed=1, output=names[0])
    assert written.text == lw.generate(singles[0], text, 6, vocabulary=symbols, seed=1).text
    widget = lw.WhatIf(model, text, vocabulary=symbols, output=names[0], value=0.5)
    wanted = lw.WhatIf(singles[0], text, vocabulary=symbols, value=0.5)
    assert (widget.loss, widget.loss_held) == (wanted.loss, wanted.loss_held)


@pytest.mark.parametrize("kind", ["list", "dict"])
def test_which_outputs_there_are_is_said(kind):
    model, _ = several(kind)
    names = {"list": "'next', 'mood'", "dict": "'z', 'a'"}[kind]
    ids = RNG.integers(0, 5, (3, 7))
    named = {"list": "mood", "dict": "a"}[kind]
    relevance = lw.relevance(model, ids, output=named)
    recording = lw.record(model, ids, vocabulary="abcde")  # needs no output
    calls = {
        "record": lambda **o: lw.record(model, ids, top_k=1, **o),
        "generate": lambda **o: lw.generate(model, "abc", 2, vocabulary="abcde", **o),
        "ablate": lambda **o: lw.ablate(model, ids, 0, targets=[0, 1, 0], **o),
        "relevance": lambda **o: lw.relevance(model, ids, **o),
        "dependency": lambda **o: lw.dependency(model, ids, **o),
        "WhatIf": lambda **o: lw.WhatIf(model, "abcab", vocabulary="abcde", **o),
        "CellFinder": lambda **o: lw.CellFinder(
            recording,
            {"a": "a"},
            ranking=lw.rank_cells(recording, {"a": "a"}, shifts=3),
            model=model,
            inputs=ids,
            **o,
        ),
    }
    for call in calls.values():
        with pytest.raises(ValueError, match=f"output: the model has 2, name one of {names}"):
            call()
        for wrong in ("nix", 2, -1):
            with pytest.raises(
                ValueError, match=f"output: expected one of {names} .*got {wrong!r}"
            ):
                call(output=wrong)
        with pytest.raises(TypeError, match="output: expected a name or an index, got True"):
            call(output=True)
    with pytest.raises(ValueError, match=f"output: expected one of {names}"):
        lw.deletion_curve(model, ids, relevance, output="nix")
    with pytest.raises(ValueError, match=r"output: expected None without top_k="):
        lw.record(model, ids, output=named)
    # A cell is no output.
    assert "score" in lw.relevance(model, ids, layer="lstm", cell=0)


def test_the_only_output_may_be_named():
    model = binary(L.Dense(2, activation="softmax", name="head"))
    for which in (None, 0, "head"):
        assert lw.record(model, BATCH, top_k=1, output=which).predictions is not None
    with pytest.raises(ValueError, match="output: expected one of 'head'"):
        lw.record(model, BATCH, top_k=1, output="tail")


def test_outputs_of_a_subclassed_model_are_known_once_it_runs():
    class Two(keras.Model):
        def __init__(self):
            super().__init__()
            self.lstm, self.one, self.other = (
                L.LSTM(3),
                L.Dense(2, "softmax"),
                L.Dense(3, "softmax"),
            )

        def call(self, x):
            x = self.lstm(x)
            return {"one": self.one(x), "other": self.other(x)}

    model = Two()
    model(BATCH)
    with pytest.raises(ValueError, match="output: the model has 2, name one of 'one', 'other'"):
        lw.record(model, BATCH, top_k=1)
    predictions = lw.record(model, BATCH, top_k=3, output="other").predictions
    own = np.asarray(model(BATCH)["other"])
    np.testing.assert_allclose(predictions["probability"][:, -1, 0], own.max(axis=1), atol=1e-6)
