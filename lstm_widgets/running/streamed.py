# What a model reads may be of many types: Any.
# ruff: noqa: ANN401
"""Record into a file while the model runs, a part at a time, and go on where that was interrupted."""

from __future__ import annotations

import contextlib
import itertools
import json
import signal
import threading
from collections import deque
from dataclasses import asdict, replace
from typing import TYPE_CHECKING, Any

import numpy as np

from lstm_widgets.errors import SelfCheckError
from lstm_widgets.models.inputs import leaves, warn_outside
from lstm_widgets.recording import open_recording, overlap
from lstm_widgets.recording.blockwise import current_client
from lstm_widgets.recording.recorded import INITIAL, PREDICTION_AXES, layer_attrs
from lstm_widgets.recording.store import streaming
from lstm_widgets.recording.store.streaming import Plan, Stream, Variable
from lstm_widgets.running import fingerprints
from lstm_widgets.running.recorder import Recorder
from lstm_widgets.running.run import prepared
from lstm_widgets.running.shards import Shards, merged

if TYPE_CHECKING:
    from collections.abc import Callable, Generator, Iterator, Mapping, Sequence
    from pathlib import Path

    import numpy.typing as npt

    from lstm_widgets.models.adapter import Adapter, Run
    from lstm_widgets.recording import RecordedLayer, RecordedPredictions, RecordedSeries, Recording
    from lstm_widgets.running.parts import Parts, Stretch
    from lstm_widgets.running.recorder import Beside, Recorded, States
    from lstm_widgets.running.session import Session
    from lstm_widgets.running.shards import Made

    Arrays = dict[str, npt.NDArray[Any]]

__all__ = ["record_to"]

_TOLD = "told"
_OVER_TIME = ("example", "timestep")


def record_to(
    path: Path,
    parts: Parts,
    session: Session,
    beside: Beside,
    *,
    adapter: Adapter,
    made: Made,
    dtype: str,
    overwrite: bool,
    settings: Mapping[str, Any],
) -> Recording:
    """Run a model on part after part, and write what its layers do to a file.

    Where there is a Dask cluster, and parts don't go on from one another, its workers read them.

    Parameters
    ----------
    path : pathlib.Path
        Where the recording shall stand.
    parts : Parts
        What the model reads.
    session : Session
        What keeps what its layers do.
    beside : Beside
        What is recorded beside the layers.
    adapter : Adapter
        The model, built.
    made : Made
        What it and the session were made of.
    dtype : {"float32", "float16"}
        What the signals are on the disk.
    overwrite : bool
        Whether another recording that stands there may be replaced.
    settings : mapping
        What else the recording depends on, by the names of arguments.
    """
    fingerprint = {
        **fingerprints.of_model(adapter),
        "inputs": parts.kind,
        **{name: fingerprints.of_value(value) for name, value in settings.items()},
        "dtype": dtype,
    }
    with Stream.open(
        path, fingerprint=fingerprint, overwrite=overwrite, spacing=streaming.SPACING
    ) as stream:
        writing = _Writing((path, stream, dtype), parts, session, adapter)
        try:
            with prepared(adapter, session) as ready, _one_interrupt() as interrupted:
                recorder = Recorder(session, ready, beside)

                def shards(client: Any) -> Shards:
                    return Shards(client, adapter, made, beside, recorder=recorder, session=session)

                writing.run(recorder, ready, interrupted, shards)
        except SelfCheckError as error:
            stream.close()
            if writing.done:
                error.add_note(f"{str(path)!r} has what was read before: {writing.described}.")
                error.keep(open_recording(path))
            raise
        except KeyboardInterrupt:
            if not writing.done:
                raise
            warn_outside(
                f"interrupted: {str(path)!r} has the first {writing.described}; the same call goes on "
                "from there"
            )
    return open_recording(path)


@contextlib.contextmanager
def _one_interrupt() -> Iterator[Callable[[], bool]]:
    """Let the first interrupt wait until it is asked for; the second one comes at once."""
    asked = threading.Event()
    if threading.current_thread() is not threading.main_thread():
        yield asked.is_set
        return
    before = signal.getsignal(signal.SIGINT)

    def note(number: int, frame: Any) -> None:
        if not asked.is_set():
            asked.set()
        elif callable(before):
            before(number, frame)

    signal.signal(signal.SIGINT, note)
    try:
        yield asked.is_set
    finally:
        signal.signal(signal.SIGINT, before)


