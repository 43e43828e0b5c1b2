# What a model reads may be of many types: Any.
# ruff: noqa: ANN401
"""What a model is to read, a part at a time, so that no more than a part has to be in memory."""

from __future__ import annotations

import itertools
import warnings
from abc import abstractmethod
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from lstm_widgets.models.inputs import (
    DEFAULT_BATCH_SIZE,
    expect_labels,
    leaves,
    standard_batch_size,
)
from lstm_widgets.recording import overlap
from lstm_widgets.recording.times import standard_times
from lstm_widgets.running import feed, texts
from lstm_widgets.running.given import Given
from lstm_widgets.running.pieces import PROBED
from lstm_widgets.running.reading import Reading
from lstm_widgets.running.recorder import Part
from lstm_widgets.running.series import Described, described

if TYPE_CHECKING:
    import numpy.typing as npt

    from lstm_widgets.models.adapter import Adapter
    from lstm_widgets.running.feed import Feed
    from lstm_widgets.tokens.vocabulary import Vocabulary

__all__ = ["Parts", "Stretch", "Told", "Whole", "parts_of"]

#: Of several series that are read in windows, those of no more windows are a part as a whole.
SHORT = 1 << 14


@dataclass(frozen=True)
class Told:
    """What is said of what a model reads, as for :func:`lstm_widgets.record`."""

    window: int | None = None
    step: int | None = None
    pad: Any = None
    vocabulary: Vocabulary | None = None
    tokens: Any = None
    labels: Sequence[str] | None = None
    times: Any = None
    channels: Sequence[str] | None = None
    units: Mapping[str, str] | Sequence[str] | None = None
    targets: Any = None
    needs_ids: bool = False
    warm_up: int | None = None

    def over(self, known: Described) -> Told:
        """Add what inputs say of themselves, where nothing else was said."""
        told = Described(self.times, self.channels, self.units, None).over(known)
        labels = known.labels if self.labels is None else self.labels
        return replace(
            self, times=told.times, channels=told.channels, units=told.units, labels=labels
        )

    def given(self, adapter: Adapter, inputs: Any, **part: Any) -> Given:
        """Bring a part of the inputs into the form in which the model takes them.

        ``part`` is what is said of this part alone, as for :class:`Given`.
        """
        kept = ("window", "step", "pad", "vocabulary", "channels", "units", "needs_ids")
        return Given(adapter, inputs, **{name: getattr(self, name) for name in kept} | part)


@dataclass(frozen=True)
class Stretch:
    """A part of what is read, and where in the recording that stands.

    Attributes
    ----------
    part : Part
        What the model reads.
    stop : int
        How much is read after it: timesteps of a text, examples, or windows.
    examples : slice
        Which examples it is about.
    timestep : int
        The recording's timestep at which it begins.
    skip : int
        How many of its layers' first timesteps are there already, or aren't to be.
    read : int
        The timestep of the series from which on what it reads isn't there yet.
    read_skip : int
        How many of the timesteps that it reads are there already.
    replayed : Part, optional
        What the model reads before it from its initial states, and nothing is recorded of, instead of going
        on from the stretch before.
    ended : bool
        Whether nothing of its examples follows, which may be shorter than others.
    """

    part: Part
    stop: int
    examples: slice
    timestep: int = 0
    skip: int = 0
    read: int = 0
    read_skip: int = 0
    replayed: Part | None = None
    ended: bool = False


class Parts:
    """What a model is to read, a part at a time.

    Attributes
    ----------
    head : Given
        So much of it that it tells how the model reads it, and can be built from it.
    reading : Reading
        How all of it stands in the recording; counts may be unknown.
    examples, timesteps : int, optional
        How many the recording has; None: that isn't known beforehand.
    total : int, optional
        How much there is to be read; None: that isn't known beforehand.
    overlap : dict, optional
        How examples overlap, as `lstm_widgets.recording.overlap` describes it; None where that isn't known.
    unit : str
        What the total counts.
    """

    head: Given
    reading: Reading
    examples: int | None = None
    timesteps: int | None = None
    total: int | None = None
    overlap: dict[str, Any] | None = None
    unit = "example"

    def __init__(self, adapter: Adapter, told: Told, batch_size: int | None) -> None:
        self._adapter, self._told, self._batch_size = adapter, told, batch_size
        self.warm_up = told.warm_up

    def plan(self) -> None:
        """Choose how the model, which is built, reads it."""

    @property
    def times_differ(self) -> bool:
        """Whether each example has times of its own."""
        times = self._told.times
        return times is not None and np.ndim(times) == 2 and self.examples != 1

    def times_of(self, examples: slice) -> npt.NDArray[Any] | None:
        """Give the times of all timesteps of some examples; None where none are told."""
        times, read = self._told.times, self.head.series
        if times is None or read is None:
            return None
        count = np.shape(times)[-1]
        values = standard_times(times, self.examples or 1, count).values
        return np.atleast_2d(values if values.ndim == 1 else values[examples])

    @abstractmethod
    def __iter__(self) -> Iterator[Stretch]:
        """Give one part after the other, from the beginning."""

    @property
    @abstractmethod
    def kind(self) -> str:
        """Say what it is, to tell it from others."""

    def _labels(self, start: int, stop: int) -> Sequence[str] | None:
        """Tell what some examples are called, by what was told or by what the inputs say themselves."""
        told, own = self._told.labels, self.head.labels
        if told is None:
            return None if own is None else own[start:stop]
        return told if isinstance(told, str) else told[start:stop]


