"""Which cells follow which concepts, and how sure one can be of it.

Each cell is ranked once over the text; its AUROC for a yes/no track is then a sum of ranks, and
Spearman's ρ for a numeric one a product of ranks, so that all concepts, lags and shifts are products
of matrices: hence correlations of our own, measured in ``benchmarks/ranking.py``. A block of cells is
in memory at a time.
"""

from __future__ import annotations

import math
import warnings
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from lstm_widgets.analysis import blocks, statistics
from lstm_widgets.analysis.null import Half, halved, origin_of
from lstm_widgets.checks import expect_whole, is_whole
from lstm_widgets.concepts.make_tracks import tracks
from lstm_widgets.recording.masks import mask_of

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    import numpy.typing as npt
    import pandas as pd
    import xarray as xr

    from lstm_widgets.analysis.null import Origin
    from lstm_widgets.concepts.concept import Concepts, Kind
    from lstm_widgets.recording import Recording

    Floats = npt.NDArray[np.floating[Any]]
    Places = npt.NDArray[np.integer[Any]]

__all__ = ["rank_cells"]

STATES = ("hidden_state", "cell_state")
#: From which q-value on a row counts as possibly nothing, where rows are sorted.
SURE = 0.05

# A track that goes through fewer cycles in the held-out half, and is as slow as this says, tells too
# little; and so does an agreement that is gone when what is slower than this is left out.
_CYCLES = 5
_SLOW = 10
# With fewer distinct permutations of the labels, no p-value can be small.
_PERMUTATIONS = 20

# Values (shift × timestep) of shifted tracks that are made at a time.
_SHIFTED_VALUES = 1 << 22
# What single precision may have cost a shifted score: less far from the score counts as equal.
_ROUNDING = 1e-5


