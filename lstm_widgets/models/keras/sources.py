# Keras and TensorFlow have no types, so what comes from them is Any.
"""Where a Keras model tells tokens apart: an Embedding in some of its calls, or an input of vectors."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from lstm_widgets.models import sources
from lstm_widgets.models.keras.layers import load_keras, numbered
from lstm_widgets.models.sources import Embedded, Source

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from lstm_widgets.models.keras.trace import Trace

__all__ = ["find_source"]


def find_source(
    trace: Trace,
    names: Sequence[str],
    wanted: str | None,
    orders: Mapping[int, tuple[int, ...]],
) -> Source:
    """Find it among the calls that a model consists of.

    Parameters
    ----------
    trace : Trace
        The calls.
    names : sequence of str
        Those of the model's inputs.
    wanted : str, optional
        The name that was asked for, if any.
    orders : mapping of int to tuple of int
        By the id of a layer, in which order its calls are numbered.

    Raises
    ------
    ValueError
        If there is no such source, or there are several and none was asked for.
    """
    keras = load_keras()
    leaves = {id(tensor): k for k, tensor in enumerate(trace.tensors)}
    embedded: list[Embedded] = []
    times: dict[str, int] = {}
    for call in trace.calls:
        if isinstance(call.layer, keras.layers.Embedding):
            name = call.layer.name
            times[name] = times.get(name, 0) + 1
            if len(call.output.shape) == 3:
                number = numbered(orders.get(id(call.layer), ()), times[name])
                shape = (int(call.output.shape[1]), int(call.output.shape[2]))
                leaf = leaves.get(id(call.argument))
                embedded.append(Embedded(name, call.layer, number, leaf, shape))
    vectors = {
        name: Source(name, None, {}, (k,), int(np.prod(tensor.shape[1:])))
        for k, (name, tensor) in enumerate(zip(names, trace.tensors, strict=True))
        if len(tensor.shape) == 3 and tensor.dtype.is_floating
    }
    if not embedded and not vectors:
        shapes = ", ".join(str(tuple(tensor.shape)) for tensor in trace.tensors)
        raise ValueError(
            f"model: expected an Embedding layer, or an input (example, timestep, features) of "
            f"floating point numbers, to tell tokens apart; got inputs of shape {shapes}"
        )
    return sources.find_source(embedded, vectors, wanted)
