"""A text given to `record`, against the plain loop over windows and against one whole pass."""

import warnings

import keras
import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from keras import layers as L

from lstm_widgets import open_recording, record
from lstm_widgets.errors import SelfCheckError
from lstm_widgets.models.adapter import adapter_of
from lstm_widgets.rnn.cells import SIGNALS
from lstm_widgets.running import reading, session, texts
from lstm_widgets.tokens.vocabulary import Vocabulary

SYMBOLS = "abcdefg \n"
BIAS = {"bias_initializer": "random_normal"}


def some_text(count, seed=0):
    return "".join(np.random.default_rng(seed).choice(list(SYMBOLS), count))


def ids_of(text):
    return np.array([SYMBOLS.index(c) for c in text])


def ones(ids):
    return np.eye(len(SYMBOLS), dtype=np.float32)[ids]


def as_input(kind, ids):
    """A text's ids in each of the ways in which people give them to a model."""
    if kind == "ids":
        return ids
    return ones(ids) if kind == "one-hot" else (ids / len(SYMBOLS)).astype(np.float32)


def front(kind, length=None):
    if kind == "ids":
        return [keras.Input((length,)), L.Embedding(len(SYMBOLS), 4)]
    return [keras.Input((length, len(SYMBOLS) if kind == "one-hot" else 1))]


def head():
    return L.Dense(len(SYMBOLS), activation="softmax", name="head")


def language_model(*layers, kind="ids", length=None, seed=0):
    keras.utils.set_random_seed(seed)
    return keras.Sequential([*front(kind, length), *layers, head()])


def lstm(cells=5, name="lstm", sequences=False, kind="LSTM", **options):
    return getattr(L, kind)(cells, return_sequences=sequences, name=name, **BIAS, **options)


def probe(model):
    """Make of a Sequential model one that returns the states of its recurrent layers."""
    x = model.inputs[0]
    names, outputs = [], []
    for layer in model.layers:
        if isinstance(layer, (L.RNN, L.Bidirectional)):
            config = layer.get_config()
            (config["layer"]["config"] if isinstance(layer, L.Bidirectional) else config)[
                "return_state"
            ] = True
            if isinstance(layer, L.Bidirectional):
                config.pop("backward_layer", None)
            twin = type(layer).from_config(config)
            x, *states = twin(x)
            twin.set_weights(layer.get_weights())
            directions = [layer.name]
            if isinstance(layer, L.Bidirectional):
                directions = [f"{layer.name}/forward", f"{layer.name}/backward"]
            count = len(states) // len(directions)
            for k, name in enumerate(directions):
                for signal, state in zip(
                    ("hidden_state", "cell_state"), states[k * count :][:count], strict=False
                ):
                    names.append((name, signal))
                    outputs.append(state)
        elif not isinstance(layer, L.InputLayer):
            x = layer(x)
    names.append(("", "outputs"))
    outputs.append(x)
    return names, keras.Model(model.inputs[0], outputs)


def loop_over_windows(model, x, window):
    """Predict on each window by itself, and keep the last state: (layer, signal) to array."""
    names, states = probe(model)
    rows = [
        states(np.array(x[t - window + 1 : t + 1])[None], training=False)
        for t in range(window - 1, len(x))
    ]
    return {name: np.stack([np.asarray(row[k])[0] for row in rows]) for k, name in enumerate(names)}


def expect_windows(recording, model, x, window):
    expected = loop_over_windows(model, x, window)
    for (name, signal), values in expected.items():
        if not name:
            continue
        dataset = recording[name]
        assert dataset[signal].shape == (1, len(x), values.shape[1])
        np.testing.assert_allclose(dataset[signal][0, window - 1 :], values, atol=1e-5)
        assert np.isnan(dataset[signal][0, : window - 1]).all()
        if window > 1:
            assert dataset.mask.values[0].tolist() == [t >= window - 1 for t in range(len(x))]
        else:
            assert "mask" not in dataset
    return expected["", "outputs"]


def expect_same(one, other, atol=1e-5):
    assert one.layers == other.layers
    for name in one.layers:
        assert one.signals(name) == other.signals(name)
        for signal in one.signals(name):
            np.testing.assert_allclose(one[name][signal], other[name][signal], atol=atol)


# Windows ------------------------------------------------------------------------------------------


@pytest.mark.parametrize("encoding", ["ids", "one-hot", "scaled"])
@pytest.mark.parametrize(
    "layers",
    [
        lambda: [lstm()],
        lambda: [lstm(kind="GRU")],
        lambda: [lstm(kind="SimpleRNN")],
        lambda: [lstm(sequences=True)],
        lambda: [lstm(sequences=True), L.Dropout(0.5), lstm(3, "upper")],
        lambda: [lstm(go_backwards=True)],
        lambda: [L.Bidirectional(lstm(sequences=True), name="both"), lstm(3, "upper", kind="GRU")],
        lambda: [L.Bidirectional(lstm(kind="GRU"), name="both")],
    ],
    ids=["lstm", "gru", "rnn", "sequences", "stacked", "backwards", "both+gru", "both"],
)
def test_windows_are_the_loop_over_windows(layers, encoding):
    model = language_model(*layers(), kind=encoding, length=7)
    x = as_input(encoding, ids_of(some_text(40)))
    recording = record(model, x, window=7, batch_size=16)
    expect_windows(recording, model, x if encoding != "scaled" else x[:, None], 7)


