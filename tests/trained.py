"""Train the same model without a recorder, and with two, after epochs and after steps: is all the same?"""

from __future__ import annotations

import keras
import numpy as np
from keras import layers as L

import lstm_widgets as lw

TOKENS = 5


def made():
    """Make a network with all that a call might move: dropout, running means, states, metrics."""
    keras.utils.set_random_seed(0)
    # PyTorch's gradients don't get past a state that is written over.
    stateful = keras.backend.backend() != "torch"
    model = keras.Sequential(
        [
            keras.Input(batch_shape=(4, 6), dtype="int32"),
            L.Embedding(TOKENS, 4),
            L.LSTM(5, return_sequences=True, dropout=0.2, recurrent_dropout=0.1, name="lstm"),
            L.BatchNormalization(),
            L.Dropout(0.3),
            L.GRU(4, return_sequences=True, stateful=stateful, name="gru"),
            L.Dense(TOKENS, activation="softmax"),
        ]
    )
    model.compile("adam", "sparse_categorical_crossentropy", metrics=["accuracy"])
    return model


def train(*recorders):
    """Train it; give all numbers that it has afterwards, and its losses."""
    rng = np.random.default_rng(0)
    x = rng.integers(0, TOKENS, (16, 6))
    model = made()
    history = model.fit(x, np.roll(x, -1), 4, epochs=2, verbose=0, callbacks=[*recorders])
    variables = [*model.variables, *model.optimizer.variables]
    found = [np.array(keras.ops.convert_to_numpy(variable.value)) for variable in variables]
    return found, history.history


def main():
    """Compare them, and what was recorded."""
    if keras.backend.backend() == "tensorflow":
        import tensorflow as tf  # noqa: PLC0415

        tf.config.experimental.enable_op_determinism()
    probe = np.arange(24).reshape(4, 6) % TOKENS
    by_epoch = lw.TrainingRecorder(probe, signals=None)
    by_step = lw.TrainingRecorder(probe, signals=None, by="step", every=3)
    alone, losses = train()
    found, of_recorded = train(by_epoch, by_step)
    assert [a.tobytes() for a in alone] == [b.tobytes() for b in found]
    assert of_recorded == losses
    assert by_epoch.names == ("epoch 0", "epoch 1", "epoch 2")
    assert by_step.names == ("step 0", "step 3", "step 6", "step 8")
    for recorder in (by_epoch, by_step):
        variants = recorder.variants
        states = variants.stacked("gru", "hidden_state").values
        # Each is of other weights, and all that the layers returned was held against it.
        assert np.abs(np.diff(states, axis=0)).max(axis=(1, 2, 3)).min() > 0
        assert {one["lstm"].attrs["check"]["mode"] for one in variants.values()} == {"full"}
    # Both were made of the same weights: by steps, on JAX, they are with the model only if it is asked.
    for first, second in (("epoch 0", "step 0"), ("epoch 2", "step 8")):
        one, other = by_epoch.variants[first], by_step.variants[second]
        for layer in one.layers:
            for signal in one.signals(layer):
                np.testing.assert_array_equal(
                    one[layer][signal].values, other[layer][signal].values
                )
    np.testing.assert_allclose(by_epoch.losses["loss"].values[1:], losses["loss"])


if __name__ == "__main__":
    main()
