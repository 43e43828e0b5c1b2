"""Relevance as a page shows it: its examples, which of them and in which order, row by row.

js/src/data/examples.js does the same in the page for what is there whole; both are held against one
table, js/test/examples.json.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from functools import cached_property
from typing import Any, NamedTuple

import numpy as np
import xarray as xr
from numpy.typing import NDArray

from lstm_widgets.analysis.relevance import token_grid
from lstm_widgets.analysis.relevance_methods import UNSIGNED
from lstm_widgets.checks import is_whole
from lstm_widgets.models.inputs import standard_tokens
from lstm_widgets.tokens import wording
from lstm_widgets.tokens.wording import sendable
from lstm_widgets.tokens.words import Spelling
from lstm_widgets.views.times import shown_times

Floats = NDArray[np.float32]
Numbers = NDArray[np.int32]

SORTS = (
    *("index", "most_confident", "least_confident", "highest_score", "lowest_score"),
    *("longest", "shortest"),
)
OUTCOMES = ("all", "right", "wrong")


class Question(NamedTuple):
    """Which examples are wanted, in which order."""

    sort: str = "index"
    predicted: int | None = None
    outcome: str = "all"
    search: str = ""


class Examples:
    """
    The examples of a relevance dataset.

    Parameters
    ----------
    relevance : xarray.Dataset
        What `lstm_widgets.relevance` returns.
    tokens : sequence of sequences of str, optional
        What stands at each timestep, if the dataset doesn't tell.
    targets : sequence of int or str, optional
        The true class of each example, by number or name; a negative number where it is unknown.
    class_names : sequence of str or mapping of int to str, optional
        The classes' names.

    Raises
    ------
    TypeError, ValueError
        If an argument is none of these; the text names it.
    """

    def __init__(
        self,
        relevance: xr.Dataset,
        tokens: Sequence[Sequence[str]] | None = None,
        targets: Sequence[int] | Sequence[str] | None = None,
        class_names: Sequence[str] | Mapping[int, str] | None = None,
    ) -> None:
        _expect_relevance(relevance)
        self.dataset = relevance
        values = relevance["relevance"]
        self.methods = tuple(str(name) for name in values["method"].values)
        #: Of a series: the names of its channels, and their units.
        self.channels, self.units = _channels(values)
        planes = values.transpose("method", *values.dims[3:], "example", "timestep").values
        #: Relevance (method, channel, example, timestep); of tokens there is one channel.
        self.values: Floats = planes.reshape(
            len(self.methods), max(1, len(self.channels)), *values.shape[1:3]
        ).astype(np.float32, copy=False)
        self.count, self.timesteps = values.shape[1:3]
        self.times = shown_times(values) if self.channels else None
        #: The unit of scores.
        self.unit = str(relevance["score"].attrs.get("units", "")) if "score" in relevance else ""
        self.mask: NDArray[np.bool_] | None = None
        if "mask" in relevance:
            self.mask = relevance["mask"].values.astype(bool)
        #: Where relevance doesn't add up to the score: bool (method, example).
        self.doubtful: NDArray[np.bool_] = np.zeros((len(self.methods), self.count), bool)
        if "doubtful" in relevance:
            self.doubtful = relevance["doubtful"].values.astype(bool)
        self.score = _floats(relevance, "score", self.count)
        self.confidence = _floats(relevance, "confidence", self.count)
        self.names = _names(class_names)
        #: What the model's outputs are: "classes", "values" of a forecast, or "unknown".
        self.meaning = str(relevance.attrs.get("meaning", "classes"))
        self.target = _classes(relevance, "target", self.count)
        if relevance.attrs.get("outputs") == 1:
            # A single logit is that of class 1, and a single number that of nothing else.
            self.target[:] = 1 if self.meaning == "classes" else -1
        if self.meaning == "values" and targets is not None:
            raise ValueError(
                f"targets: expected None, because this relevance is of a forecast, which has no classes; "
                f"got {targets!r:.80}"
            )
        self.predicted = _classes(relevance, "predicted", self.count)
        self.true = _true(targets, self.count, self.names)
        self.knows_predicted = "predicted" in relevance
        self.knows_confidence = "confidence" in relevance
        self.knows_outcome = self.knows_predicted and bool((self.true >= 0).any())
        self.tokens: NDArray[np.object_] | None = None
        if tokens is not None:
            rows = standard_tokens(tokens, self.count)
            self.tokens = token_grid(rows, self.timesteps)
        elif "token" in relevance.coords:
            self.tokens = relevance["token"].values
        self.labels = _labels(relevance, series=bool(self.channels), timed=self.times is not None)
        self.attrs = relevance.attrs

    # -- what there is ---------------------------------------------------------------------------

    def class_name(self, number: int) -> str:
        """Give a class's name, or else its number; of what may be no class, that of the output."""
        plain = str(number) if self.meaning == "classes" else f"output {number}"
        return sendable(self.names.get(int(number), plain))

    @cached_property
    def largest(self) -> Floats:
        """The largest finite magnitude of each method: float32 (method,)."""
        finite = np.isfinite(self.values)
        largest: Floats = np.max(np.abs(self.values), axis=(1, 2, 3), initial=0, where=finite)
        return largest

    @cached_property
    def length(self) -> NDArray[np.int64]:
        """How many timesteps of each example are no padding."""
        every = np.full(self.count, self.timesteps, np.int64)
        return every if self.mask is None else every - (~self.mask).sum(axis=1)

    @cached_property
    def spelling(self) -> Spelling:
        """How the tokens spell a text; numbers of timesteps stand apart as words do."""
        if self.tokens is None:
            return Spelling("words")
        return Spelling.of(token for k in range(self.count) for token in self._text(k))

    @cached_property
    def _characters(self) -> NDArray[np.int64]:
        """How many characters each example takes on a line, and the room about its words."""
        apart = 0 if self.spelling.kind == "characters" else 2
        if self.tokens is None:
            return np.full(self.count, 4 * self.timesteps)  # their numbers
        rows = map(self._text, range(self.count))
        return np.array([sum(map(self._width, row)) + apart * len(row) for row in rows], np.int64)

    def _width(self, token: str) -> int:
        return len(self.spelling.text(token).strip() or token)

    @cached_property
    def right(self) -> NDArray[np.bool_]:
        """Whether each example is predicted as it truly is."""
        right: NDArray[np.bool_] = (self.predicted == self.true) & (self.true >= 0)
        return right

    @property
    def explained(self) -> str:
        """What the scores are of, in words."""
        if "cell" in self.attrs:
            signal = str(self.attrs["signal"]).replace("_", " ")
            return f"the {signal} of cell {self.attrs['cell']} of {self.attrs['layer']}"
        classes = self.meaning == "classes"
        if self.attrs.get("outputs") == 1 and not classes:
            return "the forecast"
        if (self.target == self.predicted).all():
            return "the class that the model predicts" if classes else "the highest output"
        if len(set(self.target.tolist())) == 1:
            return ("class " if classes else "") + self.class_name(self.target[0])
        if not classes:
            return "one output of each example"
        if (self.target == self.true).all():
            return "the true class"
        return "the class that was asked for"

    @property
    def score_name(self) -> str:
        """What a score is called."""
        return "forecast" if self.meaning == "values" else "score"

    @property
    def predicted_name(self) -> str:
        """What the predicted class is called; of outputs that may be none, the highest."""
        return "highest" if self.meaning == "unknown" and not self.names else "predicted"

    def last(self, example: int) -> int:
        """Give the last timestep of an example that isn't padding."""
        if self.mask is None or not self.mask[example].any():
            return max(0, self.timesteps - 1)
        return int(np.flatnonzero(self.mask[example])[-1])

    def when(self, example: int, timestep: int) -> str:
        """Tell a timestep in words, by its time if that is known."""
        return f"t={timestep}" if self.times is None else self.times.say(example, timestep)

    def channel(self, channel: int) -> str:
        """Give the name of a channel with its unit."""
        unit = self.units[channel]
        return sendable(f"{self.channels[channel]} ({unit})" if unit else self.channels[channel])

    def said(self, example: int) -> str:
        """Write the score of an example with its unit."""
        return sendable(f"{wording.number(float(self.score[example]))} {self.unit}".strip())

    def summary(self) -> dict[str, Any]:
        """Describe it to the page."""
        ids = sorted({*self.predicted.tolist(), *self.target.tolist(), *self.true.tolist()} - {-1})
        counts = Counter(self.predicted.tolist())
        return {
            "examples": self.count,
            "timesteps": self.timesteps,
            "methods": [
                {"name": name, "signed": name not in UNSIGNED, "largest": float(largest)}
                for name, largest in zip(self.methods, self.largest, strict=True)
            ],
            "explained": sendable(self.explained),
            "called": {"score": self.score_name, "predicted": self.predicted_name},
            "classes": [[k, self.class_name(k), counts[k]] for k in ids],
            "confidence": self.knows_confidence,
            "predicted": self.knows_predicted,
            "outcome": self.knows_outcome,
            "right": int(self.right.sum()),
            "known": int((self.true >= 0).sum()),
            "masked": self.mask is not None,
            "tokens": self.tokens is not None,
            "channels": [
                [sendable(name), sendable(unit)]
                for name, unit in zip(self.channels, self.units, strict=True)
            ],
            "times": self._described_times,
            "unit": sendable(self.unit),
            "labels": self.labels is not None,
            "spelling": self.spelling.kind,
            "longest": int(self._characters.max(initial=0)),
            "typical": int(np.median(self._characters)) if self.count else 0,
        }

    # -- which examples, in which order ----------------------------------------------------------

    def order(self, question: Question) -> NDArray[np.uint32]:
        """
        Choose and sort examples.

        Parameters
        ----------
        question : Question

        Returns
        -------
        uint32 array (row,)
            The numbers of examples; NaN is sorted to the end, equal ones stay in order.
        """
        kept = np.ones(self.count, bool)
        if question.predicted is not None:
            kept &= self.predicted == question.predicted
        if question.outcome != "all":
            kept &= (self.true >= 0) & (self.right == (question.outcome == "right"))
        chosen = np.flatnonzero(kept)
        if question.search:
            wanted = sendable(question.search).lower()
            chosen = chosen[[wanted in self._searched[k] for k in chosen]]
        key = self._key(question.sort)
        if key is not None:
            with np.errstate(invalid="ignore"):
                chosen = chosen[np.argsort(np.nan_to_num(key[chosen], nan=np.inf), kind="stable")]
        return chosen.astype(np.uint32)

    def _key(self, sort: str) -> NDArray[np.floating[Any]] | None:
        keys = {
            "most_confident": -self.confidence,
            "least_confident": self.confidence,
            "highest_score": -self.score,
            "lowest_score": self.score,
            "longest": -self.length.astype(float),
            "shortest": self.length.astype(float),
        }
        return keys.get(sort)

    def _text(self, example: int) -> list[str]:
        """Give the tokens of an example that are no padding."""
        if self.tokens is None:
            return []
        row = self.tokens[example]
        return list(row if self.mask is None else row[self.mask[example]])

    @cached_property
    def _searched(self) -> list[str]:
        """The texts of all examples, as they are searched."""
        texts = (self.spelling.join(self._text(k)) for k in range(self.count))
        return [sendable(text).lower() for text in texts]

    # -- what the page draws from ----------------------------------------------------------------

    @property
    def size(self) -> int:
        """How many bytes all of it takes in the page, but for the text of tokens."""
        methods, channels = self.values.shape[:2]
        each = 4 * methods * channels + 4 * (self.tokens is not None) + (self.mask is not None)
        return int(self.count * (self.timesteps * each + 20))

    def rows(self, chosen: Sequence[int] | slice) -> tuple[dict[str, Any], bytes]:
        """
        Give examples to the page.

        Parameters
        ----------
        chosen : list of int or slice
            Their numbers.

        Returns
        -------
        tuple of (dict, bytes)
            ``table``, the different tokens; ``labels`` (or None); ``doubtful``, the methods whose
            relevance doesn't add up, by number for each example (or None); and one after the other float32
            (method, example, timestep) relevance, float32 (example,) score and confidence, int32
            (example,) predicted, true and target class (-1 if unknown), int32 (example, timestep)
            which of the table stands there, uint8 (example, timestep) 1 for what is no padding; the
            last two only if there are tokens, if there is padding. Of a series relevance is (method,
            channel, example, timestep). Where examples have times of their own, these come before all
            else, as `ShownTimes.packed` gives them, and ``times`` tells how many bytes each has.
        """
        packed = [] if self._told_times else self._packed_times(chosen)
        parts: list[NDArray[Any]] = [self.values[:, :, chosen]]
        parts += [self.score[chosen], self.confidence[chosen]]
        parts += [self.predicted[chosen], self.true[chosen], self.target[chosen]]
        numbers: dict[str, int] = {}
        if self.tokens is not None:
            flat = self.tokens[chosen].reshape(-1)
            codes = [numbers.setdefault(token, len(numbers)) for token in flat]
            parts.append(np.array(codes, np.int32))
        if self.mask is not None:
            parts.append(self.mask[chosen].astype(np.uint8))
        labels = None if self.labels is None else [sendable(text) for text in self.labels[chosen]]
        doubtful = [np.flatnonzero(row).tolist() for row in self.doubtful[:, chosen].T]
        described = {
            "table": [sendable(token) for token in numbers],
            "labels": labels,
            "doubtful": doubtful if any(doubtful) else None,
            "times": [len(each) for each in packed],
        }
        return described, b"".join([*packed, *(part.tobytes() for part in parts)])

    @cached_property
    def _described_times(self) -> dict[str, Any] | None:
        """Describe times to the page, and give those that all examples have."""
        if self.times is None:
            return None
        described = self.times.described()
        if not self.times.shared:
            described.pop("runs", None)
        return described

    @property
    def _told_times(self) -> bool:
        """Whether the description tells all times."""
        return self._described_times is None or "runs" in self._described_times

    def _packed_times(self, chosen: Sequence[int] | slice) -> list[bytes]:
        if self.times is None:
            return []
        return [self.times.packed(int(k)) for k in np.arange(self.count)[chosen]]


