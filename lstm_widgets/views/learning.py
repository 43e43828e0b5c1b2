"""How scores of cells and a loss go over the variants of a training, as lines over one axis."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from lstm_widgets.analysis.ranked_cells import SURE
from lstm_widgets.tokens.wording import in_line, sendable

if TYPE_CHECKING:
    from collections.abc import Sequence

    import pandas as pd
    from numpy.typing import NDArray

    Floats = NDArray[np.float64]

__all__ = ["TOP", "Axis", "Curve", "Curves", "Losses", "axis_of", "curves_of", "losses_of"]

#: How many cells are told apart if none are asked for.
TOP = 5
_COUNTED = re.compile(r"\s*(.*?)\s*(-?\d+(?:\.\d+)?)\s*")
_COLUMNS = {"variant", "layer", "signal", "cell", "concept", "score", "sign", "q_value"}


class Axis(NamedTuple):
    """Where variants stand: by the number in their names, if all but that is the same, else evenly."""

    names: tuple[str, ...]
    places: Floats
    unit: str


class Curve(NamedTuple):
    """The score of one cell by variant, where it is sure, and what one shifted concept in twenty reaches."""

    name: str
    score: Floats
    sure: NDArray[np.bool_]
    level: Floats


@dataclass(frozen=True)
class Curves:
    """Scores of cells for one concept.

    Attributes
    ----------
    axis : Axis
    concept, measure : str
    curves : tuple of Curve
        Those that are told apart, the best of the last variant first.
    others : float64 array (cell, variant)
        The scores of all others.
    """

    axis: Axis
    concept: str
    measure: str
    curves: tuple[Curve, ...]
    others: Floats

    @property
    def level(self) -> Floats:
        """Up to which score each variant may have come by chance, whichever of the curves it is of."""
        levels = np.array([curve.level for curve in self.curves])
        known = np.isfinite(levels)
        highest = np.where(known, levels, -np.inf).max(axis=0)
        return np.where(known.any(axis=0), highest, np.nan)


#: Of each loss its name, where its values stand, and the values.
Losses = tuple[tuple[str, "Floats", "Floats"], ...]


def axis_of(names: Sequence[str]) -> Axis:
    """Find out where variants stand on an axis, by their names."""
    counted = [_COUNTED.fullmatch(name) for name in names]
    found = [(match[1], float(match[2])) for match in counted if match is not None]
    if len(found) == len(names):
        words, numbers = {word for word, _ in found}, [number for _, number in found]
        if len(words) == 1 and all(np.diff(numbers) > 0):
            return Axis(tuple(names), np.array(numbers), words.pop() or "variant")
    return Axis(tuple(names), np.arange(len(names), dtype=np.float64), "")


def curves_of(
    scores: pd.DataFrame,
    concept: str | None,
    cells: Sequence[int] | None,
    *,
    layer: str | None,
    signal: str | None,
) -> Curves:
    """Take the curves of cells out of a ranking of variants.

    Parameters
    ----------
    scores : pandas.DataFrame
        What ``rank_cells`` gave of variants.
    concept, cells, layer, signal : optional
        Which rows; default: the concept with the highest score, its best cells, all layers and signals.
    """
    import pandas as pd  # noqa: PLC0415

    missing = _COLUMNS - set(getattr(scores, "columns", ()))
    if missing:
        raise ValueError(
            "scores: expected a table of rank_cells(variants, ...), got one without "
            f"{', '.join(sorted(missing))}"
            if hasattr(scores, "columns")
            else f"scores: expected a table of rank_cells(variants, ...), got {type(scores).__name__}"
        )
    if not len(scores):
        raise ValueError("scores: expected a table with rows, got an empty one")
    rows = scores.assign(directed=scores["score"] * scores["sign"])
    if "null_level" not in rows:
        rows["null_level"] = np.nan
    for name, wanted in (("layer", layer), ("signal", signal), ("concept", concept)):
        known = rows[name].unique().tolist()
        if wanted is not None and wanted not in known:
            raise ValueError(
                f"{name}: expected one of {', '.join(map(repr, known))}; got {wanted!r}"
            )
        if wanted is not None:
            rows = rows[rows[name] == wanted]
    if concept is None:
        concept = str(rows["concept"].iloc[int(rows["directed"].fillna(-np.inf).argmax())])
        rows = rows[rows["concept"] == concept]
    order = rows["variant"]
    names = list(order.cat.categories if hasattr(order, "cat") else order.unique())
    names = [name for name in names if (order == name).any()]
    places = ["layer", "signal", "cell"]
    kept = ["directed", "q_value", "null_level"]
    wide = rows.pivot_table(
        kept, places, "variant", aggfunc="first", dropna=False, observed=True
    ).reindex(columns=pd.MultiIndex.from_product([kept, names]))
    score, sure, level = wide["directed"], wide["q_value"] < SURE, wide["null_level"]
    last = score.to_numpy()[:, -1]
    best = np.argsort(-np.nan_to_num(last, nan=-np.inf), kind="stable")
    numbers = score.index.get_level_values("cell").to_numpy()
    if cells is None:
        chosen = best[:TOP]
    else:
        if not np.iterable(cells):
            raise TypeError(f"cells: expected several, as in [{cells!r}]; got {cells!r:.80}")
        unknown = sorted(set(cells) - set(numbers.tolist()))
        if unknown or not len(cells):
            raise ValueError(
                f"cells: expected some of 0 to {numbers.max()}, got {unknown or cells!r}"
            )
        chosen = best[np.isin(numbers[best], cells)]
    several = [len(score.index.unique(level)) > 1 for level in places[:2]]
    curves = tuple(
        Curve(
            _called(score.index[k], several),
            *(each.to_numpy()[k] for each in (score, sure, level)),
        )
        for k in chosen.tolist()
    )
    kind = str(rows["kind"].iloc[0]) if "kind" in rows else ""
    measure = {"yes_no": "2 · AUROC − 1", "numeric": "Spearman’s ρ"}.get(kind, "score")
    others = np.delete(score.to_numpy(), chosen, axis=0)
    return Curves(axis_of(names), in_line(sendable(concept)), measure, curves, others)


def _called(place: Any, several: list[bool]) -> str:  # noqa: ANN401 - an entry of an index
    layer, signal, cell = place
    where = [str(each) for each, wanted in zip((layer, signal), several, strict=True) if wanted]
    return in_line(sendable(" ".join([*where, f"cell {cell}"]).replace("_", " ")))


def losses_of(loss: Any, axis: Axis) -> Losses:  # noqa: ANN401 - of many types
    """Place losses on the axis of variants.

    Parameters
    ----------
    loss : keras.callbacks.History, pandas.DataFrame, mapping, sequence or None
        As for ``LearningCurve``.
    axis : Axis
        Where variants stand.
    """
    if loss is None:
        return ()
    if hasattr(loss, "columns"):
        return _of_table(loss, axis)
    first = 1.0
    if hasattr(loss, "history"):
        first += min(getattr(loss, "epoch", None) or [0])
        loss = loss.history
    named = loss if isinstance(loss, Mapping) else {"loss": loss}
    wanted = [name for name in named if "loss" in str(name)]
    if not wanted:
        raise ValueError(
            "loss: expected a dict with a loss, by a name with 'loss' in it such as 'val_loss'; got "
            f"{', '.join(map(repr, named)) or 'an empty one'}"
        )
    found = []
    for name in wanted:
        try:
            values = np.asarray(named[name], np.float64)
        except (TypeError, ValueError):
            values = np.zeros((0, 0))
        if values.ndim != 1 or not len(values):
            raise ValueError(
                "loss: expected what fit() returned, a dict of such lists, the losses of a "
                f"TrainingRecorder, or a list of numbers, one an epoch; got {named[name]!r:.80}"
            )
        found.append((_plain(name), _places(len(values), axis, first), values))
    return tuple(found)


def _places(count: int, axis: Axis, first: float) -> Floats:
    """Place losses, one an epoch after it, or one a variant."""
    if axis.unit == "epoch":
        return first + np.arange(count, dtype=np.float64)
    if count == len(axis.places):
        return axis.places
    raise ValueError(
        f"loss: expected one value for each of the {len(axis.places)} variants, which aren't called by "
        f"epochs ('epoch 3'); got {count}"
    )


def _of_table(table: pd.DataFrame, axis: Axis) -> Losses:
    if "variant" not in table or not any("loss" in str(name) for name in table.columns):
        raise ValueError(
            "loss: expected a table with the columns variant and loss, as TrainingRecorder.losses; got "
            f"{', '.join(map(str, table.columns))}"
        )
    at = dict(zip(axis.names, axis.places.tolist(), strict=True))
    known = table[table["variant"].isin(at)]
    x = np.array([at[name] for name in known["variant"]], np.float64)
    found = []
    for name in known.columns:
        if "loss" not in str(name):
            continue
        values = known[name].to_numpy(np.float64)
        there = np.isfinite(values)
        if there.any():
            found.append((_plain(name), x[there], values[there]))
    if not found:
        raise ValueError("loss: expected losses of the variants that are ranked, got none of them")
    return tuple(found)


def _plain(name: object) -> str:
    words = {"loss": "training", "val_loss": "validation"}
    return words.get(str(name), in_line(sendable(str(name).replace("_", " "))))
