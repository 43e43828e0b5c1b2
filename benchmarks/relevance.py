"""What relevance costs, against the loop over sentences that notebooks are built around.

Run: ``python benchmarks/relevance.py`` (about two minutes on two cores).

1 000 sentences of 20 tokens, an embedding of 128, an LSTM of 64 cells, two classes. The loop takes one
sentence after the other and one timestep after the other, in NumPy: forward pass, relevance
propagation by messages from every input to every output with their shares of biases, and the
gradient by hand. It is written here from the equations, twice:

- in the style of the published implementation (Arras et al. 2017): double precision, gates as rows
  of the weights that are picked and turned at every timestep, sums as identity matrices; a forward
  pass tells the class, and relevance and gradient begin with one of their own;
- tidied: single precision as in the model, and nothing made again that could be made once.

The same model is measured in Keras and in PyTorch, with the same weights. All sides take turns in every
repeat; medians are shown, and the largest difference of the results.
The first call is listed too: it contains compilation, which a user waits for as well.
"""

from __future__ import annotations

import argparse
import os
import statistics
import time
import warnings
from typing import TYPE_CHECKING, Any

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

import keras
import numpy as np
import tensorflow as tf
import torch
from torch import nn

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
    """A model of Embedding, LSTM and Dense, for one sentence at a time, in the published style."""

    dtype: type[np.floating[Any]] = np.float64

    def __init__(self, model: Any) -> None:
        weights = (array.astype(self.dtype) for array in model.get_weights())
        self.embedding, kernel, recurrent, self.bias, self.head, self.head_bias = weights
        self.kernel, self.recurrent = kernel.T.copy(), recurrent.T.copy()

    def gates(self) -> list[np.ndarray]:
        """Index the rows of input gate, forget gate, candidate and output gate."""
        return [np.arange(k * CELLS, (k + 1) * CELLS) for k in range(4)]

    def squashed(self) -> list[Any]:
        """Index the rows that go into a sigmoid."""
        i, f, _, o = self.gates()
        return [np.hstack([i, f, o])]

    def below_candidate(self) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Pick the weights and the bias of the candidate."""
        g = self.gates()[2]
        return self.kernel[g].T, self.recurrent[g].T, self.bias[g]

    def identity(self) -> np.ndarray:
        return np.identity(CELLS, self.dtype)

    def forward(self, ids: np.ndarray) -> None:
        i, f, g, o = self.gates()
        squashed = self.squashed()
        self.x = self.embedding[ids]
        self.h, self.c = (np.zeros((len(ids) + 1, CELLS), self.dtype) for _ in range(2))
        self.z, self.a = (np.zeros((len(ids), 4 * CELLS), self.dtype) for _ in range(2))
        for t in range(len(ids)):
            z = self.z[t] = self.kernel @ self.x[t] + self.recurrent @ self.h[t - 1] + self.bias
            for rows in squashed:
                self.a[t, rows] = sigmoid(z[rows])
            self.a[t, g] = np.tanh(z[g])
            a = self.a[t]
            self.c[t] = a[f] * self.c[t - 1] + a[i] * a[g]
            self.h[t] = a[o] * np.tanh(self.c[t])
        self.scores = self.h[len(ids) - 1] @ self.head + self.head_bias
        self.target = int(self.scores.argmax())

    def relevance(self, ids: np.ndarray) -> np.ndarray:
        self.forward(ids)
        d, last = CELLS, len(self.x) - 1
        i, f, g, _ = self.gates()
        one, nothing = np.zeros(CLASSES, self.dtype), np.zeros(d, self.dtype)
        one[self.target] = self.scores[self.target]
        of_x, of_h, of_c = (np.zeros_like(a) for a in (self.x, self.h, self.c))
        of_h[last] = propagate(self.h[last], self.head, self.head_bias, self.scores, one, fan_in=d)
        for t in range(last, -1, -1):
            of_c[t] += of_h[t]
            a, z, c, both = self.a[t], self.z[t, g], self.c[t], 2 * d
            kept, written = a[f] * self.c[t - 1], a[i] * a[g]
            of_c[t - 1] = propagate(kept, self.identity(), nothing, c, of_c[t], fan_in=both)
            of_g = propagate(written, self.identity(), nothing, c, of_c[t], fan_in=both)
            kernel, recurrent, bias = self.below_candidate()
            of_x[t] = propagate(self.x[t], kernel, bias, z, of_g, fan_in=EMBEDDING + d)
            of_h[t - 1] = propagate(self.h[t - 1], recurrent, bias, z, of_g, fan_in=EMBEDDING + d)
        return of_x.sum(axis=1)

    def gradient(self, ids: np.ndarray) -> np.ndarray:
        self.forward(ids)
        last = len(self.x) - 1
        i, f, g, o = self.gates()
        dx, dh, dc = (np.zeros_like(a) for a in (self.x, self.h, self.c))
        dz = np.zeros_like(self.z)
        dh[last] = self.head[:, self.target]
        for t in range(last, -1, -1):
            a, tanh = self.a[t], np.tanh(self.c[t])
            dc[t] += dh[t] * a[o] * (1 - tanh**2)
            dz[t, i] = dc[t] * a[g] * a[i] * (1 - a[i])
            dz[t, f] = dc[t] * self.c[t - 1] * a[f] * (1 - a[f])
            dz[t, g] = dc[t] * a[i] * (1 - a[g] ** 2)
            dz[t, o] = dh[t] * tanh * a[o] * (1 - a[o])
            dc[t - 1] = dc[t] * a[f]
            dx[t], dh[t - 1] = self.kernel.T @ dz[t], self.recurrent.T @ dz[t]
        return dx


class TidyLoop(Loop):
    """The same in single precision, with all that doesn't change made once."""

    dtype = np.float32

    def __init__(self, model: Any) -> None:
        super().__init__(model)
        g = self.gates()[2]
        self._identity = super().identity()
        self._read: np.ndarray | None = None
        self._below = *(w[g].T.copy() for w in (self.kernel, self.recurrent)), self.bias[g]

    def gates(self) -> list[Any]:
        return [slice(k * CELLS, (k + 1) * CELLS) for k in range(4)]

    def forward(self, ids: np.ndarray) -> None:
        if ids is not self._read:
            super().forward(ids)
            self._read = ids

    def squashed(self) -> list[Any]:
        return [slice(0, 2 * CELLS), slice(3 * CELLS, None)]

    def below_candidate(self) -> Any:
        return self._below

    def identity(self) -> np.ndarray:
        return self._identity


