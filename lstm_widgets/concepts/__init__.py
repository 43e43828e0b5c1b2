"""Concepts: properties of each timestep that cells are compared with.

A :class:`Concept` turns the tokens of one example into a *track*: one value for each timestep, yes or
no ("inside quotes"), or a number ("length of the line so far").

- What the token is: `upper_case`, `digit`, `vowel`, `whitespace`, `newline`, `punctuation`,
  ``is_token``, ``next_is``, ``matches``.
- Where it stands: `inside_double_quotes`, `inside_single_quotes`, `inside_brackets`, `inside_tag`,
  `inside_comment`, `word_start`, `word_end`, `first_word_of_sentence`, `position_in_word`,
  `position_in_line`, `line_length`, `bracket_depth`, `tag_depth`, ``since``.
- What number it is: `value`, `running_sum`, `carry`.
- What example it belongs to: ``label``, ``length``, ``correct``.
- Your own: ``of`` a function, ``track`` for an array, ``matches`` for a regular expression.

``a & b``, ``a | b``, ``~a`` and ``a.shift(n)`` make new ones. :data:`TEXT` has all that need
nothing but a text.

Tokens may be characters, words, or subwords with their spaces in them or with the marks of a
tokenizer (``##ing``, ``Ġthe``, ``▁the``, ``the</w>``). They are joined into one text, words with a
space between. A token of several characters has the value of its last one, unless a concept says
otherwise.

An opening mark without a partner in its paragraph (for markup, in the document) is ignored;
``inside_brackets.within("document")`` looks for partners in the whole document.
"""

from lstm_widgets.concepts.concept import Concept, Concepts, matches, of, track
from lstm_widgets.concepts.labels import correct, label, length
from lstm_widgets.concepts.make_tracks import resolve, tracks
from lstm_widgets.concepts.markup import (
    bracket_depth,
    inside_brackets,
    inside_comment,
    inside_tag,
    tag_depth,
)
from lstm_widgets.concepts.numbers import carry, running_sum, value
from lstm_widgets.concepts.quotes import inside_double_quotes, inside_single_quotes
from lstm_widgets.concepts.text import (
    TEXT,
    digit,
    first_word_of_sentence,
    fitting,
    is_token,
    line_length,
    newline,
    next_is,
    position_in_line,
    position_in_word,
    punctuation,
    since,
    upper_case,
    vowel,
    whitespace,
    word_end,
    word_start,
)

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
