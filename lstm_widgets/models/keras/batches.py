# Keras and TensorFlow have no types, so what comes from them is Any.
# ruff: noqa: ANN401
"""What a Keras model is called with, batch after batch, as tensors."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from lstm_widgets.models.batches import Batches
from lstm_widgets.models.inputs import leaves
from lstm_widgets.models.keras.layers import load_keras

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt

__all__ = ["KerasBatches"]


class KerasBatches(Batches):
    """The inputs of a Keras model, to be cut into batches.

    Parameters
    ----------
    model : keras.Model
        A Keras model.
    inputs : array, list or dict
        All that it is called with.
    """

    def __init__(self, model: Any, inputs: Any) -> None:
        super().__init__(inputs)
        self._expected = getattr(model, "inputs", None) or []

    @property
    def declared(self) -> Sequence[str]:
        """The names that the model itself has for its inputs; nothing if it doesn't tell."""
        return [tensor.name for tensor in self._expected]

    def tensor(self, leaf: int, values: Any) -> Any:
        """Turn what is given for an input into what the model makes of it."""
        import tensorflow as tf  # noqa: PLC0415

        tensor = tf.convert_to_tensor(values)
        known = len(self._expected) == len(leaves(self._inputs))
        if not known or isinstance(self._inputs, Mapping):
            floatx = load_keras().config.floatx()
            return tf.cast(tensor, floatx) if tensor.dtype.is_floating else tensor
        expected = self._expected[leaf]
        tensor = tf.cast(tensor, expected.dtype)
        if len(tensor.shape) == len(expected.shape) + 1:
            return tf.squeeze(tensor, -1)
        if len(tensor.shape) == len(expected.shape) - 1:
            return tf.expand_dims(tensor, -1)
        return tensor

    def like(self, values: npt.NDArray[np.generic], other: Any) -> Any:
        """Make an array what another input is."""
        import tensorflow as tf  # noqa: PLC0415

        return tf.constant(values, other.dtype)

    def concatenated(self, parts: Sequence[Any]) -> Any:
        """Put inputs one after the other."""
        import tensorflow as tf  # noqa: PLC0415

        return tf.concat(parts, 0)
