# The docstrings of concepts say what holds of a token, not what a function does.
# ruff: noqa: D401, ANN401
"""Concepts: what can be said of each timestep, for cells to be held against.

A :class:`Concept` makes a *track* of the tokens of one example: one value for each timestep, yes or
no ("inside quotes"), or a number ("length of the line so far").

- What a token is: `upper_case`, `digit`, `vowel`, `whitespace`, `newline`, `punctuation`,
  ``is_token``, ``next_is``, ``matches``.
- Where it stands: `inside_double_quotes`, `inside_single_quotes`, `inside_brackets`, `inside_tag`,
  `inside_comment`, `word_start`, `word_end`, `first_word_of_sentence`, `position_in_word`,
  `position_in_line`, `line_length`, `bracket_depth`, `tag_depth`, ``since``.
- What number it is: `value`, `running_sum`, `carry`.
- What example it belongs to: ``label``, ``length``, ``correct``.
- Your own: ``of`` a function, ``track`` for an array, ``matches`` for a regular expression.

``a & b``, ``a | b``, ``~a`` and ``a.shift(n)`` make new ones. :data:`TEXT` has all that need nothing
but a text.

Tokens may be characters, pieces of text with the spaces in them, or words. They are joined into one
text, words (most tokens have several characters, and none has whitespace) with a space between. A
token of several characters has the value of its last one, unless a concept says otherwise.
"""

from __future__ import annotations

import functools
import re
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Literal, TypeAlias, cast

import numpy as np
import numpy.typing as npt
import xarray as xr

from lstm_widgets.recorders.vocabulary import separator

if TYPE_CHECKING:
    from lstm_widgets.recording import Recording

__all__ = [
    "TEXT",
    "Concept",
    "Concepts",
    "bracket_depth",
    "carry",
    "correct",
    "digit",
    "first_word_of_sentence",
    "inside_brackets",
    "inside_comment",
    "inside_double_quotes",
    "inside_single_quotes",
    "inside_tag",
    "is_token",
    "label",
    "length",
    "line_length",
    "matches",
    "newline",
    "next_is",
    "of",
    "position_in_line",
    "position_in_word",
    "punctuation",
    "resolve",
    "running_sum",
    "since",
    "tag_depth",
    "track",
    "tracks",
    "upper_case",
    "value",
    "vowel",
    "whitespace",
    "word_end",
    "word_start",
]

Kind: TypeAlias = Literal["yes_no", "numeric"]
Track: TypeAlias = npt.NDArray[Any]
TrackFunction: TypeAlias = Callable[[Sequence[str]], npt.ArrayLike]


@dataclass(frozen=True, eq=False)
class Example:
    """One example, as a concept sees it: without its padding.

    Parameters
    ----------
    count
        How many timesteps it has.
    given
        Its tokens, or None if they aren't known.
    number
        Its index in the recording.
    timesteps
        The timesteps of the recording that are left without the padding, ``(count,)``.
    examples
        How many examples the recording has, or None where that isn't known.
    width
        How many timesteps the recording has, padding included.
    space
        What stands between tokens, or None where only these tokens tell.
    """

    count: int
    given: tuple[str, ...] | None
    number: int = 0
    timesteps: npt.NDArray[np.intp] | None = None
    examples: int | None = None
    width: int | None = None
    space: str | None = None

    @property
    def tokens(self) -> tuple[str, ...]:
        """The tokens, where they are known."""
        if self.given is None:
            raise ValueError("concepts: this one needs tokens, and the recording has none")
        return self.given

    @functools.cached_property
    def _pieces(self) -> tuple[str, ...]:
        """The tokens, with what stands between them before all but the first."""
        space = separator(set(self.tokens)) if self.space is None else self.space
        return (*self.tokens[:1], *(space + token for token in self.tokens[1:]))

    @functools.cached_property
    def text(self) -> str:
        """The tokens, joined."""
        return "".join(self._pieces)

    @functools.cached_property
    def ends(self) -> npt.NDArray[np.intp]:
        """The place in the text after each token."""
        return np.cumsum([len(piece) for piece in self._pieces], dtype=np.intp)

    def at_last(self, values: Track) -> Track:
        """From one value a character to one a token: that of its last character."""
        fill = False if values.dtype == bool else np.nan
        return np.append(values, fill)[np.where(self.ends > 0, self.ends - 1, len(values))]

    def at_any(self, values: npt.NDArray[np.bool_]) -> npt.NDArray[np.bool_]:
        """From one value a character to one a token: whether any of its characters has it."""
        so_far = np.append(0, np.cumsum(values))
        starts = self.ends - np.array([len(token) for token in self.tokens], np.intp)
        return np.asarray(so_far[self.ends] > so_far[starts])


