"""Fixed points: closed forms, networks made by hand, and the frameworks' own steps."""

import keras
import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from keras import layers as L
from stepping import step as stepped

import lstm_widgets as lw
from lstm_widgets.analysis import slowest_states
from lstm_widgets.datasets import flip_flop
from lstm_widgets.errors import LayerNotFoundError, SelfCheckError, UnsupportedLayerError
from lstm_widgets.running import constant


def simple_rnn(kernel, recurrent, bias, activation="tanh", dtype="float64"):
    """A Keras model of one SimpleRNN layer, whose weights are those."""
    kernel, recurrent, bias = (np.array(w, np.float64) for w in (kernel, recurrent, bias))
    model = keras.Sequential(
        [
            keras.Input((None, len(kernel)), dtype=dtype),
            L.SimpleRNN(len(bias), activation=activation, return_sequences=True, dtype=dtype),
        ]
    )
    model.set_weights([kernel, recurrent, bias])
    return model


def grid(cells, count=7, reach=1.0):
    axes = [np.linspace(-reach, reach, count)] * cells
    return np.stack(np.meshgrid(*axes), axis=-1).reshape(-1, cells)


def nearest(points, states):
    """Tell how far each of some states is from the nearest point."""
    apart = points["state"].values[:, None] - np.asarray(states, np.float64)
    return np.abs(apart).max(axis=2).min(axis=0)


# Known answers --------------------------------------------------------------------------------------


@settings(max_examples=15)
@given(cells=st.integers(1, 5), channels=st.integers(1, 3), seed=st.integers(0, 2**32 - 1))
def test_a_linear_network_has_one_where_algebra_says(cells, channels, seed):
    rng = np.random.default_rng(seed)
    kernel, bias = rng.normal(size=(channels, cells)), rng.normal(size=cells)
    recurrent = rng.normal(size=(cells, cells))
    u = rng.normal(size=channels)
    model = simple_rnn(kernel, recurrent, bias, "linear")
    starts = 3 * rng.normal(size=(9, cells))
    points = lw.fixed_points(model, inputs=u, starts=starts)
    expected = np.linalg.solve(np.eye(cells) - recurrent.T, u @ kernel + bias)
    scale = max(1, np.abs(expected).max())
    assert points.sizes["point"] == 1
    np.testing.assert_allclose(points["state"].values[0] / scale, expected / scale, atol=1e-7)
    eigenvalues = np.linalg.eigvals(recurrent)
    found = points["eigenvalue"].values[0]
    np.testing.assert_allclose(np.sort_complex(found), np.sort_complex(eigenvalues), atol=1e-9)
    sizes = np.abs(found)
    assert (np.diff(sizes) <= 1e-9).all()
    assert bool(points["stable"][0]) == (np.abs(eigenvalues).max() < 1)
    np.testing.assert_allclose(points["time_constant"].values[0], -1 / np.log(sizes))
    assert points["count"].values.tolist() == [9]
    np.testing.assert_allclose(points["readout"].values[0] / scale, expected / scale, atol=1e-7)


def test_two_cells_that_remember_two_bits():
    model = simple_rnn(np.zeros((1, 2)), 2 * np.eye(2), np.zeros(2))
    points = lw.fixed_points(model, inputs=[0.0], starts=grid(2))
    high = 0.9575040240772687  # x = tanh(2 x)
    assert points.sizes["point"] == 9
    expected = [(a, b) for a in (-high, 0, high) for b in (-high, 0, high)]
    np.testing.assert_allclose(nearest(points, expected), 0, atol=1e-9)
    corners = (np.abs(points["state"].values) > 0.5).all(axis=1)
    assert points["stable"].values.tolist() == corners.tolist() == [True] * 4 + [False] * 5
    assert points["fixed"].values.all()
    assert not points["outlier"].values.any()
    # A saddle is left along the cell that is undecided; all starts have come to some point.
    directions = points["unstable_direction"].values
    saddles = ~corners & (np.abs(points["state"].values) > 0.5).any(axis=1)
    undecided = np.abs(points["state"].values) < 0.5
    np.testing.assert_allclose(np.abs(directions[saddles]), undecided[saddles], atol=1e-9)
    assert np.isnan(directions[corners]).all()
    assert int(points["count"].sum()) + points.attrs["given_up"] == 49


