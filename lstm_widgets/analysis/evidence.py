"""What speaks for a cell that seems to follow a concept: passages, distributions and a null.

`passages`, `histogram` and `lagged` are functions of arrays ``(example, timestep)``: the values of one
cell, and what a concept says of each timestep. `gather` puts them together for a row of a ranking.
Of a long recording the cell is read twice, block by block: see `glances`.
"""

from __future__ import annotations

import functools
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any
from weakref import WeakKeyDictionary

import numpy as np

from lstm_widgets.analysis.glances import Glance, Said, lagged
from lstm_widgets.analysis.ranked_tracks import numbers
from lstm_widgets.analysis.ranking import shifted_scores
from lstm_widgets.analysis.series import origin_of
from lstm_widgets.concepts.make_tracks import tracks
from lstm_widgets.lru import LRU
from lstm_widgets.recording.blockwise import blocks_of, blockwise
from lstm_widgets.recording.masks import mask_of

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping

    import numpy.typing as npt
    import xarray as xr

    from lstm_widgets.analysis.series import Origin
    from lstm_widgets.concepts.concept import Concepts
    from lstm_widgets.recording import Recording
    from lstm_widgets.recording.blockwise import Block

__all__ = [
    "Evidence",
    "Histogram",
    "Passage",
    "Scatter",
    "ends_of",
    "gather",
    "histogram",
    "lagged",
    "passages",
    "scatter",
]

#: Of more timesteps, a cell is read block by block.
LONG = 1 << 20
# Cells that are kept in mind.
_KEPT = 16

# Of the cells that were looked at last, what was seen of them.
_seen: WeakKeyDictionary[Recording, LRU[Glance]] = WeakKeyDictionary()


@dataclass(frozen=True)
class Passage:
    """A stretch of one example in which a cell is looked at."""

    kind: str
    """``"highest"``, ``"lowest"``, or ``"sample"``."""
    example: int
    start: int
    """The first timestep."""
    stop: int
    """The timestep after the last."""
    peak: int
    """The timestep that the passage was chosen for."""


def passages(
    values: npt.NDArray[np.floating],
    mask: npt.NDArray[np.bool_] | None = None,
    *,
    positions: npt.NDArray[np.integer] | None = None,
    extremes: int = 3,
    samples: int = 4,
    context: int = 40,
    seed: int = 0,
) -> list[Passage]:
    """
    Choose where to look at a cell: at its extremes, and at what it does in between.

    Extremes alone flatter a cell: what it does most of the time is seen in the samples, one from each
    of as many equally frequent ranges of its values.

    Parameters
    ----------
    values : float array (example, timestep)
        The cell's values, ``(example, timestep)``. NaN is never chosen.
    mask : bool array (example, timestep), optional
        False marks padding, which is never chosen, and cut off at the ends of a passage.
    positions : int array (example, timestep), optional
        Where each timestep stands in the series that the examples are windows of, ``(example,
        timestep)``: what stands in one passage stands in no other, whichever window it is seen in.
    extremes : int, default 3
        How many passages of the highest values, and how many of the lowest.
    samples : int, default 4
        How many ranges of values a passage is drawn from, each as frequent as the others.
    context : int, default 40
        Timesteps of a passage on each side of the one that it was chosen for, within its example.
    seed : int, default 0
        Of the draw.

    Returns
    -------
    list of Passage
        The highest, falling; the lowest, rising; the samples, from the range of the highest values
        down. None is chosen for a timestep that stands in another. Fewer, where there are too few
        timesteps.
    """
    flat, width = values.reshape(-1), values.shape[1]
    here = np.ones(flat.shape, np.bool_) if mask is None else mask.reshape(-1)
    known = here & ~np.isnan(flat)
    free = known.copy()
    places = None if positions is None else positions.reshape(-1)
    found: list[Passage] = []

    def take(kind: str, at: int) -> None:
        example, peak = divmod(at, width)
        start, stop = max(0, peak - context), min(width, peak + context + 1)
        inside = np.flatnonzero(here[example * width + start : example * width + stop])
        start, stop = start + int(inside[0]), start + int(inside[-1]) + 1
        found.append(Passage(kind, example, start, stop, peak))
        here_now = slice(example * width + start, example * width + stop)
        free[here_now] = False
        if places is not None:
            free[np.isin(places, places[here_now])] = False

    for kind, sign in (("highest", 1), ("lowest", -1)):
        for _ in range(extremes):
            if not free.any():
                break
            take(kind, int(np.where(free, sign * flat, -np.inf).argmax()))
    if samples and known.any():
        limits = np.quantile(flat[known], np.linspace(0, 1, samples + 1), method="inverted_cdf")
        rng = np.random.default_rng(seed)
        for low, high in zip(limits[-2::-1], limits[:0:-1], strict=True):
            inside = np.flatnonzero(free & (flat >= low) & (flat <= high))
            if len(inside):
                take("sample", int(rng.choice(inside)))
    return found


