"""One example, as concepts see it: a stretch of its tokens at a time, and the text that all of them make.

Of a long example, only its text is held as a whole: a byte a character, or a few where it needs them.
"""

from __future__ import annotations

import functools
import itertools
import re
import unicodedata
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, NamedTuple, TypeAlias

import numpy as np
import numpy.typing as npt

from lstm_widgets.tokens.words import UNSPACED, Joined, Piece, Spelling

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Sequence

Track: TypeAlias = npt.NDArray[Any]
# From one place of a text to another.
Pair: TypeAlias = tuple[int, int]

#: Timesteps that are looked at together, padding included.
STRETCH = 1 << 16


def read_together() -> int:
    """Tell how many timesteps are read together: whole stretches, as many as chunks on disk have."""
    return 4 * STRETCH


class Row(NamedTuple):
    """What stands at some timesteps of an example, padding left out."""

    tokens: tuple[str, ...] | None
    """The tokens, or None if they aren't known."""
    timesteps: npt.NDArray[np.intp]
    """Which timesteps of the recording they are, ``(count,)``."""
    times: npt.NDArray[Any] | None = None
    """The dates (in UTC) or numbers that they stand for, where they are known, ``(count,)``."""
    positions: npt.NDArray[np.integer[Any]] | None = None
    """Which timesteps of the series that was read they are, where not all were recorded, ``(count,)``."""


@dataclass(frozen=True, eq=False)
class Example:
    """One example, as a concept sees it: without its padding.

    Parameters
    ----------
    count : int
        How many timesteps it has.
    width : int
        How many timesteps the recording has, padding included.
    read : callable
        From the first and the last timestep, excluded and padding included, to the `Row` between.
    number : int
        Its index in the recording.
    examples : int, optional
        How many examples the recording has, or None where that isn't known.
    spelling : Spelling, optional
        How the tokens spell a text, or None where only these tokens tell.
    label : str, optional
        What it is called.
    zone : str
        The time zone in which dates were given, "" if in none.
    """

    count: int
    width: int
    read: Callable[[int, int], Row]
    number: int = 0
    examples: int | None = None
    spelling: Spelling | None = None
    label: str | None = None
    zone: str = ""

    @classmethod
    def of(cls, tokens: Sequence[str]) -> Example:
        """Make one of tokens alone."""
        given = tuple(tokens)

        def read(start: int, stop: int) -> Row:
            return Row(given[start:stop], np.arange(start, stop))

        return cls(len(given), len(given), read)

    def stretches(self) -> Iterator[Stretch]:
        """Give its timesteps a stretch at a time, in order: one at least."""
        if self.width <= STRETCH:
            yield self._whole
            return
        first = 0
        for k, start in enumerate(range(0, self.width, STRETCH)):
            stretch = Stretch(self, k, start, min(start + STRETCH, self.width), first)
            first += stretch.count
            yield stretch

    @functools.cached_property
    def _whole(self) -> Stretch:
        return Stretch(self, 0, 0, self.width, 0)

    @functools.cached_property
    def tokens(self) -> tuple[str, ...]:
        """All its tokens, where they are known."""
        return tuple(itertools.chain.from_iterable(stretch.tokens for stretch in self.stretches()))

    @functools.cached_property
    def _spelled(self) -> Spelling:
        return Spelling.of(self.tokens) if self.spelling is None else self.spelling

    @functools.cached_property
    def _joined(self) -> tuple[str, list[int], list[Joined]]:
        """All tokens, joined; where in the text stretches begin, and what stands before them."""
        texts, places, states = [], [0], [Joined()]
        for stretch in self.stretches():
            pieces, state = stretch.joined(states[-1])
            texts.append("".join([before + text for before, text, _ in pieces]))
            places.append(places[-1] + len(texts[-1]))
            states.append(state)
        return "".join(texts), places, states

    def before(self, stretch: Stretch) -> Joined:
        """Tell what a stretch depends on of what stands before it."""
        return self._joined[2][stretch.number] if stretch.number else Joined()

    def go_on(self, before: Joined, stretch: Stretch) -> tuple[list[Piece], Joined]:
        """Give what each token of a stretch adds to the text, and what the next one depends on."""
        last = stretch.first + stretch.count == self.count
        return self._spelled.go_on(before, stretch.tokens, last=last)

    @property
    def text(self) -> str:
        """The tokens, joined."""
        return self._joined[0]

    def span_of(self, stretch: Stretch) -> Pair:
        """Tell where in the text a stretch begins and ends."""
        places = self._joined[1]
        return places[stretch.number], places[stretch.number + 1]

    @functools.cached_property
    def _kinds(self) -> bytes:
        """A letter for each character of the text: what it is to words.

        Letters and digits w, marks on them m, apostrophes ', others x; W and M, where a token begins
        a word without a space before it, as in scripts that are written without.
        """
        text, apart = self.text, self._spelled.apart
        parts = []
        for start in range(0, len(text), STRETCH):
            part = text[start : start + STRETCH]
            letters = {ord(character): _kind_of(character, apart=apart) for character in set(part)}
            parts.append(part.translate(letters).encode("ascii"))
        kinds = bytearray().join(parts)
        if apart and _UNSPACED.search(text):
            for stretch in self.stretches():
                new = [
                    k for k, piece in zip(stretch.starts, stretch.pieces, strict=True) if piece.new
                ]
                for k in new:
                    kinds[k : k + 1] = kinds[k : k + 1].replace(b"w", b"W").replace(b"m", b"M")
        return bytes(kinds)

    def words(self, start: int, stop: int) -> Iterator[Pair]:
        """Find the words that have characters between two places of the text, in order.

        Letters, digits and underscores with their accents, and apostrophes between them. Characters
        of scripts without spaces make no words, unless the tokens are words.
        """
        kinds = self._kinds
        for match in _WORD.finditer(kinds, kinds.rfind(b"x", 0, start) + 1):
            first, end = match.span()
            if first >= stop:
                return
            cuts = [first, *(new.start() for new in _NEW.finditer(kinds, first + 1, end)), end]
            for word in itertools.pairwise(cuts):
                if word[1] > start and word[0] < stop:
                    yield word


