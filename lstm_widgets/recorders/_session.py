# Keras has no types, so what comes from it is Any.
# ruff: noqa: ANN401
"""What is kept while the model runs."""

from __future__ import annotations

import contextlib
import functools
import importlib.metadata
import itertools
import json
import warnings
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

import numpy as np

from lstm_widgets.recorders._check import (
    CHECKED_TIMESTEPS,
    TOLERANCES,
    Check,
    OwnLoop,
    RecordingError,
    difference,
    windows_to_check,
)
from lstm_widgets.recorders._layers import (
    Found,
    Selection,
    UnsupportedLayerError,
    load_keras,
    without_call,
)
from lstm_widgets.recorders.held import Held, Holding
from lstm_widgets.recording import RecordedLayer, RecordedPredictions, Recording
from lstm_widgets.recurrence import SIGNALS, STATES, Cell, Holds, scan, scan_last

if TYPE_CHECKING:
    import numpy.typing as npt


# From so many bytes NumPy asks for large pages.
_LARGE_BYTES = 1 << 22


class SymbolicCallError(Exception):
    """A layer was called inside a tf.function, where there are no values yet."""


@dataclass(frozen=True)
class Reading:
    """How what the model reads in its calls stands in the recording.

    Attributes
    ----------
    mode
        ``"examples"``: each call reads some of the examples. ``"pieces"``: each call reads a piece
        of one long example, and goes on from the states in which the call before ended.
        ``"windows"``: each call reads some of a text's windows; of each only the state at its end
        is kept, at the timestep of its last token.
    count
        The number of examples, or of timesteps of the text.
    window
        The number of timesteps of a window.
    padding
        How many timesteps of padding stand in front of the text.
    pad
        What it was said to be.
    lengths
        Of examples that are read without padding, each call those of one length: their lengths,
        the longest first, in the order in which they are read.
    order
        Which of the examples each of these is.
    """

    mode: Literal["examples", "pieces", "windows"]
    count: int
    window: int = 1
    padding: int = 0
    pad: Any = None
    lengths: npt.NDArray[np.intp] | None = None
    order: npt.NDArray[np.intp] | None = None

    @property
    def before(self) -> int:
        """How many timesteps of the text have no window."""
        return self.window - 1 - self.padding

    @property
    def total(self) -> int:
        """How many examples, timesteps or windows there are to be read."""
        return self.count - self.before

    def parts(self, size: int) -> list[tuple[int, int]]:
        """Cut the total into what is read in one call each: from where to where."""
        ends = [0, max(self.total, 1)]
        if self.lengths is not None:
            ends = [0, *(np.flatnonzero(np.diff(self.lengths)) + 1).tolist(), self.count]
        return [
            (start, min(start + size, self.total, stop))
            for begin, stop in itertools.pairwise(ends)
            for start in range(begin, stop, size)
        ]

    def shape(self, timesteps: int) -> tuple[int, int]:
        """Tell the recording's numbers of examples and timesteps, of a call's timesteps."""
        return (self.count, timesteps) if self.mode == "examples" else (1, self.count)

    def place(self, start: int, stop: int, timesteps: int) -> tuple[Any, ...]:
        """Index what ``start`` to ``stop`` of the total are in the recording."""
        if self.mode == "examples":
            return (slice(start, stop), slice(0, timesteps))
        if self.mode == "pieces":
            return (slice(None), slice(start, stop))
        return (0, slice(start + self.before, stop + self.before))

    def done(self, total: int) -> tuple[Any, ...]:
        """Index that part of the recording that is there after ``total``, examples in order."""
        if self.order is not None:
            return (np.argsort(self.order[:total]),)
        if self.mode == "examples":
            return (slice(total),)
        return (slice(None), slice(total + self.before))

    def describe(self, total: int) -> str:
        """Say how much is there after ``total``."""
        what = "examples" if self.mode == "examples" else "timesteps"
        return f"{total + self.before} of {self.count} {what}"


