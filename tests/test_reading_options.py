"""Unknown characters, padding in front of windows, and tokens of some layers, wherever a model runs."""

import inspect

import keras
import numpy as np
import pytest
from keras import layers as L

import lstm_widgets as lw
from lstm_widgets import generate, record

SYMBOLS = "_abcdef"
TEXT = "abcfedabba"
WINDOW = 4


def language_model(kind="ids", length=None, masked=False):
    keras.utils.set_random_seed(11)
    size = len(SYMBOLS)
    front = {
        "ids": lambda: [keras.Input((length,)), L.Embedding(size, 3, mask_zero=masked)],
        "one-hot": lambda: [keras.Input((length, size))],
        "scaled": lambda: [keras.Input((length, 1))],
    }[kind]()
    head = L.Dense(size, activation="softmax", bias_initializer="random_normal")
    return keras.Sequential([*front, L.LSTM(5, name="lstm"), head])


def ids_of(text):
    return np.array([SYMBOLS.index(c) for c in text])


def as_input(kind, ids):
    if kind == "ids":
        return ids
    if kind == "one-hot":
        return np.eye(len(SYMBOLS), dtype="float32")[ids]
    return (ids / len(SYMBOLS)).astype("float32")[..., None]


def windows_of(values, pad, window=WINDOW):
    """All windows, in the plainest way, of a text behind padding."""
    rows = [*[pad] * (window - 1), *values]
    return np.array([rows[k : k + window] for k in range(len(values))])


def last_states(model, windows):
    layer = model.get_layer("lstm")
    return np.asarray(keras.Model(model.inputs, layer.output)(windows))


# Padding in front of windows ----------------------------------------------------------------------


@pytest.mark.parametrize("kind", ["ids", "one-hot", "scaled"])
@pytest.mark.parametrize("length", [None, WINDOW])
@pytest.mark.parametrize("pad", [2, "b"])
@pytest.mark.parametrize("text", [TEXT, "ca"], ids=["long", "short"])
def test_windows_begin_with_padding(kind, length, pad, text):
    model = language_model(kind, length)
    options = {"window": WINDOW, "vocabulary": SYMBOLS, "top_k": 3, "pad": pad}
    recording = record(model, text, **options)
    windows = as_input(kind, windows_of(ids_of(text), 2))
    found = recording["lstm"]
    np.testing.assert_allclose(found.hidden_state[0], last_states(model, windows), atol=1e-6)
    assert "mask" not in found
    assert "".join(found.token.values[0]) == text
    assert recording.tree.attrs["pad"] == pad
    assert recording.tree.attrs["padding"] == WINDOW - 1
    outputs = np.asarray(model(windows))
    best = np.sort(outputs, axis=1)[:, :-4:-1]
    np.testing.assert_allclose(recording.predictions.probability[0], best, atol=1e-6)
    # Where no padding is read, it is as without.
    if len(text) >= WINDOW:
        plain = record(model, text, **options | {"pad": None})["lstm"].hidden_state
        np.testing.assert_allclose(found.hidden_state[:, 3:], plain[:, 3:], atol=1e-6)


def test_padding_may_be_vectors():
    model = language_model("one-hot")
    windows = np.concatenate([np.zeros((3, len(SYMBOLS))), as_input("one-hot", ids_of("ab"))])
    for pad in ("zero", np.zeros(len(SYMBOLS))):
        recording = record(model, "ab", window=WINDOW, vocabulary=SYMBOLS, pad=pad)
        states = last_states(model, np.stack([windows[:4], windows[1:]]))
        np.testing.assert_allclose(recording["lstm"].hidden_state[0], states, atol=1e-6)
    series = keras.Sequential([keras.Input((None, 2)), L.LSTM(5, name="lstm")])
    values = np.random.default_rng(0).normal(size=(6, 2)).astype("float32")
    for pad, row in ((0, [0, 0]), (0.5, [0.5, 0.5]), ([1.0, -2.0], [1.0, -2.0])):
        recording = record(series, values, window=3, pad=pad)
        states = last_states(series, windows_of(values, np.array(row, "float32"), 3))
        np.testing.assert_allclose(recording["lstm"].hidden_state[0], states, atol=1e-6)


def test_padding_that_the_model_masks_counts_for_nothing():
    model = language_model(masked=True)
    recording = record(model, "abc", window=WINDOW, vocabulary=SYMBOLS, pad="_")
    for t in range(3):
        alone = last_states(model, ids_of("abc"[: t + 1])[None])
        np.testing.assert_allclose(recording["lstm"].hidden_state[0, t], alone[0], atol=1e-6)


