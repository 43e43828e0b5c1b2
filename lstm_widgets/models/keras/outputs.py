# Keras has no types, so what comes from it is Any.
# ruff: noqa: ANN401
"""Which of a model's outputs is meant, and what its numbers are: probabilities, logits or values."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, Literal

from lstm_widgets.models.keras.layers import load_keras

if TYPE_CHECKING:
    from collections.abc import Iterator

    Meaning = Literal["classes", "values", "unknown"]

__all__ = ["Output"]

# Losses of classes whose outputs are logits if they say so.
_OF_CLASSES = (
    *("BinaryCrossentropy", "BinaryFocalCrossentropy", "CategoricalCrossentropy"),
    *("SparseCategoricalCrossentropy", "CategoricalFocalCrossentropy"),
)


class Output:
    """One of a model's outputs, by its name or index.

    Parameters
    ----------
    model
        A Keras model.
    which
        The name of an output (its key in a dict of outputs, else the name of the layer that it comes
        from), its index, or None for the only one.

    Raises
    ------
    TypeError, ValueError
        If there is no such output, or None is given and there are several; the text names them. Of a
        model that tells nothing of its outputs that is known once it has been called.
    """

    def __init__(self, model: Any, which: str | int | None = None) -> None:
        number = hasattr(which, "__index__") and not isinstance(which, bool)
        if which is not None and not isinstance(which, str) and not number:
            raise TypeError(f"output: expected a name or an index, got {which!r:.80}")
        self._model = model
        self._which = which
        #: As the model tells it before it is called: a KerasTensor, or None.
        self.symbolic = None
        self._declared = _declared(model)
        if self._declared is not None:
            self.symbolic = self.of(self._declared)

    def of(self, outputs: Any) -> Any:
        """Choose it among what a call of the model returned."""
        return self._chosen(outputs)[1]

    def name(self, outputs: Any) -> str:
        """Name it, as the argument takes it."""
        return self._chosen(outputs)[0]

    def _chosen(self, outputs: Any) -> tuple[str, Any]:
        named = dict(_named(self._model, outputs))
        names, which = list(named), self._which
        if which is None and len(names) == 1:
            return names[0], named[names[0]]
        if isinstance(which, str) and which in named:
            return which, named[which]
        if which is not None and not isinstance(which, str) and 0 <= int(which) < len(names):
            return names[int(which)], named[names[int(which)]]
        if which is None:
            raise ValueError(
                f"output: the model has {len(names)}, name one of {', '.join(map(repr, names))} (or "
                f"its index, 0 to {len(names) - 1}); got None"
            )
        raise ValueError(
            f"output: expected one of {', '.join(map(repr, names))} (or its index, 0 to "
            f"{len(names) - 1}); got {which!r}"
        )

    @property
    def logits(self) -> bool:
        """Whether the model was compiled with a loss that takes its outputs for logits."""
        loss = self._loss
        return _is_loss(loss, _OF_CLASSES) and bool(getattr(loss, "from_logits", False))

    @property
    def leading(self) -> frozenset[int] | None:
        """The operations of a graph of layers that lead to it, by their ids; None: unknown."""
        if self.symbolic is None or not hasattr(self.symbolic, "_keras_history"):
            return None
        tensors, found = [self.symbolic], set()
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

    def meaning(self, activation: str, size: int) -> Meaning:
        """Tell whether its numbers are those of classes, or values (a forecast).

        Parameters
        ----------
        activation
            The last one.
        size
            How many numbers there are.
        """
        if activation in ("softmax", "sigmoid") or self.logits:
            return "classes"
        # A single number that isn't said to be a logit is a number.
        return "values" if size == 1 or self._loss is not None else "unknown"

    @property
    def _loss(self) -> Any:
        """What the model was compiled with for this output; None if it wasn't."""
        loss = getattr(self._model, "loss", None)
        if not isinstance(loss, (Mapping, list, tuple)):
            return loss
        if self._declared is None:
            return None
        names = [name for name, _ in _named(self._model, self._declared)]
        here = self.name(self._declared)
        if isinstance(loss, Mapping):
            return loss.get(here)
        return loss[names.index(here)] if len(loss) == len(names) else None


def _graph(model: Any) -> Any:
    """Give the graph of layers that a model is; a Sequential has it, a functional model is it."""
    return getattr(model, "_functional", None) or model


def _declared(model: Any) -> Any:
    """Give the outputs that a model tells before it is called, in their structure; None: it doesn't."""
    outputs = getattr(_graph(model), "_outputs_struct", None)
    return (getattr(model, "outputs", None) or None) if outputs is None else outputs


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


def _is_loss(loss: Any, names: tuple[str, ...]) -> bool:
    losses = load_keras().losses
    return isinstance(loss, tuple(getattr(losses, name) for name in names))
