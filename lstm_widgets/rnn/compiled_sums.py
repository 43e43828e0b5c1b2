# What Numba compiles has no types: each function is compiled for those that it is called with.
# mypy: disable-error-code="untyped-decorator, no-untyped-def"
# ruff: noqa: ANN001, ANN201
"""What runs of timesteps come to, compiled: see `lstm_widgets.recording.levels`."""

from __future__ import annotations

import numpy as np

from lstm_widgets.rnn.compiling import rounded

__all__ = ["pair", "sum_up"]

_FIRST_FIVE = tuple(np.uintp(k) for k in range(5))


@rounded
def sum_up(runs, found):
    """Sum up runs ``(run, timestep, cell)``, float32, a multiple of four timesteps, into ``(run, 8, cell)``.

    Each sum takes one timestep after the other. Where a value is NaN, the lowest and the highest are any: who
    wants to know sees it in the spread.
    """
    count, length, cells = np.uintp(runs.shape[0]), np.uintp(runs.shape[1]), np.uintp(runs.shape[2])
    zero, one, two, three, four = _FIRST_FIVE
    share, steps = np.float32(1) / np.float32(runs.shape[1]), np.float64(runs.shape[1])
    lowest, highest = np.empty(cells, np.float32), np.empty(cells, np.float32)
    mean, magnitude = np.empty(cells, np.float32), np.empty(cells, np.float32)
    off, spread = np.empty(cells, np.float32), np.empty(cells, np.float32)
    for r in range(count):
        for k in range(cells):
            lowest[k] = highest[k] = runs[r, zero, k]
            # To which a first value adds up as it is, also one that is -0.
            mean[k] = magnitude[k] = off[k] = spread[k] = -0.0
        for t in range(zero, length, four):
            # Of loops that write to more arrays LLVM makes no vector code.
            for k in range(cells):
                a, b = runs[r, t, k], runs[r, t + one, k]
                c, d = runs[r, t + two, k], runs[r, t + three, k]
                lowest[k] = min(lowest[k], a, b, c, d)
                highest[k] = max(highest[k], a, b, c, d)
            for k in range(cells):
                a, b = runs[r, t, k], runs[r, t + one, k]
                c, d = runs[r, t + two, k], runs[r, t + three, k]
                mean[k] = mean[k] + a + b + c + d
                magnitude[k] = magnitude[k] + abs(a) + abs(b) + abs(c) + abs(d)
        for k in range(cells):
            # Rounding mustn't move the mean of what never changes, which has no variance.
            mean[k] = min(highest[k], max(lowest[k], mean[k] * share))
        for t in range(zero, length, four):
            for k in range(cells):
                a, b = runs[r, t, k] - mean[k], runs[r, t + one, k] - mean[k]
                c, d = runs[r, t + two, k] - mean[k], runs[r, t + three, k] - mean[k]
                off[k] = off[k] + a + b + c + d
                spread[k] = spread[k] + a * a + b * b + c * c + d * d
        for k in range(cells):
            low, high, distance = lowest[k], highest[k], np.float64(off[k] * share)
            squares = np.float64(spread[k]) - distance * distance * steps
            found[r, zero, k], found[r, one, k], found[r, two, k] = low, high, mean[k]
            found[r, three, k] = max(high, -low)
            found[r, four, k] = steps
            found[r, four + one, k] = magnitude[k]
            found[r, four + two, k] = mean[k] + distance
            found[r, four + three, k] = 0.0 if squares <= 0 else squares


@rounded
def pair(runs, found):
    """Make of neighbours one, ``(run, 8, cell)``: twice as many as there are in ``found``."""
    cells = np.uintp(runs.shape[2])
    for r in range(np.uintp(found.shape[0])):
        one, other, both = runs[2 * r], runs[2 * r + 1], found[r]
        for k in range(cells):
            a, b = one[0, k], other[0, k]
            both[0, k] = a if a < b or np.isnan(a) else b
            a, b = one[1, k], other[1, k]
            both[1, k] = a if a > b or np.isnan(a) else b
            both[2, k] = one[2, k] * 0.5 + other[2, k] * 0.5
            both[3, k] = max(other[3, k], one[3, k])
            count = one[4, k] + other[4, k]
            both[4, k] = count
            both[5, k] = one[5, k] + other[5, k]
            share = other[4, k] / max(count, 1)
            distance = other[6, k] - one[6, k]
            both[6, k] = one[6, k] + distance * share
            both[7, k] = one[7, k] + other[7, k] + distance * distance * (one[4, k] * share)
