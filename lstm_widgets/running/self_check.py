# Keras has no types, so what comes from it is Any.
# ruff: noqa: ANN401
"""The self-check: hold what was recorded against what the layer itself computes.

Two things are held against each other for each call of a layer:

(a) Single steps, spread over the recording: the layer's own cell takes one step from recorded states,
    which has to end in the recorded states. That is sharp anywhere in a recording, however long.
(b) The layer's own loop over a prefix of a few examples, padding included: it shows that order, masks and
    initial states are those of the layer.

Small differences are those of rounding. In (a) the unit is what rounding can do in that step: how far
its result moves when what is summed up moves by the last digit. In (b), where a recurrence can make
rounding grow without bound, a pass in float64 tells how far the layer itself is off.
"""

from __future__ import annotations

import functools
import weakref
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, ClassVar, Literal

import numpy as np

from lstm_widgets.models.keras.cells import as_array, read_cell
from lstm_widgets.models.keras.layers import load_keras
from lstm_widgets.rnn import numpy_loop
from lstm_widgets.rnn.cells import KINDS

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    import numpy.typing as npt

    from lstm_widgets.models.keras.layers import Found
    from lstm_widgets.rnn.cells import Cell, Holds

TOLERANCES = {"float64": 1e-5, "float32": 1e-5, "float16": 5e-3, "bfloat16": 4e-2}
"""Default tolerance of the self-check, by the dtype in which a layer computes."""

# The last digit of what is recorded, by the dtype in which a layer computes: float64 is kept as float32.
_ROUNDING = {"float64": 2.0**-23, "float32": 2.0**-23, "float16": 2.0**-10, "bfloat16": 2.0**-7}
# How much of it a single step may take, and how much farther off than the layer itself a prefix may be.
_ROUNDINGS, _TIMES_THE_LAYER = 4, 16

# What is computed again, of every batch.
CHECKED_EXAMPLES = 4
CHECKED_TIMESTEPS = 16
CHECKED_STEPS = 16
# Steps that are taken at a time.
_STEPS_AT_ONCE = 4096
# Tracing the layer's own loop costs more than running it a few times without.
UNTRACED_CHECKS = 2
# Traced loops of a layer that are kept, one a batch size and length, and shapes that are remembered.
KEPT_LOOPS = 4
KEPT_SHAPES = 256


Check = Literal["prefix", "full", False]


def expect_check(check: Check, tolerance: float | None) -> None:
    """Refuse what says neither how to check nor how large differences may be."""
    if check not in ("prefix", "full", False):
        raise ValueError(f"check: expected 'prefix', 'full' or False, got {check!r}")
    if tolerance is not None and not tolerance > 0:
        raise ValueError(f"tolerance: expected a positive number, got {tolerance!r}")


@dataclass
class CellRun:
    """One cell's way through one call: what it reads, and what has come of it.

    Attributes
    ----------
    kind, cell
        Its kind, and the cell as Keras has it.
    x
        What it reads, ``(example, timestep, features)``, in the dtype in which it computes.
    real
        Bool ``(example, timestep)``, False at padding; None: no padding.
    reverse
        Whether it reads from the end.
    initial
        The states before the first step, ``(example, units)``.
    held
        What is held meanwhile.
    state
        The states after the last step.
    out
        Signals at every timestep; of windows at their end only, ``(example, units)``.
    before
        Of windows, the states before the last step.
    hidden
        Hidden states ``(example, timestep, units)``, if the model goes on with them.
    """

    kind: str
    cell: Any
    x: npt.NDArray[Any]
    real: npt.NDArray[np.bool_] | None
    reverse: bool
    initial: list[npt.NDArray[Any]]
    held: Holds | None = None
    state: list[npt.NDArray[Any]] = field(default_factory=list)
    out: dict[str, Any] = field(default_factory=dict)
    before: list[npt.NDArray[Any]] | None = None
    hidden: Any = None

    @property
    def states(self) -> tuple[str, ...]:
        """The names of the signals that are states."""
        kind = KINDS[self.kind]
        return kind.signals[: kind.states]

    @functools.cached_property
    def exact(self) -> Cell:
        """The cell in float64."""
        return read_cell(self.kind, self.cell).in_numpy().astype(np.float64)


