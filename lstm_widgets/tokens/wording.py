"""Tokens and numbers as people read them: js/src/lib/tokens.js and wording.js in Python."""

from __future__ import annotations

import math
import unicodedata
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from lstm_widgets.tokens.words import Spelling

#: From this magnitude on, a short number has an exponent.
_LARGE = 1e6
_MARKS = dict(zip(" \n\r\t\u00a0\u007f", "·⏎␍⇥⍽␡", strict=True)) | {"": "∅"}
_DIRECTIONS = frozenset("\u061c\u200e\u200f\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069")


def sendable(text: str) -> str:
    """Give a text that UTF-8 can hold: half a surrogate pair becomes the replacement character."""
    return text.encode("utf-16", "surrogatepass").decode("utf-16", "replace")


def visible(token: str) -> str:
    """Give a token with its unseen characters made visible."""
    if token in _MARKS:
        return _MARKS[token]

    def seen(character: str) -> str:
        if character != " " and character in _MARKS:
            return _MARKS[character]
        if ord(character) < 32:
            return chr(0x2400 + ord(character))
        alone = token == character and unicodedata.category(character) == "Cf"
        return "◌" if alone or character in _DIRECTIONS else character

    return "".join(map(seen, token))


def label(token: str, spelling: Spelling) -> str:
    """Give a token in a place of its own, where spaces around it would only take room."""
    text = spelling.text(token)
    return visible(text.strip(" ") if text.strip() else text)


def in_line(text: str) -> str:
    """Give a label with its unseen characters made visible, all but spaces."""
    return "".join(c if c == " " else visible(c) for c in text)


def quoted(token: str) -> str:
    """Give a token between quotes, for sentences."""
    return f"'{in_line(token)}'" if token else f"'{visible(token)}'"


def many(count: int, one: str) -> str:
    """Tell how many there are of something; ``one`` is what one of them is called."""
    return f"{count} {one}{'s' * (count != 1)}"


def number(value: float) -> str:
    """Give a number with four decimals, or four digits of a very small or large one."""
    if math.isnan(value):
        return "NaN"
    if math.isinf(value):
        return "∞" if value > 0 else "−∞"
    if value != 0 and not 1e-3 <= abs(value) < 1e5:
        mantissa, exponent = f"{value:.3e}".split("e")
        text = f"{mantissa}e{int(exponent):+d}"
    else:
        text = f"{value + 0.0:.4f}"  # zero has no sign
    return text.replace("-", "−")


def stepped(value: float, step: float) -> str:
    """Give a number that is known in steps: none of its digits stands for less than one."""
    places = -math.floor(math.log10(step)) if step > 0 else math.inf
    if places > 3:
        return number(value)
    unit = 10 ** max(0, -places)
    rounded = value if places > 0 else math.floor(value / unit + 0.5) * unit
    text = f"{rounded:.{max(0, places)}f}"
    return (text if float(text) else text.replace("-", "")).replace("-", "−")


def short(value: float, *, signed: bool = False) -> str:
    """Give a number where there is little room, in three digits."""
    large = abs(value) >= _LARGE
    return _written(value, f"{value:.2e}" if large else _plain(float(f"{value:.3g}")), signed)


def short_range(low: float, high: float, *, signed: bool = False) -> tuple[str, str]:
    """Give both ends of a range where there is little room."""
    size = max(abs(low), abs(high))
    decimals = three = _decimals(size, 3)
    if high > low:
        decimals = max(three, min(_decimals(high - low, 2), three + 3))

    def end(value: float) -> str:
        rounded = float(f"{value:.{max(0, decimals)}f}")
        if size >= _LARGE:
            return short(rounded, signed=signed)
        return _written(rounded, _plain(rounded), signed)

    return end(low), end(high)


def _decimals(size: float, digits: int) -> int:
    return digits - 1 - math.floor(math.log10(size)) if size else 0


def _plain(value: float) -> str:
    """Give all digits that a number has."""
    return repr(value) if 0 < abs(value) < 1e-6 else np.format_float_positional(value, trim="-")


def _written(value: float, text: str, signed: bool) -> str:
    mantissa, *exponent = text.removeprefix("-").split("e")
    sign = "−" if value < 0 else "+" if signed and value > 0 else ""
    return sign + mantissa + "".join(f"e{int(one):+d}".replace("-", "−") for one in exponent)
