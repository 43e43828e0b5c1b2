# Keras has no types, so what comes from it is Any.
# ruff: noqa: ANN401
"""Keras's cells and tensors as the arrays that the loops take, and back, without copies if that can be."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from lstm_widgets.models.keras.backend import backend
from lstm_widgets.models.keras.layers import load_keras
from lstm_widgets.models.own_cells import kind_of, read_own_cell
from lstm_widgets.rnn.activations import ACTIVATIONS
from lstm_widgets.rnn.cells import Cell

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    import numpy.typing as npt

__all__ = ["as_array", "as_tensor", "mask_array", "read_cell", "tensor_cell", "variables"]


def as_array(tensor: Any, dtype: str | None = None) -> npt.NDArray[Any]:
    """Look at a tensor as an array, which may not be written to; in another dtype it is a copy."""
    array = tensor if isinstance(tensor, np.ndarray) else backend().array(tensor)
    if dtype is None or array.dtype.name == dtype:
        return array
    import ml_dtypes  # noqa: F401, PLC0415  (NumPy knows the name of bfloat16 by it)

    return array.astype(backend().dtype(dtype))


def as_tensor(array: npt.NDArray[Any], dtype: str) -> Any:
    """Make a tensor of an array; it may share the array's memory, so nothing may write to it then."""
    return backend().tensor(array, dtype)


def mask_array(mask: Any) -> npt.NDArray[np.bool_]:
    """Make of a mask an array ``(example, timestep)``."""
    array = as_array(mask).astype(np.bool_)
    return array[..., 0] if array.ndim == 3 else array


def variables(cell: Any) -> list[Any]:
    """List the weights that :func:`read_cell` reads, but for those of a registered class."""
    every = () if kind_of(cell) else (cell.kernel, cell.recurrent_kernel, cell.bias)
    return [variable for variable in every if variable is not None]


def read_cell(kind: str, cell: Any, known: Mapping[int, Any] | None = None) -> Cell:
    """Read a Keras cell, in the dtype in which it computes.

    ``known`` has the values of variables that were read already, by their ids.
    """
    if kind_of(cell):
        import ml_dtypes  # noqa: F401, PLC0415  (as in as_array)

        return read_own_cell(cell, np.dtype(backend().dtype(cell.compute_dtype)), _plain)
    activation, recurrent_activation = _activations(cell)

    def array(variable: Any) -> Any:
        if variable is None:
            return None
        value = (known or {}).get(id(variable))
        if value is None:
            value = load_keras().ops.convert_to_tensor(variable.value)
        return as_array(value, backend().dtype(cell.compute_dtype))

    return Cell(
        kind=kind,
        kernel=array(cell.kernel),
        recurrent_kernel=array(cell.recurrent_kernel),
        bias=array(cell.bias),
        activation=_on_arrays(activation),
        recurrent_activation=_on_arrays(recurrent_activation),
        activation_names=(_name(activation), _name(recurrent_activation)),
        reset_after=bool(getattr(cell, "reset_after", False)),
    )


def _plain(value: Any) -> Any:
    """Make an array of a variable or tensor; everything else as it is."""
    keras = load_keras()
    is_one = isinstance(value, keras.Variable) or keras.ops.is_tensor(value)
    return as_array(keras.ops.convert_to_tensor(value)) if is_one else value


def tensor_cell(kind: str, cell: Any) -> Cell:
    """Read a Keras cell as tensors and functions on such, for TensorFlow to differentiate."""
    import tensorflow as tf  # noqa: PLC0415

    def tensor(variable: Any) -> Any:
        return None if variable is None else tf.cast(variable.value, cell.compute_dtype)

    activation, recurrent_activation = _activations(cell)
    return Cell(
        kind=kind,
        kernel=tensor(cell.kernel),
        recurrent_kernel=tensor(cell.recurrent_kernel),
        bias=tensor(cell.bias),
        activation=activation,
        recurrent_activation=recurrent_activation,
        reset_after=bool(getattr(cell, "reset_after", False)),
    )


def _activations(cell: Any) -> tuple[Callable[[Any], Any], Callable[[Any], Any]]:
    return cell.activation, getattr(cell, "recurrent_activation", cell.activation)


def _name(function: Any) -> str | None:
    """Tell the name of an activation that is Keras's own, and one of ours."""
    given = getattr(function, "__name__", "")
    own = getattr(load_keras().activations, given, None) is function
    return given if own and given in ACTIVATIONS else None


def _on_arrays(function: Callable[[Any], Any]) -> Callable[[Any], Any]:
    """Make of a function on tensors one on arrays."""

    def on_arrays(values: npt.NDArray[Any]) -> npt.NDArray[Any]:
        return np.array(as_array(function(load_keras().ops.convert_to_tensor(values))))

    return on_arrays
