# The docstrings of concepts say what holds of a token, not what a function does.
"""What stands in pairs: quotation marks, brackets, tags and comments."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from lstm_widgets.concepts.core import (
    Concept,
    Example,
    Kind,
    Pair,
    Scope,
    Track,
    marked,
)
from lstm_widgets.tokens.words import UNSPACED

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterable, Mapping

_UNSPACED = re.compile(f"[{UNSPACED}]")
# An empty line ends a paragraph.
EMPTY_LINE = re.compile(r"\n[ \t\r\f\v]*\n|\r[ \t]*\r|\u2029")
_BREAKS = {"line": re.compile(r"[\n\r\u2028\u2029]"), "paragraph": EMPTY_LINE}


def _paired(
    kind: Kind, scope: Scope
) -> Callable[[Callable[[Example, Scope], npt.ArrayLike]], Concept]:
    """Make a concept of marks that stand in pairs; the scope is where the partner is looked for."""

    def concept(function: Callable[[Example, Scope], npt.ArrayLike]) -> Concept:
        description = " ".join((function.__doc__ or "").split("\n\n")[0].split())
        return Concept(
            function.__name__, kind, lambda example: function(example, scope), description, function
        )

    return concept


def _parts(text: str, within: Scope) -> Iterable[Pair]:
    """Cut a text into the stretches in which marks have to find their partners."""
    start = 0
    if within != "document":
        for match in _BREAKS[within].finditer(text):
            yield start, match.end()
            start = match.end()
    yield start, len(text)


def _depth(text: str, pairs: Iterable[Pair]) -> npt.NDArray[np.float64]:
    """Count the pairs that are open at each character: from the opening mark to before the closing."""
    steps = np.zeros(len(text))
    for start, stop in pairs:
        steps[start] += 1
        steps[stop] -= 1
    return np.cumsum(steps)


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


@_paired("yes_no", "paragraph")
def inside_double_quotes(example: Example, within: Scope) -> Track:
    """Between double quotation marks: from the opening one to just before the closing one.

    Straight ("), curly (“ ”, also „ “ and ” ”), angled (« », also » « and » ») or cornered (「 」 and
    『 』). A straight mark opens if no letter or digit stands before it. A mark without a partner in
    its paragraph marks nothing.
    """
    return example.at_last(_depth(example.text, _quotations(example.text, within, _DOUBLE)) > 0)


def _quotations(text: str, within: Scope, partners: Mapping[str, str]) -> list[Pair]:
    pairs: list[Pair] = []
    marks = {*partners, *"".join(partners.values())}
    for start, stop in _parts(text, within):
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


@_paired("yes_no", "paragraph")
def inside_single_quotes(example: Example, within: Scope) -> Track:
    """Between single quotation marks: from the opening one to just before the closing one.

    Straight ('), curly (‘ ’, also ‚ ‘) or angled (‹ ›, also › ‹), told apart from apostrophes: those
    within a word (doesn't), at the end of one while no quotation is open (the boys' books), and at
    the start of one that is clipped ('tis, '90s). A mark without a partner in its paragraph marks
    nothing.
    """
    text = example.text
    pairs = _quotations(text, within, _SINGLE)
    for start, stop in _parts(text, within):
        pairs += _single_pairs(text, start, stop)
    return example.at_last(_depth(text, pairs) > 0)


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


_BRACKETS = dict(zip(")]}）］｝〕】〗〉》", "([{（［｛〔【〖〈《", strict=True))
# :( and ;-)) and their like are no brackets.
_SMILEY = re.compile(r"(?<![\w)\]}])[:;][-o'^]?(?P<mouth>([(\[{)\]}])\2*)(?=[\s.,!?]|\Z)")


@_paired("numeric", "paragraph")
def bracket_depth(example: Example, within: Scope) -> Track:
    """How many round, square and curly brackets are open; the closing one no longer counts.

    A bracket without a partner in its paragraph marks nothing, nor does one of another kind close it.
    For programs, whose blocks have empty lines in them: ``bracket_depth.within("document")``.
    """
    return example.at_last(_depth(example.text, _brackets(example.text, within)))


@_paired("yes_no", "paragraph")
def inside_brackets(example: Example, within: Scope) -> Track:
    """Between brackets, round, square or curly: from the opening one to just before its closing.

    A bracket without a partner in its paragraph marks nothing, nor does one of another kind close it.
    """
    return example.at_last(_depth(example.text, _brackets(example.text, within)) > 0)


def _brackets(text: str, within: Scope) -> list[Pair]:
    pairs: list[Pair] = []
    smiling = {k for match in _SMILEY.finditer(text) for k in range(*match.span("mouth"))}
    opening = frozenset(_BRACKETS.values())
    for start, stop in _parts(text, within):
        opened: list[int] = []
        waiting = dict.fromkeys(opening, 0)
        for k in range(start, stop):
            mark = text[k]
            if k in smiling:
                continue
            if mark in opening:
                opened.append(k)
                waiting[mark] += 1
            elif waiting.get(_BRACKETS.get(mark, ""), 0):
                while text[opened[-1]] != _BRACKETS[mark]:  # what stays open within marks nothing
                    waiting[text[opened.pop()]] -= 1
                pairs.append((opened.pop(), k))
                waiting[_BRACKETS[mark]] -= 1
    return pairs


# A mark that opens a tag is followed by a name and attributes; a value between quotes may hold any
# character. Comments and the like come first, so that no tag is seen in them.
_MARKUP = re.compile(
    r"""<!--(?:(?!-->|<!--).)*+--> | <!\[CDATA\[(?:(?!\]\]>).)*+\]\]>
    | (?P<declared><!(?!--|\[)[^<>\[]*+(?:\[[^\]]*+\][^<>]*+)?> | <\?[A-Za-z](?:(?!\?>)[^<])*+\?>)
    | (?P<tag><(?P<slash>/?)(?P<name>[A-Za-z_](?:[\w:.-]*[\w-])?)
        (?:\s+[A-Za-z_:@*](?:[\w:.-]*[\w-])?(?:\s*=\s*(?:"[^"]*"|'[^']*'|[^\s"'<>=`]+))?)*+
        \s*(?P<empty>/?)>)""",
    re.VERBOSE | re.DOTALL,
)


def _markup(text: str, within: Scope) -> Iterable[list[re.Match[str]]]:
    return ([*_MARKUP.finditer(text, *part)] for part in _parts(text, within))


@_paired("yes_no", "document")
def inside_tag(example: Example, within: Scope) -> Track:
    """In a tag such as <b> or </b>: from its < to just before its >.

    A < that no > makes a tag marks nothing.
    """
    text = example.text
    spans = (
        (match.start(), match.end() - 1)
        for part in _markup(text, within)
        for match in part
        if match["tag"] or match["declared"]
    )
    return example.at_last(marked(text, spans))


@_paired("numeric", "document")
def tag_depth(example: Example, within: Scope) -> Track:
    """How many elements of a markup language are open, from the > of one's tag to that of its end.

    <b/> opens nothing, nor does a tag without an end tag of its name, such as <br> or a <p> that is
    left open; an end tag that fits no open element is passed over.
    """
    text = example.text
    pairs: list[Pair] = []
    for part in _markup(text, within):
        opened: list[re.Match[str]] = []
        waiting: dict[str, int] = {}
        for match in part:
            name = match["name"]
            if not name or match["empty"]:
                continue
            if not match["slash"]:
                opened.append(match)
                waiting[name] = waiting.get(name, 0) + 1
            elif waiting.get(name, 0):
                while opened[-1]["name"] != name:
                    waiting[opened.pop()["name"]] -= 1
                waiting[name] -= 1
                pairs.append((opened.pop().end() - 1, match.end() - 1))
    return example.at_last(_depth(text, pairs))


_COMMENT = re.compile(
    r"""<!--(?:(?!-->|<!--).)*+(?=-->) | /\*(?:(?!\*/|/\*).)*+(?=\*/)
    | (?<![:\w])//[^\n]*+ | (?:^|(?<=\s))\#[^\n]*+""",
    re.VERBOSE | re.DOTALL | re.MULTILINE,
)


@_paired("yes_no", "document")
def inside_comment(example: Example, within: Scope) -> Track:
    """In a comment of the usual kinds, from its opening mark to just before its end.

    ``/* */``, ``<!-- -->``; ``//`` and ``#`` to the end of the line, ``//`` not after a colon or
    letter, ``#`` at the start of a line or after a space. It doesn't look for strings. What is never
    closed is none.
    """
    text = example.text
    spans = (m.span() for part in _parts(text, within) for m in _COMMENT.finditer(text, *part))
    return example.at_last(marked(text, spans))