def test_two_cells_of_which_one_wins():
    model = simple_rnn(np.ones((1, 2)), [[1.5, -1.5], [-1.5, 1.5]], np.zeros(2))
    points = lw.fixed_points(model, inputs=[0.0], starts=grid(2))
    states, stable = points["state"].values, points["stable"].values
    assert stable.tolist() == [True, True, False]
    np.testing.assert_allclose(states[0, 0], np.tanh(3 * states[0, 0]), atol=1e-9)
    np.testing.assert_allclose(states[0].sum(), 0, atol=1e-9)
    np.testing.assert_allclose(states[1], -states[0], atol=1e-9)
    np.testing.assert_allclose(states[2], 0, atol=1e-9)
    np.testing.assert_allclose(points["eigenvalue"].values[2], [3, 0], atol=1e-9)
    half = np.sqrt(0.5)
    np.testing.assert_allclose(
        np.abs(points["unstable_direction"].values[2]), [half, half], atol=1e-9
    )


def test_a_rotation_has_a_pair_of_eigenvalues():
    turn = 0.8 * np.array([[np.cos(1), np.sin(1)], [-np.sin(1), np.cos(1)]])
    points = lw.fixed_points(
        simple_rnn(np.zeros((1, 2)), turn, np.zeros(2), "linear"), inputs=[1.0], starts=grid(2, 3)
    )
    expected = 0.8 * np.exp([1j, -1j])
    np.testing.assert_allclose(points["eigenvalue"].values[0], expected, atol=1e-12)


def test_a_line_of_fixed_points_is_told_as_one():
    """What is added up is kept: a continuum of states, along which nothing pulls."""
    line, across = np.array([0.6, 0.8]), np.array([0.8, -0.6])
    recurrent = np.outer(line, line) + 0.5 * np.outer(across, across)
    model = simple_rnn(np.zeros((1, 2)), recurrent, np.zeros(2), "linear")
    starts = np.random.default_rng(0).normal(size=(40, 2))
    points = lw.fixed_points(model, inputs=[0.0], starts=starts, unique=1e-6)
    assert points["fixed"].values.all()
    assert points.sizes["point"] == 40  # each start comes to its own
    np.testing.assert_allclose(points["state"].values @ across, 0, atol=1e-9)
    assert np.ptp(points["state"].values @ line) > 2
    assert (np.abs(points["time_constant"].values[:, 0]) > 1e6).all()
    np.testing.assert_allclose(points["time_constant"].values[:, 1], 1 / np.log(2))


def test_a_line_that_drifts_is_slow_and_not_fixed():
    """A drift along the line leaves no fixed point: the speed has a minimum there, which isn't 0."""
    model = simple_rnn(np.zeros((1, 2)), [[1.0, 0.0], [0.0, 0.5]], [1e-4, 0.0], "linear")
    points = lw.fixed_points(model, inputs=[0.0], starts=grid(2, 3))
    assert not points["fixed"].values.any()
    np.testing.assert_allclose(points["speed"], 1e-4, rtol=1e-6)
    np.testing.assert_allclose(points["state"].values[:, 1], 0, atol=1e-9)


def test_where_two_points_have_met_and_vanished_it_is_slow():
    """Just beyond a fold, x = tanh(2 x + b) has lost a pair of points; q keeps a minimum there."""
    fold = np.arccosh(np.sqrt(2)) - 2 * np.tanh(np.arccosh(np.sqrt(2)))
    model = simple_rnn([[1.0]], [[2.0]], [0.0])
    ghost = lw.fixed_points(model, inputs=[-fold + 0.01], starts=grid(1, 21))
    assert ghost["fixed"].values.tolist() == [True, False]
    assert ghost["stable"].values.tolist()[0]
    np.testing.assert_allclose(
        ghost["state"].values[1], -np.tanh(np.arccosh(np.sqrt(2))), atol=0.01
    )
    assert 0 < float(ghost["speed"][1]) < 0.01
    before = lw.fixed_points(model, inputs=[-fold - 0.01], starts=grid(1, 21))
    assert before["stable"].values.tolist() == [True, True, False]


