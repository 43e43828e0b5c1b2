"""What ranking cells costs, against a loop of scikit-learn's ``roc_auc_score``.

Run: ``python benchmarks/ranking.py`` (about a minute on two cores).

1 024 cells, 100 000 timesteps, 20 yes/no concepts. Three things are timed:

- every AUROC, and nothing else;
- ``rank_cells`` without lags and shifts: AUROC on both halves, thresholds, F1, the table;
- ``rank_cells`` as it is called: 11 lags, and 200 shifted tracks for each pair of cell and concept.

The loop calls ``roc_auc_score`` for each pair. It is run on a sample of pairs drawn at random, and
the rest is taken to cost as much as the median of these; for the last line it would be called again
for each lag on one half and each shift on the other. Ours is run whole, the first line three times,
of which the median is shown. Of the sample, the largest difference is shown.

Processor time is shown, of all threads together: what else runs on the machine doesn't count, and a
second core doesn't help.

``--blocks 1000000`` ranks so many timesteps of 64 cells a block at a time instead, as is done with what
doesn't fit in memory, and a tenth of them whole: processor time a timestep, and the largest difference
of an AUROC where the tenth is ranked both ways.
"""

from __future__ import annotations

import argparse
import statistics as middle
import sys
import time
from typing import TYPE_CHECKING

import numpy as np
from sklearn.metrics import roc_auc_score

import lstm_widgets as lw
from lstm_widgets.analysis import ranking, statistics
from lstm_widgets.recording import RecordedLayer, Recording

if TYPE_CHECKING:
    from collections.abc import Callable

CONCEPTS, LAGS, SHIFTS = 20, 11, 200
# Cells whose ranks are in memory at a time.
BLOCK = 64


def timed(function: Callable[[], object]) -> tuple[float, object]:
    start = time.process_time()
    result = function()
    return time.process_time() - start, result


def every_auroc(values: np.ndarray, tracks: np.ndarray) -> np.ndarray:
    """AUROC ``(cell, concept)`` of values ``(timestep, cell)``."""
    parts = []
    for start in range(0, values.shape[1], BLOCK):
        block = np.ascontiguousarray(np.ascontiguousarray(values[:, start : start + BLOCK]).T)
        ranks = statistics.ranked_rows(block)[1]
        parts.append(ranks @ tracks.T.astype(ranks.dtype) * statistics.auroc_scale(tracks))
    return (np.concatenate(parts) + 1) / 2


def recording_of(values: np.ndarray) -> Recording:
    layer = RecordedLayer("lstm", "LSTM", {"hidden_state": values[None]})
    return Recording.from_layers([layer])


def in_blocks(timesteps: int, cells: int = 64) -> None:
    rng = np.random.default_rng(0)
    values = np.tanh(rng.normal(size=(timesteps, cells)).astype(np.float32))
    tracks = np.stack([rng.random(timesteps) < rate for rate in np.geomspace(0.005, 0.5, CONCEPTS)])
    values[:, :CONCEPTS] += 0.5 * tracks.T
    few = timesteps // 10
    part = recording_of(values[:few]), {f"{k}": track[None, :few] for k, track in enumerate(tracks)}
    whole = recording_of(values), {f"{k}": track[None] for k, track in enumerate(tracks)}
    exact_time, exact = timed(lambda: lw.rank_cells(*part))
    ranking.LONG = 0
    _, binned = timed(lambda: lw.rank_cells(*part))
    long_time, long = timed(lambda: lw.rank_cells(*whole))
    both = exact.merge(binned, on=["cell", "concept", "lag"])
    difference = (both.auroc_x - both.auroc_y).abs().max()
    ratio = (long_time / timesteps) / (exact_time / few)
    print(f"{cells} cells, {CONCEPTS} concepts, processor time a timestep")
    print(f"{few} timesteps whole: {exact_time / few * 1e6:.0f} µs")
    print(f"{timesteps} timesteps in blocks: {long_time / timesteps * 1e6:.0f} µs ({ratio:.2f}x)")
    print(f"largest difference of AUROC {difference:.1e}; bound {long.attrs['error']:.1e}")
    if difference > binned.attrs["error"]:
        sys.exit("the AUROCs differ by more than the bound")


def main() -> None:
    parser = argparse.ArgumentParser(description="What ranking cells costs.")
    parser.add_argument("--cells", type=int, default=1024)
    parser.add_argument("--timesteps", type=int, default=100_000)
    parser.add_argument("--pairs", type=int, default=60, help="pairs of the loop (default 60)")
    parser.add_argument("--blocks", type=int, default=0, help="timesteps that are ranked in blocks")
    asked = parser.parse_args()
    if asked.blocks:
        in_blocks(asked.blocks)
        return

    rng = np.random.default_rng(0)
    n, cells = asked.timesteps, asked.cells
    values = np.tanh(rng.normal(size=(n, cells)).astype(np.float32))
    values[:, ::4] = np.round(values[:, ::4], 2)  # every fourth cell has equal values
    tracks = np.stack([rng.random(n) < rate for rate in np.geomspace(0.005, 0.5, CONCEPTS)])
    values[:, :CONCEPTS] += 0.5 * tracks.T
    recording = recording_of(values)
    said = {f"concept {k}": track[None] for k, track in enumerate(tracks)}

    seconds, largest = [], 0.0
    runs = [timed(lambda: every_auroc(values, tracks.astype(np.float32))) for _ in range(3)]
    our_time, aurocs = middle.median(took for took, _ in runs), runs[0][1]
    for cell, k in zip(
        rng.integers(0, cells, asked.pairs), rng.integers(0, CONCEPTS, asked.pairs), strict=True
    ):
        values_of_cell = np.ascontiguousarray(values[:, cell])
        took, auroc = timed(lambda z=tracks[k], x=values_of_cell: roc_auc_score(z, x))
        seconds.append(took)
        largest = max(largest, abs(auroc - aurocs[cell, k]))
    loop = middle.median(seconds) * cells * CONCEPTS
    plain_time, _ = timed(lambda: lw.rank_cells(recording, said, lags=0, shifts=0))
    whole_time, _ = timed(lambda: lw.rank_cells(recording, said))

    print(f"{cells} cells, {n} timesteps, {CONCEPTS} concepts")
    print(
        f"roc_auc_score: {middle.median(seconds) * 1e3:.1f} ms a pair (median of {asked.pairs})\n"
    )
    print(f"{'':34}{'ours':>9}{'loop*':>12}{'ratio':>10}")
    # A call on half of the text takes half as long.
    calls = {"every AUROC": (our_time, 1), "rank_cells(lags=0, shifts=0)": (plain_time, 1)}
    calls["rank_cells(): lags and null, too"] = (whole_time, (LAGS + 1 + SHIFTS) / 2)
    for name, (ours, times) in calls.items():
        print(f"{name:34}{ours:>8.1f}s{times * loop:>11.0f}s{times * loop / ours:>9.0f}x")
    print(f"\n* extrapolated from {asked.pairs} pairs.   largest difference of AUROC {largest:.1e}")
    if largest > 1e-6:
        sys.exit("the AUROCs differ")


if __name__ == "__main__":
    main()
