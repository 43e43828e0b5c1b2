# ruff: noqa: ANN401 - labels of groups are of many types
"""Which cells follow which concepts, and how sure one can be of it.

The values of each cell are ranked once; its AUROC for a yes/no track is then a sum of ranks, and
Spearman's ρ for a numeric one a product of ranks, so that all concepts, lags and shifts are matrix
products: hence correlations of our own, measured in ``benchmarks/ranking.py``. One block of cells is
in memory at a time; or, of signals that are larger than `LONG`, a block of timesteps.
"""

from __future__ import annotations

import warnings
from typing import TYPE_CHECKING, Any

import numpy as np

from lstm_widgets.analysis import blocks, statistics
from lstm_widgets.analysis.pooled_null import Pool, Pools
from lstm_widgets.analysis.ranked_block import RankedBlock
from lstm_widgets.analysis.ranked_cells import SURE
from lstm_widgets.analysis.ranked_in_blocks import RankedInBlocks
from lstm_widgets.analysis.ranked_long_tracks import LongText
from lstm_widgets.analysis.ranked_tracks import Halving, RankedText
from lstm_widgets.checks import expect_whole
from lstm_widgets.recording import Variants
from lstm_widgets.recording.expecting import common_layers, expect_recording

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    import numpy.typing as npt
    import pandas as pd

    from lstm_widgets.concepts.concept import Concepts
    from lstm_widgets.recording import Recording

    Floats = npt.NDArray[np.floating[Any]]
    Places = npt.NDArray[np.integer[Any]]

__all__ = ["rank_cells"]

STATES = ("hidden_state", "cell_state")

#: Bytes of a signal from which on it is ranked a block of timesteps at a time, by bins.
LONG = 1 << 28
# What is held of each timestep takes as much as so many cells.
_BESIDE = 64
# Cells that are then ranked together.
_CELLS = 256


