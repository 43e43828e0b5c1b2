"""Recordings while a model learns: what they hold, and that training is what it is without."""

from __future__ import annotations

import os
import random
import subprocess
import sys

import keras
import numpy as np
import pytest
import tensorflow as tf
import torch
from keras import layers as L
from torch import nn

import lstm_widgets as lw
from lstm_widgets.recording import variant_folder
from lstm_widgets.running import repeated, training

X = np.random.default_rng(0).normal(size=(12, 6, 3)).astype("float32")
Y = X.sum(axis=(1, 2))[:, None]
PROBE = X[:4]


def network(*layers, shape=(6, 3)):
    keras.utils.set_random_seed(0)
    model = keras.Sequential(
        [keras.Input(shape), *(layers or [L.LSTM(4, name="lstm"), L.Dense(1)])]
    )
    model.compile("sgd", "mse")
    return model


def fit(model, *callbacks, epochs=3, **more):
    return model.fit(X, Y, 4, epochs=epochs, verbose=0, callbacks=[*callbacks], **more)


class Weights(keras.callbacks.Callback):
    """Keep the weights before training and after each epoch."""

    def __init__(self):
        super().__init__()
        self.kept = []

    def on_train_begin(self, logs=None):  # noqa: ARG002 - as Keras calls it
        self.kept.append(self.model.get_weights())

    def on_epoch_end(self, epoch, logs=None):  # noqa: ARG002
        self.kept.append(self.model.get_weights())


# What is recorded ---------------------------------------------------------------------------------


def test_each_variant_is_what_record_gives_with_the_weights_of_its_time():
    model, weights = network(), Weights()
    recorder = lw.TrainingRecorder(PROBE, signals=("cell_state", "hidden_state"), labels=[*"abcd"])
    history = fit(model, recorder, weights)
    assert recorder.names == ("epoch 0", "epoch 1", "epoch 2", "epoch 3")
    for values, recording in zip(weights.kept, recorder.variants.values(), strict=True):
        model.set_weights(values)
        expected = lw.record(model, PROBE, labels=[*"abcd"])["lstm"]
        assert recording.signals("lstm") == ("hidden_state", "cell_state")
        for signal in recording.signals("lstm"):
            difference = recording["lstm"][signal] - expected[signal]
            assert float(abs(difference).max()) < 1e-6
        assert list(recording["lstm"].label.values) == [*"abcd"]
    losses = recorder.losses
    assert list(losses.columns) == ["variant", "epoch", "loss"]
    assert losses["epoch"].tolist() == [0, 1, 2, 3]
    np.testing.assert_allclose(losses["loss"][1:], history.history["loss"])
    assert recorder.variants.losses.equals(losses)
    assert repr(recorder) == "TrainingRecorder of 4 variants: epoch 0 to epoch 3"


def stepped():
    """A model that steps a cell itself, and passes through a model in the model."""
    cell, inner = L.LSTMCell(3, name="cell"), keras.Sequential([L.GRU(3, name="gru")], name="inner")

    class Stepping(keras.Model):
        def __init__(self):
            super().__init__()
            self.cell, self.inner, self.out = cell, inner, L.Dense(1)

        def call(self, x):
            states = [keras.ops.zeros((keras.ops.shape(x)[0], 3)) for _ in range(2)]
            for k in range(3):
                _, states = self.cell(x[:, k], states)
            return self.out(self.inner(x) + states[0])

    model = Stepping()
    model.compile("sgd", "mse")
    return model


MODELS = {
    "stacked": lambda: network(L.RNN([L.LSTMCell(3), L.GRUCell(2)]), L.Dense(1)),
    "both directions": lambda: network(
        L.Masking(), L.Bidirectional(L.LSTM(3, return_sequences=True)), L.GRU(2), L.Dense(1)
    ),
    "backwards": lambda: network(L.Masking(), L.SimpleRNN(3, go_backwards=True), L.Dense(1)),
    "reset before": lambda: network(L.GRU(3, reset_after=False, unroll=True), L.Dense(1)),
    "stepped": stepped,
}


