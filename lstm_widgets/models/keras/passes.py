# Keras and TensorFlow have no types, so what comes from them is Any.
# ruff: noqa: ANN401
"""One call of a Keras model, open for the way back."""

from __future__ import annotations

import functools
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from lstm_widgets.models.passes import OpenPass

if TYPE_CHECKING:
    import numpy.typing as npt

    from lstm_widgets.rnn.relevance_rules import Rule

__all__ = ["Pass"]


@dataclass
class Pass(OpenPass):
    """One call of the model, open for the way back.

    Attributes
    ----------
    tape : tf.GradientTape, optional
        The TensorFlow tape that recorded it, persistent; None: there is no way back.
    logits : tensor
        What the model returned without its last activation. If a cell's state is explained, the
        states of its layer ``(row, units)``.
    """

    tape: Any = None
    logits: Any = None

    @functools.cached_property
    def source(self) -> Any:
        """What the tokens became: one tensor ``(row, timestep, dimension)``."""
        import tensorflow as tf  # noqa: PLC0415

        parts = dict(self.sources)
        tensors = [parts[part] for part in sorted(parts)]
        return tensors[0] if len(tensors) == 1 else tf.concat(tensors, axis=1)

    def leads_to(self, tensor: Any) -> bool:
        """Whether something would come back from a tensor to what tokens became."""
        with self.tape.stop_recording():
            sources = [source for _, source in self.sources]
            return any(g is not None for g in self.tape.gradient(tensor, sources))

    def back(
        self, score: Any, rule: Rule | None = None, *, summed: bool = False
    ) -> tuple[npt.NDArray[Any], npt.NDArray[Any]]:
        """Go back from one score a row, see :meth:`lstm_widgets.models.explaining.Pass.back`."""
        import tensorflow as tf  # noqa: PLC0415

        self.rule, self.summed = rule, summed
        tensors = [tensor for _, tensor in self.sources]
        gradients = self.tape.gradient(
            score, [*tensors, *self.others], output_gradients=None if rule is None else score
        )
        arrived = [None if g is None else np.asarray(tf.convert_to_tensor(g)) for g in gradients]
        rows = int(self.source.shape[0])
        other = np.zeros(rows, self.source.dtype.as_numpy_dtype)
        for values in arrived[len(tensors) :]:
            if values is not None:
                other += values.reshape(rows, -1).sum(axis=1)
        return self.of_source(arrived[: len(tensors)], other.dtype, summed=summed), other
