# Models, and what they read and return, are of many types: Any.
# ruff: noqa: ANN401
"""Continue a text with a model, and record the model while it does."""

from __future__ import annotations

import warnings
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from lstm_widgets.checks import is_whole
from lstm_widgets.errors import SelfCheckError
from lstm_widgets.models.adapter import adapter_of, standard_vocabulary
from lstm_widgets.models.inputs import expect_positive
from lstm_widgets.models.outputs import Output
from lstm_widgets.rnn.comparison import Check, expect_check
from lstm_widgets.running import texts
from lstm_widgets.running.held import Held, standard_held
from lstm_widgets.running.pieces import PROBED, in_pieces
from lstm_widgets.running.predictions import Guesses, expect_symbols
from lstm_widgets.running.reading import Reading
from lstm_widgets.running.run import prepared, read
from lstm_widgets.running.selection import Selection
from lstm_widgets.running.session import Session
from lstm_widgets.tokens.vocabulary import Encoding

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    import numpy.typing as npt

    from lstm_widgets.models.adapter import Adapter, Run
    from lstm_widgets.recording import Recording
    from lstm_widgets.tokens.vocabulary import Vocabulary

    Ids = npt.NDArray[np.int64]

__all__ = ["Generation", "generate"]


@dataclass(frozen=True)
class Generation:
    """A text that a model has continued, and the recording of it.

    Attributes
    ----------
    text : str
        The continuation, without the prompt. Words (of a ``TextVectorization`` that splits at
        whitespace, or a vocabulary mostly of several characters and nowhere of whitespace) are
        joined with spaces.
    tokens : tuple of str
        The tokens of the continuation.
    ids : int64 array (length,)
        Their ids.
    probabilities : float32 array (length, symbols)
        The probability that the model gave each symbol before each token was drawn, at temperature 1.
    recording : Recording
        The prompt and the continuation, with the most probable next tokens at each timestep.
    """

    text: str
    tokens: tuple[str, ...]
    ids: npt.NDArray[np.int64]
    probabilities: npt.NDArray[np.float32]
    recording: Recording