@dataclass(frozen=True)
class Compared:
    """What was recorded, what the layer computes, and how much of the difference rounding explains.

    Attributes
    ----------
    cell
        Which cell of the layer it is about.
    ours, theirs
        What was recorded, and what the layer computes.
    unexplained
        Computes the difference that rounding doesn't explain, by the measure of :func:`difference`.
    what
        What was compared, for an error to tell.
    """

    cell: int
    ours: Any
    theirs: Any
    unexplained: Callable[[], float]
    what: str


class LayerCheck:
    """The check of one call of a layer.

    Parameters
    ----------
    one
        The layer.
    runs
        What its cells did, in the order in which they are stacked.
    sequences, initial_state, real
        What the layer was called with.
    full
        Whether everything is computed again, and not only some of it.
    returned
        Makes of hidden states and padding what the layer returns.

    Attributes
    ----------
    examples, timesteps
        How much of it the layer's own loop computed again.
    """

    def __init__(
        self,
        one: Found,
        runs: Sequence[CellRun],
        given: tuple[Any, Any, npt.NDArray[np.bool_] | None],
        *,
        full: bool,
        returned: Callable[..., Any],
    ) -> None:
        self._one, self._runs, self._full, self._returned = one, runs, full, returned
        self._sequences, self._initial_state, self._real = given
        count, length = int(self._sequences.shape[0]), int(self._sequences.shape[1])
        ends = runs[0].before is not None
        if full:
            rows, starts = np.arange(count), np.zeros(count, int)
        else:
            length = length if ends else min(length, CHECKED_TIMESTEPS)
            rows, starts = windows_to_check(
                self._real, count, int(self._sequences.shape[1]), length, one.go_backwards
            )
        self._rows, self._starts = rows, starts
        self.examples, self.timesteps = len(rows), length
        self._covers_all = len(rows) == count and length == int(self._sequences.shape[1])

    def prefix(self) -> Iterator[Compared]:
        """Compare what the layer's own loop makes of a prefix."""
        import tensorflow as tf  # noqa: PLC0415

        tree, one, rows = load_keras().tree, self._one, self._rows
        timesteps = int(self._sequences.shape[1])
        # Positions in the order in which the layer reads, then as indices into its input.
        positions = self._starts[:, None] + np.arange(self.timesteps)
        if one.go_backwards:
            positions = timesteps - 1 - positions
        order, ends = np.sort(positions, axis=1), positions[:, -1]
        x, state = self._sequences, self._initial_state
        if not self._covers_all:
            x = tf.constant(as_array(x)[rows[:, None], order])
            state = tree.map_structure(lambda s: tf.constant(as_array(s)[rows]), state)
        real = None if self._real is None else self._real[rows[:, None], order]
        outputs, states = OwnLoop.of(one.layer)(x, state, real, traced=self._full)
        exact = functools.cache(lambda: self._exact(order, real))
        what = f"compared: {len(rows)} examples, {self.timesteps} timesteps"

        def compared(cell: int, ours: Any, theirs: Any, exactly: Callable[[], Any]) -> Compared:
            return Compared(cell, ours, theirs, lambda: _farther(ours, theirs, exactly()), what)

        last = len(self._runs) - 1
        if self._runs[last].before is None:
            hidden = self._runs[last].out["hidden_state"][rows[:, None], order]
            yield compared(
                last,
                self._returned(hidden, real, one.layer),
                outputs,
                lambda: self._returned(exact()[last][0], real, one.layer),
            )
        position = 0
        for k, run in enumerate(self._runs):
            for n, signal in enumerate(run.states):
                if signal in run.out:
                    values = run.out[signal]
                    ours = values[rows] if run.before is not None else values[rows, ends]
                    theirs = states[position + n]
                    yield compared(k, ours, theirs, functools.partial(self._last_of, exact, k, n))
            position += len(run.states)

    @staticmethod
    def _last_of(exact: Callable[[], Any], cell: int, state: int) -> Any:
        return exact()[cell][1][state]

    def _exact(
        self, order: npt.NDArray[np.intp], real: npt.NDArray[np.bool_] | None
    ) -> list[tuple[npt.NDArray[np.float64], list[npt.NDArray[Any]]]]:
        """Compute the prefix in float64: hidden and last states of each cell."""
        x = as_array(self._sequences)[self._rows[:, None], order].astype(np.float64)
        found = []
        for run in self._runs:
            hidden = np.empty((*x.shape[:2], run.exact.units))
            initial = [s[self._rows].astype(np.float64) for s in run.initial]
            out = {"hidden_state": hidden}
            last = numpy_loop.scan(run.exact, x, initial, real, out, reverse=run.reverse)
            found.append((hidden, last))
            x = hidden
        return found

    def steps(self, *, drifted: bool) -> Iterator[Compared]:
        """Compare single steps of the layer's own cells, unless the prefix says it all.

        ``drifted`` tells that rounding grew in the prefix, which then says little.
        """
        if self._covers_all and not drifted:
            return
        for k, run in enumerate(self._runs):
            if all(signal in run.out for signal in run.states):
                for x, before, after in self._taken(run):
                    yield from self._step(k, run, x, before, after)

    def _taken(self, run: CellRun) -> Iterator[tuple[Any, list[Any], list[Any]]]:
        """Give inputs, recorded states before and recorded states after some steps."""
        examples, timesteps, _ = run.x.shape
        if run.before is not None:
            last = 0 if run.reverse else -1
            read = np.arange(examples) if run.real is None else np.flatnonzero(run.real[:, last])
            for rows in self._some(read):
                before = [state[rows] for state in run.before]
                yield run.x[rows, last], before, [run.out[name][rows] for name in run.states]
            return
        size = examples * timesteps
        read = np.arange(size) if run.real is None else np.flatnonzero(run.real)
        for some in self._some(read):
            rows, times = np.divmod(some, timesteps)
            earlier = times + (1 if run.reverse else -1)
            first = ((earlier < 0) | (earlier >= timesteps))[:, None]
            earlier = earlier.clip(0, timesteps - 1)
            before = [
                np.where(first, initial[rows], run.out[name][rows, earlier])
                for name, initial in zip(run.states, run.initial, strict=True)
            ]
            yield run.x[rows, times], before, [run.out[name][rows, times] for name in run.states]

    def _some(self, read: npt.NDArray[np.intp]) -> Iterator[npt.NDArray[np.intp]]:
        """Choose some of the steps, the first and the last among them; or all, some at a time."""
        if not self._full and len(read) > CHECKED_STEPS:
            read = read[np.linspace(0, len(read) - 1, CHECKED_STEPS).astype(int)]
        for start in range(0, len(read), _STEPS_AT_ONCE):
            yield read[start : start + _STEPS_AT_ONCE]

    def _step(
        self, k: int, run: CellRun, x: Any, before: list[Any], after: list[Any]
    ) -> Iterator[Compared]:
        import tensorflow as tf  # noqa: PLC0415

        dtype = run.cell.compute_dtype
        states = [tf.cast(state, dtype) for state in before]
        _, theirs = OwnLoop.of(run.cell)(tf.constant(x[:, None]), states, None, traced=False)
        moved = functools.cache(lambda: _rounding(run, x, before))
        what = f"compared: {len(x)} single steps from recorded states"
        for n, (ours, own) in enumerate(zip(after, theirs, strict=True)):

            def unexplained(n: int = n, ours: Any = ours, own: Any = own) -> float:
                return difference(ours, own, moved()[n])

            yield Compared(k, ours, own, unexplained, what)


