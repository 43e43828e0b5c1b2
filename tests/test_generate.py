"""`generate` against a plain loop that predicts, draws and appends."""

import io

import keras
import numpy as np
import pytest
import tqdm.auto
from keras import layers as L

from lstm_widgets import generate, record

SYMBOLS = "abcdefg \n"
PROMPT = "bad cafe\nfad"
BIAS = {"bias_initializer": "random_normal"}


def ids_of(text):
    return np.array([SYMBOLS.index(c) for c in text])


def language_model(encoding="ids", length=None, sequences=True, logits=False, **options):
    keras.utils.set_random_seed(3)
    size = len(SYMBOLS)
    if encoding == "ids":
        front = [keras.Input((length,), **options), L.Embedding(size, 4)]
    else:
        front = [keras.Input((length, size if encoding == "one-hot" else 1), **options)]
    return keras.Sequential(
        [
            *front,
            L.LSTM(6, return_sequences=True, name="lower", **BIAS),
            L.GRU(5, return_sequences=sequences, name="upper", **BIAS),
            L.Dense(size, activation=None if logits else "softmax", kernel_initializer="normal"),
        ]
    )


def as_batch(encoding, ids):
    if encoding == "one-hot":
        return np.eye(len(SYMBOLS), dtype=np.float32)[ids][None]
    return (
        ids[None] if encoding == "ids" else (ids / len(SYMBOLS)).astype(np.float32)[None, :, None]
    )


def plain_loop(model, encoding, length, window, *, temperature, rng):
    """Predict, draw, append."""
    ids, rows = ids_of(PROMPT).tolist(), []
    for _ in range(length):
        outputs = model.predict(as_batch(encoding, np.array(ids[-(window or 0) :])), verbose=0)[0]
        row = outputs[-1] if outputs.ndim == 2 else outputs
        rows.append(row)
        if temperature:
            p = row.astype(float) ** (1 / temperature)
            ids.append(int(rng.choice(len(p), p=p / p.sum())))
        else:
            ids.append(int(row.argmax()))
    return ids[len(PROMPT) :], np.array(rows)


@pytest.mark.parametrize("temperature", [0, 0.7])
@pytest.mark.parametrize(
    ("encoding", "sequences", "window"),
    [
        ("ids", True, None),
        ("ids", False, None),
        ("one-hot", True, None),
        ("scaled", False, None),
        ("ids", False, 8),
        ("one-hot", True, 8),
        ("scaled", False, 8),
    ],
)
def test_a_continuation_is_that_of_the_plain_loop(encoding, sequences, window, temperature):
    model = language_model(encoding, window, sequences)
    ids, rows = plain_loop(
        model, encoding, 8, window, temperature=temperature, rng=np.random.default_rng(7)
    )
    made = generate(
        model, PROMPT, 8, vocabulary=SYMBOLS, window=window, temperature=temperature, seed=7
    )
    assert made.ids.tolist() == ids
    assert made.text == "".join(SYMBOLS[k] for k in ids) == "".join(made.tokens)
    assert made.probabilities.dtype == np.float32
    np.testing.assert_allclose(made.probabilities, rows, atol=1e-5)

    whole = record(model, PROMPT + made.text, vocabulary=SYMBOLS, window=window, top_k=5)
    for name in whole.layers:
        assert "".join(made.recording[name].token.values[0]) == PROMPT + made.text
        for signal in whole.signals(name):
            np.testing.assert_allclose(
                made.recording[name][signal], whole[name][signal], atol=1e-5, equal_nan=True
            )
    predictions = made.recording.predictions
    assert predictions.sizes == {"example": 1, "timestep": len(PROMPT) + 8, "rank": 5}
    for name in ("probability", "target_probability"):
        np.testing.assert_allclose(predictions[name], whole.predictions[name], atol=1e-5)
    drawn = predictions.target_probability.values[0, len(PROMPT) - 1 : -1]
    np.testing.assert_array_equal(drawn, made.probabilities[np.arange(8), made.ids])


