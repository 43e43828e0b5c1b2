# The docstrings of concepts say what holds of a token, not what a function does.
"""Quotation marks, double and single."""

from __future__ import annotations

import re
from array import array
from typing import TYPE_CHECKING

from lstm_widgets.concepts.pairs import depths, paired
from lstm_widgets.tokens.words import UNSPACED

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from lstm_widgets.concepts.concept import Scope
    from lstm_widgets.concepts.example import Pair, Stretch, Track

_UNSPACED = re.compile(f"[{UNSPACED}]")
# What closes what is opened. Some marks do both: »so« in German, »so» in Swedish.
_DOUBLE = {
    '"': '"', "“": "”", "„": "“”", "”": "”", "«": "»", "»": "«»",
    "「": "」", "『": "』", "｢": "｣", "〝": "〞〟", "＂": "＂",
}  # fmt: skip
_SINGLE = {"‹": "›", "›": "‹›"}
_ANY_DOUBLE, _ANY_SINGLE = (
    re.compile("[" + "".join([*marks, *marks.values()]) + "]") for marks in (_DOUBLE, _SINGLE)
)
# Of these the place tells whether they open; after these a mark opens, before these it closes.
_EITHER = frozenset('"＂“”«»‹›')
_OPENS_AFTER = frozenset("([{<（［｛「『“„‘‚'\"«»‹›—–-/=>|*_~`")
_CLOSES_BEFORE = frozenset(",;:!?)]}>）］｝」』’”。，、！？；：")
_DASHES = frozenset("—–-/.…")


@paired("yes_no", "paragraph")
def inside_double_quotes(stretches: Iterator[Stretch], within: Scope) -> Iterator[Track]:
    """Between double quotation marks: from the opening one to just before the closing one.

    Straight ("), curly (“ ”, also „ “ and ” ”), angled (« », also » « and » ») or cornered (「 」 and
    『 』). A straight mark opens if no letter or digit stands before it. A mark without a partner in
    its paragraph marks nothing.
    """
    return (depth > 0 for depth in depths(stretches, within, _double_pairs))


def _double_pairs(text: str, start: int, stop: int) -> Iterator[Pair]:
    return _quotations(text, start, stop, _DOUBLE, _ANY_DOUBLE)


def _quotations(
    text: str, start: int, stop: int, partners: Mapping[str, str], marks: re.Pattern[str]
) -> Iterator[Pair]:
    """Find the quotations of one part."""
    opened = array("q")
    waiting = dict.fromkeys(partners, 0)
    for match in marks.finditer(text, start, stop):
        k, mark = match.start(), match[0]
        before = text[k - 1] if k > start else " "
        after = text[k + 1] if k + 1 < stop else " "
        if mark == '"' and _HEBREW.match(before) and _HEBREW.match(after):
            continue  # of an abbreviation
        either = mark in _EITHER
        leads = (before.isspace() or before in _OPENS_AFTER) and not (
            after.isspace() or after in _CLOSES_BEFORE
        )
        ends = after.isspace() or after in _CLOSES_BEFORE or after in _DASHES
        trails = ends and not (before.isspace() or before in "([{")
        fits = any(count and mark in partners[opening] for opening, count in waiting.items())
        if fits and not (mark in partners and either and leads):
            while mark not in partners[text[opened[-1]]]:
                waiting[text[opened.pop()]] -= 1
            waiting[text[opened[-1]]] -= 1
            yield opened.pop(), k
        elif mark in partners and not (either and trails):
            within_word = before.isalnum() and not _UNSPACED.match(before)
            if mark != '"' or not within_word:
                opened.append(k)
                waiting[mark] += 1


_HEBREW = re.compile(r"[\u0590-\u05ff]")

# Words that begin with an apostrophe, where it might be taken for a quotation mark.
_CLIPPED = re.compile(r"(?:tis|twas|twere|twill|em|cause|bout|til|n|\d\ds?)\b", re.IGNORECASE)
_APOSTROPHE = re.compile("['‘’‚]")
_CLOSED_BY = {"'": "'", "‘": "’", "‚": "‘’"}


@paired("yes_no", "paragraph")
def inside_single_quotes(stretches: Iterator[Stretch], within: Scope) -> Iterator[Track]:
    """Between single quotation marks: from the opening one to just before the closing one.

    Straight ('), curly (‘ ’, also ‚ ‘) or angled (‹ ›, also › ‹), told apart from apostrophes: those
    within a word (doesn't), at the end of one while no quotation is open (the boys' books), and at
    the start of one that is clipped ('tis, '90s). A mark without a partner in its paragraph marks
    nothing.
    """
    return (depth > 0 for depth in depths(stretches, within, _single_pairs))


def _single_pairs(text: str, start: int, stop: int) -> Iterator[Pair]:
    yield from _quotations(text, start, stop, _SINGLE, _ANY_SINGLE)
    places = array("q", (match.start() for match in _APOSTROPHE.finditer(text, start, stop)))
    # What each could be by the characters beside it.
    opens, closes = bytearray(len(places)), bytearray(len(places))
    for n, k in enumerate(places):
        before = text[k - 1] if k > start else " "
        after = text[k + 1] if k + 1 < stop else " "
        if before.isalnum() and after.isalnum() and not _UNSPACED.match(before + after):
            continue
        clipped = _CLIPPED.match(text, k + 1) is not None and not before.isalnum()
        like = text[k] == "‚" or (text[k] in "'‘" and not clipped and not after.isspace())
        apart = before.isspace() and after.isspace()  # between words that were set apart
        opens[n] = (like and not before.isalnum()) or (text[k] == "‘" and apart)
        like = text[k] != "‚" and not before.isspace() and not after.isalnum()
        closes[n] = like or (text[k] == "’" and apart)
    # After each, the first that could close each kind of opening mark.
    closing = {mark: array("q", bytes(8 * len(places))) for mark in _CLOSED_BY}
    nearest = dict.fromkeys(_CLOSED_BY, len(places))
    closer_follows = False
    for n in range(len(places) - 1, -1, -1):
        for mark, follows in closing.items():
            follows[n] = nearest[mark]
        if closes[n] and not (closer_follows and _may_belong_to_word(text, places[n])):
            nearest |= {mark: n for mark, by in _CLOSED_BY.items() if text[places[n]] in by}
        if opens[n] or closes[n]:
            closer_follows = not opens[n]
    n = 0
    while n < len(places):
        other = closing[text[places[n]]][n] if opens[n] else len(places)
        if other < len(places):
            yield places[n], places[other]
            n = other
        n += 1


def _may_belong_to_word(text: str, k: int) -> bool:
    """Tell whether a mark in a quotation may be that of a plural's genitive: ‘the boys’ books’.

    It is, if another mark that closes, and doesn't open, comes next.
    """
    ahead = text[k + 1 : k + 3]
    return text[k - 1] == "s" and len(ahead) == 2 and ahead[0] == " " and ahead[1].islower()
