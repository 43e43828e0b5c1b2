# What a DataLoader gives may be anything: Any.
# ruff: noqa: ANN401
"""What a module is called with, out of the batches of a DataLoader."""

from __future__ import annotations

import inspect
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import torch
from torch.nn.utils.rnn import PackedSequence
from torch.utils.data import DataLoader, RandomSampler

from lstm_widgets.models.inputs import Batches, warn_outside

if TYPE_CHECKING:
    from collections.abc import Iterator

    from torch import nn

    from lstm_widgets.models.torch.structure import Structure

__all__ = ["batches", "count_of", "in_turn", "warn_of_order"]


def batches(model: nn.Module, structure: Structure, loader: DataLoader[Any]) -> Batches:
    """Take what a module reads out of each batch of a loader.

    Of several tensors these are as many as the module's ``forward`` needs, of a dict those that it has
    arguments for.
    """
    parts = [part for batch in in_turn(model, structure, loader) for part in batch.parts]
    if not parts:
        raise ValueError("inputs: expected a DataLoader with at least one batch, got an empty one")
    return Batches(parts)


def in_turn(model: nn.Module, structure: Structure, loader: DataLoader[Any]) -> Iterator[Batches]:
    """Take what a module reads out of one batch of a loader after the other."""
    warn_of_order(loader)
    for k, batch in enumerate(loader):
        arguments = _arguments(model, batch)
        part = (
            structure.take_more(arguments, loaded=True)
            if k
            else structure.take(arguments, loaded=True)
        )
        yield Batches([part])


def count_of(loader: DataLoader[Any]) -> int | None:
    """Tell how many batches a loader has, if it knows."""
    try:
        return len(loader)
    except TypeError:  # of a data set that is only iterated over
        return None


def warn_of_order(loader: DataLoader[Any]) -> None:
    """Tell of a loader that shuffles."""
    if isinstance(loader.sampler, RandomSampler):
        warn_outside(
            "inputs: the DataLoader shuffles, so the examples are in an order that nothing tells; "
            "shuffle=False keeps theirs"
        )


def _arguments(model: nn.Module, batch: Any) -> tuple[Any, ...] | dict[str, Any]:
    """Choose what of a batch the module is called with."""
    if isinstance(batch, (torch.Tensor, PackedSequence)):
        return (batch,)
    parameters = list(inspect.signature(model.forward).parameters.values())
    kinds = [one.kind for one in parameters]
    if isinstance(batch, Mapping):
        names = {one.name for one in parameters} & batch.keys()
        if inspect.Parameter.VAR_KEYWORD in kinds:
            return dict(batch)
        return {name: batch[name] for name in batch if name in names} if names else (batch,)
    if not isinstance(batch, (tuple, list)):
        raise TypeError(
            "inputs: expected a DataLoader whose batches are tensors, tuples or dicts of them; got a "
            f"{type(batch).__module__}.{type(batch).__name__}"
        )
    if inspect.Parameter.VAR_POSITIONAL in kinds:
        return tuple(batch)
    positional = (inspect.Parameter.POSITIONAL_ONLY, inspect.Parameter.POSITIONAL_OR_KEYWORD)
    needed = [one.name for one in parameters if one.kind in positional and one.default is one.empty]
    if len(batch) < len(needed):
        raise ValueError(
            f"inputs: expected batches with {len(needed)} parts, because the model's forward takes "
            f"{', '.join(needed)}; got {len(batch)}"
        )
    return tuple(batch[: max(1, len(needed))])
