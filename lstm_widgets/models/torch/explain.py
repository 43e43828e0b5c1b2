"""Say what PyTorch's errors leave unsaid about what a module was called with."""

from __future__ import annotations

import contextlib
import traceback
from typing import TYPE_CHECKING

import torch

if TYPE_CHECKING:
    from collections.abc import Iterator

    from torch import nn

    from lstm_widgets.models.torch.structure import Structure

__all__ = ["telling_more"]


@contextlib.contextmanager
def telling_more(model: nn.Module, structure: Structure) -> Iterator[None]:
    """Make of what comes up while a module runs an error that tells more, if more is known."""
    try:
        yield
    except Exception as error:
        told = _explained(error, model, packed=structure.packed)
        if told is not None:
            raise told from error
        raise


def _explained(error: Exception, model: nn.Module, *, packed: bool) -> Exception | None:
    """Make an error that tells more; ``packed`` tells that the module was called with packed sequences."""
    # A PackedSequence is a named tuple.
    tuples = "PackedSequence" in str(error) or "tuple" in str(error)
    if packed and isinstance(error, (TypeError, AttributeError)) and tuples:
        return TypeError(
            f"inputs: expected a tensor, because {type(model).__name__} can't take a PackedSequence "
            f"({error}); torch.nn.utils.rnn.pad_packed_sequence makes a tensor and lengths of it"
        )
    if isinstance(error, IndexError) and "out of range" in str(error):
        return _outside(error, model)
    if isinstance(error, RuntimeError) and "argument #1 'indices'" in str(error):
        return _no_ids(error, model)
    return None


def _looked_up(error: Exception, model: nn.Module) -> Iterator[tuple[torch.Tensor, int, str]]:
    """Give what Embeddings were called with, how many ids they have, and their names."""
    for frame, _ in traceback.walk_tb(error.__traceback__):
        if frame.f_code is torch.nn.functional.embedding.__code__:
            ids, weight = frame.f_locals["input"], frame.f_locals["weight"]
            name = next((n for n, p in model.named_parameters() if p is weight), "weight")
            yield ids, len(weight), name.rpartition(".")[0]


def _outside(error: Exception, model: nn.Module) -> Exception | None:
    """Find the id that an Embedding doesn't have."""
    for ids, count, layer in _looked_up(error, model):
        outside = torch.nonzero((ids < 0) | (ids >= count))
        if len(outside):
            at = tuple(outside[0].tolist())
            return ValueError(
                f"inputs: expected ids from 0 to {count - 1}, because the Embedding {layer!r} has "
                f"{count} of them; got the id {int(ids[at])} at position {at}"
            )
    return None


def _no_ids(error: Exception, model: nn.Module) -> Exception | None:
    """Say which Embedding got something else than ids."""
    for ids, _, layer in _looked_up(error, model):
        return TypeError(
            f"inputs: expected ids of torch.int64 or torch.int32 for the Embedding {layer!r}, got "
            f"{ids.dtype}; .long() converts whole numbers"
        )
    return None
