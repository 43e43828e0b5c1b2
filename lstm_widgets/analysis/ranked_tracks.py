"""What cells are ranked for: the tracks of a text, in the two halves and at every lag.

Also what can be said of a track before any cell is looked at: whether it says anything, whether it
changes often enough to be told from a slow drift, and how it is shifted for the null.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Protocol

import numpy as np

from lstm_widgets.analysis import statistics
from lstm_widgets.analysis.groups import groups_of
from lstm_widgets.analysis.series import Origin, origin_of
from lstm_widgets.analysis.split_and_shift import Part, halved
from lstm_widgets.analysis.timelines import timeline_of
from lstm_widgets.checks import is_whole
from lstm_widgets.concepts.make_tracks import tracks
from lstm_widgets.recording.masks import mask_of

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    import numpy.typing as npt
    import xarray as xr

    from lstm_widgets.analysis.split_and_shift import LongPart, Piece
    from lstm_widgets.concepts.concept import Concepts, Kind
    from lstm_widgets.recording import Recording

    Floats = npt.NDArray[np.floating[Any]]
    Places = npt.NDArray[np.integer[Any]]

# A track that goes through fewer cycles in the held-out half, and is as slow as this says, tells too
# little; and so does an agreement that is gone when what is slower than this is left out.
ENOUGH_CYCLES = 5
SLOW = 10
# Timesteps that tell how far apart two of them are.
_FEW = 1 << 16
# With fewer distinct permutations of the labels, no p-value can be small.
PERMUTATIONS = 20

# Values (shift × timestep) of shifted tracks that are made at a time.
SHIFTED_VALUES = 1 << 22


class Track(Protocol):
    """What is reported of a track, however it is kept."""

    @property
    def name(self) -> str:
        """What it is called."""

    @property
    def kind(self) -> Kind:
        """Whether it says yes or no, or numbers."""

    @property
    def holes(self) -> bool:
        """Whether it is a numeric one that hasn't a value everywhere."""

    @property
    def permutations(self) -> float | None:
        """How many distinct ones there are across segments, if it never changes within them."""

    @property
    def unsaid(self) -> tuple[str, str]:
        """Why it says nothing in a half; "" if it does."""


