# Keras has no types, so what comes from it is Any.
# ruff: noqa: ANN401
"""What is kept while the model runs."""

from __future__ import annotations

import contextlib
import functools
import importlib.metadata
import itertools
import json
import types
import warnings
import weakref
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

import numpy as np

from lstm_widgets.errors import SelfCheckError, UnsupportedLayerError
from lstm_widgets.models.keras.cells import as_array, mask_array, read_cell
from lstm_widgets.models.keras.layers import Found, Selection, load_keras
from lstm_widgets.recording import RecordedLayer, RecordedPredictions, Recording
from lstm_widgets.recording.calls import all_named, call_name, is_part, split_call
from lstm_widgets.rnn.cells import SIGNALS, STATES, Cell
from lstm_widgets.rnn.scan import scan, scan_last
from lstm_widgets.running.held import Held, Holding
from lstm_widgets.running.self_check import (
    TOLERANCES,
    CellRun,
    Check,
    Compared,
    LayerCheck,
    difference,
)

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

    layer: str  # its name in a recording
    call: int
    kind: str
    found: Found
    signals: dict[str, npt.NDArray[np.float32]]
    mask: npt.NDArray[np.bool_]
    initial: dict[str, npt.NDArray[np.float32]]  # states that it starts from, by signal
    tolerance: float
    difference: float = 0.0
    checked_examples: int = 0
    checked_timesteps: int = 0
    held: bool = False  # whether cells of it are, so that the layer's own loop gives something else
    reached: int = 0  # first example of the last batch in which the model called it

    @property
    def name(self) -> str:
        """The name under which it is recorded, its call included."""
        return self.layer if self.call == 1 else call_name(self.layer, self.call)

    @property
    def timesteps(self) -> int:
        """How many timesteps were read."""
        return int(self.mask.shape[1])


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
        # How examples overlap, as `lstm_widgets.recording.overlap` describes it; None where that isn't known.
        self.overlap: dict[str, Any] | None = None
        self.units: dict[tuple[str, int], Unit] = {}
        self.symbolic = ""  # a layer that was called in a graph, where there are no values yet
        self.untraced = False  # whether the model's own tf.functions have to run as Python
        #: How much of the reading's total is there.
        self.done = 0
        #: Why the self-check failed, if it did.
        self.failure: SelfCheckError | None = None
        self._outputs_difference = 0.0
        self._drifted = False  # whether rounding grew beyond the tolerance in some layer
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
        units = list(self._layers().values())[-1]
        masks = [unit.mask for unit in units]
        # In a text, each call is about the same timesteps.
        return self._joined(masks) if self.reading.mode == "examples" else masks[-1]

    @property
    def timesteps(self) -> int:
        """How many the layer with most of them has, in all its calls."""
        return max(sum(unit.timesteps for unit in units) for units in self._layers().values())

    def missed(self) -> list[str]:
        """Name the layers to keep that the last call of the model didn't reach, or not by value."""
        found = self.selection.found
        # A cell that is stepped within a layer need not be stepped outside of it.
        inside = {id(cell) for one in found if not one.stepped for cell in one.cells}
        return [
            one.name
            for one in found
            if one.name not in self._calls
            and any(map(self.selection.keeps, one.units))
            and not (one.stepped and id(one.layer) in inside)
        ]

    def end(self) -> None:
        """Check that the call of the model reached the same layers as the calls before it."""
        for unit in self.units.values():
            if unit.reached != self._start:
                raise UnsupportedLayerError(
                    f"model: layer {unit.name!r} is called for some examples only "
                    f"(not for {self._start} to {self._stop - 1})"
                )
        layers = self._layers()
        for name, call in self.holding.layers:
            if name not in layers:
                raise ValueError(f"held: the model doesn't call its layer {name!r}")
            self._expect_call("held", name, call)
        for asked in self.selection.names:
            base, call = split_call(asked)
            for name in layers:
                if is_part(name, base) and self.selection.keeps(name):
                    self._expect_call("layers", name, call)

    def _expect_call(self, argument: str, name: str, call: int | None) -> None:
        calls = [unit.call for unit in self._layers()[name]]
        if call is not None and call not in calls:
            raise ValueError(
                f"{argument}: the model doesn't call its layer {call_name(name, call)!r}: expected "
                f"{all_named(name, calls)}"
            )

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
            time = self._calls.get(one.name, 0) + 1
            call = one.number(time)
            if (one.name, call) in self._carried:
                initial_state = load_keras().tree.pack_sequence_as(
                    initial_state, self._carried[one.name, call]
                )
            self._calls[one.name] = time
            if not self._active:
                return type(one.layer).inner_loop(  # type: ignore[no-any-return]
                    one.layer, sequences, initial_state, mask, training=False
                )
            return self._record(one, call, sequences, initial_state, mask)

        return inner_loop

    def step(self, one: Found) -> Any:
        """Make what stands in for the call of a cell that the model steps itself."""
        own = type(one.layer).call

        def call(inputs: Any, states: Any, training: bool = False) -> tuple[Any, Any]:  # noqa: ARG001
            wanted = self.selection.keeps(one.name) or any(
                name == one.name for name, _ in self.holding.layers
            )
            if not self._active or not wanted:
                return own(one.layer, inputs, states, training=False)  # type: ignore[no-any-return]
            time = self._calls[one.name] = self._calls.get(one.name, 0) + 1
            flat = load_keras().tree.flatten(states)
            hidden, _, new = self._record(one, one.number(time), inputs[:, None], flat, None)
            return hidden, new if load_keras().tree.is_nested(states) else new[0]

        return call

    def _record(
        self, one: Found, call: int, sequences: Any, initial_state: Any, mask: Any
    ) -> tuple[Any, Any, Any]:
        import tensorflow as tf  # noqa: PLC0415

        tree = load_keras().tree
        if not tf.executing_eagerly():
            self.symbolic = one.name
            raise SymbolicCallError
        self._expect_shape(one.name, int(sequences.shape[0]), int(sequences.shape[1]))
        real = None if mask is None else mask_array(tree.flatten(mask)[0])
        over_time = not one.stepped and one.layer.return_sequences
        cells = one.cells
        states = tree.flatten(initial_state)
        position = 0
        x = as_array(sequences)
        new_states: list[Any] = []
        kept: list[tuple[Unit, CellRun]] = []
        for k, (cell, kind) in enumerate(zip(cells, one.kinds, strict=True)):
            unit = self._unit(one, k, call, int(x.shape[1]))
            unit.reached = self._start
            held = self.holding.of(unit.layer, call, int(x.shape[0]))
            unit.held = held is not None
            run = CellRun(
                kind,
                cell,
                x=as_array(x, cell.compute_dtype),
                real=real,
                reverse=one.go_backwards,
                initial=[
                    as_array(s, cell.compute_dtype) for s in states[position:][: STATES[kind]]
                ],
                held=held,
            )
            self._keep_initial(unit, run.initial)
            last = cell is cells[-1]
            if self.reading.mode == "windows":
                self._scan_windows(
                    unit, read_cell(kind, cell), run, over_time=over_time or not last
                )
            else:
                self._scan(unit, read_cell(kind, cell), run)
            if real is not None:
                self._keep_mask(unit, real)
            kept.append((unit, run))
            new_states += run.state
            position += STATES[kind]
            if not last:
                x = run.hidden
        if self.check and sequences.shape[0] and not any(unit.held for unit, _ in kept):
            with self.paused():
                self._compare(one, kept, (sequences, initial_state, real))

        run, dtype = kept[-1][1], cells[-1].compute_dtype
        begun = (one.name, call) in self._begun
        new_states = [tf.cast(s, dtype) for s in new_states]
        if self.reading.mode == "pieces":
            self._ended[one.name, call] = new_states
            if real is None or real.any():
                self._begun.add((one.name, call))
        packed = tree.pack_sequence_as(initial_state, new_states)
        if over_time:
            if begun and real is not None and not real[:, 0].all():
                self.began_in_padding = True
            outputs = tf.cast(as_returned(run.hidden, real, one.layer, begun=begun), dtype)
            # Keras doesn't look at the last output of a layer that returns all.
            return new_states[-STATES[one.kinds[-1]]], outputs, packed
        end = run.state[0]
        final = tf.cast(last_as_returned(end, real, one.layer, begun=begun), dtype)
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

    def _scan(self, unit: Unit, cell: Cell, run: CellRun) -> None:
        """Run a cell straight into the room of its signals."""
        place = self.reading.place(self._start, self._stop, int(run.x.shape[1]))
        run.out |= {name: array[place] for name, array in unit.signals.items()}
        double = run.x.dtype == np.float64
        if double or "hidden_state" not in run.out:
            # The model goes on with it, in full precision, even if it isn't kept.
            shape = (*run.x.shape[:2], cell.units)
            run.out["hidden_state"] = np.empty(shape, np.float64 if double else np.float32)
        run.state = scan(
            cell, run.x, run.initial, run.real, run.out, reverse=run.reverse, held=run.held
        )
        run.hidden = run.out["hidden_state"]
        if double and "hidden_state" in unit.signals:
            unit.signals["hidden_state"][place] = run.hidden

    def _scan_windows(self, unit: Unit, cell: Cell, run: CellRun, *, over_time: bool) -> None:
        """Run a cell over windows, and keep the signals at their ends."""
        shape = (*(int(n) for n in run.x.shape[:2]), cell.units)
        double = run.x.dtype == np.float64
        if over_time:
            run.hidden = np.empty(shape, np.float64 if double else np.float32)
        ends, run.before, run.state = scan_last(
            cell,
            run.x,
            run.initial,
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

    def _keep_initial(self, unit: Unit, states: Sequence[Any]) -> None:
        """Keep the states that a call starts from.

        Of a text those before its first timestep, or those from which every window starts: none
        where windows start from different ones.
        """
        mode = self.reading.mode
        if mode == "pieces" and self._start:
            return
        for signal, state in zip(SIGNALS[unit.kind], states, strict=False):
            if signal not in unit.signals:
                continue
            rows = np.asarray(state).astype(np.float32)
            if mode == "examples":
                room = unit.initial.setdefault(
                    signal, np.zeros((len(unit.mask), rows.shape[1]), np.float32)
                )
                room[self._start : self._stop] = rows
            elif not self._start:
                unit.initial[signal] = rows[:1]
            if (
                mode == "windows"
                and signal in unit.initial
                and (rows != unit.initial[signal]).any()
            ):
                del unit.initial[signal]

    def _keep_mask(self, unit: Unit, real: npt.NDArray[np.bool_]) -> None:
        real = real[: len(real) // self.holding.copies]
        if self.reading.mode == "windows":
            real = real[: self._stop - self._start, -1]
        unit.mask[self.reading.place(self._start, self._stop, real.shape[-1])] = real

    def _unit(self, one: Found, k: int, call: int, timesteps: int) -> Unit:
        """Find what is kept of a call of a layer's k-th cell; in the first batch, make room."""
        name, kind, cell = one.units[k], one.kinds[k], one.cells[k]
        unit = self.units.get((name, call))
        if unit is None:
            if self._start:
                raise UnsupportedLayerError(
                    f"model: layer {name if call == 1 else call_name(name, call)!r} is called for "
                    f"some examples only (not for 0 to {self._start - 1})"
                )
            tolerance = self.tolerance
            if tolerance is None:
                tolerance = TOLERANCES.get(cell.compute_dtype, TOLERANCES["float32"])
            names = self.selection.signals(name, call, kind)
            axes = self.reading.shape(timesteps)
            signals = _room(names, (*axes, int(cell.units)))
            mask = np.ones(axes, np.bool_)
            if self.reading.mode == "windows":
                # These timesteps have no window.
                for values in signals.values():
                    values[:, : self.reading.before] = np.nan
                mask[:, : self.reading.before] = False
            unit = Unit(name, call, kind, one, signals, mask, {}, tolerance)
            self.units[name, call] = unit
        elif self.reading.mode == "examples" and unit.timesteps != timesteps:
            if self.reading.lengths is None or unit.timesteps < timesteps:
                raise UnsupportedLayerError(
                    f"model: layer {unit.name!r} has {unit.timesteps} timesteps for the first "
                    f"examples and {timesteps} for others; record them separately"
                )
            behind = (slice(self._start, self._stop), slice(timesteps, None))
            for values in unit.signals.values():
                values[behind] = np.nan
            unit.mask[behind] = False
        return unit

    # The self-check -------------------------------------------------------------------------------

    def _compare(self, one: Found, kept: Sequence[tuple[Unit, CellRun]], given: Any) -> None:
        """Hold what our loop gave against what the layer computes."""
        if not given[0].shape[1]:
            return
        check = LayerCheck(
            one,
            [run for _, run in kept],
            given,
            full=self.check == "full",
            returned=as_returned,
        )
        drifted = [self._note(kept[found.cell][0], found) for found in check.prefix()]
        for found in check.steps(drifted=any(drifted)):
            self._note(kept[found.cell][0], found)
        for unit, _ in kept:
            self._note_checked(unit, check.examples, check.timesteps)

    def _note_checked(self, unit: Unit, examples: int, timesteps: int) -> None:
        if self.reading.mode == "pieces":
            unit.checked_examples = 1
            unit.checked_timesteps += timesteps
        else:
            unit.checked_examples += examples
            unit.checked_timesteps = timesteps

    def _note(self, unit: Unit, compared: Compared) -> bool:
        """Take down a difference; tell whether only rounding explains it."""
        found = difference(compared.ours, compared.theirs)
        unit.difference = max(unit.difference, found)
        if found <= unit.tolerance:
            return False
        if compared.unexplained() > unit.tolerance:
            self.failure = SelfCheckError(
                f"layer {unit.name!r}: the recording differs by {found:.3g} from what the layer "
                f"itself computes, more than the tolerance of {unit.tolerance:.3g} and than what "
                f"rounding explains ({compared.what}). So it can't be relied on. tolerance= accepts "
                "larger differences, check=False records without looking"
            )
            raise self.failure
        self._drifted = True
        return True

    def compare_outputs(self, ours: Any, theirs: Any) -> None:
        """Hold the model's outputs with our loops against those without."""
        tree = load_keras().tree
        tolerance = max(unit.tolerance for unit in self.units.values()) if self.units else 0.0
        pairs = zip(tree.flatten(ours), tree.flatten(theirs), strict=True)
        for k, (a, b) in enumerate(pairs):
            found = difference(a, b)
            self._outputs_difference = max(self._outputs_difference, found)
            # Where rounding grows in a layer, its outputs tell nothing that its steps don't.
            if found > tolerance and not self._drifted:
                raise SelfCheckError(
                    f"the model's output {k} differs by {found:.3g} from that of the model "
                    f"itself, more than the tolerance of {tolerance:.3g}. tolerance= accepts larger "
                    "differences, check='prefix' looks at layers only"
                )

    # What comes out -------------------------------------------------------------------------------

    def _layers(self) -> dict[str, list[Unit]]:
        """List the calls of each layer, in the order in which the model has the layers."""
        order = [unit for one in self.selection.found for unit in one.units]
        layers: dict[str, list[Unit]] = {}
        for unit in sorted(self.units.values(), key=lambda u: (order.index(u.layer), u.call)):
            layers.setdefault(unit.layer, []).append(unit)
        return layers

    def _recorded_layers(self) -> dict[str, list[Unit]]:
        """List what is recorded: whole layers by their names, of others the calls that are kept."""
        recorded: dict[str, list[Unit]] = {}
        for name, units in self._layers().items():
            kept = [unit for unit in units if unit.signals]
            if len(kept) == len(units):
                recorded[name] = kept
            else:
                recorded |= {call_name(name, unit.call): [unit] for unit in kept}
        return recorded

    @staticmethod
    def _joined(parts: Sequence[npt.NDArray[Any]]) -> npt.NDArray[Any]:
        """Put what there is of each call of a layer on one time axis."""
        return parts[0] if len(parts) == 1 else np.concatenate(parts, axis=1)

    def expect_tokens(self, tokens: Any) -> None:
        """Check that tokens fit the layers' numbers of timesteps, as soon as these are known."""
        if tokens is None:
            return
        if isinstance(tokens, Mapping):
            for name, named in tokens.items():
                called = self._lengths_of(name)
                if not called:
                    every = dict.fromkeys(
                        n for unit in self.selection.known for n in _names_of(unit)[::-1]
                    )
                    if split_call(name)[0] in every:
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
        layers = self._recorded_layers()
        given = {len(row) for row in tokens}
        if given and (len(given) > 1 or not any(self._fits(u, *given) for u in layers.values())):
            known = ", ".join(f"{name!r} has {_lengths(units)}" for name, units in layers.items())
            raise ValueError(
                f"tokens: expected as many for each example as a layer has timesteps ({known}); "
                f"got {_counts(given)}"
            )

    def _lengths_of(self, name: str) -> set[int]:
        """Tell how many tokens may stand for a name: of all calls that it means, or of each."""
        base, call = split_call(name)
        lengths: set[int] = set()
        for layer, units in self._layers().items():
            meant = [unit.timesteps for unit in units if call in (None, unit.call)]
            if base in _names_of(layer) and meant:
                lengths |= {sum(meant)}
                lengths |= set(meant) if len(set(meant)) == 1 and meant[0] > 1 else set()
        return lengths

    @staticmethod
    def _fits(units: Sequence[Unit], count: int) -> str:
        """Whether so many tokens name the timesteps of all calls, or those of each; "": neither."""
        if sum(unit.timesteps for unit in units) == count:
            return "all"
        # One token can't be that of each single step.
        each = {unit.timesteps for unit in units} == {count} and count > 1
        return "each" if each else ""

    def _tokens_of(self, units: Sequence[Unit], tokens: Any, kept: Any) -> Any:
        """Find what stands at each timestep of a layer, in all its calls; None: that isn't known."""
        starts = np.cumsum([0, *(unit.timesteps for unit in units)])
        array = np.full((len(units[0].mask), starts[-1]), "", object)[kept]
        named: list[tuple[int, int, Any]] = []  # where tokens begin and end, and the tokens
        names = _names_of(units[0].layer)
        whole = tokens
        if isinstance(tokens, Mapping):
            whole = next((tokens[name] for name in names if name in tokens), None)
            for k, unit in enumerate(units):
                calls = [call_name(name, unit.call) for name in names]
                rows = next((tokens[name] for name in calls if name in tokens), None)
                if rows is not None:
                    named.append((starts[k], starts[k + 1], _picked(rows, kept)))
        if whole is not None:
            rows = _picked(whole, kept)
            lengths = {len(row) for row in rows}
            fits = self._fits(units, lengths.pop()) if len(lengths) == 1 else ""
            if fits == "all" or not len(rows):
                named.insert(0, (0, starts[-1], rows))
            elif fits == "each":
                named[:0] = [(starts[k], starts[k + 1], rows) for k in range(len(units))]
        for start, stop, rows in named:
            for k, row in enumerate(rows):
                array[k, start:stop] = row
        return array if named else None

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
        recorded = self._recorded_layers()
        layers = [self._recorded(name, units, kept, tokens) for name, units in recorded.items()]
        if not layers:
            raise ValueError("layers, signals: no layer that was called has any of these signals")
        return Recording.from_layers(
            layers,
            labels=None if labels is None else [str(label) for label in _picked(labels, kept[0])],
            attrs=self._attrs(model),
            predictions=predictions,
        )

    def _recorded(
        self, name: str, units: Sequence[Unit], kept: tuple[slice, ...], tokens: Any
    ) -> RecordedLayer:
        first, within = units[0], kept[1:]
        array = self._tokens_of(units, tokens, kept[0])
        if array is not None and within:
            parts = np.split(array, len(units), axis=1)  # of a text, which each call reads
            array = self._joined([part[:, *within] for part in parts])
        mask = self._joined([unit.mask[kept] for unit in units])
        initial = {
            signal: np.stack([unit.initial[signal][kept[0]] for unit in units], axis=1)
            for signal in first.initial
            if all(signal in unit.initial for unit in units)
        }
        if len(units) == 1:
            initial = {signal: values[:, 0] for signal, values in initial.items()}
        worst = max(units, key=lambda unit: unit.difference)
        return RecordedLayer(
            name=name,
            kind=first.kind,
            signals={
                signal: self._joined([unit.signals[signal][kept] for unit in units])
                for signal in first.signals
            },
            mask=None if mask.all() else mask,
            tokens=array,
            check={
                "difference": worst.difference,
                "tolerance": worst.tolerance,
                "mode": "none" if any(unit.held for unit in units) else self.check or "none",
                "examples": min(unit.checked_examples for unit in units),
                "timesteps": sum(unit.checked_timesteps for unit in units),
            },
            config=_plain_config(first.found.layer),
            go_backwards=first.found.go_backwards,
            initial=initial,
            calls=tuple(unit.mask[kept].shape[1] for unit in units) if len(units) > 1 else (),
            same_timesteps=len(units) > 1 and self.reading.mode != "examples",
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


def _names_of(layer: str) -> list[str]:
    """List the names by which a layer may be meant, the closest first.

    ``"bi/forward"`` is also meant by ``"bi"``.
    """
    parts = layer.split("/")
    return ["/".join(parts[:k]) for k in range(len(parts), 0, -1)]


def _picked(rows: Sequence[Any], index: Any) -> list[Any]:
    return [rows[k] for k in np.arange(len(rows))[index]]


def _room(names: Sequence[str], shape: tuple[int, ...]) -> dict[str, npt.NDArray[np.float32]]:
    """Make room for signals, backed by large pages: many small ones cost as much as computing."""
    if np.prod(shape) * 4 < _LARGE_BYTES:
        return dict(zip(names, np.empty((len(names), *shape), np.float32), strict=True))
    # Each of its own: what was freed before can serve again, and what is kept keeps no others.
    return {name: np.empty(shape, np.float32) for name in names}


def as_returned(hidden: Any, real: Any, layer: Any, *, begun: bool = False) -> Any:
    """Make of hidden states what the layer returns: its reading order, its values at padding.

    Two habits of Keras are kept, for the rest of the model to get what it always gets: before the
    first real timestep there are zeros, even if the state started elsewhere (unless that timestep
    was in an earlier piece: ``begun``); and an unrolled layer that reads backwards takes its zeros
    for padding from the mask in its original order.
    """
    if getattr(layer, "go_backwards", False):  # which a single cell doesn't have
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


def _lengths(units: Sequence[Unit]) -> str:
    """Tell how many timesteps a layer has, in one call or in several."""
    each = [unit.timesteps for unit in units]
    if len(each) == 1:
        return str(each[0])
    several = f"{len(each)} calls of {each[0]}" if len(set(each)) == 1 else f"calls of {each}"
    return f"{sum(each)} ({several})"


def _counts(lengths: set[int]) -> str:
    return " and ".join(map(str, sorted(lengths)[:4])) + (" and others" if len(lengths) > 4 else "")


_configs: weakref.WeakKeyDictionary[Any, tuple[Any, str]] = weakref.WeakKeyDictionary()


def _plain_config(thing: Any) -> dict[str, Any]:
    """Describe a layer or model as JSON can hold it; what was described before isn't again."""
    settings = _settings(thing)
    known = _configs.get(thing)
    if known is None or known[0] != settings:
        try:
            text = json.dumps(thing.get_config(), default=str)
        except (NotImplementedError, TypeError, ValueError):
            text = "{}"  # a subclassed model need not have one
        known = _configs[thing] = (settings, text)
    plain: dict[str, Any] = json.loads(known[1])
    return plain


def _settings(thing: Any) -> list[tuple[str, Any]]:
    """List the attributes of a layer, and of all in it, that a description of it is made of."""
    return [
        (name, value)
        for layer in thing._flatten_layers()  # noqa: SLF001
        for name, value in vars(layer).items()
        if isinstance(value, (str, int, float, type(None), types.FunctionType))
    ]


@functools.cache
def _versions() -> dict[str, str]:
    versions = {}
    for name in ("lstm-widgets", "keras", "tensorflow", "numpy"):
        with contextlib.suppress(importlib.metadata.PackageNotFoundError):
            versions[name] = importlib.metadata.version(name)
    return versions
