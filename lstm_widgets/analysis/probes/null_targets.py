"""Targets that fit the states by chance only: circularly shifted, or with their years exchanged.

A circular shift keeps a target's autocorrelation. Of what has a season it also tears the season off,
which any state that has one would find again, so there whole periods are exchanged in phase: each
year gets the target of another one.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from lstm_widgets.analysis.probes.numbered import STRETCH, Atoms, stretches
from lstm_widgets.analysis.ranked_tracks import (
    ENOUGH_CYCLES,
    PERMUTATIONS,
    SHIFTED_VALUES,
    SLOW,
    RankedTrack,
    permutations_of,
    too_little,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    import numpy.typing as npt

    from lstm_widgets.analysis.probes.calendars import Period
    from lstm_widgets.analysis.split_and_shift import Part
    from lstm_widgets.concepts.concept import Kind
    from lstm_widgets.concepts.packed import PackedTrack

    Floats = npt.NDArray[np.float64]
    Places = npt.NDArray[np.integer[Any]]

__all__ = ["NullTargets", "Segments", "exchanged", "exchanged_in_order", "shifted"]

# A cycle that has fewer timesteps than this, compared with the others, is none that could be given away.
_COMPLETE = 0.9
# Of targets of more timesteps, some tell where their thirds lie.
_SAMPLED = 1 << 22


@dataclass(frozen=True)
class NullTargets:
    """How a target is moved.

    Attributes
    ----------
    count : int
        How often.
    sources : callable
        From a slice of the timesteps, or their places, to those whose values they get,
        int ``(shift, n)``.
    reason : str
        Why nothing can be judged by it; "" if it can.
    """

    count: int
    sources: Callable[[slice | Places], Places]
    reason: str


@dataclass(frozen=True)
class Segments:
    """Series that stand one after the other: nothing is kept for each of their timesteps.

    Attributes
    ----------
    edges : int array (segment + 1,)
        Where each begins, and where the last one ends.
    turns : float64 array (shift, segment)
        By how much they are shifted, as a fraction of each.
    whole : bool
        Whether the target is known at all timesteps of a series, or at none.
    """

    edges: Places
    turns: Floats
    whole: bool

    def null(self, kind: Kind, said: PackedTrack) -> NullTargets:
        """Shift a target circularly in each, or permute it where it never changes in them; see `shifted`."""
        count = len(self.turns)
        if self.whole and self._never_changes(said):
            known = np.diff(self.edges) > 0
            firsts = np.full(len(known), np.nan)
            firsts[known] = said.take(self.edges[:-1][known])
            few = permutations_of(firsts) < PERMUTATIONS
            moved = self.permuted if known.all() else self.shifted
            return NullTargets(count, moved, f"{len(firsts)} examples only" * few)
        cycles = self._cycles(kind, said)
        reason = ""
        if cycles < ENOUGH_CYCLES and self._slow(kind, said):
            reason = f"{cycles} cycle{'s' * (cycles != 1)} only"
        return NullTargets(count, self.shifted, reason)

    def shifted(self, among: slice | Places) -> Places:
        """Give the timesteps whose values some get: int ``(shift, n)``."""
        places, segment = self._segment(among)
        lengths = np.diff(self.edges)
        steps = (self.turns * lengths).astype(np.intp)[:, segment]
        first = self.edges[segment]
        return np.asarray(first + (places - first - steps) % lengths[segment])

    def permuted(self, among: slice | Places) -> Places:
        """Give them if segments, within which nothing changes, are permuted."""
        return np.asarray(self.edges[np.argsort(self.turns, axis=1)][:, self._segment(among)[1]])

    def _segment(self, among: slice | Places) -> tuple[Places, Places]:
        if isinstance(among, slice):
            among = np.arange(*among.indices(int(self.edges[-1])))
        return among, np.searchsorted(self.edges, among, side="right") - 1

    def _never_changes(self, said: PackedTrack) -> bool:
        return not any(
            (said.block(part) != said.take(self.edges[self._segment(part)[1]])).any()
            for part in stretches(len(said))
        )

    def _cycles(self, kind: Kind, said: PackedTrack) -> int:
        """Count how often it goes up and comes down again, as rankings do."""
        low = high = 0.5
        if kind == "numeric":
            low, high = np.quantile(_some(said), [1 / 3, 2 / 3])
        most = max((said.block(part).max() for part in stretches(len(said))), default=0)
        changes, before = 0, (False, -1)
        for part in stretches(len(said)):
            values, segment = said.block(part), self._segment(part)[1]
            up = values > high if low == high and most > high else values >= high
            if low < high:
                sure = up | (values <= low)
                up, segment = up[sure], segment[sure]
            if not len(up):
                continue
            goes, where = np.append(before[0], up), np.append(before[1], segment)
            changes += int(((goes[1:] != goes[:-1]) & (where[1:] == where[:-1])).sum())
            before = bool(up[-1]), int(segment[-1])
        return (changes + int(self.turns.shape[1])) // 2

    def _slow(self, kind: Kind, said: PackedTrack) -> bool:
        """Tell whether it is so slow that shifts leave it much as it is."""
        ranked = None if kind == "yes_no" else np.sort(_some(said))

        def ranks(values: Floats) -> Floats:
            if ranked is None:
                return values.astype(np.float64)
            below = np.searchsorted(ranked, values) + np.searchsorted(ranked, values, side="right")
            return np.asarray(below / 2)

        n = len(said)
        mean = sum(float(ranks(said.block(part)).sum()) for part in stretches(n)) / max(1, n)
        alike, squares = np.zeros(len(self.turns)), 0.0
        step = max(1, SHIFTED_VALUES // max(1, len(self.turns)))
        for start in range(0, n, step):
            part = slice(start, min(start + step, n))
            own = ranks(said.block(part)) - mean
            alike += ranks(said.take(self.shifted(part))) @ own
            squares += float(own @ own)
        return bool((alike / max(squares, np.finfo(np.float64).tiny)).var() * SLOW >= 1)


def _some(said: PackedTrack) -> Floats:
    """Take all that a target says, or some of a long one, evenly spaced."""
    apart = 1 + len(said) // _SAMPLED
    parts = [said.block(part)[-part.start % apart :: apart] for part in stretches(len(said))]
    return np.concatenate([np.zeros(0), *parts])


def shifted(name: str, kind: Kind, said: Floats, part: Part, turns: Floats) -> NullTargets:
    """Shift a target circularly in each series, or permute it where it never changes in them.

    Parameters
    ----------
    name, kind : str
        Of the concept.
    said : float64 array (n,)
        What it says of each timestep, NaN where nothing.
    part : Part
        All timesteps.
    turns : float64 array (shift, segment)
        By how much, as a fraction of the series.
    """
    track = RankedTrack.of(name, kind, said, (part, part), np.zeros(1, np.intp))
    reason = track.unsaid[1] or too_little(track, part, turns)
    there = np.isfinite(said)
    moved = track.moved if there.all() else part.only(there).shifted
    return NullTargets(len(turns), lambda among: moved(turns, among), reason)


def exchanged_in_order(period: Period, keys: Floats) -> NullTargets | None:
    """Give each cycle the target of another one, as `exchanged`, of one series: one cycle after the other.

    Of each timestep a few bytes are kept: which one of its cycle has its phase in others.

    Parameters
    ----------
    period : Period
        The cycles of the timesteps at which the target is known.
    keys : float64 array (shift, cycle)
        As for `exchanged`.
    """
    cycle = period.cycle
    assert isinstance(cycle, Atoms)  # noqa: S101
    sizes = np.diff(np.append(cycle.starts, cycle.count))
    to, most = _given_to(np.zeros(len(sizes), np.intp), cycle.values, sizes, keys)
    if most < 2:
        return None
    steps = int(sizes.max())
    small = np.min_scalar_type(steps)
    table, step_of = np.empty((len(sizes), steps), small), np.empty(cycle.count, small)
    for few in _together(sizes):
        begin = int(cycle.starts[few.start])
        rows = slice(begin, begin + int(sizes[few].sum()))
        phase, number = period.phase[rows], np.repeat(np.arange(few.start, few.stop), sizes[few])
        order = np.lexsort([phase, number])
        nearest = order[_nearest(few.start, sizes[few], number[order] + phase[order], steps)]
        table[few] = nearest.reshape(-1, steps) + (begin - cycle.starts[few, None])
        step_of[rows] = np.minimum((phase * steps).astype(np.intp), steps - 1)

    def sources(among: slice | Places) -> Places:
        if isinstance(among, slice):
            among = np.arange(*among.indices(cycle.count))
        given = to[:, np.searchsorted(cycle.starts, among, side="right") - 1]
        return np.asarray(cycle.starts[given] + table[given, step_of[among]])

    return NullTargets(len(keys), sources, _few(most, period))


def _together(sizes: Places) -> Iterator[slice]:
    """Give cycles that are looked at together."""
    upto = np.append(0, np.cumsum(sizes))
    first = 0
    while first < len(sizes):
        stop = max(first + 1, int(np.searchsorted(upto, upto[first] + STRETCH, side="right")) - 1)
        yield slice(first, stop)
        first = stop


def _nearest(first: int, sizes: Places, along: Floats, steps: int) -> Places:
    """Tell which timestep is nearest in phase at each of so many steps of some cycles, ``(cycle * step,)``.

    Parameters
    ----------
    first, sizes : int, int array (cycle,)
        The number of the first cycle, and how many timesteps each has.
    along : float64 array (n,)
        The number and the phase of all of these, rising.
    steps : int
        How many.
    """
    numbers = first + np.arange(len(sizes))
    asked = (numbers[:, None] + (np.arange(steps) + 0.5) / steps).ravel()
    after = np.searchsorted(along, asked)
    ends = np.cumsum(sizes)
    begin, last = np.repeat(ends - sizes, steps), np.repeat(ends - 1, steps)
    before, after = np.clip(after - 1, begin, last), np.clip(after, begin, last)
    return np.where(asked - along[before] <= along[after] - asked, before, after)


def _few(cycles: int, period: Period) -> str:
    return "" if cycles >= ENOUGH_CYCLES else f"{cycles} {period.cycles} only"


def _given_to(series: Places, cycles: Places, sizes: Places, keys: Floats) -> tuple[Places, int]:
    """Tell which cycle gives its target to which, in each of some series.

    Parameters
    ----------
    series, cycles, sizes : int array (cycle,)
        The series of each, its number, and how many timesteps it has.
    keys : float64 array (shift, number)
        By whose order they are exchanged.

    Returns
    -------
    tuple of (int array (shift, cycle), int)
        The one that gives; and how many complete ones a series has at most.
    """
    to = np.tile(np.arange(len(sizes), dtype=np.int32), (len(keys), 1))
    most = 0
    for one in np.unique(series).tolist():
        here = np.flatnonzero(series == one)
        enough = sizes[here] >= _COMPLETE * np.median(sizes[here])
        whole, rest = here[enough], here[~enough]
        most = max(most, len(whole))
        if len(whole) < 2:
            continue
        ranked = np.argsort(keys[:, cycles[whole]], axis=1)
        if len(whole) < ENOUGH_CYCLES:  # too many orders would leave them as they are: rotated
            by = 1 + (keys[:, cycles[whole[0]]] * (len(whole) - 1)).astype(np.intp)
            ranked = (np.arange(len(whole)) + by[:, None]) % len(whole)
        to[:, whole] = whole[ranked]
        for n, each in enumerate(rest):  # an incomplete cycle gets, but doesn't give
            to[:, each] = whole[ranked[:, n % len(whole)]]
    return to, most


def exchanged(said: Floats, part: Part, period: Period, keys: Floats) -> NullTargets | None:
    """Give each cycle of a period the target of another one.

    Parameters
    ----------
    said, part : float64 array (n,), Part
        As for `shifted`.
    period : Period
        The cycles.
    keys : float64 array (shift, cycle)
        By whose order cycles are exchanged; the same in all series.

    Returns
    -------
    NullTargets or None
        None if no series has two cycles to exchange.
    """
    there = np.isfinite(said)
    part = part.only(there)
    cycle, phase = (np.asarray(each)[there] for each in (period.cycle, period.phase))
    # The different timesteps of all series, by series, cycle and phase.
    segment = np.repeat(np.arange(part.segments), part.lengths)
    of_slot = segment * (int(cycle.max(initial=0)) + 1) + cycle[part.slots]
    order = np.lexsort([phase[part.slots], of_slot])
    known, number = np.unique(of_slot[order], return_inverse=True)
    sizes = np.bincount(number)
    steps = int(sizes.max(initial=1))
    # At each step of each cycle, the timestep of it that is nearest in phase.
    nearer = _nearest(0, sizes, number + phase[part.slots][order], steps)
    table = part.slots[order][nearer].reshape(len(known), steps)

    series, cycles = np.divmod(known, int(cycle.max(initial=0)) + 1)
    to, most = _given_to(series, cycles, sizes, keys)
    if most < 2:
        return None
    own = np.empty(len(part.slots), np.intp)
    own[order] = number
    slot = part.offsets[part.segment] + part.index
    cycle_of, step_of = own[slot], np.minimum((phase * steps).astype(np.intp), steps - 1)
    return NullTargets(
        len(keys),
        lambda among: table[to[:, cycle_of[among]], step_of[among]],
        _few(most, period),
    )