class _Writing:
    """A recording that is being written."""

    def __init__(
        self, to: tuple[Path, Stream, str], parts: Parts, session: Session, adapter: Adapter
    ) -> None:
        self._path, self._stream, self._dtype = to
        self._parts, self._session, self._adapter = parts, session, adapter
        stream = self._stream
        self.done = stream.done
        told = stream.state.get(_TOLD)
        self._before: dict[str, Any] | None = None if told is None else json.loads(bytes(told))
        self._read = ""  # what was read so far, as a fingerprint
        # By the names of layers and of what is beside them.
        self._plans: dict[str, Plan] = {}
        self._attrs: dict[str, dict[str, Any]] = {}
        self._real: dict[
            str, list[int]
        ] = {}  # how many timesteps are no padding, and how many there are
        self._overlap = overlap.Gathered()
        self._warm_up: int | None = parts.warm_up
        self._jumps: dict[str, float] = {}  # between stretches that begin with a warm-up, by layer
        self._known = False  # whether anything is known to come next
        stream.attrs = session.attrs(adapter)

    @property
    def described(self) -> str:
        """Say how much is there."""
        total, unit = self._parts.total, self._parts.unit
        return f"{self.done}{'' if total is None else f' of {total}'} {unit}s"

    def run(
        self,
        recorder: Recorder,
        ready: Run,
        interrupted: Callable[[], bool],
        shards: Callable[[Any], Shards],
    ) -> None:
        """Let the model read what isn't done, and finish."""
        from tqdm.auto import tqdm  # noqa: PLC0415

        parts, skipped = self._parts, self.done
        bar = tqdm(
            total=parts.total,
            initial=self.done,
            desc="recording",
            unit=parts.unit,
            unit_scale=True,
            leave=False,
        )
        with bar, contextlib.closing(self._recorded(recorder, ready, shards)) as every:
            for stretch, read, found in every:
                if not self._plans:
                    self._plan(stretch, found)
                self._write(stretch, found)
                self._read = read
                self._stream.mark(stretch.stop, self._state(recorder, ready))
                bar.update(stretch.stop - self.done)
                self.done = stretch.stop
                if interrupted():
                    raise KeyboardInterrupt
        if self.done == skipped:
            self._expect_same()
        self._session.warn_of_missed()
        if self._parts.reading.mode == "examples" and self._parts.examples != 1:
            self._session.overlap = self._overlap.described()
        for name, (real, count) in self._real.items():
            if real == count:
                self._stream.leave_out(name, "mask")
        if _BESIDE + "predictions" in self._plans and not self._known:
            self._stream.leave_out("predictions", "target_probability")
        attrs = self._session.attrs(self._adapter)
        if self._warm_up is not None:
            attrs["warm_up"] = {"timesteps": self._warm_up, "differences": self._jumps}
        self._stream.finish(attrs, self._attrs)

    def _recorded(
        self, recorder: Recorder, ready: Run, shards: Callable[[Any], Shards]
    ) -> Generator[tuple[Stretch, str, Recorded]]:
        """Give each part that isn't done, what was read up to it, and what was recorded of it."""
        kept = ready.state()
        if self._before is not None and self.done:
            self._resume(recorder, ready, self._before)
        left = self._left()
        try:
            # By the first part the others are read.
            for stretch, read in itertools.islice(left, 0 if self._plans else 1):
                yield stretch, read, self._here(recorder, stretch, kept)
            client = current_client()
            if client is not None and self._apart(kept, ready.state()):
                yield from self._there(shards, client, left)
            for stretch, read in left:
                yield stretch, read, self._here(recorder, stretch, kept)
        except Exception as error:
            if self.done:
                error.add_note(
                    f"This happened after {self.described}, which {str(self._path)!r} has."
                )
            raise

    def _left(self) -> Iterator[tuple[Stretch, str]]:
        """Give the parts that aren't done, and what was read up to each."""
        read, skipped = self._read, self.done
        told = not skipped
        for stretch in self._parts:
            read = fingerprints.of_part(read, stretch.part)
            if stretch.part.reading.mode == "examples" and not stretch.part.given.text:
                self._overlap.add(leaves(stretch.part.given.inputs))
            if stretch.stop >= skipped and not told:
                # What is cut elsewhere isn't what was read before.
                self._read, told = (read if stretch.stop == skipped else ""), True
                self._expect_same()
            if stretch.stop > skipped:
                yield stretch, read

    def _here(self, recorder: Recorder, stretch: Stretch, kept: Arrays) -> Recorded:
        if stretch.replayed is not None:
            ended = self._session.carried
            self._compare(ended, recorder.replay(stretch.replayed, kept))
        recorder.read_all(stretch.part)
        return recorder.recorded()

    def _compare(self, ended: States, started: States) -> None:
        """Note how far the states after a warm-up are from those in which the stretch before ended."""
        for name, states in started.items():
            apart = max(
                float(np.abs(a - b).max(initial=0))
                for a, b in zip(states, ended[name], strict=True)
            )
            self._jumps[name] = max(self._jumps.get(name, 0.0), apart)

    def _apart(self, kept: Arrays, now: Arrays) -> bool:
        """Whether no part goes on from another: not from states, and not from what the model keeps."""
        if self._parts.reading.mode == "pieces":
            return self._warm_up is not None
        if kept.keys() != now.keys():
            return False
        return all(kept[name].tobytes() == value.tobytes() for name, value in now.items())

    def _there(
        self,
        shards: Callable[[Any], Shards],
        client: Any,
        left: Iterator[tuple[Stretch, str]],
    ) -> Iterator[tuple[Stretch, str, Recorded]]:
        """Have the workers of a cluster record parts."""
        reads: deque[str] = deque()

        def noted() -> Iterator[Stretch]:
            for stretch, read in left:
                reads.append(read)
                yield stretch

        for stretch, shard in shards(client).recorded(noted()):
            session = self._session
            if shard.started is not None:
                self._compare(session.carried, shard.started)
            session.resume(*merged(*session.state(), shard))
            layers = [self._checked(layer) for layer in shard.found.layers]
            yield stretch, reads.popleft(), replace(shard.found, layers=layers)

    def _checked(self, layer: RecordedLayer) -> RecordedLayer:
        """Count what was checked before a part was read by itself, too."""
        before = self._attrs[layer.name]["check"]
        now = layer.check
        check = now | {"difference": max(before["difference"], now["difference"])}
        if self._parts.reading.mode == "pieces":
            check["timesteps"] = before["timesteps"] + now["timesteps"]
        else:
            check["examples"] = before["examples"] + now["examples"]
        return replace(layer, check=check)

    # Going on -------------------------------------------------------------------------------------

    def _state(self, recorder: Recorder, ready: Run) -> Arrays:
        told, arrays = self._session.state()
        plans = [
            [name, dict(plan.sizes), {key: asdict(each) for key, each in plan.variables.items()}]
            for name, plan in self._plans.items()
        ]
        every = {
            "read": self._read,
            "plans": plans,
            "attrs": self._attrs,
            "real": self._real,
            "known": self._known,
            "jumps": self._jumps,
            "session": told,
            "recorder": recorder.state(),
        }
        return {
            _TOLD: np.frombuffer(json.dumps(every).encode(), np.uint8),
            **{f"session {name}": array for name, array in arrays.items()},
            **{f"model {name}": array for name, array in ready.state().items()},
        }

    def _resume(self, recorder: Recorder, ready: Run, told: Mapping[str, Any]) -> None:
        state = self._stream.state
        self._session.resume(told["session"], _starting(state, "session "))
        ready.resume(_starting(state, "model "))
        recorder.resume(told["recorder"])
        self._attrs, self._real, self._known = told["attrs"], told["real"], told["known"]
        self._jumps = told["jumps"]
        for name, sizes, variables in told["plans"]:
            made = {key: Variable(tuple(one.pop("dims")), **one) for key, one in variables.items()}
            self._begin(name, Plan(sizes, made))

    def _expect_same(self) -> None:
        """Refuse to go on behind what is something else than what was read before."""
        if self._before is not None and self._read != self._before["read"]:
            raise ValueError(
                f"inputs: expected those that the unfinished recording at {str(self._path)!r} was begun "
                f"with, but what stands in the first {self.described} isn't the same. Give another path, "
                "or delete that recording"
            )

    # What is written ------------------------------------------------------------------------------

    def _begin(self, name: str, plan: Plan) -> None:
        self._plans[name] = plan
        if name in self._attrs:
            self._stream.layer(name, plan, self._attrs[name])
        else:
            self._stream.beside(name.removeprefix(_BESIDE), plan)

    def _plan(self, stretch: Stretch, found: Recorded) -> None:
        """Say what there is to be written, by the first part of it."""
        for layer in found.layers:
            if layer.calls and stretch.part.reading.mode != "examples":
                raise ValueError(
                    f"to: layer {layer.name!r} is called {len(layer.calls)} times for each piece of what "
                    "is read, and its calls would be mixed up; name the others in layers=, or record it "
                    "without to="
                )
        for layer in found.layers:
            self._note(layer)
            self._begin(layer.name, self._layer_plan(layer, stretch, found))
        if found.predictions is not None:
            self._begin(_BESIDE + "predictions", self._prediction_plan(found.predictions, stretch))
        for what, series in found.beside.items():
            if series is not None:
                self._begin(_BESIDE + what, self._series_plan(what, series, found))

    def _timesteps(self, own: int, stretch: Stretch) -> int | None:
        """Tell how many timesteps an array of the recording has, by those of the first part."""
        whole, mode = self._parts.timesteps, stretch.part.reading.mode
        if mode != "examples":
            return whole
        lengths = stretch.part.reading.lengths
        longest = own if lengths is None else int(lengths.max())
        return whole if whole is not None and own == longest else own

    def _layer_plan(self, layer: RecordedLayer, stretch: Stretch, found: Recorded) -> Plan:
        _, timesteps, cells = next(iter(layer.signals.values())).shape
        axes = (*_OVER_TIME, "cell")
        variables = {name: Variable(axes, self._dtype) for name in layer.signals}
        variables["mask"] = Variable(_OVER_TIME, "bool")
        sizes: dict[str, int | None] = {
            "example": self._parts.examples,
            "timestep": self._timesteps(timesteps, stretch),
            "cell": cells,
        }
        if layer.tokens is not None:
            variables["token"] = Variable(_OVER_TIME, "string")
        if self._parts.reading.step > 1:
            variables["position"] = Variable(("timestep",), "int64")
        for name in layer.initial:
            own = ("example", "call", "cell") if layer.calls else ("example", "cell")
            variables[INITIAL + name] = Variable(own)
        if layer.calls:
            sizes["call"] = len(layer.calls)
        return Plan(sizes, variables | self._coordinates(layer, found))

    def _coordinates(
        self, of: RecordedLayer | RecordedSeries, found: Recorded
    ) -> dict[str, Variable]:
        variables = {}
        if of.times is not None:
            kind = of.times.values.dtype
            axes = _OVER_TIME if self._parts.times_differ else ("timestep",)
            dtype = "date" if kind.kind == "M" else kind.name
            variables["time"] = Variable(axes, dtype, of.times.zone)
        if found.labels is not None:
            variables["label"] = Variable(("example",), "string")
        return variables

    def _prediction_plan(self, found: RecordedPredictions, stretch: Stretch) -> Plan:
        variables = {
            "predicted_id": Variable(PREDICTION_AXES, "int32"),
            "probability": Variable(PREDICTION_AXES),
            "target_probability": Variable(_OVER_TIME),
        }
        if found.tokens is not None:
            variables["predicted_token"] = Variable(PREDICTION_AXES, "string")
        timesteps, ranks = found.ids.shape[1:]
        sizes = {"timestep": self._timesteps(timesteps, stretch), "rank": ranks}
        return Plan({"example": self._parts.examples, **sizes}, variables)

    def _series_plan(self, what: str, series: RecordedSeries, found: Recorded) -> Plan:
        last = "channel" if what == "inputs" else "output"
        parts, mode = self._parts, self._parts.reading.mode
        timesteps: int | None = series.values.shape[1]
        if mode != "examples":
            timesteps = parts.reading.count or None
        elif parts.timesteps is not None:
            timesteps = parts.timesteps
        sizes = {"timestep": timesteps, last: series.values.shape[2]}
        variables = {
            what: Variable((*_OVER_TIME, last)),
            last: Variable((last,), "string"),
            "unit": Variable((last,), "string"),
        }
        return Plan(
            {"example": parts.examples, **sizes}, variables | self._coordinates(series, found)
        )

    def _note(self, layer: RecordedLayer) -> None:
        """Note what is to be known of a layer, as far as it is read."""
        real, count = self._real.get(layer.name, [0, 0])
        share = 1.0 - real / count if count else 0.0
        self._attrs[layer.name] = layer_attrs(replace(layer, mask=None)) | {"masked_share": share}

    def _write(self, stretch: Stretch, found: Recorded) -> None:
        for layer in found.layers:
            self._write_layer(stretch, layer, found)
        if found.predictions is not None:
            self._write_predictions(stretch, found.predictions)
        for what, series in found.beside.items():
            if series is not None:
                self._write_series(stretch, what, series, found)

    def _write_layer(self, stretch: Stretch, layer: RecordedLayer, found: Recorded) -> None:
        plan = self._plans[layer.name]
        layer = _as_called(layer, self._attrs[layer.name].get("calls", ()), stretch.examples)
        filled = _Filled(plan, stretch, stretch.skip, stretch.timestep, f"layer {layer.name!r}")
        values: Arrays = {name: filled(each, np.nan) for name, each in layer.signals.items()}
        shape = next(iter(layer.signals.values())).shape[:2]
        mask = np.ones(shape, np.bool_) if layer.mask is None else layer.mask
        values["mask"] = filled(mask, False)
        if "token" in plan.variables:
            tokens = np.full(shape, "", object) if layer.tokens is None else layer.tokens
            values["token"] = filled(tokens, "")
        if "position" in plan.variables and stretch.examples.start == 0:
            reading, place = self._parts.reading, filled.place[1]
            values["position"] = reading.before + reading.step * np.arange(place.start, place.stop)
        if stretch.timestep == 0:
            for name in plan.variables:
                if name.startswith(INITIAL):
                    values[name] = layer.initial[name.removeprefix(INITIAL)]
        values |= self._of_coordinates(stretch, layer, found, filled)
        counts = self._real.setdefault(layer.name, [0, 0])
        counts[0] += int(values["mask"].sum())
        counts[1] += values["mask"].size
        self._note(layer)
        self._stream.write(layer.name, filled.place, values)

    def _of_coordinates(
        self,
        stretch: Stretch,
        of: RecordedLayer | RecordedSeries,
        found: Recorded,
        filled: _Filled,
    ) -> Arrays:
        values: Arrays = {}
        if of.times is not None:
            times = np.atleast_2d(of.times.values)[:, filled.skip :]
            count = filled.place[1].stop - filled.place[1].start
            if times.shape[1] < count:  # of examples that are shorter than others
                every = self._parts.times_of(stretch.examples)
                assert every is not None  # noqa: S101
                positions = self._parts.reading.positions
                layer = "signals" in vars(of)
                times = every if positions is None or not layer else every[:, positions]
                times = times[:, filled.place[1]]
            if self._parts.times_differ:
                values["time"] = np.broadcast_to(times, (filled.examples, count))
            elif stretch.examples.start == 0:
                values["time"] = times[0]
        if found.labels is not None and filled.place[1].start == 0:
            values["label"] = np.array([*found.labels, ""], object)[:-1]
        return values

    def _write_predictions(self, stretch: Stretch, found: RecordedPredictions) -> None:
        plan = self._plans[_BESIDE + "predictions"]
        filled = _Filled(plan, stretch, stretch.skip, stretch.timestep, "predictions")
        self._known |= found.targets is not None
        targets = found.targets
        if targets is None:
            targets = np.full(found.ids.shape[:2], np.nan, np.float32)
        values: Arrays = {
            "predicted_id": filled(found.ids, -1),
            "probability": filled(found.probabilities, np.nan),
            "target_probability": filled(targets, np.nan),
        }
        if found.tokens is not None:
            values["predicted_token"] = filled(found.tokens, "")
        self._stream.write_beside("predictions", filled.place, values)

    def _write_series(
        self, stretch: Stretch, what: str, series: RecordedSeries, found: Recorded
    ) -> None:
        plan = self._plans[_BESIDE + what]
        filled = _Filled(plan, stretch, stretch.read_skip, stretch.read, what)
        values: Arrays = {what: filled(series.values, np.nan)}
        if stretch.examples.start == 0 and stretch.read == 0:
            last = "channel" if what == "inputs" else "output"
            values[last] = np.array([*series.names, ""], object)[:-1]
            values["unit"] = np.array([*series.units, ""], object)[:-1]
        values |= self._of_coordinates(stretch, series, found, filled)
        self._stream.write_beside(what, filled.place, values)