@pytest.mark.parametrize("name", MODELS)
def test_models_of_all_kinds_are_compiled_and_recorded_as_record_does(name):
    model = MODELS[name]()
    probe = PROBE.copy()
    probe[1, 4:] = probe[2, :2] = 0  # which is masked, where anything is
    recorder = lw.TrainingRecorder(probe, signals=None)
    for k in range(2):
        recorder.record(model, f"step {k}")
        for variable in model.trainable_variables:
            variable.assign(variable * 1.1 + 0.01)
        recorder.record(model, f"step {k} and a half")
    expected = lw.record(model, probe)
    recording = recorder.variants["step 1 and a half"]
    assert recording.layers == expected.layers
    for layer in expected.layers:
        assert recording[layer].attrs["check"]["mode"] == "full"
        assert recording.signals(layer) == expected.signals(layer)
        for variable in (*expected[layer].data_vars, *expected[layer].coords):
            np.testing.assert_allclose(
                recording[layer][variable], expected[layer][variable], atol=1e-6, err_msg=variable
            )


@pytest.mark.parametrize("name", MODELS)
@pytest.mark.parametrize("which", [0, -1])
def test_hidden_states_of_one_layer_are_recorded_as_record_does(name, which):
    model = MODELS[name]()
    layer = lw.record(model, PROBE, check=False).layers[which]
    recorder = lw.TrainingRecorder(PROBE, layers=layer, signals="hidden_state")
    recorder.record(model, "first")
    for variable in model.trainable_variables:
        variable.assign(variable * 1.1 + 0.01)
    recorder.record(model, "second")
    expected = lw.record(model, PROBE, layers=layer, signals="hidden_state")
    recording = recorder.variants["second"]
    assert recording.layers == expected.layers
    assert recording.signals(layer) == expected.signals(layer)
    for variable in (*expected[layer].data_vars, *expected[layer].coords):
        np.testing.assert_allclose(
            recording[layer][variable], expected[layer][variable], atol=1e-6, err_msg=variable
        )


class Tracing(keras.Model):
    """A model whose own traced function runs its layers: their values stay inside."""

    def __init__(self):
        super().__init__()
        self.lstm, self.out = L.LSTM(3, name="lstm"), L.Dense(1)

    def call(self, x):
        @tf.function
        def inner(x):
            return self.out(self.lstm(x))

        return inner(x)


def test_what_cannot_be_compiled_is_recorded_as_record_does():
    model = Tracing()
    model(X)
    recorder = lw.TrainingRecorder(PROBE)
    for k in range(3):
        recorder.record(model, str(k))
    expected = lw.record(model, PROBE, signals="hidden_state")["lstm"].hidden_state
    assert recorder.variants["2"]["lstm"].hidden_state.equals(expected)
    assert recorder.variants["2"]["lstm"].attrs["check"]["mode"] == "prefix"


@pytest.mark.parametrize("more", [{}, {"window": 4}, {"window": 4, "pad": "a"}])
def test_texts_are_read_as_record_reads_them(more):
    keras.utils.set_random_seed(0)
    model = keras.Sequential(
        [keras.Input((None,)), L.Embedding(3, 2), L.LSTM(4, return_sequences=True, name="lstm")]
    )
    text = "abcabbcacab"
    recorder = lw.TrainingRecorder(text, vocabulary="abc", **more)
    for k in range(2):
        recorder.record(model, str(k))
    expected = lw.record(model, text, vocabulary="abc", signals="hidden_state", **more)["lstm"]
    recording = recorder.variants["1"]["lstm"]
    assert recording.attrs["check"]["mode"] == ("full" if more else "none")
    np.testing.assert_allclose(recording.hidden_state, expected.hidden_state, atol=1e-6)
    assert "".join(recording.token.to_numpy()[0]) == text


