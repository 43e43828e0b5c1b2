# Keras has no types, so what comes from it is Any.
# ruff: noqa: ANN401
"""What a model is given to read, brought into the form in which it takes it."""

from __future__ import annotations

import sys
import warnings
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from numbers import Real
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from lstm_widgets.models.keras.gather import (
    fits,
    is_array,
    plain,
    strings,
    unpacked,
    without_targets,
)
from lstm_widgets.models.keras.layers import Selection, load_keras
from lstm_widgets.models.keras.padding import find_masker

if TYPE_CHECKING:
    import numpy.typing as npt

DEFAULT_BATCH_SIZE = 256


@dataclass(frozen=True)
class Lengths:
    """How long the examples were before they were filled up to one length.

    Attributes
    ----------
    values
        Int ``(example,)``.
    leaves
        Which of the model's inputs were filled up, behind.
    masked
        Whether the model lets what they were filled up with count for nothing.
    filled
        To how many timesteps.
    """

    values: npt.NDArray[np.intp]
    leaves: tuple[int, ...]
    masked: bool
    filled: int

    def real(self) -> npt.NDArray[np.bool_]:
        """Tell what is no padding, ``(example, timestep)``."""
        return np.arange(self.filled) < self.values[:, None]


def standard_inputs(model: Any, inputs: Any) -> tuple[Any, Lengths | None]:
    """Turn inputs into arrays and tensors with a first axis, in the structure the model takes.

    Sequences of several lengths are filled up behind, and their lengths returned.
    """
    expected: Sequence[Any] = getattr(model, "inputs", None) or []
    inputs = without_targets(unpacked(inputs, expected), expected)
    several = isinstance(inputs, Mapping) or (
        isinstance(inputs, (list, tuple))
        and (len(expected) > 1 or (len(inputs) > 0 and all(map(is_array, inputs))))
    )
    if several and not isinstance(inputs, Mapping):
        if len(expected) == 1 and len(inputs) != 1:
            several = False  # examples in a list, for a model with one input
        elif not expected and len({int(part.shape[0]) for part in inputs if part.shape}) > 1:
            several = False  # of different lengths
    if not several:
        parts = {"inputs": inputs}
    elif isinstance(inputs, Mapping):
        parts = {f"inputs[{key!r}]": value for key, value in inputs.items()}
    else:
        parts = {f"inputs[{k}]": value for k, value in enumerate(inputs)}
    tensors = _tensors(expected, inputs if isinstance(inputs, Mapping) else len(parts))
    found = [
        _standard_leaf(model, where, value, tensor)
        for (where, value), tensor in zip(parts.items(), tensors, strict=True)
    ]
    lengths = _same_lengths(model, list(parts), found)
    arrays = [
        _standard_strings(where, array, tensor) if array.dtype == object else array
        for where, (array, _), tensor in zip(parts, found, tensors, strict=True)
    ]
    if isinstance(inputs, Mapping):
        return dict(zip(inputs, arrays, strict=True)), lengths
    if several and not len(expected) == len(arrays) == 1:
        return arrays, lengths
    return arrays[0], lengths


def _tensors(expected: Sequence[Any], given: Mapping[Any, Any] | int) -> list[Any]:
    """Tell which of the model's tensors each part of the inputs is for, None if unknown."""
    if isinstance(given, Mapping):
        by_name = {tensor.name: tensor for tensor in expected}
        return [by_name.get(key) for key in given]
    return list(expected) if len(expected) == given else [None] * given


