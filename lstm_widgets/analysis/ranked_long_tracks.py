"""What cells are ranked for where a text is long: its tracks in little room, a stretch at a time.

The same as in `ranked_tracks`, of which no array is as long as the text, but for the codes of tracks:
a bit a timestep where they say yes or no, a byte or two for numbers.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np

from lstm_widgets.analysis.ranked_tracks import (
    ENOUGH_CYCLES,
    SLOW,
    few_permutations,
    numbers,
    permutations_of,
    split,
)
from lstm_widgets.analysis.split_and_shift import LongPart, Piece, Runs, Sources, ranges
from lstm_widgets.concepts.make_tracks import packed_tracks, tracks

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    import numpy.typing as npt
    import xarray as xr

    from lstm_widgets.analysis.ranked_tracks import Halving
    from lstm_widgets.concepts.concept import Concepts, Kind
    from lstm_widgets.concepts.packed import PackedTrack
    from lstm_widgets.recording import Recording

    Floats = npt.NDArray[np.floating[Any]]
    Flags = npt.NDArray[np.bool_]
    Places = npt.NDArray[np.integer[Any]]

__all__ = ["Codes", "LongText", "LongTrack", "ranks_of_counts"]

# Timesteps that are looked at together.
_STRETCH = 1 << 18
# Different numbers that a track keeps; of more, neighbours share their mean.
_NUMBERS = (1 << 16) - 2
# Runs longer than this, on average, are unpacked one by one.
_RUN = 64


@dataclass(frozen=True)
class Codes:
    """What a concept says at the timesteps that aren't padding, as codes of few values.

    Attributes
    ----------
    stored : uint8 or uint16 array
        Eight yes/no a byte ``(n / 8,)``, or a code for each ``(n,)``.
    values : float64 array (code,)
        What they stand for, in order; the last one is NaN if there are holes.
    bits : bool
        Whether they are bits.
    rounded : bool
        Whether several numbers share a code, and stand for their mean.
    """

    stored: npt.NDArray[Any]
    values: npt.NDArray[np.float64]
    bits: bool
    rounded: bool = False

    @classmethod
    def of(cls, track: PackedTrack, mask: Flags | None) -> Codes:
        """Leave out the padding, and find which values there are."""
        if track.kind == "yes_no":
            bits, rest = [], np.zeros(0, np.bool_)
            for values in _unpacked(track, mask):
                rest = np.concatenate([rest, values])
                whole = len(rest) - len(rest) % 8
                bits.append(np.packbits(rest[:whole], bitorder="little"))
                rest = rest[whole:]
            bits.append(np.packbits(rest, bitorder="little"))
            return cls(np.concatenate(bits), np.array([0.0, 1.0]), bits=True)
        found, holes = np.zeros(0), False
        edges: Floats | None = None
        for values in _unpacked(track, mask):
            there = ~np.isnan(values)
            holes |= not there.all()
            found = np.union1d(found, values[there])
            if len(found) > _NUMBERS:
                edges = _quantiles(track, mask)
                break
        if edges is None:
            dtype = np.uint8 if len(found) < 1 << 8 else np.uint16
            codes = [np.searchsorted(found, x).astype(dtype) for x in _unpacked(track, mask)]
            values = np.append(found, np.nan) if holes else found
            return cls(_joined(codes, dtype), values, bits=False)
        codes, sums, counts = [], np.zeros(len(edges) + 2), np.zeros(len(edges) + 2)
        for values in _unpacked(track, mask):
            own = np.searchsorted(edges, values, side="right").astype(np.uint16)
            own[np.isnan(values)] = len(edges) + 1
            sums += np.bincount(own, np.nan_to_num(values), minlength=len(sums))
            counts += np.bincount(own, minlength=len(sums))
            codes.append(own)
        means = sums / np.maximum(counts, 1)
        means[-1] = np.nan
        return cls(_joined(codes, np.uint16), means, bits=False, rounded=True)

    @property
    def holes(self) -> bool:
        """Whether some timesteps have no value."""
        return bool(len(self.values)) and bool(np.isnan(self.values[-1]))

    def block(self, start: int, stop: int) -> npt.NDArray[Any]:
        """Take codes that follow each other."""
        if not self.bits:
            return self.stored[start:stop]
        first = start // 8
        bits = np.unpackbits(self.stored[first : -(-stop // 8)], bitorder="little")
        return bits[start - 8 * first : stop - 8 * first]

    def take(self, places: Places) -> npt.NDArray[Any]:
        """Take codes in any order."""
        if not self.bits:
            return self.stored[places]
        return np.asarray(self.stored[places >> 3] >> (places & 7).astype(np.uint8) & 1)

    def at(self, sources: Sources | Runs, lag: int = 0) -> npt.NDArray[Any]:
        """Take codes that many runs are made of, or those some timesteps before."""
        starts, counts = sources.starts - lag, sources.counts
        if isinstance(sources, Sources) and sources.repeated:
            return np.repeat(self.take(starts), counts)
        if len(starts) == 1:
            return self.block(int(starts[0]), int(starts[0] + counts[0]))
        if len(starts) * _RUN > counts.sum():
            return self.take(ranges(starts, counts))
        pairs = zip(starts.tolist(), counts.tolist(), strict=True)
        parts = [self.block(start, start + count) for start, count in pairs]
        return np.concatenate([self.stored[:0], *parts])

    def counted(self, runs: Runs, lag: int = 0) -> npt.NDArray[np.int64]:
        """Count each code in runs, or some timesteps before."""
        total = np.zeros(len(self.values), np.int64)
        for part in stretches(runs):
            total += np.bincount(self.at(part, lag), minlength=len(total))
        return total

    @cached_property
    def _before(self) -> npt.NDArray[np.int64]:
        hole = len(self.values) - 1
        firsts = range(0, len(self.stored), _STRETCH)
        counts = [np.count_nonzero(self.stored[k : k + _STRETCH] != hole) for k in firsts]
        return np.append(0, np.cumsum(counts, dtype=np.int64))

    def known_before(self, places: Places) -> Places:
        """Count the timesteps with a value before each of some."""
        hole = len(self.values) - 1
        inside = [
            int(np.count_nonzero(self.stored[place - place % _STRETCH : place] != hole))
            for place in places.tolist()
        ]
        return self._before[places // _STRETCH] + np.array(inside, np.int64)

    def without_holes(self) -> Codes:
        """Leave out the timesteps without a value."""
        stored = self.stored[self.stored != len(self.values) - 1]
        return Codes(stored, self.values[:-1], bits=False, rounded=self.rounded)


def _joined(parts: list[npt.NDArray[Any]], dtype: type) -> npt.NDArray[Any]:
    return np.concatenate([np.zeros(0, dtype), *parts])


def _unpacked(track: PackedTrack, mask: Flags | None) -> Iterator[npt.NDArray[Any]]:
    flat = None if mask is None else mask.reshape(-1)
    for start in range(0, len(track), _STRETCH):
        values = track.block(slice(start, start + _STRETCH))
        yield values if flat is None else values[flat[start : start + _STRETCH]]


def _quantiles(track: PackedTrack, mask: Flags | None) -> Floats:
    """Choose where numbers are cut that are too many to be kept apart."""
    every = max(1, len(track) // (16 * _NUMBERS))
    sample = np.concatenate([values[::every] for values in _unpacked(track, mask)])
    sample = np.sort(sample[~np.isnan(sample)])
    return np.unique(sample[np.linspace(0, len(sample) - 1, _NUMBERS).astype(np.intp)])


def stretches(runs: Runs, timesteps: int | None = None) -> Iterator[Runs]:
    """Go through runs, so many timesteps of the text at a time."""
    if not len(runs):
        return
    timesteps = timesteps or _STRETCH
    last = int(runs.starts[-1] + runs.counts[-1])
    for first in range(int(runs.starts[0]), last, timesteps):
        here = runs.among(first, min(first + timesteps, last))
        if len(here):
            yield here


def ranks_of_counts(counts: npt.NDArray[np.int64], known: int) -> npt.NDArray[np.float64]:
    """Rank codes by how often each is there, less the mean rank; 0 for holes, the codes from ``known`` on."""
    ranks = np.zeros(len(counts))
    there = counts[:known]
    ranks[:known] = np.cumsum(there) - (there + 1) / 2 - (there.sum() - 1) / 2
    ranks[:known][there == 0] = 0
    return ranks


@dataclass(frozen=True)
class LongTrack:
    """One concept over a long text.

    Attributes
    ----------
    counts : tuple of int array (lag, code)
        Of each half, how often the cells are held against each code.
    tables : tuple of float64 array (lag, code)
        Of each half, what codes count for: the ranks of numbers, yes or no.
    moving : float64 array (code,)
        What they count for in the shifted track.
    moved : str
        How it is shifted: the method of a `LongPart`.
    """

    name: str
    kind: Kind
    codes: Codes
    counts: tuple[npt.NDArray[np.int64], npt.NDArray[np.int64]]
    tables: tuple[Floats, Floats]
    moving: Floats
    moved: str
    cycles: int
    permutations: float | None
    unsaid: tuple[str, str]

    @property
    def holes(self) -> bool:
        """Whether it is a numeric one that hasn't a value everywhere."""
        return self.codes.holes

    @classmethod
    def of(
        cls,
        name: str,
        packed: PackedTrack,
        mask: Flags | None,
        halves: Sequence[LongPart],
        lags: Places,
    ) -> LongTrack:
        """Count what a concept says in either half, and tell how it can be shifted."""
        codes = Codes.of(packed, mask)
        numeric = packed.kind == "numeric"
        known = len(codes.values) - codes.holes
        counts = [_at_lags(codes, half, lags) for half in halves]
        tables = [
            np.stack([ranks_of_counts(row, known) for row in each])
            if numeric
            else np.tile(codes.values, (len(lags), 1))
            for each in counts
        ]
        half = halves[1]
        moving = codes.values
        if numeric:
            moving = ranks_of_counts(codes.counted(half.everything), known)
        changes = _Changes.of(codes, half, packed.kind)
        moved, permutations = "shifted", None
        if changes.constant and changes.shared:
            moved = "permuted"
            firsts = half.in_slots(half.offsets, np.ones(half.segments, np.intp))
            permutations = permutations_of(codes.values[codes.at(firsts)])
        elif not changes.shared or not changes.within:
            moved = "shifted_windows"
        unsaid = [_unsaid(codes, packed.kind, one.runs) for one in halves]
        return cls(
            name,
            packed.kind,
            codes,
            (counts[0], counts[1]),
            (tables[0], tables[1]),
            moving,
            moved,
            changes.cycles,
            permutations,
            (unsaid[0], unsaid[1]),
        )

    @property
    def away(self) -> npt.NDArray[np.float64]:
        """How far each value is from the mean of the held-out half, at the first lag ``(code,)``."""
        counts, values = self.counts[1][0], self.codes.values
        mean = float((counts * np.nan_to_num(values)).sum()) / max(1, int(self.known(1)[0]))
        return values - mean

    def turned(self, half: int) -> Floats:
        """Bound what a correlation of ranks is off because numbers share a code ``(lag,)``."""
        if not self.codes.rounded:
            return np.zeros(len(self.tables[half]))
        counts = self.counts[half][:, : len(self.codes.values) - self.holes].astype(np.float64)
        with np.errstate(divide="ignore", invalid="ignore"):
            off = np.sqrt((counts**3).sum(axis=1) / 12 / self.squares(half))
        return np.asarray(np.nan_to_num(off + off**2 / 2))

    def squares(self, half: int) -> Floats:
        """Sum up the squares of what cells are held against at each lag ``(lag,)``."""
        return np.asarray((self.counts[half] * self.tables[half] ** 2).sum(axis=1))

    def yes(self, half: int) -> npt.NDArray[np.int64]:
        """Count the timesteps with a yes at each lag ``(lag,)``."""
        return self.counts[half][:, 1]

    def known(self, half: int) -> npt.NDArray[np.int64]:
        """Count the timesteps with a value at each lag ``(lag,)``."""
        counts = self.counts[half].sum(axis=1)
        return np.asarray(counts - self.counts[half][:, -1] if self.holes else counts)

    def known_only(self, part: LongPart, lag: int) -> LongPart:
        """Put together what is left of a part, at a lag, without timesteps that have no value.

        It counts through the codes without holes. Segments whose windows overlap have no such part.
        """
        runs = part.runs
        first = self.codes.known_before(runs.starts - lag)
        last = self.codes.known_before(runs.starts - lag + runs.counts)
        order = np.lexsort([runs.index, runs.segment])
        counts = last - first
        upto = np.cumsum(counts[order])
        position = np.empty(len(runs), np.intp)
        position[order] = upto - counts[order]
        pieces = [
            Piece(int(g), int(a), int(b), int(p), (int(p), k))
            for k, (g, a, b, p) in enumerate(zip(runs.segment, first, last, position, strict=True))
        ]
        # Segments keep their numbers, also those of which nothing is left.
        return LongPart.of(pieces, np.zeros(1, np.intp), {n: n for n in range(part.segments)})


