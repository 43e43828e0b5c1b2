"""What writes texts at random draws from."""

from __future__ import annotations

from typing import TYPE_CHECKING, TypeVar

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Sequence

    Choice = TypeVar("Choice")


class Writer:
    """Draws numbers and words; the same seed draws the same."""

    def __init__(self, seed: int) -> None:
        self._random = np.random.default_rng(seed)

    def chance(self, probability: float) -> bool:
        """Say yes with a probability."""
        return bool(self._random.random() < probability)

    def number(self, lowest: int, highest: int) -> int:
        """Draw a whole number, the highest included."""
        return int(self._random.integers(lowest, highest, endpoint=True))

    def one(self, choices: Sequence[Choice]) -> Choice:
        """Draw one of several."""
        return choices[self.number(0, len(choices) - 1)]
