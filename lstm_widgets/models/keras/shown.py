# Keras and TensorFlow have no types, so what comes from them is Any.
# ruff: noqa: ANN401
"""What a model shows while it is called: what its tokens become, and what it decides by values."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from lstm_widgets.models.keras.cells import as_array
from lstm_widgets.models.keras.layers import numbered
from lstm_widgets.models.keras.patches import is_stock

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from lstm_widgets.models.keras.passes import Pass
    from lstm_widgets.models.keras.patches import Patch
    from lstm_widgets.models.sources import Source

__all__ = ["Shown"]


class Shown:
    """What shows itself in a model.

    Parameters
    ----------
    source : Source
        Where tokens are told apart.
    layers : sequence of keras.Layer
        Those that show their outputs: all Embeddings, and whatever else the source is.
    masking : sequence of keras.layers.Masking
        Those that make masks of values.
    operations : sequence of keras.Operation
        What a functional model has between its layers.
    orders : mapping of int to tuple of int
        By the id of a layer, in which order its calls are numbered.
    inside : bool
        Whether the source is a layer inside of the model that nothing goes back beyond.
    """

    def __init__(
        self,
        source: Source,
        layers: Sequence[Any],
        *,
        masking: Sequence[Any],
        operations: Sequence[Any],
        orders: Mapping[int, tuple[int, ...]],
        inside: bool,
    ) -> None:
        self._source, self._layers, self._masking = source, layers, masking
        self._operations, self._orders, self._inside = operations, orders, inside

    def source_patches(self, done: Pass, values: Any) -> list[Patch]:
        """Let embeddings show their output, and the source take another in its place."""
        import tensorflow as tf  # noqa: PLC0415

        source = self._source

        def shown(layer: Any) -> Callable[..., Any]:
            call = layer.call

            def patched(*args: Any, **kwargs: Any) -> Any:
                output = call(*args, **kwargs)
                done.calls[layer.name] = number = done.calls.get(layer.name, 0) + 1
                number = numbered(self._orders.get(id(layer), ()), number)
                part = source.calls.get(number) if layer is source.layer else None
                if part is not None and values is not None:
                    start = sum(source.timesteps[:part])
                    output = tf.cast(values[:, start : start + output.shape[1]], output.dtype)
                elif part is not None and self._inside:
                    output = tf.stop_gradient(output)  # nothing goes back beyond it
                if values is None and tf.executing_eagerly() and is_stock(layer, ("Embedding",)):
                    # A variable itself would be copied.
                    table = as_array(tf.convert_to_tensor(layer.embeddings.value))
                    ids = np.asarray(next(iter([*args, *kwargs.values()])))
                    done.looked_up(output, table, ids, as_array(output))
                if not tf.executing_eagerly():
                    return output
                done.tape.watch(output)
                if part is None:
                    done.others.append(output)
                else:
                    done.sources.append((part, output))
                return output

            return patched

        return [(layer, "call", shown(layer)) for layer in self._layers]

    def mask_patches(self, done: Pass, kept: Mapping[str, Any] | None) -> list[Patch]:
        """Let what makes masks of values show them, or make those that were kept."""
        import tensorflow as tf  # noqa: PLC0415

        kept = kept or {}
        source = self._source

        def key(layer: Any) -> str:
            # A layer may be called several times, and decides anew each time.
            return f"{layer.name}:{done.calls.get(layer.name, 0)}"

        def computing(layer: Any) -> Callable[..., Any]:
            compute_mask = layer.compute_mask

            def patched(*args: Any, **kwargs: Any) -> Any:
                mask = compute_mask(*args, **kwargs)
                mask = tf.constant(kept[key(layer)]) if key(layer) in kept else mask
                if mask is not None and layer in self._masking:
                    done.mask = mask.numpy()
                elif mask is not None and layer is source.layer:
                    time = done.calls.get(layer.name, 0)
                    part = source.calls.get(numbered(self._orders.get(id(layer), ()), time))
                    if part is not None:
                        done.masked(part, mask.numpy())
                return mask

            return patched

        def masking(layer: Any, compute_mask: Callable[..., Any]) -> Callable[..., Any]:
            # As Masking does, but by the mask of the patched method.
            def patched(inputs: Any) -> Any:
                done.calls[layer.name] = done.calls.get(layer.name, 0) + 1
                real = compute_mask(inputs)
                done.kept[key(layer)] = real.numpy()
                return inputs * tf.cast(real[..., None], inputs.dtype)

            return patched

        def deciding(operation: Any) -> Callable[..., Any]:
            call = operation.call

            def patched(*args: Any, **kwargs: Any) -> Any:
                done.calls[operation.name] = done.calls.get(operation.name, 0) + 1
                if key(operation) in kept:
                    return tf.constant(kept[key(operation)])
                output = call(*args, **kwargs)
                if tf.is_tensor(output) and output.dtype == tf.bool:
                    done.kept[key(operation)] = output.numpy()
                return output

            return patched

        patches = [(one, "call", deciding(one)) for one in self._operations]
        for layer in (*self._layers, *self._masking):
            compute_mask = computing(layer)
            patches.append((layer, "compute_mask", compute_mask))
            if layer in self._masking:
                patches.append((layer, "call", masking(layer, compute_mask)))
        return patches
