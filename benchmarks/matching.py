"""What matching spans costs, against its published definition written plainly in NumPy.

Run: ``python benchmarks/matching.py`` (about a minute on two cores; needs 2.5 GB of memory).

The plain version is that of *LSTMVis* (Strobelt et al. 2018, arXiv:1606.07461), with what
``lstm_widgets.match`` mends: signs, no match across examples or around their ends, all of the text,
no two hits that overlap. Both must find the same hits. Signals are noise with a memory, squashed,
as hidden states are; the spans that are selected are places where some cells are on together.
"""

from __future__ import annotations

import argparse
import statistics
import time

import numpy as np

import lstm_widgets as lw
from lstm_widgets.recording import RecordedLayer, Recording

THRESHOLD = 0.3
LIMIT = 50


def plainly(values, span, example, context):
    """Follow the definition: every candidate of every count is held against all cells."""
    examples, timesteps, _ = values.shape
    start, stop = span
    inside = values[example, start:stop]
    signs = np.where((inside >= THRESHOLD).all(axis=0), 1, -1)
    signed = values * signs.astype(np.float32)
    on = signed >= THRESHOLD

    def marked(e, start, stop, on):
        cells = on[e, start:stop].all(axis=0)
        for t in (*range(start - context[0], start), *range(stop, stop + context[1])):
            if 0 <= t < timesteps:
                cells = cells & ~on[e, t]
        return cells

    chosen = marked(example, start, stop, on)
    other = signed <= -THRESHOLD  # cells that are on with the other sign are not the same
    counts = on[:, :, chosen].sum(axis=2)
    least = min(2, stop - start)
    rows = []
    for n in range(int(chosen.sum()), 0, -1):
        for e in range(examples):
            enough = np.concatenate([[False], counts[e] >= n, [False]])
            edges = np.flatnonzero(enough[1:] != enough[:-1])
            for first, last in zip(edges[::2], edges[1::2], strict=True):
                if last - first >= least and counts[e, first:last].min() == n:
                    same = marked(e, first, last, on)
                    shared = int((same & chosen).sum())
                    cells_on = int(same.sum() + marked(e, first, last, other).sum())
                    rows.append((-shared, cells_on, first - last, e, first, last))
    rows.sort()
    hits, kept = [], [(example, start, stop)]
    for shared, cells_on, _, e, first, last in rows:
        if len(hits) == LIMIT or not shared:
            break
        if all(e != k or last <= a or b <= first for k, a, b in kept):
            kept.append((e, first, last))
            hits.append((e, first, last, -shared, cells_on))
    return np.flatnonzero(chosen), hits


def signals(timesteps, cells):
    """Make hidden states of one long text: each cell remembers for a time of its own."""
    rng = np.random.default_rng(0)
    values = rng.standard_normal((timesteps, cells), dtype=np.float32)
    keep = rng.uniform(0.3, 0.95, cells).astype(np.float32)
    fresh = np.sqrt(1 - keep**2)
    for t in range(1, timesteps):
        values[t] = keep * values[t - 1] + fresh * values[t]
    return np.tanh(values * rng.uniform(0.2, 0.8, cells).astype(np.float32))[None]


def seconds(function):
    begun = time.perf_counter()
    result = function()
    return time.perf_counter() - begun, result


def main(timesteps, cells, repeats):
    values = signals(timesteps, cells)
    recording = Recording.from_layers([RecordedLayer("lstm", "LSTM", {"hidden_state": values})])
    print(
        f"{'span':>16}{'context':>9}{'cells':>7}{'hits':>6}{'plain (s)':>11}{'match (s)':>11}{'ratio':>7}"
    )
    for start, length, context in [(1000, 3, (1, 1)), (5000, 4, (1, 1)), (9000, 6, (0, 0))]:
        span = (start, start + length)
        ours = []
        for _ in range(repeats):
            took, table = seconds(
                lambda: lw.match(recording, span, threshold=THRESHOLD, context=context)  # noqa: B023
            )
            ours.append(took)
        plain, (chosen, hits) = seconds(lambda: plainly(values, span, 0, context))  # noqa: B023
        columns = ["example", "start", "stop", "shared", "cells_on"]
        assert chosen.tolist() == table.attrs["cells"]
        assert list(table[columns].itertuples(index=False, name=None)) == hits
        best = statistics.median(ours)
        print(
            f"{span!s:>16}{context!s:>9}{len(chosen):>7}{len(hits):>6}{plain:>11.2f}{best:>11.3f}"
            f"{plain / best:>7.0f}",
            flush=True,
        )


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--timesteps", type=int, default=1_000_000)
    parser.add_argument("--cells", type=int, default=256)
    parser.add_argument("--repeats", type=int, default=3)
    arguments = parser.parse_args()
    print(f"NumPy {np.__version__}, {arguments.timesteps} timesteps, {arguments.cells} cells\n")
    main(arguments.timesteps, arguments.cells, arguments.repeats)
