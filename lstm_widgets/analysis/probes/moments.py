"""Sums over timesteps from which a linear readout is fitted and scored: they are read only once.

A least-squares fit needs of the states x and the targets y nothing but Σ1, Σx, Σxx', Σxy, Σy and Σy².
Of any union of atoms (see `folds`) they are the sums of those of the atoms. By phase of a period, the
same are kept of what the calendar needs: Σ1, Σx and Σy at each phase.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Sequence

    import numpy.typing as npt

    Flags = npt.NDArray[np.bool_]
    Floats = npt.NDArray[np.float64]
    Places = npt.NDArray[np.integer[Any]]

__all__ = ["Inputs", "Sums", "TargetSums", "Targets"]


@dataclass(frozen=True)
class Sums:
    """Of one set of timesteps, what the states add up to.

    ``n``; ``x`` ``(cell,)`` and ``xx`` ``(cell, cell)``; by phase ``phase_n`` ``(phase,)`` and
    ``phase_x`` ``(phase, cell)``.
    """

    n: float
    x: Floats
    xx: Floats
    phase_n: Floats
    phase_x: Floats


@dataclass(frozen=True)
class TargetSums:
    """Of one set of timesteps, what each of some targets adds up to.

    ``xy`` ``(cell, target)``, ``y`` and ``yy`` ``(target,)``, by phase ``phase_y`` ``(phase, target)``.
    """

    xy: Floats
    y: Floats
    yy: Floats
    phase_y: Floats

    def less(self, calendar: Floats, of: Sums) -> TargetSums:
        """Take from each target its calendar ``(phase, target)``: what is left are anomalies."""
        counted = of.phase_n[:, None] * calendar
        return TargetSums(
            self.xy - of.phase_x.T @ calendar,
            self.y - counted.sum(axis=0),
            self.yy - 2 * (calendar * self.phase_y).sum(axis=0) + (calendar * counted).sum(axis=0),
            self.phase_y - counted,
        )

    def spread(self, n: float) -> Floats:
        """Sum up the squares around the mean, ``(target,)``."""
        return np.asarray(self.yy - self.y**2 / n if n else self.yy)


class Inputs:
    """What the states add up to, by atom."""

    def __init__(self, atoms: int, cells: int, phases: int) -> None:
        self.n = np.zeros(atoms)
        self.x = np.zeros((atoms, cells))
        self.xx = np.zeros((atoms, cells, cells))
        self.phase_n = np.zeros((atoms, phases))
        self.phase_x = np.zeros((atoms, phases, cells))

    def add(self, x: Floats, atom: int, phase: Places) -> None:
        """Take in states ``(n, cell)`` of an atom, at some phases ``(n,)``."""
        self.n[atom] += len(x)
        self.x[atom] += x.sum(axis=0)
        self.xx[atom] += x.T @ x
        self.phase_n[atom] += np.bincount(phase, minlength=self.phase_n.shape[1])
        _add_by_phase(self.phase_x[atom], x, phase)

    def take(self, other: Inputs, atoms: list[int]) -> None:
        """Add what was summed up elsewhere, of some atoms."""
        for mine, theirs in zip(_arrays(self), _arrays(other), strict=True):
            mine[atoms] += theirs

    def of(self, atoms: Flags) -> Sums:
        """Sum up over atoms."""
        return Sums(
            float(self.n[atoms].sum()),
            self.x[atoms].sum(axis=0),
            self.xx[atoms].sum(axis=0),
            self.phase_n[atoms].sum(axis=0),
            self.phase_x[atoms].sum(axis=0),
        )


class Targets:
    """What targets add up to, alone and with the states, by atom."""

    def __init__(self, atoms: int, cells: int, phases: int, count: int) -> None:
        self.xy = np.zeros((atoms, cells, count))
        self.y = np.zeros((atoms, count))
        self.yy = np.zeros((atoms, count))
        self.phase_y = np.zeros((atoms, phases, count))

    def add(self, x: Floats, y: Floats, atom: int, phase: Places) -> None:
        """Take in states ``(n, cell)`` and targets ``(n, target)`` of an atom."""
        self.xy[atom] += x.T @ y
        self.y[atom] += y.sum(axis=0)
        self.yy[atom] += np.einsum("ij,ij->j", y, y)
        _add_by_phase(self.phase_y[atom], y, phase)

    def take(self, other: Targets, atoms: list[int]) -> None:
        """Add what was summed up elsewhere, of some atoms."""
        for mine, theirs in zip(_arrays(self), _arrays(other), strict=True):
            mine[atoms] += theirs

    def of(self, atoms: Flags, columns: slice | Sequence[int]) -> TargetSums:
        """Sum up over atoms, of some of the targets."""
        return TargetSums(
            self.xy[atoms][..., columns].sum(axis=0),
            self.y[atoms][:, columns].sum(axis=0),
            self.yy[atoms][:, columns].sum(axis=0),
            self.phase_y[atoms][..., columns].sum(axis=0),
        )


def _arrays(sums: Inputs | Targets) -> list[Floats]:
    return [*vars(sums).values()]


def _add_by_phase(sums: Floats, values: Floats, phase: Places) -> None:
    """Add values ``(n, column)`` to sums ``(phase, column)``."""
    if len(sums) <= 1:
        sums += values.sum(axis=0)
        return
    from scipy.sparse import csr_array  # noqa: PLC0415

    n = len(values)
    at = csr_array((np.ones(n), (phase, np.arange(n))), shape=(len(sums), n))
    sums += at @ values
