# Keras and TensorFlow have no types, so what comes from them is Any.
# ruff: noqa: ANN401
"""Whether a function is affine, a linear map and a constant: proved by what it consists of."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from lstm_widgets.models.keras.backend import backend

if TYPE_CHECKING:
    from collections.abc import Callable

__all__ = ["is_affine"]

# Operations of TensorFlow that are linear in all that they are given together...
_ADDING = frozenset({"Add", "AddV2", "AddN", "Sub", "BiasAdd"})
_JOINING = frozenset({"ConcatV2", "Pack"})
# ... in their first argument alone, the others being no values but places and sizes...
_MOVING = frozenset(
    {"Identity", "Reshape", "Transpose", "ExpandDims", "Squeeze", "StridedSlice", "Slice"}
    | {"Pad", "PadV2", "Tile", "BroadcastTo", "GatherV2", "ReverseV2", "Unpack", "Neg"}
)
_SUMMING = frozenset({"Sum", "Mean"})
# ... in one of two factors...
_SCALING = frozenset({"Mul"})
_MIXING = frozenset({"MatMul", "BatchMatMulV2", "Einsum", "Cumsum"})
# ... and those that tell nothing of values.
_SHAPES = frozenset({"Shape", "ShapeN", "Rank", "Size", "ZerosLike", "OnesLike"})


def is_affine(function: Callable[[Any], Any], like: Any, *, mixing: bool = True) -> bool:
    """Tell whether a function of one tensor is proved to be affine.

    It is traced to a graph of operations, as TensorFlow does to compile it. Each of them that the
    argument reaches has to be linear in what comes from there, whatever the values are: additions,
    products with what doesn't come from there, moves, sums and means. Anything else, also what only
    happens to be linear, is no proof; nor is there one on another backend.

    Parameters
    ----------
    function : callable
        From a tensor to a tensor.
    like : tensor
        A tensor of the shape and dtype that it takes.
    mixing : bool, default True
        Whether several values of the argument may go into one of the result with weights of their
        own. False: only moves, scales, shifts, and sums and means of values are accepted.
    """
    if backend().name != "tensorflow":
        return False  # it has no such graph
    import tensorflow as tf  # noqa: PLC0415

    spec = tf.TensorSpec(like.shape, like.dtype)
    try:
        traced = tf.function(function, autograph=False).get_concrete_function(spec)
    except Exception:  # noqa: BLE001  (the function's own code may raise anything)
        return False
    if len(traced.outputs) != 1:
        return False
    reached = {traced.graph.inputs[0].name}
    for operation in traced.graph.get_operations():
        from_there = [k for k, tensor in enumerate(operation.inputs) if tensor.name in reached]
        if not from_there or operation.type in _SHAPES:
            continue
        if not _is_linear(operation, from_there, mixing=mixing):
            return False
        reached.update(tensor.name for tensor in operation.outputs)
    return traced.outputs[0].name in reached


def _is_linear(operation: Any, from_there: list[int], *, mixing: bool) -> bool:
    """Tell whether an operation is linear in those of its arguments."""
    kind = operation.type
    alone = len(from_there) == 1
    if kind in _ADDING:
        return alone or mixing
    if kind in _JOINING:
        return True
    if kind in _MOVING or kind in _SUMMING or kind == "RealDiv":
        return from_there == [0]
    if kind == "Cast":
        return bool(operation.outputs[0].dtype.is_floating)
    if kind == "SelectV2":
        return 0 not in from_there
    return alone and (kind in _SCALING or (mixing and kind in _MIXING))