@pytest.mark.parametrize("kind", ["ids", "one-hot", "scaled"])
def test_a_prompt_shorter_than_the_window_is_gone_on_from(kind):
    model = language_model(kind, WINDOW)
    made = generate(
        model, "ab", 5, vocabulary=SYMBOLS, window=WINDOW, pad="_", temperature=0, top_k=2
    )
    ids = ids_of("ab").tolist()
    for _ in range(5):
        window = windows_of(ids, 0)[-1:]
        ids.append(int(np.asarray(model(as_input(kind, window)))[0].argmax()))
    assert made.ids.tolist() == ids[2:]
    whole = record(model, "ab" + made.text, window=WINDOW, pad=0, vocabulary=SYMBOLS)
    np.testing.assert_allclose(
        made.recording["lstm"].hidden_state, whole["lstm"].hidden_state, atol=1e-6
    )


def test_zeros_stand_before_a_prompt():
    model = language_model("one-hot", WINDOW)
    options = {"vocabulary": SYMBOLS, "window": WINDOW, "pad": "zero", "temperature": 0}
    made = generate(model, "a", 1, **options)
    window = np.concatenate([np.zeros((3, len(SYMBOLS))), as_input("one-hot", ids_of("a"))])
    np.testing.assert_allclose(made.probabilities, model(window[None]), atol=1e-6)


@pytest.mark.parametrize("text", [TEXT, "ca"], ids=["long", "short"])
def test_dependency_of_windows_that_begin_with_padding(text):
    model = language_model()
    found = lw.dependency(model, text, window=WINDOW, vocabulary=SYMBOLS, pad="_", target=1)
    assert found.shape == (1, len(text), len(text))
    windows = windows_of(ids_of(text), 0)
    each = lw.dependency(model, windows, target=1)[:, 0].values
    for t, row in enumerate(found[0].values):
        first = max(0, t - WINDOW + 1)
        np.testing.assert_allclose(row[first : t + 1], each[t, first - t - 1 :], atol=1e-6)
        assert np.isnan(row[:first]).all()
        assert np.isnan(row[t + 1 :]).all()
    assert "".join(found.token.values[0]) == text
    one = lw.dependency(model, text, window=WINDOW, vocabulary=SYMBOLS, pad="_", target=1, at=0)
    np.testing.assert_allclose(one[0, 0], found[0, 0, :1], atol=1e-6)


def test_ablation_of_windows_that_begin_with_padding():
    model = language_model()
    options = {"window": WINDOW, "vocabulary": SYMBOLS, "pad": "_"}
    found = lw.ablate(model, TEXT, 0, **options)
    ids = ids_of(TEXT)
    outputs = np.asarray(model(windows_of(ids, 0)), np.float64)[:-1]
    expected = -np.log(outputs[np.arange(len(TEXT) - 1), ids[1:]])
    np.testing.assert_allclose(found.timesteps.loss[0, :-1], expected, atol=1e-5)
    np.testing.assert_allclose(found.table.loss, expected.mean(), atol=1e-5)


def test_what_if_takes_unknown_characters_and_short_texts():
    widget = lw.WhatIf(
        language_model(), "ab", vocabulary=SYMBOLS, window=WINDOW, pad="_", unknown="_"
    )
    widget.text = "xyz"
    assert widget.recording["lstm"].sizes["timestep"] == 3


@pytest.mark.parametrize(
    ("options", "error", "message"),
    [
        ({"pad": "_", "window": None}, ValueError, "pad: expected None, because without window="),
        ({"pad": "x"}, ValueError, "pad: expected a token of the vocabulary=, an id, .* got 'x'"),
        ({"pad": "zero"}, ValueError, "pad: expected .* because the model takes ids; got 'zero'"),
        ({"pad": -1}, ValueError, "pad: expected an id from 0, got -1"),
        ({"pad": 0.5}, ValueError, "pad: expected an id from 0, got 0.5"),
        ({"pad": [1, 2]}, ValueError, r"pad: expected an id, .* got \[1, 2\]"),
        (
            {},
            ValueError,
            "window: expected at most 2, .*; pad= puts padding before the text",
        ),
    ],
)
def test_padding_that_does_not_fit_is_named(options, error, message):
    with pytest.raises(error, match=message):
        record(language_model(), "ab", **{"window": WINDOW, "vocabulary": SYMBOLS} | options)


@pytest.mark.parametrize("pad", [7, -1, True, "x", "zero", 0.5, [0]])
def test_padding_of_a_prompt_that_does_not_fit_is_named(pad):
    with pytest.raises(ValueError, match="pad: expected a token of the vocabulary or an id from 0"):
        generate(language_model(), "ab", 2, vocabulary=SYMBOLS, window=WINDOW, pad=pad)