def _standard_leaf(
    model: Any, where: str, value: Any, expected: Any
) -> tuple[Any, npt.NDArray[np.intp] | None]:
    """Turn one input into an array or tensor; tell the lengths of examples if they differ."""
    value = plain(value)
    if expected is None and not (getattr(model, "inputs", None) or []):
        text = reads_strings(model)
    else:
        text = expected is not None and str(expected.dtype) == "string"
    if isinstance(value, (str, bytes)):
        value = [value]
    array: Any = value
    if not (hasattr(value, "shape") and hasattr(value, "dtype")):
        if not isinstance(value, (Sequence, int, float, complex, np.generic)):
            raise TypeError(
                f"{where}: expected arrays, tensors, lists, a pandas table or a dataset; got a "
                f"{type(value).__module__}.{type(value).__name__}"
            )
        array = _from_list(value)
    elif isinstance(value, np.ndarray) and value.dtype == object:
        array = _from_list(list(value)) if value.shape else value
    if isinstance(array, list):
        array, lengths = _filled_up(where, array, text)
    else:
        lengths = None
    if len(array.shape) < 1:
        raise ValueError(f"{where}: expected an array of examples, got the scalar {value!r}")
    if text:  # what fills them up is still to be found
        return np.asarray(array, object), lengths
    name = str(getattr(array.dtype, "name", array.dtype))
    if name.startswith(("str", "bytes")) or (name == "object" and _all_strings(array)):
        raise TypeError(
            f"{where}: expected numbers (or a text as a str, or a list of its tokens, and its "
            f"vocabulary=), got an array of str of shape {tuple(array.shape)}"
        )
    if name == "object":
        for at in np.ndindex(array.shape):
            if not isinstance(array[at], Real):
                position = at[0] if len(at) == 1 else at
                raise TypeError(
                    f"{where}: expected numbers, got {array[at]!r:.80} (a "
                    f"{type(array[at]).__name__}) at position {position}"
                )
    return array, lengths


def _from_list(value: Any) -> Any:
    """Make one array of examples; a list of arrays if they are of different shapes."""
    if isinstance(value, (list, tuple)) and any(map(is_array, value)):
        value = [np.asarray(plain(part)) for part in value]
    try:
        array = np.asarray(value)
    except ValueError:
        return [_from_list(part) for part in value]
    if array.dtype == object and array.size and all(isinstance(v, Real) for v in array.flat):
        return array.astype(np.float64)
    if array.dtype.kind in "US":  # what is no str would have become one
        return np.asarray(value, object)
    return array


def _all_strings(array: npt.NDArray[Any]) -> bool:
    return array.size > 0 and all(isinstance(value, (str, bytes)) for value in array.flat)


def _filled_up(
    where: str, examples: list[Any], text: bool
) -> tuple[npt.NDArray[Any], npt.NDArray[np.intp]]:
    """Put examples of several lengths into one array, filled up behind."""
    shapes = [np.shape(example) for example in examples]
    ragged = any(isinstance(example, list) for example in examples)
    if ragged or not all(shapes) or len({shape[1:] for shape in shapes}) > 1:
        known = sorted({"uneven" if isinstance(e, list) else str(np.shape(e)) for e in examples})
        raise ValueError(
            f"{where}: expected sequences of one length, or such as differ in their first axis, "
            f"the timesteps; got shapes {' and '.join(known[:4])}"
        )
    lengths = np.array([shape[0] for shape in shapes], np.intp)
    dtype = object if text else np.result_type(*examples)
    filled = np.zeros((len(examples), lengths.max(), *shapes[0][1:]), dtype)
    if text:
        filled[...] = ""
    for row, example in zip(filled, examples, strict=True):
        row[: len(example)] = example
    return filled, lengths


def _standard_strings(where: str, array: Any, expected: Any) -> Any:
    """Make a tensor of str, with as many axes as the model takes."""
    import tensorflow as tf  # noqa: PLC0415

    given = np.asarray(array)
    tensor = tf.constant(strings(where, given), tf.string)
    if expected is None:
        return tensor
    axes = len(expected.shape)
    if len(tensor.shape) == axes - 1 and expected.shape[-1] == 1:
        return tensor[..., None]
    if len(tensor.shape) == axes + 1 and tensor.shape[-1] == 1:
        return tensor[..., 0]
    return tensor