def generate(
    model: Any,
    prompt: str | Sequence[str] | npt.NDArray[Any],
    length: int,
    *,
    vocabulary: Any,
    unknown: int | str | None = None,
    window: int | None = None,
    pad: int | str | None = None,
    state: str | None = None,
    temperature: float = 1.0,
    seed: int | np.random.Generator | None = None,
    top_k: int | None = None,
    stop: int | str | Sequence[int | str] | None = None,
    output: str | int | None = None,
    encode: Callable[[npt.NDArray[np.int64]], Any] | None = None,
    held: Held | Sequence[Held] | None = None,
    check: Check = "prefix",
    tolerance: float | None = None,
) -> Generation:
    r"""Continue a text, one token after the other, each drawn from what the model predicts.

    The model is called once for the prompt (several times for a long one) and once for each token.
    It is recorded and checked on the way, as by :func:`lstm_widgets.record`.

    Parameters
    ----------
    model : keras.Model or torch.nn.Module
        A model as for :func:`lstm_widgets.record`, whose outputs ``(..., symbols)`` are
        probabilities, log-probabilities or logits of the next token.
    prompt : str, sequence of str, or int array (n,)
        What the text begins with: a str, a sequence of tokens, or ids ``(n,)``.
    length : int
        How many tokens to write; with ``stop``, at most.
    vocabulary : sequence of str, mapping of str to int, or keras layer
        What ids stand for, as for :func:`lstm_widgets.record`: one token for each output symbol.
    window : int, optional
        None: the model reads each token once, with its states carried on. (Of a model with custom
        code, as every module has, it is first tested that random tokens read in pieces give what they
        give at once.) W: for each token, it reads the last W from its initial states.
    unknown : int or str, optional
        The id or token that stands for what isn't in the vocabulary, as for
        :func:`lstm_widgets.record`.
    pad : int or str, optional
        The id or token that the text is padded with at its beginning, as for
        :func:`lstm_widgets.record`; a prompt may then be shorter than the window.
    state : str, optional
        The argument by which a PyTorch module takes its states, as for :func:`lstm_widgets.record`.
    temperature : float, default 1.0
        Tokens are drawn with probabilities proportional to those of the model to the power of
        ``1 / temperature``; 0 takes the most probable one.
    seed : int or numpy.random.Generator, optional
        A seed or a generator, which makes the text reproducible: each token costs one
        ``generator.choice(symbols, p=...)``.
    top_k : int, optional
        How many of the most probable tokens to keep at each timestep of the recording. Default: 5,
        or all that the vocabulary has.
    stop : str, int, or sequence of these, optional
        What the continuation ends with, as soon as it is written: a token, its id, or a text of
        several tokens (``"\n\n"``); or several of these, of which the first that is written ends
        the continuation.
    output : str or int, optional
        Which output predicts the next token, of a model with several: its name or its index.
    encode : callable, optional
        From ids, int64 ``(example, timestep)``, to what the model is called with. Default: ids,
        one-hot vectors, or ids scaled to ``id / len(vocabulary)``, by the shape of the model's input.
        A model with several inputs needs a function that makes all of them, each with as many
        examples as the ids: ``encode=lambda ids: [ids, other(ids)]``.
    held : Held or sequence of Held, optional
        Cells to hold at a value, also while the prompt is read, see :class:`lstm_widgets.Held`.
    check, tolerance : optional
        The self-check, as for :func:`lstm_widgets.record`. A
        :class:`lstm_widgets.errors.SelfCheckError` keeps what was written.

    Returns
    -------
    Generation

    Raises
    ------
    TypeError
        If ``model`` is none of a framework that is known, or an argument is of the wrong type.
    ValueError
        If the prompt is empty, shorter than the window without ``pad``, or has tokens that aren't in
        the vocabulary without ``unknown``; if the model doesn't predict the tokens of the vocabulary,
        or can't read token by token (then ``window`` is needed); if it has several inputs and
        ``encode`` doesn't make them; or if ``stop`` can't be written.
    UnsupportedLayerError, SelfCheckError
        As from :func:`lstm_widgets.record`.

    Warns
    -----
    UserWarning
        If it was interrupted; what was written until then is returned.

    Examples
    --------
    >>> import keras, lstm_widgets as lw
    >>> model = keras.Sequential(
    ...     [
    ...         keras.Input((None,)),
    ...         keras.layers.Embedding(4, 8),
    ...         keras.layers.LSTM(8, return_sequences=True),
    ...         keras.layers.Dense(4, activation="softmax"),
    ...     ]
    ... )
    >>> made = lw.generate(model, "ab", 40, vocabulary="abc.", seed=0, stop=".")
    >>> len(made.text) == 40 or made.text.endswith(".")
    True
    """
    adapter = adapter_of(model, state=state)
    expect_check(check, tolerance)
    for argument, number in (("length", length), ("window", window), ("top_k", top_k)):
        expect_positive(argument, number)
    if not 0 <= temperature < np.inf:
        raise ValueError(f"temperature: expected a finite number from 0 on, got {temperature!r}")
    names = standard_vocabulary(vocabulary, unknown)
    if names is None:
        raise TypeError("vocabulary: expected a list or dict, because a text is written; got None")
    chosen = Output(adapter, output)
    symbols = expect_symbols(chosen, top_k or 1)
    if symbols is not None:
        _expect_named(symbols, names)
    top_k = min(5, names.size) if top_k is None else top_k
    ending = _Ending(stop, names)
    writer = _Writer(
        adapter,
        _standard_prompt(prompt, names),
        length=int(length),
        names=names,
        window=window,
        pad=pad,
        encode=encode,
        top_k=top_k,
        output=chosen,
        held=standard_held(held),
        check=check,
        tolerance=tolerance,
    )
    try:
        writer.write(temperature, np.random.default_rng(seed), ending)
    except SelfCheckError as error:
        if writer.done:
            error.keep(writer.generation())
        raise
    return writer.generation()


