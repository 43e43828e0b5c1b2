# Keras has no types, so what comes from it is Any.
# ruff: noqa: ANN401
"""The losses of Keras, one number for each output."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from lstm_widgets.models.keras.cells import as_array
from lstm_widgets.models.keras.layers import load_keras

if TYPE_CHECKING:
    from collections.abc import Callable

    import numpy.typing as npt

    Loss = Callable[[Any, Any], Any]

__all__ = ["loss_function"]


def loss_function(loss: Any) -> Loss:
    """Make of a loss of Keras, by its name or as an object, one that gives a number an output.

    Broadcasting is none of it: targets of another shape than the outputs would be held against each
    of them.
    """
    keras = load_keras()
    if isinstance(loss, str):
        try:
            found = keras.losses.get(loss)
        except ValueError as error:
            raise ValueError(
                f"loss: expected the name of a loss in keras.losses ('mse', 'mae', 'huber', ...), a "
                f"loss object or a function; got {loss!r}"
            ) from error
    else:
        found = loss
    if isinstance(found, type) and issubclass(found, keras.losses.Loss):
        found = found()
    if not callable(found):
        raise TypeError(
            f"loss: expected the name of a loss in keras.losses, a loss object or a function; got "
            f"{loss!r:.80}"
        )
    objects = isinstance(found, keras.losses.Loss)
    function: Loss = found.call if objects else found  # a call of an object would take the mean
    theirs = type(found) if objects else found
    if not str(getattr(theirs, "__module__", "")).startswith("keras."):
        return function
    sparse = str(getattr(theirs, "__name__", "")).lower().startswith("sparse")

    def one_each(targets: npt.NDArray[Any], outputs: npt.NDArray[Any]) -> Any:
        if not sparse and targets.ndim == outputs.ndim - 1 and outputs.shape[-1] == 1:
            targets = targets[..., None]
        if not sparse and targets.shape != outputs.shape:
            raise ValueError(
                f"targets: expected the shape of the model's outputs, {outputs.shape} in one call; "
                f"got {targets.shape}"
            )
        dtype = None if sparse else "float32"
        tensor = keras.ops.convert_to_tensor
        return as_array(function(tensor(targets, dtype), tensor(outputs)))

    return one_each
