"""What a probe makes of held-out states, as a track: worked out when it is looked at, if it is long."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np
import xarray as xr
from xarray.backends import BackendArray
from xarray.core import indexing

from lstm_widgets.analysis.probes.numbered import STRETCH, Numbered, stretches

if TYPE_CHECKING:
    import numpy.typing as npt

    from lstm_widgets.analysis.probes.asked import Asked
    from lstm_widgets.analysis.probes.fits import FittedTarget
    from lstm_widgets.analysis.probes.probed import Probed
    from lstm_widgets.analysis.probes.scored import Scored

    Flags = npt.NDArray[np.bool_]
    Floats = npt.NDArray[np.float64]
    Places = npt.NDArray[np.integer[Any]]

__all__ = ["Prediction"]

#: Predictions of more timesteps aren't kept.
MANY_COLUMNS = 1 << 22


@dataclass(frozen=True)
class Prediction:
    """The prediction of one concept from the whole state, where the concept stands.

    Attributes
    ----------
    asked, there : Asked, bool array (n,)
        The layer, and at which of its timesteps the concept is known.
    probed, fitted, scored : Probed, FittedTarget, Scored
        How it is read.
    lags : int array (lag,)
        By how much states trail the concept.
    """

    asked: Asked
    there: Flags
    probed: Probed
    fitted: FittedTarget
    scored: Scored
    lags: Places

    @cached_property
    def kept(self) -> Floats | None:
        """All of it, at the timesteps that aren't padding; None where that is too much."""
        return None if self.asked.mask.size > MANY_COLUMNS else np.full(len(self.there), np.nan)

    @cached_property
    def _known(self) -> Numbered:
        return Numbered.of(self.there[part] for part in stretches(len(self.there)))

    def _trailed(self, rows: slice | Places) -> Places:
        """Tell by how much the state trails at some timesteps."""
        fold = self.probed.folds.at(rows)
        return np.asarray(self.lags[self.fitted.lag[fold, 0]])

    def add(self, rows: slice, read: Floats) -> None:
        """Take in what was read from the whole state at some timesteps ``(n,)``."""
        if self.kept is None or rows.start == rows.stop:
            return
        first = self._known.column(rows.start)
        last = self._known.column(rows.stop - 1) + 1
        places = first + np.flatnonzero(self.there[first:last]) - self._trailed(rows)
        found = self.scored.prediction(read)
        known = np.isfinite(found)
        self.kept[places[known]] = found[known]

    def variable(self) -> xr.Variable:
        """Give it as a track ``(example, timestep)``."""
        target = self.fitted.target
        described = "probability" if target.kind == "yes_no" else "value"
        told = f"held-out {described} of {target.name}, by a probe"
        values: Any = _Lazy(self)
        if self.kept is not None:
            values = np.full(self.asked.mask.shape, np.nan)
            values[self.asked.mask] = self.kept
        else:
            values = indexing.LazilyIndexedArray(values)
        dims = ("example", "timestep")
        return xr.Variable(dims, values, {"kind": "numeric", "description": told})

    def of_columns(self, columns: slice) -> Floats:
        """Work it out at some timesteps of one example."""
        found = np.full(columns.stop - columns.start, np.nan)
        for start in range(columns.start, columns.stop, STRETCH):
            part = slice(start, min(start + STRETCH, columns.stop))
            found[start - columns.start : part.stop - columns.start] = self._part(part)
        return found

    def _part(self, columns: slice) -> Floats:
        asked, real = self.asked, self.asked.real
        width = asked.mask.shape[1]
        example = columns.start // width
        whole = real.within(slice(example * width, (example + 1) * width))
        here = real.within(columns)
        grid = np.full(columns.stop - columns.start, np.nan)
        # The states that may say something of them.
        low = max(whole.start, here.start + int(self.lags.min()))
        high = min(whole.stop, here.stop + int(self.lags.max()))
        rows = self._known.within(slice(low, max(low, high)))
        if here.start == here.stop or rows.start == rows.stop:
            return grid
        first, last = real.column(low), real.column(high - 1) + 1
        values = asked.signal[example, first - example * width : last - example * width].to_numpy()
        values = values[real.here(slice(first, last))][self.there[low:high]]
        fold = self.probed.folds.at(rows)
        finite = self.probed.finite[rows]
        x = values[:, self.probed.chosen].astype(np.float64) - self.probed.offset
        read = np.full(len(x), np.nan)
        for one in np.unique(fold[finite]):
            which = finite & (fold == one)
            read[which] = x[which] @ self.fitted.weights[one, :, 0] + self.fitted.intercept[one, 0]
        said = self.scored.prediction(read)
        places = low + np.flatnonzero(self.there[low:high]) - self._trailed(rows) - here.start
        known = np.isfinite(said) & (places >= 0) & (places < here.stop - here.start)
        flat = np.full(here.stop - here.start, np.nan)
        flat[places[known]] = said[known]
        grid[real.here(columns)] = flat
        return grid


class _Lazy(BackendArray):
    """A prediction as an array ``(example, timestep)``."""

    def __init__(self, prediction: Prediction) -> None:
        self._prediction = prediction
        self.shape = prediction.asked.mask.shape
        self.dtype = np.dtype(np.float64)

    def __getitem__(self, key: indexing.ExplicitIndexer) -> npt.NDArray[Any]:
        values: npt.NDArray[Any] = indexing.explicit_indexing_adapter(
            key, self.shape, indexing.IndexingSupport.OUTER, self._read
        )
        return values

    def _read(self, key: tuple[Any, Any]) -> Floats:
        examples, timesteps = (
            np.arange(size)[part] if isinstance(part, slice) else np.asarray(part)
            for part, size in zip(key, self.shape, strict=True)
        )
        rows = [self._row(int(example), timesteps) for example in examples.ravel()]
        return np.array(rows).reshape(*examples.shape, *timesteps.shape)

    def _row(self, example: int, timesteps: Places) -> Floats:
        places = example * self.shape[1] + timesteps.ravel()
        if not len(places):
            return np.zeros(0)
        first = int(places.min())
        within = self._prediction.of_columns(slice(first, int(places.max()) + 1))
        return np.asarray(within[places - first])