def rank_cells(
    recording: Recording | Variants,
    concepts: Concepts,
    *,
    layers: str | Sequence[str] | None = None,
    signals: str | Sequence[str] | None = None,
    groups: Any = None,
    step: int | None = None,
    lags: int | Sequence[int] | None = None,
    shifts: int = 200,
    seed: int = 0,
) -> pd.DataFrame:
    r"""Rank every cell by how well it predicts every concept, with the evidence.

    The recording is split into two halves, by examples drawn at random; a single example is cut in
    the middle, with a gap as long as a window if it was read in windows. Lag, sign and threshold
    are *selected* on one half, and scored on the other, *held out*. The null distribution is that
    of the held-out score when the track is circularly shifted within each example by a random
    number of timesteps: tracks keep their autocorrelation, but fit the cells by chance only. (A
    track that is constant within examples is permuted across examples instead.) A text that repeats
    itself exactly fits again after each repetition, and p-values show it.

    Overlapping windows of one series aren't independent examples. They are recognised by what the
    model read, by tokens, or by numbers given as a track, in whatever order; or ``groups`` and
    ``step`` tell. Then the *series* are split, and tracks are circularly shifted in them. (A track
    with different values for one timestep in different windows is shifted by whole windows.) Where
    it can't be told whether examples overlap, they are assumed to be neighbours in a series: split in
    their order, with a gap of one example's length between the halves. A warning says so.

    Parameters
    ----------
    recording : Recording or Variants
        With its tokens, if concepts need them. Opened from a file, it is read block by block: a block
        of cells, or, of signals of more than 256 MiB, a few times a block of timesteps, on the
        cluster of the current Dask client if there is one. Values are then ranked by fine bins;
        scores are within ``attrs["error"]`` of the exact ones, hardly ever more than 1e-4. Of several
        variants every one is ranked by the same concepts, halves and shifts, those of the first, so
        that scores can be compared; lag, sign and threshold are selected in each.
    concepts : Concept, sequence of Concept, or mapping
        As in :func:`lstm_widgets.concepts.tracks`.
    layers : str or sequence of str, optional
        One layer or several. Default: all; of variants, all that all of them have.
    signals : str or sequence of str, optional
        One signal or several. Default: the states (``hidden_state``, ``cell_state``), or all of a
        layer that has neither.
    groups : str or sequence, optional
        What belongs together: one label for each example, such as the series or the subject that it
        comes from; one for each timestep, ``(timestep,)`` or ``(example, timestep)``; or ``"year"``,
        ``"month"``, ``"week"`` or ``"day"`` by the dates. A group is never split, unless it is the
        only one.
    step : int, optional
        The examples are windows of one series (with ``groups``, of one series each), in order, and
        each starts this many timesteps after the one before.
    lags : int or sequence of int, optional
        By how many timesteps a cell may trail a concept (or lead it, below 0): n for -n to n, or a
        list of lags. Default: 5, or fewer where examples are so short that more than a tenth of the
        timesteps would be lost, because only those with a token at every lag are used.
    shifts : int, default 200
        How many times the tracks are shifted. 0: no null distribution, and no p-values.
    seed : int, default 0
        Seed of the random halves and shifts.

    Returns
    -------
    pandas.DataFrame
        One row for each layer, signal, cell and concept; those with ``q_value`` < 0.05 first, and
        the highest score in the selected direction first among those and among the others.

        - ``variant``, of variants only: a Categorical, in their order.
        - ``layer, signal, cell, concept, kind``
        - ``lag``: the selected one; 2: the cell shows what the concept was two timesteps ago.
        - ``score``: held out. 2·AUROC − 1 for a yes/no concept, Spearman's ρ for a numeric one.
        - ``selection_score``: the score on the selection half, which is biased upwards, because lag
          and sign were selected there.
        - ``auroc, f1, threshold, sign, base_rate`` of a yes/no concept: held out, except the
          threshold, which is selected for the best F1: yes is ``value >= threshold`` if ``sign`` is
          1, ``value <= threshold`` if -1. ``base_rate`` is the share of yes.
        - ``pearson, spearman`` of a numeric concept, held out.
        - ``p_value``: how often a shifted track scores as well in the selected direction,
          :math:`(1 + hits) / (1 + shifts)`, so never less than 1 / (1 + shifts). Because two slow
          drifts may agree by chance, what is below 0.05 is tested again after high-pass filtering the
          cell's ranks (5 cycles or more in the held-out half), and the larger p-value is reported.
        - ``null_level``: the score that one shifted track in twenty has or exceeds, in the selected
          direction: what is above it has a p-value below 0.05, if it is no slow drift. NaN of fewer than 19
          shifts.
        - ``pooled_p_value``: because that is too coarse for many rows, the same under the pooled null
          of *all* rows, each score as a z-score under the null of its own row.
        - ``q_value``: ``pooled_p_value`` adjusted by Benjamini and Hochberg over all rows, and not
          below ``p_value``: the expected share of false discoveries if this row is kept, and all
          with a smaller one. Rows of all variants count.
        - ``effective_n``: the effective sample size, the number of independent timesteps for which
          scores would have the variance that the shifted ones have,
          :math:`1 + \sigma^2 (n - 1) / s^2` of the variances :math:`\sigma^2` of the score when
          all n values are permuted and :math:`s^2` when the track is circularly shifted. By the
          Wiener-Khinchin theorem that is Bartlett's
          :math:`n / \sum_k r_k r'_k` of the autocorrelations of cell and track.
        - ``reason``: why there are no p-values, such as ``"3 cycles only"`` or ``"no example in the
          held-out half"``; or why they are large although the score is high, ``"slow drifts only"``;
          else "".

        NaN where there is nothing to score: a concept that is yes everywhere or nowhere in a half, a
        cell with values that aren't finite. A score without p-values where there is too little data:
        a slow track with fewer than 5 cycles in the held-out half, a label that few examples have.
        ``attrs`` has ``seed``, ``shifts``, ``lags`` by layer, ``groups`` and ``step`` as given,
        ``windows``, by layer a sentence on overlapping examples, and ``complete``, False if it was
        interrupted and cells are missing. Of layers that were ranked by bins, ``error`` bounds by how
        much an AUROC or a Spearman's ρ may differ from the exact one: half the pairs that bins
        can't tell apart, and what ranks may turn within them.

    Warns
    -----
    UserWarning
        If it was interrupted, if examples overlap, or if it can't be told whether they do.

    Raises
    ------
    TypeError, ValueError
        If an argument doesn't fit, or there are too few timesteps for two halves.

    References
    ----------
    Bartlett 1935, Journal of the Royal Statistical Society 98(3), 536-543; Pyper & Peterman 1998,
    Canadian Journal of Fisheries and Aquatic Sciences 55(9), 2127-2140.

    Examples
    --------
    >>> table = lw.rank_cells(recording, lw.concepts.inside_double_quotes, shifts=20)
    >>> int(table["cell"][0]), float(table["score"][0])
    (1, 1.0)
    """
    import pandas as pd  # noqa: PLC0415
    from tqdm.auto import tqdm  # noqa: PLC0415

    expect_recording("recording", recording, several=True)
    shifts = expect_whole("shifts", shifts, 0)
    asked = _asked(recording, layers, signals)
    variants = recording if isinstance(recording, Variants) else {"": recording}
    # Variants are of the same inputs: what is said of them, and how they are halved, holds for all.
    first = next(iter(variants.values()))
    how = Halving(groups, step, lags, shifts, seed)
    texts = {name: _text(first, concepts, name, how) for name in asked}
    together = {name: text.told for name, text in texts.items() if text.told}
    if groups is None and step is None:
        for told in dict.fromkeys(together.values()):
            warnings.warn(told, stacklevel=2)
    work = [
        (variant, name, one, cells)
        for variant, each in variants.items()
        for name, signals in asked.items()
        for one in signals
        for cells in _parts(texts[name], each[name].sizes["cell"])
    ]
    error = 0.0
    pool = Pools(Pool(), Pool())
    tables: list[pd.DataFrame] = []
    complete = True
    with tqdm(total=sum(len(cells) for *_, cells in work), desc="ranking", unit="cell") as bar:
        try:
            for variant, name, one, cells in work:
                ranked = _ranked(texts[name], variants[variant], name, one, cells)
                tables.append(pd.DataFrame({"variant": variant, **ranked.columns(pool)}))
                error = max(error, ranked.error)
                del ranked  # before the next ones are read
                bar.update(len(cells))
        except KeyboardInterrupt:
            if not tables:
                raise
            complete = False
            done = sum(len(table) for table in tables)
            warnings.warn(f"interrupted: {done} rows are ranked", stacklevel=2)
    table = pd.concat(tables, ignore_index=True)
    if isinstance(recording, Variants):
        table["variant"] = pd.Categorical(table["variant"], recording.names, ordered=True)
    else:
        del table["variant"]
    pooled = pool.whole.p_values(table.pop("standing").to_numpy())
    quick = pool.quick.p_values(table.pop("quick_standing").to_numpy())
    table["pooled_p_value"] = np.fmax(pooled, quick)
    adjusted = statistics.q_values(table["pooled_p_value"].to_numpy())
    table["q_value"] = np.maximum(adjusted, table["p_value"])
    table = _sorted(table)
    used = {name: text.lags.tolist() for name, text in texts.items()}
    table.attrs = {"seed": seed, "shifts": shifts, "lags": used, "complete": complete}
    if any(isinstance(text, LongText) for text in texts.values()):
        table.attrs["error"] = error
    if together:
        table.attrs["windows"] = together
    if groups is not None:
        told = getattr(groups, "tolist", lambda: groups)()
        table.attrs["groups"] = told if isinstance(told, str) else list(told)
    if step is not None:
        table.attrs["step"] = step
    return table