@pytest.mark.parametrize("kind", ["LSTM", "GRU", "SimpleRNN"])
def test_they_stay_where_they_are_in_float64(kind):
    """By equations that stand in the tests, from states that the network runs through."""
    keras.utils.set_random_seed(3)
    model = keras.Sequential(
        [
            keras.Input((None, 2)),
            getattr(L, kind)(7, return_sequences=True, name="r", recurrent_initializer="normal"),
            L.Dense(3, activation="softmax"),
        ]
    )
    rng = np.random.default_rng(1)
    model.set_weights([rng.normal(size=w.shape) for w in model.get_weights()])
    recording = lw.record(model, rng.normal(size=(4, 60, 2)).astype("float32"))
    u = np.array([0.5, -0.25])
    points = lw.fixed_points(model, inputs=u, starts=recording, limit=150)
    assert 140 < points.attrs["starts"] <= 150
    states = points["state"].values
    names = points["signal"].values
    parts = [states[:, names == name] for name in dict.fromkeys(names)]
    after = np.hstack(
        stepped(kind, model.layers[0].get_weights(), np.tile(u, (len(states), 1)), parts)
    )
    speed = np.linalg.norm(after - states, axis=1)
    np.testing.assert_allclose(points["speed"], speed, atol=1e-12)
    fixed = points["fixed"].values
    assert fixed.any()
    assert (speed[fixed] <= np.sqrt(2e-20) * 1.0001).all()
    # What the rest of the model says of these hidden states.
    kernel, bias = model.layers[1].get_weights()
    logits = parts[0] @ kernel + bias
    said = np.exp(logits) / np.exp(logits).sum(axis=1, keepdims=True)
    np.testing.assert_allclose(points["readout"], said, atol=1e-5)
    assert points["readout"].dims == ("point", "class")
    assert points.attrs["readout"] == "softmax"


@pytest.mark.parametrize("kind", ["lstm", "gru", "simplernn"])
def test_three_bits_are_the_corners_of_a_cube(kind, root):
    """Of the shipped weights: a saddle on each edge and each face, and one in the middle."""
    model = keras.models.load_model(root / "notebooks" / "models" / f"flip_flop_{kind}.keras")
    pulses = flip_flop.generate(32, timesteps=100, seed=5).pulses
    points = lw.fixed_points(model, inputs=np.zeros(3), starts=lw.record(model, pulses))
    assert points["fixed"].values.all()
    assert points["stable"].values.tolist() == [True] * 8 + [False] * 19
    undecided = (np.abs(points["eigenvalue"]) > 1).sum("state").values
    assert np.bincount(undecided).tolist() == [8, 12, 6, 1]
    # The model says one of the eight triples of bits at each corner, each once.
    corners = points["readout"].values[:8]
    np.testing.assert_allclose(np.abs(corners), 1, atol=0.1)
    assert len({tuple(row) for row in np.sign(corners).tolist()}) == 8
    # And as many bits as a point is unstable along directions are between two values.
    said = points["readout"].values
    assert ((np.abs(said) < 0.75).sum(axis=1) == undecided).all()
    assert not points["outlier"].values.any()


# PyTorch --------------------------------------------------------------------------------------------


class Module(torch.nn.Module):
    def __init__(self, recurrent, size, *, batch_first=True):
        super().__init__()
        self.recurrent, self.head = recurrent, torch.nn.Linear(size, 3)
        self.batch_first = batch_first

    def forward(self, x):
        return self.head(self.recurrent(x)[0])


class Stepping(torch.nn.Module):
    def __init__(self):
        super().__init__()
        self.cell, self.head = torch.nn.GRUCell(2, 5), torch.nn.Linear(5, 3)

    def forward(self, x):
        h, said = torch.zeros(len(x), 5), []
        for t in range(x.shape[1]):
            h = self.cell(x[:, t], h)
            said.append(self.head(h))
        return torch.stack(said, dim=1)


