# The docstrings of concepts say what holds of a token, not what a function does.
# ruff: noqa: D401
"""What number a token is, and what numbers so far come to."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from lstm_widgets.concepts.concept import ready

if TYPE_CHECKING:
    from collections.abc import Callable

    from lstm_widgets.concepts.example import Example, Track


@ready("numeric")
def value(example: Example) -> Track:
    """The number that the token is; of one spelled in digits, as far as it has been read.

    NaN elsewhere. Digits that follow each other are one number: 1, 12, 125.
    """
    return np.array([read[-1] if read else np.nan for read in _numbers(example)], np.float64)


@ready("numeric")
def running_sum(example: Example) -> Track:
    """The sum of all numbers read so far; of one spelled in digits, as far as it has been read."""
    return _totals(example, lambda number: number)


@ready("numeric")
def carry(example: Example) -> Track:
    """What is carried from the units: the last digits of all whole numbers so far, summed, // 10."""
    return _totals(example, lambda number: abs(number) % 10 if number % 1 == 0 else 0.0) // 10


def _totals(example: Example, term: Callable[[float], float]) -> Track:
    """Sum up a term of each number; with each further digit of one, its term is replaced."""
    steps = [
        term(read[-1]) - (term(read[0]) if len(read) == 2 else 0.0) if read else 0.0
        for read in _numbers(example)
    ]
    return np.cumsum(np.array(steps, np.float64))


def _numbers(example: Example) -> list[tuple[float, ...]]:
    """For each token the number as far as it has been read, after what it was one digit before."""
    result: list[tuple[float, ...]] = []
    spelled: tuple[float, ...] = ()
    for (before, text, _), said in zip(example.pieces, example.said, strict=True):
        if len(said) == 1 and said.isdecimal():
            # A space begins another number.
            last = spelled[-1:] if text[0] == said and not before else ()
            spelled = (*last, 10 * sum(last) + int(said))
            result.append(spelled)
        else:
            spelled = ()
            number = _as_float(said)
            result.append(() if np.isnan(number) else (number,))
        if text != text.rstrip():
            spelled = ()
    return result


def _as_float(token: str) -> float:
    try:
        number = float(token)
    except ValueError:
        return np.nan
    return number if np.isfinite(number) else np.nan