def rank_cells(
    recording: Recording,
    concepts: Concepts,
    *,
    layers: str | Sequence[str] | None = None,
    signals: str | Sequence[str] | None = None,
    groups: Sequence[Any] | None = None,
    step: int | None = None,
    lags: int | Sequence[int] | None = None,
    shifts: int = 200,
    seed: int = 0,
) -> pd.DataFrame:
    r"""Rank every cell by how well it tells every concept, with the evidence.

    The recording is split in two halves: by examples, drawn at random; a single example in the
    middle. On one half lag, sign and threshold are *selected*; on the other, *held out*, they are
    scored. The null distribution is that of the held-out score when the track is circularly shifted
    within each example by a random number of timesteps, so that tracks keep their autocorrelation,
    but fit the cells by chance only. (A track that is constant within examples is permuted across
    examples instead.) A text that repeats itself exactly fits again after each repetition, and
    p-values show it.

    Windows of one series that overlap are no independent examples. They are found by what the model
    read, by tokens, or by numbers given as a track, whatever their order; or ``groups`` and
    ``step`` tell. Then the *series* are split, and tracks circularly shifted in them. (A track that says
    different things of one timestep in different windows is shifted by whole windows.) Where nothing
    tells whether examples overlap, they are taken for neighbours in a series: split in their
    order, with a gap of the examples' length between the halves. A warning says so.

    Parameters
    ----------
    recording : Recording
        With its tokens, where concepts ask for them. Opened from a file, it is read block by block.
    concepts : Concept, sequence of Concept, or mapping
        As in :func:`lstm_widgets.concepts.tracks`.
    layers : str or sequence of str, optional
        One layer or several. Default: all.
    signals : str or sequence of str, optional
        One signal or several. Default: the states (``hidden_state``, ``cell_state``), or all of a
        layer that has neither.
    groups : sequence, optional
        Which examples belong together: one label an example, as the series or the subject that it
        comes from. Groups are never cut in two, unless there is but one.
    step : int, optional
        The examples are windows of one series (of one each, with ``groups``), in order, and each
        starts so many timesteps after the one before.
    lags : int or sequence of int, optional
        How many timesteps a cell may trail a concept (or lead it, below 0): a number n for -n to n,
        or the lags. Default: 5, or fewer where examples are so short that more than a tenth of the
        timesteps would be lost: only those are used that have a token at every lag.
    shifts : int, default 200
        How often the tracks are shifted. 0: no null, and no p-values.
    seed : int, default 0
        What halves and shifts follow from.

    Returns
    -------
    pandas.DataFrame
        One row for each layer, signal, cell and concept; those with ``q_value`` < 0.05 first, among
        them and after them the highest score in the selected direction first.

        - ``layer, signal, cell, concept, kind``
        - ``lag``: the selected one; 2: the cell shows what the concept was two timesteps ago.
        - ``score``: held out. 2·AUROC − 1 for a yes/no concept, Spearman's ρ for a numeric one.
        - ``selection_score``: the score on the selection half, which is the better for having been
          chosen.
        - ``auroc, f1, threshold, sign, base_rate`` of a yes/no concept: held out, but for the
          threshold of the best F1, which is selected: yes is ``value >= threshold`` if ``sign`` is
          1, ``value <= threshold`` if -1. ``base_rate`` is the share of yes.
        - ``pearson, spearman`` of a numeric concept, held out.
        - ``p_value``: how often a shifted track scores as well in the selected direction,
          :math:`(1 + hits) / (1 + shifts)`, so never less than 1 / (1 + shifts). Two drifts agree
          at one place only, too: what is less than 0.05 is tested again after high-pass filtering
          the cell's ranks (no less than 5 cycles in the held-out half), and the larger counts.
        - ``pooled_p_value``: as that is too coarse for many rows, the same with the shifted scores
          of *all* rows, each score as a z-score under the null of its row.
        - ``q_value``: ``pooled_p_value`` by Benjamini and Hochberg over all rows, and no less than
          ``p_value``: the expected share of false discoveries among rows up to this one.
        - ``effective_n``: the effective sample size: the number of independent timesteps whose
          scores would have the variance that the shifted ones have,
          :math:`1 + \sigma^2 (n - 1) / s^2` of the variances :math:`\sigma^2` of the score when
          all n values are permuted and :math:`s^2` when the track is circularly shifted. By the
          Wiener-Khinchin theorem that is Bartlett's
          :math:`n / \sum_k r_k r'_k` of the autocorrelations of cell and track.
        - ``reason``: why there are no p-values, as ``"3 cycles only"``, ``"no example in the held-out
          half"``; or why they are large though the score is, ``"slow drifts only"``; else "".

        NaN where nothing could be told: a concept that is yes everywhere or nowhere in a half, a
        cell with values that aren't finite. No p-values, but a score, where there is too little to
        judge: a slow track that goes through less than 5 cycles in the held-out half, a label that
        few examples have. ``attrs`` has ``seed``,
        ``shifts``, ``lags`` by layer, ``groups`` and ``step`` as given, ``windows``, by layer a
        sentence on examples that belong together, and ``complete``: False if it was interrupted,
        and cells are missing.

    Warns
    -----
    UserWarning
        If it was interrupted, if examples turned out to overlap, or if nothing tells whether they
        do.

    Raises
    ------
    TypeError, ValueError
        If an argument doesn't fit, or there are too few timesteps to halve.

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

    shifts = expect_whole("shifts", shifts, 0)
    asked = _asked(recording, layers, signals)
    texts = {
        name: _Text.of(
            recording,
            concepts,
            name,
            groups=groups,
            step=step,
            lags=lags,
            shifts=shifts,
            seed=seed,
        )
        for name in asked
    }
    together = {name: text.origin.told for name, text in texts.items() if text.origin.told}
    if groups is None and step is None:
        for told in dict.fromkeys(together.values()):
            warnings.warn(told, stacklevel=2)
    work = [
        (name, one, cells)
        for name, signals in asked.items()
        for one in signals
        for cells in blocks.blocks_of(recording[name].sizes["cell"], int(texts[name].mask.sum()))
    ]
    pool = _Pools(_Pool(), _Pool())
    tables: list[pd.DataFrame] = []
    complete = True
    with tqdm(total=sum(len(cells) for *_, cells in work), desc="ranking", unit="cell") as bar:
        try:
            for name, one, cells in work:
                columns = _Work(texts[name], recording, name, one, cells).columns(pool)
                tables.append(pd.DataFrame(columns))
                bar.update(len(cells))
        except KeyboardInterrupt:
            if not tables:
                raise
            complete = False
            done = sum(len(table) for table in tables)
            warnings.warn(f"interrupted: {done} rows are ranked", stacklevel=2)
    table = pd.concat(tables, ignore_index=True)
    pooled = pool.whole.p_values(table.pop("standing").to_numpy())
    quick = pool.quick.p_values(table.pop("quick_standing").to_numpy())
    table["pooled_p_value"] = np.fmax(pooled, quick)
    adjusted = statistics.q_values(table["pooled_p_value"].to_numpy())
    table["q_value"] = np.maximum(adjusted, table["p_value"])
    table = _sorted(table)
    used = {name: text.lags.tolist() for name, text in texts.items()}
    table.attrs = {"seed": seed, "shifts": shifts, "lags": used, "complete": complete}
    if together:
        table.attrs["windows"] = together
    if groups is not None:
        table.attrs["groups"] = list(groups)
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
    groups: Sequence[Any] | None = None,
    step: int | None = None,
) -> npt.NDArray[np.float32]:
    """Make the null distribution of one row again.

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
    text = _Text.of(
        recording,
        concept,
        layer,
        groups=groups,
        step=step,
        lags=lags,
        shifts=shifts,
        seed=seed,
    )
    work = _Work(text, recording, layer, str(row["signal"]), range(cell, cell + 1))
    return np.asarray(work.shifted(int(row["lag"]))[0, 0])