@dataclass(frozen=True)
class Histogram:
    """How a cell's values lie where a concept holds, and where it doesn't."""

    edges: npt.NDArray[np.float64]
    """``(bin + 1,)``; the last bin has its upper edge, too."""
    inside: npt.NDArray[np.int64]
    """Timesteps in each bin where the concept holds."""
    outside: npt.NDArray[np.int64]
    """Timesteps in each bin where it doesn't."""
    infinite: int
    """Timesteps at which the value is infinite: they are in no bin."""


def histogram(
    values: npt.NDArray[np.floating],
    said: npt.NDArray[np.floating],
    *,
    bins: int = 40,
    ends: npt.NDArray[np.float64] | None = None,
) -> Histogram:
    """
    Count a cell's values where a concept holds, and where it doesn't.

    Parameters
    ----------
    values : float array (example, timestep)
        The cell's values, ``(example, timestep)``.
    said : float array (example, timestep)
        What the concept says of the same timesteps: 1 or 0; NaN where it says nothing, as at padding.
        Those count nowhere.
    bins : int, default 40
        How many, equally wide, from the least finite value to the greatest.
    ends : float64 array, optional
        Values that the bins reach to in place of these.

    Returns
    -------
    Histogram
    """
    known = ~np.isnan(said) & ~np.isnan(values)
    finite = values[known & np.isfinite(values)].astype(np.float64)
    return _histogram(values, said, _edges(finite if ends is None else ends, bins))


def _histogram(
    values: npt.NDArray[np.floating],
    said: npt.NDArray[np.floating],
    edges: npt.NDArray[np.float64],
) -> Histogram:
    known = ~np.isnan(said) & ~np.isnan(values)
    value, holds = values[known].astype(np.float64), said[known] > 0
    finite = np.isfinite(value)
    inside, outside = (
        np.histogram(value[finite & which], edges)[0].astype(np.int64) for which in (holds, ~holds)
    )
    return Histogram(edges, inside, outside, int((~finite).sum()))


@dataclass(frozen=True)
class Scatter:
    """How a cell's values go with a numeric concept: the timesteps in bins of both."""

    said: npt.NDArray[np.float64]
    """Edges of the concept's bins, ``(bin + 1,)``."""
    levels: npt.NDArray[np.float64]
    """Edges of the values' bins, ``(bin + 1,)``."""
    counts: npt.NDArray[np.int64]
    """Timesteps, ``(bin of the concept, bin of the values)``."""
    means: npt.NDArray[np.float64]
    """The mean value in each bin of the concept; NaN where there is none."""
    infinite: int
    """Timesteps at which either is infinite: they are in no bin."""


