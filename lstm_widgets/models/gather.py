# Arrays, tables and tensors have no common type: Any.
# ruff: noqa: ANN401
"""What a model is given, out of what people keep it in: pairs with targets, tables, lists."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    import numpy.typing as npt

    from lstm_widgets.models.adapter import Input

__all__ = ["fits", "is_array", "plain", "strings", "without_targets"]


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


def without_targets(inputs: Any, expected: Sequence[Input]) -> Any:
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
        expected[0].dtype == "string" and len(shape) == 1
    )
    counts = {int(y.shape[0]) for y in rest if is_array(y) and y.shape}
    if whole and counts == {shape[0]} and not _alike(inputs, expected[0]):
        return first
    return inputs


def _alike(inputs: Sequence[Any], expected: Input) -> bool:
    """Whether all parts of a tuple could be examples of a model's only input."""
    shapes = [tuple(part.shape) for part in inputs if is_array(part)]
    return expected.dtype != "string" and all(
        len(shape) == len(expected.shape) - 1
        and fits((1, *shape), (None, None, *expected.shape[2:]))
        for shape in shapes
    )


def plain(value: Any) -> Any:
    """Make arrays of tables and sparse matrices."""
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