def _sorted(table: pd.DataFrame) -> pd.DataFrame:
    order = np.lexsort(
        (
            -(table["score"] * table["sign"]).fillna(-np.inf).to_numpy(),
            ~(table["q_value"] < SURE).to_numpy(),
        )
    )
    return table.iloc[order].reset_index(drop=True)


def _asked(
    recording: Recording,
    layers: str | Sequence[str] | None,
    signals: str | Sequence[str] | None,
) -> dict[str, tuple[str, ...]]:
    """Name the layers that are asked for, and of each the signals."""
    if layers is None:
        layers = recording.layers
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


# The text: halves, tracks, shifts -----------------------------------------------------------------


@dataclass(frozen=True)
class _Track:
    """One concept over the timesteps of a text.

    ``said`` ``(timestep,)`` are 0 and 1 or numbers. Of a numeric concept ``ranks`` are those in its
    half, 0 where it has no value, and ``lagged`` those among the timesteps that it is held against
    at each lag ``(lag, n)``, of either half; of a yes/no concept what it says. ``holes``: a numeric
    one that hasn't a value everywhere. ``moved`` tells which timesteps come to stand at the places
    of the held-out half, for fractions of a circular shift ``(shift, segment)``: int ``(shift, n)``.
    ``cycles`` is how many it goes through there; ``permutations`` the number of distinct ones across
    segments, if it never changes within them.
    """

    name: str
    kind: Kind
    said: Floats
    ranks: npt.NDArray[np.float32]
    lagged: tuple[npt.NDArray[np.float32], ...]
    holes: bool
    moved: Callable[[Floats], Places]
    cycles: int
    permutations: float | None
    unsaid: tuple[str, str]

    @classmethod
    def of(
        cls, name: str, kind: Kind, said: Floats, halves: Sequence[Half], lags: Places
    ) -> _Track:
        ranks = said.astype(np.float32)
        lagged: tuple[npt.NDArray[np.float32], ...] = ()
        if kind == "numeric":
            for half in halves:
                there = half.everything
                ranks[there] = _ranks_of(said[there])
            lagged = tuple(
                np.stack([_ranks_of(said[half.places - lag]) for lag in lags]) for half in halves
            )
        half = halves[1]
        in_slots = said[half.slots]
        firsts = in_slots[half.offsets].repeat(half.lengths)
        permutations = None
        moved = half.shifted
        # Places that share a slot are the same timestep of a series.
        slots = in_slots[half.offsets[half.segment] + half.index]
        if _same(in_slots, firsts) and _same(said[half.places], slots):
            moved = half.permuted
            permutations = _permutations(in_slots[half.offsets])
        elif not _same(said[half.places], slots) or not _changes(said, half):
            moved = half.shifted_windows
        return cls(
            name=name,
            kind=kind,
            said=said,
            ranks=ranks,
            lagged=lagged,
            holes=bool(np.isnan(said).any()),
            moved=moved,
            cycles=_cycles(in_slots, half, kind),
            permutations=permutations,
            unsaid=(_unsaid(said, kind, halves[0]), _unsaid(said, kind, half)),
        )

    def at(self, half: int, places: Places) -> npt.NDArray[np.float32]:
        """Return what cells are held against at each lag ``(lag, n)``: ranks, or what it says."""
        return self.lagged[half] if self.lagged else self.ranks[places]

    def scores(self, ranks: Floats, tracks: Floats, n: int | None = None) -> Floats:
        """Score cells by their ranks ``(cell, n)`` for tracks ``(track, n)``: ``(cell, track)``.

        Both are 0 where a track has no value; ``n`` is then the number of those that it has.
        """
        products = ranks @ tracks.T.astype(ranks.dtype, copy=False)
        if self.kind == "yes_no":
            return np.asarray(products * statistics.auroc_scale(tracks))
        # Ranks of cells sum up to 0, so those of tracks needn't.
        means = tracks.sum(axis=1, dtype=np.float64) / (ranks.shape[1] if n is None else max(n, 1))
        squares = np.einsum("ij,ij->i", tracks, tracks, dtype=np.float64) - means * tracks.sum(
            axis=1, dtype=np.float64
        )
        length = np.sqrt(np.einsum("ij,ij->i", ranks, ranks, dtype=np.float64))
        with np.errstate(divide="ignore", invalid="ignore"):
            return np.asarray(products / (length[:, None] * np.sqrt(squares.clip(0))))


