# Keras has no types, so what comes from it is Any.
# ruff: noqa: ANN401
"""The outputs of a Keras model: their names, what it was compiled with for them, what leads there."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from lstm_widgets.models.keras.layers import load_keras

if TYPE_CHECKING:
    from collections.abc import Iterator

__all__ = ["declared", "leading", "loss_of", "named"]

# Losses of classes whose outputs are logits if they say so.
_OF_CLASSES = (
    *("BinaryCrossentropy", "BinaryFocalCrossentropy", "CategoricalCrossentropy"),
    *("SparseCategoricalCrossentropy", "CategoricalFocalCrossentropy"),
)


def named(model: Any, outputs: Any) -> dict[str, Any]:
    """Name what a call of a model returned: a structure of tensors, in their order."""
    return dict(_named(model, outputs))


def declared(model: Any) -> dict[str, Any] | None:
    """Name the symbolic outputs that a model tells before it is called; None: it doesn't."""
    outputs = getattr(_graph(model), "_outputs_struct", None)
    outputs = (getattr(model, "outputs", None) or None) if outputs is None else outputs
    return None if outputs is None else named(model, outputs)


def leading(output: Any) -> frozenset[int] | None:
    """List the operations of a graph of layers that lead to an output, by their ids; None: unknown.

    ``output`` is symbolic, one of :func:`declared`, or None.
    """
    if output is None or not hasattr(output, "_keras_history"):
        return None
    tensors, found = [output], set()
    seen: set[int] = set()
    while tensors:
        tensor = tensors.pop()
        if id(tensor) in seen:
            continue
        seen.add(id(tensor))
        operation, node, _ = tensor._keras_history  # noqa: SLF001
        found.add(id(operation))
        if operation._inbound_nodes:  # noqa: SLF001
            tensors += operation._inbound_nodes[node].input_tensors  # noqa: SLF001
    return frozenset(found)


def loss_of(model: Any, output: str | None) -> str | None:
    """Tell what a model was compiled with for an output, as :meth:`Adapter.loss` does."""
    loss = _compiled(model, output)
    if loss is None:
        return None
    losses = load_keras().losses
    of_classes = isinstance(loss, tuple(getattr(losses, name) for name in _OF_CLASSES))
    return "logits" if of_classes and getattr(loss, "from_logits", False) else "other"


def _compiled(model: Any, output: str | None) -> Any:
    loss = getattr(model, "loss", None)
    if not isinstance(loss, (Mapping, list, tuple)):
        return loss
    if output is None:
        return None
    if isinstance(loss, Mapping):
        return loss.get(output)
    names = list(declared(model) or ())
    return loss[names.index(output)] if len(loss) == len(names) else None


def _graph(model: Any) -> Any:
    """Give the graph of layers that a model is; a Sequential has it, a functional model is it."""
    return getattr(model, "_functional", None) or model


def _named(model: Any, outputs: Any, path: str = "") -> Iterator[tuple[str, Any]]:
    """Name all tensors of a structure of outputs, in their order."""
    if isinstance(outputs, Mapping):
        for key, value in outputs.items():
            yield from _named(model, value, f"{path}{key}/")
    elif isinstance(outputs, (list, tuple)):
        names = list(getattr(_graph(model), "output_names", None) or [])
        if path or len(set(names)) != len(outputs):
            names = [str(k) for k in range(len(outputs))]
        for name, value in zip(names, outputs, strict=True):
            yield from _named(model, value, f"{path}{name}/")
    else:
        names = getattr(_graph(model), "output_names", None) or []
        yield path[:-1] or (names[0] if len(names) == 1 else "output"), outputs
