# Keras has no types, so what comes from it is Any.
# ruff: noqa: ANN401
"""What a model takes for padding, and whether it lets padding count for nothing."""

from __future__ import annotations

from typing import Any

from lstm_widgets.models.adapter import Masker
from lstm_widgets.models.keras.layers import load_keras
from lstm_widgets.models.keras.timesteps import BY_LAST_AXIS, BY_TIMESTEP

__all__ = ["find_masker"]


def find_masker(model: Any, leaf: int) -> Masker | None:
    """Tell what is padding in one of a model's inputs, if padding then changes nothing else.

    That is known of models that are graphs of layers of Keras: all that read the input take one
    value for padding, and every layer behind them hands the mask on or heeds it.
    """
    graph = _graph(model)
    if graph is None or leaf >= len(graph.inputs):
        return None
    found = _maskers(graph, graph.inputs[leaf])
    if len({masker.value if masker else None for masker in found}) != 1 or not found[0]:
        return None
    return found[0] if _heeds_masks(graph) else None


def _graph(model: Any) -> Any:
    graph = getattr(model, "_functional", None) or model
    known = hasattr(graph, "_nodes_by_depth") and type(graph).__module__.startswith("keras.")
    return graph if known else None


def _nodes(graph: Any) -> list[Any]:
    """List the graph's calls of its layers, the first ones first."""
    depths = sorted(graph._nodes_by_depth, reverse=True)  # noqa: SLF001
    return [node for d in depths for node in graph._nodes_by_depth[d]]  # noqa: SLF001


def _maskers(graph: Any, tensor: Any) -> list[Masker | None]:
    """Tell what each layer that reads a tensor makes of padding in it."""
    layers = load_keras().layers
    found: list[Masker | None] = []
    for node in _nodes(graph):
        layer = node.operation
        if node.is_input or not any(t is tensor for t in node.input_tensors):
            continue
        if all(str(t.dtype) == "bool" for t in node.output_tensors):
            continue  # it makes the mask
        if type(layer) is layers.Masking:
            found.append(Masker(layer.name, float(layer.mask_value)))
        elif type(layer) is layers.Embedding:
            found.append(Masker(layer.name, 0) if layer.mask_zero else None)
        elif type(layer) is layers.StringLookup:
            behind = _maskers(graph, node.output_tensors[0])
            zero = layer.mask_token is not None and layer.output_mode == "int"
            zero = zero and bool(behind) and all(one and one.value == 0 for one in behind)
            found.append(Masker(layer.name, layer.mask_token) if zero else None)
        elif _graph(layer) is not None and len(node.input_tensors) == 1:
            inner = _graph(layer)
            found += _maskers(inner, inner.inputs[0])
        else:
            found.append(None)
    return found


def _heeds_masks(graph: Any) -> bool:
    """Whether no layer that gets sequences lets padding count."""
    layers = load_keras().layers
    carrying = {id(tensor) for tensor in graph.inputs}  # tensors with the axis of timesteps
    for node in _nodes(graph):
        layer = node.operation
        if node.is_input or not any(id(tensor) in carrying for tensor in node.input_tensors):
            continue
        kind = type(layer).__name__
        inner = _graph(layer)
        ends = False
        if inner is not None:
            if not _heeds_masks(inner):
                return False
            ends = all(len(tensor.shape) < 3 for tensor in inner.outputs)
        elif all(str(tensor.dtype) == "bool" for tensor in node.output_tensors):
            pass
        elif isinstance(layer, (layers.RNN, layers.Bidirectional)):
            ends = not layer.return_sequences
        elif type(layer) is not getattr(layers, kind, None):
            return False
        elif kind in BY_LAST_AXIS:
            if layer.axis not in (-1, [-1], (-1,)):
                return False
        elif kind == "GlobalAveragePooling1D":
            ends = True
        elif kind not in BY_TIMESTEP:
            return False
        if not ends:
            carrying |= {id(tensor) for tensor in node.output_tensors}
    return True
