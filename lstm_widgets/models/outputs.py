# What a model returns is the framework's: Any.
# ruff: noqa: ANN401
"""Which of a model's outputs is meant, and what its numbers are: probabilities, logits or values."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Literal

if TYPE_CHECKING:
    from collections.abc import Mapping

    from lstm_widgets.models.adapter import Adapter

    Meaning = Literal["classes", "values", "unknown"]

__all__ = ["Output"]


class Output:
    """One of a model's outputs, by its name or index.

    Parameters
    ----------
    model : Adapter
        The model.
    which : str or int, optional
        The name of an output, its index, or None for the only one.

    Attributes
    ----------
    shape : tuple of int, optional
        As the model tells it before it is called; None: it doesn't.

    Raises
    ------
    TypeError, ValueError
        If there is no such output, or None is given and there are several; the text names them. Of a
        model that tells nothing of its outputs that is known once it has been called.
    """

    def __init__(self, model: Adapter, which: str | int | None = None) -> None:
        number = hasattr(which, "__index__") and not isinstance(which, bool)
        if which is not None and not isinstance(which, str) and not number:
            raise TypeError(f"output: expected a name or an index, got {which!r:.80}")
        self._model = model
        self._which = which
        self.shape: tuple[int | None, ...] | None = None
        if model.outputs is not None:
            self.shape = self.of(model.outputs)

    def of(self, outputs: Mapping[str, Any]) -> Any:
        """Choose it among what a call of the model returned, by name and in order."""
        return outputs[self.name(outputs)]

    def name(self, outputs: Mapping[str, Any]) -> str:
        """Name it, as the argument takes it."""
        names, which = list(outputs), self._which
        if which is None and len(names) == 1:
            return names[0]
        if isinstance(which, str) and which in names:
            return which
        if which is not None and not isinstance(which, str) and 0 <= int(which) < len(names):
            return names[int(which)]
        if not names:
            raise ValueError(
                "model: expected one that returns an array or a tensor with examples along its first axis, "
                "alone or in a list, tuple, dict or dataclass; it returned none"
            )
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
        """Whether the model was trained with a loss that takes it for logits."""
        return self._loss == "logits"

    @property
    def advice(self) -> str:
        """Say how a model tells that its single output is a probability."""
        return self._model.probability_advice

    def meaning(self, activation: str, size: int) -> Meaning:
        """Tell whether its numbers are those of classes, or values (a forecast).

        Parameters
        ----------
        activation : str
            The last one.
        size : int
            How many numbers there are.
        """
        if activation in ("softmax", "sigmoid") or self.logits:
            return "classes"
        # A single number that isn't said to be a logit is a number.
        return "values" if size == 1 or self._loss is not None else "unknown"

    @property
    def _loss(self) -> str | None:
        known = self._model.outputs
        # Of a model that doesn't tell its outputs, a loss is that of the only one.
        return self._model.loss(None if known is None else self.name(known))
