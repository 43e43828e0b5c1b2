# ruff: noqa: ANN401 - labels of groups are of many types
"""Which cell of one network does what a cell of another does, over the same inputs."""

from __future__ import annotations

import warnings
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
import xarray as xr

from lstm_widgets.analysis import co_moments, similarity, statistics
from lstm_widgets.analysis.compared_null import Shifted, rotated, shifted, told_by
from lstm_widgets.analysis.pooled_null import ROUNDING, Pool
from lstm_widgets.analysis.ranked_cells import SURE
from lstm_widgets.analysis.series import origin_of
from lstm_widgets.checks import expect_whole
from lstm_widgets.recording import Recording, Variants
from lstm_widgets.recording.counterparts import by_place, counterparts, name_of, renamed
from lstm_widgets.recording.expecting import expect_recording, usual_layer
from lstm_widgets.recording.masks import mask_of
from lstm_widgets.recording.same_inputs import difference_of_timesteps, expect_same_inputs

if TYPE_CHECKING:
    from collections.abc import Callable

    import numpy.typing as npt

    from lstm_widgets.analysis.co_moments import CoMoments
    from lstm_widgets.analysis.series import Origin

    Doubles = npt.NDArray[np.float64]
    Flags = npt.NDArray[np.bool_]

__all__ = ["compare_cells"]


