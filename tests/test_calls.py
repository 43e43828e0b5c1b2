"""A layer that a model calls several times, and a cell that it steps itself."""

import keras
import numpy as np
import pytest
import stepping
from hypothesis import given, settings
from hypothesis import strategies as st

import lstm_widgets as lw

L = keras.layers
KINDS = {"LSTM": (L.LSTM, 2), "GRU": (L.GRU, 1), "SimpleRNN": (L.SimpleRNN, 1)}
NAMES = ("hidden_state", "cell_state")
UNITS, FEATURES, EXAMPLES = 4, 3, 3


def shaken(model, seed=0):
    rng = np.random.default_rng(seed)
    model.set_weights([rng.normal(0, 0.6, w.shape) for w in model.get_weights()])
    return model


def looped(kind, lengths):
    """A layer called once for each length, its states handed on, and its initial states given."""
    make, count = KINDS[kind]
    layer = make(UNITS, return_state=True, name="cell")
    x = keras.Input((sum(lengths), FEATURES))
    given_states = [keras.Input((UNITS,), name=f"s{k}") for k in range(count)]
    states, start, outputs = given_states, 0, []
    dense = L.Dense(5, activation="softmax")
    for length in lengths:
        output, *states = layer(x[:, start : start + length], initial_state=list(states))
        outputs.append(dense(output))
        start += length
    model = shaken(keras.Model([x, *given_states], outputs))
    last = keras.Model(model.inputs, outputs[-1])
    rng = np.random.default_rng(1)
    inputs = [rng.normal(size=(EXAMPLES, sum(lengths), FEATURES))]
    inputs += [rng.normal(0, 0.5, (EXAMPLES, UNITS)) for _ in range(count)]
    return model, last, [array.astype(np.float32) for array in inputs], layer, dense


def log_softmax(h, dense):
    kernel, bias = (w.astype(np.float64) for w in dense.get_weights())
    logits = h @ kernel + bias
    return logits - np.log(np.exp(logits).sum(-1, keepdims=True))


several = st.tuples(
    st.sampled_from(list(KINDS)), st.lists(st.integers(1, 4), min_size=2, max_size=5)
)


@given(several)
@settings(max_examples=3, deadline=None)
def test_all_calls_are_one_layer_and_each_has_its_name(tmp_path_factory, what):
    kind, lengths = what
    model, _, inputs, layer, _ = looped(kind, lengths)
    tokens = [[f"{e}.{t}" for t in range(sum(lengths))] for e in range(EXAMPLES)]
    recording = lw.record(model, inputs, tokens=tokens, check="full", batch_size=2)
    path = tmp_path_factory.mktemp("saved") / "recording"
    recording.save(path)
    expected = stepping.run(kind, layer.get_weights(), inputs[0], inputs[1:])
    ends = np.cumsum(lengths)
    for found in (recording, lw.open_recording(path)):
        assert found.layers == ("cell",)
        assert found.call_names("cell") == tuple(f"cell:{k + 1}" for k in range(len(lengths)))
        whole = found["cell"]
        assert whole.attrs["calls"] == lengths
        assert whole.token.values.tolist() == tokens
        calls = found.calls("cell")
        assert (
            calls.call.values.tolist() == np.repeat(np.arange(len(lengths)) + 1, lengths).tolist()
        )
        for name, values, start in zip(NAMES, expected, inputs[1:], strict=False):
            np.testing.assert_allclose(whole[name], values, atol=1e-5)
            np.testing.assert_array_equal(calls[name], whole[name])
            np.testing.assert_array_equal(whole[f"initial_{name}"], start)
            for k, (stop, length) in enumerate(zip(ends, lengths, strict=True)):
                one = found[f"cell:{k + 1}"]
                assert one.timestep.values.tolist() == list(range(length))
                assert one.token.values.tolist() == [row[stop - length : stop] for row in tokens]
                np.testing.assert_array_equal(one[name], whole[name][:, stop - length : stop])
                before = start if k == 0 else values[:, stop - length - 1]
                np.testing.assert_allclose(one[f"initial_{name}"], before, atol=1e-5)
        assert list(whole.data_vars) == list(found.signals("cell"))
        with pytest.raises(KeyError, match=r"'cell' \(all its calls\), 'cell:1'"):
            found[f"cell:{len(lengths) + 1}"]