# -- what is given ---------------------------------------------------------------------------------


def _expect_relevance(relevance: object) -> None:
    if not isinstance(relevance, xr.Dataset):
        raise TypeError(
            f"relevance: expected the xarray.Dataset that lw.relevance() returns, got "
            f"{type(relevance).__name__}"
        )
    dims = relevance["relevance"].dims if "relevance" in relevance else ()
    plain = ("method", "example", "timestep")
    if dims not in (plain, (*plain, "channel")) or "method" not in relevance.coords:
        raise ValueError(
            "relevance: expected a variable 'relevance' (method, example, timestep[, channel]) with the "
            f"methods' names, as lw.relevance() makes it; got {dims or sorted(map(str, relevance))}"
        )


def _labels(relevance: xr.Dataset, *, series: bool, timed: bool) -> NDArray[np.object_] | None:
    """Tell what examples are called; of windows of a series of which it is, and where it ends."""
    coords, parts = relevance.coords, []
    if "label" in coords:
        parts.append(list(map(str, coords["label"].values)))
    elif "series" in coords:
        parts.append([f"series {k}" for k in coords["series"].values.tolist()])
    if "end" in coords and series and not timed:
        parts.append([f"t={end}" for end in coords["end"].values.tolist()])
    rows = [" · ".join(each) for each in zip(*parts, strict=True)]
    return np.array(rows, object) if parts else None


