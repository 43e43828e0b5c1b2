"""Statistics on arrays that more than one question needs: ranks, thresholds, false discoveries.

What SciPy has is SciPy's. Ranks and AUROCs of many rows are our own, for their speed: see
``benchmarks/ranking.py``.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from lstm_widgets.rnn.parallel import mapped

if TYPE_CHECKING:
    import numpy.typing as npt

    Floats = npt.NDArray[np.floating[Any]]
    Places = npt.NDArray[np.integer[Any]]

__all__ = ["best_threshold", "q_values", "ranked_rows", "ranks_within"]


def ranked_rows(values: Floats) -> tuple[npt.NDArray[np.int32], npt.NDArray[np.float64]]:
    """Sort each row, and rank its values.

    Parameters
    ----------
    values : float array (row, n)
        Finite numbers.

    Returns
    -------
    order : int32 array (row, n)
        The places of the values, smallest first.
    ranks : float64 array (row, n)
        Ranks less their mean (so that they sum up to 0); equal values share
        the mean of theirs.
    """
    order = np.empty(values.shape, np.int32)
    ranks = np.empty(values.shape, np.float64)
    different = _ranks_of_different(values.shape[1])

    def one(row: int) -> None:
        places = _order(values[row])
        order[row] = places
        ranks_of_row = ranks[row]
        ranks_of_row[places] = _shared_ranks(values[row][places], different)

    mapped(one, range(len(values)))  # sorting lets go of the interpreter's lock
    return order, ranks


def _order(values: npt.NDArray[Any]) -> npt.NDArray[np.intp]:
    """Return the places of floats, smallest first: as argsort, but by their bits, 16 at a time.

    A stable argsort of 16-bit numbers counts instead of comparing, which is several times as quick.
    """
    size = 8 * values.dtype.itemsize
    bits = (values + values.dtype.type(0)).view(f"u{size // 8}")  # -0 becomes 0
    # In this form they are in order as numbers without a sign: negative ones with all bits turned
    # round, the others with the first.
    turned = (bits.view(f"i{size // 8}") >> (size - 1)).view(bits.dtype)
    turned |= bits.dtype.type(1 << (size - 1))
    bits ^= turned
    order = np.argsort(bits.astype(np.uint16), kind="stable")
    for digit in range(16, size, 16):
        order = order[np.argsort((bits >> digit).astype(np.uint16)[order], kind="stable")]
    return order


def _ranks_of_different(n: int) -> npt.NDArray[np.float64]:
    """Rank n sorted values that all differ, less the mean rank."""
    return np.arange(n, dtype=np.float64) - (n - 1) / 2


def _shared_ranks(
    ordered: npt.NDArray[Any], ranks: npt.NDArray[np.float64]
) -> npt.NDArray[np.float64]:
    """Rank sorted values, of which equal ones share the mean of theirs."""
    same = ordered[1:] == ordered[:-1]
    if same.any():
        firsts = np.flatnonzero(np.append(True, ~same))
        counts = np.diff(np.append(firsts, len(ordered)))
        ranks = np.repeat(ranks[firsts] + (counts - 1) / 2, counts)
    return ranks


def ranks_within(
    values: Floats, order: Places, chosen: npt.NDArray[np.bool_]
) -> npt.NDArray[np.float64]:
    """Rank those values of each row that are chosen, 0 elsewhere; ``order`` as of `ranked_rows`."""
    ranks = np.zeros(values.shape)
    different = _ranks_of_different(int(chosen.sum()))
    for row, places in enumerate(order):
        kept = places[chosen[places]]
        ranks[row, kept] = _shared_ranks(values[row, kept], different)
    return ranks


def auroc_scale(tracks: npt.NDArray[Any]) -> npt.NDArray[np.float64]:
    """Return what makes 2·AUROC − 1 of the sum of the ranks where a track says yes.

    The AUROC is how often a value where the track says yes is above one where it says no; equal
    values count one half.

    Parameters
    ----------
    tracks : array (..., n)
        0 and 1.

    Returns
    -------
    numpy.ndarray
        float64 ``(...)``; NaN where a track is yes or no everywhere.
    """
    # Up to here float32 sums up ones exactly, several times as fast.
    short = tracks.shape[-1] <= 1 << 24
    yes = tracks.sum(axis=-1, dtype=np.float32 if short else np.float64).astype(np.float64)
    pairs = yes * (tracks.shape[-1] - yes)
    return np.where(pairs > 0, 2 / np.where(pairs > 0, pairs, 1), np.nan)


def best_threshold(
    ordered: Floats, tracks: npt.NDArray[np.uint8], signs: npt.NDArray[np.int8]
) -> Floats:
    """Find the threshold with the best F1 for each track.

    Tried are the values at some 400 places of the order, close to each other at both ends; with
    fewer values, all of them. So what is lost is less than what lies between two places.

    Parameters
    ----------
    ordered : float array (n,)
        The values of one cell, smallest first, ``(n,)``.
    tracks : uint8 array (track, n)
        0 and 1 in the same order, ``(track, n)``.
    signs : int8 array (track,)
        1: yes is ``value >= threshold``; -1: ``value <= threshold``; ``(track,)``.

    Returns
    -------
    numpy.ndarray
        ``(track,)``, in the dtype of the values; NaN if all of them are equal.
    """
    n = len(ordered)
    starts = np.unique(np.searchsorted(ordered, ordered[places_of(n)]))
    starts = starts[starts > 0]  # a threshold that all values pass tells nothing
    if not len(starts):
        return np.full(len(tracks), np.nan, ordered.dtype)
    pieces = np.add.reduceat(tracks, np.append(0, starts), axis=1, dtype=np.int64)
    below = np.cumsum(pieces, axis=1)[:, :-1]
    yes = pieces.sum(axis=1, keepdims=True)
    up = signs[:, None] > 0
    found = np.where(up, yes - below, below)
    called = np.where(up, n - starts, starts)
    best = (found / (called + yes)).argmax(axis=1)
    return np.asarray(np.where(signs > 0, ordered[starts[best]], ordered[starts[best] - 1]))


def places_of(n: int) -> npt.NDArray[np.intp]:
    """Choose places of an order of n: about evenly, and by steps that grow from each end."""
    ends = np.geomspace(1, max(n - 1, 1), 200).astype(np.intp)
    even = np.linspace(0, n - 1, 200).astype(np.intp)
    return np.unique(np.concatenate([even, ends, n - ends]).clip(0, n - 1))


def q_values(p_values: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    """
    Adjust p-values for the false discovery rate.

    Parameters
    ----------
    p_values : float64 array (n,)
        NaN stands for what wasn't tested.

    Returns
    -------
    float64 array (n,)
        By Benjamini & Hochberg 1995, Journal of the Royal Statistical Society B 57(1), 289-300.

    Examples
    --------
    >>> import numpy as np
    >>> q_values(np.array([0.01, np.nan, 0.04])).tolist()
    [0.02, nan, 0.04]
    """
    # Imported here: only who ranks pays for it.
    from scipy.stats import false_discovery_control  # noqa: PLC0415

    adjusted = np.full(p_values.shape, np.nan)
    tested = ~np.isnan(p_values)
    if tested.any():
        adjusted[tested] = false_discovery_control(p_values[tested], method="bh")
    return adjusted