def compare_cells(
    a: Recording,
    b: Recording | Mapping[str, Recording] | Sequence[Recording],
    *,
    layer: str | tuple[str, str] | None = None,
    signal: str | tuple[str, str] = "hidden_state",
    groups: Any = None,
    step: int | None = None,
    shifts: int = 200,
    seed: int = 0,
) -> xr.Dataset:
    r"""Find out which cell of one network does what a cell of another does.

    Both have read the same inputs. Every cell of ``a`` is correlated with every cell of ``b`` over all
    timesteps that aren't padding, in float64, a block of timesteps at a time. The one-to-one matching
    with the largest sum of :math:`|\rho|` makes pairs of them. Two nulls stand beside it:

    - *shifted*: ``b`` is circularly shifted within each example (of overlapping windows, within their
      series) by a random number of timesteps, and matched anew. What remains is what any two networks
      have in common that change as slowly as these.
    - *rotated*: the cells of ``b`` are mixed by a random rotation, and matched anew. Networks that read
      the same inputs have much in common because of the inputs, trained or not: a shift takes that
      away, a rotation doesn't. A pair that stands out from it is one of two *cells*, not only of two
      layers that know the same.

    Parameters
    ----------
    a : Recording
        Whose cells are looked for.
    b : Recording, Variants, mapping or sequence of Recording
        Where: one network, or several, such as other seeds. ``a`` itself isn't compared with itself if
        it is among several.
    layer : str or tuple of str, optional
        The layer of both, or (that of ``a``, that of ``b``). Default: the first of ``a`` that has the signal,
        and that of ``b`` by the same name, else its first. Where layers of ``b`` are called otherwise by a
        number only (``lstm_2`` for ``lstm``, as Keras numbers those without a name), they are found by their
        places, if all have the same kinds and numbers of cells; ``attrs`` tell the name.
    signal : str or tuple of str, default "hidden_state"
        The signal of both, or (that of ``a``, that of ``b``).
    groups, step : optional
        Which examples are windows of one series, as for :func:`lstm_widgets.rank_cells`.
    shifts : int, default 200
        How many times ``b`` is shifted, and how many times rotated. 0: no nulls, and no p-values.
    seed : int, default 0
        Seed of the shifts and the rotations.

    Returns
    -------
    xarray.Dataset
        Of several networks, each variable but ``robustness`` has ``variant`` in front, and
        ``cell_b`` goes as far as in the largest (NaN beyond).

        - ``correlation`` (cell_a, cell_b): Pearson's :math:`\rho`.
        - ``match`` (cell_a): its partner in ``b``, -1 where there is none.
        - ``score``, ``sign`` (cell_a): :math:`|\rho|` of the pair; -1 if one is high when the other is low.
        - ``null`` (cell_a, shift): the score of the cell with the partner that it gets when ``b`` is
          shifted; ``rotated_null`` (cell_a, rotation) when its cells are mixed.
        - ``p_value`` (cell_a): how often a shift scores as well, :math:`(1 + hits) / (1 + shifts)`.
          In few long series, what is below 0.05 is tested again after high-pass filtering the cell of
          ``a`` (5 cycles or more in all of them), and the larger p-value is reported.
        - ``pooled_p_value`` (cell_a): the same under the shifts of all cells together, each as a
          z-score under those of its own cell.
        - ``q_value`` (cell_a): that, adjusted by Benjamini and Hochberg over the cells, and not below
          ``p_value``.
        - ``rotated_p_value`` (cell_a): how often a rotation scores as well.
        - ``robustness`` (cell_a): the largest :math:`|\rho|` with any cell of any network of ``b``,
          :math:`\max_m \max_k |\rho(a_j, b^m_k)|`. It has no null: hold it against that of an untrained
          network.
        - ``reason`` (cell_a), ``reason_b`` (cell_b): why there is no pair, or no confidence in it:
          ``"never changes"``, ``"values that aren't finite"``, ``"no partner left"``,
          ``"slow drifts only"``; else "".
        - ``cka``, ``svcca``: how alike the layers are as wholes, of cells with finite values: linear
          centered kernel alignment, and the mean canonical correlation between the directions with 99 %
          of the variance of each. Both are above 0 for layers that have nothing in common, the more so
          the fewer timesteps there are: ``cka_null``, ``svcca_null`` (shift) tell how far, and
          ``cka_p_value``, ``svcca_p_value`` how often a shift gives as much.

        ``attrs`` has ``layer_a``, ``layer_b``, ``signal_a``, ``signal_b``, ``shifts``, ``seed``,
        ``timesteps``, and ``null_timesteps``: of how many of them p-values are, if all would take too
        long; and ``windows``, a sentence on overlapping examples.

    Warns
    -----
    UserWarning
        If examples overlap, or if it can't be told whether they do.

    Raises
    ------
    TypeError, ValueError
        If an argument doesn't fit, or the networks haven't read the same inputs.
    LayerNotFoundError
        If a recording doesn't have the layer.

    See Also
    --------
    CellComparison : the grids of both networks, partners side by side.

    References
    ----------
    Robustness: Dalvi et al. 2019, AAAI 33, 6309-6317, arXiv:1812.09355, "cross-model correlation". CKA:
    Kornblith et al. 2019, arXiv:1905.00414. SVCCA: Raghu et al. 2017, arXiv:1706.05806. One-to-one
    matching of units by correlation: Li et al. 2016, arXiv:1511.07543.

    Examples
    --------
    >>> compared = lw.compare_cells(recording, recording, shifts=20)
    >>> compared["match"].values.tolist(), compared["score"].values.round(6).tolist()
    ([0, 1, 2], [1.0, 1.0, 1.0])
    """
    from tqdm.auto import tqdm  # noqa: PLC0415

    shifts = expect_whole("shifts", shifts, 0)
    others, several = _others(a, b)
    signals = _pair("signal", signal)
    called = {name: f"b[{name!r}]" if several else "b" for name in others}
    # As variants, all of `others` have the same names.
    pairs = [_layers(a, each, layer, signals, called[name]) for name, each in others.items()]
    names, told = pairs[0]
    if told:
        warnings.warn(told, stacklevel=2)
    one = _layer("a", a, names[0], signals[0])
    mask, origin = mask_of(one), origin_of(a, names[0], {}, groups, step)
    if not mask.any():
        raise ValueError(f"a: expected timesteps that aren't padding, layer {names[0]!r} has none")
    if origin.told and groups is None and step is None:
        warnings.warn(origin.told, stacklevel=2)
    compared = {}
    with tqdm(total=shifts * len(others), desc="comparing", unit="shift") as bar:
        for name, recording in others.items():
            other = _layer(called[name], recording, names[1], signals[1])
            _expect_same_timesteps(one, other, called[name])
            both = co_moments.beside(one, other, signals)
            compared[name] = _compared(
                both, mask, origin, shifts=shifts, seed=seed, advance=bar.update
            )
    result = _together(compared) if several else next(iter(compared.values()))
    result["robustness"] = _robustness(result["correlation"])
    result.attrs = {
        "layer_a": names[0],
        "layer_b": names[1],
        "signal_a": signals[0],
        "signal_b": signals[1],
        "shifts": shifts,
        "seed": seed,
        "timesteps": int(np.count_nonzero(mask)),
        "null_timesteps": min(each.attrs["null_timesteps"] for each in compared.values()),
    }
    if origin.told:
        result.attrs["windows"] = origin.told
    return result


