# Keras has no types, so what comes from it is Any.
"""Texts, or series, that a model reads in windows, as the examples that these are."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from lstm_widgets.analysis.indices import in_range

if TYPE_CHECKING:
    from collections.abc import Sequence

    import numpy.typing as npt

    from lstm_widgets.running.given import Given
    from lstm_widgets.running.reading import Reading

__all__ = ["Windows", "read_windows"]


@dataclass(frozen=True)
class Windows:
    """Windows of texts, or of series, one after the other.

    Attributes
    ----------
    inputs : array (window, timestep)
        What the model takes: a window is an example.
    series : int array (window,)
        Of which of the texts, or series, each is.
    ends : int array (window,)
        The timestep of it at which each ends.
    length : int
        How many timesteps each has.
    """

    inputs: npt.NDArray[Any]
    series: npt.NDArray[np.intp]
    ends: npt.NDArray[np.intp]
    length: int

    @property
    def timesteps(self) -> npt.NDArray[np.intp]:
        """The timestep of its text that stands at each of a window; negative ones are padding."""
        return self.ends[:, None] + np.arange(1 - self.length, 1)

    def tokens(self, texts: Sequence[Sequence[str]]) -> list[list[str]]:
        """Tell what stands in each window, ``""`` at padding."""
        return [
            ["" if t < 0 else texts[k][t] for t in row]
            for k, row in zip(self.series.tolist(), self.timesteps.tolist(), strict=True)
        ]


def read_windows(given: Given, at: npt.NDArray[np.intp] | None = None) -> Windows:
    """Cut texts, or series, into the windows that end at some timesteps; None: at all that one ends at.

    Raises
    ------
    ValueError
        If none ends there.
    """
    reading = given.reading()
    series, ends = reading.ends(0, reading.total)
    if at is not None:
        chosen = [_ends(at, count, reading) for count in given.counts]
        series = np.repeat(np.arange(len(chosen)), [len(each) for each in chosen])
        ends = np.concatenate(chosen)
    # As a text of one length has windows: the first of them ends at `before`.
    inputs = given.windows[series, ends - reading.before]
    return Windows(inputs, series, ends, reading.window)


def _ends(at: npt.NDArray[np.intp], count: int, reading: Reading) -> npt.NDArray[np.intp]:
    """Tell where in a text of so many timesteps windows are to end."""
    ends = in_range("at", at, count, "timesteps")
    if (ends < reading.before).any():
        raise ValueError(
            f"at: expected timesteps from {reading.before}, where the first window of "
            f"{reading.window} tokens ends (pad= makes windows before it); got {ends.min()}"
        )
    apart = (ends - reading.before) % reading.step
    if apart.any():
        raise ValueError(
            f"at: expected timesteps at which a window ends, {reading.before} and each {reading.step} "
            f"after it; got {ends[apart > 0][0]}"
        )
    return ends
