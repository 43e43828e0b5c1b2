"""Files of Keras 2, written here piece by piece, against the equations of what was saved in them."""

import json
import pickle
import zipfile

import h5py
import keras
import numpy as np
import pytest
import tf_keras
from keras import layers as L

import lstm_widgets as lw

RNG = np.random.default_rng(0)
UNITS, FEATURES = 5, 3


def weights(*shape):
    return RNG.normal(0, 0.7, shape).astype(np.float32)


def save_weights(group, layers):
    """Write weights as Keras 2 does: one group a layer, in it the paths of its arrays."""
    group.attrs["layer_names"] = [name.encode() for name in layers]
    group.attrs["backend"] = b"tensorflow"
    group.attrs["keras_version"] = b"2.2.5"
    for name, arrays in layers.items():
        layer = group.create_group(name)
        layer.attrs["weight_names"] = [f"{name}/{key}:0".encode() for key in arrays]
        for key, array in arrays.items():
            layer.create_dataset(f"{name}/{key}:0", data=array)


def entry(kind, name, **settings):
    return {"class_name": kind, "config": {"name": name, "trainable": True, **settings}}


def recurrent(kind, name, units=UNITS, **settings):
    """One recurrent layer as Keras 2.2.5 writes it, with much that is of no use."""
    config = {"units": units, "return_sequences": True, "return_state": False}
    config |= {"go_backwards": False, "stateful": False, "kernel_regularizer": None}
    config |= {"kernel_initializer": {"class_name": "VarianceScaling", "config": {"scale": 1.0}}}
    if not kind.startswith("CuDNN"):
        config |= {"activation": "tanh", "use_bias": True}
    if kind in ("LSTM", "GRU"):
        config["recurrent_activation"] = "hard_sigmoid"
    return entry(kind, name, **(config | settings))


def save_model(
    path, entries, layers, *, version=b"2.2.5", as_list=False, shape=(None, 6, FEATURES)
):
    """Write a whole Sequential model."""
    entries[0]["config"]["batch_input_shape"] = shape
    entries[0]["config"].setdefault("dtype", "float32")
    config = entries if as_list else {"name": "sequential_1", "layers": entries}
    with h5py.File(path, "w") as file:
        file.attrs["model_config"] = json.dumps(
            {"class_name": "Sequential", "config": config}
        ).encode()
        file.attrs["keras_version"] = version
        save_weights(file.create_group("model_weights"), layers)
    return path


def cudnn_weights(gates, features=FEATURES, units=UNITS):
    return {
        "kernel": weights(features, gates * units),
        "recurrent_kernel": weights(units, gates * units),
        "bias": weights(2 * gates * units),
    }


def sigmoid(x):
    return 1 / (1 + np.exp(-x))


def hard_sigmoid(x):
    return np.clip(0.2 * x + 0.5, 0, 1)


# What cuDNN computes, by NVIDIA's equations: of each gate there are two matrices and two biases. cuDNN
# gets them one after the other as they stand in memory, and reads each matrix as (units, inputs).


def cudnn_gates(saved, gates):
    inputs, width = saved["kernel"].shape
    units = width // gates
    for g in range(gates):
        part = slice(g * units, (g + 1) * units)
        bias, recurrent_bias = saved["bias"][part], saved["bias"][gates * units :][part]
        w = np.ascontiguousarray(saved["kernel"][:, part]).ravel().reshape(units, inputs)
        r = np.ascontiguousarray(saved["recurrent_kernel"][:, part]).ravel().reshape(units, units)
        yield w.astype(float), r.astype(float), bias.astype(float), recurrent_bias.astype(float)


def cudnn_lstm(saved, x):
    """Every hidden and cell state, and every gate by name."""
    names = ("input_gate", "forget_gate", "candidate", "output_gate")
    gates = dict(zip(names, cudnn_gates(saved, 4), strict=True))
    h = c = np.zeros((len(x), saved["recurrent_kernel"].shape[0]))
    steps = []
    for t in range(x.shape[1]):
        values = {}
        for name, (w, r, bias, recurrent_bias) in gates.items():
            z = np.stack([w @ x[n, t] + r @ h[n] + bias + recurrent_bias for n in range(len(x))])
            values[name] = np.tanh(z) if name == "candidate" else sigmoid(z)
        c = values["forget_gate"] * c + values["input_gate"] * values["candidate"]
        h = values["output_gate"] * np.tanh(c)
        steps.append({"hidden_state": h, "cell_state": c, **values})
    return {name: np.stack([step[name] for step in steps], 1) for name in steps[0]}


