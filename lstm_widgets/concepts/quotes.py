# The docstrings of concepts say what holds of a token, not what a function does.
"""Quotation marks, double and single."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from lstm_widgets.concepts.pairs import depth, paired, parts
from lstm_widgets.tokens.words import UNSPACED

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping

    from lstm_widgets.concepts.concept import Scope
    from lstm_widgets.concepts.example import Example, Pair, Track

_UNSPACED = re.compile(f"[{UNSPACED}]")
# What closes what is opened. Some marks do both: »so« in German, »so» in Swedish.
_DOUBLE = {
    '"': '"', "“": "”", "„": "“”", "”": "”", "«": "»", "»": "«»",
    "「": "」", "『": "』", "｢": "｣", "〝": "〞〟", "＂": "＂",
}  # fmt: skip
_SINGLE = {"‹": "›", "›": "‹›"}
# Of these the place tells whether they open; after these a mark opens, before these it closes.
_EITHER = frozenset('"＂“”«»‹›')
_OPENS_AFTER = frozenset("([{<（［｛「『“„‘‚'\"«»‹›—–-/=>|*_~`")
_CLOSES_BEFORE = frozenset(",;:!?)]}>）］｝」』’”。，、！？；：")
_DASHES = frozenset("—–-/.…")


@paired("yes_no", "paragraph")
def inside_double_quotes(example: Example, within: Scope) -> Track:
    """Between double quotation marks: from the opening one to just before the closing one.

    Straight ("), curly (“ ”, also „ “ and ” ”), angled (« », also » « and » ») or cornered (「 」 and
    『 』). A straight mark opens if no letter or digit stands before it. A mark without a partner in
    its paragraph marks nothing.
    """
    return example.at_last(depth(example.text, _quotations(example.text, within, _DOUBLE)) > 0)


def _quotations(text: str, within: Scope, partners: Mapping[str, str]) -> list[Pair]:
    pairs: list[Pair] = []
    marks = {*partners, *"".join(partners.values())}
    for start, stop in parts(text, within):
        opened: list[int] = []
        for k in range(start, stop):
            mark = text[k]
            if mark not in marks:
                continue
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
            fitting = [i for i in opened if mark in partners[text[i]]]
            if fitting and not (mark in partners and either and leads):
                pairs.append((fitting[-1], k))
                del opened[opened.index(fitting[-1]) :]
            elif mark in partners and not (either and trails):
                within_word = before.isalnum() and not _UNSPACED.match(before)
                if mark != '"' or not within_word:
                    opened.append(k)
    return pairs


_HEBREW = re.compile(r"[\u0590-\u05ff]")

# Words that begin with an apostrophe, where it might be taken for a quotation mark.
_CLIPPED = re.compile(r"(?:tis|twas|twere|twill|em|cause|bout|til|n|\d\ds?)\b", re.IGNORECASE)
_CLOSED_BY = {"'": "'", "‘": "’", "‚": "‘’"}


@paired("yes_no", "paragraph")
def inside_single_quotes(example: Example, within: Scope) -> Track:
    """Between single quotation marks: from the opening one to just before the closing one.

    Straight ('), curly (‘ ’, also ‚ ‘) or angled (‹ ›, also › ‹), told apart from apostrophes: those
    within a word (doesn't), at the end of one while no quotation is open (the boys' books), and at
    the start of one that is clipped ('tis, '90s). A mark without a partner in its paragraph marks
    nothing.
    """
    text = example.text
    pairs = _quotations(text, within, _SINGLE)
    for start, stop in parts(text, within):
        pairs += _single_pairs(text, start, stop)
    return example.at_last(depth(text, pairs) > 0)


def _single_pairs(text: str, start: int, stop: int) -> list[Pair]:
    """Find the single quotation marks of one paragraph; apostrophes are left out."""
    places = [k for k in range(start, stop) if text[k] in "'‘’‚"]
    # What each could be by the characters beside it.
    opens, closes = set(), set()
    for k in places:
        before = text[k - 1] if k > start else " "
        after = text[k + 1] if k + 1 < stop else " "
        if before.isalnum() and after.isalnum() and not _UNSPACED.match(before + after):
            continue
        clipped = _CLIPPED.match(text, k + 1) is not None and not before.isalnum()
        mark = text[k] == "‚" or (text[k] in "'‘" and not clipped and not after.isspace())
        apart = before.isspace() and after.isspace()  # between words that were set apart
        if (mark and not before.isalnum()) or (text[k] == "‘" and apart):
            opens.add(k)
        mark = text[k] != "‚" and not before.isspace() and not after.isalnum()
        if mark or (text[k] == "’" and apart):
            closes.add(k)
    following: dict[int, int | None] = {}
    last = None
    for k in reversed(places):
        following[k] = last
        last = k if k in opens or k in closes else last
    pairs: list[Pair] = []
    place = 0
    while place < len(places):
        k = places[place]
        place += 1
        if k not in opens:
            continue
        for far in range(place, len(places)):
            other = places[far]
            fits = other in closes and text[other] in _CLOSED_BY[text[k]]
            if fits and not _belongs_to_word(text, other, following[other], opens):
                pairs.append((k, other))
                place = far + 1
                break
    return pairs


def _belongs_to_word(text: str, k: int, following: int | None, opens: Collection[int]) -> bool:
    """Tell whether a mark in a quotation is that of a plural's genitive: ‘the boys’ books’."""
    ahead = text[k + 1 : k + 3]
    if text[k - 1] != "s" or len(ahead) < 2 or ahead[0] != " " or not ahead[1].islower():
        return False
    return following is not None and following not in opens
