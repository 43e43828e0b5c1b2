"""Still pictures of the widgets, for viewers that run no scripts: from arrays to a PNG.

Everything here is a function of arrays, lengths are pixels. The paper is light, whatever the page is.
"""

from __future__ import annotations

import io
import re
from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING

import numpy as np
from PIL import Image, ImageDraw, ImageFont

from lstm_widgets.colours import (
    BACKGROUND,
    FOREGROUND,
    PADDING,
    RAMP,
    Colour,
    Colours,
    ink,
    patterned,
    track_colours,
)
from lstm_widgets.figures.tracks import NONE
from lstm_widgets.tokens.wording import in_line, label, sendable

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from lstm_widgets.figures.snapshot import Snapshot
    from lstm_widgets.figures.tracks import Track

WIDTH = 900
EDGE = 12
MUTED, LINE, BAR, CHROME = (91, 99, 112), (213, 218, 225), (107, 118, 134), (245, 247, 249)

#: The first of these that a machine has, and that has the characters; else the one inside Pillow.
_SANS = (
    *("DejaVuSans.ttf", "NotoSans-Regular.ttf", "LiberationSans-Regular.ttf"),
    *("segoeui.ttf", "Helvetica.ttc", "Arial.ttf"),
)
_BOLD = (
    *("DejaVuSans-Bold.ttf", "NotoSans-Bold.ttf", "LiberationSans-Bold.ttf"),
    *("segoeuib.ttf", "Arial Bold.ttf"),
)
_MONO = (
    *("DejaVuSansMono.ttf", "NotoSansMono-Regular.ttf", "LiberationMono-Regular.ttf"),
    *("consola.ttf", "Menlo.ttc", "Courier New.ttf"),
)
#: Tried last: fonts with the signs of many scripts.
_WIDE = ("NotoSansCJK-Regular.ttc", "msgothic.ttc", "PingFang.ttc", "Arial Unicode.ttf")
#: What stands for a sign that no font has.
_PLAIN = {
    **dict(zip("−→←⏎⇥␍∅◌÷Δ·✓", "-><|>|0o/d. ", strict=True)),
    **dict(zip("²≤≥…", ("^2", "<=", ">=", "..."), strict=True)),
}

_BREAKS = re.compile(r"[\x00-\x1f\x7f-\x9f\u2028\u2029]")

Font = ImageFont.FreeTypeFont


# -- text ------------------------------------------------------------------------------------------


@lru_cache
def _font(name: str, size: int) -> Font | None:
    try:
        return ImageFont.truetype(name, size)
    except OSError:
        return None


@lru_cache
def _fonts(kind: str, size: int) -> tuple[Font, ...]:
    names = {"sans": _SANS, "bold": (*_BOLD, *_SANS), "mono": (*_MONO, *_SANS)}[kind]
    found = [_font(name, size) for name in (*names, *_WIDE)]
    built_in = ImageFont.load_default(size)
    assert isinstance(built_in, ImageFont.FreeTypeFont)  # noqa: S101 - Pillow is built with FreeType
    return (*(font for font in found if font is not None), built_in)


@lru_cache(maxsize=4096)
def _has(font: Font, character: str) -> bool:
    """Tell whether a font draws a character as anything but the box of an unknown one."""
    unknown = font.getmask("\U0010fffe")
    return character.isspace() or bytes(font.getmask(character)) != bytes(unknown)


@lru_cache(maxsize=4096)
def _chosen(text: str, kind: str, size: int) -> tuple[str, Font]:
    """Choose the font for a text, and what of the text it can draw."""
    text = _BREAKS.sub("⏎", text)  # a line of text is one line
    fonts = _fonts(kind, size)
    for font in fonts:
        if all(_has(font, character) for character in text):
            return text, font
    font = fonts[0]
    return "".join(c if _has(font, c) else _PLAIN.get(c, c) for c in text), font


def text_width(text: str, kind: str, size: int) -> int:
    """Give the width of a line of text."""
    shown, font = _chosen(text, kind, size)
    return int(np.ceil(font.getlength(shown)))


def write(
    draw: ImageDraw.ImageDraw,
    place: tuple[float, float],
    text: str,
    *,
    size: int = 12,
    kind: str = "sans",
    colour: Colour = FOREGROUND,
    anchor: str = "lm",
    room: float | None = None,
) -> None:
    """Write a line of text; one that is wider than its room ends in an ellipsis."""
    shown, font = _chosen(text, kind, size)
    if room is not None and font.getlength(shown) > room:
        kept = shown
        while len(kept) > 1 and font.getlength(f"{kept}…") > room:
            kept = kept[:-1]
        shown = f"{kept.rstrip()}…" if len(shown) > 2 else shown[:1]
    draw.text(place, shown, colour, font, anchor)