def cudnn_gru(saved, x):
    """Every hidden state. The gates are in the file in the order update, reset, candidate."""
    (wi, ri, bwi, bri), (wr, rr, bwr, brr), (wh, rh, bwh, brh) = cudnn_gates(saved, 3)
    h = np.zeros((len(x), saved["recurrent_kernel"].shape[0]))
    states = []
    for t in range(x.shape[1]):
        new = []
        for x_t, h_t in zip(x[:, t], h, strict=True):
            i = sigmoid(wi @ x_t + ri @ h_t + bwi + bri)
            r = sigmoid(wr @ x_t + rr @ h_t + bwr + brr)
            candidate = np.tanh(wh @ x_t + r * (rh @ h_t + brh) + bwh)
            new.append((1 - i) * candidate + i * h_t)
        h = np.array(new)
        states.append(h)
    return np.stack(states, 1)


def keras_2_lstm(saved, x, activation, recurrent_activation):
    units = saved["recurrent_kernel"].shape[0]
    h = c = np.zeros((len(x), units))
    states = []
    for t in range(x.shape[1]):
        z = x[:, t] @ saved["kernel"] + h @ saved["recurrent_kernel"] + saved["bias"]
        i, f, g, o = np.split(z, 4, axis=1)
        c = recurrent_activation(f) * c + recurrent_activation(i) * activation(g)
        h = recurrent_activation(o) * activation(c)
        states.append(h)
    return np.stack(states, 1)


def keras_2_gru(saved, x):
    """Hidden states as of 2.2's default: hard sigmoid, reset before the recurrent product."""
    units = saved["recurrent_kernel"].shape[0]
    kernels, recurrents, biases = (np.split(saved[k], 3, axis=-1) for k in saved)
    h = np.zeros((len(x), units))
    states = []
    for t in range(x.shape[1]):
        z, r = (
            hard_sigmoid(x[:, t] @ kernels[k] + h @ recurrents[k] + biases[k]) for k in range(2)
        )
        candidate = np.tanh(x[:, t] @ kernels[2] + (r * h) @ recurrents[2] + biases[2])
        h = z * h + (1 - z) * candidate
        states.append(h)
    return np.stack(states, 1)


def expect(model, x, expected):
    np.testing.assert_allclose(model.predict(x, verbose=0), expected, atol=1e-5)


# cuDNN --------------------------------------------------------------------------------------------


def test_cudnn_lstm_stack(tmp_path):
    # The model of a published notebook: two layers, the last state, a softmax; ids scaled to 0..1.
    first, last = cudnn_weights(4, 1), cudnn_weights(4, UNITS)
    dense = {"kernel": weights(UNITS, 7), "bias": weights(7)}
    path = save_model(
        tmp_path / "weights-improvement-01.hdf5",
        [
            recurrent("CuDNNLSTM", "cu_dnnlstm_1"),
            entry("Dropout", "dropout_1", rate=0.2, noise_shape=None, seed=None),
            recurrent("CuDNNLSTM", "cu_dnnlstm_2", return_sequences=False),
            entry("Dense", "dense_1", units=7, activation="softmax", use_bias=True),
        ],
        {"cu_dnnlstm_1": first, "dropout_1": {}, "cu_dnnlstm_2": last, "dense_1": dense},
        shape=(None, 6, 1),
    )
    model = lw.load_legacy(str(path))
    assert [layer.name for layer in model.layers] == [
        *("cu_dnnlstm_1", "dropout_1", "cu_dnnlstm_2", "dense_1")
    ]
    x = RNG.random((4, 6, 1)).astype(np.float32)
    below = cudnn_lstm(first, x)
    above = cudnn_lstm(last, below["hidden_state"])
    logits = above["hidden_state"][:, -1] @ dense["kernel"] + dense["bias"]
    powers = np.exp(logits)
    expect(model, x, powers / powers.sum(1, keepdims=True))

    recording = lw.record(model, x, check="full")
    for name, expected in (("cu_dnnlstm_1", below), ("cu_dnnlstm_2", above)):
        for signal, values in expected.items():
            np.testing.assert_allclose(recording[name][signal], values, atol=1e-5)