def test_every_signal_at_the_end_of_a_window_is_that_of_the_window():
    model = language_model(lstm(sequences=True), lstm(4, "upper", kind="GRU"), length=9)
    ids = ids_of(some_text(30))
    recording = record(model, ids, window=9)
    windows = np.lib.stride_tricks.sliding_window_view(ids, 9)
    batch = record(model, windows)
    for name in recording.layers:
        for signal in recording.signals(name):
            np.testing.assert_allclose(
                recording[name][signal][0, 8:], batch[name][signal][:, -1], atol=1e-6
            )
        assert recording.signals(name) == SIGNALS[recording[name].attrs["kind"]]


@settings(max_examples=15, suppress_health_check=[HealthCheck.too_slow])
@given(
    kinds=st.lists(st.sampled_from(["GRU", "LSTM", "SimpleRNN"]), min_size=1, max_size=2),
    both=st.booleans(),
    sequences=st.booleans(),
    masked=st.booleans(),
    window=st.integers(1, 12),
    more=st.integers(0, 12),
    batch_size=st.sampled_from([None, 1, 5]),
    compiled=st.booleans(),
    seed=st.integers(0, 2**16),
)
def test_any_windows(**case):
    layers = []
    for k, kind in enumerate(case["kinds"]):
        last = k == len(case["kinds"]) - 1
        layer = lstm(k + 2, f"layer{k}", not last or case["sequences"], kind)
        layers.append(L.Bidirectional(layer, name=f"both{k}") if case["both"] else layer)
    keras.utils.set_random_seed(case["seed"])
    model = keras.Sequential(
        [
            keras.Input((None,)),
            L.Embedding(len(SYMBOLS), 3, mask_zero=case["masked"]),
            *layers,
            head(),
        ]
    )
    window = case["window"]
    ids = ids_of(some_text(window + case["more"], case["seed"]))
    with pytest.MonkeyPatch.context() as patch:
        if not case["compiled"]:
            patch.setattr("lstm_widgets.rnn.scan._compiled", lambda: None)
        recording = record(model, ids, window=window, batch_size=case["batch_size"], check="full")
    for (name, signal), values in loop_over_windows(model, ids, window).items():
        if name:
            recorded = recording[name][signal][0]
            np.testing.assert_allclose(recorded[window - 1 :], values, rtol=1e-5, atol=1e-5)


def test_a_subset_of_windowed_signals():
    model = language_model(lstm(sequences=True), lstm(3, "upper"), length=5)
    ids = ids_of(some_text(20))
    everything = record(model, ids, window=5)
    some = record(model, ids, window=5, layers="upper", signals="forget_gate")
    assert some.layers == ("upper",)
    np.testing.assert_allclose(some["upper"].forget_gate, everything["upper"].forget_gate)


def test_stateful_windows_start_from_the_states_that_were_found():
    layer = lstm(stateful=True)
    model = keras.Sequential(
        [keras.Input(batch_shape=(4, 6)), L.Embedding(len(SYMBOLS), 3), layer, head()]
    )
    start = [np.full((4, 5), value, np.float32) for value in (0.2, -0.4)]
    for variable, value in zip(layer.states, start, strict=True):
        variable.assign(value)
    ids = ids_of(some_text(15))
    recording = record(model, ids, window=6)
    for variable, value in zip(layer.states, start, strict=True):
        np.testing.assert_array_equal(variable, value)
    for t in (5, 9, 14):
        model.predict(np.repeat(ids[None, t - 5 : t + 1], 4, axis=0), batch_size=4, verbose=0)
        np.testing.assert_allclose(
            recording["lstm"].hidden_state[0, t], layer.states[0][0], atol=1e-5
        )
        for variable, value in zip(layer.states, start, strict=True):
            variable.assign(value)


def test_a_wrong_state_at_the_end_of_a_window_is_found(monkeypatch):
    original = session.scan_last

    def wrong(*arguments, **options):
        ends, before, state = original(*arguments, **options)
        ends["cell_state"] += 1e-3
        return ends, before, state

    monkeypatch.setattr(session, "scan_last", wrong)
    model = language_model(lstm(), length=5)
    with pytest.raises(SelfCheckError, match=r"layer 'lstm': .* differs by 0\.00"):
        record(model, ids_of(some_text(20)), window=5)


def test_the_check_of_windows_says_what_it_compared():
    model = language_model(lstm(), length=5)
    check = record(model, ids_of(some_text(20)), window=5, check="full")["lstm"].attrs["check"]
    assert (check["mode"], check["examples"], check["timesteps"]) == ("full", 16, 5)


# Continuous ---------------------------------------------------------------------------------------