@dataclass(frozen=True)
class LongText:
    """What all cells of a layer are held against, where it is long."""

    mask: Flags | None
    told: str
    lags: Places
    halves: tuple[LongPart, LongPart]
    tracks: list[LongTrack]
    turns: npt.NDArray[np.float64]
    waves: int
    slow: Floats
    reasons: list[str]

    @classmethod
    def of(cls, recording: Recording, concepts: Concepts, layer: str, how: Halving) -> LongText:
        """Halve the text, say the concepts of it and draw the shifts, as `RankedText.of`."""
        packed = packed_tracks(recording, concepts, layer=layer)
        rng = np.random.default_rng(how.seed)
        dataset = recording[layer]
        mask = np.asarray(dataset["mask"], np.bool_) if "mask" in dataset else None
        shape = dataset.sizes["example"], dataset.sizes["timestep"]
        origin, pieces, chosen = split(
            recording,
            layer,
            np.broadcast_to(np.True_, shape) if mask is None else mask,
            len(packed),
            _numbers(recording, concepts, layer),
            how=how,
            rng=rng,
        )
        first, held_out = (LongPart.of(half, chosen) for half in pieces)
        halves = first, held_out
        tracks = [LongTrack.of(name, each, mask, halves, chosen) for name, each in packed.items()]
        turns = rng.random((how.shifts, held_out.segments))
        reasons = [_too_little(track, held_out, turns) for track in tracks]
        waves = held_out.waves(ENOUGH_CYCLES)
        slow = _orthonormal(held_out, waves)
        return cls(mask, origin.told, chosen, halves, tracks, turns, waves, slow, reasons)

    @property
    def held_out(self) -> LongPart:
        """The half on which scores are reported."""
        return self.halves[1]

    def drifts(self, runs: Runs) -> Floats:
        """Compute the orthonormal basis of what is slow at the timesteps of runs: ``(n, k)``."""
        return np.asarray(self.held_out.cosines(self.waves, runs) @ self.slow)


