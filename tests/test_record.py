"""`record` on every kind of model, against Keras's own cells and layers."""

import warnings
from dataclasses import replace

import keras
import numpy as np
import pytest
import tensorflow as tf
from keras import layers as L

from lstm_widgets import record
from lstm_widgets.errors import SelfCheckError, UnsupportedLayerError
from lstm_widgets.rnn.cells import SIGNALS
from lstm_widgets.rnn.comparison import difference
from lstm_widgets.running import session

RNG = np.random.default_rng(0)


def by_hand(layer, x, mask=None, initial=None):
    """Step a layer's cell through sequences: each of its states ``(example, timestep, cell)``."""
    tree = keras.tree
    examples, timesteps = x.shape[:2]
    state = layer.get_initial_state(examples) if initial is None else initial
    kept = [np.zeros((examples, timesteps, s.shape[-1]), np.float32) for s in tree.flatten(state)]
    for t in reversed(range(timesteps)) if layer.go_backwards else range(timesteps):
        _, new = layer.cell(tf.constant(x[:, t]), state)
        flat = tree.flatten(new)
        if mask is not None:
            real = mask[:, t, None]
            flat = [tf.where(real, n, s) for n, s in zip(flat, tree.flatten(state), strict=True)]
        state = tree.pack_sequence_as(state, flat)
        for array, value in zip(kept, flat, strict=True):
            array[:, t] = value
    return kept


def expect_states(recording, name, states, **tolerance):
    """Compare hidden (and cell) state of a recorded layer with those stepped by hand."""
    tolerance = tolerance or {"atol": 1e-5}
    for signal, expected in zip(("hidden_state", "cell_state"), states, strict=False):
        recorded = recording[name][signal]
        assert recorded.dtype == np.float32
        # One call of several is a part of all of them.
        assert recorded.values.flags.c_contiguous or ":" in name
        np.testing.assert_allclose(recorded, expected, err_msg=f"{name} {signal}", **tolerance)


def sequences(*shape):
    return RNG.normal(size=shape).astype(np.float32)


def one_layer(layer, timesteps=6, features=3, **options):
    return keras.Sequential([keras.Input((timesteps, features), **options), layer])


# Kinds of layers ----------------------------------------------------------------------------------


@pytest.mark.parametrize("return_sequences", [False, True])
@pytest.mark.parametrize("go_backwards", [False, True])
@pytest.mark.parametrize(
    ("kind", "options"),
    [
        ("LSTM", {}),
        ("LSTM", {"unit_forget_bias": False, "unroll": True}),
        ("LSTM", {"use_bias": False, "activation": "gelu", "dropout": 0.5}),
        ("GRU", {"recurrent_dropout": 0.5}),
        ("GRU", {"reset_after": False}),
        ("SimpleRNN", {"activation": "relu", "dropout": 0.5}),
    ],
)
def test_layers(kind, options, go_backwards, return_sequences):
    layer = getattr(L, kind)(
        4, go_backwards=go_backwards, return_sequences=return_sequences, name="layer", **options
    )
    model = one_layer(layer)
    x = sequences(5, 6, 3)
    recording = record(model, x, check="full")
    assert recording.layers == ("layer",)
    assert recording.signals("layer") == SIGNALS[kind]
    assert recording["layer"].attrs["go_backwards"] == go_backwards
    expect_states(recording, "layer", by_hand(layer, x))
    check = recording["layer"].attrs["check"]
    assert check["mode"] == "full"
    assert (check["examples"], check["timesteps"]) == (5, 6)
    assert 0 <= check["difference"] <= check["tolerance"] == 1e-5


@pytest.mark.parametrize("kind", ["LSTM", "GRU", "SimpleRNN"])
def test_rnn_around_a_cell(kind):
    layer = L.RNN(getattr(L, f"{kind}Cell")(4), name="rnn")
    model = one_layer(layer)
    x = sequences(2, 6, 3)
    recording = record(model, x, check="full")
    assert recording["rnn"].attrs["kind"] == kind
    expect_states(recording, "rnn", by_hand(layer, x))


