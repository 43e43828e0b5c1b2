"""What a probe reads: states once, for all targets together, a block of timesteps at a time."""

from __future__ import annotations

import functools
from dataclasses import dataclass
from itertools import pairwise
from typing import TYPE_CHECKING, Any

import numpy as np

from lstm_widgets.analysis import blocks
from lstm_widgets.analysis.probes.moments import Inputs, Targets
from lstm_widgets.analysis.probes.numbered import stretches
from lstm_widgets.recording.blockwise import blockwise

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    import numpy.typing as npt
    import xarray as xr

    from lstm_widgets.analysis.probes.calendars import Period
    from lstm_widgets.analysis.probes.folds import Folds
    from lstm_widgets.analysis.probes.null_targets import NullTargets
    from lstm_widgets.analysis.probes.numbered import Numbered
    from lstm_widgets.concepts.concept import Kind
    from lstm_widgets.concepts.packed import PackedTrack
    from lstm_widgets.recording.blockwise import Block

    Flags = npt.NDArray[np.bool_]
    Floats = npt.NDArray[np.float64]
    Places = npt.NDArray[np.integer[Any]]

__all__ = ["Probed", "Target", "mean_of"]

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
        Its mean, which is taken from it where it is fitted.
    lagged : sequence of PackedTrack
        What it is at each lag.
    null : NullTargets, optional
        How it is moved.
    """

    name: str
    kind: Kind
    mean: float
    lagged: Sequence[PackedTrack]
    null: NullTargets | None

    @property
    def moved(self) -> slice:
        """The columns of the moved ones."""
        first = len(self.lagged)
        return slice(first, first + (self.null.count if self.null else 0))

    def columns(self, among: slice | Places) -> Floats:
        """Return it at each lag, and then moved, less its mean, at some timesteps: ``(n, lag + shift)``."""
        own = np.stack([self.at_lag(k, among) for k in range(len(self.lagged))])
        if self.null is None:
            return np.asarray(own.T)
        moved = self.lagged[0].take(self.null.sources(among)).astype(np.float64)
        return np.concatenate([own, moved - self.mean]).T

    def at_lag(self, lag: int, among: slice | Places) -> Floats:
        """Return it at one lag, by its number, less its mean, at some timesteps."""
        track = self.lagged[lag]
        if isinstance(among, slice):
            values = track.block(slice(*among.indices(len(track))[:2]))
        else:
            values = track.take(among)
        return np.asarray(values.astype(np.float64) - self.mean)


def mean_of(said: PackedTrack) -> float:
    """Give the mean of a target."""
    parts = (said.block(part).sum(dtype=np.float64) for part in stretches(len(said)))
    return float(sum(parts)) / max(1, len(said))


@dataclass(frozen=True)
class _Read:
    """How states are read of a block.

    Attributes
    ----------
    signal : str
        What is read.
    cells : int array (cell,)
        Of which cells.
    rows : Numbered
        At which timesteps.
    """

    signal: str
    cells: Places
    rows: Numbered

    def of(self, block: Block) -> tuple[slice, npt.NDArray[np.float32], Flags]:
        """Give the numbers of timesteps, their states ``(n, cell)``, and where all are finite."""
        columns = block.columns
        rows, here = self.rows.within(columns), self.rows.here(columns)
        every = len(self.cells) == block.layer.sizes["cell"]
        if not here.any():
            return rows, np.zeros((0, len(self.cells)), np.float32), np.zeros(0, np.bool_)
        values = block.read(self.signal)
        flat = values.reshape(-1, values.shape[2])
        flat = flat if here.all() else flat[here]
        flat = flat if every else flat[:, self.cells]
        finite = np.isfinite(flat @ np.ones(flat.shape[1], np.float32))
        finite &= np.isfinite(flat).all(axis=1) if not finite.all() else True
        return rows, flat, finite


@dataclass(frozen=True)
class _Sums:
    """What a block adds: of each atom in it, in their order."""

    rows: slice
    finite: Flags
    kept: npt.NDArray[np.float32]
    atoms: list[int]
    inputs: Inputs
    targets: list[Targets]


def _sums(
    block: Block,
    *,
    read: _Read,
    offset: Floats,
    folds: Folds,
    period: Period,
    asked: Sequence[Target],
    apart: int,
) -> _Sums:
    """Sum up states and targets of a block."""
    rows, values, finite = read.of(block)
    kept = values[-rows.start % apart :: apart] if apart else values[:0]
    places = np.flatnonzero(finite) + rows.start
    x = values[finite].astype(np.float64) - offset
    atom, phase = folds.atom[places], period.bins[places].astype(np.intp)
    if (np.diff(atom) < 0).any():
        order = np.argsort(atom, kind="stable")
        x, places, atom, phase = x[order], places[order], atom[order], phase[order]
    known, starts = np.unique(atom, return_index=True)
    parts = [slice(a, b) for a, b in pairwise([*starts.tolist(), len(atom)])]
    inputs = Inputs(len(known), len(offset), period.count)
    for k, part in enumerate(parts):
        inputs.add(x[part], k, phase[part])
    every = []
    for one in asked:
        y = one.columns(places)
        sums = Targets(len(known), len(offset), period.count, one.moved.stop)
        for k, part in enumerate(parts):
            sums.add(x[part], y[part], k, phase[part])
        every.append(sums)
    return _Sums(rows, finite, np.ascontiguousarray(kept), known.tolist(), inputs, every)


def _mean(block: Block, *, read: _Read) -> Floats | None:
    """Give the mean of a block's states; None if there are none."""
    rows, values, finite = read.of(block)
    if rows.stop == rows.start:
        return None
    if not finite.any():
        return np.zeros(values.shape[1])
    return np.asarray(values[finite].astype(np.float64).mean(axis=0))