def _channels(values: xr.DataArray) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """Give the names of channels, and their units."""
    if "channel" not in values.dims:
        return (), ()
    count = values.sizes["channel"]
    names = [f"channel {k}" for k in range(count)]
    if "channel" in values.coords:
        names = [str(name) for name in values["channel"].values]
    units = values["unit"].values if "unit" in values.coords else [""] * count
    return tuple(names), tuple(map(str, units))


def _floats(relevance: xr.Dataset, name: str, count: int) -> Floats:
    if name not in relevance:
        return np.full(count, np.nan, np.float32)
    values: Floats = relevance[name].values.astype(np.float32)
    return values


def _classes(relevance: xr.Dataset, name: str, count: int) -> Numbers:
    if name not in relevance:
        return np.full(count, -1, np.int32)
    return relevance[name].values.astype(np.int32)


def _names(class_names: Sequence[str] | Mapping[int, str] | None) -> dict[int, str]:
    """Give the classes' names by their numbers."""
    if class_names is None:
        return {}
    if isinstance(class_names, str) or not isinstance(class_names, (Mapping, Sequence, np.ndarray)):
        raise TypeError(
            "class_names: expected the classes' names, in their order or by their numbers, got "
            f"{class_names!r:.80}"
        )
    names = dict(class_names) if isinstance(class_names, Mapping) else dict(enumerate(class_names))
    for number, name in names.items():
        if not is_whole(number) or not isinstance(name, str):
            raise TypeError(
                f"class_names: expected a str for each class, got {name!r} for {number!r}"
            )
    return {int(number): str(name) for number, name in names.items()}


def class_number(argument: str, value: object, names: Mapping[int, str]) -> int:
    """Give a class's number, from its number or its name."""
    if isinstance(value, str):
        found = [number for number, name in names.items() if name == value]
        if not found:
            known = f"one of {', '.join(map(repr, names.values()))}" if names else "a number"
            raise ValueError(f"{argument}: expected {known}, got {value!r}")
        return found[0]
    if not is_whole(value):
        raise TypeError(f"{argument}: expected the number or the name of a class, got {value!r}")
    return int(value)


def _true(
    targets: Sequence[int] | Sequence[str] | None, count: int, names: Mapping[int, str]
) -> Numbers:
    if targets is None:
        return np.full(count, -1, np.int32)
    given = np.asarray(targets)
    if given.shape == (count, 1):
        given = given[:, 0]
    if given.shape != (count,):
        raise ValueError(
            f"targets: expected one class for each of {count} examples, got shape {given.shape}"
        )
    if given.dtype.kind == "b" or (given.dtype.kind == "f" and (given == np.rint(given)).all()):
        given = given.astype(np.int32)
    classes = [class_number("targets", value, names) for value in given.tolist()]
    return np.maximum(np.array(classes, np.int32).reshape(count), -1)
