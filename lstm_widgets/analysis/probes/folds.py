"""What is held out: blocks in time, or whole groups, with a gap around them.

Timesteps that are near each other in time are nearly the same timestep twice, so they are never
shuffled. A fold is a contiguous stretch of time, or some groups; what it is fitted on stays away from
it by a gap, and so does, inside of that, each inner fold in which a penalty is chosen.

Folds and inner folds are made of the same few *units*. By its unit, and by the units that it is too
near to, every timestep belongs to an *atom*, and each training or held-out part is a union of atoms.
So sums over the atoms are enough to fit and score everything.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from itertools import pairwise
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    import numpy.typing as npt

    Flags = npt.NDArray[np.bool_]
    Floats = npt.NDArray[np.float64]
    Places = npt.NDArray[np.integer[Any]]

__all__ = ["Folds", "cut_in_time", "cut_into_groups"]

#: In so many parts a training part is cut to choose what is chosen inside of it.
INNER = 5
# A fold is cut so that what is left when one is taken away has this many units at least.
_LEFT = 4


@dataclass(frozen=True)
class Folds:
    """The folds of a layer's timesteps.

    Attributes
    ----------
    atom : int array (n,)
        Of each timestep, the atom that it belongs to.
    inside : bool array (unit, atom)
        Which unit an atom belongs to.
    near : bool array (unit, atom)
        Which other units it is too near to.
    fold : int array (unit,)
        The fold that each unit belongs to.
    names : tuple of str
        What is left out in each fold.
    """

    atom: Places
    inside: Flags
    near: Flags
    fold: Places
    names: tuple[str, ...]

    @property
    def count(self) -> int:
        """How many folds there are."""
        return len(self.names)

    @property
    def of_atom(self) -> Places:
        """The fold of each atom."""
        return np.asarray(self.fold[self.inside.argmax(axis=0)])

    def named(self, names: Sequence[str]) -> Folds:
        """Say what is left out in each fold."""
        return replace(self, names=tuple(names))

    def held_out(self, fold: int) -> Flags:
        """Which atoms a fold holds out, ``(atom,)``."""
        return self._inside(np.flatnonzero(self.fold == fold))

    def training(self, fold: int) -> Flags:
        """Which atoms it is fitted on."""
        return self._apart(np.flatnonzero(self.fold == fold))

    def inner(self, fold: int) -> Iterator[tuple[Flags, Flags]]:
        """Cut the training part of a fold: what is fitted on and what is held out of it, each time."""
        out = np.flatnonzero(self.fold == fold)
        training = self._apart(out)
        rest = np.flatnonzero(self.fold != fold)
        for part in np.array_split(rest, min(INNER, len(rest))):
            inside = self._inside(part) & training
            apart = self._apart(np.concatenate([out, part]))
            if inside.any() and apart.any():
                yield apart, inside

    def _inside(self, units: Places) -> Flags:
        return np.asarray(self.inside[units].any(axis=0))

    def _apart(self, units: Places) -> Flags:
        return np.asarray(~(self.inside[units] | self.near[units]).any(axis=0))


def cut_in_time(line: Places, at: Floats, *, count: int, gap: float) -> Folds:
    """Cut the time axis into folds.

    Parameters
    ----------
    line, at : int array (n,), float64 array (n,)
        On which axis of time each timestep stands, and where on it.
    count : int
        How many folds.
    gap : float
        How far a timestep has to be from those that are held out, at least, to be fitted on.
    """
    each = _per_fold(count)
    order, slot = _slots(line, at)
    units = _balanced(np.bincount(slot), count * each)
    unit = np.empty(len(at), np.intp)
    unit[order] = units[slot]
    return _with_gaps(
        line, at, unit, gap=gap, fold=np.arange(count * each) // each, names=[""] * count
    )


def cut_into_groups(
    line: Places, at: Floats, *, group: Places, count: int, gap: float, names: Sequence[str]
) -> Folds:
    """Gather groups into folds, neighbours together; none is ever cut between folds.

    Parameters
    ----------
    line, at, gap : int array (n,), float64 array (n,), float
        As for `cut_in_time`.
    group : int array (n,)
        The group of each timestep, from 0.
    count : int
        How many folds, not more than there are groups.
    names : sequence of str
        What each group is called.
    """
    each = _per_fold(count)
    sizes = np.bincount(group, minlength=len(names))
    fold_of = _balanced(sizes, count)
    unit = np.empty(len(at), np.intp)
    called, fold, made = [], [], 0
    for k in range(count):
        members = np.flatnonzero(fold_of == k)
        called.append(_listed([names[n] for n in members.tolist()]))
        here = np.flatnonzero(fold_of[group] == k)
        if len(members) >= each:
            parts = np.zeros(len(names), np.intp)
            parts[members] = _balanced(sizes[members], each)
            inner = parts[group[here]]
        else:
            order, slot = _slots(line[here], at[here])
            inner = np.empty(len(here), np.intp)
            inner[order] = _balanced(np.bincount(slot), min(each, int(slot[-1]) + 1))[slot]
        unit[here] = made + inner
        fold += [k] * (int(inner.max()) + 1)
        made = len(fold)
    return _with_gaps(line, at, unit, gap=gap, fold=np.array(fold), names=called)


def _per_fold(count: int) -> int:
    return -(-_LEFT // (count - 1))


def _slots(line: Places, at: Floats) -> tuple[Places, Places]:
    """Sort timesteps by time, and count through the different ones."""
    order = np.lexsort([at, line])
    a, b = line[order], at[order]
    fresh = np.append(False, (a[1:] != a[:-1]) | (b[1:] != b[:-1]))
    return order, np.cumsum(fresh)


def _balanced(sizes: Places, count: int) -> Places:
    """Cut things of some sizes, in their order, into so many parts of about equal size."""
    ends = np.cumsum(sizes)
    wanted = ends[-1] * np.arange(1, count) / count
    cuts = np.searchsorted(ends - sizes / 2, wanted)
    # Each part has one at least.
    low = np.arange(1, count)
    cuts = np.maximum.accumulate(np.maximum(cuts, low) - low) + low
    cuts = np.minimum(cuts, len(sizes) - count + low)
    return np.searchsorted(cuts, np.arange(len(sizes)), side="right")


def _with_gaps(
    line: Places, at: Floats, unit: Places, *, gap: float, fold: Places, names: Sequence[str]
) -> Folds:
    """Find out which timesteps are too near to which units, and gather them into atoms."""
    order = np.lexsort([unit, at, line])
    a, b, u = line[order], at[order], unit[order]
    n = len(order)
    new_line = np.append(True, a[1:] != a[:-1])
    runs = np.flatnonzero(new_line | np.append(True, u[1:] != u[:-1]))
    ends = np.append(runs[1:], n)
    lines = np.flatnonzero(new_line)
    line_of_run = np.searchsorted(lines, runs, side="right") - 1
    line_ends = np.append(lines[1:], n)
    # Where the zone of a unit begins (+1) and ends (-1), in the order of time.
    events: dict[int, list[tuple[int, int]]] = {}
    near = gap * (1 - 1e-9)  # dates in units of a timestep are rounded
    for run, (start, stop) in enumerate(zip(runs.tolist(), ends.tolist(), strict=True)):
        first, last = int(lines[line_of_run[run]]), int(line_ends[line_of_run[run]])
        one = int(u[start])
        left = first + int(np.searchsorted(b[first:start], b[start] - near, side="right"))
        right = stop + int(np.searchsorted(b[stop:last], b[stop - 1] + near, side="left"))
        for begin, end in ((left, start), (stop, right)):
            if begin < end:
                events.setdefault(begin, []).append((one, 1))
                events.setdefault(end, []).append((one, -1))
    signatures: dict[tuple[int, frozenset[int]], int] = {}
    count = np.zeros(len(fold), np.intp)
    atom = np.empty(n, np.intp)
    stops = sorted({*runs.tolist(), *events, n})
    for start, stop in pairwise(stops):
        for one, change in events.get(start, ()):
            count[one] += change
        own = int(u[start])
        zone = frozenset(np.flatnonzero(count).tolist()) - {own}
        atom[order[start:stop]] = signatures.setdefault((own, zone), len(signatures))
    return Folds(
        atom,
        inside=_flags(len(fold), ([own] for own, _ in signatures)),
        near=_flags(len(fold), (zone for _, zone in signatures)),
        fold=fold,
        names=tuple(names),
    )


def _flags(units: int, of_atoms: Iterable[Iterable[int]]) -> Flags:
    columns = [np.isin(np.arange(units), list(one)) for one in of_atoms]
    return np.stack(columns, axis=1)


def _listed(names: Sequence[str]) -> str:
    """Name several groups: the first and the last of many."""
    if len(names) <= 3:
        return ", ".join(names)
    return f"{names[0]} to {names[-1]} ({len(names)})"
