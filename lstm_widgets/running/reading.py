# What stands for padding may be of many types: Any.
"""How what a model reads in its calls stands in a recording."""

from __future__ import annotations

import itertools
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

import numpy as np

if TYPE_CHECKING:
    import numpy.typing as npt

__all__ = ["Reading"]


@dataclass(frozen=True)
class Reading:
    """How what the model reads in its calls stands in the recording.

    Attributes
    ----------
    mode : {"examples", "pieces", "windows"}
        ``"examples"``: each call reads some of the examples. ``"pieces"``: each call reads a piece
        of one long example, and goes on from the states in which the call before ended.
        ``"windows"``: each call reads some of a text's windows; of each only the state at its end
        is kept, at the timestep of its last token.
    count : int
        The number of examples, or of timesteps of the text.
    texts : int
        How many texts, or series, are read window by window, each with so many timesteps.
    step : int
        How many timesteps the ends of windows are apart. From 2 on, only those where one ends are in
        the recording.
    window : int
        The number of timesteps of a window.
    padding : int
        How many timesteps of padding stand in front of the text.
    pad : number or str
        What it was said to be.
    lengths : numpy.ndarray, optional
        Of examples that are read without padding, each call those of one length: their lengths,
        in the order in which they are read, the longest first unless they were given in batches. Of
        several texts, or series, that are read window by window and were filled up to one length:
        theirs, without padding.
    order : numpy.ndarray, optional
        Which of the examples each of these is.
    edges : tuple of int
        Where each batch begins, and where the last one ends, of examples that were given in batches.
    """

    mode: Literal["examples", "pieces", "windows"]
    count: int
    window: int = 1
    padding: int = 0
    pad: Any = None
    lengths: npt.NDArray[np.intp] | None = None
    order: npt.NDArray[np.intp] | None = None
    texts: int = 1
    step: int = 1
    edges: tuple[int, ...] = ()

    @property
    def before(self) -> int:
        """How many timesteps of the text have no window."""
        return self.window - 1 - self.padding

    @property
    def empty(self) -> int:
        """How many timesteps at the beginning are in the recording, but have no window."""
        return self.before if self.step == 1 else 0

    @property
    def each(self) -> int:
        """How much there is to be read of the longest text: timesteps, or windows."""
        return -(-(self.count - self.before) // self.step)

    @property
    def of_texts(self) -> npt.NDArray[np.intp]:
        """How much there is to be read of each text."""
        if self.mode != "windows" or self.lengths is None:
            return np.full(self.texts, self.each)
        return -(-(self.lengths - self.before) // self.step)

    @property
    def total(self) -> int:
        """How many examples, timesteps or windows there are to be read."""
        return int(self.of_texts.sum())

    @property
    def nothing(self) -> npt.NDArray[np.bool_]:
        """Which timesteps in the recording are the end of no window, ``(text, timestep)``."""
        window = np.arange(self.empty + self.each) - self.empty
        return (window < 0) | (window >= self.of_texts[:, None])

    @property
    def positions(self) -> npt.NDArray[np.int64] | None:
        """Which timesteps are in the recording; None: all."""
        return None if self.step == 1 else np.arange(self.before, self.count, self.step)

    def parts(self, size: int) -> list[tuple[int, int]]:
        """Cut the total into what is read in one call each: from where to where."""
        ends = [0, max(self.total, 1)]
        if self.edges:
            ends = list(self.edges)
        elif self.mode == "examples" and self.lengths is not None:
            ends = [0, *(np.flatnonzero(np.diff(self.lengths)) + 1).tolist(), self.count]
        return [
            (start, min(start + size, self.total, stop))
            for begin, stop in itertools.pairwise(ends)
            for start in range(begin, stop, size)
        ]

    def shape(self, timesteps: int) -> tuple[int, int]:
        """Tell the recording's numbers of examples and timesteps, of a call's timesteps."""
        if self.mode == "examples":
            return (self.count, timesteps)
        return (self.texts, self.empty + self.each)

    def place(self, start: int, stop: int, timesteps: int) -> tuple[Any, ...]:
        """Index what ``start`` to ``stop`` of the total are in the recording."""
        if self.mode == "examples":
            return (slice(start, stop), slice(0, timesteps))
        if self.mode == "pieces":
            return (slice(None), slice(start, stop))
        if self.texts == 1:
            return (0, slice(start + self.empty, stop + self.empty))
        text, window = self.windows(start, stop)
        return (text, window + self.empty)

    def windows(self, start: int, stop: int) -> tuple[npt.NDArray[np.intp], npt.NDArray[np.intp]]:
        """Tell of windows ``start`` to ``stop`` of the total in which text each is, and which there."""
        count, number = self.of_texts, np.arange(start, stop)
        stops = np.cumsum(count)
        text = np.searchsorted(stops, number, side="right")
        return text, number - (stops - count)[text]

    def ends(self, start: int, stop: int) -> tuple[npt.NDArray[np.intp], npt.NDArray[np.intp]]:
        """Tell of such windows in which text each is, and at which of its timesteps it ends."""
        text, window = self.windows(start, stop)
        return text, self.before + window * self.step

    def done(self, total: int) -> tuple[Any, ...]:
        """Index that part of the recording that is there after ``total``, examples in order."""
        if self.order is not None:
            return (np.argsort(self.order[:total]),)
        if self.mode == "examples":
            return (slice(total),)
        if self.texts > 1 and self._whole(total):  # of several texts, only whole ones
            return (slice(self._whole(total)),)
        return (slice(1), slice(total + self.empty))

    def reached(self, total: int) -> tuple[Any, ...]:
        """Index that part of what is read that :meth:`done` is about."""
        texts, *timesteps = self.done(total)
        if not timesteps:
            return (texts,)
        return (
            texts,
            slice(
                None if total == self.total else self.before + (total - 1) * self.step + 1,
            ),
        )

    def _whole(self, total: int) -> int:
        """Tell how many texts are read as a whole after ``total``."""
        return int(np.searchsorted(np.cumsum(self.of_texts), total, side="right"))

    def describe(self, total: int) -> str:
        """Say how much is there after ``total``."""
        if self.mode == "examples":
            return f"{total} of {self.count} examples"
        if self.texts > 1 and self._whole(total):
            return f"{self._whole(total)} of {self.texts} examples"
        return f"{self.before + (total - 1) * self.step + 1} of {self.count} timesteps"
