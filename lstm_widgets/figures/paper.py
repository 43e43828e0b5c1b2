"""What still pictures are drawn with: sheets of paper, lines of text, outlines.

Lengths are pixels. The paper is light, whatever the page is.
"""

from __future__ import annotations

import re
from functools import lru_cache
from typing import TYPE_CHECKING

import numpy as np
from PIL import Image, ImageDraw, ImageFont

from lstm_widgets.colours import BACKGROUND, FOREGROUND, Colour

if TYPE_CHECKING:
    from collections.abc import Sequence

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


def outline(
    draw: ImageDraw.ImageDraw, x0: int, y0: int, x1: int, y1: int, *, thick: int = 1
) -> None:
    """Draw the box of what is selected, seen on every colour; a thick one grows outwards."""
    draw.rectangle((x0 - thick, y0 - thick, x1 + thick, y1 + thick), outline=BACKGROUND)
    draw.rectangle((x0 + 1, y0 + 1, x1 - 1, y1 - 1), outline=BACKGROUND)
    for grown in range(thick):
        box = (x0 - grown, y0 - grown, x1 + grown, y1 + grown)
        draw.rectangle(box, outline=FOREGROUND)


def nothing() -> Image.Image:
    """Draw that there is nothing to be seen."""
    image, draw = sheet(60)
    text = "Nothing to show."
    write(draw, (WIDTH / 2, 30), text, size=13, colour=MUTED, anchor="mm")
    return image
