# Models, and what they read and return, are of many types: Any.
# ruff: noqa: ANN401
"""What is kept while the model runs."""

from __future__ import annotations

import contextlib
import functools
import importlib.metadata
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np

from lstm_widgets.errors import LayerNotFoundError, SelfCheckError, UnsupportedLayerError
from lstm_widgets.models.adapter import Result
from lstm_widgets.models.inputs import warn_outside
from lstm_widgets.models.self_check import CellRun, LayerCheck
from lstm_widgets.recording import RecordedLayer, RecordedPredictions, Recording
from lstm_widgets.recording.calls import all_named, call_name, is_part, split_call
from lstm_widgets.recording.times import Times, standard_times
from lstm_widgets.rnn.cells import KINDS, STATES, Cell
from lstm_widgets.rnn.comparison import TOLERANCES, Check, difference
from lstm_widgets.rnn.scan import scan, scan_last
from lstm_widgets.running.held import Held, Holding
from lstm_widgets.running.layer_tokens import expect_tokens, picked, tokens_of
from lstm_widgets.running.unit import Unit, joined, recorded, room

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    import numpy.typing as npt

    from lstm_widgets.models.adapter import Adapter, Call, Layer
    from lstm_widgets.recording import RecordedSeries
    from lstm_widgets.rnn.cells import Holds
    from lstm_widgets.running.reading import Reading
    from lstm_widgets.running.selection import Selection
    from lstm_widgets.running.series import Series


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
        self.reading = self.whole = reading
        self.check = check
        self.tolerance = tolerance
        # Whether layers that return their last output only are to return that of every timestep.
        self.every_output = every_output
        # How examples overlap, as `lstm_widgets.recording.overlap` describes it; None where that isn't known.
        self.overlap: dict[str, Any] | None = None
        self.units: dict[tuple[str, int], Unit] = {}
        # What was kept of the part before the one that is read now; None: this is the first.
        self._before: dict[tuple[str, int], Unit] | None = None
        # Those of the call under way, which have room, but not yet what belongs there.
        self._open: list[tuple[str, int]] = []
        #: How much of the reading's total is there.
        self.done = 0
        self._outputs_difference = 0.0
        self._drifted = False  # whether rounding grew beyond the tolerance in some layer
        self._start = self._stop = 0
        self._free = False
        self._reached: set[str] = set()  # the layers that were called
        # Of each call of a layer, with the pieces of a text: the states in which the piece before
        # ended, those in which this one does, and whether anything but padding was read so far.
        self._carried: dict[tuple[str, int], list[Any]] = {}
        self._ended: dict[tuple[str, int], list[Any]] = {}
        self._begun: set[tuple[str, int]] = set()
        self.began_in_padding = False  # a piece in which a layer's own loop would return zeros

    @contextlib.contextmanager
    def free(self) -> Iterator[None]:
        """Let the model be called by whom it may concern, each time with any number of examples.

        All of it counts as one call of the model, whose examples are those of the largest call of a layer;
        where a call has fewer, values are NaN and masked.
        """
        self._free = True
        try:
            yield
        finally:
            for key in self._open:
                del self.units[key]
            count = max((len(unit.mask) for unit in self.units.values()), default=0)
            for unit in self.units.values():
                unit.have_examples(count)
            self.reading = replace(self.reading, count=count)
            self._stop = self.done = count

    def turn(self, reading: Reading) -> None:
        """Turn to the next part of what is read.

        Layers go on from the states in which they ended; what else was kept of the part before is let go.
        """
        if self.units or self._before is not None:
            self._before, self.units = {**(self._before or {}), **self.units}, {}
        self.reading, self.done = reading, 0

    def state(self) -> tuple[dict[str, Any], dict[str, npt.NDArray[Any]]]:
        """Give what the next part goes on from, as JSON can hold it, and arrays; for :meth:`resume`."""
        arrays: dict[str, npt.NDArray[Any]] = {}
        carried = []
        for (layer, call), states in self._carried.items():
            begun = (layer, call) in self._begun
            carried.append([layer, call, begun, [state.dtype.name for state in states]])
            for k, state in enumerate(states):
                plain = state.dtype.kind in "fiub"
                arrays[f"state {layer} {call} {k}"] = state if plain else state.view(np.uint16)
        units = []
        for unit in {**(self._before or {}), **self.units}.values():
            counts = [unit.difference, unit.checked_examples, unit.checked_timesteps]
            units.append([unit.layer, unit.call, unit.kind, unit.tolerance, unit.held, *counts])
            if self.reading.mode != "examples":
                for name, values in unit.initial.items():
                    arrays[f"initial {unit.layer} {unit.call} {name}"] = values
        told = {"carried": carried, "units": units, "reached": sorted(self._reached)}
        return told | {"drifted": self._drifted, "outputs": self._outputs_difference}, arrays

    def resume(self, told: Mapping[str, Any], arrays: Mapping[str, npt.NDArray[Any]]) -> None:
        """Go on from what :meth:`state` has given."""
        for layer, call, begun, dtypes in told["carried"]:
            self._carried[layer, call] = [
                _of_dtype(arrays[f"state {layer} {call} {k}"], dtype)
                for k, dtype in enumerate(dtypes)
            ]
            if begun:
                self._begun.add((layer, call))
        found = {unit: one for one in self.selection.found for unit in one.units}
        self.units, self._before = {}, {}
        for layer, call, kind, tolerance, held, *counts in told["units"]:
            start = f"initial {layer} {call} "
            initial = {n.removeprefix(start): v for n, v in arrays.items() if n.startswith(start)}
            unit = Unit(
                *(layer, call, kind, found[layer], {}, np.ones((1, 0), np.bool_), initial),
                *(tolerance, *counts, held),
            )
            self._before[layer, call] = unit
        self._reached = set(told["reached"])
        self._drifted, self._outputs_difference = told["drifted"], told["outputs"]

    @property
    def carried(self) -> dict[str, list[npt.NDArray[np.float32]]]:
        """The states from which layers go on with a text, by their names."""
        found: dict[str, list[npt.NDArray[np.float32]]] = {}
        for (name, _), states in self._carried.items():
            found.setdefault(name, []).extend(state.astype(np.float32) for state in states)
        return found

    def begin_anew(self) -> None:
        """Let the next part of a text start from the model's initial states."""
        self._carried.clear()
        self._ended.clear()
        self._begun.clear()

    def begin(self, start: int, stop: int) -> None:
        """Announce the examples that the next call of the model is about."""
        self._start, self._stop = start, stop
        self.began_in_padding = False

    @property
    def last_mask(self) -> npt.NDArray[np.bool_]:
        """Which timesteps of the model's last recurrent layer are no padding, as far as read."""
        units = list(self._layers().values())[-1]
        masks = [unit.mask for unit in units]
        # In a text, each call is about the same timesteps.
        return joined(masks) if self.reading.mode == "examples" else masks[-1]

    @property
    def hidden_states(self) -> list[npt.NDArray[np.float32]]:
        """Those that are recorded of each layer, as far as read."""
        name = "hidden_state"
        return [unit.signals[name] for unit in self.units.values() if name in unit.signals]

    @property
    def timesteps(self) -> int:
        """How many the layer with most of them has, in all its calls."""
        return max(sum(unit.timesteps for unit in units) for units in self._layers().values())

    def missed(self) -> list[str]:
        """Name the layers to keep that the model didn't reach, or not by value."""
        return [
            one.name
            for one in self.selection.found
            if one.name not in self._reached
            and not one.optional
            and any(map(self.selection.keeps, one.units))
        ]

    def end(self) -> None:
        """Check that the call of the model reached the same layers as the calls before it."""
        if not self.units and self._before is None:
            missed = ", ".join(map(repr, self.missed()))
            raise ValueError(
                f"model: expected one that calls its recurrent layers; it called none of {missed}"
            )
        for key, unit in {**(self._before or {}), **self.units}.items():
            if key not in self.units or unit.reached != self._start:
                if self._may_lack(unit.call):
                    if key in self.units:
                        unit.end((slice(self._start, self._stop), slice(None)))
                    continue
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

    def _may_lack(self, call: int) -> bool:
        """Whether some examples may not have a call of a layer: all have its first one.

        A model that steps a cell, or reads a chunk at a time, calls it as often as its examples are long.
        """
        return call > 1 and self.reading.mode == "examples"

    def _expect_call(self, argument: str, name: str, call: int | None) -> None:
        calls = [unit.call for unit in self._layers()[name]]
        if call is not None and call not in calls:
            raise LayerNotFoundError(
                f"{argument}: the model doesn't call its layer {call_name(name, call)!r}: expected "
                f"{all_named(name, calls)}"
            )

    def go_on(self) -> None:
        """Let the next piece of a text start from where this one ended."""
        if self.reading.mode == "pieces":
            self._carried |= self._ended

    def restart(self) -> None:
        """Forget the layers' calls since the model was called: it is called once more instead."""
        self._reached = set()
        self.began_in_padding = False

    def wants(self, layer: Layer) -> bool:
        """Whether the calls of a layer matter: it is recorded, or cells of it are held."""
        held = {name for name, _ in self.holding.layers}
        return any(self.selection.keeps(unit) or unit in held for unit in layer.units)

    def starts(self, layer: Layer, call: int, states: list[Any]) -> list[Any]:
        """From which states a call of a layer starts, given those that the model hands to it."""
        return self._carried.get((layer.name, call), states)

    def run(self, call: Call) -> Result:
        """Run a call of a layer, keep what it does, and tell what goes on."""
        layer, x, real = call.layer, call.x, call.mask
        self._reached.add(layer.name)
        if self._free:
            self._stop = len(x)
            self.reading = replace(self.reading, count=len(x))
        self._expect_shape(layer.name, *x.shape[:2])
        ended: list[npt.NDArray[Any]] = []
        kept: list[tuple[list[Unit], CellRun]] = []
        seen = 0  # how many units the cells before have
        for k, cell in enumerate(call.cells):
            parts = range(seen, seen + (len(KINDS[cell.kind].parts) or 1))
            seen = parts.stop
            units = [self._unit(layer, call.number, part, call.x.shape[1]) for part in parts]
            held = self._held(units, call.number, len(x))
            dtype, position = cell.dtype, len(ended)
            states = call.states[position:][: STATES[cell.kind]]
            run = CellRun(
                cell,
                layer.dtypes[parts.start],
                x=x.astype(dtype, copy=False),
                real=real,
                reverse=layer.go_backwards,
                initial=[state.astype(dtype, copy=False) for state in states],
                held=held,
            )
            last = k == len(call.cells) - 1
            if self.reading.mode == "windows":
                self._scan_windows(units, cell, run, over_time=call.over_time or not last)
            else:
                self._scan(units, cell, run)
            for unit in units:
                self._keep_initial(unit, dict(zip(run.states, run.initial, strict=True)))
                if real is not None:
                    self._keep_mask(unit, real)
            kept.append((units, run))
            ended += [state.astype(dtype, copy=False) for state in run.state]
            x = run.hidden
        if self.check and len(call.x) and not any(unit.held for some, _ in kept for unit in some):
            self._compare(call, kept)

        self._open = []
        run = kept[-1][1]
        begun = (layer.name, call.number) in self._begun
        if self.reading.mode == "pieces":
            self._ended[layer.name, call.number] = ended
            if real is None or real.any():
                self._begun.add((layer.name, call.number))
        if call.over_time and begun and real is not None and not real[:, 0].all():
            self.began_in_padding = True
        return Result(run.hidden if call.over_time else None, ended, begun=begun)

    def _expect_shape(self, name: str, examples: int, timesteps: int) -> None:
        """Notice when the axes of what a layer receives aren't what was put into the model."""
        mode = self.reading.mode
        expected = self.holding.copies * (1 if mode == "pieces" else self._stop - self._start)
        # The last call may be filled up, to a prescribed number of windows.
        fits = examples >= expected if mode == "windows" else examples == expected
        if not fits:
            way_out = (
                "; run=lambda model: model(...), without inputs, records calls of any number of examples, "
                "each as of the first ones"
            )
            raise UnsupportedLayerError(
                f"model: layer {name!r} cannot be recorded: its first axis is no longer the "
                f"examples (expected {expected}, got {examples}){way_out if mode == 'examples' else ''}"
            )
        if mode == "pieces" and timesteps != self._stop - self._start:
            raise UnsupportedLayerError(
                f"model: layer {name!r} cannot be recorded piece by piece: it gets {timesteps} of "
                f"{self._stop - self._start} timesteps"
            )

    def _held(self, units: Sequence[Unit], call: int, rows: int) -> Holds | None:
        """Tell what is held of a cell, and note of which of its units."""
        held: dict[str, Any] = {}
        for unit in units:
            of_unit = self.holding.of(unit.layer, call, rows)
            unit.held = of_unit is not None
            held |= of_unit or {}
        return held or None

    def _scan(self, units: Sequence[Unit], cell: Cell, run: CellRun) -> None:
        """Run a cell straight into the room of its signals."""
        place = self.reading.place(self._start, self._stop, int(run.x.shape[1]))
        kept = {name: array for unit in units for name, array in unit.signals.items()}
        run.out |= {name: array[place] for name, array in kept.items()}
        double = run.x.dtype == np.float64
        if double or "hidden_state" not in run.out:
            # The model goes on with it, in full precision, even if it isn't kept.
            shape = (*run.x.shape[:2], cell.width("hidden_state"))
            run.out["hidden_state"] = np.empty(shape, np.float64 if double else np.float32)
        run.state = scan(
            cell, run.x, run.initial, run.real, run.out, reverse=run.reverse, held=run.held
        )
        run.hidden = run.out["hidden_state"]
        if double and "hidden_state" in kept:
            kept["hidden_state"][place] = run.hidden

    def _scan_windows(
        self, units: Sequence[Unit], cell: Cell, run: CellRun, *, over_time: bool
    ) -> None:
        """Run a cell over windows, and keep the signals at their ends."""
        kept = {name: array for unit in units for name, array in unit.signals.items()}
        shape = (*(int(n) for n in run.x.shape[:2]), cell.width("hidden_state"))
        double = run.x.dtype == np.float64
        if over_time:
            run.hidden = np.empty(shape, np.float64 if double else np.float32)
        ends, run.before, run.state = scan_last(
            cell,
            run.x,
            run.initial,
            run.real,
            names=tuple(kept),
            hidden=run.hidden,
            reverse=run.reverse,
            held=run.held,
        )
        run.out |= ends
        place = self.reading.place(self._start, self._stop, 1)
        for name, values in ends.items():
            kept[name][place] = values[: self._stop - self._start]

    def _keep_initial(self, unit: Unit, states: Mapping[str, Any]) -> None:
        """Keep the states that a call starts from.

        Of a text those before its first timestep, or those from which every window starts: none
        where windows start from different ones.
        """
        mode = self.reading.mode
        first = not self._start and self._before is None
        if mode == "pieces" and not first:
            return
        for signal, state in states.items():
            if signal not in unit.signals:
                continue
            rows = np.asarray(state).astype(np.float32)
            if mode == "examples":
                room = unit.initial.setdefault(
                    signal, np.full((len(unit.mask), rows.shape[1]), np.nan, np.float32)
                )
                room[self._start : self._stop] = rows
            elif first:
                unit.initial[signal] = np.repeat(rows[:1], self.reading.texts, axis=0)
            if (
                mode == "windows"
                and signal in unit.initial
                and (rows != unit.initial[signal][:1]).any()
            ):
                del unit.initial[signal]

    def _keep_mask(self, unit: Unit, real: npt.NDArray[np.bool_]) -> None:
        real = real[: len(real) // self.holding.copies]
        if self.reading.mode == "windows":
            real = real[: self._stop - self._start, -1]
        unit.mask[self.reading.place(self._start, self._stop, real.shape[-1])] = real

    def _unit(self, one: Layer, call: int, k: int, timesteps: int) -> Unit:
        """Find what is kept of a call of a layer's k-th cell; in the first batch, make room."""
        name, kind, size = one.units[k], one.kinds[k], one.sizes[k]
        unit = self.units.get((name, call))
        if unit is None:
            before = (self._before or {}).get((name, call))
            late = self._start or (before is None and self._before is not None)
            if late and not self._may_lack(call):
                raise UnsupportedLayerError(
                    f"model: layer {name if call == 1 else call_name(name, call)!r} is called for "
                    f"some examples only (not for those before {self._start})"
                )
            tolerance = self.tolerance
            if tolerance is None:
                tolerance = TOLERANCES.get(one.dtypes[k], TOLERANCES["float32"])
            names = self.selection.signals(name, call, kind)
            axes = self.reading.shape(timesteps)
            signals = room(names, (*axes, size))
            mask = np.ones(axes, np.bool_)
            if self.reading.mode == "windows":
                # These timesteps have no window.
                nothing = self.reading.nothing
                for values in signals.values():
                    values[nothing] = np.nan
                mask[nothing] = False
            unit = Unit(name, call, kind, one, signals, mask, {}, tolerance)
            if before is not None:
                unit.go_on(before, initial=self.reading.mode != "examples")
            if self.reading.mode == "examples":
                unit.end((slice(self._start), slice(None)))
            self.units[name, call] = unit
            self._open.append((name, call))
        elif self.reading.mode == "examples":
            unit.make_room(timesteps, self._start)
            unit.end((slice(self._start, self._stop), slice(timesteps, None)))
        unit.reached = self._start
        return unit

    # The self-check -------------------------------------------------------------------------------

    def _compare(self, call: Call, kept: Sequence[tuple[Sequence[Unit], CellRun]]) -> None:
        """Hold what our loop gave against what the layer computes."""
        if not call.x.shape[1]:
            return
        check = LayerCheck(call, [run for _, run in kept], full=self.check == "full")
        first = [units[0] for units, _ in kept]
        outcome = check.hold([unit.name for unit in first], [unit.tolerance for unit in first])
        self._drifted |= outcome.drifted
        for (units, _), found in zip(kept, outcome.differences, strict=True):
            for unit in units:
                unit.difference = max(unit.difference, found)
                self._note_checked(unit, check.examples, check.timesteps)

    def _note_checked(self, unit: Unit, examples: int, timesteps: int) -> None:
        if self.reading.mode == "pieces":
            unit.checked_examples = 1
            unit.checked_timesteps += timesteps
        else:
            unit.checked_examples += examples
            unit.checked_timesteps = timesteps

    def compare_outputs(
        self, ours: Mapping[str, npt.NDArray[Any]], theirs: Mapping[str, npt.NDArray[Any]]
    ) -> None:
        """Hold the model's outputs with our loops against those without."""
        if ours is theirs:  # its layers ran loops of their own
            return
        tolerance = max(unit.tolerance for unit in self.units.values()) if self.units else 0.0
        for k, name in enumerate(ours):
            found = difference(ours[name], theirs[name])
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
        layers: dict[str, list[Unit]] = {}
        for name, units in self._layers().items():
            kept = [unit for unit in units if unit.signals]
            if len(kept) == len(units):
                layers[name] = kept
            else:
                layers |= {call_name(name, unit.call): [unit] for unit in kept}
        return layers

    def expect_tokens(self, tokens: Any) -> None:
        """Check that tokens fit the layers' numbers of timesteps, as soon as these are known."""
        if tokens is not None:
            layers, known = self._layers(), self.selection.known
            expect_tokens(tokens, layers, self._recorded_layers(), known)

    def recording(
        self,
        model: Adapter,
        done: int,
        tokens: Any,
        *,
        labels: Any = None,
        predictions: RecordedPredictions | None = None,
        series: Series | None = None,
        times: Any = None,
        beside: Mapping[str, RecordedSeries | None] | None = None,
    ) -> Recording:
        """Hand over what was kept of the first ``done`` of the reading's total.

        ``times`` are those of layers that have as many timesteps, where there is no series. ``beside`` has
        what was read, said, and should have been said of a series, by these names of a recording's.
        """
        self.warn_of_missed()
        kept = self.reading.done(done)
        return Recording.from_layers(
            self.recorded(done, tokens, series=series, times=times),
            labels=None if labels is None else [str(label) for label in picked(labels, kept[0])],
            attrs=self.attrs(model),
            predictions=predictions,
            **(beside or {}),
        )

    def warn_of_missed(self) -> None:
        """Name the layers that the model didn't call."""
        missed = self.missed()
        if missed:
            warn_outside(f"not recorded, because the model didn't call them: {', '.join(missed)}")

    def recorded(
        self, done: int, tokens: Any, *, series: Series | None = None, times: Any = None
    ) -> list[RecordedLayer]:
        """Hand over each layer, of the first ``done`` of the reading's total."""
        kept = self.reading.done(done)
        layers = [
            recorded(
                name,
                units,
                kept,
                self._tokens(name, units, tokens, kept[0]),
                check=self.check,
                reading=self.reading,
                times=self._given_times(times, units)
                if series is None
                else self._times(series, units, done),
            )
            for name, units in self._recorded_layers().items()
        ]
        if not layers:
            raise ValueError("layers, signals: no layer that was called has any of these signals")
        return layers

    def _tokens(
        self, name: str, units: Sequence[Unit], tokens: Any, kept: slice
    ) -> npt.NDArray[np.object_] | None:
        """Find what stands at each timestep of what is recorded under a name."""
        del name
        return None if tokens is None else tokens_of(units, tokens, kept)

    def passed_over(self, timesteps: int) -> npt.NDArray[np.bool_] | None:
        """Tell at which of so many timesteps every layer was told that there is nothing to read."""
        if self.reading.step > 1:
            return None
        masks = [unit.mask for unit in self.units.values() if unit.timesteps == timesteps]
        if not masks:
            return None
        nothing: npt.NDArray[np.bool_] = ~np.any(masks, axis=0)
        nothing[:, : self.reading.empty] = False  # there no window ends, but all is read
        return nothing

    def _given_times(self, times: Any, units: Sequence[Unit]) -> Times | None:
        """Tell when each timestep of a layer is, if there are as many times."""
        timesteps = sum(unit.timesteps for unit in units)
        if times is None or np.shape(times)[-1:] != (timesteps,):
            return None
        return standard_times(times, len(units[0].mask), timesteps)

    def _times(self, series: Series, units: Sequence[Unit], done: int) -> Times | None:
        """Tell when each timestep of a layer is, if it has those of the series."""
        times = series.times_of(self.reading.reached(done))
        if times is None or any(unit.timesteps != units[0].timesteps for unit in units):
            return None
        if self.reading.positions is not None:
            count = len(units[0].mask[self.reading.done(done)][0])
            times = times[self.reading.positions[:count]]
        elif units[0].timesteps != series.timesteps:
            return None
        return Times(np.concatenate([times.values] * len(units), axis=-1), times.zone)

    def attrs(self, model: Adapter) -> dict[str, Any]:
        """Tell what is needed to trust the recording later, as JSON can hold it."""
        versions = _versions(model.packages)
        attrs = {
            "model": model.name,
            "model_config": model.config(),
            "model_layers": self.selection.known,
            "versions": versions,
        }
        whole = self.whole
        if whole.mode == "windows":
            attrs["window"] = whole.window
            if whole.step > 1:
                attrs["step"] = whole.step
            if whole.padding:
                attrs |= {"padding": whole.padding, "pad": _plain_pad(whole.pad)}
        if self.overlap is not None:
            attrs["overlap"] = self.overlap
        if self.holding.layers:
            attrs["held"] = self.holding.described
        elif self.check == "full" and not self._free:
            attrs["outputs_difference"] = self._outputs_difference
        return attrs


def _of_dtype(array: npt.NDArray[Any], name: str) -> npt.NDArray[Any]:
    if array.dtype.name == name:
        return array
    import ml_dtypes  # noqa: PLC0415  (of bfloat16, which NumPy doesn't know)

    return array.view(getattr(ml_dtypes, name))


def _plain_pad(pad: Any) -> Any:
    return pad if isinstance(pad, str) else np.asarray(pad).tolist()


@functools.cache
def _versions(packages: tuple[str, ...]) -> dict[str, str]:
    versions = {}
    for name in ("lstm-widgets", *packages, "numpy"):
        with contextlib.suppress(importlib.metadata.PackageNotFoundError):
            versions[name] = importlib.metadata.version(name)
    return versions
