"""The self-check: right recordings pass, however rounding grows in them; wrong ones are told, bare."""

from __future__ import annotations

import keras
import numpy as np
import pytest
from keras import layers as L

import lstm_widgets as lw
from lstm_widgets.models.keras import propagation
from lstm_widgets.running import session

RNG = np.random.default_rng(0)


def reservoir(radius, units=60):
    """A SimpleRNN of fixed weights, chaotic beyond a spectral radius of 1."""
    weights = RNG.normal(size=(units, units))
    weights *= radius / np.abs(np.linalg.eigvals(weights)).max()
    model = keras.Sequential([keras.Input((None, 1)), L.SimpleRNN(units, name="reservoir")])
    model.layers[0].set_weights([RNG.uniform(-0.5, 0.5, (1, units)), weights, np.zeros(units)])
    return model


def strong_lstm(std=0.9):
    draw = lambda seed: keras.initializers.RandomNormal(stddev=std, seed=seed)
    layer = L.LSTM(48, kernel_initializer=draw(1), recurrent_initializer=draw(2), name="strong")
    return keras.Sequential([keras.Input((None, 8)), layer])


@pytest.mark.parametrize("check", ["prefix", "full"])
def test_rounding_that_grows_is_no_error(check):
    model, x = reservoir(1.7), RNG.normal(size=(1, 300, 1)).astype(np.float32)
    recording = lw.record(model, x, check=check)
    assert recording["reservoir"].attrs["check"]["mode"] == check
    # It is as near to float64 as the layer itself, which is not near at all.
    kernel, recurrent, bias = (w.astype(np.float64) for w in model.get_weights())
    hidden = np.zeros((1, 60))
    for t in range(300):
        hidden = np.tanh(x[:, t].astype(np.float64) @ kernel + hidden @ recurrent + bias)
    off = np.abs(model(x).numpy() - hidden).max()
    assert off > 1e-5
    assert np.abs(recording["reservoir"].hidden_state[:, -1] - hidden).max() < 100 * off
    lw.record(strong_lstm(), RNG.normal(size=(4, 60, 8)).astype(np.float32), check=check)


def test_windows_and_texts_in_which_rounding_grows():
    series = RNG.normal(size=(150, 1)).astype(np.float32)
    model = reservoir(1.7)
    lw.record(model, series, window=80)
    lw.record(model, series, batch_size=40)


def disturbed(monkeypatch, change):
    """Let the recorder compute something else, from a timestep after the prefix on."""
    original = session.scan

    def wrong(*arguments, **options):
        return change(original, arguments, **options)

    monkeypatch.setattr(session, "scan", wrong)


def test_a_small_error_in_a_chaotic_layer_is_found_far_from_the_beginning(monkeypatch):
    def change(scan, arguments, **options):
        last, out = scan(*arguments, **options), arguments[-1]
        out["hidden_state"][:, 100:] += 1e-3
        return last

    disturbed(monkeypatch, change)
    x = RNG.normal(size=(1, 300, 1)).astype(np.float32)
    with pytest.raises(lw.errors.SelfCheckError, match=r"by 0\.00.*16 single steps"):
        lw.record(reservoir(1.7), x)


@pytest.mark.parametrize("what", ["order", "mask", "initial state"])
def test_order_masks_and_initial_states_are_looked_at(monkeypatch, what):
    def change(scan, arguments, reverse, held):
        cell, x, state, mask, out = arguments
        if what == "order":
            reverse = not reverse
        if what == "mask":
            mask = None
        if what == "initial state":
            state = [np.zeros_like(s) for s in state]
        return scan(cell, x, state, mask, out, reverse=reverse, held=held)

    inputs, start = keras.Input((None,), dtype="int32"), keras.Input((6,))
    embedding = L.Embedding(9, 3, mask_zero=True)
    states = [start] * 4
    both = L.Bidirectional(L.LSTM(6, return_sequences=True), name="both")
    outputs = both(embedding(inputs), initial_state=states, mask=embedding.compute_mask(inputs))
    model = keras.Model([inputs, start], outputs)
    ids = RNG.integers(1, 9, (3, 20))
    ids[1, 3:6] = ids[2, 12:] = 0
    data = [ids, RNG.normal(size=(3, 6)).astype(np.float32)]
    lw.record(model, data)
    disturbed(monkeypatch, change)
    with pytest.raises(lw.errors.SelfCheckError, match="layer 'both/"):
        lw.record(model, data)


def test_the_error_is_bare_says_the_ways_out_and_keeps_what_was_done(monkeypatch):
    calls = []

    def change(scan, arguments, **options):
        last, out = scan(*arguments, **options), arguments[-1]
        calls.append(1)
        if len(calls) == 3:
            out["hidden_state"] += 0.01
        return last

    disturbed(monkeypatch, change)
    model = keras.Sequential([keras.Input((4, 2)), L.GRU(3, name="gru")])
    x = RNG.normal(size=(10, 4, 2)).astype(np.float32)
    with pytest.raises(lw.errors.SelfCheckError) as caught:
        lw.record(model, x, batch_size=3, labels=[str(k) for k in range(10)])
    text = str(caught.value)
    assert text.startswith("layer 'gru': our loop differs by 0.01 from what the layer itself")
    assert "tolerance=" in text
    assert "check=False" in text
    assert "Exception encountered" not in text
    assert "\x1b" not in text
    assert any("kept" in note for note in caught.value.__notes__)
    kept = caught.value.kept
    assert kept["gru"].label.values.tolist() == list("012345")
    monkeypatch.undo()
    whole = lw.record(model, x[:6], batch_size=3)
    np.testing.assert_array_equal(kept["gru"].hidden_state, whole["gru"].hidden_state)