CUTTABLE = {
    "last": lambda: [lstm()],
    "stacked": lambda: [lstm(sequences=True), L.Dropout(0.5), lstm(3, "upper", True, "GRU")],
    "between": lambda: [
        L.Dense(6, activation="relu"),
        lstm(sequences=True, kind="SimpleRNN"),
        L.LayerNormalization(),
        L.TimeDistributed(L.Dense(4)),
        L.Activation("tanh"),
        lstm(3, "upper"),
        L.BatchNormalization(),
    ],
    "cells": lambda: [L.RNN([L.LSTMCell(4), L.GRUCell(3)], name="rnn", return_sequences=True)],
}


@pytest.mark.parametrize("layers", CUTTABLE.values(), ids=CUTTABLE)
@pytest.mark.parametrize("encoding", ["ids", "one-hot", "scaled"])
def test_pieces_are_one_whole_pass(layers, encoding):
    free = language_model(*layers(), kind=encoding)
    fixed = language_model(*layers(), kind=encoding, length=8)
    fixed.set_weights(free.get_weights())
    x = as_input(encoding, ids_of(some_text(50)))
    whole = record(free, x[None], check="full")
    for model in (free, fixed):
        for size in (None, 13):
            expect_same(record(model, x, batch_size=size, check="full"), whole)


def test_a_model_with_a_fixed_length_is_left_as_it_was():
    model = language_model(lstm(), length=8)
    inner = keras.Sequential([keras.Input((8, 4)), lstm(name="inner", sequences=True)])
    inputs = keras.Input((8,))
    nested = keras.Model(inputs, head()(inner(L.Embedding(len(SYMBOLS), 4)(inputs))))
    ids = ids_of(some_text(30))
    for each in (model, nested):
        assert record(each, ids, top_k=2)[record(each, ids).layers[0]].sizes["timestep"] == 30
    with pytest.raises(ValueError, match="incompatible with"):
        nested(ids[None])
    assert not model.layers[-2].return_sequences
    assert model.predict(ids[None, :8], verbose=0).shape == (1, len(SYMBOLS))


@pytest.mark.parametrize("zero_output", [False, True])
def test_masked_pieces_are_one_whole_pass(zero_output):
    ids = ids_of(some_text(40))
    ids[:3] = ids[11:16] = ids[20:22] = ids[36:] = 0  # mask_zero: these are padding
    keras.utils.set_random_seed(1)
    model = keras.Sequential(
        [
            keras.Input((None,)),
            L.Embedding(len(SYMBOLS), 4, mask_zero=True),
            L.LSTM(
                4, return_sequences=True, zero_output_for_mask=zero_output, name="lower", **BIAS
            ),
            L.GRU(3, return_sequences=True, name="upper", **BIAS),
            head(),
        ]
    )
    whole = record(model, ids[None], top_k=3)
    for size in (1, 4, 13):
        pieces = record(model, ids, batch_size=size, check="full", top_k=3)
        expect_same(pieces, whole)
        np.testing.assert_array_equal(pieces["upper"].mask, whole["upper"].mask)
        np.testing.assert_allclose(
            pieces.predictions.probability, whole.predictions.probability, atol=1e-5
        )


def test_a_stateful_model_goes_on_from_its_state():
    layer = lstm(stateful=True, sequences=True)
    model = keras.Sequential(
        [keras.Input(batch_shape=(1, 6)), L.Embedding(len(SYMBOLS), 3), layer, head()]
    )
    ids = ids_of(some_text(30))
    expected = []
    for start in range(0, 30, 6):
        model.predict(ids[None, start : start + 6], verbose=0)
        expected.append(layer.states[1].numpy()[0])
    layer.reset_state()
    recording = record(model, ids, batch_size=7)
    np.testing.assert_allclose(recording["lstm"].cell_state[0, 5::6], expected, atol=1e-5)
    np.testing.assert_array_equal(layer.states[1], 0)


@pytest.mark.parametrize(
    ("layers", "problem"),
    [
        (lambda: [L.Bidirectional(lstm(sequences=True), name="both")], "'both' .Bidirectional"),
        (lambda: [L.Conv1D(3, 3, padding="same", name="conv"), lstm(sequences=True)], "'conv'"),
        (lambda: [lstm(sequences=True), L.Lambda(lambda x: x, name="own")], "'own' .Lambda"),
        (lambda: [lstm(sequences=True, go_backwards=True, name="back")], "'back' .LSTM"),
        (lambda: [lstm(sequences=True), L.LayerNormalization(axis=1, name="norm")], "'norm'"),
    ],
)
def test_what_cannot_be_cut_is_read_at_once_or_refused_by_name(layers, problem):
    ids = ids_of(some_text(30))
    if problem != "'norm'":
        free = language_model(*layers())
        expect_same(record(free, ids, batch_size=7), record(free, ids[None]))
    fixed = language_model(*layers(), length=6)
    with pytest.raises(ValueError, match=rf"inputs: layer {problem}.*30 tokens.*window=6 records"):
        record(fixed, ids)
    assert record(fixed, ids[:6]).layers == record(fixed, ids, window=6).layers


