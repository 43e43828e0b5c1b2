"""Targets that fit the states by chance only: circularly shifted, or with their years exchanged.

A circular shift keeps a target's autocorrelation. Of what has a season it also tears the season off,
which any state that has one would find again, so there whole periods are exchanged in phase: each
year gets the target of another one.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from lstm_widgets.analysis.ranked_tracks import ENOUGH_CYCLES, RankedTrack, too_little

if TYPE_CHECKING:
    from collections.abc import Callable

    import numpy.typing as npt

    from lstm_widgets.analysis.probes.calendars import Period
    from lstm_widgets.analysis.split_and_shift import Part
    from lstm_widgets.concepts.concept import Kind

    Floats = npt.NDArray[np.float64]
    Places = npt.NDArray[np.integer[Any]]

__all__ = ["NullTargets", "exchanged", "shifted"]

# A cycle that has fewer timesteps than this, compared with the others, is none that could be given away.
_COMPLETE = 0.9


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
    cycle, phase = period.cycle[there], period.phase[there]
    # The different timesteps of all series, by series, cycle and phase.
    segment = np.repeat(np.arange(part.segments), part.lengths)
    of_slot = segment * (int(cycle.max(initial=0)) + 1) + cycle[part.slots]
    order = np.lexsort([phase[part.slots], of_slot])
    known, number = np.unique(of_slot[order], return_inverse=True)
    sizes = np.bincount(number)
    ends = np.cumsum(sizes)
    steps = int(sizes.max(initial=1))
    # At each step of each cycle, the timestep of it that is nearest in phase.
    along = number + phase[part.slots][order]
    asked = (np.arange(len(known))[:, None] + (np.arange(steps) + 0.5) / steps).ravel()
    after = np.searchsorted(along, asked)
    first, last = np.repeat(ends - sizes, steps), np.repeat(ends - 1, steps)
    before, after = np.clip(after - 1, first, last), np.clip(after, first, last)
    nearer = np.where(asked - along[before] <= along[after] - asked, before, after)
    table = part.slots[order][nearer].reshape(len(known), steps)

    to = np.tile(np.arange(len(known)), (len(keys), 1))
    most = 0
    series, cycles = np.divmod(known, int(cycle.max(initial=0)) + 1)
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
    if most < 2:
        return None
    own = np.empty(len(part.slots), np.intp)
    own[order] = number
    slot = part.offsets[part.segment] + part.index
    cycle_of, step_of = own[slot], np.minimum((phase * steps).astype(np.intp), steps - 1)
    return NullTargets(
        len(keys),
        lambda among: table[to[:, cycle_of[among]], step_of[among]],
        "" if most >= ENOUGH_CYCLES else f"{most} {period.cycles} only",
    )
