"""A recording split in two halves, and tracks shifted or permuted in a part of it: their null.

Independent is not each timestep, nor each example: windows that overlap show the same piece of a
series again and again. What is split and circularly shifted here are therefore *segments*: the
examples, or, of windows, the series that they come from.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Sequence

    import numpy.typing as npt

    from lstm_widgets.analysis.series import Origin

    Floats = npt.NDArray[np.floating[Any]]
    Flags = npt.NDArray[np.bool_]
    Places = npt.NDArray[np.integer[Any]]

__all__ = ["Part", "Piece", "halved", "pieces_of"]


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
        everything = _ranges([piece.start for piece in pieces], counts)
        segment = np.repeat(np.array([numbers[piece.segment] for piece in pieces], np.intp), counts)
        position = _ranges([piece.position for piece in pieces], counts)
        inner = _ranges([0] * len(pieces), counts)
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


def _ranges(starts: Sequence[int], counts: Places) -> Places:
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