def test_cudnn_gru(tmp_path):
    saved = cudnn_weights(3)
    path = save_model(tmp_path / "gru.h5", [recurrent("CuDNNGRU", "gru")], {"gru": saved})
    x = weights(4, 6, FEATURES)
    model = lw.load_legacy(path)
    assert model.layers[0].reset_after
    expect(model, x, cudnn_gru(saved, x))
    recording = lw.record(model, x, check="full")
    np.testing.assert_allclose(recording["gru"].hidden_state, cudnn_gru(saved, x), atol=1e-5)


@pytest.mark.parametrize("merge", ["concat", "ave"])
def test_bidirectional_around_cudnn(tmp_path, merge):
    forward, backward = cudnn_weights(3), cudnn_weights(3)
    both = both_directions(forward, backward)
    wrapper = entry("Bidirectional", "both", layer=recurrent("CuDNNGRU", "g"), merge_mode=merge)
    path = save_model(tmp_path / "both.h5", [wrapper], {"both": both})
    x = weights(2, 6, FEATURES)
    directions = cudnn_gru(forward, x), cudnn_gru(backward, x[:, ::-1])[:, ::-1]
    merged = np.concatenate(directions, -1) if merge == "concat" else sum(directions) / 2
    expect(lw.load_legacy(path), x, merged)


def test_a_cudnn_layer_reads_backwards_and_keeps_its_state(tmp_path):
    saved = cudnn_weights(4)
    layer = recurrent("CuDNNLSTM", "lstm", go_backwards=True, stateful=True)
    path = save_model(tmp_path / "m.h5", [layer], {"lstm": saved}, shape=(2, None, FEATURES))
    model = lw.load_legacy(path)
    x = weights(2, 6, FEATURES)
    expected = cudnn_lstm(saved, x[:, ::-1])["hidden_state"]
    expect(model, x[:, 3:], expected[:, :3])
    expect(model, x[:, :3], expected[:, 3:])


# Other layers -------------------------------------------------------------------------------------


def plain_weights(gates, features=FEATURES):
    return {
        "kernel": weights(features, gates * UNITS),
        "recurrent_kernel": weights(UNITS, gates * UNITS),
        "bias": weights(gates * UNITS),
    }


@pytest.mark.parametrize("as_list", [False, True])
def test_hard_sigmoid_is_that_of_keras_2(tmp_path, as_list):
    saved = plain_weights(4)
    entries = [recurrent("LSTM", "lstm")]
    path = save_model(tmp_path / "lstm.h5", entries, {"lstm": saved}, as_list=as_list)
    model = lw.load_legacy(path)
    x = 3 * weights(4, 6, FEATURES)  # into the corners too
    expected = keras_2_lstm(saved, x, np.tanh, hard_sigmoid)
    expect(model, x, expected)
    model.save(tmp_path / "lstm.keras")
    expect(keras.models.load_model(tmp_path / "lstm.keras"), x, expected)
    gate = lw.record(model, x, check="full")["lstm"].forget_gate
    forget = slice(UNITS, 2 * UNITS)
    first = hard_sigmoid(x[:, 0] @ saved["kernel"][:, forget] + saved["bias"][forget])
    np.testing.assert_allclose(gate[:, 0], first, atol=1e-5)


def test_a_gru_of_keras_2_resets_before_and_hard(tmp_path):
    saved = plain_weights(3)
    path = save_model(tmp_path / "gru.h5", [recurrent("GRU", "gru")], {"gru": saved})
    x = 2 * weights(4, 6, FEATURES)
    expect(lw.load_legacy(path), x, keras_2_gru(saved, x))


