"""Finding a text among the tokens of a recording: js/src/data/search.js in Python."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from lstm_widgets.tokens.words import spelling_of

if TYPE_CHECKING:
    from collections.abc import Sequence

    import numpy.typing as npt
    import xarray as xr

    from lstm_widgets.tokens.words import Piece

#: Places that are kept at most; the first ones.
MOST_HITS = 100_000


def hits_in(pieces: Sequence[Piece], query: str) -> list[tuple[int, int]]:
    """
    Find where a text stands in one example, capitals or not.

    Parameters
    ----------
    pieces : sequence of Piece
        What each token adds to the running text.
    query : str

    Returns
    -------
    list of tuple of int
        The tokens that it touches at each place, stop excluded. Places don't overlap in the text; what
        is nothing but the space between two words touches none.
    """
    wanted = query.lower()
    if not wanted:
        return []
    texts: list[str] = []
    starts, stops = [], []
    length = 0
    for before, text, _ in pieces:
        texts += [before.lower(), text.lower()]
        starts.append(length + len(texts[-2]))
        length = starts[-1] + len(texts[-1])
        stops.append(length)
    whole = "".join(texts)
    begun, ended = np.array(starts), np.array(stops)
    found: list[tuple[int, int]] = []
    at = whole.find(wanted)
    while at >= 0 and len(found) < MOST_HITS:
        end = at + len(wanted)
        # The first token that ends behind its beginning, and the first that begins behind its end.
        first = int(np.searchsorted(ended, at, "right"))
        stop = int(np.searchsorted(begun, end, "left"))
        if stop > first:
            found.append((first, stop))
        at = whole.find(wanted, end)
    return found


def hits_of(
    dataset: xr.Dataset, query: str
) -> tuple[npt.NDArray[np.uint32], npt.NDArray[np.uint32]]:
    """
    Find where a text stands among the tokens of a layer.

    Parameters
    ----------
    dataset : xarray.Dataset
        One layer of a recording, with tokens.
    query : str

    Returns
    -------
    tuple of numpy.ndarray
        uint32: the first column of each place and the one behind its last, in order; at most
        ``MOST_HITS``.
    """
    tokens = dataset["token"].values
    spelling = spelling_of(dataset)
    found: list[tuple[int, int]] = []
    for example, row in enumerate(tokens):
        start = example * tokens.shape[1]
        hits = hits_in(spelling.pieces(row.tolist()), query)
        found += [(start + first, start + stop) for first, stop in hits]
        if len(found) >= MOST_HITS:
            break
    columns = np.array(found[:MOST_HITS], np.uint32).reshape(-1, 2)
    return columns[:, 0].copy(), columns[:, 1].copy()
