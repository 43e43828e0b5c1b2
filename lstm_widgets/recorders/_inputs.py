# Keras has no types, so what comes from it is Any.
# ruff: noqa: ANN401
"""What a model is given to read, brought into the form in which it takes it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from lstm_widgets.recorders._layers import Selection, load_keras

DEFAULT_BATCH_SIZE = 256


def standard_inputs(model: Any, inputs: Any) -> Any:
    """Turn inputs into arrays and tensors with a first axis, in the structure the model takes."""
    keras = load_keras()
    expected = getattr(model, "inputs", None) or []
    arrays = (np.ndarray, keras.KerasTensor)

    def is_array(value: Any) -> bool:
        return isinstance(value, arrays) or keras.ops.is_tensor(value)

    several = isinstance(inputs, Mapping) or (
        isinstance(inputs, (list, tuple))
        and (len(expected) > 1 or (len(inputs) > 0 and all(map(is_array, inputs))))
    )
    if several and len(expected) == 1 and not isinstance(inputs, Mapping) and len(inputs) != 1:
        several = False  # examples in a list, for a model with one input
    if isinstance(inputs, Mapping):
        inputs = {key: _standard_inputs_leaf(f"inputs[{key!r}]", v) for key, v in inputs.items()}
    elif several:
        inputs = [_standard_inputs_leaf(f"inputs[{k}]", v) for k, v in enumerate(inputs)]
        if len(expected) == len(inputs) == 1:
            inputs = inputs[0]
    else:
        inputs = _standard_inputs_leaf("inputs", inputs)
    if expected and not any(tensor.dtype == "string" for tensor in expected):
        _expect_numbers(inputs)
    return inputs


def _expect_numbers(inputs: Any) -> None:
    for value in leaves(inputs):
        name = str(getattr(value.dtype, "name", value.dtype))
        if name.startswith(("str", "bytes")):
            raise TypeError(
                "inputs: expected numbers (or a text as a str, or a list of its tokens), got an "
                f"array of str of shape {tuple(value.shape)}"
            )


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
                f"got {tuple(value.shape)}"
            )


def _standard_inputs_leaf(where: str, value: Any) -> Any:
    if not hasattr(value, "shape") or not hasattr(value, "dtype"):
        try:
            value = np.asarray(value)
        except ValueError as error:
            raise ValueError(f"{where}: expected sequences of one length, got {error}") from error
    if type(value).__name__ in ("RaggedTensor", "SparseTensor"):
        raise ValueError(
            f"{where}: expected sequences of one length, filled up with padding, got a "
            f"{type(value).__name__}"
        )
    if value.dtype == object:
        raise TypeError(f"{where}: expected numbers, got an array of objects")
    if len(value.shape) < 1:
        raise ValueError(f"{where}: expected an array of examples, got the scalar {value!r}")
    return value


def fits(shape: tuple[int, ...], expected: tuple[int | None, ...]) -> bool:
    """Whether an array of examples has a shape that a model takes."""
    # Like Keras, don't insist on a last axis of length 1.
    if len(shape) == len(expected) + 1 and shape[-1] == 1:
        shape = shape[:-1]
    if len(expected) == len(shape) + 1 and expected[-1] == 1:
        expected = expected[:-1]
    return len(shape) == len(expected) and all(
        e is None or n == e for n, e in zip(shape[1:], expected[1:], strict=True)
    )


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
        one.layer._expected_batch_size  # noqa: SLF001
        for one in selection.found
        if one.layer.stateful and one.layer._expected_batch_size  # noqa: SLF001
    ] + [t.shape[0] for t in getattr(model, "inputs", None) or [] if t.shape[0]]
    return int(fixed[0]) if fixed else None


def expect_positive(argument: str, number: int | None) -> None:
    """Refuse what is neither None nor a positive whole number."""
    if number is None:
        return
    if isinstance(number, bool) or not isinstance(number, (int, np.integer)) or number < 1:
        raise ValueError(f"{argument}: expected a positive whole number, got {number!r}")


def standard_tokens(tokens: Any, count: int) -> Any:
    """Check everything about tokens that doesn't depend on a layer's number of timesteps."""
    if isinstance(tokens, Mapping):
        return {
            name: _token_rows(f"tokens[{name!r}]", rows, count) for name, rows in tokens.items()
        }
    return _token_rows("tokens", tokens, count)


def _token_rows(where: str, rows: Any, count: int) -> list[list[str]]:
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