def test_weights_that_need_no_conversion_stay_as_they_are(tmp_path):
    saved = plain_weights(4)
    layer = recurrent("LSTM", "lstm", recurrent_activation="sigmoid", activation="softsign")
    path = save_model(tmp_path / "lstm.h5", [layer], {"lstm": saved}, version=b"2.2.4-tf")
    model = lw.load_legacy(path)
    for ours, theirs in zip(model.get_weights(), saved.values(), strict=True):
        np.testing.assert_array_equal(ours, theirs)
    x = weights(4, 6, FEATURES)
    expect(model, x, keras_2_lstm(saved, x, lambda z: z / (1 + abs(z)), sigmoid))


def test_the_layers_around(tmp_path):
    vocabulary = weights(9, FEATURES)
    saved = plain_weights(1)
    dense = {"kernel": weights(UNITS, 2), "bias": weights(2)}
    gamma, beta, mean, variance = weights(2), weights(2), weights(2), weights(2) ** 2
    norm = {"gamma": gamma, "beta": beta, "moving_mean": mean, "moving_variance": variance}
    path = save_model(
        tmp_path / "m.h5",
        [
            entry(
                "Embedding",
                "ids",
                input_dim=9,
                output_dim=FEATURES,
                mask_zero=False,
                input_length=6,
            ),
            recurrent("SimpleRNN", "rnn", activation="relu"),
            entry(
                "TimeDistributed",
                "each",
                layer=entry("Dense", "dense", units=2, activation="linear", use_bias=True),
            ),
            entry("BatchNormalization", "norm", axis=[2], momentum=0.9, epsilon=0.01),
            entry("Activation", "tanh", activation="tanh"),
        ],
        {"ids": {"embeddings": vocabulary}, "rnn": saved, "each": dense, "norm": norm, "tanh": {}},
        shape=(None, 6),
    )
    ids = RNG.integers(0, 9, (4, 6))
    x = vocabulary[ids]
    h = np.zeros((4, UNITS))
    states = []
    for t in range(6):
        z = x[:, t] @ saved["kernel"] + h @ saved["recurrent_kernel"] + saved["bias"]
        h = np.maximum(z, 0)
        states.append(h)
    y = np.stack(states, 1) @ dense["kernel"] + dense["bias"]
    expected = np.tanh((y - mean) / np.sqrt(variance + 0.01) * gamma + beta)
    expect(lw.load_legacy(path), ids, expected)


# Weights only ------------------------------------------------------------------------------------


def weights_file(path, layers):
    with h5py.File(path, "w") as file:
        save_weights(file, layers)
    return path


def both_directions(forward, backward):
    both = {f"forward_g/{key}": array for key, array in forward.items()}
    return both | {f"backward_g/{key}": array for key, array in backward.items()}


def test_weights_of_cudnn_layers(tmp_path):
    """Into LSTM, GRU and Bidirectional, of Keras 3 and of Keras 2, which converts them itself."""
    lstm, gru = cudnn_weights(4), cudnn_weights(3, UNITS)
    forward, backward = cudnn_weights(4, UNITS), cudnn_weights(4, UNITS)
    layers = {"lstm": lstm, "gru": gru, "both": both_directions(forward, backward)}
    path = weights_file(tmp_path / "weights.h5", layers)

    def build(k):
        L = k.layers
        return k.Sequential(
            [
                k.Input((6, FEATURES)),
                L.LSTM(UNITS, return_sequences=True, name="lstm"),
                L.GRU(UNITS, return_sequences=True, reset_after=True, name="gru"),
                L.Bidirectional(L.LSTM(UNITS, return_sequences=True), name="both"),
            ]
        )

    model = build(keras)
    lw.load_legacy_weights(model, path)
    x = weights(4, 6, FEATURES)
    below = cudnn_gru(gru, cudnn_lstm(lstm, x)["hidden_state"])
    directions = (
        cudnn_lstm(forward, below)["hidden_state"],
        cudnn_lstm(backward, below[:, ::-1])["hidden_state"][:, ::-1],
    )
    expect(model, x, np.concatenate(directions, -1))
    old = build(tf_keras)
    old.load_weights(path)
    expect(model, x, old(x))
    recording = lw.record(model, x, check="full")
    for signal, values in cudnn_lstm(lstm, x).items():
        np.testing.assert_allclose(recording["lstm"][signal], values, atol=1e-5)


