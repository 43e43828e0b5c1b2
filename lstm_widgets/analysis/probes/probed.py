"""What a probe reads: states once, for all targets together, a block of timesteps at a time."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from lstm_widgets.analysis import blocks
from lstm_widgets.analysis.probes.moments import Inputs, Targets

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    import numpy.typing as npt
    import xarray as xr

    from lstm_widgets.analysis.probes.calendars import Period
    from lstm_widgets.analysis.probes.folds import Folds
    from lstm_widgets.analysis.probes.null_targets import NullTargets
    from lstm_widgets.concepts.concept import Kind

    Flags = npt.NDArray[np.bool_]
    Floats = npt.NDArray[np.float64]
    Places = npt.NDArray[np.integer[Any]]

__all__ = ["Probed", "Target"]

# States of yes/no concepts that are kept for the logistic regression, in values.
_KEPT_VALUES = 1 << 23
# Timesteps at which the AUROC of moved tracks is worked out.
_NULL_TIMESTEPS = 20_000


@dataclass(frozen=True)
class Target:
    """One concept, as it is read from the states: at each lag, and moved for the null.

    Attributes
    ----------
    name, kind : str
        Of the concept.
    mean : float
        Its mean, which is taken from what follows.
    lagged : float64 array (lag, n)
        What it is at each lag.
    null : NullTargets, optional
        How it is moved.
    """

    name: str
    kind: Kind
    mean: float
    lagged: Floats
    null: NullTargets | None

    @property
    def moved(self) -> slice:
        """The columns of the moved ones."""
        first = len(self.lagged)
        return slice(first, first + (self.null.count if self.null else 0))

    def columns(self, among: slice | Places) -> Floats:
        """Return it at each lag, and then moved, at some timesteps: ``(n, lag + shift)``."""
        own = self.lagged[:, among]
        if self.null is None:
            return np.asarray(own.T)
        return np.concatenate([own, self.lagged[0][self.null.sources(among)]]).T


class Probed:
    """The states at the timesteps at which some targets are known, summed up.

    Attributes
    ----------
    inputs, targets : Inputs, Targets for each target
        The sums, by atom.
    finite : bool array (n,)
        At which timesteps all states are finite.
    offset : float64 array (cell,)
        What was taken from the states before they were summed up.
    apart : int
        Of how many timesteps the states of one are kept, for yes/no concepts.
    kept, at : float32 array (k, cell), int array (k,)
        These states, evenly spaced, and which they are.
    """

    def __init__(
        self,
        signal: xr.DataArray,
        rows: Flags,
        *,
        cells: Places,
        folds: Folds,
        period: Period,
        targets: Sequence[Target],
    ) -> None:
        self._signal, self._rows, self.chosen = signal, rows, cells
        self.folds, self.period, self.asked = folds, period, targets
        self.n = len(folds.atom)
        atoms, count = folds.inside.shape[1], period.count
        self.inputs = Inputs(atoms, len(cells), count)
        self.targets = [Targets(atoms, len(cells), count, one.moved.stop) for one in targets]
        self.finite = np.ones(self.n, np.bool_)
        self.offset = np.zeros(len(cells))
        self._width: int = len(cells) + max(one.moved.stop for one in targets)
        yes_no = any(one.kind == "yes_no" for one in targets)
        self.apart = max(1, -(-self.n * len(cells) // _KEPT_VALUES))
        self.at = np.arange(0, self.n if yes_no else 0, self.apart)
        self.kept = np.zeros((len(self.at), len(cells)), np.float32)

    @property
    def steps(self) -> int:
        """How many blocks are read, about."""
        return 1 + self.n * self._width // blocks.ROW_VALUES

    @property
    def judged(self) -> slice:
        """Which of the timesteps that are kept the AUROCs of moved tracks are worked out at."""
        return slice(None, None, max(1, len(self.at) // _NULL_TIMESTEPS))

    def read(self, advance: Callable[[], object]) -> None:
        """Sum up states and targets."""
        for number, (rows, values) in enumerate(self._blocks()):
            here = np.isfinite(values @ np.ones(values.shape[1], np.float32))
            here &= np.isfinite(values).all(axis=1) if not here.all() else True
            self.finite[rows] = here
            places = np.flatnonzero(here) + rows.start
            x = values[here].astype(np.float64)
            if not number and len(x):
                self.offset = x.mean(axis=0)  # sums around it lose no digits
            x -= self.offset
            self._keep(rows, values)
            self._sum(x, places)
            advance()
        self.at, self.kept = self.at[self.finite[self.at]], self.kept[self.finite[self.at]]

    def _sum(self, x: Floats, places: Places) -> None:
        if not len(places):
            return
        atom, phase = self.folds.atom[places], self.period.bins[places]
        order = np.argsort(atom, kind="stable")
        if (np.diff(atom) < 0).any():
            x, places, atom, phase = x[order], places[order], atom[order], phase[order]
        starts = np.flatnonzero(np.append(True, atom[1:] != atom[:-1]))
        parts = [slice(a, b) for a, b in zip(starts, [*starts[1:], len(atom)], strict=True)]
        for part in parts:
            self.inputs.add(x[part], int(atom[part.start]), phase[part])
        for one, sums in zip(self.asked, self.targets, strict=True):
            y = one.columns(places)
            for part in parts:
                sums.add(x[part], y[part], int(atom[part.start]), phase[part])

    def _keep(self, rows: slice, values: npt.NDArray[np.float32]) -> None:
        first, last = np.searchsorted(self.at, [rows.start, rows.stop])
        self.kept[first:last] = values[self.at[first:last] - rows.start]

    def predict(
        self, weights: Floats, intercept: Floats, advance: Callable[[], object]
    ) -> npt.NDArray[np.float64]:
        """Read the states again, and say what each fold's readouts make of what it holds out.

        Parameters
        ----------
        weights, intercept : float64 array (fold, cell, readout), float64 array (fold, readout)
            Of states less `offset`.
        advance : callable
            Called after each block.

        Returns
        -------
        float64 array (n, readout)
            NaN where a state isn't finite.
        """
        found = np.full((self.n, weights.shape[2]), np.nan)
        fold_of = self.folds.of_atom[self.folds.atom]
        for rows, values in self._blocks():
            folds = fold_of[rows]
            x = values.astype(np.float64) - self.offset
            here = self.finite[rows]
            for fold in np.unique(folds[here]):
                which = np.flatnonzero(here & (folds == fold))
                chosen = x if len(which) == len(x) else x[which]
                found[rows.start + which] = chosen @ weights[fold] + intercept[fold]
            advance()
        return found

    def _blocks(self) -> Iterator[tuple[slice, npt.NDArray[np.float32]]]:
        every = len(self.chosen) == self._signal.shape[2]
        for rows, values in blocks.row_blocks(self._signal, self._rows, self._width):
            yield rows, values if every else values[:, self.chosen]