def shifted_scores(
    recording: Recording,
    concept: Concepts,
    row: Mapping[str, Any],
    *,
    lags: Sequence[int],
    shifts: int,
    seed: int,
    groups: Any = None,
    step: int | None = None,
) -> npt.NDArray[np.float32]:
    """Compute the null distribution of one row again.

    Parameters
    ----------
    recording, concept : Recording, Concepts
        What was ranked, and for what: one concept, as for ``tracks``.
    row : mapping
        The row: ``layer``, ``signal``, ``cell`` and ``lag``.
    lags, shifts, seed, groups, step : optional
        As the ``attrs`` of the ranking have them; ``lags`` those of the row's layer.

    Returns
    -------
    float32 array (shift,)
        Held-out scores of the shifted concept.
    """
    layer, cell = str(row["layer"]), int(row["cell"])
    text = _text(recording, concept, layer, Halving(groups, step, lags, shifts, seed))
    work = _ranked(text, recording, layer, str(row["signal"]), range(cell, cell + 1))
    return np.asarray(work.shifted(int(row["lag"]))[0, 0])


def _text(
    recording: Recording, concepts: Concepts, layer: str, how: Halving
) -> RankedText | LongText:
    """Say the concepts of a layer: whole, if its signals fit, or in little room."""
    sizes = recording[layer].sizes
    values = sizes["example"] * sizes["timestep"] * max(_BESIDE, sizes["cell"])
    kind = LongText if values * np.dtype(np.float32).itemsize > LONG else RankedText
    return kind.of(recording, concepts, layer, how)


def _parts(text: RankedText | LongText, cells: int) -> Iterable[range]:
    """Cut cells into those that are ranked together."""
    if isinstance(text, LongText):
        return [range(k, min(k + _CELLS, cells)) for k in range(0, max(1, cells), _CELLS)]
    return blocks.blocks_of(cells, int(text.mask.sum()))


def _ranked(
    text: RankedText | LongText, recording: Recording, layer: str, signal: str, cells: range
) -> RankedBlock | RankedInBlocks:
    if isinstance(text, LongText):
        return RankedInBlocks(text, recording, layer, signal, cells)
    return RankedBlock(text, recording, layer, signal, cells)


def _sorted(table: pd.DataFrame) -> pd.DataFrame:
    order = np.lexsort(
        (
            -(table["score"] * table["sign"]).fillna(-np.inf).to_numpy(),
            ~(table["q_value"] < SURE).to_numpy(),
        )
    )
    return table.iloc[order].reset_index(drop=True)


def _asked(
    recording: Recording | Variants,
    layers: str | Sequence[str] | None,
    signals: str | Sequence[str] | None,
) -> dict[str, tuple[str, ...]]:
    """Name the layers that are asked for, and of each the signals."""
    if layers is None:
        layers = recording.layers
        if isinstance(recording, Variants):
            layers = common_layers(recording, as_many_cells=False)
    asked = {}
    for name in (layers,) if isinstance(layers, str) else layers:
        has = recording.signals(name)
        if signals is None:
            wanted = tuple(one for one in STATES if one in has) or has
        else:
            wanted = (signals,) if isinstance(signals, str) else tuple(signals)
        if not wanted:
            raise ValueError("signals: expected one or more, or None for the states; got none")
        for one in wanted:
            if one not in has:
                raise ValueError(
                    f"signals: expected one of {', '.join(map(repr, has))} of layer {name!r}, "
                    f"got {one!r}"
                )
        asked[name] = wanted
    if not asked:
        raise ValueError("layers: expected one or more, got none")
    return asked