@pytest.mark.parametrize(
    "make",
    [
        lambda: Module(torch.nn.LSTM(2, 5, batch_first=True), 5),
        lambda: Module(torch.nn.GRU(2, 5), 5, batch_first=False),
        lambda: Module(torch.nn.RNN(2, 5, nonlinearity="relu", batch_first=True), 5),
        lambda: Module(torch.nn.LSTM(2, 5, proj_size=3, batch_first=True), 3),
    ],
    ids=["LSTM", "GRU", "RNN", "projected"],
)
def test_a_module_stays_where_it_is(make):
    torch.manual_seed(1)
    module = make()
    shape = (4, 30, 2) if module.batch_first else (30, 4, 2)
    recording = lw.record(module, torch.randn(shape))
    u = torch.tensor([0.5, -1.0])
    points = lw.fixed_points(module, inputs=u.numpy(), starts=recording, limit=40)
    assert points["fixed"].values.all()
    for k in range(points.sizes["point"]):
        point = points.isel(point=k)
        states = [
            torch.tensor(
                point["state"].values[(point["signal"] == name).values], dtype=torch.float32
            )
            for name in dict.fromkeys(point["signal"].values)
        ]
        start = tuple(s[None, None] for s in states)
        _, ended = module.recurrent(u[None, None], start if len(start) > 1 else start[0])
        ended = ended if isinstance(ended, tuple) else (ended,)
        for before, after in zip(states, ended, strict=True):
            torch.testing.assert_close(after[0, 0], before, atol=1e-5, rtol=1e-5)
        said = torch.tensor(point["readout"].values, dtype=torch.float32)
        torch.testing.assert_close(module.head(states[0]), said, atol=1e-5, rtol=1e-5)


def test_a_cell_that_the_module_steps_itself():
    torch.manual_seed(0)
    module = Stepping()
    recording = lw.record(module, torch.randn(4, 9, 2))
    points = lw.fixed_points(module, inputs=[0.5, -1.0], starts=recording)
    state = torch.tensor(points["state"].values, dtype=torch.float32)
    u = torch.tensor([0.5, -1.0]).expand(len(state), 2)
    torch.testing.assert_close(module.cell(u, state), state, atol=1e-5, rtol=1e-5)
    said = torch.tensor(points["readout"].values, dtype=torch.float32)
    torch.testing.assert_close(module.head(state), said, atol=1e-5, rtol=1e-5)


def test_a_cell_of_ones_own_by_differences():
    class Leaky(torch.nn.Module):
        def __init__(self):
            super().__init__()
            self.hidden_size = 2
            self.recurrent = torch.nn.Parameter(torch.tensor([[2.0, 0.0], [0.0, 2.0]]))

        def forward(self, x, h):
            return 0.5 * h + 0.5 * torch.tanh(h @ self.recurrent + x)

    def step(weights, x, state, signal):
        (h,) = state
        signal("hidden_state", 0.5 * h + 0.5 * np.tanh(h @ weights["recurrent"] + x))

    class Model(torch.nn.Module):
        def __init__(self):
            super().__init__()
            self.cell = Leaky()

        def forward(self, x):
            h = torch.zeros(len(x), 2)
            for t in range(x.shape[1]):
                h = self.cell(x[:, t], h)
            return h

    lw.register_cell(
        Leaky,
        signals=("hidden_state",),
        weights=lambda cell: dict(cell.named_parameters()),
        step=step,
    )
    points = lw.fixed_points(Model(), inputs=[0.0, 0.0], starts=grid(2))
    assert points.attrs["jacobian"] == "central differences"
    assert points.sizes["point"] == 9
    assert points["stable"].values.sum() == 4
    at_zero = np.abs(points["state"].values).max(axis=1) < 0.1
    # 0.5 + 0.5 · 2
    np.testing.assert_allclose(points["eigenvalue"].values[at_zero], 1.5, atol=1e-6)


# What the layer receives, and what is said ------------------------------------------------------------


def language_model(sequences=True):
    keras.utils.set_random_seed(5)
    return keras.Sequential(
        [
            keras.Input((None,)),
            L.Embedding(5, 3),
            L.LSTM(6, return_sequences=True, name="below"),
            L.GRU(4, return_sequences=sequences, name="above"),
            L.Dense(5, activation="softmax"),
        ]
    )


def test_a_token_is_what_the_layer_receives_of_it():
    model = language_model()
    embedding = model.layers[0].get_weights()[0]
    starts = np.zeros((3, 12))
    with pytest.warns(
        UserWarning, match="no readout of layer 'below': .* recurrent layers.*'above'"
    ):
        points = lw.fixed_points(model, "below", inputs="c", vocabulary="abcde", starts=starts)
    np.testing.assert_allclose(points.attrs["layer_inputs"], embedding[2], atol=1e-7)
    assert "readout" not in points
    assert points.attrs["readout"].startswith("left out: ")
    with pytest.warns(UserWarning, match="no readout"):
        same = lw.fixed_points(model, "below", inputs=2, starts=starts)
    np.testing.assert_array_equal(points["state"], same["state"])
    for wrong, told in (
        ("z", "expected one token of the vocabulary, got 'z'"),
        (5, "expected a whole number from 0 to 4, got 5"),
        (-1, "expected a whole number from 0 to 4, got -1"),
    ):
        with pytest.raises(ValueError, match=f"inputs: {told}"):
            lw.fixed_points(model, "below", inputs=wrong, vocabulary="abcde", starts=starts)
    with pytest.raises(ValueError, match="vocabulary: expected one, to read the token 'c'"):
        lw.fixed_points(model, "below", inputs="c", starts=starts)


