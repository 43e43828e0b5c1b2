# What is given to a model may be of many types: Any.
# ruff: noqa: ANN401
"""What a function was given to read: examples, or a text, and how a model is to read it."""

from __future__ import annotations

import itertools
from collections.abc import Mapping
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np

from lstm_widgets.models.adapter import standard_vocabulary
from lstm_widgets.models.inputs import (
    Batches,
    count_examples,
    expect_fit,
    leaves,
    mapped,
    standard_batch_size,
    standard_inputs,
    standard_tokens,
)
from lstm_widgets.running import texts
from lstm_widgets.running.pieces import PROBED, in_pieces
from lstm_widgets.running.reading import Reading
from lstm_widgets.running.series import Described, Series, described, numbers_among
from lstm_widgets.tokens.vocabulary import Encoding, Vocabulary

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    import numpy.typing as npt

    from lstm_widgets.models.adapter import Adapter
    from lstm_widgets.recording import RecordedSeries
    from lstm_widgets.running.session import Session

__all__ = ["Given"]


class Given:
    """What a function was given to read: examples, or a text.

    All functions that run a model read by this, so that the same inputs and options mean the same
    everywhere.

    Attributes
    ----------
    adapter : Adapter
        That of the model.
    inputs : object
        What the model takes; for a text without the axis of the examples. Examples that the model
        reads length by length stand here the longest first, as do `ids` and `tokens`.
    text : bool
        Whether it is a text.
    examples : int
        The number of examples.
    names : Vocabulary, optional
        The vocabulary.
    ids, tokens : int64 and object array (example, timestep), optional
        What stands at each timestep, as numbers and as str, if known.
    symbols : int, optional
        How many symbols may stand there, if known.
    lengths : Lengths, optional
        How long the examples are, if they were given with several lengths.
    series : Series, optional
        The numbers that it is, if it is a series, and what is known of them.
    labels : list of str, optional
        What the examples are called, if the inputs themselves tell.
    lookup : Lookup, optional
        What makes ids of strings, if the model takes such.
    """

    def __init__(
        self,
        model: Adapter,
        inputs: Any,
        *,
        window: int | None = None,
        step: int | None = None,
        pad: Any = None,
        vocabulary: Any = None,
        unknown: int | str | None = None,
        tokens: Any = None,
        times: Any = None,
        channels: Sequence[str] | None = None,
        units: Mapping[str, str] | Sequence[str] | None = None,
        needs_ids: bool = False,
        more: bool = False,
    ) -> None:
        names = self.names = standard_vocabulary(vocabulary, unknown)
        self.adapter = model
        self._window, self._step = window, step or 1
        if step is not None and window is None:
            raise ValueError(
                f"step: expected None, because without window= there are no windows; got {step}"
            )
        told = Described(times, channels, units)
        inputs, known = described(inputs)
        self.labels = known.labels
        self.lookup = model.lookup if model.reads_strings else None
        self.symbols = None if names is None else len(names.tokens)
        shape = model.input_shape
        encoding = Encoding.of(shape, None if names is None else names.size)
        if self.symbols is None and encoding is not None and encoding.size:
            self.symbols = encoding.size
        whole = self.lookup is not None and texts.takes_whole_texts(model)
        read = None
        if texts.is_written(inputs) and not whole:
            if self.lookup is not None:
                inputs = texts.split(inputs, names or Vocabulary(self.lookup))
            elif not model.reads_strings:
                read, inputs = texts.encode(model, inputs, names, encoding)
        inputs, self.lengths = standard_inputs(
            model, inputs, windowed=window is not None, more=more
        )
        self.text = not whole and texts.is_text(inputs, shape, window)
        if self.text:
            padded = pad is not None
            self.inputs = texts.standard_text(inputs, shape, window, padded=padded)
            self.examples = 1
        elif window is not None and whole:
            raise ValueError(
                f"window: expected None, because the model makes tokens of each str itself, and "
                f"reads them at once; got {window}"
            )
        elif window is not None and hasattr(inputs, "shape") and len(inputs.shape) > 1:
            if self.lengths is not None and pad is None:
                texts.expect_long_enough(self.lengths.values, window)
            first = texts.standard_text(inputs[0], shape, window, padded=pad is not None)
            self.inputs = np.asarray(inputs).reshape(len(inputs), *first.shape)
            self.examples = len(self.inputs)
        elif window is not None:
            raise ValueError(
                "window: expected inputs to be one array, a text or several, got "
                + (f"{len(leaves(inputs))}" if shape is None else f"shape {tuple(inputs.shape)}")
            )
        else:
            expect_fit(model, inputs)
            self.inputs = inputs
            self.examples = count_examples(inputs)
        if pad is not None and window is None:
            raise ValueError(
                f"pad: expected None, because without window= nothing is padded; got {pad!r:.80}"
            )
        self._pad, self._told_pad = None, pad
        if pad is not None:
            self._pad = texts.standard_pad(pad, self.whole[0], encoding, names)
        self._order: npt.NDArray[np.intp] | None = None
        self._batches: Batches | None = None
        if self.lengths is not None and window is None:
            self._batches = self.lengths.batches
        if (
            self.lengths is not None
            and not self.lengths.masked
            and window is None
            and self._batches is None
        ):
            self._order = np.argsort(-self.lengths.values, kind="stable")
            self.inputs = mapped(lambda value: value[self._order], self.inputs)
        self.ids = self._read_ids(encoding) if names is not None or needs_ids else None
        if self.lookup is not None:
            read = self._look_up(whole=whole)
        elif read is not None:
            read = read[None]
        self.tokens = self._tokens(tokens, read)
        self.series = self._series(told, known)
        if vocabulary is not None and self.tokens is None and not needs_ids:
            raise ValueError(
                "vocabulary: expected inputs that are ids, one-hot or ids / "
                f"{self.names.size}, to read tokens off them; got others, so tokens= is needed"  # type: ignore[union-attr]
            )

    def _series(self, told: Described, known: Described) -> Series | None:
        """Find the series among the inputs, with what is told of it, and what it tells itself."""
        text = self.names is not None or self.tokens is not None or self.lookup is not None
        arrays = leaves(self.whole)
        shape = self.adapter.input_shape
        if len(arrays) == 1 and shape is not None and len(shape) == 3 and len(arrays[0].shape) == 2:
            arrays = [np.asarray(arrays[0])[..., None]]  # a last axis of length 1 may be left out
        found = numbers_among(arrays, sure=bool(told)) if told or not text else None
        if found is None and told:
            what = next(name for name, value in vars(told).items() if value is not None)
            shapes = ", ".join(str(tuple(each.shape)) for each in arrays)
            raise ValueError(
                f"{what}: expected None, because inputs aren't one series of numbers (example, "
                f"timestep, channel), but of shape {shapes}"
            )
        if found is None:
            return None
        leaf, values = found
        series = Series.of(values, leaf, told.over(known.fitting(values)))
        if self._order is None or series.times is None:
            return series
        return replace(series, times=series.times.of_examples(self._order))

    def _read_ids(self, encoding: Encoding | None) -> npt.NDArray[np.int64] | None:
        if encoding is None or self.lookup is not None:
            return None
        inputs = self.inputs
        if not hasattr(inputs, "shape"):
            # Of several inputs of a model that tells nothing of them, ids (example, timestep) may be one.
            each = () if self.adapter.inputs else leaves(inputs)
            whole = [one for one in each if one.ndim == 2 and one.dtype.kind in "iu"]
            if len(whole) != 1:
                return None
            inputs = whole[0]
        values = np.asarray(inputs)[None] if self.text else np.asarray(inputs)
        if values.dtype.kind in "OSU":  # for a model that reads text itself
            return None
        if encoding.kind == "scaled" and values.ndim == 2:
            values = values[..., None]
        ids = encoding.read(values) if values.ndim == 2 + (encoding.kind != "ids") else None
        if ids is not None and self.lengths is not None and not self.lengths.masked:
            ids[~self._real()] = -1
        return ids

    def _look_up(self, *, whole: bool) -> npt.NDArray[np.object_] | None:
        """Let the model's own layer make ids of strings, and tell the tokens that these stand for.

        ``whole`` tells that each string is a text of several tokens.
        """
        if self.lookup is None or not hasattr(self.inputs, "shape"):
            return None  # several inputs
        ids = self.lookup.own_ids(self.inputs)
        ids = ids[None] if ids is not None and self.text else ids
        if ids is None or ids.ndim != 2:
            return None
        own = Vocabulary(self.lookup)
        tokens = own.decode(ids)
        if not whole:
            values = np.asarray(self.whole)
            tokens = np.array([texts.as_str(v) for v in values.flat], object).reshape(values.shape)
        if self.names is None:
            # Whether the outputs are tokens of it, too, only vocabulary= tells.
            self.symbols, self.ids = len(own.tokens), ids
        else:
            flat: list[str] = tokens.ravel().tolist()
            known = [self.names.id_of(t) if self.names.has(t) else -1 for t in flat]
            self.ids = np.array(known, np.int64).reshape(tokens.shape)
        return tokens

    def _real(self) -> npt.NDArray[np.bool_]:
        """Tell what isn't padding, in the order of `inputs`."""
        assert self.lengths is not None  # noqa: S101
        real = self.lengths.real()
        return real if self._order is None else real[self._order]

    def _tokens(self, tokens: Any, read: Any) -> Any:
        if tokens is not None and not self.text:
            rows = standard_tokens(tokens, self.examples, self.lengths)
            if isinstance(rows, Mapping):
                return {name: self.in_order(each) for name, each in rows.items()}
            return self.in_order(rows)
        if isinstance(tokens, Mapping):
            return {name: [texts.standard_text_tokens(row)] for name, row in tokens.items()}
        if tokens is not None:
            return [texts.standard_text_tokens(tokens, len(self.inputs))]
        if read is not None:
            return read
        if self.ids is None or self.names is None:
            return None
        outside = np.argwhere(self.ids >= len(self.names.tokens))
        if len(outside):
            example, timestep = outside[0]
            raise ValueError(
                f"inputs: id {self.ids[example, timestep]} at position {timestep} is not in the "
                f"vocabulary of {len(self.names.tokens)} tokens"
            )
        return self.names.decode(self.ids)

    def in_order(self, rows: Any) -> Any:
        """Bring what was given one for each example into the order in which they are read."""
        if self._order is None or rows is None:
            return rows
        return rows[self._order] if isinstance(rows, np.ndarray) else [rows[k] for k in self._order]

    def groups(self) -> list[tuple[npt.NDArray[np.intp], Any]]:
        """List what the model takes at once: which examples, and these.

        That is all, or, of examples that are read length by length, those of one length each; or batches
        as they were given.
        """
        if self._batches is not None:
            edges = itertools.pairwise(self._batches.edges)
            return [(np.arange(a, b), self._batches.some(a, b)) for a, b in edges]
        if self.lengths is None or self._order is None:
            return [(np.arange(self.examples), self.whole)]
        lengths = self.lengths.values[self._order]
        parts = Reading("examples", self.examples, lengths=lengths).parts(self.examples)
        return [(self._order[a:b], self.of_length(a, b, int(lengths[a]))) for a, b in parts]

    def first(self, size: int) -> Any:
        """Take as much as a model needs to build itself."""
        if self.text or self._window is not None:
            return self._padded[:1, : self._window]
        return mapped(lambda value: value[:size], self.inputs)

    def read(
        self, session: Session, done: int, scaling: Any = None
    ) -> dict[str, RecordedSeries | None]:
        """Hand over the numbers that were read, as ``inputs``, of the first ``done`` of all."""
        if self.series is None:
            return {}
        nothing = session.passed_over(self.series.timesteps)
        # The lengths are those of the first input that was filled up.
        if self.lengths is not None and self.series.leaf in self.lengths.leaves[:1]:
            padding = ~self._real()
            nothing = padding if nothing is None else nothing | padding
        kept = session.reading.reached(done)
        return {"inputs": self.series.recorded(kept, scaling, nothing)}

    @property
    def whole(self) -> Any:
        """What the model takes at once: the examples, or the text as the only one."""
        return self.inputs[None] if self.text else self.inputs

    @property
    def _padded(self) -> npt.NDArray[Any]:
        """The texts, ``(text, timestep, ...)``, behind the padding of their first windows."""
        if self._pad is None or self._window is None:
            return np.asarray(self.whole)
        return texts.behind(self._pad, self._window - 1, self.whole)

    @property
    def counts(self) -> npt.NDArray[np.intp]:
        """How many timesteps each text, or each series that is read in windows, has."""
        if self.lengths is not None:
            return self.lengths.values
        return np.full(self.examples, self.whole.shape[1])

    @property
    def windows(self) -> npt.NDArray[Any]:
        """All windows that texts or series have, ``(text, first timestep, timestep, ...)``."""
        return texts.windows_of(self._padded, self._window or 1)

    def reading(self, batch_size: int | None = None) -> Reading:
        """Choose how the model, which is built, reads it, so many timesteps of a text at a time."""
        if self._order is not None and self.lengths is not None:
            lengths = self.lengths.values[self._order]
            return Reading("examples", self.examples, lengths=lengths, order=self._order)
        if self._batches is not None and self.lengths is not None:
            edges = tuple(self._batches.edges)
            return Reading("examples", self.examples, lengths=self.lengths.values, edges=edges)
        if not self.text and self._window is None:
            return Reading("examples", self.examples)
        count = self.whole.shape[1]
        if self._window is not None:
            padding = 0 if self._pad is None else int(self._window) - 1
            return Reading(
                *("windows", count, int(self._window), padding),
                pad=self._told_pad,
                lengths=None if self.lengths is None else self.lengths.values,
                texts=self.examples,
                step=self._step,
            )
        long = count > max(batch_size or texts.PIECE, PROBED)
        problem = texts.obstacle(self.adapter, self._in_pieces if long else None)
        if not problem:
            return Reading("pieces", count)
        shape = self.adapter.input_shape
        if shape is not None and shape[1] not in (None, count):
            raise ValueError(
                f"inputs: {problem} cannot read a text of {count} tokens piece by piece, and the "
                f"model takes {shape[1]} at once; window={shape[1]} records it window by window"
            )
        return Reading("examples", 1)

    def _in_pieces(self) -> str:
        """Let the model read the text's beginning at once and in pieces; say how that differs."""
        return in_pieces(self.adapter, lambda start, stop: self.whole[:, start:stop])

    def batches(
        self, reading: Reading, batch_size: int | None
    ) -> tuple[Callable[[int, int], Any], int]:
        """Make the function that gives what the model is called with, and tell how much at once."""
        prescribed = self.adapter.batch_size
        if self._batches is not None:
            return self._batches.some, batch_size or int(np.diff(self._batches.edges).max())
        if reading.mode == "examples":
            inputs = self.whole
            size = standard_batch_size(prescribed, self.examples, batch_size)
            if reading.lengths is None:
                return lambda start, stop: mapped(lambda value: value[start:stop], inputs), size
            lengths = reading.lengths
            if prescribed not in (None, 1):
                raise ValueError(
                    f"inputs: expected sequences of one length, because the model takes batches of "
                    f"exactly {size} examples; got some of {lengths[-1]} to {lengths[0]} timesteps"
                )
            return lambda start, stop: self.of_length(start, stop, int(lengths[start])), size
        size = texts.standard_size(reading, self.adapter.layers, prescribed, batch_size)
        return texts.batches(self._padded, reading, prescribed), size

    def of_length(self, start: int, stop: int, length: int) -> Any:
        """Take some of the examples that are read length by length, without what fills them up."""
        assert self.lengths is not None  # noqa: S101
        some = mapped(lambda value: value[start:stop], self.inputs)
        parts = leaves(some)
        for k in self.lengths.leaves:
            parts = [part[:, :length] if n == k else part for n, part in enumerate(parts)]
        if isinstance(some, Mapping):
            return dict(zip(some, parts, strict=True))
        return parts if isinstance(some, list) else parts[0]
