"""Occlusion: what takes the place of a stretch of what a model reads."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any, Literal

import numpy as np

from lstm_widgets.checks import expect_whole

if TYPE_CHECKING:
    import numpy.typing as npt

    from lstm_widgets.analysis.windows import Windows
    from lstm_widgets.models.adapter import Adapter
    from lstm_widgets.models.explaining import Explained
    from lstm_widgets.running.given import Given

    Floats = npt.NDArray[np.floating[Any]]

__all__ = ["OfSeries", "ReplaceWith", "Replacement", "is_series"]

ReplaceWith = Literal["zero", "mean", "blocks"] | int


@dataclass(frozen=True)
class Replacement:
    """What was asked to take the place of what is left out.

    Attributes
    ----------
    what : str or int
        ``"zero"``; an id; or of a channel its ``"mean"``, or other ``"blocks"`` of it.
    stretch : int
        How many timesteps it takes the place of at once.
    draws : int
        How many blocks take the place one after the other, if these are ``"blocks"``.
    seed : int
        What the choice of blocks follows from.

    Raises
    ------
    TypeError, ValueError
        If one of these is none.
    """

    what: ReplaceWith = "zero"
    stretch: int = 1
    draws: int = 8
    seed: int = 0

    def __post_init__(self) -> None:
        if self.what not in ("zero", "mean", "blocks"):
            if isinstance(self.what, str):
                raise ValueError(
                    f"replace_with: expected 'zero', 'mean', 'blocks' or an id, got {self.what!r}"
                )
            expect_whole("replace_with", self.what, 0)
        expect_whole("stretch", self.stretch, 1)
        expect_whole("draws", self.draws, 1)
        expect_whole("seed", self.seed, 0)

    @property
    def needs_series(self) -> bool:
        """Whether it is made of the values of channels."""
        return self.what in ("mean", "blocks")

    @property
    def needs_ids(self) -> bool:
        """Whether it is an id."""
        return not isinstance(self.what, str)

    @property
    def times(self) -> int:
        """How many replacements of the same stretch are averaged over."""
        return self.draws if self.what == "blocks" else 1

    def stretches(self, timesteps: int) -> list[tuple[int, int]]:
        """Cut timesteps into stretches ``(start, stop)``, from the last one back."""
        stops = range(timesteps, 0, -self.stretch)
        return [(max(0, stop - self.stretch), stop) for stop in stops][::-1]

    def expect(self, explained: Explained, *, series: bool) -> None:
        """Refuse it where the model reads nothing that it could take the place of."""
        name = explained.source.name
        takes_ids = explained.source.layer is not None and explained.has_ids
        if self.needs_ids and not takes_ids:
            raise ValueError(
                f"replace_with: expected no id, because {name!r} takes none that are an input of the "
                f"model; got {self.what!r}"
            )
        if self.needs_series and not series:
            raise ValueError(
                f"replace_with: expected 'zero' or an id, because what {name!r} takes are tokens, not "
                f"the channels of a series; got {self.what!r}"
            )


class OfSeries:
    """What takes the place of stretches of channels.

    Parameters
    ----------
    replacement : Replacement
        What was asked for.
    series : numpy.ndarray
        What means and blocks are taken from: floats ``(example, timestep, channel)``.
    real : numpy.ndarray, optional
        What of it isn't padding: bool ``(example, timestep)``.
    starts : numpy.ndarray
        Where each row that the model reads begins in the series: its first value's position in it,
        counted through all examples; int ``(row,)``.
    """

    def __init__(
        self,
        replacement: Replacement,
        series: Floats,
        real: npt.NDArray[np.bool_] | None,
        starts: npt.NDArray[np.intp],
    ) -> None:
        self.replacement = replacement
        self._series = series
        self._known = np.isfinite(series)
        if real is not None:
            self._known &= real[..., None]
        self._starts = starts
        self._places: dict[tuple[int, int], npt.NDArray[np.intp]] = {}

    @classmethod
    def of(
        cls,
        replacement: Replacement,
        adapter: Adapter,
        given: Given,
        explained: Explained,
        *,
        windows: Windows | None = None,
        first: int = 0,
    ) -> OfSeries:
        """Take the series from what a model was given to read.

        Parameters
        ----------
        replacement : Replacement
        adapter : Adapter
        given : Given
        explained : Explained
            Those that are read now.
        windows : Windows, optional
            If what is given is read in windows: these.
        first : int
            If only some of the examples are read now: the first of them, in reading order.
        """
        assert given.series is not None  # noqa: S101  (asked of a series only)
        series, leaf, real = given.series.values, given.series.leaf, None
        if given.lengths is not None and leaf in given.lengths.leaves:
            real = given.in_order(given.lengths.real())
        masker = adapter.masker(leaf)
        if masker is not None:
            kept = ~(series == masker.value).all(axis=-1)
            real = kept if real is None else real & kept
        if windows is None:
            starts = np.arange(first, first + explained.count) * series.shape[1]
        else:
            starts = windows.series * series.shape[1] + windows.timesteps[:, 0]
        return cls(replacement, series, real, starts)

    @cached_property
    def means(self) -> Floats:
        """The mean of each channel, without padding and what is missing: ``(channel,)``."""
        count = self._known.sum(axis=(0, 1))
        total = np.where(self._known, self._series, 0).sum(axis=(0, 1), dtype=np.float64)
        return np.asarray(total / np.maximum(count, 1))

    def values(
        self, rows: npt.NDArray[np.intp], start: int, stop: int, channel: int, draw: int
    ) -> Floats | float:
        """Give what takes the place of a stretch of a channel: ``(row, timestep)``, or one number.

        Parameters
        ----------
        rows : numpy.ndarray
            Which of all rows these are, int ``(row,)``.
        start, stop : int
            The stretch in each of them.
        channel : int
            The channel.
        draw : int
            The number of the replacement, from 0.

        Raises
        ------
        ValueError
            If there is no other block.
        """
        asked = self.replacement
        if asked.what == "zero":
            return 0.0
        if asked.what == "mean":
            return float(self.means[channel])
        length = stop - start
        places = self._blocks(length, channel)
        chance = np.random.default_rng([asked.seed, draw, start, channel])
        # One for each of all rows, so that it doesn't matter which of them run together.
        chosen = chance.integers(0, len(places), len(self._starts))[rows]
        own = places[chosen] == self._starts[rows] + start
        chosen = np.where(own, (chosen + 1) % len(places), chosen)
        flat = self._series[..., channel].ravel()
        return np.asarray(flat[places[chosen][:, None] + np.arange(length)])

    def _blocks(self, length: int, channel: int) -> npt.NDArray[np.intp]:
        """List where blocks begin of which everything is known."""
        if (length, channel) not in self._places:
            known = self._known[..., channel]
            sums = np.cumsum(np.pad(known, ((0, 0), (1, 0))), axis=1)
            whole = sums[:, length:] - sums[:, :-length] == length
            example, start = np.nonzero(whole)
            if len(example) < 2:
                raise ValueError(
                    f"replace_with: expected 'mean' or 'zero', because channel {channel} has no other "
                    f"block of {length} timesteps without padding and missing values; got 'blocks'"
                )
            self._places[length, channel] = example * known.shape[1] + start
        return self._places[length, channel]


def is_series(given: Given, explained: Explained) -> bool:
    """Tell whether what a model reads at the source is a series, whose channels are told apart."""
    series, source = given.series, explained.source
    return series is not None and source.layer is None and source.leaves == (series.leaf,)
