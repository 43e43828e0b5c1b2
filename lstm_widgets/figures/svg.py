"""SVG as small as it can be, with the letters that it needs.

Matplotlib writes out each style and each corner. Here a style is a class, a level line has its height once,
and the page brings its letters, so that they fit their boxes wherever it is opened.
"""

from __future__ import annotations

import io
import re
import zlib
from base64 import b64encode
from html import escape, unescape

from fontTools import subset

from lstm_widgets.figures import fonts

_LINE = re.compile(r"M (\S+) (\S+) \nL (\S+) \2 \n")
_TEXT = re.compile(r'<text style="([^"]*)"([^>]*)>([^<]*)</text>')
_PLACE = re.compile(r'transform="translate\((\S+) (\S+)\)"')
_STYLE = '<style type="text/css">'
#: What a viewer has that doesn't take the letters.
_ELSE = {"mono": "monospace"}


def small(svg: str) -> str:
    """Make an SVG small, as Matplotlib writes it with texts as texts, and give it its letters."""
    styles: dict[str, str] = {}
    used: dict[str, set[str]] = {}

    def placed(found: re.Match[str]) -> str:
        x, y = map(float, found.groups())
        return f'x="{x:.2f}" y="{y:.2f}"'

    def with_class(found: re.Match[str]) -> str:
        style, place, text = found.groups()
        kind = "mono" if "Mono" in style else "bold" if ": 700" in style else "sans"
        used.setdefault(kind, set()).update(unescape(text))
        generic = _ELSE.get(kind, "sans-serif")
        style = re.sub("(font(?:-family)?: [^;]*)", rf"\1, {generic}", style)
        name = styles.setdefault(style, f"lw{zlib.crc32(style.encode()):x}")
        return f'<text class="{name}"{_PLACE.sub(placed, place)}>{text}</text>'

    svg = _LINE.sub(r"M\1 \2H\3", _TEXT.sub(with_class, svg))
    rules = [_face(kind, letters) for kind, letters in used.items()]
    rules += [f".{name}{{{style}}}" for style, name in styles.items()]
    return svg.replace(_STYLE, f"{_STYLE}{''.join(rules)}", 1)


def _face(kind: str, letters: set[str]) -> str:
    """Give the letters of the first font of a kind as a rule of a style sheet."""
    options = subset.Options(layout_features=[], hinting=False, notdef_outline=True, name_IDs=[])
    options.flavor = "woff"
    path, name = fonts.first(kind)
    options.drop_tables.append("FFTM")  # of which a word would be said
    with subset.load_font(path, options) as font:
        subsetter = subset.Subsetter(options)
        subsetter.populate(text="".join(sorted(letters)))
        subsetter.subset(font)
        file = io.BytesIO()
        subset.save_font(font, file, options)
    weight = 700 if kind == "bold" else 400
    data = b64encode(file.getvalue()).decode()
    return (
        f"@font-face{{font-family:'{escape(name)}';font-weight:{weight};"
        f"src:url(data:font/woff;base64,{data})}}"
    )