@dataclass(frozen=True)
class Concept:
    """A property of each timestep that cells are held against.

    Call it with the tokens of one example: a bool for each timestep, or a float64 with NaN where it
    has no value. ``a & b``, ``a | b`` and ``~a`` combine those of kind ``"yes_no"``.

    Parameters
    ----------
    name
        What it is called in tables and on the screen.
    kind
        ``"yes_no"`` or ``"numeric"``.
    function
        From an :class:`Example` to one value for each of its timesteps.
    description
        What it means, in one sentence.
    """

    name: str
    kind: Kind
    function: Callable[[Example], npt.ArrayLike] = field(repr=False)
    description: str = ""

    def __call__(self, tokens: Sequence[str]) -> Track:
        """Say it of each token of one example.

        Parameters
        ----------
        tokens
            The tokens; of a text also one string, whose characters are the tokens.

        Returns
        -------
        numpy.ndarray
            bool, or float64 with NaN where there is no value, ``(timestep,)``.
        """
        return self.of_example(Example(len(tokens), tuple(tokens)))

    def of_example(self, example: Example) -> Track:
        """Say it of each timestep of an example, and check what the function gave."""
        where = f"concept {self.name!r}"
        values = np.asarray(self.function(example))
        if values.shape != (example.count,):
            raise ValueError(
                f"{where}: expected one value for each of {example.count} timesteps, got shape "
                f"{values.shape}"
            )
        if values.dtype.kind not in "biuf" and values.size:
            raise TypeError(f"{where}: expected bools or numbers, got dtype {values.dtype}")
        if self.kind == "numeric":
            return values.astype(np.float64)
        if not np.isin(values, (0, 1)).all():
            raise ValueError(
                f"{where}: expected True or False, got {values[~np.isin(values, (0, 1))][0]}; "
                f"for numbers say kind='numeric'"
            )
        return values.astype(bool)

    def shift(self, steps: int) -> Concept:
        """Say at timestep t + steps what this says at t.

        Parameters
        ----------
        steps
            Positive: later, so that it tells what was; negative: earlier, what will be. Never
            beyond the example: where there is nothing to say it is False or NaN.
        """

        def shifted(example: Example) -> Track:
            values = self.of_example(example)
            result = np.full_like(values, False if self.kind == "yes_no" else np.nan)
            if steps >= 0:
                result[steps:] = values[: max(len(values) - steps, 0)]
            else:
                result[:steps] = values[-steps:]
            return result

        if not isinstance(steps, (int, np.integer)) or isinstance(steps, bool):
            raise TypeError(f"steps: expected a whole number, got {steps!r}")
        return Concept(f"{_enclosed(self.name)}.shift({steps})", self.kind, shifted)

    def __and__(self, other: Concept) -> Concept:
        return self._with(other, "&", np.logical_and)

    def __or__(self, other: Concept) -> Concept:
        return self._with(other, "|", np.logical_or)

    def __invert__(self) -> Concept:
        _expect_yes_no("~", self)
        return Concept(
            f"~{_enclosed(self.name)}", "yes_no", lambda example: ~self.of_example(example)
        )

    def _with(self, other: Concept, sign: str, function: Callable[..., Any]) -> Concept:
        if not isinstance(other, Concept):
            return NotImplemented
        _expect_yes_no(sign, self, other)
        return Concept(
            f"{_enclosed(self.name)} {sign} {_enclosed(other.name)}",
            "yes_no",
            lambda example: function(self.of_example(example), other.of_example(example)),
        )


Concepts: TypeAlias = (
    Concept
    | Sequence[Concept]
    | Mapping[Any, Concept | TrackFunction | str | npt.NDArray[Any] | xr.DataArray]
)
"""Concepts as they are given: one, several, or a mapping from names to concepts, functions from
tokens to an array, regular expressions, or arrays ``(example, timestep)``."""