def scatter(
    values: npt.NDArray[np.floating],
    said: npt.NDArray[np.floating],
    *,
    bins: tuple[int, int] = (60, 36),
    ends: npt.NDArray[np.float64] | None = None,
) -> Scatter:
    """
    Count how often a cell has which value while a numeric concept says what.

    Parameters
    ----------
    values : float array (example, timestep)
        The cell's values, ``(example, timestep)``.
    said : float array (example, timestep)
        What the concept says of the same timesteps; NaN where it says nothing, as at padding. Those
        count nowhere.
    bins : tuple of int, default (60, 36)
        How many of the concept and of the values, equally wide, from the least to the greatest.
    ends : float64 array, optional
        Values that the bins of values reach to in place of these.

    Returns
    -------
    Scatter

    Examples
    --------
    >>> import numpy as np
    >>> scatter(np.array([[0.0, 1, 1]]), np.array([[5.0, 9, 9]]), bins=(2, 2)).counts.tolist()
    [[1, 0], [0, 2]]
    """
    known = np.isfinite(said) & np.isfinite(values)
    edges = (
        _edges(said[known], bins[0]),
        _edges(values[known] if ends is None else ends, bins[1]),
    )
    return _scattered(edges, [_scatter(values, said, edges)])


def _scatter(
    values: npt.NDArray[np.floating],
    said: npt.NDArray[np.floating],
    edges: tuple[npt.NDArray[np.float64], npt.NDArray[np.float64]],
) -> tuple[npt.NDArray[np.float64], npt.NDArray[np.float64], int]:
    """Count timesteps in bins of both, sum up values in those of the concept, and count what is infinite."""
    known = ~np.isnan(said) & ~np.isnan(values)
    value, say = values[known].astype(np.float64), said[known].astype(np.float64)
    finite = np.isfinite(value) & np.isfinite(say)
    value, say = value[finite], say[finite]
    counts = np.histogram2d(say, value, edges)[0]
    sums = np.histogram(say, edges[0], weights=value)[0]
    return counts, sums, int((~finite).sum())


def _scattered(
    edges: tuple[npt.NDArray[np.float64], npt.NDArray[np.float64]],
    parts: Iterable[tuple[npt.NDArray[np.float64], npt.NDArray[np.float64], int]],
) -> Scatter:
    """Put counts of some timesteps after the other together."""
    counts, sums, infinite = (
        np.zeros([len(each) - 1 for each in edges]),
        np.zeros(len(edges[0]) - 1),
        0,
    )
    for more, sum_, beyond in parts:
        counts, sums, infinite = counts + more, sums + sum_, infinite + beyond
    with np.errstate(invalid="ignore"):
        means = sums / counts.sum(axis=1)
    return Scatter(*edges, counts.astype(np.int64), means, infinite)


def _edges(finite: npt.NDArray[np.float64], bins: int) -> npt.NDArray[np.float64]:
    """Give the edges of equally wide bins, from the least to the greatest."""
    low, high = (float(finite.min()), float(finite.max())) if len(finite) else (0.0, 0.0)
    if low == high:
        low, high = low - 0.5, high + 0.5
    return np.linspace(low, high, bins + 1)


@dataclass(frozen=True)
class LazyTrack:
    """Numbers of a long recording, read where they are looked at: ``track[example, start:stop]``."""

    read: Callable[[slice, slice], npt.NDArray[np.floating]]

    def __getitem__(self, place: tuple[int, slice]) -> npt.NDArray[np.floating]:
        """Read some timesteps of an example."""
        example, timesteps = place
        values: npt.NDArray[np.floating] = self.read(slice(example, example + 1), timesteps)[0]
        return values


@dataclass(frozen=True)
class Evidence:
    """What speaks for one row of a ranking, and against it."""

    cell: npt.NDArray[np.float32] | LazyTrack
    """The cell's values, ``(example, timestep)``."""
    passages: list[Passage]
    said: npt.NDArray[np.float64] | LazyTrack | None
    """What the concept says, ``(example, timestep)``, moved by the row's lag: what it is held against;
    NaN where nothing is said. None of a concept that isn't known."""
    histogram: Histogram | None
    """Of a concept of yes or no."""
    scatter: Scatter | None
    """Of a numeric concept."""
    null: npt.NDArray[np.float32] | None
    """Held-out scores of the shifted concept, ``(shift,)``; None where they can't be told again."""


def read(
    recording: Recording, row: Mapping[str, Any]
) -> tuple[npt.NDArray[np.float32], npt.NDArray[np.bool_]]:
    """Read the cell of a row of a ranking: its values and where they aren't padding."""
    dataset = recording[str(row["layer"])]
    values = dataset[str(row["signal"])][:, :, int(row["cell"])].to_numpy()
    return values, mask_of(dataset)