def test_a_subclassed_model_reads_a_text_at_once():
    class Own(keras.Model):
        def __init__(self):
            super().__init__()
            self.embedding = L.Embedding(len(SYMBOLS), 4)
            self.lstm = lstm(sequences=True)
            self.head = head()

        def call(self, ids):
            return self.head(self.lstm(self.embedding(ids)))

    model, ids = Own(), ids_of(some_text(30))
    recording = record(model, ids, top_k=2)
    assert recording["lstm"].sizes["timestep"] == 30
    expect_same(recording, record(model, ids[None]))
    windows = record(model, ids, window=5)
    expect_same(windows, record(model, ids, window=5, batch_size=3))


@pytest.mark.parametrize("window", [None, 5])
def test_an_unbuilt_model_reads_a_text(window):
    model = keras.Sequential([L.Embedding(len(SYMBOLS), 4), lstm(), head()])
    ids = ids_of(some_text(30))
    first = record(model, ids, window=window, top_k=2)
    expect_same(record(model, ids, window=window, top_k=2, batch_size=7), first)


@pytest.mark.parametrize("window", [None, 5])
def test_an_interrupted_text_keeps_its_beginning(monkeypatch, window):
    model = language_model(lstm(sequences=True))
    written = some_text(40)
    whole = record(model, ids_of(written), window=window, top_k=2)
    calls = []
    original = model.layers[-1].call

    def interrupted(*arguments, **options):
        calls.append(1)
        if len(calls) == 4:
            raise KeyboardInterrupt
        return original(*arguments, **options)

    monkeypatch.setattr(model.layers[-1], "call", interrupted)
    done = 30 if window is None else 34
    with pytest.warns(UserWarning, match=f"has the first {done} of 40 timesteps"):
        recording = record(
            model, ids_of(written), window=window, batch_size=10, top_k=2, tokens=written
        )
    assert recording["lstm"].sizes["timestep"] == done
    assert recording.predictions.sizes["timestep"] == done
    assert "".join(recording["lstm"].token.values[0]) == written[:done]
    np.testing.assert_allclose(
        recording["lstm"].hidden_state, whole["lstm"].hidden_state[:, :done], atol=1e-5
    )


# Vocabulary and tokens ----------------------------------------------------------------------------


def test_tokens_of_a_text():
    model = language_model(lstm())
    written = some_text(12)
    ids = ids_of(written)
    for tokens in (written, list(written), np.array(list(written))):
        recording = record(model, ids, tokens=tokens)
        assert "".join(recording["lstm"].token.values[0]) == written
        assert type(recording["lstm"].token.values[0, 0]) is str
    assert "token" not in record(model, ids)["lstm"].coords


def string_lookup():
    return L.StringLookup(vocabulary=list(SYMBOLS), num_oov_indices=0)


@pytest.mark.parametrize("encoding", ["ids", "one-hot", "scaled"])
@pytest.mark.parametrize(
    "vocabulary",
    [
        list(SYMBOLS),
        tuple(SYMBOLS),
        SYMBOLS,
        {c: k for k, c in enumerate(SYMBOLS)},
        dict(enumerate(SYMBOLS)),
        string_lookup,
    ],
    ids=["list", "tuple", "str", "dict", "by id", "StringLookup"],
)
def test_tokens_are_read_off_the_inputs(vocabulary, encoding):
    vocabulary = vocabulary() if callable(vocabulary) else vocabulary
    model = language_model(lstm(sequences=True), kind=encoding)
    written = some_text(20)
    x = as_input(encoding, ids_of(written))
    recording = record(model, x, vocabulary=vocabulary, top_k=3)
    assert "".join(recording["lstm"].token.values[0]) == written
    ids = recording.predictions.predicted_id.values
    tokens = recording.predictions.predicted_token.values
    assert tokens.tolist() == np.array(list(SYMBOLS), object)[ids].tolist()
    batch = record(model, np.stack([x, x]), vocabulary=vocabulary)
    assert ["".join(row) for row in batch["lstm"].token.values] == [written, written]
    expect_same(record(model, written, vocabulary=vocabulary), recording)
    expect_same(record(model, list(written), vocabulary=vocabulary), recording)
    given = record(model, x, vocabulary=vocabulary, tokens="x" * 20)
    assert "".join(given["lstm"].token.values[0]) == "x" * 20


def test_words_of_a_text_vectorization():
    words = L.TextVectorization(max_tokens=50, output_sequence_length=4)
    words.adapt(["The cat sat on the mat.", "the dog"])
    size = len(words.get_vocabulary())
    model = keras.Sequential(
        [keras.Input((None,)), L.Embedding(size, 4), lstm(sequences=True), L.Dense(size)]
    )
    recording = record(model, "The DOG sat, on a cat", vocabulary=words, top_k=2)
    tokens = ["the", "dog", "sat", "on", "[UNK]", "cat"]
    assert recording["lstm"].token.values[0].tolist() == tokens
    batch = record(model, words(["The dog", "on the mat again"]), vocabulary=words)
    assert batch["lstm"].token.values.tolist() == [
        ["the", "dog", "", ""],
        ["on", "the", "mat", "[UNK]"],
    ]
    known = words.get_vocabulary()
    assert all(token in known for token in recording.predictions.predicted_token.values.ravel())


