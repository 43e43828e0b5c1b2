# Losses may be anything that can be called: Any.
# ruff: noqa: ANN401
"""Losses of PyTorch, as functions of arrays."""

from __future__ import annotations

import copy
import functools
import inspect
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from torch import nn

if TYPE_CHECKING:
    from collections.abc import Callable

__all__ = ["loss_function"]

_NAMED: dict[str, type[nn.Module]] = {
    **dict.fromkeys(("mse", "mean_squared_error"), nn.MSELoss),
    **dict.fromkeys(("mae", "mean_absolute_error"), nn.L1Loss),
    "huber": nn.HuberLoss,
}


def loss_function(loss: Any) -> Callable[[Any, Any], Any]:
    """Make of a loss a function of targets and outputs that gives a number for each output.

    PyTorch's own, modules and those of ``torch.nn.functional``, take outputs first, and classes along the
    second axis. Every other function is called with targets and outputs, as arrays.
    """
    if isinstance(loss, str):
        if loss not in _NAMED:
            raise ValueError(
                f"loss: expected one of {', '.join(map(repr, _NAMED))}, a loss of torch.nn, or a "
                f"function; got {loss!r}"
            )
        loss = _NAMED[loss]()
    if isinstance(loss, nn.Module):
        own = copy.copy(loss)
        if hasattr(own, "reduction"):
            own.reduction = "none"
        return functools.partial(_of_tensors, own, isinstance(loss, nn.CrossEntropyLoss))
    if not callable(loss):
        raise TypeError(
            f"loss: expected a name, a loss of torch.nn or a function, got {loss!r:.80}"
        )
    if getattr(loss, "__module__", "") == nn.functional.__name__:
        keywords = {"reduction": "none"} if "reduction" in _parameters(loss) else {}
        own_function = functools.partial(loss, **keywords)
        return functools.partial(_of_tensors, own_function, loss.__name__ == "cross_entropy")
    function: Callable[[Any, Any], Any] = loss
    return function


def _parameters(function: Any) -> set[str]:
    try:
        return set(inspect.signature(function).parameters)
    except ValueError:  # written in C
        return set()


def _of_tensors(own: Callable[..., Any], classes: bool, targets: Any, outputs: Any) -> Any:
    """Call a loss of PyTorch's; the mean over what is left of each output's own axis."""
    said, wanted = torch.from_numpy(np.array(outputs)), torch.from_numpy(np.array(targets))
    if classes and not wanted.is_floating_point():
        said, wanted = said.movedim(-1, 1), wanted.long()
    elif wanted.ndim == said.ndim - 1 and said.shape[-1] == 1:
        wanted = wanted[..., None]
    if not classes and wanted.shape != said.shape:
        raise ValueError(
            f"targets: expected the shape of the model's outputs, {tuple(said.shape)} in one call; got "
            f"{tuple(wanted.shape)}"
        )
    with torch.no_grad():
        found = own(said, wanted if classes else wanted.to(said.dtype))
    found = found.numpy()
    axes = outputs.ndim - 1
    return found.mean(axis=tuple(range(axes, found.ndim))) if found.ndim > axes else found
