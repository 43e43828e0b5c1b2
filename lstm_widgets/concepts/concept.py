"""What a concept is, and how to make one of a function, an array or a pattern."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Literal, Protocol, TypeAlias

import numpy as np
import numpy.typing as npt
import xarray as xr

from lstm_widgets.checks import is_whole
from lstm_widgets.concepts.example import Example, Track, marked

Kind: TypeAlias = Literal["yes_no", "numeric"]
Scope: TypeAlias = Literal["line", "paragraph", "document"]
TrackFunction: TypeAlias = Callable[[Sequence[str]], npt.ArrayLike]


@dataclass(frozen=True)
class Concept:
    """A property of each timestep that cells are compared with.

    Call it with the tokens of one example: it returns a bool for each timestep, or a float64 with NaN
    where it has no value. ``a & b``, ``a | b`` and ``~a`` combine those of kind ``"yes_no"``.

    Parameters
    ----------
    name : str
        Its name in tables and on the screen.
    kind : {"yes_no", "numeric"}
        Whether it returns bools or numbers.
    function : callable
        From an :class:`.Example` to one value for each of its timesteps.
    description : str
        Its meaning, in one sentence.
    scoped : callable, optional
        For marks that come in pairs: the same function of an example and of the scope in which
        partners are looked for, see :meth:`within`.
    """

    name: str
    kind: Kind
    function: Callable[[Example], npt.ArrayLike] = field(repr=False)
    description: str = ""
    scoped: Callable[[Example, Scope], npt.ArrayLike] | None = field(default=None, repr=False)

    def __call__(self, tokens: Sequence[str]) -> Track:
        """Say it of each token of one example.

        Parameters
        ----------
        tokens : sequence of str
            The tokens; of a text also one string, whose characters are the tokens.

        Returns
        -------
        bool or float64 array (timestep,)
            NaN where there is no value.
        """
        return self.of_example(Example(len(tokens), tuple(tokens)))

    def of_example(self, example: Example) -> Track:
        """Evaluate it at each timestep of an example, and check what the function returned."""
        where = f"concept {self.name!r}"
        values = np.asarray(self.function(example))
        if values.shape != (example.count,):
            raise ValueError(
                f"{where}: expected one value for each of {example.count} timesteps, got shape "
                f"{values.shape}"
            )
        if values.dtype.kind not in "biuf" and values.size:
            raise TypeError(f"{where}: expected bools or numbers, got dtype {values.dtype}")
        if self.kind == "numeric":
            return values.astype(np.float64)
        if not np.isin(values, (0, 1)).all():
            raise ValueError(
                f"{where}: expected True or False, got {values[~np.isin(values, (0, 1))][0]}; "
                f"for numbers pass kind='numeric'"
            )
        return values.astype(bool)

    def within(self, scope: Scope) -> Concept:
        r"""Set where the partner of a mark is looked for, of a concept about pairs of marks.

        Parameters
        ----------
        scope : {"line", "paragraph", "document"}
            ``"line"``, ``"paragraph"`` (up to an empty line) or ``"document"`` (the whole example).
            By default quotation marks and brackets look in their paragraph, markup and comments in
            the whole document. A mark without a partner there is ignored.

        Raises
        ------
        TypeError
            If the concept isn't about pairs of marks.
        ValueError
            If the scope is none of these.

        Examples
        --------
        >>> import lstm_widgets as lw
        >>> depth = lw.concepts.bracket_depth.within("document")
        >>> depth("{\n\n}").tolist()
        [1.0, 1.0, 1.0, 0.0]
        """
        scoped = self.scoped
        if scoped is None:
            raise TypeError(
                f"within: expected a concept about pairs of marks, such as inside_brackets or "
                f"inside_tag, got {self.name!r}"
            )
        if scope not in ("line", "paragraph", "document"):
            raise ValueError(f"scope: expected 'line', 'paragraph' or 'document', got {scope!r}")
        return replace(
            self,
            name=f"{_enclosed(self.name)}.within({scope!r})",
            function=lambda example: scoped(example, scope),
        )

    def shift(self, steps: int) -> Concept:
        """Shift it in time: the new concept has at timestep t + steps the value of this one at t.

        Parameters
        ----------
        steps : int
            Positive: later, so that it tells the past; negative: earlier, so that it tells the future.
            Where that is beyond the example, it is False or NaN.
        """

        def shifted(example: Example) -> Track:
            values = self.of_example(example)
            result = np.full_like(values, False if self.kind == "yes_no" else np.nan)
            if steps >= 0:
                result[steps:] = values[: max(len(values) - steps, 0)]
            else:
                result[:steps] = values[-steps:]
            return result

        if not is_whole(steps):
            raise TypeError(f"steps: expected a whole number, got {steps!r}")
        return Concept(f"{_enclosed(self.name)}.shift({steps})", self.kind, shifted)

    def __and__(self, other: Concept) -> Concept:
        return self._with(other, "&", np.logical_and)

    def __or__(self, other: Concept) -> Concept:
        return self._with(other, "|", np.logical_or)

    def __invert__(self) -> Concept:
        _expect_yes_no("~", self)
        return Concept(
            f"~{_enclosed(self.name)}", "yes_no", lambda example: ~self.of_example(example)
        )

    def _with(self, other: Concept, sign: str, function: Callable[..., Any]) -> Concept:
        if not isinstance(other, Concept):
            return NotImplemented
        _expect_yes_no(sign, self, other)
        return Concept(
            f"{_enclosed(self.name)} {sign} {_enclosed(other.name)}",
            "yes_no",
            lambda example: function(self.of_example(example), other.of_example(example)),
        )


class Table(Protocol):
    """A Series or a DataFrame of pandas."""

    @property
    def index(self) -> Any:  # noqa: ANN401 - pandas has no types here
        """The times of its values."""


Concepts: TypeAlias = (
    Concept
    | Sequence[Concept]
    | Table
    | Mapping[Any, Concept | TrackFunction | str | npt.NDArray[Any] | xr.DataArray | Table]
)
"""Concepts as they are given: one, several, or a mapping from names to concepts, functions from
tokens to an array, regular expressions, arrays ``(example, timestep)`` or tables of pandas."""


def _enclosed(name: str) -> str:
    """Put brackets around a name that has spaces outside of brackets."""
    depth = np.cumsum([(character == "(") - (character == ")") for character in name])
    spaces = any(character == " " for character, k in zip(name, depth, strict=True) if k <= 0)
    return f"({name})" if spaces else name


def _expect_yes_no(sign: str, *concepts: Concept) -> None:
    for concept in concepts:
        if concept.kind != "yes_no":
            raise TypeError(f"{sign}: expected yes/no concepts, got the numeric {concept.name!r}")


def ready(kind: Kind) -> Callable[[Callable[[Example], npt.ArrayLike]], Concept]:
    """Make a concept of a function, with its name and the first sentence of its docstring."""

    def concept(function: Callable[[Example], npt.ArrayLike]) -> Concept:
        description = " ".join((function.__doc__ or "").split("\n\n")[0].split())
        return Concept(function.__name__, kind, function, description)

    return concept


# Your own -----------------------------------------------------------------------------------------


def of(function: TrackFunction, *, name: str | None = None, kind: Kind = "yes_no") -> Concept:
    """Make a concept of a function.

    Parameters
    ----------
    function : callable
        From the tokens of one example (a tuple of str) to one value for each.
    name : str, optional
        Its name. Default: the function's name.
    kind : {"yes_no", "numeric"}, default "yes_no"
        ``"yes_no"`` for bools, ``"numeric"`` for numbers (NaN: no value).

    Examples
    --------
    >>> longer = lw.concepts.of(lambda tokens: [len(t) > 2 for t in tokens], name="long")
    >>> longer(["a", "tree"])
    array([False,  True])
    """
    if not callable(function):
        raise TypeError(f"function: expected a function of tokens, got {function!r:.80}")
    if kind not in ("yes_no", "numeric"):
        raise ValueError(f"kind: expected 'yes_no' or 'numeric', got {kind!r}")
    called = name or str(getattr(function, "__name__", repr(function)))
    return Concept(called, kind, lambda example: function(example.tokens))


def track(array: npt.ArrayLike, *, name: str = "track") -> Concept:
    """Make a concept of an array.

    Parameters
    ----------
    array : array (example, timestep)
        Bools, or numbers (NaN: no value), with the timesteps of the recording, padding included, or
        with all that were read, if not all were recorded; ``(timestep,)`` for a recording of one
        example. A track from :func:`tracks` keeps its kind.
    name : str, default "track"
        Its name.

    Examples
    --------
    >>> lw.concepts.track([[True, False]], name="known").kind
    'yes_no'
    """
    values = np.atleast_2d(np.asarray(array))
    if values.ndim != 2 or values.dtype.kind not in "biuf":
        raise TypeError(
            f"array: expected bools or numbers (example, timestep), got {values.dtype} of shape "
            f"{values.shape}"
        )
    kind = kind_of(values)
    if isinstance(array, xr.DataArray) and array.attrs.get("kind") == "yes_no":
        kind = "yes_no"

    def row(example: Example) -> Track:
        examples = 1 if example.examples is None else example.examples
        width = example.count if example.width is None else example.width
        at = example.positions
        if at is not None and values.shape[1] > width and values.shape[0] == examples:
            # It says it of all timesteps that were read, of which this layer has some.
            return np.asarray(values[example.number, at])
        if values.shape != (examples, width):
            raise ValueError(
                f"concept {name!r}: expected an array ({examples} examples, {width} timesteps), "
                f"got shape {values.shape}"
            )
        here: Track = values[example.number]
        return here if example.timesteps is None else here[example.timesteps]

    return Concept(name, kind, row)


def matches(pattern: str | re.Pattern[str], *, name: str | None = None) -> Concept:
    """Make the concept that the token is part of a match of a regular expression.

    Parameters
    ----------
    pattern : str or re.Pattern
        Searched for in the text of the example, its tokens joined.
    name : str, optional
        Its name. Default: the pattern.

    Raises
    ------
    ValueError
        If the pattern isn't a regular expression.

    Examples
    --------
    >>> lw.concepts.matches("[0-9]+")("ab12")
    array([False, False,  True,  True])
    """
    try:
        compiled = re.compile(pattern)
    except re.error as error:
        raise ValueError(f"pattern: expected a regular expression, got {pattern!r}: {error}") from (
            error
        )

    def found(example: Example) -> Track:
        return example.at_any(
            marked(example.text, (m.span() for m in compiled.finditer(example.text)))
        )

    return Concept(name or f"matches({compiled.pattern!r})", "yes_no", found)


def kind_of(array: npt.NDArray[Any]) -> Kind:
    """Tell whether an array says yes or no, or numbers."""
    return "yes_no" if array.dtype == bool else "numeric"