@dataclass(frozen=True)
class RankedTrack:
    """One concept over the timesteps of a text.

    ``said`` ``(timestep,)`` are 0 and 1 or numbers. Of a numeric concept ``ranks`` are those in its
    half, 0 where it has no value, and ``lagged`` those among the timesteps that it is held against
    at each lag ``(lag, n)``, of either half; of a yes/no concept what it says. ``holes``: a numeric
    one that hasn't a value everywhere. ``moved`` tells which timesteps come to stand at the places
    of the held-out half, for fractions of a circular shift ``(shift, segment)``: int ``(shift, n)``.
    ``cycles`` is how many it goes through there; ``permutations`` the number of distinct ones across
    segments, if it never changes within them.
    """

    name: str
    kind: Kind
    said: Floats
    ranks: npt.NDArray[np.float32]
    lagged: tuple[npt.NDArray[np.float32], ...]
    holes: bool
    moved: Callable[..., Places]
    cycles: int
    permutations: float | None
    unsaid: tuple[str, str]

    @classmethod
    def of(
        cls, name: str, kind: Kind, said: Floats, halves: Sequence[Part], lags: Places
    ) -> RankedTrack:
        """Rank what a concept says in either half, and tell how it can be shifted."""
        ranks = said.astype(np.float32)
        lagged: tuple[npt.NDArray[np.float32], ...] = ()
        if kind == "numeric":
            for half in halves:
                there = half.everything
                ranks[there] = ranks_of(said[there])
            lagged = tuple(
                np.stack([ranks_of(said[half.places - lag]) for lag in lags]) for half in halves
            )
        half = halves[1]
        in_slots = said[half.slots]
        firsts = in_slots[half.offsets].repeat(half.lengths)
        permutations = None
        moved = half.shifted
        # Places that share a slot are the same timestep of a series.
        slots = in_slots[half.offsets[half.segment] + half.index]
        if _same(in_slots, firsts) and _same(said[half.places], slots):
            moved = half.permuted
            permutations = permutations_of(in_slots[half.offsets])
        elif not _same(said[half.places], slots) or not _changes(said, half):
            moved = half.shifted_windows
        return cls(
            name=name,
            kind=kind,
            said=said,
            ranks=ranks,
            lagged=lagged,
            holes=bool(np.isnan(said).any()),
            moved=moved,
            cycles=_cycles(in_slots, half, kind),
            permutations=permutations,
            unsaid=(_unsaid(said, kind, halves[0]), _unsaid(said, kind, half)),
        )

    def at(self, half: int, places: Places) -> npt.NDArray[np.float32]:
        """Return what cells are held against at each lag ``(lag, n)``: ranks, or what it says."""
        return self.lagged[half] if self.lagged else self.ranks[places]

    def scores(self, ranks: Floats, tracks: Floats, n: int | None = None) -> Floats:
        """Score cells by their ranks ``(cell, n)`` for tracks ``(track, n)``: ``(cell, track)``.

        Both are 0 where a track has no value; ``n`` is then the number of those that it has.
        """
        products = ranks @ tracks.T.astype(ranks.dtype, copy=False)
        if self.kind == "yes_no":
            return np.asarray(products * statistics.auroc_scale(tracks))
        # Ranks of cells sum up to 0, so those of tracks needn't.
        sums = tracks.sum(axis=1, dtype=np.float64)
        means = sums / max(1, ranks.shape[1] if n is None else n)
        squares = np.einsum("ij,ij->i", tracks, tracks, dtype=np.float64) - means * sums
        length = np.sqrt(np.einsum("ij,ij->i", ranks, ranks, dtype=np.float64))
        with np.errstate(divide="ignore", invalid="ignore"):
            return np.asarray(products / (length[:, None] * np.sqrt(squares.clip(0))))


@dataclass(frozen=True)
class Halving:
    """How a text is halved, and its concepts are moved: each as for ``rank_cells``."""

    groups: Any  # labels of many types
    step: int | None
    lags: int | Sequence[int] | None
    shifts: int
    seed: int


@dataclass(frozen=True)
class RankedText:
    """What all cells of a layer are held against."""

    mask: npt.NDArray[np.bool_]
    origin: Origin
    lags: Places
    halves: tuple[Part, Part]
    tracks: list[RankedTrack]
    turns: npt.NDArray[np.float64]
    slow: Floats
    reasons: list[str]

    @property
    def told(self) -> str:
        """In a sentence, how examples hang together."""
        return self.origin.told

    @property
    def held_out(self) -> Part:
        """The half on which scores are reported."""
        return self.halves[1]

    @classmethod
    def of(cls, recording: Recording, concepts: Concepts, layer: str, how: Halving) -> RankedText:
        """Halve the text, say the concepts of it and draw the shifts."""
        given = tracks(recording, concepts, layer=layer)
        mask = mask_of(recording[layer])
        rng = np.random.default_rng(how.seed)
        numeric = numbers(concepts, *given.values())
        origin, pieces, chosen = split(
            recording, layer, mask, len(given), numeric, how=how, rng=rng
        )
        first, held_out = (Part.of(half, chosen) for half in pieces)
        halves = first, held_out
        said = [
            RankedTrack.of(str(name), track.attrs["kind"], track.to_numpy()[mask], halves, chosen)
            for name, track in given.items()
        ]
        turns = rng.random((how.shifts, held_out.segments))
        reasons = [too_little(track, held_out, turns) for track in said]
        return cls(mask, origin, chosen, halves, said, turns, held_out.slow(ENOUGH_CYCLES), reasons)