def test_a_fixed_length_model_carries_its_state_on():
    free, fixed = language_model(), language_model(length=4)
    one = generate(free, PROMPT, 10, vocabulary=SYMBOLS, seed=1)
    other = generate(fixed, PROMPT, 10, vocabulary=SYMBOLS, seed=1)
    assert one.text == other.text
    np.testing.assert_allclose(one.probabilities, other.probabilities, atol=1e-6)


@pytest.mark.parametrize("window", [None, 5])
def test_the_model_is_called_once_a_token(monkeypatch, window):
    model = language_model()
    calls = []
    original = model.layers[-1].call
    monkeypatch.setattr(
        model.layers[-1], "call", lambda x, **o: calls.append(x.shape[:2]) or original(x, **o)
    )
    generate(model, PROMPT, 10, vocabulary=SYMBOLS, window=window)
    prompt = (1, len(PROMPT)) if window is None else (len(PROMPT) - 4, 5)
    assert [tuple(shape) for shape in calls] == [prompt] + [(1, window or 1)] * 10


def test_it_is_reproducible():
    model = language_model()
    texts = [
        generate(model, PROMPT, 30, vocabulary=SYMBOLS, seed=seed).text
        for seed in (5, 5, np.random.default_rng(5), 6)
    ]
    assert texts[0] == texts[1] == texts[2] != texts[3]
    cold = generate(model, PROMPT, 30, vocabulary=SYMBOLS, temperature=0)
    assert cold.text == generate(model, PROMPT, 30, vocabulary=SYMBOLS, temperature=1e-9).text
    assert (cold.probabilities.argmax(1) == cold.ids).all()
    assert (cold.probabilities.max(1) < 0.9).all()  # those of the model, not of the temperature


def test_logits_and_a_prompt_of_tokens_or_ids():
    model = language_model(logits=True)
    made = [
        generate(model, prompt, 10, vocabulary=list(SYMBOLS), seed=0)
        for prompt in (PROMPT, list(PROMPT), ids_of(PROMPT))
    ]
    assert len({one.text for one in made}) == 1
    np.testing.assert_allclose(made[0].probabilities.sum(1), 1, atol=1e-5)
    assert {"".join(one.recording["lower"].token.values[0, : len(PROMPT)]) for one in made} == {
        PROMPT
    }


def test_words():
    words = L.TextVectorization()
    words.adapt(["the cat sat on the mat"])
    size = len(words.get_vocabulary())
    model = keras.Sequential([keras.Input((None,)), L.Embedding(size, 4), L.LSTM(4), L.Dense(size)])
    made = generate(model, "The cat", 6, vocabulary=words, seed=0)
    assert made.text.split(" ") == [token for token in made.tokens if token]
    listed = generate(model, ["the", "cat"], 6, vocabulary=words.get_vocabulary(), seed=0)
    assert listed.text == made.text


def test_encode_is_for_other_inputs():
    """A model with two inputs: the ids, and where each is a space."""
    ids, spaces = keras.Input((None,)), keras.Input((None, 1))
    x = L.Concatenate()([L.Embedding(len(SYMBOLS), 4)(ids), spaces])
    outputs = L.Dense(len(SYMBOLS), activation="softmax")(L.LSTM(5, return_sequences=True)(x))
    model = keras.Model([ids, spaces], outputs)

    def encode(given):
        assert given.dtype == np.int64
        assert given.ndim == 2
        return [given, (given == SYMBOLS.index(" "))[..., None].astype(np.float32)]

    made = generate(model, PROMPT, 8, vocabulary=SYMBOLS, seed=0, encode=encode)
    whole = np.concatenate([ids_of(PROMPT), made.ids])[None]
    expected = model.predict(encode(whole), verbose=0)[0, len(PROMPT) - 1 : -1]
    np.testing.assert_allclose(made.probabilities, expected, atol=1e-5)
    windowed = generate(model, PROMPT, 8, vocabulary=SYMBOLS, seed=0, encode=encode, window=4)
    assert len(windowed.text) == 8