class _Writer:
    """A model that reads what has been written, and what there is of it."""

    def __init__(
        self,
        model: Adapter,
        prompt: tuple[npt.NDArray[np.object_], Ids],
        *,
        length: int,
        names: Vocabulary,
        window: int | None,
        pad: int | str | None,
        encode: Callable[[Ids], Any] | None,
        top_k: int,
        output: Output,
        held: Sequence[Held],
        check: Check,
        tolerance: float | None,
    ) -> None:
        self._model = model
        #: How many tokens there are, read and recorded.
        self.done = 0
        self._output = output
        self._run: Run | None = None
        self._names = names
        self._prompt_tokens, ids = prompt
        self.begun = len(ids)
        self.ids = np.concatenate([ids, np.full(length, -1, np.int64)])
        self.probabilities: list[npt.NDArray[np.float32]] = []
        if window is not None and window > self.begun and pad is None:
            raise ValueError(
                f"window: expected at most the {self.begun} tokens of the prompt, got {window}; pad= "
                "puts padding before it"
            )
        mode: Any = "pieces" if window is None else "windows"
        padding = 0 if pad is None else (window or 1) - 1
        self._reading = Reading(mode, len(self.ids), window or 1, padding, pad)
        self._encoding = Encoding.of(model.input_shape, names.size)
        self._encode = encode
        inputs = model.inputs
        if encode is None and len(inputs) > 1:
            shapes = ", ".join(f"{each.name!r} {each.shape}" for each in inputs)
            raise ValueError(
                f"encode: expected a function, because the model has {len(inputs)} inputs ({shapes}) "
                "and the text is one: encode=lambda ids: [ids, other(ids)] makes all of them of ids "
                "(example, timestep); got None"
            )
        if encode is None and model.reads_strings:
            raise ValueError(
                "encode: expected a function from ids to strings, because the model takes strings "
                "and generates ids; got None"
            )
        if encode is None and self._encoding is None:
            raise ValueError(
                "encode: expected a function of ids, because the model takes neither ids, nor "
                f"one-hot vectors of length {names.size}, nor scaled ids; got None"
            )
        self._expect_readable(window)
        self._pad = self._standard_pad(pad, window)
        model.build(self._input(self._behind_padding(ids)[None, : window or 1]))
        self._selection = Selection(model.layers, None, None)
        self._prescribed = model.batch_size
        self._size = texts.standard_size(
            self._reading, self._selection.found, self._prescribed, None
        )
        self._session = Session(
            self._selection,
            self._reading,
            check,
            tolerance,
            every_output=window is None,
            held=(held,),
        )
        self._guesses = Guesses(
            top_k,
            self._reading,
            self.ids[None].copy(),
            names,
            output=output,
            activation=self._activation,
            symbols=len(names.tokens),
            text=True,
        )

    def _activation(self) -> str:
        """Tell the last activation of the output, while the model is ready to run."""
        assert self._run is not None  # noqa: S101
        return self._run.activation(self._output, self._batch(0, self._prescribed or 1))

    def _standard_pad(self, pad: Any, window: int | None) -> int:
        """Tell the id of padding; -1 for a vector of zeros."""
        if pad is None:
            return -1
        if window is None:
            raise ValueError(
                f"pad: expected None, because without window= nothing is padded; got {pad!r}"
            )
        if isinstance(pad, str):
            if self._names.has(pad):
                return self._names.id_of(pad)
            vectors = self._encode is None and self._encoding and self._encoding.kind != "ids"
            if pad == "zero" and vectors:
                return -1
        if not is_whole(pad) or not 0 <= pad < len(self._names.tokens):
            raise ValueError(
                f"pad: expected a token of the vocabulary or an id from 0 to "
                f"{len(self._names.tokens) - 1} ('zero' for a vector of zeros, of a model that takes "
                f"vectors); got {pad!r:.80}"
            )
        return int(pad)

    def _behind_padding(self, ids: Ids) -> Ids:
        padded: Ids = texts.behind(np.array(self._pad), self._reading.padding, ids[None])[0]
        return padded

    def _expect_readable(self, window: int | None) -> None:
        shape = self._model.input_shape
        length = None if shape is None else shape[1]
        if window is not None and length not in (None, window):
            raise ValueError(f"window: the model takes {length} timesteps, got {window}")
        problem = texts.obstacle(self._model, self._in_pieces) if window is None else ""
        if problem:
            Selection(self._model.layers, None, None)  # which says of any layer that it has no loop
            raise ValueError(
                f"model: {problem} cannot read a text token by token; "
                f"window={length or '...'} writes with the last tokens only"
            )

    def _in_pieces(self) -> str:
        """Let the model read any tokens at once and in pieces; say how that differs."""
        ids = np.random.default_rng(0).integers(0, len(self._names.tokens), (1, PROBED))
        self._model.build(self._input(self.ids[None, : self.begun]))
        return in_pieces(self._model, lambda start, stop: self._input(ids[:, start:stop]))

    def write(self, temperature: float, rng: np.random.Generator, ending: _Ending) -> None:
        """Write until an end or an interruption."""
        from tqdm.auto import tqdm  # noqa: PLC0415

        before = self._reading.before
        progress = tqdm(range(self.begun, len(self.ids)), desc="writing", unit="token", leave=False)
        with prepared(self._model, self._session) as self._run, progress:
            try:
                for start in range(0, self.begun - before, self._size):
                    stop = min(start + self._size, self.begun - before)
                    probabilities = self._read(start, stop)
                self.done = self.begun
                for t in progress:
                    chosen = _draw(probabilities, temperature, rng)
                    self.ids[t] = chosen
                    self.probabilities.append(probabilities)
                    self._guesses.hit(t - 1, probabilities[chosen])
                    probabilities = self._read(t - before, t - before + 1)
                    self.done = t + 1
                    if ending.reached(chosen):
                        break
            except KeyboardInterrupt:
                if not self.done:
                    raise
                warnings.warn(
                    f"interrupted: {self.done - self.begun} of {len(self.ids) - self.begun} tokens "
                    "have been generated",
                    stacklevel=3,
                )

    def generation(self) -> Generation:
        """Hand over what has been written."""
        written = slice(self.begun, self.done)
        ids = self.ids[written]
        tokens = self.tokens(self.done)
        return Generation(
            text=self._names.spelling.join(tokens[written]),
            tokens=tuple(tokens[written]),
            ids=ids,
            probabilities=np.array(self.probabilities[: len(ids)], np.float32),
            recording=self.recording(self.done, tokens),
        )

    def _read(self, start: int, stop: int) -> npt.NDArray[np.float32]:
        """Let the model read more; return the probabilities of what comes next."""
        assert self._run is not None  # noqa: S101  (the model is ready)
        outputs = read(self._run, self._batch(start, stop), start, stop, self._session)
        values = self._guesses.take(outputs, start, stop, self._session.last_mask)
        last: npt.NDArray[np.float32] = values.reshape(-1, values.shape[-1])[-1]
        _expect_named(len(last), self._names)
        if not np.isfinite(last).all():
            raise ValueError(f"model: its outputs are not finite, at position {stop - 1}")
        return last

    def _batch(self, start: int, stop: int) -> Any:
        ids = self._behind_padding(self.ids)
        return self._input(texts.batches(ids[None], self._reading, self._prescribed)(start, stop))

    def _input(self, ids: Ids) -> Any:
        if self._encode is not None:
            return self._expect_fit(self._encode(ids), len(ids))
        assert self._encoding is not None  # noqa: S101  (refused before)
        return self._encoding.write(ids)

    def _expect_fit(self, encoded: Any, count: int) -> Any:
        """Check what was made of ids, as far as a model tells what it takes."""
        several = isinstance(encoded, (list, tuple, Mapping))
        arrays = list(encoded.values()) if isinstance(encoded, Mapping) else encoded
        arrays = arrays if several else [encoded]
        expected = len(self._model.inputs)
        if expected and len(arrays) != expected:
            raise ValueError(
                f"encode: expected {expected} arrays, one for each input of the model, got "
                f"{len(arrays)}"
            )
        for k, values in enumerate(arrays):
            shape = tuple(np.shape(values))
            if shape[:1] != (count,):
                where = f"array {k}" if several else "the array"
                raise ValueError(
                    f"encode: expected as many examples as of ids, {count}, got {where} of shape "
                    f"{shape}"
                )
        return encoded

    def tokens(self, done: int) -> list[str]:
        """Name what there is."""
        written = self._names.decode(self.ids[self.begun : done])
        return [*self._prompt_tokens.tolist(), *written.tolist()]

    def recording(self, done: int, tokens: list[str]) -> Recording:
        """Hand over what was recorded."""
        total = done - self._reading.before
        missing = len(self.ids) - len(tokens)
        return self._session.recording(
            *(self._model, total, [tokens + [""] * missing]),
            predictions=self._guesses.recorded(total),
        )


