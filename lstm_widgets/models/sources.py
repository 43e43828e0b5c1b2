# Models have no types here, so what comes from them is Any.
"""Where tokens are told apart: a layer that makes vectors of ids in some of its calls, or an input."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from lstm_widgets.recording.calls import all_named, split_call

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

__all__ = ["Embedded", "Source", "find_source"]


@dataclass(frozen=True)
class Source:
    """Where tokens are told apart: an Embedding, in some of its calls, or an input of vectors.

    Calls that read the same input of the model make the same tokens. What several inputs have stands
    one after the other on the source's time axis, in the order in which they are read first.

    Attributes
    ----------
    name : str
        The name of the layer (``"embedding:2"``: of its second call) or of the input.
    layer : object, optional
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


@dataclass(frozen=True)
class Embedded:
    """One call of an Embedding.

    Attributes
    ----------
    name, layer : str, object
        The Embedding.
    number : int
        Which of its calls it is, from 1 on.
    leaf : int, optional
        Which of the model's inputs has its ids; None: none.
    shape : tuple of int
        Of what it makes: timesteps and dimensions.
    """

    name: str
    layer: Any
    number: int
    leaf: int | None
    shape: tuple[int, int]


def find_source(
    embedded: Sequence[Embedded], vectors: Mapping[str, Source], wanted: str | None
) -> Source:
    """Find it among the calls of Embeddings and the inputs of a model.

    Parameters
    ----------
    embedded : sequence of Embedded
        The calls of Embeddings whose outputs are ``(example, timestep, dimension)``.
    vectors : mapping of str to Source
        Inputs of vectors, by name.
    wanted : str, optional
        The name that was asked for, if any.

    Raises
    ------
    ValueError
        If there is no such source, or there are several and none was asked for.
    """
    calls: dict[str, list[Embedded]] = {}
    for call in embedded:
        calls.setdefault(call.name, []).append(call)
    known = {name: _source(name, some) for name, some in calls.items()}
    usual = list(known) or list(vectors)
    known |= vectors
    if wanted is None and len(usual) > 1:
        raise ValueError(
            f"source: the model has several, name one of {', '.join(map(repr, sorted(known)))}"
        )
    if wanted is None and usual:
        return known[usual[0]]
    if wanted in known:
        return known[wanted]
    name, asked = split_call(wanted or "")
    one = [call for call in calls.get(name, []) if call.number == asked]
    if not one:
        numbers = {name: sorted(call.number for call in some) for name, some in calls.items()}
        named = [all_named(name, numbers.get(name, [1])) for name in known]
        raise ValueError(f"source: expected one of {', '.join(named)}; got {wanted!r}")
    return _source(wanted or "", one)


def _source(name: str, calls: Sequence[Embedded]) -> Source:
    """Make a source of some calls of an Embedding."""
    parts: dict[object, int] = {}  # by what is read, which part of the source it is
    numbers, read, timesteps, size = {}, [], [], 0
    for call in sorted(calls, key=lambda each: each.number):
        what = ("call", call.number) if call.leaf is None else call.leaf
        if what not in parts:
            parts[what] = len(parts)
            read.append(call.leaf)
            timesteps.append(call.shape[0])
            size += int(np.prod(call.shape))
        numbers[call.number] = parts[what]
    return Source(name, calls[0].layer, numbers, tuple(read), size, tuple(timesteps))
