"""Expected responses: how each cell's state changes, on average, where a word is read."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Any

import numpy as np
import xarray as xr

from lstm_widgets.analysis.blocks import row_blocks
from lstm_widgets.analysis.summed_responses import (
    Reading,
    Responses,
    counted,
    most_frequent,
    responses,
)
from lstm_widgets.checks import expect_whole
from lstm_widgets.recording import Variants
from lstm_widgets.recording.blockwise import Block, blockwise
from lstm_widgets.recording.expecting import expect_recording, usual_layer
from lstm_widgets.tokens.words import spelling_of

if TYPE_CHECKING:
    from collections.abc import Sequence

    import numpy.typing as npt

    from lstm_widgets.recording import Recording

    Floats = npt.NDArray[np.float64]
    Places = npt.NDArray[np.intp]

__all__ = ["expected_responses"]

#: The middle half, and what lies within four fifths of a normal distribution.
PERCENTILES = (9.0, 25.0, 75.0, 91.0)
# Changes that percentiles are worked out of: 32 MiB of float32, but so many timesteps of each word.
_KEPT_VALUES = 1 << 23
_LEAST_KEPT = 200


def expected_responses(
    recording: Recording | Variants,
    layer: str | None = None,
    signal: str = "hidden_state",
    *,
    words: Sequence[str] | None = None,
    limit: int = 60,
    clusters: int = 5,
    seed: int = 0,
) -> xr.Dataset:
    r"""Measure by how much each cell's state changes where a word is read, on average.

    The response of a cell to a word at timestep t is the state after the word was read less the state
    before, :math:`s_t - s_{t-1}`; it stands on the word just read. Its mean over all timesteps at which
    the word stands is the *expected response*. Words are tokens as they are: characters of a network that
    reads characters.

    Words and cells are co-clustered, words that move the same cells, and cells that the same words move.

    Parameters
    ----------
    recording : Recording or Variants
        Opened from a file it may be larger than memory: it is read block by block, on the Dask cluster of
        the current client if there is one. Of several variants, words and groups are those of all, so that
        they can be compared.
    layer : str, optional
        Default: the first that has the signal; of variants, in all of them.
    signal : str, default "hidden_state"
        What changes.
    words : sequence of str, optional
        Which words. Default: the most frequent ones.
    limit : int, default 60
        How many these are at most.
    clusters : int, default 5
        How many groups there are, at most. 0: none; from 2 on this needs scikit-learn, the extra
        ``analysis``.
    seed : int, default 0
        Seed of the co-clustering.

    Returns
    -------
    xarray.Dataset
        - ``response`` float32 ``(word, cell)``: the mean change;
        - ``band`` float32 ``(percentile, word, cell)``: the 9th, 25th, 75th and 91st percentile of the
          changes. Of words that come very often they are those of a part of their timesteps, chosen as if
          by lot, but the same each time;
        - ``count`` int64 ``(word,)``: how often the word stands there;
        - the coordinates ``word_group`` ``(word,)`` and ``cell_group`` ``(cell,)``, if there are clusters:
          the number of the group, from 0, the one that responds most first; -1 where nothing moves.

        Of variants, ``response`` and ``band`` have ``variant`` in front; groups are found by mean magnitudes
        over all variants.

        Attributes: ``layer``, ``signal``, ``spelling`` (what the words are, such as ``"characters"``),
        ``different`` (how many different ones there are) and ``clusters``. `response_figure` draws it.

    Raises
    ------
    TypeError, ValueError
        If an argument doesn't fit, the layer has no tokens, or a word isn't there; or variants have other
        numbers of cells.
    LayerNotFoundError
        If there is no such layer.
    ModuleNotFoundError
        If scikit-learn is needed and isn't installed.

    Notes
    -----
    Expected responses, with the bands and the co-clustering by their magnitudes, are those of Ming et al.
    2017 (RNNVis, IEEE VAST, arXiv:1710.10777), of the cell state there; groups are found by the spectral
    method of Dhillon 2001 (KDD, 269-274), scikit-learn's ``SpectralCoclustering``.
    At the first timestep the state before is the one that the layer starts from; where that isn't known,
    or in a text that is read in windows, the timestep has no part in the mean. (Ming et al. take the state
    itself there.) Padding is left out: the states before it and after it follow each other. Of a layer
    that reads from the end, the state before is that of the next timestep.

    Examples
    --------
    >>> found = lw.expected_responses(recording, limit=12, clusters=2)
    >>> int(found["count"].sel(word='"')), found["word"].values[:3].tolist()
    (40, [' ', 'e', 'l'])
    >>> found["band"].sel(word='"', cell=1).round(1).values.tolist()  # it opens and it closes
    [-1.0, -1.0, 1.0, 1.0]
    """
    expect_recording("recording", recording, several=True)
    name = usual_layer(recording, signal) if layer is None else layer
    if signal not in (has := recording.signals(name)):
        raise ValueError(
            f"signal: expected one of {', '.join(map(repr, has))} of layer {name!r}, got {signal!r}"
        )
    variants = recording if isinstance(recording, Variants) else {"": recording}
    first, *others = variants.values()
    if any(one[name].sizes["cell"] != first[name].sizes["cell"] for one in others):
        sizes = ", ".join(f"{one[name].sizes['cell']} in {key!r}" for key, one in variants.items())
        raise ValueError(
            f"layer: expected one with as many cells in all variants, got {name!r}, which has {sizes}"
        )
    if "token" not in first[name].coords:
        raise ValueError(f"layer: expected one with tokens, got {name!r}, which has none")
    limit = expect_whole("limit", limit, 1)
    clusters = expect_whole("clusters", clusters, 0)
    if clusters > 1:
        _need()
    parts = first.directions(name)
    counts = _Direction(first, parts[0], signal).counts()
    chosen = _chosen(words, counts, limit)
    times = np.array([counts[word] for word in chosen], np.int64)
    cells = sum(first[part].sizes["cell"] for part in parts)
    most = max(_LEAST_KEPT, _KEPT_VALUES // max(1, len(chosen) * cells))
    shares = np.minimum(1, most / times)
    every = [
        [_Direction(one, part, signal).responses(chosen, shares) for part in parts]
        for one in variants.values()
    ]
    means = np.stack([np.concatenate([part.mean for part in found], axis=1) for found in every])
    bands = np.stack([np.concatenate([part.bands for part in found], axis=2) for found in every])
    coords: dict[str, Any] = {
        "word": np.array([*chosen, ""], object)[:-1],
        "cell": np.arange(cells),
        "percentile": np.array(PERCENTILES),
    }
    if clusters:
        sizes = np.abs(np.nan_to_num(means)).mean(axis=0)
        of_words, of_cells = _coclustered(sizes, clusters, seed)
        coords |= {"word_group": ("word", of_words), "cell_group": ("cell", of_cells)}
    among: tuple[str, ...] = ("variant",)
    if isinstance(recording, Variants):
        coords["variant"] = np.array([*recording.names, ""], object)[:-1]
    else:
        among, means, bands = (), means[0], bands[0]
    variables = {
        "response": ((*among, "word", "cell"), means.astype(np.float32)),
        "band": ((*among, "percentile", "word", "cell"), bands),
        "count": (("word",), times),
    }
    attrs = {
        "layer": name,
        "signal": signal,
        "spelling": spelling_of(first[name]).kind,
        "different": len(counts),
        "clusters": clusters,
    }
    return xr.Dataset(variables, coords, attrs)


class _Direction:
    """A layer, or one direction of it, as it is read."""

    def __init__(self, recording: Recording, name: str, signal: str) -> None:
        dataset = recording[name]
        self._signal = signal
        self._backwards = bool(dataset.attrs.get("go_backwards", False))
        timesteps = dataset.sizes["timestep"]
        self._ends = np.cumsum(dataset.attrs.get("calls", [timesteps]))
        self.cells: int = dataset.sizes["cell"]
        part = dataset[[signal, *(["mask"] if "mask" in dataset else [])]]
        part = part.drop_vars(list(part.coords))
        self._part = part.assign(token=dataset["token"].variable)
        # In windows, what came before a timestep is the state within its own window.
        windowed = recording.tree.attrs.get("window")
        start = None
        if not windowed and signal.endswith("_state"):
            start = recording.initial_states(name, signal)
        if start is not None:
            self._part = self._part.assign(start=(("example", "call", "cell"), start))

    def counts(self) -> dict[str, int]:
        """Count all tokens, the most frequent first."""
        tokens = self._part[["token", *(["mask"] if "mask" in self._part else [])]]
        blocks = [Block(tokens, each.examples, each.timesteps) for each in row_blocks(self._part)]
        return most_frequent(blockwise(counted, blocks, desc="counting words"))

    def responses(self, words: tuple[str, ...], shares: Floats) -> Responses:
        """Measure the responses to words."""
        reading = Reading(
            self._signal,
            words,
            shares,
            timesteps=self._part.sizes["timestep"],
            ends=self._ends,
            backwards=self._backwards,
        )
        blocks = row_blocks(self._part, 3 * self.cells)
        if self._backwards:
            blocks = blocks[::-1]
        summaries = blockwise(partial(responses, reading), blocks, desc="expected responses")
        return Responses.of(reading, self.cells, summaries, PERCENTILES)


def _chosen(words: Sequence[str] | None, counts: dict[str, int], limit: int) -> tuple[str, ...]:
    if words is None:
        if not counts:
            raise ValueError("recording: expected timesteps that aren't padding, got none")
        return tuple(counts)[:limit]
    if isinstance(words, str):
        raise TypeError(f"words: expected several of them, as in [{words!r:.80}]; got one str")
    if not np.iterable(words):
        raise TypeError(f"words: expected a sequence of str, got {words!r:.80}")
    chosen = tuple(dict.fromkeys(words))
    for word in chosen:
        if word not in counts:
            raise ValueError(f"words: expected words that the layer has read, got {word!r:.80}")
    if not chosen:
        raise ValueError("words: expected one or more, or None for the most frequent; got none")
    return chosen


def _need() -> None:
    try:
        import sklearn.cluster  # noqa: F401, PLC0415
    except ModuleNotFoundError as error:
        if (error.name or "").split(".")[0] != "sklearn":
            raise
        raise ModuleNotFoundError(
            "co-clusters need scikit-learn, which isn't installed: "
            'pip install "lstm-widgets[analysis]"; clusters=0 goes without',
            name="sklearn",
        ) from None


def _coclustered(sizes: Floats, clusters: int, seed: int) -> tuple[Places, Places]:
    """Give each word and each cell the number of its group, by magnitudes (word, cell)."""
    rows, columns = sizes.sum(axis=1) > 0, sizes.sum(axis=0) > 0
    groups = np.full(len(rows), -1, np.intp), np.full(len(columns), -1, np.intp)
    moved = sizes[rows][:, columns]
    count = min(clusters, *moved.shape)
    if count < 1:
        return groups
    if count == 1:
        of_rows, of_columns = (np.zeros(n, np.intp) for n in moved.shape)
    else:
        from sklearn.cluster import SpectralCoclustering  # noqa: PLC0415

        model = SpectralCoclustering(count, random_state=seed).fit(moved)
        of_rows, of_columns = model.row_labels_, model.column_labels_
    share = [moved[of_rows == k][:, of_columns == k].sum() for k in range(count)]
    renamed = np.empty(count, np.intp)
    renamed[np.argsort(share, kind="stable")[::-1]] = np.arange(count)
    groups[0][rows], groups[1][columns] = renamed[of_rows], renamed[of_columns]
    return groups