class _Ending:
    """What a continuation ends with: some sequences of ids, or some pieces of text.

    Where tokens are words, a text is one of whole words.
    """

    def __init__(self, given: Any, names: Vocabulary) -> None:
        self._tokens = [str(token) for token in names.tokens]
        spelling = names.spelling
        self._words = spelling.kind == "words"
        self._said = [
            " " * (spelling.apart and spelling.begins(token)) + spelling.text(token)
            for token in self._tokens
        ]
        self._sequences: list[list[int]] = []
        self._texts: list[str] = []
        if isinstance(given, (list, tuple, set, frozenset, np.ndarray)):
            if not len(given):
                raise ValueError("stop: expected at least one token, or None; got an empty list")
            for each in given:
                self._add(each)
        elif given is not None:
            self._add(given)
        self._before = max(map(len, self._texts), default=1) - 1
        self._ids: list[int] = []
        self._text = ""

    def _add(self, stop: Any) -> None:
        count = len(self._tokens)
        if is_whole(stop):
            if not 0 <= stop < count:
                raise ValueError(f"stop: expected ids from 0 to {count - 1}, got {stop}")
            self._sequences.append([int(stop)])
            return
        if not isinstance(stop, str) or not stop:
            raise TypeError(
                f"stop: expected a token, an id, a text, or several of these; got {stop!r:.80}"
            )
        if stop in self._tokens or self._words:
            words = [stop] if stop in self._tokens else stop.split(" ")
            for word in words:
                if word not in self._tokens:
                    raise ValueError(f"stop: {word!r} in {stop!r} is not in the vocabulary")
            self._sequences.append([self._tokens.index(word) for word in words])
            return
        never = [character for character in stop if not any(character in t for t in self._said)]
        if never:
            raise ValueError(f"stop: {never[0]!r} in {stop!r} is in no token of the vocabulary")
        self._texts.append(stop)

    def reached(self, written: int) -> bool:
        """Take one more token; tell whether the continuation ends with it."""
        self._ids.append(written)
        said = self._said[written]
        self._text = (self._text + said)[-(self._before + len(said)) :]
        return any(self._ids[-len(ids) :] == ids for ids in self._sequences) or any(
            text in self._text for text in self._texts
        )


