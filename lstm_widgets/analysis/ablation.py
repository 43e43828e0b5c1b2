# Models, and what they read and return, are of many types: Any.
# ruff: noqa: ANN401
"""What a model loses when some of its cells are held at a value.

A cell whose values follow a concept need not be used by the model. Holding it still, at every
timestep, and running the model again tells: by how much its loss rises, where, and which of its
guesses change. It is the test of Lakretz et al. 2019, *The emergence of number and syntax units in
LSTM language models* (arXiv:1903.07435), who fixed cells at zero.
"""

from __future__ import annotations

import functools
import warnings
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
import xarray as xr

from lstm_widgets.concepts.core import tracks
from lstm_widgets.models.adapter import adapter_of
from lstm_widgets.models.inputs import DEFAULT_BATCH_SIZE, expect_positive, mapped
from lstm_widgets.models.outputs import Output
from lstm_widgets.recording import predictions_dataset
from lstm_widgets.rnn.comparison import Check, expect_check
from lstm_widgets.running.given import Given
from lstm_widgets.running.held import Held, Holding, parts_of
from lstm_widgets.running.predictions import (
    Guesses,
    are_logits,
    expect_probability,
    placed,
)
from lstm_widgets.running.run import prepared, read
from lstm_widgets.running.selection import Selection
from lstm_widgets.running.session import Session

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence

    import numpy.typing as npt
    import pandas as pd

    from lstm_widgets.concepts.core import Concepts
    from lstm_widgets.models.adapter import Adapter, Run
    from lstm_widgets.recording import RecordedPredictions, Recording
    from lstm_widgets.running.session import Reading

    Floats = npt.NDArray[np.float32]
    Ids = npt.NDArray[np.int64]
    Loss = Callable[[Any, Any], Any]
    Value = (
        Literal["zero", "mean"]
        | float
        | Sequence[float]
        | npt.NDArray[np.floating[Any]]
        | Callable[[Floats], float]
    )

__all__ = ["Ablation", "ablate"]

# Values of a layer or of outputs, and losses, that are in memory at a time.
_VALUES = 1 << 24
# Cells that are held one after the other run at once up to so many, so that progress is seen.
_MOST_COPIES = 32
# A sigmoid in float32 tells no smaller probability of the other class; Keras clips there too.
_SMALLEST = 1e-7


@dataclass(frozen=True)
class Ablation:
    """What :func:`ablate` has found.

    Attributes
    ----------
    table : pandas.DataFrame
        One row for each run with cells held, in the order of the cells. ``layer``, ``signal``;
        ``cell`` and ``value``, of several that are held together tuples; ``loss``, the mean loss of
        the model as it is, ``loss_held``, that with the cells held, and ``change``, the second
        minus the first; ``changed_guesses``, the share of the most probable symbols that became
        others (NaN for a model that predicts none). Then, for each concept c, the mean change at
        timesteps where it holds, ``c``, and at those where it doesn't, ``not c``.
    timesteps : xarray.Dataset, optional
        Dimensions ``(example, timestep)``: ``loss`` and ``loss_held``, float32, NaN where nothing
        is known. If the model predicts symbols, also the variables of
        :attr:`lstm_widgets.Recording.predictions`, and the same with the cells held, their names
        ending in ``_held``. None with ``each=True``.
    recording : Recording
        The model as it is: the signal of the layer whose cells are held.
    """

    table: pd.DataFrame
    timesteps: xr.Dataset | None
    recording: Recording

    def _repr_html_(self) -> str:
        return str(self.table.to_html(float_format="{:.4f}".format))


