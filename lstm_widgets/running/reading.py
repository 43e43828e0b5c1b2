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
    window : int
        The number of timesteps of a window.
    padding : int
        How many timesteps of padding stand in front of the text.
    pad : number or str
        What it was said to be.
    lengths : numpy.ndarray, optional
        Of examples that are read without padding, each call those of one length: their lengths,
        the longest first, in the order in which they are read.
    order : numpy.ndarray, optional
        Which of the examples each of these is.
    """

    mode: Literal["examples", "pieces", "windows"]
    count: int
    window: int = 1
    padding: int = 0
    pad: Any = None
    lengths: npt.NDArray[np.intp] | None = None
    order: npt.NDArray[np.intp] | None = None

    @property
    def before(self) -> int:
        """How many timesteps of the text have no window."""
        return self.window - 1 - self.padding

    @property
    def total(self) -> int:
        """How many examples, timesteps or windows there are to be read."""
        return self.count - self.before

    def parts(self, size: int) -> list[tuple[int, int]]:
        """Cut the total into what is read in one call each: from where to where."""
        ends = [0, max(self.total, 1)]
        if self.lengths is not None:
            ends = [0, *(np.flatnonzero(np.diff(self.lengths)) + 1).tolist(), self.count]
        return [
            (start, min(start + size, self.total, stop))
            for begin, stop in itertools.pairwise(ends)
            for start in range(begin, stop, size)
        ]

    def shape(self, timesteps: int) -> tuple[int, int]:
        """Tell the recording's numbers of examples and timesteps, of a call's timesteps."""
        return (self.count, timesteps) if self.mode == "examples" else (1, self.count)

    def place(self, start: int, stop: int, timesteps: int) -> tuple[Any, ...]:
        """Index what ``start`` to ``stop`` of the total are in the recording."""
        if self.mode == "examples":
            return (slice(start, stop), slice(0, timesteps))
        if self.mode == "pieces":
            return (slice(None), slice(start, stop))
        return (0, slice(start + self.before, stop + self.before))

    def done(self, total: int) -> tuple[Any, ...]:
        """Index that part of the recording that is there after ``total``, examples in order."""
        if self.order is not None:
            return (np.argsort(self.order[:total]),)
        if self.mode == "examples":
            return (slice(total),)
        return (slice(None), slice(total + self.before))

    def describe(self, total: int) -> str:
        """Say how much is there after ``total``."""
        what = "examples" if self.mode == "examples" else "timesteps"
        return f"{total + self.before} of {self.count} {what}"
