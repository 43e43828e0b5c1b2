# What is given to a model may be of many types: Any.
# ruff: noqa: ANN401
"""What a model is given to read, brought into the form in which it takes it."""

from __future__ import annotations

import itertools
import sys
import warnings
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from numbers import Real
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from lstm_widgets.checks import expect_whole
from lstm_widgets.models.gather import fits, is_array, plain, strings, without_targets
from lstm_widgets.recording import Recording, Variants

if TYPE_CHECKING:
    from collections.abc import Callable

    import numpy.typing as npt

    from lstm_widgets.models.adapter import Adapter, Input

DEFAULT_BATCH_SIZE = 256


@dataclass(frozen=True)
class Batches:
    """What a dataset gives, batch by batch, of which each is read as it is.

    Attributes
    ----------
    parts : list
        An array, or a list or dict of arrays, the examples along their first axes, of each batch.
    """

    parts: list[Any]

    @property
    def edges(self) -> list[int]:
        """Where each batch begins, and where the last one ends."""
        return [0, *itertools.accumulate(map(count_examples, self.parts))]

    def some(self, start: int, stop: int) -> Any:
        """Take some of the examples of one batch."""
        edges = self.edges
        k = int(np.searchsorted(edges, start, "right")) - 1
        return mapped(lambda value: value[start - edges[k] : stop - edges[k]], self.parts[k])

    def together(self) -> tuple[Any, Lengths]:
        """Put all into one array of each kind, filled up behind to the longest batch."""
        found = [leaves(part) for part in self.parts]
        counts = [count_examples(part) for part in self.parts]
        arrays, filled = [], []
        for k, several in enumerate(zip(*found, strict=True)):
            if (
                len({one.shape[2:] for one in several}) > 1
                or len({one.ndim for one in several}) > 1
            ):
                shapes = ", ".join(dict.fromkeys(str(one.shape) for one in several))
                raise ValueError(f"inputs: expected batches of one shape, got {shapes}")
            longest = max(one.shape[1] for one in several) if several[0].ndim > 1 else 0
            if any(one.ndim > 1 and one.shape[1] < longest for one in several):
                filled.append(k)
            arrays.append(np.concatenate([_behind(one, longest) for one in several]))
        first = filled[0] if filled else next((k for k, a in enumerate(arrays) if a.ndim > 1), 0)
        lengths = [one[first].shape[1] if one[first].ndim > 1 else 1 for one in found]
        made: Any = arrays if len(arrays) > 1 else arrays[0]
        if isinstance(self.parts[0], Mapping):
            made = dict(zip(self.parts[0], arrays, strict=True))
        return made, Lengths(
            *(np.repeat(lengths, counts), tuple(filled), False, max(lengths)), batches=self
        )


def _behind(array: npt.NDArray[Any], timesteps: int) -> npt.NDArray[Any]:
    """Fill up to some timesteps with zeros."""
    if array.ndim < 2 or array.shape[1] == timesteps:
        return array
    more = [(0, 0), (0, timesteps - array.shape[1]), *[(0, 0)] * (array.ndim - 2)]
    return np.pad(array, more)


@dataclass(frozen=True)
class Lengths:
    """How long the examples were before they were filled up to one length.

    Attributes
    ----------
    values : int array (example,)
        Int ``(example,)``.
    leaves : tuple of int
        Which of the model's inputs were filled up, behind.
    masked : bool
        Whether the model lets what they were filled up with count for nothing.
    filled : int
        To how many timesteps.
    batches : Batches, optional
        The batches that they are read in, if they were given as such.
    """

    values: npt.NDArray[np.intp]
    leaves: tuple[int, ...]
    masked: bool
    filled: int
    batches: Batches | None = None

    def real(self) -> npt.NDArray[np.bool_]:
        """Tell what isn't padding, ``(example, timestep)``."""
        return np.arange(self.filled) < self.values[:, None]


