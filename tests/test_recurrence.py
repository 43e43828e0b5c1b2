"""The equations and the loops that run them, against Keras's cells stepped one by one."""

import keras
import numpy as np
import pytest
import tensorflow as tf

from lstm_widgets.models.keras.cells import read_cell
from lstm_widgets.rnn import compiled
from lstm_widgets.rnn import scan as loops
from lstm_widgets.rnn.cells import SIGNALS, STATES, Cell, step
from lstm_widgets.rnn.scan import scan


def make_cell(kind, features, units, seed=0, dtype="float32", **options):
    """A Keras cell with random weights, and ours with the same."""
    rng = np.random.default_rng(seed)
    keras_cell = getattr(keras.layers, f"{kind}Cell")(units, dtype=dtype, **options)
    keras_cell.build((None, features))
    scale = min(0.4, units**-0.5)  # no chaos, in which rounding would grow
    keras_cell.set_weights([rng.normal(scale=scale, size=w.shape) for w in keras_cell.weights])
    return keras_cell, read_cell(kind, keras_cell)


def run(cell, x, mask=None, *, reverse=False, names=None, initial=None):
    examples, timesteps, _ = x.shape
    names = names or SIGNALS[cell.kind]
    out = {n: np.full((examples, timesteps, cell.units), 99, np.float32) for n in names}
    dtype = cell.kernel.dtype
    if initial is None:
        initial = [np.zeros((examples, cell.units), dtype)] * STATES[cell.kind]
    last = scan(cell, x.astype(dtype), initial, mask, out, reverse=reverse)
    return out, [np.asarray(s) for s in last]


CASES = [
    ("LSTM", {}),
    ("LSTM", {"use_bias": False, "activation": "relu", "recurrent_activation": "hard_sigmoid"}),
    ("LSTM", {"activation": "softsign", "recurrent_activation": "elu"}),
    ("GRU", {}),
    ("GRU", {"reset_after": False}),
    ("GRU", {"use_bias": False}),
    ("GRU", {"use_bias": False, "reset_after": False}),
    ("SimpleRNN", {}),
    ("SimpleRNN", {"use_bias": False, "activation": None}),
]


@pytest.fixture(params=["plain", "compiled"])
def engine(request, monkeypatch):
    """Both loops, where `scan` would take the compiled one."""
    if request.param == "plain":
        monkeypatch.setattr(loops, "_compiled", lambda: None)
    return request.param


@pytest.mark.usefixtures("engine")
@pytest.mark.parametrize(("kind", "options"), CASES)
def test_hidden_and_cell_state_equal_keras_stepped_by_hand(kind, options):
    keras_cell, ours = make_cell(kind, 3, 5, **options)
    x = np.random.default_rng(1).normal(size=(2, 7, 3)).astype(np.float32)
    mask = np.ones((2, 7), bool)
    mask[0, :3] = mask[1, 4:6] = False

    for real, reverse in ((None, False), (mask, True)):
        out, last = run(ours, x, real, reverse=reverse)
        state = [tf.zeros((2, 5))] * STATES[kind]
        for t in reversed(range(7)) if reverse else range(7):
            _, new = keras_cell(tf.constant(x[:, t]), state)
            if real is not None:
                new = [tf.where(real[:, t, None], n, s) for n, s in zip(new, state, strict=True)]
            state = new
            for name, expected in zip(SIGNALS[kind], state, strict=False):
                np.testing.assert_allclose(out[name][:, t], expected, atol=1e-5)
        for ours_last, expected in zip(last, state, strict=True):
            np.testing.assert_allclose(ours_last, expected, atol=1e-5)


def sigmoid(x):
    return 1 / (1 + np.exp(-x))


@pytest.mark.usefixtures("engine")
def test_lstm_gates_satisfy_the_equations_in_float64():
    keras_cell, ours = make_cell("LSTM", 3, 4)
    x = np.random.default_rng(1).normal(size=(2, 6, 3))
    out, _ = run(ours, x)
    w, u, b = (a.astype(np.float64) for a in keras_cell.get_weights())
    h = c = np.zeros((2, 4))
    for t in range(6):
        i, f, g, o = np.split(x[:, t] @ w + h @ u + b, 4, axis=1)
        i, f, g, o = sigmoid(i), sigmoid(f), np.tanh(g), sigmoid(o)
        c = f * c + i * g
        h = o * np.tanh(c)
        expected = [h, c, i, f, g, o]
        for name, value in zip(SIGNALS["LSTM"], expected, strict=True):
            np.testing.assert_allclose(out[name][:, t], value, atol=1e-5, err_msg=name)


