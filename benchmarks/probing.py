"""What a probe costs, against scikit-learn's scaler and ``RidgeCV`` fitted fold by fold.

Run: ``python benchmarks/probing.py`` (about two minutes on two cores).

128 cells, 40 000 timesteps, one numeric concept, 5 blocks in time with a gap, 17 penalties chosen by
inner blocks. Timed are

- ``lw.probe`` without a null: the whole state, the best set and the best cell;
- the same with 200 circularly shifted targets, each fitted and chosen anew;
- the loop: in each fold ``StandardScaler`` and ``RidgeCV``, with the same penalties and inner folds.
  It fits the whole state only.

Processor time is shown, of all threads together, and the largest difference of the folds' scores.
The memory that a probe takes is measured at two lengths: what grows with the length are a few
numbers a timestep (the concept, the prediction), not the states.
"""

from __future__ import annotations

import argparse
import sys
import time
import tracemalloc
from typing import TYPE_CHECKING

import numpy as np
from sklearn.linear_model import RidgeCV
from sklearn.metrics import r2_score
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

import lstm_widgets as lw
from lstm_widgets.analysis.probes.readouts import PENALTIES
from lstm_widgets.recording import RecordedLayer, Recording

if TYPE_CHECKING:
    from collections.abc import Callable

FOLDS, GAP = 5, 365


def timed(function: Callable[[], object]) -> tuple[float, object]:
    start = time.process_time()
    result = function()
    return time.process_time() - start, result


def example(n: int, cells: int) -> tuple[np.ndarray, np.ndarray, Recording]:
    """States that change slowly, and what is read from three of them."""
    rng = np.random.default_rng(0)
    states = rng.normal(size=(n, cells)).astype(np.float32)
    for t in range(1, n):
        states[t] += np.float32(0.95) * states[t - 1]
    concept = states[:, :3].sum(axis=1) + 5 * rng.normal(size=n) + 100
    layer = RecordedLayer("lstm", "LSTM", {"cell_state": states[None]})
    return states, concept, Recording.from_layers([layer])


def by_scikit_learn(states: np.ndarray, concept: np.ndarray) -> list[float]:
    """Return the score of each fold."""
    states = states.astype(np.float64)
    n = len(concept)
    edges = [n * k // FOLDS for k in range(FOLDS + 1)]
    at = np.arange(n)

    def apart(k: int) -> np.ndarray:
        return (at <= edges[k] - GAP) | (at >= edges[k + 1] - 1 + GAP)

    def inside(k: int) -> np.ndarray:
        return (at >= edges[k]) & (at < edges[k + 1])

    scores = []
    for fold in range(FOLDS):
        train = np.flatnonzero(apart(fold))
        inner = [
            [np.flatnonzero(x[train]) for x in (apart(other), inside(other))]
            for other in range(FOLDS)
            if other != fold
        ]
        ridge = RidgeCV(PENALTIES * len(train), cv=inner, scoring="neg_mean_squared_error")
        model = make_pipeline(StandardScaler(), ridge).fit(states[train], concept[train])
        here = inside(fold)
        scores.append(r2_score(concept[here], model.predict(states[here])))
    return scores


def memory(n: int, cells: int) -> int:
    """Measure what a probe takes, in bytes, beside the recording."""
    _, concept, recording = example(n, cells)
    tracemalloc.start()
    lw.probe(recording, {"concept": concept[None]}, gap=GAP, shifts=0)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    return peak


def main() -> None:
    parser = argparse.ArgumentParser(description="What a probe costs.")
    parser.add_argument("--cells", type=int, default=128)
    parser.add_argument("--timesteps", type=int, default=40_000)
    asked = parser.parse_args()

    states, concept, recording = example(asked.timesteps, asked.cells)
    said = {"concept": concept[None]}
    lw.probe(recording, said, gap=GAP, shifts=0)  # imports what it needs
    reading, _ = timed(lambda: float(recording["lstm"]["cell_state"].to_numpy().sum()))
    plain, found = timed(lambda: lw.probe(recording, said, gap=GAP, shifts=0))
    whole, _ = timed(lambda: lw.probe(recording, said, gap=GAP, shifts=200))
    theirs, expected = timed(lambda: by_scikit_learn(states, concept))
    ours = found.score[found.score["protocol"] == "whole state"]["score"]
    largest = float(np.abs(ours - expected).max())

    print(f"{asked.cells} cells, {asked.timesteps} timesteps, {FOLDS} folds")
    print(f"{'':38}{'processor time':>15}{'ratio':>8}")
    print(f"{'summing the states up once':38}{reading:>14.2f}s")
    print(f"{'probe, without a null':38}{plain:>14.2f}s{theirs / plain:>7.0f}x")
    print(f"{'probe, with 200 shifted targets':38}{whole:>14.2f}s{theirs / whole:>7.0f}x")
    print(f"{'StandardScaler and RidgeCV':38}{theirs:>14.2f}s")
    print(f"\nlargest difference of a fold's score {largest:.1e}")
    for n in (2 * asked.timesteps, 8 * asked.timesteps):
        states_mib, taken = n * asked.cells * 4 / 2**20, memory(n, asked.cells) / 2**20
        print(
            f"{n} timesteps: states of {states_mib:.0f} MiB, the probe takes {taken:.0f} MiB more"
        )
    if largest > 1e-6:
        sys.exit("the scores differ")


if __name__ == "__main__":
    main()
