"""What recording costs, against running the model.

Run: ``python benchmarks/recording.py`` (about two minutes on two cores).

Two tables. The first: recording all signals of a model with one LSTM, self-check included, against
the model's own forward pass in graph mode and against the same compiled by XLA. The three take
turns in every repeat, so that whatever else the machine does hits all of them; medians are shown.
The second: what notebooks do, a sub-model's ``predict`` once for each character over a window of
100, against one recording of the text.

First calls are listed too: they contain tracing and compilation, which a user waits for as well. That
of the recording is compiled once a machine; afterwards the first one reads it from the disk.
"""

from __future__ import annotations

import argparse
import os
import statistics
import time
from typing import TYPE_CHECKING, Any

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

import keras
import numpy as np
import tensorflow as tf

import lstm_widgets as lw

if TYPE_CHECKING:
    from collections.abc import Callable

# What stands in a row: batch, time, features, cells.
SHAPES = [
    (1, 2000, 64, 256),
    (1, 1000, 64, 512),
    (1, 2000, 16, 16),
    (64, 100, 64, 128),
    (256, 100, 128, 64),
    (32, 500, 64, 64),
]
# The self-check traces the layer's own loop after two calls.
WARM_UP_CALLS = 4
WINDOW = 100
TEXT = 2000
PREDICT_CALLS = 40


def seconds(function: Callable[[], Any]) -> float:
    start = time.perf_counter()
    function()
    return time.perf_counter() - start


def against_forward(repeats: int) -> None:
    print("Recording all signals, self-check included, against the bare forward pass (ms)")
    print(
        f"{'batch, time, features, cells':<30}{'graph':>9}{'XLA':>9}{'record':>9}"
        f"{'x graph':>9}{'x XLA':>9}{'first call: graph, XLA, record (s)':>37}"
    )
    for batch, timesteps, features, cells in SHAPES:
        x = np.random.default_rng(0).normal(size=(batch, timesteps, features)).astype(np.float32)
        inputs = keras.Input((timesteps, features))
        outputs = keras.layers.LSTM(cells, return_sequences=True)(inputs)
        model = keras.Model(inputs, outputs)
        tensor = tf.constant(x)
        graph = tf.function(model)
        compiled = tf.function(model, jit_compile=True)
        functions: list[Callable[[], Any]] = [
            lambda: graph(tensor),  # noqa: B023
            lambda: compiled(tensor),  # noqa: B023
            lambda: lw.record(model, tensor),  # noqa: B023
        ]
        first = [seconds(function) for function in functions]
        for _ in range(WARM_UP_CALLS):
            functions[2]()
        times: list[list[float]] = [[], [], []]
        for _ in range(repeats):
            for function, measured in zip(functions, times, strict=True):
                measured.append(seconds(function))
        in_graph, in_xla, recorded = (1000 * statistics.median(t) for t in times)
        print(
            f"{f'{batch}, {timesteps}, {features}, {cells}':<30}"
            f"{in_graph:>9.1f}{in_xla:>9.1f}{recorded:>9.1f}"
            f"{recorded / in_graph:>9.2f}{recorded / in_xla:>9.2f}"
            f"{', '.join(f'{s:.2f}' for s in first):>37}",
            flush=True,
        )


def against_windows(repeats: int, cells: int) -> None:
    print(f"\nTwo LSTM layers of {cells}, a text of {TEXT} characters (ms for each character)")
    rng = np.random.default_rng(0)
    symbols = 64
    text = np.eye(symbols, dtype=np.float32)[rng.integers(0, symbols, TEXT)]
    inputs = keras.Input((None, symbols))
    lower = keras.layers.LSTM(cells, return_sequences=True)(inputs)
    upper = keras.layers.LSTM(cells, return_sequences=True)(lower)
    model = keras.Model(inputs, keras.layers.Dense(symbols, activation="softmax")(upper))
    window_model = keras.Model(inputs, [lower, upper])

    def window() -> None:
        stop = int(rng.integers(WINDOW, TEXT))
        window_model.predict(text[None, stop - WINDOW : stop], verbose=0)

    def record() -> None:
        lw.record(model, text[None])

    window()
    first = seconds(record)
    for _ in range(2):
        record()
    predicted = [seconds(window) for _ in range(PREDICT_CALLS)]
    recorded = [seconds(record) for _ in range(repeats)]
    per_window = 1000 * statistics.median(predicted)
    per_character = 1000 * statistics.median(recorded) / TEXT
    print(f"predict on a window of {WINDOW}, hidden states only {per_window:>10.1f}")
    print(f"record, all signals                          {per_character:>12.4f}")
    print(f"ratio {per_window / per_character:.0f} (first recording: {first:.2f} s in all)")


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--repeats", type=int, default=11)
    arguments = parser.parse_args()
    print(f"TensorFlow {tf.__version__}, Keras {keras.__version__}, {os.cpu_count()} cores\n")
    against_forward(arguments.repeats)
    for units in (256, 512):
        against_windows(arguments.repeats, units)
