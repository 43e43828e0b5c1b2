# Models, and what they read and return, are of many types: Any.
# ruff: noqa: ANN401
"""Which cells of a model are held at a value while it runs."""

from __future__ import annotations

import re
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from lstm_widgets.checks import expect_whole
from lstm_widgets.errors import LayerNotFoundError
from lstm_widgets.recording.calls import split_call
from lstm_widgets.rnn.cells import SIGNALS

if TYPE_CHECKING:
    from collections.abc import Sequence

    import numpy.typing as npt

    from lstm_widgets.models.adapter import Layer
    from lstm_widgets.rnn.cells import Holds

__all__ = ["Held", "Holding", "parts_of", "standard_held"]


@dataclass(frozen=True, init=False)
class Held:
    """Cells of one layer that are held at a value, at every timestep that isn't padding.

    One signal is held, where it is computed: with a gate held, the states follow from the held
    gate; with the hidden state held, the next timestep and the next layer read the held value. This
    is an intervention as in Lakretz et al. 2019 (arXiv:1903.07435), who fixed cells at zero.

    Parameters
    ----------
    cells : int, or sequence or array of int
        One cell, or several.
    value : float, or sequence or array of float, default 0.0
        What they are held at: one number, or one for each cell.
    layer : str, optional
        The layer, by its name in a recording. The name of a Bidirectional means both directions,
        whose cells are numbered one after the other. Of a layer that the model calls several times,
        the name means all calls, and ``"lstm:2"`` the second one; what is held in a single call
        takes precedence over what is held in all of them. Default: the first recurrent layer.
    signal : str, default "hidden_state"
        One of the layer's signals.

    Raises
    ------
    ValueError
        If cells repeat or aren't whole numbers from 0, values aren't finite, or their number isn't
        that of the cells.

    Examples
    --------
    >>> held = lw.Held([3, 1], value=[0.5, 0.0], layer="lstm")
    >>> held.cells, held.value
    ((3, 1), (0.5, 0.0))
    """

    cells: tuple[int, ...]
    value: tuple[float, ...]
    layer: str | None
    signal: str

    def __init__(
        self,
        cells: int | Sequence[int] | npt.NDArray[np.integer[Any]],
        value: float | Sequence[float] | npt.NDArray[np.floating[Any]] = 0.0,
        layer: str | None = None,
        signal: str = "hidden_state",
    ) -> None:
        (several, _), (values, each) = _several("cells", cells), _several("value", value)
        if not several:
            raise ValueError("cells: expected at least one, got none")
        for cell in several:
            expect_whole("cells", cell, 0)
        if len(set(several)) != len(several):
            raise ValueError(f"cells: expected each cell once, got {cells!r:.80}")
        for one in values:
            number = isinstance(one, (int, float, np.number)) and not isinstance(one, bool)
            if not number or not np.isfinite(one):
                raise ValueError(f"value: expected finite numbers, got {one!r:.80}")
        if not each:
            values = values * len(several)
        if len(values) != len(several):
            raise ValueError(
                f"value: expected one number, or one for each of {len(several)} cells, got "
                f"{len(values)}"
            )
        if not isinstance(signal, str):
            raise TypeError(f"signal: expected a name, got {signal!r:.80}")
        if layer is not None and not isinstance(layer, str):
            raise TypeError(f"layer: expected a name or None, got {layer!r:.80}")
        for name, known in {
            "cells": tuple(map(int, several)),
            "value": tuple(map(float, values)),
            "layer": layer,
            "signal": signal,
        }.items():
            object.__setattr__(self, name, known)


def _several(argument: str, given: Any) -> tuple[tuple[Any, ...], bool]:
    """List one or several of something, and tell whether it was several that were given."""
    axes = getattr(given, "ndim", None)
    if axes is not None:
        if axes > 1:
            raise ValueError(
                f"{argument}: expected one, or a sequence of them, got an array of shape "
                f"{tuple(given.shape)}"
            )
        given = np.asarray(given)
        return tuple(np.atleast_1d(given)), axes == 1
    if isinstance(given, str) or not hasattr(given, "__len__"):
        return (given,), False
    return tuple(given), True


