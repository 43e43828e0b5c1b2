# Keras has no types, so what comes from it is Any.
# ruff: noqa: ANN401
"""Calls of layers that are counted, and where the call of a model ends that has a cell's state."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from lstm_widgets.models.keras import propagation
from lstm_widgets.models.keras.cells import mask_array
from lstm_widgets.models.keras.layers import load_keras
from lstm_widgets.models.passes import ReachedError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    import numpy as np
    import numpy.typing as npt

    from lstm_widgets.models.cell_state import ExplainedState
    from lstm_widgets.models.keras.layers import Found
    from lstm_widgets.models.keras.passes import Pass
    from lstm_widgets.models.keras.patches import Patch

__all__ = ["counted_loops", "state_patch"]


def state_patch(explained: ExplainedState, done: Pass, at: npt.NDArray[np.intp] | None) -> Patch:
    """End the call where the layer of the explained cell has its state."""
    import tensorflow as tf  # noqa: PLC0415

    tree, reads = load_keras().tree, explained.reads(at)

    def around(read: Callable[[Any], list[Any]], length: int, mask: Any) -> None:
        real = None if mask is None else mask_array(tree.flatten(mask)[0])
        seen = reads.begin(length, real)
        states = read(mask if seen is real else tf.constant(seen))
        here = reads.ended()
        if here is None:
            return
        state = states[explained.state]
        before = tf.zeros_like(state) if done.logits is None else done.logits
        done.logits = state if here.all() else tf.where(here, state, before)
        if reads.over:
            done.fail(ReachedError())

    return propagation.read_by(explained.layer, around)


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