def _rounding(run: CellRun, x: Any, before: list[Any]) -> list[npt.NDArray[np.float64]]:
    """Tell how far rounding may move the states after a step."""
    x, before = x.astype(np.float64), [state.astype(np.float64) for state in before]
    last = _ROUNDING.get(run.cell.compute_dtype, _ROUNDING["float32"])
    here, above, below = (
        numpy_loop.take_step(run.exact, x, before, nudge)[: len(before)]
        for nudge in (0.0, last, -last)
    )
    return [
        _ROUNDINGS * (np.abs(up - value) + np.abs(down - value) + last * np.abs(value))
        for value, up, down in zip(here, above, below, strict=True)
    ]


def _farther(ours: Any, theirs: Any, exact: Any) -> float:
    """Tell how much farther from float64 the recording is than the layer itself may well be."""
    off = np.abs(np.asarray(theirs).astype(np.float64) - exact)
    off = off.max(axis=-1, keepdims=True, initial=0.0)
    return difference(ours, exact, _TIMES_THE_LAYER * off)


def windows_to_check(
    real: npt.NDArray[np.bool_] | None,
    examples: int,
    timesteps: int,
    length: int,
    backwards: bool,
) -> tuple[npt.NDArray[np.int_], npt.NDArray[np.int_]]:
    """Choose examples, and where in reading order the comparison of each starts.

    Padding before an example's first real timestep leaves the initial state as it is, so that a
    window may start right there: a little earlier, to see that it does.
    """
    rows = np.unique(np.linspace(0, examples - 1, CHECKED_EXAMPLES).astype(int))
    if real is None:
        return rows, np.zeros(len(rows), int)
    rows = np.unique([*rows, int(real.sum(axis=1).argmin())])
    read = real[rows, ::-1] if backwards else real[rows]
    first = np.where(read.any(axis=1), read.argmax(axis=1), 0)
    return rows, np.clip(first - 2, 0, timesteps - length)


