"""A recording split in two halves, and tracks shifted or permuted in a part of it: their null.

Independent is not each timestep, nor each example: windows that overlap show the same piece of a
series again and again. What is split and circularly shifted here are therefore *segments*: the
examples, or, of windows, the series that they come from.
"""

from __future__ import annotations

import heapq
from dataclasses import dataclass
from itertools import pairwise
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    import numpy.typing as npt

    from lstm_widgets.analysis.series import Origin

    Floats = npt.NDArray[np.floating[Any]]
    Flags = npt.NDArray[np.bool_]
    Places = npt.NDArray[np.integer[Any]]

__all__ = ["LongPart", "Part", "Piece", "Runs", "Sources", "halved", "pieces_of", "ranges"]


ALL = slice(None)


@dataclass(frozen=True)
class Piece:
    """Timesteps of one example, as they stand without padding: part of a segment."""

    segment: int
    start: int
    stop: int
    position: int  # of the first, in the segment
    order: tuple[int, int]  # of the example, among those of its segment

    def __len__(self) -> int:
        return self.stop - self.start

    def part(self, first: int, last: int) -> Piece:
        """Take some of its timesteps."""
        return Piece(
            self.segment,
            self.start + first,
            self.start + last,
            self.position + first,
            self.order,
        )


def pieces_of(mask: Flags, origin: Origin) -> list[Piece]:
    """List the examples of a recording, those that aren't all padding.

    Parameters
    ----------
    mask : bool array (example, timestep)
        False marks padding, ``(example, timestep)``.
    origin : Origin
        How the examples hang together.
    """
    lengths = mask.sum(axis=1)
    first = mask.argmax(axis=1) if mask.shape[1] else lengths  # what stands before it is padding
    stops = np.cumsum(lengths)
    return [
        Piece(
            segment=int(origin.series[k]),
            start=int(stops[k] - n),
            stop=int(stops[k]),
            position=int(origin.start[k] + first[k]),
            order=(int(origin.start[k]), k),
        )
        for k, n in enumerate(lengths.tolist())
        if n
    ]


def halved(
    mask: Flags,
    origin: Origin,
    rng: np.random.Generator,
    *,
    groups: Places | None = None,
    gap: int = 0,
) -> tuple[list[Piece], list[Piece]]:
    """Cut a recording in two: by segments, drawn at random; a single one in the middle.

    Parameters
    ----------
    mask, origin : bool array (example, timestep), Origin
        As for `pieces_of`.
    rng : numpy.random.Generator
        What is drawn from.
    groups : int array (n,), optional
        Of each timestep that isn't padding, the group that it belongs to: then groups are drawn.
    gap : int, default 0
        How far the first half stays away from the second, in a segment that is in both.
    """
    whole = pieces_of(mask, origin)
    if groups is not None:
        return _apart(_by_groups(whole, groups, rng), gap)
    segments: dict[int, list[Piece]] = {}
    for piece in whole:
        segments.setdefault(piece.segment, []).append(piece)
    if len(segments) == 1:
        return _apart(_cut(whole, origin, mask.shape[1]), gap if origin.known else 0)
    halves: tuple[list[Piece], list[Piece]] = ([], [])
    sizes = [0, 0]
    several = list(segments.values())
    for k in rng.permutation(len(several)):
        smaller = int(sizes[1] < sizes[0])
        halves[smaller].extend(several[k])
        sizes[smaller] += sum(piece.stop - piece.start for piece in several[k])
    return sorted(halves[0], key=_at_start), sorted(halves[1], key=_at_start)