def ablate(
    model: Any,
    inputs: Any,
    cells: int | Sequence[int] | npt.NDArray[np.integer[Any]] | None = None,
    value: Value = "zero",
    *,
    layer: str | None = None,
    signal: str = "hidden_state",
    concepts: Concepts | None = None,
    each: bool = False,
    targets: Any = None,
    loss: str | Loss | None = None,
    output: str | int | None = None,
    top_k: int = 5,
    window: int | None = None,
    pad: Any = None,
    vocabulary: Any = None,
    unknown: int | str | None = None,
    tokens: Any = None,
    batch_size: int | None = None,
    check: Check = "prefix",
    tolerance: float | None = None,
) -> Ablation:
    """Run a model with some of its cells held at a value, and tell what that costs.

    The model is run as it is, recorded and checked as by :func:`lstm_widgets.record`, and then with
    the cells held at every timestep that is no padding. Its states and weights are as they were
    found afterwards.

    Parameters
    ----------
    model, inputs, window, pad, vocabulary, unknown, tokens, check, tolerance : as for record
        As for :func:`lstm_widgets.record`.
    cells : int or sequence of int, optional
        One cell, or several. None, with ``each``: all of the layer.
    value : {"zero", "mean"}, float, sequence of float, or callable, default "zero"
        What they are held at: ``"zero"``; ``"mean"``, each at the mean of what it does otherwise; a
        number, or one for each cell (a sequence, an array); or a function that makes the number of a
        cell's values,
        float32 ``(n,)``, at all timesteps that are no padding (``numpy.median``, for example).
    layer : str, optional
        The recurrent layer, as it is called in a recording. Default: the first.
    signal : str, default "hidden_state"
        The signal that is held: the hidden state, the cell state or a gate.
    concepts : Concept, sequence of Concept, or mapping, optional
        Yes-or-no concepts, as for ``lstm_widgets.concepts.tracks``: the change of the loss is also
        told for the timesteps where each holds and for those where it doesn't.
    each : bool, default False
        Hold one cell after the other instead of all together; many of them run at once, as more
        examples of a batch.
    targets : array, optional
        What the model should give. Default: the next token, of a model with one output for each
        timestep, or of one that reads windows. Otherwise classes, ``(example,)`` or ``(example,
        timestep)``, -1 where there is none; with ``loss`` an array of what that takes: of a forecast
        numbers of the outputs' shape (a last axis of length 1 may be left out), NaN where there is
        none.
    loss : str, object or callable, optional
        The name of a loss of Keras (``"mse"``, ``"mae"``, ``"huber"``, ...), one of its loss objects,
        or a function of targets and outputs that gives one loss for each example, or for each of its
        timesteps, as those of Keras do. Default: cross-entropy, of outputs that are probabilities
        or logits of the symbols; of a model with a single sigmoid (or a single linear output, if it
        was compiled with a loss that takes it for a logit), that of its probability of class 1,
        which counts as no smaller than 1e-7.
    output : str or int, optional
        Which output the loss is of, of a model with several: its name or its index.
    top_k : int, default 5
        How many of the most probable symbols to keep at each timestep.
    batch_size : int, optional
        How many examples (of a text: timesteps, or windows) run at a time, of each copy.

    Returns
    -------
    Ablation

    Raises
    ------
    TypeError, ValueError
        If an argument doesn't fit the model or the inputs.
    UnsupportedLayerError, SelfCheckError
        As from :func:`lstm_widgets.record`.

    Warns
    -----
    UserWarning
        If it was interrupted; the table then has the cells that were done.

    Examples
    --------
    >>> found = lw.ablate(model, "abcab", [0, 1], vocabulary="abc")
    >>> found.table[["layer", "cell"]].values.tolist()
    [['lstm', (0, 1)]]
    """
    adapter = adapter_of(model)
    expect_check(check, tolerance)
    for argument, number in (("batch_size", batch_size), ("window", window), ("top_k", top_k)):
        expect_positive(argument, number)
    if cells is None and not each:
        raise ValueError("cells: expected one or several, or each=True for all; got None")
    given = Given(
        adapter,
        inputs,
        window=window,
        pad=pad,
        vocabulary=vocabulary,
        unknown=unknown,
        tokens=tokens,
        needs_ids=True,
    )
    runs = _Runs(adapter, given, layer, signal, batch_size)
    scores = _Scores(
        given,
        runs.reading,
        targets,
        None if loss is None else adapter.loss_function(loss),
        output=Output(adapter, output),
        activation=runs.last_activation,
        top_k=top_k,
    )
    chosen = Held(range(runs.units) if cells is None else cells, 0.0, runs.layer, signal)
    runs.expect(chosen)  # before anything runs

    before, recording = runs.as_it_is(scores, tokens is not None, check, tolerance)
    numbers = _numbers(value, chosen.cells, recording[runs.layer], signal)
    where = _where(concepts, recording, runs.layer, before.known)
    if not each:
        held = Held(chosen.cells, numbers, runs.layer, signal)
        after = runs.together(held, scores)
        table = _table([held], [_row(before, after, 0, where)])
        return Ablation(table, _timesteps(before, after, recording, runs.layer), recording)
    several = [
        Held(cell, number, runs.layer, signal)
        for cell, number in zip(chosen.cells, numbers, strict=True)
    ]
    rows = []
    for after, copies in runs.one_by_one(several, scores):
        rows += [_row(before, after, copy, where) for copy in range(copies)]
    return Ablation(_table(several, rows), None, recording)