@pytest.mark.parametrize("batch", [1, 3])
def test_a_stateful_model(batch):
    model = language_model()
    stateful = keras.Sequential(
        [
            keras.Input(batch_shape=(batch, 4)),
            L.Embedding(len(SYMBOLS), 4),
            L.LSTM(6, return_sequences=True, stateful=True),
            L.GRU(5, return_sequences=True, stateful=True),
            L.Dense(len(SYMBOLS), activation="softmax"),
        ]
    )
    stateful.set_weights(model.get_weights())
    window = None if batch == 1 else 4
    expected = generate(model, PROMPT, 8, vocabulary=SYMBOLS, seed=0, window=window)
    made = generate(stateful, PROMPT, 8, vocabulary=SYMBOLS, seed=0, window=window)
    assert made.text == expected.text
    for layer in stateful.layers[1:3]:
        for state in layer.states:
            np.testing.assert_array_equal(state, 0)


@pytest.mark.parametrize("window", [None, 5])
def test_an_interruption_keeps_what_is_written(monkeypatch, window):
    model = language_model()
    whole = generate(model, PROMPT, 10, vocabulary=SYMBOLS, seed=0, window=window)
    calls = []
    original = model.layers[-1].call

    def interrupted(*arguments, **options):
        calls.append(1)
        if len(calls) == 5:
            raise KeyboardInterrupt
        return original(*arguments, **options)

    monkeypatch.setattr(model.layers[-1], "call", interrupted)
    with pytest.warns(UserWarning, match="interrupted: 3 of 10 tokens have been generated"):
        made = generate(model, PROMPT, 10, vocabulary=SYMBOLS, seed=0, window=window)
    assert made.text == whole.text[:3]
    assert made.probabilities.shape == (3, len(SYMBOLS))
    dataset = made.recording["upper"]
    assert "".join(dataset.token.values[0]) == PROMPT + made.text
    np.testing.assert_allclose(
        dataset.hidden_state,
        whole.recording["upper"].hidden_state[:, : len(PROMPT) + 3],
        atol=1e-5,
        equal_nan=True,
    )


def until(text, *stops):
    """Cut a text behind the first of some pieces that is complete."""
    ends = [text.find(stop) + len(stop) for stop in stops if stop in text]
    return text[: min(ends)] if ends else text


@pytest.mark.parametrize(
    ("stop", "pieces", "window"),
    [
        ("f", ["f"], 5),
        (SYMBOLS.index("f"), ["f"], None),
        (["g", "\n"], ["g", "\n"], None),
        ((np.int64(3), "e"), ["d", "e"], None),
    ],
)
def test_a_continuation_ends_with_a_token(stop, pieces, window):
    options = {"vocabulary": SYMBOLS, "seed": 4, "window": window}
    whole = generate(language_model(), PROMPT, 40, **options)
    made = generate(language_model(), PROMPT, 40, stop=stop, **options)
    assert made.text == until(whole.text, *pieces)
    assert len(made.text) < 40
    assert "".join(made.tokens) == made.text == "".join(SYMBOLS[k] for k in made.ids)
    np.testing.assert_array_equal(made.probabilities, whole.probabilities[: len(made.text)])
    dataset = made.recording["upper"]
    assert "".join(dataset.token.values[0]) == PROMPT + made.text
    np.testing.assert_allclose(
        dataset.hidden_state,
        whole.recording["upper"].hidden_state[:, : len(PROMPT + made.text)],
        atol=1e-6,
        equal_nan=True,
    )


def test_a_continuation_ends_with_a_text():
    options = {"vocabulary": SYMBOLS, "seed": 4}
    model = language_model()
    whole = generate(model, PROMPT, 12, **options).text
    for start, stop in ((0, 2), (3, 5), (4, 9), (10, 12)):
        text = whole[start:stop]
        assert generate(model, PROMPT, 12, stop=text, **options).text == until(whole, text)


def test_a_text_may_end_within_a_token():
    pieces = ["a", "b", "c", "ab", "ba"]
    size = len(pieces)
    model = keras.Sequential([keras.Input((None,)), L.Embedding(size, 4), L.LSTM(4), L.Dense(size)])
    whole = generate(model, "ab", 30, vocabulary=pieces, seed=0)
    made = generate(model, "ab", 30, vocabulary=pieces, seed=0, stop="bab")
    texts = ["".join(whole.tokens[: k + 1]) for k in range(30)]
    assert made.text == next((text for text in texts if "bab" in text), texts[-1])