@dataclass(frozen=True)
class _Text:
    """What all cells of a layer are held against."""

    mask: npt.NDArray[np.bool_]
    origin: Origin
    lags: Places
    halves: tuple[Half, Half]
    tracks: list[_Track]
    turns: npt.NDArray[np.float64]
    slow: Floats
    reasons: list[str]

    @property
    def held_out(self) -> Half:
        """The half on which scores are reported."""
        return self.halves[1]

    @classmethod
    def of(
        cls,
        recording: Recording,
        concepts: Concepts,
        layer: str,
        *,
        groups: Sequence[Any] | None,
        step: int | None,
        lags: int | Sequence[int] | None,
        shifts: int,
        seed: int,
    ) -> _Text:
        given = tracks(recording, concepts, layer=layer)
        if not given:
            raise ValueError("concepts: expected one or more, got none")
        mask = mask_of(recording[layer])
        rng = np.random.default_rng(seed)
        origin = origin_of(recording, layer, numbers(concepts, *given.values()), groups, step)
        lengths = mask.sum(axis=1)
        pieces = halved(mask, origin, rng)
        chosen = _standard_lags(lags, [len(p) for half in pieces for p in half])
        starts = np.cumsum(lengths) - lengths
        first, held_out = (Half.of(half, chosen, starts, lengths) for half in pieces)
        halves = first, held_out
        if not all(len(half.places) > 1 for half in halves):
            raise ValueError(
                f"lags: expected some timesteps in each half of layer {layer!r} that have a token "
                f"at each of the lags {chosen.tolist()}; there are "
                f"{' and '.join(str(len(half.places)) for half in halves)}"
            )
        said = [
            _Track.of(str(name), track.attrs["kind"], track.to_numpy()[mask], halves, chosen)
            for name, track in given.items()
        ]
        turns = rng.random((shifts, held_out.segments))
        reasons = [_too_little(track, held_out, turns) for track in said]
        return cls(mask, origin, chosen, halves, said, turns, held_out.slow(_CYCLES), reasons)


def _ranks_of(said: Floats) -> npt.NDArray[np.float32]:
    """Rank the values that there are; 0 where there is none."""
    there = ~np.isnan(said)
    ranks = np.zeros(len(said), np.float32)
    ranks[there] = statistics.ranked_rows(said[None, there])[1][0]
    return ranks


def numbers(concepts: Concepts | None, *given: xr.DataArray | None) -> dict[str, xr.DataArray]:
    """Choose the tracks that were given as arrays of numbers: they may tell what overlaps."""
    if not isinstance(concepts, Mapping):
        return {}
    arrays = {str(name) for name, each in concepts.items() if hasattr(each, "dtype")}
    return {
        str(track.name): track
        for track in given
        if track is not None and track.name in arrays and track.attrs["kind"] == "numeric"
    }


def _same(one: Floats, other: Floats) -> bool:
    return bool(np.array_equal(one, other, equal_nan=True))


def _changes(said: Floats, half: Half) -> bool:
    """Tell whether a track changes within any example."""
    here = said[half.everything]
    beside = np.diff(half.everything) == 1
    # Where one example ends and the next begins, two that differ are no change within one.
    starts = np.isin(half.everything[1:], half.windows[0])
    return not _same(here[1:][beside & ~starts], here[:-1][beside & ~starts])


def _permutations(said: Floats) -> float:
    """Count the distinct permutations of values across segments, up to a thousand."""
    ways = 1.0
    left = len(said)
    for count in np.unique(said, return_counts=True)[1].tolist():
        ways *= math.comb(left, count)
        left -= count
        if ways > 1000:
            break
    return ways


def _cycles(in_slots: Floats, half: Half, kind: Kind) -> int:
    """Count how often a track goes up and comes down again in a half.

    A number is up above the upper third of what it is, and down below the lower one.
    """
    segment = np.arange(half.segments).repeat(half.lengths)
    there = ~np.isnan(in_slots)
    said, segment = in_slots[there], segment[there]
    if not len(said):
        return 0
    low, high = (0.5, 0.5) if kind == "yes_no" else np.quantile(said, [1 / 3, 2 / 3])
    sure = (said >= high) | (said <= low)
    up, segment = said[sure] >= high, segment[sure]
    changes = (up[1:] != up[:-1]) & (segment[1:] == segment[:-1])
    # The ends of segments close what is open: half a cycle, rounded down.
    return int(np.count_nonzero(changes) + half.segments) // 2


