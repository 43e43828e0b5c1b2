"""What holding cells costs: equal to plain loops that clamp, to Keras's losses, to algebra."""

from __future__ import annotations

import keras
import numpy as np
import pytest
from clamped import plain
from keras import layers as L

import lstm_widgets as lw
from lstm_widgets.analysis import held_runs

RNG = np.random.default_rng(0)
VOCABULARY = "abcde"


def shaken(model):
    rng = np.random.default_rng(1)
    model.set_weights([rng.normal(size=w.shape, scale=0.6) for w in model.get_weights()])
    return model


def language(layer=L.LSTM, *, mask=False, activation=None, **options):
    """A model of five symbols."""
    return shaken(
        keras.Sequential(
            [
                keras.Input((None,), dtype="int32"),
                L.Embedding(5, 3, mask_zero=mask),
                layer(4, return_sequences=True, name="rnn", **options),
                L.Dense(5, activation=activation),
            ]
        )
    )


def by_hand(model, ids, clamps=None, kind="LSTM", **options):
    """Losses of the next token ``(example, timestep - 1)``, best symbols, and the signals."""
    table, *weights, kernel, bias = model.get_weights()
    signals = plain(kind, weights, table[ids], clamps or {}, **options)
    logits = signals["hidden_state"] @ kernel + bias
    log_p = logits - np.log(np.exp(logits).sum(axis=-1, keepdims=True))
    picked = np.take_along_axis(log_p[:, :-1], ids[:, 1:, None], -1)[..., 0]
    return -picked, logits.argmax(axis=-1), signals


@pytest.mark.parametrize("activation", [None, "softmax"])
def test_losses_and_guesses_are_those_of_a_plain_loop(activation):
    model = language(activation=activation)
    ids = RNG.integers(0, 5, (3, 9))
    holds = RNG.random((3, 9)) < 0.5
    before, best, signals = by_hand(model, ids)
    means = signals["cell_state"][:, :, [2, 0]].mean(axis=(0, 1))
    clamps = {"cell_state": dict(zip([2, 0], means, strict=True))}
    after, best_held, _ = by_hand(model, ids, clamps)
    result = lw.ablate(
        model,
        ids,
        [2, 0],
        value="mean",
        signal="cell_state",
        concepts={"odd": holds},
        vocabulary=VOCABULARY,
        top_k=2,
    )
    row = result.table.iloc[0]
    assert (row["layer"], row["signal"], row["cell"]) == ("rnn", "cell_state", (2, 0))
    np.testing.assert_allclose(row["value"], means, atol=1e-6)
    there = holds[:, :-1]
    expected = {
        "loss": before.mean(),
        "loss_held": after.mean(),
        "change": (after - before).mean(),
        "odd": (after - before)[there].mean(),
        "not odd": (after - before)[~there].mean(),
        "changed_guesses": (best != best_held)[:, :-1].mean(),
    }
    for name, number in expected.items():
        np.testing.assert_allclose(row[name], number, atol=1e-5, err_msg=name)
    steps = result.timesteps
    np.testing.assert_allclose(steps["loss"][:, :-1], before, atol=1e-5)
    np.testing.assert_allclose(steps["loss_held"][:, :-1], after, atol=1e-5)
    assert np.isnan(steps["loss_held"][:, -1]).all()
    np.testing.assert_array_equal(steps["predicted_id"][..., 0], best)
    np.testing.assert_array_equal(steps["predicted_id_held"][..., 0], best_held)
    assert steps.sizes["rank"] == 2
    assert "".join(steps["token"].values[0]) == "".join(VOCABULARY[k] for k in ids[0])


def test_one_after_the_other_is_each_alone(monkeypatch):
    monkeypatch.setattr(held_runs, "_MOST_COPIES", 3)  # 4 cells: the second round is filled up
    model = language(L.GRU)
    ids = RNG.integers(0, 5, (5, 6))
    everything = lw.ablate(model, ids, value=0.5, each=True, signal="update_gate", batch_size=2)
    assert everything.timesteps is None
    assert everything.table["cell"].tolist() == [0, 1, 2, 3]
    for cell in range(4):
        after, *_ = by_hand(model, ids, {"update_gate": {cell: 0.5}}, "GRU")
        np.testing.assert_allclose(everything.table["loss_held"][cell], after.mean(), atol=1e-5)
    chosen = lw.ablate(model, ids, [3, 1], value=np.median, each=True, signal="candidate")
    _, _, signals = by_hand(model, ids, kind="GRU")
    medians = np.median(signals["candidate"].reshape(-1, 4), axis=0)[[3, 1]]
    np.testing.assert_allclose(chosen.table["value"], medians, atol=1e-5)
    alone = lw.ablate(model, ids, 3, value=float(medians[0]), signal="candidate").table.iloc[0]
    np.testing.assert_allclose(chosen.table["change"][0], alone["change"], atol=1e-6)


