"""The still picture of dependencies over running text: js/src/panes/dependency/ in Python."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
from PIL import Image

from lstm_widgets.colours import (
    BACKGROUND,
    CLIPPED,
    FOREGROUND,
    IS_NAN,
    PADDING,
    PLAIN,
    RAMP,
    ink,
    mix,
    patterned,
    ramp,
)
from lstm_widgets.figures.foot import Legend, foot_of, short
from lstm_widgets.figures.paper import EDGE, MUTED, WIDTH, outline, sheet, text_width, write
from lstm_widgets.figures.text import CHARACTER, lines_of
from lstm_widgets.tokens.wording import in_line, number, quoted, sendable

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from lstm_widgets.colours import Colour
    from lstm_widgets.figures.dependencies import Dependency
    from lstm_widgets.tokens.words import Spelling

#: Powers of ten that a logarithmic scale has.
DECADES = 3
_ROW, _APART, _CAPTION = 19, 5, 28
#: How much ink what isn't read has, and the line under a prediction that was computed.
_UNREAD, _ACCENT = 0.62, (11, 98, 214)


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
        The text's first timestep, and the one after its last.
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

    @property
    def empty(self) -> bool:
        """Whether there is nothing to draw."""
        return self.models[0].examples == 0 or self.span[0] == self.span[1]

    @property
    def ramp(self) -> NDArray[np.uint8]:
        """The palette from end to end."""
        return ramp("Purples" if self.palette == "auto" else self.palette)

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
        return f"t={timestep}" + ("" if token is None else f" {quoted(token)}")

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
            where = f" on {f't={at}' if token is None else quoted(token)} {distance(self.timestep - at)}"
        return number(float(values[at - start])) + where

    @property
    def sentence(self) -> str:
        """The selected prediction in a sentence."""
        here = self._place(self.timestep)
        following = self.token(self.timestep + 1)
        if following is not None:
            here += f", next {quoted(following)}"
        parts = [f"example {self.example}"] if self.models[0].examples > 1 else []
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
            return f"no dependency was computed for the prediction after t={self.timestep}"
        if not len(row[1]):
            return f"nothing is known of the prediction after t={self.timestep}: what comes next is unknown"
        told = summary(*row, self.timestep)
        parts = [self._target(model)]
        if told.at >= 0:
            parts.append(f"strongest {self._said(model, None)}")
        if told.half is not None:
            last = "token" if told.half == 1 else f"{told.half} tokens"
            parts.append(f"half of the sum within the last {last}")
        return " · ".join(parts)


def distance(back: int) -> str:
    """Tell in words how far one token is from another."""
    if back == 0:
        return "just read"
    return f"{back} back" if back > 0 else f"{-back} ahead"


def model_text(shown: Shown, model: Dependency, *, most: int) -> Image.Image:
    """
    Draw one model's text around the selected prediction.

    Parameters
    ----------
    shown : Shown
        With something to draw.
    model : Dependency
    most : int
        The most pixels that the lines take.
    """
    first, stop = shown.span
    texts = shown.texts
    tokens = (
        [" "] * (stop - first)
        if texts is None
        else [sendable(token) for token in texts[shown.example]]
    )
    shift = int(shown.align == "predict")
    if shift:
        tokens.append("?")
    lines = lines_of(
        tokens,
        WIDTH - 2 * EDGE,
        marks=shown.marks,
        spelling=shown.spelling,
        character=CHARACTER,
        least=CHARACTER,
    )
    pitch = _ROW + _APART
    starts = np.cumsum([0, *(len(line) for line in lines)])
    box = shown.timestep - first + shift
    count = max(1, (most - _CAPTION) // pitch)
    chosen = int(np.searchsorted(starts, box, side="right")) - 1
    # What was read before counts: the explained prediction stands low in the picture.
    top = max(0, min(chosen - count + 1, len(lines) - count))
    seen = lines[top : top + count]
    image, draw = sheet(_CAPTION + len(seen) * pitch + 6)
    name = in_line(sendable(model.name))
    write(draw, (EDGE, 14), name, kind="bold", room=WIDTH / 3)
    x = EDGE + (min(WIDTH / 3, text_width(name, "bold", 12)) + 6 if name else 0)
    write(draw, (x, 14), shown.caption(model), colour=MUTED, room=WIDTH - EDGE - x)

    few = 2 * len(model.timesteps) < stop - first
    colours, marks, inks = _looks(shown, model, len(tokens))
    for i, line in enumerate(seen):
        y = _CAPTION + i * pitch
        for place, (left, width, text) in enumerate(line, int(starts[top + i])):
            square = np.broadcast_to(colours[place], (_ROW, width, 3)).astype(np.uint8)
            square = patterned(square, np.full((_ROW, width), marks[place]))
            image.paste(Image.fromarray(np.ascontiguousarray(square)), (EDGE + left, y))
            if text.strip():
                middle = (EDGE + left + width / 2, y + _ROW / 2)
                colour = _tuple(inks[place])
                if text_width(text, "mono", 13) <= width + 1:
                    write(draw, middle, text, size=13, kind="mono", colour=colour, anchor="mm")
                else:
                    at = (EDGE + left, y + _ROW / 2)
                    write(draw, at, text, size=13, kind="mono", colour=colour, room=width)
            if few and model.row_of(place + first - shift) >= 0:
                under = (EDGE + left, y + _ROW + 1, EDGE + left + width - 1, y + _ROW + 2)
                draw.rectangle(under, fill=_ACCENT)
    for wanted, thick in ((box, 2), (_box(shown), 1)):
        line_at = int(np.searchsorted(starts, wanted, side="right")) - 1 - top
        if 0 <= wanted < len(tokens) and 0 <= line_at < len(seen):
            left, width, _ = lines[line_at + top][wanted - starts[line_at + top]]
            x0, y0 = EDGE + left - 1, _CAPTION + line_at * pitch - 1
            outline(draw, x0, y0, x0 + width + 1, y0 + _ROW + 1, thick=thick)
    return image


def _box(shown: Shown) -> int:
    return -1 if shown.input_timestep is None else shown.input_timestep - shown.span[0]


def _tuple(colour: NDArray[np.uint8]) -> Colour:
    red, green, blue = colour.tolist()
    return red, green, blue


def _looks(
    shown: Shown, model: Dependency, boxes: int
) -> tuple[NDArray[np.uint8], NDArray[np.uint8], NDArray[np.uint8]]:
    """Give each box its colour, its mark and the colour of its letters."""
    first = shown.span[0]
    colours = np.full((boxes, 3), BACKGROUND, np.uint8)
    inks = np.broadcast_to(mix(BACKGROUND, FOREGROUND, _UNREAD), (boxes, 3)).copy()
    marks = np.full(boxes, PLAIN, np.uint8)
    row = shown.row(model)
    if row is None or not len(row[1]):
        return colours, marks, inks
    start, values = row
    here = slice(start - first, start - first + len(values))
    marks[: here.start] = PADDING
    place = position(values, shown.largest(model), log=shown.log_scale)
    steps = np.floor(np.nan_to_num(place) * (RAMP - 1) + 0.5).astype(int)
    coloured = shown.ramp[steps]
    nothing = np.isnan(values)
    coloured[nothing] = mix(BACKGROUND, FOREGROUND, 0.3)
    colours[here] = coloured
    marks[here] = np.where(nothing, IS_NAN, np.where(np.isinf(values), CLIPPED, PLAIN))
    inks[here] = ink(coloured)
    return colours, marks, inks


def foot_of_dependency(shown: Shown) -> Image.Image:
    """Draw the sentence of the selected prediction, what there is, and the legend."""
    one = len(shown.models) == 1 or shown.same_scale
    high = shown.largest(shown.models[0]) if one else 1.0
    low, middle = 0.0, high / 2
    if shown.log_scale:
        low, middle = high / 10**DECADES, high / math.sqrt(10) ** DECADES
    of = "model" if shown.scale == "all" else "prediction"
    legend = Legend(
        shown.ramp,
        ("≤ " if shown.log_scale else "") + short(low),
        short(middle),
        short(high),
        "" if one else f"÷ largest of the {of}",
    )
    first, stop = shown.span
    examples = shown.models[0].examples
    computed = len(np.unique(np.concatenate([model.timesteps for model in shown.models])))
    counts = (
        f"{examples} examples" if examples != 1 else "",
        f"{stop - first} tokens",
        f"{computed} predictions",
        "grey: not yet read",
    )
    return foot_of(shown.sentence, counts, legend)