class Stretch:
    """Some timesteps of an example that follow each other, without its padding.

    What concepts are told of it is worked out when one of them asks.

    Parameters
    ----------
    example : Example
        The example.
    number : int
        How many stretches stand before it.
    start, stop : int
        Which timesteps of the recording it has, padding included.
    first : int
        How many of the example's timesteps stand before it.
    """

    def __init__(self, example: Example, number: int, start: int, stop: int, first: int) -> None:
        self.example = example
        self.number = number
        self.start = start
        self.stop = stop
        self.first = first
        self._row = example.read(start, stop)
        self.count = len(self._row.timesteps)
        self._joined: tuple[list[Piece], Joined] | None = None

    @property
    def tokens(self) -> tuple[str, ...]:
        """The tokens, where they are known."""
        if self._row.tokens is None:
            raise ValueError(
                "concepts: this one needs tokens, and the recording has none; record with tokens= "
                "or vocabulary="
            )
        return self._row.tokens

    @property
    def timesteps(self) -> npt.NDArray[np.intp]:
        """Which timesteps of the recording they are, ``(count,)``."""
        return self._row.timesteps

    @property
    def times(self) -> npt.NDArray[Any] | None:
        """The dates (in UTC) or numbers that they stand for, where they are known, ``(count,)``."""
        return self._row.times

    @property
    def positions(self) -> npt.NDArray[np.integer[Any]] | None:
        """Which timesteps of the series that was read they are, where not all were recorded."""
        return self._row.positions

    def joined(self, before: Joined | None = None) -> tuple[list[Piece], Joined]:
        """Give what each token adds to the text before it, and what the next stretch depends on."""
        if self._joined is None:
            before = self.example.before(self) if before is None else before
            self._joined = self.example.go_on(before, self)
        return self._joined

    @property
    def pieces(self) -> list[Piece]:
        """What each token adds to the text."""
        return self.joined()[0]

    @functools.cached_property
    def said(self) -> list[str]:
        """What each token says in the text, without the marks of its tokenizer or spaces around."""
        return [text.strip() or text for _, text, _ in self.pieces]

    def each(self, function: Callable[[str], bool]) -> npt.NDArray[np.bool_]:
        """Ask a question of what each token says."""
        return self._each(self.said, function, np.bool_)

    def each_token(self, function: Callable[[str], bool]) -> npt.NDArray[np.bool_]:
        """Ask a question of each token as it was given."""
        return self._each(self.tokens, function, np.bool_)

    def _each(self, texts: Sequence[str], function: Callable[[str], Any], dtype: Any) -> Track:  # noqa: ANN401
        answers = {text: function(text) for text in set(texts)}
        values: Track = np.fromiter(map(answers.__getitem__, texts), dtype, self.count)
        return values

    @functools.cached_property
    def span(self) -> Pair:
        """Where in the text of the example it begins and ends."""
        return self.example.span_of(self)

    @functools.cached_property
    def breaks(self) -> npt.NDArray[np.bool_]:
        """Which of its characters are line breaks."""
        text = self.example.text[slice(*self.span)]
        codes = np.frombuffer(text.encode("utf-32-le", "surrogatepass"), "<u4")
        return np.asarray(codes == ord("\n"))

    @functools.cached_property
    def words(self) -> npt.NDArray[np.intp]:
        """Where in the text words begin and end, of all that have characters in it, ``(word, 2)``."""
        words = itertools.chain.from_iterable(self.example.words(*self.span))
        return np.fromiter(words, np.intp).reshape(-1, 2)

    @functools.cached_property
    def _sizes(self) -> npt.NDArray[np.intp]:
        return np.fromiter((len(text) for _, text, _ in self.pieces), np.intp, self.count)

    @functools.cached_property
    def ends(self) -> npt.NDArray[np.intp]:
        """The place in the text after each token."""
        spaces = np.fromiter((len(before) for before, _, _ in self.pieces), np.intp, self.count)
        return np.asarray(self.span[0] + np.cumsum(self._sizes + spaces))

    @functools.cached_property
    def starts(self) -> npt.NDArray[np.intp]:
        """The place in the text of the first character of each token."""
        return np.asarray(self.ends - self._sizes)

    @functools.cached_property
    def _seen(self) -> npt.NDArray[np.intp]:
        """The place in the text after the last character of each token that isn't white space."""
        texts = [text for _, text, _ in self.pieces]
        return np.asarray(self.ends + self._each(texts, _trailing, np.intp))

    def at_last(self, values: Track) -> Track:
        """From one value a character to one a token: that of its last character.

        Parameters
        ----------
        values : array
            Of its characters, after that of the character before them, ``(1 + characters,)``.
        """
        return np.asarray(values[self.ends - self.span[0]])

    def at_last_seen(self, values: Track) -> Track:
        """Take it of the last character of a token that isn't white space."""
        return np.asarray(values[self._seen - self.span[0]])

    def at_any(self, values: Track) -> Track:
        """From one value a character to one a token: whether any of its characters has it."""
        so_far = np.cumsum(values)
        start = self.span[0]
        return np.asarray(so_far[self.ends - start] > so_far[self.starts - start])


