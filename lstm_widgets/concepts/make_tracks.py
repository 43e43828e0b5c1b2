"""From concepts to tracks: the values of concepts at every timestep of a recording."""

# ruff: noqa: ANN401

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any, cast

import numpy as np
import xarray as xr

from lstm_widgets.concepts.concept import Concept, kind_of, matches, of, track
from lstm_widgets.concepts.example import Example
from lstm_widgets.concepts.tables import Frame, is_table, of_table
from lstm_widgets.recording.masks import mask_of
from lstm_widgets.tokens.words import spelling_of

if TYPE_CHECKING:
    from lstm_widgets.concepts.concept import Concepts, TrackFunction
    from lstm_widgets.recording import Recording


def tracks(recording: Recording, concepts: Concepts, *, layer: str | None = None) -> xr.Dataset:
    """Evaluate concepts at every timestep of a recording.

    Parameters
    ----------
    recording : Recording
        Its tokens and padding are used.
    concepts : Concept, sequence of Concept, or mapping
        A concept, several, or a mapping from names to concepts, functions from the tokens of one
        example to an array, regular expressions, or arrays ``(example, timestep)``. Of pandas: a
        DataFrame with a column for each concept; in a mapping a Series, which is the same for every
        example, or a DataFrame with a column for each example. Their index are the times of the
        recording, some or more of them (in any time zone, if the recording's have one; in none, if
        not), or there are as many rows as timesteps.
    layer : str, optional
        The layer whose timesteps are meant. Default: the first.

    Returns
    -------
    xarray.Dataset
        One float64 variable ``(example, timestep)`` for each concept, in the order given: 1 or 0, or
        a number; NaN at padding and where a numeric concept has no value. ``attrs["kind"]`` is
        ``"yes_no"`` or ``"numeric"``.

    Raises
    ------
    TypeError
        If something isn't a concept, or a function returns neither bools nor numbers.
    ValueError
        If names repeat, a shape doesn't fit, a concept needs tokens and the recording has none, or of
        a table's dates and the recording's only one kind has a time zone.

    Examples
    --------
    >>> found = lw.concepts.tracks(recording, {"quote": lw.concepts.inside_double_quotes, "e": "e"})
    >>> {name: int(track.sum()) for name, track in found.items()}
    {'quote': 200, 'e': 80}
    """
    examples, shape = _examples(recording, layer)
    variables = {}
    for concept in resolve(concepts, examples[0] if examples else None):
        if concept.name in ("example", "timestep"):
            raise ValueError(
                f"concepts: expected another name than {concept.name!r}, which is that of an axis"
            )
        if concept.name in variables:
            raise ValueError(f"concepts: expected different names, got {concept.name!r} twice")
        values = np.full(shape, np.nan)
        for example in examples:
            values[example.number, example.timesteps] = concept.of_example(example)
        attrs = {"kind": concept.kind, "description": concept.description}
        variables[concept.name] = (("example", "timestep"), values, attrs)
    coords = {"example": np.arange(shape[0]), "timestep": np.arange(shape[1])}
    return xr.Dataset(variables, coords)


def resolve(concepts: Concepts, example: Example | None = None) -> list[Concept]:
    """Turn concepts, in any of the forms in which they can be given, into a list.

    Parameters
    ----------
    concepts : Concept, sequence of Concept, or mapping
        As in :func:`tracks`.
    example : Example, optional
        Plain functions are called with its tokens, to see whether they return bools or numbers.

    Examples
    --------
    >>> [concept.name for concept in lw.concepts.resolve({"vowels": lw.concepts.vowel, "e": "e"})]
    ['vowels', 'e']
    """
    if isinstance(concepts, Concept):
        return [concepts]
    if isinstance(concepts, Mapping):
        return [_named(str(name), given, example) for name, given in concepts.items()]
    if isinstance(concepts, Frame):
        return [of_table(concepts[column], str(column)) for column in concepts.columns]
    if isinstance(concepts, str) or not isinstance(concepts, Sequence):
        raise TypeError(
            f"concepts: expected a concept, several, or a mapping, got {concepts!r:.80}"
        )
    for concept in concepts:
        if not isinstance(concept, Concept):
            raise TypeError(
                f"concepts: expected concepts, got {concept!r:.80}; functions, regular expressions "
                f"and arrays need a name: {{'name': ...}}"
            )
    return list(concepts)


def _named(name: str, given: Any, example: Example | None) -> Concept:
    if isinstance(given, Concept):
        return replace(given, name=name)
    if isinstance(given, (str, re.Pattern)):
        return matches(given, name=name)
    if callable(given):
        function = cast("TrackFunction", given)
        tried = np.zeros(0, bool) if example is None else np.asarray(function(example.tokens))
        return of(function, name=name, kind=kind_of(tried))
    if is_table(given):
        return of_table(given, name)
    if isinstance(given, (np.ndarray, xr.DataArray, list, tuple)):
        return track(given, name=name)
    raise TypeError(
        f"concepts[{name!r}]: expected a concept, a function, a regular expression or an array, "
        f"got {given!r:.80}"
    )


def _examples(recording: Recording, layer: str | None) -> tuple[list[Example], tuple[int, int]]:
    """All examples of a layer, and its number of examples and timesteps."""
    dataset = recording[recording.layers[0] if layer is None else layer]
    count, width = dataset.sizes["example"], dataset.sizes["timestep"]
    mask = mask_of(dataset)
    tokens = np.asarray(dataset["token"]) if "token" in dataset.coords else None
    spelling = spelling_of(dataset)
    times, positions, labels = (
        dataset.coords[name].to_numpy() if name in dataset.coords else None
        for name in ("time", "position", "label")
    )
    zone = ""
    if times is not None:
        times = np.broadcast_to(times, (count, width))
        zone = str(dataset.coords["time"].attrs.get("time_zone", ""))
    examples = []
    for k in range(count):
        timesteps = np.flatnonzero(mask[k])
        given = None if tokens is None else tuple(map(str, tokens[k, timesteps]))
        examples.append(
            Example(
                len(timesteps),
                given,
                k,
                timesteps,
                count,
                width,
                spelling,
                None if times is None else times[k, timesteps],
                None if positions is None else positions[timesteps],
                None if labels is None else str(labels[k]),
                zone,
            )
        )
    return examples, (count, width)