def test_a_string_lookup_keeps_what_it_does_not_know():
    lookup = L.StringLookup(vocabulary=list("abc"), mask_token="")
    model = keras.Sequential([keras.Input((None,)), L.Embedding(5, 4), lstm()])
    recording = record(model, "abxc", vocabulary=lookup)
    assert recording["lstm"].token.values[0].tolist() == list("abxc")
    expect_same(recording, record(model, np.array([2, 3, 1, 4])))


def test_one_token_is_what_the_vocabulary_says():
    tokens = ["e\u0301", "e", "👩‍👩‍👧", "字", "ש", "\u200b", "\0", "<b>", "\u0301"]
    vocabulary = Vocabulary(tokens)
    written = ["字", "e\u0301", "e", "👩‍👩‍👧", "\u200b", "ש", "\0", "<b>", "\u0301"]
    pieces, ids = vocabulary.encode("".join(written), "inputs")
    assert pieces.tolist() == written
    assert vocabulary.decode(ids).tolist() == written
    model = keras.Sequential([keras.Input((None,)), L.Embedding(len(tokens), 4), lstm()])
    assert (
        record(model, "".join(written), vocabulary=tokens)["lstm"].token.values[0].tolist()
        == written
    )


def test_a_dict_may_leave_ids_out():
    vocabulary = Vocabulary({"a": 1, "b": 3})
    assert vocabulary.size == 2
    assert vocabulary.decode(np.array([[0, 1], [3, 9], [2, -1]])).tolist() == [
        ["", "a"],
        ["b", ""],
        ["", ""],
    ]


# Predictions --------------------------------------------------------------------------------------


def expect_predictions(predictions, outputs, ids, first=0):
    """Hold predictions against outputs `(timestep, symbol)` from `first` on."""
    count = predictions.sizes["rank"]
    order = np.argsort(-outputs, axis=1, kind="stable")[:, :count]
    probability = predictions.probability.values[0, first:]
    np.testing.assert_allclose(probability, np.take_along_axis(outputs, order, 1), atol=1e-5)
    assert (np.diff(probability) <= 0).all()
    chosen = predictions.predicted_id.values[0, first:]
    np.testing.assert_allclose(np.take_along_axis(outputs, chosen, 1), probability, atol=1e-5)
    targets = predictions.target_probability.values[0]
    np.testing.assert_allclose(
        targets[first:-1], outputs[np.arange(len(outputs) - 1), ids[first + 1 :]], atol=1e-5
    )
    assert np.isnan(targets[-1])
    assert (predictions.predicted_id[0, :first] == -1).all()
    assert np.isnan(predictions.probability[0, :first]).all()
    assert np.isnan(targets[:first]).all()


@pytest.mark.parametrize("sequences", [False, True])
@pytest.mark.parametrize("encoding", ["ids", "one-hot", "scaled"])
def test_predictions_of_windows(encoding, sequences):
    model = language_model(lstm(sequences=sequences), kind=encoding, length=6)
    ids = ids_of(some_text(25))
    x = as_input(encoding, ids)
    recording = record(model, x, window=6, top_k=4, vocabulary=SYMBOLS, batch_size=8)
    outputs = loop_over_windows(model, x if encoding != "scaled" else x[:, None], 6)["", "outputs"]
    outputs = outputs[:, -1] if sequences else outputs
    expect_predictions(recording.predictions, outputs, ids, 5)
    assert (recording.predictions.predicted_token[0, :5] == "").all()


@pytest.mark.parametrize("layers", CUTTABLE.values(), ids=CUTTABLE)
def test_predictions_of_a_whole_text(layers):
    """Also of a model that has one output for each window: that after each beginning of the text."""
    model = language_model(*layers())
    ids = ids_of(some_text(25))
    outputs = [np.asarray(model(ids[None, : t + 1])) for t in range(25)]
    outputs = [(row[:, -1] if row.ndim == 3 else row)[0] for row in outputs]
    recording = record(model, ids, top_k=3, batch_size=10, check="full")
    expect_predictions(recording.predictions, np.array(outputs), ids)
    assert "predicted_token" not in recording.predictions


def test_logits_go_through_a_softmax(tmp_path):
    keras.utils.set_random_seed(0)
    model = keras.Sequential(
        [keras.Input((None,)), L.Embedding(9, 4), lstm(sequences=True), L.Dense(9)]
    )
    ids = ids_of(some_text(25))
    logits = model.predict(ids[None], verbose=0)[0].astype(float)
    probabilities = np.exp(logits) / np.exp(logits).sum(1, keepdims=True)
    recording = record(model, ids, top_k=9, vocabulary=SYMBOLS)
    expect_predictions(recording.predictions, probabilities, ids)
    np.testing.assert_allclose(recording.predictions.probability.sum("rank"), 1, atol=1e-5)
    recording.save(tmp_path / "r")
    assert open_recording(tmp_path / "r").predictions.equals(recording.predictions)


