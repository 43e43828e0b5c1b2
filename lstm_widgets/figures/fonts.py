"""Letters: what the fonts of this machine can draw, how wide it is, and its outlines.

Imports Matplotlib. Widths are those of letters of size 1.
"""

from __future__ import annotations

import re
import unicodedata
from functools import lru_cache
from typing import TYPE_CHECKING, Any, TypeAlias

import numpy as np
from matplotlib import ft2font
from matplotlib.font_manager import FontProperties, fontManager, get_font
from matplotlib.textpath import text_to_path

if TYPE_CHECKING:
    from matplotlib.ft2font import FT2Font
    from numpy.typing import NDArray

    Outline: TypeAlias = tuple[NDArray[np.float64], NDArray[np.uint8]]

#: Matplotlib's own first, so that a figure looks the same everywhere; then those of many scripts.
_OWN = {"mono": ("DejaVu Sans Mono", "DejaVu Sans"), "sans": ("DejaVu Sans",)}
_WIDE = (
    *("Noto Sans CJK JP", "Noto Sans CJK SC", "Hiragino Sans", "PingFang SC", "Yu Gothic"),
    *("Microsoft YaHei", "WenQuanYi Zen Hei", "Arial Unicode MS", "Noto Sans", "Noto Sans Arabic"),
    *("Noto Sans Symbols2", "Segoe UI Symbol", "Segoe UI", "Apple Symbols"),
)
#: What stands for a sign that no font has.
_UNKNOWN = "□"
_BREAKS = re.compile(r"[\x00-\x1f\x7f-\x9f\u2028\u2029]")
#: The size in which letters are measured: so large that hinting moves nothing.
_MEASURED = 1000
#: As the fonts themselves ask to be hinted; Matplotlib before 3.10 has a number for it.
_HINTED: Any = getattr(getattr(ft2font, "LoadFlags", None), "DEFAULT", 0)


@lru_cache
def wide() -> tuple[str, ...]:
    """Name the fonts of many scripts that this machine has."""
    there = {font.name for font in fontManager.ttflist}
    return tuple(name for name in _WIDE if name in there)


@lru_cache(maxsize=256)
def properties(kind: str, size: float = 1) -> FontProperties:
    """Give the fonts of a kind, "sans", "bold" or "mono", in the order in which they are tried."""
    family = [*_OWN["mono" if kind == "mono" else "sans"], *wide()]
    return FontProperties(family=family, weight="bold" if kind == "bold" else "normal", size=size)


def first(kind: str) -> tuple[str, str]:
    """Give the path and the name of the first font of a kind."""
    font = _fonts(kind)[0]
    return str(font.fname), font.family_name


@lru_cache
def _fonts(kind: str) -> tuple[FT2Font, ...]:
    weight = properties(kind).get_weight()
    families = properties(kind).get_family()
    found = [fontManager.findfont(FontProperties(family=[f], weight=weight)) for f in families]
    return tuple(get_font(path) for path in dict.fromkeys(found))


@lru_cache(maxsize=8192)
def _advance(character: str, kind: str) -> float:
    """Give how far a character moves on; NaN if no font has it."""
    for font in _fonts(kind):
        if font.get_char_index(ord(character)):
            font.set_size(_MEASURED, 72)
            return float(font.load_char(ord(character)).linearHoriAdvance / 65536 / _MEASURED)
    return float("nan")


def in_one_line(text: str) -> str:
    """Give a text without what would end its line, or a file, its letters with their marks as one each."""
    return unicodedata.normalize("NFC", _BREAKS.sub("⏎", text))


def _character(character: str, kind: str) -> str:
    if not np.isnan(_advance(character, kind)):
        return character
    # What only changes its neighbours is left out.
    return "" if _is_mark(character) or unicodedata.category(character) == "Cf" else _UNKNOWN


@lru_cache(maxsize=8192)
def drawable(text: str, kind: str) -> str:
    """Give what of a text can be drawn, in one line."""
    return "".join(_character(character, kind) for character in in_one_line(text))


@lru_cache(maxsize=8192)
def text_width(text: str, kind: str) -> float:
    """Give the width of a line of text."""
    shown = drawable(text, kind)
    return sum(_room(character, kind, first=k == 0) for k, character in enumerate(shown))


def _room(character: str, kind: str, *, first: bool) -> float:
    """Give how far what follows a character is from where it begins: a mark stands over what is before it."""
    return 0.0 if _is_mark(character) and not first else _advance(character, kind)


def _is_mark(character: str) -> bool:
    return unicodedata.category(character) in ("Mn", "Me")


@lru_cache(maxsize=8192)
def outline(text: str, kind: str, size: float) -> Outline:
    """
    Give the outline of a text in so many pixels, from its beginning on the baseline, upwards.

    Letters are hinted, and begin at whole pixels: they are sharp. What is more than one letter after
    the other, such as Arabic, is left to Matplotlib.
    """
    shown = drawable(text, kind)
    if not all(map(_is_alone, shown)):
        vertices, codes = text_to_path.get_text_path(properties(kind), shown)
        scale = size / text_to_path.FONT_SCALE
        return np.asarray(vertices, float).reshape(-1, 2) * scale, np.array(codes, np.uint8)
    x, parts = 0.0, [(np.zeros((0, 2)), np.zeros(0, np.uint8))]
    for k, character in enumerate(shown):
        vertices, codes = _glyph(character, kind, size)
        room = _room(character, kind, first=k == 0)
        # Of letters that are all as wide, marks are drawn as wide, too: back over the letter.
        left = x - (_advance(character, kind) - room) * size if _is_mark(character) else x
        parts.append((vertices + np.array((round(left), 0)), codes))
        x += room * size
    vertices, codes = map(np.concatenate, zip(*parts, strict=True))
    return vertices, codes


def _is_alone(character: str) -> bool:
    alone = unicodedata.category(character) != "Mc"
    return alone and unicodedata.bidirectional(character) not in ("R", "AL", "BN")


@lru_cache(maxsize=8192)
def _glyph(character: str, kind: str, size: float) -> Outline:
    (font,) = [font for font in _fonts(kind) if font.get_char_index(ord(character))][:1]
    font.set_size(size, 72)
    font.load_char(ord(character), flags=_HINTED)
    vertices, codes = font.get_path()
    return np.asarray(vertices, float).reshape(-1, 2), np.asarray(codes, np.uint8)