def _numbers(recording: Recording, concepts: Concepts, layer: str) -> dict[str, xr.DataArray]:
    """Choose the tracks that were given as arrays of numbers, where they may tell what overlaps."""
    if recording[layer].sizes["example"] < 2 or not isinstance(concepts, Mapping):
        return {}
    given = {name: each for name, each in concepts.items() if hasattr(each, "dtype")}
    return numbers(given, *tracks(recording, given, layer=layer).values()) if given else {}


def _orthonormal(part: LongPart, waves: int) -> Floats:
    """Find which sums of cosines are orthonormal over all of a part ``(cosine, k)``."""
    size = part.segments * waves
    products = np.zeros((size, size))
    for runs in stretches(part.runs) if waves else ():
        columns = part.cosines(waves, runs)
        products += columns.T @ columns
    values, vectors = np.linalg.eigh(products)
    kept = values > 1e-9 * values.max(initial=0)
    return np.asarray(vectors[:, kept] / np.sqrt(values[kept]))


def _at_lags(codes: Codes, half: LongPart, lags: Places) -> npt.NDArray[np.int64]:
    """Count the codes that timesteps are held against at each lag ``(lag, code)``."""
    return np.stack([codes.counted(half.runs, int(lag)) for lag in lags])


@dataclass(frozen=True)
class _Changes:
    """How a track goes through a part: constant in its segments, shared by windows, within examples."""

    constant: bool
    shared: bool
    within: bool
    cycles: int

    @classmethod
    def of(cls, codes: Codes, half: LongPart, kind: Kind) -> _Changes:
        firsts = codes.at(half.in_slots(half.offsets, np.ones(half.segments, np.intp)))
        constant = True
        every = _by_slots(half)
        for runs in every:
            constant &= bool((codes.at(runs) == np.repeat(firsts[runs.segment], runs.counts)).all())
        shared = half.slots.size == half.everything.size or all(
            np.array_equal(codes.at(runs), codes.at(half.unmoved(runs)))
            for runs in stretches(half.runs)
        )
        within = False
        for runs in stretches(half.everything):
            own = codes.at(runs)
            same = own[1:] == own[:-1]
            same[np.cumsum(runs.counts)[:-1] - 1] = True
            # Where a stretch cuts through a run.
            cut = runs.within[:1] > 0
            before = codes.take(runs.starts[:1] - 1) == own[:1] if cut.any() else True
            within |= not (same.all() and np.all(before))
        return cls(constant, shared, within, _cycles(codes, half, every, kind))


