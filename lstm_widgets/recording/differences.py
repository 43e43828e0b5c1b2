# An index may be anything that NumPy takes, which xarray has no types for: Any.
# ruff: noqa: ANN401
"""One recording less another of the same inputs, computed only where it is read."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import xarray as xr
from xarray.backends import BackendArray
from xarray.core import indexing

from lstm_widgets.recording.recording import derived, node_of

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from lstm_widgets.recording.recording import Recording

__all__ = ["difference", "only"]


def only(recording: Recording, signals: Mapping[str, Sequence[str]]) -> Recording:
    """Give a recording some layers and signals of which are left; itself if these are all.

    Parameters
    ----------
    recording : Recording
    signals : mapping of str to sequence of str
        Names of layers, each with those of its signals.

    Returns
    -------
    Recording
        Reads the same arrays.

    Examples
    --------
    >>> from lstm_widgets.recording.differences import only
    >>> only(recording, {"lstm": ["hidden_state"]}).signals("lstm")
    ('hidden_state',)
    """
    if list(signals) == list(recording.layers) and all(
        list(recording.signals(layer)) == list(kept) for layer, kept in signals.items()
    ):
        return recording

    def kept(name: str, layer: xr.Dataset) -> xr.Dataset:
        wanted = [one for one in (*signals[name], "mask") if one in layer]
        return layer[wanted]

    return derived(recording, tuple(signals), kept)


def difference(
    recording: Recording, other: Recording, signals: Mapping[str, Sequence[str]]
) -> Recording:
    """Subtract one recording from another, signal by signal.

    Parameters
    ----------
    recording, other : Recording
        Of the same inputs, with layers of the same shapes.
    signals : mapping of str to sequence of str
        Names of layers, each with those of the signals that both have.

    Returns
    -------
    Recording
        ``recording - other`` of every signal, float32, with the tokens, masks, predictions and series of
        ``recording``, and no initial states: what made a state change isn't told by differences.

    Examples
    --------
    >>> from lstm_widgets.recording.differences import difference
    >>> nothing = difference(recording, recording, {"lstm": ["hidden_state"]})
    >>> float(abs(nothing["lstm"].hidden_state).max())
    0.0
    """

    def subtracted(name: str, layer: xr.Dataset) -> xr.Dataset:
        less = node_of(other, name)
        wanted = [one for one in (*signals[name], "mask") if one in layer]
        made = layer[wanted].drop_vars([n for n in layer.coords if str(n).startswith("initial_")])
        return made.assign(
            {one: _subtracted(layer[one].variable, less[one].variable) for one in signals[name]}
        )

    return derived(recording, tuple(signals), subtracted)


def _subtracted(one: xr.Variable, other: xr.Variable) -> xr.Variable:
    if one.shape != other.shape:
        raise ValueError(
            f"difference: expected arrays of one shape, got {one.shape}, {other.shape}"
        )
    data = indexing.LazilyIndexedArray(_Difference(one, other))
    chunks = one.encoding.get("chunks")
    return xr.Variable(one.dims, data, one.attrs, {"chunks": chunks} if chunks else None)


class _Difference(BackendArray):
    def __init__(self, one: xr.Variable, other: xr.Variable) -> None:
        self._one, self._other = one, other
        self.shape, self.dtype = one.shape, np.result_type(one.dtype, other.dtype)

    def __getitem__(self, key: Any) -> Any:
        return indexing.explicit_indexing_adapter(
            key, self.shape, indexing.IndexingSupport.OUTER, self._read
        )

    def _read(self, key: tuple[Any, ...]) -> Any:
        with np.errstate(invalid="ignore"):  # infinity less infinity is no number
            return self._one[key].values - self._other[key].values