def _too_little(track: _Track, half: Half, turns: Floats) -> str:
    """Say why nothing could be judged by how a track goes, whatever the cells do; "" if it can."""
    if any(track.unsaid) or not len(turns):
        return ""
    if track.permutations is not None:
        several = "examples" if len(half.windows[0]) == half.segments else "series"
        return "" if track.permutations >= _PERMUTATIONS else f"{half.segments} {several} only"
    if track.cycles >= _CYCLES:
        return ""
    part = half
    said = track.ranks[half.places]
    if track.holes:
        there = ~np.isnan(track.said[half.places])
        part, said = half.only(there), _ranks_of(track.said[half.places[there]])
    moved = part.shifted if track.holes else track.moved
    source = said if track.holes else track.ranks
    own = said - said.mean(dtype=np.float64)
    step = max(1, _SHIFTED_VALUES // max(1, len(said)))
    alike = np.concatenate(
        [source[moved(turns[k : k + step])] @ own for k in range(0, len(turns), step)]
    ) / max(float(own @ own), np.finfo(np.float64).tiny)
    # Autocorrelation at the shifts: 1 / variance is the effective sample size.
    if alike.var() * _SLOW < 1:
        return ""
    return f"{track.cycles} cycle{'s' * (track.cycles != 1)} only"


def _unsaid(said: Floats, kind: Kind, half: Half) -> str:
    """Say why a track says nothing in a half; "" if it does."""
    here = said[half.places]
    here = here[~np.isnan(here)]
    if not len(here):
        return "nothing is said"
    if (here != here[0]).any():
        return ""
    if kind == "numeric":
        return f"{here[0]:g} everywhere"
    return "yes everywhere" if here[0] else "no example"


def _standard_lags(lags: int | Sequence[int] | None, pieces: Sequence[int]) -> Places:
    """Return the lags, the smallest first, so that of equals the smallest is chosen."""
    if lags is None:
        lengths = np.array(pieces, np.intp)
        fit = (n for n in range(5, 0, -1) if (lengths - 2 * n).clip(0).sum() >= 0.9 * lengths.sum())
        lags = next(fit, 0)
    chosen = np.arange(-lags, lags + 1) if is_whole(lags) else np.asarray(lags)
    if chosen.ndim != 1 or not len(chosen) or chosen.dtype.kind not in "iu":
        raise ValueError(f"lags: expected a whole number from 0, or several, got {lags!r}")
    chosen = np.unique(chosen).astype(np.intp)
    return chosen[np.argsort(np.abs(chosen), kind="stable")]


# The work on one block of cells -------------------------------------------------------------------


class _Work:
    """A block of cells of one signal; everything in it is ``(cell, concept)``."""

    def __init__(
        self, text: _Text, recording: Recording, layer: str, signal: str, cells: range
    ) -> None:
        self._text = text
        self._names = (layer, signal, cells)
        self._values = blocks.read(recording[layer][signal], text.mask, cells)
        self._finite = np.isfinite(self._values).all(axis=1)
        self._values[~self._finite] = 0

    def columns(self, pool: _Pools) -> dict[str, Any]:
        """Select, score, compare with the null: the columns of the table, one row each."""
        text, (layer, signal, cells) = self._text, self._names
        chosen, selected, threshold = self._select()
        sign = np.where(selected < 0, -1, 1).astype(np.int8)
        x = self._values[:, text.held_out.places]
        order, ranks = statistics.ranked_rows(x)
        score = _at(self._scores(1, x, order, ranks), chosen)
        score[~np.isfinite(selected)] = np.nan
        score[~self._finite] = selected[~self._finite] = np.nan
        f1, base_rate, pearson = self._rest(x, chosen, sign, threshold)
        evidence = self._null(
            x=x, order=order, ranks=ranks, chosen=chosen, sign=sign, score=score, pool=pool
        )

        shape = score.shape
        yes_no = np.array([track.kind == "yes_no" for track in text.tracks])
        names = np.array([track.name for track in text.tracks], object)
        kinds = np.array([track.kind for track in text.tracks], object)
        table = {
            "layer": np.full(shape, layer, object),
            "signal": np.full(shape, signal, object),
            "cell": np.broadcast_to(np.array(cells)[:, None], shape),
            "concept": np.broadcast_to(names, shape),
            "kind": np.broadcast_to(kinds, shape),
            "lag": text.lags[chosen],
            "score": score,
            "selection_score": selected,
            "auroc": np.where(yes_no, (score + 1) / 2, np.nan),
            "f1": f1,
            "threshold": threshold,
            "sign": sign,
            "base_rate": base_rate,
            "pearson": pearson,
            "spearman": np.where(yes_no, np.nan, score),
            **evidence,
        }
        for name in ("f1", "threshold", "base_rate", "pearson"):
            table[name] = np.where(np.isnan(score), np.nan, table[name])
        return {name: values.ravel() for name, values in table.items()}

    def _scores(self, which: int, x: Floats, order: Places, ranks: Floats) -> Floats:
        """Score cells on one of the halves at every lag: ``(cell, concept, lag)``."""
        lagged = self._text.halves[which].places - self._text.lags[:, None]
        scores = np.empty((len(x), len(self._text.tracks), len(lagged)))
        for k, track in enumerate(self._text.tracks):
            tracks = track.at(which, lagged)
            if not track.holes:
                scores[:, k] = track.scores(ranks, tracks)
                continue
            for n, places in enumerate(lagged):
                there = ~np.isnan(track.said[places])
                within = statistics.ranks_within(x, order, there)
                scores[:, k, n] = track.scores(within, tracks[n : n + 1], there.sum())[:, 0]
        return scores

    def _select(self) -> tuple[Places, Floats, Floats]:
        """Select on one half: which lag, with what score, and the threshold of the best F1."""
        text = self._text
        x = self._values[:, text.halves[0].places]
        order, ranks = statistics.ranked_rows(x)
        scores = self._scores(0, x, order, ranks)
        chosen = np.nan_to_num(np.abs(scores), nan=-1.0).argmax(axis=2)
        selected = _at(scores, chosen)
        sign = np.where(selected < 0, -1, 1).astype(np.int8)
        threshold = np.full(selected.shape, np.nan, np.float32)
        yes_no = [k for k, track in enumerate(text.tracks) if track.kind == "yes_no"]
        said = [text.tracks[k].said.astype(np.uint8) for k in yes_no]
        if yes_no:
            for row, places in enumerate(order):
                when = text.halves[0].places[places]
                lags = text.lags[chosen[row, yes_no]]
                tracks = np.stack([z[when - lag] for z, lag in zip(said, lags, strict=True)])
                threshold[row, yes_no] = statistics.best_threshold(
                    x[row, places], tracks, sign[row, yes_no]
                )
        return chosen, selected, threshold

    def _rest(
        self, x: Floats, chosen: Places, sign: npt.NDArray[np.int8], threshold: Floats
    ) -> tuple[Floats, Floats, Floats]:
        """F1 and base rate of yes/no concepts, correlation of numeric ones, held out."""
        f1, base_rate, pearson = (np.full(chosen.shape, np.nan) for _ in range(3))
        for k, rows, track, places in self._by_lag(chosen):
            y = track.said[places]
            if track.kind == "numeric":
                there = ~np.isnan(y)
                pearson[rows, k] = _pearson(x[np.ix_(rows, there)], y[there])
                continue
            yes = y > 0
            for row in rows:
                limit = threshold[row, k]
                called = x[row] >= limit if sign[row, k] > 0 else x[row] <= limit
                total = int(called.sum() + yes.sum())
                f1[row, k] = 2 * int((called & yes).sum()) / max(total, 1)
            base_rate[rows, k] = yes.mean()
        f1[np.isnan(threshold)] = np.nan
        return f1, base_rate, pearson

    def _by_lag(self, chosen: Places) -> Iterator[tuple[int, Places, _Track, Places]]:
        """Go through concepts and lags: the cells for which a lag is chosen, and where it leads."""
        for k, track in enumerate(self._text.tracks):
            for n in np.unique(chosen[:, k]):
                rows = np.flatnonzero(chosen[:, k] == n)
                yield k, rows, track, self._text.held_out.places - self._text.lags[n]

    def _null(
        self,
        *,
        x: Floats,
        order: Places,
        ranks: Floats,
        chosen: Places,
        sign: npt.NDArray[np.int8],
        score: Floats,
        pool: _Pools,
    ) -> dict[str, npt.NDArray[Any]]:
        """Compare with shifted tracks.

        Returns p-values, effective sample sizes, why there are no p-values, where
        there are none, and z-scores under the null, with and without drifts.
        """
        text = self._text
        told = np.asarray(~np.isnan(score))
        reason = self._reasons(ranks, told)
        unknown = np.full(score.shape, np.nan)
        shifts = len(text.turns)
        if not shifts:
            columns = ("p_value", "effective_n", "standing", "quick_standing")
            return dict.fromkeys(columns, unknown) | {"reason": reason}
        null = self._shifted(x, order, ranks, chosen, np.asarray(told.any(axis=0)))
        effective_n = np.where(told, self._effective(ranks, null, chosen), np.nan)
        directed = null * sign[:, :, None]
        # A shifted track that cannot be scored (all of its few yes came to lie at the rim) counts
        # as one that scores as well.
        hits = np.count_nonzero(~(directed < (score * sign)[:, :, None] - _ROUNDING), axis=2)
        p_value = np.where(told, (1 + hits) / (1 + shifts), np.nan)
        judged = told & np.array([not each for each in text.reasons])
        p_value[~judged] = np.nan
        standing = np.full(score.shape, np.nan)
        standing[judged] = pool.whole.add(np.nan_to_num(directed[judged]), (score * sign)[judged])
        quick_p, quick_standing = self._without_drifts(
            x, order=order, ranks=ranks, chosen=chosen, sign=sign, judged=judged, pool=pool.quick
        )
        asked = p_value <= SURE
        reason[asked & (quick_p > SURE)] = "slow drifts only"
        return {
            "p_value": np.where(asked, np.fmax(p_value, quick_p), p_value),
            "effective_n": effective_n,
            "reason": reason,
            "standing": standing,
            "quick_standing": np.where(asked, quick_standing, np.nan),
        }

    def _reasons(self, ranks: Floats, told: npt.NDArray[np.bool_]) -> npt.NDArray[np.object_]:
        """Say why nothing can be judged, whatever the shifted tracks score."""
        reason = np.full(told.shape, "", object)
        for k, track in enumerate(self._text.tracks):
            reason[:, k] = self._text.reasons[k]
            reason[~told[:, k], k] = "too few timesteps"
            reason[~ranks.any(axis=1), k] = "the cell never changes"
            for which, unsaid in zip(("selection", "held-out"), track.unsaid, strict=True):
                if unsaid:
                    reason[~told[:, k], k] = f"{unsaid} in the {which} half"
        reason[~self._finite] = "values that aren't finite"
        return reason

    def _effective(self, ranks: Floats, null: Floats, chosen: Places) -> Floats:
        """Work out the effective sample size from the variance of shifted scores."""
        half = self._text.held_out
        n = np.full(chosen.shape, float(len(half.places)))
        variance = np.full(chosen.shape, np.nan)  # of scores if all timesteps were independent
        squares = np.einsum("ij,ij->i", ranks, ranks)
        for k, rows, track, places in self._by_lag(chosen):
            there = ~np.isnan(track.said[places])
            count = int(there.sum())
            n[rows, k] = count
            if track.kind == "numeric":
                variance[rows, k] = 1 / max(1, count - 1)
                continue
            yes = float(track.said[places].sum())
            pairs = yes * (count - yes)
            if pairs:
                variance[rows, k] = 4 * squares[rows] / (count * pairs * max(1, count - 1))
        with np.errstate(divide="ignore", invalid="ignore"):
            effective = 1 + (n - 1) * variance / null.var(axis=2, dtype=np.float64)
        most = np.minimum(n, int(half.lengths.sum()))
        return np.asarray(np.where(np.isnan(effective), np.nan, np.minimum(effective, most)))

    def _without_drifts(
        self,
        x: Floats,
        *,
        order: Places,
        ranks: Floats,
        chosen: Places,
        sign: npt.NDArray[np.int8],
        judged: npt.NDArray[np.bool_],
        pool: _Pool,
    ) -> tuple[Floats, Floats]:
        """Compare what is left of agreements when slow changes of the cells are left out.

        Returns p-values and z-scores under the null; NaN where that is no question.
        """
        text, slow = self._text, self._text.slow
        # Labels that never change in their segments, and numbers with gaps, are held as they are.
        judged = judged & [track.permutations is None and not track.holes for track in text.tracks]
        p_value, standing = np.full((2, *judged.shape), np.nan)
        if not slow.shape[1] or not judged.any():
            return p_value, standing
        quick = ranks - (ranks @ slow) @ slow.T
        null = self._shifted(x, order, quick, chosen, np.asarray(judged.any(axis=0)))
        score = _at(self._scores(1, x, order, quick), chosen) * sign
        directed = null * sign[:, :, None]
        hits = np.count_nonzero(~(directed < score[:, :, None] - _ROUNDING), axis=2)
        p_value[judged] = (1 + hits[judged]) / (1 + len(text.turns))
        standing[judged] = pool.add(np.nan_to_num(directed[judged]), score[judged])
        return p_value, standing

    def shifted(self, lag: int) -> npt.NDArray[np.float32]:
        """Score the cells at one lag for shifted tracks: ``(cell, concept, shift)``."""
        x = self._values[:, self._text.held_out.places]
        order, ranks = statistics.ranked_rows(x)
        (at,) = np.flatnonzero(self._text.lags == lag)
        chosen = np.full((len(x), len(self._text.tracks)), at)
        return self._shifted(x, order, ranks, chosen, np.ones(chosen.shape[1], bool))

    def _shifted(
        self,
        x: Floats,
        order: Places,
        ranks: Floats,
        chosen: Places,
        wanted: npt.NDArray[np.bool_],
    ) -> npt.NDArray[np.float32]:
        """Score the cells for shifted tracks ``(cell, concept, shift)``, 0 for those not wanted.

        A track circularly shifted and then compared at a lag is the track shifted by some timesteps
        more. So the null distribution is the same for every lag, and the score itself is one of it.
        (Numbers keep the ranks that they have in the half, whatever falls off at the rim.)
        """
        text = self._text
        shifts = len(text.turns)
        null = np.zeros((*chosen.shape, shifts), np.float32)
        singles = ranks.astype(np.float32)
        step = max(1, _SHIFTED_VALUES // len(text.held_out.places))
        for start in range(0, shifts, step):
            part = slice(start, start + step)
            # Most tracks are moved in the same way.
            moved: dict[str, Places] = {}
            for k, track in enumerate(text.tracks):
                if not track.holes and wanted[k]:
                    how = track.moved.__name__
                    if how not in moved:
                        moved[how] = track.moved(text.turns[part])
                    null[:, k, part] = track.scores(singles, track.ranks[moved[how]])
        for k, rows, track, places in self._by_lag(chosen):
            if track.holes:
                null[rows, k] = self._null_with_holes(x[rows], order[rows], track, places)
        return null

    def _null_with_holes(
        self, x: Floats, order: Places, track: _Track, places: Places
    ) -> npt.NDArray[np.float32]:
        """Shift a track's values among the timesteps that have one."""
        text = self._text
        there = ~np.isnan(track.said[places])
        values = _ranks_of(track.said[places[there]])
        there_only = text.held_out.only(there)
        ranks = statistics.ranks_within(x, order, there)[:, there].astype(np.float32)
        step = max(1, _SHIFTED_VALUES // max(len(values), 1))
        parts = [
            track.scores(ranks, values[there_only.shifted(text.turns[start : start + step])])
            for start in range(0, len(text.turns), step)
        ]
        return np.concatenate(parts, axis=1).astype(np.float32)


@dataclass(frozen=True)
class _Pools:
    """Shifted scores of all rows: of the cells as they are, and without their slow changes."""

    whole: _Pool
    quick: _Pool


def _at(scores: Floats, chosen: Places) -> Floats:
    return np.asarray(np.take_along_axis(scores, chosen[:, :, None], axis=2)[:, :, 0])


def _pearson(x: Floats, y: Floats) -> Floats:
    if not len(y):
        return np.full(len(x), np.nan)
    a = x - x.mean(axis=1, keepdims=True, dtype=np.float64)
    b = y - y.mean()
    with np.errstate(divide="ignore", invalid="ignore"):
        return np.asarray((a @ b) / np.sqrt((a**2).sum(axis=1) * (b**2).sum()))


class _Pool:
    """The shifted scores of all rows, each as a z-score under the others of its row.

    Only how many there are of each size is kept, by a fine scale on which the higher is the
    coarser; a score takes part of its step with it, which makes p-values larger, never smaller.
    """

    _STEPS = 1 << 14

    def __init__(self) -> None:
        self._counts = np.zeros(self._STEPS, np.int64)

    def _step(self, standing: Floats) -> Places:
        place = np.arcsinh(np.nan_to_num(standing, nan=0.0)) / 32 + 0.5  # z-scores up to 4 million
        return (place.clip(0, 1 - 1e-12) * self._STEPS).astype(np.intp)

    def add(self, null: Floats, score: Floats) -> Floats:
        """Take in shifted scores ``(row, shift)``; give z-scores of ``score`` ``(row,)`` under them."""
        n = null.shape[-1]
        away = null - null.mean(axis=-1, keepdims=True, dtype=np.float64)
        squares = (away**2).sum(axis=-1, keepdims=True)
        # Leave-one-out: a shifted score is standardized by the others, as the score is.
        others = np.maximum(squares - away**2 * n / (n - 1), 0) / (n - 1) if n > 1 else squares
        deviation = np.sqrt(squares[..., 0] / n)
        with np.errstate(divide="ignore", invalid="ignore"):
            standing = away * (n / (n - 1) if n > 1 else 1.0) / np.sqrt(others)
            own = (score - null.mean(axis=-1, dtype=np.float64)) / deviation
        self._counts += np.bincount(self._step(standing).ravel(), minlength=self._STEPS)
        # Where all shifts score the same, nothing can be told from them.
        return np.where(deviation > _ROUNDING, own, -np.inf)

    def p_values(self, standing: Floats) -> Floats:
        """How often a shifted score of any row stands as high."""
        if not self._counts.any():
            return np.full(standing.shape, np.nan)
        as_high = self._counts[::-1].cumsum()[::-1]
        p_values = (1 + as_high[self._step(standing)]) / (1 + as_high[0])
        return np.where(np.isnan(standing), np.nan, p_values)
