"""Cells held at a value: equal to plain loops that clamp, in every kind of layer and reading."""

from __future__ import annotations

import keras
import numpy as np
import pytest
from clamped import plain
from keras import layers as L

import lstm_widgets as lw
from lstm_widgets.rnn import scan as loops
from lstm_widgets.rnn.cells import SIGNALS, STATES, Cell
from lstm_widgets.rnn.scan import scan, scan_last

RNG = np.random.default_rng(0)


def shaken(model):
    """Give every weight, biases too, a random value."""
    rng = np.random.default_rng(1)
    model.set_weights([rng.normal(size=w.shape, scale=0.6) for w in model.get_weights()])
    return model


@pytest.mark.parametrize("compiled", [True, False])
@pytest.mark.parametrize(
    ("kind", "reset_after"), [("LSTM", True), ("GRU", True), ("GRU", False), ("SimpleRNN", True)]
)
def test_both_loops_hold_every_signal_as_a_plain_loop_does(
    monkeypatch, kind, reset_after, compiled
):
    if not compiled:
        monkeypatch.setattr(loops, "_compiled", lambda: None)
    examples, timesteps, features, units = 33, 6, 3, 5
    gates = {"LSTM": 4, "GRU": 3, "SimpleRNN": 1}[kind] * units
    bias = (2, gates) if kind == "GRU" and reset_after else (gates,)
    weights = [
        RNG.normal(size=shape, scale=0.6).astype(np.float32)
        for shape in ((features, gates), (units, gates), bias)
    ]
    names = ("tanh", "sigmoid")
    cell = Cell(kind, *weights, activation_names=names, reset_after=reset_after)
    x = RNG.normal(size=(examples, timesteps, features)).astype(np.float32)
    mask = RNG.random((examples, timesteps)) < 0.8
    # Half of the examples have all signals held, each in another cell; the others have none.
    clamps = {name: {k % units: 0.3 - 0.2 * k} for k, name in enumerate(SIGNALS[kind])}
    first = examples // 2
    held = {}
    for name, cells in clamps.items():
        held[name] = np.zeros((examples, units), bool), np.zeros((examples, units))
        for number, value in cells.items():
            held[name][0][:first, number], held[name][1][:first, number] = True, value
    state = [np.zeros((examples, units), np.float32)] * STATES[kind]
    for reverse in (False, True):
        options = {"reset_after": reset_after, "reverse": reverse}
        out = {name: np.empty((examples, timesteps, units), np.float32) for name in SIGNALS[kind]}
        scan(cell, x, state, mask, out, reverse=reverse, held=held)
        clamped = plain(kind, weights, x[:first], clamps, mask=mask[:first], **options)
        free = plain(kind, weights, x[first:], {}, mask=mask[first:], **options)
        for k, name in enumerate(SIGNALS[kind]):
            expected = np.concatenate([clamped[name], free[name]])
            # At padding gates are as computed, and without effect.
            real = np.ones_like(mask) if k < STATES[kind] else mask
            np.testing.assert_allclose(out[name][real], expected[real], atol=1e-5, err_msg=name)
        ends, before, after = scan_last(
            cell, x, state, mask, names=["hidden_state"], reverse=reverse, held=held
        )
        last = out["hidden_state"][:, 0 if reverse else -1]
        np.testing.assert_allclose(ends["hidden_state"], last, atol=1e-6)
        np.testing.assert_array_equal(after[0], ends["hidden_state"])
        earlier = out["hidden_state"][:, 1 if reverse else -2]
        np.testing.assert_allclose(before[0], earlier, atol=1e-6)


def deep():
    """An LSTM, a GRU that reads both ways, a SimpleRNN that returns its last output."""
    return shaken(
        keras.Sequential(
            [
                keras.Input((None, 3)),
                L.LSTM(4, return_sequences=True, name="lower"),
                L.Bidirectional(L.GRU(3, return_sequences=True), name="both"),
                L.SimpleRNN(4, name="last"),
                L.Dense(2),
            ]
        )
    )


def through(model, x, held=()):
    """Run the deep model by hand; ``held`` has tuples (layer, signal, cell, value)."""

    def clamps(layer):
        found = {}
        for name, signal, cell, value in held:
            if name == layer:
                found.setdefault(signal, {})[cell] = value
        return found

    lower, both, last, dense = (layer.get_weights() for layer in model.layers)
    x = plain("LSTM", lower, x, clamps("lower"))["hidden_state"]
    x = np.concatenate(
        [
            plain("GRU", both[:3], x, clamps("both/forward"))["hidden_state"],
            plain("GRU", both[3:], x, clamps("both/backward"), reverse=True)["hidden_state"],
        ],
        axis=2,
    )
    x = plain("SimpleRNN", last, x, clamps("last"))["hidden_state"]
    return x, x[:, -1] @ dense[0] + dense[1]


