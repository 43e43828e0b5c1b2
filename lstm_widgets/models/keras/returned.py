# Keras has no types, so what comes from it is Any.
# ruff: noqa: ANN401
"""What a recurrent layer of Keras makes of hidden states."""

from __future__ import annotations

from typing import Any

import numpy as np

__all__ = ["as_returned", "last_as_returned"]


def as_returned(hidden: Any, real: Any, layer: Any, *, begun: bool = False) -> Any:
    """Make of hidden states what the layer returns: its reading order, its values at padding.

    Two habits of Keras are kept, for the rest of the model to get what it always gets: before the
    first real timestep there are zeros, even if the state started elsewhere (unless that timestep
    was in an earlier piece: ``begun``); and an unrolled layer that reads backwards takes its zeros
    for padding from the mask in its original order.
    """
    if getattr(layer, "go_backwards", False):  # which a single cell doesn't have
        hidden = hidden[:, ::-1]
    if real is None:
        return np.ascontiguousarray(hidden)
    read = real[:, ::-1] if layer.go_backwards else real
    shown = np.logical_or.accumulate(read, axis=1) | begun
    if layer.zero_output_for_mask:
        shown = shown & (real if layer.unroll else read)
    return np.where(shown[..., None], hidden, np.zeros((), hidden.dtype))


def last_as_returned(last: Any, real: Any, layer: Any, *, begun: bool) -> Any:
    """Make of the last hidden states ``(example, cell)`` what the layer returns as its output."""
    if real is None:
        return last
    end = 0 if layer.go_backwards else -1
    shown = real[:, end] if layer.zero_output_for_mask else real.any(axis=1) | begun
    return np.where(shown[:, None], last, np.zeros((), last.dtype))