@pytest.mark.filterwarnings("ignore:no readout")
def test_ids_of_a_vocabulary_may_begin_later_and_what_is_unknown_has_one():
    model = language_model()
    embedding = model.layers[0].get_weights()[0]
    symbols = {"a": 1, "b": 2, "?": 4}

    def received(constant, **options):
        points = lw.fixed_points(
            *(model, "below"), inputs=constant, starts=np.zeros((1, 12)), **options
        )
        return points.attrs["layer_inputs"]

    for token, number in (("b", 2), (2, 2), (0, 0), (3, 3), ("?", 4)):
        found = received(token, vocabulary=symbols)
        np.testing.assert_allclose(found, embedding[number], atol=1e-7)
    found = received("z", vocabulary=symbols, unknown="?")
    np.testing.assert_allclose(found, embedding[4], atol=1e-7)
    for empty in ("", "ab"):
        with pytest.raises(ValueError, match=r"inputs: expected one token .* got '.*unknown= sets"):
            received(empty, vocabulary=symbols)
    lookup = L.TextVectorization(vocabulary=["the", "cat"])
    for token, number in (("cat", 3), ("Cat!", 3), (3, 3), ("dog", 1), (1, 1), (0, 0)):
        found = received(token, vocabulary=lookup)
        np.testing.assert_allclose(found, embedding[number], atol=1e-7)
    for wrong in ("", "the cat"):
        with pytest.raises(ValueError, match="inputs: expected one token of the vocabulary, got"):
            received(wrong, vocabulary=lookup)


def test_several_constants_are_several_calls():
    model, starts = language_model(), np.zeros((1, 4))
    each = ": give one at a time"
    with pytest.raises(ValueError, match=rf"layer_inputs: .* got shape \(3, 6\), .* 3 .*{each}"):
        lw.fixed_points(model, "above", layer_inputs=np.zeros((3, 6)), starts=starts)
    with pytest.raises(TypeError, match="layer_inputs: expected numbers, got 'abc'"):
        lw.fixed_points(model, "above", layer_inputs="abc", starts=starts)
    with pytest.raises(ValueError, match="layer_inputs: expected finite numbers, got NaN"):
        lw.fixed_points(model, "above", layer_inputs=[np.nan] * 6, starts=starts)
    with pytest.raises(
        TypeError, match=rf"inputs: .* got \['a', 'b'\], which is 2 constants{each}"
    ):
        lw.fixed_points(model, "below", inputs=["a", "b"], vocabulary="abcde", starts=starts)
    series = simple_rnn(np.zeros((2, 1)), [[2.0]], [0.0])
    with pytest.raises(ValueError, match=rf"inputs: .* shape \(3, 2\), which is 3 .*{each}"):
        lw.fixed_points(series, inputs=np.zeros((3, 2)), starts=[[0.0]])
    with pytest.raises(TypeError, match=r"inputs: expected finite numbers, .* got \[0.0, "):
        lw.fixed_points(series, inputs=[0.0, [1.0, 2.0]], starts=[[0.0]])


def test_the_step_is_checked_against_the_layer_s_own(monkeypatch):
    keras.utils.set_random_seed(0)
    model = keras.Sequential([keras.Input((None, 1)), L.GRU(3, return_sequences=True)])
    starts = np.random.default_rng(0).normal(size=(40, 3))
    options = {"inputs": [1.0], "starts": starts}
    plain = lw.fixed_points(model, **options)
    checked = lw.fixed_points(model, **options, check="full")
    np.testing.assert_array_equal(plain["state"], checked["state"])
    monkeypatch.setitem(constant.TOLERANCES, "float32", 1e-12)
    with pytest.raises(SelfCheckError, match=r"one step from the starts .*; check=False goes on"):
        lw.fixed_points(model, **options)
    unchecked = lw.fixed_points(model, **options, check=False)
    np.testing.assert_array_equal(plain["state"], unchecked["state"])
    with pytest.raises(ValueError, match="check: expected 'prefix', 'full' or False, got True"):
        lw.fixed_points(model, **options, check=True)