def _same_lengths(
    model: Any, where: Sequence[str], found: list[tuple[Any, npt.NDArray[np.intp] | None]]
) -> Lengths | None:
    """Fill examples up with what the model masks, and say so."""
    leaves = tuple(k for k, (_, lengths) in enumerate(found) if lengths is not None)
    if not leaves:
        return None
    maskers = [find_masker(model, k) for k in leaves]
    masked = all(maskers)
    values = found[leaves[0]][1]
    assert values is not None  # noqa: S101  (of these leaves they are known)
    tensors = getattr(model, "inputs", None) or []
    for k, masker in zip(leaves, maskers, strict=True):
        array, lengths = found[k]
        assert lengths is not None  # noqa: S101
        prescribed = tensors[k].shape[1] if len(tensors) == len(found) else None
        told = f"{len(lengths)} sequences of {lengths.min()} to {lengths.max()} timesteps"
        if masked and masker is not None:
            found[k] = (_fill(array, lengths, masker.value, prescribed), lengths)
            warn_outside(
                f"{where[k]}: {told} are filled up behind with {masker.value!r}, which layer "
                f"{masker.layer!r} masks"
            )
        elif prescribed is not None:
            raise ValueError(
                f"{where[k]}: expected sequences of {prescribed} timesteps, because the model takes "
                f"no others and isn't known to mask padding; got {told}. Fill them up as in "
                f"training: keras.utils.pad_sequences(..., maxlen={prescribed}, padding=..., "
                "value=...)"
            )
        elif not np.array_equal(lengths, values):
            raise ValueError(
                f"{where[k]}: expected sequences of the same lengths as in {where[leaves[0]]}, "
                "because the model isn't known to mask padding; got others. Give each example for "
                "itself"
            )
        else:
            warn_outside(
                f"{where[k]}: {told} are read length by length, because the model isn't known to "
                "mask padding, which would change what it computes. What is behind an example's end "
                "is NaN, and masked"
            )
    return Lengths(values, leaves, masked, int(found[leaves[0]][0].shape[1]))


def _fill(
    array: npt.NDArray[Any], lengths: npt.NDArray[np.intp], value: Any, prescribed: int | None
) -> npt.NDArray[Any]:
    """Put a value where there is padding, and as much behind as is prescribed."""
    more = max(0, (prescribed or 0) - array.shape[1])
    array = np.pad(array, [(0, 0), (0, more), *[(0, 0)] * (array.ndim - 2)])
    real = np.arange(array.shape[1]) < lengths[:, None]
    real = real.reshape(*real.shape, *[1] * (array.ndim - 2))
    return np.where(real, array, np.asarray(value, array.dtype))


def warn_outside(message: str) -> None:
    """Warn at the line outside of this package that led here."""
    package = str(Path(__file__).parents[2])
    level = 1
    while sys._getframe(level).f_code.co_filename.startswith(package):  # noqa: SLF001
        level += 1
    warnings.warn(message, stacklevel=level + 1)


def reads_strings(model: Any) -> bool:
    """Whether what a model takes are strings."""
    expected = getattr(model, "inputs", None) or []
    if expected:
        return any(str(tensor.dtype) == "string" for tensor in expected)
    return find_lookup(model) is not None


def find_lookup(model: Any) -> Any:
    """Find the layer that makes ids of strings in a model, None if there is none or several."""
    layers = load_keras().layers
    found = [
        layer
        for layer in model._flatten_layers(include_self=False)  # noqa: SLF001
        if isinstance(layer, (layers.TextVectorization, layers.StringLookup))
        and not getattr(layer, "invert", False)
    ]
    # A TextVectorization has a StringLookup inside.
    inside = [id(getattr(layer, "_lookup_layer", None)) for layer in found]
    found = [layer for layer in found if id(layer) not in inside]
    return found[0] if len(found) == 1 else None


def expect_fit(model: Any, inputs: Any) -> None:
    """Check inputs against the shapes that the model tells to take."""
    expected = getattr(model, "inputs", None) or []
    if not expected or isinstance(inputs, Mapping):
        return
    given = inputs if isinstance(inputs, list) else [inputs]
    if len(given) != len(expected):
        raise ValueError(
            f"inputs: expected {len(expected)} arrays (one for each input of the model), "
            f"got {len(given)}"
        )
    for k, (value, tensor) in enumerate(zip(given, expected, strict=True)):
        where = "inputs" if len(given) == 1 else f"inputs[{k}]"
        if not fits(tuple(value.shape), tuple(tensor.shape)):
            raise ValueError(
                f"{where}: expected shape {tuple(tensor.shape)} (None: any length), "
                f"got {tuple(value.shape)}{_misfit(tuple(value.shape), tuple(tensor.shape))}"
            )


def _misfit(shape: tuple[int, ...], expected: tuple[int | None, ...]) -> str:
    """Say what it is that doesn't fit."""
    if len(shape) != len(expected):
        return f"; the first axis are the examples, so there are {len(expected)} axes"
    for axis, (n, e) in enumerate(zip(shape, expected, strict=True)):
        if axis and e not in (None, n):
            return f"; along axis {axis} the model takes {e}, there are {n}"
    return ""


def leaves(inputs: Any) -> list[Any]:
    """List the arrays of inputs."""
    if isinstance(inputs, Mapping):
        return list(inputs.values())
    return inputs if isinstance(inputs, list) else [inputs]