def _by_groups(
    pieces: list[Piece], groups: Places, rng: np.random.Generator
) -> tuple[list[Piece], list[Piece]]:
    """Draw groups of timesteps, and cut the pieces where they change."""
    sizes = np.bincount(groups)
    half_of = np.zeros(len(sizes), np.intp)
    filled = [0, 0]
    for group in rng.permutation(len(sizes)):
        half_of[group] = smaller = int(filled[1] < filled[0])
        filled[smaller] += int(sizes[group])
    halves: tuple[list[Piece], list[Piece]] = ([], [])
    for piece in pieces:
        own = half_of[groups[piece.start : piece.stop]]
        cuts = [0, *(np.flatnonzero(np.diff(own)) + 1).tolist(), len(piece)]
        for first, last in pairwise(cuts):
            halves[int(own[first])].append(piece.part(first, last))
    return halves


def _apart(halves: tuple[list[Piece], list[Piece]], gap: int) -> tuple[list[Piece], list[Piece]]:
    """Take from the first half what is too near to the second."""
    if not gap:
        return halves
    zones: dict[int, list[Piece]] = {}
    for piece in halves[1]:
        zones.setdefault(piece.segment, []).append(piece)
    kept: list[Piece] = []
    for piece in halves[0]:
        far = np.ones(len(piece), np.bool_)
        for other in zones.get(piece.segment, ()):
            first = other.position - gap + 1 - piece.position
            last = other.position + len(other) + gap - 1 - piece.position
            far[max(0, first) : max(0, last)] = False
        changes = np.flatnonzero(np.diff(np.concatenate([[False], far, [False]]).astype(np.int8)))
        kept.extend(piece.part(*map(int, edges)) for edges in changes.reshape(-1, 2))
    return kept, halves[1]


def _at_start(piece: Piece) -> int:
    return piece.start