@dataclass
class _Outcome:
    """What has come out of copies of the inputs, each with other cells held.

    Attributes
    ----------
    loss : float32 array (copy, example, timestep)
        ``(copy, example, timestep)``, NaN where nothing is known.
    best : int32 array (copy, example, timestep), optional
        The most probable symbols, likewise, -1 where there is none; None if the model predicts
        none.
    known : bool array (example, timestep)
        Where there is a target and no padding, ``(example, timestep)``.
    guesses : Guesses, optional
        The most probable symbols and their probabilities, if there is a single copy.
    predictions : RecordedPredictions, optional
        What is recorded of them in the end.
    """

    loss: Floats
    best: npt.NDArray[np.int32] | None
    known: npt.NDArray[np.bool_]
    guesses: Guesses | None = None
    predictions: RecordedPredictions | None = None


class _Scores:
    """What is made of the model's outputs: losses, and the most probable symbols."""

    def __init__(
        self,
        given: Given,
        reading: Reading,
        targets: Any,
        loss: Loss | None,
        *,
        output: Output,
        activation: Callable[[Output], str],
        top_k: int,
    ) -> None:
        self._given = given
        self._reading = reading
        self._loss = loss
        self._output = output
        self._activation = functools.cache(lambda: activation(output))
        self._top_k = top_k
        self.symbols = 1  # values of each output, known after the first call
        self._logits: bool | None = None
        self._targets: Any = None
        self._next_tokens = targets is None
        if targets is None and loss is not None:
            raise ValueError("targets: expected what the loss takes, got None")
        if targets is not None:
            self._targets = self._standard(np.asarray(targets))

    def _standard(self, targets: npt.NDArray[Any]) -> npt.NDArray[Any]:
        """Check targets, and give those of a text the axis of the examples."""
        if self._loss is None and targets.dtype.kind not in "biu":
            raise TypeError(
                f"targets: expected classes (whole numbers), got dtype {targets.dtype}; other "
                "targets need a loss"
            )
        length = self._reading.count
        if self._given.text and targets.shape[:1] == (length,) and targets.shape[:2] != (1, length):
            targets = targets[None]
        if not targets.ndim or len(targets) != self._given.examples:
            raise ValueError(
                f"targets: expected one for each of {self._given.examples} examples, or for each "
                f"of its timesteps; got shape {targets.shape}"
            )
        return np.asarray(self._given.in_order(targets))

    def take(
        self,
        outcome: _Outcome | None,
        outputs: Any,
        part: tuple[int, int],
        mask: npt.NDArray[np.bool_],
        copies: int,
    ) -> _Outcome:
        """Add what came out of one call of the model."""
        chosen = self._output.of(outputs)
        if len(chosen.shape) not in (2, 3):
            raise ValueError(
                "model: expected an output (example, timestep, symbol) or (example, symbol), got "
                f"shape {tuple(chosen.shape)}"
            )
        if self._given.text and self._reading.mode != "windows" and len(chosen.shape) == 2:
            raise ValueError(
                "inputs: expected a batch, or a window=, because the model has one output for each "
                "example; got a text"
            )
        half = chosen.dtype.name == "bfloat16"
        values = chosen.astype(np.float32)
        for copy, rows in enumerate(np.split(values, copies)):
            output, place, timesteps = placed(rows, self._reading, part, mask)
            if outcome is None:
                outcome = self._room(output, copies, timesteps)
            if self._logits is None and self._loss is None:
                if output.shape[-1] > 1:
                    self._logits = are_logits(output, half=half)
                else:
                    self._logits = expect_probability("loss", self._output, self._activation())
            known, losses = self._losses(output, place, part, outcome.loss.shape[1:])
            outcome.known[place] = known
            outcome.loss[copy][place] = np.where(known, losses, np.nan)
            if outcome.best is not None:
                outcome.best[copy][place] = output.argmax(axis=-1)
        assert outcome is not None  # noqa: S101  (there is at least one copy)
        if outcome.guesses is not None:
            outcome.guesses.take(outputs, *part, mask)
        return outcome

    def end(self, outcome: _Outcome, mask: npt.NDArray[np.bool_], done: int) -> _Outcome:
        """Leave out padding, and what comes next where that is padding."""
        if mask.shape == outcome.known.shape:
            outcome.known &= mask
            if self._next_tokens:
                outcome.known[:, :-1] &= mask[:, 1:]
        if not outcome.known.any():
            raise ValueError(
                "targets: expected at least one where the model has an output, got none"
            )
        outcome.loss[:, ~outcome.known] = np.nan
        kept = self._reading.done(done)
        outcome.loss, outcome.known = outcome.loss[:, *kept], outcome.known[kept]
        if outcome.best is not None:
            outcome.best = outcome.best[:, *kept]
        if outcome.guesses is not None:
            outcome.predictions = outcome.guesses.recorded(done)
        return outcome

    def _room(self, output: Floats, copies: int, timesteps: int) -> _Outcome:
        axes = self._reading.shape(timesteps)
        room = _Outcome(
            loss=np.full((copies, *axes), np.nan, np.float32),
            best=None,
            known=np.zeros(axes, np.bool_),
        )
        self.symbols = symbols = int(output.shape[-1])
        if self._loss is None and symbols > 1:
            room.best = np.full((copies, *axes), -1, np.int32)
            if copies == 1:
                room.guesses = Guesses(
                    min(self._top_k, symbols),
                    self._reading,
                    self._given.ids,
                    self._given.names,
                    output=self._output,
                    activation=self._activation,
                    symbols=self._given.symbols,
                    text=self._given.text,
                )
        return room

    def _losses(
        self,
        output: Floats,
        place: tuple[Any, ...],
        part: tuple[int, int],
        axes: tuple[int, ...],
    ) -> tuple[Any, Any]:
        """Compute the losses of one copy, and tell where they are known."""
        single = self._reading.mode == "examples" and output.ndim == 2
        if self._loss is not None:
            targets = self._targets[slice(*part)] if single else self._targets[place]
            losses = np.asarray(self._loss(targets, output), np.float32)
            if losses.shape != output.shape[:-1]:
                raise ValueError(
                    f"loss: expected one number for each output, shape {output.shape[:-1]}; got "
                    f"shape {losses.shape}"
                )
            known = np.ones(losses.shape, np.bool_)
            if targets.dtype.kind == "f" and targets.shape[: losses.ndim] == losses.shape:
                known = ~np.isnan(targets).any(axis=tuple(range(losses.ndim, targets.ndim)))
            return known, losses
        if self._targets is None:
            self._targets = self._next(output, single, axes)
        targets = self._targets
        if targets.ndim == 1:
            targets = np.broadcast_to(targets[:, None], axes)
        if targets.shape != axes:
            raise ValueError(
                f"targets: expected shape {axes} (example, timestep) or {axes[:1]}, got "
                f"{targets.shape}"
            )
        ids = targets[place]
        classes = max(2, output.shape[-1])
        if (ids >= classes).any():
            raise ValueError(f"targets: expected classes below {classes}, got {ids.max()}")
        known = ids >= 0
        return known, self._cross_entropy(output, np.where(known, ids, 0))

    def _next(self, output: Floats, single: bool, axes: tuple[int, ...]) -> Ids:
        """Tell the next token at each timestep, -1 where there is none."""
        ids = self._given.ids
        symbols = self._given.symbols
        if single or ids is None or ids.shape != axes or symbols not in (None, output.shape[-1]):
            raise ValueError(
                "targets: expected what the model should give, because its outputs "
                f"(of shape {output.shape}) aren't predictions of the next token; got None"
            )
        return np.concatenate([ids[:, 1:], np.full((len(ids), 1), -1)], axis=1)

    def _cross_entropy(self, output: Floats, ids: Any) -> Any:
        if output.shape[-1] == 1:
            probability = output[..., 0]
            if self._logits:
                with np.errstate(over="ignore"):
                    return np.log1p(np.exp(np.where(ids == 1, -probability, probability)))
            of_target = np.where(ids == 1, probability, 1 - probability)
            return -np.log(np.maximum(of_target, _SMALLEST))
        of_target = np.take_along_axis(output, ids[..., None].astype(np.intp), -1)[..., 0]
        with np.errstate(divide="ignore", invalid="ignore"):
            if not self._logits:
                return -np.log(of_target)
            highest = output.max(axis=-1)
            total = np.exp(output - highest[..., None]).sum(axis=-1)
            return np.log(total) + highest - of_target


