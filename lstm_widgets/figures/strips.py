"""Relevance of a series, a strip of colours a channel: js/src/panes/relevance/strips.js in Python."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import numpy as np

from lstm_widgets.colours import PADDING
from lstm_widgets.figures.sheet import EDGE, rectangles
from lstm_widgets.figures.time_ticks import TimeTick, time_ticks

if TYPE_CHECKING:
    from lstm_widgets.figures.relevance import Page

STRIP, SEAM, APART = 14, 1, 8
#: How wide a timestep is.
_NARROW, _WIDE = 2, 18
#: The most room that names of channels take, in parts of all.
_NAMES = 0.16
#: Ticks are no nearer to each other.
_TICKS = 90


def names_width(page: Page) -> int:
    """Give the room of the names of channels."""
    examples, sheet = page.examples, page.sheet
    widths = [
        sheet.text_width(examples.channel(k), "bold", 11) for k in range(len(examples.channels))
    ]
    return int(min(max(widths), _NAMES * sheet.width)) + 9


def high(page: Page) -> int:
    """Give the height of the strips of an example."""
    return len(page.bands) * _block(page) - APART


def _block(page: Page) -> int:
    return len(page.examples.channels) * (STRIP + SEAM) - SEAM + APART


def _view(page: Page) -> tuple[int, int]:
    """Give the width of a timestep, and the first of them that there is room for: the end counts."""
    room, count = page.sheet.width - page.left - EDGE, page.examples.timesteps
    step = min(_WIDE, max(_NARROW, room // max(1, count)))
    first = max(0, count - room // step)
    # What is selected is seen.
    return step, min(first, page.timestep)


def draw(page: Page, example: int, y: int, *, chosen: bool) -> None:
    """Draw the strips of an example from a height on."""
    sheet, examples = page.sheet, page.examples
    step, first = _view(page)
    stop = min(examples.timesteps, first + (sheet.width - page.left - EDGE) // step)
    x = page.left + step * np.arange(stop - first)
    names = names_width(page)
    for k, band in enumerate(page.bands):
        top = y + k * _block(page)
        if len(page.bands) > 1:
            kind = "bold" if band.method == page.method else "sans"
            name = page.method_name(band.method)
            sheet.muted(page.left - names - 8, top + STRIP / 2, name, kind=kind, align="right")
        largest = page.largest(band.method, example)
        for c in range(len(examples.channels)):
            at = top + c * (STRIP + SEAM)
            kind = "bold" if chosen and c == page.channel else "sans"
            sheet.muted(
                page.left - 8,
                at + STRIP / 2,
                sheet.shortened(examples.channel(c), names - 8, kind, 11),
                kind=kind,
                align="right",
            )
            values = page.values(band.method, example, c)[first:stop]
            colours, marks = band.look(values, largest)
            if examples.mask is not None:
                marks[~examples.mask[example, first:stop]] = PADDING
            sheet.values(rectangles(x, at, step, STRIP), colours, marks)
    if chosen and first <= page.timestep < stop:
        left = page.left + step * (page.timestep - first)
        sheet.outline((left - 1, y - 1, left + step + 1, y + high(page) + 1))


def axis(page: Page, y: float) -> None:
    """Write dates above the strips if all examples have the same, else timesteps before the last."""
    sheet, examples = page.sheet, page.examples
    step, first = _view(page)
    room = sheet.width - page.left - EDGE
    stop = min(examples.timesteps, first + room // step)
    count = max(2, room // _TICKS)
    last = examples.timesteps - 1
    if examples.times is not None and examples.times.shared:
        ticks = list(time_ticks(examples.times, 0, first, stop, count))
    else:
        every = _every((stop - first) / count)
        marked = [t for t in range(last, first - 1, -every) if t < stop][::-1]
        ticks = [TimeTick(t, "0" if t == last else f"−{last - t}") for t in marked]
        if ticks and ticks[0].timestep < last:
            ticks[0] = ticks[0]._replace(text=f"{ticks[0].text} timesteps")
    for t, text in ticks:
        width = sheet.text_width(text, "sans", 11)
        x = page.left + step * (t - first + 0.5)
        # What begins at the edge of the strips, or ends there, isn't cut.
        left = max(page.left, min(x - width / 2, sheet.width - EDGE - width))
        sheet.muted(left, y, text)


def _every(least: float) -> int:
    """Give a round number no smaller than another."""
    power = 10 ** math.floor(math.log10(max(1, least)))
    return int(next(factor * power for factor in (1, 2, 5, 10) if factor * power >= least))