@pytest.mark.parametrize("masked", [False, True])
def test_stacked_cells(masked):
    cells = [L.LSTMCell(5), L.GRUCell(4), L.SimpleRNNCell(3)]
    layer = L.RNN(cells, name="rnn", return_sequences=True, go_backwards=masked)
    front = [L.Masking()] if masked else []
    model = keras.Sequential([keras.Input((6, 3)), *front, layer])
    x = sequences(4, 6, 3)
    mask = None
    if masked:
        x[0, 2:4] = x[1, :3] = x[2, 3:] = 0
        mask = x.any(axis=2)
    recording = record(model, x, check="full")
    assert recording.layers == ("rnn/cell_0", "rnn/cell_1", "rnn/cell_2")
    states = by_hand(layer, x, mask)
    expect_states(recording, "rnn/cell_0", states[:2])
    expect_states(recording, "rnn/cell_1", states[2:3])
    expect_states(recording, "rnn/cell_2", states[3:])


@pytest.mark.parametrize("merge_mode", ["sum", "mul", "ave", "concat", None])
@pytest.mark.parametrize("kind", ["LSTM", "GRU"])
def test_bidirectional(kind, merge_mode):
    layer = L.Bidirectional(
        getattr(L, kind)(4, return_sequences=True), merge_mode=merge_mode, name="both"
    )
    inputs = keras.Input((6, 3))
    model = keras.Model(inputs, layer(inputs))
    x = sequences(2, 6, 3)
    recording = record(model, x, check="full")
    assert recording.layers == ("both/forward", "both/backward")
    expect_states(recording, "both/forward", by_hand(layer.forward_layer, x))
    expect_states(recording, "both/backward", by_hand(layer.backward_layer, x))
    # Index t is the input's timestep t, in both directions.
    changed = x.copy()
    changed[:, 2] += 1
    after = record(model, changed)
    for name, touched in (("both/forward", slice(2, 6)), ("both/backward", slice(0, 3))):
        moved = (after[name].hidden_state != recording[name].hidden_state).any(("example", "cell"))
        expected = np.zeros(6, bool)
        expected[touched] = True
        np.testing.assert_array_equal(moved, expected)


@pytest.mark.parametrize("return_sequences", [False, True])
@pytest.mark.parametrize("kind", ["LSTM", "GRU", "SimpleRNN"])
def test_masks(kind, return_sequences):
    layer = getattr(L, kind)(4, return_sequences=return_sequences, name="layer")
    embedding = L.Embedding(9, 3, mask_zero=True)
    model = keras.Sequential([keras.Input((None,)), embedding, layer])
    ids = RNG.integers(1, 9, (6, 30))
    ids[0, :20] = ids[1, 20:] = ids[2, 5:25:3] = 0
    ids[3] = 0
    recording = record(model, ids, check="full")
    states = by_hand(layer, np.asarray(embedding(ids)), ids != 0)
    expect_states(recording, "layer", states)
    np.testing.assert_array_equal(recording["layer"]["mask"], ids != 0)
    prefix = record(model, ids)
    expect_states(prefix, "layer", states)
    assert "mask" not in record(model, ids[4:])["layer"]


def test_the_check_of_a_padded_example_reaches_its_real_timesteps(monkeypatch):
    layer = L.LSTM(4, name="layer")
    model = keras.Sequential([keras.Input((None,)), L.Embedding(9, 3, mask_zero=True), layer])
    ids = np.zeros((1, 100), int)
    ids[0, -5:] = 3
    _disturb(monkeypatch, "hidden_state")
    with pytest.raises(SelfCheckError, match="layer 'layer'"):
        record(model, ids)