@given(several, st.data())
@settings(max_examples=3, deadline=None)
def test_a_name_holds_all_calls_and_a_number_one(what, data):
    kind, lengths = what
    _, last, inputs, layer, dense = looped(kind, lengths)
    calls = np.repeat(np.arange(len(lengths)) + 1, lengths)
    which = data.draw(st.none() | st.sampled_from(range(1, len(lengths) + 1)))
    name = "cell" if which is None else f"cell:{which}"

    def hold(t, states):
        if which in (None, calls[t]):
            states[0][:, 2] = 0.25

    h = stepping.run(kind, layer.get_weights(), inputs[0], inputs[1:], hold)[0]
    held = lw.record(last, inputs, held=lw.Held(2, 0.25, layer=name))
    np.testing.assert_allclose(held["cell"].hidden_state, h, atol=1e-5)

    targets = np.arange(EXAMPLES)
    found = lw.ablate(last, inputs, 2, value=0.25, layer=name, targets=targets)
    loss = -log_softmax(h[:, -1], dense)[np.arange(EXAMPLES), targets].mean()
    np.testing.assert_allclose(found.table["loss_held"], [loss], atol=1e-5)
    assert found.table["layer"].tolist() == [name]


def test_what_is_held_in_one_call_stands_above_what_is_held_in_all():
    model, _, inputs, layer, _ = looped("GRU", [2, 1, 1])
    held = [lw.Held(1, 0.5, layer="cell:2"), lw.Held([0, 1], -0.5, layer="cell")]

    def hold(t, states):
        states[0][:, 0], states[0][:, 1] = -0.5, 0.5 if t == 2 else -0.5

    h = stepping.run("GRU", layer.get_weights(), inputs[0], inputs[1:], hold)[0]
    np.testing.assert_allclose(
        lw.record(model, inputs, held=held)["cell"].hidden_state, h, atol=1e-5
    )


@given(several, st.data())
@settings(max_examples=3, deadline=None)
def test_relevance_of_a_cell_counts_timesteps_through_all_calls(what, data):
    kind, lengths = what
    model, _, inputs, layer, _ = looped(kind, lengths)
    total, cell = sum(lengths), data.draw(st.integers(0, UNITS - 1))
    timestep = np.array(data.draw(st.lists(st.integers(-total, total - 1), min_size=3, max_size=3)))
    source = model.inputs[0].name

    def state(x):
        return stepping.run(kind, layer.get_weights(), x, inputs[1:])[0]

    asked = {"layer": "cell", "cell": cell, "methods": "gradient_x_input", "source": source}
    found = lw.relevance(model, inputs, at=timestep, **asked)
    rows, at = np.arange(EXAMPLES), timestep % total
    np.testing.assert_allclose(found.score, state(inputs[0])[rows, at, cell], atol=1e-5)
    x, width = inputs[0].astype(np.float64), 1e-5
    expected = np.zeros((EXAMPLES, total, FEATURES))
    for t in range(total):
        for k in range(FEATURES):
            up, down = x.copy(), x.copy()
            up[:, t, k] += width
            down[:, t, k] -= width
            slope = (state(up) - state(down))[rows, at, cell] / (2 * width)
            expected[:, t, k] = x[:, t, k] * slope
    np.testing.assert_allclose(found.relevance[0], expected, atol=1e-4)

    # The last timestep of all calls, or of one.
    call = data.draw(st.integers(1, len(lengths)))
    ends = np.cumsum(lengths) - 1
    for name, end in (("cell", total - 1), (f"cell:{call}", ends[call - 1])):
        score = lw.relevance(model, inputs, **(asked | {"layer": name})).score
        np.testing.assert_allclose(score, state(inputs[0])[:, end, cell], atol=1e-5)