def _enclosed(name: str) -> str:
    """Put brackets around a name that has spaces outside of brackets."""
    depth = np.cumsum([(character == "(") - (character == ")") for character in name])
    spaces = any(character == " " for character, k in zip(name, depth, strict=True) if k <= 0)
    return f"({name})" if spaces else name


def _expect_yes_no(sign: str, *concepts: Concept) -> None:
    for concept in concepts:
        if concept.kind != "yes_no":
            raise TypeError(f"{sign}: expected yes/no concepts, got the numeric {concept.name!r}")


def _ready(kind: Kind) -> Callable[[Callable[[Example], npt.ArrayLike]], Concept]:
    """Make a concept of a function, with its name and the first sentence of its docstring."""

    def concept(function: Callable[[Example], npt.ArrayLike]) -> Concept:
        description = " ".join((function.__doc__ or "").split("\n\n")[0].split())
        return Concept(function.__name__, kind, function, description)

    return concept


# What a token is ----------------------------------------------------------------------------------


@_ready("yes_no")
def upper_case(example: Example) -> list[bool]:
    """The token's first letter is a capital."""
    firsts = (next(filter(str.isalpha, token), "") for token in example.tokens)
    return [first.isupper() for first in firsts]


@_ready("yes_no")
def digit(example: Example) -> list[bool]:
    """The token is a digit, or digits only."""
    return [token.isdigit() for token in example.tokens]


_VOWELS = frozenset("aeiouAEIOUäöüÄÖÜáéíóúàèìòùâêîôûåøæœÁÉÍÓÚÀÈÌÒÙÂÊÎÔÛÅØÆŒ")


@_ready("yes_no")
def vowel(example: Example) -> list[bool]:
    """The token is a vowel (a, e, i, o, u, with accents or without), or vowels only."""
    return [bool(token) and set(token) <= _VOWELS for token in example.tokens]


@_ready("yes_no")
def whitespace(example: Example) -> list[bool]:
    """The token is a space, tab or line break, or several of them."""
    return [token.isspace() for token in example.tokens]


@_ready("yes_no")
def newline(example: Example) -> list[bool]:
    """The token is a line break, or ends with one."""
    return [token.endswith("\n") for token in example.tokens]


@_ready("yes_no")
def punctuation(example: Example) -> list[bool]:
    """The token is a mark: no letter, no digit, no space and no underscore."""
    return [bool(token) and not re.search(r"[\w\s]", token) for token in example.tokens]


def is_token(*tokens: str) -> Concept:
    """Make the concept: the token is this one, or one of these."""
    wanted = _strings(tokens)
    return Concept(
        f"is_token({_listed(tokens)})",
        "yes_no",
        lambda example: [token in wanted for token in example.tokens],
        "The token is this one, or one of these.",
    )


def next_is(*tokens: str) -> Concept:
    """Make the concept: the token after this one is the given one, or one of them.

    At the last timestep of an example there is none, and it is False.
    """
    shifted = is_token(*tokens).shift(-1)
    return Concept(
        f"next_is({_listed(tokens)})",
        "yes_no",
        shifted.function,
        "The next token is this one, or one of these.",
    )


def since(*tokens: str) -> Concept:
    """Make the numeric concept: how many timesteps ago one of these tokens was last read.

    0 at the token itself, NaN before the first.
    """
    wanted = _strings(tokens)

    def steps(example: Example) -> Track:
        here = np.array([token in wanted for token in example.tokens], bool)
        places = np.arange(len(here))
        last = np.maximum.accumulate(np.where(here, places, -1))
        return np.where(last < 0, np.nan, places - last)

    description = "Timesteps since the token was last read."
    return Concept(f"since({_listed(tokens)})", "numeric", steps, description)


def matches(pattern: str | re.Pattern[str], *, name: str | None = None) -> Concept:
    """Make the concept: the token is part of a match of a regular expression.

    Parameters
    ----------
    pattern
        Searched in the text that the tokens of an example make.
    name
        What it is called. Default: the pattern.

    Raises
    ------
    ValueError
        If the pattern isn't a regular expression.
    """
    try:
        compiled = re.compile(pattern)
    except re.error as error:
        raise ValueError(f"pattern: expected a regular expression, got {pattern!r}: {error}") from (
            error
        )

    def found(example: Example) -> Track:
        return example.at_any(
            _spans(example.text, (m.span() for m in compiled.finditer(example.text)))
        )

    return Concept(name or f"matches({compiled.pattern!r})", "yes_no", found)