@pytest.mark.parametrize("bidirectional", [False, True])
def test_initial_state_and_leading_padding(bidirectional):
    inputs, state = keras.Input((None,), dtype="int32"), keras.Input((4,))
    embedding = L.Embedding(9, 3, mask_zero=True)
    layer = L.GRU(4, return_sequences=True, name="layer")
    states = [state]
    if bidirectional:
        layer, states = L.Bidirectional(layer, name="layer"), [state, state]
    # Given with an initial state, Keras hands no mask on by itself.
    mask = embedding.compute_mask(inputs)
    outputs = layer(embedding(inputs), initial_state=states, mask=mask)
    model = keras.Model([inputs, state], outputs)
    ids = RNG.integers(1, 9, (3, 7))
    ids[0, :2] = ids[1, 5:] = 0
    start = sequences(3, 4)
    recording = record(model, [ids, start], check="full")
    x = np.asarray(embedding(ids))
    directions = (
        {"layer/forward": layer.forward_layer, "layer/backward": layer.backward_layer}
        if bidirectional
        else {"layer": layer}
    )
    for name, one in directions.items():
        expect_states(recording, name, by_hand(one, x, ids != 0, [start]))
    record(model, [ids, start])


def test_encoder_and_decoder():
    source, target = keras.Input((5, 3), name="source"), keras.Input((2, 3), name="target")
    _, h, c = L.LSTM(4, return_state=True, name="encoder")(source)
    decoder = L.LSTM(4, return_sequences=True, name="decoder")
    decoded = decoder(target, initial_state=[h, c])
    model = keras.Model({"source": source, "target": target}, L.Dense(2)(decoded))
    data = {"source": sequences(3, 5, 3), "target": sequences(3, 2, 3)}
    recording = record(
        model, data, check="full", tokens={"encoder": ["abcde"] * 3, "decoder": ["xy"] * 3}
    )
    assert recording.layers == ("encoder", "decoder")
    assert recording["encoder"].sizes["timestep"] == 5
    assert recording["decoder"].sizes["timestep"] == 2
    encoder = recording["encoder"]
    last = [encoder[s].values[:, -1] for s in ("hidden_state", "cell_state")]
    expect_states(recording, "decoder", by_hand(decoder, data["target"], initial=last))
    assert encoder.token.values[0].tolist() == list("abcde")
    assert recording["decoder"].token.values[2].tolist() == ["x", "y"]


def test_stateful():
    layer = L.LSTM(4, stateful=True, name="layer")
    model = one_layer(layer, batch_size=2)
    x = sequences(4, 6, 3)  # two batches: the second goes on where the first ended
    model.predict(x[:2], batch_size=2, verbose=0)
    found = [s.numpy() for s in layer.states]
    recording = record(model, x)
    first = by_hand(layer, x[:2], initial=[tf.constant(s) for s in found])
    second = by_hand(layer, x[2:], initial=[tf.constant(s[:, -1]) for s in first])
    joined = [np.concatenate(pair) for pair in zip(first, second, strict=True)]
    expect_states(recording, "layer", joined)
    for state, before in zip(layer.states, found, strict=True):
        np.testing.assert_array_equal(state, before)
    expect_states(record(model, x, check="full"), "layer", joined)
    for state, before in zip(layer.states, found, strict=True):
        np.testing.assert_array_equal(state, before)
    with pytest.raises(ValueError, match="batches of exactly 2 examples, got 3"):
        record(model, x[:3])
    with pytest.raises(ValueError, match="batch_size: the model prescribes 2, got 4"):
        record(model, x, batch_size=4)


@pytest.mark.parametrize(
    ("policy", "tolerance"), [("mixed_float16", 5e-3), ("mixed_bfloat16", 4e-2), ("float64", 1e-5)]
)
def test_precision(policy, tolerance):
    layer = L.LSTM(4, return_sequences=True, dtype=policy, name="layer")
    model = keras.Sequential([keras.Input((6, 3)), layer, L.GRU(3, dtype=policy, name="upper")])
    x = sequences(3, 6, 3)
    recording = record(model, x, check="full")
    assert recording["layer"].attrs["check"]["tolerance"] == tolerance
    states = by_hand(layer, x.astype(layer.compute_dtype))
    expect_states(recording, "layer", states, atol=tolerance)


