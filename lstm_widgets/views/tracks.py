"""What concepts say of each token, as codes that colours are found by."""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np

from lstm_widgets.tokens.wording import in_line, number, sendable, stepped

if TYPE_CHECKING:
    from collections.abc import Iterator

    from numpy.typing import NDArray

    from lstm_widgets.concepts.packed import PackedTrack

#: The code of no value; numbers have the ones below it.
NONE = 255
#: Columns that are unpacked together: a multiple of 8.
_STRETCH = 1 << 18


@dataclass(frozen=True, eq=False)
class Track:
    """
    What is said of each token of a layer, examples laid end to end.

    Parameters
    ----------
    name : str
        What it is called.
    said : PackedTrack
        Yes or no; or numbers, NaN where there is none.
    """

    name: str
    said: PackedTrack

    @property
    def yes_no(self) -> bool:
        """Whether it says yes or no."""
        return self.said.kind == "yes_no"

    @property
    def stretches(self) -> Iterator[NDArray[Any]]:
        """What it says, unpacked some columns at a time."""
        for start in range(0, len(self.said), _STRETCH):
            yield self.said.block(slice(start, start + _STRETCH))

    @cached_property
    def table(self) -> tuple[NDArray[np.float64], bool]:
        """What the codes of numbers stand for, rising, and whether those are the very numbers."""
        numbers, exact = np.zeros(0), True
        for values in self.stretches:
            numbers = np.unique(np.concatenate([numbers, values[~np.isnan(values)]]))
            if len(numbers) > NONE:
                numbers, exact = numbers[[0, -1]], False
        return (numbers if exact else np.linspace(numbers[0], numbers[-1], NONE)), exact

    def codes(self, start: int, stop: int) -> NDArray[np.uint8]:
        """
        Give a code for each of some columns.

        Parameters
        ----------
        start, stop : int

        Returns
        -------
        uint8 array (column,)
            0 for no, 1 for yes, or the place of its number; ``NONE`` for none.
        """
        return self._coded(self.said.block(slice(start, stop)))

    def codes_at(self, columns: NDArray[np.integer[Any]]) -> NDArray[np.uint8]:
        """Give the same for columns in any order."""
        return self._coded(self.said.take(columns))

    def _coded(self, said: NDArray[Any]) -> NDArray[np.uint8]:
        if self.yes_no:
            return said.astype(np.uint8)
        table, exact = self.table
        known = ~np.isnan(said)
        codes = np.full(said.shape, NONE, np.uint8)
        if exact:
            codes[known] = np.searchsorted(table, said[known])
        else:
            share = (said[known] - table[0]) / (table[-1] - table[0])
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
            bits = (np.packbits(values, bitorder="little") for values in self.stretches)
            return b"".join(part.tobytes() for part in bits)
        return b"".join(self._coded(values).tobytes() for values in self.stretches)

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