def _said_by(
    block: Block,
    *,
    read: _Read,
    offset: Floats,
    folds: Folds,
    weights: Floats,
    intercept: Floats,
) -> tuple[slice, Floats]:
    """Say what each fold's readouts make of the states of a block that it holds out."""
    rows, values, finite = read.of(block)
    found = np.full((len(values), weights.shape[2]), np.nan)
    fold = folds.at(rows)
    for one in np.unique(fold[finite]):
        here = np.flatnonzero(finite & (fold == one))
        chosen = values if len(here) == len(values) else values[here]
        x = chosen.astype(np.float64) - offset
        found[here] = x @ weights[one] + intercept[one]
    return rows, found


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
        layer: xr.Dataset,
        signal: str,
        rows: Numbered,
        *,
        cells: Places,
        folds: Folds,
        period: Period,
        targets: Sequence[Target],
    ) -> None:
        self.chosen = cells
        self.folds, self.period, self.asked = folds, period, targets
        self.n = len(folds.atom)
        atoms, count = folds.inside.shape[1], period.count
        self.inputs = Inputs(atoms, len(cells), count)
        self.targets = [Targets(atoms, len(cells), count, one.moved.stop) for one in targets]
        self.finite = np.ones(self.n, np.bool_)
        self.offset = np.zeros(len(cells))
        yes_no = any(one.kind == "yes_no" for one in targets)
        self.apart = max(1, -(-self.n * len(cells) // _KEPT_VALUES))
        self.at = np.arange(0, self.n if yes_no else 0, self.apart)
        self.kept = np.zeros((len(self.at), len(cells)), np.float32)
        width = len(cells) + max(one.moved.stop for one in targets)
        self._blocks = blocks.row_blocks(layer, width)
        self._read = _Read(signal, cells, rows)

    @property
    def judged(self) -> slice:
        """Which of the timesteps that are kept the AUROCs of moved tracks are worked out at."""
        return slice(None, None, max(1, len(self.at) // _NULL_TIMESTEPS))

    def read(self) -> None:
        """Sum up states and targets."""
        means = (_mean(block, read=self._read) for block in self._blocks)
        # Sums around it lose no digits.
        self.offset = next((mean for mean in means if mean is not None), self.offset)
        sums = functools.partial(
            _sums,
            read=self._read,
            offset=self.offset,
            folds=self.folds,
            period=self.period,
            asked=self.asked,
            apart=self.apart if len(self.at) else 0,
        )
        for found in blockwise(sums, self._blocks, desc="reading states"):
            self.finite[found.rows] = found.finite
            self.inputs.take(found.inputs, found.atoms)
            for mine, theirs in zip(self.targets, found.targets, strict=True):
                mine.take(theirs, found.atoms)
            if len(self.at):
                first = -(-found.rows.start // self.apart)
                self.kept[first : first + len(found.kept)] = found.kept
        self.at, self.kept = self.at[self.finite[self.at]], self.kept[self.finite[self.at]]

    def predict(self, weights: Floats, intercept: Floats) -> Iterator[tuple[slice, Floats]]:
        """Read the states again, and say what each fold's readouts make of what it holds out.

        Parameters
        ----------
        weights, intercept : float64 array (fold, cell, readout), float64 array (fold, readout)
            Of states less `offset`.

        Yields
        ------
        slice, float64 array (n, readout)
            Some timesteps, in order, and what is said of them; NaN where a state isn't finite.
        """
        said = functools.partial(
            _said_by,
            read=self._read,
            offset=self.offset,
            folds=self.folds,
            weights=weights,
            intercept=intercept,
        )
        yield from blockwise(said, self._blocks, desc="predicting")
