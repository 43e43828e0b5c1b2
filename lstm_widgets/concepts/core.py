"""Concepts and the tracks they make: what a concept is, and one of a function, an array, a pattern."""

# ruff: noqa: ANN401

from __future__ import annotations

import functools
import itertools
import re
import unicodedata
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any, Literal, TypeAlias, cast

import numpy as np
import numpy.typing as npt
import xarray as xr

from lstm_widgets.checks import is_whole
from lstm_widgets.recording.masks import mask_of
from lstm_widgets.tokens.words import UNSPACED, Piece, Spelling, spelling_of

if TYPE_CHECKING:
    from lstm_widgets.recording import Recording

Kind: TypeAlias = Literal["yes_no", "numeric"]
Scope: TypeAlias = Literal["line", "paragraph", "document"]
Track: TypeAlias = npt.NDArray[Any]
TrackFunction: TypeAlias = Callable[[Sequence[str]], npt.ArrayLike]


@dataclass(frozen=True, eq=False)
class Example:
    """One example, as a concept sees it: without its padding.

    Parameters
    ----------
    count : int
        How many timesteps it has.
    given : tuple of str, optional
        Its tokens, or None if they aren't known.
    number : int
        Its index in the recording.
    timesteps : int array (count,), optional
        The timesteps of the recording that are left without the padding, ``(count,)``.
    examples : int, optional
        How many examples the recording has, or None where that isn't known.
    width : int, optional
        How many timesteps the recording has, padding included.
    spelling : Spelling, optional
        How the tokens spell a text, or None where only these tokens tell.
    """

    count: int
    given: tuple[str, ...] | None
    number: int = 0
    timesteps: npt.NDArray[np.intp] | None = None
    examples: int | None = None
    width: int | None = None
    spelling: Spelling | None = None

    @property
    def tokens(self) -> tuple[str, ...]:
        """The tokens, where they are known."""
        if self.given is None:
            raise ValueError("concepts: this one needs tokens, and the recording has none")
        return self.given

    @functools.cached_property
    def _spelled(self) -> Spelling:
        return Spelling.of(self.tokens) if self.spelling is None else self.spelling

    @functools.cached_property
    def pieces(self) -> list[Piece]:
        """What each token adds to the text."""
        return self._spelled.pieces(self.tokens)

    @functools.cached_property
    def said(self) -> list[str]:
        """What each token says in the text, without the marks of its tokenizer or spaces around."""
        return [text.strip() or text for _, text, _ in self.pieces]

    @functools.cached_property
    def text(self) -> str:
        """The tokens, joined."""
        return "".join(before + text for before, text, _ in self.pieces)

    @functools.cached_property
    def ends(self) -> npt.NDArray[np.intp]:
        """The place in the text after each token."""
        sizes = [len(before) + len(text) for before, text, _ in self.pieces]
        return np.cumsum(sizes, dtype=np.intp)

    @functools.cached_property
    def _starts(self) -> npt.NDArray[np.intp]:
        """The place in the text of the first character of each token."""
        return self.ends - np.array([len(text) for _, text, _ in self.pieces], np.intp)

    @functools.cached_property
    def words(self) -> list[tuple[int, int]]:
        """Where the words of the text begin and end.

        Letters, digits and underscores with their accents, and apostrophes between them. Characters
        of scripts without spaces make no words, unless the tokens are words.
        """
        text = self.text
        apart = self._spelled.apart
        kinds = {ord(character): _kind_of(character, apart=apart) for character in set(text)}
        found = [match.span() for match in _WORD.finditer(text.translate(kinds))]
        if not apart:
            return found
        # Between tokens of such a script stands no space.
        begins = {int(k) for k, piece in zip(self._starts, self.pieces, strict=True) if piece.new}
        words: list[tuple[int, int]] = []
        for start, stop in found:
            cuts = [start, *(k for k in range(start + 1, stop) if k in begins), stop]
            words += itertools.pairwise(cuts)
        return words

    def at_last(self, values: Track) -> Track:
        """From one value a character to one a token: that of its last character."""
        return _taken(values, self.ends)

    def at_last_seen(self, values: Track) -> Track:
        """Take it of the last character of a token that is no white space."""
        trailing = [
            len(text.rstrip()) - len(text) if text.strip() else 0 for _, text, _ in self.pieces
        ]
        return _taken(values, self.ends + np.array(trailing, np.intp))

    def at_any(self, values: npt.NDArray[np.bool_]) -> npt.NDArray[np.bool_]:
        """From one value a character to one a token: whether any of its characters has it."""
        so_far = np.append(0, np.cumsum(values))
        return np.asarray(so_far[self.ends] > so_far[self._starts])