def _keep(kept: dict[Any, Any], key: Any, value: Any, most: int) -> None:
    """Add what was used last, and let go of what was used before all others."""
    kept[key] = value
    while len(kept) > most:
        del kept[next(iter(kept))]


class OwnLoop:
    """A layer's own loop, made to return the output of every timestep."""

    _all: ClassVar[weakref.WeakKeyDictionary[Any, OwnLoop]] = weakref.WeakKeyDictionary()

    def __init__(self, layer: Any) -> None:
        self._layer = weakref.ref(layer)
        self._uses: dict[Any, int] = {}
        self._traced: dict[Any, Any] = {}

    @classmethod
    def of(cls, layer: Any) -> OwnLoop:
        """Give each layer the one that it had before, with what has been traced."""
        if layer not in cls._all:
            cls._all[layer] = cls(layer)
        return cls._all[layer]

    @classmethod
    def forget(cls, layer: Any) -> None:
        """Drop what has been traced of a layer that has become another."""
        cls._all.pop(layer, None)

    def __call__(
        self, x: Any, state: Any, real: npt.NDArray[np.bool_] | None, *, traced: bool
    ) -> tuple[Any, list[Any]]:
        """Return outputs ``(example, timestep, cell)`` in the layer's order, and last states."""
        import tensorflow as tf  # noqa: PLC0415

        tree = load_keras().tree
        mask = None if real is None else tf.constant(real)
        arguments = [x, *tree.flatten(state), *([] if mask is None else [mask])]
        count = len(tree.flatten(state))
        key = (mask is None, *((tuple(a.shape), a.dtype) for a in arguments))
        uses = self._uses.pop(key, 0) + 1
        _keep(self._uses, key, uses, KEPT_SHAPES)
        if not traced and uses <= UNTRACED_CHECKS:
            _, outputs, states = self._run(x, state, mask)
            return outputs, tree.flatten(states)
        loop = self._traced.pop(key, None)
        if loop is None:

            def run(x: Any, *flat: Any) -> Any:
                given = None if mask is None else flat[-1]
                return self._run(x, tree.pack_sequence_as(state, flat[:count]), given)

            function = tf.function(run, autograph=False)
            loop = function.get_concrete_function(*arguments)
        _keep(self._traced, key, loop, KEPT_LOOPS)
        _, outputs, states = loop(*arguments)
        return outputs, tree.flatten(states)

    def _run(self, x: Any, state: Any, mask: Any) -> Any:
        layer: Any = self._layer()
        if not isinstance(layer, load_keras().layers.RNN):  # a cell, which takes one timestep
            output, states = type(layer).call(layer, x[:, 0], state, training=False)
            return output, output[:, None], states
        own = layer.__dict__["return_sequences"]
        layer.__dict__["return_sequences"] = True
        try:
            return type(layer).inner_loop(layer, x, state, mask, training=False)
        finally:
            layer.__dict__["return_sequences"] = own


def difference(ours: Any, theirs: Any, explained: Any = 0.0) -> float:
    """Tell the largest difference, as a part of ``max(1, |theirs|)``; NaN equals NaN.

    Parameters
    ----------
    ours, theirs
        Arrays or tensors; of different shapes they differ without bound.
    explained
        How much of each difference doesn't count.
    """
    a = np.asarray(ours).astype(np.float64)
    b = np.asarray(theirs).astype(np.float64)
    if a.shape != b.shape:
        return float("inf")
    if not a.size:
        return 0.0
    with np.errstate(invalid="ignore"):
        apart = np.abs(a - b) - np.nan_to_num(explained, nan=0.0, posinf=0.0)
        found = np.maximum(apart, 0.0) / np.maximum(1.0, np.abs(b))
    found[(a == b) | (np.isnan(a) & np.isnan(b))] = 0.0
    return float("inf") if np.isnan(found).any() else float(found.max())