def test_words_end_with_whole_words():
    words = ["cat", "the", "cats", "end", "sat"]
    model = keras.Sequential([keras.Input((None,)), L.Embedding(5, 4), L.LSTM(4), L.Dense(5)])
    options = {"vocabulary": words, "seed": 0}
    whole = generate(model, ["the"], 60, **options).tokens
    for stop in ("cat", "the end", ["sat sat", "cats"]):
        several = [stop] if isinstance(stop, str) else stop
        lengths = [
            k
            for k in range(1, 61)
            for one in several
            if " ".join(whole[:k]).endswith(one)
            and whole[k - len(one.split()) : k] == (*one.split(),)
        ]
        made = generate(model, ["the"], 60, stop=stop, **options)
        assert made.tokens == whole[: min(lengths, default=60)]
        assert lengths
    with pytest.raises(ValueError, match="stop: 'dog' in 'the dog' is not in the vocabulary"):
        generate(model, ["the"], 6, stop="the dog", **options)


@pytest.mark.parametrize(
    ("stop", "error", "message"),
    [
        ("", TypeError, "stop: expected a token, an id, a text, or several of these; got ''"),
        ([], ValueError, "stop: expected at least one token, or None"),
        (9, ValueError, "stop: expected ids from 0 to 8, got 9"),
        (True, TypeError, "stop: expected a token"),
        ([None], TypeError, "stop: expected a token"),
        ("a!", ValueError, "stop: '!' in 'a!' is in no token of the vocabulary"),
    ],
)
def test_what_is_never_written_ends_nothing(stop, error, message):
    with pytest.raises(error, match=message):
        generate(language_model(), PROMPT, 5, vocabulary=SYMBOLS, stop=stop)


def test_a_model_of_two_inputs_says_what_it_needs():
    ids, other = keras.Input((None,), name="ids"), keras.Input((None, 2), name="other")
    x = L.Concatenate()([L.Embedding(len(SYMBOLS), 4)(ids), other])
    outputs = L.Dense(len(SYMBOLS), activation="softmax")(L.LSTM(5, return_sequences=True)(x))
    model = keras.Model([ids, other], outputs)
    with pytest.raises(
        ValueError, match=r"encode: .* 2 inputs \('ids' \(None, None\), 'other' .*encode=lambda ids"
    ):
        generate(model, PROMPT, 5, vocabulary=SYMBOLS)
    for encode, message in (
        (lambda ids: ids, "encode: expected 2 arrays, one for each input of the model, got 1"),
        (
            lambda ids: [ids, np.zeros((7, ids.shape[1], 2))],
            r"encode: expected as many examples as of ids, 1, got array 1 of shape \(7, 1, 2\)",
        ),
    ):
        with pytest.raises(ValueError, match=message):
            generate(model, PROMPT, 5, vocabulary=SYMBOLS, encode=encode)
    by_name = generate(
        model,
        PROMPT,
        5,
        vocabulary=SYMBOLS,
        seed=0,
        encode=lambda ids: {"ids": ids, "other": np.ones((*ids.shape, 2))},
    )
    listed = generate(
        model,
        PROMPT,
        5,
        vocabulary=SYMBOLS,
        seed=0,
        encode=lambda ids: (ids, np.ones((*ids.shape, 2))),
    )
    assert by_name.text == listed.text


def test_what_is_written_is_counted(monkeypatch):
    """The bar knows the tokens that have been generated, and is gone at the end."""
    bars = []
    original = tqdm.auto.tqdm

    def bar(*arguments, **options):
        bars.append(original(*arguments, **options, file=io.StringIO(), mininterval=0))
        return bars[-1]

    monkeypatch.setattr(tqdm.auto, "tqdm", bar)
    made = generate(language_model(), PROMPT, 30, vocabulary=SYMBOLS, seed=4, stop="f")
    (written,) = bars
    assert (written.total, written.unit, written.desc) == (30, "token", "writing")
    assert written.n in {len(made.text), len(made.text) - 1}  # the last one ends the loop
    assert written.disable