def split(
    recording: Recording,
    layer: str,
    mask: npt.NDArray[np.bool_],
    concepts: int,
    numeric: Mapping[str, xr.DataArray],
    *,
    how: Halving,
    rng: np.random.Generator,
) -> tuple[Origin, tuple[list[Piece], list[Piece]], Places]:
    """Cut a layer into the half on which is selected and the one that is held out; choose lags.

    Parameters
    ----------
    recording, layer : Recording, str
        Which layer.
    mask : bool array (example, timestep)
        False marks padding.
    concepts : int
        How many there are.
    numeric : mapping of str to xarray.DataArray
        Those that were given as arrays of numbers.
    how : Halving
        What is asked for.
    rng : numpy.random.Generator
        What is drawn from.
    """
    if not concepts:
        raise ValueError("concepts: expected one or more, got none")
    origin = origin_of(recording, layer, numeric, how.groups, how.step)
    labels = None if how.groups is None else groups_of(recording[layer], how.groups)
    pieces = halved(
        mask,
        origin,
        rng,
        groups=None if labels is None or labels.whole else labels.number[mask],
        gap=_gap(recording, layer, mask),
    )
    lengths = [[len(piece) for piece in half] for half in pieces]
    chosen = standard_lags(how.lags, [n for half in lengths for n in half])
    left = max(0, *chosen) + max(0, *-chosen)
    sizes = [sum(max(0, n - left) for n in half) for half in lengths]
    if min(sizes) < 2:
        raise ValueError(
            f"lags: expected some timesteps in each half of layer {layer!r} that have a token "
            f"at each of the lags {chosen.tolist()}, got {' and '.join(map(str, sizes))}"
            + ("; smaller lags= need fewer" if left else "")
        )
    return origin, pieces, chosen


