# The docstrings of concepts say what holds of a token, not what a function does.
"""Brackets, tags and comments."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from lstm_widgets.concepts.example import Example, Pair, Track, marked
from lstm_widgets.concepts.pairs import depth, paired, parts

if TYPE_CHECKING:
    from collections.abc import Iterable

    from lstm_widgets.concepts.concept import Scope

_BRACKETS = dict(zip(")]}）］｝〕】〗〉》", "([{（［｛〔【〖〈《", strict=True))
# :( and ;-)) and their like are no brackets.
_SMILEY = re.compile(r"(?<![\w)\]}])[:;][-o'^]?(?P<mouth>([(\[{)\]}])\2*)(?=[\s.,!?]|\Z)")


@paired("numeric", "paragraph")
def bracket_depth(example: Example, within: Scope) -> Track:
    """How many round, square and curly brackets are open; the closing one no longer counts.

    A bracket without a partner in its paragraph marks nothing, nor does one of another kind close it.
    For programs, whose blocks have empty lines in them: ``bracket_depth.within("document")``.
    """
    return example.at_last(depth(example.text, _brackets(example.text, within)))


@paired("yes_no", "paragraph")
def inside_brackets(example: Example, within: Scope) -> Track:
    """Between brackets, round, square or curly: from the opening one to just before its closing.

    A bracket without a partner in its paragraph marks nothing, nor does one of another kind close it.
    """
    return example.at_last(depth(example.text, _brackets(example.text, within)) > 0)


def _brackets(text: str, within: Scope) -> list[Pair]:
    pairs: list[Pair] = []
    smiling = {k for match in _SMILEY.finditer(text) for k in range(*match.span("mouth"))}
    opening = frozenset(_BRACKETS.values())
    for start, stop in parts(text, within):
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
    return ([*_MARKUP.finditer(text, *part)] for part in parts(text, within))


@paired("yes_no", "document")
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


@paired("numeric", "document")
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
    return example.at_last(depth(text, pairs))


_COMMENT = re.compile(
    r"""<!--(?:(?!-->|<!--).)*+(?=-->) | /\*(?:(?!\*/|/\*).)*+(?=\*/)
    | (?<![:\w])//[^\n]*+ | (?:^|(?<=\s))\#[^\n]*+""",
    re.VERBOSE | re.DOTALL | re.MULTILINE,
)


@paired("yes_no", "document")
def inside_comment(example: Example, within: Scope) -> Track:
    """In a comment of the usual kinds, from its opening mark to just before its end.

    ``/* */``, ``<!-- -->``; ``//`` and ``#`` to the end of the line, ``//`` not after a colon or
    letter, ``#`` at the start of a line or after a space. It doesn't look for strings. What is never
    closed is none.
    """
    text = example.text
    spans = (m.span() for part in parts(text, within) for m in _COMMENT.finditer(text, *part))
    return example.at_last(marked(text, spans))