def standard_held(held: Held | Sequence[Held] | None) -> tuple[Held, ...]:
    """List what is to be held."""
    several = () if held is None else (held,) if isinstance(held, Held) else tuple(held)
    for one in several:
        if not isinstance(one, Held):
            raise TypeError(f"held: expected a lstm_widgets.Held, or several, got {one!r:.80}")
    return several


class Holding:
    """Which cells are held, in each of several copies of what a model reads.

    Parameters
    ----------
    found : sequence of Layer
        The model's recurrent layers.
    copies : sequence of sequence of Held, default ((),)
        What is held in each copy. All examples of the first copy come first, then those of the
        second one, and so on.
    """

    def __init__(self, found: Sequence[Layer], copies: Sequence[Sequence[Held]] = ((),)) -> None:
        self.copies = len(copies)
        self._found = found
        #: What is held in the first copy, as JSON can hold it.
        self.described = [asdict(held) for held in copies[0]]
        self._held: dict[tuple[str, int | None], dict[str, tuple[Any, Any]]] = {}
        for copy, several in enumerate(copies):
            for held in several:
                self._add(copy, held)

    @property
    def layers(self) -> tuple[tuple[str, int | None], ...]:
        """The layers with held cells, and which of their calls; None: all."""
        return tuple(self._held)

    def of(self, name: str, call: int, rows: int) -> Holds | None:
        """Tell what is held in a call of a layer, at each of the rows of a batch."""
        held = dict(self._held.get((name, None), {}))
        for signal, (are_held, values) in self._held.get((name, call), {}).items():
            also, others = held.get(signal, (are_held, values))
            held[signal] = are_held | also, np.where(are_held, values, others)
        times = rows // self.copies
        return {
            signal: (np.repeat(are_held, times, axis=0), np.repeat(values, times, axis=0))
            for signal, (are_held, values) in held.items()
        } or None

    def _add(self, copy: int, held: Held) -> None:
        parts = parts_of(self._found, held.layer)
        cells, values = np.array(held.cells, np.intp), np.array(held.value, np.float64)
        total = sum(part.units for part in parts)
        if (cells >= total).any():
            raise ValueError(
                f"cells: expected 0 to {total - 1} (layer {held.layer or parts[0].name!r}), got "
                f"{cells.max()}"
            )
        for name, call, kind, units in parts:
            if held.signal not in SIGNALS[kind]:
                raise ValueError(
                    f"signal: expected one of {', '.join(map(repr, SIGNALS[kind]))} (layer "
                    f"{name!r}), got {held.signal!r}"
                )
            here = (cells >= 0) & (cells < units)
            if here.any():
                shape = (self.copies, units)
                new = np.zeros(shape, np.bool_), np.zeros(shape, np.float64)
                pair = self._held.setdefault((name, call), {}).setdefault(held.signal, new)
                pair[0][copy, cells[here]] = True
                pair[1][copy, cells[here]] = values[here]
            cells = cells - units


class Part(NamedTuple):
    """A layer, or one direction of it, in one of its calls (None: all): its kind and size."""

    name: str
    call: int | None
    kind: str
    units: int


def parts_of(found: Sequence[Layer], layer: str | None) -> list[Part]:
    """Find a layer, or both directions of one, by its name in a recording; None: the first."""
    if layer is not None and not isinstance(layer, str):
        raise TypeError(f"layer: expected a name, got {layer!r:.80}")
    known: dict[str, Part] = {}
    for one in found:
        for unit, kind, size in zip(one.units, one.kinds, one.sizes, strict=True):
            known[unit] = Part(unit, None, kind, size)
    base, call = split_call(next(iter(known)) if layer is None else layer)
    names = [base]
    if base not in known:
        ways = [re.fullmatch(r"(.+)/(?:forward|backward)(/.+)?", unit) for unit in known]
        names = [way[0] for way in ways if way and way[1] + (way[2] or "") == base]
    if not names:
        raise LayerNotFoundError(
            f"layer: expected one of {', '.join(map(repr, known))}, got {layer!r}"
        )
    return [known[name]._replace(call=call) for name in names]