def _others(a: Any, b: Any) -> tuple[dict[str, Recording], bool]:
    """Name the networks that the first one is compared with, and tell whether there may be several."""
    expect_recording("a", a)
    if isinstance(b, Recording):
        return {"b": b}, False
    if isinstance(b, Mapping):
        given = dict(b)
    elif isinstance(b, Sequence) and not isinstance(b, str):
        given = {str(k): each for k, each in enumerate(b)}
    else:
        given = {}
    for name, each in given.items():
        if not isinstance(each, Recording):
            raise TypeError(
                f"b: expected recordings, got {type(each).__name__} as {name!r}; Variants opens paths"
            )
    if isinstance(b, Variants):
        others = {name: each for name, each in given.items() if not b.is_variant(name, a)}
    else:
        others = {str(name): each for name, each in given.items() if each is not a}
    if not others:
        raise TypeError(
            f"b: expected a Recording, or Variants, a dict or a list of such as aren't a itself, "
            f"got {type(b).__name__}"
        )
    # As variants, they have one name for one layer.
    return others if isinstance(b, Variants) else dict(Variants(others)), True


def _layers(
    a: Recording, b: Recording, layer: Any, signals: tuple[str, str], called: str
) -> tuple[tuple[str, str], str]:
    """Name the layers that are compared, of networks that have read the same; say so if that is by place."""
    if layer is not None and not isinstance(layer, str):
        expect_same_inputs(called, b, "a", a, layers=())
        return _pair("layer", layer), ""
    try:
        known = counterparts(a, b, ("a", called))
    except ValueError as error:
        error.add_note("Or say which are compared: layer=(that of a, that of b).")
        raise
    expect_same_inputs(called, renamed(b, known) if known else b, "a", a)
    first = usual_layer(a, signals[0]) if layer is None else layer
    own = name_of({name: own for own, name in known.items()}, first)
    if layer is None and not (own in b and signals[1] in b.signals(own)):
        own = usual_layer(b, signals[1])
    return (first, own), by_place(known, ("a", called)) if known else ""


def _expect_same_timesteps(one: xr.Dataset, other: xr.Dataset, called: str) -> None:
    """Refuse layers, which may have different names, whose timesteps aren't the same."""
    sizes = [(each.sizes["example"], each.sizes["timestep"]) for each in (one, other)]
    if sizes[0] != sizes[1]:
        raise ValueError(
            f"layer: expected layers with the same examples and timesteps, got {sizes[0]} of a and "
            f"{sizes[1]} of {called}"
        )
    if not np.array_equal(mask_of(one), mask_of(other)):
        raise ValueError(
            f"layer: expected layers with the same padding, that of {called} differs from that of a"
        )
    what = difference_of_timesteps(other, one)
    if what is not None:
        raise ValueError(
            f"layer: expected layers that have read the same, but that of {called} has {what}"
        )


def _pair(argument: str, given: Any) -> tuple[str, str]:
    """Give the name that is meant of each network."""
    pair = (given, given) if isinstance(given, str) else given
    if not (isinstance(pair, tuple) and [*map(type, pair)] == [str, str]):
        raise ValueError(
            f"{argument}: expected a name, or that of a and that of b as a tuple, got {given!r:.80}"
        )
    return pair


def _layer(argument: str, recording: Recording, layer: str, signal: str) -> xr.Dataset:
    if signal not in (has := recording.signals(layer)):
        raise ValueError(
            f"signal: expected one of {', '.join(map(repr, has))} of layer {layer!r} of {argument}, "
            f"got {signal!r}"
        )
    return recording[layer]


