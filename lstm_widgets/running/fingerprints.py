# What is told apart may be of many types: Any.
# ruff: noqa: ANN401
"""Whether a model, its inputs and settings are the same as those of a recording that is gone on with."""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from lstm_widgets.models.inputs import leaves

if TYPE_CHECKING:
    from collections.abc import Iterable

    import numpy.typing as npt

    from lstm_widgets.models.adapter import Adapter
    from lstm_widgets.running.recorder import Part

__all__ = ["of_model", "of_part", "of_value"]

_NUMBERED = re.compile(r'_\d+"')
# Bytes that are copied at a time.
_COPIED = 1 << 22


def of_model(adapter: Adapter) -> dict[str, str]:
    """Tell a model by its weights, and by what it consists of.

    Raises
    ------
    ValueError
        If it doesn't tell its weights.
    """
    digest = hashlib.sha256()
    for array in adapter.weights():
        _add(digest, array)
    # Built once more, a model may be called "sequential_1", and so may all that is in it.
    config = _NUMBERED.sub('"', json.dumps(adapter.config(), sort_keys=True, default=str))
    layers = ", ".join(unit for one in adapter.layers for unit in one.units)
    return {"weights": digest.hexdigest(), "model": of_value(config), "its layers": layers}


def of_part(before: str, part: Part) -> str:
    """Tell what was read up to a part by what the parts before were, and by what is in it."""
    digest = hashlib.sha256(before.encode())
    given = part.given
    for array in leaves(given.inputs):
        _add(digest, np.asarray(array))
    tokens = given.tokens
    for rows in tokens.values() if isinstance(tokens, Mapping) else (tokens,):
        for row in () if rows is None else rows:
            digest.update("\0".join(row).encode("utf-8", "surrogatepass"))
    if given.series is not None and given.series.times is not None:
        _add(digest, given.series.times.values)
    digest.update(of_value(part.targets).encode())
    digest.update(of_value(part.labels).encode())
    return digest.hexdigest()


def of_value(value: Any) -> str:
    """Tell a setting: short ones as they are, others by a hash."""
    if value is None or isinstance(value, (bool, int, float)):
        return repr(value)
    if isinstance(value, str) and len(value) <= 20:
        return value
    digest = hashlib.sha256()
    _describe(digest, value)
    return digest.hexdigest()


def _describe(digest: Any, value: Any) -> None:
    if isinstance(value, np.generic):
        value = value.item()
    if value is None or isinstance(value, (bool, int, float, complex, str, bytes)):
        digest.update(f"{type(value).__name__} {value!r};".encode("utf-8", "surrogatepass"))
    elif isinstance(value, Mapping):
        _each(digest, "mapping", (part for item in value.items() for part in item))
    elif hasattr(value, "dtype") or hasattr(value, "iloc"):
        _add(digest, np.asarray(value))
    elif isinstance(value, (Sequence, set, frozenset)):
        _each(digest, "sequence", value)
    elif hasattr(value, "get_vocabulary"):
        _each(digest, "vocabulary", value.get_vocabulary())
    else:  # a scaler, for example
        digest.update(type(value).__qualname__.encode())
        _each(digest, "object", (part for item in vars(value).items() for part in item))


def _each(digest: Any, what: str, parts: Iterable[Any]) -> None:
    digest.update(f"{what}(".encode())
    for part in parts:
        _describe(digest, part)
    digest.update(b")")


def _add(digest: Any, array: npt.NDArray[Any]) -> None:
    """Add an array, without a copy of all of it."""
    digest.update(f"{array.dtype} {array.shape};".encode())
    if array.dtype == object:
        for value in array.flat:
            digest.update(repr(value).encode("utf-8", "surrogatepass"))
        return
    flat = (
        array.reshape(-1) if array.flags.c_contiguous else np.ascontiguousarray(array).reshape(-1)
    )
    step = max(1, _COPIED // max(1, array.dtype.itemsize))
    for start in range(0, len(flat), step):
        digest.update(flat[start : start + step].tobytes())