@pytest.mark.usefixtures("engine")
@pytest.mark.parametrize("reset_after", [False, True])
def test_gru_gates_satisfy_the_equations_in_float64(reset_after):
    keras_cell, ours = make_cell("GRU", 3, 4, reset_after=reset_after)
    x = np.random.default_rng(1).normal(size=(2, 6, 3))
    out, _ = run(ours, x)
    w, u, b = (a.astype(np.float64) for a in keras_cell.get_weights())
    b, b_recurrent = b if reset_after else (b, np.zeros(12))
    h = np.zeros((2, 4))
    for t in range(6):
        xz, xr, xg = np.split(x[:, t] @ w + b, 3, axis=1)
        z = sigmoid(xz + h @ u[:, :4] + b_recurrent[:4])
        r = sigmoid(xr + h @ u[:, 4:8] + b_recurrent[4:8])
        if reset_after:
            g = np.tanh(xg + r * (h @ u[:, 8:] + b_recurrent[8:]))
        else:
            g = np.tanh(xg + (r * h) @ u[:, 8:])
        h = z * h + (1 - z) * g
        for name, value in zip(SIGNALS["GRU"], [h, z, r, g], strict=True):
            np.testing.assert_allclose(out[name][:, t], value, atol=1e-5, err_msg=name)


@pytest.mark.parametrize("kind", ["LSTM", "GRU", "SimpleRNN"])
@pytest.mark.parametrize(("reverse", "masked"), [(False, False), (True, True)])
@pytest.mark.parametrize("shape", [(37, 11, 3), (1, 9, 300), (1, 1, 1)])
def test_the_loops_agree_on_parts_rests_and_wide_inputs(monkeypatch, kind, reverse, masked, shape):
    examples, timesteps, features = shape
    # Small blocks, so that one run has several threads and stretches, with rests of both.
    monkeypatch.setattr(compiled, "_AHEAD", 40_000)
    monkeypatch.setattr(compiled, "_THREAD_WORK", 1)
    monkeypatch.setattr(compiled, "cpus", lambda: 2)
    _, ours = make_cell(kind, features, 60)
    rng = np.random.default_rng(1)
    x = rng.normal(size=(examples, timesteps, features)).astype(np.float32) / features**0.5
    mask = rng.random((examples, timesteps)) < 0.6 if masked else None
    initial = [rng.normal(size=(examples, 60)).astype(np.float32)] * STATES[kind]
    results = []
    for loop in (lambda: None, lambda: compiled):
        monkeypatch.setattr(loops, "_compiled", loop)
        results.append(run(ours, x, mask, reverse=reverse, initial=initial))
    (out_a, last_a), (out_b, last_b) = results
    for name in SIGNALS[kind]:
        np.testing.assert_allclose(out_a[name], out_b[name], atol=1e-5, err_msg=name)
    for a, b in zip(last_a, last_b, strict=True):
        np.testing.assert_allclose(a, b, atol=1e-5)


@pytest.mark.usefixtures("engine")
def test_only_the_asked_signals_are_written():
    _, ours = make_cell("LSTM", 3, 4)
    x = np.random.default_rng(1).normal(size=(2, 5, 3)).astype(np.float32)
    everything, last_a = run(ours, x)
    some, last_b = run(ours, x, names=("forget_gate",))
    np.testing.assert_allclose(some["forget_gate"], everything["forget_gate"], atol=1e-6)
    for a, b in zip(last_a, last_b, strict=True):
        np.testing.assert_allclose(a, b, atol=1e-6)


@pytest.mark.usefixtures("engine")
def test_nan_and_infinite_weights_pass_through_without_a_warning(recwarn):
    keras_cell, ours = make_cell("LSTM", 2, 3)
    kernel = keras_cell.kernel.numpy()
    kernel[:, 0] = np.nan
    kernel[:, 4] = np.inf
    keras_cell.kernel.assign(kernel)
    ours = read_cell("LSTM", keras_cell)
    out, _ = run(ours, np.ones((1, 3, 2), np.float32))
    assert np.isnan(out["input_gate"][0, 0, 0])
    assert not np.isnan(out["input_gate"][0, 0, 1:]).any()
    assert out["forget_gate"][0, 0, 1] == 1
    assert not [w for w in recwarn if issubclass(w.category, RuntimeWarning)]


def test_unknown_kind():
    with pytest.raises(ValueError, match=r"kind: expected one of LSTM, .* got 'x'"):
        step(Cell("x", None, None, None), np.zeros((1, 1)), [np.zeros((1, 1))])
