# A cluster's client has no types, and what a model reads may be of many: Any.
# ruff: noqa: ANN401
"""Parts of what a model reads, each recorded by a worker of a Dask cluster.

The model goes to each worker once; what a part is goes there, what was recorded of it comes back, in the
order of the parts. So whoever writes has the same to the bit as if it had read all parts itself.
"""

from __future__ import annotations

import contextlib
import io
import os
import pickle
import threading
import uuid
import warnings
from collections import deque
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from lstm_widgets.models.adapter import Adapter, adapter_of, environment
from lstm_widgets.recording.blockwise import packed
from lstm_widgets.rnn.parallel import one_thread
from lstm_widgets.running.recorder import Recorder
from lstm_widgets.running.run import prepared
from lstm_widgets.running.selection import Selection
from lstm_widgets.running.session import Session

if TYPE_CHECKING:
    from collections.abc import Generator, Iterable, Mapping

    import numpy.typing as npt

    from lstm_widgets.rnn.comparison import Check
    from lstm_widgets.running.held import Held
    from lstm_widgets.running.parts import Stretch
    from lstm_widgets.running.reading import Reading
    from lstm_widgets.running.recorder import Beside, Part, Recorded, States

    Arrays = dict[str, npt.NDArray[Any]]

__all__ = ["Made", "Shard", "Shards", "merged"]

# How many parts each worker is given at a time, so that none waits for the next; what was recorded of
# those that are done waits on the workers for its turn.
_AHEAD = 2


@dataclass(frozen=True)
class Made:
    """What a session and its model are made of, as for :func:`lstm_widgets.record`."""

    model: Any
    state: str | None
    layers: Any
    signals: Any
    held: tuple[tuple[Held, ...], ...]

    def session(self, adapter: Adapter, like: _Like) -> Session:
        """Make a session on a worker."""
        selection = Selection(adapter.layers, self.layers, self.signals)
        return Session(
            *(selection, like.reading, like.check, like.tolerance),
            every_output=like.every_output,
            held=self.held,
        )


@dataclass(frozen=True)
class _Like:
    """What else a session is made with."""

    reading: Reading
    check: Check
    tolerance: float | None
    every_output: bool


@dataclass(frozen=True)
class Shard:
    """What was recorded of a part, what :meth:`Session.state` tells after it alone, and what was replayed."""

    found: Recorded
    told: dict[str, Any]
    arrays: Arrays
    started: States | None
    """The states that layers ended in after what was replayed before; None: nothing was."""


class Shards:
    """A model on the workers of a cluster.

    Parameters
    ----------
    client : distributed.Client
        The cluster's client.
    adapter : Adapter
        The model, built.
    made : Made
        What the session was made of.
    beside : Beside
        What is recorded beside the layers.
    recorder : Recorder
        The one that has read the first part here: from it, others know how it is read.
    session : Session
        That of the recorder.
    """

    def __init__(
        self,
        client: Any,
        adapter: Adapter,
        made: Made,
        beside: Beside,
        *,
        recorder: Recorder,
        session: Session,
    ) -> None:
        self._client, self._adapter = client, adapter
        told, arrays = session.state()
        setup = _Setup(
            uuid.uuid4().hex,
            packed(made.model, "model"),
            environment(),
            replace(made, model=None),
            _Like(session.whole, session.check, session.tolerance, session.every_output),
            _told_apart(beside, adapter),
            recorder.state(),
            told | {"units": [[*unit[:5], 0.0, 0, 0] for unit in told["units"]], "carried": []},
            arrays,
        )
        # As a task of its own it is done again where the worker that had its result is lost.
        self._setup = self._submit(_itself, setup)
        self._running: deque[tuple[Any, Any]] = deque()

    def _submit(self, function: Any, *arguments: Any) -> Any:
        with warnings.catch_warnings():
            warnings.filterwarnings("ignore", "Sending large graph", UserWarning)
            return self._client.submit(function, *arguments, pure=False)

    def recorded(self, stretches: Iterable[Stretch]) -> Generator[tuple[Stretch, Shard]]:
        """Give what was recorded of each part, in their order; closing it calls off what hasn't begun."""
        left = iter(stretches)

        def more(count: int) -> None:
            for _ in range(count):
                stretch = next(left, None)
                if stretch is None:
                    return
                sent = _told_apart((stretch.part, stretch.replayed), self._adapter)
                self._running.append((stretch, self._submit(_on_worker, self._setup, sent)))

        try:
            more(_AHEAD * max(1, len(self._client.nthreads())))
            while self._running:
                stretch, future = self._running[0]
                try:
                    shard: Shard = future.result()
                except Exception as error:
                    part = f"examples {stretch.examples.start}:{stretch.examples.stop}"
                    if stretch.timestep:
                        part += f", from timestep {stretch.timestep} on"
                    error.add_note(f"in {part}, on a worker of the Dask cluster")
                    raise
                self._running.popleft()
                future.release()
                more(1)
                yield stretch, shard
        finally:
            if self._running:
                with contextlib.suppress(Exception):  # the client, or the cluster, may be closed
                    self._client.cancel([future for _, future in self._running])