def _strings(tokens: Collection[str]) -> frozenset[str]:
    if not tokens or not all(isinstance(token, str) for token in tokens):
        raise TypeError(f"tokens: expected one string or more, got {tokens!r}")
    return frozenset(tokens)


def _listed(tokens: Collection[str]) -> str:
    return ", ".join(map(repr, tokens))


def _spans(text: str, spans: Iterable[tuple[int, int]]) -> npt.NDArray[np.bool_]:
    """Mark the characters between start and end of each span."""
    inside = np.zeros(len(text), bool)
    for start, stop in spans:
        inside[start:stop] = True
    return inside


# Where it stands: quotes, brackets, tags, comments --------------------------------------------------

_EMPTY_LINE = re.compile(r"\n[ \t\r]*\n")
# Words that begin with an apostrophe, where it might be taken for a quotation mark.
_CLIPPED = re.compile(r"(?:tis|twas|twere|twill|em|cause|bout|til|n|\d\ds?)\b", re.IGNORECASE)


@_ready("yes_no")
def inside_double_quotes(example: Example) -> Track:
    """Between double quotation marks: from the opening one to just before the closing one.

    Straight (") or curly (“ ”, also „ “). A straight mark opens if none is open and no letter or
    digit stands before it. An empty line closes what a writer left open.
    """
    text = example.text
    inside = np.zeros(len(text), bool)
    empty = _ends(_EMPTY_LINE, text)
    opened = ""
    for k, character in enumerate(text):
        if k in empty:
            opened = ""
        if character in '"“”„':
            if opened and (character in '"”' or (opened == "„" and character == "“")):
                opened = ""
            elif character in "“„" or (character == '"' and not text[max(k - 1, 0) : k].isalnum()):
                opened = character
        inside[k] = bool(opened)
    return example.at_last(inside)


@_ready("yes_no")
def inside_single_quotes(example: Example) -> Track:
    """Between single quotation marks: from the opening one to just before the closing one.

    Straight (') or curly (‘ ’, also ‚ ‘), told apart from apostrophes: those within a word
    (doesn't), at the end of one while no quotation is open (the boys' books), and at the start of
    one that is clipped ('tis, '90s). A straight mark opens only where a closing one follows in the
    same paragraph. An empty line closes what a writer left open.
    """
    text = example.text
    inside = np.zeros(len(text), bool)
    marks = _single_marks(text)
    empty = _ends(_EMPTY_LINE, text)
    opened = False
    for k in range(len(text)):
        opened = marks.get(k, opened and k not in empty)
        inside[k] = opened
    return example.at_last(inside)


def _ends(pattern: re.Pattern[str], text: str) -> frozenset[int]:
    return frozenset(match.end() - 1 for match in pattern.finditer(text))


def _single_marks(text: str) -> dict[int, bool]:
    """Find the single quotation marks: place to whether it opens; apostrophes are left out."""
    marks: dict[int, bool] = {}
    start = 0
    for stop in (*(match.end() for match in _EMPTY_LINE.finditer(text)), len(text)):
        _single_marks_of(text, start, stop, marks)
        start = stop
    return marks


def _single_marks_of(text: str, start: int, stop: int, marks: dict[int, bool]) -> None:
    """Find those of one paragraph."""
    places = [k for k in range(start, stop) if text[k] in "'‘’‚"]
    before = {k: text[k - 1] if k > start else " " for k in places}
    after = {k: text[k + 1] if k + 1 < stop else " " for k in places}
    # What each could be by the characters beside it.
    opens, closes = set(), set()
    for k in places:
        if before[k].isalnum() and after[k].isalnum():
            continue
        clipped = _CLIPPED.match(text, k + 1) is not None and not before[k].isalnum()
        mark = text[k] == "‚" or (text[k] in "'‘" and not clipped and not after[k].isspace())
        if mark and not before[k].isalnum():
            opens.add(k)
        if text[k] != "‚" and not before[k].isspace() and not after[k].isalnum():
            closes.add(k)
    opened = ""
    for place, k in enumerate(places):
        later = places[place + 1 :]
        if opened and k in closes and (text[k] in "'’" or opened == "‚"):
            if not _belongs_to_word(text, k, later, opens, closes):
                marks[k], opened = False, ""
        elif not opened and k in opens and (text[k] != "'" or any(x in closes for x in later)):
            marks[k], opened = True, text[k]


