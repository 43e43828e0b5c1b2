# Keras has no types, so what comes from it is Any.
# ruff: noqa: ANN401
"""Whether a Keras model reads a text piece by piece as it reads it at once."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from lstm_widgets.models.keras.layers import load_keras

if TYPE_CHECKING:
    from collections.abc import Iterator

__all__ = ["BY_LAST_AXIS", "BY_TIMESTEP", "obstacles"]

# Layers that, in inference mode, act on each timestep by itself, whatever their settings.
BY_TIMESTEP = frozenset(
    {
        *("InputLayer", "Identity", "Embedding", "Dense", "TimeDistributed", "Masking"),
        "StringLookup",
        *("Dropout", "SpatialDropout1D", "GaussianDropout", "GaussianNoise", "AlphaDropout"),
        *("Activation", "ReLU", "LeakyReLU", "ELU", "ActivityRegularization", "Rescaling"),
        *("Add", "Subtract", "Multiply", "Average", "Maximum", "Minimum"),
    }
)
# Those that do if they work along the last axis.
BY_LAST_AXIS = frozenset(
    {"LayerNormalization", "BatchNormalization", "UnitNormalization", "Softmax", "Concatenate"}
)


def obstacles(model: Any) -> Iterator[tuple[str, bool]]:
    """Name what may keep a model from it, and tell whether it surely does.

    That is code that isn't Keras's own, states that the model hands on itself, and layers that act on
    several timesteps at a time.
    """
    layers = load_keras().layers
    graph = getattr(model, "_functional", None) or model
    if not hasattr(graph, "_adjust_input_rank") or not type(graph).__module__.startswith("keras."):
        kind = type(model).__name__
        yield f"the model {model.name!r} (a {kind}, which is no graph of layers)", False
        return
    for layer in graph.operations:
        kind = type(layer).__name__
        name = f"layer {layer.name!r} ({kind})"
        if hasattr(layer, "_adjust_input_rank") or getattr(layer, "_functional", None):
            yield from obstacles(layer)
        elif isinstance(layer, layers.RNN):
            several = any(len(node.input_tensors) > 1 for node in layer._inbound_nodes)  # noqa: SLF001
            if layer.go_backwards or layer.return_state or several:
                yield name, bool(layer.go_backwards)
        elif type(layer) is not getattr(layers, kind, None) or kind == "Lambda":
            yield name, False
        elif kind in BY_LAST_AXIS:
            if layer.axis not in (-1, [-1], (-1,)):
                yield name, True
        elif kind not in BY_TIMESTEP:
            yield name, True