def test_tokens_that_all_variants_have_cannot_be_changed_in_one():
    model = network(L.LSTM(3, return_sequences=True, name="lstm"), shape=(None, 3))
    recorder = lw.TrainingRecorder(PROBE, tokens=[[*"abcdef"]] * 4)
    for k in range(3):
        recorder.record(model, str(k))
    second, third = (recorder.variants[name]["lstm"].token.values for name in "12")
    assert second.tolist() == third.tolist() == [[*"abcdef"]] * 4
    with pytest.raises(ValueError, match="read-only"):
        second[0, 0] = "x"


def test_a_series_keeps_times_and_channels():
    days = np.arange("2001-01-01", "2001-01-13", dtype="datetime64[D]")
    model = network(L.LSTM(3, return_sequences=True, name="lstm"), L.Dense(1), shape=(None, 2))
    series = np.random.default_rng(0).normal(size=(12, 2)).astype("float32")
    recorder = lw.TrainingRecorder(
        series, times=days, channels=("rain", "warmth"), scaling=(1.0, 2.0)
    )
    for k in range(2):
        recorder.record(model, str(k))
    recording = recorder.variants["1"]
    assert list(recording.inputs.channel.values) == ["rain", "warmth"]
    np.testing.assert_allclose(recording.inputs[0], series * 2 + 1, rtol=1e-6)
    np.testing.assert_allclose(recording.outputs[0], model(series[None])[0], atol=1e-6)
    np.testing.assert_array_equal(recording["lstm"].time.values.astype(days.dtype), days)


# When -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("settings", "expected"),
    [
        ({"every": 2}, ["epoch 0", "epoch 2", "epoch 4", "epoch 5"]),
        ({"every": (3, 1)}, ["epoch 1", "epoch 3"]),
        ({"every": 6, "by": "step"}, ["step 0", "step 6", "step 12", "step 15"]),
        ({"every": (0, 1, 4), "by": "step"}, ["step 0", "step 1", "step 4"]),
        ({"every": np.arange(0, 5, 2)}, ["epoch 0", "epoch 2", "epoch 4"]),
    ],
)
def test_epochs_and_steps_are_chosen(settings, expected):
    recorder = lw.TrainingRecorder(PROBE, **settings)
    fit(network(), recorder, epochs=5)
    assert list(recorder.names) == expected


def test_steps_that_run_together_are_recorded_after_them():
    model = network()
    model.compile("sgd", "mse", steps_per_execution=3)
    recorder = lw.TrainingRecorder(PROBE, every=2, by="step")
    fit(model, recorder, epochs=2)
    assert recorder.names == ("step 0", "step 3", "step 6")


def test_a_further_fit_goes_on_counting():
    model, recorder = network(), lw.TrainingRecorder(PROBE)
    fit(model, recorder, epochs=1)
    fit(model, recorder, epochs=2)
    fit(model, recorder, epochs=5, initial_epoch=4)
    assert recorder.names == ("epoch 0", "epoch 1", "epoch 2", "epoch 3", "epoch 4", "epoch 5")
    late = lw.TrainingRecorder(PROBE, every=3)
    fit(model, late, epochs=4, initial_epoch=3)
    assert late.names == ("epoch 3", "epoch 4")


def test_it_stands_among_other_callbacks():
    recorder = lw.TrainingRecorder(PROBE)
    stopping = keras.callbacks.EarlyStopping("loss", patience=0, min_delta=1e9)
    fit(network(), keras.callbacks.CallbackList([recorder, stopping]), epochs=9)
    assert recorder.names == ("epoch 0", "epoch 1", "epoch 2")
    assert not hasattr(recorder, "no_such_thing")


