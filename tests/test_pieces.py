"""Models with code of their own write token by token if that gives what they give at once."""

import keras
import numpy as np
import pytest
from keras import layers as L
from keras import ops

from lstm_widgets import generate, record

SYMBOLS = "abcdefgh "
SIZE = len(SYMBOLS)


@pytest.fixture(autouse=True)
def seeded():
    before = keras.config.dtype_policy()
    keras.utils.set_random_seed(5)
    yield
    keras.config.set_dtype_policy(before)


def ids_of(text):
    return np.array([[SYMBOLS.index(c) for c in text]])


class Own(keras.Model):
    """States may be handed to it, and asked of it; what else it does is a function of a name."""

    def __init__(self, between=None, *, rnn=L.GRU, behind=None):
        super().__init__()
        self.embedding = L.Embedding(SIZE, 6, embeddings_initializer="normal")
        self.rnn = rnn(7, return_sequences=True, return_state=True, name="rnn")
        self.head = L.Dense(SIZE, kernel_initializer="normal")
        self.between, self.behind = between, behind

    def call(self, inputs, states=None, return_state=False, training=False):
        x = self.embedding(inputs)
        if self.between is not None:
            x = self.between(x)
        x, *states = self.rnn(x, initial_state=states, training=training)
        if self.behind is not None:
            x = self.behind(x)
        x = self.head(x)
        return (x, states) if return_state else x


class Scaled(L.Layer):
    def call(self, x):
        return x * 1.5


class Turned(L.Layer):
    def call(self, x):
        return x[:, ::-1]


class Positions(L.Layer):
    def __init__(self, count):
        super().__init__()
        self.table = L.Embedding(count, 6)

    def call(self, x):
        return x + self.table(ops.arange(x.shape[1]))


def stepped(model, seed, length):
    """Hand the states on by hand: the greedy ids, and the hidden state after each that is read."""
    states, ids, hidden = None, ids_of(seed)[0].tolist(), []
    for k in range(len(seed) + length):
        logits, states = model(np.array([[ids[k]]]), states=states, return_state=True)
        hidden.append(np.asarray(states[0])[0])
        if k >= len(seed) - 1:
            ids.append(int(np.argmax(logits[0, -1])))
    return ids[: len(seed) + length], np.array(hidden)


@pytest.mark.parametrize("rnn", [L.LSTM, L.GRU])
@pytest.mark.parametrize("seed", ["bad cafe", "a"])
def test_states_are_carried_on(rnn, seed):
    model = Own(rnn=rnn, behind=Scaled())
    made = generate(model, seed, 12, vocabulary=SYMBOLS, temperature=0)
    ids, hidden = stepped(model, seed, 12)
    assert made.ids.tolist() == ids[len(seed) :]
    np.testing.assert_allclose(made.recording["rnn"].hidden_state[0], hidden, atol=1e-6)
    at_once = record(model, np.array([ids]))["rnn"].hidden_state
    np.testing.assert_allclose(made.recording["rnn"].hidden_state, at_once, atol=1e-6)


def functional(between=lambda x: x, behind=lambda x: x, *, length=None, states=False):
    x = keras.Input((length,))
    y = between(L.Embedding(SIZE, 6, embeddings_initializer="normal")(x))
    y = L.GRU(7, return_sequences=True, return_state=states, name="rnn")(y)
    y = behind(y[0] if states else y)
    return keras.Model(x, L.Dense(SIZE, kernel_initializer="normal")(y))


@pytest.mark.parametrize(
    "parts",
    [
        {"between": Scaled()},
        {"behind": L.Lambda(lambda x: x / 0.7), "length": 5},
        {"behind": lambda x: x * 2.0},
        {"states": True},
    ],
)
def test_a_graph_with_code_of_its_own_writes_as_it_does_at_once(parts):
    model = functional(**parts)
    made = generate(model, "bad", 10, vocabulary=SYMBOLS, temperature=0)
    ids = ids_of("bad")[0].tolist()
    free = functional(**parts | {"length": None})
    free.set_weights(model.get_weights())
    for _ in range(10):
        ids.append(int(np.argmax(free(np.array([ids]))[0, -1])))
    assert made.ids.tolist() == ids[3:]