def test_with_nothing_held_it_is_the_model():
    model = language()
    ids = RNG.integers(0, 5, (2, 8))
    row = lw.ablate(model, ids, 0).table.iloc[0]
    logits = model.predict(ids, verbose=0)[:, :-1]
    own = keras.losses.sparse_categorical_crossentropy(ids[:, 1:], logits, from_logits=True)
    np.testing.assert_allclose(row["loss"], np.mean(own), atol=1e-5)


def test_a_signal_that_never_changes_can_be_held_where_it_is():
    model = language()
    rnn = model.layers[1]
    kernel, recurrent, bias = rnn.get_weights()
    kernel[:, 4:8] = recurrent[:, 4:8] = 0  # the forget gates have nothing but their bias
    rnn.set_weights([kernel, recurrent, bias])
    own = (1 / (1 + np.exp(-bias[4:8]))).tolist()
    ids = RNG.integers(0, 5, (2, 8))
    held = lw.ablate(model, ids, range(4), value=own, signal="forget_gate")
    np.testing.assert_allclose(held.timesteps["loss"], held.timesteps["loss_held"], atol=1e-5)
    assert held.table["changed_guesses"][0] == 0


def test_in_pieces_and_in_windows_of_a_text():
    model = language()
    ids = RNG.integers(0, 5, 25)
    text = "".join(VOCABULARY[k] for k in ids)
    clamps = {"hidden_state": {1: 0.0}}
    after, *_ = by_hand(model, ids[None], clamps)
    pieces = lw.ablate(model, text, each=True, vocabulary=VOCABULARY, batch_size=8).table
    np.testing.assert_allclose(pieces["loss_held"][1], after.mean(), atol=1e-5)
    result = lw.ablate(model, text, 1, vocabulary=VOCABULARY, window=6)
    windows = [by_hand(model, ids[None, t - 5 : t + 2], clamps)[0][0, 5] for t in range(5, 24)]
    np.testing.assert_allclose(result.timesteps["loss_held"][0, 5:-1], windows, atol=1e-5)
    each = lw.ablate(model, text, each=True, vocabulary=VOCABULARY, window=6).table
    np.testing.assert_allclose(each["loss_held"][1], np.mean(windows), atol=1e-5)


def test_padding_counts_nowhere():
    model = language(mask=True)
    ids = RNG.integers(1, 5, (2, 7))
    ids[0, 4:] = 0
    ids[1, :2] = 0
    ids[0, 1] = ids[1, 3] = 1
    clamps = {"output_gate": {3: 0.2}}
    whole, *_ = by_hand(model, ids, clamps, mask=ids != 0)
    known = np.concatenate([whole[0, :3], whole[1, 2:]])
    is_b = np.concatenate([ids[0, :3], ids[1, 2:-1]]) == 1
    before, _, signals = by_hand(model, ids, mask=ids != 0)
    change = known - np.concatenate([before[0, :3], before[1, 2:]])
    result = lw.ablate(
        model,
        ids,
        3,
        value=0.2,
        signal="output_gate",
        vocabulary=VOCABULARY,
        concepts=[lw.concepts.is_token("b")],
    )
    np.testing.assert_allclose(result.table["loss_held"][0], known.mean(), atol=1e-5)
    assert is_b.any()
    name = lw.concepts.is_token("b").name
    np.testing.assert_allclose(result.table[name][0], change[is_b].mean(), atol=1e-5)
    mean = lw.ablate(model, ids, 3, value="mean", signal="output_gate").table["value"][0]
    np.testing.assert_allclose(mean, signals["output_gate"][ids != 0][:, 3].mean(), atol=1e-5)


def test_classes_of_whole_examples():
    x = RNG.normal(size=(6, 4, 3)).astype(np.float32)
    classes = RNG.integers(0, 3, 6)
    inputs = [keras.Input((None, 3)), L.Bidirectional(L.SimpleRNN(2), name="both")]
    model = shaken(keras.Sequential([*inputs, L.Dense(3, activation="softmax")]))
    # With every cell at zero, only the bias is left.
    bias = model.get_weights()[-1]
    result = lw.ablate(model, x, range(4), layer="both", targets=classes)
    expected = np.log(np.exp(bias).sum()) - bias[classes]
    np.testing.assert_allclose(result.table["loss_held"][0], expected.mean(), atol=1e-5)
    np.testing.assert_allclose(result.timesteps["loss_held"][:, -1], expected, atol=1e-5)
    own = keras.losses.sparse_categorical_crossentropy(classes, model.predict(x, verbose=0))
    np.testing.assert_allclose(result.table["loss"][0], np.mean(own), atol=1e-5)

    model = shaken(keras.Sequential([*inputs, L.Dense(1, activation="sigmoid")]))
    binary = classes % 2
    p = 1 / (1 + np.exp(-model.get_weights()[-1][0]))
    row = lw.ablate(model, x, range(4), layer="both", targets=binary).table.iloc[0]
    expected = -np.log(np.where(binary == 1, p, 1 - p)).mean()
    np.testing.assert_allclose(row["loss_held"], expected, atol=1e-5)
    assert np.isnan(row["changed_guesses"])