def _expect_named(symbols: int, names: Vocabulary) -> None:
    """Refuse a vocabulary that isn't that of the model's outputs."""
    if symbols != len(names.tokens):
        raise ValueError(
            f"vocabulary: expected tokens for the model's {symbols} symbols, "
            f"got {len(names.tokens)}"
        )


def _standard_prompt(prompt: Any, names: Vocabulary) -> tuple[npt.NDArray[np.object_], Ids]:
    if texts.is_written(prompt):
        tokens, ids = names.encode(prompt, "prompt")
    else:
        given = np.asarray(prompt)
        if given.ndim != 1 or (given.size and given.dtype.kind not in "iu"):
            raise TypeError(f"prompt: expected a str, tokens or ids (n,), got {prompt!r:.80}")
        ids = given.astype(np.int64)
        for k in np.flatnonzero((ids < 0) | (ids >= len(names.tokens)))[:1]:
            raise ValueError(
                f"prompt: id {ids[k]} at position {k} is not in the vocabulary of "
                f"{len(names.tokens)} tokens"
            )
        tokens = names.decode(ids)
    if not len(ids):
        raise ValueError("prompt: expected at least one token, got an empty one")
    return tokens, ids


def _draw(
    probabilities: npt.NDArray[np.float32], temperature: float, rng: np.random.Generator
) -> int:
    if not temperature:
        return int(probabilities.argmax())
    with np.errstate(divide="ignore"):
        logits = np.log(probabilities.astype(np.float64))
    with np.errstate(over="ignore"):
        weights = np.exp((logits - logits.max()) / temperature)
    return int(rng.choice(len(weights), p=weights / weights.sum()))
