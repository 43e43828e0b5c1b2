"""Dependencies over running text: js/src/panes/dependency/ in Python."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import numpy as np

from lstm_widgets.colours import CLIPPED, IS_NAN, PADDING, PLAIN, RAMP, ink, mix, ramp
from lstm_widgets.figures.legend import Legend, caption_of
from lstm_widgets.figures.sheet import EDGE, rectangles
from lstm_widgets.figures.text import CAPTION, LETTER, ROW, lines_of, named
from lstm_widgets.tokens.wording import in_line, sendable, short
from lstm_widgets.views.prediction import DECADES, position

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from lstm_widgets.figures.sheet import Sheet
    from lstm_widgets.views.dependencies import Dependency
    from lstm_widgets.views.prediction import Shown

_APART = 5
#: How much ink what isn't read has.
_UNREAD = 0.62


def dependency(sheet: Sheet, shown: Shown, *, most: int) -> None:
    """
    Draw the text of each model around the selected prediction.

    Parameters
    ----------
    sheet : Sheet
    shown : Shown
    most : int
        How high the lines of all models may be.
    """
    if shown.empty:
        sheet.nothing()
        return
    for model in shown.models:
        _model_text(sheet, shown, model, most=most // len(shown.models))
    _caption(sheet, shown)


def _ramp(sheet: Sheet, shown: Shown) -> NDArray[np.uint8]:
    return ramp(sheet.theme.palette(shown.palette, signed=False, plain="Purples"))


def _model_text(sheet: Sheet, shown: Shown, model: Dependency, *, most: int) -> None:
    first, stop = shown.span
    texts = shown.texts
    tokens = [" "] * (stop - first)
    if texts is not None:
        tokens = [sendable(token) for token in texts[shown.example]]
    shift = int(shown.align == "predict")
    if shift:
        tokens.append("?")
    room = sheet.width - 2 * EDGE
    lines = lines_of(sheet, tokens, room, marks=shown.marks, spelling=shown.spelling)
    pitch = ROW + _APART
    starts = np.cumsum([0, *(len(line) for line in lines)])
    box = shown.timestep - first + shift
    count = max(1, (most - CAPTION) // pitch)
    chosen = int(np.searchsorted(starts, box, side="right")) - 1
    # What was read before counts: the explained prediction stands low in the picture.
    top = max(0, min(chosen - count + 1, len(lines) - count))
    seen = lines[top : top + count]
    begin = CAPTION + named(sheet, in_line(sendable(model.name)), shown.caption(model))

    few = 2 * len(model.timesteps) < stop - first
    colours, marks, inks = _looks(sheet, shown, model, len(tokens))
    for i, line in enumerate(seen):
        y, start = begin + i * pitch, int(starts[top + i])
        here = slice(start, start + len(line))
        x, widths = EDGE + np.array([each.x for each in line]), [each.width for each in line]
        boxes, letters = rectangles(x, y, widths, ROW), [each.text for each in line]
        sheet.tokens(boxes, letters, colours[here], marks[here], size=LETTER, inks=inks[here])
        computed = [
            few and model.row_of(t + first - shift) >= 0 for t in range(here.start, here.stop)
        ]
        under = rectangles(x, y + ROW + 1, widths, 2)[computed]
        sheet.boxes(under, sheet.theme.accent)
    marked = -1 if shown.input_timestep is None else shown.input_timestep - first
    for wanted, thick in ((box, 2), (marked, 1)):
        at = int(np.searchsorted(starts, wanted, side="right")) - 1 - top
        if 0 <= wanted < len(tokens) and 0 <= at < len(seen):
            left, width, _ = lines[at + top][wanted - starts[at + top]]
            x0, y0 = EDGE + left - 1, begin + at * pitch - 1
            sheet.outline((x0, y0, x0 + width + 2, y0 + ROW + 2), thick=thick)
    sheet.end(begin + len(seen) * pitch + 6)


def _looks(
    sheet: Sheet, shown: Shown, model: Dependency, boxes: int
) -> tuple[NDArray[np.uint8], NDArray[np.uint8], NDArray[np.uint8]]:
    """Give each box its colour, its mark and the colour of its letters."""
    theme, first = sheet.theme, shown.span[0]
    colours = np.full((boxes, 3), theme.background, np.uint8)
    inks = np.tile(mix(theme.background, theme.foreground, _UNREAD), (boxes, 1))
    marks = np.full(boxes, PLAIN, np.uint8)
    row = shown.row(model)
    if row is None or not len(row[1]):
        return colours, marks, inks
    start, values = row
    here = slice(start - first, start - first + len(values))
    marks[: here.start] = PADDING
    place = position(values, shown.largest(model), log=shown.log_scale)
    steps = np.floor(np.nan_to_num(place) * (RAMP - 1) + 0.5).astype(int)
    coloured = _ramp(sheet, shown)[steps]
    nothing = np.isnan(values)
    coloured[nothing] = theme.unknown
    colours[here] = coloured
    marks[here] = np.where(nothing, IS_NAN, np.where(np.isinf(values), CLIPPED, PLAIN))
    inks[here] = ink(coloured)
    return colours, marks, inks


def _caption(sheet: Sheet, shown: Shown) -> None:
    """Draw the sentence of the selected prediction, what there is, and the legend."""
    one = len(shown.models) == 1 or shown.same_scale
    high = shown.largest(shown.models[0]) if one else 1.0
    low, middle = 0.0, high / 2
    if shown.log_scale:
        low, middle = high / 10**DECADES, high / math.sqrt(10) ** DECADES
    of = "model" if shown.scale == "all" else "prediction"
    legend = Legend(
        _ramp(sheet, shown),
        ("≤ " if shown.log_scale else "") + short(low),
        short(middle),
        short(high),
        "dependency" if one else f"÷ largest of the {of}",
    )
    first, stop = shown.span
    examples = shown.models[0].examples
    every = np.unique(np.concatenate([model.timesteps for model in shown.models]))
    computed = int((every < stop).sum())
    passed = "dotted: out of its window" if PADDING in sheet.seen else ""
    sheet.seen.discard(PADDING)
    counts = (
        f"{examples} examples" if examples != 1 else "",
        f"{stop - first} {'timesteps' if shown.series else 'tokens'}",
        f"{computed} predictions",
        "grey: not yet read",
        passed,
    )
    caption_of(sheet, shown.sentence, counts, legend)