def _belongs_to_word(
    text: str, k: int, later: list[int], opens: Collection[int], closes: Collection[int]
) -> bool:
    """Tell whether a mark in a quotation is that of a plural's genitive: ‘the boys’ books’."""
    ahead = text[k + 1 : k + 3]
    if text[k - 1] != "s" or len(ahead) < 2 or ahead[0] != " " or not ahead[1].islower():
        return False
    following = next((x for x in later if x in opens or x in closes), None)
    return following is not None and following not in opens


_BRACKETS = {")": "(", "]": "[", "}": "{"}


@_ready("numeric")
def bracket_depth(example: Example) -> Track:
    """How many round, square and curly brackets are open; the closing one no longer counts.

    A closing bracket that fits no open one is passed over.
    """
    return example.at_last(_bracket_depth(example.text))


@_ready("yes_no")
def inside_brackets(example: Example) -> Track:
    """Between brackets, round, square or curly: from the opening one to just before its closing."""
    return example.at_last(_bracket_depth(example.text) > 0)


def _bracket_depth(text: str) -> npt.NDArray[np.float64]:
    depth = np.zeros(len(text))
    stack: list[str] = []
    for k, character in enumerate(text):
        if character in "([{":
            stack.append(character)
        elif character in ")]}" and _BRACKETS[character] in stack:
            while stack.pop() != _BRACKETS[character]:
                pass
        depth[k] = len(stack)
    return depth


# A mark that opens a tag is followed by a name, and a value between quotes may hold a ">".
_TAG = re.compile(r"""<(?P<slash>/?)(?P<name>[A-Za-z][\w:.-]*)
    (?P<rest>(?:=\s*"[^"<]*"|=\s*'[^'<]*'|[^<>])*+)(?P<end>>|\Z)""", re.VERBOSE)  # fmt: skip
_DECLARATION = re.compile(r"<[!?](?!--)[^<>]*(?:>|\Z)")


@_ready("yes_no")
def inside_tag(example: Example) -> Track:
    """In a tag such as <b> or </b>: from its < to just before its >."""
    text = example.text
    found = (*_TAG.finditer(text), *_DECLARATION.finditer(text))
    return example.at_last(_spans(text, (_open(match) for match in found)))


def _open(match: re.Match[str]) -> tuple[int, int]:
    """From where to where a tag is open; one that the text doesn't end is open to the end."""
    return match.start(), match.end() - match[0].endswith(">")


@_ready("numeric")
def tag_depth(example: Example) -> Track:
    """How many elements of a markup language are open, from the > of one's tag to that of its end.

    <b/> opens nothing; an end tag that fits no open element is passed over.
    """
    text = example.text
    steps = np.zeros(len(text))
    stack: list[str] = []
    for match in _TAG.finditer(text):
        before = len(stack)
        if not match["end"]:
            continue
        if not match["slash"]:
            if not match["rest"].endswith("/"):
                stack.append(match["name"])
        elif match["name"] in stack:
            while stack.pop() != match["name"]:
                pass
        steps[match.end() - 1] = len(stack) - before
    return example.at_last(np.cumsum(steps))


_COMMENT = re.compile(
    r"""<!--(?:(?!-->).)*+ | /\*(?:(?!\*/).)*+ | (?<![:\w])//[^\n]*+ | (?:^|(?<=\s))\#[^\n]*+""",
    re.VERBOSE | re.DOTALL | re.MULTILINE,
)


@_ready("yes_no")
def inside_comment(example: Example) -> Track:
    """In a comment of the usual kinds, from its opening mark to just before its end.

    ``/* */``, ``<!-- -->``; ``//`` and ``#`` to the end of the line, ``//`` not after a colon or
    letter, ``#`` at the start of a line or after a space. It doesn't look for strings.
    """
    text = example.text
    return example.at_last(_spans(text, (match.span() for match in _COMMENT.finditer(text))))


# Where it stands: words, sentences, lines -----------------------------------------------------------

# Letters, digits and underscores, with apostrophes between them.
_WORD = re.compile(r"[\w\u0300-\u036f]+(?:['’][\w\u0300-\u036f]+)*+")
_SENTENCE_END = re.compile(r"""[.!?…]["'”’)\]]*\s""")
_ABBREVIATED = frozenset({"Mr", "Mrs", "Ms", "Dr", "St", "Prof", "Rev", "Capt", "Col", "vs", "cf"})


