# The docstrings of concepts say what holds of a token, not what a function does.
# ruff: noqa: D401
"""What number a token is, and what numbers so far come to."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from lstm_widgets.concepts.concept import carried

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from lstm_widgets.concepts.example import Stretch, Track


@carried("numeric")
def value(stretches: Iterator[Stretch]) -> Iterator[Track]:
    """The number that the token is; of one spelled in digits, as far as it has been read.

    NaN elsewhere. Digits that follow each other are one number: 1, 12, 125.
    """
    for numbers in _numbers(stretches):
        yield np.array([read[-1] if read else np.nan for read in numbers], np.float64)


@carried("numeric")
def running_sum(stretches: Iterator[Stretch]) -> Iterator[Track]:
    """The sum of all numbers read so far; of one spelled in digits, as far as it has been read."""
    return _totals(stretches, lambda number: number)


@carried("numeric")
def carry(stretches: Iterator[Stretch]) -> Iterator[Track]:
    """What is carried from the units: the last digits of all whole numbers so far, summed, // 10."""
    totals = _totals(stretches, lambda number: abs(number) % 10 if number % 1 == 0 else 0.0)
    return (total // 10 for total in totals)


def _totals(stretches: Iterator[Stretch], term: Callable[[float], float]) -> Iterator[Track]:
    """Sum up a term of each number; with each further digit of one, its term is replaced."""
    total = np.zeros(1)
    for numbers in _numbers(stretches):
        steps = [
            term(read[-1]) - (term(read[0]) if len(read) == 2 else 0.0) if read else 0.0
            for read in numbers
        ]
        totals = np.cumsum(np.concatenate([total, np.array(steps, np.float64)]))
        yield totals[1:]
        total = totals[-1:]


def _numbers(stretches: Iterator[Stretch]) -> Iterator[list[tuple[float, ...]]]:
    """For each token the number as far as it has been read, after what it was one digit before."""
    spelled: tuple[float, ...] = ()
    for stretch in stretches:
        result: list[tuple[float, ...]] = []
        for (before, text, _), said in zip(stretch.pieces, stretch.said, strict=True):
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
        yield result


def _as_float(token: str) -> float:
    try:
        number = float(token)
    except ValueError:
        return np.nan
    return number if np.isfinite(number) else np.nan
