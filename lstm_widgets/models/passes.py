# A framework's tensors have no types here, so they are Any.
# ruff: noqa: ANN401
"""What all frameworks have in common in one call of a model that is open for the way back."""

from __future__ import annotations

import functools
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np

from lstm_widgets.rnn.cells import Lookup

if TYPE_CHECKING:
    from collections.abc import Sequence

    import numpy.typing as npt

    from lstm_widgets.models.loop_check import LoopCheck
    from lstm_widgets.rnn.relevance_rules import Rule

__all__ = ["OpenPass", "ReachedError"]


class ReachedError(Exception):
    """The state that is explained is there; the rest of the model isn't needed."""


@dataclass
class OpenPass:
    """One call of the model, open for the way back; see :class:`lstm_widgets.models.explaining.Pass`.

    Attributes
    ----------
    relevance : bool
        Whether relevance is to go back, too, and not only gradients.
    inside : bool
        Whether the source is a layer inside of the model that nothing goes back beyond.
    rule : Rule, optional
        On the way back: the rule of relevance; None: what goes back are gradients.
    summed : bool
        On the way back of relevance: whether only each token's sum is asked for.
    sources : list of tuple of int and tensor
        What the tokens became: tensors ``(row, timestep, dimension)``, and of which part of the
        source each is.
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

    relevance: bool = False
    inside: bool = False
    rule: Rule | None = None
    summed: bool = False
    sources: list[tuple[int, Any]] = field(default_factory=list)
    mask: npt.NDArray[np.bool_] | None = None
    kept: dict[str, Any] = field(default_factory=dict)
    calls: dict[str, int] = field(default_factory=dict)
    others: list[Any] = field(default_factory=list)
    problem: Exception | None = None
    check: LoopCheck | None = None
    _lookups: list[tuple[Any, Lookup]] = field(default_factory=list)
    _masks: dict[int, npt.NDArray[np.bool_]] = field(default_factory=dict)
    _arrived: list[tuple[int, npt.NDArray[Any]]] = field(default_factory=list)

    def is_source(self, tensor: Any) -> bool:
        """Whether a tensor is what tokens became."""
        return any(tensor is source for _, source in self.sources)

    def looked_up(
        self,
        tensor: Any,
        table: npt.NDArray[Any],
        rows: npt.NDArray[Any],
        vectors: npt.NDArray[Any],
    ) -> None:
        """Take down that a tensor, with these values, is what a table has in these rows."""
        inside = rows.dtype.kind in "iu" and rows.ndim == 2 and rows.size > 0
        if not inside or table.dtype != vectors.dtype or rows.min() < 0 or rows.max() >= len(table):
            return
        some = np.linspace(0, rows.size - 1, 16).astype(int)
        if np.array_equal(table[rows.flat[some]], vectors.reshape(-1, vectors.shape[-1])[some]):
            self._lookups.append((tensor, Lookup(table, rows.astype(np.intp))))

    def lookup(self, tensor: Any) -> Lookup | None:
        """Give the table that a tensor's vectors are rows of, if that is known."""
        return next((each for made, each in self._lookups if made is tensor), None)

    def arrives(self, tensor: Any, values: npt.NDArray[Any]) -> npt.NDArray[Any] | None:
        """Take what arrives at a tensor if it is the source, past the framework, which would copy it."""
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
        """Stop the call. A framework may rewrite the error on its way out, so it is kept here."""
        self.problem = problem
        raise problem

    def of_source(
        self, gradients: Sequence[npt.NDArray[Any] | None], dtype: Any, *, summed: bool
    ) -> npt.NDArray[Any]:
        """Put together what has arrived at the source.

        Parameters
        ----------
        gradients : sequence of array
            What the framework gives for each of `sources`, besides what it was passed by.
        dtype : dtype
            Of the source.
        summed : bool
            Whether to sum up the last axis.
        """
        parts, self._arrived = self._arrived, []
        for (part, _), arrived in zip(self.sources, gradients, strict=True):
            if arrived is not None:
                parts.append((part, arrived))
        shapes = {part: tuple(tensor.shape) for part, tensor in self.sources}
        found = []
        for part in sorted(shapes):
            here = [values for of, values in parts if of == part]
            here = here or [np.zeros(shapes[part], dtype)]
            if summed:
                here = [values.sum(axis=-1, keepdims=True) for values in here]
            found.append(functools.reduce(np.add, here))
        return found[0] if len(found) == 1 else np.concatenate(found, axis=1)