class Classifier(nn.Module):
    """The model in PyTorch, with the weights of that in Keras."""

    def __init__(self, model: Any) -> None:
        super().__init__()
        self.embed = nn.Embedding(SYMBOLS, EMBEDDING)
        self.rnn = nn.LSTM(EMBEDDING, CELLS, batch_first=True)
        self.dropout = nn.Dropout(0.5)
        self.head = nn.Linear(CELLS, CLASSES)
        embedding, kernel, recurrent, bias, head, head_bias = model.get_weights()
        ours = (embedding, kernel.T, recurrent.T, bias, 0 * bias, head.T, head_bias)
        with torch.no_grad():
            for parameter, weights in zip(self.parameters(), ours, strict=True):
                parameter.copy_(torch.from_numpy(weights.copy()))

    def forward(self, ids: torch.Tensor) -> torch.Tensor:
        hidden, _ = self.rnn(self.embed(ids))
        return torch.softmax(self.head(self.dropout(hidden[:, -1])), -1)


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
    loops = [Loop(model), TidyLoop(model)]

    def looped(loop: Loop, *, gradients: bool) -> list[np.ndarray]:
        results = []
        for row in ids[:LOOPED]:
            loop.forward(row)  # which tells the class
            methods = [loop.relevance(row)]
            if gradients:
                gradient = loop.gradient(row)
                methods += [(gradient**2).sum(axis=1), (gradient * loop.x).sum(axis=1)]
            results.append(np.array(methods))
        return results

    models = {"Keras": model, "PyTorch": Classifier(model)}
    print(f"{SENTENCES} sentences of {TOKENS} tokens, embedding {EMBEDDING}, {CELLS} cells")
    print(
        f"{'methods':<36}{'loop (s)':>10}{'tidied':>8}{'here':>8}{'':<9}{'ratio':>8}{'to tidied':>11}"
        f"{'first call':>12}{'differ':>10}"
    )
    for methods in (("lrp",), ("lrp", "sensitivity", "gradient_x_input")):
        gradients = len(methods) > 1
        here = {
            name: lambda one=one: lw.relevance(one, ids, methods=methods)  # noqa: B023
            for name, one in models.items()
        }
        first = {name: seconds(run)[0] for name, run in here.items()}
        theirs: list[list[float]] = [[], []]
        mine: dict[str, list[float]] = {name: [] for name in here}
        found = {}
        for _ in range(repeats):
            for name, run in here.items():
                took, results = seconds(lambda: [run() for _ in range(CALLS)])  # noqa: B023
                mine[name].append(took / CALLS)
                found[name] = results[-1].relevance.values[:, :LOOPED].swapaxes(0, 1)
            for k, loop in enumerate(loops):
                took, results = seconds(lambda: looped(loop, gradients=gradients))  # noqa: B023
                theirs[k].append(took * SENTENCES / LOOPED)
                if k == 0:
                    expected = np.array(results)
        published, tidied = map(statistics.median, theirs)
        # Relative to a sentence's largest value; a denominator near 0 makes float32 differ most.
        size = np.abs(expected).max(axis=2, keepdims=True)
        for name, ours in found.items():
            fast = statistics.median(mine[name])
            differ = float(np.median(np.abs(ours - expected).max(axis=2) / size[..., 0]))
            print(
                f"{', '.join(methods):<36}{published:>10.2f}{tidied:>8.2f}{fast:>8.3f} {name:<8}"
                f"{published / fast:>8.0f}{tidied / fast:>11.0f}{first[name]:>12.2f}{differ:>10.1e}",
                flush=True,
            )


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--repeats", type=int, default=5)
    arguments = parser.parse_args()
    warnings.filterwarnings("ignore", "relevance: for")  # of random weights, biases take most
    versions = (
        f"TensorFlow {tf.__version__}, Keras {keras.__version__}, PyTorch {torch.__version__}"
    )
    print(f"{versions}, {os.cpu_count()} cores\n")
    main(arguments.repeats)
