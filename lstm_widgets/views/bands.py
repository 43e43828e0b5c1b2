"""The colours of relevance, a band a method."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from lstm_widgets.analysis.relevance_methods import UNSIGNED
from lstm_widgets.colours import LIGHT, RAMP, TABLE, Theme, marks_of, ramp

if TYPE_CHECKING:
    from numpy.typing import ArrayLike, NDArray


@dataclass(frozen=True)
class Band:
    """
    How the relevance of one method becomes colours: js/src/colour/relevance_colours.js in NumPy.

    Parameters
    ----------
    method : str
        Its name.
    largest : float
        Its largest magnitude in all examples.
    palette : str
        A name of the table, or ``"auto"``.
    scale : str or tuple of float
        As the trait of the widget.
    theme : Theme
    """

    method: str
    largest: float
    palette: str = "auto"
    scale: str | tuple[float, float] = "example"
    theme: Theme = LIGHT

    @property
    def signed(self) -> bool:
        """Whether there are values on both sides of zero."""
        return self.method not in UNSIGNED

    @property
    def ramp(self) -> NDArray[np.uint8]:
        """Its colours from end to end: uint8 (step, 3)."""
        name = self.theme.palette(self.palette, signed=self.signed, plain="Purples")
        half = not self.signed and TABLE[name]["kind"] == "diverging"
        return ramp(name)[RAMP // 2 :] if half else ramp(name)

    def range(self, largest: float) -> tuple[float, float]:
        """Give the values of the outermost colours, from the largest magnitude in the example."""
        if isinstance(self.scale, tuple):
            low, high = self.scale
            return (low if self.signed or high <= 0 else max(0.0, low)), high
        high = self.largest if self.scale == "all" else largest
        return (-high if self.signed else 0.0), high

    def look(
        self, values: ArrayLike, largest: float
    ) -> tuple[NDArray[np.uint8], NDArray[np.uint8]]:
        """
        Give values of one example their colours and marks.

        Parameters
        ----------
        values : float array (box,)
        largest : float
            The largest magnitude in the example.

        Returns
        -------
        tuple of uint8 array (box, 3) and uint8 array (box,)
        """
        value = np.asarray(values, np.float64)
        low, high = self.range(largest)
        place = np.full(value.shape, 0.5 if self.signed else 0.0)
        if high > low:
            place = (value - low) / (high - low)
        last = len(self.ramp) - 1
        step = np.floor(np.nan_to_num(place, nan=0, posinf=1, neginf=0) * last + 0.5)
        colours = self.ramp[np.clip(step, 0, last).astype(int)]
        colours = np.where(np.isnan(value)[:, None], self.theme.unknown, colours)
        return colours.astype(np.uint8), marks_of(value, place)