def _gap(recording: Recording, layer: str, mask: npt.NDArray[np.bool_]) -> int:
    """Tell how far halves of one series stay away from each other: by the window that was read."""
    window = recording.tree.attrs.get("window", 0)
    if not window:
        return 0
    few = recording[layer].isel(example=slice(0, 1), timestep=slice(0, _FEW))
    one = np.zeros(few.sizes["example"], np.intp)
    step = timeline_of(few, Origin(one, one), mask[:1, :_FEW]).step
    # Not more than a third of the half from which it is taken.
    return int(min(-(-window // step), mask.shape[1] // 6))


def ranks_of(said: Floats) -> npt.NDArray[np.float32]:
    """Rank the values that there are; 0 where there is none."""
    there = ~np.isnan(said)
    ranks = np.zeros(len(said), np.float32)
    ranks[there] = statistics.ranked_rows(said[None, there])[1][0]
    return ranks


def numbers(concepts: Concepts | None, *given: xr.DataArray | None) -> dict[str, xr.DataArray]:
    """Choose the tracks that were given as arrays of numbers: they may tell what overlaps."""
    if not isinstance(concepts, Mapping):
        return {}
    arrays = {str(name) for name, each in concepts.items() if hasattr(each, "dtype")}
    return {
        str(track.name): track
        for track in given
        if track is not None and track.name in arrays and track.attrs["kind"] == "numeric"
    }


def _same(one: Floats, other: Floats) -> bool:
    return bool(np.array_equal(one, other, equal_nan=True))


def _changes(said: Floats, half: Part) -> bool:
    """Tell whether a track changes within any example."""
    here = said[half.everything]
    beside = np.diff(half.everything) == 1
    # Where one example ends and the next begins, two that differ are no change within one.
    starts = np.isin(half.everything[1:], half.windows[0])
    return not _same(here[1:][beside & ~starts], here[:-1][beside & ~starts])


def permutations_of(said: Floats) -> float:
    """Count the distinct permutations of values across segments, up to a thousand."""
    ways = 1.0
    left = len(said)
    for count in np.unique(said, return_counts=True)[1].tolist():
        ways *= math.comb(left, count)
        left -= count
        if ways > 1000:
            break
    return ways


def _cycles(in_slots: Floats, half: Part, kind: Kind) -> int:
    """Count how often a track goes up and comes down again in a half.

    A number is up above the upper third of what it is, and down below the lower one. Where most are the
    same, as of rain or of snow in summer, what is above that is up, or else what is below it down.
    """
    segment = np.arange(half.segments).repeat(half.lengths)
    there = ~np.isnan(in_slots)
    said, segment = in_slots[there], segment[there]
    if not len(said):
        return 0
    low, high = (0.5, 0.5) if kind == "yes_no" else np.quantile(said, [1 / 3, 2 / 3])
    if low == high and kind == "numeric":
        up = said > high if (said > high).any() else said >= high
    else:
        sure = (said >= high) | (said <= low)
        up, segment = said[sure] >= high, segment[sure]
    changes = (up[1:] != up[:-1]) & (segment[1:] == segment[:-1])
    # The ends of segments close what is open: half a cycle, rounded down.
    return int(np.count_nonzero(changes) + half.segments) // 2


def too_little(track: RankedTrack, half: Part, turns: Floats) -> str:
    """Say why nothing could be judged by how a track goes, whatever the cells do; "" if it can."""
    if any(track.unsaid) or not len(turns):
        return ""
    if track.permutations is not None:
        return few_permutations(track.permutations, half)
    if track.cycles >= ENOUGH_CYCLES:
        return ""
    part = half
    said = track.ranks[half.places]
    if track.holes:
        there = ~np.isnan(track.said[half.places])
        part, said = half.only(there), ranks_of(track.said[half.places[there]])
    moved = part.shifted if track.holes else track.moved
    source = said if track.holes else track.ranks
    own = said - said.mean(dtype=np.float64)
    step = max(1, SHIFTED_VALUES // max(1, len(said)))
    alike = np.concatenate(
        [source[moved(turns[k : k + step])] @ own for k in range(0, len(turns), step)]
    ) / max(float(own @ own), np.finfo(np.float64).tiny)
    # Autocorrelation at the shifts: 1 / variance is the effective sample size.
    if alike.var() * SLOW < 1:
        return ""
    return f"{track.cycles} cycle{'s' * (track.cycles != 1)} only"


def few_permutations(permutations: float, half: Part | LongPart) -> str:
    """Say that too few permutations of labels differ; "" if there are enough."""
    several = "examples" if len(half.windows[0]) == half.segments else "series"
    return "" if permutations >= PERMUTATIONS else f"{half.segments} {several} only"


def _unsaid(said: Floats, kind: Kind, half: Part) -> str:
    """Say why a track says nothing in a half; "" if it does."""
    here = said[half.places]
    here = here[~np.isnan(here)]
    if not len(here):
        return "nothing is said"
    if (here != here[0]).any():
        return ""
    if kind == "numeric":
        return f"{here[0]:g} everywhere"
    return "yes everywhere" if here[0] else "no example"


def standard_lags(lags: int | Sequence[int] | None, pieces: Sequence[int]) -> Places:
    """Return the lags, the smallest first, so that of equals the smallest is chosen."""
    if lags is None:
        lengths = np.array(pieces, np.intp)
        fit = (n for n in range(5, 0, -1) if (lengths - 2 * n).clip(0).sum() >= 0.9 * lengths.sum())
        lags = next(fit, 0)
    chosen = np.arange(-lags, lags + 1) if is_whole(lags) else np.asarray(lags)
    if chosen.ndim != 1 or not len(chosen) or chosen.dtype.kind not in "iu":
        raise ValueError(f"lags: expected a whole number from 0, or several, got {lags!r}")
    chosen = np.unique(chosen).astype(np.intp)
    return chosen[np.argsort(np.abs(chosen), kind="stable")]
