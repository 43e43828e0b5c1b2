# What is given to a model is of many types: Any.
# ruff: noqa: ANN401
"""What any model that is opened for explanation tells of its inputs, its states and its output."""

from __future__ import annotations

from abc import abstractmethod
from typing import TYPE_CHECKING, Any

from lstm_widgets.models.cell_state import states_of

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    import numpy.typing as npt

    from lstm_widgets.models.batches import Batch, Batches
    from lstm_widgets.models.outputs import Output
    from lstm_widgets.models.sources import Source

__all__ = ["Opened"]


class Opened:
    """The part of an :class:`lstm_widgets.models.explaining.Explained` that is no framework's own.

    Attributes
    ----------
    batch_size : int
        How many examples run at a time.
    source : Source
        Where tokens are told apart.
    """

    batch_size: int
    source: Source
    _inputs: Batches
    _found: Sequence[Any]  # everything recurrent in the model
    _output: Output | None

    @property
    @abstractmethod
    def activation(self) -> str:
        """What makes outputs of logits: ``softmax``, ``sigmoid``, ``linear`` or ``other``."""

    def joined(self, some: Sequence[Batch]) -> Batch:
        """Put batches one after the other."""
        return self._inputs.joined(some)

    def batches(self, what: str) -> Iterator[Batch]:
        """Cut the examples into batches, and show how far it is with ``what``."""
        return self._inputs.all(self.batch_size, what)

    @property
    def has_ids(self) -> bool:
        """Whether the source gets its ids or vectors from inputs of the model."""
        return None not in self.source.leaves

    @property
    def tokens(self) -> Any:
        """The ids or vectors that the source gets, of all examples, as they were given."""
        return self._inputs.tokens(self.source)

    def tokens_of(self, batch: Batch) -> npt.NDArray[Any]:
        """Return the ids or vectors that the source gets, which are inputs of the model."""
        return self._inputs.tokens_of(self.source, batch)

    def with_tokens(self, batch: Batch, tokens: npt.NDArray[Any]) -> Batch:
        """Put other ids or vectors into their place."""
        return self._inputs.with_tokens(self.source, batch, tokens)

    @property
    def states(self) -> int:
        """How many values all recurrent layers carry from one timestep to the next."""
        return sum(
            size * len(states_of(kind))
            for one in self._found
            if one.kinds
            for size, kind in zip(one.sizes, one.kinds, strict=True)
        )

    def meaning(self, size: int) -> str:
        """Tell whether an output's ``size`` numbers are of ``classes``, ``values`` or ``unknown``."""
        assert self._output is not None  # noqa: S101  (asked of outputs only)
        return self._output.meaning(self.activation, size)
