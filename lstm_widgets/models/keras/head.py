# Keras and TensorFlow have no types, so what comes from them is Any.
# ruff: noqa: ANN401
"""The last activation of a model, and how to have it left out, so that the model returns logits."""

from __future__ import annotations

import functools
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from lstm_widgets.errors import UnsupportedLayerError
from lstm_widgets.models.keras.affine import is_affine
from lstm_widgets.models.keras.layers import load_keras
from lstm_widgets.models.keras.patches import is_stock
from lstm_widgets.models.keras.trace import Trace

if TYPE_CHECKING:
    from collections.abc import Callable

    from lstm_widgets.models.keras.patches import Patch

__all__ = ["Head", "activation_when_called", "find_head"]

# Layers whose `activation` the logits go into.
_ACTIVATED = ("Dense", "EinsumDense", "Conv1D", "Activation")
# Layers behind which the logits are still what went into the last activation before them.
_PASSED = (
    *("Dropout", "GaussianDropout", "GaussianNoise", "AlphaDropout", "ActivityRegularization"),
    *("Identity", "Flatten", "Reshape", "Permute"),
)


@dataclass(frozen=True)
class Head:
    """What makes outputs of logits.

    Attributes
    ----------
    activation : str
        ``"softmax"``, ``"sigmoid"``, ``"linear"`` or ``"other"``.
    patches : tuple of Patch
        What to replace for the model to return logits.
    outputs : callable
        From logits to what the model returns.
    """

    activation: str
    patches: tuple[Patch, ...]
    outputs: Callable[[Any], Any] = lambda logits: logits


def activation_when_called(model: Any, call: Callable[[], Any]) -> str:
    """Tell the last activation of what a call of a model returns, as :attr:`Head.activation`.

    ``"unknown"`` if it comes from a layer that may hide one.
    """
    trace = Trace.of(model, (), call)
    try:
        return find_head(trace).activation
    except (UnsupportedLayerError, ValueError):
        return "unknown"


def find_head(trace: Trace) -> Head:
    """Find the last activation."""
    keras = load_keras()
    tensor = trace.output
    if len(tensor.shape) not in (2, 3):
        raise ValueError(
            f"model: expected outputs (example, class) or (example, timestep, class), got shape "
            f"{tuple(tensor.shape)}"
        )
    last = trace.producer(tensor) or trace.repeated(tensor)
    while last is not None and is_stock(last.layer, _PASSED):
        last = trace.producer(last.argument)
    advice = (
        "end it with Dense, Activation or Softmax from keras.layers, or explain a cell (layer=, "
        "cell=)"
    )
    if last is None:
        raise UnsupportedLayerError(
            f"model: its output is computed outside of its layers, so that its logits are out of "
            f"reach; {advice}"
        )
    layer = last.layer
    if isinstance(layer, keras.layers.TimeDistributed):
        layer = layer.layer
    if isinstance(layer, (keras.layers.RNN, keras.layers.Bidirectional)):
        return Head("linear", ())
    if is_stock(layer, ("Softmax",)):
        call = layer.call
        return Head("softmax", ((layer, "call", lambda inputs, mask=None: inputs),), call)  # noqa: ARG005
    if is_stock(layer, _ACTIVATED):
        activation = layer.activation or keras.activations.linear
        kinds = {
            keras.activations.softmax: "softmax",
            keras.activations.log_softmax: "softmax",
            keras.activations.sigmoid: "sigmoid",
            keras.activations.linear: "linear",
        }
        kind = kinds.get(activation, "other")
        return Head(kind, ((layer, "activation", keras.activations.linear),), activation)
    # Whatever comes before it: scores of what is affine are the model's outputs themselves.
    argument = last.argument if layer is last.layer else last.argument[:, 0]
    if hasattr(argument, "dtype") and is_affine(
        functools.partial(type(layer).call, layer), argument
    ):
        return Head("linear", ())
    raise UnsupportedLayerError(
        f"model: its output comes from layer {layer.name!r}, a {type(layer).__name__}, which may "
        f"hide an activation, so that its logits are out of reach; {advice}"
    )