@pytest.mark.parametrize(
    ("settings", "expected"),
    [
        ({"every": 5}, ["epoch 0", "epoch 4"]),
        ({"every": 10, "by": "step"}, ["step 0", "step 10", "step 12"]),
        ({"every": (0, 9)}, ["epoch 0"]),
    ],
)
@pytest.mark.parametrize("first", [True, False])
def test_the_last_epoch_is_recorded_once_when_training_is_stopped(settings, expected, first):
    recorder, weights, model = lw.TrainingRecorder(PROBE, **settings), Weights(), network()
    # Gets no better after the first epoch, whose weights it brings back in the end.
    stopping = keras.callbacks.EarlyStopping(
        "loss", patience=3, min_delta=1e9, restore_best_weights=True
    )
    callbacks = [weights, stopping, recorder] if first else [weights, recorder, stopping]
    history = fit(model, *callbacks, epochs=9)
    assert list(recorder.names) == expected
    losses = [np.nan, *history.history["loss"]]
    assert len(losses) == 1 + 4
    assert not np.array_equal(model.get_weights()[0], weights.kept[-1][0])
    if len(expected) > 1:
        np.testing.assert_allclose(recorder.losses["loss"].iloc[-1], losses[-1])
        model.set_weights(weights.kept[-1])
        found = recorder.variants[expected[-1]]["lstm"].hidden_state
        np.testing.assert_allclose(found, lw.record(model, PROBE)["lstm"].hidden_state, atol=1e-6)


def test_layers_that_keras_numbered_on_are_paired_by_place():
    def made(first, second):
        model = network(L.LSTM(first, return_sequences=True), L.LSTM(second), L.Dense(1))
        return lw.record(model, PROBE)

    keras.backend.clear_session()
    one, other = made(4, 3), made(4, 3)
    assert (one.layers, other.layers) == (("lstm", "lstm_1"), ("lstm_2", "lstm_3"))
    with pytest.warns(UserWarning, match="by their places"):
        paired = lw.Variants({"one": one, "other": other})
    np.testing.assert_array_equal(
        paired["other"]["lstm_1"].hidden_state, other["lstm_3"].hidden_state
    )
    keras.backend.clear_session()
    L.LSTM(1)
    with pytest.raises(ValueError, match=r"'lstm_1' is the second of .* and the first of "):
        lw.Variants({"one": one, "turned": made(3, 4)})


# Training isn't changed ------------------------------------------------------------------------------


@pytest.mark.parametrize("backend", ["tensorflow", "jax", "torch"])
def test_training_of_keras_is_the_same_to_the_bit(root, backend):
    flags = "--xla_backend_optimization_level=0 --xla_llvm_disable_expensive_passes=true"
    run = subprocess.run(
        [sys.executable, root / "tests" / "trained.py"],
        env=os.environ | {"PYTHONPATH": str(root), "KERAS_BACKEND": backend, "XLA_FLAGS": flags},
        capture_output=True,
        text=True,
        check=False,
    )
    assert run.returncode == 0, run.stderr


class Noisy(nn.Module):
    """Draws from every random number generator there is, whatever the mode."""

    def __init__(self):
        super().__init__()
        self.lstm = nn.LSTM(3, 4, num_layers=2, dropout=0.3, batch_first=True)
        self.norm, self.out = nn.BatchNorm1d(4), nn.Linear(4, 1)

    def forward(self, x):
        hidden, _ = self.lstm(x)
        noise = torch.rand(()) + random.random() + np.random.rand()  # noqa: NPY002
        return self.out(self.norm(hidden[:, -1])) + 0.01 * noise


def test_a_loop_of_pytorch_is_the_same_to_the_bit():
    def train(recorder):
        torch.manual_seed(0)
        random.seed(0)
        np.random.seed(0)  # noqa: NPY002
        module = Noisy()
        module.lstm.eval()  # a mode of its own
        optimizer = torch.optim.Adam(module.parameters())
        x, y = torch.tensor(X), torch.tensor(Y)
        if recorder is not None:
            recorder.record(module, "epoch 0")
        for epoch in range(3):
            optimizer.zero_grad()
            loss = (module(x) - y).square().mean()
            if recorder is not None:
                recorder.record(
                    module, f"in epoch {epoch + 1}"
                )  # the graph is there, the gradient not
            loss.backward()
            gradients = [p.grad.clone() for p in module.parameters()]
            if recorder is not None:
                recorder.record(module, f"epoch {epoch + 1}", epoch=epoch + 1, loss=loss.item())
            assert all(
                torch.equal(before, p.grad)
                for before, p in zip(gradients, module.parameters(), strict=True)
            )
            assert [one.training for one in module.modules()] == [True, False, True, True]
            optimizer.step()
        values = [p.detach().numpy().tobytes() for p in (*module.parameters(), *module.buffers())]
        return values, torch.rand(()).item(), random.random(), np.random.rand()  # noqa: NPY002

    recorder = lw.TrainingRecorder(PROBE, check="prefix")  # no two runs of it are the same
    assert train(recorder) == train(None)
    assert len(recorder.names) == 7
    assert recorder.losses["loss"].notna().sum() == 3
    states = recorder.variants.stacked("lstm/1", "hidden_state").to_numpy()
    np.testing.assert_array_equal(states[0], states[1])
    assert np.abs(states[2] - states[1]).max() == 0  # no step between them
    assert np.abs(states[3] - states[2]).max() > 0


