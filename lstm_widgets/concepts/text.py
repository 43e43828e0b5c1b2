# The docstrings of concepts say what holds of a token, not what a function does.
# ruff: noqa: D401
"""What a token is, and where it stands among words, sentences and lines."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from lstm_widgets.concepts.concept import Concept, Concepts, ready
from lstm_widgets.concepts.example import Example, Pair, Track, marked
from lstm_widgets.concepts.make_tracks import resolve, tracks
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
    from collections.abc import Collection

    from lstm_widgets.recording import Recording

# What a token is ----------------------------------------------------------------------------------


@ready("yes_no")
def upper_case(example: Example) -> list[bool]:
    """The token's first letter is a capital."""
    firsts = (next(filter(str.isalpha, said), "") for said in example.said)
    return [first.isupper() for first in firsts]


@ready("yes_no")
def digit(example: Example) -> list[bool]:
    """The token is a digit, or digits only."""
    return [said.isdigit() for said in example.said]


_VOWELS = frozenset("aeiouAEIOUäöüÄÖÜáéíóúàèìòùâêîôûåøæœÁÉÍÓÚÀÈÌÒÙÂÊÎÔÛÅØÆŒ")


@ready("yes_no")
def vowel(example: Example) -> list[bool]:
    """The token is a vowel (a, e, i, o, u, with accents or without), or vowels only."""
    return [bool(said) and set(said) <= _VOWELS for said in example.said]


@ready("yes_no")
def whitespace(example: Example) -> list[bool]:
    """The token is a space, tab or line break, or several of them."""
    return [said.isspace() for said in example.said]


@ready("yes_no")
def newline(example: Example) -> Track:
    """The token is a line break, or ends with one."""
    return example.at_last(_lines(example.text)[1])


@ready("yes_no")
def punctuation(example: Example) -> list[bool]:
    """The token is a punctuation mark: not a letter, digit, space or underscore."""
    return [bool(said) and not re.search(r"[\w\s]", said) for said in example.said]


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
        lambda example: [token in wanted for token in example.tokens],
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

    def steps(example: Example) -> Track:
        here = np.array([token in wanted for token in example.tokens], bool)
        places = np.arange(len(here))
        last = np.maximum.accumulate(np.where(here, places, -1))
        return np.where(last < 0, np.nan, places - last)

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


@ready("yes_no")
def word_start(example: Example) -> Track:
    """A word begins in the token. An apostrophe between letters belongs to its word.

    In scripts without spaces (Chinese, Japanese, Thai and the like) only a dictionary can tell words
    apart: no word begins there, unless the tokens are words.
    """
    starts = np.zeros(len(example.text), bool)
    starts[[start for start, _ in example.words]] = True
    return example.at_any(starts)


@ready("yes_no")
def word_end(example: Example) -> Track:
    """A word ends in the token; only what comes next tells. Words are those of `word_start`."""
    ends = np.zeros(len(example.text), bool)
    ends[[stop - 1 for _, stop in example.words]] = True
    return example.at_any(ends)


@ready("yes_no")
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
    return example.at_last_seen(marked(text, spans))


def _sentence_between(text: str, last: Pair, word: Pair) -> bool:
    gap = text[last[1] : word[0]]
    if EMPTY_LINE.search(gap):
        return True
    if not _SENTENCE_END.search(gap) or text[word[0]].islower():
        return False
    said = text[slice(*last)]
    initial = len(said) == 1 and said.isupper() and said != "I"
    return not (gap.startswith(".") and (said in _ABBREVIATED or initial))


@ready("numeric")
def position_in_word(example: Example) -> Track:
    """How many characters of the word stand before this one; NaN outside of words.

    Words are those of `word_start`: in scripts that are written without spaces there are none, and it
    is NaN, unless the tokens are words.
    """
    positions = np.full(len(example.text), np.nan)
    for start, stop in example.words:
        positions[start:stop] = np.arange(stop - start)
    return example.at_last_seen(positions)


@ready("numeric")
def position_in_line(example: Example) -> Track:
    """How many characters of the line stand before this one; a line break ends its line."""
    places, breaks = _lines(example.text)
    before = np.maximum.accumulate(np.append(-1, np.where(breaks, places, -1)))[:-1]
    return example.at_last(np.asarray(places - before - 1.0))


@ready("numeric")
def line_length(example: Example) -> Track:
    """How many characters the line has so far, this one included; 0 at a line break."""
    places, breaks = _lines(example.text)
    last = np.maximum.accumulate(np.where(breaks, places, -1))
    return example.at_last(np.asarray(places - last, np.float64))


def _lines(text: str) -> tuple[npt.NDArray[np.intp], npt.NDArray[np.bool_]]:
    return np.arange(len(text)), np.array([character == "\n" for character in text], bool)


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

    def says(concept: Concept) -> bool:
        for layer in layers:
            said = tracks(recording, [concept], layer=layer)[concept.name].values
            known = said[~np.isnan(said)]
            if known.size and known.min() < known.max():
                return True
        return False

    return tuple(filter(says, resolve(TEXT if concepts is None else concepts)))