# From one place of a text to another.
Pair: TypeAlias = tuple[int, int]

_UNSPACED = re.compile(f"[{UNSPACED}]")
# Letters w, marks on them m, apostrophes ', others x.
_WORD = re.compile("w[wm]*+(?:'w[wm]*+)*+")


def _kind_of(character: str, *, apart: bool) -> str:
    if character in "'’":
        return "'"
    if not apart and _UNSPACED.match(character):
        return "x"
    if character.isalnum() or character == "_":
        return "w"
    joiner = character in "\u200c\u200d\u00ad"
    return "m" if joiner or unicodedata.category(character)[0] == "M" else "x"


def _taken(values: Track, ends: npt.NDArray[np.intp]) -> Track:
    """Give the values before some places; none before the first."""
    fill = False if values.dtype == bool else np.nan
    return np.append(values, fill)[np.where(ends > 0, ends - 1, len(values))]


@dataclass(frozen=True)
class Concept:
    """A property of each timestep that cells are held against.

    Call it with the tokens of one example: a bool for each timestep, or a float64 with NaN where it
    has no value. ``a & b``, ``a | b`` and ``~a`` combine those of kind ``"yes_no"``.

    Parameters
    ----------
    name : str
        What it is called in tables and on the screen.
    kind : {"yes_no", "numeric"}
        ``"yes_no"`` or ``"numeric"``.
    function : callable
        From an :class:`Example` to one value for each of its timesteps.
    description : str
        What it means, in one sentence.
    scoped : callable, optional
        The same function for marks that stand in pairs, of an example and of where a partner counts.
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
        """Say it of each timestep of an example, and check what the function gave."""
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
                f"for numbers say kind='numeric'"
            )
        return values.astype(bool)

    def within(self, scope: Scope) -> Concept:
        r"""Say how far from a mark its partner may be, of a concept that is about pairs of marks.

        Parameters
        ----------
        scope : {"line", "paragraph", "document"}
            ``"line"``, ``"paragraph"`` (up to an empty line) or ``"document"`` (all of the example).
            Quotation marks and brackets look in their paragraph unless told otherwise, markup and
            comments in the whole document. A mark without a partner there marks nothing.

        Raises
        ------
        TypeError
            If it is not about pairs of marks.
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
        """Say at timestep t + steps what this says at t.

        Parameters
        ----------
        steps : int
            Positive: later, so that it tells what was; negative: earlier, what will be. Never
            beyond the example: where there is nothing to say it is False or NaN.
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


Concepts: TypeAlias = (
    Concept
    | Sequence[Concept]
    | Mapping[Any, Concept | TrackFunction | str | npt.NDArray[Any] | xr.DataArray]
)
"""Concepts as they are given: one, several, or a mapping from names to concepts, functions from
tokens to an array, regular expressions, or arrays ``(example, timestep)``."""


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
        What it is called. Default: the function's name.
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
        Bools, or numbers (NaN: no value), ``(example, timestep)`` with the timesteps of the
        recording, padding included; or ``(timestep,)`` for a recording of one example. What one
        track of :func:`tracks` is keeps its kind.
    name : str, default "track"
        What it is called.

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
        if values.shape != (examples, width):
            raise ValueError(
                f"concept {name!r}: expected an array ({examples} examples, {width} timesteps), "
                f"got shape {values.shape}"
            )
        here: Track = values[example.number]
        return here if example.timesteps is None else here[example.timesteps]

    return Concept(name, kind, row)


def matches(pattern: str | re.Pattern[str], *, name: str | None = None) -> Concept:
    """Make the concept: the token is part of a match of a regular expression.

    Parameters
    ----------
    pattern : str or re.Pattern
        Searched in the text that the tokens of an example make.
    name : str, optional
        What it is called. Default: the pattern.

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


def marked(text: str, spans: Iterable[tuple[int, int]]) -> npt.NDArray[np.bool_]:
    """Mark the characters between start and end of each span."""
    inside = np.zeros(len(text), bool)
    for start, stop in spans:
        inside[start:stop] = True
    return inside


def kind_of(array: npt.NDArray[Any]) -> Kind:
    """Tell whether an array says yes or no, or numbers."""
    return "yes_no" if array.dtype == bool else "numeric"


# All of a recording -------------------------------------------------------------------------------