@pytest.mark.parametrize("shape", [(0, 6), (3, 1), (1, 1)])
@pytest.mark.parametrize("kind", ["LSTM", "GRU", "SimpleRNN"])
def test_small(kind, shape):
    layer = getattr(L, kind)(1, name="layer")
    model = keras.Sequential([keras.Input((None, 3)), layer])
    x = sequences(*shape, 3)
    recording = record(model, x)
    assert recording["layer"].hidden_state.shape == (*shape, 1)
    if len(x):  # Keras's cells don't take none
        expect_states(recording, "layer", by_hand(layer, x))


def test_nan_weights_are_shown():
    layer = L.LSTM(3, name="layer")
    model = one_layer(layer)
    weights = layer.get_weights()
    weights[0][:, 1] = np.nan  # the input gate of cell 1
    layer.set_weights(weights)
    x = sequences(2, 6, 3)
    recording = record(model, x, check="full")
    assert np.isnan(recording["layer"].input_gate.values[:, :, 1]).all()
    assert not np.isnan(recording["layer"].input_gate.values[:, 0, [0, 2]]).any()
    assert recording["layer"].attrs["check"]["difference"] <= 1e-5


# Kinds of models ----------------------------------------------------------------------------------


class Subclassed(keras.Model):
    def __init__(self):
        super().__init__()
        self.stack = [L.LSTM(4, return_sequences=True, name="lower"), L.GRU(3, name="upper")]
        self.head = L.Dense(2)

    def call(self, x):
        for layer in self.stack:
            x = layer(x)
        return self.head(x)


class Decorated(Subclassed):
    @tf.function
    def call(self, x):
        return super().call(x)


@pytest.mark.parametrize("model_class", [Subclassed, Decorated])
def test_subclassed(model_class):
    model = model_class()
    x = sequences(3, 6, 3)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        recording = record(model, x, check="full")
    assert recording.layers == ("lower", "upper")
    states = by_hand(model.stack[0], x)
    expect_states(recording, "lower", states)
    expect_states(recording, "upper", by_hand(model.stack[1], states[0]))
    assert not tf.config.functions_run_eagerly()


@pytest.mark.parametrize("batch_size", [None, 2])
def test_unbuilt_sequential(batch_size):
    model = keras.Sequential([L.LSTM(4, name="layer")])
    x = sequences(3, 6, 3)
    recording = record(model, x, batch_size=batch_size)
    expect_states(recording, "layer", by_hand(model.layers[0], x))


def test_nested_models_and_repeated_calls():
    lstm = L.LSTM(3, return_sequences=True, name="lstm")
    inner = keras.Sequential([keras.Input((None, 3)), lstm], name="inner")
    inputs = keras.Input((6, 3))
    once = inner(inputs)
    twice = inner(once)
    outer = L.LSTM(3, name="lstm")(twice)
    model = keras.Model(inputs, outer)
    x = sequences(2, 6, 3)
    recording = record(model, x, check="full")
    assert recording.layers == ("inner/lstm", "lstm")
    first = by_hand(lstm, x)
    expect_states(recording, "inner/lstm:1", first)
    expect_states(recording, "inner/lstm:2", by_hand(lstm, first[0]))
    assert record(model, x, layers="inner").layers == ("inner/lstm",)
    assert record(model, x, layers=["inner/lstm:2"]).layers == ("inner/lstm:2",)
    assert record(model, x, layers="lstm").layers == ("lstm",)


def test_time_distributed_calls_its_layer_once_a_timestep():
    layer = L.LSTM(2, name="lstm")
    model = keras.Sequential([keras.Input((3, 5, 2)), L.TimeDistributed(layer, name="td")])
    x = sequences(2, 3, 5, 2)
    recording = record(model, x)
    assert recording.layers == ("td/lstm",)
    assert recording.call_names("td/lstm") == ("td/lstm:1", "td/lstm:2", "td/lstm:3")
    expect_states(recording, "td/lstm:3", by_hand(layer, x[:, 2]))


