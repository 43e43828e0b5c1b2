# What is given as a vocabulary may be of many types: Any.
# ruff: noqa: ANN401
"""What the numbers that a model reads and writes stand for."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal, Protocol, runtime_checkable

import numpy as np

from lstm_widgets.checks import is_whole
from lstm_widgets.tokens.words import Spelling

if TYPE_CHECKING:
    import numpy.typing as npt

    Ids = npt.NDArray[np.int64]
    Tokens = npt.NDArray[np.object_]

__all__ = ["Encoding", "Lookup", "Vocabulary"]

# How far a scaled id may be from id / size, times size.
NEARLY_WHOLE = 1e-2


@runtime_checkable
class Lookup(Protocol):
    """A part of a model, or a layer made for one, that makes ids of strings."""

    @property
    def tokens(self) -> Sequence[str]:
        """Its tokens by id."""

    @property
    def unknown(self) -> int | None:
        """The id that it reads unknown tokens as, the first if it has several; None: it has none."""

    @property
    def cuts(self) -> bool:
        """Whether it cuts texts into tokens itself."""

    @property
    def splits(self) -> Literal["words", "characters"] | None:
        """What it cuts them into; None where tokens themselves tell."""

    def encode(self, strings: Sequence[str]) -> Ids:
        """Make ids of tokens ``(n,)``; of texts, if it cuts them, a row each ``(n, tokens)``."""

    def own_ids(self, strings: npt.NDArray[Any]) -> Ids | None:
        """Make ids of an input of its model, as it does there; None if it makes something else."""


class Vocabulary:
    """Tokens by id, and ids by token.

    Parameters
    ----------
    given : str, sequence of str, mapping, or Lookup
        The tokens by id, as a list, tuple or str of characters; a dict from token to id (or from
        id to token); or a :class:`Lookup`.
    unknown : int or str, optional
        The id, or the token, that what isn't in the vocabulary is read as. A lookup has its own.

    Attributes
    ----------
    tokens : object array (id,)
        Object array of str by id; ``""`` for an id that stands for nothing.
    size : int
        The number of tokens.
    """

    def __init__(self, given: Any, unknown: int | str | None = None) -> None:
        self._lookup = given if isinstance(given, Lookup) else None
        names = list(self._lookup.tokens) if self._lookup else _by_id(given)
        self.tokens: Tokens = np.empty(len(names), object)
        self.tokens[:] = ["" if name is None else name for name in names]
        self.size = sum(name is not None for name in names)
        self._ids: dict[str, int] = {}
        for k, name in enumerate(names):
            if name is not None and self._ids.setdefault(name, k) != k and not self._lookup:
                raise ValueError(f"vocabulary: expected different tokens, got {name!r} twice")
        self._longest = max(map(len, self._ids), default=1)
        self._own_unknown = self._lookup.unknown if self._lookup else None
        self._unknown = self._standard_unknown(unknown)

    def _standard_unknown(self, unknown: Any) -> int | None:
        if unknown is None:
            return None
        if isinstance(unknown, str):
            if unknown not in self._ids:
                raise ValueError(
                    f"unknown: expected an id or a token of the vocabulary, got {unknown!r}"
                )
            unknown = self._ids[unknown]
        if not is_whole(unknown) or unknown < 0:
            raise TypeError(f"unknown: expected an id (0 or more) or a token, got {unknown!r:.80}")
        if self._own_unknown is not None and int(unknown) != self._own_unknown:
            raise ValueError(
                f"unknown: expected None, because the layer that vocabulary is reads what it "
                f"doesn't know as id {self._own_unknown} itself; got {unknown!r}"
            )
        return int(unknown)

    def has(self, token: str) -> bool:
        """Whether a token is in the vocabulary."""
        return token in self._ids

    def id_of(self, token: str) -> int:
        """Tell the id of a token of the vocabulary."""
        return self._ids[token]

    @property
    def spelling(self) -> Spelling:
        """How its tokens spell a text: as words if it splits at whitespace, else as they tell."""
        if self._lookup is not None and self._lookup.splits is not None:
            return Spelling(self._lookup.splits)
        return Spelling.of(self._ids)

    def decode(self, ids: npt.NDArray[Any]) -> Tokens:
        """Name ids of any shape; ``""`` for those that stand for nothing."""
        known = (ids >= 0) & (ids < len(self.tokens))
        tokens: Tokens = self.tokens[np.where(known, ids, 0)]
        tokens[~known] = ""
        return tokens

    def encode(self, text: str | Sequence[str], where: str) -> tuple[Tokens, Ids]:
        """Cut a text into tokens of the vocabulary, and tell their ids.

        A str is cut by the lookup if there is one that does, else into the longest tokens
        that the vocabulary has, from its beginning. A sequence of str is one of tokens.

        Raises
        ------
        ValueError
            If something in the text is no token of the vocabulary and there is no id for such, or
            what is given as a token is several.
        """
        if self._lookup is not None and self._lookup.cuts:
            return self._encode_by_lookup(self._lookup, text, where)
        words = self._lookup is not None and self.spelling.apart
        if not isinstance(text, str):
            pieces = list(text)
        elif self._lookup is not None:
            pieces = text.split() if words else list(text)
        else:
            pieces = self._cut(text)
        tokens: Tokens = np.empty(len(pieces), object)
        tokens[:] = pieces
        if self._lookup is not None and self._own_unknown is not None and pieces:
            return tokens, self._lookup.encode(pieces)
        self._expect_known(pieces, where, written=isinstance(text, str) and not words)
        ids = [self._ids.get(token, self._unknown) for token in pieces]
        return tokens, np.array(ids, np.int64)

    def settled(self, text: str) -> int:
        """Tell how much of a text's beginning makes the same tokens whatever follows it, in characters.

        Raises
        ------
        ValueError
            If that can't be told of the layer that the vocabulary is.
        """
        lookup = self._lookup
        if lookup is not None and lookup.cuts and lookup.splits is None:
            raise ValueError(
                "vocabulary: expected one that splits a text that is read in pieces into words or "
                "characters, got a layer that splits it in a way of its own"
            )
        if lookup is not None:
            words = lookup.splits == "words" if lookup.cuts else self.spelling.apart
            end = len(text) - len(text.rstrip()) if words else 0
            return (
                len(text)
                if not words or end
                else len(text) - len(text.rsplit(maxsplit=1)[-1])
                if text
                else 0
            )
        if self._longest == 1:
            return len(text)
        start = 0
        for piece in self._cut(text):
            if start + self._longest > len(text):
                break
            start += len(piece)
        return start

    def _expect_known(self, pieces: Sequence[str], where: str, *, written: bool) -> None:
        """Refuse what isn't in the vocabulary, unless there is an id for it.

        ``written`` tells that positions are those of characters, and not of tokens.
        """
        if self._unknown is not None:
            return
        unknown: dict[str, int] = {}
        position = 0
        for k, token in enumerate(pieces):
            if token not in self._ids:
                unknown.setdefault(token, position if written else k)
            position += len(token)
        if unknown:
            (first, k), *others = unknown.items()
            more = ", ".join(map(repr, list(dict(others))[:8]))
            more = f" (nor are {more}{' and more' if len(others) > 8 else ''})" if others else ""
            raise ValueError(
                f"{where}: {first!r} at position {k} is not in the vocabulary{more}; unknown= sets "
                "the id or token that stands for it"
            )

    def _cut(self, text: str) -> list[str]:
        if self._longest == 1:
            return list(text)
        pieces: list[str] = []
        start = 0
        while start < len(text):
            for length in range(self._longest, 0, -1):
                piece = text[start : start + length]
                if piece in self._ids:
                    break
            else:
                piece = text[start]
            pieces.append(piece)
            start += len(piece)
        return pieces

    def _encode_by_lookup(
        self, lookup: Lookup, text: str | Sequence[str], where: str
    ) -> tuple[Tokens, Ids]:
        pieces = [text] if isinstance(text, str) else list(text)
        ids = lookup.encode(pieces)
        several = np.flatnonzero((ids != 0).sum(axis=1) > 1)
        if len(pieces) > 1 and len(several):
            raise ValueError(
                f"{where}: expected one text, as a str or a list of its tokens, got a list in "
                f"which {pieces[several[0]]!r:.60} is several tokens; pass several texts as "
                "an array of ids"
            )
        ids = ids[0] if len(pieces) == 1 else ids[ids != 0]
        return self.decode(ids), ids


@dataclass(frozen=True)
class Encoding:
    """How ids stand in a model's input: as they are, one-hot, or scaled to ``id / size``."""

    kind: Literal["ids", "one-hot", "scaled"]
    size: int

    @classmethod
    def of(cls, shape: tuple[int | None, ...] | None, size: int | None) -> Encoding | None:
        """Tell it from the shape of a model's input and a vocabulary's size, or None.

        ``shape`` is ``(example, timestep)`` or ``(example, timestep, feature)``; None, if the model
        doesn't tell, counts as the first.
        """
        if shape is None or len(shape) == 2:
            return cls("ids", size or 0)
        if len(shape) != 3:
            return None
        if shape[2] == 1:
            return None if size is None else cls("scaled", size)
        if shape[2] is None or size not in (None, shape[2]):
            return None
        return cls("one-hot", shape[2])

    def read(self, values: npt.NDArray[Any]) -> Ids | None:
        """Read ids ``(..., timestep)`` off an input; -1 for padding, None if it is no such."""
        if self.kind == "one-hot":
            ones = values == 1
            if not (ones | (values == 0)).all() or (ones.sum(axis=-1) > 1).any():
                return None
            return np.where(ones.any(axis=-1), ones.argmax(axis=-1), -1)
        if self.kind == "scaled":
            values = values[..., 0]
        whole = np.round(values)
        if not np.array_equal(whole, values) and self.size:
            # Also for a model that scales or reshapes ids itself.
            values = values * self.size
            whole = np.round(values)
            if np.abs(values - whole).max(initial=0) > NEARLY_WHOLE:
                return None
        if not np.isfinite(whole).all() or (whole < 0).any():
            return None
        return whole.astype(np.int64)

    def write(self, ids: Ids) -> npt.NDArray[Any]:
        """Make an input ``(..., timestep)`` or ``(..., timestep, feature)`` of ids."""
        if self.kind == "one-hot":
            known = (ids >= 0)[..., None]  # padding has -1
            return np.eye(self.size, dtype=np.float32)[np.maximum(ids, 0)] * known
        if self.kind == "scaled":
            return (np.maximum(ids, 0) / self.size).astype(np.float32)[..., None]
        return ids


