# What Numba compiles has no types: each function is compiled for those that it is called with.
# mypy: disable-error-code="untyped-decorator, no-untyped-def"
# ruff: noqa: ANN001, ANN201
"""In which of a row's bins numbers lie, compiled: see `lstm_widgets.analysis.value_bins`."""

from __future__ import annotations

import numpy as np

from lstm_widgets.rnn.compiling import cached

__all__ = ["place"]

_TOP = 13
_LOW = np.uint32(32 - _TOP)
_GROUPS = 1 << _TOP
_WALK = 4


@cached
def place(keys, edges, offsets, out):
    """Write for each key ``(row, n)`` how many edges of its row are not above it, less one.

    By its highest bits a key finds among which edges it lies; those are mostly even.
    """
    first = np.empty(_GROUPS + 1, np.int32)
    for row in range(keys.shape[0]):
        own = edges[offsets[row] : offsets[row + 1]]
        count = len(own)
        at = 0
        for group in range(_GROUPS):
            bound = np.uint32(group) << _LOW
            while at < count and own[at] <= bound:
                at += 1
            first[group] = at
        first[_GROUPS] = count
        for k in range(keys.shape[1]):
            key = keys[row, k]
            group = key >> _LOW
            low, high = first[group], first[group + 1]
            if high - low > _WALK:
                rest = np.int64(key - (group << _LOW))
                guess = low + np.int32((rest * (high - low)) >> np.int64(_LOW))
                begin, end = max(low, guess - _WALK), min(high, guess + _WALK)
                if (begin == low or own[begin - 1] <= key) and (end == high or own[end] > key):
                    low, high = begin, end
            while low < high:
                middle = (low + high) >> 1
                if own[middle] <= key:
                    low = middle + 1
                else:
                    high = middle
            out[row, k] = low - 1