@pytest.mark.parametrize(
    ("layer", "gates", "message"),
    [
        (
            L.LSTM(UNITS, recurrent_activation="hard_sigmoid"),
            4,
            "a CuDNNLSTM with recurrent_activation='sigmoid' in Keras 2",
        ),
        (L.LSTM(UNITS, activation="relu"), 4, "a CuDNNLSTM with activation='tanh' in Keras 2"),
        (L.GRU(UNITS, reset_after=False), 3, "a CuDNNGRU with reset_after=True in Keras 2"),
    ],
)
def test_cudnn_computes_one_function_only(tmp_path, layer, gates, message):
    path = weights_file(tmp_path / "weights.h5", {"old": cudnn_weights(gates)})
    model = keras.Sequential([keras.Input((6, FEATURES)), layer])
    with pytest.raises(ValueError, match=message):
        lw.load_legacy_weights(model, path)


def test_cudnn_among_layers_of_unknown_gates(tmp_path):
    cudnn, plain = cudnn_weights(4), plain_weights(4, UNITS)
    path = weights_file(tmp_path / "weights.h5", {"a": cudnn, "b": plain})
    layers = [L.LSTM(UNITS, return_sequences=True, name=name) for name in "ab"]
    model = keras.Sequential([keras.Input((6, FEATURES)), *layers])
    with pytest.raises(ValueError, match="for the layer 'b', got None"):
        lw.load_legacy_weights(model, path)
    with pytest.raises(
        ValueError, match="'hard_sigmoid' for the layer 'a', of which the file says"
    ):
        lw.load_legacy_weights(
            model, path, recurrent_activation={"a": "hard_sigmoid", "b": "hard_sigmoid"}
        )
    lw.load_legacy_weights(model, path, recurrent_activation="hard_sigmoid")
    x = weights(4, 6, FEATURES)
    expected = keras_2_lstm(plain, cudnn_lstm(cudnn, x)["hidden_state"], np.tanh, hard_sigmoid)
    expect(model, x, expected)


# What is refused ----------------------------------------------------------------------------------


def lstm_file(path, **settings):
    layer = recurrent("CuDNNLSTM", "lstm_1")
    layer["config"] |= settings
    return save_model(path, [layer], {"lstm_1": cudnn_weights(4)})


@pytest.mark.parametrize(
    ("layer", "message"),
    [
        (entry("Lambda", "twice", function=["4wEAAAA=", None, None]), "'twice' (Lambda): not conv"),
        (entry("ConvLSTM2D", "conv", filters=3), "'conv' (ConvLSTM2D): not converted, only LSTM, "),
        (recurrent("LSTM", "a", activation="hard_sigmoid"), "activation='hard_sigmoid': not conv"),
        (recurrent("LSTM", "a", activation={"class_name": "x"}), "expected str"),
        (recurrent("LSTM", "a", units="5"), "'a' (LSTM) with units='5', expected int"),
        (recurrent("LSTM", "a", time_major=True), "'a' (LSTM) with time_major=True: not converted"),
        (recurrent("LSTM", "a", dtype={"class_name": "Policy"}), "'a' (LSTM) with dtype="),
        (
            entry("Bidirectional", "b", layer=entry("ConvLSTM2D", "c"), merge_mode="sum"),
            "'b' (Bidirectional) around ConvLSTM2D: not converted, only around LSTM, ",
        ),
        (
            entry("Bidirectional", "b", layer=recurrent("LSTM", "c"), merge_mode=None),
            "'b' (Bidirectional) with merge_mode=None",
        ),
        (
            {"class_name": "Sequential", "config": {"name": "inner", "layers": []}},
            "has the model 'inner' without layers",
        ),
        (
            entry("Activation", "a", activation="hard_sigmoid"),
            "'a' (Activation) with activation='h",
        ),
        (
            {"class_name": "LSTM", "config": {"name": "a", "units": 2}},
            "'a' (LSTM) without recurrent_activation",
        ),
        ("LSTM", "a part that Keras 2 doesn't write in a model: LSTM"),
    ],
)
def test_what_is_not_converted_is_named(tmp_path, layer, message):
    entries = [recurrent("CuDNNLSTM", "first"), layer]
    path = save_model(tmp_path / "old.h5", entries, {"first": cudnn_weights(4)})
    with pytest.raises(ValueError, match=r"path: 'old.h5' has") as error:
        lw.load_legacy(path)
    assert message in str(error.value)
    assert "call lw.load_legacy_weights(model, path)" in str(error.value)


