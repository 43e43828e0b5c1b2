"""What one prediction depends on, in numbers and in words: js/src/state/dependency.js in Python."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from lstm_widgets.tokens.wording import in_line, number, quoted, sendable
from lstm_widgets.views.dependencies import times_of

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from lstm_widgets.tokens.words import Spelling
    from lstm_widgets.views.dependencies import Dependency

#: Powers of ten that a logarithmic scale has.
DECADES = 3


class Summary(NamedTuple):
    """What can be said of a row."""

    largest: float
    at: int
    half: int | None


def summary(start: int, values: NDArray[np.float32], timestep: int) -> Summary:
    """
    Sum up what one prediction depends on.

    Parameters
    ----------
    start : int
        The timestep of the first value.
    values : float32 array (token,)
    timestep : int
        After which the prediction is made.

    Returns
    -------
    Summary
        The largest value and its timestep (-1 if there is none), and how many of the last tokens make half
        of the sum; None where something later counts too, or nothing counts.
    """
    numbers = ~np.isnan(values)
    at = start + int(np.nanargmax(values)) if numbers.any() else -1
    finite = np.where(np.isfinite(values), values, 0).astype(np.float64)
    half = None
    if finite.sum() > 0 and start + len(values) - 1 <= timestep:
        passed = np.cumsum(finite[::-1])
        back = int(np.argmax(passed >= finite.sum() / 2))
        half = timestep - (start + len(values) - 1 - back) + 1
    return Summary(float(finite.max(initial=0)), at, half)


def position(values: NDArray[np.float32], largest: float, *, log: bool) -> NDArray[np.float64]:
    """Place values on the palette, from 0 to 1; NaN for NaN."""
    value = values.astype(np.float64)
    if not largest > 0:
        return np.where(np.isnan(value), np.nan, value > 0)
    with np.errstate(divide="ignore"):
        share = value / largest
        return np.clip(1 + np.log10(share) / DECADES if log else share, 0, 1)


@dataclass(frozen=True)
class Shown:
    """
    What the widget shows at one moment.

    Parameters
    ----------
    models : list of Dependency
    texts : list of list of str, or None
        The tokens of each example.
    spelling : Spelling
        How they spell a text.
    span : tuple of int
        The example's first timestep, and the one after its last.
    label : str, optional
        What the example is called.
    example, timestep, input_timestep, scale, same_scale, log_scale, marks, align, palette : int, float or str
        As the widget's traits.
    """

    models: Sequence[Dependency]
    texts: Sequence[Sequence[str]] | None
    spelling: Spelling
    span: tuple[int, int]
    example: int
    timestep: int
    input_timestep: int | None
    scale: str
    same_scale: bool
    log_scale: bool
    marks: bool
    align: str
    palette: str
    label: str | None = None

    @property
    def empty(self) -> bool:
        """Whether there is nothing to draw."""
        return self.models[0].examples == 0 or self.span[0] == self.span[1]

    @property
    def series(self) -> bool:
        """Whether it is a series, and each model one of its channels."""
        return self.models[0].channel != ""

    def time(self, timestep: int) -> str:
        """Write when a timestep of a series is; "" if that isn't known."""
        first, stop = self.span
        if self._times is None or not first <= timestep < stop:
            return ""
        return sendable(self._times[timestep - first])

    @cached_property
    def _times(self) -> list[str] | None:
        return times_of(self.models, self.example, *self.span)

    def token(self, timestep: int) -> str | None:
        """Give what stands at a timestep; None if it is not known."""
        first, stop = self.span
        if self.texts is None or not first <= timestep < stop:
            return None
        return sendable(self.texts[self.example][timestep - first])

    def row(self, model: Dependency) -> tuple[int, NDArray[np.float32]] | None:
        """Give the timestep and the values of the tokens read; None if nothing was computed."""
        row = model.row_of(self.timestep)
        if row < 0:
            return None
        start = model.first + int(model.starts[self.example, row])
        return start, model.row(self.example, row)

    def largest(self, model: Dependency) -> float:
        """Tell what the last colour stands for."""
        return max(self._largest(one) for one in (self.models if self.same_scale else (model,)))

    def _largest(self, model: Dependency) -> float:
        if self.scale == "all":
            return float(model.described["largest"])
        row = self.row(model)
        return 0.0 if row is None else summary(*row, self.timestep).largest

    # -- in words ----------------------------------------------------------------------------------

    def _place(self, timestep: int) -> str:
        token = self.token(timestep)
        return self._when(timestep) + ("" if token is None else f" {quoted(token)}")

    def _when(self, timestep: int) -> str:
        return self.time(timestep) or f"t={timestep}"

    def _target(self, model: Dependency) -> str:
        targets = model.targets_of(self.example)
        given = targets[model.row_of(self.timestep)] if targets else ""
        if not given:
            return model.of or "prediction"
        kinds = {"#": "class", "@": "output"}
        named = quoted(given[1:]) if given[0] == "=" else f"{kinds[given[0]]} {given[1:]}"
        return f"{model.of} {'at' if model.of == 'loss' else 'of'} {named}"

    def _said(self, model: Dependency, place: int | None) -> str:
        row = self.row(model)
        if row is None:
            return "not computed"
        start, values = row
        if not len(values):
            return "unknown"
        at = summary(start, values, self.timestep).at if place is None else place
        if not start <= at < start + len(values):
            return "not read"
        where = ""
        if place is None:
            token = self.token(at)
            on = self._place(at) if token is None else quoted(token)
            where = f" on {on} {distance(self.timestep - at)}"
        unit = f" {in_line(sendable(model.unit))}" if model.unit else ""
        return number(float(values[at - start])) + unit + where

    @property
    def sentence(self) -> str:
        """The selected prediction in a sentence."""
        here = self._place(self.timestep)
        following = self.token(self.timestep + 1)
        if following is not None:
            here += f", next {quoted(following)}"
        called = "" if self.label is None else f' "{in_line(self.label)}"'
        parts = [f"example {self.example}{called}"] if self.models[0].examples > 1 else []
        each = " · ".join(
            f"{in_line(sendable(model.name))} {self._said(model, self.input_timestep)}".lstrip()
            for model in self.models
        )
        where = "strongest"
        if self.input_timestep is not None:
            back = distance(self.timestep - self.input_timestep)
            where = f"on {self._place(self.input_timestep)} ({back})"
        return " · ".join([*parts, here, f"{where}: {each}"])

    def caption(self, model: Dependency) -> str:
        """Say what a model's prediction is of, on what it depends the most, and how far back."""
        row = self.row(model)
        if row is None:
            return (
                f"no dependency was computed for the prediction after {self._when(self.timestep)}"
            )
        if not len(row[1]):
            known = f"nothing is known of the prediction after {self._when(self.timestep)}"
            ended = self.series and self.timestep >= self.span[1]
            return f"{known}: {'the series has ended' if ended else 'what comes next is unknown'}"
        told = summary(*row, self.timestep)
        parts = [self._target(model)]
        if told.at >= 0:
            parts.append(f"strongest {self._said(model, None)}")
        if told.half is not None:
            noun = "timestep" if self.series else "token"
            last = noun if told.half == 1 else f"{told.half} {noun}s"
            parts.append(f"half of the sum within the last {last}")
        return " · ".join(parts)


def distance(back: int) -> str:
    """Tell in words how far one token is from another."""
    if back == 0:
        return "just read"
    return f"{back} back" if back > 0 else f"{-back} ahead"