def test_what_is_drawn_is_as_without_code_of_its_own():
    own, plain = Own(), functional()
    own(ids_of("a"))
    plain.set_weights(own.get_weights())
    texts = [generate(model, "ab", 30, vocabulary=SYMBOLS, seed=4).text for model in (own, plain)]
    assert texts[0] == texts[1]


LOOKING = {
    "positions": ({"between": lambda: Positions(64)}, "layer 'rnn' differ by"),
    "few positions": ({"between": lambda: Positions(40)}, "it raises"),
    "around": ({"between": lambda: L.Conv1D(6, 3, padding="same")}, "layer 'rnn' differ by"),
    "far back": (
        {"between": lambda: L.Conv1D(6, 2, padding="causal", dilation_rate=20)},
        "layer 'rnn' differ by",
    ),
    "norm over time": ({"between": lambda: L.BatchNormalization(axis=1)}, "it raises ValueError"),
    "both": (
        {"between": lambda: L.Bidirectional(L.GRU(3, return_sequences=True), name="both")},
        "layer 'both/backward' differ by",
    ),
    "turned": ({"behind": Turned}, "its outputs differ by"),
    "end": ({"behind": lambda: L.Lambda(lambda x: x[:, -5:])}, "its outputs have shape"),
    "mean": (
        {"behind": lambda: L.Lambda(lambda x: x + ops.mean(x, 1, keepdims=True))},
        "its outputs differ by",
    ),
    "attention": (
        {"between": lambda: Attentive(use_causal_mask=True)},
        "layer 'rnn' differ by",
    ),
}


class Attentive(L.Layer):
    def __init__(self, **options):
        super().__init__()
        self.attention, self.options = L.MultiHeadAttention(2, 3), options

    def call(self, x):
        return x + self.attention(x, x, **self.options)


@pytest.mark.parametrize("looking", LOOKING)
@pytest.mark.parametrize("policy", ["float32", "mixed_bfloat16"])
def test_what_looks_elsewhere_is_refused(looking, policy):
    keras.config.set_dtype_policy(policy)
    parts, how = LOOKING[looking]
    model = Own(**{where: make() for where, make in parts.items()})
    model(ids_of("a bad"))
    with pytest.raises(
        ValueError, match=rf"'own.*no graph.*in pieces .*{how}.*token by token; win"
    ):
        generate(model, "bad cafe", 5, vocabulary=SYMBOLS)
    assert len(generate(model, "bad cafe", 2, vocabulary=SYMBOLS, window=5).text) == 2


@pytest.mark.parametrize("policy", ["mixed_bfloat16", "mixed_float16", "float64"])
def test_rounding_is_no_difference(policy):
    keras.config.set_dtype_policy(policy)
    model = Own(rnn=L.LSTM, between=L.Dense(300), behind=L.Dense(200))
    assert len(generate(model, "bad", 3, vocabulary=SYMBOLS).text) == 3


def test_layers_that_surely_look_elsewhere_are_named_without_a_call():
    called = []

    class Noting(L.Layer):
        def call(self, x):
            called.append(x)
            return x

    model = functional(Noting(), L.Conv1D(7, 3, padding="causal", name="conv"))
    called.clear()
    with pytest.raises(ValueError, match=r"model: layer 'conv' \(Conv1D\) cannot read"):
        generate(model, "bad", 3, vocabulary=SYMBOLS)
    turned = functional(behind=Turned(name="turned"))
    with pytest.raises(
        ValueError, match=r"'turned' \(Turned\), because in pieces its outputs diff"
    ):
        generate(turned, "bad", 3, vocabulary=SYMBOLS)
    assert not called


def test_states_of_an_encoder_are_none_of_its_reader():
    x = keras.Input((None,))
    y = L.Embedding(SIZE, 6)(x)
    _, state = L.GRU(7, return_state=True)(y)
    y = L.GRU(7, return_sequences=True, name="reader")(y, initial_state=state)
    model = keras.Model(x, L.Dense(SIZE)(y))
    with pytest.raises(ValueError, match=r"in pieces the values of layer 'reader' differ"):
        generate(model, "bad", 3, vocabulary=SYMBOLS)
