# PyTorch's graphs have no types: Any.
# ruff: noqa: ANN401
"""The last activation of what a module returns, read off the operations that made it."""

from __future__ import annotations

import contextlib
import re
from typing import TYPE_CHECKING, Any

import torch

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from torch import nn

__all__ = ["last_activation"]

# Autograd's names of operations that move numbers, and change none.
_MOVES = frozenset(
    {
        *("View", "UnsafeView", "Reshape", "Alias", "AsStrided", "Transpose", "T", "Permute"),
        *("Squeeze", "Unsqueeze", "Select", "Slice", "Index", "IndexSelect", "Gather", "Clone"),
        *("Expand", "ToCopy", "Cat", "Stack", "Split", "Unbind", "Flip", "Copy", "Unfold"),
        *("PackPaddedSequence", "SplitWithSizes", "Repeat", "Narrow", "Movedim"),
    }
)
_ACTIVATIONS = {"Softmax": "softmax", "Sigmoid": "sigmoid", "LogSoftmax": "log_softmax"}
_LINEAR = frozenset({"Addmm", "Mm", "Bmm", "Baddbmm", "Linear", "MkldnnLinear", "Addmv", "Mv"})


def last_activation(model: nn.Module, call: Callable[[], Any]) -> str:
    """Tell the last activation of a tensor.

    Parameters
    ----------
    model : torch.nn.Module
        The module.
    call : callable
        Calls it, and returns the tensor.

    Returns
    -------
    str
        ``"softmax"``, ``"log_softmax"``, ``"sigmoid"``, ``"linear"``, ``"other"`` or ``"unknown"``.
    """
    with _traced(model), torch.enable_grad():
        node = call().grad_fn
    return "unknown" if node is None else _of(node)


@contextlib.contextmanager
def _traced(model: nn.Module) -> Iterator[None]:
    """Let autograd see what is computed, of a module that is frozen too."""
    frozen = [p for p in model.parameters() if p.is_floating_point() and not p.requires_grad]
    frozen = [p for p in frozen if p.is_leaf and not p.is_inference()]
    try:
        for one in frozen:
            one.requires_grad_(True)
        yield
    finally:
        for one in frozen:
            one.requires_grad_(False)


def _of(node: Any) -> str:
    """Tell the activation that an operation is, or the one before it if it only moves numbers."""
    name = re.sub(r"Backward\d*$", "", node.name().rpartition("::")[2])
    if name in _ACTIVATIONS:
        return _ACTIVATIONS[name]
    if name in _LINEAR:
        return "linear"
    before = [one for one, _ in node.next_functions if one is not None]
    if name == "Add":  # a bias, or two of the same
        before = [one for one in before if one.name() != "torch::autograd::AccumulateGrad"]
        found = {_of(one) for one in before}
        return "linear" if found == {"linear"} else "other"
    if name in _MOVES and before:
        found = {_of(one) for one in before}
        return found.pop() if len(found) == 1 else "other"
    return "other"
