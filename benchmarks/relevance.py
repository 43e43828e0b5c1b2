"""What relevance costs, against the loop over sentences that notebooks are built around.

Run: ``python benchmarks/relevance.py`` (about a minute on two cores).

1 000 sentences of 20 tokens, an embedding of 128, an LSTM of 64 cells, two classes. The loop takes one
sentence after the other and one timestep after the other, in NumPy: forward pass, relevance
propagation by messages from every input to every output with their shares of biases, and the
gradient by hand. It is written here from the equations, in the way in which that is usually done: in
double precision, as NumPy makes arrays unless told otherwise, and as the published implementation
(Arras et al. 2017) computes. How long it takes in single precision, as the model, stands beside it.

Both sides take turns in every repeat; medians are shown, and the largest difference of the results.
The first call is listed too: it contains compilation, which a user waits for as well.
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

SENTENCES, TOKENS, SYMBOLS, EMBEDDING, CELLS, CLASSES = 1000, 20, 10_000, 128, 64, 2
EPSILON, BIAS_FACTOR = 0.001, 0.0
# The loop is so slow that a part of the sentences has to do; the rest takes as long.
LOOPED = 100
# Calls of ours a turn, so that a turn is about as long for both.
CALLS = 5


def sigmoid(z: np.ndarray) -> np.ndarray:
    return 1 / (1 + np.exp(-z))


def propagate(
    x: np.ndarray,
    kernel: np.ndarray,
    bias: np.ndarray,
    z: np.ndarray,
    relevance: np.ndarray,
    *,
    fan_in: int,
) -> np.ndarray:
    """The epsilon rule, message by message."""
    stabiliser = EPSILON * np.where(z >= 0, 1, -1).astype(z.dtype)
    share = BIAS_FACTOR * (bias + stabiliser) / fan_in
    messages = (x[:, None] * kernel + share) / (z + stabiliser) * relevance
    return messages.sum(axis=1)


class Loop:
    """A model of Embedding, LSTM and Dense, for one sentence at a time."""

    def __init__(self, model: Any, dtype: type[np.floating[Any]]) -> None:
        self.dtype = dtype
        self.embedding, self.kernel, self.recurrent, self.bias, self.head, self.head_bias = (
            weights.astype(dtype) for weights in model.get_weights()
        )

    def forward(self, ids: np.ndarray) -> None:
        d = CELLS
        self.x = self.embedding[ids]
        self.h = np.zeros((len(ids) + 1, d), self.dtype)
        self.c = np.zeros((len(ids) + 1, d), self.dtype)
        self.gates = np.zeros((len(ids), 4 * d), self.dtype)
        self.z = np.zeros((len(ids), 4 * d), self.dtype)
        for t in range(len(ids)):
            z = self.x[t] @ self.kernel + self.h[t - 1] @ self.recurrent + self.bias
            i, f, o = sigmoid(z[:d]), sigmoid(z[d : 2 * d]), sigmoid(z[3 * d :])
            g = np.tanh(z[2 * d : 3 * d])
            self.c[t] = f * self.c[t - 1] + i * g
            self.h[t] = o * np.tanh(self.c[t])
            self.z[t], self.gates[t] = z, np.concatenate([i, f, g, o])
        self.scores = self.h[len(ids) - 1] @ self.head + self.head_bias
        self.target = int(self.scores.argmax())

    def relevance(self) -> np.ndarray:
        d, last = CELLS, len(self.x) - 1
        one, identity = np.zeros(CLASSES, self.dtype), np.eye(d, dtype=self.dtype)
        nothing = np.zeros(d, self.dtype)
        one[self.target] = self.scores[self.target]
        of_x, of_h, of_c = (np.zeros_like(a) for a in (self.x, self.h, self.c))
        of_h[last] = propagate(self.h[last], self.head, self.head_bias, self.scores, one, fan_in=d)
        columns = slice(2 * d, 3 * d)
        kernel, recurrent = self.kernel[:, columns], self.recurrent[:, columns]
        bias = self.bias[columns]
        for t in range(last, -1, -1):
            i, f, g, _ = np.split(self.gates[t], 4)
            of_c[t] += of_h[t]
            kept, written, c = f * self.c[t - 1], i * g, self.c[t]
            of_c[t - 1] = propagate(kept, identity, nothing, c, of_c[t], fan_in=2 * d)
            of_g = propagate(written, identity, nothing, c, of_c[t], fan_in=2 * d)
            z = self.z[t, columns]
            of_x[t] = propagate(self.x[t], kernel, bias, z, of_g, fan_in=EMBEDDING + d)
            of_h[t - 1] = propagate(self.h[t - 1], recurrent, bias, z, of_g, fan_in=EMBEDDING + d)
        return of_x.sum(axis=1)

    def gradient(self) -> np.ndarray:
        _d, last = CELLS, len(self.x) - 1
        dx, dh, dc = (np.zeros_like(a) for a in (self.x, self.h, self.c))
        dh[last] = self.head[:, self.target]
        for t in range(last, -1, -1):
            i, f, g, o = np.split(self.gates[t], 4)
            tanh = np.tanh(self.c[t])
            dc[t] += dh[t] * o * (1 - tanh**2)
            dz = np.concatenate(
                [
                    dc[t] * g * i * (1 - i),
                    dc[t] * self.c[t - 1] * f * (1 - f),
                    dc[t] * i * (1 - g**2),
                    dh[t] * tanh * o * (1 - o),
                ]
            )
            dc[t - 1] = dc[t] * f
            dx[t], dh[t - 1] = self.kernel @ dz, self.recurrent @ dz
        return dx


def seconds(function: Callable[[], Any]) -> tuple[float, Any]:
    start = time.perf_counter()
    result = function()
    return time.perf_counter() - start, result


def main(repeats: int) -> None:
    model = keras.Sequential(
        [
            keras.Input((TOKENS,), dtype="int32"),
            keras.layers.Embedding(SYMBOLS, EMBEDDING),
            keras.layers.LSTM(CELLS),
            keras.layers.Dropout(0.5),
            keras.layers.Dense(CLASSES, activation="softmax"),
        ]
    )
    rng = np.random.default_rng(0)
    model.set_weights([rng.normal(size=w.shape) * 0.1 for w in model.get_weights()])
    ids = rng.integers(1, SYMBOLS, (SENTENCES, TOKENS))
    loops = [Loop(model, dtype) for dtype in (np.float64, np.float32)]

    def looped(loop: Loop, *, gradients: bool) -> list[np.ndarray]:
        results = []
        for row in ids[:LOOPED]:
            loop.forward(row)
            methods = [loop.relevance()]
            if gradients:
                gradient = loop.gradient()
                methods += [(gradient**2).sum(axis=1), (gradient * loop.x).sum(axis=1)]
            results.append(np.array(methods))
        return results

    print(f"{SENTENCES} sentences of {TOKENS} tokens, embedding {EMBEDDING}, {CELLS} cells")
    print(
        f"{'methods':<36}{'double':>8}{'single':>8}{'here (s)':>10}{'ratio':>8}{'to single':>11}"
        f"{'first (s)':>11}{'differ':>10}"
    )
    for methods in (("lrp",), ("lrp", "sensitivity", "gradient_x_input")):
        gradients = len(methods) > 1
        here = lambda: lw.relevance(model, ids, methods=methods)  # noqa: B023
        first, _ = seconds(here)
        times: list[list[float]] = [[], [], []]
        for _ in range(repeats):
            mine, results = seconds(lambda: [here() for _ in range(CALLS)])  # noqa: B023
            times[2].append(mine / CALLS)
            for k, loop in enumerate(loops):
                theirs, found = seconds(lambda: looped(loop, gradients=gradients))  # noqa: B023
                times[k].append(theirs * SENTENCES / LOOPED)
                if k == 0:
                    expected = found
        double, single, fast = map(statistics.median, times)
        ours = results[-1].relevance.values[:, :LOOPED].swapaxes(0, 1)
        # Relative to a sentence's largest value; a denominator near 0 makes float32 differ most.
        size = np.abs(expected).max(axis=2, keepdims=True)
        differ = float(np.median(np.abs(ours - np.array(expected)).max(axis=2) / size[..., 0]))
        print(
            f"{', '.join(methods):<36}{double:>8.2f}{single:>8.2f}{fast:>10.3f}"
            f"{double / fast:>8.0f}{single / fast:>11.0f}{first:>11.2f}{differ:>10.1e}",
            flush=True,
        )


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--repeats", type=int, default=5)
    arguments = parser.parse_args()
    print(f"TensorFlow {tf.__version__}, Keras {keras.__version__}, {os.cpu_count()} cores\n")
    main(arguments.repeats)