def strongest(recording: Recording, row: Mapping[str, Any]) -> tuple[int, int] | None:
    """
    Find where a cell is at its strongest in the direction of its row.

    Parameters
    ----------
    recording, row : Recording, mapping
        As for `gather`, and the row's ``sign``.

    Returns
    -------
    tuple of int or None
        Example and timestep of its highest value, or with a sign of -1 of its lowest. None if it has
        none.
    """
    up = row["sign"] > 0
    if _is_long(recording[str(row["layer"])]):
        seen = _glance(recording, row)
        best = seen.passages(extremes=1, samples=0, sides=("highest",) if up else ("lowest",))
        return (best[0][1], best[0][4]) if best else None
    values, mask = read(recording, row)
    found = passages(values if up else -values, mask, extremes=1, samples=0)
    return (found[0].example, found[0].peak) if found else None


def ends_of(recording: Recording, row: Mapping[str, Any]) -> npt.NDArray[np.float64]:
    """
    Give the least and the greatest finite value of a cell.

    Parameters
    ----------
    recording, row : Recording, mapping
        As for `gather`.

    Returns
    -------
    float64 array (2,), or (0,)
        Nothing of a cell that has none.
    """
    if _is_long(recording[str(row["layer"])]):
        return _glance(recording, row).ends
    values, mask = read(recording, row)
    finite = values[mask & np.isfinite(values)]
    return np.array([finite.min(), finite.max()] if len(finite) else [], np.float64)


def gather(
    recording: Recording,
    row: Mapping[str, Any],
    concept: Concepts | None,
    how: Mapping[str, Any] | None = None,
    *,
    ends: npt.NDArray[np.float64] | None = None,
    ranked: Recording | None = None,
) -> Evidence:
    """
    Gather the evidence for one row of a ranking.

    Parameters
    ----------
    recording : Recording
        What is looked at.
    row : mapping
        A row of what ``rank_cells`` gave: ``layer``, ``signal``, ``cell``, ``kind`` and ``lag``.
    concept : Concepts, optional
        The concept of the row alone, as for ``tracks``; None if it isn't known.
    how : mapping, optional
        The ``attrs`` of the ranking: ``seed``, ``shifts``, ``lags``, ``groups`` and ``step``, from
        which its null is made again. Without them there is none.
    ends : float64 array, optional
        Values that all bins reach to, as of several recordings by `ends_of`. Default: those of this one.
    ranked : Recording, optional
        What was ranked, if that isn't what is looked at: the null is its.

    Returns
    -------
    Evidence

    Notes
    -----
    Of a recording of more than `LONG` timesteps the cell is read twice, block by block. Extremes are the
    same, and so are counts, in bins that reach over all that is known of the cell and of the concept.
    Samples are chosen among some 32 000 timesteps drawn at random, which also tell how the values lie.
    (Windows of a series that overlap are looked at as a whole.)
    """
    layer = str(row["layer"])
    how = how or {}
    track = None
    if concept is not None:
        (track,) = tracks(recording, concept, layer=layer).data_vars.values()
    origin = origin_of(
        recording, layer, numbers(concept, track), how.get("groups"), how.get("step")
    )
    long = _is_long(recording[layer]) and origin.positions(1) is None
    pictures = (
        _long_pictures(recording, row, track, ends)
        if long
        else _pictures(recording, row, track, origin, ends)
    )
    if concept is None or track is None:
        return pictures
    null = None
    if how.get("shifts") and layer in how.get("lags", {}):
        null = shifted_scores(
            recording if ranked is None else ranked,
            concept,
            row,
            lags=how["lags"][layer],
            shifts=how["shifts"],
            seed=how["seed"],
            groups=how.get("groups"),
            step=how.get("step"),
        )
    return replace(pictures, null=null)