def test_a_model_that_learned_is_recorded_with_its_new_weights():
    layer = L.LSTM(4, return_sequences=True, name="layer")
    model = one_layer(layer)
    model.compile("sgd", "mse")
    x = sequences(4, 6, 3)
    for _ in range(4):
        expect_states(record(model, x), "layer", by_hand(layer, x))
        model.fit(x, sequences(4, 6, 4), verbose=0)


def test_inputs_as_lists_tensors_and_tuples():
    model = one_layer(L.LSTM(4, name="layer"))
    x = sequences(2, 6, 3)
    expected = record(model, x)["layer"].hidden_state.values
    for given in (x.tolist(), tf.constant(x), list(x), [x], (x,), x.astype(np.float64)):
        recorded = record(model, given)["layer"].hidden_state
        np.testing.assert_allclose(recorded, expected, atol=1e-6)


# What recording leaves behind ---------------------------------------------------------------------


def test_the_model_is_as_found_also_after_an_error(monkeypatch):
    layer = L.LSTM(4, dropout=0.5, return_sequences=True, name="layer")
    model = keras.Sequential([keras.Input((6, 3)), layer, L.BatchNormalization()])
    x = sequences(2, 6, 3)
    before = [v.numpy() for v in model.variables]
    output = model.predict(x, verbose=0)

    def expect_as_found():
        assert "inner_loop" not in vars(layer)
        for variable, value in zip(model.variables, before, strict=True):
            np.testing.assert_array_equal(variable, value)
        np.testing.assert_array_equal(model.predict(x, verbose=0), output)

    before = [v.numpy() for v in model.variables]
    record(model, x)
    expect_as_found()
    _disturb(monkeypatch, "hidden_state")
    before = [v.numpy() for v in model.variables]
    with pytest.raises(SelfCheckError):
        record(model, x)
    assert "inner_loop" not in vars(layer)
    for variable, value in zip(model.variables, before, strict=True):
        np.testing.assert_array_equal(variable, value)


# The self-check -----------------------------------------------------------------------------------


def _disturb(monkeypatch, signal, at=None, by=1e-3):
    """Let the recorder compute a little wrong."""
    original = session.scan

    def wrong(cell, x, state, mask, out, **options):
        last = original(cell, x, state, mask, out, **options)
        if signal in out:
            out[signal][:, slice(None) if at is None else at] += by
        return last

    monkeypatch.setattr(session, "scan", wrong)


@pytest.mark.parametrize("signal", ["hidden_state", "cell_state"])
def test_a_wrong_value_is_an_error_with_layer_and_size(monkeypatch, signal):
    model = one_layer(L.LSTM(4, name="layer"))
    _disturb(monkeypatch, signal)
    with pytest.raises(SelfCheckError, match=r"layer 'layer': .* differs by 0\.001 .* 1e-05"):
        record(model, sequences(2, 6, 3))
    assert record(model, sequences(2, 6, 3), check=False)["layer"].attrs["check"]["mode"] == "none"
    record(model, sequences(2, 6, 3), tolerance=1e-2)


def test_a_wrong_value_late_in_the_sequence_is_found_by_the_full_check(monkeypatch):
    model = one_layer(L.GRU(4, name="layer"), timesteps=None)
    _disturb(monkeypatch, "hidden_state", at=40)
    x = sequences(2, 50, 3)
    record(model, x)
    with pytest.raises(SelfCheckError, match=r"layer 'layer': .* \(compared: 2 examples, 50"):
        record(model, x, check="full")


def test_the_full_check_compares_the_models_outputs(monkeypatch):
    model = one_layer(L.GRU(4, name="layer"))
    original = session.Session.run

    def wrong(self, call):
        result = original(self, call)
        position = 0 if result.hidden is None else None
        states = [state + 1e-3 * (k == position) for k, state in enumerate(result.states)]
        hidden = None if result.hidden is None else result.hidden + 1e-3
        return replace(result, hidden=hidden, states=states)

    monkeypatch.setattr(session.Session, "run", wrong)
    with pytest.raises(SelfCheckError, match=r"the model's output 0 differs by 0.001"):
        record(model, sequences(2, 6, 3), check="full")


