# PyTorch's tensors have types that say nothing of their shapes: Any.
# ruff: noqa: ANN401
"""One call of a PyTorch module, open for the way back."""

from __future__ import annotations

import functools
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import torch

from lstm_widgets.errors import UnsupportedLayerError
from lstm_widgets.models.passes import OpenPass
from lstm_widgets.models.torch.cells import as_array
from lstm_widgets.rnn.cells import plain_array

if TYPE_CHECKING:
    import numpy.typing as npt

    from lstm_widgets.rnn.relevance_rules import Rule

__all__ = ["Pass", "Score"]


@dataclass(frozen=True)
class Score:
    """One score a row, from which a pass goes back. NumPy takes it for an array."""

    tensor: Any

    def __array__(self, dtype: Any = None, copy: bool | None = None) -> npt.NDArray[Any]:
        del copy
        return np.asarray(plain_array(as_array(self.tensor)), dtype)


@dataclass
class Pass(OpenPass):
    """One call of the module, open for the way back.

    Attributes
    ----------
    returned : torch.Tensor, optional
        What the module returned without its last activation. If a cell's state is explained, the
        states of its layer ``(row, units)``.
    """

    returned: Any = None

    @functools.cached_property
    def source(self) -> npt.NDArray[Any]:
        """What the tokens became: one array ``(row, timestep, dimension)``."""
        parts = dict(self.sources)
        return np.concatenate([as_array(parts[part]) for part in sorted(parts)], axis=1)

    @functools.cached_property
    def logits(self) -> npt.NDArray[Any]:
        """What the module returned without its last activation."""
        return plain_array(as_array(self.returned))

    def back(
        self, score: Any, rule: Rule | None = None, *, summed: bool = False
    ) -> tuple[npt.NDArray[Any], npt.NDArray[Any]]:
        """Go back from one score a row, see :meth:`lstm_widgets.models.explaining.Pass.back`."""
        self.rule, self.summed = rule, summed
        tensors = [tensor for _, tensor in self.sources]
        wanted = [*tensors, *self.others]
        gradients: list[Any] = [None] * len(wanted)
        if score.tensor.requires_grad:
            given = torch.ones_like(score.tensor) if rule is None else score.tensor.detach()
            try:
                gradients = list(
                    torch.autograd.grad(
                        *(score.tensor, wanted, given), retain_graph=True, allow_unused=True
                    )
                )
            except RuntimeError as error:
                if "inplace" not in str(error):
                    raise
                raise UnsupportedLayerError(
                    "model: it changes in place what the way back needs (as relu_ does of what comes "
                    f"out of tanh), so that nothing can be traced back. PyTorch says: {error}"
                ) from None
        arrived = [None if g is None else plain_array(as_array(g)) for g in gradients]
        rows = len(self.source)
        other = np.zeros(rows, plain_array(self.source).dtype)
        for values in arrived[len(tensors) :]:
            if values is not None:
                other += values.reshape(rows, -1).sum(axis=1)
        return self.of_source(arrived[: len(tensors)], other.dtype, summed=summed), other

    def ends_at(self, tensor: Any, axis: int = 0) -> Any:
        """Let the way back end at a tensor that has the rows along an axis; return what stands for it."""
        leaf = tensor.detach().movedim(axis, 0).requires_grad_()
        self.others.append(leaf)
        return leaf.movedim(0, axis)