# Before the names of what stands beside the layers, as in a tree: no layer is called so.
_BESIDE = "%"


class _Filled:
    """Brings the arrays of a part to the timesteps that the recording has there."""

    def __init__(self, plan: Plan, stretch: Stretch, skip: int, first: int, where: str) -> None:
        self.skip, self._where, self._first = skip, where, first
        self._examples = stretch.examples
        # Of one text, more follows; examples are whole, and so are series that have ended.
        one = stretch.part.reading.mode != "examples" and stretch.part.given.text
        whole = None if one and not stretch.ended else plan.sizes["timestep"]
        self._whole = None if whole is None else whole - first
        self.examples = stretch.examples.stop - stretch.examples.start
        self.place = (stretch.examples, slice(first, first))

    def __call__(self, values: npt.NDArray[Any], nothing: Any) -> npt.NDArray[Any]:
        values = values[:, self.skip :]
        whole, examples = self._whole, self._examples
        if whole is not None and values.shape[1] > whole:
            raise _longer(self._where, values.shape[1], whole, examples)
        if whole is not None and values.shape[1] < whole:
            more = [(0, 0), (0, whole - values.shape[1]), *[(0, 0)] * (values.ndim - 2)]
            values = np.pad(values, more, constant_values=nothing)
        self.place = (examples, slice(self._first, self._first + values.shape[1]))
        return values


