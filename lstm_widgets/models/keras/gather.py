# Keras, TensorFlow and pandas have no types here, so what comes from them is Any.
# ruff: noqa: ANN401
"""What a model is given, out of what people keep it in: datasets, tables, ragged tensors, lists."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from lstm_widgets.models.keras.layers import load_keras

if TYPE_CHECKING:
    import numpy.typing as npt

__all__ = ["fits", "is_array", "join", "plain", "strings", "unpacked", "without_targets"]

_INFINITE = -1  # what a dataset without an end says of its size


def is_array(value: Any) -> bool:
    """Whether something is an array, a tensor or a table."""
    return hasattr(value, "shape") and not isinstance(value, np.generic)


def fits(shape: tuple[int, ...], expected: tuple[int | None, ...]) -> bool:
    """Whether an array of examples has a shape that a model takes."""
    # Like Keras, don't insist on a last axis of length 1.
    if len(shape) == len(expected) + 1 and shape[-1] == 1:
        shape = shape[:-1]
    if len(expected) == len(shape) + 1 and expected[-1] == 1:
        expected = expected[:-1]
    return len(shape) == len(expected) and all(
        e is None or n == e for n, e in zip(shape[1:], expected[1:], strict=True)
    )


# Datasets -----------------------------------------------------------------------------------------


def unpacked(inputs: Any, expected: Sequence[Any]) -> Any:
    """Take the examples out of a dataset, in its order; everything else as it is.

    ``expected`` are the tensors that the model takes, none if it doesn't tell.
    """
    if hasattr(inputs, "element_spec"):
        if int(inputs.cardinality()) == _INFINITE:
            raise ValueError(
                "inputs: expected a dataset that ends, got one that repeats for ever; "
                "dataset.take(n) has its first n batches"
            )
        elements = [_without_targets(element, len(expected)) for element in inputs]
    elif isinstance(inputs, load_keras().utils.PyDataset):
        elements = [_without_targets(inputs[k], len(expected)) for k in range(len(inputs))]
    else:
        return inputs
    if not elements:
        raise ValueError("inputs: expected a dataset with at least one batch, got an empty one")
    first = elements[0]
    if isinstance(first, Mapping):
        by_name = {tensor.name: tensor for tensor in expected}
        return {
            key: join([element[key] for element in elements], by_name.get(key)) for key in first
        }
    if isinstance(first, (list, tuple)):
        tensors = expected if len(expected) == len(first) else [None] * len(first)
        parts = zip(*elements, strict=True)
        return [join(list(part), tensor) for part, tensor in zip(parts, tensors, strict=True)]
    return join(elements, expected[0] if len(expected) == 1 else None)


def _without_targets(element: Any, count: int) -> Any:
    """Take x of what a dataset gives: x, or ``(x, y)``, or ``(x, y, sample_weight)``."""
    if not isinstance(element, tuple):
        return element
    # Of a model with several inputs that get a tensor each, all are x.
    return element if count == len(element) > 1 and is_array(element[0]) else element[0]


def join(parts: Sequence[Any], expected: Any) -> Any:
    """Put batches one after the other, or single examples under one another.

    What differs in length becomes a list of examples.
    """
    parts = [part if _is_ragged(part) else np.asarray(part) for part in parts]
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
            example for part in parts for example in (plain(part) if _is_ragged(part) else part)
        ]
    return np.concatenate(parts)


def _stacked(examples: Sequence[npt.NDArray[Any]]) -> Any:
    return np.stack(examples) if len({e.shape for e in examples}) == 1 else list(examples)


def without_targets(inputs: Any, expected: Sequence[Any]) -> Any:
    """Take x of ``(x, y)`` and ``(x, y, sample_weight)``, where nothing else can be meant."""
    if not isinstance(inputs, tuple) or len(inputs) not in (2, 3) or not expected:
        return inputs
    first, *rest = inputs
    if len(expected) > 1:
        several = isinstance(first, Mapping) or (
            isinstance(first, (list, tuple)) and len(first) == len(expected) != len(inputs)
        )
        nested = isinstance(first, (list, tuple)) and len(first) == len(expected)
        return first if several or (nested and all(map(is_array, first))) else inputs
    if not is_array(first):
        return inputs
    shape = tuple(first.shape)
    whole = len(shape) == len(expected[0].shape) or (
        str(expected[0].dtype) == "string" and len(shape) == 1
    )
    counts = {int(y.shape[0]) for y in rest if is_array(y) and y.shape}
    if whole and counts == {shape[0]} and not _alike(inputs, expected[0]):
        return first
    return inputs


def _alike(inputs: Sequence[Any], expected: Any) -> bool:
    """Whether all parts of a tuple could be examples of a model's only input."""
    shapes = [tuple(part.shape) for part in inputs if is_array(part)]
    return str(expected.dtype) != "string" and all(
        len(shape) == len(expected.shape) - 1
        and fits((1, *shape), (None, None, *expected.shape[2:]))
        for shape in shapes
    )


# Values -------------------------------------------------------------------------------------------


def _is_ragged(value: Any) -> bool:
    return type(value).__name__ == "RaggedTensor"


def plain(value: Any) -> Any:
    """Make arrays of tables and sparse tensors, and lists of examples of ragged ones."""
    if _is_ragged(value):
        return [plain(row) if _is_ragged(row) else np.asarray(row) for row in value]
    if type(value).__name__ == "SparseTensor":
        import tensorflow as tf  # noqa: PLC0415

        return tf.sparse.to_dense(tf.sparse.reorder(value))
    if type(value).__module__.split(".")[0] == "scipy" and hasattr(value, "toarray"):
        return value.toarray()
    if hasattr(value, "iloc") and hasattr(value, "to_numpy"):
        return _of_table(value)
    return value


def _of_table(table: Any) -> npt.NDArray[Any]:
    """Make an array of a DataFrame or Series; what pandas knows to be missing is NaN."""
    columns = table.items() if len(table.shape) == 2 else [(table.name, table)]
    kinds = [column.dtype for _, column in columns]
    if all(getattr(kind, "kind", "O") in "biuf" for kind in kinds):
        if any(not isinstance(kind, np.dtype) for kind in kinds):
            missing = bool(table.isna().to_numpy().any())
            whole = all(kind.kind in "biu" for kind in kinds) and not missing
            return np.asarray(
                table.to_numpy(dtype="int64" if whole else "float64", na_value=np.nan)
            )
        return np.asarray(table.to_numpy())
    if len(table.shape) == 2:
        for name, column in table.items():
            if getattr(column.dtype, "kind", "O") in "Mm":
                raise TypeError(
                    f"inputs: expected columns of numbers, got column {name!r} of dtype "
                    f"{column.dtype}; leave it out, or make it the index"
                )
    return np.asarray(table.to_numpy(dtype=object))


def strings(where: str, values: npt.NDArray[Any]) -> npt.NDArray[np.object_]:
    """Check that all are str, or bytes of such, and return them as bytes."""
    found: npt.NDArray[np.object_] = np.empty(values.shape, object)
    for at in np.ndindex(values.shape):
        value = values[at]
        if isinstance(value, str):
            value = value.encode("utf-8", "surrogatepass")
        if not isinstance(value, bytes):
            position = at[0] if len(at) == 1 else at
            raise TypeError(
                f"{where}: expected str, because the model reads strings; got {value!r:.80} (a "
                f"{type(value).__name__}) at position {position}"
            )
        found[at] = value
    return found
