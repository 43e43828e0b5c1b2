# Arrays and tensors are compared: Any.
# ruff: noqa: ANN401
"""The self-check: hold what our loop did against what the layer itself computes.

Two things are held against each other for each call of a layer:

(a) Single steps, spread over all timesteps: the layer's own cell takes one step from states that our loop
    went through, which has to end in the next ones. That is sharp anywhere, however long a sequence is.
(b) The layer's own loop over a prefix of a few examples, padding included: it shows that order, masks and
    initial states are those of the layer.

Small differences are those of rounding. In (a) the unit is what rounding can do in that step: how far
its result moves when what is summed up moves by the last digit. In (b), where a recurrence can make
rounding grow without bound, passes in float64 tell how far it may: one with the weights as they are, from
which neither our loop nor the layer may be farther than those whose weights moved by their last digit.
"""

from __future__ import annotations

import functools
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from lstm_widgets.errors import SelfCheckError
from lstm_widgets.models.own_cells import OwnCell
from lstm_widgets.rnn import numpy_loop
from lstm_widgets.rnn.cells import KINDS
from lstm_widgets.rnn.comparison import CHECKED_TIMESTEPS, difference, windows_to_check

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    import numpy.typing as npt

    from lstm_widgets.models.adapter import Call
    from lstm_widgets.rnn.cells import Cell, Holds

__all__ = ["CellRun", "LayerCheck", "Outcome"]

# The last digit of what is recorded, by the dtype in which a layer computes: float64 is kept as float32.
_ROUNDING = {"float64": 2.0**-23, "float32": 2.0**-23, "float16": 2.0**-10, "bfloat16": 2.0**-7}
# How much of it a single step may take, and how much farther off a prefix may be than moved weights make it.
_ROUNDINGS, _TIMES_MOVED = 4, 16
# How often weights are moved: by chance, one move may hardly grow where another does.
_MOVES = 4

CHECKED_STEPS = 16
# Steps that are taken at a time.
_STEPS_AT_ONCE = 4096


@dataclass
class CellRun:
    """One cell's way through one call: what it reads, and what has come of it.

    Attributes
    ----------
    cell, dtype : Cell, str
        The cell, and the name of the dtype in which it computes.
    x : array (example, timestep, features)
        What it reads, ``(example, timestep, features)``, in the dtype in which it computes.
    real : bool array (example, timestep), optional
        Bool ``(example, timestep)``, False at padding; None: no padding.
    reverse : bool
        Whether it reads from the end.
    initial : list of array (example, units)
        The states before the first step, ``(example, units)``.
    held : mapping, optional
        What is held meanwhile.
    state : list of array (example, units)
        The states after the last step.
    out : dict of str to array (example, timestep, units)
        Signals at every timestep; of windows at their end only, ``(example, units)``.
    before : list of array (example, units), optional
        Of windows, the states before the last step.
    hidden : array (example, timestep, units), optional
        Hidden states ``(example, timestep, units)``, if the model goes on with them.
    """

    cell: Cell
    dtype: str
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
        kind = KINDS[self.cell.kind]
        return kind.signals[: kind.states]

    @property
    def last_digit(self) -> float:
        """The last digit of what is recorded, as a part of it."""
        return _ROUNDING.get(self.dtype, _ROUNDING["float32"])

    @functools.cached_property
    def exact(self) -> Cell:
        """The cell in float64."""
        return self.cell.in_numpy().astype(np.float64)


class _Exact(NamedTuple):
    """What a cell comes to in float64: hidden states at every timestep, and the last states."""

    hidden: npt.NDArray[np.float64]
    states: list[npt.NDArray[Any]]


@dataclass(frozen=True)
class Compared:
    """What our loop did, what the layer computes, and how much of the difference rounding explains.

    Attributes
    ----------
    cell : int
        Which cell of the layer it is about.
    ours, theirs : array
        What our loop did, and what the layer computes.
    unexplained : callable
        Computes the difference that rounding doesn't explain, by the measure of ``difference``.
    what : str
        What was compared, for an error to tell.
    """

    cell: int
    ours: Any
    theirs: Any
    unexplained: Callable[[], float]
    what: str