def tracks(recording: Recording, concepts: Concepts, *, layer: str | None = None) -> xr.Dataset:
    """Say concepts of every timestep of a recording.

    Parameters
    ----------
    recording : Recording
        Whose tokens and padding.
    concepts : Concept, sequence of Concept, or mapping
        A concept, several, or a mapping from names to concepts, functions from the tokens of one
        example to an array, regular expressions, or arrays ``(example, timestep)``.
    layer : str, optional
        Whose timesteps. Default: the first layer's.

    Returns
    -------
    xarray.Dataset
        One float64 variable ``(example, timestep)`` a concept, in the order given: 1 or 0, or a
        number; NaN at padding and where a numeric concept has no value. ``attrs["kind"]`` is
        ``"yes_no"`` or ``"numeric"``.

    Raises
    ------
    TypeError
        If something is no concept, or a function gives what is neither bool nor number.
    ValueError
        If two have one name, something has the wrong shape, or tokens are needed and unknown.

    Examples
    --------
    >>> found = lw.concepts.tracks(recording, {"quote": lw.concepts.inside_double_quotes, "e": "e"})
    >>> {name: int(track.sum()) for name, track in found.items()}
    {'quote': 200, 'e': 80}
    """
    examples, shape = _examples(recording, layer)
    variables = {}
    for concept in resolve(concepts, examples[0] if examples else None):
        if concept.name in ("example", "timestep"):
            raise ValueError(f"concepts: none can be called {concept.name!r}, as an axis is")
        if concept.name in variables:
            raise ValueError(f"concepts: expected different names, got {concept.name!r} twice")
        values = np.full(shape, np.nan)
        for example in examples:
            values[example.number, example.timesteps] = concept.of_example(example)
        attrs = {"kind": concept.kind, "description": concept.description}
        variables[concept.name] = (("example", "timestep"), values, attrs)
    coords = {"example": np.arange(shape[0]), "timestep": np.arange(shape[1])}
    return xr.Dataset(variables, coords)


def resolve(concepts: Concepts, example: Example | None = None) -> list[Concept]:
    """Turn concepts as they are given into a list of them.

    Parameters
    ----------
    concepts : Concept, sequence of Concept, or mapping
        As in :func:`tracks`.
    example : Example, optional
        On which plain functions are tried, to see whether they give bools or numbers.

    Examples
    --------
    >>> [concept.name for concept in lw.concepts.resolve({"vowels": lw.concepts.vowel, "e": "e"})]
    ['vowels', 'e']
    """
    if isinstance(concepts, Concept):
        return [concepts]
    if isinstance(concepts, Mapping):
        return [_named(str(name), given, example) for name, given in concepts.items()]
    if isinstance(concepts, str) or not isinstance(concepts, Sequence):
        raise TypeError(
            f"concepts: expected a concept, several, or a mapping, got {concepts!r:.80}"
        )
    for concept in concepts:
        if not isinstance(concept, Concept):
            raise TypeError(
                f"concepts: expected concepts, got {concept!r:.80}; functions, regular expressions "
                f"and arrays need a name: {{'name': ...}}"
            )
    return list(concepts)


def _named(name: str, given: Any, example: Example | None) -> Concept:
    if isinstance(given, Concept):
        return replace(given, name=name)
    if isinstance(given, (str, re.Pattern)):
        return matches(given, name=name)
    if callable(given):
        function = cast("TrackFunction", given)
        tried = np.zeros(0, bool) if example is None else np.asarray(function(example.tokens))
        return of(function, name=name, kind=kind_of(tried))
    if isinstance(given, (np.ndarray, xr.DataArray, list, tuple)):
        return track(given, name=name)
    raise TypeError(
        f"concepts[{name!r}]: expected a concept, a function, a regular expression or an array, "
        f"got {given!r:.80}"
    )


def _examples(recording: Recording, layer: str | None) -> tuple[list[Example], tuple[int, int]]:
    """All examples of a layer, and its number of examples and timesteps."""
    dataset = recording[recording.layers[0] if layer is None else layer]
    count, width = dataset.sizes["example"], dataset.sizes["timestep"]
    mask = mask_of(dataset)
    tokens = np.asarray(dataset["token"]) if "token" in dataset.coords else None
    spelling = spelling_of(dataset)
    examples = []
    for k in range(count):
        timesteps = np.flatnonzero(mask[k])
        given = None if tokens is None else tuple(map(str, tokens[k, timesteps]))
        examples.append(Example(len(timesteps), given, k, timesteps, count, width, spelling))
    return examples, (count, width)