def test_a_deep_model_goes_on_with_what_is_held():
    model = deep()
    x = RNG.normal(size=(2, 7, 3)).astype(np.float32)
    held = [
        lw.Held((3, 0), (0.9, -2.0), "lower", "cell_state"),
        lw.Held([1, 5], 0.4, "both", "update_gate"),
        lw.Held(2, -0.5, "last"),
    ]
    by_hand = [
        *[("lower", "cell_state", 3, 0.9), ("lower", "cell_state", 0, -2.0)],
        *[("both/forward", "update_gate", 1, 0.4), ("both/backward", "update_gate", 2, 0.4)],
        ("last", "hidden_state", 2, -0.5),
    ]
    recording = lw.record(model, x, held=held, check="full")
    hidden, _ = through(model, x, by_hand)
    np.testing.assert_allclose(recording["last"].hidden_state, hidden, atol=1e-5)
    assert (recording["both"].update_gate[:, :, [1, 5]] == np.float32(0.4)).all()
    assert recording.tree.attrs["held"][1]["cells"] == [1, 5]
    assert recording["last"].attrs["check"]["mode"] == "none"
    # With nothing held again, it is the model.
    np.testing.assert_allclose(
        lw.record(model, x, check="full")["last"].hidden_state, through(model, x)[0], atol=1e-5
    )


def test_in_windows_and_in_pieces_of_a_text():
    model = shaken(
        keras.Sequential(
            [
                keras.Input((None, 3)),
                L.GRU(4, return_sequences=True, reset_after=False, name="gru"),
                L.Dense(3, activation="softmax"),
            ]
        )
    )
    text = np.eye(3, dtype=np.float32)[RNG.integers(0, 3, 30)]
    clamps = {"candidate": {1: 0.7}}
    held = lw.Held(1, 0.7, signal="candidate")
    weights = model.layers[0].get_weights()
    pieces = lw.record(model, text, held=held, batch_size=7)["gru"].hidden_state[0]
    expected = plain("GRU", weights, text[None], clamps, reset_after=False)["hidden_state"][0]
    np.testing.assert_allclose(pieces, expected, atol=1e-5)
    windows = lw.record(model, text, window=5, held=held)["gru"].hidden_state[0]
    for t in (4, 17, 29):
        one = plain("GRU", weights, text[None, t - 4 : t + 1], clamps, reset_after=False)
        np.testing.assert_allclose(windows[t], one["hidden_state"][0, -1], atol=1e-5)


def test_a_text_is_written_with_cells_held():
    model = shaken(
        keras.Sequential(
            [
                keras.Input((None,), dtype="int32"),
                L.Embedding(3, 3),
                L.LSTM(4, return_sequences=True, name="lstm"),
                L.Dense(3),
            ]
        )
    )
    held = [lw.Held(2, 1.5, signal="cell_state"), lw.Held(0, 0.1, "lstm", "output_gate")]
    clamps = {"cell_state": {2: 1.5}, "output_gate": {0: 0.1}}
    written = lw.generate(model, "ab", 6, vocabulary="abc", temperature=0, held=held)
    table, *weights, kernel, bias = model.get_weights()
    ids = [0, 1]
    for _ in range(6):
        hidden = plain("LSTM", weights, table[ids][None], clamps)["hidden_state"]
        ids.append(int((hidden[0, -1] @ kernel + bias).argmax()))
    assert written.ids.tolist() == ids[2:]
    assert (written.recording["lstm"].cell_state[0, :, 2] == 1.5).all()


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ((7,), "cells: expected 0 to 3 (layer 'lower'), got 7"),
        ((6, 0, "both"), "cells: expected 0 to 5 (layer 'both'), got 6"),
        ((-1,), "cells: expected a whole number from 0 on, got -1"),
        (([1, 1],), "cells: expected each cell once, got [1, 1]"),
        ((1, np.nan), "value: expected finite numbers, got nan"),
        ((1, "mean"), "value: expected finite numbers, got 'mean'"),
        (([1, 2], [1]), "value: expected one number, or one for each of 2 cells, got 1"),
        ((1, 0, "nowhere"), "layer: expected one of 'lower', 'both/forward', 'both/backward', "),
        ((1, 0, "last", "cell_state"), "signal: expected one of 'hidden_state' (layer 'last'), "),
        ((1, 0, "last:2"), "held: the model doesn't call its layer 'last:2'"),
    ],
)
def test_bad_input_is_named(arguments, message):
    with pytest.raises(ValueError, match=r".") as caught:
        lw.record(deep(), np.zeros((1, 2, 3), np.float32), held=lw.Held(*arguments))
    assert str(caught.value).startswith(message)


def test_held_takes_only_what_is_held():
    with pytest.raises(TypeError, match=r"held: expected a lstm_widgets.Held"):
        lw.record(deep(), np.zeros((1, 2, 3), np.float32), held=[("lower", 1)])