# What isn't in the vocabulary ---------------------------------------------------------------------


@pytest.fixture(scope="module")
def reader():
    keras.utils.set_random_seed(12)
    head = L.Dense(len(SYMBOLS), activation="softmax", bias_initializer="random_normal")
    return keras.Sequential(
        [
            keras.Input((None,)),
            L.Embedding(len(SYMBOLS), 3),
            L.LSTM(5, name="lstm", return_sequences=True),
            head,
        ]
    )


ODD = "aéb☺é"
KNOWN = "a_b__"


@pytest.mark.parametrize("unknown", [0, "_", np.int64(0)])
def test_unknown_characters_are_read_as_one_id_wherever_a_model_runs(reader, unknown):
    options = {"vocabulary": SYMBOLS, "unknown": unknown}
    plain = {"vocabulary": SYMBOLS}
    recording = record(reader, ODD, **options)
    expected = record(reader, KNOWN, **plain)
    np.testing.assert_array_equal(recording["lstm"].hidden_state, expected["lstm"].hidden_state)
    # What was written is seen, not what it is read as.
    assert "".join(recording["lstm"].token.values[0]) == ODD
    given = record(reader, list(ODD), **options)
    np.testing.assert_array_equal(given["lstm"].hidden_state, expected["lstm"].hidden_state)
    for function, keywords in (
        (lw.dependency, {}),
        (lw.relevance, {"methods": "gradient_x_input"}),
        (lambda *a, **k: lw.ablate(*a, **k).timesteps.loss_held, {"cells": 1}),
        (lambda *a, **k: generate(*a, **k).probabilities, {"length": 3, "seed": 0}),
    ):
        found = function(reader, ODD, **options, **keywords)
        want = function(reader, KNOWN, **plain, **keywords)
        if hasattr(found, "relevance"):
            assert "".join(found.token.values[0]) == ODD
            found, want = found.relevance, want.relevance
        np.testing.assert_array_equal(found, want)
    found = lw.relevance(reader, ODD, methods="gradient_x_input", **options)
    curve = lw.deletion_curve(reader, ODD, found, limit=2, **options)
    want = lw.deletion_curve(reader, KNOWN, found, limit=2, **plain)
    np.testing.assert_array_equal(curve, want)


def test_layers_have_an_id_of_their_own_for_what_they_do_not_know(reader):
    words = L.TextVectorization(vocabulary=list("abcde"))
    lookup = L.StringLookup(vocabulary=list("abcdef"))
    for layer, text in ((words, "a x b"), (lookup, "axb")):
        for unknown in (None, 1 if layer is words else 0, "[UNK]"):
            recording = record(reader, text, vocabulary=layer, unknown=unknown)
            ids = np.asarray(layer([text])[0] if layer is words else layer(list(text)))
            expected = record(reader, ids[None])["lstm"].hidden_state
            np.testing.assert_array_equal(recording["lstm"].hidden_state, expected)
        with pytest.raises(ValueError, match=r"unknown: expected None, .* as id \d itself; got 3"):
            record(reader, text, vocabulary=layer, unknown=3)
    strict = L.StringLookup(vocabulary=list("abcdef"), num_oov_indices=0)
    with pytest.raises(ValueError, match=r"inputs: 'x' at position 1 .*; unknown= sets"):
        record(reader, "axb", vocabulary=strict)
    recording = record(reader, "axb", vocabulary=strict, unknown="c")
    expected = record(reader, "acb", vocabulary=strict)
    np.testing.assert_array_equal(recording["lstm"].hidden_state, expected["lstm"].hidden_state)


def test_longer_tokens_around_an_unknown_character(reader):
    vocabulary = {"?": 0, "ab": 1, "cd": 2, "f": 3}
    recording = record(reader, "abxcdf☺", vocabulary=vocabulary, unknown="?")
    assert recording["lstm"].token.values[0].tolist() == ["ab", "x", "cd", "f", "☺"]
    expected = record(reader, [[1, 0, 2, 3, 0]])["lstm"].hidden_state
    np.testing.assert_array_equal(recording["lstm"].hidden_state, expected)


