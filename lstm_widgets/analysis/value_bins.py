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

    def __len__(self) -> int:
        return len(self.edges)

    @property
    def cells(self) -> int:
        """Of how many cells they are."""
        return len(self.offsets) - 1

    @property
    def cell(self) -> npt.NDArray[np.int64]:
        """Of each bin the cell."""
        return np.repeat(np.arange(self.cells), np.diff(self.offsets))

    @property
    def widths(self) -> npt.NDArray[np.int64]:
        """How many keys each has."""
        ends = np.append(self.edges[1:], 0).astype(np.int64)
        ends[self.offsets[1:] - 1] = 1 << 32
        return ends - self.edges

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

    def shares(self, counts: Counts) -> npt.NDArray[np.float64]:
        """Tell what share of its part each bin has, where it may be more than one value; else 0."""
        shares = counts / np.maximum(self.sums(counts)[:, self.cell], 1)
        shares[:, (self.widths < 2) | (counts.sum(axis=0) < 2)] = 0
        return np.asarray(shares)

    def sums(self, counts: Floats | Counts) -> npt.NDArray[Any]:
        """Sum up over the bins of each cell: ``(part, cell)``."""
        return np.asarray(np.add.reduceat(counts, self.offsets[:-1], axis=1, dtype=None))

    def full(self, counts: Counts, full: float) -> bool:
        """Tell whether any bin has too much."""
        return bool((self.shares(counts) > full).any())

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
        total = np.maximum(self.sums(counts)[:, self.cell], 1)
        everything = (counts / total).max(axis=0)
        most = self.shares(counts).max(axis=0)
        # Of neighbours that have little together one edge is left.
        before = np.cumsum(everything) - everything
        step = np.floor(before / (full / 2))
        keep = np.append(True, step[1:] != step[:-1])
        keep |= everything > full / 4
        keep[1:] |= everything[:-1] > full / 4
        keep[self.offsets[:-1]] = True
        widths = self.widths
        cuts = np.maximum(least, np.ceil(1.5 * most / full)).astype(np.int64)
        cuts = np.where(most > full, np.minimum(cuts, widths), keep.astype(np.int64))
        bin_of = np.repeat(np.arange(len(self)), cuts)
        within = np.arange(len(bin_of)) - np.repeat(np.cumsum(cuts) - cuts, cuts)
        edges = self.edges[bin_of].astype(np.int64) + within * widths[bin_of] // np.maximum(
            cuts[bin_of], 1
        )
        sizes = np.bincount(self.cell[bin_of], minlength=self.cells)
        return Bins(edges.astype(np.uint32), np.append(0, np.cumsum(sizes)))

    def with_edges(self, keys: Keys) -> Bins:
        """Add edges to the bins of all cells."""
        own = [np.union1d(self.edges[self.of_cell(cell)], keys) for cell in range(self.cells)]
        sizes = [len(edges) for edges in own]
        return Bins(
            np.concatenate([*own, np.zeros(0, np.uint32)]),
            np.append(0, np.cumsum(sizes, dtype=int)),
        )

    def ranks(self, counts: Counts) -> npt.NDArray[np.float64]:
        """Rank bins, by the mean rank of what they have, less that of all: ``(part, bin)``."""
        upto = np.cumsum(counts, axis=1, dtype=np.float64)
        own = self.offsets[:-1]
        before = np.zeros((len(counts), len(own)))
        before[:, 1:] = upto[:, own[1:] - 1]
        total = self.sums(counts)
        ranks: npt.NDArray[np.float64] = upto - (counts + 1) / 2
        ranks -= (before + (total - 1) / 2)[:, self.cell]
        return ranks

    def loss(self, counts: Counts) -> tuple[Floats, Floats, Floats]:
        """Tell by how much ranks may mislead, of each part and cell: ``(part, cell)``.

        Returns
        -------
        largest : float array (part, cell)
            The largest share of a bin with more than one value.
        squares, cubes : float array (part, cell)
            The sums of their squares and cubes.
        """
        shares = np.where(counts > 1, self.shares(counts), 0)
        largest = np.maximum.reduceat(shares, self.offsets[:-1], axis=1)
        return largest, self.sums(shares**2), self.sums(shares**3)
