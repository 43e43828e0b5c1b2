"""A cell's state as what is explained: its layer, and which calls of that have it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Protocol

import numpy as np

from lstm_widgets.errors import LayerNotFoundError, UnsupportedLayerError
from lstm_widgets.models.adapter import Layer
from lstm_widgets.recording.calls import all_named, split_call
from lstm_widgets.rnn.cells import SIGNALS

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    import numpy.typing as npt

    from lstm_widgets.models.explaining import CellState

__all__ = ["ExplainedState", "Numbered", "StateReads", "states_of"]

# What cells hand to their next step.
_STATES = ("hidden_state", "cell_state")

Bools = np.ndarray[Any, np.dtype[np.bool_]]


class Numbered(Layer, Protocol):
    """A recurrent layer whose calls are counted."""

    def number(self, time: int) -> int:
        """Tell the number of the call that is made as the ``time``-th, from 1 on."""


class ExplainedState:
    """A cell's state, found in a model.

    Parameters
    ----------
    cell : CellState
        Whose state.
    found : sequence of Numbered
        The model's recurrent layers.

    Attributes
    ----------
    layer : Numbered
        The layer.
    state : int
        The place of the state among those of the layer.

    Raises
    ------
    ValueError
        If there is no such layer, cell or signal.
    UnsupportedLayerError
        If the layer cannot be explained.
    """

    def __init__(self, cell: CellState, found: Sequence[Numbered]) -> None:
        self._cell = cell
        self.layer, self.state = _find_state(cell, found)
        # The calls of the cell's layer that are explained, in the order in which they are made, and
        # the first timestep of each and the one behind its last.
        self._spans: dict[int, tuple[int, int]] = {}

    def among(self, calls: Mapping[str, Sequence[int]]) -> None:
        """Take the number of timesteps of each call of each layer."""
        self._spans = _spans(self._cell.layer, self.layer, calls)

    def reads(self, at: npt.NDArray[np.intp] | None) -> StateReads:
        """Begin a call of the model, up to a timestep of each row; None: the last one."""
        total = max(stop for _, stop in self._spans.values())
        given, at = at, np.full(1, total - 1) if at is None else at
        if ((at < -total) | (at >= total)).any():
            raise ValueError(
                f"at: expected -{total} to {total - 1}, because layer {self._cell.layer!r} "
                f"reads {total} timesteps; got {given}"
            )
        return StateReads(
            self._spans, at % total, backwards=self.layer.go_backwards, everywhere=given is None
        )

    def unreached(self) -> UnsupportedLayerError:
        """Make the error of a model that didn't call the layer as it did before."""
        return UnsupportedLayerError(
            f"layer: the model calls {self._cell.layer!r} fewer times for some examples, or "
            f"inside of a compiled function, so that it cannot be explained"
        )


class StateReads:
    """The calls of the layer of a cell in one call of the model.

    Parameters
    ----------
    spans : mapping of int to tuple of int
        The calls that are explained, and the first timestep of each and the one behind its last.
    at : int array (row,)
        The timestep after which the state is explained.
    backwards : bool
        Whether the layer reads from the end.
    everywhere : bool
        Whether no timestep was asked for.

    Attributes
    ----------
    over : bool
        Whether the last of the calls has been made.
    """

    def __init__(
        self,
        spans: Mapping[int, tuple[int, int]],
        at: npt.NDArray[np.intp],
        *,
        backwards: bool,
        everywhere: bool,
    ) -> None:
        self._spans, self._at, self._backwards = spans, at, backwards
        self._everywhere = everywhere
        self._needed = [
            k for k, (start, stop) in spans.items() if ((at >= start) & (at < stop)).any()
        ]
        self._made = 0

    @property
    def over(self) -> bool:
        """Whether the last of the calls has been made."""
        return self._made == max(self._needed)

    def begin(self, length: int, mask: Bools | None) -> Bools | None:
        """Begin a call of so many timesteps; tell what is to be its mask.

        Padding passes the state through: behind the timestep, all is taken for padding.
        """
        self._made += 1
        if self._made not in self._needed or self._everywhere:
            return mask
        start, _ = self._spans[self._made]
        t, until = np.arange(length), self._at[:, None] - start
        seen: Bools = (t >= until if self._backwards else t <= until) | ~self._here
        if seen.all():
            return mask
        return seen if mask is None else seen & mask

    def ended(self) -> Bools | None:
        """Tell of which rows the call has the state that is explained, bool ``(row, 1)``; None: of none."""
        if self._made not in self._needed:
            return None
        return np.ones((1, 1), np.bool_) if self._everywhere else self._here

    @property
    def _here(self) -> Bools:
        start, stop = self._spans[self._made]
        here: Bools = ((self._at >= start) & (self._at < stop))[:, None]
        return here


def states_of(kind: str) -> list[str]:
    """List the signals of what is recorded as one kind that are states."""
    return [name for name in SIGNALS[kind] if name in _STATES]


def _find_state(cell: CellState, found: Sequence[Numbered]) -> tuple[Numbered, int]:
    """Find a layer, and the place of a cell's state among its states."""
    units = [unit for one in found for unit in one.units]
    layer, _ = split_call(cell.layer)
    for one in found:
        if layer not in one.units:
            continue
        if one.problem:
            raise UnsupportedLayerError(
                f"layer: {cell.layer!r} cannot be explained: it is {one.problem}"
            )
        k = one.units.index(layer)
        states = states_of(one.kinds[k])
        if cell.signal not in states:
            raise ValueError(
                f"signal: expected one of {', '.join(map(repr, states))} for {cell.layer!r}, "
                f"got {cell.signal!r}"
            )
        count = one.sizes[k]
        if not 0 <= cell.cell < count:
            raise ValueError(
                f"cell: expected 0 to {count - 1} for layer {cell.layer!r}, got {cell.cell}"
            )
        every = [(n, name) for n, kind in enumerate(one.kinds) for name in states_of(kind)]
        if "Projection" in one.kinds:  # recorded behind the cell state, but the first of both
            every.reverse()
        return one, every.index((k, cell.signal))
    raise LayerNotFoundError(
        f"layer: expected one of {', '.join(map(repr, units)) or 'none'}, got {cell.layer!r}"
    )


def _spans(
    layer: str, found: Numbered, calls: Mapping[str, Sequence[int]]
) -> dict[int, tuple[int, int]]:
    """Tell the first timestep, and the one behind the last, of each call that a name means.

    Parameters
    ----------
    layer : str
        The name.
    found : Numbered
        The layer.
    calls : mapping of str to sequence of int
        By layer, the number of timesteps of each call, in the order in which they are made.
    """
    lengths = calls.get(found.name, ())
    base, call = split_call(layer)
    if not lengths:
        raise UnsupportedLayerError(f"layer: the model doesn't call {base!r}")
    times = {found.number(time): time for time in range(1, len(lengths) + 1)}
    if call is not None and call not in times:
        raise LayerNotFoundError(f"layer: expected {all_named(base, sorted(times))}, got {layer!r}")
    spans, start = {}, 0
    for number in sorted(times) if call is None else [call]:
        stop = start + lengths[times[number] - 1]
        spans[times[number]] = (start, stop)
        start = stop
    return spans