@_ready("yes_no")
def word_start(example: Example) -> Track:
    """A word begins in the token. An apostrophe between letters belongs to its word."""
    starts = np.zeros(len(example.text), bool)
    starts[[match.start() for match in _WORD.finditer(example.text)]] = True
    return example.at_any(starts)


@_ready("yes_no")
def word_end(example: Example) -> Track:
    """A word ends with the token; only what comes next tells."""
    ends = np.zeros(len(example.text), bool)
    ends[[match.end() - 1 for match in _WORD.finditer(example.text)]] = True
    return example.at_last(ends)


@_ready("yes_no")
def first_word_of_sentence(example: Example) -> Track:
    """In the first word of a sentence.

    A sentence begins after . ! ? or … and a space, where no lower-case letter follows (nor Mr. or an
    initial stood before), and after an empty line.
    """
    text = example.text
    spans, last = [], None
    for match in _WORD.finditer(text):
        if last is None or _sentence_between(text, last, match):
            spans.append(match.span())
        last = match
    return example.at_last(_spans(text, spans))


def _sentence_between(text: str, last: re.Match[str], word: re.Match[str]) -> bool:
    gap = text[last.end() : word.start()]
    if _EMPTY_LINE.search(gap):
        return True
    if not _SENTENCE_END.search(gap) or word[0][0].islower():
        return False
    initial = len(last[0]) == 1 and last[0].isupper() and last[0] != "I"
    return not (gap.startswith(".") and (last[0] in _ABBREVIATED or initial))


@_ready("numeric")
def position_in_word(example: Example) -> Track:
    """How many characters of the word stand before this one; NaN outside of words."""
    positions = np.full(len(example.text), np.nan)
    for match in _WORD.finditer(example.text):
        positions[match.start() : match.end()] = np.arange(match.end() - match.start())
    return example.at_last(positions)


@_ready("numeric")
def position_in_line(example: Example) -> Track:
    """How many characters of the line stand before this one; a line break ends its line."""
    places, breaks = _lines(example.text)
    before = np.maximum.accumulate(np.append(-1, np.where(breaks, places, -1)))[:-1]
    return example.at_last(np.asarray(places - before - 1.0))


@_ready("numeric")
def line_length(example: Example) -> Track:
    """How many characters the line has so far, this one included; 0 at a line break."""
    places, breaks = _lines(example.text)
    last = np.maximum.accumulate(np.where(breaks, places, -1))
    return example.at_last(np.asarray(places - last, np.float64))


def _lines(text: str) -> tuple[npt.NDArray[np.intp], npt.NDArray[np.bool_]]:
    return np.arange(len(text)), np.array([character == "\n" for character in text], bool)


# What number it is --------------------------------------------------------------------------------


@_ready("numeric")
def value(example: Example) -> Track:
    """The number that the token is; of one spelled in digits, as far as it has been read.

    NaN elsewhere. Digits that follow each other are one number: 1, 12, 125.
    """
    return np.array([read[-1] if read else np.nan for read in _numbers(example)], np.float64)


@_ready("numeric")
def running_sum(example: Example) -> Track:
    """The sum of all numbers read so far; of one spelled in digits, as far as it has been read."""
    return _totals(example, lambda number: number)


@_ready("numeric")
def carry(example: Example) -> Track:
    """What is carried from the units: the last digits of all whole numbers so far, summed, // 10."""
    return _totals(example, lambda number: abs(number) % 10 if number % 1 == 0 else 0.0) // 10


def _totals(example: Example, term: Callable[[float], float]) -> Track:
    """Sum up a term of each number; with each further digit of one, its term is replaced."""
    steps = [
        term(read[-1]) - (term(read[0]) if len(read) == 2 else 0.0) if read else 0.0
        for read in _numbers(example)
    ]
    return np.cumsum(np.array(steps, np.float64))


def _numbers(example: Example) -> list[tuple[float, ...]]:
    """For each token the number as far as it has been read, after what it was one digit before."""
    result: list[tuple[float, ...]] = []
    spelled: tuple[float, ...] = ()
    for token in example.tokens:
        if len(token) == 1 and token.isdecimal():
            before = spelled[-1:]
            spelled = (*before, 10 * sum(before) + int(token))
            result.append(spelled)
        else:
            spelled = ()
            number = _as_float(token)
            result.append(() if np.isnan(number) else (number,))
    return result


