"""The names of a layer that a model calls several times, and of its single calls.

A layer's name means all its calls. ``"lstm:2"`` is its second call, ``"rnn:2/cell_0"`` that of a
cell in a stack; both directions of ``"bidirectional"`` have ``"bidirectional:2"``.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable

__all__ = ["all_named", "call_name", "is_part", "split_call"]

_STACKED = re.compile(r"(.+?)((?:/cell_\d+)?)")


def split_call(name: str) -> tuple[str, int | None]:
    """
    Tell which layer a name means, and which of its calls; None: all of them.

    Examples
    --------
    >>> split_call("lstm"), split_call("lstm:2"), split_call("rnn:2/cell_0")
    (('lstm', None), ('lstm', 2), ('rnn/cell_0', 2))
    """
    head, colon, tail = name.rpartition(":")
    call, slash, rest = tail.partition("/")
    if colon and head and call.isdigit():
        return head + slash + rest, int(call)
    return name, None


def call_name(layer: str, call: int) -> str:
    """
    Name one call of a layer.

    Examples
    --------
    >>> call_name("lstm", 1), call_name("rnn/cell_0", 2)
    ('lstm:1', 'rnn:2/cell_0')
    """
    known = _STACKED.fullmatch(layer)
    head, tail = (known[1], known[2]) if known else (layer, "")
    return f"{head}:{call}{tail}"


def all_named(layer: str, calls: Iterable[int]) -> str:
    """Name a layer and its calls in an error, a long list not whole."""
    names = [repr(call_name(layer, call)) for call in calls]
    if len(names) < 2:
        return repr(layer)
    shown = [*names[:2], "...", names[-1]] if len(names) > 4 else names
    return f"{layer!r} (all its calls), {', '.join(shown)}"


def is_part(layer: str, whole: str) -> bool:
    """Whether a layer is the one of a name, or stands in it: a direction, a cell of a stack."""
    return layer == whole or layer.startswith(f"{whole}/")