def standard_inputs(
    model: Adapter, inputs: Any, *, windowed: bool = False, more: bool = False
) -> tuple[Any, Lengths | None]:
    """Turn inputs into arrays with a first axis, in the structure the model takes.

    Sequences of several lengths are filled up behind, and their lengths returned. With ``windowed``
    they are to be read in windows, so that nothing ever reads what fills them up. ``more`` tells that
    more of the same was read before.
    """
    if isinstance(inputs, (Recording, Variants)):  # which are mappings, as several inputs may be
        raise TypeError(
            f"inputs: expected what the model reads, as it was given to record(); got "
            f"{type(inputs).__name__}, which is what it did with that"
        )
    expected = model.inputs
    inputs = model.unpacked(inputs, more=more)
    if isinstance(inputs, Batches):
        return inputs.together()
    inputs = without_targets(inputs, expected)
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
    lengths = _same_lengths(model, list(parts), found, windowed=windowed)
    arrays = [
        _standard_strings(where, array, tensor) if array.dtype == object else array
        for where, (array, _), tensor in zip(parts, found, tensors, strict=True)
    ]
    if isinstance(inputs, Mapping):
        return dict(zip(inputs, arrays, strict=True)), lengths
    if several and not len(expected) == len(arrays) == 1:
        return arrays, lengths
    return arrays[0], lengths


def _tensors(expected: Sequence[Input], given: Mapping[Any, Any] | int) -> list[Input | None]:
    """Tell which of the model's inputs each part of the inputs is for, None if unknown."""
    if isinstance(given, Mapping):
        by_name = {tensor.name: tensor for tensor in expected}
        return [by_name.get(key) for key in given]
    return list(expected) if len(expected) == given else [None] * given


def _standard_leaf(
    model: Adapter, where: str, value: Any, expected: Input | None
) -> tuple[Any, npt.NDArray[np.intp] | None]:
    """Turn one input into an array; tell the lengths of examples if they differ."""
    value = plain(model.array(value))
    if expected is None and not model.inputs:
        text = model.reads_strings
    else:
        text = expected is not None and expected.dtype == "string"
    if isinstance(value, (str, bytes)):
        value = [value]
    array: Any = value
    if not (hasattr(value, "shape") and hasattr(value, "dtype")):
        if not isinstance(value, (Sequence, int, float, complex, np.generic)):
            raise TypeError(
                f"{where}: expected arrays, tensors, lists, a pandas table or a dataset; got a "
                f"{type(value).__module__}.{type(value).__name__}"
            )
        array = _from_list(model, value)
    elif isinstance(value, np.ndarray) and value.dtype == object:
        array = _from_list(model, list(value)) if value.shape else value
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


def _from_list(model: Adapter, value: Any) -> Any:
    """Make one array of examples; a list of arrays if they are of different shapes."""
    if isinstance(value, (list, tuple)) and any(map(is_array, value)):
        value = [np.asarray(plain(model.array(part))) for part in value]
    try:
        array = np.asarray(value)
    except ValueError:
        return [_from_list(model, part) for part in value]
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


def _standard_strings(where: str, array: Any, expected: Input | None) -> npt.NDArray[np.object_]:
    """Check an array of strings, and give it as many axes as the model takes."""
    given = strings(where, np.asarray(array))
    if expected is None:
        return given
    axes = len(expected.shape)
    if given.ndim == axes - 1 and expected.shape[-1] == 1:
        return given[..., None]
    if given.ndim == axes + 1 and given.shape[-1] == 1:
        return given[..., 0]
    return given


