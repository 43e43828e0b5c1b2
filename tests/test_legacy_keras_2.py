"""What Keras 2 itself saved and computes, against what is made of its files.

Each model is built twice by the same code, once with the layers of Keras 2 (`tf_keras`), once with
those of Keras 3.
"""

import warnings

import h5py
import keras
import numpy as np
import pytest
import tf_keras
from hypothesis import given, settings
from hypothesis import strategies as st

import lstm_widgets as lw

RNG = np.random.default_rng(0)
HARD, SIGMOID = {"recurrent_activation": "hard_sigmoid"}, {"recurrent_activation": "sigmoid"}


def some(*shape):
    return RNG.normal(0, 0.8, shape).astype(np.float32)


def with_weights(model):
    """Give a model of Keras 2 weights that leave nothing at zero or alike."""
    for weight in model.weights:
        values = some(*weight.shape)
        weight.assign(np.abs(values) + 0.5 if "variance" in weight.name else values)
    return model


def saved(model, path, *, whole=False, version=None):
    """Save a model of Keras 2, with another version's mark if one is given."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        (model.save if whole else model.save_weights)(path)
    if version is not None:
        with h5py.File(path, "a") as file:
            for group in (file, file.get("model_weights")):
                if group is not None:
                    group.attrs["keras_version"] = version
    return path


def expect(new, old, *inputs, atol=2e-6):
    given = inputs[0] if len(inputs) == 1 else list(inputs)
    ours, theirs = new(given), old(given)
    ours, theirs = (each if isinstance(each, list) else [each] for each in (ours, theirs))
    for one, other in zip(ours, theirs, strict=True):
        np.testing.assert_allclose(np.asarray(one), np.asarray(other), atol=atol)


def branches(k, gates):
    """Two inputs, masks, states handed on, a shared layer, models within the model, two outputs."""
    L = k.layers
    ids, series = k.Input((6,), name="ids"), k.Input((6, 3), name="series")
    embedded = L.Embedding(9, 4, mask_zero=True, name="embedded")(ids)
    read, *states = L.Bidirectional(
        L.LSTM(3, return_sequences=True, return_state=True, **gates), name="read"
    )(embedded)
    first = L.Concatenate(name="first_h")([states[0], states[2]])
    second = L.Concatenate(name="first_c")([states[1], states[3]])
    spoken = L.LSTM(6, return_sequences=True, name="spoken", **gates)(
        series, initial_state=[first, second]
    )
    shared = L.GRU(4, name="shared", reset_after=False, **gates)
    meeting = L.Add(name="meeting")([shared(read), shared(spoken)])
    inner = k.Sequential(
        [
            k.Input((6, 6)),
            L.TimeDistributed(L.Dense(5, activation="relu", name="each"), name="wide"),
            L.BatchNormalization(name="norm"),
            L.GRU(3, name="within", reset_after=True, **gates),
        ],
        name="inner",
    )
    x = k.Input((6, 6))
    both = L.Concatenate(name="of_two")([inner(x), L.SimpleRNN(2, name="plain")(x)])
    outer = k.Model(x, both, name="outer")
    cells = [L.LSTMCell(3, **gates), L.GRUCell(2, reset_after=True, **gates)]
    stacked = L.Bidirectional(L.RNN(cells[0]), merge_mode="sum", name="stacked")(spoken)
    low = L.RNN(cells[1], go_backwards=True, name="low")(spoken)
    x = L.Concatenate(name="all")([meeting, outer(spoken), stacked, low])
    return k.Model([ids, series], [L.Dense(2, name="out")(x), meeting], name="branches")


def ids_and_series():
    ids = RNG.integers(1, 9, (4, 6))
    ids[1, 4:] = 0
    return ids, 2 * some(4, 6, 3)


def test_a_whole_model_with_branches(tmp_path):
    old = with_weights(branches(tf_keras, HARD))
    path = saved(old, tmp_path / "model.h5", whole=True)
    new = lw.load_legacy(path)
    inputs = ids_and_series()
    expect(new, old, *inputs)
    assert {layer.name for layer in old.layers} <= {layer.name for layer in new.layers}
    assert new.inputs[0].dtype == "int32"

    recording = lw.record(new, list(inputs), layers=["read", "spoken"])
    within = tf_keras.Model(old.inputs, [old.get_layer(n).output for n in ("read", "spoken")])
    (read, *_), spoken = within(list(inputs))
    np.testing.assert_allclose(recording["spoken"].hidden_state, spoken, atol=2e-6)
    real = (inputs[0] != 0)[..., None]
    for half, direction in enumerate(("forward", "backward")):
        theirs = np.where(real, np.asarray(read)[..., 3 * half : 3 * half + 3], np.nan)
        ours = np.where(real, recording[f"read/{direction}"].hidden_state, np.nan)
        np.testing.assert_allclose(ours, theirs, atol=2e-6)


def test_weights_of_a_model_with_branches(tmp_path):
    old = with_weights(branches(tf_keras, SIGMOID))
    path = saved(old, tmp_path / "weights.h5")
    new = branches(keras, SIGMOID)
    inputs = ids_and_series()
    lw.load_legacy_weights(new, path)
    expect(new, old, *inputs)


def test_default_gates_of_an_old_file_have_to_be_said(tmp_path):
    old = with_weights(branches(tf_keras, HARD))
    path = saved(old, tmp_path / "weights.h5", version="2.2.4")
    new = branches(keras, {})
    before = [weight.numpy() for weight in new.weights]
    with pytest.raises(
        ValueError, match=r"recurrent_activation: expected 'hard_sigmoid' or"
    ) as error:
        lw.load_legacy_weights(new, path)
    for name in ("read/forward", "read/backward", "spoken", "shared", "stacked", "within"):
        assert name in str(error.value)
    for weight, values in zip(new.weights, before, strict=True):
        np.testing.assert_array_equal(weight, values)
    lw.load_legacy_weights(new, path, recurrent_activation="hard_sigmoid")
    expect(new, old, *ids_and_series())


def test_gates_that_are_said_hold_wherever_the_model_runs(tmp_path):
    def build(k, gates):
        layer = k.layers.Bidirectional(k.layers.LSTM(3, **gates), name="both")
        return k.Sequential([k.Input((5, 4)), layer])

    old = with_weights(build(tf_keras, HARD))
    path = saved(old, tmp_path / "weights.h5", version="2.2.4")
    new = build(keras, {})
    x = 2 * some(3, 5, 4)
    new.predict(x, verbose=0)  # traced with the gates as they are at first
    for _ in range(3):
        lw.record(new, x)
    lw.load_legacy_weights(new, path, recurrent_activation="hard_sigmoid")
    np.testing.assert_allclose(new.predict(x, verbose=0), old(x), atol=2e-6)
    new.save(tmp_path / "new.keras")
    expect(keras.models.load_model(tmp_path / "new.keras"), old, x)
    forward = lw.record(new, x, check="full")["both/forward"].hidden_state[:, -1]
    np.testing.assert_allclose(forward, np.asarray(old(x))[:, :3], atol=2e-6)


@pytest.mark.parametrize("version", ["2.0.8", "2.1.6-tf", "2.2.4-tf"])
def test_versions_that_had_both_defaults(tmp_path, version):
    """TensorFlow 1 and 2.0 both write 2.2.4-tf."""
    old = with_weights(two_lstms(tf_keras, ("a", "b"), SIGMOID))
    path = saved(old, tmp_path / "weights.h5", version=version)
    new = two_lstms(keras, ("a", "b"), {})
    with pytest.raises(ValueError, match=rf"Keras {version}, doesn't say which function"):
        lw.load_legacy_weights(new, path)
    lw.load_legacy_weights(new, path, recurrent_activation="sigmoid")
    expect(new, old, some(3, 5, 4))


@pytest.mark.parametrize("version", ["2.3.0-tf", "2.3.1", "2.15.0"])
def test_versions_with_the_default_of_today(tmp_path, version):
    x = 2 * some(3, 5, 4)
    for gates, said in ((SIGMOID, None), (HARD, "hard_sigmoid")):
        old = with_weights(two_lstms(tf_keras, ("a", "b"), gates))
        path = saved(old, tmp_path / "weights.h5", version=version)
        new = two_lstms(keras, ("a", "b"), {})
        lw.load_legacy_weights(new, path, recurrent_activation=said)
        expect(new, old, x)


def test_a_file_without_version_says_nothing_of_gates(tmp_path):
    old = with_weights(two_lstms(tf_keras, ("a", "b"), SIGMOID))
    path = saved(old, tmp_path / "weights.h5")
    with h5py.File(path, "a") as file:
        del file.attrs["keras_version"]
    new = two_lstms(keras, ("a", "b"), {})
    with pytest.raises(ValueError, match=r"layers 'a', 'b', got None. The file, of no version"):
        lw.load_legacy_weights(new, path)
    lw.load_legacy_weights(new, path, recurrent_activation="sigmoid")
    expect(new, old, some(3, 5, 4))


def two_lstms(k, names, *gates):
    """Two layers of the same shapes."""
    L = k.layers
    first, second = gates if len(gates) == 2 else gates * 2
    return k.Sequential(
        [
            k.Input((5, 4)),
            L.LSTM(4, return_sequences=True, name=names[0], **first),
            L.LSTM(4, return_sequences=True, name=names[1], **second),
        ]
    )


def test_gates_are_said_by_layer(tmp_path):
    old = with_weights(two_lstms(tf_keras, ("a", "b"), HARD, SIGMOID))
    path = saved(old, tmp_path / "weights.h5", version="2.2.4")
    x = 2 * some(3, 5, 4)
    told = {"a": "hard_sigmoid", "b": "sigmoid"}
    new = two_lstms(keras, ("a", "b"), {})
    lw.record(new, x, check="full")
    lw.load_legacy_weights(new, path, recurrent_activation=told)
    expect(new, old, x)
    gate = lw.record(new, x, check="full")["a"].forget_gate[:, 0]
    kernel, _, bias = old.get_weights()[:3]
    forget = x[:, 0] @ kernel[:, 4:8] + bias[4:8]
    np.testing.assert_allclose(gate, np.clip(0.2 * forget + 0.5, 0, 1), atol=2e-6)
    # One is known from the model: only the other has to be said.
    new = two_lstms(keras, ("a", "b"), HARD, {})
    with pytest.raises(ValueError, match="for the layer 'b', got None"):
        lw.load_legacy_weights(new, path)
    lw.load_legacy_weights(new, path, recurrent_activation={"b": "sigmoid"})
    expect(new, old, x)
    for said in (told | {"a": "sigmoid"}, "sigmoid"):
        with pytest.raises(ValueError, match=r"'sigmoid' for the layer 'a', .* model says .*'hard"):
            lw.load_legacy_weights(new, path, recurrent_activation=said)
    with pytest.raises(
        ValueError, match="expected names of layers with gates among 'a', 'b'; got 'c'"
    ):
        lw.load_legacy_weights(new, path, recurrent_activation={"c": "sigmoid"})


def test_a_whole_file_says_what_its_gates_were(tmp_path):
    old = with_weights(branches(tf_keras, HARD))
    path = saved(old, tmp_path / "model.h5", whole=True, version="2.2.4")
    new = branches(keras, {})
    lw.load_legacy_weights(new, path)
    expect(new, old, *ids_and_series())
    with pytest.raises(ValueError, match=r"'sigmoid' for .*file says that it is 'hard_sigmoid'"):
        lw.load_legacy_weights(new, path, recurrent_activation={"read": "sigmoid"})
    with pytest.raises(ValueError, match="expected None, because file and model say"):
        lw.load_legacy_weights(new, path, recurrent_activation="sigmoid")
    path = saved(two_lstms(tf_keras, ("a", "b"), SIGMOID), tmp_path / "other.h5", whole=True)
    for other, setting in (
        (HARD, "recurrent_activation='sigmoid'"),
        ({"activation": "relu"}, "tanh"),
    ):
        with pytest.raises(ValueError, match=rf"'a' was a LSTM with .*{setting}"):
            lw.load_legacy_weights(two_lstms(keras, ("a", "b"), other), path)


def test_a_function_of_the_models_own_is_left_as_it_is(tmp_path):
    old = with_weights(two_lstms(tf_keras, ("a", "b"), HARD))
    path = saved(old, tmp_path / "weights.h5", version="2.2.4")
    clip = {"recurrent_activation": lambda x: keras.ops.clip(0.2 * x + 0.5, 0, 1)}
    new = two_lstms(keras, ("a", "b"), clip)
    lw.load_legacy_weights(new, path)
    for ours, theirs in zip(new.get_weights(), old.get_weights(), strict=True):
        np.testing.assert_array_equal(ours, theirs)
    expect(new, old, some(3, 5, 4))


# Which layer is which -----------------------------------------------------------------------------


@pytest.mark.parametrize("names", [("a", "b"), ("lstm", "lstm_1"), ("b", "c")])
def test_layers_are_found_by_name_or_order(tmp_path, names):
    old = with_weights(two_lstms(tf_keras, ("a", "b"), SIGMOID))
    path = saved(old, tmp_path / "weights.h5")
    new = two_lstms(keras, names, SIGMOID)
    lw.load_legacy_weights(new, path)
    expect(new, old, some(3, 5, 4))


@pytest.mark.parametrize("seed", [0, 14])
def test_branches_without_names_are_found_by_order(tmp_path, seed):
    """Layers of the same shapes, here and there, some of them shared."""

    def build(k):
        L, rng = k.layers, np.random.default_rng(seed)
        inputs = [k.Input((4, 3)) for _ in range(2)]
        made = list(inputs)
        shared = L.LSTM(3, return_sequences=True)
        for _ in range(5):
            a, b = (made[rng.integers(len(made))] for _ in range(2))
            layer = L.LSTM(3, return_sequences=True)
            ways = [
                lambda a, b, layer=layer: layer(a),  # noqa: ARG005
                lambda a, b: L.Add()([L.Dense(3)(b), L.Dense(3)(a)]),
                lambda a, b, layer=layer: L.Add()([layer(b), shared(a)]),
                lambda a, b: L.Bidirectional(L.LSTM(3, return_sequences=True), merge_mode="sum")(a),  # noqa: ARG005
            ]
            made.append(ways[rng.integers(4)](a, b))
        return k.Model(inputs, L.Add()(made))

    old = with_weights(build(tf_keras))
    keras.layers.LSTM(3), keras.layers.Dense(3)  # so that numbers in names aren't the same
    new = build(keras)
    lw.load_legacy_weights(new, saved(old, tmp_path / "weights.h5"))
    inputs = some(2, 4, 3), some(2, 4, 3)
    expect(new, old, *inputs)
    expect(lw.load_legacy(saved(old, tmp_path / "model.h5", whole=True)), old, *inputs)


def test_names_count_more_than_the_order(tmp_path):
    old = with_weights(two_lstms(tf_keras, ("a", "b"), SIGMOID))
    path = saved(old, tmp_path / "weights.h5")
    with h5py.File(path, "a") as file:
        file.attrs["layer_names"] = [b"b", b"a"]
    new = two_lstms(keras, ("a", "b"), SIGMOID)
    lw.load_legacy_weights(new, path)
    expect(new, old, some(3, 5, 4))


@pytest.mark.parametrize("frozen", [("a",), ("norm",), ("a", "b", "norm")])
def test_what_was_frozen_within_a_model(tmp_path, frozen):
    """Keras 2 writes first what is trained, and so in another order."""

    def build(k):
        L = k.layers
        layers = [
            L.LSTM(4, return_sequences=True, name="a"),
            L.BatchNormalization(name="norm"),
            L.LSTM(4, name="b"),
        ]
        inner = k.Sequential([k.Input((5, 4)), *layers], name="inner")
        return k.Sequential([k.Input((5, 4)), inner, L.Dense(2, name="out")])

    old = with_weights(build(tf_keras))
    for name in frozen:
        old.get_layer("inner").get_layer(name).trainable = False
    new = build(keras)
    lw.load_legacy_weights(new, saved(old, tmp_path / "weights.h5"))
    x = some(3, 5, 4)
    expect(new, old, x)
    expect(lw.load_legacy(saved(old, tmp_path / "model.h5", whole=True)), old, x)


def test_what_does_not_fit_is_named_and_nothing_is_set(tmp_path):
    L = keras.layers
    path = saved(with_weights(two_lstms(tf_keras, ("a", "b"), HARD)), tmp_path / "w.h5")

    def sequential(*layers):
        return keras.Sequential([keras.Input((5, 4)), *layers])

    a = L.LSTM(4, return_sequences=True, name="a")
    refused = {
        r"'w.h5' has weights of 2 layers \(a, b\), and the model 1 layer \(a\)": sequential(a),
        r"layer 'b' the weights kernel \(4, 16\), .* 'b': kernel \(4, 20\)": sequential(
            a, L.LSTM(5, name="b")
        ),
        r"layer 'b' the weights .*bias \(16,\), which are not those of the model's 'b': k": sequential(
            a, L.LSTM(4, use_bias=False, name="b")
        ),
        r"which are not those of the model's 'c': kernel \(4, 12\)": sequential(
            a, L.GRU(4, name="c")
        ),
        "expected one that is built": keras.Sequential([L.LSTM(4), L.LSTM(4)]),
    }
    for message, model in refused.items():
        before = model.get_weights()
        with pytest.raises(ValueError, match=message):
            lw.load_legacy_weights(model, path)
        for weight, values in zip(model.get_weights(), before, strict=True):
            np.testing.assert_array_equal(weight, values)


def test_the_biases_tell_when_a_gru_resets(tmp_path):
    def build(k, **options):
        return k.Sequential([k.Input((5, 4)), k.layers.GRU(3, name="gru", **options)])

    for after in (False, True):
        path = saved(with_weights(build(tf_keras, reset_after=after)), tmp_path / "w.h5")
        with pytest.raises(
            ValueError, match=f"'gru' was a GRU with reset_after={after} in Keras 2"
        ):
            lw.load_legacy_weights(build(keras, reset_after=not after), path)
    path = saved(build(tf_keras, use_bias=False), tmp_path / "w.h5", version="2.3.1")
    with pytest.warns(UserWarning, match="doesn't say whether the layer 'gru', .* reset_after"):
        lw.load_legacy_weights(build(keras, use_bias=False), path)
    path = saved(build(tf_keras, use_bias=False), tmp_path / "m.h5", whole=True)
    with pytest.raises(ValueError, match="'gru' was a GRU with reset_after=True in Keras 2"):
        lw.load_legacy_weights(build(keras, use_bias=False, reset_after=False), path)


def test_other_arguments_are_refused(tmp_path):
    path = saved(two_lstms(tf_keras, ("a", "b"), {}), tmp_path / "w.h5")
    new = two_lstms(keras, ("a", "b"), {})
    with pytest.raises(TypeError, match="model: expected a Keras 3 model"):
        lw.load_legacy_weights(path, new)
    with pytest.raises(TypeError, match="path: expected a str or a path, got None"):
        lw.load_legacy_weights(new, None)
    with pytest.raises(FileNotFoundError, match=r"found no file at .*missing\.h5"):
        lw.load_legacy_weights(new, tmp_path / "missing.h5")
    for wrong, error in (("tanh", ValueError), (3, TypeError), ({"a": None}, TypeError)):
        with pytest.raises(error, match="recurrent_activation: expected"):
            lw.load_legacy_weights(new, path, recurrent_activation=wrong)
    new.save_weights(tmp_path / "new.weights.h5")
    with pytest.raises(ValueError, match=r"if Keras 3 saved it, model.load_weights opens it"):
        lw.load_legacy_weights(new, tmp_path / "new.weights.h5")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        new.save(tmp_path / "new.h5")
    with pytest.raises(ValueError, match=r"saved by Keras 3.*: model.load_weights opens it"):
        lw.load_legacy_weights(new, tmp_path / "new.h5")
    old = two_lstms(tf_keras, ("a", "b"), {})
    old.save_weights(tmp_path / "own", save_format="tf")
    with pytest.raises(ValueError, match="TensorFlow's own format"):
        lw.load_legacy_weights(new, tmp_path / "own")


# Other layers -------------------------------------------------------------------------------------


def line_of_text(L):
    return [
        L.Conv2D(3, 3, padding="same", activation="relu"),
        L.BatchNormalization(),
        L.MaxPooling2D((2, 2)),
        L.ZeroPadding2D(1),
        L.LeakyReLU(),
        L.Reshape((6, 12)),
        L.Bidirectional(L.LSTM(3, return_sequences=True, **HARD)),
        L.TimeDistributed(L.Dense(4, activation="softmax")),
    ]


def features(L):
    return [
        L.Reshape((8, 4)),
        L.Conv1D(4, 3, padding="causal"),
        L.LayerNormalization(),
        L.AveragePooling1D(2),
        L.UpSampling1D(2),
        L.Cropping1D(1),
        L.ELU(),
        L.Permute((2, 1)),
        L.GRU(3, return_sequences=True, dropout=0.2, recurrent_dropout=0.1),
        L.GlobalMaxPooling1D(),
        L.Softmax(),
    ]


@pytest.mark.parametrize("layers", [line_of_text, features])
def test_layers_before_and_after(tmp_path, layers):
    old = with_weights(tf_keras.Sequential([tf_keras.Input((8, 4, 1)), *layers(tf_keras.layers)]))
    new = keras.Sequential([keras.Input((8, 4, 1)), *layers(keras.layers)])
    x = some(2, 8, 4, 1)
    lw.load_legacy_weights(new, saved(old, tmp_path / "weights.h5"))
    expect(new, old, x)
    expect(lw.load_legacy(saved(old, tmp_path / "model.h5", whole=True)), old, x)


def test_sentences_in_documents_compared(tmp_path):
    """A model for each timestep, called twice by another; inputs and outputs by name."""

    def build(k):
        L = k.layers
        words = k.Input((5,))
        ends = L.LSTM(3)(L.Embedding(9, 4, mask_zero=True)(words))
        sentence = k.Model(words, ends, name="sentence")
        document = k.Sequential(
            [k.Input((2, 5)), L.TimeDistributed(sentence), L.GRU(3)], name="document"
        )
        one, other = k.Input((2, 5), name="one"), k.Input((2, 5), name="other")
        read = [document(one), document(other)]
        alike = L.Dot(1, normalize=True, name="alike")(read)
        return k.Model(
            {"one": one, "other": other},
            {"alike": alike, "both": L.Concatenate(name="both")(read)},
        )

    old = with_weights(build(tf_keras))
    given = {name: RNG.integers(1, 9, (3, 2, 5)) for name in ("one", "other")}
    new = lw.load_legacy(saved(old, tmp_path / "model.h5", whole=True))
    rebuilt = build(keras)
    lw.load_legacy_weights(rebuilt, saved(old, tmp_path / "weights.h5"))
    for name, theirs in old(given).items():
        for ours in (new, rebuilt):
            np.testing.assert_allclose(ours(given)[name], theirs, atol=2e-6)


# Hard sigmoids elsewhere --------------------------------------------------------------------------


def test_every_hard_sigmoid_is_that_of_keras_2(tmp_path):
    def build(k):
        L = k.layers
        hard = {"activation": "hard_sigmoid"}
        return k.Sequential(
            [
                k.Input((5, 4)),
                L.Conv1D(4, 2, **hard),
                L.GRU(4, return_sequences=True, reset_after=True, **hard),
                L.GRU(4, return_sequences=True, reset_after=False, **hard, **HARD),
                L.SimpleRNN(3, **hard),
                L.Dense(2, **hard),
            ]
        )

    old = with_weights(build(tf_keras))
    new = build(keras)
    x = 2 * some(3, 5, 4)
    lw.load_legacy_weights(new, saved(old, tmp_path / "weights.h5"))
    expect(new, old, x)
    expect(lw.load_legacy(saved(old, tmp_path / "model.h5", whole=True)), old, x)


@pytest.mark.parametrize("version", ["2.2.4", "2.15.0"])
def test_a_convolutional_lstm_kept_its_hard_sigmoid(tmp_path, version):
    def build(k, **gates):
        layer = k.layers.ConvLSTM2D(2, 2, name="conv", **gates)
        return k.Sequential([k.Input((3, 4, 4, 1)), layer])

    old = with_weights(build(tf_keras))
    path = saved(old, tmp_path / "weights.h5", version=version)
    with pytest.raises(ValueError, match="for the layer 'conv', got None"):
        lw.load_legacy_weights(build(keras), path)
    x = some(2, 3, 4, 4, 1)
    for new, said in ((build(keras), "hard_sigmoid"), (build(keras, **HARD), None)):
        lw.load_legacy_weights(new, path, recurrent_activation=said)
        expect(new, old, x)


def test_hard_sigmoids_without_weights_are_refused(tmp_path):
    path = saved(two_lstms(tf_keras, ("a", "b"), {}), tmp_path / "w.h5")
    new = two_lstms(keras, ("a", "b"), {"activation": "hard_sigmoid"})
    with pytest.raises(ValueError, match=r"layer 'a' \(LSTM\) has activation='hard_sigmoid'.*clip"):
        lw.load_legacy_weights(new, path)
    new = two_lstms(keras, ("a", "b"), {})
    new.add(keras.layers.Activation("hard_sigmoid", name="gate"))
    with pytest.raises(ValueError, match=r"layer 'gate' \(Activation\) has activation='hard_sig"):
        lw.load_legacy_weights(new, path)


def test_gates_within_a_layer_of_ones_own(tmp_path):
    def build(k, gates):
        class Encoder(k.layers.Layer):
            def __init__(self):
                super().__init__(name="encoder")
                self.scale = self.add_weight(shape=(), name="scale")
                self.embedding = k.layers.Embedding(9, 4)
                self.gru = k.layers.GRU(3, name="gru", **gates)

            def call(self, ids):
                return self.scale * self.gru(self.embedding(ids))

        ids = k.Input((5,))
        return k.Model(ids, k.layers.Dense(2)(Encoder()(ids)))

    ids = RNG.integers(0, 9, (3, 5))
    old = with_weights(build(tf_keras, HARD))
    expected = old(ids)
    path = saved(old, tmp_path / "weights.h5", version="2.2.4")
    new = build(keras, {})
    with pytest.raises(ValueError, match="for the layer 'encoder/gru', got None"):
        lw.load_legacy_weights(new, path)
    lw.load_legacy_weights(new, path, recurrent_activation={"encoder": "hard_sigmoid"})
    np.testing.assert_allclose(new(ids), expected, atol=2e-6)
    new = build(keras, HARD)
    lw.load_legacy_weights(new, path)
    np.testing.assert_allclose(new(ids), expected, atol=2e-6)


# Any of them --------------------------------------------------------------------------------------


@st.composite
def layers(draw):
    kind = draw(st.sampled_from(["LSTM", "GRU", "SimpleRNN"]))
    options = {
        "units": draw(st.integers(1, 4)),
        "use_bias": draw(st.booleans()),
        "activation": draw(st.sampled_from(["tanh", "relu", "softsign"])),
        "go_backwards": draw(st.booleans()),
        "return_sequences": True,
    }
    if kind != "SimpleRNN":
        options |= draw(st.sampled_from([HARD, SIGMOID]))
    if kind == "GRU":
        options["reset_after"] = draw(st.booleans())
    merge = draw(st.sampled_from([None, "concat", "sum", "mul", "ave"]))
    if merge:
        options["go_backwards"] = False
    return kind, options, merge


def build_any(k, specs, several):
    def layer(number, spec):
        kind, options, merge = spec
        made = getattr(k.layers, kind)(**options, name=f"layer_{number}")
        return (
            k.layers.Bidirectional(made, merge_mode=merge, name=f"both_{number}") if merge else made
        )

    x = start = k.Input((4, 3))
    ends = []
    for number, spec in enumerate(specs):
        y = layer(number, spec)(start if several else x)
        x = k.layers.Masking(-7.0)(y) if number == 0 and not several else y
        ends.append(x)
    return k.Model(start, k.layers.Concatenate()(ends) if len(ends) > 1 else ends[0])


@settings(max_examples=8)
@given(
    st.lists(layers(), min_size=1, max_size=2),
    st.booleans(),
    st.integers(0, 2**31),
)
def test_any_recurrent_layers(tmp_path_factory, specs, several, seed):
    folder = tmp_path_factory.mktemp("any")
    rng = np.random.default_rng(seed)
    old = build_any(tf_keras, specs, several)
    for weight in old.weights:
        weight.assign(rng.normal(0, 0.7, weight.shape))
    x = rng.normal(0, 1.5, (3, 4, 3)).astype(np.float32)
    expect(lw.load_legacy(saved(old, folder / "model.h5", whole=True)), old, x, atol=1e-5)
    new = build_any(keras, specs, several)
    lw.load_legacy_weights(new, saved(old, folder / "weights.h5"))
    expect(new, old, x, atol=1e-5)
