"""Concepts of whole examples: their label, their length, whether the model is right."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from lstm_widgets.concepts.concept import Concept, kind_of

if TYPE_CHECKING:
    from lstm_widgets.concepts.example import Stretch, Track


def label(values: npt.ArrayLike, *, name: str = "label") -> Concept:
    """Make a concept of a label of each example: it is the same at all timesteps of one.

    Parameters
    ----------
    values : array (example,)
        Bools or numbers. Of labels that are text: ``labels == "positive"``.
    name : str, default "label"
        Its name.

    Examples
    --------
    >>> positive = lw.concepts.label([True], name="positive")
    >>> positive("ab")
    array([ True,  True])
    """
    array = np.asarray(values)
    if array.ndim != 1 or array.dtype.kind not in "biuf":
        raise TypeError(
            f"values: expected bools or numbers (example,), got {array.dtype} of shape {array.shape}"
        )

    def constant(stretch: Stretch) -> Track:
        example = stretch.example
        expected = example.number + 1 if example.examples is None else example.examples
        if len(array) != expected and (example.examples is not None or len(array) < expected):
            raise ValueError(
                f"concept {name!r}: expected one value for each of {expected} examples, got "
                f"{len(array)}"
            )
        return np.full(stretch.count, array[example.number])

    return Concept(name, kind_of(array), lambda stretches: map(constant, stretches))


def correct(values: npt.ArrayLike, *, name: str = "correct") -> Concept:
    """Make the concept that the model's answer to the example is correct.

    Parameters
    ----------
    values : bool array (example,)
        Such as ``predicted == true``.
    name : str, default "correct"
        Its name.

    Examples
    --------
    >>> import numpy as np
    >>> predicted, true = np.array([1, 0]), np.array([1, 1])
    >>> lw.concepts.correct(predicted == true).kind
    'yes_no'
    """
    if np.asarray(values).dtype != bool:
        raise TypeError(f"values: expected bools, got {np.asarray(values).dtype}")
    return label(values, name=name)


def length() -> Concept:
    """Make the numeric concept of an example's length, in timesteps without padding.

    Examples
    --------
    >>> lw.concepts.length()("abc")
    array([3., 3., 3.])
    """
    return Concept(
        "length",
        "numeric",
        lambda stretches: (np.full(each.count, each.example.count) for each in stretches),
        "How many timesteps the example has.",
    )
