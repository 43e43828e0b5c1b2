# Keras and TensorFlow have no types, so what comes from them is Any.
# ruff: noqa: ANN401
"""The calls of layers that one call of a model consists of."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from lstm_widgets.models.keras.cells import as_array
from lstm_widgets.models.keras.layers import load_keras
from lstm_widgets.models.keras.patches import replaced
from lstm_widgets.models.keras.places import Call

if TYPE_CHECKING:
    from collections.abc import Callable

__all__ = ["Trace"]


@dataclass(frozen=True)
class Trace:
    """The calls that one call of the model consists of, in the order in which they ended."""

    tensors: tuple[Any, ...]
    calls: list[Call]
    output: Any

    @classmethod
    def of(cls, model: Any, tensors: tuple[Any, ...], run: Callable[[], Any]) -> Trace:
        """Look on while a model is called with some tensors by ``run``."""
        calls: list[Call] = []

        def noted(layer: Any) -> Callable[..., Any]:
            call = layer.call

            def patched(*args: Any, **kwargs: Any) -> Any:
                output = call(*args, **kwargs)
                argument = next(iter([*args, *kwargs.values()]), None)
                calls.append(Call(layer, argument, output))
                return output

            return patched

        with replaced([(one, "call", noted(one)) for one in _layers(model)]):
            output = run()
        return cls(tensors, calls, output)

    def producer(self, tensor: Any) -> Call | None:
        """Find the innermost layer that returned a tensor."""
        return next((call for call in self.calls if call.output is tensor), None)

    def repeated(self, tensor: Any) -> Call | None:
        """Find the layer whose outputs, one a call, a model of its own code puts on a time axis."""
        layers: dict[int, list[Call]] = {}
        for call in self.calls:
            layers.setdefault(id(call.layer), []).append(call)
        for calls in layers.values():
            outputs = [call.output for call in calls]
            if not all(map(load_keras().ops.is_tensor, outputs)):
                continue
            shapes = {tuple(output.shape) for output in outputs}
            (shape, *others) = shapes
            put = np.stack if len(shape) == 2 else np.concatenate
            if not others and len(shape) in (2, 3) and len(shape) <= len(tensor.shape):
                together = put(list(map(as_array, outputs)), 1)
                if np.array_equal(together, as_array(tensor), equal_nan=True):
                    return calls[-1]
        return None


def _layers(model: Any) -> list[Any]:
    """List all layers of a model, but for those inside of recurrent ones."""
    keras = load_keras()
    found: dict[int, Any] = {}

    def walk(parent: Any) -> None:
        for layer in parent._flatten_layers(include_self=False, recursive=False):  # noqa: SLF001
            if id(layer) not in found:
                found[id(layer)] = layer
                if not isinstance(layer, (keras.layers.RNN, keras.layers.Bidirectional)):
                    walk(layer)

    walk(model)
    return list(found.values())