def test_random_numbers_go_on_as_without_whatever_makes_those_of_numpy():
    module, usual = Noisy(), np.random.get_bit_generator()
    try:
        np.random.set_bit_generator(np.random.PCG64(3))
        np.random.normal()  # noqa: NPY002 - of two that are made at once, which the state has, too
        before = np.random.get_state(legacy=False)  # noqa: NPY002
        lw.TrainingRecorder(PROBE, check="prefix").record(module, "one")
        assert np.random.get_state(legacy=False) == before  # noqa: NPY002
    finally:
        np.random.set_bit_generator(usual)


def test_each_variant_of_a_module_is_what_it_gives():
    torch.manual_seed(0)
    module = nn.GRU(3, 4, batch_first=True)
    recorder = lw.TrainingRecorder(PROBE, signals=None)
    for k in range(3):
        recorder.record(module, str(k))
        expected = module(torch.tensor(PROBE))[0].detach().numpy()
        found = recorder.variants[str(k)]["gru"].hidden_state
        np.testing.assert_allclose(found, expected, atol=1e-6)
        with torch.no_grad():
            module.weight_hh_l0 *= 1.5


# Kept, written, and what goes wrong ------------------------------------------------------------------


class Interrupting(keras.callbacks.Callback):
    def on_epoch_end(self, epoch, logs=None):  # noqa: ARG002
        if epoch == 1:
            raise KeyboardInterrupt


@pytest.mark.parametrize("to", [False, True])
def test_an_interrupted_training_keeps_what_is_recorded(to, tmp_path):
    recorder = lw.TrainingRecorder(PROBE, to=tmp_path / "run" if to else None)
    with pytest.raises(KeyboardInterrupt):
        fit(network(), recorder, Interrupting(), epochs=5)
    assert recorder.names == ("epoch 0", "epoch 1", "epoch 2")
    assert recorder.variants.stacked("lstm", "hidden_state").to_numpy().shape == (3, 4, 6, 4)


def test_an_interrupt_within_a_recording_is_the_trainings_and_leaves_no_half(monkeypatch):
    model = network()
    recorder = lw.TrainingRecorder(PROBE)
    recorder.record(model, "whole")

    def interrupt(*_):
        raise KeyboardInterrupt

    monkeypatch.setattr(repeated.Recorder, "read", interrupt)
    with pytest.raises(KeyboardInterrupt):
        recorder.record(model, "half")
    assert recorder.names == ("whole",)


def test_a_folder_holds_what_memory_would(tmp_path):
    model, folder = network(), tmp_path / "run"
    recorders = [lw.TrainingRecorder(PROBE), lw.TrainingRecorder(PROBE, to=folder)]
    fit(model, *recorders)
    for name in ("../up", "a/b", ".", "Ä <b> 100 %", "long " * 60, "long " * 60 + "er", "日" * 90):
        for recorder in recorders:
            recorder.record(model, name, accuracy=np.float32(0.5))
    in_memory, written = recorders[0].variants, lw.Variants(folder)
    assert written.names == in_memory.names
    assert written.losses.equals(in_memory.losses)
    assert {path.name for path in tmp_path.iterdir()} == {"run"}
    for name in in_memory:
        assert written[name]["lstm"].equals(in_memory[name]["lstm"])
    with pytest.raises(FileExistsError, match=r"variants at .*overwrite=True"):
        lw.TrainingRecorder(PROBE, to=folder)
    (folder / "mine.txt").write_text("mine")
    again = lw.TrainingRecorder(PROBE, to=folder, overwrite=True)
    again.record(model, "only")
    assert lw.Variants(folder).names == ("only",)
    assert (folder / "mine.txt").read_text() == "mine"
    with pytest.raises(FileExistsError, match="something else"):
        lw.TrainingRecorder(PROBE, to=tmp_path)
    with pytest.raises(lw.RecordingFileError, match="a folder of variants: Variants opens it"):
        lw.open_recording(folder)


