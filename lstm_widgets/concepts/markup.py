# The docstrings of concepts say what holds of a token, not what a function does.
"""Brackets, tags and comments."""

from __future__ import annotations

import re
from array import array
from typing import TYPE_CHECKING

from lstm_widgets.concepts.concept import marked
from lstm_widgets.concepts.pairs import depths, paired, parts

if TYPE_CHECKING:
    from collections.abc import Iterator

    from lstm_widgets.concepts.concept import Scope
    from lstm_widgets.concepts.example import Example, Pair, Stretch, Track

_BRACKETS = dict(zip(")]}）］｝〕】〗〉》", "([{（［｛〔【〖〈《", strict=True))
_ANY_BRACKET = re.compile("[" + re.escape("".join([*_BRACKETS, *_BRACKETS.values()])) + "]")
# :( and ;-)) and their like are no brackets.
_SMILEY = re.compile(r"(?<![\w)\]}])[:;][-o'^]?(?P<mouth>([(\[{)\]}])\2*)(?=[\s.,!?]|\Z)")


@paired("numeric", "paragraph")
def bracket_depth(stretches: Iterator[Stretch], within: Scope) -> Iterator[Track]:
    """How many round, square and curly brackets are open; the closing one no longer counts.

    A bracket without a partner in its paragraph marks nothing, nor does one of another kind close it.
    For programs, whose blocks have empty lines in them: ``bracket_depth.within("document")``.
    """
    return depths(stretches, within, _brackets)


@paired("yes_no", "paragraph")
def inside_brackets(stretches: Iterator[Stretch], within: Scope) -> Iterator[Track]:
    """Between brackets, round, square or curly: from the opening one to just before its closing.

    A bracket without a partner in its paragraph marks nothing, nor does one of another kind close it.
    """
    return (depth > 0 for depth in depths(stretches, within, _brackets))


def _brackets(text: str, start: int, stop: int) -> Iterator[Pair]:
    opened = array("q")
    waiting = dict.fromkeys(_BRACKETS.values(), 0)
    smileys = _SMILEY.finditer(text, start, stop)
    mouth = (start, start)
    for match in _ANY_BRACKET.finditer(text, start, stop):
        k, mark = match.start(), match[0]
        while mouth[1] <= k:
            smiley = next(smileys, None)
            mouth = (stop, stop + 1) if smiley is None else smiley.span("mouth")
        if mouth[0] <= k:
            continue
        if mark in waiting:
            opened.append(k)
            waiting[mark] += 1
        elif waiting[_BRACKETS[mark]]:
            while text[opened[-1]] != _BRACKETS[mark]:  # what stays open within marks nothing
                waiting[text[opened.pop()]] -= 1
            yield opened.pop(), k
            waiting[_BRACKETS[mark]] -= 1


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


@paired("yes_no", "document")
def inside_tag(stretches: Iterator[Stretch], within: Scope) -> Iterator[Track]:
    """In a tag such as <b> or </b>: from its < to just before its >.

    A < that no > makes a tag marks nothing.
    """

    def tags(example: Example) -> Iterator[Pair]:
        for part in parts(example.text, within):
            for match in _MARKUP.finditer(example.text, *part):
                if match["tag"] or match["declared"]:
                    yield match.start(), match.end() - 1

    return marked(stretches, tags)


@paired("numeric", "document")
def tag_depth(stretches: Iterator[Stretch], within: Scope) -> Iterator[Track]:
    """How many elements of a markup language are open, from the > of one's tag to that of its end.

    <b/> opens nothing, nor does a tag without an end tag of its name, such as <br> or a <p> that is
    left open; an end tag that fits no open element is passed over.
    """
    return depths(stretches, within, _elements)


def _elements(text: str, start: int, stop: int) -> Iterator[Pair]:
    names: list[
        str
    ] = []  # of those that are open: a name is one object, however often it stands there
    ends = array("q")
    waiting: dict[str, int] = {}
    one = {"": ""}
    for match in _MARKUP.finditer(text, start, stop):
        name = one.setdefault(match["name"] or "", match["name"] or "")
        if not name or match["empty"]:
            continue
        if not match["slash"]:
            names.append(name)
            ends.append(match.end() - 1)
            waiting[name] = waiting.get(name, 0) + 1
        elif waiting.get(name, 0):
            while names[-1] != name:
                waiting[names.pop()] -= 1
                ends.pop()
            waiting[names.pop()] -= 1
            yield ends.pop(), match.end() - 1


_COMMENT = re.compile(
    r"""<!--(?:(?!-->|<!--).)*+(?=-->) | /\*(?:(?!\*/|/\*).)*+(?=\*/)
    | (?<![:\w])//[^\n]*+ | (?:^|(?<=\s))\#[^\n]*+""",
    re.VERBOSE | re.DOTALL | re.MULTILINE,
)


@paired("yes_no", "document")
def inside_comment(stretches: Iterator[Stretch], within: Scope) -> Iterator[Track]:
    """In a comment of the usual kinds, from its opening mark to just before its end.

    ``/* */``, ``<!-- -->``; ``//`` and ``#`` to the end of the line, ``//`` not after a colon or
    letter, ``#`` at the start of a line or after a space. It doesn't look for strings. What is never
    closed is none.
    """

    def comments(example: Example) -> Iterator[Pair]:
        for part in parts(example.text, within):
            yield from (match.span() for match in _COMMENT.finditer(example.text, *part))

    return marked(stretches, comments)
