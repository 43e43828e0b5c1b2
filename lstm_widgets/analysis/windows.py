# Keras has no types, so what comes from it is Any.
"""A text that a model reads in windows, as the examples that these are."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from lstm_widgets.analysis.indices import in_range

if TYPE_CHECKING:
    from collections.abc import Sequence

    import numpy.typing as npt

    from lstm_widgets.running.given import Given

__all__ = ["Windows", "read_windows"]


@dataclass(frozen=True)
class Windows:
    """Windows of a text.

    Attributes
    ----------
    inputs : array (window, timestep)
        What the model takes: a window is an example.
    ends : int array (window,)
        The timestep of the text at which each ends.
    length : int
        How many timesteps each has.
    """

    inputs: npt.NDArray[Any]
    ends: npt.NDArray[np.intp]
    length: int

    @property
    def timesteps(self) -> npt.NDArray[np.intp]:
        """The timestep of the text that stands at each of a window; negative ones are padding."""
        return self.ends[:, None] + np.arange(1 - self.length, 1)

    def tokens(self, text: Sequence[str]) -> list[list[str]]:
        """Tell what stands in each window, ``""`` at padding."""
        return [["" if t < 0 else text[t] for t in row] for row in self.timesteps.tolist()]


def read_windows(given: Given, ends: npt.NDArray[np.intp] | None = None) -> Windows:
    """Cut a text into the windows that end at some timesteps; None: at all that one ends at.

    Raises
    ------
    ValueError
        If none ends there, or there are several texts.
    """
    reading = given.reading()
    if reading.texts > 1:
        raise ValueError(
            f"window: expected inputs to be one text or one series, got {reading.texts}; give one of "
            "them, or the windows themselves, as a batch"
        )
    ends = np.arange(reading.before, reading.count) if ends is None else ends
    ends = in_range("at", ends, reading.count, "timesteps")
    if (ends < reading.before).any():
        raise ValueError(
            f"at: expected timesteps from {reading.before}, where the first window of "
            f"{reading.window} tokens ends (pad= makes windows before it); got {ends.min()}"
        )
    cut, _ = given.batches(reading, 1)
    first = ends - reading.before
    inputs = np.concatenate([cut(t, t + 1) for t in first])
    return Windows(inputs, ends, int(inputs.shape[1]))
