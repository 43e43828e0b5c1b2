# Keras has no types, so what comes from it is Any.
# ruff: noqa: ANN401
"""A recurrent layer's own loop, which recordings are held against."""

from __future__ import annotations

import weakref
from typing import TYPE_CHECKING, Any, ClassVar

from lstm_widgets.models.keras.backend import backend
from lstm_widgets.models.keras.cells import as_tensor
from lstm_widgets.models.keras.layers import load_keras

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt

__all__ = ["KEPT_LOOPS", "KEPT_SHAPES", "OwnLoop", "call_cell"]

# Tracing the layer's own loop costs more than running it a few times without.
UNTRACED_CHECKS = 2
# Traced loops of a layer that are kept, one a batch size and length, and shapes that are remembered.
KEPT_LOOPS = 4
KEPT_SHAPES = 256


def _is_loop(layer: Any) -> bool:
    return isinstance(layer, load_keras().layers.RNN)


def call_cell(cell: Any, inputs: Any, states: Any) -> Any:
    """Let a cell itself take a single step, in inference mode."""
    training = {"training": False} if cell._call_has_training_arg else {}  # noqa: SLF001
    return type(cell).call(cell, inputs, states, **training)


def _keep(kept: dict[Any, Any], key: Any, value: Any, most: int) -> None:
    """Add what was used last, and let go of what was used before all others."""
    kept[key] = value
    while len(kept) > most:
        del kept[next(iter(kept))]


class OwnLoop:
    """A layer's own loop, made to return the output of every timestep."""

    _all: ClassVar[weakref.WeakKeyDictionary[Any, OwnLoop]] = weakref.WeakKeyDictionary()

    def __init__(self, layer: Any) -> None:
        self._layer = weakref.ref(layer)
        self._uses: dict[Any, int] = {}
        self._traced: dict[Any, Any] = {}

    @classmethod
    def of(cls, layer: Any) -> OwnLoop:
        """Give each layer the one that it had before, with what has been traced."""
        if layer not in cls._all:
            cls._all[layer] = cls(layer)
        return cls._all[layer]

    @classmethod
    def forget(cls, layer: Any) -> None:
        """Drop what has been traced of a layer that has become another."""
        cls._all.pop(layer, None)

    def __call__(
        self, x: Any, state: Any, real: npt.NDArray[np.bool_] | None, *, traced: bool
    ) -> tuple[Any, list[Any]]:
        """Return outputs ``(example, timestep, cell)`` in the layer's order, and last states."""
        tree = load_keras().tree
        mask = None if real is None else as_tensor(real, "bool")
        arguments = [x, *tree.flatten(state), *([] if mask is None else [mask])]
        count = len(tree.flatten(state))
        key = (mask is None, *((tuple(a.shape), a.dtype) for a in arguments))
        uses = self._uses.pop(key, 0) + 1
        _keep(self._uses, key, uses, KEPT_SHAPES)
        anyway = backend().traces_loops and _is_loop(self._layer())
        if not traced and not anyway and uses <= UNTRACED_CHECKS:
            _, outputs, states = self._run(x, state, mask)
            return outputs, tree.flatten(states)
        loop = self._traced.pop(key, None)
        if loop is None:

            def run(x: Any, *flat: Any) -> Any:
                given = None if mask is None else flat[-1]
                return self._run(x, tree.pack_sequence_as(state, flat[:count]), given)

            loop = backend().compiled(run, arguments, self._layer())
        _keep(self._traced, key, loop, KEPT_LOOPS)
        _, outputs, states = loop(*arguments)
        return outputs, tree.flatten(states)

    def _run(self, x: Any, state: Any, mask: Any) -> Any:
        layer: Any = self._layer()
        if not _is_loop(layer):  # a cell, which takes one timestep
            output, states = call_cell(layer, x[:, 0], state)
            return output, output[:, None], states
        own = layer.__dict__["return_sequences"]
        layer.__dict__["return_sequences"] = True
        try:
            return type(layer).inner_loop(layer, x, state, mask, training=False)
        finally:
            layer.__dict__["return_sequences"] = own
