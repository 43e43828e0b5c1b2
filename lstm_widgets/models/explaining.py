# A framework's tensors have no types here, so they are Any.
# ruff: noqa: ANN401
"""A model opened for explanation: its scores, and the way back from them to what it read.

:meth:`lstm_widgets.models.adapter.Adapter.explained` gives an :class:`Explained`. How a way back goes
through a recurrent layer is in ``lstm_widgets.rnn``; an adapter hands over what arrives at the
layer's output, and takes back what arrives at its input.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal, Protocol

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence
    from contextlib import AbstractContextManager

    import numpy as np
    import numpy.typing as npt

    from lstm_widgets.rnn.relevance_rules import Rule

__all__ = ["Batch", "CellState", "Explained", "Pass", "Source"]


@dataclass(frozen=True)
class CellState:
    """A cell's state, to be explained in place of the model's output.

    Attributes
    ----------
    layer : str
        The layer's name, as in a recording: of a layer that the model calls several times, it means
        all calls, whose timesteps count on from one to the next, and ``"lstm:2"`` the second one.
    cell : int
        The cell's index.
    signal : str
        ``"hidden_state"`` or ``"cell_state"``.
    """

    layer: str
    cell: int
    signal: str


class Batch(Protocol):
    """What the model is called with, for some rows."""

    @property
    def rows(self) -> npt.NDArray[np.intp]:
        """Index of the example that each row is of."""


class Source(Protocol):
    """Where tokens are told apart: a layer that makes vectors of them, or an input of vectors."""

    @property
    def name(self) -> str:
        """The name of the layer, or of the input."""

    @property
    def layer(self) -> Any:
        """The layer; None if it is an input."""

    @property
    def leaves(self) -> tuple[int | None, ...]:
        """Which of the model's inputs it is, or which have the layer's ids; None: none."""


class Pass(Protocol):
    """One call of the model, open for the way back."""

    @property
    def source(self) -> Any:
        """What the tokens became, ``(row, timestep, dimension)``."""

    @property
    def logits(self) -> Any:
        """What the model returned without its last activation, ``(row, [timestep,] class)``.

        If a cell's state is explained, the states of its layer ``(row, units)``.
        """

    @property
    def mask(self) -> npt.NDArray[np.bool_] | None:
        """Of the source: bool ``(row, timestep)``, False at padding; None: nothing is padding."""

    @property
    def kept(self) -> Mapping[str, Any]:
        """What was decided by looking at values, by name: bool ``(row, ...)``."""

    def back(
        self, score: Any, rule: Rule | None = None, *, summed: bool = False
    ) -> tuple[npt.NDArray[Any], npt.NDArray[Any]]:
        """Go back from one score a row.

        Parameters
        ----------
        score : object
            As :meth:`Explained.score` gives it.
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


class Explained(Protocol):
    """A model whose scores can be traced back to what stands at each timestep."""

    @property
    def count(self) -> int:
        """The number of examples."""

    @property
    def batch_size(self) -> int:
        """How many of them run at a time."""

    @property
    def fixed(self) -> bool:
        """Whether the model prescribes that."""

    @property
    def cell(self) -> CellState | None:
        """The state that is explained instead of an output."""

    @property
    def output(self) -> str | None:
        """The name of the output that is explained, of a model with several."""

    @property
    def activation(self) -> str:
        """What makes outputs of logits: ``softmax``, ``sigmoid``, ``linear`` or ``other``."""

    @property
    def source(self) -> Source:
        """Where tokens are told apart."""

    @property
    def has_ids(self) -> bool:
        """Whether the source gets its ids or vectors from inputs of the model."""

    @property
    def tokens(self) -> Any:
        """The ids or vectors that the source gets, of all examples, as they were given."""

    @property
    def embeddings(self) -> npt.NDArray[Any] | None:
        """The source's vectors by id, ``(symbols, dimension)``; None if it has none."""

    @property
    def states(self) -> int:
        """How many values all recurrent layers carry from one timestep to the next."""

    def meaning(self, size: int) -> str:
        """Tell whether an output's ``size`` numbers are of ``classes``, ``values`` or ``unknown``."""

    def states_as_found(self) -> AbstractContextManager[None]:
        """Leave everything in the model as it was."""

    def batches(self, what: str) -> Iterator[Batch]:
        """Cut the examples into batches, and show how far it is with ``what``."""

    def joined(self, batches: Sequence[Any]) -> Batch:
        """Put batches one after the other."""

    def tokens_of(self, batch: Any) -> npt.NDArray[Any]:
        """Return the ids or vectors that the source gets, which are inputs of the model."""

    def with_tokens(self, batch: Any, tokens: npt.NDArray[Any]) -> Batch:
        """Put other ids or vectors into their place."""

    def run(
        self,
        batch: Any,
        *,
        values: Any = None,
        kept: Mapping[str, Any] | None = None,
        at: npt.NDArray[np.intp] | None = None,
        relevance: bool = False,
    ) -> Pass:
        """Call the model, ready to go back from what it returns.

        Parameters
        ----------
        batch : object
            What it is called with.
        values : optional
            What the source is to be instead, ``(row, timestep, dimension)``.
        kept : mapping of str to object, optional
            For ``values``: what of :attr:`Pass.kept` is not to depend on them.
        at : int array (row,), optional
            If a cell's state is explained: the timestep after which, ``(row,)``; None: the last one
            that its layer reads.
        relevance : bool, default False
            Whether the way back is to be open for relevance, too, which not every layer has a rule
            for.

        Raises
        ------
        UnsupportedLayerError
            If a layer on the way has no rule.
        SelfCheckError
            If the model's outputs aren't what it returns without these replacements.
        """

    def score(
        self,
        done: Any,
        target: npt.NDArray[np.intp],
        at: npt.NDArray[np.intp] | None,
        of: Literal["logit", "probability", "loss"] = "logit",
    ) -> Any:
        """Pick one score a row: of a class, and for outputs over time at a timestep."""

    def logits_at(self, done: Any, at: npt.NDArray[np.intp] | None) -> Any:
        """Return the logits ``(row, class)``, for outputs over time those at a timestep."""