class Whole(Parts):
    """All of what a model is to read, as the only part."""

    def __init__(self, adapter: Adapter, told: Told, batch_size: int | None, inputs: Any) -> None:
        super().__init__(adapter, told, batch_size)
        if isinstance(inputs, Path):
            inputs = inputs.read_text(encoding="utf-8")
        self.head = told.given(adapter, inputs, tokens=told.tokens, times=told.times)
        self.examples = self.head.examples
        expect_labels(told.labels, self.examples)
        expect_labels(self.head.labels, self.examples)

    @property
    def kind(self) -> str:
        """Say what it is."""
        return "all"

    def plan(self) -> None:
        """Choose how the model, which is built, reads it."""
        self.reading = self.head.reading(self._batch_size)
        self.total = self.reading.total
        if self.reading.mode == "examples" and self.head.examples > 1:
            self.overlap = overlap.described(leaves(self.head.inputs))

    @property
    def part(self) -> Part:
        """All of it."""
        batch, size = self.head.batches(self.reading, self._batch_size)
        labels = self._labels(0, self.head.examples)
        return Part(self.head, self.reading, batch, size, labels, self._told.targets)

    def __iter__(self) -> Iterator[Stretch]:
        """Give the only part."""
        yield Stretch(self.part, self.reading.total, slice(0, self.head.examples))