@pytest.mark.parametrize("sequences", [True, False])
def test_a_layer_above_another_is_told_what_it_receives(sequences):
    model = language_model(sequences)
    with pytest.raises(
        ValueError, match=r"depends on the state of 'below'; expected layer_inputs="
    ):
        lw.fixed_points(model, "above", inputs=2, starts=np.zeros((1, 4)))
    received = np.linspace(-0.2, 0.3, 6)
    points = lw.fixed_points(
        model, "above", layer_inputs=received, starts=np.zeros((1, 4)), vocabulary="abcde"
    )
    np.testing.assert_allclose(points.attrs["layer_inputs"], received)
    state = points["state"].values
    above, head = model.get_layer("above"), model.layers[-1]
    after = stepped("GRU", above.get_weights(), received[None], [state])[0]
    np.testing.assert_allclose(after, state, atol=1e-9)
    said = head(state.astype("float32"))
    np.testing.assert_allclose(points["readout"], said, atol=1e-6)
    assert points["class"].values.tolist() == list("abcde")
    with pytest.raises(
        ValueError, match=r"layer_inputs: expected the 6 numbers .* got shape \(3,\)"
    ):
        lw.fixed_points(model, "above", layer_inputs=received[:3], starts=np.zeros((1, 4)))


def test_of_a_layer_that_is_called_twice_one_call_is_meant():
    shared = L.GRU(3, return_sequences=True, name="gru")
    given = keras.Input((None, 3))
    model = keras.Model(given, shared(shared(given)))
    arguments = {"inputs": [0.5, 1.0, 0.0], "starts": np.zeros((1, 3))}
    with pytest.raises(ValueError, match=r"layer: expected one of the calls .* 'gru:1', 'gru:2'"):
        lw.fixed_points(model, "gru", **arguments)
    with pytest.raises(ValueError, match="depends on the state of 'gru:1'; expected layer_inputs="):
        lw.fixed_points(model, "gru:2", **arguments)
    with pytest.warns(UserWarning, match="no readout"):
        points = lw.fixed_points(model, "gru:1", **arguments)
    below = points["state"].values[0]
    above = lw.fixed_points(model, "gru:2", layer_inputs=below, starts=np.zeros((1, 3)))
    state = above["state"].values
    after = stepped("GRU", shared.get_weights(), below[None], [state])[0]
    np.testing.assert_allclose(after, state, atol=1e-9)
    np.testing.assert_allclose(above["readout"], state, atol=1e-6)


def test_several_inputs_and_outputs():
    series, told = keras.Input((None, 2), name="series"), keras.Input((3,), name="told")
    hidden = L.LSTM(4, return_sequences=True)(series)
    beside = L.Dense(2, use_bias=False)(told)
    said = L.Dense(2)(L.Concatenate()([hidden, series])) + beside[:, None]
    model = keras.Model([series, told], [hidden, said])
    starts, constants = np.zeros((1, 8)), {"series": [0.5, 1.0], "told": [1.0, 2.0, 3.0]}
    with pytest.raises(ValueError, match="output: the model has 2"):
        lw.fixed_points(model, inputs=constants, starts=starts)
    points = lw.fixed_points(model, inputs=constants, starts=starts, output=1)
    same = lw.fixed_points(model, inputs=list(constants.values()), starts=starts, output=1)
    np.testing.assert_array_equal(points["readout"], same["readout"])
    weights = {w.shape: w for w in model.get_weights()}
    read = np.concatenate([points["state"].values[0, :4], [0.5, 1.0]])
    expected = read @ weights[6, 2] + [1.0, 2.0, 3.0] @ weights[3, 2]
    np.testing.assert_allclose(points["readout"].values[0], expected, atol=1e-5)


def test_a_head_that_reads_several_timesteps_has_no_readout():
    model = keras.Sequential(
        [
            keras.Input((None, 2)),
            L.GRU(3, return_sequences=True, name="gru"),
            L.GlobalMaxPooling1D(),
            L.Dense(2),
        ]
    )
    with pytest.warns(UserWarning, match="depends on other timesteps, too"):
        points = lw.fixed_points(model, inputs=[0.0, 1.0], starts=np.zeros((1, 3)))
    assert "readout" not in points


