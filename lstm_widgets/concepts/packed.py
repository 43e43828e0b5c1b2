"""Tracks in little room: a bit a timestep for yes or no, for numbers as few bytes as hold them exactly."""

from __future__ import annotations

from itertools import pairwise
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Iterator

    import numpy.typing as npt

    from lstm_widgets.concepts.concept import Kind

    Values = npt.NDArray[Any]

__all__ = ["PackedTrack", "Packing"]

#: Columns that numbers are packed together of: a multiple of 8.
COLUMNS = 1 << 16


class PackedTrack:
    """What a concept says of each timestep of a layer, examples laid end to end.

    A column is a timestep of an example, padding included, as in ``Block.columns``: at padding it is
    False or NaN. What comes out is what was put in, to the bit.

    Parameters
    ----------
    kind : {"yes_no", "numeric"}
        Whether it says yes or no, or numbers.
    count : int
        How many columns it has.
    parts : list of array
        Of yes and no the bits ``(count / 8,)``; of numbers an array for each `COLUMNS` columns, of a
        single value if it is the same in all of them.

    Examples
    --------
    >>> import numpy as np
    >>> from lstm_widgets.concepts.packed import PackedTrack
    >>> track = PackedTrack.of(np.arange(10) % 3 == 0)
    >>> track.block(slice(2, 7))
    array([False,  True, False, False,  True])
    >>> track.nbytes
    2
    """

    def __init__(self, kind: Kind, count: int, parts: list[npt.NDArray[Any]]) -> None:
        self.kind = kind
        self.count = count
        self._parts = parts

    @classmethod
    def of(cls, values: npt.NDArray[Any]) -> PackedTrack:
        """Pack bools or numbers ``(column,)``."""
        packing = Packing("yes_no" if values.dtype == np.bool_ else "numeric")
        packing.add(values)
        return packing.packed()

    def __len__(self) -> int:
        return self.count

    def __repr__(self) -> str:
        return f"<PackedTrack: {self.kind}, {self.count} columns in {self.nbytes} bytes>"

    @property
    def nbytes(self) -> int:
        """How many bytes it takes."""
        return sum(part.nbytes for part in self._parts)

    def block(self, columns: slice) -> Values:
        """Unpack some columns that follow each other.

        Parameters
        ----------
        columns : slice
            Which ones, of step 1.

        Returns
        -------
        bool or float64 array (n,)
            What it says of each; NaN where a number isn't known.
        """
        start, stop, _ = columns.indices(self.count)
        stop = max(start, stop)
        if self.kind == "yes_no":
            first = start // 8
            bits = np.unpackbits(self._parts[0][first : -(-stop // 8)], bitorder="little")
            return bits[start - 8 * first : stop - 8 * first].view(np.bool_)
        values = np.empty(stop - start)
        for number in range(start // COLUMNS, -(-stop // COLUMNS)):
            begin = number * COLUMNS
            low, high = max(start, begin), min(stop, begin + COLUMNS)
            part = self._parts[number]
            here = part if len(part) == 1 else part[low - begin : high - begin]
            values[low - start : high - start] = _numbers(here)
        return values

    def take(self, columns: npt.NDArray[np.integer[Any]]) -> Values:
        """Unpack columns, in any order.

        Parameters
        ----------
        columns : int array
            Which ones, from 0.

        Returns
        -------
        bool or float64 array
            What it says of each, in their shape.
        """
        if self.kind == "yes_no":
            return np.asarray(self._parts[0][columns >> 3] >> (columns & 7) & 1, np.bool_)
        values = np.empty(columns.shape)
        numbers = columns // COLUMNS
        for number in np.unique(numbers).tolist():
            here = numbers == number
            part = _numbers(self._parts[number])
            values[here] = part[0] if len(part) == 1 else part[columns[here] - number * COLUMNS]
        return values

    def turned(self, columns: slice, steps: int, within: slice) -> Values:
        """Unpack columns of the track as it is after a circular shift of some part of it.

        Parameters
        ----------
        columns : slice
            Which ones of the shifted track; they lie within the part.
        steps : int
            By how many columns it is shifted: what is said of column c comes to stand at c + steps.
        within : slice
            The part that is shifted: what leaves it at one end comes back at the other.

        Returns
        -------
        bool or float64 array (n,)

        Examples
        --------
        >>> import numpy as np
        >>> from lstm_widgets.concepts.packed import PackedTrack
        >>> track = PackedTrack.of(np.arange(6.0))
        >>> track.turned(slice(1, 4), 1, slice(1, 5))
        array([4., 1., 2.])
        """
        length = within.stop - within.start
        left = columns.stop - columns.start
        if left <= 0:
            return self.block(slice(0, 0))
        place = (columns.start - within.start - steps) % length
        parts = []
        while left:
            n = min(left, length - place)
            start = within.start + place
            parts.append(self.block(slice(start, start + n)))
            left, place = left - n, 0
        turned: Values = np.concatenate(parts)
        return turned


class Packing:
    """A track that is being packed, some columns after the other.

    Parameters
    ----------
    kind : {"yes_no", "numeric"}
        Whether it says yes or no, or numbers.
    """

    def __init__(self, kind: Kind) -> None:
        self._kind = kind
        self._count = 0
        self._parts: list[npt.NDArray[Any]] = []
        self._waiting: list[npt.NDArray[Any]] = []
        self._unpacked = 0

    def add(self, values: npt.NDArray[Any]) -> None:
        """Append columns: bools ``(n,)``, or numbers, NaN where there is none."""
        self._waiting.append(np.array(values, np.bool_ if self._kind == "yes_no" else np.float64))
        self._count += len(values)
        self._unpacked += len(values)
        if self._unpacked >= COLUMNS:
            waiting = np.concatenate(self._waiting)
            whole = len(waiting) - len(waiting) % COLUMNS
            self._pack(waiting[:whole])
            self._waiting = [waiting[whole:].copy()]
            self._unpacked = len(waiting) - whole

    def packed(self) -> PackedTrack:
        """Give the track of all columns; nothing is appended any more."""
        if self._unpacked:
            self._pack(np.concatenate(self._waiting))
        self._waiting, self._unpacked = [], 0
        if self._kind == "yes_no":
            self._parts = [np.concatenate([np.zeros(0, np.uint8), *self._parts])]
        return PackedTrack(self._kind, self._count, self._parts)

    def _pack(self, values: npt.NDArray[Any]) -> None:
        if self._kind == "yes_no":
            self._parts.append(np.packbits(values, bitorder="little"))
        else:
            self._parts += map(_smallest, _cut(values))


def _cut(values: npt.NDArray[Any]) -> Iterator[npt.NDArray[Any]]:
    for start, stop in pairwise([*range(0, len(values), COLUMNS), len(values)]):
        yield values[start:stop]


def _smallest(values: npt.NDArray[np.float64]) -> npt.NDArray[Any]:
    """Bring numbers into the type of the fewest bytes that holds them exactly, and NaN."""
    known = values[~np.isnan(values)]
    if not len(known):
        return np.full(1, np.nan, np.float32)
    with np.errstate(invalid="ignore"):
        whole = (known % 1 == 0).all() and not np.signbit(known[known == 0]).any()
    low, high = known.min(), known.max()
    bits = np.ascontiguousarray(values).view(np.int64)
    if (bits == bits[0]).all():
        values = values[:1]
    if whole:
        for dtype in (np.int8, np.int16, np.int32):
            limits = np.iinfo(dtype)
            # The lowest code is that of no value.
            if limits.min < low and high <= limits.max:
                return np.where(np.isnan(values), limits.min, values).astype(dtype)
    with np.errstate(over="ignore"):
        single = values.astype(np.float32)
    return (
        single
        if np.array_equal(single.astype(np.float64), values, equal_nan=True)
        else (values.copy())
    )


def _numbers(part: npt.NDArray[Any]) -> npt.NDArray[np.float64]:
    """Give the numbers that codes stand for."""
    values = part.astype(np.float64)
    if part.dtype.kind == "i":
        values[part == np.iinfo(part.dtype).min] = np.nan
    return values
