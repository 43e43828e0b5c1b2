# Keras and TensorFlow have no types, so what comes from them is Any.
# ruff: noqa: ANN401
"""A cell's state as what is explained: its layer, and where the call of the model ends that has it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from lstm_widgets.errors import UnsupportedLayerError
from lstm_widgets.models.keras import propagation
from lstm_widgets.models.keras.cells import mask_array
from lstm_widgets.models.keras.layers import Found, load_keras
from lstm_widgets.models.keras.passes import Pass, ReachedError
from lstm_widgets.recording.calls import all_named, split_call
from lstm_widgets.rnn.cells import SIGNALS, STATES

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence

    import numpy.typing as npt

    from lstm_widgets.models.explaining import CellState
    from lstm_widgets.models.keras.patches import Patch

__all__ = ["ExplainedState", "counted_loops"]


class ExplainedState:
    """A cell's state, found in a model.

    Parameters
    ----------
    cell : CellState
        Whose state.
    found : sequence of Found
        The model's recurrent layers.

    Raises
    ------
    ValueError
        If there is no such layer, cell or signal.
    UnsupportedLayerError
        If the layer cannot be explained.
    """

    def __init__(self, cell: CellState, found: Sequence[Found]) -> None:
        self._cell = cell
        self._layer, self._state = _find_state(cell, found)
        # The calls of the cell's layer that are explained, in the order in which they are made, and
        # the first timestep of each and the one behind its last.
        self._spans: dict[int, tuple[int, int]] = {}

    def among(self, calls: Mapping[str, Sequence[int]]) -> None:
        """Take the number of timesteps of each call of each layer."""
        self._spans = _spans(self._cell.layer, self._layer, calls)

    def patch(self, done: Pass, at: npt.NDArray[np.intp] | None) -> Patch:
        """End the call where the layer of the explained cell has its state."""
        import tensorflow as tf  # noqa: PLC0415

        tree = load_keras().tree
        one, spans = self._layer, self._spans
        total = max(stop for _, stop in spans.values())
        given, at = at, np.full(1, total - 1) if at is None else at
        if ((at < -total) | (at >= total)).any():
            raise ValueError(
                f"at: expected -{total} to {total - 1}, because layer {self._cell.layer!r} "
                f"reads {total} timesteps; got {given}"
            )
        at = at % total
        needed = [k for k, (start, stop) in spans.items() if ((at >= start) & (at < stop)).any()]
        made = 0

        def around(read: Callable[[Any], list[Any]], length: int, mask: Any) -> None:
            nonlocal made
            made += 1
            here = np.ones((1, 1), np.bool_)  # the rows whose state is explained after this call
            if made in needed and given is not None:
                start, stop = spans[made]
                # Padding passes the state through: behind the timestep, all is taken for padding.
                here = ((at >= start) & (at < stop))[:, None]
                t, until = np.arange(length), at[:, None] - start
                seen = (t >= until if one.go_backwards else t <= until) | ~here
                if not seen.all():
                    real = None if mask is None else mask_array(tree.flatten(mask)[0])
                    mask = tf.constant(seen if real is None else seen & real)
            states = read(mask)
            if made not in needed:
                return
            state = states[self._state]
            before = tf.zeros_like(state) if done.logits is None else done.logits
            done.logits = state if here.all() else tf.where(here, state, before)
            if made == max(needed):
                done.fail(ReachedError())

        return propagation.read_by(one, around)


def _find_state(cell: CellState, found: Sequence[Found]) -> tuple[Found, int]:
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
        states = SIGNALS[one.kinds[k]][: STATES[one.kinds[k]]]
        if cell.signal not in states:
            raise ValueError(
                f"signal: expected one of {', '.join(map(repr, states))} for {cell.layer!r}, "
                f"got {cell.signal!r}"
            )
        count = int(one.cells[k].units)
        if not 0 <= cell.cell < count:
            raise ValueError(
                f"cell: expected 0 to {count - 1} for layer {cell.layer!r}, got {cell.cell}"
            )
        before = sum(STATES[kind] for kind in one.kinds[:k])
        return one, before + states.index(cell.signal)
    raise ValueError(
        f"layer: expected one of {', '.join(map(repr, units)) or 'none'}, got {cell.layer!r}"
    )


def _spans(
    layer: str, found: Found, calls: Mapping[str, Sequence[int]]
) -> dict[int, tuple[int, int]]:
    """Tell the first timestep, and the one behind the last, of each call that a name means.

    Parameters
    ----------
    layer : str
        The name.
    found : Found
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
        raise ValueError(f"layer: expected {all_named(base, sorted(times))}, got {layer!r}")
    spans, start = {}, 0
    for number in sorted(times) if call is None else [call]:
        stop = start + lengths[times[number] - 1]
        spans[times[number]] = (start, stop)
        start = stop
    return spans


def counted_loops(
    found: Sequence[Found], done: Pass, calls: dict[str, list[int]]
) -> Iterator[Patch]:
    """Let recurrent layers run our loop.

    The number of timesteps of each call is added to those of its layer in ``calls``.
    """
    within: list[Found] = []  # the layer whose loop steps its cell

    def looped(one: Found) -> Callable[..., Any]:
        ours = one.layer.inner_loop

        def inner_loop(sequences: Any, *args: Any, **kwargs: Any) -> Any:
            calls.setdefault(one.name, []).append(int(sequences.shape[1]))
            within.append(one)
            try:
                return ours(sequences, *args, **kwargs)
            finally:
                within.pop()

        return inner_loop

    def counted(one: Found) -> Callable[..., Any]:
        ours = one.layer.call

        def call(*args: Any, **kwargs: Any) -> Any:
            if not within:
                calls.setdefault(one.name, []).append(1)
            return ours(*args, **kwargs)

        return call

    yield from propagation.loops(found, done)
    for one in found:
        if one.stepped and not one.problem:
            yield one.layer, "call", counted(one)
        elif not one.problem:
            yield one.layer, "inner_loop", looped(one)