@pytest.mark.parametrize(
    ("prompt", "options", "error", "message"),
    [
        ("", {}, ValueError, "prompt: expected at least one token"),
        ([], {}, ValueError, "prompt: expected at least one token"),
        ("abX", {}, ValueError, "prompt: 'X' at position 2 is not in the vocabulary"),
        (
            np.array([1, 9]),
            {},
            ValueError,
            "prompt: id 9 at position 1 is not in the vocab.* 9 tok",
        ),
        (np.array([1.5]), {}, TypeError, "prompt: expected a str, tokens or ids"),
        ("abc", {"window": 4}, ValueError, "window: expected at most the 3 tokens of the prompt"),
        ("abc", {"window": 0}, ValueError, "window: expected a positive whole number, got 0"),
        ("abc", {"length": 0}, ValueError, "length: expected a positive whole number, got 0"),
        ("abc", {"top_k": 10}, ValueError, "top_k: expected at most the model's 9 symbols"),
        ("abc", {"temperature": -1}, ValueError, "temperature: expected a finite number .* got -1"),
        ("abc", {"temperature": np.nan}, ValueError, "temperature: expected a finite number"),
        ("abc", {"vocabulary": None}, TypeError, "vocabulary: expected a list or dict"),
    ],
)
def test_what_does_not_fit_is_named(prompt, options, error, message):
    options = {"length": 5, "vocabulary": SYMBOLS} | options
    with pytest.raises(error, match=message):
        generate(language_model(), prompt, **options)


def test_models_that_cannot_write():
    both = keras.Sequential(
        [
            keras.Input((6,)),
            L.Embedding(9, 4),
            L.Bidirectional(L.LSTM(3), name="both"),
            L.Dense(9),
        ]
    )
    with pytest.raises(ValueError, match=r"model: layer 'both' .*token by token; window=6 writes"):
        generate(both, PROMPT, 5, vocabulary=SYMBOLS)
    assert len(generate(both, PROMPT, 5, vocabulary=SYMBOLS, window=6).text) == 5
    with pytest.raises(ValueError, match="window: the model takes 6 timesteps, got 5"):
        generate(both, PROMPT, 5, vocabulary=SYMBOLS, window=5)
    features = keras.Sequential([keras.Input((None, 4)), L.LSTM(3), L.Dense(9)])
    with pytest.raises(ValueError, match="encode: expected a function"):
        generate(features, PROMPT, 5, vocabulary=SYMBOLS)
    with pytest.raises(ValueError, match="expected tokens for the model's 2 symbols, got 9"):
        generate(
            keras.Sequential([keras.Input((None, 9)), L.LSTM(3), L.Dense(1)]),
            PROMPT,
            5,
            vocabulary=SYMBOLS,
        )


@pytest.mark.parametrize("vocabulary", [SYMBOLS[:-1], SYMBOLS + "X"])
def test_the_vocabulary_is_that_of_the_outputs(vocabulary):
    class Own(keras.Model):
        """One that doesn't tell the shape of its outputs."""

        def __init__(self):
            super().__init__()
            self.inner = language_model()

        def call(self, x):
            return self.inner(x)

    message = f"vocabulary: expected tokens for the model's 9 symbols, got {len(vocabulary)}"
    for model, window in ((language_model(), None), (Own(), 3)):
        with pytest.raises(ValueError, match=message):
            generate(model, "bad", 5, vocabulary=vocabulary, window=window)
    tagger = keras.Sequential([keras.Input((None,)), L.Embedding(9, 4), L.LSTM(3), L.Dense(4)])
    with pytest.raises(ValueError, match=r"vocabulary: expected .* 4 symbols, got 9"):
        generate(tagger, "bad", 5, vocabulary=SYMBOLS)


def test_a_vocabulary_of_two_symbols_has_two_guesses():
    model = keras.Sequential(
        [
            keras.Input((None,)),
            L.Embedding(2, 3),
            L.SimpleRNN(4, return_sequences=True),
            L.Dense(2, activation="softmax"),
        ]
    )
    written = generate(model, "ab", 3, vocabulary="ab", seed=0)
    assert written.recording.predictions.sizes["rank"] == 2