def _by_slots(half: LongPart) -> list[Runs]:
    """Cut the slots of a part into stretches, in the order of its segments."""
    slots = half.slots
    parts = []
    for k in range(len(slots)):
        count = int(slots.counts[k])
        for first in range(0, count, _STRETCH):
            size = min(_STRETCH, count - first)
            parts.append((int(slots.starts[k]) + first, size, int(slots.segment[k])))
    together: list[list[tuple[int, int, int]]] = []
    room = 0
    for part in parts:
        if part[1] > room:
            together.append([])
            room = _STRETCH
        together[-1].append(part)
        room -= part[1]
    found = []
    for some in together:
        table = np.array(some, np.intp)
        nothing = np.zeros(len(table), np.intp)
        found.append(Runs(table[:, 0], table[:, 1], table[:, 2], nothing, nothing, nothing))
    return found


def _cycles(codes: Codes, half: LongPart, every: list[Runs], kind: Kind) -> int:
    """Count how often a track goes up and comes down again; see `ranked_tracks`."""
    counts = np.zeros(len(codes.values), np.int64)
    for runs in every:
        counts += np.bincount(codes.at(runs), minlength=len(counts))
    known = len(codes.values) - codes.holes
    up, sure = _up_and_sure(codes.values[:known], counts[:known], kind)
    if not counts[:known].any():
        return 0
    up, sure = (np.append(each, np.zeros(int(codes.holes), np.bool_)) for each in (up, sure))
    changes, last = 0, None
    for runs in every:
        own = codes.at(runs)
        segment = runs.spread(runs.segment)
        kept = sure[own]
        if not kept.any():
            continue
        now, segment = up[own[kept]], segment[kept]
        if last is not None:
            changes += int(last[0] != now[0] and last[1] == segment[0])
        changes += int(np.count_nonzero((now[1:] != now[:-1]) & (segment[1:] == segment[:-1])))
        last = now[-1], segment[-1]
    return (changes + half.segments) // 2