def _as_called(layer: RecordedLayer, calls: Sequence[int], examples: slice) -> RecordedLayer:
    """Bring the calls of a layer to where those of the first part stand, of which it may have fewer."""
    shape = next(iter(layer.signals.values())).shape[:2]
    own = layer.calls or (shape[1],)
    if not calls or tuple(own) == tuple(calls):
        return layer
    where = f"layer {layer.name!r}"
    if len(own) > len(calls):
        raise _longer(where, sum(own), sum(calls), examples)
    for k, (count, whole) in enumerate(zip(own, calls, strict=False)):
        if count > whole:
            raise _longer(f"{where} in its call {k + 1}", count, whole, examples)
    begins = np.cumsum([0, *calls])[: len(own)]
    places = np.concatenate([b + np.arange(n) for b, n in zip(begins, own, strict=True)])

    def apart(values: npt.NDArray[Any], nothing: Any) -> npt.NDArray[Any]:
        spread = np.full((len(values), sum(calls), *values.shape[2:]), nothing, values.dtype)
        spread[:, places] = values
        return spread

    initial = {}
    for name, values in layer.initial.items():
        each = values if layer.calls else values[:, None]
        behind = [(0, 0), (0, len(calls) - len(own)), (0, 0)]
        initial[name] = np.pad(each, behind, constant_values=np.nan)
    return replace(
        layer,
        signals={name: apart(values, np.nan) for name, values in layer.signals.items()},
        mask=apart(np.ones(shape, np.bool_) if layer.mask is None else layer.mask, False),
        tokens=None if layer.tokens is None else apart(layer.tokens, ""),
        initial=initial,
        calls=tuple(calls),
    )


def _longer(where: str, got: int, whole: int, examples: slice) -> ValueError:
    """Say that examples are longer than there is room for."""
    return ValueError(
        f"inputs: expected no examples that are longer than the first ones, with to=, but {where} has "
        f"{got} timesteps for examples {examples.start} to {examples.stop - 1}, and {whole} before; give "
        "the longest first, or fill all up to one length"
    )


def _starting(state: Mapping[str, Any], start: str) -> Arrays:
    return {
        name.removeprefix(start): value for name, value in state.items() if name.startswith(start)
    }