class _Text(Parts):
    """One text, or series, read continuously or in windows."""

    def __init__(
        self,
        adapter: Adapter,
        told: Told,
        batch_size: int | None,
        read: Feed,
        *,
        begun: bool = False,
    ) -> None:
        super().__init__(adapter, told, batch_size)
        self._feed = read
        window = told.window
        self.unit = "timestep" if window is None else "window"
        size = max(batch_size or texts.PIECE, PROBED) if window is None else window + PROBED
        self._head = read.reach(size + 1)
        if not self._head:
            raise ValueError("inputs: expected a text of at least one token, got an empty one")
        self._begun = begun
        self.head = self._given(0, self._head, first=True)
        self._begun = True
        self._whole = read.count is not None and self._head == read.count
        self._size = size
        self.reading = Reading("pieces", 0)
        self.examples = 1
        expect_labels(told.labels, 1)
        self._given_tokens = told.tokens
        self._expect_count()

    def _expect_count(self) -> None:
        """Refuse what is told of each timestep, and isn't of as many."""
        count, told = self._feed.count, self._told
        if count is not None and told.tokens is not None and len(told.tokens) != count:
            raise ValueError(
                f"tokens: expected {count}, one for each of the text, got {len(told.tokens)}"
            )
        if count is not None and told.times is not None and np.shape(told.times)[-1] != count:
            raise ValueError(
                f"times: expected shape ({count},), one for each timestep; got {np.shape(told.times)}"
            )

    @property
    def kind(self) -> str:
        values = self.head.inputs
        what = "str" if values.dtype.kind in "US" else f"{values.dtype} {values.shape[1:]}"
        return f"a text, or series, of {what}"

    def _given(self, start: int, stop: int, *, first: bool) -> Given:
        values, tokens = self._feed.between(start, stop)
        told = self._told
        if told.tokens is not None:
            tokens = told.tokens[start:stop]
        times = told.times
        if times is not None:
            times = times[0] if np.ndim(times) == 2 else times
            times = times[start:stop]
        pad = told.pad if first else None
        return told.given(
            self._adapter, values, tokens=tokens, times=times, pad=pad, more=self._begun
        )

    def plan(self) -> None:
        told, count = self._told, self._feed.count
        if told.window is None:
            self.reading = self.head.reading(self._batch_size)
            if self.reading.mode == "examples" and not self._whole:
                raise ValueError(
                    f"inputs: with to=, a text is read piece by piece, which the model "
                    f"{self._adapter.name!r} cannot; window= records it window by window, and "
                    "inputs[None], an example, at once"
                )
            self.total = self.timesteps = count
            if self.reading.mode == "pieces":
                self.reading = Reading("pieces", count or 0)
            else:
                self.total, self.unit = 1, "example"
        else:
            padding = 0 if told.pad is None else told.window - 1
            self.reading = Reading(
                *("windows", count or 0, told.window, padding), pad=told.pad, step=told.step or 1
            )
            if self.head.series is not None and self.reading.step > told.window:
                raise ValueError(
                    f"step: expected at most {told.window}, the window, with to= and a series; got "
                    f"{self.reading.step}"
                )
            if count is not None:
                self.total = self.reading.total
                self.timesteps = self.reading.empty + self.total
        layers, prescribed = self._adapter.layers, self._adapter.batch_size
        if self.reading.mode != "examples":
            self._size = texts.standard_size(self.reading, layers, prescribed, self._batch_size)

    def __iter__(self) -> Iterator[Stretch]:
        if self.reading.mode == "pieces":
            yield from self._pieces()
        elif self.reading.mode == "windows":
            yield from self._windows()
        else:
            given = self._given(0, self._head, first=True)
            part = Part(given, self.reading, *given.batches(self.reading, None))
            yield Stretch(
                replace(part, labels=self._told.labels, targets=self._told.targets), 1, slice(0, 1)
            )

    def _pieces(self) -> Iterator[Stretch]:
        warm_up = self._told.warm_up or 0
        # What is replayed is a quarter of it, at most.
        length = -(-max(self._size, 4 * warm_up) // self._size) * self._size
        for start in itertools.count(0, length):
            end = self._feed.reach(start + length + 1)
            stop = min(end, start + length)
            if stop <= start:
                return
            part = self._piece(start, stop, end)
            replayed = self._piece(start - warm_up, start, end) if warm_up and start else None
            yield Stretch(part, stop, slice(0, 1), start, read=start, replayed=replayed)
            self._feed.forget(stop - warm_up)

    def _piece(self, start: int, stop: int, end: int) -> Part:
        given = self._given(start, stop, first=not start)
        reading = Reading("pieces", stop - start)
        batch, size = given.batches(reading, self._size)
        targets = self._targets(start, stop)
        return Part(
            *(given, reading, batch, size, self._told.labels, targets), self._following(stop, end)
        )

    def _following(self, stop: int, end: int) -> npt.NDArray[np.int64] | None:
        """Tell the id of what comes after a part, -1 where nothing does."""
        if not self._told.needs_ids:
            return None
        if end == stop:
            return np.array([-1])
        values, _ = self._feed.between(stop, stop + 1)
        ids = self._told.given(
            self._adapter, values, window=None, step=None, pad=None, more=True
        ).ids
        return None if ids is None else ids[:, 0]

    def _windows(self) -> Iterator[Stretch]:
        """Give windows, some at a time, each part with the timesteps that its windows begin with."""
        whole = self.reading
        before, step, size = whole.before, whole.step, self._size
        read = start = 0  # up to which timestep, and up to which window, the parts before have read
        # All windows that begin in padding are in the first part.
        count = size * max(1, -(-whole.padding // (step * size)))
        while True:
            end = self._feed.reach(before + (start + count) * step + 1)
            stop = min(start + count, -(-(end - before) // step))
            if stop <= start:
                return
            last = before + (stop - 1) * step  # where the last window ends
            over = self._feed.count is not None and last + step >= self._feed.count
            tokens = end if over else last + 1  # what stands behind the last window is read, too
            begins = max(0, before + start * step - (whole.window - 1))
            given = self._given(begins, tokens, first=not start)
            reading = given.reading(self._batch_size)
            part = Part(
                *(given, reading, *given.batches(reading, size), self._told.labels),
                self._targets(begins, tokens, (start, stop)),
                self._following(last + 1, end),
            )
            skip, at = (reading.empty, whole.empty + start) if start else (0, 0)
            yield Stretch(part, stop, slice(0, 1), at, skip, read, read - begins)
            if over:
                return
            start, read, count = stop, tokens, size
            self._feed.forget(before + start * step - (whole.window - 1))

    def _targets(self, start: int, stop: int, windows: tuple[int, int] | None = None) -> Any:
        """Take what the model should say from some timestep, or window, to another."""
        targets, count = self._told.targets, self._feed.count
        if targets is None:
            return None
        given = next(iter(targets.values())) if isinstance(targets, Mapping) else targets
        if np.shape(given)[:1] == (count,) or count is None:
            return _taken(targets, start, stop)
        if np.ndim(given) > 1 and np.shape(given)[:2] == (1, count):
            return _taken(np.asarray(given)[0], start, stop)
        if windows is not None and np.shape(given)[:1] == (self.total,):
            return _taken(targets, *windows)
        ends = "" if windows is None else f", or ({self.total},), one for each window"
        raise ValueError(
            f"targets: expected shape ({count},), one for each timestep{ends}, maybe with a last axis of "
            f"outputs; got {np.shape(given)}"
        )


class _Examples(Parts):
    """Examples that are all there, in memory or on disk, some at a time."""

    def __init__(self, adapter: Adapter, told: Told, batch_size: int | None, inputs: Any) -> None:
        super().__init__(adapter, told, batch_size)
        self._inputs = inputs
        self._axis = 0
        self.examples = self.total = _count(inputs)
        if not self.examples:
            raise ValueError("inputs: expected at least one example, got none")
        self._begun = False
        # Series may be long: one of them tells it.
        head = (batch_size or DEFAULT_BATCH_SIZE) if told.window is None else 1
        self.head = self._quiet(0, min(self.examples, head))
        self._begun = True
        if adapter.time_first:
            raise ValueError(
                "inputs: expected the examples along the first axis, with to=, but the model takes time "
                "first; give an iterator of batches (or a DataLoader), each as the model takes it"
            )
        expect_labels(told.labels, self.examples)
        self.reading = Reading("examples", self.examples)
        self.timesteps = self._longest()

    def _longest(self) -> int | None:
        """Tell how many timesteps the longest example has, if they differ."""
        if not isinstance(self._inputs, list):
            return None
        lengths = {int(np.shape(one)[0]) if np.ndim(one) else 0 for one in self._inputs}
        return max(lengths) if len(lengths) > 1 else None

    @property
    def kind(self) -> str:
        arrays = ", ".join(
            f"{one.dtype} {tuple(one.shape[1:])}" for one in leaves(self.head.inputs)
        )
        longest = "" if self.timesteps is None else f" of up to {self.timesteps} timesteps"
        return f"{self.examples} examples{longest}, {arrays if longest == '' else ''}"

    def _quiet(self, start: int, stop: int) -> Given:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            return self._given(start, stop)

    def _given(self, start: int, stop: int) -> Given:
        told = self._told
        tokens, times = told.tokens, told.times
        if isinstance(tokens, Mapping):
            tokens = {name: each[start:stop] for name, each in tokens.items()}
        elif tokens is not None:
            tokens = tokens[start:stop]
        part = _taken(self._inputs, start, stop)
        if told.window is None and isinstance(part, list) and len(part) == 1:
            # A list of one is a text otherwise, which would go on from the one before.
            part = part[0][None] if isinstance(part[0], np.ndarray) else part
        if times is not None:
            longest = max(map(len, part)) if isinstance(part, list) else None
            times = np.asarray(times)[..., :longest]
            times = times[start:stop] if times.ndim == 2 else times
        return told.given(self._adapter, part, tokens=tokens, times=times, more=self._begun)

    def __iter__(self) -> Iterator[Stretch]:
        assert self.examples is not None  # noqa: S101
        size = standard_batch_size(self._adapter.batch_size, self.examples, self._batch_size)
        for start in range(0, self.examples, size):
            stop = min(start + size, self.examples)
            given = self._quiet(start, stop) if start else self._given(start, stop)
            yield Stretch(self._part(given, start, stop, size), stop, slice(start, stop))

    def _part(self, given: Given, start: int, stop: int, size: int) -> Part:
        reading = given.reading(size)
        targets = self._told.targets
        if targets is not None:
            targets = _taken(targets, start, stop)
        return Part(
            *(given, reading, *given.batches(reading, size)),
            labels=self._labels(start, stop),
            targets=targets,
        )


class _Series(_Examples):
    """Several texts, or series, that are read window by window."""

    unit = "window"

    def plan(self) -> None:
        counts = self._lengths()
        longest = int(counts.max())
        told = self._told
        padding = 0 if told.pad is None else (told.window or 1) - 1
        self.reading = Reading(
            *("windows", longest, told.window or 1, padding),
            pad=told.pad,
            lengths=counts if len(set(counts.tolist())) > 1 else None,
            texts=len(counts),
            step=told.step or 1,
        )
        self.total = self.reading.total
        self.timesteps = self.reading.empty + self.reading.each
        self._size = texts.standard_size(
            self.reading, self._adapter.layers, self._adapter.batch_size, self._batch_size
        )

    def _lengths(self) -> npt.NDArray[np.intp]:
        if isinstance(self._inputs, list):
            return np.array([len(one) for one in self._inputs], np.intp)
        count, timesteps = self._inputs.shape[:2]
        return np.full(count, timesteps, np.intp)

    def __iter__(self) -> Iterator[Stretch]:
        counts = self.reading.of_texts
        done = 0
        if counts.max() > max(self._size, SHORT):
            yield from self._one_by_one(counts.tolist())
            return
        together = max(1, self._size // int(counts.max()))
        for start in range(0, len(counts), together):
            stop = min(start + together, len(counts))
            given = self._quiet(start, stop) if start else self._given(start, stop)
            done += int(counts[start:stop].sum())
            part = self._part(given, start, stop, self._size)
            yield Stretch(part, done, slice(start, stop), ended=True)

    def _one_by_one(self, counts: list[int]) -> Iterator[Stretch]:
        """Give some windows of a series after the other, where a series has many."""
        done = 0
        for k, count in enumerate(counts):
            read = feed.of_array(self._inputs[k])
            with warnings.catch_warnings():
                warnings.simplefilter("ignore" if k else "default")
                one = _Text(self._adapter, self._told_of(k), self._batch_size, read, begun=k > 0)
                one.plan()
            for stretch in one:
                yield replace(
                    stretch,
                    stop=done + stretch.stop,
                    examples=slice(k, k + 1),
                    ended=stretch.stop == count,
                )
            done += count

    def _told_of(self, k: int) -> Told:
        """Take what is said of one of the series."""
        told, times = self._told, self._told.times
        several = times is not None and np.ndim(times) == 2
        return replace(
            told,
            tokens=_one_of(told.tokens, k),
            labels=self._labels(k, k + 1),
            times=times[k] if several else times,
            targets=_one_of(told.targets, k),
        )


class _Loaded(Parts):
    """Batches, or examples, that come one after the other."""

    def __init__(
        self,
        adapter: Adapter,
        told: Told,
        batch_size: int | None,
        items: Iterator[Any],
        count: int | None,
    ) -> None:
        super().__init__(adapter, told, batch_size)
        for argument in ("window", "tokens", "times", "targets"):
            if getattr(told, argument) is not None:
                raise ValueError(
                    f"{argument}: expected None with to= and inputs that come batch by batch; got "
                    f"{getattr(told, argument)!r:.80}"
                )
        first = next(items, None)
        if first is None:
            raise ValueError("inputs: expected at least one batch, got none")
        items = itertools.chain([first], items)
        self._single = self._is_example(first)
        if self._single:
            items = self._in_batches(items)
            first = next(items)
            items = itertools.chain([first], items)
            count = None
        del count  # of batches, which says nothing of examples
        self._items = items
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            self.head = told.given(adapter, first)
        self.reading = Reading("examples", 0)

    def _is_example(self, item: Any) -> bool:
        """Whether something that comes is a single example: it has one axis less than the model takes."""
        inputs = self._adapter.inputs
        shape = inputs[0].shape if inputs else self._adapter.input_shape
        first = item
        while isinstance(first, (tuple, Mapping)) and len(first):
            first = next(iter(first.values() if isinstance(first, Mapping) else first))
        return shape is not None and np.ndim(first) == len(shape) - 1

    def _in_batches(self, items: Iterator[Any]) -> Iterator[Any]:
        while some := [*itertools.islice(items, self._batch_size or DEFAULT_BATCH_SIZE)]:
            if isinstance(some[0], Mapping):
                yield {key: np.stack([np.asarray(one[key]) for one in some]) for key in some[0]}
            elif isinstance(some[0], tuple):
                several = len(self._adapter.inputs) > 1
                columns = [*zip(*some, strict=True)][: len(self._adapter.inputs) if several else 1]
                stacked = tuple(np.stack([np.asarray(v) for v in column]) for column in columns)
                yield stacked if several else stacked[0]
            else:
                yield some

    @property
    def kind(self) -> str:
        arrays = ", ".join(f"{one.dtype} ({one.ndim} axes)" for one in leaves(self.head.inputs))
        return f"batches of {arrays}"

    def __iter__(self) -> Iterator[Stretch]:
        done = 0
        for k, item in enumerate(self._items):
            with warnings.catch_warnings():
                if k:
                    warnings.simplefilter("ignore")
                given = self._told.given(self._adapter, item, more=True)
            reading = given.reading(self._batch_size)
            batch, size = given.batches(reading, self._batch_size)
            start, done = done, done + given.examples
            labels = self._labels(start, done)
            if labels is not None:
                expect_labels(labels, given.examples)
            yield Stretch(Part(given, reading, batch, size, labels), done, slice(start, done))


def parts_of(adapter: Adapter, inputs: Any, told: Told, batch_size: int | None) -> Parts:
    """Find out how what is given can be read a part at a time.

    Raises
    ------
    TypeError, ValueError
        If it can't, or doesn't fit the model.
    """
    if isinstance(inputs, Path):
        return _Text(adapter, told, batch_size, feed.of_text(adapter, inputs, told.vocabulary))
    loaded = adapter.batches(inputs)
    if loaded is not None:
        return _Loaded(adapter, told, batch_size, *loaded)
    lazy = isinstance(inputs, Iterable) and not hasattr(inputs, "__len__")
    if lazy and not hasattr(inputs, "shape"):
        return _Loaded(adapter, told, batch_size, iter(inputs), None)
    whole = adapter.reads_strings and texts.takes_whole_texts(adapter)
    if texts.is_written(inputs) and not whole:
        return _Text(adapter, told, batch_size, feed.of_text(adapter, inputs, told.vocabulary))
    if isinstance(inputs, str):
        inputs = [inputs]
    inputs, known = described(inputs, whole=False)
    if isinstance(inputs, (list, tuple)) and inputs and np.isscalar(inputs[0]):
        inputs = np.asarray(inputs)
    if hasattr(inputs, "shape") and not whole and _is_text(adapter, inputs, told):
        return _Text(adapter, told.over(known), batch_size, feed.of_array(inputs))
    if known.times is not None or not hasattr(inputs, "iloc"):
        told = told.over(known)
    if told.times is not None and np.ndim(told.times) == 2:
        times = np.asarray(told.times)
        told = replace(told, times=told.times[0] if (times == times[:1]).all() else times)
    kind = _Examples if told.window is None else _Series
    return kind(adapter, told, batch_size, inputs)


def _is_text(adapter: Adapter, inputs: Any, told: Told) -> bool:
    """Find out by its beginning whether an array is a text, or series, and not examples."""
    if len(inputs.shape) > 2 or not inputs.shape[0]:
        return False
    head = feed.sliced(inputs, 0, max(2, told.window or 0))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        values = adapter.unpacked(head)
    return texts.is_text(values, adapter.input_shape, told.window)


def _count(inputs: Any) -> int:
    """Count examples."""
    parts = inputs.values() if isinstance(inputs, Mapping) else inputs
    if isinstance(inputs, (Mapping, tuple)):
        counts = {int(np.shape(part)[0]) if np.ndim(part) else 0 for part in parts}
        if len(counts) != 1:
            raise ValueError(
                f"inputs: expected the same number of examples in each array, with to=, got "
                f"{sorted(counts)}; give an iterator of batches, each as the model takes it"
            )
        return counts.pop()
    if getattr(inputs, "shape", ()):
        return int(inputs.shape[0])
    if not hasattr(inputs, "__len__"):
        raise TypeError(
            f"inputs: expected something that can be read a part at a time, with to=; got a "
            f"{type(inputs).__module__}.{type(inputs).__name__}"
        )
    return len(inputs)


def _one_of(values: Any, k: int) -> Any:
    """Take what is of one example."""
    if isinstance(values, Mapping):
        return {name: each[k] for name, each in values.items()}
    return None if values is None else values[k]


def _taken(values: Any, start: int, stop: int) -> Any:
    """Take some along the first axis of everything."""
    if isinstance(values, Mapping):
        return {name: _taken(each, start, stop) for name, each in values.items()}
    if isinstance(values, tuple):
        return tuple(_taken(each, start, stop) for each in values)
    if hasattr(values, "iloc"):
        return values.iloc[start:stop]
    return values[start:stop]