def merged(told: Mapping[str, Any], arrays: Arrays, shard: Shard) -> tuple[dict[str, Any], Arrays]:
    """Make of what a session told, and of what another one did of the next part, what is so after both."""
    units = {(unit[0], unit[1]): unit for unit in told["units"]}
    goes_on = bool(shard.told["carried"])  # a text, all of whose parts are of one example
    for layer, call, kind, tolerance, held, difference, examples, timesteps in shard.told["units"]:
        unit = [layer, call, kind, tolerance, held, difference, examples, timesteps]
        before = units.get((layer, call))
        if before is not None:
            unit[5] = max(before[5], difference)
            unit[6] = max(before[6], examples) if goes_on else before[6] + examples
            unit[7] = before[7] + timesteps if goes_on else timesteps
        units[layer, call] = unit
    both = {
        "carried": shard.told["carried"],
        "units": list(units.values()),
        "reached": sorted({*told["reached"], *shard.told["reached"]}),
        "drifted": told["drifted"] or shard.told["drifted"],
        "outputs": max(told["outputs"], shard.told["outputs"]),
    }
    states = {name: value for name, value in shard.arrays.items() if name.startswith("state ")}
    initial = {name: value for name, value in arrays.items() if not name.startswith("state ")}
    return both, states | {name: value for name, value in initial.items() if name in shard.arrays}


# What is told apart: the model stays behind, and is there already --------------------------------


def _told_apart(value: Any, adapter: Adapter) -> bytes:
    """Pickle something but for the model that it refers to."""
    from distributed.protocol.pickle import cloudpickle  # noqa: PLC0415

    class Pickler(cloudpickle.CloudPickler):  # type: ignore[misc]
        def persistent_id(self, each: Any) -> str | None:
            if each is adapter:
                return "adapter"
            return "lookup" if lookup is not None and each is lookup else None

    lookup = value[0].given.lookup if isinstance(value, tuple) else None
    made = io.BytesIO()
    try:
        Pickler(made).dump(value)
    except Exception as error:
        raise TypeError(
            "inputs: expected what can be pickled, to send it to the workers of the Dask cluster; that "
            f"can't be done: {error}. Without a cluster (close the client, or leave its with statement) "
            "nothing is sent"
        ) from error
    return made.getvalue()


class _Unpickler(pickle.Unpickler):
    def __init__(self, data: bytes, adapter: Adapter) -> None:
        super().__init__(io.BytesIO(data))
        self._adapter = adapter

    def persistent_load(self, pid: Any) -> Any:
        return self._adapter if pid == "adapter" else self._adapter.lookup


# On a worker --------------------------------------------------------------------------------------


@dataclass(frozen=True)
class _Setup:
    """What a worker needs to record parts."""

    run: str
    model: bytes
    environment: dict[str, str]
    made: Made
    like: _Like
    beside: bytes
    learned: dict[str, Any]
    told: dict[str, Any]
    arrays: Arrays


class _Worker:
    """A model on a worker."""

    def __init__(self, setup: _Setup) -> None:
        os.environ.update(setup.environment)
        self._setup = setup
        self.run = setup.run
        model = pickle.loads(setup.model)  # noqa: S301 - what the client has sent
        self._adapter = adapter_of(model, state=setup.made.state)
        self._built = False

    def recorded(self, data: bytes) -> Shard:
        setup, adapter = self._setup, self._adapter
        part: Part
        replayed: Part | None
        part, replayed = _Unpickler(data, adapter).load()
        if not self._built:
            adapter.build(part.given.first(part.size))
            self._built = True
        session = setup.made.session(adapter, setup.like)
        session.resume(setup.told, setup.arrays)
        with prepared(adapter, session) as ready:
            recorder = Recorder(session, ready, _Unpickler(setup.beside, adapter).load())
            recorder.resume(setup.learned)
            started = None if replayed is None else recorder.replay(replayed, ready.state())
            recorder.read_all(part)
            return Shard(recorder.recorded(), *session.state(), started)


# The model of the run that this process last had a part of. One part at a time: a model is one.
_lock = threading.Lock()
_last: list[_Worker] = []


def _itself(setup: _Setup) -> _Setup:
    return setup


def _on_worker(setup: _Setup, part: bytes) -> Shard:
    with _lock, one_thread():
        if not _last or _last[0].run != setup.run:
            _last.clear()  # before there is another one
            _last.append(_Worker(setup))
        return _last[0].recorded(part)