def test_calls_that_are_not_there_are_named():
    model, last, inputs, _, _ = looped("LSTM", [1, 1, 1, 1, 1])
    known = r"'cell' \(all its calls\), 'cell:1', 'cell:2', ..., 'cell:5'"
    with pytest.raises(ValueError, match=f"held: .* 'cell:6': expected {known}"):
        lw.record(model, inputs, held=lw.Held(0, layer="cell:6"))
    with pytest.raises(ValueError, match=f"layers: .* 'cell:6': expected {known}"):
        lw.record(model, inputs, layers="cell:6")
    with pytest.raises(ValueError, match=f"layers: .* 'cell:6': expected {known}"):
        lw.ablate(last, inputs, 0, layer="cell:6", targets=[0, 1, 2])
    with pytest.raises(ValueError, match=f"layer: expected {known}"):
        lw.relevance(
            model,
            inputs,
            layer="cell:6",
            cell=0,
            methods="sensitivity",
            source=model.inputs[0].name,
        )
    with pytest.raises(ValueError, match=r"'cell' has 5 \(5 calls of 1\).*got 4"):
        lw.record(model, inputs, tokens=[["a"] * 4] * EXAMPLES)
    with pytest.raises(ValueError, match="at: expected -5 to 4"):
        lw.relevance(
            model,
            inputs,
            layer="cell",
            cell=0,
            at=5,
            methods="sensitivity",
            source=model.inputs[0].name,
        )


def test_some_calls_only():
    model, _, inputs, _, _ = looped("LSTM", [2, 1, 1])
    recording = lw.record(model, inputs, layers=["cell:1", "cell:3"])
    assert recording.layers == ("cell:1", "cell:3")
    whole = lw.record(model, inputs, layers="cell")
    for name in recording.layers:
        np.testing.assert_array_equal(recording[name].cell_state, whole[name].cell_state)
        np.testing.assert_array_equal(
            recording[name].initial_cell_state, whole[name].initial_cell_state
        )


def siamese():
    ids = [keras.Input((n,), dtype="int32", name=f"ids{n}") for n in (3, 5)]
    emb, enc = L.Embedding(9, 3, mask_zero=True, name="emb"), L.Bidirectional(L.GRU(2), name="enc")
    both = [enc(emb(one)) for one in ids]
    model = shaken(keras.Model(ids, L.Dense(2)(L.Concatenate()(both))))
    rng = np.random.default_rng(3)
    given_ids = [rng.integers(1, 9, (4, n)) for n in (3, 5)]
    given_ids[0][0, 2:] = given_ids[1][1, 3:] = 0
    return model, given_ids, emb


def test_an_encoder_of_two_inputs():
    model, ids, _ = siamese()
    tokens = {
        f"enc/{way}:{k}": i.astype(str).tolist() for k, i in enumerate(ids, 1) for way in WAYS
    }
    recording = lw.record(model, ids, tokens=tokens, check="full")
    both = recording["enc"]
    assert recording.layers == ("enc/forward", "enc/backward")
    assert recording.call_names("enc") == ("enc:1", "enc:2")
    assert dict(both.sizes) == {"example": 4, "timestep": 8, "cell": 4}
    np.testing.assert_array_equal(both.mask, np.concatenate(ids, 1) != 0)
    np.testing.assert_array_equal(both.token, np.concatenate(ids, 1).astype(str))
    alone = keras.Model(
        model.inputs[1], model.get_layer("enc")(model.get_layer("emb")(model.inputs[1]))
    )
    second = lw.record(alone, ids[1])["enc"]
    np.testing.assert_allclose(recording["enc:2"].hidden_state, second.hidden_state, atol=1e-6)
    np.testing.assert_array_equal(recording["enc:2"].initial_hidden_state, np.zeros((4, 4)))


WAYS = ("forward", "backward")


def test_an_embedding_that_is_called_twice():
    model, ids, emb = siamese()
    whole = lw.relevance(model, ids, methods=("gradient_x_input", "lrp", "occlusion"), target=1)
    parts = [
        lw.relevance(
            model,
            ids,
            methods=("gradient_x_input", "lrp", "occlusion"),
            target=1,
            source=f"emb:{k}",
        )
        for k in (1, 2)
    ]
    assert whole.attrs["source"] == "emb"
    together = np.concatenate([part.relevance for part in parts], 2)
    np.testing.assert_allclose(whole.relevance, together, atol=1e-6)
    np.testing.assert_array_equal(whole["mask"], np.concatenate(ids, 1) != 0)
    # Occlusion by hand: the logit without one token's vector.
    masks = [keras.ops.convert_to_tensor(i != 0) for i in ids]
    enc, dense = model.get_layer("enc"), model.layers[-1]

    def logit(vectors):
        encoded = [enc(v, mask=m) for v, m in zip(vectors, masks, strict=True)]
        return dense(keras.ops.concatenate(encoded, -1)).numpy()[:, 1]

    vectors = [emb(i).numpy() for i in ids]
    full = logit(vectors)
    for k, vector in enumerate(vectors):
        for t in range(vector.shape[1]):
            without = [v.copy() for v in vectors]
            without[k][:, t] = 0
            found = whole.relevance.loc["occlusion"][:, t + 3 * k]
            np.testing.assert_allclose(found, full - logit(without), atol=1e-5)
    ids_replaced = lw.relevance(
        model, ids, methods="occlusion", target=1, replace_with=5, source="emb"
    )
    assert ids_replaced.relevance.shape == (1, 4, 8)
    seen = lw.dependency(model, ids, target=1)
    assert seen.shape == (4, 1, 8)
    np.testing.assert_allclose(
        lw.dependency(model, ids, target=1, source="emb:2"), seen[..., 3:], rtol=1e-5
    )
    with pytest.raises(
        ValueError, match=r"source: expected one of 'emb' \(all its calls\), 'emb:1'"
    ):
        lw.relevance(model, ids, source="emb:3")
    with pytest.raises(ValueError, match=r"target: .* 'emb' reads several inputs"):
        lw.dependency(model, ids, target="next")


