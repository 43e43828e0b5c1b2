"""Cells over running text, wrapped as it was written."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from lstm_widgets.colours import PADDING, ink, mix, one_colour
from lstm_widgets.figures.columns import bands
from lstm_widgets.figures.sheet import EDGE, rectangles
from lstm_widgets.tokens.wording import visible
from lstm_widgets.tokens.words import UNSPACED

if TYPE_CHECKING:
    from collections.abc import Sequence

    from lstm_widgets.figures.sheet import Sheet
    from lstm_widgets.tokens.words import Spelling
    from lstm_widgets.views.snapshot import Snapshot

ROW, CAPTION, CHARACTER = 19, 28, 8
#: In this size, characters of one width are as wide as their boxes: they go on as a text does.
LETTER = CHARACTER / 0.60205
_GUESS_ROW, _SEAM, _APART, _FURTHER_APART = 14, 1, 2, 9
#: Of a concept track under a line: the band, and from one to the next.
_BAND, _BAND_PITCH = 4, 5
_ROOM_FOR_GUESSES, _TAB = 52, 8
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
    sheet: Sheet,
    tokens: Sequence[str],
    room: int,
    *,
    marks: bool,
    spelling: Spelling,
    character: int = CHARACTER,
    least: int = CHARACTER,
) -> list[list[Box]]:
    """
    Wrap tokens into lines.

    Parameters
    ----------
    sheet : Sheet
        What they are measured for.
    tokens : list of str
    room : int
        Width of a line.
    marks : bool
        Whether white space shows as marks.
    spelling : Spelling
        How the tokens spell the text.
    character, least : int, optional
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
            width = round(sheet.text_width(text, "mono", LETTER) + 0.49)
            width += pad if token.strip() else 0
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
    """What of the text is in the picture, and where."""

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
        return len(self.cells) * (ROW + _SEAM) - _SEAM

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
    sheet: Sheet, shown: Snapshot, cells: Sequence[int], *, marks: bool, guesses: bool, most: int
) -> None:
    """
    Draw cells over the text around the selected timestep.

    Parameters
    ----------
    sheet : Sheet
    shown : Snapshot
        With something recorded.
    cells : list of int
        The cells, a row each under every line; at least one.
    marks : bool
        Whether white space shows as marks.
    guesses : bool
        Whether the model's top guesses stand under each token, if there are any.
    most : int
        How high the lines may be.
    """
    page = _laid_out(sheet, shown, list(cells), marks=marks, guesses=guesses)
    shift = page.shift
    count = max(1, most // page.pitch)
    starts = np.cumsum([page.first, *(len(line) for line in page.lines)])
    chosen = int(np.searchsorted(starts, shown.timestep + shift, side="right")) - 1
    top = 0 if chosen < count else min(len(page.lines) - count, chosen - count // 2)
    lines = page.lines[top : top + count]
    begin = CAPTION + _caption(sheet, page)
    for i, line in enumerate(lines):
        _line(sheet, page, line, box=int(starts[top + i]), y=begin + i * page.pitch)
    last = min(chosen, len(page.lines) - 1)
    selected = shown.timestep + shift - starts[last]
    if selected < len(page.lines[last]):
        box = page.lines[last][selected]
        x, y = page.left + box.x, begin + (last - top) * page.pitch
        sheet.outline((x - 1, y - 1, x + box.width + 1, y + page.coloured + 1))
        if shown.cell in page.cells:
            y += page.cells.index(shown.cell) * (ROW + _SEAM)
            sheet.outline((x, y, x + box.width, y + ROW), thick=2)
    sheet.end(begin + len(lines) * page.pitch + 6)


def _laid_out(
    sheet: Sheet, shown: Snapshot, cells: list[int], *, marks: bool, guesses: bool
) -> _Page:
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
        sheet,
        tokens,
        sheet.width - left - EDGE,
        marks=marks,
        spelling=shown.spelling,
        character=character,
        least=_ROOM_FOR_GUESSES if shown.spelling.apart and ranks else character,
    )
    return _Page(shown, cells, ranks, left, first, lines)


def _caption(sheet: Sheet, page: _Page) -> int:
    names = [page.shown.cell_name(cell) for cell in page.cells]
    name = f"cells {', '.join(names)}" if len(names) > 1 else f"cell {names[0]}"
    told = "that predicts it" if page.shift else "that has just read it"
    words = f"over the text: each token on the colour of the state {told}"
    if not page.shown.layer["tokens"]:
        words = "over the timesteps; tokens were not recorded"
        times, example = page.shown.times, page.shown.example
        if times is not None:
            words = f"{times.say_span(example, 0, page.shown.timesteps)}, line after line"
    return named(sheet, name, words)


def named(sheet: Sheet, name: str, words: str) -> int:
    """Write what stands above a text: a name, and words that may take more lines; their height."""
    x = EDGE + sheet.write(EDGE, 14, name, kind="bold", room=sheet.width / 3) + (5 if name else 0)
    right = sheet.width - EDGE
    return sheet.paragraph(x, 14, words, right, colour=sheet.theme.muted, most=3)


def _line(sheet: Sheet, page: _Page, line: list[Box], *, box: int, y: int) -> None:
    """Draw one line of text, ``box`` being the number of its first box."""
    shown, theme = page.shown, sheet.theme
    scale = shown.coloured(theme)
    timesteps = np.arange(box, box + len(line)) - page.shift
    known = timesteps >= 0
    columns = shown.example * shown.timesteps + np.maximum(timesteps, 0)
    padded = shown.padded(int(columns[0]), int(columns[-1]) + 1)[columns - columns[0]]
    x, widths = np.array([one.x for one in line]), [one.width for one in line]
    letters = [one.text for one in line]
    for row, cell in enumerate(page.cells):
        top = y + row * (ROW + _SEAM)
        if len(page.cells) > 1:
            kind, colour = (
                ("bold", theme.foreground) if cell == shown.cell else ("sans", theme.muted)
            )
            where, name = (page.left - 6, top + ROW / 2), shown.cell_name(cell)
            sheet.write(*where, name, size=11, kind=kind, colour=colour, align="right")
        first = int(columns[0])
        values = shown.levels.read(first, int(columns[-1]) + 1, cell)[columns - first]
        largest = shown.levels.statistics.largest[cell]
        colours = np.where(known[:, None], scale.pixels(values, largest), theme.background)
        marks = np.where(padded, PADDING, scale.marks(values, largest)) * known
        boxes = rectangles(page.left + x, top, widths, ROW)
        sheet.tokens(boxes, letters, colours.astype(np.uint8), marks, size=LETTER)
    places = [
        (page.left + x, page.left + x + width, shown.example * shown.timesteps + box + i)
        for i, (x, width, _) in enumerate(line)
    ]
    bands(sheet, shown, places, y=y + page.coloured + 1, height=_BAND, pitch=_BAND_PITCH)
    top = y + page.coloured + page.bands + 2
    for (left, right, _), column, there in zip(places, columns, known, strict=True):
        if page.ranks and there:
            _guesses(sheet, page, (left, right), column=int(column), y=top)


def _guesses(sheet: Sheet, page: _Page, sides: tuple[int, int], *, column: int, y: int) -> None:
    """Draw the top guesses under a token, the stronger the more probable."""
    theme = sheet.theme
    for rank, (guess, probability, right) in enumerate(page.shown.guesses(column)):
        top = y + rank * _GUESS_ROW
        box = (sides[0], top, sides[1], top + _GUESS_ROW)
        colour = mix(theme.background, theme.foreground, 0.06 + 0.74 * probability)
        sheet.box(box, one_colour(colour))
        if right:
            sheet.frame(box, theme.foreground)
        letters = written(page.shown.spelling.alone(guess), marks=True)
        on = one_colour(ink(colour))
        sheet.centred(*sides, top + _GUESS_ROW / 2, letters, colour=on, size=11)
