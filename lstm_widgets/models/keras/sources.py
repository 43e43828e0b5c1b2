# Keras and TensorFlow have no types, so what comes from them is Any.
"""Where tokens are told apart: an Embedding in some of its calls, or an input of vectors."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from lstm_widgets.models.keras.layers import load_keras, numbered
from lstm_widgets.recording.calls import all_named, split_call

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from lstm_widgets.models.keras.places import Call
    from lstm_widgets.models.keras.trace import Trace

__all__ = ["Source", "find_source"]


@dataclass(frozen=True)
class Source:
    """Where tokens are told apart: an Embedding, in some of its calls, or an input of vectors.

    Calls that read the same input of the model make the same tokens. What several inputs have stands
    one after the other on the source's time axis, in the order in which they are read first.

    Attributes
    ----------
    name : str
        The name of the layer (``"embedding:2"``: of its second call) or of the input.
    layer : keras.Layer, optional
        The Embedding, or another layer with an output ``(example, timestep, features)``; None if it
        is an input.
    calls : dict of int to int
        Of a layer: the number of each call that is meant, from 1 on, and which of ``leaves`` has its
        ids.
    leaves : tuple of int or None
        Which of the model's inputs it is, or which have the Embedding's ids; None: none.
    size : int
        How many values it has for each example.
    timesteps : tuple of int
        How many timesteps each of its parts has.
    shape : tuple of int, optional
        Timesteps and features of each example in an input that doesn't have these two axes.
    """

    name: str
    layer: Any
    calls: dict[int, int]
    leaves: tuple[int | None, ...]
    size: int
    timesteps: tuple[int, ...] = ()
    shape: tuple[int, int] | None = None


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
    embeddings: dict[str, list[tuple[int, Call]]] = {}
    times: dict[str, int] = {}
    for call in trace.calls:
        if isinstance(call.layer, keras.layers.Embedding):
            name = call.layer.name
            times[name] = times.get(name, 0) + 1
            if len(call.output.shape) == 3:
                number = numbered(orders.get(id(call.layer), ()), times[name])
                embeddings.setdefault(name, []).append((number, call))
    vectors = {
        name: Source(name, None, {}, (k,), int(np.prod(tensor.shape[1:])))
        for k, (name, tensor) in enumerate(zip(names, trace.tensors, strict=True))
        if len(tensor.shape) == 3 and tensor.dtype.is_floating
    }
    known = {name: _embedded(name, calls, leaves) for name, calls in embeddings.items()}
    usual = list(known) or list(vectors)
    known |= vectors
    if not known:
        shapes = ", ".join(str(tuple(tensor.shape)) for tensor in trace.tensors)
        raise ValueError(
            f"model: expected an Embedding layer, or an input (example, timestep, features) of "
            f"floating point numbers, to tell tokens apart; got inputs of shape {shapes}"
        )
    if wanted is None and len(usual) > 1:
        raise ValueError(
            f"source: the model has several, name one of {', '.join(map(repr, sorted(known)))}"
        )
    if wanted is None:
        return known[usual[0]]
    if wanted in known:
        return known[wanted]
    name, asked = split_call(wanted)
    one = [each for each in embeddings.get(name, []) if each[0] == asked]
    if not one:
        calls = {name: sorted(k for k, _ in calls) for name, calls in embeddings.items()}
        named = [all_named(name, calls.get(name, [1])) for name in known]
        raise ValueError(f"source: expected one of {', '.join(named)}; got {wanted!r}")
    return _embedded(wanted, one, leaves)


def _embedded(name: str, calls: Sequence[tuple[int, Call]], leaves: Mapping[int, int]) -> Source:
    """Make a source of some calls of an Embedding."""
    parts: dict[object, int] = {}  # by what is read, which part of the source it is
    numbers, read, timesteps, size = {}, [], [], 0
    for number, call in sorted(calls, key=lambda each: each[0]):
        leaf = leaves.get(id(call.argument))
        what = ("call", number) if leaf is None else leaf
        if what not in parts:
            parts[what] = len(parts)
            read.append(leaf)
            timesteps.append(int(call.output.shape[1]))
            size += int(np.prod(call.output.shape[1:]))
        numbers[number] = parts[what]
    layer = calls[0][1].layer
    return Source(name, layer, numbers, tuple(read), size, tuple(timesteps))