def _compared(
    both: xr.Dataset,
    mask: Flags,
    origin: Origin,
    *,
    shifts: int,
    seed: int,
    advance: Callable[[], object],
) -> xr.Dataset:
    """Compare two networks."""
    known = co_moments.co_moments(both, "correlating")
    assert known is not None  # noqa: S101 - there are timesteps
    p = known.first
    every = known.correlation()
    correlation = every[:p, p:]
    partner = similarity.matched(correlation)
    found = similarity.at_partners(correlation, partner)
    parts = known.parts()
    rng = np.random.default_rng(seed)
    there = told_by(mask, origin, correlation.shape, shifts, rng)
    moved = shifted(both, origin, there, shifts=shifts, rng=rng, advance=advance)
    mixed = rotated(every, p, shifts, rng)
    score = np.abs(found)
    evidence, drifting = _evidence(moved, partner)
    reason = _reasons(known)
    of_a = reason[:p]
    of_a[(of_a == "") & (partner < 0)] = "no partner left"
    of_a[(of_a == "") & drifting] = "slow drifts only"
    by_cell = {
        "match": partner,
        "score": score,
        "sign": np.where(found < 0, -1, 1).astype(np.int8),
        **evidence,
        "rotated_p_value": _p_values(mixed, score),
        "reason": of_a,
    }
    return xr.Dataset(
        {
            "correlation": (("cell_a", "cell_b"), correlation),
            **{name: ("cell_a", values) for name, values in by_cell.items()},
            "null": (("cell_a", "shift"), moved.null),
            "rotated_null": (("cell_a", "rotation"), mixed),
            "reason_b": ("cell_b", reason[p:]),
            "cka": similarity.linear_cka(*parts),
            "svcca": similarity.svcca(parts[1], *map(similarity.directions, parts[::2])),
            "cka_null": ("shift", moved.cka_null),
            "svcca_null": ("shift", moved.svcca_null),
            "cka_p_value": _p_values(moved.cka_null[None], np.array([moved.cka]))[0],
            "svcca_p_value": _p_values(moved.svcca_null[None], np.array([moved.svcca]))[0],
        },
        {"cell_a": np.arange(p), "cell_b": np.arange(correlation.shape[1])},
        {"null_timesteps": moved.timesteps},
    )


def _evidence(moved: Shifted, partner: npt.NDArray[np.intp]) -> tuple[dict[str, Doubles], Flags]:
    """Compute p-values of pairs, and tell which agree by slow drifts only."""
    p_value, pooled = _against(moved.correlation, moved.null, partner)
    drifting = np.zeros(len(partner), np.bool_)
    if moved.quick_correlation is not None and moved.quick_null is not None:
        quick, quick_pooled = _against(moved.quick_correlation, moved.quick_null, partner)
        asked = p_value <= SURE
        drifting = asked & (quick > SURE)
        p_value = np.where(asked, np.fmax(p_value, quick), p_value)
        pooled = np.where(asked, np.fmax(pooled, quick_pooled), pooled)
    q_value = np.maximum(statistics.q_values(pooled), p_value)
    return {"p_value": p_value, "pooled_p_value": pooled, "q_value": q_value}, drifting


def _against(
    correlation: Doubles, null: npt.NDArray[np.float32], partner: npt.NDArray[np.intp]
) -> tuple[Doubles, Doubles]:
    """Compute p-values of pairs, by their own shifts and by those of all."""
    score = np.abs(similarity.at_partners(correlation, partner))
    judged = ~np.isnan(score)
    p_value, standing = _p_values(null, score), np.full(len(score), np.nan)
    if not null.shape[1] or not judged.any():
        return p_value, standing
    pool = Pool()
    standing[judged] = pool.add(np.nan_to_num(null[judged]), score[judged])
    return p_value, np.asarray(pool.p_values(standing), np.float64)


def _p_values(null: npt.NDArray[np.floating], score: Doubles) -> Doubles:
    """Tell how often a null (row, time) is as high as a score (row,); NaN where there is none."""
    times = null.shape[1]
    # A cell that found no partner this time has none that scores as well.
    hits = (null >= score[:, None] - ROUNDING).sum(axis=1)
    known = ~np.isnan(score) & (times > 0)
    return np.where(known, (1 + hits) / (1 + times), np.nan)


def _reasons(known: CoMoments) -> npt.NDArray[np.object_]:
    """Say of each cell why it has no correlation."""
    reason = np.full(len(known.mean), "", object)
    reason[~known.changing] = "never changes"
    reason[~known.finite] = "values that aren't finite"
    return reason


def _robustness(correlation: xr.DataArray) -> xr.DataArray:
    """Give the largest magnitude that each cell has with any other; NaN where none is known."""
    over = [dim for dim in correlation.dims if dim != "cell_a"]
    return abs(correlation).max(over, skipna=True)


def _together(compared: dict[str, xr.Dataset]) -> xr.Dataset:
    """Put comparisons with several networks into one."""
    most = max(each.sizes["cell_b"] for each in compared.values())
    fill = {"correlation": np.nan, "reason_b": ""}
    alike = [each.reindex(cell_b=np.arange(most), fill_value=fill) for each in compared.values()]
    names = np.array([*compared, ""], object)[:-1]
    return xr.concat(alike, "variant", combine_attrs="drop").assign_coords(variant=names)
