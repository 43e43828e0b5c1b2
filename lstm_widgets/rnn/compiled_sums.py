# What Numba compiles has no types: each function is compiled for those that it is called with.
# mypy: disable-error-code="untyped-decorator, no-untyped-def"
# ruff: noqa: ANN001, ANN201, PLR0917
"""What runs of timesteps come to, compiled: see `lstm_widgets.recording.levels`."""

from __future__ import annotations

import numpy as np

from lstm_widgets.rnn.compiling import rounded

__all__ = ["sum_up"]


@rounded
def sum_up(runs, lowest, highest, mean, magnitude, off, spread):
    """Sum up runs ``(run, timestep, cell)``, all float32, into arrays ``(run, cell)``.

    ``off`` is the sum of distances from the mean, and ``spread`` that of their squares. Each sum begins with
    the first timestep and takes one after the other. Where a value is NaN, the lowest and the highest are
    any: who wants to know sees it in the spread.
    """
    count, length, cells = np.uintp(runs.shape[0]), np.uintp(runs.shape[1]), np.uintp(runs.shape[2])
    one, share = np.uintp(1), np.float32(1) / np.float32(runs.shape[1])
    for r in range(count):
        for k in range(cells):
            value = runs[r, np.uintp(0), k]
            lowest[r, k] = value
            highest[r, k] = value
            mean[r, k] = value
            magnitude[r, k] = abs(value)
        for t in range(one, length):
            # Of loops that write to more arrays LLVM makes no vector code.
            for k in range(cells):
                value = runs[r, t, k]
                lowest[r, k] = min(lowest[r, k], value)
                highest[r, k] = max(highest[r, k], value)
            for k in range(cells):
                value = runs[r, t, k]
                mean[r, k] += value
                magnitude[r, k] += abs(value)
        for k in range(cells):
            # Rounding mustn't move the mean of what never changes, which has no variance.
            value = mean[r, k] * share
            value = max(lowest[r, k], value)
            mean[r, k] = min(highest[r, k], value)
            distance = runs[r, np.uintp(0), k] - mean[r, k]
            off[r, k] = distance
            spread[r, k] = distance * distance
        for t in range(one, length):
            for k in range(cells):
                distance = runs[r, t, k] - mean[r, k]
                off[r, k] += distance
                spread[r, k] += distance * distance