def functional(**changes):
    """Describe a model: an input, a layer, an output."""
    reads = [[["x", 0, 0, {}]]]
    start = entry("InputLayer", "x", batch_input_shape=[None, 6, FEATURES])
    layers = [
        {**start, "name": "x", "inbound_nodes": []} | changes.pop("x", {}),
        {**recurrent("CuDNNLSTM", "lstm_1"), "name": "lstm_1", "inbound_nodes": reads}
        | changes.pop("lstm_1", {}),
    ]
    config = {"name": "model_1", "layers": layers, "input_layers": [["x", 0, 0]]}
    return config | {"output_layers": [["lstm_1", 0, 0]]} | changes


@pytest.mark.parametrize(
    ("kind", "config", "message"),
    [
        ("Own", {}, r"is a model of the class Own: not .*lw.load_legacy_weights\(model, path\)"),
        ("Model", {"layers": []}, r"connected in a way .*lw.load_legacy_weights\(model, path\)"),
        ("Functional", functional(output_layers=[["b", 0, 0]]), "connected in a way"),
        ("Model", functional(output_layers=[["lstm_1", 0, 1]]), "inputs or outputs no layer makes"),
        ("Model", functional(lstm_1={"inbound_nodes": [{"x": 1}]}), "connected in a way"),
        (
            "Model",
            functional(lstm_1={"inbound_nodes": [[["lstm_1", 0, 0, {}]]]}),
            "calls the layer 'lstm_1' with what no other layer makes",
        ),
        (
            "Model",
            functional(lstm_1={"inbound_nodes": [[["x", 0, 0, {"mask": ["x", 0, 0]}]]]}),
            r"calls the layer 'lstm_1' with mask=\['x', 0, 0\]: not converted",
        ),
        (
            "Model",
            functional(lstm_1={"inbound_nodes": [[["x", 0, 0, {}], ["x", 0, 0, {}]]]}),
            "'lstm_1' .*Keras 3 doesn't make: expected 2 initial states, got 1",
        ),
        (
            "Model",
            functional(x={"config": {"batch_input_shape": [None, 6, FEATURES], "sparse": True}}),
            "the input 'x' with sparse=True: not converted",
        ),
    ],
)
def test_models_that_are_connected_otherwise_are_refused(tmp_path, kind, config, message):
    path = lstm_file(tmp_path / "m.h5")
    with h5py.File(path, "a") as file:
        file.attrs["model_config"] = json.dumps({"class_name": kind, "config": config})
    with pytest.raises(ValueError, match=message):
        lw.load_legacy(path)


def test_a_model_of_an_older_functional_description(tmp_path):
    saved = cudnn_weights(4)
    path = save_model(tmp_path / "m.h5", [recurrent("CuDNNLSTM", "lstm_1")], {"lstm_1": saved})
    config = functional(lstm_1={"inbound_nodes": [[["x", 0, 0]]]})
    with h5py.File(path, "a") as file:
        file.attrs["model_config"] = json.dumps({"class_name": "Model", "config": config})
    x = weights(2, 6, FEATURES)
    expect(lw.load_legacy(path), x, cudnn_lstm(saved, x)["hidden_state"])


@pytest.mark.parametrize(
    ("version", "message"),
    [(b"3.4.1", "Keras 3.4.1, .*keras.models.load_model"), (b"1.2.2", "Keras 1.2.2, expected")],
)
def test_other_versions_are_refused(tmp_path, version, message):
    layers = {"lstm_1": cudnn_weights(4)}
    path = save_model(
        tmp_path / "m.h5", [recurrent("CuDNNLSTM", "lstm_1")], layers, version=version
    )
    with pytest.raises(ValueError, match=message):
        lw.load_legacy(path)


def test_weights_only_are_refused(tmp_path):
    with h5py.File(tmp_path / "w.h5", "w") as file:
        save_weights(file, {"lstm_1": plain_weights(4)})
    with pytest.raises(ValueError, match=r"weights only.* lw.load_legacy_weights\(model, path\)"):
        lw.load_legacy(tmp_path / "w.h5")