def _as_float(token: str) -> float:
    try:
        number = float(token)
    except ValueError:
        return np.nan
    return number if np.isfinite(number) else np.nan


# What example it belongs to -----------------------------------------------------------------------


def label(values: npt.ArrayLike, *, name: str = "label") -> Concept:
    """Make a concept of what is known of each example: the same at all of its timesteps.

    Parameters
    ----------
    values
        Bools or numbers, ``(example,)``. Of labels that are text: ``labels == "positive"``.
    name
        What it is called.
    """
    array = np.asarray(values)
    if array.ndim != 1 or array.dtype.kind not in "biuf":
        raise TypeError(
            f"values: expected bools or numbers (example,), got {array.dtype} of shape {array.shape}"
        )

    def constant(example: Example) -> Track:
        expected = example.number + 1 if example.examples is None else example.examples
        if len(array) != expected and (example.examples is not None or len(array) < expected):
            raise ValueError(
                f"concept {name!r}: expected one value for each of {expected} examples, got "
                f"{len(array)}"
            )
        return np.full(example.count, array[example.number])

    return Concept(name, _kind(array), constant)


def correct(values: npt.ArrayLike, *, name: str = "correct") -> Concept:
    """Make the concept: the model's answer to the example is right.

    Parameters
    ----------
    values
        Bools ``(example,)``, such as ``predicted == true``.
    name
        What it is called.
    """
    if np.asarray(values).dtype != bool:
        raise TypeError(f"values: expected bools, got {np.asarray(values).dtype}")
    return label(values, name=name)


def length() -> Concept:
    """Make the numeric concept: how many timesteps the example has, without its padding."""
    return Concept(
        "length",
        "numeric",
        lambda example: np.full(example.count, example.count),
        "How many timesteps the example has.",
    )


# Your own -----------------------------------------------------------------------------------------


def of(function: TrackFunction, *, name: str | None = None, kind: Kind = "yes_no") -> Concept:
    """Make a concept of a function.

    Parameters
    ----------
    function
        From the tokens of one example (a tuple of str) to one value for each.
    name
        What it is called. Default: the function's name.
    kind
        ``"yes_no"`` for bools, ``"numeric"`` for numbers (NaN: no value).
    """
    if not callable(function):
        raise TypeError(f"function: expected a function of tokens, got {function!r:.80}")
    if kind not in ("yes_no", "numeric"):
        raise ValueError(f"kind: expected 'yes_no' or 'numeric', got {kind!r}")
    called = name or str(getattr(function, "__name__", repr(function)))
    return Concept(called, kind, lambda example: function(example.tokens))


def track(array: npt.ArrayLike, *, name: str = "track") -> Concept:
    """Make a concept of an array.

    Parameters
    ----------
    array
        Bools, or numbers (NaN: no value), ``(example, timestep)`` with the timesteps of the
        recording, padding included; or ``(timestep,)`` for a recording of one example. What one
        track of :func:`tracks` is keeps its kind.
    name
        What it is called.
    """
    values = np.atleast_2d(np.asarray(array))
    if values.ndim != 2 or values.dtype.kind not in "biuf":
        raise TypeError(
            f"array: expected bools or numbers (example, timestep), got {values.dtype} of shape "
            f"{values.shape}"
        )
    kind = _kind(values)
    if isinstance(array, xr.DataArray) and array.attrs.get("kind") == "yes_no":
        kind = "yes_no"

    def row(example: Example) -> Track:
        examples = 1 if example.examples is None else example.examples
        width = example.count if example.width is None else example.width
        if values.shape != (examples, width):
            raise ValueError(
                f"concept {name!r}: expected an array ({examples} examples, {width} timesteps), "
                f"got shape {values.shape}"
            )
        here: Track = values[example.number]
        return here if example.timesteps is None else here[example.timesteps]

    return Concept(name, kind, row)


def _kind(array: npt.NDArray[Any]) -> Kind:
    return "yes_no" if array.dtype == bool else "numeric"


TEXT: tuple[Concept, ...] = (
    upper_case,
    digit,
    vowel,
    whitespace,
    newline,
    punctuation,
    inside_double_quotes,
    inside_single_quotes,
    inside_brackets,
    inside_tag,
    inside_comment,
    word_start,
    word_end,
    first_word_of_sentence,
    position_in_word,
    position_in_line,
    line_length,
    bracket_depth,
    tag_depth,
)
"""All concepts that need nothing but a text."""


