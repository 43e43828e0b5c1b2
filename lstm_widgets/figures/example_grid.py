"""The still picture of one cell over many examples."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from PIL import Image

from lstm_widgets.colours import FOREGROUND, PADDING, ink, patterned
from lstm_widgets.figures.columns import bands
from lstm_widgets.figures.paper import EDGE, MUTED, WIDTH, sheet, text_width, write
from lstm_widgets.tokens.wording import in_line, label

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from lstm_widgets.figures.snapshot import Snapshot

_ROW, _SQUARE, _APART, _MOST_EXAMPLES = 26, 18, 22, 16


def example_grid(shown: Snapshot, order: NDArray[np.intp]) -> Image.Image:
    """
    Draw one cell over many examples, each with its label, as far as there is room.

    Parameters
    ----------
    shown : Snapshot
    order : int array (example,)
        The examples, as they are laid out; at least one.
    """
    steps = shown.timesteps
    sample = order if len(order) <= 400 else np.sort(order)[:400]
    heads = {int(example): _before(shown, int(example)) for example in sample}
    lead = max(text_width(head, "mono", 13) for head in heads.values()) + 4
    item = lead + steps * _SQUARE + _APART
    room = WIDTH - 2 * EDGE + _APART
    across = max(1, min(len(order), room // item))
    pitch = max(item, min(room // across, int(item * 1.25)))
    rows = -(-len(order) // across)
    selected = int(np.flatnonzero(order == shown.example)[0]) // across
    count = min(rows, _MOST_EXAMPLES)
    first = 0 if selected < count else min(rows - count, selected - count // 2)

    pitch_y = _ROW + 4 * len(shown.tracks)
    image, draw = sheet(count * pitch_y + 16)
    largest = shown.levels.statistics.largest[shown.cell]
    for rank, chosen in enumerate(order[first * across : (first + count) * across]):
        example = int(chosen)
        columns = example * steps, (example + 1) * steps
        values = shown.levels.flat[slice(*columns), shown.cell]
        marks = shown.colours.marks(values, largest)
        marks[shown.padded(*columns)] = PADDING
        colours = shown.colours.pixels(values, largest)
        x, y = EDGE + rank % across * pitch + lead, 8 + rank // across * pitch_y
        head = heads[example] if example in heads else _before(shown, example)
        colour = FOREGROUND if example == shown.example else MUTED
        write(draw, (x - 4, y + 13), head, size=13, kind="mono", colour=colour, anchor="rm")
        for t in range(steps):
            token = shown.token(columns[0] + t)
            left = x + t * _SQUARE
            square = np.broadcast_to(colours[t], (_ROW - 6, _SQUARE - 1, 3))
            drawn = patterned(square, np.full(square.shape[:2], marks[t]))
            image.paste(Image.fromarray(drawn), (left, y + 3))
            text = "" if token is None else label(token, shown.spelling)[:2]
            dark, light = (0, 0, 0), (255, 255, 255)
            on = dark if marks[t] == PADDING or ink(colours[t])[0] == dark[0] else light
            where = (left + (_SQUARE - 1) / 2, y + 13)
            write(draw, where, text, size=13, kind="mono", colour=on, anchor="mm")
        places = []
        for t in range(steps):
            at, left = shown.shown_column(columns[0] + t), x + t * _SQUARE
            if at is not None:
                places.append((left, left + _SQUARE - 1, at))
        bands(draw, shown, places, y=y + _ROW - 2, height=3, pitch=4)
        if example == shown.example:
            place = (x - 1, y + 2, x + steps * _SQUARE - 1, y + _ROW - 3)
            draw.rectangle(place, outline=MUTED)
            left = x + shown.timestep * _SQUARE
            for grown in (0, 1):
                box = (left - 1 - grown, y + 2 - grown, left + 17 + grown, y + 23 + grown)
                draw.rectangle(box, outline=FOREGROUND)
    return image


def _before(shown: Snapshot, example: int) -> str:
    """Give what stands before an example's tokens: a label that ends in them shows them in place."""
    label = shown.label(example)
    if not shown.layer["labels"]:
        return label
    columns = range(example * shown.timesteps, (example + 1) * shown.timesteps)
    joined = "".join(shown.token(column) or "" for column in columns)
    return label.removesuffix(in_line(joined))