def test_what_the_position_changes_is_no_constant_input():
    class Positions(L.Layer):
        def call(self, x):
            return x + keras.ops.cast(keras.ops.arange(keras.ops.shape(x)[1]), x.dtype)[:, None]

    model = keras.Sequential([keras.Input((None, 2)), Positions(), L.GRU(3)])
    with pytest.raises(ValueError, match="differs from timestep to timestep"):
        lw.fixed_points(model, inputs=[0.0, 1.0], starts=np.zeros((1, 3)))


@pytest.mark.parametrize("length", [None, 7])
def test_what_stands_before_the_layer_counts(length):
    model = keras.Sequential(
        [
            keras.Input((length, 2)),
            L.Conv1D(3, 3, padding="same"),
            L.Bidirectional(L.SimpleRNN(3), name="both"),
        ]
    )
    kernel, bias = model.layers[0].get_weights()
    u = np.array([0.5, -0.25])
    with pytest.raises(
        ValueError, match="expected one direction, 'both/forward' or 'both/backward'"
    ):
        lw.fixed_points(model, "both", inputs=u, starts=np.zeros((1, 3)))
    with pytest.warns(UserWarning, match="both/forward"):
        points = lw.fixed_points(model, "both/backward", inputs=u, starts=np.zeros((1, 3)))
    np.testing.assert_allclose(
        points.attrs["layer_inputs"], u @ kernel.sum(axis=0) + bias, atol=1e-6
    )


# Starts, options, interruptions -----------------------------------------------------------------------


def test_starts_in_every_form():
    keras.utils.set_random_seed(0)
    model = keras.Sequential(
        [keras.Input((None, 1)), L.LSTM(2, return_sequences=True, name="lstm")]
    )
    joint = np.random.default_rng(0).normal(size=(5, 4))
    plain = lw.fixed_points(model, inputs=[1.0], starts=joint)
    apart = {"hidden_state": joint[:, :2], "cell_state": joint[:, 2:]}
    same = lw.fixed_points(model, inputs=1.0, starts=apart)
    np.testing.assert_array_equal(plain["state"], same["state"])
    assert plain["signal"].values.tolist() == ["hidden_state"] * 2 + ["cell_state"] * 2
    assert plain["cell"].values.tolist() == [0, 1, 0, 1]
    for starts, told in (
        (joint[:, :2], r"starts: expected \(start, 4\), hidden_state \(2\) and cell_state \(2\)"),
        (joint * np.nan, "starts: expected finite numbers, got NaN"),
        (joint[:0], "starts: expected at least one, got none"),
        (
            {"hidden_state": 0.5, "cell_state": 0.5},
            r"starts\['hidden_state'\]: expected \(start, 2",
        ),
        ({"hidden_state": joint[:, :2]}, "starts: expected 'hidden_state' and 'cell_state'"),
    ):
        with pytest.raises(ValueError, match=told):
            lw.fixed_points(model, inputs=[1.0], starts=starts)
    with pytest.raises(TypeError, match="starts: expected a Recording"):
        lw.fixed_points(model, inputs=[1.0], starts=None)
    for ragged in ([[0.0], [1.0, 2.0]], [["a"]]):
        with pytest.raises(TypeError, match="starts: expected numbers, got"):
            lw.fixed_points(model, inputs=[1.0], starts=ragged)
    hidden = lw.record(model, np.zeros((1, 5, 1), "float32"), signals="hidden_state")
    with pytest.raises(
        ValueError, match="starts: expected a recording with 'cell_state' of layer 'lstm'"
    ):
        lw.fixed_points(model, inputs=[1.0], starts=hidden)
    with pytest.raises(TypeError, match="inputs: expected what the model reads at each timestep"):
        lw.fixed_points(model, starts=joint)
    with pytest.raises(ValueError, match=r"inputs: expected .* of shape \(1,\), got shape \(3,\)"):
        lw.fixed_points(model, inputs=[1.0, 2.0, 3.0], starts=joint)
    with pytest.raises(ValueError, match="tolerance: expected a finite number"):
        lw.fixed_points(model, inputs=[1.0], starts=joint, tolerance=-1)
    with pytest.raises(ValueError, match="unique: expected a finite number"):
        lw.fixed_points(model, inputs=[1.0], starts=joint, unique="near")
    with pytest.raises(TypeError, match="layer: expected a name, got 0"):
        lw.fixed_points(model, 0, inputs=[1.0], starts=joint)


