# What is given to a model may be of many types: Any.
# ruff: noqa: ANN401
"""Which examples are windows of one series that overlap: found from what stands at their timesteps.

A window that starts later goes on where an earlier one is already: its first rows are the other's
last ones. Rows are compared by fingerprints, stretches of them by polynomial hashes (Karp & Rabin
1987, IBM Journal of Research and Development 31(2), 249-260), so that all pairs are looked at without
comparing them one by one. A stretch counts only if it is no chance: rows that stand everywhere, as
zeros do, say little, rows that stand nowhere else say much.
"""

from __future__ import annotations

import itertools
import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence

    import numpy.typing as npt

    Codes = npt.NDArray[np.uint64]
    Places = npt.NDArray[np.intp]

__all__ = ["Gathered", "Joined", "Windows", "described", "find", "fingerprints", "of_description"]

# Timesteps up to which it is looked for overlaps of what was read some examples after the other.
_GATHERED = 1 << 21
# Values that are turned into fingerprints at a time.
_BLOCK_VALUES = 1 << 22
# An odd number has an inverse modulo 2^64, so that what stands before a stretch can be divided out.
BASE = 0x9E3779B97F4A7C15
INVERSE = pow(BASE, -1, 1 << 64)
_ODD = np.uint64(BASE)
_TWO = np.array([1, BASE], np.uint64)
COUNTED = 20  # bits of a fingerprint by which it is counted how often a row stands somewhere
# Of N examples, about one in so many has a chance partner by what their rows say. Neighbouring rows
# go together, so that only half of what they would say on their own is counted.
CHANCE = 100
# Before a hash is looked up, so many bits of it are.
FILTER = 22
_FIRST_FILTER = 16


@dataclass(frozen=True)
class Windows:
    """Where the examples of a recording stand in the series that they are windows of.

    Attributes
    ----------
    series : int array (example,)
        Which series each example comes from, ``(example,)``, from 0.
    start : int array (example,)
        The timestep of the series at which the example starts, ``(example,)``, from 0.
    timesteps : int
        How many timesteps an example has, in the units of ``start``.
    """

    series: Places
    start: Places
    timesteps: int

    @property
    def several(self) -> int:
        """How many series have more than one window."""
        return int((np.bincount(self.series) > 1).sum())


