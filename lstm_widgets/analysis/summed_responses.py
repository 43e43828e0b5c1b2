"""How states change where words are read: block by block, and put together in the order of reading."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    import numpy.typing as npt

    from lstm_widgets.recording.blockwise import Block

    Counts = npt.NDArray[np.int64]
    Floats = npt.NDArray[np.float64]
    Flags = npt.NDArray[np.bool_]
    Places = npt.NDArray[np.intp]
    States = npt.NDArray[np.float32]

__all__ = ["Reading", "Responses", "counted", "most_frequent", "responses"]


def counted(block: Block) -> dict[str, int]:
    """Count the tokens of a block that aren't padding, in the order in which they first come."""
    import pandas as pd  # noqa: PLC0415

    tokens = np.asarray(block.layer["token"][block.examples, block.timesteps], object)
    codes, different = pd.factorize(tokens[block.mask()])
    counts = np.bincount(codes, minlength=len(different)).tolist()
    return dict(zip(different.tolist(), counts, strict=True))


@dataclass(frozen=True)
class Reading:
    """How a layer reads, and what is asked of it.

    Parameters
    ----------
    signal : str
        Whose change is asked for.
    words : tuple of str
        Of which words.
    shares : float64 array (word,)
        Which share of the timesteps of each percentiles are worked out of.
    timesteps : int
        How many an example has.
    ends : int array (call,)
        The timesteps at which the calls of the layer end.
    backwards : bool
        Whether it reads from the end.
    """

    signal: str
    words: tuple[str, ...]
    shares: Floats
    timesteps: int
    ends: Counts
    backwards: bool

    def kept(self, columns: Counts, words: Places) -> Flags:
        """Tell which timesteps percentiles are worked out of: by where they stand, as if by lot."""
        lots = (columns.astype(np.uint64) + 1) * np.uint64(0x9E3779B97F4A7C15) >> np.uint64(32)
        return np.asarray(lots / 2.0**32 < self.shares[words])


@dataclass(frozen=True)
class _Row:
    """A timestep at the edge of a block, and what its call started from if that is known."""

    column: int
    segment: int
    word: int
    state: States
    start: States | None


@dataclass(frozen=True)
class _Summary:
    """What a block says: sums of changes (word, cell), and some of the changes themselves.

    ``first`` is the row whose change the block before has to tell; None if no other block has more of its
    example. ``last`` is None of a block without any timestep.
    """

    sums: Floats
    counts: Counts
    words: Places
    changes: States
    first: _Row | None
    last: _Row | None


def responses(reading: Reading, block: Block) -> _Summary:
    """Sum up the changes of a block, in the order in which the layer reads."""
    import pandas as pd  # noqa: PLC0415

    mask = block.mask()
    cells = block.layer.sizes["cell"]
    at = np.flatnonzero(mask)
    if reading.backwards:
        at = at[::-1]
    tokens = np.asarray(block.layer["token"][block.examples, block.timesteps], object).ravel()[at]
    words = pd.Index(reading.words, dtype=object).get_indexer(tokens).astype(np.intp)
    states = block.read(reading.signal).reshape(-1, cells)[at]
    columns = block.columns.start + at
    examples, timesteps = np.divmod(columns, reading.timesteps)
    calls = np.searchsorted(reading.ends, timesteps, side="right")
    segments = examples * len(reading.ends) + calls
    begins = np.ones(len(at), np.bool_)
    begins[1:] = segments[1:] != segments[:-1]
    starts = _starts(block, at // mask.shape[1], np.asarray(calls))
    before = np.empty_like(states)
    before[1:] = states[:-1]
    before[begins] = np.nan if starts is None else starts[begins]
    known = words >= 0
    first = last = None
    if len(at):
        rows = [
            _Row(*numbers, states[k], None if starts is None else starts[k])
            for k in (0, -1)
            for numbers in [(int(columns[k]), int(segments[k]), int(words[k]))]
        ]
        last = rows[1]
        if mask.shape[0] == 1 and mask.shape[1] < reading.timesteps:
            first = rows[0]
            known[0] = False
    chosen = np.flatnonzero(known)
    changes = states[chosen] - before[chosen]
    chosen = chosen[(finite := np.isfinite(changes).all(axis=1))]
    changes = changes[finite]
    sums, counts = _summed(changes, words[chosen], len(reading.words))
    kept = reading.kept(columns[chosen], words[chosen])
    return _Summary(sums, counts, words[chosen][kept], changes[kept], first, last)


def _starts(block: Block, examples: Places, calls: Places) -> States | None:
    """Give what the call of each row started from, if that is known."""
    if "start" not in block.layer:
        return None
    every: States = block.layer["start"][block.examples].to_numpy()
    return every[examples, calls]


def _summed(changes: States, words: Places, count: int) -> tuple[Floats, Counts]:
    sums = np.zeros((count, changes.shape[1]))
    counts = np.bincount(words, minlength=count).astype(np.int64)
    order = np.argsort(words, kind="stable")
    if len(order):
        there = counts > 0
        edges = (np.cumsum(counts) - counts)[there]
        sums[there] = np.add.reduceat(changes[order], edges, axis=0, dtype=np.float64)
    return sums, counts


@dataclass(frozen=True)
class Responses:
    """What all blocks of a layer say.

    Attributes
    ----------
    mean : float64 array (word, cell)
        The mean change; NaN of a word without any timestep whose change is known.
    bands : float32 array (percentile, word, cell)
        Percentiles of the changes.
    """

    mean: Floats
    bands: States

    @classmethod
    def of(
        cls,
        reading: Reading,
        cells: int,
        summaries: Iterable[_Summary],
        percentiles: Iterable[float],
    ) -> Responses:
        """Put blocks together, in the order of reading."""
        count = len(reading.words)
        sums, counts = np.zeros((count, cells)), np.zeros(count, np.int64)
        words: list[Places] = []
        changes: list[States] = []
        before: _Row | None = None
        for one in summaries:
            sums += one.sums
            counts += one.counts
            words.append(one.words)
            changes.append(one.changes)
            if one.first is not None and one.first.word >= 0:
                change = _change(one.first, before)
                if change is not None:
                    word = np.array([one.first.word], np.intp)
                    sums[word] += change
                    counts[word] += 1
                    if reading.kept(np.array([one.first.column]), word)[0]:
                        words.append(word)
                        changes.append(change[None])
            before = one.last or before
        every = np.concatenate([np.zeros(0, np.intp), *words])
        values = np.concatenate([np.zeros((0, cells), np.float32), *changes])
        asked = [*percentiles]
        bands = np.full((len(asked), count, cells), np.nan, np.float32)
        order = np.argsort(every, kind="stable")
        edges = np.searchsorted(every[order], np.arange(count + 1))
        for k in range(count):
            part = order[edges[k] : edges[k + 1]]
            if len(part):
                bands[:, k] = np.percentile(values[part], asked, axis=0)
        with np.errstate(invalid="ignore"):
            return cls(sums / counts[:, None], bands)


def _change(row: _Row, before: _Row | None) -> States | None:
    """Give the change at the first row of a block; None if it isn't known."""
    if before is not None and before.segment == row.segment:
        change = row.state - before.state
    elif row.start is not None:
        change = row.state - row.start
    else:
        return None
    return change if np.isfinite(change).all() else None


def most_frequent(counts: Iterable[Mapping[str, int]]) -> dict[str, int]:
    """Put counts together; the most frequent word is first, and of equals the one that came first."""
    total: Counter[str] = Counter()
    for one in counts:
        total.update(one)
    return dict(total.most_common())
