"""Cells of a user's own class: registered once, recorded like any other, held against the cell itself."""

import subprocess
import sys
import textwrap

import keras
import numpy as np
import pytest
import tensorflow as tf
import torch
from torch import nn

import lstm_widgets as lw

PEEPHOLE = (
    *("hidden_state", "cell_state", "input_gate", "forget_gate", "candidate", "output_gate"),
)
MINIMAL = ("hidden_state", "forget_gate", "candidate")


def sigmoid(z):
    return 1 / (1 + np.exp(-z))


# What is registered -------------------------------------------------------------------------------


def peephole_step(weights, x, state, signal):
    """Gers and Schmidhuber 2000: the gates see the cell state."""
    h, c = state
    z = x @ weights["kernel"] + h @ weights["recurrent"] + weights["bias"]
    zi, zf, zg, zo = np.split(z, 4, axis=1)
    pi, pf, po = weights["peephole"]
    i = signal("input_gate", sigmoid(zi + pi * c))
    f = signal("forget_gate", sigmoid(zf + pf * c))
    g = signal("candidate", np.tanh(zg))
    c = signal("cell_state", f * c + i * g)
    o = signal("output_gate", sigmoid(zo + po * c))
    signal("hidden_state", o * np.tanh(c))


def minimal_step(weights, x, state, signal):
    """Zhou et al. 2016: one gate forgets, and lets the new in."""
    (h,) = state
    f = signal("forget_gate", sigmoid(np.hstack([h, x]) @ weights["gate"] + weights["gate_bias"]))
    z = np.hstack([f * h, x]) @ weights["new"] + weights["new_bias"]
    g = signal("candidate", np.tanh(z))
    signal("hidden_state", (1 - f) * h + f * g)


class Peephole(nn.Module):
    def __init__(self, features, units):
        super().__init__()
        self.units = units
        self.kernel = nn.Parameter(torch.randn(features, 4 * units))
        self.recurrent = nn.Parameter(torch.randn(units, 4 * units))
        self.bias = nn.Parameter(torch.randn(4 * units))
        self.peephole = nn.Parameter(torch.randn(3, units))

    def forward(self, x, state=None):
        if state is None:
            state = (x.new_zeros(len(x), self.units),) * 2
        h, c = state
        i, f, g, o = (x @ self.kernel + h @ self.recurrent + self.bias).chunk(4, 1)
        i = torch.sigmoid(i + self.peephole[0] * c)
        f = torch.sigmoid(f + self.peephole[1] * c)
        c = f * c + i * torch.tanh(g)
        o = torch.sigmoid(o + self.peephole[2] * c)
        return o * torch.tanh(c), c


class Minimal(nn.Module):
    def __init__(self, features, units):
        super().__init__()
        self.width = units
        self.gate = nn.Linear(units + features, units)
        self.new = nn.Linear(units + features, units)

    def forward(self, x, h):
        f = torch.sigmoid(self.gate(torch.cat([h, x], 1)))
        h = (1 - f) * h + f * torch.tanh(self.new(torch.cat([f * h, x], 1)))
        return h, h


def minimal_weights(cell):
    return {
        "gate": cell.gate.weight.T,
        "gate_bias": cell.gate.bias,
        "new": cell.new.weight.T,
        "new_bias": cell.new.bias,
    }


@keras.saving.register_keras_serializable("test_register_cell")
class KerasPeephole(keras.layers.Layer):
    def __init__(self, units, **settings):
        super().__init__(**settings)
        self.units = units
        self.state_size = (units, units)

    def get_config(self):
        return super().get_config() | {"units": self.units}

    def build(self, shape):
        def add(name, *shape):
            return self.add_weight(name=name, shape=shape, initializer="random_normal")

        n = self.units
        self.kernel, self.recurrent = add("k", shape[-1], 4 * n), add("r", n, 4 * n)
        self.bias, self.peephole = add("b", 4 * n), add("p", 3, n)

    def call(self, x, states):
        h, c = states
        z = keras.ops.matmul(x, self.kernel) + keras.ops.matmul(h, self.recurrent) + self.bias
        i, f, g, o = keras.ops.split(z, 4, axis=1)
        i = keras.ops.sigmoid(i + self.peephole[0] * c)
        f = keras.ops.sigmoid(f + self.peephole[1] * c)
        c = f * c + i * keras.ops.tanh(g)
        h = keras.ops.sigmoid(o + self.peephole[2] * c) * keras.ops.tanh(c)
        return h, [h, c]