def test_predictions_of_a_batch():
    model = language_model(lstm(sequences=True))
    ids = np.stack([ids_of(some_text(10, seed)) for seed in range(5)])
    predictions = record(model, ids, top_k=2, batch_size=2).predictions
    outputs = model.predict(ids, verbose=0)
    for k in range(5):
        expect_predictions(predictions.isel(example=[k]), outputs[k], ids[k])
    single = language_model(lstm(), length=10)
    predictions = record(single, ids, top_k=2, batch_size=2).predictions
    outputs = single.predict(ids, verbose=0)
    assert predictions.sizes == {"example": 5, "timestep": 10, "rank": 2}
    np.testing.assert_array_equal(predictions.predicted_id[:, -1, 0], outputs.argmax(1))
    assert (predictions.predicted_id[:, :-1] == -1).all()
    assert "target_probability" not in predictions


def test_what_comes_next_may_be_unknown():
    model = language_model(lstm(sequences=True), kind="one-hot")
    values = np.random.default_rng(0).normal(size=(10, len(SYMBOLS))).astype(np.float32)
    assert "target_probability" not in record(model, values, top_k=2).predictions


@pytest.mark.parametrize("encoding", ["ids", "one-hot", "scaled"])
@pytest.mark.parametrize("given", [True, False], ids=["vocabulary", "none"])
def test_classes_are_no_tokens_of_the_vocabulary(encoding, given):
    model = keras.Sequential(
        [*front(encoding), lstm(sequences=True), L.Dense(4, activation="softmax")]
    )
    ids = np.append(ids_of(some_text(20)), 8)
    x = as_input(encoding, ids)
    recording = record(model, x, top_k=2, vocabulary=SYMBOLS if given else None)
    assert set(recording.predictions.data_vars) == {"predicted_id", "probability"}
    outputs = model.predict(x[None] if encoding != "scaled" else x[None, :, None], verbose=0)[0]
    np.testing.assert_array_equal(recording.predictions.predicted_id[0, :, 0], outputs.argmax(1))
    if given:
        assert "token" in recording["lstm"].coords


@pytest.mark.parametrize("kind", ["TextVectorization", "StringLookup", "dict"])
def test_a_vocabulary_counts_what_stands_for_nothing_else(kind):
    """The ids of padding and of unknown words are symbols, too."""
    if kind == "TextVectorization":
        vocabulary, written = L.TextVectorization(), "cat sat"
        vocabulary.adapt(["cat sat"])
        size = 4
    elif kind == "StringLookup":
        vocabulary, written, size = L.StringLookup(vocabulary=["cat", "sat"]), ["cat", "sat"], 3
    else:
        vocabulary, written, size = {"cat": 1, "sat": 2}, ["cat", "sat"], 3
    keras.utils.set_random_seed(0)
    model = keras.Sequential(
        [keras.Input((None,)), L.Embedding(size, 4), lstm(sequences=True), L.Dense(size)]
    )
    predictions = record(model, written, vocabulary=vocabulary, top_k=size).predictions
    assert {"cat", "sat"} < set(predictions.predicted_token.values[0, 0])
    assert np.isfinite(predictions.target_probability[0, 0])


def nan_from_three(x):
    """Let a model's outputs be NaN where it reads the id 3."""
    return keras.ops.where(x == 3, np.float32(np.nan), np.float32(0))[..., None]


@pytest.mark.parametrize("activation", ["softmax", None])
def test_nan_is_no_prediction(activation):
    inputs = keras.Input((None,))
    x = lstm(sequences=True)(L.Embedding(9, 4)(inputs))
    x = L.Dense(9)(x) + L.Lambda(nan_from_three)(inputs)
    model = keras.Model(inputs, L.Activation(activation or "linear")(x))
    ids = np.array([[3, 3, 3, 3], [0, 3, 5, 6]])
    predictions = record(model, ids, top_k=2, vocabulary=SYMBOLS, batch_size=1).predictions
    none = ids == 3
    assert (predictions.predicted_id.values[none] == -1).all()
    assert (predictions.predicted_token.values[none] == "").all()
    assert np.isnan(predictions.probability.values[none]).all()
    assert np.isnan(predictions.target_probability.values[none]).all()
    outputs = model.predict(ids, verbose=0)[~none]
    np.testing.assert_array_equal(predictions.predicted_id.values[~none][:, 0], outputs.argmax(1))
    np.testing.assert_array_less(0, predictions.probability.values[~none])
    np.testing.assert_array_less(predictions.probability.values[~none], 1)
    assert np.isfinite(predictions.target_probability.values[1, [0, 2]]).all()