# -- pieces ----------------------------------------------------------------------------------------


def sheet(height: int) -> tuple[Image.Image, ImageDraw.ImageDraw]:
    """Give an empty picture, and what draws on it."""
    image = Image.new("RGB", (WIDTH, max(1, height)), BACKGROUND)
    return image, ImageDraw.Draw(image)


def stack(parts: Sequence[Image.Image]) -> Image.Image:
    """Put pictures one under the other, in a thin frame, with lines between."""
    whole, draw = sheet(sum(part.height for part in parts) + len(parts) + 1)
    y = 1
    for part in parts:
        whole.paste(part, (0, y))
        y += part.height + 1
        draw.line((0, y - 1, WIDTH, y - 1), LINE)
    draw.rectangle((0, 0, WIDTH - 1, whole.height - 1), outline=LINE)
    return whole


def short(value: float, *, signed: bool = False) -> str:
    """Give a number of the legend, in three digits."""
    text = f"{value:.1e}" if abs(value) >= 1e4 else f"{float(f'{value:.3g}'):g}"
    return ("+" if signed and value > 0 else "") + text.replace("-", "−")


@dataclass(frozen=True)
class Legend:
    """
    A palette from end to end, and what its ends and its middle stand for.

    Parameters
    ----------
    ramp : uint8 array (colour, 3)
    low, middle, high : str
    unit : str
        What the numbers are of, where they are not the values themselves.
    """

    ramp: NDArray[np.uint8]
    low: str
    middle: str
    high: str
    unit: str = ""


def foot(shown: Snapshot) -> Image.Image:
    """Draw what is selected and what there is, at the left, and the legend at the right."""
    counts = (
        f"{shown.layer['cells']} cells",
        f"{shown.examples} examples" if shown.examples != 1 else "",
        f"{shown.timesteps} timesteps",
    )
    image = foot_of(shown.status, counts, _legend_of(shown.colours))
    lines = _track_lines(shown)
    if not lines:
        return image
    whole, draw = sheet(image.height + 16 * len(lines))
    draw.rectangle((0, 0, WIDTH, whole.height), fill=CHROME)
    whole.paste(image, (0, 0))
    for i, line in enumerate(lines):
        x, y = EDGE, 49 + 16 * i
        for text, index, track in line:
            ends = track_colours(index, np.array([0.0, 1.0]), yes_no=track.yes_no)
            ends = ends[[1, 1]] if track.yes_no else ends
            steps = ends[0] + (ends[1] - ends[0].astype(float)) * np.linspace(0, 1, 18)[:, None]
            swatch = np.repeat(steps.round().astype(np.uint8)[None], 7, 0)
            whole.paste(Image.fromarray(swatch), (x, y - 3))
            write(draw, (x + 23, y), text, size=11, room=WIDTH - x - 23 - EDGE)
            x += _entry_width(text)
    return whole


def _entry_width(text: str) -> int:
    return 23 + text_width(text, "sans", 11) + 18


def _track_lines(shown: Snapshot) -> list[list[tuple[str, int, Track]]]:
    """Wrap what the concept tracks say of the selected token into lines."""
    lines: list[list[tuple[str, int, Track]]] = []
    room = 0
    for text, (index, track) in zip(shown.said, shown.tracks, strict=True):
        room -= _entry_width(text)
        if room < 0 or not lines:
            lines.append([])
            room = WIDTH - 2 * EDGE - _entry_width(text)
        lines[-1].append((text, index, track))
    return lines


def foot_of(status: str, counts: Sequence[str], legend: Legend) -> Image.Image:
    """Draw the foot of any picture: a sentence, what there is, and the legend."""
    image, draw = sheet(46)
    draw.rectangle((0, 0, WIDTH, 46), fill=CHROME)
    room = _legend(image, draw, legend) - 2 * EDGE
    about = " · ".join(filter(None, (*counts, "still picture")))
    write(draw, (EDGE, 15), status, size=13, room=room)
    write(draw, (EDGE, 33), about, size=11, colour=MUTED, room=room)
    return image


def _legend_of(colours: Colours) -> Legend:
    low, high = colours.range
    fixed = isinstance(colours.scale, tuple)
    unit = {
        "cell": "÷ largest of the cell",
        "sigmoid": "sigmoid(value)",
        "squared": "value² ÷ largest of the cell²",
    }.get(str(colours.scale), "")
    start = RAMP // 2 if colours.scale == "squared" and colours.diverging else 0
    return Legend(
        colours.ramp[start:],
        ("≤ " if fixed else "") + short(low),
        short((low + high) / 2),
        ("≥ " if fixed else "") + short(high, signed=low < 0),
        unit,
    )