def test_tokens_that_several_calls_read_count_in_all_of_them():
    inputs = keras.Input((4,), dtype="int32")
    emb = L.Embedding(9, 3, name="emb")
    both = L.Concatenate()([L.LSTM(2)(emb(inputs)), L.GRU(2)(emb(inputs))])
    shared = shaken(keras.Model(inputs, L.Dense(2)(both)))
    one = emb(inputs)
    once = keras.Model(
        inputs, shared.layers[-1](L.Concatenate()([shared.layers[k](one) for k in (2, 3)]))
    )
    ids = np.random.default_rng(0).integers(0, 9, (3, 4))
    methods = ("lrp", "sensitivity", "gradient_x_input", "integrated_gradients", "occlusion")
    found = lw.relevance(shared, ids, methods=methods, steps=5, target=1)
    expected = lw.relevance(once, ids, methods=methods, steps=5, target=1)
    np.testing.assert_allclose(found.relevance, expected.relevance, atol=1e-5)


# Cells that the model steps itself ----------------------------------------------------------------


class FeedBack(keras.Model):
    """Reads a series, and goes on with what it has forecast."""

    def __init__(self, kind, steps):
        super().__init__()
        self.steps = steps
        self.stepped = getattr(L, f"{kind}Cell")(UNITS, name="stepped")
        self.warm = L.RNN(self.stepped, return_state=True, name="warm")
        self.dense = L.Dense(FEATURES)

    def call(self, inputs):
        x, *state = self.warm(inputs)
        outputs = [self.dense(x)]
        for _ in range(self.steps - 1):
            x, state = self.stepped(outputs[-1], state)
            outputs.append(self.dense(x))
        return keras.ops.stack(outputs, axis=1)


def by_hand(kind, model, x, hold=None):
    """All states while it reads and forecasts, and its outputs."""
    weights, dense = model.stepped.get_weights(), model.dense.get_weights()
    count = KINDS[kind][1]
    read = stepping.run(kind, weights, x, [np.zeros((len(x), UNITS))] * count)
    states, outputs = [s[:, -1] for s in read], []
    made = []
    for k in range(model.steps):
        if k:
            states = stepping.step(kind, weights, outputs[-1], states)
            if hold is not None:
                hold(states)
            made.append(states)
        outputs.append(states[0] @ dense[0].astype(np.float64) + dense[1])
    forecast = [np.stack(parts, 1) for parts in zip(*made, strict=True)]
    return read, forecast, np.stack(outputs, 1)


