# Keras and TensorFlow have no types, so what comes from them is Any.
# ruff: noqa: ANN401
"""One call of a model, open for the way back."""

from __future__ import annotations

import functools
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np

from lstm_widgets.models.keras.cells import as_array
from lstm_widgets.rnn.cells import Lookup

if TYPE_CHECKING:
    import numpy.typing as npt

    from lstm_widgets.models.keras.loop_check import LoopCheck
    from lstm_widgets.rnn.relevance_rules import Rule

__all__ = ["Pass", "ReachedError"]


class ReachedError(Exception):
    """The state that is explained is there; the rest of the model isn't needed."""


@dataclass
class Pass:
    """One call of the model, open for the way back.

    Attributes
    ----------
    tape : tf.GradientTape, optional
        The TensorFlow tape that recorded it, persistent; None: there is no way back.
    rule : Rule, optional
        On the way back: the rule of relevance; None: what goes back are gradients.
    summed : bool
        On the way back of relevance: whether only each token's sum is asked for.
    relevance : bool
        Whether relevance is to go back, too, and not only gradients.
    inside : bool
        Whether the source is a layer inside of the model that nothing goes back beyond.
    sources : list of tuple of int and tensor
        What the tokens became: tensors ``(row, timestep, dimension)``, and of which part of the
        source each is.
    logits : tensor
        What the model returned without its last activation. If a cell's state is explained, the
        states of its layer ``(row, units)``.
    mask : bool array (row, timestep), optional
        Of the source: bool ``(row, timestep)``, False at padding; None: nothing is padding.
    kept : dict of str to bool array
        By name of a layer or operation and number of its call: what it decided by looking at
        values, bool ``(row, ...)``.
    calls : dict of str to int
        How often each layer or operation that is looked at was called so far.
    others : list of tensor
        What else a score may draw on: the embeddings of other inputs, initial states.
    problem : Exception, optional
        What stopped the call.
    check : LoopCheck, optional
        Holds what stood in for a layer's call against the layer; None: nothing is looked at.
    """

    tape: Any
    rule: Rule | None = None
    summed: bool = False
    relevance: bool = False
    inside: bool = False
    sources: list[tuple[int, Any]] = field(default_factory=list)
    logits: Any = None
    mask: npt.NDArray[np.bool_] | None = None
    kept: dict[str, Any] = field(default_factory=dict)
    calls: dict[str, int] = field(default_factory=dict)
    others: list[Any] = field(default_factory=list)
    problem: Exception | None = None
    check: LoopCheck | None = None
    _lookups: list[tuple[Any, Lookup]] = field(default_factory=list)
    _masks: dict[int, npt.NDArray[np.bool_]] = field(default_factory=dict)
    _arrived: list[tuple[int, npt.NDArray[Any]]] = field(default_factory=list)

    @functools.cached_property
    def source(self) -> Any:
        """What the tokens became: one tensor ``(row, timestep, dimension)``."""
        import tensorflow as tf  # noqa: PLC0415

        parts = dict(self.sources)
        tensors = [parts[part] for part in sorted(parts)]
        return tensors[0] if len(tensors) == 1 else tf.concat(tensors, axis=1)

    def is_source(self, tensor: Any) -> bool:
        """Whether a tensor is what tokens became."""
        return any(tensor is source for _, source in self.sources)

    def looked_up(self, tensor: Any, layer: Any, ids: Any) -> None:
        """Take down that a tensor is what an Embedding makes of ids."""
        import tensorflow as tf  # noqa: PLC0415

        # A variable itself would be copied.
        table = as_array(tf.convert_to_tensor(layer.embeddings.value))
        rows, vectors = np.asarray(ids), as_array(tensor)
        inside = rows.dtype.kind in "iu" and rows.ndim == 2 and rows.size > 0
        if not inside or table.dtype != vectors.dtype or rows.min() < 0 or rows.max() >= len(table):
            return
        some = np.linspace(0, rows.size - 1, 16).astype(int)
        if np.array_equal(table[rows.flat[some]], vectors.reshape(-1, vectors.shape[-1])[some]):
            self._lookups.append((tensor, Lookup(table, rows.astype(np.intp))))

    def lookup(self, tensor: Any) -> Lookup | None:
        """Give the table that a tensor's vectors are rows of, if that is known."""
        return next((each for made, each in self._lookups if made is tensor), None)

    def leads_to(self, tensor: Any) -> bool:
        """Whether something would come back from a tensor to what tokens became."""
        with self.tape.stop_recording():
            sources = [source for _, source in self.sources]
            return any(g is not None for g in self.tape.gradient(tensor, sources))

    def arrives(self, tensor: Any, values: npt.NDArray[Any]) -> npt.NDArray[Any] | None:
        """Take what arrives at a tensor if it is the source, past TensorFlow, which would copy it."""
        for part, source in self.sources:
            if tensor is source:
                self._arrived.append((part, values))
                return None
        return values

    def masked(self, part: int, mask: npt.NDArray[np.bool_]) -> None:
        """Take the mask of a part of the source."""
        self._masks[part] = mask
        self.mask = np.concatenate([self._masks[part] for part in sorted(self._masks)], axis=1)

    def fail(self, problem: Exception) -> None:
        """Stop the call. Keras would rewrite the error on its way out, so it is kept here."""
        self.problem = problem
        raise problem

    def back(
        self, score: Any, rule: Rule | None = None, *, summed: bool = False
    ) -> tuple[npt.NDArray[Any], npt.NDArray[Any]]:
        """Go back from one score a row.

        Parameters
        ----------
        score : tensor
            Tensor ``(row,)``.
        rule : Rule, optional
            Share the score out as relevance; None: take its gradient.
        summed : bool, default False
            Sum up what arrives at each token, which costs less than to tell its dimensions apart.

        Returns
        -------
        tuple
            What arrived at the source ``(row, timestep, dimension)``, summed ``(row, timestep, 1)``;
            and, summed up, at everything else that the score may draw on ``(row,)``.
        """
        import tensorflow as tf  # noqa: PLC0415

        self.rule, self.summed = rule, summed
        tensors = [tensor for _, tensor in self.sources]
        gradients = self.tape.gradient(
            score, [*tensors, *self.others], output_gradients=None if rule is None else score
        )
        parts, self._arrived = self._arrived, []
        for (part, _), arrived in zip(self.sources, gradients, strict=False):
            if arrived is not None:
                parts.append((part, np.asarray(tf.convert_to_tensor(arrived))))
        rows = int(self.source.shape[0])
        other = np.zeros(rows, self.source.dtype.as_numpy_dtype)
        for gradient in gradients[len(tensors) :]:
            if gradient is not None:
                other += np.asarray(tf.convert_to_tensor(gradient)).reshape(rows, -1).sum(axis=1)
        of_source = []
        shapes = {part: tensor.shape for part, tensor in self.sources}
        for part in sorted(shapes):
            here = [values for of, values in parts if of == part]
            here = here or [np.zeros(shapes[part], other.dtype)]
            if summed:
                here = [values.sum(axis=-1, keepdims=True) for values in here]
            of_source.append(functools.reduce(np.add, here))
        return of_source[0] if len(of_source) == 1 else np.concatenate(of_source, axis=1), other