@pytest.mark.parametrize(
    ("options", "error", "message"),
    [
        (
            {},
            ValueError,
            r"inputs: 'é' at position 1 .* vocabulary \(nor are '☺'\); unknown= sets",
        ),
        ({"unknown": "x"}, ValueError, "unknown: expected an id or a token of the .*, got 'x'"),
        ({"unknown": -1}, TypeError, "unknown: expected an id .*, got -1"),
        ({"unknown": 1.0}, TypeError, "unknown: expected an id .*, got 1.0"),
        ({"unknown": True}, TypeError, "unknown: expected an id .*, got True"),
        ({"unknown": 9}, ValueError, "inputs: the model looks up ids from 0 to 6, got 9"),
        (
            {"vocabulary": None, "unknown": 0},
            ValueError,
            "unknown: expected None without vocabulary=",
        ),
    ],
)
def test_what_is_unknown_without_a_way_out_is_named(reader, options, error, message):
    with pytest.raises(error, match=message):
        record(reader, ODD, **{"vocabulary": SYMBOLS} | options)


# Tokens of some layers ----------------------------------------------------------------------------


@pytest.fixture(scope="module")
def translator():
    a, b = keras.Input((3,), name="a"), keras.Input((2,), name="b")
    embedding = L.Embedding(9, 3)
    _, *state = L.LSTM(4, name="encoder", return_state=True)(embedding(a))
    x = L.LSTM(4, name="decoder", return_sequences=True)(embedding(b), initial_state=state)
    x = L.Bidirectional(L.GRU(3), name="bi")(x)
    return keras.Model([a, b], x)


PAIR = [np.array([[1, 2, 3]]), np.array([[4, 5]])]


def test_tokens_may_name_layers_that_are_not_kept_and_both_directions(translator):
    tokens = {"encoder": ["abc"], "decoder": ["de"], "bi": ["fg"]}
    for layers in ("encoder", "decoder", "bi", "bi/backward", None):
        recording = record(translator, PAIR, layers=layers, tokens=tokens)
        for name in recording.layers:
            expected = tokens[name.split("/")[0]][0]
            assert "".join(recording[name].token.values[0]) == expected
    closest = record(translator, PAIR, tokens={"bi": ["fg"], "bi/forward": ["hi"]})
    assert "".join(closest["bi/forward"].token.values[0]) == "hi"
    assert "".join(closest["bi/backward"].token.values[0]) == "fg"


@pytest.mark.parametrize(
    ("tokens", "message"),
    [
        ({"coder": ["abc"]}, "tokens: expected names among 'encoder', 'decoder', 'bi', .* 'coder'"),
        ({"bi/b": ["ab"]}, "tokens: expected names .* got 'bi/b'"),
        ({"decoder": ["abc"]}, r"tokens\['decoder'\]: expected 2 tokens .* got 3"),
        ({"bi": ["abc"]}, r"tokens\['bi'\]: expected 2 tokens .* got 3"),
    ],
)
def test_tokens_of_layers_that_the_model_does_not_have_are_refused(translator, tokens, message):
    with pytest.raises(ValueError, match=message):
        record(translator, PAIR, layers="encoder", tokens=tokens)


def test_a_text_has_tokens_by_layer_too(reader):
    recording = record(reader, [[1, 2, 3]], tokens={"lstm": ["abc"]})
    text = record(reader, np.array([1, 2, 3]), tokens={"lstm": "abc"})
    assert text["lstm"].token.values.tolist() == recording["lstm"].token.values.tolist()


# One set of options, wherever a model runs ----------------------------------------------------------

READING = {"vocabulary", "unknown", "window", "pad", "state", "batch_size", "check", "tolerance"}


@pytest.mark.parametrize("name", ["record", "generate", "ablate", "WhatIf", "CellFinder"])
def test_what_runs_a_model_takes_all_reading_options(name):
    options = READING - ({"batch_size"} if name == "generate" else set())  # it writes one text
    assert options <= inspect.signature(getattr(lw, name)).parameters.keys()


@pytest.mark.parametrize("name", ["ablate", "WhatIf", "CellFinder"])
def test_the_check_and_its_tolerance_reach_the_recording(name):
    model = language_model()
    options = {"vocabulary": SYMBOLS, "tolerance": 0.25, "batch_size": 3, "check": "full"}
    if name == "ablate":
        found = lw.ablate(model, TEXT, 0, **options).recording
    elif name == "WhatIf":
        found = lw.WhatIf(model, TEXT, **options).recording
    else:
        finder = lw.CellFinder(
            lw.record(model, TEXT, vocabulary=SYMBOLS),
            {"a": "a"},
            model=model,
            inputs=TEXT,
            **options,
        )
        found = finder._ablate[""](0).recording
    check = found["lstm"].attrs["check"]
    assert (check["mode"], check["tolerance"]) == ("full", 0.25)
