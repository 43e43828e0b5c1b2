"""The still picture of all cells over all timesteps."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from PIL import Image

from lstm_widgets.colours import FOREGROUND, PADDING, patterned
from lstm_widgets.figures.columns import (
    GUTTER,
    TOKENS,
    bands_height,
    column_heads,
    head_height,
    squares,
)
from lstm_widgets.figures.paper import BAR, LINE, MUTED, outline, sheet, write

if TYPE_CHECKING:
    from numpy.typing import NDArray
    from PIL import ImageDraw

    from lstm_widgets.figures.snapshot import Snapshot


def cell_grid(shown: Snapshot, order: NDArray[np.intp], *, most: int) -> Image.Image:
    """
    Draw all cells over all timesteps, as far as there is room.

    Parameters
    ----------
    shown : Snapshot
    order : int array (row,)
        The cells, row by row; at least one.
    most : int
        The most pixels that the rows take.
    """
    rows = np.flatnonzero(order == shown.cell)
    row = int(rows[0]) if len(rows) else -1
    place = squares(
        shown.examples,
        shown.timesteps,
        len(order),
        square=15 if shown.layer["tokens"] else 6,
        column=shown.column,
        row=max(0, row),
        most=most,
    )
    cells, columns = order[place.top : place.bottom], range(place.first, place.stop)
    statistics = shown.levels.statistics
    values = shown.levels.flat[place.first : place.stop][:, cells].T
    largest = statistics.largest[cells][:, None]
    marks = shown.colours.marks(values, largest)
    marks[:, shown.padded(place.first, place.stop)] = PADDING

    starts = np.array([place.start(column) for column in columns])
    size = (len(cells) * place.height, starts[-1] + place.width)
    pixels, marked = np.full((*size, 3), 255, np.uint8), np.zeros(size, np.uint8)
    x = (starts[:, None] + np.arange(place.width - 1)).reshape(-1)
    y = (np.arange(len(cells))[:, None] * place.height + np.arange(place.height - 1)).reshape(-1)
    across = np.repeat(np.arange(len(columns)), place.width - 1)
    down = np.repeat(np.arange(len(cells)), place.height - 1)
    pixels[np.ix_(y, x)] = shown.colours.pixels(values, largest)[np.ix_(down, across)]
    marked[np.ix_(y, x)] = marks[np.ix_(down, across)]

    header = head_height(shown)
    image, draw = sheet(header + size[0] + 8)
    image.paste(Image.fromarray(patterned(pixels, marked)), (GUTTER, header))
    longest = np.nanmax(statistics.mean_magnitude, initial=0)
    with np.errstate(invalid="ignore"):  # of infinity, infinity has no share
        shares = np.nan_to_num(statistics.mean_magnitude[cells] / (longest or 1))
    for i, cell in enumerate(cells):
        top, chosen = header + i * place.height, cell == shown.cell
        _row_head(draw, top, place.height, shown.cell_name(cell), shares[i], chosen=chosen)
    column_heads(draw, shown, place)
    left = GUTTER + place.start(shown.column) - 1
    top = header - bands_height(shown) - (TOKENS - 1 if shown.layer["tokens"] else 4)
    outline(draw, left, top, left + place.width, header + size[0] - 1)
    if place.top <= row < place.bottom:
        top = header + (row - place.top) * place.height - 1
        outline(draw, GUTTER - 1, top, GUTTER + size[1] - 1, top + place.height)
    return image


def _row_head(
    draw: ImageDraw.ImageDraw, y: int, height: int, name: str, share: float, *, chosen: bool
) -> None:
    middle = y + (height - 1) / 2
    left, bar = GUTTER - 36, max(2, min(6, height - 2))
    top = y + (height - bar) // 2
    draw.rectangle((left, top, left + 29, top + bar - 1), fill=LINE)
    if share > 0:
        colour = FOREGROUND if chosen else BAR
        draw.rectangle(
            (left, top, left + max(0, round(share * 30) - 1), top + bar - 1), fill=colour
        )
    size = max(9, min(12, height - 2))
    if height >= size or chosen:
        kind, colour = ("bold", FOREGROUND) if chosen else ("sans", MUTED)
        write(draw, (left - 6, middle), name, size=size, kind=kind, colour=colour, anchor="rm")