def test_a_list_of_variants_leads_nowhere_else(tmp_path):
    with pytest.raises(FileNotFoundError, match="expected a folder of variants"):
        lw.Variants(tmp_path)
    path = tmp_path / variant_folder.LIST
    for lines, told in (
        (["{"], "damaged"),
        (["[]"], "damaged"),
        (['{"format": 2}', "{}"], "damaged"),
        (['{"format": 3}'], "format 3"),
        *(
            (
                [
                    '{"format": 2}',
                    f'{{"name": "a", "file": "{to}", "bytes": 3, "told": {{}}}}',
                ],
                "elsewhere",
            )
            for to in ("..", "/etc", "a/b", "", "c:x")
        ),
    ):
        path.write_text("".join(f"{line}\n" for line in lines))
        with pytest.raises(lw.RecordingFileError, match=told):
            lw.Variants(tmp_path)


def test_a_layer_that_is_off_is_judged_by_samples(monkeypatch):
    model = network()
    recorder = lw.TrainingRecorder(PROBE, signals=None)
    recorder.record(model, "0")
    monkeypatch.setattr(repeated, "apart", lambda *_: 1.0)
    recorder.record(model, "1")
    assert recorder.variants["1"]["lstm"].attrs["check"]["mode"] == "prefix"
    recorder = lw.TrainingRecorder(PROBE, check=False)
    recorder.record(model, "0")
    recorder.record(model, "1")
    assert recorder.variants["1"]["lstm"].attrs["check"]["mode"] == "none"


@pytest.mark.parametrize(
    "layer",
    [
        L.LSTM(3, return_sequences=True, name="rnn"),
        L.GRU(3, go_backwards=True, name="rnn"),
        L.SimpleRNN(3, name="rnn"),
    ],
)
def test_hidden_states_alone_are_those_that_are_kept_with_all_signals(layer):
    model = network(layer, L.Dense(1))
    recorders = [lw.TrainingRecorder(PROBE, signals=each) for each in ("hidden_state", None)]
    for recorder in recorders:
        for k in range(2):
            recorder.record(model, str(k))
    alone, every = (recorder.variants["1"]["rnn"] for recorder in recorders)
    assert alone.attrs["check"]["mode"] == "none"  # nothing was compared
    assert every.attrs["check"]["mode"] == ("none" if len(every.data_vars) == 1 else "full")
    for name in ("hidden_state", "initial_hidden_state"):
        np.testing.assert_allclose(alone[name], every[name], atol=1e-6)


def test_a_recording_that_fails_later_does_not_end_training(monkeypatch):
    recorder, model = lw.TrainingRecorder(PROBE), network()
    record = lw.TrainingRecorder.record

    def full(self, model, name, **told):
        if name == "epoch 1":
            raise OSError("no space left")
        record(self, model, name, **told)

    monkeypatch.setattr(training.TrainingRecorder, "record", full)
    with pytest.warns(UserWarning, match="'epoch 1' isn't recorded: OSError: no space left"):
        fit(model, recorder)
    assert recorder.names == ("epoch 0", "epoch 2", "epoch 3")


def test_a_first_recording_that_fails_late_does_not_end_training(tmp_path):
    recorder, model = lw.TrainingRecorder(PROBE, every=(2, 3), to=tmp_path / "run"), network()
    (tmp_path / "run").write_text("in the way")
    with pytest.warns(UserWarning, match=r"isn't recorded: .*Error"):
        fit(model, recorder)
    assert recorder.names == ()