def _same_lengths(
    model: Adapter,
    where: Sequence[str],
    found: list[tuple[Any, npt.NDArray[np.intp] | None]],
    *,
    windowed: bool,
) -> Lengths | None:
    """Fill examples up with what the model masks, and say so."""
    leaves = tuple(k for k, (_, lengths) in enumerate(found) if lengths is not None)
    if not leaves:
        return None
    values = found[leaves[0]][1]
    assert values is not None  # noqa: S101  (of these leaves they are known)
    if windowed:
        return Lengths(values, leaves, masked=False, filled=int(values.max()))
    maskers = [model.masker(k) for k in leaves]
    masked = all(maskers)
    for k, masker in zip(leaves, maskers, strict=True):
        array, lengths = found[k]
        assert lengths is not None  # noqa: S101
        prescribed = model.inputs[k].shape[1] if len(model.inputs) == len(found) else None
        told = f"{len(lengths)} sequences of {lengths.min()} to {lengths.max()} timesteps"
        if masked and masker is not None:
            found[k] = (_fill(array, lengths, masker.value, prescribed), lengths)
            warn_outside(
                f"{where[k]}: {told} are padded at the end with {masker.value!r}, which layer "
                f"{masker.layer!r} masks"
            )
        elif prescribed is not None:
            raise ValueError(
                f"{where[k]}: expected sequences of {prescribed} timesteps, because the model takes "
                f"no others and isn't known to mask padding; got {told}. Pad them as in "
                f"training{model.filling_advice(prescribed)}"
            )
        elif not np.array_equal(lengths, values):
            raise ValueError(
                f"{where[k]}: expected sequences of the same lengths as in {where[leaves[0]]}, "
                "because the model isn't known to mask padding; got others. Record each example by "
                "itself"
            )
        elif not lengths.all():
            raise ValueError(
                f"{where[k]}: expected sequences of one timestep or more, because the model isn't known to "
                f"mask padding; got an empty one, {int(lengths.argmin())}"
            )
        else:
            warn_outside(
                f"{where[k]}: {told} are read length by length, because the model isn't known to "
                "mask padding, which would change what it computes; behind an example's end, values "
                "are NaN and masked"
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
    package = str(Path(__file__).parents[1])
    level = 1
    while sys._getframe(level).f_code.co_filename.startswith(package):  # noqa: SLF001
        level += 1
    warnings.warn(message, stacklevel=level + 1)


def expect_fit(model: Adapter, inputs: Any) -> None:
    """Check inputs against the shapes that the model tells to take."""
    expected = model.inputs
    if not expected or isinstance(inputs, Mapping):
        return
    given = inputs if isinstance(inputs, list) else [inputs]
    if len(given) != len(expected):
        raise ValueError(
            f"inputs: expected {len(expected)} arrays (one for each input of the model), "
            f"got {len(given)}"
        )
    for k, (value, one) in enumerate(zip(given, expected, strict=True)):
        where = "inputs" if len(given) == 1 else f"inputs[{k}]"
        if not fits(tuple(value.shape), one.shape):
            raise ValueError(
                f"{where}: expected shape {one.shape} (None: any length), "
                f"got {tuple(value.shape)}{_misfit(tuple(value.shape), one.shape)}"
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


def mapped(function: Callable[[Any], Any], inputs: Any) -> Any:
    """Apply a function to each array of inputs."""
    if isinstance(inputs, Mapping):
        return {key: function(value) for key, value in inputs.items()}
    if isinstance(inputs, (list, tuple)):
        return [function(value) for value in inputs]
    return function(inputs)


def count_examples(inputs: Any) -> int:
    """Count the examples, which must be as many in each array."""
    counts = {int(value.shape[0]) for value in leaves(inputs)}
    if len(counts) != 1:
        raise ValueError(
            f"inputs: expected the same number of examples in each array, got {sorted(counts)}"
        )
    return counts.pop()


def standard_batch_size(prescribed: int | None, count: int, batch_size: int | None) -> int:
    """Tell how many examples run at a time, for ``count`` of them.

    ``prescribed`` is how many a model takes at a time, if it takes no other number.
    """
    if prescribed and batch_size not in (None, prescribed):
        raise ValueError(f"batch_size: the model prescribes {prescribed}, got {batch_size}")
    if prescribed and count % prescribed:
        raise ValueError(
            f"inputs: the model takes batches of exactly {prescribed} examples, got {count} "
            "examples"
        )
    return int(prescribed or batch_size or DEFAULT_BATCH_SIZE)


def expect_positive(argument: str, number: int | None) -> None:
    """Refuse what is neither None nor a positive whole number."""
    if number is not None:
        expect_whole(argument, number, 1)


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
