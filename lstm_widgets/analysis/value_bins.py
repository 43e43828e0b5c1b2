"""How often cells have which values, in bins so fine that ranks are as good as exact.

A float32 is sorted by its bits, once they are turned round where it is negative: its *key*. Bins are ranges
of keys, for each cell its own. Where one has too much of all values, and not the same one again and
again, it is cut further; so no distribution is too narrow or too wide. What is counted is whole
numbers, so that the order of blocks and their edges change nothing.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from lstm_widgets.rnn.scan import compiled_module

if TYPE_CHECKING:
    import numpy.typing as npt

    Floats = npt.NDArray[np.floating[Any]]
    Keys = npt.NDArray[np.uint32]
    Counts = npt.NDArray[np.integer[Any]]

__all__ = ["Bins", "coarse", "keys_of", "values_of"]

#: The share of all values that a bin has at most, unless they are all the same.
FULL = 1e-4

# Bits of a key by which values are counted first: sign, exponent, and some of what follows.
_TOP = 13
_LOW = 32 - _TOP
# Into how many a bin is cut at least, so that a few times are enough whatever the values.
_CUTS = 64
# Values that cells often have exactly, and what lies around them never.
_SPIKES = np.array([-1, 0, 1], np.float32)


def keys_of(values: Floats) -> Keys:
    """Turn float32 into whole numbers that are sorted as they are; -0 is 0."""
    bits: Keys = (values.astype(np.float32, copy=False) + np.float32(0)).view(np.uint32)
    turned = (bits.view(np.int32) >> 31).view(np.uint32) | np.uint32(1 << 31)
    return bits ^ turned


def values_of(keys: Keys) -> npt.NDArray[np.float32]:
    """Turn keys back into float32."""
    turned = np.where(keys >> 31 == 1, np.uint32(1 << 31), np.uint32(0xFFFFFFFF))
    return np.asarray((keys ^ turned).view(np.float32))


def coarse(keys: Keys) -> Counts:
    """Count keys ``(cell, n)`` by their highest bits: ``(cell, group)``."""
    groups = 1 << _TOP
    return np.stack([np.bincount(row, minlength=groups) for row in keys >> _LOW])


@dataclass(frozen=True)
class Bins:
    """Bins of some cells, one cell's after the other's.

    Attributes
    ----------
    edges : uint32 array (bin,)
        The smallest key of each bin; of the first of a cell 0.
    offsets : int array (cell + 1,)
        Where the bins of each cell begin.
    """

    edges: Keys
    offsets: npt.NDArray[np.int64]

    @classmethod
    def first(cls, counts: Counts, full: float) -> Bins:
        """Choose bins by what `coarse` counted, of parts ``(part, cell, group)``."""
        cells = counts.shape[1]
        groups = np.arange(1 << _TOP, dtype=np.uint32) << _LOW
        edges, offsets = np.tile(groups, cells), np.arange(cells + 1) * len(groups)
        spikes = keys_of(_SPIKES)
        bins = cls(edges, offsets).cut(counts.reshape(len(counts), -1), full, 2)
        return bins.with_edges(np.concatenate([spikes, spikes + 1]))

    @classmethod
    def of(cls, edges: list[Keys]) -> Bins:
        """Put those of several cells together."""
        sizes = np.array([0, *map(len, edges)], np.int64)
        return cls(np.concatenate([np.zeros(0, np.uint32), *edges]), np.cumsum(sizes))

    def __len__(self) -> int:
        return len(self.edges)

    @property
    def cells(self) -> int:
        """Of how many cells they are."""
        return len(self.offsets) - 1

    def of_cell(self, cell: int) -> slice:
        """Where the bins of a cell are."""
        return slice(int(self.offsets[cell]), int(self.offsets[cell + 1]))

    def place(self, keys: Keys) -> npt.NDArray[np.int32]:
        """Find the bins of keys ``(cell, n)``, each among those of its cell."""
        out = np.empty(keys.shape, np.int32)
        compiled = compiled_module("compiled_bins")
        if compiled is not None:
            compiled.place(keys, self.edges, self.offsets, out)
            return out
        for cell, row in enumerate(keys):
            out[cell] = np.searchsorted(self.edges[self.of_cell(cell)], row, side="right") - 1
        return out

    def count(self, keys: Keys) -> Counts:
        """Count keys ``(cell, n)``: ``(bin,)``."""
        places = self.place(keys)
        sizes = np.diff(self.offsets)
        return np.concatenate(
            [np.bincount(row, minlength=n) for row, n in zip(places, sizes, strict=True)]
        ).astype(np.uint32)

    def widths(self, cell: int) -> npt.NDArray[np.int64]:
        """How many keys each bin of a cell has."""
        return np.diff(np.append(self.edges[self.of_cell(cell)].astype(np.int64), 1 << 32))

    def shares(self, counts: Counts, cell: int) -> npt.NDArray[np.float64]:
        """Tell what share of its part each bin of a cell has, if it may be more than one value; else 0."""
        own = counts[:, self.of_cell(cell)]
        shares = own / np.maximum(own.sum(axis=1, keepdims=True), 1)
        shares[:, (self.widths(cell) < 2) | (own.sum(axis=0) < 2)] = 0
        return np.asarray(shares)

    def sums(self, counts: Floats | Counts) -> npt.NDArray[Any]:
        """Sum up over the bins of each cell: ``(part, cell)``."""
        return np.asarray(np.add.reduceat(counts, self.offsets[:-1], axis=1, dtype=np.float64))

    def full(self, counts: Counts, full: float) -> bool:
        """Tell whether any bin has too much."""
        return any((self.shares(counts, cell) > full).any() for cell in range(self.cells))

    def cut(self, counts: Counts, full: float, least: int = _CUTS) -> Bins:
        """Cut those bins that have too much, and put together neighbours that have little.

        Parameters
        ----------
        counts : int array (part, bin)
            How many values they have, in each of several parts.
        full : float
            The share of a part's values that is too much.
        least : int, optional
            Into how many a bin is cut at least.
        """
        return Bins.of([self._cut(counts, full, least, cell) for cell in range(self.cells)])

    def _cut(self, counts: Counts, full: float, least: int, cell: int) -> Keys:
        own, widths = counts[:, self.of_cell(cell)], self.widths(cell)
        everything = (own / np.maximum(own.sum(axis=1, keepdims=True), 1)).max(axis=0)
        most = self.shares(counts, cell).max(axis=0)
        # Of neighbours that have little together one edge is left.
        step = np.floor((np.cumsum(everything) - everything) / (full / 2))
        keep = np.append(True, step[1:] != step[:-1]) | (everything > full / 4)
        keep[1:] |= everything[:-1] > full / 4
        few = np.minimum(least, own.sum(axis=0))  # more than its values would be too many
        cuts = np.maximum(few, np.ceil(1.5 * most / full)).astype(np.int64)
        cuts = np.where(most > full, np.minimum(cuts, widths), keep.astype(np.int64))
        bin_of = np.repeat(np.arange(len(cuts)), cuts)
        within = np.arange(len(bin_of)) - np.repeat(np.cumsum(cuts) - cuts, cuts)
        starts = self.edges[self.of_cell(cell)][bin_of]
        return np.asarray(starts + within * widths[bin_of] // cuts[bin_of], np.uint32)

    def with_edges(self, keys: Keys) -> Bins:
        """Add edges to the bins of all cells."""
        return Bins.of(
            [np.union1d(self.edges[self.of_cell(cell)], keys) for cell in range(self.cells)]
        )

    def ranks(self, counts: Counts) -> tuple[npt.NDArray[np.float32], npt.NDArray[np.float64]]:
        """Rank bins, by the mean rank of what they have, less that of all.

        Returns
        -------
        ranks : float32 array (part, bin)
            The ranks.
        squares : float64 array (part, cell)
            The sums of their squares, over all values.
        """
        ranks = np.empty(counts.shape, np.float32)
        squares = np.empty((len(counts), self.cells))
        for cell in range(self.cells):
            own = counts[:, self.of_cell(cell)].astype(np.float64)
            upto = np.cumsum(own, axis=1)
            exact = upto - (own + 1) / 2 - (upto[:, -1:] - 1) / 2
            ranks[:, self.of_cell(cell)] = exact
            squares[:, cell] = (own * exact**2).sum(axis=1)
        return ranks, squares

    def loss(self, counts: Counts) -> npt.NDArray[np.float64]:
        """Tell by how much ranks may mislead.

        Returns
        -------
        float64 array (3, part, cell)
            The largest share of a bin with more than one value, the sum of their squares and of their
            cubes.
        """
        loss = np.empty((3, len(counts), self.cells))
        for cell in range(self.cells):
            shares = self.shares(counts, cell)
            shares[counts[:, self.of_cell(cell)] < 2] = 0
            loss[:, :, cell] = [
                shares.max(axis=1),
                (shares**2).sum(axis=1),
                (shares**3).sum(axis=1),
            ]
        return loss