def test_nan_on_one_side_only_is_a_difference():
    a, b = np.array([1.0, np.nan]), np.array([1.0, 2.0])
    assert difference(a, b) == np.inf
    assert difference(a, a) == 0
    assert difference(np.array([np.inf]), np.array([np.inf])) == 0
    assert difference(np.array([101.0]), np.array([100.0])) == pytest.approx(0.01)


# A part of it -------------------------------------------------------------------------------------


def test_a_subset_is_the_same_values():
    model = keras.Sequential(
        [
            keras.Input((6, 3)),
            L.LSTM(4, return_sequences=True, name="lower"),
            L.GRU(3, name="upper"),
        ]
    )
    x = sequences(2, 6, 3)
    everything = record(model, x)
    some = record(model, x, signals=["reset_gate", "hidden_state"])
    assert some.signals("lower") == ("hidden_state",)
    assert some.signals("upper") == ("hidden_state", "reset_gate")
    gate = record(model, x, layers="upper", signals="reset_gate")
    assert gate.layers == ("upper",)
    assert gate.signals("upper") == ("reset_gate",)
    np.testing.assert_allclose(gate["upper"].reset_gate, everything["upper"].reset_gate, atol=1e-6)
    assert record(model, x, signals="forget_gate").layers == ("lower",)


@pytest.mark.parametrize("batch_size", [1, 3, 7, 100])
def test_batches_make_no_difference(batch_size):
    layer = L.LSTM(4, name="layer")
    model = one_layer(layer)
    x = sequences(7, 6, 3)
    recording = record(model, x, batch_size=batch_size)
    expect_states(recording, "layer", by_hand(layer, x))


def test_an_interrupted_recording_keeps_what_is_done(monkeypatch):
    layer = L.LSTM(4, name="layer")
    model = one_layer(layer)
    x = sequences(10, 6, 3)
    calls = []
    original = session.scan

    def interrupted(*arguments, **options):
        calls.append(1)
        if len(calls) == 3:
            raise KeyboardInterrupt
        return original(*arguments, **options)

    monkeypatch.setattr(session, "scan", interrupted)
    with pytest.warns(UserWarning, match="has the first 6 of 10 examples"):
        recording = record(
            model, x, batch_size=3, tokens=["abcdef"] * 10, labels=[str(k) for k in range(10)]
        )
    monkeypatch.undo()
    assert recording["layer"].sizes["example"] == 6
    expect_states(recording, "layer", by_hand(layer, x[:6]))
    assert recording["layer"].label.values.tolist() == list("012345")
    calls.clear()
    monkeypatch.setattr(session, "scan", lambda *_, **__: (_ for _ in ()).throw(KeyboardInterrupt))
    with pytest.raises(KeyboardInterrupt):
        record(model, x)


def test_tokens_name_the_layers_they_fit():
    model = keras.Sequential(
        [keras.Input((5, 3)), L.LSTM(4, name="a"), L.RepeatVector(2), L.LSTM(4, name="b")]
    )
    x = sequences(2, 5, 3)
    recording = record(model, x, tokens=["hallo", ["<b>", "&", "", "日本", "x"]], labels=["p", "q"])
    assert recording["a"].token.values.tolist() == [list("hallo"), ["<b>", "&", "", "日本", "x"]]
    assert "token" not in recording["b"].coords
    assert recording["b"].label.values.tolist() == ["p", "q"]
    assert record(model, x, tokens=["ab", "cd"])["b"].token.values.tolist() == [
        ["a", "b"],
        ["c", "d"],
    ]


def test_what_is_needed_to_trust_it_later_stands_on_the_recording():
    model = one_layer(L.LSTM(4, name="layer"))
    recording = record(model, sequences(2, 6, 3))
    assert recording.tree.attrs["versions"]["keras"] == keras.__version__
    assert recording.tree.attrs["model_config"]["name"] == model.name
    assert recording["layer"].attrs["config"]["units"] == 4
    check = recording["layer"].attrs["check"]
    assert (check["mode"], check["examples"], check["timesteps"]) == ("prefix", 2, 6)