def _cut(pieces: list[Piece], origin: Origin, width: int) -> tuple[list[Piece], list[Piece]]:
    """Cut a series in the middle, windows that stand there included."""
    if not origin.known:
        # Windows one timestep apart would have nothing to do with each other this far away.
        gap = min(width, len(pieces) // 3)
        first = (len(pieces) - gap) // 2
        return pieces[:first], pieces[first + gap :]
    begin = min(piece.position for piece in pieces)
    middle = (begin + max(piece.position + piece.stop - piece.start for piece in pieces)) // 2
    halves: tuple[list[Piece], list[Piece]] = ([], [])
    for piece in pieces:
        at = min(max(middle - piece.position, 0), piece.stop - piece.start)
        if at:
            halves[0].append(piece.part(0, at))
        if piece.start + at < piece.stop:
            halves[1].append(piece.part(at, len(piece)))
    return halves


@dataclass(frozen=True)
class Part:
    """Part of a recording, whose timesteps without padding stand one example after the other.

    Attributes
    ----------
    everything : int array (all,)
        All its timesteps, ``(all,)``.
    places : int array (n,)
        Those that have a token at every lag, ``(n,)``.
    segment, index : int array (n,)
        Of each place, the segment that it belongs to, and where in it it stands, ``(n,)``.
    lengths : int array (segment,)
        How many different places each segment has, ``(segment,)``.
    slots : int array (sum of lengths,)
        A timestep for each, one segment after the other, ``(sum of lengths,)``.
    windows : tuple of int array
        Where the pieces of each segment start and how long they are, in the order of the series.
    window, within : int array (n,)
        Of each place, the number of its window among those of its segment, and where in it it
        stands, ``(n,)``.
    """

    everything: Places
    places: Places
    segment: Places
    index: Places
    lengths: Places
    slots: Places
    windows: tuple[Places, Places, Places]
    window: Places
    within: Places

    @classmethod
    def of(cls, pieces: Sequence[Piece], lags: Places) -> Part:
        """Put a part together.

        Parameters
        ----------
        pieces : sequence of Piece
            What it is made of.
        lags : int array (lag,)
            At each of which a place has a token, of its example and this part.
        """
        before, after = max(0, *lags), max(0, *-lags)
        numbers = {x: n for n, x in enumerate(dict.fromkeys(piece.segment for piece in pieces))}
        counts = np.array([piece.stop - piece.start for piece in pieces], np.intp)
        everything = ranges([piece.start for piece in pieces], counts)
        segment = np.repeat(np.array([numbers[piece.segment] for piece in pieces], np.intp), counts)
        position = ranges([piece.position for piece in pieces], counts)
        inner = ranges([0] * len(pieces), counts)
        here: Flags | slice = ALL
        if before or after:
            here = (inner >= before) & (inner < np.repeat(counts, counts) - after)
        index, sizes, slots = _numbered(segment, position)
        # The windows of each segment, in the order of the series.
        order = sorted(
            range(len(pieces)), key=lambda k: (numbers[pieces[k].segment], *pieces[k].order)
        )
        ordered = np.array(order, np.intp)
        starts = np.array([piece.start for piece in pieces], np.intp)
        per_segment = np.bincount(
            [numbers[pieces[k].segment] for k in order], minlength=len(numbers)
        )
        rank = np.empty(len(pieces), np.intp)
        firsts = np.cumsum(per_segment) - per_segment
        rank[ordered] = np.arange(len(pieces)) - np.repeat(firsts, per_segment)
        window = np.repeat(rank, counts)
        return cls(
            everything=everything,
            places=everything[here],
            segment=segment[here],
            index=index[here],
            lengths=sizes,
            slots=everything[slots],
            windows=(starts[ordered], counts[ordered], per_segment),
            window=window[here],
            within=inner[here],
        )

    @property
    def segments(self) -> int:
        """How many segments it has."""
        return len(self.lengths)

    @property
    def offsets(self) -> Places:
        """Where the slots of each segment begin."""
        return np.cumsum(self.lengths) - self.lengths

    def only(self, there: Flags) -> Part:
        """Leave some of the places out."""
        index, sizes, slots = _numbered(self.segment[there], self.index[there], self.segments)
        return Part(
            everything=self.everything,
            places=np.arange(int(there.sum())),
            segment=self.segment[there],
            index=index,
            lengths=sizes,
            slots=slots,
            windows=self.windows,
            window=self.window[there],
            within=self.within[there],
        )

    def shifted(self, turns: Floats, among: slice | Places = ALL) -> Places:
        """Give the timesteps whose values come to stand at the places when segments are circularly shifted.

        Parameters
        ----------
        turns : float64 array (shift, segment)
            By how much, as a fraction of the segment's length.
        among : slice or int array, optional
            Which of the places are asked for. Default: all.

        Returns
        -------
        int array (shift, n)
        """
        segment, index = self.segment[among], self.index[among]
        steps = (turns * self.lengths).astype(np.intp)[:, segment]
        there = (index - steps) % self.lengths[segment]
        return np.asarray(self.slots[self.offsets[segment] + there])

    def shifted_windows(self, turns: Floats, among: slice | Places = ALL) -> Places:
        """Give them when the windows of each segment are circularly shifted as wholes.

        All of a segment have moved on by the same number of windows, and what stands in them by the
        same number of timesteps.
        """
        segment, window, within = self.segment[among], self.window[among], self.within[among]
        starts, lengths, counts = self.windows
        whole = turns * counts
        windows = whole.astype(np.intp)[:, segment]
        longest = int(lengths.max(initial=1))
        steps = ((whole % 1) * longest).astype(np.intp)[:, segment]
        firsts = np.cumsum(counts) - counts
        other = firsts[segment] + (window - windows) % counts[segment]
        return np.asarray(starts[other] + (within - steps) % lengths[other])

    def permuted(self, turns: Floats, among: slice | Places = ALL) -> Places:
        """Give them when segments, within which nothing changes, are permuted."""
        firsts = self.slots[self.offsets]
        return np.asarray(firsts[np.argsort(turns, axis=1)][:, self.segment[among]])

    def slow(self, cycles: int) -> Floats:
        """Make an orthonormal basis of what changes too slowly, ``(n, k)``.

        In all segments together it goes through fewer cycles. (Cosines of a discrete cosine
        transform; a drift is among the slowest.) Nothing where there are many segments.
        """
        most = min(-(-2 * cycles // max(1, self.segments)), int(self.lengths.max(initial=0)) // 6)
        waves = np.arange(1, most)
        if not len(waves) or not len(self.places):
            return np.zeros((len(self.places), 0))
        at = (self.index + 0.5) / self.lengths[self.segment]
        columns = [np.cos(np.pi * wave * at) for wave in (0, *waves)]
        alone = [np.where(self.segment == n, x, 0) for n in range(self.segments) for x in columns]
        basis: Floats = np.linalg.qr(np.stack(alone, axis=1))[0]
        return basis


def ranges(starts: Sequence[int] | Places, counts: Places) -> Places:
    """Count on from each start."""
    firsts = np.cumsum(counts) - counts
    places: Places = np.arange(int(counts.sum()), dtype=np.intp)
    places += np.repeat(np.asarray(starts, np.intp) - firsts, counts)
    return places


def _numbered(
    segment: Places, position: Places, segments: int | None = None
) -> tuple[Places, Places, Places]:
    """Count through the different positions in each segment; how many, and a row for each."""
    if segments is None:
        segments = int(segment.max(initial=-1)) + 1
    order: Places = np.lexsort([position, segment])
    one, other = segment[order], position[order]
    fresh = np.append(True, (one[1:] != one[:-1]) | (other[1:] != other[:-1]))[: len(order)]
    sizes = np.bincount(one[fresh], minlength=segments)
    number = np.cumsum(fresh) - 1
    index = np.empty(len(order), np.intp)
    index[order] = number - (np.cumsum(sizes) - sizes)[one]
    slots: Places = order[fresh]
    return index, sizes, slots


@dataclass(frozen=True)
class Runs:
    """Timesteps that follow each other, run by run: how a part is gone through that is long.

    All are ``(run,)``.

    Attributes
    ----------
    starts, counts : int array (run,)
        The first timestep of each run, and how many there are.
    segment, index : int array (run,)
        The segment that it belongs to, and where in it its first timestep stands.
    window, within : int array (run,)
        The number of its window in the segment, and where in it its first timestep stands.
    """

    starts: Places
    counts: Places
    segment: Places
    index: Places
    window: Places
    within: Places

    def __len__(self) -> int:
        return len(self.starts)

    @property
    def size(self) -> int:
        """How many timesteps there are."""
        return int(self.counts.sum())

    @property
    def places(self) -> Places:
        """All of them, one after the other."""
        return ranges(self.starts, self.counts)

    def spread(self, values: Places, *, counted: bool = False) -> Places:
        """Give a value of each run to its timesteps, the same to all or counted on from it."""
        return ranges(values, self.counts) if counted else np.repeat(values, self.counts)

    def among(self, first: int, last: int) -> Runs:
        """Take those timesteps that are from one to another, the latter excluded."""
        here = slice(
            int(np.searchsorted(self.starts + self.counts, first, side="right")),
            int(np.searchsorted(self.starts, last)),
        )
        starts, counts = self.starts[here], self.counts[here]
        low = np.maximum(starts, first)
        skipped = low - starts
        return Runs(
            low,
            np.minimum(starts + counts, last) - low,
            self.segment[here],
            self.index[here] + skipped,
            self.window[here],
            self.within[here] + skipped,
        )


@dataclass(frozen=True)
class Sources:
    """Where the values come from that stand somewhere: runs of timesteps that follow each other.

    ``repeated`` tells that a run is one timestep, again and again.
    """

    starts: Places
    counts: Places
    repeated: bool = False


@dataclass(frozen=True)
class LongPart:
    """A part of a recording as a `Part` is one, but by runs: what it takes doesn't grow with its length.

    Attributes
    ----------
    everything, runs : Runs
        All of its timesteps; those that have a token at every lag.
    lengths : int array (segment,)
        How many different places each segment has.
    slots : Runs
        A timestep for each of these, one segment after the other: ``index`` counts through all.
    windows : tuple of int array
        As of a `Part`.
    """

    everything: Runs
    runs: Runs
    lengths: Places
    slots: Runs
    windows: tuple[Places, Places, Places]

    @classmethod
    def of(
        cls, pieces: Sequence[Piece], lags: Places, numbers: Mapping[int, int] | None = None
    ) -> LongPart:
        """Put a part together, as `Part.of` does; ``numbers`` tells that of each segment."""
        before, after = max(0, *lags), max(0, *-lags)
        if numbers is None:
            segments = dict.fromkeys(piece.segment for piece in pieces)
            numbers = {segment: n for n, segment in enumerate(segments)}
        segment = np.array([numbers[piece.segment] for piece in pieces], np.intp)
        starts = np.array([piece.start for piece in pieces], np.intp)
        counts = np.array([len(piece) for piece in pieces], np.intp)
        position = np.array([piece.position for piece in pieces], np.intp)
        index, lengths, slots = _slots(segment, position, starts, counts, len(numbers))
        ordered = np.array(
            sorted(range(len(pieces)), key=lambda k: (int(segment[k]), *pieces[k].order)), np.intp
        )
        per_segment = np.bincount(segment, minlength=len(numbers))
        window = np.empty(len(pieces), np.intp)
        firsts = np.cumsum(per_segment) - per_segment
        window[ordered] = np.arange(len(pieces)) - np.repeat(firsts, per_segment)
        everything = Runs(starts, counts, segment, index, window, np.zeros(len(pieces), np.intp))
        kept = counts > before + after
        runs = Runs(
            starts[kept] + before,
            counts[kept] - before - after,
            segment[kept],
            index[kept] + before,
            window[kept],
            np.full(int(kept.sum()), before, np.intp),
        )
        return cls(
            everything, runs, lengths, slots, (starts[ordered], counts[ordered], per_segment)
        )

    @property
    def segments(self) -> int:
        """How many segments it has."""
        return len(self.lengths)

    @property
    def offsets(self) -> Places:
        """Where the slots of each segment begin."""
        return np.cumsum(self.lengths) - self.lengths

    def in_slots(self, first: Places, counts: Places) -> Sources:
        """Give the timesteps of runs of slots, by the number of their first."""
        begins = self.slots.index
        one = np.searchsorted(begins, first, side="right") - 1
        other = np.searchsorted(begins, first + counts - 1, side="right") - 1
        several = other - one + 1
        run = ranges(one, several)
        wanted = np.repeat(first, several)
        last = np.repeat(first + counts, several)
        low = np.maximum(begins[run], wanted)
        high = np.minimum(begins[run] + self.slots.counts[run], last)
        return Sources(self.slots.starts[run] + low - begins[run], high - low)

    def shifted(self, turns: Floats, runs: Runs) -> Sources:
        """Give the timesteps that come to stand at those of runs, as `Part.shifted` does.

        Parameters
        ----------
        turns : float64 array (segment,)
            By how much segments are circularly shifted, as a fraction of their length.
        runs : Runs
            Which timesteps are asked for.
        """
        lengths = self.lengths[runs.segment]
        steps = (turns * self.lengths).astype(np.intp)[runs.segment]
        place = (runs.index - steps) % lengths
        # What leaves a segment at its end comes back at its beginning.
        before = np.minimum(runs.counts, lengths - place)
        offsets = self.offsets[runs.segment]
        first = np.stack([offsets + place, offsets], axis=1).ravel()
        counts = np.stack([before, runs.counts - before], axis=1).ravel()
        return self.in_slots(first[counts > 0], counts[counts > 0])

    def shifted_windows(self, turns: Floats, runs: Runs) -> Sources:
        """Give them when the windows of each segment are circularly shifted as wholes."""
        starts, lengths, counts = self.windows
        whole = turns * counts
        longest = int(lengths.max(initial=1))
        windows, steps = whole.astype(np.intp), ((whole % 1) * longest).astype(np.intp)
        firsts = np.cumsum(counts) - counts
        segment = runs.segment
        other = firsts[segment] + (runs.window - windows[segment]) % counts[segment]
        begin = runs.spread(starts[other])
        place = (runs.spread(runs.within - steps[segment], counted=True)) % runs.spread(
            lengths[other]
        )
        return Sources(begin + place, np.ones(len(place), np.intp))

    def permuted(self, turns: Floats, runs: Runs) -> Sources:
        """Give them when segments, within which nothing changes, are permuted."""
        firsts = self.in_slots(self.offsets, np.ones(self.segments, np.intp)).starts
        return Sources(firsts[np.argsort(turns)][runs.segment], runs.counts, repeated=True)

    def unmoved(self, runs: Runs) -> Sources:
        """Give the timestep that stands for each, the same for windows that share it."""
        return self.shifted(np.zeros(self.segments), runs)

    def waves(self, cycles: int) -> int:
        """Count the cosines in each segment that change too slowly; see `Part.slow`."""
        most = min(-(-2 * cycles // max(1, self.segments)), int(self.lengths.max(initial=0)) // 6)
        return most if most > 1 and len(self.runs) else 0

    def cosines(self, waves: int, runs: Runs) -> Floats:
        """Compute those of runs, ``(n, segments * waves)``: no orthonormal basis yet."""
        at = (runs.spread(runs.index, counted=True) + 0.5) / runs.spread(self.lengths[runs.segment])
        segment = runs.spread(runs.segment)
        columns = np.zeros((len(at), self.segments, waves))
        every = np.cos(np.pi * at[:, None] * np.arange(waves))
        columns[np.arange(len(at)), segment] = every
        return columns.reshape(len(at), -1)


def _slots(
    segment: Places, position: Places, starts: Places, counts: Places, segments: int
) -> tuple[Places, Places, Runs]:
    """Count through the different positions in each segment; how many, and a timestep for each.

    Of pieces that share a position the first one has the slot.
    """
    index = np.zeros(len(segment), np.intp)
    lengths = np.zeros(segments, np.intp)
    found: list[tuple[int, int, int, int]] = []  # where it starts, how long, segment, number
    order = np.lexsort([position, segment])
    edges = np.searchsorted(segment[order], np.arange(segments + 1))
    total = 0
    for one in range(segments):
        own = order[edges[one] : edges[one + 1]].tolist()
        begins = [int(position[k]) for k in own]
        ends = [int(position[k] + counts[k]) for k in own]
        bounds = sorted({*begins, *ends})
        there: list[tuple[int, int, int]] = []  # piece, where it begins and ends
        coming = 0
        first = total
        for low, high in pairwise(bounds):
            while coming < len(own) and begins[coming] == low:
                heapq.heappush(there, (own[coming], low, ends[coming]))
                index[own[coming]] = total - first
                coming += 1
            while there and there[0][2] <= low:
                heapq.heappop(there)
            if there:
                piece, begin, _ = there[0]
                start = int(starts[piece]) + low - begin
                last = found[-1] if found else None
                if last is not None and last[2] == one and last[0] + last[1] == start:
                    found[-1] = (last[0], last[1] + high - low, one, last[3])
                else:
                    found.append((start, high - low, one, total))
                total += high - low
        lengths[one] = total - first
    table = np.array(found, np.intp).reshape(-1, 4)
    nothing = np.zeros(len(table), np.intp)
    return (
        index,
        lengths,
        Runs(table[:, 0], table[:, 1], table[:, 2], table[:, 3], nothing, nothing),
    )
