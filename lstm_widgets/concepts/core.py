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

Tokens may be characters, words, or pieces of words with their spaces in them or with the marks of a
tokenizer (``##ing``, ``Ġthe``, ``▁the``, ``the</w>``). They are joined into one text, words with a
space between. A token of several characters has the value of its last one, unless a concept says
otherwise.

A mark that opens something and has no partner in its paragraph, or of markup in the whole document,
marks nothing; ``inside_brackets.within("document")`` looks for partners elsewhere.
"""

from __future__ import annotations

import functools
import itertools
import re
import unicodedata
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any, Literal, TypeAlias, cast

import numpy as np
import numpy.typing as npt
import xarray as xr

from lstm_widgets.tokens.words import UNSPACED, Piece, Spelling, spelling_of

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
    "fitting",
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
Scope: TypeAlias = Literal["line", "paragraph", "document"]
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
    spelling
        How the tokens spell a text, or None where only these tokens tell.
    """

    count: int
    given: tuple[str, ...] | None
    number: int = 0
    timesteps: npt.NDArray[np.intp] | None = None
    examples: int | None = None
    width: int | None = None
    spelling: Spelling | None = None

    @property
    def tokens(self) -> tuple[str, ...]:
        """The tokens, where they are known."""
        if self.given is None:
            raise ValueError("concepts: this one needs tokens, and the recording has none")
        return self.given

    @functools.cached_property
    def _spelled(self) -> Spelling:
        return Spelling.of(self.tokens) if self.spelling is None else self.spelling

    @functools.cached_property
    def pieces(self) -> list[Piece]:
        """What each token adds to the text."""
        return self._spelled.pieces(self.tokens)

    @functools.cached_property
    def said(self) -> list[str]:
        """What each token says in the text, without the marks of its tokenizer or spaces around."""
        return [text.strip() or text for _, text, _ in self.pieces]

    @functools.cached_property
    def text(self) -> str:
        """The tokens, joined."""
        return "".join(before + text for before, text, _ in self.pieces)

    @functools.cached_property
    def ends(self) -> npt.NDArray[np.intp]:
        """The place in the text after each token."""
        sizes = [len(before) + len(text) for before, text, _ in self.pieces]
        return np.cumsum(sizes, dtype=np.intp)

    @functools.cached_property
    def _starts(self) -> npt.NDArray[np.intp]:
        """The place in the text of the first character of each token."""
        return self.ends - np.array([len(text) for _, text, _ in self.pieces], np.intp)

    @functools.cached_property
    def words(self) -> list[tuple[int, int]]:
        """Where the words of the text begin and end.

        Letters, digits and underscores with their accents, and apostrophes between them. Characters
        of scripts without spaces make no words, unless the tokens are words.
        """
        text = self.text
        apart = self._spelled.apart
        kinds = {ord(character): _kind_of(character, apart=apart) for character in set(text)}
        found = [match.span() for match in _WORD.finditer(text.translate(kinds))]
        if not apart:
            return found
        # Between tokens of such a script stands no space.
        begins = {int(k) for k, piece in zip(self._starts, self.pieces, strict=True) if piece.new}
        words: list[tuple[int, int]] = []
        for start, stop in found:
            cuts = [start, *(k for k in range(start + 1, stop) if k in begins), stop]
            words += itertools.pairwise(cuts)
        return words

    def at_last(self, values: Track) -> Track:
        """From one value a character to one a token: that of its last character."""
        return _taken(values, self.ends)

    def at_last_seen(self, values: Track) -> Track:
        """The same, but white space at the end of a token doesn't count."""
        trailing = [
            len(text.rstrip()) - len(text) if text.strip() else 0 for _, text, _ in self.pieces
        ]
        return _taken(values, self.ends + np.array(trailing, np.intp))

    def at_any(self, values: npt.NDArray[np.bool_]) -> npt.NDArray[np.bool_]:
        """From one value a character to one a token: whether any of its characters has it."""
        so_far = np.append(0, np.cumsum(values))
        return np.asarray(so_far[self.ends] > so_far[self._starts])


# Letters w, marks on them m, apostrophes ', others x.
_WORD = re.compile("w[wm]*+(?:'w[wm]*+)*+")


def _kind_of(character: str, *, apart: bool) -> str:
    if character in "'’":
        return "'"
    if not apart and _UNSPACED.match(character):
        return "x"
    if character.isalnum() or character == "_":
        return "w"
    joiner = character in "\u200c\u200d\u00ad"
    return "m" if joiner or unicodedata.category(character)[0] == "M" else "x"


def _taken(values: Track, ends: npt.NDArray[np.intp]) -> Track:
    """The values before some places; none before the first."""
    fill = False if values.dtype == bool else np.nan
    return np.append(values, fill)[np.where(ends > 0, ends - 1, len(values))]


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
    scoped
        The same function for marks that stand in pairs, of an example and of where a partner counts.
    """

    name: str
    kind: Kind
    function: Callable[[Example], npt.ArrayLike] = field(repr=False)
    description: str = ""
    scoped: Callable[[Example, Scope], npt.ArrayLike] | None = field(default=None, repr=False)

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

    def within(self, scope: Scope) -> Concept:
        r"""Say how far from a mark its partner may be, of a concept that is about pairs of marks.

        Parameters
        ----------
        scope
            ``"line"``, ``"paragraph"`` (up to an empty line) or ``"document"`` (all of the example).
            Quotation marks and brackets look in their paragraph unless told otherwise, markup and
            comments in the whole document. A mark without a partner there marks nothing.

        Raises
        ------
        TypeError
            If it is not about pairs of marks.
        ValueError
            If the scope is none of these.

        Examples
        --------
        >>> import lstm_widgets as lw
        >>> depth = lw.concepts.bracket_depth.within("document")
        >>> depth("{\n\n}").tolist()
        [1.0, 1.0, 1.0, 0.0]
        """
        scoped = self.scoped
        if scoped is None:
            raise TypeError(
                f"within: expected a concept about pairs of marks, such as inside_brackets or "
                f"inside_tag, got {self.name!r}"
            )
        if scope not in ("line", "paragraph", "document"):
            raise ValueError(f"scope: expected 'line', 'paragraph' or 'document', got {scope!r}")
        return replace(
            self,
            name=f"{_enclosed(self.name)}.within({scope!r})",
            function=lambda example: scoped(example, scope),
        )

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
    firsts = (next(filter(str.isalpha, said), "") for said in example.said)
    return [first.isupper() for first in firsts]


@_ready("yes_no")
def digit(example: Example) -> list[bool]:
    """The token is a digit, or digits only."""
    return [said.isdigit() for said in example.said]


_VOWELS = frozenset("aeiouAEIOUäöüÄÖÜáéíóúàèìòùâêîôûåøæœÁÉÍÓÚÀÈÌÒÙÂÊÎÔÛÅØÆŒ")


@_ready("yes_no")
def vowel(example: Example) -> list[bool]:
    """The token is a vowel (a, e, i, o, u, with accents or without), or vowels only."""
    return [bool(said) and set(said) <= _VOWELS for said in example.said]


@_ready("yes_no")
def whitespace(example: Example) -> list[bool]:
    """The token is a space, tab or line break, or several of them."""
    return [said.isspace() for said in example.said]


@_ready("yes_no")
def newline(example: Example) -> Track:
    """The token is a line break, or ends with one."""
    return example.at_last(_lines(example.text)[1])


@_ready("yes_no")
def punctuation(example: Example) -> list[bool]:
    """The token is a mark: no letter, no digit, no space and no underscore."""
    return [bool(said) and not re.search(r"[\w\s]", said) for said in example.said]


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

_EMPTY_LINE = re.compile(r"\n[ \t\r\f\v]*\n|\r[ \t]*\r|\u2029")
_BREAKS = {"line": re.compile(r"[\n\r\u2028\u2029]"), "paragraph": _EMPTY_LINE}
# From the place of what opens to that of what closes it.
_Pair: TypeAlias = tuple[int, int]


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


def _parts(text: str, within: Scope) -> Iterable[_Pair]:
    """Cut a text into the stretches in which marks have to find their partners."""
    start = 0
    if within != "document":
        for match in _BREAKS[within].finditer(text):
            yield start, match.end()
            start = match.end()
    yield start, len(text)


def _depth(text: str, pairs: Iterable[_Pair]) -> npt.NDArray[np.float64]:
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


def _quotations(text: str, within: Scope, partners: Mapping[str, str]) -> list[_Pair]:
    pairs: list[_Pair] = []
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
_UNSPACED = re.compile(f"[{UNSPACED}]")

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


def _single_pairs(text: str, start: int, stop: int) -> list[_Pair]:
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
    pairs: list[_Pair] = []
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


def _brackets(text: str, within: Scope) -> list[_Pair]:
    pairs: list[_Pair] = []
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
    return example.at_last(_spans(text, spans))


@_paired("numeric", "document")
def tag_depth(example: Example, within: Scope) -> Track:
    """How many elements of a markup language are open, from the > of one's tag to that of its end.

    <b/> opens nothing, nor does a tag without an end tag of its name, such as <br> or a <p> that is
    left open; an end tag that fits no open element is passed over.
    """
    text = example.text
    pairs: list[_Pair] = []
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
    return example.at_last(_spans(text, spans))


# Where it stands: words, sentences, lines -----------------------------------------------------------

_SENTENCE_END = re.compile(r"""[.!?…]["'”’)\]]*\s""")
_ABBREVIATED = frozenset({"Mr", "Mrs", "Ms", "Dr", "St", "Prof", "Rev", "Capt", "Col", "vs", "cf"})


@_ready("yes_no")
def word_start(example: Example) -> Track:
    """A word begins in the token. An apostrophe between letters belongs to its word.

    In scripts that are written without spaces (Chinese, Japanese, Thai and their like) only a
    dictionary tells words: there none begins, unless the tokens are words.
    """
    starts = np.zeros(len(example.text), bool)
    starts[[start for start, _ in example.words]] = True
    return example.at_any(starts)


@_ready("yes_no")
def word_end(example: Example) -> Track:
    """A word ends in the token; only what comes next tells. Words are those of `word_start`."""
    ends = np.zeros(len(example.text), bool)
    ends[[stop - 1 for _, stop in example.words]] = True
    return example.at_any(ends)


@_ready("yes_no")
def first_word_of_sentence(example: Example) -> Track:
    """In the first word of a sentence.

    A sentence begins after . ! ? or … and a space, where no lower-case letter follows (nor Mr. or an
    initial stood before), and after an empty line. Words are those of `word_start`.
    """
    text = example.text
    spans, last = [], None
    for word in example.words:
        if last is None or _sentence_between(text, last, word):
            spans.append(word)
        last = word
    return example.at_last_seen(_spans(text, spans))


def _sentence_between(text: str, last: _Pair, word: _Pair) -> bool:
    gap = text[last[1] : word[0]]
    if _EMPTY_LINE.search(gap):
        return True
    if not _SENTENCE_END.search(gap) or text[word[0]].islower():
        return False
    said = text[slice(*last)]
    initial = len(said) == 1 and said.isupper() and said != "I"
    return not (gap.startswith(".") and (said in _ABBREVIATED or initial))


@_ready("numeric")
def position_in_word(example: Example) -> Track:
    """How many characters of the word stand before this one; NaN outside of words.

    Words are those of `word_start`: in scripts that are written without spaces there are none, and it
    is NaN, unless the tokens are words.
    """
    positions = np.full(len(example.text), np.nan)
    for start, stop in example.words:
        positions[start:stop] = np.arange(stop - start)
    return example.at_last_seen(positions)


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
    for (before, text, _), said in zip(example.pieces, example.said, strict=True):
        if len(said) == 1 and said.isdecimal():
            # A space begins another number.
            last = spelled[-1:] if text[0] == said and not before else ()
            spelled = (*last, 10 * sum(last) + int(said))
            result.append(spelled)
        else:
            spelled = ()
            number = _as_float(said)
            result.append(() if np.isnan(number) else (number,))
        if text != text.rstrip():
            spelled = ()
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


def fitting(recording: Recording, concepts: Concepts | None = None) -> tuple[Concept, ...]:
    """Choose the concepts that say something of a recording's tokens.

    Parameters
    ----------
    recording
        Of some tokens.
    concepts
        What to choose from. Default: :data:`TEXT`.

    Returns
    -------
    tuple of Concept
        Those that differ between timesteps, in at least one layer: a text without brackets has
        nothing inside of any. None where no layer has tokens.

    Examples
    --------
    >>> lw.rank_cells(recording, lw.concepts.fitting(recording))  # doctest: +SKIP
    """
    layers = [name for name in recording.layers if "token" in recording[name].coords]

    def says(concept: Concept) -> bool:
        for layer in layers:
            said = tracks(recording, [concept], layer=layer)[concept.name].values
            known = said[~np.isnan(said)]
            if known.size and known.min() < known.max():
                return True
        return False

    return tuple(filter(says, resolve(TEXT if concepts is None else concepts)))


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
        return replace(given, name=name)
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
    spelling = spelling_of(dataset)
    examples = []
    for k in range(count):
        timesteps = np.flatnonzero(mask[k])
        given = None if tokens is None else tuple(map(str, tokens[k, timesteps]))
        examples.append(Example(len(timesteps), given, k, timesteps, count, width, spelling))
    return examples, (count, width)
