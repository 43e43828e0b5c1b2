"""Say what PyTorch's errors leave unsaid about what a module was called with."""

from __future__ import annotations

import traceback
from typing import TYPE_CHECKING

import torch

if TYPE_CHECKING:
    from torch import nn

__all__ = ["explained"]


def explained(error: Exception, model: nn.Module, *, packed: bool) -> Exception | None:
    """Make of what came up while a module ran an error that tells more, if more is known.

    ``packed`` tells that it was called with packed sequences.
    """
    if packed and isinstance(error, (TypeError, AttributeError)) and "PackedSequence" in str(error):
        return TypeError(
            f"inputs: expected a tensor, because {type(model).__name__} can't take a PackedSequence "
            f"({error}); torch.nn.utils.rnn.pad_packed_sequence makes a tensor and lengths of it"
        )
    if isinstance(error, IndexError) and "out of range" in str(error):
        return _outside(error, model)
    return None


def _outside(error: Exception, model: nn.Module) -> Exception | None:
    """Find the id that an Embedding doesn't have."""
    for frame, _ in traceback.walk_tb(error.__traceback__):
        if frame.f_code is not torch.nn.functional.embedding.__code__:
            continue
        ids, weight = frame.f_locals["input"], frame.f_locals["weight"]
        name = next((n for n, p in model.named_parameters() if p is weight), "weight")
        count = len(weight)
        outside = torch.nonzero((ids < 0) | (ids >= count))
        if len(outside):
            at = tuple(outside[0].tolist())
            layer = name.rpartition(".")[0]
            return ValueError(
                f"inputs: expected ids from 0 to {count - 1}, because the Embedding {layer!r} has "
                f"{count} of them; got the id {int(ids[at])} at position {at}"
            )
    return None