def test_logits_may_rule_a_symbol_out():
    """By -inf, in every row."""
    keras.utils.set_random_seed(0)
    inputs = keras.Input((None,))
    x = lstm(sequences=True)(L.Embedding(9, 4)(inputs))
    ruled_out = np.where(np.arange(9) == 2, -np.inf, 0).astype(np.float32)
    model = keras.Model(inputs, L.Dense(9)(x) + ruled_out)
    predictions = record(model, ids_of(some_text(12)), top_k=9).predictions
    np.testing.assert_allclose(predictions.probability.sum("rank"), 1, atol=1e-5)
    assert (predictions.predicted_id[..., -1] == 2).all()
    assert (predictions.probability[..., -1] == 0).all()


def masked_model(sequences):
    keras.utils.set_random_seed(0)
    return keras.Sequential(
        [
            keras.Input((None,)),
            L.Embedding(9, 4, mask_zero=True),
            lstm(sequences=sequences),
            head(),
        ]
    )


def test_padding_has_no_predictions():
    ids = np.array([[1, 2, 3, 0, 0], [0, 0, 4, 5, 6], [7, 8, 1, 2, 3], [0, 0, 0, 0, 0]])
    real = ids != 0
    model = masked_model(sequences=True)
    predictions = record(model, ids, top_k=2, vocabulary=SYMBOLS, batch_size=3).predictions
    assert (predictions.predicted_id.values[~real] == -1).all()
    assert (predictions.predicted_token.values[~real] == "").all()
    assert np.isnan(predictions.probability.values[~real]).all()
    outputs = model.predict(ids, verbose=0)
    np.testing.assert_array_equal(
        predictions.predicted_id.values[real][:, 0], outputs[real].argmax(1)
    )
    expected = np.full(ids.shape, np.nan)
    for k, t in np.argwhere(real[:, :-1] & real[:, 1:]):
        expected[k, t] = outputs[k, t, ids[k, t + 1]]
    np.testing.assert_allclose(predictions.target_probability, expected, atol=1e-6)


@pytest.mark.parametrize("window", [None, 3])
def test_padding_in_a_text_has_no_predictions(window):
    ids = np.array([1, 2, 3, 4, 0, 0, 5, 6, 0])
    real = ids != 0
    real[: (window or 1) - 1] = False
    predictions = record(
        masked_model(sequences=True), ids, window=window, top_k=2, batch_size=4
    ).predictions
    np.testing.assert_array_equal(predictions.predicted_id[0, :, 0] >= 0, real)
    np.testing.assert_array_equal(np.isfinite(predictions.probability[0, :, 0]), real)
    known = np.isfinite(predictions.target_probability[0])
    np.testing.assert_array_equal(known, real & np.append(real[1:], False))


def test_the_only_prediction_stands_where_the_example_ends():
    ids = np.array([[1, 2, 3, 0, 0], [0, 0, 4, 5, 6], [0, 0, 0, 0, 0]])
    model = masked_model(sequences=False)
    predictions = record(model, ids, top_k=1, batch_size=2).predictions
    found = predictions.predicted_id.values[..., 0]
    assert np.argwhere(found >= 0).tolist() == [[0, 2], [1, 4]]
    assert found[[0, 1], [2, 4]].tolist() == model.predict(ids[:2], verbose=0).argmax(1).tolist()


# What is refused ----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("inputs", "options", "message"),
    [
        ("", {"vocabulary": SYMBOLS}, "inputs: expected a text of at least one token, got an empt"),
        (np.zeros(0, int), {}, "inputs: expected a text of at least one token, got an empty one"),
        ("abc", {"vocabulary": SYMBOLS, "window": 6}, "window: expected at most 3, .* got 6"),
        ("abc", {}, "vocabulary: expected one, to read the text"),
        ("abXc", {"vocabulary": SYMBOLS}, "inputs: 'X' at position 2 is not in the vocabulary"),
        (["a", "bc"], {"vocabulary": SYMBOLS}, "inputs: 'bc' at position 1 is not in the vocab"),
        ("abXc", {"vocabulary": ["ab", "c"]}, "inputs: 'X' at position 2 is not in the vocabulary"),
        (np.arange(8), {"vocabulary": "abcdef"}, "inputs: id 6 at position 6 is not .* 6 tokens"),
        (np.arange(8), {"tokens": "abc"}, "tokens: expected 8, one for each .*, got 3"),
        (np.arange(8), {"window": 0}, "window: expected a positive whole number, got 0"),
        (np.arange(8), {"window": True}, "window: expected a positive whole number, got True"),
        (np.arange(8), {"window": 5}, "window: the model takes 6 timesteps, got 5"),
        (np.zeros((2, 5)), {"window": 6}, "window: expected at most 5, the number of tokens"),
        (np.arange(8), {"top_k": 10}, "top_k: expected at most the model's 9 symbols, got 10"),
        (np.arange(8), {"top_k": 0}, "top_k: expected a positive whole number, got 0"),
        (np.arange(8), {"vocabulary": []}, "vocabulary: expected at least one token, got none"),
        (np.arange(8), {"vocabulary": {}}, "vocabulary: expected at least one token"),
        (
            np.arange(8),
            {"vocabulary": ["a", "a"]},
            "vocabulary: .* different tokens, got 'a' twice",
        ),
        (np.arange(8), {"vocabulary": {"a": 1, "b": 1}}, "vocabulary: .* 1 for 'a' and 'b'"),
        (np.arange(8) + 0.3, {"vocabulary": SYMBOLS}, "vocabulary: .* so tokens= is needed"),
        (np.arange(8), {"labels": ["a", "b"]}, "labels: expected one str for each of 1 examples"),
    ],
)
def test_what_does_not_fit_is_named(inputs, options, message):
    model = language_model(lstm(), length=6)
    with pytest.raises(ValueError, match=message):
        record(model, inputs, **options)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"tokens": [1] * 8}, "tokens: expected str, got 1"),
        ({"tokens": 8}, "tokens: expected a str or a sequence of str"),
        ({"vocabulary": 5}, "vocabulary: expected a list or dict"),
        ({"vocabulary": {"a": "b", "c": 1}}, "vocabulary: expected a dict from str to id"),
        ({"vocabulary": [1, 2]}, "vocabulary: expected str, got 1"),
    ],
)
def test_what_is_of_another_type_is_named(options, message):
    with pytest.raises(TypeError, match=message):
        record(language_model(lstm()), np.arange(8), **options)


