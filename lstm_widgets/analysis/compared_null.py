"""How alike two networks would look by chance: the second one shifted in time, or its cells mixed."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from lstm_widgets.analysis.co_moments import least_square, row_blocks, rows
from lstm_widgets.analysis.ranked_tracks import ENOUGH_CYCLES
from lstm_widgets.analysis.similarity import (
    at_partners,
    directions,
    linear_cka,
    matched,
    svcca,
)
from lstm_widgets.analysis.split_and_shift import Part, pieces_of
from lstm_widgets.rnn.parallel import alone, mapped

if TYPE_CHECKING:
    from collections.abc import Callable

    import numpy.typing as npt
    import xarray as xr

    from lstm_widgets.analysis.series import Origin

    Doubles = npt.NDArray[np.float64]
    Singles = npt.NDArray[np.float32]
    Flags = npt.NDArray[np.bool_]
    Places = npt.NDArray[np.integer]

__all__ = ["Shifted", "rotated", "shifted", "told_by"]

#: Products of values that shifting may take, and values that are held for it.
WORK = 1 << 40
HELD = 1 << 24


@dataclass(frozen=True)
class Shifted:
    """What comes out if the second network is circularly shifted.

    Attributes
    ----------
    timesteps : int
        Of how many timesteps.
    correlation : float64 array (cell, other cell)
        Of these, without a shift.
    null : float32 array (cell, shift)
        The magnitude of the correlation that each cell has with its partner, after a new matching.
    quick_correlation, quick_null : float array, optional
        The same, with the same partners, without what changes slowly in the first network; None where
        nothing does.
    cka, svcca : float
        Of these timesteps, without a shift.
    cka_null, svcca_null : float64 array (shift,)
        With shifts.
    """

    timesteps: int
    correlation: Doubles
    null: Singles
    quick_correlation: Doubles | None
    quick_null: Singles | None
    cka: float
    svcca: float
    cka_null: Doubles
    svcca_null: Doubles


def told_by(
    mask: Flags, origin: Origin, cells: tuple[int, int], shifts: int, rng: np.random.Generator
) -> Flags:
    """Choose the timesteps that are shifted: all, or, of many, those of series that are drawn.

    Parameters
    ----------
    mask : bool array (example, timestep)
        False marks padding.
    origin : Origin
        How the examples hang together.
    cells : tuple of int
        How many cells each network has.
    shifts : int
        How many shifts there will be.
    rng : numpy.random.Generator
        What is drawn from.

    Returns
    -------
    bool array (example, timestep)
    """
    p, q = (max(1, n) for n in cells)
    most = min(WORK // (4 * p * q * max(1, shifts)), HELD // (p + q))
    if int(np.count_nonzero(mask)) <= most:
        return mask
    there = np.zeros(int(np.count_nonzero(mask)), np.bool_)
    pieces = sorted(pieces_of(mask, origin), key=lambda piece: piece.order)
    for segment in rng.permutation(np.unique([piece.segment for piece in pieces])).tolist():
        for piece in pieces:
            if piece.segment == segment and most > 0:
                there[piece.start : piece.start + min(len(piece), most)] = True
                most -= len(piece)
    chosen = np.zeros(mask.shape, np.bool_)
    chosen[mask] = there
    return chosen


def shifted(
    both: xr.Dataset,
    origin: Origin,
    there: Flags,
    *,
    shifts: int,
    rng: np.random.Generator,
    advance: Callable[[], object],
) -> Shifted:
    """Shift the second network within each series, again and again, and compare anew.

    Parameters
    ----------
    both : xarray.Dataset
        As of ``beside``.
    origin : Origin
        How the examples hang together.
    there : bool array (example, timestep)
        The timesteps that are compared.
    shifts : int
        How often.
    rng : numpy.random.Generator
        What is drawn from.
    advance : callable
        Called after each shift.
    """
    part = Part.of(pieces_of(there, origin), np.zeros(1, np.intp))
    by = rng.random((shifts, part.segments))
    one, other = _read(both, there)
    scale_one, scale_other = (np.sqrt((x**2).sum(axis=0)) for x in (one, other))
    within, within_other = one.T @ one, other.T @ other
    axes = directions(within), directions(within_other)
    slow = part.slow(ENOUGH_CYCLES)
    quick = one - slow @ (slow.T @ one)
    # Where nothing is slow, there is nothing to take away.
    sides = [_unit(one), _unit(quick)] if slow.shape[1] else [_unit(one)]
    held = np.concatenate(sides, axis=1).astype(np.float32)
    second = _unit(other).astype(np.float32)
    p = one.shape[1]

    def compared(moved: Places | slice) -> tuple[list[Doubles], Doubles]:
        products = (held.T @ second[moved]).astype(np.float64)
        parts = [
            _known(products[k : k + p], scale_one, scale_other) for k in range(0, len(products), p)
        ]
        return parts, products[:p] * scale_one[:, None] * scale_other

    own, between = compared(slice(None))
    null = np.full((len(own), p, len(by)), np.nan, np.float32)
    wholes = np.empty((2, len(by)))
    moving = _moving(part)

    def once(k: int) -> None:
        found, products = compared(moving(by[k : k + 1])[0])
        partner = matched(found[0])
        for n, correlation in enumerate(found):
            null[n, :, k] = np.abs(at_partners(correlation, partner))
        wholes[:, k] = linear_cka(within, products, within_other), svcca(products, *axes)
        advance()

    with alone():
        mapped(once, range(len(by)))
    return Shifted(
        timesteps=len(part.places),
        correlation=own[0],
        null=null[0],
        quick_correlation=own[1] if len(own) > 1 else None,
        quick_null=null[1] if len(own) > 1 else None,
        cka=linear_cka(within, between, within_other),
        svcca=svcca(between, *axes),
        cka_null=wholes[0],
        svcca_null=wholes[1],
    )


def rotated(correlation: Doubles, first: int, times: int, rng: np.random.Generator) -> Singles:
    """Mix the cells of the second network at random, again and again, and match anew.

    Each time they are rotated: what they span stays the same, but none of them stands for itself.

    Parameters
    ----------
    correlation : float64 array (cell, cell)
        Of the cells of both networks; NaN where it isn't known.
    first : int
        How many of them are those of the first.
    times : int
        How often.
    rng : numpy.random.Generator
        What is drawn from.

    Returns
    -------
    float32 array (cell, time)
        The magnitude of the correlation that each cell has with its partner.
    """
    known = ~np.isnan(np.diagonal(correlation)[first:])
    between = correlation[:first, first:][:, known]
    within = correlation[first:, first:][np.ix_(known, known)]
    null = np.full((first, times), np.nan, np.float32)
    q = len(within)
    draws = rng.spawn(times)

    def once(k: int) -> None:
        # Of Gaussian numbers, and with signs that make it unique: so every rotation is as likely.
        turn, upper = np.linalg.qr(draws[k].normal(size=(q, q)))
        turn *= np.sign(np.diagonal(upper))
        length = np.sqrt(np.einsum("ij,ij->j", turn, within @ turn).clip(np.finfo(float).tiny))
        mixed = (between @ turn / length).clip(-1, 1)
        null[:, k] = np.abs(at_partners(mixed, matched(mixed)))

    with alone():
        mapped(once, range(times if q else 0))
    return null


def _read(both: xr.Dataset, there: Flags) -> tuple[Doubles, Doubles]:
    """Read both signals at some timesteps, less their means; 0 for cells that have none."""
    parts = []
    for block in row_blocks(both):
        wanted = there[block.examples, block.timesteps]
        if wanted.any():
            parts.append(rows(block, wanted))
    width = both.sizes["cell"] + both.sizes["cell_b"]
    values = np.concatenate(parts) if parts else np.zeros((0, width))
    mean = values.sum(axis=0) / max(1, len(values))
    with np.errstate(invalid="ignore", over="ignore"):
        values -= mean
        changing = np.einsum("ij,ij->j", values, values) > least_square(len(values), mean)
    values[:, ~(np.isfinite(values).all(axis=0) & changing)] = 0
    return values[:, : both.sizes["cell"]], values[:, both.sizes["cell"] :]


def _unit(values: Doubles) -> Doubles:
    length = np.sqrt((values**2).sum(axis=0))
    return values / np.where(length > 0, length, 1)


def _known(correlation: Doubles, one: Doubles, other: Doubles) -> Doubles:
    known = (one > 0)[:, None] & (other > 0)
    return np.where(known, correlation.clip(-1, 1), np.nan)


def _moving(part: Part) -> Callable[[Doubles], Places]:
    """Choose how what belongs together is shifted, as a track of ``rank_cells`` would be."""
    if len(part.slots) < len(part.places):
        return part.shifted_windows  # windows overlap: a state is another one in each of them
    if int(part.lengths.max(initial=1)) == 1:
        return part.permuted
    return part.shifted
