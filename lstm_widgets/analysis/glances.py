"""What is seen of one cell of a long recording in one pass, block by block: its extremes and a sample.

Of every few timesteps the highest and the lowest value are kept, so that the extremes are exact; and of
about `SAMPLED` timesteps, drawn at random, the values, which tell how often which are there.
"""

from __future__ import annotations

import functools
from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from lstm_widgets.recording.blockwise import Block, blocks_of, blockwise
from lstm_widgets.recording.masks import mask_of

if TYPE_CHECKING:
    from collections.abc import Sequence

    import numpy.typing as npt
    import xarray as xr

    Flags = npt.NDArray[np.bool_]
    Places = npt.NDArray[np.intp]
    Values = npt.NDArray[np.float32]

__all__ = ["Glance", "Said", "lagged"]

#: Of so many timesteps, values are drawn.
SAMPLED = 1 << 15
# Of so many timesteps each, the highest and the lowest value are kept.
_RUN = 64


class _Seen(NamedTuple):
    """What is seen of a block: its runs, where they begin; values that were drawn, and where; the ends."""

    begins: Places
    highest: Values
    lowest: Values
    places: Places
    values: Values
    ends: tuple[float, float]


def _see(block: Block, *, signal: str, cell: int, apart: int, seed: int) -> _Seen:
    values = block.read(signal, slice(cell, cell + 1)).reshape(-1)
    first = block.columns.start
    known = block.mask().reshape(-1) & ~np.isnan(values)
    highest, lowest = _extremes(values, known)
    there = np.flatnonzero(known)
    rng = np.random.default_rng([seed, first])
    drawn = np.sort(rng.choice(there, -(-len(there) // apart), replace=False))
    finite = values[known & np.isfinite(values)]
    ends = (finite.min(), finite.max()) if len(finite) else (np.inf, -np.inf)
    begins = first + np.arange(0, len(values), _RUN)
    return _Seen(
        begins, highest, lowest, first + drawn, values[drawn], (float(ends[0]), float(ends[1]))
    )


def _extremes(values: Values, known: Flags) -> tuple[Values, Values]:
    """Give the highest and the lowest of every run; -inf and inf where there is none."""
    rest = -len(values) % _RUN
    found = []
    for sign in (1, -1):
        own = np.where(known, sign * values, -np.inf).astype(np.float32)
        runs = np.append(own, np.full(rest, -np.inf, np.float32)).reshape(-1, _RUN)
        found.append(sign * runs.max(axis=1))
    return found[0], found[1]


@dataclass(frozen=True)
class Glance:
    """What was seen of a cell.

    Attributes
    ----------
    layer : xarray.Dataset
        The layer.
    signal, cell : str, int
        What is looked at.
    begins, highest, lowest : array (run,)
        Where runs begin, and their highest and lowest values; -inf and inf if none is known.
    places, values : array (k,)
        Timesteps that were drawn, examples laid end to end, and their values.
    ends : float64 array (2,), or (0,)
        The least and the greatest finite value.
    """

    layer: xr.Dataset
    signal: str
    cell: int
    begins: Places
    highest: Values
    lowest: Values
    places: Places
    values: Values
    ends: npt.NDArray[np.float64]

    @classmethod
    def at(cls, layer: xr.Dataset, signal: str, cell: int, *, seed: int = 0) -> Glance:
        """Look at a cell."""
        columns = layer.sizes["example"] * layer.sizes["timestep"]
        see = functools.partial(
            _see, signal=signal, cell=cell, apart=max(1, columns // SAMPLED), seed=seed
        )
        parts = [*blockwise(see, blocks_of(layer), desc="looking at a cell")]
        low, high = min(part.ends[0] for part in parts), max(part.ends[1] for part in parts)
        return cls(
            layer,
            signal,
            cell,
            np.concatenate([part.begins for part in parts]),
            np.concatenate([part.highest for part in parts]),
            np.concatenate([part.lowest for part in parts]),
            np.concatenate([part.places for part in parts]),
            np.concatenate([part.values for part in parts]),
            np.array([low, high] if low <= high else []),
        )

    def read(self, examples: slice, timesteps: slice) -> Values:
        """Read some values ``(example, timestep)``."""
        cells = slice(self.cell, self.cell + 1)
        values: Values = Block(self.layer, examples, timesteps).read(self.signal, cells)[..., 0]
        return values

    def passages(
        self,
        *,
        sides: Sequence[str] = ("highest", "lowest"),
        extremes: int = 3,
        samples: int = 4,
        context: int = 40,
        seed: int = 0,
    ) -> list[tuple[str, int, int, int, int]]:
        """Choose where to look: the same extremes as ``passages``, and samples of those that were drawn.

        Which range of values a sample is from is told by what was drawn.

        Returns
        -------
        list of tuple
            Kind, example, first timestep, the one after the last, and the one it was chosen for.
        """
        mask, width = mask_of(self.layer), self.layer.sizes["timestep"]
        found: list[tuple[str, int, int, int, int]] = []
        gone: list[slice] = []
        runs = {"highest": self.highest.copy(), "lowest": -self.lowest}

        def take(kind: str, at: int) -> None:
            example, peak = divmod(at, width)
            start, stop = max(0, peak - context), min(width, peak + context + 1)
            inside = np.flatnonzero(mask[example, start:stop])
            start, stop = start + int(inside[0]), start + int(inside[-1]) + 1
            found.append((kind, example, start, stop, peak))
            gone.append(slice(example * width + start, example * width + stop))
            first = int(np.searchsorted(self.begins, gone[-1].start, side="right")) - 1
            last = int(np.searchsorted(self.begins, gone[-1].stop))
            for run in range(first, last):
                values, free = self._run(run, mask, gone)
                for one, sign in (("highest", 1), ("lowest", -1)):
                    runs[one][run] = np.where(free, sign * values, -np.inf).max(initial=-np.inf)

        for kind in sides:
            for _ in range(extremes):
                run = int(runs[kind].argmax())
                if runs[kind][run] == -np.inf:
                    break
                values, free = self._run(run, mask, gone)
                signed = values if kind == "highest" else -values
                take(kind, int(self.begins[run]) + int(np.where(free, signed, -np.inf).argmax()))
        if samples and len(self.values):
            shares = np.linspace(0, 1, samples + 1)
            limits = np.quantile(self.values, shares, method="inverted_cdf")
            rng = np.random.default_rng(seed)
            for low, high in zip(limits[-2::-1], limits[:0:-1], strict=True):
                free = (self.values >= low) & (self.values <= high)
                for part in gone:
                    free &= (self.places < part.start) | (self.places >= part.stop)
                inside = self.places[free]
                if len(inside):
                    take("sample", int(rng.choice(inside)))
        return found

    def _run(self, run: int, mask: Flags, gone: Sequence[slice]) -> tuple[Values, Flags]:
        """Read the values of a run, and which of them are known and in no passage yet."""
        width = mask.shape[1]
        begin = int(self.begins[run])
        end = int(self.begins[run + 1]) if run + 1 < len(self.begins) else mask.size
        parts = []
        for example in range(begin // width, -(-end // width)):
            before = example * width
            here = slice(max(0, begin - before), min(end - before, width))
            parts.append(self.read(slice(example, example + 1), here)[0])
        values = np.concatenate(parts)
        free = mask.reshape(-1)[begin:end] & ~np.isnan(values)
        for part in gone:
            free[max(0, part.start - begin) : max(0, part.stop - begin)] = False
        return values, free


def lagged(
    said: npt.NDArray[np.float64], mask: npt.NDArray[np.bool_], lag: int
) -> npt.NDArray[np.float64]:
    """
    Move what a concept says by some timesteps, within each example and past its padding.

    Parameters
    ----------
    said : float64 array (example, timestep)
        ``(example, timestep)``.
    mask : bool array (example, timestep)
        False marks padding.
    lag : int
        Where it is said moves so many timesteps later; earlier, if below 0.

    Returns
    -------
    numpy.ndarray
        NaN at padding, and where nothing comes from within the example.
    """
    moved = np.full(said.shape, np.nan)
    for example, here in enumerate(mask):
        places = np.flatnonzero(here)
        to = np.arange(len(places)) + lag
        inside = (to >= 0) & (to < len(places))
        moved[example, places[to[inside]]] = said[example, places[inside]]
    return moved


@dataclass(frozen=True)
class Said:
    """What a concept says, moved by a lag, as `lagged` does of all: worked out where it is looked at.

    Attributes
    ----------
    track, mask : xarray.DataArray, bool array (example, timestep)
        What it says, and which timesteps aren't padding.
    lag : int
        Where it is said moves so many timesteps later; earlier, if below 0.
    """

    track: xr.DataArray
    mask: Flags
    lag: int

    def columns(self, columns: slice, examples: int, timesteps: int) -> npt.NDArray[np.float64]:
        """Tell it of a block of so many examples and timesteps, by where it is."""
        example, first = divmod(columns.start, self.mask.shape[1])
        return self.read(slice(example, example + examples), slice(first, first + timesteps))

    def read(self, examples: slice, timesteps: slice) -> npt.NDArray[np.float64]:
        """Tell it of some timesteps: ``(example, timestep)``."""
        width = self.mask.shape[1]
        start, stop, _ = timesteps.indices(width)
        # As much beside them as the lag may come from, past padding.
        reach = wanted = abs(self.lag)
        while True:
            low, high = max(0, start - reach), min(width, stop + reach)
            before = self.mask[examples, low:start].sum(axis=1).min(initial=wanted)
            behind = self.mask[examples, stop:high].sum(axis=1).min(initial=wanted)
            if (low == 0 or before >= wanted) and (high == width or behind >= wanted):
                break
            reach *= 2
        said, mask = self.track[examples, low:high].to_numpy(), self.mask[examples, low:high]
        return lagged(said, mask, self.lag)[:, start - low : stop - low]
