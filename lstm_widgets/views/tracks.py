"""What concepts say of each token, as codes that colours are found by."""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np

from lstm_widgets.tokens.wording import in_line, number, sendable, stepped

if TYPE_CHECKING:
    from numpy.typing import NDArray

#: The code of no value; numbers have the ones below it.
NONE = 255


@dataclass(frozen=True, eq=False)
class Track:
    """
    What is said of each token of a layer, examples laid end to end.

    Parameters
    ----------
    name : str
        What it is called.
    said : bool array or float64 array (column,)
        Yes or no; or numbers, NaN where there is none.
    """

    name: str
    said: NDArray[np.bool_] | NDArray[np.float64]

    @property
    def yes_no(self) -> bool:
        """Whether it says yes or no."""
        return self.said.dtype == np.bool_

    @cached_property
    def table(self) -> tuple[NDArray[np.float64], bool]:
        """What the codes of numbers stand for, rising, and whether those are the very numbers."""
        numbers = np.unique(self.said[~np.isnan(self.said)])
        if len(numbers) <= NONE:
            return numbers.astype(np.float64), True
        return np.linspace(numbers[0], numbers[-1], NONE), False

    @cached_property
    def codes(self) -> NDArray[np.uint8]:
        """A code each column: 0 for no, 1 for yes, or the place of its number; ``NONE`` for none."""
        if self.yes_no:
            return self.said.astype(np.uint8)
        table, exact = self.table
        known = ~np.isnan(self.said)
        codes = np.full(self.said.shape, NONE, np.uint8)
        if exact:
            codes[known] = np.searchsorted(table, self.said[known])
        else:
            share = (self.said[known] - table[0]) / (table[-1] - table[0])
            codes[known] = np.floor(share * (NONE - 1) + 0.5)
        return codes

    @property
    def shares(self) -> NDArray[np.float64]:
        """How much of its colour each code below ``NONE`` has, from 0 to 1."""
        if self.yes_no:
            return np.array([0.0, 1.0])
        table, _ = self.table
        extent = table[-1] - table[0] if len(table) else 0.0
        return (table - table[0]) / extent if extent > 0 else np.ones(len(table))

    def say(self, code: int) -> str:
        """Tell in words what a code says."""
        name = in_line(sendable(self.name))
        if code == NONE:
            return f"{name}: none"
        if self.yes_no:
            return f"{name}: {'yes' if code else 'no'}"
        table, exact = self.table
        value = float(table[code])
        if not exact:
            return f"{name}: ≈ {stepped(value, float(table[1] - table[0]))}"
        text = f"{value:.0f}".replace("-", "−") if value.is_integer() else number(value)
        return f"{name}: {text}"

    @property
    def packed(self) -> bytes:
        """Its codes as they are sent."""
        if self.yes_no:
            return np.packbits(self.said.astype(np.bool_), bitorder="little").tobytes()
        return self.codes.tobytes()

    def described(self, start: int) -> dict[str, Any]:
        """Describe it to the page; its codes begin at ``start``."""
        values: list[float] | None = None
        exact = True
        if not self.yes_no:
            table, exact = self.table
            # A hundredth of a step is seen nowhere.
            places = 0 if exact else 2 - math.floor(math.log10(table[1] - table[0]))
            values = [float(value) if exact else round(float(value), places) for value in table]
        return {"name": sendable(self.name), "start": start, "values": values, "exact": exact}