class KerasMinimal(keras.layers.Layer):
    def __init__(self, size, **settings):
        super().__init__(**settings)
        self.state_size = size
        dense = {"bias_initializer": "random_normal", "dtype": self.dtype_policy}
        self.gate, self.new = keras.layers.Dense(size, **dense), keras.layers.Dense(size, **dense)

    def build(self, shape):
        self.gate.build((None, self.state_size + shape[-1]))
        self.new.build((None, self.state_size + shape[-1]))

    def call(self, x, states, training=False):
        assert not training
        (h,) = states
        f = keras.ops.sigmoid(self.gate(keras.ops.concatenate([h, x], 1)))
        g = keras.ops.tanh(self.new(keras.ops.concatenate([f * h, x], 1)))
        h = (1 - f) * h + f * g
        return h, h


def keras_peephole_weights(cell):
    return {name: getattr(cell, name) for name in ("kernel", "recurrent", "bias", "peephole")}


def keras_minimal_weights(cell):
    return {
        "gate": cell.gate.kernel,
        "gate_bias": cell.gate.bias,
        "new": cell.new.kernel,
        "new_bias": cell.new.bias,
    }


def register_all():
    lw.register_cell(
        KerasPeephole, signals=PEEPHOLE, weights=keras_peephole_weights, step=peephole_step
    )
    lw.register_cell(
        KerasMinimal, signals=MINIMAL, weights=keras_minimal_weights, step=minimal_step
    )
    lw.register_cell(
        Peephole,
        signals=PEEPHOLE,
        weights=lambda cell: dict(cell.named_parameters()),
        step=peephole_step,
    )
    lw.register_cell(
        Minimal,
        signals=MINIMAL,
        weights=minimal_weights,
        step=minimal_step,
        units=lambda cell: cell.width,
    )


@pytest.fixture(autouse=True)
def registered():
    register_all()


class Stepped(nn.Module):
    """A model that steps its cell in a Python loop."""

    def __init__(self, cell, start=False):
        super().__init__()
        self.cell, self.start = cell, start

    def forward(self, x):
        state = h = None
        if self.start:
            state = x.new_zeros(len(x), self.cell.width)
        for t in range(x.shape[1]):
            given = (x[:, t],) if state is None else (x[:, t], state)
            made = self.cell(*given)
            h, state = (made[0], made) if isinstance(self.cell, Peephole) else made
        return h


def peephole(seed=0, dtype=torch.float64):
    torch.manual_seed(seed)
    return Stepped(Peephole(3, 5)).to(dtype)


def minimal(seed=0, dtype=torch.float64):
    torch.manual_seed(seed)
    return Stepped(Minimal(3, 5), start=True).to(dtype)


def sequences(*shape, seed=0):
    return np.random.default_rng(seed).normal(size=shape)


# What the test computes, in float64 ---------------------------------------------------------------


def sequence(step, weights, x, states, units):
    """Every signal over one sequence (timestep, features), by plain steps of one example."""
    state = [np.zeros(units) for _ in range(states)]
    steps = []
    for value in x:
        signals = step(weights, value, *state)
        state = list(signals.values())[:states]
        steps.append(signals)
    return {name: np.stack([one[name] for one in steps]) for name in steps[0]}


def peephole_plain(w, x, h, c):
    n = len(h)
    z = w["kernel"].T @ x + w["recurrent"].T @ h + w["bias"]
    i = sigmoid(z[:n] + w["peephole"][0] * c)
    f = sigmoid(z[n : 2 * n] + w["peephole"][1] * c)
    g = np.tanh(z[2 * n : 3 * n])
    c = f * c + i * g
    o = sigmoid(z[3 * n :] + w["peephole"][2] * c)
    return dict(zip(PEEPHOLE, (o * np.tanh(c), c, i, f, g, o), strict=True))


