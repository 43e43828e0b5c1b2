"""Concept tracks as the page gets them: a bit a token for yes or no, a byte for a number.

The page's side is js/src/data/tracks.js.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import numpy as np

from lstm_widgets.analysis.probes.result import Probe
from lstm_widgets.concepts.make_tracks import packed_tracks, resolve
from lstm_widgets.recording.rows import Rows
from lstm_widgets.views.tracks import Track

if TYPE_CHECKING:
    from collections.abc import Iterator

    import xarray as xr

    from lstm_widgets.recording import Recording

#: The most bytes of codes that travel to the page, with all that is in its state.
MOST_BYTES = 8 * 1024 * 1024


def tracks_of(recording: Recording, tracks: Any) -> dict[str, tuple[Track, ...]]:  # noqa: ANN401 - the resolver checks it
    """
    Work out the tracks of every layer.

    Parameters
    ----------
    recording : Recording
    tracks : list of Concept, or dict
        What ``concepts.tracks`` takes; an array belongs to the layers that have its shape.

    Returns
    -------
    dict of tuple of Track
        By layer. Layers over the same tokens share theirs.

    Raises
    ------
    TypeError, ValueError
        If they aren't concepts, an array fits no layer, or they take too many bytes.
    """
    if isinstance(tracks, Probe):
        raise TypeError(
            "tracks: expected concepts, got a Probe; its .prediction is a track of each of its concepts"
        )
    every: dict[str, tuple[Track, ...]] = {}
    refused: dict[str, ValueError] = {}
    shown: set[str] = set()
    given = _one_by_one(tracks)
    names = [_name_of(one) for one in given]
    for name in names:
        if names.count(name) > 1:
            raise ValueError(f"tracks: expected different names, got {name!r} twice")
    for name in recording.layers if given else ():
        dataset = recording[name]
        twin = next((other for other in every if _alike(recording[other], dataset)), None)
        if twin is None:
            every[name] = tuple(_tracks_of(recording, name, given, refused))
            shown |= {track.name for track in every[name]}
        else:
            every[name] = every[twin]
    for name, error in refused.items():
        if name not in shown:
            raise error
    return every


def encoded(
    every: Mapping[str, tuple[Track, ...]],
) -> tuple[dict[str, list[dict[str, Any]]], bytes]:
    """
    Put the tracks of all layers together for the page.

    Returns
    -------
    tuple of (dict, bytes)
        The descriptions by layer, and the codes of all.
    """
    parts: list[bytes] = []
    size = 0
    sent: dict[int, list[dict[str, Any]]] = {}
    for tracks in every.values():
        if id(tracks) in sent:
            continue
        descriptions = sent[id(tracks)] = []
        for track in tracks:
            descriptions.append(track.described(size))
            parts.append(track.packed)
            size += len(parts[-1])
    if size > MOST_BYTES:
        raise ValueError(
            f"tracks: expected at most {MOST_BYTES / 2**20:.0f} MiB for the page (of each token, a bit "
            f"a yes/no track and a byte a numeric one), got {size / 2**20:.1f} MiB; show fewer"
        )
    return {name: sent[id(tracks)] for name, tracks in every.items()}, b"".join(parts)


def _one_by_one(tracks: Any) -> list[Any]:  # noqa: ANN401 - the resolver checks it
    """Split what was given into parts that the resolver takes, too."""
    if isinstance(tracks, Mapping):
        return [{name: said} for name, said in tracks.items()]
    return [[concept] for concept in resolve(tracks)]


def _name_of(one: Any) -> str:  # noqa: ANN401
    return str(next(iter(one))) if isinstance(one, dict) else one[0].name


def _tracks_of(
    recording: Recording, layer: str, given: list[Any], refused: dict[str, ValueError]
) -> Iterator[Track]:
    """Say each track of a layer; what doesn't fit it goes to those refused, by name."""
    for one in given:
        name = _name_of(one)
        try:
            said = packed_tracks(recording, one, layer=layer)[name]
        except ValueError as error:
            refused.setdefault(name, error)
            continue
        track = Track(name, said)
        if not track.yes_no and any(np.isinf(values).any() for values in track.stretches):
            raise ValueError(f"tracks: expected finite numbers or NaN, got infinity in {name!r}")
        yield track


def _alike(one: xr.Dataset, other: xr.Dataset) -> bool:
    """Tell whether two layers read the same tokens."""
    if one.sizes["timestep"] != other.sizes["timestep"]:
        return False
    for name in ("token", "mask"):
        if (name in one) != (name in other):
            return False
        if name in one and not _equal(Rows(one[name]), Rows(other[name])):
            return False
    return True


def _equal(one: Rows, other: Rows) -> bool:
    """Compare two arrays, a stretch at a time."""
    if one.shape != other.shape:
        return False
    places = (slice(start, start + one.block) for start in range(0, len(one), one.block))
    return all(np.array_equal(one[place], other[place]) for place in places)