@dataclass
class Unit:
    """What is kept of one call of one cell."""

    name: str
    kind: str
    layer: Any
    signals: dict[str, npt.NDArray[np.float32]]
    mask: npt.NDArray[np.bool_]
    tolerance: float
    difference: float = 0.0
    checked_examples: int = 0
    checked_timesteps: int = 0
    held: bool = False  # whether cells of it are, so that the layer's own loop gives something else
    reached: int = 0  # first example of the last batch in which the model called it

    @property
    def timesteps(self) -> int:
        return int(self.mask.shape[1])


@dataclass
class _Run:
    """One cell's way through one call: what it reads, and what has come of it."""

    x: Any  # tensor (example, timestep, features) of the cell's dtype
    real: npt.NDArray[np.bool_] | None
    reverse: bool
    state: list[Any]
    out: dict[str, Any]  # signals, at every timestep or, of windows, at their end
    hidden: Any  # (example, timestep, cell), if the model goes on with it
    held: Holds | None = None


class Session:
    """One run of :func:`record`: what has been kept so far."""

    def __init__(
        self,
        selection: Selection,
        reading: Reading,
        check: Check,
        tolerance: float | None,
        *,
        every_output: bool = False,
        held: Sequence[Sequence[Held]] = ((),),
    ) -> None:
        self.selection = selection
        self.holding = Holding(selection.found, held)
        self.reading = reading
        self.check = check
        self.tolerance = tolerance
        # Whether layers that return their last output only are to return that of every timestep.
        self.every_output = every_output
        # How examples overlap, as `lstm_widgets.overlap` describes it; None where that isn't known.
        self.overlap: dict[str, Any] | None = None
        self.units: dict[str, Unit] = {}
        self.symbolic = ""  # a layer that was called in a graph, where there are no values yet
        self.untraced = False  # whether the model's own tf.functions have to run as Python
        self._outputs_difference = 0.0
        self._active = True
        self._start = self._stop = 0
        self._calls: dict[str, int] = {}
        # Of each call of a layer, with the pieces of a text: the states in which the piece before
        # ended, those in which this one does, and whether anything but padding was read so far.
        self._carried: dict[tuple[str, int], list[Any]] = {}
        self._ended: dict[tuple[str, int], list[Any]] = {}
        self._begun: set[tuple[str, int]] = set()
        self.began_in_padding = False  # a piece in which a layer's own loop would return zeros

    def begin(self, start: int, stop: int) -> None:
        """Announce the examples that the next call of the model is about."""
        self._start, self._stop = start, stop
        self._calls = {}
        self.symbolic = ""
        self.began_in_padding = False

    @property
    def last_mask(self) -> npt.NDArray[np.bool_]:
        """Which timesteps of the model's last recurrent layer are no padding, as far as read."""
        return self._ordered()[-1].mask

    def missed(self) -> list[str]:
        """Name the layers to keep that the last call of the model didn't reach, or not by value."""
        return [
            one.name
            for one in self.selection.found
            if one.name not in self._calls and any(map(self.selection.keeps, one.units))
        ]

    def end(self) -> None:
        """Check that the call of the model reached the same layers as the calls before it."""
        for unit in self.units.values():
            if unit.reached != self._start:
                raise UnsupportedLayerError(
                    f"model: layer {unit.name!r} is called for some examples only "
                    f"(not for {self._start} to {self._stop - 1})"
                )
        for name in self.holding.layers:
            if name not in self.units:
                raise ValueError(f"held: the model doesn't call its layer {name!r}")

    def go_on(self) -> None:
        """Let the next piece of a text start from where this one ended."""
        if self.reading.mode == "pieces":
            self._carried |= self._ended

    @contextlib.contextmanager
    def paused(self) -> Iterator[None]:
        """Let the layers run their own loops."""
        self._active = False
        calls, self._calls = self._calls, {}
        try:
            yield
        finally:
            self._active = True
            self._calls = calls

    def loop(self, one: Found) -> Any:
        """Make the loop that stands in for the layer's own."""

        def inner_loop(
            sequences: Any,
            initial_state: Any,
            mask: Any,
            training: bool = False,  # noqa: ARG001  (inference only)
        ) -> tuple[Any, Any, Any]:
            call = self._calls.get(one.name, 0) + 1
            if (one.name, call) in self._carried:
                initial_state = load_keras().tree.pack_sequence_as(
                    initial_state, self._carried[one.name, call]
                )
            if not self._active:
                self._calls[one.name] = call
                return type(one.layer).inner_loop(  # type: ignore[no-any-return]
                    one.layer, sequences, initial_state, mask, training=False
                )
            return self._record(one, call, sequences, initial_state, mask)

        return inner_loop

    def _record(
        self, one: Found, call: int, sequences: Any, initial_state: Any, mask: Any
    ) -> tuple[Any, Any, Any]:
        import tensorflow as tf  # noqa: PLC0415

        tree = load_keras().tree
        if not tf.executing_eagerly():
            self.symbolic = one.name
            raise SymbolicCallError
        self._calls[one.name] = call
        layer = one.layer
        self._expect_shape(one.name, int(sequences.shape[0]), int(sequences.shape[1]))
        real = None if mask is None else mask_array(tree.flatten(mask)[0])
        cells = layer.cell.cells if len(one.kinds) > 1 or is_stack(layer) else [layer.cell]
        states = tree.flatten(initial_state)
        position = 0
        x = sequences
        run = _Run(x, real, bool(layer.go_backwards), [], {}, None)
        new_states: list[Any] = []
        kept: list[tuple[Unit, int, dict[str, Any]]] = []
        for cell, kind, unit_name in zip(cells, one.kinds, one.units, strict=True):
            name = unit_name
            if call > 1:
                name = f"{one.name}:{call}{unit_name[len(one.name) :]}"
            unit = self._unit(name, kind, layer, cell, (int(x.shape[1]), int(cell.units)))
            unit.reached = self._start
            held = self.holding.of(name, int(x.shape[0]))
            unit.held = held is not None
            run = _Run(
                x=tf.cast(x, cell.compute_dtype),
                real=real,
                reverse=bool(layer.go_backwards),
                state=[tf.cast(s, cell.compute_dtype) for s in states[position:][: STATES[kind]]],
                out={},
                hidden=None,
                held=held,
            )
            if self.reading.mode == "windows":
                self._scan_windows(unit, read_cell(kind, cell), run, layer, cell is cells[-1])
            else:
                self._scan(unit, read_cell(kind, cell), run)
            if real is not None:
                self._keep_mask(unit, real)
            kept.append((unit, position, run.out))
            new_states += run.state
            position += STATES[kind]
            if cell is not cells[-1]:
                x = tf.convert_to_tensor(run.hidden)
        if self.check and not any(unit.held for unit, _, _ in kept):
            compare = self._compare_ends if self.reading.mode == "windows" else self._compare_layer
            compare(layer, sequences, initial_state, real, kept)

        dtype = cells[-1].compute_dtype
        begun = (one.name, call) in self._begun
        if self.reading.mode == "pieces":
            self._ended[one.name, call] = new_states
            if real is None or real.any():
                self._begun.add((one.name, call))
        packed = tree.pack_sequence_as(initial_state, new_states)
        if layer.return_sequences:
            if begun and real is not None and not real[:, 0].all():
                self.began_in_padding = True
            outputs = tf.cast(as_returned(run.hidden, real, layer, begun=begun), dtype)
            # Keras doesn't look at the last output of a layer that returns all.
            return new_states[-STATES[one.kinds[-1]]], outputs, packed
        last = np.asarray(new_states[-STATES[one.kinds[-1]]])
        final = tf.cast(last_as_returned(last, real, layer, begun=begun), dtype)
        return final, final[:, None], packed

    def _expect_shape(self, name: str, examples: int, timesteps: int) -> None:
        """Notice when the axes of what a layer receives aren't what was put into the model."""
        mode = self.reading.mode
        expected = self.holding.copies * (1 if mode == "pieces" else self._stop - self._start)
        # The last call may be filled up, to a prescribed number of windows.
        fits = examples >= expected if mode == "windows" else examples == expected
        if not fits:
            raise UnsupportedLayerError(
                f"model: layer {name!r} cannot be recorded: its first axis is no longer the "
                f"examples (expected {expected}, got {examples})"
            )
        if mode == "pieces" and timesteps != self._stop - self._start:
            raise UnsupportedLayerError(
                f"model: layer {name!r} cannot be recorded piece by piece: it gets {timesteps} of "
                f"{self._stop - self._start} timesteps"
            )

    def _scan(self, unit: Unit, cell: Cell, run: _Run) -> None:
        """Run a cell straight into the room of its signals."""
        place = self.reading.place(self._start, self._stop, int(run.x.shape[1]))
        run.out |= {name: array[place] for name, array in unit.signals.items()}
        double = run.x.dtype.name == "float64"
        if double or "hidden_state" not in run.out:
            # The model goes on with it, in full precision, even if it isn't kept.
            shape = (*run.x.shape[:2], cell.units)
            run.out["hidden_state"] = np.empty(shape, np.float64 if double else np.float32)
        run.state = scan(
            cell, run.x, run.state, run.real, run.out, reverse=run.reverse, held=run.held
        )
        run.hidden = run.out["hidden_state"]
        if double and "hidden_state" in unit.signals:
            unit.signals["hidden_state"][place] = run.hidden

    def _scan_windows(self, unit: Unit, cell: Cell, run: _Run, layer: Any, last: bool) -> None:
        """Run a cell over windows, and keep the signals at their ends."""
        shape = (*(int(n) for n in run.x.shape[:2]), cell.units)
        double = run.x.dtype.name == "float64"
        if layer.return_sequences or not last:
            run.hidden = np.empty(shape, np.float64 if double else np.float32)
        ends, run.state = scan_last(
            cell,
            run.x,
            run.state,
            run.real,
            names=tuple(unit.signals),
            hidden=run.hidden,
            reverse=run.reverse,
            held=run.held,
        )
        run.out |= ends
        place = self.reading.place(self._start, self._stop, 1)
        for name, values in ends.items():
            unit.signals[name][place] = values[: self._stop - self._start]

    def _keep_mask(self, unit: Unit, real: npt.NDArray[np.bool_]) -> None:
        real = real[: len(real) // self.holding.copies]
        if self.reading.mode == "windows":
            real = real[: self._stop - self._start, -1]
        unit.mask[self.reading.place(self._start, self._stop, real.shape[-1])] = real

    def _unit(self, name: str, kind: str, layer: Any, cell: Any, shape: tuple[int, int]) -> Unit:
        """Find what is kept under a name; in the first batch, make room for it."""
        unit = self.units.get(name)
        if unit is None:
            if self._start:
                raise UnsupportedLayerError(
                    f"model: layer {name!r} is called for some examples only "
                    f"(not for 0 to {self._start - 1})"
                )
            tolerance = self.tolerance
            if tolerance is None:
                tolerance = TOLERANCES.get(cell.compute_dtype, TOLERANCES["float32"])
            names = self.selection.signals(name, kind)
            axes = self.reading.shape(shape[0])
            signals = _room(names, (*axes, shape[1]))
            mask = np.ones(axes, np.bool_)
            if self.reading.mode == "windows":
                # These timesteps have no window.
                for values in signals.values():
                    values[:, : self.reading.before] = np.nan
                mask[:, : self.reading.before] = False
            unit = self.units[name] = Unit(name, kind, layer, signals, mask, tolerance)
        elif self.reading.mode == "examples" and unit.timesteps != shape[0]:
            if self.reading.lengths is None or unit.timesteps < shape[0]:
                raise UnsupportedLayerError(
                    f"model: layer {name!r} has {unit.timesteps} timesteps for the first examples "
                    f"and {shape[0]} for others; record them separately"
                )
            behind = (slice(self._start, self._stop), slice(shape[0], None))
            for values in unit.signals.values():
                values[behind] = np.nan
            unit.mask[behind] = False
        return unit

    # The self-check -------------------------------------------------------------------------------

    def _compare_layer(
        self,
        layer: Any,
        sequences: Any,
        initial_state: Any,
        real: npt.NDArray[np.bool_] | None,
        kept: Sequence[tuple[Unit, int, dict[str, Any]]],
    ) -> None:
        """Hold what our loop gave against the layer's own loop."""
        import tensorflow as tf  # noqa: PLC0415

        tree = load_keras().tree
        examples, timesteps = int(sequences.shape[0]), int(sequences.shape[1])
        if not examples or not timesteps:
            return
        if self.check == "full":
            rows, length = np.arange(examples), timesteps
            starts = np.zeros(examples, int)
        else:
            length = min(timesteps, CHECKED_TIMESTEPS)
            rows, starts = windows_to_check(real, examples, timesteps, length, layer.go_backwards)
        # Positions in the order in which the layer reads, then as indices into its input.
        positions = starts[:, None] + np.arange(length)
        if layer.go_backwards:
            positions = timesteps - 1 - positions
        order = np.sort(positions, axis=1)
        ends = positions[:, -1]
        x, state = sequences, initial_state
        if len(rows) < examples or length < timesteps:
            x = tf.constant(np.asarray(sequences)[rows[:, None], order])
            state = tree.map_structure(lambda s: tf.constant(np.asarray(s)[rows]), initial_state)
        window = None if real is None else real[rows[:, None], order]
        outputs, states = OwnLoop.of(layer)(x, state, window, traced=self.check == "full")

        last_unit, _, last_out = kept[-1]
        hidden = last_out["hidden_state"][rows[:, None], order]
        self._note(last_unit, as_returned(hidden, window, layer), outputs, rows, length)
        for unit, position, out in kept:
            for k in range(STATES[unit.kind]):
                signal = SIGNALS[unit.kind][k]
                if signal in out:
                    ours = out[signal][rows, ends]
                    self._note(unit, ours, states[position + k], rows, length)
            self._note_checked(unit, len(rows), length)

    def _compare_ends(
        self,
        layer: Any,
        sequences: Any,
        initial_state: Any,
        real: npt.NDArray[np.bool_] | None,
        kept: Sequence[tuple[Unit, int, dict[str, Any]]],
    ) -> None:
        """Hold the states at the ends of windows against those of the layer's own loop."""
        import tensorflow as tf  # noqa: PLC0415

        examples, timesteps = int(sequences.shape[0]), int(sequences.shape[1])
        rows = np.arange(examples)
        x, state, window = sequences, initial_state, real
        if self.check != "full":
            rows, _ = windows_to_check(real, examples, timesteps, timesteps, layer.go_backwards)
            x = tf.gather(x, rows)
            state = load_keras().tree.map_structure(lambda s: tf.gather(s, rows), state)
            window = None if real is None else real[rows]
        _, states = OwnLoop.of(layer)(x, state, window, traced=self.check == "full")
        for unit, position, ends in kept:
            for k in range(STATES[unit.kind]):
                signal = SIGNALS[unit.kind][k]
                if signal in ends:
                    self._note(unit, ends[signal][rows], states[position + k], rows, timesteps)
            self._note_checked(unit, len(rows), timesteps)

    def _note_checked(self, unit: Unit, examples: int, timesteps: int) -> None:
        if self.reading.mode == "pieces":
            unit.checked_examples = 1
            unit.checked_timesteps += timesteps
        else:
            unit.checked_examples += examples
            unit.checked_timesteps = timesteps

    def _note(self, unit: Unit, ours: Any, theirs: Any, rows: Any, length: int) -> None:
        found = difference(ours, theirs)
        unit.difference = max(unit.difference, found)
        if found > unit.tolerance:
            raise RecordingError(
                f"layer {unit.name!r}: the recording differs by {found:.3g} from what the "
                f"layer itself computes, more than the tolerance of {unit.tolerance:.3g} "
                f"(compared: {len(rows)} examples, {length} timesteps)"
            )

    def compare_outputs(self, ours: Any, theirs: Any) -> None:
        """Hold the model's outputs with our loops against those without."""
        tree = load_keras().tree
        tolerance = max(unit.tolerance for unit in self.units.values()) if self.units else 0.0
        pairs = zip(tree.flatten(ours), tree.flatten(theirs), strict=True)
        for k, (a, b) in enumerate(pairs):
            found = difference(a, b)
            self._outputs_difference = max(self._outputs_difference, found)
            if found > tolerance:
                raise RecordingError(
                    f"the model's output {k} differs by {found:.3g} from that of the model "
                    f"itself, more than the tolerance of {tolerance:.3g}"
                )

    # What comes out -------------------------------------------------------------------------------

    def expect_tokens(self, tokens: Any) -> None:
        """Check that tokens fit the layers' numbers of timesteps, as soon as these are known."""
        if tokens is None:
            return
        lengths = {name: unit.timesteps for name, unit in self.units.items() if unit.signals}
        if isinstance(tokens, Mapping):
            for name, named in tokens.items():
                called = {u.timesteps for n, u in self.units.items() if name in _names_of(n)}
                if not called:
                    every = dict.fromkeys(
                        n for unit in self.selection.known for n in _names_of(unit)[::-1]
                    )
                    if name in every:
                        continue  # it isn't called, or can't be recorded
                    raise ValueError(
                        f"tokens: expected names among {', '.join(map(repr, every))}; got {name!r}"
                    )
                given = {len(row) for row in named}
                if len(given) > 1 or not given <= called:
                    raise ValueError(
                        f"tokens[{name!r}]: expected {_counts(called)} tokens for each example, "
                        f"got {_counts(given)}"
                    )
            return
        given = {len(row) for row in tokens}
        if given and (len(given) > 1 or not given & set(lengths.values())):
            known = ", ".join(f"{name!r} has {n}" for name, n in lengths.items())
            raise ValueError(
                f"tokens: expected as many for each example as a layer has timesteps ({known}); "
                f"got {_counts(given)}"
            )

    def recording(
        self,
        model: Any,
        done: int,
        tokens: Any,
        labels: Any,
        predictions: RecordedPredictions | None,
    ) -> Recording:
        """Hand over what was kept of the first ``done`` of the reading's total."""
        missed = self.missed()
        if missed:
            warnings.warn(
                f"not recorded, because the model didn't call them: {', '.join(missed)}",
                stacklevel=3,
            )
        kept = self.reading.done(done)
        layers = [self._recorded(unit, kept, tokens) for unit in self._ordered() if unit.signals]
        if not layers:
            raise ValueError("layers, signals: no layer that was called has any of these signals")
        return Recording.from_layers(
            layers,
            labels=None if labels is None else [str(label) for label in _picked(labels, kept[0])],
            attrs=self._attrs(model),
            predictions=predictions,
        )

    def _ordered(self) -> list[Unit]:
        """Sort the units as the model has them, repeated calls behind the first."""
        order = [unit for one in self.selection.found for unit in one.units]
        return sorted(self.units.values(), key=lambda unit: order.index(without_call(unit.name)))

    def _recorded(self, unit: Unit, kept: tuple[slice, ...], tokens: Any) -> RecordedLayer:
        rows = tokens
        if isinstance(tokens, Mapping):
            rows = next((tokens[n] for n in _names_of(unit.name) if n in tokens), None)
        array = None
        picked = None if rows is None else _picked(rows, kept[0])
        if picked is not None and all(len(row) == unit.timesteps for row in picked):
            array = np.empty((len(picked), unit.timesteps), object)
            for k, row in enumerate(picked):
                array[k] = row
            array = array[:, *kept[1:]]
        mask = unit.mask[kept]
        padded = not mask.all()
        return RecordedLayer(
            name=unit.name,
            kind=unit.kind,
            signals={name: values[kept] for name, values in unit.signals.items()},
            mask=mask if padded else None,
            tokens=array,
            check={
                "difference": unit.difference,
                "tolerance": unit.tolerance,
                "mode": "none" if unit.held else self.check or "none",
                "examples": unit.checked_examples,
                "timesteps": unit.checked_timesteps,
            },
            config=_plain_config(unit.layer),
            go_backwards=bool(unit.layer.go_backwards),
        )

    def _attrs(self, model: Any) -> dict[str, Any]:
        attrs = {"model": model.name, "model_config": _plain_config(model), "versions": _versions()}
        if self.reading.mode == "windows":
            attrs["window"] = self.reading.window
            if self.reading.padding:
                attrs |= {"padding": self.reading.padding, "pad": _plain_pad(self.reading.pad)}
        if self.overlap is not None:
            attrs["overlap"] = self.overlap
        if self.holding.layers:
            attrs["held"] = self.holding.described
        elif self.check == "full":
            attrs["outputs_difference"] = self._outputs_difference
        return attrs


def _plain_pad(pad: Any) -> Any:
    return pad if isinstance(pad, str) else np.asarray(pad).tolist()


def _names_of(unit: str) -> list[str]:
    """List the names by which a unit may be meant, the closest first.

    ``"bi/forward:2"`` is also meant by ``"bi/forward"`` and ``"bi"``.
    """
    parts = without_call(unit).split("/")
    wider = ["/".join(parts[:k]) for k in range(len(parts), 0, -1)]
    return list(dict.fromkeys([unit, *wider]))


def _picked(rows: Sequence[Any], index: Any) -> list[Any]:
    return [rows[k] for k in np.arange(len(rows))[index]]


def _room(names: Sequence[str], shape: tuple[int, ...]) -> dict[str, npt.NDArray[np.float32]]:
    """Make room for signals, backed by large pages: many small ones cost as much as computing."""
    if np.prod(shape) * 4 < _LARGE_BYTES:
        return dict(zip(names, np.empty((len(names), *shape), np.float32), strict=True))
    # Each of its own: what was freed before can serve again, and what is kept keeps no others.
    return {name: np.empty(shape, np.float32) for name in names}


def is_stack(layer: Any) -> bool:
    return isinstance(layer.cell, load_keras().layers.StackedRNNCells)


def read_cell(kind: str, cell: Any) -> Cell:
    """Read a Keras cell, in the dtype in which it computes."""
    import tensorflow as tf  # noqa: PLC0415

    activations = load_keras().activations

    def tensor(variable: Any) -> Any:
        return None if variable is None else tf.cast(variable.value, cell.compute_dtype)

    def name(function: Any) -> str | None:
        given = getattr(function, "__name__", "")
        return given if getattr(activations, given, None) is function else None

    recurrent_activation = getattr(cell, "recurrent_activation", cell.activation)
    return Cell(
        kind=kind,
        kernel=tensor(cell.kernel),
        recurrent_kernel=tensor(cell.recurrent_kernel),
        bias=tensor(cell.bias),
        activation=cell.activation,
        recurrent_activation=recurrent_activation,
        activation_names=(name(cell.activation), name(recurrent_activation)),
        reset_after=bool(getattr(cell, "reset_after", False)),
    )


def mask_array(mask: Any) -> npt.NDArray[np.bool_]:
    array = np.asarray(mask).astype(np.bool_)
    return array[..., 0] if array.ndim == 3 else array


def as_returned(hidden: Any, real: Any, layer: Any, *, begun: bool = False) -> Any:
    """Make of hidden states what the layer returns: its reading order, its values at padding.

    Two habits of Keras are kept, for the rest of the model to get what it always gets: before the
    first real timestep there are zeros, even if the state started elsewhere (unless that timestep
    was in an earlier piece: ``begun``); and an unrolled layer that reads backwards takes its zeros
    for padding from the mask in its original order.
    """
    if layer.go_backwards:
        hidden = hidden[:, ::-1]
    if real is None:
        return np.ascontiguousarray(hidden)
    read = real[:, ::-1] if layer.go_backwards else real
    shown = np.logical_or.accumulate(read, axis=1) | begun
    if layer.zero_output_for_mask:
        shown = shown & (real if layer.unroll else read)
    return np.where(shown[..., None], hidden, np.zeros((), hidden.dtype))


def last_as_returned(last: Any, real: Any, layer: Any, *, begun: bool) -> Any:
    """Make of the last hidden states ``(example, cell)`` what the layer returns as its output."""
    if real is None:
        return last
    end = 0 if layer.go_backwards else -1
    shown = real[:, end] if layer.zero_output_for_mask else real.any(axis=1) | begun
    return np.where(shown[:, None], last, np.zeros((), last.dtype))


def _counts(lengths: set[int]) -> str:
    return " and ".join(map(str, sorted(lengths)[:4])) + (" and others" if len(lengths) > 4 else "")


def _plain_config(thing: Any) -> dict[str, Any]:
    try:
        config = thing.get_config()
        plain: dict[str, Any] = json.loads(json.dumps(config, default=str))
    except (NotImplementedError, TypeError, ValueError):
        return {}  # a subclassed model need not have one
    return plain


@functools.cache
def _versions() -> dict[str, str]:
    versions = {}
    for name in ("lstm-widgets", "keras", "tensorflow", "numpy"):
        with contextlib.suppress(importlib.metadata.PackageNotFoundError):
            versions[name] = importlib.metadata.version(name)
    return versions