def _up_and_sure(values: Floats, counts: npt.NDArray[np.int64], kind: Kind) -> tuple[Flags, Flags]:
    """Tell which values are up, and which are up or down for sure."""
    upto = np.cumsum(counts)
    if kind == "yes_no" or not len(upto) or not upto[-1]:
        low = high = 0.5
    else:
        at = (upto[-1] - 1) * np.array([1 / 3, 2 / 3])
        one, other = (
            values[np.searchsorted(upto, place, side="right")]
            for place in (np.floor(at), np.ceil(at))
        )
        low, high = (one + (other - one) * (at - np.floor(at))).tolist()
    if low == high and kind == "numeric":
        above = (values > high) & (counts > 0)
        return (values > high if above.any() else values >= high), np.ones(len(values), np.bool_)
    return values >= high, (values >= high) | (values <= low)


def _too_little(track: LongTrack, half: LongPart, turns: Floats) -> str:
    """Say why nothing could be judged by how a track goes; see `ranked_tracks.too_little`."""
    if any(track.unsaid) or not len(turns):
        return ""
    if track.permutations is not None:
        return few_permutations(track.permutations, half)
    if track.holes and half.slots.size != half.everything.size:
        return "gaps in overlapping windows"
    if track.cycles >= ENOUGH_CYCLES:
        return ""
    codes, part, table, moved = track.codes, half, track.moving, track.moved
    if track.holes:
        known = len(codes.values) - 1
        table = ranks_of_counts(codes.counted(half.runs), known)[:-1]
        codes, part, moved = codes.without_holes(), track.known_only(half, 0), "shifted"
    n = part.runs.size
    counts = codes.counted(part.runs)
    mean = float((table * counts).sum()) / max(n, 1)
    alike = np.zeros(len(turns))
    for runs in stretches(part.runs):
        own = table[codes.at(runs)] - mean
        for k, each in enumerate(turns):
            alike[k] += table[codes.at(getattr(part, moved)(each, runs))] @ own
    alike /= max(float((counts * (table - mean) ** 2).sum()), np.finfo(np.float64).tiny)
    if alike.var() * SLOW < 1:
        return ""
    return f"{track.cycles} cycle{'s' * (track.cycles != 1)} only"


def _unsaid(codes: Codes, kind: Kind, runs: Runs) -> str:
    """Say why a track says nothing in a half; "" if it does."""
    known = len(codes.values) - codes.holes
    there = np.flatnonzero(codes.counted(runs)[:known])
    if not len(there):
        return "nothing is said"
    if len(there) > 1:
        return ""
    value = codes.values[there[0]]
    if kind == "numeric":
        return f"{value:g} everywhere"
    return "yes everywhere" if value else "no example"
