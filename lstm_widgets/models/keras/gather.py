# Keras and TensorFlow have no types, so what comes from them is Any.
# ruff: noqa: ANN401
"""Arrays out of what TensorFlow and Keras keep examples in: datasets, ragged and sparse tensors."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from lstm_widgets.models.gather import fits, is_array
from lstm_widgets.models.keras.backend import backend
from lstm_widgets.models.keras.cells import as_array
from lstm_widgets.models.keras.layers import load_keras

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    import numpy.typing as npt

    from lstm_widgets.models.adapter import Input

__all__ = ["array", "batches", "unpacked"]

_INFINITE = -1  # what a dataset without an end says of its size


def unpacked(inputs: Any, expected: Sequence[Input]) -> Any:
    """Take the examples out of a dataset, in its order; everything else as it is.

    ``expected`` is what the model takes, none if it doesn't tell.
    """
    found = batches(inputs, expected)
    if found is None:
        return inputs
    elements = list(found[0])
    if not elements:
        raise ValueError("inputs: expected a dataset with at least one batch, got an empty one")
    first = elements[0]
    if isinstance(first, Mapping):
        by_name = {tensor.name: tensor for tensor in expected}
        return {
            key: _join([element[key] for element in elements], by_name.get(key)) for key in first
        }
    if isinstance(first, (list, tuple)):
        tensors = expected if len(expected) == len(first) else [None] * len(first)
        parts = zip(*elements, strict=True)
        return [_join(list(part), tensor) for part, tensor in zip(parts, tensors, strict=True)]
    return _join(elements, expected[0] if len(expected) == 1 else None)


def batches(inputs: Any, expected: Sequence[Input]) -> tuple[Iterator[Any], int | None] | None:
    """Take x out of a dataset, one batch or example after the other, and tell how many they are, if known.

    None: it is no dataset.
    """
    every: Iterable[Any]
    count: int | None
    if hasattr(inputs, "element_spec"):
        count = int(inputs.cardinality())
        if count == _INFINITE:
            raise ValueError(
                "inputs: expected a finite dataset, got one that repeats forever; "
                "dataset.take(n) has its first n batches"
            )
        every, count = inputs, count if count >= 0 else None
    elif isinstance(inputs, load_keras().utils.PyDataset):
        count = len(inputs)
        every = (inputs[k] for k in range(count))
    else:
        loaded = backend().loaded(inputs)
        if loaded is None:
            return None
        every, count = loaded
    return (_without_targets(element, len(expected)) for element in every), count


def _without_targets(element: Any, count: int) -> Any:
    """Take x of what a dataset gives: x, or ``(x, y)``, or ``(x, y, sample_weight)``."""
    if not isinstance(element, tuple):
        return element
    # Of a model with several inputs that get a tensor each, all are x.
    return element if count == len(element) > 1 and is_array(element[0]) else element[0]


def _join(parts: Sequence[Any], expected: Any) -> Any:
    """Put batches one after the other, or single examples under one another.

    What differs in length becomes a list of examples.
    """
    parts = [part if _is_ragged(part) else np.asarray(array(part)) for part in parts]
    if expected is not None and len(parts[0].shape) == len(expected.shape) - 1:
        one = (1, *parts[0].shape)
        if not fits(tuple(parts[0].shape), tuple(expected.shape)) and len(one) == len(
            expected.shape
        ):
            return _stacked(parts)  # not batched
    if not parts[0].shape:
        return _stacked(parts)
    if any(map(_is_ragged, parts)) or len({part.shape[1:] for part in parts}) > 1:
        return [
            example for part in parts for example in (array(part) if _is_ragged(part) else part)
        ]
    return np.concatenate(parts)


def _stacked(examples: Sequence[npt.NDArray[Any]]) -> Any:
    return np.stack(examples) if len({e.shape for e in examples}) == 1 else list(examples)


def _is_ragged(value: Any) -> bool:
    return type(value).__name__ == "RaggedTensor"


def array(value: Any) -> Any:
    """Make an array of a tensor, a list of examples of a ragged one; everything else as it is."""
    if _is_ragged(value):
        return [array(row) if _is_ragged(row) else np.asarray(row) for row in value]
    if type(value).__name__ == "SparseTensor":
        import tensorflow as tf  # noqa: PLC0415

        return np.asarray(tf.sparse.to_dense(tf.sparse.reorder(value)))
    if load_keras().ops.is_tensor(value):
        return np.array(as_array(value))
    return np.asarray(value) if hasattr(value, "numpy") and hasattr(value, "shape") else value