def test_weights_that_do_not_fit_are_refused(tmp_path):
    path = lstm_file(tmp_path / "m.h5", units=UNITS + 1)
    message = r"layer 'lstm_1' the weights kernel \(3, 20\), .* not those of .*: kernel \(3, 24\), "
    with pytest.raises(ValueError, match=message):
        lw.load_legacy(path)
    path = lstm_file(tmp_path / "m.h5")
    with h5py.File(path, "a") as file:
        del file["model_weights/lstm_1/lstm_1/bias:0"]
    with pytest.raises(ValueError, match="has no 'lstm_1/bias:0' within itself"):
        lw.load_legacy(path)


def test_nothing_is_read_from_elsewhere(tmp_path):
    (tmp_path / "secret").write_bytes(bytes(160))
    path = lstm_file(tmp_path / "m.h5")
    name = "model_weights/lstm_1/lstm_1/bias:0"
    with h5py.File(path, "a") as file:
        del file[name]
        external = [(str(tmp_path / "secret"), 0, h5py.h5f.UNLIMITED)]
        file.create_dataset(name, (40,), np.float32, external=external)
    with pytest.raises(ValueError, match="keeps 'lstm_1/bias:0' in another file"):
        lw.load_legacy(path)
    with h5py.File(path, "a") as file:
        del file[name]
        file[name] = h5py.ExternalLink(str(lstm_file(tmp_path / "other.h5")), name)
    with pytest.raises(ValueError, match="has no 'lstm_1/bias:0' within itself"):
        lw.load_legacy(path)


class Bomb:
    def __reduce__(self):
        return exec, ("raise SystemExit('a pickle was opened')",)


def test_other_files_are_refused(tmp_path):
    with pytest.raises(FileNotFoundError, match=r"found no file at .*missing\.h5"):
        lw.load_legacy(tmp_path / "missing.h5")
    (tmp_path / "m.pkl").write_bytes(pickle.dumps(Bomb()))
    with pytest.raises(ValueError, match=r"'m.pkl' is a pickle"):
        lw.load_legacy(tmp_path / "m.pkl")
    saved_model = tmp_path / "saved"
    saved_model.mkdir()
    with pytest.raises(ValueError, match="'saved' is a folder"):
        lw.load_legacy(saved_model)
    (saved_model / "saved_model.pb").touch()
    with pytest.raises(ValueError, match="'saved' is a SavedModel"):
        lw.load_legacy(saved_model)
    with zipfile.ZipFile(tmp_path / "m.keras", "w") as archive:
        archive.writestr("config.json", "{}")
    with pytest.raises(ValueError, match=r"'m.keras' is a zip archive.*keras.models.load_model"):
        lw.load_legacy(tmp_path / "m.keras")
    (tmp_path / "notes.h5").write_text("no model")
    with pytest.raises(ValueError, match=r"'notes.h5' isn't an HDF5 file"):
        lw.load_legacy(tmp_path / "notes.h5")
    (tmp_path / "cut.h5").write_bytes(b"\x89HDF\r\n\x1a\n" + bytes(100))
    with pytest.raises(ValueError, match=r"path: 'cut.h5' is a damaged HDF5 file"):
        lw.load_legacy(tmp_path / "cut.h5")
    with pytest.raises(TypeError, match="path: expected a str or a path, got None"):
        lw.load_legacy(None)
    with h5py.File(tmp_path / "empty.h5", "w"):
        pass
    with pytest.raises(ValueError, match=r"'empty.h5' has no model_config"):
        lw.load_legacy(tmp_path / "empty.h5")


@pytest.mark.parametrize("change", [{"shape": None}, {"shape": (None, "6", 3)}])
def test_an_input_of_unknown_shape_is_refused(tmp_path, change):
    layers = {"lstm_1": cudnn_weights(4)}
    path = save_model(tmp_path / "m.h5", [recurrent("CuDNNLSTM", "lstm_1")], layers, **change)
    with pytest.raises(ValueError, match="doesn't say what shape of input"):
        lw.load_legacy(path)
