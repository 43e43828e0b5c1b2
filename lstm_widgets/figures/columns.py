"""What stands above columns of timesteps, and where the columns stand."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise
from typing import TYPE_CHECKING

import numpy as np

from lstm_widgets.colours import track_colours
from lstm_widgets.figures.channel_strip import draw_channels, strip_height
from lstm_widgets.figures.sheet import EDGE, LINES
from lstm_widgets.figures.time_ticks import time_ticks
from lstm_widgets.tokens.wording import in_line, label, sendable
from lstm_widgets.views.tracks import NONE

if TYPE_CHECKING:
    from collections.abc import Sequence

    from lstm_widgets.figures.sheet import Sheet
    from lstm_widgets.views.snapshot import Snapshot
    from lstm_widgets.views.times import ShownTimes

GUTTER, TOKENS, LABELS, TICKS = 84, 20, 18, 14
#: Of a concept track under the tokens of columns: the band, and from one to the next.
_BAND, _BAND_PITCH = 7, 10
#: Between two numbers of timesteps; the room of a label of which something is to be read.
_TICK, _LABEL = 44, 8


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

    @property
    def right(self) -> int:
        """The right edge of the last column."""
        return GUTTER + self.start(self.stop - 1) + self.width


def squares(
    examples: int,
    timesteps: int,
    rows: int,
    *,
    square: int,
    row_height: int = 0,
    column: int,
    row: int,
    room: int,
    most: int,
) -> Squares:
    """
    Choose what of a grid is in the picture: the beginning, or else what is around the selection.

    Parameters
    ----------
    examples, timesteps, rows : int
        What there is, at least one of each.
    square : int
        The least side of a square.
    row_height : int
        The least height of a row, where rows are higher than columns are wide.
    column, row : int
        What is selected.
    room, most : int
        How wide the columns may be, and how high the rows.
    """
    count = examples * timesteps

    def whole(width: int) -> int:
        gaps = (examples - 1) * gap_for(width, examples, timesteps)
        return count * width + gaps

    width = next((w for w in range(22, square, -1) if whole(w) <= room), square)
    gap = gap_for(width, examples, timesteps)
    from_start = Squares(0, count, 0, rows, width, square, gap, timesteps)

    def fitting(first: int) -> int:
        stop = first + 1
        while stop < count and from_start.start(stop) + width - from_start.start(first) <= room:
            stop += 1
        return stop

    first = 0
    if from_start.start(column) + width > room:
        first = column
        while from_start.start(column) - from_start.start(first - 1) <= room / 2:
            first -= 1
        # At the end, as many as there is room for.
        while first > 0 and fitting(first - 1) == count:
            first -= 1
    least = max(square, row_height)
    height = max(least, min(22, max(60, min(rows * least, most)) // rows))
    shown = max(1, min(rows, most // height))
    top = 0 if row < shown else min(rows - shown, row - shown // 2)
    return Squares(first, fitting(first), top, top + shown, width, height, gap, timesteps)


def bands_height(shown: Snapshot) -> int:
    """Give the height of the channels and the concept tracks above columns."""
    return strip_height(shown) + len(shown.tracks) * _BAND_PITCH


def head_height(shown: Snapshot) -> int:
    """Give the height of what stands above columns: labels of examples, tokens and their tracks."""
    tokens = TOKENS if shown.layer["tokens"] else 6
    return (LABELS if shown.examples > 1 else 0) + tokens + bands_height(shown)


def bands(
    sheet: Sheet,
    shown: Snapshot,
    places: Sequence[tuple[float, float, int]],
    *,
    y: float,
    height: int,
    pitch: int,
) -> None:
    """Draw a band a track under tokens: left and right edge of each, and its column."""
    for row, (index, track) in enumerate(shown.tracks):
        shares, yes_no = track.shares, track.yes_no
        colours = track_colours(index, shares, yes_no=yes_no, theme=sheet.theme)
        top = y + row * pitch
        said = track.codes_at(np.array([column for *_, column in places], np.intp)).tolist()
        told = [
            ((left, top, right, top + height), code)
            for (left, right, column), code in zip(places, said, strict=True)
            if code != NONE and not shown.padded(column, column + 1)[0]
        ]
        if told:
            boxes, codes = zip(*told, strict=True)
            sheet.boxes(np.array(boxes, np.float64), colours[np.array(codes)])


def column_heads(sheet: Sheet, shown: Snapshot, place: Squares) -> None:
    """Draw what stands above columns."""
    if shown.examples > 1:
        _labels(sheet, shown, place)
    _column_bands(sheet, shown, place)
    if strip_height(shown):
        _channels(sheet, shown, place)
    if not shown.layer["tokens"] or place.width < 7:
        return
    y = head_height(shown) - bands_height(shown) - TOKENS / 2
    sheet.muted(GUTTER - EDGE, y, "token", align="right")
    for column in range(place.first, place.stop):
        token = shown.token(column)
        if token is None:
            continue
        text = label(token, shown.spelling)
        fits = max(1, place.width // 8)
        if len(text) > fits:
            text = f"{text[: fits - 1]}…" if fits > 2 else text[:fits]
        theme = sheet.theme
        colour = theme.foreground if column == shown.column else theme.muted
        x = GUTTER + place.start(column) + (place.width - 1) / 2
        sheet.write(x, y, text, kind="mono", colour=colour, align="middle")


def column_numbers(sheet: Sheet, shown: Snapshot, place: Squares, y: float) -> None:
    """Draw the times of some columns below them, or their timesteps where no times are known."""
    if shown.times is not None:
        _column_times(sheet, shown, place, y, shown.times)
        return
    every = next(
        e for k in range(9) for e in (10**k, 2 * 10**k, 5 * 10**k) if e * place.width > _TICK
    )
    if shown.examples > 1 and shown.timesteps * place.width < 2 * _TICK:
        return
    free, named = float(GUTTER - 40), False
    for column in range(place.first, place.stop):
        timestep = column % shown.timesteps
        text = str(timestep) if named else f"t={timestep}"
        x = GUTTER + place.start(column) + (place.width - 1) / 2
        if timestep % every or x - sheet.text_width(text, size=10) / 2 < free:
            continue
        named = True
        free = x + sheet.muted(x, y, text, size=10, align="middle") / 2 + 12


def _channels(sheet: Sheet, shown: Snapshot, place: Squares) -> None:
    def middle(column: int) -> float:
        return GUTTER + place.start(column) + place.width / 2

    top = head_height(shown) - bands_height(shown)
    parts = _examples(shown, place)
    draw_channels(sheet, shown, parts, middle, gutter=GUTTER, right=place.right, top=top)


def _examples(shown: Snapshot, place: Squares) -> list[tuple[int, int, int]]:
    """Give the examples in the picture, and of each the first timestep and that after the last."""
    parts = []
    for example in range(place.first // shown.timesteps, (place.stop - 1) // shown.timesteps + 1):
        begin = example * shown.timesteps
        stop = min(place.stop - begin, shown.timesteps)
        parts.append((example, max(place.first - begin, 0), stop))
    return parts


def _column_times(
    sheet: Sheet, shown: Snapshot, place: Squares, y: float, times: ShownTimes
) -> None:
    for example, first, stop in _examples(shown, place):
        begin = example * shown.timesteps
        count = (stop - first) * place.width // 60
        free = GUTTER + place.start(begin + first) - (40.0 if begin + first == place.first else 0.0)
        for timestep, text in time_ticks(times, example, first, stop, count):
            x = GUTTER + place.start(begin + timestep) + (place.width - 1) / 2
            half = sheet.text_width(text, size=10) / 2
            if free <= x - half and x + half <= sheet.width:
                sheet.muted(x, y, text, size=10, align="middle")
                free = x + half + 8


def _column_bands(sheet: Sheet, shown: Snapshot, place: Squares) -> None:
    top = head_height(shown) - bands_height(shown) + strip_height(shown)
    for row, (_, track) in enumerate(shown.tracks):
        name = sheet.shortened(in_line(sendable(track.name)), GUTTER - EDGE - 4, size=10)
        sheet.muted(GUTTER - EDGE, top + row * _BAND_PITCH + 4.5, name, size=10, align="right")
    places = []
    for column in range(place.first, place.stop):
        at, left = shown.shown_column(column), GUTTER + place.start(column)
        if at is not None:
            places.append((left, left + place.width, at))
    bands(sheet, shown, places, y=top + 1, height=_BAND, pitch=_BAND_PITCH)


def _labels(sheet: Sheet, shown: Snapshot, place: Squares) -> None:
    sheet.muted(GUTTER - EDGE, 10, "example", align="right")
    pitch = place.timesteps * place.width + place.gap
    every = 1
    while every * pitch < 46:
        every *= 2
    first, last = (column // shown.timesteps for column in (place.first, place.stop - 1))
    # The leftmost has one in any case; it ends where the next begins.
    labelled = [
        example for example in range(first, last + 1) if not example % every or example == first
    ]
    for example, following in pairwise([*labelled, last + 1]):
        x = GUTTER + place.start(max(example * place.timesteps, place.first))
        sheet.box((x, 2, x + 1, LABELS), sheet.theme.line, LINES)
        end = min(place.right, GUTTER + place.start(following * place.timesteps))
        colour = sheet.theme.foreground if shown.example == example else sheet.theme.muted
        if end - x - 8 >= _LABEL:
            sheet.write(x + 4, 10, shown.label(example), size=11, colour=colour, room=end - x - 8)