def _legend(image: Image.Image, draw: ImageDraw.ImageDraw, legend: Legend) -> float:
    """Draw the legend at the right; return where it starts."""
    width, y = 140, 10
    right = WIDTH - EDGE - text_width(legend.high, "sans", 11) - 6
    write(draw, (right + 6, y + 6), legend.high, size=11)
    steps = np.linspace(0, len(legend.ramp) - 1, width).round().astype(int)
    image.paste(Image.fromarray(np.repeat(legend.ramp[steps][None], 11, 0)), (right - width, y))
    draw.rectangle((right - width - 1, y - 1, right, y + 11), outline=LINE)
    write(draw, (right - width / 2, y + 20), legend.middle, size=11, anchor="mm")
    left = right - width - 6
    write(draw, (left, y + 6), legend.low, size=11, anchor="rm")
    left -= text_width(legend.low, "sans", 11) + 8
    if legend.unit:
        write(draw, (left, y + 6), legend.unit, size=11, colour=MUTED, anchor="rm")
        left -= text_width(legend.unit, "sans", 11) + 8
    return left


def nothing() -> Image.Image:
    """Draw that there is nothing to be seen."""
    image, draw = sheet(60)
    text = "Nothing to show."
    write(draw, (WIDTH / 2, 30), text, size=13, colour=MUTED, anchor="mm")
    return image


def outline(draw: ImageDraw.ImageDraw, x0: int, y0: int, x1: int, y1: int) -> None:
    """Draw the box of what is selected, seen on every colour."""
    draw.rectangle((x0 - 1, y0 - 1, x1 + 1, y1 + 1), outline=BACKGROUND)
    draw.rectangle((x0 + 1, y0 + 1, x1 - 1, y1 - 1), outline=BACKGROUND)
    draw.rectangle((x0, y0, x1, y1), outline=FOREGROUND)


# -- the grid of cells and timesteps ---------------------------------------------------------------

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


# -- one cell over examples ------------------------------------------------------------------------

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
            dark, light = (26, 26, 26), (255, 255, 255)
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


# -- the file --------------------------------------------------------------------------------------


#: Pixels from which on a colour is that of an area.
_AREA = 40
#: Levels by which a colour may be off, the first that will do.
_OFF = (0, 1, 2, 3, 4, 6, 8, 12, 16, 24, 32, 48, 64, 128, 255)


def png(image: Image.Image) -> bytes:
    """
    Write a picture as a small PNG, of at most 256 colours.

    Where it has more, each is replaced by one that is off by as few levels as will do; areas of one
    colour come before the soft edges of letters.
    """
    pixels = np.asarray(image).astype(np.uint32)
    packed = pixels[..., 0] << 16 | pixels[..., 1] << 8 | pixels[..., 2]
    found, where, count = np.unique(packed, return_inverse=True, return_counts=True)
    every = np.stack([found >> 16, found >> 8 & 255, found & 255], axis=-1).astype(np.int16)
    order = np.argsort(-count, kind="stable")
    areas = int((count >= _AREA).sum())
    palette = _fewer(every[order[:areas]], 208, every[:0])
    palette = _fewer(every[order[areas:]], 256, palette)
    nearest = _distances(every, palette).argmin(axis=1)
    indexed = Image.fromarray(nearest[where].reshape(packed.shape).astype(np.uint8))
    indexed.putpalette(palette.astype(np.uint8).tobytes())
    file = io.BytesIO()
    indexed.save(file, "PNG", optimize=True)
    return file.getvalue()


def _distances(colours: NDArray[np.int16], others: NDArray[np.int16]) -> NDArray[np.int16]:
    """Give the levels by which each colour is off each of others: (colour, other)."""
    off = np.zeros((len(colours), len(others)), np.int16)
    for channel in range(3):
        apart = np.abs(colours[:, channel, None] - others[:, channel])
        np.maximum(off, apart, out=off)
    return off


def _fewer(colours: NDArray[np.int16], most: int, kept: NDArray[np.int16]) -> NDArray[np.int16]:
    """Add some colours to those that are kept, so that each is near to one; ``most`` in all."""
    known = _distances(colours, kept).min(axis=1, initial=255)
    for off in _OFF:
        found = list(kept)
        red, green, blue = colours[known > off].T.copy() if len(kept) else colours.T.copy()
        while len(red) and len(found) <= most:
            found.append(np.array((red[0], green[0], blue[0])))
            far = np.abs(red - red[0]) > off
            far |= np.abs(green - green[0]) > off
            far |= np.abs(blue - blue[0]) > off
            red, green, blue = red[far], green[far], blue[far]
        if len(found) <= most:
            break
    return np.stack(found) if found else kept
