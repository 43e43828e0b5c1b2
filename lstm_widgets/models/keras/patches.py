# Keras has no types, so what comes from it is Any.
# ruff: noqa: ANN401
"""Something else in the place of attributes of layers, for a while."""

from __future__ import annotations

import contextlib
from typing import TYPE_CHECKING, Any

from lstm_widgets.models.keras.layers import load_keras

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

__all__ = ["Patch", "is_stock", "replaced"]

Patch = tuple[Any, str, Any]
"""An object, the name of one of its attributes, and what stands there for a while."""


@contextlib.contextmanager
def replaced(patches: Iterable[Patch]) -> Iterator[None]:
    """Put something else in the place of attributes of layers, for as long as the context lasts."""
    before: list[tuple[dict[str, Any], str, Any]] = []
    missing = object()
    try:
        for thing, name, value in patches:
            # Past Keras's __setattr__, which has nothing to track here.
            before.append((thing.__dict__, name, thing.__dict__.get(name, missing)))
            thing.__dict__[name] = value
        yield
    finally:
        for attributes, name, value in reversed(before):
            if value is missing:
                del attributes[name]
            else:
                attributes[name] = value


def is_stock(layer: Any, names: Sequence[str]) -> bool:
    """Whether a layer computes what one of these layers of Keras does."""
    for name in names:
        base = getattr(load_keras().layers, name, None)
        if base is not None and isinstance(layer, base) and type(layer).call is base.call:
            return True
    return False