def cut(inputs: Any, start: int, stop: int) -> Any:
    """Take some of the examples; all of them without a copy."""
    if start == 0 and all(stop >= len(value) for value in leaves(inputs)):
        return inputs
    if isinstance(inputs, Mapping):
        return {key: value[start:stop] for key, value in inputs.items()}
    if isinstance(inputs, list):
        return [value[start:stop] for value in inputs]
    return inputs[start:stop]


def taken(inputs: Any, rows: npt.NDArray[np.intp]) -> Any:
    """Take these examples, in this order."""
    import tensorflow as tf  # noqa: PLC0415

    def of(value: Any) -> Any:
        return value[rows] if isinstance(value, np.ndarray) else tf.gather(value, rows)

    if isinstance(inputs, Mapping):
        return {key: of(value) for key, value in inputs.items()}
    return [of(value) for value in inputs] if isinstance(inputs, list) else of(inputs)


def count_examples(inputs: Any) -> int:
    """Count the examples, which must be as many in each array."""
    counts = {int(value.shape[0]) for value in leaves(inputs)}
    if len(counts) != 1:
        raise ValueError(
            f"inputs: expected the same number of examples in each array, got {sorted(counts)}"
        )
    return counts.pop()


def standard_batch_size(
    model: Any, selection: Selection, count: int, batch_size: int | None
) -> int:
    """Tell how many examples run at a time, for ``count`` of them."""
    prescribed = prescribed_batch_size(model, selection)
    if prescribed and batch_size not in (None, prescribed):
        raise ValueError(f"batch_size: the model prescribes {prescribed}, got {batch_size}")
    if prescribed and count % prescribed:
        raise ValueError(
            f"inputs: the model takes batches of exactly {prescribed} examples, got {count} "
            "examples"
        )
    return int(prescribed or batch_size or DEFAULT_BATCH_SIZE)


def prescribed_batch_size(model: Any, selection: Selection) -> int | None:
    """Tell the number of examples that a model takes, if it takes no other."""
    fixed = [
        one.layer.states[0].shape[0] for one in selection.found if one.stateful and one.layer.states
    ] + [t.shape[0] for t in getattr(model, "inputs", None) or [] if t.shape[0]]
    return int(fixed[0]) if fixed else None


def expect_positive(argument: str, number: int | None) -> None:
    """Refuse what is neither None nor a positive whole number."""
    if number is None:
        return
    if isinstance(number, bool) or not isinstance(number, (int, np.integer)) or number < 1:
        raise ValueError(f"{argument}: expected a positive whole number, got {number!r}")


def standard_tokens(tokens: Any, count: int, lengths: Lengths | None = None) -> Any:
    """Check everything about tokens that doesn't depend on a layer's number of timesteps.

    Those of examples of several lengths are filled up with ``""`` as these were.
    """
    if isinstance(tokens, Mapping):
        return {
            name: _token_rows(f"tokens[{name!r}]", rows, count, lengths)
            for name, rows in tokens.items()
        }
    return _token_rows("tokens", tokens, count, lengths)


def _token_rows(where: str, rows: Any, count: int, lengths: Lengths | None) -> list[list[str]]:
    if isinstance(rows, str):
        raise TypeError(
            f"{where}: expected one sequence of str for each example, got the str {rows[:20]!r} "
            f"(for a single example, put it into a list)"
        )
    if len(rows) != count:
        raise ValueError(
            f"{where}: expected one sequence for each of {count} examples, got {len(rows)}"
        )
    result = [[str(t) if isinstance(t, str) else t for t in row] for row in rows]
    for k, row in enumerate(result):
        for token in row:
            if not isinstance(token, str):
                raise TypeError(f"{where}[{k}]: expected str, got {token!r}")
    if lengths is not None and [len(row) for row in result] == lengths.values.tolist():
        return [[*row, *[""] * (lengths.filled - len(row))] for row in result]
    return result


def expect_labels(labels: Any, count: int) -> None:
    """Check labels."""
    if labels is None:
        return
    if isinstance(labels, str) or len(labels) != count:
        raise ValueError(
            f"labels: expected one str for each of {count} examples, got {len(labels)} for "
            f"{labels!r:.80}"
        )
    for label in labels:
        if not isinstance(label, str):
            raise TypeError(f"labels: expected str, got {label!r}")
