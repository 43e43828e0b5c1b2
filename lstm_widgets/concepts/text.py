# The docstrings of concepts say what holds of a token, not what a function does.
# ruff: noqa: D401
"""What a token is, and where it stands among words, sentences and lines."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from lstm_widgets.concepts.concept import Concept, Concepts, of_characters, ready
from lstm_widgets.concepts.example import Pair, Stretch, Track
from lstm_widgets.concepts.make_tracks import resolve, varying
from lstm_widgets.concepts.markup import (
    bracket_depth,
    inside_brackets,
    inside_comment,
    inside_tag,
    tag_depth,
)
from lstm_widgets.concepts.pairs import EMPTY_LINE
from lstm_widgets.concepts.quotes import inside_double_quotes, inside_single_quotes

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator

    from lstm_widgets.recording import Recording

# What a token is ----------------------------------------------------------------------------------


@ready("yes_no")
def upper_case(stretch: Stretch) -> Track:
    """The token's first letter is a capital."""
    return stretch.each(lambda said: next(filter(str.isalpha, said), "").isupper())


@ready("yes_no")
def digit(stretch: Stretch) -> Track:
    """The token is a digit, or digits only."""
    return stretch.each(str.isdigit)


_VOWELS = frozenset("aeiouAEIOUäöüÄÖÜáéíóúàèìòùâêîôûåøæœÁÉÍÓÚÀÈÌÒÙÂÊÎÔÛÅØÆŒ")


@ready("yes_no")
def vowel(stretch: Stretch) -> Track:
    """The token is a vowel (a, e, i, o, u, with accents or without), or vowels only."""
    return stretch.each(lambda said: bool(said) and set(said) <= _VOWELS)


@ready("yes_no")
def whitespace(stretch: Stretch) -> Track:
    """The token is a space, tab or line break, or several of them."""
    return stretch.each(str.isspace)


@of_characters("yes_no", Stretch.at_last)
def newline(stretches: Iterator[Stretch]) -> Iterator[Track]:
    """The token is a line break, or ends with one."""
    return (stretch.breaks for stretch in stretches)


@ready("yes_no")
def punctuation(stretch: Stretch) -> Track:
    """The token is a punctuation mark: not a letter, digit, space or underscore."""
    return stretch.each(lambda said: bool(said) and not re.search(r"[\w\s]", said))


def is_token(*tokens: str) -> Concept:
    """Make the concept that the token is this one, or one of these.

    Parameters
    ----------
    *tokens : str
        The tokens.

    Examples
    --------
    >>> lw.concepts.is_token("a", "b")("abc")
    array([ True,  True, False])
    """
    wanted = _strings(tokens)
    return Concept(
        f"is_token({_listed(tokens)})",
        "yes_no",
        lambda stretches: (each.each_token(wanted.__contains__) for each in stretches),
        "The token is this one, or one of these.",
    )


def next_is(*tokens: str) -> Concept:
    """Make the concept that the next token is this one, or one of these.

    It is False at the last timestep of an example.

    Parameters
    ----------
    *tokens : str
        The tokens.

    Examples
    --------
    >>> lw.concepts.next_is("b")("abab")
    array([ True, False,  True, False])
    """
    shifted = is_token(*tokens).shift(-1)
    return Concept(
        f"next_is({_listed(tokens)})",
        "yes_no",
        shifted.function,
        "The next token is this one, or one of these.",
    )


def since(*tokens: str) -> Concept:
    """Make the numeric concept of how many timesteps ago one of these tokens was last read.

    0 at the token itself, NaN before the first.

    Parameters
    ----------
    *tokens : str
        The tokens.

    Examples
    --------
    >>> lw.concepts.since("a")("xaxx")
    array([nan,  0.,  1.,  2.])
    """
    wanted = _strings(tokens)

    def steps(stretches: Iterator[Stretch]) -> Iterator[Track]:
        last = -1
        for stretch in stretches:
            places = np.arange(stretch.first, stretch.first + stretch.count)
            here = np.where(stretch.each_token(wanted.__contains__), places, -1)
            lasts = np.maximum(last, np.maximum.accumulate(here))
            yield np.where(lasts < 0, np.nan, places - lasts)
            last = int(lasts[-1]) if len(lasts) else last

    description = "Timesteps since the token was last read."
    return Concept(f"since({_listed(tokens)})", "numeric", steps, description)


def _strings(tokens: Collection[str]) -> frozenset[str]:
    if not tokens or not all(isinstance(token, str) for token in tokens):
        raise TypeError(f"tokens: expected one string or more, got {tokens!r}")
    return frozenset(tokens)


def _listed(tokens: Collection[str]) -> str:
    return ", ".join(map(repr, tokens))


# Where it stands ----------------------------------------------------------------------------------

_SENTENCE_END = re.compile(r"""[.!?…]["'”’)\]]*\s""")
_ABBREVIATED = frozenset({"Mr", "Mrs", "Ms", "Dr", "St", "Prof", "Rev", "Capt", "Col", "vs", "cf"})