# What cannot be recorded --------------------------------------------------------------------------


class PeepholeCell(L.LSTMCell):
    def call(self, inputs, states, training=False):
        h, states = super().call(inputs, states, training=training)
        return h * 2, [h * 2, states[1]]


class SteppedByHand(keras.Model):
    def __init__(self):
        super().__init__()
        self.cell = PeepholeCell(3, name="cell")

    def call(self, x):
        state = self.cell.get_initial_state(x.shape[0])
        for t in range(x.shape[1]):
            h, state = self.cell(x[:, t], state)
        return h


def test_unsupported_layers_are_named():
    x = sequences(2, 6, 3)
    model = keras.Sequential(
        [
            keras.Input((6, 3)),
            L.LSTM(3, return_sequences=True, name="good"),
            L.RNN(PeepholeCell(3), name="bad"),
        ]
    )
    with pytest.raises(UnsupportedLayerError, match=r"layer 'bad' .* custom cell PeepholeCell"):
        record(model, x)
    assert record(model, x, layers="good").layers == ("good",)
    conv = keras.Sequential([keras.Input((2, 4, 4, 1)), L.ConvLSTM2D(2, 3, name="conv")])
    with pytest.raises(
        UnsupportedLayerError, match=r"layer 'conv' cannot be recorded: it is a Conv"
    ):
        record(conv, sequences(1, 2, 4, 4, 1))
    with pytest.raises(UnsupportedLayerError, match=r"layer 'cell' .* PeepholeCell.* steps itself"):
        record(SteppedByHand(), x)


class Vectorized(keras.Model):
    def __init__(self):
        super().__init__()
        self.lstm = L.LSTM(2, name="lstm")

    def call(self, x):
        return tf.vectorized_map(self.lstm, x)


def test_layers_called_without_values_are_named():
    with pytest.raises(UnsupportedLayerError, match=r"layer 'lstm' .* no values yet"):
        record(Vectorized(), sequences(2, 3, 6, 3))


def test_examples_that_moved_to_another_axis_are_named():
    inputs = keras.Input((4, 6, 3))
    flat = L.Lambda(lambda t: keras.ops.reshape(t, (-1, 6, 3)), output_shape=(6, 3))(inputs)
    model = keras.Model(inputs, L.LSTM(2, name="layer")(flat))
    with pytest.raises(UnsupportedLayerError, match=r"layer 'layer' .* \(expected 2, got 8\)"):
        record(model, sequences(2, 4, 6, 3))


class Unused(keras.Model):
    def __init__(self):
        super().__init__()
        self.used, self.unused = L.LSTM(2, name="used"), L.LSTM(2, name="unused")

    def call(self, x):
        return self.used(x)


def test_layers_that_the_model_does_not_call_are_named():
    with pytest.warns(UserWarning, match="didn't call them: unused"):
        assert record(Unused(), sequences(2, 6, 3)).layers == ("used",)


# Wrong arguments ----------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def model():
    return keras.Sequential(
        [keras.Input((5, 3)), L.LSTM(4, name="a"), L.RepeatVector(2), L.GRU(4, name="b")]
    )


X = np.zeros((2, 5, 3), np.float32)