def _pictures(
    recording: Recording,
    row: Mapping[str, Any],
    track: xr.DataArray | None,
    origin: Origin,
    ends: npt.NDArray[np.float64] | None,
) -> Evidence:
    """Look at all values of a cell."""
    values, mask = read(recording, row)
    found = passages(values, mask, positions=origin.positions(values.shape[1]))
    if track is None:
        return Evidence(values, found, None, None, None, None)
    said = lagged(track.to_numpy(), mask, int(row["lag"]))
    if row["kind"] == "numeric":
        return Evidence(values, found, said, None, scatter(values, said, ends=ends), None)
    return Evidence(values, found, said, histogram(values, said, ends=ends), None, None)


def _is_long(dataset: xr.Dataset) -> bool:
    return bool(dataset.sizes["example"] * dataset.sizes["timestep"] > LONG)


def _glance(recording: Recording, row: Mapping[str, Any]) -> Glance:
    layer, signal, cell = str(row["layer"]), str(row["signal"]), int(row["cell"])
    seen = _seen.setdefault(recording, LRU(_KEPT))
    return seen.get(
        (layer, signal, cell), functools.partial(Glance.at, recording[layer], signal, cell)
    )


def _long_pictures(
    recording: Recording,
    row: Mapping[str, Any],
    track: xr.DataArray | None,
    ends: npt.NDArray[np.float64] | None,
) -> Evidence:
    """Look at a cell block by block."""
    dataset, signal, cell = recording[str(row["layer"])], str(row["signal"]), int(row["cell"])
    glance = _glance(recording, row)
    values = LazyTrack(glance.read)
    found = [Passage(*each) for each in glance.passages()]
    if track is None:
        return Evidence(values, found, None, None, None, None)
    said = Said(track, mask_of(dataset), int(row["lag"]))
    ends = glance.ends if ends is None else ends
    lazily = LazyTrack(said.read)
    blocks = blocks_of(dataset)
    if row["kind"] != "numeric":
        seen = functools.partial(
            _histogram_of_block, signal=signal, cell=cell, said=said, edges=_edges(ends, 40)
        )
        parts = [*blockwise(seen, blocks, desc="comparing a cell")]
        inside, outside = (sum(getattr(p, name) for p in parts) for name in ("inside", "outside"))
        infinite = sum(part.infinite for part in parts)
        drawn = Histogram(parts[0].edges, np.asarray(inside), np.asarray(outside), infinite)
        return Evidence(values, found, lazily, drawn, None, None)
    says = map(functools.partial(_ends_of_block, said=said), blocks)
    edges = _edges(np.concatenate([*says]), 60), _edges(ends, 36)
    counted = functools.partial(_scatter_of_block, signal=signal, cell=cell, said=said, edges=edges)
    points = _scattered(edges, blockwise(counted, blocks, desc="comparing a cell"))
    return Evidence(values, found, lazily, None, points, None)


def _histogram_of_block(
    block: Block, *, signal: str, cell: int, said: Said, edges: npt.NDArray[np.float64]
) -> Histogram:
    values = block.read(signal, slice(cell, cell + 1))[..., 0]
    return _histogram(values, _said_of(block, said), edges)


def _scatter_of_block(
    block: Block,
    *,
    signal: str,
    cell: int,
    said: Said,
    edges: tuple[npt.NDArray[np.float64], npt.NDArray[np.float64]],
) -> tuple[npt.NDArray[np.float64], npt.NDArray[np.float64], int]:
    values = block.read(signal, slice(cell, cell + 1))[..., 0]
    return _scatter(values, _said_of(block, said), edges)


def _ends_of_block(block: Block, *, said: Said) -> npt.NDArray[np.float64]:
    """Give the least and the greatest that is said in a block; none, if nothing is."""
    values = _said_of(block, said)
    finite = values[np.isfinite(values)]
    return np.array([finite.min(), finite.max()] if len(finite) else [], np.float64)


def _said_of(block: Block, said: Said) -> npt.NDArray[np.float64]:
    """Tell what is said of a block, by where it is: it may have come alone."""
    columns, (examples, timesteps) = block.columns, block.mask().shape
    return said.columns(columns, examples, timesteps)
