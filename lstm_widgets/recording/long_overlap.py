"""Which examples overlap, of so many timesteps that they are looked at a block at a time.

As in `overlap.find`, but that only numbers of examples are held, none of timesteps: beginnings that say
enough to be no chance are looked for in all examples, and what follows them is compared by its hash.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from lstm_widgets.recording import overlap
from lstm_widgets.recording.overlap import BASE, CHANCE, COUNTED, FILTER, INVERSE, Joined

if TYPE_CHECKING:
    from collections.abc import Iterator

    import numpy.typing as npt
    import xarray as xr

    from lstm_widgets.recording.overlap import Windows

    Codes = npt.NDArray[np.uint64]
    Places = npt.NDArray[np.intp]

__all__ = ["Compared"]

#: Up to so many timesteps are looked at together.
MANY = 1 << 23
#: Timesteps of a block of more.
BLOCK = 1 << 18
# A beginning that says nothing in so many timesteps tells nothing.
_BEGINNING = 1 << 12
# So many places are held of those at which an example may begin in others: the last ones.
_HELD = 4
_RING = 1 << 64


class Compared:
    """What stands at the timesteps of examples, compared.

    Parameters
    ----------
    values : xarray.DataArray (example, timestep)
        Numbers or str; if it isn't in memory, it is read a block at a time.
    """

    def __init__(self, values: xr.DataArray) -> None:
        self._values = values
        self.examples, self.timesteps = values.shape
        self._numbers: dict[Any, int] = {}
        self.long = values.size > MANY
        self._all = None if self.long else self._read(slice(None), slice(None))

    def _read(self, examples: slice, timesteps: slice) -> Codes:
        part = self._values[examples, timesteps].to_numpy()
        if part.dtype.kind not in "OSU":
            part = np.ascontiguousarray(part, np.float64)[:, :, None]
        return overlap.fingerprints(part, self._numbers)

    def find(self) -> Windows | None:
        """Find the windows that overlap with others; None if no two do."""
        if self._all is not None:
            return overlap.find(self._all)
        if self.examples < 2 or self.timesteps < 2:
            return None
        return self._find_by_blocks()

    def different(self) -> int:
        """Count the examples that differ from all others."""
        if self._all is not None:
            return len(np.unique(self._all, axis=0)) if len(self._all) else 0
        return len(np.unique(self._hashes(np.full(self.examples, self.timesteps))))

    def mostly_once(self) -> bool:
        """Tell whether more than half of what stands there is different.

        Of many timesteps, those are counted whose fingerprints are multiples of a power of two.
        """
        if self._all is not None:
            return 2 * len(np.unique(self._all)) > self._all.size
        mask = np.uint64((1 << max(0, (self._values.size // BLOCK).bit_length())) - 1)
        found = [codes[codes & mask == 0] for _, _, codes in self._blocks()]
        chosen = np.concatenate(found)
        return 2 * len(np.unique(chosen)) > len(chosen)

    def _blocks(
        self, more: int = 0, width: int | None = None
    ) -> Iterator[tuple[slice, slice, Codes]]:
        """Read blocks in order, each with so many timesteps of the next; or all beginnings of a width."""
        together = max(1, BLOCK // max(1, self.timesteps if width is None else width))
        at_once = BLOCK if width is None else width
        width = self.timesteps if width is None else width
        for k in range(0, self.examples, together):
            rows = slice(k, min(k + together, self.examples))
            for t in range(0, width, at_once):
                columns = slice(t, min(t + at_once, width))
                read = slice(t, min(columns.stop + more, width))
                yield rows, columns, self._read(rows, read)

    def _find_by_blocks(self) -> Windows | None:
        wholes = self._hashes(np.full(self.examples, self.timesteps))
        series = Joined(self.examples)
        # Those that are the same belong together at once; for all others, the first of them stands.
        _, first, same = np.unique(wholes, return_index=True, return_inverse=True)
        for k in np.flatnonzero(first[same] != np.arange(self.examples)).tolist():
            series.join(int(first[same[k]]), k, 0)
        lengths = self._beginnings()
        lengths[np.setdiff1d(np.arange(self.examples), first)] = 0
        for earlier, later, step in self._places(self._begun(lengths), wholes):
            series.join(earlier, later, step)
        return series.windows(self.timesteps)

    def _beginnings(self) -> Places:
        """Tell of each example how many of its first timesteps say enough to be no chance.

        Rounded up to a power of two, so that there are few lengths; 0 if too many would be needed.
        """
        counts = np.zeros(1 << COUNTED, np.intp)
        for _, _, codes in self._blocks():
            counts += np.bincount(_short(codes).ravel(), minlength=len(counts))
        with np.errstate(divide="ignore"):
            says = np.log(self._values.size / counts)
        enough = 2 * np.log(CHANCE * max(2, self.examples))
        most = min(self.timesteps - 1, _BEGINNING)
        lengths = np.zeros(self.examples, np.intp)
        for rows, _, codes in self._blocks(width=most):
            told = np.cumsum(says[_short(codes)], axis=1) >= enough
            rounded = 1 << np.ceil(np.log2(told.argmax(axis=1) + 1)).astype(np.intp)
            lengths[rows] = np.where(told.any(axis=1), rounded.clip(max=most), 0)
        return lengths

    def _begun(self, lengths: Places) -> list[_Begun]:
        """Give the beginnings of each length."""
        begun = []
        for length in np.unique(lengths[lengths > 0]).tolist():
            begins = np.zeros(self.examples, np.uint64)
            for rows, _, codes in self._blocks(width=length):
                begins[rows] = _sums(codes)[:, -1]
            heads = np.flatnonzero(lengths == length)
            known, which = np.unique(begins[heads], return_index=True)
            begun.append(_Begun(length, known, heads[which]))
        return begun

    def _places(self, begun: list[_Begun], wholes: Codes) -> list[tuple[int, int, int]]:
        """Find where examples begin within others, and are the same from there on.

        Returns
        -------
        list of (earlier, later, step)
            For each that is found, the one that begins the shortest time before it.
        """
        # Of each place: who begins there, at which step, of which example, and the hash of what is before.
        held = np.zeros((4, 0), np.uint64)
        before = np.zeros(self.examples, np.uint64)
        longest = max((each.length for each in begun), default=1)
        for rows, columns, codes in self._blocks(more=longest - 1):
            sums = _sums(codes)
            moved = np.uint64(pow(BASE, columns.start, _RING))
            done = columns.stop - columns.start
            for each in begun:
                row, at, head = each.found(sums, done)
                step = at + columns.start
                fits = (step > 0) & (head != row + rows.start)
                row, at, step, head = row[fits], at[fits], step[fits], head[fits]
                passed = before[row + rows.start] + sums[row, at] * moved
                found = np.stack([head, step, row + rows.start]).astype(np.uint64)
                held = _nearest(np.concatenate([held, [*found, passed]], axis=1))
            before[rows] += sums[:, done] * moved
        later, step, earlier = held[:3].astype(np.intp)
        turned = np.array([pow(INVERSE, int(s), _RING) for s in step], np.uint64)
        ends = (wholes[earlier] - held[3]) * turned
        found_at: dict[int, tuple[int, int, int]] = {}
        for rank in range(_HELD):  # one of each at a time, the nearest first
            now = np.flatnonzero(_ranks(later) == rank)
            if not len(now):
                break
            lengths = np.zeros(self.examples, np.intp)
            lengths[later[now]] = self.timesteps - step[now]
            for n in now[self._hashes(lengths)[later[now]] == ends[now]].tolist():
                found_at.setdefault(int(later[n]), (int(earlier[n]), int(later[n]), int(step[n])))
        return [found_at[k] for k in sorted(found_at)]

    def _hashes(self, lengths: Places) -> Codes:
        """Hash the first timesteps of each example, so many of each."""
        hashes = np.zeros(self.examples, np.uint64)
        for rows, columns, codes in self._blocks():
            sums = _sums(codes)
            count = (lengths[rows] - columns.start).clip(0, columns.stop - columns.start)
            here = sums[np.arange(len(sums)), count]
            hashes[rows] += here * np.uint64(pow(BASE, columns.start, _RING))
        return hashes


class _Begun:
    """How examples begin: the first timesteps of those that are looked for by so many.

    Parameters
    ----------
    length : int
        How many timesteps.
    hashes : uint64 array (n,)
        Their hashes, in order.
    heads : int array (n,)
        Which example begins so.
    """

    def __init__(self, length: int, hashes: Codes, heads: Places) -> None:
        self.length = length
        self._hashes = hashes
        self._heads = heads
        self._shift = np.uint64(64 - FILTER)
        self._likely = np.zeros(1 << FILTER, np.bool_)
        self._likely[hashes >> self._shift] = True

    def found(self, sums: Codes, count: int) -> tuple[Places, Places, Places]:
        """Find them among what starts at the first timesteps of rows: in which row, where, and who."""
        count = max(0, min(count, sums.shape[1] - self.length))
        hashes = sums[:, self.length : self.length + count] - sums[:, :count]
        hashes *= _powers(INVERSE, count)
        row, at = np.nonzero(self._likely[hashes >> self._shift])
        place = np.searchsorted(self._hashes, hashes[row, at]).clip(max=len(self._hashes) - 1)
        there = self._hashes[place] == hashes[row, at]
        return row[there], at[there], self._heads[place[there]]


def _short(codes: Codes) -> npt.NDArray[np.intp]:
    return (codes >> np.uint64(64 - COUNTED)).astype(np.intp)


def _powers(base: int, count: int) -> Codes:
    powers = np.full(count, base, np.uint64)
    powers[:1] = 1
    return np.cumprod(powers)


def _sums(codes: Codes) -> Codes:
    """Sum up codes, each times its power of the base: row after row, from none to all of them."""
    sums = np.zeros((codes.shape[0], codes.shape[1] + 1), np.uint64)
    np.cumsum(codes * _powers(BASE, codes.shape[1]), axis=1, out=sums[:, 1:])
    return sums


def _ranks(place: npt.NDArray[np.intp]) -> npt.NDArray[np.intp]:
    """Count through what is equal, of numbers in order."""
    fresh = np.append(True, place[1:] != place[:-1])[: len(place)]
    first = np.flatnonzero(fresh)
    return np.asarray(
        np.arange(len(place)) - np.repeat(first, np.diff(np.append(first, len(place))))
    )


def _nearest(held: Codes) -> Codes:
    """Keep the smallest steps of each head, the first examples first."""
    held = held[:, np.lexsort([held[2], held[1], held[0]])]
    return held[:, _ranks(held[0].astype(np.intp)) < _HELD]