@pytest.mark.parametrize(
    ("inputs", "options", "error", "message"),
    [
        (X[:, :4], {}, ValueError, r"inputs: expected shape \(None, 5, 3\).*got \(2, 4, 3\)"),
        (X[0, :, :2], {}, ValueError, r"inputs: .*\(None, 5, 3\).*text.*\(n, 3\), got \(5, 2\)"),
        ([X, X], {}, ValueError, r"inputs: expected shape .*got \(2, 2, 5, 3\)"),
        ([[[1.0]], [[1.0, 2.0]]], {}, ValueError, "inputs: expected sequences of one length"),
        (np.array([None]), {}, TypeError, "inputs: expected numbers"),
        (3.0, {}, ValueError, "inputs: expected an array of examples"),
        (X, {"layers": "c"}, ValueError, "layers: expected names among 'a', 'b'; got 'c'"),
        (X, {"layers": []}, ValueError, r"layers: expected one or more names.*got \[\]"),
        (X, {"signals": ["cell"]}, ValueError, "signals: .*'forget_gate'.*; got 'cell'"),
        (X, {"layers": "b", "signals": "cell_state"}, ValueError, "no layer .* has any of these"),
        (X, {"tokens": "ab"}, TypeError, "tokens: expected one sequence .* got the str 'ab'"),
        (X, {"tokens": ["abcde"]}, ValueError, "tokens: .* each of 2 examples, got 1"),
        (X, {"tokens": ["abc", "abc"]}, ValueError, r"tokens: .*\('a' has 5, 'b' has 2\); got 3"),
        (X, {"tokens": ["abcde", "abc"]}, ValueError, "tokens: .* got 3 and 5"),
        (X, {"tokens": [[1] * 5] * 2}, TypeError, r"tokens\[0\]: expected str, got 1"),
        (X, {"tokens": {"c": ["ab"] * 2}}, ValueError, "tokens: expected names .* got 'c'"),
        (X, {"tokens": {"b": ["abc"] * 2}}, ValueError, r"tokens\['b'\]: expected 2 .* got 3"),
        (X, {"labels": ["x"]}, ValueError, "labels: expected one str for each of 2 examples"),
        (X, {"labels": "xy"}, ValueError, "labels: expected one str for each of 2 examples"),
        (X, {"labels": ["x", 1]}, TypeError, "labels: expected str, got 1"),
        (X, {"batch_size": 0}, ValueError, "batch_size: expected a positive whole number, got 0"),
        (X, {"check": True}, ValueError, "check: expected 'prefix', 'full' or False, got True"),
        (X, {"tolerance": -1}, ValueError, "tolerance: expected a positive number, got -1"),
    ],
)
def test_wrong_arguments(model, inputs, options, error, message):
    with pytest.raises(error, match=message):
        record(model, inputs, **options)


def test_wrong_models():
    with pytest.raises(TypeError, match=r"model: expected a Keras 3 model .* got builtins.str"):
        record("model", X)
    with pytest.raises(TypeError, match=r"model: expected .*keras.*LSTM"):
        record(L.LSTM(3), X)
    with pytest.raises(ValueError, match="model: expected at least one recurrent layer"):
        record(keras.Sequential([keras.Input((5, 3)), L.Dense(2)]), X)


def test_wrong_structures_of_inputs():
    a, b = keras.Input((5, 3)), keras.Input((5, 3))
    model = keras.Model([a, b], L.LSTM(2)(L.Add()([a, b])))
    with pytest.raises(ValueError, match=r"inputs: expected 2 arrays .* got 1"):
        record(model, X)
    with pytest.raises(ValueError, match=r"inputs\[1\]: expected shape \(None, 5, 3\)"):
        record(model, [X, X[:, :2]])
    with pytest.raises(ValueError, match=r"same number of examples in each array, got \[1, 2\]"):
        record(model, [X, X[:1]])


def test_an_error_in_the_model_tells_the_shapes():
    with pytest.raises(ValueError) as caught:  # noqa: PT011  (Keras's own text)
        record(Subclassed(), np.zeros((2, 3), np.float32))
    assert "recording" not in str(caught.value) or caught.value.__notes__


def test_recording_is_silent():
    model = one_layer(L.LSTM(4, name="layer"))
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        record(model, sequences(2, 6, 3))


def test_a_large_signal_that_is_kept_keeps_no_others():
    model = keras.Sequential([keras.Input((128, 2)), L.LSTM(128, name="lstm")])
    layer = record(model, RNG.normal(size=(64, 128, 2)).astype(np.float32))["lstm"]
    for name in SIGNALS["LSTM"]:
        values = layer[name].values
        while values.base is not None:
            values = values.base
        own = 64 * 128 * 128 * 4
        assert own <= values.nbytes <= own + 4096  # from the beginning of a page
