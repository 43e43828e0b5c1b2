"""What fixed points cost: Jacobians and the search, against one state after the other.

Run: ``python benchmarks/fixed_points.py`` (about two minutes on two cores).

- Jacobians of one step, with respect to the joint state, of 1 024 states of 128 cells (float64), all at
  once by ``lstm_widgets.rnn.jacobians``; against TensorFlow's ``GradientTape.jacobian`` of Keras's own
  cell, one state a call, as it is called (which traces it each time) and as a ``tf.function``.
- The search from 1 024 starts on a GRU of 64 cells, all at once; against
  ``scipy.optimize.minimize`` of the same q with its exact gradient (L-BFGS-B), one start after the other,
  and against this package's own search with one start a call, which shows what being together alone saves.

What is compared with is run on a sample of the states, and the rest is taken to cost as much as the median
of these. Processor time is shown, of all threads together: what else runs on the machine doesn't count, and
a second core doesn't help. Ours is run three times, of which the median is shown; of the sample, the
largest difference of Jacobians, and how slow the states are that the searches end in (the median of q).
"""

from __future__ import annotations

import os
import statistics
import sys
import time
from typing import TYPE_CHECKING

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")
os.environ["KERAS_BACKEND"] = "tensorflow"

import keras
import numpy as np
import tensorflow as tf
from scipy.optimize import minimize

from lstm_widgets.analysis.slowest_states import Minima, minimised
from lstm_widgets.models.keras.cells import read_cell
from lstm_widgets.rnn.jacobians import StateMap
from lstm_widgets.rnn.parallel import alone

if TYPE_CHECKING:
    from collections.abc import Callable

STATES, FEATURES, SAMPLE = 1024, 16, 8
TOLERANCE = 1e-20


def timed(function: Callable[[], object]) -> tuple[float, object]:
    start = time.process_time()
    result = function()
    return time.process_time() - start, result


def middle(function: Callable[[], object]) -> tuple[float, object]:
    """Run it three times after a first one, in which memory is had and code compiled."""
    seconds, result = [], function()
    for _ in range(3):
        result = None  # whose memory the next one takes
        spent, result = timed(function)
        seconds.append(spent)
    return statistics.median(seconds), result


def example(kind: str, cells: int, gain: float) -> tuple[object, StateMap, np.ndarray, np.ndarray]:
    """A Keras cell with random weights, its step under a constant input, that, and states near its paths."""
    rng = np.random.default_rng(0)
    cell = getattr(keras.layers, f"{kind}Cell")(cells, dtype="float64")
    cell.build((None, FEATURES))
    kernel, recurrent, *bias = (rng.normal(size=w.shape) for w in cell.weights)
    cell.set_weights([kernel / 10, gain * recurrent / cells**0.5, *(one / 10 for one in bias)])
    inputs = rng.normal(size=FEATURES)
    step = StateMap(read_cell(kind, cell), inputs)
    states = rng.normal(size=(STATES, step.size)) / 2
    for _ in range(5):
        states = step(states) + rng.normal(size=states.shape) / 10
    return cell, step, inputs, states


def jacobians(kind: str) -> None:
    cell, step, inputs, states = example(kind, 128, 1.0)
    ours, (_, found) = middle(lambda: step.jacobian(states))
    given = tf.constant(inputs[None])

    def jacobian(x: tf.Tensor) -> tf.Tensor:
        with tf.GradientTape() as tape:
            tape.watch(x)
            _, after = cell(given, [part[None] for part in tf.split(x, len(step.places))])
            joint = tf.concat(after, axis=1)[0]
        return tape.jacobian(joint, x)

    def by_one(function: Callable[[tf.Tensor], tf.Tensor]) -> tuple[float, list[np.ndarray]]:
        function(tf.constant(states[0]))
        runs = [timed(lambda k=k: function(tf.constant(states[k])).numpy()) for k in range(SAMPLE)]
        return statistics.median(seconds for seconds, _ in runs) * STATES, [
            made for _, made in runs
        ]

    theirs, made = by_one(jacobian)
    traced, _ = by_one(tf.function(jacobian))
    apart = max(np.abs(found[k] - there).max() for k, there in enumerate(made))
    print(
        f"Jacobians, {kind}, {STATES} states × 128 cells: {ours:.2f} s at once, one after the other by "
        f"TensorFlow {theirs:.0f} s: {theirs / ours:.0f} ×; as a tf.function {traced:.0f} s: "
        f"{traced / ours:.1f} ×  (largest difference {apart:.1g})"
    )


def search() -> None:
    _, step, _, states = example("GRU", 64, 2.0)

    def at_once(some: np.ndarray) -> Minima:
        return minimised(step, some, tolerance=TOLERANCE, turns=500, advance=lambda _: None)

    ours, ended = middle(lambda: at_once(states))

    def speed(x: np.ndarray) -> tuple[float, np.ndarray]:
        after, jacobian = step.jacobian(x[None])
        left = after[0] - x
        return 0.5 * float(left @ left), jacobian[0].T @ left - left

    def by_scipy(k: int) -> float:
        options = {"ftol": TOLERANCE, "gtol": 1e-10, "maxiter": 5000, "maxfun": 10000}
        with alone():  # products are small
            return float(
                minimize(speed, states[k], jac=True, method="L-BFGS-B", options=options).fun
            )

    sample = range(0, STATES, STATES // SAMPLE)
    runs = [timed(lambda k=k: by_scipy(k)) for k in sample]
    theirs = statistics.median(seconds for seconds, _ in runs) * STATES
    apart = [timed(lambda k=k: at_once(states[k : k + 1]))[0] for k in sample]
    alone_each = statistics.median(apart) * STATES
    print(
        f"Search, {STATES} starts, GRU of 64 cells: {ours:.2f} s at once (q {np.median(ended.q):.0e}); one "
        f"after the other by SciPy's L-BFGS-B {theirs:.0f} s (q "
        f"{statistics.median(q for _, q in runs):.0e}): {theirs / ours:.0f} ×; by the same search "
        f"{alone_each:.1f} s: {alone_each / ours:.1f} ×"
    )


def main() -> int:
    for kind in ("LSTM", "GRU", "SimpleRNN"):
        jacobians(kind)
    search()
    return 0


if __name__ == "__main__":
    sys.exit(main())
