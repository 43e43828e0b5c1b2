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
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from lstm_widgets.analysis.probes.numbered import Atoms

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Sequence

    import numpy.typing as npt

    Flags = npt.NDArray[np.bool_]
    Floats = npt.NDArray[np.float64]
    Places = npt.NDArray[np.integer[Any]]

__all__ = [
    "Folds",
    "cut_in_time",
    "cut_into_groups",
    "cut_lines_in_time",
    "cut_lines_into_groups",
]

#: In so many parts a training part is cut to choose what is chosen inside of it.
INNER = 5
# A fold is cut so that what is left when one is taken away has this many units at least.
_LEFT = 4


@dataclass(frozen=True)
class Folds:
    """The folds of a layer's timesteps.

    Attributes
    ----------
    atom : int array (n,), or Atoms
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

    atom: Places | Atoms
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

    @property
    def begins(self) -> Places:
        """Where atoms begin, in the order of the timesteps."""
        if isinstance(self.atom, Atoms):
            return self.atom.starts
        return np.flatnonzero(np.append(True, np.diff(self.atom) != 0))

    def at(self, among: slice | Places) -> Places:
        """Tell by which fold some timesteps are held out."""
        return np.asarray(self.of_atom[self.atom[among]])

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
    near = gap * (1 - 1e-9)  # dates in units of a timestep are rounded
    zones = []
    for run, (start, stop) in enumerate(zip(runs.tolist(), ends.tolist(), strict=True)):
        first, last = int(lines[line_of_run[run]]), int(line_ends[line_of_run[run]])
        left = first + int(np.searchsorted(b[first:start], b[start] - near, side="right"))
        right = stop + int(np.searchsorted(b[stop:last], b[stop - 1] + near, side="left"))
        zones.append(_Zone(start, stop, int(u[start]), left, right))
    atom = np.empty(n, np.intp)
    found, inside, beside = _atoms(zones, len(fold))
    for (start, stop), own in zip(pairwise([*found[:, 0].tolist(), n]), found[:, 1], strict=True):
        atom[order[start:stop]] = own
    return Folds(atom, inside, beside, fold, tuple(names))


class _Zone(NamedTuple):
    """Timesteps of a unit that follow each other, and how far those go that are too near to them."""

    start: int
    stop: int
    unit: int
    left: int
    right: int


def _atoms(zones: Sequence[_Zone], units: int) -> tuple[Places, Flags, Flags]:
    """Gather timesteps into atoms.

    Parameters
    ----------
    zones : sequence of _Zone
        All timesteps, in the order of time.
    units : int
        How many units there are.

    Returns
    -------
    int array (stretch, 2)
        Where atoms begin, and which ones.
    inside, near : bool array (unit, atom)
        As of `Folds`.
    """
    # Where the zone of a unit begins (+1) and ends (-1), in the order of time.
    events: dict[int, list[tuple[int, int]]] = {}
    for start, stop, one, left, right in zones:
        for begin, end in ((left, start), (stop, right)):
            if begin < end:
                events.setdefault(begin, []).append((one, 1))
                events.setdefault(end, []).append((one, -1))
    signatures: dict[tuple[int, frozenset[int]], int] = {}
    count = np.zeros(units, np.intp)
    found = []
    own_of = {zone.start: zone.unit for zone in zones}
    own = 0
    for start in sorted({*own_of, *events} - {zones[-1].stop}):
        for one, change in events.get(start, ()):
            count[one] += change
        own = own_of.get(start, own)
        zone = frozenset(np.flatnonzero(count).tolist()) - {own}
        found.append((start, signatures.setdefault((own, zone), len(signatures))))
    return (
        np.array(found, np.intp),
        _flags(units, ([own] for own, _ in signatures)),
        _flags(units, (zone for _, zone in signatures)),
    )


# Of long series, one after the other ---------------------------------------------------------------


def cut_lines_in_time(
    lines: Sequence[slice], *, count: int, gap: int, near: Callable[[int, int], tuple[int, int]]
) -> Folds:
    """Cut series into folds that stand one after the other, with no timestep twice; as `cut_in_time`.

    Parameters
    ----------
    lines : sequence of slice
        Which timesteps each of them has, in order.
    count, gap : int
        As for `cut_in_time`.
    near : callable
        From the first and the last timestep of a stretch to the first that isn't too far from it, and
        the one after the last, whatever series they belong to.
    """
    each = _per_fold(count)
    unit = _even(lines[-1].stop, count * each)
    cuts = [(first, k) for k, first in enumerate(unit)]
    fold = np.arange(count * each) // each
    return _of_lines(lines, cuts, gap=gap, near=near, fold=fold, names=[""] * count)


def cut_lines_into_groups(
    lines: Sequence[slice],
    *,
    group: Places,
    count: int,
    gap: int,
    near: Callable[[int, int], tuple[int, int]],
    names: Sequence[str],
    runs: Sequence[slice] | None = None,
) -> Folds:
    """Gather groups of such series into folds; as `cut_into_groups`.

    Parameters
    ----------
    lines, gap, near : sequence of slice, int, callable
        As for `cut_lines_in_time`.
    group : int array (run,)
        The group of each series, or run, from 0.
    count, names : int, sequence of str
        As for `cut_into_groups`.
    runs : sequence of slice, optional
        The timesteps that are of one group, one after the other. Default: those of each series.
    """
    each = _per_fold(count)
    runs = lines if runs is None else runs
    lengths = np.array([run.stop - run.start for run in runs], np.intp)
    sizes = np.bincount(group, lengths, minlength=len(names)).astype(np.intp)
    fold_of = _balanced(sizes, count)
    called: list[str] = []
    fold: list[int] = []
    cuts: list[tuple[int, int]] = []
    for k in range(count):
        members = np.flatnonzero(fold_of == k)
        called.append(_listed([names[n] for n in members.tolist()]))
        own = np.flatnonzero(fold_of[group] == k)
        made = len(fold)
        if len(members) >= each:
            parts = np.zeros(len(names), np.intp)
            parts[members] = _balanced(sizes[members], each)
            cuts += [(runs[n].start, made + int(parts[group[n]])) for n in own.tolist()]
            fold += [k] * (int(parts[members].max()) + 1)
            continue
        # One after the other, as if there were no others.
        ends = np.cumsum(lengths[own])
        starts = _even(int(ends[-1]), min(each, int(ends[-1])))
        for first in sorted({*starts, *(ends - lengths[own]).tolist()}):
            run = int(np.searchsorted(ends, first, side="right"))
            place = runs[own[run]].start + first - int(ends[run] - lengths[own[run]])
            cuts.append((place, made + int(np.searchsorted(starts, first, side="right")) - 1))
        fold += [k] * len(starts)
    return _of_lines(lines, sorted(cuts), gap=gap, near=near, fold=np.array(fold), names=called)


def _even(size: int, count: int) -> list[int]:
    """Tell where each of so many parts begins, as `_balanced` cuts what is all of the same size."""
    cuts = np.ceil(size * np.arange(1, count) / count - 0.5).astype(np.intp)
    low = np.arange(1, count)
    cuts = np.maximum.accumulate(np.maximum(cuts, low) - low) + low
    return [0, *np.minimum(cuts, size - count + low).tolist()]


def _of_lines(
    lines: Sequence[slice],
    cuts: Sequence[tuple[int, int]],
    *,
    gap: int,
    near: Callable[[int, int], tuple[int, int]],
    fold: Places,
    names: Sequence[str],
) -> Folds:
    """Make folds of where units begin."""
    units = dict(cuts)
    begins = sorted({*units, *(line.start for line in lines)})
    firsts = np.array([line.start for line in lines])
    zones: list[_Zone] = []
    unit = 0
    for start, stop in pairwise([*begins, lines[-1].stop]):
        unit = units.get(start, unit)
        line = lines[int(np.searchsorted(firsts, start, side="right")) - 1]
        left, right = near(start, stop - 1) if gap else (start, stop)
        zones.append(_Zone(start, stop, unit, max(left, line.start), min(right, line.stop)))
    found, inside, beside = _atoms(zones, len(fold))
    atoms = Atoms(found[:, 0], found[:, 1], lines[-1].stop)
    return Folds(atoms, inside, beside, fold, tuple(names))


def _flags(units: int, of_atoms: Iterable[Iterable[int]]) -> Flags:
    columns = [np.isin(np.arange(units), list(one)) for one in of_atoms]
    return np.stack(columns, axis=1)


def _listed(names: Sequence[str]) -> str:
    """Name several groups: the first and the last of many."""
    if len(names) <= 3:
        return ", ".join(names)
    return f"{names[0]} to {names[-1]} ({len(names)})"
