# Keras and TensorFlow have no types, so what comes from them is Any.
# ruff: noqa: ANN401
"""What a model is called with, batch after batch, as tensors."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from lstm_widgets.models.inputs import count_examples, leaves, mapped
from lstm_widgets.models.keras.layers import load_keras

if TYPE_CHECKING:
    import numpy.typing as npt

    from lstm_widgets.models.keras.sources import Source

__all__ = ["Batch", "Batches", "joined", "tokens_of", "with_tokens"]


@dataclass(frozen=True)
class Batch:
    """What the model is called with, as tensors, for some rows.

    Attributes
    ----------
    tensors : tuple of tensor
        One for each input of the model.
    rows : int array (row,)
        Index of the example that each row is of.
    """

    tensors: tuple[Any, ...]
    rows: npt.NDArray[np.intp]


class Batches:
    """The inputs of a model, to be cut into batches.

    Parameters
    ----------
    model : keras.Model
        A Keras model.
    inputs : array, list or dict
        All that it is called with.

    Attributes
    ----------
    count : int
        The number of examples.

    Raises
    ------
    ValueError
        If there is nothing to read.
    """

    def __init__(self, model: Any, inputs: Any) -> None:
        self._model, self._inputs = model, inputs
        self.count = count_examples(inputs)
        if not self.count:
            raise ValueError("inputs: expected at least one example, got none")
        for value in leaves(inputs):
            if 0 in value.shape[1:]:
                raise ValueError(
                    f"inputs: expected at least one timestep, got shape {tuple(value.shape)}"
                )

    @property
    def names(self) -> list[str]:
        """The names of the inputs."""
        if isinstance(self._inputs, Mapping):
            return [str(key) for key in self._inputs]
        expected = getattr(self._model, "inputs", None) or []
        count = len(leaves(self._inputs))
        if len(expected) == count:
            return [t.name for t in expected]
        return ["inputs"] if count == 1 else [f"inputs[{k}]" for k in range(count)]

    def batch(self, start: int, stop: int) -> Batch:
        """Take out the examples from ``start`` to before ``stop``."""
        arrays = leaves(mapped(lambda value: value[start:stop], self._inputs))
        expected = getattr(self._model, "inputs", None) or []
        if len(expected) != len(arrays) or isinstance(self._inputs, Mapping):
            expected = [None] * len(arrays)
        tensors = tuple(_tensor(v, e) for v, e in zip(arrays, expected, strict=True))
        return Batch(tensors, np.arange(start, stop))

    def structured(self, batch: Batch) -> Any:
        """Put the tensors of a batch into the structure in which the model takes them."""
        if isinstance(self._inputs, Mapping):
            return dict(zip(self._inputs, batch.tensors, strict=True))
        return list(batch.tensors) if isinstance(self._inputs, list) else batch.tensors[0]

    def all(self, size: int, what: str) -> Iterator[Batch]:
        """Cut the examples into batches of a size, and show how far it is with ``what``."""
        starts: Any = range(0, self.count, size)
        if len(starts) > 1:
            from tqdm.auto import tqdm  # noqa: PLC0415

            starts = tqdm(starts, desc=what, unit="batch", leave=False)
        for start in starts:
            yield self.batch(start, min(start + size, self.count))

    def tokens(self, source: Source) -> Any:
        """Give what a source gets of all examples, as it was given; None: that is no input."""
        if None in source.leaves:
            return None
        every, shape = leaves(self._inputs), source.shape
        parts = [every[leaf] for leaf in source.leaves if leaf is not None]
        if shape is not None:
            return np.asarray(parts[0]).reshape(-1, *shape)
        return parts[0] if len(parts) == 1 else np.concatenate(parts, axis=1)


def joined(batches: Sequence[Batch]) -> Batch:
    """Put batches one after the other."""
    import tensorflow as tf  # noqa: PLC0415

    if len(batches) == 1:
        return batches[0]
    tensors = zip(*(batch.tensors for batch in batches), strict=True)
    rows = np.concatenate([batch.rows for batch in batches])
    return Batch(tuple(tf.concat(parts, 0) for parts in tensors), rows)


def tokens_of(source: Source, batch: Batch) -> npt.NDArray[Any]:
    """Return the ids or vectors that the source gets, which are inputs of the model."""
    parts = [np.array(batch.tensors[leaf]) for leaf in source.leaves if leaf is not None]
    return np.concatenate(parts, axis=1)


def with_tokens(source: Source, batch: Batch, tokens: npt.NDArray[Any]) -> Batch:
    """Put other ids or vectors into their place."""
    import tensorflow as tf  # noqa: PLC0415

    tensors, start = list(batch.tensors), 0
    for leaf in source.leaves:
        if leaf is not None:
            stop = start + int(tensors[leaf].shape[1])
            tensors[leaf] = tf.constant(tokens[:, start:stop], tensors[leaf].dtype)
            start = stop
    return Batch(tuple(tensors), batch.rows)


def _tensor(value: Any, expected: Any) -> Any:
    """Turn what is given for an input into what the model makes of it."""
    import tensorflow as tf  # noqa: PLC0415

    tensor = tf.convert_to_tensor(value)
    if expected is None:
        floatx = load_keras().config.floatx()
        return tf.cast(tensor, floatx) if tensor.dtype.is_floating else tensor
    tensor = tf.cast(tensor, expected.dtype)
    if len(tensor.shape) == len(expected.shape) + 1:
        return tf.squeeze(tensor, -1)
    if len(tensor.shape) == len(expected.shape) - 1:
        return tf.expand_dims(tensor, -1)
    return tensor