@of_characters("yes_no", Stretch.at_any)
def word_start(stretches: Iterator[Stretch]) -> Iterator[Track]:
    """A word begins in the token. An apostrophe between letters belongs to its word.

    In scripts without spaces (Chinese, Japanese, Thai and the like) only a dictionary can tell words
    apart: no word begins there, unless the tokens are words.
    """
    return (_marks(stretch, stretch.words[:, 0]) for stretch in stretches)


@of_characters("yes_no", Stretch.at_any)
def word_end(stretches: Iterator[Stretch]) -> Iterator[Track]:
    """A word ends in the token; only what comes next tells. Words are those of `word_start`."""
    return (_marks(stretch, stretch.words[:, 1] - 1) for stretch in stretches)


def _marks(stretch: Stretch, places: npt.NDArray[np.intp]) -> npt.NDArray[np.bool_]:
    """Mark the characters at those of the places that are in a stretch."""
    start, stop = stretch.span
    marks = np.zeros(stop - start, np.bool_)
    marks[places[(places >= start) & (places < stop)] - start] = True
    return marks


@of_characters("yes_no", Stretch.at_last_seen)
def first_word_of_sentence(stretches: Iterator[Stretch]) -> Iterator[Track]:
    """In the first word of a sentence.

    A sentence begins after . ! ? or … and a space, where no lower-case letter follows (nor Mr. or an
    initial stood before), and after an empty line. Words are those of `word_start`.
    """
    last: Pair | None = None
    first = (0, 0)  # the last word that is one
    for stretch in stretches:
        text, (begin, end) = stretch.example.text, stretch.span
        inside = np.zeros(end - begin, np.bool_)
        inside[: max(0, first[1] - begin)] = True
        for start, stop in stretch.words.tolist():
            if start < begin:  # known from the stretch before
                continue
            if last is None or _sentence_between(text, last, (start, stop)):
                first = start, stop
                inside[start - begin : stop - begin] = True
            last = start, stop
        yield inside


def _sentence_between(text: str, last: Pair, word: Pair) -> bool:
    gap = text[last[1] : word[0]]
    if gap == " ":
        return False
    if EMPTY_LINE.search(gap):
        return True
    if not _SENTENCE_END.search(gap) or text[word[0]].islower():
        return False
    said = text[slice(*last)]
    initial = len(said) == 1 and said.isupper() and said != "I"
    return not (gap.startswith(".") and (said in _ABBREVIATED or initial))


@of_characters("numeric", Stretch.at_last_seen)
def position_in_word(stretches: Iterator[Stretch]) -> Iterator[Track]:
    """How many characters of the word stand before this one; NaN outside of words.

    Words are those of `word_start`: in scripts that are written without spaces there are none, and it
    is NaN, unless the tokens are words.
    """
    for stretch in stretches:
        begin, end = stretch.span
        starts, stops = stretch.words.clip(begin, end).T
        inside = np.zeros(end - begin + 1, np.int8)
        inside[starts - begin] += 1
        inside[stops - begin] -= 1
        places = np.flatnonzero(np.cumsum(inside[:-1]))
        positions = np.full(end - begin, np.nan)
        positions[places] = begin + places - stretch.words[:, 0].repeat(stops - starts)
        yield positions


@of_characters("numeric", Stretch.at_last)
def position_in_line(stretches: Iterator[Stretch]) -> Iterator[Track]:
    """How many characters of the line stand before this one; a line break ends its line."""
    for places, lasts in _lines(stretches):
        yield places - lasts[:-1] - 1


@of_characters("numeric", Stretch.at_last)
def line_length(stretches: Iterator[Stretch]) -> Iterator[Track]:
    """How many characters the line has so far, this one included; 0 at a line break."""
    for places, lasts in _lines(stretches):
        yield places - lasts[1:]


def _lines(
    stretches: Iterator[Stretch],
) -> Iterator[tuple[npt.NDArray[np.intp], npt.NDArray[np.intp]]]:
    """Give the places of characters; and, from the one before on, where up to each a line ended last."""
    last = np.full(1, -1)
    for stretch in stretches:
        places = np.arange(*stretch.span)
        ends = np.concatenate([last, np.where(stretch.breaks, places, -1)])
        lasts = np.maximum.accumulate(ends)
        yield places, lasts
        last = lasts[-1:]


# All of them --------------------------------------------------------------------------------------

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


def fitting(recording: Recording, concepts: Concepts | None = None) -> tuple[Concept, ...]:
    """Choose the concepts that vary within a recording.

    Parameters
    ----------
    recording : Recording
        A recording of tokens.
    concepts : Concept, sequence of Concept, or mapping, optional
        What to choose from. Default: :data:`lstm_widgets.concepts.TEXT`.

    Returns
    -------
    tuple of Concept
        Those that differ between timesteps of at least one layer: in a text without brackets,
        nothing is inside of any. Empty if no layer has tokens.

    Examples
    --------
    >>> [concept.name for concept in lw.concepts.fitting(recording)][:2]
    ['vowel', 'whitespace']
    """
    layers = [name for name in recording.layers if "token" in recording[name].coords]
    left = resolve(TEXT if concepts is None else concepts)
    found: set[Concept] = set()
    for layer in layers:
        found |= varying(recording, [one for one in left if one not in found], layer=layer)
    return tuple(one for one in left if one in found)
