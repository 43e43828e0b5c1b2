"""One example, as a concept sees it: its tokens, joined into a text, and the words in it."""

from __future__ import annotations

import functools
import itertools
import re
import unicodedata
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, TypeAlias

import numpy as np
import numpy.typing as npt

from lstm_widgets.tokens.words import UNSPACED, Piece, Spelling

if TYPE_CHECKING:
    from collections.abc import Iterable

Track: TypeAlias = npt.NDArray[Any]
# From one place of a text to another.
Pair: TypeAlias = tuple[int, int]


@dataclass(frozen=True, eq=False)
class Example:
    """One example, as a concept sees it: without its padding.

    Parameters
    ----------
    count : int
        How many timesteps it has.
    given : tuple of str, optional
        Its tokens, or None if they aren't known.
    number : int
        Its index in the recording.
    timesteps : int array (count,), optional
        The timesteps of the recording that are left without the padding, ``(count,)``.
    examples : int, optional
        How many examples the recording has, or None where that isn't known.
    width : int, optional
        How many timesteps the recording has, padding included.
    spelling : Spelling, optional
        How the tokens spell a text, or None where only these tokens tell.
    times : array (count,), optional
        The dates (in UTC) or numbers that its timesteps stand for, where they are known.
    zone : str
        The time zone in which dates were given, "" if in none.
    positions : int array (count,), optional
        Which timesteps of the series that was read they are, where not all of them were recorded.
    label : str, optional
        What it is called.
    """

    count: int
    given: tuple[str, ...] | None
    number: int = 0
    timesteps: npt.NDArray[np.intp] | None = None
    examples: int | None = None
    width: int | None = None
    spelling: Spelling | None = None
    times: npt.NDArray[Any] | None = None
    positions: npt.NDArray[np.integer[Any]] | None = None
    label: str | None = None
    zone: str = ""

    @property
    def tokens(self) -> tuple[str, ...]:
        """The tokens, where they are known."""
        if self.given is None:
            raise ValueError(
                "concepts: this one needs tokens, and the recording has none; record with tokens= "
                "or vocabulary="
            )
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
        """Take it of the last character of a token that isn't white space."""
        trailing = [
            len(text.rstrip()) - len(text) if text.strip() else 0 for _, text, _ in self.pieces
        ]
        return _taken(values, self.ends + np.array(trailing, np.intp))

    def at_any(self, values: npt.NDArray[np.bool_]) -> npt.NDArray[np.bool_]:
        """From one value a character to one a token: whether any of its characters has it."""
        so_far = np.append(0, np.cumsum(values))
        return np.asarray(so_far[self.ends] > so_far[self._starts])


_UNSPACED = re.compile(f"[{UNSPACED}]")
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
    """Give the values before some places; none before the first."""
    fill = False if values.dtype == bool else np.nan
    return np.append(values, fill)[np.where(ends > 0, ends - 1, len(values))]


def marked(text: str, spans: Iterable[tuple[int, int]]) -> npt.NDArray[np.bool_]:
    """Mark the characters between start and end of each span."""
    inside = np.zeros(len(text), bool)
    for start, stop in spans:
        inside[start:stop] = True
    return inside
