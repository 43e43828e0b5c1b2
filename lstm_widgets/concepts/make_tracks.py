"""From concepts to tracks: the values of concepts at every timestep of a recording."""

# ruff: noqa: ANN401

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any, cast

import numpy as np
import pandas as pd
import xarray as xr
from xarray.backends import BackendArray
from xarray.core import indexing

from lstm_widgets.concepts.concept import Concept, kind_of, matches, of, track
from lstm_widgets.concepts.example import shared
from lstm_widgets.concepts.packed import PackedTrack, Packing
from lstm_widgets.concepts.read import ReadLayer
from lstm_widgets.concepts.tables import Frame, is_table, of_table

if TYPE_CHECKING:
    import numpy.typing as npt

    from lstm_widgets.concepts.concept import Concepts, TrackFunction
    from lstm_widgets.concepts.example import Example
    from lstm_widgets.recording import Recording

#: Tracks of more columns than this stay packed, until they are looked at.
MANY_COLUMNS = 1 << 22
# Columns that are looked at together.
_BLOCK = 1 << 20


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
        ``"yes_no"`` or ``"numeric"``. Of a long recording, values are packed, and unpacked when they
        are asked for: take parts of it.

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
    read = ReadLayer.of(recording, layer)
    found, mask = _packed(read, _named_differently(resolve(concepts, read.first)))
    variables = {}
    for concept, packed in found:
        said = _Said(packed, mask, read.shape)
        values: Any = said.whole() if len(packed) <= MANY_COLUMNS else said.lazy()
        attrs = {"kind": concept.kind, "description": concept.description}
        variables[concept.name] = (("example", "timestep"), values, attrs)
    coords = {
        name: pd.RangeIndex(size)
        for name, size in zip(("example", "timestep"), read.shape, strict=True)
    }
    return xr.Dataset(variables, coords)


def packed_tracks(
    recording: Recording, concepts: Concepts, *, layer: str | None = None
) -> dict[str, PackedTrack]:
    """Evaluate concepts at every timestep of a recording, and keep what they say in little room.

    Parameters
    ----------
    recording, concepts, layer : Recording, Concepts, str
        As in :func:`tracks`.

    Returns
    -------
    dict of str to PackedTrack
        A track for each concept, in the order given. Its columns are the timesteps of all examples,
        laid end to end, padding included.

    Raises
    ------
    TypeError, ValueError
        As :func:`tracks`.

    Examples
    --------
    >>> from lstm_widgets.concepts.make_tracks import packed_tracks
    >>> packed_tracks(recording, [lw.concepts.inside_double_quotes])
    {'inside_double_quotes': <PackedTrack: yes_no, 620 columns in 78 bytes>}
    """
    read = ReadLayer.of(recording, layer)
    found, _ = _packed(read, _named_differently(resolve(concepts, read.first)))
    return {concept.name: packed for concept, packed in found}


def varying(recording: Recording, concepts: Sequence[Concept], *, layer: str) -> set[Concept]:
    """Choose the concepts that don't say the same at all timesteps of a layer.

    Parameters
    ----------
    recording, layer : Recording, str
        The layer.
    concepts : sequence of Concept
        What to choose from.

    Returns
    -------
    set of Concept
    """
    found, mask = _packed(ReadLayer.of(recording, layer), concepts)
    return {concept for concept, packed in found if _varies(packed, mask)}


def _varies(packed: PackedTrack, mask: PackedTrack | None) -> bool:
    low, high = np.inf, -np.inf
    for start in range(0, len(packed), _BLOCK):
        here = slice(start, start + _BLOCK)
        values = packed.block(here).astype(np.float64)
        known = ~np.isnan(values) if mask is None else ~np.isnan(values) & mask.block(here)
        low = min(low, values[known].min(initial=np.inf))
        high = max(high, values[known].max(initial=-np.inf))
    return bool(low < high)


def _named_differently(concepts: Sequence[Concept]) -> Sequence[Concept]:
    names: set[str] = set()
    for concept in concepts:
        if concept.name in ("example", "timestep"):
            raise ValueError(
                f"concepts: expected another name than {concept.name!r}, which is that of an axis"
            )
        if concept.name in names:
            raise ValueError(f"concepts: expected different names, got {concept.name!r} twice")
        names.add(concept.name)
    return concepts