def test_generate_keeps_what_it_wrote_and_takes_the_ways_out(monkeypatch):
    keras.utils.set_random_seed(0)
    layers = [L.Embedding(4, 3), L.LSTM(5, return_sequences=True, name="lstm"), L.Dense(4)]
    model = keras.Sequential([keras.Input((None,)), *layers])
    expected = lw.generate(model, "ab", 12, vocabulary="abcd", seed=0)
    calls = []

    def change(scan, arguments, **options):
        last, out = scan(*arguments, **options), arguments[-1]
        calls.append(1)
        if len(calls) == 8:  # one for the prompt, and one for each token
            out["cell_state"] += 0.01
        return last

    disturbed(monkeypatch, change)
    with pytest.raises(lw.errors.SelfCheckError, match="layer 'lstm'") as caught:
        lw.generate(model, "ab", 12, vocabulary="abcd", seed=0)
    kept = caught.value.kept
    assert kept.text == expected.text[:6]
    assert kept.recording["lstm"].sizes["timestep"] == 8
    for options in ({"check": False}, {"tolerance": 0.1}):
        calls.clear()
        written = lw.generate(model, "ab", 12, vocabulary="abcd", seed=0, **options)
        assert written.text == expected.text
    with pytest.raises(ValueError, match="check: expected 'prefix', 'full' or False, got True"):
        lw.generate(model, "ab", 12, vocabulary="abcd", check=True)


# What explains a model ----------------------------------------------------------------------------


def chaotic(kind, *, over_time=False, units=60):
    """A classifier whose recurrent layer lets rounding grow, in 40 timesteps to more than 1e-5."""
    draw = lambda seed: keras.initializers.RandomNormal(stddev=1.5, seed=seed)
    layer = kind(
        units,
        kernel_initializer=draw(1),
        recurrent_initializer=draw(2),
        return_sequences=over_time,
        name="chaos",
    )
    return keras.Sequential([keras.Input((None, 3)), layer, L.Dense(2, name="scores")])


EXPLAINING = {
    "relevance": lambda model, x, **options: lw.relevance(
        model, x, methods=["sensitivity", "gradient_x_input"], **options
    ),
    "dependency": lambda model, x, **options: lw.dependency(model, x, at=[-1], **options),
    "curve": lambda model, x, **options: lw.deletion_curve(
        model,
        x,
        lw.relevance(model, x, methods="sensitivity", check=False),
        limit=2,
        **options,
    ),
}


@pytest.mark.parametrize("check", ["prefix", "full"])
@pytest.mark.parametrize("kind", [L.SimpleRNN, L.LSTM, L.GRU])
@pytest.mark.parametrize("name", EXPLAINING)
def test_right_ways_through_chaotic_layers_are_accepted(name, kind, check):
    model = chaotic(kind, over_time=name == "dependency")
    x = np.random.default_rng(3).normal(size=(10, 40, 3)).astype(np.float32)
    if check == "full":
        # Two loops that are both right are far apart at the end, so that this is no empty claim.
        hidden = model.layers[0](x).numpy()
        recorded = lw.record(model, x, check=False)["chaos"].hidden_state.values
        apart = np.abs(hidden.reshape(10, -1, 60)[:, -1] - recorded[:, -1]).max()
        assert apart > 1e-5
    EXPLAINING[name](model, x, check=check, tolerance=None)


def wrong_loop(monkeypatch, change):
    """Let what explains a model compute something else than the layer does."""
    original = propagation.scan
    monkeypatch.setattr(propagation, "scan", lambda *a, **o: change(original, a, **o))


@pytest.mark.parametrize("name", EXPLAINING)
def test_a_small_error_in_what_is_explained_is_found_far_from_the_beginning(monkeypatch, name):
    model = chaotic(L.SimpleRNN, over_time=name == "dependency")
    x = np.random.default_rng(3).normal(size=(2, 200, 3)).astype(np.float32)

    def change(scan, arguments, **options):
        last, out = scan(*arguments, **options), arguments[-1]
        out["hidden_state"][:, 100:] += 1e-3
        return last

    run = EXPLAINING[name]
    run(model, x)
    wrong_loop(monkeypatch, change)
    with pytest.raises(
        lw.errors.SelfCheckError,
        match=r"^layer 'chaos': our loop differs by 0\.\d+ .*16 single step",
    ):
        run(model, x)
    run(model, x, check=False)


@pytest.mark.parametrize("what", ["order", "mask", "initial state"])
def test_order_masks_and_initial_states_of_what_is_explained_are_looked_at(monkeypatch, what):
    def change(scan, arguments, reverse, **options):
        cell, x, state, mask, out = arguments
        if what == "order":
            reverse = not reverse
        if what == "mask":
            mask = None
        if what == "initial state":
            state = [np.zeros_like(s) for s in state]
        return scan(cell, x, state, mask, out, reverse=reverse, **options)

    inputs, start = keras.Input((None,), dtype="int32"), keras.Input((6,))
    embedding = L.Embedding(9, 3, mask_zero=True)
    both = L.Bidirectional(L.LSTM(6), name="both")
    read = both(embedding(inputs), initial_state=[start] * 4, mask=embedding.compute_mask(inputs))
    model = keras.Model([inputs, start], L.Dense(3)(read))
    ids = RNG.integers(1, 9, (3, 20))
    ids[1, 3:6] = ids[2, 12:] = 0
    data = [ids, RNG.normal(size=(3, 6)).astype(np.float32)]
    lw.relevance(model, data)
    wrong_loop(monkeypatch, change)
    with pytest.raises(lw.errors.SelfCheckError, match="layer 'both/"):
        lw.relevance(model, data)