def fingerprints(values: npt.NDArray[Any], numbers: dict[Any, int] | None = None) -> Codes:
    """Give rows that are equal to the bit the same number, and others another one.

    Parameters
    ----------
    values : array (example, timestep, ...)
        Numbers or str ``(example, timestep, ...)``.
    numbers : dict, optional
        Of str, the numbers of those that are known; others are added. To be the same for all parts of
        an array.

    Returns
    -------
    numpy.ndarray
        uint64 ``(example, timestep)``.
    """
    examples, timesteps, *_ = shape = values.shape
    if values.dtype.kind in "OSU":
        numbers = {} if numbers is None else numbers
        for value in dict.fromkeys(values.ravel().tolist()):
            numbers.setdefault(value, len(numbers))
        values = np.array([numbers[v] for v in values.ravel().tolist()], np.int64)
        values = values.reshape(shape)
    rows = values.reshape(examples, timesteps, math.prod(values.shape[2:]))
    word = np.uint32 if rows.dtype.itemsize % 4 == 0 else np.uint8
    width = rows.shape[2] * rows.dtype.itemsize // np.dtype(word).itemsize
    odd = np.random.default_rng(0).integers(0, 1 << 63, width, np.uint64) * 2 + 1
    codes = np.empty((examples, timesteps), np.uint64)
    step = max(1, _BLOCK_VALUES // max(1, timesteps * width))
    for start in range(0, examples, step):
        part = np.ascontiguousarray(rows[start : start + step]).view(word).astype(np.uint64)
        part = (part + 1) * odd
        part ^= part >> np.uint64(29)
        codes[start : start + step] = part.sum(axis=2, dtype=np.uint64)
    codes ^= codes >> np.uint64(31)
    codes *= np.uint64(0xBF58476D1CE4E5B9)
    return codes ^ (codes >> np.uint64(27))


class _Stretches:
    """Hashes of all stretches of all examples, and how much they say."""

    def __init__(self, codes: Codes) -> None:
        self.examples, self.timesteps = codes.shape
        powers = np.full(self.timesteps + 1, BASE, np.uint64)
        powers[0] = 1
        self._inverses = np.full(self.timesteps + 1, INVERSE, np.uint64)
        self._inverses[0] = 1
        powers, self._inverses = np.cumprod(powers), np.cumprod(self._inverses)
        self._sums = np.zeros((self.examples, self.timesteps + 1), np.uint64)
        np.cumsum(codes * powers[:-1], axis=1, out=self._sums[:, 1:])
        short = (codes >> np.uint64(64 - COUNTED)).astype(np.intp)
        counts = np.bincount(short.ravel(), minlength=1 << COUNTED)
        self._says = np.zeros((self.examples, self.timesteps + 1))
        np.cumsum(np.log(codes.size / counts[short]), axis=1, out=self._says[:, 1:])
        self.enough = 2 * np.log(CHANCE * max(2, self.examples))

    def hashes(self, examples: Any, start: Any, stop: Any) -> Codes:
        """Hash the stretches of some examples: equal ones have equal hashes, wherever they start."""
        found = self._sums[examples, stop] - self._sums[examples, start]
        return np.asarray(found * self._inverses[start])

    def tell(self, examples: Any, start: Any, stop: Any) -> npt.NDArray[np.bool_]:
        """Tell whether stretches say enough to be no chance."""
        return np.asarray(self._says[examples, stop] - self._says[examples, start] >= self.enough)

    def tell_together(self, examples: Places, start: int, stop: int) -> bool:
        """Tell whether several stretches say enough, if not each."""
        says = self._says[examples, stop] - self._says[examples, start]
        return bool(says.sum() >= self.enough and says.mean() >= 1)

    def shortest(self) -> int:
        """Tell from how many timesteps on most of what stands at the beginnings says enough."""
        enough = self._says >= self.enough
        first = np.where(enough.any(axis=1), enough.argmax(axis=1), self.timesteps + 1)
        return int(np.quantile(first, 0.1, method="lower"))


def find(codes: Codes) -> Windows | None:
    """Find the windows that overlap with others.

    Parameters
    ----------
    codes : uint64 array (example, timestep)
        Fingerprints of what stands at each timestep, ``(example, timestep)``.

    Returns
    -------
    Windows or None
        None if no two overlap.
    """
    examples, timesteps = codes.shape
    if examples < 2 or timesteps < 2:
        return None
    stretches = _Stretches(codes)
    series = Joined(examples)
    for earlier, later, step in zip(*_in_order(stretches), strict=True):
        series.join(earlier, later, step)
    # What is there for long first: it is the surest, and the least that has to be looked at.
    shortest, shorter = stretches.shortest(), 1
    while shortest <= timesteps and len(heads := series.roots()) > 1:
        length = max(shortest, timesteps - shorter)
        for earlier, later, step in zip(*_anywhere(stretches, heads, length), strict=True):
            series.join(earlier, later, step)
        if length == shortest:
            break
        shorter *= 2
    return series.windows(timesteps)


def _in_order(stretches: _Stretches) -> tuple[list[int], list[int], list[int]]:
    """Find the examples that overlap with the next one, and by how many timesteps that is later."""
    n, timesteps = stretches.examples, stretches.timesteps
    step = np.full(n - 1, -1)
    left = np.arange(n - 1)
    for later in range(timesteps):
        rest = timesteps - later
        same = stretches.hashes(left, later, timesteps) == stretches.hashes(left + 1, 0, rest)
        # One pair may say too little, but it does with half of all others.
        together = 2 * np.count_nonzero(same) >= n - 1 and stretches.tell_together(
            left[same], later, timesteps
        )
        if not together:
            same &= stretches.tell(left, later, timesteps)
        step[left[same]] = later
        left = left[~same]
        if not len(left):
            break
    found = np.flatnonzero(step >= 0)
    return found.tolist(), (found + 1).tolist(), step[found].tolist()


def _anywhere(
    stretches: _Stretches, heads: Places, length: int
) -> tuple[list[int], list[int], list[int]]:
    """Find what begins within another example, of the examples that begin a series as yet.

    They have at least so many timesteps in common.
    """
    timesteps = stretches.timesteps
    begins, first = np.unique(stretches.hashes(heads, 0, length), return_index=True)
    best = np.full(len(heads), timesteps)
    whose = np.full(len(heads), -1)
    shift = np.uint64(64 - FILTER)
    likely = np.zeros(1 << FILTER, np.bool_)
    likely[begins >> shift] = True
    block = max(1, _BLOCK_VALUES // timesteps)
    for start in range(0, stretches.examples, block):
        rows = np.arange(start, min(start + block, stretches.examples))[:, None]
        later = np.arange(timesteps - length + 1)[None, :]
        grams = stretches.hashes(rows, later, later + length)
        row, step = np.nonzero(likely[grams >> shift])
        hashes = grams[row, step]
        place = np.searchsorted(begins, hashes).clip(max=len(begins) - 1)
        known = begins[place] == hashes
        row, step = row[known], step[known]
        head, earlier = first[place[known]], row + start
        other = earlier != heads[head]
        head, earlier, step = head[other], earlier[other], step[other]
        rest = timesteps - step
        same = stretches.hashes(earlier, step, timesteps) == stretches.hashes(heads[head], 0, rest)
        same &= stretches.tell(earlier, step, timesteps)
        head, earlier, step = head[same], earlier[same], step[same]
        # Of each, the one that begins the shortest time before it.
        order = np.lexsort([step, head])
        head, earlier, step = head[order], earlier[order], step[order]
        fresh = np.append(True, head[1:] != head[:-1])[: len(head)]
        head, earlier, step = head[fresh], earlier[fresh], step[fresh]
        nearer = step < best[head]
        best[head[nearer]], whose[head[nearer]] = step[nearer], earlier[nearer]
    found = np.flatnonzero(whose >= 0)
    return whose[found].tolist(), heads[found].tolist(), best[found].tolist()


class Joined:
    """Examples that belong together, and how much later than the root of theirs each starts."""

    def __init__(self, examples: int) -> None:
        self._root = list(range(examples))
        self._later = [0] * examples

    def _find(self, example: int) -> tuple[int, int]:
        path, later = [], 0
        while (above := self._root[example]) != example:
            path.append((example, later))
            later += self._later[example]
            example = above
        for one, before in path:  # the next time they are found at once
            self._root[one], self._later[one] = example, later - before
        return example, later

    def join(self, earlier: int, later: int, step: int) -> None:
        """Say that one starts so many timesteps after another; what is said first, holds."""
        (one, a), (other, b) = self._find(earlier), self._find(later)
        if one != other:
            self._root[other], self._later[other] = one, a + step - b

    def roots(self) -> Places:
        """List the examples from which the others are counted."""
        return np.array([n for n, root in enumerate(self._root) if n == root], np.intp)

    def windows(self, timesteps: int) -> Windows | None:
        """Say where each example stands, the series in the order of their first examples."""
        found = [self._find(example) for example in range(len(self._root))]
        numbers: dict[int, int] = {}
        series = np.array([numbers.setdefault(root, len(numbers)) for root, _ in found], np.intp)
        if len(numbers) == len(found):
            return None
        start = np.array([later for _, later in found], np.intp)
        first = np.full(len(numbers), np.iinfo(np.intp).max)
        np.minimum.at(first, series, start)
        return Windows(series, start - first[series], timesteps)


def _parts(given: Any) -> Iterator[npt.NDArray[Any]]:
    """Read some examples after the other."""
    step = max(1, _BLOCK_VALUES // max(1, math.prod(given.shape[1:])))
    for start in range(0, given.shape[0], step):
        yield np.asarray(given[start : start + step])


def _none_goes_on(given: Any) -> bool:
    """Whether two channels alone show that no example begins with a row that stands anywhere else.

    So it is with most measurements; then no example goes on where another one is.
    """
    begin = _two(np.asarray(given[:, :1]))
    if begin is None:
        return False
    first = np.sort(begin[:, 0])
    begins = np.zeros(1 << _FIRST_FILTER, np.bool_)
    begins[_short(first)] = True
    found = 0
    for part in _parts(given):
        codes = _two(part)
        assert codes is not None  # noqa: S101 - all parts are of one kind
        maybe = codes[begins[_short(codes)]]
        same = first[np.minimum(np.searchsorted(first, maybe), len(first) - 1)] == maybe
        found += int(np.count_nonzero(same))
        if found > len(first):
            return False
    return found == len(first)


def _two(values: npt.NDArray[Any]) -> Codes | None:
    """Make a number of two channels at each timestep; None where there are no such numbers."""
    rows = values.reshape(*values.shape[:2], math.prod(values.shape[2:]))
    if rows.dtype.kind not in "iuf" or rows.dtype.itemsize not in (4, 8) or rows.shape[2] < 2:
        return None
    two = np.ascontiguousarray(rows[:, :, :: rows.shape[2] // 2][:, :, :2])
    codes = two.view(np.uint64)[..., 0] if two.itemsize == 4 else two.view(np.uint64) @ _TWO
    return np.asarray(codes)


def _short(codes: Codes) -> Codes:
    return np.asarray((codes * _ODD) >> np.uint64(64 - _FIRST_FILTER))


def described(arrays: Iterable[Any]) -> dict[str, Any]:
    """Look at a model's inputs, and say how they overlap, as JSON can hold it.

    Parameters
    ----------
    arrays : iterable of array
        Arrays or tensors, those with an axis of timesteps ``(example, timestep, ...)``; some examples are
        read after the other.

    Returns
    -------
    dict
        ``runs``: ``[examples, series, start, step]`` each, one after the other; none if no examples
        overlap. ``timesteps``: how many an example has.
    """
    for given in arrays:
        if len(given.shape) < 2 or 0 in given.shape or given.shape[0] < 2:
            continue
        found = None
        if not _none_goes_on(given):
            numbers: dict[Any, int] = {}
            found = find(np.concatenate([fingerprints(part, numbers) for part in _parts(given)]))
        if found is not None:
            return {"timesteps": found.timesteps, "runs": _runs(found)}
    return {"runs": []}


class Gathered:
    """How a model's inputs overlap, found of what they are, some examples after the other.

    Of each timestep a number is kept; of so many that they would take much room, none.
    """

    def __init__(self) -> None:
        self._codes: list[list[Codes]] | None = []

    def add(self, arrays: Sequence[Any]) -> None:
        """Look at some more examples, in arrays as of :func:`described`."""
        every = [np.asarray(one) for one in arrays if len(one.shape) > 1 and 0 not in one.shape]
        if self._codes is None or any(one.dtype.kind in "OSU" for one in every):
            self._codes = None
            return
        self._codes.append([fingerprints(one) for one in every])
        widths = {tuple(one.shape[1] for one in several) for several in self._codes}
        size = sum(one.size for several in self._codes for one in several)
        if len(widths) > 1 or size > _GATHERED:
            self._codes = None

    def described(self) -> dict[str, Any] | None:
        """Say how they overlap, as :func:`described` does; None if that isn't known."""
        if self._codes is None:
            return None
        for several in zip(*self._codes, strict=True):
            found = find(np.concatenate(several))
            if found is not None:
                return {"timesteps": found.timesteps, "runs": _runs(found)}
        return {"runs": []}


def _runs(found: Windows) -> list[list[int]]:
    runs: list[list[int]] = []
    for series, start in zip(found.series.tolist(), found.start.tolist(), strict=True):
        if runs and runs[-1][1] == series:
            count, _, first, step = runs[-1]
            if count == 1 or start == first + count * step:
                runs[-1][0] += 1
                runs[-1][3] = start - first if count == 1 else step
                continue
        runs.append([1, series, start, 0])
    return runs


def of_description(description: Mapping[str, Any], examples: int) -> Windows | None:
    """Read what `described` said, for the first of the examples: None if none of them overlap."""
    rows = itertools.chain.from_iterable(
        ((series, start + k * step) for k in range(count))
        for count, series, start, step in description["runs"]
    )
    pairs = np.array([*itertools.islice(rows, examples)], np.intp).reshape(-1, 2)
    if not len(pairs) or len(np.unique(pairs[:, 0])) == len(pairs):
        return None
    return Windows(pairs[:, 0], pairs[:, 1], int(description["timesteps"]))