@pytest.mark.parametrize("kind", KINDS)
def test_a_cell_that_the_model_steps(kind):
    model = FeedBack(kind, 4)
    x = np.random.default_rng(0).normal(size=(2, 5, FEATURES)).astype(np.float32)
    recording = lw.record(model, x, check="full")
    assert recording.layers == ("warm", "stepped")
    read, forecast, outputs = by_hand(kind, model, x)
    np.testing.assert_allclose(model(x), outputs, atol=1e-5)
    assert recording["stepped"].attrs["calls"] == [1, 1, 1]
    for k, name in enumerate(NAMES[: KINDS[kind][1]]):
        np.testing.assert_allclose(recording["warm"][name], read[k], atol=1e-5)
        np.testing.assert_allclose(recording["stepped"][name], forecast[k], atol=1e-5)
        start = recording["stepped"][f"initial_{name}"]
        np.testing.assert_allclose(start, read[k][:, -1], atol=1e-5)

    def hold(states):
        states[0][:, 1] = 0

    held = lw.record(model, x, held=lw.Held(1, layer="stepped"))
    np.testing.assert_allclose(
        held["stepped"].hidden_state, by_hand(kind, model, x, hold)[1][0], atol=1e-5
    )
    np.testing.assert_allclose(held["warm"].hidden_state, read[0], atol=1e-5)

    def loss(targets, outputs):
        return ((targets - outputs) ** 2).mean(-1)

    targets = np.zeros((2, 4, FEATURES))
    ablation = lw.ablate(model, x, 1, layer="stepped", targets=targets, loss=loss)
    expected = (by_hand(kind, model, x, hold)[2] ** 2).mean()
    np.testing.assert_allclose(ablation.table["loss_held"], [expected], rtol=1e-4)


@pytest.mark.parametrize("kind", KINDS)
def test_gradients_through_a_cell_that_the_model_steps(kind):
    model = FeedBack(kind, 3)
    x = np.random.default_rng(0).normal(size=(2, 4, FEATURES)).astype(np.float32)
    model(x)
    shaken(model)

    def slopes(of):
        width, found = 1e-5, np.zeros((4, FEATURES, *np.shape(of(x.astype(np.float64)))))
        for t in range(4):
            for k in range(FEATURES):
                up, down = x.astype(np.float64), x.astype(np.float64)
                up[:, t, k] += width
                down[:, t, k] -= width
                found[t, k] = (of(up) - of(down)) / (2 * width)
        return found  # (timestep, feature, example, ...)

    outputs = slopes(lambda x: by_hand(kind, model, x)[2])
    found = lw.relevance(model, x, at=2, target=1, methods="sensitivity")
    expected = (outputs[..., 2, 1] ** 2).transpose(2, 0, 1)
    np.testing.assert_allclose(found.relevance[0], expected, rtol=1e-3, atol=1e-6)
    sizes = np.abs(outputs[..., 1]).transpose(2, 3, 0, 1)  # (example, row, timestep, feature)
    found = lw.dependency(model, x, target=1)
    for k, row in enumerate(found.timestep.values):
        read = found[:, k].sel(lag=row - np.arange(4))
        np.testing.assert_allclose(read, sizes[:, k], rtol=1e-3, atol=1e-6)
    state = slopes(lambda x: by_hand(kind, model, x)[1][0][:, 1, 2])
    found = lw.relevance(model, x, layer="stepped", cell=2, methods="sensitivity")
    state = (state**2).transpose(2, 0, 1)
    np.testing.assert_allclose(found.relevance[0], state, rtol=1e-3, atol=1e-6)
    warm = slopes(lambda x: by_hand(kind, model, x)[0][0][:, -1, 2])
    found = lw.relevance(model, x, layer="warm", cell=2, methods="sensitivity")
    warm = (warm**2).transpose(2, 0, 1)
    np.testing.assert_allclose(found.relevance[0], warm, rtol=1e-3, atol=1e-6)


def test_a_cell_that_is_only_within_a_layer_is_not_missed(recwarn):
    class Within(keras.Model):
        def __init__(self):
            super().__init__()
            self.one = L.LSTMCell(3, name="one")
            self.layer = L.RNN(self.one, name="layer")

        def call(self, x):
            return self.layer(x)

    assert lw.record(Within(), np.zeros((1, 2, 3), np.float32)).layers == ("layer",)
    assert not [w for w in recwarn if "not recorded" in str(w.message)]


# A model that isn't built -------------------------------------------------------------------------


class Counter(L.Layer):
    def build(self, _):
        self.count = self.add_weight(shape=(), trainable=False, initializer="zeros", name="count")

    def call(self, x):
        self.count.assign_add(1.0)
        return x + self.count


class Stateful(keras.Model):
    def __init__(self, counting):
        super().__init__()
        self.embedding, self.counter = L.Embedding(7, 3), Counter()
        self.counting = counting
        self.lstm = L.LSTM(UNITS, stateful=True, return_sequences=True, name="lstm")
        self.dense = L.Dense(7)

    def call(self, x):
        x = self.embedding(x)
        return self.dense(self.lstm(self.counter(x) if self.counting else x))


