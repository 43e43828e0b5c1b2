# What a text or a series is kept in may be of many types: Any.
# ruff: noqa: ANN401
"""A text or a series that is read from its beginning, as many timesteps at a time as are asked for."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from lstm_widgets.models.gather import plain
from lstm_widgets.running import texts
from lstm_widgets.tokens.vocabulary import Encoding, Vocabulary

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    import numpy.typing as npt

    from lstm_widgets.models.adapter import Adapter

    Piece = tuple[npt.NDArray[Any], list[str] | None]

__all__ = ["Feed", "of_array", "of_text"]

# Timesteps, or characters, that are taken at a time.
_TAKEN = 1 << 14


class Feed:
    """What a model reads over time, of which only what is still needed is kept.

    Parameters
    ----------
    pieces : iterator
        One after the other: what the model takes ``(timestep, ...)``, and the tokens that stand there, if
        these can't be read off it.
    count : int, optional
        How many timesteps there are; None: that is known when all are read.
    """

    def __init__(self, pieces: Iterator[Piece], count: int | None) -> None:
        self._pieces = pieces
        self.count = count
        self._first = 0  # the timestep at which what is kept begins
        self._values: npt.NDArray[Any] | None = None
        self._tokens: list[str] | None = None

    @property
    def _end(self) -> int:
        return self._first + (0 if self._values is None else len(self._values))

    def reach(self, stop: int) -> int:
        """Read on up to a timestep, and tell how many there are up to there."""
        values, tokens = [], []
        end = self._end
        while end < stop:
            piece = next(self._pieces, None)
            if piece is None:
                self.count = end
                break
            values.append(piece[0])
            tokens.append(piece[1])
            end += len(piece[0])
        if values:
            before = [] if self._values is None else [self._values]
            self._values = np.concatenate([*before, *values])
            if tokens[0] is not None:
                self._tokens = (self._tokens or []) + [t for some in tokens for t in some or ()]
        return min(stop, end)

    def between(self, start: int, stop: int) -> tuple[npt.NDArray[Any], list[str] | None]:
        """Give what stands from ``start`` to before ``stop``, which was reached."""
        here = slice(start - self._first, stop - self._first)
        assert self._values is not None  # noqa: S101
        return self._values[here], None if self._tokens is None else self._tokens[here]

    def forget(self, start: int) -> None:
        """Let go what stands before a timestep."""
        more = min(start, self._end) - self._first
        if more > 0 and self._values is not None:
            self._values = self._values[more:].copy()
            self._tokens = None if self._tokens is None else self._tokens[more:]
            self._first += more


def of_array(values: Any) -> Feed:
    """Read an array, a table, or what else has a shape and can be sliced, such as an array on disk."""
    count = int(values.shape[0])

    def pieces() -> Iterator[Piece]:
        for start in range(0, count, _TAKEN):
            yield sliced(values, start, min(start + _TAKEN, count)), None

    return Feed(pieces(), count)


def sliced(values: Any, start: int, stop: int) -> npt.NDArray[Any]:
    """Take some along the first axis of an array, a table or an array on disk."""
    rows = values.iloc if hasattr(values, "iloc") else values
    return np.asarray(plain(rows[start:stop]))


def of_text(
    model: Adapter, text: str | Path | Sequence[str], vocabulary: Vocabulary | None
) -> Feed:
    """Read a written text, the file of one in UTF-8, or a list of tokens."""
    encode = _encoder(model, vocabulary)
    if not isinstance(text, (str, Path)):
        tokens, count = text, len(text)
        starts = range(0, count, _TAKEN)
        return Feed((encode(list(tokens[k : k + _TAKEN]), k) for k in starts), count)
    own = vocabulary
    if model.lookup is not None:
        own = vocabulary or Vocabulary(model.lookup)
    assert own is not None  # noqa: S101  (refused otherwise)
    return Feed(_cut(text, own, encode), None)


def _encoder(
    model: Adapter, vocabulary: Vocabulary | None
) -> Callable[[str | list[str], int], Piece]:
    lookup = model.lookup if model.reads_strings else None
    encoding = Encoding.of(model.input_shape, None if vocabulary is None else vocabulary.size)
    if lookup is None:
        texts.encode(model, "", vocabulary, encoding)  # refuses what can't be read

    def encode(written: str | list[str], start: int) -> Piece:
        try:
            if lookup is not None:
                return texts.split(written, vocabulary or Vocabulary(lookup)), None
            tokens, values = texts.encode(model, written, vocabulary, encoding)
        except ValueError as error:
            error.add_note(f"This is about a part of the text that begins at position {start}.")
            raise
        return values, tokens.tolist()

    return encode


def _cut(
    text: str | Path, vocabulary: Vocabulary, encode: Callable[[str | list[str], int], Piece]
) -> Iterator[Piece]:
    """Cut a text where no token is cut in two."""
    left, start = "", 0
    for part in _characters(text):
        left += part
        end = vocabulary.settled(left)
        if end:
            yield encode(left[:end], start)
            left, start = left[end:], start + end
    if left:
        yield encode(left, start)


def _characters(text: str | Path) -> Iterator[str]:
    if isinstance(text, str):
        yield from (text[k : k + _TAKEN] for k in range(0, len(text), _TAKEN))
        return
    with text.open(encoding="utf-8") as file:
        while True:
            try:
                part = file.read(_TAKEN)
            except UnicodeDecodeError as error:
                raise ValueError(
                    f"inputs: expected a text in UTF-8, but {str(text)!r} is none: {error}"
                ) from error
            if not part:
                return
            yield part
