"""The still picture of cells over running text, wrapped as it was written."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
from PIL import Image

from lstm_widgets.colours import BACKGROUND, FOREGROUND, PADDING, ink, mix, patterned
from lstm_widgets.figures.columns import bands
from lstm_widgets.figures.paper import EDGE, MUTED, WIDTH, outline, sheet, text_width, write
from lstm_widgets.tokens.wording import visible
from lstm_widgets.tokens.words import UNSPACED

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray
    from PIL import ImageDraw

    from lstm_widgets.colours import Colour
    from lstm_widgets.figures.snapshot import Snapshot
    from lstm_widgets.tokens.words import Spelling

_ROW, _GUESS_ROW, _SEAM, _APART, _FURTHER_APART = 19, 14, 1, 2, 9
_CAPTION = 28
#: Of a concept track under a line: the band, and from one to the next.
_BAND, _BAND_PITCH = 4, 5
CHARACTER, _ROOM_FOR_GUESSES, _TAB = 8, 52, 8
#: So much of the text before the selected timestep is laid out, to find where lines begin.
_BEFORE, _AFTER = 6000, 3000
_UNSPACED = re.compile(f"[{UNSPACED}]$")
#: Between two tokens of several characters that nothing else parts.
_HAIR = 1


def written(token: str, *, marks: bool) -> str:
    """Give what a token says, as it is written into its box."""
    if marks:
        return visible(token).replace(" ", "·")
    bare = re.sub(r"[\t\u00a0]", " ", re.sub(r"[\n\r]", "", token))
    return (bare or " ") if bare.strip() == "" and token else visible(bare)


class Box(NamedTuple):
    """Where a token stands in its line."""

    x: int
    width: int
    text: str


def lines_of(
    tokens: Sequence[str],
    room: int,
    *,
    marks: bool,
    spelling: Spelling,
    character: int,
    least: int,
) -> list[list[Box]]:
    """
    Wrap tokens into lines.

    Parameters
    ----------
    tokens : list of str
    room : int
        Width of a line.
    marks : bool
        Whether white space shows as marks.
    spelling : Spelling
        How the tokens spell the text.
    character, least : int
        Width of a character, and of a box with more than white space.
    """
    boxes: list[Box] = []
    starts = [0]
    sizes: dict[str, tuple[str, int]] = {}
    pad = {"words": 4, "##": 2, "</w>": 2}.get(spelling.kind, 0)
    hair = 0 if spelling.kind == "characters" else _HAIR
    x = may_break = 0
    for i, raw in enumerate(tokens):
        token = spelling.text(raw)
        if token not in sizes:
            text = written(token, marks=marks)
            width = text_width(text, "mono", 13) + (pad if token.strip() else 0)
            wanted = max(least if token.strip() else character, width - (len(text) == 1))
            sizes[token] = text, min(room - character, wanted)
        text, size = sizes[token]
        blank = token.isspace()
        apart = spelling.apart and i > 0 and spelling.parted(tokens[i - 1], raw)
        if apart or (token[:1].isspace() and not blank):
            may_break = i
        if i > starts[-1]:
            x += character if apart else hair
        if token == "\t" and not marks:  # noqa: S105
            size = _TAB * character - x % (_TAB * character)
        # White space may stand in the margin.
        while x > 0 and x + size > (room if blank else room - character):
            begin = may_break if may_break > starts[-1] else i
            starts.append(begin)
            shift = boxes[begin].x if begin < i else x
            boxes[begin:] = [box._replace(x=box.x - shift) for box in boxes[begin:]]
            x -= shift
        boxes.append(Box(x, size, text))
        x += size
        if token[-1:].isspace() or _UNSPACED.search(token):
            may_break = i + 1
        if "\n" in token and i + 1 < len(tokens):
            starts.append(i + 1)
            may_break, x = i + 1, 0
    ends = [*starts[1:], len(boxes)]
    return [boxes[start:end] for start, end in zip(starts, ends, strict=True)]


@dataclass(frozen=True)
class _Page:
    """What of the text is in the picture."""

    shown: Snapshot
    cells: list[int]
    ranks: int
    left: int
    first: int
    lines: list[list[Box]]

    @property
    def shift(self) -> int:
        """How many boxes a value stands after its timestep."""
        return int(self.shown.align == "predict")

    @property
    def coloured(self) -> int:
        """The height of the rows of one line."""
        return len(self.cells) * (_ROW + _SEAM) - _SEAM

    @property
    def bands(self) -> int:
        """The height of the concept tracks under a line."""
        return len(self.shown.tracks) * _BAND_PITCH

    @property
    def pitch(self) -> int:
        """From one line to the next."""
        guesses = self.ranks * _GUESS_ROW + 2 if self.ranks else 0
        wide = len(self.cells) > 1 or self.ranks or self.bands
        return self.coloured + self.bands + guesses + (_FURTHER_APART if wide else _APART)


def text(
    shown: Snapshot, cells: Sequence[int], *, marks: bool, guesses: bool, most: int
) -> Image.Image:
    """
    Draw cells over the text around the selected timestep.

    Parameters
    ----------
    shown : Snapshot
        With something recorded.
    cells : list of int
        The cells, a row each under every line; at least one.
    marks : bool
        Whether white space shows as marks.
    guesses : bool
        Whether the model's top guesses stand under each token, if there are any.
    most : int
        The most pixels that the lines take.
    """
    page = _laid_out(shown, list(cells), marks=marks, guesses=guesses)
    shift = page.shift
    count = max(1, most // page.pitch)
    starts = np.cumsum([page.first, *(len(line) for line in page.lines)])
    chosen = int(np.searchsorted(starts, shown.timestep + shift, side="right")) - 1
    top = 0 if chosen < count else min(len(page.lines) - count, chosen - count // 2)
    lines = page.lines[top : top + count]
    image, draw = sheet(_CAPTION + len(lines) * page.pitch + 6)
    _caption(draw, page)
    for i, line in enumerate(lines):
        _line(image, draw, page, line, box=int(starts[top + i]), y=_CAPTION + i * page.pitch)
    selected = shown.timestep + shift - starts[min(chosen, len(page.lines) - 1)]
    if selected < len(page.lines[min(chosen, len(page.lines) - 1)]):
        box = page.lines[chosen][selected]
        x, y = page.left + box.x, _CAPTION + (chosen - top) * page.pitch
        outline(draw, x - 1, y - 1, x + box.width, y + page.coloured)
        if shown.cell in page.cells:
            y += page.cells.index(shown.cell) * (_ROW + _SEAM)
            outline(draw, x, y, x + box.width - 1, y + _ROW - 1, thick=2)
    return image


def _laid_out(shown: Snapshot, cells: list[int], *, marks: bool, guesses: bool) -> _Page:
    ranks = int(shown.layer.get("predictions", 0)) if guesses else 0
    first = max(0, shown.timestep - _BEFORE)
    tokens = shown.text(first, min(shown.timesteps, shown.timestep + _AFTER))
    newlines = [i for i, token in enumerate(tokens[: shown.timestep - first]) if "\n" in token]
    if first and newlines:  # the first line that is known to begin there
        tokens, first = tokens[newlines[0] + 1 :], first + newlines[0] + 1
    widest = shown.cell_name(shown.layer["cells"] - 1)
    left = EDGE + (7 * len(widest) + 10 if len(cells) > 1 else 0)
    character = CHARACTER + (2 if ranks else 0)
    lines = lines_of(
        tokens,
        WIDTH - left - EDGE,
        marks=marks,
        spelling=shown.spelling,
        character=character,
        least=_ROOM_FOR_GUESSES if shown.spelling.apart and ranks else character,
    )
    return _Page(shown, cells, ranks, left, first, lines)


def _caption(draw: ImageDraw.ImageDraw, page: _Page) -> None:
    names = [page.shown.cell_name(cell) for cell in page.cells]
    name = f"cells {', '.join(names)}" if len(names) > 1 else f"cell {names[0]}"
    told = "that predicts it" if page.shift else "that has just read it"
    text = f"over the text: each token on the colour of the state {told}"
    if not page.shown.layer["tokens"]:
        text = "over the timesteps; tokens were not recorded"
    write(draw, (EDGE, 14), name, kind="bold", room=WIDTH / 3)
    x = EDGE + min(WIDTH / 3, text_width(name, "bold", 12)) + 5
    write(draw, (x, 14), text, colour=MUTED, room=WIDTH - EDGE - x)


def _line(
    image: Image.Image, draw: ImageDraw.ImageDraw, page: _Page, line: list[Box], *, box: int, y: int
) -> None:
    """Draw one line of text, ``box`` being the number of its first box."""
    shown = page.shown
    timesteps = np.arange(box, box + len(line)) - page.shift
    known = timesteps >= 0
    columns = shown.example * shown.timesteps + np.maximum(timesteps, 0)
    padded = shown.padded(int(columns[0]), int(columns[-1]) + 1)[columns - columns[0]]
    for row, cell in enumerate(page.cells):
        top = y + row * (_ROW + _SEAM)
        if len(page.cells) > 1:
            kind, colour = ("bold", FOREGROUND) if cell == shown.cell else ("sans", MUTED)
            where = (page.left - 6, top + _ROW / 2)
            write(
                draw, where, shown.cell_name(cell), size=11, kind=kind, colour=colour, anchor="rm"
            )
        values = shown.levels.flat[columns, cell]
        largest = shown.levels.statistics.largest[cell]
        colours = np.where(known[:, None], shown.colours.pixels(values, largest), BACKGROUND)
        marks = np.where(padded, PADDING, shown.colours.marks(values, largest)) * known
        for i, (x, width, text) in enumerate(line):
            square = np.broadcast_to(colours[i].astype(np.uint8), (_ROW, width, 3))
            if marks[i]:
                square = patterned(square, np.full((_ROW, width), marks[i]))
            image.paste(Image.fromarray(np.ascontiguousarray(square)), (page.left + x, top))
            if text.strip():
                on = square[1, 1] if marks[i] == PADDING else colours[i]
                left, middle = page.left + x, top + _ROW / 2
                _middle(draw, text, left, width, y=middle, colour=_ink(on))
    places = [
        (page.left + x, page.left + x + width, shown.example * shown.timesteps + box + i)
        for i, (x, width, _) in enumerate(line)
    ]
    top = y + page.coloured + 1
    bands(draw, shown, places, y=top, height=_BAND, pitch=_BAND_PITCH)
    if page.ranks:
        top = y + page.coloured + page.bands + 2
        _guesses(draw, page, line, columns=columns, known=known, y=top)


def _ink(colour: NDArray[np.uint8]) -> Colour:
    red, green, blue = ink(colour).tolist()
    return red, green, blue


def _middle(
    draw: ImageDraw.ImageDraw,
    text: str,
    x: int,
    width: int,
    *,
    y: float,
    colour: Colour,
    size: int = 13,
) -> None:
    if text_width(text, "mono", size) <= width + 1:
        where = (x + width / 2, y)
        write(draw, where, text, size=size, kind="mono", colour=colour, anchor="mm")
    else:
        write(draw, (x, y), text, size=size, kind="mono", colour=colour, room=width)


def _guesses(
    draw: ImageDraw.ImageDraw,
    page: _Page,
    line: list[Box],
    *,
    columns: NDArray[np.int_],
    known: NDArray[np.bool_],
    y: int,
) -> None:
    """Draw the top guesses under the tokens of a line, the darker the more probable."""
    for (x, width, _), column, there in zip(line, columns, known, strict=True):
        if not there:
            continue
        for rank, (text, probability, right) in enumerate(page.shown.guesses(int(column))):
            top = y + rank * _GUESS_ROW
            left = page.left + x
            red, green, blue = mix(BACKGROUND, FOREGROUND, 0.06 + 0.74 * probability).tolist()
            place = (left, top, left + width - 1, top + _GUESS_ROW - 1)
            draw.rectangle(place, (red, green, blue), FOREGROUND if right else None)
            colour = _ink(np.array((red, green, blue), np.uint8))
            guess = written(page.shown.spelling.alone(text), marks=True)
            middle = top + _GUESS_ROW / 2
            _middle(draw, guess, left, width, y=middle, colour=colour, size=11)