def minimal_plain(w, x, h):
    f = sigmoid(w["gate"].T @ np.concatenate([h, x]) + w["gate_bias"])
    g = np.tanh(w["new"].T @ np.concatenate([f * h, x]) + w["new_bias"])
    return dict(zip(MINIMAL, ((1 - f) * h + f * g, f, g), strict=True))


def weights_of(cell):
    given = minimal_weights(cell) if isinstance(cell, Minimal) else dict(cell.named_parameters())
    return {name: value.detach().double().numpy() for name, value in given.items()}


MODELS = {"peephole": (peephole, peephole_plain, 2), "minimal": (minimal, minimal_plain, 1)}


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
@pytest.mark.parametrize("name", MODELS)
def test_every_signal_is_that_of_plain_steps(name, dtype):
    make, plain, states = MODELS[name]
    model, x = make(dtype=dtype), sequences(4, 6, 3)
    found = lw.record(model, torch.tensor(x, dtype=dtype), check="full")["cell"]
    assert found.attrs["kind"] == type(model.cell).__name__
    for example in range(4):
        expected = sequence(plain, weights_of(model.cell), x[example], states, 5)
        assert list(found.data_vars) == list(expected)
        for signal, values in expected.items():
            assert found[signal].dims == ("example", "timestep", "cell")
            np.testing.assert_allclose(found[signal][example], values, rtol=0, atol=3e-6)


@pytest.mark.parametrize("name", MODELS)
def test_the_model_goes_on_with_what_was_recorded_and_is_left_as_it_was(name):
    model = MODELS[name][0]()
    x = torch.tensor(sequences(4, 6, 3))
    before = model(x)
    attributes = set(vars(model.cell))
    recording = lw.record(model, x)
    assert set(vars(model.cell)) == attributes
    assert torch.equal(model(x), before)
    last = recording["cell"]["hidden_state"][:, -1]
    np.testing.assert_allclose(last, before.detach(), rtol=0, atol=1e-6)
    np.testing.assert_allclose(recording.outputs[:, -1], before.detach(), rtol=0, atol=1e-6)


@pytest.mark.parametrize("half", [torch.float16, torch.bfloat16])
def test_half_precision_is_rounded_as_the_cell_rounds(half):
    model = peephole(dtype=half)
    recording = lw.record(model, torch.tensor(sequences(3, 5, 3)).to(half))
    assert recording["cell"]["cell_state"].dtype == np.float32


def test_a_wrong_order_of_gates_fails_the_self_check():
    def wrong(weights, x, state, signal):
        order = [1, 0, 2, 3]  # the forget gate first
        swapped = {
            name: np.concatenate([np.split(one, 4, axis=-1)[k] for k in order], axis=-1)
            for name, one in weights.items()
            if name != "peephole"
        }
        peephole_step(weights | swapped, x, state, signal)

    lw.register_cell(
        Peephole, signals=PEEPHOLE, weights=lambda cell: dict(cell.named_parameters()), step=wrong
    )
    with pytest.raises(lw.SelfCheckError, match="layer 'cell'"):
        lw.record(peephole(), torch.tensor(sequences(2, 4, 3)))
    register_all()  # what is said later takes the place of what was said before
    lw.record(peephole(), torch.tensor(sequences(2, 4, 3)))


@pytest.mark.parametrize("signal", PEEPHOLE)
def test_a_held_signal_is_what_all_after_it_follows_from(signal):
    model, x = peephole(), sequences(2, 5, 3)
    held = lw.Held([1, 3], value=[0.25, 0.75], signal=signal)
    found = lw.record(model, torch.tensor(x), held=held)["cell"]

    def plain(w, x, h, c):
        n, out = len(h), {}

        def kept(name, values):
            if name == signal:
                values = values.copy()
                values[[1, 3]] = 0.25, 0.75
            out[name] = values
            return values

        z = w["kernel"].T @ x + w["recurrent"].T @ h + w["bias"]
        i = kept("input_gate", sigmoid(z[:n] + w["peephole"][0] * c))
        f = kept("forget_gate", sigmoid(z[n : 2 * n] + w["peephole"][1] * c))
        g = kept("candidate", np.tanh(z[2 * n : 3 * n]))
        c = kept("cell_state", f * c + i * g)
        o = kept("output_gate", sigmoid(z[3 * n :] + w["peephole"][2] * c))
        kept("hidden_state", o * np.tanh(c))
        return {name: out[name] for name in PEEPHOLE}

    for example in range(2):
        expected = sequence(plain, weights_of(model.cell), x[example], 2, 5)
        for name, values in expected.items():
            np.testing.assert_allclose(found[name][example], values, rtol=0, atol=3e-6)