def _packed(
    read: ReadLayer, concepts: Sequence[Concept]
) -> tuple[list[tuple[Concept, PackedTrack]], PackedTrack | None]:
    """Say all concepts of every example, a stretch at a time; also where there is no padding."""
    packings = [Packing(concept.kind) for concept in concepts]
    masked = Packing("yes_no")
    from tqdm.auto import tqdm  # noqa: PLC0415

    size = read.shape[0] * read.shape[1]
    short = True if size <= MANY_COLUMNS else None
    with tqdm(total=size, desc="concepts", unit="timestep", leave=False, disable=short) as bar:
        for example in read.examples() if concepts else ():
            # All concepts look at a stretch before any looks at the next.
            stretches, *theirs = shared(example.stretches(), 1 + len(concepts))
            said = [concept.say(own) for concept, own in zip(concepts, theirs, strict=True)]
            for stretch, *values in zip(stretches, *said, strict=True):
                width = stretch.stop - stretch.start
                padded = stretch.count < width
                places = stretch.timesteps - stretch.start
                for packing, here in zip(packings, values, strict=True):
                    packing.add(_filled(here, places, width) if padded else here)
                if read.masked:
                    masked.add(_filled(np.ones(stretch.count, np.bool_), places, width))
                bar.update(width)
    found = [
        (concept, packing.packed()) for concept, packing in zip(concepts, packings, strict=True)
    ]
    return found, masked.packed() if read.masked else None


def _filled(values: npt.NDArray[Any], places: npt.NDArray[np.intp], width: int) -> npt.NDArray[Any]:
    """Put values where they belong, among padding."""
    filled = np.zeros(width, np.bool_) if values.dtype == np.bool_ else np.full(width, np.nan)
    filled[places] = values
    return filled


class _Said(BackendArray):
    """A packed track as an array ``(example, timestep)`` of float64, NaN at padding."""

    def __init__(
        self, packed: PackedTrack, mask: PackedTrack | None, shape: tuple[int, int]
    ) -> None:
        self._packed = packed
        self._mask = mask
        self.shape = shape
        self.dtype = np.dtype(np.float64)

    def whole(self) -> npt.NDArray[np.float64]:
        """Unpack all of it."""
        return self._columns(slice(0, len(self._packed))).reshape(self.shape)

    def lazy(self) -> Any:
        """Give what xarray unpacks where it is asked for; who assigns to it changes it in memory."""
        lazy: Any = indexing.LazilyIndexedArray(self)
        return indexing.CopyOnWriteArray(lazy)

    def __getitem__(self, key: indexing.ExplicitIndexer) -> npt.NDArray[Any]:
        values: npt.NDArray[Any] = indexing.explicit_indexing_adapter(
            key, self.shape, indexing.IndexingSupport.OUTER, self._read
        )
        return values

    def _read(self, key: tuple[Any, Any]) -> npt.NDArray[np.float64]:
        """Read some timesteps of some examples, each a whole number, a slice or an array of places."""
        examples, timesteps = (
            np.arange(*part.indices(size)) if isinstance(part, slice) else np.asarray(part)
            for part, size in zip(key, self.shape, strict=True)
        )
        rows = [self._row(int(example), timesteps) for example in examples.ravel()]
        return np.array(rows).reshape(examples.shape + timesteps.shape)

    def _row(self, example: int, timesteps: npt.NDArray[np.intp]) -> npt.NDArray[np.float64]:
        places = example * self.shape[1] + timesteps.ravel()
        if not len(places):
            return np.zeros(0)
        first = int(places.min())
        within = self._columns(slice(first, int(places.max()) + 1))
        return np.asarray(within[places - first])

    def _columns(self, columns: slice) -> npt.NDArray[np.float64]:
        values = self._packed.block(columns).astype(np.float64)
        if self._mask is not None:
            values[~self._mask.block(columns)] = np.nan
        return values


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