class _Runs:
    """A model that reads the same inputs again and again, each time with other cells held."""

    def __init__(
        self, model: Adapter, given: Given, layer: str | None, signal: str, batch_size: int | None
    ) -> None:
        model.build(given.first(batch_size or DEFAULT_BATCH_SIZE))
        self._model = model
        self._given = given
        self._found = model.layers
        runnable = [one for one in self._found if not one.problem]
        if layer is None and runnable:
            layer = runnable[0].units[0]
        self._selection = Selection(self._found, layer, signal)
        parts = parts_of(runnable, layer)
        self.layer = layer or parts[0].name
        self.units = sum(part.units for part in parts)
        self.reading = given.reading()
        self._batch, self._size = given.batches(self.reading, batch_size)
        self._prescribed = model.batch_size
        self._copy_values = 0  # what one copy of the inputs needs at a time
        self._running: Run | None = None

    def last_activation(self, output: Output) -> str:
        """Tell the last activation of an output, while the model is prepared to run."""
        assert self._running is not None  # noqa: S101  (asked by what it gives)
        return self._running.activation(output, self._batch(0, self._prescribed or 1))

    def expect(self, held: Held) -> None:
        """Refuse to hold what the model doesn't have."""
        Holding(self._selection.found, [[held]])

    def as_it_is(
        self, scores: _Scores, named: bool, check: Check, tolerance: float | None
    ) -> tuple[_Outcome, Recording]:
        """Run the model with nothing held, checked, and record the layer.

        ``named`` tells whether the tokens were given, and so have to fit.
        """
        session = Session(
            *(self._selection, self.reading, check, tolerance), every_output=self._pieces
        )
        outcome = self._run(session, scores, "running the model")
        if named:
            session.expect_tokens(self._given.tokens)
        total = self.reading.total
        rows = min(self._size, total)
        if self.reading.mode != "pieces":
            rows *= session.timesteps
            rows = min(rows, self._size * self.reading.window) if self.reading.window > 1 else rows
        widest = max(part.units for part in parts_of(self._selection.found, self.layer))
        self._copy_values = max(rows * max(widest, scores.symbols), outcome.loss.size)
        recording = session.recording(
            self._model, total, self._given.tokens, None, outcome.predictions
        )
        return outcome, recording

    def together(self, held: Held, scores: _Scores) -> _Outcome:
        """Run it with some cells held."""
        return self._run(self._holding([[held]]), scores, "holding cells")

    def one_by_one(
        self, several: Sequence[Held], scores: _Scores
    ) -> Iterator[tuple[_Outcome, int]]:
        """Run it with one after the other held, as many at a time as there is room for.

        Tells what came of them and how many they are. An interruption ends it early.
        """
        from tqdm.auto import tqdm  # noqa: PLC0415

        copies = self._copies(len(several))
        progress = tqdm(total=len(several), desc="holding cells", unit="cell", leave=False)
        with progress:
            for first in range(0, len(several), copies):
                some = several[first : first + copies]
                # As many every time, so that nothing is compiled for the last few.
                filled = [*some, *([some[-1]] * (copies - len(some)))]
                try:
                    outcome = self._run(self._holding([[held] for held in filled]), scores, "")
                except KeyboardInterrupt:
                    warnings.warn(
                        f"interrupted: {first} of {len(several)} cells are done", stacklevel=3
                    )
                    return
                yield outcome, len(some)
                progress.update(len(some))

    @property
    def _pieces(self) -> bool:
        return self.reading.mode == "pieces"

    def _holding(self, copies: Sequence[Sequence[Held]]) -> Session:
        # The layers were checked when nothing was held.
        selection = Selection(self._found, self.layer, None, keep=False)
        return Session(selection, self.reading, False, None, every_output=self._pieces, held=copies)

    def _copies(self, wanted: int) -> int:
        """Tell how many copies of the inputs run at once."""
        if self._prescribed:
            return 1
        return max(1, min(wanted, _MOST_COPIES, _VALUES // max(1, self._copy_values)))

    def _run(self, session: Session, scores: _Scores, doing: str) -> _Outcome:
        from tqdm.auto import tqdm  # noqa: PLC0415

        copies = session.holding.copies
        total = self.reading.total
        parts: Any = self.reading.parts(self._size)
        if doing and len(parts) > 1:
            parts = tqdm(parts, desc=doing, unit="batch", leave=False)
        outcome: _Outcome | None = None
        with prepared(self._model, session) as self._running:
            for start, stop in parts:
                batch = self._batch(start, stop)
                if copies > 1:
                    batch = mapped(lambda v: np.concatenate([v] * copies), batch)
                outputs = read(self._running, batch, start, stop, session)
                outcome = scores.take(outcome, outputs, (start, stop), session.last_mask, copies)
        assert outcome is not None  # noqa: S101  (there is at least one call)
        return scores.end(outcome, session.last_mask, total)


# What is asked, and what is told ------------------------------------------------------------------


def _numbers(value: Value, cells: Sequence[int], layer: xr.Dataset, signal: str) -> list[float]:
    """Tell at what each cell is held."""
    if isinstance(value, str):
        if value not in ("zero", "mean"):
            raise ValueError(
                f"value: expected 'zero', 'mean', a number, one for each cell or a function; got "
                f"{value!r}"
            )
        if value == "zero":
            return [0.0] * len(cells)
    elif not callable(value):
        return list(Held(cells, value).value)
    function = np.mean if isinstance(value, str) else value
    values = layer[signal].to_numpy()
    real = layer["mask"].to_numpy() if "mask" in layer else np.ones(values.shape[:2], np.bool_)
    numbers = [np.asarray(function(values[real, cell])) for cell in cells]
    for number in numbers:
        if number.shape or number.dtype.kind not in "biuf":
            raise TypeError(f"value: expected a function that gives a number, got {number!r:.80}")
    return [float(number) for number in numbers]


def _where(
    concepts: Any, recording: Recording, layer: str, known: npt.NDArray[np.bool_]
) -> dict[str, npt.NDArray[np.bool_]]:
    """Tell at which timesteps each concept holds, and at which it doesn't."""
    where: dict[str, npt.NDArray[np.bool_]] = {}
    if concepts is None:
        return where
    for name, track in tracks(recording, concepts, layer=layer).data_vars.items():
        if track.attrs["kind"] != "yes_no":
            raise ValueError(f"concepts: expected yes or no, got the numbers of {name!r}")
        if track.shape != known.shape:
            raise ValueError(
                f"concepts: layer {layer!r} has tracks of shape {track.shape}, the loss is of shape "
                f"{known.shape}"
            )
        where[str(name)] = known & (track.to_numpy() == 1)
        where[f"not {name}"] = known & (track.to_numpy() == 0)
    return where


def _row(
    before: _Outcome,
    after: _Outcome,
    copy: int,
    where: Mapping[str, npt.NDArray[np.bool_]],
) -> dict[str, float]:
    known = before.known
    one, other = before.loss[0].astype(np.float64), after.loss[copy].astype(np.float64)
    with np.errstate(invalid="ignore"):  # infinite both times
        change = other - one
        row = {
            "loss": float(one[known].mean()),
            "loss_held": float(other[known].mean()),
            "change": float(change[known].mean()),
        }
    changed = np.nan
    if before.best is not None and after.best is not None:
        changed = float((before.best[0] != after.best[copy])[known].mean())
    row["changed_guesses"] = changed
    for name, places in where.items():
        row[name] = float(change[places].mean()) if places.any() else np.nan
    return row


def _table(several: Sequence[Held], rows: Sequence[Mapping[str, float]]) -> pd.DataFrame:
    import pandas as pd  # noqa: PLC0415  (`import lstm_widgets` must not need it)

    def plain(values: tuple[Any, ...]) -> Any:
        return values[0] if len(values) == 1 else values

    return pd.DataFrame(
        [
            {
                "layer": held.layer,
                "signal": held.signal,
                "cell": plain(held.cells),
                "value": plain(held.value),
                **row,
            }
            for held, row in zip(several, rows, strict=False)  # fewer if it was interrupted
        ]
    )


def _timesteps(before: _Outcome, after: _Outcome, recording: Recording, layer: str) -> xr.Dataset:
    """Put both losses and both predictions side by side."""
    axes = ("example", "timestep")
    result = xr.Dataset({"loss": (axes, before.loss[0]), "loss_held": (axes, after.loss[0])})
    if recording.predictions is not None and after.predictions is not None:
        held = predictions_dataset(after.predictions, recording.predictions.sizes["example"])
        names = {str(name): f"{name}_held" for name in held.data_vars}
        result = result.merge(recording.predictions).merge(held.rename(names))
    dataset = recording[layer]
    if "token" in dataset.coords and dataset["token"].shape == before.known.shape:
        result = result.assign_coords(token=(axes, dataset["token"].to_numpy()))
    return result
