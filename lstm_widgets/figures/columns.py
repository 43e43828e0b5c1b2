"""What stands above columns of timesteps, and where the columns stand."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from lstm_widgets.colours import FOREGROUND, track_colours
from lstm_widgets.figures.paper import EDGE, LINE, MUTED, WIDTH, write
from lstm_widgets.figures.tracks import NONE
from lstm_widgets.tokens.wording import in_line, label, sendable

if TYPE_CHECKING:
    from collections.abc import Sequence

    from PIL import ImageDraw

    from lstm_widgets.figures.snapshot import Snapshot

GUTTER, TOKENS, LABELS = 84, 20, 18
#: Of a concept track under the tokens of columns: the band, and from one to the next.
_BAND, _BAND_PITCH = 7, 10
_ROOM = WIDTH - GUTTER - EDGE


def gap_for(width: int, examples: int, timesteps: int) -> int:
    """Give the gap between two examples."""
    if examples <= 1 or width * timesteps < 8:
        return 0
    return max(2, min(8, int(width * 0.4 + 0.5)))


@dataclass(frozen=True)
class Squares:
    """Which columns and rows of a grid are in the picture, and how large their squares are."""

    first: int
    stop: int
    top: int
    bottom: int
    width: int
    height: int
    gap: int
    timesteps: int

    def start(self, column: int) -> int:
        """Give the place of a column, from that of the first."""
        pitch = self.timesteps * self.width + self.gap
        first = self.first // self.timesteps * pitch + self.first % self.timesteps * self.width
        return column // self.timesteps * pitch + column % self.timesteps * self.width - first


def squares(
    examples: int, timesteps: int, rows: int, *, square: int, column: int, row: int, most: int
) -> Squares:
    """
    Choose what of a grid is in the picture: the beginning, or else what is around the selection.

    Parameters
    ----------
    examples, timesteps, rows : int
        What there is, at least one of each.
    square : int
        The least side of a square.
    column, row : int
        What is selected.
    most : int
        The most pixels that the rows take.
    """
    count = examples * timesteps

    def whole(width: int) -> int:
        gaps = (examples - 1) * gap_for(width, examples, timesteps)
        return count * width + gaps

    width = next((w for w in range(22, square, -1) if whole(w) <= _ROOM), square)
    gap = gap_for(width, examples, timesteps)
    from_start = Squares(0, count, 0, rows, width, square, gap, timesteps)

    def fitting(first: int) -> int:
        stop = first + 1
        while stop < count and from_start.start(stop) + width - from_start.start(first) <= _ROOM:
            stop += 1
        return stop

    first = 0
    if from_start.start(column) + width > _ROOM:
        first = column
        while from_start.start(column) - from_start.start(first - 1) <= _ROOM / 2:
            first -= 1
        # At the end, as many as there is room for.
        while first > 0 and fitting(first - 1) == count:
            first -= 1
    height = max(square, min(22, max(60, min(rows * square, most)) // rows))
    shown = min(rows, most // height)
    top = 0 if row < shown else min(rows - shown, row - shown // 2)
    return Squares(first, fitting(first), top, top + shown, width, height, gap, timesteps)


def bands_height(shown: Snapshot) -> int:
    """Give the height of the concept tracks above columns."""
    return len(shown.tracks) * _BAND_PITCH


def head_height(shown: Snapshot) -> int:
    """Give the height of what stands above columns: labels of examples, tokens and their tracks."""
    tokens = TOKENS if shown.layer["tokens"] else 6
    return (LABELS if shown.examples > 1 else 0) + tokens + bands_height(shown)


def bands(
    draw: ImageDraw.ImageDraw,
    shown: Snapshot,
    places: Sequence[tuple[int, int, int]],
    *,
    y: int,
    height: int,
    pitch: int,
) -> None:
    """Draw a band a track under tokens: left and right edge of each, and its column."""
    for row, (index, track) in enumerate(shown.tracks):
        colours = track_colours(index, track.shares, yes_no=track.yes_no).tolist()
        top = y + row * pitch
        for left, right, column in places:
            code = track.codes[column]
            if code == NONE or shown.padded(column, column + 1)[0]:
                continue
            red, green, blue = colours[code]
            draw.rectangle((left, top, right - 1, top + height - 1), (red, green, blue))


def column_heads(draw: ImageDraw.ImageDraw, shown: Snapshot, place: Squares) -> None:
    """Draw what stands above columns."""
    if shown.examples > 1:
        _labels(draw, shown, place)
    _column_bands(draw, shown, place)
    if not shown.layer["tokens"] or place.width < 7:
        return
    y = head_height(shown) - bands_height(shown) - TOKENS / 2
    write(draw, (GUTTER - EDGE, y), "token", size=11, colour=MUTED, anchor="rm")
    for column in range(place.first, place.stop):
        token = shown.token(column)
        if token is None:
            continue
        text = label(token, shown.spelling)
        fits = max(1, place.width // 8)
        if len(text) > fits:
            text = f"{text[: fits - 1]}…" if fits > 2 else text[:fits]
        colour = FOREGROUND if column == shown.column else MUTED
        where = (GUTTER + place.start(column) + (place.width - 1) / 2, y)
        write(draw, where, text, kind="mono", colour=colour, anchor="mm")


def _column_bands(draw: ImageDraw.ImageDraw, shown: Snapshot, place: Squares) -> None:
    top = head_height(shown) - bands_height(shown)
    for row, (_, track) in enumerate(shown.tracks):
        where = (GUTTER - EDGE, top + row * _BAND_PITCH + 4.5)
        name = in_line(sendable(track.name))
        write(draw, where, name, size=9, colour=MUTED, anchor="rm", room=GUTTER - EDGE - 4)
    places = []
    for column in range(place.first, place.stop):
        at, left = shown.shown_column(column), GUTTER + place.start(column)
        if at is not None:
            places.append((left, left + place.width, at))
    bands(draw, shown, places, y=top + 1, height=_BAND, pitch=_BAND_PITCH)


def _labels(draw: ImageDraw.ImageDraw, shown: Snapshot, place: Squares) -> None:
    write(draw, (GUTTER - EDGE, 10), "example", size=11, colour=MUTED, anchor="rm")
    pitch = place.timesteps * place.width + place.gap
    every = 1
    while every * pitch < 46:
        every *= 2
    edge = GUTTER + place.start(place.stop - 1) + place.width
    for example in range(place.first // shown.timesteps, (place.stop - 1) // shown.timesteps + 1):
        at = max(example * place.timesteps, place.first)
        if example % every and at != place.first:
            continue
        x = GUTTER + place.start(at)
        draw.line((x, 2, x, LABELS - 1), fill=LINE)
        room = min(edge, GUTTER + place.start((example + every) * place.timesteps)) - x - 8
        colour = FOREGROUND if shown.example == example else MUTED
        write(draw, (x + 4, 10), shown.label(example), size=11, colour=colour, room=max(8, room))
