"""Finding a text among the tokens of a recording: js/src/data/search.js in Python."""

from __future__ import annotations

from itertools import chain
from typing import TYPE_CHECKING

import numpy as np

from lstm_widgets.recording.rows import Rows
from lstm_widgets.tokens.words import Joined, spelling_of

if TYPE_CHECKING:
    from collections.abc import Sequence

    import numpy.typing as npt
    import xarray as xr

    from lstm_widgets.tokens.words import Piece

#: Places that are kept at most; the first ones.
MOST_HITS = 100_000


#: Tokens that are looked through at a time.
_STRETCH = 1 << 16


class Search:
    """
    Finds a text in one that comes in stretches, capitals or not.

    Parameters
    ----------
    query : str
        What is looked for.
    """

    def __init__(self, query: str) -> None:
        self._wanted = query.lower()
        # What a place may begin in of the stretches before, and the number of its first token.
        self._text, self._token = "", 0
        self._starts = self._stops = np.zeros(0, np.intp)

    def go_on(self, pieces: Sequence[Piece]) -> list[tuple[int, int]]:
        """
        Give the places that end in some tokens.

        Parameters
        ----------
        pieces : sequence of Piece
            What each of them adds to the running text.

        Returns
        -------
        list of tuple of int
            The tokens that it touches at each place, stop excluded. Places don't overlap in the text; what
            is nothing but the space between two words touches none.
        """
        wanted = self._wanted
        if not wanted:
            return []
        lowered = {piece: (piece.before.lower(), piece.text.lower()) for piece in set(pieces)}
        texts = list(chain.from_iterable(map(lowered.__getitem__, pieces)))
        ends = len(self._text) + np.cumsum(np.fromiter(map(len, texts), np.intp, len(texts)))
        whole = self._text + "".join(texts)
        starts = np.concatenate([self._starts, ends[::2]])
        stops = np.concatenate([self._stops, ends[1::2]])
        found: list[tuple[int, int]] = []
        at, end = whole.find(wanted), 0
        while at >= 0 and len(found) < MOST_HITS:
            end = at + len(wanted)
            # The first token that ends behind its beginning, and the first that begins behind its end.
            first = int(np.searchsorted(stops, at, "right"))
            stop = int(np.searchsorted(starts, end, "left"))
            if stop > first:
                found.append((self._token + first, self._token + stop))
            at = whole.find(wanted, end)
        done = max(end, len(whole) - len(wanted) + 1)
        gone = int(np.searchsorted(stops, done, "right"))
        self._token += gone
        self._text = whole[done:]
        self._starts, self._stops = starts[gone:] - done, stops[gone:] - done
        return found


def hits_of(
    dataset: xr.Dataset, query: str
) -> tuple[npt.NDArray[np.uint32], npt.NDArray[np.uint32]]:
    """
    Find where a text stands among the tokens of a layer.

    Parameters
    ----------
    dataset : xarray.Dataset
        One layer of a recording, with tokens. They are read a stretch at a time.
    query : str

    Returns
    -------
    tuple of numpy.ndarray
        uint32: the first column of each place and the one behind its last, in order; at most
        ``MOST_HITS``.
    """
    tokens, timesteps = Rows(dataset["token"]), dataset.sizes["timestep"]
    spelling = spelling_of(dataset)
    found: list[tuple[int, int]] = []
    for start in range(0, len(tokens), max(1, timesteps)):
        search, before = Search(query), Joined()
        stop = start + timesteps
        for column in range(start, stop, _STRETCH):
            end = min(column + _STRETCH, stop)
            row = tokens[column:end].tolist()
            pieces, before = spelling.go_on(before, row, last=end == stop)
            found += [(start + first, start + last) for first, last in search.go_on(pieces)]
            if len(found) >= MOST_HITS:
                break
        if len(found) >= MOST_HITS:
            break
    columns = np.array(found[:MOST_HITS], np.uint32).reshape(-1, 2)
    return columns[:, 0].copy(), columns[:, 1].copy()