@pytest.mark.parametrize("every", [1, (2,)])
def test_inputs_that_do_not_fit_are_told_before_training(every):
    recorder, model = lw.TrainingRecorder(PROBE[:, :, :2], every=every), network()
    before = model.get_weights()
    with pytest.raises(ValueError, match="inputs: expected shape"):
        fit(model, recorder)
    with pytest.raises(ValueError, match="inputs: expected at least one example, got none"):
        fit(model, lw.TrainingRecorder(PROBE[:0], every=every))
    assert all(np.array_equal(a, b) for a, b in zip(before, model.get_weights(), strict=True))


def test_errors_name_what_was_expected():
    model, recorder = network(), lw.TrainingRecorder(PROBE)
    with pytest.raises(ValueError, match="nothing was recorded yet"):
        _ = recorder.variants
    recorder.record(model, "one")
    with pytest.raises(ValueError, match="name: expected a new one, got 'one'"):
        recorder.record(model, "one")
    with pytest.raises(TypeError, match="name: expected a str"):
        recorder.record(model, 3)
    with pytest.raises(TypeError, match=r"loss: expected a number to note.*float\(...\).*'low'"):
        recorder.record(model, "two", loss="low")
    fit(model, recorder, epochs=1)
    with pytest.raises(ValueError, match="another one needs a TrainingRecorder of its own"):
        fit(network(), recorder)


@pytest.mark.parametrize(
    ("settings", "error", "told"),
    [
        ({"every": 0}, ValueError, "every: expected a positive whole number, got 0"),
        ({"every": "epoch"}, TypeError, "every: expected a whole number, or a sequence"),
        ({"every": ()}, TypeError, "every: expected"),
        ({"every": (1, -1)}, ValueError, "every: expected a whole number from 0 on"),
        ({"by": "batch"}, ValueError, "by: expected one of 'epoch', 'step', got 'batch'"),
        ({"check": True}, ValueError, "check: expected"),
        ({"batch_size": 0}, ValueError, "batch_size: expected"),
        (
            {"every": True},
            TypeError,
            "every: expected a whole number, or a sequence of some, got True",
        ),
        ({"every": None}, TypeError, "every: expected a whole number.* got None"),
        ({"every": 1.5}, TypeError, "every: expected a whole number.* got 1.5"),
        ({"every": b"12"}, TypeError, "every: expected a whole number.* got b'12'"),
        ({"every": {1: 2}}, TypeError, "every: expected a whole number.* got {1: 2}"),
        ({"every": (1, 2.5)}, ValueError, "every: expected a whole number from 0 on, got 2.5"),
        ({"every": (1, "2")}, ValueError, "every: expected a whole number from 0 on, got '2'"),
        ({"to": 5}, TypeError, r"to: expected a path \(str or Path\), got 5"),
        ({"to": b"run"}, TypeError, "to: expected a path"),
        ({"signals": 5}, TypeError, "signals: expected one or more names, or None for all; got 5"),
        ({"signals": [5]}, ValueError, r"signals: expected one or more names.*got \[5\]"),
        ({"layers": ()}, ValueError, "layers: expected one or more names"),
    ],
)
def test_settings_are_checked_at_once(settings, error, told):
    with pytest.raises(error, match=told):
        lw.TrainingRecorder(PROBE, **settings)


def test_recordings_of_other_models_can_be_variants():
    recorder = lw.TrainingRecorder(PROBE)
    for seed in range(2):
        model = network()
        keras.utils.set_random_seed(seed)
        model.layers[0].set_weights(
            [
                np.random.default_rng(seed).normal(size=w.shape)
                for w in model.layers[0].get_weights()
            ]
        )
        recorder.record(model, f"seed {seed}")
    states = recorder.variants.stacked("lstm", "hidden_state").to_numpy()
    assert np.abs(states[0] - states[1]).max() > 0.1
