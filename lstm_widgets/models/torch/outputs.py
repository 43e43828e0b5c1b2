# What a module returns may be anything: Any.
# ruff: noqa: ANN401
"""The outputs of a PyTorch module, by name."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import torch
from torch.nn.utils.rnn import PackedSequence, pad_packed_sequence

if TYPE_CHECKING:
    from collections.abc import Iterator

__all__ = ["is_record", "named"]


def named(outputs: Any) -> dict[str, Any]:
    """Name the tensors that a module returned, in their order.

    A dict's, and those of what has named fields (a named tuple, a dataclass), by its keys; others by their
    place. What is packed is filled up with zeros, ``(example, timestep, ...)``.
    """
    return dict(_named(outputs))


def _named(value: Any, path: str = "") -> Iterator[tuple[str, Any]]:
    if isinstance(value, PackedSequence):
        yield path[:-1] or "output", pad_packed_sequence(value, batch_first=True)[0]
    elif isinstance(value, torch.Tensor):
        yield path[:-1] or "output", value
    elif isinstance(value, Mapping):
        for key, part in value.items():
            yield from _named(part, f"{path}{key}/")
    elif isinstance(value, (list, tuple)):
        names = getattr(value, "_fields", range(len(value)))
        for name, part in zip(names, value, strict=True):
            yield from _named(part, f"{path}{name}/")
    elif is_record(value):
        for one in dataclasses.fields(value):
            yield from _named(getattr(value, one.name), f"{path}{one.name}/")


def is_record(value: Any) -> bool:
    """Whether something is of a dataclass."""
    return dataclasses.is_dataclass(value) and not isinstance(value, type)