# All of a recording -------------------------------------------------------------------------------


def tracks(recording: Recording, concepts: Concepts, *, layer: str | None = None) -> xr.Dataset:
    """Say concepts of every timestep of a recording.

    Parameters
    ----------
    recording
        Whose tokens and padding.
    concepts
        A concept, several, or a mapping from names to concepts, functions from the tokens of one
        example to an array, regular expressions, or arrays ``(example, timestep)``.
    layer
        Whose timesteps. Default: the first layer's.

    Returns
    -------
    xarray.Dataset
        One float64 variable ``(example, timestep)`` a concept, in the order given: 1 or 0, or a
        number; NaN at padding and where a numeric concept has no value. ``attrs["kind"]`` is
        ``"yes_no"`` or ``"numeric"``.

    Raises
    ------
    TypeError
        If something is no concept, or a function gives what is neither bool nor number.
    ValueError
        If two have one name, something has the wrong shape, or tokens are needed and unknown.
    """
    examples, shape = _examples(recording, layer)
    variables = {}
    for concept in resolve(concepts, examples[0] if examples else None):
        if concept.name in ("example", "timestep"):
            raise ValueError(f"concepts: none can be called {concept.name!r}, as an axis is")
        if concept.name in variables:
            raise ValueError(f"concepts: expected different names, got {concept.name!r} twice")
        values = np.full(shape, np.nan)
        for example in examples:
            values[example.number, example.timesteps] = concept.of_example(example)
        attrs = {"kind": concept.kind, "description": concept.description}
        variables[concept.name] = (("example", "timestep"), values, attrs)
    coords = {"example": np.arange(shape[0]), "timestep": np.arange(shape[1])}
    return xr.Dataset(variables, coords)


def resolve(concepts: Concepts, example: Example | None = None) -> list[Concept]:
    """Turn concepts as they are given into a list of them.

    Parameters
    ----------
    concepts
        As in :func:`tracks`.
    example
        On which plain functions are tried, to see whether they give bools or numbers.
    """
    if isinstance(concepts, Concept):
        return [concepts]
    if isinstance(concepts, Mapping):
        return [_named(str(name), given, example) for name, given in concepts.items()]
    if isinstance(concepts, str) or not isinstance(concepts, Sequence):
        raise TypeError(
            f"concepts: expected a concept, several, or a mapping, got {concepts!r:.80}"
        )
    for concept in concepts:
        if not isinstance(concept, Concept):
            raise TypeError(
                f"concepts: expected concepts, got {concept!r:.80}; functions, regular expressions "
                f"and arrays need a name: {{'name': ...}}"
            )
    return list(concepts)


def _named(name: str, given: Any, example: Example | None) -> Concept:
    if isinstance(given, Concept):
        return Concept(name, given.kind, given.function, given.description)
    if isinstance(given, (str, re.Pattern)):
        return matches(given, name=name)
    if callable(given):
        function = cast("TrackFunction", given)
        tried = np.zeros(0, bool) if example is None else np.asarray(function(example.tokens))
        return of(function, name=name, kind=_kind(tried))
    if isinstance(given, (np.ndarray, xr.DataArray, list, tuple)):
        return track(given, name=name)
    raise TypeError(
        f"concepts[{name!r}]: expected a concept, a function, a regular expression or an array, "
        f"got {given!r:.80}"
    )


def _examples(recording: Recording, layer: str | None) -> tuple[list[Example], tuple[int, int]]:
    """All examples of a layer, and its number of examples and timesteps."""
    dataset = recording[recording.layers[0] if layer is None else layer]
    count, width = dataset.sizes["example"], dataset.sizes["timestep"]
    mask = np.asarray(dataset["mask"]) if "mask" in dataset else np.ones((count, width), bool)
    tokens = np.asarray(dataset["token"]) if "token" in dataset.coords else None
    space = None if tokens is None else separator(set(tokens[mask].tolist()))
    examples = []
    for k in range(count):
        timesteps = np.flatnonzero(mask[k])
        given = None if tokens is None else tuple(map(str, tokens[k, timesteps]))
        examples.append(Example(len(timesteps), given, k, timesteps, count, width, space))
    return examples, (count, width)