@pytest.mark.parametrize("inputs", [np.array(["a", "b"]), np.array([b"a"]), [["a", "b"]]])
@pytest.mark.parametrize("vocabulary", [SYMBOLS, None])
def test_an_array_of_str_is_no_text(inputs, vocabulary):
    with pytest.raises(TypeError, match=r"inputs: expected numbers .* got an array of str"):
        record(language_model(lstm()), inputs, vocabulary=vocabulary)


def test_a_model_that_looks_its_words_up_itself():
    inputs = keras.Input((None,), dtype="string")
    x = L.Embedding(4, 3)(L.StringLookup(vocabulary=["a", "b", "c"])(inputs))
    model = keras.Model(inputs, lstm()(x))
    assert record(model, np.array([["a", "b"], ["c", "a"]]))["lstm"].sizes["timestep"] == 2
    # Whatever ids another vocabulary has, what stands there is what was given.
    recording = record(model, np.array([["a", "b"]]), vocabulary=["b", "a", "c"])
    assert recording["lstm"].token.values.tolist() == [["a", "b"]]


def test_models_without_predictions():
    ids = ids_of(some_text(8))
    embedding = [keras.Input((None,)), L.Embedding(9, 4)]
    inputs = keras.Input((None,))
    x = lstm()(L.Embedding(9, 4)(inputs))
    with pytest.raises(ValueError, match="output: the model has 2, name one of"):
        record(keras.Model(inputs, [L.Dense(9)(x), L.Dense(9)(x)]), ids, top_k=1)
    both = keras.Sequential([*embedding, L.Bidirectional(lstm()), head()])
    with pytest.raises(ValueError, match=r"top_k: .*every timestep.*window=W"):
        record(both, ids, top_k=1)


def test_a_small_text_shows_no_progress(capsys):
    model = language_model(lstm())
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        record(model, ids_of(some_text(20)))
        record(model, ids_of(some_text(20)), window=4)
    assert capsys.readouterr().err == ""
    record(model, ids_of(some_text(20)), batch_size=4)
    assert "recording" in capsys.readouterr().err


def test_windows_run_in_batches_of_a_size_that_fits():
    model = keras.Sequential([keras.Input((40, 2)), L.LSTM(512)])
    layers = adapter_of(model).layers
    small = texts.standard_size(reading.Reading("windows", 10_000, 40), layers, None, None)
    assert 64 <= small < 4096
    assert texts.standard_size(reading.Reading("windows", 10_000, 40), layers, 8, None) == 8


def test_several_sentences_are_not_taken_for_one_text():
    words = L.TextVectorization()
    words.adapt(["the cat sat", "a dog"])
    model = keras.Sequential([keras.Input((None,)), L.Embedding(9, 2), L.LSTM(3)])
    recording = record(model, ["the cat sat"], vocabulary=words)
    (layer,) = recording.layers
    read = recording[layer].hidden_state.token
    assert read.values.tolist() == [["the", "cat", "sat"]]
    with pytest.raises(ValueError, match=r"'the cat sat' is several tokens"):
        record(model, ["the cat sat", "a dog"], vocabulary=words)


def test_ids_that_an_embedding_does_not_have_are_named():
    model = keras.Sequential([keras.Input((None,)), L.Embedding(10, 4), L.LSTM(3)])
    with pytest.raises(ValueError, match=r"inputs: .* ids from 0 to 9, got 99 \(at \[0,2\]"):
        record(model, np.array([[1, 2, 99]]))


def test_a_written_text_is_no_input_for_a_model_that_takes_two():
    first, second = keras.Input((None,)), keras.Input((None,))
    both = L.Add()([L.LSTM(3)(L.Embedding(9, 2)(first)), L.LSTM(3)(L.Embedding(9, 2)(second))])
    model = keras.Model([first, second], both)
    with pytest.raises(ValueError, match=r"inputs: expected 2 arrays .* got a str"):
        record(model, "abc", vocabulary="abcdefghi")
