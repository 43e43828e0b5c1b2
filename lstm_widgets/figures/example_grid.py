"""One cell over many examples."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from lstm_widgets.colours import PADDING
from lstm_widgets.figures.columns import bands
from lstm_widgets.figures.sheet import EDGE, FRONT, rectangles
from lstm_widgets.figures.time_ticks import time_ticks
from lstm_widgets.tokens.wording import in_line, label

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from lstm_widgets.figures.sheet import Sheet
    from lstm_widgets.views.snapshot import Snapshot

_ROW, _SQUARE, _APART = 26, 18, 22
#: What has more timesteps doesn't stand in its label.
_IN_LABEL = 1000
#: From this width on there is a line between squares.
_LINED = 6


def example_grid(sheet: Sheet, shown: Snapshot, order: NDArray[np.intp], *, most: int) -> None:
    """
    Draw one cell over many examples, each with its label, as far as there is room.

    Parameters
    ----------
    sheet : Sheet
    shown : Snapshot
    order : int array (example,)
        The examples, as they are laid out; at least one.
    most : int
        How high the rows may be.
    """
    steps, theme = shown.timesteps, sheet.theme
    sample = order if len(order) <= 400 else np.sort(order)[:400]
    heads = {int(example): _before(shown, int(example)) for example in sample}
    lead = int(max(sheet.text_width(head, "mono", 13) for head in heads.values())) + 5
    lead = min(lead, sheet.width // 2)
    square = _square(shown, sheet.width - 2 * EDGE - lead)
    item = lead + steps * square + _APART
    room = sheet.width - 2 * EDGE + _APART
    across = max(1, min(len(order), room // item))
    pitch = max(item, min(room // across, int(item * 1.25)))
    # Of an example that is wider than the sheet, as many timesteps as there is room for.
    seen = min(steps, max(1, (sheet.width - 2 * EDGE - lead) // square))
    begin = 0 if shown.timestep < seen else min(steps - seen, shown.timestep - seen // 2)
    pitch_y = _ROW + 4 * len(shown.tracks)
    rows = -(-len(order) // across)
    selected = int(np.flatnonzero(order == shown.example)[0]) // across
    count = max(1, min(rows, most // pitch_y))
    first = 0 if selected < count else min(rows - count, selected - count // 2)

    largest, scale = shown.levels.statistics.largest[shown.cell], shown.coloured(theme)
    for rank, chosen in enumerate(order[first * across : (first + count) * across].tolist()):
        columns = chosen * steps + begin, chosen * steps + begin + seen
        values = shown.levels.read(*columns, shown.cell)
        marks = scale.marks(values, largest)
        marks[shown.padded(*columns)] = PADDING
        x, y = EDGE + rank % across * pitch + lead, 8 + rank // across * pitch_y
        head = heads[chosen] if chosen in heads else _before(shown, chosen)
        colour = theme.foreground if chosen == shown.example else theme.muted
        head = sheet.shortened(head, lead - 4, "mono", 13)
        sheet.write(x - 4, y + 13, head, size=13, kind="mono", colour=colour, align="right")
        places = x + square * np.arange(seen)
        wide = square - (square >= _LINED)
        boxes = rectangles(places, y + 3, wide, _ROW - 6)
        tokens = [shown.token(column) for column in range(*columns)]
        texts = ["" if token is None else label(token, shown.spelling)[:2] for token in tokens]
        sheet.tokens(boxes, texts, scale.pixels(values, largest), marks)
        under = [
            (left, left + wide, at)
            for left, column in zip(places.tolist(), range(*columns), strict=True)
            if (at := shown.shown_column(column)) is not None
        ]
        bands(sheet, shown, under, y=y + _ROW - 2, height=3, pitch=4)
        if chosen == shown.example:
            sheet.frame((x - 1, y + 2, x + seen * square, y + _ROW - 2), theme.muted, FRONT)
            left = x + (shown.timestep - begin) * square
            for grown in (1, 2):
                box = (left - grown, y + 3 - grown, left + wide + grown, y + 23 + grown)
                sheet.frame(box, theme.foreground)
    bottom = count * pitch_y + 16
    if shown.times is not None and shown.times.shared and across == 1:
        for tick in time_ticks(shown.times, 0, begin, begin + seen, seen * square // 60):
            middle = EDGE + lead + (tick.timestep - begin + 0.5) * square
            if middle + sheet.text_width(tick.text, size=10) / 2 <= sheet.width:
                sheet.muted(middle, bottom - 4, tick.text, size=10, align="middle")
        bottom += 10
    sheet.end(bottom)


def _square(shown: Snapshot, room: int) -> int:
    """Where times are known, squares are as narrow as shows all of an example, down to a limit."""
    if shown.times is None or shown.layer["tokens"]:
        return _SQUARE
    return max(3, min(_SQUARE, room // shown.timesteps))


def _before(shown: Snapshot, example: int) -> str:
    """Give what stands before an example's tokens: a label that ends in them shows them in place."""
    name = shown.label(example)
    if not shown.layer["labels"] or shown.timesteps > _IN_LABEL:
        return name
    columns = range(example * shown.timesteps, (example + 1) * shown.timesteps)
    joined = "".join(shown.token(column) or "" for column in columns)
    return name.removesuffix(in_line(joined))
