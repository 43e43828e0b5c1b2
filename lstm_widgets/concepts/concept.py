"""What a concept is, and how to make one of a function, an array or a pattern."""

from __future__ import annotations

import re
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Literal, Protocol, TypeAlias

import numpy as np
import numpy.typing as npt
import xarray as xr

from lstm_widgets.checks import is_whole
from lstm_widgets.concepts.example import Example, Pair, Stretch, Track, shared

Kind: TypeAlias = Literal["yes_no", "numeric"]
Scope: TypeAlias = Literal["line", "paragraph", "document"]
TrackFunction: TypeAlias = Callable[[Sequence[str]], npt.ArrayLike]
#: From the stretches of an example, in order, to one value for each timestep of each.
Telling: TypeAlias = Callable[[Iterator[Stretch]], Iterable[npt.ArrayLike]]


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
        From the stretches of an example (:class:`.Stretch`), in order, to one array for each, with a
        value for each of its timesteps: a generator that keeps what it has to know of those before,
        so that a long text needn't be looked at as a whole. :func:`of` takes a function of tokens.
    description : str
        Its meaning, in one sentence.
    scoped : callable, optional
        For marks that come in pairs: the same function of stretches and of the scope in which
        partners are looked for, see :meth:`within`.
    """

    name: str
    kind: Kind
    function: Telling = field(repr=False)
    description: str = ""
    scoped: Callable[[Iterator[Stretch], Scope], Iterable[npt.ArrayLike]] | None = field(
        default=None, repr=False
    )

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
        return np.concatenate([*self.say(Example.of(tokens).stretches())])

    def say(self, stretches: Iterable[Stretch]) -> Iterator[Track]:
        """Say it of each timestep of an example, a stretch at a time.

        Parameters
        ----------
        stretches : iterable of Stretch
            All stretches of the example, in order.

        Yields
        ------
        bool or float64 array (timestep,)
            For each stretch, what it says of its timesteps; NaN where there is no value.
        """
        counts: deque[int] = deque()
        for values in self.function(
            _noted(stretches, lambda stretch: counts.append(stretch.count))
        ):
            yield self.checked(np.asarray(values), counts.popleft())

    def checked(self, values: npt.NDArray[Any], count: int) -> Track:
        """Check what a function returned for so many timesteps, and bring it into one form."""
        where = f"concept {self.name!r}"
        if values.shape != (count,):
            raise ValueError(
                f"{where}: expected one value for each of {count} timesteps, got shape {values.shape}"
            )
        if values.dtype.kind not in "biuf" and values.size:
            raise TypeError(f"{where}: expected bools or numbers, got dtype {values.dtype}")
        if self.kind == "numeric":
            return values.astype(np.float64, copy=False)
        if values.dtype != np.bool_ and not np.isin(values, (0, 1)).all():
            raise ValueError(
                f"{where}: expected True or False, got {values[~np.isin(values, (0, 1))][0]}; "
                f"for numbers pass kind='numeric'"
            )
        return values.astype(np.bool_, copy=False)

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
            function=lambda stretches: scoped(stretches, scope),
        )

    def shift(self, steps: int) -> Concept:
        """Shift it in time: the new concept has at timestep t + steps the value of this one at t.

        Parameters
        ----------
        steps : int
            Positive: later, so that it tells the past; negative: earlier, so that it tells the future.
            Where that is beyond the example, it is False or NaN.
        """
        none = np.zeros(1, np.bool_) if self.kind == "yes_no" else np.full(1, np.nan)

        def shifted(stretches: Iterator[Stretch]) -> Iterator[Track]:
            seen: deque[tuple[int, int]] = deque()
            held: Track | None = None
            ahead = 0
            noted = _noted(stretches, lambda each: seen.append((each.count, each.example.count)))
            for values in self.say(noted):
                if held is None:
                    by = min(abs(int(steps)), seen[0][1])
                    held, ahead = none.repeat(by if steps > 0 else 0), by if steps < 0 else 0
                held = np.concatenate([held, values])
                while seen and len(held) >= ahead + seen[0][0]:
                    count = seen.popleft()[0]
                    yield held[ahead : ahead + count]
                    held = held[count:]
            rest = none[:0] if held is None else np.concatenate([held[ahead:], none.repeat(ahead)])
            for count, _ in seen:
                yield rest[:count]
                rest = rest[count:]

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
            f"~{_enclosed(self.name)}",
            "yes_no",
            lambda stretches: (~values for values in self.say(stretches)),
        )

    def _with(self, other: Concept, sign: str, function: Callable[..., Any]) -> Concept:
        if not isinstance(other, Concept):
            return NotImplemented
        _expect_yes_no(sign, self, other)

        def both(stretches: Iterator[Stretch]) -> Iterator[Track]:
            here, there = shared(stretches, 2)
            return map(function, self.say(here), other.say(there))

        return Concept(f"{_enclosed(self.name)} {sign} {_enclosed(other.name)}", "yes_no", both)


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


def ready(kind: Kind) -> Callable[[Callable[[Stretch], npt.ArrayLike]], Concept]:
    """Make a concept of a function of a stretch, with its name and its docstring's first sentence.

    For what a token says, whatever stands beside it.
    """

    def concept(function: Callable[[Stretch], npt.ArrayLike]) -> Concept:
        return Concept(
            function.__name__, kind, lambda stretches: map(function, stretches), described(function)
        )

    return concept


def carried(kind: Kind) -> Callable[[Telling], Concept]:
    """Make a concept of a function of all stretches."""

    def concept(function: Telling) -> Concept:
        return Concept(function.__name__, kind, function, described(function))

    return concept


def of_characters(
    kind: Kind, at: Callable[[Stretch, Track], Track]
) -> Callable[[Callable[[Iterator[Stretch]], Iterator[Track]]], Concept]:
    """Make one of a function from stretches to one array for each, of its characters.

    Parameters
    ----------
    kind : {"yes_no", "numeric"}
        Whether it returns bools or numbers.
    at : callable
        How the values of characters become those of tokens, as ``Stretch.at_last``.
    """

    def concept(function: Callable[[Iterator[Stretch]], Iterator[Track]]) -> Concept:
        return Concept(
            function.__name__,
            kind,
            lambda stretches: of_tokens(stretches, function, at),
            described(function),
        )

    return concept


def of_tokens(
    stretches: Iterator[Stretch],
    function: Callable[[Iterator[Stretch]], Iterator[Track]],
    at: Callable[[Stretch, Track], Track],
) -> Iterator[Track]:
    """Turn what a function says of the characters of stretches into what it says of their tokens."""
    seen: deque[Stretch] = deque()
    before = None
    for values in function(_noted(stretches, seen.append)):
        stretch = seen.popleft()
        if before is None:
            before = np.zeros(1, np.bool_) if values.dtype == np.bool_ else np.full(1, np.nan)
        known = np.concatenate([before, values])
        yield at(stretch, known)
        before = known[-1:]


def _noted(stretches: Iterable[Stretch], note: Callable[[Stretch], object]) -> Iterator[Stretch]:
    """Pass stretches on, and note each that was taken: what becomes of it may come later."""
    for stretch in stretches:
        note(stretch)
        yield stretch


def described(function: Callable[..., Any]) -> str:
    """Give the first sentence of a docstring."""
    return " ".join((function.__doc__ or "").split("\n\n")[0].split())


def marked(
    stretches: Iterable[Stretch], find: Callable[[Example], Iterable[Pair]]
) -> Iterator[npt.NDArray[np.bool_]]:
    """Mark the characters of stretches between start and end of each span.

    Parameters
    ----------
    stretches : iterable of Stretch
        All of an example.
    find : callable
        From the example to its spans, one after the other: they are looked for when they are needed.
    """
    spans: Iterator[Pair] | None = None
    span: Pair | None = (0, 0)
    for stretch in stretches:
        if spans is None:
            spans = iter(find(stretch.example))
        begin, end = stretch.span
        inside = np.zeros(end - begin, np.bool_)
        while span is not None and span[0] < end:
            inside[max(0, span[0] - begin) : max(0, span[1] - begin)] = True
            if span[1] > end:
                break
            span = next(spans, None)
        yield inside


# Your own -----------------------------------------------------------------------------------------


def of(function: TrackFunction, *, name: str | None = None, kind: Kind = "yes_no") -> Concept:
    """Make a concept of a function.

    Parameters
    ----------
    function : callable
        From the tokens of one example (a tuple of str) to one value for each. It is called once, with
        all of them: of a long example, this takes the room of as many pointers.
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

    def told(stretches: Iterator[Stretch]) -> Iterator[Track]:
        values: Track | None = None
        for stretch in stretches:
            if values is None:
                example = stretch.example
                values = concept.checked(np.asarray(function(example.tokens)), example.count)
            yield values[stretch.first : stretch.first + stretch.count]

    concept = Concept(called, kind, told)
    return concept


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
    # What is long may not be in memory, and needn't be.
    lazy = isinstance(array, xr.DataArray) and array.ndim == 2
    values: Any = array if lazy else np.atleast_2d(np.asarray(array))
    if values.ndim != 2 or values.dtype.kind not in "biuf":
        raise TypeError(
            f"array: expected bools or numbers (example, timestep), got {values.dtype} of shape "
            f"{values.shape}"
        )
    kind = kind_of(values)
    if isinstance(array, xr.DataArray) and array.attrs.get("kind") == "yes_no":
        kind = "yes_no"

    def row(stretch: Stretch) -> Track:
        example = stretch.example
        examples = 1 if example.examples is None else example.examples
        at = stretch.positions
        if at is not None and values.shape[1] > example.width and values.shape[0] == examples:
            # It says it of all timesteps that were read, of which this layer has some.
            return _at(values, example.number, at)
        if values.shape != (examples, example.width):
            raise ValueError(
                f"concept {name!r}: expected an array ({examples} examples, {example.width} "
                f"timesteps), got shape {values.shape}"
            )
        return _at(values, example.number, stretch.timesteps)

    return Concept(name, kind, lambda stretches: map(row, stretches))


def _at(values: Any, example: int, timesteps: npt.NDArray[np.integer[Any]]) -> Track:  # noqa: ANN401
    """Read some timesteps, in order, of an array that may not be in memory."""
    first, stop = (int(timesteps[0]), int(timesteps[-1]) + 1) if len(timesteps) else (0, 0)
    here = np.asarray(values[example, first:stop])
    return np.asarray(here[timesteps - first])


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

    def found(stretches: Iterator[Stretch]) -> Iterator[Track]:
        def spans(example: Example) -> Iterator[Pair]:
            return (match.span() for match in compiled.finditer(example.text))

        return of_tokens(stretches, lambda ours: marked(ours, spans), Stretch.at_any)

    return Concept(name or f"matches({compiled.pattern!r})", "yes_no", found)


def kind_of(array: Any) -> Kind:  # noqa: ANN401 - of NumPy or xarray
    """Tell whether an array says yes or no, or numbers."""
    return "yes_no" if array.dtype == bool else "numeric"