def shared(stretches: Iterable[Stretch], count: int) -> list[Iterator[Stretch]]:
    """Let several look at the same stretches; each is there until the last of them has seen it.

    (`itertools.tee` keeps dozens.)
    """
    source = iter(stretches)

    def own(link: list[Any]) -> Iterator[Stretch]:
        while True:
            if not link:
                following = next(source, None)
                if following is None:
                    return
                link += [following, []]
            stretch, link = link
            yield stretch

    first: list[Any] = []
    return [own(first) for _ in range(count)]


_UNSPACED = re.compile(f"[{UNSPACED}]")
_WORD = re.compile(rb"[wW][wmWM]*+(?:'[wW][wmWM]*+)*+")
_NEW = re.compile(rb"[WM]")


def _kind_of(character: str, *, apart: bool) -> str:
    if character in "'’":
        return "'"
    if not apart and _UNSPACED.match(character):
        return "x"
    if character.isalnum() or character == "_":
        return "w"
    joiner = character in "\u200c\u200d\u00ad"
    return "m" if joiner or unicodedata.category(character)[0] == "M" else "x"


def _trailing(text: str) -> int:
    """Count the white space at the end, as less than nothing; none if there is nothing else."""
    return len(text.rstrip()) - len(text) if text.strip() else 0