def _by_id(given: Any) -> list[str | None]:
    """List tokens by id, None for an id that has none."""
    if isinstance(given, Mapping):
        pairs = list(given.items())
        if pairs and all(isinstance(token, str) for _, token in pairs):
            pairs = [(token, k) for k, token in pairs]  # from id to token
        names: dict[int, str] = {}
        for token, k in pairs:
            if not isinstance(token, str) or not is_whole(k) or k < 0:
                raise TypeError(
                    f"vocabulary: expected a dict from str to id (int), got {token!r}: {k!r}"
                )
            if names.setdefault(int(k), token) != token:
                raise ValueError(
                    f"vocabulary: expected different ids, got {k} for {names[int(k)]!r} "
                    f"and {token!r}"
                )
        if not names:
            raise ValueError("vocabulary: expected at least one token, got an empty dict")
        return [names.get(k) for k in range(max(names) + 1)]
    if not isinstance(given, Sequence) and not isinstance(given, np.ndarray):
        raise TypeError(f"vocabulary: expected a list or dict, got {given!r:.80}")
    tokens = [str(token) if isinstance(token, str) else token for token in given]
    for token in tokens:
        if not isinstance(token, str):
            raise TypeError(f"vocabulary: expected str, got {token!r}")
    if not tokens:
        raise ValueError("vocabulary: expected at least one token, got none")
    return tokens