class Outcome(NamedTuple):
    """What came of a check: the largest difference of each cell, and whether rounding explains one."""

    differences: list[float]
    drifted: bool


class LayerCheck:
    """The check of one call of a layer.

    Parameters
    ----------
    call : Call
        The call.
    runs : sequence of CellRun
        What the layer's cells did, in the order in which they are stacked.
    full : bool
        Whether everything is computed again, and not only some of it.

    Attributes
    ----------
    examples, timesteps : int
        How much of it the layer's own loop computed again.
    """

    def __init__(self, call: Call, runs: Sequence[CellRun], *, full: bool) -> None:
        self._call, self._runs, self._full = call, runs, full
        count, length = call.x.shape[:2]
        ends = runs[0].before is not None
        if full:
            rows, starts = np.arange(count), np.zeros(count, int)
        else:
            length = length if ends else min(length, CHECKED_TIMESTEPS)
            rows, starts = windows_to_check(
                call.mask, count, call.x.shape[1], length, call.layer.go_backwards
            )
        self._rows, self._starts = rows, starts
        self.examples, self.timesteps = len(rows), length
        self._covers_all = len(rows) == count and length == call.x.shape[1]

    def hold(self, names: Sequence[str], tolerances: Sequence[float]) -> Outcome:
        """Compare everything.

        Parameters
        ----------
        names : sequence of str
            Those of the cells, for an error to tell.
        tolerances : sequence of float
            How far each cell may be off beyond what rounding explains, see
            :func:`lstm_widgets.rnn.comparison.difference`.

        Raises
        ------
        SelfCheckError
            If one is farther off.
        """
        farthest = [0.0] * len(names)

        def drifts(one: Compared) -> bool:
            found, tolerance = difference(one.ours, one.theirs), tolerances[one.cell]
            farthest[one.cell] = max(farthest[one.cell], found)
            if found <= tolerance:
                return False
            if one.unexplained() > tolerance:
                raise SelfCheckError(
                    f"layer {names[one.cell]!r}: our loop differs by {found:.3g} from what the layer "
                    f"itself computes, more than the tolerance of {tolerance:.3g} and than what "
                    f"rounding explains ({one.what}). So it can't be relied on. tolerance= accepts "
                    "larger differences, check=False goes on without looking"
                )
            return True

        drifted = [drifts(one) for one in self._prefix()]
        drifted += [drifts(one) for one in self._steps(drifted=any(drifted))]
        return Outcome(farthest, any(drifted))

    def _prefix(self) -> Iterator[Compared]:
        """Compare what the layer's own loop makes of a prefix."""
        call, rows = self._call, self._rows
        # Positions in the order in which the layer reads, then as indices into its input.
        positions = self._starts[:, None] + np.arange(self.timesteps)
        if call.layer.go_backwards:
            positions = call.x.shape[1] - 1 - positions
        order, ends = np.sort(positions, axis=1), positions[:, -1]
        x, state = call.x, call.states
        if not self._covers_all:
            x, state = x[rows[:, None], order], [each[rows] for each in state]
        real = None if call.mask is None else call.mask[rows[:, None], order]
        outputs, states = call.own(x, state, real, compiled=self._full)
        passes = functools.cache(
            lambda: [self._exact(order, real, move) for move in (None, *range(_MOVES))]
        )
        what = f"compared: {len(rows)} examples, {self.timesteps} timesteps"

        def compared(cell: int, ours: Any, theirs: Any, of: Callable[[_Exact], Any]) -> Compared:
            def unexplained() -> float:
                exact, *moved = (of(done[cell]) for done in passes())
                digit = self._runs[cell].last_digit
                return max(_farther(one, exact, moved, digit) for one in (ours, theirs))

            return Compared(cell, ours, theirs, unexplained, what)

        last = len(self._runs) - 1
        if self._runs[last].before is None:
            hidden = self._runs[last].out["hidden_state"][rows[:, None], order]
            yield compared(
                last,
                call.returned(hidden, real),
                outputs,
                lambda done: call.returned(done.hidden, real),
            )
        position = 0
        for k, run in enumerate(self._runs):
            for n, signal in enumerate(run.states):
                if signal in run.out:
                    values = run.out[signal]
                    ours = values[rows] if run.before is not None else values[rows, ends]
                    yield compared(k, ours, states[position + n], functools.partial(_state, n))
            position += len(run.states)

    def _exact(
        self, order: npt.NDArray[np.intp], real: npt.NDArray[np.bool_] | None, move: int | None
    ) -> list[_Exact]:
        """Compute the prefix in float64, with the weights as they are or, the ``move``-th time, moved."""
        x = self._call.x[self._rows[:, None], order].astype(np.float64)
        found = []
        for run in self._runs:
            cell = run.exact if move is None else _moved(run.exact, run.last_digit, move)
            hidden = np.empty((*x.shape[:2], cell.width("hidden_state")))
            initial = [s[self._rows].astype(np.float64) for s in run.initial]
            out = {"hidden_state": hidden}
            states = numpy_loop.scan(cell, x, initial, real, out, reverse=run.reverse)
            found.append(_Exact(hidden, states))
            x = hidden
        return found

    def _steps(self, *, drifted: bool) -> Iterator[Compared]:
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
        """Give the inputs of some steps, and the states before and after them."""
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
        theirs = self._call.step(k, x, before)
        moved = functools.cache(lambda: _rounding(run, x, before))
        what = f"compared: {len(x)} single steps"
        for n, (ours, own) in enumerate(zip(after, theirs, strict=True)):

            def unexplained(n: int = n, ours: Any = ours, own: Any = own) -> float:
                return difference(ours, own, moved()[n])

            yield Compared(k, ours, own, unexplained, what)