def test_ablation_compares_what_the_model_gives_with_cells_held():
    model, x = minimal(dtype=torch.float32), torch.tensor(sequences(4, 5, 3)).float()
    targets = model(x).detach().numpy()

    def loss(targets, outputs):
        return ((targets - outputs) ** 2).mean(axis=-1)

    found = lw.ablate(model, x, [0, 2], each=True, targets=targets, loss=loss).table
    np.testing.assert_allclose(found["loss"], 0, atol=1e-10)
    for row, cell in enumerate([0, 2]):
        held = lw.record(model, x, held=lw.Held(cell))["cell"]["hidden_state"][:, -1]
        expected = ((held - targets) ** 2).mean()
        np.testing.assert_allclose(found["loss_held"].iloc[row], expected, rtol=1e-4)


def test_a_recording_is_opened_and_shown_where_nothing_is_registered(tmp_path):
    recording = lw.record(peephole(), torch.tensor(sequences(2, 5, 3)))
    recording.save(tmp_path / "own")
    program = """
        import sys
        import lstm_widgets as lw
        recording = lw.open_recording(sys.argv[1])
        assert recording["cell"].attrs["kind"] == "Peephole"
        print(repr(recording))
        for widget in (lw.CellGrid, lw.GateInspector, lw.SeriesPlot):
            print(widget(recording))
        print(float(recording["cell"]["output_gate"][1, 2, 3]))
        assert "torch" not in sys.modules and "keras" not in sys.modules
    """
    done = subprocess.run(
        [sys.executable, "-c", textwrap.dedent(program), tmp_path / "own"],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert "Peephole" in done.stdout
    value = float(done.stdout.splitlines()[-1])
    assert value == float(recording["cell"]["output_gate"][1, 2, 3])


class LanguageModel(nn.Module):
    """It predicts the next token, and takes and returns its states, as word models do."""

    def __init__(self):
        super().__init__()
        self.embedding, self.cell = nn.Embedding(3, 3), Peephole(3, 5)
        self.out = nn.Linear(5, 3)

    def forward(self, ids, hidden=None):
        states = []
        for t in range(ids.shape[1]):
            hidden = self.cell(self.embedding(ids[:, t]), hidden)
            states.append(hidden[0])
        return self.out(torch.stack(states, 1)), hidden


def test_texts_are_read_whole_and_in_windows_and_written_on():
    torch.manual_seed(0)
    model, text = LanguageModel(), "abcabcaabbcc" * 2
    given = {"vocabulary": "abc"}
    ids = torch.tensor([["abc".index(one) for one in text]])
    whole = lw.record(model, ids)["cell"]["hidden_state"]
    read = lw.record(model, text, state="hidden", top_k=2, **given)
    np.testing.assert_allclose(read["cell"]["hidden_state"], whole, rtol=0, atol=1e-6)
    windows = lw.record(model, text, window=4, **given)["cell"]["hidden_state"]
    for timestep in range(3, len(text)):
        alone = lw.record(model, ids[:, timestep - 3 : timestep + 1])["cell"]["hidden_state"]
        np.testing.assert_allclose(windows[:, timestep], alone[:, -1], rtol=0, atol=1e-6)
    written = lw.generate(model, "abca", 5, window=4, output="0", temperature=0, **given)
    tokens = "abca"
    for _ in range(5):
        logits, _ = model(torch.tensor([["abc".index(one) for one in tokens[-4:]]]))
        tokens += "abc"[int(logits[0, -1].argmax())]
    assert written.text in (tokens, tokens[4:])


# Keras --------------------------------------------------------------------------------------------


KERAS = {
    "peephole": (KerasPeephole, keras_peephole_weights, peephole_plain, 2),
    "minimal": (KerasMinimal, keras_minimal_weights, minimal_plain, 1),
}


def keras_weights(name, cell):
    return {key: np.asarray(value, np.float64) for key, value in KERAS[name][1](cell).items()}


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("name", KERAS)
def test_keras_cells_in_a_layer_are_recorded_where_there_is_padding(name, dtype):
    kind, _, plain, states = KERAS[name]
    keras.utils.set_random_seed(0)
    model = keras.Sequential(
        [
            keras.Input((None, 3), dtype=dtype),
            keras.layers.Masking(0.0, dtype=dtype),
            keras.layers.RNN(kind(5, dtype=dtype), return_sequences=True, name="rnn", dtype=dtype),
            keras.layers.Dense(2, dtype=dtype),
        ]
    )
    x, lengths = sequences(4, 6, 3).astype(dtype), [6, 3, 5, 1]
    for example, length in enumerate(lengths):
        x[example, length:] = 0
    recording = lw.record(model, x, check="full")
    found = recording["rnn"]
    assert found.attrs["kind"] == kind.__name__
    for example, length in enumerate(lengths):
        np.testing.assert_array_equal(found["mask"][example], np.arange(6) < length)
        expected = sequence(
            plain, keras_weights(name, model.get_layer("rnn").cell), x[example, :length], states, 5
        )
        assert list(found.data_vars) == [*expected, "mask"]
        for signal, values in expected.items():
            np.testing.assert_allclose(found[signal][example, :length], values, rtol=0, atol=3e-6)


class KerasStepped(keras.Model):
    def __init__(self, cell):
        super().__init__()
        self.cell = cell

    def call(self, x):
        state = [keras.ops.zeros((x.shape[0], 5))] * (
            2 if isinstance(self.cell, KerasPeephole) else 1
        )
        for t in range(x.shape[1]):
            h, state = self.cell(x[:, t], state)
            state = state if isinstance(state, list) else [state]
        return h


@pytest.mark.parametrize("name", KERAS)
def test_keras_cells_that_a_model_steps_itself_are_recorded(name):
    kind, _, plain, states = KERAS[name]
    keras.utils.set_random_seed(0)
    model, x = KerasStepped(kind(5, name="cell")), sequences(2, 4, 3).astype("float32")
    recording = lw.record(model, x)
    found = recording["cell"]
    for example in range(2):
        expected = sequence(plain, keras_weights(name, model.cell), x[example], states, 5)
        for signal, values in expected.items():
            np.testing.assert_allclose(found[signal][example], values, rtol=0, atol=3e-6)
    np.testing.assert_allclose(found["hidden_state"][:, -1], model(x), rtol=0, atol=1e-6)


def keras_stack():
    keras.utils.set_random_seed(0)
    cells = [keras.layers.LSTMCell(4), KerasPeephole(5)]
    return keras.Sequential(
        [
            keras.Input((6, 3)),
            keras.layers.Bidirectional(
                keras.layers.RNN(KerasPeephole(2), return_sequences=True), name="both"
            ),
            keras.layers.RNN(cells, name="stack"),
            keras.layers.Dense(2),
        ]
    )


def test_keras_cells_stand_in_directions_and_stacks_like_any_other():
    model, x = keras_stack(), sequences(2, 6, 3).astype("float32")
    recording = lw.record(model, x)
    assert recording.layers == ("both/forward", "both/backward", "stack/cell_0", "stack/cell_1")
    assert recording["both"].sizes["cell"] == 4
    np.testing.assert_allclose(recording.outputs[:, -1], model(x), rtol=0, atol=1e-6)
    held = lw.record(model, x, held=lw.Held(1, 0.5, layer="both", signal="output_gate"))
    assert (held["both/forward"]["output_gate"][..., 1] == 0.5).all()
    assert not np.allclose(
        held["stack/cell_1"]["hidden_state"], recording["stack/cell_1"]["hidden_state"]
    )


def test_a_wrong_step_of_a_keras_cell_fails_the_self_check():
    def wrong(weights, x, state, signal):
        h, c = state
        peephole_step(weights, x, (h, np.roll(c, 1, axis=1)), signal)

    lw.register_cell(KerasPeephole, signals=PEEPHOLE, weights=keras_peephole_weights, step=wrong)
    with pytest.raises(lw.SelfCheckError, match="layer 'both/forward'"):
        lw.record(keras_stack(), sequences(2, 6, 3).astype("float32"))


def test_gradients_go_through_keras_cells_and_lrp_is_refused_by_name():
    model, x = keras_stack(), sequences(2, 6, 3).astype("float32")
    found = lw.relevance(model, x, methods="gradient_x_input", target=1)["relevance"]
    given = tf.constant(x)
    with tf.GradientTape() as tape:
        tape.watch(given)
        score = model(given)[:, 1]
    expected = tape.gradient(score, given) * x
    np.testing.assert_allclose(
        found.sel({"method": "gradient_x_input"}), expected, rtol=1e-4, atol=1e-7
    )
    with pytest.raises(
        lw.UnsupportedLayerError, match=r"both/forward.* of the class KerasPeephole"
    ):
        lw.relevance(model, x, methods="lrp")


class KerasUnknown(keras.layers.Layer):
    state_size = 5

    def call(self, x, states):
        return states[0] + keras.ops.sum(x), states


def test_refusals_of_keras_cells_that_are_not_known_tell_the_way_out():
    model = keras.Sequential([keras.Input((4, 3)), keras.layers.RNN(KerasUnknown())])
    with pytest.raises(
        lw.UnsupportedLayerError, match=r"KerasUnknown .lstm_widgets\.register_cell"
    ):
        lw.record(model, sequences(2, 4, 3).astype("float32"))


# Cells of many shapes -----------------------------------------------------------------------------


class ThreeStates(nn.Module):
    """States of any name, in any order, handed over one by one; a threshold that isn't a weight."""

    def __init__(self, units):
        super().__init__()
        self.hidden_size = units
        self.mix = nn.Linear(2 * units, units)

    def forward(self, x, trace, h, *, count):
        trace = 0.5 * trace + x
        h = torch.tanh(self.mix(torch.cat([trace, h], 1)))
        count = count + (h > 0.25).to(h.dtype)
        return {"trace": trace, "h": h, "count": count}


def three_step(weights, x, state, signal):
    trace, h, count = state
    trace = signal("trace_state", 0.5 * trace + x)
    h = signal("hidden_state", np.tanh(np.hstack([trace, h]) @ weights["w"].T + weights["b"]))
    above = signal("above", h > weights["threshold"])
    signal("count_state", count + above)


class SteppedThree(nn.Module):
    def __init__(self):
        super().__init__()
        self.cell = ThreeStates(3)

    def forward(self, x):
        state = {name: x.new_zeros(len(x), 3) for name in ("trace", "h", "count")}
        for t in range(x.shape[1]):
            state = self.cell(x[:, t], state["trace"], state["h"], count=state["count"])
        return state["count"]


def test_states_may_have_any_names_and_stand_in_any_order(tmp_path):
    lw.register_cell(
        ThreeStates,
        signals=("above", "trace_state", "hidden_state", "count_state"),
        weights=lambda cell: {"w": cell.mix.weight, "b": cell.mix.bias, "threshold": 0.25},
        step=three_step,
    )
    torch.manual_seed(0)
    model, x = SteppedThree(), torch.tensor(sequences(2, 7, 3)).float()
    recording = lw.record(model, x)
    found = recording["cell"]
    assert list(found.data_vars) == ["trace_state", "hidden_state", "count_state", "above"]
    np.testing.assert_allclose(found["count_state"][:, -1], model(x).detach())
    np.testing.assert_array_equal(found["above"].cumsum("timestep"), found["count_state"])
    assert (found["initial_trace_state"] == 0).all()
    recording.save(tmp_path / "three")
    assert lw.open_recording(tmp_path / "three")["cell"].identical(found)


def test_cells_in_a_class_of_the_users_own_are_recorded_by_their_place_in_it():
    model = nn.Sequential(nn.Linear(3, 3), Stepped(Peephole(3, 5)), nn.Linear(5, 2))
    recording = lw.record(model, torch.randn(2, 4, 3))
    assert recording.layers == ("1.cell",)


# What can't be ------------------------------------------------------------------------------------


def register(cls=Peephole, **changed):
    said = {"signals": PEEPHOLE, "weights": lambda cell: dict(cell.named_parameters())}
    lw.register_cell(cls, **{**said, "step": peephole_step, **changed})


@pytest.mark.parametrize(
    ("said", "error", "match"),
    [
        ({"cls": Peephole(2, 2)}, TypeError, "cell_class: expected a class"),
        ({"cls": dict}, TypeError, "cell_class: .* with forward or call, got dict"),
        ({"cls": nn.LSTMCell}, ValueError, "cell_class: .* of your own, got torch"),
        ({"signals": "hidden_state"}, TypeError, "signals: expected several names"),
        ({"signals": ("cell_state", "input_gate")}, ValueError, "signals: expected 'hidden_state'"),
        ({"signals": ("hidden_state", "hidden_state")}, ValueError, "signals: .* once"),
        (
            {"signals": ("hidden_state", "a gate")},
            ValueError,
            "signals: .* identifiers .* 'a gate'",
        ),
        ({"signals": ("hidden_state", "token")}, ValueError, "signals: .* got 'token'"),
        ({"signals": ("hidden_state", "initial_state")}, ValueError, "got 'initial_state'"),
        ({"weights": {"kernel": 1}}, TypeError, r"weights: expected a function of \(cell\)"),
        ({"step": lambda _x, _state: None}, TypeError, r"step: .*\(weights, x, state, signal\)"),
        ({"units": 5}, TypeError, r"units: expected a function of \(cell\), got 5"),
    ],
)
def test_what_is_said_of_a_class_has_to_fit(said, error, match):
    with pytest.raises(error, match=match):
        register(**said)


def one_signal(name, values):
    def step(weights, x, state, signal):
        signal(name, values(x, state))
        peephole_step(weights, x, state, signal)

    return step


@pytest.mark.parametrize(
    ("said", "error", "match"),
    [
        (
            {"step": lambda _w, _x, _s, _signal: None},
            ValueError,
            "every signal .* 'hidden_state', 'cell",
        ),
        ({"step": one_signal("other", lambda _, s: s[0])}, ValueError, "got 'other'"),
        (
            {"step": one_signal("candidate", lambda _, s: s[0])},
            ValueError,
            "'candidate' again",
        ),
        (
            {"step": one_signal("candidate", lambda x, _: x)},
            ValueError,
            r"'candidate' .* numbers \(2, 5\).* got float64 \(2, 3\)",
        ),
        (
            {"weights": lambda _: {}},
            TypeError,
            "weights= to give a dict .* Peephole .* got none",
        ),
        ({"weights": lambda _: None}, TypeError, "weights= to give a dict .* got none"),
        ({"weights": lambda _: {"w": "no"}}, TypeError, "numbers for the weights 'w'"),
        ({"units": lambda _: 0}, ValueError, "positive whole number of cells of a Peephole"),
    ],
)
def test_what_a_step_tells_has_to_fit(said, error, match):
    register(**said)
    with pytest.raises(error, match=match):
        lw.record(peephole(), torch.tensor(sequences(2, 4, 3)))


def test_weights_are_not_changed_in_a_step():
    def step(weights, x, state, signal):
        weights["bias"] += 1
        peephole_step(weights, x, state, signal)

    register(step=step)
    with pytest.raises(ValueError, match="read-only") as raised:
        lw.record(peephole(), torch.tensor(sequences(2, 4, 3)))
    assert any("register_cell was given for Peephole" in note for note in raised.value.__notes__)


class NoSize(Minimal):
    def __init__(self):
        super().__init__(3, 5)


def test_the_number_of_cells_is_told_where_no_attribute_tells():
    lw.register_cell(Minimal, signals=MINIMAL, weights=minimal_weights, step=minimal_step)
    with pytest.raises(
        ValueError, match=r"no whole number hidden_size, units or state_size.* units="
    ):
        lw.record(minimal(), torch.tensor(sequences(2, 4, 3)))


class OverTime(nn.Module):
    def __init__(self, layer):
        super().__init__()
        self.layer = layer

    def forward(self, x):
        return self.layer(x)


class LayerRNN(Peephole):
    def forward(self, x):
        state = None
        for t in range(x.shape[1]):
            state = super().forward(x[:, t], state)
        return state[0]


def test_a_class_of_layers_over_time_is_refused_and_the_way_out_told():
    register(LayerRNN)
    with pytest.raises(ValueError, match=r"'layer', .* LayerRNN.* one timestep .* of the cell"):
        lw.record(OverTime(LayerRNN(3, 5)), torch.randn(2, 4, 3))


class UnknownLSTM(nn.Module):
    def __init__(self):
        super().__init__()
        self.weight = nn.Parameter(torch.ones(3))

    def forward(self, x):
        return x * self.weight


def test_refusals_of_classes_that_are_not_known_tell_the_way_out():
    with pytest.raises(
        lw.UnsupportedLayerError, match=r"UnknownLSTM.* .lstm_widgets\.register_cell"
    ):
        lw.record(OverTime(UnknownLSTM()), torch.randn(2, 4, 3))
    with pytest.raises(ValueError, match=r"at least one recurrent .* lstm_widgets\.register_cell"):
        lw.record(nn.Linear(3, 2), torch.randn(2, 4, 3))


class LearnedStart(Peephole):
    def forward(self, x, state=None):
        if state is None:
            state = (x.new_ones(len(x), self.units),) * 2
        return super().forward(x, state)


def test_cells_that_start_from_what_cannot_be_seen_are_refused():
    register(LearnedStart)
    with pytest.raises(ValueError, match="others than zeros"):
        lw.record(Stepped(LearnedStart(3, 5)), torch.randn(2, 4, 3))


def test_a_subclass_with_steps_of_its_own_is_not_taken_for_the_class():
    class Doubled(Peephole):
        def forward(self, x, state=None):
            h, c = super().forward(x, state)
            return 2 * h, c

    with pytest.raises(lw.UnsupportedLayerError, match=r"Doubled, .* than Peephole.* register it"):
        lw.record(Stepped(Doubled(3, 5)), torch.randn(2, 4, 3))


# The way back -------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["peephole", "minimal"])
def test_relevance_goes_back_through_the_functions_that_they_compute_by(name):
    model, x = {"peephole": peephole, "minimal": minimal}[name](), sequences(2, 4, 3)
    found = lw.relevance(model, x, methods=("lrp", "gradient_x_input"), target=1, bias_factor=0)
    given = torch.tensor(x, requires_grad=True)
    (slope,) = torch.autograd.grad(model(given)[:, 1].sum(), given)
    np.testing.assert_allclose(
        found["relevance"].loc["gradient_x_input"], x * slope.numpy(), atol=1e-12
    )
    assert np.isfinite(found["relevance"].loc["lrp"]).all()
    assert np.abs(found["relevance"].loc["lrp"]).max() > 1e-3


def test_the_state_of_such_a_cell_is_not_explained():
    with pytest.raises(lw.UnsupportedLayerError, match=r"'cell' cannot .* class Minimal"):
        lw.relevance(minimal(), sequences(2, 4, 3), layer="cell", cell=1)


def test_all_of_a_score_is_handed_back_through_a_peephole_lstm():
    x = sequences(2, 4, 3)
    found = lw.relevance(peephole(), x, methods="lrp", target=1, bias_factor=1, epsilon=1e-9)
    lrp = found.sel({"method": "lrp"})
    total = lrp["relevance"].sum(["timestep", "channel"]) + lrp["elsewhere"]
    np.testing.assert_allclose(total, lrp["score"], rtol=1e-5)


@pytest.mark.parametrize("name", MODELS)
def test_how_far_back_a_model_with_them_looks(name):
    model, x = MODELS[name][0](), sequences(2, 5, 3)
    given = torch.tensor(x, requires_grad=True)
    (slope,) = torch.autograd.grad(model(given)[:, 2].sum(), given)
    found = lw.dependency(model, x, target=2)[:, 0].to_numpy()
    np.testing.assert_allclose(found[:, ::-1], np.abs(slope.numpy()), rtol=1e-5, atol=1e-7)
