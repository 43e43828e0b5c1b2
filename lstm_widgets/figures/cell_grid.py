"""All cells over all timesteps."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from lstm_widgets.colours import PADDING
from lstm_widgets.figures.columns import (
    GUTTER,
    TICKS,
    TOKENS,
    bands_height,
    column_heads,
    column_numbers,
    head_height,
    squares,
)
from lstm_widgets.figures.sheet import EDGE, LINES, rectangles

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from lstm_widgets.figures.sheet import Sheet
    from lstm_widgets.views.snapshot import Snapshot


#: From this width on, there is a line between columns.
_LINED = 6


def cell_grid(
    sheet: Sheet,
    shown: Snapshot,
    order: NDArray[np.intp],
    *,
    most: int,
    beside: tuple[int, int] | None = None,
) -> None:
    """
    Draw all cells over all timesteps, as far as there is room.

    Parameters
    ----------
    sheet : Sheet
    shown : Snapshot
    order : int array (row,)
        The cells, row by row.
    most : int
        How high the rows may be.
    beside : (int, int), optional
        Of grids beside each other: how many rows the one with most has, and which is in the picture.
    """
    if len(order) == 0:
        sheet.nothing()
        return
    row = row_of(order, shown.cell)
    rows, seen = (len(order), max(0, row)) if beside is None else beside
    place = squares(
        shown.examples,
        shown.timesteps,
        rows,
        square=15 if shown.layer["tokens"] else 6 if shown.times is None else 2,
        row_height=6 if shown.times is None else 12,
        column=shown.column,
        row=seen,
        room=sheet.width - GUTTER - EDGE,
        most=most,
    )
    cells, columns = order[place.top : place.bottom], range(place.first, place.stop)
    statistics, colours = shown.levels.statistics, shown.coloured(sheet.theme)
    values = shown.levels.read(place.first, place.stop, cells).T
    largest = statistics.largest[cells][:, None]
    marks = colours.marks(values, largest)
    marks[:, shown.padded(place.first, place.stop)] = PADDING
    header = head_height(shown)
    x = GUTTER + np.array([place.start(column) for column in columns])
    y = header + place.height * np.arange(len(cells))
    line = int(place.width >= _LINED)
    boxes = rectangles(x, y[:, None], place.width - line, place.height - 1)
    sheet.values(boxes, colours.pixels(values, largest).reshape(-1, 3), marks.reshape(-1))

    loudest = statistics.mean_magnitude if shown.loudest is None else shown.loudest
    longest = np.nanmax(loudest, initial=0)
    with np.errstate(invalid="ignore"):  # of infinity, infinity has no share
        shares = np.nan_to_num(statistics.mean_magnitude[cells] / (longest or 1))
    for top, cell, share in zip(y.tolist(), cells.tolist(), shares.tolist(), strict=True):
        _row_head(sheet, top, place.height, shown.cell_name(cell), share, chosen=cell == shown.cell)
    column_heads(sheet, shown, place)
    bottom = header + place.height * (place.bottom - place.top)
    sheet.muted(GUTTER - 42, bottom + 6, "cell", size=10, align="right")
    column_numbers(sheet, shown, place, bottom + 6)
    left = GUTTER + place.start(shown.column) - 1
    top = header - bands_height(shown) - (TOKENS - 1 if shown.layer["tokens"] else 4)
    sheet.outline((left, top, left + place.width + 1, bottom))
    if place.top <= row < place.bottom:
        top = header + (row - place.top) * place.height - 1
        sheet.outline((GUTTER - 1, top, place.right, top + place.height + 1))
    sheet.end(bottom + TICKS + 2)


def row_of(order: NDArray[np.intp], cell: int) -> int:
    """Give the row of a cell; -1 if it has none."""
    rows = np.flatnonzero(order == cell)
    return int(rows[0]) if len(rows) else -1


def _row_head(sheet: Sheet, y: int, height: int, name: str, share: float, *, chosen: bool) -> None:
    theme = sheet.theme
    left, bar = GUTTER - 36, max(2, min(6, height - 2))
    top = y + (height - bar) // 2
    sheet.box((left, top, left + 30, top + bar), theme.line, LINES)
    if share > 0:
        colour = theme.foreground if chosen else theme.bar
        sheet.box((left, top, left + max(1, round(share * 30)), top + bar), colour)
    size = max(10, min(12, height - 2))
    if height >= size or chosen:
        kind, colour = ("bold", theme.foreground) if chosen else ("sans", theme.muted)
        middle = y + (height - 1) / 2
        sheet.write(left - 6, middle, name, size=size, kind=kind, colour=colour, align="right")