def test_padding_is_no_start():
    model = keras.Sequential(
        [keras.Input((None, 1)), L.Masking(9.0), L.SimpleRNN(1, return_sequences=True)]
    )
    inputs = np.full((1, 8, 1), 9.0, np.float32)
    inputs[0, :3] = 1
    points = lw.fixed_points(model, inputs=[1.0], starts=lw.record(model, inputs))
    assert 3 <= points.attrs["starts"] <= 6  # the states at three timesteps, and some between them
    assert (
        lw.fixed_points(model, inputs=[1.0], starts=lw.record(model, inputs), limit=2).attrs[
            "starts"
        ]
        <= 2
    )
    with pytest.raises(ValueError, match="takes them for padding"):
        lw.fixed_points(model, inputs=[9.0], starts=np.zeros((1, 1)))


def test_far_from_all_starts_is_told():
    model = simple_rnn([[1.0]], [[0.99]], [0.0], "linear")
    points = lw.fixed_points(model, inputs=[1.0], starts=[[0.0], [1.0]])
    np.testing.assert_allclose(points["state"], 100)
    assert points["outlier"].values.tolist() == [True]


def test_pools_of_any_size_find_the_same(monkeypatch):
    model = simple_rnn(np.zeros((1, 3)), 2 * np.eye(3), np.zeros(3))
    whole = lw.fixed_points(model, inputs=[0.0], starts=grid(3, 5))
    assert whole.sizes["point"] == 27
    monkeypatch.setattr(slowest_states, "_VALUES", 9 * 4)
    small = lw.fixed_points(model, inputs=[0.0], starts=grid(3, 5))
    np.testing.assert_allclose(whole["state"], small["state"], atol=1e-9)
    np.testing.assert_array_equal(whole["count"], small["count"])


def test_an_interruption_keeps_what_is_done(monkeypatch):
    model = simple_rnn(np.zeros((1, 2)), 2 * np.eye(2), np.zeros(2))
    monkeypatch.setattr(slowest_states, "_VALUES", 4 * 5)
    turn, turns = slowest_states._Pool.turn, []

    def interrupted(pool):
        turns.append(1)
        if len(turns) > 12:
            raise KeyboardInterrupt
        turn(pool)

    monkeypatch.setattr(slowest_states._Pool, "turn", interrupted)
    with pytest.warns(UserWarning, match=r"interrupted: \d+ of 49 starts are done"):
        points = lw.fixed_points(model, inputs=[0.0], starts=grid(2))
    assert not points.attrs["complete"]
    assert 0 < int(points["count"].sum()) < 49
    assert (points["speed"].values < 1e-9).all()


def test_what_cant_be_run_is_refused():
    with pytest.raises(ValueError, match="expected at least one recurrent layer"):
        lw.fixed_points(
            keras.Sequential([keras.Input((None, 2)), L.Dense(2)]), inputs=[0, 0], starts=[[0.0]]
        )

    model = keras.Sequential([keras.Input((None, 2)), L.GRU(2, name="gru")])
    for name in ("lstm", "gru:2"):
        with pytest.raises(LayerNotFoundError, match=f"layer: expected 'gru', got '{name}'|one of"):
            lw.fixed_points(model, name, inputs=[0, 0], starts=[[0.0, 0.0]])
    other = keras.Sequential([keras.Input((None, 2)), L.GRU(2, name="other")])
    recording = lw.record(other, np.zeros((1, 3, 2), "float32"))
    with pytest.raises(
        LayerNotFoundError, match="starts: expected a recording of layer 'gru', got one of 'other'"
    ):
        lw.fixed_points(model, inputs=[0, 0], starts=recording)

    class OddLSTM(torch.nn.Module):
        def __init__(self):
            super().__init__()
            self.weight = torch.nn.Parameter(torch.zeros(2, 2))

        def forward(self, x):
            return x @ self.weight, None

    with pytest.raises(UnsupportedLayerError, match="layer 'recurrent' can't be run"):
        lw.fixed_points(Module(OddLSTM(), 2), inputs=[0.0, 0.0], starts=np.zeros((1, 2)))