IDS = np.random.default_rng(0).integers(0, 7, (2, 5))
RUNS = {
    "record": lambda model: lw.record(model, IDS),
    "relevance": lambda model: lw.relevance(model, IDS, methods="sensitivity"),
    "dependency": lambda model: lw.dependency(model, IDS),
    "ablate": lambda model: lw.ablate(model, IDS, 1),
    "generate": lambda model: lw.generate(
        model, IDS[0], 2, vocabulary=list("abcdefg"), window=5, encode=lambda ids: ids
    ),
}


@pytest.mark.parametrize("counting", [False, True])
@pytest.mark.parametrize("what", RUNS)
def test_building_a_model_moves_nothing(what, counting):
    model = Stateful(counting)
    result = RUNS[what](model)
    assert all(not state.numpy().any() for state in model.lstm.states)
    if counting:
        assert model.counter.count.numpy() == 0
    if what == "record":
        x = model.embedding(IDS).numpy() + counting
        h, c = stepping.run("LSTM", model.lstm.get_weights()[:3], x, [np.zeros((2, UNITS))] * 2)
        np.testing.assert_allclose(result["lstm"].hidden_state, h, atol=1e-5)
        np.testing.assert_allclose(result["lstm"].cell_state, c, atol=1e-5)
        model(IDS)  # now it goes on from where that ended
        again = lw.record(model, IDS)["lstm"]
        np.testing.assert_allclose(again.initial_hidden_state, h[:, -1], atol=1e-5)
        np.testing.assert_allclose(again.initial_cell_state, c[:, -1], atol=1e-5)


# What came before the first timestep --------------------------------------------------------------


def test_the_initial_states_of_a_text_read_in_pieces_and_in_windows():
    layer = L.LSTM(UNITS, return_sequences=True, stateful=True, name="lstm")
    model = keras.Sequential([keras.Input((None, FEATURES), batch_size=1), layer])
    text = np.random.default_rng(0).normal(size=(9, FEATURES)).astype(np.float32)
    model(text[None])
    start = [state.numpy() for state in layer.states]
    for options in ({"batch_size": 2}, {"window": 3}):
        found = lw.record(model, text, **options)["lstm"]
        np.testing.assert_array_equal(found.initial_hidden_state, start[0])
        np.testing.assert_array_equal(found.initial_cell_state, start[1])
    few = lw.record(model, text, signals="forget_gate")["lstm"]
    assert not {"initial_hidden_state", "initial_cell_state"} & set(few.coords)


def test_windows_that_start_from_different_states_have_none_in_common():
    x = keras.Input((3, FEATURES))
    first = L.Dense(UNITS)(x[:, 0])
    model = keras.Model(x, L.GRU(UNITS, name="gru")(x, initial_state=first))
    text = np.random.default_rng(0).normal(size=(6, FEATURES)).astype(np.float32)
    found = lw.record(model, text, window=3)["gru"]
    assert "initial_hidden_state" not in found.coords
    batch = lw.record(model, text[None, :3])["gru"]
    (dense,) = (layer for layer in model.layers if isinstance(layer, L.Dense))
    np.testing.assert_allclose(batch.initial_hidden_state, dense(text[None, 0]), atol=1e-6)


def test_each_call_of_a_text_is_about_the_same_timesteps():
    layer = L.SimpleRNN(FEATURES, return_sequences=True, name="twice")
    x = keras.Input((None, FEATURES))
    model = shaken(keras.Model(x, layer(layer(x))))
    text = np.random.default_rng(0).normal(size=(6, FEATURES)).astype(np.float32)
    tokens = list("abcdef")
    recording = lw.record(model, text, tokens=tokens, batch_size=4)
    first = stepping.run("SimpleRNN", layer.get_weights(), text[None], [np.zeros((1, FEATURES))])[0]
    second = stepping.run("SimpleRNN", layer.get_weights(), first, [np.zeros((1, FEATURES))])[0]
    np.testing.assert_allclose(recording["twice"].hidden_state, second, atol=1e-5)
    np.testing.assert_allclose(recording["twice:1"].hidden_state, first, atol=1e-5)
    assert recording["twice"].token.values.tolist() == [tokens]
    both = recording.calls("twice")
    np.testing.assert_allclose(both.hidden_state, np.concatenate([first, second], 1), atol=1e-5)
    assert both.call.values.tolist() == [1] * 6 + [2] * 6