def test_a_loss_of_ones_own_and_a_stateful_model():
    layers = [L.GRU(3, return_sequences=True, stateful=True, name="gru"), L.Dense(2)]
    model = shaken(keras.Sequential([keras.Input(batch_shape=(2, 5, 3)), *layers]))
    x = RNG.normal(size=(4, 5, 3)).astype(np.float32)
    targets = RNG.normal(size=(4, 5, 2)).astype(np.float32)
    model.layers[0].states[0].assign(np.full((2, 3), 0.3))
    loss = keras.losses.mean_squared_error
    result = lw.ablate(model, x, each=True, targets=targets, loss=loss)
    np.testing.assert_array_equal(model.layers[0].states[0], np.full((2, 3), np.float32(0.3)))
    outputs = np.concatenate([np.asarray(model(x[:2])), np.asarray(model(x[2:]))])
    expected = ((outputs - targets) ** 2).mean()
    np.testing.assert_allclose(result.table["loss"], expected, atol=1e-5)
    one = lw.ablate(model, x, 2, targets=targets, loss=loss)
    assert np.isfinite(one.table["loss_held"][0])
    assert "predicted_id" not in one.timesteps


def test_an_interruption_keeps_what_is_done(monkeypatch):
    monkeypatch.setattr(held_runs, "_MOST_COPIES", 1)
    model, ids = language(), RNG.integers(0, 5, (2, 6))
    calls = iter(range(100))
    own = held_runs.read

    def read(*arguments):
        if next(calls) == 3:
            raise KeyboardInterrupt
        return own(*arguments)

    whole = lw.ablate(model, ids, each=True).table
    monkeypatch.setattr(held_runs, "read", read)
    with pytest.warns(UserWarning, match=r"interrupted: 2 of 4 cells are done"):
        part = lw.ablate(model, ids, each=True).table
    np.testing.assert_allclose(part["change"], whole["change"][:2])


IDS = RNG.integers(0, 5, (2, 6))


@pytest.mark.parametrize(
    ("options", "error", "message"),
    [
        ({}, ValueError, "cells: expected one or several, or each=True for all; got None"),
        ({"cells": 4}, ValueError, "cells: expected 0 to 3 (layer 'rnn'), got 4"),
        ({"cells": 1, "value": "max"}, ValueError, "value: expected 'zero', 'mean', a number"),
        ({"cells": 1, "value": lambda v: v}, TypeError, "value: expected a function that returns"),
        ({"cells": 1, "signal": "gate"}, ValueError, "signals: expected names among"),
        ({"cells": 1, "layer": "lstm"}, ValueError, "layers: expected names among 'rnn'"),
        ({"cells": 1, "targets": [0, 9]}, ValueError, "targets: expected classes below 5, got 9"),
        ({"cells": 1, "targets": [0.5, 1]}, TypeError, "targets: expected classes"),
        ({"cells": 1, "targets": [0]}, ValueError, "targets: expected one for each of 2 examples"),
        ({"cells": 1, "targets": [-1, -1]}, ValueError, "targets: expected at least one"),
        ({"cells": 1, "loss": np.subtract}, ValueError, "targets: expected what the loss takes"),
        ({"cells": 1, "top_k": 0}, ValueError, "top_k: expected a positive whole number"),
        (
            {"cells": 1, "concepts": {"count": np.arange(12.0).reshape(2, 6)}},
            ValueError,
            "concepts: expected yes/no concepts, got the numeric 'count'",
        ),
        (
            {"cells": 1, "targets": IDS, "loss": lambda t, _: t[:1]},
            ValueError,
            "loss: expected one number for each output, shape (2, 6); got shape (1, 6)",
        ),
    ],
)
def test_bad_input_is_named(options, error, message):
    with pytest.raises(error) as caught:
        lw.ablate(language(), IDS, **options)
    assert str(caught.value).startswith(message)


def test_no_next_token_no_loss():
    model = shaken(keras.Sequential([keras.Input((None, 3)), L.LSTM(2), L.Dense(3)]))
    with pytest.raises(ValueError, match=r"targets: expected what the model should give"):
        lw.ablate(model, RNG.normal(size=(2, 4, 3)), 1)