def _rounding(run: CellRun, x: Any, before: list[Any]) -> list[npt.NDArray[np.float64]]:
    """Tell how far rounding may move the states after a step."""
    x, before = x.astype(np.float64), [state.astype(np.float64) for state in before]
    last = run.last_digit
    if isinstance(run.exact, OwnCell):  # whose sums aren't known
        cells = (run.exact, *(_moved(run.exact, last, seed) for seed in range(_MOVES)))
        exact, *moved = (numpy_loop.take_step(cell, x, before)[: len(before)] for cell in cells)
        return [_may(value, [one[n] for one in moved], last) for n, value in enumerate(exact)]
    here, above, below = (
        numpy_loop.take_step(run.exact, x, before, nudge)[: len(before)]
        for nudge in (0.0, last, -last)
    )
    return [
        _ROUNDINGS * (np.abs(up - value) + np.abs(down - value) + last * np.abs(value))
        for value, up, down in zip(here, above, below, strict=True)
    ]


def _state(number: int, done: _Exact) -> npt.NDArray[Any]:
    return done.states[number]


def _moved(cell: Cell, digit: float, seed: int) -> Cell:
    """Move each weight of a cell by its last digit, up or down by chance."""
    rng = np.random.default_rng(seed)

    def move(weights: npt.NDArray[Any]) -> Any:
        return weights * (1 + rng.choice([-digit, digit], weights.shape))

    return cell.changed(move)


def _farther(found: Any, exact: Any, moved: Sequence[Any], digit: float) -> float:
    """Tell how much farther from float64 something is than rounding may take it.

    Arrays are ``(example, units)``, or ``(example, timestep, units)`` in the order of reading.
    """
    return difference(found, exact, _may(exact, moved, digit))


def _may(exact: Any, moved: Sequence[Any], digit: float) -> npt.NDArray[np.float64]:
    """Tell how far rounding may take something from float64, by what moved weights make of it."""
    apart = np.max([np.abs(one - exact) for one in moved], axis=0)
    grown = apart.max(axis=-1, keepdims=True, initial=0.0)
    if grown.ndim == 3:  # what has grown once may come back at other timesteps
        grown = np.maximum.accumulate(grown, axis=1)
    may: npt.NDArray[np.float64] = _TIMES_MOVED * (grown + digit * np.abs(exact))
    return may
